#include "link/router.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"

#define SECONDS(n) ((usec_t) (n) *USEC_PER_SEC)
#define NOW        (CLOCK_START + SECONDS(5000))
#define MAX        8
#define OURS       ROUTE_SCORING_BLEFLEET

/* Heard this moment, with 3 of 3 slots, by a proxy that nothing speaks against. */
static struct route_candidate hearing(uint16_t source, int rssi)
{
    return (struct route_candidate){
            .source = source,
            .is_online = true,
            .can_connect = true,
            .was_heard = true,
            .rssi = rssi,
            .rssi_smoothed = rssi,
            .last_heard = NOW,
            .has_slots = true,
            .slots_limit = 3,
            .slots_free = 3,
    };
}

static struct route_rank rank_one(struct route_candidate c, bool has_required)
{
    struct route_rank rank;

    router_rank(OURS, &c, 1, has_required, NOW, &rank);
    return rank;
}

static enum route_cause cause_of(struct route_candidate c)
{
    return rank_one(c, false).cause;
}

static struct route_terms terms_of(struct route_candidate c)
{
    return rank_one(c, false).terms;
}

/* Who comes first of two. */
static uint16_t first_of(struct route_candidate a, struct route_candidate b)
{
    const struct route_candidate both[] = {a, b};
    struct route_rank ranks[2];

    router_rank(OURS, both, 2, a.is_required || b.is_required, NOW, ranks);
    return ranks[0].source;
}

static struct route_decision decide(const struct route_candidate *candidates, size_t count)
{
    bool has_required = false;

    for (size_t i = 0; i < count; i++)
        has_required |= candidates[i].is_required;
    return router_decide(OURS, candidates, count, has_required, 0, NOW);
}

static void assert_near(double value, double expected)
{
    assert_true(fabs(value - expected) < 1e-9);
}

static void assert_goes(struct route_decision d, uint16_t source)
{
    assert_int_equal(d.step, ROUTE_GO);
    assert_int_equal(d.source, source);
    assert_int_equal(d.best.source, source);
    assert_int_equal(d.cause, 0);
}

static void assert_waits(struct route_decision d, uint16_t source, usec_t until, int cause)
{
    assert_int_equal(d.step, ROUTE_WAIT);
    assert_int_equal(d.source, source);
    assert_true(d.until == until);
    assert_int_equal(d.cause, cause);
}

static void assert_refused(struct route_decision d, int cause)
{
    assert_int_equal(d.step, ROUTE_REFUSED);
    assert_int_equal(d.source, UINT16_MAX);
    assert_string_equal(error_token(d.cause), error_token(cause));
}

/* ---- who is a candidate ---- */

static void C01_hearing_of_195_seconds_makes_a_candidate_and_older_does_not(void **state)
{
    struct route_candidate c = hearing(1, -60);

    (void) state;
    c.last_heard = NOW - SECONDS(195);
    assert_int_equal(cause_of(c), ROUTE_FINE);
    c.last_heard--;
    assert_int_equal(cause_of(c), ROUTE_NOT_HEARD);
    assert_refused(decide(&c, 1), E_NO_ROUTE);
}

static void C01_only_online_proxies_that_can_connect_and_heard_it_are_candidates(void **state)
{
    struct route_candidate offline = hearing(1, -60), listens = hearing(2, -60),
                           deaf = hearing(3, -60);

    (void) state;
    offline.is_online = false;
    listens.can_connect = false;
    deaf.was_heard = false;
    const struct route_candidate all[] = {offline, listens, deaf};

    assert_int_equal(cause_of(offline), ROUTE_OFFLINE);
    assert_int_equal(cause_of(listens), ROUTE_NO_CONNECTIONS);
    assert_int_equal(cause_of(deaf), ROUTE_NEVER_HEARD);
    assert_refused(decide(all, ARRAY_SIZE(all)), E_NO_ROUTE);
}

static void C01_nobody_at_all_is_no_route(void **state)
{
    struct route_rank untouched = {.source = 4};

    (void) state;
    router_rank(OURS, NULL, 0, false, NOW, &untouched);
    router_rank(ROUTE_SCORING_HA, NULL, 0, false, NOW, &untouched);
    assert_int_equal(untouched.source, 4);
    assert_refused(decide(NULL, 0), E_NO_ROUTE);
    assert_refused(router_decide(ROUTE_SCORING_HA, NULL, 0, false, 0, NOW), E_NO_ROUTE);
}

/* Each step takes away what spoke against it first. */
static void the_cause_is_the_first_that_holds(void **state)
{
    struct route_candidate c = {.is_forbidden = true, .has_slots = true, .slots_limit = 3};

    (void) state;
    c.held_off_until = NOW + 1;
    assert_int_equal(rank_one(c, true).cause, ROUTE_FORBIDDEN);
    c.is_forbidden = false;
    assert_int_equal(rank_one(c, true).cause, ROUTE_NOT_REQUIRED);
    c.is_required = true;
    assert_int_equal(rank_one(c, true).cause, ROUTE_OFFLINE);
    c.is_online = true;
    assert_int_equal(rank_one(c, true).cause, ROUTE_NO_CONNECTIONS);
    c.can_connect = true;
    assert_int_equal(rank_one(c, true).cause, ROUTE_NEVER_HEARD);
    c.was_heard = true;
    assert_int_equal(rank_one(c, true).cause, ROUTE_NOT_HEARD);
    c.last_heard = NOW;
    assert_int_equal(rank_one(c, true).cause, ROUTE_HELD_OFF);
    c.held_off_until = NOW;
    assert_int_equal(rank_one(c, true).cause, ROUTE_FULL);
    c.slots_free = 1;
    assert_int_equal(rank_one(c, true).cause, ROUTE_FINE);
}

static void every_cause_has_a_token_and_a_sentence(void **state)
{
    (void) state;
    for (int cause = ROUTE_FINE; cause <= ROUTE_FULL; cause++) {
        assert_true(strlen(route_cause_name((enum route_cause) cause)) > 3);
        assert_true(strlen(route_cause_sentence((enum route_cause) cause)) > 10);
    }
    assert_string_equal(route_cause_name(ROUTE_FULL), "no_free_slot");
    assert_string_equal(route_cause_name(ROUTE_HELD_OFF), "recent_failure");
    assert_string_equal(route_cause_name(ROUTE_NEVER_HEARD), "never_heard");
}

/* ---- the mode "ha" ---- */

/* "-60,1,0,3,2 -70,…": fills candidates in the order of their numbers. */
static size_t read_paths(const char *text, struct route_candidate *ret_candidates)
{
    size_t count = 0;
    int length;

    for (; count < MAX; count++, text += length) {
        struct route_candidate c = hearing((uint16_t) count, 0);

        if (sscanf(text, "%d,%u,%u,%u,%u%n", &c.rssi, &c.in_progress, &c.failures_raw,
                   &c.slots_limit, &c.slots_free, &length) != 5)
            break;
        ret_candidates[count] = c;
    }
    return count;
}

static void check_order(const struct route_rank *ranks, size_t count, const char *text)
{
    size_t place = 0;
    int length;

    for (unsigned source; sscanf(text, "%u%n", &source, &length) == 1; place++, text += length) {
        assert_true(place < count);
        assert_int_equal(ranks[place].cause, ROUTE_FINE);
        assert_int_equal(ranks[place].source, source);
    }
    assert_true(place == count || ranks[place].cause == ROUTE_FULL);
}

static double score_of(const struct route_rank *ranks, size_t count, size_t source)
{
    for (size_t i = 0; i < count; i++)
        if (ranks[i].source == source)
            return ranks[i].score;
    return NAN;
}

static void check_scores(const struct route_rank *ranks, size_t count, const char *text)
{
    size_t source = 0;
    int length;

    for (double score; sscanf(text, "%lf%n", &score, &length) == 1; source++, text += length)
        assert_near(score_of(ranks, count, source), score);
    assert_true(source == count || count == 1);
}

static void check_line(char *line)
{
    struct route_candidate candidates[MAX];
    struct route_rank ranks[MAX];
    const char *paths = strtok(line, "\t"), *order = strtok(NULL, "\t"),
               *scores = strtok(NULL, "\t");
    size_t count = read_paths(paths, candidates);

    assert_true(count > 0);
    router_rank(ROUTE_SCORING_HA, candidates, count, false, NOW, ranks);
    check_order(ranks, count, order);
    check_scores(ranks, count, scores);
}

static void C02_order_and_scores_are_those_of_habluetooth(void **state)
{
    FILE *file = fopen(TEST_DATA "/habluetooth_paths.tsv", "r");
    char line[512];
    int cases = 0;

    (void) state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#')
            continue;
        check_line(line);
        cases++;
    }
    fclose(file);
    assert_int_equal(cases, 400);
}

/* The worked examples: a path, the gap to the second, its score. */
static void C02_each_penalty_is_a_part_of_the_gap(void **state)
{
    static const struct {
        int rssi, gap;
        unsigned in_progress, failures, limit, free;
        double score;
    } rows[] = {
            {-60, 0, 0, 0, 3, 3, -60},     {-60, 0, 0, 0, 3, 1, -60.76},
            {-60, 0, 0, 0, 3, 0, -127},    {-60, 10, 1, 0, 3, 2, -70.1},
            {-60, 10, 2, 0, 3, 2, -80.2},  {-60, 10, 0, 0, 0, 0, -60},
            {-60, 10, 0, 1, 3, 2, -65.1},  {-60, 10, 0, 2, 3, 2, -70.2},
            {-60, 10, 0, 1, 3, 1, -72.7},  {-60, 10, 1, 2, 3, 1, -87.9},
            {-38, 28, 1, 0, 3, 3, -66.28},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct route_candidate both[] = {hearing(0, rows[i].rssi),
                                         hearing(1, rows[i].rssi - rows[i].gap)};
        struct route_rank ranks[2];

        both[0].in_progress = rows[i].in_progress;
        both[0].failures_raw = rows[i].failures;
        both[0].slots_limit = rows[i].limit;
        both[0].slots_free = rows[i].free;
        router_rank(ROUTE_SCORING_HA, both, 2, false, NOW, ranks);
        assert_near(score_of(ranks, 2, 0), rows[i].score);
    }
}

static struct route_rank ha_rank_of_first(const struct route_candidate *c, size_t count)
{
    struct route_rank ranks[MAX];

    router_rank(ROUTE_SCORING_HA, c, count, false, NOW, ranks);
    for (size_t i = 1; i < count; i++)
        if (ranks[i].source == c[0].source)
            ranks[0] = ranks[i];
    return ranks[0];
}

static void C02_a_single_path_has_no_penalties(void **state)
{
    struct route_candidate c = hearing(0, -60);

    (void) state;
    c.in_progress = c.failures_raw = 2;
    c.slots_free = 1;
    assert_near(ha_rank_of_first(&c, 1).score, -60);
    c.slots_free = 0;
    assert_near(ha_rank_of_first(&c, 1).score, -60);
}

static void C02_the_gap_is_between_those_that_could_carry(void **state)
{
    struct route_candidate c[] = {hearing(0, -60), hearing(1, -65), hearing(2, -30)};

    (void) state;
    c[0].in_progress = 1;
    c[2].is_forbidden = true;
    assert_near(ha_rank_of_first(c, 3).score, -65.05);
    c[2].is_forbidden = false;
    assert_near(ha_rank_of_first(c, 3).score, -90.3);
}

static void C02_slots_that_were_never_told_have_no_last_one(void **state)
{
    struct route_candidate c[] = {hearing(0, -60), hearing(1, -70)};

    (void) state;
    c[0].slots_free = 1;
    assert_near(ha_rank_of_first(c, 2).score, -67.6);
    c[0].has_slots = false;
    assert_near(ha_rank_of_first(c, 2).score, -60);
}

static void C02_rules_that_exclude_hold_and_wishes_do_not(void **state)
{
    struct route_candidate c[] = {hearing(0, -50), hearing(1, -60), hearing(2, -70)};
    struct route_rank ranks[3];

    (void) state;
    c[2].is_preferred = c[2].is_bonded = true;
    c[2].weight = 20;
    router_rank(ROUTE_SCORING_HA, c, 3, false, NOW, ranks);
    assert_int_equal(ranks[0].source, 0);
    c[0].is_forbidden = true;
    router_rank(ROUTE_SCORING_HA, c, 3, false, NOW, ranks);
    assert_int_equal(ranks[0].source, 1);
    assert_int_equal(ranks[2].cause, ROUTE_FORBIDDEN);
    c[2].is_required = true;
    router_rank(ROUTE_SCORING_HA, c, 3, true, NOW, ranks);
    assert_int_equal(ranks[0].source, 2);
    assert_int_equal(ranks[2].cause, ROUTE_NOT_REQUIRED);
}

static void C02_it_does_not_wait_for_a_busy_proxy(void **state)
{
    struct route_candidate c[] = {hearing(0, -38), hearing(1, -66)};

    (void) state;
    c[0].in_progress = 1;
    assert_goes(router_decide(ROUTE_SCORING_HA, c, 2, false, 0, NOW), 1);
    assert_waits(router_decide(OURS, c, 2, false, 0, NOW), 0, NOW + ROUTER_PATIENCE, 0);
}

/* ---- the terms ---- */

static void C03_loudness_is_smoothed_and_loses_a_db_in_ten_seconds(void **state)
{
    struct route_candidate c = hearing(1, -40);

    (void) state;
    c.rssi_smoothed = -62.4;
    assert_near(terms_of(c).rssi, -62.4);
    c.last_heard = NOW - SECONDS(10);
    assert_near(terms_of(c).rssi, -63.4);
    c.last_heard = NOW - SECONDS(195);
    assert_near(terms_of(c).rssi, -81.9);
    assert_near(rank_one(c, false).rssi_aged, -81.9);
    c.last_heard = NOW + SECONDS(10);
    assert_near(terms_of(c).rssi, -62.4);
}

static void C03_who_never_told_loudness_counts_as_the_faintest(void **state)
{
    struct route_candidate c = hearing(1, 0);

    (void) state;
    assert_near(terms_of(c).rssi, -127);
    c.rssi_smoothed = (double) NAN;
    assert_near(terms_of(c).rssi, -127);
    c.last_heard = NOW - SECONDS(20);
    assert_near(terms_of(c).rssi, -129);
    c.was_heard = false;
    assert_near(terms_of(c).rssi, -127);
}

static void C03_being_busy_and_failures_cost_db_and_failures_not_without_end(void **state)
{
    struct route_candidate c = hearing(1, -60);

    (void) state;
    assert_near(terms_of(c).in_progress, 0);
    c.in_progress = 1;
    assert_near(terms_of(c).in_progress, -6);
    c.in_progress = 3;
    assert_near(terms_of(c).in_progress, -18);
    c.failures = 0.5;
    assert_near(terms_of(c).failures, -2.5);
    c.failures = 5;
    assert_near(terms_of(c).failures, -25);
    c.failures = 5.1;
    assert_near(terms_of(c).failures, -25);
}

static void C03_the_last_slot_of_several_costs_db(void **state)
{
    struct route_candidate c = hearing(1, -60);

    (void) state;
    c.slots_free = 2;
    assert_near(terms_of(c).last_slot, 0);
    c.slots_free = 1;
    assert_near(terms_of(c).last_slot, -4);
    c.slots_limit = 1;
    assert_near(terms_of(c).last_slot, 0);
    c.slots_limit = 3;
    c.has_slots = false;
    assert_near(terms_of(c).last_slot, 0);
}

static void C03_the_score_is_the_sum_of_the_terms_also_of_who_is_out(void **state)
{
    struct route_candidate c = hearing(1, -60);

    (void) state;
    c.in_progress = 1;
    c.failures = 1;
    c.slots_free = 1;
    c.is_bonded = true;
    c.weight = -2.5;
    assert_near(rank_one(c, false).score, -60 - 6 - 5 - 4 + 30 - 2.5);
    c.is_forbidden = true;
    assert_near(rank_one(c, false).score, -60 - 6 - 5 - 4 + 30 - 2.5);
}

static void C03_a_fresh_packet_beats_a_louder_one_of_long_ago(void **state)
{
    struct route_candidate stale = hearing(0, -60), fresh = hearing(1, -70);

    (void) state;
    stale.last_heard = NOW - SECONDS(90);
    assert_int_equal(first_of(stale, fresh), 0);
    stale.last_heard = NOW - SECONDS(110);
    assert_int_equal(first_of(stale, fresh), 1);
}

static void C03_a_weight_moves_a_proxy(void **state)
{
    struct route_candidate near = hearing(0, -60), far = hearing(1, -65);

    (void) state;
    far.weight = 4.5;
    assert_int_equal(first_of(near, far), 0);
    far.weight = 5.5;
    assert_int_equal(first_of(near, far), 1);
}

static void C03_the_decision_tells_its_terms(void **state)
{
    struct route_candidate c[] = {hearing(0, -70), hearing(1, -60)};
    struct route_decision d;

    (void) state;
    c[1].slots_free = 1;
    d = decide(c, 2);
    assert_goes(d, 1);
    assert_near(d.best.score, -64);
    assert_near(d.best.terms.rssi, -60);
    assert_near(d.best.terms.last_slot, -4);
}

static void equal_ones_come_in_the_order_of_their_numbers(void **state)
{
    const uint16_t numbers[] = {5, 2, 7, 0};
    struct route_candidate c[4];
    struct route_rank ranks[4];

    (void) state;
    for (size_t i = 0; i < 4; i++)
        c[i] = hearing(numbers[i], -60);
    for (int mode = ROUTE_SCORING_BLEFLEET; mode <= ROUTE_SCORING_HA; mode++) {
        router_rank((enum route_scoring) mode, c, 4, false, NOW, ranks);
        assert_int_equal(ranks[0].source, 0);
        assert_int_equal(ranks[1].source, 2);
        assert_int_equal(ranks[2].source, 5);
        assert_int_equal(ranks[3].source, 7);
    }
    assert_goes(decide(c, 4), 0);
}

static void of_equal_scores_the_louder_one_comes_first(void **state)
{
    struct route_candidate weighted = hearing(0, -65), louder = hearing(1, -60);

    (void) state;
    weighted.weight = 5;
    assert_int_equal(first_of(weighted, louder), 1);
}

static void who_is_out_stands_behind_in_the_order_of_the_scores(void **state)
{
    struct route_candidate c[] = {hearing(0, -40), hearing(1, -80), hearing(2, -30),
                                  hearing(3, -90)};
    struct route_rank ranks[4];

    (void) state;
    c[0].is_forbidden = true;
    c[2].is_online = false;
    router_rank(OURS, c, 4, false, NOW, ranks);
    assert_int_equal(ranks[0].source, 1);
    assert_int_equal(ranks[1].source, 3);
    assert_int_equal(ranks[2].source, 2);
    assert_int_equal(ranks[3].source, 0);
}

/* ---- full proxies ---- */

static void C04_a_full_proxy_is_not_chosen_while_another_path_exists(void **state)
{
    struct route_candidate c[] = {hearing(0, -30), hearing(1, -94)};

    (void) state;
    c[0].slots_free = 0;
    c[1].failures = 9;
    c[1].in_progress = 2;
    assert_goes(decide(c, 2), 1);
    c[1].was_tried = true;
    assert_goes(decide(c, 2), 1);
    assert_goes(router_decide(ROUTE_SCORING_HA, c, 2, false, 0, NOW), 1);
}

static void C04_all_full_is_waiting_for_any_slot(void **state)
{
    struct route_candidate c[] = {hearing(0, -30), hearing(1, -60), hearing(2, -50)};

    (void) state;
    c[0].slots_free = c[1].slots_free = 0;
    c[2].can_connect = false;
    assert_waits(decide(c, 3), UINT16_MAX, USEC_NEVER, E_NO_FREE_SLOT);
    assert_waits(decide(c, 1), 0, USEC_NEVER, E_NO_FREE_SLOT);
    assert_waits(router_decide(ROUTE_SCORING_HA, c, 3, false, 0, NOW), UINT16_MAX, USEC_NEVER,
                 E_NO_FREE_SLOT);
}

static void slots_that_were_never_told_are_not_exhausted(void **state)
{
    struct route_candidate c = hearing(0, -60);

    (void) state;
    c.slots_free = c.slots_limit = 0;
    assert_goes(decide(&c, 1), 0);
    c.has_slots = false;
    assert_goes(decide(&c, 1), 0);
}

/* ---- people's rules ---- */

static void C06_a_preferred_proxy_comes_first_unless_it_is_nearly_deaf(void **state)
{
    struct route_candidate near = hearing(0, -40), preferred = hearing(1, -95);

    (void) state;
    preferred.is_preferred = true;
    assert_int_equal(first_of(near, preferred), 1);
    preferred.last_heard = NOW - 1;
    assert_int_equal(first_of(near, preferred), 0);
    near.is_bonded = true;
    preferred.last_heard = NOW;
    assert_int_equal(first_of(near, preferred), 1);
}

static void C06_of_two_preferred_ones_the_better_comes_first(void **state)
{
    struct route_candidate a = hearing(0, -80), b = hearing(1, -70);

    (void) state;
    a.is_preferred = b.is_preferred = true;
    assert_int_equal(first_of(a, b), 1);
}

static void C06_a_preferred_proxy_that_is_away_leaves_it_to_others(void **state)
{
    struct route_candidate c[] = {hearing(0, -80), hearing(1, -50)};

    (void) state;
    c[1].is_preferred = true;
    c[1].is_online = false;
    assert_goes(decide(c, 2), 0);
    c[1].is_online = true;
    c[1].slots_free = 0;
    assert_goes(decide(c, 2), 0);
}

static void C06_a_required_proxy_alone_carries(void **state)
{
    struct route_candidate c[] = {hearing(0, -40), hearing(1, -90)};

    (void) state;
    c[1].is_required = true;
    assert_goes(decide(c, 2), 1);
    c[1].slots_free = 0;
    assert_waits(decide(c, 2), 1, USEC_NEVER, E_NO_FREE_SLOT);
}

static void C06_required_and_offline_is_a_cause_of_its_own(void **state)
{
    struct route_candidate c[] = {hearing(0, -40), hearing(1, -60), hearing(2, -60)};

    (void) state;
    c[1].is_required = true;
    c[1].is_online = false;
    assert_refused(decide(c, 3), E_PROXY_OFFLINE);
    c[2].is_required = true;
    c[2].was_heard = false;
    assert_refused(decide(c, 3), E_NO_ROUTE);
    c[2].is_online = false;
    assert_refused(decide(c, 3), E_PROXY_OFFLINE);
    c[2].is_online = c[2].was_heard = true;
    assert_goes(decide(c, 3), 2);
}

static void C06_a_required_proxy_that_does_not_exist_is_away(void **state)
{
    struct route_candidate c = hearing(0, -40);

    (void) state;
    assert_refused(router_decide(OURS, &c, 1, true, 0, NOW), E_PROXY_OFFLINE);
    assert_refused(router_decide(OURS, NULL, 0, true, 0, NOW), E_PROXY_OFFLINE);
}

static void C06_a_forbidden_proxy_never_carries(void **state)
{
    struct route_candidate c[] = {hearing(0, -40), hearing(1, -90)};

    (void) state;
    c[0].is_forbidden = c[0].is_preferred = true;
    assert_goes(decide(c, 2), 1);
    c[1].slots_free = 0;
    assert_waits(decide(c, 2), 1, USEC_NEVER, E_NO_FREE_SLOT);
    c[1].is_online = false;
    assert_refused(decide(c, 2), E_NO_ROUTE);
}

static void C06_forbidden_wins_over_required(void **state)
{
    struct route_candidate c = hearing(0, -40);

    (void) state;
    c.is_required = c.is_forbidden = true;
    assert_refused(decide(&c, 1), E_NO_ROUTE);
}

/* ---- bonds ---- */

static void C07_a_bonded_proxy_comes_first_unless_it_is_nearly_deaf(void **state)
{
    struct route_candidate near = hearing(0, -60), bonded = hearing(1, -89);

    (void) state;
    bonded.is_bonded = true;
    assert_near(terms_of(bonded).bond, 30);
    assert_int_equal(first_of(near, bonded), 1);
    bonded.rssi_smoothed = -91;
    assert_int_equal(first_of(near, bonded), 0);
}

static void C07_a_bonded_proxy_that_is_away_leaves_it_to_others(void **state)
{
    struct route_candidate c[] = {hearing(0, -80), hearing(1, -50)};

    (void) state;
    c[1].is_bonded = true;
    c[1].is_online = false;
    assert_goes(decide(c, 2), 0);
}

/* ---- attempts of this request ---- */

static void C12_an_untried_proxy_comes_before_one_that_failed_whatever_the_score(void **state)
{
    struct route_candidate tried = hearing(0, -30), untried = hearing(1, -100);

    (void) state;
    tried.was_tried = tried.is_preferred = tried.is_bonded = true;
    untried.failures = 9;
    assert_int_equal(first_of(tried, untried), 1);
    untried.was_tried = true;
    assert_int_equal(first_of(tried, untried), 0);
}

static void C12_a_busy_untried_proxy_comes_before_an_idle_one_that_failed(void **state)
{
    struct route_candidate c[] = {hearing(0, -30), hearing(1, -80)};

    (void) state;
    c[0].was_tried = true;
    c[1].in_progress = 2;
    assert_goes(decide(c, 2), 1);
    assert_goes(router_decide(OURS, c, 2, false, NOW - SECONDS(60), NOW), 1);
}

static void C12_also_in_the_mode_ha_a_failing_proxy_is_not_repeated(void **state)
{
    struct route_candidate c[] = {hearing(0, -30), hearing(1, -80)};

    (void) state;
    c[0].was_tried = true;
    assert_goes(router_decide(ROUTE_SCORING_HA, c, 2, false, 0, NOW), 1);
}

static void a_proxy_that_is_held_off_is_waited_for_only_without_another(void **state)
{
    struct route_candidate c[] = {hearing(0, -40), hearing(1, -90)};

    (void) state;
    c[0].held_off_until = NOW + SECONDS(7);
    c[1].was_tried = true;
    assert_goes(decide(c, 2), 1);
    assert_waits(decide(c, 1), 0, NOW + SECONDS(7), 0);
    c[1].held_off_until = NOW + SECONDS(3);
    assert_waits(decide(c, 2), UINT16_MAX, NOW + SECONDS(3), 0);
    c[1].held_off_until = NOW + SECONDS(8);
    assert_waits(decide(c, 2), UINT16_MAX, NOW + SECONDS(7), 0);
    c[1].held_off_until = NOW;
    assert_goes(decide(c, 2), 1);
}

static void held_off_and_full_wait_for_what_comes_first(void **state)
{
    struct route_candidate c[] = {hearing(0, -40), hearing(1, -90)};

    (void) state;
    c[0].held_off_until = NOW + SECONDS(7);
    c[1].slots_free = 0;
    assert_waits(decide(c, 2), UINT16_MAX, NOW + SECONDS(7), 0);
}

/* ---- busy proxies ---- */

/* 0 is busy, 1 is idle and so much fainter. In which order they are told means nothing. */
static struct route_decision decide_busy(double gap, unsigned in_progress, usec_t waited_since)
{
    struct route_candidate busy = hearing(0, -50), idle = hearing(1, -50);
    struct route_decision d, turned;

    busy.in_progress = in_progress;
    idle.rssi_smoothed -= gap;
    const struct route_candidate there[] = {busy, idle}, back[] = {idle, busy};

    d = router_decide(OURS, there, 2, false, waited_since, NOW);
    turned = router_decide(OURS, back, 2, false, waited_since, NOW);
    assert_int_equal(d.step, turned.step);
    assert_int_equal(d.source, turned.source);
    return d;
}

static void a_busy_proxy_is_waited_for_from_twenty_db_on(void **state)
{
    struct route_decision d = decide_busy(20, 1, 0);

    (void) state;
    assert_waits(d, 0, NOW + ROUTER_PATIENCE, 0);
    assert_near(d.best.score, -56);
    assert_waits(decide_busy(20, 3, 0), 0, NOW + ROUTER_PATIENCE, 0);
    assert_goes(decide_busy(19.9, 1, 0), 1);
    assert_goes(decide_busy(0, 1, 0), 1);
    assert_goes(decide_busy(28, 0, 0), 0);
}

static void the_wait_for_a_busy_proxy_is_bounded(void **state)
{
    (void) state;
    assert_waits(decide_busy(28, 1, NOW - SECONDS(1)), 0, NOW + SECONDS(2), 0);
    assert_waits(decide_busy(28, 1, NOW - ROUTER_PATIENCE + 1), 0, NOW + 1, 0);
    assert_goes(decide_busy(28, 1, NOW - ROUTER_PATIENCE), 1);
    assert_goes(decide_busy(28, 0, NOW - ROUTER_PATIENCE), 0);
}

static void a_preferred_busy_proxy_is_waited_for_whatever_the_gap(void **state)
{
    struct route_candidate c[] = {hearing(0, -70), hearing(1, -50)};

    (void) state;
    c[0].is_preferred = true;
    c[0].in_progress = 1;
    assert_waits(decide(c, 2), 0, NOW + ROUTER_PATIENCE, 0);
    assert_goes(router_decide(OURS, c, 2, false, NOW - ROUTER_PATIENCE, NOW), 1);
}

static void where_all_are_busy_the_best_of_them_is_chosen(void **state)
{
    struct route_candidate c[] = {hearing(0, -50), hearing(1, -55)};

    (void) state;
    c[0].in_progress = c[1].in_progress = 1;
    assert_goes(decide(c, 2), 0);
    c[0].in_progress = 2;
    assert_goes(decide(c, 2), 1);
    assert_goes(decide(c, 1), 0);
}

static void a_full_but_far_better_proxy_is_not_waited_for(void **state)
{
    struct route_candidate c[] = {hearing(0, -30), hearing(1, -80)};

    (void) state;
    c[0].slots_free = 0;
    c[0].in_progress = 1;
    assert_goes(decide(c, 2), 1);
}

static void the_failures_of_a_busy_proxy_still_count(void **state)
{
    struct route_candidate c[] = {hearing(0, -50), hearing(1, -75)};

    (void) state;
    c[0].in_progress = 1;
    assert_waits(decide(c, 2), 0, NOW + ROUTER_PATIENCE, 0);
    c[0].failures = 1.1;
    assert_goes(decide(c, 2), 1);
}

/* ---- whatever the facts ---- */

static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % below;
}

static struct route_candidate draw_candidate(uint32_t *seed, uint16_t source)
{
    static const double loudness[] = {NAN, INFINITY, -INFINITY, 0, -60, -60.5, -200, 500};
    struct route_candidate c = hearing(source, -(int) draw(seed, 128));

    c.rssi_smoothed = loudness[draw(seed, ARRAY_SIZE(loudness))];
    c.is_online = draw(seed, 8) > 0;
    c.can_connect = draw(seed, 8) > 0;
    c.was_heard = draw(seed, 8) > 0;
    c.is_required = draw(seed, 2);
    c.is_preferred = draw(seed, 4) == 0;
    c.is_forbidden = draw(seed, 8) == 0;
    c.is_bonded = draw(seed, 4) == 0;
    c.was_tried = draw(seed, 4) == 0;
    c.last_heard = NOW + SECONDS(10) - SECONDS(draw(seed, 230));
    c.slots_limit = draw(seed, 4);
    c.slots_free = draw(seed, 4);
    c.in_progress = draw(seed, 3) ? 0 : draw(seed, UINT16_MAX);
    c.failures = draw(seed, 16) ? draw(seed, 4) : (double) INFINITY;
    c.held_off_until = draw(seed, 4) ? 0 : NOW + draw(seed, 3);
    return c;
}

static void check_ranks(const struct route_rank *ranks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct route_terms *t = &ranks[i].terms;

        assert_true(isfinite(ranks[i].score) && isfinite(ranks[i].rssi_aged));
        assert_near(ranks[i].score,
                    t->rssi + t->in_progress + t->failures + t->last_slot + t->bond + t->weight);
        assert_false(signbit(t->in_progress) && t->in_progress >= 0);
        assert_false(signbit(t->failures) && t->failures >= 0);
        if (i == 0)
            continue;
        assert_true(ranks[i].cause != ROUTE_FINE || ranks[i - 1].cause == ROUTE_FINE);
        assert_true((ranks[i].cause == ROUTE_FINE) != (ranks[i - 1].cause == ROUTE_FINE) ||
                    ranks[i - 1].tier > ranks[i].tier || ranks[i].cause != ROUTE_FINE ||
                    ranks[i - 1].score >= ranks[i].score);
    }
}

static void check_decision(struct route_decision d, const struct route_rank *ranks, size_t count)
{
    bool has_fine = count > 0 && ranks[0].cause == ROUTE_FINE;

    if (d.source != UINT16_MAX)
        assert_int_equal(d.best.source, d.source);
    switch (d.step) {
    case ROUTE_GO:
        assert_int_equal(d.best.cause, ROUTE_FINE);
        return;
    case ROUTE_WAIT:
        assert_true(d.until > NOW);
        assert_true(has_fine ? d.source != UINT16_MAX : d.cause != 0 || d.until != USEC_NEVER);
        return;
    case ROUTE_REFUSED:
        assert_false(has_fine);
        assert_true(d.cause == E_NO_ROUTE || d.cause == E_PROXY_OFFLINE);
        return;
    }
}

static void whatever_the_facts_there_is_an_order_of_numbers_and_a_decision(void **state)
{
    struct route_candidate c[MAX];
    struct route_rank ranks[MAX];
    uint32_t seed = 7;

    (void) state;
    for (int round = 0; round < 20000; round++) {
        enum route_scoring mode = round % 4 ? ROUTE_SCORING_BLEFLEET : ROUTE_SCORING_HA;
        bool has_required = draw(&seed, 4) == 0;
        size_t count = draw(&seed, MAX + 1);

        for (size_t i = 0; i < count; i++)
            c[i] = draw_candidate(&seed, (uint16_t) i);
        router_rank(mode, c, count, has_required, NOW, ranks);
        check_ranks(ranks, count);
        check_decision(router_decide(mode, c, count, has_required, 0, NOW), ranks, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(C01_hearing_of_195_seconds_makes_a_candidate_and_older_does_not),
            cmocka_unit_test(C01_only_online_proxies_that_can_connect_and_heard_it_are_candidates),
            cmocka_unit_test(C01_nobody_at_all_is_no_route),
            cmocka_unit_test(the_cause_is_the_first_that_holds),
            cmocka_unit_test(every_cause_has_a_token_and_a_sentence),
            cmocka_unit_test(C02_order_and_scores_are_those_of_habluetooth),
            cmocka_unit_test(C02_each_penalty_is_a_part_of_the_gap),
            cmocka_unit_test(C02_a_single_path_has_no_penalties),
            cmocka_unit_test(C02_the_gap_is_between_those_that_could_carry),
            cmocka_unit_test(C02_slots_that_were_never_told_have_no_last_one),
            cmocka_unit_test(C02_rules_that_exclude_hold_and_wishes_do_not),
            cmocka_unit_test(C02_it_does_not_wait_for_a_busy_proxy),
            cmocka_unit_test(C03_loudness_is_smoothed_and_loses_a_db_in_ten_seconds),
            cmocka_unit_test(C03_who_never_told_loudness_counts_as_the_faintest),
            cmocka_unit_test(C03_being_busy_and_failures_cost_db_and_failures_not_without_end),
            cmocka_unit_test(C03_the_last_slot_of_several_costs_db),
            cmocka_unit_test(C03_the_score_is_the_sum_of_the_terms_also_of_who_is_out),
            cmocka_unit_test(C03_a_fresh_packet_beats_a_louder_one_of_long_ago),
            cmocka_unit_test(C03_a_weight_moves_a_proxy),
            cmocka_unit_test(C03_the_decision_tells_its_terms),
            cmocka_unit_test(equal_ones_come_in_the_order_of_their_numbers),
            cmocka_unit_test(of_equal_scores_the_louder_one_comes_first),
            cmocka_unit_test(who_is_out_stands_behind_in_the_order_of_the_scores),
            cmocka_unit_test(C04_a_full_proxy_is_not_chosen_while_another_path_exists),
            cmocka_unit_test(C04_all_full_is_waiting_for_any_slot),
            cmocka_unit_test(slots_that_were_never_told_are_not_exhausted),
            cmocka_unit_test(C06_a_preferred_proxy_comes_first_unless_it_is_nearly_deaf),
            cmocka_unit_test(C06_of_two_preferred_ones_the_better_comes_first),
            cmocka_unit_test(C06_a_preferred_proxy_that_is_away_leaves_it_to_others),
            cmocka_unit_test(C06_a_required_proxy_alone_carries),
            cmocka_unit_test(C06_required_and_offline_is_a_cause_of_its_own),
            cmocka_unit_test(C06_a_required_proxy_that_does_not_exist_is_away),
            cmocka_unit_test(C06_a_forbidden_proxy_never_carries),
            cmocka_unit_test(C06_forbidden_wins_over_required),
            cmocka_unit_test(C07_a_bonded_proxy_comes_first_unless_it_is_nearly_deaf),
            cmocka_unit_test(C07_a_bonded_proxy_that_is_away_leaves_it_to_others),
            cmocka_unit_test(C12_an_untried_proxy_comes_before_one_that_failed_whatever_the_score),
            cmocka_unit_test(C12_a_busy_untried_proxy_comes_before_an_idle_one_that_failed),
            cmocka_unit_test(C12_also_in_the_mode_ha_a_failing_proxy_is_not_repeated),
            cmocka_unit_test(a_proxy_that_is_held_off_is_waited_for_only_without_another),
            cmocka_unit_test(held_off_and_full_wait_for_what_comes_first),
            cmocka_unit_test(a_busy_proxy_is_waited_for_from_twenty_db_on),
            cmocka_unit_test(the_wait_for_a_busy_proxy_is_bounded),
            cmocka_unit_test(a_preferred_busy_proxy_is_waited_for_whatever_the_gap),
            cmocka_unit_test(where_all_are_busy_the_best_of_them_is_chosen),
            cmocka_unit_test(a_full_but_far_better_proxy_is_not_waited_for),
            cmocka_unit_test(the_failures_of_a_busy_proxy_still_count),
            cmocka_unit_test(whatever_the_facts_there_is_an_order_of_numbers_and_a_decision),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
