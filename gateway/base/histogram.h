/* How long things took: counts of spans by upper bounds, their sum and the longest. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "clock.h"

#define HISTOGRAM_BOUNDS_MAX 16

struct histogram {
    const usec_t *bounds; /* borrowed, ascending; a span that equals a bound is below it */
    size_t bounds_count;
    uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1]; /* of each bound alone; the last: above all */
    uint64_t count;
    usec_t sum, longest;
};

/* bounds_count is at most HISTOGRAM_BOUNDS_MAX. */
void histogram_init(struct histogram *h, const usec_t *bounds, size_t bounds_count);
void histogram_add(struct histogram *h, usec_t span);
