/* Who has signed in. Of each token only so many at a time: a further one ends its oldest, so that
 * one that signs in without end harms itself alone. Pure. */
#pragma once

#include <stddef.h>

#include "accounts/account.h"
#include "accounts/token_table.h"

#define SESSIONS_PER_TOKEN 32
#define SESSIONS_MAX       (SESSIONS_PER_TOKEN * TOKENS_MAX)

/* Valid when zeroed. */
struct session_table {
    struct account_session *items; /* in order of their coming */
    size_t count, capacity;
};

void session_table_done(struct session_table *t);

/* NULL: there is none, or its time is over. Valid until the next change. */
const struct account_session *session_table_find(const struct session_table *t,
                                                 const uint8_t id[SECRET_HASH_SIZE], int64_t wall);

/* Adds it. True: *ret_gone had to go. */
bool session_table_add(struct session_table *t, const struct account_session *session,
                       struct account_session *ret_gone);

/* Takes out the next one that is over (by wall), or that this token signed in.
 * Call them until they say false. */
bool session_table_take_expired(struct session_table *t, int64_t wall,
                                struct account_session *ret_session);
bool session_table_take_of(struct session_table *t, const uint8_t token[SECRET_HASH_SIZE],
                           struct account_session *ret_session);
bool session_table_take(struct session_table *t, const uint8_t id[SECRET_HASH_SIZE],
                        struct account_session *ret_session);
