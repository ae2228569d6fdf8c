/* The story. Each sentence has a function that writes it, or nothing where it does not hold. Who
 * asks for advice by number gets the number-th that holds; the order is that of the table. */
#include "explain_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define WEAK_DBM       (-90.0)
#define LOST_IS_MUCH   0.05
#define OWNERS_IN_TEXT 10
#define FAILURES_TOLD  0.5 /* faded further, they do not matter */

/* ---- pieces ---- */

static double seconds(usec_t span)
{
    return (double) span / (double) USEC_PER_SEC;
}

static void append_clock(struct buffer *b, const struct gateway *g, usec_t moment)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format(text, gateway_wall(g, moment));
    buffer_append(b, text + strlen("2026-11-21T"), strlen("12:03:11"));
    buffer_append_text(b, " UTC");
}

static void append_why(struct buffer *b, const struct gateway_past_owner *o)
{
    const char *from = o->from ? o->from : "the one before";

    if (strcmp(o->why, "first") == 0)
        buffer_append_text(b, "nobody spoke for the device before");
    else if (strcmp(o->why, "stronger") == 0)
        buffer_append_format(b, "it heard the device at %.0f dBm, %.0f dB louder than %s",
                             o->rssi_to, o->rssi_to - o->rssi_from, from);
    else if (strcmp(o->why, "roam") == 0)
        buffer_append_format(b, "%s heard the device faintly and then missed it", from);
    else if (strcmp(o->why, "gone") == 0)
        buffer_append_format(b, "%s did not hear the device any more", from);
    else if (strcmp(o->why, "rescue") == 0)
        buffer_append_format(b, "%s did not hear the device, not even while it listened actively",
                             from);
    else if (strcmp(o->why, "proxy_offline") == 0)
        buffer_append_format(b, "%s was offline", from);
    else if (strcmp(o->why, "proxy_quiet") == 0)
        buffer_append_format(b, "%s heard nothing at all any more", from);
    else
        buffer_append_text(b, o->why);
}

void explain_text_owner(struct buffer *b, const struct gateway *g,
                        const struct gateway_past_owner *owner)
{
    buffer_append_text(b, owner->to ? owner->to : "A removed proxy");
    buffer_append_text(b, " took over ");
    if (owner->from)
        buffer_append_format(b, "from %s ", owner->from);
    buffer_append_text(b, "at ");
    append_clock(b, g, owner->time);
    buffer_append_text(b, ": ");
    append_why(b, owner);
    buffer_append_text(b, ".");
}

static const char *name_of(const struct candidate *c)
{
    return c->proxy.config->name;
}

static const struct candidate *find_owner(const struct explain_text *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->candidates[i].is_heard && t->candidates[i].source.is_owner)
            return &t->candidates[i];
    }
    return NULL;
}

/* The first that could take the device over. */
static const struct candidate *find_rival(const struct explain_text *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->candidates[i].verdict == CANDIDATE_POSSIBLE && t->candidates[i].has_rivalry)
            return &t->candidates[i];
    }
    return NULL;
}

static size_t count_online(const struct explain_text *t)
{
    size_t online = 0;

    for (size_t i = 0; i < t->count; i++)
        online += t->candidates[i].proxy.is_online;
    return online;
}

static size_t count_hearing(const struct explain_text *t)
{
    size_t hearing = 0;

    for (size_t i = 0; i < t->count; i++)
        hearing += t->candidates[i].verdict != CANDIDATE_EXCLUDED;
    return hearing;
}

static usec_t silent_for(const struct explain_text *t)
{
    usec_t now = gateway_now(t->gateway);

    return now > t->device->last_seen ? now - t->device->last_seen : 0;
}

/* ---- one proxy ---- */

static void append_hearing(struct buffer *b, const struct candidate *c)
{
    if (isnan(c->source.rssi_smoothed))
        buffer_append_text(b, "hears it, without saying how loud");
    else
        buffer_append_format(b, "hears it at %.0f dBm", c->source.rssi_smoothed);
    buffer_append_format(b, ", last %.0f s ago", seconds(c->age));
}

static void append_loss(struct buffer *b, const struct candidate *c)
{
    if (c->heard + c->lost > 0)
        buffer_append_format(b, "; lost %.0f %% of its packets in the last %.0f min",
                             100.0 * c->lost / (double) (c->heard + c->lost),
                             seconds(GATEWAY_LOSS_SPAN) / 60);
}

static void append_rivalry(struct buffer *b, const struct candidate *c, const char *owner)
{
    const struct gateway_rivalry *r = &c->rivalry;

    buffer_append_format(b, ", %.0f dB %s than %s", fabs(r->has_db),
                         r->has_db < 0 ? "weaker" : "louder", owner);
    buffer_append_format(b, "; it would take over at more than %.0f dB louder", r->needs_db);
    if (!isnan(r->lasting_db))
        buffer_append_format(b, ", or lastingly more than %.0f dB", r->lasting_db);
    if (r->has_lost)
        buffer_append_text(b, ", more than usual because it lost the device before");
    if (r->packets < r->packets_needed)
        buffer_append_format(b, ", with %u packets, of which it has %u", r->packets_needed,
                             r->packets);
}

static void append_offline(struct buffer *b, const struct explain_text *t,
                           const struct candidate *c)
{
    const struct gateway_proxy *p = &c->proxy;

    buffer_append_format(b, "not online: %s since ", p->state);
    append_clock(b, t->gateway, p->since);
    if (p->last_error.code && p->last_error.detail && p->last_error.detail[0])
        buffer_append_format(b, ", %s", p->last_error.detail);
    if (c->is_heard && c->source.is_owner)
        buffer_append_text(b, "; speaks for the device until another proxy hears it");
}

static void append_slots(struct buffer *b, const struct candidate *c)
{
    if (c->proxy.has_slots)
        buffer_append_format(b, "; %" PRIu32 " of %" PRIu32 " connection slots are free",
                             c->proxy.slots_free, c->proxy.slots_limit);
}

/* What counts for it and against it, beside loudness. */
static void append_route(struct buffer *b, const struct candidate *c)
{
    const struct gateway_route *r = &c->route;

    append_slots(b, c);
    if (r->in_progress > 0)
        buffer_append_format(b, "; it is opening %u other connection%s", r->in_progress,
                             r->in_progress == 1 ? "" : "s");
    if (r->failures >= FAILURES_TOLD)
        buffer_append_format(b, "; it failed with this device lately, which costs it %.0f dB",
                             -r->terms.failures);
    if (r->is_bonded)
        buffer_append_text(b, "; the device is bonded with it");
}

static void append_present(struct buffer *b, const struct explain_text *t,
                           const struct candidate *c)
{
    const struct candidate *owner = find_owner(t);

    append_hearing(b, c);
    if (t->is_connection)
        append_route(b, c);
    else if (c->source.is_owner)
        buffer_append_text(b, " and speaks for it");
    else if (c->has_rivalry && owner)
        append_rivalry(b, c, name_of(owner));
    append_loss(b, c);
}

void explain_text_candidate(struct buffer *b, const struct explain_text *t,
                            const struct candidate *c)
{
    switch (c->cause) {
    case CANDIDATE_DISABLED:
        buffer_append_text(b, "disabled in the configuration");
        break;
    case CANDIDATE_OFFLINE:
        append_offline(b, t, c);
        break;
    case CANDIDATE_NEVER_HEARD:
        buffer_append_text(b, "has not heard it");
        break;
    case CANDIDATE_NOT_SCANNING:
        buffer_append_format(b, "online, but has heard nothing of any device for %.0f s",
                             seconds(gateway_now(t->gateway) - c->proxy.quiet_since));
        break;
    case CANDIDATE_HEARD_TOO_LONG_AGO:
        buffer_append_format(b, "heard it last %.0f s ago, which is too long", seconds(c->age));
        break;
    case CANDIDATE_NOT_CONNECTABLE:
        buffer_append_text(b, "its firmware does not carry connections");
        break;
    case CANDIDATE_FORBIDDEN:
        buffer_append_text(b, "forbidden by the device's settings");
        break;
    case CANDIDATE_NOT_REQUIRED:
        buffer_append_text(b, "the device's settings require another proxy");
        break;
    case CANDIDATE_RECENT_FAILURE:
        append_present(b, t, c);
        buffer_append_text(b, "; its last attempt failed a moment ago, so that it has to wait");
        break;
    case CANDIDATE_CAUSES:
    case CANDIDATE_BEST:
    case CANDIDATE_WORSE_SCORE:
    case CANDIDATE_NO_FREE_SLOT:
    case CANDIDATE_LOST_OWNERSHIP:
        append_present(b, t, c);
        break;
    }
}

/* ---- the summary ---- */

/* "kitchen (3 of 3 slots in use), hall (1 of 1 slots in use)"; how many there are. */
static size_t append_full(struct buffer *b, const struct explain_text *t)
{
    size_t full = 0;

    for (size_t i = 0; i < t->count; i++) {
        const struct candidate *c = &t->candidates[i];

        if (c->cause != CANDIDATE_NO_FREE_SLOT)
            continue;
        buffer_append_format(b, "%s%s", full++ > 0 ? ", " : "", name_of(c));
        if (c->route.has_slots)
            buffer_append_format(b, " (%" PRIu32 " of %" PRIu32 " slots in use)",
                                 c->route.slots_limit - c->route.slots_free, c->route.slots_limit);
    }
    return full;
}

static void summarise_full(struct buffer *b, const struct explain_text *t)
{
    size_t full = append_full(b, t);

    if (full == 1)
        buffer_append_text(b, " is the only proxy that could connect to it.");
    else if (full > 1)
        buffer_append_text(b, " could connect to it, and have no free slot.");
    else
        buffer_append_text(b, "No proxy has a free slot for it.");
}

/* Who comes first of those that hear it, candidate or not. */
static const struct candidate *find_first_hearing(const struct explain_text *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->candidates[i].is_heard)
            return &t->candidates[i];
    }
    return NULL;
}

static void summarise_no_route(struct buffer *b, const struct explain_text *t)
{
    const struct candidate *first = find_first_hearing(t);

    buffer_append_text(b, "No proxy that is online and may connect hears it now");
    if (first) {
        buffer_append_format(b, "; %s: ", name_of(first));
        explain_text_candidate(b, t, first);
    }
    buffer_append_text(b, ".");
}

/* The proxy through which the device is connected; NULL: it is not. */
static const char *find_carrier(const struct explain_text *t)
{
    struct gateway_link link;

    if (!gateway_get_link(t->gateway, t->device->address, &link) ||
        strcmp(link.state, "connected") != 0)
        return NULL;
    return link.proxy;
}

static void summarise_connection(struct buffer *b, const struct explain_text *t)
{
    const struct candidate *best = t->count > 0 ? &t->candidates[0] : NULL;
    const char *carrier = find_carrier(t);

    if (carrier) {
        buffer_append_format(b, "It is connected through %s; a request shares that link.", carrier);
    } else if (best && best->verdict == CANDIDATE_CHOSEN) {
        buffer_append_format(b, "A connection would go through %s, which ", name_of(best));
        append_hearing(b, best);
        append_slots(b, best);
        buffer_append_text(b, ".");
    } else if (t->code == E_NO_FREE_SLOT) {
        summarise_full(b, t);
    } else if (t->code == E_PROXY_OFFLINE) {
        buffer_append_text(b, "The proxy that its settings require is not online.");
    } else if (t->code == 0) {
        buffer_append_text(b, "A request would wait: no proxy can take it at this moment.");
    } else {
        summarise_no_route(b, t);
    }
}

static void summarise_hearing(struct buffer *b, const struct explain_text *t)
{
    const struct candidate *owner = find_owner(t);

    if (owner && owner->verdict == CANDIDATE_CHOSEN && t->device->is_available) {
        buffer_append_format(b, "%s ", name_of(owner));
        append_present(b, t, owner);
        buffer_append_format(b, "; %zu of %zu online proxies hear it.", count_hearing(t),
                             count_online(t));
    } else if (!t->device->is_available) {
        buffer_append_format(b, "Nobody has heard it for %.0f s.", seconds(silent_for(t)));
    } else if (owner) {
        buffer_append_format(b, "%s spoke for it last and is not listening now.", name_of(owner));
    } else {
        buffer_append_text(b, "Nobody speaks for it until its next packet.");
    }
}

void explain_text_summary(struct buffer *b, const struct explain_text *t)
{
    if (!t->is_known)
        buffer_append_text(b,
                           "No proxy has heard it, or it was forgotten, and it is not configured.");
    else if (!t->device->row)
        buffer_append_text(b, "It is configured, and no proxy has heard it.");
    else if (t->is_connection)
        summarise_connection(b, t);
    else
        summarise_hearing(b, t);
}

/* ---- advice ---- */

typedef void advice_fn(struct buffer *b, const struct explain_text *t);

static void advise_nobody_online(struct buffer *b, const struct explain_text *t)
{
    if (count_online(t) == 0)
        buffer_append_format(b, "None of the %zu proxies is online: see GET /proxies.", t->count);
}

static void advise_never_heard(struct buffer *b, const struct explain_text *t)
{
    size_t passive = 0, online = count_online(t);

    if (t->device->row || online == 0)
        return;
    for (size_t i = 0; i < t->count; i++) {
        const struct gateway_proxy *p = &t->candidates[i].proxy;

        passive += p->is_online && p->scanner_mode && strcmp(p->scanner_mode, "passive") == 0;
    }
    buffer_append_text(
            b, "Is it switched on, near a proxy, and not connected to something else? Many devices "
               "do not advertise while they are connected.");
    if (passive == online)
        buffer_append_text(
                b, " All proxies listen passively, so that what stands in scan responses alone is "
                   "not seen.");
}

static void advise_rival(struct buffer *b, const struct explain_text *t)
{
    const struct candidate *owner = find_owner(t), *rival = find_rival(t);

    if (t->is_connection || !owner || !rival || owner->verdict != CANDIDATE_CHOSEN)
        return;
    buffer_append_format(b,
                         "%s takes over when it hears it at more than %.0f dBm, or when %s has "
                         "been silent on it for more than %.0f s.",
                         name_of(rival),
                         rival->source.rssi_smoothed - rival->rivalry.has_db +
                                 rival->rivalry.needs_db,
                         name_of(owner), seconds(rival->rivalry.taken_after));
}

static void advise_deaf_owner(struct buffer *b, const struct explain_text *t)
{
    const struct candidate *owner = find_owner(t);

    if (owner && owner->verdict == CANDIDATE_EXCLUDED && !t->is_connection)
        buffer_append_format(b,
                             "%s cannot hear it now: the next packet that another proxy hears "
                             "moves the device there.",
                             name_of(owner));
}

static void advise_weak(struct buffer *b, const struct explain_text *t)
{
    if (count_hearing(t) == 1 && t->candidates[0].is_heard &&
        t->candidates[0].source.rssi_smoothed <= WEAK_DBM)
        buffer_append_format(b, "Only %s hears it, at %.0f dBm: a proxy nearer to it would help.",
                             name_of(&t->candidates[0]), t->candidates[0].source.rssi_smoothed);
}

static void advise_silent(struct buffer *b, const struct explain_text *t)
{
    const struct gateway_device *d = t->device;

    if (!d->row || d->is_available || count_online(t) == 0)
        return;
    buffer_append_text(b, "It has been silent since ");
    append_clock(b, t->gateway, d->last_seen);
    if (d->interval > 0)
        buffer_append_format(b, " and spoke each %.0f s at least before", seconds(d->interval));
    buffer_append_text(
            b, ": is it switched off, out of reach, out of battery, or connected to something?");
}

static void advise_lost(struct buffer *b, const struct explain_text *t)
{
    const struct candidate *c = find_owner(t);

    if (c && c->heard > 0 && c->lost > LOST_IS_MUCH * (double) (c->heard + c->lost))
        buffer_append_format(b,
                             "%s misses %.0f %% of its packets: it is far away, or the air is "
                             "crowded.",
                             name_of(c), 100.0 * c->lost / (double) (c->heard + c->lost));
}

static void advise_private(struct buffer *b, const struct explain_text *t)
{
    if (t->device->row && t->device->is_private)
        buffer_append_text(
                b,
                "Its address is a private one that changes every few minutes: the device goes on "
                "under another address then, and this one falls silent.");
}

static void advise_apple(struct buffer *b, const struct explain_text *t)
{
    if (t->device->row && t->device->is_apple_noise)
        buffer_append_text(b, "All that it says is what Apple's devices tell each other; that "
                              "changes all the time and means nothing to others.");
}

/* Who takes the connection, and how far behind the next one is. */
static void advise_carrier(struct buffer *b, const struct explain_text *t)
{
    const struct candidate *best = t->candidates, *next = t->candidates + 1;
    double weaker;

    if (!t->is_connection || t->count < 2 || best->verdict != CANDIDATE_CHOSEN ||
        next->verdict != CANDIDATE_POSSIBLE || find_carrier(t))
        return;
    weaker = best->route.rssi_smoothed - next->route.rssi_smoothed;
    buffer_append_format(b, "%s would carry it; %s hears it %.0f dB %s and scores %.0f dB less.",
                         name_of(best), name_of(next), fabs(weaker),
                         weaker < 0 ? "louder" : "weaker", best->route.score - next->route.score);
}

static size_t count_holders(const struct gateway *g, const struct candidate *c, const char *holder,
                            struct gateway_slot_entry *ret_last)
{
    struct gateway_slot_entry entry;
    size_t count = 0;

    for (size_t i = 0; gateway_get_slot_entry(g, c->proxy.index, i, &entry); i++) {
        if (strcmp(entry.holder, holder) != 0)
            continue;
        *ret_last = entry;
        count++;
    }
    return count;
}

/* The cheapest way to a slot of this proxy. */
static void append_way_to_a_slot(struct buffer *b, const struct gateway *g,
                                 const struct candidate *c)
{
    char text[BLE_ADDRESS_TEXT_SIZE];
    struct gateway_slot_entry entry;

    if (count_holders(g, c, "orphan", &entry) > 0) {
        buffer_append_text(b, "POST /connections/close-stale frees what nobody holds.");
    } else if (count_holders(g, c, "ours", &entry) > 0) {
        ble_address_format(text, entry.address);
        buffer_append_format(b, "DELETE /devices/%s/connection ends one of ours.", text);
    } else if (count_holders(g, c, "foreign", &entry) > 0) {
        ble_address_format(text, entry.address);
        buffer_append_format(b, "DELETE /proxies/%s/slots/%s ends another client's connection.",
                             name_of(c), text);
    } else {
        buffer_append_text(b, "Wait a moment, or add a proxy.");
    }
}

static void advise_slots(struct buffer *b, const struct explain_text *t)
{
    for (size_t i = 0; i < t->count && t->is_connection; i++) {
        const struct candidate *c = &t->candidates[i];

        if (c->cause != CANDIDATE_NO_FREE_SLOT)
            continue;
        buffer_append_format(b, "All connection slots of %s are taken: ", name_of(c));
        append_way_to_a_slot(b, t->gateway, c);
        return;
    }
}

static const struct candidate *find_cause(const struct explain_text *t, enum candidate_cause cause)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->candidates[i].cause == cause && t->candidates[i].is_heard)
            return &t->candidates[i];
    }
    return NULL;
}

/* Its own settings keep it from a proxy that hears it. */
static void advise_rules(struct buffer *b, const struct explain_text *t)
{
    const struct candidate *c;

    if (!t->is_connection || t->code == 0)
        return;
    if ((c = find_cause(t, CANDIDATE_NOT_REQUIRED)))
        buffer_append_format(b,
                             "%s hears it, but its settings require another proxy: PATCH "
                             "/devices/{address} with another settings.route.require.",
                             name_of(c));
    else if ((c = find_cause(t, CANDIDATE_FORBIDDEN)))
        buffer_append_format(b,
                             "%s hears it, but its settings forbid this proxy: PATCH "
                             "/devices/{address} with another settings.route.forbid.",
                             name_of(c));
}

/* A louder proxy is passed over for a while. */
static void advise_held_off(struct buffer *b, const struct explain_text *t)
{
    const struct candidate *c = find_cause(t, CANDIDATE_RECENT_FAILURE);

    if (t->is_connection && c)
        buffer_append_format(b,
                             "%s failed with it a moment ago and is passed over until it let go "
                             "of the device, 10 s at most.",
                             name_of(c));
}

static void advise_firmware(struct buffer *b, const struct explain_text *t)
{
    const struct candidate *c = find_cause(t, CANDIDATE_NOT_CONNECTABLE);

    if (t->is_connection && t->code != 0 && c)
        buffer_append_format(b,
                             "%s hears it and only listens: bluetooth_proxy with active: true "
                             "in its firmware would let it connect.",
                             name_of(c));
}

static advice_fn *const advices[] = {
        advise_nobody_online, advise_never_heard, advise_deaf_owner, advise_rival,
        advise_carrier,       advise_slots,       advise_rules,      advise_held_off,
        advise_firmware,      advise_weak,        advise_silent,     advise_lost,
        advise_private,       advise_apple,
};

/* The owner changes, the newest first: index 0 is the newest. */
static void append_past_owner(struct buffer *b, const struct explain_text *t, size_t index)
{
    struct gateway_past_owner last[OWNERS_IN_TEXT];
    struct gateway_past_position position = {0};
    struct gateway_past_owner owner;
    size_t count = 0;

    while (gateway_next_past_owner(t->gateway, t->device, &position, &owner))
        last[count++ % OWNERS_IN_TEXT] = owner;
    if (index < count && index < OWNERS_IN_TEXT && !t->is_connection)
        explain_text_owner(b, t->gateway, &last[(count - 1 - index) % OWNERS_IN_TEXT]);
}

bool explain_text_advice(struct buffer *b, const struct explain_text *t, size_t index)
{
    size_t found = 0;

    for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
        size_t before = buffer_size(b);

        advices[i](b, t);
        if (buffer_size(b) == before)
            continue;
        if (found++ == index)
            return true;
        buffer_consume(b, buffer_size(b));
    }
    append_past_owner(b, t, index - found);
    return buffer_size(b) > 0;
}
