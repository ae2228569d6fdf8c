/* The GATT database of a simulated device: what a proxy that has discovered it knows. A value that
 * borrows static storage. Pure. */
#pragma once

#include <stddef.h>

#include "esphome/message.h"

struct gatt {
    const struct message_service *services; /* by handle */
    size_t count;
};

/* The least that every device has: the service Generic Access with the device's name. */
struct gatt gatt_generic(void);
