/* All tokens: those of the store and, for this run alone, those of the environment. A name of the
 * environment hides the same name of the store. Pure. */
#pragma once

#include <stddef.h>

#include "accounts/account.h"

#define TOKENS_MAX 256 /* each request with a token is compared with all of them */

/* Valid when zeroed. */
struct token_table {
    struct account_token *items;
    size_t count, capacity;
};

void token_table_done(struct token_table *t);

/* Number index of those that are not hidden, by name; NULL behind the end. Valid until the next
 * change, as all that is found here. */
struct account_token *token_table_get(const struct token_table *t, size_t index);
size_t token_table_count(const struct token_table *t);
size_t token_table_count_admins(const struct token_table *t);

struct account_token *token_table_find(const struct token_table *t, const char *name);
/* Looks at all of them, wherever the right one is. NULL: nobody's. */
struct account_token *token_table_find_hash(const struct token_table *t,
                                            const uint8_t hash[SECRET_HASH_SIZE]);

/* Adds it, or replaces the one of the same name and origin. False: there is no room. */
bool token_table_put(struct token_table *t, const struct account_token *token);
/* False: there was none of this name and origin. */
bool token_table_drop(struct token_table *t, const char *name, bool is_environment);
