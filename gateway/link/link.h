/* One link and what hangs on it, for the files of this room alone: its state, the opening that is
 * under way, the requests that wait for it, its leases, and the goodbyes that proxies owe us.
 *
 * There is one for an address as long as anything is known or wanted of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "link/attempts.h"
#include "link/leases.h"
#include "link/links.h"

#define LINK_TRIED_MAX 64

enum link_phase {
    LINK_PHASE_IDLE,          /* nothing is under way; it may be wanted again at reopen_at */
    LINK_PHASE_QUEUED,        /* in line: an opening looks for its proxy */
    LINK_PHASE_CONNECTING,    /* an attempt runs on source */
    LINK_PHASE_CONNECTED,     /* source carries it; who waits now, waits for the pairing */
    LINK_PHASE_DISCONNECTING, /* a goodbye of source is awaited; who waits now, waits for the next
                               */
};

enum link_pairing { LINK_UNPAIRED, LINK_PAIRING, LINK_PAIRED };

enum request_state {
    REQUEST_WAITING,  /* for its link */
    REQUEST_FAILING,  /* it failed, and waits until awaited has given its slot back, or for due */
    REQUEST_ANSWERED, /* done is to be called */
};

struct link_request {
    enum request_state state;
    struct link_request *next; /* in whatever list it stands */
    uint64_t address;
    struct link_wish wish; /* its texts are ours */
    char renew[LINK_LEASE_ID_SIZE];
    usec_t arrived, due; /* REQUEST_WAITING: its deadline */
    uint16_t awaited;
    uint64_t first_attempt;
    struct link_answer answer; /* its attempts are ours */
    char lease[LINK_LEASE_ID_SIZE];
    link_done_fn *done;
    void *user;
};

/* A disconnect was sent for an attempt or a link that is not ours any more. */
struct goodbye {
    struct goodbye *next;
    uint16_t source;
    bool is_sent;    /* the proxy took the message */
    bool was_listed; /* the proxy named the address: when it does not any more, this is over */
    bool is_failure; /* of an attempt: the address is held off there afterwards */
    usec_t until, send_again_at;
};

struct tried { /* a proxy on which this opening failed */
    uint16_t source;
    usec_t not_before;
};

struct opening {
    uint64_t order; /* of arrival */
    int priority;
    bool is_led;           /* by a request; else the link is opened because it is kept */
    bool was_told;         /* that it stands in line */
    bool is_slotless;      /* only slots are missing */
    struct link_wish wish; /* its leader's, without texts */
    struct retry retry;
    struct tried tried[LINK_TRIED_MAX]; /* a ring */
    size_t tried_count;
    usec_t decide_at, waited_since, slotless_since;
    uint16_t awaited; /* the proxy that is waited for */
    uint64_t room;    /* the link that was closed for its slot, whose slot is to come until */
    uint16_t room_source;
    usec_t room_until; /* 0: none was */
};

struct link {
    uint64_t address;
    enum link_phase phase;
    usec_t since;
    uint16_t source;
    struct opening *opening; /* in QUEUED and CONNECTING */
    struct link_request *waiting, *failing;
    struct goodbye *goodbyes;
    struct leases leases;
    struct attempts attempts;

    usec_t attempt_until;
    bool was_taken; /* the proxy showed that it had begun the attempt */
    bool is_cached; /* connect with cache was asked for */
    uint32_t mtu;
    enum link_mtu_source mtu_source;
    enum link_pairing pairing;
    usec_t linger_until; /* 0: it does not linger */

    bool is_reopening; /* it was closed to be opened anew: its leases stay meanwhile */
    bool is_kept;
    bool waits_for_route; /* nobody heard it: as soon as somebody does, it is opened */
    usec_t reopen_at, reopen_pause;
    usec_t asked_at;  /* whether there is a route by now */
    usec_t forget_at; /* of its attempts, once it is of no other use; 0: not yet */
    struct heap_node node;
};

/* A moment that much later, or never. */
usec_t link_later(usec_t moment, usec_t span);

struct link *link_new(uint64_t address);
void link_free(struct link *link); /* without requests */

/* It is to be opened whenever it is closed: it is kept, or a lease wants it so. */
bool link_is_wanted(const struct link *link);
/* Something is under way or held; else only its past is kept. */
bool link_is_alive(const struct link *link);
/* When links_advance() has something to do for it; USEC_NEVER: nothing. */
usec_t link_due(const struct link *link);
/* The moment after which a request that only lacks a slot is refused. */
usec_t link_slotless_until(const struct link *link, const struct link_request *request);
/* It is open, and nobody holds it. */
bool link_lingers(const struct link *link);
/* When the link closes if nobody does anything more: USEC_NEVER: it does not. */
usec_t link_expected_end(const struct link *link, usec_t linger);

/* NULL: no goodbye is awaited from there. */
struct goodbye *link_find_goodbye(const struct link *link, uint16_t source);
void link_remove_goodbye(struct link *link, struct goodbye *goodbye);

/* NULL: the opening was not tried there. */
struct tried *opening_find_tried(struct opening *opening, uint16_t source);

/* That proxy is gone, and its number may become another one's: what is remembered of it is
 * nobody's. Requests, leases and the phase are the caller's. */
void link_forget_source(struct link *link, uint16_t source);

/* Takes the request out of the list; it must be in. */
void request_take(struct link_request **list, struct link_request *request);
void request_append(struct link_request **list, struct link_request *request);
struct link_request *request_new(const struct link_wish *wish, link_done_fn *done, void *user,
                                 usec_t now);
void request_free(struct link_request *request);
