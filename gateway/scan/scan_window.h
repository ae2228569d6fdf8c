/* What can be said of a window of active scanning: its state, its cause, its times. Values only;
 * windows.h says how they come about. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define SCAN_WINDOW_ADDRESSES_MAX 256 /* listed for one window; it may be for more */

enum scan_window_state {
    SCAN_WINDOW_OPENING, /* commanded; the proxy has not said yet that it is so */
    SCAN_WINDOW_RUNNING, /* it said so */
    SCAN_WINDOW_DONE,
    SCAN_WINDOW_REFUSED, /* nothing was commanded */
    SCAN_WINDOW_FAILED,  /* commanded, and never confirmed or broken off */
};
/* "opening", "running", "done", "refused", "failed". Static storage. */
const char *scan_window_state_name(enum scan_window_state state);

/* What a window was opened for; who joins it changes nothing. */
enum scan_cause {
    SCAN_CAUSE_NEED,
    SCAN_CAUSE_REQUEST,
    SCAN_CAUSE_DISCOVER,
    SCAN_CAUSE_SWEEP,
    SCAN_CAUSE_RESCUE,
    SCAN_CAUSE_FRONTEND,
};
#define SCAN_CAUSE_COUNT (SCAN_CAUSE_FRONTEND + 1)
/* "need", "request", "discover", "sweep", "rescue", "frontend". Static storage. */
const char *scan_cause_name(enum scan_cause cause);

/* A window as it is told. What it points to is borrowed, valid until the next call that changes
 * something. */
struct scan_window {
    uint64_t id; /* a running number from 1; later windows have larger ones */
    uint16_t source;
    enum scan_window_state state;
    enum scan_cause cause;
    const uint64_t *addresses; /* devices whose answers count; none: it is for all */
    size_t addresses_count;    /* at most SCAN_WINDOW_ADDRESSES_MAX */
    usec_t planned;            /* when it was commanded, or refused */
    usec_t started;            /* when the proxy said active and running; 0: never */
    usec_t ends;               /* as wanted now; 0: it did not start */
    usec_t ended;              /* 0: it is not over */
    usec_t duration;           /* as wanted */
    size_t answered;           /* devices, also beyond those listed */
    const char *detail;        /* a sentence; NULL: nothing to say */
};

#define SCAN_WINDOW_ID_SIZE 22
/* "w12". */
void scan_window_format_id(char ret_text[SCAN_WINDOW_ID_SIZE], uint64_t id);
/* False: it is not such a text; *ret_id is then untouched. */
bool scan_window_parse_id(const char *text, uint64_t *ret_id);

enum scan_window_action {
    SCAN_ACTION_OPENED,   /* it runs */
    SCAN_ACTION_EXTENDED, /* it runs, and its end is later now */
    SCAN_ACTION_CLOSED,   /* it ran: done, or failed */
    SCAN_ACTION_REFUSED,  /* it never ran: refused, or failed to be confirmed */
};
/* "opened", "extended", "closed", "refused". Static storage. */
const char *scan_window_action_name(enum scan_window_action action);
