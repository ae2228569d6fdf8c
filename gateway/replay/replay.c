/* The story. Each table is a lane. A packet goes to both, a source that comes or goes as well; what
 * a lane's table tells is counted for the lane and for the device. With settings that are not
 * changed a lane's table does what is due when a tick was recorded, else before each record at the
 * moments that it asks for itself; and what it decides is held against what was recorded.
 *
 * Failure modes: settings that cannot be read leave those before them, and what was remembered of a
 * device is left out when it cannot be. A first segment, or a time that goes backwards, is another
 * run in the same file: both tables begin anew. */
#include "replay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/map.h"
#include "base/memory.h"
#include "comparison.h"
#include "recorded_change.h"
#include "restored_device.h"

enum { ACTUAL, REPLAYED, LANES };

struct tally { /* of one device */
    uint64_t address;
    uint64_t owner_changes[LANES];
    uint16_t owner[LANES];
    bool is_pinned, has_need; /* as the tables know it, with the next */
    usec_t expected_interval;
};

struct lane {
    struct replay *replay;
    struct device_table *table;
    struct replay_outcome outcome;
    int number;
};

struct replay {
    struct replay_wish wish;
    struct device_table_settings settings[LANES];
    struct lane lanes[LANES];
    struct map *tallies; /* address -> struct tally, ours */
    struct buffer json;  /* the settings in force, as they were recorded */
    bool is_fed;         /* something came, so that the tables stay */
    char *names[DEVICE_TABLE_SOURCES_MAX];
    usec_t now;
    uint64_t sequence; /* of the segment; 0: none yet */
    bool is_partial;
    bool is_counting; /* since was reached */
    struct comparison comparison;
    struct replay_totals totals;
};

/* ---- counting ---- */

static struct tally *tally_of(struct replay *r, uint64_t address)
{
    struct tally *t = map_find(r->tallies, address);

    if (t)
        return t;
    t = xnew(struct tally, 1);
    *t = (struct tally){.address = address, .owner = {SOURCE_NONE, SOURCE_NONE}};
    map_put(r->tallies, address, t);
    return t;
}

static bool is_wanted(const struct replay *r, uint64_t address)
{
    return !r->wish.has_address || address == r->wish.address;
}

/* With changed settings both lanes do what is due at moments of their own, and nothing comes just
 * as it was recorded. */
static bool is_compared(const struct replay *r)
{
    return r->is_counting && !r->wish.is_changed;
}

static void count(struct lane *lane, const struct recording_change *c)
{
    struct tally *tally;

    lane->outcome.events += (c->kinds & (DEVICE_PAYLOAD | DEVICE_FIRST_SEEN)) != 0;
    lane->outcome.availability_changes += (c->kinds & DEVICE_AVAILABILITY) != 0;
    if (!c->has_owner || c->owner_from == SOURCE_NONE)
        return;
    tally = tally_of(lane->replay, c->address);
    tally->owner_changes[lane->number]++;
    lane->outcome.owner_changes++;
}

static void on_change(void *user, const struct device_change *change)
{
    struct lane *lane = user;
    struct replay *r = lane->replay;
    struct recording_change c;

    recorded_change_make(lane->table, change, &c);
    if (lane->number == ACTUAL && is_compared(r))
        comparison_decided(&r->comparison, &c);
    if (!is_wanted(r, c.address))
        return;
    if (c.has_owner)
        tally_of(r, c.address)->owner[lane->number] = c.owner_to;
    if (!r->is_counting)
        return;
    count(lane, &c);
    if (lane->number == REPLAYED && r->wish.on_change)
        r->wish.on_change(r->wish.user, r->now, &c);
}

/* ---- tables ---- */

static void make_tables(struct replay *r)
{
    for (int i = 0; i < LANES; i++) {
        device_table_free(r->lanes[i].table);
        r->lanes[i].replay = r;
        r->lanes[i].number = i;
        r->lanes[i].table = device_table_new(&r->settings[i], on_change, &r->lanes[i]);
    }
}

/* Each segment tells them again; only others are news. */
static bool are_news(struct replay *r, struct bytes json)
{
    if (buffer_size(&r->json) == json.size &&
        (json.size == 0 || memcmp(buffer_front(&r->json), json.data, json.size) == 0))
        return false;
    buffer_clear(&r->json);
    buffer_append(&r->json, json.data, json.size);
    return true;
}

/* How many devices there may be is decided when a table is made: until it knows something it is
 * made anew. */
static void take_settings(struct replay *r, struct bytes json)
{
    if (!are_news(r, json) ||
        !r->wish.read_settings(r->wish.user, json, &r->settings[ACTUAL], &r->settings[REPLAYED]))
        return;
    if (!r->is_fed) {
        make_tables(r);
        return;
    }
    for (int i = 0; i < LANES; i++)
        device_table_configure(r->lanes[i].table, &r->settings[i]);
}

/* Another run: nothing of the last one holds. */
static void begin_anew(struct replay *r)
{
    size_t position = 0;
    struct tally *t;

    while ((t = map_next(r->tallies, &position)))
        t->is_pinned = t->has_need = false;
    make_tables(r);
    r->is_fed = false;
    r->now = 0;
}

static void advance_all(struct replay *r, usec_t now)
{
    for (int i = 0; i < LANES; i++)
        device_table_advance(r->lanes[i].table, now);
}

/* Each table does what is due until then, at its own moments. */
static void advance_by_deadlines(struct replay *r, usec_t until)
{
    for (int i = 0; i < LANES; i++) {
        struct device_table *table = r->lanes[i].table;
        usec_t deadline;

        while ((deadline = device_table_deadline(table)) <= until) {
            r->now = deadline > r->now ? deadline : r->now;
            device_table_advance(table, r->now);
        }
    }
}

/* ---- records ---- */

static void feed_packet(struct replay *r, const struct recording_record *record, int64_t wall)
{
    const struct ble_report *report = &record->advertisement.report;

    if (r->is_counting && is_wanted(r, report->address)) {
        if (r->totals.packets++ == 0)
            r->totals.since = wall;
        r->totals.until = wall;
    }
    for (int i = 0; i < LANES; i++)
        device_table_observe(r->lanes[i].table, record->advertisement.source, report, 1,
                             record->time);
}

static void feed_source(struct replay *r, const struct recording_source *s, usec_t now)
{
    if (s->name.size > 0) {
        free(r->names[s->source]);
        r->names[s->source] = memory_zalloc(s->name.size + 1, 1);
        memcpy(r->names[s->source], s->name.data, s->name.size);
    }
    for (int i = 0; i < LANES; i++) {
        struct device_table *table = r->lanes[i].table;

        device_table_source_online(table, s->source, s->is_online, now);
        device_table_source_connecting(table, s->source, s->is_connecting, now);
        device_table_source_can_connect(table, s->source, s->can_connect);
    }
}

/* Each segment introduces it again; only what is different is told. */
static void feed_device(struct replay *r, const struct recording_device *d)
{
    struct tally *t = d->is_pinned || d->has_need ? tally_of(r, d->address)
                                                  : map_find(r->tallies, d->address);

    if (!t || (t->is_pinned == d->is_pinned && t->has_need == d->has_need &&
               t->expected_interval == d->expected_interval))
        return;
    t->is_pinned = d->is_pinned;
    t->has_need = d->has_need;
    t->expected_interval = d->expected_interval;
    for (int i = 0; i < LANES; i++) {
        device_table_pin(r->lanes[i].table, d->address, d->is_pinned, d->expected_interval);
        device_table_set_need(r->lanes[i].table, d->address, d->has_need);
    }
}

static void feed_command(struct replay *r, const struct recording_command *c, usec_t now)
{
    for (int i = 0; i < LANES; i++) {
        struct device_table *table = r->lanes[i].table;

        switch (c->what) {
        case RECORDING_FORGET:
            (void) device_table_forget(table, c->address);
            break;
        case RECORDING_CLEAR_HISTORY:
            (void) device_table_clear_history(table, c->address);
            break;
        case RECORDING_COVERED:
            device_table_covered(table, c->address, c->source, now);
            break;
        }
    }
}

/* Its number may be another one's from now on. */
static void feed_source_gone(struct replay *r, uint16_t source, usec_t now)
{
    struct tally *t;
    size_t position = 0;

    for (int i = 0; i < LANES; i++) {
        device_table_source_hand_over(r->lanes[i].table, source, now);
        device_table_source_remove(r->lanes[i].table, source);
    }
    while ((t = map_next(r->tallies, &position))) {
        for (int i = 0; i < LANES; i++) {
            if (t->owner[i] == source)
                t->owner[i] = SOURCE_NONE;
        }
    }
}

static void feed_restored(struct replay *r, const struct recording_restored *restored, usec_t now)
{
    struct restored_device d;

    if (!restored_device_read(restored, &d))
        return;
    for (int i = 0; i < LANES; i++)
        (void) device_table_restore(r->lanes[i].table, &d.device, now);
}

/* A window that began to run; numbers as in scan_window.h. */
static void feed_window(struct replay *r, const struct recording_window *w)
{
    enum { OPENED = 0 };

    if (!r->is_counting || w->action != OPENED)
        return;
    for (int i = 0; i < LANES; i++)
        r->lanes[i].outcome.windows++;
}

static void move_time(struct replay *r, const struct recording_record *record, int64_t wall)
{
    if (record->time != r->now)
        comparison_end_moment(&r->comparison);
    if (record->time < r->now)
        begin_anew(r);
    else if (r->wish.is_changed)
        advance_by_deadlines(r, record->time);
    r->now = record->time;
    r->is_counting = wall >= r->wish.since;
}

/* ---- the door ---- */

struct replay *replay_new(const struct replay_wish *wish)
{
    struct replay *r = xnew(struct replay, 1);

    r->wish = *wish;
    r->tallies = map_new(0);
    (void) wish->read_settings(wish->user, (struct bytes){0}, &r->settings[ACTUAL],
                               &r->settings[REPLAYED]);
    make_tables(r);
    return r;
}

void replay_free(struct replay *r)
{
    size_t position = 0;
    void *tally;

    if (!r)
        return;
    for (int i = 0; i < LANES; i++)
        device_table_free(r->lanes[i].table);
    while ((tally = map_next(r->tallies, &position)))
        free(tally);
    map_free(r->tallies);
    buffer_done(&r->json);
    for (size_t i = 0; i < ARRAY_SIZE(r->names); i++)
        free(r->names[i]);
    free(r);
}

void replay_begin_segment(struct replay *r, const struct recording_segment *segment)
{
    if (segment->sequence == 1 && r->sequence > 0) {
        comparison_end_moment(&r->comparison);
        begin_anew(r);
    } else if (segment->sequence != r->sequence + 1) {
        r->is_partial = true;
    }
    r->sequence = segment->sequence;
}

bool replay_feed(struct replay *r, const struct recording_record *record, int64_t wall)
{
    if (wall > r->wish.until)
        return false;
    move_time(r, record, wall);
    switch (record->kind) {
    case RECORDING_ADVERTISEMENT:
        feed_packet(r, record, wall);
        break;
    case RECORDING_SOURCE:
        feed_source(r, &record->source, record->time);
        break;
    case RECORDING_DEVICE:
        feed_device(r, &record->device);
        break;
    case RECORDING_SETTINGS:
        take_settings(r, record->settings);
        break;
    case RECORDING_TICK:
        if (!r->wish.is_changed)
            advance_all(r, record->time);
        break;
    case RECORDING_WINDOW:
        feed_window(r, &record->window);
        break;
    case RECORDING_CHANGE:
        if (is_compared(r))
            comparison_recorded(&r->comparison, &record->change);
        break;
    case RECORDING_COMMAND:
        feed_command(r, &record->command, record->time);
        break;
    case RECORDING_RESTORED:
        feed_restored(r, &record->restored, record->time);
        break;
    case RECORDING_SOURCE_GONE:
        feed_source_gone(r, record->gone, record->time);
        break;
    case RECORDING_ATTEMPT: /* that a proxy was busy is in its source record */
        break;
    }
    r->is_fed |= record->kind != RECORDING_SETTINGS;
    return true;
}

void replay_get_totals(const struct replay *r, struct replay_totals *ret_totals)
{
    const struct comparison *c = &r->comparison;

    *ret_totals = r->totals;
    ret_totals->is_partial = r->is_partial;
    ret_totals->recorded = c->recorded;
    ret_totals->repeated = c->repeated;
    ret_totals->added = c->added + c->waiting_count;
    ret_totals->actual = r->lanes[ACTUAL].outcome;
    ret_totals->replayed = r->lanes[REPLAYED].outcome;
}

static uint64_t gap_of(const struct replay_difference *d)
{
    return d->owner_changes_actual > d->owner_changes_replayed
                   ? d->owner_changes_actual - d->owner_changes_replayed
                   : d->owner_changes_replayed - d->owner_changes_actual;
}

static int compare(const void *a, const void *b)
{
    const struct replay_difference *x = a, *y = b;
    uint64_t gap_x = gap_of(x), gap_y = gap_of(y);

    if (gap_x != gap_y)
        return gap_x > gap_y ? -1 : 1;
    return (x->address > y->address) - (x->address < y->address);
}

size_t replay_get_differences(const struct replay *r, struct replay_difference *ret_differences,
                              size_t max)
{
    struct replay_difference *all AUTO_FREE =
            xnew(struct replay_difference, map_count(r->tallies) + 1);
    size_t position = 0, found = 0;
    const struct tally *t;

    while ((t = map_next(r->tallies, &position))) {
        const struct replay_difference d = {t->address, t->owner_changes[ACTUAL],
                                            t->owner_changes[REPLAYED], t->owner[ACTUAL],
                                            t->owner[REPLAYED]};

        if (d.owner_changes_actual != d.owner_changes_replayed ||
            d.owner_actual != d.owner_replayed)
            all[found++] = d;
    }
    qsort(all, found, sizeof *all, compare);
    max = found < max ? found : max;
    if (max > 0)
        memcpy(ret_differences, all, max * sizeof *all);
    return found;
}

const char *replay_source_name(const struct replay *r, uint16_t source)
{
    return source < ARRAY_SIZE(r->names) && r->names[source] ? r->names[source] : "";
}
