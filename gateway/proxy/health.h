/* Whether a proxy that is online still hears anything, and what to try when it does not. Pure.
 *
 * It is quiet when no advertisement came for longer than quiet_after. Then the subscription is
 * asked for again at once, the proxy is reconnected HEALTH_RECONNECT_AFTER later, and again after
 * 10, 20, 40, 60, 60 … min: the room may simply be empty, so the tries become rare, and hearing a
 * packet now and then does not make them frequent again. Only HEALTH_FORGET_AFTER without a silence
 * does. The last step that firmware would offer, a restart, is not taken: nothing in the
 * configuration allows it. */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

#define HEALTH_RECONNECT_AFTER (30 * USEC_PER_SEC)
#define HEALTH_FORGET_AFTER    (3600 * USEC_PER_SEC)

enum health_action {
    HEALTH_NOTHING,
    HEALTH_SUBSCRIBE, /* ask for the advertisements again */
    HEALTH_RECONNECT,
};

/* Valid when zeroed but for quiet_after. It lives as long as the proxy, over all conversations. */
struct health {
    usec_t quiet_after;
    bool is_listening; /* advertisements can come */
    bool is_quiet;
    usec_t silent_since; /* the last advertisement, or when listening began */
    usec_t quiet_ended;  /* the last time; 0: never */
    unsigned steps;      /* that were tried */
    usec_t next_step;    /* not before */
};

/* Advertisements can come from now on. A proxy that was quiet before stays so. */
void health_start(struct health *h, usec_t now);

/* They cannot any more. is_quiet stays as it is: what the ladder ended begins anew. */
void health_stop(struct health *h);

/* The conversation ended for a reason of its own: it is not called quiet any more. True when it
 * was. */
bool health_excuse(struct health *h, usec_t now);

/* An advertisement came. True when it had been quiet. */
bool health_heard(struct health *h, usec_t now);

/* What to do now. It may have become quiet. */
enum health_action health_tick(struct health *h, usec_t now);

/* When to tick; USEC_NEVER: nothing is waited for. */
usec_t health_deadline(const struct health *h);
