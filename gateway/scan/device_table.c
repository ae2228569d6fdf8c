/* The story. A batch comes from one source. For each report the row is found by address, then the
 * sighting of this source in it; RSSI is folded in, the payload goes to the merged view (which
 * mostly finds it unchanged), the owner rule is asked when the packet is not the owner's, and what
 * changed is told; a payload that changes again soon after it was told waits for a moment, so that
 * a device that changes with every packet does not cost a telling for each. Nothing else is
 * touched: recency and deadlines stand in two heaps that are lazy.
 * Their keys are never later than the truth; only when an entry comes to the top is it compared
 * with its row and moved back, so a device that is heard all the time costs them nothing.
 *
 * A device that is restored gets its row without a report: nothing is told, and the deadlines take
 * into account since when the table listens.
 *
 * Silence counts only while somebody listens. A source that is offline or connects to something
 * hears nothing: what it owns is not silent for that, its pauses are no intervals, and the devices
 * that it alone heard stay available for a minute after it went. The heap of deadlines does not
 * know about that; when a deadline has come, the row's sources are looked at and it is put off.
 *
 * Failure modes. The table is full: the least recently heard row that is not pinned goes, exactly
 * that one, because the recency key is a running number of reports and no two are equal. Every row
 * is pinned: the report is refused and counted. Devices that fall silent become unavailable and
 * then forgotten, at deadlines; time that goes backwards is taken as standing still. A source that
 * pauses for ever, or comes and goes, excuses its silence for 15 minutes as an owner (stale_after),
 * and for a minute as an ear. */
#include "device_table.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/slab.h"
#include "ble/address.h"
#include "interval.h"
#include "merged_view.h"
#include "rescue.h"
#include "sightings.h"

#define WINDOW            16 /* reports whose memory is asked for ahead */
#define PATH_AGE_DB_PER_S 0.1
#define RSSI_UNKNOWN_DBM  (-127.0)

struct device {
    uint64_t address;
    usec_t last_seen;
    uint64_t last_report; /* running number of its last report */
    uint64_t advertisements;
    struct sightings sightings;
    uint16_t owner; /* index into sightings, or SIGHTING_NONE */
    uint16_t latest_source;
    int8_t latest_rssi;
    uint8_t address_type;
    bool latest_is_parsed, is_available, is_pinned, has_need, is_watched;
    bool is_excused; /* its deadline was put off; the next packet sets it anew */
    struct merged_view view;
    struct interval interval; /* of the owner's packets */
    usec_t first_seen;
    usec_t expected_interval; /* 0: not known */
    usec_t payload_told;      /* when DEVICE_PAYLOAD was told last, or the row was made */
    unsigned payload_waiting; /* kinds of what changed since and was not told */
    uint16_t payload_source;  /* whose packet changed it last */
    struct heap_node recency; /* not in it while pinned */
    struct heap_node due;     /* not in it while pinned and not available */
};

struct source {
    usec_t last_heard;  /* any device */
    usec_t went_deaf;   /* offline or connecting, the last time; 0: never */
    usec_t listens;     /* online and not connecting, since then */
    usec_t interrupted; /* a gap that began earlier is none of a device */
    bool is_online, is_connecting, can_connect;
    struct device_source_statistics counted; /* its reports include the refused ones */
};

struct pin {
    uint64_t address;
    usec_t expected_interval;
};

struct need {
    uint64_t address;
    struct rescue rescue;
    uint16_t challenger; /* of the last question, as the next */
    uint16_t owner;
};

struct device_table {
    struct device_table_settings settings;
    struct ownership_rule rule; /* part of the settings, as the next */
    struct merged_ages ages;
    device_table_change_fn *on_change;
    device_table_hearing_fn *on_hearing; /* NULL: nobody listens */
    device_table_rescue_fn *on_rescue;   /* NULL: nobody answers */
    device_table_slot_fn *on_slot;       /* NULL: nobody wants them, as the next */
    device_table_watched_fn *on_watched;
    void *user;
    usec_t now;
    usec_t slot_start;   /* of the slot in which we are */
    struct map *devices; /* address -> struct device, in memory */
    struct map *pins;    /* address -> struct pin, ours */
    struct map *needs;   /* address -> struct need, ours */
    struct slab *memory;
    struct heap recency; /* keys: last_report, or an earlier one */
    struct heap due;     /* keys: deadline, or an earlier time */
    struct source *sources;
    size_t sources_count;
    uint64_t rows_changed; /* counts rows that came or went */
    struct merged_counts merged;
    usec_t listening_since; /* the first restore: nothing was heard before it; 0: never */
    uint64_t reports, restored, refused, evicted, forgotten;
    uint64_t owner_changes[OWNER_WHY_COUNT];
};

/* ---- time ---- */

static void set_now(struct device_table *t, usec_t now)
{
    if (now <= t->now)
        return;
    t->now = now;
    if (now - t->slot_start >= DEVICE_SLOT)
        t->slot_start = now - now % DEVICE_SLOT;
}

static usec_t interval_of(const struct device *d)
{
    usec_t learned = interval_learned(&d->interval);

    return learned ? learned : d->expected_interval;
}

/* How long a silent device is taken for available. */
static usec_t patience_with(const struct device_table *t, const struct device *d)
{
    return ownership_stale_time(&t->rule, interval_of(d));
}

/* When the next thing is due for a device that is not heard any more: what waits is told, then it
 * becomes unavailable, and only then it is forgotten. */
static usec_t deadline_of(const struct device_table *t, const struct device *d)
{
    const struct device_table_settings *s = &t->settings;
    usec_t forget_after, listened = t->listening_since;

    if (d->payload_waiting)
        return clock_after(d->payload_told, s->tell_after);
    if (d->is_available)
        return clock_later(clock_after(d->last_seen, patience_with(t, d)),
                           listened ? clock_after(listened, DEVICE_RESTORED_GRACE) : 0);
    forget_after = ble_address_is_private(d->address, d->address_type) ? s->forget_private_after
                                                                       : s->forget_after;
    return clock_later(clock_after(d->last_seen, forget_after),
                       listened ? clock_after(listened, clock_earlier(forget_after, s->stale_after))
                                : 0);
}

static void schedule(struct device_table *t, struct device *d)
{
    d->is_excused = false;
    if (d->is_pinned && !d->is_available)
        heap_remove(&t->due, &d->due);
    else
        heap_set(&t->due, &d->due, deadline_of(t, d));
}

/* The deadline of a device that is heard is sooner than it was. Where the heap has a still earlier
 * time, the truth is found when that has come. */
static void hasten(struct device_table *t, struct device *d)
{
    heap_hasten(&t->due, &d->due, deadline_of(t, d));
}

/* ---- rows ---- */

static void apply_pin(struct device_table *t, struct device *d)
{
    const struct pin *pin = map_find(t->pins, d->address);

    d->is_pinned = pin != NULL;
    d->expected_interval = pin ? pin->expected_interval : 0;
    if (d->is_pinned)
        heap_remove(&t->recency, &d->recency);
    else
        heap_set(&t->recency, &d->recency, d->last_report);
    schedule(t, d);
}

static struct need *need_of(const struct device_table *t, const struct device *d)
{
    return d->has_need ? map_find(t->needs, d->address) : NULL;
}

static void remove_row(struct device_table *t, struct device *d)
{
    (void) map_take(t->devices, d->address);
    heap_remove(&t->recency, &d->recency);
    heap_remove(&t->due, &d->due);
    sightings_done(&d->sightings, t->memory);
    merged_view_done(&d->view, t->memory);
    slab_give(t->memory, d, sizeof *d);
    t->rows_changed++;
}

static void tell(const struct device_table *t, const struct device_change *change)
{
    if (t->on_change)
        t->on_change(t->user, change);
}

static void forget(struct device_table *t, struct device *d)
{
    tell(t, &(struct device_change){
                    .kinds = DEVICE_FORGOTTEN,
                    .device = d,
                    .source = SOURCE_NONE,
            });
    remove_row(t, d);
}

/* Drops the least recently heard row; false when all are pinned. */
static bool evict(struct device_table *t)
{
    for (;;) {
        uint64_t key;
        struct heap_node *node = heap_first(&t->recency, &key);
        struct device *d;

        if (!node)
            return false;
        d = CONTAINER_OF(node, struct device, recency);
        if (d->last_report == key) {
            t->evicted++;
            forget(t, d);
            return true;
        }
        heap_set(&t->recency, node, d->last_report);
    }
}

/* NULL: there is no room. */
static struct device *add_row(struct device_table *t, uint64_t address, uint8_t address_type)
{
    struct device *d;

    if (map_count(t->devices) >= t->settings.devices_max && !evict(t))
        return NULL;
    d = slab_take(t->memory, sizeof *d);
    *d = (struct device){
            .address = address,
            .address_type = address_type,
            .first_seen = t->now,
            .last_seen = t->now,
            .last_report = t->reports,
            .payload_told = t->now,
            .payload_source = SOURCE_NONE,
            .owner = SIGHTING_NONE,
            .is_available = true,
            .has_need = map_find(t->needs, address) != NULL,
    };
    map_put(t->devices, d->address, d);
    apply_pin(t, d);
    t->rows_changed++;
    return d;
}

/* ---- sources ---- */

static struct source *get_source(struct device_table *t, uint16_t source)
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

/* ---- observing ---- */

/* Until when it could not listen: now, while an attempt to connect is young. */
static usec_t deaf_until(const struct source *s, usec_t now)
{
    return s->is_connecting ? clock_earlier(now, s->went_deaf + DEVICE_PAUSE_MAX) : s->listens;
}

static struct ownership_claim claim_of(const struct device_table *t, const struct device *d,
                                       uint16_t index, usec_t now)
{
    const struct sighting *s = &d->sightings.items[index];
    const struct source *source = &t->sources[sightings_source(&d->sightings, index)];
    usec_t deaf = deaf_until(source, now);
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

static double rssi_smoothed(const struct sighting *s)
{
    return s->signal.count ? (double) s->signal.fast : (double) NAN;
}

/* The sighting at index takes the device over; tells so in the change. */
static void move_to(struct device_table *t, struct device *d, uint16_t index,
                    struct device_change *change)
{
    struct sighting *to = &d->sightings.items[index];

    change->kinds |= DEVICE_OWNER;
    change->owner_from = SOURCE_NONE;
    change->rssi_from = (double) NAN;
    change->rssi_to = rssi_smoothed(to);
    if (d->owner != SIGHTING_NONE) {
        struct sighting *from = &d->sightings.items[d->owner];

        change->owner_from = sightings_source(&d->sightings, d->owner);
        change->rssi_from = rssi_smoothed(from);
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
    return silent_for <= patience_with(t, d) &&
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
            .interval = interval_of(d),
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

/* After a packet of the sighting at index, which is not the owner's. */
static void consider_owner(struct device_table *t, struct device *d, uint16_t index,
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

static struct device_slot slot_of(const struct sighting *s)
{
    return (struct device_slot){
            .start = s->last_seen - s->last_seen % DEVICE_SLOT,
            .packets = s->slot_packets,
            .rssi = s->slot_packets ? (double) (int32_t) s->slot_sum / (double) s->slot_packets
                                    : (double) NAN,
    };
}

/* The slot of its last packet is over. Apart, so that the usual packets stay cheap. */
__attribute__((noinline)) static void end_slot(const struct device_table *t, const struct device *d,
                                               uint16_t source, struct sighting *s)
{
    struct device_slot slot;

    if (t->on_slot && s->slot_packets > 0) {
        slot = slot_of(s);
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
        hasten(t, d);
}

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

/* Adds what waits to a change that is told anyway. */
static void take_waiting(struct device_table *t, struct device *d, struct device_change *change)
{
    change->kinds |= DEVICE_PAYLOAD;
    change->payload_kinds |= d->payload_waiting;
    d->payload_waiting = 0;
    d->payload_told = t->now;
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
        take_waiting(t, d, change);
    else if (!is_waiting && d->is_available)
        hasten(t, d);
}

/* The last step of a packet: tells what changed, and the packet itself to who listens. */
static void tell_packet(struct device_table *t, const struct device *d, uint16_t index,
                        const struct device_change *change, const struct ble_report *report,
                        const struct news *news)
{
    if (change->kinds)
        tell(t, change);
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

/* It is heard again while its deadline is later than that of a device that is heard. */
static void wake(struct device_table *t, struct device *d, struct device_change *change)
{
    if (!d->is_available)
        change->kinds |= DEVICE_AVAILABILITY;
    d->is_available = true;
    schedule(t, d);
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
        consider_owner(t, d, index, &change);
    if (index == d->owner)
        learn_interval(t, d, news.before);
    if (!d->is_available || d->is_excused)
        wake(t, d, &change);
    if (change.kinds && d->payload_waiting)
        take_waiting(t, d, &change);
    if (change.kinds || t->on_hearing)
        tell_packet(t, d, index, &change, report, &news);
    if (d->is_watched && t->on_watched)
        t->on_watched(t->user, source, report);
}

static void observe_new(struct device_table *t, uint16_t source, const struct ble_report *report)
{
    struct device *d = add_row(t, report->address, report->address_type);
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
    consider_owner(t, d, index, &change);
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

/* ---- restoring ---- */

static void restore_sources(struct device_table *t, struct device *d,
                            const struct device_restored *r)
{
    for (size_t i = 0; i < r->sources_count; i++) {
        const struct device_source *from = &r->sources[i];
        uint16_t index;

        if (from->source >= DEVICE_TABLE_SOURCES_MAX ||
            sightings_find(&d->sightings, from->source) != SIGHTING_NONE)
            continue;
        (void) get_source(t, from->source); /* the owner rule will look at it */
        index = sightings_add(&d->sightings, t->memory, from->source);
        d->sightings.items[index] = (struct sighting){
                .last_seen = clock_earlier(from->last_seen, t->now),
                .advertisements = from->advertisements < UINT32_MAX
                                          ? (uint32_t) from->advertisements
                                          : UINT32_MAX,
                .rssi = from->rssi,
        };
        if (!isnan(from->rssi_smoothed))
            ownership_restore(&d->sightings.items[index].signal, from->rssi_smoothed);
        if (from->is_owner)
            d->owner = index;
    }
}

/* Only sources with a sighting may be named, since the others' removal would leave them behind. */
static uint16_t restored_source(const struct device *d, uint16_t source)
{
    return sightings_find(&d->sightings, source) != SIGHTING_NONE ? source : (uint16_t) SOURCE_NONE;
}

static void restore_view(struct device_table *t, struct device *d, const struct device_restored *r)
{
    size_t size = r->latest.size <= BLE_REPORT_DATA_MAX ? r->latest.size : 0;
    const struct merged_packet latest = {
            .data = r->latest.ad_data,
            .size = (uint8_t) size,
            .source = restored_source(d, r->latest.source),
            .now = d->last_seen,
    };

    for (size_t i = 0; i < r->elements_count; i++) {
        struct device_element e = r->elements[i];

        e.source = restored_source(d, e.source);
        e.last_seen = clock_earlier(e.last_seen, d->last_seen);
        (void) merged_view_restore_element(&d->view, t->memory, &e);
    }
    merged_view_restore_latest(&d->view, t->memory, &latest);
    d->latest_source = latest.source;
    d->latest_rssi = r->latest.rssi;
    d->latest_is_parsed = r->latest.is_parsed;
}

/* ---- time that has come ---- */

static bool is_listening(const struct source *s)
{
    return s->is_online && !s->is_connecting;
}

/* When the source, which heard a device last at that time, went deaf: offline, connecting or quiet,
 * the last time that it did. What it heard in between was on its way already. 0: never. */
static usec_t deaf_since(const struct device_table *t, const struct source *s, usec_t heard)
{
    bool is_quiet = clock_since(s->last_heard, t->now) > t->settings.quiet_after;
    usec_t went = is_quiet ? clock_later(s->last_heard, s->went_deaf) : s->went_deaf;

    return is_listening(s) ? went : clock_later(went, heard);
}

/* Until when a silent device is excused: each source that should have heard it went deaf before it
 * could notice. 0: it is not, one has listened and heard nothing. */
static usec_t excused_until(const struct device_table *t, const struct device *d)
{
    usec_t patience = patience_with(t, d), until = 0;

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

static struct ownership_rule rule_of(const struct device_table_settings *s)
{
    return (struct ownership_rule){
            .margin_db = s->margin_db,
            .reclaim_db = s->reclaim_db,
            .strong_dbm = s->strong_dbm,
            .roam_factor = s->roam_factor,
            .gone_factor = s->gone_factor,
            .alpha = (float) s->ewma_alpha,
            .stale_after = s->stale_after,
            .quiet_after = s->quiet_after,
    };
}

static struct merged_ages ages_of(const struct device_table_settings *s)
{
    return (struct merged_ages){s->forget_after, DEVICE_SCAN_RESPONSE_AGE};
}

struct device_table *device_table_new(const struct device_table_settings *settings,
                                      device_table_change_fn *on_change, void *user)
{
    struct device_table *t = xnew(struct device_table, 1);

    assert(settings->devices_max > 0);
    t->settings = *settings;
    t->rule = rule_of(settings);
    t->ages = ages_of(settings);
    t->on_change = on_change;
    t->user = user;
    t->devices = map_new(settings->hash_seed);
    t->pins = map_new(settings->hash_seed);
    t->needs = map_new(settings->hash_seed);
    t->memory = slab_new();
    return t;
}

static void free_values(struct map *m)
{
    size_t position = 0;
    void *value;

    while ((value = map_next(m, &position)))
        free(value);
    map_free(m);
}

void device_table_free(struct device_table *t)
{
    if (!t)
        return;
    free_values(t->pins);
    free_values(t->needs);
    map_free(t->devices);
    heap_done(&t->recency);
    heap_done(&t->due);
    slab_free(t->memory);
    free(t->sources);
    free(t);
}

void device_table_listen(struct device_table *t, device_table_hearing_fn *on_hearing)
{
    t->on_hearing = on_hearing;
}

void device_table_on_slot(struct device_table *t, device_table_slot_fn *on_slot)
{
    t->on_slot = on_slot;
}

void device_table_on_watched(struct device_table *t, device_table_watched_fn *on_watched)
{
    t->on_watched = on_watched;
}

void device_table_watch(struct device_table *t, uint64_t address)
{
    struct device *d = map_find(t->devices, address);

    if (d)
        d->is_watched = true;
}

void device_table_configure(struct device_table *t, const struct device_table_settings *settings)
{
    uint32_t devices_max = t->settings.devices_max;
    size_t position = 0;
    struct device *d;

    t->settings = *settings;
    t->settings.devices_max = devices_max;
    t->rule = rule_of(settings);
    t->ages = ages_of(settings);
    while ((d = map_next(t->devices, &position))) {
        d->view.expiry = 0; /* to be found anew */
        schedule(t, d);
    }
}

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
    struct source *s = get_source(t, source);
    bool was_listening = is_listening(s);

    set_now(t, now);
    s->is_online = is_online;
    s->is_connecting &= is_online;
    note_listening(t, s, was_listening);
}

void device_table_source_connecting(struct device_table *t, uint16_t source, bool is_connecting,
                                    usec_t now)
{
    struct source *s = get_source(t, source);
    bool was_listening = is_listening(s);

    set_now(t, now);
    s->is_connecting = is_connecting && s->is_online;
    note_listening(t, s, was_listening);
}

void device_table_source_can_connect(struct device_table *t, uint16_t source, bool can_connect)
{
    get_source(t, source)->can_connect = can_connect;
}

void device_table_source_remove(struct device_table *t, uint16_t source)
{
    size_t position = 0;
    struct device *d;

    *get_source(t, source) = (struct source){0};
    while ((d = map_next(t->devices, &position)))
        forget_sighting(d, source);
}

void device_table_observe(struct device_table *t, uint16_t source, const struct ble_report *reports,
                          size_t count, usec_t now)
{
    struct source *s;

    set_now(t, now);
    if (count == 0)
        return;
    s = get_source(t, source);
    s->last_heard = t->now;
    s->counted.reports += count;
    while (count > 0) {
        size_t window = count < WINDOW ? count : WINDOW;

        observe_window(t, source, reports, window);
        reports += window;
        count -= window;
    }
}

void device_table_pin(struct device_table *t, uint64_t address, bool is_pinned,
                      usec_t expected_interval)
{
    struct pin *pin = map_take(t->pins, address);
    struct device *d = map_find(t->devices, address);

    free(pin);
    if (is_pinned) {
        pin = xnew(struct pin, 1);
        *pin = (struct pin){address, expected_interval};
        map_put(t->pins, address, pin);
    }
    if (d)
        apply_pin(t, d);
}

bool device_table_clear_history(struct device_table *t, uint64_t address)
{
    struct device *d = map_find(t->devices, address);

    if (!d)
        return false;
    merged_view_clear(&d->view, t->memory);
    return true;
}

bool device_table_forget(struct device_table *t, uint64_t address)
{
    struct device *d = map_find(t->devices, address);

    if (!d)
        return false;
    t->forgotten++;
    forget(t, d);
    return true;
}

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

    set_now(t, now);
    if (need && (source == need->owner || source == need->challenger))
        rescue_cover(&need->rescue, t->now);
}

static void tell_waiting(struct device_table *t, struct device *d)
{
    struct device_change change = {.device = d, .source = d->payload_source};

    take_waiting(t, d, &change);
    schedule(t, d);
    tell(t, &change);
}

/* The deadline of this device has come. */
static void do_due(struct device_table *t, struct device *d)
{
    if (!d->is_available) {
        t->forgotten++;
        forget(t, d);
        return;
    }
    d->is_available = false;
    schedule(t, d);
    tell(t, &(struct device_change){
                    .kinds = DEVICE_AVAILABILITY,
                    .device = d,
                    .source = SOURCE_NONE,
            });
}

void device_table_advance(struct device_table *t, usec_t now)
{
    struct heap_node *node;
    uint64_t key;

    set_now(t, now);
    while ((node = heap_first(&t->due, &key)) && key <= t->now) {
        struct device *d = CONTAINER_OF(node, struct device, due);
        usec_t deadline = deadline_of(t, d), excused = 0;

        if (deadline <= t->now && d->payload_waiting) {
            tell_waiting(t, d);
            continue;
        }
        if (deadline <= t->now && d->is_available)
            excused = excused_until(t, d);
        d->is_excused = excused > t->now;
        deadline = clock_later(deadline, excused);
        if (deadline <= t->now)
            do_due(t, d);
        else
            heap_set(&t->due, node, deadline);
    }
}

usec_t device_table_deadline(const struct device_table *t)
{
    uint64_t key;

    (void) heap_first(&t->due, &key);
    return key; /* USEC_NEVER when there is none */
}

size_t device_table_count(const struct device_table *t)
{
    return map_count(t->devices);
}

size_t device_table_count_available(const struct device_table *t)
{
    size_t count = 0, position = 0;
    const struct device *d;

    while ((d = map_next(t->devices, &position)))
        count += d->is_available;
    return count;
}

const struct device *device_table_find(const struct device_table *t, uint64_t address)
{
    return map_find(t->devices, address);
}

const struct device *device_table_next(const struct device_table *t, size_t *position)
{
    return map_next(t->devices, position);
}

void device_get_facts(const struct device_table *t, const struct device *d,
                      struct device_facts *ret_facts)
{
    const struct payload *latest = merged_view_latest(&d->view);
    struct device_source owner = {
            .source = SOURCE_NONE,
            .rssi_smoothed = (double) NAN,
    };

    if (d->owner != SIGHTING_NONE)
        (void) device_get_source(t, d, d->owner, &owner);
    *ret_facts = (struct device_facts){
            .address = d->address,
            .address_type = d->address_type,
            .is_available = d->is_available,
            .is_pinned = d->is_pinned,
            .rssi = owner.rssi,
            .rssi_smoothed = owner.rssi_smoothed,
            .owner = owner.source,
            .first_seen = d->first_seen,
            .last_seen = d->last_seen,
            .interval = interval_of(d),
            .interval_learned = interval_learned(&d->interval),
            .name = d->view.name,
            .name_size = d->view.name_size,
            .has_tx_power = latest->has_tx_power,
            .tx_power = latest->tx_power,
            .is_apple_noise = merged_view_is_apple_noise(&d->view),
            .advertisements = d->advertisements,
    };
}

void device_get_latest(const struct device_table *t, const struct device *d,
                       struct device_packet *ret_packet)
{
    const struct payload *p = merged_view_latest(&d->view);

    (void) t;
    *ret_packet = (struct device_packet){
            .time = d->last_seen,
            .source = d->latest_source,
            .rssi = d->latest_rssi,
            .is_parsed = d->latest_is_parsed,
            .data = d->latest_is_parsed ? NULL : p->octets,
            .ad_data = p->octets,
            .size = p->size,
    };
}

bool device_get_source(const struct device_table *t, const struct device *d, size_t index,
                       struct device_source *ret_source)
{
    const struct sighting *s;
    uint16_t source;

    if (index >= d->sightings.count)
        return false;
    s = &d->sightings.items[index];
    source = sightings_source(&d->sightings, (uint16_t) index);
    *ret_source = (struct device_source){
            .source = source,
            .rssi = s->rssi,
            .rssi_smoothed = rssi_smoothed(s),
            .last_seen = s->last_seen,
            .advertisements = s->advertisements,
            .is_owner = index == d->owner,
            .can_connect = t->sources[source].can_connect,
            .slot = slot_of(s),
    };
    return true;
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
    ownership_explain(&t->rule, owner.signal, &d->sightings.items[index].signal, interval_of(d),
                      &ret_rivalry->terms);
    return true;
}

static bool is_heard(const struct sighting *s, usec_t now)
{
    return clock_since(s->last_seen, now) <= DEVICE_HOLDERS_AGE;
}

/* Puts it where it belongs among the count best; what is worse than max others falls out. */
static size_t insert_path(struct device_path *paths, size_t count, size_t max,
                          struct device_path path)
{
    size_t at = count < max ? count : max;

    while (at > 0 && paths[at - 1].rssi < path.rssi) {
        if (at < max)
            paths[at] = paths[at - 1];
        at--;
    }
    if (at < max)
        paths[at] = path;
    return count < max ? count + 1 : max;
}

size_t device_get_paths(const struct device_table *t, const struct device *d, usec_t now,
                        struct device_path *ret_paths, size_t max)
{
    size_t count = 0;

    for (uint16_t i = 0; i < d->sightings.count; i++) {
        const struct sighting *s = &d->sightings.items[i];
        uint16_t number = sightings_source(&d->sightings, i);
        const struct source *source = &t->sources[number];
        double age_s = (double) clock_since(s->last_seen, now) / (double) USEC_PER_SEC;
        double rssi = s->signal.count ? (double) s->signal.fast : RSSI_UNKNOWN_DBM;

        if (source->is_online && source->can_connect && is_heard(s, now))
            count = insert_path(ret_paths, count, max,
                                (struct device_path){number, rssi - age_s * PATH_AGE_DB_PER_S});
    }
    return count;
}

bool device_get_element(const struct device_table *t, const struct device *d, size_t index,
                        struct device_element *ret_element)
{
    (void) t;
    return merged_view_get(&d->view, index, ret_element);
}

bool device_table_restore(struct device_table *t, const struct device_restored *r, usec_t now)
{
    struct device *d;

    set_now(t, now);
    if (t->listening_since == 0)
        t->listening_since = t->now;
    if (map_find(t->devices, r->address))
        return false;
    t->reports++; /* its place among the recently heard, without being a report */
    t->restored++;
    d = add_row(t, r->address, r->address_type);
    if (!d)
        return false;
    d->last_seen = clock_earlier(r->last_seen, t->now);
    d->first_seen = clock_earlier(r->first_seen, d->last_seen);
    d->advertisements = r->advertisements;
    interval_restore(&d->interval, r->interval);
    d->is_available = t->now - d->last_seen <= clock_later(DEVICE_HOLDERS_AGE, patience_with(t, d));
    restore_sources(t, d, r);
    restore_view(t, d, r);
    schedule(t, d);
    return true;
}

void device_table_count_heard_all(const struct device_table *t, size_t *ret_counts, size_t sources,
                                  usec_t now)
{
    size_t position = 0;
    const struct device *d;

    for (size_t i = 0; i < sources; i++)
        ret_counts[i] = 0;
    while ((d = map_next(t->devices, &position))) {
        for (uint16_t i = 0; i < d->sightings.count; i++) {
            uint16_t source = sightings_source(&d->sightings, i);

            if (source < sources && is_heard(&d->sightings.items[i], now))
                ret_counts[source]++;
        }
    }
}

void device_table_get_statistics(const struct device_table *t,
                                 struct device_table_statistics *ret_statistics)
{
    *ret_statistics = (struct device_table_statistics){
            .reports = t->reports - t->restored - t->refused,
            .refused = t->refused,
            .parses = t->merged.parses,
            .evicted = t->evicted,
            .forgotten = t->forgotten,
            .elements_dropped = t->merged.elements_dropped,
            .memory_bytes = sizeof *t + slab_bytes(t->memory) + map_bytes(t->devices) +
                            map_bytes(t->pins) + map_count(t->pins) * sizeof(struct pin) +
                            map_bytes(t->needs) + map_count(t->needs) * sizeof(struct need) +
                            heap_bytes(&t->recency) + heap_bytes(&t->due) +
                            t->sources_count * sizeof *t->sources,
    };
    memcpy(ret_statistics->owner_changes, t->owner_changes, sizeof t->owner_changes);
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
