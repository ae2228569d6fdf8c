/* What clients ask for. A request finds its link or makes one, and joins it in whatever phase that
 * is; nothing is answered from here, and what is to be done is done by the next links_advance(). */
#include "links.h"

#include "base/error.h"
#include "link/holding.h"
#include "link/tenure.h"

static void join_opening(struct links *l, struct link *link, const struct link_request *request)
{
    struct opening *opening = link->opening;

    if (!opening->is_led) {
        links_core_lead(l, link, request);
        return;
    }
    if (request->wish.priority <= opening->priority)
        return;
    opening->priority = request->wish.priority;
    if (link->phase == LINK_PHASE_QUEUED)
        line_put(&l->line, link);
    l->has_news = true;
}

/* A link that nobody holds gives way to one through the proxy that is asked for. */
static void join_link(struct links *l, struct link *link, const struct link_request *request)
{
    uint16_t source = request->wish.source;
    bool is_elsewhere = source != LINK_NO_SOURCE && source != link->source;
    bool is_alone = link->waiting == request && !request->next;

    if (is_elsewhere && is_alone && link->leases.count == 0 && !link->is_kept)
        tenure_close(l, link);
    else
        tenure_join(l, link);
}

static void join(struct links *l, struct link *link, struct link_request *request)
{
    bool is_running = link->phase == LINK_PHASE_CONNECTING;

    request->first_attempt = link->attempts.begun - (is_running ? 1 : 0);
    request_append(&link->waiting, request);
    switch (link->phase) {
    case LINK_PHASE_IDLE:
        links_core_open(l, link, request);
        break;
    case LINK_PHASE_QUEUED:
    case LINK_PHASE_CONNECTING:
        join_opening(l, link, request);
        break;
    case LINK_PHASE_CONNECTED:
        join_link(l, link, request);
        break;
    case LINK_PHASE_DISCONNECTING:
        break; /* the next link is for it */
    }
    links_core_touch(l, link);
}

static size_t holders(const struct link *link)
{
    size_t count = link->leases.count;

    for (const struct link_request *r = link->waiting; r; r = r->next)
        count++;
    return count;
}

/* Renewing holds at once, so that the lease does not end while its link is opened again. */
static bool renew(struct links *l, struct link *link, const struct link_wish *wish)
{
    struct lease *lease = link ? leases_find(&link->leases, wish->renew) : NULL;

    if (lease)
        lease->expires = link_later(l->now, wish->lease);
    return lease != NULL;
}

int links_connect(struct links *l, const struct link_wish *wish, link_done_fn *done, void *user,
                  usec_t now, struct link_request **ret_request)
{
    struct link *link = links_core_find(l, wish->address);
    struct link_request *request;

    if (l->is_closing)
        return E_SHUTTING_DOWN;
    if (l->open_requests >= l->settings.queue_length)
        return E_QUEUE_FULL;
    if (link && !wish->renew && holders(link) >= LINK_LEASES_MAX)
        return E_OVERLOADED;
    links_core_set_now(l, now);
    request = request_new(wish, done, user, l->now);
    l->open_requests++;
    l->counted.requests++;
    if (!l->house.is_known(l->house.user, wish->address))
        links_core_answer_alone(l, request, E_DEVICE_NOT_FOUND);
    else if (wish->renew && !renew(l, link, wish))
        links_core_answer_alone(l, request, E_GONE);
    else
        join(l, links_core_obtain(l, wish->address), request);
    *ret_request = request;
    return 0;
}

static void end_lease(struct links *l, struct link *link, struct lease *lease)
{
    leases_remove(&link->leases, lease);
    links_core_tell(l, link, LINK_EVENT_LEASES, 0, NULL);
    holding_left(l, link);
}

/* It had succeeded, or failed, and nobody heard of it yet. */
static void cancel_answered(struct links *l, struct link_request *request)
{
    struct link *link = links_core_find(l, request->address);
    struct lease *lease = NULL;

    if (link && request->answer.lease && !request->wish.renew)
        lease = leases_find(&link->leases, request->answer.lease);
    request->answer.code = E_CANCELLED;
    request->answer.lease = NULL;
    if (lease)
        end_lease(l, link, lease);
}

void links_cancel(struct links *l, struct link_request *request, usec_t now)
{
    struct link *link = links_core_find(l, request->address);

    links_core_set_now(l, now);
    switch (request->state) {
    case REQUEST_WAITING:
        links_core_answer(l, link, request, E_CANCELLED, NULL);
        holding_left(l, link);
        return;
    case REQUEST_FAILING:
        request->answer.code = E_CANCELLED;
        links_core_answer_now(l, link, request);
        links_core_touch(l, link);
        return;
    case REQUEST_ANSWERED:
        cancel_answered(l, request);
        return;
    }
}

int links_release(struct links *l, uint64_t address, const char *id, usec_t now)
{
    struct link *link = links_core_find(l, address);
    struct lease *lease = link && id ? leases_find(&link->leases, id) : NULL;

    links_core_set_now(l, now);
    if (id && !lease)
        return E_GONE;
    if (id)
        end_lease(l, link, lease);
    else if (link)
        holding_close(l, link, E_CANCELLED);
    return 0;
}

void links_reopen(struct links *l, uint64_t address, usec_t now)
{
    struct link *link = links_core_find(l, address);

    links_core_set_now(l, now);
    if (!link || link->phase != LINK_PHASE_CONNECTED)
        return;
    link->is_reopening = true;
    tenure_close(l, link);
}

void links_keep(struct links *l, uint64_t address, bool is_kept, usec_t now)
{
    struct link *link = links_core_find(l, address);

    if (l->is_closing || (link ? link->is_kept : false) == is_kept)
        return;
    links_core_set_now(l, now);
    link = links_core_obtain(l, address);
    link->is_kept = is_kept;
    if (is_kept && link->phase == LINK_PHASE_IDLE)
        link->reopen_at = l->now;
    holding_left(l, link);
}
