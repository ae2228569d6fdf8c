/* The story: a proxy that is online and can carry connections is told to the room (link/links.h),
 * with the slots that it told before; its messages follow. The room asks who hears a device, what
 * its rules are and what is remembered, and hands messages back. After every call into it settle()
 * tells what happened, compares who establishes a link with who did before, and arms the one timer.
 * That walks all proxies and links, so that for messages it is done once a turn of the loop: a
 * proxy that sends many costs no more than their reading.
 *
 * The room tells events from inside, where it must not be asked: they wait until it has returned.
 *
 * Failure modes: a message that cannot be handed over is the room's to judge. A link that was lost
 * and is wanted again is remembered by address, so that opening it elsewhere is a move; when it is
 * not wanted any more, that is forgotten. Stopping ends after LINKING_STOP_TIMEOUT, whatever
 * proxies do: the end of the conversation closes what is left. */
#include "linking.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uv.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "ble/address.h"
#include "config/config.h"
#include "configured.h"
#include "gatt/gatt_cache.h"
#include "keeping.h"
#include "proxy/fleet.h"
#include "roster.h"
#include "scan/device_table.h"

#define AT_ONCE 1 /* a deadline that has passed */

struct linked_proxy {
    bool is_online; /* for links */
    struct link_proxy told;
    bool is_connecting;
    bool was_inconsistent; /* in this conversation, and logged */
    unsigned orphans;
};

struct loss { /* a link that was lost, and is to be opened again */
    uint64_t address;
    uint16_t source; /* that had it */
};

struct names { /* proxies that a rule names, by number */
    size_t count;
    uint16_t sources[ROSTER_MAX];
};

struct linking {
    const struct config *config;         /* borrowed */
    const struct roster *roster;         /* borrowed */
    const struct configured *configured; /* borrowed */
    struct device_table *table;          /* borrowed */
    struct fleet *fleet;                 /* borrowed; NULL: none (any more) */
    struct keeping *keeping;             /* borrowed; NULL: none */
    const struct gatt_cache *cache;      /* borrowed */
    struct links *links;
    struct linking_callbacks callbacks;
    uv_timer_t *timer; /* NULL: stopped; frees itself */
    usec_t deadline;   /* what the timer is armed for */
    bool is_listening;
    bool is_unsettled;                    /* the timer will see to it */
    struct names require, prefer, forbid; /* of the device that was asked for last */
    struct map *lost;                     /* address -> struct loss, ours */
    struct link_event *events;            /* not told yet */
    size_t events_count, events_capacity;
    usec_t stop_by; /* 0: not stopping */
    void (*on_stopped)(void *user);
    void *stopped_user;
    struct linked_proxy proxies[ROSTER_MAX]; /* by source */
};

static const char *name_of(const struct linking *l, uint16_t source)
{
    const char *name = roster_name(l->roster, source);

    return name ? name : "-";
}

/* ---- what the room asks ---- */

static int send_message(void *user, uint16_t source, const struct message *message)
{
    const struct linking *l = user;

    struct proxy *proxy = l->fleet ? fleet_get(l->fleet, source) : NULL;

    return proxy ? proxy_send(proxy, message) : E_PROXY_OFFLINE;
}

static bool is_known(void *user, uint64_t address)
{
    const struct linking *l = user;

    return device_table_find(l->table, address) || configured_find(l->configured, address);
}

static size_t get_hearers(void *user, uint64_t address, struct link_hearer *ret_hearers, size_t max)
{
    const struct linking *l = user;
    const struct device *row = device_table_find(l->table, address);
    struct device_source s;
    size_t count = 0;

    for (; row && count < max && device_get_source(l->table, row, count, &s); count++)
        ret_hearers[count] = (struct link_hearer){
                .source = s.source,
                .rssi = s.rssi,
                .rssi_smoothed = s.rssi_smoothed,
                .last_heard = s.last_seen,
        };
    return count;
}

/* As it was heard: proxies number the types as HCI does. */
static uint32_t get_address_type(void *user, uint64_t address)
{
    const struct linking *l = user;
    const struct device *row = device_table_find(l->table, address);
    struct device_facts facts = {.address_type = BLE_ADDRESS_PUBLIC};

    if (row)
        device_get_facts(l->table, row, &facts);
    return facts.address_type;
}

/* A name that no proxy has is left out. */
static void find_names(const struct linking *l, const struct config_texts *texts,
                       struct names *ret_names)
{
    ret_names->count = 0;
    for (size_t i = 0; i < l->config->proxies_count; i++) {
        for (size_t k = 0; k < texts->count; k++) {
            if (strcmp(l->config->proxies[i].name, texts->items[k]) != 0)
                continue;
            ret_names->sources[ret_names->count++] = roster_source(l->roster, i);
            break;
        }
    }
}

static void get_rules(void *user, uint64_t address, struct link_rules *ret_rules)
{
    struct linking *l = user;
    const struct config_device *device = configured_find(l->configured, address);

    *ret_rules = (struct link_rules){0};
    if (!device)
        return;
    find_names(l, &device->route_require, &l->require);
    find_names(l, &device->route_prefer, &l->prefer);
    find_names(l, &device->route_forbid, &l->forbid);
    *ret_rules = (struct link_rules){
            .require = l->require.sources,
            .require_count = l->require.count,
            .prefer = l->prefer.sources,
            .prefer_count = l->prefer.count,
            .forbid = l->forbid.sources,
            .forbid_count = l->forbid.count,
            .has_require = device->route_require.count > 0,
    };
}

static bool is_proved(void *user, uint16_t source, uint64_t address, uint32_t *ret_mtu)
{
    const struct linking *l = user;

    return gatt_cache_is_proved(l->cache, address, source, ret_mtu);
}

static bool is_bonded(void *user, uint16_t source, uint64_t address)
{
    const struct linking *l = user;

    return keeping_is_bonded(l->keeping, source, address);
}

static void on_bonded(void *user, uint16_t source, uint64_t address)
{
    const struct linking *l = user;

    keeping_note_bond(l->keeping, source, address, true);
}

static void on_event(void *user, const struct link_event *event)
{
    struct linking *l = user;

    if (l->events_count == l->events_capacity) {
        l->events_capacity = l->events_capacity ? l->events_capacity * 2 : 16;
        l->events = memory_resize(l->events, l->events_capacity, sizeof *l->events);
    }
    l->events[l->events_count++] = *event;
}

static void on_attempt(void *user, uint64_t address, const struct link_attempt *attempt)
{
    const struct linking *l = user;

    l->callbacks.on_attempt(l->callbacks.user, address, attempt);
}

/* ---- what the room told ---- */

/* It is opened again when it breaks. */
static bool is_wanted(const struct linking *l, uint64_t address)
{
    struct link_view view;
    struct link_lease lease;

    if (!links_get(l->links, address, &view))
        return false;
    for (size_t i = 0; links_get_lease(l->links, address, i, &lease); i++) {
        if (lease.is_auto_reconnect)
            return true;
    }
    return view.is_kept;
}

static void note_loss(struct linking *l, uint64_t address, uint16_t source)
{
    struct loss *loss = map_find(l->lost, address);

    if (!loss) {
        loss = xnew(struct loss, 1);
        map_put(l->lost, address, loss);
    }
    *loss = (struct loss){address, source};
}

/* The proxy that the link moved from, if this event says that it moved. */
static uint16_t note_move(struct linking *l, const struct link_event *event)
{
    const struct loss *loss = map_find(l->lost, event->address);
    bool is_open = event->kind == LINK_EVENT_CONNECTED;
    uint16_t before = loss ? loss->source : LINK_NO_SOURCE;

    if (event->kind == LINK_EVENT_DISCONNECTED && event->code != 0 &&
        roster_get(l->roster, event->source))
        note_loss(l, event->address, event->source);
    if (is_open || !is_wanted(l, event->address))
        free(map_take(l->lost, event->address));
    return is_open && before != event->source ? before : LINK_NO_SOURCE;
}

static struct loss *find_loss_of(const struct linking *l, uint16_t source)
{
    size_t position = 0;
    struct loss *loss;

    while ((loss = map_next(l->lost, &position)) && loss->source != source)
        ;
    return loss;
}

/* What a user looks for in a log (a link that was lost, a wish that came to nothing) is told at
 * info; the ways of the others at debug. */
static void log_event(const struct linking *l, const struct link_event *event)
{
    static const char *const names[] = {[LINK_EVENT_QUEUED] = "link.queued",
                                        [LINK_EVENT_CONNECTING] = "link.connecting",
                                        [LINK_EVENT_CONNECTED] = "link.connected",
                                        [LINK_EVENT_FAILED] = "link.failed",
                                        [LINK_EVENT_DISCONNECTED] = "link.disconnected",
                                        [LINK_EVENT_LEASES] = "link.leases"};
    const char *reason = event->has_reason ? retry_reason_name(event->reason) : NULL;
    bool is_trouble = (event->kind == LINK_EVENT_FAILED && event->code != E_CANCELLED) ||
                      (event->kind == LINK_EVENT_DISCONNECTED && event->code != 0);
    char address[BLE_ADDRESS_TEXT_SIZE];

    ble_address_format(address, event->address);
    log_write(is_trouble ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, names[event->kind],
              "address=%s proxy=%s cause=%s reason=%d (%s)", address, name_of(l, event->source),
              event->code ? error_token(event->code) : "-",
              event->has_reason ? (int) event->reason : 0, reason ? reason : "none told");
}

static void tell_events(struct linking *l)
{
    struct link_event *events = l->events;
    size_t count = l->events_count;

    if (count == 0)
        return;
    l->events = NULL;
    l->events_count = l->events_capacity = 0;
    for (size_t i = 0; i < count; i++) {
        log_event(l, &events[i]);
        l->callbacks.on_event(l->callbacks.user, &events[i], note_move(l, &events[i]));
    }
    free(events);
}

static void log_slots(const struct linking *l, struct linked_proxy *p, uint16_t source,
                      const struct ledger_proxy *slots)
{
    if (slots->tells_list && !slots->is_consistent && !p->was_inconsistent) {
        p->was_inconsistent = true;
        log_warning("link.inconsistent",
                    "proxy=%s names more or fewer addresses than slots that are taken, ignoring",
                    name_of(l, source));
    }
    if (slots->orphans > p->orphans)
        log_warning("link.orphans", "proxy=%s slots=%u are held for nobody, freeing",
                    name_of(l, source), slots->orphans);
    p->orphans = slots->orphans;
}

static void compare_proxies(struct linking *l, usec_t now)
{
    for (uint16_t source = 0; source < roster_end(l->roster); source++) {
        struct linked_proxy *p = &l->proxies[source];
        struct link_proxy_view view;

        if (!p->is_online)
            continue;
        links_get_proxy(l->links, source, now, &view);
        log_slots(l, p, source, &view.slots);
        if (l->fleet)
            proxy_set_awaited(fleet_get(l->fleet, source), PROXY_WAIT_LINK,
                              view.slots.in_progress + view.slots.discovering > 0);
        if (p->is_connecting == view.slots.is_establishing)
            continue;
        p->is_connecting = view.slots.is_establishing;
        l->callbacks.on_connecting(l->callbacks.user, source, p->is_connecting, now);
    }
}

/* ---- time ---- */

static void on_time(uv_timer_t *timer);

static void on_timer_closed(uv_handle_t *handle)
{
    struct linking *l = handle->data;

    free(handle);
    l->fleet = NULL;
    l->on_stopped(l->stopped_user);
}

static void arm(struct linking *l, usec_t now)
{
    usec_t deadline = l->is_unsettled ? AT_ONCE : links_deadline(l->links);

    if (!l->timer)
        return;
    if (l->stop_by && deadline > l->stop_by)
        deadline = l->stop_by;
    if (deadline == l->deadline)
        return;
    l->deadline = deadline;
    if (deadline == USEC_NEVER)
        (void) uv_timer_stop(l->timer);
    else
        (void) uv_timer_start(l->timer, on_time,
                              deadline > now ? (deadline - now) / USEC_PER_MSEC + 1 : 0, 0);
}

static void on_time(uv_timer_t *timer)
{
    struct linking *l = timer->data;
    usec_t now = clock_now();

    l->deadline = 0; /* it has fired: arm it again whatever comes */
    links_advance(l->links, now);
    linking_settle(l, now);
}

void linking_settle(struct linking *l, usec_t now)
{
    struct links_statistics statistics;

    l->is_unsettled = false;
    tell_events(l);
    compare_proxies(l, now);
    links_get_statistics(l->links, &statistics);
    l->is_listening = statistics.links > statistics.connected;
    if (l->timer && l->stop_by && (links_is_closed(l->links) || now >= l->stop_by))
        uv_close((uv_handle_t *) TAKE(l->timer), on_timer_closed);
    else
        arm(l, now);
    l->callbacks.on_settled(l->callbacks.user, now);
}

void linking_wake(struct linking *l, usec_t now)
{
    l->is_unsettled = l->is_unsettled || l->events_count > 0;
    arm(l, now);
}

/* ---- life ---- */

static struct links_settings settings_of(const struct config *c)
{
    return (struct links_settings){
            .linger = (usec_t) c->links_linger_ms * USEC_PER_MSEC,
            .queue_length = (size_t) c->links_queue_length,
            .scoring =
                    strcmp(c->links_scoring, "ha") == 0 ? ROUTE_SCORING_HA : ROUTE_SCORING_BLEFLEET,
    };
}

static uint64_t draw_seed(void)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint64_t) clock_wall(); /* so early at boot it has to do */
    return seed;
}

struct linking *linking_new(struct uv_loop_s *loop, const struct config *config,
                            const struct roster *roster, const struct configured *configured,
                            struct device_table *table, const struct linking_callbacks *callbacks)
{
    struct linking *l = xnew(struct linking, 1);
    const struct links_house house = {
            .send = send_message,
            .is_known = is_known,
            .hearers = get_hearers,
            .address_type = get_address_type,
            .rules = get_rules,
            .is_proved = is_proved,
            .is_bonded = is_bonded,
            .on_bonded = on_bonded,
            .on_event = on_event,
            .on_attempt = on_attempt,
            .user = l,
    };
    const struct links_settings settings = settings_of(config);
    uint64_t seed = draw_seed();

    l->config = config;
    l->roster = roster;
    l->configured = configured;
    l->table = table;
    l->callbacks = *callbacks;
    l->lost = map_new(seed);
    l->links = links_new(&settings, &house, seed);
    l->deadline = USEC_NEVER;
    l->timer = xnew(uv_timer_t, 1);
    (void) uv_timer_init(loop, l->timer); /* cannot fail */
    l->timer->data = l;
    return l;
}

void linking_attach(struct linking *l, struct fleet *fleet, struct keeping *keeping,
                    const struct gatt_cache *cache)
{
    l->fleet = fleet;
    l->keeping = keeping;
    l->cache = cache;
}

void linking_stop(struct linking *l, void (*on_stopped)(void *user), void *user)
{
    usec_t now = clock_now();

    l->on_stopped = on_stopped;
    l->stopped_user = user;
    l->stop_by = now + LINKING_STOP_TIMEOUT;
    links_close(l->links, now);
    links_advance(l->links, now); /* all requests are answered, however soon it has to end */
    linking_settle(l, now);
}

void linking_free(struct linking *l)
{
    struct loss *loss;
    size_t position;

    if (!l)
        return;
    assert(!l->timer);
    links_free(l->links);
    while (position = 0, (loss = map_next(l->lost, &position)))
        free(map_take(l->lost, loss->address));
    map_free(l->lost);
    free(l->events);
    free(l);
}

/* ---- settings ---- */

void linking_configure(struct linking *l, const struct config *config,
                       const struct configured *configured, usec_t now)
{
    const struct links_settings settings = settings_of(config);

    l->config = config;
    l->configured = configured;
    links_configure(l->links, &settings);
    for (size_t i = 0; i < config->proxies_count; i++) {
        uint16_t source = roster_source(l->roster, i);
        struct linked_proxy *p = &l->proxies[source];

        p->told.weight = config->proxies[i].weight;
        if (p->is_online)
            links_proxy_online(l->links, source, &p->told, now);
    }
    linking_settle(l, now);
}

void linking_keep(struct linking *l, uint64_t address, bool is_kept, usec_t now)
{
    links_keep(l->links, address, is_kept, now);
    linking_settle(l, now);
}

/* ---- what the proxies tell ---- */

static void go_online(struct linking *l, uint16_t source, const struct proxy_status *status,
                      usec_t now)
{
    struct linked_proxy *p = &l->proxies[source];
    const struct message slots = {
            .type = MESSAGE_CONNECTIONS_FREE_RESPONSE,
            .connections_free = {.free = status->slots_free,
                                 .limit = status->slots_limit,
                                 .allocated = status->slots_allocated,
                                 .allocated_count = status->slots_allocated_count}};

    *p = (struct linked_proxy){
            .is_online = true,
            .told = {status->features, roster_get(l->roster, source)->weight},
    };
    links_proxy_online(l->links, source, &p->told, now);
    if (status->has_slots) /* it told them before it was online */
        links_message(l->links, source, &slots, now);
}

void linking_proxy_changed(struct linking *l, uint16_t source, const struct proxy_status *status,
                           usec_t now)
{
    struct linked_proxy *p = &l->proxies[source];
    bool is_online =
            status->state == PROXY_ONLINE && status->features & PROXY_FEATURE_ACTIVE_CONNECTIONS;

    if (p->is_online == is_online)
        return;
    if (is_online) {
        go_online(l, source, status, now);
    } else {
        *p = (struct linked_proxy){.told = p->told};
        links_proxy_offline(l->links, source, now);
    }
    linking_settle(l, now);
}

void linking_proxy_removed(struct linking *l, uint16_t source, usec_t now)
{
    struct loss *loss;

    links_proxy_removed(l->links, source, now);
    tell_events(l);
    while ((loss = find_loss_of(l, source)))
        free(map_take(l->lost, loss->address));
    l->proxies[source] = (struct linked_proxy){0};
    linking_settle(l, now);
}

static bool is_about_links(enum message_type type)
{
    return type == MESSAGE_DEVICE_CONNECTION_RESPONSE ||
           type == MESSAGE_CONNECTIONS_FREE_RESPONSE || type == MESSAGE_DEVICE_PAIRING_RESPONSE;
}

void linking_message(struct linking *l, uint16_t source, const struct message *message, usec_t now)
{
    if (!l->proxies[source].is_online || !is_about_links(message->type))
        return;
    links_message(l->links, source, message, now);
    tell_events(l);
    l->is_unsettled = true;
    arm(l, now);
}

bool linking_listens(const struct linking *l)
{
    return l->is_listening;
}

void linking_heard(struct linking *l, const struct ble_report *reports, size_t count, usec_t now)
{
    for (size_t i = 0; i < count; i++)
        links_heard(l->links, reports[i].address, now);
    arm(l, now); /* what comes of it is done there */
}

bool linking_is_connecting(const struct linking *l, uint16_t source)
{
    return l->proxies[source].is_connecting;
}

uint32_t linking_features(const struct linking *l, uint16_t source)
{
    return l->proxies[source].is_online ? l->proxies[source].told.features : 0;
}

struct links *linking_links(const struct linking *l)
{
    return l->links;
}
