/* Which proxy shall carry a connection: facts of each proxy in, an order with its terms out.
 *
 * Who hears the device well, has a free slot, is not busy and did not fail lately, comes first;
 * people's rules (require, prefer, forbid) and bonds come before loudness. All terms are in dB, and
 * their sum is the score, so that an answer can show why. A proxy that is busy but far better than
 * the next is waited for. The mode "ha" orders as habluetooth does (behaviour.md 2.15 there).
 * Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define ROUTER_HEARD_WITHIN (195 * USEC_PER_SEC) /* older hearing makes no candidate */

enum route_cause { /* why a proxy is out, the first that holds */
                   ROUTE_FINE,
                   ROUTE_FORBIDDEN,      /* by the device's rules */
                   ROUTE_NOT_REQUIRED,   /* another is required */
                   ROUTE_OFFLINE,        /* it has no conversation */
                   ROUTE_NO_CONNECTIONS, /* it only listens */
                   ROUTE_NEVER_HEARD,    /* it never heard the device */
                   ROUTE_NOT_HEARD,      /* it heard the device, but too long ago */
                   ROUTE_HELD_OFF,       /* the last attempt there failed a moment ago */
                   ROUTE_FULL,           /* every slot is taken */
};
/* Tokens of the contract for /explain ("forbidden", "no_free_slot" …; ROUTE_FINE: "possible"), and
 * a sentence for people. Static storage. */
const char *route_cause_name(enum route_cause cause);
const char *route_cause_sentence(enum route_cause cause);

/* The facts of one proxy. Besides those that heard the device, required ones are to be told even if
 * they never did: where none of them is told, all count as away. */
struct route_candidate {
    uint16_t source; /* no two are the same */
    bool is_online, can_connect;
    bool is_required, is_preferred, is_forbidden;
    bool was_heard;
    int rssi;             /* of the last packet; 0: not told */
    double rssi_smoothed; /* not aged; NAN or 0: the proxy never told */
    usec_t last_heard;
    bool has_slots; /* limit and free are known; a limit of 0 is not known either */
    uint32_t slots_limit, slots_free;
    unsigned in_progress;  /* links being established there, or reserved for it */
    double failures;       /* decayed failures of this device there (experience.h) */
    unsigned failures_raw; /* since the last success; for the mode "ha" */
    bool is_bonded;
    double weight;         /* dB, of the proxy's settings */
    usec_t held_off_until; /* 0: not held off */
    bool was_tried;        /* by this request, and failed */
};

struct route_terms { /* dB; those of the contract's score_terms */
    double rssi, in_progress, failures, last_slot, bond, weight;
};

struct route_rank {
    uint16_t source;
    enum route_cause cause; /* ROUTE_FINE: a candidate */
    unsigned tier;          /* of candidates; counts before the score: 2 for one that this request
                               did not try yet, and 1 more for a preferred one */
    double score;           /* the sum of the terms, also of who is out and was heard */
    struct route_terms terms;
    double rssi_aged; /* what the rssi term was made of */
};

enum route_scoring { ROUTE_SCORING_BLEFLEET, ROUTE_SCORING_HA };

/* Orders all: candidates first, the best at the front; who is out behind, best score first; equal
 * ones by loudness, then by number. has_required: the device's rules (or the request) name proxies
 * that alone may carry it. In the mode "ha" a term is what habluetooth subtracts, rssi_aged is the
 * last packet's, and prefer, bonds and weights mean nothing. The first is who would be chosen if
 * nobody were busy; what is to be done now says router_decide(). */
void router_rank(enum route_scoring scoring, const struct route_candidate *candidates, size_t count,
                 bool has_required, usec_t now, struct route_rank *ret_ranks);

/* What to do now. */
enum route_step {
    ROUTE_GO,      /* connect through source */
    ROUTE_WAIT,    /* something will change: source is who is waited for (UINT16_MAX: any) */
    ROUTE_REFUSED, /* nothing will change by waiting for a slot: cause says why */
};
struct route_decision {
    enum route_step step;
    uint16_t source;
    usec_t until; /* ROUTE_WAIT: decide again then at the latest; USEC_NEVER: when told */
    int cause;    /* ROUTE_REFUSED: E_NO_ROUTE, E_PROXY_OFFLINE (all required ones are away);
                     ROUTE_WAIT: E_NO_FREE_SLOT when only slots are missing, else 0 */
    struct route_rank best; /* of the source, valid unless it is UINT16_MAX */
};
/* waited_since: when this request began to wait for a busy better proxy (0: it does not yet); that
 * waiting is bounded (ROUTER_PATIENCE). ROUTE_GO may lead to a busy proxy, where no other candidate
 * is idle: the request then stands in line there. */
#define ROUTER_PATIENCE (3 * USEC_PER_SEC)
struct route_decision router_decide(enum route_scoring scoring,
                                    const struct route_candidate *candidates, size_t count,
                                    bool has_required, usec_t waited_since, usec_t now);
