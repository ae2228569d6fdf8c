/* blefleet --replay FILE: what a recording would have been under other settings, as a table on
 * stdout. Runs to its end; no loop. */
#pragma once

#include <stddef.h>

#define REPLAY_SETS_MAX 64

/* file: segments or lines of JSON; sets: "scan.ownership.margin_db=12". The exit code: 0, or 2 with
 * a line on stderr. */
int replay_file_run(const char *file, const char *const *sets, size_t sets_count);
