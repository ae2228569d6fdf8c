/* UUIDs of the Attribute Protocol: 16, 32 or 128 bits, always kept as 128. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ble_uuid {
    uint8_t octets[16]; /* most significant first, as it is written */
};

#define BLE_UUID_TEXT_SIZE 37 /* 36 characters and NUL */

/* 16 or 32 bits on the Bluetooth base UUID 00000000-0000-1000-8000-00805f9b34fb. */
struct ble_uuid ble_uuid_from_short(uint32_t value);

/* size 2, 4 or 16 octets in the order of the air, least significant first. */
struct ble_uuid ble_uuid_from_air(const uint8_t *data, size_t size);

/* Lower-case 128-bit form. */
void ble_uuid_format(char ret_text[BLE_UUID_TEXT_SIZE], const struct ble_uuid *uuid);

/* 4, 8 or 32 hex digits of either case, the last with or without its four dashes. */
bool ble_uuid_parse(const char *text, struct ble_uuid *ret_uuid);

bool ble_uuid_equal(const struct ble_uuid *a, const struct ble_uuid *b);

/* True with the value when the UUID lies on the Bluetooth base. */
bool ble_uuid_short(const struct ble_uuid *uuid, uint32_t *ret_value);
