/* Who changed what: the rows that are told, newest first.
 *
 * In three classes with a bound of their own each, so that many small things (a program that reads
 * a value each second) do not push out what administrators did, and strangers push out nobody. Of
 * refusals one a minute is noted for each who is refused, and so many in all. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accounts/account.h"

#define AUDIT_ACTOR_SIZE   ACCOUNT_NAME_SIZE
#define AUDIT_REMOTE_SIZE  72   /* "[…]:65535" of the longest IPv6 literal with its zone */
#define AUDIT_ACTION_SIZE  200  /* what is longer is cut */
#define AUDIT_CHANGED_SIZE 1024 /* pointers that do not fit are left out */

enum audit_class { AUDIT_ADMIN, AUDIT_CONTROL, AUDIT_REFUSED, AUDIT_CLASSES };

#define AUDIT_REFUSALS_A_MINUTE 32
#define AUDIT_ROWS_MAX          10000 /* of a class; of refusals AUDIT_REFUSALS_MAX */
#define AUDIT_REFUSALS_MAX      1000

/* Texts are borrowed. */
struct audit_entry {
    uint64_t id;  /* grows; 0: not in yet */
    int64_t time; /* wall clock */
    enum audit_class class;
    enum account_role role;
    int status;          /* of HTTP */
    const char *actor;   /* name of a token, "loopback", "mqtt", "signal", "nobody" */
    const char *remote;  /* NULL: none */
    const char *action;  /* "PUT /proxies/kitchen", "mqtt write /devices/…" */
    const char *changed; /* JSON Pointers, a line each; "" for none */
};

/* The rows that the class may have. */
size_t audit_rows_max(enum audit_class class);

struct audit;

struct audit *audit_new(void);
void audit_free(struct audit *a); /* accepts NULL */

/* As the store has it, in order of the ids; those of a class beyond its bound push out the oldest.
 */
void audit_load(struct audit *a, const struct audit_entry *entry);

/* Adds a copy and gives it its id, which is told with it until the next change; NULL: it is a
 * refusal of which enough was said. now: monotonic. */
const struct audit_entry *audit_add(struct audit *a, const struct audit_entry *entry, usec_t now);

/* The newest one below this id (UINT64_MAX: of all); NULL: there is none. Valid until the next
 * change. */
const struct audit_entry *audit_before(const struct audit *a, uint64_t id);

/* Those that are older go. True: there were some. */
bool audit_forget(struct audit *a, int64_t wall);
