/* Requests that wait for a notification: of a lease that has a subscription, or of a subscription
 * for this wait alone. Thread: the loop's. */
#pragma once

#include "rest/attribute.h"
#include "rest/rest.h"

struct pendings;
struct value_queues;

struct value_wait_setup {
    struct gateway *gateway;
    struct pendings *pendings;
    struct value_queues *queues;
    struct rest_request *request;
    const struct attribute *target;
    bool wants_octets; /* the value alone, not JSON */
    usec_t longest;    /* from the moment that the subscription is there; then 204 */
};

/* The wish's link says of what device, and whether there is a lease. REST_ANSWERED: the answer is
 * there; 0: it will come. */
int value_wait_begin(const struct value_wait_setup *setup, const struct gateway_gatt_wish *wish);
