/* Octets: a reading cursor in which every read is checked, and hex.
 *
 * A cursor borrows its octets and owns nothing. A read past the end fails without moving. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* Lower-case hex of size octets and a NUL; ret_text has room for 2 * size + 1. */
void bytes_to_hex(char *ret_text, const uint8_t *data, size_t size);

/* Reads exactly length hex digits of either case into length / 2 octets (capacity at least that).
 * False when length is odd, a digit is not one, or the octets exceed capacity. */
bool bytes_from_hex(uint8_t *ret_data, size_t capacity, const char *text, size_t length,
                    size_t *ret_size);
