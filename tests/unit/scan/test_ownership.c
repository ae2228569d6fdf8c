#include "scan/ownership.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW (5000 * USEC_PER_SEC)

static const struct ownership_rule rule = {
        .margin_db = 16,
        .gone_after = 900 * USEC_PER_SEC,
        .quiet_after = 90 * USEC_PER_SEC,
};

static struct ownership_claim fresh(double rssi)
{
    return (struct ownership_claim){
            .rssi = rssi,
            .last_seen = NOW,
            .last_heard = NOW,
            .is_online = true,
    };
}

static void O01_challenger_needs_strictly_more_than_the_margin(void **state)
{
    const struct ownership_claim owner = fresh(-70), equal = fresh(-54), louder = fresh(-53.9);
    enum owner_why why = OWNER_GONE;

    (void) state;
    assert_false(ownership_moves(&rule, &owner, &equal, true, NOW, &why));
    assert_int_equal(why, OWNER_GONE);
    assert_true(ownership_moves(&rule, &owner, &louder, true, NOW, &why));
    assert_int_equal(why, OWNER_STRONGER);
}

static void O02_one_spike_of_30_db_does_not_switch(void **state)
{
    const struct ownership_claim owner = fresh(-70);
    struct ownership_claim challenger = fresh(ownership_smooth(-70, -40, 0.3));
    enum owner_why why;

    (void) state;
    assert_false(ownership_moves(&rule, &owner, &challenger, true, NOW, &why));
}

static void O07_owner_offline_or_quiet_loses_to_any_challenger(void **state)
{
    const struct ownership_claim faint = fresh(-100);
    struct ownership_claim owner = fresh(-40);
    enum owner_why why;

    (void) state;
    owner.last_heard = NOW - rule.quiet_after;
    assert_false(ownership_moves(&rule, &owner, &faint, true, NOW, &why));
    owner.last_heard--;
    assert_true(ownership_moves(&rule, &owner, &faint, true, NOW, &why));
    assert_int_equal(why, OWNER_PROXY_QUIET);
    owner = fresh(-40);
    owner.is_online = false;
    assert_true(ownership_moves(&rule, &owner, &faint, true, NOW, &why));
    assert_int_equal(why, OWNER_PROXY_OFFLINE);
}

static void ownership_moves_when_the_owner_has_not_heard_the_device_for_long(void **state)
{
    const struct ownership_claim faint = fresh(-100);
    struct ownership_claim owner = fresh(-40);
    enum owner_why why;

    (void) state;
    owner.last_seen = NOW - rule.gone_after;
    assert_false(ownership_moves(&rule, &owner, &faint, true, NOW, &why));
    owner.last_seen--;
    assert_true(ownership_moves(&rule, &owner, &faint, true, NOW, &why));
    assert_int_equal(why, OWNER_GONE);
}

static void A14_packet_without_rssi_moves_nothing_but_finds_a_first_owner(void **state)
{
    const struct ownership_claim challenger = fresh(-30);
    struct ownership_claim owner = fresh(-90);
    enum owner_why why;

    (void) state;
    owner.is_online = false;
    assert_false(ownership_moves(&rule, &owner, &challenger, false, NOW, &why));
    assert_true(ownership_moves(&rule, NULL, &challenger, false, NOW, &why));
    assert_int_equal(why, OWNER_FIRST);
}

static void ownership_takes_an_owner_of_unknown_rssi_for_very_faint(void **state)
{
    const struct ownership_claim owner = fresh((double) NAN), faint = fresh(-111),
                                 louder = fresh(-110);
    enum owner_why why;

    (void) state;
    assert_false(ownership_moves(&rule, &owner, &faint, true, NOW, &why));
    assert_true(ownership_moves(&rule, &owner, &louder, true, NOW, &why));
}

static void A14_smoothing_starts_with_the_first_value_and_skips_missing_ones(void **state)
{
    double smoothed = ownership_smooth((double) NAN, 0, 0.3);

    (void) state;
    assert_true(isnan(smoothed));
    smoothed = ownership_smooth(smoothed, -60, 0.3);
    assert_true(smoothed == -60);
    assert_true(ownership_smooth(smoothed, 0, 0.3) == -60);
    assert_true(fabs(ownership_smooth(smoothed, -70, 0.3) - -63) < 1e-9);
}

static void owner_why_has_a_token_for_each_reason(void **state)
{
    (void) state;
    assert_string_equal(owner_why_name(OWNER_FIRST), "first");
    assert_string_equal(owner_why_name(OWNER_STRONGER), "stronger");
    assert_string_equal(owner_why_name(OWNER_GONE), "gone");
    assert_string_equal(owner_why_name(OWNER_PROXY_OFFLINE), "proxy_offline");
    assert_string_equal(owner_why_name(OWNER_PROXY_QUIET), "proxy_quiet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(O01_challenger_needs_strictly_more_than_the_margin),
            cmocka_unit_test(O02_one_spike_of_30_db_does_not_switch),
            cmocka_unit_test(O07_owner_offline_or_quiet_loses_to_any_challenger),
            cmocka_unit_test(ownership_moves_when_the_owner_has_not_heard_the_device_for_long),
            cmocka_unit_test(A14_packet_without_rssi_moves_nothing_but_finds_a_first_owner),
            cmocka_unit_test(ownership_takes_an_owner_of_unknown_rssi_for_very_faint),
            cmocka_unit_test(A14_smoothing_starts_with_the_first_value_and_skips_missing_ones),
            cmocka_unit_test(owner_why_has_a_token_for_each_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
