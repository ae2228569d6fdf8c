/* The figures of links for GET /metrics: requests, failures by cause, and how long it takes to open
 * one. Thread: the loop's. */
#pragma once

#include "gateway/gateway.h"
#include "rest/metrics.h"

struct link_metrics;

/* Registers itself, and counts from now on what happens to links. */
struct link_metrics *link_metrics_new(struct gateway *g, struct metrics *metrics);
void link_metrics_free(struct link_metrics *m); /* before the metrics; accepts NULL */
