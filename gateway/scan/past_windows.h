/* The windows that are over: the last PAST_WINDOWS_MAX of them, copied. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan/scan_window.h"

#define PAST_WINDOWS_MAX 256

struct past_windows;

struct past_windows *past_windows_new(void);
void past_windows_free(struct past_windows *p);

/* Copies the window with what it points to; the oldest one goes when there are too many. */
void past_windows_add(struct past_windows *p, const struct scan_window *window);

/* Drops those of the source. */
void past_windows_forget(struct past_windows *p, uint16_t source);

/* The one with the largest id below this; NULL: none. Borrowed until the next change. */
const struct scan_window *past_windows_before(const struct past_windows *p, uint64_t id);
