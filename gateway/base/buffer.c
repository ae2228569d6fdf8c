#include "buffer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define FIRST_MIN ((size_t) 256)

void buffer_done(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}

uint8_t *buffer_grow(struct buffer *b, size_t size)
{
    if (b->start > 0) {
        memmove(b->data, b->data + b->start, buffer_size(b));
        b->end -= b->start;
        b->start = 0;
    }
    if (b->capacity - b->end < size || !b->data) {
        /* The first reservation knows best; what grows doubles. */
        size_t wanted = b->capacity ? b->capacity : size > FIRST_MIN ? size : FIRST_MIN;

        while (wanted - b->end < size)
            wanted *= 2;
        b->data = memory_resize(b->data, wanted, 1);
        b->capacity = wanted;
    }
    return b->data + b->end;
}

void buffer_commit(struct buffer *b, size_t size)
{
    assert(size <= b->capacity - b->end);
    b->end += size;
}

void buffer_append(struct buffer *b, const void *data, size_t size)
{
    if (size == 0)
        return;
    memcpy(buffer_reserve(b, size), data, size);
    b->end += size;
}

void buffer_append_text(struct buffer *b, const char *text)
{
    buffer_append(b, text, strlen(text));
}

void buffer_append_char(struct buffer *b, char c)
{
    *buffer_reserve(b, 1) = (uint8_t) c;
    b->end++;
}

void buffer_append_format(struct buffer *b, const char *format, ...)
{
    size_t room = 128;

    for (;;) {
        va_list arguments;
        int length;

        va_start(arguments, format);
        length = vsnprintf((char *) buffer_reserve(b, room), room, format, arguments);
        va_end(arguments);
        assert(length >= 0);
        if ((size_t) length < room) {
            b->end += (size_t) length;
            return;
        }
        room = (size_t) length + 1;
    }
}

void buffer_consume(struct buffer *b, size_t size)
{
    if (size >= buffer_size(b))
        buffer_clear(b);
    else
        b->start += size;
}

void buffer_clear(struct buffer *b)
{
    b->start = b->end = 0;
}

char *buffer_take_text(struct buffer *b)
{
    char *text;

    buffer_append_char(b, '\0');
    memmove(b->data, b->data + b->start, buffer_size(b));
    text = (char *) b->data;
    *b = (struct buffer){0};
    return text;
}
