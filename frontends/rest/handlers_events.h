/* What the routes of events do; see handlers.h. */
#pragma once

#include "rest/query.h"

struct call;

extern const struct query_rule handlers_clients_query[];

/* GET /events: the answer is a stream. The query is that of event_wish.h. */
int handlers_events(struct call *call);
int handlers_clients(struct call *call);
