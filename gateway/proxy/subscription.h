/* Whether a proxy gives us its advertisements. Pure.
 *
 * A proxy serves one subscriber and, before mid-2026, ignores a second one in silence. What proves
 * that we are the one is a scanner state (126) or an advertisement, which go to the subscriber
 * alone. Until one arrives the subscription is asked for again after 10, 30, 60, 60 … s
 * (esphome-protocol 5.3). Proxies that never push a scanner state (no STATE_AND_MODE) cannot prove
 * it: they are believed. */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

enum subscription_state {
    SUBSCRIPTION_NONE,    /* not asked for */
    SUBSCRIPTION_ASKED,   /* asked, no proof yet, first wait not over */
    SUBSCRIPTION_REFUSED, /* a wait went by without proof; still asking */
    SUBSCRIPTION_HELD,
};

struct subscription { /* valid when zeroed */
    enum subscription_state state;
    unsigned waits; /* how many went by */
    usec_t deadline;
};

/* The request goes out now. */
void subscription_start(struct subscription *s, bool can_prove, usec_t now);

/* A scanner state or an advertisement came. Returns true when that changed the state. */
bool subscription_prove(struct subscription *s);

/* Returns true when the request is to be sent again now. */
bool subscription_tick(struct subscription *s, usec_t now);

/* USEC_NEVER: nothing is waited for. */
usec_t subscription_deadline(const struct subscription *s);
