#include "attempts.h"

#include <stdbool.h>

enum attempts_version attempts_next_version(const struct attempts *a)
{
    if (a->wanted != ATTEMPTS_ANY)
        return a->wanted;
    if (a->known != ATTEMPTS_ANY)
        return a->known;
    return a->next == ATTEMPTS_ANY ? ATTEMPTS_5 : a->next;
}

void attempts_succeeded(struct attempts *a, enum attempts_version version)
{
    a->known = version;
    a->next = ATTEMPTS_ANY;
}

/* True when the other version is worth a try at once. */
static bool change_version(struct attempts *a, enum attempts_end end)
{
    bool was_5 = attempts_next_version(a) == ATTEMPTS_5;

    if (a->wanted != ATTEMPTS_ANY)
        return false;
    if (end == ATTEMPTS_BAD_VERSION)
        a->known = ATTEMPTS_ANY; /* the broker was exchanged for another */
    else if (end != ATTEMPTS_HUNG_UP || a->known != ATTEMPTS_ANY)
        return false;
    a->next = was_5 ? ATTEMPTS_3_1_1 : ATTEMPTS_5;
    return was_5;
}

static usec_t backoff(unsigned failures)
{
    usec_t delay = USEC_PER_SEC;

    for (unsigned i = 1; i < failures && delay < ATTEMPTS_DELAY_MAX; i++)
        delay *= 2;
    return delay < ATTEMPTS_DELAY_MAX ? delay : ATTEMPTS_DELAY_MAX;
}

usec_t attempts_ended(struct attempts *a, enum attempts_end end, usec_t lasted, double jitter)
{
    usec_t spread = (usec_t) (jitter * (double) ATTEMPTS_JITTER);

    if (change_version(a, end))
        return 0;
    if (end == ATTEMPTS_HOPELESS)
        return ATTEMPTS_DELAY_MAX + spread;
    if (lasted >= ATTEMPTS_STABLE_AFTER)
        a->failures = 0;
    a->failures++;
    return backoff(a->failures) + spread;
}
