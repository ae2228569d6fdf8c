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

#define API "/api/v1"

static const struct account_source there = {false, 0xc0000207};

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    struct rest_request request;
    struct account_identity identity; /* of who asks */
    unsigned done;
    json_t *json;
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{}");
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    f->identity = (struct account_identity){.via = ACCOUNT_VIA_LOOPBACK, .role = ACCOUNT_ADMIN};
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
static int ask(struct fixture *f, const char *method, const char *target, const char *body)
{
    forget_answer(f);
    f->done = 0;
    f->request = (struct rest_request){
            .method = method,
            .target = target,
            .remote = "192.0.2.7:51234",
            .body = body,
            .body_size = body ? strlen(body) : 0,
            .role = (enum rest_role) f->identity.role,
            .identity = &f->identity,
            .source = there,
            .done = on_done,
            .user = f,
    };
    if (rest_submit(f->rest, &f->request) != REST_ANSWERED)
        return 0;
    read_answer(f);
    return f->request.answer.status;
}

static const char *text(const struct fixture *f, const char *name)
{
    return json_string_value(json_object_get(f->json, name));
}

/* NULL: it is not there. */
static const char *header(const struct fixture *f, const char *name)
{
    for (size_t i = 0; i < f->request.answer.headers_count; i++) {
        if (strcmp(f->request.answer.headers[i].name, name) == 0)
            return f->request.answer.headers[i].value;
    }
    return NULL;
}

/* The newest row; NULL: there is none. */
static const struct audit_entry *last_row(const struct fixture *f)
{
    return accounts_audit_before(gateway_accounts(f->gateway), UINT64_MAX);
}

static void a_token_is_told_when_the_store_has_it(void **state)
{
    struct fixture *f = *state;

    fake_gateway_wait_for_store(f->gateway);
    assert_int_equal(ask(f, "POST", API "/tokens", "{\"name\":\"ops\",\"role\":\"admin\"}"), 0);
    assert_int_equal(f->done, 0);
    fake_gateway_store_wrote(f->gateway, 0);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 201);
    assert_int_equal(strlen(text(f, "token")), 47);
    assert_string_equal(header(f, "Location"), API "/tokens/ops");
    assert_string_equal(last_row(f)->action, "POST /tokens");
    assert_int_equal(last_row(f)->status, 201);
    assert_string_equal(last_row(f)->actor, "loopback");
}

static void a_store_that_cannot_write_is_told(void **state)
{
    struct fixture *f = *state;

    fake_gateway_wait_for_store(f->gateway);
    assert_int_equal(ask(f, "POST", API "/tokens", "{\"name\":\"ops\",\"role\":\"admin\"}"), 0);
    fake_gateway_store_wrote(f->gateway, -28);
    assert_int_equal(f->request.answer.status, 500);
    assert_null(text(f, "token"));
    assert_true(gateway_has_tokens(f->gateway)); /* it counts */
}

static void a_request_that_is_given_up_leaves_its_token(void **state)
{
    struct fixture *f = *state;

    fake_gateway_wait_for_store(f->gateway);
    assert_int_equal(ask(f, "POST", API "/tokens", "{\"name\":\"ops\",\"role\":\"admin\"}"), 0);
    rest_cancel(f->rest, &f->request, E_CANCELLED);
    assert_int_equal(f->request.answer.status, 503);
    assert_true(gateway_has_tokens(f->gateway));
    assert_int_equal(last_row(f)->status, 503);
}

static void the_first_token_must_be_an_admin(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, "POST", API "/tokens", "{\"name\":\"wall\",\"role\":\"read\"}"), 422);
    assert_false(gateway_has_tokens(f->gateway));
}

static void the_cookie_of_a_session_is_secure_where_the_way_is(void **state)
{
    struct fixture *f = *state;
    char body[128];

    assert_int_equal(ask(f, "POST", API "/tokens", "{\"name\":\"ops\",\"role\":\"admin\"}"), 201);
    (void) snprintf(body, sizeof body, "{\"token\":\"%s\"}", text(f, "token"));
    f->identity = (struct account_identity){0};
    assert_int_equal(ask(f, "POST", API "/session", body), 200);
    assert_non_null(strstr(header(f, "Set-Cookie"), "; Path=/; HttpOnly; SameSite=Strict"));
    assert_null(strstr(header(f, "Set-Cookie"), "Secure"));
    assert_string_equal(text(f, "via"), "cookie");
    f->request.is_secure = true;
    answer_done(&f->request.answer);
    assert_int_equal(rest_submit(f->rest, &f->request), REST_ANSWERED);
    assert_non_null(strstr(header(f, "Set-Cookie"), "; SameSite=Strict; Secure"));
}

static void wrong_tokens_at_the_door_are_held_off(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, "POST", API "/tokens", "{\"name\":\"ops\",\"role\":\"admin\"}"), 201);
    f->identity = (struct account_identity){0};
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask(f, "POST", API "/session", "{\"token\":\"wrong\"}"), 401);
    assert_int_equal(ask(f, "POST", API "/session", "{\"token\":\"wrong\"}"), 429);
    assert_string_equal(header(f, "Retry-After"), "60");
    assert_string_equal(last_row(f)->action, "POST /session");
    assert_string_equal(last_row(f)->actor, "nobody");
}

static void who_is_held_off_is_told_so_where_a_role_is_needed(void **state)
{
    struct fixture *f = *state;

    f->identity = (struct account_identity){.retry_after = 1500000};
    assert_int_equal(ask(f, "GET", API "/info", NULL), 429);
    assert_string_equal(header(f, "Retry-After"), "2");
    assert_int_equal(ask(f, "GET", "/healthz", NULL), 200);
}

static void who_may_not_is_refused_before_the_body(void **state)
{
    struct fixture *f = *state;

    f->identity = (struct account_identity){
            .via = ACCOUNT_VIA_BEARER, .role = ACCOUNT_READ, .name = "wall"};
    f->request = (struct rest_request){.method = "POST",
                                       .target = API "/tokens?x=1",
                                       .remote = "192.0.2.7:1",
                                       .role = REST_ROLE_READ,
                                       .identity = &f->identity};
    assert_false(rest_admits(f->rest, &f->request));
    assert_int_equal(f->request.answer.status, 403);
    assert_string_equal(last_row(f)->actor, "wall");
    assert_string_equal(last_row(f)->action, "POST /tokens");
    assert_int_equal(last_row(f)->class, AUDIT_REFUSED);
    answer_done(&f->request.answer);
    f->request.target = API "/devices";
    f->request.method = "GET";
    assert_true(rest_admits(f->rest, &f->request));
    f->request.target = "/nothing";
    assert_true(rest_admits(f->rest, &f->request)); /* 404 comes later */
}

static void only_more_than_reading_is_noted(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, "GET", API "/devices", NULL), 200);
    assert_null(last_row(f));
    assert_int_equal(ask(f, "GET", API "/tokens", NULL), 200);
    assert_string_equal(last_row(f)->action, "GET /tokens");
    assert_int_equal(last_row(f)->class, AUDIT_ADMIN);
    assert_int_equal(ask(f, "POST", API "/connections/close-stale", NULL), 200);
    assert_int_equal(last_row(f)->class, AUDIT_CONTROL);
    assert_string_equal(last_row(f)->remote, "192.0.2.7:51234");
}

static void verbs_are_noted_with_their_name_and_path(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *verb, *action;
    } cases[] = {{"clean", "mqtt clean /connections/close-stale"},
                 {"http", "mqtt http POST /connections/close-stale"}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        forget_answer(f);
        f->request = (struct rest_request){.method = "POST",
                                           .target = API "/connections/close-stale",
                                           .role = REST_ROLE_CONTROL,
                                           .client = "mqtt",
                                           .verb = cases[i].verb};
        assert_int_equal(rest_submit(f->rest, &f->request), REST_ANSWERED);
        assert_string_equal(last_row(f)->action, cases[i].action);
        assert_string_equal(last_row(f)->actor, "mqtt");
        assert_int_equal(last_row(f)->role, ACCOUNT_CONTROL);
        assert_null(last_row(f)->remote);
    }
}

static void the_record_is_told_in_pages_and_by_actor(void **state)
{
    struct fixture *f = *state;
    char target[128];

    for (int i = 0; i < 5; i++)
        (void) ask(f, "POST", API "/connections/close-stale", NULL);
    assert_int_equal(ask(f, "GET", API "/audit?limit=3", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 3);
    (void) snprintf(target, sizeof target, API "/audit?limit=3&cursor=%s", text(f, "next"));
    assert_int_equal(ask(f, "GET", target, NULL), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 2);
    assert_null(text(f, "next"));
    assert_int_equal(ask(f, "GET", API "/audit?actor=nobody", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 0);
    assert_int_equal(ask(f, "GET", API "/audit?cursor=!", NULL), 400);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(a_token_is_told_when_the_store_has_it),
            TEST(a_store_that_cannot_write_is_told),
            TEST(a_request_that_is_given_up_leaves_its_token),
            TEST(the_first_token_must_be_an_admin),
            TEST(the_cookie_of_a_session_is_secure_where_the_way_is),
            TEST(wrong_tokens_at_the_door_are_held_off),
            TEST(who_is_held_off_is_told_so_where_a_role_is_needed),
            TEST(who_may_not_is_refused_before_the_body),
            TEST(only_more_than_reading_is_noted),
            TEST(verbs_are_noted_with_their_name_and_path),
            TEST(the_record_is_told_in_pages_and_by_actor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
