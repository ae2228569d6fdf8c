/* What the Bluetooth SIG calls its UUIDs ("Battery Level"), for people; NULL: it has no name for
 * it. Static storage, ASCII. Source: Bluetooth Assigned Numbers, section 3. Pure. */
#pragma once

#include "ble/uuid.h"

const char *assigned_service_name(const struct ble_uuid *uuid);
const char *assigned_characteristic_name(const struct ble_uuid *uuid);
const char *assigned_descriptor_name(const struct ble_uuid *uuid);
