/* The pattern is `-> psk, e` and `<- e, ee`. Each message moves the symmetric state on: a token
 * mixes what both sides know into the hash h, the chaining key ck and the cipher key k, and the tag
 * at its end proves that both did so with the same psk and prologue. In a psk pattern the token e
 * is mixed into the key as well as into the hash. Two keys are split off at the end.
 *
 * What can go wrong is a tag (other psk, other prologue, forged octets) or a public key of low
 * order, with which the shared secret would be zero. Both are answers, and the session ends with
 * them. */
#include "noise.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

static const char protocol_name[] = "Noise_NNpsk0_25519_ChaChaPoly_SHA256";
static const char prologue_label[] = "NoiseAPIInit";

static_assert(NOISE_KEY_SIZE == crypto_scalarmult_BYTES, "X25519");
static_assert(NOISE_KEY_SIZE == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "ChaChaPoly");
static_assert(NOISE_TAG_SIZE == crypto_aead_chacha20poly1305_ietf_ABYTES, "ChaChaPoly");
static_assert(NOISE_HASH_SIZE == crypto_hash_sha256_BYTES, "SHA256");

static void hmac(uint8_t ret_mac[NOISE_HASH_SIZE], const uint8_t key[NOISE_HASH_SIZE],
                 const uint8_t *data, size_t size, const uint8_t *suffix)
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, key, NOISE_HASH_SIZE);
    crypto_auth_hmacsha256_update(&state, data, size);
    if (suffix)
        crypto_auth_hmacsha256_update(&state, suffix, 1);
    crypto_auth_hmacsha256_final(&state, ret_mac);
    sodium_memzero(&state, sizeof state);
}

/* HKDF of the Noise specification, 4.3: count outputs (at most 3), one behind the other. */
static void hkdf(const uint8_t ck[NOISE_HASH_SIZE], const uint8_t *data, size_t size,
                 uint8_t *ret_outputs, uint8_t count)
{
    uint8_t key[NOISE_HASH_SIZE], input[NOISE_HASH_SIZE];
    size_t input_size = 0;

    hmac(key, ck, data, size, NULL);
    for (uint8_t i = 1; i <= count; i++) {
        hmac(ret_outputs, key, input, input_size, &i);
        memcpy(input, ret_outputs, NOISE_HASH_SIZE);
        input_size = NOISE_HASH_SIZE;
        ret_outputs += NOISE_HASH_SIZE;
    }
    sodium_memzero(key, sizeof key);
    sodium_memzero(input, sizeof input);
}

/* Four zero octets and the counter, least significant octet first. */
static void make_nonce(uint8_t ret_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES],
                       uint64_t counter)
{
    memset(ret_nonce, 0, 4);
    for (int i = 0; i < 8; i++)
        ret_nonce[4 + i] = (uint8_t) (counter >> (8 * i));
}

static void set_key(struct noise_symmetric *s, const uint8_t key[NOISE_KEY_SIZE])
{
    memcpy(s->k, key, NOISE_KEY_SIZE);
    s->n = 0;
    s->has_key = true;
}

/* The token e, of either side. */
static void mix_ephemeral(struct noise_symmetric *s, const uint8_t public_key[NOISE_KEY_SIZE])
{
    noise_mix_hash(s, public_key, NOISE_KEY_SIZE);
    noise_mix_key(s, public_key, NOISE_KEY_SIZE);
}

/* The token ee. */
static int mix_shared(struct noise_handshake *hs)
{
    uint8_t shared[NOISE_KEY_SIZE];

    if (crypto_scalarmult(shared, hs->e_private, hs->peer_public) != 0)
        return -EINVAL;
    noise_mix_key(&hs->symmetric, shared, sizeof shared);
    sodium_memzero(shared, sizeof shared);
    return 0;
}

void noise_initialize(struct noise_symmetric *s)
{
    *s = (struct noise_symmetric){0};
    crypto_hash_sha256(s->h, (const uint8_t *) protocol_name, sizeof protocol_name - 1);
    memcpy(s->ck, s->h, sizeof s->ck);
}

void noise_mix_hash(struct noise_symmetric *s, const uint8_t *data, size_t size)
{
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, s->h, sizeof s->h);
    crypto_hash_sha256_update(&state, data, size);
    crypto_hash_sha256_final(&state, s->h);
}

void noise_mix_key(struct noise_symmetric *s, const uint8_t *data, size_t size)
{
    uint8_t outputs[2 * NOISE_HASH_SIZE];

    hkdf(s->ck, data, size, outputs, 2);
    memcpy(s->ck, outputs, NOISE_HASH_SIZE);
    set_key(s, outputs + NOISE_HASH_SIZE);
    sodium_memzero(outputs, sizeof outputs);
}

void noise_mix_key_and_hash(struct noise_symmetric *s, const uint8_t *data, size_t size)
{
    uint8_t outputs[3 * NOISE_HASH_SIZE];

    hkdf(s->ck, data, size, outputs, 3);
    memcpy(s->ck, outputs, NOISE_HASH_SIZE);
    noise_mix_hash(s, outputs + NOISE_HASH_SIZE, NOISE_HASH_SIZE);
    set_key(s, outputs + 2 * NOISE_HASH_SIZE);
    sodium_memzero(outputs, sizeof outputs);
}

void noise_seal_empty(struct noise_symmetric *s, uint8_t ret_tag[NOISE_TAG_SIZE])
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

    assert(s->has_key);
    make_nonce(nonce, s->n++);
    crypto_aead_chacha20poly1305_ietf_encrypt(ret_tag, NULL, NULL, 0, s->h, sizeof s->h, NULL,
                                              nonce, s->k);
    noise_mix_hash(s, ret_tag, NOISE_TAG_SIZE);
}

bool noise_open_empty(struct noise_symmetric *s, const uint8_t tag[NOISE_TAG_SIZE])
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES], nothing[1];

    assert(s->has_key);
    make_nonce(nonce, s->n);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(nothing, NULL, NULL, tag, NOISE_TAG_SIZE, s->h,
                                                  sizeof s->h, nonce, s->k) != 0)
        return false;
    s->n++;
    noise_mix_hash(s, tag, NOISE_TAG_SIZE);
    return true;
}

void noise_start(struct noise_handshake *hs, const uint8_t psk[NOISE_KEY_SIZE],
                 const uint8_t ephemeral[NOISE_KEY_SIZE], struct bytes client_hello)
{
    uint8_t prologue[sizeof prologue_label - 1 + 2 + UINT8_MAX];
    uint8_t *p = prologue;

    assert(client_hello.size <= UINT8_MAX);
    if (sodium_init() < 0) /* chooses the fast code for this processor; cheap when repeated */
        abort();
    memcpy(p, prologue_label, sizeof prologue_label - 1);
    p += sizeof prologue_label - 1;
    *p++ = 0;
    *p++ = (uint8_t) client_hello.size;
    if (client_hello.size > 0)
        memcpy(p, client_hello.data, client_hello.size);
    p += client_hello.size;

    noise_initialize(&hs->symmetric);
    noise_mix_hash(&hs->symmetric, prologue, (size_t) (p - prologue));
    memcpy(hs->psk, psk, sizeof hs->psk);
    memcpy(hs->e_private, ephemeral, sizeof hs->e_private);
    crypto_scalarmult_base(hs->e_public, hs->e_private);
    memset(hs->peer_public, 0, sizeof hs->peer_public);
}

void noise_write_first(struct noise_handshake *hs, uint8_t ret_message[NOISE_MESSAGE_SIZE])
{
    noise_mix_key_and_hash(&hs->symmetric, hs->psk, sizeof hs->psk);
    mix_ephemeral(&hs->symmetric, hs->e_public);
    memcpy(ret_message, hs->e_public, NOISE_KEY_SIZE);
    noise_seal_empty(&hs->symmetric, ret_message + NOISE_KEY_SIZE);
}

int noise_read_first(struct noise_handshake *hs, const uint8_t message[NOISE_MESSAGE_SIZE])
{
    memcpy(hs->peer_public, message, NOISE_KEY_SIZE);
    noise_mix_key_and_hash(&hs->symmetric, hs->psk, sizeof hs->psk);
    mix_ephemeral(&hs->symmetric, hs->peer_public);
    return noise_open_empty(&hs->symmetric, message + NOISE_KEY_SIZE) ? 0 : -EBADMSG;
}

int noise_write_second(struct noise_handshake *hs, uint8_t ret_message[NOISE_MESSAGE_SIZE])
{
    mix_ephemeral(&hs->symmetric, hs->e_public);
    if (mix_shared(hs) != 0)
        return -EINVAL;
    memcpy(ret_message, hs->e_public, NOISE_KEY_SIZE);
    noise_seal_empty(&hs->symmetric, ret_message + NOISE_KEY_SIZE);
    return 0;
}

int noise_read_second(struct noise_handshake *hs, const uint8_t message[NOISE_MESSAGE_SIZE])
{
    memcpy(hs->peer_public, message, NOISE_KEY_SIZE);
    mix_ephemeral(&hs->symmetric, hs->peer_public);
    if (mix_shared(hs) != 0)
        return -EINVAL;
    return noise_open_empty(&hs->symmetric, message + NOISE_KEY_SIZE) ? 0 : -EBADMSG;
}

void noise_split(struct noise_handshake *hs, struct noise_cipher *ret_client_to_server,
                 struct noise_cipher *ret_server_to_client)
{
    uint8_t outputs[2 * NOISE_HASH_SIZE];

    hkdf(hs->symmetric.ck, NULL, 0, outputs, 2);
    memcpy(ret_client_to_server->key, outputs, NOISE_KEY_SIZE);
    memcpy(ret_server_to_client->key, outputs + NOISE_KEY_SIZE, NOISE_KEY_SIZE);
    ret_client_to_server->counter = ret_server_to_client->counter = 0;
    sodium_memzero(outputs, sizeof outputs);
    sodium_memzero(hs, sizeof *hs);
}

void noise_encrypt(struct noise_cipher *c, uint8_t *data, size_t size)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

    make_nonce(nonce, c->counter++);
    crypto_aead_chacha20poly1305_ietf_encrypt(data, NULL, data, size, NULL, 0, NULL, nonce, c->key);
}

bool noise_decrypt(struct noise_cipher *c, uint8_t *data, size_t size)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

    if (size < NOISE_TAG_SIZE)
        return false;
    make_nonce(nonce, c->counter++);
    return crypto_aead_chacha20poly1305_ietf_decrypt(data, NULL, NULL, data, size, NULL, 0, nonce,
                                                     c->key) == 0;
}

void noise_wipe(void *secret, size_t size)
{
    sodium_memzero(secret, size);
}
