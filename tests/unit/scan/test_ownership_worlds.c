/* Ownership in simulated worlds: how often a device changes its owner while it stays where it is,
 * and how long the owner is the wrong one while it is carried around. Against the rule of
 * habluetooth (one average, 16 dB, 22 dB for a source that lost the device before), which is here
 * only to be compared with.
 *
 * The world. Two proxies on a line. A packet is heard at -59 dBm - 25 log10(distance in metres),
 * with noise of its own at each proxy, rounded to whole dB. Both proxies hear every packet. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "scan/ownership.h"

#define PROXIES 2
#define SEEDS   20
#define DEVICES 100

static const struct ownership_rule rule = {
        .margin_db = 16,
        .reclaim_db = 6,
        .strong_dbm = -70,
        .roam_factor = 1.5,
        .gone_factor = 2.5,
        .alpha = 0.3F,
        .stale_after = 900 * USEC_PER_SEC,
        .quiet_after = 90 * USEC_PER_SEC,
};

/* ---- chance ---- */

static double draw(uint64_t *dice) /* 0 to 1 */
{
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    return (double) (*dice >> 11) / 9007199254740992.0;
}

enum noise { UNIFORM, GAUSSIAN };

/* decibels: half the width of the uniform one, the standard deviation of the gaussian one */
static double draw_noise(uint64_t *dice, enum noise noise, double decibels)
{
    double square, x;

    if (noise == UNIFORM)
        return decibels * (2 * draw(dice) - 1);
    do {
        x = 2 * draw(dice) - 1;
        square = 2 * draw(dice) - 1;
        square = x * x + square * square;
    } while (square >= 1 || square <= 0);
    return decibels * x * sqrt(-2 * log(square) / square);
}

/* ---- two rules ---- */

struct subject {
    bool is_original;
    struct ownership_signal signals[PROXIES];
    double smoothed[PROXIES]; /* the original's */
    bool is_demoted[PROXIES];
    int8_t previous[PROXIES];
    int owner; /* -1: nobody */
    unsigned changes;
};

static bool original_moves(struct subject *s, int challenger, int8_t rssi)
{
    double margin = s->is_demoted[challenger] ? 22 : 16;

    s->smoothed[challenger] =
            s->previous[challenger] ? 0.3 * rssi + 0.7 * s->smoothed[challenger] : rssi;
    return s->owner != challenger && s->smoothed[challenger] - margin > s->smoothed[s->owner];
}

static bool ours_moves(struct subject *s, int challenger, int8_t rssi, usec_t gap)
{
    const struct ownership_claim owner = {.signal = &s->signals[s->owner], .is_online = true};
    const struct ownership_challenge challenge = {.signal = &s->signals[challenger],
                                                  .has_rssi = true};
    enum owner_why why;

    ownership_hear(&s->signals[challenger], rssi, s->previous[challenger], gap, rule.alpha);
    return s->owner != challenger && ownership_moves(&rule, &owner, &challenge, &why);
}

static void hear(struct subject *s, int proxy, int8_t rssi, usec_t gap)
{
    bool is_first = s->owner < 0;
    bool moves;

    if (is_first)
        s->owner = proxy;
    moves = s->is_original ? original_moves(s, proxy, rssi) : ours_moves(s, proxy, rssi, gap);
    s->previous[proxy] = rssi;
    if (is_first || !moves)
        return;
    s->is_demoted[s->owner] = s->signals[s->owner].has_lost = true;
    s->is_demoted[proxy] = s->signals[proxy].has_lost = false;
    s->owner = proxy;
    s->changes++;
}

/* ---- the worlds ---- */

struct world {
    enum noise noise;
    double decibels;
    usec_t gap; /* between packets */
};

static double loudness(double distance)
{
    return -59 - 25 * log10(fmax(distance, 0.3));
}

/* A packet at both proxies. */
static void speak(const struct world *w, struct subject *s, const double distances[PROXIES],
                  uint64_t *dice)
{
    for (int proxy = 0; proxy < PROXIES; proxy++) {
        double rssi = loudness(distances[proxy]) + draw_noise(dice, w->noise, w->decibels);

        hear(s, proxy, (int8_t) lround(fmin(fmax(rssi, -127), -1)), w->gap);
    }
}

struct outcome {
    unsigned most_changes, changes;
};

/* An hour of devices that lie somewhere in a room of 3.5 by 3 metres, a proxy in the middle of each
 * of its short sides. */
static struct outcome rest_an_hour(const struct world *w, bool is_original)
{
    struct outcome o = {0};

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t dice = seed * UINT64_C(0x9e3779b97f4a7c15);

        for (int i = 0; i < DEVICES; i++) {
            struct subject s = {.is_original = is_original, .owner = -1};
            double x = 3.5 * draw(&dice), y = 3 * draw(&dice) - 1.5;
            const double distances[PROXIES] = {hypot(x, y), hypot(3.5 - x, y)};

            for (usec_t t = 0; t < 3600 * USEC_PER_SEC; t += w->gap)
                speak(w, &s, distances, &dice);
            o.changes += s.changes;
            o.most_changes = s.changes > o.most_changes ? s.changes : o.most_changes;
        }
    }
    return o;
}

/* The share of time in which the owner is the nearer proxy, of devices that are carried for an hour
 * to and fro on the line between two proxies 12 metres apart, at 1 m/s, to within reach metres of
 * each, with a rest there. */
static double carry_around(const struct world *w, usec_t rest, double reach, bool is_original)
{
    double right = 0, total = 0, span = 12 - 2 * reach;
    double leg = span + (double) rest / (double) USEC_PER_SEC;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t dice = seed * UINT64_C(0x9e3779b97f4a7c15);
        struct subject s = {.is_original = is_original, .owner = -1};
        double phase = 2 * leg * draw(&dice);

        for (usec_t t = 0; t < 3600 * USEC_PER_SEC; t += w->gap) {
            double at = fmod(phase + (double) t / (double) USEC_PER_SEC, 2 * leg);
            bool is_back = at >= leg;
            double way = fmin(is_back ? at - leg : at, span);
            double x = reach + (is_back ? span - way : way);

            speak(w, &s, (double[PROXIES]){x, 12 - x}, &dice);
            right += s.owner == (x > 6);
            total++;
        }
    }
    return right / total;
}

/* ---- the tests ---- */

static void O11_resting_devices_change_their_owner_less_than_4_times_an_hour(void **state)
{
    static const struct world worlds[] = {{UNIFORM, 8, USEC_PER_SEC}, {GAUSSIAN, 8, USEC_PER_SEC}};

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(worlds); i++) {
        struct outcome o = rest_an_hour(&worlds[i], false);

        print_message("most changes of a device %u, mean %.2f\n", o.most_changes,
                      (double) o.changes / (SEEDS * DEVICES));
        assert_true(o.most_changes < 4);
        assert_true(o.changes < SEEDS * DEVICES);
    }
}

/* Both worlds of a carried device; the least gain is in shares of time. */
static void carried_devices_have_the_nearer_owner_for_longer(void **state)
{
    static const struct {
        struct world world;
        usec_t rest;
        double reach; /* from a proxy, where it turns */
        double least_gain;
    } cases[] = {
            {{GAUSSIAN, 4, USEC_PER_SEC / 5}, 0, 0.5, 0.1},
            {{GAUSSIAN, 6, USEC_PER_SEC / 5}, 0, 0.5, 0.1},
            {{GAUSSIAN, 8, USEC_PER_SEC / 5}, 0, 0.5, 0.05},
            {{GAUSSIAN, 4, USEC_PER_SEC}, 0, 0.5, 0.04},
            {{GAUSSIAN, 4, USEC_PER_SEC}, 10 * USEC_PER_SEC, 0.5, 0.1},
            {{GAUSSIAN, 8, USEC_PER_SEC}, 10 * USEC_PER_SEC, 0.5, 0.03},
            {{GAUSSIAN, 4, USEC_PER_SEC}, 60 * USEC_PER_SEC, 2, 0.3},
            {{GAUSSIAN, 8, USEC_PER_SEC}, 60 * USEC_PER_SEC, 2, 0.1},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        double theirs = carry_around(&cases[i].world, cases[i].rest, cases[i].reach, true);
        double ours = carry_around(&cases[i].world, cases[i].rest, cases[i].reach, false);

        print_message("noise %.0f dB, a packet each %.1f s, rests of %2.0f s %.1f m from the "
                      "proxies: %.2f, theirs %.2f\n",
                      cases[i].world.decibels, (double) cases[i].world.gap / USEC_PER_SEC,
                      (double) cases[i].rest / USEC_PER_SEC, cases[i].reach, ours, theirs);
        assert_true(ours > theirs + cases[i].least_gain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(O11_resting_devices_change_their_owner_less_than_4_times_an_hour),
            cmocka_unit_test(carried_devices_have_the_nearer_owner_for_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
