/* What is known of devices through proxies, held in memory; each entry knows whether the file has
 * it.
 *
 * Bounded: of too many pairs the one put longest ago goes, those without a bond first. Thread: the
 * owner's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAIR_TABLE_MAX 8192

struct pair_table;

struct store_pair {
    uint64_t device, proxy; /* address and MAC */
    uint32_t mtu;           /* of the last link opened without cache; 0: none was */
    bool is_bonded;
};

/* seed: as of map_new. */
struct pair_table *pair_table_new(uint64_t seed);
void pair_table_free(struct pair_table *t); /* NULL is allowed */

/* NULL: nothing is known. Valid until the next change. */
const struct store_pair *pair_table_get(const struct pair_table *t, uint64_t device,
                                        uint64_t proxy);

/* As the file has it. */
void pair_table_load(struct pair_table *t, const struct store_pair *pair);

/* Without MTU and bond: the pair goes. is_kept: it is for the file as well. True when there is news
 * for the file. */
bool pair_table_put(struct pair_table *t, const struct store_pair *pair, bool is_kept);
/* All pairs of the device go. True as above. */
bool pair_table_drop_device(struct pair_table *t, uint64_t device);

/* Says that the file may not have this one; unknown ones are to go from it. */
void pair_table_mark(struct pair_table *t, uint64_t device, uint64_t proxy);

/* One that the file does not have, which from now on counts as had; without MTU and bond it is to
 * go from the file. False: the file has all. */
bool pair_table_take_dirty(struct pair_table *t, struct store_pair *ret_pair);
bool pair_table_is_dirty(const struct pair_table *t);
size_t pair_table_count(const struct pair_table *t);
