/* Chunks double from 2 KiB to 64 KiB and hang on one another, newest first; an allocation moves a
 * mark in the newest one. What is larger than a chunk gets one of its own size. When the limit
 * would be passed, the allocation fails and the arena stays as it is. */
#include "arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "memory.h"

#define CHUNK_FIRST ((size_t) 2048)
#define CHUNK_MAX   ((size_t) 65536)
#define KEEP_MAX    ((size_t) 32768) /* a larger chunk is given back on reset */

struct arena_chunk {
    struct arena_chunk *older;
    size_t capacity, used;
    _Alignas(max_align_t) uint8_t data[];
};

static size_t round_up(size_t size)
{
    const size_t unit = _Alignof(max_align_t);

    return (size + unit - 1) / unit * unit;
}

static bool add_chunk(struct arena *a, size_t size)
{
    size_t capacity = a->newest ? 2 * a->newest->capacity : CHUNK_FIRST;
    struct arena_chunk *chunk;

    if (capacity > CHUNK_MAX)
        capacity = CHUNK_MAX;
    if (capacity < size)
        capacity = size;
    if (capacity > a->limit - a->total)
        capacity = a->limit - a->total;
    if (capacity < size)
        return false;
    chunk = memory_resize(NULL, sizeof *chunk + capacity, 1);
    chunk->older = a->newest;
    chunk->capacity = capacity;
    chunk->used = 0;
    a->newest = chunk;
    a->total += capacity;
    return true;
}

static void free_chunks(struct arena *a, struct arena_chunk *first)
{
    while (first) {
        struct arena_chunk *older = first->older;

        a->total -= first->capacity;
        free(first);
        first = older;
    }
}

void arena_init(struct arena *a, size_t limit)
{
    *a = (struct arena){.limit = limit};
}

void arena_done(struct arena *a)
{
    free_chunks(a, a->newest);
    *a = (struct arena){0};
}

void *arena_alloc(struct arena *a, size_t size)
{
    void *p;

    if (size > a->limit)
        return NULL;
    size = round_up(size ? size : 1);
    if (!a->newest || a->newest->capacity - a->newest->used < size) {
        if (!add_chunk(a, size))
            return NULL;
    }
    p = a->newest->data + a->newest->used;
    a->newest->used += size;
    return p;
}

void arena_reset(struct arena *a)
{
    if (!a->newest)
        return;
    free_chunks(a, a->newest->older);
    a->newest->older = NULL;
    a->newest->used = 0;
    if (a->newest->capacity > KEEP_MAX) {
        free_chunks(a, a->newest);
        a->newest = NULL;
    }
}
