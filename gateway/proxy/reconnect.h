/* When to try a proxy again. Pure; the rules are those of the reference client
 * (esphome-protocol 2.8) with one guard of ours: a conversation that breaks within
 * RECONNECT_STABLE_AFTER of becoming ready counts as a failed attempt, so that a proxy which greets
 * and hangs up cannot make us spin. */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

#define RECONNECT_STABLE_AFTER      (5 * USEC_PER_SEC)
#define RECONNECT_DELAY_MAX         (60 * USEC_PER_SEC)
#define RECONNECT_DELAY_MAX_SLEEPER (15 * USEC_PER_SEC) /* nodes with deep sleep */
#define RECONNECT_DELAY_EXPECTED    (5 * USEC_PER_SEC)  /* the proxy said goodbye */
#define RECONNECT_JITTER            USEC_PER_SEC        /* at most this is added to a wait */

struct reconnect {
    unsigned tries; /* failures in a row; 0 after a success. Valid when zeroed */
};

/* The conversation became ready. */
void reconnect_succeeded(struct reconnect *r);

/* It ended, or never came about, for this cause (error.h); ready_for is how long it was ready (0:
 * it never was). jitter is a random number in 0..1. Returns the wait before the next attempt. */
usec_t reconnect_delay(struct reconnect *r, int cause, usec_t ready_for, bool has_deep_sleep,
                       double jitter);

/* True for causes that no retry heals by itself: wrong key, wrong device and the like. */
bool reconnect_is_hopeless(int cause);
