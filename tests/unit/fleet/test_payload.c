#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "ble/report.h"
#include "fleet/key.h"
#include "fleet/parsed.h"
#include "fleet/payload.h"

static void a_short_payload_is_all_advertising_data(void **state)
{
    const uint8_t octets[31] = {30, 0xff};
    struct payload payload;

    (void) state;
    assert_true(payload_divide(&payload, octets, sizeof(octets)));
    assert_int_equal(payload.advertising_size, 31);
    assert_int_equal(payload.size, 31);
}

static void a_long_payload_is_divided_where_a_structure_ends(void **state)
{
    uint8_t octets[40] = {2, 1, 6};
    struct payload payload;

    (void) state;
    octets[3] = 19; /* ends behind 23 octets */
    octets[23] = 16;
    assert_true(payload_divide(&payload, octets, sizeof(octets)));
    assert_int_equal(payload.advertising_size, 23);
    assert_int_equal(payload.size, 40);
    assert_memory_equal(payload.data, octets, sizeof(octets));
}

static void what_cannot_be_divided_is_all_advertising_data(void **state)
{
    const uint8_t octets[50] = {49, 0xff};
    struct payload payload;

    (void) state;
    assert_true(payload_divide(&payload, octets, sizeof(octets)));
    assert_int_equal(payload.advertising_size, 50);
}

static void more_than_62_octets_are_refused(void **state)
{
    const uint8_t octets[63] = {0};
    struct payload payload = {.size = 9};

    (void) state;
    assert_false(payload_divide(&payload, octets, sizeof(octets)));
    assert_int_equal(payload.size, 9);
    assert_false(payload_join(&payload, (struct bytes){octets, 32}, (struct bytes){octets, 1}));
    assert_false(payload_join(&payload, (struct bytes){octets, 1}, (struct bytes){octets, 32}));
    assert_true(payload_join(&payload, (struct bytes){octets, 5}, (struct bytes){octets, 31}));
    assert_int_equal(payload.advertising_size, 5);
    assert_int_equal(payload.size, 36);
}

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

static void old_firmware_takes_an_advertisement_apart(void **state)
{
    static const uint8_t OCTETS[] = {
            2,  0x01, 6,                                 /* flags: not reported */
            3,  0x03, 0x0f, 0x18,                        /* UUID 180f */
            0,                                           /* padding */
            5,  0x16, 0xd2, 0xfc, 0x40, 0x01,            /* service data of fcd2 */
            4,  0xff, 0x4c, 0x00, 0x09,                  /* manufacturer data of 004c */
            3,  0x09, 'o',  'k',                         /* complete name */
            3,  0x08, 'n',  'o',                         /* a short one comes too late */
            17, 0x07, 0,    1,    2,    3,    4,  5,  6, /* a long UUID */
            7,  8,    9,    10,   11,   12,   13, 14, 15,
    };
    const struct ble_report report = {
            .address = 7, .rssi = -60, .address_type = 1, .data = OCTETS, .size = sizeof(OCTETS)};
    struct parsed parsed;

    (void) state;
    assert_true(sizeof(OCTETS) <= BLE_REPORT_DATA_MAX);
    parsed_from_report(&parsed, &report);
    assert_int_equal(parsed.message.rssi, -60);
    assert_text(parsed.message.name, "ok");
    assert_int_equal(parsed.message.service_uuids_count, 2);
    assert_text(parsed.message.service_uuids[0], "0x180F");
    assert_text(parsed.message.service_uuids[1], "0F0E0D0C-0B0A-0908-0706-050403020100");
    assert_int_equal(parsed.message.service_data_count, 1);
    assert_text(parsed.message.service_data[0].uuid, "0xFCD2");
    assert_int_equal(parsed.message.service_data[0].data.size, 2);
    assert_int_equal(parsed.message.manufacturer_data_count, 1);
    assert_text(parsed.message.manufacturer_data[0].uuid, "0x004C");
    assert_int_equal(parsed.message.manufacturer_data[0].data.data[0], 9);
}

static void a_structure_past_the_end_ends_the_taking_apart(void **state)
{
    static const uint8_t OCTETS[] = {3, 0x03, 0x0f, 0x18, 9, 0x09, 'x'};
    const struct ble_report report = {.data = OCTETS, .size = sizeof(OCTETS)};
    struct parsed parsed;

    (void) state;
    parsed_from_report(&parsed, &report);
    assert_int_equal(parsed.message.service_uuids_count, 1);
    assert_int_equal(parsed.message.name.size, 0);
}

static void many_uuids_are_cut_at_the_limit(void **state)
{
    uint8_t octets[BLE_REPORT_DATA_MAX] = {61, 0x03};
    const struct ble_report report = {.data = octets, .size = sizeof(octets)};
    struct parsed parsed;

    (void) state;
    parsed_from_report(&parsed, &report);
    assert_int_equal(parsed.message.service_uuids_count, 30);
}

static void a_key_survives_its_text(void **state)
{
    uint8_t key[KEY_SIZE], read[KEY_SIZE];
    char text[KEY_TEXT_SIZE];

    (void) state;
    for (unsigned i = 0; i < KEY_SIZE; i++)
        key[i] = (uint8_t) i;
    key_format(text, key);
    assert_string_equal(text, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    assert_true(key_parse(text, read));
    assert_memory_equal(key, read, KEY_SIZE);
    assert_false(key_parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", read));
    text[3] = '*';
    assert_false(key_parse(text, read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_short_payload_is_all_advertising_data),
            cmocka_unit_test(a_long_payload_is_divided_where_a_structure_ends),
            cmocka_unit_test(what_cannot_be_divided_is_all_advertising_data),
            cmocka_unit_test(more_than_62_octets_are_refused),
            cmocka_unit_test(old_firmware_takes_an_advertisement_apart),
            cmocka_unit_test(a_structure_past_the_end_ends_the_taking_apart),
            cmocka_unit_test(many_uuids_are_cut_at_the_limit),
            cmocka_unit_test(a_key_survives_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
