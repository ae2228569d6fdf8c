/* How long a source scanned actively within the last hour. Counted by minute: a minute counts as a
 * whole until all of it is an hour old, so the figure is never too small. Valid when zeroed. Pure.
 */
#pragma once

#include <stdint.h>

#include "base/clock.h"

#define AIRTIME_MINUTES 61 /* an hour touches so many */

struct airtime {
    uint32_t usec[AIRTIME_MINUTES]; /* of the minute whose number modulo 61 is the index */
    uint64_t minute;                /* the latest that counts anything */
};

/* It scanned from one moment to the other; spans come in order and do not overlap. */
void airtime_add(struct airtime *a, usec_t from, usec_t to);

usec_t airtime_used(const struct airtime *a, usec_t now);
