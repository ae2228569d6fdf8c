/* Messages on their way out, oldest first, in a bounded line. Pure.
 *
 * What waits for the broker and is not told again by itself waits here: answers, events, log lines.
 * When the line is full the oldest goes, and is counted. Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outbox_message {
    struct outbox_message *next; /* private */
    char *topic;                 /* ours, like all of them */
    char *payload;
    size_t size;
    uint8_t qos;
    bool is_retained;
    void *correlation; /* MQTT 5 Correlation Data; NULL: none */
    size_t correlation_size;
};

/* Takes over topic and payload. */
struct outbox_message *outbox_message_new(char *topic, char *payload, size_t size);
void outbox_message_free(struct outbox_message *m); /* accepts NULL */

/* What a message costs while it waits. */
size_t outbox_message_bytes(const struct outbox_message *m);

/* Set the two limits; valid when zeroed else. A single message may be larger than bytes_max. */
struct outbox {
    size_t count_max, bytes_max;
    struct outbox_message *first, *last;
    size_t count, bytes;
    uint64_t dropped;
};

/* Frees what waits; the limits and the counter stay. */
void outbox_clear(struct outbox *o);

/* Takes the message over. */
void outbox_push(struct outbox *o, struct outbox_message *m);

/* The oldest, which stays in line; NULL: none. */
struct outbox_message *outbox_first(const struct outbox *o);

/* Takes the oldest out, and hands it over. */
struct outbox_message *outbox_pop(struct outbox *o);
