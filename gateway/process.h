/* What the operating system says of this process. Reads /proc, which answers from memory. For
 * gateway.c alone. Thread: any. */
#pragma once

#include <stddef.h>

#include "base/clock.h"

struct process_figures { /* 0: not told */
    size_t memory_bytes; /* resident */
    usec_t cpu;          /* user and system, of all threads */
    size_t descriptors, descriptors_max;
};

void process_get_figures(struct process_figures *ret_figures);
