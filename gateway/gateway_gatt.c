/* The facade's section of GATT: gateway/gatt with names instead of numbers. A request goes to the
 * room, which answers later; values and ends of leases come back as gateway_tell_value() and the
 * like. Bonds live in proxies: who names none unpairs on one after the other. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "configured.h"
#include "gatting.h"
#include "inside.h"
#include "keeping.h"
#include "subscribers.h"
#include "view.h"

#define BONDS_NONE SIZE_MAX

static_assert(GATEWAY_GATT_HASH_SIZE == GATT_HASH_SIZE, "the same hash");
static_assert(GATT_DOUBT_ASKED < GATEWAY_GATT_DOUBTS_MAX, "each doubt has its counter");

struct gateway_gatt_request {
    struct gateway *gateway;
    struct gatt_request *request;
    struct gatt_wish unpair; /* to be repeated on the next proxy that holds a bond */
    size_t next_bond;        /* BONDS_NONE: it is about one proxy */
    gateway_gatt_fn *done;
    void *user;
};

struct gateway_gatt_reader {
    struct gateway *gateway;
    struct gatt_reader *reader;
    void (*on_ready)(void *user);
    void *user;
};

static struct gatt *room(const struct gateway *g)
{
    return gatting_gatt(g->gatting);
}

static const char *proxy_name(const struct gateway *g, uint16_t source)
{
    return source == LINK_NO_SOURCE ? NULL : view_source_name(g, source);
}

/* ---- what is known ---- */

static struct gateway_gatt view_known(const struct gatt_known *known)
{
    struct gateway_gatt view = {
            .tree = known->tree,
            .has_hash = known->has_hash,
            .updated = known->updated,
            .services_count = gatt_tree_services(known->tree),
    };

    memcpy(view.hash, known->hash, sizeof view.hash);
    return view;
}

bool gateway_get_gatt(const struct gateway *g, uint64_t address, struct gateway_gatt *ret_gatt)
{
    struct gatt_known known;

    *ret_gatt = (struct gateway_gatt){0};
    if (!gatt_cache_get(gatt_get_cache(room(g)), address, &known))
        return false;
    *ret_gatt = view_known(&known);
    return true;
}

const char *gateway_next_bond(const struct gateway *g, uint64_t address, size_t *index)
{
    while (*index < roster_end(g->roster)) {
        uint16_t source = (uint16_t) (*index)++;

        if (roster_get(g->roster, source) && keeping_is_bonded(g->keeping, source, address))
            return roster_name(g->roster, source);
    }
    return NULL;
}

/* ---- requests ---- */

void gateway_default_gatt_wish(const struct gateway *g, struct gateway_gatt_wish *ret_wish)
{
    const struct config *c = g->config;

    *ret_wish = (struct gateway_gatt_wish){
            .timeout = (usec_t) c->links_gatt_timeout_ms * USEC_PER_MSEC,
            .tries = (unsigned) c->links_retry_attempts,
    };
    gateway_default_wish(g, &ret_wish->link);
}

static enum gatt_verb verb_of(enum gateway_gatt_verb verb)
{
    static const enum gatt_verb verbs[] = {
            [GATEWAY_GATT_SERVICES] = GATT_VERB_SERVICES,
            [GATEWAY_GATT_READ] = GATT_VERB_READ,
            [GATEWAY_GATT_WRITE] = GATT_VERB_WRITE,
            [GATEWAY_GATT_READ_DESCRIPTOR] = GATT_VERB_READ_DESCRIPTOR,
            [GATEWAY_GATT_WRITE_DESCRIPTOR] = GATT_VERB_WRITE_DESCRIPTOR,
            [GATEWAY_GATT_SUBSCRIBE] = GATT_VERB_SUBSCRIBE,
            [GATEWAY_GATT_UNSUBSCRIBE] = GATT_VERB_UNSUBSCRIBE,
            [GATEWAY_GATT_PAIR] = GATT_VERB_PAIR,
            [GATEWAY_GATT_UNPAIR] = GATT_VERB_UNPAIR,
            [GATEWAY_GATT_PARAMETERS] = GATT_VERB_PARAMETERS,
            [GATEWAY_GATT_CLEAR_CACHE] = GATT_VERB_CLEAR_CACHE,
    };

    return verbs[verb];
}

static bool find_type(const char *name, enum gatt_subscription_type *ret_type)
{
    static const enum gatt_subscription_type types[] = {GATT_SUBSCRIBE_AUTO, GATT_SUBSCRIBE_NOTIFY,
                                                        GATT_SUBSCRIBE_INDICATE,
                                                        GATT_SUBSCRIBE_BOTH};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (name && strcmp(gatt_subscription_type_name(types[i]), name) != 0)
            continue;
        *ret_type = types[i];
        return true;
    }
    return false;
}

static bool clears_cccd(const struct gateway *g, uint64_t address)
{
    const struct config_device *device = configured_find(g->configured, address);

    return !device || device->clear_cccd_on_stop;
}

/* False: there is no such type of subscription. */
static bool make_wish(const struct gateway *g, const struct gateway_gatt_wish *w,
                      struct gatt_wish *ret_wish)
{
    *ret_wish = (struct gatt_wish){
            .verb = verb_of(w->verb),
            .target = {w->has_handle, w->handle, w->uuid},
            .value = w->value,
            .response = !w->has_response ? GATT_RESPONSE_AUTO
                        : w->response    ? GATT_RESPONSE_YES
                                         : GATT_RESPONSE_NO,
            .refresh = w->refresh,
            .parameters = {w->link.address, w->parameters.min_interval, w->parameters.max_interval,
                           w->parameters.latency, w->parameters.timeout},
            .clears_cccd = clears_cccd(g, w->link.address),
            .link = gateway_make_link_wish(g, &w->link),
            .timeout = w->timeout,
            .tries = w->tries,
    };
    return find_type(w->type, &ret_wish->type);
}

/* The next proxy that holds a bond with the device is the wish's. */
static bool find_bond(struct gateway_gatt_request *r)
{
    if (r->next_bond == BONDS_NONE ||
        !gateway_next_bond(r->gateway, r->unpair.link.address, &r->next_bond))
        return false;
    r->unpair.link.source = (uint16_t) (r->next_bond - 1);
    return true;
}

static const char *number_name(const struct gatt_answer *a)
{
    if (!a->has_number)
        return NULL;
    return a->code == E_GATT_ERROR ? gatt_att_error_name(a->number) : retry_reason_name(a->number);
}

static void tell_answer(const struct gateway_gatt_request *r, const struct gatt_answer *a)
{
    const struct gateway *g = r->gateway;
    struct gateway_attempt *attempts AUTO_FREE =
            xnew(struct gateway_attempt, a->link ? a->link->attempts_count : 0);
    struct gateway_link_answer link;
    struct gateway_gatt gatt;
    struct gateway_gatt_answer answer = {
            .code = a->code,
            .has_number = a->has_number,
            .number = a->number,
            .number_name = number_name(a),
            .handle = a->handle,
            .entry = a->entry,
            .value = a->value,
            .with_response = a->with_response,
            .max = a->max,
            .handles = a->handles,
            .handles_count = a->handles_count,
            .is_discovered = a->is_discovered,
            .proxy = proxy_name(g, a->source),
            .lease = a->lease,
            .expires = a->expires,
            .cleared_proxy = a->cleared_proxy,
            .feature = a->feature,
    };

    if (a->link) {
        gateway_view_link_answer(g, a->link, attempts, &link);
        answer.link = &link;
    }
    if (a->known) {
        gatt = view_known(a->known);
        answer.gatt = &gatt;
    }
    r->done(r->user, &answer);
}

static void on_answer(void *user, const struct gatt_answer *answer)
{
    struct gateway_gatt_request *r = user;
    struct gatt_answer refused = {.source = LINK_NO_SOURCE};

    if (answer->code == 0 && find_bond(r)) {
        refused.code =
                gatt_submit(room(r->gateway), &r->unpair, on_answer, r, clock_now(), &r->request);
        if (refused.code == 0)
            return;
        answer = &refused;
    }
    tell_answer(r, answer);
    free(r);
}

int gateway_gatt_submit(struct gateway *g, const struct gateway_gatt_wish *w, gateway_gatt_fn *done,
                        void *user, struct gateway_gatt_request **ret_request)
{
    struct gateway_gatt_request *r;
    struct gatt_wish wish;
    usec_t now = clock_now();
    int rc;

    if (!make_wish(g, w, &wish))
        return E_INVALID_REQUEST;
    r = xnew(struct gateway_gatt_request, 1);
    *r = (struct gateway_gatt_request){
            .gateway = g, .next_bond = BONDS_NONE, .done = done, .user = user};
    if (wish.verb == GATT_VERB_UNPAIR && wish.link.source == LINK_NO_SOURCE) {
        r->next_bond = 0;
        r->unpair = (struct gatt_wish){.verb = GATT_VERB_UNPAIR,
                                       .link = {.address = wish.link.address},
                                       .timeout = wish.timeout,
                                       .tries = wish.tries};
    }
    rc = gatt_submit(room(g), find_bond(r) ? &r->unpair : &wish, on_answer, r, now, &r->request);
    if (rc < 0) {
        free(r);
        return rc;
    }
    *ret_request = r;
    gatting_settle(g->gatting, now);
    return 0;
}

void gateway_gatt_cancel(struct gateway *g, struct gateway_gatt_request *request)
{
    usec_t now = clock_now();

    gatt_cancel(room(g), request->request, now);
    free(request);
    gatting_settle(g->gatting, now);
}

/* ---- subscriptions ---- */

bool gateway_get_gatt_subscription(const struct gateway *g, uint64_t address, size_t index,
                                   struct gateway_gatt_subscription *ret_subscription)
{
    struct gatt_subscription_view view;

    if (!gatt_get_subscription(room(g), address, index, &view))
        return false;
    *ret_subscription = (struct gateway_gatt_subscription){
            .handle = view.handle,
            .uuid = view.uuid,
            .type = gatt_subscription_type_name(view.type),
            .since = view.since,
            .counter = view.counter,
            .holders = view.holders,
    };
    return true;
}

const char *gateway_get_gatt_holder(const struct gateway *g, uint64_t address, size_t index,
                                    size_t holder)
{
    return gatt_get_holder(room(g), address, index, holder);
}

/* ---- values ---- */

static struct gateway_gatt_value view_value(const struct gateway *g, const struct gatt_value *v)
{
    return (struct gateway_gatt_value){
            .address = v->address,
            .handle = v->handle,
            .uuid = v->uuid,
            .value = v->value,
            .proxy = proxy_name(g, v->source),
            .time = v->time,
            .counter = v->counter,
    };
}

static void on_reader_ready(void *user)
{
    const struct gateway_gatt_reader *reader = user;

    if (reader->on_ready)
        reader->on_ready(reader->user);
}

int gateway_gatt_reader_open(struct gateway *g, uint64_t address, uint16_t handle,
                             void (*on_ready)(void *user), void *user,
                             struct gateway_gatt_reader **ret_reader)
{
    struct gateway_gatt_reader *reader = xnew(struct gateway_gatt_reader, 1);
    int rc;

    *reader = (struct gateway_gatt_reader){.gateway = g, .on_ready = on_ready, .user = user};
    rc = gatt_reader_new(room(g), address, handle, on_reader_ready, reader, &reader->reader);
    if (rc < 0)
        free(reader);
    else
        *ret_reader = reader;
    return rc;
}

void gateway_gatt_reader_close(struct gateway_gatt_reader *reader)
{
    if (!reader)
        return;
    gatt_reader_free(reader->reader);
    free(reader);
}

bool gateway_gatt_reader_next(struct gateway_gatt_reader *reader,
                              struct gateway_gatt_value *ret_value, uint64_t *ret_lost)
{
    struct gatt_value value;

    if (!gatt_reader_next(reader->reader, &value, ret_lost))
        return false;
    *ret_value = view_value(reader->gateway, &value);
    return true;
}

/* ---- figures ---- */

void gateway_get_gatt_statistics(const struct gateway *g,
                                 struct gateway_gatt_statistics *ret_statistics)
{
    struct gatt_statistics s;
    struct gatt_cache_statistics c;

    gatt_get_statistics(room(g), &s);
    gatt_cache_get_statistics(gatt_get_cache(room(g)), &c);
    *ret_statistics = (struct gateway_gatt_statistics){
            .requests = s.requests,
            .answered = s.answered,
            .failed = s.failed,
            .operations = s.operations,
            .shared_reads = s.shared_reads,
            .discoveries = s.discoveries,
            .values = s.values,
            .values_lost = s.values_lost,
            .subscriptions = s.subscriptions,
            .readers = s.readers,
            .waiting = s.waiting,
            .entries = c.entries,
            .trees = c.trees,
            .cache_bytes = c.bytes,
            .hits = c.hits,
            .misses = c.misses,
            .evicted = c.evicted,
    };
    memcpy(ret_statistics->forgotten, c.doubts, sizeof c.doubts);
}

const char *gateway_gatt_doubt_name(unsigned doubt)
{
    static const char *const names[] = {
            [GATT_DOUBT_HASH] = "hash",
            [GATT_DOUBT_CHANGED] = "service_changed",
            [GATT_DOUBT_INVALID_HANDLE] = "invalid_handle",
            [GATT_DOUBT_DISCOVERY] = "discovery",
            [GATT_DOUBT_ASKED] = "asked",
    };

    return doubt < ARRAY_SIZE(names) ? names[doubt] : NULL;
}

/* ---- what happens ---- */

void gateway_tell_value(void *user, const struct gatt_value *value)
{
    struct gateway *g = user;
    const struct gateway_gatt_value told = view_value(g, value);

    subscribers_tell_value(g, &told);
}

void gateway_tell_subscriptions(void *user, uint64_t address)
{
    struct gateway *g = user;
    struct gateway_link_change told = {.time = clock_now(), .address = address};
    struct gateway_link link;

    (void) gateway_get_link(g, address, &link);
    told.proxy = link.proxy;
    subscribers_tell_link(g, &told);
}

void gateway_tell_lease_ended(void *user, uint64_t address, const char *lease)
{
    subscribers_tell_lease_ended(user, address, lease);
}
