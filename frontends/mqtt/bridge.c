#include "bridge.h"

#include <string.h>

#include "mqtt/topics.h"
#include "json/proxy_json.h"

#define ONLINE  "{\"state\":\"online\"}"
#define OFFLINE "{\"state\":\"offline\"}"

#define EVENT_ROOM 64 /* octets around the data of an event */

static struct outbox_message *make(char *topic, struct writer *w, unsigned qos, bool is_retained)
{
    size_t size = buffer_size(&w->text);
    struct outbox_message *m = outbox_message_new(topic, buffer_take_text(&w->text), size);

    m->qos = (uint8_t) qos;
    m->is_retained = is_retained;
    return m;
}

static struct outbox_message *make_text(char *topic, const char *text, unsigned qos)
{
    struct writer w = {0};

    buffer_append_text(&w.text, text);
    return make(topic, &w, qos, true);
}

/* ---- the gateway ---- */

struct outbox_message *bridge_info(const char *base, const struct gateway *g,
                                   const struct info_json_mqtt *mqtt, const char *config,
                                   const char *schema)
{
    struct writer w = {0};

    info_json_write(&w, NULL, g, mqtt);
    w.text.end--; /* reopens the object for the two more fields of this topic */
    w.needs_comma = true;
    writer_json(&w, "config", config ? config : "null", config ? strlen(config) : 4);
    writer_json(&w, "config_schema", schema ? schema : "null", schema ? strlen(schema) : 4);
    writer_end_object(&w);
    return make(topics_join(base, "bridge/info", NULL), &w, 0, true);
}

struct outbox_message *bridge_proxies(const char *base, const struct gateway *g)
{
    struct writer w = {0};

    writer_begin_array(&w, NULL);
    for (size_t i = 0; i < gateway_proxies_count(g); i++) {
        struct gateway_proxy proxy;

        gateway_get_proxy(g, i, &proxy);
        proxy_json_write(&w, NULL, g, &proxy);
    }
    writer_end_array(&w);
    return make(topics_join(base, "bridge/proxies", NULL), &w, 0, true);
}

struct outbox_message *bridge_health(const char *base, const struct bridge_health *health)
{
    struct writer w = {0};

    writer_begin_object(&w, NULL);
    writer_unsigned(&w, "uptime_s", health->uptime_s);
    writer_unsigned(&w, "memory_bytes", health->memory_bytes);
    writer_begin_object(&w, "queues");
    writer_unsigned(&w, "in_flight", health->in_flight);
    writer_unsigned(&w, "states", health->states);
    writer_unsigned(&w, "events", health->events);
    writer_unsigned(&w, "answers", health->answers);
    writer_unsigned(&w, "requests", health->requests);
    writer_end_object(&w);
    writer_number(&w, "messages_per_s", health->messages_per_s, 1);
    writer_end_object(&w);
    return make(topics_join(base, "bridge/health", NULL), &w, 0, true);
}

/* ---- what happens ---- */

static void begin_event(struct writer *w, const char *type)
{
    writer_begin_object(w, NULL);
    writer_text(w, "type", type);
}

static struct outbox_message *end_event(const char *base, struct writer *w)
{
    writer_end_object(w);
    return make(topics_join(base, "bridge/event", NULL), w, 0, false);
}

struct outbox_message *bridge_device_event(const char *base, const struct buffer *event)
{
    struct writer w = {0};

    (void) buffer_reserve(&w.text, buffer_size(event) + EVENT_ROOM);
    begin_event(&w, "device");
    writer_json(&w, "data", (const char *) buffer_front(event), buffer_size(event));
    return end_event(base, &w);
}

struct outbox_message *bridge_proxy_event(const char *base, const struct gateway *g,
                                          enum gateway_proxy_reason reason, size_t proxy_index)
{
    struct writer w = {0};

    begin_event(&w, "proxy");
    event_json_write_proxy(&w, "data", g, reason, proxy_index);
    return end_event(base, &w);
}

struct outbox_message *bridge_window_event(const char *base, const struct gateway *g,
                                           const struct gateway_window_change *change)
{
    struct writer w = {0};

    begin_event(&w, "scan_window");
    event_json_write_window(&w, "data", g, change);
    return end_event(base, &w);
}

struct outbox_message *bridge_connection_event(const char *base, const struct gateway *g,
                                               const struct gateway_link_change *change)
{
    struct writer w = {0};

    begin_event(&w, "connection");
    event_json_write_connection(&w, "data", g, change);
    return end_event(base, &w);
}

struct outbox_message *bridge_log(const char *base, const struct event_log_line *line)
{
    struct writer w = {0};

    event_json_write_log(&w, NULL, line);
    return make(topics_join(base, "bridge/logging", NULL), &w, 0, false);
}

/* ---- devices ---- */

struct outbox_message *bridge_state(const char *base, const char *name, const struct buffer *device)
{
    struct writer w = {0};

    (void) buffer_reserve(&w.text, buffer_size(device) + 1); /* and the end of the text */
    buffer_append(&w.text, buffer_front(device), buffer_size(device));
    return make(topics_join(base, name, NULL), &w, 0, true);
}

struct outbox_message *bridge_availability(const char *base, const char *name, bool is_available)
{
    return make_text(topics_join(base, name, "availability"), is_available ? ONLINE : OFFLINE, 1);
}

struct outbox_message *bridge_advertisement(const char *base, const char *name,
                                            const struct gateway *g,
                                            const struct gateway_hearing *hearing)
{
    struct writer w = {0};

    event_json_write_advertisement(&w, NULL, g, hearing);
    return make(topics_join(base, "advertisements", name), &w, 0, false);
}

struct outbox_message *bridge_notification(const char *base, const char *name,
                                           const struct gateway_gatt_value *value)
{
    char below[sizeof "notify/" + BLE_UUID_TEXT_SIZE] = "notify/";
    struct writer w = {0};

    ble_uuid_format(below + strlen(below), value->uuid);
    writer_begin_object(&w, NULL);
    writer_hex(&w, "value", value->value.data, value->value.size);
    writer_unsigned(&w, "handle", value->handle);
    writer_unsigned(&w, "counter", value->counter);
    writer_end_object(&w);
    return make(topics_join(base, name, below), &w, 0, false);
}

struct outbox_message *bridge_clear_state(const char *base, const char *name)
{
    return make_text(topics_join(base, name, NULL), "", 0);
}

struct outbox_message *bridge_clear_availability(const char *base, const char *name)
{
    return make_text(topics_join(base, name, "availability"), "", 1);
}

struct outbox_message *bridge_clear(const char *base, const char *below)
{
    return make_text(topics_join(base, below, NULL), "", 0);
}
