/* The text of BLEFLEET_TOKEN_FILE: lines "NAME ROLE SECRET", or one bare secret, which is an admin
 * with the name "env". Pure. */
#pragma once

#include <stddef.h>

#include "accounts/account.h"

#define TOKEN_LINES_MAX        64
#define TOKEN_LINES_OCTETS     ((size_t) 64 << 10)
#define TOKEN_LINES_FAULT      128
#define TOKEN_LINES_SECRET_MIN 32 /* characters */

struct token_lines {
    struct account_token items[TOKEN_LINES_MAX];
    size_t count;
};

/* False: ret_fault says what is wrong, with the number of the line and without any secret. Empty
 * lines are passed over; a file without tokens is none. */
bool token_lines_read(const char *text, size_t size, struct token_lines *ret_lines,
                      char ret_fault[TOKEN_LINES_FAULT]);
