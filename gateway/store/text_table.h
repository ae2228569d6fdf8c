/* Texts by key, held in memory, each of which knows whether the file has it: a small table that is
 * read at once and written later.
 *
 * Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define TEXT_TABLE_MAX 4096 /* as many as there may be proxies */
#define TEXT_KEY_MAX   128  /* octets, without the NUL */
#define TEXT_VALUE_MAX 4096

struct text {
    char *key;
    char *value; /* NULL: to be taken out of the file */
    bool is_dirty;
};

/* Valid when zeroed. */
struct text_table {
    struct text *items;
    size_t count, capacity;
};

void text_table_done(struct text_table *t);

/* NULL: there is none. Valid until the next change. */
const char *text_table_get(const struct text_table *t, const char *key);

/* As the file has it. */
void text_table_load(struct text_table *t, const char *key, const char *value);

/* value NULL: no more. True when that is news for the file. False also when there is no room. */
bool text_table_put(struct text_table *t, const char *key, const char *value);

/* Says that the file may not have this one; unknown keys, and ones that are gone, are noted too. */
void text_table_mark(struct text_table *t, const char *key);

/* The next one that the file does not have, which from now on counts as had; valid until the next
 * change. NULL: the file has all. */
const struct text *text_table_take_dirty(struct text_table *t);

bool text_table_is_dirty(const struct text_table *t);
