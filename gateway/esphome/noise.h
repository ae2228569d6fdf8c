/* Noise_NNpsk0_25519_ChaChaPoly_SHA256 as the native API uses it: the handshake of both roles and
 * the ciphers that come out of it (esphome-protocol 1.2).
 *
 * Ephemeral private keys are arguments: nothing here draws a random number. Both handshake messages
 * have an empty payload. This is the one home of libsodium in the room. Pure; thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define NOISE_KEY_SIZE     32
#define NOISE_HASH_SIZE    32
#define NOISE_TAG_SIZE     16
#define NOISE_MESSAGE_SIZE (NOISE_KEY_SIZE + NOISE_TAG_SIZE) /* either handshake message */

/* The SymmetricState of the Noise specification, 5.2, with its CipherState. */
struct noise_symmetric {
    uint8_t h[NOISE_HASH_SIZE], ck[NOISE_HASH_SIZE], k[NOISE_KEY_SIZE];
    uint64_t n;
    bool has_key;
};

struct noise_handshake {
    struct noise_symmetric symmetric;
    uint8_t psk[NOISE_KEY_SIZE];
    uint8_t e_private[NOISE_KEY_SIZE], e_public[NOISE_KEY_SIZE], peer_public[NOISE_KEY_SIZE];
};

/* One direction of the secured transport. */
struct noise_cipher {
    uint8_t key[NOISE_KEY_SIZE];
    uint64_t counter; /* never wraps: a session ends long before */
};

/* The operations of the specification, for the handshake below and for tests that follow it token
 * by token. Payloads are empty, so that sealing yields a tag alone. */
void noise_initialize(struct noise_symmetric *s);
void noise_mix_hash(struct noise_symmetric *s, const uint8_t *data, size_t size);
void noise_mix_key(struct noise_symmetric *s, const uint8_t *data, size_t size);
void noise_mix_key_and_hash(struct noise_symmetric *s, const uint8_t *data, size_t size);
void noise_seal_empty(struct noise_symmetric *s, uint8_t ret_tag[NOISE_TAG_SIZE]);
bool noise_open_empty(struct noise_symmetric *s, const uint8_t tag[NOISE_TAG_SIZE]);

/* Begins either role. client_hello is the body of the client's first frame: it is in the prologue.
 */
void noise_start(struct noise_handshake *hs, const uint8_t psk[NOISE_KEY_SIZE],
                 const uint8_t ephemeral[NOISE_KEY_SIZE], struct bytes client_hello);

/* Initiator: write_first, read_second, split. Responder: read_first, write_second, split.
 * -EBADMSG: the other side has another key or another prologue. -EINVAL: its public key is of low
 * order. */
void noise_write_first(struct noise_handshake *hs, uint8_t ret_message[NOISE_MESSAGE_SIZE]);
int noise_read_first(struct noise_handshake *hs, const uint8_t message[NOISE_MESSAGE_SIZE]);
int noise_write_second(struct noise_handshake *hs, uint8_t ret_message[NOISE_MESSAGE_SIZE]);
int noise_read_second(struct noise_handshake *hs, const uint8_t message[NOISE_MESSAGE_SIZE]);

/* The transport keys. Wipes the handshake. */
void noise_split(struct noise_handshake *hs, struct noise_cipher *ret_client_to_server,
                 struct noise_cipher *ret_server_to_client);

/* In place; behind the size octets is room for the tag. */
void noise_encrypt(struct noise_cipher *c, uint8_t *data, size_t size);

/* In place. size includes the tag; false when it is not right, and the session must end. */
bool noise_decrypt(struct noise_cipher *c, uint8_t *data, size_t size);

/* Overwrites in a way that the compiler does not leave out. */
void noise_wipe(void *secret, size_t size);
