/* Many small allocations with one end: what a message was decoded into.
 *
 * Memory comes in chunks that grow; nothing is freed alone, everything at once with arena_reset().
 * An arena that serves one message after the other settles on one chunk and allocates no more.
 * Every arena has a limit, so that what a peer can make it hold is bounded. */
#pragma once

#include <stddef.h>

struct arena {
    struct arena_chunk *newest; /* ours; the older ones hang on it */
    size_t limit;               /* octets of all chunks together */
    size_t total;
};

/* Takes no memory yet. */
void arena_init(struct arena *a, size_t limit);

/* Frees everything; accepts a zeroed arena. */
void arena_done(struct arena *a);

/* Storage for any type, not zeroed, valid until the next reset. NULL when the limit is reached. */
void *arena_alloc(struct arena *a, size_t size);

/* All that was allocated becomes invalid. One chunk of moderate size is kept for the next turn. */
void arena_reset(struct arena *a);
