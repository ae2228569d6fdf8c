/* What attempts taught: per proxy how many, how well; per device and proxy the failures, which
 * fade.
 *
 * A failure counts 1 and fades by half every EXPERIENCE_HALF_LIFE; a success forgets them. Bounded:
 * the least recent pair goes first. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define EXPERIENCE_HALF_LIFE (120 * USEC_PER_SEC)
#define EXPERIENCE_PAIRS_MAX 8192

struct experience;

struct experience_proxy {
    uint64_t completed;  /* attempts that ended in a link */
    uint64_t failed;     /* attempts that did not, cancelled ones aside */
    usec_t last_success; /* 0: none */
};

/* Addresses have 48 bits. */
struct experience *experience_new(void);
void experience_free(struct experience *e); /* accepts NULL */

void experience_succeeded(struct experience *e, uint16_t source, uint64_t address, usec_t now);
void experience_failed(struct experience *e, uint16_t source, uint64_t address, usec_t now);

/* Faded count of failures, and the plain one since the last success (ret_raw may be NULL). Both are
 * 0 for a pair that is not known, or went to make room. */
double experience_failures(const struct experience *e, uint16_t source, uint64_t address,
                           usec_t now, unsigned *ret_raw);
/* The proxy is gone: nothing is known of it any more. Walks all pairs. */
void experience_forget_source(struct experience *e, uint16_t source);
void experience_get_proxy(const struct experience *e, uint16_t source,
                          struct experience_proxy *ret_proxy);
size_t experience_pairs(const struct experience *e);
