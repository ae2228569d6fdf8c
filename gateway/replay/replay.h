/* A replay: what a recording's packets would have done under other settings.
 *
 * Two device tables are fed with the same records, one under the settings that were recorded, one
 * under those with the changes. Where nothing is changed, both are told the time at the moments
 * that were recorded, so that they decide exactly as the table did that was recorded from its
 * start; else both do what is due when it is due. Of a recording that begins later, or lacks
 * segments, is_partial says so: what the table knew before is not in it, and the first decisions
 * about a device may differ; how many did is told. Windows of active scanning are those that were
 * recorded: whether others would have opened depends on what the radios would have answered.
 *
 * Not here: where the records come from, and how settings are written down. Pure; any thread, one
 * at a time. */
#pragma once

#include "recorder/recording.h"
#include "scan/device_table.h"

struct replay;

/* The settings of both tables for a text that was recorded (size 0: none was). False: it cannot be
 * read, and those before it go on. */
typedef bool replay_settings_fn(void *user, struct bytes json,
                                struct device_table_settings *ret_actual,
                                struct device_table_settings *ret_replayed);

/* What the table under changed settings told; for those who want each decision. */
typedef void replay_change_fn(void *user, usec_t time, const struct recording_change *change);

struct replay_wish {
    int64_t since, until; /* wall clock, both included; what is before it is fed, not counted */
    bool has_address;     /* counts this device alone */
    uint64_t address;
    bool is_changed; /* the settings of both tables differ, or no ticks were recorded */
    replay_settings_fn *read_settings;
    replay_change_fn *on_change; /* NULL: nobody asks */
    void *user;
};

struct replay *replay_new(const struct replay_wish *wish);
/* NULL is allowed. */
void replay_free(struct replay *r);

/* The records of this segment follow. Without it they are taken as whole. */
void replay_begin_segment(struct replay *r, const struct recording_segment *segment);
/* The next record, and its time by the wall clock. False: it is behind the end of the wish. */
bool replay_feed(struct replay *r, const struct recording_record *record, int64_t wall);

/* ---- results ---- */

struct replay_outcome {
    uint64_t events;        /* changes told: payloads, new devices */
    uint64_t owner_changes; /* from one source to another */
    uint64_t availability_changes;
    uint64_t windows;
};

struct replay_totals {
    uint64_t packets;
    int64_t since, until; /* of the first and the last counted packet; 0: there was none */
    struct replay_outcome actual, replayed;
    bool is_partial;   /* something that happened before or between is not in the recording */
    uint64_t recorded; /* decisions; not counted when the settings are changed, as the next */
    uint64_t repeated; /* of them, that came again as they were */
    uint64_t added;    /* that came and were not recorded */
};
void replay_get_totals(const struct replay *r, struct replay_totals *ret_totals);

/* A device that fared differently. */
struct replay_difference {
    uint64_t address;
    uint64_t owner_changes_actual, owner_changes_replayed;
    uint16_t owner_actual, owner_replayed; /* at the end; SOURCE_NONE: nobody */
};
/* The largest differences first, at most max; how many there were. */
size_t replay_get_differences(const struct replay *r, struct replay_difference *ret_differences,
                              size_t max);

/* The last name of a source; "": not told. */
const char *replay_source_name(const struct replay *r, uint16_t source);
