/* Ownership: which source speaks for a device. One rule, and the signal it looks at.
 *
 * The owner keeps a device until another source hears it better by more than a margin, or until the
 * owner fell silent: its proxy is offline, or quiet on every device, or has not heard this one for
 * long. Published as a preference; it filters nothing and moves no connection. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "scan/rescue.h"

enum owner_why {                 /* tokens of the event schema */
                 OWNER_FIRST,    /* nobody spoke for it before */
                 OWNER_STRONGER, /* heard better by more than the margin */
                 OWNER_ROAM,     /* a weak owner missed an interval, and another did not */
                 OWNER_GONE,     /* the owner has not heard it for some intervals */
                 OWNER_RESCUE,   /* as roam, after a window of active scanning */
                 OWNER_PROXY_OFFLINE,
                 OWNER_PROXY_QUIET,
};
#define OWNER_WHY_COUNT (OWNER_PROXY_QUIET + 1)
/* "first", "stronger", "roam", "gone", "rescue", "proxy_offline", "proxy_quiet". Static storage. */
const char *owner_why_name(enum owner_why why);

struct ownership_rule {
    double margin_db;   /* how much better a challenger must be */
    double reclaim_db;  /* how much more if it lost the device to a better one before */
    double strong_dbm;  /* an owner this loud is not left by roaming */
    double roam_factor; /* stale times of silence after which a weak owner is left */
    double gone_factor; /* and after which any owner is */
    float alpha;        /* weight of a packet in the fast average */
    usec_t stale_after; /* the stale time while no interval is known; ends every silence */
    usec_t quiet_after; /* a source that has heard nothing at all for longer loses what it owns */
};

/* How well one source hears one device. Valid when zeroed; 24 octets, there is one for each pair.
 */
struct ownership_signal {
    float fast;     /* smoothed by the rule's alpha, dBm; as the next two only with a count */
    float middle;   /* smoothed over some 10 packets, and some seconds */
    float slow;     /* the middle one smoothed again */
    float noise;    /* mean difference between a packet and the next, dB */
    float gap;      /* usual time between packets, s */
    uint16_t count; /* packets that it rests on; after a silence the former count less; 0: none */
    bool has_lost;  /* it owned the device and lost it to a better source */
};

/* A packet: rssi 0, missing, changes nothing; previous is that of the packet before it, 0 when not
 * known; gap is the time between them. After a silence that is long for this device the packet
 * counts more, and what was known before less. */
void ownership_hear(struct ownership_signal *s, int8_t rssi, int8_t previous, usec_t gap,
                    float alpha);

/* As if one packet of that RSSI, dBm, were all that is known. */
void ownership_restore(struct ownership_signal *s, double rssi);

/* What may end the owner's ownership. */
struct ownership_claim {
    const struct ownership_signal *signal;
    usec_t silent_for; /* it has not heard this device, although it could */
    usec_t quiet_for;  /* it has heard nothing at all, although it could */
    bool is_online;
};

/* A packet of a source other than the owner has come. */
struct ownership_challenge {
    const struct ownership_signal *signal; /* after the packet */
    bool has_rssi;         /* a packet without moves nothing, but finds a first owner */
    usec_t interval;       /* between packets of the device; 0: not known */
    struct rescue *rescue; /* NULL: it needs no active scanning */
    usec_t now;
};

/* Does the challenger take the device over from the owner (NULL: nobody), and why? */
bool ownership_moves(const struct ownership_rule *rule, const struct ownership_claim *owner,
                     const struct ownership_challenge *challenge, enum owner_why *ret_why);

/* Part of it: does the challenger hear the device better by so much that this alone is a reason?
 * While the owner is online and heard the device within OWNERSHIP_FRESH there is no other; nor, for
 * a device without a rescue, while it heard it within the stale time and any within quiet_after. */
#define OWNERSHIP_FRESH (5 * USEC_PER_SEC)
bool ownership_is_better(const struct ownership_rule *rule, const struct ownership_signal *owner,
                         const struct ownership_signal *challenger);

/* The rule in figures, for people: what a challenger has and what it would need. */
enum ownership_way {                 /* to be better */
                     OWNERSHIP_FAST, /* by the whole margin */
                     OWNERSHIP_LEAD, /* by half of it, with the averages that run ahead */
                     OWNERSHIP_SLOW, /* by half of it, lastingly */
};
#define OWNERSHIP_WAYS (OWNERSHIP_SLOW + 1)

struct ownership_terms {
    struct {
        bool is_open;                 /* enough packets and time stand behind it */
        double has_db, needs_db;      /* it is better when it has more than it needs */
    } ways[OWNERSHIP_WAYS];           /* the last two count only while the first has more than 0 */
    uint16_t packets, packets_needed; /* of the challenger, before any way is open */
    bool has_lost;                    /* it needs more because it lost the device before */
    bool is_better;                   /* one way is open and enough */
    usec_t taken_after; /* a longer silence of the owner, while it listens, makes this challenger's
                           next packet take the device; windows of active scanning aside */
};
void ownership_explain(const struct ownership_rule *rule, const struct ownership_signal *owner,
                       const struct ownership_signal *challenger, usec_t interval,
                       struct ownership_terms *ret_terms);

/* The silence after which a device of that interval is stale, or the longest there is; more than
 * OWNERSHIP_FRESH. */
usec_t ownership_stale_time(const struct ownership_rule *rule, usec_t interval);
