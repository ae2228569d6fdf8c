/* The story: a client subscribes (66), which makes it the owner of the proxy if the profile's rule
 * says so, and gets the scanner's state (126) where the firmware knows it. What the radio hears is
 * put into a batch; a full batch goes out at once, a partial one with the next flush. A change of
 * mode (127) stops and restarts the scanner step by step, and nothing is heard meanwhile.
 *
 * What goes wrong: a client whose output is full loses batches (they are counted); a refused
 * subscriber is told nothing; requests for devices fail as "not connected". */
#include "proxy_model.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "parsed.h"

#define NOT_CONNECTED (-1) /* of messages 82, 85, 86, 146 */
#define HUB_PERIOD    (20 * USEC_PER_MSEC)

enum {
    PASSIVE_2022 = 0x00,
    PASSIVE_2024 = PROXY_FEATURE_PASSIVE_SCAN | PROXY_FEATURE_RAW_ADVERTISEMENTS,
    PASSIVE_2025 = PASSIVE_2024 | PROXY_FEATURE_STATE_AND_MODE,
    CONNECTING = PROXY_FEATURE_ACTIVE_CONNECTIONS | PROXY_FEATURE_REMOTE_CACHING |
                 PROXY_FEATURE_PAIRING | PROXY_FEATURE_CACHE_CLEARING,
};

/* 2022: before feature flags; every advertisement is taken apart and sent alone.
 * 2024: each delivery of the scanner hub is one message. 2025: says the scanner's state.
 * 2026: batches over 100 ms, the newest subscriber wins. */
#define PROFILE_2022                                                                               \
    .esphome_version = "2022.12.8", .server_info = "sim (esphome v2022.12.8)", .api_minor = 7,     \
    .is_legacy_hello = true, .can_parse = true
#define PROFILE_2024                                                                               \
    .esphome_version = "2024.10.2", .server_info = "sim (esphome v2024.10.2)", .api_minor = 10,    \
    .is_legacy_hello = true, .can_parse = true, .can_raw = true, .flush_period = HUB_PERIOD,       \
    .says_bluetooth_mac = true
#define PROFILE_2025                                                                               \
    .esphome_version = "2025.9.3", .server_info = "sim (esphome v2025.9.3)", .api_minor = 12,      \
    .can_raw = true, .flush_period = 100 * USEC_PER_MSEC, .says_bluetooth_mac = true
#define PROFILE_2026                                                                               \
    .esphome_version = "2026.8.0", .server_info = "2026.8.0", .api_minor = 14, .can_raw = true,    \
    .is_newest_wins = true, .flush_period = 100 * USEC_PER_MSEC, .says_bluetooth_mac = true

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
    return (m->options.profile->features & (uint32_t) feature) != 0;
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

/* The owner gets every answer, whoever asked; without one, the asker. */
static void answer(struct proxy_model *m, unsigned asker, const struct message *message)
{
    (void) send_to(m, m->owner >= 0 ? m->owner : (int) asker, message);
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
    return m->options.mode_switch / 3;
}

static void set_scanner(struct proxy_model *m, enum scanner_state state, usec_t now)
{
    m->scanner = state;
    if (state == SCANNER_RUNNING)
        m->is_switching = false;
    usec_t stay = scanner_stay(m);
    m->scanner_next = stay == USEC_NEVER ? USEC_NEVER : now + stay;
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

    if (!is_proxy(m) || has_fault(m, PROXY_MODEL_REFUSES))
        return;
    if (m->owner >= 0 && m->owner != (int) client && !profile->is_newest_wins)
        return;
    release(m);
    m->owner = (int) client;
    m->wants_raw = wants_raw;
    push_scanner_state(m);
}

static struct message connections_free(const struct proxy_model *m)
{
    return (struct message){
            .type = MESSAGE_CONNECTIONS_FREE_RESPONSE,
            .connections_free = {.free = m->options.slots, .limit = m->options.slots},
    };
}

static void on_device_request(struct proxy_model *m, unsigned client,
                              const struct message_device_request *request)
{
    struct message reply = {.result = {.address = request->address, .error = NOT_CONNECTED}};

    switch (request->request_type) {
    case DEVICE_REQUEST_PAIR:
        reply.type = MESSAGE_DEVICE_PAIRING_RESPONSE;
        break;
    case DEVICE_REQUEST_UNPAIR:
        reply.type = MESSAGE_DEVICE_UNPAIRING_RESPONSE;
        break;
    case DEVICE_REQUEST_CLEAR_CACHE:
        reply.type = MESSAGE_DEVICE_CLEAR_CACHE_RESPONSE;
        reply.result = (struct message_result){.address = request->address, .success = true};
        break;
    default: /* connects of all kinds fail, a disconnect ends where nothing was */
        reply.type = MESSAGE_DEVICE_CONNECTION_RESPONSE;
        reply.device_connection = (struct message_device_connection){.address = request->address};
        break;
    }
    answer(m, client, &reply);
    if (request->request_type == DEVICE_REQUEST_DISCONNECT) {
        reply = connections_free(m);
        answer(m, client, &reply);
    }
}

static void on_gatt(struct proxy_model *m, unsigned client, uint64_t address, uint32_t handle)
{
    const struct message reply = {
            .type = MESSAGE_GATT_ERROR_RESPONSE,
            .gatt = {.address = address, .handle = handle, .error = NOT_CONNECTED},
    };
    answer(m, client, &reply);
}

static void on_connection_params(struct proxy_model *m, unsigned client, uint64_t address)
{
    if (!has_feature(m, PROXY_FEATURE_CONNECTION_PARAMS))
        return;
    const struct message reply = {
            .type = MESSAGE_SET_CONNECTION_PARAMS_RESPONSE,
            .result = {.address = address, .error = NOT_CONNECTED},
    };
    answer(m, client, &reply);
}

static void on_connections_free(struct proxy_model *m, unsigned client)
{
    const struct message reply = connections_free(m);
    if (is_proxy(m))
        (void) send_to(m, (int) client, &reply);
}

void proxy_model_receive(struct proxy_model *m, unsigned client, const struct message *message,
                         usec_t now)
{
    assert(client < m->options.clients_max && m->is_joined[client]);
    switch ((unsigned) message->type) {
    case MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST:
        on_subscribe(m, client, message->subscription_flags);
        return;
    case MESSAGE_UNSUBSCRIBE_ADVERTISEMENTS_REQUEST:
        if (m->owner == (int) client)
            release(m);
        return;
    case MESSAGE_SCANNER_SET_MODE_REQUEST:
        on_set_mode(m, message->scanner_mode, now);
        return;
    case MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST:
        on_connections_free(m, client);
        return;
    case MESSAGE_DEVICE_REQUEST:
        if (is_proxy(m))
            on_device_request(m, client, &message->device_request);
        return;
    case MESSAGE_GATT_GET_SERVICES_REQUEST:
        on_gatt(m, client, message->gatt.address, 0);
        return;
    case MESSAGE_GATT_READ_REQUEST:
    case MESSAGE_GATT_WRITE_REQUEST:
    case MESSAGE_GATT_READ_DESCRIPTOR_REQUEST:
    case MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST:
    case MESSAGE_GATT_NOTIFY_REQUEST:
        on_gatt(m, client, message->gatt.address, message->gatt.handle);
        return;
    case MESSAGE_SET_CONNECTION_PARAMS_REQUEST:
        on_connection_params(m, client, message->connection_params.address);
        return;
    default: /* states, logs, services …: nothing to tell */
        return;
    }
}

/* ---- life ---- */

struct proxy_model *proxy_model_new(const struct proxy_model_options *options,
                                    proxy_model_send_fn *on_send, void *user, usec_t now)
{
    assert(options->clients_max > 0 && options->clients_max <= PROXY_MODEL_CLIENTS_MAX);
    struct proxy_model *m = xnew(struct proxy_model, 1);
    m->options = *options;
    m->on_send = on_send;
    m->user = user;
    proxy_model_restart(m, now);
    return m;
}

void proxy_model_free(struct proxy_model *m)
{
    free(m);
}

void proxy_model_restart(struct proxy_model *m, usec_t now)
{
    release(m);
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

void proxy_model_leave(struct proxy_model *m, unsigned client)
{
    assert(client < m->options.clients_max && m->is_joined[client]);
    m->is_joined[client] = false;
    if (m->owner == (int) client)
        release(m);
}

void proxy_model_set_fault(struct proxy_model *m, enum proxy_model_fault fault, bool is_there,
                           usec_t now)
{
    if (is_there)
        m->faults |= (unsigned) fault;
    else
        m->faults &= ~(unsigned) fault;
    if (m->scanner_next == USEC_NEVER && !has_fault(m, PROXY_MODEL_FAILS_MODE))
        m->scanner_next = now + scanner_stay(m); /* it tries again */
}

void proxy_model_tick(struct proxy_model *m, usec_t now)
{
    if (now >= m->batch.flush_at)
        flush(m, now);
    if (now >= m->scanner_next)
        step_scanner(m, now);
}

usec_t proxy_model_deadline(const struct proxy_model *m)
{
    return m->batch.flush_at < m->scanner_next ? m->batch.flush_at : m->scanner_next;
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

const struct proxy_model_counters *proxy_model_counters(const struct proxy_model *m)
{
    return &m->counters;
}
