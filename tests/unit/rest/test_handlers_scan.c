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

#define FRIDGE  0xA4C13812AB56
#define WINDOWS "/api/v1/scan/windows"
#define NEEDS   "/api/v1/scan/needs"

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    struct rest_request request;
    unsigned done;
    json_t *json; /* the body of the last answer; NULL: none */
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"limits\":{\"http_connections\":16},"
                            "\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"},"
                            "{\"name\":\"hall\",\"host\":\"192.0.2.11\"},"
                            "{\"name\":\"shed\",\"host\":\"192.0.2.12\",\"scan_mode\":\"passive\"},"
                            "{\"name\":\"attic\",\"host\":\"192.0.2.13\",\"enabled\":false}]}");
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    *state = f;
    return 0;
}

static void forget_answer(struct fixture *f)
{
    json_decref(f->json);
    f->json = NULL;
    answer_done(&f->request.answer);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    rest_free(f->rest);
    forget_answer(f);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static void read_answer(struct fixture *f)
{
    json_decref(f->json);
    f->json = NULL;
    if (f->request.answer.body)
        f->json = json_loadb(f->request.answer.body, f->request.answer.body_size, 0, NULL);
}

static void on_done(struct rest_request *request)
{
    struct fixture *f = request->user;

    f->done++;
    read_answer(f);
}

/* 0: it waits. Else the status. */
static int submit(struct fixture *f, const char *method, const char *target, const char *body)
{
    forget_answer(f);
    f->done = 0;
    f->request = (struct rest_request){
            .method = method,
            .target = target,
            .body = body,
            .body_size = body ? strlen(body) : 0,
            .role = REST_ROLE_CONTROL,
            .done = on_done,
            .user = f,
    };
    if (rest_submit(f->rest, &f->request) != REST_ANSWERED)
        return 0;
    read_answer(f);
    return f->request.answer.status;
}

static const json_t *list(const struct fixture *f, const char *name)
{
    return json_object_get(f->json, name);
}

/* A field of each item of a list, "a,b,c". */
static const char *joined(const struct fixture *f, const char *name, const char *field)
{
    static char text[256];
    size_t index, length = 0;
    const json_t *item;

    text[0] = '\0';
    json_array_foreach(list(f, name), index, item)
    {
        const json_t *value = field ? json_object_get(item, field) : item;

        length += (size_t) snprintf(text + length, sizeof text - length, "%s%s",
                                    index > 0 ? "," : "", json_string_value(value));
    }
    return text;
}

static const char *code(const struct fixture *f)
{
    return json_string_value(json_object_get(f->json, "code"));
}

static const char *first_pointer(const struct fixture *f)
{
    return json_string_value(
            json_object_get(json_array_get(json_object_get(f->json, "errors"), 0), "pointer"));
}

/* ---- windows ---- */

static void window_opens_on_the_proxies_that_are_named(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "POST", WINDOWS,
                            "{\"proxies\":[\"hall\",\"hall\"],\"address\":\"a4c13812ab56\"}"),
                     201);
    assert_string_equal(joined(f, "items", "proxy"), "hall");
    assert_string_equal(joined(f, "items", "cause"), "request");
    assert_string_equal(
            json_string_value(json_array_get(
                    json_object_get(json_array_get(list(f, "items"), 0), "addresses"), 0)),
            "A4:C1:38:12:AB:56");
}

static void window_for_a_device_opens_on_its_owner(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = fake_gateway_add(f->gateway, FRIDGE);

    d->facts.proxy = "hall";
    assert_int_equal(submit(f, "POST", WINDOWS, "{\"address\":\"A4:C1:38:12:AB:56\"}"), 201);
    assert_string_equal(joined(f, "items", "proxy"), "hall");
}

static void window_for_nobody_opens_on_all_that_are_enabled(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "POST", WINDOWS, "{\"proxies\":null,\"address\":null}"), 201);
    assert_string_equal(joined(f, "items", "proxy"), "kitchen,hall,shed");
    assert_string_equal(joined(f, "items", "state"), "running,running,refused");
    assert_int_equal(submit(f, "POST", WINDOWS, "{\"address\":\"A4:C1:38:12:AB:56\"}"), 201);
    assert_string_equal(joined(f, "items", "proxy"), "kitchen,hall,shed"); /* it has no owner */
}

static void request_of_which_no_window_opens_fails_with_the_windows(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "POST", WINDOWS, "{\"proxies\":[\"shed\"]}"), 503);
    assert_string_equal(code(f), "scan_refused");
    assert_string_equal(joined(f, "windows", "detail"), "the proxy cannot");
}

static void window_requests_that_are_not_valid_are_refused_before_anything_opens(void **state)
{
    static const struct {
        const char *body, *pointer;
    } rows[] = {
            {"{\"duration_s\":4.9}", "/duration_s"},    {"{\"duration_s\":35.1}", "/duration_s"},
            {"{\"duration_s\":\"10\"}", "/duration_s"}, {"{\"proxies\":[]}", "/proxies"},
            {"{\"proxies\":[1]}", "/proxies"},          {"{\"proxies\":\"hall\"}", "/proxies"},
            {"{\"address\":\"fridge\"}", "/address"},   {"{\"every\":1}", "/every"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(submit(f, "POST", WINDOWS, rows[i].body), 422);
        assert_string_equal(first_pointer(f), rows[i].pointer);
    }
    assert_int_equal(submit(f, "POST", WINDOWS, "{\"proxies\":[\"hall\",\"cellar\"]}"), 404);
    assert_string_equal(code(f), "proxy_not_found");
    assert_int_equal(submit(f, "GET", WINDOWS, NULL), 200);
    assert_int_equal(json_array_size(list(f, "items")), 0);
}

static void windows_are_listed_newest_first_page_by_page(void **state)
{
    struct fixture *f = *state;
    char target[128];

    assert_int_equal(submit(f, "POST", WINDOWS, "{}"), 201);
    assert_int_equal(submit(f, "GET", WINDOWS "?limit=2", NULL), 200);
    assert_string_equal(joined(f, "items", "id"), "w3,w2");
    (void) snprintf(target, sizeof target, WINDOWS "?limit=2&cursor=%s",
                    json_string_value(json_object_get(f->json, "next")));
    assert_int_equal(submit(f, "GET", target, NULL), 200);
    assert_string_equal(joined(f, "items", "id"), "w1");
    assert_true(json_is_null(json_object_get(f->json, "next")));
    assert_int_equal(submit(f, "GET", WINDOWS "?cursor=kitchen", NULL), 400);
}

static void windows_are_filtered_by_proxy_and_state(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "POST", WINDOWS, "{}"), 201);
    assert_int_equal(submit(f, "GET", WINDOWS "?state=refused", NULL), 200);
    assert_string_equal(joined(f, "items", "proxy"), "shed");
    assert_int_equal(submit(f, "GET", WINDOWS "?state=running&proxy=hall", NULL), 200);
    assert_string_equal(joined(f, "items", "id"), "w2");
    assert_int_equal(submit(f, "GET", WINDOWS "?state=planned", NULL), 200);
    assert_int_equal(json_array_size(list(f, "items")), 0);
}

/* ---- needs ---- */

static void needs_are_listed_by_address_page_by_page(void **state)
{
    struct fixture *f = *state;
    char target[128];

    (void) fake_gateway_need(f->gateway, 3);
    (void) fake_gateway_need(f->gateway, 1);
    (void) fake_gateway_need(f->gateway, 2);
    assert_int_equal(submit(f, "GET", NEEDS "?limit=2", NULL), 200);
    assert_string_equal(joined(f, "items", "address"), "00:00:00:00:00:01,00:00:00:00:00:02");
    (void) snprintf(target, sizeof target, NEEDS "?limit=2&cursor=%s",
                    json_string_value(json_object_get(f->json, "next")));
    assert_int_equal(submit(f, "GET", target, NULL), 200);
    assert_string_equal(joined(f, "items", "address"), "00:00:00:00:00:03");
    assert_true(json_is_null(json_object_get(f->json, "next")));
}

static void need_tells_all_that_is_known_of_it(void **state)
{
    struct fixture *f = *state;
    struct gateway_need *need = fake_gateway_need(f->gateway, FRIDGE);
    const json_t *item;

    need->proxy = "hall";
    need->next_due = 0;
    need->state = "running";
    need->answered = 3;
    need->missed = 1;
    (void) snprintf(need->last_window, sizeof need->last_window, "w7");
    assert_int_equal(submit(f, "GET", NEEDS, NULL), 200);
    item = json_array_get(list(f, "items"), 0);
    assert_int_equal(json_integer_value(json_object_get(item, "interval_s")), 300);
    assert_int_equal(json_integer_value(json_object_get(item, "duration_s")), 10);
    assert_int_equal(json_integer_value(json_object_get(item, "answered")), 3);
    assert_int_equal(json_integer_value(json_object_get(item, "missed")), 1);
    assert_true(json_is_null(json_object_get(item, "next_due")));
    assert_string_equal(joined(f, "items", "last_window"), "w7");
    assert_string_equal(joined(f, "items", "proxy"), "hall");
}

static void need_is_a_setting_of_its_device(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "PUT", NEEDS "/A4:C1:38:12:AB:56", "{\"interval_s\":600}"), 0);
    assert_int_equal(fake_gateway_order(f->gateway)->address, FRIDGE);
    assert_string_equal(fake_gateway_order(f->gateway)->text,
                        "{\"active_scan\":{\"interval_s\":600,\"duration_s\":10}}");
    (void) fake_gateway_need(f->gateway, FRIDGE);
    fake_gateway_finish_order(f->gateway, 0, NULL);
    assert_int_equal(f->request.answer.status, 200);
    assert_string_equal(json_string_value(json_object_get(f->json, "address")),
                        "A4:C1:38:12:AB:56");
    assert_int_equal(submit(f, "DELETE", NEEDS "/A4:C1:38:12:AB:56", NULL), 0);
    assert_string_equal(fake_gateway_order(f->gateway)->text, "{\"active_scan\":null}");
    fake_gateway_finish_order(f->gateway, 0, NULL);
    assert_int_equal(f->request.answer.status, 204);
}

static void S05_need_that_is_out_of_range_is_refused(void **state)
{
    static const struct {
        const char *body, *pointer;
    } rows[] = {
            {"{\"interval_s\":59}", "/interval_s"},     {"{\"interval_s\":86401}", "/interval_s"},
            {"{\"duration_s\":4}", "/duration_s"},      {"{\"duration_s\":36}", "/duration_s"},
            {"{\"interval_s\":\"60\"}", "/interval_s"}, {"{\"duration_s\":5.5}", "/duration_s"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(submit(f, "PUT", NEEDS "/A4:C1:38:12:AB:56", rows[i].body), 422);
        assert_string_equal(first_pointer(f), rows[i].pointer);
    }
    assert_int_equal(submit(f, "PUT", NEEDS "/A4:C1:38:12:AB:56", "{\"interval_s\":1e999}"), 400);
    assert_int_equal(submit(f, "PUT", NEEDS "/fridge", "{}"), 400);
    assert_null(fake_gateway_order(f->gateway));
}

static void needs_have_a_bound(void **state)
{
    struct fixture *f = *state;

    fake_gateway_claim_needs(f->gateway, GATEWAY_NEEDS_MAX);
    assert_int_equal(submit(f, "PUT", NEEDS "/A4:C1:38:12:AB:56", "{}"), 503);
    assert_string_equal(code(f), "overloaded");
    fake_gateway_claim_needs(f->gateway, GATEWAY_NEEDS_MAX - 1);
    (void) fake_gateway_need(f->gateway, FRIDGE);
    assert_int_equal(submit(f, "PUT", NEEDS "/A4:C1:38:12:AB:56", "{}"), 0); /* is there already */
    fake_gateway_finish_order(f->gateway, 0, NULL);
    assert_int_equal(f->request.answer.status, 200);
}

static void need_that_is_none_cannot_be_ended(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "DELETE", NEEDS "/A4:C1:38:12:AB:56", NULL), 404);
    assert_string_equal(code(f), "not_found");
    assert_int_equal(submit(f, "DELETE", NEEDS "/fridge", NULL), 400);
}

/* ---- discovery ---- */

static void D05_discovery_gives_who_was_heard_while_it_ran(void **state)
{
    struct fixture *f = *state;
    struct fake_device *loud;

    (void) fake_gateway_add(f->gateway, 1);
    fake_gateway_advance(f->gateway, USEC_PER_SEC);
    assert_int_equal(
            submit(f, "POST", "/api/v1/scan/discover", "{\"duration_s\":2.5,\"active\":false}"), 0);
    (void) fake_gateway_add(f->gateway, 2);
    loud = fake_gateway_add(f->gateway, 3);
    loud->facts.rssi_smoothed = -40;
    fake_gateway_advance(f->gateway, 2499 * USEC_PER_MSEC);
    assert_int_equal(f->done, 0);
    fake_gateway_advance(f->gateway, USEC_PER_MSEC);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 200);
    assert_string_equal(joined(f, "items", "address"), "00:00:00:00:00:03,00:00:00:00:00:02");
    assert_true(json_number_value(json_object_get(f->json, "duration_s")) == 2.5);
    assert_int_equal(json_array_size(list(f, "windows")), 0);
}

static void
S08_discovery_opens_windows_on_all_free_proxies_and_returns_when_it_is_over(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "POST", WINDOWS, "{\"proxies\":[\"hall\"]}"), 201);
    assert_int_equal(submit(f, "POST", "/api/v1/scan/discover", NULL), 0);
    fake_gateway_advance(f->gateway, 10 * USEC_PER_SEC);
    assert_int_equal(f->done, 1);
    assert_string_equal(joined(f, "windows", NULL), "w2,w1"); /* the one that was open is shared */
}

static void discovery_that_is_longer_than_a_window_asks_again_in_time(void **state)
{
    struct fixture *f = *state;
    struct gateway_window window;

    assert_int_equal(submit(f, "POST", "/api/v1/scan/discover", "{\"duration_s\":60}"), 0);
    fake_gateway_advance(f->gateway, 30 * USEC_PER_SEC);
    assert_true(gateway_get_window(f->gateway, 1, &window));
    assert_int_equal(window.ends, FAKE_START + 60 * USEC_PER_SEC);
    fake_gateway_close_windows(f->gateway); /* whatever ended them */
    fake_gateway_advance(f->gateway, 30 * USEC_PER_SEC);
    assert_int_equal(f->done, 1);
    assert_string_equal(joined(f, "windows", NULL), "w1,w2");
}

static void who_gives_up_a_discovery_frees_it(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "POST", "/api/v1/scan/discover", NULL), 0);
    rest_cancel(f->rest, &f->request, E_CANCELLED);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 503); /* a timer that is left fails the fake */
}

static void discovery_takes_no_more_requests_than_may_wait(void **state)
{
    struct fixture *f = *state;
    struct rest_request waiting[8]; /* half of the connections */

    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
        waiting[i] = (struct rest_request){.method = "POST",
                                           .target = "/api/v1/scan/discover",
                                           .role = REST_ROLE_CONTROL,
                                           .done = on_done,
                                           .user = f};
        assert_int_equal(rest_submit(f->rest, &waiting[i]), 0);
    }
    assert_int_equal(submit(f, "POST", "/api/v1/scan/discover", NULL), 503);
    assert_string_equal(code(f), "overloaded");
    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
        rest_cancel(f->rest, &waiting[i], E_CANCELLED);
        answer_done(&waiting[i].answer);
    }
}

static void discoveries_that_are_not_valid_are_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "POST", "/api/v1/scan/discover", "{\"duration_s\":0.9}"), 422);
    assert_string_equal(first_pointer(f), "/duration_s");
    assert_int_equal(submit(f, "POST", "/api/v1/scan/discover", "{\"duration_s\":61}"), 422);
    assert_int_equal(submit(f, "POST", "/api/v1/scan/discover", "{\"active\":1}"), 422);
    assert_string_equal(first_pointer(f), "/active");
}

/* ---- history ---- */

static void E07_history_is_cleared(void **state)
{
    struct fixture *f = *state;
    const struct fake_device *d = fake_gateway_add(f->gateway, FRIDGE);

    assert_int_equal(submit(f, "POST", "/api/v1/devices/A4:C1:38:12:AB:56/clear-history", NULL),
                     204);
    assert_true(d->is_cleared);
    assert_int_equal(submit(f, "POST", "/api/v1/devices/A4:C1:38:12:AB:57/clear-history", NULL),
                     404);
    assert_string_equal(code(f), "device_not_found");
    assert_int_equal(submit(f, "POST", "/api/v1/devices/fridge/clear-history", NULL), 400);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(window_opens_on_the_proxies_that_are_named),
            TEST(window_for_a_device_opens_on_its_owner),
            TEST(window_for_nobody_opens_on_all_that_are_enabled),
            TEST(request_of_which_no_window_opens_fails_with_the_windows),
            TEST(window_requests_that_are_not_valid_are_refused_before_anything_opens),
            TEST(windows_are_listed_newest_first_page_by_page),
            TEST(windows_are_filtered_by_proxy_and_state),
            TEST(needs_are_listed_by_address_page_by_page),
            TEST(need_tells_all_that_is_known_of_it),
            TEST(need_is_a_setting_of_its_device),
            TEST(S05_need_that_is_out_of_range_is_refused),
            TEST(needs_have_a_bound),
            TEST(need_that_is_none_cannot_be_ended),
            TEST(D05_discovery_gives_who_was_heard_while_it_ran),
            TEST(S08_discovery_opens_windows_on_all_free_proxies_and_returns_when_it_is_over),
            TEST(discovery_that_is_longer_than_a_window_asks_again_in_time),
            TEST(who_gives_up_a_discovery_frees_it),
            TEST(discovery_takes_no_more_requests_than_may_wait),
            TEST(discoveries_that_are_not_valid_are_refused),
            TEST(E07_history_is_cleared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
