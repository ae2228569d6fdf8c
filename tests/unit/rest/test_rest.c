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
#include "rest/contract.h"
#include "rest/rest.h"

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    struct answer answer; /* to the last request */
    json_t *json;         /* its body; NULL: none */
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"limits\":{\"body_bytes\":1024},\"proxies\":["
                            "{\"name\":\"kitchen\",\"host\":\"192.0.2.10\",\"area\":\"Down\"},"
                            "{\"name\":\"attic\",\"host\":\"192.0.2.11\",\"area\":\"Up\"},"
                            "{\"name\":\"cellar\",\"host\":\"192.0.2.12\",\"enabled\":false}]}");
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    *state = f;
    return 0;
}

static void forget_answer(struct fixture *f)
{
    json_decref(f->json);
    f->json = NULL;
    answer_done(&f->answer);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    forget_answer(f);
    rest_free(f->rest);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static void submit(struct fixture *f, struct rest_request *request)
{
    forget_answer(f);
    assert_int_equal(rest_submit(f->rest, request), REST_ANSWERED);
    f->answer = request->answer;
    if (f->answer.body && !f->answer.body_is_static)
        f->json = json_loadb(f->answer.body, f->answer.body_size, 0, NULL);
}

static int call(struct fixture *f, const char *method, const char *target)
{
    struct rest_request request = {.method = method, .target = target, .role = REST_ROLE_ADMIN};

    submit(f, &request);
    return f->answer.status;
}

static int post(struct fixture *f, const char *content_type, const char *body)
{
    struct rest_request request = {.method = "POST",
                                   .target = "/api/v1/proxies/kitchen/reconnect",
                                   .content_type = content_type,
                                   .body = body,
                                   .body_size = strlen(body),
                                   .role = REST_ROLE_ADMIN};

    submit(f, &request);
    return f->answer.status;
}

static const char *code(const struct fixture *f)
{
    return json_string_value(json_object_get(f->json, "code"));
}

static const char *header(const struct fixture *f, const char *name)
{
    for (size_t i = 0; i < f->answer.headers_count; i++) {
        if (strcmp(f->answer.headers[i].name, name) == 0)
            return f->answer.headers[i].value;
    }
    return "";
}

static const char *first_pointer(const struct fixture *f)
{
    return json_string_value(
            json_object_get(json_array_get(json_object_get(f->json, "errors"), 0), "pointer"));
}

static void info_and_health_are_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(call(f, "GET", "/api/v1/info"), 200);
    assert_string_equal(json_string_value(json_object_get(f->json, "name")), "blefleet");
    assert_int_equal(json_object_size(f->json), 11);
    assert_int_equal(call(f, "GET", "/healthz"), 200);
    assert_int_equal(call(f, "GET", "/readyz"), 200);
    assert_string_equal(json_string_value(json_object_get(f->json, "status")), "pass");
}

static void head_is_answered_like_get(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(call(f, "HEAD", "/api/v1/info"), 200);
    assert_string_equal(f->answer.content_type, "application/json");
    assert_true(f->answer.body_size > 0);
}

static void contract_is_served_plain_and_compressed_with_a_tag(void **state)
{
    struct fixture *f = *state;
    struct rest_request request = {.method = "GET", .target = "/api/v1/openapi.json"};
    char tag[ANSWER_HEADER_SIZE];
    size_t plain_size;

    submit(f, &request);
    assert_int_equal(f->answer.status, 200);
    assert_string_equal(header(f, "ETag"), contract_etag(false));
    plain_size = f->answer.body_size;
    request.accepts_gzip = true;
    submit(f, &request);
    assert_string_equal(header(f, "Content-Encoding"), "gzip");
    assert_true(f->answer.body_size < plain_size / 3);
    assert_memory_equal(f->answer.body, "\x1f\x8b", 2);
    snprintf(tag, sizeof tag, "%s", header(f, "ETag"));
    request.if_none_match = tag;
    submit(f, &request);
    assert_int_equal(f->answer.status, 304);
    assert_null(f->answer.body);
}

static void proxies_come_by_name_page_by_page(void **state)
{
    static const char *const names[] = {"attic", "cellar", "kitchen"};
    struct fixture *f = *state;
    char target[256] = "/api/v1/proxies?limit=1";

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const json_t *items, *next;

        assert_int_equal(call(f, "GET", target), 200);
        items = json_object_get(f->json, "items");
        next = json_object_get(f->json, "next");
        assert_int_equal(json_array_size(items), 1);
        assert_string_equal(json_string_value(json_object_get(json_array_get(items, 0), "name")),
                            names[i]);
        assert_true(json_is_string(next) == (i + 1 < ARRAY_SIZE(names)));
        snprintf(target, sizeof target, "/api/v1/proxies?limit=1&cursor=%s",
                 json_is_string(next) ? json_string_value(next) : "");
    }
    assert_int_equal(call(f, "GET", "/api/v1/proxies?cursor="), 400);
}

static void proxies_can_be_chosen_by_state_and_area(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(call(f, "GET", "/api/v1/proxies?state=disabled"), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 1);
    assert_int_equal(call(f, "GET", "/api/v1/proxies?area=Up&state=online"), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 1);
    assert_int_equal(call(f, "GET", "/api/v1/proxies?area=up"), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 0);
}

static void proxy_is_found_by_its_name(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(call(f, "GET", "/api/v1/proxies/attic"), 200);
    assert_int_equal(call(f, "GET", "/api/v1/proxies/garage"), 404);
    assert_string_equal(code(f), "proxy_not_found");
    assert_int_equal(call(f, "GET", "/api/v1/proxies/no%20label!"), 404);
    assert_string_equal(code(f), "proxy_not_found");
}

static void reconnect_begins_and_shows_the_proxy(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(call(f, "POST", "/api/v1/proxies/kitchen/reconnect"), 202);
    assert_string_equal(json_string_value(json_object_get(f->json, "state")), "connecting");
    assert_int_equal(fake_gateway_reconnects(f->gateway, 0), 1);
    assert_int_equal(call(f, "POST", "/api/v1/proxies/cellar/reconnect"), 409);
    assert_string_equal(code(f), "conflict");
    assert_int_equal(call(f, "POST", "/api/v1/proxies/garage/reconnect"), 404);
}

static void body_is_taken_only_as_the_route_wants_it(void **state)
{
    static char large[1025];
    struct fixture *f = *state;

    memset(large, ' ', sizeof large - 1);
    assert_int_equal(post(f, "application/json", "{}"), 202);
    assert_int_equal(post(f, "application/JSON; charset=utf-8", "{}"), 202);
    assert_int_equal(post(f, NULL, "{}"), 202);
    assert_int_equal(post(f, "text/plain", ""), 202);
    assert_int_equal(post(f, "text/plain", "{}"), 415);
    assert_string_equal(code(f), "unsupported_media_type");
    assert_int_equal(post(f, "application/jsonx", "{}"), 415);
    assert_int_equal(post(f, "application/json", "{"), 400);
    assert_string_equal(code(f), "invalid_request");
    assert_int_equal(post(f, "application/json", "{\"now\":true}"), 422);
    assert_string_equal(first_pointer(f), "/now");
    assert_int_equal(post(f, "application/json", "[]"), 422);
    assert_string_equal(first_pointer(f), "");
    large[1023] = 'x';
    assert_int_equal(post(f, "application/json", large), 400);
    assert_int_equal(fake_gateway_reconnects(f->gateway, 0), 4);
}

static void body_over_the_limit_is_refused_with_the_limit(void **state)
{
    struct fixture *f = *state;
    char *large AUTO_FREE = memory_zalloc(1026, 1);

    memset(large, ' ', 1025);
    assert_int_equal(post(f, "application/json", large), 413);
    assert_string_equal(code(f), "body_too_large");
    assert_int_equal(json_integer_value(json_object_get(f->json, "max")), 1024);
}

static void device_is_found_by_its_address_in_any_form(void **state)
{
    struct fixture *f = *state;

    fake_gateway_add(f->gateway, 0xa4c13812ab56);
    assert_int_equal(call(f, "GET", "/api/v1/devices/A4:C1:38:12:AB:56"), 200);
    assert_int_equal(json_object_size(f->json), 29);
    assert_int_equal(call(f, "GET", "/api/v1/devices/a4-c1-38-12-ab-56"), 200);
    assert_int_equal(call(f, "GET", "/api/v1/devices/a4c13812ab56"), 200);
    assert_int_equal(call(f, "GET", "/api/v1/devices/a4c13812ab57"), 404);
    assert_string_equal(code(f), "device_not_found");
    assert_int_equal(call(f, "GET", "/api/v1/devices/a4c13812ab5"), 400);
    assert_string_equal(code(f), "invalid_request");
}

static void query_faults_are_answered_with_their_places(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(call(f, "GET", "/api/v1/info?verbose=1"), 422);
    assert_string_equal(first_pointer(f), "?verbose");
    assert_int_equal(call(f, "GET", "/api/v1/devices?limit=0"), 422);
    assert_string_equal(first_pointer(f), "?limit");
    assert_int_equal(call(f, "GET", "/api/v1/devices?limit=x"), 400);
    assert_int_equal(call(f, "GET", "/api/v1/devices?wait_ms=60001"), 422);
    assert_int_equal(call(f, "GET", "/api/v1/devices?sort=colour"), 422);
    assert_int_equal(call(f, "GET", "/api/v1/devices?manufacturer_data_prefix=01"), 422);
    assert_string_equal(first_pointer(f), "?manufacturer_data_prefix");
    assert_int_equal(call(f, "GET", "/api/v1/devices?cursor=nonsense"), 400);
    assert_int_equal(call(f, "GET", "/api/v1/devices?service_uuid=180a&service_uuid=180f"), 200);
}

static void missing_paths_parts_and_methods_are_told_apart(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(call(f, "GET", "/api/v1/nothing"), 404);
    assert_string_equal(code(f), "not_found");
    assert_int_equal(call(f, "GET", "/api/v1/areas"), 404);
    assert_string_equal(code(f), "not_found");
    assert_int_equal(call(f, "DELETE", "/api/v1/info"), 405);
    assert_string_equal(code(f), "method_not_allowed");
    assert_string_equal(header(f, "Allow"), "GET, HEAD");
}

static void role_decides_what_may_be_done(void **state)
{
    struct fixture *f = *state;
    struct rest_request request = {.method = "POST",
                                   .target = "/api/v1/proxies/kitchen/reconnect",
                                   .role = REST_ROLE_READ};

    submit(f, &request);
    assert_int_equal(f->answer.status, 403);
    assert_string_equal(json_string_value(json_object_get(f->json, "needs_role")), "control");
    request.role = REST_ROLE_NONE;
    submit(f, &request);
    assert_int_equal(f->answer.status, 401);
    assert_string_equal(code(f), "unauthorized");
    request.role = REST_ROLE_CONTROL;
    submit(f, &request);
    assert_int_equal(f->answer.status, 202);
    request = (struct rest_request){.method = "GET", .target = "/healthz"};
    submit(f, &request);
    assert_int_equal(f->answer.status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(info_and_health_are_told, setup, teardown),
            cmocka_unit_test_setup_teardown(head_is_answered_like_get, setup, teardown),
            cmocka_unit_test_setup_teardown(contract_is_served_plain_and_compressed_with_a_tag,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(proxies_come_by_name_page_by_page, setup, teardown),
            cmocka_unit_test_setup_teardown(proxies_can_be_chosen_by_state_and_area, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(proxy_is_found_by_its_name, setup, teardown),
            cmocka_unit_test_setup_teardown(reconnect_begins_and_shows_the_proxy, setup, teardown),
            cmocka_unit_test_setup_teardown(body_is_taken_only_as_the_route_wants_it, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(body_over_the_limit_is_refused_with_the_limit, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(device_is_found_by_its_address_in_any_form, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(query_faults_are_answered_with_their_places, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(missing_paths_parts_and_methods_are_told_apart, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(role_decides_what_may_be_done, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
