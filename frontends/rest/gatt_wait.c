/* The story: the gateway takes the wish, and the request waits for its answer, which comes once:
 * what the verb is about, or a problem. Who subscribes has a queue from then on, for which a reader
 * listens already while the subscription is switched on, if its handle is known by then.
 *
 * Failure modes: a request that is cancelled (its client hung up, or the program ends) gives the
 * wish up; what was sent to the device by then happens all the same. */
#include "gatt_wait.h"

#include <stdlib.h>

#include "base/memory.h"
#include "rest/gatt_problem.h"
#include "rest/link_problem.h"
#include "rest/pending.h"
#include "rest/value_queues.h"
#include "json/gatt_json.h"

struct gatt_wait {
    struct pending pending;
    struct gateway *gateway;                   /* borrowed */
    struct value_queues *queues;               /* borrowed */
    struct gateway_gatt_request *gatt_request; /* NULL: answered */
    struct gateway_gatt_reader *reader;        /* of who subscribes; NULL: none */
    enum gateway_gatt_verb verb;
    struct gatt_problem_place place;
    usec_t began;
    bool wants_octets, has_uuid;
    struct ble_uuid uuid;
    uint16_t handle; /* of the subscription that ends; 0: there is none */
    char *lease;     /* that the request is for; NULL: none */
    char *proxy;     /* that was asked for; NULL: any */
    struct gateway_connection_parameters parameters;
};

/* ---- answers ---- */

static void answer_octets(struct answer *ret_answer, struct bytes value)
{
    struct buffer octets = {0};

    buffer_append(&octets, value.data, value.size);
    answer_set_text(ret_answer, 200, "application/octet-stream", &octets);
}

/* False: its lease ended in this very moment, and the subscription with it. */
static bool answer_granted(struct gatt_wait *wait, const struct gateway_gatt_answer *answer,
                           struct writer *w)
{
    if (!gatt_json_write_granted(w, NULL, wait->gateway, wait->place.address, answer))
        return false;
    /* Without a queue its values are told all the same, to whoever reads events. */
    (void) value_queues_keep(wait->queues, wait->place.address, answer->handle, answer->lease,
                             TAKE(wait->reader));
    return true;
}

static void answer_unsubscribed(const struct gatt_wait *wait, struct answer *ret_answer)
{
    if (wait->handle)
        value_queues_drop(wait->queues, wait->place.address, wait->handle, wait->lease);
    ret_answer->status = 204;
}

static void write_success(const struct gatt_wait *wait, const struct gateway_gatt_answer *answer,
                          struct writer *w)
{
    const struct gateway *g = wait->gateway;
    uint64_t address = wait->place.address;

    switch (wait->verb) {
    case GATEWAY_GATT_SERVICES:
        gatt_json_write_tree(w, NULL, g, address, answer->gatt, answer->is_discovered,
                             wait->has_uuid ? &wait->uuid : NULL);
        break;
    case GATEWAY_GATT_READ:
    case GATEWAY_GATT_READ_DESCRIPTOR:
        gatt_json_write_read(w, NULL, g, address, answer);
        break;
    case GATEWAY_GATT_WRITE:
    case GATEWAY_GATT_WRITE_DESCRIPTOR:
        gatt_json_write_written(w, NULL, address, answer, gateway_now(g) - wait->began);
        break;
    case GATEWAY_GATT_PAIR:
    case GATEWAY_GATT_UNPAIR:
        gatt_json_write_bond(w, NULL, address, answer->proxy, true, answer);
        break;
    case GATEWAY_GATT_PARAMETERS:
        gatt_json_write_parameters(w, NULL, &wait->parameters);
        break;
    case GATEWAY_GATT_CLEAR_CACHE:
        gatt_json_write_cleared(w, NULL, address, answer);
        break;
    case GATEWAY_GATT_SUBSCRIBE:
    case GATEWAY_GATT_UNSUBSCRIBE:
        break; /* answered elsewhere */
    }
}

static void answer_success(struct gatt_wait *wait, const struct gateway_gatt_answer *answer,
                           struct answer *ret_answer)
{
    struct writer w = {0};

    if (wait->verb == GATEWAY_GATT_UNSUBSCRIBE) {
        answer_unsubscribed(wait, ret_answer);
    } else if (wait->wants_octets) {
        answer_octets(ret_answer, answer->value);
    } else if (wait->verb != GATEWAY_GATT_SUBSCRIBE) {
        write_success(wait, answer, &w);
        answer_set_json(ret_answer, 200, &w);
    } else if (answer_granted(wait, answer, &w)) {
        answer_set_json(ret_answer, 200, &w);
    } else {
        gatt_problem_refuse(wait->gateway, &wait->place, E_GONE, ret_answer);
    }
}

static void on_answer(void *user, const struct gateway_gatt_answer *answer)
{
    struct gatt_wait *wait = user;
    struct answer *ret_answer = &wait->pending.request->answer;

    wait->gatt_request = NULL;
    if (answer->code == 0)
        answer_success(wait, answer, ret_answer);
    else
        gatt_problem_answer(wait->gateway, &wait->place, answer, ret_answer);
    pending_finish(&wait->pending);
}

/* ---- waiting ---- */

static void free_wait(struct gatt_wait *wait)
{
    gateway_gatt_reader_close(wait->reader);
    free(wait->lease);
    free(wait->proxy);
    free(wait);
}

static void release(struct pending *pending)
{
    struct gatt_wait *wait = CONTAINER_OF(pending, struct gatt_wait, pending);

    if (wait->gatt_request)
        gateway_gatt_cancel(wait->gateway, wait->gatt_request);
    free_wait(wait);
}

static struct gatt_wait *make(const struct gatt_wait_setup *setup,
                              const struct gateway_gatt_wish *wish)
{
    struct gatt_wait *wait = xnew(struct gatt_wait, 1);

    wait->gateway = setup->gateway;
    wait->queues = setup->queues;
    wait->verb = wish->verb;
    wait->proxy = memory_copy_text(link_problem_wished(setup->gateway, &wish->link));
    wait->place = (struct gatt_problem_place){
            .address = wish->link.address, .proxy = wait->proxy, .pointer = setup->pointer};
    wait->began = gateway_now(setup->gateway);
    wait->wants_octets = setup->wants_octets;
    wait->has_uuid = setup->uuid != NULL;
    if (setup->uuid)
        wait->uuid = *setup->uuid;
    wait->lease = memory_copy_text(wish->link.renew);
    wait->parameters = wish->parameters;
    return wait;
}

/* Listens before the subscription is on, as far as it is known to what. */
static void listen(struct gatt_wait *wait, const struct attribute *target)
{
    uint16_t handle = attribute_find_handle(target, wait->gateway, wait->place.address);

    if (handle)
        (void) gateway_gatt_reader_open(wait->gateway, wait->place.address, handle, NULL, NULL,
                                        &wait->reader);
}

static void prepare(struct gatt_wait *wait, const struct gatt_wait_setup *setup)
{
    size_t index = 0;

    if (wait->verb == GATEWAY_GATT_SUBSCRIBE)
        listen(wait, setup->target);
    else if (wait->verb == GATEWAY_GATT_UNSUBSCRIBE)
        wait->handle = attribute_next_subscription(setup->target, setup->gateway,
                                                   wait->place.address, NULL, &index);
}

int gatt_wait_begin(const struct gatt_wait_setup *setup, const struct gateway_gatt_wish *wish)
{
    struct gatt_wait *wait;
    int rc;

    if (pendings_are_full(setup->pendings))
        return E_OVERLOADED;
    wait = make(setup, wish);
    prepare(wait, setup);
    rc = gateway_gatt_submit(setup->gateway, wish, on_answer, wait, &wait->gatt_request);
    if (rc == 0)
        return pendings_add(setup->pendings, &wait->pending, setup->request, release);
    free_wait(wait);
    return rc;
}
