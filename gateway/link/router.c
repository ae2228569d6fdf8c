/* The story. Each candidate gets the first cause that keeps it out, and terms in dB. Among those
 * that nothing keeps out, who was not tried yet comes first, then who is preferred, then the best
 * sum. The decision is the first of them; but a proxy that is busy establishing a link is passed
 * over for an idle one, unless it is far better: then it is waited for, a few seconds.
 *
 * Failure modes. All that could carry it are full or held off: wait for a slot, or for the end of
 * the hold-off. Nobody could: the cause is that required proxies are away, or that nobody hears the
 * device. Facts that are no numbers (a proxy that never told loudness) count as the worst. */
#include "router.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"

/* In dB, but where another unit is named. */
#define UNKNOWN_DBM    (-127.0) /* the least a radio can tell: never told is never better */
#define AGE_PER_S      0.1      /* as the device table ages its paths */
#define IN_PROGRESS    6.0      /* as twice the distance: a little better is not worth a queue */
#define FAILURE        5.0     /* more than noise; two of them are more than one link in progress */
#define FAILURES_MOST  25.0    /* next to the device it stays ahead of who hardly hears it */
#define LAST_SLOT      4.0     /* kept for devices that nobody else hears, if others are near */
#define BOND           30.0    /* elsewhere it would have to pair: worth many times the distance */
#define DEAF_DBM       (-95.0) /* links at this loudness break: being preferred does not help */
#define FAR_BETTER     20.0    /* as ten times the distance; below it waiting does not pay */
#define TIER_UNTRIED   2U
#define TIER_PREFERRED 1U
#define NOBODY         UINT16_MAX

/* habluetooth 6.26.7; parts of the gap between the two loudest. */
#define HA_UNKNOWN_DBM (-127)
#define HA_IN_PROGRESS 1.01
#define HA_FAILURE     0.51
#define HA_LAST_SLOT   0.76

struct question { /* what holds for all candidates */
    enum route_scoring scoring;
    bool has_required;
    usec_t now;
    int ha_unit; /* the gap, at least 1; 0: there is one path, which has no penalties */
};

/* ---- one candidate ---- */

static bool knows_slots(const struct route_candidate *c)
{
    return c->has_slots && c->slots_limit > 0;
}

static bool is_full(const struct route_candidate *c)
{
    return knows_slots(c) && c->slots_free == 0;
}

static usec_t age_of(const struct route_candidate *c, usec_t now)
{
    return now > c->last_heard ? now - c->last_heard : 0;
}

static enum route_cause cause_of(const struct question *q, const struct route_candidate *c)
{
    if (c->is_forbidden)
        return ROUTE_FORBIDDEN;
    if (q->has_required && !c->is_required)
        return ROUTE_NOT_REQUIRED;
    if (!c->is_online)
        return ROUTE_OFFLINE;
    if (!c->can_connect)
        return ROUTE_NO_CONNECTIONS;
    if (!c->was_heard)
        return ROUTE_NEVER_HEARD;
    if (age_of(c, q->now) > ROUTER_HEARD_WITHIN)
        return ROUTE_NOT_HEARD;
    if (c->held_off_until > q->now)
        return ROUTE_HELD_OFF;
    return is_full(c) ? ROUTE_FULL : ROUTE_FINE;
}

/* It could carry the connection, if not now. */
static bool is_path(enum route_cause cause)
{
    return cause == ROUTE_FINE || cause == ROUTE_HELD_OFF || cause == ROUTE_FULL;
}

/* NAN (not told) falls through to the least, infinities to the ends. */
static double told_dbm(const struct route_candidate *c)
{
    if (!c->was_heard || c->rssi_smoothed == 0)
        return UNKNOWN_DBM;
    return fmin(fmax(c->rssi_smoothed, UNKNOWN_DBM), 20);
}

static struct route_terms our_terms(const struct question *q, const struct route_candidate *c)
{
    double age_s = (double) age_of(c, q->now) / (double) USEC_PER_SEC;
    bool is_last_slot = knows_slots(c) && c->slots_limit > 1 && c->slots_free == 1;

    /* 0 - x, since a JSON of -0.0 would look odd */
    return (struct route_terms){
            .rssi = told_dbm(c) - (c->was_heard ? age_s * AGE_PER_S : 0),
            .in_progress = 0 - IN_PROGRESS * c->in_progress,
            .failures = 0 - fmin(FAILURE * c->failures, FAILURES_MOST),
            .last_slot = is_last_slot ? -LAST_SLOT : 0,
            .bond = c->is_bonded ? BOND : 0,
            .weight = c->weight,
    };
}

/* Their order of operations, so that what is equal there is equal here. */
static struct route_terms ha_terms(const struct question *q, const struct route_candidate *c)
{
    int rssi = c->rssi ? c->rssi : HA_UNKNOWN_DBM;
    double unit = q->ha_unit;

    if (q->ha_unit > 0 && is_full(c))
        return (struct route_terms){.rssi = HA_UNKNOWN_DBM};
    return (struct route_terms){
            .rssi = rssi,
            .in_progress = 0 - unit * c->in_progress * HA_IN_PROGRESS,
            .failures = 0 - unit * c->failures_raw * HA_FAILURE,
            .last_slot = knows_slots(c) && c->slots_free == 1 ? 0 - unit * HA_LAST_SLOT : 0,
    };
}

static unsigned tier_of(const struct question *q, const struct route_candidate *c, double rssi_aged)
{
    bool may_prefer = q->scoring == ROUTE_SCORING_BLEFLEET && rssi_aged >= DEAF_DBM;

    return (c->was_tried ? 0 : TIER_UNTRIED) + (may_prefer && c->is_preferred ? TIER_PREFERRED : 0);
}

static struct route_rank rank_of(const struct question *q, const struct route_candidate *c)
{
    bool is_ha = q->scoring == ROUTE_SCORING_HA;
    struct route_terms t = is_ha ? ha_terms(q, c) : our_terms(q, c);
    double rssi_aged = is_ha ? c->rssi : t.rssi;

    return (struct route_rank){
            .source = c->source,
            .cause = cause_of(q, c),
            .tier = tier_of(q, c, rssi_aged),
            .score = t.rssi + t.in_progress + t.failures + t.last_slot + t.bond + t.weight,
            .terms = t,
            .rssi_aged = rssi_aged,
    };
}

/* ---- all of them ---- */

/* The gap between the two loudest. Who never told loudness is the loudest there, with 0: so be
 * it. */
static int ha_unit(const struct question *q, const struct route_candidate *candidates, size_t count)
{
    int best = INT16_MIN, second = INT16_MIN;
    size_t paths = 0;

    for (size_t i = 0; i < count; i++) {
        int rssi = candidates[i].rssi;

        if (!is_path(cause_of(q, &candidates[i])))
            continue;
        paths++;
        second = rssi > best ? best : rssi > second ? rssi : second;
        best = rssi > best ? rssi : best;
    }
    if (paths < 2)
        return 0;
    return best - second > 1 ? best - second : 1;
}

static struct question ask(enum route_scoring scoring, const struct route_candidate *candidates,
                           size_t count, bool has_required, usec_t now)
{
    struct question q = {.scoring = scoring, .has_required = has_required, .now = now};

    if (scoring == ROUTE_SCORING_HA)
        q.ha_unit = ha_unit(&q, candidates, count);
    return q;
}

/* Below 0: a comes first. */
static int compare_ranks(const void *left, const void *right)
{
    const struct route_rank *a = left, *b = right;
    bool is_fine = a->cause == ROUTE_FINE;

    if (is_fine != (b->cause == ROUTE_FINE))
        return is_fine ? -1 : 1;
    if (is_fine && a->tier != b->tier)
        return a->tier > b->tier ? -1 : 1;
    if (a->score < b->score || a->score > b->score)
        return a->score > b->score ? -1 : 1;
    if (a->rssi_aged < b->rssi_aged || a->rssi_aged > b->rssi_aged)
        return a->rssi_aged > b->rssi_aged ? -1 : 1;
    return (a->source > b->source) - (a->source < b->source);
}

/* ---- the decision ---- */

struct choice {                /* of those that nothing keeps out; source NOBODY: there is none */
    struct route_rank top;     /* by rank */
    struct route_rank patient; /* by rank, if being busy did not count; may be idle itself */
    struct route_rank idle;    /* by rank, of the idle ones */
};

static bool is_better(const struct route_rank *a, const struct route_rank *b)
{
    return b->source == NOBODY || compare_ranks(a, b) < 0;
}

static double score_if_idle(const struct route_rank *rank)
{
    return rank->score - rank->terms.in_progress;
}

static bool is_better_if_idle(struct route_rank a, struct route_rank b)
{
    a.score = score_if_idle(&a);
    b.score = score_if_idle(&b);
    return is_better(&a, &b);
}

static void consider(struct choice *choice, struct route_rank rank, bool is_busy)
{
    if (is_better(&rank, &choice->top))
        choice->top = rank;
    if (!is_busy && is_better(&rank, &choice->idle))
        choice->idle = rank;
    if (is_better_if_idle(rank, choice->patient))
        choice->patient = rank;
}

static struct choice choose(const struct question *q, const struct route_candidate *candidates,
                            size_t count)
{
    struct choice choice = {.top.source = NOBODY, .patient.source = NOBODY, .idle.source = NOBODY};

    for (size_t i = 0; i < count; i++) {
        struct route_rank rank = rank_of(q, &candidates[i]);

        if (rank.cause == ROUTE_FINE)
            consider(&choice, rank, candidates[i].in_progress > 0);
    }
    return choice;
}

static struct route_decision go(struct route_rank rank)
{
    return (struct route_decision){.step = ROUTE_GO, .source = rank.source, .best = rank};
}

static struct route_decision wait_for(struct route_rank rank, usec_t until)
{
    return (struct route_decision){
            .step = ROUTE_WAIT, .source = rank.source, .until = until, .best = rank};
}

/* Who was tried is no way around who is busy. */
static bool is_way_around(const struct choice *choice)
{
    return choice->idle.source != NOBODY &&
           (choice->idle.tier & TIER_UNTRIED) == (choice->patient.tier & TIER_UNTRIED);
}

static bool is_far_better(const struct choice *choice)
{
    return choice->patient.tier > choice->idle.tier ||
           score_if_idle(&choice->patient) - choice->idle.score >= FAR_BETTER;
}

static struct route_decision decide_among(const struct choice *choice, usec_t waited_since,
                                          usec_t now)
{
    usec_t until = (waited_since ? waited_since : now) + ROUTER_PATIENCE;

    if (!is_way_around(choice))
        return go(choice->top);
    if (is_far_better(choice) && now < until)
        return wait_for(choice->patient, until);
    return go(choice->idle);
}

static struct route_decision refuse(const struct question *q,
                                    const struct route_candidate *candidates, size_t count)
{
    int cause = q->has_required ? E_PROXY_OFFLINE : E_NO_ROUTE;

    for (size_t i = 0; i < count; i++)
        if (candidates[i].is_required && cause_of(q, &candidates[i]) != ROUTE_OFFLINE)
            cause = E_NO_ROUTE;
    return (struct route_decision){
            .step = ROUTE_REFUSED, .source = NOBODY, .until = USEC_NEVER, .cause = cause};
}

/* Everybody who could is full or held off, or nobody could. */
static struct route_decision wait_or_refuse(const struct question *q,
                                            const struct route_candidate *candidates, size_t count)
{
    struct route_decision wait = {
            .step = ROUTE_WAIT, .source = NOBODY, .until = USEC_NEVER, .cause = E_NO_FREE_SLOT};
    size_t paths = 0;

    for (size_t i = 0; i < count; i++) {
        struct route_rank rank = rank_of(q, &candidates[i]);

        if (!is_path(rank.cause))
            continue;
        wait.best = rank;
        paths++;
        if (rank.cause != ROUTE_HELD_OFF)
            continue;
        wait.cause = 0;
        if (candidates[i].held_off_until < wait.until)
            wait.until = candidates[i].held_off_until;
    }
    if (paths == 0)
        return refuse(q, candidates, count);
    if (paths == 1)
        wait.source = wait.best.source;
    return wait;
}

/* ---- names ---- */

static const struct {
    const char *name, *sentence;
} causes[] = {
        [ROUTE_FINE] = {"possible", "it could carry the connection"},
        [ROUTE_FORBIDDEN] = {"forbidden", "the device's settings forbid this proxy"},
        [ROUTE_NOT_REQUIRED] = {"not_required", "another proxy is required"},
        [ROUTE_OFFLINE] = {"offline", "the proxy is not online"},
        [ROUTE_NO_CONNECTIONS] = {"not_connectable", "the proxy only listens"},
        [ROUTE_NEVER_HEARD] = {"never_heard", "the proxy never heard the device"},
        [ROUTE_NOT_HEARD] = {"heard_too_long_ago", "the proxy has not heard the device lately"},
        [ROUTE_HELD_OFF] = {"recent_failure", "an attempt there failed a moment ago"},
        [ROUTE_FULL] = {"no_free_slot", "every connection slot of the proxy is taken"},
};

const char *route_cause_name(enum route_cause cause)
{
    return causes[cause].name;
}

const char *route_cause_sentence(enum route_cause cause)
{
    return causes[cause].sentence;
}

void router_rank(enum route_scoring scoring, const struct route_candidate *candidates, size_t count,
                 bool has_required, usec_t now, struct route_rank *ret_ranks)
{
    struct question q = ask(scoring, candidates, count, has_required, now);

    for (size_t i = 0; i < count; i++)
        ret_ranks[i] = rank_of(&q, &candidates[i]);
    if (count > 1)
        qsort(ret_ranks, count, sizeof *ret_ranks, compare_ranks);
}

struct route_decision router_decide(enum route_scoring scoring,
                                    const struct route_candidate *candidates, size_t count,
                                    bool has_required, usec_t waited_since, usec_t now)
{
    struct question q = ask(scoring, candidates, count, has_required, now);
    struct choice choice = choose(&q, candidates, count);

    if (choice.top.source == NOBODY)
        return wait_or_refuse(&q, candidates, count);
    if (scoring == ROUTE_SCORING_HA)
        return go(choice.top);
    return decide_among(&choice, waited_since, now);
}
