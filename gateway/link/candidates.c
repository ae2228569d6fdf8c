/* The story. Everybody who hears the device is a candidate; so are the proxies that the device's
 * rules or the request name, heard or not, so that the router can say why nobody else was asked.
 * Slots of links that nobody holds any more, and that linger, count as free.
 *
 * Failure modes. A proxy that refused a moment ago is taken as full, whatever the ledger counts.
 * One that cannot pair is no candidate for who wants to. More than CANDIDATES_MAX are left out. */
#include "candidates.h"

static bool contains(const uint16_t *sources, size_t count, uint16_t source)
{
    for (size_t i = 0; i < count; i++)
        if (sources[i] == source)
            return true;
    return false;
}

static void add_slots(const struct links *l, struct route_candidate *c,
                      struct candidates *candidates)
{
    const struct proxy_state *proxy = links_core_proxy(l, c->source);
    struct ledger_proxy slots;

    ledger_get_proxy(l->ledger, c->source, l->now, &slots);
    c->has_slots = slots.free != UINT32_MAX;
    c->slots_limit = slots.limit;
    c->slots_free = c->has_slots ? slots.free : 0;
    c->in_progress = slots.in_progress;
    if (c->has_slots && c->slots_limit == 0)
        c->slots_limit = 1; /* it never told, and has as many of ours as are kept */
    if (!proxy || proxy->relearn_until <= l->now)
        return;
    c->has_slots = true;
    c->slots_limit = slots.limit ? slots.limit : 1;
    c->slots_free = 0;
    candidates->ask_again_at = clock_earlier(candidates->ask_again_at, proxy->relearn_until);
}

static bool has_slot(const struct links *l, uint16_t source, uint64_t address)
{
    struct ledger_slot slot;

    for (size_t i = 0; ledger_get_slot(l->ledger, source, i, &slot); i++)
        if (slot.address == address)
            return true;
    return false;
}

bool candidates_room_is_coming(const struct links *l, const struct opening *opening,
                               uint16_t source)
{
    return opening && opening->room_source == source && l->now < opening->room_until &&
           has_slot(l, source, opening->room);
}

static struct route_candidate *find(struct candidates *candidates, uint16_t source)
{
    for (size_t i = 0; i < candidates->count; i++)
        if (candidates->items[i].source == source)
            return &candidates->items[i];
    return NULL;
}

/* A link that lingers closes for whoever needs its slot. */
static void add_lingering(const struct links *l, const struct opening *opening,
                          struct candidates *candidates)
{
    const struct link *link;
    size_t position = 0;

    while ((link = map_next(l->by_address, &position))) {
        struct route_candidate *c = link_lingers(link) ? find(candidates, link->source) : NULL;

        if (c && links_core_proxy(l, c->source)->relearn_until <= l->now)
            c->slots_free++;
    }
    for (size_t i = 0; i < candidates->count; i++)
        if (candidates_room_is_coming(l, opening, candidates->items[i].source))
            candidates->items[i].slots_free++;
}

/* Until when this link has to keep away from the proxy. */
static usec_t held_off(const struct links *l, uint64_t address, uint16_t source,
                       const struct tried *tried)
{
    usec_t until = ledger_held_off(l->ledger, source, address, l->now);
    const struct link *link = links_core_find(l, address);
    const struct goodbye *goodbye = link ? link_find_goodbye(link, source) : NULL;

    if (goodbye)
        until = clock_later(until, goodbye->until);
    if (tried && tried->not_before > l->now)
        until = clock_later(until, tried->not_before);
    return until;
}

static struct route_candidate *add_candidate(const struct links *l, uint64_t address,
                                             uint16_t source, struct opening *opening,
                                             struct candidates *candidates)
{
    const struct proxy_state *proxy = links_core_proxy(l, source);
    const struct tried *tried = opening ? opening_find_tried(opening, source) : NULL;
    struct route_candidate *c = &candidates->items[candidates->count++];

    *c = (struct route_candidate){.source = source};
    c->is_online = proxy && proxy->is_online;
    c->can_connect = proxy && proxy->told.features & PROXY_FEATURE_ACTIVE_CONNECTIONS;
    c->weight = proxy ? proxy->told.weight : 0;
    c->failures = experience_failures(l->experience, source, address, l->now, &c->failures_raw);
    c->is_bonded = l->house.is_bonded(l->house.user, source, address);
    c->held_off_until = held_off(l, address, source, tried);
    c->was_tried = tried != NULL;
    add_slots(l, c, candidates);
    return c;
}

static void add_hearers(const struct links *l, uint64_t address, bool pairs,
                        struct opening *opening, struct candidates *candidates)
{
    struct link_hearer hearers[CANDIDATES_HEARERS_MAX];
    size_t count = l->house.hearers(l->house.user, address, hearers, CANDIDATES_HEARERS_MAX);

    for (size_t i = 0; i < count; i++) {
        const struct proxy_state *proxy = links_core_proxy(l, hearers[i].source);
        struct route_candidate *c;

        if (pairs && proxy && proxy->is_online && !(proxy->told.features & PROXY_FEATURE_PAIRING)) {
            candidates->unable_to_pair++;
            continue;
        }
        c = add_candidate(l, address, hearers[i].source, opening, candidates);
        c->was_heard = true;
        c->rssi = hearers[i].rssi;
        c->rssi_smoothed = hearers[i].rssi_smoothed;
        c->last_heard = hearers[i].last_heard;
    }
}

/* One that does not hear the device, but must be there for the reason to be true. */
static void add_unheard(const struct links *l, uint64_t address, uint16_t source,
                        struct opening *opening, struct candidates *candidates)
{
    if (candidates->count < CANDIDATES_MAX && !find(candidates, source))
        add_candidate(l, address, source, opening, candidates);
}

static void apply_rules(const struct link_rules *rules, uint16_t wished,
                        struct candidates *candidates)
{
    for (size_t i = 0; i < candidates->count; i++) {
        struct route_candidate *c = &candidates->items[i];
        bool is_required = contains(rules->require, rules->require_count, c->source);
        bool is_wished = wished == LINK_NO_SOURCE || wished == c->source;

        c->is_forbidden = contains(rules->forbid, rules->forbid_count, c->source);
        c->is_preferred = contains(rules->prefer, rules->prefer_count, c->source);
        c->is_required =
                candidates->has_required && is_wished && (!rules->has_require || is_required);
    }
}

void candidates_gather(const struct links *l, uint64_t address, uint16_t source, bool pairs,
                       struct opening *opening, struct candidates *ret_candidates)
{
    struct link_rules rules = {0};

    l->house.rules(l->house.user, address, &rules);
    ret_candidates->count = ret_candidates->unable_to_pair = 0;
    ret_candidates->ask_again_at = USEC_NEVER;
    ret_candidates->has_required = rules.has_require || source != LINK_NO_SOURCE;
    add_hearers(l, address, pairs, opening, ret_candidates);
    if (source != LINK_NO_SOURCE && (!pairs || ret_candidates->unable_to_pair == 0))
        add_unheard(l, address, source, opening, ret_candidates);
    for (size_t i = 0; i < rules.require_count; i++)
        add_unheard(l, address, rules.require[i], opening, ret_candidates);
    apply_rules(&rules, source, ret_candidates);
    add_lingering(l, opening, ret_candidates);
}

struct route_decision candidates_decide(const struct links *l, const struct candidates *candidates,
                                        usec_t waited_since)
{
    return router_decide(l->settings.scoring, candidates->items, candidates->count,
                         candidates->has_required, waited_since, l->now);
}
