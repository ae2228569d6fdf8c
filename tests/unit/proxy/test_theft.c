/* A proxy that brings messages, falls silent, and is asked again; in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "proxy/theft.h"

#define START       (1000000 * USEC_PER_SEC)
#define SECONDS(n)  ((usec_t) (n) *USEC_PER_SEC)
#define MILLIS(n)   ((usec_t) (n) *USEC_PER_MSEC)
#define MINUTES(n)  SECONDS(60 * (n))
#define AFTER_START (START + SECONDS(60))

/* Messages at this gap until the end; the moment of the last one. */
static usec_t flow(struct theft *t, usec_t from, usec_t gap, usec_t end)
{
    usec_t last = from;

    for (usec_t now = from; now <= end; now += gap) {
        assert_int_equal(theft_tick(t, now), THEFT_NOTHING);
        assert_int_equal(theft_heard(t, now), THEFT_NONE);
        last = now;
    }
    return last;
}

/* A proxy that brought a message every 100 ms for a minute; the moment of the last one. */
static usec_t steady(struct theft *t)
{
    *t = (struct theft){0};
    theft_start(t);
    return flow(t, START, MILLIS(100), AFTER_START);
}

/* It is taken at once and comes back 100 ms after we asked; the moment of that. */
static usec_t retake(struct theft *t)
{
    usec_t now = theft_deadline(t);

    assert_int_equal(theft_tick(t, now), THEFT_SUBSCRIBE);
    theft_owned(t, now + MILLIS(50));
    assert_int_equal(theft_heard(t, now + MILLIS(100)), THEFT_RETAKEN);
    return now + MILLIS(100);
}

static void a_steady_stream_that_ends_is_asked_for_after_10_s_and_once(void **state)
{
    struct theft t;
    usec_t last = steady(&t);

    (void) state;
    assert_int_equal(theft_deadline(&t), last + SECONDS(10));
    assert_int_equal(theft_tick(&t, last + SECONDS(10) - 1), THEFT_NOTHING);
    assert_int_equal(theft_tick(&t, last + SECONDS(10)), THEFT_SUBSCRIBE);
    theft_owned(&t, last + SECONDS(10)); /* a silent room answers that too */
    assert_int_equal(theft_deadline(&t), USEC_NEVER);
}

static void a_proxy_of_few_packets_gets_20_times_their_mean_gap(void **state)
{
    struct theft t = {0};
    usec_t last;

    (void) state;
    theft_start(&t);
    last = flow(&t, START, SECONDS(2), START + MINUTES(5));
    assert_int_equal(theft_deadline(&t), last + SECONDS(40));
}

static void a_lull_three_times_as_long_as_the_last_one_is_usual(void **state)
{
    struct theft t;
    usec_t now = steady(&t);

    (void) state;
    now = flow(&t, now + SECONDS(9), MILLIS(100), now + SECONDS(60));
    assert_int_equal(theft_deadline(&t), now + SECONDS(27));
    now = flow(&t, now + MILLIS(100), MILLIS(100), now + MINUTES(21)); /* it is forgotten */
    assert_int_equal(theft_deadline(&t), now + SECONDS(10));
}

static void nothing_is_unusual_before_enough_was_heard(void **state)
{
    struct theft t = {0};

    (void) state;
    theft_start(&t);
    assert_int_equal(theft_deadline(&t), USEC_NEVER);
    (void) flow(&t, START, MILLIS(100), START + SECONDS(4)); /* many, not long */
    assert_int_equal(theft_deadline(&t), USEC_NEVER);
    t = (struct theft){0};
    theft_start(&t);
    (void) flow(&t, START, SECONDS(1), START + SECONDS(20)); /* long, not many */
    assert_int_equal(theft_deadline(&t), USEC_NEVER);
}

static void a_scanner_state_says_that_it_is_still_ours(void **state)
{
    struct theft t;
    usec_t last = steady(&t);

    (void) state;
    theft_owned(&t, last + SECONDS(7));
    assert_int_equal(theft_deadline(&t), last + SECONDS(17));
}

static void flow_within_5_s_of_asking_is_a_retake(void **state)
{
    struct theft t;
    usec_t asked = steady(&t) + SECONDS(10);

    (void) state;
    assert_int_equal(theft_tick(&t, asked), THEFT_SUBSCRIBE);
    assert_int_equal(theft_heard(&t, asked + SECONDS(5)), THEFT_RETAKEN);
    assert_int_equal(theft_heard(&t, asked + SECONDS(5) + 1), THEFT_NONE);
    assert_int_equal(theft_deadline(&t), asked + SECONDS(15) + 1); /* the gap was not its own */
}

static void flow_later_than_that_was_a_lull_and_is_learned(void **state)
{
    struct theft t;
    usec_t asked = steady(&t) + SECONDS(10), now = asked + SECONDS(5) + 1;

    (void) state;
    assert_int_equal(theft_tick(&t, asked), THEFT_SUBSCRIBE);
    now = flow(&t, now, MILLIS(100), now + SECONDS(60));
    assert_int_equal(theft_deadline(&t), now + 3 * (SECONDS(15) + 1));
}

static void after_two_retakes_within_an_hour_it_gives_up(void **state)
{
    struct theft t;
    usec_t now;

    (void) state;
    (void) steady(&t);
    (void) retake(&t);
    now = retake(&t);
    assert_int_equal(theft_deadline(&t), now + SECONDS(10));
    assert_int_equal(theft_tick(&t, now + SECONDS(10)), THEFT_GIVE_UP);
    assert_true(t.is_lost);
    assert_int_equal(theft_deadline(&t), USEC_NEVER);
    assert_int_equal(theft_tick(&t, now + MINUTES(24 * 60)), THEFT_NOTHING);
}

static void a_retake_of_more_than_an_hour_ago_does_not_count(void **state)
{
    struct theft t, early;
    usec_t first, now;

    (void) state;
    (void) steady(&t);
    first = retake(&t);
    (void) flow(&t, first, MILLIS(100), first + MINUTES(30));
    now = retake(&t);
    now = flow(&t, now, MILLIS(100), first + MINUTES(59));
    early = t;
    assert_int_equal(theft_tick(&early, now + SECONDS(10)), THEFT_GIVE_UP);
    (void) flow(&t, now, MILLIS(100), first + MINUTES(60));
    (void) retake(&t);
    assert_false(t.is_lost);
}

static void what_comes_unasked_after_giving_up_shows_that_it_was_a_lull(void **state)
{
    struct theft t;
    usec_t now;

    (void) state;
    (void) steady(&t);
    (void) retake(&t);
    now = retake(&t);
    assert_int_equal(theft_tick(&t, now + SECONDS(10)), THEFT_GIVE_UP);
    assert_int_equal(theft_heard(&t, now + SECONDS(30)), THEFT_LULL);
    assert_false(t.is_lost);
    assert_int_equal(theft_tick(&t, now + SECONDS(60)), THEFT_NOTHING);    /* 30 s are usual now */
    assert_int_equal(theft_tick(&t, now + SECONDS(120)), THEFT_SUBSCRIBE); /* and it may ask */
}

static void a_scanner_state_after_giving_up_shows_it_as_well(void **state)
{
    struct theft t;
    usec_t now;

    (void) state;
    (void) steady(&t);
    (void) retake(&t);
    now = retake(&t);
    assert_int_equal(theft_owned(&t, now + SECONDS(1)), THEFT_NONE);
    assert_int_equal(theft_tick(&t, now + SECONDS(11)), THEFT_GIVE_UP);
    assert_int_equal(theft_owned(&t, now + SECONDS(200)), THEFT_LULL);
    assert_int_equal(theft_owned(&t, now + SECONDS(201)), THEFT_NONE);
    assert_int_equal(theft_tick(&t, now + SECONDS(211)), THEFT_SUBSCRIBE);
}

static void a_conversation_that_ended_is_not_watched_and_the_next_learns_anew(void **state)
{
    struct theft t;

    (void) state;
    (void) steady(&t);
    theft_stop(&t);
    assert_int_equal(theft_deadline(&t), USEC_NEVER);
    theft_start(&t);
    assert_int_equal(theft_deadline(&t), USEC_NEVER);
    (void) flow(&t, AFTER_START + MINUTES(5), MILLIS(100), AFTER_START + MINUTES(5) + SECONDS(6));
    assert_int_not_equal(theft_deadline(&t), USEC_NEVER);
}

/* Beacons that send 20 messages and rest: whatever their rest, one that is not there is not taken
 * for a thief for long. */
static void bursts_at_a_distance_do_not_look_like_a_thief_for_long(void **state)
{
    (void) state;
    for (unsigned rest = 6; rest < 120; rest++) {
        struct theft t = {0};
        usec_t now = START;
        unsigned given_up = 0;

        theft_start(&t);
        for (unsigned burst = 0; burst < 200; burst++) {
            for (unsigned i = 0; i < 20; i++, now += MILLIS(100))
                (void) theft_heard(&t, now);
            for (usec_t end = now + SECONDS(rest); now < end; now += MILLIS(250))
                given_up += theft_tick(&t, now) == THEFT_GIVE_UP;
        }
        assert_int_equal(given_up, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_steady_stream_that_ends_is_asked_for_after_10_s_and_once),
            cmocka_unit_test(a_proxy_of_few_packets_gets_20_times_their_mean_gap),
            cmocka_unit_test(a_lull_three_times_as_long_as_the_last_one_is_usual),
            cmocka_unit_test(nothing_is_unusual_before_enough_was_heard),
            cmocka_unit_test(a_scanner_state_says_that_it_is_still_ours),
            cmocka_unit_test(flow_within_5_s_of_asking_is_a_retake),
            cmocka_unit_test(flow_later_than_that_was_a_lull_and_is_learned),
            cmocka_unit_test(after_two_retakes_within_an_hour_it_gives_up),
            cmocka_unit_test(a_retake_of_more_than_an_hour_ago_does_not_count),
            cmocka_unit_test(what_comes_unasked_after_giving_up_shows_that_it_was_a_lull),
            cmocka_unit_test(a_scanner_state_after_giving_up_shows_it_as_well),
            cmocka_unit_test(a_conversation_that_ended_is_not_watched_and_the_next_learns_anew),
            cmocka_unit_test(bursts_at_a_distance_do_not_look_like_a_thief_for_long),
    };

    return cmocka_run_group_tests_name("proxy.theft", tests, NULL, NULL);
}
