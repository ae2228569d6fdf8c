/* The facts about every proxy that could carry a link, gathered for the router from the house, the
 * ledger, experience and the opening that is under way. For the files of this room alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/links_core.h"

/* What the router is asked: the loudest hearers, and those that must be named to say why not. */
#define CANDIDATES_HEARERS_MAX 64
#define CANDIDATES_MAX         128
struct candidates {
    struct route_candidate items[CANDIDATES_MAX];
    size_t count;
    bool has_required;
    size_t unable_to_pair; /* left out, since they cannot */
    usec_t ask_again_at;   /* a proxy that refused is believed to be full until then */
};

/* source, pairs: what the wish asks for; opening NULL: none is under way. */
void candidates_gather(const struct links *l, uint64_t address, uint16_t source, bool pairs,
                       struct opening *opening, struct candidates *ret_candidates);
/* A slot was asked for by closing a link that lingered there, and is not back yet. opening may be
 * NULL. */
bool candidates_room_is_coming(const struct links *l, const struct opening *opening,
                               uint16_t source);
/* What the router says about them. waited_since: see router_decide(). */
struct route_decision candidates_decide(const struct links *l, const struct candidates *candidates,
                                        usec_t waited_since);
