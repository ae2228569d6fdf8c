/* What the routes of events do; see handlers.h. */
#pragma once

#include "rest/query.h"

struct call;

extern const struct query_rule handlers_clients_query[];

/* Opens a stream of the events of the wish, which goes over. REST_ANSWERED: there is none, and the
 * answer says why, or is that of HEAD. */
struct answer_stream;
struct event_wish;
int handlers_events_open(struct call *call, struct event_wish *wish,
                         struct answer_stream **ret_stream);

/* GET /events: the answer is a stream. The query is that of event_wish.h. */
int handlers_events(struct call *call);
int handlers_clients(struct call *call);
