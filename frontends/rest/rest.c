/* The story: a target is split into path and query; the path and the method find a row of the
 * table; role, size of the body, query and body are held against the row, in this order; then the
 * row's handler answers, or lets the request wait.
 *
 * Every fault on the way is an answer (a problem document), and the first stage that finds one ends
 * the way. */
#include "rest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "rest/audit_note.h"
#include "rest/clients.h"
#include "rest/event_metrics.h"
#include "rest/event_publisher.h"
#include "rest/gateway_metrics.h"
#include "rest/gatt_metrics.h"
#include "rest/handlers.h"
#include "rest/link_metrics.h"
#include "rest/metrics.h"
#include "rest/pending.h"
#include "rest/value_queues.h"
#include "json/info_json.h"

#define WAITING_MAX   1024
#define RETRY_AFTER_S 1 /* with every 503 of ours */

struct rest {
    struct gateway *gateway; /* borrowed */
    struct pendings *pendings;
    struct device_waits *waits;
    struct value_queues *queues;
    struct clients *clients;
    struct event_publisher *events;
    struct device_texts texts;
    struct metrics *metrics;
    struct link_metrics *link_metrics;
    rest_mqtt_fn *get_mqtt; /* NULL: disabled */
    void *mqtt_user;
    bool is_stopped;
};

static const char *const role_names[] = {
        [REST_ROLE_NONE] = "none",
        [REST_ROLE_READ] = "read",
        [REST_ROLE_CONTROL] = "control",
        [REST_ROLE_ADMIN] = "admin",
};

/* Waiting requests must leave connections for those that do not wait. */
static size_t waiting_capacity(const struct config *config)
{
    size_t half = (size_t) config->limits_http_connections / 2;

    return half < WAITING_MAX ? half : WAITING_MAX;
}

static void refuse_unrouted(struct answer *answer, int cause, const struct route_match *match)
{
    char detail[64];

    if (cause == E_METHOD_NOT_ALLOWED) {
        answer_add_header(answer, "Allow", "%s", match->allow);
        rest_refuse(answer, 405, cause, NULL);
    } else if (match->route) {
        snprintf(detail, sizeof detail, "the part %s is not there yet", match->route->part);
        rest_refuse(answer, 404, cause, detail);
    } else {
        rest_refuse(answer, 404, cause, "no such path");
    }
}

static bool is_type(const char *content_type, const char *wanted)
{
    size_t length = strcspn(content_type, "; \t");

    return length == strlen(wanted) && strncasecmp(content_type, wanted, length) == 0;
}

/* A body without a type is taken for JSON. */
static bool is_known_type(const struct rest_request *request)
{
    if (request->body_size == 0 || !request->content_type)
        return true;
    return is_type(request->content_type, "application/json") ||
           (strcmp(request->method, "PATCH") == 0 &&
            is_type(request->content_type, "application/merge-patch+json"));
}

static void on_fault(void *user, const char *pointer, const char *detail)
{
    faults_add(user, pointer, "%s", detail);
}

/* True when the body is what the route wants (*ret_body: NULL if that is nothing); else the answer
 * is written. */
static bool read_body(struct rest_request *request, const struct route *route,
                      struct body **ret_body)
{
    char detail[BODY_DETAIL_SIZE];
    struct faults faults = {0};
    int rc;

    *ret_body = NULL;
    if (route->body == ROUTE_BODY_NONE || route->body == ROUTE_BODY_FILE ||
        (route->body == ROUTE_BODY_VALUE && rest_has_octets(request)))
        return true;
    if (!is_known_type(request)) {
        rest_refuse(&request->answer, 415, E_UNSUPPORTED_MEDIA_TYPE, NULL);
        return false;
    }
    if (route->body == ROUTE_BODY_WHOLE)
        rc = body_check(request->body, request->body_size, detail);
    else
        rc = body_read(request->body, request->body_size, route->fields, on_fault, &faults,
                       ret_body, detail);
    if (rc == -EBADMSG)
        faults_add_unreadable(&faults, "%s", detail);
    if (rc < 0)
        faults_answer(&faults, &request->answer);
    faults_done(&faults);
    return rc == 0;
}

static int handle(struct rest *rest, struct rest_request *request, const struct route_match *match,
                  const struct query *query, const struct body *body)
{
    struct info_json_mqtt mqtt = {0};
    struct call call = {
            .gateway = rest->gateway,
            .pendings = rest->pendings,
            .waits = rest->waits,
            .queues = rest->queues,
            .clients = rest->clients,
            .events = rest->events,
            .metrics = rest->metrics,
            .mqtt = rest->get_mqtt ? &mqtt : NULL,
            .request = request,
            .query = query,
            .body = body,
            .parameters = match->parameters,
    };

    if (rest->get_mqtt)
        rest->get_mqtt(rest->mqtt_user, &mqtt);
    return match->route->handle(&call);
}

/* False: that is answered. Who has no role because their tokens are not looked at is told so. */
static bool has_role(struct rest_request *request, const struct route *route)
{
    usec_t retry_after = request->identity ? request->identity->retry_after : 0;

    if (request->role >= route->role)
        return true;
    if (request->role == REST_ROLE_NONE && retry_after > 0)
        rest_refuse_tokens(&request->answer, retry_after);
    else
        rest_refuse_role(&request->answer, request->role, route->role);
    return false;
}

static int check_and_handle(struct rest *rest, struct rest_request *request,
                            const struct route_match *match, const char *query_text)
{
    uint64_t body_max = (uint64_t) gateway_config(rest->gateway)->limits_body_bytes;
    struct faults faults = {0};
    struct query query;
    struct body *body = NULL;
    int result = REST_ANSWERED;

    if (!has_role(request, match->route))
        return REST_ANSWERED;
    if (request->body_size > body_max) {
        rest_refuse_size(&request->answer, body_max);
        return REST_ANSWERED;
    }
    query_read(&query, query_text, match->route->query, &faults);
    if (faults_any(&faults))
        faults_answer(&faults, &request->answer);
    else if (read_body(request, match->route, &body))
        result = handle(rest, request, match, &query, body);
    body_free(body);
    faults_done(&faults);
    query_done(&query);
    return result;
}

static void on_finish(void *user, struct rest_request *request)
{
    const struct rest *rest = user;

    audit_note_finish(rest->gateway, request);
}

const char *rest_role_name(enum rest_role role)
{
    return role_names[role];
}

struct rest *rest_new(struct gateway *g)
{
    struct rest *rest = xnew(struct rest, 1);

    rest->gateway = g;
    rest->pendings = pendings_new(waiting_capacity(gateway_config(g)));
    pendings_on_finish(rest->pendings, on_finish, rest);
    rest->waits = device_waits_new(g, rest->pendings);
    rest->queues = value_queues_new(g);
    rest->clients = clients_new();
    rest->events = event_publisher_new(g, rest->clients, &rest->texts);
    rest->metrics = metrics_new();
    metrics_register_collector(rest->metrics, gateway_metrics_collect, g);
    rest->link_metrics = link_metrics_new(g, rest->metrics);
    metrics_register_collector(rest->metrics, gatt_metrics_collect, g);
    metrics_register_collector(rest->metrics, event_metrics_collect, rest->events);
    return rest;
}

void rest_set_boot(struct rest *rest, uint32_t boot)
{
    event_publisher_set_boot(rest->events, boot);
}

void rest_log(struct rest *rest, const struct event_log_line *line)
{
    event_publisher_log(rest->events, line);
}

void rest_stop(struct rest *rest)
{
    rest->is_stopped = true;
    pendings_cancel_all(rest->pendings, E_SHUTTING_DOWN);
    value_queues_free(TAKE(rest->queues)); /* the leases that end now need no looking after */
    event_publisher_stop(rest->events);
}

void rest_free(struct rest *rest)
{
    if (!rest)
        return;
    rest_stop(rest);
    device_waits_free(rest->waits);
    pendings_free(rest->pendings);
    event_publisher_free(rest->events);
    device_texts_done(&rest->texts);
    clients_free(rest->clients);
    link_metrics_free(rest->link_metrics);
    metrics_free(rest->metrics);
    free(rest);
}

int rest_submit(struct rest *rest, struct rest_request *request)
{
    const char *mark = strchr(request->target, '?');
    size_t path_size = mark ? (size_t) (mark - request->target) : strlen(request->target);
    struct route_match match;
    int result = REST_ANSWERED, cause;

    request->answer = (struct answer){0};
    request->pending = NULL;
    request->audit = NULL;
    request->changed = NULL;
    if (rest->is_stopped) {
        rest_refuse(&request->answer, 503, E_SHUTTING_DOWN, NULL);
        return REST_ANSWERED;
    }
    cause = routes_find(request->method, request->target, path_size, &match);
    pendings_submitting(rest->pendings, request);
    if (cause == 0) {
        audit_note_begin(request, match.route->role);
        result = check_and_handle(rest, request, &match, mark ? mark + 1 : NULL);
    } else {
        refuse_unrouted(&request->answer, cause, &match);
    }
    pendings_submitting(rest->pendings, NULL);
    route_match_done(&match);
    if (result == REST_ANSWERED)
        audit_note_finish(rest->gateway, request);
    return result;
}

bool rest_admits(struct rest *rest, struct rest_request *request)
{
    struct route_match match;
    bool is_admitted = true;

    if (routes_find(request->method, request->target, strcspn(request->target, "?"), &match) == 0)
        is_admitted = has_role(request, match.route);
    if (!is_admitted) {
        audit_note_begin(request, match.route->role);
        audit_note_finish(rest->gateway, request);
    }
    route_match_done(&match);
    return is_admitted;
}

void rest_note_refusal(struct rest *rest, struct rest_request *request)
{
    struct route_match match;

    if (routes_find(request->method, request->target, strcspn(request->target, "?"), &match) == 0) {
        audit_note_begin(request, match.route->role);
        audit_note_finish(rest->gateway, request);
    }
    route_match_done(&match);
}

void rest_cancel(struct rest *rest, struct rest_request *request, int cause)
{
    (void) rest;
    pending_cancel(request->pending, cause);
}

bool rest_wants_file(const struct rest *rest, const char *method, const char *target)
{
    struct route_match match;
    bool result;

    (void) rest;
    result = routes_find(method, target, strcspn(target, "?"), &match) == 0 &&
             match.route->body == ROUTE_BODY_FILE;
    route_match_done(&match);
    return result;
}

bool rest_has_type(const struct rest_request *request, const char *type)
{
    return request->content_type && is_type(request->content_type, type);
}

bool rest_has_octets(const struct rest_request *request)
{
    return rest_has_type(request, "application/octet-stream");
}

struct clients *rest_clients(struct rest *rest)
{
    return rest->clients;
}

struct device_texts *rest_device_texts(struct rest *rest)
{
    return &rest->texts;
}

void rest_set_mqtt(struct rest *rest, rest_mqtt_fn *get, void *user)
{
    rest->get_mqtt = get;
    rest->mqtt_user = user;
}

struct metrics *rest_metrics(struct rest *rest)
{
    return rest->metrics;
}

void rest_refuse(struct answer *ret_answer, int status, int cause, const char *detail)
{
    struct problem problem = {.cause = cause, .status = status, .detail = detail};

    if (status == 503)
        problem.retry_after_s = RETRY_AFTER_S;
    answer_set_problem(ret_answer, &problem);
}

void rest_refuse_role(struct answer *ret_answer, enum rest_role has, enum rest_role needs)
{
    struct problem problem = {.cause = E_FORBIDDEN, .status = 403};

    if (has == REST_ROLE_NONE) {
        answer_add_header(ret_answer, "WWW-Authenticate", "Bearer");
        rest_refuse(ret_answer, 401, E_UNAUTHORIZED, NULL);
        return;
    }
    problem.detail = "the role is too small";
    problem.needs_role = role_names[needs];
    answer_set_problem(ret_answer, &problem);
}

void rest_refuse_tokens(struct answer *ret_answer, usec_t retry_after)
{
    const struct problem problem = {
            .cause = E_RATE_LIMITED,
            .status = 429,
            .retry_after_s = (unsigned) ((retry_after + USEC_PER_SEC - 1) / USEC_PER_SEC),
    };

    answer_set_problem(ret_answer, &problem);
}

void rest_refuse_size(struct answer *ret_answer, uint64_t max)
{
    struct problem problem = {.cause = E_BODY_TOO_LARGE, .status = 413, .max = max};

    answer_set_problem(ret_answer, &problem);
}
