/* What the table holds when there is much, and when it is meant badly. */
#include <stdio.h>

#include "allocations.h"
#include "table_fixture.h"

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- steady state ---- */

/* A full payload: flags, a name, service data and manufacturer data that carry the number. */
static void make_payload(uint8_t ret_data[BLE_REPORT_DATA_MAX], uint32_t number)
{
    static const uint8_t head[] = {2,   1,   6,   11,  9,   's', 'e', 'n',
                                   's', 'o', 'r', ' ', 'n', 'o', '1'};
    size_t at = sizeof head;

    memset(ret_data, 0, BLE_REPORT_DATA_MAX);
    memcpy(ret_data, head, sizeof head);
    memcpy(ret_data + at, "\x17\x16\xd2\xfc", 4);
    memcpy(ret_data + at + 4, &number, sizeof number);
    at += 24;
    memcpy(ret_data + at, "\x16\xff\x4c\x00", 4);
    memcpy(ret_data + at + 4, &number, sizeof number);
}

static void hear_crowd(struct fixture *f, uint32_t *random, size_t reports, uint32_t devices)
{
    uint8_t data[16][BLE_REPORT_DATA_MAX];
    struct ble_report batch[16];

    for (size_t done = 0; done < reports; done += 16) {
        for (size_t i = 0; i < 16; i++) {
            uint32_t device = draw(random) % devices;

            make_payload(data[i], draw(random) % 5 ? device : draw(random));
            batch[i] = (struct ble_report){
                    .address = DEVICE + device,
                    .data = data[i],
                    .size = BLE_REPORT_DATA_MAX,
                    .rssi = (int8_t) (-40 - (int) (draw(random) % 50)),
            };
        }
        f->now += 500;
        device_table_observe(f->table, (uint16_t) (draw(random) % 5), batch, 16, f->now);
        device_table_advance(f->table, f->now);
    }
}

static void steady_state_of_100000_reports_allocates_nothing(void **state)
{
    struct fixture *f = *state;
    uint32_t random = 1;
    size_t before;

    hear_crowd(f, &random, 100000, 500); /* warm up: every row has all it may need */
    before = allocations_count();
    hear_crowd(f, &random, 100000, 500);
    assert_int_equal(allocations_count(), before);
    assert_int_equal(device_table_count(f->table), 500);
}

static void full_table_that_evicts_all_the_time_allocates_nothing(void **state)
{
    struct fixture *f = *state;
    struct device_table_settings settings = fixture_settings();
    uint32_t random = 1;
    size_t before;

    settings.devices_max = 400;
    device_table_free(f->table);
    fixture_start(f, &settings);
    hear_crowd(f, &random, 200000, 500);
    before = allocations_count();
    hear_crowd(f, &random, 100000, 500);
    assert_int_equal(allocations_count(), before);
    assert_int_equal(device_table_count(f->table), 400);
    assert_true(fixture_statistics(f).evicted > 1000);
}

/* ---- memory ---- */

static size_t bytes_per_device(struct fixture *f, uint32_t devices, uint16_t sources)
{
    uint8_t data[BLE_REPORT_DATA_MAX];

    for (uint32_t i = 0; i < devices; i++) {
        make_payload(data, i);
        for (uint16_t source = 0; source < sources; source++)
            fixture_hear_octets(f, source, DEVICE + i, -60, data, sizeof data);
    }
    return fixture_statistics(f).memory_bytes / device_table_count(f->table);
}

static void device_of_three_sources_takes_less_than_a_kibibyte(void **state)
{
    size_t bytes = bytes_per_device(*state, 10000, 3);

    print_message("%zu octets a device\n", bytes);
    assert_true(bytes < 1024);
}

static void device_that_says_something_new_each_minute_stays_as_small(void **state)
{
    struct fixture *f = *state;
    uint8_t data[BLE_REPORT_DATA_MAX];
    size_t bytes = bytes_per_device(f, 1000, 3);

    for (uint32_t minute = 1; minute < 20; minute++) {
        f->now += SECONDS(61);
        for (uint32_t i = 0; i < 1000; i++) {
            make_payload(data, minute * 1000 + i);
            fixture_hear_octets(f, 0, DEVICE + i, -60, data, sizeof data);
        }
    }
    assert_int_equal(fixture_statistics(f).memory_bytes / 1000, bytes);
}

static void A16_a_thousand_devices_of_20_sources_take_less_than_12_mib(void **state)
{
    size_t bytes = 1000 * bytes_per_device(*state, 1000, 20);

    print_message("%zu octets\n", bytes);
    assert_true(bytes < 12 * 1024 * 1024);
}

static void memory_of_forgotten_devices_is_used_again(void **state)
{
    struct fixture *f = *state;
    size_t bytes = bytes_per_device(f, 1000, 3) * 1000;

    for (int round = 0; round < 10; round++) {
        f->now += SECONDS(200000);
        device_table_advance(f->table, f->now);
        assert_int_equal(device_table_count(f->table), 0);
        assert_int_equal(bytes_per_device(f, 1000, 3) * 1000, bytes);
    }
}

/* ---- eviction ---- */

#define CROWD 200
#define ROOM  50

/* The address that must go next, by a plain search; 0: none. */
static uint64_t least_recent(const uint64_t *heard, const bool *pinned)
{
    size_t least = CROWD;

    for (size_t i = 0; i < CROWD; i++) {
        if (heard[i] && !pinned[i] && (least == CROWD || heard[i] < heard[least]))
            least = i;
    }
    return least == CROWD ? 0 : DEVICE + least;
}

static void full_table_drops_exactly_the_least_recently_heard(void **state)
{
    struct fixture *f = *state;
    struct device_table_settings settings = fixture_settings();
    uint64_t heard[CROWD] = {0}, expected, count = 0;
    bool pinned[CROWD] = {false};
    uint32_t random = 11;
    size_t present = 0;

    settings.devices_max = ROOM;
    device_table_free(f->table);
    fixture_start(f, &settings);
    for (int step = 0; step < 20000; step++) {
        size_t i = draw(&random) % 3 ? draw(&random) % ROOM : draw(&random) % CROWD;

        if (draw(&random) % 50 == 0) {
            pinned[i] = i % 8 == 0 && !pinned[i];
            device_table_pin(f->table, DEVICE + i, pinned[i], 0);
        }
        expected = heard[i] || present < ROOM ? 0 : least_recent(heard, pinned);
        f->now += draw(&random) % 2; /* many at the same moment */
        fixture_hear_octets(f, 0, DEVICE + i, -60, NULL, 0);
        if (expected) {
            assert_int_equal(f->changes_count, 2);
            assert_int_equal(f->changes[0].kinds, DEVICE_FORGOTTEN);
            assert_true(f->addresses[0] == expected);
            heard[expected - DEVICE] = 0;
            present--;
        }
        present += heard[i] == 0;
        heard[i] = ++count;
        assert_int_equal(device_table_count(f->table), present);
    }
    assert_true(fixture_statistics(f).evicted > 1000);
}

static void table_full_of_pinned_devices_refuses_new_ones(void **state)
{
    struct fixture *f = *state;
    struct device_table_settings settings = fixture_settings();

    settings.devices_max = 2;
    device_table_free(f->table);
    fixture_start(f, &settings);
    for (uint64_t i = 0; i < 2; i++) {
        device_table_pin(f->table, DEVICE + i, true, 0);
        fixture_hear_octets(f, 0, DEVICE + i, -60, NULL, 0);
    }
    fixture_hear_octets(f, 0, DEVICE + 2, -60, NULL, 0);
    assert_int_equal(f->changes_count, 0);
    assert_int_equal(fixture_statistics(f).refused, 1);
    assert_int_equal(fixture_statistics(f).reports, 2);
    fixture_hear_octets(f, 0, DEVICE, -60, NULL, 0);
    assert_int_equal(fixture_statistics(f).reports, 3);
}

/* ---- hostile devices ---- */

static void rotating_keys_do_not_grow_a_device(void **state)
{
    struct fixture *f = *state;
    uint8_t data[BLE_REPORT_DATA_MAX];
    size_t bytes = 0;

    fixture_hear(f, 0, -60, "0709536e736f7231");
    for (uint32_t i = 0; i < 20000; i++) {
        f->now += 1000;
        for (size_t at = 0; at + 4 <= sizeof data; at += 4) {
            uint8_t key = (uint8_t) (i * 15 + at / 4);

            memcpy(data + at, (uint8_t[]){3, 0xff, key, (uint8_t) (i >> 4)}, 4);
        }
        fixture_hear_octets(f, 0, DEVICE, -60, data, 60);
        assert_true(fixture_count_elements(f) <= 32);
        if (i == 100)
            bytes = fixture_statistics(f).memory_bytes;
    }
    assert_int_equal(fixture_statistics(f).memory_bytes, bytes);
    assert_true(fixture_statistics(f).elements_dropped > 10000);
    assert_string_equal(fixture_facts(f).name, "Snsor1"); /* the name stays */
}

static void names_that_change_all_the_time_do_not_grow_a_device(void **state)
{
    struct fixture *f = *state;
    uint8_t data[BLE_REPORT_DATA_MAX] = {0};
    size_t bytes = 0;

    for (size_t i = 0; i < 20000; i++) {
        size_t size = 60; /* a shorter one would not replace it */

        f->now += 1000;
        memset(data + 2, 'a' + (int) (i % 26), size);
        data[0] = (uint8_t) (size + 1);
        data[1] = 9;
        fixture_hear_octets(f, 0, DEVICE, -60, data, size + 2);
        if (i == 100)
            bytes = fixture_statistics(f).memory_bytes;
    }
    assert_int_equal(fixture_statistics(f).memory_bytes, bytes);
}

static void element_heard_longest_ago_goes_first(void **state)
{
    struct fixture *f = *state;
    char hex[32];

    for (unsigned i = 0; i < 33; i++) {
        f->now += 1000;
        (void) snprintf(hex, sizeof hex, "03ff%02x00", i);
        fixture_hear(f, 0, -60, hex);
        if (i == 10)
            fixture_hear(f, 0, -60, "03ff0000"); /* once more, by a kept payload or not */
    }
    assert_int_equal(fixture_count_elements(f), 32);
    assert_int_equal(fixture_statistics(f).elements_dropped, 1);
    assert_int_equal(fixture_element(f, 0xff, 0).company, 0);
    assert_int_equal(fixture_element(f, 0xff, 2).company, 2);
    assert_int_equal(fixture_element(f, 0xff, 32).company, 32);
}

/* A list of 30 UUIDs that begin with first. */
static void hear_uuids(struct fixture *f, uint8_t first)
{
    uint8_t data[BLE_REPORT_DATA_MAX] = {61, 3};

    for (uint8_t i = 0; i < 30; i++)
        data[2 + 2 * i] = (uint8_t) (first + i);
    f->now += 1000;
    fixture_hear_octets(f, 0, DEVICE, -60, data, sizeof data);
}

static void first_element_goes_when_it_was_heard_longest_ago(void **state)
{
    struct fixture *f = *state;
    char hex[32];

    for (unsigned i = 0; i < 33; i++) {
        f->now += 1000;
        (void) snprintf(hex, sizeof hex, "03ff%02x00", i);
        fixture_hear(f, 0, -60, hex);
    }
    assert_int_equal(fixture_count_elements(f), 32);
    for (int company = 1; company < 33; company++) /* in the order they came, without the first */
        assert_int_equal(fixture_element(f, 0xff, company).company, company);
}

static void elements_that_were_dropped_return_with_their_packet(void **state)
{
    struct fixture *f = *state;

    hear_uuids(f, 0);
    hear_uuids(f, 100);
    assert_int_equal(fixture_statistics(f).elements_dropped, 28);
    hear_uuids(f, 0);
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
    for (int i = 0; i < 30; i++)
        assert_int_equal(fixture_element(f, 3, i).last_seen, f->now);
}

static void elements_keep_their_payloads_when_one_before_them_is_dropped(void **state)
{
    struct fixture *f = *state;

    hear_uuids(f, 0);
    f->now += 1000;
    fixture_hear(f, 0, -60,
                 "020106"
                 "020af4");
    f->now += 1000;
    fixture_hear(f, 0, -60, "03ff4c00"); /* takes the place of a UUID */
    assert_int_equal(fixture_statistics(f).elements_dropped, 1);
    f->now += 1000;
    fixture_hear(f, 0, -60,
                 "020106"
                 "020af4");
    assert_int_equal(fixture_statistics(f).parses, 3);
    assert_int_equal(fixture_element(f, 0x01, -1).last_seen, f->now);
    assert_int_equal(fixture_element(f, 0x0a, -1).last_seen, f->now);
    assert_int_equal(fixture_element(f, 0xff, 0x4c).last_seen, f->now - 1000);
}

static void large_values_that_change_their_size_stay_within_the_octets(void **state)
{
    struct fixture *f = *state;
    uint8_t data[BLE_REPORT_DATA_MAX];
    struct device_element e;

    for (uint32_t round = 0; round < 2000; round++) {
        size_t size = 41 + round % 21, total = 0;
        uint8_t company = (uint8_t) (round % 25);

        f->now += 1000;
        memset(data, (int) (round & 0xff), sizeof data);
        data[0] = (uint8_t) size;
        data[1] = 0xff;
        data[2] = company;
        data[3] = 0;
        fixture_hear_octets(f, 0, DEVICE, -60, data, size + 1);
        e = fixture_element(f, 0xff, company);
        assert_int_equal(e.size, size - 3);
        assert_memory_equal(e.data, data + 4, size - 3);
        for (size_t i = 0; device_get_element(f->table, device_table_find(f->table, DEVICE), i, &e);
             i++)
            total += e.size + 2;
        assert_true(total <= 1024);
    }
    assert_true(fixture_statistics(f).elements_dropped > 0);
}

/* All keys of a packet are in the view already, with large values that fill it. */
static void small_values_for_many_large_ones_need_no_victims(void **state)
{
    struct fixture *f = *state;
    uint8_t data[BLE_REPORT_DATA_MAX] = {61, 0xff};

    for (uint8_t company = 0; company < 17; company++) {
        data[2] = company;
        fixture_hear_octets(f, 0, DEVICE, -60, data, sizeof data);
    }
    for (size_t at = 0; at + 4 <= sizeof data; at += 4)
        memcpy(data + at, (uint8_t[]){3, 0xff, (uint8_t) (at / 4), 0}, 4);
    fixture_hear_octets(f, 0, DEVICE, -60, data, 60);
    assert_int_equal(fixture_element(f, 0xff, 14).size, 0);
    assert_int_equal(fixture_element(f, 0xff, 0).size, 0);
    assert_int_equal(fixture_statistics(f).elements_dropped, 0);
}

static void most_crowded_packets_are_taken_whole(void **state)
{
    struct fixture *f = *state;
    uint8_t data[BLE_REPORT_DATA_MAX] = {61, 3};

    fixture_hear(f, 0, -60, "0709536e736f7231");
    for (uint8_t round = 0; round < 5; round++) {
        for (uint8_t i = 0; i < 30; i++) { /* 30 UUIDs in one list */
            data[2 + 2 * i] = i;
            data[3 + 2 * i] = round;
        }
        fixture_hear_octets(f, 0, DEVICE, -60, data, sizeof data);
        for (int i = 0; i < 30; i++)
            assert_int_equal(fixture_element(f, 3, round << 8 | i).size, 2);
    }
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = i % 2 ? (uint8_t) (i + 64) : 1; /* 31 structures without data */
    fixture_hear_octets(f, 0, DEVICE, -60, data, sizeof data);
    assert_int_equal(fixture_kinds(f), 0);
    memset(data, 0, sizeof data);
    fixture_hear_octets(f, 0, DEVICE, -60, data, sizeof data);
    assert_int_equal(fixture_kinds(f), 0);
    memset(data, 0xff, sizeof data);
    fixture_hear_octets(f, 0, DEVICE, -60, data, sizeof data);
    assert_int_equal(fixture_kinds(f), 0);
}

static void random_octets_do_no_harm(void **state)
{
    struct fixture *f = *state;
    uint8_t data[BLE_REPORT_DATA_MAX];
    uint32_t random = 3;

    for (int round = 0; round < 50000; round++) {
        size_t size = draw(&random) % (BLE_REPORT_DATA_MAX + 1);

        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t) (draw(&random) % 3 ? draw(&random) % 12 : draw(&random));
        f->now += 100;
        fixture_hear_octets(f, (uint16_t) (draw(&random) % 32), DEVICE + draw(&random) % 8,
                            (int) (draw(&random) & 0xff) - 128, data, size);
    }
    assert_int_equal(device_table_count(f->table), 8);
    assert_true(fixture_count_elements(f) <= 32);
}

static void device_heard_by_all_sources_there_can_be_is_complete(void **state)
{
    struct fixture *f = *state;
    struct device_source source;
    const struct device *d;

    for (uint16_t i = 0; i < DEVICE_TABLE_SOURCES_MAX; i++)
        fixture_hear(f, i, -60, "020106");
    d = device_table_find(f->table, DEVICE);
    for (uint16_t i = 0; i < DEVICE_TABLE_SOURCES_MAX; i++) {
        assert_true(device_get_source(f->table, d, i, &source));
        assert_int_equal(source.source, i);
    }
    assert_false(device_get_source(f->table, d, DEVICE_TABLE_SOURCES_MAX, &source));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            FIXTURE_TEST(steady_state_of_100000_reports_allocates_nothing),
            FIXTURE_TEST(full_table_that_evicts_all_the_time_allocates_nothing),
            FIXTURE_TEST(device_of_three_sources_takes_less_than_a_kibibyte),
            FIXTURE_TEST(device_that_says_something_new_each_minute_stays_as_small),
            FIXTURE_TEST(A16_a_thousand_devices_of_20_sources_take_less_than_12_mib),
            FIXTURE_TEST(memory_of_forgotten_devices_is_used_again),
            FIXTURE_TEST(full_table_drops_exactly_the_least_recently_heard),
            FIXTURE_TEST(table_full_of_pinned_devices_refuses_new_ones),
            FIXTURE_TEST(rotating_keys_do_not_grow_a_device),
            FIXTURE_TEST(names_that_change_all_the_time_do_not_grow_a_device),
            FIXTURE_TEST(element_heard_longest_ago_goes_first),
            FIXTURE_TEST(first_element_goes_when_it_was_heard_longest_ago),
            FIXTURE_TEST(elements_that_were_dropped_return_with_their_packet),
            FIXTURE_TEST(elements_keep_their_payloads_when_one_before_them_is_dropped),
            FIXTURE_TEST(large_values_that_change_their_size_stay_within_the_octets),
            FIXTURE_TEST(small_values_for_many_large_ones_need_no_victims),
            FIXTURE_TEST(most_crowded_packets_are_taken_whole),
            FIXTURE_TEST(random_octets_do_no_harm),
            FIXTURE_TEST(device_heard_by_all_sources_there_can_be_is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
