/* An array that is searched from front to end: there are few texts, and they rarely change. A text
 * that was taken away stays, without value: its key may come back, and the file must be told. When
 * that is done and the table is full, its place is taken by another. */
#include "text_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static struct text *find(const struct text_table *t, const char *key)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->items[i].key, key) == 0)
            return &t->items[i];
    }
    return NULL;
}

/* One that was taken away, and of which the file knows. */
static struct text *find_dead(const struct text_table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (!t->items[i].value && !t->items[i].is_dirty)
            return &t->items[i];
    }
    return NULL;
}

/* The text of the key, made if need be; NULL: no room, or no key for us. */
static struct text *obtain(struct text_table *t, const char *key)
{
    struct text *text = find(t, key);

    if (text)
        return text;
    if (strlen(key) > TEXT_KEY_MAX)
        return NULL;
    if (t->count == TEXT_TABLE_MAX) {
        text = find_dead(t);
        if (text) {
            free(text->key);
            *text = (struct text){.key = memory_copy_text(key)};
        }
        return text;
    }
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? t->capacity * 2 : 16;
        t->items = memory_resize(t->items, t->capacity, sizeof *t->items);
    }
    text = &t->items[t->count++];
    *text = (struct text){.key = memory_copy_text(key)};
    return text;
}

static void set_value(struct text *text, const char *value)
{
    char *copy = memory_copy_text(value); /* value may be the former one */

    free(text->value);
    text->value = copy;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

void text_table_done(struct text_table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->items[i].key);
        free(t->items[i].value);
    }
    free(t->items);
    *t = (struct text_table){0};
}

const char *text_table_get(const struct text_table *t, const char *key)
{
    const struct text *text = find(t, key);

    return text ? text->value : NULL;
}

void text_table_load(struct text_table *t, const char *key, const char *value)
{
    struct text *text = obtain(t, key);

    if (text)
        set_value(text, value);
}

bool text_table_put(struct text_table *t, const char *key, const char *value)
{
    struct text *text;

    if (same_text(text_table_get(t, key), value) || (value && strlen(value) > TEXT_VALUE_MAX))
        return false;
    text = obtain(t, key);
    if (!text)
        return false;
    set_value(text, value);
    text->is_dirty = true;
    return true;
}

void text_table_mark(struct text_table *t, const char *key)
{
    struct text *text = obtain(t, key);

    if (text)
        text->is_dirty = true;
}

const struct text *text_table_take_dirty(struct text_table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->items[i].is_dirty) {
            t->items[i].is_dirty = false;
            return &t->items[i];
        }
    }
    return NULL;
}

bool text_table_is_dirty(const struct text_table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->items[i].is_dirty)
            return true;
    }
    return false;
}
