#include "scan/ownership.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECONDS(n) ((usec_t) ((n) * (double) USEC_PER_SEC))
#define NOW        SECONDS(5000)

static const struct ownership_rule rule = {
        .margin_db = 16,
        .reclaim_db = 6,
        .strong_dbm = -70,
        .roam_factor = 1.5,
        .gone_factor = 2.5,
        .alpha = 0.3F,
        .stale_after = 900 * USEC_PER_SEC,
        .quiet_after = 90 * USEC_PER_SEC,
};

/* A signal of so many equal packets, a gap apart. */
static struct ownership_signal steady(int rssi, int packets, double gap_s)
{
    struct ownership_signal s = {0};

    for (int i = 0; i < packets; i++)
        ownership_hear(&s, (int8_t) rssi, i ? (int8_t) rssi : 0, i ? SECONDS(gap_s) : 0,
                       rule.alpha);
    return s;
}

static struct ownership_claim fresh(const struct ownership_signal *signal)
{
    return (struct ownership_claim){.signal = signal, .is_online = true};
}

/* The token of the reason, or "keep". */
static const char *ask(const struct ownership_claim *owner,
                       const struct ownership_signal *challenger, usec_t interval)
{
    const struct ownership_challenge challenge = {
            .signal = challenger, .has_rssi = true, .interval = interval, .now = NOW};
    enum owner_why why;

    return ownership_moves(&rule, owner, &challenge, &why) ? owner_why_name(why) : "keep";
}

/* ---- louder ---- */

static void O01_challenger_needs_strictly_more_than_the_margin(void **state)
{
    struct ownership_signal owner = steady(-70, 5, 1), challenger = steady(-54, 5, 1);
    const struct ownership_claim claim = fresh(&owner);

    (void) state;
    assert_string_equal(ask(&claim, &challenger, 0), "keep");
    challenger.fast = -53.9F;
    assert_string_equal(ask(&claim, &challenger, 0), "stronger");
}

static void O02_one_spike_of_30_db_does_not_switch(void **state)
{
    struct ownership_signal owner = steady(-60, 5, 1), challenger = steady(-60, 5, 1);
    const struct ownership_claim claim = fresh(&owner);

    (void) state;
    ownership_hear(&challenger, -30, -60, SECONDS(1), rule.alpha);
    assert_true(fabs((double) challenger.fast - -51.0) < 0.01);
    assert_string_equal(ask(&claim, &challenger, 0), "keep");
    ownership_hear(&challenger, -30, -30, SECONDS(1), rule.alpha);
    assert_string_equal(ask(&claim, &challenger, 0), "keep");
    ownership_hear(&challenger, -30, -30, SECONDS(1), rule.alpha);
    assert_true(fabs((double) challenger.fast - -40.29) < 0.01);
    assert_string_equal(ask(&claim, &challenger, 0), "stronger");
}

static void O03_source_that_lost_the_device_needs_22_db_to_have_it_back(void **state)
{
    struct ownership_signal owner = steady(-70, 5, 1), challenger = steady(-48, 5, 1);
    const struct ownership_claim claim = fresh(&owner);

    (void) state;
    assert_string_equal(ask(&claim, &challenger, 0), "stronger");
    challenger.has_lost = true;
    assert_string_equal(ask(&claim, &challenger, 0), "keep");
    challenger.fast = -47.9F;
    assert_string_equal(ask(&claim, &challenger, 0), "stronger");
}

static void challenger_needs_three_packets_or_two_that_are_rare(void **state)
{
    struct ownership_signal owner = steady(-80, 5, 1), challenger;
    const struct ownership_claim claim = fresh(&owner);

    (void) state;
    for (int packets = 1; packets < 5; packets++) {
        challenger = steady(-40, packets, 1);
        assert_string_equal(ask(&claim, &challenger, 0), packets < 3 ? "keep" : "stronger");
        challenger = steady(-40, packets, 30);
        assert_string_equal(ask(&claim, &challenger, 0), packets < 2 ? "keep" : "stronger");
        challenger = steady(-40, packets, 90);
        assert_string_equal(ask(&claim, &challenger, 0), packets < 2 ? "keep" : "stronger");
    }
}

static void lasting_difference_of_more_than_half_the_margin_is_enough(void **state)
{
    struct ownership_signal owner = steady(-70, 60, 1), little = steady(-62, 60, 1),
                            enough = steady(-61, 60, 1), young = steady(-61, 9, 1),
                            dense = steady(-61, 60, 0.1);
    const struct ownership_claim claim = fresh(&owner);

    (void) state;
    assert_string_equal(ask(&claim, &little, 0), "keep");
    assert_string_equal(ask(&claim, &young, 0), "keep");
    assert_string_equal(ask(&claim, &dense, 0), "keep"); /* 6 s */
    assert_string_equal(ask(&claim, &enough, 0), "stronger");
    enough.has_lost = true;
    assert_string_equal(ask(&claim, &enough, 0), "keep");
    enough = steady(-58, 60, 1);
    enough.has_lost = true;
    assert_string_equal(ask(&claim, &enough, 0), "stronger");
}

static void slow_average_is_not_believed_against_the_fast_one(void **state)
{
    struct ownership_signal owner = steady(-70, 60, 1), left_behind = steady(-55, 60, 1);
    const struct ownership_claim claim = fresh(&owner);

    (void) state;
    left_behind.fast = -71;
    assert_string_equal(ask(&claim, &left_behind, 0), "keep");
    left_behind.fast = -69;
    assert_string_equal(ask(&claim, &left_behind, 0), "stronger");
}

static void noise_asks_for_more_than_half_the_margin_of_the_lead(void **state)
{
    struct ownership_signal owner = steady(-70, 12, 1), challenger = steady(-60, 12, 1);
    const struct ownership_claim claim = fresh(&owner);

    (void) state;
    assert_string_equal(ask(&claim, &challenger, 0), "stronger");
    owner.noise = challenger.noise = 9;
    assert_string_equal(ask(&claim, &challenger, 0), "keep");
}

static void ownership_takes_an_owner_of_unknown_rssi_for_very_faint(void **state)
{
    struct ownership_signal owner = {0}, faint = steady(-111, 5, 1), louder = steady(-110, 5, 1);
    const struct ownership_claim claim = fresh(&owner);

    (void) state;
    assert_string_equal(ask(&claim, &faint, 0), "keep");
    assert_string_equal(ask(&claim, &louder, 0), "stronger");
}

static void A14_packet_without_rssi_moves_nothing_but_finds_a_first_owner(void **state)
{
    struct ownership_signal strong = steady(-30, 5, 1), weak = steady(-90, 5, 1);
    const struct ownership_claim offline = {.signal = &weak};
    const struct ownership_challenge challenge = {.signal = &strong, .now = NOW};
    enum owner_why why = OWNER_GONE;

    (void) state;
    assert_false(ownership_moves(&rule, &offline, &challenge, &why));
    assert_int_equal(why, OWNER_GONE);
    assert_true(ownership_moves(&rule, NULL, &challenge, &why));
    assert_int_equal(why, OWNER_FIRST);
}

/* ---- silence ---- */

static void O07_owner_offline_or_quiet_loses_to_any_challenger(void **state)
{
    struct ownership_signal loud = steady(-40, 5, 1), faint = steady(-100, 1, 1);
    struct ownership_claim claim = fresh(&loud);

    (void) state;
    claim.quiet_for = rule.quiet_after;
    assert_string_equal(ask(&claim, &faint, 0), "keep");
    claim.quiet_for++;
    assert_string_equal(ask(&claim, &faint, 0), "proxy_quiet");
    claim = fresh(&loud);
    claim.is_online = false;
    assert_string_equal(ask(&claim, &faint, 0), "proxy_offline");
}

static void O04_owner_silent_for_two_and_a_half_stale_times_is_gone(void **state)
{
    struct ownership_signal loud = steady(-40, 5, 1), faint = steady(-100, 1, 1);
    struct ownership_claim claim = fresh(&loud);

    (void) state;
    claim.silent_for = SECONDS(37.5);
    assert_string_equal(ask(&claim, &faint, SECONDS(10)), "keep");
    claim.silent_for++;
    assert_string_equal(ask(&claim, &faint, SECONDS(10)), "gone");
    claim.silent_for = SECONDS(900);
    assert_string_equal(ask(&claim, &faint, SECONDS(600)), "keep");
    claim.silent_for++;
    assert_string_equal(ask(&claim, &faint, SECONDS(600)), "gone");
}

static void O05_weak_owner_that_missed_an_interval_is_left(void **state)
{
    struct ownership_signal owner = steady(-80, 5, 1), challenger = steady(-96, 1, 1);
    struct ownership_claim claim = fresh(&owner);

    (void) state;
    claim.silent_for = SECONDS(22.5);
    assert_string_equal(ask(&claim, &challenger, SECONDS(10)), "keep");
    claim.silent_for++;
    assert_string_equal(ask(&claim, &challenger, SECONDS(10)), "roam");
    challenger = steady(-97, 1, 1);
    assert_string_equal(ask(&claim, &challenger, SECONDS(10)), "keep");
    challenger = steady(-60, 1, 1);
    owner = steady(-60, 5, 1); /* strong */
    assert_string_equal(ask(&claim, &challenger, SECONDS(10)), "keep");
}

static void O06_unknown_interval_keeps_the_owner_for_900_seconds(void **state)
{
    struct ownership_signal weak = steady(-90, 5, 1), challenger = steady(-80, 5, 1);
    struct ownership_claim claim = fresh(&weak);

    (void) state;
    claim.silent_for = SECONDS(900);
    assert_string_equal(ask(&claim, &challenger, 0), "keep");
    claim.silent_for++;
    assert_string_equal(ask(&claim, &challenger, 0), "gone");
}

/* ---- the signal ---- */

static void A14_smoothing_starts_with_the_first_value_and_skips_missing_ones(void **state)
{
    struct ownership_signal s = {0};

    (void) state;
    ownership_hear(&s, 0, 0, 0, rule.alpha);
    assert_int_equal(s.count, 0);
    ownership_hear(&s, -60, 0, SECONDS(1), rule.alpha);
    assert_true(s.fast == -60);
    ownership_hear(&s, 0, -60, SECONDS(1), rule.alpha);
    assert_true(s.fast == -60 && s.count == 1);
    ownership_hear(&s, -70, 0, SECONDS(1), rule.alpha);
    assert_true(fabs((double) s.fast - -63) < 1e-5);
    assert_true(s.noise == 0); /* what was before the missing one is not known */
}

static void after_a_long_silence_a_packet_counts_more_and_the_former_less(void **state)
{
    const struct ownership_signal before = steady(-60, 50, 1);
    struct ownership_signal s = before;

    (void) state;
    ownership_hear(&s, -80, -60, SECONDS(20), rule.alpha);
    assert_true(fabs((double) s.fast - -66) < 0.01);
    assert_int_equal(s.count, 51);
    s = before;
    ownership_hear(&s, -80, -60, SECONDS(60), rule.alpha); /* three times the longest usual one */
    assert_true(fabs((double) s.fast - -71.25) < 0.01);
    assert_int_equal(s.count, 18);
    s = before;
    ownership_hear(&s, -80, -60, SECONDS(86400), rule.alpha);
    assert_true((double) s.fast < -79.9);
    assert_true((double) s.slow < -79.9);
    assert_int_equal(s.count, 1);
}

static void packets_of_one_moment_are_no_time(void **state)
{
    struct ownership_signal owner = steady(-70, 60, 1), crowd = steady(-70, 20, 1);
    const struct ownership_claim claim = fresh(&owner);

    (void) state;
    for (int i = 0; i < 1000; i++)
        ownership_hear(&crowd, -55, -55, 0, rule.alpha);
    assert_true(crowd.slow == -70);
    assert_string_equal(ask(&claim, &crowd, 0), "keep");
}

static void count_of_packets_stays_at_its_end(void **state)
{
    struct ownership_signal s = steady(-60, 70000, 1);

    (void) state;
    assert_int_equal(s.count, UINT16_MAX);
}

static void owner_why_has_a_token_for_each_reason(void **state)
{
    static const char *const names[OWNER_WHY_COUNT] = {
            "first", "stronger", "roam", "gone", "rescue", "proxy_offline", "proxy_quiet"};

    (void) state;
    for (unsigned why = 0; why < OWNER_WHY_COUNT; why++)
        assert_string_equal(owner_why_name((enum owner_why) why), names[why]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(O01_challenger_needs_strictly_more_than_the_margin),
            cmocka_unit_test(O02_one_spike_of_30_db_does_not_switch),
            cmocka_unit_test(O03_source_that_lost_the_device_needs_22_db_to_have_it_back),
            cmocka_unit_test(challenger_needs_three_packets_or_two_that_are_rare),
            cmocka_unit_test(lasting_difference_of_more_than_half_the_margin_is_enough),
            cmocka_unit_test(slow_average_is_not_believed_against_the_fast_one),
            cmocka_unit_test(noise_asks_for_more_than_half_the_margin_of_the_lead),
            cmocka_unit_test(ownership_takes_an_owner_of_unknown_rssi_for_very_faint),
            cmocka_unit_test(A14_packet_without_rssi_moves_nothing_but_finds_a_first_owner),
            cmocka_unit_test(O07_owner_offline_or_quiet_loses_to_any_challenger),
            cmocka_unit_test(O04_owner_silent_for_two_and_a_half_stale_times_is_gone),
            cmocka_unit_test(O05_weak_owner_that_missed_an_interval_is_left),
            cmocka_unit_test(O06_unknown_interval_keeps_the_owner_for_900_seconds),
            cmocka_unit_test(A14_smoothing_starts_with_the_first_value_and_skips_missing_ones),
            cmocka_unit_test(after_a_long_silence_a_packet_counts_more_and_the_former_less),
            cmocka_unit_test(packets_of_one_moment_are_no_time),
            cmocka_unit_test(count_of_packets_stays_at_its_end),
            cmocka_unit_test(owner_why_has_a_token_for_each_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
