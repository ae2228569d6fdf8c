#include "health.h"

#include "base/memory.h"

#define MINUTE (60 * USEC_PER_SEC)

/* From one step of the ladder to the next. */
static const usec_t waits[] = {HEALTH_RECONNECT_AFTER, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE,
                               60 * MINUTE};

void health_start(struct health *h, usec_t now)
{
    h->is_listening = true;
    if (!h->is_quiet)
        h->silent_since = now;
}

void health_stop(struct health *h)
{
    h->is_listening = false;
}

static bool end_quiet(struct health *h, usec_t now)
{
    if (!h->is_quiet)
        return false;
    h->is_quiet = false;
    h->quiet_ended = now;
    return true;
}

bool health_excuse(struct health *h, usec_t now)
{
    return end_quiet(h, now);
}

bool health_heard(struct health *h, usec_t now)
{
    h->silent_since = now;
    return end_quiet(h, now);
}

static void begin_quiet(struct health *h, usec_t now)
{
    h->is_quiet = true;
    if (now - h->quiet_ended >= HEALTH_FORGET_AFTER)
        h->steps = 0;
    if (h->steps == 0)
        h->next_step = now;
}

static enum health_action step(struct health *h, usec_t now)
{
    size_t last = ARRAY_SIZE(waits) - 1;

    h->next_step = now + waits[h->steps < last ? h->steps : last];
    return h->steps++ == 0 ? HEALTH_SUBSCRIBE : HEALTH_RECONNECT;
}

enum health_action health_tick(struct health *h, usec_t now)
{
    if (now < health_deadline(h))
        return HEALTH_NOTHING;
    if (!h->is_quiet)
        begin_quiet(h, now);
    return now >= h->next_step ? step(h, now) : HEALTH_NOTHING;
}

usec_t health_deadline(const struct health *h)
{
    if (!h->is_listening)
        return USEC_NEVER;
    return h->is_quiet ? h->next_step : h->silent_since + h->quiet_after + 1;
}
