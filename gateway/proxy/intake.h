/* Reads many sockets in turns, so that a steady stream of small packets does not wake the loop for
 * each of them: what comes after silence is read at once, what follows is read every
 * INTAKE_INTERVAL. An idle intake wakes nobody. It knows nothing of what is read. Thread: the
 * loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

struct uv_loop_s;
struct intake;

/* Between two turns; so much later a packet is read. */
#define INTAKE_INTERVAL (40 * USEC_PER_MSEC)

struct intake_source { /* the owner's; must stay where it is while it is added */
    int fd;            /* does not block */
    /* There is something to read, or the end of it. Reads until nothing is left, or so much that it
     * is the others' turn: true then, and it is called again in the next turn of the loop. May
     * remove and add sources, itself as well. */
    bool (*read)(void *user);
    void *user;
};

/* NULL: the kernel gives no descriptor. */
struct intake *intake_new(struct uv_loop_s *loop);

/* All sources must have been removed. Not from inside a read. Calls on_closed from the loop; it is
 * freed after that. */
void intake_close(struct intake *i, void (*on_closed)(void *user), void *user);

/* False: the kernel takes no more of them. Never reads from inside. */
bool intake_add(struct intake *i, struct intake_source *source);

/* One that was added. It is not read any more; before its descriptor is closed. */
void intake_remove(struct intake *i, struct intake_source *source);
