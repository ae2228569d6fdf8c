/* What accounts are made of: roles, tokens, sessions, and who somebody is. Plain values.
 *
 * Secrets are not among them: what is kept of a secret is its hash (accounts/secret.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "accounts/secret.h"
#include "base/clock.h"

#define ACCOUNT_NAME_SIZE 65 /* 64 characters of [A-Za-z0-9_.-] and NUL */

/* Each may do all that the one before it may. */
enum account_role { ACCOUNT_NONE, ACCOUNT_READ, ACCOUNT_CONTROL, ACCOUNT_ADMIN };

/* "none", "read", "control", "admin". */
const char *account_role_name(enum account_role role);
/* One of the last three; false: it is none, and *ret_role is untouched. */
bool account_role_parse(const char *text, enum account_role *ret_role);
bool account_name_is_valid(const char *name);

struct account_token {
    char name[ACCOUNT_NAME_SIZE];
    enum account_role role;
    uint8_t hash[SECRET_HASH_SIZE];
    int64_t created, last_used; /* wall clock; 0: not known, never */
    bool is_environment;        /* from BLEFLEET_TOKEN_FILE, and never stored */
};

struct account_session {
    uint8_t id[SECRET_HASH_SIZE];    /* hash of what the cookie holds */
    uint8_t token[SECRET_HASH_SIZE]; /* hash of the token that signed in */
    int64_t created, expires;        /* wall clock */
};

enum account_via {
    ACCOUNT_VIA_NOBODY,
    ACCOUNT_VIA_LOOPBACK,
    ACCOUNT_VIA_BEARER,
    ACCOUNT_VIA_COOKIE
};

struct account_identity {
    enum account_via via;
    enum account_role role;
    char name[ACCOUNT_NAME_SIZE];      /* of the token; "" without one */
    uint8_t token[SECRET_HASH_SIZE];   /* with a token */
    uint8_t session[SECRET_HASH_SIZE]; /* with a session */
    int64_t expires;                   /* of the session, wall clock; 0: does not */
    usec_t retry_after; /* tokens from there are not looked at for so long; 0: they are */
};

/* Where a request came from, as far as wrong tokens are counted together: an IPv4 address, or the
 * upper half of an IPv6 address. */
struct account_source {
    bool is_six;
    uint64_t prefix;
};
