#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "fake_links.h"
#include "json/device_json.h"
#include "json/event_json.h"

#define ADDRESS 0xa4c13812ab56

/* Flags, TX power -4, UUID 180f, manufacturer 76, name "ab". */
static const uint8_t payload[] = {0x02, 0x01, 0x06, 0x02, 0x0a, 0xfc, 0x03, 0x03, 0x0f, 0x18,
                                  0x05, 0xff, 0x4c, 0x00, 0x10, 0x05, 0x03, 0x09, 'a',  'b'};

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct fake_device *device;
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"}]}");
    f->gateway = fake_gateway_new(f->config);
    f->device = fake_gateway_add(f->gateway, ADDRESS);
    fake_gateway_hear(f->gateway, f->device, "kitchen", payload, sizeof payload);
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

static json_t *parse(struct writer *w)
{
    json_t *parsed = json_loadb((const char *) buffer_front(&w->text), buffer_size(&w->text),
                                JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

    assert_non_null(parsed);
    writer_done(w);
    return parsed;
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static struct gateway_hearing hearing_of(const struct fixture *f)
{
    return (struct gateway_hearing){
            .time = FAKE_START + 2250 * USEC_PER_MSEC,
            .device = &f->device->facts,
            .proxy = "kitchen",
            .is_owner = true,
            .rssi = -61,
            .rssi_smoothed = -62.44,
            .data = payload,
            .size = sizeof payload,
    };
}

static json_t *device_event(const struct fixture *f, const struct gateway_owner_change *owner,
                            unsigned reason)
{
    const struct gateway_device_change change = {
            .reasons = reason, .time = FAKE_START, .device = &f->device->facts, .owner = owner};
    struct writer w = {0}, device = {0};

    device_json_write(&device, NULL, f->gateway, &f->device->facts);
    event_json_write_device(&w, NULL, f->gateway, &change, reason, &device);
    writer_done(&device);
    return parse(&w);
}

static void reasons_of_one_change_come_in_the_order_of_the_contract(void **state)
{
    unsigned reasons = GATEWAY_DEVICE_FORGOTTEN | GATEWAY_DEVICE_SETTINGS |
                       GATEWAY_DEVICE_AVAILABILITY | GATEWAY_DEVICE_OWNER | GATEWAY_DEVICE_PAYLOAD |
                       GATEWAY_DEVICE_FIRST_SEEN;

    (void) state;
    assert_int_equal(event_json_take_reason(&reasons), GATEWAY_DEVICE_FIRST_SEEN);
    assert_int_equal(event_json_take_reason(&reasons), GATEWAY_DEVICE_PAYLOAD);
    assert_int_equal(event_json_take_reason(&reasons), GATEWAY_DEVICE_OWNER);
    assert_int_equal(event_json_take_reason(&reasons), GATEWAY_DEVICE_AVAILABILITY);
    assert_int_equal(event_json_take_reason(&reasons), GATEWAY_DEVICE_SETTINGS);
    assert_int_equal(event_json_take_reason(&reasons), GATEWAY_DEVICE_FORGOTTEN);
    assert_int_equal(event_json_take_reason(&reasons), 0);
}

static void O14_change_of_owner_tells_who_why_and_how_loud(void **state)
{
    const struct gateway_owner_change change = {"hall", "kitchen", "stronger", -80.26, NAN};
    json_t *event = device_event(*state, &change, GATEWAY_DEVICE_OWNER);
    const json_t *owner = json_object_get(event, "owner");

    assert_string_equal(text(event, "reason"), "owner");
    assert_string_equal(text(owner, "from"), "hall");
    assert_string_equal(text(owner, "to"), "kitchen");
    assert_string_equal(text(owner, "why"), "stronger");
    assert_true(fabs(json_real_value(json_object_get(owner, "rssi_from")) + 80.3) < 1e-9);
    assert_true(json_is_null(json_object_get(owner, "rssi_to")));
    json_decref(event);
}

static void change_of_settings_is_told_as_such(void **state)
{
    json_t *event = device_event(*state, NULL, GATEWAY_DEVICE_SETTINGS);

    assert_string_equal(text(event, "reason"), "settings");
    json_decref(event);
}

static void owner_is_null_with_every_other_reason(void **state)
{
    const struct gateway_owner_change change = {NULL, "kitchen", "first", NAN, -60};
    json_t *event = device_event(*state, &change, GATEWAY_DEVICE_FIRST_SEEN);

    assert_string_equal(text(event, "reason"), "first_seen");
    assert_string_equal(text(event, "time"), "2026-11-21T10:00:00.000Z");
    assert_true(json_is_null(json_object_get(event, "owner")));
    assert_string_equal(text(json_object_get(event, "device"), "address"), "A4:C1:38:12:AB:56");
    json_decref(event);
}

static void snapshot_is_the_device_as_it_is_now(void **state)
{
    const struct fixture *f = *state;
    struct writer w = {0};
    json_t *event;

    fake_gateway_advance(f->gateway, USEC_PER_SEC);
    event_json_write_snapshot(&w, NULL, f->gateway, &f->device->facts);
    event = parse(&w);
    assert_string_equal(text(event, "reason"), "snapshot");
    assert_string_equal(text(event, "time"), "2026-11-21T10:00:01.000Z");
    assert_string_equal(text(json_object_get(event, "device"), "name"), "ab");
    json_decref(event);
}

static void advertisement_is_this_packet_alone(void **state)
{
    const struct fixture *f = *state;
    struct gateway_hearing hearing = hearing_of(f);
    struct writer w = {0};
    json_t *event;

    hearing.data = payload + 3; /* TX power and UUID */
    hearing.size = 7;
    event_json_write_advertisement(&w, NULL, f->gateway, &hearing);
    event = parse(&w);
    assert_int_equal(json_object_size(event), 12);
    assert_string_equal(text(event, "time"), "2026-11-21T10:00:02.250Z");
    assert_string_equal(text(event, "address"), "A4:C1:38:12:AB:56");
    assert_string_equal(text(event, "address_type"), "public");
    assert_string_equal(text(event, "proxy"), "kitchen");
    assert_true(json_is_true(json_object_get(event, "owner")));
    assert_int_equal(json_integer_value(json_object_get(event, "rssi")), -61);
    assert_string_equal(text(event, "raw"), "020afc03030f18");
    assert_true(json_is_null(json_object_get(event, "name")));
    assert_int_equal(json_array_size(json_object_get(event, "service_uuids")), 1);
    assert_int_equal(json_object_size(json_object_get(event, "manufacturer_data")), 0);
    assert_int_equal(json_integer_value(json_object_get(event, "tx_power")), -4);
    json_decref(event);
}

static void advertisement_of_a_proxy_that_parses_has_no_raw(void **state)
{
    struct gateway_hearing hearing = hearing_of(*state);
    struct writer w = {0};
    json_t *event;

    hearing.is_parsed = true;
    hearing.rssi = 0;
    event_json_write_advertisement(&w, NULL, ((struct fixture *) *state)->gateway, &hearing);
    event = parse(&w);
    assert_true(json_is_null(json_object_get(event, "raw")));
    assert_true(json_is_null(json_object_get(event, "rssi")));
    assert_string_equal(text(event, "name"), "ab");
    assert_string_equal(text(json_object_get(event, "manufacturer_data"), "76"), "1005");
    json_decref(event);
}

static void E06_rssi_tells_both_loudnesses(void **state)
{
    struct gateway_hearing hearing = hearing_of(*state);
    struct writer w = {0};
    json_t *event;

    hearing.is_owner = false;
    assert_true(event_json_has_rssi(&hearing));
    event_json_write_rssi(&w, NULL, ((struct fixture *) *state)->gateway, &hearing);
    event = parse(&w);
    assert_int_equal(json_object_size(event), 6);
    assert_int_equal(json_integer_value(json_object_get(event, "rssi")), -61);
    assert_true(fabs(json_real_value(json_object_get(event, "rssi_smoothed")) + 62.4) < 1e-9);
    assert_true(json_is_false(json_object_get(event, "owner")));
    json_decref(event);
}

static void what_no_radio_measured_is_no_rssi_event(void **state)
{
    struct gateway_hearing hearing = hearing_of(*state);

    hearing.rssi = 0;
    assert_false(event_json_has_rssi(&hearing));
    hearing.rssi = 127;
    assert_false(event_json_has_rssi(&hearing));
}

static void proxy_event_shows_the_proxy_and_why(void **state)
{
    static const char *const reasons[] = {"added",   "removed", "renamed",  "state",
                                          "scanner", "slots",   "advisory", "settings"};
    const struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        struct writer w = {0};
        json_t *event;

        event_json_write_proxy(&w, NULL, f->gateway, (enum gateway_proxy_reason) i, 0);
        event = parse(&w);
        assert_string_equal(text(event, "reason"), reasons[i]);
        assert_string_equal(text(json_object_get(event, "proxy"), "name"), "kitchen");
        json_decref(event);
    }
}

static void connection_event_shows_the_link_and_why_it_ended(void **state)
{
    const struct gateway_link_change change = {
            .action = "failed",
            .time = FAKE_START,
            .address = ADDRESS,
            .code = E_CONNECT_FAILED,
            .has_reason = true,
            .reason = 62,
            .reason_name = "fail_establish",
    };
    struct fixture *f = *state;
    struct writer w = {0};
    json_t *event, *link;

    fake_links_lease(f->gateway, fake_links_add(f->gateway, ADDRESS, "kitchen"), "L1", "ops");
    event_json_write_connection(&w, NULL, f->gateway, &change);
    event = parse(&w);
    assert_int_equal(json_object_size(event), 8);
    assert_string_equal(text(event, "action"), "failed");
    assert_string_equal(text(event, "address"), "A4:C1:38:12:AB:56");
    assert_string_equal(text(event, "code"), "connect_failed");
    assert_int_equal(
            json_integer_value(json_object_get(json_object_get(event, "reason"), "number")), 62);
    assert_true(json_is_null(json_object_get(event, "proxy")));
    link = json_object_get(event, "connection");
    assert_string_equal(text(link, "state"), "connected");
    assert_int_equal(json_array_size(json_object_get(link, "leases")), 1);
    json_decref(event);
}

static void log_line_has_its_fields(void **state)
{
    const struct event_log_field fields[] = {{"proxy", "kitchen"}, {"cause", "wrong \"key\""}};
    const struct event_log_line line = {.wall = FAKE_WALL,
                                        .level = "warning",
                                        .module = "proxy",
                                        .message = "proxy.failed",
                                        .fields = fields,
                                        .fields_count = 2};
    struct writer w = {0};
    json_t *event;

    (void) state;
    event_json_write_log(&w, NULL, &line);
    event = parse(&w);
    assert_int_equal(json_object_size(event), 5);
    assert_string_equal(text(event, "level"), "warning");
    assert_string_equal(text(event, "module"), "proxy");
    assert_string_equal(text(json_object_get(event, "fields"), "cause"), "wrong \"key\"");
    json_decref(event);
}

static void control_events_are_as_the_contract_has_them(void **state)
{
    struct writer w = {0};

    (void) state;
    writer_begin_array(&w, NULL);
    event_json_write_ready(&w, NULL, 7);
    event_json_write_reset(&w, NULL, "too_old", "5f0c2a91-3");
    event_json_write_reset(&w, NULL, "other_boot", NULL);
    event_json_write_dropped(&w, NULL, 2, 5);
    writer_end_array(&w);
    buffer_append_char(&w.text, '\0');
    assert_string_equal((const char *) buffer_front(&w.text),
                        "[{\"devices\":7},{\"reason\":\"too_old\",\"oldest\":\"5f0c2a91-3\"},"
                        "{\"reason\":\"other_boot\",\"oldest\":null},{\"count\":2,\"total\":5}]");
    writer_done(&w);
}

static void G09_notification_event_has_handle_uuid_and_time(void **state)
{
    static const uint8_t octets[] = {0x16, 0x48};
    const struct ble_uuid uuid = ble_uuid_from_short(0x2a37);
    const struct gateway_gatt_value value = {.address = ADDRESS,
                                             .handle = 21,
                                             .uuid = &uuid,
                                             .value = {octets, sizeof octets},
                                             .proxy = "kitchen",
                                             .time = FAKE_START + USEC_PER_SEC,
                                             .counter = 7};
    struct fixture *f = *state;
    struct writer w = {0};
    json_t *event;

    event_json_write_notification(&w, NULL, f->gateway, &value);
    event = parse(&w);
    assert_int_equal(json_object_size(event), 7);
    assert_string_equal(text(event, "time"), "2026-11-21T10:00:01.000Z");
    assert_string_equal(text(event, "characteristic"), "00002a37-0000-1000-8000-00805f9b34fb");
    assert_int_equal(json_integer_value(json_object_get(event, "handle")), 21);
    assert_string_equal(text(event, "value"), "1648");
    assert_string_equal(text(event, "proxy"), "kitchen");
    assert_int_equal(json_integer_value(json_object_get(event, "counter")), 7);
    json_decref(event);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(reasons_of_one_change_come_in_the_order_of_the_contract),
            TEST(O14_change_of_owner_tells_who_why_and_how_loud),
            TEST(change_of_settings_is_told_as_such),
            TEST(owner_is_null_with_every_other_reason),
            TEST(snapshot_is_the_device_as_it_is_now),
            TEST(advertisement_is_this_packet_alone),
            TEST(advertisement_of_a_proxy_that_parses_has_no_raw),
            TEST(E06_rssi_tells_both_loudnesses),
            TEST(what_no_radio_measured_is_no_rssi_event),
            TEST(proxy_event_shows_the_proxy_and_why),
            TEST(G09_notification_event_has_handle_uuid_and_time),
            TEST(connection_event_shows_the_link_and_why_it_ended),
            TEST(log_line_has_its_fields),
            TEST(control_events_are_as_the_contract_has_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
