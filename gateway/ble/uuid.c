#include "uuid.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

/* 00000000-0000-1000-8000-00805f9b34fb (Core Specification, Vol 3, Part B, 2.5.1). */
static const struct ble_uuid base_uuid = {
        {0, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0x80, 0x5f, 0x9b, 0x34, 0xfb}};

/* Where the dashes stand in the text, counted in octets before them. */
static bool has_dash_before(size_t octet)
{
    return octet == 4 || octet == 6 || octet == 8 || octet == 10;
}

/* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" -> 32 digits. */
static bool strip_dashes(char ret_digits[33], const char *text)
{
    char *out = ret_digits;

    for (size_t octet = 0; octet < 16; octet++) {
        if (has_dash_before(octet) && *text++ != '-')
            return false;
        *out++ = *text++;
        *out++ = *text++;
    }
    *out = '\0';
    return true;
}

struct ble_uuid ble_uuid_from_short(uint32_t value)
{
    struct ble_uuid uuid = base_uuid;

    for (int i = 0; i < 4; i++)
        uuid.octets[i] = (uint8_t) (value >> (24 - 8 * i));
    return uuid;
}

struct ble_uuid ble_uuid_from_air(const uint8_t *data, size_t size)
{
    struct ble_uuid uuid = base_uuid;
    size_t end = size == 16 ? 16 : 4;

    assert(size == 2 || size == 4 || size == 16);
    for (size_t i = 0; i < size; i++)
        uuid.octets[end - 1 - i] = data[i];
    return uuid;
}

void ble_uuid_format(char ret_text[BLE_UUID_TEXT_SIZE], const struct ble_uuid *uuid)
{
    char *out = ret_text;

    for (size_t i = 0; i < 16; i++) {
        if (has_dash_before(i))
            *out++ = '-';
        bytes_to_hex(out, &uuid->octets[i], 1);
        out += 2;
    }
}

bool ble_uuid_parse(const char *text, struct ble_uuid *ret_uuid)
{
    size_t length = strlen(text), size;
    char digits[33];
    uint8_t octets[16];
    uint32_t value = 0;

    if (length == 36) {
        if (!strip_dashes(digits, text))
            return false;
        text = digits;
        length = 32;
    }
    if (length != 4 && length != 8 && length != 32)
        return false;
    if (!bytes_from_hex(octets, sizeof octets, text, length, &size))
        return false;
    if (size == 16) {
        memcpy(ret_uuid->octets, octets, 16);
        return true;
    }
    for (size_t i = 0; i < size; i++)
        value = value << 8 | octets[i];
    *ret_uuid = ble_uuid_from_short(value);
    return true;
}

bool ble_uuid_equal(const struct ble_uuid *a, const struct ble_uuid *b)
{
    return memcmp(a->octets, b->octets, sizeof a->octets) == 0;
}

bool ble_uuid_short(const struct ble_uuid *uuid, uint32_t *ret_value)
{
    const uint8_t *o = uuid->octets;

    if (memcmp(o + 4, base_uuid.octets + 4, 12) != 0)
        return false;
    *ret_value = (uint32_t) o[0] << 24 | (uint32_t) o[1] << 16 | (uint32_t) o[2] << 8 | o[3];
    return true;
}
