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
#include "fake_gatts.h"
#include "fake_links.h"
#include "rest/rest.h"

#define FRIDGE   0xA4C13812AB56
#define DEVICE   "/api/v1/devices/A4:C1:38:12:AB:56"
#define LEVEL    DEVICE "/characteristics/2a19"
#define SERVICES DEVICE "/services"
#define BOND     DEVICE "/bond"
#define HANDLE   14
#define WAITING  8 /* requests that may wait: half of the connections */

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    struct rest_request request;
    struct fake_link *link;
    struct gatt_entry level;
    unsigned done;
    json_t *json; /* the body of the last answer; NULL: none, or it is not JSON */
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"limits\":{\"http_connections\":16},\"proxies\":["
                            "{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"},"
                            "{\"name\":\"hall\",\"host\":\"192.0.2.11\"},"
                            "{\"name\":\"attic\",\"host\":\"192.0.2.12\"}]}");
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    f->link = fake_links_add(f->gateway, FRIDGE, "kitchen");
    f->level = (struct gatt_entry){.uuid = ble_uuid_from_short(0x2a19),
                                   .handle = HANDLE,
                                   .properties = GATT_READ | GATT_NOTIFY,
                                   .kind = GATT_CHARACTERISTIC};
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

    forget_answer(f);
    rest_free(f->rest);
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

/* 0: it waits. Else the status. What is not set is as somebody on loopback has it. */
static int submit_request(struct fixture *f, const struct rest_request *request)
{
    forget_answer(f);
    f->done = 0;
    f->request = *request;
    if (f->request.role == REST_ROLE_NONE)
        f->request.role = REST_ROLE_CONTROL;
    f->request.client = "ops";
    f->request.done = on_done;
    f->request.user = f;
    if (rest_submit(f->rest, &f->request) != REST_ANSWERED)
        return 0;
    read_answer(f);
    return f->request.answer.status;
}

static int submit(struct fixture *f, const char *method, const char *target, const char *body)
{
    const struct rest_request request = {
            .method = method, .target = target, .body = body, .body_size = body ? strlen(body) : 0};

    return submit_request(f, &request);
}

static void wait_for(struct fixture *f, const char *method, const char *target, const char *body)
{
    assert_int_equal(submit(f, method, target, body), 0);
}

static void drop(struct fixture *f)
{
    rest_cancel(f->rest, &f->request, E_CANCELLED);
}

static const struct gateway_gatt_wish *wish(const struct fixture *f)
{
    const struct gateway_gatt_wish *first = fake_gatts_request(f->gateway, 0);

    assert_non_null(first);
    return first;
}

/* The oldest that waits at the gateway ends like this, and the request with it. */
static void end(struct fixture *f, int status, const struct gateway_gatt_answer *answer)
{
    fake_gatts_answer(f->gateway, answer);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, status);
    if (answer->code)
        assert_string_equal(json_string_value(json_object_get(f->json, "code")),
                            error_token(answer->code));
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "null";
}

static int64_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static json_t *item(const struct fixture *f, const char *list, size_t index)
{
    return json_array_get(json_object_get(f->json, list), index);
}

static size_t count(const struct fixture *f, const char *list)
{
    return json_array_size(json_object_get(f->json, list));
}

static void add(struct gatt_tree *t, enum gatt_kind kind, uint32_t uuid, uint32_t handle)
{
    const struct ble_uuid full = ble_uuid_from_short(uuid);

    assert_int_equal(gatt_tree_add(t, kind, &full, handle, GATT_READ | GATT_NOTIFY), 0);
}

static void know(struct fixture *f)
{
    struct gatt_tree *t = gatt_tree_new();

    add(t, GATT_SERVICE, 0x180f, 12);
    add(t, GATT_CHARACTERISTIC, 0x2a19, HANDLE);
    add(t, GATT_DESCRIPTOR, GATT_UUID_CCCD, 15);
    add(t, GATT_SERVICE, 0x180a, 20);
    fake_gatts_know(f->gateway, FRIDGE, t, NULL);
}

/* ---- trees ---- */

static void services_that_are_known_are_told_to_who_may_only_look(void **state)
{
    const struct rest_request request = {
            .method = "GET", .target = SERVICES, .role = REST_ROLE_READ};
    struct fixture *f = *state;

    know(f);
    assert_int_equal(submit_request(f, &request), 200);
    assert_string_equal(text(f->json, "source"), "store");
    assert_int_equal(count(f, "services"), 2);
    assert_null(fake_gatts_request(f->gateway, 0));
}

static void services_that_are_not_known_need_control(void **state)
{
    struct rest_request request = {.method = "GET", .target = SERVICES, .role = REST_ROLE_READ};
    struct fixture *f = *state;

    assert_int_equal(submit_request(f, &request), 403);
    assert_string_equal(text(f->json, "needs_role"), "control");
    know(f);
    request.target = SERVICES "?refresh=true";
    assert_int_equal(submit_request(f, &request), 403);
    assert_null(fake_gatts_request(f->gateway, 0));
}

static void G01_services_are_discovered_for_who_asks(void **state)
{
    struct gateway_gatt_answer answer = {.is_discovered = true};
    struct fixture *f = *state;
    struct gateway_gatt gatt;

    know(f);
    wait_for(f, "GET", SERVICES "?refresh=true&uuid=180f", NULL);
    assert_int_equal(wish(f)->verb, GATEWAY_GATT_SERVICES);
    assert_true(wish(f)->refresh);
    assert_true(wish(f)->link.address == FRIDGE);
    assert_true(gateway_get_gatt(f->gateway, FRIDGE, &gatt));
    answer.gatt = &gatt;
    end(f, 200, &answer);
    assert_string_equal(text(f->json, "source"), "discovery");
    assert_int_equal(count(f, "services"), 1);
    assert_string_equal(text(item(f, "services", 0), "name"), "Battery Service");
    assert_int_equal(submit(f, "GET", SERVICES "?uuid=1800", NULL), 200);
    assert_int_equal(count(f, "services"), 0);
}

static void query_of_services_is_checked(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "GET", SERVICES "?uuid=18", NULL), 400);
    assert_int_equal(submit(f, "GET", SERVICES "?refresh=yes", NULL), 422);
    assert_int_equal(submit(f, "GET", SERVICES "?timeout_ms=99", NULL), 422);
    assert_string_equal(text(item(f, "errors", 0), "pointer"), "?timeout_ms");
    assert_int_equal(submit(f, "GET", "/api/v1/devices/zz/services", NULL), 400);
}

/* ---- reading ---- */

static void G03_characteristic_is_named_by_uuid_or_handle(void **state)
{
    static const struct {
        const char *name;
        uint16_t handle; /* 0: it is a UUID */
        uint32_t uuid;
    } cases[] = {
            {"14", 14, 0},
            {"1", 1, 0},
            {"123", 123, 0},
            {"1234", 0, 0x1234},
            {"01234", 1234, 0},
            {"65535", 65535, 0},
            {"2A19", 0, 0x2a19},
            {"00002a19", 0, 0x2a19},
            {"00002a1900001000800000805f9b34fb", 0, 0x2a19},
            {"00002A19-0000-1000-8000-00805f9b34fb", 0, 0x2a19},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct ble_uuid uuid = ble_uuid_from_short(cases[i].uuid);
        char target[160];

        (void) snprintf(target, sizeof target, DEVICE "/characteristics/%s", cases[i].name);
        wait_for(f, "GET", target, NULL);
        assert_int_equal(wish(f)->verb, GATEWAY_GATT_READ);
        assert_int_equal(wish(f)->has_handle, cases[i].handle > 0);
        if (cases[i].handle)
            assert_int_equal(wish(f)->handle, cases[i].handle);
        else
            assert_true(ble_uuid_equal(&wish(f)->uuid, &uuid));
        drop(f);
    }
}

static void G03_what_names_no_characteristic_is_400(void **state)
{
    static const char *const names[] = {"0",   "00000", "65536", "99999", "xyz",
                                        "2a1", "2a19f", "-1",    "%20",   "2a19-2a19"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char target[160];

        (void) snprintf(target, sizeof target, DEVICE "/characteristics/%s", names[i]);
        assert_int_equal(submit(f, "GET", target, NULL), 400);
    }
    assert_null(fake_gatts_request(f->gateway, 0));
}

static void value_is_read(void **state)
{
    struct fixture *f = *state;
    const struct gateway_gatt_answer answer = {.handle = HANDLE,
                                               .entry = &f->level,
                                               .value = {(const uint8_t *) "d", 1},
                                               .proxy = "kitchen"};

    wait_for(f, "GET", LEVEL, NULL);
    assert_null(wish(f)->link.renew);
    assert_string_equal(wish(f)->link.client, "ops");
    end(f, 200, &answer);
    assert_int_equal(json_object_size(f->json), 7);
    assert_string_equal(text(f->json, "address"), "A4:C1:38:12:AB:56");
    assert_string_equal(text(f->json, "characteristic"), "00002a19-0000-1000-8000-00805f9b34fb");
    assert_int_equal(number(f->json, "handle"), HANDLE);
    assert_string_equal(text(f->json, "value"), "64");
    assert_string_equal(text(f->json, "source"), "read");
    assert_string_equal(text(f->json, "proxy"), "kitchen");
}

static void value_is_told_as_octets_to_who_accepts_them(void **state)
{
    static const struct {
        const char *accept;
        bool is_octets;
    } cases[] = {
            {"application/octet-stream", true},
            {"application/octet-stream, application/json;q=0.5", true},
            {"application/json, application/octet-stream", false},
            {"*/*", false},
            {NULL, false},
    };
    const struct gateway_gatt_answer answer = {.handle = HANDLE,
                                               .value = {(const uint8_t *) "\0d", 2}};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct rest_request request = {
                .method = "GET", .target = LEVEL, .accept = cases[i].accept};

        assert_int_equal(submit_request(f, &request), 0);
        end(f, 200, &answer);
        assert_string_equal(f->request.answer.content_type,
                            cases[i].is_octets ? "application/octet-stream" : "application/json");
        if (cases[i].is_octets)
            assert_memory_equal(f->request.answer.body, "\0d", 2);
    }
}

static void value_of_no_octets_is_a_value(void **state)
{
    const struct rest_request request = {
            .method = "GET", .target = LEVEL, .accept = "application/octet-stream"};
    const struct gateway_gatt_answer answer = {.handle = HANDLE};
    struct fixture *f = *state;

    assert_int_equal(submit_request(f, &request), 0);
    end(f, 200, &answer);
    assert_int_equal(f->request.answer.body_size, 0);
    wait_for(f, "GET", LEVEL, NULL);
    end(f, 200, &answer);
    assert_string_equal(text(f->json, "value"), "");
}

static void G10_limits_are_those_of_the_request_or_of_the_settings(void **state)
{
    struct fixture *f = *state;

    wait_for(f, "GET", LEVEL, NULL);
    assert_int_equal(wish(f)->timeout, 30 * USEC_PER_SEC);
    assert_int_equal(wish(f)->tries, 2);
    drop(f);
    wait_for(f, "GET", LEVEL "?timeout_ms=100&retry_attempts=10&lease=L1", NULL);
    assert_int_equal(wish(f)->timeout, 100 * USEC_PER_MSEC);
    assert_int_equal(wish(f)->tries, 10);
    assert_string_equal(wish(f)->link.renew, "L1");
    drop(f);
    wait_for(f, "PUT", LEVEL, "{\"value\":\"00\",\"timeout_ms\":600000,\"retry_attempts\":1}");
    assert_int_equal(wish(f)->timeout, 600 * USEC_PER_SEC);
    assert_int_equal(wish(f)->tries, 1);
    drop(f);
    assert_int_equal(submit(f, "GET", LEVEL "?retry_attempts=0", NULL), 422);
    assert_int_equal(submit(f, "GET", LEVEL "?timeout_ms=600001", NULL), 422);
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=60001", NULL), 422);
}

static void G03_ambiguous_uuid_names_the_handles(void **state)
{
    static const uint16_t handles[] = {14, 22};
    const struct gateway_gatt_answer answer = {
            .code = E_CHARACTERISTIC_AMBIGUOUS, .handles = handles, .handles_count = 2};
    struct fixture *f = *state;

    wait_for(f, "GET", LEVEL, NULL);
    end(f, 409, &answer);
    assert_int_equal(count(f, "handles"), 2);
    assert_int_equal(json_integer_value(item(f, "handles", 1)), 22);
}

static void G03_unknown_characteristics_and_descriptors_are_404(void **state)
{
    const struct gateway_gatt_answer characteristic = {.code = E_CHARACTERISTIC_NOT_FOUND};
    const struct gateway_gatt_answer descriptor = {.code = E_DESCRIPTOR_NOT_FOUND};
    struct fixture *f = *state;

    wait_for(f, "GET", LEVEL, NULL);
    end(f, 404, &characteristic);
    wait_for(f, "GET", DEVICE "/descriptors/15", NULL);
    end(f, 404, &descriptor);
}

/* ---- what goes wrong ---- */

static void G12_att_error_is_told_as_number_and_name(void **state)
{
    struct gateway_gatt_answer answer = {.code = E_GATT_ERROR,
                                         .has_number = true,
                                         .number = 5,
                                         .number_name = "insufficient_authentication",
                                         .handle = HANDLE};
    struct fixture *f = *state;
    json_t *error;

    wait_for(f, "GET", LEVEL, NULL);
    end(f, 502, &answer);
    error = json_object_get(f->json, "att_error");
    assert_int_equal(number(error, "number"), 5);
    assert_string_equal(text(error, "name"), "insufficient_authentication");
    assert_int_equal(number(f->json, "handle"), HANDLE);
    assert_non_null(strstr(text(f->json, "detail"), "insufficient_authentication (5)"));
    answer.number = 0x9f;
    answer.number_name = NULL;
    wait_for(f, "GET", LEVEL, NULL);
    end(f, 502, &answer);
    assert_string_equal(text(json_object_get(f->json, "att_error"), "name"), "unknown");
}

static void G02_an_error_without_a_number_has_one_all_the_same(void **state)
{
    const struct gateway_gatt_answer answer = {.code = E_GATT_ERROR};
    struct fixture *f = *state;

    wait_for(f, "GET", SERVICES, NULL);
    end(f, 502, &answer);
    assert_int_equal(number(json_object_get(f->json, "att_error"), "number"), 0);
    assert_null(json_object_get(f->json, "handle"));
}

static void G11_lost_link_tells_its_reason(void **state)
{
    struct gateway_gatt_answer answer = {
            .code = E_DISCONNECTED, .has_number = true, .number = 8, .number_name = "timeout"};
    struct fixture *f = *state;

    wait_for(f, "GET", LEVEL, NULL);
    end(f, 502, &answer);
    assert_int_equal(number(json_object_get(f->json, "reason"), "number"), 8);
    answer.has_number = false;
    wait_for(f, "GET", LEVEL, NULL);
    end(f, 502, &answer);
    assert_null(json_object_get(f->json, "reason"));
}

static void every_cause_has_its_status(void **state)
{
    static const struct {
        int cause, status;
    } cases[] = {
            {E_GATT_TIMEOUT, 504},   {E_NOT_PERMITTED, 409},   {E_NOT_CONNECTED, 409},
            {E_GONE, 410},           {E_QUEUE_FULL, 503},      {E_SHUTTING_DOWN, 503},
            {E_OVERLOADED, 503},     {E_CANCELLED, 503},       {E_DEVICE_NOT_FOUND, 404},
            {E_CONNECT_FAILED, 502}, {E_CONNECT_TIMEOUT, 504}, {E_PROXY_OFFLINE, 503},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct gateway_gatt_answer answer = {.code = cases[i].cause};

        wait_for(f, "GET", LEVEL, NULL);
        end(f, cases[i].status, &answer);
        if (cases[i].status == 503)
            assert_int_equal(number(f->json, "retry_after_s"), 1);
    }
}

static void property_that_lacks_is_told_with_those_that_are_there(void **state)
{
    struct fixture *f = *state;
    const struct gateway_gatt_answer answer = {
            .code = E_NOT_PERMITTED, .handle = HANDLE, .entry = &f->level};

    wait_for(f, "PUT", LEVEL, "{\"value\":\"01\"}");
    end(f, 409, &answer);
    assert_int_equal(count(f, "properties"), 2);
    assert_string_equal(json_string_value(item(f, "properties", 0)), "read");
}

static void link_that_does_not_open_is_told_with_its_attempts(void **state)
{
    struct fixture *f = *state;
    const struct gateway_attempt attempt =
            fake_links_attempt(f->gateway, "kitchen", E_CONNECT_FAILED, 62, "fail_establish");
    const struct gateway_link_answer link = {
            .code = E_CONNECT_FAILED, .attempts = &attempt, .attempts_count = 1};
    const struct gateway_gatt_answer answer = {.code = E_CONNECT_FAILED, .link = &link};

    wait_for(f, "GET", LEVEL, NULL);
    end(f, 502, &answer);
    assert_int_equal(count(f, "attempts"), 1);
    assert_string_equal(text(item(f, "attempts", 0), "proxy"), "kitchen");
}

static void refusals_at_once_are_answers(void **state)
{
    static const int causes[] = {E_QUEUE_FULL, E_OVERLOADED, E_SHUTTING_DOWN};
    static const struct {
        const char *method, *target, *body;
    } cases[] = {
            {"GET", LEVEL, NULL},
            {"PUT", LEVEL, "{\"value\":\"01\"}"},
            {"PUT", LEVEL "/subscription", NULL},
            {"GET", LEVEL "?wait_notification_ms=100", NULL},
            {"DELETE", BOND "?proxy=hall", NULL},
            {"GET", SERVICES, NULL},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
        fake_gatts_refuse(f->gateway, causes[i]);
        for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
            assert_int_equal(submit(f, cases[k].method, cases[k].target, cases[k].body), 503);
            assert_string_equal(text(f->json, "code"), error_token(causes[i]));
        }
    }
    assert_int_equal(fake_gatts_readers(f->gateway), 0);
}

static void request_that_is_cancelled_gives_its_wish_up(void **state)
{
    struct fixture *f = *state;

    wait_for(f, "GET", LEVEL, NULL);
    drop(f);
    assert_int_equal(fake_gatts_cancelled(f->gateway), 1);
    assert_null(fake_gatts_request(f->gateway, 0));
    assert_int_equal(f->request.answer.status, 503);
}

static void ignore_done(struct rest_request *request)
{
    (void) request;
}

static void requests_that_wait_are_bounded(void **state)
{
    static const char *const more[] = {LEVEL, LEVEL "?wait_notification_ms=1"};
    struct rest_request waiting[WAITING];
    struct fixture *f = *state;

    for (size_t i = 0; i < WAITING; i++) {
        waiting[i] = (struct rest_request){
                .method = "GET", .target = LEVEL, .role = REST_ROLE_CONTROL, .done = ignore_done};
        assert_int_equal(rest_submit(f->rest, &waiting[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
        assert_int_equal(submit(f, "GET", more[i], NULL), 503);
        assert_string_equal(text(f->json, "code"), "overloaded");
    }
    for (size_t i = 0; i < WAITING; i++) {
        rest_cancel(f->rest, &waiting[i], E_CANCELLED);
        answer_done(&waiting[i].answer);
    }
}

/* ---- writing ---- */

static void G04_response_is_what_is_said_or_left_to_the_property(void **state)
{
    static const struct {
        const char *body;
        bool has_response, response;
    } cases[] = {
            {"{\"value\":\"01Ff\"}", false, false},
            {"{\"value\":\"01ff\",\"response\":null}", false, false},
            {"{\"value\":\"01ff\",\"response\":true}", true, true},
            {"{\"value\":\"01ff\",\"response\":false}", true, false},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        wait_for(f, "PUT", LEVEL, cases[i].body);
        assert_int_equal(wish(f)->verb, GATEWAY_GATT_WRITE);
        assert_int_equal(wish(f)->has_response, cases[i].has_response);
        assert_int_equal(wish(f)->response, cases[i].response);
        assert_int_equal(wish(f)->value.size, 2);
        assert_memory_equal(wish(f)->value.data, "\x01\xff", 2);
        drop(f);
    }
}

static void written_value_says_how_and_how_long_it_took(void **state)
{
    const struct gateway_gatt_answer answer = {
            .handle = HANDLE, .with_response = true, .proxy = "hall"};
    struct fixture *f = *state;

    wait_for(f, "PUT", LEVEL, "{\"value\":\"\"}");
    assert_int_equal(wish(f)->value.size, 0);
    fake_gateway_advance(f->gateway, 250 * USEC_PER_MSEC);
    end(f, 200, &answer);
    assert_int_equal(json_object_size(f->json), 5);
    assert_int_equal(number(f->json, "duration_ms"), 250);
    assert_true(json_is_true(json_object_get(f->json, "response")));
    assert_string_equal(text(f->json, "proxy"), "hall");
}

static void octets_are_written_as_they_are(void **state)
{
    struct rest_request request = {.method = "PUT",
                                   .target = LEVEL
                                   "?response=false&lease=L1&timeout_ms=200&retry_attempts=3",
                                   .content_type = "application/octet-stream",
                                   .body = "\0{",
                                   .body_size = 2};
    struct fixture *f = *state;

    assert_int_equal(submit_request(f, &request), 0);
    assert_int_equal(wish(f)->value.size, 2);
    assert_memory_equal(wish(f)->value.data, "\0{", 2);
    assert_true(wish(f)->has_response && !wish(f)->response);
    assert_string_equal(wish(f)->link.renew, "L1");
    assert_int_equal(wish(f)->timeout, 200 * USEC_PER_MSEC);
    assert_int_equal(wish(f)->tries, 3);
    drop(f);
    request.target = LEVEL "?response=auto";
    assert_int_equal(submit_request(f, &request), 0);
    assert_false(wish(f)->has_response);
    drop(f);
    request.content_type = "text/plain";
    assert_int_equal(submit_request(f, &request), 415);
    request.content_type = "application/octet-stream";
    request.target = LEVEL "?response=perhaps";
    assert_int_equal(submit_request(f, &request), 422);
}

static void G04_value_that_no_device_takes_opens_no_link(void **state)
{
    char body[2 * 513 + 64], octets[513] = {0};
    const struct rest_request request = {.method = "PUT",
                                         .target = LEVEL,
                                         .content_type = "application/octet-stream",
                                         .body = octets,
                                         .body_size = sizeof octets};
    struct fixture *f = *state;

    (void) snprintf(body, sizeof body, "{\"value\":\"%0*d\"}", 2 * 513, 0);
    assert_int_equal(submit(f, "PUT", LEVEL, body), 422);
    assert_string_equal(text(f->json, "code"), "value_too_long");
    assert_int_equal(number(f->json, "max"), 512);
    assert_string_equal(text(item(f, "errors", 0), "pointer"), "/value");
    assert_int_equal(submit_request(f, &request), 422);
    assert_string_equal(text(item(f, "errors", 0), "pointer"), "");
    assert_null(fake_gatts_request(f->gateway, 0));
    (void) snprintf(body, sizeof body, "{\"value\":\"%0*d\"}", 2 * 512, 0);
    wait_for(f, "PUT", LEVEL, body);
    assert_int_equal(wish(f)->value.size, 512);
    drop(f);
}

static void G04_value_that_the_link_does_not_take_is_422_with_the_limit(void **state)
{
    const struct gateway_gatt_answer answer = {.code = E_VALUE_TOO_LONG, .max = 20};
    struct fixture *f = *state;

    wait_for(f, "PUT", LEVEL, "{\"value\":\"00\",\"response\":false}");
    end(f, 422, &answer);
    assert_int_equal(number(f->json, "max"), 20);
    assert_string_equal(text(item(f, "errors", 0), "pointer"), "/value");
}

static void values_that_are_no_hex_are_told_with_their_place(void **state)
{
    static const char *const bodies[] = {"{\"value\":\"0\"}",    "{\"value\":\"0g\"}",
                                         "{\"value\":\"0x01\"}", "{\"value\":1}",
                                         "{\"value\":null}",     "{}"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        assert_int_equal(submit(f, "PUT", LEVEL, bodies[i]), 422);
        assert_string_equal(text(item(f, "errors", 0), "pointer"), "/value");
    }
    assert_int_equal(submit(f, "PUT", LEVEL, "{\"value\":"), 400);
    assert_int_equal(submit(f, "PUT", LEVEL, "{\"value\":\"00\",\"surprise\":1}"), 422);
    assert_string_equal(text(item(f, "errors", 0), "pointer"), "/surprise");
}

/* ---- descriptors ---- */

static void G05_descriptor_is_read_and_written_by_handle(void **state)
{
    const struct gatt_entry entry = {
            .uuid = ble_uuid_from_short(0x2901), .handle = 15, .kind = GATT_DESCRIPTOR};
    const struct gateway_gatt_answer answer = {.handle = 15, .entry = &entry, .proxy = "hall"};
    struct fixture *f = *state;

    wait_for(f, "GET", DEVICE "/descriptors/15", NULL);
    assert_int_equal(wish(f)->verb, GATEWAY_GATT_READ_DESCRIPTOR);
    assert_true(wish(f)->has_handle && wish(f)->handle == 15);
    end(f, 200, &answer);
    assert_string_equal(text(f->json, "descriptor"), "00002901-0000-1000-8000-00805f9b34fb");
    wait_for(f, "PUT", DEVICE "/descriptors/1234", "{\"value\":\"01\",\"response\":true}");
    assert_int_equal(wish(f)->verb, GATEWAY_GATT_WRITE_DESCRIPTOR);
    assert_int_equal(wish(f)->handle, 1234);
    assert_false(wish(f)->has_response);
    end(f, 200, &answer);
    assert_int_equal(submit(f, "GET", DEVICE "/descriptors/2a19x", NULL), 400);
    assert_int_equal(submit(f, "GET", DEVICE "/descriptors/0", NULL), 400);
    assert_int_equal(submit(f, "GET", DEVICE "/descriptors/65536", NULL), 400);
}

static void G05_writing_the_configuration_of_notifications_is_refused(void **state)
{
    const struct gateway_gatt_answer answer = {.code = E_USE_SUBSCRIPTION, .handle = 15};
    struct fixture *f = *state;

    wait_for(f, "PUT", DEVICE "/descriptors/15", "{\"value\":\"0100\"}");
    end(f, 409, &answer);
}

/* ---- subscriptions ---- */

static void subscription_is_granted_with_its_lease(void **state)
{
    const struct gateway_gatt_answer answer = {
            .handle = HANDLE, .lease = "L1", .expires = FAKE_START + 30 * USEC_PER_SEC};
    struct fixture *f = *state;

    wait_for(f, "PUT", LEVEL "/subscription", "{\"type\":\"indicate\",\"lease_s\":30}");
    assert_int_equal(wish(f)->verb, GATEWAY_GATT_SUBSCRIBE);
    assert_string_equal(wish(f)->type, "indicate");
    assert_int_equal(wish(f)->link.lease, 30 * USEC_PER_SEC);
    assert_null(wish(f)->link.renew);
    fake_gatts_hold(f->gateway, FRIDGE, &f->level, "indicate", "L1");
    end(f, 200, &answer);
    assert_int_equal(json_object_size(f->json), 8);
    assert_string_equal(text(f->json, "lease"), "L1");
    assert_string_equal(text(f->json, "expires"), "2026-11-21T10:00:30.000Z");
    assert_string_equal(text(f->json, "type"), "indicate");
    assert_string_equal(json_string_value(item(f, "leases", 0)), "L1");
}

static void subscription_without_a_body_is_what_the_settings_say(void **state)
{
    struct fixture *f = *state;

    wait_for(f, "PUT", LEVEL "/subscription", NULL);
    assert_null(wish(f)->type);
    assert_int_equal(wish(f)->link.lease, 60 * USEC_PER_SEC);
    drop(f);
    wait_for(f, "PUT", LEVEL "/subscription", "{\"lease\":\"L7\"}");
    assert_string_equal(wish(f)->link.renew, "L7");
    drop(f);
    assert_int_equal(submit(f, "PUT", LEVEL "/subscription", "{\"type\":\"all\"}"), 422);
    assert_int_equal(submit(f, "PUT", LEVEL "/subscription", "{\"lease_s\":3601}"), 422);
}

static void G06_another_type_is_a_conflict_with_who_holds_it(void **state)
{
    const struct gateway_gatt_answer answer = {.code = E_CONFLICT, .handle = HANDLE};
    struct fixture *f = *state;

    fake_links_lease(f->gateway, f->link, "L1", "heating");
    fake_gatts_hold(f->gateway, FRIDGE, &f->level, "notify", "L1");
    wait_for(f, "PUT", LEVEL "/subscription", "{\"type\":\"both\"}");
    end(f, 409, &answer);
    assert_string_equal(text(f->json, "holder"), "heating");
}

static void subscription_whose_lease_ended_at_once_is_gone(void **state)
{
    const struct gateway_gatt_answer answer = {.handle = HANDLE, .lease = "L1"};
    struct fixture *f = *state;

    wait_for(f, "PUT", LEVEL "/subscription", NULL);
    fake_gatts_answer(f->gateway, &answer);
    assert_int_equal(f->request.answer.status, 410);
    assert_int_equal(fake_gatts_readers(f->gateway), 0);
}

static void G07_end_of_a_subscription_is_a_success_known_or_not(void **state)
{
    const struct gateway_gatt_answer answer = {0};
    struct fixture *f = *state;

    wait_for(f, "DELETE", LEVEL "/subscription?lease=L1", NULL);
    assert_int_equal(wish(f)->verb, GATEWAY_GATT_UNSUBSCRIBE);
    assert_string_equal(wish(f)->link.renew, "L1");
    end(f, 204, &answer);
    assert_null(f->request.answer.body);
    wait_for(f, "DELETE", DEVICE "/characteristics/14/subscription", NULL);
    assert_null(wish(f)->link.renew);
    assert_true(wish(f)->has_handle);
    end(f, 204, &answer);
}

/* ---- waiting for notifications ---- */

/* The lease holds the subscription, granted over REST. */
static void grant(struct fixture *f, const char *lease)
{
    const struct gateway_gatt_answer answer = {
            .handle = HANDLE, .lease = lease, .expires = USEC_NEVER};

    fake_links_lease(f->gateway, f->link, lease, "ops");
    wait_for(f, "PUT", LEVEL "/subscription", NULL);
    fake_gatts_hold(f->gateway, FRIDGE, &f->level, "notify", lease);
    end(f, 200, &answer);
}

static void notify(struct fixture *f, const char *octets)
{
    fake_gatts_value(f->gateway, FRIDGE, HANDLE, octets, "kitchen");
}

static void G09_notifications_of_a_lease_wait_in_order(void **state)
{
    struct fixture *f = *state;

    grant(f, "L1");
    notify(f, "a");
    notify(f, "b");
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=0&lease=L1", NULL), 200);
    assert_int_equal(json_object_size(f->json), 9);
    assert_string_equal(text(f->json, "value"), "61");
    assert_string_equal(text(f->json, "source"), "notification");
    assert_int_equal(number(f->json, "counter"), 1);
    assert_int_equal(number(f->json, "lost"), 0);
    assert_int_equal(
            submit(f, "GET", DEVICE "/characteristics/14?wait_notification_ms=0&lease=L1", NULL),
            200);
    assert_string_equal(text(f->json, "value"), "62");
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=0&lease=L1", NULL), 204);
    assert_null(f->request.answer.body);
}

static void queue_of_a_lease_loses_its_oldest_and_says_how_many(void **state)
{
    struct fixture *f = *state;

    grant(f, "L1");
    for (int i = 0; i < 67; i++)
        notify(f, "x");
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=0&lease=L1", NULL), 200);
    assert_int_equal(number(f->json, "lost"), 3);
    assert_int_equal(number(f->json, "counter"), 4);
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=0&lease=L1", NULL), 200);
    assert_int_equal(number(f->json, "lost"), 0);
}

static void each_lease_has_a_queue_of_its_own(void **state)
{
    struct fixture *f = *state;

    grant(f, "L1");
    notify(f, "a");
    grant(f, "L2");
    notify(f, "b");
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=0&lease=L2", NULL), 200);
    assert_string_equal(text(f->json, "value"), "62");
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=0&lease=L1", NULL), 200);
    assert_string_equal(text(f->json, "value"), "61");
}

static void second_grant_of_a_lease_keeps_its_queue(void **state)
{
    const struct gateway_gatt_answer answer = {
            .handle = HANDLE, .lease = "L1", .expires = USEC_NEVER};
    struct fixture *f = *state;

    know(f);
    grant(f, "L1");
    notify(f, "a");
    wait_for(f, "PUT", LEVEL "/subscription", "{\"lease\":\"L1\"}");
    end(f, 200, &answer);
    assert_int_equal(fake_gatts_readers(f->gateway), 1);
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=0&lease=L1", NULL), 200);
    assert_string_equal(text(f->json, "value"), "61");
}

/* A device may send before the answer to the subscription is told. */
static void first_value_of_a_known_device_is_not_missed(void **state)
{
    const struct gateway_gatt_answer answer = {
            .handle = HANDLE, .lease = "L1", .expires = USEC_NEVER};
    struct fixture *f = *state;

    know(f);
    wait_for(f, "PUT", LEVEL "/subscription", NULL);
    fake_gatts_hold(f->gateway, FRIDGE, &f->level, "notify", "L1");
    notify(f, "a");
    end(f, 200, &answer);
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=0&lease=L1", NULL), 200);
    assert_string_equal(text(f->json, "value"), "61");
}

static void wait_ends_with_the_next_notification(void **state)
{
    struct fixture *f = *state;

    grant(f, "L1");
    wait_for(f, "GET", LEVEL "?wait_notification_ms=1000&lease=L1", NULL);
    fake_gateway_advance(f->gateway, 900 * USEC_PER_MSEC);
    assert_int_equal(f->done, 0);
    notify(f, "a");
    assert_int_equal(f->done, 0); /* not from inside */
    fake_gateway_turn(f->gateway);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 200);
    assert_string_equal(text(f->json, "value"), "61");
}

static void wait_ends_with_204_at_its_limit(void **state)
{
    struct fixture *f = *state;

    grant(f, "L1");
    wait_for(f, "GET", LEVEL "?wait_notification_ms=1000&lease=L1", NULL);
    fake_gateway_advance(f->gateway, 999 * USEC_PER_MSEC);
    assert_int_equal(f->done, 0);
    fake_gateway_advance(f->gateway, USEC_PER_MSEC);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 204);
}

static void of_two_that_wait_for_one_value_one_waits_on(void **state)
{
    struct rest_request second = {.method = "GET",
                                  .target = LEVEL "?wait_notification_ms=1000&lease=L1",
                                  .role = REST_ROLE_CONTROL,
                                  .done = ignore_done};
    struct fixture *f = *state;

    grant(f, "L1");
    wait_for(f, "GET", second.target, NULL);
    assert_int_equal(rest_submit(f->rest, &second), 0);
    notify(f, "a");
    fake_gateway_turn(f->gateway);
    assert_int_equal((f->request.answer.status == 200) + (second.answer.status == 200), 1);
    fake_gateway_advance(f->gateway, USEC_PER_SEC);
    assert_int_equal((f->request.answer.status == 204) + (second.answer.status == 204), 1);
    answer_done(&second.answer);
}

static void wait_ends_with_its_lease(void **state)
{
    struct fixture *f = *state;

    grant(f, "L1");
    wait_for(f, "GET", LEVEL "?wait_notification_ms=1000&lease=L1", NULL);
    fake_gatts_end_lease(f->gateway, FRIDGE, "L1");
    assert_int_equal(f->done, 0);
    fake_gateway_turn(f->gateway);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 410);
    assert_int_equal(fake_gatts_readers(f->gateway), 0);
}

static void lease_that_is_not_subscribed_is_told_so(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=1&lease=L9", NULL), 410);
    fake_links_lease(f->gateway, f->link, "L9", "ops");
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=1&lease=L9", NULL), 404);
    assert_string_equal(text(f->json, "code"), "not_found");
    assert_int_equal(fake_gatts_readers(f->gateway), 0);
}

static void G03_wait_of_a_lease_with_two_such_subscriptions_is_ambiguous(void **state)
{
    struct fixture *f = *state;
    struct gatt_entry other = f->level;

    other.handle = 22;
    grant(f, "L1");
    fake_gatts_hold(f->gateway, FRIDGE, &other, "notify", "L1");
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=1&lease=L1", NULL), 409);
    assert_int_equal(json_integer_value(item(f, "handles", 1)), 22);
    assert_int_equal(
            submit(f, "GET", DEVICE "/characteristics/14?wait_notification_ms=0&lease=L1", NULL),
            204);
}

static void end_of_a_subscription_ends_its_queues(void **state)
{
    const struct gateway_gatt_answer answer = {0};
    struct fixture *f = *state;

    grant(f, "L1");
    grant(f, "L2");
    assert_int_equal(fake_gatts_readers(f->gateway), 2);
    wait_for(f, "DELETE", LEVEL "/subscription?lease=L1", NULL);
    end(f, 204, &answer);
    assert_int_equal(fake_gatts_readers(f->gateway), 1);
    wait_for(f, "DELETE", LEVEL "/subscription", NULL);
    end(f, 204, &answer);
    assert_int_equal(fake_gatts_readers(f->gateway), 0);
}

static void queues_are_bounded_by_the_readers_of_the_gateway(void **state)
{
    struct gateway_gatt_reader *others[FAKE_READERS_MAX];
    struct fixture *f = *state;

    for (size_t i = 0; i < FAKE_READERS_MAX; i++)
        assert_int_equal(gateway_gatt_reader_open(f->gateway, 1, 1, NULL, NULL, &others[i]), 0);
    grant(f, "L1"); /* whoever reads events gets its values all the same */
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=1&lease=L1", NULL), 503);
    assert_string_equal(text(f->json, "code"), "overloaded");
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=1", NULL), 503);
    gateway_gatt_reader_close(others[0]);
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=0&lease=L1", NULL), 204);
    for (size_t i = 1; i < FAKE_READERS_MAX; i++)
        gateway_gatt_reader_close(others[i]);
}

static void wait_without_a_lease_subscribes_for_itself(void **state)
{
    const struct gateway_gatt_answer answer = {.handle = HANDLE, .lease = "L3"};
    struct fixture *f = *state;
    struct gateway_lease lease;

    wait_for(f, "GET", LEVEL "?wait_notification_ms=1000&timeout_ms=500", NULL);
    assert_int_equal(wish(f)->verb, GATEWAY_GATT_SUBSCRIBE);
    assert_true(wish(f)->link.lease == USEC_NEVER);
    assert_int_equal(wish(f)->timeout, 500 * USEC_PER_MSEC);
    fake_links_lease(f->gateway, f->link, "L3", "ops");
    fake_gatts_hold(f->gateway, FRIDGE, &f->level, "notify", "L3");
    fake_gateway_advance(f->gateway, 5 * USEC_PER_SEC); /* it took that long to get there */
    fake_gatts_answer(f->gateway, &answer);
    fake_gateway_turn(f->gateway);
    assert_int_equal(f->done, 0);
    notify(f, "a");
    fake_gateway_turn(f->gateway);
    assert_int_equal(f->done, 1);
    assert_string_equal(text(f->json, "value"), "61");
    assert_false(gateway_get_lease(f->gateway, FRIDGE, 0, &lease));
    assert_int_equal(fake_gatts_readers(f->gateway), 0);
}

static void value_that_came_with_the_subscription_ends_the_wait(void **state)
{
    const struct gateway_gatt_answer answer = {.handle = HANDLE, .lease = "L3"};
    struct fixture *f = *state;
    struct gatt_entry other = f->level;

    other.handle = 22;
    wait_for(f, "GET", LEVEL "?wait_notification_ms=0", NULL);
    fake_gatts_hold(f->gateway, FRIDGE, &other, "notify", "L1");
    fake_gatts_hold(f->gateway, FRIDGE, &f->level, "notify", "L3");
    fake_gatts_value(f->gateway, FRIDGE, 22, "other", "kitchen");
    notify(f, "a");
    fake_gatts_answer(f->gateway, &answer);
    assert_int_equal(f->done, 0);
    fake_gateway_turn(f->gateway);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 200);
    assert_int_equal(number(f->json, "handle"), HANDLE);
}

static void wait_without_a_lease_ends_in_every_way_without_a_trace(void **state)
{
    const struct gateway_gatt_answer granted = {.handle = HANDLE, .lease = "L3"};
    const struct gateway_gatt_answer failed = {.code = E_NOT_PERMITTED};
    struct fixture *f = *state;
    struct gateway_lease lease;

    wait_for(f, "GET", LEVEL "?wait_notification_ms=1000", NULL);
    drop(f); /* while it subscribes */
    assert_int_equal(fake_gatts_cancelled(f->gateway), 1);
    wait_for(f, "GET", LEVEL "?wait_notification_ms=1000", NULL);
    end(f, 409, &failed);
    fake_links_lease(f->gateway, f->link, "L3", "ops");
    wait_for(f, "GET", LEVEL "?wait_notification_ms=1000", NULL);
    fake_gatts_answer(f->gateway, &granted);
    drop(f); /* while it waits */
    assert_false(gateway_get_lease(f->gateway, FRIDGE, 0, &lease));
    wait_for(f, "GET", LEVEL "?wait_notification_ms=1000", NULL);
    fake_gatts_answer(f->gateway, &granted);
    fake_gatts_end_lease(f->gateway, FRIDGE, "L3");
    fake_gateway_turn(f->gateway);
    assert_int_equal(f->request.answer.status, 502);
    assert_string_equal(text(f->json, "code"), "disconnected");
    assert_int_equal(fake_gatts_readers(f->gateway), 0);
}

static void end_of_the_program_closes_the_queues(void **state)
{
    struct fixture *f = *state;

    grant(f, "L1");
    wait_for(f, "GET", LEVEL "?wait_notification_ms=1000&lease=L1", NULL);
    rest_stop(f->rest);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 503);
    assert_int_equal(fake_gatts_readers(f->gateway), 0);
    fake_gatts_end_lease(f->gateway, FRIDGE, "L1");
    assert_int_equal(submit(f, "GET", LEVEL "?wait_notification_ms=1000&lease=L1", NULL), 503);
}

static void notification_is_told_as_octets_to_who_accepts_them(void **state)
{
    const struct rest_request request = {.method = "GET",
                                         .target = LEVEL "?wait_notification_ms=0&lease=L1",
                                         .accept = "application/octet-stream"};
    struct fixture *f = *state;

    grant(f, "L1");
    notify(f, "abc");
    assert_int_equal(submit_request(f, &request), 200);
    assert_int_equal(f->request.answer.body_size, 3);
    assert_memory_equal(f->request.answer.body, "abc", 3);
}

/* ---- connection parameters ---- */

static void connection_parameters_are_set(void **state)
{
    const struct gateway_gatt_answer answer = {.proxy = "kitchen"};
    struct fixture *f = *state;

    wait_for(f, "PUT", DEVICE "/connection/parameters",
             "{\"min_interval\":24,\"max_interval\":40,\"timeout\":400}");
    assert_int_equal(wish(f)->verb, GATEWAY_GATT_PARAMETERS);
    assert_int_equal(wish(f)->parameters.max_interval, 40);
    end(f, 200, &answer);
    assert_int_equal(json_object_size(f->json), 4);
    assert_int_equal(number(f->json, "min_interval"), 24);
    assert_int_equal(number(f->json, "latency"), 0);
    assert_int_equal(number(f->json, "timeout"), 400);
}

static void G13_connection_parameters_are_checked(void **state)
{
    static const struct {
        const char *body, *pointer; /* NULL: it is right */
    } cases[] = {
            {"{\"min_interval\":6,\"max_interval\":6,\"timeout\":10}", NULL},
            {"{\"min_interval\":6,\"max_interval\":3200,\"latency\":3,\"timeout\":3200}",
             "/timeout"}, /* 4 * 3200 is not more than 4 * 3200 */
            {"{\"min_interval\":6,\"max_interval\":3199,\"latency\":3,\"timeout\":3200}", NULL},
            {"{\"min_interval\":41,\"max_interval\":40,\"timeout\":400}", "/max_interval"},
            {"{\"min_interval\":5,\"max_interval\":40,\"timeout\":400}", "/min_interval"},
            {"{\"min_interval\":6,\"max_interval\":3201,\"timeout\":3200}", "/max_interval"},
            {"{\"min_interval\":6,\"max_interval\":6,\"latency\":500,\"timeout\":3200}",
             "/latency"},
            {"{\"min_interval\":6,\"max_interval\":6,\"timeout\":9}", "/timeout"},
            {"{\"min_interval\":6,\"max_interval\":6}", "/timeout"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int status = submit(f, "PUT", DEVICE "/connection/parameters", cases[i].body);

        assert_int_equal(status, cases[i].pointer ? 422 : 0);
        if (cases[i].pointer)
            assert_string_equal(text(item(f, "errors", 0), "pointer"), cases[i].pointer);
        else
            drop(f);
    }
}

static void G13_firmware_that_cannot_set_them_is_named(void **state)
{
    static const char body[] = "{\"min_interval\":24,\"max_interval\":40,\"timeout\":400}";
    const struct gateway_gatt_answer unable = {
            .code = E_NOT_SUPPORTED, .feature = "connection_params", .proxy = "hall"};
    const struct gateway_gatt_answer unlinked = {.code = E_NOT_CONNECTED};
    struct fixture *f = *state;

    wait_for(f, "PUT", DEVICE "/connection/parameters", body);
    end(f, 501, &unable);
    assert_string_equal(text(f->json, "feature"), "connection_params");
    assert_string_equal(text(f->json, "proxy"), "hall");
    wait_for(f, "PUT", DEVICE "/connection/parameters", body);
    end(f, 409, &unlinked);
}

/* ---- bonds ---- */

static void pairing_makes_a_bond(void **state)
{
    const struct gateway_gatt_answer answer = {.proxy = "hall"};
    struct fixture *f = *state;

    wait_for(f, "POST", BOND,
             "{\"proxy\":\"hall\",\"bond\":true,\"mitm\":false,\"io\":\"none\",\"passkey\":null,"
             "\"le_secure\":null,\"timeout_ms\":120000}");
    assert_int_equal(wish(f)->verb, GATEWAY_GATT_PAIR);
    assert_true(wish(f)->link.has_proxy && wish(f)->link.proxy_index == 1);
    assert_int_equal(wish(f)->timeout, 120 * USEC_PER_SEC);
    end(f, 200, &answer);
    assert_int_equal(json_object_size(f->json), 5);
    assert_true(json_is_true(json_object_get(f->json, "bonded")));
    assert_string_equal(text(f->json, "proxy"), "hall");
    wait_for(f, "POST", BOND, NULL);
    assert_false(wish(f)->link.has_proxy);
    drop(f);
    assert_int_equal(submit(f, "POST", BOND, "{\"proxy\":\"cellar\"}"), 404);
    assert_string_equal(text(f->json, "code"), "proxy_not_found");
}

static void pairing_that_no_proxy_can_do_is_not_supported(void **state)
{
    static const struct {
        const char *body, *feature;
    } cases[] = {
            {"{\"bond\":false}", "bond"},          {"{\"mitm\":true}", "mitm"},
            {"{\"le_secure\":true}", "le_secure"}, {"{\"io\":\"keyboard_only\"}", "io"},
            {"{\"passkey\":0}", "passkey"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(submit(f, "POST", BOND, cases[i].body), 501);
        assert_string_equal(text(f->json, "code"), "not_supported");
        assert_string_equal(text(f->json, "feature"), cases[i].feature);
    }
    assert_int_equal(submit(f, "POST", BOND, "{\"passkey\":1000000}"), 422);
    assert_null(fake_gatts_request(f->gateway, 0));
}

static void G14_pairing_that_fails_gives_the_number(void **state)
{
    const struct gateway_gatt_answer answer = {.code = E_PAIRING_FAILED,
                                               .has_number = true,
                                               .number = 0x52,
                                               .number_name = "pair_not_support"};
    struct fixture *f = *state;

    wait_for(f, "POST", BOND, NULL);
    end(f, 502, &answer);
    assert_int_equal(number(json_object_get(f->json, "reason"), "number"), 0x52);
}

static void bonds_end_on_each_proxy_that_holds_one(void **state)
{
    const struct gateway_gatt_answer good = {.proxy = "hall"};
    const struct gateway_gatt_answer bad = {.code = E_PROXY_OFFLINE};
    struct fixture *f = *state;

    fake_links_route(f->gateway, 1)->is_bonded = true;
    fake_links_route(f->gateway, 2)->is_bonded = true;
    wait_for(f, "DELETE", BOND, NULL);
    assert_int_equal(wish(f)->verb, GATEWAY_GATT_UNPAIR);
    assert_int_equal(wish(f)->link.proxy_index, 1);
    assert_int_equal(fake_gatts_request(f->gateway, 1)->link.proxy_index, 2);
    fake_gatts_answer(f->gateway, &good);
    assert_int_equal(f->done, 0);
    fake_gatts_answer(f->gateway, &bad);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 200);
    assert_int_equal(count(f, "items"), 2);
    assert_string_equal(text(item(f, "items", 0), "proxy"), "hall");
    assert_true(json_is_false(json_object_get(item(f, "items", 0), "bonded")));
    assert_string_equal(text(item(f, "items", 1), "proxy"), "attic");
    assert_true(json_is_true(json_object_get(item(f, "items", 1), "bonded")));
    assert_string_equal(text(item(f, "items", 1), "code"), "proxy_offline");
}

static void bonds_that_nobody_holds_are_none_to_end(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "DELETE", BOND, NULL), 200);
    assert_int_equal(count(f, "items"), 0);
    assert_true(json_is_array(json_object_get(f->json, "items")));
}

static void G14_end_of_a_bond_on_one_proxy_is_a_problem_when_it_fails(void **state)
{
    const struct gateway_gatt_answer bad = {
            .code = E_PAIRING_FAILED, .has_number = true, .number = 1};
    const struct gateway_gatt_answer good = {0};
    struct fixture *f = *state;

    wait_for(f, "DELETE", BOND "?proxy=attic", NULL);
    assert_int_equal(wish(f)->link.proxy_index, 2);
    end(f, 502, &bad);
    assert_int_equal(number(json_object_get(f->json, "reason"), "number"), 1);
    wait_for(f, "DELETE", BOND "?proxy=attic", NULL);
    end(f, 200, &good);
    assert_int_equal(count(f, "items"), 1);
    assert_int_equal(submit(f, "DELETE", BOND "?proxy=cellar", NULL), 404);
}

static void bonds_that_are_asked_about_are_given_up_together(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++)
        fake_links_route(f->gateway, i)->is_bonded = true;
    wait_for(f, "DELETE", BOND, NULL);
    drop(f);
    assert_int_equal(fake_gatts_cancelled(f->gateway), 3);
}

static void refused_ends_of_bonds_are_entries_too(void **state)
{
    struct fixture *f = *state;

    fake_links_route(f->gateway, 1)->is_bonded = true;
    fake_gatts_refuse(f->gateway, E_QUEUE_FULL);
    assert_int_equal(submit(f, "DELETE", BOND, NULL), 200);
    assert_string_equal(text(item(f, "items", 0), "code"), "queue_full");
}

/* ---- the cache ---- */

static void P03_clearing_the_cache_says_where(void **state)
{
    const struct gateway_gatt_answer answer = {.cleared_proxy = true, .proxy = "kitchen"};
    struct fixture *f = *state;

    wait_for(f, "DELETE", DEVICE "/gatt-cache", NULL);
    assert_int_equal(wish(f)->verb, GATEWAY_GATT_CLEAR_CACHE);
    end(f, 200, &answer);
    assert_int_equal(json_object_size(f->json), 4);
    assert_true(json_is_true(json_object_get(f->json, "proxy")));
}

static void P04_firmware_that_cannot_clear_is_a_success_with_a_warning(void **state)
{
    const struct gateway_gatt_answer answer = {.proxy = "kitchen"};
    struct fixture *f = *state;

    wait_for(f, "DELETE", DEVICE "/gatt-cache", NULL);
    end(f, 200, &answer);
    assert_true(json_is_true(json_object_get(f->json, "gateway")));
    assert_true(json_is_false(json_object_get(f->json, "proxy")));
    assert_non_null(strstr(text(f->json, "warning"), "kitchen"));
}

/* ---- roles ---- */

static void everything_but_looking_needs_control(void **state)
{
    static const struct {
        const char *method, *target;
    } cases[] = {
            {"GET", LEVEL},
            {"GET", LEVEL "?wait_notification_ms=1"},
            {"PUT", LEVEL},
            {"GET", DEVICE "/descriptors/15"},
            {"PUT", DEVICE "/descriptors/15"},
            {"PUT", LEVEL "/subscription"},
            {"DELETE", LEVEL "/subscription"},
            {"PUT", DEVICE "/connection/parameters"},
            {"POST", BOND},
            {"DELETE", BOND},
            {"DELETE", DEVICE "/gatt-cache"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct rest_request request = {
                .method = cases[i].method, .target = cases[i].target, .role = REST_ROLE_READ};

        assert_int_equal(submit_request(f, &request), 403);
        assert_string_equal(text(f->json, "needs_role"), "control");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(services_that_are_known_are_told_to_who_may_only_look),
            TEST(services_that_are_not_known_need_control),
            TEST(G01_services_are_discovered_for_who_asks),
            TEST(query_of_services_is_checked),
            TEST(G03_characteristic_is_named_by_uuid_or_handle),
            TEST(G03_what_names_no_characteristic_is_400),
            TEST(value_is_read),
            TEST(value_is_told_as_octets_to_who_accepts_them),
            TEST(value_of_no_octets_is_a_value),
            TEST(G10_limits_are_those_of_the_request_or_of_the_settings),
            TEST(G03_ambiguous_uuid_names_the_handles),
            TEST(G03_unknown_characteristics_and_descriptors_are_404),
            TEST(G12_att_error_is_told_as_number_and_name),
            TEST(G02_an_error_without_a_number_has_one_all_the_same),
            TEST(G11_lost_link_tells_its_reason),
            TEST(every_cause_has_its_status),
            TEST(property_that_lacks_is_told_with_those_that_are_there),
            TEST(link_that_does_not_open_is_told_with_its_attempts),
            TEST(refusals_at_once_are_answers),
            TEST(request_that_is_cancelled_gives_its_wish_up),
            TEST(requests_that_wait_are_bounded),
            TEST(G04_response_is_what_is_said_or_left_to_the_property),
            TEST(written_value_says_how_and_how_long_it_took),
            TEST(octets_are_written_as_they_are),
            TEST(G04_value_that_no_device_takes_opens_no_link),
            TEST(G04_value_that_the_link_does_not_take_is_422_with_the_limit),
            TEST(values_that_are_no_hex_are_told_with_their_place),
            TEST(G05_descriptor_is_read_and_written_by_handle),
            TEST(G05_writing_the_configuration_of_notifications_is_refused),
            TEST(subscription_is_granted_with_its_lease),
            TEST(subscription_without_a_body_is_what_the_settings_say),
            TEST(G06_another_type_is_a_conflict_with_who_holds_it),
            TEST(subscription_whose_lease_ended_at_once_is_gone),
            TEST(G07_end_of_a_subscription_is_a_success_known_or_not),
            TEST(G09_notifications_of_a_lease_wait_in_order),
            TEST(queue_of_a_lease_loses_its_oldest_and_says_how_many),
            TEST(each_lease_has_a_queue_of_its_own),
            TEST(second_grant_of_a_lease_keeps_its_queue),
            TEST(first_value_of_a_known_device_is_not_missed),
            TEST(wait_ends_with_the_next_notification),
            TEST(wait_ends_with_204_at_its_limit),
            TEST(of_two_that_wait_for_one_value_one_waits_on),
            TEST(wait_ends_with_its_lease),
            TEST(lease_that_is_not_subscribed_is_told_so),
            TEST(G03_wait_of_a_lease_with_two_such_subscriptions_is_ambiguous),
            TEST(end_of_a_subscription_ends_its_queues),
            TEST(queues_are_bounded_by_the_readers_of_the_gateway),
            TEST(wait_without_a_lease_subscribes_for_itself),
            TEST(value_that_came_with_the_subscription_ends_the_wait),
            TEST(wait_without_a_lease_ends_in_every_way_without_a_trace),
            TEST(end_of_the_program_closes_the_queues),
            TEST(notification_is_told_as_octets_to_who_accepts_them),
            TEST(connection_parameters_are_set),
            TEST(G13_connection_parameters_are_checked),
            TEST(G13_firmware_that_cannot_set_them_is_named),
            TEST(pairing_makes_a_bond),
            TEST(pairing_that_no_proxy_can_do_is_not_supported),
            TEST(G14_pairing_that_fails_gives_the_number),
            TEST(bonds_end_on_each_proxy_that_holds_one),
            TEST(bonds_that_nobody_holds_are_none_to_end),
            TEST(G14_end_of_a_bond_on_one_proxy_is_a_problem_when_it_fails),
            TEST(bonds_that_are_asked_about_are_given_up_together),
            TEST(refused_ends_of_bonds_are_entries_too),
            TEST(P03_clearing_the_cache_says_where),
            TEST(P04_firmware_that_cannot_clear_is_a_success_with_a_warning),
            TEST(everything_but_looking_needs_control),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
