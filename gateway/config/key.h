/* Keys as people write them down. Inside this room only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exactly size octets in base64 (RFC 4648, padded or not). White space anywhere is skipped: keys
 * get pasted with line ends. */
bool key_from_base64(uint8_t *ret_octets, size_t size, const char *text);

/* The other direction, padded, with a NUL; ret_text has room for KEY_BASE64_SIZE(size). */
#define KEY_BASE64_SIZE(size) (((size) + 2) / 3 * 4 + 1)
void key_to_base64(char *ret_text, const uint8_t *octets, size_t size);
