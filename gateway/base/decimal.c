#include "decimal.h"

#include <string.h>

size_t decimal_format(char ret_text[DECIMAL_SIZE], uint64_t value)
{
    char digits[DECIMAL_SIZE], *at = digits + DECIMAL_SIZE;
    size_t size;

    *--at = '\0';
    do {
        *--at = (char) ('0' + value % 10);
        value /= 10;
    } while (value > 0);
    size = (size_t) (digits + DECIMAL_SIZE - at);
    memcpy(ret_text, at, size);
    return size - 1;
}
