/* Whether what a replay decides is what was decided when it was recorded. Valid when zeroed. Pure.
 */
#pragma once

#include "recorder/recording.h"

#define COMPARISON_WAITING_MAX 256 /* decisions of one moment */

struct comparison {
    uint64_t recorded; /* decisions in the recording */
    uint64_t repeated; /* those that came again at their moment */
    uint64_t added;    /* that were not recorded */
    size_t waiting_count;
    struct recording_change waiting[COMPARISON_WAITING_MAX]; /* decided, not yet compared */
};

/* The replay has decided this now, before the recording tells it. */
void comparison_decided(struct comparison *c, const struct recording_change *change);
/* This was recorded. */
void comparison_recorded(struct comparison *c, const struct recording_change *change);
/* Time goes on: what was not recorded by now was not decided then. */
void comparison_end_moment(struct comparison *c);
