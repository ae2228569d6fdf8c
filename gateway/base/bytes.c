#include "bytes.h"

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

bool bytes_pull_varint(struct bytes *b, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t size = b->size >= 8 ? bytes_varint_of_eight(b->data, ret_value) : 0;

    if (size > 0) {
        b->data += size;
        b->size -= size;
        return true;
    }
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

uint64_t bytes_hash(const void *data, size_t size)
{
    const uint8_t *octets = data;
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ octets[i]) * 0x100000001b3;
    return hash;
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
