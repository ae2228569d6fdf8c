/* The generator is xoshiro256** 1.0; splitmix64 spreads a seed over its state, so that neighbouring
 * seeds give unrelated sequences and the state is never all zero. */
#include "dice.h"

#include <assert.h>
#include <math.h>

static uint64_t splitmix(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return (value << bits) | (value >> (64 - bits));
}

void dice_seed(struct dice *d, uint64_t seed)
{
    for (unsigned i = 0; i < 4; i++)
        d->state[i] = splitmix(&seed);
}

uint64_t dice_mix(uint64_t seed, uint64_t part)
{
    uint64_t state = seed;
    state = splitmix(&state) ^ part;
    return splitmix(&state);
}

uint64_t dice_mix_text(uint64_t seed, const char *part)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (const char *c = part; *c != '\0'; c++)
        hash = (hash ^ (uint8_t) *c) * 0x100000001b3u;
    return dice_mix(seed, hash);
}

uint64_t dice_next(struct dice *d)
{
    uint64_t *s = d->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t dice_below(struct dice *d, uint64_t bound)
{
    assert(bound > 0);
    return dice_next(d) % bound;
}

double dice_between(struct dice *d, double low, double high)
{
    double unit = (double) (dice_next(d) >> 11) * 0x1.0p-53;
    return low + unit * (high - low);
}

double dice_gauss(struct dice *d)
{
    double u = 1.0 - dice_between(d, 0.0, 1.0); /* not 0, its logarithm is taken */
    double v = dice_between(d, 0.0, 2.0 * M_PI);
    return sqrt(-2.0 * log(u)) * cos(v);
}
