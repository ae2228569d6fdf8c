/* The story: windows open where they can, the request waits, and at its end the table says who was
 * heard since it began, by whatever proxy. A window is shorter than the longest request, so they
 * are asked for again in time, which makes those that run longer and takes along proxies that came
 * meanwhile.
 *
 * Failure modes: where no window can open it is a passive listening. Who gives up leaves its
 * windows to run out, since others may share them; who gave up without telling is answered at the
 * end, a minute at most. */
#include "discovery.h"

#include <stdlib.h>

#include "base/memory.h"
#include "rest/device_list.h"
#include "rest/pending.h"

#define RENEWAL (30 * USEC_PER_SEC) /* less than a window lasts */

struct discovery {
    struct pending pending;
    struct gateway *gateway; /* borrowed */
    usec_t started, ends;
    bool is_active;
    struct gateway_timer *timer;
    uint64_t *windows; /* numbers of those that it used */
    size_t windows_count;
};

/* ---- windows ---- */

static void note_window(struct discovery *d, uint64_t number)
{
    for (size_t i = 0; i < d->windows_count; i++) {
        if (d->windows[i] == number)
            return;
    }
    d->windows = memory_resize(d->windows, d->windows_count + 1, sizeof d->windows[0]);
    d->windows[d->windows_count++] = number;
}

static void open_windows(struct discovery *d, usec_t remaining)
{
    size_t max = gateway_proxies_count(d->gateway);
    uint64_t *numbers AUTO_FREE = xnew(uint64_t, max + 1);
    size_t count = gateway_discover(d->gateway, remaining, numbers, max);

    for (size_t i = 0; i < count && i < max; i++)
        note_window(d, numbers[i]);
}

/* ---- the end ---- */

static void write_windows(const struct discovery *d, struct writer *w)
{
    struct gateway_window window;

    writer_begin_array(w, "windows");
    for (size_t i = 0; i < d->windows_count; i++) {
        if (gateway_get_window(d->gateway, d->windows[i], &window))
            writer_text(w, NULL, window.id);
    }
    writer_end_array(w);
}

static void answer(const struct discovery *d, usec_t now)
{
    struct device_list list = {
            .filter = {.has_seen_within = true, .seen_within = now - d->started},
            .sort = DEVICE_SORT_RSSI,
            .is_descending = true,
            .limit = DISCOVERY_ITEMS_MAX,
    };
    char *next AUTO_FREE = NULL;
    struct writer w = {0};

    writer_begin_object(&w, NULL);
    (void) device_list_write_items(&list, &w, d->gateway, &next);
    writer_number(&w, "duration_s", (double) (d->ends - d->started) / USEC_PER_SEC, 3);
    write_windows(d, &w);
    writer_end_object(&w);
    answer_set_json(&d->pending.request->answer, 200, &w);
}

static void on_time(void *user);

static void go_on(struct discovery *d, usec_t now)
{
    usec_t remaining = d->ends - now;

    if (d->is_active)
        open_windows(d, remaining);
    d->timer =
            gateway_timer_start(d->gateway, remaining < RENEWAL ? remaining : RENEWAL, on_time, d);
}

static void on_time(void *user)
{
    struct discovery *d = user;
    usec_t now = gateway_now(d->gateway);

    d->timer = NULL;
    if (now < d->ends) {
        go_on(d, now);
        return;
    }
    answer(d, now);
    pending_finish(&d->pending);
}

static void release(struct pending *pending)
{
    struct discovery *d = CONTAINER_OF(pending, struct discovery, pending);

    gateway_timer_stop(d->timer);
    free(d->windows);
    free(d);
}

int discovery_begin(struct gateway *g, struct pendings *pendings, struct rest_request *request,
                    usec_t duration, bool is_active)
{
    struct discovery *d = xnew(struct discovery, 1);
    int rc = pendings_add(pendings, &d->pending, request, release);

    if (rc < 0) {
        free(d);
        return rc;
    }
    d->gateway = g;
    d->started = gateway_now(g);
    d->ends = d->started + duration;
    d->is_active = is_active;
    go_on(d, d->started);
    return 0;
}
