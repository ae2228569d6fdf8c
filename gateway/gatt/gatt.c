/* The story. A request comes and is added to its peer, which is looked at by the next advance: what
 * is ready goes on, subscriptions are driven, operations are sent, and again until nothing changes.
 * What links and proxies tell changes a peer, which is looked at before the call returns.
 *
 * Failure modes. A link that ends takes its operations with it; its requests and subscriptions go
 * on with the next one, or end. A link from which nothing good is to be expected (it does not
 * answer, it is of an old tree) is opened anew as soon as nothing is on the air. What links told
 * earlier than it is heard here is seen by the moment since when a link is open. */
#include "gatt/gatt.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "gatt/gatt_request.h"
#include "gatt/gatt_requests.h"
#include "gatt/link_tree.h"
#include "gatt/operations.h"
#include "gatt/subscriptions.h"

/* ---- life ---- */

struct gatt *gatt_new(const struct gatt_settings *settings, const struct gatt_house *house,
                      struct links *links)
{
    struct gatt *g = xnew(struct gatt, 1);

    g->settings = *settings;
    g->house = *house;
    g->links = links;
    g->cache = gatt_cache_new(settings->cache_entries, &house->cache);
    g->by_address = map_new(0);
    g->answered_end = &g->answered;
    return g;
}

static void drop(struct gatt *g, struct peer *p)
{
    link_tree_end(p);
    gatt_tree_release(p->growing);
    operations_drop(p);
    subscriptions_drop(p);
    heap_remove(&g->due, &p->node);
    map_take(g->by_address, p->address);
    free(p);
}

void gatt_free(struct gatt *g)
{
    struct peer *p;
    size_t position;

    if (!g)
        return;
    assert(g->open_requests == 0 && g->tickets == 0 && g->readers_count == 0);
    while (position = 0, (p = map_next(g->by_address, &position)))
        drop(g, p);
    gatt_cache_free(g->cache);
    map_free(g->by_address);
    heap_done(&g->due);
    free(g);
}

void gatt_configure(struct gatt *g, const struct gatt_settings *settings)
{
    g->settings = *settings;
    gatt_cache_configure(g->cache, settings->cache_entries);
}

struct gatt_cache *gatt_get_cache(struct gatt *g)
{
    return g->cache;
}

/* ---- the link ---- */

static void link_ended(struct gatt *g, struct peer *p, const struct gatt_outcome *outcome)
{
    p->is_open = p->must_reopen = false;
    operations_end(g, p, outcome);
    link_tree_end(p);
    gatt_requests_link_ended(g, p, outcome);
    subscriptions_link_ended(g, p, outcome);
    p->source = LINK_NO_SOURCE;
    gatt_core_hurry(g, p);
}

static void link_begun(struct gatt *g, struct peer *p, const struct link_view *view)
{
    p->is_open = true;
    p->must_reopen = false;
    p->source = view->source;
    p->mtu = view->mtu;
    p->is_cached = view->is_cached;
    p->since = view->since;
    link_tree_begin(g, p);
    gatt_core_hurry(g, p);
}

/* What is true now, as links say. */
static void compare(struct gatt *g, struct peer *p)
{
    static const struct gatt_outcome lost = {.code = E_DISCONNECTED};
    struct link_view view = {.state = LINK_QUEUED};
    bool is_open = links_get(g->links, p->address, &view) && view.state == LINK_CONNECTED;
    bool is_same = is_open && view.since == p->since && view.source == p->source;

    if (p->is_open && !is_same)
        link_ended(g, p, &lost);
    if (is_open && !p->is_open)
        link_begun(g, p, &view);
}

/* What the proxy remembers of a device that changed is cleared first, where it can be. */
static void reopen(struct gatt *g, struct peer *p)
{
    static const struct gatt_outcome again = {.code = GATT_AGAIN};
    const struct message message = {
            .type = MESSAGE_DEVICE_REQUEST,
            .device_request = {.address = p->address, .request_type = DEVICE_REQUEST_CLEAR_CACHE}};

    if (p->is_outdated &&
        g->house.features(g->house.user, p->source) & PROXY_FEATURE_CACHE_CLEARING)
        (void) g->house.send(g->house.user, p->source, &message); /* best effort */
    links_reopen(g->links, p->address, g->now);
    link_ended(g, p, &again);
}

/* A link that is held for long: what changes meanwhile is to be known. */
static void watch(struct gatt *g, struct peer *p)
{
    struct link_view view;

    if (!p->is_open || p->watch_at > g->now)
        return;
    p->watch_at = clock_after(g->now, link_tree_linger(g));
    if (!links_get(g->links, p->address, &view) || (view.leases == 0 && !view.is_kept))
        return;
    p->watch_at = USEC_NEVER;
    subscriptions_watch(g, p);
}

/* ---- what is due ---- */

static usec_t due_of(const struct peer *p)
{
    usec_t due = clock_earlier(operations_deadline(p), gatt_requests_deadline(p));

    if (p->has_work)
        return 0;
    return p->is_open ? clock_earlier(due, p->watch_at) : due;
}

static bool is_idle(const struct peer *p)
{
    return !p->has_work && !p->is_open && !p->requests && !p->subscriptions && !p->line && !p->air;
}

static bool is_quiet(const struct peer *p)
{
    return p->is_open && !p->must_reopen && !p->line && !p->air && !p->requests;
}

static bool must_reopen_now(const struct peer *p)
{
    return p->is_open && p->must_reopen && !p->air;
}

static void look_at(struct gatt *g, struct peer *p)
{
    usec_t due;

    p->has_work = false;
    if (!p->is_open)
        compare(g, p);
    operations_expire(g, p);
    if (must_reopen_now(p))
        reopen(g, p);
    gatt_requests_work(g, p);
    if (must_reopen_now(p))
        gatt_core_hurry(g, p);
    watch(g, p);
    subscriptions_drive(g, p);
    if (is_quiet(p) && link_tree_is_hash_missing(p))
        link_tree_check(g, p, NULL);
    operations_pump(g, p);
    if (is_idle(p)) {
        drop(g, p);
        return;
    }
    due = due_of(p);
    if (due == USEC_NEVER)
        heap_remove(&g->due, &p->node);
    else
        heap_set(&g->due, &p->node, due);
}

static void settle(struct gatt *g)
{
    struct heap_node *node;
    uint64_t due;

    while ((node = heap_first(&g->due, &due)) && due <= g->now)
        look_at(g, CONTAINER_OF(node, struct peer, node));
    gatt_request_answer_all(g);
}

usec_t gatt_deadline(const struct gatt *g)
{
    uint64_t due;

    if (g->answered)
        return g->now;
    heap_first(&g->due, &due);
    return clock_later(due, g->now);
}

void gatt_advance(struct gatt *g, usec_t now)
{
    gatt_core_set_now(g, now);
    settle(g);
}

/* ---- what happens below ---- */

static void on_disconnected(struct gatt *g, struct peer *p, const struct link_event *event)
{
    const struct gatt_outcome outcome = {
            .code = E_DISCONNECTED, .has_number = event->has_reason, .number = event->reason};
    struct link_view view;
    bool is_still = links_get(g->links, p->address, &view) && view.state == LINK_CONNECTED &&
                    view.since == p->since && view.source == p->source;

    if (p->is_open && !is_still)
        link_ended(g, p, &outcome);
    compare(g, p);
}

/* Somebody closed it: what is said now is said in vain. */
static void on_leases(struct gatt *g, struct peer *p)
{
    static const struct gatt_outcome closed = {.code = E_CANCELLED};
    struct link_view view;

    if (p->is_open && links_get(g->links, p->address, &view) && view.state == LINK_DISCONNECTING)
        link_ended(g, p, &closed);
    subscriptions_review(g, p, NULL);
}

void gatt_link_event(struct gatt *g, const struct link_event *event)
{
    struct peer *p = event->kind == LINK_EVENT_CONNECTED ? gatt_core_obtain(g, event->address)
                                                         : gatt_core_find(g, event->address);

    gatt_core_set_now(g, event->time);
    if (!p)
        return;
    gatt_core_hurry(g, p);
    switch (event->kind) {
    case LINK_EVENT_CONNECTED:
        compare(g, p);
        break;
    case LINK_EVENT_DISCONNECTED:
        on_disconnected(g, p, event);
        break;
    case LINK_EVENT_LEASES:
        on_leases(g, p);
        break;
    case LINK_EVENT_QUEUED:
    case LINK_EVENT_CONNECTING:
    case LINK_EVENT_FAILED:
        break;
    }
    settle(g);
}

void gatt_proxy_offline(struct gatt *g, uint16_t source, usec_t now)
{
    static const struct gatt_outcome offline = {.code = E_PROXY_OFFLINE};
    struct peer *p;
    size_t position = 0;

    gatt_core_set_now(g, now);
    while ((p = map_next(g->by_address, &position)))
        operations_end_of_source(g, p, source, &offline);
    settle(g);
}

static void forget_proxy(struct gatt *g, struct peer *p, uint16_t source)
{
    struct gatt_request *next;

    for (struct gatt_request *r = p->requests; r; r = next) {
        next = r->next;
        for (size_t i = 0; i < r->link_answer.attempts_count; i++)
            if (r->attempts[i].source == source)
                r->attempts[i].source = LINK_NO_SOURCE;
        if (r->wish.link.source == source)
            gatt_request_end(g, r, E_PROXY_OFFLINE);
    }
}

void gatt_proxy_removed(struct gatt *g, uint16_t source, usec_t now)
{
    struct peer *p;
    size_t position = 0;

    gatt_core_set_now(g, now);
    while ((p = map_next(g->by_address, &position)))
        forget_proxy(g, p, source);
    gatt_proxy_offline(g, source, now);
}

static uint64_t address_of(const struct message *message)
{
    switch ((int) message->type) {
    case MESSAGE_GATT_GET_SERVICES_RESPONSE:
        return message->services.address;
    case MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE:
    case MESSAGE_GATT_READ_RESPONSE:
    case MESSAGE_GATT_NOTIFY_DATA_RESPONSE:
    case MESSAGE_GATT_ERROR_RESPONSE:
    case MESSAGE_GATT_WRITE_RESPONSE:
    case MESSAGE_GATT_NOTIFY_RESPONSE:
        return message->gatt.address;
    case MESSAGE_DEVICE_UNPAIRING_RESPONSE:
    case MESSAGE_DEVICE_CLEAR_CACHE_RESPONSE:
    case MESSAGE_SET_CONNECTION_PARAMS_RESPONSE:
        return message->result.address;
    default:
        return UINT64_MAX;
    }
}

void gatt_message(struct gatt *g, uint16_t source, const struct message *message, usec_t now)
{
    struct peer *p = gatt_core_find(g, address_of(message));

    gatt_core_set_now(g, now);
    if (!p)
        return;
    if (message->type == MESSAGE_GATT_GET_SERVICES_RESPONSE)
        link_tree_part(g, p, source, &message->services);
    else if (message->type == MESSAGE_GATT_NOTIFY_DATA_RESPONSE)
        subscriptions_value(g, p, source, &message->gatt);
    else if (operations_answer(g, p, source, message))
        gatt_core_hurry(g, p);
    settle(g);
}

/* ---- requests ---- */

/* As clients of proxies check them; the timeout is longer than the time between two events. */
static bool are_possible(const struct message_connection_params *c)
{
    return c->min_interval >= 6 && c->max_interval <= 3200 && c->max_interval >= c->min_interval &&
           c->latency <= 499 && c->timeout >= 10 && c->timeout <= 3200 &&
           c->timeout * 4 > (1 + c->latency) * c->max_interval;
}

int gatt_submit(struct gatt *g, const struct gatt_wish *wish, gatt_done_fn *done, void *user,
                usec_t now, struct gatt_request **ret_request)
{
    const struct peer *p = gatt_core_find(g, wish->link.address);

    if (g->is_closing)
        return E_SHUTTING_DOWN;
    if (wish->value.size > GATT_VALUE_MAX)
        return E_VALUE_TOO_LONG;
    if (wish->verb == GATT_VERB_PARAMETERS && !are_possible(&wish->parameters))
        return E_INVALID_REQUEST;
    if (p && p->requests_count >= g->settings.operations_queue)
        return E_QUEUE_FULL;
    if (g->open_requests >= GATT_REQUESTS_MAX)
        return E_OVERLOADED;
    gatt_core_set_now(g, now);
    g->counted.requests++;
    *ret_request = gatt_request_add(g, gatt_core_obtain(g, wish->link.address), wish, done, user);
    return 0;
}

void gatt_cancel(struct gatt *g, struct gatt_request *request, usec_t now)
{
    gatt_core_set_now(g, now);
    gatt_request_remove(g, request);
}

/* ---- subscriptions ---- */

static const struct subscription *held_at(const struct gatt *g, uint64_t address, size_t index)
{
    const struct peer *p = gatt_core_find(g, address);
    const struct subscription *s = p ? p->subscriptions : NULL;

    for (; s; s = s->next) {
        if (s->holders_count > 0 && index-- == 0)
            return s;
    }
    return NULL;
}

bool gatt_get_subscription(const struct gatt *g, uint64_t address, size_t index,
                           struct gatt_subscription_view *ret_view)
{
    const struct subscription *s = held_at(g, address, index);

    if (!s)
        return false;
    *ret_view = (struct gatt_subscription_view){.handle = s->handle,
                                                .uuid = &s->uuid,
                                                .type = s->type,
                                                .since = s->since,
                                                .counter = s->counter,
                                                .holders = s->holders_count};
    return true;
}

const char *gatt_get_holder(const struct gatt *g, uint64_t address, size_t index, size_t holder)
{
    const struct subscription *s = held_at(g, address, index);

    return s && holder < s->holders_count ? s->holders[holder] : NULL;
}

void gatt_lease_ended(struct gatt *g, uint64_t address, const char *lease, usec_t now)
{
    struct peer *p = gatt_core_find(g, address);

    gatt_core_set_now(g, now);
    if (p)
        subscriptions_review(g, p, lease);
}

/* ---- figures, the end ---- */

static size_t count_subscriptions(const struct peer *p)
{
    size_t count = 0;

    for (const struct subscription *s = p->subscriptions; s; s = s->next)
        count += s->holders_count > 0;
    return count;
}

void gatt_get_statistics(const struct gatt *g, struct gatt_statistics *ret_statistics)
{
    const struct peer *p;
    size_t position = 0;

    *ret_statistics = g->counted;
    ret_statistics->readers = g->readers_count;
    ret_statistics->waiting = 0;
    ret_statistics->subscriptions = 0;
    while ((p = map_next(g->by_address, &position))) {
        ret_statistics->waiting += p->requests_count;
        ret_statistics->subscriptions += count_subscriptions(p);
    }
}

void gatt_close(struct gatt *g, usec_t now)
{
    struct peer *p;
    size_t position = 0;

    gatt_core_set_now(g, now);
    g->is_closing = true;
    while ((p = map_next(g->by_address, &position)))
        gatt_core_hurry(g, p);
}
