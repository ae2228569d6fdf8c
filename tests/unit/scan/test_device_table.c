#include "scan/device_table.h"

#include <math.h>

#include "ble/advertising_data.h"
#include "table_fixture.h"

#define FLAGS  "020106"
#define NAMED  FLAGS "0709536e736f7231" /* a complete name, "Snsor1" */
#define SENSOR "0516d2fc4001"           /* service data of fcd2 */

/* ---- intake ---- */

static void A01_batch_of_16_reports_yields_16_devices_of_that_source(void **state)
{
    struct fixture *f = *state;
    static const uint8_t flags[] = {2, 1, 6};
    struct ble_report reports[16];
    char text[BLE_ADDRESS_TEXT_SIZE];

    for (size_t i = 0; i < 16; i++) {
        reports[i] = (struct ble_report){
                .address = DEVICE + i,
                .data = flags,
                .size = sizeof flags,
                .rssi = (int8_t) (-50 - (int) i),
                .address_type = i % 2 ? BLE_ADDRESS_RANDOM : BLE_ADDRESS_PUBLIC,
        };
    }
    device_table_observe(f->table, 3, reports, 16, f->now);
    assert_int_equal(device_table_count(f->table), 16);
    assert_int_equal(f->changes_count, 16);
    for (size_t i = 0; i < 16; i++) {
        const struct device *d = device_table_find(f->table, DEVICE + i);
        struct device_facts facts;
        struct device_source source;

        device_get_facts(f->table, d, &facts);
        assert_int_equal(facts.rssi, -50 - (int) i);
        assert_int_equal(facts.address_type, i % 2 ? BLE_ADDRESS_RANDOM : BLE_ADDRESS_PUBLIC);
        assert_true(device_get_source(f->table, d, 0, &source));
        assert_int_equal(source.source, 3);
        assert_true(source.is_owner);
        assert_false(device_get_source(f->table, d, 1, &source));
    }
    ble_address_format(text, f->addresses[1]);
    assert_string_equal(text, "A4:C1:38:00:00:02");
}

static void A02_parsed_report_yields_an_equal_record_without_raw(void **state)
{
    struct fixture *f = *state;
    static const uint8_t octets[] = {2, 1, 6, 3, 9, 'h', 'i'};
    struct ble_report reports[2] = {
            {.address = DEVICE, .data = octets, .size = sizeof octets, .rssi = -50},
            {.address = DEVICE + 1, .data = octets, .size = sizeof octets, .rssi = -50},
    };
    struct device_packet raw, parsed;
    struct device_element a, b;
    const struct device *first, *second;

    reports[1].is_parsed = 1;
    device_table_observe(f->table, 0, reports, 2, f->now);
    first = device_table_find(f->table, DEVICE);
    second = device_table_find(f->table, DEVICE + 1);
    device_get_latest(f->table, first, &raw);
    device_get_latest(f->table, second, &parsed);
    assert_memory_equal(raw.data, octets, sizeof octets);
    assert_false(raw.is_parsed);
    assert_null(parsed.data);
    assert_true(parsed.is_parsed);
    assert_int_equal(parsed.size, sizeof octets);
    assert_memory_equal(parsed.ad_data, octets, sizeof octets);
    for (size_t i = 0; i < 2; i++) {
        assert_true(device_get_element(f->table, first, i, &a));
        assert_true(device_get_element(f->table, second, i, &b));
        assert_int_equal(a.type, b.type);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.data, b.data, a.size);
    }
}

static void first_packet_tells_first_seen_and_owner_in_one_change(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 5, -60, NAMED);
    assert_int_equal(fixture_kinds(f), DEVICE_FIRST_SEEN | DEVICE_OWNER);
    assert_int_equal(f->changes[0].source, 5);
    assert_int_equal(f->changes[0].why, OWNER_FIRST);
    assert_int_equal(f->changes[0].owner_from, SOURCE_NONE);
    assert_true(isnan(f->changes[0].rssi_from));
    assert_true(f->changes[0].rssi_to == -60);
    assert_int_equal(fixture_facts(f).owner, 5);
    assert_true(fixture_facts(f).is_available);
}

static void A15_unchanged_payload_is_not_parsed_again(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, NAMED SENSOR);
    assert_int_equal(fixture_statistics(f).parses, 1);
    for (uint16_t i = 0; i < 100; i++) {
        f->now += SECONDS(1);
        fixture_hear(f, i % 5, -60, NAMED SENSOR);
        assert_int_equal(fixture_kinds(f), 0);
    }
    assert_int_equal(fixture_statistics(f).parses, 1);
    assert_int_equal(fixture_statistics(f).reports, 101);
}

static void A15_payloads_that_take_turns_are_not_parsed_again(void **state)
{
    static const char *const frames[] = {FLAGS "020a01", SENSOR, FLAGS "03ff4c00", "03030f18"};
    struct fixture *f = *state;

    for (size_t i = 0; i < 400; i++) {
        f->now += SECONDS(1);
        fixture_hear(f, (uint16_t) (i % 3), -60, frames[i % 4]);
    }
    assert_int_equal(fixture_statistics(f).parses, 4);
}

/* The table keeps eight payloads of a device: of nine, the second goes, since the first was heard
 * again. */
static void A15_payload_heard_longest_ago_is_the_one_that_is_parsed_again(void **state)
{
    static const uint8_t order[] = {0, 1, 2, 3, 4, 5, 6, 7, 0, 8, 0, 2, 3, 7};
    struct fixture *f = *state;
    uint8_t data[] = {4, 0xff, 0x4c, 0, 0};

    for (size_t i = 0; i < sizeof order; i++) {
        f->now += SECONDS(1);
        data[2] = order[i];
        fixture_hear_octets(f, 0, DEVICE, -60, data, sizeof data);
    }
    assert_int_equal(fixture_statistics(f).parses, 9);
    data[2] = 1;
    f->now += SECONDS(1);
    fixture_hear_octets(f, 0, DEVICE, -60, data, sizeof data);
    assert_int_equal(fixture_statistics(f).parses, 10);
}

static void empty_packet_is_a_packet(void **state)
{
    struct fixture *f = *state;
    struct device_packet latest;

    fixture_hear_octets(f, 0, DEVICE, -60, NULL, 0);
    fixture_hear_octets(f, 0, DEVICE, -60, NULL, 0);
    device_get_latest(f->table, device_table_find(f->table, DEVICE), &latest);
    assert_int_equal(latest.size, 0);
    assert_non_null(latest.data);
    assert_int_equal(fixture_count_elements(f), 0);
    assert_int_equal(fixture_facts(f).advertisements, 2);
    assert_null(fixture_facts(f).name);
}

/* ---- merging ---- */

static void A06_longer_name_survives_a_later_shorter_one(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60,
                 "03085361"
                 "0709536e736f7231");
    assert_string_equal(fixture_facts(f).name, "Snsor1");
    assert_int_equal(fixture_facts(f).name_size, 6);
    fixture_hear(f, 0, -60, "0409536e73");
    assert_int_equal(fixture_kinds(f), 0);
    assert_string_equal(fixture_facts(f).name, "Snsor1");
    fixture_hear(f, 0, -60, "0709446f6e6b6579");
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
    assert_string_equal(fixture_facts(f).name, "Donkey");
}

static void short_name_of_the_same_text_is_no_change(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, "0408536e73");
    fixture_hear(f, 1, -60, "0409536e73");
    assert_int_equal(fixture_kinds(f), 0);
    assert_int_equal(fixture_element(f, 9, -1).size, 3);
    fixture_hear(f, 0, -60, FLAGS "0408536e73");
    assert_int_equal(fixture_element(f, 9, -1).size, 3);
    assert_int_equal(fixture_element(f, 9, -1).source, 0);
}

static void name_is_repaired_and_may_hold_zero_octets(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, "0509ff410042");
    assert_int_equal(fixture_facts(f).name_size, 6);
    assert_memory_equal(fixture_facts(f).name,
                        "\xef\xbf\xbd"
                        "A\0B",
                        7);
    assert_int_equal(fixture_element(f, 9, -1).size, 4);
}

static void A07_name_learnt_by_one_source_is_kept_when_another_hears_none(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, NAMED);
    fixture_hear_well(f, 1, -40, FLAGS);
    assert_int_equal(fixture_facts(f).owner, 1);
    assert_string_equal(fixture_facts(f).name, "Snsor1");
}

static void A10_companies_that_differ_in_either_octet_are_kept_apart(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, "04ff4c0001");
    fixture_hear(f, 0, -60, "04ff4c0102");
    fixture_hear(f, 0, -60, "04ff4d0003");
    assert_int_equal(fixture_count_elements(f), 3);
    assert_int_equal(fixture_element(f, 0xff, 0x004c).data[0], 1);
    assert_int_equal(fixture_element(f, 0xff, 0x014c).data[0], 2);
    assert_int_equal(fixture_element(f, 0xff, 0x004d).data[0], 3);
}

static void A09_packet_without_service_data_keeps_the_former(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, SENSOR);
    fixture_hear(f, 0, -60, NAMED);
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
    assert_memory_equal(fixture_element(f, 0x16, 0xfcd2).data, "\x40\x01", 2);
    fixture_hear(f, 0, -60, "0516d2fc4002");
    assert_memory_equal(fixture_element(f, 0x16, 0xfcd2).data, "\x40\x02", 2);
    assert_int_equal(fixture_count_elements(f), 3);
}

static void A10_new_company_is_added_and_the_same_one_replaced(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, "05ff4c000102");
    fixture_hear(f, 0, -60, "05ffe0000304");
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
    assert_memory_equal(fixture_element(f, 0xff, 0x4c).data, "\x01\x02", 2);
    assert_memory_equal(fixture_element(f, 0xff, 0xe0).data, "\x03\x04", 2);
    fixture_hear(f, 0, -60, "07ff4c0005060708");
    assert_int_equal(fixture_element(f, 0xff, 0x4c).size, 4);
    assert_memory_equal(fixture_element(f, 0xff, 0x4c).data, "\x05\x06\x07\x08", 4);
    assert_memory_equal(fixture_element(f, 0xff, 0xe0).data, "\x03\x04", 2);
    assert_int_equal(fixture_count_elements(f), 2);
}

static void frames_that_share_a_company_set_its_value_in_turn(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, "05ff4c000102");
    for (int i = 0; i < 3; i++) {
        fixture_hear(f, 0, -60, "05ff4c000304");
        assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
        assert_memory_equal(fixture_element(f, 0xff, 0x4c).data, "\x03\x04", 2);
        fixture_hear(f, 0, -60, "05ff4c000102");
        assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
        assert_memory_equal(fixture_element(f, 0xff, 0x4c).data, "\x01\x02", 2);
    }
}

static void uuids_of_all_packets_are_united_whatever_their_form(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, "05020f180a18");
    fixture_hear(f, 0, -60, "05030f181a18");
    assert_int_equal(fixture_count_elements(f), 3);
    assert_int_equal(fixture_element(f, 3, 0x180f).size, 2);
    fixture_hear(f, 0, -60, "1107fb349b5f80000080001000000f180000");
    assert_int_equal(fixture_count_elements(f), 3);
    assert_int_equal(fixture_element(f, 7, 0x180f).size, 16);
    fixture_hear(f, 0, -60,
                 "0520d2fc0000"
                 "0316d2fc");
    fixture_hear(f, 0, -60, "0621d2fc0000");
    assert_int_equal(fixture_count_elements(f), 4);
}

static void repeats_within_a_packet_are_no_change(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60,
                 "05ff4c000102"
                 "05ff4c000304"
                 "03080041"
                 "03090042");
    fixture_hear(f, 0, -60,
                 "03080041"
                 "03090042"
                 "05ff4c000102"
                 "05ff4c000304");
    assert_int_equal(fixture_kinds(f), 0);
    assert_int_equal(fixture_statistics(f).parses, 2);
    assert_memory_equal(fixture_element(f, 0xff, 0x4c).data, "\x03\x04", 2);
}

static void tx_power_is_that_of_the_latest_packet(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, FLAGS "020af4");
    assert_true(fixture_facts(f).has_tx_power);
    assert_int_equal(fixture_facts(f).tx_power, -12);
    fixture_hear(f, 0, -60, FLAGS);
    assert_false(fixture_facts(f).has_tx_power);
    fixture_hear(f, 0, -60, FLAGS "020af4");
    assert_int_equal(fixture_facts(f).tx_power, -12);
}

static void A11_each_element_has_the_time_and_source_of_its_own(void **state)
{
    struct fixture *f = *state;
    char changing[] = FLAGS "05ffe0000000";

    fixture_hear(f, 0, -60, NAMED);
    f->now += SECONDS(1);
    fixture_hear(f, 1, -60, SENSOR);
    f->now += SECONDS(1);
    fixture_hear(f, 2, -60, NAMED);
    assert_int_equal(fixture_element(f, 9, -1).last_seen, START + SECONDS(2));
    assert_int_equal(fixture_element(f, 9, -1).source, 2);
    assert_int_equal(fixture_element(f, 0x16, 0xfcd2).last_seen, START + SECONDS(1));
    assert_int_equal(fixture_element(f, 0x16, 0xfcd2).source, 1);
    for (char c = '0'; c <= '9'; c++) { /* more payloads than are kept */
        changing[sizeof changing - 2] = c;
        f->now += SECONDS(1);
        fixture_hear(f, 3, -60, changing);
    }
    assert_int_equal(fixture_element(f, 9, -1).last_seen, START + SECONDS(2));
    assert_int_equal(fixture_element(f, 9, -1).source, 2);
    assert_int_equal(fixture_element(f, 1, -1).last_seen, f->now);
    assert_int_equal(fixture_element(f, 0x16, 0xfcd2).last_seen, START + SECONDS(1));
}

static void A11_element_that_is_said_no_more_goes_with_the_next_packet(void **state)
{
    struct fixture *f = *state;
    usec_t expiry = f->now + fixture_settings().forget_after;

    fixture_hear(f, 0, -60, SENSOR);
    while (f->now < expiry - SECONDS(600)) {
        f->now += SECONDS(600);
        fixture_hear(f, 1, -60, NAMED);
    }
    f->now = expiry - 1;
    fixture_hear(f, 1, -60, NAMED);
    assert_int_equal(fixture_kinds(f) & DEVICE_PAYLOAD, 0);
    f->now = expiry;
    fixture_hear(f, 1, -60, NAMED);
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
    assert_int_equal(f->changes[0].payload_kinds, 1 << AD_KIND_SERVICE_DATA);
    assert_int_equal(f->changes[0].source, 1);
}

static void A11_shorter_age_counts_at_once(void **state)
{
    struct fixture *f = *state;
    struct device_table_settings settings = fixture_settings();

    fixture_hear(f, 0, -60, SENSOR);
    f->now += SECONDS(60);
    fixture_hear(f, 0, -60, NAMED);
    settings.forget_after = SECONDS(60);
    device_table_configure(f->table, &settings);
    fixture_hear(f, 0, -60, NAMED);
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
}

static void A13_noise_is_a_fact_of_the_device(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, "04ff4c0007");
    assert_true(fixture_facts(f).is_apple_noise);
    fixture_hear(f, 0, -60, SENSOR);
    assert_false(fixture_facts(f).is_apple_noise);
}

static void A12_latest_packet_alone_is_beside_the_merged_view(void **state)
{
    struct fixture *f = *state;
    struct device_packet latest;

    fixture_hear(f, 0, -60, NAMED);
    f->now += SECONDS(1);
    fixture_hear(f, 1, -80, SENSOR);
    device_get_latest(f->table, device_table_find(f->table, DEVICE), &latest);
    assert_int_equal(latest.time, f->now);
    assert_int_equal(latest.source, 1);
    assert_int_equal(latest.rssi, -80);
    assert_int_equal(latest.size, 6);
    assert_memory_equal(latest.data, "\x05\x16\xd2\xfc\x40\x01", 6);
    assert_int_equal(fixture_count_elements(f), 3);
}

/* ---- ownership ---- */

static void O01_challenger_takes_over_only_above_the_margin(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -70, FLAGS);
    fixture_hear_well(f, 1, -54, FLAGS);
    assert_int_equal(fixture_facts(f).owner, 0);
    fixture_hear_well(f, 2, -53, FLAGS);
    assert_int_equal(fixture_kinds(f), DEVICE_OWNER);
    assert_int_equal(f->changes[0].why, OWNER_STRONGER);
    assert_int_equal(f->changes[0].owner_from, 0);
    assert_true(f->changes[0].rssi_from == -70);
    assert_true(f->changes[0].rssi_to == -53);
    assert_int_equal(fixture_facts(f).owner, 2);
    assert_int_equal(fixture_facts(f).rssi, -53);
}

static void O02_one_spike_of_a_smoothed_challenger_does_not_switch(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -70, FLAGS);
    fixture_hear(f, 1, -70, FLAGS);
    fixture_hear(f, 1, -40, FLAGS);
    assert_int_equal(fixture_facts(f).owner, 0);
    fixture_hear(f, 1, -40, FLAGS);
    fixture_hear(f, 1, -40, FLAGS);
    assert_int_equal(fixture_facts(f).owner, 1);
}

static void O07_devices_of_an_offline_source_go_to_the_next_packet(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -40, FLAGS);
    device_table_source_online(f->table, 0, false, f->now);
    assert_int_equal(fixture_facts(f).owner, 0);
    fixture_hear(f, 1, -90, FLAGS);
    assert_int_equal(fixture_kinds(f), DEVICE_OWNER);
    assert_int_equal(f->changes[0].why, OWNER_PROXY_OFFLINE);
    assert_int_equal(fixture_facts(f).owner, 1);
}

static void O07_devices_of_a_quiet_source_go_to_the_next_packet(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -40, FLAGS);
    f->now += SECONDS(90);
    fixture_hear(f, 1, -90, FLAGS);
    assert_int_equal(fixture_kinds(f), 0);
    f->now += 1;
    fixture_hear(f, 1, -90, FLAGS);
    assert_int_equal(fixture_kinds(f), DEVICE_OWNER);
    assert_int_equal(f->changes[0].why, OWNER_PROXY_QUIET);
}

static void O07_batch_without_reports_does_not_end_the_quiet(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -40, FLAGS);
    f->now += SECONDS(80);
    device_table_observe(f->table, 0, NULL, 0, f->now);
    f->now += SECONDS(11);
    fixture_hear(f, 1, -90, FLAGS);
    assert_int_equal(f->changes[0].why, OWNER_PROXY_QUIET);
    assert_int_equal(fixture_facts(f).owner, 1);
}

static void source_that_hears_others_is_not_quiet_but_gone_after_the_stale_time(void **state)
{
    struct fixture *f = *state;
    static const uint8_t flags[] = {2, 1, 6};

    fixture_hear(f, 0, -40, FLAGS);
    f->now += SECONDS(900);
    fixture_hear_octets(f, 0, DEVICE + 1, -40, flags, sizeof flags);
    fixture_hear(f, 1, -90, FLAGS);
    assert_int_equal(fixture_facts(f).owner, 0);
    f->now += 1;
    fixture_hear(f, 1, -90, FLAGS);
    assert_int_equal(f->changes[0].why, OWNER_GONE);
    assert_int_equal(fixture_facts(f).owner, 1);
}

static void source_that_just_came_online_is_not_quiet(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -40, FLAGS);
    device_table_source_online(f->table, 0, false, f->now);
    f->now += SECONDS(300);
    device_table_source_online(f->table, 0, true, f->now);
    fixture_hear(f, 1, -50, FLAGS);
    assert_int_equal(fixture_facts(f).owner, 0);
}

static void A14_missing_rssi_changes_neither_smoothing_nor_owner(void **state)
{
    struct fixture *f = *state;
    struct device_source source;

    fixture_hear(f, 0, -70, FLAGS);
    fixture_hear(f, 0, 0, FLAGS);
    assert_true(fixture_facts(f).rssi_smoothed == -70);
    assert_int_equal(fixture_facts(f).rssi, 0);
    fixture_hear(f, 1, 0, FLAGS);
    assert_int_equal(fixture_kinds(f), 0);
    device_table_source_online(f->table, 0, false, f->now);
    fixture_hear(f, 1, 0, FLAGS);
    assert_int_equal(fixture_facts(f).owner, 0);
    assert_true(device_get_source(f->table, device_table_find(f->table, DEVICE), 1, &source));
    assert_true(isnan(source.rssi_smoothed));
    assert_int_equal(source.advertisements, 2);
}

static void payload_of_another_source_is_told_though_it_owns_nothing(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -40, FLAGS);
    fixture_hear(f, 1, -90, SENSOR);
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
    assert_int_equal(f->changes[0].source, 1);
    assert_int_equal(fixture_facts(f).owner, 0);
}

static void O13_removed_source_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    const struct device *d;
    struct device_source source;

    fixture_hear(f, 0, -90, NAMED);
    fixture_hear_well(f, 1, -40, FLAGS);
    fixture_hear(f, 2, -45, FLAGS);
    device_table_source_remove(f->table, 1);
    d = device_table_find(f->table, DEVICE);
    assert_int_equal(fixture_facts(f).owner, SOURCE_NONE);
    assert_int_equal(fixture_facts(f).rssi, 0);
    assert_true(device_get_source(f->table, d, 1, &source));
    assert_int_equal(source.source, 2);
    assert_false(device_get_source(f->table, d, 2, &source));
    fixture_hear(f, 0, -90, NAMED);
    assert_int_equal(fixture_kinds(f), DEVICE_OWNER);
    assert_int_equal(f->changes[0].why, OWNER_FIRST);
    assert_int_equal(f->changes[0].owner_from, SOURCE_NONE);
    device_table_source_remove(f->table, 2); /* one behind the owner */
    assert_int_equal(fixture_facts(f).owner, 0);
    device_table_source_online(f->table, 1, true, f->now);
    fixture_hear(f, 1, -80, FLAGS);
    assert_true(device_get_source(f->table, device_table_find(f->table, DEVICE), 1, &source));
    assert_true(source.rssi_smoothed == -80);
    assert_int_equal(source.advertisements, 1);
}

static void O13_devices_of_a_source_that_goes_are_handed_to_the_loudest_that_listens(void **state)
{
    struct fixture *f = *state;

    fixture_hear_well(f, 1, -40, FLAGS);
    fixture_hear(f, 0, -90, FLAGS);
    fixture_hear(f, 2, -60, FLAGS);
    fixture_hear(f, 3, -50, FLAGS);
    device_table_source_online(f->table, 3, false, f->now);
    f->changes_count = 0;
    device_table_source_hand_over(f->table, 1, f->now);
    assert_int_equal(f->changes_count, 1);
    assert_int_equal(fixture_kinds(f), DEVICE_OWNER);
    assert_int_equal(f->changes[0].why, OWNER_PROXY_OFFLINE);
    assert_int_equal(f->changes[0].owner_from, 1);
    assert_int_equal(fixture_facts(f).owner, 2);
    device_table_source_remove(f->table, 1);
    assert_int_equal(fixture_facts(f).owner, 2);
}

static void O13_what_nobody_else_hears_is_handed_to_nobody(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, FLAGS);
    f->now += SECONDS(1000);
    fixture_hear_well(f, 1, -40, FLAGS);
    f->changes_count = 0;
    device_table_source_hand_over(f->table, 1, f->now);
    assert_int_equal(f->changes_count, 0); /* the other one lost it long ago */
    device_table_source_remove(f->table, 1);
    assert_int_equal(fixture_facts(f).owner, SOURCE_NONE);
}

static void removing_a_source_before_the_owner_keeps_the_owner(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -90, NAMED);
    fixture_hear_well(f, 1, -40, FLAGS);
    device_table_source_remove(f->table, 0);
    assert_int_equal(fixture_facts(f).owner, 1);
    assert_int_equal(fixture_element(f, 9, -1).source, SOURCE_NONE);
    assert_int_equal(fixture_element(f, 1, -1).source, 1);
}

/* ---- time ---- */

/* Advances to the moment; the kinds that were told, of DEVICE. */
static unsigned advance_to(struct fixture *f, usec_t now)
{
    unsigned kinds = 0;

    f->changes_count = 0;
    f->now = now;
    device_table_advance(f->table, now);
    for (size_t i = 0; i < f->changes_count; i++)
        kinds |= f->addresses[i] == DEVICE ? f->changes[i].kinds : 0;
    return kinds;
}

static void V05_device_becomes_unavailable_to_the_microsecond(void **state)
{
    struct fixture *f = *state;

    assert_true(device_table_deadline(f->table) == USEC_NEVER);
    fixture_hear(f, 0, -60, FLAGS);
    assert_int_equal(device_table_deadline(f->table), START + SECONDS(900));
    f->now += SECONDS(100);
    fixture_hear(f, 0, -60, FLAGS);
    assert_int_equal(advance_to(f, START + SECONDS(900)), 0);
    assert_int_equal(device_table_deadline(f->table), START + SECONDS(1000));
    assert_int_equal(advance_to(f, START + SECONDS(1000) - 1), 0);
    assert_true(fixture_facts(f).is_available);
    assert_int_equal(advance_to(f, START + SECONDS(1000)), DEVICE_AVAILABILITY);
    assert_int_equal(f->changes[0].source, SOURCE_NONE);
    assert_false(fixture_facts(f).is_available);
    fixture_hear(f, 0, -60, FLAGS);
    assert_int_equal(fixture_kinds(f), DEVICE_AVAILABILITY);
    assert_true(fixture_facts(f).is_available);
    assert_int_equal(advance_to(f, START + SECONDS(1900)), DEVICE_AVAILABILITY);
}

static void V05_expected_interval_and_five_seconds_count_when_known(void **state)
{
    struct fixture *f = *state;

    device_table_pin(f->table, DEVICE, true, SECONDS(60));
    assert_null(device_table_find(f->table, DEVICE));
    fixture_hear(f, 0, -60, FLAGS);
    assert_int_equal(fixture_facts(f).interval, SECONDS(60));
    assert_true(fixture_facts(f).is_pinned);
    assert_int_equal(advance_to(f, START + SECONDS(65) - 1), 0);
    assert_int_equal(advance_to(f, START + SECONDS(65)), DEVICE_AVAILABILITY);
}

static void V07_device_is_forgotten_with_all_its_state(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, NAMED);
    assert_int_equal(advance_to(f, START + SECONDS(900)), DEVICE_AVAILABILITY);
    assert_int_equal(advance_to(f, START + SECONDS(86400) - 1), 0);
    assert_int_equal(advance_to(f, START + SECONDS(86400)), DEVICE_FORGOTTEN);
    assert_null(device_table_find(f->table, DEVICE));
    assert_int_equal(device_table_count(f->table), 0);
    assert_int_equal(fixture_statistics(f).forgotten, 1);
    assert_true(device_table_deadline(f->table) == USEC_NEVER);
    fixture_hear(f, 0, -60, FLAGS);
    assert_int_equal(fixture_kinds(f), DEVICE_FIRST_SEEN | DEVICE_OWNER);
    assert_null(fixture_facts(f).name);
}

static void late_advance_tells_unavailable_before_forgotten(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, NAMED);
    (void) advance_to(f, START + SECONDS(100000));
    assert_int_equal(f->changes_count, 2);
    assert_int_equal(f->changes[0].kinds, DEVICE_AVAILABILITY);
    assert_int_equal(f->changes[1].kinds, DEVICE_FORGOTTEN);
}

static void after_an_hour_of_sleep_each_device_is_missed_once_and_comes_back_once(void **state)
{
    struct fixture *f = *state;
    const usec_t awake = START + SECONDS(3600);

    for (uint64_t i = 0; i < 20; i++)
        fixture_hear_octets(f, 0, DEVICE + i, -60, NULL, 0);
    assert_int_equal(advance_to(f, awake), DEVICE_AVAILABILITY);
    assert_int_equal(f->changes_count, 20);
    assert_int_equal(advance_to(f, awake), 0);
    assert_int_equal(f->changes_count, 0);
    for (uint64_t i = 0; i < 20; i++) {
        fixture_hear_octets(f, 0, DEVICE + i, -60, NULL, 0);
        assert_true(fixture_kinds(f) & DEVICE_AVAILABILITY);
    }
    assert_int_equal(advance_to(f, awake + SECONDS(60)), 0);
}

static void device_is_never_forgotten_before_it_is_unavailable(void **state)
{
    struct fixture *f = *state;
    struct device_table_settings settings = fixture_settings();

    settings.forget_after = SECONDS(10);
    device_table_configure(f->table, &settings);
    fixture_hear(f, 0, -60, NAMED);
    assert_int_equal(advance_to(f, START + SECONDS(900) - 1), 0);
    assert_int_equal(advance_to(f, START + SECONDS(900)), DEVICE_AVAILABILITY | DEVICE_FORGOTTEN);
}

static void private_address_is_forgotten_sooner(void **state)
{
    struct fixture *f = *state;
    const struct ble_report report = {
            .address = 0x4a0000000001u,
            .rssi = -60,
            .address_type = BLE_ADDRESS_RANDOM,
    };

    device_table_observe(f->table, 0, &report, 1, f->now);
    (void) advance_to(f, START + SECONDS(1200) - 1);
    assert_non_null(device_table_find(f->table, report.address));
    (void) advance_to(f, START + SECONDS(1200));
    assert_null(device_table_find(f->table, report.address));
}

static void pinned_device_is_never_forgotten_until_it_is_unpinned(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, NAMED);
    device_table_pin(f->table, DEVICE, true, 0);
    assert_int_equal(advance_to(f, START + SECONDS(900)), DEVICE_AVAILABILITY);
    assert_true(device_table_deadline(f->table) == USEC_NEVER);
    assert_int_equal(advance_to(f, START + SECONDS(1000000)), 0);
    device_table_pin(f->table, DEVICE, false, 0);
    assert_int_equal(advance_to(f, START + SECONDS(1000000)), DEVICE_FORGOTTEN);
}

static void pin_outlives_the_device(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, NAMED);
    device_table_pin(f->table, DEVICE, true, SECONDS(7));
    f->changes_count = 0;
    assert_true(device_table_forget(f->table, DEVICE));
    assert_int_equal(fixture_kinds(f), DEVICE_FORGOTTEN);
    assert_false(device_table_forget(f->table, DEVICE));
    fixture_hear(f, 0, -60, NAMED);
    assert_true(fixture_facts(f).is_pinned);
    assert_int_equal(fixture_facts(f).interval, SECONDS(7));
}

static void new_settings_move_the_deadlines_of_present_devices(void **state)
{
    struct fixture *f = *state;
    struct device_table_settings settings = fixture_settings();

    fixture_hear(f, 0, -60, NAMED);
    settings.stale_after = SECONDS(30);
    device_table_configure(f->table, &settings);
    assert_int_equal(device_table_deadline(f->table), START + SECONDS(30));
    assert_int_equal(advance_to(f, START + SECONDS(30)), DEVICE_AVAILABILITY);
}

static void time_that_goes_backwards_stands_still(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, NAMED);
    f->now -= SECONDS(500);
    fixture_hear(f, 1, -60, NAMED);
    assert_int_equal(fixture_facts(f).last_seen, START);
}

static void sources_hear_a_device_for_195_seconds(void **state)
{
    struct fixture *f = *state;
    size_t counts[3];

    fixture_hear(f, 0, -60, NAMED);
    f->now += SECONDS(100);
    fixture_hear(f, 1, -60, NAMED);
    device_table_count_heard_all(f->table, counts, 3, START + SECONDS(195));
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 1);
    assert_int_equal(counts[2], 0);
    device_table_count_heard_all(f->table, counts, 3, START + SECONDS(195) + 1);
    assert_int_equal(counts[0], 0);
    assert_int_equal(counts[1], 1);
}

static void sources_beyond_those_asked_for_are_not_counted(void **state)
{
    struct fixture *f = *state;
    size_t counts[] = {7, 7, 7};

    fixture_hear(f, 0, -60, NAMED);
    fixture_hear(f, 1, -60, NAMED);
    fixture_hear(f, 2, -60, NAMED);
    device_table_count_heard_all(f->table, counts, 2, f->now);
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 1);
    assert_int_equal(counts[2], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            FIXTURE_TEST(A01_batch_of_16_reports_yields_16_devices_of_that_source),
            FIXTURE_TEST(A02_parsed_report_yields_an_equal_record_without_raw),
            FIXTURE_TEST(first_packet_tells_first_seen_and_owner_in_one_change),
            FIXTURE_TEST(A15_unchanged_payload_is_not_parsed_again),
            FIXTURE_TEST(A15_payloads_that_take_turns_are_not_parsed_again),
            FIXTURE_TEST(A15_payload_heard_longest_ago_is_the_one_that_is_parsed_again),
            FIXTURE_TEST(empty_packet_is_a_packet),
            FIXTURE_TEST(A06_longer_name_survives_a_later_shorter_one),
            FIXTURE_TEST(short_name_of_the_same_text_is_no_change),
            FIXTURE_TEST(name_is_repaired_and_may_hold_zero_octets),
            FIXTURE_TEST(A07_name_learnt_by_one_source_is_kept_when_another_hears_none),
            FIXTURE_TEST(A10_companies_that_differ_in_either_octet_are_kept_apart),
            FIXTURE_TEST(A09_packet_without_service_data_keeps_the_former),
            FIXTURE_TEST(A10_new_company_is_added_and_the_same_one_replaced),
            FIXTURE_TEST(frames_that_share_a_company_set_its_value_in_turn),
            FIXTURE_TEST(uuids_of_all_packets_are_united_whatever_their_form),
            FIXTURE_TEST(repeats_within_a_packet_are_no_change),
            FIXTURE_TEST(tx_power_is_that_of_the_latest_packet),
            FIXTURE_TEST(A11_each_element_has_the_time_and_source_of_its_own),
            FIXTURE_TEST(A11_element_that_is_said_no_more_goes_with_the_next_packet),
            FIXTURE_TEST(A11_shorter_age_counts_at_once),
            FIXTURE_TEST(A13_noise_is_a_fact_of_the_device),
            FIXTURE_TEST(A12_latest_packet_alone_is_beside_the_merged_view),
            FIXTURE_TEST(O01_challenger_takes_over_only_above_the_margin),
            FIXTURE_TEST(O02_one_spike_of_a_smoothed_challenger_does_not_switch),
            FIXTURE_TEST(O07_devices_of_an_offline_source_go_to_the_next_packet),
            FIXTURE_TEST(O07_devices_of_a_quiet_source_go_to_the_next_packet),
            FIXTURE_TEST(O07_batch_without_reports_does_not_end_the_quiet),
            FIXTURE_TEST(source_that_hears_others_is_not_quiet_but_gone_after_the_stale_time),
            FIXTURE_TEST(source_that_just_came_online_is_not_quiet),
            FIXTURE_TEST(A14_missing_rssi_changes_neither_smoothing_nor_owner),
            FIXTURE_TEST(payload_of_another_source_is_told_though_it_owns_nothing),
            FIXTURE_TEST(O13_removed_source_leaves_nothing_behind),
            FIXTURE_TEST(O13_devices_of_a_source_that_goes_are_handed_to_the_loudest_that_listens),
            FIXTURE_TEST(O13_what_nobody_else_hears_is_handed_to_nobody),
            FIXTURE_TEST(removing_a_source_before_the_owner_keeps_the_owner),
            FIXTURE_TEST(V05_device_becomes_unavailable_to_the_microsecond),
            FIXTURE_TEST(V05_expected_interval_and_five_seconds_count_when_known),
            FIXTURE_TEST(V07_device_is_forgotten_with_all_its_state),
            FIXTURE_TEST(late_advance_tells_unavailable_before_forgotten),
            FIXTURE_TEST(after_an_hour_of_sleep_each_device_is_missed_once_and_comes_back_once),
            FIXTURE_TEST(device_is_never_forgotten_before_it_is_unavailable),
            FIXTURE_TEST(private_address_is_forgotten_sooner),
            FIXTURE_TEST(pinned_device_is_never_forgotten_until_it_is_unpinned),
            FIXTURE_TEST(pin_outlives_the_device),
            FIXTURE_TEST(new_settings_move_the_deadlines_of_present_devices),
            FIXTURE_TEST(time_that_goes_backwards_stands_still),
            FIXTURE_TEST(sources_hear_a_device_for_195_seconds),
            FIXTURE_TEST(sources_beyond_those_asked_for_are_not_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
