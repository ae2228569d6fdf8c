#include "scan/rescue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define AT(seconds) ((usec_t) ((1000 + (seconds)) * (double) USEC_PER_SEC))
#define INTERVAL    (20 * USEC_PER_SEC)
#define HEARD       AT(-30)

static void rescue_needs_a_window_and_an_interval(void **state)
{
    struct rescue r = {0};

    (void) state;
    assert_false(rescue_hands_over(&r, HEARD, INTERVAL, AT(0)));
    rescue_cover(&r, AT(10));
    assert_false(rescue_hands_over(&r, HEARD, INTERVAL, AT(20)));
    assert_true(rescue_hands_over(&r, HEARD, INTERVAL, AT(20) + 1));
}

static void rescue_leaves_5_seconds_for_what_a_window_brought(void **state)
{
    struct rescue r = {0};

    (void) state;
    assert_false(rescue_hands_over(&r, HEARD, INTERVAL, AT(0)));
    rescue_cover(&r, AT(18));
    assert_false(rescue_hands_over(&r, HEARD, INTERVAL, AT(23)));
    assert_true(rescue_hands_over(&r, HEARD, INTERVAL, AT(23) + 1));
}

static void rescue_counts_a_window_that_ended_shortly_before(void **state)
{
    struct rescue r = {0};

    (void) state;
    rescue_cover(&r, AT(-5));
    assert_false(rescue_hands_over(&r, HEARD, INTERVAL, AT(0)));
    assert_true(rescue_hands_over(&r, HEARD, INTERVAL, AT(21)));
    r = (struct rescue){0};
    rescue_cover(&r, AT(-5) - 1);
    assert_false(rescue_hands_over(&r, HEARD, INTERVAL, AT(0)));
    assert_false(rescue_hands_over(&r, HEARD, INTERVAL, AT(21)));
}

static void rescue_asks_again_after_30_seconds_without_a_window(void **state)
{
    struct rescue r = {0};

    (void) state;
    assert_false(rescue_take_question(&r));
    (void) rescue_hands_over(&r, HEARD, INTERVAL, AT(0));
    assert_true(rescue_take_question(&r));
    assert_false(rescue_take_question(&r));
    (void) rescue_hands_over(&r, HEARD, INTERVAL, AT(30));
    assert_false(rescue_take_question(&r));
    (void) rescue_hands_over(&r, HEARD, INTERVAL, AT(31));
    assert_true(rescue_take_question(&r));
    rescue_cover(&r, AT(40)); /* the episode began anew: an interval from there */
    assert_false(rescue_hands_over(&r, HEARD, INTERVAL, AT(51)));
    assert_true(rescue_hands_over(&r, HEARD, INTERVAL, AT(52)));
    assert_false(rescue_take_question(&r));
}

static void rescue_begins_anew_when_the_owner_was_heard(void **state)
{
    struct rescue r = {0};

    (void) state;
    (void) rescue_hands_over(&r, HEARD, INTERVAL, AT(0));
    rescue_cover(&r, AT(1));
    assert_false(rescue_hands_over(&r, AT(2), INTERVAL, AT(40)));
    assert_false(rescue_hands_over(&r, AT(2), INTERVAL, AT(61)));
    assert_true(rescue_take_question(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(rescue_needs_a_window_and_an_interval),
            cmocka_unit_test(rescue_leaves_5_seconds_for_what_a_window_brought),
            cmocka_unit_test(rescue_counts_a_window_that_ended_shortly_before),
            cmocka_unit_test(rescue_asks_again_after_30_seconds_without_a_window),
            cmocka_unit_test(rescue_begins_anew_when_the_owner_was_heard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
