#include "key.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int digit_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(digits, c) : NULL;

    return found ? (int) (found - digits) : -1;
}

/* What may stand behind the last digit: the padding to a multiple of four, all of it or none. */
static bool is_end(const char *text, size_t digits)
{
    size_t padding = 0;

    for (; *text; text++) {
        if (*text == '=')
            padding++;
        else if (!is_space(*text))
            return false;
    }
    return padding == 0 || (padding <= 2 && (digits + padding) % 4 == 0);
}

bool key_from_base64(uint8_t *ret_octets, size_t size, const char *text)
{
    size_t digits = 0, octets = 0;
    uint32_t bits = 0;

    for (; *text && *text != '='; text++) {
        int value = digit_value(*text);

        if (is_space(*text))
            continue;
        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t) value) & 0xffffff;
        if (digits++ % 4 == 0)
            continue; /* 6 bits are no octet yet */
        if (octets == size)
            return false;
        ret_octets[octets++] = (uint8_t) (bits >> (6 - 2 * ((digits - 1) % 4)));
    }
    return octets == size && digits % 4 != 1 && is_end(text, digits);
}
