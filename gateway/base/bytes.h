/* Octets: a reading cursor in which every read is checked, a hash, and hex.
 *
 * A cursor borrows its octets and owns nothing. A read past the end fails without moving. */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data; /* borrowed */
    size_t size;
};

/* Each takes its octets from the front, or returns false and changes nothing. */
bool bytes_pull_u8(struct bytes *b, uint8_t *ret_value);
bool bytes_pull_be16(struct bytes *b, uint16_t *ret_value);
bool bytes_pull(struct bytes *b, size_t size, struct bytes *ret_part);

/* Protobuf base-128 varint: false when it does not end within the data or within 10 octets. */
bool bytes_pull_varint(struct bytes *b, uint64_t *ret_value);

/* Four octets, the least significant first; one store. */
static inline void bytes_put_le32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t) value;
    at[1] = (uint8_t) (value >> 8);
    at[2] = (uint8_t) (value >> 16);
    at[3] = (uint8_t) (value >> 24);
}

/* At most BYTES_VARINT_MAX octets at `at`; gives out where it goes on. */
#define BYTES_VARINT_MAX 10
static inline uint8_t *bytes_put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t) (value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t) value;
    return at;
}

/* The lower seven bits of each of eight octets, put together. */
static inline uint64_t bytes_join_sevens(uint64_t octets)
{
    octets &= UINT64_C(0x7f7f7f7f7f7f7f7f);
    octets = (octets & UINT64_C(0x007f007f007f007f)) | (octets & UINT64_C(0x7f007f007f007f00)) >> 1;
    octets = (octets & UINT64_C(0x00003fff00003fff)) | (octets & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (octets & UINT64_C(0x0fffffff)) | (octets & UINT64_C(0x0fffffff00000000)) >> 4;
}

/* Its size, when the varint ends within these eight octets, otherwise 0. Without a loop and here,
 * because each advertisement has an address, which takes seven. */
static inline size_t bytes_varint_of_eight(const uint8_t octets[static 8], uint64_t *ret_value)
{
    uint64_t all, ends;
    unsigned last;

    memcpy(&all, octets, sizeof all);
    all = le64toh(all);
    ends = ~all & UINT64_C(0x8080808080808080);
    if (!ends)
        return 0;
    last = (unsigned) __builtin_ctzll(ends) / 8;
    *ret_value = bytes_join_sevens(all & UINT64_MAX >> (56 - 8 * last));
    return last + 1;
}

/* FNV-1a. Whoever wants octets of equal hash can make them: where that matters, octets of equal
 * hash are compared. */
uint64_t bytes_hash(const void *data, size_t size);

/* Lower-case hex of size octets and a NUL; ret_text has room for 2 * size + 1. */
void bytes_to_hex(char *ret_text, const uint8_t *data, size_t size);

/* Reads exactly length hex digits of either case into length / 2 octets (capacity at least that).
 * False when length is odd, a digit is not one, or the octets exceed capacity. */
bool bytes_from_hex(uint8_t *ret_data, size_t capacity, const char *text, size_t length,
                    size_t *ret_size);
