/* Octets to frames and back, plaintext or Noise (esphome-protocol 1.1, 1.2, 1.4).
 *
 * The input buffer is the framer's: the owner writes into its free space, says how much, and takes
 * frames until there are no more. A frame is a view into the buffer, valid until the next call of
 * framer_input(); what is encrypted is decrypted in place. A Noise framer gives the bodies of
 * frames as they are, until framer_secure() hands it the keys; from then on it gives messages.
 * Pure; thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "esphome/noise.h"

#define FRAMER_BODY_MAX      65535 /* what two octets of length can say; also the plaintext limit */
#define FRAMER_MESSAGE_MAX   (FRAMER_BODY_MAX - 4 - NOISE_TAG_SIZE) /* fits either framing */
#define FRAMER_SERVER_MAX    32768 /* what firmware accepts from a client */
#define FRAMER_HANDSHAKE_MAX 128   /* what firmware accepts before the keys are there */

/* The value is the first octet of each frame. */
enum framer_kind {
    FRAMER_PLAINTEXT,
    FRAMER_NOISE,
};

enum framer_result {
    FRAMER_MORE, /* the next frame is not complete */
    FRAMER_FRAME,
    /* the others are final: the stream cannot be read on */
    FRAMER_OTHER_KIND,  /* begins with the first octet of the other framing */
    FRAMER_FOREIGN,     /* begins with an octet that neither framing has */
    FRAMER_BAD_HEADER,  /* a length or a type of more than four octets */
    FRAMER_OVERSIZE,    /* longer than the limit */
    FRAMER_TAMPERED,    /* the tag is not right */
    FRAMER_BAD_MESSAGE, /* decrypted, but the inner header does not fit what is there */
};

struct framer_frame {
    uint32_t type; /* of the message; 0 in a Noise framer without keys */
    struct bytes body;
};

struct framer {
    enum framer_kind kind;
    size_t body_max;
    uint8_t *data; /* ours */
    size_t start, end, capacity;
    size_t wanted; /* size of the frame that begins at start, 0 when not known */
    bool is_secured;
    struct noise_cipher receiving, sending;
};

/* Frames with longer bodies (the ciphertext, in Noise) are OVERSIZE. Takes no memory yet. */
void framer_init(struct framer *f, enum framer_kind kind, size_t body_max);
/* Releases the buffer and wipes the keys. */
void framer_done(struct framer *f);

/* The keys of both directions (copied), and the limit from now on. */
void framer_secure(struct framer *f, const struct noise_cipher *receiving,
                   const struct noise_cipher *sending, size_t body_max);

/* Free space, at least one octet; then how much of it was filled. */
uint8_t *framer_input(struct framer *f, size_t *ret_size);
void framer_received(struct framer *f, size_t size);

/* The next frame. */
enum framer_result framer_next(struct framer *f, struct framer_frame *ret_frame);

/* What was received and not yet taken, for saying what was seen. */
struct bytes framer_pending(const struct framer *f);

/* Forgets what was received and not yet taken. */
void framer_clear(struct framer *f);

/* Appends one message as a frame: plaintext, or encrypted once there are keys. -EMSGSIZE when the
 * body is larger than FRAMER_MESSAGE_MAX. */
int framer_write(struct framer *f, struct buffer *output, uint32_t type, struct bytes body);

/* Appends one Noise frame without encryption, as the handshake has them: first (when not negative)
 * and then the rest of the body. */
void framer_write_handshake(struct buffer *output, int first, struct bytes rest);
