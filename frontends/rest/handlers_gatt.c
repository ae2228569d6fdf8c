/* The story: a wish of GATT is the settings of links.* with what path, query and body say in their
 * place, and waits: for one answer (gatt_wait.h), for a notification (value_wait.h), for proxies
 * that end bonds (bond_wait.h), or for the subscriptions of a stream (value_stream.h). A tree that
 * is known is told at once, without a link.
 *
 * Failure modes: what a path cannot mean is 400; what no device can take is told before a link is
 * opened for it. */
#include "handlers_gatt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/attribute.h"
#include "rest/bond_wait.h"
#include "rest/event_wish.h"
#include "rest/gatt_problem.h"
#include "rest/gatt_wait.h"
#include "rest/handlers_events.h"
#include "rest/value_stream.h"
#include "rest/value_wait.h"
#include "json/gatt_json.h"

#define TEXT_MAX 64 /* octets of what a client says about itself, or of a lease */

#define QUERY_LEASE                                                                                \
    {                                                                                              \
        .name = "lease", .type = QUERY_TEXT                                                        \
    }
#define QUERY_TIMEOUT                                                                              \
    {                                                                                              \
        .name = "timeout_ms", .type = QUERY_INTEGER, .low = 100, .high = 600000                    \
    }
#define QUERY_TRIES                                                                                \
    {                                                                                              \
        .name = "retry_attempts", .type = QUERY_INTEGER, .low = 1, .high = 10                      \
    }
#define BODY_LEASE                                                                                 \
    {                                                                                              \
        .name = "lease", .type = BODY_TEXT, .high = TEXT_MAX, .is_nullable = true                  \
    }
#define BODY_TIMEOUT                                                                               \
    {                                                                                              \
        .name = "timeout_ms", .type = BODY_INTEGER, .low = 100, .high = 600000                     \
    }

const struct query_rule handlers_services_query[] = {
        {.name = "uuid", .type = QUERY_UUID},
        {.name = "refresh", .type = QUERY_ENUM, .values = "true|false"},
        QUERY_LEASE,
        QUERY_TIMEOUT,
        QUERY_TRIES,
        {.name = NULL},
};

const struct query_rule handlers_read_query[] = {
        {.name = "wait_notification_ms", .type = QUERY_INTEGER, .low = 0, .high = 60000},
        QUERY_LEASE,
        QUERY_TIMEOUT,
        QUERY_TRIES,
        {.name = NULL},
};

const struct query_rule handlers_write_query[] = {
        {.name = "response", .type = QUERY_ENUM, .values = "true|false|auto"},
        QUERY_LEASE,
        QUERY_TIMEOUT,
        QUERY_TRIES,
        {.name = NULL},
};

const struct query_rule handlers_descriptor_query[] = {
        QUERY_LEASE,
        QUERY_TIMEOUT,
        QUERY_TRIES,
        {.name = NULL},
};

const struct query_rule handlers_unsubscribe_query[] = {QUERY_LEASE, {.name = NULL}};

const struct query_rule handlers_notifications_query[] = {
        {.name = "subscribe", .type = QUERY_TEXT, .is_repeatable = true},
        {.name = "type", .type = QUERY_ENUM, .values = "auto|notify|indicate|both"},
        {.name = NULL},
};

const struct query_rule handlers_unpair_query[] = {
        {.name = "proxy", .type = QUERY_TEXT},
        {.name = NULL},
};

const struct body_rule handlers_parameters_request[] = {
        {.name = "min_interval", .type = BODY_INTEGER, .low = 6, .high = 3200, .is_required = true},
        {.name = "max_interval", .type = BODY_INTEGER, .low = 6, .high = 3200, .is_required = true},
        {.name = "latency", .type = BODY_INTEGER, .low = 0, .high = 499},
        {.name = "timeout", .type = BODY_INTEGER, .low = 10, .high = 3200, .is_required = true},
        {.name = NULL},
};

const struct body_rule handlers_write_request[] = {
        {.name = "value", .type = BODY_HEX, .is_required = true},
        {.name = "response", .type = BODY_BOOL, .is_nullable = true},
        BODY_LEASE,
        BODY_TIMEOUT,
        {.name = "retry_attempts", .type = BODY_INTEGER, .low = 1, .high = 10},
        {.name = NULL},
};

const struct body_rule handlers_subscribe_request[] = {
        {.name = "type", .type = BODY_TEXT, .values = "auto|notify|indicate|both"},
        BODY_LEASE,
        {.name = "lease_s", .type = BODY_INTEGER, .low = 1, .high = 3600},
        BODY_TIMEOUT,
        {.name = NULL},
};

const struct body_rule handlers_pair_request[] = {
        {.name = "proxy", .type = BODY_TEXT, .high = TEXT_MAX, .is_nullable = true},
        {.name = "bond", .type = BODY_BOOL},
        {.name = "mitm", .type = BODY_BOOL, .is_nullable = true},
        {.name = "le_secure", .type = BODY_BOOL, .is_nullable = true},
        {.name = "io",
         .type = BODY_TEXT,
         .values = "display_only|display_yes_no|keyboard_only|none|keyboard_display",
         .is_nullable = true},
        {.name = "passkey", .type = BODY_INTEGER, .low = 0, .high = 999999, .is_nullable = true},
        {.name = "timeout_ms", .type = BODY_INTEGER, .low = 1000, .high = 120000},
        {.name = NULL},
};

/* ---- pieces of a wish ---- */

/* Fields of a body come before those of the query, where they stand beside octets. */
static const char *read_text(const struct call *call, const char *name)
{
    const char *text = call->body ? body_text(call->body, name) : NULL;

    return text ? text : query_text(call->query, name);
}

static int64_t read_integer(const struct call *call, const char *name, int64_t standard)
{
    standard = query_integer(call->query, name, standard);
    return call->body ? body_integer(call->body, name, standard) : standard;
}

/* False: it is no device address, which is answered. */
static bool read_wish(struct call *call, enum gateway_gatt_verb verb,
                      struct gateway_gatt_wish *ret_wish)
{
    gateway_default_gatt_wish(call->gateway, ret_wish);
    if (!handlers_read_address(call, call->parameters[0], &ret_wish->link.address))
        return false;
    ret_wish->verb = verb;
    ret_wish->timeout = (usec_t) read_integer(call, "timeout_ms",
                                              (int64_t) (ret_wish->timeout / USEC_PER_MSEC)) *
                        USEC_PER_MSEC;
    ret_wish->tries = (unsigned) read_integer(call, "retry_attempts", ret_wish->tries);
    ret_wish->link.renew = read_text(call, "lease");
    ret_wish->link.client = call->request->client;
    return true;
}

static void aim(struct gateway_gatt_wish *wish, const struct attribute *target)
{
    wish->has_handle = target->has_handle;
    wish->handle = target->handle;
    wish->uuid = target->uuid;
}

static bool refuse_text(struct call *call, const char *format, const char *text)
{
    struct buffer detail = {0};
    char *sentence AUTO_FREE = NULL;

    buffer_append_format(&detail, "\"%.64s\" %s", text, format);
    sentence = buffer_take_text(&detail);
    rest_refuse(&call->request->answer, 400, E_INVALID_REQUEST, sentence);
    return false;
}

static bool read_characteristic(struct call *call, const char *text, struct attribute *ret_target)
{
    if (attribute_parse(text, ret_target))
        return true;
    return refuse_text(call,
                       "is neither a UUID (4, 8 or 32 hex digits) nor a handle (1, 2, 3 or 5 "
                       "decimal digits, up to 65535)",
                       text);
}

static bool read_descriptor(struct call *call, struct attribute *ret_target)
{
    *ret_target = (struct attribute){.has_handle = true};
    if (attribute_parse_handle(call->parameters[1], &ret_target->handle))
        return true;
    return refuse_text(call, "is not a handle (decimal, from 1 to 65535)", call->parameters[1]);
}

/* Address, and characteristic or descriptor; false: one of them is none, which is answered. */
static bool read_target(struct call *call, enum gateway_gatt_verb verb,
                        struct gateway_gatt_wish *ret_wish, struct attribute *ret_target)
{
    bool is_descriptor =
            verb == GATEWAY_GATT_READ_DESCRIPTOR || verb == GATEWAY_GATT_WRITE_DESCRIPTOR;

    if (!read_wish(call, verb, ret_wish))
        return false;
    if (is_descriptor ? !read_descriptor(call, ret_target)
                      : !read_characteristic(call, call->parameters[1], ret_target))
        return false;
    aim(ret_wish, ret_target);
    return true;
}

static struct gatt_wait_setup setup_of(struct call *call)
{
    return (struct gatt_wait_setup){
            .gateway = call->gateway,
            .pendings = call->pendings,
            .queues = call->queues,
            .request = call->request,
            .pointer = rest_has_octets(call->request) ? "" : "/value",
    };
}

static int begin(struct call *call, const struct gatt_wait_setup *setup,
                 const struct gateway_gatt_wish *wish)
{
    const struct gatt_problem_place place = {.address = wish->link.address,
                                             .pointer = setup->pointer};
    int rc = gatt_wait_begin(setup, wish);

    if (rc == 0)
        return 0;
    gatt_problem_refuse(call->gateway, &place, rc, &call->request->answer);
    return REST_ANSWERED;
}

/* ---- trees ---- */

static int answer_known(struct call *call, uint64_t address, const struct gateway_gatt *gatt,
                        const struct ble_uuid *service)
{
    struct writer w = {0};

    gatt_json_write_tree(&w, NULL, call->gateway, address, gatt, /* is_discovered= */ false,
                         service);
    answer_set_json(&call->request->answer, 200, &w);
    return REST_ANSWERED;
}

/* What opens a link needs more than the right to look. */
int handlers_services(struct call *call)
{
    const char *uuid = query_text(call->query, "uuid"),
               *refresh = query_text(call->query, "refresh");
    struct gatt_wait_setup setup = setup_of(call);
    struct gateway_gatt_wish wish;
    struct gateway_gatt gatt;
    struct ble_uuid service;

    if (!read_wish(call, GATEWAY_GATT_SERVICES, &wish))
        return REST_ANSWERED;
    if (uuid && ble_uuid_parse(uuid, &service))
        setup.uuid = &service;
    wish.refresh = refresh && strcmp(refresh, "true") == 0;
    if (!wish.refresh && gateway_get_gatt(call->gateway, wish.link.address, &gatt))
        return answer_known(call, wish.link.address, &gatt, setup.uuid);
    if (call->request->role >= REST_ROLE_CONTROL)
        return begin(call, &setup, &wish);
    rest_refuse_role(&call->request->answer, call->request->role, REST_ROLE_CONTROL);
    return REST_ANSWERED;
}

/* ---- values ---- */

/* Octets are for who names them, and does not name JSON before. */
static bool wants_octets(const struct rest_request *request)
{
    const char *octets =
            request->accept ? strstr(request->accept, "application/octet-stream") : NULL;
    const char *json = request->accept ? strstr(request->accept, "application/json") : NULL;

    return octets && (!json || octets < json);
}

static int read_value(struct call *call, enum gateway_gatt_verb verb)
{
    struct gatt_wait_setup setup = setup_of(call);
    struct gateway_gatt_wish wish;
    struct attribute target;

    if (!read_target(call, verb, &wish, &target))
        return REST_ANSWERED;
    setup.wants_octets = wants_octets(call->request);
    return begin(call, &setup, &wish);
}

static int wait_for_value(struct call *call)
{
    struct gateway_gatt_wish wish;
    struct attribute target;
    const struct value_wait_setup setup = {
            .gateway = call->gateway,
            .pendings = call->pendings,
            .queues = call->queues,
            .request = call->request,
            .target = &target,
            .wants_octets = wants_octets(call->request),
            .longest =
                    (usec_t) query_integer(call->query, "wait_notification_ms", 0) * USEC_PER_MSEC,
    };

    if (!read_target(call, GATEWAY_GATT_SUBSCRIBE, &wish, &target))
        return REST_ANSWERED;
    return value_wait_begin(&setup, &wish);
}

int handlers_read(struct call *call)
{
    if (query_text(call->query, "wait_notification_ms"))
        return wait_for_value(call);
    return read_value(call, GATEWAY_GATT_READ);
}

int handlers_read_descriptor(struct call *call)
{
    return read_value(call, GATEWAY_GATT_READ_DESCRIPTOR);
}

static void read_response(const struct call *call, struct gateway_gatt_wish *wish)
{
    const char *text = query_text(call->query, "response");

    wish->has_response = text && strcmp(text, "auto") != 0;
    wish->response = wish->has_response && strcmp(text, "true") == 0;
    if (!call->body)
        return;
    wish->response = body_bool(call->body, "response", wish->response);
    /* It is there if it is the same whatever the alternative. */
    wish->has_response = wish->has_response || body_bool(call->body, "response", true) ==
                                                       body_bool(call->body, "response", false);
}

static int write_value(struct call *call, enum gateway_gatt_verb verb)
{
    struct gatt_wait_setup setup = setup_of(call);
    const struct rest_request *request = call->request;
    uint8_t *octets AUTO_FREE = NULL;
    struct gateway_gatt_wish wish;
    struct attribute target;

    if (!read_target(call, verb, &wish, &target))
        return REST_ANSWERED;
    wish.value = (struct bytes){request->body, request->body_size};
    if (call->body)
        wish.value.data = octets = body_octets(call->body, "value", &wish.value.size);
    if (wish.value.size > GATT_PROBLEM_VALUE_MAX) {
        const struct gatt_problem_place place = {.address = wish.link.address,
                                                 .pointer = setup.pointer};

        gatt_problem_refuse(call->gateway, &place, E_VALUE_TOO_LONG, &call->request->answer);
        return REST_ANSWERED;
    }
    if (verb == GATEWAY_GATT_WRITE)
        read_response(call, &wish);
    return begin(call, &setup, &wish);
}

int handlers_write(struct call *call)
{
    return write_value(call, GATEWAY_GATT_WRITE);
}

int handlers_write_descriptor(struct call *call)
{
    return write_value(call, GATEWAY_GATT_WRITE_DESCRIPTOR);
}

/* ---- subscriptions ---- */

static int change_subscription(struct call *call, enum gateway_gatt_verb verb)
{
    struct gatt_wait_setup setup = setup_of(call);
    struct gateway_gatt_wish wish;
    struct attribute target;

    if (!read_target(call, verb, &wish, &target))
        return REST_ANSWERED;
    setup.target = &target;
    setup.pointer = "";
    wish.type = read_text(call, "type");
    wish.link.lease =
            (usec_t) read_integer(call, "lease_s", (int64_t) (wish.link.lease / USEC_PER_SEC)) *
            USEC_PER_SEC;
    return begin(call, &setup, &wish);
}

int handlers_subscribe(struct call *call)
{
    return change_subscription(call, GATEWAY_GATT_SUBSCRIBE);
}

int handlers_unsubscribe(struct call *call)
{
    return change_subscription(call, GATEWAY_GATT_UNSUBSCRIBE);
}

/* False: one of them is none, which is answered. */
static bool read_targets(struct call *call, struct attribute targets[VALUE_STREAM_TARGETS_MAX],
                         size_t *ret_count)
{
    size_t position = 0;
    const char *text;

    *ret_count = 0;
    while ((text = query_next(call->query, "subscribe", &position))) {
        if (!read_characteristic(call, text, &targets[*ret_count]))
            return false;
        ++*ret_count; /* as many as a query can have */
    }
    return true;
}

static int open_events(struct call *call, uint64_t address, struct answer_stream **ret_stream)
{
    struct faults faults = {0};
    struct event_wish wish;
    int result = REST_ANSWERED;

    event_wish_read(&wish, call->query, call->request->last_event_id, &faults);
    wish.types = 1u << EVENT_NOTIFICATION | 1u << EVENT_CONNECTION;
    wish.addresses[0] = address;
    wish.addresses_count = 1;
    if (faults_any(&faults))
        faults_answer(&faults, &call->request->answer);
    else
        result = handlers_events_open(call, &wish, ret_stream);
    faults_done(&faults);
    event_wish_done(&wish);
    return result;
}

int handlers_notifications(struct call *call)
{
    struct attribute targets[VALUE_STREAM_TARGETS_MAX];
    struct value_stream_setup setup = {.gateway = call->gateway,
                                       .pendings = call->pendings,
                                       .request = call->request,
                                       .targets = targets};
    struct gateway_gatt_wish wish;

    if (!read_wish(call, GATEWAY_GATT_SUBSCRIBE, &wish) ||
        !read_targets(call, targets, &setup.targets_count))
        return REST_ANSWERED;
    if (setup.targets_count > 0 && call->request->role < REST_ROLE_CONTROL) {
        rest_refuse_role(&call->request->answer, call->request->role, REST_ROLE_CONTROL);
        return REST_ANSWERED;
    }
    if (open_events(call, wish.link.address, &setup.events) != 0)
        return REST_ANSWERED;
    wish.type = query_text(call->query, "type");
    if (setup.targets_count > 0)
        return value_stream_begin(&setup, &wish);
    answer_set_stream(&call->request->answer, setup.events);
    return REST_ANSWERED;
}

/* ---- bonds ---- */

/* What no proxy can be asked for: they pair as they are able to, and keep the bond. */
static const char *find_unsupported(const struct body *body)
{
    const char *io = body_text(body, "io");

    if (!body_bool(body, "bond", true))
        return "bond";
    if (body_bool(body, "mitm", false))
        return "mitm";
    if (body_bool(body, "le_secure", false))
        return "le_secure";
    if (io && strcmp(io, "none") != 0)
        return "io";
    return body_integer(body, "passkey", -1) >= 0 ? "passkey" : NULL;
}

static void refuse_feature(struct call *call, const char *feature, const char *proxy)
{
    char detail[128];
    const struct problem problem = {.cause = E_NOT_SUPPORTED,
                                    .status = 501,
                                    .detail = detail,
                                    .feature = feature,
                                    .proxy = proxy};

    (void) snprintf(detail, sizeof detail,
                    "%s: proxies pair in the way they can, and keep the bond", feature);
    answer_set_problem(&call->request->answer, &problem);
}

int handlers_pair(struct call *call)
{
    const char *proxy = body_text(call->body, "proxy");
    const char *feature = find_unsupported(call->body);
    struct gatt_wait_setup setup = setup_of(call);
    struct gateway_gatt_wish wish;

    if (!read_wish(call, GATEWAY_GATT_PAIR, &wish) ||
        (proxy && !handlers_find_proxy(call, proxy, &wish.link.proxy_index)))
        return REST_ANSWERED;
    if (feature) {
        refuse_feature(call, feature, proxy);
        return REST_ANSWERED;
    }
    wish.link.has_proxy = proxy != NULL;
    return begin(call, &setup, &wish);
}

int handlers_unpair(struct call *call)
{
    const char *proxy = query_text(call->query, "proxy");
    struct gateway_gatt_wish wish;

    if (!read_wish(call, GATEWAY_GATT_UNPAIR, &wish) ||
        (proxy && !handlers_find_proxy(call, proxy, &wish.link.proxy_index)))
        return REST_ANSWERED;
    wish.link.has_proxy = proxy != NULL;
    return bond_wait_begin(call->gateway, call->pendings, call->request, &wish);
}

/* ---- the rest ---- */

static void check_parameters(const struct gateway_connection_parameters *p, struct faults *faults)
{
    if (p->max_interval < p->min_interval)
        faults_add(faults, "/max_interval", "must not be less than min_interval");
    if (4 * p->timeout <= (1 + p->latency) * p->max_interval)
        faults_add(faults, "/timeout",
                   "must be more than (1 + latency) * max_interval / 4, or the link is lost");
}

int handlers_set_parameters(struct call *call)
{
    struct gatt_wait_setup setup = setup_of(call);
    struct gateway_gatt_wish wish;
    struct faults faults = {0};
    bool is_faulty;

    if (!read_wish(call, GATEWAY_GATT_PARAMETERS, &wish))
        return REST_ANSWERED;
    wish.parameters = (struct gateway_connection_parameters){
            .min_interval = (uint32_t) body_integer(call->body, "min_interval", 0),
            .max_interval = (uint32_t) body_integer(call->body, "max_interval", 0),
            .latency = (uint32_t) body_integer(call->body, "latency", 0),
            .timeout = (uint32_t) body_integer(call->body, "timeout", 0),
    };
    check_parameters(&wish.parameters, &faults);
    is_faulty = faults_any(&faults);
    if (is_faulty)
        faults_answer(&faults, &call->request->answer);
    faults_done(&faults);
    setup.pointer = "";
    return is_faulty ? REST_ANSWERED : begin(call, &setup, &wish);
}

int handlers_clear_cache(struct call *call)
{
    struct gatt_wait_setup setup = setup_of(call);
    struct gateway_gatt_wish wish;

    if (!read_wish(call, GATEWAY_GATT_CLEAR_CACHE, &wish))
        return REST_ANSWERED;
    return begin(call, &setup, &wish);
}
