/* What both roles of a session have under them: framer, codec, and the output that waits.
 *
 * Internal to this room; client_session.c and server_session.c stand on it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "esphome/framer.h"
#include "esphome/message.h"

/* A session's own answers may go this much beyond the limit for others; a peer that asks on and on
 * and does not read gets no more answers then. */
#define CHANNEL_RESERVE ((size_t) 65536)

struct channel {
    struct framer framer;
    struct arena arena; /* of the message that is being handled */
    struct buffer body; /* of the message that is being written */
    struct buffer output;
};

void channel_init(struct channel *c, enum framer_kind kind, size_t body_max);
void channel_done(struct channel *c);

/* Encodes and frames into the output. -EMSGSIZE: fits no frame. -ENOBUFS: limit octets or more wait
 * already; nothing is appended. */
int channel_send(struct channel *c, const struct message *message, size_t limit);

/* A sentence for people about a result of framer_next() that ends the stream. */
const char *channel_fault(enum framer_result result);

/* Replaces what is not printable ASCII, in place. */
void channel_make_printable(char *text);

/* A NUL-terminated printable copy of at most capacity - 1 octets. */
void channel_copy_printable(char *ret_text, size_t capacity, const void *data, size_t size);
