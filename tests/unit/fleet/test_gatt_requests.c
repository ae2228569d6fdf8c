/* Requests about a device that has the database of TEST_DATA/gatt/bench.json. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fleet/gatt_library.h"
#include "fleet/gatt_requests.h"

#define NOW     ((usec_t) 1000000)
#define ADDRESS 0xc0ffee000001u
#define ECHO    21

struct fixture {
    struct gatt_library *library;
    struct world *world;
    json_t *answer;
};

static const struct gatt *load(struct fixture *f, const char *name)
{
    struct reader reader = {0};
    json_t *document = json_string(name);
    struct spot root = reader_root(&reader, document);
    const struct gatt *gatt = gatt_library_read(f->library, &root);

    json_decref(document);
    reader_done(&reader);
    assert_non_null(gatt);
    return gatt;
}

static int set_up(void **state)
{
    static const struct world_radio RADIO = {.exponent = 2, .sensitivity_dbm = -95};
    static const struct payload PAYLOAD = {.data = {2, 1, 6}, .size = 3, .advertising_size = 3};
    struct fixture *f = xnew(struct fixture, 1);
    struct world_device_options options = {.address = ADDRESS,
                                           .interval = USEC_PER_SEC,
                                           .payloads = &PAYLOAD,
                                           .payloads_count = 1,
                                           .payload_events = 1,
                                           .peripheral = PERIPHERAL_USUAL};

    f->library = gatt_library_new(TEST_DATA "/gatt");
    f->world = world_new(&RADIO, 1);
    f->answer = json_object();
    options.peripheral.gatt.databases[0] = load(f, "bench");
    options.peripheral.gatt.databases[1] = load(f, "lock");
    options.peripheral.gatt.count = 2;
    assert_int_equal(world_add_device(f->world, &options, NOW), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    world_free(f->world);
    gatt_library_free(f->library);
    json_decref(f->answer);
    free(f);
    return 0;
}

/* Does one request and expects the fault, or none where it is "". */
static void ask(struct fixture *f, const char *text, const char *expected)
{
    struct reader reader = {0};
    json_t *document = json_loads(text, 0, NULL);
    assert_non_null(document);
    struct spot request = reader_root(&reader, document);
    const char *what = json_string_value(json_object_get(document, "do"));

    if (strcmp(what, "gatt") == 0)
        gatt_request_view(f->world, &request, f->answer);
    else if (strcmp(what, "change_gatt") == 0)
        gatt_request_change(f->world, &request);
    else if (strcmp(what, "set_value") == 0)
        gatt_request_set(f->world, &request, NOW);
    else if (strcmp(what, "fail_gatt") == 0)
        gatt_request_fail(f->world, &request);
    else
        gatt_request_forget_bonds(f->world, &request);
    buffer_append_char(&reader.text, '\0');
    assert_string_equal((const char *) buffer_front(&reader.text), expected);
    json_decref(document);
    reader_done(&reader);
}

static struct gatt_server *server_of(const struct fixture *f)
{
    return world_gatt_server(f->world, ADDRESS);
}

static void a_value_can_be_set_and_seen(void **state)
{
    struct fixture *f = *state;

    ask(f,
        "{\"do\":\"set_value\",\"device\":\"C0:FF:EE:00:00:01\",\"handle\":21,\"value\":\"0a0b\"}",
        "");
    ask(f, "{\"do\":\"gatt\",\"device\":\"C0:FF:EE:00:00:01\"}", "");
    json_t *attributes = json_object_get(f->answer, "attributes");
    size_t index = gatt_find(gatt_server_gatt(server_of(f)), ECHO);
    json_t *echo = json_array_get(attributes, index);
    assert_int_equal(json_array_size(attributes), gatt_count(gatt_server_gatt(server_of(f))));
    assert_int_equal(json_integer_value(json_object_get(f->answer, "database")), 0);
    assert_int_equal(json_integer_value(json_object_get(echo, "handle")), ECHO);
    assert_string_equal(json_string_value(json_object_get(echo, "value")), "0a0b");
    assert_string_equal(json_string_value(json_object_get(echo, "kind")), "value");
    assert_string_equal(json_string_value(json_object_get(echo, "uuid")),
                        "be9c00027e574b1e9c3d0123456789ab");
}

static void the_database_changes_when_it_is_told_to(void **state)
{
    struct fixture *f = *state;

    ask(f, "{\"do\":\"change_gatt\",\"device\":\"C0:FF:EE:00:00:01\"}", "");
    assert_int_equal(gatt_server_database(server_of(f)), 1);
}

static void failures_and_forgetting_are_ordered(void **state)
{
    struct fixture *f = *state;
    uint8_t value[GATT_VALUE_MAX];
    size_t size;

    bonds_add(gatt_server_bonds(server_of(f)), 3);
    ask(f, "{\"do\":\"forget_bonds\",\"device\":\"C0:FF:EE:00:00:01\"}", "");
    assert_false(bonds_has(gatt_server_bonds(server_of(f)), 3));
    ask(f, "{\"do\":\"fail_gatt\",\"device\":\"C0:FF:EE:00:00:01\",\"handle\":21}", "");
    struct gatt_link *link = gatt_link_open(server_of(f), 23, NOW);
    assert_int_equal(gatt_link_read(link, ECHO, NOW, value, &size), 0x0e);
    assert_int_equal(gatt_link_read(link, ECHO, NOW, value, &size), 0);
    gatt_link_close(link);
}

static void what_is_wrong_is_told(void **state)
{
    struct fixture *f = *state;

    ask(f, "{\"do\":\"gatt\",\"device\":\"C0:FF:EE:00:00:02\"}",
        "/device: there is no device of this address\n");
    ask(f, "{\"do\":\"change_gatt\"}", "/device: there is no device of this address\n");
    ask(f, "{\"do\":\"forget_bonds\",\"device\":7}",
        "/device: must be a text\n/device: there is no device of this address\n");
    ask(f, "{\"do\":\"set_value\",\"device\":\"C0:FF:EE:00:00:01\",\"handle\":1000,\"value\":\"\"}",
        "/handle: there is no such value\n");
    ask(f, "{\"do\":\"set_value\",\"device\":\"C0:FF:EE:00:00:01\",\"handle\":21,\"value\":\"0\"}",
        "/value: must be hex of at most 512 octets\n");
    ask(f, "{\"do\":\"fail_gatt\",\"device\":\"C0:FF:EE:00:00:01\"}",
        "/handle: must be a whole number from 1 to 65535\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(a_value_can_be_set_and_seen, set_up, tear_down),
            cmocka_unit_test_setup_teardown(the_database_changes_when_it_is_told_to, set_up,
                                            tear_down),
            cmocka_unit_test_setup_teardown(failures_and_forgetting_are_ordered, set_up, tear_down),
            cmocka_unit_test_setup_teardown(what_is_wrong_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
