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

#define ADDRESS 0xa4c13812ab56

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
};

struct waiting {
    struct rest_request request;
    unsigned done; /* calls */
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"limits\":{\"http_connections\":16}}");
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
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
    ((struct waiting *) request->user)->done++;
}

static int ask(struct fixture *f, struct waiting *waiting, const char *target)
{
    *waiting = (struct waiting){.request = {.method = "GET",
                                            .target = target,
                                            .role = REST_ROLE_READ,
                                            .done = on_done,
                                            .user = waiting}};
    return rest_submit(f->rest, &waiting->request);
}

static size_t count_items(struct waiting *waiting)
{
    json_t *page =
            json_loadb(waiting->request.answer.body, waiting->request.answer.body_size, 0, NULL);
    size_t count;

    assert_non_null(page);
    assert_int_equal(waiting->request.answer.status, 200);
    count = json_array_size(json_object_get(page, "items"));
    json_decref(page);
    answer_done(&waiting->request.answer);
    return count;
}

static void list_with_a_match_is_answered_at_once(void **state)
{
    struct fixture *f = *state;
    struct waiting waiting;

    fake_gateway_add(f->gateway, ADDRESS);
    assert_int_equal(ask(f, &waiting, "/api/v1/devices?wait_ms=1000"), REST_ANSWERED);
    assert_int_equal(count_items(&waiting), 1);
}

static void list_without_a_match_and_without_time_is_answered_at_once(void **state)
{
    struct waiting waiting;

    assert_int_equal(ask(*state, &waiting, "/api/v1/devices?wait_ms=0"), REST_ANSWERED);
    assert_int_equal(count_items(&waiting), 0);
}

static void waiting_ends_with_the_first_match_in_the_turn_after_it(void **state)
{
    struct fixture *f = *state;
    struct waiting waiting;
    struct fake_device *d;

    assert_int_equal(ask(f, &waiting, "/api/v1/devices?wait_ms=1000&manufacturer_id=76"), 0);
    d = fake_gateway_add(f->gateway, 1);
    fake_gateway_change(f->gateway, GATEWAY_DEVICE_FIRST_SEEN, d);
    fake_gateway_turn(f->gateway);
    assert_int_equal(waiting.done, 0);
    d = fake_gateway_add(f->gateway, ADDRESS);
    fake_gateway_hear(f->gateway, d, "kitchen", (const uint8_t *) "\x05\xff\x4c\x00\x10\x05", 6);
    fake_gateway_change(f->gateway, GATEWAY_DEVICE_FIRST_SEEN, d);
    assert_int_equal(waiting.done, 0);
    fake_gateway_turn(f->gateway);
    assert_int_equal(waiting.done, 1);
    assert_int_equal(count_items(&waiting), 1);
}

static void waiting_ends_with_an_empty_list_at_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct waiting waiting;

    assert_int_equal(ask(f, &waiting, "/api/v1/devices?wait_ms=1000"), 0);
    fake_gateway_advance(f->gateway, 999 * USEC_PER_MSEC);
    assert_int_equal(waiting.done, 0);
    fake_gateway_advance(f->gateway, USEC_PER_MSEC);
    assert_int_equal(waiting.done, 1);
    assert_int_equal(count_items(&waiting), 0);
}

static void waiting_goes_on_when_the_match_is_gone_again(void **state)
{
    struct fixture *f = *state;
    struct waiting waiting;

    assert_int_equal(ask(f, &waiting, "/api/v1/devices?wait_ms=1000"), 0);
    fake_gateway_change(f->gateway, GATEWAY_DEVICE_FIRST_SEEN,
                        fake_gateway_add(f->gateway, ADDRESS));
    fake_gateway_remove(f->gateway, ADDRESS);
    fake_gateway_turn(f->gateway);
    assert_int_equal(waiting.done, 0);
    fake_gateway_change(f->gateway, GATEWAY_DEVICE_FIRST_SEEN,
                        fake_gateway_add(f->gateway, ADDRESS));
    fake_gateway_turn(f->gateway);
    assert_int_equal(waiting.done, 1);
    assert_int_equal(count_items(&waiting), 1);
}

static void a_device_that_is_forgotten_is_no_match(void **state)
{
    struct fixture *f = *state;
    struct waiting waiting;
    struct fake_device *d;

    assert_int_equal(ask(f, &waiting, "/api/v1/devices?wait_ms=1000&available=false"), 0);
    d = fake_gateway_add(f->gateway, ADDRESS);
    d->facts.is_available = false;
    fake_gateway_change(f->gateway, GATEWAY_DEVICE_FORGOTTEN, d);
    fake_gateway_turn(f->gateway);
    assert_int_equal(waiting.done, 0);
    rest_cancel(f->rest, &waiting.request, E_CANCELLED);
    answer_done(&waiting.request.answer);
}

static void waiting_sees_loudness_that_no_change_tells_of(void **state)
{
    struct fixture *f = *state;
    struct waiting waiting;
    struct fake_device *d = fake_gateway_add(f->gateway, ADDRESS);

    assert_int_equal(ask(f, &waiting, "/api/v1/devices?wait_ms=1000&rssi_min=-50"), 0);
    d->facts.rssi_smoothed = -45;
    for (int i = 0; i < 4 && waiting.done == 0; i++)
        fake_gateway_advance(f->gateway, 150 * USEC_PER_MSEC);
    assert_int_equal(waiting.done, 1);
    assert_int_equal(count_items(&waiting), 1);
}

static void all_who_wait_for_one_device_get_it(void **state)
{
    struct fixture *f = *state;
    struct waiting waiting[5];

    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
        assert_int_equal(ask(f, &waiting[i], "/api/v1/devices?wait_ms=1000"), 0);
    fake_gateway_change(f->gateway, GATEWAY_DEVICE_FIRST_SEEN,
                        fake_gateway_add(f->gateway, ADDRESS));
    fake_gateway_turn(f->gateway);
    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
        assert_int_equal(waiting[i].done, 1);
        assert_int_equal(count_items(&waiting[i]), 1);
    }
}

static void too_many_who_wait_are_refused(void **state)
{
    struct fixture *f = *state;
    struct waiting waiting[9]; /* half of 16 connections may wait */

    for (size_t i = 0; i < 8; i++)
        assert_int_equal(ask(f, &waiting[i], "/api/v1/devices?wait_ms=1000"), 0);
    assert_int_equal(ask(f, &waiting[8], "/api/v1/devices?wait_ms=1000"), REST_ANSWERED);
    assert_int_equal(waiting[8].request.answer.status, 503);
    assert_non_null(strstr(waiting[8].request.answer.body, "\"overloaded\""));
    answer_done(&waiting[8].request.answer);
    fake_gateway_advance(f->gateway, USEC_PER_SEC);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(count_items(&waiting[i]), 0);
    assert_int_equal(ask(f, &waiting[8], "/api/v1/devices?wait_ms=1000"), 0);
    rest_cancel(f->rest, &waiting[8].request, E_CANCELLED);
    answer_done(&waiting[8].request.answer);
}

static void cancelled_request_is_done_once_with_503(void **state)
{
    struct fixture *f = *state;
    struct waiting waiting;

    assert_int_equal(ask(f, &waiting, "/api/v1/devices?wait_ms=1000"), 0);
    rest_cancel(f->rest, &waiting.request, E_CANCELLED);
    assert_int_equal(waiting.done, 1);
    assert_int_equal(waiting.request.answer.status, 503);
    assert_non_null(strstr(waiting.request.answer.body, "\"cancelled\""));
    answer_done(&waiting.request.answer);
    fake_gateway_advance(f->gateway, 2 * USEC_PER_SEC);
    assert_int_equal(waiting.done, 1);
}

static void stopping_answers_all_who_wait_and_refuses_the_rest(void **state)
{
    struct fixture *f = *state;
    struct waiting waiting[3], late;

    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
        assert_int_equal(ask(f, &waiting[i], "/api/v1/devices?wait_ms=1000&rssi_min=-1"), 0);
    rest_stop(f->rest);
    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
        assert_int_equal(waiting[i].done, 1);
        assert_int_equal(waiting[i].request.answer.status, 503);
        answer_done(&waiting[i].request.answer);
    }
    assert_int_equal(ask(f, &late, "/api/v1/info"), REST_ANSWERED);
    assert_int_equal(late.request.answer.status, 503);
    answer_done(&late.request.answer);
}

/* Whatever happens in whatever order, each request is done exactly once. */
static void each_request_is_done_exactly_once_whatever_happens(void **state)
{
    static const char *const targets[] = {"/api/v1/devices?wait_ms=300",
                                          "/api/v1/devices?wait_ms=700&rssi_min=-50",
                                          "/api/v1/devices?wait_ms=500&available=false"};
    struct fixture *f = *state;
    struct waiting waiting[8];
    bool is_out[8] = {0};

    srand(20261121);
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t) rand() % 8;

        if (rand() % 10 == 0)
            fake_gateway_change(f->gateway, GATEWAY_DEVICE_FIRST_SEEN,
                                fake_gateway_add(f->gateway, ADDRESS));
        else if (rand() % 3 == 0)
            fake_gateway_advance(f->gateway, (usec_t) (rand() % 100) * USEC_PER_MSEC);
        else if (!is_out[i])
            is_out[i] = ask(f, &waiting[i], targets[rand() % 3]) == 0;
        else if (rand() % 5 == 0 && waiting[i].done == 0)
            rest_cancel(f->rest, &waiting[i].request, E_CANCELLED);
        fake_gateway_remove(f->gateway, ADDRESS);
        for (i = 0; i < 8; i++) {
            if (!is_out[i] || waiting[i].done == 0)
                continue;
            assert_int_equal(waiting[i].done, 1);
            answer_done(&waiting[i].request.answer);
            is_out[i] = false;
        }
    }
    rest_stop(f->rest);
    for (size_t i = 0; i < 8; i++) {
        if (is_out[i])
            answer_done(&waiting[i].request.answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(list_with_a_match_is_answered_at_once, setup, teardown),
            cmocka_unit_test_setup_teardown(
                    list_without_a_match_and_without_time_is_answered_at_once, setup, teardown),
            cmocka_unit_test_setup_teardown(waiting_ends_with_the_first_match_in_the_turn_after_it,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(waiting_ends_with_an_empty_list_at_the_deadline, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(waiting_goes_on_when_the_match_is_gone_again, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(a_device_that_is_forgotten_is_no_match, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(waiting_sees_loudness_that_no_change_tells_of, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(all_who_wait_for_one_device_get_it, setup, teardown),
            cmocka_unit_test_setup_teardown(too_many_who_wait_are_refused, setup, teardown),
            cmocka_unit_test_setup_teardown(cancelled_request_is_done_once_with_503, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(stopping_answers_all_who_wait_and_refuses_the_rest,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(each_request_is_done_exactly_once_whatever_happens,
                                            setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
