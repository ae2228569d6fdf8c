/* The gateway's own figures for GET /metrics: the program, the table, the proxies one by one and
 * together. */
#pragma once

#include "gateway/gateway.h"
#include "rest/metrics_text.h"

/* A collector (metrics.h); user is the struct gateway. */
void gateway_metrics_collect(void *user, struct metrics_text *text);
