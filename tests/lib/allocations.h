/* Counts what a test executable allocates, its libraries of ours included. The executable must be
 * registered with COUNTS_ALLOCATIONS, which links it with --wrap. */
#pragma once

#include <stddef.h>

/* Calls of malloc, calloc, realloc and free so far. */
size_t allocations_count(void);
