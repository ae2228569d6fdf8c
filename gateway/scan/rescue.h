/* Rescue: how a device that needs active scanning changes its owner when the owner fell silent.
 *
 * Such a device tells what matters in scan responses only. It must not go to a proxy just because
 * that one caught a passive packet: first a window of active scanning runs, then one interval
 * passes in which the owner may still speak up. One episode of that at a time. Pure. Internal to
 * scan. */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

/* Valid when zeroed. */
struct rescue {
    usec_t trigger; /* the stale packet that began the episode; 0: none */
    usec_t asked;   /* when windows were asked for; 0: never */
    usec_t covered; /* when one of the two sources scanned actively last; 0: never */
    bool is_asking; /* windows are due, and nobody has been told */
};

/* A packet of a challenger while the owner is stale. heard: when the owner heard the device last,
 * or could again; interval: of the device. True: the challenger takes the device over. */
bool rescue_hands_over(struct rescue *r, usec_t heard, usec_t interval, usec_t now);

/* Are windows to be asked for? Once an episode, again when none came, and not more often than each
 * 30 s; it is true once. */
bool rescue_take_question(struct rescue *r);

/* One of the two sources of the episode listened actively until now. */
void rescue_cover(struct rescue *r, usec_t now);
