#include "cursor.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

#define NUMBER_SIZE 8 /* octets, big end first */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *cursor_encode(const uint8_t *data, size_t size)
{
    char *text = xnew(char, (size * 8 + 5) / 6 + 1);
    uint32_t bits = 0;
    unsigned waiting = 0;
    size_t length = 0;

    assert(size <= CURSOR_SIZE_MAX);
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | data[i];
        for (waiting += 8; waiting >= 6; waiting -= 6)
            text[length++] = digits[bits >> (waiting - 6) & 63];
    }
    if (waiting > 0)
        text[length++] = digits[bits << (6 - waiting) & 63];
    return text;
}

bool cursor_decode(uint8_t *ret_data, const char *text, size_t *ret_size)
{
    uint32_t bits = 0;
    unsigned waiting = 0;
    size_t size = 0;

    for (; *text; text++) {
        const char *digit = strchr(digits, *text);

        if (!digit)
            return false;
        bits = bits << 6 | (uint32_t) (digit - digits);
        waiting += 6;
        if (waiting < 8)
            continue;
        waiting -= 8;
        if (size == CURSOR_SIZE_MAX)
            return false;
        ret_data[size++] = (uint8_t) (bits >> waiting);
    }
    *ret_size = size;
    return waiting < 6 && (bits & ((1U << waiting) - 1)) == 0;
}

char *cursor_encode_number(uint64_t number)
{
    uint8_t data[NUMBER_SIZE];

    for (size_t i = NUMBER_SIZE; i-- > 0; number >>= 8)
        data[i] = (uint8_t) number;
    return cursor_encode(data, NUMBER_SIZE);
}

bool cursor_decode_number(const char *text, uint64_t *ret_number)
{
    uint8_t data[CURSOR_SIZE_MAX];
    uint64_t number = 0;
    size_t size;

    if (!cursor_decode(data, text, &size) || size != NUMBER_SIZE)
        return false;
    for (size_t i = 0; i < NUMBER_SIZE; i++)
        number = number << 8 | data[i];
    *ret_number = number;
    return true;
}
