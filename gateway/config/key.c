#include "key.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int digit_value(char c)
{
    const char *found = c ? strchr(digits, c) : NULL;

    return found ? (int) (found - digits) : -1;
}

/* What may stand behind the last digit: the padding to a multiple of four, all of it or none. */
static bool is_end(const char *text, size_t count)
{
    size_t padding = 0;

    for (; *text; text++) {
        if (*text == '=')
            padding++;
        else if (!is_space(*text))
            return false;
    }
    return padding == 0 || (padding <= 2 && (count + padding) % 4 == 0);
}

bool key_from_base64(uint8_t *ret_octets, size_t size, const char *text)
{
    size_t count = 0, octets = 0;
    uint32_t bits = 0;

    for (; *text && *text != '='; text++) {
        int value = digit_value(*text);

        if (is_space(*text))
            continue;
        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t) value) & 0xffffff;
        if (count++ % 4 == 0)
            continue; /* 6 bits are no octet yet */
        if (octets == size)
            return false;
        ret_octets[octets++] = (uint8_t) (bits >> (6 - 2 * ((count - 1) % 4)));
    }
    return octets == size && count % 4 != 1 && is_end(text, count);
}

void key_to_base64(char *ret_text, const uint8_t *octets, size_t size)
{
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t) octets[i] << 16;

        bits |= left > 1 ? (uint32_t) octets[i + 1] << 8 : 0;
        bits |= left > 2 ? octets[i + 2] : 0;
        *ret_text++ = digits[bits >> 18];
        *ret_text++ = digits[bits >> 12 & 63];
        *ret_text++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *ret_text++ = left > 2 ? digits[bits & 63] : '=';
    }
    *ret_text = '\0';
}
