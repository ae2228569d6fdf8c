#include "handlers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/contract.h"
#include "rest/cursor.h"
#include "json/device_json.h"
#include "json/info_json.h"
#include "json/proxy_json.h"

#define LIMIT_STANDARD 100
#define WAIT_MAX_MS    60000

const struct query_rule handlers_proxies_query[] = {
        {.name = "limit", .type = QUERY_INTEGER, .low = 1, .high = 1000},
        {.name = "cursor", .type = QUERY_TEXT},
        {.name = "state", .type = QUERY_TEXT},
        {.name = "area", .type = QUERY_TEXT},
        {.name = NULL},
};

const struct query_rule handlers_devices_query[] = {
        DEVICE_LIST_RULES,
        DEVICE_FILTER_RULES,
        {.name = "wait_ms", .type = QUERY_INTEGER, .low = 0, .high = WAIT_MAX_MS},
        {.name = NULL},
};

static int answer_json(struct call *call, int status, struct writer *w)
{
    answer_set_json(&call->request->answer, status, w);
    return REST_ANSWERED;
}

#define NO_PROXY "no proxy is called \"%.64s\""

__attribute__((format(printf, 4, 5))) static int refuse(struct call *call, int status, int cause,
                                                        const char *format, ...)
{
    char detail[256];
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    rest_refuse(&call->request->answer, status, cause, detail);
    return REST_ANSWERED;
}

/* ---- what runs here ---- */

int handlers_info(struct call *call)
{
    struct writer w = {0};

    info_json_write(&w, NULL, call->gateway, call->mqtt);
    return answer_json(call, 200, &w);
}

int handlers_liveness(struct call *call)
{
    struct writer w = {0};

    info_json_write_liveness(&w, NULL);
    return answer_json(call, 200, &w);
}

int handlers_readiness(struct call *call)
{
    struct writer w = {0};

    bool is_ready = info_json_write_readiness(&w, NULL, call->gateway, call->mqtt);

    return answer_json(call, is_ready ? 200 : 503, &w);
}

int handlers_contract(struct call *call)
{
    const struct rest_request *request = call->request;
    struct answer *answer = &call->request->answer;
    const char *tag = contract_etag(request->accepts_gzip);

    answer_add_header(answer, "ETag", "%s", tag);
    answer_add_header(answer, "Vary", "Accept-Encoding");
    if (request->if_none_match && strstr(request->if_none_match, tag)) {
        answer->status = 304;
        return REST_ANSWERED;
    }
    if (request->accepts_gzip)
        answer_add_header(answer, "Content-Encoding", "gzip");
    answer->status = 200;
    answer->content_type = "application/json";
    answer->body = contract_get(request->accepts_gzip, &answer->body_size);
    answer->body_is_static = true;
    return REST_ANSWERED;
}

/* ---- proxies ---- */

/* In order of their names, so that a cursor holds while proxies come and go. */
struct proxy_row {
    const char *name;
    size_t index;
};

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const struct proxy_row *) a)->name, ((const struct proxy_row *) b)->name);
}

static bool is_asked_for(const struct query *query, const char *name, const char *value)
{
    const char *wanted = query_text(query, name);

    return !wanted || (value && strcmp(value, wanted) == 0);
}

/* The rows behind the cursor (NULL: all) that match the query, in order; to be freed. */
static struct proxy_row *collect_proxies(const struct call *call, const char *after,
                                         size_t *ret_count)
{
    size_t count = gateway_proxies_count(call->gateway), used = 0;
    struct proxy_row *rows = xnew(struct proxy_row, count + 1);

    for (size_t i = 0; i < count; i++) {
        struct gateway_proxy proxy;

        gateway_get_proxy(call->gateway, i, &proxy);
        if (is_asked_for(call->query, "state", proxy.state) &&
            is_asked_for(call->query, "area", proxy.config->area) &&
            (!after || strcmp(proxy.config->name, after) > 0))
            rows[used++] = (struct proxy_row){proxy.config->name, i};
    }
    qsort(rows, used, sizeof *rows, compare_rows);
    *ret_count = used;
    return rows;
}

static void write_proxy(struct writer *w, const struct gateway *g, size_t index)
{
    struct gateway_proxy proxy;

    gateway_get_proxy(g, index, &proxy);
    proxy_json_write(w, NULL, g, &proxy);
}

static void write_proxies(const struct call *call, const char *after, struct writer *w)
{
    size_t limit = (size_t) query_integer(call->query, "limit", LIMIT_STANDARD), count;
    struct proxy_row *rows AUTO_FREE = collect_proxies(call, after, &count);
    char *next AUTO_FREE = NULL;

    if (count > limit) {
        const char *last = rows[limit - 1].name;

        next = cursor_encode((const uint8_t *) last, strlen(last));
        count = limit;
    }
    writer_begin_object(w, NULL);
    writer_begin_array(w, "items");
    for (size_t i = 0; i < count; i++)
        write_proxy(w, call->gateway, rows[i].index);
    writer_end_array(w);
    writer_text(w, "next", next);
    writer_end_object(w);
}

int handlers_proxies(struct call *call)
{
    const char *cursor = query_text(call->query, "cursor");
    uint8_t after[CURSOR_SIZE_MAX + 1];
    struct writer w = {0};
    size_t size = 0;

    if (cursor && (!cursor_decode(after, cursor, &size) || size == 0 || memchr(after, 0, size)))
        return refuse(call, 400, E_INVALID_REQUEST, "cursor is not one of this list");
    after[size] = '\0';
    write_proxies(call, cursor ? (const char *) after : NULL, &w);
    return answer_json(call, 200, &w);
}

int handlers_proxy(struct call *call)
{
    struct writer w = {0};
    size_t index;

    if (gateway_find_proxy(call->gateway, call->parameters[0], &index) != 0)
        return refuse(call, 404, E_PROXY_NOT_FOUND, NO_PROXY, call->parameters[0]);
    write_proxy(&w, call->gateway, index);
    return answer_json(call, 200, &w);
}

int handlers_reconnect(struct call *call)
{
    struct writer w = {0};
    size_t index;

    if (gateway_find_proxy(call->gateway, call->parameters[0], &index) != 0)
        return refuse(call, 404, E_PROXY_NOT_FOUND, NO_PROXY, call->parameters[0]);
    if (gateway_reconnect_proxy(call->gateway, index) != 0)
        return refuse(call, 409, E_CONFLICT, "proxy \"%.64s\" is disabled", call->parameters[0]);
    write_proxy(&w, call->gateway, index);
    return answer_json(call, 202, &w);
}

/* ---- devices ---- */

/* Now, or, when there is nothing and the caller has time, later. */
static int answer_list(struct call *call, struct device_list *list)
{
    usec_t longest = (usec_t) query_integer(call->query, "wait_ms", 0) * USEC_PER_MSEC;
    struct writer w = {0};

    if (device_list_write(list, &w, call->gateway) > 0 || longest == 0)
        return answer_json(call, 200, &w);
    writer_done(&w);
    if (device_waits_add(call->waits, call->request, list, longest) != 0)
        return refuse(call, 503, E_OVERLOADED, "too many requests wait already");
    return 0;
}

int handlers_devices(struct call *call)
{
    struct device_list list;
    struct faults faults = {0};
    int result = REST_ANSWERED;

    device_list_read(&list, call->query, &faults);
    if (faults_any(&faults))
        faults_answer(&faults, &call->request->answer);
    else
        result = answer_list(call, &list);
    faults_done(&faults);
    device_list_done(&list);
    return result;
}

#define NO_ADDRESS "\"%.64s\" is not a device address"
#define NO_DEVICE  "%.64s was never heard, or was forgotten, and is not configured"

int handlers_device(struct call *call)
{
    struct gateway_device device;
    struct writer w = {0};
    uint64_t address;

    if (!ble_address_parse(call->parameters[0], &address))
        return refuse(call, 400, E_INVALID_REQUEST, NO_ADDRESS, call->parameters[0]);
    if (gateway_find_device(call->gateway, address, &device) != 0)
        return refuse(call, 404, E_DEVICE_NOT_FOUND, NO_DEVICE, call->parameters[0]);
    device_json_write_detail(&w, NULL, call->gateway, &device);
    return answer_json(call, 200, &w);
}

/* A device that is configured and was never heard has nothing to forget. */
int handlers_clear_history(struct call *call)
{
    struct gateway_device device;
    uint64_t address;

    if (!ble_address_parse(call->parameters[0], &address))
        return refuse(call, 400, E_INVALID_REQUEST, NO_ADDRESS, call->parameters[0]);
    if (gateway_find_device(call->gateway, address, &device) != 0)
        return refuse(call, 404, E_DEVICE_NOT_FOUND, NO_DEVICE, call->parameters[0]);
    (void) gateway_clear_history(call->gateway, address);
    call->request->answer.status = 204;
    return REST_ANSWERED;
}

bool handlers_read_address(const struct call *call, const char *text, uint64_t *ret_address)
{
    char detail[128];

    if (ble_address_parse(text, ret_address))
        return true;
    (void) snprintf(detail, sizeof detail, NO_ADDRESS, text);
    rest_refuse(&call->request->answer, 400, E_INVALID_REQUEST, detail);
    return false;
}

bool handlers_find_proxy(const struct call *call, const char *name, size_t *ret_index)
{
    char detail[128];

    if (gateway_find_proxy(call->gateway, name, ret_index) == 0)
        return true;
    (void) snprintf(detail, sizeof detail, NO_PROXY, name);
    rest_refuse(&call->request->answer, 404, E_PROXY_NOT_FOUND, detail);
    return false;
}
