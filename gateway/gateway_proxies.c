/* The facade's answers about proxies, and about the program as a whole. */
#include "inside.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "discovering.h"
#include "keeping.h"
#include "loop_lag.h"
#include "past.h"
#include "process.h"
#include "proxy/failures.h"
#include "proxy/fleet.h"
#include "recorder/history.h"
#include "scan/device_table.h"
#include "scanning.h"

static_assert(OWNER_WHY_COUNT <= GATEWAY_OWNER_WHYS_MAX, "every why has its counter");
static_assert(GATEWAY_FEATURE_STATE_AND_MODE == PROXY_FEATURE_STATE_AND_MODE, "one bit");

#define HEARD_COUNTS_AGE USEC_PER_SEC /* how long a count of devices per proxy may be shown */
/* One that has just been configured, and is not there yet, is disabled. */
static void get_status(const struct gateway *g, uint16_t source, struct proxy_status *ret_status)
{
    static const struct failures none;
    const struct proxy *proxy = fleet_get(g->fleet, source);

    *ret_status = (struct proxy_status){
            .state = PROXY_DISABLED, .model = "", .esphome_version = "", .failures = &none};
    if (proxy)
        proxy_get_status(proxy, ret_status);
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
        uint16_t source = gateway_source(g, i);
        struct proxy_status status;

        get_status(g, source, &status);
        ret_info->proxies_online += status.state == PROXY_ONLINE;
        ret_info->advertisements_per_s += fleet_rate(g->fleet, source);
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
        device_table_count_heard_all(g->table, heard->by_source, roster_end(g->roster), now);
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
static uint64_t running_window(const struct gateway *g, uint16_t source)
{
    const struct windows *windows = scanning_windows(g->scanning);
    uint64_t id = windows_open_on(windows, source);
    struct scan_window window;

    return id > 0 && windows_get(windows, id, &window) && window.state == SCAN_WINDOW_RUNNING ? id
                                                                                              : 0;
}

void gateway_get_proxy(const struct gateway *g, size_t index, struct gateway_proxy *ret_proxy)
{
    uint16_t number = gateway_source(g, index);
    struct proxy_status s;

    get_status(g, number, &s);
    *ret_proxy = (struct gateway_proxy){
            .index = index,
            .id = roster_id(g->roster, number),
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
            .window = running_window(g, number),
            .has_slots = s.has_slots,
            .slots_limit = s.slots_limit,
            .slots_free = s.slots_free,
            .slots_allocated = s.slots_allocated,
            .slots_since = s.slots_since,
            .slots_allocated_count = s.slots_allocated_count,
            .devices = count_heard(g)->by_source[number],
            .advertisements_per_s = fleet_rate(g->fleet, number),
            .advertisements_total = s.advertisements,
            .last_advertisement = s.last_advertisement,
            .quiet_since = s.quiet_since,
            .round_trip = s.round_trip,
    };
}

void gateway_get_proxy_statistics(const struct gateway *g, size_t index,
                                  struct gateway_proxy_statistics *ret_statistics)
{
    uint16_t number = gateway_source(g, index);
    struct device_source_statistics source;
    struct proxy_status s;

    get_status(g, number, &s);
    device_table_get_source_statistics(g->table, number, &source);
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

    get_status(g, gateway_source(g, index), &s);
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

int gateway_find_proxy_id(const struct gateway *g, uint32_t id, size_t *ret_index)
{
    for (size_t i = 0; i < g->config->proxies_count; i++) {
        if (roster_id(g->roster, gateway_source(g, i)) == id) {
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
    proxy_reconnect(fleet_get(g->fleet, gateway_source(g, index)));
    return 0;
}

size_t gateway_discovered_after(const struct gateway *g, const char *name)
{
    return discovering_after(g->discovering, name);
}

bool gateway_get_discovered(const struct gateway *g, size_t index,
                            struct gateway_discovered *ret_discovered)
{
    return discovering_get(g->discovering, index, ret_discovered);
}
