/* The story. A request asks links for its link, and holds it by a lease of its own unless it was
 * given one. If it needs the tree, it waits until that is there and checked; then its target is
 * looked up, its operation stands in line, and what comes of it is its answer. Each of these is
 * something that it awaits; what came of it is its outcome, and it goes on from there.
 *
 * Failure modes. The link is lost: it begins again, as often as it may. The link is opened anew for
 * somebody's sake: it begins again, and that does not count. Its handle is refused, and the tree
 * may be an old one: once, it has the tree forgotten and begins again with a new one. Everything
 * else, and its deadline, ends it. */
#include "gatt/gatt_requests.h"

#include <assert.h>

#include "gatt/access.h"
#include "gatt/gatt_request.h"
#include "gatt/link_tree.h"
#include "gatt/operations.h"
#include "gatt/subscriptions.h"
#include "gatt/target.h"

/* ---- the operation ---- */

static void know(struct gatt_request *r, const struct gatt_known *known)
{
    gatt_request_hold_tree(r, known->tree);
    r->known = *known;
    r->answer.known = &r->known;
}

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

/* A read that is not sent yet serves all who want that value, unless something is to be written
 * before theirs. */
static void operate(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    const struct message message = {.type = message_type_of(r->wish.verb),
                                    .gatt = {.address = p->address,
                                             .handle = r->answer.handle,
                                             .flag = r->answer.with_response,
                                             .data = r->wish.value}};
    bool is_read = r->wish.verb == GATT_VERB_READ || r->wish.verb == GATT_VERB_READ_DESCRIPTOR;
    struct operation *o =
            is_read ? operations_find_read(p, message.type, message.gatt.handle) : NULL;

    if (o)
        g->counted.shared_reads++;
    else
        o = operations_add(g, p, &message, LINK_NO_SOURCE);
    operations_join(o, r);
    gatt_request_wait(r, GATT_AWAITS_OPERATION);
}

static void subscribe(struct gatt *g, struct peer *p, struct gatt_request *r,
                      enum gatt_subscription_type type)
{
    int code = subscriptions_join(g, p, r, r->answer.entry, type);

    if (code)
        gatt_request_end(g, r, code);
    else
        gatt_request_wait(r, GATT_AWAITS_SUBSCRIPTION);
}

static void serve(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    struct gatt_tree *tree = p->has_tree ? p->known.tree : NULL;
    enum gatt_subscription_type type;
    int code;

    if (r->wish.verb == GATT_VERB_SERVICES) {
        know(r, &p->known);
        r->answer.is_discovered = p->is_discovered;
        gatt_request_succeed(g, p, r);
        return;
    }
    code = target_check(tree, &r->wish, p->mtu, &r->answer, &type);
    if (tree)
        gatt_request_hold_tree(r, tree);
    if (code)
        gatt_request_end(g, r, code);
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
    gatt_request_wait(r, GATT_AWAITS_OPERATION);
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
        gatt_request_end(g, r, E_NOT_CONNECTED);
    else if (!has_feature(g, r, source, PROXY_FEATURE_PAIRING, "pairing"))
        gatt_request_end(g, r, E_NOT_SUPPORTED);
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
        gatt_request_succeed(g, p, r);
}

static void set_parameters(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    struct message message = {.type = MESSAGE_SET_CONNECTION_PARAMS_REQUEST,
                              .connection_params = r->wish.parameters};

    message.connection_params.address = p->address;
    if (!p->is_open)
        gatt_request_end(g, r, E_NOT_CONNECTED);
    else if (!has_feature(g, r, p->source, PROXY_FEATURE_CONNECTION_PARAMS, "connection_params"))
        gatt_request_end(g, r, E_NOT_SUPPORTED);
    else
        operate_on(g, p, r, &message, LINK_NO_SOURCE);
}

static void unsubscribe(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    if (!subscriptions_end(g, p, r, r->wish.link.renew)) {
        gatt_request_succeed(g, p, r);
        return;
    }
    r->deadline = clock_after(g->now, r->wish.timeout);
    gatt_request_wait(r, GATT_AWAITS_SUBSCRIPTION);
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
    if (!access_has_link(p, r))
        access_ask_for_link(g, r);
    else if (r->wish.verb == GATT_VERB_PAIR)
        access_ask_for_pairing(g, r);
    else if (access_has_tree(g, p, r))
        serve(g, p, r);
}

static void go_on(struct gatt *g, struct peer *p, struct gatt_request *r)
{
    switch (r->wish.verb) {
    case GATT_VERB_SERVICES:
        if (r->awaits == GATT_AWAITS_NOTHING && is_known(g, r)) {
            gatt_request_succeed(g, p, r);
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
    gatt_request_succeed(g, p, r);
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
    gatt_request_begin_again(r);
    if (++r->reopens > GATT_REOPENS_MAX)
        gatt_request_end(g, r, E_DISCONNECTED);
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
    gatt_request_fail(g, r, &r->outcome);
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
        if (!r->answer.handle || !link_tree_is_doubted_by(p, &r->outcome))
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
        gatt_request_succeed(g, p,
                             r); /* ours is gone in any case, and with the link a subscription */
    } else if (is_proxys) {
        if (r->outcome.code == E_GATT_ERROR)
            r->outcome.code = E_PAIRING_FAILED;
        gatt_request_fail(g, r, &r->outcome);
    } else if (r->wish.verb != GATT_VERB_PARAMETERS && is_again(g, p, r)) {
        if (r->had_doubt == had_doubt)
            gatt_request_begin_again(r);
        go_on(g, p, r);
    } else {
        if (r->outcome.code == GATT_AGAIN)
            r->outcome.code = E_DISCONNECTED;
        gatt_request_fail(g, r, &r->outcome);
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
        gatt_request_end(g, r, E_SHUTTING_DOWN);
        return;
    }
    if (is_late(g, r)) {
        gatt_request_detach(g, r);
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
