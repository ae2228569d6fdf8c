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
    CANDIDATE_RECENT_FAILURE,
    CANDIDATE_CAUSES, /* how many there are */
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
    bool has_route;       /* judged for a connection, as the next says */
    struct gateway_route route;
};

/* Tokens of the contract. Static storage. */
const char *candidate_verdict_name(enum candidate_verdict verdict);
const char *candidate_cause_name(enum candidate_cause cause);

/* All proxies, best first; to be freed. A device that nobody knows has a row of NULL. */
struct candidate *candidate_collect_hearing(const struct gateway *g, const struct gateway_device *d,
                                            size_t *ret_count);
/* The same for a connection; *ret_code is what a request would be answered with, 0: it would do. */
struct candidate *candidate_collect_routes(const struct gateway *g, const struct gateway_device *d,
                                           size_t *ret_count, int *ret_code);
