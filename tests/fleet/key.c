/* 32 octets are ten groups of three and one of two, so the text always ends in one '='. */
#include "key.h"

#include <string.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void key_format(char ret_text[KEY_TEXT_SIZE], const uint8_t key[KEY_SIZE])
{
    unsigned bits = 0, count = 0;
    char *out = ret_text;

    for (unsigned i = 0; i < KEY_SIZE; i++) {
        bits = bits << 8 | key[i];
        for (count += 8; count >= 6; count -= 6)
            *out++ = ALPHABET[bits >> (count - 6) & 63];
    }
    *out++ = ALPHABET[bits << (6 - count) & 63];
    *out++ = '=';
    *out = '\0';
}

bool key_parse(const char *text, uint8_t ret_key[KEY_SIZE])
{
    uint8_t key[KEY_SIZE];
    unsigned bits = 0, count = 0, size = 0;

    if (strlen(text) != KEY_TEXT_SIZE - 1 || text[KEY_TEXT_SIZE - 2] != '=')
        return false;
    for (unsigned i = 0; i < KEY_TEXT_SIZE - 2; i++) {
        const char *digit = strchr(ALPHABET, text[i]);
        if (digit == NULL)
            return false;
        bits = bits << 6 | (unsigned) (digit - ALPHABET);
        count += 6;
        if (count >= 8) {
            count -= 8;
            key[size++] = (uint8_t) (bits >> count & 0xff);
        }
    }
    memcpy(ret_key, key, KEY_SIZE);
    return true;
}
