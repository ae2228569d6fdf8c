/* A hash map from 64-bit keys to pointers. Open addressing; any key is allowed.
 *
 * It owns its slots and nothing that they point to. Growing moves the slots (the only allocation);
 * taking something out leaves no trace, so that a map of steady size allocates nothing. The seed,
 * when it is drawn at random, keeps peers who choose keys from choosing ones that collide. Thread:
 * the owner's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct map;

struct map *map_new(uint64_t seed);
/* NULL is allowed. */
void map_free(struct map *m);

/* Adds or replaces; value is not NULL. */
void map_put(struct map *m, uint64_t key, void *value);

/* Takes the key out. Its value, or NULL when it was not in. */
void *map_take(struct map *m, uint64_t key);

/* NULL: not in. */
void *map_find(const struct map *m, uint64_t key);

/* Asks the processor for the memory that map_find(key) will look at, and gives that place; the
 * second finds from there, as long as nothing was put in or taken since. */
size_t map_prefetch(const struct map *m, uint64_t key);
void *map_find_from(const struct map *m, size_t place, uint64_t key);

size_t map_count(const struct map *m);

/* Walks all values in no particular order: start with *position = 0; NULL at the end. The map must
 * not be changed meanwhile. */
void *map_next(const struct map *m, size_t *position);

size_t map_bytes(const struct map *m);
