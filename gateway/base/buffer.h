/* A growing run of octets: output waiting for a socket, a JSON text being written.
 *
 * The storage is the buffer's own. What is read is taken from the front; room is reused. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *data; /* ours */
    size_t start;  /* first octet not yet taken */
    size_t end;    /* behind the last octet */
    size_t capacity;
};

/* A buffer is valid when zeroed. buffer_done releases the storage and leaves it zeroed. */
void buffer_done(struct buffer *b);

/* Octets waiting, and where they begin (valid until the next change). */
static inline size_t buffer_size(const struct buffer *b)
{
    return b->end - b->start;
}
static inline const uint8_t *buffer_front(const struct buffer *b)
{
    return b->data ? b->data + b->start : NULL; /* arithmetic on NULL is undefined */
}

/* What buffer_reserve() does when there is no room; not to be called else. */
uint8_t *buffer_grow(struct buffer *b, size_t size);

/* Room for size more octets behind the end, to be written by the caller and then committed. */
static inline uint8_t *buffer_reserve(struct buffer *b, size_t size)
{
    return b->capacity - b->end >= size && b->data ? b->data + b->end : buffer_grow(b, size);
}
void buffer_commit(struct buffer *b, size_t size);

void buffer_append(struct buffer *b, const void *data, size_t size);
void buffer_append_text(struct buffer *b, const char *text);
void buffer_append_char(struct buffer *b, char c);
void buffer_append_format(struct buffer *b, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* Drops size octets (at most what is there) from the front. */
void buffer_consume(struct buffer *b, size_t size);

/* Forgets the content and keeps the storage. */
void buffer_clear(struct buffer *b);

/* Appends a NUL that does not count and hands the storage over; free() it. The buffer is empty
 * after it. Never NULL. */
char *buffer_take_text(struct buffer *b);
