/* The list of what mDNS found, page by page. */
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
#include "fake_gateway.h"
#include "rest/rest.h"

#define PATH "/api/v1/proxies/discovered"

static const struct gateway_discovered found[] = {
        {
                .name = "attic",
                .host = "attic.local",
                .port = 6053,
                .encryption = "none",
                .bluetooth_proxy = -1,
                .last_seen = FAKE_START,
        },
        {
                .name = "kitchen",
                .friendly_name = "Küche \"1\"",
                .host = "kitchen.local",
                .port = 6054,
                .addresses = {"192.0.2.10", "fe80::1%eth0"},
                .addresses_count = 2,
                .has_mac = true,
                .mac = UINT64_C(0x246F28AABBCC),
                .esphome_version = "2026.8.0",
                .platform = "ESP32",
                .board = "esp32-poe",
                .network = "ethernet",
                .encryption = "required",
                .bluetooth_proxy = 1,
                .is_configured = true,
                .last_seen = FAKE_START,
        },
        {
                .name = "shed",
                .host = "shed.local",
                .port = 6053,
                .encryption = "supported",
                .bluetooth_proxy = 0,
                .last_seen = FAKE_START,
        },
};

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    struct rest_request request;
    json_t *json; /* the body of the last answer; NULL: none */
};

static int set_up(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{}");
    f->gateway = fake_gateway_new(f->config);
    fake_gateway_discover(f->gateway, found, ARRAY_SIZE(found));
    f->rest = rest_new(f->gateway);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    rest_free(f->rest);
    json_decref(f->json);
    answer_done(&f->request.answer);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static void on_done(struct rest_request *request)
{
    (void) request;
    fail_msg("nothing waits here");
}

static int ask(struct fixture *f, const char *method, const char *target)
{
    json_decref(f->json);
    answer_done(&f->request.answer);
    f->request = (struct rest_request){
            .method = method, .target = target, .role = REST_ROLE_READ, .done = on_done};
    assert_int_equal(rest_submit(f->rest, &f->request), REST_ANSWERED);
    f->json = json_loadb(f->request.answer.body, f->request.answer.body_size, 0, NULL);
    return f->request.answer.status;
}

static const json_t *item(const struct fixture *f, size_t index)
{
    return json_array_get(json_object_get(f->json, "items"), index);
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void all_that_a_device_says_is_told(void **state)
{
    struct fixture *f = *state;
    const json_t *kitchen;

    assert_int_equal(ask(f, "GET", PATH), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 3);
    kitchen = item(f, 1);
    assert_string_equal(text(kitchen, "friendly_name"), "Küche \"1\"");
    assert_string_equal(text(kitchen, "host"), "kitchen.local");
    assert_int_equal(json_integer_value(json_object_get(kitchen, "port")), 6054);
    assert_string_equal(json_string_value(json_array_get(json_object_get(kitchen, "addresses"), 1)),
                        "fe80::1%eth0");
    assert_string_equal(text(kitchen, "mac"), "24:6F:28:AA:BB:CC");
    assert_string_equal(text(kitchen, "encryption"), "required");
    assert_true(json_is_true(json_object_get(kitchen, "bluetooth_proxy")));
    assert_true(json_is_true(json_object_get(kitchen, "configured")));
}

static void what_it_does_not_say_is_null(void **state)
{
    static const char *const keys[] = {"friendly_name", "mac",     "esphome_version", "platform",
                                       "board",         "network", "bluetooth_proxy"};
    struct fixture *f = *state;

    assert_int_equal(ask(f, "GET", PATH), 200);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        assert_true(json_is_null(json_object_get(item(f, 0), keys[i])));
    assert_true(json_is_false(json_object_get(item(f, 0), "configured")));
    assert_true(json_is_false(json_object_get(item(f, 2), "bluetooth_proxy")));
}

static void pages_follow_each_other_by_name(void **state)
{
    struct fixture *f = *state;
    char target[256];

    assert_int_equal(ask(f, "GET", PATH "?limit=2"), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 2);
    assert_string_equal(text(item(f, 1), "name"), "kitchen");
    (void) snprintf(target, sizeof target, PATH "?limit=2&cursor=%s", text(f->json, "next"));
    assert_int_equal(ask(f, "GET", target), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 1);
    assert_string_equal(text(item(f, 0), "name"), "shed");
    assert_true(json_is_null(json_object_get(f->json, "next")));
    fake_gateway_discover(f->gateway, NULL, 0); /* all went meanwhile */
    assert_int_equal(ask(f, "GET", target), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 0);
    assert_true(json_is_null(json_object_get(f->json, "next")));
}

static void a_query_that_cannot_be_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, "GET", PATH "?cursor=!"), 400);
    assert_int_equal(ask(f, "GET", PATH "?limit=0"), 422);
    assert_int_equal(ask(f, "GET", PATH "?state=online"), 422);
    assert_int_equal(ask(f, "POST", PATH), 405);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(all_that_a_device_says_is_told),
            TEST(what_it_does_not_say_is_null),
            TEST(pages_follow_each_other_by_name),
            TEST(a_query_that_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
