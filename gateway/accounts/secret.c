#include "secret.h"

#include <sodium.h>
#include <string.h>

#define PREFIX "blf_"

_Static_assert(SECRET_HASH_SIZE <= crypto_generichash_BYTES_MAX, "BLAKE2b gives so many octets");
_Static_assert(SECRET_ID_SIZE ==
                       sodium_base64_ENCODED_LEN(SECRET_RANDOM_SIZE,
                                                 sodium_base64_VARIANT_URLSAFE_NO_PADDING),
               "the octets fit");
_Static_assert(SECRET_TOKEN_SIZE == SECRET_ID_SIZE + sizeof PREFIX - 1,
               "a token is an id with a prefix");

void secret_make_id(const uint8_t random[SECRET_RANDOM_SIZE], char ret_id[SECRET_ID_SIZE])
{
    (void) sodium_bin2base64(ret_id, SECRET_ID_SIZE, random, SECRET_RANDOM_SIZE,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void secret_make_token(const uint8_t random[SECRET_RANDOM_SIZE], char ret_token[SECRET_TOKEN_SIZE])
{
    memcpy(ret_token, PREFIX, sizeof PREFIX - 1);
    secret_make_id(random, ret_token + sizeof PREFIX - 1);
}

void secret_hash(const char *secret, uint8_t ret_hash[SECRET_HASH_SIZE])
{
    (void) crypto_generichash(ret_hash, SECRET_HASH_SIZE, (const unsigned char *) secret,
                              strlen(secret), NULL, 0); /* fails for sizes alone */
}

bool secret_is_equal(const uint8_t a[SECRET_HASH_SIZE], const uint8_t b[SECRET_HASH_SIZE])
{
    return sodium_memcmp(a, b, SECRET_HASH_SIZE) == 0;
}

void secret_wipe(void *secret, size_t size)
{
    sodium_memzero(secret, size);
}
