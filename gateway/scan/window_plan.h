/* The plan: which source runs a need's window, when sweeps happen, and what goes together. Internal
 * to the scheduler. Pure. */
#pragma once

#include "scan/windows_core.h"

/* It can open a window, or needs none. NULL: it cannot. */
bool window_plan_can_serve(const struct radio *r);

/* Completes a window that was opened for something: takes along the needs of this source that are
 * due soon, and a sweep; then commands. */
void window_plan_gather(struct windows *w, struct radio *r);

/* Serves or puts off every need that is due. */
void window_plan_needs(struct windows *w);

/* Needs that nobody could serve are tried now, if they are this source's. */
void window_plan_welcome(struct windows *w, const struct radio *r);

/* A sweep is due on the source. */
void window_plan_sweep(struct windows *w, struct radio *r);
