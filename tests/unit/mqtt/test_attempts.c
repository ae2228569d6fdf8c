#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mqtt/attempts.h"

static void waits_double_up_to_a_minute(void **state)
{
    struct attempts a = {.wanted = ATTEMPTS_5};
    const usec_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60};

    (void) state;
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
        assert_int_equal(attempts_ended(&a, ATTEMPTS_UNREACHED, 0, 0), seconds[i] * USEC_PER_SEC);
}

static void jitter_spreads_the_waits(void **state)
{
    struct attempts a = {.wanted = ATTEMPTS_5};

    (void) state;
    assert_int_equal(attempts_ended(&a, ATTEMPTS_UNREACHED, 0, 0.5), USEC_PER_SEC * 3 / 2);
}

static void a_long_conversation_begins_anew(void **state)
{
    struct attempts a = {.wanted = ATTEMPTS_5};

    (void) state;
    for (int i = 0; i < 5; i++)
        attempts_ended(&a, ATTEMPTS_UNREACHED, 0, 0);
    assert_int_equal(attempts_ended(&a, ATTEMPTS_LOST, ATTEMPTS_STABLE_AFTER, 0), USEC_PER_SEC);
}

static void a_broker_that_greets_and_hangs_up_is_not_dialled_without_pause(void **state)
{
    struct attempts a = {.wanted = ATTEMPTS_ANY};

    (void) state;
    for (int i = 0; i < 3; i++) {
        attempts_succeeded(&a, ATTEMPTS_5);
        attempts_ended(&a, ATTEMPTS_LOST, USEC_PER_SEC, 0);
    }
    assert_int_equal(attempts_ended(&a, ATTEMPTS_LOST, USEC_PER_SEC, 0), 8 * USEC_PER_SEC);
}

static void auto_falls_back_at_once_and_remembers(void **state)
{
    struct attempts a = {.wanted = ATTEMPTS_ANY};

    (void) state;
    assert_int_equal(attempts_next_version(&a), ATTEMPTS_5);
    assert_int_equal(attempts_ended(&a, ATTEMPTS_BAD_VERSION, 0, 0), 0);
    assert_int_equal(attempts_next_version(&a), ATTEMPTS_3_1_1);
    attempts_succeeded(&a, ATTEMPTS_3_1_1);
    attempts_ended(&a, ATTEMPTS_LOST, 60 * USEC_PER_SEC, 0);
    attempts_ended(&a, ATTEMPTS_HUNG_UP, 0, 0);
    assert_int_equal(attempts_next_version(&a), ATTEMPTS_3_1_1);
}

static void auto_alternates_while_neither_version_succeeds(void **state)
{
    struct attempts a = {.wanted = ATTEMPTS_ANY};

    (void) state;
    assert_int_equal(attempts_ended(&a, ATTEMPTS_HUNG_UP, 0, 0), 0);
    assert_int_equal(attempts_next_version(&a), ATTEMPTS_3_1_1);
    assert_true(attempts_ended(&a, ATTEMPTS_HUNG_UP, 0, 0) > 0);
    assert_int_equal(attempts_next_version(&a), ATTEMPTS_5);
}

static void a_broker_of_version_5_that_hangs_up_once_stays_one(void **state)
{
    struct attempts a = {.wanted = ATTEMPTS_ANY};

    (void) state;
    attempts_succeeded(&a, ATTEMPTS_5);
    assert_true(attempts_ended(&a, ATTEMPTS_HUNG_UP, 0, 0) > 0);
    assert_int_equal(attempts_next_version(&a), ATTEMPTS_5);
    assert_int_equal(attempts_ended(&a, ATTEMPTS_BAD_VERSION, 0, 0), 0);
    assert_int_equal(attempts_next_version(&a), ATTEMPTS_3_1_1);
}

static void a_wanted_version_is_kept(void **state)
{
    struct attempts a = {.wanted = ATTEMPTS_3_1_1};

    (void) state;
    assert_true(attempts_ended(&a, ATTEMPTS_BAD_VERSION, 0, 0) > 0);
    assert_int_equal(attempts_next_version(&a), ATTEMPTS_3_1_1);
}

static void what_waiting_does_not_heal_waits_longest(void **state)
{
    struct attempts a = {.wanted = ATTEMPTS_ANY};

    (void) state;
    assert_int_equal(attempts_ended(&a, ATTEMPTS_HOPELESS, 0, 0), ATTEMPTS_DELAY_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(waits_double_up_to_a_minute),
            cmocka_unit_test(jitter_spreads_the_waits),
            cmocka_unit_test(a_long_conversation_begins_anew),
            cmocka_unit_test(a_broker_that_greets_and_hangs_up_is_not_dialled_without_pause),
            cmocka_unit_test(auto_falls_back_at_once_and_remembers),
            cmocka_unit_test(auto_alternates_while_neither_version_succeeds),
            cmocka_unit_test(a_broker_of_version_5_that_hangs_up_once_stays_one),
            cmocka_unit_test(a_wanted_version_is_kept),
            cmocka_unit_test(what_waiting_does_not_heal_waits_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
