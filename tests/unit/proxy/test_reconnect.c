#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "proxy/reconnect.h"

static usec_t fail_once(struct reconnect *r)
{
    return reconnect_delay(r, E_REFUSED, 0, false, 0);
}

static void X03_reconnect_waits_grow_by_1_8_up_to_a_minute(void **state)
{
    static const unsigned seconds[] = {2, 3, 6, 10, 19, 34, 60, 60, 60, 60, 60, 60};
    struct reconnect r = {0};

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(seconds); i++)
        assert_int_equal(fail_once(&r), seconds[i] * USEC_PER_SEC);
}

static void X03_ten_thousand_failures_wait_no_longer_than_ten(void **state)
{
    struct reconnect r = {.tries = 10000};

    (void) state;
    assert_int_equal(fail_once(&r), 60 * USEC_PER_SEC);
}

static void X03_success_starts_the_waits_anew(void **state)
{
    struct reconnect r = {0};

    (void) state;
    (void) fail_once(&r);
    (void) fail_once(&r);
    reconnect_succeeded(&r);
    assert_int_equal(fail_once(&r), 2 * USEC_PER_SEC);
}

static void a_node_with_deep_sleep_is_never_waited_for_longer_than_15_s(void **state)
{
    struct reconnect r = {.tries = 8};

    (void) state;
    assert_int_equal(reconnect_delay(&r, E_TIMEOUT, 0, true, 0), 15 * USEC_PER_SEC);
    r.tries = 3; /* 1.8^4 s is below */
    assert_int_equal(reconnect_delay(&r, E_TIMEOUT, 0, true, 0), 10 * USEC_PER_SEC);
    assert_int_equal(reconnect_delay(&r, E_TIMEOUT, 0, true, 0), 15 * USEC_PER_SEC);
}

static void a_fault_of_configuration_waits_a_minute_from_the_first_try(void **state)
{
    static const int causes[] = {E_KEY_REQUIRED,   E_KEY_NOT_EXPECTED, E_WRONG_KEY,
                                 E_WRONG_PASSWORD, E_WRONG_DEVICE,     E_NOT_A_PROXY};

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
        struct reconnect r = {0};

        assert_true(reconnect_is_hopeless(causes[i]));
        assert_int_equal(reconnect_delay(&r, causes[i], 0, false, 0), 60 * USEC_PER_SEC);
    }
    assert_false(reconnect_is_hopeless(E_REFUSED));
    assert_false(reconnect_is_hopeless(E_PROTOCOL));
}

static void
a_fault_of_configuration_waits_a_minute_whatever_was_before_and_on_a_sleeper_too(void **state)
{
    struct reconnect r = {0};

    (void) state;
    assert_int_equal(reconnect_delay(&r, E_WRONG_KEY, 3600 * USEC_PER_SEC, false, 0.5),
                     60500 * USEC_PER_MSEC);
    assert_int_equal(reconnect_delay(&r, E_WRONG_KEY, 0, true, 0), 60 * USEC_PER_SEC);
}

static void after_a_fault_of_configuration_the_waits_stay_the_longest(void **state)
{
    struct reconnect r = {0};

    (void) state;
    (void) reconnect_delay(&r, E_WRONG_KEY, 0, false, 0);
    assert_int_equal(fail_once(&r), 60 * USEC_PER_SEC);
    assert_int_equal(fail_once(&r), 60 * USEC_PER_SEC);
}

static void after_a_goodbye_the_proxy_is_left_alone_for_5_s(void **state)
{
    struct reconnect r = {0};

    (void) state;
    assert_int_equal(reconnect_delay(&r, E_DISCONNECTED, USEC_PER_SEC, false, 0), 5 * USEC_PER_SEC);
    assert_int_equal(r.tries, 0);
    assert_int_equal(reconnect_delay(&r, E_DISCONNECTED, USEC_PER_SEC, false, 0.5),
                     5500 * USEC_PER_MSEC);
}

static void a_goodbye_before_the_conversation_was_ready_is_a_failed_attempt(void **state)
{
    struct reconnect r = {0};

    (void) state;
    assert_int_equal(reconnect_delay(&r, E_DISCONNECTED, 0, false, 0), 2 * USEC_PER_SEC);
    assert_int_equal(r.tries, 1);
}

static void a_broken_conversation_is_resumed_at_once(void **state)
{
    struct reconnect r = {0};

    (void) state;
    assert_int_equal(reconnect_delay(&r, E_CLOSED, 3600 * USEC_PER_SEC, false, 0.5), 0);
    assert_int_equal(reconnect_delay(&r, E_PING_TIMEOUT, RECONNECT_STABLE_AFTER, false, 0.5), 0);
}

static void a_proxy_that_hangs_up_right_after_the_greeting_is_backed_off_from(void **state)
{
    struct reconnect r = {0};

    (void) state;
    assert_int_equal(reconnect_delay(&r, E_CLOSED, RECONNECT_STABLE_AFTER - 1, false, 0),
                     2 * USEC_PER_SEC);
}

static void jitter_adds_at_most_a_second(void **state)
{
    struct reconnect r = {0};

    (void) state;
    assert_int_equal(reconnect_delay(&r, E_REFUSED, 0, false, 1.0), 3 * USEC_PER_SEC);
    r = (struct reconnect){0};
    assert_int_equal(reconnect_delay(&r, E_REFUSED, 0, false, 0.25), 2250 * USEC_PER_MSEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(X03_reconnect_waits_grow_by_1_8_up_to_a_minute),
            cmocka_unit_test(X03_ten_thousand_failures_wait_no_longer_than_ten),
            cmocka_unit_test(X03_success_starts_the_waits_anew),
            cmocka_unit_test(a_node_with_deep_sleep_is_never_waited_for_longer_than_15_s),
            cmocka_unit_test(a_fault_of_configuration_waits_a_minute_from_the_first_try),
            cmocka_unit_test(
                    a_fault_of_configuration_waits_a_minute_whatever_was_before_and_on_a_sleeper_too),
            cmocka_unit_test(after_a_fault_of_configuration_the_waits_stay_the_longest),
            cmocka_unit_test(after_a_goodbye_the_proxy_is_left_alone_for_5_s),
            cmocka_unit_test(a_goodbye_before_the_conversation_was_ready_is_a_failed_attempt),
            cmocka_unit_test(a_broken_conversation_is_resumed_at_once),
            cmocka_unit_test(a_proxy_that_hangs_up_right_after_the_greeting_is_backed_off_from),
            cmocka_unit_test(jitter_adds_at_most_a_second),
    };

    return cmocka_run_group_tests_name("proxy.reconnect", tests, NULL, NULL);
}
