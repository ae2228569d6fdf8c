/* Percent-encoding of request targets (RFC 3986, 2.1). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The decoded text, to be freed; NULL when an escape is broken or means NUL, or the result is not
 * UTF-8. With plus_is_space as forms write it ("a+b"). */
char *percent_decode(const char *text, size_t size, bool plus_is_space);
