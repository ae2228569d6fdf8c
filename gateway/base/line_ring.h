/* The newest log lines, in storage that is bounded and allocated once.
 *
 * Lines lie one behind the other in a run of octets; the oldest go when the next one needs their
 * place, or when there are as many as the ring was made for. Lines of usual length all fit; when
 * all are very long, fewer are kept. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log_line.h"

struct line_ring;

struct line_ring *line_ring_new(size_t lines); /* lines > 0 */
void line_ring_free(struct line_ring *r);      /* accepts NULL */

/* Keeps the line, cut if need be; its sequence is given here. */
void line_ring_append(struct line_ring *r, int64_t time, enum log_level level, const char *message);

/* The sequence of the newest line, 0 before the first; and how many are kept. */
uint64_t line_ring_newest(const struct line_ring *r);
size_t line_ring_count(const struct line_ring *r);

/* A copy of the line; false if it is not, or not any more, here. */
bool line_ring_get(const struct line_ring *r, uint64_t sequence, struct log_line *ret_line);
