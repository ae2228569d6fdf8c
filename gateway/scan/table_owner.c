/* The story. The owner's own packets change nothing. Another source's packet mostly finds the owner
 * fresh, and then only a better signal takes the device over: one comparison. Otherwise the whole
 * rule is asked (ownership.h), with what is known of the owner's silence. A device that needs
 * active scanning keeps its silent owner until a window has shown that the other hears it: the rule
 * asks for one, and covered says that it was there.
 *
 * Failure modes. The owner was removed: nobody owns the device, and the next packet, whoever heard
 * it, takes it. Nobody opens the window that was asked for: the rule asks again (rescue.h). A
 * window on sources that were not asked counts nothing. */
#include "scan/table_core.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

static struct need *need_of(const struct device_table *t, const struct device *d)
{
    return d->has_need ? map_find(t->needs, d->address) : NULL;
}

static struct ownership_claim claim_of(const struct device_table *t, const struct device *d,
                                       uint16_t index, usec_t now)
{
    const struct sighting *s = &d->sightings.items[index];
    const struct source *source = &t->sources[sightings_source(&d->sightings, index)];
    usec_t deaf = table_sources_deaf_until(source, now);
    usec_t silent_for = clock_since(clock_later(s->last_seen, deaf), now);
    usec_t silent_at_all = clock_since(s->last_seen, now);

    /* Pauses excuse much, but not when one follows the other for ever. */
    return (struct ownership_claim){
            .signal = &s->signal,
            .silent_for = silent_at_all > t->rule.stale_after ? silent_at_all : silent_for,
            .quiet_for = clock_since(clock_later(source->last_heard, deaf), now),
            .is_online = source->is_online,
    };
}

static void count_owner_change(struct device_table *t, uint16_t from, uint16_t to,
                               enum owner_why why)
{
    t->owner_changes[why]++;
    t->sources[to].counted.devices_gained[why]++;
    if (from != SOURCE_NONE)
        t->sources[from].counted.devices_lost++;
}

/* Somebody has to open a window of active scanning. */
static void ask_for_rescue(const struct device_table *t, const struct device *d, struct need *need,
                           uint16_t challenger)
{
    need->owner = sightings_source(&d->sightings, d->owner);
    need->challenger = challenger;
    if (t->on_rescue)
        t->on_rescue(t->user, d->address, need->owner, challenger);
}

/* The sighting at index takes the device over; tells so in the change. */
static void move_to(struct device_table *t, struct device *d, uint16_t index,
                    struct device_change *change)
{
    struct sighting *to = &d->sightings.items[index];

    change->kinds |= DEVICE_OWNER;
    change->owner_from = SOURCE_NONE;
    change->rssi_from = (double) NAN;
    change->rssi_to = table_core_rssi(to);
    if (d->owner != SIGHTING_NONE) {
        struct sighting *from = &d->sightings.items[d->owner];

        change->owner_from = sightings_source(&d->sightings, d->owner);
        change->rssi_from = table_core_rssi(from);
        from->signal.has_lost |= change->why == OWNER_STRONGER;
    }
    if (change->why == OWNER_STRONGER)
        to->signal.has_lost = false;
    d->owner = index;
    interval_restart(&d->interval);
    count_owner_change(t, change->owner_from, change->source, change->why);
}

/* The shortcut for most packets: the owner hears the device, so that only a better one takes it. */
static bool is_owner_fresh(const struct device_table *t, const struct device *d)
{
    const struct source *source;
    usec_t silent_for;

    if (d->owner == SIGHTING_NONE)
        return false;
    source = &t->sources[sightings_source(&d->sightings, d->owner)];
    silent_for = t->now - d->sightings.items[d->owner].last_seen;
    if (!source->is_online)
        return false;
    if (silent_for <= OWNERSHIP_FRESH)
        return true;
    return silent_for <= table_core_patience(t, d) &&
           t->now - source->last_heard <= t->rule.quiet_after && !d->has_need;
}

/* Asks the whole rule. */
static void challenge_owner(struct device_table *t, struct device *d, uint16_t index,
                            struct device_change *change)
{
    bool has_owner = d->owner != SIGHTING_NONE;
    struct need *need = need_of(t, d);
    const struct ownership_challenge challenge = {
            .signal = &d->sightings.items[index].signal,
            .has_rssi = d->latest_rssi != 0,
            .interval = table_core_interval(d),
            .rescue = need ? &need->rescue : NULL,
            .now = t->now,
    };
    struct ownership_claim owner;
    bool moves, asks;

    if (has_owner)
        owner = claim_of(t, d, d->owner, t->now);
    moves = ownership_moves(&t->rule, has_owner ? &owner : NULL, &challenge, &change->why);
    asks = need && rescue_take_question(&need->rescue);
    if (moves)
        move_to(t, d, index, change);
    else if (asks)
        ask_for_rescue(t, d, need, change->source);
}

void table_owner_consider(struct device_table *t, struct device *d, uint16_t index,
                          struct device_change *change)
{
    const struct sighting *s = d->sightings.items;

    if (!is_owner_fresh(t, d)) {
        challenge_owner(t, d, index, change);
    } else if (d->latest_rssi != 0 &&
               ownership_is_better(&t->rule, &s[d->owner].signal, &s[index].signal)) {
        change->why = OWNER_STRONGER;
        move_to(t, d, index, change);
    }
}

/* ---- the door ---- */

void device_table_set_need(struct device_table *t, uint64_t address, bool is_needed)
{
    struct need *need = map_find(t->needs, address);
    struct device *d = map_find(t->devices, address);

    if (d)
        d->has_need = is_needed;
    if (is_needed && !need) {
        need = xnew(struct need, 1);
        *need = (struct need){.address = address, .owner = SOURCE_NONE, .challenger = SOURCE_NONE};
        map_put(t->needs, address, need);
    } else if (!is_needed) {
        free(map_take(t->needs, address));
    }
}

void device_table_on_rescue(struct device_table *t, device_table_rescue_fn *on_rescue)
{
    t->on_rescue = on_rescue;
}

void device_table_covered(struct device_table *t, uint64_t address, uint16_t source, usec_t now)
{
    struct need *need = map_find(t->needs, address);

    table_core_set_now(t, now);
    if (need && (source == need->owner || source == need->challenger))
        rescue_cover(&need->rescue, t->now);
}

/* SIGHTING_NONE: nobody else hears it. */
static uint16_t find_heir(const struct device_table *t, const struct device *d)
{
    uint16_t best = SIGHTING_NONE;

    for (uint16_t i = 0; i < d->sightings.count; i++) {
        const struct sighting *s = &d->sightings.items[i];

        if (i == d->owner || !t->sources[sightings_source(&d->sightings, i)].is_online ||
            clock_since(s->last_seen, t->now) > table_core_patience(t, d))
            continue;
        if (best == SIGHTING_NONE ||
            !(table_core_rssi(s) <= table_core_rssi(&d->sightings.items[best])))
            best = i;
    }
    return best;
}

void device_table_source_hand_over(struct device_table *t, uint16_t source, usec_t now)
{
    size_t position = 0;
    struct device *d;

    table_core_set_now(t, now);
    while ((d = map_next(t->devices, &position))) {
        struct device_change change = {.device = d, .why = OWNER_PROXY_OFFLINE};
        uint16_t heir;

        if (d->owner == SIGHTING_NONE || sightings_source(&d->sightings, d->owner) != source)
            continue;
        heir = find_heir(t, d);
        if (heir == SIGHTING_NONE)
            continue;
        change.source = sightings_source(&d->sightings, heir);
        move_to(t, d, heir, &change);
        table_core_tell(t, &change);
    }
}

bool device_get_rivalry(const struct device_table *t, const struct device *d, size_t index,
                        usec_t now, struct device_rivalry *ret_rivalry)
{
    struct ownership_claim owner;

    if (index >= d->sightings.count || d->owner == SIGHTING_NONE || index == d->owner)
        return false;
    owner = claim_of(t, d, d->owner, now);
    *ret_rivalry = (struct device_rivalry){
            .owner_silent_for = owner.silent_for,
            .owner_quiet_for = owner.quiet_for,
            .is_owner_online = owner.is_online,
            .has_need = d->has_need,
    };
    ownership_explain(&t->rule, owner.signal, &d->sightings.items[index].signal,
                      table_core_interval(d), &ret_rivalry->terms);
    return true;
}
