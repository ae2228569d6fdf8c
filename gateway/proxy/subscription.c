#include "subscription.h"

#include "base/memory.h"

static const usec_t waits[] = {10 * USEC_PER_SEC, 30 * USEC_PER_SEC, 60 * USEC_PER_SEC};

static void arm(struct subscription *s, usec_t now)
{
    size_t last = ARRAY_SIZE(waits) - 1;

    s->deadline = now + waits[s->waits < last ? s->waits : last];
}

void subscription_start(struct subscription *s, bool can_prove, usec_t now)
{
    *s = (struct subscription){.state = can_prove ? SUBSCRIPTION_ASKED : SUBSCRIPTION_HELD};
    arm(s, now);
}

bool subscription_prove(struct subscription *s)
{
    bool changes = s->state == SUBSCRIPTION_ASKED || s->state == SUBSCRIPTION_REFUSED;

    if (changes)
        s->state = SUBSCRIPTION_HELD;
    return changes;
}

bool subscription_tick(struct subscription *s, usec_t now)
{
    if (subscription_deadline(s) > now)
        return false;
    s->state = SUBSCRIPTION_REFUSED;
    s->waits++;
    arm(s, now);
    return true;
}

usec_t subscription_deadline(const struct subscription *s)
{
    switch (s->state) {
    case SUBSCRIPTION_ASKED:
    case SUBSCRIPTION_REFUSED:
        return s->deadline;
    case SUBSCRIPTION_NONE:
    case SUBSCRIPTION_HELD:
        break;
    }
    return USEC_NEVER;
}
