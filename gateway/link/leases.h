/* The leases of one link: who holds it, and until when.
 *
 * Texts come from clients: they are copied, cut to LINK_PURPOSE_MAX octets between two characters,
 * and control characters in them become '?'. Bounded by LINK_LEASES_MAX. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/links.h"

struct lease {
    char id[LINK_LEASE_ID_SIZE];
    char *client, *purpose; /* owned; NULL: not said */
    usec_t expires;
    bool is_auto_reconnect;
    uint16_t source; /* the proxy that was asked for; LINK_NO_SOURCE: any */
};

/* Valid when zeroed. */
struct leases {
    struct lease *items;
    size_t count, capacity;
};

void leases_done(struct leases *ls);

/* A new one, whose id comes from *random, which moves on; unique among these. Asserts that there
 * is room. The result is valid until one is added or removed. */
struct lease *leases_add(struct leases *ls, uint64_t *random, const struct link_wish *wish,
                         usec_t now);
/* A copy of a client's text without its control characters; NULL stays NULL. */
char *leases_copy_text(const char *text);

/* NULL: none of this id. */
struct lease *leases_find(const struct leases *ls, const char *id);
void leases_remove(struct leases *ls, struct lease *lease);
/* Ends those whose time has come; whether there were any. */
bool leases_expire(struct leases *ls, usec_t now);
/* That proxy is gone: ends those that asked for it alone; whether there were any. */
bool leases_drop_source(struct leases *ls, uint16_t source);
/* The link was lost: ends all that do not reconnect; whether there were any. */
bool leases_drop_fleeting(struct leases *ls);

/* The first and the last end among them; both USEC_NEVER when there is none. */
usec_t leases_first_end(const struct leases *ls);
usec_t leases_last_end(const struct leases *ls);
/* One that wants a lost link opened again; NULL: none. */
const struct lease *leases_find_auto(const struct leases *ls);
