/* Who may do what: tokens, sessions, wrong tokens, and the record of who changed what.
 *
 * While no token exists, everybody on loopback is admin and nobody else is anything; from the first
 * token on everybody needs one. Whoever keeps accounts over restarts is told what changed through
 * struct accounts_keeper, and hands back what it kept. Pure: time and chance come in as arguments.
 * Thread: the owner's. */
#pragma once

#include <stddef.h>

#include "accounts/account.h"
#include "accounts/audit.h"
#include "accounts/token_lines.h"

struct accounts;

/* Called from inside; what is told is valid for the call. Those of the environment are not told. */
struct accounts_keeper {
    void (*add_token)(void *user, const struct account_token *token);
    void (*use_token)(void *user, const struct account_token *token); /* its last_used is news */
    void (*drop_token)(void *user, const char *name);
    void (*put_session)(void *user, const struct account_session *session);
    void (*drop_session)(void *user, const uint8_t id[SECRET_HASH_SIZE]);
    void (*put_audit)(void *user, const struct audit_entry *entry);
    void *user;
};

/* keeper NULL: nothing is kept. */
struct accounts *accounts_new(const struct accounts_keeper *keeper);
void accounts_free(struct accounts *a); /* accepts NULL */

/* Called when somebody may have lost what they had: a token or a session ended, a role is another,
 * the first token came. One at a time; NULL ends it. */
void accounts_watch(struct accounts *a, void (*on_change)(void *user), void *user);

/* ---- what was kept ---- */

/* All tokens that are in the store now, at the start and whenever somebody else changed them; those
 * that are gone, or have another secret, take their sessions with them. Beyond TOKENS_MAX they do
 * not count. */
void accounts_set_tokens(struct accounts *a, const struct account_token *tokens, size_t count);
/* Those of the environment, in place of the ones before. False: no room for all. */
bool accounts_set_environment(struct accounts *a, const struct token_lines *lines);
/* One whose token is not there is nobody's; it goes with the next set of tokens, or sweep. */
void accounts_load_session(struct accounts *a, const struct account_session *session, int64_t wall);
void accounts_load_audit(struct accounts *a, const struct audit_entry *entry);

/* ---- who somebody is ---- */

bool accounts_has_tokens(const struct accounts *a);

struct account_credentials {
    const char *bearer; /* NULL: none sent */
    const char *cookie; /* what the cookie of a session holds; NULL: none sent */
    struct account_source source;
    bool is_loopback;
};

/* A token goes before a cookie. A wrong token is nobody, and counts against its source; a cookie of
 * a session that is over is nobody, too, and does not. True: wrong tokens from there are held off
 * from now on, which is to be told once. */
bool accounts_identify(struct accounts *a, const struct account_credentials *credentials,
                       usec_t now, int64_t wall, struct account_identity *ret_identity);

/* Whether somebody who was identified is still who they were, with no less of a role. */
bool accounts_stands(const struct accounts *a, const struct account_identity *identity,
                     int64_t wall);

/* ---- sessions ---- */

/* Signs in with a token. 0 with what the cookie is to hold and the identity it stands for;
 * E_UNAUTHORIZED; E_RATE_LIMITED with identity->retry_after. The session of before ends.
 * *ret_is_held as accounts_identify() says. */
struct accounts_sign_in {
    const char *token;
    struct account_source source;
    const struct account_identity *before; /* who asked */
    int64_t lasts;                         /* microseconds */
    const uint8_t *random;                 /* SECRET_RANDOM_SIZE octets */
};
int accounts_sign_in(struct accounts *a, const struct accounts_sign_in *wish, usec_t now,
                     int64_t wall, char ret_cookie[SECRET_ID_SIZE],
                     struct account_identity *ret_identity, bool *ret_is_held);
/* Ends the session of who asked, if there is one. */
void accounts_sign_out(struct accounts *a, const struct account_identity *identity);
/* Sessions whose time is over go. To be called each minute or so. */
void accounts_sweep(struct accounts *a, int64_t wall);

/* ---- tokens ---- */

/* Number index, by name; NULL behind the end. Valid until the next change. */
const struct account_token *accounts_get_token(const struct accounts *a, size_t index);
const struct account_token *accounts_find_token(const struct accounts *a, const char *name);

/* Makes one. 0 with its secret; E_CONFLICT: the name is taken; E_INVALID_REQUEST: the first one
 * must be an admin, else nobody could go on; E_OVERLOADED: there are too many. The name is valid.
 */
int accounts_add_token(struct accounts *a, const char *name, enum account_role role,
                       const uint8_t random[SECRET_RANDOM_SIZE], int64_t wall,
                       char ret_secret[SECRET_TOKEN_SIZE]);
/* 0; E_NOT_FOUND; E_OVERRIDDEN: it is of the environment; E_CONFLICT: the last admin. */
int accounts_remove_token(struct accounts *a, const char *name);

/* ---- who changed what ---- */

/* As audit_add(). */
void accounts_audit(struct accounts *a, const struct audit_entry *entry, usec_t now);
const struct audit_entry *accounts_audit_before(const struct accounts *a, uint64_t id);
/* As audit_forget(). */
bool accounts_forget_audit(struct accounts *a, int64_t wall);
