#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "proxy/subscription.h"

#define START (1000 * USEC_PER_SEC)

static void S15_it_is_asked_for_again_after_10_30_60_and_60_s(void **state)
{
    static const unsigned waits[] = {10, 30, 60, 60, 60};
    struct subscription s = {0};
    usec_t now = START;

    (void) state;
    subscription_start(&s, true, now);
    for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
        usec_t due = now + waits[i] * USEC_PER_SEC;

        assert_int_equal(subscription_deadline(&s), due);
        assert_false(subscription_tick(&s, due - 1));
        assert_true(subscription_tick(&s, due));
        now = due;
    }
}

static void after_an_hour_of_sleep_it_is_asked_for_once(void **state)
{
    usec_t awake = START + 3600 * USEC_PER_SEC;
    struct subscription s = {0};

    (void) state;
    subscription_start(&s, true, START);
    assert_true(subscription_tick(&s, awake));
    assert_false(subscription_tick(&s, awake));
    assert_int_equal(subscription_deadline(&s), awake + 30 * USEC_PER_SEC);
}

static void it_counts_as_refused_once_the_first_wait_went_by(void **state)
{
    struct subscription s = {0};

    (void) state;
    subscription_start(&s, true, START);
    assert_int_equal(s.state, SUBSCRIPTION_ASKED);
    assert_true(subscription_tick(&s, START + 10 * USEC_PER_SEC));
    assert_int_equal(s.state, SUBSCRIPTION_REFUSED);
}

static void a_proof_ends_the_asking_even_after_a_refusal(void **state)
{
    struct subscription s = {0};

    (void) state;
    subscription_start(&s, true, START);
    (void) subscription_tick(&s, START + 10 * USEC_PER_SEC);
    assert_true(subscription_prove(&s));
    assert_false(subscription_prove(&s));
    assert_int_equal(subscription_deadline(&s), USEC_NEVER);
    assert_false(subscription_tick(&s, START + 3600 * USEC_PER_SEC));
}

static void a_proxy_that_cannot_prove_it_is_believed(void **state)
{
    struct subscription s = {0};

    (void) state;
    subscription_start(&s, false, START);
    assert_int_equal(s.state, SUBSCRIPTION_HELD);
    assert_int_equal(subscription_deadline(&s), USEC_NEVER);
}

static void nothing_is_due_before_it_is_asked_for(void **state)
{
    struct subscription s = {0};

    (void) state;
    assert_int_equal(subscription_deadline(&s), USEC_NEVER);
    assert_false(subscription_tick(&s, START));
    assert_false(subscription_prove(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(after_an_hour_of_sleep_it_is_asked_for_once),
            cmocka_unit_test(S15_it_is_asked_for_again_after_10_30_60_and_60_s),
            cmocka_unit_test(it_counts_as_refused_once_the_first_wait_went_by),
            cmocka_unit_test(a_proof_ends_the_asking_even_after_a_refusal),
            cmocka_unit_test(a_proxy_that_cannot_prove_it_is_believed),
            cmocka_unit_test(nothing_is_due_before_it_is_asked_for),
    };

    return cmocka_run_group_tests_name("proxy.subscription", tests, NULL, NULL);
}
