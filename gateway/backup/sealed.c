#include "sealed.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

static_assert(SEALED_SALT_SIZE == crypto_pwhash_SALTBYTES, "as libsodium wants it");
static_assert(SEALED_NONCE_SIZE == crypto_secretbox_NONCEBYTES, "as libsodium wants it");
static_assert(SEALED_OVERHEAD == crypto_secretbox_MACBYTES, "as libsodium wants it");

#define KEY_SIZE crypto_secretbox_KEYBYTES

static int make_key(const struct sealed *s, const char *passphrase, uint8_t ret_key[KEY_SIZE])
{
    int rc = crypto_pwhash(ret_key, KEY_SIZE, passphrase, strlen(passphrase), s->salt,
                           s->operations, (size_t) s->memory, crypto_pwhash_ALG_ARGON2ID13);

    return rc == 0 ? 0 : -ENOMEM;
}

static bool is_reasonable(const struct sealed *s)
{
    return s->operations >= crypto_pwhash_OPSLIMIT_MIN &&
           s->operations <= crypto_pwhash_OPSLIMIT_MODERATE &&
           s->memory >= crypto_pwhash_MEMLIMIT_MIN &&
           s->memory <= crypto_pwhash_MEMLIMIT_MODERATE &&
           buffer_size(&s->octets) >= SEALED_OVERHEAD;
}

void sealed_done(struct sealed *s)
{
    buffer_done(&s->octets);
    *s = (struct sealed){0};
}

int sealed_make(const char *passphrase, const void *data, size_t size, struct sealed *ret_sealed)
{
    uint8_t key[KEY_SIZE], *room;
    int rc;

    if (sodium_init() < 0)
        return -ENOSYS;
    *ret_sealed = (struct sealed){.operations = crypto_pwhash_OPSLIMIT_MODERATE,
                                  .memory = crypto_pwhash_MEMLIMIT_MODERATE};
    randombytes_buf(ret_sealed->salt, sizeof ret_sealed->salt);
    randombytes_buf(ret_sealed->nonce, sizeof ret_sealed->nonce);
    rc = make_key(ret_sealed, passphrase, key);
    if (rc < 0)
        return rc;
    room = buffer_reserve(&ret_sealed->octets, size + SEALED_OVERHEAD);
    (void) crypto_secretbox_easy(room, data, size, ret_sealed->nonce, key); /* cannot fail */
    buffer_commit(&ret_sealed->octets, size + SEALED_OVERHEAD);
    sodium_memzero(key, sizeof key);
    return 0;
}

int sealed_open(const struct sealed *s, const char *passphrase, struct buffer *ret_data)
{
    size_t size = buffer_size(&s->octets);
    uint8_t key[KEY_SIZE], *room;
    int rc;

    if (sodium_init() < 0)
        return -ENOSYS;
    if (!is_reasonable(s))
        return -ERANGE;
    rc = make_key(s, passphrase, key);
    if (rc < 0)
        return rc;
    room = buffer_reserve(ret_data, size - SEALED_OVERHEAD + 1); /* of nothing, too, some room */
    rc = crypto_secretbox_open_easy(room, buffer_front(&s->octets), size, s->nonce, key);
    if (rc == 0)
        buffer_commit(ret_data, size - SEALED_OVERHEAD);
    sodium_memzero(key, sizeof key);
    return rc == 0 ? 0 : -EACCES;
}
