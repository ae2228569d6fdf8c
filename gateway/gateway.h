/* The facade: the only door through which frontends see the gateway.
 *
 * Queries give plain values that borrow from the gateway and are valid until the caller returns to
 * the loop. Changes come to subscribers as they happen. Commands are refused with a cause or
 * carried out. Everything here belongs to the loop's thread; nothing here blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "ble/address.h"
#include "ble/advertising_data.h"
#include "ble/uuid.h"
#include "config/config.h"

struct uv_loop_s;
struct gateway;

/* ---- life ---- */

/* Starts conversations with all enabled proxies of the configuration, which must outlive it. */
struct gateway *gateway_new(struct uv_loop_s *loop, const struct config *config);

/* Says goodbye to all proxies and closes everything, in under 3 s; then on_closed, then free it. */
void gateway_close(struct gateway *g, void (*on_closed)(void *user), void *user);
void gateway_free(struct gateway *g); /* after on_closed only; accepts NULL */

/* ---- time ---- */

/* The moment of this turn of the loop, and its wall clock for a monotonic moment. */
usec_t gateway_now(const struct gateway *g);
int64_t gateway_wall(const struct gateway *g, usec_t moment);

/* Calls back once after the delay (0: in the next turn of the loop). The timer is gone when the
 * callback begins; stopping one earlier releases it. NULL may be stopped. */
struct gateway_timer;
struct gateway_timer *gateway_timer_start(struct gateway *g, usec_t delay,
                                          void (*on_time)(void *user), void *user);
void gateway_timer_stop(struct gateway_timer *timer);

/* ---- what runs here ---- */

struct gateway_info {
    usec_t started;
    size_t proxies, proxies_online, devices;
    double advertisements_per_s; /* over the last seconds */
    size_t memory_table_bytes;
};
void gateway_get_info(const struct gateway *g, struct gateway_info *ret_info);
const struct config *gateway_config(const struct gateway *g);

/* ---- proxies ---- */

struct gateway_error { /* code 0: none */
    int code;
    const char *detail;
    usec_t time;
};

struct gateway_proxy {
    size_t index; /* its place in the configuration; the source number of its packets */
    const struct config_proxy *config;
    const char *state; /* token of the contract: "online", "waiting_retry" … */
    bool is_online;
    usec_t since; /* in this state */
    struct gateway_error last_error;
    usec_t retry_at; /* 0: not waiting */
    bool has_mac, has_bluetooth_mac;
    uint64_t mac, bluetooth_mac;
    const char *model, *esphome_version; /* NULL: not told yet */
    uint32_t api_major, api_minor;       /* 0, 0: not told yet */
    uint32_t features;                   /* bits of gateway_feature_name() */
    const char *scanner_mode;            /* "passive", "active"; NULL: unknown */
    const char *scanner_state;           /* "running" …; "unknown" */
    bool has_slots;                      /* limit and free are known */
    uint32_t slots_limit, slots_free;
    const uint64_t *slots_allocated;
    const usec_t *slots_since; /* when each of them was first seen */
    size_t slots_allocated_count;
    size_t devices; /* heard in the last 195 s */
    double advertisements_per_s;
    uint64_t advertisements_total;
    usec_t last_advertisement; /* 0: none yet */
    usec_t round_trip;         /* 0: not measured */
};

size_t gateway_proxies_count(const struct gateway *g);
/* index below the count, in order of the configuration. */
void gateway_get_proxy(const struct gateway *g, size_t index, struct gateway_proxy *ret_proxy);
/* 0 or E_PROXY_NOT_FOUND. */
int gateway_find_proxy(const struct gateway *g, const char *name, size_t *ret_index);
/* "passive_scan", … for bit 0..7; NULL beyond. */
const char *gateway_feature_name(unsigned bit);
/* Drops the conversation and starts a new one at once. E_CONFLICT for a disabled proxy. */
int gateway_reconnect_proxy(struct gateway *g, size_t index);

/* ---- devices ---- */

struct device; /* a row of the table */

struct gateway_device {
    const struct device *row;           /* NULL: configured, never heard (or forgotten) */
    const struct config_device *config; /* NULL: not configured */
    uint64_t address;
    const char *address_type;
    const char *name; /* UTF-8, name_size octets, NULL: none; NUL-terminated as well */
    size_t name_size;
    int rssi;             /* of the owner; 0: unknown */
    double rssi_smoothed; /* NAN: unknown */
    const char *proxy;    /* the owner; NULL: none */
    const char *area;     /* configured one, else its owner's; NULL: none */
    bool has_tx_power;
    int tx_power;
    usec_t first_seen, last_seen; /* 0: never */
    usec_t interval;              /* 0: not known */
    bool is_available;
};

struct gateway_element { /* one element of the merged view */
    uint8_t type;
    const char *proxy; /* heard last by; NULL: a proxy that is gone */
    usec_t last_seen;
    bool has_company, has_uuid;
    uint16_t company;
    struct ble_uuid uuid;
    const uint8_t *data; /* behind the key */
    size_t size;
};

struct gateway_packet { /* the last packet alone */
    usec_t time;
    const char *proxy;
    int rssi;
    bool is_parsed;      /* the proxy sends no raw packets: raw is null in the contract */
    const uint8_t *data; /* AD structures in either case */
    size_t size;
};

struct gateway_source {
    const char *proxy;
    int rssi;             /* 0: unknown */
    double rssi_smoothed; /* NAN: unknown */
    usec_t last_seen;
    uint64_t advertisements;
    bool is_owner;
};

size_t gateway_devices_count(const struct gateway *g); /* heard, or configured */
/* 0 or E_DEVICE_NOT_FOUND. */
int gateway_find_device(const struct gateway *g, uint64_t address,
                        struct gateway_device *ret_device);
/* All of them in no particular order: *position = 0 to begin; false at the end. */
bool gateway_next_device(const struct gateway *g, size_t *position,
                         struct gateway_device *ret_device);
/* index from 0; false at the end. */
bool gateway_get_element(const struct gateway *g, const struct gateway_device *d, size_t index,
                         struct gateway_element *ret_element);
bool gateway_get_source(const struct gateway *g, const struct gateway_device *d, size_t index,
                        struct gateway_source *ret_source);
/* False for a device that was never heard. */
bool gateway_get_latest(const struct gateway *g, const struct gateway_device *d,
                        struct gateway_packet *ret_packet);

/* ---- changes ---- */

enum gateway_device_reason { /* bits */
                             GATEWAY_DEVICE_FIRST_SEEN = 1 << 0,
                             GATEWAY_DEVICE_PAYLOAD = 1 << 1,
                             GATEWAY_DEVICE_OWNER = 1 << 2,
                             GATEWAY_DEVICE_AVAILABILITY = 1 << 3,
                             GATEWAY_DEVICE_FORGOTTEN = 1 << 4,
};

struct gateway_subscriber {
    /* A device changed; device is a view that is valid for the call. The subscriber may end its own
     * subscription from inside, and must not send commands. */
    void (*on_device)(void *user, unsigned reasons, const struct gateway_device *device);
    void *user;
};

/* The token ends it; NULL may be ended. */
struct gateway_subscription;
struct gateway_subscription *gateway_subscribe(struct gateway *g,
                                               const struct gateway_subscriber *subscriber);
void gateway_unsubscribe(struct gateway_subscription *subscription);
