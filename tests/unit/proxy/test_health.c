#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "proxy/health.h"

#define START      (1000000 * USEC_PER_SEC)
#define SECONDS(n) ((usec_t) (n) *USEC_PER_SEC)
#define MINUTES(n) SECONDS(60 * (n))
#define QUIET      SECONDS(90)

static struct health listening(void)
{
    struct health h = {.quiet_after = QUIET};

    health_start(&h, START);
    return h;
}

/* The next step, which comes at this moment exactly. */
static void assert_step(struct health *h, usec_t at, enum health_action action)
{
    assert_int_equal(health_deadline(h), at);
    assert_int_equal(health_tick(h, at - 1), HEALTH_NOTHING);
    assert_int_equal(health_tick(h, at), action);
}

static void X08_it_is_quiet_after_more_than_90_s_without_advertisement(void **state)
{
    struct health h = listening();
    usec_t heard = START + SECONDS(1000);

    (void) state;
    assert_false(health_heard(&h, heard));
    (void) health_tick(&h, heard + QUIET);
    assert_false(h.is_quiet);
    (void) health_tick(&h, heard + QUIET + 1);
    assert_true(h.is_quiet);
    assert_int_equal(h.silent_since, heard);
    assert_true(health_heard(&h, heard + QUIET + 2));
    assert_false(h.is_quiet);
}

static void X08_one_that_just_came_online_has_90_s_to_hear_something(void **state)
{
    struct health h = {.quiet_after = QUIET};

    (void) state;
    assert_int_equal(health_deadline(&h), USEC_NEVER);
    health_start(&h, START);
    assert_int_equal(health_deadline(&h), START + QUIET + 1);
}

static void X09_the_ladder_subscribes_then_reconnects_ever_more_seldom(void **state)
{
    static const usec_t waits[] = {SECONDS(30), MINUTES(10), MINUTES(20), MINUTES(40),
                                   MINUTES(60), MINUTES(60), MINUTES(60)};
    struct health h = listening();
    usec_t now = START + QUIET + 1;

    (void) state;
    assert_step(&h, now, HEALTH_SUBSCRIBE);
    for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
        now += waits[i];
        assert_step(&h, now, HEALTH_RECONNECT);
        health_stop(&h);
        assert_int_equal(health_deadline(&h), USEC_NEVER);
        health_start(&h, now);
        assert_true(h.is_quiet); /* a reconnection alone does not heal */
    }
}

static void X09_a_room_with_a_packet_now_and_then_is_not_reconnected_more_often(void **state)
{
    struct health h = listening();
    unsigned subscriptions = 0, reconnections = 0;

    (void) state;
    for (usec_t now = START; now < START + MINUTES(24 * 60); now += SECONDS(1)) {
        enum health_action action = health_tick(&h, now);

        subscriptions += action == HEALTH_SUBSCRIBE;
        reconnections += action == HEALTH_RECONNECT;
        if (now % SECONDS(100) == 0)
            (void) health_heard(&h, now);
    }
    assert_int_equal(subscriptions, 1);
    assert_in_range(reconnections, 20, 27);
}

static void X09_after_an_hour_without_silence_the_ladder_begins_anew(void **state)
{
    struct health h = listening();
    usec_t now = START + QUIET + 1;

    (void) state;
    assert_step(&h, now, HEALTH_SUBSCRIBE);
    (void) health_heard(&h, now);
    (void) health_heard(&h, now + HEALTH_FORGET_AFTER - QUIET - 2);
    assert_step(&h, now + HEALTH_FORGET_AFTER - 1, HEALTH_RECONNECT);
    now += HEALTH_FORGET_AFTER;
    (void) health_heard(&h, now);
    now += HEALTH_FORGET_AFTER;
    (void) health_heard(&h, now);
    assert_step(&h, now + QUIET + 1, HEALTH_SUBSCRIBE);
}

static void a_conversation_that_ends_by_itself_is_no_silence(void **state)
{
    struct health h = listening();

    (void) state;
    assert_false(health_excuse(&h, START));
    (void) health_tick(&h, START + QUIET + 1);
    health_stop(&h);
    assert_true(health_excuse(&h, START + MINUTES(3)));
    assert_false(h.is_quiet);
    health_start(&h, START + MINUTES(5));
    assert_int_equal(health_deadline(&h), START + MINUTES(5) + QUIET + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(X08_it_is_quiet_after_more_than_90_s_without_advertisement),
            cmocka_unit_test(X08_one_that_just_came_online_has_90_s_to_hear_something),
            cmocka_unit_test(X09_the_ladder_subscribes_then_reconnects_ever_more_seldom),
            cmocka_unit_test(X09_a_room_with_a_packet_now_and_then_is_not_reconnected_more_often),
            cmocka_unit_test(X09_after_an_hour_without_silence_the_ladder_begins_anew),
            cmocka_unit_test(a_conversation_that_ends_by_itself_is_no_silence),
    };

    return cmocka_run_group_tests_name("proxy.health", tests, NULL, NULL);
}
