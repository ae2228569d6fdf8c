#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "fake_gatts.h"
#include "fake_links.h"
#include "json/connection_json.h"
#include "json/device_json.h"
#include "json/gatt_json.h"

#define ADDRESS 0xa4c13812ab56

static const uint8_t hash[GATEWAY_GATT_HASH_SIZE] = {0xf1, 0xa2, 0xb3};
static const struct gatt_entry level = {.handle = 14, .kind = GATT_CHARACTERISTIC};

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct writer writer;
    json_t *json; /* of what was written last */
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"},"
                            "{\"name\":\"hall\",\"host\":\"192.0.2.11\"}]}");
    f->gateway = fake_gateway_new(f->config);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    json_decref(f->json);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static json_t *parsed(struct fixture *f)
{
    json_decref(f->json);
    f->json = json_loadb((const char *) buffer_front(&f->writer.text), buffer_size(&f->writer.text),
                         JSON_REJECT_DUPLICATES, NULL);
    writer_done(&f->writer);
    f->writer = (struct writer){0};
    assert_non_null(f->json);
    return f->json;
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "null";
}

static int64_t number(const json_t *object, const char *key)
{
    assert_true(json_is_integer(json_object_get(object, key)));
    return json_integer_value(json_object_get(object, key));
}

static json_t *item(const json_t *object, const char *list, size_t index)
{
    return json_array_get(json_object_get(object, list), index);
}

static void add(struct gatt_tree *t, enum gatt_kind kind, uint32_t uuid, uint32_t handle,
                uint32_t properties)
{
    const struct ble_uuid full = ble_uuid_from_short(uuid);

    assert_int_equal(gatt_tree_add(t, kind, &full, handle, properties), 0);
}

/* A battery, and a service of nobody's with two characteristics. */
static void know(struct fixture *f, const uint8_t *database_hash)
{
    struct gatt_tree *t = gatt_tree_new();

    add(t, GATT_SERVICE, 0x180f, 12, 0);
    add(t, GATT_CHARACTERISTIC, 0x2a19, 14, GATT_READ | GATT_NOTIFY);
    add(t, GATT_DESCRIPTOR, GATT_UUID_CCCD, 15, 0);
    add(t, GATT_SERVICE, 0xfff0, 20, 0);
    add(t, GATT_CHARACTERISTIC, 0xfff1, 22, 0x3ff);
    add(t, GATT_CHARACTERISTIC, 0xfff2, 24, 0);
    fake_gatts_know(f->gateway, ADDRESS, t, database_hash);
}

static json_t *tree(struct fixture *f, const struct ble_uuid *service)
{
    struct gateway_gatt gatt;

    assert_true(gateway_get_gatt(f->gateway, ADDRESS, &gatt));
    gatt_json_write_tree(&f->writer, NULL, f->gateway, ADDRESS, &gatt, true, service);
    return parsed(f);
}

static void G01_tree_has_services_characteristics_and_descriptors_with_names(void **state)
{
    struct fixture *f = *state;
    json_t *json, *service, *characteristic, *descriptor;

    know(f, hash);
    json = tree(f, NULL);
    assert_string_equal(text(json, "address"), "A4:C1:38:12:AB:56");
    assert_string_equal(text(json, "source"), "discovery");
    assert_string_equal(text(json, "updated"), "2026-11-21T10:00:00.000Z");
    assert_string_equal(text(json, "database_hash"), "f1a2b300000000000000000000000000");
    assert_int_equal(json_array_size(json_object_get(json, "services")), 2);
    service = item(json, "services", 0);
    assert_string_equal(text(service, "uuid"), "0000180f-0000-1000-8000-00805f9b34fb");
    assert_string_equal(text(service, "name"), "Battery Service");
    assert_int_equal(number(service, "handle"), 12);
    characteristic = item(service, "characteristics", 0);
    assert_string_equal(text(characteristic, "name"), "Battery Level");
    assert_int_equal(number(characteristic, "handle"), 14);
    assert_string_equal(json_string_value(item(characteristic, "properties", 0)), "read");
    assert_string_equal(json_string_value(item(characteristic, "properties", 1)), "notify");
    descriptor = item(characteristic, "descriptors", 0);
    assert_string_equal(text(descriptor, "uuid"), "00002902-0000-1000-8000-00805f9b34fb");
    assert_string_equal(text(descriptor, "name"), "Client Characteristic Configuration");
    assert_int_equal(number(descriptor, "handle"), 15);
}

static void names_are_null_where_the_sig_has_none(void **state)
{
    struct fixture *f = *state;
    json_t *service;

    know(f, NULL);
    service = item(tree(f, NULL), "services", 1);
    assert_true(json_is_null(json_object_get(service, "name")));
    assert_true(json_is_null(json_object_get(item(service, "characteristics", 0), "name")));
    assert_true(json_is_null(json_object_get(f->json, "database_hash")));
}

static void G01_properties_have_the_names_of_the_contract(void **state)
{
    static const char *const names[] = {"broadcast",
                                        "read",
                                        "write-without-response",
                                        "write",
                                        "notify",
                                        "indicate",
                                        "authenticated-signed-writes",
                                        "extended-properties",
                                        "reliable-write",
                                        "writable-auxiliaries"};
    struct fixture *f = *state;
    json_t *service;

    know(f, NULL);
    service = item(tree(f, NULL), "services", 1);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_string_equal(
                json_string_value(item(item(service, "characteristics", 0), "properties", i)),
                names[i]);
    assert_int_equal(
            json_array_size(json_object_get(item(service, "characteristics", 1), "properties")), 0);
}

static void G15_longest_write_is_that_of_the_link_of_now(void **state)
{
    struct fixture *f = *state;
    struct fake_link *link;
    json_t *first;

    know(f, NULL);
    first = item(item(tree(f, NULL), "services", 0), "characteristics", 0);
    assert_true(json_is_null(json_object_get(first, "max_write_without_response")));
    link = fake_links_add(f->gateway, ADDRESS, "kitchen");
    first = item(item(tree(f, NULL), "services", 0), "characteristics", 0);
    assert_int_equal(number(first, "max_write_without_response"), 244);
    link->facts.mtu = 23;
    first = item(item(tree(f, NULL), "services", 0), "characteristics", 0);
    assert_int_equal(number(first, "max_write_without_response"), 20);
}

static void tree_can_be_cut_down_to_a_service(void **state)
{
    struct ble_uuid service = ble_uuid_from_short(0xfff0);
    struct fixture *f = *state;
    json_t *json;

    know(f, NULL);
    json = tree(f, &service);
    assert_int_equal(json_array_size(json_object_get(json, "services")), 1);
    assert_int_equal(json_array_size(json_object_get(item(json, "services", 0), "characteristics")),
                     2);
    service = ble_uuid_from_short(0x2a19);
    assert_int_equal(json_array_size(json_object_get(tree(f, &service), "services")), 0);
}

static void device_tells_what_is_known_and_who_holds_bonds(void **state)
{
    struct fixture *f = *state;
    struct fake_device *device = fake_gateway_add(f->gateway, ADDRESS);
    json_t *gatt;

    device_json_write_detail(&f->writer, NULL, f->gateway, &device->facts);
    (void) parsed(f);
    assert_true(json_is_null(json_object_get(f->json, "gatt")));
    assert_int_equal(json_array_size(json_object_get(f->json, "bonds")), 0);
    know(f, hash);
    fake_links_route(f->gateway, 1)->is_bonded = true;
    device_json_write_detail(&f->writer, NULL, f->gateway, &device->facts);
    gatt = json_object_get(parsed(f), "gatt");
    assert_true(json_is_true(json_object_get(gatt, "cached")));
    assert_string_equal(text(gatt, "database_hash"), "f1a2b300000000000000000000000000");
    assert_int_equal(number(gatt, "services_count"), 2);
    assert_int_equal(json_object_size(gatt), 4);
    assert_string_equal(json_string_value(item(f->json, "bonds", 0)), "hall");
}

static void link_tells_its_subscriptions_and_who_holds_them(void **state)
{
    struct gatt_entry entry = level;
    struct fixture *f = *state;
    json_t *subscription;

    entry.uuid = ble_uuid_from_short(0x2a19);
    (void) fake_links_add(f->gateway, ADDRESS, "kitchen");
    fake_gatts_hold(f->gateway, ADDRESS, &entry, "notify", "L1");
    fake_gatts_hold(f->gateway, ADDRESS, &entry, "notify", "L2");
    fake_gatts_value(f->gateway, ADDRESS, 14, "d", "kitchen");
    connection_json_write(&f->writer, NULL, f->gateway, ADDRESS);
    subscription = item(parsed(f), "subscriptions", 0);
    assert_int_equal(json_object_size(subscription), 6);
    assert_string_equal(text(subscription, "characteristic"),
                        "00002a19-0000-1000-8000-00805f9b34fb");
    assert_int_equal(number(subscription, "handle"), 14);
    assert_string_equal(text(subscription, "type"), "notify");
    assert_string_equal(text(subscription, "since"), "2026-11-21T10:00:00.000Z");
    assert_int_equal(number(subscription, "counter"), 1);
    assert_string_equal(json_string_value(item(subscription, "leases", 1)), "L2");
}

static void subscription_that_nobody_holds_is_not_told(void **state)
{
    struct fixture *f = *state;

    (void) fake_links_add(f->gateway, ADDRESS, "kitchen");
    fake_gatts_hold(f->gateway, ADDRESS, &level, "notify", "L1");
    fake_gatts_end_lease(f->gateway, ADDRESS, "L1");
    connection_json_write(&f->writer, NULL, f->gateway, ADDRESS);
    assert_int_equal(json_array_size(json_object_get(parsed(f), "subscriptions")), 0);
}

static void granted_subscription_has_its_lease(void **state)
{
    struct gateway_gatt_answer answer = {.handle = 14, .lease = "L1", .expires = USEC_NEVER};
    struct fixture *f = *state;

    assert_false(gatt_json_write_granted(&f->writer, NULL, f->gateway, ADDRESS, &answer));
    assert_int_equal(buffer_size(&f->writer.text), 0);
    fake_gatts_hold(f->gateway, ADDRESS, &level, "indicate", "L1");
    assert_true(gatt_json_write_granted(&f->writer, NULL, f->gateway, ADDRESS, &answer));
    assert_string_equal(text(parsed(f), "lease"), "L1");
    assert_true(json_is_null(json_object_get(f->json, "expires")));
    assert_string_equal(text(f->json, "type"), "indicate");
    answer.expires = FAKE_START + 60 * USEC_PER_SEC;
    assert_true(gatt_json_write_granted(&f->writer, NULL, f->gateway, ADDRESS, &answer));
    assert_string_equal(text(parsed(f), "expires"), "2026-11-21T10:01:00.000Z");
    assert_int_equal(json_object_size(f->json), 8);
}

static void value_says_whether_it_is_of_a_descriptor(void **state)
{
    static const uint8_t octets[] = {0x64, 0xff};
    struct gatt_entry entry = {.handle = 14, .kind = GATT_DESCRIPTOR};
    struct gateway_gatt_answer answer = {.handle = 14, .value = {octets, 2}, .proxy = "hall"};
    struct fixture *f = *state;

    gatt_json_write_read(&f->writer, NULL, f->gateway, ADDRESS, &answer);
    assert_string_equal(text(parsed(f), "value"), "64ff");
    assert_int_equal(json_object_size(f->json), 6); /* of a handle that no tree explains */
    assert_string_equal(text(f->json, "source"), "read");
    assert_string_equal(text(f->json, "proxy"), "hall");
    answer.entry = &entry;
    entry.uuid = ble_uuid_from_short(0x2901);
    answer.proxy = NULL;
    gatt_json_write_read(&f->writer, NULL, f->gateway, ADDRESS, &answer);
    assert_string_equal(text(parsed(f), "descriptor"), "00002901-0000-1000-8000-00805f9b34fb");
    assert_string_equal(text(f->json, "proxy"), "unknown");
}

static void P03_clearing_says_what_was_cleared(void **state)
{
    struct gateway_gatt_answer answer = {.cleared_proxy = true, .proxy = "kitchen"};
    struct fixture *f = *state;

    gatt_json_write_cleared(&f->writer, NULL, ADDRESS, &answer);
    (void) parsed(f);
    assert_true(json_is_true(json_object_get(f->json, "gateway")));
    assert_true(json_is_true(json_object_get(f->json, "proxy")));
    assert_true(json_is_null(json_object_get(f->json, "warning")));
    answer.cleared_proxy = false;
    gatt_json_write_cleared(&f->writer, NULL, ADDRESS, &answer);
    (void) parsed(f);
    assert_true(json_is_true(json_object_get(f->json, "gateway")));
    assert_true(json_is_false(json_object_get(f->json, "proxy")));
    assert_non_null(strstr(text(f->json, "warning"), "kitchen"));
    answer.proxy = NULL;
    gatt_json_write_cleared(&f->writer, NULL, ADDRESS, &answer);
    assert_non_null(strstr(text(parsed(f), "warning"), "no link"));
}

static void G14_bond_that_failed_tells_its_number(void **state)
{
    struct gateway_gatt_answer answer = {
            .code = E_PAIRING_FAILED, .has_number = true, .number = 0x52, .number_name = "smp"};
    struct fixture *f = *state;

    gatt_json_write_bond(&f->writer, NULL, ADDRESS, "kitchen", true, &answer);
    assert_string_equal(text(parsed(f), "code"), "pairing_failed");
    assert_int_equal(number(json_object_get(f->json, "reason"), "number"), 0x52);
    assert_true(json_is_true(json_object_get(f->json, "bonded")));
    answer.code = 0;
    gatt_json_write_bond(&f->writer, NULL, ADDRESS, "kitchen", false, &answer);
    (void) parsed(f);
    assert_true(json_is_null(json_object_get(f->json, "code")));
    assert_true(json_is_null(json_object_get(f->json, "reason")));
    assert_true(json_is_false(json_object_get(f->json, "bonded")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(G01_tree_has_services_characteristics_and_descriptors_with_names),
            TEST(names_are_null_where_the_sig_has_none),
            TEST(G01_properties_have_the_names_of_the_contract),
            TEST(G15_longest_write_is_that_of_the_link_of_now),
            TEST(tree_can_be_cut_down_to_a_service),
            TEST(device_tells_what_is_known_and_who_holds_bonds),
            TEST(link_tells_its_subscriptions_and_who_holds_them),
            TEST(subscription_that_nobody_holds_is_not_told),
            TEST(granted_subscription_has_its_lease),
            TEST(value_says_whether_it_is_of_a_descriptor),
            TEST(P03_clearing_says_what_was_cleared),
            TEST(G14_bond_that_failed_tells_its_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
