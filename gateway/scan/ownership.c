/* The story. Each packet of a source is folded into its signal: averages of several speeds, how
 * much the packets differ, and how far apart they come. A packet of another source than the owner
 * asks the rule. Most end at the comparison of the fast averages.
 *
 * The margin of 16 dB stands for the noise of the fast average. So there are two more ways to be
 * better, both with half the margin. By the lead, which runs ahead of the averages by as much as
 * they lag and so keeps up with a device that is carried around; its noise must be known and small.
 * And by the slow average, whose noise is always small. Both need some packets and some time, and
 * are believed only while the fast average does not say the opposite.
 *
 * Failure modes. A lucky packet: it takes three (two of a device that speaks rarely) before a
 * source is better. A long silence: the packets before it count less, in the averages and as
 * packets. A packet without RSSI says nothing. An owner that never said how loud counts as very
 * faint. */
#include "ownership.h"

#include <math.h>
#include <stdlib.h>

#define RSSI_UNKNOWN_DBM (-127.0) /* stands for an owner that never said how loud */
#define STALE_GRACE      (5 * USEC_PER_SEC)

/* Silence that is long for a device: so many usual gaps, which are taken to be of this length at
 * least, and of that one while there was only one packet. */
#define LONG_GAPS   4.0F
#define GAP_LEAST_S 5.0F
#define GAP_FIRST_S 25.0F

#define GAP_WEIGHT     0.25F
#define NOISE_PACKETS  32
#define MIDDLE_WEIGHT  0.2F /* and all weigh the same while there are fewer than five */
#define MIDDLE_LEAST_S 2.0F /* a crowd of packets does not make an average faster than that */

/* What it takes to be better. By the whole margin: a few packets, fewer if they are so far apart
 * that one is as good as three. */
#define FEW_PACKETS 3
#define FEW_RARE    2
#define RARE_GAP_S  10.0F
/* By the lead. The factor makes a false change rarer than one in some hours, at a packet a second
 * and 8 dB of noise. */
#define LEAD_PACKETS 10
#define LEAD_S       10.0F
#define LEAD_NOISE   3.2
/* By the slow average. */
#define SLOW_PACKETS 16
#define SLOW_S       15.0F

const char *owner_why_name(enum owner_why why)
{
    static const char *const names[] = {
            [OWNER_FIRST] = "first",
            [OWNER_STRONGER] = "stronger",
            [OWNER_ROAM] = "roam",
            [OWNER_GONE] = "gone",
            [OWNER_RESCUE] = "rescue",
            [OWNER_PROXY_OFFLINE] = "proxy_offline",
            [OWNER_PROXY_QUIET] = "proxy_quiet",
    };

    return names[why];
}

/* ---- the signal ---- */

static float long_gap(const struct ownership_signal *s)
{
    if (s->count == 1)
        return LONG_GAPS * GAP_FIRST_S;
    return LONG_GAPS * (s->gap > GAP_LEAST_S ? s->gap : GAP_LEAST_S);
}

/* After a silence of k times the longest that is usual: the weight of the next packet; those before
 * it are worth less from now on. */
static float forget_some(struct ownership_signal *s, float k, float alpha)
{
    s->count = (uint16_t) ((float) s->count / k + 0.5F);
    return alpha * k / (1 + alpha * (k - 1));
}

static void hear_noise(struct ownership_signal *s, int8_t rssi, int8_t previous, float weight)
{
    if (previous)
        s->noise += weight * ((float) abs(rssi - previous) - s->noise);
}

static void hear_slowly(struct ownership_signal *s, int8_t rssi, float seconds, float weight)
{
    if (seconds < weight * MIDDLE_LEAST_S)
        weight = seconds * (1 / MIDDLE_LEAST_S);
    s->middle += weight * ((float) rssi - s->middle);
    s->slow += weight * (s->middle - s->slow);
}

/* The library's would be calls, as they have rules for what is not a number. */
static float smaller(float a, float b)
{
    return a < b ? a : b;
}

static float larger(float a, float b)
{
    return a > b ? a : b;
}

/* One of the first packets, or one after a silence. Apart, so that the usual ones stay cheap. */
__attribute__((noinline)) static void hear_anew(struct ownership_signal *s, int8_t rssi,
                                                int8_t previous, float seconds, float alpha)
{
    float longest = long_gap(s), count;

    if (s->count == 0) {
        ownership_restore(s, (double) rssi);
        return;
    }
    if (seconds > longest) {
        alpha = forget_some(s, seconds / longest, alpha);
        seconds = longest;
    }
    s->gap = s->count <= 1 ? seconds : s->gap + GAP_WEIGHT * (seconds - s->gap);
    count = (float) ++s->count;
    if (s->count > 1)
        hear_noise(s, rssi, previous, 1 / smaller(count - 1, NOISE_PACKETS));
    s->fast += alpha * ((float) rssi - s->fast);
    hear_slowly(s, rssi, seconds, larger(1 / count, MIDDLE_WEIGHT));
}

void ownership_restore(struct ownership_signal *s, double rssi)
{
    *s = (struct ownership_signal){
            .fast = (float) rssi,
            .middle = (float) rssi,
            .slow = (float) rssi,
            .count = 1,
            .has_lost = s->has_lost,
    };
}

void ownership_hear(struct ownership_signal *s, int8_t rssi, int8_t previous, usec_t gap,
                    float alpha)
{
    float seconds = (float) (int64_t) gap * 1e-6F;

    if (rssi == 0)
        return;
    if (s->count < NOISE_PACKETS || (seconds > LONG_GAPS * GAP_LEAST_S && seconds > long_gap(s))) {
        hear_anew(s, rssi, previous, seconds, alpha);
        return;
    }
    if (s->count < UINT16_MAX)
        s->count++;
    s->gap += GAP_WEIGHT * (seconds - s->gap);
    hear_noise(s, rssi, previous, 1.0F / NOISE_PACKETS);
    s->fast += alpha * ((float) rssi - s->fast);
    hear_slowly(s, rssi, seconds, MIDDLE_WEIGHT);
}

/* ---- better by the margin ---- */

static bool has_listened(const struct ownership_signal *s, uint16_t packets, float seconds)
{
    return s->count >= packets && (float) s->count * s->gap >= seconds;
}

/* The middle average without its lag behind what rises or falls steadily. */
static double lead(const struct ownership_signal *s)
{
    return 2 * (double) s->middle - (double) s->slow;
}

/* So much the difference of two leads may be off by chance, times a constant. */
static double noise_of_leads(const struct ownership_signal *a, const struct ownership_signal *b)
{
    double square = (double) a->noise * (double) a->noise + (double) b->noise * (double) b->noise;
    double weight = fmin((double) MIDDLE_WEIGHT, (double) (a->gap / MIDDLE_LEAST_S));

    return sqrt(square * 1.25 * weight);
}

/* How much better the lead must be for its noise, and for the margin. */
static double lead_needs(const struct ownership_rule *rule, const struct ownership_signal *owner,
                         const struct ownership_signal *challenger, double reclaim)
{
    return reclaim / 2 + fmax(rule->margin_db / 2, LEAD_NOISE * noise_of_leads(owner, challenger));
}

static bool is_lead_open(const struct ownership_signal *owner,
                         const struct ownership_signal *challenger)
{
    return has_listened(challenger, LEAD_PACKETS, LEAD_S) &&
           has_listened(owner, LEAD_PACKETS, LEAD_S);
}

static bool is_better_by_lead(const struct ownership_rule *rule,
                              const struct ownership_signal *owner,
                              const struct ownership_signal *challenger, double reclaim)
{
    double difference = lead(challenger) - lead(owner);

    return difference > (rule->margin_db + reclaim) / 2 && is_lead_open(owner, challenger) &&
           difference > lead_needs(rule, owner, challenger, reclaim);
}

static bool is_slow_open(const struct ownership_signal *owner,
                         const struct ownership_signal *challenger)
{
    return has_listened(challenger, SLOW_PACKETS, SLOW_S) &&
           has_listened(owner, SLOW_PACKETS, SLOW_S);
}

static bool is_better_slowly(const struct ownership_rule *rule,
                             const struct ownership_signal *owner,
                             const struct ownership_signal *challenger, double reclaim)
{
    return (double) (challenger->slow - owner->slow) > (rule->margin_db + reclaim) / 2 &&
           is_slow_open(owner, challenger);
}

static double fast_rssi(const struct ownership_signal *s)
{
    return s->count ? (double) s->fast : RSSI_UNKNOWN_DBM;
}

/* So many packets are needed before a source can be better in any way. */
static uint16_t packets_needed(const struct ownership_signal *challenger)
{
    return challenger->gap >= RARE_GAP_S ? FEW_RARE : FEW_PACKETS;
}

/* A challenger that is louder. Apart, so that for most, which are not, little is done. */
__attribute__((noinline)) static bool is_better_by_margin(const struct ownership_rule *rule,
                                                          const struct ownership_signal *owner,
                                                          const struct ownership_signal *challenger)
{
    double difference = fast_rssi(challenger) - fast_rssi(owner), reclaim;

    reclaim = challenger->has_lost ? rule->reclaim_db : 0;
    if (challenger->count < packets_needed(challenger))
        return false;
    return difference > rule->margin_db + reclaim ||
           is_better_by_lead(rule, owner, challenger, reclaim) ||
           is_better_slowly(rule, owner, challenger, reclaim);
}

bool ownership_is_better(const struct ownership_rule *rule, const struct ownership_signal *owner,
                         const struct ownership_signal *challenger)
{
    return fast_rssi(challenger) > fast_rssi(owner) && is_better_by_margin(rule, owner, challenger);
}

/* ---- silence ---- */

usec_t ownership_stale_time(const struct ownership_rule *rule, usec_t interval)
{
    if (interval == 0)
        return rule->stale_after;
    return interval < USEC_NEVER - STALE_GRACE ? interval + STALE_GRACE : USEC_NEVER;
}

static bool is_gone(const struct ownership_rule *rule, usec_t silent_for, usec_t stale_time)
{
    return silent_for > rule->stale_after ||
           (double) silent_for > rule->gone_factor * (double) stale_time;
}

static bool may_roam(const struct ownership_rule *rule, const struct ownership_claim *owner,
                     const struct ownership_signal *challenger, usec_t stale_time)
{
    double owner_rssi = fast_rssi(owner->signal);

    return (double) owner->silent_for > rule->roam_factor * (double) stale_time &&
           owner_rssi < rule->strong_dbm && fast_rssi(challenger) >= owner_rssi - rule->margin_db;
}

/* The silence of the owner that ends its ownership for this challenger: is_stale() the other way
 * round. */
static usec_t taken_after(const struct ownership_rule *rule, const struct ownership_signal *owner,
                          const struct ownership_signal *challenger, usec_t interval)
{
    const struct ownership_claim silent = {.signal = owner, .silent_for = USEC_NEVER};
    usec_t stale_time = ownership_stale_time(rule, interval);
    double after = rule->gone_factor * (double) stale_time;

    if (may_roam(rule, &silent, challenger, stale_time))
        after = fmin(after, rule->roam_factor * (double) stale_time);
    after = fmin(after, (double) rule->stale_after);
    return after > (double) stale_time ? (usec_t) after : stale_time;
}

/* The owner does not hear what the challenger hears. */
static bool is_stale(const struct ownership_rule *rule, const struct ownership_claim *owner,
                     const struct ownership_challenge *c, enum owner_why *ret_why)
{
    usec_t stale_time = ownership_stale_time(rule, c->interval);

    if (owner->silent_for <= stale_time)
        return false;
    if (is_gone(rule, owner->silent_for, stale_time)) {
        *ret_why = OWNER_GONE;
        return true;
    }
    if (c->rescue) {
        *ret_why = OWNER_RESCUE;
        return rescue_hands_over(c->rescue, c->now - owner->silent_for, c->interval, c->now);
    }
    *ret_why = OWNER_ROAM;
    return may_roam(rule, owner, c->signal, stale_time);
}

/* The reasons for which a source may take over that does not hear the device better. */
static bool has_fallen_silent(const struct ownership_rule *rule,
                              const struct ownership_claim *owner,
                              const struct ownership_challenge *challenge, enum owner_why *ret_why)
{
    if (!owner->is_online) {
        *ret_why = OWNER_PROXY_OFFLINE;
        return true;
    }
    if (owner->quiet_for > rule->quiet_after) {
        *ret_why = OWNER_PROXY_QUIET;
        return true;
    }
    return is_stale(rule, owner, challenge, ret_why);
}

bool ownership_moves(const struct ownership_rule *rule, const struct ownership_claim *owner,
                     const struct ownership_challenge *challenge, enum owner_why *ret_why)
{
    enum owner_why why = OWNER_FIRST;

    if (owner) {
        if (!challenge->has_rssi)
            return false;
        if (!has_fallen_silent(rule, owner, challenge, &why)) {
            if (!ownership_is_better(rule, owner->signal, challenge->signal))
                return false;
            why = OWNER_STRONGER;
        }
    }
    *ret_why = why;
    return true;
}

void ownership_explain(const struct ownership_rule *rule, const struct ownership_signal *owner,
                       const struct ownership_signal *challenger, usec_t interval,
                       struct ownership_terms *ret_terms)
{
    double reclaim = challenger->has_lost ? rule->reclaim_db : 0;

    *ret_terms = (struct ownership_terms){
            .ways = {[OWNERSHIP_FAST] = {challenger->count >= packets_needed(challenger),
                                         fast_rssi(challenger) - fast_rssi(owner),
                                         rule->margin_db + reclaim},
                     [OWNERSHIP_LEAD] = {is_lead_open(owner, challenger),
                                         lead(challenger) - lead(owner),
                                         lead_needs(rule, owner, challenger, reclaim)},
                     [OWNERSHIP_SLOW] = {is_slow_open(owner, challenger),
                                         (double) (challenger->slow - owner->slow),
                                         (rule->margin_db + reclaim) / 2}},
            .packets = challenger->count,
            .packets_needed = packets_needed(challenger),
            .has_lost = challenger->has_lost,
            .is_better = ownership_is_better(rule, owner, challenger),
            .taken_after = taken_after(rule, owner, challenger, interval),
    };
}
