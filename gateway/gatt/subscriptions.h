/* The subscriptions of one device. For the files of this room alone.
 *
 * Each has who wants it (leases, requests that are joining, the room itself) and how far it is
 * switched on; subscriptions_drive() brings the second to the first, step by step. */
#pragma once

#include "gatt/gatt_core.h"

/* Joins, or makes, the one of this characteristic: 0, and the request waits for it;
 * E_DESCRIPTOR_NOT_FOUND (it has no CCCD), E_CONFLICT, E_OVERLOADED. */
int subscriptions_join(struct gatt *g, struct peer *p, struct gatt_request *request,
                       const struct gatt_entry *entry, enum gatt_subscription_type type);
/* Ends that of one lease (NULL: of all). True: the request waits until it is off; false: there is
 * nothing to wait for. */
bool subscriptions_end(struct gatt *g, struct peer *p, struct gatt_request *request,
                       const char *lease);
/* The request waits no more. */
void subscriptions_leave(struct gatt *g, struct peer *p, struct gatt_request *request);
/* Lets go what leases held that are no more; lease NULL: whichever. */
void subscriptions_review(struct gatt *g, struct peer *p, const char *lease);
/* Has Service Changed told, from now on to the end of the link. */
void subscriptions_watch(struct gatt *g, struct peer *p);
/* The link is gone: what nobody holds any more ends, the rest begins again with the next one. */
void subscriptions_link_ended(struct gatt *g, struct peer *p, const struct gatt_outcome *outcome);

void subscriptions_drive(struct gatt *g, struct peer *p);
/* Message 79. */
void subscriptions_value(struct gatt *g, struct peer *p, uint16_t source,
                         const struct message_gatt *value);
/* Without telling anybody: for gatt_free() alone. */
void subscriptions_drop(struct peer *p);
