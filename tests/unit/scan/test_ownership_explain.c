/* What ownership_explain() says is held against the rule itself, for thousands of random signals:
 * what it says would suffice does, and a little less does not. */
#include "scan/ownership.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WORLDS 20000
#define LITTLE 0.01F /* dB */

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

static unsigned draw(uint64_t *dice, unsigned below)
{
    *dice = *dice * 6364136223846793005U + 1442695040888963407U;
    return (unsigned) (*dice >> 33) % below;
}

static struct ownership_signal random_signal(uint64_t *dice)
{
    struct ownership_signal s = {.has_lost = draw(dice, 3) == 0};
    unsigned packets = draw(dice, 40), spread = 1 + draw(dice, 9);
    usec_t gap = (1 + draw(dice, 150)) * 100 * USEC_PER_MSEC;
    int level = -95 + (int) draw(dice, 60), previous = 0;

    for (unsigned i = 0; i < packets; i++) {
        int rssi = level + (int) draw(dice, spread);

        ownership_hear(&s, (int8_t) rssi, (int8_t) previous, i ? gap : 0, rule.alpha);
        previous = rssi;
    }
    return s;
}

static struct ownership_signal louder(struct ownership_signal s, double db)
{
    s.fast += (float) db;
    s.middle += (float) db;
    s.slow += (float) db;
    return s;
}

static bool is_enough(const struct ownership_terms *terms)
{
    if (terms->ways[OWNERSHIP_FAST].has_db <= 0 || !terms->ways[OWNERSHIP_FAST].is_open)
        return false;
    for (size_t i = 0; i < OWNERSHIP_WAYS; i++) {
        if (terms->ways[i].is_open && terms->ways[i].has_db > terms->ways[i].needs_db)
            return true;
    }
    return false;
}

static void D02_ways_that_are_open_and_enough_are_what_the_rule_sees(void **state)
{
    uint64_t dice = 1;
    size_t better = 0;

    (void) state;
    for (size_t i = 0; i < WORLDS; i++) {
        struct ownership_signal owner = random_signal(&dice), challenger = random_signal(&dice);
        struct ownership_terms terms;

        ownership_explain(&rule, &owner, &challenger, 0, &terms);
        assert_int_equal(is_enough(&terms), ownership_is_better(&rule, &owner, &challenger));
        assert_int_equal(terms.is_better, is_enough(&terms));
        better += terms.is_better;
    }
    assert_in_range(better, WORLDS / 20, WORLDS / 2); /* both answers are tried */
}

/* How much louder all of the challenger's averages must become: the way that lacks the least. */
static double lacks_db(const struct ownership_terms *terms)
{
    double least = 1000;

    for (size_t i = 0; i < OWNERSHIP_WAYS; i++) {
        double lacks = terms->ways[i].needs_db - terms->ways[i].has_db;

        if (i != OWNERSHIP_FAST && lacks < -terms->ways[OWNERSHIP_FAST].has_db)
            lacks = -terms->ways[OWNERSHIP_FAST].has_db; /* it must be louder at all */
        if (terms->ways[i].is_open && lacks < least)
            least = lacks;
    }
    return least;
}

static void D02_what_is_said_to_suffice_does_and_one_db_less_does_not(void **state)
{
    uint64_t dice = 2;
    size_t asked = 0;

    (void) state;
    for (size_t i = 0; i < WORLDS; i++) {
        struct ownership_signal owner = random_signal(&dice), challenger = random_signal(&dice);
        struct ownership_signal enough, less;
        struct ownership_terms terms;

        ownership_explain(&rule, &owner, &challenger, 0, &terms);
        if (!terms.ways[OWNERSHIP_FAST].is_open || owner.count == 0)
            continue;
        asked++;
        enough = louder(challenger, lacks_db(&terms) + (double) LITTLE);
        less = louder(challenger, lacks_db(&terms) - 1);
        assert_true(ownership_is_better(&rule, &owner, &enough));
        assert_false(ownership_is_better(&rule, &owner, &less));
    }
    assert_true(asked > WORLDS / 2);
}

static void D02_the_packets_that_are_said_to_be_missing_are_those_that_are(void **state)
{
    struct ownership_signal owner = {0}, challenger = {0};
    struct ownership_terms terms;

    (void) state;
    ownership_restore(&owner, -90);
    for (int i = 0; i < 3; i++) {
        ownership_explain(&rule, &owner, &challenger, 0, &terms);
        assert_int_equal(terms.packets, i);
        assert_int_equal(terms.packets_needed, 3);
        assert_false(ownership_is_better(&rule, &owner, &challenger));
        ownership_hear(&challenger, -40, i ? -40 : 0, i ? USEC_PER_SEC : 0, rule.alpha);
    }
    assert_true(ownership_is_better(&rule, &owner, &challenger));
}

static bool moves(const struct ownership_signal *owner, const struct ownership_signal *challenger,
                  usec_t interval, usec_t silent_for)
{
    const struct ownership_claim claim = {
            .signal = owner, .silent_for = silent_for, .is_online = true};
    const struct ownership_challenge challenge = {
            .signal = challenger, .has_rssi = true, .interval = interval, .now = USEC_NEVER / 2};
    enum owner_why why;

    return ownership_moves(&rule, &claim, &challenge, &why);
}

static void D02_the_silence_that_is_said_to_end_ownership_does_and_no_shorter_one(void **state)
{
    uint64_t dice = 3;
    size_t asked = 0;

    (void) state;
    for (size_t i = 0; i < WORLDS; i++) {
        struct ownership_signal owner = random_signal(&dice), challenger = random_signal(&dice);
        usec_t interval = draw(&dice, 3) == 0 ? 0 : (draw(&dice, 900) + 1) * USEC_PER_SEC;
        struct ownership_terms terms;

        ownership_explain(&rule, &owner, &challenger, interval, &terms);
        assert_true(moves(&owner, &challenger, interval, terms.taken_after + 1));
        if (terms.is_better)
            continue;
        asked++;
        assert_false(moves(&owner, &challenger, interval, terms.taken_after));
    }
    assert_true(asked > WORLDS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(D02_ways_that_are_open_and_enough_are_what_the_rule_sees),
            cmocka_unit_test(D02_what_is_said_to_suffice_does_and_one_db_less_does_not),
            cmocka_unit_test(D02_the_packets_that_are_said_to_be_missing_are_those_that_are),
            cmocka_unit_test(D02_the_silence_that_is_said_to_end_ownership_does_and_no_shorter_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
