/* The route that lists what mDNS found. */
#pragma once

#include "rest/query.h"

struct call;

extern const struct query_rule handlers_discovered_query[];

int handlers_discovered(struct call *call);
