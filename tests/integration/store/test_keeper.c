/* The device table over a restart: what the keeper carries to the store comes back. */
#include "keeper/keeper.h"

#include <math.h>

#include "scan/device_table.h"
#include "shelf.h"

#define KITCHEN   0 /* sources */
#define HALL      1
#define STRANGER  2 /* its MAC is not known */
#define MAC(i)    (0x246f28aabb00u + (uint64_t) (i))
#define PRIVATE   0x4a0000000001u
#define SECOND_US USEC_PER_SEC

struct house {
    struct shelf shelf;
    struct device_table *table;
    struct keeper *keeper;
    uint16_t kitchen; /* its number in this run */
};

static uint64_t mac_of(void *user, uint16_t source)
{
    const struct house *h = user;

    if (source == STRANGER)
        return 0;
    return source == h->kitchen ? MAC(KITCHEN) : MAC(HALL);
}

static uint16_t source_of(void *user, uint64_t mac)
{
    const struct house *h = user;

    return mac == MAC(KITCHEN) ? h->kitchen : (uint16_t) SOURCE_NONE;
}

static void on_change(void *user, const struct device_change *change)
{
    const struct house *h = user;

    if (h->keeper)
        keeper_changed(h->keeper, change);
}

static void start(struct house *h, uint32_t devices_max)
{
    const struct device_table_settings settings = {
            .devices_max = devices_max,
            .forget_after = 3600 * SECOND_US,
            .forget_private_after = 900 * SECOND_US,
            .stale_after = 900 * SECOND_US,
            .quiet_after = 90 * SECOND_US,
            .margin_db = 16,
            .reclaim_db = 6,
            .ewma_alpha = 0.3,
            .strong_dbm = -70,
            .roam_factor = 1.5,
            .gone_factor = 2.5,
    };
    const struct keeper_proxies proxies = {mac_of, source_of, h};

    shelf_open(&h->shelf);
    h->table = device_table_new(&settings, on_change, h);
    h->keeper = keeper_new(h->table, h->shelf.store, &proxies);
    assert_int_equal(keeper_restore(h->keeper, NULL, NULL), 0);
}

static void stop(struct house *h)
{
    keeper_sweep(h->keeper);
    shelf_close(&h->shelf);
    keeper_free(h->keeper);
    h->keeper = NULL;
    device_table_free(h->table);
}

static int setup(void **state)
{
    struct house *h = xnew(struct house, 1);

    shelf_make(&h->shelf);
    start(h, 100);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct house *h = *state;

    stop(h);
    assert_int_equal(uv_loop_close(&h->shelf.loop), 0);
    shelf_remove_all(h->shelf.folder);
    free(h);
    return 0;
}

static void hear(struct house *h, uint16_t source, uint64_t address, uint8_t type, int8_t rssi)
{
    static const uint8_t payload[] = {2, 1, 6, 3, 9, 'h', 'i', 5, 0x16, 0xd2, 0xfc, 0x40, 1};
    const struct ble_report report = {
            .address = address,
            .data = payload,
            .size = sizeof payload,
            .rssi = rssi,
            .address_type = type,
    };

    device_table_observe(h->table, source, &report, 1, clock_now());
}

static void P06_table_survives_a_restart_under_other_source_numbers(void **state)
{
    struct house *h = *state;
    struct device_facts before, after;
    struct device_source source;
    struct device_element e;
    struct device_packet latest;
    const struct device *d;
    size_t elements = 0;

    hear(h, HALL, ADDRESS(1), BLE_ADDRESS_PUBLIC, -80);
    hear(h, STRANGER, ADDRESS(1), BLE_ADDRESS_PUBLIC, -70);
    hear(h, KITCHEN, ADDRESS(1), BLE_ADDRESS_PUBLIC, -40);
    device_get_facts(h->table, device_table_find(h->table, ADDRESS(1)), &before);
    assert_int_equal(before.owner, KITCHEN);
    stop(h);
    h->kitchen = 9;
    start(h, 100);
    d = device_table_find(h->table, ADDRESS(1));
    assert_non_null(d);
    device_get_facts(h->table, d, &after);
    assert_string_equal(after.name, "hi");
    assert_true(after.is_available);
    assert_int_equal(after.owner, 9);
    assert_int_equal(after.rssi, -40);
    assert_true(after.rssi_smoothed == -40);
    assert_int_equal(after.advertisements, 3);
    assert_true(after.last_seen <= clock_now());
    assert_true(clock_now() - after.last_seen < 60 * SECOND_US);
    assert_true(device_get_source(h->table, d, 0, &source));
    assert_int_equal(source.source, 9);
    assert_false(device_get_source(h->table, d, 1, &source)); /* nobody has the hall's MAC now */
    device_get_latest(h->table, d, &latest);
    assert_int_equal(latest.source, 9);
    assert_int_equal(latest.size, 13);
    while (device_get_element(h->table, d, elements, &e)) {
        assert_int_equal(e.source, 9);
        elements++;
    }
    assert_int_equal(elements, 3);
}

static void private_addresses_do_not_come_back(void **state)
{
    struct house *h = *state;

    hear(h, KITCHEN, PRIVATE, BLE_ADDRESS_RANDOM, -40);
    hear(h, KITCHEN, 0xca0000000001, BLE_ADDRESS_RANDOM, -40); /* random and static */
    assert_int_equal(shelf_status(&h->shelf).waiting, 1);
    stop(h);
    start(h, 100);
    assert_null(device_table_find(h->table, PRIVATE));
    assert_non_null(device_table_find(h->table, 0xca0000000001));
}

static void forgotten_device_does_not_come_back(void **state)
{
    struct house *h = *state;

    hear(h, KITCHEN, ADDRESS(1), BLE_ADDRESS_PUBLIC, -40);
    shelf_run_until_written(&h->shelf, 1);
    assert_int_equal(shelf_status(&h->shelf).devices, 1);
    assert_true(device_table_forget(h->table, ADDRESS(1)));
    stop(h);
    start(h, 100);
    assert_int_equal(device_table_count(h->table), 0);
}

static void sweep_touches_what_was_heard_since_the_last(void **state)
{
    struct house *h = *state;

    hear(h, KITCHEN, ADDRESS(1), BLE_ADDRESS_PUBLIC, -40);
    shelf_run_until_written(&h->shelf, 1);
    hear(h, KITCHEN, ADDRESS(1), BLE_ADDRESS_PUBLIC, -40); /* no change */
    assert_int_equal(shelf_status(&h->shelf).waiting, 0);
    keeper_sweep(h->keeper);
    assert_int_equal(shelf_status(&h->shelf).waiting, 1);
    shelf_run_until_written(&h->shelf, 2);
    keeper_sweep(h->keeper);
    assert_int_equal(shelf_status(&h->shelf).waiting, 0);
}

static void file_forgets_what_a_smaller_table_has_no_room_for(void **state)
{
    struct house *h = *state;

    for (uint64_t i = 0; i < 6; i++)
        hear(h, KITCHEN, ADDRESS(i), BLE_ADDRESS_PUBLIC, -40);
    stop(h);
    start(h, 4);
    assert_int_equal(device_table_count(h->table), 4);
    shelf_run_until_written(&h->shelf, 1);
    assert_int_equal(shelf_status(&h->shelf).devices, 4);
}

static bool read_with_interval(void *user, uint64_t address, struct store_device *ret_device)
{
    const struct house *h = user;

    *ret_device = (struct store_device){
            .address = address,
            .last_seen = clock_wall(),
            .interval = 3500000,
            .latest = {.sighting = STORE_SIGHTING_NONE},
    };
    return h != NULL;
}

static void P09_learned_interval_goes_from_run_to_run(void **state)
{
    struct house *h = *state;
    struct device_facts facts;

    store_read_devices_from(h->shelf.store, read_with_interval, h);
    store_touch_device(h->shelf.store, ADDRESS(1));
    for (int run = 0; run < 2; run++) {
        stop(h);
        start(h, 100);
        device_get_facts(h->table, device_table_find(h->table, ADDRESS(1)), &facts);
        assert_true(facts.interval_learned == 3500000);
        hear(h, KITCHEN, ADDRESS(1), BLE_ADDRESS_PUBLIC, -40); /* so that the keeper writes it */
    }
}

static bool read_from_the_future(void *user, uint64_t address, struct store_device *ret_device)
{
    const struct house *h = user;

    *ret_device = (struct store_device){
            .address = address,
            .last_seen = clock_wall() + (address == ADDRESS(0) ? 10 : 7200) * INT64_C(1000000),
            .latest = {.sighting = STORE_SIGHTING_NONE},
    };
    return h != NULL;
}

static void time_far_in_the_future_is_of_unknown_age(void **state)
{
    struct house *h = *state;
    struct device_facts slightly, far;

    store_read_devices_from(h->shelf.store, read_from_the_future, h);
    store_touch_device(h->shelf.store, ADDRESS(0));
    store_touch_device(h->shelf.store, ADDRESS(1));
    stop(h);
    start(h, 100);
    device_get_facts(h->table, device_table_find(h->table, ADDRESS(0)), &slightly);
    device_get_facts(h->table, device_table_find(h->table, ADDRESS(1)), &far);
    assert_true(slightly.is_available);
    assert_false(far.is_available);
    assert_true(far.last_seen < clock_now() - 3600 * SECOND_US);
}

static void device_of_many_proxies_keeps_its_owner_and_the_latest(void **state)
{
    struct house *h = *state;
    struct device_source source;

    h->kitchen = 50;
    device_table_source_online(h->table, 50, true, clock_now());
    hear(h, 50, ADDRESS(1), BLE_ADDRESS_PUBLIC, -40); /* the owner, and the first of 70 */
    for (uint16_t i = 100; i < 170; i++)
        hear(h, i, ADDRESS(1), BLE_ADDRESS_PUBLIC, -45);
    stop(h);
    start(h, 100);
    assert_true(device_get_source(h->table, device_table_find(h->table, ADDRESS(1)), 0, &source));
    assert_int_equal(source.source, 50);
    assert_true(source.is_owner);
}

int main(void)
{
#define HOUSE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
            HOUSE_TEST(P06_table_survives_a_restart_under_other_source_numbers),
            HOUSE_TEST(private_addresses_do_not_come_back),
            HOUSE_TEST(forgotten_device_does_not_come_back),
            HOUSE_TEST(sweep_touches_what_was_heard_since_the_last),
            HOUSE_TEST(file_forgets_what_a_smaller_table_has_no_room_for),
            HOUSE_TEST(P09_learned_interval_goes_from_run_to_run),
            HOUSE_TEST(time_far_in_the_future_is_of_unknown_age),
            HOUSE_TEST(device_of_many_proxies_keeps_its_owner_and_the_latest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
