/* Who wants to be told of changes: the list of a gateway's subscriptions. A subscriber may end its
 * own or another's subscription while it is told; who ended is told nothing more. */
#pragma once

#include "inside.h"

/* Gives the change its number. */
void subscribers_tell_device(struct gateway *g, struct gateway_device_change *change);
void subscribers_tell_hearing(struct gateway *g, const struct gateway_hearing *hearing);
/* Nobody who has no place in the configuration is told of. */
void subscribers_tell_proxy(struct gateway *g, enum gateway_proxy_reason reason, uint16_t source);
void subscribers_tell_window(struct gateway *g, const struct gateway_window_change *change);
void subscribers_tell_link(struct gateway *g, const struct gateway_link_change *change);
void subscribers_tell_lease_ended(struct gateway *g, uint64_t address, const char *lease);
void subscribers_tell_value(struct gateway *g, const struct gateway_gatt_value *value);
void subscribers_tell_configuration(struct gateway *g);
