/* Octets under a passphrase: argon2id makes a key of it, XSalsa20 and Poly1305 (secretbox of
 * libsodium) do the rest. Nobody without the passphrase reads them, nobody changes them unnoticed.
 *
 * Opening takes most of a second and 256 MiB of memory, which is the point: guesses are as slow.
 * Thread: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define SEALED_SALT_SIZE  16
#define SEALED_NONCE_SIZE 24
#define SEALED_OVERHEAD   16

struct sealed {
    uint8_t salt[SEALED_SALT_SIZE], nonce[SEALED_NONCE_SIZE];
    uint64_t operations, memory; /* of argon2id; memory in octets */
    struct buffer octets;        /* ours; SEALED_OVERHEAD longer than what is in it */
};
void sealed_done(struct sealed *s); /* valid when zeroed */

/* Seals under fresh chance. 0, or -ENOMEM: the memory for argon2id is not to be had. */
int sealed_make(const char *passphrase, const void *data, size_t size, struct sealed *ret_sealed);

/* Opens; the buffer is to be wiped by the caller. -EACCES: another passphrase, or the octets were
 * changed; -ERANGE: it asks for more work than we ever asked for; -ENOMEM as above. */
int sealed_open(const struct sealed *s, const char *passphrase, struct buffer *ret_data);
