#include "ble/advertising_data.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/utf8.h"

#define ROWS_MIN 1072 /* rows of the corpus; more may come */

/* A copy of exactly the size, so that AddressSanitizer sees a read past the end. */
static uint8_t *exact_copy(const void *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

/* ---- the corpus ---- */

static void assert_hex(const struct bytes *value, const json_t *expected)
{
    char text[2 * 255 + 1];

    bytes_to_hex(text, value->data, value->size);
    assert_string_equal(text, json_string_value(expected));
}

static void check_name(const struct advertising_data *a, const json_t *expect)
{
    const json_t *name = json_object_get(expect, "local_name");
    const json_t *hex = json_object_get(expect, "local_name_hex");
    char text[UTF8_REPAIRED_SIZE(255)];
    size_t size;

    if (json_is_null(name)) {
        assert_int_equal(a->name.size, 0);
        return;
    }
    size = utf8_repair(text, a->name.data, a->name.size);
    assert_int_equal(size, json_string_length(name));
    assert_memory_equal(text, json_string_value(name), size);
    if (hex)
        assert_hex(&a->name, hex);
}

static void check_uuids(const struct advertising_data *a, const json_t *expect)
{
    const json_t *uuids = json_object_get(expect, "service_uuids");

    assert_int_equal(a->uuids_count, json_array_size(uuids));
    for (size_t i = 0; i < a->uuids_count; i++) {
        char text[BLE_UUID_TEXT_SIZE];

        ble_uuid_format(text, &a->uuids[i]);
        assert_string_equal(text, json_string_value(json_array_get(uuids, i)));
    }
}

static void check_service_data(const struct advertising_data *a, const json_t *expect)
{
    const json_t *all = json_object_get(expect, "service_data");

    assert_int_equal(a->service_data_count, json_object_size(all));
    for (size_t i = 0; i < a->service_data_count; i++) {
        char text[BLE_UUID_TEXT_SIZE];

        ble_uuid_format(text, &a->service_data[i].uuid);
        assert_hex(&a->service_data[i].value, json_object_get(all, text));
    }
}

static void check_manufacturer_data(const struct advertising_data *a, const json_t *expect)
{
    const json_t *all = json_object_get(expect, "manufacturer_data");

    assert_int_equal(a->manufacturer_data_count, json_object_size(all));
    for (size_t i = 0; i < a->manufacturer_data_count; i++) {
        char text[8];

        (void) snprintf(text, sizeof text, "%u", (unsigned) a->manufacturer_data[i].company);
        assert_hex(&a->manufacturer_data[i].value, json_object_get(all, text));
    }
}

static void check_numbers(const struct advertising_data *a, const json_t *expect)
{
    const json_t *tx_power = json_object_get(expect, "tx_power");
    const json_t *flags = json_object_get(expect, "flags");

    assert_int_equal(a->has_tx_power, json_is_integer(tx_power));
    assert_int_equal(a->tx_power, json_integer_value(tx_power));
    assert_int_equal(a->has_flags, json_is_integer(flags));
    assert_int_equal(a->flags, json_integer_value(flags));
}

static void check_row(const char *line)
{
    json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
    const json_t *expect = json_object_get(row, "expect");
    const json_t *raw = json_object_get(row, "raw");
    uint8_t octets[256];
    uint8_t *data;
    struct advertising_data a;
    size_t size;

    assert_non_null(row);
    assert_true(bytes_from_hex(octets, sizeof octets, json_string_value(raw),
                               json_string_length(raw), &size));
    data = exact_copy(octets, size);
    advertising_data_parse(&a, data, size);
    check_name(&a, expect);
    check_uuids(&a, expect);
    check_service_data(&a, expect);
    check_manufacturer_data(&a, expect);
    check_numbers(&a, expect);
    assert_int_equal(a.dropped, 0);
    free(data);
    json_decref(row);
}

static void A03_every_row_of_the_corpus_reads_as_expected(void **state)
{
    FILE *file = fopen(TEST_DATA "/advertisements.jsonl", "r");
    char *line = NULL;
    size_t capacity = 0, rows = 0;

    (void) state;
    assert_non_null(file);
    while (getline(&line, &capacity, file) > 0) {
        check_row(line);
        rows++;
    }
    assert_true(rows >= ROWS_MIN);
    free(line);
    (void) fclose(file);
}

/* ---- single rules ---- */

static void parse(struct advertising_data *ret_summary, const char *hex)
{
    static uint8_t data[256];
    size_t size;

    assert_true(bytes_from_hex(data, sizeof data, hex, strlen(hex), &size));
    advertising_data_parse(ret_summary, data, size);
}

static void A04_uuids_of_all_sizes_appear_in_order_with_repeats(void **state)
{
    static const char *const expected[] = {
            "0000180f-0000-1000-8000-00805f9b34fb", "0000180a-0000-1000-8000-00805f9b34fb",
            "ab345678-0000-1000-8000-00805f9b34fb", "6e400001-b5a3-f393-e0a9-e50e24dcca9e",
            "0000180f-0000-1000-8000-00805f9b34fb",
    };
    struct advertising_data a;
    char text[BLE_UUID_TEXT_SIZE];

    (void) state;
    parse(&a, "05020f180a18"
              "0605785634ab99" /* and the start of one more */
              "11079ecadc240ee5a9e093f3a3b50100406e"
              "03030f18");
    assert_int_equal(a.uuids_count, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        ble_uuid_format(text, &a.uuids[i]);
        assert_string_equal(text, expected[i]);
    }
}

static void A05_tx_power_is_one_signed_octet_or_nothing(void **state)
{
    struct advertising_data a;

    (void) state;
    parse(&a, "030a0102");
    assert_false(a.has_tx_power);
    parse(&a, "010a");
    assert_false(a.has_tx_power);
    parse(&a, "020aff");
    assert_int_equal(a.tx_power, -1);
    parse(&a, "020a80");
    assert_int_equal(a.tx_power, -128);
    parse(&a, "020a0702"
              "0aff");
    assert_int_equal(a.tx_power, -1);
    assert_true(a.has_tx_power);
}

static void A06_complete_name_beats_a_short_one_in_any_order(void **state)
{
    struct advertising_data a;

    (void) state;
    parse(&a, "030961620308636403086566");
    assert_int_equal(a.name.size, 2);
    assert_memory_equal(a.name.data, "ab", 2);
    assert_true(a.name_is_complete);
    parse(&a, "030863640308656603096162");
    assert_memory_equal(a.name.data, "ab", 2);
    parse(&a, "0308636403086566");
    assert_memory_equal(a.name.data, "cd", 2);
    assert_false(a.name_is_complete);
    parse(&a, "0309616203096768");
    assert_memory_equal(a.name.data, "gh", 2);
}

static void advertising_data_reads_on_behind_padding_and_empty_structures(void **state)
{
    struct advertising_data a;

    (void) state;
    parse(&a, "0000"
              "0101"
              "0200aa"
              "020106"
              "00");
    assert_true(a.has_flags);
    assert_int_equal(a.flags, 6);
    assert_int_equal(a.others_count, 0);
}

static void advertising_data_drops_all_behind_a_structure_past_the_end(void **state)
{
    struct advertising_data a;

    (void) state;
    parse(&a, "020106"
              "0909616263"
              "020a04");
    assert_true(a.has_flags);
    assert_int_equal(a.name.size, 0);
    assert_false(a.has_tx_power);
}

static void advertising_data_keeps_unknown_types_and_reads_appearance(void **state)
{
    struct advertising_data a;

    (void) state;
    parse(&a, "022e01"
              "0319c103"
              "022e02"
              "0219aa"
              "031903c2");
    assert_true(a.has_appearance);
    assert_int_equal(a.appearance, 0xc203); /* the last one of two octets */
    assert_int_equal(a.others_count, 2);
    assert_int_equal(a.others[0].type, 0x2e);
    assert_int_equal(a.others[1].data.data[0], 2);
}

static void advertising_data_of_a_key_counts_once_and_the_last(void **state)
{
    struct advertising_data a;

    (void) state;
    parse(&a, "05ff4c000102"
              "03ffe000"
              "05ff4c000304"
              "02ff01"
              "0416d2fc01"
              "0620d2fc000002"
              "0216d2");
    assert_int_equal(a.manufacturer_data_count, 2);
    assert_int_equal(a.manufacturer_data[0].company, 76);
    assert_memory_equal(a.manufacturer_data[0].value.data, "\x03\x04", 2);
    assert_int_equal(a.manufacturer_data[1].value.size, 0);
    assert_int_equal(a.service_data_count, 1);
    assert_memory_equal(a.service_data[0].value.data, "\x02", 1);
}

static void advertising_data_of_1650_octets_fills_the_lists_and_counts_the_rest(void **state)
{
    uint8_t octets[1650];
    struct advertising_data a;

    (void) state;
    for (size_t i = 0; i + 4 <= sizeof octets; i += 4)
        memcpy(octets + i, (uint8_t[]){3, 0xff, (uint8_t) (i >> 8), (uint8_t) i}, 4);
    octets[1648] = octets[1649] = 0;
    advertising_data_parse(&a, octets, sizeof octets);
    assert_int_equal(a.manufacturer_data_count, ADVERTISING_DATA_LIST_MAX);
    assert_int_equal(a.dropped, 412 - ADVERTISING_DATA_LIST_MAX);
}

static void A03_random_octets_are_never_read_past_their_end(void **state)
{
    uint32_t random = 7;
    struct advertising_data a;

    (void) state;
    for (int round = 0; round < 20000; round++) {
        size_t size = (size_t) round % 80;
        uint8_t octets[80], *data;

        for (size_t i = 0; i < size; i++) {
            random = random * 1664525u + 1013904223u;
            octets[i] = random >> 31 ? (uint8_t) (random >> 24 & 15) : (uint8_t) (random >> 16);
        }
        data = exact_copy(octets, size);
        advertising_data_parse(&a, data, size);
        assert_true(a.name.size + a.uuids_count + a.others_count <= size);
        free(data);
    }
    advertising_data_parse(&a, NULL, 0);
    assert_false(a.has_flags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(A03_every_row_of_the_corpus_reads_as_expected),
            cmocka_unit_test(A03_random_octets_are_never_read_past_their_end),
            cmocka_unit_test(A04_uuids_of_all_sizes_appear_in_order_with_repeats),
            cmocka_unit_test(A05_tx_power_is_one_signed_octet_or_nothing),
            cmocka_unit_test(A06_complete_name_beats_a_short_one_in_any_order),
            cmocka_unit_test(advertising_data_reads_on_behind_padding_and_empty_structures),
            cmocka_unit_test(advertising_data_drops_all_behind_a_structure_past_the_end),
            cmocka_unit_test(advertising_data_keeps_unknown_types_and_reads_appearance),
            cmocka_unit_test(advertising_data_of_a_key_counts_once_and_the_last),
            cmocka_unit_test(advertising_data_of_1650_octets_fills_the_lists_and_counts_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
