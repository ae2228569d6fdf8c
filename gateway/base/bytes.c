#include "bytes.h"

#include <endian.h>
#include <string.h>

bool bytes_pull_u8(struct bytes *b, uint8_t *ret_value)
{
    if (b->size < 1)
        return false;
    *ret_value = b->data[0];
    b->data += 1;
    b->size -= 1;
    return true;
}

bool bytes_pull_be16(struct bytes *b, uint16_t *ret_value)
{
    if (b->size < 2)
        return false;
    *ret_value = (uint16_t) (b->data[0] << 8 | b->data[1]);
    b->data += 2;
    b->size -= 2;
    return true;
}

bool bytes_pull(struct bytes *b, size_t size, struct bytes *ret_part)
{
    if (b->size < size)
        return false;
    ret_part->data = b->data;
    ret_part->size = size;
    b->data += size;
    b->size -= size;
    return true;
}

/* The lower seven bits of each of eight octets, put together. */
static uint64_t join_sevens(uint64_t octets)
{
    octets &= UINT64_C(0x7f7f7f7f7f7f7f7f);
    octets = (octets & UINT64_C(0x007f007f007f007f)) | (octets & UINT64_C(0x7f007f007f007f00)) >> 1;
    octets = (octets & UINT64_C(0x00003fff00003fff)) | (octets & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (octets & UINT64_C(0x0fffffff)) | (octets & UINT64_C(0x0fffffff00000000)) >> 4;
}

/* A varint that ends within the next eight octets, without a loop: addresses take seven. */
static bool pull_within_eight(struct bytes *b, uint64_t *ret_value)
{
    uint64_t octets, ends;
    unsigned last;

    memcpy(&octets, b->data, sizeof octets);
    octets = le64toh(octets);
    ends = ~octets & UINT64_C(0x8080808080808080);
    if (!ends)
        return false;
    last = (unsigned) __builtin_ctzll(ends) / 8;
    *ret_value = join_sevens(octets & UINT64_MAX >> (56 - 8 * last));
    b->data += last + 1;
    b->size -= last + 1;
    return true;
}

bool bytes_pull_varint(struct bytes *b, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (b->size >= 8 && pull_within_eight(b, ret_value))
        return true;
    for (size_t i = 0; i < b->size && i < 10; i++) {
        value |= (uint64_t) (b->data[i] & 0x7f) << (7 * i);
        if (b->data[i] & 0x80)
            continue;
        *ret_value = value;
        b->data += i + 1;
        b->size -= i + 1;
        return true;
    }
    return false;
}

void bytes_to_hex(char *ret_text, const uint8_t *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        *ret_text++ = digits[data[i] >> 4];
        *ret_text++ = digits[data[i] & 15];
    }
    *ret_text = '\0';
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool bytes_from_hex(uint8_t *ret_data, size_t capacity, const char *text, size_t length,
                    size_t *ret_size)
{
    if (length % 2 != 0 || length / 2 > capacity)
        return false;
    for (size_t i = 0; i < length; i += 2) {
        int high = digit_value(text[i]), low = digit_value(text[i + 1]);

        if (high < 0 || low < 0)
            return false;
        ret_data[i / 2] = (uint8_t) (high << 4 | low);
    }
    *ret_size = length / 2;
    return true;
}
