/* Opening a link: from the line over attempts to "connected", or to the error of those who wait.
 * For the files of this room alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/links_core.h"

/* What the router is asked: the loudest hearers, and those that must be named to say why not. */
#define OPENING_HEARERS_MAX    64
#define OPENING_CANDIDATES_MAX 128
struct opening_question {
    struct route_candidate candidates[OPENING_CANDIDATES_MAX];
    size_t count;
    bool has_required;
    size_t unable_to_pair; /* left out, since they cannot */
    usec_t ask_again_at;   /* a proxy that refused is believed to be full until then */
};

/* source, can_pair: what the wish asks for; opening NULL: none is under way. */
void opening_ask(const struct links *l, uint64_t address, uint16_t source, bool pairs,
                 struct opening *opening, struct opening_question *ret_question);
/* Somebody could open a link that is wanted. */
bool opening_has_route(const struct links *l, const struct link *link);

/* A link in line: goes, waits or fails. */
void opening_decide(struct links *l, struct link *link);

/* The attempt that runs ended in a link; mtu: as message 69 has it. */
void opening_connected(struct links *l, struct link *link, uint32_t mtu);
/* It did not: another one follows, or those who wait fail. reason NULL: no number. */
void opening_attempt_failed(struct links *l, struct link *link, enum attempt_end end,
                            const int32_t *reason);

/* A request left the opening that it waited for. */
void opening_left(struct links *l, struct link *link);
/* A request's deadline came. */
void opening_request_due(struct links *l, struct link *link, struct link_request *request);
/* A request waited for a slot as long as it wanted to. */
void opening_slotless(struct links *l, struct link *link, struct link_request *request);
/* Gives the opening up; nobody waits for it. */
void opening_stop(struct links *l, struct link *link);
