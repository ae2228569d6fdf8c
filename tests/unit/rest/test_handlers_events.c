#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "rest/clients.h"
#include "rest/rest.h"

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    struct rest_request request;
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"limits\":{\"sse_clients\":1}}");
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    answer_done(&f->request.answer);
    rest_free(f->rest);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static int ask(struct fixture *f, const char *method, const char *target, bool takes_streams)
{
    answer_done(&f->request.answer);
    f->request = (struct rest_request){
            .method = method,
            .target = target,
            .role = REST_ROLE_READ,
            .takes_streams = takes_streams,
            .user_agent = "curl/7.88",
            .remote = "127.0.0.1:5",
    };
    assert_int_equal(rest_submit(f->rest, &f->request), REST_ANSWERED);
    return f->request.answer.status;
}

static void stream_is_an_answer_without_a_body(void **state)
{
    struct fixture *f = *state;
    const struct answer *answer = &f->request.answer;

    assert_int_equal(ask(f, "GET", "/api/v1/events", true), 200);
    assert_non_null(answer->stream);
    assert_null(answer->body);
    assert_string_equal(answer->content_type, "text/event-stream");
    assert_string_equal(answer->headers[0].name, "X-Accel-Buffering");
    assert_int_equal(clients_count(rest_clients(f->rest)), 1);
    answer_done(&f->request.answer);
    assert_int_equal(clients_count(rest_clients(f->rest)), 0);
}

static void head_is_no_reader(void **state)
{
    struct fixture *f = *state;
    char text[8];

    assert_int_equal(ask(f, "HEAD", "/api/v1/events", true), 200);
    assert_string_equal(f->request.answer.content_type, "text/event-stream");
    assert_int_equal(clients_count(rest_clients(f->rest)), 0);
    assert_int_equal(f->request.answer.stream->read(f->request.answer.stream, text, sizeof text),
                     ANSWER_STREAM_END);
}

static void who_cannot_carry_streams_gets_none(void **state)
{
    assert_int_equal(ask(*state, "GET", "/api/v1/events", false), 404);
    assert_null(((struct fixture *) *state)->request.answer.stream);
}

static void streams_beyond_the_limit_are_overloaded(void **state)
{
    struct fixture *f = *state;
    struct answer first;

    assert_int_equal(ask(f, "GET", "/api/v1/events", true), 200);
    first = f->request.answer;
    f->request.answer = (struct answer){0};
    assert_int_equal(ask(f, "GET", "/api/v1/events", true), 503);
    assert_non_null(strstr(f->request.answer.body, "\"overloaded\""));
    assert_non_null(strstr(f->request.answer.body, "\"retry_after_s\""));
    answer_done(&first);
    assert_int_equal(ask(f, "GET", "/api/v1/events", true), 200);
}

static void faults_of_the_query_are_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, "GET", "/api/v1/events?mode=x&types=y", true), 422);
    assert_non_null(strstr(f->request.answer.body, "\"?mode\""));
    assert_int_equal(ask(f, "GET", "/api/v1/events?address=x", true), 400);
}

static void clients_are_listed_by_kind(void **state)
{
    struct client client = {.kind = CLIENT_MQTT, .since = FAKE_START};
    struct fixture *f = *state;

    clients_add(rest_clients(f->rest), &client);
    assert_int_equal(ask(f, "GET", "/api/v1/clients?kind=mqtt", false), 200);
    assert_non_null(strstr(f->request.answer.body, "\"id\":\"c1\",\"kind\":\"mqtt\""));
    assert_int_equal(ask(f, "GET", "/api/v1/clients?kind=sse", false), 200);
    assert_string_equal(f->request.answer.body, "{\"items\":[],\"next\":null}");
    assert_int_equal(ask(f, "GET", "/api/v1/clients?kind=http", false), 422);
    assert_int_equal(ask(f, "GET", "/api/v1/clients?cursor=AAAA", false), 400);
    clients_remove(rest_clients(f->rest), &client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(stream_is_an_answer_without_a_body), TEST(head_is_no_reader),
            TEST(who_cannot_carry_streams_gets_none), TEST(streams_beyond_the_limit_are_overloaded),
            TEST(faults_of_the_query_are_told),       TEST(clients_are_listed_by_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
