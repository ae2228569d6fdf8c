/* Devices that come back after a restart, as somebody remembered them. */
#include "scan/device_table.h"

#include <math.h>

#include "ble/advertising_data.h"
#include "table_fixture.h"

static const uint8_t payload[] = {2, 1, 6, 2, 0x0a, 4}; /* flags, and a transmit power of 4 dBm */
static const uint8_t flags[] = {6}, power[] = {4}, name[] = {'S', 'n', 's', 'o', 'r'};
static const uint8_t reading[] = {0xd2, 0xfc, 0x40, 0x01};

/* A device of two sources, 1 the owner, heard `age` ago; what it points to is static. */
static struct device_restored remembered(const struct fixture *f, usec_t age)
{
    static struct device_source sources[2];
    static struct device_element elements[4];
    usec_t last_seen = f->now - age;

    sources[0] = (struct device_source){
            .source = 7, .rssi = -80, .rssi_smoothed = -81.5, .last_seen = last_seen};
    sources[1] = (struct device_source){.source = 1,
                                        .rssi = -60,
                                        .rssi_smoothed = -62.25,
                                        .last_seen = last_seen,
                                        .advertisements = 12,
                                        .is_owner = true};
    elements[0] = (struct device_element){
            .type = AD_NAME, .source = 7, .last_seen = last_seen, .octets = {name, sizeof name}};
    elements[1] = (struct device_element){
            .type = AD_FLAGS, .source = 1, .last_seen = last_seen, .octets = {flags, 1}};
    elements[2] = (struct device_element){.type = AD_SERVICE_DATA_16,
                                          .source = 1,
                                          .last_seen = last_seen - SECONDS(1),
                                          .octets = {reading, sizeof reading}};
    elements[3] = (struct device_element){
            .type = AD_TX_POWER, .source = 1, .last_seen = last_seen, .octets = {power, 1}};
    return (struct device_restored){
            .address = DEVICE,
            .address_type = BLE_ADDRESS_PUBLIC,
            .first_seen = last_seen - SECONDS(500),
            .last_seen = last_seen,
            .advertisements = 34,
            .latest = {.ad_data = payload, .size = sizeof payload, .source = 1, .rssi = -61},
            .sources = sources,
            .sources_count = ARRAY_SIZE(sources),
            .elements = elements,
            .elements_count = ARRAY_SIZE(elements),
    };
}

static void restore(struct fixture *f, usec_t age)
{
    const struct device_restored r = remembered(f, age);

    f->changes_count = 0;
    assert_true(device_table_restore(f->table, &r, f->now));
}

static void P06_device_is_complete_again_and_nothing_is_told(void **state)
{
    struct fixture *f = *state;
    struct device_facts facts;
    struct device_packet latest;
    struct device_source source;

    restore(f, SECONDS(20));
    assert_int_equal(f->changes_count, 0);
    facts = fixture_facts(f);
    assert_string_equal(facts.name, "Snsor");
    assert_int_equal(facts.owner, 1);
    assert_int_equal(facts.rssi, -60);
    assert_true(facts.rssi_smoothed == -62.25);
    assert_true(facts.has_tx_power);
    assert_int_equal(facts.tx_power, 4);
    assert_int_equal(facts.last_seen, START - SECONDS(20));
    assert_int_equal(facts.first_seen, START - SECONDS(520));
    assert_int_equal(facts.advertisements, 34);
    assert_int_equal(fixture_count_elements(f), 4);
    assert_int_equal(fixture_element(f, AD_NAME, -1).source, 7);
    assert_int_equal(fixture_element(f, AD_SERVICE_DATA_16, 0xfcd2).last_seen, START - SECONDS(21));
    device_get_latest(f->table, device_table_find(f->table, DEVICE), &latest);
    assert_int_equal(latest.rssi, -61);
    assert_int_equal(latest.source, 1);
    assert_int_equal(latest.size, sizeof payload);
    assert_memory_equal(latest.data, payload, sizeof payload);
    assert_true(device_get_source(f->table, device_table_find(f->table, DEVICE), 1, &source));
    assert_int_equal(source.source, 1);
    assert_int_equal(source.advertisements, 12);
    assert_int_equal(fixture_statistics(f).reports, 0);
}

static void elements_told_are_elements_restored(void **state)
{
    struct fixture *f = *state;
    struct device_restored r = remembered(f, SECONDS(20));
    struct device_element told[4];

    fixture_hear(f, 1, -60,
                 "020106"
                 "0609536e736f72"
                 "0516d2fc4001"
                 "020a04");
    for (size_t i = 0; i < 4; i++)
        assert_true(device_get_element(f->table, device_table_find(f->table, DEVICE), i, &told[i]));
    r.address = DEVICE + 1;
    r.elements = told;
    assert_true(device_table_restore(f->table, &r, f->now));
    for (size_t i = 0; i < 4; i++) {
        struct device_element e;

        assert_true(device_get_element(f->table, device_table_find(f->table, DEVICE + 1), i, &e));
        assert_int_equal(e.type, told[i].type);
        assert_int_equal(e.octets.size, told[i].octets.size);
        assert_memory_equal(e.octets.data, told[i].octets.data, e.octets.size);
        assert_int_equal(e.has_uuid, told[i].has_uuid);
    }
}

static void P06_entry_of_195_s_is_available_at_once(void **state)
{
    struct fixture *f = *state;

    device_table_pin(f->table, DEVICE, true, SECONDS(10)); /* a known interval: 15 s of patience */
    restore(f, SECONDS(195));
    assert_true(fixture_facts(f).is_available);
    device_table_advance(f->table, f->now + DEVICE_RESTORED_GRACE - 1);
    assert_true(fixture_facts(f).is_available);
    device_table_advance(f->table, f->now + DEVICE_RESTORED_GRACE);
    assert_false(fixture_facts(f).is_available);
    assert_int_equal(f->changes[0].kinds, DEVICE_AVAILABILITY);
}

static void older_entry_of_known_interval_is_not_available(void **state)
{
    struct fixture *f = *state;

    device_table_pin(f->table, DEVICE, true, SECONDS(10));
    restore(f, SECONDS(196));
    assert_false(fixture_facts(f).is_available);
    fixture_hear_octets(f, 1, DEVICE, -60, payload, sizeof payload);
    assert_int_equal(fixture_kinds(f), DEVICE_AVAILABILITY); /* the same payload is no news */
}

static void entry_of_unknown_interval_is_available_for_the_stale_time(void **state)
{
    struct fixture *f = *state;

    restore(f, SECONDS(900));
    assert_true(fixture_facts(f).is_available);
    assert_true(device_table_forget(f->table, DEVICE));
    restore(f, SECONDS(901));
    assert_false(fixture_facts(f).is_available);
}

static void P06_name_outlives_a_long_absence_until_the_table_has_listened(void **state)
{
    struct fixture *f = *state;

    f->now = CLOCK_START;
    restore(f, SECONDS(30 * 86400));
    assert_false(fixture_facts(f).is_available);
    assert_int_equal(fixture_facts(f).last_seen, CLOCK_START - SECONDS(30 * 86400));
    f->now += SECONDS(899);
    device_table_advance(f->table, f->now);
    assert_string_equal(fixture_facts(f).name, "Snsor");
    device_table_advance(f->table, f->now + SECONDS(1));
    assert_null(device_table_find(f->table, DEVICE));
    assert_int_equal(f->changes[0].kinds, DEVICE_FORGOTTEN);
}

static void name_of_a_restored_device_survives_packets_without_one(void **state)
{
    struct fixture *f = *state;

    restore(f, SECONDS(2000));
    fixture_hear(f, 3, -50, "020106");
    assert_string_equal(fixture_facts(f).name, "Snsor");
    assert_true(fixture_facts(f).is_available);
}

static void restored_owner_that_stays_offline_loses_to_who_hears_it(void **state)
{
    struct fixture *f = *state;

    device_table_source_online(f->table, 1, false, f->now);
    restore(f, SECONDS(5));
    fixture_hear(f, 3, -90, "020106");
    assert_true(fixture_kinds(f) & DEVICE_OWNER);
    assert_int_equal(f->changes[0].owner_from, 1);
    assert_int_equal(f->changes[0].why, OWNER_PROXY_OFFLINE);
}

static void removed_source_leaves_nothing_in_a_restored_device(void **state)
{
    struct fixture *f = *state;
    struct device_element e;

    restore(f, SECONDS(5));
    device_table_source_remove(f->table, 1);
    device_table_source_remove(f->table, 7);
    for (size_t i = 0; device_get_element(f->table, device_table_find(f->table, DEVICE), i, &e);
         i++)
        assert_int_equal(e.source, SOURCE_NONE);
    assert_int_equal(fixture_facts(f).owner, SOURCE_NONE);
}

static void device_that_is_here_is_not_restored(void **state)
{
    struct fixture *f = *state;
    const struct device_restored r = remembered(f, SECONDS(5));

    fixture_hear(f, 3, -50, "020106");
    assert_false(device_table_restore(f->table, &r, f->now));
    assert_int_equal(fixture_facts(f).advertisements, 1);
}

static void future_and_malformed_parts_are_left_out(void **state)
{
    struct fixture *f = *state;
    struct device_restored r = remembered(f, SECONDS(5));
    static const uint8_t many[BLE_REPORT_DATA_MAX] = {1};
    struct device_packet latest;
    const struct device_source sources[] = {{.source = DEVICE_TABLE_SOURCES_MAX, .is_owner = true},
                                            {.source = SOURCE_NONE},
                                            {.source = 2},
                                            {.source = 2}};
    const struct device_element elements[] = {
            {.type = 0, .octets = {flags, 1}},
            {.type = AD_FLAGS},
            {.type = AD_MANUFACTURER, .octets = {flags, 1}},
            {.type = AD_UUIDS_16, .octets = {reading, 4}},
            {.type = 0x77, .octets = {many, sizeof many}},
            {.type = AD_NAME, .source = 9, .octets = {name, sizeof name}},
            {.type = AD_NAME_SHORT, .octets = {name, 2}},
    };

    r.sources = sources;
    r.sources_count = ARRAY_SIZE(sources);
    r.elements = elements;
    r.elements_count = ARRAY_SIZE(elements);
    r.last_seen = f->now + SECONDS(3600);
    r.first_seen = f->now + SECONDS(7200);
    r.latest.size = BLE_REPORT_DATA_MAX + 1;
    assert_true(device_table_restore(f->table, &r, f->now));
    assert_int_equal(fixture_count_elements(f), 1);
    assert_int_equal(fixture_element(f, AD_NAME, -1).source, SOURCE_NONE);
    assert_int_equal(fixture_facts(f).last_seen, f->now);
    assert_int_equal(fixture_facts(f).first_seen, f->now);
    assert_int_equal(fixture_facts(f).owner, SOURCE_NONE);
    device_get_latest(f->table, device_table_find(f->table, DEVICE), &latest);
    assert_int_equal(latest.size, 0);
}

static void restored_elements_keep_the_bounds_and_the_name(void **state)
{
    struct fixture *f = *state;
    struct device_restored r = remembered(f, SECONDS(5));
    static uint8_t octets[41][60];
    struct device_element elements[41], e;
    size_t total = 0;

    for (uint8_t i = 0; i < 40; i++) {
        octets[i][0] = i;
        elements[i] = (struct device_element){.type = AD_MANUFACTURER, .octets = {octets[i], 60}};
    }
    memset(octets[40], 'x', 60);
    elements[40] = (struct device_element){.type = AD_NAME, .octets = {octets[40], 60}};
    r.elements = elements;
    r.elements_count = ARRAY_SIZE(elements);
    assert_true(device_table_restore(f->table, &r, f->now));
    for (size_t i = 0; device_get_element(f->table, device_table_find(f->table, DEVICE), i, &e);
         i++)
        total += e.octets.size;
    assert_true(total <= 1024 + 60);
    assert_int_equal(fixture_facts(f).name_size, 60);
    for (int i = 0; i < 300; i++) { /* and it goes on as ever */
        uint8_t data[BLE_REPORT_DATA_MAX] = {61, 0xff, (uint8_t) i, 1};

        fixture_hear_octets(f, 1, DEVICE, -60, data, sizeof data);
    }
    assert_true(fixture_statistics(f).elements_dropped > 0);
    assert_int_equal(fixture_facts(f).name_size, 60);
}

static void restored_elements_may_fill_the_octets_to_the_last(void **state)
{
    struct fixture *f = *state;
    struct device_restored r = remembered(f, SECONDS(5));
    static uint8_t octets[19][60];
    struct device_element elements[19];

    for (uint8_t i = 0; i < 19; i++) { /* 17 of 60 octets and one of 4 are 1024; one is too many */
        octets[i][0] = i;
        elements[i] = (struct device_element){.type = AD_MANUFACTURER,
                                              .octets = {octets[i], i < 17 ? 60 : 4}};
    }
    r.elements = elements;
    r.elements_count = ARRAY_SIZE(elements);
    assert_true(device_table_restore(f->table, &r, f->now));
    assert_int_equal(fixture_count_elements(f), 18);
}

static void full_table_keeps_the_most_recently_heard_of_what_is_restored(void **state)
{
    struct fixture f;
    struct device_table_settings settings = fixture_settings();

    (void) state;
    settings.devices_max = 3;
    fixture_start(&f, &settings);
    device_table_pin(f.table, DEVICE, true, 0);
    for (uint64_t i = 0; i < 6; i++) {
        struct device_restored r = remembered(&f, SECONDS(600 - 100 * i));

        r.address = DEVICE + i;
        assert_true(device_table_restore(f.table, &r, f.now));
    }
    assert_int_equal(device_table_count(f.table), 3);
    assert_non_null(device_table_find(f.table, DEVICE)); /* configured */
    assert_non_null(device_table_find(f.table, DEVICE + 4));
    assert_non_null(device_table_find(f.table, DEVICE + 5));
    assert_int_equal(fixture_statistics(&f).evicted, 3);
    assert_int_equal(fixture_statistics(&f).reports, 0);
    device_table_free(f.table);
}

/* Its return counts like a packet of that moment: what was heard before it goes first. */
static void full_table_drops_what_was_heard_before_a_device_returned(void **state)
{
    struct fixture f;
    struct device_table_settings settings = fixture_settings();
    struct device_restored r;

    (void) state;
    settings.devices_max = 2;
    fixture_start(&f, &settings);
    fixture_hear_octets(&f, 1, DEVICE + 1, -60, flags, 0);
    r = remembered(&f, SECONDS(5));
    assert_true(device_table_restore(f.table, &r, f.now));
    fixture_hear_octets(&f, 1, DEVICE + 2, -60, flags, 0);
    assert_non_null(device_table_find(f.table, DEVICE));
    assert_null(device_table_find(f.table, DEVICE + 1));
    device_table_free(f.table);
}

static void table_full_of_pinned_devices_takes_nothing_back(void **state)
{
    struct fixture f;
    struct device_table_settings settings = fixture_settings();
    struct device_restored r;

    (void) state;
    settings.devices_max = 1;
    fixture_start(&f, &settings);
    device_table_pin(f.table, DEVICE + 1, true, 0);
    fixture_hear_octets(&f, 1, DEVICE + 1, -60, flags, 0);
    r = remembered(&f, SECONDS(5));
    assert_false(device_table_restore(f.table, &r, f.now));
    assert_int_equal(device_table_count(f.table), 1);
    assert_int_equal(fixture_statistics(&f).reports, 1);
    device_table_free(f.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            FIXTURE_TEST(P06_device_is_complete_again_and_nothing_is_told),
            FIXTURE_TEST(elements_told_are_elements_restored),
            FIXTURE_TEST(P06_entry_of_195_s_is_available_at_once),
            FIXTURE_TEST(older_entry_of_known_interval_is_not_available),
            FIXTURE_TEST(entry_of_unknown_interval_is_available_for_the_stale_time),
            FIXTURE_TEST(P06_name_outlives_a_long_absence_until_the_table_has_listened),
            FIXTURE_TEST(name_of_a_restored_device_survives_packets_without_one),
            FIXTURE_TEST(restored_owner_that_stays_offline_loses_to_who_hears_it),
            FIXTURE_TEST(removed_source_leaves_nothing_in_a_restored_device),
            FIXTURE_TEST(device_that_is_here_is_not_restored),
            FIXTURE_TEST(future_and_malformed_parts_are_left_out),
            FIXTURE_TEST(restored_elements_keep_the_bounds_and_the_name),
            FIXTURE_TEST(restored_elements_may_fill_the_octets_to_the_last),
            cmocka_unit_test(full_table_keeps_the_most_recently_heard_of_what_is_restored),
            cmocka_unit_test(table_full_of_pinned_devices_takes_nothing_back),
            cmocka_unit_test(full_table_drops_what_was_heard_before_a_device_returned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
