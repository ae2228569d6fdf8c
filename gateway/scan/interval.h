/* How often a device is heard: the interval between the packets of its owner, learned and never
 * frozen. It is for telling silence from absence, so it follows the long gaps, those between the
 * bursts of a device that sleeps, and those that lost packets make. A plain value of a device's
 * row, valid when zeroed. Pure: `now` comes in. Internal to scan. */
#pragma once

#include <stdint.h>

#include "base/clock.h"

#define INTERVAL_BLOCK_GAPS 5  /* gaps of which the longest is kept */
#define INTERVAL_BLOCKS     12 /* and how many of those; 60 gaps */

/* Closer packets are one: proxies batch them, and what comes in one message has one time. */
#define INTERVAL_SHORTEST (20 * USEC_PER_MSEC)
/* A longer silence is an absence and no interval. */
#define INTERVAL_LONGEST (3600 * USEC_PER_SEC)

struct interval {
    usec_t last_heard; /* 0: what came before does not count */
    uint32_t learned;  /* ms; 0: nothing yet */
    uint32_t lasted;   /* ms, the block that is being collected */
    uint16_t least;    /* how long a block has to last; this and what follows is packed */
    uint16_t rare;     /* the longest of former blocks, fading */
    uint16_t longest;  /* of the block that is being collected */
    uint8_t gaps;      /* of the block that is being collected */
    uint8_t blocks;    /* that are in longest_of */
    uint16_t longest_of[INTERVAL_BLOCKS]; /* each block's longest gap, the newest first */
};

/* A packet of the owner. Learns from the 16th in a row on, at first the longest of the 15 gaps.
 * Packets must come in order of time; an earlier one is ignored. */
void interval_heard(struct interval *i, usec_t now);

/* Another owner, or its radio pauses for a connection: the gap from the last packet to the next one
 * says nothing, and what is half collected is dropped. What was learned stays until there is
 * better. */
void interval_restart(struct interval *i);

/* The interval; 0: nothing learned. In steps of 1 ms, or of 0.1 % above 2 s. */
usec_t interval_learned(const struct interval *i);

/* What was learned in an earlier run, into a fresh interval. 0 is nothing; what is beyond
 * INTERVAL_LONGEST counts as that. */
void interval_restore(struct interval *i, usec_t learned);
