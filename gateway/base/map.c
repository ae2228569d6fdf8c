/* The story. A key hashes to a slot; if that is taken by another key, the next free one behind it
 * is used (linear probing: the neighbours are in the same cache line). At three quarters full the
 * slots double. Taking a key out closes the gap: entries behind it that would no longer be found
 * from their own slot move forward, so there are no tombstones to clean up.
 *
 * Failure modes: none but memory (memory.h). */
#include "map.h"

#include <assert.h>
#include <stdlib.h>

#include "memory.h"

#define FIRST_CAPACITY 16

struct slot {
    uint64_t key;
    void *value; /* NULL: free */
};

struct map {
    struct slot *slots;
    size_t mask; /* capacity - 1; the capacity is a power of two */
    size_t count;
    uint64_t seed;
};

static size_t home(const struct map *m, uint64_t key)
{
    uint64_t h = (key ^ m->seed) * 0x9e3779b97f4a7c15u;

    h = (h ^ h >> 32 ^ m->seed >> 7) * 0xd6e8feb86659fd93u;
    return (size_t) (h ^ h >> 32) & m->mask;
}

/* The slot of the key, or the free one where it belongs. */
__attribute__((always_inline)) static inline struct slot *locate_from(const struct map *m, size_t i,
                                                                      uint64_t key)
{
    while (m->slots[i].value && m->slots[i].key != key)
        i = (i + 1) & m->mask;
    return &m->slots[i];
}

static struct slot *locate(const struct map *m, uint64_t key)
{
    return locate_from(m, home(m, key), key);
}

static void grow(struct map *m)
{
    struct slot *old = m->slots;
    size_t old_capacity = m->mask + 1;

    m->slots = xnew(struct slot, old_capacity * 2);
    m->mask = old_capacity * 2 - 1;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].value)
            *locate(m, old[i].key) = old[i];
    }
    free(old);
}

/* Fills the gap with later entries of the same run that may stand there. */
static void close_gap(struct map *m, size_t gap)
{
    for (size_t i = (gap + 1) & m->mask; m->slots[i].value; i = (i + 1) & m->mask) {
        size_t want = home(m, m->slots[i].key);

        if (((i - want) & m->mask) >= ((i - gap) & m->mask)) {
            m->slots[gap] = m->slots[i];
            gap = i;
        }
    }
    m->slots[gap].value = NULL;
}

struct map *map_new(uint64_t seed)
{
    struct map *m = xnew(struct map, 1);

    m->slots = xnew(struct slot, FIRST_CAPACITY);
    m->mask = FIRST_CAPACITY - 1;
    m->seed = seed;
    return m;
}

void map_free(struct map *m)
{
    if (!m)
        return;
    free(m->slots);
    free(m);
}

void map_put(struct map *m, uint64_t key, void *value)
{
    struct slot *slot = locate(m, key);

    assert(value);
    if (!slot->value) {
        if ((m->count + 1) * 4 > (m->mask + 1) * 3) {
            grow(m);
            slot = locate(m, key);
        }
        m->count++;
    }
    slot->key = key;
    slot->value = value;
}

void *map_take(struct map *m, uint64_t key)
{
    struct slot *slot = locate(m, key);
    void *value = slot->value;

    if (!value)
        return NULL;
    close_gap(m, (size_t) (slot - m->slots));
    m->count--;
    return value;
}

void *map_find(const struct map *m, uint64_t key)
{
    return locate(m, key)->value;
}

size_t map_prefetch(const struct map *m, uint64_t key)
{
    size_t place = home(m, key);

    __builtin_prefetch(&m->slots[place]);
    return place;
}

void *map_find_from(const struct map *m, size_t place, uint64_t key)
{
    return locate_from(m, place, key)->value;
}

size_t map_count(const struct map *m)
{
    return m->count;
}

void *map_next(const struct map *m, size_t *position)
{
    while (*position <= m->mask) {
        void *value = m->slots[(*position)++].value;

        if (value)
            return value;
    }
    return NULL;
}

size_t map_bytes(const struct map *m)
{
    return sizeof *m + (m->mask + 1) * sizeof *m->slots;
}
