/* A bounded set of addresses that is filled one by one and emptied in the order of filling.
 *
 * Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map;

struct address_set {
    struct map *members; /* address -> anything */
    uint64_t *items;     /* in order, from first on */
    size_t first, count, capacity, max;
};

/* seed: as of map_new. */
void address_set_init(struct address_set *s, size_t max, uint64_t seed);
void address_set_done(struct address_set *s);

/* False: it is full and the address is not in. */
bool address_set_add(struct address_set *s, uint64_t address);
bool address_set_has(const struct address_set *s, uint64_t address);

/* Takes the one that has been in for longest; false when it is empty. */
bool address_set_pop(struct address_set *s, uint64_t *ret_address);
