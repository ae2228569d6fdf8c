/* The story: lists come from what the scheduler has, newest window first, needs by address. Windows
 * open on the proxies named, else on the owner of the device, else on all; what came of each is in
 * the answer.
 *
 * Failure modes: a window that is refused is told like one that opens; only when all are, the
 * request failed. */
#include "handlers_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/cursor.h"
#include "rest/discovery.h"
#include "json/scan_json.h"

#define LIMIT_STANDARD      100
#define DURATION_STANDARD_S 10

const struct query_rule handlers_windows_query[] = {
        {.name = "limit", .type = QUERY_INTEGER, .low = 1, .high = 1000},
        {.name = "cursor", .type = QUERY_TEXT},
        {.name = "proxy", .type = QUERY_TEXT},
        {.name = "state", .type = QUERY_TEXT},
        {.name = NULL},
};

const struct query_rule handlers_needs_query[] = {
        {.name = "limit", .type = QUERY_INTEGER, .low = 1, .high = 1000},
        {.name = "cursor", .type = QUERY_TEXT},
        {.name = NULL},
};

const struct body_rule handlers_window_request[] = {
        {.name = "proxies", .type = BODY_TEXTS, .is_nullable = true},
        {.name = "address", .type = BODY_TEXT, .is_nullable = true},
        {.name = "duration_s", .type = BODY_NUMBER, .low = 5, .high = 35},
        {.name = NULL},
};

const struct body_rule handlers_discover_request[] = {
        {.name = "duration_s", .type = BODY_NUMBER, .low = 1, .high = 60},
        {.name = "active", .type = BODY_BOOL},
        {.name = NULL},
};

/* ---- lists ---- */

/* False: the cursor is not one of these lists, which is answered. */
static bool read_cursor(struct call *call, uint64_t *ret_number)
{
    const char *cursor = query_text(call->query, "cursor");

    if (!cursor || cursor_decode_number(cursor, ret_number))
        return true;
    rest_refuse(&call->request->answer, 400, E_INVALID_REQUEST, "cursor is not one of this list");
    return false;
}

static bool is_asked_for(const struct query *query, const char *name, const char *value)
{
    const char *wanted = query_text(query, name);

    return !wanted || (value && strcmp(value, wanted) == 0);
}

/* The newest window below *number that is asked for, whose number that becomes. */
static bool next_window(const struct call *call, uint64_t *number,
                        struct gateway_window *ret_window)
{
    while (gateway_window_before(call->gateway, *number, ret_window)) {
        *number = ret_window->number;
        if (is_asked_for(call->query, "proxy", ret_window->proxy) &&
            is_asked_for(call->query, "state", ret_window->state))
            return true;
    }
    return false;
}

int handlers_windows(struct call *call)
{
    size_t limit = (size_t) query_integer(call->query, "limit", LIMIT_STANDARD), items = 0;
    uint64_t number = UINT64_MAX, last = 0;
    char *next AUTO_FREE = NULL;
    struct gateway_window window;
    struct writer w = {0};

    if (!read_cursor(call, &number))
        return REST_ANSWERED;
    writer_begin_object(&w, NULL);
    writer_begin_array(&w, "items");
    while (next_window(call, &number, &window)) {
        if (items++ == limit) {
            next = cursor_encode_number(last);
            break;
        }
        scan_json_write_window(&w, NULL, call->gateway, &window);
        last = window.number;
    }
    writer_end_array(&w);
    writer_text(&w, "next", next);
    writer_end_object(&w);
    answer_set_json(&call->request->answer, 200, &w);
    return REST_ANSWERED;
}

static int compare_addresses(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* The addresses from this one on that have a need, in order; to be freed. */
static uint64_t *collect_needs(const struct gateway *g, uint64_t first, size_t *ret_count)
{
    uint64_t *addresses = xnew(uint64_t, gateway_needs_count(g) + 1);
    size_t position = 0, count = 0;
    struct gateway_need need;

    while (gateway_next_need(g, &position, &need)) {
        if (need.address >= first)
            addresses[count++] = need.address;
    }
    qsort(addresses, count, sizeof *addresses, compare_addresses);
    *ret_count = count;
    return addresses;
}

int handlers_needs(struct call *call)
{
    size_t limit = (size_t) query_integer(call->query, "limit", LIMIT_STANDARD), count;
    uint64_t *addresses AUTO_FREE = NULL, first = 0;
    char *next AUTO_FREE = NULL;
    struct gateway_need need;
    struct writer w = {0};

    if (!read_cursor(call, &first))
        return REST_ANSWERED;
    addresses = collect_needs(call->gateway, first, &count);
    if (count > limit)
        next = cursor_encode_number(addresses[limit]);
    writer_begin_object(&w, NULL);
    writer_begin_array(&w, "items");
    for (size_t i = 0; i < count && i < limit; i++) {
        if (gateway_get_need(call->gateway, addresses[i], &need))
            scan_json_write_need(&w, NULL, call->gateway, &need);
    }
    writer_end_array(&w);
    writer_text(&w, "next", next);
    writer_end_object(&w);
    answer_set_json(&call->request->answer, 200, &w);
    return REST_ANSWERED;
}

/* ---- windows on demand ---- */

/* Marks the proxies that the body names. False: there is no such proxy, which is answered. */
static bool mark_named(struct call *call, bool *ret_wanted)
{
    const char *name;
    char detail[128];
    size_t index;

    for (size_t i = 0; (name = body_list_text(call->body, "proxies", i)); i++) {
        if (gateway_find_proxy(call->gateway, name, &index) != 0) {
            (void) snprintf(detail, sizeof detail, "no proxy is called \"%.64s\"", name);
            rest_refuse(&call->request->answer, 404, E_PROXY_NOT_FOUND, detail);
            return false;
        }
        ret_wanted[index] = true;
    }
    return true;
}

/* The owner of the device, else all that are enabled. */
static void mark_fitting(const struct gateway *g, uint64_t address, bool *ret_wanted)
{
    const struct config *config = gateway_config(g);
    struct gateway_device device;
    size_t owner;

    if (address && gateway_find_device(g, address, &device) == 0 && device.proxy &&
        gateway_find_proxy(g, device.proxy, &owner) == 0) {
        ret_wanted[owner] = true;
        return;
    }
    for (size_t i = 0; i < config->proxies_count; i++)
        ret_wanted[i] = config->proxies[i].is_enabled;
}

/* Writes an array of what came of it; how many are open. */
static size_t open_marked(struct gateway *g, const bool *wanted, uint64_t address, usec_t duration,
                          struct writer *w)
{
    size_t count = gateway_proxies_count(g), open = 0;
    struct gateway_window window;
    uint64_t number;

    writer_begin_array(w, NULL);
    for (size_t i = 0; i < count; i++) {
        if (!wanted[i])
            continue;
        open += gateway_open_window(g, i, address, duration, &number) == 0;
        if (gateway_get_window(g, number, &window))
            scan_json_write_window(w, NULL, g, &window);
    }
    writer_end_array(w);
    return open;
}

static void answer_refused(struct answer *ret_answer, struct writer *windows)
{
    char *text AUTO_FREE = buffer_take_text(&windows->text);
    const struct problem problem = {
            .cause = E_SCAN_REFUSED, .status = 503, .parts = {{"windows", text}}};

    answer_set_problem(ret_answer, &problem);
}

static void answer_open(struct answer *ret_answer, struct writer *windows)
{
    struct writer w = {0};

    writer_begin_object(&w, NULL);
    writer_json(&w, "items", (const char *) buffer_front(&windows->text),
                buffer_size(&windows->text));
    writer_end_object(&w);
    writer_done(windows);
    answer_set_json(ret_answer, 201, &w);
}

/* False: it is none, which is answered. 0: none is given. */
static bool read_address(struct call *call, uint64_t *ret_address)
{
    const char *text = body_text(call->body, "address");
    struct faults faults = {0};

    *ret_address = 0;
    if (!text || ble_address_parse(text, ret_address))
        return true;
    faults_add(&faults, "/address", "must be a device address");
    faults_answer(&faults, &call->request->answer);
    faults_done(&faults);
    return false;
}

static usec_t read_duration(const struct call *call)
{
    return (usec_t) (body_number(call->body, "duration_s", DURATION_STANDARD_S) *
                     (double) USEC_PER_SEC);
}

int handlers_open_windows(struct call *call)
{
    bool *wanted AUTO_FREE = xnew(bool, gateway_proxies_count(call->gateway) + 1);
    struct answer *answer = &call->request->answer;
    struct writer windows = {0};
    uint64_t address;

    if (!read_address(call, &address) || !mark_named(call, wanted))
        return REST_ANSWERED;
    if (!body_list_text(call->body, "proxies", 0))
        mark_fitting(call->gateway, address, wanted);
    if (open_marked(call->gateway, wanted, address, read_duration(call), &windows) > 0)
        answer_open(answer, &windows);
    else
        answer_refused(answer, &windows);
    return REST_ANSWERED;
}

int handlers_discover(struct call *call)
{
    bool is_active = body_bool(call->body, "active", true);

    if (discovery_begin(call->gateway, call->pendings, call->request, read_duration(call),
                        is_active) == 0)
        return 0;
    rest_refuse(&call->request->answer, 503, E_OVERLOADED, "too many requests wait already");
    return REST_ANSWERED;
}
