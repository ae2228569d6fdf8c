/* How late the loop comes to what is due: a timer that fires a few times a second and looks how
 * much later than asked for it was called. What holds the loop up holds it up as well. For
 * gateway.c alone. Thread: the loop's. */
#pragma once

#include "base/histogram.h"

struct uv_loop_s;
struct loop_lag;

struct loop_lag *loop_lag_start(struct uv_loop_s *loop);
/* Freed in a later turn of the loop. */
void loop_lag_stop(struct loop_lag *l);

const struct histogram *loop_lag_histogram(const struct loop_lag *l);
