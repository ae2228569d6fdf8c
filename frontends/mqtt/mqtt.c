/* The story: changes of the gateway leave marks (states) or messages in line (events, answers). The
 * state of a device whose interval is over is taken out of the text of its event and waits in line
 * for the next pump, as it was at the change.
 * Whenever the broker has room they are pumped out, most urgent first: answers, what the gateway
 * says of itself, devices, events. The pump stops when the window is full, and goes on when there
 * is room again, when something becomes due, or when something new comes.
 *
 * Each time a connection stands everything retained is due again, spread over some seconds, since
 * the broker may have lost it; the same when Home Assistant says that it is back. What the broker
 * still has of an earlier run is seen by its availability topics; unless such a device is heard
 * within the time in which devices without a known interval stay available, it is cleared.
 *
 * Failure modes: while the broker is away marks stay marks, and the oldest events go. The raw
 * stream is sent only while half of the window is free, and dropped else. */
#include "mqtt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "mqtt/bridge.h"
#include "mqtt/broker.h"
#include "mqtt/outbox.h"
#include "mqtt/states.h"
#include "mqtt/topics.h"
#include "mqtt/verbs.h"
#include "rest/clients.h"
#include "rest/metrics.h"
#include "json/device_json.h"
#include "json/device_texts.h"

#define REPUBLISH_SPREAD      (5 * USEC_PER_SEC)
#define PROXIES_INTERVAL      USEC_PER_SEC
#define PUMP_TICK             (100 * USEC_PER_MSEC) /* what becomes due in one tick goes out together */
#define PUMP_PAUSE            (50 * USEC_PER_MSEC) /* after a pump; shorter than INTAKE_INTERVAL */
#define PUMP_MESSAGES         512                  /* in one turn of the loop */
#define EVENTS_MAX            1000
#define EVENTS_BYTES          ((size_t) 1 << 20)
#define FRESH_MAX             256
#define ANSWERS_MAX           256
#define ANSWERS_BYTES         ((size_t) 2 << 20)
#define ADVERTISEMENTS_WINDOW (BROKER_WINDOW_MESSAGES / 2)
#define BROKER_TEXT_SIZE      300
#define RETIRE_LOOK           (20 * USEC_PER_MSEC)
#define RETIRE_MAX            (10 * USEC_PER_SEC) /* a broker that needs longer keeps the rest */

struct mqtt {
    struct gateway *gateway; /* borrowed */
    struct rest *rest;       /* borrowed */
    struct mqtt_texts texts;
    char *base;            /* mqtt.base_topic, for as long as we live */
    struct broker *broker; /* NULL: closed */
    struct states *states;
    struct verbs *verbs;
    struct outbox answers, events;
    struct outbox fresh; /* states that wait for the next pump alone; none is ever dropped */
    struct gateway_subscription *subscription;
    struct gateway_timer *pump_timer, *health_timer;
    usec_t pump_due; /* what the timer is armed for */
    usec_t pumped;   /* the last time */
    bool is_connected, is_pumping, is_closing;
    struct gateway_timer *retire_timer; /* NULL: not retiring */
    usec_t retire_until;
    uint64_t connections; /* seen so far */
    usec_t started;
    bool wants_info;
    usec_t proxies_due, proxies_sent; /* USEC_NEVER: not due */
    struct outbox_message *refused;   /* the message for which the window had no room; goes first */
    uint64_t advertisements_dropped, requests, health_messages;
    usec_t health_time;
    struct client client; /* for GET /clients */
    struct broker_status status;
    char told_error[BROKER_ERROR_SIZE]; /* the last that was logged */
    char broker_text[BROKER_TEXT_SIZE];
    char *home_status; /* topic of Home Assistant's birth message; NULL: not listened to */
    void (*on_closed)(void *user);
    void *closed_user;
};

static const struct config *config_of(const struct mqtt *m)
{
    return gateway_config(m->gateway);
}

/* ---- sending ---- */

/* False: the window is full, and the message waits until there is room. */
static bool send_out(struct mqtt *m, struct outbox_message *message)
{
    size_t bytes = outbox_message_bytes(message);

    if (!broker_publish(m->broker, message)) {
        m->refused = message;
        return false;
    }
    m->client.messages++;
    m->client.bytes += bytes;
    return true;
}

static bool send_refused(struct mqtt *m)
{
    return send_out(m, TAKE(m->refused));
}

static bool send_info(struct mqtt *m)
{
    char *config AUTO_FREE = m->texts.config ? m->texts.config(m->texts.user) : NULL;
    char *schema AUTO_FREE = m->texts.schema ? m->texts.schema(m->texts.user) : NULL;
    struct info_json_mqtt status;

    m->wants_info = false;
    mqtt_get_status(m, &status);
    return send_out(m, bridge_info(m->base, m->gateway, &status, config, schema));
}

static bool send_proxies(struct mqtt *m, usec_t now)
{
    m->proxies_due = USEC_NEVER;
    m->proxies_sent = now;
    return send_out(m, bridge_proxies(m->base, m->gateway));
}

static bool send_clearing(struct mqtt *m, const struct states_item *item, usec_t now)
{
    const char *base = m->base;
    struct outbox_message *message = item->what == STATES_CLEAR_STATE
                                             ? bridge_clear_state(base, item->name)
                                             : bridge_clear_availability(base, item->name);

    states_done(m->states, item, 0, now);
    return send_out(m, message);
}

static struct outbox_message *make_state(struct mqtt *m, const struct states_item *item,
                                         const struct gateway_device *device)
{
    const char *base = m->base;
    struct outbox_message *message;
    struct writer w = {0};

    if (item->what == STATES_AVAILABILITY)
        return bridge_availability(base, item->name, device->is_available);
    device_json_write(&w, NULL, m->gateway, device);
    message = bridge_state(base, item->name, &w.text);
    writer_done(&w);
    return message;
}

/* A device that the gateway no longer knows is withdrawn, as if it had been told. */
static bool send_device(struct mqtt *m, const struct states_item *item, usec_t now)
{
    struct outbox_message *message = NULL;
    struct gateway_device device;

    if (gateway_find_device(m->gateway, item->address, &device) != 0) {
        states_withdraw(m->states, item->address, now);
        return true;
    }
    if (item->what != STATES_RSSI || device.rssi != item->rssi)
        message = make_state(m, item, &device);
    states_done(m->states, item, device.rssi, now);
    return !message || send_out(m, message);
}

/* Sends the most urgent message. False: there is none, or no room for it. */
static bool send_next(struct mqtt *m, usec_t now)
{
    struct states_item item;

    if (m->refused)
        return send_refused(m);
    if (outbox_first(&m->answers))
        return send_out(m, outbox_pop(&m->answers));
    if (m->wants_info)
        return send_info(m);
    if (m->proxies_due <= now)
        return send_proxies(m, now);
    if (outbox_first(&m->fresh))
        return send_out(m, outbox_pop(&m->fresh));
    if (states_next(m->states, now, &item))
        return item.what >= STATES_CLEAR_AVAILABILITY ? send_clearing(m, &item, now)
                                                      : send_device(m, &item, now);
    if (outbox_first(&m->events))
        return send_out(m, outbox_pop(&m->events));
    return false;
}

static usec_t next_due(const struct mqtt *m)
{
    usec_t due = states_deadline(m->states);

    if (outbox_first(&m->answers) || outbox_first(&m->fresh) || outbox_first(&m->events) ||
        m->wants_info)
        return 0;
    return due < m->proxies_due ? due : m->proxies_due;
}

static void on_pump_time(void *user);

/* What is due goes when this turn of the loop is over, with all else that the turn brings; what
 * becomes due later waits for the next turn that brings something, or a tick. */
static void arm(struct mqtt *m)
{
    usec_t now = gateway_now(m->gateway), due = next_due(m);
    usec_t earliest = due <= now ? m->pumped + PUMP_PAUSE : now + PUMP_TICK;

    if (due < earliest)
        due = earliest;
    if (due < now)
        due = now;
    if (due == USEC_NEVER || (m->pump_timer && m->pump_due <= due))
        return;
    gateway_timer_stop(m->pump_timer);
    m->pump_due = due;
    m->pump_timer = gateway_timer_start(m->gateway, due - now, on_pump_time, m);
}

static void pump(struct mqtt *m)
{
    usec_t now = gateway_now(m->gateway);

    if (!m->is_connected || !m->broker)
        return;
    for (int i = 0; i < PUMP_MESSAGES; i++) {
        if (!send_next(m, now))
            break;
    }
    m->pumped = now;
    if (!m->refused) /* else there will be room */
        arm(m);
}

static void on_pump_time(void *user)
{
    struct mqtt *m = user;

    m->pump_timer = NULL;
    m->pump_due = USEC_NEVER;
    pump(m);
}

static void wake_pump(struct mqtt *m)
{
    m->client.dropped = m->events.dropped + m->answers.dropped + m->advertisements_dropped;
    m->client.queued = m->events.count + m->answers.count;
    if (m->is_connected && !m->is_closing && !m->refused)
        arm(m);
}

/* ---- what the gateway tells ---- */

static void judge_device(struct mqtt *m, const struct gateway_device *device, usec_t now)
{
    char name[TOPICS_NAME_SIZE];

    if (!topics_is_published(config_of(m), device)) {
        states_withdraw(m->states, device->address, now);
        return;
    }
    topics_name(name, config_of(m), device);
    states_publish(m->states, device->address, name, now);
}

static void tell_device(struct mqtt *m, const struct gateway_device_change *change)
{
    unsigned reasons = change->device->is_noise ? 0 : change->reasons, reason;

    while ((reason = event_json_take_reason(&reasons)))
        outbox_push(&m->events,
                    bridge_device_event(m->base, device_texts_event(rest_device_texts(m->rest),
                                                                    m->gateway, change, reason)));
}

/* The text of an event holds the state: it is taken where the next pump could tell it. False: a
 * mark has to do, for later. */
static bool tell_state(struct mqtt *m, const struct gateway_device_change *change, usec_t now)
{
    const struct buffer *text;
    struct states_item item;

    if (!m->is_connected || m->refused || m->fresh.count >= FRESH_MAX ||
        !states_may_tell(m->states, change->device->address, now, &item))
        return false;
    text = device_texts_device(rest_device_texts(m->rest), m->gateway, change);
    outbox_push(&m->fresh, bridge_state(m->base, item.name, text));
    states_done(m->states, &item, change->device->rssi, now);
    return true;
}

/* A configured device that is forgotten stays listed, as never heard. */
static void mark_device(struct mqtt *m, const struct gateway_device_change *change, usec_t now)
{
    uint64_t address = change->device->address;

    if (change->reasons & GATEWAY_DEVICE_FORGOTTEN && !change->device->config)
        states_withdraw(m->states, address, now);
    else if (change->reasons & (GATEWAY_DEVICE_AVAILABILITY | GATEWAY_DEVICE_FORGOTTEN))
        states_availability_changed(m->states, address, now);
    else if (!tell_state(m, change, now))
        states_changed(m->states, address, now);
}

static void on_device(void *user, const struct gateway_device_change *change)
{
    struct mqtt *m = user;
    usec_t now = gateway_now(m->gateway);

    judge_device(m, change->device, now);
    if (states_is_published(m->states, change->device->address)) {
        tell_device(m, change);
        mark_device(m, change, now);
    }
    wake_pump(m);
}

static void on_proxy(void *user, enum gateway_proxy_reason reason, size_t proxy_index)
{
    struct mqtt *m = user;
    usec_t now = gateway_now(m->gateway), due = m->proxies_sent + PROXIES_INTERVAL;

    outbox_push(&m->events, bridge_proxy_event(m->base, m->gateway, reason, proxy_index));
    m->proxies_due = due > now ? due : now;
    wake_pump(m);
}

static void on_window(void *user, const struct gateway_window_change *change)
{
    struct mqtt *m = user;

    outbox_push(&m->events, bridge_window_event(m->base, m->gateway, change));
    wake_pump(m);
}

/* The state of a device tells of its link too. */
static void on_link(void *user, const struct gateway_link_change *change)
{
    struct mqtt *m = user;

    if (change->action)
        outbox_push(&m->events, bridge_connection_event(m->base, m->gateway, change));
    states_changed(m->states, change->address, gateway_now(m->gateway));
    wake_pump(m);
}

/* Somebody asked for it by name, so it is told of a device that is not published, too. */
static void on_value(void *user, const struct gateway_gatt_value *value)
{
    struct mqtt *m = user;
    const char *known = states_name(m->states, value->address);
    char name[TOPICS_NAME_SIZE];

    if (!value->uuid || !verbs_is_subscribed(m->gateway, value))
        return;
    topics_address_name(name, value->address);
    outbox_push(&m->events, bridge_notification(m->base, known ? known : name, value));
    wake_pump(m);
}

/* The raw stream goes past the lines: it is worth nothing later. */
static void on_hearing(void *user, const struct gateway_hearing *hearing)
{
    struct mqtt *m = user;
    const char *name = states_name(m->states, hearing->device->address);

    if (!name || !m->is_connected)
        return;
    if (m->refused || broker_in_flight(m->broker) >= ADVERTISEMENTS_WINDOW) {
        m->advertisements_dropped++;
        return;
    }
    (void) send_out(m, bridge_advertisement(m->base, name, m->gateway, hearing));
}

static void judge_all_devices(struct mqtt *m)
{
    usec_t now = gateway_now(m->gateway);
    struct gateway_device device;
    size_t position = 0;

    while (gateway_next_device(m->gateway, &position, &device))
        judge_device(m, &device, now);
}

static void on_configuration(void *user)
{
    struct mqtt *m = user;

    m->wants_info = true;
    judge_all_devices(m);
    wake_pump(m);
}

static void subscribe(struct mqtt *m)
{
    const struct gateway_subscriber subscriber = {
            .on_device = on_device,
            .on_hearing = config_of(m)->mqtt_advertisements ? on_hearing : NULL,
            .on_proxy = on_proxy,
            .on_window = on_window,
            .on_link = on_link,
            .on_value = on_value,
            .on_configuration = on_configuration,
            .user = m,
    };

    m->subscription = gateway_subscribe(m->gateway, &subscriber);
}

/* ---- health ---- */

static void on_health_time(void *user);

static void arm_health(struct mqtt *m)
{
    m->health_timer = gateway_timer_start(
            m->gateway, (usec_t) config_of(m)->mqtt_health_interval_s * USEC_PER_SEC,
            on_health_time, m);
}

static void queue_health(struct mqtt *m)
{
    usec_t now = gateway_now(m->gateway), span = now - m->health_time;
    uint64_t sent = m->client.messages - m->health_messages;
    struct gateway_statistics statistics;
    struct bridge_health health = {
            .messages_per_s = span > 0 ? (double) sent * USEC_PER_SEC / (double) span : 0,
            .in_flight = broker_in_flight(m->broker),
            .states = states_waiting_count(m->states),
            .events = m->events.count,
            .answers = m->answers.count,
            .requests = verbs_under_way(m->verbs),
    };

    gateway_get_statistics(m->gateway, &statistics);
    health.uptime_s = statistics.uptime / USEC_PER_SEC;
    health.memory_bytes = statistics.memory_bytes;
    m->health_time = now;
    m->health_messages = m->client.messages;
    outbox_push(&m->answers, bridge_health(m->base, &health));
}

static void on_health_time(void *user)
{
    struct mqtt *m = user;

    arm_health(m);
    if (!m->is_connected)
        return;
    queue_health(m);
    wake_pump(m);
}

/* ---- what the broker tells ---- */

static void republish(struct mqtt *m)
{
    usec_t now = gateway_now(m->gateway);

    m->wants_info = true;
    m->proxies_due = now;
    states_republish(m->states, now, REPUBLISH_SPREAD);
}

static void on_connected(struct mqtt *m)
{
    log_info("mqtt.connected", "broker=%s protocol=%s", m->broker_text,
             m->status.version == ATTEMPTS_5 ? "5" : "3.1.1");
    m->is_connected = true;
    outbox_message_free(TAKE(m->refused));
    republish(m);
    queue_health(m);
    pump(m);
}

static void on_disconnected(struct mqtt *m)
{
    m->is_connected = false;
    outbox_clear(&m->fresh); /* everything is due when it is back */
    gateway_timer_stop(TAKE(m->pump_timer));
}

/* Once for each cause: a broker that stays away is not news every minute. */
static void tell_failure(struct mqtt *m)
{
    if (strcmp(m->told_error, m->status.error) == 0)
        return;
    (void) snprintf(m->told_error, sizeof m->told_error, "%s", m->status.error);
    log_warning("mqtt.failed", "broker=%s error=\"%s\" trying again", m->broker_text,
                m->status.error);
}

static void on_broker_change(void *user)
{
    struct mqtt *m = user;
    bool is_connected;

    broker_get_status(m->broker, &m->status);
    is_connected = m->status.state == BROKER_CONNECTED;
    if (m->is_connected && (!is_connected || m->status.connections != m->connections)) {
        log_warning("mqtt.lost", "broker=%s error=\"%s\" connecting again", m->broker_text,
                    m->status.error);
        on_disconnected(m);
    } else if (!is_connected && m->status.error[0]) {
        tell_failure(m);
    }
    if (is_connected && m->status.connections != m->connections) {
        m->connections = m->status.connections;
        m->told_error[0] = '\0';
        on_connected(m);
    }
}

static void on_broker_room(void *user)
{
    pump(user);
}

/* A device of an earlier run, or one that is called otherwise now. */
static void adopt(struct mqtt *m, const char *topic)
{
    usec_t grace = (usec_t) config_of(m)->scan_ownership_stale_s * USEC_PER_SEC;
    char name[TOPICS_NAME_SIZE];

    if (!topics_read_availability(m->base, topic, name))
        return;
    states_adopt(m->states, name, m->started + grace);
    wake_pump(m);
}

static void on_broker_message(void *user, const struct broker_message *message)
{
    struct mqtt *m = user;

    if (verbs_request(m->verbs, message)) {
        m->requests++;
    } else if (m->home_status && strcmp(message->topic, m->home_status) == 0) {
        if (!message->is_retained && message->size == 6 &&
            memcmp(message->payload, "online", 6) == 0) {
            republish(m);
            wake_pump(m);
        }
    } else if (message->is_retained && message->size > 0) {
        adopt(m, message->topic);
    }
}

static void on_answer(void *user, struct outbox_message *answer)
{
    struct mqtt *m = user;

    outbox_push(&m->answers, answer);
    if (!m->is_closing && !m->refused)
        pump(m); /* somebody waits */
}

/* ---- figures ---- */

static double read_connected(void *user)
{
    return ((const struct mqtt *) user)->is_connected;
}

static double read_connections(void *user)
{
    return (double) ((const struct mqtt *) user)->connections;
}

static double read_messages(void *user)
{
    return (double) ((const struct mqtt *) user)->client.messages;
}

static double read_events_dropped(void *user)
{
    return (double) ((const struct mqtt *) user)->events.dropped;
}

static double read_advertisements_dropped(void *user)
{
    return (double) ((const struct mqtt *) user)->advertisements_dropped;
}

static double read_requests(void *user)
{
    return (double) ((const struct mqtt *) user)->requests;
}

static double read_devices(void *user)
{
    return (double) states_count(((const struct mqtt *) user)->states);
}

static const struct {
    const char *name;
    enum metric_type type;
    const char *help;
    double (*read)(void *user);
} figures[] = {
        {METRICS_PREFIX "mqtt_connected", METRIC_GAUGE, "1 while the broker has us",
         read_connected},
        {METRICS_PREFIX "mqtt_connections_total", METRIC_COUNTER, "Connections to the broker",
         read_connections},
        {METRICS_PREFIX "mqtt_messages_sent_total", METRIC_COUNTER,
         "Messages handed over to the broker", read_messages},
        {METRICS_PREFIX "mqtt_events_dropped_total", METRIC_COUNTER,
         "Events and log lines that went because their line was full", read_events_dropped},
        {METRICS_PREFIX "mqtt_advertisements_dropped_total", METRIC_COUNTER,
         "Packets of the raw stream that were not sent", read_advertisements_dropped},
        {METRICS_PREFIX "mqtt_requests_total", METRIC_COUNTER, "Requests that came over MQTT",
         read_requests},
        {METRICS_PREFIX "mqtt_devices", METRIC_GAUGE, "Devices that are published", read_devices},
};

/* ---- life ---- */

static enum attempts_version version_of(const struct config *c)
{
    if (strcmp(c->mqtt_protocol, "5") == 0)
        return ATTEMPTS_5;
    return strcmp(c->mqtt_protocol, "3.1.1") == 0 ? ATTEMPTS_3_1_1 : ATTEMPTS_ANY;
}

static enum rest_role role_of(const struct config *c)
{
    for (enum rest_role role = REST_ROLE_ADMIN; role > REST_ROLE_NONE; role--) {
        if (strcmp(c->mqtt_role, rest_role_name(role)) == 0)
            return role;
    }
    return REST_ROLE_READ;
}

static int open_broker(struct mqtt *m, struct uv_loop_s *loop, const char *client_id)
{
    const struct broker_callbacks callbacks = {on_broker_change, on_broker_message, on_broker_room,
                                               m};
    const struct config *c = config_of(m);
    char *presence AUTO_FREE = topics_join(c->mqtt_base_topic, "bridge/state", NULL);
    char *requests AUTO_FREE = topics_join(c->mqtt_base_topic, "bridge/request/#", NULL);
    char *availabilities AUTO_FREE = topics_join(c->mqtt_base_topic, "+/availability", NULL);
    const struct broker_settings settings = {
            .host = c->mqtt_host,
            .port = (unsigned) c->mqtt_port,
            .client_id = client_id,
            .username = c->mqtt_username,
            .password = c->mqtt_password,
            .version = version_of(c),
            .keepalive_s = (unsigned) c->mqtt_keepalive_s,
            .has_tls = c->mqtt_tls_enabled,
            .ca = c->mqtt_tls_ca,
            .certificate = c->mqtt_tls_cert,
            .key = c->mqtt_tls_key,
            .presence_topic = presence,
            .online = "{\"state\":\"online\"}",
            .offline = "{\"state\":\"offline\"}",
            .filters = {requests, availabilities, m->home_status},
            .message_max = (size_t) c->limits_body_bytes,
    };

    return broker_new(loop, &settings, &callbacks, &m->broker);
}

static struct states *make_states(const struct config *c)
{
    const struct states_settings settings = {
            .min_interval = (usec_t) (c->mqtt_min_interval_s * (double) USEC_PER_SEC),
            .rssi_interval = (usec_t) (c->mqtt_rssi_interval_s * (double) USEC_PER_SEC),
            .graves_max = (size_t) c->limits_devices,
    };

    return states_new(&settings);
}

static void get_status(void *user, struct info_json_mqtt *ret_mqtt)
{
    mqtt_get_status(user, ret_mqtt);
}

/* GET /clients, /metrics, /info and /readyz tell of us. */
static void register_with_rest(struct mqtt *m)
{
    struct metrics *metrics = rest_metrics(m->rest);

    m->client.kind = CLIENT_MQTT;
    client_set_name(&m->client, "mqtt");
    (void) snprintf(m->client.remote, sizeof m->client.remote, "%.60s:%u", config_of(m)->mqtt_host,
                    (unsigned) (uint16_t) config_of(m)->mqtt_port);
    m->client.since = m->started;
    clients_add(rest_clients(m->rest), &m->client);
    rest_set_mqtt(m->rest, get_status, m);
    for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
        metrics_register(metrics, figures[i].name, figures[i].type, figures[i].help,
                         figures[i].read, m);
}

static struct mqtt *make(struct gateway *g, struct rest *rest, const struct mqtt_texts *texts)
{
    struct mqtt *m = xnew(struct mqtt, 1);
    const struct config *c = gateway_config(g);

    m->gateway = g;
    m->rest = rest;
    m->base = memory_copy_text(c->mqtt_base_topic);
    if (texts)
        m->texts = *texts;
    m->started = m->health_time = gateway_now(g);
    m->pump_due = m->proxies_due = USEC_NEVER;
    m->answers = (struct outbox){.count_max = ANSWERS_MAX, .bytes_max = ANSWERS_BYTES};
    m->fresh = (struct outbox){.count_max = FRESH_MAX, .bytes_max = SIZE_MAX};
    m->events = (struct outbox){.count_max = EVENTS_MAX, .bytes_max = EVENTS_BYTES};
    if (c->mqtt_homeassistant_enabled)
        m->home_status = topics_join(c->mqtt_homeassistant_prefix, "status", NULL);
    (void) snprintf(m->broker_text, sizeof m->broker_text, "%s://%s:%u",
                    c->mqtt_tls_enabled ? "mqtts" : "mqtt", c->mqtt_host,
                    (unsigned) (uint16_t) c->mqtt_port);
    m->states = make_states(c);
    m->verbs = verbs_new(rest, c->mqtt_base_topic, role_of(c), on_answer, m);
    return m;
}

int mqtt_new(struct uv_loop_s *loop, struct gateway *g, struct rest *rest, const char *client_id,
             const struct mqtt_texts *texts, struct mqtt **ret_mqtt)
{
    struct mqtt *m = make(g, rest, texts);
    int rc = open_broker(m, loop, client_id);

    if (rc < 0) {
        mqtt_free(m);
        return rc;
    }
    register_with_rest(m);
    judge_all_devices(m);
    subscribe(m);
    arm_health(m);
    *ret_mqtt = m;
    return 0;
}

void mqtt_get_status(const struct mqtt *m, struct info_json_mqtt *ret_status)
{
    static const char *const states[] = {
            [BROKER_CONNECTING] = "connecting",
            [BROKER_CONNECTED] = "connected",
            [BROKER_WAITING] = "waiting_retry",
            [BROKER_FAILED] = "failed",
    };
    const char *protocol = m->status.version == ATTEMPTS_5 ? "5" : "3.1.1";

    *ret_status = (struct info_json_mqtt){
            .state = states[m->status.state],
            .broker = m->broker_text,
            .protocol = m->status.version == ATTEMPTS_ANY ? NULL : protocol,
            .last_error = m->status.error[0] ? m->status.error : NULL,
            .is_connected = m->is_connected,
    };
}

void mqtt_log(struct mqtt *m, const struct event_log_line *line)
{
    if (m->is_closing)
        return;
    outbox_push(&m->events, bridge_log(m->base, line));
    wake_pump(m);
}

static void on_broker_closed(void *user)
{
    struct mqtt *m = user;

    m->broker = NULL;
    m->on_closed(m->closed_user);
}

void mqtt_close(struct mqtt *m, void (*on_closed)(void *user), void *user)
{
    if (m->is_closing)
        return;
    m->is_closing = true;
    m->on_closed = on_closed;
    m->closed_user = user;
    gateway_timer_stop(TAKE(m->retire_timer));
    gateway_unsubscribe(TAKE(m->subscription));
    verbs_stop(m->verbs);
    pump(m);
    gateway_timer_stop(TAKE(m->pump_timer));
    gateway_timer_stop(TAKE(m->health_timer));
    clients_remove(rest_clients(m->rest), &m->client);
    rest_set_mqtt(m->rest, NULL, NULL);
    metrics_unregister(rest_metrics(m->rest), m);
    broker_close(m->broker, on_broker_closed, m);
}

static void on_retire_time(void *user);

/* Looks again after a while: what is sent and what comes back are many small steps. */
static void retire(struct mqtt *m)
{
    bool is_done = !m->refused && !outbox_first(&m->answers) && states_graves_count(m->states) == 0;

    if (is_done || !m->is_connected || gateway_now(m->gateway) >= m->retire_until)
        mqtt_close(m, m->on_closed, m->closed_user);
    else
        m->retire_timer = gateway_timer_start(m->gateway, RETIRE_LOOK, on_retire_time, m);
}

static void on_retire_time(void *user)
{
    struct mqtt *m = user;

    m->retire_timer = NULL;
    retire(m);
}

void mqtt_retire(struct mqtt *m, void (*on_closed)(void *user), void *user)
{
    static const char *const retained[] = {"bridge/info", "bridge/proxies", "bridge/health"};
    usec_t now = gateway_now(m->gateway);

    m->on_closed = on_closed;
    m->closed_user = user;
    m->retire_until = now + RETIRE_MAX;
    gateway_unsubscribe(TAKE(m->subscription));
    gateway_timer_stop(TAKE(m->health_timer));
    verbs_stop(m->verbs);
    m->wants_info = false;
    m->proxies_due = USEC_NEVER;
    for (size_t i = 0; i < ARRAY_SIZE(retained); i++)
        outbox_push(&m->answers, bridge_clear(m->base, retained[i]));
    states_clear_all(m->states, now);
    wake_pump(m);
    retire(m);
}

void mqtt_free(struct mqtt *m)
{
    if (!m)
        return;
    verbs_free(m->verbs);
    states_free(m->states);
    outbox_clear(&m->answers);
    outbox_clear(&m->fresh);
    outbox_clear(&m->events);
    outbox_message_free(m->refused);
    free(m->home_status);
    free(m->base);
    free(m);
}
