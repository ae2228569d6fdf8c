/* Introduces the rooms to each other. Reports climb from the fleet into the device table; what
 * changes there goes on to the subscribers as a view. A proxy that comes or goes is a source of the
 * table that goes online or offline. The table's next deadline is the one timer of its own. What
 * proxies and packets mean for active scanning is scanning.h's, for links linking.h's, and for what
 * is done over links gatting.h's. */
#include "inside.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "accounting.h"
#include "backups.h"
#include "base/memory.h"
#include "configured.h"
#include "discovering.h"
#include "gatting.h"
#include "keeping.h"
#include "linking.h"
#include "loop_lag.h"
#include "past.h"
#include "proxy/fleet.h"
#include "recordings.h"
#include "rewriter.h"
#include "scan/device_table.h"
#include "scanning.h"
#include "subscribers.h"
#include "table_settings.h"
#include "view.h"

struct gateway_timer {
    uv_timer_t timer;
    struct gateway *gateway;
    void (*on_time)(void *user);
    void *user;
};

/* Both clocks at one moment of this turn of the loop: a cache, since an event tells several times
 * and asking costs as much as writing one. */
struct clocks {
    uint64_t turn; /* the loop's own time */
    usec_t now;    /* 0: never asked */
    int64_t wall;
};

/* ---- configured devices ---- */

/* The one place where the settings of a device take effect. NULL: it has none. */
void gateway_apply_device(void *user, const struct config_device *before,
                          const struct config_device *after)
{
    struct gateway *g = user;
    uint64_t address = after ? after->address : before->address;
    double expected = after ? after->expected_interval_s : 0;

    device_table_pin(g->table, address, after != NULL, (usec_t) (expected * (double) USEC_PER_SEC));
    scanning_set_need(g->scanning, address, after ? after->active_scan_interval_s : 0,
                      after ? after->active_scan_duration_s : 0, clock_now());
    linking_keep(g->linking, address, after && after->keep_connected, clock_now());
    recordings_device(g->recordings, address, clock_now());
}

/* ---- from the table to the subscribers ---- */

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
    view_device(g, change->device, &device);
    if (change->kinds & DEVICE_OWNER) {
        owner = (struct gateway_owner_change){
                .from = view_source_name(g, change->owner_from),
                .to = device.proxy,
                .why = owner_why_name(change->why),
                .rssi_from = change->rssi_from,
                .rssi_to = change->rssi_to,
        };
        told.owner = &owner;
    }
    subscribers_tell_device(g, &told);
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
            .proxy_id = roster_id(g->roster, heard->source),
            .proxy = view_source_name(g, heard->source),
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

    view_device(g, heard->device, &device);
    subscribers_tell_hearing(g, &told);
}

void gateway_listen(struct gateway *g, bool is_wanted)
{
    device_table_listen(g->table, is_wanted ? on_device_heard : NULL);
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
    subscribers_tell_window(g, &told);
}

static void on_scan_covered(void *user, uint64_t address, uint16_t source, usec_t now)
{
    struct gateway *g = user;
    const struct recording_command command = {RECORDING_COVERED, address, source};

    recordings_command(g->recordings, &command, now);
    device_table_covered(g->table, address, source, now);
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

static void on_table_time(uv_timer_t *timer);

void gateway_arm_table_timer(struct gateway *g, usec_t now)
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
    gateway_arm_table_timer(g, now);
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
    if (linking_listens(g->linking))
        linking_heard(g->linking, reports, count, now);
    gateway_arm_table_timer(g, now);
}

static void on_proxy_state(struct gateway *g, uint16_t source, const struct proxy_status *status,
                           usec_t now)
{
    bool is_online = status->state == PROXY_ONLINE;

    if (is_online && status->has_mac)
        gateway_fleet_met(g, source, status->mac);
    device_table_source_online(g->table, source, is_online, now);
    device_table_source_can_connect(g->table, source,
                                    status->features & PROXY_FEATURE_ACTIVE_CONNECTIONS);
    scanning_proxy_changed(g->scanning, source, is_online,
                           status->features & PROXY_FEATURE_STATE_AND_MODE, now);
    linking_proxy_changed(g->linking, source, status, now);
    gatting_proxy_changed(g->gatting, source, is_online, now);
    subscribers_tell_proxy(g, GATEWAY_PROXY_STATE, source);
}

static void on_scanner(struct gateway *g, uint16_t source,
                       const struct message_scanner_state *scanner, usec_t now)
{
    const struct message message = {.type = MESSAGE_SCANNER_STATE_RESPONSE,
                                    .scanner_state = *scanner};

    scanning_scanner_told(g->scanning, source, scanner, now);
    linking_message(g->linking, source, &message, now);
}

static void on_proxy_change(void *user, struct proxy *proxy, unsigned changes, usec_t now)
{
    struct gateway *g = user;
    uint16_t source = proxy_get_settings(proxy)->source;
    struct proxy_status status;

    proxy_get_status(proxy, &status);
    if (changes & (PROXY_CHANGE_STATE | PROXY_CHANGE_SCANNER))
        recordings_proxy(g->recordings, source, &status, linking_is_connecting(g->linking, source),
                         now);
    if (changes & PROXY_CHANGE_STATE)
        on_proxy_state(g, source, &status, now);
    if (changes & PROXY_CHANGE_SCANNER) {
        if (status.has_scanner)
            on_scanner(g, source, &status.scanner, now);
        subscribers_tell_proxy(g, GATEWAY_PROXY_SCANNER, source);
    }
    if (changes & PROXY_CHANGE_SLOTS)
        subscribers_tell_proxy(g, GATEWAY_PROXY_SLOTS, source);
    if (changes & PROXY_CHANGE_HEALTH)
        subscribers_tell_proxy(g, GATEWAY_PROXY_ADVISORY, source);
}

static void on_link_message(void *user, uint16_t source, const struct message *message, usec_t now)
{
    struct gateway *g = user;

    linking_message(g->linking, source, message, now);
    gatting_message(g->gatting, source, message, now);
}

static void on_link_event(void *user, const struct link_event *event, uint16_t moved_from)
{
    struct gateway *g = user;

    gatting_link_event(g->gatting, event);
    gateway_tell_link(g, event, moved_from);
}

static void on_links_settled(void *user, usec_t now)
{
    struct gateway *g = user;

    gatting_wake(g->gatting, now);
}

static void on_attempt(void *user, uint64_t address, const struct link_attempt *attempt)
{
    const struct gateway *g = user;

    recordings_attempt(g->recordings, address, attempt);
}

/* While it establishes a link a proxy hears nothing, which is no silence of its devices. */
static void on_connecting(void *user, uint16_t source, bool is_connecting, usec_t now)
{
    struct gateway *g = user;
    struct proxy_status status;

    proxy_get_status(fleet_get(g->fleet, source), &status);
    recordings_proxy(g->recordings, source, &status, is_connecting, now);
    device_table_source_connecting(g->table, source, is_connecting, now);
    scanning_proxy_connecting(g->scanning, source, is_connecting, now);
    gateway_arm_table_timer(g, now);
}

/* ---- life ---- */

static_assert(ROSTER_MAX <= DEVICE_TABLE_SOURCES_MAX && ROSTER_MAX <= FLEET_SOURCES_MAX,
              "every number fits");
static_assert(ROSTER_MAX == GATEWAY_PROXIES_MAX, "one limit");

/* The first configuration: all its proxies are new. */
static void enter_all(struct gateway *g)
{
    uint16_t *sources AUTO_FREE = xnew(uint16_t, g->config->proxies_count + 1);

    roster_match(g->roster, g->config, sources);
    roster_set(g->roster, g->config, sources);
}

static bool has_tokens(const void *user)
{
    return gateway_has_tokens(user);
}

struct gateway *gateway_new(struct uv_loop_s *loop, struct config *config, struct config_file *file,
                            struct store *store)
{
    struct gateway *g = xnew(struct gateway, 1);
    struct device_table_settings settings = table_settings_make(config);
    const struct linking_callbacks link_callbacks = {on_link_event, on_attempt, on_connecting,
                                                     on_links_settled, g};
    const struct gatting_callbacks gatt_callbacks = {gateway_tell_value, gateway_tell_subscriptions,
                                                     gateway_tell_lease_ended, g};
    const struct proxy_callbacks fleet_callbacks = {on_reports, on_proxy_change, on_link_message,
                                                    g};

    g->loop = loop;
    g->config = config;
    g->roster = roster_new();
    enter_all(g);
    g->started = clock_now();
    g->table = device_table_new(&settings, on_device_change, g);
    device_table_on_rescue(g->table, on_rescue);
    g->table_deadline = USEC_NEVER;
    (void) uv_timer_init(loop, &g->table_timer); /* cannot fail */
    g->table_timer.data = g;
    g->past = past_new((size_t) config->limits_history_mb << 20, g->table);
    device_table_on_slot(g->table, on_device_slot);
    device_table_on_watched(g->table, on_device_watched);
    g->scanning =
            scanning_new(loop, config, g->roster, g->table, on_scan_window, on_scan_covered, g);
    g->configured = configured_new(config);
    g->linking = linking_new(loop, config, g->roster, g->configured, g->table, &link_callbacks);
    g->gatting = gatting_new(loop, config, g->linking, &gatt_callbacks);
    configured_compare(/* older= */ NULL, g->configured, gateway_apply_device, g);
    g->recordings =
            recordings_new(config, g->roster, g->configured, g->scanning, g->started, clock_wall());
    g->keeping = keeping_new(loop, store, g->roster, g->table,
                             gatt_get_cache(gatting_gatt(g->gatting)), g->recordings);
    g->fixed = config_get_fixed(config);
    if (file) {
        g->rewriter = rewriter_new(loop, file, has_tokens, g);
        config_file_get_etag(file, g->etag);
    }
    g->backups = backups_new(loop, file, g->keeping, has_tokens, g);
    gateway_arm_table_timer(g, g->started);
    g->heard = xnew(struct heard_counts, 1);
    g->clocks = xnew(struct clocks, 1);
    g->lease_id = xnew(char, LINK_LEASE_ID_SIZE);
    g->loop_lag = loop_lag_start(loop);
    g->fleet = fleet_new(loop, &fleet_callbacks);
    scanning_attach(g->scanning, g->fleet);
    linking_attach(g->linking, g->fleet, g->keeping, gatt_get_cache(gatting_gatt(g->gatting)));
    gatting_attach(g->gatting, g->fleet, g->keeping);
    g->discovering = discovering_new(loop, g, config, g->fleet);
    gateway_fleet_begin(g);
    g->accounting = accounting_new(g, store);
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
    accounting_stop(g->accounting);
    if (g->keeping)
        keeping_close(g->keeping, on_keeping_closed, g);
    else
        on_keeping_closed(g);
}

static void on_linking_stopped(void *user)
{
    struct gateway *g = user;

    scanning_stop(g->scanning); /* while the proxies still listen */
    fleet_close(g->fleet, on_fleet_closed, g);
}

static void on_rewriter_closed(void *user)
{
    struct gateway *g = user;

    g->rewriter = NULL;
    gatting_stop(g->gatting);
    linking_stop(g->linking, on_linking_stopped, g);
}

static void on_backups_closed(void *user)
{
    struct gateway *g = user;

    g->backups = NULL;
    if (g->rewriter)
        rewriter_close(g->rewriter, on_rewriter_closed, g);
    else
        on_rewriter_closed(g);
}

void gateway_close(struct gateway *g, void (*on_closed)(void *user), void *user)
{
    g->on_closed = on_closed;
    g->closed_user = user;
    recordings_cancel_replay(g->recordings);
    discovering_stop(g->discovering);
    backups_close(g->backups, on_backups_closed, g);
}

void gateway_free(struct gateway *g)
{
    if (!g)
        return;
    assert(!g->fleet);
    assert(!g->subscriptions);
    discovering_free(g->discovering);
    accounting_free(g->accounting);
    gatting_free(g->gatting);
    linking_free(g->linking);
    scanning_free(g->scanning);
    past_free(g->past);
    device_table_free(g->table);
    recordings_free(g->recordings);
    configured_free(g->configured);
    config_texts_done(&g->fixed);
    config_free(g->config);
    roster_free(g->roster);
    free(g->heard->by_source);
    free(g->heard);
    free(g->clocks);
    free(g->lease_id);
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
