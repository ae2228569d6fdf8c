#include "theft.h"

#include <string.h>

#define MEAN_WEIGHT 16 /* a new gap counts for one in so many */

void theft_start(struct theft *t)
{
    t->is_listening = true;
    t->learning_since = t->last_heard = t->asked = 0;
    t->messages = 0;
    t->mean_gap = 0;
}

void theft_stop(struct theft *t)
{
    t->is_listening = false;
}

static void learn_longest(struct theft *t, usec_t gap, usec_t now)
{
    if (now - t->span_began >= THEFT_LONGEST_SPAN) {
        t->longest_before = now - t->span_began < 2 * THEFT_LONGEST_SPAN ? t->longest_gap : 0;
        t->longest_gap = 0;
        t->span_began = now;
    }
    t->longest_gap = clock_later(t->longest_gap, gap);
}

static void learn(struct theft *t, usec_t gap, usec_t now)
{
    learn_longest(t, gap, now);
    if (t->messages == 0)
        t->mean_gap = gap;
    else
        t->mean_gap = (t->mean_gap * (MEAN_WEIGHT - 1) + gap) / MEAN_WEIGHT;
    if (t->messages < THEFT_LEARN_MESSAGES)
        t->messages++;
}

static void count_retake(struct theft *t, usec_t now)
{
    memmove(t->retakes + 1, t->retakes, sizeof t->retakes - sizeof t->retakes[0]);
    t->retakes[0] = now;
}

static bool is_exhausted(const struct theft *t, usec_t now)
{
    usec_t oldest = t->retakes[THEFT_RETAKES_MAX - 1];

    return oldest != 0 && now - oldest < THEFT_RETAKES_SPAN;
}

/* What came shows that they are ours. */
static bool was_lull(struct theft *t)
{
    if (!t->is_lost)
        return false;
    t->is_lost = false;
    memset(t->retakes, 0, sizeof t->retakes); /* they were lulls as well */
    return true;
}

enum theft_verdict theft_heard(struct theft *t, usec_t now)
{
    enum theft_verdict verdict = THEFT_NONE;

    if (t->last_heard == 0)
        t->learning_since = now;
    else if (t->asked && now - t->asked <= THEFT_RETAKE_WITHIN)
        verdict = THEFT_RETAKEN; /* and the gap was none of the proxy's own */
    else
        learn(t, now - t->last_heard, now);
    if (verdict == THEFT_RETAKEN)
        count_retake(t, now);
    if (was_lull(t))
        verdict = THEFT_LULL;
    t->last_heard = now;
    t->asked = 0;
    return verdict;
}

enum theft_verdict theft_owned(struct theft *t, usec_t now)
{
    t->owned = now;
    return was_lull(t) ? THEFT_LULL : THEFT_NONE;
}

static bool has_learned(const struct theft *t)
{
    return t->messages >= THEFT_LEARN_MESSAGES &&
           t->last_heard - t->learning_since >= THEFT_LEARN_SPAN;
}

static usec_t unusual_silence(const struct theft *t)
{
    usec_t longest = clock_later(t->longest_gap, t->longest_before);

    return clock_later(THEFT_SILENCE_MIN,
                       clock_later(THEFT_MEAN_GAPS * t->mean_gap, THEFT_LONGEST_GAPS * longest));
}

enum theft_action theft_tick(struct theft *t, usec_t now)
{
    if (now < theft_deadline(t))
        return THEFT_NOTHING;
    if (is_exhausted(t, now)) {
        t->is_lost = true;
        return THEFT_GIVE_UP;
    }
    t->asked = now;
    return THEFT_SUBSCRIBE;
}

usec_t theft_deadline(const struct theft *t)
{
    if (!t->is_listening || t->is_lost || t->asked || !has_learned(t))
        return USEC_NEVER;
    return clock_later(t->last_heard, t->owned) + unusual_silence(t);
}
