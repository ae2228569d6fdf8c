/* Why there is no link, as a problem: what was tried, who is in the way, who could do it. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "rest/answer.h"

/* The status of HTTP for a cause that a request for a link may be answered or refused with. */
int link_problem_status(int cause);

/* proxy_index: that was asked for; SIZE_MAX: any. */
void link_problem_answer(const struct gateway *g, uint64_t address, size_t proxy_index,
                         const struct gateway_link_answer *answer, struct answer *ret_answer);
