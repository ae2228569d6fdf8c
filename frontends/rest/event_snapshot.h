/* All devices that a reader asked for, one after the other, over many turns of the loop: each that
 * is there throughout comes exactly once. It remembers addresses, eight octets a device. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/gateway.h"
#include "rest/event_wish.h"

struct event_snapshot {  /* valid when zeroed: at its end */
    uint64_t *addresses; /* ours */
    size_t count, at;
};

/* Takes down who is there now. */
void event_snapshot_begin(struct event_snapshot *s, const struct gateway *g,
                          const struct event_wish *wish);
void event_snapshot_done(struct event_snapshot *s);

bool event_snapshot_is_at_end(const struct event_snapshot *s);

/* Looks at the next one: true when it is there and wanted. Not to be called at the end. */
bool event_snapshot_next(struct event_snapshot *s, const struct gateway *g,
                         const struct event_wish *wish, struct gateway_device *ret_device);
