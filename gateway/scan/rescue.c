/* The story. The first stale packet begins an episode and asks for windows. When one was reported,
 * 5 s are left for what it brought to arrive; and the whole takes one interval at least, so that
 * the owner had a chance. The next stale packet then hands the device over.
 *
 * Failure modes. No window runs: the episode begins anew after 30 s and asks again. The owner hears
 * the device in between, or there is another: the next stale packet begins a new episode. Silence
 * that lasts for some intervals is not for this rule to judge: it ends ownership before this one is
 * asked. */
#include "rescue.h"

#define ASK_EVERY (30 * USEC_PER_SEC)
#define ARRIVAL   (5 * USEC_PER_SEC)

static void begin(struct rescue *r, usec_t now)
{
    r->trigger = now;
    if (r->asked && now - r->asked < ASK_EVERY)
        return;
    r->asked = now;
    r->is_asking = true;
}

bool rescue_hands_over(struct rescue *r, usec_t heard, usec_t interval, usec_t now)
{
    if (r->trigger == 0 || heard > r->trigger) {
        begin(r, now);
        return false;
    }
    if (r->covered == 0 || r->covered + ARRIVAL < r->trigger) {
        if (now - r->asked > ASK_EVERY)
            begin(r, now);
        return false;
    }
    return now > r->covered + ARRIVAL && now - r->trigger > interval;
}

bool rescue_take_question(struct rescue *r)
{
    bool is_asking = r->is_asking;

    r->is_asking = false;
    return is_asking;
}

void rescue_cover(struct rescue *r, usec_t now)
{
    r->covered = now;
}
