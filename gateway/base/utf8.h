/* Octets of doubtful origin -> valid UTF-8.
 *
 * Each bad sequence (the longest start of a character that could have been, or a lone octet)
 * becomes one U+FFFD, as the Unicode Standard recommends (3.9, "maximal subpart") and as Python's
 * "replace" does. A zero octet is a character like any other. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Room for the repaired text of size octets, its NUL included. */
#define UTF8_REPAIRED_SIZE(size) (3 * (size_t) (size) + 1)

/* Writes the repaired text and a NUL behind it into ret_text, which has room for
 * UTF8_REPAIRED_SIZE(size). Its length in octets, the NUL not counted. */
size_t utf8_repair(char *ret_text, const uint8_t *data, size_t size);

/* The number of characters that the repaired text has. */
size_t utf8_count(const uint8_t *data, size_t size);
