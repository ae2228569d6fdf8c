/* How a request comes to its link, and the link's tree. For the files of this room alone. Each
 * asks, and the request waits for what comes of it; or it has ended, if that is refused. */
#pragma once

#include "gatt/gatt_core.h"

bool access_has_link(const struct peer *p, const struct gatt_request *request);
void access_ask_for_link(struct gatt *g, struct gatt_request *request);
void access_ask_for_pairing(struct gatt *g, struct gatt_request *request);
/* Whether the tree is there and checked, or not needed; if not, it is asked for. */
bool access_has_tree(struct gatt *g, struct peer *p, struct gatt_request *request);
