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

#define FRIDGE 0xA4C13812AB56
#define TARGET "/api/v1/devices/A4:C1:38:12:AB:56"

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
                            "\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"}],"
                            "\"devices\":[{\"address\":\"A4:C1:38:12:AB:56\"}]}");
    f->gateway = fake_gateway_new(f->config);
    (void) fake_gateway_add(f->gateway, FRIDGE);
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
static int submit_as(struct fixture *f, const char *method, const char *target, const char *type,
                     const char *body)
{
    forget_answer(f);
    f->done = 0;
    f->request = (struct rest_request){
            .method = method,
            .target = target,
            .content_type = type,
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

static int submit(struct fixture *f, const char *method, const char *target, const char *body)
{
    return submit_as(f, method, target, NULL, body);
}

static int patch(struct fixture *f, const char *body)
{
    return submit(f, "PATCH", TARGET, body);
}

/* The order ends; the request is answered by that, once. */
static int finish(struct fixture *f, int cause, const struct config_edited *edited)
{
    fake_gateway_finish_order(f->gateway, cause, edited);
    assert_int_equal(f->done, 1);
    return f->request.answer.status;
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

static void patch_of_a_device_is_answered_when_it_is_kept(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(patch(f, "{\"settings\":{\"alias\":\"Fridge\",\"area\":null}}"), 0);
    assert_int_equal(f->done, 0);
    assert_int_equal(fake_gateway_order(f->gateway)->address, FRIDGE);
    assert_string_equal(fake_gateway_order(f->gateway)->text,
                        "{\"alias\":\"Fridge\",\"area\":null}");
    assert_string_equal(fake_gateway_order(f->gateway)->pointer, "/settings");
    assert_int_equal(finish(f, 0, NULL), 200);
    assert_string_equal(json_string_value(json_object_get(f->json, "address")),
                        "A4:C1:38:12:AB:56");
    assert_non_null(json_object_get(f->json, "settings"));
}

static void patch_takes_merge_patches_as_a_type_and_others_do_not(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit_as(f, "PATCH", TARGET, "application/merge-patch+json; charset=utf-8",
                               "{\"settings\":{}}"),
                     0);
    assert_int_equal(finish(f, 0, NULL), 200);
    assert_int_equal(submit_as(f, "PATCH", TARGET, "text/plain", "{\"settings\":{}}"), 415);
    assert_int_equal(submit_as(f, "PUT", "/api/v1/proxies/kitchen/scanner",
                               "application/merge-patch+json", "{\"mode\":\"auto\"}"),
                     415);
}

static void patch_that_is_not_valid_is_refused_before_anything_happens(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(patch(f, "{\"settings\":"), 400);
    assert_int_equal(patch(f, NULL), 422);
    assert_string_equal(first_pointer(f), "/settings");
    assert_int_equal(patch(f, "{\"settings\":[]}"), 422);
    assert_string_equal(first_pointer(f), "/settings");
    assert_int_equal(patch(f, "{\"settings\":{},\"alias\":\"x\"}"), 422);
    assert_string_equal(first_pointer(f), "/alias");
    assert_int_equal(patch(f, "[]"), 422);
    assert_string_equal(first_pointer(f), "");
    assert_int_equal(submit(f, "PATCH", "/api/v1/devices/nobody", "{\"settings\":{}}"), 400);
    assert_null(fake_gateway_order(f->gateway));
}

static void faults_of_a_patch_are_told_with_their_places(void **state)
{
    struct fixture *f = *state;
    struct config_fault fault = {.pointer = (char[]){"/settings/alias"}, .detail = (char[]){"no"}};
    const struct config_edited edited = {.faults = {.items = &fault, .count = 1}};

    assert_int_equal(patch(f, "{\"settings\":{\"alias\":\"a/b\"}}"), 0);
    assert_int_equal(finish(f, E_INVALID_REQUEST, &edited), 422);
    assert_string_equal(first_pointer(f), "/settings/alias");
}

static void conflict_names_the_holder(void **state)
{
    struct fixture *f = *state;
    const struct config_edited edited = {.holder = (char[]){"A4:C1:38:12:AB:57"}};

    assert_int_equal(patch(f, "{\"settings\":{\"alias\":\"Door\"}}"), 0);
    assert_int_equal(finish(f, E_CONFLICT, &edited), 409);
    assert_string_equal(code(f), "conflict");
    assert_string_equal(json_string_value(json_object_get(f->json, "holder")), "A4:C1:38:12:AB:57");
}

static void failures_of_the_file_have_codes_of_the_contract(void **state)
{
    static const struct {
        int cause, status;
        const char *code;
    } rows[] = {
            {E_PRECONDITION_FAILED, 412, "precondition_failed"},
            {-30 /* EROFS */, 500, "internal"},
            {E_SHUTTING_DOWN, 503, "shutting_down"},
            {E_NOT_FOUND, 404, "device_not_found"},
    };
    struct fixture *f = *state;
    const struct config_edited edited = {0};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(patch(f, "{\"settings\":{}}"), 0);
        assert_int_equal(finish(f, rows[i].cause, &edited), rows[i].status);
        assert_string_equal(code(f), rows[i].code);
    }
    fake_gateway_refuse_orders(f->gateway, E_OVERLOADED);
    assert_int_equal(patch(f, "{\"settings\":{}}"), 503);
    assert_string_equal(code(f), "overloaded");
    fake_gateway_refuse_orders(f->gateway, -30);
    assert_int_equal(submit(f, "DELETE", TARGET, NULL), 500);
}

static void cancelled_request_does_not_hear_of_its_change(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(patch(f, "{\"settings\":{}}"), 0);
    rest_cancel(f->rest, &f->request, E_CANCELLED);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 503);
    assert_null(fake_gateway_order(f->gateway)->change);
    fake_gateway_finish_order(f->gateway, 0, NULL);
    assert_int_equal(f->done, 1);
}

static void stop_answers_changes_that_wait(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(patch(f, "{\"settings\":{}}"), 0);
    rest_stop(f->rest);
    assert_int_equal(f->done, 1);
    assert_string_equal(code(f), "shutting_down");
}

static void ignore(struct rest_request *request)
{
    (void) request;
}

static void changes_count_among_the_requests_that_wait(void **state)
{
    struct fixture *f = *state;
    struct rest_request waiting[8]; /* half of http_connections */

    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
        waiting[i] = (struct rest_request){
                .method = "GET",
                .target = "/api/v1/devices?name=nobody&wait_ms=1000",
                .role = REST_ROLE_READ,
                .done = ignore,
        };
        assert_int_equal(rest_submit(f->rest, &waiting[i]), 0);
    }
    assert_int_equal(patch(f, "{\"settings\":{}}"), 503);
    assert_string_equal(code(f), "overloaded");
    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
        rest_cancel(f->rest, &waiting[i], E_CANCELLED);
        answer_done(&waiting[i].answer);
    }
    assert_null(fake_gateway_order(f->gateway));
}

static void deleted_device_is_gone_at_once_or_when_the_file_says_so(void **state)
{
    struct fixture *f = *state;

    (void) fake_gateway_add(f->gateway, FRIDGE + 1);
    assert_int_equal(submit(f, "DELETE", "/api/v1/devices/A4:C1:38:12:AB:57", NULL), 204);
    assert_null(f->request.answer.body);
    assert_int_equal(submit(f, "DELETE", "/api/v1/devices/A4:C1:38:12:AB:57", NULL), 404);
    assert_string_equal(code(f), "device_not_found");
    assert_int_equal(submit(f, "DELETE", TARGET, NULL), 0);
    assert_true(fake_gateway_order(f->gateway)->is_removal);
    assert_int_equal(finish(f, 0, NULL), 204);
}

static void scan_mode_of_a_proxy_is_set_and_answered_with_the_proxy(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "PUT", "/api/v1/proxies/kitchen/scanner", "{\"mode\":\"passive\"}"),
                     0);
    assert_string_equal(fake_gateway_order(f->gateway)->text, "passive");
    assert_int_equal(finish(f, 0, NULL), 200);
    assert_string_equal(json_string_value(json_object_get(f->json, "name")), "kitchen");
    assert_int_equal(submit(f, "PUT", "/api/v1/proxies/kitchen/scanner", "{\"mode\":\"loud\"}"),
                     422);
    assert_string_equal(first_pointer(f), "/mode");
    assert_int_equal(submit(f, "PUT", "/api/v1/proxies/kitchen/scanner", "{}"), 422);
    assert_int_equal(submit(f, "PUT", "/api/v1/proxies/attic/scanner", "{\"mode\":\"auto\"}"), 404);
    assert_string_equal(code(f), "proxy_not_found");
}

static void S14_scan_mode_of_a_proxy_that_cannot_is_refused(void **state)
{
    struct fixture *f = *state;
    struct gateway_proxy *kitchen = fake_gateway_proxy(f->gateway, 0);

    kitchen->esphome_version = "2024.6.0";
    kitchen->features = 0x3f;
    assert_int_equal(submit(f, "PUT", "/api/v1/proxies/kitchen/scanner", "{\"mode\":\"auto\"}"),
                     501);
    assert_string_equal(code(f), "not_supported");
    assert_string_equal(json_string_value(json_object_get(f->json, "feature")), "state_and_mode");
    assert_string_equal(json_string_value(json_object_get(f->json, "proxy")), "kitchen");
    assert_null(fake_gateway_order(f->gateway));
    kitchen->features = 0x7f;
    assert_int_equal(submit(f, "PUT", "/api/v1/proxies/kitchen/scanner", "{\"mode\":\"auto\"}"), 0);
    assert_int_equal(finish(f, 0, NULL), 200);
}

static void settings_need_the_role_control(void **state)
{
    struct fixture *f = *state;

    f->request =
            (struct rest_request){.method = "DELETE", .target = TARGET, .role = REST_ROLE_READ};
    assert_int_equal(rest_submit(f->rest, &f->request), REST_ANSWERED);
    assert_int_equal(f->request.answer.status, 403);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(patch_of_a_device_is_answered_when_it_is_kept),
            TEST(patch_takes_merge_patches_as_a_type_and_others_do_not),
            TEST(patch_that_is_not_valid_is_refused_before_anything_happens),
            TEST(faults_of_a_patch_are_told_with_their_places),
            TEST(conflict_names_the_holder),
            TEST(failures_of_the_file_have_codes_of_the_contract),
            TEST(cancelled_request_does_not_hear_of_its_change),
            TEST(stop_answers_changes_that_wait),
            TEST(changes_count_among_the_requests_that_wait),
            TEST(deleted_device_is_gone_at_once_or_when_the_file_says_so),
            TEST(scan_mode_of_a_proxy_is_set_and_answered_with_the_proxy),
            TEST(S14_scan_mode_of_a_proxy_that_cannot_is_refused),
            TEST(settings_need_the_role_control),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
