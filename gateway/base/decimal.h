/* Numbers as decimal digits, without printf: an event has a dozen of them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DECIMAL_SIZE 21 /* of the longest, with its NUL */

/* The digits and a NUL; how many digits there are. */
size_t decimal_format(char ret_text[DECIMAL_SIZE], uint64_t value);
