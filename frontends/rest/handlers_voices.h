/* What the routes of the figures and of the log do; see handlers.h. */
#pragma once

#include "rest/handlers.h"

extern const struct query_rule handlers_logs_query[];

int handlers_metrics(struct call *call);
int handlers_logs(struct call *call);
