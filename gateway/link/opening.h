/* Opening a link: from the line over attempts to "connected", or to the error of those who wait.
 * For the files of this room alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "link/links_core.h"

/* Somebody could open a link that is wanted. */
bool opening_has_route(const struct links *l, const struct link *link);

/* A link in line: goes, waits or fails. */
void opening_decide(struct links *l, struct link *link);

/* The attempt that runs ended in a link; mtu: as message 69 has it. */
void opening_connected(struct links *l, struct link *link, uint32_t mtu);
/* It did not: another one follows, or those who wait fail. reason NULL: no number. */
void opening_attempt_failed(struct links *l, struct link *link, enum attempt_end end,
                            const int32_t *reason);

/* A request left the opening that it waited for. */
void opening_left(struct links *l, struct link *link);
/* A request's deadline came. */
void opening_request_due(struct links *l, struct link *link, struct link_request *request);
/* A request waited for a slot as long as it wanted to. */
void opening_slotless(struct links *l, struct link *link, struct link_request *request);
/* Gives the opening up; nobody waits for it. */
void opening_stop(struct links *l, struct link *link);
