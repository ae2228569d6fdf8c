/* Memory in blocks: many small blocks of a few sizes, cut from large chunks.
 *
 * Blocks that are given back wait in a list of their size for the next taker, so that a table that
 * has reached its size allocates nothing more. Chunks go back to the system only with the slab. The
 * caller remembers the size of each block. Thread: the owner's. */
#pragma once

#include <stddef.h>

#define SLAB_BLOCK_MAX ((size_t) 1 << 20)

struct slab;

struct slab *slab_new(void);
/* All blocks go with it. NULL is allowed. */
void slab_free(struct slab *s);

/* At least size octets (1 to SLAB_BLOCK_MAX), aligned to 16, not zeroed; never NULL. */
void *slab_take(struct slab *s, size_t size);

/* size as it was asked for; block NULL is allowed. */
void slab_give(struct slab *s, void *block, size_t size);

/* A block of new_size with the first octets of the old one, which is given back (NULL: none yet).
 */
void *slab_resize(struct slab *s, void *block, size_t old_size, size_t new_size);

/* What the slab holds of the system's memory, used or waiting. */
size_t slab_bytes(const struct slab *s);
