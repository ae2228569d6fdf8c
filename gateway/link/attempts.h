/* The newest attempts to open one link, in a ring of LINK_ATTEMPTS_KEPT. They are numbered from 0
 * as long as the ring lives, so that a request finds its own. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "link/links.h"

/* Valid when zeroed. */
struct attempts {
    struct link_attempt *ring; /* NULL until the first */
    uint64_t begun;            /* how many ever; the number of the next */
};

void attempts_done(struct attempts *a);

/* The earlier one must be over. */
void attempts_begin(struct attempts *a, const struct route_rank *rank, usec_t now);
/* Ends the newest, which must go on; valid until the next begins. reason NULL: none. */
const struct link_attempt *attempts_end(struct attempts *a, enum attempt_end end, int code,
                                        const int32_t *reason, usec_t now);

/* That proxy is gone: it was nobody's. */
void attempts_forget_source(struct attempts *a, uint16_t source);

size_t attempts_count(const struct attempts *a);
/* Number index of those that are kept, the oldest first; NULL: not so many. */
const struct link_attempt *attempts_get(const struct attempts *a, size_t index);
/* A copy of those that are kept and have at least this number; NULL: none. The caller frees it. */
struct link_attempt *attempts_copy_since(const struct attempts *a, uint64_t number,
                                         size_t *ret_count);
