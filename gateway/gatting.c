/* The story: what links and proxies tell is passed on to the room, which hands messages back and
 * opens and holds links by itself. After every call into it settle() arms the one timer, and has
 * linking settle in this turn of the loop what the room did to the links.
 *
 * Who sends an operation waits for the answer: from then on its proxy is read at once, until the
 * answer came or the link ended. So it is, too, from the first subscription of a link until the
 * link ends: a button pressed is not told 40 ms late. What is awaited so is remembered by address,
 * since a link has one operation on the air; writes without response are not answered.
 *
 * Failure modes: an operation that is never answered keeps its proxy awake until its link ends,
 * which costs a little and delays nobody. A lease may end in many ways, so that its end is not told
 * but found: at each event of a link the holders of its subscriptions are compared with its
 * leases. */
#include "gatting.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/map.h"
#include "base/memory.h"
#include "config/config.h"
#include "keeping.h"
#include "linking.h"
#include "proxy/fleet.h"
#include "roster.h"

struct debt { /* something that a proxy owes */
    uint64_t address;
    uint16_t source;
};

/* One reason to read proxies at once. */
struct awaited {
    enum proxy_wait what;
    struct map *debts; /* address -> struct debt, ours */
};

struct gatting {
    struct linking *linking; /* borrowed */
    struct fleet *fleet;     /* borrowed; NULL: none (any more) */
    struct keeping *keeping; /* borrowed; NULL: none */
    struct gatt *gatt;
    struct gatting_callbacks callbacks;
    struct awaited answers, values;
    uv_timer_t *timer; /* NULL: stopped; frees itself */
    usec_t deadline;   /* what the timer is armed for */
};

/* ---- who is waited for ---- */

/* Of any proxy with ROSTER_NONE; NULL: none. */
static const struct debt *find_debt(const struct awaited *a, uint16_t source)
{
    const struct debt *debt;
    size_t position = 0;

    while ((debt = map_next(a->debts, &position))) {
        if (source == ROSTER_NONE || debt->source == source)
            return debt;
    }
    return NULL;
}

static void stop_waiting(struct gatting *g, struct awaited *a, uint64_t address)
{
    struct debt *debt = map_take(a->debts, address);
    struct proxy *proxy = debt && g->fleet ? fleet_get(g->fleet, debt->source) : NULL;

    if (proxy && !find_debt(a, debt->source))
        proxy_set_awaited(proxy, a->what, false);
    free(debt);
}

static void start_waiting(struct gatting *g, struct awaited *a, uint16_t source, uint64_t address)
{
    struct debt *debt = xnew(struct debt, 1);

    stop_waiting(g, a, address);
    *debt = (struct debt){address, source};
    if (!find_debt(a, source))
        proxy_set_awaited(fleet_get(g->fleet, source), a->what, true);
    map_put(a->debts, address, debt);
}

/* Nobody waits for this proxy any more. */
static void forget_debts(struct gatting *g, struct awaited *a, uint16_t source)
{
    const struct debt *debt;

    while ((debt = find_debt(a, source)))
        stop_waiting(g, a, debt->address);
}

static void init_awaited(struct awaited *a, enum proxy_wait what)
{
    a->what = what;
    a->debts = map_new(0); /* only what is connected is in it: nobody chooses the keys */
}

static void done_awaited(struct gatting *g, struct awaited *a)
{
    forget_debts(g, a, ROSTER_NONE);
    map_free(a->debts);
}

/* Requests to the proxy itself (68) are answered when it is done with them; nobody waits so
 * closely. */
static bool is_answered(const struct message *m)
{
    return m->type != MESSAGE_DEVICE_REQUEST &&
           (m->type != MESSAGE_GATT_WRITE_REQUEST || m->gatt.flag);
}

static uint64_t address_of(const struct message *m)
{
    return m->type == MESSAGE_SET_CONNECTION_PARAMS_REQUEST ? m->connection_params.address
                                                            : m->gatt.address;
}

/* The address that the message is the last answer for; 0: it is none. */
static uint64_t answered_address(const struct message *m)
{
    switch ((int) m->type) {
    case MESSAGE_GATT_READ_RESPONSE:
    case MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE:
    case MESSAGE_GATT_ERROR_RESPONSE:
    case MESSAGE_GATT_WRITE_RESPONSE:
    case MESSAGE_GATT_NOTIFY_RESPONSE:
        return m->gatt.address;
    case MESSAGE_SET_CONNECTION_PARAMS_RESPONSE:
        return m->result.address;
    default:
        return 0;
    }
}

/* ---- what the room asks and tells ---- */

static int send_message(void *user, uint16_t source, const struct message *message)
{
    struct gatting *g = user;
    struct proxy *proxy = g->fleet ? fleet_get(g->fleet, source) : NULL;
    int rc = proxy ? proxy_send(proxy, message) : E_PROXY_OFFLINE;

    if (rc == 0 && is_answered(message))
        start_waiting(g, &g->answers, source, address_of(message));
    if (rc == 0 && message->type == MESSAGE_GATT_NOTIFY_REQUEST && message->gatt.flag)
        start_waiting(g, &g->values, source, message->gatt.address);
    return rc;
}

static int64_t wall(void *user, usec_t moment)
{
    (void) user;
    return clock_to_wall(moment, clock_now(), clock_wall());
}

static uint32_t features(void *user, uint16_t source)
{
    const struct gatting *g = user;

    return linking_features(g->linking, source);
}

static void on_value(void *user, const struct gatt_value *value)
{
    const struct gatting *g = user;

    g->callbacks.on_value(g->callbacks.user, value);
}

static void on_subscriptions(void *user, uint64_t address)
{
    const struct gatting *g = user;

    g->callbacks.on_subscriptions(g->callbacks.user, address);
}

static void on_bond(void *user, uint16_t source, uint64_t address, bool is_bonded)
{
    const struct gatting *g = user;

    keeping_note_bond(g->keeping, source, address, is_bonded);
}

static void on_entry(void *user, uint64_t address, const struct gatt_known *known)
{
    const struct gatting *g = user;

    (void) known; /* it is asked for when it is written */
    keeping_gatt_changed(g->keeping, address);
}

static void on_pair(void *user, uint64_t address, uint16_t source, bool is_proved, uint32_t mtu)
{
    const struct gatting *g = user;

    keeping_pair_changed(g->keeping, source, address, is_proved, mtu);
}

/* ---- time ---- */

static void on_time(uv_timer_t *timer);

static void arm(struct gatting *g, usec_t now)
{
    usec_t deadline = gatt_deadline(g->gatt);

    if (!g->timer || deadline == g->deadline)
        return;
    g->deadline = deadline;
    if (deadline == USEC_NEVER)
        (void) uv_timer_stop(g->timer);
    else
        (void) uv_timer_start(g->timer, on_time,
                              deadline > now ? (deadline - now) / USEC_PER_MSEC + 1 : 0, 0);
}

static void on_time(uv_timer_t *timer)
{
    struct gatting *g = timer->data;
    usec_t now = clock_now();

    g->deadline = USEC_NEVER; /* it has fired */
    gatt_advance(g->gatt, now);
    gatting_settle(g, now);
}

void gatting_settle(struct gatting *g, usec_t now)
{
    arm(g, now);
    linking_wake(g->linking, now);
}

void gatting_wake(struct gatting *g, usec_t now)
{
    arm(g, now);
}

/* ---- life ---- */

static struct gatt_settings settings_of(const struct config *c)
{
    return (struct gatt_settings){
            .operations_queue = (size_t) c->links_operations_queue,
            .notify_queue = (size_t) c->links_notify_queue,
            .cache_entries = (size_t) c->links_cache_entries,
    };
}

struct gatting *gatting_new(struct uv_loop_s *loop, const struct config *config,
                            struct linking *linking, const struct gatting_callbacks *callbacks)
{
    struct gatting *g = xnew(struct gatting, 1);
    const struct gatt_house house = {
            .send = send_message,
            .wall = wall,
            .features = features,
            .on_value = on_value,
            .on_subscriptions = on_subscriptions,
            .on_bond = on_bond,
            .cache = {on_entry, on_pair, g},
            .user = g,
    };
    const struct gatt_settings settings = settings_of(config);

    g->linking = linking;
    g->callbacks = *callbacks;
    init_awaited(&g->answers, PROXY_WAIT_ANSWER);
    init_awaited(&g->values, PROXY_WAIT_VALUE);
    g->gatt = gatt_new(&settings, &house, linking_links(linking));
    g->deadline = USEC_NEVER;
    g->timer = xnew(uv_timer_t, 1);
    (void) uv_timer_init(loop, g->timer); /* cannot fail */
    g->timer->data = g;
    return g;
}

void gatting_attach(struct gatting *g, struct fleet *fleet, struct keeping *keeping)
{
    g->fleet = fleet;
    g->keeping = keeping;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void gatting_stop(struct gatting *g)
{
    usec_t now = clock_now();

    gatt_close(g->gatt, now);
    gatt_advance(g->gatt, now);
    gatting_settle(g, now);
    g->fleet = NULL;
    uv_close((uv_handle_t *) TAKE(g->timer), on_timer_closed);
}

void gatting_free(struct gatting *g)
{
    if (!g)
        return;
    assert(!g->timer);
    gatt_free(g->gatt);
    done_awaited(g, &g->answers);
    done_awaited(g, &g->values);
    free(g);
}

void gatting_configure(struct gatting *g, const struct config *config)
{
    const struct gatt_settings settings = settings_of(config);

    gatt_configure(g->gatt, &settings);
}

void gatting_forget(struct gatting *g, uint64_t address)
{
    (void) gatt_cache_forget(gatt_get_cache(g->gatt), address, GATT_DOUBT_ASKED);
}

/* ---- what happens below ---- */

static bool has_lease(const struct gatting *g, uint64_t address, const char *id)
{
    const struct links *links = linking_links(g->linking);
    struct link_lease lease;

    for (size_t i = 0; links_get_lease(links, address, i, &lease); i++) {
        if (strcmp(lease.id, id) == 0)
            return true;
    }
    return false;
}

/* A lease that holds subscriptions of the device, and is over. */
static bool find_ended(const struct gatting *g, uint64_t address, char ret_id[LINK_LEASE_ID_SIZE])
{
    struct gatt_subscription_view view;

    for (size_t i = 0; gatt_get_subscription(g->gatt, address, i, &view); i++) {
        for (size_t k = 0; k < view.holders; k++) {
            const char *id = gatt_get_holder(g->gatt, address, i, k);

            if (has_lease(g, address, id))
                continue;
            memcpy(ret_id, id, LINK_LEASE_ID_SIZE);
            return true;
        }
    }
    return false;
}

static void end_leases(struct gatting *g, uint64_t address, usec_t now)
{
    char id[LINK_LEASE_ID_SIZE];

    while (find_ended(g, address, id)) {
        gatt_lease_ended(g->gatt, address, id, now);
        g->callbacks.on_lease_ended(g->callbacks.user, address, id);
    }
}

void gatting_link_event(struct gatting *g, const struct link_event *event)
{
    end_leases(g, event->address, event->time);
    if (event->kind == LINK_EVENT_DISCONNECTED) {
        stop_waiting(g, &g->answers, event->address);
        stop_waiting(g, &g->values, event->address);
    }
    gatt_link_event(g->gatt, event);
    gatting_settle(g, clock_now());
}

void gatting_proxy_changed(struct gatting *g, uint16_t source, bool is_online, usec_t now)
{
    if (is_online)
        return;
    gatt_proxy_offline(g->gatt, source, now);
    gatting_settle(g, now);
}

void gatting_proxy_leaves(struct gatting *g, uint16_t source, usec_t now)
{
    gatt_proxy_removed(g->gatt, source, now);
    gatting_settle(g, now);
}

void gatting_proxy_removed(struct gatting *g, uint16_t source, usec_t now)
{
    gatt_proxy_removed(g->gatt, source, now); /* who went on meanwhile */
    gatt_cache_forget_source(gatt_get_cache(g->gatt), source);
    forget_debts(g, &g->answers, source);
    forget_debts(g, &g->values, source);
    gatting_settle(g, now);
}

void gatting_message(struct gatting *g, uint16_t source, const struct message *message, usec_t now)
{
    uint64_t address = answered_address(message);
    const struct debt *debt = address != 0 ? map_find(g->answers.debts, address) : NULL;

    if (debt && debt->source == source)
        stop_waiting(g, &g->answers, address);
    gatt_message(g->gatt, source, message, now);
    gatting_settle(g, now);
}

struct gatt *gatting_gatt(const struct gatting *g)
{
    return g->gatt;
}
