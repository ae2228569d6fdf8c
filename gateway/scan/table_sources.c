/* The story. Sources come when they are first named, go online, pause while they connect to
 * something, and go. Silence counts only while somebody listens: a source that is offline or
 * connects hears nothing, so what it owns is not silent for that, its pauses are no intervals, and
 * the devices that it alone heard stay available for a minute after it went. The heap of deadlines
 * does not know about that; when a deadline has come, the row's sources are looked at here and it
 * is put off.
 *
 * Failure modes. A source that pauses for ever, or comes and goes, excuses its silence for 15
 * minutes as an owner (stale_after), and for a minute as an ear. One that is removed leaves nothing
 * behind: no sighting, no ownership, nor its number at what it said. */
#include "scan/table_core.h"

#include <assert.h>

#include "base/memory.h"

struct source *table_sources_get(struct device_table *t, uint16_t source)
{
    size_t count = t->sources_count ? t->sources_count : 16;

    assert(source < DEVICE_TABLE_SOURCES_MAX);
    if (source < t->sources_count)
        return &t->sources[source];
    while (count <= source)
        count *= 2;
    t->sources = memory_resize(t->sources, count, sizeof *t->sources);
    for (size_t i = t->sources_count; i < count; i++)
        t->sources[i] = (struct source){0};
    t->sources_count = count;
    return &t->sources[source];
}

static bool is_listening(const struct source *s)
{
    return s->is_online && !s->is_connecting;
}

usec_t table_sources_deaf_until(const struct source *s, usec_t now)
{
    return s->is_connecting ? clock_earlier(now, s->went_deaf + DEVICE_PAUSE_MAX) : s->listens;
}

/* When the source, which heard a device last at that time, went deaf: offline, connecting or quiet,
 * the last time that it did. What it heard in between was on its way already. 0: never. */
static usec_t deaf_since(const struct device_table *t, const struct source *s, usec_t heard)
{
    bool is_quiet = clock_since(s->last_heard, t->now) > t->settings.quiet_after;
    usec_t went = is_quiet ? clock_later(s->last_heard, s->went_deaf) : s->went_deaf;

    return is_listening(s) ? went : clock_later(went, heard);
}

usec_t table_sources_excused_until(const struct device_table *t, const struct device *d)
{
    usec_t patience = table_core_patience(t, d), until = 0;

    for (uint16_t i = 0; i < d->sightings.count; i++) {
        const struct sighting *s = &d->sightings.items[i];
        usec_t deaf = deaf_since(t, &t->sources[sightings_source(&d->sightings, i)], s->last_seen);

        if (clock_after(s->last_seen, patience) < d->last_seen)
            continue; /* it had lost the device before the others did */
        if (deaf < s->last_seen || deaf > clock_after(s->last_seen, patience))
            return 0;
        until = clock_later(until, clock_after(deaf, DEVICE_RESTORED_GRACE));
    }
    return until;
}

/* ---- the door ---- */

/* After a change: it may have gone deaf with it, or have begun to listen. */
static void note_listening(const struct device_table *t, struct source *s, bool was_listening)
{
    if (was_listening && !is_listening(s))
        s->went_deaf = t->now;
    else if (!was_listening && is_listening(s))
        s->listens = t->now;
    s->interrupted = clock_later(s->went_deaf + 1, s->listens);
}

void device_table_source_online(struct device_table *t, uint16_t source, bool is_online, usec_t now)
{
    struct source *s = table_sources_get(t, source);
    bool was_listening = is_listening(s);

    table_core_set_now(t, now);
    s->is_online = is_online;
    s->is_connecting &= is_online;
    note_listening(t, s, was_listening);
}

void device_table_source_connecting(struct device_table *t, uint16_t source, bool is_connecting,
                                    usec_t now)
{
    struct source *s = table_sources_get(t, source);
    bool was_listening = is_listening(s);

    table_core_set_now(t, now);
    s->is_connecting = is_connecting && s->is_online;
    note_listening(t, s, was_listening);
}

void device_table_source_can_connect(struct device_table *t, uint16_t source, bool can_connect)
{
    table_sources_get(t, source)->can_connect = can_connect;
}

static void forget_sighting(struct device *d, uint16_t source)
{
    uint16_t index = sightings_find(&d->sightings, source);

    if (index == SIGHTING_NONE)
        return;
    if (d->owner == index)
        d->owner = SIGHTING_NONE;
    else if (d->owner != SIGHTING_NONE && d->owner > index)
        d->owner--;
    if (d->latest_source == source)
        d->latest_source = SOURCE_NONE;
    if (d->payload_source == source)
        d->payload_source = SOURCE_NONE;
    sightings_remove(&d->sightings, index);
    merged_view_forget_source(&d->view, source);
}

void device_table_source_remove(struct device_table *t, uint16_t source)
{
    size_t position = 0;
    struct device *d;
    struct need *need;

    *table_sources_get(t, source) = (struct source){0};
    while ((d = map_next(t->devices, &position)))
        forget_sighting(d, source);
    position = 0;
    while ((need = map_next(t->needs, &position))) {
        if (need->owner == source || need->challenger == source)
            need->owner = need->challenger = SOURCE_NONE; /* the question is void */
    }
}

void device_table_get_source_statistics(const struct device_table *t, uint16_t source,
                                        struct device_source_statistics *ret_statistics)
{
    *ret_statistics = (struct device_source_statistics){0};
    if (source >= t->sources_count)
        return;
    *ret_statistics = t->sources[source].counted;
    ret_statistics->reports -= ret_statistics->refused;
}
