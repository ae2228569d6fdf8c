/* The story: with a lease the oldest value of its queue is the answer (value_queues.h). Without one
 * the request subscribes, listens from before that on, and lets go at its end. While there is no
 * value it waits for one, looking when the gateway tells of one, in the turn after that: a change
 * is no place to answer from.
 *
 * Failure modes: a lease that ends, or its link, ends the wait at once. A queue that could not be
 * had when the subscription was granted is tried for again now. A request that is cancelled lets go
 * of all that it made. */
#include "value_wait.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/gatt_problem.h"
#include "rest/pending.h"
#include "rest/value_queues.h"
#include "json/gatt_json.h"

#define AMBIGUOUS_MAX 16

struct value_wait {
    struct pending pending;
    struct gateway *gateway;                   /* borrowed */
    struct value_queues *queues;               /* borrowed */
    struct gateway_gatt_request *gatt_request; /* NULL: it is subscribed */
    struct gateway_gatt_reader *reader;        /* its own, of the device; NULL: the lease's queue */
    struct gateway_subscription *changes;
    struct gateway_timer *timer;
    struct gatt_problem_place place;
    uint16_t handle;
    char *lease; /* NULL: none yet */
    bool is_own; /* the lease is of this wait */
    bool is_over;
    bool wants_octets;
    usec_t longest, until;
};

/* ---- a value ---- */

/* Its own reader has all of the device. */
static bool next_value(const struct value_wait *wait, struct gateway_gatt_value *ret_value,
                       uint64_t *ret_lost)
{
    struct gateway_gatt_reader *reader = wait->reader;
    uint64_t lost;

    *ret_lost = 0;
    if (!reader)
        reader = value_queues_find(wait->queues, wait->place.address, wait->handle, wait->lease);
    while (reader && gateway_gatt_reader_next(reader, ret_value, &lost)) {
        *ret_lost += lost;
        if (ret_value->handle == wait->handle)
            return true;
    }
    return false;
}

static void answer_value(const struct value_wait *wait, const struct gateway_gatt_value *value,
                         uint64_t lost, struct answer *ret_answer)
{
    struct buffer octets = {0};
    struct writer w = {0};

    if (wait->wants_octets) {
        buffer_append(&octets, value->value.data, value->value.size);
        answer_set_text(ret_answer, 200, "application/octet-stream", &octets);
        return;
    }
    gatt_json_write_notified(&w, NULL, wait->gateway, value, lost);
    answer_set_json(ret_answer, 200, &w);
}

/* False: there is nothing to say yet. */
static bool try_to_answer(const struct value_wait *wait, struct answer *ret_answer)
{
    struct gateway_gatt_value value;
    uint64_t lost;

    if (next_value(wait, &value, &lost))
        answer_value(wait, &value, lost, ret_answer);
    else if (wait->is_over)
        gatt_problem_refuse(wait->gateway, &wait->place, wait->is_own ? E_DISCONNECTED : E_GONE,
                            ret_answer);
    else if (gateway_now(wait->gateway) >= wait->until)
        ret_answer->status = 204;
    else
        return false;
    return true;
}

/* ---- waiting ---- */

static void on_time(void *user);

static void look_in(struct value_wait *wait, usec_t span)
{
    gateway_timer_stop(wait->timer);
    wait->timer = gateway_timer_start(wait->gateway, span, on_time, wait);
}

static void on_time(void *user)
{
    struct value_wait *wait = user;

    wait->timer = NULL;
    if (try_to_answer(wait, &wait->pending.request->answer))
        pending_finish(&wait->pending);
    else
        look_in(wait, wait->until - gateway_now(wait->gateway));
}

static void on_value(void *user, const struct gateway_gatt_value *value)
{
    struct value_wait *wait = user;

    if (wait->timer && value->address == wait->place.address && value->handle == wait->handle)
        look_in(wait, 0);
}

static void on_lease_ended(void *user, uint64_t address, const char *lease)
{
    struct value_wait *wait = user;

    if (!wait->timer || address != wait->place.address || strcmp(lease, wait->lease) != 0)
        return;
    wait->is_over = true;
    look_in(wait, 0);
}

static void free_wait(struct value_wait *wait)
{
    gateway_gatt_reader_close(wait->reader);
    gateway_unsubscribe(wait->changes);
    gateway_timer_stop(wait->timer);
    free(wait->lease);
    free(wait);
}

static void release(struct pending *pending)
{
    struct value_wait *wait = CONTAINER_OF(pending, struct value_wait, pending);

    if (wait->gatt_request)
        gateway_gatt_cancel(wait->gateway, wait->gatt_request);
    if (wait->is_own && wait->lease && !wait->is_over)
        (void) gateway_disconnect(wait->gateway, wait->place.address, wait->lease);
    free_wait(wait);
}

static void begin_to_wait(struct value_wait *wait, uint16_t handle, const char *lease)
{
    wait->handle = handle;
    wait->lease = memory_copy_text(lease);
    wait->until = gateway_now(wait->gateway) + wait->longest;
}

static struct value_wait *make(const struct value_wait_setup *setup,
                               const struct gateway_gatt_wish *wish)
{
    struct value_wait *wait = xnew(struct value_wait, 1);
    const struct gateway_subscriber subscriber = {
            .on_value = on_value, .on_lease_ended = on_lease_ended, .user = wait};

    wait->gateway = setup->gateway;
    wait->queues = setup->queues;
    wait->place = (struct gatt_problem_place){.address = wish->link.address, .pointer = ""};
    wait->wants_octets = setup->wants_octets;
    wait->longest = setup->longest;
    wait->changes = gateway_subscribe(setup->gateway, &subscriber);
    return wait;
}

/* ---- without a lease ---- */

static void on_subscribed(void *user, const struct gateway_gatt_answer *answer)
{
    struct value_wait *wait = user;

    wait->gatt_request = NULL;
    if (answer->code) {
        gatt_problem_answer(wait->gateway, &wait->place, answer, &wait->pending.request->answer);
        pending_finish(&wait->pending);
        return;
    }
    begin_to_wait(wait, answer->handle, answer->lease);
    look_in(wait, 0);
}

static int subscribe(struct value_wait *wait, const struct gateway_gatt_wish *wish)
{
    struct gateway_gatt_wish wanted = *wish;
    int rc = gateway_gatt_reader_open(wait->gateway, wait->place.address, /* handle= */ 0, NULL,
                                      NULL, &wait->reader);

    if (rc < 0)
        return rc;
    wanted.verb = GATEWAY_GATT_SUBSCRIBE;
    wanted.link.lease = USEC_NEVER;
    wait->is_own = true;
    return gateway_gatt_submit(wait->gateway, &wanted, on_subscribed, wait, &wait->gatt_request);
}

/* ---- with a lease ---- */

static bool has_lease(const struct gateway *g, uint64_t address, const char *id)
{
    struct gateway_lease lease;

    for (size_t i = 0; gateway_get_lease(g, address, i, &lease); i++) {
        if (strcmp(lease.id, id) == 0)
            return true;
    }
    return false;
}

/* 0: *ret_handle is that of the lease's only subscription that is meant; else it is answered. */
static int find_subscription(const struct value_wait_setup *setup, struct value_wait *wait,
                             const char *lease, uint16_t *ret_handle)
{
    struct answer *ret_answer = &setup->request->answer;
    uint16_t handles[AMBIGUOUS_MAX];
    struct gateway_gatt_answer several = {.code = E_CHARACTERISTIC_AMBIGUOUS, .handles = handles};
    size_t index = 0;

    while (several.handles_count < AMBIGUOUS_MAX &&
           (*ret_handle = attribute_next_subscription(setup->target, setup->gateway,
                                                      wait->place.address, lease, &index)))
        handles[several.handles_count++] = *ret_handle;
    if (several.handles_count > 1)
        gatt_problem_answer(setup->gateway, &wait->place, &several, ret_answer);
    else if (several.handles_count == 1)
        *ret_handle = handles[0];
    else if (has_lease(setup->gateway, wait->place.address, lease))
        rest_refuse(ret_answer, 404, E_NOT_FOUND, "this lease has no subscription of it");
    else
        gatt_problem_refuse(setup->gateway, &wait->place, E_GONE, ret_answer);
    return several.handles_count == 1 ? 0 : REST_ANSWERED;
}

/* REST_ANSWERED, 0 or a cause. */
static int join(const struct value_wait_setup *setup, struct value_wait *wait, const char *lease)
{
    uint16_t handle;
    int rc = find_subscription(setup, wait, lease, &handle);

    if (rc == 0)
        rc = value_queues_keep(setup->queues, wait->place.address, handle, lease, NULL);
    if (rc != 0)
        return rc;
    begin_to_wait(wait, handle, lease);
    if (try_to_answer(wait, &setup->request->answer))
        return REST_ANSWERED;
    look_in(wait, wait->longest);
    return 0;
}

int value_wait_begin(const struct value_wait_setup *setup, const struct gateway_gatt_wish *wish)
{
    struct value_wait *wait = make(setup, wish);
    int rc = E_OVERLOADED;

    if (!pendings_are_full(setup->pendings))
        rc = wish->link.renew ? join(setup, wait, wish->link.renew) : subscribe(wait, wish);
    if (rc == 0)
        return pendings_add(setup->pendings, &wait->pending, setup->request, release);
    if (rc < 0)
        gatt_problem_refuse(setup->gateway, &wait->place, rc, &setup->request->answer);
    free_wait(wait);
    return REST_ANSWERED;
}
