/* The payloads of our topics, written from what the gateway knows at this moment. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "mqtt/outbox.h"
#include "json/event_json.h"
#include "json/info_json.h"

struct bridge_health {
    uint64_t uptime_s, memory_bytes;
    double messages_per_s;
    size_t in_flight, states, events, answers, requests; /* what waits where */
};

/* Each gives a message with topic, payload, QoS and retention as the contract has them. base is
 * mqtt.base_topic, name the level of a device. */

/* config and schema: JSON texts, or NULL while there are none. */
struct outbox_message *bridge_info(const char *base, const struct gateway *g,
                                   const struct info_json_mqtt *mqtt, const char *config,
                                   const char *schema);
struct outbox_message *bridge_proxies(const char *base, const struct gateway *g);
struct outbox_message *bridge_health(const char *base, const struct bridge_health *health);

/* event: what event_json_write_device() wrote. */
struct outbox_message *bridge_device_event(const char *base, const struct buffer *event);
struct outbox_message *bridge_proxy_event(const char *base, const struct gateway *g,
                                          enum gateway_proxy_reason reason, size_t proxy_index);
struct outbox_message *bridge_window_event(const char *base, const struct gateway *g,
                                           const struct gateway_window_change *change);
/* Only of a change that has an action. */
struct outbox_message *bridge_connection_event(const char *base, const struct gateway *g,
                                               const struct gateway_link_change *change);
struct outbox_message *bridge_log(const char *base, const struct event_log_line *line);

/* device: what device_json_write() wrote. */
struct outbox_message *bridge_state(const char *base, const char *name,
                                    const struct buffer *device);
struct outbox_message *bridge_availability(const char *base, const char *name, bool is_available);
struct outbox_message *bridge_advertisement(const char *base, const char *name,
                                            const struct gateway *g,
                                            const struct gateway_hearing *hearing);

/* value: of a subscription that was made over MQTT. */
struct outbox_message *bridge_notification(const char *base, const char *name,
                                           const struct gateway_gatt_value *value);

/* Empty payloads that make the broker forget. */
struct outbox_message *bridge_clear_state(const char *base, const char *name);
struct outbox_message *bridge_clear_availability(const char *base, const char *name);
/* below: "bridge/info". */
struct outbox_message *bridge_clear(const char *base, const char *below);
