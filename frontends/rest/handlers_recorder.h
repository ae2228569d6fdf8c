/* The routes of the flight recorder. */
#pragma once

#include "rest/query.h"
#include "json/body.h"

struct call;

extern const struct query_rule handlers_recorder_query[];
extern const struct body_rule handlers_replay_request[];

int handlers_recorder(struct call *call);
int handlers_replay(struct call *call);
