/* How often a proxy failed, by cause. Causes of the operating system count as the one of ours that
 * says the same, so that there are as many counters as there are causes, whatever a peer does.
 * Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define FAILURES_CAUSES                                                                            \
    (E_RESOLVE_FAILED - E_DISCONNECTED + 1) /* of conversations with a proxy                       \
                                             */

/* Valid when zeroed. */
struct failures {
    uint64_t counts[FAILURES_CAUSES]; /* [E_RESOLVE_FAILED - cause] */
};

/* cause is negative. */
void failures_add(struct failures *f, int cause);

/* Those that happened, in order: *position = 0 to begin. The cause, with its count; 0: no more. */
int failures_next(const struct failures *f, size_t *position, uint64_t *ret_count);
