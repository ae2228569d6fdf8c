#include "loop_lag.h"

#include <stdlib.h>
#include <uv.h>

#include "base/memory.h"

#define INTERVAL_MS 250

struct loop_lag {
    uv_timer_t timer;
    usec_t due;
    struct histogram histogram;
};

static const usec_t bounds[] = {
        1 * USEC_PER_MSEC,   2 * USEC_PER_MSEC,    5 * USEC_PER_MSEC,   10 * USEC_PER_MSEC,
        20 * USEC_PER_MSEC,  50 * USEC_PER_MSEC,   100 * USEC_PER_MSEC, 200 * USEC_PER_MSEC,
        500 * USEC_PER_MSEC, 1000 * USEC_PER_MSEC,
};

static void on_time(uv_timer_t *timer)
{
    struct loop_lag *l = timer->data;
    usec_t now = clock_now();

    /* The loop counts whole milliseconds and may come a fraction of one early. */
    histogram_add(&l->histogram, now > l->due ? now - l->due : 0);
    l->due = now + INTERVAL_MS * USEC_PER_MSEC;
}

struct loop_lag *loop_lag_start(struct uv_loop_s *loop)
{
    struct loop_lag *l = xnew(struct loop_lag, 1);

    histogram_init(&l->histogram, bounds, ARRAY_SIZE(bounds));
    (void) uv_timer_init(loop, &l->timer); /* cannot fail, nor can the start */
    l->timer.data = l;
    uv_update_time(loop);
    (void) uv_timer_start(&l->timer, on_time, INTERVAL_MS, INTERVAL_MS);
    l->due = clock_now() + INTERVAL_MS * USEC_PER_MSEC;
    return l;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void loop_lag_stop(struct loop_lag *l)
{
    uv_close((uv_handle_t *) &l->timer, on_timer_closed);
}

const struct histogram *loop_lag_histogram(const struct loop_lag *l)
{
    return &l->histogram;
}
