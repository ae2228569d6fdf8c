/* The routes of windows, needs and discovery. */
#pragma once

#include "rest/handlers.h"
#include "json/body.h"

/* Queries and bodies. */
extern const struct query_rule handlers_windows_query[];
extern const struct query_rule handlers_needs_query[];
extern const struct body_rule handlers_window_request[];
extern const struct body_rule handlers_discover_request[];

int handlers_windows(struct call *call);
int handlers_open_windows(struct call *call);
int handlers_needs(struct call *call);
int handlers_discover(struct call *call);
