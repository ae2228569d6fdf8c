/* The part links: connections to devices, and the slots of proxies. */
#pragma once

#include "rest/handlers.h"

extern const struct query_rule handlers_links_query[];
extern const struct query_rule handlers_link_query[];
extern const struct query_rule handlers_disconnect_query[];
extern const struct body_rule handlers_connect_request[];

int handlers_links(struct call *call);
int handlers_close_stale(struct call *call);
int handlers_connect(struct call *call);
int handlers_link(struct call *call);
int handlers_disconnect(struct call *call);
int handlers_free_slot(struct call *call);
