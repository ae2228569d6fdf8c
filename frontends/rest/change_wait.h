/* A request that waits for its change of the configuration, embedded in what its handler keeps for
 * it. What was changed is noted for the audit. Whoever gives up does not stop the change, which may
 * be on the disk already. Thread: the loop's. */
#pragma once

#include "rest/handlers.h"

struct change_wait;

/* The change runs, or there was nothing to change: edited is NULL then. */
typedef void change_wait_answer_fn(struct change_wait *wait, const struct config_edited *edited,
                                   struct answer *ret_answer);

struct change_wait {
    struct gateway_change change; /* for the gateway's call */
    struct gateway *gateway;
    /* private: */
    struct pending pending;
    int missing;
    change_wait_answer_fn *answer;
    void (*release)(struct change_wait *wait);
};

/* A change must not begin whose request cannot wait. False: so it is, which is answered. */
bool change_wait_is_possible(struct call *call);

/* missing: as for change_problem_answer(). release frees what is around *wait, when all is over. */
void change_wait_init(struct change_wait *wait, const struct call *call, int missing,
                      change_wait_answer_fn *answer, void (*release)(struct change_wait *wait));

/* What the gateway's call returned: 0, the request waits; GATEWAY_DONE, or why not: it is answered,
 * and release was called. */
int change_wait_begin(struct change_wait *wait, struct call *call, int rc);
