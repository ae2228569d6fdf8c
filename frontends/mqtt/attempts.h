/* When to try the broker again, and in which version of MQTT. Pure.
 *
 * Waits are 1, 2, 4 … 60 s and a jitter; a conversation that lasted ATTEMPTS_STABLE_AFTER begins
 * anew at 1 s. With "auto" version 5 is tried first. A broker that refuses it, or hangs up before
 * its first word, is tried with 3.1.1 at once; what succeeded is remembered. */
#pragma once

#include "base/clock.h"

#define ATTEMPTS_STABLE_AFTER (5 * USEC_PER_SEC)
#define ATTEMPTS_DELAY_MAX    (60 * USEC_PER_SEC)
#define ATTEMPTS_JITTER       USEC_PER_SEC /* at most this is added to a wait */

enum attempts_version { ATTEMPTS_ANY = 0, ATTEMPTS_3_1_1 = 4, ATTEMPTS_5 = 5 };

enum attempts_end {
    ATTEMPTS_UNREACHED,   /* no connection came about */
    ATTEMPTS_BAD_VERSION, /* the broker said that it does not speak this version */
    ATTEMPTS_HUNG_UP,     /* connected, and lost before the broker's first word */
    ATTEMPTS_REFUSED,     /* the broker said no */
    ATTEMPTS_HOPELESS, /* a fault of ours that waiting does not heal: unreadable certificate … */
    ATTEMPTS_LOST,     /* a conversation ended */
};

struct attempts {
    enum attempts_version wanted; /* of the configuration; ATTEMPTS_ANY: auto */
    enum attempts_version known;  /* spoken with success; ATTEMPTS_ANY: none yet */
    enum attempts_version next;   /* ATTEMPTS_ANY: 5 */
    unsigned failures;            /* in a row */
};

/* Zeroed, with `wanted` set, is a beginning. */
enum attempts_version attempts_next_version(const struct attempts *a);

/* The broker accepted us in this version. */
void attempts_succeeded(struct attempts *a, enum attempts_version version);

/* An attempt ended; lasted: since the broker accepted us. jitter is a random number in 0..1.
 * Returns the wait before the next. */
usec_t attempts_ended(struct attempts *a, enum attempts_end end, usec_t lasted, double jitter);
