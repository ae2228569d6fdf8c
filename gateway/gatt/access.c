/* What a request needs before it can work. Links answer from inside their own calls: what they say
 * is noted, and the request goes on with the next advance, when they are at rest. A lease that it
 * was given, or has, is renewed for as long as it would live anyway; else it gets one. */
#include "gatt/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "gatt/gatt_request.h"
#include "gatt/link_tree.h"
#include "gatt/target.h"

/* ---- the link ---- */

static void note_link_answer(struct gatt_request *r, const struct link_answer *answer)
{
    r->outcome = (struct gatt_outcome){
            .code = answer->code, .has_number = answer->has_reason, .number = answer->reason};
    r->link_answer = *answer;
    r->link_answer.lease = NULL;
    r->link_answer.attempts = r->attempts;
    if (answer->attempts_count > 0)
        memcpy(r->attempts, answer->attempts, answer->attempts_count * sizeof r->attempts[0]);
}

/* Of links. What follows is done by the next advance, when links are at rest. */
static void on_link(void *user, const struct link_answer *answer)
{
    struct opening_ticket *ticket = user;
    struct gatt_request *r = ticket->request;
    struct gatt *g = ticket->gatt;

    g->tickets--;
    free(ticket);
    if (!r)
        return;
    r->ticket = NULL;
    r->state = GATT_REQUEST_READY;
    note_link_answer(r, answer);
    if (answer->code == 0)
        snprintf(r->lease, sizeof r->lease, "%s", answer->lease);
    gatt_core_hurry(g, r->peer);
}

static void connect_link(struct gatt *g, struct gatt_request *r, const struct link_wish *wish,
                         enum gatt_await awaits)
{
    struct opening_ticket *ticket = xnew(struct opening_ticket, 1);
    struct gatt_outcome refused = {0};

    ticket->gatt = g;
    ticket->request = r;
    refused.code = links_connect(g->links, wish, on_link, ticket, g->now, &ticket->link_request);
    if (refused.code) {
        free(ticket);
        gatt_request_fail(g, r, &refused);
        return;
    }
    g->tickets++;
    r->ticket = ticket;
    gatt_request_wait(r, awaits);
}

/* The lease that it has: to be held on to for as long as it would live anyway. */
static bool renew(struct gatt *g, struct gatt_request *r, struct link_wish *wish)
{
    const char *id = r->wish.link.renew ? r->renew : r->lease;
    struct link_lease lease;

    wish->renew = NULL;
    if (!id[0] || !gatt_core_find_lease(g, r->peer->address, id, &lease))
        return false;
    wish->renew = id;
    wish->is_auto_reconnect = lease.is_auto_reconnect;
    wish->lease = lease.expires == USEC_NEVER
                          ? USEC_NEVER
                          : lease.expires - clock_earlier(lease.expires, g->now);
    return true;
}

void access_ask_for_link(struct gatt *g, struct gatt_request *r)
{
    bool is_own = r->wish.verb != GATT_VERB_SUBSCRIBE;
    struct link_wish wish = r->wish.link;

    if (!renew(g, r, &wish) && r->wish.link.renew) {
        gatt_request_end(g, r, r->lost > 0 ? E_DISCONNECTED : E_GONE);
        return;
    }
    if (!wish.renew && is_own)
        wish.lease = USEC_NEVER;
    connect_link(g, r, &wish, GATT_AWAITS_LINK);
}

void access_ask_for_pairing(struct gatt *g, struct gatt_request *r)
{
    struct link_wish wish = r->wish.link;

    if (!renew(g, r, &wish)) {
        gatt_request_end(g, r, E_DISCONNECTED);
        return;
    }
    wish.pair = true;
    wish.timeout = r->wish.timeout;
    connect_link(g, r, &wish, GATT_AWAITS_PAIRING);
}

bool access_has_link(const struct peer *p, const struct gatt_request *r)
{
    return p->is_open && r->linked_since == p->since;
}

/* ---- the tree ---- */

static void reopen(struct peer *p, struct gatt_request *r)
{
    p->must_reopen = true;
    gatt_request_wait(r, GATT_AWAITS_REOPENING);
}

static void get_tree(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    if (!link_tree_can_ask(p)) {
        reopen(p, r);
        return;
    }
    link_tree_ask(g, p, r);
    gatt_request_wait(r, GATT_AWAITS_TREE);
}

/* Whether it can go on; else it waits. */
bool access_has_tree(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    bool needs_tree = target_needs_tree(&r->wish) || r->had_doubt;
    bool may_be_old = r->wish.link.use_cache || p->is_discovered;

    if (needs_tree && (!p->has_tree || !may_be_old)) {
        get_tree(g, p, r);
        return false;
    }
    if (link_tree_is_check_due(p)) {
        link_tree_check(g, p, r);
        gatt_request_wait(r, GATT_AWAITS_HASH);
        return false;
    }
    return true;
}
