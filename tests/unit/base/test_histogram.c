#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"

static const usec_t bounds[] = {10, 100, 1000};

static void span_is_counted_under_the_first_bound_that_holds_it(void **state)
{
    static const usec_t spans[] = {0, 10, 11, 100, 999, 1000, 1001};
    struct histogram h;

    (void) state;
    histogram_init(&h, bounds, 3);
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
        histogram_add(&h, spans[i]);
    assert_int_equal(h.counts[0], 2);
    assert_int_equal(h.counts[1], 2);
    assert_int_equal(h.counts[2], 2);
    assert_int_equal(h.counts[3], 1);
}

static void count_sum_and_the_longest_are_kept(void **state)
{
    struct histogram h;

    (void) state;
    histogram_init(&h, bounds, 3);
    histogram_add(&h, 50);
    histogram_add(&h, 5000);
    histogram_add(&h, 7);
    assert_int_equal(h.count, 3);
    assert_int_equal(h.sum, 5057);
    assert_int_equal(h.longest, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(span_is_counted_under_the_first_bound_that_holds_it),
            cmocka_unit_test(count_sum_and_the_longest_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
