/* The story. A request asks links for its link, and holds it by a lease of its own unless it was
 * given one. If it needs the tree, it waits until that is there and checked; then its target is
 * looked up, its operation stands in line, and what comes of it is its answer. Each of these is
 * something that it awaits; what came of it is its outcome, and it goes on from there.
 *
 * Failure modes. The link is lost: it begins again, as often as it may. The link is opened anew for
 * somebody's sake: it begins again, and that does not count. Its handle is refused, and the tree
 * may be an old one: once, it has the tree forgotten and begins again with a new one. Everything
 * else, and its deadline, ends it. Ending puts it among the answered; done is called last of all.
 */
#include "gatt/gatt_requests.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "gatt/link_tree.h"
#include "gatt/operations.h"
#include "gatt/subscriptions.h"
#include "gatt/target.h"

/* ---- life ---- */

struct gatt_request *gatt_requests_add(struct gatt *g, struct peer *p, const struct gatt_wish *wish,
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
static void detach(struct gatt *g, struct gatt_request *r)
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

static void end(struct gatt *g, struct gatt_request *r, int code)
{
    detach(g, r);
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

static void fail_with(struct gatt *g, struct gatt_request *r, const struct gatt_outcome *outcome)
{
    r->answer.has_number = outcome->has_number;
    r->answer.number = outcome->number;
    end(g, r, outcome->code);
}

/* The answer looks into the tree, which may be forgotten before it is told. */
static void hold_tree(struct gatt_request *r, struct gatt_tree *tree)
{
    gatt_tree_release(r->tree);
    r->tree = gatt_tree_hold(tree);
}

static void know(struct gatt_request *r, const struct gatt_known *known)
{
    hold_tree(r, known->tree);
    r->known = *known;
    r->answer.known = &r->known;
}

static void succeed(struct gatt *g, struct peer *p, struct gatt_request *r)
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
    end(g, r, 0);
}

void gatt_requests_remove(struct gatt *g, struct gatt_request *r)
{
    if (r->state == GATT_REQUEST_ANSWERED) { /* it is freed with the others */
        r->done = NULL;
        if (keeps_lease(r))
            release_lease(g, r);
        return;
    }
    gatt_core_hurry(g, r->peer);
    detach(g, r);
    release_lease(g, r);
    take_out(r);
    g->counted.failed++;
    release(g, r);
}

void gatt_requests_answer(struct gatt *g)
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

/* ---- the link ---- */

static void wait_for(struct gatt_request *r, enum gatt_await awaits)
{
    r->state = GATT_REQUEST_WAITING;
    r->awaits = awaits;
}

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
        fail_with(g, r, &refused);
        return;
    }
    g->tickets++;
    r->ticket = ticket;
    wait_for(r, awaits);
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

static void ask_for_link(struct gatt *g, struct gatt_request *r)
{
    bool is_own = r->wish.verb != GATT_VERB_SUBSCRIBE;
    struct link_wish wish = r->wish.link;

    if (!renew(g, r, &wish) && r->wish.link.renew) {
        end(g, r, r->lost > 0 ? E_DISCONNECTED : E_GONE);
        return;
    }
    if (!wish.renew && is_own) {
        wish.lease = USEC_NEVER;
        wish.is_auto_reconnect = false;
    }
    connect_link(g, r, &wish, GATT_AWAITS_LINK);
}

static void ask_for_pairing(struct gatt *g, struct gatt_request *r)
{
    struct link_wish wish = r->wish.link;

    if (!renew(g, r, &wish)) {
        end(g, r, E_DISCONNECTED);
        return;
    }
    wish.pair = true;
    wish.timeout = r->wish.timeout;
    r->deadline = USEC_NEVER; /* links have it */
    connect_link(g, r, &wish, GATT_AWAITS_PAIRING);
}

static bool has_link(const struct peer *p, const struct gatt_request *r)
{
    return p->is_open && r->linked_since == p->since;
}

/* Begins again, with another link. */
static void begin_again(struct gatt_request *r)
{
    r->linked_since = 0;
    r->awaits = GATT_AWAITS_NOTHING;
    r->outcome = (struct gatt_outcome){0};
}

/* ---- the tree ---- */

static void reopen(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    if (r->reopens >= GATT_REOPENS_MAX) {
        end(g, r, E_GATT_ERROR);
        return;
    }
    p->must_reopen = true;
    wait_for(r, GATT_AWAITS_REOPENING);
}

static void get_tree(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    if (!link_tree_can_ask(p)) {
        reopen(g, p, r);
        return;
    }
    link_tree_ask(g, p, r);
    wait_for(r, GATT_AWAITS_TREE);
}

/* Whether it can go on; else it waits. */
static bool has_tree(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    bool needs_tree = target_needs_tree(&r->wish) || r->had_doubt;
    bool may_be_old = r->wish.link.use_cache || p->is_discovered;

    if (needs_tree && (!p->has_tree || !may_be_old)) {
        get_tree(g, p, r);
        return false;
    }
    if (link_tree_is_check_due(p)) {
        link_tree_check(g, p, r);
        wait_for(r, GATT_AWAITS_HASH);
        return false;
    }
    return true;
}

/* ---- the operation ---- */

static enum message_type message_type_of(enum gatt_verb verb)
{
    switch ((int) verb) {
    case GATT_VERB_READ:
        return MESSAGE_GATT_READ_REQUEST;
    case GATT_VERB_READ_DESCRIPTOR:
        return MESSAGE_GATT_READ_DESCRIPTOR_REQUEST;
    case GATT_VERB_WRITE:
        return MESSAGE_GATT_WRITE_REQUEST;
    default:
        assert(verb == GATT_VERB_WRITE_DESCRIPTOR);
        return MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST;
    }
}

/* A read that is not sent yet serves all who want that value. */
static void operate(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    const struct message message = {.type = message_type_of(r->wish.verb),
                                    .gatt = {.address = p->address,
                                             .handle = r->answer.handle,
                                             .flag = r->answer.with_response,
                                             .data = r->wish.value}};
    bool is_read = r->wish.verb == GATT_VERB_READ || r->wish.verb == GATT_VERB_READ_DESCRIPTOR;
    struct operation *o =
            is_read ? operations_find(p, message.type, message.gatt.handle, false) : NULL;

    if (o && !o->done)
        g->counted.shared_reads++;
    else
        o = operations_add(g, p, &message, LINK_NO_SOURCE);
    operations_join(o, r);
    wait_for(r, GATT_AWAITS_OPERATION);
}

static void subscribe(struct gatt *g, struct peer *p, struct gatt_request *r,
                      enum gatt_subscription_type type)
{
    int code = subscriptions_join(g, p, r, r->answer.entry, type);

    if (code)
        end(g, r, code);
    else
        wait_for(r, GATT_AWAITS_SUBSCRIPTION);
}

static void serve(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    struct gatt_tree *tree = p->has_tree ? p->known.tree : NULL;
    enum gatt_subscription_type type;
    int code;

    if (r->wish.verb == GATT_VERB_SERVICES) {
        know(r, &p->known);
        r->answer.is_discovered = p->is_discovered;
        succeed(g, p, r);
        return;
    }
    code = target_check(tree, &r->wish, p->mtu, &r->answer, &type);
    if (tree)
        hold_tree(r, tree);
    if (code)
        end(g, r, code);
    else if (r->wish.verb == GATT_VERB_SUBSCRIBE)
        subscribe(g, p, r, type);
    else
        operate(g, p, r);
}

/* ---- requests that open no link ---- */

static void operate_on(struct gatt *g, struct peer *p, struct gatt_request *r,
                       const struct message *message, uint16_t source)
{
    r->deadline = clock_after(g->now, r->wish.timeout);
    operations_join(operations_add(g, p, message, source), r);
    wait_for(r, GATT_AWAITS_OPERATION);
}

static bool has_feature(struct gatt *g, struct gatt_request *r, uint16_t source, uint32_t feature,
                        const char *name)
{
    if (g->house.features(g->house.user, source) & feature)
        return true;
    r->answer.feature = name;
    r->answer.source = source;
    return false;
}

static uint16_t source_for(const struct peer *p, const struct gatt_request *r)
{
    return r->wish.link.source != LINK_NO_SOURCE ? r->wish.link.source
           : p->is_open                          ? p->source
                                                 : LINK_NO_SOURCE;
}

static void ask_proxy(struct gatt *g, struct peer *p, struct gatt_request *r,
                      enum device_request_type type, uint16_t source)
{
    const struct message message = {
            .type = MESSAGE_DEVICE_REQUEST,
            .device_request = {.address = p->address, .request_type = type}};

    r->answer.source = source;
    operate_on(g, p, r, &message, source);
}

static void unpair(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    uint16_t source = source_for(p, r);

    if (source == LINK_NO_SOURCE)
        end(g, r, E_NOT_CONNECTED);
    else if (!has_feature(g, r, source, PROXY_FEATURE_PAIRING, "pairing"))
        end(g, r, E_NOT_SUPPORTED);
    else
        ask_proxy(g, p, r, DEVICE_REQUEST_UNPAIR, source);
}

static void clear_cache(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    uint16_t source = source_for(p, r);

    link_tree_doubt(g, p, GATT_DOUBT_ASKED);
    if (source != LINK_NO_SOURCE &&
        g->house.features(g->house.user, source) & PROXY_FEATURE_CACHE_CLEARING)
        ask_proxy(g, p, r, DEVICE_REQUEST_CLEAR_CACHE, source);
    else
        succeed(g, p, r);
}

static void set_parameters(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    struct message message = {.type = MESSAGE_SET_CONNECTION_PARAMS_REQUEST,
                              .connection_params = r->wish.parameters};

    message.connection_params.address = p->address;
    if (!p->is_open)
        end(g, r, E_NOT_CONNECTED);
    else if (!has_feature(g, r, p->source, PROXY_FEATURE_CONNECTION_PARAMS, "connection_params"))
        end(g, r, E_NOT_SUPPORTED);
    else
        operate_on(g, p, r, &message, LINK_NO_SOURCE);
}

static void unsubscribe(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    if (!subscriptions_end(g, p, r, r->wish.link.renew)) {
        succeed(g, p, r);
        return;
    }
    r->deadline = clock_after(g->now, r->wish.timeout);
    wait_for(r, GATT_AWAITS_SUBSCRIPTION);
}

static bool is_known(struct gatt *g, struct gatt_request *r)
{
    struct gatt_known known;

    if (r->wish.verb != GATT_VERB_SERVICES || !r->wish.link.use_cache ||
        !gatt_cache_find(g->cache, r->peer->address, g->now, &known))
        return false;
    know(r, &known);
    return true;
}

/* ---- going on ---- */

static void go_on_linked(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    if (!has_link(p, r))
        ask_for_link(g, r);
    else if (r->wish.verb == GATT_VERB_PAIR)
        ask_for_pairing(g, r);
    else if (has_tree(g, p, r))
        serve(g, p, r);
}

static void go_on(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    switch (r->wish.verb) {
    case GATT_VERB_SERVICES:
        if (r->awaits == GATT_AWAITS_NOTHING && is_known(g, r)) {
            succeed(g, p, r);
            return;
        }
        go_on_linked(g, p, r);
        return;
    case GATT_VERB_READ:
    case GATT_VERB_WRITE:
    case GATT_VERB_READ_DESCRIPTOR:
    case GATT_VERB_WRITE_DESCRIPTOR:
    case GATT_VERB_SUBSCRIBE:
    case GATT_VERB_PAIR:
        go_on_linked(g, p, r);
        return;
    case GATT_VERB_UNSUBSCRIBE:
        unsubscribe(g, p, r);
        return;
    case GATT_VERB_UNPAIR:
        unpair(g, p, r);
        return;
    case GATT_VERB_PARAMETERS:
        set_parameters(g, p, r);
        return;
    case GATT_VERB_CLEAR_CACHE:
        clear_cache(g, p, r);
        return;
    }
}

static void done_well(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    if (r->wish.verb == GATT_VERB_UNPAIR)
        g->house.on_bond(g->house.user, r->answer.source, p->address, false);
    if (r->wish.verb == GATT_VERB_CLEAR_CACHE)
        r->answer.cleared_proxy = true;
    if (r->awaits == GATT_AWAITS_OPERATION && r->answer.handle)
        link_tree_worked(g, p, r->answer.handle);
    succeed(g, p, r);
}

/* The link that it got may be gone by now. */
static void got_link(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    if (p->is_open) {
        r->linked_since = p->since;
        r->deadline = clock_after(g->now, r->wish.timeout);
        go_on(g, p, r);
        return;
    }
    begin_again(r);
    if (++r->reopens > GATT_REOPENS_MAX)
        end(g, r, E_DISCONNECTED);
    else
        go_on(g, p, r);
}

static void came_well(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    switch (r->awaits) {
    case GATT_AWAITS_LINK:
        got_link(g, p, r);
        return;
    case GATT_AWAITS_OPERATION:
    case GATT_AWAITS_SUBSCRIPTION:
    case GATT_AWAITS_PAIRING:
        done_well(g, p, r);
        return;
    case GATT_AWAITS_NOTHING:
    case GATT_AWAITS_REOPENING:
    case GATT_AWAITS_TREE:
    case GATT_AWAITS_HASH:
        go_on(g, p, r);
        return;
    }
}

static void link_failed(struct gatt *g, struct gatt_request *r)
{
    bool is_pairing = r->awaits == GATT_AWAITS_PAIRING;

    if (is_pairing && r->outcome.code == E_CONNECT_TIMEOUT)
        r->outcome.code = E_GATT_TIMEOUT;
    else if (is_pairing && r->outcome.code == E_NOT_SUPPORTED)
        r->answer.feature = "pairing";
    else if (r->outcome.code == E_GONE && r->lost > 0)
        r->outcome.code = E_DISCONNECTED; /* the lease ended with the link that was lost */
    r->answer.link = is_pairing ? NULL : &r->link_answer;
    r->answer.source = r->link_answer.source;
    fail_with(g, r, &r->outcome);
}

static bool is_again(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    switch (r->outcome.code) {
    case GATT_AGAIN:
        r->reopens++;
        return r->reopens <= GATT_REOPENS_MAX;
    case E_DISCONNECTED:
        r->lost++;
        return r->lost < r->wish.tries;
    case E_GATT_ERROR:
        if (r->had_doubt || !r->answer.handle || !link_tree_is_doubted_by(p, &r->outcome))
            return false;
        link_tree_doubt(g, p, GATT_DOUBT_INVALID_HANDLE);
        r->had_doubt = true;
        return true;
    default:
        return false;
    }
}

static void came_badly(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    bool is_of_link = r->awaits == GATT_AWAITS_LINK || r->awaits == GATT_AWAITS_PAIRING;
    bool is_proxys = r->wish.verb == GATT_VERB_UNPAIR || r->wish.verb == GATT_VERB_CLEAR_CACHE;
    bool had_doubt = r->had_doubt;

    if (is_of_link) {
        link_failed(g, r);
    } else if (r->wish.verb == GATT_VERB_CLEAR_CACHE || r->wish.verb == GATT_VERB_UNSUBSCRIBE) {
        succeed(g, p, r); /* ours is gone in any case, and with the link a subscription */
    } else if (is_proxys) {
        if (r->outcome.code == E_GATT_ERROR)
            r->outcome.code = E_PAIRING_FAILED;
        fail_with(g, r, &r->outcome);
    } else if (r->wish.verb != GATT_VERB_PARAMETERS && is_again(g, p, r)) {
        if (r->had_doubt == had_doubt)
            begin_again(r);
        go_on(g, p, r);
    } else {
        if (r->outcome.code == GATT_AGAIN)
            r->outcome.code = E_DISCONNECTED;
        fail_with(g, r, &r->outcome);
    }
}

static bool is_late(const struct gatt *g, const struct gatt_request *r)
{
    return r->state == GATT_REQUEST_WAITING && r->deadline <= g->now && !r->ticket;
}

static void work(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    static const struct gatt_outcome late = {.code = E_GATT_TIMEOUT};

    if (g->is_closing) {
        end(g, r, E_SHUTTING_DOWN);
        return;
    }
    if (is_late(g, r)) {
        detach(g, r);
        r->state = GATT_REQUEST_READY;
        r->outcome = late;
    }
    if (r->state != GATT_REQUEST_READY)
        return;
    if (r->outcome.code == 0)
        came_well(g, p, r);
    else
        came_badly(g, p, r);
}

void gatt_requests_work(struct gatt *g, struct peer *p)
{
    for (struct gatt_request *r = p->requests, *next; r; r = next) {
        next = r->next;
        work(g, p, r);
    }
}

void gatt_requests_link_ended(struct gatt *g, struct peer *p, const struct gatt_outcome *outcome)
{
    for (struct gatt_request *r = p->requests; r; r = r->next) {
        if (r->state != GATT_REQUEST_WAITING || r->awaits != GATT_AWAITS_REOPENING)
            continue;
        r->state = GATT_REQUEST_READY;
        r->outcome = *outcome;
    }
    gatt_core_hurry(g, p);
}

usec_t gatt_requests_deadline(const struct peer *p)
{
    usec_t due = USEC_NEVER;

    for (const struct gatt_request *r = p->requests; r; r = r->next) {
        if (r->state == GATT_REQUEST_WAITING && !r->ticket)
            due = clock_earlier(due, r->deadline);
    }
    return due;
}
