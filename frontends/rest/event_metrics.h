/* Figures of the events and their readers for GET /metrics. */
#pragma once

#include "rest/metrics_text.h"

/* A collector (metrics.h); user is the struct event_publisher. */
void event_metrics_collect(void *user, struct metrics_text *text);
