#include "gatt/gatt_cache.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

#define FRIDGE  0xa4c138000001u
#define DOOR    0xa4c138000002u
#define LAMP    0xa4c138000003u
#define PHONE   0x4a0000000001u /* changes its address */
#define KITCHEN 3               /* sources */
#define HALL    9
#define START   (CLOCK_START + 1)
#define WALL    1795000000000000
#define LAYOUTS 6

/* The house: what it was told, and how often. */
struct house {
    struct gatt_cache *cache;
    unsigned entries_told, gone_told, proved_told, unproved_told;
    uint64_t entry_address, pair_address;
    struct gatt_known entry;
    uint16_t pair_source;
    uint32_t pair_mtu;
    bool was_gone_already; /* on_entry(NULL) found nothing left */
};

static const uint8_t hash_a[GATT_HASH_SIZE] = {1, 2, 3};
static const uint8_t hash_b[GATT_HASH_SIZE] = {1, 2, 4};

static void on_entry(void *user, uint64_t address, const struct gatt_known *known)
{
    struct house *h = user;
    uint32_t mtu;

    h->entry_address = address;
    if (known) {
        h->entries_told++;
        h->entry = *known;
    } else {
        h->gone_told++;
        h->was_gone_already = !gatt_cache_is_proved(h->cache, address, KITCHEN, &mtu);
    }
}

static void on_pair(void *user, uint64_t address, uint16_t source, bool is_proved, uint32_t mtu)
{
    struct house *h = user;

    h->pair_address = address;
    h->pair_source = source;
    h->pair_mtu = mtu;
    h->proved_told += is_proved;
    h->unproved_told += !is_proved;
}

static int set_up(void **state)
{
    struct house *h = calloc(1, sizeof *h);
    const struct gatt_cache_callbacks callbacks = {on_entry, on_pair, h};

    h->cache = gatt_cache_new(4, &callbacks);
    *state = h;
    return 0;
}

static int tear_down(void **state)
{
    struct house *h = *state;

    gatt_cache_free(h->cache);
    free(h);
    return 0;
}

static void add(struct gatt_tree *t, enum gatt_kind kind, uint32_t uuid, uint32_t handle)
{
    struct ble_uuid u = ble_uuid_from_short(uuid);

    assert_int_equal(gatt_tree_add(t, kind, &u, handle, GATT_READ), 0);
}

/* Each number another layout, each call another tree. 1 has a Database Hash, 2 Service Changed. */
static struct gatt_tree *make_tree(unsigned layout)
{
    struct gatt_tree *t = gatt_tree_new();

    add(t, GATT_SERVICE, 0x1801, 1);
    add(t, GATT_CHARACTERISTIC, 0x2a00 + 0x40 * layout, 3);
    if (layout == 1)
        add(t, GATT_CHARACTERISTIC, GATT_UUID_DATABASE_HASH, 5);
    if (layout == 2)
        add(t, GATT_CHARACTERISTIC, GATT_UUID_SERVICE_CHANGED, 5);
    return t;
}

static struct gatt_known discover(struct house *h, uint64_t address, uint16_t source,
                                  unsigned layout, uint32_t mtu)
{
    struct gatt_tree *t = make_tree(layout);
    struct gatt_known known;

    assert_int_equal(gatt_cache_discovered(h->cache, address, source, t, mtu, WALL, &known), 0);
    gatt_tree_release(t);
    return known;
}

static bool is_known(struct house *h, uint64_t address)
{
    struct gatt_known known;

    return gatt_cache_find(h->cache, address, START, &known);
}

static bool is_proved(const struct house *h, uint64_t address, uint16_t source)
{
    uint32_t mtu;

    return gatt_cache_is_proved(h->cache, address, source, &mtu);
}

static uint32_t mtu_of(const struct house *h, uint64_t address, uint16_t source)
{
    uint32_t mtu;

    assert_true(gatt_cache_is_proved(h->cache, address, source, &mtu));
    return mtu;
}

static struct gatt_cache_statistics statistics(const struct house *h)
{
    struct gatt_cache_statistics s;

    gatt_cache_get_statistics(h->cache, &s);
    return s;
}

static bool is_layout(const struct gatt_tree *tree, unsigned layout)
{
    struct gatt_tree *wanted = make_tree(layout);
    bool is_equal = gatt_tree_equal(tree, wanted);

    gatt_tree_release(wanted);
    return is_equal;
}

/* ---- what is known ---- */

static void P01_what_was_discovered_is_known_from_then_on(void **state)
{
    struct house *h = *state;
    struct gatt_known known = {0};

    assert_false(gatt_cache_find(h->cache, FRIDGE, START, &known));
    assert_null(known.tree);
    (void) discover(h, FRIDGE, KITCHEN, 0, 247);
    assert_true(gatt_cache_find(h->cache, FRIDGE, START, &known));
    assert_true(is_layout(known.tree, 0));
    assert_true(known.updated == WALL);
    assert_false(known.has_hash);
    assert_int_equal(mtu_of(h, FRIDGE, KITCHEN), 247);
    assert_false(is_known(h, DOOR));
    assert_true(is_known(h, FRIDGE) && is_known(h, FRIDGE));
    assert_int_equal(statistics(h).hits, 3);
    assert_int_equal(statistics(h).misses, 2);
}

static void P02_every_proxy_sees_what_one_discovered_and_is_proved_for_itself(void **state)
{
    struct house *h = *state;

    (void) discover(h, FRIDGE, KITCHEN, 0, 247);
    assert_true(is_known(h, FRIDGE));
    assert_false(is_proved(h, FRIDGE, HALL));
    gatt_cache_worked(h->cache, FRIDGE, HALL, 185);
    assert_int_equal(mtu_of(h, FRIDGE, HALL), 185);
    assert_int_equal(mtu_of(h, FRIDGE, KITCHEN), 247);
    assert_int_equal(h->proved_told, 2);
    assert_int_equal(h->pair_source, HALL);
    assert_int_equal(h->pair_mtu, 185);
    assert_true(h->pair_address == FRIDGE);
}

static void P02_what_was_kept_is_known_after_a_restart_and_told_to_nobody(void **state)
{
    struct house *h = *state;
    struct gatt_tree *t = make_tree(1);
    struct gatt_known known;

    assert_true(gatt_cache_restore(h->cache, FRIDGE, t, hash_a, WALL));
    assert_true(gatt_cache_restore_pair(h->cache, FRIDGE, KITCHEN, 247));
    assert_false(gatt_cache_restore_pair(h->cache, DOOR, KITCHEN, 247)); /* no entry */
    gatt_tree_release(t);
    assert_true(gatt_cache_find(h->cache, FRIDGE, START, &known));
    assert_true(is_layout(known.tree, 1));
    assert_true(known.has_hash);
    assert_memory_equal(known.hash, hash_a, sizeof hash_a);
    assert_true(known.updated == WALL);
    assert_true(known.is_check_due); /* not compared in this run */
    assert_int_equal(mtu_of(h, FRIDGE, KITCHEN), 247);
    assert_false(is_proved(h, DOOR, KITCHEN));
    assert_int_equal(h->entries_told + h->gone_told + h->proved_told + h->unproved_told, 0);
}

static void what_is_known_already_is_not_restored_over(void **state)
{
    struct house *h = *state;
    struct gatt_tree *t = make_tree(3);
    struct gatt_known known;

    (void) discover(h, FRIDGE, KITCHEN, 0, 247);
    assert_true(gatt_cache_restore(h->cache, FRIDGE, t, hash_a, 1));
    assert_true(gatt_cache_restore_pair(h->cache, FRIDGE, KITCHEN, 100));
    gatt_tree_release(t);
    assert_true(gatt_cache_find(h->cache, FRIDGE, START, &known));
    assert_true(is_layout(known.tree, 0));
    assert_false(known.has_hash);
    assert_int_equal(mtu_of(h, FRIDGE, KITCHEN), 247);
}

static void restored_ones_beyond_the_limit_and_empty_ones_are_refused(void **state)
{
    struct house *h = *state;
    struct gatt_tree *t = make_tree(0), *empty = gatt_tree_new();

    assert_false(gatt_cache_restore(h->cache, 9, empty, NULL, WALL));
    for (uint64_t i = 1; i <= 4; i++)
        assert_true(gatt_cache_restore(h->cache, i, t, NULL, WALL));
    assert_false(gatt_cache_restore(h->cache, 5, t, NULL, WALL));
    assert_int_equal(statistics(h).entries, 4);
    (void) discover(h, FRIDGE, KITCHEN, 0, 0); /* the one restored last goes first */
    assert_true(h->entry_address == FRIDGE);
    assert_int_equal(h->gone_told, 1);
    assert_false(is_known(h, 4));
    assert_true(is_known(h, 1));
    gatt_tree_release(t);
    gatt_tree_release(empty);
}

static void private_addresses_are_known_like_others(void **state)
{
    struct house *h = *state;

    (void) discover(h, PHONE, KITCHEN, 0, 517);
    assert_true(is_known(h, PHONE));
    assert_int_equal(mtu_of(h, PHONE, KITCHEN), 517);
}

static void entry_is_told_when_it_is_discovered_and_when_it_has_its_first_hash(void **state)
{
    struct house *h = *state;

    (void) discover(h, FRIDGE, KITCHEN, 1, 247);
    assert_int_equal(h->entries_told, 1);
    assert_true(h->entry_address == FRIDGE);
    assert_true(is_layout(h->entry.tree, 1));
    assert_false(h->entry.has_hash);
    assert_true(gatt_cache_hashed(h->cache, FRIDGE, hash_a, START));
    assert_int_equal(h->entries_told, 2);
    assert_true(h->entry.has_hash);
    assert_memory_equal(h->entry.hash, hash_a, sizeof hash_a);
    assert_true(gatt_cache_hashed(h->cache, FRIDGE, hash_a, START + 1));
    assert_int_equal(h->entries_told, 2); /* no news */
    (void) discover(h, FRIDGE, KITCHEN, 1, 247);
    assert_int_equal(h->entries_told, 3);
    assert_true(h->entry.has_hash); /* the tree is the same, and so is its hash */
    assert_int_equal(h->gone_told, 0);
}

static void looking_for_the_house_is_no_use(void **state)
{
    struct house *h = *state;
    struct gatt_known known = {0};

    assert_false(gatt_cache_get(h->cache, 1, &known));
    for (uint64_t i = 1; i <= 4; i++)
        (void) discover(h, i, KITCHEN, 1, 247);
    assert_true(gatt_cache_get(h->cache, 1, &known));
    assert_true(is_layout(known.tree, 1));
    assert_true(known.is_check_due);
    (void) discover(h, 5, KITCHEN, 0, 247);
    assert_false(gatt_cache_get(h->cache, 1, &known));
    assert_int_equal(statistics(h).hits + statistics(h).misses, 0);
}

static void tree_stays_with_who_holds_it_when_its_entry_goes(void **state)
{
    struct house *h = *state;
    struct gatt_known known = discover(h, FRIDGE, KITCHEN, 0, 0);
    struct gatt_tree *held = gatt_tree_hold(known.tree);

    assert_true(gatt_cache_forget(h->cache, FRIDGE, GATT_DOUBT_ASKED));
    assert_true(is_layout(held, 0));
    gatt_tree_release(held);
}

/* ---- shared trees ---- */

static void equal_trees_exist_once(void **state)
{
    struct house *h = *state;
    struct gatt_known fridge = discover(h, FRIDGE, KITCHEN, 0, 0);
    struct gatt_known door = discover(h, DOOR, HALL, 0, 0);
    struct gatt_known lamp = discover(h, LAMP, HALL, 3, 0);
    size_t bytes = statistics(h).bytes;

    assert_ptr_equal(fridge.tree, door.tree);
    assert_ptr_not_equal(fridge.tree, lamp.tree);
    assert_int_equal(statistics(h).entries, 3);
    assert_int_equal(statistics(h).trees, 2);
    assert_true(gatt_cache_forget(h->cache, FRIDGE, GATT_DOUBT_ASKED));
    assert_int_equal(statistics(h).trees, 2); /* the door still has it */
    assert_true(is_layout(door.tree, 0));
    assert_true(gatt_cache_forget(h->cache, DOOR, GATT_DOUBT_ASKED));
    assert_int_equal(statistics(h).trees, 1);
    assert_true(statistics(h).bytes < bytes);
    fridge = discover(h, FRIDGE, KITCHEN, 0, 0); /* a new one, after the shared one went */
    assert_true(is_layout(fridge.tree, 0));
    assert_int_equal(statistics(h).trees, 2);
}

static void trees_that_differ_in_one_property_are_not_shared(void **state)
{
    struct house *h = *state;
    struct ble_uuid uuid = ble_uuid_from_short(0x2a19);
    struct gatt_known known;

    for (uint32_t properties = 0; properties < 3; properties++) {
        struct gatt_tree *t = gatt_tree_new();

        add(t, GATT_SERVICE, 0x180f, 1);
        assert_int_equal(gatt_tree_add(t, GATT_CHARACTERISTIC, &uuid, 3, properties), 0);
        assert_int_equal(gatt_cache_discovered(h->cache, properties, 0, t, 0, WALL, &known), 0);
        assert_ptr_equal(known.tree, t);
        gatt_tree_release(t);
    }
    assert_int_equal(statistics(h).trees, 3);
}

/* A service whose UUID was made so that the packed tree has the same hash as the other one. */
static struct gatt_tree *make_twin(bool is_second)
{
    static const struct ble_uuid twins[2] = {
            {{0x35, 0x22, 0x9d, 0x00, 0x3a, 0x64, 0xb9, 0x7b, 0x68, 0xb9, 0x0f, 0x50, 0x0e, 0x66,
              0x03, 0x9d}},
            {{0x33, 0x64, 0x80, 0x18, 0x71, 0x6d, 0x54, 0x41, 0x68, 0x4b, 0x16, 0x73, 0x1a, 0xee,
              0x04, 0x98}},
    };
    struct gatt_tree *t = gatt_tree_new();

    assert_int_equal(gatt_tree_add(t, GATT_SERVICE, &twins[is_second], 1, 0), 0);
    return t;
}

static uint64_t packed_hash(const struct gatt_tree *t)
{
    size_t size;
    uint8_t *packed = gatt_tree_pack(t, &size);
    uint64_t hash = bytes_hash(packed, size);

    free(packed);
    return hash;
}

static void trees_made_to_have_one_hash_are_not_mixed_up(void **state)
{
    struct house *h = *state;
    struct gatt_tree *twins[2] = {make_twin(false), make_twin(true)};
    struct gatt_known known;

    assert_true(packed_hash(twins[0]) == packed_hash(twins[1]));
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(gatt_cache_discovered(h->cache, i, KITCHEN, twins[i % 2], 0, WALL, &known),
                         0);
        assert_true(gatt_tree_equal(known.tree, twins[i % 2]));
    }
    assert_int_equal(statistics(h).trees, 3); /* one of the two is shared */
    for (uint64_t i = 1; i < 4; i += 2) {
        assert_true(gatt_cache_forget(h->cache, i, GATT_DOUBT_ASKED));
        assert_int_equal(gatt_cache_discovered(h->cache, i, HALL, twins[0], 0, WALL, &known), 0);
    }
    assert_int_equal(statistics(h).trees, 1); /* who was not shared took nothing with it */
    gatt_tree_release(twins[0]);
    gatt_tree_release(twins[1]);
}

static void discover_large(struct house *h, uint64_t address, uint32_t entries)
{
    struct gatt_tree *t = gatt_tree_new();
    struct gatt_known known;

    for (uint32_t i = 1; i <= entries; i++)
        add(t, GATT_SERVICE, 0x1801, i);
    assert_int_equal(gatt_cache_discovered(h->cache, address, KITCHEN, t, 0, WALL, &known), 0);
    gatt_tree_release(t);
}

static void memory_is_counted_and_given_back(void **state)
{
    const size_t tree = 1000 * sizeof(struct gatt_entry), rest = tree / 4;
    struct house *h = *state;
    size_t empty = 0, full;

    for (int round = 0; round < 2; round++) { /* the slots of the maps stay from the first */
        empty = statistics(h).bytes;
        discover_large(h, FRIDGE, 1000);
        assert_in_range(statistics(h).bytes - empty, tree, tree + rest);
        discover_large(h, DOOR, 1000);
        assert_in_range(statistics(h).bytes - empty, tree, tree + rest);
        discover_large(h, LAMP, 999);
        full = statistics(h).bytes;
        assert_in_range(full - empty, 2 * tree - rest, 2 * tree + rest);
        for (uint16_t source = 0; source < 64; source++) {
            gatt_cache_worked(h->cache, LAMP, source, 23);
            gatt_cache_worked(h->cache, FRIDGE, source, 23);
        }
        assert_in_range(statistics(h).bytes - full, 2 * 62 * 4, 2 * 64 * 4);
        (void) gatt_cache_forget(h->cache, FRIDGE, GATT_DOUBT_ASKED);
        (void) gatt_cache_forget(h->cache, LAMP, GATT_DOUBT_ASKED);
        assert_in_range(statistics(h).bytes - empty, tree, tree + rest);
        (void) gatt_cache_forget(h->cache, DOOR, GATT_DOUBT_ASKED);
        assert_int_equal(statistics(h).trees, 0);
    }
    assert_int_equal(statistics(h).bytes, empty);
}

/* ---- pairs ---- */

static void mtu_follows_each_link_and_is_kept_where_none_is_known(void **state)
{
    struct house *h = *state;

    (void) discover(h, FRIDGE, KITCHEN, 0, 0);
    assert_int_equal(mtu_of(h, FRIDGE, KITCHEN), 0);
    gatt_cache_worked(h->cache, FRIDGE, KITCHEN, 247);
    assert_int_equal(mtu_of(h, FRIDGE, KITCHEN), 247);
    gatt_cache_worked(h->cache, FRIDGE, KITCHEN, 0);
    assert_int_equal(mtu_of(h, FRIDGE, KITCHEN), 247);
    assert_int_equal(h->proved_told, 2); /* the last was no news */
    (void) discover(h, FRIDGE, KITCHEN, 0, 185);
    assert_int_equal(mtu_of(h, FRIDGE, KITCHEN), 185);
    (void) discover(h, FRIDGE, KITCHEN, 0, UINT16_MAX);
    assert_int_equal(mtu_of(h, FRIDGE, KITCHEN), UINT16_MAX);
    (void) discover(h, FRIDGE, KITCHEN, 0, UINT16_MAX + 1 + 23); /* nonsense of a proxy */
    assert_int_equal(mtu_of(h, FRIDGE, KITCHEN), UINT16_MAX);
    assert_int_equal(h->unproved_told, 0);
}

static void work_on_an_unknown_device_proves_nothing(void **state)
{
    struct house *h = *state;

    gatt_cache_worked(h->cache, FRIDGE, KITCHEN, 247);
    assert_false(is_proved(h, FRIDGE, KITCHEN));
    assert_false(is_known(h, FRIDGE));
    assert_int_equal(h->proved_told, 0);
}

static void of_too_many_proxies_the_one_that_worked_longest_ago_is_proved_no_more(void **state)
{
    struct house *h = *state;

    for (uint16_t source = 0; source < GATT_CACHE_PAIRS_MAX; source++)
        (void) discover(h, FRIDGE, source, 0, 100u + source);
    assert_int_equal(h->unproved_told, 0);
    gatt_cache_worked(h->cache, FRIDGE, 0, 0); /* now it is the newest */
    gatt_cache_worked(h->cache, FRIDGE, 1000, 23);
    assert_int_equal(h->unproved_told, 1);
    assert_false(is_proved(h, FRIDGE, 1));
    assert_int_equal(mtu_of(h, FRIDGE, 0), 100);
    assert_int_equal(mtu_of(h, FRIDGE, 2), 102);
    assert_int_equal(mtu_of(h, FRIDGE, 1000), 23);
    assert_int_equal(h->pair_source, 1000); /* who goes is told before who comes */
    assert_false(gatt_cache_restore_pair(h->cache, FRIDGE, 1001, 23));
    assert_false(is_proved(h, FRIDGE, 1001));
}

static void proxy_that_forgot_is_proved_for_no_device(void **state)
{
    struct house *h = *state;

    (void) discover(h, FRIDGE, KITCHEN, 0, 247);
    (void) discover(h, FRIDGE, HALL, 0, 247);
    (void) discover(h, DOOR, KITCHEN, 0, 247);
    (void) discover(h, LAMP, HALL, 0, 247);
    gatt_cache_forget_source(h->cache, KITCHEN);
    assert_int_equal(h->unproved_told, 2);
    assert_int_equal(h->pair_source, KITCHEN);
    assert_int_equal(h->pair_mtu, 0);
    assert_int_equal(h->gone_told, 0);
    assert_false(is_proved(h, FRIDGE, KITCHEN));
    assert_false(is_proved(h, DOOR, KITCHEN));
    assert_int_equal(mtu_of(h, FRIDGE, HALL), 247);
    assert_int_equal(mtu_of(h, LAMP, HALL), 247);
    assert_true(is_known(h, DOOR)); /* the tree is the device's */
}

/* ---- doubt ---- */

static void expect_forgotten(struct house *h, enum gatt_doubt doubt)
{
    assert_false(is_known(h, FRIDGE));
    assert_false(is_proved(h, FRIDGE, KITCHEN));
    assert_false(is_proved(h, FRIDGE, HALL));
    assert_true(is_proved(h, DOOR, KITCHEN));
    assert_int_equal(h->gone_told, 1);
    assert_int_equal(h->unproved_told, 2);
    assert_true(h->entry_address == FRIDGE);
    assert_true(h->was_gone_already);
    for (unsigned i = 0; i <= GATT_DOUBT_ASKED; i++)
        assert_int_equal(statistics(h).doubts[i], i == doubt);
    assert_int_equal(statistics(h).evicted, 0);
}

static void P05_each_doubt_takes_the_entry_and_its_pairs_for_all_proxies(void **state)
{
    const enum gatt_doubt doubts[] = {GATT_DOUBT_CHANGED, GATT_DOUBT_INVALID_HANDLE,
                                      GATT_DOUBT_ASKED};

    for (size_t i = 0; i < sizeof doubts / sizeof doubts[0]; i++) {
        struct house *h;

        tear_down(state);
        set_up(state);
        h = *state;
        (void) discover(h, FRIDGE, KITCHEN, 2, 247);
        (void) discover(h, FRIDGE, HALL, 2, 247);
        (void) discover(h, DOOR, KITCHEN, 2, 247); /* the same layout, and not in doubt */
        assert_true(gatt_cache_forget(h->cache, FRIDGE, doubts[i]));
        expect_forgotten(h, doubts[i]);
        assert_false(gatt_cache_forget(h->cache, FRIDGE, doubts[i]));
        expect_forgotten(h, doubts[i]);
    }
}

static void P05_another_database_hash_takes_the_entry(void **state)
{
    struct house *h = *state;

    (void) discover(h, FRIDGE, KITCHEN, 1, 247);
    (void) discover(h, FRIDGE, HALL, 1, 247);
    (void) discover(h, DOOR, KITCHEN, 1, 247);
    assert_true(gatt_cache_hashed(h->cache, FRIDGE, hash_a, START));
    assert_false(gatt_cache_hashed(h->cache, FRIDGE, hash_b, START + 1));
    expect_forgotten(h, GATT_DOUBT_HASH);
    assert_true(gatt_cache_hashed(h->cache, FRIDGE, hash_b, START + 1)); /* nothing to compare */
    assert_false(is_known(h, FRIDGE));
}

static void P05_the_entry_used_longest_ago_goes_when_there_are_too_many(void **state)
{
    struct house *h = *state;
    struct gatt_known known;

    for (uint64_t i = 1; i <= 4; i++)
        (void) discover(h, i, KITCHEN, 0, 247);
    assert_true(gatt_cache_find(h->cache, 1, START, &known)); /* each is use */
    gatt_cache_worked(h->cache, 2, KITCHEN, 0);
    (void) discover(h, 3, KITCHEN, 0, 247);
    (void) discover(h, 5, KITCHEN, 0, 247);
    assert_int_equal(h->gone_told, 1);
    assert_int_equal(h->unproved_told, 1);
    assert_false(is_proved(h, 4, KITCHEN));
    (void) discover(h, 6, KITCHEN, 0, 247);
    assert_false(is_proved(h, 1, KITCHEN));
    assert_true(is_proved(h, 2, KITCHEN) && is_proved(h, 3, KITCHEN) && is_proved(h, 5, KITCHEN));
    assert_int_equal(statistics(h).entries, 4);
    assert_int_equal(statistics(h).evicted, 2);
}

static void P05_the_limit_follows_the_configuration(void **state)
{
    struct house *h = *state;

    for (uint64_t i = 1; i <= 4; i++)
        (void) discover(h, i, KITCHEN, 0, 247);
    gatt_cache_configure(h->cache, 2);
    assert_int_equal(h->gone_told, 2);
    assert_false(is_known(h, 1) || is_known(h, 2));
    assert_true(is_known(h, 3) && is_known(h, 4));
    gatt_cache_configure(h->cache, 3);
    (void) discover(h, 5, KITCHEN, 0, 247);
    assert_int_equal(h->gone_told, 2);
    gatt_cache_configure(h->cache, 0);
    assert_int_equal(statistics(h).entries, 0);
    assert_int_equal(statistics(h).trees, 0);
    assert_int_equal(h->gone_told, 5);
}

static void P03_who_asks_for_no_cache_gets_what_the_device_says_now(void **state)
{
    struct house *h = *state;
    struct gatt_known known;

    (void) discover(h, FRIDGE, KITCHEN, 1, 247);
    (void) discover(h, FRIDGE, HALL, 1, 247);
    assert_true(gatt_cache_hashed(h->cache, FRIDGE, hash_a, START));
    known = discover(h, FRIDGE, HALL, 3, 100);
    assert_true(is_layout(known.tree, 3));
    assert_false(known.has_hash || known.can_hash);
    assert_true(is_layout(h->entry.tree, 3));
    assert_false(h->entry.has_hash);
    assert_false(is_proved(h, FRIDGE, KITCHEN)); /* it has the old one */
    assert_int_equal(mtu_of(h, FRIDGE, HALL), 100);
    assert_int_equal(h->unproved_told, 1);
    assert_int_equal(h->gone_told, 0);
    assert_int_equal(statistics(h).doubts[GATT_DOUBT_DISCOVERY], 1);
    assert_int_equal(statistics(h).trees, 1);
    assert_int_equal(statistics(h).entries, 1);
}

static void discovery_that_agrees_leaves_the_others_proved(void **state)
{
    struct house *h = *state;

    (void) discover(h, FRIDGE, KITCHEN, 0, 247);
    (void) discover(h, FRIDGE, HALL, 0, 247);
    assert_true(is_proved(h, FRIDGE, KITCHEN));
    assert_int_equal(statistics(h).doubts[GATT_DOUBT_DISCOVERY], 0);
}

static void discovery_without_services_is_never_kept_and_proves_nothing_wrong(void **state)
{
    struct house *h = *state;
    struct gatt_tree *empty = gatt_tree_new();
    struct gatt_known known = {0};

    assert_int_equal(gatt_cache_discovered(h->cache, FRIDGE, KITCHEN, empty, 247, WALL, &known),
                     -ENODATA);
    assert_null(known.tree);
    assert_false(is_known(h, FRIDGE));
    (void) discover(h, FRIDGE, KITCHEN, 0, 247);
    assert_int_equal(gatt_cache_discovered(h->cache, FRIDGE, HALL, empty, 247, WALL, &known),
                     -ENODATA);
    assert_true(is_proved(h, FRIDGE, KITCHEN));
    assert_false(is_proved(h, FRIDGE, HALL));
    gatt_tree_release(empty);
}

static void cache_of_no_entries_keeps_nothing_and_still_answers(void **state)
{
    struct house *h = *state;
    struct gatt_tree *t = make_tree(1);
    struct gatt_known known;

    gatt_cache_configure(h->cache, 0);
    assert_int_equal(gatt_cache_discovered(h->cache, FRIDGE, KITCHEN, t, 247, WALL, &known), 0);
    assert_ptr_equal(known.tree, t);
    assert_true(known.updated == WALL);
    assert_true(known.can_hash && known.is_check_due);
    assert_false(known.can_change || known.has_hash);
    assert_true(gatt_cache_hashed(h->cache, FRIDGE, hash_a, START));
    assert_false(gatt_cache_restore(h->cache, FRIDGE, t, NULL, WALL));
    gatt_tree_release(t);
    t = make_tree(2);
    assert_int_equal(gatt_cache_discovered(h->cache, FRIDGE, KITCHEN, t, 247, WALL, &known), 0);
    assert_true(known.can_change);
    assert_false(known.can_hash || known.is_check_due);
    gatt_tree_release(t);
    assert_false(is_known(h, FRIDGE));
    assert_false(is_proved(h, FRIDGE, KITCHEN));
    assert_int_equal(h->entries_told + h->proved_told, 0);
}

/* ---- how often a hash is read ---- */

static bool is_check_due(struct house *h, usec_t now)
{
    struct gatt_known known;

    assert_true(gatt_cache_find(h->cache, FRIDGE, now, &known));
    return known.is_check_due;
}

static void P01_the_hash_is_due_once_a_run_and_a_day(void **state)
{
    struct house *h = *state;

    assert_true(discover(h, FRIDGE, KITCHEN, 1, 247).is_check_due);
    assert_true(is_check_due(h, START));
    assert_true(gatt_cache_hashed(h->cache, FRIDGE, hash_a, START));
    assert_false(is_check_due(h, START));
    assert_false(is_check_due(h, START + GATT_CACHE_CHECK_AFTER - 1));
    assert_true(is_check_due(h, START + GATT_CACHE_CHECK_AFTER));
    assert_true(gatt_cache_hashed(h->cache, FRIDGE, hash_a, START + GATT_CACHE_CHECK_AFTER));
    assert_false(is_check_due(h, START + GATT_CACHE_CHECK_AFTER));
    assert_false(discover(h, FRIDGE, KITCHEN, 1, 247).is_check_due); /* it agreed */
    (void) discover(h, FRIDGE, KITCHEN, 3, 247);
    assert_true(discover(h, FRIDGE, KITCHEN, 1, 247).is_check_due); /* it did not */
    assert_true(gatt_cache_hashed(h->cache, FRIDGE, hash_b, START));
    (void) gatt_cache_forget(h->cache, FRIDGE, GATT_DOUBT_INVALID_HANDLE);
    assert_true(discover(h, FRIDGE, KITCHEN, 1, 247).is_check_due); /* after an invalid handle */
}

static void P01_devices_that_cannot_tell_changes_are_never_asked(void **state)
{
    struct house *h = *state;
    struct gatt_known known = discover(h, FRIDGE, KITCHEN, 0, 247);

    assert_false(known.can_hash || known.can_change || known.is_check_due);
    assert_false(is_check_due(h, START + 10 * GATT_CACHE_CHECK_AFTER));
    known = discover(h, DOOR, KITCHEN, 1, 247);
    assert_true(known.can_hash);
    assert_false(known.can_change);
    known = discover(h, LAMP, KITCHEN, 2, 247);
    assert_true(known.can_change);
    assert_false(known.can_hash || known.is_check_due);
}

static void nobody_needs_to_listen(void **state)
{
    struct house deaf = {.cache = gatt_cache_new(1, NULL)};

    (void) state;
    (void) discover(&deaf, FRIDGE, KITCHEN, 0, 247);
    (void) discover(&deaf, DOOR, KITCHEN, 0, 247);
    assert_false(is_known(&deaf, FRIDGE));
    assert_true(gatt_cache_forget(deaf.cache, DOOR, GATT_DOUBT_CHANGED));
    gatt_cache_free(deaf.cache);
    gatt_cache_free(NULL);
}

/* ---- against a model that is as plain as possible ---- */

#define DEVICES 9
#define SOURCES 4
#define STEPS   40000

struct model_device {
    bool is_here, has_hash;
    unsigned layout;
    uint8_t hash;
    usec_t checked;
    int64_t updated;
    uint64_t used; /* step */
    bool is_proved[SOURCES];
    uint32_t mtu[SOURCES];
};

struct model {
    struct model_device devices[DEVICES];
    struct model_device told[DEVICES]; /* what the callbacks say; used and checked are not */
    size_t max;
    uint64_t steps;
    usec_t now;
};

static void model_on_entry(void *user, uint64_t address, const struct gatt_known *known)
{
    struct model *m = user;
    struct model_device *d = &m->told[address];

    assert_true(address < DEVICES);
    if (!known) {
        for (int i = 0; i < SOURCES; i++)
            assert_false(d->is_proved[i]);
        assert_true(d->is_here);
        d->is_here = false;
        return;
    }
    d->is_here = true;
    d->has_hash = known->has_hash;
    d->hash = known->hash[0];
    d->updated = known->updated;
    for (d->layout = 0; !is_layout(known->tree, d->layout);)
        assert_true(++d->layout < LAYOUTS);
}

static void model_on_pair(void *user, uint64_t address, uint16_t source, bool proved, uint32_t mtu)
{
    struct model_device *d = &((struct model *) user)->told[address];

    assert_true(d->is_proved[source] != proved || d->mtu[source] != mtu); /* it is news */
    d->is_proved[source] = proved;
    d->mtu[source] = mtu;
}

static void model_forget(struct model_device *d)
{
    *d = (struct model_device){0};
}

static void model_trim(struct model *m, size_t max)
{
    for (;;) {
        struct model_device *oldest = NULL;
        size_t count = 0;

        for (int i = 0; i < DEVICES; i++) {
            struct model_device *d = &m->devices[i];

            count += d->is_here;
            if (d->is_here && (!oldest || d->used < oldest->used))
                oldest = d;
        }
        if (count <= max)
            return;
        model_forget(oldest);
    }
}

static void model_discover(struct model *m, struct model_device *d, unsigned source,
                           unsigned layout, uint32_t mtu, int64_t wall)
{
    if (m->max == 0)
        return;
    if (!d->is_here) {
        model_trim(m, m->max - 1);
        d->is_here = true;
        d->layout = layout;
    }
    if (d->layout != layout) {
        for (unsigned i = 0; i < SOURCES; i++) {
            d->is_proved[i] &= i == source;
            d->mtu[i] = i == source ? d->mtu[i] : 0;
        }
        d->layout = layout;
        d->has_hash = false;
        d->hash = 0;
        d->checked = 0;
    }
    d->updated = wall;
    d->used = m->steps;
    d->is_proved[source] = true;
    d->mtu[source] = mtu ? mtu : d->mtu[source];
}

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void step_hash(struct model *m, struct gatt_cache *c, unsigned i, uint32_t *dice)
{
    struct model_device *d = &m->devices[i];
    uint8_t hash[GATT_HASH_SIZE] = {(uint8_t) (draw(dice) % 8 == 0)};
    bool holds = !d->is_here || !d->has_hash || d->hash == hash[0];

    assert_int_equal(gatt_cache_hashed(c, i, hash, m->now), holds);
    if (!holds) {
        model_forget(d);
    } else if (d->is_here) {
        d->has_hash = true;
        d->hash = hash[0];
        d->checked = m->now;
    }
}

static void step_discover(struct model *m, struct gatt_cache *c, unsigned i, uint32_t *dice)
{
    unsigned source = draw(dice) % SOURCES, layout = draw(dice) % 3 ? i % LAYOUTS : draw(dice) % 6;
    uint32_t mtu = draw(dice) % 3 * 100;
    struct gatt_tree *t = make_tree(layout);
    struct gatt_known known;

    assert_int_equal(
            gatt_cache_discovered(c, i, (uint16_t) source, t, mtu, (int64_t) m->steps, &known), 0);
    assert_true(is_layout(known.tree, layout));
    model_discover(m, &m->devices[i], source, layout, mtu, (int64_t) m->steps);
    gatt_tree_release(t);
}

static void step_find(struct model *m, struct gatt_cache *c, unsigned i)
{
    struct model_device *d = &m->devices[i];
    struct gatt_known known;

    assert_int_equal(gatt_cache_find(c, i, m->now, &known), d->is_here);
    if (!d->is_here)
        return;
    d->used = m->steps;
    assert_int_equal(known.can_hash, d->layout == 1);
    assert_int_equal(known.can_change, d->layout == 2);
    assert_int_equal(known.is_check_due,
                     d->layout == 1 &&
                             (!d->checked || m->now - d->checked >= GATT_CACHE_CHECK_AFTER));
}

static void step_work(struct model *m, struct gatt_cache *c, unsigned i, uint32_t *dice)
{
    struct model_device *d = &m->devices[i];
    unsigned source = draw(dice) % SOURCES;
    uint32_t mtu = draw(dice) % 2 * 50;

    gatt_cache_worked(c, i, (uint16_t) source, mtu);
    if (!d->is_here)
        return;
    d->used = m->steps;
    d->is_proved[source] = true;
    d->mtu[source] = mtu ? mtu : d->mtu[source];
}

static void step_forget(struct model *m, struct gatt_cache *c, unsigned i, uint32_t *dice)
{
    unsigned source = draw(dice) % SOURCES;

    if (draw(dice) % 4 == 0) {
        gatt_cache_forget_source(c, (uint16_t) source);
        for (int j = 0; j < DEVICES; j++) {
            m->devices[j].is_proved[source] = false;
            m->devices[j].mtu[source] = 0;
        }
        return;
    }
    assert_int_equal(gatt_cache_forget(c, i, GATT_DOUBT_CHANGED), m->devices[i].is_here);
    model_forget(&m->devices[i]);
}

static void step_configure(struct model *m, struct gatt_cache *c, uint32_t *dice)
{
    m->max = draw(dice) % 8 ? 3 + draw(dice) % 5 : draw(dice) % 3;
    gatt_cache_configure(c, m->max);
    model_trim(m, m->max);
}

static void step(struct model *m, struct gatt_cache *c, uint32_t *dice)
{
    unsigned i = draw(dice) % DEVICES, what = draw(dice) % 100;

    m->steps++;
    m->now += draw(dice) % (GATT_CACHE_CHECK_AFTER / 8);
    if (what < 30)
        step_discover(m, c, i, dice);
    else if (what < 55)
        step_find(m, c, i);
    else if (what < 75)
        step_work(m, c, i, dice);
    else if (what < 93)
        step_hash(m, c, i, dice);
    else if (what < 98)
        step_forget(m, c, i, dice);
    else
        step_configure(m, c, dice);
}

static void expect_equal(const struct model *m, const struct gatt_cache *c)
{
    struct gatt_cache_statistics s;
    bool is_used[LAYOUTS] = {false};
    size_t entries = 0, trees = 0;
    uint32_t mtu;

    for (int i = 0; i < DEVICES; i++) {
        const struct model_device *d = &m->devices[i], *t = &m->told[i];

        assert_int_equal(t->is_here, d->is_here);
        for (uint16_t j = 0; j < SOURCES; j++) {
            assert_int_equal(t->is_proved[j], d->is_proved[j]);
            assert_int_equal(gatt_cache_is_proved(c, (uint64_t) i, j, &mtu), d->is_proved[j]);
            assert_true(!d->is_proved[j] || (mtu == d->mtu[j] && t->mtu[j] == mtu));
        }
        if (!d->is_here)
            continue;
        assert_int_equal(t->layout, d->layout);
        assert_int_equal(t->has_hash, d->has_hash);
        assert_int_equal(t->hash, d->hash);
        assert_true(t->updated == d->updated);
        entries++;
        trees += !is_used[d->layout];
        is_used[d->layout] = true;
    }
    gatt_cache_get_statistics(c, &s);
    assert_int_equal(s.entries, entries);
    assert_int_equal(s.trees, trees);
}

static void cache_is_as_a_plain_model_says_and_the_house_knows_it(void **state)
{
    struct model *m = calloc(1, sizeof *m);
    const struct gatt_cache_callbacks callbacks = {model_on_entry, model_on_pair, m};
    struct gatt_cache *c;
    uint32_t dice = 26;

    (void) state;
    m->max = 5;
    m->now = START;
    c = gatt_cache_new(m->max, &callbacks);
    for (int i = 0; i < STEPS; i++) {
        step(m, c, &dice);
        expect_equal(m, c);
    }
    gatt_cache_free(c);
    free(m);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(P01_what_was_discovered_is_known_from_then_on),
            TEST(P02_every_proxy_sees_what_one_discovered_and_is_proved_for_itself),
            TEST(P02_what_was_kept_is_known_after_a_restart_and_told_to_nobody),
            TEST(what_is_known_already_is_not_restored_over),
            TEST(restored_ones_beyond_the_limit_and_empty_ones_are_refused),
            TEST(private_addresses_are_known_like_others),
            TEST(entry_is_told_when_it_is_discovered_and_when_it_has_its_first_hash),
            TEST(looking_for_the_house_is_no_use),
            TEST(tree_stays_with_who_holds_it_when_its_entry_goes),
            TEST(equal_trees_exist_once),
            TEST(trees_that_differ_in_one_property_are_not_shared),
            TEST(trees_made_to_have_one_hash_are_not_mixed_up),
            TEST(memory_is_counted_and_given_back),
            TEST(mtu_follows_each_link_and_is_kept_where_none_is_known),
            TEST(work_on_an_unknown_device_proves_nothing),
            TEST(of_too_many_proxies_the_one_that_worked_longest_ago_is_proved_no_more),
            TEST(proxy_that_forgot_is_proved_for_no_device),
            TEST(P05_each_doubt_takes_the_entry_and_its_pairs_for_all_proxies),
            TEST(P05_another_database_hash_takes_the_entry),
            TEST(P05_the_entry_used_longest_ago_goes_when_there_are_too_many),
            TEST(P05_the_limit_follows_the_configuration),
            TEST(P03_who_asks_for_no_cache_gets_what_the_device_says_now),
            TEST(discovery_that_agrees_leaves_the_others_proved),
            TEST(discovery_without_services_is_never_kept_and_proves_nothing_wrong),
            TEST(cache_of_no_entries_keeps_nothing_and_still_answers),
            TEST(P01_the_hash_is_due_once_a_run_and_a_day),
            TEST(P01_devices_that_cannot_tell_changes_are_never_asked),
            TEST(nobody_needs_to_listen),
            TEST(cache_is_as_a_plain_model_says_and_the_house_knows_it),
    };

    return cmocka_run_group_tests_name("link.gatt_cache", tests, NULL, NULL);
}
