/* A stream of the events of one device that is itself the lease of its subscriptions: it opens the
 * link, subscribes, and holds both for as long as somebody reads it. Thread: the loop's. */
#pragma once

#include "rest/attribute.h"
#include "rest/rest.h"

#define VALUE_STREAM_TARGETS_MAX 64 /* as many as a query can have */

struct pendings;

struct value_stream_setup {
    struct gateway *gateway;
    struct pendings *pendings;
    struct rest_request *request;
    struct answer_stream *events; /* of the device: goes over, whatever comes of it */
    const struct attribute *targets;
    size_t targets_count; /* at least one */
};

/* The wish says how: device, type, limits. REST_ANSWERED: the answer is there; 0: it will come, the
 * stream or a problem. */
int value_stream_begin(const struct value_stream_setup *setup,
                       const struct gateway_gatt_wish *wish);
