/* The flight recorder: a ring of segments in memory that holds what was heard and decided lately.
 *
 * Bounded in octets and in time; what is oldest goes, a whole segment at a time. A packet that is
 * like one of the last four of its device costs about six octets. Segments that are full are never
 * written to again, and of the open one only what is behind its end, so that a reader may hold one
 * for as long as it likes, on whatever thread, while the ring moves on.
 *
 * Not here: files, and what is made of a recording (recording_reader.h, replay). Pure: `now` and
 * the wall clock come in. No allocation per record; one per segment until the ring is full. Thread:
 * the loop's, but for the octets of a held segment. */
#pragma once

#include "recorder/recording.h"

struct recorder;

struct recorder_settings {
    size_t bytes_max; /* of all segments; at least two segments are kept */
    usec_t keep;      /* what is older may go */
    uint64_t hash_seed;
};

/* Fills in what is configured of the device with that address; asked once for each device and
 * segment, and by recorder_device(). NULL: nothing is. */
typedef void recorder_describe_fn(void *user, struct recording_device *device);

/* wall is the wall clock at now. */
struct recorder *recorder_new(const struct recorder_settings *settings,
                              recorder_describe_fn *describe, void *user, usec_t now, int64_t wall);
/* Nothing may be held any more. NULL is allowed. */
void recorder_free(struct recorder *r);

/* What is older than this may go from now on. */
void recorder_set_keep(struct recorder *r, usec_t keep);

/* The wall clock at now, for segments to come. */
void recorder_set_wall(struct recorder *r, usec_t now, int64_t wall);

/* ---- what happens; time that goes backwards is taken as standing still ---- */

/* A batch, before the table has seen it. The hot path. */
void recorder_advertisements(struct recorder *r, uint16_t source, const struct ble_report *reports,
                             size_t count, usec_t now);
/* How a source is from now on. Texts longer than RECORDING_TEXT_MAX are cut. */
void recorder_source(struct recorder *r, const struct recording_source *source, usec_t now);
/* Before the table is told that it was removed. */
void recorder_source_gone(struct recorder *r, uint16_t source, usec_t now);
/* The device is configured otherwise from now on; asks for it. */
void recorder_device(struct recorder *r, uint64_t address, usec_t now);
void recorder_change(struct recorder *r, const struct recording_change *change, usec_t now);
/* The table is about to do what is due. */
void recorder_tick(struct recorder *r, usec_t now);
/* The settings in force from now on, as JSON text of at most RECORDING_SETTINGS_MAX octets. */
void recorder_set_settings(struct recorder *r, const char *json, usec_t now);
void recorder_window(struct recorder *r, const struct recording_window *window, usec_t now);
/* Before the table is told so. */
void recorder_command(struct recorder *r, const struct recording_command *command, usec_t now);
/* Before the table has it; facts of at most RECORDING_RESTORED_MAX octets. */
void recorder_restored(struct recorder *r, const struct recording_restored *restored, usec_t now);
/* It is over now. */
void recorder_attempt(struct recorder *r, const struct recording_attempt *attempt, usec_t now);

/* ---- reading ---- */

/* A segment that stays as it is until it is released. NULL when none is left. */
struct recorder_hold;

/* The first segment whose sequence number is from or later, as long as it is now. */
struct recorder_hold *recorder_take(struct recorder *r, uint64_t from,
                                    struct recording_segment *ret_segment);
void recorder_release(struct recorder *r, struct recorder_hold *hold);

struct recorder_status {
    size_t bytes;    /* of records in the ring */
    uint64_t oldest; /* monotonic; 0: nothing was recorded */
    uint64_t records, advertisements;
    uint64_t dropped; /* segments that were dropped because of either bound */
    size_t memory_bytes;
};
void recorder_get_status(const struct recorder *r, struct recorder_status *ret_status);
