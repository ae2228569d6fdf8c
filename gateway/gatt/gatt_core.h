/* What the room consists of, for its own files: gatt.c (the door, and what is due), gatt_requests.c
 * (what each request does next), target.c (what it may do to whom), subscriptions.c, link_tree.c
 * (the tree of one link), operations.c (what is on the air), gatt_readers.c.
 *
 * There is one peer for each device of which anything is wanted, or that is connected. Whatever
 * happens is noted where it happens, and gatt_core_hurry() has the peer looked at: what follows is
 * done there, from one place, until nothing follows any more. So nothing is called from inside what
 * it would change. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/map.h"
#include "gatt/gatt.h"

#define GATT_OWED_MAX     8
#define GATT_COMMANDS_MAX 8 /* writes without response that are on the air at the same time */
#define GATT_PATIENCE     (30 * USEC_PER_SEC) /* for operations that no request waits for */
#define GATT_REOPENS_MAX  3                   /* that one request lives through */

/* An outcome's code beside those of gatt_answer: the link is opened anew, on purpose. */
#define GATT_AGAIN (-EAGAIN)

struct peer;
struct subscription;

struct gatt_outcome { /* of an operation */
    int code;
    bool has_number;
    int32_t number;
    struct bytes value; /* borrowed */
};

/* ---- operations ---- */

struct operation {
    struct operation *next;
    struct message message;
    uint8_t *octets; /* of the message; owned */
    uint16_t source; /* LINK_NO_SOURCE: of the link, and it ends with that */
    bool is_command; /* a write without response */
    bool is_sent;
    usec_t deadline;               /* 0: none yet; a command that is sent: its acknowledgement's */
    struct gatt_request *together; /* who waits for it, by next_together */
    struct subscription *subscription; /* that it belongs to; NULL: none */
    /* What the room itself learns of it, before who waits is told; may change the outcome. NULL:
     * nothing. */
    void (*done)(struct gatt *g, struct peer *p, struct operation *operation,
                 struct gatt_outcome *outcome);
};

struct owed { /* an answer that was not waited for any longer, and may still come */
    enum message_type request;
    uint32_t handle;
};

/* ---- requests ---- */

/* What links owe us an answer for. It outlives the request that wanted it. */
struct opening_ticket {
    struct gatt_request *request; /* NULL: nobody waits any more */
    struct gatt *gatt;
    struct link_request *link_request;
};

enum gatt_request_state { GATT_REQUEST_READY, GATT_REQUEST_WAITING, GATT_REQUEST_ANSWERED };
enum gatt_await {
    GATT_AWAITS_NOTHING, /* it has just come, or begins again */
    GATT_AWAITS_LINK,
    GATT_AWAITS_PAIRING,
    GATT_AWAITS_REOPENING,
    GATT_AWAITS_TREE,
    GATT_AWAITS_HASH,
    GATT_AWAITS_OPERATION,
    GATT_AWAITS_SUBSCRIPTION,
};

struct gatt_request {
    enum gatt_request_state state;
    enum gatt_await awaits;
    struct gatt_outcome outcome;        /* of what it waited for, when it is ready */
    uint8_t octets[GATT_VALUE_MAX];     /* of the outcome */
    struct gatt_request *next;          /* of the peer, or of those who are answered */
    struct gatt_request *next_together; /* of the operation or subscription */
    struct peer *peer;
    struct gatt_wish wish; /* its octets and texts are ours */
    char renew[LINK_LEASE_ID_SIZE];
    gatt_done_fn *done; /* NULL: cancelled when it was answered already */
    void *user;

    struct opening_ticket *ticket;
    struct operation *operation;
    struct subscription *subscription;
    usec_t linked_since;            /* the link that it has, by its beginning; 0: none */
    usec_t deadline;                /* USEC_NEVER: none yet */
    char lease[LINK_LEASE_ID_SIZE]; /* of its own; empty: none */
    unsigned lost, reopens;         /* links */
    bool had_doubt;                 /* its handle was refused, and the tree was forgotten */

    struct gatt_answer answer;
    struct gatt_tree *tree; /* that the answer points into; held */
    struct gatt_known known;
    struct link_answer link_answer;
    struct link_attempt attempts[LINK_ATTEMPTS_KEPT];
};

/* ---- subscriptions ---- */

enum subscription_state {
    SUBSCRIPTION_OFF,   /* nothing was asked for, or the link is gone */
    SUBSCRIPTION_LOCAL, /* the proxy passes values on; the device does not send any */
    SUBSCRIPTION_ON,
};

struct subscription {
    struct subscription *next;
    enum subscription_state state;
    enum gatt_subscription_type type, written; /* never AUTO; as it is to be, as it was written */
    uint16_t handle, cccd;
    struct ble_uuid uuid;
    struct operation *operation; /* on its way to another state; NULL: at rest */
    struct gatt_request *joining, *leaving;
    char (*holders)[LINK_LEASE_ID_SIZE];
    size_t holders_count;
    bool is_watched; /* by the room itself: Service Changed */
    bool clears_cccd;
    bool has_moved; /* the link is another one: the handles are to be looked at */
    usec_t since;   /* 0: it never was on */
    uint64_t counter;
};

/* ---- peers ---- */

struct peer {
    uint64_t address;
    struct heap_node node;
    bool has_work;

    bool is_open; /* what follows is of this link */
    uint16_t source;
    uint32_t mtu;
    bool is_cached;
    usec_t since;
    bool must_reopen; /* as soon as nothing is on the air */
    bool has_tree;
    struct gatt_known known;   /* its tree is held */
    bool is_discovered;        /* the tree is what this link said */
    bool was_asked;            /* for its services: a proxy answers that once */
    bool is_outdated;          /* the device changed since the proxy asked it */
    bool was_checked;          /* the hash */
    bool is_proved;            /* told to the cache */
    struct gatt_tree *growing; /* held; NULL: no services are coming */
    int growing_error;
    usec_t watch_at; /* whether Service Changed is worth a subscription; USEC_NEVER: settled */

    struct operation *line, *air;
    size_t air_count;
    usec_t send_again_at;
    struct owed owed[GATT_OWED_MAX];
    size_t owed_count;
    bool acknowledges_commands; /* seen on this link */
    unsigned timeouts;          /* in a row */

    struct gatt_request *requests;
    size_t requests_count;
    struct subscription *subscriptions;
    size_t subscriptions_count;
    bool was_subscription_changed; /* to be told */
};

struct gatt {
    struct gatt_settings settings;
    struct gatt_house house;
    struct gatt_cache *cache;
    struct links *links; /* borrowed */
    usec_t now;          /* the latest that was heard of */
    bool is_closing;
    struct map *by_address;
    struct heap due;
    size_t open_requests, tickets;
    struct gatt_request *answered, **answered_end;
    struct gatt_reader *readers;
    size_t readers_count;
    struct gatt_statistics counted; /* the counters alone */
};

void gatt_core_set_now(struct gatt *g, usec_t now);
/* NULL: nothing is wanted or known of it. */
struct peer *gatt_core_find(const struct gatt *g, uint64_t address);
struct peer *gatt_core_obtain(struct gatt *g, uint64_t address);
/* Something happened to it: it is looked at in this call, or in the next gatt_advance(). */
void gatt_core_hurry(struct gatt *g, struct peer *p);
/* Whether the link has this lease; *ret_lease may be NULL. */
bool gatt_core_find_lease(const struct gatt *g, uint64_t address, const char *id,
                          struct link_lease *ret_lease);

/* Hands who waits (by next_together) what came of it. */
void gatt_core_tell(struct gatt *g, struct peer *p, struct gatt_request *together,
                    const struct gatt_outcome *outcome);
/* Takes it out of such a list; it must be in. */
void gatt_core_leave(struct gatt_request **together, struct gatt_request *request);
