/* Bluetooth device addresses: 48 bits in a uint64_t, and what the top bits say.
 *
 * AA:BB:CC:DD:EE:FF is 0xAABBCCDDEEFF, as the ESPHome native API has it. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* As HCI numbers them (Core Specification, Vol 4, Part E, 7.7.65.2). */
enum ble_address_type {
    BLE_ADDRESS_PUBLIC,
    BLE_ADDRESS_RANDOM,
    BLE_ADDRESS_PUBLIC_IDENTITY, /* a private address that the proxy resolved */
    BLE_ADDRESS_RANDOM_IDENTITY,
};

#define BLE_ADDRESS_TEXT_SIZE 18 /* "AA:BB:CC:DD:EE:FF" and NUL */

/* Upper case with colons. */
void ble_address_format(char ret_text[BLE_ADDRESS_TEXT_SIZE], uint64_t address);

/* Accepts either case, with ':' or '-' or no separator (one kind throughout). False if it is not an
 * address; *ret_address is then untouched. */
bool ble_address_parse(const char *text, uint64_t *ret_address);

/* "public", "random", "public_identity", "random_identity"; other values count as random. */
const char *ble_address_type_name(uint8_t type);

/* True for a random address that changes (resolvable or not), i.e. of type random and with top bits
 * other than 11 (Core Specification, Vol 6, Part B, 1.3.2). */
bool ble_address_is_private(uint64_t address, uint8_t type);
