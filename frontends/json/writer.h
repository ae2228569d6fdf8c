/* Writes JSON text. The only place where JSON is formatted.
 *
 * Every value function takes the key first; the key is NULL inside arrays and for the outermost
 * value. Keys are ours (plain ASCII, nothing to escape). Texts may hold anything: what is not UTF-8
 * becomes U+FFFD, control characters (NUL too) are escaped, so that the result is valid whatever a
 * device calls itself. Pure; no allocation beyond the growth of the buffer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Valid when zeroed. */
struct writer {
    struct buffer text; /* what was written so far; take it with buffer_take_text() */
    bool needs_comma;
};

/* Releases the text if nobody took it. */
void writer_done(struct writer *w);

void writer_begin_object(struct writer *w, const char *key);
void writer_end_object(struct writer *w);
void writer_begin_array(struct writer *w, const char *key);
void writer_end_array(struct writer *w);

void writer_null(struct writer *w, const char *key);
void writer_bool(struct writer *w, const char *key, bool value);
void writer_integer(struct writer *w, const char *key, int64_t value);
void writer_unsigned(struct writer *w, const char *key, uint64_t value);

/* Rounded to that many decimals (0..6), without trailing zeros. What is not finite is null. */
void writer_number(struct writer *w, const char *key, double value, int decimals);

/* NULL is null. */
void writer_text(struct writer *w, const char *key, const char *text);
void writer_text_sized(struct writer *w, const char *key, const void *text, size_t size);

/* What is JSON text already, as it is. */
void writer_json(struct writer *w, const char *key, const char *json, size_t size);

/* Lower-case hex. */
void writer_hex(struct writer *w, const char *key, const uint8_t *data, size_t size);

/* RFC 3339 with milliseconds; wall is microseconds since 1970. */
void writer_time(struct writer *w, const char *key, int64_t wall);

/* "AA:BB:CC:DD:EE:FF". */
void writer_address(struct writer *w, const char *key, uint64_t address);
