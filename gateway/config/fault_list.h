/* Where in a document something is, and what is wrong there.
 *
 * A place is a link in a chain on the stack, from the value up to the whole document; it becomes
 * text only when there is a fault to report. Inside this room only. */
#pragma once

#include "base/buffer.h"
#include "config.h"

struct place {
    const struct place *parent; /* NULL: this is the whole document */
    const char *key;            /* NULL: an item of a list */
    size_t index;
};

/* Appends the JSON Pointer (RFC 6901) of the place. */
void place_append(struct buffer *out, const struct place *at);

/* Text of the file as it may stand in a sentence: without control characters, cut when long. */
struct quoted {
    char text[72];
};
struct quoted quote(const char *utf8);

/* Adds a fault, or counts it when there are CONFIG_FAULTS_MAX of them. The sentence must not hold a
 * secret. */
void fault_list_add(struct config_faults *faults, const struct place *at, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* The same at a place given as a dotted key ("http.listen"). */
void fault_list_add_key(struct config_faults *faults, const char *key, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
