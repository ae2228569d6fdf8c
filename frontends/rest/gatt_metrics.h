/* The figures of GATT for GET /metrics. */
#pragma once

#include "rest/metrics_text.h"

/* A collector (metrics.h); user is the struct gateway. */
void gatt_metrics_collect(void *user, struct metrics_text *text);
