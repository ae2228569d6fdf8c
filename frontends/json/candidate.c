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

static void add_paths(const struct gateway *g, const struct gateway_device *d,
                      struct candidate *candidates, size_t count)
{
    struct gateway_path *paths AUTO_FREE = xnew(struct gateway_path, count + 1);
    size_t paths_count = gateway_get_paths(g, d, paths, count);

    for (size_t i = 0; i < paths_count; i++) {
        candidates[paths[i].proxy_index].has_path = true;
        candidates[paths[i].proxy_index].path_rssi = paths[i].rssi;
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

static bool has_text(const struct config_texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->count; i++) {
        if (strcmp(texts->items[i], text) == 0)
            return true;
    }
    return false;
}

static void judge_path(const struct gateway_device *d, struct candidate *c)
{
    const char *name = c->proxy.config->name;

    if (d->config && has_text(&d->config->route_forbid, name))
        exclude(c, CANDIDATE_FORBIDDEN);
    else if (d->config && d->config->route_require.count > 0 &&
             !has_text(&d->config->route_require, name))
        exclude(c, CANDIDATE_NOT_REQUIRED);
    else if (exclude_absent(c))
        return;
    else if (!c->source.can_connect)
        exclude(c, CANDIDATE_NOT_CONNECTABLE);
    else if (!c->has_path)
        exclude(c, CANDIDATE_HEARD_TOO_LONG_AGO);
    else if (c->proxy.has_slots && c->proxy.slots_free == 0)
        exclude(c, CANDIDATE_NO_FREE_SLOT);
    else
        c->verdict = CANDIDATE_POSSIBLE, c->cause = CANDIDATE_WORSE_SCORE;
}

/* ---- order ---- */

static double loudness(const struct candidate *c)
{
    if (c->has_path)
        return c->path_rssi;
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

struct candidate *candidate_collect(const struct gateway *g, const struct gateway_device *d,
                                    bool is_connection, size_t *ret_count)
{
    size_t count = gateway_proxies_count(g);
    struct candidate *candidates = xnew(struct candidate, count + 1);

    for (size_t i = 0; i < count; i++) {
        gateway_get_proxy(g, i, &candidates[i].proxy);
        add_source(g, d, &candidates[i]);
    }
    if (is_connection)
        add_paths(g, d, candidates, count);
    for (size_t i = 0; i < count; i++) {
        if (is_connection)
            judge_path(d, &candidates[i]);
        else
            judge_hearing(&candidates[i]);
    }
    qsort(candidates, count, sizeof *candidates, compare);
    if (is_connection && count > 0 && candidates[0].verdict == CANDIDATE_POSSIBLE) {
        candidates[0].verdict = CANDIDATE_CHOSEN;
        candidates[0].cause = CANDIDATE_BEST;
    }
    *ret_count = count;
    return candidates;
}
