#include "session_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static size_t place_of(const struct session_table *t, const uint8_t id[SECRET_HASH_SIZE])
{
    size_t i = 0;

    while (i < t->count && !secret_is_equal(t->items[i].id, id))
        i++;
    return i;
}

static bool take_at(struct session_table *t, size_t i, struct account_session *ret_session)
{
    if (i == t->count)
        return false;
    *ret_session = t->items[i];
    t->count--;
    memmove(&t->items[i], &t->items[i + 1], (t->count - i) * sizeof *t->items);
    return true;
}

static size_t first_of(const struct session_table *t, const uint8_t token[SECRET_HASH_SIZE])
{
    size_t i = 0;

    while (i < t->count && !secret_is_equal(t->items[i].token, token))
        i++;
    return i;
}

static size_t count_of(const struct session_table *t, const uint8_t token[SECRET_HASH_SIZE])
{
    size_t count = 0;

    for (size_t i = 0; i < t->count; i++)
        count += secret_is_equal(t->items[i].token, token);
    return count;
}

void session_table_done(struct session_table *t)
{
    free(t->items);
    *t = (struct session_table){0};
}

const struct account_session *session_table_find(const struct session_table *t,
                                                 const uint8_t id[SECRET_HASH_SIZE], int64_t wall)
{
    size_t i = place_of(t, id);

    return i < t->count && t->items[i].expires > wall ? &t->items[i] : NULL;
}

bool session_table_add(struct session_table *t, const struct account_session *session,
                       struct account_session *ret_gone)
{
    bool has_gone = false;

    if (count_of(t, session->token) >= SESSIONS_PER_TOKEN)
        has_gone = take_at(t, first_of(t, session->token), ret_gone);
    else if (t->count == SESSIONS_MAX)
        has_gone = take_at(t, 0, ret_gone);
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 8;
        t->items = memory_resize(t->items, t->capacity, sizeof *t->items);
    }
    t->items[t->count++] = *session;
    return has_gone;
}

bool session_table_take_expired(struct session_table *t, int64_t wall,
                                struct account_session *ret_session)
{
    size_t i = 0;

    while (i < t->count && t->items[i].expires > wall)
        i++;
    return take_at(t, i, ret_session);
}

bool session_table_take_of(struct session_table *t, const uint8_t token[SECRET_HASH_SIZE],
                           struct account_session *ret_session)
{
    return take_at(t, first_of(t, token), ret_session);
}

bool session_table_take(struct session_table *t, const uint8_t id[SECRET_HASH_SIZE],
                        struct account_session *ret_session)
{
    return take_at(t, place_of(t, id), ret_session);
}
