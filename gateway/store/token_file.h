/* The tokens in the store, for a program that changes them without a gateway, or beside one that
 * runs (which sees it within STORE_LOOK_MS). Blocks. Thread: any, one at a time. */
#pragma once

#include <stddef.h>

#include "accounts/account.h"

struct token_file;

/* Makes the store if there is none. A negative errno, with a sentence in ret_error. */
int token_file_open(const char *folder, struct token_file **ret_file, char *ret_error,
                    size_t error_size);
void token_file_close(struct token_file *f); /* accepts NULL */

/* Whether there are any, without making or changing the store. */
bool token_file_has_any(const char *folder);

/* Number index by name, as it was when the file was opened; NULL behind the end. */
const struct account_token *token_file_get(const struct token_file *f, size_t index);
const struct account_token *token_file_find(const struct token_file *f, const char *name);

/* 0 when it is in the file, else a negative errno. Removing one ends its sessions. */
int token_file_add(struct token_file *f, const struct account_token *token);
int token_file_remove(struct token_file *f, const char *name);
