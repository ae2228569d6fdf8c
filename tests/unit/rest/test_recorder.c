/* The routes of the recorder on a gateway whose recording is set by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "rest/rest.h"

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    unsigned done, woken;
};

static uint8_t payload[] = {2, 1, 6};
static struct gateway_recorded recorded[] = {
        {.time = FAKE_WALL,
         .proxy_number = 0,
         .proxy = "living-room",
         .proxy_mac = 0x246f28aabbcc,
         .address = 0xa4c13812ab56,
         .rssi = -61,
         .data = payload,
         .size = 3},
        {.time = FAKE_WALL + 1000,
         .proxy_number = 0,
         .proxy = "living-room",
         .address = 0xc0ffee000001,
         .address_type = 1,
         .data = payload,
         .size = 0},
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"proxies\":[{\"name\":\"living-room\",\"host\":\"192.0.2.1\"}]}");
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    fake_gateway_record(f->gateway, recorded, 2);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    rest_free(f->rest);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static void on_done(struct rest_request *request)
{
    ((struct fixture *) request->user)->done++;
}

static struct rest_request make_request(struct fixture *f, const char *method, const char *target,
                                        const char *body)
{
    return (struct rest_request){.method = method,
                                 .target = target,
                                 .takes_streams = true,
                                 .body = body,
                                 .body_size = body ? strlen(body) : 0,
                                 .role = REST_ROLE_CONTROL,
                                 .done = on_done,
                                 .user = f};
}

static void on_wake(void *user)
{
    ((struct fixture *) user)->woken++;
}

/* Reads a stream in small steps, waking included. */
static size_t read_all(struct fixture *f, struct answer_stream *stream, char *text, size_t capacity)
{
    size_t used = 0;
    ptrdiff_t got;

    stream->on_wake = on_wake;
    stream->user = f;
    while ((got = stream->read(stream, text + used, 7)) != ANSWER_STREAM_END) {
        unsigned woken = f->woken;

        assert_true(got >= 0 && got <= 7);
        used += (size_t) got;
        assert_true(used < capacity - 7);
        if (got > 0)
            continue;
        fake_gateway_turn(f->gateway);
        assert_int_equal(f->woken, woken + 1);
    }
    return used;
}

static size_t get(struct fixture *f, const char *target, const char *type, char *text,
                  size_t capacity)
{
    struct rest_request request = make_request(f, "GET", target, NULL);
    size_t size;

    assert_int_equal(rest_submit(f->rest, &request), REST_ANSWERED);
    assert_int_equal(request.answer.status, 200);
    assert_string_equal(request.answer.content_type, type);
    size = read_all(f, request.answer.stream, text, capacity);
    answer_done(&request.answer);
    return size;
}

static int status_of(struct fixture *f, const char *method, const char *target, const char *body)
{
    struct rest_request request = make_request(f, method, target, body);
    int status;

    assert_int_equal(rest_submit(f->rest, &request), REST_ANSWERED);
    status = request.answer.status;
    answer_done(&request.answer);
    return status;
}

static void lines_come_as_they_were_recorded(void **state)
{
    char text[1000] = "";

    (void) get(*state, "/api/v1/recorder", "application/x-ndjson", text, sizeof text);
    assert_string_equal(
            text, "{\"time\":\"2026-11-21T10:00:00.000Z\",\"proxy\":\"living-room\","
                  "\"address\":\"A4:C1:38:12:AB:56\",\"address_type\":\"public\",\"rssi\":-61,"
                  "\"raw\":\"020106\"}\n"
                  "{\"time\":\"2026-11-21T10:00:00.001Z\",\"proxy\":\"living-room\","
                  "\"address\":\"C0:FF:EE:00:00:01\",\"address_type\":\"random\",\"rssi\":null,"
                  "\"raw\":\"\"}\n");
}

static void btsnoop_introduces_a_proxy_once(void **state)
{
    static const uint8_t event[] = {0x3e, 29,   0x0d, 1, 0x13, 0,   0,    0x56, 0xab, 0x12, 0x38,
                                    0xc1, 0xa4, 1,    0, 0xff, 127, 0xc3, 0,    0,    0,    0,
                                    0,    0,    0,    0, 0,    3,   2,    1,    6};
    char text[1000];
    size_t size = get(*state, "/api/v1/recorder?format=btsnoop", "application/octet-stream", text,
                      sizeof text);

    assert_memory_equal(text, "btsnoop\0\0\0\0\1\0\0\7\xd1", 16);
    assert_memory_equal(text + 16 + 24 + 2, "\xcc\xbb\xaa\x28\x6f\x24living-r", 14);
    assert_string_equal(text + 16 + 24 + 16 + 24, "proxy living-room");
    assert_memory_equal(text + 16 + 40 + 24 + 18 + 24, event, sizeof event);
    assert_int_equal(size, 16 + 40 + 24 + 18 + 24 + 31 + 24 + 28);
}

static void segments_come_whole(void **state)
{
    char text[100] = "";

    (void) get(*state, "/api/v1/recorder?format=native", "application/octet-stream", text,
               sizeof text);
    assert_string_equal(text, "headerrecords");
}

static void faults_of_the_query_are_told(void **state)
{
    struct fixture *f = *state;
    struct rest_request request = make_request(f, "GET", "/api/v1/recorder", NULL);

    assert_int_equal(status_of(f, "GET", "/api/v1/recorder?since=2026-11-21", NULL), 400);
    assert_int_equal(status_of(f, "GET", "/api/v1/recorder?address=7", NULL), 400);
    assert_int_equal(status_of(f, "GET", "/api/v1/recorder?format=pcap", NULL), 422);
    assert_int_equal(status_of(f, "GET", "/api/v1/recorder?format=native&proxy=a", NULL), 422);
    request.takes_streams = false;
    assert_int_equal(rest_submit(f->rest, &request), REST_ANSWERED);
    assert_int_equal(request.answer.status, 404);
    answer_done(&request.answer);
}

static void a_stream_may_be_left_while_it_waits(void **state)
{
    struct fixture *f = *state;
    struct rest_request request = make_request(f, "GET", "/api/v1/recorder", NULL);
    char text[10];

    assert_int_equal(rest_submit(f->rest, &request), REST_ANSWERED);
    assert_int_equal(request.answer.stream->read(request.answer.stream, text, 10), 0);
    answer_done(&request.answer); /* teardown fails if the timer is left */
    fake_gateway_turn(f->gateway);
    assert_int_equal(f->woken, 0);
}

#define REPLAY "/api/v1/recorder/replay"

static void a_replay_is_answered_when_it_is_done(void **state)
{
    static const struct gateway_replay_difference difference = {0xa4c13812ab56, 41, 3, "hall",
                                                                NULL};
    const struct gateway_replay_result result = {.packets = 5,
                                                 .since = FAKE_WALL,
                                                 .until = FAKE_WALL,
                                                 .actual = {1, 2, 3, 4},
                                                 .replayed = {5, 6, 7, 8},
                                                 .differences = &difference,
                                                 .differences_count = 1};
    struct fixture *f = *state;
    struct rest_request request = make_request(f, "POST", REPLAY, "{\"settings\":{}}");

    assert_int_equal(rest_submit(f->rest, &request), 0);
    assert_int_equal(status_of(f, "POST", REPLAY, "{\"settings\":{}}"), 503); /* one at a time */
    assert_int_equal(f->done, 0);
    fake_gateway_end_replay(f->gateway, &result);
    assert_int_equal(f->done, 1);
    assert_int_equal(request.answer.status, 200);
    assert_non_null(strstr(request.answer.body, "\"owner_changes_actual\":41"));
    assert_non_null(strstr(request.answer.body, "\"owner_replayed\":null"));
    assert_non_null(strstr(request.answer.body, "\"replayed\":{\"events\":5,\"owner_changes\":6"));
    answer_done(&request.answer);
}

static void a_cancelled_replay_is_answered_at_once(void **state)
{
    struct fixture *f = *state;
    struct rest_request request = make_request(f, "POST", REPLAY, "{\"settings\":{}}");

    assert_int_equal(rest_submit(f->rest, &request), 0);
    rest_cancel(f->rest, &request, E_SHUTTING_DOWN);
    assert_int_equal(f->done, 1);
    assert_int_equal(request.answer.status, 503);
    answer_done(&request.answer);
    fake_gateway_end_replay(f->gateway, NULL);
    assert_int_equal(f->done, 1);
}

static void what_cannot_be_replayed_is_refused(void **state)
{
    struct fixture *f = *state;
    struct rest_request request = make_request(f, "POST", REPLAY, "{\"settings\":{\"wrong\":1}}");

    assert_int_equal(rest_submit(f->rest, &request), REST_ANSWERED);
    assert_int_equal(request.answer.status, 422);
    assert_non_null(strstr(request.answer.body, "/settings/wrong"));
    answer_done(&request.answer);
    assert_int_equal(status_of(f, "POST", REPLAY, NULL), 422);
    assert_int_equal(status_of(f, "POST", REPLAY, "{"), 400);
    assert_int_equal(status_of(f, "POST", REPLAY, "[]"), 422);
    assert_int_equal(status_of(f, "POST", REPLAY, "{\"settings\":1}"), 422);
    assert_int_equal(status_of(f, "POST", REPLAY, "{\"settings\":{},\"since\":\"x\"}"), 422);
    fake_gateway_record(f->gateway, NULL, 0);
    assert_int_equal(status_of(f, "POST", REPLAY, "{\"settings\":{}}"), 503); /* it is off */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(lines_come_as_they_were_recorded, setup, teardown),
            cmocka_unit_test_setup_teardown(btsnoop_introduces_a_proxy_once, setup, teardown),
            cmocka_unit_test_setup_teardown(segments_come_whole, setup, teardown),
            cmocka_unit_test_setup_teardown(faults_of_the_query_are_told, setup, teardown),
            cmocka_unit_test_setup_teardown(a_stream_may_be_left_while_it_waits, setup, teardown),
            cmocka_unit_test_setup_teardown(a_replay_is_answered_when_it_is_done, setup, teardown),
            cmocka_unit_test_setup_teardown(a_cancelled_replay_is_answered_at_once, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(what_cannot_be_replayed_is_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
