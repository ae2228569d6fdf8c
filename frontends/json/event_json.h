/* The data objects of events, one function for each event of the contract. They are the same over
 * every face. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/gateway.h"
#include "json/writer.h"

/* A change may have several reasons; each is an event of its own. Takes the next one out of
 * *reasons (bits of enum gateway_device_reason) in the order first_seen, payload, owner,
 * availability, forgotten; 0: none is left. */
unsigned event_json_take_reason(unsigned *reasons);

/* Schema DeviceEvent of one reason. device: what device_json_write() wrote of the change's device,
 * without a key. */
void event_json_write_device(struct writer *w, const char *key, const struct gateway *g,
                             const struct gateway_device_change *change, unsigned reason,
                             const struct writer *device);

/* The same with reason snapshot: the device as it is now. */
void event_json_write_snapshot(struct writer *w, const char *key, const struct gateway *g,
                               const struct gateway_device *device);

/* Schema ProxyEvent: the proxy as it is now. */
void event_json_write_proxy(struct writer *w, const char *key, const struct gateway *g,
                            enum gateway_proxy_reason reason, size_t proxy_index);

/* Schema ScanWindowEvent. */
void event_json_write_window(struct writer *w, const char *key, const struct gateway *g,
                             const struct gateway_window_change *change);

/* Schema ConnectionEvent, with the link as it is now. Only of a change that has an action. */
void event_json_write_connection(struct writer *w, const char *key, const struct gateway *g,
                                 const struct gateway_link_change *change);

/* Schema NotificationEvent. */
void event_json_write_notification(struct writer *w, const char *key, const struct gateway *g,
                                   const struct gateway_gatt_value *value);

/* Schema AdvertisementEvent: this packet alone. */
void event_json_write_advertisement(struct writer *w, const char *key, const struct gateway *g,
                                    const struct gateway_hearing *hearing);

/* Schema RssiEvent. Only of a hearing that has one. */
bool event_json_has_rssi(const struct gateway_hearing *hearing);
void event_json_write_rssi(struct writer *w, const char *key, const struct gateway *g,
                           const struct gateway_hearing *hearing);

struct event_log_field {
    const char *name; /* plain ASCII */
    const char *value;
};

struct event_log_line {
    int64_t wall;       /* microseconds since 1970 */
    const char *level;  /* "error", "warning", "info", "debug" */
    const char *module; /* "proxy" */
    const char *message;
    const struct event_log_field *fields;
    size_t fields_count;
};

/* Schema LogLine. */
void event_json_write_log(struct writer *w, const char *key, const struct event_log_line *line);

/* Schemas ReadyEvent, ResetEvent (oldest NULL: nothing can be replayed), DroppedEvent. */
void event_json_write_ready(struct writer *w, const char *key, size_t devices);
void event_json_write_reset(struct writer *w, const char *key, const char *reason,
                            const char *oldest);
void event_json_write_dropped(struct writer *w, const char *key, uint64_t count, uint64_t total);
