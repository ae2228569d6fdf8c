/* The life of a window: refused, or opened, joined, confirmed, closed. Internal to the scheduler.
 * Pure. */
#pragma once

#include "scan/windows_core.h"

/* Puts the radio to where its deadline belongs; after each change of it or its window. */
void window_life_touch(struct windows *w, struct radio *r);

/* The radio has used up its time for active scanning; and the sentence that says so. */
bool window_life_is_over_budget(const struct windows *w, const struct radio *r);
extern const char window_life_over_budget[];

/* A window on a radio that has none and can have one. It is nobody's yet and commands nothing until
 * window_life_command; guests come in between. */
struct open_window *window_life_open(struct windows *w, struct radio *r, enum scan_cause cause);
void window_life_command(struct windows *w, struct radio *r);

/* The end of a running window moved: tells it. */
void window_life_extended(struct windows *w, struct radio *r);

/* Any window puts the next sweep off; but the first sweep takes place, unless a window for all
 * devices does its work. For a window that runs. */
void window_life_note_sweep(struct windows *w, struct radio *r);

/* The radio may say by now that it is active: then a window that waits for that runs. */
void window_life_confirm(struct windows *w, struct radio *r);

/* DONE or FAILED. The radio gets its own mode back; needs that were not served are due again after
 * retry_in. */
void window_life_close(struct windows *w, struct radio *r, enum scan_window_state state,
                       const char *detail, usec_t retry_in);

/* Writes down and tells a window that cannot open; address 0: none. Its id. */
uint64_t window_life_refuse(struct windows *w, uint16_t source, enum scan_cause cause,
                            uint64_t address, usec_t duration, const char *detail);
