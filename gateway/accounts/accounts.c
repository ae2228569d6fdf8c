/* The story: a request brings a token or a cookie; its hash is looked for in a table, and the entry
 * says who it is. Changes go into the table first, then to the keeper, then to the watcher, who
 * asks of each stream whether its identity still stands.
 *
 * Failure modes: a wrong token is counted against where it came from; ten in a minute, and tokens
 * from there are not looked at for a minute. Sessions are found by cookies, and go on meanwhile. */
#include "accounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accounts/session_table.h"
#include "accounts/token_table.h"
#include "accounts/wrong_tokens.h"
#include "base/error.h"
#include "base/memory.h"

#define USED_AGAIN ((int64_t) 3600 * 1000000) /* the file learns of a use so much later */

struct accounts {
    struct accounts_keeper keeper; /* functions NULL: nothing is kept */
    struct token_table tokens;
    struct session_table sessions;
    struct wrong_tokens wrong;
    struct audit *audit;
    void (*on_change)(void *user);
    void *user;
};

static void tell_change(const struct accounts *a)
{
    if (a->on_change)
        a->on_change(a->user);
}

/* ---- keeping ---- */

static void keep_use(const struct accounts *a, const struct account_token *token)
{
    if (a->keeper.use_token && !token->is_environment)
        a->keeper.use_token(a->keeper.user, token);
}

static void keep_session(const struct accounts *a, const struct account_session *session)
{
    if (a->keeper.put_session)
        a->keeper.put_session(a->keeper.user, session);
}

static void forget_session(const struct accounts *a, const struct account_session *session)
{
    if (a->keeper.drop_session)
        a->keeper.drop_session(a->keeper.user, session->id);
}

static void end_sessions_of(struct accounts *a, const uint8_t token[SECRET_HASH_SIZE])
{
    struct account_session gone;

    while (session_table_take_of(&a->sessions, token, &gone))
        forget_session(a, &gone);
}

/* Sessions whose token does not count any more. */
static void end_orphans(struct accounts *a)
{
    for (size_t i = a->sessions.count; i-- > 0;) {
        uint8_t token[SECRET_HASH_SIZE];

        if (i >= a->sessions.count || token_table_find_hash(&a->tokens, a->sessions.items[i].token))
            continue;
        memcpy(token, a->sessions.items[i].token, sizeof token);
        end_sessions_of(a, token);
    }
}

/* ---- identities ---- */

static void take_token(struct accounts *a, struct account_token *token, int64_t wall,
                       struct account_identity *ret_identity)
{
    bool is_news = wall - token->last_used >= USED_AGAIN || token->last_used > wall;

    ret_identity->role = token->role;
    (void) snprintf(ret_identity->name, sizeof ret_identity->name, "%s", token->name);
    memcpy(ret_identity->token, token->hash, sizeof token->hash);
    token->last_used = is_news || token->is_environment ? wall : token->last_used;
    if (is_news)
        keep_use(a, token);
}

static struct account_token *find_secret(const struct accounts *a, const char *secret)
{
    uint8_t hash[SECRET_HASH_SIZE];

    if (strnlen(secret, SECRET_LENGTH_MAX + 1) > SECRET_LENGTH_MAX)
        return NULL;
    secret_hash(secret, hash);
    return token_table_find_hash(&a->tokens, hash);
}

/* NULL: it is nobody's, or held off. */
static struct account_token *check_secret(struct accounts *a, const char *secret,
                                          struct account_source source, usec_t now,
                                          usec_t *ret_retry_after, bool *ret_is_held)
{
    struct account_token *token;

    *ret_is_held = false;
    *ret_retry_after = wrong_tokens_hold(&a->wrong, source, now);
    if (*ret_retry_after > 0)
        return NULL;
    token = find_secret(a, secret);
    if (!token)
        *ret_is_held = wrong_tokens_add(&a->wrong, source, now);
    return token;
}

static void identify_session(struct accounts *a, const char *cookie, int64_t wall,
                             struct account_identity *ret_identity)
{
    const struct account_session *session;
    struct account_token *token;
    uint8_t id[SECRET_HASH_SIZE];

    if (strnlen(cookie, SECRET_ID_SIZE) >= SECRET_ID_SIZE)
        return;
    secret_hash(cookie, id);
    session = session_table_find(&a->sessions, id, wall);
    token = session ? token_table_find_hash(&a->tokens, session->token) : NULL;
    if (!token)
        return;
    ret_identity->via = ACCOUNT_VIA_COOKIE;
    ret_identity->expires = session->expires;
    memcpy(ret_identity->session, session->id, sizeof session->id);
    take_token(a, token, wall, ret_identity);
}

bool accounts_identify(struct accounts *a, const struct account_credentials *credentials,
                       usec_t now, int64_t wall, struct account_identity *ret_identity)
{
    struct account_token *token;
    bool is_held = false;

    *ret_identity = (struct account_identity){0};
    if (!accounts_has_tokens(a)) {
        if (credentials->is_loopback)
            *ret_identity =
                    (struct account_identity){.via = ACCOUNT_VIA_LOOPBACK, .role = ACCOUNT_ADMIN};
        return false;
    }
    if (credentials->bearer) {
        token = check_secret(a, credentials->bearer, credentials->source, now,
                             &ret_identity->retry_after, &is_held);
        if (token) {
            ret_identity->via = ACCOUNT_VIA_BEARER;
            take_token(a, token, wall, ret_identity);
        }
    } else if (credentials->cookie) {
        identify_session(a, credentials->cookie, wall, ret_identity);
    }
    return is_held;
}

bool accounts_stands(const struct accounts *a, const struct account_identity *identity,
                     int64_t wall)
{
    const struct account_token *token;

    switch (identity->via) {
    case ACCOUNT_VIA_NOBODY:
        return true; /* there is nothing to lose */
    case ACCOUNT_VIA_LOOPBACK:
        return !accounts_has_tokens(a);
    case ACCOUNT_VIA_COOKIE:
        if (!session_table_find(&a->sessions, identity->session, wall))
            return false;
        break;
    case ACCOUNT_VIA_BEARER:
        break;
    }
    token = token_table_find_hash(&a->tokens, identity->token);
    return token && token->role >= identity->role;
}

/* ---- sessions ---- */

int accounts_sign_in(struct accounts *a, const struct accounts_sign_in *wish, usec_t now,
                     int64_t wall, char ret_cookie[SECRET_ID_SIZE],
                     struct account_identity *ret_identity, bool *ret_is_held)
{
    struct account_session session = {.created = wall, .expires = wall + wish->lasts}, gone;
    struct account_token *token;

    *ret_identity = (struct account_identity){0};
    token = check_secret(a, wish->token, wish->source, now, &ret_identity->retry_after,
                         ret_is_held);
    if (!token)
        return ret_identity->retry_after > 0 ? E_RATE_LIMITED : E_UNAUTHORIZED;
    accounts_sign_out(a, wish->before);
    secret_make_id(wish->random, ret_cookie);
    secret_hash(ret_cookie, session.id);
    memcpy(session.token, token->hash, sizeof session.token);
    if (session_table_add(&a->sessions, &session, &gone)) {
        forget_session(a, &gone);
        tell_change(a);
    }
    keep_session(a, &session);
    ret_identity->via = ACCOUNT_VIA_COOKIE;
    ret_identity->expires = session.expires;
    memcpy(ret_identity->session, session.id, sizeof session.id);
    take_token(a, token, wall, ret_identity);
    return 0;
}

void accounts_sign_out(struct accounts *a, const struct account_identity *identity)
{
    struct account_session gone;

    if (identity->via != ACCOUNT_VIA_COOKIE ||
        !session_table_take(&a->sessions, identity->session, &gone))
        return;
    forget_session(a, &gone);
    tell_change(a);
}

void accounts_sweep(struct accounts *a, int64_t wall)
{
    struct account_session gone;
    bool is_any = false;

    end_orphans(a);
    while (session_table_take_expired(&a->sessions, wall, &gone)) {
        forget_session(a, &gone);
        is_any = true;
    }
    if (is_any)
        tell_change(a);
}

/* ---- tokens ---- */

static void drop_environment(struct accounts *a)
{
    for (size_t i = a->tokens.count; i-- > 0;) {
        const struct account_token token = a->tokens.items[i];

        if (token.is_environment)
            (void) token_table_drop(&a->tokens, token.name, /* is_environment= */ true);
    }
}

void accounts_set_tokens(struct accounts *a, const struct account_token *tokens, size_t count)
{
    struct token_table before = a->tokens;

    a->tokens = (struct token_table){0};
    for (size_t i = 0; i < before.count; i++) {
        if (before.items[i].is_environment)
            (void) token_table_put(&a->tokens, &before.items[i]);
    }
    for (size_t i = 0; i < count; i++) {
        struct account_token token = tokens[i];
        const struct account_token *known = token_table_find_hash(&before, token.hash);

        token.is_environment = false;
        if (known && known->last_used > token.last_used)
            token.last_used = known->last_used;
        (void) token_table_put(&a->tokens, &token);
    }
    token_table_done(&before);
    end_orphans(a);
    tell_change(a);
}

bool accounts_set_environment(struct accounts *a, const struct token_lines *lines)
{
    bool have_room = true;

    drop_environment(a);
    for (size_t i = 0; i < lines->count; i++)
        have_room = token_table_put(&a->tokens, &lines->items[i]) && have_room;
    end_orphans(a);
    tell_change(a);
    return have_room;
}

void accounts_load_session(struct accounts *a, const struct account_session *session, int64_t wall)
{
    struct account_session gone;

    if (session->expires <= wall)
        forget_session(a, session);
    else if (session_table_add(&a->sessions, session, &gone))
        forget_session(a, &gone);
}

const struct account_token *accounts_get_token(const struct accounts *a, size_t index)
{
    return token_table_get(&a->tokens, index);
}

const struct account_token *accounts_find_token(const struct accounts *a, const char *name)
{
    return token_table_find(&a->tokens, name);
}

int accounts_add_token(struct accounts *a, const char *name, enum account_role role,
                       const uint8_t random[SECRET_RANDOM_SIZE], int64_t wall,
                       char ret_secret[SECRET_TOKEN_SIZE])
{
    struct account_token token = {.role = role, .created = wall};
    bool is_first = !accounts_has_tokens(a);

    if (token_table_find(&a->tokens, name))
        return E_CONFLICT;
    if (is_first && role != ACCOUNT_ADMIN)
        return E_INVALID_REQUEST;
    (void) snprintf(token.name, sizeof token.name, "%s", name);
    secret_make_token(random, ret_secret);
    secret_hash(ret_secret, token.hash);
    if (!token_table_put(&a->tokens, &token)) {
        secret_wipe(ret_secret, SECRET_TOKEN_SIZE);
        return E_OVERLOADED;
    }
    if (a->keeper.add_token)
        a->keeper.add_token(a->keeper.user, &token);
    if (is_first)
        tell_change(a);
    return 0;
}

int accounts_remove_token(struct accounts *a, const char *name)
{
    const struct account_token *token = token_table_find(&a->tokens, name);
    struct account_token gone;

    if (!token)
        return E_NOT_FOUND;
    if (token->is_environment)
        return E_OVERRIDDEN;
    if (token->role == ACCOUNT_ADMIN && token_table_count_admins(&a->tokens) == 1)
        return E_CONFLICT;
    gone = *token;
    (void) token_table_drop(&a->tokens, gone.name, /* is_environment= */ false);
    if (a->keeper.drop_token)
        a->keeper.drop_token(a->keeper.user, gone.name);
    end_sessions_of(a, gone.hash);
    tell_change(a);
    return 0;
}

/* ---- who changed what ---- */

void accounts_load_audit(struct accounts *a, const struct audit_entry *entry)
{
    audit_load(a->audit, entry);
}

void accounts_audit(struct accounts *a, const struct audit_entry *entry, usec_t now)
{
    const struct audit_entry *added = audit_add(a->audit, entry, now);

    if (added && a->keeper.put_audit)
        a->keeper.put_audit(a->keeper.user, added);
}

const struct audit_entry *accounts_audit_before(const struct accounts *a, uint64_t id)
{
    return audit_before(a->audit, id);
}

bool accounts_forget_audit(struct accounts *a, int64_t wall)
{
    return audit_forget(a->audit, wall);
}

/* ---- life ---- */

struct accounts *accounts_new(const struct accounts_keeper *keeper)
{
    struct accounts *a = xnew(struct accounts, 1);

    if (keeper)
        a->keeper = *keeper;
    a->audit = audit_new();
    return a;
}

void accounts_free(struct accounts *a)
{
    if (!a)
        return;
    token_table_done(&a->tokens);
    session_table_done(&a->sessions);
    wrong_tokens_done(&a->wrong);
    audit_free(a->audit);
    free(a);
}

void accounts_watch(struct accounts *a, void (*on_change)(void *user), void *user)
{
    a->on_change = on_change;
    a->user = user;
}

bool accounts_has_tokens(const struct accounts *a)
{
    return a->tokens.count > 0;
}
