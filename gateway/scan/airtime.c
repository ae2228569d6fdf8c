/* A ring of minutes. Adding moves the ring to the minute of the span and clears what it passes; a
 * span is cut at the borders of minutes. */
#include "airtime.h"

#include <string.h>

#define MINUTE (60 * USEC_PER_SEC)

static void move_to(struct airtime *a, uint64_t minute)
{
    if (minute <= a->minute)
        return;
    if (minute - a->minute >= AIRTIME_MINUTES)
        memset(a->usec, 0, sizeof a->usec);
    else
        for (uint64_t m = a->minute + 1; m <= minute; m++)
            a->usec[m % AIRTIME_MINUTES] = 0;
    a->minute = minute;
}

void airtime_add(struct airtime *a, usec_t from, usec_t to)
{
    if (to > from && to - from > AIRTIME_MINUTES * MINUTE)
        from = to - AIRTIME_MINUTES * MINUTE; /* what is older would be overwritten anyway */
    while (from < to) {
        uint64_t minute = from / MINUTE;
        usec_t border = (minute + 1) * MINUTE;
        usec_t until = to < border ? to : border;

        move_to(a, minute);
        a->usec[minute % AIRTIME_MINUTES] += (uint32_t) (until - from);
        from = until;
    }
}

usec_t airtime_used(const struct airtime *a, usec_t now)
{
    uint64_t current = now / MINUTE;
    usec_t sum = 0;

    for (uint64_t age = 0; age < AIRTIME_MINUTES && age <= a->minute; age++)
        if (a->minute - age + AIRTIME_MINUTES > current)
            sum += a->usec[(a->minute - age) % AIRTIME_MINUTES];
    return sum;
}
