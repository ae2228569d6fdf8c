/* Messages to protobuf bodies and back, through protobuf-c, for every number of message.h.
 *
 * Message 93 is written here too, but read in batches by advertisements.h. Generated code stops in
 * codec.c. Pure; thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "esphome/message.h"

/* What one message may take in the arena while it is read, both forms together. */
#define CODEC_ARENA_MAX ((size_t) 1 << 20)

/* What a message may repeat; more is an offence. ATT has 65,535 handles, but a body has no more
 * than 65,535 octets, and no device comes near these. */
#define CODEC_SERVICES_MAX        256
#define CODEC_CHARACTERISTICS_MAX 512  /* of a service */
#define CODEC_DESCRIPTORS_MAX     64   /* of a characteristic */
#define CODEC_ALLOCATED_MAX       4096 /* a fleet that looks like one proxy has many slots */
#define CODEC_PARSED_MAX          64   /* elements of one kind in message 67 */

enum codec_role { CODEC_CLIENT = 1, CODEC_SERVER = 2 };

/* True when the number is known and a peer of that role sends it. */
bool codec_is_sent_by(enum codec_role role, uint32_t type);

/* Reads a body. What *ret_message points to lives in the arena (which must have a limit) or in the
 * body. -ENOTSUP: the number is not known (or 93). E_PROTOCOL: malformed, or over a limit. */
int codec_decode(uint32_t type, struct bytes body, struct arena *arena,
                 struct message *ret_message);

/* Appends the body. -EMSGSIZE when it is larger than any frame; nothing is appended then. */
int codec_encode(const struct message *message, struct buffer *buffer);
