/* The routes that change the fleet: what becomes of their bodies, and of the answers. */
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

#define PROXIES "/api/v1/proxies"
#define BASE                                                                                       \
    "{\"limits\":{\"http_connections\":16},\"proxies\":["                                          \
    "{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"}"
#define WITH(more) BASE more "]}"

struct fixture {
    struct config *config, *other;
    struct gateway *gateway;
    struct rest *rest;
    struct rest_request request;
    unsigned done;
    json_t *json; /* the body of the last answer; NULL: none */
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config(WITH());
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
    config_free(f->other);
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
static int submit_as(struct fixture *f, enum rest_role role, const char *method, const char *target,
                     const char *body)
{
    forget_answer(f);
    f->done = 0;
    f->request = (struct rest_request){.method = method,
                                       .target = target,
                                       .body = body,
                                       .body_size = body ? strlen(body) : 0,
                                       .role = role,
                                       .done = on_done,
                                       .user = f};
    if (rest_submit(f->rest, &f->request) != REST_ANSWERED)
        return 0;
    read_answer(f);
    return f->request.answer.status;
}

static int submit(struct fixture *f, const char *method, const char *target, const char *body)
{
    return submit_as(f, REST_ROLE_ADMIN, method, target, body);
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

static const char *first_pointer(const struct fixture *f)
{
    const json_t *first = json_array_get(json_object_get(f->json, "errors"), 0);

    return json_string_value(json_object_get(first, "pointer"));
}

static void a_proxy_is_added_as_it_was_sent(void **state)
{
    static const char body[] = "{\"name\":\"hall\",\"host\":\"192.0.2.11\",\"area\":null}";
    struct fixture *f = *state;

    assert_int_equal(submit(f, "POST", PROXIES, body), 0);
    assert_int_equal(fake_gateway_order(f->gateway)->kind, CONFIG_EDIT_ADD);
    assert_string_equal(fake_gateway_order(f->gateway)->text, body);
    assert_string_equal(fake_gateway_order(f->gateway)->pointer, "");
    fake_gateway_finish_order(f->gateway, 0, &(struct config_edited){0});
    assert_int_equal(f->request.answer.status, 404); /* it went again meanwhile */
    assert_string_equal(text_of(f, "code"), "proxy_not_found");
}

static void a_proxy_that_was_changed_is_the_answer(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "PATCH", PROXIES "/kitchen", "{\"weight\":3}"), 0);
    assert_int_equal(fake_gateway_order(f->gateway)->kind, CONFIG_EDIT_CHANGE);
    assert_string_equal(fake_gateway_order(f->gateway)->entry, "kitchen");
    assert_string_equal(fake_gateway_order(f->gateway)->text, "{\"weight\":3}");
    assert_int_equal(finish(f, 0, &(struct config_edited){0}), 200);
    assert_string_equal(text_of(f, "name"), "kitchen");
    assert_int_equal(submit(f, "PATCH", PROXIES "/kitchen", NULL), 0); /* of nothing */
    assert_string_equal(fake_gateway_order(f->gateway)->text, "{}");
    assert_int_equal(finish(f, 0, &(struct config_edited){0}), 200);
}

static void a_proxy_that_was_renamed_is_shown_by_its_new_name(void **state)
{
    struct fixture *f = *state;

    f->other = fake_config("{\"limits\":{\"http_connections\":16},\"proxies\":["
                           "{\"name\":\"pantry\",\"host\":\"192.0.2.10\"}]}");
    assert_int_equal(submit(f, "PATCH", PROXIES "/kitchen", "{\"name\":\"pantry\"}"), 0);
    fake_gateway_reconfigure(f->gateway, f->other);
    assert_int_equal(finish(f, 0, &(struct config_edited){0}), 200);
    assert_string_equal(text_of(f, "name"), "pantry");
}

static void a_proxy_is_removed_without_a_word(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "DELETE", PROXIES "/kitchen", NULL), 0);
    assert_int_equal(fake_gateway_order(f->gateway)->kind, CONFIG_EDIT_REMOVE);
    assert_string_equal(fake_gateway_order(f->gateway)->entry, "kitchen");
    assert_int_equal(finish(f, 0, &(struct config_edited){0}), 204);
    assert_null(f->json);
}

static void what_the_gateway_refuses_is_a_problem(void **state)
{
    struct fixture *f = *state;
    struct config_edited edited = {.holder = (char[]){"hall"}, .pointer = (char[]){"/name"}};

    assert_int_equal(submit(f, "DELETE", PROXIES "/attic", NULL), 0);
    assert_int_equal(finish(f, E_NOT_FOUND, &(struct config_edited){0}), 404);
    assert_string_equal(text_of(f, "code"), "proxy_not_found");
    assert_int_equal(submit(f, "POST", PROXIES, "{\"name\":\"hall\",\"host\":\"h\"}"), 0);
    assert_int_equal(finish(f, E_CONFLICT, &edited), 409);
    assert_string_equal(text_of(f, "holder"), "hall");
    fake_gateway_refuse_orders(f->gateway, E_OVERLOADED);
    assert_int_equal(submit(f, "DELETE", PROXIES "/kitchen", NULL), 503);
}

static void fields_are_held_against_the_contract_before_anything_is_asked(void **state)
{
    static const struct {
        const char *body, *pointer;
    } wrong[] = {
            {"{\"host\":\"h\"}", "/name"},
            {"{\"name\":\"hall\"}", "/host"},
            {"{\"name\":7,\"host\":\"h\"}", "/name"},
            {"{\"name\":\"hall\",\"host\":\"h\",\"port\":65536}", "/port"},
            {"{\"name\":\"hall\",\"host\":\"h\",\"scan_mode\":\"often\"}", "/scan_mode"},
            {"{\"name\":\"hall\",\"host\":\"h\",\"weight\":-31}", "/weight"},
            {"{\"name\":\"hall\",\"host\":\"h\",\"colour\":null}", "/colour"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(submit(f, "POST", PROXIES, wrong[i].body), 422);
        assert_string_equal(first_pointer(f), wrong[i].pointer);
    }
    assert_int_equal(submit(f, "PATCH", PROXIES "/kitchen", "{\"name\":null}"), 422);
    assert_int_equal(submit(f, "POST", PROXIES, "{"), 400);
    assert_null(fake_gateway_order(f->gateway));
}

static void nobody_but_an_administrator_changes_the_fleet(void **state)
{
    struct fixture *f = *state;
    const char *body = "{\"name\":\"hall\",\"host\":\"h\"}";

    for (int role = REST_ROLE_NONE; role < REST_ROLE_ADMIN; role++) {
        enum rest_role as = (enum rest_role) role;

        assert_in_range(submit_as(f, as, "POST", PROXIES, body), 401, 403);
        assert_in_range(submit_as(f, as, "PATCH", PROXIES "/kitchen", "{}"), 401, 403);
        assert_in_range(submit_as(f, as, "DELETE", PROXIES "/kitchen", NULL), 401, 403);
        assert_in_range(submit_as(f, as, "POST", PROXIES "/import", "{\"proxies\":[]}"), 401, 403);
    }
    assert_null(fake_gateway_order(f->gateway));
}

static void an_import_is_one_change_of_those_that_are_new(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "POST", PROXIES "/import",
                            "{\"proxies\":[{\"name\":\"hall\",\"host\":\"h\"},"
                            "{\"name\":\"kitchen\",\"host\":\"k\"},"
                            "{\"name\":\"attic\",\"host\":\"192.0.2.10\"}]}"),
                     0);
    assert_int_equal(fake_gateway_order(f->gateway)->kind, CONFIG_EDIT_ADD);
    assert_string_equal(fake_gateway_order(f->gateway)->pointer, "/proxies");
    assert_string_equal(fake_gateway_order(f->gateway)->text,
                        "[{\"name\":\"hall\",\"host\":\"h\"}]");
    assert_int_equal(finish(f, 0, &(struct config_edited){0}), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "added")), 1);
    assert_int_equal(json_array_size(json_object_get(f->json, "skipped")), 2);
    assert_true(json_is_false(json_object_get(f->json, "dry_run")));
}

static void an_import_that_is_only_tried_or_brings_nothing_asks_nobody(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "POST", PROXIES "/import",
                            "{\"proxies\":[{\"name\":\"hall\",\"host\":\"h\"}],\"dry_run\":true}"),
                     200);
    assert_int_equal(json_array_size(json_object_get(f->json, "added")), 1);
    assert_int_equal(submit(f, "POST", PROXIES "/import", "{\"proxies\":[]}"), 200);
    assert_int_equal(submit(f, "POST", PROXIES "/import", "{\"proxies\":[{}]}"), 422);
    assert_string_equal(first_pointer(f), "/proxies/0");
    assert_int_equal(submit(f, "POST", PROXIES "/import", "{"), 400);
    assert_null(fake_gateway_order(f->gateway));
}

static void who_gives_up_does_not_stop_the_change(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "DELETE", PROXIES "/kitchen", NULL), 0);
    rest_cancel(f->rest, &f->request, E_CANCELLED);
    assert_int_equal(f->done, 1);
    assert_non_null(fake_gateway_order(f->gateway));
    assert_null(fake_gateway_order(f->gateway)->change);
    fake_gateway_finish_order(f->gateway, 0, &(struct config_edited){0});
    assert_int_equal(f->done, 1);
}

#define PROXIES_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            PROXIES_TEST(a_proxy_is_added_as_it_was_sent),
            PROXIES_TEST(a_proxy_that_was_changed_is_the_answer),
            PROXIES_TEST(a_proxy_that_was_renamed_is_shown_by_its_new_name),
            PROXIES_TEST(a_proxy_is_removed_without_a_word),
            PROXIES_TEST(what_the_gateway_refuses_is_a_problem),
            PROXIES_TEST(fields_are_held_against_the_contract_before_anything_is_asked),
            PROXIES_TEST(nobody_but_an_administrator_changes_the_fleet),
            PROXIES_TEST(an_import_is_one_change_of_those_that_are_new),
            PROXIES_TEST(an_import_that_is_only_tried_or_brings_nothing_asks_nobody),
            PROXIES_TEST(who_gives_up_does_not_stop_the_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
