/* Ownership: which source speaks for a device. One rule, and the smoothing it looks at.
 *
 * The owner keeps a device until another source hears it louder by more than a margin, or until the
 * owner fell silent: its proxy is offline, or quiet on every device, or has not heard this one for
 * long. Published as a preference; it filters nothing and moves no connection. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum owner_why {                 /* tokens of the event schema */
                 OWNER_FIRST,    /* nobody spoke for it before */
                 OWNER_STRONGER, /* louder by more than the margin */
                 OWNER_GONE,     /* the owner has not heard it for the stale time */
                 OWNER_PROXY_OFFLINE,
                 OWNER_PROXY_QUIET,
};
#define OWNER_WHY_COUNT (OWNER_PROXY_QUIET + 1)
/* "first", "stronger", "gone", "proxy_offline", "proxy_quiet". Static storage. */
const char *owner_why_name(enum owner_why why);

struct ownership_rule {
    double margin_db;
    usec_t gone_after;  /* an owner that has not heard the device for longer loses it */
    usec_t quiet_after; /* a source that has heard nothing at all for longer loses what it owns */
};

/* What speaks for one source. */
struct ownership_claim {
    double rssi;       /* smoothed, dBm; NAN: it never said */
    usec_t last_seen;  /* this device, by this source */
    usec_t last_heard; /* any device, by this source */
    bool is_online;
};

/* A packet of a source other than the owner (NULL: nobody) has come: does that source take the
 * device over, and why? has_rssi: this packet said how loud it was; one that did not moves nothing,
 * except that it finds an owner for a device that has none. */
bool ownership_moves(const struct ownership_rule *rule, const struct ownership_claim *owner,
                     const struct ownership_claim *challenger, bool has_rssi, usec_t now,
                     enum owner_why *ret_why);

/* The smoothed RSSI after a packet: previous NAN for the first one; rssi 0, missing, changes
 * nothing. */
double ownership_smooth(double previous, int8_t rssi, double alpha);
