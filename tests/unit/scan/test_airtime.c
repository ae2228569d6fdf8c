/* The hour that slides: nothing is counted too little, and nothing for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scan/airtime.h"

#define SECONDS(n) ((usec_t) (n) *USEC_PER_SEC)
#define HOUR       SECONDS(3600)
#define START      SECONDS(36000) /* the border of a minute */

static void a_span_counts_for_an_hour_and_at_most_a_minute_longer(void **state)
{
    struct airtime a = {0};

    (void) state;
    assert_int_equal(airtime_used(&a, START), 0);
    airtime_add(&a, START + SECONDS(10), START + SECONDS(30));
    assert_int_equal(airtime_used(&a, START + SECONDS(30)), SECONDS(20));
    assert_int_equal(airtime_used(&a, START + SECONDS(30) + HOUR), SECONDS(20));
    assert_int_equal(airtime_used(&a, START + SECONDS(60) + HOUR), 0);
}

static void a_span_over_the_border_of_a_minute_goes_in_parts(void **state)
{
    struct airtime a = {0};

    (void) state;
    airtime_add(&a, START + SECONDS(50), START + SECONDS(80));
    assert_int_equal(airtime_used(&a, START + SECONDS(80)), SECONDS(30));
    assert_int_equal(airtime_used(&a, START + SECONDS(60) + HOUR), SECONDS(20));
    assert_int_equal(airtime_used(&a, START + SECONDS(120) + HOUR), 0);
}

static void what_is_old_is_gone_when_something_new_comes(void **state)
{
    struct airtime a = {0};

    (void) state;
    airtime_add(&a, START, START + SECONDS(40));
    airtime_add(&a, START + SECONDS(40), START + SECONDS(50));
    airtime_add(&a, START + 3 * HOUR, START + 3 * HOUR + SECONDS(5)); /* 61 minutes were passed */
    assert_int_equal(airtime_used(&a, START + 3 * HOUR + SECONDS(5)), SECONDS(5));
    airtime_add(&a, START + 4 * HOUR + SECONDS(60), START + 4 * HOUR + SECONDS(67));
    assert_int_equal(airtime_used(&a, START + 4 * HOUR + SECONDS(70)), SECONDS(7));
}

static void a_span_longer_than_an_hour_counts_its_last_61_minutes(void **state)
{
    struct airtime a = {0};

    (void) state;
    airtime_add(&a, START, START + 5 * HOUR);
    assert_int_equal(airtime_used(&a, START + 5 * HOUR), HOUR);
    airtime_add(&a, START + 5 * HOUR, START + 5 * HOUR); /* nothing */
    assert_int_equal(airtime_used(&a, START + 5 * HOUR), HOUR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_span_counts_for_an_hour_and_at_most_a_minute_longer),
            cmocka_unit_test(a_span_over_the_border_of_a_minute_goes_in_parts),
            cmocka_unit_test(what_is_old_is_gone_when_something_new_comes),
            cmocka_unit_test(a_span_longer_than_an_hour_counts_its_last_61_minutes),
    };

    return cmocka_run_group_tests_name("airtime", tests, NULL, NULL);
}
