/* What the scheduler consists of, for its own files: windows.c (the door), window_plan.c (who runs
 * what, and when) and window_life.c (opening, joining, closing). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "scan/needs.h"
#include "scan/open_window.h"
#include "scan/past_windows.h"
#include "scan/radio.h"
#include "scan/windows.h"

struct windows {
    struct windows_settings settings;
    struct windows_calls calls;
    void *user;
    usec_t now; /* the latest that was heard of */
    bool is_stopped;
    struct radio **radios; /* by source; NULL: no such source */
    size_t radios_count;
    struct heap radios_due;
    struct needs needs;
    struct past_windows *past;
    uint64_t last_id;
    struct windows_statistics counted;
};

/* Time goes on, or stands still. */
void windows_core_set_now(struct windows *w, usec_t now);

/* NULL: there is no such source. */
struct radio *windows_core_radio(const struct windows *w, uint16_t source);
