/* The story: the topic names the verb, the verb a route of rest; the fields of the payload fill the
 * path, what is left goes into the query (GET, DELETE) or the body. Rest checks role and fields and
 * answers, at once or later; the answer's body goes out as "data", a problem as an error.
 *
 * Failure modes: every fault is an answer with a code. A Response Topic that would let the asker
 * speak in our name is not used: the answer goes to the ordinary place. */
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mqtt/topics.h"
#include "rest/routes.h"
#include "json/verb_json.h"

#define API    "/api/v1"
#define CLIENT "mqtt" /* as others are told who holds a lease */

static const struct verb table[] = {
        {"connect", "PUT", API "/devices/{address}/connection"},
        {"disconnect", "DELETE", API "/devices/{address}/connection"},
        {"services", "GET", API "/devices/{address}/services"},
        {"read", "GET", API "/devices/{address}/characteristics/{characteristic}"},
        {"write", "PUT", API "/devices/{address}/characteristics/{characteristic}"},
        {"read_descriptor", "GET", API "/devices/{address}/descriptors/{descriptor}"},
        {"write_descriptor", "PUT", API "/devices/{address}/descriptors/{descriptor}"},
        {"subscribe", "PUT",
         API "/devices/{address}/characteristics/{characteristic}/subscription"},
        {"unsubscribe", "DELETE",
         API "/devices/{address}/characteristics/{characteristic}/subscription"},
        {"pair", "POST", API "/devices/{address}/bond"},
        {"unpair", "DELETE", API "/devices/{address}/bond"},
        {"connection_params", "PUT", API "/devices/{address}/connection/parameters"},
        {"clear_cache", "DELETE", API "/devices/{address}/gatt-cache"},
        {"scan", "POST", API "/scan/windows"},
        {"explain", "GET", API "/explain/{address}"},
        {"device/options", "PATCH", API "/devices/{address}"},
        {"device/remove", "DELETE", API "/devices/{address}"},
        {"proxy/add", "POST", API "/proxies"},
        {"proxy/options", "PATCH", API "/proxies/{name}"},
        {"proxy/remove", "DELETE", API "/proxies/{name}"},
        {"restart", "POST", API "/restart"},
        {"health_check", "GET", "/readyz"},
        {"http", NULL, NULL},
};

/* Never over MQTT; method NULL: none of them. */
static const struct {
    const char *method, *path;
} unreachable[] = {
        {NULL, API "/tokens"},    {NULL, API "/tokens/{name}"},
        {NULL, API "/session"},   {NULL, API "/backup"},
        {NULL, API "/restore"},   {"PUT", API "/config"},
        {"PATCH", API "/config"}, {NULL, API "/config/versions/{version}/restore"},
        {NULL, API "/events"},    {NULL, API "/devices/{address}/notifications"},
};

/* One request. */
struct wish {
    struct wish *next, *previous;
    struct verbs *verbs;
    struct rest_request request;
    bool is_http;
    char verb[TOPICS_VERB_SIZE];
    char *method, *target, *body, *transaction;
    char *answer_topic;
    void *correlation;
    size_t correlation_size;
};

struct verbs {
    struct rest *rest; /* borrowed */
    char *base;
    enum rest_role role;
    verbs_answer_fn *answer;
    void *user;
    struct wish *first;
    size_t under_way;
};

/* ---- the end of a wish ---- */

static void free_wish(struct wish *x)
{
    answer_done(&x->request.answer);
    free(x->method);
    free(x->target);
    free(x->body);
    free(x->transaction);
    free(x->answer_topic);
    free(x->correlation);
    free(x);
}

static bool has_type(const struct answer *a, const char *type)
{
    return a->content_type && strncmp(a->content_type, type, strlen(type)) == 0;
}

static void write_answer(struct writer *w, const struct wish *x)
{
    const struct answer *a = &x->request.answer;
    bool is_problem = has_type(a, "application/problem+json");

    if (x->is_http)
        verb_json_write_http(w, a->status, is_problem || has_type(a, "application/json"), a->body,
                             a->body_size, x->transaction);
    else if (is_problem)
        verb_json_write_problem(w, a->body, a->body_size, x->transaction);
    else
        verb_json_write_ok(w, a->body, a->body_size, x->transaction);
}

static void finish(struct wish *x)
{
    struct verbs *v = x->verbs;
    struct outbox_message *m;
    struct writer w = {0};
    size_t size;

    if (x->request.answer.body_size > VERBS_ANSWER_MAX) {
        x->is_http = false;
        answer_done(&x->request.answer);
        rest_refuse_size(&x->request.answer, VERBS_ANSWER_MAX);
    }
    write_answer(&w, x);
    size = buffer_size(&w.text);
    m = outbox_message_new(TAKE(x->answer_topic), buffer_take_text(&w.text), size);
    m->correlation = TAKE(x->correlation);
    m->correlation_size = x->correlation_size;
    free_wish(x);
    v->answer(v->user, m);
}

/* What we refuse ourselves is an error, also of the verb http. */
static void refuse(struct wish *x, int status, int cause, const char *detail)
{
    x->is_http = false;
    rest_refuse(&x->request.answer, status, cause, detail);
    finish(x);
}

static void on_done(struct rest_request *request)
{
    struct wish *x = request->user;

    if (x->previous)
        x->previous->next = x->next;
    else
        x->verbs->first = x->next;
    if (x->next)
        x->next->previous = x->previous;
    x->verbs->under_way--;
    finish(x);
}

/* ---- the way of a wish ---- */

static void submit(struct wish *x)
{
    struct verbs *v = x->verbs;

    if (v->under_way >= VERBS_UNDER_WAY_MAX) {
        refuse(x, 503, E_OVERLOADED, "too many requests are under way over MQTT");
        return;
    }
    x->request = (struct rest_request){
            .method = x->method,
            .target = x->target,
            .content_type = x->body ? "application/json" : NULL,
            .body = x->body,
            .body_size = x->body ? strlen(x->body) : 0,
            .role = v->role,
            .client = CLIENT,
            .verb = x->verb,
            .done = on_done,
            .user = x,
    };
    if (rest_submit(v->rest, &x->request) == REST_ANSWERED) {
        finish(x);
        return;
    }
    x->next = v->first;
    if (x->next)
        x->next->previous = x;
    v->first = x;
    v->under_way++;
}

static char *make_target(const char *path)
{
    static const char *const outside[] = {"/api/", "/healthz", "/readyz", "/metrics"};
    char *target = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
        if (strncmp(path, outside[i], strlen(outside[i])) == 0)
            return memory_copy_text(path);
    }
    if (asprintf(&target, API "%s", path) < 0)
        abort(); /* as every small allocation that fails */
    return target;
}

static void begin_http(struct wish *x, const struct verb_json *fields)
{
    const char *method = verb_json_text(fields, "method"), *path = verb_json_text(fields, "path");

    if (!path || path[0] != '/') {
        refuse(x, 422, E_INVALID_REQUEST, "path must be a text that begins with /");
        return;
    }
    x->method = memory_copy_text(method ? method : "GET");
    x->target = make_target(path);
    x->body = verb_json_copy(fields, "body");
    if (verbs_may_reach(x->method, x->target))
        submit(x);
    else
        refuse(x, 403, E_FORBIDDEN, "this is never done over MQTT");
}

static bool goes_into_query(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "DELETE") == 0;
}

static void begin_verb(struct wish *x, const struct verb *verb, struct verb_json *fields)
{
    char missing[VERB_JSON_PARAMETER_SIZE], detail[96];
    char *path AUTO_FREE = verb_json_take_path(fields, verb->path, missing);
    char *query AUTO_FREE = NULL;

    if (!path) {
        (void) snprintf(detail, sizeof detail, "the field \"%s\" is missing", missing);
        refuse(x, 422, E_INVALID_REQUEST, detail);
        return;
    }
    x->method = memory_copy_text(verb->method);
    if (goes_into_query(verb->method))
        query = verb_json_query(fields);
    else
        x->body = verb_json_body(fields);
    if (asprintf(&x->target, "%s%s", path, query ? query : "") < 0)
        abort(); /* as every small allocation that fails */
    submit(x);
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

static void begin(struct wish *x, const struct broker_message *message)
{
    const struct verb *verb = find_verb(x->verb);
    char detail[VERB_JSON_DETAIL_SIZE];
    struct verb_json *fields;

    if (verb_json_read(message->payload, message->size, &fields, detail) != 0) {
        refuse(x, 400, E_INVALID_REQUEST, detail);
        return;
    }
    x->transaction = verb_json_take_transaction(fields);
    x->is_http = verb && !verb->method;
    if (!verb)
        refuse(x, 404, E_NOT_FOUND, "no such verb");
    else if (x->is_http)
        begin_http(x, fields);
    else
        begin_verb(x, verb, fields);
    verb_json_free(fields);
}

static char *choose_topic(const struct verbs *v, const char *verb,
                          const struct broker_message *message)
{
    if (message->response_topic && topics_may_answer_to(v->base, message->response_topic))
        return memory_copy_text(message->response_topic);
    return topics_join(v->base, "bridge/response", verb);
}

/* ---- subscriptions ---- */

static bool is_made_here(const struct gateway *g, uint64_t address, const char *id)
{
    struct gateway_lease lease;

    for (size_t i = 0; gateway_get_lease(g, address, i, &lease); i++) {
        if (strcmp(lease.id, id) == 0)
            return strcmp(lease.client, CLIENT) == 0;
    }
    return false;
}

static bool is_held_here(const struct gateway *g, uint64_t address, size_t subscription)
{
    const char *id;

    for (size_t i = 0; (id = gateway_get_gatt_holder(g, address, subscription, i)); i++) {
        if (is_made_here(g, address, id))
            return true;
    }
    return false;
}

/* ---- public ---- */

const struct verb *verbs_table(size_t *ret_count)
{
    *ret_count = ARRAY_SIZE(table);
    return table;
}

bool verbs_may_reach(const char *method, const char *target)
{
    struct route_match match;
    bool result = true;

    (void) routes_find(method, target, strcspn(target, "?"), &match);
    for (size_t i = 0; match.route && i < ARRAY_SIZE(unreachable); i++) {
        if (strcmp(match.route->path, unreachable[i].path) == 0 &&
            (!unreachable[i].method || strcmp(match.route->method, unreachable[i].method) == 0))
            result = false;
    }
    route_match_done(&match);
    return result;
}

bool verbs_is_subscribed(const struct gateway *g, const struct gateway_gatt_value *value)
{
    struct gateway_gatt_subscription subscription;

    for (size_t i = 0; gateway_get_gatt_subscription(g, value->address, i, &subscription); i++) {
        if (subscription.handle == value->handle && is_held_here(g, value->address, i))
            return true;
    }
    return false;
}

struct verbs *verbs_new(struct rest *rest, const char *base_topic, enum rest_role role,
                        verbs_answer_fn *answer, void *user)
{
    struct verbs *v = xnew(struct verbs, 1);

    v->rest = rest;
    v->base = memory_copy_text(base_topic);
    v->role = role;
    v->answer = answer;
    v->user = user;
    return v;
}

void verbs_stop(struct verbs *v)
{
    while (v->first)
        rest_cancel(v->rest, &v->first->request, E_SHUTTING_DOWN);
}

void verbs_free(struct verbs *v)
{
    if (!v)
        return;
    verbs_stop(v);
    free(v->base);
    free(v);
}

bool verbs_request(struct verbs *v, const struct broker_message *message)
{
    char verb[TOPICS_VERB_SIZE];
    struct wish *x;

    if (message->is_retained || !topics_read_request(v->base, message->topic, verb))
        return false;
    x = xnew(struct wish, 1);
    x->verbs = v;
    memcpy(x->verb, verb, sizeof verb);
    x->answer_topic = choose_topic(v, verb, message);
    if (message->correlation_size > 0) {
        x->correlation = memory_zalloc(1, message->correlation_size);
        memcpy(x->correlation, message->correlation, message->correlation_size);
        x->correlation_size = message->correlation_size;
    }
    begin(x, message);
    return true;
}

size_t verbs_under_way(const struct verbs *v)
{
    return v->under_way;
}
