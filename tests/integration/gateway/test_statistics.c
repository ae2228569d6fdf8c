/* The facade's figures, on a real loop with proxies that nobody answers for. Our clock is replaced
 * at link time, so that a loop can be late without anybody waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "base/memory.h"
#include "gateway/gateway.h"

static usec_t ahead; /* of the real clock */

usec_t __real_clock_now(void);
usec_t __wrap_clock_now(void);

usec_t __wrap_clock_now(void)
{
    return __real_clock_now() + ahead;
}

struct fixture {
    uv_loop_t loop;
    struct gateway *gateway;
};

static int set_up(void **state)
{
    /* Port 1 of loopback: nobody listens there. No other thread may ask for the time. */
    static const char text[] =
            "{\"proxies\":[{\"name\":\"a\",\"host\":\"127.0.0.1\",\"port\":1},"
            "{\"name\":\"b\",\"host\":\"127.0.0.1\",\"port\":1,\"enabled\":false}],"
            "\"discovery\":{\"mdns\":false}}";
    struct fixture *f = xnew(struct fixture, 1);
    struct config_faults faults = {0};
    struct config *config;

    assert_int_equal(uv_loop_init(&f->loop), 0);
    config = config_parse(text, sizeof text - 1, (const char *const[]){"core", NULL}, &faults);
    assert_non_null(config);
    config_faults_done(&faults);
    f->gateway = gateway_new(&f->loop, config, NULL, NULL);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    gateway_close(f->gateway, NULL, NULL);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    gateway_free(f->gateway);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

static struct gateway_statistics statistics_of(const struct fixture *f)
{
    struct gateway_statistics s;

    gateway_get_statistics(f->gateway, &s);
    return s;
}

static void D03_the_process_is_measured(void **state)
{
    struct fixture *f = *state;
    struct gateway_statistics s = statistics_of(f);

    assert_true(s.memory_bytes > 100 * 1024);
    assert_true(s.descriptors >= 3); /* of the loop alone */
    assert_true(s.descriptors_max >= s.descriptors);
    ahead += 5 * USEC_PER_SEC;
    assert_true(statistics_of(f).uptime >= s.uptime + 5 * USEC_PER_SEC);
}

static void D03_a_late_loop_is_noticed(void **state)
{
    struct fixture *f = *state;

    ahead += 3 * USEC_PER_SEC; /* as if a callback had taken so long */
    while (statistics_of(f).loop_lag->count == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_true(statistics_of(f).loop_lag->longest >= 2 * USEC_PER_SEC);
    assert_int_equal(statistics_of(f).loop_lag->counts[0], 0);
}

static void D03_failures_are_told_by_their_tokens(void **state)
{
    struct fixture *f = *state;
    struct gateway_proxy_statistics s;
    size_t position = 0;
    const char *cause;
    uint64_t count;

    while (!(cause = gateway_next_proxy_failure(f->gateway, 0, &position, &count))) {
        position = 0;
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_string_equal(cause, "refused");
    assert_int_equal(count, 1);
    assert_null(gateway_next_proxy_failure(f->gateway, 0, &position, &count));
    gateway_get_proxy_statistics(f->gateway, 0, &s);
    assert_int_equal(s.dials, 1);
    assert_int_equal(s.reconnects, 0);
    position = 0;
    assert_null(gateway_next_proxy_failure(f->gateway, 1, &position, &count));
}

static void every_state_and_every_why_has_a_name(void **state)
{
    unsigned states = 0, whys = 0;

    (void) state;
    while (gateway_proxy_state_name(states))
        states++;
    while (gateway_owner_why_name(whys))
        whys++;
    assert_int_equal(states, 10);
    assert_string_equal(gateway_proxy_state_name(0), "disabled");
    assert_string_equal(gateway_proxy_state_name(9), "failed");
    assert_true(whys >= 5 && whys <= GATEWAY_OWNER_WHYS_MAX);
    assert_string_equal(gateway_owner_why_name(0), "first");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(D03_the_process_is_measured, set_up, tear_down),
            cmocka_unit_test_setup_teardown(D03_a_late_loop_is_noticed, set_up, tear_down),
            cmocka_unit_test_setup_teardown(D03_failures_are_told_by_their_tokens, set_up,
                                            tear_down),
            cmocka_unit_test(every_state_and_every_why_has_a_name),
    };

    return cmocka_run_group_tests_name("gateway.statistics", tests, NULL, NULL);
}
