/* Secrets that we make, and what is kept of any: its BLAKE2b hash, compared in constant time.
 *
 * A secret has 256 bits of chance in it, so that a fast hash without salt is enough: there is
 * nothing to be guessed. This is the one home of libsodium in the room. Pure: chance comes in as an
 * argument. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_RANDOM_SIZE 32
#define SECRET_HASH_SIZE   32
#define SECRET_ID_SIZE     44  /* 43 characters of base64url, and NUL */
#define SECRET_TOKEN_SIZE  48  /* "blf_" before them */
#define SECRET_LENGTH_MAX  512 /* longer ones are nobody's */

/* What a cookie holds, and a token, out of random octets. */
void secret_make_id(const uint8_t random[SECRET_RANDOM_SIZE], char ret_id[SECRET_ID_SIZE]);
void secret_make_token(const uint8_t random[SECRET_RANDOM_SIZE], char ret_token[SECRET_TOKEN_SIZE]);

/* At most SECRET_LENGTH_MAX characters. */
void secret_hash(const char *secret, uint8_t ret_hash[SECRET_HASH_SIZE]);

/* In a time that does not tell where they differ. */
bool secret_is_equal(const uint8_t a[SECRET_HASH_SIZE], const uint8_t b[SECRET_HASH_SIZE]);

/* Leaves nothing of it in memory. */
void secret_wipe(void *secret, size_t size);
