/* The story: a client subscribes (66), which makes it the owner of the proxy if the profile's rule
 * says so, and gets the scanner's state (126) where the firmware knows it. What the radio hears is
 * put into a batch; a full batch goes out at once, a partial one with the next flush. A change of
 * mode (127) stops and restarts the scanner step by step, and nothing is heard meanwhile. What is
 * asked for a device goes to the slots; while one of them connects, the scanner stands still.
 *
 * What goes wrong: a client whose output is full loses batches (they are counted); a refused
 * subscriber is told nothing; when the owner goes, all links of the proxy end. */
#include "proxy_model.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "parsed.h"

#define HUB_PERIOD      (20 * USEC_PER_MSEC)
#define CLOSE_LOW       (20 * USEC_PER_MSEC) /* of the controller, where nothing else is said */
#define CLOSE_HIGH      (100 * USEC_PER_MSEC)
#define LEGACY_CONNECTS 2 /* of versions before feature flags */

enum {
    PASSIVE_2022 = 0x00,
    PASSIVE_2024 = PROXY_FEATURE_PASSIVE_SCAN | PROXY_FEATURE_RAW_ADVERTISEMENTS,
    PASSIVE_2025 = PASSIVE_2024 | PROXY_FEATURE_STATE_AND_MODE,
    CONNECTING = PROXY_FEATURE_ACTIVE_CONNECTIONS | PROXY_FEATURE_REMOTE_CACHING |
                 PROXY_FEATURE_PAIRING | PROXY_FEATURE_CACHE_CLEARING,
};

/* Services: with API 1.12 came short UUIDs and several services in a message; in 2026 the list can
 * be restarted, its failure is told, and answers that were not taken are kept. */
#define GATT_2025 .is_packing = true, .has_short_uuids = true
#define GATT_2026 GATT_2025, .is_restarting = true, .is_owing = true, .is_broken_told = true

/* What connections are like: old firmware frees a slot at DISCONNECT, names no addresses and says
 * the end of a link twice; that of 2025 frees it at CLOSE and still says it twice; then once.
 *
 * 2022: before feature flags; every advertisement is taken apart and sent alone.
 * 2024: each delivery of the scanner hub is one message. 2025: says the scanner's state.
 * 2026: batches over 100 ms, the newest subscriber wins. */
#define PROFILE_2022                                                                               \
    .esphome_version = "2022.12.8", .server_info = "sim (esphome v2022.12.8)", .api_minor = 7,     \
    .is_legacy_hello = true, .can_parse = true, .is_early_release = true,                          \
    .is_double_disconnect = true, .is_without_list = true, .has_first_version = true
#define PROFILE_2024                                                                               \
    .esphome_version = "2024.10.2", .server_info = "sim (esphome v2024.10.2)", .api_minor = 10,    \
    .is_legacy_hello = true, .can_parse = true, .can_raw = true, .flush_period = HUB_PERIOD,       \
    .says_bluetooth_mac = true, .is_early_release = true, .is_double_disconnect = true,            \
    .is_without_list = true, .has_first_version = true
#define PROFILE_2025                                                                               \
    .esphome_version = "2025.9.3", .server_info = "sim (esphome v2025.9.3)", .api_minor = 12,      \
    .can_raw = true, .flush_period = 100 * USEC_PER_MSEC, .says_bluetooth_mac = true,              \
    .is_double_disconnect = true, .has_first_version = true, .gatt = {GATT_2025}
#define PROFILE_2026                                                                               \
    .esphome_version = "2026.8.0", .server_info = "2026.8.0", .api_minor = 14, .can_raw = true,    \
    .is_newest_wins = true, .flush_period = 100 * USEC_PER_MSEC, .says_bluetooth_mac = true,       \
    .gatt = {GATT_2026}

static const struct proxy_profile PROFILES[] = {
        {.name = "2022", PROFILE_2022, .legacy_version = 3},
        {.name = "2022-passive", PROFILE_2022, .legacy_version = 1},
        {.name = "2024", PROFILE_2024, .features = PASSIVE_2024 | CONNECTING, .legacy_version = 5},
        {.name = "2024-passive", PROFILE_2024, .features = PASSIVE_2024, .legacy_version = 1},
        {.name = "2025", PROFILE_2025, .features = PASSIVE_2025 | CONNECTING},
        {.name = "2025-passive", PROFILE_2025, .features = PASSIVE_2025},
        {.name = "2026",
         PROFILE_2026,
         .features = PASSIVE_2025 | CONNECTING | PROXY_FEATURE_CONNECTION_PARAMS},
        {.name = "2026-passive", PROFILE_2026, .features = PASSIVE_2025},
        {.name = "none", .esphome_version = "2026.8.0", .server_info = "2026.8.0", .api_minor = 14},
};

struct batch {
    struct ble_report reports[PROXY_MODEL_BATCH_MAX]; /* data points into octets */
    uint8_t octets[PROXY_MODEL_BATCH_MAX][BLE_REPORT_DATA_MAX];
    size_t count;
    usec_t flush_at;
};

struct proxy_model {
    struct proxy_model_options options;
    proxy_model_send_fn *on_send;
    void *user;
    bool is_joined[PROXY_MODEL_CLIENTS_MAX];
    int owner; /* the one subscriber, -1 for none */
    bool wants_raw;
    unsigned faults;
    enum scanner_mode mode;
    bool is_switching; /* the scanner restarts for another mode */
    enum scanner_state scanner;
    usec_t scanner_next; /* when it takes its next step */
    struct slots *slots;
    int asker; /* whose request is being handled, -1 for none */
    struct batch batch;
    struct proxy_model_counters counters;
};

const struct proxy_profile *proxy_profile_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(PROFILES); i++)
        if (strcmp(PROFILES[i].name, name) == 0)
            return &PROFILES[i];
    return NULL;
}

static bool has_feature(const struct proxy_model *m, enum proxy_feature feature)
{
    return (m->options.features & (uint32_t) feature) != 0;
}

static bool is_proxy(const struct proxy_model *m)
{
    return m->options.profile->can_parse || m->options.profile->can_raw;
}

static int send_to(struct proxy_model *m, int client, const struct message *message)
{
    if (client < 0)
        return -ENOTCONN;
    int error = m->on_send(m->user, (unsigned) client, message);
    if (error == 0)
        m->counters.messages_sent++;
    return error;
}

/* The owner gets everything, whoever asked; without one, the asker. */
static int on_slots_send(void *user, const struct message *message)
{
    struct proxy_model *m = user;
    return send_to(m, m->owner >= 0 ? m->owner : m->asker, message);
}

/* ---- the scanner ---- */

static void push_scanner_state(struct proxy_model *m)
{
    if (!has_feature(m, PROXY_FEATURE_STATE_AND_MODE))
        return;
    const struct message message = {
            .type = MESSAGE_SCANNER_STATE_RESPONSE,
            .scanner_state = {.state = m->scanner,
                              .mode = m->mode,
                              .configured_mode = m->options.configured_mode},
    };
    (void) send_to(m, m->owner, &message);
}

static bool has_fault(const struct proxy_model *m, enum proxy_model_fault fault)
{
    return (m->faults & (unsigned) fault) != 0;
}

static usec_t scanner_stay(const struct proxy_model *m)
{
    if (m->scanner == SCANNER_RUNNING)
        return PROXY_MODEL_SCAN_ROUND;
    if (m->scanner == SCANNER_FAILED && has_fault(m, PROXY_MODEL_FAILS_MODE))
        return USEC_NEVER;
    if (m->scanner == SCANNER_IDLE && slots_need_silence(m->slots))
        return USEC_NEVER;
    return m->options.mode_switch / 3;
}

static void plan_scanner(struct proxy_model *m, usec_t now)
{
    usec_t stay = scanner_stay(m);
    m->scanner_next = stay == USEC_NEVER ? USEC_NEVER : now + stay;
}

static void set_scanner(struct proxy_model *m, enum scanner_state state, usec_t now)
{
    m->scanner = state;
    if (state == SCANNER_RUNNING)
        m->is_switching = false;
    plan_scanner(m, now);
    push_scanner_state(m);
}

static void step_scanner(struct proxy_model *m, usec_t now)
{
    switch (m->scanner) {
    case SCANNER_RUNNING: /* the round is over */
    case SCANNER_STOPPING:
    case SCANNER_STOPPED:
    case SCANNER_FAILED:
        set_scanner(m, SCANNER_IDLE, now);
        return;
    case SCANNER_IDLE:
        set_scanner(m, SCANNER_STARTING, now);
        return;
    case SCANNER_STARTING:
        if (m->is_switching && has_fault(m, PROXY_MODEL_FAILS_MODE))
            set_scanner(m, SCANNER_FAILED, now);
        else
            set_scanner(m, SCANNER_RUNNING, now);
        return;
    }
}

static void on_set_mode(struct proxy_model *m, uint32_t mode, usec_t now)
{
    if (!has_feature(m, PROXY_FEATURE_STATE_AND_MODE) || mode == m->mode || mode > SCANNER_ACTIVE)
        return;
    if (has_fault(m, PROXY_MODEL_IGNORES_MODE))
        return;
    m->mode = (enum scanner_mode) mode;
    m->is_switching = true;
    set_scanner(m, SCANNER_STOPPING, now);
}

/* Stops the scanner for whoever wants to connect, and lets it go on afterwards. */
static void settle(struct proxy_model *m, usec_t now)
{
    if (!slots_need_silence(m->slots)) {
        if (m->scanner_next == USEC_NEVER)
            plan_scanner(m, now);
    } else if (m->scanner == SCANNER_RUNNING) {
        set_scanner(m, SCANNER_STOPPING, now);
    } else if (m->scanner == SCANNER_IDLE || m->scanner == SCANNER_FAILED) {
        plan_scanner(m, now);
        slots_begin(m->slots, now);
    }
}

/* ---- advertisements ---- */

/* Writes the moment of sending into payloads that are made for it. */
static void stamp(struct batch *b, usec_t now)
{
    for (size_t i = 0; i < b->count; i++) {
        if (b->reports[i].size >= PROXY_MODEL_STAMP_SIZE + sizeof now &&
            memcmp(b->octets[i], PROXY_MODEL_STAMP, PROXY_MODEL_STAMP_SIZE) == 0)
            memcpy(b->octets[i] + PROXY_MODEL_STAMP_SIZE, &now, sizeof now);
    }
}

static void flush(struct proxy_model *m, usec_t now)
{
    if (m->batch.count == 0)
        return;
    stamp(&m->batch, now);
    const struct message message = {
            .type = MESSAGE_RAW_ADVERTISEMENTS_RESPONSE,
            .raw_advertisements = {.reports = m->batch.reports, .count = m->batch.count},
    };
    if (send_to(m, m->owner, &message) == 0)
        m->counters.advertisements_sent += m->batch.count;
    else
        m->counters.advertisements_dropped += m->batch.count;
    m->batch.count = 0;
    m->batch.flush_at = USEC_NEVER;
}

static void send_parsed(struct proxy_model *m, const struct ble_report *report)
{
    struct parsed parsed;
    parsed_from_report(&parsed, report);
    const struct message message = {.type = MESSAGE_PARSED_ADVERTISEMENT_RESPONSE,
                                    .parsed_advertisement = parsed.message};
    if (send_to(m, m->owner, &message) == 0)
        m->counters.advertisements_sent++;
    else
        m->counters.advertisements_dropped++;
}

static void add_to_batch(struct proxy_model *m, const struct ble_report *report, usec_t now)
{
    struct batch *b = &m->batch;

    if (b->count == 0)
        b->flush_at = now + m->options.profile->flush_period;
    b->reports[b->count] = *report;
    b->reports[b->count].data = b->octets[b->count];
    memcpy(b->octets[b->count], report->data, report->size);
    b->count++;
    if (b->count == PROXY_MODEL_BATCH_MAX)
        flush(m, now);
}

void proxy_model_heard(struct proxy_model *m, uint64_t address, uint8_t address_type, int8_t rssi,
                       const struct payload *payload, usec_t now)
{
    if (m->owner < 0 || has_fault(m, PROXY_MODEL_IS_MUTE) || m->scanner != SCANNER_RUNNING)
        return;
    bool has_response = m->mode == SCANNER_ACTIVE || m->options.is_scan_response_always;
    const struct ble_report report = {
            .address = address,
            .address_type = address_type,
            .rssi = rssi,
            .data = payload->data,
            .size = has_response ? payload->size : payload->advertising_size,
    };
    m->counters.heard++;
    if (m->wants_raw)
        add_to_batch(m, &report, now);
    else
        send_parsed(m, &report);
}

/* ---- requests ---- */

static void release(struct proxy_model *m)
{
    m->owner = -1;
    m->batch.count = 0;
    m->batch.flush_at = USEC_NEVER;
}

static void on_subscribe(struct proxy_model *m, unsigned client, uint32_t flags)
{
    const struct proxy_profile *profile = m->options.profile;
    bool wants_raw = profile->can_raw && ((flags & 1) != 0 || !profile->can_parse);

    if (has_fault(m, PROXY_MODEL_REFUSES))
        return;
    if (m->owner >= 0 && m->owner != (int) client && !profile->is_newest_wins)
        return;
    release(m);
    m->owner = (int) client;
    m->wants_raw = wants_raw;
    push_scanner_state(m);
}

static void on_unsubscribe(struct proxy_model *m, usec_t now)
{
    release(m);
    slots_abandon(m->slots, now);
}

static void on_connections_free(struct proxy_model *m, unsigned client)
{
    uint64_t addresses[SLOTS_MAX + 1];
    const struct message message = slots_message(m->slots, addresses);
    (void) send_to(m, (int) client, &message);
}

/* Links belong to the owner: without one, nothing is kept of what was asked for. */
static void on_device(struct proxy_model *m, unsigned client, const struct message *message,
                      usec_t now)
{
    m->asker = (int) client;
    slots_receive(m->slots, message, now);
    m->asker = -1;
    if (m->owner < 0)
        slots_abandon(m->slots, now);
}

void proxy_model_receive(struct proxy_model *m, unsigned client, const struct message *message,
                         usec_t now)
{
    assert(client < m->options.clients_max && m->is_joined[client]);
    if (!is_proxy(m))
        return;
    switch ((unsigned) message->type) {
    case MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST:
        on_subscribe(m, client, message->subscription_flags);
        break;
    case MESSAGE_UNSUBSCRIBE_ADVERTISEMENTS_REQUEST:
        if (m->owner == (int) client)
            on_unsubscribe(m, now);
        break;
    case MESSAGE_SCANNER_SET_MODE_REQUEST:
        on_set_mode(m, message->scanner_mode, now);
        break;
    case MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST:
        on_connections_free(m, client);
        break;
    case MESSAGE_SET_CONNECTION_PARAMS_REQUEST:
        if (has_feature(m, PROXY_FEATURE_CONNECTION_PARAMS))
            on_device(m, client, message, now);
        break;
    default: /* for a device, or of no interest: states, logs, services … */
        on_device(m, client, message, now);
        break;
    }
    settle(m, now);
}

/* ---- life ---- */

struct proxy_model_options proxy_model_usual(const struct proxy_profile *profile)
{
    bool can_connect = (profile->features & PROXY_FEATURE_ACTIVE_CONNECTIONS) != 0 ||
                       profile->legacy_version >= LEGACY_CONNECTS;

    return (struct proxy_model_options){
            .profile = profile,
            .configured_mode = SCANNER_ACTIVE,
            .clients_max = 5,
            .features = profile->features,
            .mode_switch = PROXY_MODEL_MODE_SWITCH,
            .slots = {.limit = can_connect ? 3 : 0,
                      .list = profile->is_without_list ? SLOTS_LIST_ABSENT : SLOTS_LIST_RIGHT,
                      .is_early_release = profile->is_early_release,
                      .is_double_disconnect = profile->is_double_disconnect,
                      .is_mtu_stale = profile->is_without_list,
                      .is_pair_silent = profile->is_without_list,
                      .has_first_version = profile->has_first_version,
                      .gatt = profile->gatt,
                      .close = {CLOSE_LOW, CLOSE_HIGH},
                      .give_up = SLOTS_GIVE_UP},
    };
}

struct proxy_model *proxy_model_new(const struct proxy_model_options *options, struct world *world,
                                    size_t listener, uint64_t seed, proxy_model_send_fn *on_send,
                                    void *user, usec_t now)
{
    assert(options->clients_max > 0 && options->clients_max <= PROXY_MODEL_CLIENTS_MAX);
    struct proxy_model *m = xnew(struct proxy_model, 1);
    m->options = *options;
    m->on_send = on_send;
    m->user = user;
    m->asker = -1;
    m->slots = slots_new(&options->slots, world, listener, seed, on_slots_send, m);
    proxy_model_restart(m, now);
    return m;
}

void proxy_model_free(struct proxy_model *m)
{
    if (m == NULL)
        return;
    slots_free(m->slots);
    free(m);
}

void proxy_model_restart(struct proxy_model *m, usec_t now)
{
    release(m);
    slots_restart(m->slots);
    m->mode = m->options.configured_mode;
    set_scanner(m, SCANNER_RUNNING, now);
}

int proxy_model_join(struct proxy_model *m)
{
    for (unsigned i = 0; i < m->options.clients_max; i++) {
        if (m->is_joined[i])
            continue;
        m->is_joined[i] = true;
        return (int) i;
    }
    return -ENOBUFS;
}

void proxy_model_leave(struct proxy_model *m, unsigned client, usec_t now)
{
    assert(client < m->options.clients_max && m->is_joined[client]);
    m->is_joined[client] = false;
    if (m->owner == (int) client)
        on_unsubscribe(m, now);
}

void proxy_model_set_fault(struct proxy_model *m, enum proxy_model_fault fault, bool is_there,
                           usec_t now)
{
    if (is_there)
        m->faults |= (unsigned) fault;
    else
        m->faults &= ~(unsigned) fault;
    if (m->scanner_next == USEC_NEVER)
        plan_scanner(m, now); /* it tries again */
}

void proxy_model_tick(struct proxy_model *m, usec_t now)
{
    if (now >= m->batch.flush_at)
        flush(m, now);
    if (now >= slots_deadline(m->slots))
        slots_tick(m->slots, now);
    if (now >= m->scanner_next)
        step_scanner(m, now);
    settle(m, now);
}

usec_t proxy_model_deadline(const struct proxy_model *m)
{
    usec_t deadline = slots_deadline(m->slots);
    if (m->batch.flush_at < deadline)
        deadline = m->batch.flush_at;
    return m->scanner_next < deadline ? m->scanner_next : deadline;
}

int proxy_model_subscriber(const struct proxy_model *m)
{
    return m->owner;
}

enum scanner_mode proxy_model_mode(const struct proxy_model *m)
{
    return m->mode;
}

enum scanner_state proxy_model_scanner_state(const struct proxy_model *m)
{
    return m->scanner;
}

struct slots *proxy_model_slots(const struct proxy_model *m)
{
    return m->slots;
}

const struct proxy_model_counters *proxy_model_counters(const struct proxy_model *m)
{
    return &m->counters;
}
