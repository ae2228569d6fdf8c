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

#define CONFIG "/api/v1/config"

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
                            "\"mqtt\":{\"password\":\"correct-horse\"}}");
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
static int submit_as(struct fixture *f, const struct rest_request *request)
{
    forget_answer(f);
    f->done = 0;
    f->request = *request;
    f->request.body_size = request->body ? strlen(request->body) : 0;
    f->request.done = on_done;
    f->request.user = f;
    if (f->request.role == REST_ROLE_NONE)
        f->request.role = REST_ROLE_ADMIN;
    if (rest_submit(f->rest, &f->request) != REST_ANSWERED)
        return 0;
    read_answer(f);
    return f->request.answer.status;
}

static int submit(struct fixture *f, const char *method, const char *target, const char *body)
{
    return submit_as(f, &(struct rest_request){.method = method, .target = target, .body = body});
}

static int finish(struct fixture *f, int cause, const struct config_edited *edited)
{
    fake_gateway_finish_order(f->gateway, cause, edited);
    assert_int_equal(f->done, 1);
    return f->request.answer.status;
}

static const char *text_of(const struct fixture *f, const char *key)
{
    return json_string_value(json_object_get(f->json, key));
}

static const char *header(const struct fixture *f, const char *name)
{
    for (size_t i = 0; i < f->request.answer.headers_count; i++) {
        if (strcmp(f->request.answer.headers[i].name, name) == 0)
            return f->request.answer.headers[i].value;
    }
    return "";
}

static void configuration_comes_whole_without_secrets_and_with_an_etag(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "GET", CONFIG, NULL), 200);
    assert_string_equal(header(f, "ETag"), "\"5f3a9c21-7\"");
    assert_string_equal(
            json_string_value(json_object_get(json_object_get(f->json, "mqtt"), "password")),
            "***");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(f->json, "mqtt"), "port")),
                     1883);
    assert_null(strstr(f->request.answer.body, "correct-horse"));
}

static void configuration_that_is_known_is_not_sent_again(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit_as(f, &(struct rest_request){.method = "GET",
                                                         .target = CONFIG,
                                                         .if_none_match = "W/\"5f3a9c21-7\""}),
                     304);
    assert_int_equal(f->request.answer.body_size, 0);
    assert_string_equal(header(f, "ETag"), "\"5f3a9c21-7\"");
    assert_int_equal(submit_as(f, &(struct rest_request){.method = "GET",
                                                         .target = CONFIG,
                                                         .if_none_match = "\"5f3a9c21-6\""}),
                     200);
}

static void schema_is_served(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "GET", CONFIG "/schema", NULL), 200);
    assert_non_null(json_object_get(f->json, "properties"));
}

static void put_replaces_and_patch_merges(void **state)
{
    struct fixture *f = *state;
    char *changed[] = {(char[]){"/limits/devices"}};
    const struct config_edited edited = {.changed = {changed, 1}, .restart_required = {changed, 1}};

    assert_int_equal(submit_as(f, &(struct rest_request){.method = "PUT",
                                                         .target = CONFIG,
                                                         .body = "{\"a\":1}",
                                                         .if_match = "\"x\""}),
                     0);
    assert_int_equal(fake_gateway_order(f->gateway)->kind, CONFIG_EDIT_REPLACE);
    assert_string_equal(fake_gateway_order(f->gateway)->text, "{\"a\":1}");
    assert_string_equal(fake_gateway_order(f->gateway)->if_match, "\"x\"");
    assert_string_equal(fake_gateway_order(f->gateway)->pointer, "");
    assert_int_equal(finish(f, 0, &edited), 200);
    assert_string_equal(json_string_value(json_array_get(json_object_get(f->json, "changed"), 0)),
                        "/limits/devices");
    assert_int_equal(json_array_size(json_object_get(f->json, "restart_required")), 1);
    assert_string_equal(header(f, "ETag"), "\"5f3a9c21-7\"");
    assert_int_equal(submit(f, "PATCH", CONFIG, "{\"a\":null}"), 0);
    assert_int_equal(fake_gateway_order(f->gateway)->kind, CONFIG_EDIT_MERGE);
    assert_string_equal(fake_gateway_order(f->gateway)->if_match, "");
    assert_int_equal(finish(f, 0, &(struct config_edited){0}), 200);
}

static void body_that_is_no_json_is_refused_before_anything_happens(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "PUT", CONFIG, "{\"a\":"), 400);
    assert_int_equal(submit(f, "PUT", CONFIG, NULL), 400); /* nothing is no configuration */
    assert_int_equal(submit(f, "PATCH", CONFIG, "{\"a\":1,\"a\":2}"), 400);
    assert_int_equal(submit_as(f, &(struct rest_request){.method = "PUT",
                                                         .target = CONFIG,
                                                         .content_type = "text/plain",
                                                         .body = "{}"}),
                     415);
    assert_null(fake_gateway_order(f->gateway));
}

static void refusals_say_what_is_in_the_way(void **state)
{
    struct fixture *f = *state;
    struct config_edited edited = {.variable = (char[]){"BLEFLEET_MQTT_HOST"},
                                   .pointer = (char[]){"/mqtt/host"}};

    assert_int_equal(submit(f, "PATCH", CONFIG, "{}"), 0);
    assert_int_equal(finish(f, E_OVERRIDDEN, &edited), 409);
    assert_string_equal(text_of(f, "code"), "overridden");
    assert_string_equal(text_of(f, "variable"), "BLEFLEET_MQTT_HOST");
    assert_non_null(strstr(text_of(f, "detail"), "/mqtt/host"));
    edited = (struct config_edited){.etag = (char[]){"\"5f3a9c21-8\""}};
    assert_int_equal(submit(f, "PATCH", CONFIG, "{}"), 0);
    assert_int_equal(finish(f, E_PRECONDITION_FAILED, &edited), 412);
    assert_string_equal(text_of(f, "etag"), "\"5f3a9c21-8\"");
    assert_non_null(strstr(text_of(f, "detail"), "If-Match"));
    edited.is_foreign = true;
    assert_int_equal(submit(f, "PATCH", CONFIG, "{}"), 0);
    assert_int_equal(finish(f, E_PRECONDITION_FAILED, &edited), 412);
    assert_non_null(strstr(text_of(f, "detail"), "SIGHUP"));
}

static void versions_are_listed_read_and_restored(void **state)
{
    struct fixture *f = *state;
    const struct config_edited version = {.config = f->config};
    const json_t *item;

    assert_int_equal(submit(f, "GET", CONFIG "/versions", NULL), 0);
    assert_string_equal(fake_gateway_order(f->gateway)->what, "versions");
    assert_int_equal(finish(f, 0, &(struct config_edited){0}), 200);
    item = json_array_get(json_object_get(f->json, "items"), 0);
    assert_int_equal(json_integer_value(json_object_get(item, "version")), 1);
    assert_string_equal(json_string_value(json_object_get(item, "time")),
                        "2026-11-21T09:39:11.250Z");
    assert_int_equal(submit(f, "GET", CONFIG "/versions/3", NULL), 0);
    assert_int_equal(fake_gateway_order(f->gateway)->version, 3);
    assert_int_equal(finish(f, 0, &version), 200);
    assert_null(strstr(f->request.answer.body, "correct-horse"));
    assert_int_equal(submit_as(f, &(struct rest_request){.method = "POST",
                                                         .target = CONFIG "/versions/2/restore",
                                                         .if_match = "*"}),
                     0);
    assert_string_equal(fake_gateway_order(f->gateway)->what, "restore");
    assert_string_equal(fake_gateway_order(f->gateway)->if_match, "*");
    assert_int_equal(finish(f, 0, &(struct config_edited){0}), 200);
    assert_non_null(json_object_get(f->json, "changed"));
}

static void version_that_is_not_there_is_not_found(void **state)
{
    static const char *const names[] = {"9", "x", "12", "-1", "1%00"};
    struct fixture *f = *state;
    char target[64];

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        (void) snprintf(target, sizeof target, CONFIG "/versions/%s", names[i]);
        if (submit(f, "GET", target, NULL) == 0)
            assert_int_equal(finish(f, E_NOT_FOUND, &(struct config_edited){0}), 404);
        assert_int_equal(f->request.answer.status, 404);
    }
}

static void changing_needs_the_role_admin(void **state)
{
    static const char *const rows[][2] = {
            {"PUT", CONFIG}, {"PATCH", CONFIG}, {"POST", CONFIG "/versions/1/restore"}};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(submit_as(f, &(struct rest_request){.method = rows[i][0],
                                                             .target = rows[i][1],
                                                             .body = "{}",
                                                             .role = REST_ROLE_CONTROL}),
                         403);
    assert_null(fake_gateway_order(f->gateway));
    assert_int_equal(submit_as(f, &(struct rest_request){.method = "GET",
                                                         .target = CONFIG,
                                                         .role = REST_ROLE_READ}),
                     200);
}

static void cancelled_request_does_not_hear_of_its_change(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "PATCH", CONFIG, "{}"), 0);
    rest_cancel(f->rest, &f->request, E_CANCELLED);
    assert_int_equal(f->done, 1);
    fake_gateway_finish_order(f->gateway, 0, &(struct config_edited){0});
    assert_int_equal(f->done, 1);
    fake_gateway_refuse_orders(f->gateway, E_OVERLOADED);
    assert_int_equal(submit(f, "PATCH", CONFIG, "{}"), 503);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(configuration_comes_whole_without_secrets_and_with_an_etag),
            TEST(configuration_that_is_known_is_not_sent_again),
            TEST(schema_is_served),
            TEST(put_replaces_and_patch_merges),
            TEST(body_that_is_no_json_is_refused_before_anything_happens),
            TEST(refusals_say_what_is_in_the_way),
            TEST(versions_are_listed_read_and_restored),
            TEST(version_that_is_not_there_is_not_found),
            TEST(changing_needs_the_role_admin),
            TEST(cancelled_request_does_not_hear_of_its_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
