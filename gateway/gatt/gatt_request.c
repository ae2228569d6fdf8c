/* The life of one request. It is copied when it comes, waits for one thing after the other, and
 * when it ends, however, whatever it waits for is told so and its own lease ends; then it stands
 * among the answered until done is called, last of all. */
#include "gatt/gatt_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "gatt/operations.h"
#include "gatt/subscriptions.h"

/* ---- life ---- */

struct gatt_request *gatt_request_add(struct gatt *g, struct peer *p, const struct gatt_wish *wish,
                                      gatt_done_fn *done, void *user)
{
    struct gatt_request *r = xnew(struct gatt_request, 1), **at = &p->requests;
    uint8_t *value = xnew(uint8_t, wish->value.size + 1);

    while (*at)
        at = &(*at)->next;
    *at = r;
    r->peer = p;
    r->wish = *wish;
    if (wish->value.size > 0)
        memcpy(value, wish->value.data, wish->value.size);
    r->wish.value.data = value;
    r->wish.link.client = memory_copy_text(wish->link.client);
    r->wish.link.purpose = memory_copy_text(wish->link.purpose);
    if (wish->link.renew) {
        snprintf(r->renew, sizeof r->renew, "%s", wish->link.renew);
        r->wish.link.renew = r->renew;
    }
    r->wish.link.pair = false;
    r->wish.link.use_cache = wish->link.use_cache && !wish->refresh;
    r->done = done;
    r->user = user;
    r->deadline = USEC_NEVER;
    r->answer.source = LINK_NO_SOURCE;
    p->requests_count++;
    g->open_requests++;
    gatt_core_hurry(g, p);
    return r;
}

static void release(struct gatt *g, struct gatt_request *r)
{
    g->open_requests--;
    gatt_tree_release(r->tree);
    free((void *) r->wish.value.data);
    free((void *) r->wish.link.client);
    free((void *) r->wish.link.purpose);
    free(r);
}

/* Whatever it waits for is told that it waits no more. */
void gatt_request_detach(struct gatt *g, struct gatt_request *r)
{
    if (r->operation)
        operations_leave(r->peer, r);
    if (r->subscription)
        subscriptions_leave(g, r->peer, r);
    if (r->ticket) {
        struct opening_ticket *ticket = r->ticket;

        r->ticket = NULL;
        ticket->request = NULL;
        links_cancel(g->links, ticket->link_request, g->now);
    }
}

static void release_lease(struct gatt *g, struct gatt_request *r)
{
    if (r->lease[0] && !r->wish.link.renew)
        (void) links_release(g->links, r->peer->address, r->lease, g->now);
    r->lease[0] = '\0';
}

static void take_out(struct gatt_request *r)
{
    struct gatt_request **at = &r->peer->requests;

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    r->peer->requests_count--;
}

/* ---- the end ---- */

static bool keeps_lease(const struct gatt_request *r)
{
    return r->wish.verb == GATT_VERB_SUBSCRIBE && r->answer.code == 0;
}

void gatt_request_end(struct gatt *g, struct gatt_request *r, int code)
{
    gatt_request_detach(g, r);
    r->answer.code = code;
    if (!keeps_lease(r))
        release_lease(g, r);
    take_out(r);
    r->state = GATT_REQUEST_ANSWERED;
    r->next = NULL;
    *g->answered_end = r;
    g->answered_end = &r->next;
    gatt_core_hurry(g, r->peer);
}

void gatt_request_fail(struct gatt *g, struct gatt_request *r, const struct gatt_outcome *outcome)
{
    r->answer.has_number = outcome->has_number;
    r->answer.number = outcome->number;
    gatt_request_end(g, r, outcome->code);
}

/* The answer looks into the tree, which may be forgotten before it is told. */
void gatt_request_hold_tree(struct gatt_request *r, struct gatt_tree *tree)
{
    gatt_tree_release(r->tree);
    r->tree = gatt_tree_hold(tree);
}

void gatt_request_succeed(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    struct link_lease lease;

    if (p->is_open && r->answer.source == LINK_NO_SOURCE)
        r->answer.source = p->source;
    r->answer.value = r->outcome.value;
    if (r->wish.verb == GATT_VERB_SUBSCRIBE) {
        r->answer.lease = r->lease;
        if (gatt_core_find_lease(g, p->address, r->lease, &lease))
            r->answer.expires = lease.expires;
    }
    gatt_request_end(g, r, 0);
}

void gatt_request_answer_all(struct gatt *g)
{
    struct gatt_request *batch = g->answered;

    g->answered = NULL;
    g->answered_end = &g->answered;
    while (batch) {
        struct gatt_request *r = batch;

        batch = r->next;
        g->counted.answered += r->answer.code == 0;
        g->counted.failed += r->answer.code != 0;
        if (r->done)
            r->done(r->user, &r->answer);
        release(g, r);
    }
}

void gatt_request_remove(struct gatt *g, struct gatt_request *r)
{
    if (r->state == GATT_REQUEST_ANSWERED) { /* it is freed with the others */
        r->done = NULL;
        if (keeps_lease(r))
            release_lease(g, r);
        return;
    }
    gatt_core_hurry(g, r->peer);
    gatt_request_detach(g, r);
    release_lease(g, r);
    take_out(r);
    g->counted.failed++;
    release(g, r);
}

void gatt_request_wait(struct gatt_request *r, enum gatt_await awaits)
{
    r->state = GATT_REQUEST_WAITING;
    r->awaits = awaits;
}

/* Begins again, with another link. */
void gatt_request_begin_again(struct gatt_request *r)
{
    r->linked_since = 0;
    r->awaits = GATT_AWAITS_NOTHING;
    r->outcome = (struct gatt_outcome){0};
}
