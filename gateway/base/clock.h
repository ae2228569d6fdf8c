/* Time. Inside everything is monotonic microseconds; wall time exists at the faces only.
 *
 * Pure rooms (base, ble, esphome, scan, the policies of proxy and link) take `now` as an argument
 * and never call clock_now() or clock_wall(); shells call them once a turn of the loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t usec_t; /* a point in monotonic time, or a span; microseconds */

#define USEC_PER_MSEC ((usec_t) 1000)
#define USEC_PER_SEC  ((usec_t) 1000000)
#define USEC_NEVER    UINT64_MAX /* a deadline that does not come */

/* Monotonic time. It does not begin at 0 but at CLOCK_START (35 years), so that 0 can mean "not
 * yet", and what happened before the machine started, as a store remembers it, is a moment too. */
#define CLOCK_START ((usec_t) 1 << 50)
usec_t clock_now(void);

/* The later and the earlier of two moments; the longer and the shorter of two spans. */
usec_t clock_later(usec_t a, usec_t b);
usec_t clock_earlier(usec_t a, usec_t b);

/* How long ago the moment is; 0 if it is still to come. */
usec_t clock_since(usec_t moment, usec_t now);

/* The moment that is a span after another; USEC_NEVER where no number reaches. */
usec_t clock_after(usec_t moment, usec_t span);

/* Wall clock, microseconds since 1970-01-01 UTC. */
int64_t clock_wall(void);

/* The wall time of a monotonic moment, judged by the pair of readings (now, wall) of today. */
int64_t clock_to_wall(usec_t moment, usec_t now, int64_t wall);

/* "2026-11-21T10:05:12.250Z" (24 characters and NUL). */
#define CLOCK_TEXT_SIZE 25
void clock_format(char ret_text[CLOCK_TEXT_SIZE], int64_t wall);

/* Reads a time of RFC 3339: a fraction of any length may be there, whose digits behind the sixth
 * are cut off; the zone is Z or an offset. False: it is none, or no such day or time exists;
 * *ret_wall is then untouched. */
bool clock_parse(const char *text, int64_t *ret_wall);
