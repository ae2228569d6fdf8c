/* What each proxy could do for one device, judged: who hears it, who speaks for it, who could
 * connect. The parts of an explanation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "gateway/gateway.h"

#define CANDIDATE_HEARD_AGE (195 * USEC_PER_SEC) /* a proxy "hears" a device for so long */

enum candidate_verdict { CANDIDATE_CHOSEN, CANDIDATE_POSSIBLE, CANDIDATE_EXCLUDED };

enum candidate_cause {
    CANDIDATE_BEST,
    CANDIDATE_WORSE_SCORE,
    CANDIDATE_OFFLINE,
    CANDIDATE_DISABLED,
    CANDIDATE_NEVER_HEARD,
    CANDIDATE_HEARD_TOO_LONG_AGO,
    CANDIDATE_NOT_CONNECTABLE,
    CANDIDATE_NO_FREE_SLOT,
    CANDIDATE_FORBIDDEN,
    CANDIDATE_NOT_REQUIRED,
    CANDIDATE_NOT_SCANNING,
    CANDIDATE_LOST_OWNERSHIP,
};

struct candidate {
    struct gateway_proxy proxy;
    enum candidate_verdict verdict;
    enum candidate_cause cause;
    bool is_heard; /* the next two are known */
    struct gateway_source source;
    usec_t age;       /* of its last packet */
    bool has_rivalry; /* as is the next */
    struct gateway_rivalry rivalry;
    uint32_t heard, lost; /* packets that the device counts; 0, 0: it does not */
    bool has_path;        /* a connection could go there, as the next says */
    double path_rssi;
};

/* Tokens of the contract. Static storage. */
const char *candidate_verdict_name(enum candidate_verdict verdict);
const char *candidate_cause_name(enum candidate_cause cause);

/* All proxies, best first; to be freed. is_connection: judged for a connection, otherwise for
 * hearing. A device that nobody knows has a row of NULL. */
struct candidate *candidate_collect(const struct gateway *g, const struct gateway_device *d,
                                    bool is_connection, size_t *ret_count);
