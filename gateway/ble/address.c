#include "address.h"

#include <stddef.h>
#include <string.h>

#include "base/bytes.h"

void ble_address_format(char ret_text[BLE_ADDRESS_TEXT_SIZE], uint64_t address)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = ret_text;

    for (int shift = 40; shift >= 0; shift -= 8) {
        *out++ = digits[address >> (shift + 4) & 15];
        *out++ = digits[address >> shift & 15];
        *out++ = ':';
    }
    out[-1] = '\0';
}

bool ble_address_parse(const char *text, uint64_t *ret_address)
{
    size_t length = strlen(text);
    char separator = length == 17 ? text[2] : '\0';
    uint64_t address = 0;

    if (length != 12 && (length != 17 || (separator != ':' && separator != '-')))
        return false;
    for (int i = 0; i < 6; i++) {
        uint8_t octet;
        size_t size;

        if (!bytes_from_hex(&octet, 1, text, 2, &size))
            return false;
        address = address << 8 | octet;
        text += 2;
        if (separator && i < 5 && *text++ != separator)
            return false;
    }
    *ret_address = address;
    return true;
}

const char *ble_address_type_name(uint8_t type)
{
    static const char *const names[] = {"public", "random", "public_identity", "random_identity"};

    return type < 4 ? names[type] : names[BLE_ADDRESS_RANDOM];
}

bool ble_address_is_private(uint64_t address, uint8_t type)
{
    return type == BLE_ADDRESS_RANDOM && address >> 46 != 3;
}
