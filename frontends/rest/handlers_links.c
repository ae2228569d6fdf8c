/* The story: a wish for a link is the settings of links.* with what the body says in their place,
 * and waits (connect_wait.h). What releases something answers at once with what is then; proxies
 * and devices hear of it later, and their events tell when it is done.
 *
 * Failure modes: a link that is not there is no fault, neither to ask for nor to close; a lease
 * that is not there is. */
#include "handlers_links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/connect_wait.h"
#include "rest/cursor.h"
#include "rest/disconnect_wait.h"
#include "json/connection_json.h"

#define LIMIT_STANDARD   100
#define WAIT_STANDARD_MS 30000
#define TEXT_MAX         64 /* octets of what a client says about itself */

const struct query_rule handlers_links_query[] = {
        {.name = "limit", .type = QUERY_INTEGER, .low = 1, .high = 1000},
        {.name = "cursor", .type = QUERY_TEXT},
        {.name = "proxy", .type = QUERY_TEXT},
        {.name = "state", .type = QUERY_TEXT},
        {.name = NULL},
};

const struct query_rule handlers_link_query[] = {
        {.name = "wait", .type = QUERY_ENUM, .values = "disconnected"},
        {.name = "timeout_ms", .type = QUERY_INTEGER, .low = 0, .high = 600000},
        {.name = NULL},
};

const struct query_rule handlers_disconnect_query[] = {
        {.name = "lease", .type = QUERY_TEXT},
        {.name = NULL},
};

const struct body_rule handlers_connect_request[] = {
        {.name = "timeout_ms", .type = BODY_INTEGER, .low = 100, .high = 600000},
        {.name = "attempt_timeout_ms", .type = BODY_INTEGER, .low = 1000, .high = 60000},
        {.name = "attempts", .type = BODY_INTEGER, .low = 1, .high = 20},
        {.name = "queue_ms", .type = BODY_INTEGER, .low = 0, .high = 600000},
        {.name = "proxy", .type = BODY_TEXT, .high = TEXT_MAX, .is_nullable = true},
        {.name = "use_cache", .type = BODY_BOOL},
        {.name = "pair", .type = BODY_BOOL},
        {.name = "lease_s", .type = BODY_INTEGER, .low = 1, .high = 3600},
        {.name = "lease", .type = BODY_TEXT, .high = TEXT_MAX, .is_nullable = true},
        {.name = "auto_reconnect", .type = BODY_BOOL},
        {.name = "purpose", .type = BODY_TEXT, .high = TEXT_MAX, .is_nullable = true},
        {.name = NULL},
};

/* ---- pieces ---- */

static int answer_json(struct call *call, struct writer *w)
{
    answer_set_json(&call->request->answer, 200, w);
    return REST_ANSWERED;
}

static int answer_link(struct call *call, uint64_t address)
{
    struct writer w = {0};

    connection_json_write(&w, NULL, call->gateway, address);
    return answer_json(call, &w);
}

/* ---- the list ---- */

static bool is_asked_for(const struct query *query, const char *name, const char *value)
{
    const char *wanted = query_text(query, name);

    return !wanted || (value && strcmp(value, wanted) == 0);
}

static int compare_addresses(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* The addresses from this one on whose links are asked for, in order; to be freed. */
static uint64_t *collect(const struct call *call, uint64_t first, size_t *ret_count)
{
    size_t max = gateway_links_count(call->gateway), position = 0, count = 0;
    uint64_t *addresses = xnew(uint64_t, max + 1);
    struct gateway_link link;

    while (count < max && gateway_next_link(call->gateway, &position, &link)) {
        if (link.address >= first && is_asked_for(call->query, "proxy", link.proxy) &&
            is_asked_for(call->query, "state", link.state))
            addresses[count++] = link.address;
    }
    qsort(addresses, count, sizeof *addresses, compare_addresses);
    *ret_count = count;
    return addresses;
}

int handlers_links(struct call *call)
{
    size_t limit = (size_t) query_integer(call->query, "limit", LIMIT_STANDARD), count;
    const char *cursor = query_text(call->query, "cursor");
    uint64_t *addresses AUTO_FREE = NULL, first = 0;
    char *next AUTO_FREE = NULL;
    struct writer w = {0};

    if (cursor && !cursor_decode_number(cursor, &first)) {
        rest_refuse(&call->request->answer, 400, E_INVALID_REQUEST,
                    "cursor is not one of this list");
        return REST_ANSWERED;
    }
    addresses = collect(call, first, &count);
    if (count > limit)
        next = cursor_encode_number(addresses[limit]);
    writer_begin_object(&w, NULL);
    writer_begin_array(&w, "items");
    for (size_t i = 0; i < count && i < limit; i++)
        connection_json_write(&w, NULL, call->gateway, addresses[i]);
    writer_end_array(&w);
    writer_text(&w, "next", next);
    writer_end_object(&w);
    return answer_json(call, &w);
}

/* ---- one link ---- */

static usec_t read_ms(const struct body *body, const char *name, usec_t standard)
{
    return (usec_t) body_integer(body, name, (int64_t) (standard / USEC_PER_MSEC)) * USEC_PER_MSEC;
}

static void read_wish(const struct call *call, struct gateway_wish *wish)
{
    const struct body *body = call->body;

    wish->timeout = read_ms(body, "timeout_ms", wish->timeout);
    wish->attempt_timeout = read_ms(body, "attempt_timeout_ms", wish->attempt_timeout);
    wish->queue_for = read_ms(body, "queue_ms", wish->queue_for);
    wish->attempts = (unsigned) body_integer(body, "attempts", wish->attempts);
    wish->use_cache = body_bool(body, "use_cache", wish->use_cache);
    wish->pair = body_bool(body, "pair", wish->pair);
    wish->is_auto_reconnect = body_bool(body, "auto_reconnect", wish->is_auto_reconnect);
    wish->lease = (usec_t) body_integer(body, "lease_s", (int64_t) (wish->lease / USEC_PER_SEC)) *
                  USEC_PER_SEC;
    wish->renew = body_text(body, "lease");
    wish->purpose = body_text(body, "purpose");
    wish->client = call->request->client;
}

int handlers_connect(struct call *call)
{
    const char *proxy = body_text(call->body, "proxy");
    struct gateway_wish wish;
    int rc;

    gateway_default_wish(call->gateway, &wish);
    if (!handlers_read_address(call, call->parameters[0], &wish.address) ||
        (proxy && !handlers_find_proxy(call, proxy, &wish.proxy_index)))
        return REST_ANSWERED;
    wish.has_proxy = proxy != NULL;
    read_wish(call, &wish);
    rc = connect_wait_begin(call->gateway, call->pendings, call->request, &wish);
    if (rc == 0)
        return 0;
    connect_wait_refuse(&call->request->answer, rc);
    return REST_ANSWERED;
}

int handlers_link(struct call *call)
{
    usec_t longest = (usec_t) query_integer(call->query, "timeout_ms", WAIT_STANDARD_MS);
    struct gateway_link link;
    uint64_t address;

    if (!handlers_read_address(call, call->parameters[0], &address))
        return REST_ANSWERED;
    if (!query_text(call->query, "wait") || longest == 0 ||
        !gateway_get_link(call->gateway, address, &link))
        return answer_link(call, address);
    if (disconnect_wait_begin(call->gateway, call->pendings, call->request, address,
                              longest * USEC_PER_MSEC) == 0)
        return 0;
    rest_refuse(&call->request->answer, 503, E_OVERLOADED, "too many requests wait already");
    return REST_ANSWERED;
}

/* The lease of a link that is gone went with it. */
int handlers_disconnect(struct call *call)
{
    const char *lease = query_text(call->query, "lease");
    struct gateway_link link;
    uint64_t address;
    int rc;

    if (!handlers_read_address(call, call->parameters[0], &address))
        return REST_ANSWERED;
    rc = gateway_disconnect(call->gateway, address, lease);
    if (rc == 0 || (rc == E_GONE && !gateway_get_link(call->gateway, address, &link)))
        return answer_link(call, address);
    connect_wait_refuse(&call->request->answer, rc);
    return REST_ANSWERED;
}

/* ---- slots ---- */

static void write_freed(struct writer *w, const char *proxy, uint64_t address, const char *holder,
                        const char *detail)
{
    writer_begin_object(w, NULL);
    writer_text(w, "proxy", proxy);
    writer_address(w, "address", address);
    writer_text(w, "holder", holder);
    writer_bool(w, "freed", true);
    writer_text(w, "detail", detail);
    writer_end_object(w);
}

/* Foreign is what nobody says more of. */
static const char *find_holder(const struct gateway *g, size_t proxy_index, uint64_t address)
{
    struct gateway_slot_entry entry;

    for (size_t i = 0; gateway_get_slot_entry(g, proxy_index, i, &entry); i++) {
        if (entry.address == address)
            return entry.holder;
    }
    return "foreign";
}

/* The slot is ours: the clients whose leases hold it are told. */
static void refuse_ours(struct call *call, uint64_t address)
{
    struct gateway_lease lease = {0};
    bool is_held = gateway_get_lease(call->gateway, address, 0, &lease);
    const struct problem problem = {
            .cause = E_CONFLICT,
            .status = 409,
            .detail = "the slot carries a link of ours: DELETE /devices/{address}/connection ends "
                      "it",
            .holder = is_held ? lease.client : "gateway",
    };

    answer_set_problem(&call->request->answer, &problem);
}

static void refuse_free(struct call *call, uint64_t address, int cause)
{
    struct problem problem = {.cause = cause, .status = 503};

    switch (cause) {
    case E_CONFLICT:
        refuse_ours(call, address);
        return;
    case E_NOT_FOUND:
        rest_refuse(&call->request->answer, 404, cause, "no slot there is taken by this device");
        return;
    case E_PROXY_OFFLINE:
        problem.proxy = call->parameters[0];
        problem.retry_after_s = 1;
        answer_set_problem(&call->request->answer, &problem);
        return;
    default:
        connect_wait_refuse(&call->request->answer, cause);
    }
}

int handlers_free_slot(struct call *call)
{
    const char *holder;
    struct writer w = {0};
    uint64_t address;
    size_t index;
    int rc;

    if (!handlers_find_proxy(call, call->parameters[0], &index) ||
        !handlers_read_address(call, call->parameters[1], &address))
        return REST_ANSWERED;
    holder = find_holder(call->gateway, index, address);
    rc = gateway_free_slot(call->gateway, index, address);
    if (rc != 0) {
        refuse_free(call, address, rc);
        return REST_ANSWERED;
    }
    write_freed(&w, call->parameters[0], address, holder,
                strcmp(holder, "foreign") == 0 ? "another client of the proxy loses its connection"
                                               : NULL);
    return answer_json(call, &w);
}

/* ---- what nobody holds ---- */

struct stale {
    const char *proxy;
    uint64_t address;
    const char *holder;
};

static void add_stale(struct stale **list, size_t *count, const char *proxy, uint64_t address,
                      const char *holder)
{
    *list = memory_resize(*list, *count + 1, sizeof **list);
    (*list)[(*count)++] = (struct stale){proxy, address, holder};
}

static void collect_orphans(const struct gateway *g, struct stale **list, size_t *count)
{
    struct gateway_slot_entry entry;

    for (size_t p = 0; p < gateway_proxies_count(g); p++) {
        for (size_t i = 0; gateway_get_slot_entry(g, p, i, &entry); i++) {
            if (strcmp(entry.holder, "orphan") == 0)
                add_stale(list, count, gateway_config(g)->proxies[p].name, entry.address, "orphan");
        }
    }
}

static bool is_connected(const struct gateway_link *link)
{
    return strcmp(link->state, "connected") == 0;
}

static void collect_unheld(const struct gateway *g, struct stale **list, size_t *count)
{
    struct gateway_link link;
    size_t position = 0;

    while (gateway_next_link(g, &position, &link)) {
        if (is_connected(&link) && link.leases == 0 && link.proxy)
            add_stale(list, count, link.proxy, link.address, "ours");
    }
}

/* An orphan was asked for; a link of ours that is still connected lingers, and stays. */
static bool is_released(const struct gateway *g, const struct stale *s)
{
    struct gateway_link link;

    return strcmp(s->holder, "ours") != 0 || !gateway_get_link(g, s->address, &link) ||
           !is_connected(&link);
}

int handlers_close_stale(struct call *call)
{
    struct stale *list AUTO_FREE = NULL;
    struct writer w = {0};
    size_t count = 0;

    collect_orphans(call->gateway, &list, &count);
    collect_unheld(call->gateway, &list, &count);
    (void) gateway_close_stale(call->gateway); /* what it did shows in the links themselves */
    writer_begin_object(&w, NULL);
    writer_begin_array(&w, "items");
    for (size_t i = 0; i < count; i++) {
        if (is_released(call->gateway, &list[i]))
            write_freed(&w, list[i].proxy, list[i].address, list[i].holder, NULL);
    }
    writer_end_array(&w);
    writer_end_object(&w);
    return answer_json(call, &w);
}
