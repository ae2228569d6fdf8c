/* Why there is no link, as a problem: what was tried, who is in the way, who could do it. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "rest/answer.h"

/* The status of HTTP for a cause that a request for a link may be answered or refused with. */
int link_problem_status(int cause);

/* The name of the proxy that is asked for, borrowed for this turn of the loop; NULL: any. */
const char *link_problem_wished(const struct gateway *g, const struct gateway_wish *wish);

/* proxy: that was asked for; NULL: any. */
void link_problem_answer(const struct gateway *g, uint64_t address, const char *proxy,
                         const struct gateway_link_answer *answer, struct answer *ret_answer);
