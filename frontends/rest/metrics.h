/* The registry of figures for GET /metrics: who counts something registers it, and is asked when
 * somebody wants to know.
 *
 * Names begin with METRICS_PREFIX, are unique, and follow the rules of Prometheus (base units,
 * _total behind counters). Labels' values come from small sets (proxies, states, causes), never
 * from devices or clients: each value is a series that is kept for ever. Thread: the loop's. */
#pragma once

#include "rest/metrics_text.h"

#define METRICS_PREFIX "blefleet_"

struct metrics;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m); /* accepts NULL */

/* One figure without labels, METRIC_COUNTER or METRIC_GAUGE: read(user) is its value. The texts
 * must outlive the registry. */
void metrics_register(struct metrics *m, const char *name, enum metric_type type, const char *help,
                      double (*read)(void *user), void *user);

/* Any number of families, with labels: collect(user, text) writes them whole. */
void metrics_register_collector(struct metrics *m,
                                void (*collect)(void *user, struct metrics_text *text), void *user);

/* Takes out all that was registered with this user, before the user goes. */
void metrics_unregister(struct metrics *m, const void *user);

/* The whole text, in order of registration. */
void metrics_write(const struct metrics *m, struct metrics_text *text);
