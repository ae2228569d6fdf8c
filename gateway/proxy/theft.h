/* Whether another client took the advertisements of a proxy. Pure.
 *
 * Since mid-2026 the newest subscriber of a proxy gets its advertisements, and the former is not
 * told: its stream just ends (esphome-protocol 5.3). What can be seen is a silence that is unusual
 * for this proxy. So what is usual is learned (the mean gap and the longest one of the last
 * minutes), and a silence far beyond it makes us subscribe once more. When advertisements flow
 * again at once, they had been taken: a retake. After THEFT_RETAKES_MAX within an hour the next
 * such silence makes us give up, for two clients that take a proxy from each other help nobody.
 *
 * When they flow later, the silence was a lull; it counts as usual from then on. When they flow
 * unasked after we gave up, or the scanner's state comes, the retakes were none either. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define THEFT_SILENCE_MIN    (10 * USEC_PER_SEC)  /* no shorter one is looked at */
#define THEFT_MEAN_GAPS      20                   /* a silence is unusual beyond so many … */
#define THEFT_LONGEST_GAPS   3                    /* … and so many of the longest gap */
#define THEFT_LONGEST_SPAN   (600 * USEC_PER_SEC) /* in which the longest gap is looked for */
#define THEFT_LEARN_MESSAGES 30                   /* nothing is usual before so many … */
#define THEFT_LEARN_SPAN     (5 * USEC_PER_SEC)   /* … over so long */
#define THEFT_RETAKE_WITHIN  (5 * USEC_PER_SEC)   /* flow after asking proves a retake */
#define THEFT_RETAKES_MAX    2
#define THEFT_RETAKES_SPAN   (3600 * USEC_PER_SEC)

enum theft_action {
    THEFT_NOTHING,
    THEFT_SUBSCRIBE, /* ask for the advertisements again */
    THEFT_GIVE_UP,   /* and ask no more */
};

enum theft_verdict {
    THEFT_NONE,
    THEFT_RETAKEN, /* what came proves that they had been taken */
    THEFT_LULL,    /* what came proves that giving up was wrong */
};

/* Valid when zeroed. It lives as long as the proxy. */
struct theft {
    bool is_listening; /* advertisements can come */
    bool is_lost;      /* given up */
    /* what is usual */
    usec_t learning_since, last_heard; /* of this conversation; 0: nothing came yet */
    unsigned messages;                 /* learned from; at most THEFT_LEARN_MESSAGES */
    usec_t mean_gap;
    usec_t longest_gap, longest_before; /* of this span and of the one before */
    usec_t span_began;
    /* this silence */
    usec_t owned; /* the last proof that the advertisements are ours */
    usec_t asked; /* 0: not in this silence */
    /* the last retakes, newest first; 0: none */
    usec_t retakes[THEFT_RETAKES_MAX];
};

/* Advertisements can come from now on; they cannot any more. A new conversation learns anew, but
 * for the longest gap. */
void theft_start(struct theft *t);
void theft_stop(struct theft *t);

/* A message with advertisements came. */
enum theft_verdict theft_heard(struct theft *t, usec_t now);

/* The device told its scanner's state, which it does to its subscriber alone: this silence is not
 * a theft so far. */
enum theft_verdict theft_owned(struct theft *t, usec_t now);

enum theft_action theft_tick(struct theft *t, usec_t now);

/* When to tick; USEC_NEVER: nothing is waited for. */
usec_t theft_deadline(const struct theft *t);
