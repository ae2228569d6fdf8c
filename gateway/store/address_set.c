/* A map says who is in; an array says in which order. The array is a queue without wrap-around: its
 * used part moves back to the front before it would have to grow. */
#include "address_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"

#define FIRST_CAPACITY 64

static void make_room(struct address_set *s)
{
    if (s->first + s->count < s->capacity)
        return;
    if (s->first < s->capacity / 2 || s->capacity == 0) {
        s->capacity = s->capacity ? s->capacity * 2 : FIRST_CAPACITY;
        s->items = memory_resize(s->items, s->capacity, sizeof *s->items);
    }
    if (s->first > 0)
        memmove(s->items, s->items + s->first, s->count * sizeof *s->items);
    s->first = 0;
}

void address_set_init(struct address_set *s, size_t max, uint64_t seed)
{
    *s = (struct address_set){.members = map_new(seed), .max = max};
}

void address_set_done(struct address_set *s)
{
    map_free(s->members);
    free(s->items);
    *s = (struct address_set){0};
}

bool address_set_add(struct address_set *s, uint64_t address)
{
    if (address_set_has(s, address))
        return true;
    if (s->count == s->max)
        return false;
    make_room(s);
    s->items[s->first + s->count++] = address;
    map_put(s->members, address, s);
    return true;
}

bool address_set_has(const struct address_set *s, uint64_t address)
{
    return map_find(s->members, address) != NULL;
}

bool address_set_pop(struct address_set *s, uint64_t *ret_address)
{
    if (s->count == 0)
        return false;
    *ret_address = s->items[s->first++];
    s->count--;
    (void) map_take(s->members, *ret_address);
    if (s->count == 0)
        s->first = 0;
    return true;
}
