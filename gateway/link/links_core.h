/* What links consist of, for its own files: links.c (the door, and what is due), links_requests.c,
 * links_questions.c, opening.c (from the line to the end of an attempt), candidates.c (what the
 * router is asked), tenure.c (from "connected" to the end), holding.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/map.h"
#include "link/experience.h"
#include "link/line.h"
#include "link/link.h"

struct proxy_state {
    bool is_online;
    struct link_proxy told;
    bool has_paused;      /* its scanner stopped since the last attempt was sent to it */
    usec_t relearn_until; /* it refused although it was thought free: taken as full until it told */
};

struct links {
    struct links_settings settings;
    struct links_house house;
    uint64_t random;
    usec_t now; /* the latest that was heard of */
    bool is_closing;
    bool has_news; /* something changed that those in line may profit from */
    struct ledger *ledger;
    struct experience *experience;
    struct proxy_state *proxies; /* by source */
    size_t proxies_count;
    struct map *by_address;
    struct heap due;
    struct line line;
    uint64_t orders;
    size_t past_count; /* links of which only the past is kept */
    size_t open_requests;
    struct link_request *answered;
    struct link_request **answered_end;
    struct links_statistics counted; /* the counters alone */
};

/* Time goes on, or stands still. */
void links_core_set_now(struct links *l, usec_t now);

/* NULL: nothing was ever heard of it. */
struct proxy_state *links_core_proxy(const struct links *l, uint16_t source);
bool links_core_is_online(const struct links *l, uint16_t source);

/* NULL: there is none. */
struct link *links_core_find(const struct links *l, uint64_t address);
/* The link of the address, made when there is none. */
struct link *links_core_obtain(struct links *l, uint64_t address);
/* To be called after anything about the link changed: when is something to be done? */
void links_core_touch(struct links *l, struct link *link);

void links_core_set_phase(struct links *l, struct link *link, enum link_phase phase);
/* reason NULL: none. */
void links_core_tell(struct links *l, const struct link *link, enum link_event_kind kind, int code,
                     const int32_t *reason);
/* Hands message 68 to the proxy; 0, or why it could not be. */
int links_core_command(struct links *l, uint16_t source, uint64_t address,
                       enum device_request_type type);

/* Puts an idle link in line, led by the request or, when NULL, because it is wanted. */
void links_core_open(struct links *l, struct link *link, const struct link_request *leader);
/* The request (NULL: nobody any more) leads the opening that there is from now on. */
void links_core_lead(struct links *l, struct link *link, const struct link_request *leader);

/* Nothing is under way any more: opens it again for who waits, or later because it is wanted. */
void links_core_rest(struct links *l, struct link *link);

/* Ends a request that waits; its done is called later. */
void links_core_answer(struct links *l, struct link *link, struct link_request *request, int code,
                       const int32_t *reason);
/* The same, but not before the proxy has given back the slot that it is still asked for, or for
 * LINK_SLOT_PATIENCE. */
void links_core_answer_after(struct links *l, struct link *link, struct link_request *request,
                             int code, const int32_t *reason, uint16_t source);
/* Ends the waiting of such a one. */
void links_core_answer_now(struct links *l, struct link *link, struct link_request *request);
/* Ends a request that stands in no list. */
void links_core_answer_alone(struct links *l, struct link_request *request, int code);
