/* What the routes do. Each handler has a checked query, checked role and checked body before it; it
 * answers (REST_ANSWERED), or lets the request wait and returns 0. */
#pragma once

#include "rest/device_wait.h"
#include "rest/faults.h"
#include "rest/metrics.h"
#include "rest/pending.h"
#include "rest/query.h"
#include "rest/rest.h"
#include "rest/routes.h"

struct call {
    struct gateway *gateway;
    struct pendings *pendings;
    struct device_waits *waits;
    struct value_queues *queues;
    struct clients *clients;
    struct event_publisher *events;
    struct metrics *metrics;
    const struct info_json_mqtt *mqtt; /* NULL: disabled */
    struct rest_request *request;
    const struct query *query;
    const struct body *body; /* NULL: the route takes none */
    char *const *parameters; /* of the path */
};

/* The queries of the lists. */
extern const struct query_rule handlers_proxies_query[];
extern const struct query_rule handlers_devices_query[];

/* A device address, or a proxy's name, of the request. False: it is none, which is answered. */
bool handlers_read_address(const struct call *call, const char *text, uint64_t *ret_address);
bool handlers_find_proxy(const struct call *call, const char *name, size_t *ret_index);

int handlers_info(struct call *call);
int handlers_contract(struct call *call);
int handlers_liveness(struct call *call);
int handlers_readiness(struct call *call);
int handlers_proxies(struct call *call);
int handlers_proxy(struct call *call);
int handlers_reconnect(struct call *call);
int handlers_devices(struct call *call);
int handlers_device(struct call *call);
int handlers_clear_history(struct call *call);
