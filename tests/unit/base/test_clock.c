#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

#define DAY INT64_C(86400)

static void assert_as_the_library_says(int64_t seconds, int64_t usec)
{
    char text[CLOCK_TEXT_SIZE], date[32], expected[48];
    time_t t = (time_t) seconds;
    struct tm tm;

    assert_non_null(gmtime_r(&t, &tm));
    assert_true(strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) > 0);
    (void) snprintf(expected, sizeof expected, "%s.%03dZ", date, (int) (usec / 1000));
    clock_format(text, seconds * 1000000 + usec);
    assert_string_equal(text, expected);
}

static void clock_formats_every_day_of_four_centuries(void **state)
{
    (void) state;
    for (int64_t day = -200 * 365; day < 200 * 366; day++) {
        assert_as_the_library_says(day * DAY, 0);
        assert_as_the_library_says(day * DAY + day % DAY + DAY / 2, 999999);
    }
}

static void clock_formats_the_last_microsecond_before_1970(void **state)
{
    char text[CLOCK_TEXT_SIZE];

    (void) state;
    clock_format(text, -1);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(clock_formats_every_day_of_four_centuries),
            cmocka_unit_test(clock_formats_the_last_microsecond_before_1970),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
