/* The story. A discovery that ended makes an entry of the device, which shares the layout (the tree
 * and what follows from it) with all entries of equal trees: a map finds it by the hash of its
 * packed form, and a comparison decides. What a proxy proved is a short row in the entry. Whoever
 * is found, discovered or worked with moves to the front of the line; who stands at its end goes
 * when there are too many.
 *
 * Failure modes. A discovery without services is none. One that differs takes the place of what was
 * known, and nothing is proved but the proxy that made it. A doubt takes the entry with all its
 * pairs. Two layouts of equal hash (somebody made them so) are not mixed up: the second one is not
 * shared. The house is told when all is done, so that what it hears is true already. */
#include "gatt/gatt_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/map.h"
#include "base/memory.h"

struct layout {
    struct gatt_tree *tree;
    uint64_t fingerprint;
    size_t users;   /* entries */
    bool is_shared; /* the map leads to it */
    bool can_hash, can_change;
};

struct pair {
    uint16_t source;
    uint16_t mtu; /* 0: not known */
};

struct entry {
    uint64_t address;
    struct layout *layout;
    bool has_hash;
    uint8_t hash[GATT_HASH_SIZE];
    int64_t updated;
    usec_t checked; /* when the hash was compared last; 0: not in this run */
    size_t pairs_count, pairs_capacity;
    struct pair *pairs;          /* the one that worked last at the end */
    struct entry *newer, *older; /* by use */
};

struct gatt_cache {
    size_t entries_max;
    struct gatt_cache_callbacks callbacks;
    struct map *entries; /* address -> entry */
    struct map *layouts; /* fingerprint -> layout */
    struct entry *newest, *oldest;
    size_t trees, tree_bytes, pair_bytes;
    uint64_t hits, misses, evicted;
    uint64_t doubts[GATT_DOUBT_ASKED + 1];
};

/* ---- layouts ---- */

static uint64_t fingerprint_of(const struct gatt_tree *tree)
{
    size_t size;
    uint8_t *packed AUTO_FREE = gatt_tree_pack(tree, &size);

    return bytes_hash(packed, size);
}

static bool has_characteristic(const struct gatt_tree *tree, uint16_t number)
{
    const struct ble_uuid uuid = ble_uuid_from_short(number);

    return gatt_tree_next(tree, &uuid, NULL) != NULL;
}

static size_t layout_bytes(const struct layout *layout)
{
    size_t count;

    (void) gatt_tree_entries(layout->tree, &count);
    return sizeof *layout + count * sizeof(struct gatt_entry);
}

static struct layout *add_layout(struct gatt_cache *c, struct gatt_tree *tree, uint64_t fingerprint)
{
    struct layout *layout = xnew(struct layout, 1);

    *layout = (struct layout){
            .tree = gatt_tree_hold(tree),
            .fingerprint = fingerprint,
            .users = 1,
            .is_shared = !map_find(c->layouts, fingerprint),
            .can_hash = has_characteristic(tree, GATT_UUID_DATABASE_HASH),
            .can_change = has_characteristic(tree, GATT_UUID_SERVICE_CHANGED),
    };
    if (layout->is_shared)
        map_put(c->layouts, fingerprint, layout);
    c->trees++;
    c->tree_bytes += layout_bytes(layout);
    return layout;
}

/* The layout of this tree, with one user more. */
static struct layout *use_layout(struct gatt_cache *c, struct gatt_tree *tree)
{
    uint64_t fingerprint = fingerprint_of(tree);
    struct layout *layout = map_find(c->layouts, fingerprint);

    if (!layout || !gatt_tree_equal(layout->tree, tree))
        return add_layout(c, tree, fingerprint);
    layout->users++;
    return layout;
}

static void leave_layout(struct gatt_cache *c, struct layout *layout)
{
    if (--layout->users > 0)
        return;
    if (layout->is_shared)
        (void) map_take(c->layouts, layout->fingerprint);
    c->trees--;
    c->tree_bytes -= layout_bytes(layout);
    gatt_tree_release(layout->tree);
    free(layout);
}

/* ---- telling ---- */

/* now: as is_check_due is to be judged. */
static struct gatt_known known_of(const struct entry *e, usec_t now)
{
    const struct layout *layout = e->layout;
    bool is_checked = e->checked > 0 && clock_since(e->checked, now) < GATT_CACHE_CHECK_AFTER;
    struct gatt_known known = {
            .tree = layout->tree,
            .has_hash = e->has_hash,
            .updated = e->updated,
            .can_hash = layout->can_hash,
            .can_change = layout->can_change,
            .is_check_due = layout->can_hash && !is_checked,
    };

    memcpy(known.hash, e->hash, sizeof known.hash);
    return known;
}

static void tell_entry(const struct gatt_cache *c, const struct entry *e)
{
    const struct gatt_known known = known_of(e, e->checked);

    if (c->callbacks.on_entry)
        c->callbacks.on_entry(c->callbacks.user, e->address, &known);
}

static void tell_gone(const struct gatt_cache *c, uint64_t address)
{
    if (c->callbacks.on_entry)
        c->callbacks.on_entry(c->callbacks.user, address, NULL);
}

static void tell_pair(const struct gatt_cache *c, uint64_t address, struct pair pair,
                      bool is_proved)
{
    if (c->callbacks.on_pair)
        c->callbacks.on_pair(c->callbacks.user, address, pair.source, is_proved,
                             is_proved ? pair.mtu : 0);
}

/* ---- pairs ---- */

/* The number of pairs when there is none. */
static size_t pair_index(const struct entry *e, uint16_t source)
{
    size_t i = 0;

    while (i < e->pairs_count && e->pairs[i].source != source)
        i++;
    return i;
}

static void remove_pair(struct entry *e, size_t index)
{
    e->pairs_count--;
    memmove(&e->pairs[index], &e->pairs[index + 1], (e->pairs_count - index) * sizeof e->pairs[0]);
}

static void append_pair(struct gatt_cache *c, struct entry *e, struct pair pair)
{
    if (e->pairs_count == e->pairs_capacity) {
        c->pair_bytes -= e->pairs_capacity * sizeof e->pairs[0];
        e->pairs_capacity = e->pairs_capacity > 0 ? e->pairs_capacity * 2 : 2;
        e->pairs = memory_resize(e->pairs, e->pairs_capacity, sizeof e->pairs[0]);
        c->pair_bytes += e->pairs_capacity * sizeof e->pairs[0];
    }
    e->pairs[e->pairs_count++] = pair;
}

/* An MTU is a number of 16 bits; what a proxy says beyond is not known. */
static uint16_t sane_mtu(uint32_t mtu)
{
    return mtu <= UINT16_MAX ? (uint16_t) mtu : 0;
}

static void unprove(struct gatt_cache *c, struct entry *e, size_t index)
{
    const struct pair pair = e->pairs[index];

    remove_pair(e, index);
    tell_pair(c, e->address, pair, false);
}

/* All but that of the source in one; UINT32_MAX: all. */
static void unprove_others(struct gatt_cache *c, struct entry *e, uint32_t but)
{
    for (size_t i = e->pairs_count; i-- > 0;) {
        if (e->pairs[i].source != but)
            unprove(c, e, i);
    }
}

static void prove(struct gatt_cache *c, struct entry *e, uint16_t source, uint32_t mtu)
{
    size_t index = pair_index(e, source);
    bool is_new = index == e->pairs_count;
    struct pair pair = {source, sane_mtu(mtu)};
    uint16_t known = is_new ? 0 : e->pairs[index].mtu;

    if (pair.mtu == 0)
        pair.mtu = known;
    if (!is_new)
        remove_pair(e, index);
    else if (e->pairs_count == GATT_CACHE_PAIRS_MAX)
        unprove(c, e, 0);
    append_pair(c, e, pair);
    if (is_new || pair.mtu != known)
        tell_pair(c, e->address, pair, true);
}

/* ---- entries ---- */

static void leave_line(struct gatt_cache *c, struct entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void join_front(struct gatt_cache *c, struct entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void join_end(struct gatt_cache *c, struct entry *e)
{
    e->older = NULL;
    e->newer = c->oldest;
    *(c->oldest ? &c->oldest->older : &c->newest) = e;
    c->oldest = e;
}

static struct entry *use_entry(struct gatt_cache *c, uint64_t address)
{
    struct entry *e = map_find(c->entries, address);

    if (e) {
        leave_line(c, e);
        join_front(c, e);
    }
    return e;
}

/* In the map, not yet in line. */
static struct entry *add_entry(struct gatt_cache *c, uint64_t address, struct gatt_tree *tree,
                               int64_t updated)
{
    struct entry *e = xnew(struct entry, 1);

    e->address = address;
    e->layout = use_layout(c, tree);
    e->updated = updated;
    map_put(c->entries, address, e);
    return e;
}

static void set_hash(struct entry *e, const uint8_t hash[GATT_HASH_SIZE])
{
    e->has_hash = true;
    memcpy(e->hash, hash, sizeof e->hash);
}

/* Tells nothing. */
static void free_entry(struct gatt_cache *c, struct entry *e)
{
    leave_layout(c, e->layout);
    c->pair_bytes -= e->pairs_capacity * sizeof e->pairs[0];
    free(e->pairs);
    free(e);
}

static void drop_entry(struct gatt_cache *c, struct entry *e)
{
    (void) map_take(c->entries, e->address);
    leave_line(c, e);
    unprove_others(c, e, UINT32_MAX);
    tell_gone(c, e->address);
    free_entry(c, e);
}

static void evict_beyond(struct gatt_cache *c, size_t max)
{
    while (map_count(c->entries) > max) {
        drop_entry(c, c->oldest);
        c->evicted++;
    }
}

/* ---- life ---- */

struct gatt_cache *gatt_cache_new(size_t entries_max, const struct gatt_cache_callbacks *callbacks)
{
    struct gatt_cache *c = xnew(struct gatt_cache, 1);

    c->entries_max = entries_max;
    if (callbacks)
        c->callbacks = *callbacks;
    c->entries = map_new(0);
    c->layouts = map_new(0);
    return c;
}

void gatt_cache_free(struct gatt_cache *c)
{
    if (!c)
        return;
    for (struct entry *e = c->newest, *older; e; e = older) {
        older = e->older;
        free_entry(c, e);
    }
    map_free(c->entries);
    map_free(c->layouts);
    free(c);
}

void gatt_cache_configure(struct gatt_cache *c, size_t entries_max)
{
    c->entries_max = entries_max;
    evict_beyond(c, entries_max);
}

bool gatt_cache_restore(struct gatt_cache *c, uint64_t address, struct gatt_tree *tree,
                        const uint8_t *hash, int64_t updated)
{
    struct entry *e;

    if (map_find(c->entries, address))
        return true;
    if (gatt_tree_services(tree) == 0 || map_count(c->entries) >= c->entries_max)
        return false;
    e = add_entry(c, address, tree, updated);
    if (hash)
        set_hash(e, hash);
    join_end(c, e);
    return true;
}

bool gatt_cache_restore_pair(struct gatt_cache *c, uint64_t address, uint16_t source, uint32_t mtu)
{
    struct entry *e = map_find(c->entries, address);

    if (!e)
        return false;
    if (pair_index(e, source) < e->pairs_count)
        return true;
    if (e->pairs_count == GATT_CACHE_PAIRS_MAX)
        return false;
    append_pair(c, e, (struct pair){source, sane_mtu(mtu)});
    return true;
}

/* ---- what is known ---- */

bool gatt_cache_find(struct gatt_cache *c, uint64_t address, usec_t now,
                     struct gatt_known *ret_known)
{
    const struct entry *e = use_entry(c, address);

    c->hits += e != NULL;
    c->misses += e == NULL;
    if (!e)
        return false;
    *ret_known = known_of(e, now);
    return true;
}

bool gatt_cache_get(const struct gatt_cache *c, uint64_t address, struct gatt_known *ret_known)
{
    const struct entry *e = map_find(c->entries, address);

    if (!e)
        return false;
    *ret_known = known_of(e, e->checked);
    return true;
}

bool gatt_cache_is_proved(const struct gatt_cache *c, uint64_t address, uint16_t source,
                          uint32_t *ret_mtu)
{
    const struct entry *e = map_find(c->entries, address);
    size_t index = e ? pair_index(e, source) : 0;

    if (!e || index == e->pairs_count)
        return false;
    *ret_mtu = e->pairs[index].mtu;
    return true;
}

void gatt_cache_get_statistics(const struct gatt_cache *c,
                               struct gatt_cache_statistics *ret_statistics)
{
    *ret_statistics = (struct gatt_cache_statistics){
            .entries = map_count(c->entries),
            .trees = c->trees,
            .bytes = map_count(c->entries) * sizeof(struct entry) + c->pair_bytes + c->tree_bytes +
                     map_bytes(c->entries) + map_bytes(c->layouts),
            .hits = c->hits,
            .misses = c->misses,
            .evicted = c->evicted,
    };
    memcpy(ret_statistics->doubts, c->doubts, sizeof c->doubts);
}

/* ---- what is learned ---- */

/* What a discovery says of a device of which nothing is kept. */
static struct gatt_known known_of_tree(struct gatt_tree *tree, int64_t wall)
{
    bool can_hash = has_characteristic(tree, GATT_UUID_DATABASE_HASH);

    return (struct gatt_known){
            .tree = tree,
            .updated = wall,
            .can_hash = can_hash,
            .can_change = has_characteristic(tree, GATT_UUID_SERVICE_CHANGED),
            .is_check_due = can_hash,
    };
}

/* Whatever was known of the old tree is not true of this one. */
static void replace_tree(struct gatt_cache *c, struct entry *e, struct gatt_tree *tree)
{
    struct layout *old = e->layout;

    e->layout = use_layout(c, tree);
    leave_layout(c, old);
    e->has_hash = false;
    memset(e->hash, 0, sizeof e->hash);
    e->checked = 0;
    c->doubts[GATT_DOUBT_DISCOVERY]++;
}

/* The entry of the device with this tree, in front. */
static struct entry *note_tree(struct gatt_cache *c, uint64_t address, struct gatt_tree *tree,
                               int64_t wall, bool *ret_differs)
{
    struct entry *e = use_entry(c, address);

    *ret_differs = e && !gatt_tree_equal(e->layout->tree, tree);
    if (*ret_differs)
        replace_tree(c, e, tree);
    if (!e) {
        evict_beyond(c, c->entries_max - 1);
        e = add_entry(c, address, tree, wall);
        join_front(c, e);
    }
    e->updated = wall;
    return e;
}

int gatt_cache_discovered(struct gatt_cache *c, uint64_t address, uint16_t source,
                          struct gatt_tree *tree, uint32_t mtu, int64_t wall,
                          struct gatt_known *ret_known)
{
    struct entry *e;
    bool differs;

    if (gatt_tree_services(tree) == 0)
        return -ENODATA;
    if (c->entries_max == 0) {
        *ret_known = known_of_tree(tree, wall);
        return 0;
    }
    e = note_tree(c, address, tree, wall, &differs);
    if (differs)
        unprove_others(c, e, source);
    tell_entry(c, e);
    prove(c, e, source, mtu);
    *ret_known = known_of(e, e->checked);
    return 0;
}

void gatt_cache_worked(struct gatt_cache *c, uint64_t address, uint16_t source, uint32_t mtu)
{
    struct entry *e = use_entry(c, address);

    if (e)
        prove(c, e, source, mtu);
}

bool gatt_cache_hashed(struct gatt_cache *c, uint64_t address, const uint8_t hash[GATT_HASH_SIZE],
                       usec_t now)
{
    struct entry *e = map_find(c->entries, address);

    if (!e)
        return true;
    if (!e->has_hash) {
        set_hash(e, hash);
        e->checked = now;
        tell_entry(c, e);
        return true;
    }
    if (memcmp(e->hash, hash, sizeof e->hash) != 0) {
        (void) gatt_cache_forget(c, address, GATT_DOUBT_HASH);
        return false;
    }
    e->checked = now;
    return true;
}

bool gatt_cache_forget(struct gatt_cache *c, uint64_t address, enum gatt_doubt doubt)
{
    struct entry *e = map_find(c->entries, address);

    if (!e)
        return false;
    c->doubts[doubt]++;
    drop_entry(c, e);
    return true;
}

void gatt_cache_forget_source(struct gatt_cache *c, uint16_t source)
{
    for (struct entry *e = c->newest; e; e = e->older) {
        size_t index = pair_index(e, source);

        if (index < e->pairs_count)
            unprove(c, e, index);
    }
}
