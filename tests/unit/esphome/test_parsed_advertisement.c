#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "esphome/parsed_advertisement.h"
#include "vectors.h"

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

static void assert_data(const struct message_parsed_advertisement *parsed, const char *hex)
{
    const struct octets expected = octets_of(hex);
    uint8_t data[BLE_REPORT_DATA_MAX];
    struct ble_report report;

    assert_int_equal(parsed_advertisement_to_report(parsed, data, &report), 0);
    assert_int_equal(report.size, expected.size);
    assert_memory_equal(report.data, expected.data, expected.size);
    assert_int_equal(report.is_parsed, 1);
}

static void A02_fields_become_the_structures_they_were_parsed_from(void **state)
{
    const struct text uuids[] = {text_of("0x180F"), text_of("1809"), text_of("0x12345678"),
                                 text_of("6e400001-b5a3-f393-e0a9-e50e24dcca9e")};
    const struct message_uuid_data services[] = {
            {text_of("0000fcd2-0000-1000-8000-00805f9b34fb"), {(const uint8_t *) "\x40", 1}}};
    const struct message_uuid_data manufacturers[] = {
            {text_of("0x4C"), {(const uint8_t *) "\x02\x15", 2}}};
    const struct message_parsed_advertisement parsed = {
            .address = 1,
            .name = text_of("lamp"),
            .service_uuids_count = 4,
            .service_uuids = uuids,
            .service_data_count = 1,
            .service_data = services,
            .manufacturer_data_count = 1,
            .manufacturer_data = manufacturers,
    };

    (void) state;
    assert_data(&parsed, "05ff4c000215"
                         "0416d2fc40"
                         "05030f180918"
                         "050578563412"
                         "11079ecadc240ee5a9e093f3a3b50100406e"
                         "05096c616d70");
}

static void A02_the_numbers_of_the_report_are_those_of_the_message(void **state)
{
    const struct message_parsed_advertisement parsed = {
            .address = UINT64_C(0xffffffffffff), .rssi = -71, .address_type = 1};
    uint8_t data[BLE_REPORT_DATA_MAX];
    struct ble_report report;

    (void) state;
    assert_int_equal(parsed_advertisement_to_report(&parsed, data, &report), 0);
    assert_true(report.address == UINT64_C(0xffffffffffff));
    assert_int_equal(report.rssi, -71);
    assert_int_equal(report.address_type, 1);
    assert_int_equal(report.size, 0);
}

static void what_does_not_fit_is_left_out_the_name_first(void **state)
{
    static const uint8_t long_data[52];
    const struct message_uuid_data manufacturers[] = {{text_of("0001"), {long_data, 52}}};
    const struct text uuids[] = {text_of("180f"), text_of("1809"), text_of("180a")};
    const struct message_parsed_advertisement parsed = {
            .address = 1,
            .name = text_of("lamp"),
            .service_uuids_count = 3,
            .service_uuids = uuids,
            .manufacturer_data_count = 1,
            .manufacturer_data = manufacturers,
    };
    uint8_t data[BLE_REPORT_DATA_MAX];
    struct ble_report report;

    (void) state;
    /* 56 octets of manufacturer data leave room for two of the three UUIDs */
    assert_int_equal(parsed_advertisement_to_report(&parsed, data, &report), 0);
    assert_int_equal(report.size, 62);
    assert_memory_equal(report.data + 56, octets_of("05030f180918").data, 6);
}

static void data_longer_than_any_advertisement_is_left_out(void **state)
{
    static const uint8_t endless[5000];
    const struct message_uuid_data manufacturers[] = {{text_of("0001"), {endless, sizeof endless}},
                                                      {text_of("0002"), {endless, 1}}};
    const struct message_parsed_advertisement parsed = {
            .address = 1,
            .name = {(const char *) endless, sizeof endless},
            .manufacturer_data_count = 2,
            .manufacturer_data = manufacturers,
    };

    (void) state;
    assert_data(&parsed, "04ff020000");
}

static void texts_that_are_no_uuid_are_left_out(void **state)
{
    static const char nul[] = "18\0f";
    const struct text uuids[] = {text_of(""),
                                 text_of("0x"),
                                 text_of("xyz"),
                                 {nul, 4},
                                 text_of("6e400001-b5a3-f393-e0a9-e50e24dcca9e-and-more"),
                                 text_of("180f")};
    const struct message_uuid_data manufacturers[] = {
            {text_of("6e400001-b5a3-f393-e0a9-e50e24dcca9e"), {0}}};
    const struct message_parsed_advertisement parsed = {
            .address = 1,
            .service_uuids_count = 6,
            .service_uuids = uuids,
            .manufacturer_data_count = 1,
            .manufacturer_data = manufacturers,
    };

    (void) state;
    assert_data(&parsed, "03030f18");
}

static void without_an_address_there_is_no_report(void **state)
{
    const struct message_parsed_advertisement none = {0}, wide = {.address = UINT64_C(1) << 48};
    uint8_t data[BLE_REPORT_DATA_MAX];
    struct ble_report report;

    (void) state;
    assert_int_equal(parsed_advertisement_to_report(&none, data, &report), -EINVAL);
    assert_int_equal(parsed_advertisement_to_report(&wide, data, &report), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(A02_fields_become_the_structures_they_were_parsed_from),
            cmocka_unit_test(A02_the_numbers_of_the_report_are_those_of_the_message),
            cmocka_unit_test(what_does_not_fit_is_left_out_the_name_first),
            cmocka_unit_test(data_longer_than_any_advertisement_is_left_out),
            cmocka_unit_test(texts_that_are_no_uuid_are_left_out),
            cmocka_unit_test(without_an_address_there_is_no_report),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
