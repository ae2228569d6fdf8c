/* Links through the facade, on a real loop, with proxies that are switched off: what is answered
 * then, what the settings do, and the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "base/memory.h"
#include "gateway/gateway.h"

#define FRIDGE 0xA4C13812AB56 /* configured */
#define LOCK   0xA4C13812AB57 /* configured, through the hall alone */
#define KEPT   0xA4C13812AB58 /* configured, to be connected for ever */
#define NOBODY 0xA4C13812AB99

#define CONFIG(links, is_kept)                                                                     \
    "{\"discovery\":{\"mdns\":false},\"proxies\":[{\"name\":\"kitchen\",\"host\":\"127.0.0.1\","   \
    "\"port\":1,\"enabled\":false},"                                                               \
    "{\"name\":\"hall\",\"host\":\"127.0.0.1\",\"port\":1,\"enabled\":false}],"                    \
    "\"devices\":[{\"address\":\"A4:C1:38:12:AB:56\"},"                                            \
    "{\"address\":\"A4:C1:38:12:AB:57\",\"route\":{\"require\":[\"hall\"]}},"                      \
    "{\"address\":\"A4:C1:38:12:AB:58\",\"keep_connected\":" is_kept "}],"                         \
    "\"links\":{" links "}}"

struct fixture {
    uv_loop_t loop;
    struct gateway *gateway;
    struct gateway_subscription *subscription;
    bool is_closed;
    char told[512]; /* actions, a word each */
    /* of the last answer */
    unsigned answers;
    struct gateway_link_answer answer;
};

static struct config *parse(const char *text)
{
    struct config_faults faults = {0};
    struct config *config =
            config_parse(text, strlen(text),
                         (const char *const[]){"core", "links", "discovery.mdns", NULL}, &faults);

    assert_non_null(config);
    assert_int_equal(config->without_effect.count, 0);
    config_faults_done(&faults);
    return config;
}

static void on_link(void *user, const struct gateway_link_change *change)
{
    struct fixture *f = user;
    size_t length = strlen(f->told);

    if (change->action)
        (void) snprintf(f->told + length, sizeof f->told - length, "%02x:%s:%s ",
                        (unsigned) (change->address & 0xff), change->action,
                        change->code ? error_token(change->code) : "-");
}

static int set_up(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);
    const struct gateway_subscriber subscriber = {.on_link = on_link, .user = f};

    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->gateway = gateway_new(&f->loop, parse(CONFIG("", "false")), NULL, NULL);
    f->subscription = gateway_subscribe(f->gateway, &subscriber);
    *state = f;
    return 0;
}

static void on_closed(void *user)
{
    ((struct fixture *) user)->is_closed = true;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    gateway_unsubscribe(f->subscription);
    if (!f->is_closed)
        gateway_close(f->gateway, on_closed, f);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    gateway_free(f->gateway);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

static void on_answer(void *user, const struct gateway_link_answer *answer)
{
    struct fixture *f = user;

    f->answers++;
    f->answer = *answer;
}

static struct gateway_link_request *connect_to(struct fixture *f, uint64_t address)
{
    struct gateway_link_request *request;
    struct gateway_wish wish;

    gateway_default_wish(f->gateway, &wish);
    wish.address = address;
    assert_int_equal(gateway_connect(f->gateway, &wish, on_answer, f, &request), 0);
    assert_int_equal(f->answers, 0); /* never from inside the call */
    return request;
}

static int answer_of(struct fixture *f)
{
    while (f->answers == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->answers, 1);
    f->answers = 0;
    return f->answer.code;
}

static void C01_who_cannot_be_reached_is_told_apart(void **state)
{
    struct fixture *f = *state;

    (void) connect_to(f, NOBODY);
    assert_int_equal(answer_of(f), E_DEVICE_NOT_FOUND);
    (void) connect_to(f, FRIDGE);
    assert_int_equal(answer_of(f), E_NO_ROUTE);
    assert_null(f->answer.lease);
    assert_int_equal(f->answer.attempts_count, 0);
}

static void C06_a_required_proxy_that_is_away_is_named_as_the_cause(void **state)
{
    struct fixture *f = *state;
    struct gateway_route routes[4];
    int code;

    (void) connect_to(f, LOCK);
    assert_int_equal(answer_of(f), E_PROXY_OFFLINE);
    assert_int_equal(gateway_get_routes(f->gateway, LOCK, routes, ARRAY_SIZE(routes), &code), 1);
    assert_int_equal(code, E_PROXY_OFFLINE);
    assert_string_equal(routes[0].proxy, "hall");
    assert_int_equal(routes[0].proxy_index, 1);
    assert_false(routes[0].is_candidate);
    assert_non_null(routes[0].cause);
    assert_non_null(routes[0].detail);
}

static void a_lease_that_never_was_cannot_be_renewed(void **state)
{
    struct fixture *f = *state;
    struct gateway_link_request *request;
    struct gateway_wish wish;

    gateway_default_wish(f->gateway, &wish);
    wish.address = FRIDGE;
    wish.renew = "L00000000";
    assert_int_equal(gateway_connect(f->gateway, &wish, on_answer, f, &request), 0);
    assert_int_equal(answer_of(f), E_GONE);
    assert_int_equal(gateway_disconnect(f->gateway, FRIDGE, "L00000000"), E_GONE);
}

static void C10_a_request_that_was_given_up_calls_nothing(void **state)
{
    struct fixture *f = *state;

    gateway_connect_cancel(f->gateway, connect_to(f, FRIDGE));
    (void) connect_to(f, NOBODY); /* what comes behind it is answered */
    assert_int_equal(answer_of(f), E_DEVICE_NOT_FOUND);
    assert_int_equal(gateway_links_count(f->gateway), 0);
}

static void C16_where_there_is_no_link_there_is_nothing_to_close(void **state)
{
    struct fixture *f = *state;
    struct gateway_link link;
    struct gateway_attempt attempt;
    struct gateway_lease lease;

    assert_false(gateway_get_link(f->gateway, FRIDGE, &link));
    assert_string_equal(link.state, "none");
    assert_int_equal(link.address, FRIDGE);
    assert_null(link.proxy);
    assert_null(link.mtu_source);
    assert_false(gateway_get_lease(f->gateway, FRIDGE, 0, &lease));
    assert_false(gateway_get_attempt(f->gateway, FRIDGE, 0, &attempt));
    assert_int_equal(gateway_disconnect(f->gateway, FRIDGE, NULL), 0);
    assert_int_equal(gateway_close_stale(f->gateway), 0);
    assert_int_equal(gateway_free_slot(f->gateway, 0, FRIDGE), E_PROXY_OFFLINE);
}

static void what_a_request_does_not_say_the_configuration_says(void **state)
{
    struct fixture *f = *state;
    struct gateway_wish wish;

    gateway_default_wish(f->gateway, &wish);
    assert_int_equal(wish.timeout, 60 * USEC_PER_SEC);
    assert_int_equal(wish.attempt_timeout, 20 * USEC_PER_SEC);
    assert_int_equal(wish.queue_for, 5 * USEC_PER_SEC);
    assert_int_equal(wish.attempts, 4);
    assert_int_equal(wish.lease, 60 * USEC_PER_SEC);
    assert_true(wish.use_cache);
    gateway_reconfigure(
            f->gateway,
            parse(CONFIG("\"timeout_ms\":500,\"attempt_timeout_ms\":1000,\"attempts\":2,"
                         "\"queue_ms\":0,\"lease_s\":5,\"queue_length\":1",
                         "false")));
    gateway_default_wish(f->gateway, &wish);
    assert_int_equal(wish.timeout, USEC_PER_SEC / 2);
    assert_int_equal(wish.attempt_timeout, USEC_PER_SEC);
    assert_int_equal(wish.queue_for, 0);
    assert_int_equal(wish.attempts, 2);
    assert_int_equal(wish.lease, 5 * USEC_PER_SEC);
    (void) connect_to(f, NOBODY);
    wish.address = FRIDGE;
    assert_int_equal(gateway_connect(f->gateway, &wish, on_answer, f, NULL), E_QUEUE_FULL);
    assert_int_equal(answer_of(f), E_DEVICE_NOT_FOUND);
}

static void a_device_is_kept_as_long_as_its_settings_say_so(void **state)
{
    struct fixture *f = *state;
    struct gateway_links_statistics statistics;
    struct gateway_link link;
    size_t position = 0;

    gateway_reconfigure(f->gateway, parse(CONFIG("", "true")));
    assert_true(gateway_get_link(f->gateway, KEPT, &link));
    assert_string_equal(link.state, "queued");
    assert_int_equal(gateway_links_count(f->gateway), 1);
    assert_true(gateway_next_link(f->gateway, &position, &link));
    assert_int_equal(link.address, KEPT);
    assert_false(gateway_next_link(f->gateway, &position, &link));
    gateway_get_links_statistics(f->gateway, &statistics);
    assert_int_equal(statistics.links, 1);
    assert_int_equal(statistics.requests, 0);
    gateway_reconfigure(f->gateway, parse(CONFIG("", "false")));
    assert_false(gateway_get_link(f->gateway, KEPT, &link));
}

static void proxies_that_are_away_hold_nothing(void **state)
{
    struct fixture *f = *state;
    struct gateway_slot_entry entry;
    struct gateway_proxy_links links;

    gateway_get_proxy_links(f->gateway, 1, &links);
    assert_int_equal(links.ours + links.foreign + links.orphans + links.in_progress, 0);
    assert_int_equal(links.completed + links.failed, 0);
    assert_int_equal(links.last_success, 0);
    assert_false(gateway_get_slot_entry(f->gateway, 1, 0, &entry));
}

static void C18_the_end_answers_who_waits_and_refuses_who_comes(void **state)
{
    struct fixture *f = *state;
    struct gateway_link_request *request;
    struct gateway_wish wish;

    gateway_reconfigure(f->gateway, parse(CONFIG("", "true")));
    (void) connect_to(f, FRIDGE);
    gateway_close(f->gateway, on_closed, f);
    gateway_default_wish(f->gateway, &wish);
    wish.address = FRIDGE;
    assert_int_equal(gateway_connect(f->gateway, &wish, on_answer, f, &request), E_SHUTTING_DOWN);
    while (!f->is_closed)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->answers, 1);
    assert_int_equal(f->answer.code, E_SHUTTING_DOWN);
}

static void a_failed_request_is_told_to_subscribers(void **state)
{
    struct fixture *f = *state;

    (void) connect_to(f, FRIDGE);
    assert_int_equal(answer_of(f), E_NO_ROUTE);
    assert_non_null(strstr(f->told, "56:failed:no_route"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(C01_who_cannot_be_reached_is_told_apart),
            TEST(C06_a_required_proxy_that_is_away_is_named_as_the_cause),
            TEST(a_lease_that_never_was_cannot_be_renewed),
            TEST(C10_a_request_that_was_given_up_calls_nothing),
            TEST(C16_where_there_is_no_link_there_is_nothing_to_close),
            TEST(what_a_request_does_not_say_the_configuration_says),
            TEST(a_device_is_kept_as_long_as_its_settings_say_so),
            TEST(proxies_that_are_away_hold_nothing),
            TEST(C18_the_end_answers_who_waits_and_refuses_who_comes),
            TEST(a_failed_request_is_told_to_subscribers),
    };

    return cmocka_run_group_tests_name("gateway.links", tests, NULL, NULL);
}
