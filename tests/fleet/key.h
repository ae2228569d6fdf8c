/* An encryption key of 32 octets and its base64 text, as ESPHome configurations carry it. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define KEY_SIZE      32
#define KEY_TEXT_SIZE 45 /* 44 characters and NUL */

void key_format(char ret_text[KEY_TEXT_SIZE], const uint8_t key[KEY_SIZE]);

/* False unless text is the base64 of exactly 32 octets; the key is then untouched. */
bool key_parse(const char *text, uint8_t ret_key[KEY_SIZE]);
