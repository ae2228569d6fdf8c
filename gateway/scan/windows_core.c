/* What all files of the scheduler use. */
#include "windows_core.h"

void windows_core_set_now(struct windows *w, usec_t now)
{
    if (now > w->now)
        w->now = now;
}

struct radio *windows_core_radio(const struct windows *w, uint16_t source)
{
    return source < w->radios_count ? w->radios[source] : NULL;
}
