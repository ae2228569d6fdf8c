#include "candidate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

const char *candidate_verdict_name(enum candidate_verdict verdict)
{
    static const char *const names[] = {"chosen", "possible", "excluded"};

    return names[verdict];
}

const char *candidate_cause_name(enum candidate_cause cause)
{
    static const char *const names[] = {
            [CANDIDATE_BEST] = "best",
            [CANDIDATE_WORSE_SCORE] = "worse_score",
            [CANDIDATE_OFFLINE] = "offline",
            [CANDIDATE_DISABLED] = "disabled",
            [CANDIDATE_NEVER_HEARD] = "never_heard",
            [CANDIDATE_HEARD_TOO_LONG_AGO] = "heard_too_long_ago",
            [CANDIDATE_NOT_CONNECTABLE] = "not_connectable",
            [CANDIDATE_NO_FREE_SLOT] = "no_free_slot",
            [CANDIDATE_FORBIDDEN] = "forbidden",
            [CANDIDATE_NOT_REQUIRED] = "not_required",
            [CANDIDATE_NOT_SCANNING] = "not_scanning",
            [CANDIDATE_LOST_OWNERSHIP] = "lost_ownership",
            [CANDIDATE_RECENT_FAILURE] = "recent_failure",
    };

    return names[cause];
}

/* ---- facts ---- */

static void add_source(const struct gateway *g, const struct gateway_device *d, struct candidate *c)
{
    struct gateway_source source;
    usec_t now = gateway_now(g);

    for (size_t i = 0; gateway_get_source(g, d, i, &source); i++) {
        if (!source.proxy || strcmp(source.proxy, c->proxy.config->name) != 0)
            continue;
        c->is_heard = true;
        c->source = source;
        c->age = now > source.last_seen ? now - source.last_seen : 0;
        c->has_rivalry = gateway_get_rivalry(g, d, i, &c->rivalry);
        (void) gateway_get_loss(g, d, i, &c->heard, &c->lost);
        return;
    }
}

/* ---- judging ---- */

static void exclude(struct candidate *c, enum candidate_cause cause)
{
    c->verdict = CANDIDATE_EXCLUDED;
    c->cause = cause;
}

/* What excludes a proxy whatever is wanted; false: nothing does. */
static bool exclude_absent(struct candidate *c)
{
    if (!c->proxy.config->is_enabled)
        exclude(c, CANDIDATE_DISABLED);
    else if (!c->proxy.is_online)
        exclude(c, CANDIDATE_OFFLINE);
    else if (!c->is_heard)
        exclude(c, c->proxy.quiet_since ? CANDIDATE_NOT_SCANNING : CANDIDATE_NEVER_HEARD);
    else if (c->proxy.quiet_since)
        exclude(c, CANDIDATE_NOT_SCANNING);
    else if (c->age > CANDIDATE_HEARD_AGE && !c->source.is_owner)
        exclude(c, CANDIDATE_HEARD_TOO_LONG_AGO);
    else
        return false;
    return true;
}

static void judge_hearing(struct candidate *c)
{
    if (exclude_absent(c))
        return;
    c->verdict = c->source.is_owner ? CANDIDATE_CHOSEN : CANDIDATE_POSSIBLE;
    if (c->source.is_owner)
        c->cause = CANDIDATE_BEST;
    else
        c->cause = c->has_rivalry && c->rivalry.has_lost ? CANDIDATE_LOST_OWNERSHIP
                                                         : CANDIDATE_WORSE_SCORE;
}

/* The router's causes are tokens of the contract; what it cannot know is put more exactly: it is
 * switched off, or hears nobody. */
static enum candidate_cause cause_of_route(const struct candidate *c)
{
    enum candidate_cause cause = CANDIDATE_NEVER_HEARD;

    for (size_t i = 0; i < CANDIDATE_CAUSES; i++) {
        if (strcmp(c->route.cause, candidate_cause_name((enum candidate_cause) i)) == 0)
            cause = (enum candidate_cause) i;
    }
    if (cause == CANDIDATE_OFFLINE && !c->proxy.config->is_enabled)
        return CANDIDATE_DISABLED;
    if ((cause == CANDIDATE_NEVER_HEARD || cause == CANDIDATE_HEARD_TOO_LONG_AGO) &&
        c->proxy.quiet_since)
        return CANDIDATE_NOT_SCANNING;
    return cause;
}

static void judge_route(struct candidate *c)
{
    if (!c->route.is_candidate)
        exclude(c, cause_of_route(c));
    else
        c->verdict = CANDIDATE_POSSIBLE, c->cause = CANDIDATE_WORSE_SCORE;
}

/* ---- order ---- */

static double loudness(const struct candidate *c)
{
    return c->is_heard && !isnan(c->source.rssi_smoothed) ? c->source.rssi_smoothed : -1000;
}

static int compare(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->verdict != y->verdict)
        return x->verdict < y->verdict ? -1 : 1;
    if (loudness(x) > loudness(y) || loudness(x) < loudness(y))
        return loudness(x) > loudness(y) ? -1 : 1;
    return x->proxy.index < y->proxy.index ? -1 : x->proxy.index > y->proxy.index;
}

static struct candidate *collect(const struct gateway *g, const struct gateway_device *d,
                                 size_t *ret_count)
{
    size_t count = gateway_proxies_count(g);
    struct candidate *candidates = xnew(struct candidate, count + 1);

    for (size_t i = 0; i < count; i++) {
        gateway_get_proxy(g, i, &candidates[i].proxy);
        add_source(g, d, &candidates[i]);
    }
    *ret_count = count;
    return candidates;
}

struct candidate *candidate_collect_hearing(const struct gateway *g, const struct gateway_device *d,
                                            size_t *ret_count)
{
    struct candidate *candidates = collect(g, d, ret_count);

    for (size_t i = 0; i < *ret_count; i++)
        judge_hearing(&candidates[i]);
    qsort(candidates, *ret_count, sizeof *candidates, compare);
    return candidates;
}

/* In the order of the routes; proxies without one come last, as those that are away. */
struct candidate *candidate_collect_routes(const struct gateway *g, const struct gateway_device *d,
                                           size_t *ret_count, int *ret_code)
{
    struct candidate *all AUTO_FREE = collect(g, d, ret_count);
    struct candidate *ordered = xnew(struct candidate, *ret_count + 1);
    struct gateway_route *routes AUTO_FREE = xnew(struct gateway_route, *ret_count + 1);
    size_t count = gateway_get_routes(g, d->address, routes, *ret_count, ret_code), used = 0;

    for (size_t i = 0; i < count && i < *ret_count; i++) {
        struct candidate *c = &all[routes[i].proxy_index];

        c->has_route = true;
        c->route = routes[i];
        judge_route(c);
        ordered[used++] = *c;
    }
    for (size_t i = 0; i < *ret_count; i++) {
        if (all[i].has_route)
            continue;
        exclude(&all[i], CANDIDATE_NEVER_HEARD);
        (void) exclude_absent(&all[i]);
        ordered[used++] = all[i];
    }
    if (used > 0 && ordered[0].verdict == CANDIDATE_POSSIBLE) {
        ordered[0].verdict = CANDIDATE_CHOSEN;
        ordered[0].cause = CANDIDATE_BEST;
    }
    return ordered;
}
