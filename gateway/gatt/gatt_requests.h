/* What the requests of a device do next. For the files of this room alone. */
#pragma once

#include "gatt/gatt_core.h"

/* What is ready goes on, what waited too long is answered; and all, when the room closes. */
void gatt_requests_work(struct gatt *g, struct peer *p);
/* The link ended: who waits for it to be opened anew goes on. */
void gatt_requests_link_ended(struct gatt *g, struct peer *p, const struct gatt_outcome *outcome);
usec_t gatt_requests_deadline(const struct peer *p);
