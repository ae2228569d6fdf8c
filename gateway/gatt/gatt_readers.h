/* The queues of those who read values one after the other. For the files of this room alone. */
#pragma once

#include "gatt/gatt_core.h"

/* A copy for each reader whose it is; in a full queue the oldest goes. */
void gatt_readers_push(struct gatt *g, const struct gatt_value *value);
