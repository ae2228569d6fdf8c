/* The story. A size is rounded up to its class: steps of 16 up to 256, above that four steps to
 * each power of two, so that less than a quarter is lost. A taker gets the block that was given
 * back last in that class (its cache lines are the warmest), else one is cut from the current
 * chunk. What is left of a chunk that is too short for the next block is lost until the end; a
 * block too large for an ordinary chunk gets a chunk of its own.
 *
 * Failure modes: no memory ends the process (memory.h). A block used after it was given back, or
 * past its end into the next one not yet taken, is seen by AddressSanitizer, which is told what is
 * free. */
#include "slab.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#if defined(WITH_ASAN) || defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, size)   ((void) (start), (void) (size))
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void) (start), (void) (size))
#endif

#define CHUNK_SIZE  ((size_t) 64 * 1024)
#define ALIGNMENT   16
#define SMALL_MAX   256 /* steps of ALIGNMENT up to here */
#define SMALL_COUNT (SMALL_MAX / ALIGNMENT)
#define CLASS_COUNT (SMALL_COUNT + 4 * 12) /* 256 << 12 is SLAB_BLOCK_MAX */

struct chunk {
    struct chunk *next;
    size_t size;
};

struct free_block {
    struct free_block *next;
};

struct slab {
    struct chunk *chunks; /* the current one first */
    uint8_t *rest;        /* of the current chunk */
    size_t rest_size;
    size_t bytes;
    struct free_block *free[CLASS_COUNT];
};

/* The class of a size, and the size that blocks of this class have. */
static size_t class_of(size_t size, size_t *ret_block_size)
{
    size_t octave = 0, step;

    assert(size > 0 && size <= SLAB_BLOCK_MAX);
    if (size <= SMALL_MAX) {
        *ret_block_size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        return *ret_block_size / ALIGNMENT - 1;
    }
    while ((size_t) SMALL_MAX << (octave + 1) < size)
        octave++;
    step = ((size_t) SMALL_MAX << octave) / 4;
    *ret_block_size = (size + step - 1) / step * step;
    return SMALL_COUNT + octave * 4 + (*ret_block_size / step - 5);
}

static uint8_t *add_chunk(struct slab *s, size_t size)
{
    struct chunk *c = memory_resize(NULL, 1, sizeof *c + size);

    c->next = s->chunks;
    c->size = sizeof *c + size;
    s->chunks = c;
    s->bytes += c->size;
    ASAN_POISON_MEMORY_REGION(c + 1, size);
    return (uint8_t *) (c + 1);
}

static void *cut(struct slab *s, size_t size)
{
    void *block;

    if (size > CHUNK_SIZE / 4)
        return add_chunk(s, size); /* its own; the current rest stays in use */
    if (s->rest_size < size) {
        s->rest_size = CHUNK_SIZE - sizeof(struct chunk);
        s->rest = add_chunk(s, s->rest_size);
    }
    block = s->rest;
    s->rest += size;
    s->rest_size -= size;
    return block;
}

struct slab *slab_new(void)
{
    _Static_assert(sizeof(struct chunk) % ALIGNMENT == 0, "blocks behind it are aligned");
    return xnew(struct slab, 1);
}

void slab_free(struct slab *s)
{
    struct chunk *next;

    if (!s)
        return;
    for (struct chunk *c = s->chunks; c; c = next) {
        next = c->next;
        ASAN_UNPOISON_MEMORY_REGION(c, c->size);
        free(c);
    }
    free(s);
}

void *slab_take(struct slab *s, size_t size)
{
    size_t block_size, class = class_of(size, &block_size);
    struct free_block *block = s->free[class];

    if (!block) {
        void *fresh = cut(s, block_size);

        ASAN_UNPOISON_MEMORY_REGION(fresh, size);
        return fresh;
    }
    ASAN_UNPOISON_MEMORY_REGION(block, size > sizeof *block ? size : sizeof *block);
    s->free[class] = block->next;
    return block;
}

void slab_give(struct slab *s, void *block, size_t size)
{
    size_t block_size, class;
    struct free_block *b = block;

    if (!block)
        return;
    class = class_of(size, &block_size);
    ASAN_UNPOISON_MEMORY_REGION(block, sizeof *b);
    b->next = s->free[class];
    s->free[class] = b;
    ASAN_POISON_MEMORY_REGION(block, block_size);
}

void *slab_resize(struct slab *s, void *block, size_t old_size, size_t new_size)
{
    void *fresh = slab_take(s, new_size);

    if (block)
        memcpy(fresh, block, old_size < new_size ? old_size : new_size);
    slab_give(s, block, old_size);
    return fresh;
}

size_t slab_bytes(const struct slab *s)
{
    return sizeof *s + s->bytes;
}
