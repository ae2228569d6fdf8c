/* The routes of the flight recorder. */
#pragma once

#include "rest/query.h"

struct call;

extern const struct query_rule handlers_recorder_query[];

int handlers_recorder(struct call *call);
