/* Requests that wait for an operation of GATT, but for those that wait for notifications
 * (value_wait.h) and that end bonds (bond_wait.h). Thread: the loop's. */
#pragma once

#include "rest/attribute.h"
#include "rest/rest.h"

struct pendings;
struct value_queues;

struct gatt_wait_setup {
    struct gateway *gateway;
    struct pendings *pendings;
    struct value_queues *queues;
    struct rest_request *request;
    bool wants_octets;              /* of a value that is read: it alone, not JSON */
    const struct ble_uuid *uuid;    /* of SERVICES: only those; NULL: all */
    const struct attribute *target; /* of subscriptions; NULL else */
    const char *pointer;            /* where the request has what it writes */
};

/* Lets the request wait until the gateway answers the wish; all texts are copied. A request that is
 * cancelled gives it up. 0, or what gateway_gatt_submit() refuses with: nothing happened. */
int gatt_wait_begin(const struct gatt_wait_setup *setup, const struct gateway_gatt_wish *wish);
