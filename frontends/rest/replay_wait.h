/* A request that waits for a replay of the flight recorder. Thread: the loop's. */
#pragma once

#include "gateway/gateway.h"
#include "rest/pending.h"

/* 0: the request waits, and is answered with the result. E_OVERLOADED: a replay is running, or too
 * many requests wait; else as gateway_replay(), with *ret_faults. */
int replay_wait_begin(struct gateway *g, struct pendings *pendings, struct rest_request *request,
                      const struct gateway_replay_wish *wish, struct config_faults *ret_faults);
