/* Known faults of proxy firmware, in words. Pure. */
#pragma once

#include <stddef.h>

#include "gateway/gateway.h"

struct advisory {
    const char *code;
    const char *text;
    const char *fixed_in; /* NULL: nowhere yet */
};

/* The next fault of this proxy's firmware: *position = 0 to begin; NULL at the end. A proxy that
 * has not told its version has none. */
const struct advisory *advisories_next(const struct gateway_proxy *proxy, size_t *position);
