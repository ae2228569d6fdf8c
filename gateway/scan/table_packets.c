/* The story. A batch comes from one source. For each report the row is found by address, then the
 * sighting of this source in it; RSSI is folded in, the payload goes to the merged view (which
 * mostly finds it unchanged), the owner rule is asked when the packet is not the owner's, and what
 * changed is told; a payload that changes again soon after it was told waits for a moment, so that
 * a device that changes with every packet does not cost a telling for each. Nothing else is
 * touched: what depends on time is found out when its time has come (table_rows.c).
 *
 * This is the hot path: what is rare stands apart, and the rows of a few reports are asked for
 * ahead.
 *
 * Failure modes. There is no room for a new device: the report is refused and counted. A row goes
 * while its batch is worked off, since another needed its place: the rows found ahead are then
 * found anew. */
#include "scan/table_core.h"

#include <assert.h>

#define WINDOW 16 /* reports whose memory is asked for ahead */

/* ---- who heard it ---- */

/* The slot of its last packet is over. Apart, so that the usual packets stay cheap. */
__attribute__((noinline)) static void end_slot(const struct device_table *t, const struct device *d,
                                               uint16_t source, struct sighting *s)
{
    struct device_slot slot;

    if (t->on_slot && s->slot_packets > 0) {
        slot = table_core_slot(s);
        t->on_slot(t->user, d->address, source, &slot);
    }
    s->slot_packets = 0;
    s->slot_sum = 0;
}

static void add_to_slot(struct sighting *s, int32_t rssi)
{
    s->slot_packets += rssi != 0;
    s->slot_sum += (uint32_t) rssi;
}

/* Notes who heard it, how loud; the index of the sighting, and when it was heard by it before. */
static uint16_t hear(struct device_table *t, struct device *d, uint16_t source,
                     const struct ble_report *report, usec_t *ret_before)
{
    uint16_t index = sightings_find(&d->sightings, source);
    struct sighting *s;

    if (index == SIGHTING_NONE)
        index = sightings_add(&d->sightings, t->memory, source);
    s = &d->sightings.items[index];
    *ret_before = s->last_seen;
    if (s->last_seen < t->slot_start)
        end_slot(t, d, source, s);
    add_to_slot(s, report->rssi);
    ownership_hear(&s->signal, report->rssi, s->rssi, t->now - s->last_seen, t->rule.alpha);
    s->last_seen = t->now;
    s->rssi = report->rssi;
    s->advertisements++;
    d->last_seen = t->now;
    d->last_report = t->reports;
    d->advertisements++;
    d->address_type = report->address_type;
    d->latest_source = source;
    d->latest_rssi = report->rssi;
    d->latest_is_parsed = report->is_parsed;
    return index;
}

/* The owner heard it, and before: learns the interval, but not from a time in which the owner could
 * not listen. */
static void learn_interval(struct device_table *t, struct device *d, usec_t before)
{
    const struct source *source = &t->sources[d->latest_source];
    uint32_t learned = d->interval.learned;

    if (before < source->interrupted)
        interval_restart(&d->interval);
    interval_heard(&d->interval, t->now);
    if (d->is_available &&
        (learned == 0 ? d->interval.learned != 0 : d->interval.learned < learned))
        table_rows_hasten(t, d);
}

/* ---- what it says ---- */

/* What one packet brought. */
struct news {
    unsigned payload_kinds; /* as in struct device_hearing, like the next two */
    usec_t heard_before, silent_since;
    usec_t before; /* the packet of this device and source before it; 0: the first one */
};

static void take_payload(struct device_table *t, struct device *d, uint16_t index,
                         const struct ble_report *report, struct news *ret_news)
{
    const struct merged_packet packet = {
            .data = report->data,
            .size = report->size,
            .source = d->latest_source,
            .now = t->now,
    };
    uint64_t parses = t->merged.parses;

    ret_news->payload_kinds =
            merged_view_take(&d->view, t->memory, &packet, &d->sightings.items[index].payload_hint,
                             &t->merged, &ret_news->heard_before);
    ret_news->payload_kinds |= merged_view_expire(&d->view, &t->ages, t->now);
    if (t->merged.parses != parses)
        t->sources[packet.source].counted.parses++;
}

/* The payload changed: it is told with this packet or, soon after the last time, waits. A change
 * that goes back before it was told is told all the same. */
static void note_payload(struct device_table *t, struct device *d, unsigned kinds,
                         struct device_change *change)
{
    bool is_waiting = d->payload_waiting != 0;

    d->payload_waiting |= kinds;
    d->payload_source = change->source;
    if (t->now - d->payload_told >= t->settings.tell_after)
        table_rows_take_waiting(t, d, change);
    else if (!is_waiting && d->is_available)
        table_rows_hasten(t, d);
}

/* The last step of a packet: tells what changed, and the packet itself to who listens. */
static void tell_packet(struct device_table *t, const struct device *d, uint16_t index,
                        const struct device_change *change, const struct ble_report *report,
                        const struct news *news)
{
    if (change->kinds)
        table_core_tell(t, change);
    if (!t->on_hearing)
        return;
    t->on_hearing(t->user, &(struct device_hearing){
                                   .device = d,
                                   .report = report,
                                   .source = change->source,
                                   .is_owner = d->owner == index,
                                   .payload_kinds = news->payload_kinds,
                                   .heard_before = news->heard_before,
                                   .silent_since = news->silent_since,
                           });
}

/* ---- a report, and many ---- */

/* It is heard again while its deadline is later than that of a device that is heard. */
static void wake(struct device_table *t, struct device *d, struct device_change *change)
{
    if (!d->is_available)
        change->kinds |= DEVICE_AVAILABILITY;
    d->is_available = true;
    table_rows_schedule(t, d);
}

static void observe_known(struct device_table *t, struct device *d, uint16_t source,
                          const struct ble_report *report)
{
    struct device_change change = {.device = d, .source = source};
    struct news news = {.silent_since = d->last_seen};
    uint16_t index = hear(t, d, source, report, &news.before);

    take_payload(t, d, index, report, &news);
    if (news.payload_kinds)
        note_payload(t, d, news.payload_kinds, &change);
    if (index != d->owner)
        table_owner_consider(t, d, index, &change);
    if (index == d->owner)
        learn_interval(t, d, news.before);
    if (!d->is_available || d->is_excused)
        wake(t, d, &change);
    if (change.kinds && d->payload_waiting)
        table_rows_take_waiting(t, d, &change);
    if (change.kinds || t->on_hearing)
        tell_packet(t, d, index, &change, report, &news);
    if (d->is_watched && t->on_watched)
        t->on_watched(t->user, source, report);
}

static void observe_new(struct device_table *t, uint16_t source, const struct ble_report *report)
{
    struct device *d = table_rows_add(t, report->address, report->address_type);
    struct device_change change = {
            .kinds = DEVICE_FIRST_SEEN,
            .device = d,
            .source = source,
    };
    struct news news = {0};
    uint16_t index;

    if (!d) {
        t->refused++;
        t->sources[source].counted.refused++;
        return;
    }
    index = hear(t, d, source, report, &news.before);
    take_payload(t, d, index, report, &news);
    change.payload_kinds = news.payload_kinds;
    table_owner_consider(t, d, index, &change);
    learn_interval(t, d, news.before);
    tell_packet(t, d, index, &change, report, &news);
    if (d->is_watched && t->on_watched)
        t->on_watched(t->user, source, report);
}

/* Three cache lines, of what may be nowhere. */
static inline void fetch_ahead(const void *from)
{
    for (uintptr_t line = 0; line < 3; line++)
        __builtin_prefetch((const void *) ((uintptr_t) from + line * 64), 1);
}

/* Finds the rows of a few reports and asks for what will be read in them, so that the processor
 * waits once for all and not for each. */
static void find_ahead(const struct device_table *t, const struct ble_report *reports, size_t count,
                       struct device *ret_rows[WINDOW])
{
    size_t places[WINDOW];

    for (size_t i = 0; i < count; i++)
        places[i] = map_prefetch(t->devices, reports[i].address);
    for (size_t i = 0; i < count; i++) {
        ret_rows[i] = map_find_from(t->devices, places[i], reports[i].address);
        if (ret_rows[i])
            fetch_ahead(ret_rows[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (ret_rows[i]) {
            fetch_ahead(ret_rows[i]->sightings.items);
            __builtin_prefetch(merged_view_latest(&ret_rows[i]->view), 1);
        }
    }
}

static void observe_window(struct device_table *t, uint16_t source,
                           const struct ble_report *reports, size_t count)
{
    struct device *rows[WINDOW];
    uint64_t rows_changed = t->rows_changed;

    find_ahead(t, reports, count, rows);
    for (size_t i = 0; i < count; i++) {
        assert(reports[i].size <= BLE_REPORT_DATA_MAX);
        if (t->rows_changed != rows_changed) /* what was found may be gone, or have come */
            rows[i] = map_find(t->devices, reports[i].address);
        t->reports++;
        if (rows[i])
            observe_known(t, rows[i], source, &reports[i]);
        else
            observe_new(t, source, &reports[i]);
    }
}

void device_table_observe(struct device_table *t, uint16_t source, const struct ble_report *reports,
                          size_t count, usec_t now)
{
    struct source *s;

    table_core_set_now(t, now);
    if (count == 0)
        return;
    s = table_sources_get(t, source);
    s->last_heard = t->now;
    s->counted.reports += count;
    while (count > 0) {
        size_t window = count < WINDOW ? count : WINDOW;

        observe_window(t, source, reports, window);
        reports += window;
        count -= window;
    }
}
