/* The GATT cache over a restart: what a house carries to the store comes back. */
#include "shelf.h"

#include "gatt/gatt_cache.h"

#define KITCHEN 0 /* sources */
#define HALL    1
#define SOURCES 2
#define MAC(i)  (0x246f28aabb00u + (uint64_t) (i))
#define PRIVATE 0x4a0000000001u
#define NOW     (CLOCK_START + 1)

struct house {
    struct shelf shelf;
    struct gatt_cache *cache;
};

static uint8_t type_of(uint64_t address)
{
    return address == PRIVATE ? BLE_ADDRESS_RANDOM : BLE_ADDRESS_PUBLIC;
}

static void on_entry(void *user, uint64_t address, const struct gatt_known *known)
{
    struct house *h = user;

    (void) known; /* it is asked for when it is written */
    store_touch_gatt(h->shelf.store, address);
}

static void on_pair(void *user, uint64_t address, uint16_t source, bool is_proved, uint32_t mtu)
{
    struct house *h = user;
    struct store_pair pair;

    (void) store_get_pair(h->shelf.store, address, MAC(source), &pair); /* its bond stays */
    pair.mtu = !is_proved ? 0 : mtu > 0 ? mtu : 23;
    store_put_pair(h->shelf.store, &pair, !ble_address_is_private(address, type_of(address)));
}

static bool read_gatt(void *user, uint64_t address, struct store_gatt *ret_gatt)
{
    struct house *h = user;
    struct gatt_known known;

    if (!gatt_cache_get(h->cache, address, &known))
        return false;
    *ret_gatt = (struct store_gatt){.address = address,
                                    .address_type = type_of(address),
                                    .tree = known.tree,
                                    .has_hash = known.has_hash,
                                    .updated = known.updated};
    memcpy(ret_gatt->hash, known.hash, sizeof ret_gatt->hash);
    return true;
}

static void on_loaded(void *user, const struct store_gatt *gatt)
{
    struct house *h = user;
    struct store_pair pair;
    bool is_back =
            gatt->tree && gatt_cache_restore(h->cache, gatt->address, gatt->tree,
                                             gatt->has_hash ? gatt->hash : NULL, gatt->updated);

    if (!is_back)
        store_touch_gatt(h->shelf.store, gatt->address);
    for (uint16_t source = 0; source < SOURCES; source++) {
        if (!store_get_pair(h->shelf.store, gatt->address, MAC(source), &pair) || pair.mtu == 0)
            continue;
        if (!is_back || !gatt_cache_restore_pair(h->cache, gatt->address, source, pair.mtu))
            on_pair(h, gatt->address, source, false, 0);
    }
}

static void start(struct house *h, size_t entries_max)
{
    const struct gatt_cache_callbacks callbacks = {on_entry, on_pair, h};

    shelf_open(&h->shelf);
    h->cache = gatt_cache_new(entries_max, &callbacks);
    store_read_gatt_from(h->shelf.store, read_gatt, h);
    assert_int_equal(store_load_gatt(h->shelf.store, on_loaded, h), 0);
}

static void restart(struct house *h, size_t entries_max)
{
    shelf_close(&h->shelf);
    gatt_cache_free(h->cache);
    start(h, entries_max);
}

static int set_up(void **state)
{
    struct house *h = xnew(struct house, 1);

    shelf_make(&h->shelf);
    start(h, 10);
    *state = h;
    return 0;
}

static int tear_down(void **state)
{
    struct house *h = *state;

    shelf_close(&h->shelf);
    gatt_cache_free(h->cache);
    assert_int_equal(uv_loop_close(&h->shelf.loop), 0);
    shelf_remove_all(h->shelf.folder);
    free(h);
    return 0;
}

static void discover(struct house *h, uint64_t address, uint16_t source, unsigned layout,
                     int64_t wall)
{
    struct gatt_tree *t = shelf_make_tree(layout);
    struct gatt_known known;

    assert_int_equal(gatt_cache_discovered(h->cache, address, source, t, 247, wall, &known), 0);
    gatt_tree_release(t);
}

static bool is_known(struct house *h, uint64_t address)
{
    struct gatt_known known;

    return gatt_cache_find(h->cache, address, NOW, &known);
}

static void P02_a_restart_needs_no_discovery_and_knows_the_proved_proxies(void **state)
{
    const uint8_t hash[GATT_HASH_SIZE] = {1, 2, 3};
    struct house *h = *state;
    struct gatt_cache_statistics statistics;
    struct gatt_known known;
    uint32_t mtu = 0;

    discover(h, ADDRESS(1), KITCHEN, 1, MOMENT);
    discover(h, ADDRESS(2), HALL, 1, MOMENT + 1);
    assert_true(gatt_cache_hashed(h->cache, ADDRESS(1), hash, NOW));
    restart(h, 10);
    assert_true(gatt_cache_find(h->cache, ADDRESS(1), NOW, &known));
    assert_int_equal(shelf_layout_of(known.tree), 1);
    assert_true(known.has_hash);
    assert_memory_equal(known.hash, hash, sizeof hash);
    assert_true(known.updated == MOMENT);
    assert_true(gatt_cache_is_proved(h->cache, ADDRESS(1), KITCHEN, &mtu));
    assert_int_equal(mtu, 247);
    assert_false(gatt_cache_is_proved(h->cache, ADDRESS(1), HALL, &mtu));
    assert_true(gatt_cache_is_proved(h->cache, ADDRESS(2), HALL, &mtu));
    gatt_cache_get_statistics(h->cache, &statistics);
    assert_int_equal(statistics.trees, 1);
    assert_int_equal(shelf_status(&h->shelf).waiting, 0); /* nothing to write back */
}

static void P05_what_was_forgotten_stays_forgotten_over_a_restart(void **state)
{
    struct house *h = *state;
    struct store_pair pair = {ADDRESS(1), MAC(KITCHEN), 247, true};

    discover(h, ADDRESS(1), KITCHEN, 1, MOMENT);
    store_put_pair(h->shelf.store, &pair, true); /* bonded */
    shelf_run_until_written(&h->shelf, 1);
    assert_true(gatt_cache_forget(h->cache, ADDRESS(1), GATT_DOUBT_CHANGED));
    restart(h, 10);
    assert_false(is_known(h, ADDRESS(1)));
    assert_true(store_get_pair(h->shelf.store, ADDRESS(1), MAC(KITCHEN), &pair));
    assert_true(pair.is_bonded);
    assert_int_equal(pair.mtu, 0);
}

static void private_addresses_are_known_for_the_run_alone(void **state)
{
    struct house *h = *state;
    struct store_pair pair;

    discover(h, PRIVATE, KITCHEN, 1, MOMENT);
    assert_true(is_known(h, PRIVATE));
    restart(h, 10);
    assert_false(is_known(h, PRIVATE));
    assert_false(store_get_pair(h->shelf.store, PRIVATE, MAC(KITCHEN), &pair));
}

static void file_forgets_what_a_smaller_cache_has_no_room_for(void **state)
{
    struct house *h = *state;
    uint32_t mtu;

    for (size_t i = 0; i < 6; i++)
        discover(h, ADDRESS(i), KITCHEN, (unsigned) i % 2, MOMENT + (int64_t) i);
    restart(h, 4);
    assert_false(is_known(h, ADDRESS(1)));
    assert_true(is_known(h, ADDRESS(2)));
    assert_int_equal(shelf_status(&h->shelf).waiting, 2);
    restart(h, 10);
    assert_false(is_known(h, ADDRESS(1)));
    assert_true(is_known(h, ADDRESS(2)) && is_known(h, ADDRESS(5)));
    discover(h, ADDRESS(1), HALL, 7, MOMENT + 9); /* the kitchen's proof was of another tree */
    restart(h, 10);
    assert_true(gatt_cache_is_proved(h->cache, ADDRESS(1), HALL, &mtu));
    assert_false(gatt_cache_is_proved(h->cache, ADDRESS(1), KITCHEN, &mtu));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(P02_a_restart_needs_no_discovery_and_knows_the_proved_proxies),
            TEST(P05_what_was_forgotten_stays_forgotten_over_a_restart),
            TEST(private_addresses_are_known_for_the_run_alone),
            TEST(file_forgets_what_a_smaller_cache_has_no_room_for),
    };

    return cmocka_run_group_tests_name("store.gatt_restart", tests, NULL, NULL);
}
