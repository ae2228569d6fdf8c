/* The story. Gaps between packets are collected in blocks, and of each block the longest gap is
 * kept: of the last 12 blocks. After three blocks of 5 gaps the interval is the longest gap so far.
 * From then on each finished block is weighed with the others, so that a device that speeds up has
 * a shorter interval when its slow blocks have gone, after 60 gaps or so; and a gap that is longer
 * than the interval is the interval at once.
 *
 * Bursts. A device that sends 40 packets within seconds and then sleeps for a minute would fill
 * blocks with its short gaps and push the sleeps out. Therefore a block also has to last for an
 * eighth of the second longest gap that is kept: after the second sleep a whole burst goes into a
 * block, however many packets it has. Of the second longest, because one outage of ten minutes
 * shall not stretch the blocks of a device that sends every second: then it would stay for long.
 *
 * Lost packets. If each packet is lost with some chance, gaps have no longest: in a day there come
 * some that are twice as long as all of the last hundred. What tells is how much the longest gaps
 * of blocks differ from one another: not at all for a steady device, by about the mean excess for
 * one that is lost at random. So the interval is the mean of those gaps and several times the
 * typical step from one to the next, if that is more than the longest. A step is only made between
 * gaps of the same kind, an eighth of the longest at least, and the two largest are left out,
 * because one change of rate makes one large step and one outage makes two. Where a packet in a
 * hundred is lost, no such step is left; therefore a gap that leaves the blocks fades slowly, over
 * some thousand packets. Neither makes the interval more than twice the longest gap of the blocks:
 * that is what an outage costs for longer, and a device that has speeded up.
 *
 * Failure modes. The gap over a change of owner or a pause of its radio says nothing, nor does the
 * rest of that block. A silence of more than an hour is an absence. Time that goes backwards is
 * ignored. Everything is bounded by the size of the value. */
#include "interval.h"

#include <string.h>

#define BLOCKS_NEEDED 3 /* 15 gaps, 16 packets */
#define SAME_KIND     8 /* times shorter is still the same kind of gap */
#define STEPS         8 /* typical steps that are added to the mean */
#define FADING        8 /* what is rare loses one part in 256 with each block */

_Static_assert(sizeof(struct interval) <= 48, "one in each device");

struct summary {
    uint32_t longest, second; /* ms */
    uint32_t mean;            /* ms, of those of the same kind as the longest */
    uint32_t step;            /* ms, from one of them to the next; typical */
};

/* ---- packed gaps: 11 bits and an exponent, rounded up, in order of size ---- */

static uint16_t pack(uint32_t gap)
{
    unsigned exponent;

    if (gap < 1u << 11)
        return (uint16_t) gap;
    exponent = 21 - (unsigned) __builtin_clz(gap);
    gap = (gap + (1u << exponent) - 1) >> exponent;
    if (gap == 1u << 11)
        return (uint16_t) ((exponent + 1) << 11 | gap / 2);
    return (uint16_t) (exponent << 11 | gap);
}

static uint32_t unpack(uint16_t packed)
{
    return (packed & ((1u << 11) - 1)) << (packed >> 11);
}

/* ---- what the kept blocks say ---- */

static void find_longest(const struct interval *i, struct summary *s)
{
    uint16_t first = 0, second = 0;

    for (unsigned n = 0; n < i->blocks; n++) {
        uint16_t gap = i->longest_of[n];

        if (gap > first) {
            second = first;
            first = gap;
        } else if (gap > second) {
            second = gap;
        }
    }
    s->longest = unpack(first);
    s->second = unpack(second);
}

static uint32_t distance(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

/* The mean step without the two largest; 0: there are no more than those. */
static uint32_t typical_step(const uint32_t *gaps, uint32_t count)
{
    uint32_t sum = 0, first = 0, second = 0;

    if (count <= 3)
        return 0;
    for (uint32_t n = 1; n < count; n++) {
        uint32_t step = distance(gaps[n], gaps[n - 1]);

        sum += step;
        if (step > first) {
            second = first;
            first = step;
        } else if (step > second) {
            second = step;
        }
    }
    return (sum - first - second) / (count - 3);
}

static struct summary summarize(const struct interval *i)
{
    uint32_t gaps[INTERVAL_BLOCKS], count = 0, sum = 0;
    struct summary s;

    find_longest(i, &s);
    for (unsigned n = 0; n < i->blocks; n++) {
        uint32_t gap = unpack(i->longest_of[n]);

        if (gap < s.longest / SAME_KIND)
            continue;
        gaps[count++] = gap;
        sum += gap;
    }
    s.mean = sum / count; /* the longest is among them */
    s.step = typical_step(gaps, count);
    return s;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void learn(struct interval *i)
{
    struct summary s = summarize(i);
    uint32_t rare = smaller(unpack(i->rare), 2 * s.longest);
    uint32_t expected = smaller(s.mean + STEPS * s.step, 2 * s.longest);

    i->learned = larger(s.longest, larger(rare, expected));
    i->rare = pack(rare);
    i->least = pack(s.second / SAME_KIND);
}

/* ---- blocks ---- */

static void remember_rare(struct interval *i, uint16_t leaving)
{
    uint32_t rare = unpack(i->rare);

    rare -= rare >> FADING;
    i->rare = pack(larger(rare, unpack(leaving)));
}

static void keep_block(struct interval *i, uint16_t longest)
{
    if (i->blocks == INTERVAL_BLOCKS)
        remember_rare(i, i->longest_of[INTERVAL_BLOCKS - 1]);
    memmove(i->longest_of + 1, i->longest_of, sizeof i->longest_of - sizeof i->longest_of[0]);
    i->longest_of[0] = longest;
    if (i->blocks < INTERVAL_BLOCKS)
        i->blocks++;
}

static void drop_block(struct interval *i)
{
    i->lasted = 0;
    i->longest = 0;
    i->gaps = 0;
}

static void finish_block(struct interval *i)
{
    keep_block(i, i->longest);
    drop_block(i);
    if (i->blocks >= BLOCKS_NEEDED)
        learn(i);
}

static void add_gap(struct interval *i, uint32_t gap)
{
    i->lasted += gap; /* cannot wrap: a block ends long before */
    if (gap > unpack(i->longest))
        i->longest = pack(gap);
    if (i->gaps < INTERVAL_BLOCK_GAPS)
        i->gaps++;
    if (i->blocks >= BLOCKS_NEEDED && gap > i->learned)
        i->learned = gap;
    if (i->gaps == INTERVAL_BLOCK_GAPS && i->lasted >= unpack(i->least))
        finish_block(i);
}

/* ---- the door ---- */

void interval_heard(struct interval *i, usec_t now)
{
    usec_t gap = now > i->last_heard ? now - i->last_heard : 0;

    if (i->last_heard == 0) {
        i->last_heard = now;
        return;
    }
    if (gap < INTERVAL_SHORTEST)
        return;
    if (gap > INTERVAL_LONGEST)
        interval_restart(i);
    else
        add_gap(i, (uint32_t) ((gap + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
    i->last_heard = now;
}

void interval_restart(struct interval *i)
{
    i->last_heard = 0;
    drop_block(i);
    if (i->blocks < BLOCKS_NEEDED)
        i->blocks = 0;
}

usec_t interval_learned(const struct interval *i)
{
    return i->learned * USEC_PER_MSEC;
}

void interval_restore(struct interval *i, usec_t learned)
{
    usec_t bounded = learned < INTERVAL_LONGEST ? learned : INTERVAL_LONGEST;
    uint32_t gap = (uint32_t) ((bounded + USEC_PER_MSEC - 1) / USEC_PER_MSEC);

    *i = (struct interval){0};
    if (gap == 0)
        return;
    i->learned = gap;
    i->least = pack(gap / SAME_KIND);
    for (unsigned n = 0; n < BLOCKS_NEEDED; n++)
        keep_block(i, pack(gap)); /* as if it had been heard, so that a burst does not undo it */
}
