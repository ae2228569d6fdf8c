/* Random numbers that come out the same for the same seed: xoshiro256** seeded by splitmix64.
 *
 * The state is the caller's; a copy of a dice repeats its future. Pure, and not for keys. */
#pragma once

#include <stdint.h>

struct dice {
    uint64_t state[4];
};

void dice_seed(struct dice *d, uint64_t seed);

/* A seed for a part of the whole: equal for equal arguments, unrelated for others. */
uint64_t dice_mix(uint64_t seed, uint64_t part);
uint64_t dice_mix_text(uint64_t seed, const char *part);

uint64_t dice_next(struct dice *d);

/* Uniform in [0, bound); bound > 0. */
uint64_t dice_below(struct dice *d, uint64_t bound);

/* Uniform in [low, high). */
double dice_between(struct dice *d, double low, double high);

/* Normal, mean 0 and deviation 1. */
double dice_gauss(struct dice *d);
