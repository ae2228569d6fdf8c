/* The story. Most devices are heard by a few sources, some by dozens: the sightings are an array
 * that doubles. The source numbers stand together behind it, so that a search reads one cache line
 * instead of one for each source. It looks at four at once: nobody can foretell at which of three a
 * loop would end. What is not used of them says SIGHTING_NONE. */
#include "sightings.h"

#include <endian.h>
#include <string.h>

#define FIRST_CAPACITY 4 /* a multiple of what is searched at once */
#define AT_ONCE        4
#define EACH_LOWEST    UINT64_C(0x0001000100010001) /* bits of four numbers of 16 */
#define EACH_HIGHEST   UINT64_C(0x8000800080008000)

static size_t size_of(size_t capacity)
{
    return capacity * (sizeof(struct sighting) + sizeof(uint16_t));
}

static uint16_t *sources_of(const struct sightings *s)
{
    return (uint16_t *) (void *) (s->items + s->capacity);
}

void sightings_done(struct sightings *s, struct slab *memory)
{
    if (s->items)
        slab_give(memory, s->items, size_of(s->capacity));
    *s = (struct sightings){0};
}

uint16_t sightings_find(const struct sightings *s, uint16_t source)
{
    for (unsigned i = 0; i < s->count; i += AT_ONCE) {
        uint64_t four, equal;

        memcpy(&four, sources_of(s) + i, sizeof four);
        four = le64toh(four) ^ source * EACH_LOWEST;
        equal = (four - EACH_LOWEST) & ~four & EACH_HIGHEST; /* the lowest one is right */
        if (equal)
            return (uint16_t) (i + (unsigned) __builtin_ctzll(equal) / 16);
    }
    return SIGHTING_NONE;
}

/* Apart, so that hearing a device again saves no registers for it. */
__attribute__((noinline)) static void grow(struct sightings *s, struct slab *memory)
{
    struct sightings wider = {
            .count = s->count,
            .capacity = s->capacity ? (uint16_t) (s->capacity * 2) : FIRST_CAPACITY,
    };

    wider.items = slab_take(memory, size_of(wider.capacity));
    memset(sources_of(&wider), 0xff, wider.capacity * sizeof(uint16_t));
    if (s->count > 0) {
        memcpy(wider.items, s->items, s->count * sizeof *s->items);
        memcpy(sources_of(&wider), sources_of(s), s->count * sizeof(uint16_t));
    }
    sightings_done(s, memory);
    *s = wider;
}

uint16_t sightings_add(struct sightings *s, struct slab *memory, uint16_t source)
{
    if (s->count == s->capacity)
        grow(s, memory);
    s->items[s->count] = (struct sighting){0};
    sources_of(s)[s->count] = source;
    return s->count++;
}

void sightings_remove(struct sightings *s, uint16_t index)
{
    uint16_t *sources = sources_of(s);
    size_t behind = (size_t) (s->count - index - 1);

    memmove(s->items + index, s->items + index + 1, behind * sizeof *s->items);
    memmove(sources + index, sources + index + 1, behind * sizeof *sources);
    s->count--;
    sources[s->count] = SIGHTING_NONE;
}

uint16_t sightings_source(const struct sightings *s, uint16_t index)
{
    return sources_of(s)[index];
}
