/* A window that is open: whom it is for, who has answered, and when it may end.
 *
 * Each device holds the window open until it has answered or its own duration is over; whoever asks
 * for all devices holds it for the whole duration. The window ends when nobody holds it any more,
 * but not before OPEN_WINDOW_MIN. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "scan/scan_window.h"

#define OPEN_WINDOW_MIN  (1 * USEC_PER_SEC)
#define OPEN_WINDOW_SLOP (1 * USEC_PER_SEC) /* a later end counts when it is later by more */

struct open_window_guest {
    usec_t duration;
    usec_t since, until; /* from when and how long it holds the window; 0: did not start */
    bool is_silent;      /* it makes the window no longer for others */
    bool was_heard;      /* by this source, while the window ran */
    bool is_answered;
};

struct open_window {
    uint64_t id;
    uint16_t source;
    enum scan_cause cause;
    usec_t opened;
    usec_t confirm_by;
    usec_t started, ends;      /* 0: not confirmed yet */
    usec_t whole, whole_until; /* for all devices; 0: nobody asked for all */
    bool is_commanded;         /* the source was switched for it */
    size_t count, capacity;
    uint64_t *addresses;              /* ours */
    struct open_window_guest *guests; /* ours, one for each address */
    size_t answered;
    char detail[64];
};

struct open_window *open_window_new(uint64_t id, uint16_t source, enum scan_cause cause,
                                    usec_t confirm_by, usec_t now);
/* NULL is allowed. */
void open_window_free(struct open_window *o);

/* Takes the device in, or lets it stay longer. True: the end of the running window moved by more
 * than the slop. */
bool open_window_add(struct open_window *o, uint64_t address, usec_t duration, bool is_silent,
                     usec_t now);
bool open_window_add_all(struct open_window *o, usec_t duration, usec_t now);

/* The source says that it is active and running. */
void open_window_start(struct open_window *o, usec_t now);

/* A packet of the device, of the window's source. passive_size 0: not known, and then no packet is
 * an answer yet. True: it is the device's answer, the first one. */
bool open_window_hear(struct open_window *o, uint64_t address, size_t size, size_t passive_size);

/* The running window is over for this guest: has it answered? When nothing is known of how it
 * sounds passively, being heard counts as an answer. */
bool open_window_conclude(struct open_window *o, size_t index, size_t passive_size);

/* When something is to be done: it must be confirmed, or closed. */
usec_t open_window_deadline(const struct open_window *o);

/* As it is told; detail NULL: what it says itself. Borrows from o. */
struct scan_window open_window_view(struct open_window *o, enum scan_window_state state,
                                    const char *detail, usec_t ended);
