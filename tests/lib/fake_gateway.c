#include "fake_gateway.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fake_inside.h"

#define DEVICES_MAX 4096
#define PROXIES_MAX 32
#define NAME_SIZE   512
#define ORDERS_MAX  128

struct gateway_timer {
    struct gateway_timer *next;
    struct gateway *gateway;
    usec_t due;
    void (*on_time)(void *user);
    void *user;
};

struct gateway_subscription {
    struct gateway_subscription *next;
    struct gateway *gateway;
    struct gateway_subscriber subscriber;
};

struct failure {
    const char *token; /* NULL: none */
    uint64_t count;
};

struct gateway_order {
    struct fake_order facts;
};

struct gateway {
    struct gateway_keeping keeping;
    const struct config *config;
    usec_t now;
    usec_t step; /* that time moves with each question for it */
    struct fake_device *devices[DEVICES_MAX];
    size_t devices_count;
    struct gateway_proxy proxies[PROXIES_MAX];
    size_t reconnects[PROXIES_MAX];
    struct gateway_statistics statistics;
    struct histogram loop_lag;
    struct gateway_proxy_statistics proxy_statistics[PROXIES_MAX];
    struct failure failures[PROXIES_MAX];
    struct gateway_scan_statistics scan_statistics;
    struct gateway_window windows[FAKE_WINDOWS_MAX];
    uint64_t window_addresses[FAKE_WINDOWS_MAX];
    size_t windows_count;
    struct gateway_need needs[FAKE_NEEDS_MAX];
    size_t needs_count, needs_claimed;
    struct gateway_timer *timers;
    struct gateway_subscription *subscriptions;
    uint64_t changes;
    struct gateway_order *orders[ORDERS_MAX]; /* the oldest first */
    size_t orders_count;
    int order_refusal;
    struct gateway_recorded *recorded; /* borrowed, as what it points to */
    size_t recorded_count;
    gateway_replay_fn *on_replayed; /* NULL: no replay runs */
    void *replay_user;
    bool is_replay_cancelled;
    const struct gateway_discovered *discovered; /* borrowed */
    size_t discovered_count;
    struct fake_links *links;
    struct fake_gatts *gatts;
    struct accounts *accounts;
    bool has_store;
    struct gateway_token_change *token_change; /* NULL: none waits */
    struct fake_backups backups;
    gateway_backup_fn *on_backup;
    gateway_restore_fn *on_restored;
    void *backup_user;
};

struct gateway_recording {
    const struct gateway *gateway;
    size_t at;
};

/* ---- the gateway's side ---- */

usec_t gateway_now(const struct gateway *g)
{
    ((struct gateway *) (uintptr_t) g)->now += g->step;
    return g->now;
}

int64_t gateway_wall(const struct gateway *g, usec_t moment)
{
    (void) g;
    return FAKE_WALL + (int64_t) moment - (int64_t) FAKE_START;
}

usec_t gateway_moment(const struct gateway *g, int64_t wall)
{
    int64_t moment = wall - FAKE_WALL + (int64_t) FAKE_START;

    (void) g;
    return moment > 0 ? (usec_t) moment : 0;
}

struct gateway_timer *gateway_timer_start(struct gateway *g, usec_t delay,
                                          void (*on_time)(void *user), void *user)
{
    struct gateway_timer *timer = xnew(struct gateway_timer, 1);

    *timer = (struct gateway_timer){g->timers, g, g->now + delay, on_time, user};
    g->timers = timer;
    return timer;
}

static void unlink_timer(struct gateway_timer *timer)
{
    struct gateway_timer **place = &timer->gateway->timers;

    while (*place != timer)
        place = &(*place)->next;
    *place = timer->next;
}

void gateway_timer_stop(struct gateway_timer *timer)
{
    if (!timer)
        return;
    unlink_timer(timer);
    free(timer);
}

void gateway_get_info(const struct gateway *g, struct gateway_info *ret_info)
{
    *ret_info = (struct gateway_info){
            .started = FAKE_START,
            .proxies = gateway_proxies_count(g),
            .proxies_online = gateway_proxies_count(g),
            .devices = g->devices_count,
            .advertisements_per_s = 12.34,
    };
}

void gateway_get_keeping(const struct gateway *g, struct gateway_keeping *ret_keeping)
{
    *ret_keeping = g->keeping;
}

void fake_gateway_keep(struct gateway *g, const struct gateway_keeping *keeping)
{
    g->keeping = *keeping;
}

const struct config *gateway_config(const struct gateway *g)
{
    return g->config;
}

void gateway_get_statistics(const struct gateway *g, struct gateway_statistics *ret_statistics)
{
    *ret_statistics = g->statistics;
    ret_statistics->uptime = g->now - FAKE_START;
    ret_statistics->loop_lag = &g->loop_lag;
}

const char *gateway_owner_why_name(unsigned why)
{
    static const char *const names[] = {"first", "stronger", "gone", "proxy_offline",
                                        "proxy_quiet"};

    return why < ARRAY_SIZE(names) ? names[why] : NULL;
}

void gateway_get_proxy_statistics(const struct gateway *g, size_t index,
                                  struct gateway_proxy_statistics *ret_statistics)
{
    *ret_statistics = g->proxy_statistics[index];
}

const char *gateway_next_proxy_failure(const struct gateway *g, size_t index, size_t *position,
                                       uint64_t *ret_count)
{
    if ((*position)++ > 0)
        return NULL;
    *ret_count = g->failures[index].count;
    return g->failures[index].token;
}

const char *gateway_proxy_state_name(unsigned state)
{
    static const char *const names[] = {"disabled", "connecting", "online"};

    return state < ARRAY_SIZE(names) ? names[state] : NULL;
}

size_t gateway_proxies_count(const struct gateway *g)
{
    return g->config->proxies_count;
}

void gateway_get_proxy(const struct gateway *g, size_t index, struct gateway_proxy *ret_proxy)
{
    assert(index < gateway_proxies_count(g));
    *ret_proxy = g->proxies[index];
}

int gateway_find_proxy(const struct gateway *g, const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < gateway_proxies_count(g); i++) {
        if (strcmp(g->config->proxies[i].name, name) == 0) {
            *ret_index = i;
            return 0;
        }
    }
    return E_PROXY_NOT_FOUND;
}

int gateway_find_proxy_id(const struct gateway *g, uint32_t id, size_t *ret_index)
{
    *ret_index = id;
    return id < gateway_proxies_count(g) ? 0 : E_PROXY_NOT_FOUND;
}

const char *gateway_feature_name(unsigned bit)
{
    static const char *const names[] = {
            "passive_scan",   "active_connections", "remote_caching", "pairing",
            "cache_clearing", "raw_advertisements", "state_and_mode", "connection_params",
    };

    return bit < ARRAY_SIZE(names) ? names[bit] : NULL;
}

int gateway_reconnect_proxy(struct gateway *g, size_t index)
{
    if (!g->config->proxies[index].is_enabled)
        return E_CONFLICT;
    g->reconnects[index]++;
    g->proxies[index].state = "connecting";
    return 0;
}

size_t gateway_discovered_after(const struct gateway *g, const char *name)
{
    size_t i = 0;

    while (i < g->discovered_count && strcmp(g->discovered[i].name, name) <= 0)
        i++;
    return i;
}

bool gateway_get_discovered(const struct gateway *g, size_t index,
                            struct gateway_discovered *ret_discovered)
{
    if (index >= g->discovered_count)
        return false;
    *ret_discovered = g->discovered[index];
    return true;
}

void fake_gateway_discover(struct gateway *g, const struct gateway_discovered *items, size_t count)
{
    g->discovered = items;
    g->discovered_count = count;
}

size_t gateway_devices_count(const struct gateway *g)
{
    return g->devices_count;
}

static struct fake_device *find(const struct gateway *g, uint64_t address)
{
    for (size_t i = 0; i < g->devices_count; i++) {
        if (g->devices[i]->facts.address == address)
            return g->devices[i];
    }
    return NULL;
}

/* The rows of this gateway are its devices themselves. */
static const struct fake_device *row_of(const struct gateway_device *d)
{
    return (const struct fake_device *) d->row;
}

int gateway_find_device(const struct gateway *g, uint64_t address,
                        struct gateway_device *ret_device)
{
    const struct fake_device *d = find(g, address);

    if (!d)
        return E_DEVICE_NOT_FOUND;
    *ret_device = d->facts;
    return 0;
}

bool gateway_next_device(const struct gateway *g, size_t *position,
                         struct gateway_device *ret_device)
{
    if (*position >= g->devices_count)
        return false;
    *ret_device = g->devices[(*position)++]->facts;
    return true;
}

bool gateway_get_element(const struct gateway *g, const struct gateway_device *d, size_t index,
                         struct gateway_element *ret_element)
{
    const struct fake_device *device = row_of(d);

    (void) g;
    if (!device || index >= device->elements_count)
        return false;
    *ret_element = device->elements[index];
    return true;
}

bool gateway_get_source(const struct gateway *g, const struct gateway_device *d, size_t index,
                        struct gateway_source *ret_source)
{
    const struct fake_device *device = row_of(d);

    (void) g;
    if (!device || index >= device->sources_count)
        return false;
    *ret_source = device->sources[index];
    return true;
}

bool gateway_get_latest(const struct gateway *g, const struct gateway_device *d,
                        struct gateway_packet *ret_packet)
{
    const struct fake_device *device = row_of(d);

    (void) g;
    if (!device || !device->has_packet)
        return false;
    *ret_packet = device->packet;
    return true;
}

bool gateway_get_rivalry(const struct gateway *g, const struct gateway_device *d, size_t index,
                         struct gateway_rivalry *ret_rivalry)
{
    const struct fake_device *device = row_of(d);

    (void) g;
    if (!device || !device->has_rivalry[index])
        return false;
    *ret_rivalry = device->rivalries[index];
    return true;
}

bool gateway_get_loss(const struct gateway *g, const struct gateway_device *d, size_t index,
                      uint32_t *ret_heard, uint32_t *ret_lost)
{
    const struct fake_device *device = row_of(d);

    (void) g;
    if (!device || device->heard[index] == 0)
        return false;
    *ret_heard = device->heard[index];
    *ret_lost = device->lost[index];
    return true;
}

bool gateway_get_track(const struct gateway *g, const struct gateway_device *d, size_t index,
                       usec_t since, usec_t until, struct gateway_slot ret_slots[GATEWAY_SLOTS_MAX],
                       struct gateway_track *ret_track)
{
    const struct fake_device *device = row_of(d);

    (void) g, (void) since, (void) until;
    if (!device || index >= device->sources_count)
        return false;
    memcpy(ret_slots, device->slots[index], sizeof device->slots[index]);
    *ret_track = (struct gateway_track){
            .proxy = device->sources[index].proxy,
            .start = device->slots_start,
            .count = device->slots[index][0].packets ? FAKE_SLOTS : 0,
    };
    return true;
}

bool gateway_next_past_payload(const struct gateway *g, const struct gateway_device *d,
                               struct gateway_past_position *position,
                               struct gateway_packet *ret_packet)
{
    const struct fake_device *device = row_of(d);

    (void) g;
    if (!device || position->offset >= device->payloads_count)
        return false;
    *ret_packet = device->payloads[position->offset++];
    return true;
}

bool gateway_next_past_owner(const struct gateway *g, const struct gateway_device *d,
                             struct gateway_past_position *position,
                             struct gateway_past_owner *ret_owner)
{
    const struct fake_device *device = row_of(d);

    (void) g;
    if (!device || position->offset >= device->owners_count)
        return false;
    *ret_owner = device->owners[position->offset++];
    return true;
}

bool gateway_is_past_truncated(const struct gateway *g, const struct gateway_device *d,
                               usec_t since)
{
    const struct fake_device *device = row_of(d);

    (void) g, (void) since;
    return device && device->is_truncated;
}

void gateway_get_recorder(const struct gateway *g, struct gateway_recorder *ret_recorder)
{
    *ret_recorder = (struct gateway_recorder){
            .is_enabled = g->recorded_count > 0,
            .bytes = g->recorded_count * 10,
            .oldest = g->recorded_count > 0 ? FAKE_START : 0,
            .advertisements = g->recorded_count,
    };
}

void fake_gateway_record(struct gateway *g, struct gateway_recorded *recorded, size_t count)
{
    g->recorded = recorded;
    g->recorded_count = count;
}

struct gateway_recording *gateway_recording_open(struct gateway *g,
                                                 const struct gateway_recording_wish *wish)
{
    struct gateway_recording *recording = xnew(struct gateway_recording, 1);

    (void) wish;
    recording->gateway = g;
    return recording;
}

void gateway_recording_close(struct gateway_recording *recording)
{
    free(recording);
}

/* Each second look finds nothing yet. */
int gateway_recording_next(struct gateway_recording *recording,
                           struct gateway_recorded *ret_recorded)
{
    size_t at = recording->at++;

    if (at / 2 >= recording->gateway->recorded_count)
        return 0;
    if (at % 2 == 0)
        return -EAGAIN;
    *ret_recorded = recording->gateway->recorded[at / 2];
    return 1;
}

int gateway_recording_next_segment(struct gateway_recording *recording, struct bytes *ret_header,
                                   struct bytes *ret_records)
{
    if (recording->at++ > 0)
        return 0;
    *ret_header = (struct bytes){(const uint8_t *) "header", 6};
    *ret_records = (struct bytes){(const uint8_t *) "records", 7};
    return 1;
}

int gateway_replay(struct gateway *g, const struct gateway_replay_wish *wish,
                   struct config_faults *ret_faults, gateway_replay_fn *on_done, void *user)
{
    *ret_faults = (struct config_faults){0};
    if (strstr(wish->patch, "wrong")) {
        ret_faults->items = xnew(struct config_fault, 1);
        ret_faults->items[0] = (struct config_fault){memory_copy_text("/scan/wrong"),
                                                     memory_copy_text("is no setting")};
        ret_faults->count = 1;
        return E_INVALID_REQUEST;
    }
    if (g->recorded_count == 0)
        return E_NOT_FOUND;
    if (g->on_replayed)
        return E_OVERLOADED;
    g->on_replayed = on_done;
    g->replay_user = user;
    return 0;
}

void gateway_replay_cancel(struct gateway *g)
{
    g->is_replay_cancelled = g->on_replayed != NULL;
}

void fake_gateway_end_replay(struct gateway *g, const struct gateway_replay_result *result)
{
    gateway_replay_fn *on_replayed = TAKE(g->on_replayed);

    assert(on_replayed);
    on_replayed(g->replay_user, g->is_replay_cancelled ? E_CANCELLED : 0,
                g->is_replay_cancelled ? NULL : result);
    g->is_replay_cancelled = false;
}

struct gateway_subscription *gateway_subscribe(struct gateway *g,
                                               const struct gateway_subscriber *subscriber)
{
    struct gateway_subscription *subscription = xnew(struct gateway_subscription, 1);

    *subscription = (struct gateway_subscription){g->subscriptions, g, *subscriber};
    g->subscriptions = subscription;
    return subscription;
}

void gateway_unsubscribe(struct gateway_subscription *subscription)
{
    struct gateway_subscription **place;

    if (!subscription)
        return;
    place = &subscription->gateway->subscriptions;
    while (*place != subscription)
        place = &(*place)->next;
    *place = subscription->next;
    free(subscription);
}

static int take_order(struct gateway *g, const struct fake_order *facts,
                      struct gateway_change *change)
{
    struct gateway_order *order;

    if (g->order_refusal)
        return g->order_refusal;
    if (g->orders_count == ORDERS_MAX)
        return E_OVERLOADED;
    order = xnew(struct gateway_order, 1);
    order->facts = *facts;
    order->facts.change = change;
    change->order = order;
    g->orders[g->orders_count++] = order;
    return 0;
}

int gateway_change_device(struct gateway *g, uint64_t address, const char *patch, size_t size,
                          const char *pointer, struct gateway_change *change)
{
    struct fake_order facts = {.address = address};

    (void) snprintf(facts.text, sizeof facts.text, "%.*s", (int) size, patch);
    (void) snprintf(facts.pointer, sizeof facts.pointer, "%s", pointer);
    return take_order(g, &facts, change);
}

int gateway_remove_device(struct gateway *g, uint64_t address, struct gateway_change *change)
{
    const struct fake_order facts = {.address = address, .is_removal = true};
    const struct fake_device *d = find(g, address);

    if (!d)
        return E_DEVICE_NOT_FOUND;
    if (d->facts.config)
        return take_order(g, &facts, change);
    fake_gateway_remove(g, address);
    return GATEWAY_DONE;
}

int gateway_change_config(struct gateway *g, const struct config_edit *edit,
                          struct gateway_change *change)
{
    struct fake_order facts = {.what = "change", .kind = edit->kind};

    (void) snprintf(facts.text, sizeof facts.text, "%.*s", (int) edit->patch_size,
                    edit->patch ? edit->patch : "");
    (void) snprintf(facts.entry, sizeof facts.entry, "%s", edit->entry ? edit->entry : "");
    (void) snprintf(facts.pointer, sizeof facts.pointer, "%s", edit->pointer);
    (void) snprintf(facts.if_match, sizeof facts.if_match, "%s",
                    edit->if_match ? edit->if_match : "");
    return take_order(g, &facts, change);
}

int gateway_restore_config(struct gateway *g, int version, const char *if_match,
                           struct gateway_change *change)
{
    struct fake_order facts = {.what = "restore", .version = version};

    (void) snprintf(facts.if_match, sizeof facts.if_match, "%s", if_match ? if_match : "");
    return take_order(g, &facts, change);
}

int gateway_list_config_versions(struct gateway *g, struct gateway_change *change)
{
    return take_order(g, &(struct fake_order){.what = "versions"}, change);
}

int gateway_read_config_version(struct gateway *g, int version, struct gateway_change *change)
{
    return take_order(g, &(struct fake_order){.what = "version", .version = version}, change);
}

const char *gateway_config_etag(const struct gateway *g)
{
    (void) g;
    return "\"5f3a9c21-7\"";
}

void gateway_get_restart_required(const struct gateway *g, struct config_texts *ret_pointers)
{
    (void) g;
    *ret_pointers = (struct config_texts){0};
}

int gateway_set_scan_mode(struct gateway *g, size_t proxy_index, const char *mode,
                          struct gateway_change *change)
{
    struct fake_order facts = {.proxy_index = proxy_index};

    (void) snprintf(facts.text, sizeof facts.text, "%s", mode);
    return take_order(g, &facts, change);
}

void gateway_change_cancel(struct gateway_change *change)
{
    change->order->facts.change = NULL;
    change->order = NULL;
}

int gateway_clear_history(struct gateway *g, uint64_t address)
{
    struct fake_device *d = find(g, address);

    if (!d)
        return E_DEVICE_NOT_FOUND;
    d->is_cleared = true;
    return 0;
}

/* ---- scanning ---- */

bool gateway_window_before(const struct gateway *g, uint64_t number,
                           struct gateway_window *ret_window)
{
    size_t index = number > g->windows_count ? g->windows_count : (size_t) number - 1;

    if (index == 0)
        return false;
    *ret_window = g->windows[index - 1];
    return true;
}

bool gateway_get_window(const struct gateway *g, uint64_t number, struct gateway_window *ret_window)
{
    if (number == 0 || number > g->windows_count)
        return false;
    *ret_window = g->windows[number - 1];
    return true;
}

static uint64_t add_window(struct gateway *g, size_t proxy, const char *cause, uint64_t address,
                           usec_t duration)
{
    const struct gateway_proxy *p = &g->proxies[proxy];
    bool is_able = p->is_online && strcmp(p->scan_wanted, "auto") == 0;
    size_t index = g->windows_count++;

    assert(index < FAKE_WINDOWS_MAX);
    g->window_addresses[index] = address;
    g->windows[index] = (struct gateway_window){
            .number = index + 1,
            .proxy = p->config->name,
            .state = is_able ? "running" : "refused",
            .cause = cause,
            .addresses = &g->window_addresses[index],
            .addresses_count = address != 0,
            .planned = g->now,
            .started = is_able ? g->now : 0,
            .ends = is_able ? g->now + duration : 0,
            .ended = is_able ? 0 : g->now,
            .duration = duration,
            .detail = is_able ? NULL : "the proxy cannot",
    };
    snprintf(g->windows[index].id, GATEWAY_WINDOW_ID_SIZE, "w%zu", index + 1);
    if (is_able)
        g->proxies[proxy].window = index + 1;
    return index + 1;
}

static uint64_t open_or_join(struct gateway *g, size_t proxy, const char *cause, uint64_t address,
                             usec_t duration)
{
    uint64_t number = g->proxies[proxy].window;
    struct gateway_window *window;

    if (number == 0)
        return add_window(g, proxy, cause, address, duration);
    window = &g->windows[number - 1];
    if (g->now + duration > window->ends)
        window->ends = g->now + duration;
    return number;
}

int gateway_open_window(struct gateway *g, size_t proxy_index, uint64_t address, usec_t duration,
                        uint64_t *ret_number)
{
    *ret_number = open_or_join(g, proxy_index, "request", address, duration);
    return strcmp(g->windows[*ret_number - 1].state, "refused") == 0 ? E_SCAN_REFUSED : 0;
}

size_t gateway_discover(struct gateway *g, usec_t duration, uint64_t *ret_numbers, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < g->config->proxies_count; i++) {
        const struct gateway_proxy *p = &g->proxies[i];

        if (!p->is_online || strcmp(p->scan_wanted, "auto") != 0)
            continue;
        assert(count < max);
        ret_numbers[count++] = open_or_join(g, i, "discover", 0, duration);
    }
    return count;
}

bool gateway_get_need(const struct gateway *g, uint64_t address, struct gateway_need *ret_need)
{
    for (size_t i = 0; i < g->needs_count; i++) {
        if (g->needs[i].address != address)
            continue;
        *ret_need = g->needs[i];
        return true;
    }
    return false;
}

bool gateway_next_need(const struct gateway *g, size_t *position, struct gateway_need *ret_need)
{
    if (*position >= g->needs_count)
        return false;
    *ret_need = g->needs[(*position)++];
    return true;
}

size_t gateway_needs_count(const struct gateway *g)
{
    return g->needs_count + g->needs_claimed;
}

void fake_gateway_claim_needs(struct gateway *g, size_t count)
{
    g->needs_claimed = count;
}

void gateway_get_scan_statistics(const struct gateway *g,
                                 struct gateway_scan_statistics *ret_statistics)
{
    *ret_statistics = g->scan_statistics;
}

const char *gateway_scan_cause_name(unsigned cause)
{
    static const char *const names[] = {"need", "request"};

    return cause < ARRAY_SIZE(names) ? names[cause] : NULL;
}

/* ---- the test's side ---- */

const struct fake_order *fake_gateway_order(const struct gateway *g)
{
    return g->orders_count > 0 ? &g->orders[0]->facts : NULL;
}

void fake_gateway_finish_order(struct gateway *g, int cause, const struct config_edited *edited)
{
    struct gateway_order *order = g->orders[0];
    struct gateway_change *change = order->facts.change;
    static const struct config_versions versions = {.items = {{1, 1795253951250000, 1024}},
                                                    .count = 1};

    assert(g->orders_count > 0);
    memmove(g->orders, g->orders + 1, --g->orders_count * sizeof *g->orders);
    free(order);
    if (!change)
        return;
    change->order = NULL;
    change->versions = &versions;
    change->done(change, cause, edited);
}

void fake_gateway_refuse_orders(struct gateway *g, int cause)
{
    g->order_refusal = cause;
}

static const struct config_device *find_config(const struct gateway *g, uint64_t address)
{
    for (size_t i = 0; i < g->config->devices_count; i++) {
        if (g->config->devices[i].address == address)
            return &g->config->devices[i];
    }
    return NULL;
}

void fake_gateway_reconfigure(struct gateway *g, const struct config *config)
{
    assert(config->proxies_count == g->config->proxies_count);
    g->config = config;
    for (size_t i = 0; i < config->proxies_count; i++)
        g->proxies[i].config = &config->proxies[i];
    for (size_t i = 0; i < g->devices_count; i++)
        g->devices[i]->facts.config = find_config(g, g->devices[i]->facts.address);
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (s->subscriber.on_configuration)
            s->subscriber.on_configuration(s->subscriber.user);
    }
}

struct config *fake_config(const char *text)
{
    static const char *const parts[] = {"core", NULL};
    struct config_faults faults = {0};
    struct config *config = config_parse(text, strlen(text), parts, &faults);

    for (size_t i = 0; i < faults.count; i++)
        fprintf(stderr, "%s: %s\n", faults.items[i].pointer, faults.items[i].detail);
    config_faults_done(&faults);
    assert(config);
    return config;
}

static const usec_t lag_bounds[] = {1 * USEC_PER_MSEC, 50 * USEC_PER_MSEC, 1 * USEC_PER_SEC};

struct gateway *fake_gateway_new(const struct config *config)
{
    struct gateway *g = xnew(struct gateway, 1);

    assert(config->proxies_count <= PROXIES_MAX);
    g->config = config;
    g->links = fake_links_new();
    g->gatts = fake_gatts_new(g);
    g->accounts = accounts_new(/* keeper= */ NULL);
    g->now = FAKE_START;
    histogram_init(&g->loop_lag, lag_bounds, ARRAY_SIZE(lag_bounds));
    for (size_t i = 0; i < config->proxies_count; i++)
        g->proxies[i] = (struct gateway_proxy){
                .index = i,
                .id = (uint32_t) i,
                .config = &config->proxies[i],
                .state = config->proxies[i].is_enabled ? "online" : "disabled",
                .is_online = config->proxies[i].is_enabled,
                .since = FAKE_START,
                .scan_wanted = config->proxies[i].scan_mode ? config->proxies[i].scan_mode
                                                            : config->scan_default_mode,
                .scanner_state = "unknown",
        };
    return g;
}

static void free_device(struct fake_device *d)
{
    free((char *) d->facts.name);
    free(d);
}

void fake_gateway_free(struct gateway *g)
{
    assert(!g->timers && !g->subscriptions && !g->token_change);
    accounts_free(g->accounts);
    fake_links_free(g->links);
    fake_gatts_free(g->gatts);
    while (g->orders_count > 0)
        free(g->orders[--g->orders_count]);
    for (size_t i = 0; i < g->devices_count; i++)
        free_device(g->devices[i]);
    free(g);
}

struct accounts *fake_inside_accounts(const struct gateway *g)
{
    return g->accounts;
}

int fake_inside_wait_for_store(struct gateway *g, struct gateway_token_change *change)
{
    assert(!g->token_change);
    if (!g->has_store)
        return GATEWAY_DONE;
    g->token_change = change;
    return 0;
}

void fake_gateway_wait_for_store(struct gateway *g)
{
    g->has_store = true;
}

void fake_gateway_store_wrote(struct gateway *g, int cause)
{
    struct gateway_token_change *change = TAKE(g->token_change);

    assert(change);
    change->done(change, cause);
}

void gateway_token_change_cancel(struct gateway *g, struct gateway_token_change *change)
{
    if (g->token_change == change)
        g->token_change = NULL;
}

struct gateway_proxy *fake_gateway_proxy(struct gateway *g, size_t index)
{
    return &g->proxies[index];
}

size_t fake_gateway_reconnects(const struct gateway *g, size_t index)
{
    return g->reconnects[index];
}

struct gateway_statistics *fake_gateway_statistics(struct gateway *g)
{
    return &g->statistics;
}

struct histogram *fake_gateway_loop_lag(struct gateway *g)
{
    return &g->loop_lag;
}

struct gateway_proxy_statistics *fake_gateway_proxy_statistics(struct gateway *g, size_t index)
{
    return &g->proxy_statistics[index];
}

void fake_gateway_set_failure(struct gateway *g, size_t index, const char *token, uint64_t count)
{
    g->failures[index] = (struct failure){token, count};
}

struct fake_device *fake_gateway_add(struct gateway *g, uint64_t address)
{
    struct fake_device *d = xnew(struct fake_device, 1);

    assert(g->devices_count < DEVICES_MAX && !find(g, address));
    d->facts = (struct gateway_device){
            .row = (const struct device *) d,
            .config = find_config(g, address),
            .address = address,
            .address_type = "public",
            .rssi = -60,
            .rssi_smoothed = -60,
            .first_seen = g->now,
            .last_seen = g->now,
            .is_available = true,
    };
    g->devices[g->devices_count++] = d;
    return d;
}

void fake_gateway_remove(struct gateway *g, uint64_t address)
{
    for (size_t i = 0; i < g->devices_count; i++) {
        if (g->devices[i]->facts.address != address)
            continue;
        free_device(g->devices[i]);
        g->devices[i] = g->devices[--g->devices_count];
        return;
    }
}

static void set_name(struct fake_device *d, const struct bytes *name)
{
    char *copy = xnew(char, name->size + 1);

    memcpy(copy, name->data, name->size);
    free((char *) d->facts.name);
    d->facts.name = copy;
    d->facts.name_size = name->size;
}

static bool has_same_key(const struct gateway_element *a, const struct gateway_element *b)
{
    return a->type == b->type && (!a->has_company || a->company == b->company) &&
           (!a->has_uuid || ble_uuid_equal(&a->uuid, &b->uuid));
}

/* In place of the one with the same key, as the table merges them. */
static void put_element(struct fake_device *d, const struct gateway_element *element)
{
    size_t i = 0;

    while (i < d->elements_count && !has_same_key(&d->elements[i], element))
        i++;
    if (i == FAKE_ELEMENTS_MAX)
        return;
    d->elements[i] = *element;
    if (i == d->elements_count)
        d->elements_count++;
}

static void add_element(struct gateway *g, struct fake_device *d, const char *proxy,
                        const struct ad_field *field)
{
    struct bytes value = ad_field_value(field);
    struct gateway_element element = {
            .type = field->type,
            .proxy = proxy,
            .last_seen = g->now,
            .has_company = field->kind == AD_KIND_MANUFACTURER,
            .has_uuid = field->kind == AD_KIND_SERVICE_DATA || field->kind == AD_KIND_UUID,
            .data = value.data,
            .size = value.size,
    };

    if (element.has_company)
        element.company = ad_field_company(field);
    if (element.has_uuid)
        element.uuid = ad_field_uuid(field);
    put_element(d, &element);
}

void fake_gateway_hear(struct gateway *g, struct fake_device *d, const char *proxy,
                       const uint8_t *data, size_t size)
{
    struct ad_reader reader = advertising_data_reader(data, size);
    struct ad_field field;

    d->elements_count = 0;
    while (advertising_data_next_field(&reader, &field)) {
        add_element(g, d, proxy, &field);
        if (field.kind == AD_KIND_NAME)
            set_name(d, &field.data);
    }
    d->facts.proxy = proxy;
    d->facts.last_seen = g->now;
    d->has_packet = true;
    d->packet = (struct gateway_packet){
            .time = g->now, .proxy = proxy, .rssi = d->facts.rssi, .data = data, .size = size};
    d->sources_count = 1;
    d->sources[0] = (struct gateway_source){proxy, d->facts.rssi, -60.5, g->now, 1, true, true};
}

void fake_gateway_change_owner(struct gateway *g, unsigned reasons, const struct fake_device *d,
                               const struct gateway_owner_change *owner)
{
    const struct gateway_device_change change = {.number = ++g->changes,
                                                 .reasons = reasons,
                                                 .time = g->now,
                                                 .device = &d->facts,
                                                 .owner = owner};
    struct gateway_subscription *subscription = g->subscriptions, *next;

    for (; subscription; subscription = next) {
        next = subscription->next;
        if (subscription->subscriber.on_device)
            subscription->subscriber.on_device(subscription->subscriber.user, &change);
    }
}

bool fake_gateway_is_heard(const struct gateway *g)
{
    const struct gateway_subscription *subscription = g->subscriptions;

    while (subscription && !subscription->subscriber.on_hearing)
        subscription = subscription->next;
    return subscription != NULL;
}

void fake_gateway_packet(struct gateway *g, const struct fake_device *d,
                         const struct gateway_hearing *hearing)
{
    struct gateway_subscription *subscription = g->subscriptions, *next;
    struct gateway_hearing told = *hearing;

    told.time = g->now;
    told.device = &d->facts;
    if (!told.proxy)
        told.proxy = g->proxies[told.proxy_id].config->name;
    for (; subscription; subscription = next) {
        next = subscription->next;
        if (subscription->subscriber.on_hearing)
            subscription->subscriber.on_hearing(subscription->subscriber.user, &told);
    }
}

void fake_gateway_change_proxy(struct gateway *g, enum gateway_proxy_reason reason, size_t index)
{
    struct gateway_subscription *subscription = g->subscriptions, *next;

    for (; subscription; subscription = next) {
        next = subscription->next;
        if (subscription->subscriber.on_proxy)
            subscription->subscriber.on_proxy(subscription->subscriber.user, reason, index);
    }
}

void fake_gateway_change(struct gateway *g, unsigned reasons, const struct fake_device *d)
{
    fake_gateway_change_owner(g, reasons, d, /* owner= */ NULL);
}

struct fake_links *fake_inside_links(const struct gateway *g)
{
    return g->links;
}

void fake_inside_tell_link(struct gateway *g, const struct gateway_link_change *change)
{
    struct gateway_subscription *subscription = g->subscriptions, *next;

    for (; subscription; subscription = next) {
        next = subscription->next;
        if (subscription->subscriber.on_link)
            subscription->subscriber.on_link(subscription->subscriber.user, change);
    }
}

struct fake_gatts *fake_inside_gatts(const struct gateway *g)
{
    return g->gatts;
}

void fake_inside_tell_value(struct gateway *g, const struct gateway_gatt_value *value)
{
    struct gateway_subscription *subscription = g->subscriptions, *next;

    for (; subscription; subscription = next) {
        next = subscription->next;
        if (subscription->subscriber.on_value)
            subscription->subscriber.on_value(subscription->subscriber.user, value);
    }
}

void fake_inside_tell_lease_ended(struct gateway *g, uint64_t address, const char *lease)
{
    struct gateway_subscription *subscription = g->subscriptions, *next;

    for (; subscription; subscription = next) {
        next = subscription->next;
        if (subscription->subscriber.on_lease_ended)
            subscription->subscriber.on_lease_ended(subscription->subscriber.user, address, lease);
    }
}

static struct gateway_timer *earliest_due(const struct gateway *g, usec_t until,
                                          const struct gateway_timer *newest)
{
    struct gateway_timer *best = NULL;
    bool is_old = false;

    for (struct gateway_timer *timer = g->timers; timer; timer = timer->next) {
        is_old = is_old || timer == newest;
        if (is_old && timer->due <= until && (!best || timer->due <= best->due))
            best = timer;
    }
    return best;
}

void fake_gateway_turn(struct gateway *g)
{
    struct gateway_timer marker = {.next = g->timers, .gateway = g, .due = USEC_NEVER};
    struct gateway_timer *timer;

    g->timers = &marker; /* what is started during the turn lies before it */
    while ((timer = earliest_due(g, g->now, &marker))) {
        void (*on_time)(void *user) = timer->on_time;
        void *user = timer->user;

        gateway_timer_stop(timer);
        on_time(user);
    }
    unlink_timer(&marker);
}

void fake_gateway_let_time_pass(struct gateway *g, usec_t step)
{
    g->step = step;
}

void fake_gateway_advance(struct gateway *g, usec_t span)
{
    g->now += span;
    fake_gateway_turn(g);
}

void fake_gateway_close_windows(struct gateway *g)
{
    for (size_t i = 0; i < g->config->proxies_count; i++) {
        if (g->proxies[i].window > 0)
            g->windows[g->proxies[i].window - 1].state = "done";
        g->proxies[i].window = 0;
    }
}

void fake_gateway_change_window(struct gateway *g, const char *action, uint64_t number)
{
    const struct gateway_window_change change = {
            .action = action, .time = g->now, .window = &g->windows[number - 1]};

    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (s->subscriber.on_window)
            s->subscriber.on_window(s->subscriber.user, &change);
    }
}

struct gateway_need *fake_gateway_need(struct gateway *g, uint64_t address)
{
    struct gateway_need *need = &g->needs[g->needs_count++];

    assert(g->needs_count <= FAKE_NEEDS_MAX);
    *need = (struct gateway_need){
            .address = address,
            .interval = 300 * USEC_PER_SEC,
            .duration = 10 * USEC_PER_SEC,
            .state = "waiting",
            .next_due = g->now + 300 * USEC_PER_SEC,
    };
    return need;
}

struct gateway_scan_statistics *fake_gateway_scan_statistics(struct gateway *g)
{
    return &g->scan_statistics;
}

/* ---- backups ---- */

struct fake_backups *fake_gateway_backups(struct gateway *g)
{
    return &g->backups;
}

static int begin_backup(struct gateway *g, const char *path, const char *passphrase, void *user)
{
    if (g->on_backup || g->on_restored)
        return E_OVERLOADED;
    (void) snprintf(g->backups.path, sizeof g->backups.path, "%s", path);
    (void) snprintf(g->backups.passphrase, sizeof g->backups.passphrase, "%s",
                    passphrase ? passphrase : "(none)");
    g->backup_user = user;
    return 0;
}

int gateway_back_up(struct gateway *g, const char *passphrase, gateway_backup_fn *done, void *user)
{
    int rc = begin_backup(g, "", passphrase, user);

    if (rc == 0)
        g->on_backup = done;
    g->backups.is_asked |= rc == 0;
    return rc;
}

int gateway_restore(struct gateway *g, const char *path, const char *passphrase,
                    gateway_restore_fn *done, void *user)
{
    int rc = begin_backup(g, path, passphrase, user);

    if (rc == 0)
        g->on_restored = done;
    return rc;
}

void fake_gateway_end_backup(struct gateway *g, int cause, const struct gateway_backup *backup)
{
    g->backups.is_asked = false;
    TAKE(g->on_backup)(g->backup_user, cause, backup);
}

void fake_gateway_end_restore(struct gateway *g, int cause, const struct gateway_restored *restored)
{
    TAKE(g->on_restored)(g->backup_user, cause, restored);
}

char *gateway_upload_path(const struct gateway *g)
{
    return g->backups.upload[0] ? memory_copy_text(g->backups.upload) : NULL;
}

bool gateway_restart(struct gateway *g)
{
    g->backups.restarts++;
    return g->backups.can_restart;
}
