#include "histogram.h"

#include <assert.h>

void histogram_init(struct histogram *h, const usec_t *bounds, size_t bounds_count)
{
    assert(bounds_count <= HISTOGRAM_BOUNDS_MAX);
    *h = (struct histogram){.bounds = bounds, .bounds_count = bounds_count};
}

void histogram_add(struct histogram *h, usec_t span)
{
    size_t at = 0;

    while (at < h->bounds_count && span > h->bounds[at])
        at++;
    h->counts[at]++;
    h->count++;
    h->sum += span;
    if (span > h->longest)
        h->longest = span;
}
