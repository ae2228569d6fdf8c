/* The simulated fleet: a world and its stations on one loop, with the scripted faults.
 *
 * Thread: the loop's. The control port and the manifest are separate and use this header. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "scenario.h"
#include "station.h"
#include "world.h"

struct fleet;

/* Binds every port and starts the world. scenario is borrowed and outlives the fleet. On failure
 * returns a negative errno, *ret_culprit (borrowed from the scenario) names the proxy that could
 * not listen, and the loop must still be run to its end, as after fleet_close(). */
int fleet_new(uv_loop_t *loop, const struct scenario *scenario, struct fleet **ret_fleet,
              const char **ret_culprit);

/* Stops everything. The fleet frees itself when the loop has closed its handles; do not touch it
 * after this call. */
void fleet_close(struct fleet *f);

const struct scenario *fleet_scenario(const struct fleet *f);
struct world *fleet_world(struct fleet *f);
usec_t fleet_now(const struct fleet *f);

/* By number, as in the scenario. */
size_t fleet_station_count(const struct fleet *f);
struct station *fleet_station(const struct fleet *f, size_t number);

/* At one proxy, or at SCENARIO_ALL. -ENOTSUP as of station_fault(), for all only when it fits none.
 */
int fleet_fault(struct fleet *f, size_t proxy, enum fault_kind kind, usec_t span, size_t octets);
void fleet_clear(struct fleet *f, size_t proxy);
