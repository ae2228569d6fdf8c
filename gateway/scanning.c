/* The story: proxies come online and say how they scan; needs come from the configuration, and
 * questions from the table; windows decides, and its commands go out to the proxies. Each batch
 * tells windows that a proxy hears something, and its packets only while somebody waits for
 * answers. One timer stands for what is due next.
 *
 * Failure modes: a command that a proxy cannot take is no event here, since the window that it was
 * for is not confirmed in time and fails. The table asks from inside its own work, so its
 * questions wait until that is done; of more than RESCUES_MAX in one batch the rest is dropped, and
 * asked again by the table. */
#include "scanning.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/log.h"
#include "base/memory.h"
#include "ble/address.h"
#include "config/config.h"
#include "gateway.h"
#include "proxy/fleet.h"
#include "roster.h"
#include "scan/device_table.h"

static_assert(ROSTER_MAX <= WINDOWS_SOURCES_MAX, "every number fits");

#define RESCUES_MAX     64
#define RESCUE_DURATION (10 * USEC_PER_SEC)

struct rescue_question {
    uint64_t address;
    uint16_t owner, challenger;
};

struct scanning {
    const struct config *config; /* borrowed */
    const struct roster *roster; /* borrowed */
    struct device_table *table;  /* borrowed */
    struct fleet *fleet;         /* borrowed; NULL: none yet */
    struct windows *windows;
    uv_timer_t *timer; /* NULL: stopped; frees itself */
    usec_t deadline;   /* what the timer is armed for */
    struct rescue_question rescues[RESCUES_MAX];
    size_t rescues_count;
    scanning_window_fn *on_window;
    scanning_covered_fn *on_covered;
    void *user;
};

/* ---- what is due ---- */

static void on_time(uv_timer_t *timer);

static void arm(struct scanning *s, usec_t now)
{
    usec_t deadline = windows_deadline(s->windows);

    if (deadline == s->deadline || !s->timer)
        return;
    s->deadline = deadline;
    if (deadline == USEC_NEVER)
        (void) uv_timer_stop(s->timer);
    else
        (void) uv_timer_start(s->timer, on_time,
                              deadline > now ? (deadline - now) / USEC_PER_MSEC + 1 : 0, 0);
}

static void on_time(uv_timer_t *timer)
{
    struct scanning *s = timer->data;
    usec_t now = clock_now();

    s->deadline = 0; /* it has fired: arm it again whatever comes */
    windows_advance(s->windows, now);
    arm(s, now);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

/* ---- what windows asks and tells ---- */

static const char *name_of(const struct scanning *s, uint16_t source)
{
    return roster_name(s->roster, source);
}

static void set_mode(void *user, uint16_t source, bool is_active)
{
    struct scanning *s = user;

    struct proxy *proxy = s->fleet ? fleet_get(s->fleet, source) : NULL;

    if (proxy)
        (void) proxy_set_scan_mode(proxy, is_active);
}

static void on_window(void *user, enum scan_window_action action, const struct scan_window *window,
                      usec_t now)
{
    struct scanning *s = user;
    char id[SCAN_WINDOW_ID_SIZE];

    scan_window_format_id(id, window->id);
    log_debug("scan.window", "window=%s proxy=%s action=%s cause=%s answered=%zu detail=%s", id,
              name_of(s, window->source), scan_window_action_name(action),
              scan_cause_name(window->cause), window->answered,
              window->detail ? window->detail : "-");
    s->on_window(s->user, action, window, now);
}

static void on_covered(void *user, uint64_t address, uint16_t source, usec_t now)
{
    struct scanning *s = user;

    s->on_covered(s->user, address, source, now);
}

static void on_warning(void *user, enum windows_warning warning, uint16_t source, uint64_t address)
{
    struct scanning *s = user;
    char text[BLE_ADDRESS_TEXT_SIZE];

    ble_address_format(text, address);
    switch (warning) {
    case WINDOWS_PASSIVE_ONLY:
        log_warning("scan.passive_only",
                    "proxy=%s address=%s the device needs active scanning, which its proxy does "
                    "not do",
                    name_of(s, source), text);
        break;
    case WINDOWS_SILENT:
        log_warning("scan.silent",
                    "proxy=%s hears nothing since it went back to passive scanning; its scan was "
                    "started anew",
                    name_of(s, source));
        break;
    }
}

static uint16_t get_owner(void *user, uint64_t address)
{
    const struct scanning *s = user;
    const struct device *row = device_table_find(s->table, address);
    struct device_facts facts;

    if (!row)
        return WINDOWS_NO_SOURCE;
    device_get_facts(s->table, row, &facts);
    return facts.owner;
}

static bool get_hearer(void *user, uint64_t address, size_t index, uint16_t *ret_source,
                       double *ret_rssi)
{
    const struct scanning *s = user;
    const struct device *row = device_table_find(s->table, address);
    usec_t now = clock_now();
    struct device_source source;

    for (size_t i = 0; row && device_get_source(s->table, row, i, &source); i++) {
        if (source.last_seen + DEVICE_HOLDERS_AGE < now || index-- > 0)
            continue;
        *ret_source = source.source;
        *ret_rssi = source.rssi_smoothed;
        return true;
    }
    return false;
}

/* ---- configuration ---- */

static usec_t seconds(int64_t count)
{
    return (usec_t) count * USEC_PER_SEC;
}

static struct windows_settings settings_of(const struct config *c)
{
    return (struct windows_settings){
            .coalesce = seconds(c->scan_windows_coalesce_s),
            .confirm = (usec_t) (c->scan_windows_confirm_s * (double) USEC_PER_SEC),
            .retry = seconds(c->scan_windows_retry_s),
            .budget = seconds(c->scan_windows_budget_s),
            .sweep_interval = seconds(c->scan_windows_sweep_interval_s),
            .sweep_first = seconds(c->scan_windows_sweep_first_s),
            .sweep_duration = seconds(c->scan_windows_sweep_duration_s),
            .needs_max = GATEWAY_NEEDS_MAX,
    };
}

const char *scanning_mode_name(const struct config *config, size_t proxy)
{
    const char *mode = config->proxies[proxy].scan_mode;

    return mode ? mode : config->scan_default_mode;
}

static enum scan_mode mode_of(const struct scanning *s, uint16_t source)
{
    const char *mode = scanning_mode_name(s->config, roster_place(s->roster, source));

    if (strcmp(mode, "passive") == 0)
        return SCAN_PASSIVE;
    return strcmp(mode, "active") == 0 ? SCAN_ACTIVE : SCAN_AUTO;
}

/* ---- public ---- */

struct scanning *scanning_new(struct uv_loop_s *loop, const struct config *config,
                              const struct roster *roster, struct device_table *table,
                              scanning_window_fn *on_window_told,
                              scanning_covered_fn *on_covered_told, void *user)
{
    const struct windows_calls calls = {set_mode,   on_window, on_covered,
                                        on_warning, get_owner, get_hearer};
    const struct windows_settings settings = settings_of(config);
    struct scanning *s = xnew(struct scanning, 1);

    s->config = config;
    s->roster = roster;
    s->table = table;
    s->on_window = on_window_told;
    s->on_covered = on_covered_told;
    s->user = user;
    s->windows = windows_new(&settings, &calls, s);
    s->deadline = USEC_NEVER;
    s->timer = xnew(uv_timer_t, 1);
    (void) uv_timer_init(loop, s->timer); /* cannot fail */
    s->timer->data = s;
    return s;
}

void scanning_attach(struct scanning *s, struct fleet *fleet)
{
    s->fleet = fleet;
}

void scanning_stop(struct scanning *s)
{
    windows_stop(s->windows, clock_now());
    s->fleet = NULL;
    uv_close((uv_handle_t *) TAKE(s->timer), on_timer_closed);
}

void scanning_free(struct scanning *s)
{
    if (!s)
        return;
    assert(!s->timer);
    windows_free(s->windows);
    free(s);
}

void scanning_configure(struct scanning *s, const struct config *config, usec_t now)
{
    const struct windows_settings settings = settings_of(config);

    s->config = config;
    windows_configure(s->windows, &settings, now);
    for (size_t i = 0; i < config->proxies_count; i++) { /* nothing for those that are to come */
        uint16_t source = roster_source(s->roster, i);

        windows_source_want(s->windows, source, mode_of(s, source), now);
    }
    arm(s, now);
}

void scanning_proxy_added(struct scanning *s, uint16_t source, usec_t now)
{
    bool can_set_mode = true; /* until it tells otherwise */

    windows_source_add(s->windows, source, mode_of(s, source), can_set_mode, now);
    arm(s, now);
}

void scanning_proxy_removed(struct scanning *s, uint16_t source, usec_t now)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->rescues_count; i++) {
        const struct rescue_question *q = &s->rescues[i];

        if (q->owner != source && q->challenger != source)
            s->rescues[kept++] = *q;
    }
    s->rescues_count = kept;
    windows_source_remove(s->windows, source, now);
    arm(s, now);
}

void scanning_set_need(struct scanning *s, uint64_t address, int64_t interval_s, int64_t duration_s,
                       usec_t now)
{
    bool is_taken = interval_s > 0 && windows_need_set(s->windows, address, seconds(interval_s),
                                                       seconds(duration_s), now) == 0;

    if (interval_s == 0)
        (void) windows_need_end(s->windows, address, now);
    else if (!is_taken)
        log_warning("scan.needs_full", "needs=%d are all that fit, ignoring another",
                    GATEWAY_NEEDS_MAX);
    device_table_set_need(s->table, address, is_taken);
    arm(s, now);
}

void scanning_proxy_changed(struct scanning *s, uint16_t source, bool is_online, bool can_set_mode,
                            usec_t now)
{
    if (is_online)
        windows_source_can_set_mode(s->windows, source, can_set_mode, now);
    windows_source_online(s->windows, source, is_online, now);
    arm(s, now);
}

void scanning_proxy_connecting(struct scanning *s, uint16_t source, bool is_connecting, usec_t now)
{
    windows_source_connecting(s->windows, source, is_connecting, now);
    arm(s, now);
}

void scanning_scanner_told(struct scanning *s, uint16_t source,
                           const struct message_scanner_state *state, usec_t now)
{
    static const enum scan_reported modes[] = {
            [SCANNER_PASSIVE] = SCAN_REPORTED_PASSIVE, [SCANNER_ACTIVE] = SCAN_REPORTED_ACTIVE};
    bool is_known = state->mode < ARRAY_SIZE(modes);

    windows_source_state(s->windows, source, is_known ? modes[state->mode] : SCAN_REPORTED_UNKNOWN,
                         state->state == SCANNER_RUNNING, now);
    arm(s, now);
}

static void open_rescues(struct scanning *s, usec_t now)
{
    for (size_t i = 0; i < s->rescues_count; i++) {
        const struct rescue_question *q = &s->rescues[i];
        uint64_t id;

        (void) windows_open(s->windows, q->owner, SCAN_CAUSE_RESCUE, q->address, RESCUE_DURATION,
                            now, &id);
        (void) windows_open(s->windows, q->challenger, SCAN_CAUSE_RESCUE, q->address,
                            RESCUE_DURATION, now, &id);
    }
    s->rescues_count = 0;
}

void scanning_heard(struct scanning *s, uint16_t source, const struct ble_report *reports,
                    size_t count, usec_t now)
{
    windows_source_heard(s->windows, source, now);
    if (windows_need_count(s->windows) == 0 && windows_open_on(s->windows, source) == 0)
        return; /* nobody waits for an answer, and nothing is due earlier than before */
    for (size_t i = 0; i < count; i++)
        windows_heard(s->windows, source, reports[i].address, reports[i].size, now);
    if (s->rescues_count > 0)
        open_rescues(s, now);
    arm(s, now);
}

void scanning_rescue(struct scanning *s, uint64_t address, uint16_t owner, uint16_t challenger)
{
    if (s->rescues_count < RESCUES_MAX)
        s->rescues[s->rescues_count++] = (struct rescue_question){address, owner, challenger};
}

int scanning_open(struct scanning *s, uint16_t source, uint64_t address, usec_t duration,
                  uint64_t *ret_id)
{
    usec_t now = clock_now();
    int rc = windows_open(s->windows, source, SCAN_CAUSE_REQUEST, address, duration, now, ret_id);

    arm(s, now);
    return rc;
}

size_t scanning_discover(struct scanning *s, usec_t duration, uint64_t *ret_ids, size_t ids_max)
{
    usec_t now = clock_now();
    size_t count = windows_discover(s->windows, duration, now, ret_ids, ids_max);

    arm(s, now);
    return count;
}

const struct windows *scanning_windows(const struct scanning *s)
{
    return s->windows;
}
