/* What the control port can ask about the GATT of devices, and do to it. Each notes its faults at
 * the request (tests/fleet/README.md). */
#pragma once

#include <jansson.h>

#include "reader.h"
#include "world.h"

/* {"do": "gatt", "device"}: fills the answer with the database and what was done to it. */
void gatt_request_view(struct world *w, const struct spot *request, json_t *answer);
/* {"do": "change_gatt", "device"} */
void gatt_request_change(struct world *w, const struct spot *request);
/* {"do": "set_value", "device", "handle", "value"} */
void gatt_request_set(struct world *w, const struct spot *request, usec_t now);
/* {"do": "fail_gatt", "device", "handle", "times", "error"} */
void gatt_request_fail(struct world *w, const struct spot *request);
/* {"do": "forget_bonds", "device"} */
void gatt_request_forget_bonds(struct world *w, const struct spot *request);
