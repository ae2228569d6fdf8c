#include "token_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Where it is, or where it would have to be: by name, of one name the environment's first. */
static size_t place_of(const struct token_table *t, const char *name, bool is_environment)
{
    size_t i = 0;

    for (; i < t->count; i++) {
        int order = strcmp(t->items[i].name, name);

        if (order > 0 || (order == 0 && (!t->items[i].is_environment || is_environment)))
            break;
    }
    return i;
}

static bool is_at(const struct token_table *t, size_t i, const char *name, bool is_environment)
{
    return i < t->count && strcmp(t->items[i].name, name) == 0 &&
           t->items[i].is_environment == is_environment;
}

static bool is_hidden(const struct token_table *t, size_t i)
{
    return i > 0 && strcmp(t->items[i - 1].name, t->items[i].name) == 0;
}

void token_table_done(struct token_table *t)
{
    free(t->items);
    *t = (struct token_table){0};
}

struct account_token *token_table_get(const struct token_table *t, size_t index)
{
    for (size_t i = 0; i < t->count; i++) {
        if (!is_hidden(t, i) && index-- == 0)
            return &t->items[i];
    }
    return NULL;
}

size_t token_table_count(const struct token_table *t)
{
    size_t count = 0;

    while (token_table_get(t, count))
        count++;
    return count;
}

size_t token_table_count_admins(const struct token_table *t)
{
    const struct account_token *token;
    size_t count = 0;

    for (size_t i = 0; (token = token_table_get(t, i)); i++)
        count += token->role == ACCOUNT_ADMIN;
    return count;
}

struct account_token *token_table_find(const struct token_table *t, const char *name)
{
    size_t i = place_of(t, name, /* is_environment= */ true);

    return i < t->count && strcmp(t->items[i].name, name) == 0 ? &t->items[i] : NULL;
}

struct account_token *token_table_find_hash(const struct token_table *t,
                                            const uint8_t hash[SECRET_HASH_SIZE])
{
    struct account_token *found = NULL;

    for (size_t i = 0; i < t->count; i++) {
        bool is_it = secret_is_equal(t->items[i].hash, hash);

        if (is_it && !is_hidden(t, i))
            found = &t->items[i];
    }
    return found;
}

bool token_table_put(struct token_table *t, const struct account_token *token)
{
    size_t i = place_of(t, token->name, token->is_environment);

    if (!is_at(t, i, token->name, token->is_environment)) {
        if (t->count == TOKENS_MAX)
            return false;
        if (t->count == t->capacity) {
            t->capacity = t->capacity ? 2 * t->capacity : 8;
            t->items = memory_resize(t->items, t->capacity, sizeof *t->items);
        }
        memmove(&t->items[i + 1], &t->items[i], (t->count - i) * sizeof *t->items);
        t->count++;
    }
    t->items[i] = *token;
    return true;
}

bool token_table_drop(struct token_table *t, const char *name, bool is_environment)
{
    size_t i = place_of(t, name, is_environment);

    if (!is_at(t, i, name, is_environment))
        return false;
    t->count--;
    memmove(&t->items[i], &t->items[i + 1], (t->count - i) * sizeof *t->items);
    return true;
}
