#include "percent.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/utf8.h"

static bool is_utf8(const char *text, size_t size)
{
    char *repaired AUTO_FREE = xnew(char, UTF8_REPAIRED_SIZE(size));

    return utf8_repair(repaired, (const uint8_t *) text, size) == size &&
           memcmp(repaired, text, size) == 0;
}

char *percent_decode(const char *text, size_t size, bool plus_is_space)
{
    char *decoded AUTO_FREE = xnew(char, size + 1);
    size_t length = 0, octets;

    for (size_t i = 0; i < size; i++) {
        uint8_t octet = (uint8_t) text[i];

        if (text[i] == '%') {
            if (size - i < 3 || !bytes_from_hex(&octet, 1, text + i + 1, 2, &octets))
                return NULL;
            i += 2;
        } else if (text[i] == '+' && plus_is_space) {
            octet = ' ';
        }
        if (octet == 0)
            return NULL;
        decoded[length++] = (char) octet;
    }
    return is_utf8(decoded, length) ? TAKE(decoded) : NULL;
}
