/* Cursors of lists: opaque to clients, octets to us. Base64url without padding. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CURSOR_SIZE_MAX 384 /* octets; the longest device name and its key are far below */

/* The text, to be freed. size is at most CURSOR_SIZE_MAX. */
char *cursor_encode(const uint8_t *data, size_t size);

/* A cursor that is one number. False when it is not such a cursor. */
char *cursor_encode_number(uint64_t number);
bool cursor_decode_number(const char *text, uint64_t *ret_number);

/* False when no cursor of ours can look so. ret_data has room for CURSOR_SIZE_MAX. */
bool cursor_decode(uint8_t *ret_data, const char *text, size_t *ret_size);
