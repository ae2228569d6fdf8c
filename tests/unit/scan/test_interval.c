#include "scan/interval.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS      USEC_PER_MSEC
#define SECONDS USEC_PER_SEC
#define START   (1000 * SECONDS)
#define GRACE   (5 * SECONDS)   /* availability: the last packet, the interval and this */
#define UNKNOWN (900 * SECONDS) /* while there is no interval */

/* A device in the air, and what its listener has learned. */
struct station {
    struct interval interval;
    usec_t now, heard;
    uint32_t random;
};

static struct station make_station(uint32_t seed)
{
    return (struct station){.now = START, .random = seed};
}

static uint32_t draw(struct station *s, uint32_t below)
{
    s->random = s->random * 1664525u + 1013904223u;
    return (uint32_t) ((uint64_t) s->random * below >> 32);
}

static void hear_after(struct station *s, usec_t gap)
{
    s->now += gap;
    s->heard = s->now;
    interval_heard(&s->interval, s->now);
}

static void hear_many(struct station *s, usec_t gap, int count)
{
    for (int i = 0; i < count; i++)
        hear_after(s, gap);
}

static usec_t learned(const struct station *s)
{
    return interval_learned(&s->interval);
}

/* ---- steady devices ---- */

static void V01_interval_is_the_largest_of_the_first_15_gaps(void **state)
{
    struct station s = make_station(1);

    (void) state;
    hear_many(&s, SECONDS, 5);
    hear_after(&s, 3500 * MS);
    hear_many(&s, SECONDS, 9);
    assert_int_equal(learned(&s), 0);
    hear_after(&s, SECONDS);
    assert_int_equal(learned(&s), 3500 * MS);
}

static void V01_another_owner_starts_the_count_anew(void **state)
{
    struct station s = make_station(1);

    (void) state;
    hear_many(&s, SECONDS, 15);
    interval_restart(&s.interval);
    hear_many(&s, SECONDS, 15);
    assert_int_equal(learned(&s), 0);
    hear_after(&s, SECONDS);
    assert_int_equal(learned(&s), SECONDS);
}

static void V01_long_gaps_do_not_put_the_first_interval_off(void **state)
{
    struct station s = make_station(1);

    (void) state;
    hear_after(&s, SECONDS);
    for (int i = 0; i < 15; i++)
        hear_after(&s, i == 0 || i == 6 ? 60 * SECONDS : 50 * MS);
    assert_int_equal(learned(&s), 60 * SECONDS);
}

static void interval_of_a_steady_device_is_its_gap(void **state)
{
    static const usec_t gaps[] = {100 * MS, SECONDS, 10 * SECONDS, 90 * SECONDS, 1800 * SECONDS};

    (void) state;
    for (size_t i = 0; i < sizeof gaps / sizeof gaps[0]; i++) {
        struct station s = make_station(1);

        hear_many(&s, gaps[i], 500);
        assert_in_range(learned(&s), gaps[i], gaps[i] + gaps[i] / 1000);
    }
}

static void random_delay_of_each_packet_adds_little(void **state)
{
    struct station s = make_station(7);

    (void) state;
    for (int i = 0; i < 2000; i++) {
        hear_after(&s, SECONDS + draw(&s, 10000));
        if (i > 15)
            assert_in_range(learned(&s), SECONDS, 1050 * MS);
    }
}

/* ---- change ---- */

static void V02_longer_gap_counts_at_once(void **state)
{
    struct station s = make_station(1);

    (void) state;
    hear_many(&s, SECONDS, 1000);
    hear_after(&s, 10 * SECONDS);
    assert_int_equal(learned(&s), 10 * SECONDS);
    hear_many(&s, 10 * SECONDS, 100);
    assert_in_range(learned(&s), 10 * SECONDS, 10010 * MS);
}

static void V02_interval_comes_down_when_a_device_speeds_up(void **state)
{
    struct station s = make_station(1);

    (void) state;
    hear_many(&s, 10 * SECONDS, 200);
    hear_many(&s, SECONDS, 80);
    assert_in_range(learned(&s), SECONDS, 2 * SECONDS);
    hear_many(&s, SECONDS, 2000);
    assert_in_range(learned(&s), SECONDS, 1050 * MS);
}

static void interval_comes_down_after_a_few_minutes_from_a_minute_to_a_second(void **state)
{
    struct station s = make_station(1);

    (void) state;
    hear_many(&s, 60 * SECONDS, 200);
    hear_many(&s, SECONDS, 150);
    assert_in_range(learned(&s), SECONDS, 2 * SECONDS);
}

static void outage_is_forgotten_after_some_dozens_of_packets(void **state)
{
    static const usec_t gaps[] = {SECONDS, 10 * SECONDS, 90 * SECONDS};

    (void) state;
    for (size_t i = 0; i < sizeof gaps / sizeof gaps[0]; i++) {
        struct station s = make_station(1);

        hear_many(&s, gaps[i], 200);
        hear_after(&s, 600 * SECONDS);
        assert_in_range(learned(&s), 600 * SECONDS, 601 * SECONDS);
        hear_many(&s, gaps[i], 70);
        assert_in_range(learned(&s), gaps[i], 2 * gaps[i] + gaps[i] / 100);
    }
}

static void silence_of_more_than_an_hour_is_no_interval(void **state)
{
    struct station s = make_station(1);

    (void) state;
    hear_many(&s, SECONDS, 100);
    hear_after(&s, INTERVAL_LONGEST + 1);
    assert_int_equal(learned(&s), SECONDS);
    hear_many(&s, SECONDS, 100);
    assert_int_equal(learned(&s), SECONDS);
    hear_after(&s, INTERVAL_LONGEST);
    assert_int_equal(learned(&s), INTERVAL_LONGEST);
}

static void V03_gap_of_a_pause_is_not_learned_and_the_interval_stays(void **state)
{
    struct station s = make_station(1);

    (void) state;
    hear_many(&s, SECONDS, 100);
    for (int i = 0; i < 50; i++) {
        interval_restart(&s.interval);
        hear_after(&s, 25 * SECONDS);
        assert_int_equal(learned(&s), SECONDS);
        hear_many(&s, SECONDS, 8);
        assert_int_equal(learned(&s), SECONDS);
    }
}

static void V03_half_a_block_before_a_pause_is_dropped(void **state)
{
    struct station s = make_station(1);

    (void) state;
    hear_many(&s, SECONDS, 16);
    hear_after(&s, 3 * SECONDS); /* in a block that the pause cuts short */
    interval_restart(&s.interval);
    hear_many(&s, SECONDS, 6);
    assert_int_equal(learned(&s), SECONDS);
}

/* ---- packets of one moment ---- */

static void packets_of_one_message_are_one(void **state)
{
    struct station s = make_station(1);

    (void) state;
    for (int i = 0; i < 15; i++) {
        hear_after(&s, SECONDS);
        hear_after(&s, 0);
        hear_after(&s, INTERVAL_SHORTEST - 1);
    }
    assert_int_equal(learned(&s), 0);
    hear_after(&s, SECONDS);
    assert_int_equal(learned(&s), SECONDS + INTERVAL_SHORTEST);
}

static void packets_that_never_pause_still_have_an_interval(void **state)
{
    struct station s = make_station(1);

    (void) state;
    hear_many(&s, 15 * MS, 100);
    assert_int_equal(learned(&s), 30 * MS);
}

static void time_that_goes_backwards_is_ignored(void **state)
{
    struct station s = make_station(1);

    (void) state;
    hear_many(&s, SECONDS, 16);
    interval_heard(&s.interval, s.now - 500 * SECONDS);
    hear_many(&s, SECONDS, 50);
    assert_int_equal(learned(&s), SECONDS);
}

/* ---- bursts ---- */

static void hear_burst(struct station *s, uint32_t packets)
{
    for (uint32_t i = 1; i < packets; i++)
        hear_after(s, 20 * MS + draw(s, 80000));
}

static void expect_sleep_through_bursts(usec_t sleep, uint32_t least, uint32_t most)
{
    struct station s = make_station(3);

    for (int i = 0; i < 300; i++) {
        hear_after(&s, sleep);
        for (uint32_t n = least + draw(&s, most - least + 1); n > 1; n--) {
            hear_after(&s, 20 * MS + draw(&s, 80000));
            if (i >= 2)
                assert_in_range(learned(&s), sleep, sleep + sleep / 100);
        }
    }
}

static void interval_of_a_device_that_sends_in_bursts_is_its_sleep(void **state)
{
    (void) state;
    expect_sleep_through_bursts(60 * SECONDS, 20, 40);
    expect_sleep_through_bursts(300 * SECONDS, 20, 40);
    expect_sleep_through_bursts(20 * SECONDS, 2, 40);
}

static void bursts_may_be_longer_than_what_is_kept(void **state)
{
    struct station s = make_station(5);

    (void) state;
    hear_burst(&s, 40);
    hear_after(&s, 60 * SECONDS);
    hear_burst(&s, 40);
    hear_after(&s, 60 * SECONDS);
    for (int i = 0; i < 50; i++) {
        hear_burst(&s, 500);
        assert_in_range(learned(&s), 60 * SECONDS, 61 * SECONDS);
        hear_after(&s, 60 * SECONDS);
    }
}

static void missed_burst_is_forgotten(void **state)
{
    struct station s = make_station(5);

    (void) state;
    for (int i = 0; i < 40; i++) {
        hear_after(&s, i == 10 ? 600 * SECONDS : 60 * SECONDS);
        hear_burst(&s, 30);
    }
    assert_in_range(learned(&s), 60 * SECONDS, 121 * SECONDS);
}

/* ---- lost packets ---- */

struct verdict {
    int wrong_at_first; /* times it was taken for gone within the first hour */
    int wrong_later;
    usec_t most; /* the longest interval ever learned */
};

/* A day of a device of which packets are lost at random. */
static struct verdict listen_for_a_day(usec_t gap, uint32_t lost_of_100, uint32_t seed)
{
    struct station s = make_station(seed);
    struct verdict v = {0};

    while (s.now < START + 86400 * SECONDS) {
        usec_t patience = learned(&s) ? learned(&s) + GRACE : UNKNOWN;

        s.now += gap + draw(&s, 10000);
        if (draw(&s, 100) < lost_of_100)
            continue;
        if (s.heard && s.now - s.heard > patience) {
            if (s.now < START + 3600 * SECONDS)
                v.wrong_at_first++;
            else
                v.wrong_later++;
        }
        hear_after(&s, 0);
        if (learned(&s) > v.most)
            v.most = learned(&s);
    }
    return v;
}

/* Over ten devices: how often a day one is wrongly taken for gone, and how late the truth comes. */
static void expect_calm(usec_t gap, uint32_t lost_of_100, int later_in_ten_days, usec_t most)
{
    int wrong_later = 0;

    for (uint32_t seed = 1; seed <= 10; seed++) {
        struct verdict v = listen_for_a_day(gap, lost_of_100, seed);

        assert_in_range(v.wrong_at_first, 0, 4);
        assert_in_range(v.most, 0, most);
        wrong_later += v.wrong_later;
    }
    assert_in_range(wrong_later, 0, later_in_ten_days);
}

static void device_of_a_second_stays_available_though_packets_are_lost(void **state)
{
    (void) state;
    expect_calm(SECONDS, 2, 0, 8 * SECONDS);
    expect_calm(SECONDS, 20, 3, 20 * SECONDS);
    expect_calm(SECONDS, 50, 25, 45 * SECONDS);
}

static void device_of_ten_seconds_stays_available_though_packets_are_lost(void **state)
{
    (void) state;
    expect_calm(10 * SECONDS, 1, 40, 80 * SECONDS);
    expect_calm(10 * SECONDS, 5, 80, 100 * SECONDS);
    expect_calm(10 * SECONDS, 20, 45, 160 * SECONDS);
    expect_calm(10 * SECONDS, 50, 35, 360 * SECONDS);
}

static void interval_is_never_more_than_twice_the_longest_gap(void **state)
{
    struct station s = make_station(11);

    (void) state;
    for (int i = 0; i < 100000; i++) {
        usec_t gap = draw(&s, 1u << draw(&s, 32));

        if (draw(&s, 50) == 0)
            interval_restart(&s.interval);
        hear_after(&s, gap * MS);
        assert_true(learned(&s) <= 2 * (INTERVAL_LONGEST + INTERVAL_LONGEST / 1000));
    }
}

/* ---- after a restart ---- */

static void V02_restored_interval_counts_until_there_is_a_better_one(void **state)
{
    struct station s = make_station(1);

    (void) state;
    interval_restore(&s.interval, 10 * SECONDS);
    assert_int_equal(learned(&s), 10 * SECONDS);
    interval_restart(&s.interval);
    assert_int_equal(learned(&s), 10 * SECONDS);
    hear_many(&s, SECONDS, 80);
    assert_in_range(learned(&s), SECONDS, 2 * SECONDS);
}

static void restored_interval_outlives_the_burst_that_comes_first(void **state)
{
    struct station s = make_station(1);

    (void) state;
    interval_restore(&s.interval, 60 * SECONDS);
    hear_burst(&s, 500);
    assert_in_range(learned(&s), 60 * SECONDS, 61 * SECONDS);
}

static void interval_does_not_grow_from_restart_to_restart(void **state)
{
    struct station s = make_station(1);

    (void) state;
    for (int i = 0; i < 50; i++) {
        interval_restore(&s.interval, learned(&s));
        for (int n = 0; n < 40; n++)
            hear_after(&s, (1 + draw(&s, 3)) * SECONDS);
    }
    assert_in_range(learned(&s), 3 * SECONDS, 10 * SECONDS); /* 6 without restarts */
}

static void nothing_and_too_much_are_restored_as_what_they_are(void **state)
{
    struct interval i = {0};

    (void) state;
    interval_restore(&i, 0);
    assert_int_equal(interval_learned(&i), 0);
    interval_restore(&i, USEC_NEVER);
    assert_int_equal(interval_learned(&i), INTERVAL_LONGEST);
    interval_restore(&i, 1);
    assert_int_equal(interval_learned(&i), MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(V01_interval_is_the_largest_of_the_first_15_gaps),
            cmocka_unit_test(V01_another_owner_starts_the_count_anew),
            cmocka_unit_test(V01_long_gaps_do_not_put_the_first_interval_off),
            cmocka_unit_test(interval_of_a_steady_device_is_its_gap),
            cmocka_unit_test(random_delay_of_each_packet_adds_little),
            cmocka_unit_test(V02_longer_gap_counts_at_once),
            cmocka_unit_test(V02_interval_comes_down_when_a_device_speeds_up),
            cmocka_unit_test(interval_comes_down_after_a_few_minutes_from_a_minute_to_a_second),
            cmocka_unit_test(outage_is_forgotten_after_some_dozens_of_packets),
            cmocka_unit_test(silence_of_more_than_an_hour_is_no_interval),
            cmocka_unit_test(V03_gap_of_a_pause_is_not_learned_and_the_interval_stays),
            cmocka_unit_test(V03_half_a_block_before_a_pause_is_dropped),
            cmocka_unit_test(packets_of_one_message_are_one),
            cmocka_unit_test(packets_that_never_pause_still_have_an_interval),
            cmocka_unit_test(time_that_goes_backwards_is_ignored),
            cmocka_unit_test(interval_of_a_device_that_sends_in_bursts_is_its_sleep),
            cmocka_unit_test(bursts_may_be_longer_than_what_is_kept),
            cmocka_unit_test(missed_burst_is_forgotten),
            cmocka_unit_test(device_of_a_second_stays_available_though_packets_are_lost),
            cmocka_unit_test(device_of_ten_seconds_stays_available_though_packets_are_lost),
            cmocka_unit_test(interval_is_never_more_than_twice_the_longest_gap),
            cmocka_unit_test(V02_restored_interval_counts_until_there_is_a_better_one),
            cmocka_unit_test(restored_interval_outlives_the_burst_that_comes_first),
            cmocka_unit_test(interval_does_not_grow_from_restart_to_restart),
            cmocka_unit_test(nothing_and_too_much_are_restored_as_what_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
