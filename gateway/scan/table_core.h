/* What the device table consists of, for its own files:
 *
 *   device_table.c   the door: its life, its settings, who is told
 *   table_packets.c  a batch of reports comes in; the hot path
 *   table_owner.c    who speaks for a device, and the needs of active scanning
 *   table_sources.c  who listens, and since when
 *   table_rows.c     rows come, become due and go; pins
 *   table_restore.c  rows from before a restart
 *   table_views.c    what others can look at
 *
 * What is declared here they do for each other; a name says in which file it is. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/slab.h"
#include "scan/device_table.h"
#include "scan/interval.h"
#include "scan/merged_view.h"
#include "scan/ownership.h"
#include "scan/rescue.h"
#include "scan/sightings.h"

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

/* ---- table_core.c ---- */

/* Time goes on, or stands still. */
void table_core_set_now(struct device_table *t, usec_t now);

void table_core_tell(const struct device_table *t, const struct device_change *change);

/* Learned, else expected; 0: not known. */
usec_t table_core_interval(const struct device *d);

/* How long a silent device is taken for available. */
usec_t table_core_patience(const struct device_table *t, const struct device *d);

/* Smoothed, dBm; NAN: unknown. */
double table_core_rssi(const struct sighting *s);

/* The slot of its last packet, so far. */
struct device_slot table_core_slot(const struct sighting *s);

/* ---- table_sources.c ---- */

/* Makes it when it is new. The pointer is valid until the next call. */
struct source *table_sources_get(struct device_table *t, uint16_t source);

/* Until when it could not listen: now, while an attempt to connect is young. */
usec_t table_sources_deaf_until(const struct source *s, usec_t now);

/* Until when a silent device is excused: each source that should have heard it went deaf before it
 * could notice. 0: it is not, one has listened and heard nothing. */
usec_t table_sources_excused_until(const struct device_table *t, const struct device *d);

/* ---- table_rows.c ---- */

/* A row that was heard just now and has no sighting yet. NULL: there is no room. */
struct device *table_rows_add(struct device_table *t, uint64_t address, uint8_t address_type);

/* Its deadline is another one, sooner or later. */
void table_rows_schedule(struct device_table *t, struct device *d);

/* The deadline of a device that is heard is sooner than it was. Where the heap has a still earlier
 * time, the truth is found when that has come. */
void table_rows_hasten(struct device_table *t, struct device *d);

/* Adds what waits to a change that is told anyway. */
void table_rows_take_waiting(struct device_table *t, struct device *d,
                             struct device_change *change);

/* ---- table_owner.c ---- */

/* After a packet of the sighting at index, which is not the owner's: it may take the device over,
 * which is added to the change. */
void table_owner_consider(struct device_table *t, struct device *d, uint16_t index,
                          struct device_change *change);
