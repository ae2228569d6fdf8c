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

static void clock_parses_what_it_formats_on_every_day_of_four_centuries(void **state)
{
    const int64_t day = (int64_t) 24 * 3600 * 1000000;

    (void) state;
    for (int64_t wall = -100 * 365 * day + 123000; wall < 400 * 365 * day; wall += day) {
        char text[CLOCK_TEXT_SIZE];
        int64_t parsed = 0;

        clock_format(text, wall);
        assert_true(clock_parse(text, &parsed));
        assert_true(parsed == wall);
    }
}

static void clock_parses_fractions_of_any_length(void **state)
{
    int64_t wall = 0;

    (void) state;
    assert_true(clock_parse("1970-01-01T00:00:01Z", &wall) && wall == 1000000);
    assert_true(clock_parse("1970-01-01T00:00:01.5Z", &wall) && wall == 1500000);
    assert_true(clock_parse("1970-01-01T00:00:00.123456789012Z", &wall) && wall == 123456);
}

static void clock_parses_zones_and_leap_seconds(void **state)
{
    int64_t wall = 0;

    (void) state;
    assert_true(clock_parse("1970-01-01t00:00:01z", &wall) && wall == 1000000);
    assert_true(clock_parse("1970-01-01T01:30:01+01:30", &wall) && wall == 1000000);
    assert_true(clock_parse("1969-12-31T22:59:59.5-01:00", &wall) && wall == -500000);
    assert_true(clock_parse("1969-12-31T23:59:60Z", &wall) && wall == 0);
}

static void clock_parses_nothing_else(void **state)
{
    static const char *const texts[] = {"",
                                        "2026-11-21",
                                        "2026-11-21T10:05:12",
                                        "2026-11-21T10:05:12+0:00",
                                        "2026-11-21T10:05:12.Z",
                                        "2026-11-21T10:05:12+24:00",
                                        "2026-11-21T10:05:12Zx",
                                        "2026-11-21 10:05:12Z",
                                        "2026-02-29T10:05:12Z",
                                        "2026-00-01T10:05:12Z",
                                        "2026-13-01T10:05:12Z",
                                        "2026-11-31T10:05:12Z",
                                        "2026-11-00T10:05:12Z",
                                        "2026-11-21T24:05:12Z",
                                        "2026-11-21T10:60:12Z",
                                        "2026-11-21T10:05:61Z",
                                        "-026-11-21T10:05:12Z"};
    int64_t wall = 7;

    (void) state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (clock_parse(texts[i], &wall))
            fail_msg("%s", texts[i]);
    }
    assert_true(wall == 7);
}

static void clock_knows_the_later_and_the_earlier_of_two_moments(void **state)
{
    (void) state;
    assert_true(clock_later(1, 2) == 2 && clock_later(2, 1) == 2);
    assert_true(clock_earlier(1, 2) == 1 && clock_earlier(2, 1) == 1);
    assert_true(clock_later(0, USEC_NEVER) == USEC_NEVER);
}

static void clock_counts_no_time_since_a_moment_to_come(void **state)
{
    (void) state;
    assert_true(clock_since(10, 13) == 3);
    assert_true(clock_since(13, 13) == 0);
    assert_true(clock_since(14, 13) == 0);
}

static void clock_never_runs_over(void **state)
{
    (void) state;
    assert_true(clock_after(10, 3) == 13);
    assert_true(clock_after(10, USEC_NEVER - 11) == USEC_NEVER - 1);
    assert_true(clock_after(10, USEC_NEVER - 10) == USEC_NEVER);
    assert_true(clock_after(10, USEC_NEVER) == USEC_NEVER);
    assert_true(clock_after(USEC_NEVER, 1) == USEC_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(clock_formats_every_day_of_four_centuries),
            cmocka_unit_test(clock_parses_what_it_formats_on_every_day_of_four_centuries),
            cmocka_unit_test(clock_parses_fractions_of_any_length),
            cmocka_unit_test(clock_parses_zones_and_leap_seconds),
            cmocka_unit_test(clock_parses_nothing_else),
            cmocka_unit_test(clock_formats_the_last_microsecond_before_1970),
            cmocka_unit_test(clock_knows_the_later_and_the_earlier_of_two_moments),
            cmocka_unit_test(clock_counts_no_time_since_a_moment_to_come),
            cmocka_unit_test(clock_never_runs_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
