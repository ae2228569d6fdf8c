#include "utf8.h"

#include <stdbool.h>
#include <string.h>

/* How many octets follow the first one of a character, and which values the second may have: not
 * those of overlong forms, surrogates or beyond U+10FFFF. False: no character starts so. */
static bool read_first(uint8_t first, size_t *ret_following, uint8_t *ret_low, uint8_t *ret_high)
{
    *ret_low = 0x80;
    *ret_high = 0xbf;
    if (first < 0x80) {
        *ret_following = 0;
        return true;
    }
    if (first < 0xc2 || first > 0xf4)
        return false;
    *ret_following = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    if (first == 0xe0)
        *ret_low = 0xa0;
    if (first == 0xed)
        *ret_high = 0x9f;
    if (first == 0xf0)
        *ret_low = 0x90;
    if (first == 0xf4)
        *ret_high = 0x8f;
    return true;
}

/* The length of the character, or of the bad sequence, at the front of data (size > 0). */
static size_t measure(const uint8_t *data, size_t size, bool *ret_is_good)
{
    size_t following, length = 1;
    uint8_t low, high;

    *ret_is_good = false;
    if (!read_first(data[0], &following, &low, &high))
        return 1;
    while (length <= following) {
        if (length == size || data[length] < low || data[length] > high)
            return length;
        low = 0x80;
        high = 0xbf;
        length++;
    }
    *ret_is_good = true;
    return length;
}

size_t utf8_repair(char *ret_text, const uint8_t *data, size_t size)
{
    char *out = ret_text;
    bool is_good;

    for (size_t at = 0, length; at < size; at += length) {
        length = measure(data + at, size - at, &is_good);
        if (is_good) {
            memcpy(out, data + at, length);
            out += length;
        } else {
            memcpy(out, "\xef\xbf\xbd", 3);
            out += 3;
        }
    }
    *out = '\0';
    return (size_t) (out - ret_text);
}

size_t utf8_count(const uint8_t *data, size_t size)
{
    size_t count = 0;
    bool is_good;

    for (size_t at = 0; at < size; count++)
        at += measure(data + at, size - at, &is_good);
    return count;
}
