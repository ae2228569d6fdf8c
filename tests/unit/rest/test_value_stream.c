#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "fake_gatts.h"
#include "fake_links.h"
#include "rest/clients.h"
#include "rest/rest.h"

#define FRIDGE 0xA4C13812AB56
#define LAMP   0xC0FFEE000001
#define STREAM "/api/v1/devices/A4:C1:38:12:AB:56/notifications"
#define HANDLE 14

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    struct rest_request request;
    struct fake_link *link;
    struct gatt_entry level;
    unsigned done, woken;
    bool was_stalled;
    char text[16384]; /* read so far */
    size_t size;
    bool is_at_end;
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"limits\":{\"sse_clients\":1},\"proxies\":["
                            "{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"}]}");
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    f->link = fake_links_add(f->gateway, FRIDGE, "kitchen");
    f->level = (struct gatt_entry){
            .uuid = ble_uuid_from_short(0x2a37), .handle = HANDLE, .kind = GATT_CHARACTERISTIC};
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

static void on_done(struct rest_request *request)
{
    ((struct fixture *) request->user)->done++;
}

static int ask_as(struct fixture *f, enum rest_role role, const char *method, const char *target)
{
    answer_done(&f->request.answer);
    f->request = (struct rest_request){.method = method,
                                       .target = target,
                                       .role = role,
                                       .takes_streams = true,
                                       .client = "ops",
                                       .done = on_done,
                                       .user = f};
    f->done = 0;
    return rest_submit(f->rest, &f->request) == REST_ANSWERED ? f->request.answer.status : 0;
}

static int ask(struct fixture *f, const char *target)
{
    return ask_as(f, REST_ROLE_CONTROL, "GET", target);
}

static void on_wake(void *user)
{
    ((struct fixture *) user)->woken++;
}

static void on_stalled(void *user)
{
    ((struct fixture *) user)->was_stalled = true;
}

/* Reads all that is there. */
static const char *read_text(struct fixture *f)
{
    struct answer_stream *stream = f->request.answer.stream;
    ptrdiff_t size;

    assert_non_null(stream);
    stream->on_wake = on_wake;
    stream->on_stalled = on_stalled;
    stream->user = f;
    f->size = 0;
    while ((size = stream->read(stream, f->text + f->size, sizeof f->text - 1 - f->size)) > 0)
        f->size += (size_t) size;
    f->is_at_end = size == ANSWER_STREAM_END;
    f->text[f->size] = '\0';
    return f->text;
}

/* The oldest subscription that is asked for is granted to this lease. */
static void grant(struct fixture *f, uint16_t handle, const char *lease)
{
    const struct gateway_gatt_answer answer = {
            .handle = handle, .lease = lease, .expires = USEC_NEVER};
    struct gatt_entry entry = f->level;

    entry.handle = handle;
    fake_gatts_hold(f->gateway, FRIDGE, &entry, "notify", lease);
    fake_gatts_answer(f->gateway, &answer);
}

static void open_stream(struct fixture *f)
{
    assert_int_equal(ask(f, STREAM "?subscribe=2a37"), 0);
    fake_links_lease(f->gateway, f->link, "L1", "ops");
    grant(f, HANDLE, "L1");
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 200);
}

static bool has_lease(const struct fixture *f)
{
    struct gateway_lease lease;

    return gateway_get_lease(f->gateway, FRIDGE, 0, &lease);
}

static void stream_has_notifications_and_connections_of_one_device(void **state)
{
    struct fixture *f = *state;

    fake_gatts_hold(f->gateway, FRIDGE, &f->level, "notify", "L7");
    fake_gatts_hold(f->gateway, LAMP, &f->level, "notify", "L8");
    assert_int_equal(ask_as(f, REST_ROLE_READ, "GET", STREAM), 200);
    assert_string_equal(f->request.answer.content_type, "text/event-stream");
    (void) read_text(f);
    fake_gatts_value(f->gateway, LAMP, HANDLE, "lamp", "kitchen");
    fake_links_change(f->gateway, "opened", LAMP, "kitchen");
    (void) fake_gateway_add(f->gateway, FRIDGE);
    fake_links_change(f->gateway, "opened", FRIDGE, "kitchen");
    fake_gatts_value(f->gateway, FRIDGE, HANDLE, "d", "kitchen");
    fake_gateway_turn(f->gateway);
    (void) read_text(f);
    assert_non_null(strstr(f->text, "event: connection\n"));
    assert_non_null(strstr(f->text,
                           "event: notification\ndata: {\"time\":\"2026-11-21T10:00:00.000Z\","
                           "\"address\":\"A4:C1:38:12:AB:56\",\"characteristic\":"
                           "\"00002a37-0000-1000-8000-00805f9b34fb\",\"handle\":14,"
                           "\"value\":\"64\",\"proxy\":\"kitchen\",\"counter\":1}\n\n"));
    assert_null(strstr(f->text, "C0:FF:EE"));
    assert_null(fake_gatts_request(f->gateway, 0));
}

static void subscribing_needs_control(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask_as(f, REST_ROLE_READ, "GET", STREAM "?subscribe=2a37"), 403);
    assert_non_null(strstr(f->request.answer.body, "\"needs_role\":\"control\""));
    assert_null(fake_gatts_request(f->gateway, 0));
}

static void stream_is_the_lease_of_its_subscriptions(void **state)
{
    struct fixture *f = *state;
    const struct gateway_gatt_wish *wish;

    assert_int_equal(ask(f, STREAM "?subscribe=2a37&type=indicate&subscribe=22"), 0);
    wish = fake_gatts_request(f->gateway, 0);
    assert_int_equal(wish->verb, GATEWAY_GATT_SUBSCRIBE);
    assert_true(ble_uuid_equal(&wish->uuid, &f->level.uuid));
    assert_string_equal(wish->type, "indicate");
    assert_true(wish->link.lease == USEC_NEVER);
    assert_true(wish->link.is_auto_reconnect);
    assert_null(wish->link.renew);
    assert_string_equal(wish->link.client, "ops");
    assert_null(fake_gatts_request(f->gateway, 1)); /* one after the other */
    fake_links_lease(f->gateway, f->link, "L1", "ops");
    grant(f, HANDLE, "L1");
    assert_int_equal(f->done, 0);
    wish = fake_gatts_request(f->gateway, 0);
    assert_true(wish->has_handle && wish->handle == 22);
    assert_string_equal(wish->link.renew, "L1");
    grant(f, 22, "L1");
    assert_int_equal(f->done, 1);
    assert_non_null(f->request.answer.stream);
    assert_true(has_lease(f));
    answer_done(&f->request.answer);
    assert_false(has_lease(f));
    assert_int_equal(clients_count(rest_clients(f->rest)), 0);
}

static void no_value_is_missed_while_it_subscribes(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, STREAM "?subscribe=2a37&subscribe=22"), 0);
    fake_links_lease(f->gateway, f->link, "L1", "ops");
    grant(f, HANDLE, "L1");
    fake_gatts_value(f->gateway, FRIDGE, HANDLE, "early", "kitchen");
    for (int i = 0; i < 90; i++) /* a link may take that long, and nobody can read yet */
        fake_gateway_advance(f->gateway, USEC_PER_SEC);
    grant(f, 22, "L1");
    assert_int_equal(f->done, 1);
    assert_non_null(strstr(read_text(f), "\"value\":\"6561726c79\""));
    fake_gateway_advance(f->gateway, USEC_PER_SEC);
    assert_false(f->was_stalled);
}

static void stream_wakes_its_reader(void **state)
{
    struct fixture *f = *state;

    open_stream(f);
    (void) read_text(f);
    fake_gatts_value(f->gateway, FRIDGE, HANDLE, "d", "kitchen");
    fake_gateway_turn(f->gateway);
    assert_int_equal(f->woken, 1);
    assert_non_null(strstr(read_text(f), "\"value\":\"64\""));
}

static void stream_that_is_not_read_is_cut(void **state)
{
    struct fixture *f = *state;

    open_stream(f);
    (void) read_text(f);
    fake_gatts_value(f->gateway, FRIDGE, HANDLE, "d", "kitchen");
    fake_gateway_turn(f->gateway);
    for (int i = 0; i < 31; i++)
        fake_gateway_advance(f->gateway, USEC_PER_SEC);
    assert_true(f->was_stalled);
}

static void stream_ends_with_its_lease_after_the_last_events(void **state)
{
    struct fixture *f = *state;

    open_stream(f);
    (void) read_text(f);
    fake_gatts_end_lease(f->gateway, FRIDGE, "L1");
    fake_links_change(f->gateway, "closed", FRIDGE, "kitchen");
    fake_gateway_turn(f->gateway);
    assert_non_null(strstr(read_text(f), "\"action\":\"closed\""));
    assert_false(f->is_at_end);
    fake_gateway_advance(f->gateway, USEC_PER_SEC);
    assert_true(f->woken > 1);
    (void) read_text(f);
    assert_true(f->is_at_end);
}

static void other_leases_do_not_end_it(void **state)
{
    struct fixture *f = *state;

    open_stream(f);
    fake_gatts_end_lease(f->gateway, FRIDGE, "L2");
    fake_gatts_end_lease(f->gateway, LAMP, "L1");
    fake_gateway_advance(f->gateway, USEC_PER_SEC);
    (void) read_text(f);
    assert_false(f->is_at_end);
}

static void subscription_that_fails_is_a_problem_and_leaves_nothing(void **state)
{
    const struct gateway_gatt_answer failed = {.code = E_CHARACTERISTIC_NOT_FOUND};
    struct fixture *f = *state;

    assert_int_equal(ask(f, STREAM "?subscribe=2a37&subscribe=22"), 0);
    fake_links_lease(f->gateway, f->link, "L1", "ops");
    grant(f, HANDLE, "L1");
    fake_gatts_answer(f->gateway, &failed);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 404);
    assert_non_null(strstr(f->request.answer.body, "\"characteristic_not_found\""));
    assert_false(has_lease(f));
    assert_int_equal(clients_count(rest_clients(f->rest)), 0);
}

static void lease_that_ends_while_it_subscribes_is_told_as_a_lost_link(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, STREAM "?subscribe=2a37&subscribe=22&subscribe=23"), 0);
    grant(f, HANDLE, "L1");
    fake_gatts_end_lease(f->gateway, FRIDGE, "L1");
    grant(f, 22, "L1");
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 502);
}

static void client_that_hangs_up_leaves_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, STREAM "?subscribe=2a37&subscribe=22"), 0);
    fake_links_lease(f->gateway, f->link, "L1", "ops");
    grant(f, HANDLE, "L1");
    rest_cancel(f->rest, &f->request, E_CANCELLED);
    assert_int_equal(fake_gatts_cancelled(f->gateway), 1);
    assert_false(has_lease(f));
    assert_int_equal(clients_count(rest_clients(f->rest)), 0);
}

static void streams_are_bounded_before_a_link_is_opened(void **state)
{
    struct fixture *f = *state;
    struct answer first;

    open_stream(f);
    first = f->request.answer;
    f->request.answer = (struct answer){0};
    assert_int_equal(ask(f, STREAM "?subscribe=2a37"), 503);
    assert_null(fake_gatts_request(f->gateway, 0));
    answer_done(&first);
}

static void refusal_of_the_gateway_is_the_answer(void **state)
{
    struct fixture *f = *state;

    fake_gatts_refuse(f->gateway, E_QUEUE_FULL);
    assert_int_equal(ask(f, STREAM "?subscribe=2a37"), 503);
    assert_non_null(strstr(f->request.answer.body, "\"queue_full\""));
    assert_int_equal(clients_count(rest_clients(f->rest)), 0);
}

static void faults_of_the_request_are_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, STREAM "?subscribe=xyz"), 400);
    assert_int_equal(ask(f, STREAM "?subscribe=2a37&type=all"), 422);
    assert_int_equal(ask(f, STREAM "?types=device"), 422);
    assert_int_equal(ask(f, "/api/v1/devices/zz/notifications"), 400);
    assert_int_equal(clients_count(rest_clients(f->rest)), 0);
}

static void head_subscribes_to_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask_as(f, REST_ROLE_CONTROL, "HEAD", STREAM "?subscribe=2a37"), 200);
    assert_string_equal(f->request.answer.content_type, "text/event-stream");
    assert_null(fake_gatts_request(f->gateway, 0));
}

static void end_of_the_program_ends_what_waits_and_what_streams(void **state)
{
    struct fixture *f = *state;

    open_stream(f);
    (void) read_text(f);
    rest_stop(f->rest);
    (void) read_text(f);
    assert_true(f->is_at_end);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(stream_has_notifications_and_connections_of_one_device),
            TEST(subscribing_needs_control),
            TEST(stream_is_the_lease_of_its_subscriptions),
            TEST(no_value_is_missed_while_it_subscribes),
            TEST(stream_wakes_its_reader),
            TEST(stream_that_is_not_read_is_cut),
            TEST(stream_ends_with_its_lease_after_the_last_events),
            TEST(other_leases_do_not_end_it),
            TEST(subscription_that_fails_is_a_problem_and_leaves_nothing),
            TEST(lease_that_ends_while_it_subscribes_is_told_as_a_lost_link),
            TEST(client_that_hangs_up_leaves_nothing),
            TEST(streams_are_bounded_before_a_link_is_opened),
            TEST(refusal_of_the_gateway_is_the_answer),
            TEST(faults_of_the_request_are_told),
            TEST(head_subscribes_to_nothing),
            TEST(end_of_the_program_ends_what_waits_and_what_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
