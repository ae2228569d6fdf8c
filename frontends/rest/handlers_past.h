/* The routes that say what was, and why: history and explanation of one device. */
#pragma once

#include "rest/query.h"

struct call;

extern const struct query_rule handlers_history_query[];
extern const struct query_rule handlers_explain_query[];

int handlers_history(struct call *call);
int handlers_explain(struct call *call);
