/* The facade's section of links: gateway/link with names instead of numbers. A command goes to the
 * room, which answers later; what happens there comes back as gateway_tell_link(). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "linking.h"
#include "subscribers.h"
#include "view.h"

struct gateway_link_request {
    struct gateway *gateway;
    struct link_request *request;
    gateway_link_fn *done; /* NULL: given up */
    void *user;
};

/* ---- values ---- */

static const char *proxy_name(const struct gateway *g, uint16_t source)
{
    return source == LINK_NO_SOURCE ? NULL : view_source_name(g, source);
}

static const char *reason_name(bool has_reason, int32_t reason)
{
    return has_reason ? retry_reason_name(reason) : NULL;
}

static struct gateway_score_terms view_terms(const struct route_terms *t)
{
    return (struct gateway_score_terms){t->rssi,      t->in_progress, t->failures,
                                        t->last_slot, t->bond,        t->weight};
}

static const char *result_name(enum attempt_end end)
{
    static const char *const names[] = {
            [ATTEMPT_CONNECTED] = "connected", [ATTEMPT_TIMED_OUT] = "timeout",
            [ATTEMPT_REFUSED] = "refused",     [ATTEMPT_FAILED] = "failed",
            [ATTEMPT_PROXY_LOST] = "failed",   [ATTEMPT_CANCELLED] = "cancelled"};

    return names[end];
}

static struct gateway_attempt view_attempt(const struct gateway *g, const struct link_attempt *a)
{
    return (struct gateway_attempt){
            .proxy = proxy_name(g, a->source),
            .started = a->started,
            .duration = a->duration,
            .is_over = a->is_over,
            .result = a->is_over ? result_name(a->end) : NULL,
            .code = a->code,
            .has_reason = a->has_reason,
            .reason = a->reason,
            .reason_name = reason_name(a->has_reason, a->reason),
            .terms = view_terms(&a->terms),
    };
}

static void view_link(const struct gateway *g, const struct link_view *l,
                      struct gateway_link *ret_link)
{
    *ret_link = (struct gateway_link){
            .address = l->address,
            .state = link_state_name(l->state),
            .proxy = proxy_name(g, l->source),
            .mtu = l->mtu,
            .mtu_source = l->mtu > 0 ? link_mtu_source_name(l->mtu_source) : NULL,
            .since = l->since,
            .linger_until = l->linger_until,
            .queue_position = l->queue_position,
            .leases = l->leases,
            .attempts = l->attempts,
    };
}

/* ---- questions ---- */

bool gateway_get_link(const struct gateway *g, uint64_t address, struct gateway_link *ret_link)
{
    const struct links *links = linking_links(g->linking);
    struct link_attempt attempt;
    struct link_view view;

    if (links_get(links, address, &view)) {
        view_link(g, &view, ret_link);
        return true;
    }
    *ret_link = (struct gateway_link){.address = address, .state = "none"};
    while (links_get_attempt(links, address, ret_link->attempts, &attempt))
        ret_link->attempts++;
    return false;
}

bool gateway_next_link(const struct gateway *g, size_t *position, struct gateway_link *ret_link)
{
    struct link_view view;

    if (!links_next(linking_links(g->linking), position, &view))
        return false;
    view_link(g, &view, ret_link);
    return true;
}

size_t gateway_links_count(const struct gateway *g)
{
    return links_count(linking_links(g->linking));
}

bool gateway_get_lease(const struct gateway *g, uint64_t address, size_t index,
                       struct gateway_lease *ret_lease)
{
    struct link_lease lease;

    if (!links_get_lease(linking_links(g->linking), address, index, &lease))
        return false;
    memcpy(g->lease_id, lease.id, sizeof lease.id);
    *ret_lease = (struct gateway_lease){
            .id = g->lease_id,
            .client = lease.client ? lease.client : "",
            .purpose = lease.purpose,
            .expires = lease.expires,
    };
    return true;
}

bool gateway_get_attempt(const struct gateway *g, uint64_t address, size_t index,
                         struct gateway_attempt *ret_attempt)
{
    struct link_attempt attempt;

    if (!links_get_attempt(linking_links(g->linking), address, index, &attempt))
        return false;
    *ret_attempt = view_attempt(g, &attempt);
    return true;
}

/* ---- requests ---- */

void gateway_default_wish(const struct gateway *g, struct gateway_wish *ret_wish)
{
    const struct config *c = g->config;

    *ret_wish = (struct gateway_wish){
            .timeout = (usec_t) c->links_timeout_ms * USEC_PER_MSEC,
            .attempt_timeout = (usec_t) c->links_attempt_timeout_ms * USEC_PER_MSEC,
            .queue_for = (usec_t) c->links_queue_ms * USEC_PER_MSEC,
            .attempts = (unsigned) c->links_attempts,
            .use_cache = true,
            .lease = (usec_t) c->links_lease_s * USEC_PER_SEC,
    };
}

void gateway_view_link_answer(const struct gateway *g, const struct link_answer *a,
                              struct gateway_attempt *attempts,
                              struct gateway_link_answer *ret_answer)
{
    *ret_answer = (struct gateway_link_answer){
            .code = a->code,
            .has_reason = a->has_reason,
            .reason = a->reason,
            .reason_name = reason_name(a->has_reason, a->reason),
            .lease = a->lease,
            .expires = a->expires,
            .proxy = proxy_name(g, a->source),
            .retry_after = a->retry_after,
            .attempts = attempts,
            .attempts_count = a->attempts_count,
    };
    for (size_t i = 0; i < a->attempts_count; i++)
        attempts[i] = view_attempt(g, &a->attempts[i]);
}

static void tell_answer(const struct gateway_link_request *r, const struct link_answer *a)
{
    struct gateway_attempt *attempts AUTO_FREE = xnew(struct gateway_attempt, a->attempts_count);
    struct gateway_link_answer answer;

    gateway_view_link_answer(r->gateway, a, attempts, &answer);
    r->done(r->user, &answer);
}

/* The room is in order already: what led to the answer is told first. */
static void on_answer(void *user, const struct link_answer *answer)
{
    struct gateway_link_request *r = user;

    linking_settle(r->gateway->linking, clock_now());
    if (r->done)
        tell_answer(r, answer);
    free(r);
}

struct link_wish gateway_make_link_wish(const struct gateway *g, const struct gateway_wish *w)
{
    return (struct link_wish){
            .address = w->address,
            .timeout = w->timeout,
            .attempt_timeout = w->attempt_timeout,
            .queue_for = w->queue_for,
            .attempts = w->attempts,
            .source = w->has_proxy ? gateway_source(g, w->proxy_index) : LINK_NO_SOURCE,
            .use_cache = w->use_cache,
            .pair = w->pair,
            .is_auto_reconnect = w->is_auto_reconnect,
            .priority = w->priority,
            .lease = w->lease,
            .renew = w->renew,
            .client = w->client,
            .purpose = w->purpose,
    };
}

int gateway_connect(struct gateway *g, const struct gateway_wish *w, gateway_link_fn *done,
                    void *user, struct gateway_link_request **ret_request)
{
    const struct link_wish wish = gateway_make_link_wish(g, w);
    struct gateway_link_request *r = xnew(struct gateway_link_request, 1);
    usec_t now = clock_now();
    int rc;

    *r = (struct gateway_link_request){.gateway = g, .done = done, .user = user};
    rc = links_connect(linking_links(g->linking), &wish, on_answer, r, now, &r->request);
    if (rc < 0) {
        free(r);
        return rc;
    }
    *ret_request = r;
    linking_settle(g->linking, now);
    return 0;
}

void gateway_connect_cancel(struct gateway *g, struct gateway_link_request *request)
{
    usec_t now = clock_now();

    request->done = NULL;
    links_cancel(linking_links(g->linking), request->request, now);
    linking_settle(g->linking, now);
}

int gateway_disconnect(struct gateway *g, uint64_t address, const char *lease)
{
    usec_t now = clock_now();
    int rc = links_release(linking_links(g->linking), address, lease, now);

    linking_settle(g->linking, now);
    return rc;
}

int gateway_free_slot(struct gateway *g, size_t proxy_index, uint64_t address)
{
    usec_t now = clock_now();
    int rc = links_free_slot(linking_links(g->linking), gateway_source(g, proxy_index), address,
                             now);

    linking_settle(g->linking, now);
    return rc;
}

size_t gateway_close_stale(struct gateway *g)
{
    usec_t now = clock_now();
    size_t count = links_close_stale(linking_links(g->linking), now);

    linking_settle(g->linking, now);
    return count;
}

/* ---- proxies ---- */

bool gateway_get_slot_entry(const struct gateway *g, size_t proxy_index, size_t index,
                            struct gateway_slot_entry *ret_entry)
{
    struct ledger_slot slot;

    if (!links_get_slot(linking_links(g->linking), gateway_source(g, proxy_index), index, &slot))
        return false;
    *ret_entry = (struct gateway_slot_entry){
            .address = slot.address,
            .holder = slot_holder_name(slot.holder),
            .since = slot.since,
    };
    return true;
}

void gateway_get_proxy_links(const struct gateway *g, size_t proxy_index,
                             struct gateway_proxy_links *ret_links)
{
    struct link_proxy_view view;

    links_get_proxy(linking_links(g->linking), gateway_source(g, proxy_index), clock_now(), &view);
    *ret_links = (struct gateway_proxy_links){
            .ours = view.slots.ours,
            .foreign = view.slots.foreign,
            .orphans = view.slots.orphans,
            .in_progress = view.slots.in_progress,
            .completed = view.completed,
            .failed = view.failed,
            .last_success = view.last_success,
    };
}

void gateway_get_links_statistics(const struct gateway *g,
                                  struct gateway_links_statistics *ret_statistics)
{
    struct links_statistics s;

    links_get_statistics(linking_links(g->linking), &s);
    *ret_statistics = (struct gateway_links_statistics){
            .links = s.links,
            .connected = s.connected,
            .waiting = s.waiting,
            .requests = s.requests,
            .answered = s.answered,
            .succeeded = s.by_code_ok,
            .orphans_freed = s.orphans_freed,
            .lost = s.lost,
            .inconsistent = s.inconsistent,
    };
}

/* ---- what a request would meet ---- */

static struct gateway_route view_route(const struct gateway *g, const struct route_candidate *c,
                                       const struct route_rank *r)
{
    bool is_candidate = r->cause == ROUTE_FINE;

    return (struct gateway_route){
            .proxy_index = roster_place(g->roster, c->source),
            .proxy = proxy_name(g, c->source),
            .is_candidate = is_candidate,
            .cause = is_candidate ? NULL : route_cause_name(r->cause),
            .detail = is_candidate ? NULL : route_cause_sentence(r->cause),
            .was_heard = c->was_heard,
            .rssi = c->rssi,
            .rssi_smoothed = c->rssi_smoothed,
            .last_heard = c->last_heard,
            .has_slots = c->has_slots,
            .slots_free = c->slots_free,
            .slots_limit = c->slots_limit,
            .in_progress = c->in_progress,
            .failures = c->failures,
            .is_bonded = c->is_bonded,
            .score = r->score,
            .terms = view_terms(&r->terms),
    };
}

size_t gateway_get_routes(const struct gateway *g, uint64_t address,
                          struct gateway_route *ret_routes, size_t max, int *ret_code)
{
    struct route_candidate *candidates AUTO_FREE = xnew(struct route_candidate, max);
    struct route_rank *ranks AUTO_FREE = xnew(struct route_rank, max);
    size_t count = 0, used = 0;

    *ret_code = links_explain(linking_links(g->linking), address, clock_now(), candidates, ranks,
                              max, &count);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            if (candidates[k].source == ranks[i].source && roster_get(g->roster, ranks[i].source))
                ret_routes[used++] = view_route(g, &candidates[k], &ranks[i]);
        }
    }
    return used;
}

/* ---- what happens ---- */

static const char *action_of(const struct link_event *event, uint16_t moved_from)
{
    switch (event->kind) {
    case LINK_EVENT_QUEUED:
        return "queued";
    case LINK_EVENT_CONNECTED:
        return moved_from == LINK_NO_SOURCE ? "opened" : "moved";
    case LINK_EVENT_DISCONNECTED:
        return "closed";
    case LINK_EVENT_FAILED:
        return "failed";
    case LINK_EVENT_CONNECTING:
    case LINK_EVENT_LEASES:
        return NULL;
    }
    assert(false);
    return NULL;
}

void gateway_tell_link(void *user, const struct link_event *event, uint16_t moved_from)
{
    struct gateway *g = user;
    const struct gateway_link_change told = {
            .action = action_of(event, moved_from),
            .time = event->time,
            .address = event->address,
            .proxy = proxy_name(g, event->source),
            .from = proxy_name(g, moved_from),
            .code = event->code,
            .has_reason = event->has_reason,
            .reason = event->reason,
            .reason_name = reason_name(event->has_reason, event->reason),
    };

    subscribers_tell_link(g, &told);
}
