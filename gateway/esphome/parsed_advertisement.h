/* Message 67 of old firmware, which parses advertisements itself: back to advertising data.
 *
 * Pure; thread: any. */
#pragma once

#include <stdint.h>

#include "ble/report.h"
#include "esphome/message.h"

/* Puts the AD structures together in data (the report borrows it) and marks the report as parsed.
 * Written in this order, each only if it still fits: manufacturer data, service data, the lists of
 * 16, 32 and 128 bit service UUIDs, the complete name. So what is dropped is whole structures from
 * the end (of a list: UUIDs from its end), the name first. -EINVAL: there is no address. */
int parsed_advertisement_to_report(const struct message_parsed_advertisement *parsed,
                                   uint8_t data[BLE_REPORT_DATA_MAX],
                                   struct ble_report *ret_report);
