#include "event_json.h"

#include <assert.h>
#include <math.h>

#include "base/memory.h"
#include "json/connection_json.h"
#include "json/device_json.h"
#include "json/packet_json.h"
#include "json/proxy_json.h"
#include "json/scan_json.h"

/* In the order in which they are told. */
static const struct {
    unsigned reason;
    const char *token;
} device_reasons[] = {
        {GATEWAY_DEVICE_FIRST_SEEN, "first_seen"}, {GATEWAY_DEVICE_PAYLOAD, "payload"},
        {GATEWAY_DEVICE_OWNER, "owner"},           {GATEWAY_DEVICE_AVAILABILITY, "availability"},
        {GATEWAY_DEVICE_SETTINGS, "settings"},     {GATEWAY_DEVICE_FORGOTTEN, "forgotten"},
};

static const char *device_reason_token(unsigned reason)
{
    for (size_t i = 0; i < ARRAY_SIZE(device_reasons); i++) {
        if (device_reasons[i].reason == reason)
            return device_reasons[i].token;
    }
    assert(false && "a reason that is one bit of the enumeration");
    return NULL;
}

static const char *proxy_reason_token(enum gateway_proxy_reason reason)
{
    switch (reason) {
    case GATEWAY_PROXY_ADDED:
        return "added";
    case GATEWAY_PROXY_REMOVED:
        return "removed";
    case GATEWAY_PROXY_RENAMED:
        return "renamed";
    case GATEWAY_PROXY_STATE:
        return "state";
    case GATEWAY_PROXY_SCANNER:
        return "scanner";
    case GATEWAY_PROXY_SLOTS:
        return "slots";
    case GATEWAY_PROXY_ADVISORY:
        return "advisory";
    case GATEWAY_PROXY_SETTINGS:
        return "settings";
    }
    return NULL;
}

static void write_owner(struct writer *w, const struct gateway_owner_change *owner)
{
    if (!owner || !owner->to) {
        writer_null(w, "owner");
        return;
    }
    writer_begin_object(w, "owner");
    writer_text(w, "from", owner->from);
    writer_text(w, "to", owner->to);
    writer_text(w, "why", owner->why);
    writer_number(w, "rssi_from", owner->rssi_from, 1);
    writer_number(w, "rssi_to", owner->rssi_to, 1);
    writer_end_object(w);
}

/* Begins the object; the device follows. */
static void begin_device(struct writer *w, const char *key, const struct gateway *g, usec_t time,
                         const char *reason, const struct gateway_owner_change *owner)
{
    writer_begin_object(w, key);
    writer_time(w, "time", gateway_wall(g, time));
    writer_text(w, "reason", reason);
    write_owner(w, owner);
}

unsigned event_json_take_reason(unsigned *reasons)
{
    for (size_t i = 0; i < ARRAY_SIZE(device_reasons); i++) {
        unsigned reason = device_reasons[i].reason;

        if (*reasons & reason) {
            *reasons &= ~reason;
            return reason;
        }
    }
    return 0;
}

void event_json_write_device(struct writer *w, const char *key, const struct gateway *g,
                             const struct gateway_device_change *change, unsigned reason,
                             const struct writer *device)
{
    begin_device(w, key, g, change->time, device_reason_token(reason),
                 reason == GATEWAY_DEVICE_OWNER ? change->owner : NULL);
    writer_json(w, "device", (const char *) buffer_front(&device->text),
                buffer_size(&device->text));
    writer_end_object(w);
}

void event_json_write_snapshot(struct writer *w, const char *key, const struct gateway *g,
                               const struct gateway_device *device)
{
    begin_device(w, key, g, gateway_now(g), "snapshot", /* owner= */ NULL);
    device_json_write(w, "device", g, device);
    writer_end_object(w);
}

void event_json_write_proxy(struct writer *w, const char *key, const struct gateway *g,
                            enum gateway_proxy_reason reason, size_t proxy_index)
{
    struct gateway_proxy proxy;

    gateway_get_proxy(g, proxy_index, &proxy);
    writer_begin_object(w, key);
    writer_time(w, "time", gateway_wall(g, gateway_now(g)));
    writer_text(w, "reason", proxy_reason_token(reason));
    proxy_json_write(w, "proxy", g, &proxy);
    writer_end_object(w);
}

void event_json_write_window(struct writer *w, const char *key, const struct gateway *g,
                             const struct gateway_window_change *change)
{
    writer_begin_object(w, key);
    writer_time(w, "time", gateway_wall(g, change->time));
    writer_text(w, "action", change->action);
    scan_json_write_window(w, "window", g, change->window);
    writer_end_object(w);
}

void event_json_write_connection(struct writer *w, const char *key, const struct gateway *g,
                                 const struct gateway_link_change *change)
{
    assert(change->action);
    writer_begin_object(w, key);
    writer_time(w, "time", gateway_wall(g, change->time));
    writer_text(w, "action", change->action);
    writer_address(w, "address", change->address);
    writer_text(w, "proxy", change->proxy);
    writer_text(w, "from", change->from);
    writer_text(w, "code", change->code ? error_token(change->code) : NULL);
    connection_json_write_reason(w, "reason", change->has_reason, change->reason,
                                 change->reason_name);
    connection_json_write(w, "connection", g, change->address);
    writer_end_object(w);
}

void event_json_write_notification(struct writer *w, const char *key, const struct gateway *g,
                                   const struct gateway_gatt_value *value)
{
    writer_begin_object(w, key);
    writer_time(w, "time", gateway_wall(g, value->time));
    writer_address(w, "address", value->address);
    if (value->uuid)
        packet_json_write_uuid(w, "characteristic", value->uuid);
    else
        writer_null(w, "characteristic");
    writer_unsigned(w, "handle", value->handle);
    writer_hex(w, "value", value->value.data, value->value.size);
    writer_text(w, "proxy", value->proxy ? value->proxy : "unknown");
    writer_unsigned(w, "counter", value->counter);
    writer_end_object(w);
}

void event_json_write_advertisement(struct writer *w, const char *key, const struct gateway *g,
                                    const struct gateway_hearing *hearing)
{
    struct advertising_data ad;

    advertising_data_parse(&ad, hearing->data, hearing->size);
    writer_begin_object(w, key);
    writer_time(w, "time", gateway_wall(g, hearing->time));
    writer_address(w, "address", hearing->device->address);
    writer_text(w, "address_type", hearing->device->address_type);
    writer_text(w, "proxy", hearing->proxy);
    writer_bool(w, "owner", hearing->is_owner);
    packet_json_write_rssi(w, hearing->rssi);
    packet_json_write_raw(w, hearing->is_parsed, hearing->data, hearing->size);
    packet_json_write_content(w, &ad);
    writer_end_object(w);
}

bool event_json_has_rssi(const struct gateway_hearing *hearing)
{
    return packet_json_has_rssi(hearing->rssi);
}

void event_json_write_rssi(struct writer *w, const char *key, const struct gateway *g,
                           const struct gateway_hearing *hearing)
{
    bool is_smoothed = isfinite(hearing->rssi_smoothed);

    assert(event_json_has_rssi(hearing));
    writer_begin_object(w, key);
    writer_time(w, "time", gateway_wall(g, hearing->time));
    writer_address(w, "address", hearing->device->address);
    writer_text(w, "proxy", hearing->proxy);
    packet_json_write_rssi(w, hearing->rssi);
    writer_number(w, "rssi_smoothed", is_smoothed ? hearing->rssi_smoothed : hearing->rssi, 1);
    writer_bool(w, "owner", hearing->is_owner);
    writer_end_object(w);
}

void event_json_write_log(struct writer *w, const char *key, const struct event_log_line *line)
{
    writer_begin_object(w, key);
    writer_time(w, "time", line->wall);
    writer_text(w, "level", line->level);
    writer_text(w, "module", line->module);
    writer_text(w, "message", line->message);
    writer_begin_object(w, "fields");
    for (size_t i = 0; i < line->fields_count; i++)
        writer_text(w, line->fields[i].name, line->fields[i].value);
    writer_end_object(w);
    writer_end_object(w);
}

void event_json_write_ready(struct writer *w, const char *key, size_t devices)
{
    writer_begin_object(w, key);
    writer_unsigned(w, "devices", devices);
    writer_end_object(w);
}

void event_json_write_reset(struct writer *w, const char *key, const char *reason,
                            const char *oldest)
{
    writer_begin_object(w, key);
    writer_text(w, "reason", reason);
    writer_text(w, "oldest", oldest);
    writer_end_object(w);
}

void event_json_write_dropped(struct writer *w, const char *key, uint64_t count, uint64_t total)
{
    writer_begin_object(w, key);
    writer_unsigned(w, "count", count);
    writer_unsigned(w, "total", total);
    writer_end_object(w);
}
