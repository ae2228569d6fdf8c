/* Introduces the rooms to each other. Reports climb from the fleet into the device table; what
 * changes there goes on to the subscribers as a view. A proxy that comes or goes is a source of the
 * table that goes online or offline. The table's next deadline is the one timer of its own. What
 * proxies and packets mean for active scanning is scanning.h's. */
#include "gateway.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uv.h>

#include "base/memory.h"
#include "configured.h"
#include "keeping.h"
#include "loop_lag.h"
#include "past.h"
#include "process.h"
#include "proxy/failures.h"
#include "proxy/fleet.h"
#include "recorder/history.h"
#include "recordings.h"
#include "rewriter.h"
#include "scan/device_table.h"
#include "scanning.h"
#include "table_settings.h"

static_assert(OWNER_WHY_COUNT <= GATEWAY_OWNER_WHYS_MAX, "every why has its counter");
static_assert(SCAN_CAUSE_COUNT == GATEWAY_SCAN_CAUSES, "every cause has its counter");
static_assert(GATEWAY_FEATURE_STATE_AND_MODE == PROXY_FEATURE_STATE_AND_MODE, "one bit");
static_assert(SCAN_WINDOW_ID_SIZE == GATEWAY_WINDOW_ID_SIZE, "ids fit");

#define HEARD_COUNTS_AGE USEC_PER_SEC /* how long a count of devices per proxy may be shown */

struct gateway_subscription {
    struct gateway *gateway;
    struct gateway_subscription *next;
    struct gateway_subscriber subscriber;
    bool is_ended; /* while a change is being told; swept after it */
};

struct gateway_timer {
    uv_timer_t timer;
    struct gateway *gateway;
    void (*on_time)(void *user);
    void *user;
};

/* How many devices each proxy hears: a cache, since counting walks the table. */
struct heard_counts {
    usec_t counted; /* 0: never */
    size_t available;
    size_t by_proxy[];
};

/* Both clocks at one moment of this turn of the loop: a cache, since an event tells several times
 * and asking costs as much as writing one. */
struct clocks {
    uint64_t turn; /* the loop's own time */
    usec_t now;    /* 0: never asked */
    int64_t wall;
};

struct gateway {
    uv_loop_t *loop;
    struct config *config; /* the running one, ours */
    usec_t started;
    struct fleet *fleet;
    struct device_table *table;
    struct scanning *scanning;
    uv_timer_t table_timer;
    usec_t table_deadline;         /* what the timer is armed for */
    struct configured *configured; /* devices of the configuration */
    struct rewriter *rewriter;     /* NULL: the configuration has no file */
    struct gateway_subscription *subscriptions;
    bool is_telling;
    struct heard_counts *heard;
    struct clocks *clocks;
    struct loop_lag *loop_lag;
    struct keeping *keeping;       /* NULL: nothing is kept */
    struct past *past;             /* NULL: no history */
    struct recordings *recordings; /* NULL: nothing is recorded */
    void (*on_closed)(void *user);
    void *closed_user;
};

/* ---- configured devices ---- */

/* The one place where the settings of a device take effect. NULL: it has none. */
static void apply_device(void *user, const struct config_device *before,
                         const struct config_device *after)
{
    struct gateway *g = user;
    uint64_t address = after ? after->address : before->address;
    double expected = after ? after->expected_interval_s : 0;

    recordings_device(g->recordings, address, clock_now());
    device_table_pin(g->table, address, after != NULL, (usec_t) (expected * (double) USEC_PER_SEC));
    scanning_set_need(g->scanning, address, after ? after->active_scan_interval_s : 0,
                      after ? after->active_scan_duration_s : 0, clock_now());
}

/* ---- views ---- */

static const struct config_proxy *source_config(const struct gateway *g, uint16_t source)
{
    return source < g->config->proxies_count ? &g->config->proxies[source] : NULL;
}

static const char *source_name(const struct gateway *g, uint16_t source)
{
    const struct config_proxy *p = source_config(g, source);

    return p ? p->name : NULL;
}

static void view_configured(const struct config_device *config, struct gateway_device *ret_device)
{
    *ret_device = (struct gateway_device){
            .config = config,
            .address = config->address,
            .address_type = ble_address_type_name(BLE_ADDRESS_PUBLIC),
            .rssi_smoothed = NAN,
            .area = config->area,
            .interval = (usec_t) (config->expected_interval_s * (double) USEC_PER_SEC),
    };
}

static void view_row(const struct gateway *g, const struct device *row,
                     struct gateway_device *ret_device)
{
    const struct config_proxy *owner;
    struct device_facts facts;

    device_get_facts(g->table, row, &facts);
    owner = source_config(g, facts.owner);
    *ret_device = (struct gateway_device){
            .row = row,
            .config = configured_find(g->configured, facts.address),
            .address = facts.address,
            .address_type = ble_address_type_name(facts.address_type),
            .name = facts.name,
            .name_size = facts.name_size,
            .rssi = facts.rssi,
            .rssi_smoothed = facts.rssi_smoothed,
            .proxy = owner ? owner->name : NULL,
            .area = owner ? owner->area : NULL,
            .has_tx_power = facts.has_tx_power,
            .tx_power = facts.tx_power,
            .first_seen = facts.first_seen,
            .last_seen = facts.last_seen,
            .interval = facts.interval,
            .is_available = facts.is_available,
            .is_noise = facts.is_apple_noise && g->config->scan_apple_filter,
            .is_private = ble_address_is_private(facts.address, facts.address_type),
            .is_apple_noise = facts.is_apple_noise,
    };
    if (ret_device->config && ret_device->config->area)
        ret_device->area = ret_device->config->area;
}

/* ---- from the table to the subscribers ---- */

static void on_device_heard(void *user, const struct device_hearing *heard);

static void listen_if_wanted(struct gateway *g)
{
    bool is_wanted = false;

    for (const struct gateway_subscription *s = g->subscriptions; s; s = s->next)
        is_wanted |= s->subscriber.on_hearing != NULL;
    device_table_listen(g->table, is_wanted ? on_device_heard : NULL);
}

static void sweep_subscriptions(struct gateway *g)
{
    struct gateway_subscription **link = &g->subscriptions;

    while (*link) {
        struct gateway_subscription *s = *link;

        if (!s->is_ended) {
            link = &s->next;
            continue;
        }
        *link = s->next;
        free(s);
    }
    listen_if_wanted(g);
}

static void tell_device(struct gateway *g, const struct gateway_device_change *change)
{
    g->is_telling = true;
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (!s->is_ended && s->subscriber.on_device)
            s->subscriber.on_device(s->subscriber.user, change);
    }
    g->is_telling = false;
    sweep_subscriptions(g);
}

static void on_device_change(void *user, const struct device_change *change)
{
    struct gateway *g = user;
    struct gateway_owner_change owner;
    struct gateway_device device;
    struct gateway_device_change told = {
            .reasons = change->kinds, .time = clock_now(), .device = &device};

    keeping_changed(g->keeping, change);
    past_changed(g->past, change);
    recordings_change(g->recordings, g->table, change);
    if (!g->subscriptions)
        return;
    view_row(g, change->device, &device);
    if (change->kinds & DEVICE_OWNER) {
        owner = (struct gateway_owner_change){
                .from = source_name(g, change->owner_from),
                .to = device.proxy,
                .why = owner_why_name(change->why),
                .rssi_from = change->rssi_from,
                .rssi_to = change->rssi_to,
        };
        told.owner = &owner;
    }
    tell_device(g, &told);
}

/* What an event of an advertisement is told for; flags, loudness and the like are not. */
#define TOLD_KINDS                                                                                 \
    (1u << AD_KIND_NAME | 1u << AD_KIND_UUID | 1u << AD_KIND_SERVICE_DATA |                        \
     1u << AD_KIND_MANUFACTURER)

static double smoothed_by(const struct gateway *g, const struct device *row, uint16_t source)
{
    struct device_source s;

    for (size_t i = 0; device_get_source(g->table, row, i, &s); i++) {
        if (s.source == source)
            return s.rssi_smoothed;
    }
    return (double) NAN;
}

static void on_device_heard(void *user, const struct device_hearing *heard)
{
    struct gateway *g = user;
    struct gateway_device device;
    struct gateway_hearing told = {
            .time = clock_now(),
            .device = &device,
            .proxy_index = heard->source,
            .proxy = source_name(g, heard->source),
            .is_owner = heard->is_owner,
            .rssi = heard->report->rssi,
            .rssi_smoothed = smoothed_by(g, heard->device, heard->source),
            .is_change = heard->payload_kinds & TOLD_KINDS || heard->silent_since == 0,
            .heard_before = heard->heard_before,
            .silent_since = heard->silent_since,
            .is_parsed = heard->report->is_parsed,
            .data = heard->report->data,
            .size = heard->report->size,
    };

    view_row(g, heard->device, &device);
    g->is_telling = true;
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (!s->is_ended && s->subscriber.on_hearing)
            s->subscriber.on_hearing(s->subscriber.user, &told);
    }
    g->is_telling = false;
    sweep_subscriptions(g);
}

static void view_window(const struct gateway *g, const struct scan_window *window,
                        struct gateway_window *ret_window)
{
    *ret_window = (struct gateway_window){
            .number = window->id,
            .proxy = source_name(g, window->source),
            .state = scan_window_state_name(window->state),
            .cause = scan_cause_name(window->cause),
            .addresses = window->addresses,
            .addresses_count = window->addresses_count,
            .planned = window->planned,
            .started = window->started,
            .ends = window->ends,
            .ended = window->ended,
            .duration = window->duration,
            .answered = window->answered,
            .detail = window->detail,
    };
    scan_window_format_id(ret_window->id, window->id);
}

static void on_scan_window(void *user, enum scan_window_action action,
                           const struct scan_window *window, usec_t now)
{
    struct gateway *g = user;
    struct gateway_window view;
    const struct gateway_window_change told = {
            .action = scan_window_action_name(action), .time = now, .window = &view};

    recordings_window(g->recordings, action, window, now);
    view_window(g, window, &view);
    g->is_telling = true;
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (!s->is_ended && s->subscriber.on_window)
            s->subscriber.on_window(s->subscriber.user, &told);
    }
    g->is_telling = false;
    sweep_subscriptions(g);
}

static void on_rescue(void *user, uint64_t address, uint16_t owner, uint16_t challenger)
{
    struct gateway *g = user;

    scanning_rescue(g->scanning, address, owner, challenger);
}

static void on_device_slot(void *user, uint64_t address, uint16_t source,
                           const struct device_slot *slot)
{
    struct gateway *g = user;

    past_slot(g->past, address, source, slot);
}

static void on_device_watched(void *user, uint16_t source, const struct ble_report *report)
{
    struct gateway *g = user;

    past_watched(g->past, source, report);
}

static void tell_proxy(struct gateway *g, enum gateway_proxy_reason reason, size_t index)
{
    g->is_telling = true;
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (!s->is_ended && s->subscriber.on_proxy)
            s->subscriber.on_proxy(s->subscriber.user, reason, index);
    }
    g->is_telling = false;
    sweep_subscriptions(g);
}

static void on_table_time(uv_timer_t *timer);

static void arm_table_timer(struct gateway *g, usec_t now)
{
    usec_t deadline = device_table_deadline(g->table);

    if (deadline == g->table_deadline)
        return;
    g->table_deadline = deadline;
    if (deadline == USEC_NEVER)
        (void) uv_timer_stop(&g->table_timer);
    else
        (void) uv_timer_start(&g->table_timer, on_table_time,
                              deadline > now ? (deadline - now) / USEC_PER_MSEC + 1 : 0, 0);
}

static void advance_table(struct gateway *g, usec_t now)
{
    g->table_deadline = 0; /* it has passed: arm it again whatever comes */
    recordings_tick(g->recordings, now);
    device_table_advance(g->table, now);
    arm_table_timer(g, now);
}

static void on_table_time(uv_timer_t *timer)
{
    advance_table(timer->data, clock_now());
}

/* ---- from the fleet into the table ---- */

static void on_reports(void *user, uint16_t source, const struct ble_report *reports, size_t count,
                       usec_t now)
{
    struct gateway *g = user;

    if (now >= g->table_deadline) /* after a sleep packets may come before timers */
        advance_table(g, now);
    recordings_reports(g->recordings, source, reports, count, now);
    device_table_observe(g->table, source, reports, count, now);
    scanning_heard(g->scanning, source, reports, count, now);
    arm_table_timer(g, now);
}

static void on_proxy_state(struct gateway *g, uint16_t source, const struct proxy_status *status,
                           usec_t now)
{
    bool is_online = status->state == PROXY_ONLINE;

    device_table_source_online(g->table, source, is_online, now);
    device_table_source_can_connect(g->table, source,
                                    status->features & PROXY_FEATURE_ACTIVE_CONNECTIONS);
    scanning_proxy_changed(g->scanning, source, is_online,
                           status->features & PROXY_FEATURE_STATE_AND_MODE, now);
    if (is_online && status->has_mac)
        keeping_note_mac(g->keeping, source, status->mac);
    tell_proxy(g, GATEWAY_PROXY_STATE, source);
}

static void on_proxy_change(void *user, struct proxy *proxy, unsigned changes, usec_t now)
{
    struct gateway *g = user;
    uint16_t source = proxy_get_settings(proxy)->source;
    struct proxy_status status;

    proxy_get_status(proxy, &status);
    if (changes & (PROXY_CHANGE_STATE | PROXY_CHANGE_SCANNER))
        recordings_proxy(g->recordings, source, &status, now);
    if (changes & PROXY_CHANGE_STATE)
        on_proxy_state(g, source, &status, now);
    if (changes & PROXY_CHANGE_SCANNER) {
        if (status.has_scanner)
            scanning_scanner_told(g->scanning, source, &status.scanner, now);
        tell_proxy(g, GATEWAY_PROXY_SCANNER, source);
    }
    if (changes & PROXY_CHANGE_SLOTS)
        tell_proxy(g, GATEWAY_PROXY_SLOTS, source);
    if (changes & PROXY_CHANGE_HEALTH)
        tell_proxy(g, GATEWAY_PROXY_ADVISORY, source);
}

static struct proxy_settings proxy_settings_of(const struct gateway *g, size_t index)
{
    const struct config_proxy *c = &g->config->proxies[index];
    struct proxy_settings s = {
            .source = (uint16_t) index,
            .name = c->name,
            .host = c->host,
            .port = c->port,
            .has_mac = c->has_mac,
            .mac = c->mac,
            .is_encrypted = c->is_encrypted,
            .password = c->password,
            .is_enabled = c->is_enabled,
            .quiet_after = (usec_t) g->config->scan_quiet_s * USEC_PER_SEC,
    };

    if (!s.has_mac)
        s.has_mac = keeping_get_mac(g->keeping, index, &s.mac);
    for (size_t i = 0; i < sizeof s.key; i++)
        s.key[i] = c->encryption_key[i];
    return s;
}

static struct fleet *make_fleet(struct gateway *g)
{
    const struct proxy_callbacks callbacks = {on_reports, on_proxy_change, g};
    size_t count = g->config->proxies_count;
    struct proxy_settings *settings = xnew(struct proxy_settings, count);
    struct fleet *fleet;

    for (size_t i = 0; i < count; i++)
        settings[i] = proxy_settings_of(g, i);
    fleet = fleet_new(g->loop, settings, count, &callbacks);
    explicit_bzero(settings, count * sizeof *settings);
    free(settings);
    return fleet;
}

/* ---- life ---- */

struct gateway *gateway_new(struct uv_loop_s *loop, struct config *config, struct config_file *file,
                            struct store *store)
{
    struct gateway *g = xnew(struct gateway, 1);
    struct device_table_settings settings = table_settings_make(config);

    assert(config->proxies_count <= DEVICE_TABLE_SOURCES_MAX);
    g->loop = loop;
    g->config = config;
    g->started = clock_now();
    g->table = device_table_new(&settings, on_device_change, g);
    device_table_on_rescue(g->table, on_rescue);
    g->table_deadline = USEC_NEVER;
    (void) uv_timer_init(loop, &g->table_timer); /* cannot fail */
    g->table_timer.data = g;
    g->past = past_new((size_t) config->limits_history_mb << 20, g->table);
    device_table_on_slot(g->table, on_device_slot);
    device_table_on_watched(g->table, on_device_watched);
    g->scanning = scanning_new(loop, config, g->table, on_scan_window, g);
    g->configured = configured_new(config);
    configured_compare(/* older= */ NULL, g->configured, apply_device, g);
    g->recordings = recordings_new(config, g->configured, g->started, clock_wall());
    g->keeping = keeping_new(loop, store, g, g->table);
    if (file)
        g->rewriter = rewriter_new(loop, file);
    arm_table_timer(g, g->started);
    g->heard = memory_zalloc(1, sizeof *g->heard +
                                        config->proxies_count * sizeof g->heard->by_proxy[0]);
    g->clocks = xnew(struct clocks, 1);
    g->loop_lag = loop_lag_start(loop);
    g->fleet = make_fleet(g);
    scanning_attach(g->scanning, g->fleet);
    return g;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct gateway *g = handle->data;

    if (g->on_closed)
        g->on_closed(g->closed_user);
}

static void on_keeping_closed(void *user)
{
    struct gateway *g = user;

    g->keeping = NULL;
    uv_close((uv_handle_t *) &g->table_timer, on_timer_closed);
}

static void on_fleet_closed(void *user)
{
    struct gateway *g = user;

    g->fleet = NULL;
    loop_lag_stop(TAKE(g->loop_lag));
    if (g->keeping)
        keeping_close(g->keeping, on_keeping_closed, g);
    else
        on_keeping_closed(g);
}

static void on_rewriter_closed(void *user)
{
    struct gateway *g = user;

    g->rewriter = NULL;
    scanning_stop(g->scanning); /* while the proxies still listen */
    fleet_close(g->fleet, on_fleet_closed, g);
}

void gateway_close(struct gateway *g, void (*on_closed)(void *user), void *user)
{
    g->on_closed = on_closed;
    g->closed_user = user;
    recordings_cancel_replay(g->recordings);
    if (g->rewriter)
        rewriter_close(g->rewriter, on_rewriter_closed, g);
    else
        on_rewriter_closed(g);
}

void gateway_free(struct gateway *g)
{
    if (!g)
        return;
    assert(!g->fleet);
    assert(!g->subscriptions);
    scanning_free(g->scanning);
    past_free(g->past);
    device_table_free(g->table);
    recordings_free(g->recordings);
    configured_free(g->configured);
    config_free(g->config);
    free(g->heard);
    free(g->clocks);
    free(g);
}

/* ---- time ---- */

usec_t gateway_now(const struct gateway *g)
{
    (void) g;
    return clock_now();
}

static const struct clocks *read_clocks(const struct gateway *g)
{
    struct clocks *c = g->clocks;

    if (c->turn != uv_now(g->loop) || c->now == 0)
        *c = (struct clocks){uv_now(g->loop), clock_now(), clock_wall()};
    return c;
}

int64_t gateway_wall(const struct gateway *g, usec_t moment)
{
    const struct clocks *c = read_clocks(g);

    return clock_to_wall(moment, c->now, c->wall);
}

usec_t gateway_moment(const struct gateway *g, int64_t wall)
{
    const struct clocks *c = read_clocks(g);
    int64_t moment = (int64_t) c->now + (wall - c->wall);

    return moment > 0 ? (usec_t) moment : 0;
}

static void on_user_timer_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF((uv_timer_t *) handle, struct gateway_timer, timer));
}

static void on_user_time(uv_timer_t *handle)
{
    struct gateway_timer *t = CONTAINER_OF(handle, struct gateway_timer, timer);

    gateway_timer_stop(t);
    t->on_time(t->user);
}

struct gateway_timer *gateway_timer_start(struct gateway *g, usec_t delay,
                                          void (*on_time)(void *user), void *user)
{
    struct gateway_timer *t = xnew(struct gateway_timer, 1);

    t->gateway = g;
    t->on_time = on_time;
    t->user = user;
    (void) uv_timer_init(g->loop, &t->timer); /* cannot fail, nor can the start */
    (void) uv_timer_start(&t->timer, on_user_time, (delay + USEC_PER_MSEC - 1) / USEC_PER_MSEC, 0);
    return t;
}

void gateway_timer_stop(struct gateway_timer *timer)
{
    if (timer)
        uv_close((uv_handle_t *) &timer->timer, on_user_timer_closed);
}

/* ---- what runs here ---- */

void gateway_get_info(const struct gateway *g, struct gateway_info *ret_info)
{
    struct device_table_statistics statistics;

    device_table_get_statistics(g->table, &statistics);
    *ret_info = (struct gateway_info){
            .started = g->started,
            .proxies = g->config->proxies_count,
            .devices = gateway_devices_count(g),
            .memory_table_bytes = statistics.memory_bytes,
    };
    for (size_t i = 0; i < g->config->proxies_count; i++) {
        struct proxy_status status;

        proxy_get_status(fleet_get(g->fleet, i), &status);
        ret_info->proxies_online += status.state == PROXY_ONLINE;
        ret_info->advertisements_per_s += fleet_rate(g->fleet, i);
    }
}

void gateway_get_keeping(const struct gateway *g, struct gateway_keeping *ret_keeping)
{
    keeping_get_status(g->keeping, ret_keeping);
}

const struct config *gateway_config(const struct gateway *g)
{
    return g->config;
}

/* One walk over the table serves all that is asked within a second. */
static const struct heard_counts *count_heard(const struct gateway *g)
{
    struct heard_counts *heard = g->heard;
    usec_t now = clock_now();

    if (heard->counted == 0 || now - heard->counted >= HEARD_COUNTS_AGE) {
        device_table_count_heard_all(g->table, heard->by_proxy, g->config->proxies_count, now);
        heard->available = device_table_count_available(g->table);
        heard->counted = now;
    }
    return heard;
}

const char *gateway_owner_why_name(unsigned why)
{
    return why < OWNER_WHY_COUNT ? owner_why_name((enum owner_why) why) : NULL;
}

static void add_process_figures(struct gateway_statistics *s)
{
    struct process_figures process;

    process_get_figures(&process);
    s->memory_bytes = process.memory_bytes;
    s->cpu = process.cpu;
    s->descriptors = process.descriptors;
    s->descriptors_max = process.descriptors_max;
}

static void add_look_ups(struct gateway_statistics *s, const struct fleet *fleet)
{
    struct resolver_statistics names;

    fleet_get_resolver_statistics(fleet, &names);
    s->look_ups = names.look_ups;
    s->look_ups_failed = names.failed;
    s->look_ups_running = names.running;
    s->look_ups_waiting = names.waiting;
}

static void add_history(struct gateway_statistics *s, const struct past *past)
{
    struct history_statistics history;

    if (!past)
        return;
    history_get_statistics(past_history(past), &history);
    s->history_devices = history.devices;
    s->history_bytes = history.bytes;
    s->history_dropped = history.blocks_dropped;
}

void gateway_get_statistics(const struct gateway *g, struct gateway_statistics *ret_statistics)
{
    struct device_table_statistics table;

    device_table_get_statistics(g->table, &table);
    *ret_statistics = (struct gateway_statistics){
            .uptime = clock_now() - g->started,
            .loop_lag = loop_lag_histogram(g->loop_lag),
            .devices = device_table_count(g->table),
            .devices_available = count_heard(g)->available,
            .devices_evicted = table.evicted,
            .devices_forgotten = table.forgotten,
            .reports = table.reports,
            .reports_refused = table.refused,
            .reports_parsed = table.parses,
            .elements_dropped = table.elements_dropped,
            .table_bytes = table.memory_bytes,
    };
    memcpy(ret_statistics->owner_changes, table.owner_changes, sizeof table.owner_changes);
    add_process_figures(ret_statistics);
    add_history(ret_statistics, g->past);
    add_look_ups(ret_statistics, g->fleet);
}

/* ---- proxies ---- */

size_t gateway_proxies_count(const struct gateway *g)
{
    return g->config->proxies_count;
}

static const char *scanner_state_name(const struct proxy_status *s)
{
    static const char *const names[] = {"idle",   "starting", "running",
                                        "failed", "stopping", "stopped"};

    return s->has_scanner && s->scanner.state < ARRAY_SIZE(names) ? names[s->scanner.state]
                                                                  : "unknown";
}

static const char *scanner_mode_name(const struct proxy_status *s)
{
    if (!s->has_scanner || s->scanner.mode > SCANNER_ACTIVE)
        return NULL;
    return s->scanner.mode == SCANNER_ACTIVE ? "active" : "passive";
}

/* 0: none, or the proxy has not confirmed it yet. */
static uint64_t running_window(const struct gateway *g, size_t index)
{
    const struct windows *windows = scanning_windows(g->scanning);
    uint64_t id = windows_open_on(windows, (uint16_t) index);
    struct scan_window window;

    return id > 0 && windows_get(windows, id, &window) && window.state == SCAN_WINDOW_RUNNING ? id
                                                                                              : 0;
}

void gateway_get_proxy(const struct gateway *g, size_t index, struct gateway_proxy *ret_proxy)
{
    struct proxy_status s;

    assert(index < g->config->proxies_count);
    proxy_get_status(fleet_get(g->fleet, index), &s);
    *ret_proxy = (struct gateway_proxy){
            .index = index,
            .config = &g->config->proxies[index],
            .state = proxy_state_name(s.state),
            .is_online = s.state == PROXY_ONLINE,
            .since = s.since,
            .last_error = {s.error_code, s.error_detail, s.error_time},
            .retry_at = s.retry_at,
            .has_mac = s.has_mac,
            .mac = s.mac,
            .has_bluetooth_mac = s.has_bluetooth_mac,
            .bluetooth_mac = s.bluetooth_mac,
            .model = s.model[0] ? s.model : NULL,
            .esphome_version = s.esphome_version[0] ? s.esphome_version : NULL,
            .api_major = s.api_major,
            .api_minor = s.api_minor,
            .features = s.features,
            .scan_wanted = scanning_mode_name(g->config, index),
            .scanner_mode = scanner_mode_name(&s),
            .scanner_state = scanner_state_name(&s),
            .window = running_window(g, index),
            .has_slots = s.has_slots,
            .slots_limit = s.slots_limit,
            .slots_free = s.slots_free,
            .slots_allocated = s.slots_allocated,
            .slots_since = s.slots_since,
            .slots_allocated_count = s.slots_allocated_count,
            .devices = count_heard(g)->by_proxy[index],
            .advertisements_per_s = fleet_rate(g->fleet, index),
            .advertisements_total = s.advertisements,
            .last_advertisement = s.last_advertisement,
            .quiet_since = s.quiet_since,
            .round_trip = s.round_trip,
    };
}

void gateway_get_proxy_statistics(const struct gateway *g, size_t index,
                                  struct gateway_proxy_statistics *ret_statistics)
{
    struct device_source_statistics source;
    struct proxy_status s;

    assert(index < g->config->proxies_count);
    proxy_get_status(fleet_get(g->fleet, index), &s);
    device_table_get_source_statistics(g->table, (uint16_t) index, &source);
    *ret_statistics = (struct gateway_proxy_statistics){
            .advertisements_skipped = s.advertisements_skipped,
            .reports = source.reports,
            .reports_refused = source.refused,
            .reports_parsed = source.parses,
            .devices_lost = source.devices_lost,
            .dials = s.dials,
            .reconnects = s.greetings > 0 ? s.greetings - 1 : 0,
            .retakes = s.retakes,
    };
    memcpy(ret_statistics->devices_gained, source.devices_gained, sizeof source.devices_gained);
}

const char *gateway_next_proxy_failure(const struct gateway *g, size_t index, size_t *position,
                                       uint64_t *ret_count)
{
    struct proxy_status s;
    int cause;

    assert(index < g->config->proxies_count);
    proxy_get_status(fleet_get(g->fleet, index), &s);
    cause = failures_next(s.failures, position, ret_count);
    return cause ? error_token(cause) : NULL;
}

const char *gateway_proxy_state_name(unsigned state)
{
    return state <= PROXY_FAILED ? proxy_state_name((enum proxy_state) state) : NULL;
}

int gateway_find_proxy(const struct gateway *g, const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < g->config->proxies_count; i++) {
        if (strcmp(g->config->proxies[i].name, name) == 0) {
            *ret_index = i;
            return 0;
        }
    }
    return E_PROXY_NOT_FOUND;
}

const char *gateway_feature_name(unsigned bit)
{
    static const char *const names[] = {
            "passive_scan",   "active_connections", "remote_caching", "pairing",
            "cache_clearing", "raw_advertisements", "state_and_mode", "connection_params"};

    return bit < ARRAY_SIZE(names) ? names[bit] : NULL;
}

int gateway_reconnect_proxy(struct gateway *g, size_t index)
{
    if (!g->config->proxies[index].is_enabled)
        return E_CONFLICT;
    proxy_reconnect(fleet_get(g->fleet, index));
    return 0;
}

/* ---- devices ---- */

size_t gateway_devices_count(const struct gateway *g)
{
    size_t count = device_table_count(g->table);

    for (size_t i = 0; i < g->config->devices_count; i++)
        count += !device_table_find(g->table, g->config->devices[i].address);
    return count;
}

int gateway_find_device(const struct gateway *g, uint64_t address,
                        struct gateway_device *ret_device)
{
    const struct device *row = device_table_find(g->table, address);
    const struct config_device *config;

    if (row) {
        view_row(g, row, ret_device);
        return 0;
    }
    config = configured_find(g->configured, address);
    if (!config)
        return E_DEVICE_NOT_FOUND;
    view_configured(config, ret_device);
    return 0;
}

/* Positions count through the table's rows (even numbers), then the configured ones (odd numbers).
 */
bool gateway_next_device(const struct gateway *g, size_t *position,
                         struct gateway_device *ret_device)
{
    if (*position % 2 == 0) {
        size_t at = *position / 2;
        const struct device *row = device_table_next(g->table, &at);

        *position = at * 2;
        if (row) {
            view_row(g, row, ret_device);
            return true;
        }
        *position = 1;
    }
    for (; *position / 2 < g->config->devices_count; *position += 2) {
        const struct config_device *config = &g->config->devices[*position / 2];

        if (device_table_find(g->table, config->address))
            continue;
        view_configured(config, ret_device);
        *position += 2;
        return true;
    }
    return false;
}

bool gateway_get_element(const struct gateway *g, const struct gateway_device *d, size_t index,
                         struct gateway_element *ret_element)
{
    struct device_element e;

    if (!d->row || !device_get_element(g->table, d->row, index, &e))
        return false;
    *ret_element = (struct gateway_element){
            .type = e.type,
            .proxy = source_name(g, e.source),
            .last_seen = e.last_seen,
            .has_company = e.has_company,
            .has_uuid = e.has_uuid,
            .company = e.company,
            .uuid = e.uuid,
            .data = e.data,
            .size = e.size,
    };
    return true;
}

bool gateway_get_source(const struct gateway *g, const struct gateway_device *d, size_t index,
                        struct gateway_source *ret_source)
{
    struct device_source s;

    if (!d->row || !device_get_source(g->table, d->row, index, &s))
        return false;
    *ret_source = (struct gateway_source){
            .proxy = source_name(g, s.source),
            .rssi = s.rssi,
            .rssi_smoothed = s.rssi_smoothed,
            .last_seen = s.last_seen,
            .advertisements = s.advertisements,
            .is_owner = s.is_owner,
            .can_connect = s.can_connect,
    };
    return true;
}

bool gateway_get_latest(const struct gateway *g, const struct gateway_device *d,
                        struct gateway_packet *ret_packet)
{
    struct device_packet p;

    if (!d->row)
        return false;
    device_get_latest(g->table, d->row, &p);
    *ret_packet = (struct gateway_packet){
            .time = p.time,
            .proxy = source_name(g, p.source),
            .rssi = p.rssi,
            .is_parsed = p.is_parsed,
            .data = p.ad_data,
            .size = p.size,
    };
    return true;
}

int gateway_clear_history(struct gateway *g, uint64_t address)
{
    return device_table_clear_history(g->table, address) ? 0 : E_DEVICE_NOT_FOUND;
}

/* ---- why a device is heard as it is ---- */

bool gateway_get_rivalry(const struct gateway *g, const struct gateway_device *d, size_t index,
                         struct gateway_rivalry *ret_rivalry)
{
    const struct ownership_terms *t;
    struct device_rivalry r;

    if (!d->row || !device_get_rivalry(g->table, d->row, index, clock_now(), &r))
        return false;
    t = &r.terms;
    *ret_rivalry = (struct gateway_rivalry){
            .has_db = t->ways[OWNERSHIP_FAST].has_db,
            .needs_db = t->ways[OWNERSHIP_FAST].needs_db,
            .lasting_db = t->ways[OWNERSHIP_SLOW].is_open ? t->ways[OWNERSHIP_SLOW].needs_db
                                                          : (double) NAN,
            .packets = t->packets,
            .packets_needed = t->packets_needed,
            .has_lost = t->has_lost,
            .owner_silent_for = r.owner_silent_for,
            .taken_after = t->taken_after,
            .is_owner_online = r.is_owner_online,
            .is_owner_quiet = r.owner_quiet_for > (usec_t) g->config->scan_quiet_s * USEC_PER_SEC,
    };
    return true;
}

bool gateway_get_loss(const struct gateway *g, const struct gateway_device *d, size_t index,
                      uint32_t *ret_heard, uint32_t *ret_lost)
{
    struct device_source s;

    if (!g->past || !d->row || !device_get_source(g->table, d->row, index, &s))
        return false;
    history_get_loss(past_history(g->past), d->address, s.source, clock_now(), ret_heard, ret_lost);
    return *ret_heard > 0;
}

size_t gateway_get_paths(const struct gateway *g, const struct gateway_device *d,
                         struct gateway_path *ret_paths, size_t max)
{
    struct device_path *paths AUTO_FREE = xnew(struct device_path, max + 1);
    size_t count = d->row ? device_get_paths(g->table, d->row, clock_now(), paths, max) : 0;
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        if (source_config(g, paths[i].source))
            ret_paths[used++] = (struct gateway_path){paths[i].source, paths[i].rssi};
    }
    return used;
}

/* ---- the past of a device ---- */

/* The slot in which the source heard it last is with the table still. */
static void add_present_slot(const struct device_source *s, usec_t start,
                             struct gateway_slot *ret_slots, size_t count)
{
    const struct device_slot *slot = &s->slot;
    uint64_t at;

    if (slot->packets == 0 || slot->start < start)
        return;
    at = (slot->start - start) / GATEWAY_SLOT;
    if (at < count)
        ret_slots[at] = (struct gateway_slot){
                (float) slot->rssi,
                (uint16_t) (slot->packets < UINT16_MAX ? slot->packets : UINT16_MAX)};
}

static void trim(const struct gateway_slot *slots, size_t count, struct gateway_track *track)
{
    while (count > 0 && slots[count - 1].packets == 0)
        count--;
    while (track->first < count && slots[track->first].packets == 0)
        track->first++;
    track->count = count - track->first;
    track->start += track->first * GATEWAY_SLOT;
}

static_assert((size_t) GATEWAY_SLOTS_MAX > HISTORY_SLOTS_MAX && GATEWAY_SLOT == HISTORY_SLOT,
              "a face sees all slots of the history");

static void read_slots(const struct gateway *g, uint64_t address, uint16_t source, usec_t start,
                       struct gateway_slot *ret_slots, size_t count)
{
    struct history_slot *slots AUTO_FREE = xnew(struct history_slot, count);

    (void) history_read_slots(past_history(g->past), address, source, start, slots, count);
    for (size_t i = 0; i < count; i++)
        ret_slots[i] = (struct gateway_slot){slots[i].rssi, slots[i].packets};
}

bool gateway_get_track(const struct gateway *g, const struct gateway_device *d, size_t index,
                       usec_t since, usec_t until, struct gateway_slot ret_slots[GATEWAY_SLOTS_MAX],
                       struct gateway_track *ret_track)
{
    usec_t now = clock_now();
    struct device_source s;
    size_t count;

    if (!d->row || !device_get_source(g->table, d->row, index, &s))
        return false;
    until = until < now ? until : now;
    since = since > now - HISTORY_AGE ? since : now - HISTORY_AGE;
    since -= since % GATEWAY_SLOT;
    *ret_track = (struct gateway_track){.proxy = source_name(g, s.source), .start = since};
    if (!g->past || since > until)
        return true;
    count = (until - since) / GATEWAY_SLOT + 1;
    read_slots(g, d->address, s.source, since, ret_slots, count);
    add_present_slot(&s, since, ret_slots, count);
    trim(ret_slots, count, ret_track);
    return true;
}

bool gateway_next_past_payload(const struct gateway *g, const struct gateway_device *d,
                               struct gateway_past_position *position,
                               struct gateway_packet *ret_packet)
{
    struct history_position p = {position->place, position->offset};
    struct history_payload payload;

    if (!g->past || !history_next_payload(past_history(g->past), d->address, &p, &payload))
        return false;
    *position = (struct gateway_past_position){p.block, p.offset};
    *ret_packet = (struct gateway_packet){
            .time = payload.time,
            .proxy = source_name(g, payload.source),
            .rssi = payload.rssi,
            .is_parsed = payload.is_parsed,
            .data = payload.data,
            .size = payload.size,
    };
    return true;
}

bool gateway_next_past_owner(const struct gateway *g, const struct gateway_device *d,
                             struct gateway_past_position *position,
                             struct gateway_past_owner *ret_owner)
{
    struct history_position p = {position->place, position->offset};
    struct history_owner owner;

    if (!g->past || !history_next_owner(past_history(g->past), d->address, &p, &owner))
        return false;
    *position = (struct gateway_past_position){p.block, p.offset};
    *ret_owner = (struct gateway_past_owner){
            .time = owner.time,
            .from = source_name(g, owner.from),
            .to = source_name(g, owner.to),
            .why = owner_why_name((enum owner_why) owner.why),
            .rssi_from = (double) owner.rssi_from,
            .rssi_to = (double) owner.rssi_to,
    };
    return true;
}

bool gateway_is_past_truncated(const struct gateway *g, const struct gateway_device *d,
                               usec_t since)
{
    usec_t begins = since > d->first_seen ? since : d->first_seen;

    if (!d->row)
        return false;
    return !g->past || history_complete_since(past_history(g->past), d->address) > begins;
}

/* ---- scanning ---- */

bool gateway_window_before(const struct gateway *g, uint64_t number,
                           struct gateway_window *ret_window)
{
    struct scan_window window;

    if (!windows_before(scanning_windows(g->scanning), number, &window))
        return false;
    view_window(g, &window, ret_window);
    return true;
}

bool gateway_get_window(const struct gateway *g, uint64_t number, struct gateway_window *ret_window)
{
    struct scan_window window;

    if (!windows_get(scanning_windows(g->scanning), number, &window))
        return false;
    view_window(g, &window, ret_window);
    return true;
}

static_assert(GATEWAY_WINDOW_MIN == WINDOWS_DURATION_MIN, "one limit");
static_assert(GATEWAY_WINDOW_MAX == WINDOWS_DURATION_MAX, "one limit");

int gateway_open_window(struct gateway *g, size_t proxy_index, uint64_t address, usec_t duration,
                        uint64_t *ret_number)
{
    return scanning_open(g->scanning, (uint16_t) proxy_index, address, duration, ret_number);
}

size_t gateway_discover(struct gateway *g, usec_t duration, uint64_t *ret_numbers, size_t max)
{
    return scanning_discover(g->scanning, duration, ret_numbers, max);
}

static void view_need(const struct gateway *g, const struct scan_need *need,
                      struct gateway_need *ret_need)
{
    *ret_need = (struct gateway_need){
            .address = need->address,
            .interval = need->interval,
            .duration = need->duration,
            .proxy = source_name(g, need->source),
            .state = scan_need_state_name(need->state),
            .next_due = need->next_due,
            .answered = need->answered,
            .missed = need->missed,
    };
    if (need->last_window > 0)
        scan_window_format_id(ret_need->last_window, need->last_window);
}

bool gateway_get_need(const struct gateway *g, uint64_t address, struct gateway_need *ret_need)
{
    struct scan_need need;

    if (!windows_need_get(scanning_windows(g->scanning), address, &need))
        return false;
    view_need(g, &need, ret_need);
    return true;
}

bool gateway_next_need(const struct gateway *g, size_t *position, struct gateway_need *ret_need)
{
    struct scan_need need;

    if (!windows_need_next(scanning_windows(g->scanning), position, &need))
        return false;
    view_need(g, &need, ret_need);
    return true;
}

size_t gateway_needs_count(const struct gateway *g)
{
    return windows_need_count(scanning_windows(g->scanning));
}

void gateway_get_scan_statistics(const struct gateway *g,
                                 struct gateway_scan_statistics *ret_statistics)
{
    struct windows_statistics s;

    windows_get_statistics(scanning_windows(g->scanning), &s);
    *ret_statistics = (struct gateway_scan_statistics){
            .refused = s.refused,
            .failed = s.failed,
            .active = s.active_usec,
            .answered = s.answered,
            .missed = s.missed,
            .restarts = s.restarts,
    };
    memcpy(ret_statistics->opened, s.opened, sizeof s.opened);
}

const char *gateway_scan_cause_name(unsigned cause)
{
    return cause < SCAN_CAUSE_COUNT ? scan_cause_name((enum scan_cause) cause) : NULL;
}

/* ---- changing the configuration ---- */

/* A change under way: what comes of it is ours to apply, whether somebody still asks or not. */
struct gateway_order {
    struct gateway *gateway;
    struct gateway_change *change; /* NULL: cancelled */
    bool is_removal;
    uint64_t address; /* with is_removal */
};

/* A device that loses its settings and was never heard is not known any more. */
static void tell_settings(void *user, const struct config_device *before,
                          const struct config_device *after)
{
    struct gateway *g = user;
    const struct config_device gone = {.address = after ? after->address : before->address};
    struct gateway_device device;
    struct gateway_device_change told = {
            .reasons = GATEWAY_DEVICE_SETTINGS, .time = clock_now(), .device = &device};

    if (gateway_find_device(g, gone.address, &device) != 0) {
        view_configured(&gone, &device);
        device.config = NULL;
        told.reasons = GATEWAY_DEVICE_FORGOTTEN;
    }
    tell_device(g, &told);
}

static bool is_same_mode(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void tell_proxy_settings(struct gateway *g, const struct config *before)
{
    for (size_t i = 0; i < g->config->proxies_count; i++) {
        if (!is_same_mode(before->proxies[i].scan_mode, g->config->proxies[i].scan_mode))
            tell_proxy(g, GATEWAY_PROXY_SETTINGS, i);
    }
}

static void tell_configuration(struct gateway *g)
{
    g->is_telling = true;
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (!s->is_ended && s->subscriber.on_configuration)
            s->subscriber.on_configuration(s->subscriber.user);
    }
    g->is_telling = false;
    sweep_subscriptions(g);
}

void gateway_reconfigure(struct gateway *g, struct config *config)
{
    struct config *before = g->config;
    struct configured *configured_before = g->configured;
    struct device_table_settings settings = table_settings_make(config);

    assert(config->proxies_count == before->proxies_count);
    g->config = config;
    g->configured = configured_new(config);
    recordings_configure(g->recordings, config, g->configured, clock_now());
    device_table_configure(g->table, &settings);
    scanning_configure(g->scanning, config, clock_now());
    configured_compare(configured_before, g->configured, apply_device, g);
    arm_table_timer(g, clock_now());
    configured_compare(configured_before, g->configured, tell_settings, g);
    tell_proxy_settings(g, before);
    tell_configuration(g);
    configured_free(configured_before);
    config_free(before);
}

static void on_rewritten(void *user, int cause, struct config_edited *edited)
{
    struct gateway_order *order = user;
    struct gateway_change *change = order->change;

    if (cause == 0 && edited->is_changed)
        gateway_reconfigure(order->gateway, TAKE(edited->config));
    if (cause == 0 && order->is_removal)
        (void) device_table_forget(order->gateway->table, order->address); /* if it was heard */
    free(order);
    if (!change)
        return;
    change->order = NULL;
    change->done(change, cause, edited);
}

static int submit(struct gateway *g, const struct config_edit *edit,
                  const struct gateway_order *order, struct gateway_change *change)
{
    struct gateway_order *copy;
    int rc;

    if (!g->rewriter)
        return -EROFS;
    copy = xnew(struct gateway_order, 1);
    *copy = *order;
    copy->gateway = g;
    copy->change = change;
    rc = rewriter_change(g->rewriter, edit, on_rewritten, copy);
    if (rc < 0)
        free(copy);
    else
        change->order = copy;
    return rc;
}

int gateway_change_device(struct gateway *g, uint64_t address, const char *patch, size_t size,
                          const char *pointer, struct gateway_change *change)
{
    char name[BLE_ADDRESS_TEXT_SIZE];
    const struct config_edit edit = {"devices", name, patch, size, pointer};

    ble_address_format(name, address);
    return submit(g, &edit, &(struct gateway_order){0}, change);
}

int gateway_remove_device(struct gateway *g, uint64_t address, struct gateway_change *change)
{
    char name[BLE_ADDRESS_TEXT_SIZE];
    const struct config_edit edit = {.list = "devices", .entry = name, .pointer = ""};
    const struct gateway_order order = {.is_removal = true, .address = address};

    ble_address_format(name, address);
    if (configured_find(g->configured, address))
        return submit(g, &edit, &order, change);
    return device_table_forget(g->table, address) ? GATEWAY_DONE : E_DEVICE_NOT_FOUND;
}

int gateway_set_scan_mode(struct gateway *g, size_t proxy_index, const char *mode,
                          struct gateway_change *change)
{
    char patch[64];
    int size = snprintf(patch, sizeof patch, "{\"scan_mode\":\"%s\"}", mode);
    const struct config_edit edit = {"proxies", g->config->proxies[proxy_index].name, patch,
                                     (size_t) size, ""};

    assert(size > 0 && (size_t) size < sizeof patch);
    return submit(g, &edit, &(struct gateway_order){0}, change);
}

void gateway_change_cancel(struct gateway_change *change)
{
    change->order->change = NULL;
    change->order = NULL;
}

/* ---- changes ---- */

struct gateway_subscription *gateway_subscribe(struct gateway *g,
                                               const struct gateway_subscriber *subscriber)
{
    struct gateway_subscription *s = xnew(struct gateway_subscription, 1);

    s->gateway = g;
    s->subscriber = *subscriber;
    s->next = g->subscriptions;
    g->subscriptions = s;
    listen_if_wanted(g);
    return s;
}

void gateway_unsubscribe(struct gateway_subscription *subscription)
{
    if (!subscription)
        return;
    subscription->is_ended = true;
    if (!subscription->gateway->is_telling)
        sweep_subscriptions(subscription->gateway);
}

/* ---- the flight recorder ---- */

void gateway_get_recorder(const struct gateway *g, struct gateway_recorder *ret_recorder)
{
    recordings_get_status(g->recordings, ret_recorder);
}

struct gateway_recording *gateway_recording_open(struct gateway *g,
                                                 const struct gateway_recording_wish *wish)
{
    return recordings_open(g->recordings, wish, clock_now());
}

int gateway_replay(struct gateway *g, const struct gateway_replay_wish *wish,
                   struct config_faults *ret_faults, gateway_replay_fn *on_done, void *user)
{
    return recordings_replay(g->recordings, g->loop, wish, ret_faults, on_done, user);
}

void gateway_replay_cancel(struct gateway *g)
{
    recordings_cancel_replay(g->recordings);
}
