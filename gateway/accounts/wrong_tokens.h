/* Who sends wrong tokens: after so many in a minute no token from there is looked at for a minute.
 *
 * A bounded number of sources is known. When there is no room, the one that was quiet for longest
 * goes, and only if all are held off the one whose minute ends first. Pure. */
#pragma once

#include <stddef.h>

#include "accounts/account.h"

#define WRONG_TOKENS_MAX    10
#define WRONG_TOKENS_WINDOW (60 * USEC_PER_SEC)
#define WRONG_TOKENS_HOLD   (60 * USEC_PER_SEC)
#define WRONG_SOURCES_MAX   1024

struct wrong_source {
    struct account_source source;
    usec_t first; /* of those that count */
    usec_t until; /* no token is looked at; 0: they are */
    unsigned count;
};

/* Valid when zeroed. */
struct wrong_tokens {
    struct wrong_source *items;
    size_t count, capacity;
};

void wrong_tokens_done(struct wrong_tokens *w);

/* How long tokens from there are not looked at; 0: they are. */
usec_t wrong_tokens_hold(const struct wrong_tokens *w, struct account_source source, usec_t now);

/* One more from there. True: this one was too many, and tells of it once. */
bool wrong_tokens_add(struct wrong_tokens *w, struct account_source source, usec_t now);
