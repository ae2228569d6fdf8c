/* What the table tells for a history: loudness by slots of time, packets of chosen devices; and
 * what it says of two rivals. */
#include <math.h>

#include "table_fixture.h"

#define HELLO "0201060709536e736f7231"

static struct device_slot told;
static uint16_t told_source;
static size_t told_count, watched_count;
static int8_t watched_rssi;

static void on_slot(void *user, uint64_t address, uint16_t source, const struct device_slot *slot)
{
    (void) user;
    assert_true(address == DEVICE);
    told = *slot;
    told_source = source;
    told_count++;
}

static void on_watched(void *user, uint16_t source, const struct ble_report *report)
{
    (void) user, (void) source;
    watched_rssi = report->rssi;
    watched_count++;
}

static int set_up(void **state)
{
    struct fixture *f;

    (void) fixture_setup(state);
    f = *state;
    device_table_on_slot(f->table, on_slot);
    device_table_on_watched(f->table, on_watched);
    told_count = watched_count = 0;
    f->now += DEVICE_SLOT - f->now % DEVICE_SLOT; /* a slot begins */
    return 0;
}

static struct device_source source_at(const struct fixture *f, size_t index)
{
    struct device_source source;

    assert_true(device_get_source(f->table, device_table_find(f->table, DEVICE), index, &source));
    return source;
}

static void a_slot_is_told_with_the_first_packet_after_it(void **state)
{
    struct fixture *f = *state;
    usec_t start = f->now;

    fixture_hear(f, 3, -60, HELLO);
    f->now += DEVICE_SLOT - 1;
    fixture_hear(f, 3, -63, HELLO);
    assert_int_equal(told_count, 0);
    f->now += 1;
    fixture_hear(f, 3, -90, HELLO);
    assert_int_equal(told_count, 1);
    assert_int_equal(told_source, 3);
    assert_true(told.start == start);
    assert_int_equal(told.packets, 2);
    assert_float_equal(told.rssi, -61.5, 0.001);
    assert_int_equal(source_at(f, 0).slot.packets, 1);
    assert_float_equal(source_at(f, 0).slot.rssi, -90, 0.001);
}

static void each_source_has_slots_of_its_own(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 1, -60, HELLO);
    fixture_hear(f, 2, -80, HELLO);
    f->now += DEVICE_SLOT;
    fixture_hear(f, 2, -80, HELLO);
    assert_int_equal(told_count, 1);
    assert_int_equal(told_source, 2);
    assert_float_equal(source_at(f, 0).slot.rssi, -60, 0.001);
}

static void a_packet_without_rssi_is_in_no_slot(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 1, 0, HELLO);
    assert_int_equal(source_at(f, 0).slot.packets, 0);
    assert_true(isnan(source_at(f, 0).slot.rssi));
    f->now += DEVICE_SLOT;
    fixture_hear(f, 1, 0, HELLO);
    assert_int_equal(told_count, 0);
}

static void packets_of_watched_devices_are_told_until_they_are_forgotten(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 1, -60, HELLO);
    assert_int_equal(watched_count, 0);
    device_table_watch(f->table, DEVICE);
    fixture_hear(f, 1, -61, HELLO);
    assert_int_equal(watched_count, 1);
    assert_int_equal(watched_rssi, -61);
    assert_true(device_table_forget(f->table, DEVICE));
    fixture_hear(f, 1, -62, HELLO);
    assert_int_equal(watched_count, 1);
}

static void D02_a_rival_is_told_what_it_lacks(void **state)
{
    struct fixture *f = *state;
    const struct device *d;
    struct device_rivalry r;

    fixture_hear(f, 1, -60, HELLO);
    fixture_hear(f, 2, -70, HELLO);
    d = device_table_find(f->table, DEVICE);
    f->now += 7 * USEC_PER_SEC;
    assert_false(device_get_rivalry(f->table, d, 0, f->now, &r)); /* the owner */
    assert_false(device_get_rivalry(f->table, d, 2, f->now, &r)); /* nobody */
    assert_true(device_get_rivalry(f->table, d, 1, f->now, &r));
    assert_float_equal(r.terms.ways[OWNERSHIP_FAST].has_db, -10, 0.001);
    assert_float_equal(r.terms.ways[OWNERSHIP_FAST].needs_db, 16, 0.001);
    assert_int_equal(r.terms.packets, 1);
    assert_true(r.is_owner_online);
    assert_true(r.owner_silent_for == 7 * USEC_PER_SEC);
    device_table_source_online(f->table, 1, false, f->now);
    assert_true(device_get_rivalry(f->table, d, 1, f->now, &r));
    assert_false(r.is_owner_online);
}

#define SLOT_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            SLOT_TEST(a_slot_is_told_with_the_first_packet_after_it),
            SLOT_TEST(each_source_has_slots_of_its_own),
            SLOT_TEST(a_packet_without_rssi_is_in_no_slot),
            SLOT_TEST(packets_of_watched_devices_are_told_until_they_are_forgotten),
            SLOT_TEST(D02_a_rival_is_told_what_it_lacks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
