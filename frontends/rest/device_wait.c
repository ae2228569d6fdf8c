/* The story: a request is put in the list of waiting ones with a timer of its own. Each change of a
 * device that the gateway publishes is held against the waiting lists; a hit marks the request, and
 * in the next turn of the loop (a change must not be answered from inside) its page is written.
 * When the device is gone again by then, it waits on. Conditions that come true without a change,
 * such as loudness, are looked at on a tick, with a bounded number of devices each, in turn.
 *
 * Failure modes: too many waiting ones are refused (pending.h). Whoever gave up without telling is
 * answered at its deadline at the latest. */
#include "device_wait.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "rest/pending.h"

#define TICK         (250 * USEC_PER_MSEC)
#define TICK_DEVICES 200000 /* looked at in one tick, some 20 ms at worst */

struct device_wait {
    struct pending pending;
    struct device_wait *next, *previous;
    struct device_waits *set; /* borrowed */
    struct device_list list;
    struct gateway_timer *deadline;
    bool is_hit; /* a device matched since we looked last */
};

struct device_waits {
    struct gateway *gateway;   /* borrowed */
    struct pendings *pendings; /* borrowed */
    size_t count;
    struct device_wait *first, *last;
    struct gateway_subscription *subscription; /* NULL while nobody waits */
    struct gateway_timer *wake;                /* NULL: no hit to look at */
    struct gateway_timer *tick;                /* NULL: nobody restless */
};

/* ---- the list of waiting requests ---- */

static void append(struct device_waits *s, struct device_wait *wait)
{
    wait->previous = s->last;
    wait->next = NULL;
    if (s->last)
        s->last->next = wait;
    else
        s->first = wait;
    s->last = wait;
    s->count++;
}

static void detach(struct device_waits *s, struct device_wait *wait)
{
    if (wait->previous)
        wait->previous->next = wait->next;
    else
        s->first = wait->next;
    if (wait->next)
        wait->next->previous = wait->previous;
    else
        s->last = wait->previous;
    s->count--;
}

static void stop_timer(struct gateway_timer **timer)
{
    gateway_timer_stop(*timer);
    *timer = NULL;
}

static void rest_when_empty(struct device_waits *s)
{
    if (s->count > 0)
        return;
    gateway_unsubscribe(s->subscription);
    s->subscription = NULL;
    stop_timer(&s->wake);
    stop_timer(&s->tick);
}

static void release(struct pending *pending)
{
    struct device_wait *wait = CONTAINER_OF(pending, struct device_wait, pending);
    struct device_waits *s = wait->set;

    detach(s, wait);
    gateway_timer_stop(wait->deadline);
    device_list_done(&wait->list);
    free(wait);
    rest_when_empty(s);
}

static void finish_with_list(struct device_wait *wait, struct writer *w)
{
    answer_set_json(&wait->pending.request->answer, 200, w);
    pending_finish(&wait->pending);
}

/* Answers it if there is something to answer. */
static void look(struct device_wait *wait)
{
    struct writer w = {0};

    wait->is_hit = false;
    if (device_list_write(&wait->list, &w, wait->set->gateway) > 0)
        finish_with_list(wait, &w);
    else
        writer_done(&w);
}

static void on_deadline(void *user)
{
    struct device_wait *wait = user;
    struct writer w = {0};

    wait->deadline = NULL;
    (void) device_list_write(&wait->list, &w, wait->set->gateway);
    finish_with_list(wait, &w);
}

/* ---- hits ---- */

static struct device_wait *find_hit(const struct device_waits *s)
{
    struct device_wait *wait = s->first;

    while (wait && !wait->is_hit)
        wait = wait->next;
    return wait;
}

static void on_wake(void *user)
{
    struct device_waits *s = user;
    struct device_wait *wait;

    s->wake = NULL;
    while ((wait = find_hit(s)))
        look(wait);
}

static void mark(struct device_waits *s, struct device_wait *wait)
{
    wait->is_hit = true;
    if (!s->wake)
        s->wake = gateway_timer_start(s->gateway, 0, on_wake, s);
}

static void on_device(void *user, const struct gateway_device_change *change)
{
    struct device_waits *s = user;

    if (change->reasons & GATEWAY_DEVICE_FORGOTTEN)
        return;
    for (struct device_wait *wait = s->first; wait; wait = wait->next) {
        if (!wait->is_hit && device_list_includes(&wait->list, s->gateway, change->device))
            mark(s, wait);
    }
}

/* ---- restless conditions ---- */

static bool any_device(const struct device_wait *wait)
{
    struct gateway_device device;
    size_t position = 0;

    while (gateway_next_device(wait->set->gateway, &position, &device)) {
        if (device_list_includes(&wait->list, wait->set->gateway, &device))
            return true;
    }
    return false;
}

static void to_the_back(struct device_waits *s, struct device_wait *wait)
{
    detach(s, wait);
    append(s, wait);
}

static bool any_restless(const struct device_waits *s)
{
    const struct device_wait *wait = s->first;

    while (wait && !device_filter_is_restless(&wait->list.filter))
        wait = wait->next;
    return wait != NULL;
}

static void on_tick(void *user)
{
    struct device_waits *s = user;
    size_t cost = gateway_devices_count(s->gateway) + 1, spent = 0, waiting = s->count;
    struct device_wait *wait = s->first, *next;

    s->tick = NULL;
    if (!any_restless(s))
        return;
    s->tick = gateway_timer_start(s->gateway, TICK, on_tick, s);
    for (; waiting > 0 && spent < TICK_DEVICES; waiting--, wait = next) {
        next = wait->next;
        if (wait->is_hit || !device_filter_is_restless(&wait->list.filter))
            continue;
        spent += cost;
        if (any_device(wait))
            mark(s, wait);
        to_the_back(s, wait);
    }
}

struct device_waits *device_waits_new(struct gateway *g, struct pendings *pendings)
{
    struct device_waits *s = xnew(struct device_waits, 1);

    s->gateway = g;
    s->pendings = pendings;
    return s;
}

void device_waits_free(struct device_waits *s)
{
    if (!s)
        return;
    assert(s->count == 0);
    free(s);
}

int device_waits_add(struct device_waits *s, struct rest_request *request, struct device_list *list,
                     usec_t longest)
{
    struct gateway_subscriber subscriber = {.on_device = on_device, .user = s};
    struct device_wait *wait = xnew(struct device_wait, 1);
    int rc = pendings_add(s->pendings, &wait->pending, request, release);

    if (rc < 0) {
        free(wait);
        return rc;
    }
    wait->set = s;
    device_list_move(&wait->list, list);
    wait->deadline = gateway_timer_start(s->gateway, longest, on_deadline, wait);
    append(s, wait);
    if (!s->subscription)
        s->subscription = gateway_subscribe(s->gateway, &subscriber);
    if (!s->tick && device_filter_is_restless(&wait->list.filter))
        s->tick = gateway_timer_start(s->gateway, TICK, on_tick, s);
    return 0;
}
