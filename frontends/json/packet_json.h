/* What one packet says, and the pieces of which devices and events are made as well. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ble/advertising_data.h"
#include "json/writer.h"

/* True when a radio can have measured it (0 is "not told", 127 "not available"). */
bool packet_json_has_rssi(int rssi);

/* "rssi"; null when it was not measured. */
void packet_json_write_rssi(struct writer *w, int rssi);

/* "name"; null when there is none. */
void packet_json_write_name(struct writer *w, const void *name, size_t size);

/* "raw"; null when the proxy took the packet apart before it got here. */
void packet_json_write_raw(struct writer *w, bool is_parsed, const uint8_t *data, size_t size);

/* "name", "service_uuids", "manufacturer_data", "service_data". */
void packet_json_write_payload(struct writer *w, const struct advertising_data *ad);

/* The same and "tx_power". */
void packet_json_write_content(struct writer *w, const struct advertising_data *ad);

void packet_json_write_uuid(struct writer *w, const char *key, const struct ble_uuid *uuid);

/* Data in hex under the UUID or the company as key. */
void packet_json_write_by_uuid(struct writer *w, const struct ble_uuid *uuid, const uint8_t *data,
                               size_t size);
void packet_json_write_by_company(struct writer *w, uint16_t company, const uint8_t *data,
                                  size_t size);

/* The number, or null. */
void packet_json_write_optional(struct writer *w, const char *key, bool is_there, int value);
