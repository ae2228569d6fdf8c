#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "fake_gateway.h"
#include "json/device_json.h"

#define ADDRESS     0xa4c13812ab56
#define BTHOME_UUID "0000fcd2-0000-1000-8000-00805f9b34fb"

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct fake_device *device;
    uint8_t data[256];
    size_t size;
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"}],"
                            "\"devices\":[{\"address\":\"C0:00:00:00:00:01\",\"alias\":\"Fridge\","
                            "\"bindkey\":\"00112233445566778899aabbccddeeff\"}]}");
    f->gateway = fake_gateway_new(f->config);
    f->device = fake_gateway_add(f->gateway, ADDRESS);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static void hear(struct fixture *f, const char *hex)
{
    assert_true(bytes_from_hex(f->data, sizeof f->data, hex, strlen(hex), &f->size));
    fake_gateway_hear(f->gateway, f->device, "kitchen", f->data, f->size);
}

static json_t *written(const struct fixture *f, const struct gateway_device *device, bool is_detail)
{
    struct writer w = {0};
    json_t *parsed;

    if (is_detail)
        device_json_write_detail(&w, NULL, f->gateway, device);
    else
        device_json_write(&w, NULL, f->gateway, device);
    parsed = json_loadb((const char *) buffer_front(&w.text), buffer_size(&w.text),
                        JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    writer_done(&w);
    assert_non_null(parsed);
    return parsed;
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void device_in_a_list_has_all_fields_of_the_contract(void **state)
{
    struct fixture *f = *state;
    json_t *d;

    hear(f, "0201060a16d2fc4002c40903bf13");
    f->device->facts.interval = 2500 * USEC_PER_MSEC;
    d = written(f, &f->device->facts, false);
    assert_int_equal(json_object_size(d), 22);
    assert_string_equal(text(d, "address"), "A4:C1:38:12:AB:56");
    assert_string_equal(text(d, "raw"), "0201060a16d2fc4002c40903bf13");
    assert_string_equal(text(json_object_get(d, "service_data"), BTHOME_UUID), "4002c40903bf13");
    assert_string_equal(text(d, "last_seen"), "2026-11-21T10:00:00.000Z");
    assert_true(json_number_value(json_object_get(d, "interval_s")) == 2.5);
    assert_true(json_is_null(json_object_get(d, "name")));
    json_decref(d);
}

static void A01_address_is_upper_case_with_colons_and_the_type_is_kept(void **state)
{
    struct fixture *f = *state;
    json_t *d;

    f->device->facts.address_type = "random";
    d = written(f, &f->device->facts, false);
    assert_string_equal(text(d, "address"), "A4:C1:38:12:AB:56");
    assert_string_equal(text(d, "address_type"), "random");
    json_decref(d);
}

static void A02_a_parsed_advertisement_has_no_raw_packet(void **state)
{
    struct fixture *f = *state;
    json_t *d;

    hear(f, "0201060a16d2fc4002c40903bf13");
    f->device->packet.is_parsed = true;
    d = written(f, &f->device->facts, true);
    assert_true(json_is_null(json_object_get(d, "raw")));
    assert_true(json_is_null(json_object_get(json_object_get(d, "latest"), "raw")));
    assert_string_equal(text(json_object_get(d, "service_data"), BTHOME_UUID), "4002c40903bf13");
    json_decref(d);
}

static void A04_uuids_are_lower_case_128_bit_texts(void **state)
{
    struct fixture *f = *state;
    json_t *d, *uuids;

    hear(f, "03030a180505785634121107adbeadde000000000000000000000001");
    d = written(f, &f->device->facts, false);
    uuids = json_object_get(d, "service_uuids");
    assert_int_equal(json_array_size(uuids), 3);
    assert_string_equal(json_string_value(json_array_get(uuids, 0)),
                        "0000180a-0000-1000-8000-00805f9b34fb");
    assert_string_equal(json_string_value(json_array_get(uuids, 1)),
                        "12345678-0000-1000-8000-00805f9b34fb");
    assert_string_equal(json_string_value(json_array_get(uuids, 2)),
                        "01000000-0000-0000-0000-0000deadbead");
    json_decref(d);
}

static void A11_each_element_has_its_own_time_name_and_key(void **state)
{
    struct fixture *f = *state;
    json_t *d, *elements, *first, *second;

    hear(f, "0201060a16d2fc4002c40903bf1305ff4c001005");
    f->device->elements[1].last_seen = FAKE_START + USEC_PER_SEC;
    d = written(f, &f->device->facts, true);
    elements = json_object_get(d, "elements");
    assert_int_equal(json_array_size(elements), 3);
    first = json_array_get(elements, 1);
    second = json_array_get(elements, 2);
    assert_string_equal(text(first, "name"), "service_data_16");
    assert_string_equal(text(first, "key"), BTHOME_UUID);
    assert_string_equal(text(first, "last_seen"), "2026-11-21T10:00:01.000Z");
    assert_string_equal(text(second, "name"), "manufacturer_data");
    assert_string_equal(text(second, "key"), "76");
    assert_string_equal(text(second, "value"), "1005");
    assert_string_equal(text(second, "last_seen"), "2026-11-21T10:00:00.000Z");
    json_decref(d);
}

static void A12_the_latest_packet_is_shown_alone(void **state)
{
    struct fixture *f = *state;
    json_t *d, *latest;

    hear(f, "02010602ff01022e01020af8");
    f->device->elements_count = 0;
    d = written(f, &f->device->facts, true);
    latest = json_object_get(d, "latest");
    assert_int_equal(json_integer_value(json_object_get(latest, "flags")), 6);
    assert_int_equal(json_integer_value(json_object_get(latest, "tx_power")), -8);
    assert_int_equal(json_array_size(json_object_get(latest, "unknown")), 1);
    assert_string_equal(text(json_array_get(json_object_get(latest, "unknown"), 0), "value"), "01");
    assert_int_equal(json_array_size(json_object_get(d, "elements")), 0);
    json_decref(d);
}

static void one_uuid_under_two_types_is_one_key_with_the_newest_data(void **state)
{
    struct fixture *f = *state;
    json_t *d, *service_data;

    hear(f, "0416d2fc01"
            "1221fb349b5f80000080001000"
            "00d2fc000002");
    assert_int_equal(f->device->elements_count, 2);
    f->device->elements[0].last_seen = FAKE_START + 1;
    d = written(f, &f->device->facts, false);
    service_data = json_object_get(d, "service_data");
    assert_int_equal(json_object_size(service_data), 1);
    assert_string_equal(text(service_data, BTHOME_UUID), "01");
    json_decref(d);

    f->device->elements[1].last_seen = FAKE_START + 2;
    d = written(f, &f->device->facts, false);
    assert_string_equal(text(json_object_get(d, "service_data"), BTHOME_UUID), "02");
    json_decref(d);
}

static void rssi_that_no_radio_measures_is_null(void **state)
{
    static const int impossible[] = {0, 21, 127};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(impossible); i++) {
        json_t *d;

        f->device->facts.rssi = impossible[i];
        f->device->facts.rssi_smoothed = (double) NAN;
        d = written(f, &f->device->facts, false);
        assert_true(json_is_null(json_object_get(d, "rssi")));
        assert_true(json_is_null(json_object_get(d, "rssi_smoothed")));
        json_decref(d);
    }
}

static void configured_device_that_was_never_heard_was_seen_at_the_epoch(void **state)
{
    struct fixture *f = *state;
    struct gateway_device never = {
            .config = &f->config->devices[0],
            .address = 0xc00000000001,
            .rssi_smoothed = (double) NAN,
    };
    json_t *d = written(f, &never, true);

    assert_string_equal(text(d, "first_seen"), "1970-01-01T00:00:00.000Z");
    assert_string_equal(text(d, "last_seen"), "1970-01-01T00:00:00.000Z");
    assert_string_equal(text(d, "address_type"), "random");
    assert_string_equal(text(d, "alias"), "Fridge");
    assert_true(json_is_false(json_object_get(d, "available")));
    assert_true(json_is_null(json_object_get(d, "latest")));
    json_decref(d);
}

static void secrets_of_a_device_are_starred(void **state)
{
    struct fixture *f = *state;
    struct gateway_device device = f->device->facts;
    json_t *d, *settings;

    device.config = &f->config->devices[0];
    d = written(f, &device, true);
    settings = json_object_get(d, "settings");
    assert_int_equal(json_object_size(settings), 10);
    assert_string_equal(text(settings, "bindkey"), "***");
    assert_true(json_is_null(json_object_get(settings, "irk")));
    assert_true(json_is_true(json_object_get(settings, "clear_cccd_on_stop")));
    json_decref(d);
}

static void what_came_through_a_proxy_that_is_gone_is_left_out_of_the_detail(void **state)
{
    struct fixture *f = *state;
    json_t *d;

    hear(f, "0201060a16d2fc4002c40903bf13");
    f->device->elements[0].proxy = NULL;
    f->device->sources[0].proxy = NULL;
    f->device->packet.proxy = NULL;
    d = written(f, &f->device->facts, true);
    assert_int_equal(json_array_size(json_object_get(d, "elements")), 1);
    assert_int_equal(json_array_size(json_object_get(d, "sources")), 0);
    assert_true(json_is_null(json_object_get(d, "latest")));
    json_decref(d);
}

static void assert_reads_as_expected(json_t *latest, const json_t *expected, const char *id)
{
    static const char *const keys[] = {"service_data", "manufacturer_data", "flags"};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (!json_equal(json_object_get(latest, keys[i]), json_object_get(expected, keys[i])))
            fail_msg("%s: %s differs", id, keys[i]);
    }
}

/* Every payload that we know of, damaged ones too, becomes valid JSON that says what it should. */
static void every_known_payload_becomes_valid_json(void **state)
{
    FILE *file = fopen(TEST_DATA "/advertisements.jsonl", "r");
    struct fixture *f = *state;
    char *line = NULL;
    size_t room = 0, rows = 0;

    assert_non_null(file);
    while (getline(&line, &room, file) > 0) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
        json_t *detail;

        assert_non_null(row);
        hear(f, text(row, "raw"));
        detail = written(f, &f->device->facts, true);
        assert_reads_as_expected(json_object_get(detail, "latest"), json_object_get(row, "expect"),
                                 text(row, "id"));
        json_decref(detail);
        json_decref(row);
        rows++;
    }
    assert_true(rows > 1000);
    free(line);
    fclose(file);
}

/* The same octets as a name: as hostile as names get. */
static void every_known_payload_is_harmless_as_a_name(void **state)
{
    FILE *file = fopen(TEST_DATA "/advertisements.jsonl", "r");
    struct fixture *f = *state;
    char *line = NULL;
    size_t room = 0;

    assert_non_null(file);
    while (getline(&line, &room, file) > 0) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL), *d;

        hear(f, text(row, "raw"));
        free((char *) f->device->facts.name);
        f->device->facts.name = memory_zalloc(f->size + 1, 1);
        memcpy((char *) f->device->facts.name, f->data, f->size);
        f->device->facts.name_size = f->size;
        d = written(f, &f->device->facts, false);
        assert_true(f->size == 0 || json_is_string(json_object_get(d, "name")));
        json_decref(d);
        json_decref(row);
    }
    free(line);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(device_in_a_list_has_all_fields_of_the_contract, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(
                    A01_address_is_upper_case_with_colons_and_the_type_is_kept, setup, teardown),
            cmocka_unit_test_setup_teardown(A02_a_parsed_advertisement_has_no_raw_packet, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(A04_uuids_are_lower_case_128_bit_texts, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(A11_each_element_has_its_own_time_name_and_key, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(A12_the_latest_packet_is_shown_alone, setup, teardown),
            cmocka_unit_test_setup_teardown(
                    one_uuid_under_two_types_is_one_key_with_the_newest_data, setup, teardown),
            cmocka_unit_test_setup_teardown(rssi_that_no_radio_measures_is_null, setup, teardown),
            cmocka_unit_test_setup_teardown(
                    configured_device_that_was_never_heard_was_seen_at_the_epoch, setup, teardown),
            cmocka_unit_test_setup_teardown(secrets_of_a_device_are_starred, setup, teardown),
            cmocka_unit_test_setup_teardown(
                    what_came_through_a_proxy_that_is_gone_is_left_out_of_the_detail, setup,
                    teardown),
            cmocka_unit_test_setup_teardown(every_known_payload_becomes_valid_json, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(every_known_payload_is_harmless_as_a_name, setup,
                                            teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
