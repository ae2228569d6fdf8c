/* The connection slots of a proxy, as its last message 81 told them. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "esphome/message.h"

#define SLOTS_MAX 16 /* entries of message 81 that are kept; firmware has up to 9 slots */

/* Valid when zeroed: nothing is known. */
struct slots {
    bool is_known; /* a limit of 0 means unknown, not exhausted */
    uint32_t limit, free;
    size_t count;
    uint64_t addresses[SLOTS_MAX];
    usec_t since[SLOTS_MAX]; /* when each of them was first told */
};

/* The message replaces what was known; an address that stays keeps its time. Entries beyond
 * SLOTS_MAX are left out. */
void slots_take(struct slots *s, const struct message_connections_free *message, usec_t now);
