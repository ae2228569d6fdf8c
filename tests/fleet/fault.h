/* What can go wrong with a simulated proxy, by name. Pure values. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

/* XX(symbol, name, is_lasting, default span). A lasting fault is there for a span (USEC_NEVER:
 * until it is cleared); the others happen once. */
#define FAULT_MAP(XX)                                                                              \
    XX(DROP, "drop", false, 0)                   /* closes every client */                         \
    XX(GARBAGE, "garbage", false, 0)             /* random octets into the stream */               \
    XX(TRUNCATE, "truncate", false, 0)           /* half a frame, then closes */                   \
    XX(OVERSIZE, "oversize", false, 0)           /* a header of a huge frame */                    \
    XX(REBOOT, "reboot", true, 5 * USEC_PER_SEC) /* gone, listener and all */                      \
    XX(STALL, "stall", true, 10 * USEC_PER_SEC)  /* neither reads nor writes */                    \
    XX(HALF_OPEN, "half_open", true, USEC_NEVER) /* swallows, never answers */                     \
    XX(REFUSE, "refuse", true, USEC_NEVER)       /* accepts and closes at once */                  \
    XX(WRONG_KEY, "wrong_key", true, USEC_NEVER) /* new clients meet another key */                \
    XX(BAD_MAC, "bad_mac", true, USEC_NEVER)     /* … another MAC and name */                    \
    XX(REFUSE_SUBSCRIPTION, "refuse_subscription", true, USEC_NEVER) /* message 66 is ignored */   \
    XX(MUTE, "mute", true, USEC_NEVER)                               /* hears nothing */           \
    XX(IGNORE_MODE, "ignore_mode", true, USEC_NEVER)                 /* message 127 is ignored */  \
    XX(MODE_FAILS, "mode_fails", true, USEC_NEVER) /* … ends in scanner state FAILED */

enum fault_kind {
#define XX(symbol, name, is_lasting, span) FAULT_##symbol,
    FAULT_MAP(XX)
#undef XX
            FAULT_COUNT
};

#define FAULT_GARBAGE_SIZE 64 /* octets, where nothing else is said */
#define FAULT_GARBAGE_MAX  65536

const char *fault_name(enum fault_kind kind);
bool fault_from_name(const char *name, enum fault_kind *ret_kind);
bool fault_is_lasting(enum fault_kind kind);
usec_t fault_default_span(enum fault_kind kind);
