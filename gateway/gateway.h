/* The facade: the only door through which frontends see the gateway.
 *
 * Queries give plain values that borrow from the gateway and are valid until the caller returns to
 * the loop. Changes come to subscribers as they happen. Commands are refused with a cause or
 * carried out. Everything here belongs to the loop's thread; nothing here blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accounts/accounts.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/histogram.h"
#include "ble/address.h"
#include "ble/advertising_data.h"
#include "ble/gatt_tree.h"
#include "ble/uuid.h"
#include "config/config_file.h"

struct uv_loop_s;
struct config_file;
struct store;
struct gateway;

/* ---- life ---- */

/* Brings back what the store kept (NULL: nothing is kept) and starts conversations with all enabled
 * proxies of the configuration. Configuration and store are the gateway's from now on, and end with
 * it. file: where the configuration came from, borrowed; NULL: it cannot be changed. */
struct gateway *gateway_new(struct uv_loop_s *loop, struct config *config, struct config_file *file,
                            struct store *store);

/* Answers requests for links, closes all links, says goodbye to all proxies and closes everything,
 * in under 4 s; then on_closed, then free it. */
void gateway_close(struct gateway *g, void (*on_closed)(void *user), void *user);
void gateway_free(struct gateway *g); /* after on_closed only; accepts NULL */

/* ---- time ---- */

/* The moment of this turn of the loop, and its wall clock for a monotonic moment. */
usec_t gateway_now(const struct gateway *g);
int64_t gateway_wall(const struct gateway *g, usec_t moment);
/* The monotonic moment of a wall clock, judged by the clocks of today; 0 at the least. */
usec_t gateway_moment(const struct gateway *g, int64_t wall);

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
/* The running configuration. Nobody keeps it, nor what it points to, beyond a turn of the loop: it
 * is replaced when it changes. */
const struct config *gateway_config(const struct gateway *g);

/* How the store does. */
struct gateway_keeping {
    bool is_kept;      /* there is a store */
    bool is_failing;   /* the last writing failed; it is tried again */
    const char *error; /* the last sentence of failure; NULL: none */
    size_t devices;    /* in the file */
    uint64_t bytes;
    size_t waiting; /* devices that the file is behind with */
};
void gateway_get_keeping(const struct gateway *g, struct gateway_keeping *ret_keeping);

#define GATEWAY_OWNER_WHYS_MAX 8

/* How it goes. Counters count since the start. */
struct gateway_statistics {
    usec_t uptime;
    size_t memory_bytes; /* resident memory of the process; 0: not told, as all of the process */
    usec_t cpu;          /* of all its threads */
    size_t descriptors, descriptors_max;
    const struct histogram *loop_lag; /* how late the loop comes to what is due */
    size_t devices;                   /* in the table */
    size_t devices_available;
    uint64_t devices_evicted;   /* because of limits.devices */
    uint64_t devices_forgotten; /* by time, or because somebody asked for it */
    uint64_t reports;           /* packets that the table took in */
    uint64_t reports_refused;   /* it did not: every row is configured */
    uint64_t reports_parsed;   /* those whose payload had to be read; the others were seen before */
    uint64_t elements_dropped; /* of the merged views, because of a bound */
    uint64_t owner_changes[GATEWAY_OWNER_WHYS_MAX]; /* by gateway_owner_why_name() */
    size_t table_bytes;
    size_t history_devices, history_bytes; /* whose past is kept, and the memory of all of it */
    uint64_t history_dropped;              /* blocks of it that went because of a bound */
    uint64_t look_ups, look_ups_failed;    /* of host names */
    size_t look_ups_running, look_ups_waiting;
};
/* Not for every packet: it asks the system and walks the table. */
void gateway_get_statistics(const struct gateway *g, struct gateway_statistics *ret_statistics);

/* "first", "stronger" … from 0 on; NULL beyond. */
const char *gateway_owner_why_name(unsigned why);

/* ---- proxies ---- */

struct gateway_error { /* code 0: none */
    int code;
    const char *detail;
    usec_t time;
};

struct gateway_proxy {
    size_t index; /* its place in the configuration that runs; another one may have another */
    uint32_t id;  /* what it is known by as long as it is there; no other proxy gets it */
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
    const char *scan_wanted;             /* "passive", "active", "auto": as configured */
    const char *scanner_mode;            /* "passive", "active"; NULL: unknown */
    const char *scanner_state;           /* "running" …; "unknown" */
    uint64_t window;                     /* number of the window that runs there; 0: none */
    bool has_slots;                      /* limit and free are known */
    uint32_t slots_limit, slots_free;
    const uint64_t *slots_allocated;
    const usec_t *slots_since; /* when each of them was first seen */
    size_t slots_allocated_count;
    size_t devices; /* heard in the last 195 s */
    double advertisements_per_s;
    uint64_t advertisements_total;
    usec_t last_advertisement; /* 0: none yet */
    usec_t quiet_since;        /* online, and the last thing it heard; 0: it is not quiet */
    usec_t round_trip;         /* 0: not measured */
};

#define GATEWAY_PROXIES_MAX 4096

size_t gateway_proxies_count(const struct gateway *g);
/* index below the count, in order of the configuration. Nobody keeps one beyond a turn of the loop.
 */
void gateway_get_proxy(const struct gateway *g, size_t index, struct gateway_proxy *ret_proxy);
/* Counters of one proxy since the start, beside advertisements_total. */
struct gateway_proxy_statistics {
    uint64_t advertisements_skipped;                   /* they broke a rule: too long, no address */
    uint64_t reports, reports_refused, reports_parsed; /* as in gateway_statistics */
    uint64_t devices_gained[GATEWAY_OWNER_WHYS_MAX];   /* owner changes to it */
    uint64_t devices_lost;                             /* owner changes from it to another */
    uint64_t dials;                                    /* attempts at a conversation */
    uint64_t reconnects; /* conversations in which it said who it is, after the first */
    uint64_t retakes;    /* advertisements taken back from another client of the proxy */
};
void gateway_get_proxy_statistics(const struct gateway *g, size_t index,
                                  struct gateway_proxy_statistics *ret_statistics);
/* The causes for which it failed: *position = 0 to begin. The token; NULL: no more. */
const char *gateway_next_proxy_failure(const struct gateway *g, size_t index, size_t *position,
                                       uint64_t *ret_count);
/* Every state of a proxy, from 0 on; NULL beyond. */
const char *gateway_proxy_state_name(unsigned state);

/* 0 or E_PROXY_NOT_FOUND. */
int gateway_find_proxy(const struct gateway *g, const char *name, size_t *ret_index);
/* The same by gateway_proxy.id. */
int gateway_find_proxy_id(const struct gateway *g, uint32_t id, size_t *ret_index);
/* "passive_scan", … for bit 0..7; NULL beyond. */
#define GATEWAY_FEATURE_STATE_AND_MODE (1 << 6)
const char *gateway_feature_name(unsigned bit);
/* Drops the conversation and starts a new one at once. E_CONFLICT for a disabled proxy. */
int gateway_reconnect_proxy(struct gateway *g, size_t index);

/* ---- what mDNS finds ---- */

#define GATEWAY_DISCOVERED_ADDRESSES_MAX 8

/* An ESPHome device that is announced now. NULL: it does not say. */
struct gateway_discovered {
    const char *name; /* UTF-8 without control characters, like all texts */
    const char *friendly_name;
    const char *host; /* "kitchen.local" */
    uint16_t port;
    char addresses[GATEWAY_DISCOVERED_ADDRESSES_MAX][64]; /* the best first */
    size_t addresses_count;
    bool has_mac;
    uint64_t mac;
    const char *esphome_version, *platform, *board;
    const char *network;    /* "wifi", "ethernet", "thread" */
    const char *encryption; /* "none", "supported", "required" */
    int bluetooth_proxy;    /* 1, 0, or -1: nobody has asked it */
    bool is_configured;     /* one of the proxies */
    usec_t last_seen;       /* when it last said something new */
};
/* In order of the names: the place of the first behind this one ("": of the first). */
size_t gateway_discovered_after(const struct gateway *g, const char *name);
/* False: there is none at this place. */
bool gateway_get_discovered(const struct gateway *g, size_t index,
                            struct gateway_discovered *ret_discovered);

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
    bool is_noise;       /* scan.apple_filter keeps it out of events; it is listed all the same */
    bool is_private;     /* of an address that goes after some minutes */
    bool is_apple_noise; /* all that it says is of Apple's devices for each other */
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
    bool can_connect; /* the proxy could carry a connection */
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

/* Forgets what the device has said: its next packet is new, whatever it says. All else stays.
 * E_DEVICE_NOT_FOUND when it was never heard. */
int gateway_clear_history(struct gateway *g, uint64_t address);

/* ---- why a device is heard as it is ---- */

/* What keeps the proxy of a source (index as above) from speaking for the device. False: it does,
 * or nobody does, or there is no such source. */
struct gateway_rivalry {
    double has_db,
            needs_db;  /* louder than the owner, smoothed; it takes over with more than that */
    double lasting_db; /* so much is enough if it lasts; NAN: not heard enough to say */
    unsigned packets, packets_needed; /* before loudness counts at all */
    bool has_lost;                    /* it needs more because it lost the device before */
    usec_t owner_silent_for;          /* it has not heard the device, although it could */
    usec_t taken_after; /* a longer silence of the owner hands the device over as well */
    bool is_owner_online, is_owner_quiet;
};
bool gateway_get_rivalry(const struct gateway *g, const struct gateway_device *d, size_t index,
                         struct gateway_rivalry *ret_rivalry);

/* How many packets of a device that counts them the source heard and missed in the last
 * GATEWAY_LOSS_SPAN. False: none is known. */
#define GATEWAY_LOSS_SPAN (600 * USEC_PER_SEC)
bool gateway_get_loss(const struct gateway *g, const struct gateway_device *d, size_t index,
                      uint32_t *ret_heard, uint32_t *ret_lost);

/* The proxies through which a connection could go, the best first: at most max, and how many. */
struct gateway_path {
    size_t proxy_index;
    double rssi; /* smoothed, and less the older it is; dBm */
};
size_t gateway_get_paths(const struct gateway *g, const struct gateway_device *d,
                         struct gateway_path *ret_paths, size_t max);

/* ---- the past of a device ---- */

#define GATEWAY_SLOT      (10 * USEC_PER_SEC)
#define GATEWAY_SLOTS_MAX (24 * 360 + 1) /* a day */

struct gateway_slot {
    float rssi; /* mean, dBm; NAN without packets */
    uint16_t packets;
};
struct gateway_track { /* from the first slot with packets to the last one */
    const char *proxy; /* NULL: one that is gone */
    usec_t start;
    size_t first, count; /* of the slots that were filled; count 0: nothing was heard */
};
/* What one source (index as above) heard in the slots that touch since..until, of the last day.
 * False: there is no such source. */
bool gateway_get_track(const struct gateway *g, const struct gateway_device *d, size_t index,
                       usec_t since, usec_t until, struct gateway_slot ret_slots[GATEWAY_SLOTS_MAX],
                       struct gateway_track *ret_track);

/* Where a walk is; zeroed to begin. */
struct gateway_past_position {
    const void *place;
    size_t offset;
};
/* Packets that changed the payload, and changes of the owner; oldest first, false at the end. */
bool gateway_next_past_payload(const struct gateway *g, const struct gateway_device *d,
                               struct gateway_past_position *position,
                               struct gateway_packet *ret_packet);
struct gateway_past_owner {
    usec_t time;
    const char *from, *to; /* NULL: nobody, or a proxy that is gone */
    const char *why;       /* token of the contract */
    double rssi_from, rssi_to;
};
bool gateway_next_past_owner(const struct gateway *g, const struct gateway_device *d,
                             struct gateway_past_position *position,
                             struct gateway_past_owner *ret_owner);

/* Something that happened since then is not kept. */
bool gateway_is_past_truncated(const struct gateway *g, const struct gateway_device *d,
                               usec_t since);

/* ---- scanning ---- */

#define GATEWAY_WINDOW_ID_SIZE 22

/* A window of active scanning, or one that was refused. */
struct gateway_window {
    uint64_t number; /* later windows have larger ones, from 1 on */
    char id[GATEWAY_WINDOW_ID_SIZE];
    const char *proxy;
    const char *state, *cause; /* tokens of the contract */
    const uint64_t *addresses; /* devices that it is for; none: for all */
    size_t addresses_count;
    usec_t planned, started, ends, ended; /* 0: not, or not yet */
    usec_t duration;
    size_t answered;
    const char *detail; /* why it was refused, or failed; NULL: nothing to say */
};

/* The newest with a smaller number than this; UINT64_MAX: the newest of all. False: none. Windows
 * of long ago are forgotten. */
bool gateway_window_before(const struct gateway *g, uint64_t number,
                           struct gateway_window *ret_window);
/* False: no such window, or no longer. */
bool gateway_get_window(const struct gateway *g, uint64_t number,
                        struct gateway_window *ret_window);

/* Opens a window on the proxy, or joins the one that is open there; address 0: for all devices.
 * Durations are between GATEWAY_WINDOW_MIN and _MAX. 0, or E_SCAN_REFUSED; *ret_number is the
 * window in either case, the refused one too. */
#define GATEWAY_WINDOW_MIN (5 * USEC_PER_SEC)
#define GATEWAY_WINDOW_MAX (35 * USEC_PER_SEC)
int gateway_open_window(struct gateway *g, size_t proxy_index, uint64_t address, usec_t duration,
                        uint64_t *ret_number);
/* The same for all devices on every proxy in mode auto that is free. How many windows run for it;
 * the first max of their numbers are given out. */
size_t gateway_discover(struct gateway *g, usec_t duration, uint64_t *ret_numbers, size_t max);

/* A standing need: the setting active_scan of a device. */
struct gateway_need {
    uint64_t address;
    usec_t interval, duration;
    const char *proxy;                        /* runs it now, or ran it last; NULL: nobody yet */
    const char *state;                        /* token of the contract */
    usec_t next_due;                          /* 0: it runs now */
    char last_window[GATEWAY_WINDOW_ID_SIZE]; /* "": none yet */
    uint64_t answered, missed;
};
/* False: the device has none. Of more than GATEWAY_NEEDS_MAX settings, some make no need. */
#define GATEWAY_NEEDS_MAX 10000
bool gateway_get_need(const struct gateway *g, uint64_t address, struct gateway_need *ret_need);
/* All of them in no particular order: *position = 0 to begin; false at the end. */
bool gateway_next_need(const struct gateway *g, size_t *position, struct gateway_need *ret_need);
size_t gateway_needs_count(const struct gateway *g);

#define GATEWAY_SCAN_CAUSES 6

struct gateway_scan_statistics {
    uint64_t opened[GATEWAY_SCAN_CAUSES]; /* windows that ran, by gateway_scan_cause_name() */
    uint64_t refused, failed;
    usec_t active;             /* of all windows that are over, together */
    uint64_t answered, missed; /* windows of needs */
    uint64_t restarts;         /* scans started anew because a proxy fell silent */
};
void gateway_get_scan_statistics(const struct gateway *g,
                                 struct gateway_scan_statistics *ret_statistics);
/* "need", "request" … from 0 on; NULL beyond. */
const char *gateway_scan_cause_name(unsigned cause);

/* ---- changing the configuration ---- */

/* One change. The caller owns the memory from the call that returns 0 until done or cancel; done is
 * called exactly once, never from inside that call, after the change is on the disk and runs. */
struct gateway_change {
    /* cause: 0; E_INVALID_REQUEST with edited->faults; E_CONFLICT with edited->holder (an alias or
     * a name is taken); E_OVERRIDDEN with edited->variable; E_NOT_FOUND (there is no entry any
     * more); E_PRECONDITION_FAILED (the ETag is another one, or with is_foreign somebody else
     * changed the file, which is left alone); E_SHUTTING_DOWN; or a negative errno of the file.
     * With all of them the running configuration is what it was. */
    void (*done)(struct gateway_change *change, int cause, const struct config_edited *edited);
    const struct config_versions *versions; /* while done runs, of whom asked for them */
    struct gateway_order *order;            /* private */
};

/* These return 0, E_OVERLOADED when too many wait, E_SHUTTING_DOWN, or -EROFS without a file. */

/* Merges a patch (JSON, RFC 7396) into the settings of a device, heard or not; pointer is where it
 * stands in what the caller was sent. */
int gateway_change_device(struct gateway *g, uint64_t address, const char *patch, size_t size,
                          const char *pointer, struct gateway_change *change);

/* Forgets a device, with its settings and all that is kept. GATEWAY_DONE when it was not
 * configured: it is gone already. E_DEVICE_NOT_FOUND when it is neither known nor configured. */
#define GATEWAY_DONE 1
int gateway_remove_device(struct gateway *g, uint64_t address, struct gateway_change *change);

/* "passive", "active" or "auto", kept for this proxy. */
int gateway_set_scan_mode(struct gateway *g, size_t proxy_index, const char *mode,
                          struct gateway_change *change);

/* Any change of the configuration (config/config_edit.h); all of it is copied. */
int gateway_change_config(struct gateway *g, const struct config_edit *edit,
                          struct gateway_change *change);

/* Makes a version of the file the present content; if_match as in a change. */
int gateway_restore_config(struct gateway *g, int version, const char *if_match,
                           struct gateway_change *change);

/* Reads the file again, and runs what somebody else wrote there; edited->is_changed tells whether
 * somebody did. */
int gateway_reload_config(struct gateway *g, struct gateway_change *change);

/* Whether the file is another one than what runs: edited->is_foreign then. */
int gateway_check_config(struct gateway *g, struct gateway_change *change);

/* The versions of the file, in change->versions; and what one of them says, in edited->config. */
int gateway_list_config_versions(struct gateway *g, struct gateway_change *change);
int gateway_read_config_version(struct gateway *g, int version, struct gateway_change *change);

/* The ETag of the configuration that runs (config_file.h); "" without a file. Valid until the next
 * turn of the loop. */
const char *gateway_config_etag(const struct gateway *g);

/* Pointers of settings that were changed and count from the next start on; release with
 * config_texts_done(). */
void gateway_get_restart_required(const struct gateway *g, struct config_texts *ret_pointers);

/* done will not be called; the change goes on. */
void gateway_change_cancel(struct gateway_change *change);

/* Takes over another configuration, which may differ in devices, in proxies, and in settings that
 * are read whenever they are needed. Proxies that it does not have are gone when this returns, with
 * their links; new ones have begun. Tells what it concerns. */
void gateway_reconfigure(struct gateway *g, struct config *config);

/* ---- links ---- */

/* The connections to devices: gateway/link with names instead of numbers. */

struct gateway_score_terms { /* dB */
    double rssi, in_progress, failures, last_slot, bond, weight;
};

struct gateway_attempt {
    const char *proxy;
    usec_t started, duration;
    bool is_over;
    const char *result; /* "connected", "failed", "timeout", "cancelled", "refused"; NULL: it is
                           still going on */
    int code;           /* E_*; 0: connected, or still going on */
    bool has_reason;
    int32_t reason;
    const char *reason_name; /* "fail_establish" …; NULL: the number has no name */
    struct gateway_score_terms terms;
};

struct gateway_lease {
    const char *id;      /* valid until the next lease is got */
    const char *client;  /* "": not said */
    const char *purpose; /* NULL: not said */
    usec_t expires;      /* USEC_NEVER: until it is released */
};

struct gateway_link {
    uint64_t address;
    const char *state;      /* "none", "queued", "connecting", "connected", "disconnecting" */
    const char *proxy;      /* NULL: none (yet) */
    uint32_t mtu;           /* 0: not connected */
    const char *mtu_source; /* "negotiated", "stored", "assumed"; NULL: not connected */
    usec_t since;
    usec_t linger_until;     /* 0: it does not linger */
    unsigned queue_position; /* from 1; 0: not in line */
    size_t leases, attempts;
};

/* False: there is none, and *ret_link says so (state "none"; attempts of the last opening). */
bool gateway_get_link(const struct gateway *g, uint64_t address, struct gateway_link *ret_link);
/* All of them in no particular order; start with *position 0; false at the end. */
bool gateway_next_link(const struct gateway *g, size_t *position, struct gateway_link *ret_link);
size_t gateway_links_count(const struct gateway *g);
bool gateway_get_lease(const struct gateway *g, uint64_t address, size_t index,
                       struct gateway_lease *ret_lease);
bool gateway_get_attempt(const struct gateway *g, uint64_t address, size_t index,
                         struct gateway_attempt *ret_attempt);

struct gateway_wish { /* of a link; all texts are copied */
    uint64_t address;
    usec_t timeout, attempt_timeout, queue_for;
    unsigned attempts;
    bool has_proxy;
    size_t proxy_index;
    bool use_cache, pair, is_auto_reconnect;
    int priority;
    usec_t lease;      /* USEC_NEVER: until it is released */
    const char *renew; /* id of a lease; NULL: a new one */
    const char *client, *purpose;
};
/* What the configuration says where a request says nothing; address 0, no proxy, no client. */
void gateway_default_wish(const struct gateway *g, struct gateway_wish *ret_wish);

struct gateway_link_answer { /* borrowed, valid during the call */
    int code;
    bool has_reason;
    int32_t reason;
    const char *reason_name;
    const char *lease; /* NULL unless code is 0 */
    usec_t expires;
    const char *proxy;
    usec_t retry_after; /* E_NO_FREE_SLOT: how long until one may be free; 0: not known */
    const struct gateway_attempt *attempts; /* of this request */
    size_t attempts_count;
    usec_t began; /* when it was asked for; 0: not told */
};
typedef void gateway_link_fn(void *user, const struct gateway_link_answer *answer);

/* Opens or joins the link, or renews a lease. 0: answered once, later, from the loop (*ret_request
 * is valid until the answer begins); or E_QUEUE_FULL, E_OVERLOADED, E_SHUTTING_DOWN. */
struct gateway_link_request;
int gateway_connect(struct gateway *g, const struct gateway_wish *wish, gateway_link_fn *done,
                    void *user, struct gateway_link_request **ret_request);
/* Gives it up: nothing is called any more; a lease that it made ends. */
void gateway_connect_cancel(struct gateway *g, struct gateway_link_request *request);

/* Ends one lease (E_GONE), or with lease NULL closes the link for everybody. No link: 0. */
int gateway_disconnect(struct gateway *g, uint64_t address, const char *lease);
/* Frees a slot of a proxy that is not ours: 0, E_CONFLICT, E_NOT_FOUND, E_PROXY_OFFLINE. */
int gateway_free_slot(struct gateway *g, size_t proxy_index, uint64_t address);
/* How many slots and links were released. */
size_t gateway_close_stale(struct gateway *g);

struct gateway_slot_entry {
    uint64_t address;
    const char *holder; /* "ours", "foreign", "orphan" */
    usec_t since;
};
/* The taken slots of a proxy; index from 0, false at the end. */
bool gateway_get_slot_entry(const struct gateway *g, size_t proxy_index, size_t index,
                            struct gateway_slot_entry *ret_entry);
struct gateway_proxy_links {
    unsigned ours, foreign, orphans;
    unsigned in_progress;
    uint64_t completed, failed;
    usec_t last_success; /* 0: none */
};
void gateway_get_proxy_links(const struct gateway *g, size_t proxy_index,
                             struct gateway_proxy_links *ret_links);

struct gateway_links_statistics {
    size_t links, connected, waiting;
    uint64_t requests, answered, succeeded;
    uint64_t orphans_freed, lost, inconsistent;
};
void gateway_get_links_statistics(const struct gateway *g,
                                  struct gateway_links_statistics *ret_statistics);

/* What a connection to the address would meet now, a proxy an entry, candidates first. */
struct gateway_route {
    size_t proxy_index;
    const char *proxy;
    bool is_candidate;
    const char *cause;  /* "forbidden", "full" …; NULL: it is a candidate */
    const char *detail; /* a sentence; NULL: none */
    bool was_heard;
    int rssi;
    double rssi_smoothed;
    usec_t last_heard;
    bool has_slots;
    uint32_t slots_free, slots_limit;
    unsigned in_progress;
    double failures;
    bool is_bonded;
    double score;
    struct gateway_score_terms terms;
};
/* Fills at most max and returns how many; *ret_code is what a request would be answered with now
 * (0: it would connect, or wait for its turn). */
size_t gateway_get_routes(const struct gateway *g, uint64_t address,
                          struct gateway_route *ret_routes, size_t max, int *ret_code);

/* ---- GATT ---- */

/* What programs do with a device over its link: gateway/gatt with names instead of numbers. Trees
 * and their entries are values of ble/gatt_tree.h. */

#define GATEWAY_GATT_HASH_SIZE 16

struct gateway_gatt { /* what is known of a device's database; borrowed */
    const struct gatt_tree *tree;
    bool has_hash;
    uint8_t hash[GATEWAY_GATT_HASH_SIZE]; /* the characteristic Database Hash */
    int64_t updated;                      /* wall clock of the discovery */
    size_t services_count;
};
/* False: nothing is known, a link would have to discover it; *ret_gatt is zeroed. */
bool gateway_get_gatt(const struct gateway *g, uint64_t address, struct gateway_gatt *ret_gatt);

/* The proxies that hold a bond with the device, in order of the configuration: the first at *index
 * or behind it, which is then the one behind that. Begin with 0; NULL at the end. */
const char *gateway_next_bond(const struct gateway *g, uint64_t address, size_t *index);

enum gateway_gatt_verb {
    GATEWAY_GATT_SERVICES,
    GATEWAY_GATT_READ,
    GATEWAY_GATT_WRITE,
    GATEWAY_GATT_READ_DESCRIPTOR,
    GATEWAY_GATT_WRITE_DESCRIPTOR,
    GATEWAY_GATT_SUBSCRIBE,
    GATEWAY_GATT_UNSUBSCRIBE,
    GATEWAY_GATT_PAIR,
    GATEWAY_GATT_UNPAIR,      /* opens no link; without a proxy: on each that holds a bond */
    GATEWAY_GATT_PARAMETERS,  /* opens no link: E_NOT_CONNECTED */
    GATEWAY_GATT_CLEAR_CACHE, /* opens no link */
};

struct gateway_connection_parameters { /* BLE units: 1.25 ms, 1.25 ms, events, 10 ms */
    uint32_t min_interval, max_interval, latency, timeout;
};

struct gateway_gatt_wish { /* copied; octets and texts as well */
    enum gateway_gatt_verb verb;
    bool has_handle;
    uint16_t handle;      /* of a characteristic's value, or of a descriptor */
    struct ble_uuid uuid; /* of a characteristic, without handle */
    struct bytes value;   /* of writes */
    bool has_response;    /* of WRITE; false: with response if the characteristic has `write` */
    bool response;
    const char *type; /* of SUBSCRIBE: "auto", "notify", "indicate", "both"; NULL: "auto" */
    bool refresh;     /* of SERVICES: discover anew, whatever is known */
    struct gateway_connection_parameters parameters;
    struct gateway_wish link; /* how a link is opened; .address is the device; .renew: the lease
                                 that the operation belongs to, NULL: its own */
    usec_t timeout;           /* from the open link on */
    unsigned tries;           /* in all, after lost links */
};
/* What the configuration says where a request says nothing. */
void gateway_default_gatt_wish(const struct gateway *g, struct gateway_gatt_wish *ret_wish);

struct gateway_gatt_answer { /* borrowed, valid during the call */
    int code;                /* 0, what a request for a link may be answered with, or E_*:
                                DISCONNECTED, GATT_ERROR, GATT_TIMEOUT, PAIRING_FAILED,
                                CHARACTERISTIC_NOT_FOUND, CHARACTERISTIC_AMBIGUOUS,
                                DESCRIPTOR_NOT_FOUND, NOT_PERMITTED, NOT_SUPPORTED, VALUE_TOO_LONG,
                                USE_SUBSCRIPTION, NOT_CONNECTED, CONFLICT, QUEUE_FULL */
    const struct gateway_link_answer *link; /* that of the link, when it was that which failed */
    bool has_number;
    int32_t number;          /* ATT error of GATT_ERROR, reason of DISCONNECTED, PAIRING_FAILED */
    const char *number_name; /* NULL: the number has no name */
    uint16_t handle;         /* that was worked on; 0: none */
    const struct gatt_entry *entry; /* of the tree; NULL: not known */
    struct bytes value;             /* read */
    bool with_response;             /* how WRITE was done */
    uint32_t max;                   /* of VALUE_TOO_LONG */
    const uint16_t *handles;        /* of CHARACTERISTIC_AMBIGUOUS */
    size_t handles_count;
    const struct gateway_gatt *gatt; /* of SERVICES */
    bool is_discovered;              /* of SERVICES: just now, not from the store */
    const char *proxy;               /* that carried it; NULL: none */
    const char *lease;               /* SUBSCRIBE: what holds it; else NULL */
    usec_t expires;
    bool cleared_proxy;  /* of CLEAR_CACHE; the gateway's own copy is gone in any case */
    const char *feature; /* of NOT_SUPPORTED: what the proxy lacks; NULL: not that */
};
typedef void gateway_gatt_fn(void *user, const struct gateway_gatt_answer *answer);

/* 0: answered once, later, from the loop (*ret_request is valid until the answer begins); or
 * E_QUEUE_FULL, E_OVERLOADED, E_SHUTTING_DOWN, E_VALUE_TOO_LONG (no device takes so much);
 * E_INVALID_REQUEST: there is no such type, or no device can have such parameters. */
struct gateway_gatt_request;
int gateway_gatt_submit(struct gateway *g, const struct gateway_gatt_wish *wish,
                        gateway_gatt_fn *done, void *user,
                        struct gateway_gatt_request **ret_request);
/* Gives it up: nothing is called any more. */
void gateway_gatt_cancel(struct gateway *g, struct gateway_gatt_request *request);

struct gateway_gatt_subscription {
    uint16_t handle;
    const struct ble_uuid *uuid; /* NULL: the tree is not known */
    const char *type;            /* "notify", "indicate", "both" */
    usec_t since;
    uint64_t counter; /* values so far */
    size_t holders;
};
/* Those of a device; index from 0, false at the end. */
bool gateway_get_gatt_subscription(const struct gateway *g, uint64_t address, size_t index,
                                   struct gateway_gatt_subscription *ret_subscription);
/* The id of a lease that holds it, holder from 0; NULL at the end. */
const char *gateway_get_gatt_holder(const struct gateway *g, uint64_t address, size_t index,
                                    size_t holder);

struct gateway_gatt_value { /* a notification or indication; borrowed */
    uint64_t address;
    uint16_t handle;
    const struct ble_uuid *uuid; /* NULL: the tree is not known */
    struct bytes value;
    const char *proxy; /* NULL: one that is gone */
    usec_t time;       /* of arrival */
    uint64_t counter;  /* of the subscription, from 1 */
};

/* A queue of a device's values, for who wants one after the other; its length is
 * links.notify_queue, the oldest goes first. handle 0: of all subscriptions. on_ready (may be NULL)
 * is called when it becomes non-empty: it may look into its reader, and must neither send commands
 * nor close readers. All are closed before the gateway is freed. E_OVERLOADED: too many. */
struct gateway_gatt_reader;
int gateway_gatt_reader_open(struct gateway *g, uint64_t address, uint16_t handle,
                             void (*on_ready)(void *user), void *user,
                             struct gateway_gatt_reader **ret_reader);
void gateway_gatt_reader_close(struct gateway_gatt_reader *reader); /* accepts NULL */
/* The oldest; *ret_lost: how many this reader lost before it. False: none. Valid until the next. */
bool gateway_gatt_reader_next(struct gateway_gatt_reader *reader,
                              struct gateway_gatt_value *ret_value, uint64_t *ret_lost);

#define GATEWAY_GATT_DOUBTS_MAX 8

struct gateway_gatt_statistics { /* counters count since the start */
    uint64_t requests, answered, failed;
    uint64_t operations;   /* sent to proxies */
    uint64_t shared_reads; /* answered by the operation of another request */
    uint64_t discoveries;
    uint64_t values, values_lost; /* notifications; those that readers were too slow for */
    size_t subscriptions, readers, waiting;
    size_t entries, trees, cache_bytes; /* of the cache; equal trees are one */
    uint64_t hits, misses, evicted;
    uint64_t forgotten[GATEWAY_GATT_DOUBTS_MAX]; /* by gateway_gatt_doubt_name() */
};
void gateway_get_gatt_statistics(const struct gateway *g,
                                 struct gateway_gatt_statistics *ret_statistics);
/* "hash", "service_changed" … from 0 on: why what was known was forgotten; NULL beyond. */
const char *gateway_gatt_doubt_name(unsigned doubt);

/* ---- changes ---- */

enum gateway_device_reason { /* bits */
                             GATEWAY_DEVICE_FIRST_SEEN = 1 << 0,
                             GATEWAY_DEVICE_PAYLOAD = 1 << 1,
                             GATEWAY_DEVICE_OWNER = 1 << 2,
                             GATEWAY_DEVICE_AVAILABILITY = 1 << 3,
                             GATEWAY_DEVICE_FORGOTTEN = 1 << 4, /* the last sight of it */
                             GATEWAY_DEVICE_SETTINGS = 1 << 5,
};

struct gateway_owner_change { /* with GATEWAY_DEVICE_OWNER */
    const char *from;         /* NULL: nobody */
    const char *to;
    const char *why;           /* token of the contract: "first", "stronger" … */
    double rssi_from, rssi_to; /* smoothed; NAN: unknown */
};

struct gateway_device_change {
    uint64_t number; /* of all changes, from 1: who is told later can know it again */
    unsigned reasons;
    usec_t time;
    const struct gateway_device *device;
    const struct gateway_owner_change *owner; /* NULL without GATEWAY_DEVICE_OWNER */
};

/* One packet of one proxy. */
struct gateway_hearing {
    usec_t time;
    const struct gateway_device *device; /* after this packet */
    uint32_t proxy_id;
    const char *proxy;
    bool is_owner;        /* the proxy owns the device, after this packet */
    int rssi;             /* 0: unknown */
    double rssi_smoothed; /* of this proxy; NAN: unknown */
    bool is_change; /* name, service UUIDs, service data or manufacturer data of the merged view
                       changed with it, or the device is new */
    usec_t heard_before; /* the same octets from any proxy; 0: not lately */
    usec_t silent_since; /* the packet of this device before it; 0: the first one */
    bool is_parsed;      /* raw is null in the contract */
    const uint8_t *data; /* AD structures */
    size_t size;
};

enum gateway_proxy_reason {
    GATEWAY_PROXY_ADDED,
    GATEWAY_PROXY_REMOVED, /* it is shown as it was */
    GATEWAY_PROXY_RENAMED,
    GATEWAY_PROXY_STATE,
    GATEWAY_PROXY_SCANNER,
    GATEWAY_PROXY_SLOTS,
    GATEWAY_PROXY_ADVISORY, /* it became quiet, or is not any more */
    GATEWAY_PROXY_SETTINGS,
};

struct gateway_window_change {
    const char *action; /* token of the contract: "opened", "extended", "closed", "refused" */
    usec_t time;
    const struct gateway_window *window;
};

/* Callbacks that are NULL are not called. What they get is valid for the call. A subscriber may end
 * its own subscription from inside, and must not send commands. */
struct gateway_link_change {
    const char *action; /* "queued", "opened", "closed", "moved", "failed"; NULL: its leases, its
                           attempt or its subscriptions: nothing that is an event, but its view
                           changed */
    usec_t time;
    uint64_t address;
    const char *proxy; /* NULL: none */
    const char *from;  /* "moved": the proxy before */
    int code;          /* E_*: why it failed or was lost; 0: wanted */
    bool has_reason;
    int32_t reason;
    const char *reason_name;
};

struct gateway_subscriber {
    void (*on_device)(void *user, const struct gateway_device_change *change);
    /* Every packet of every proxy: asked for only while somebody has this. */
    void (*on_hearing)(void *user, const struct gateway_hearing *hearing);
    void (*on_proxy)(void *user, enum gateway_proxy_reason reason, size_t proxy_index);
    void (*on_window)(void *user, const struct gateway_window_change *change);
    void (*on_link)(void *user, const struct gateway_link_change *change);
    /* A lease that held subscriptions, however it ended; they are let go. */
    void (*on_lease_ended)(void *user, uint64_t address, const char *lease);
    void (*on_value)(void *user, const struct gateway_gatt_value *value);
    /* Another configuration runs; devices and proxies that it concerns were told before. */
    void (*on_configuration)(void *user);
    void *user;
};

/* The token ends it; NULL may be ended. */
struct gateway_subscription;
struct gateway_subscription *gateway_subscribe(struct gateway *g,
                                               const struct gateway_subscriber *subscriber);
void gateway_unsubscribe(struct gateway_subscription *subscription);

/* ---- the flight recorder ---- */

struct gateway_recorder {
    bool is_enabled;
    size_t bytes;  /* of what is recorded now */
    usec_t oldest; /* 0: nothing was recorded */
    size_t memory_bytes;
    uint64_t records, advertisements; /* recorded since the start */
    uint64_t segments_dropped;        /* because of age or the bound */
};
void gateway_get_recorder(const struct gateway *g, struct gateway_recorder *ret_recorder);

#define GATEWAY_RECORDINGS_MAX 8 /* open at once */

/* What is wanted of the recording; by the wall clock, both ends included. */
struct gateway_recording_wish {
    int64_t since, until; /* INT64_MIN, INT64_MAX: all */
    bool has_address;
    uint64_t address;
    const char *proxy; /* NULL: all; borrowed until it is open */
};

/* An advertisement as it was recorded. */
struct gateway_recorded {
    int64_t time;        /* wall clock */
    size_t proxy_number; /* as recorded: the proxies of one moment have different ones */
    const char *proxy;   /* its name then */
    uint64_t proxy_mac;  /* 0: not known */
    uint64_t address;
    uint8_t address_type; /* enum ble_address_type */
    int rssi;             /* 0: unknown */
    const uint8_t *data;  /* AD structures; put together if the proxy sends parsed ones */
    size_t size;
};

/* What was recorded until now, to be read once from the oldest on; the ring moves on meanwhile, and
 * what it drops before it was read is missing. NULL: too many are open. Close it. */
struct gateway_recording;
struct gateway_recording *gateway_recording_open(struct gateway *g,
                                                 const struct gateway_recording_wish *wish);
void gateway_recording_close(struct gateway_recording *recording);

/* Looks at no more than a few thousand records. 1: an advertisement; 0: the end; -EAGAIN: none was
 * wanted of those it looked at, go on later. What it gives borrows until the next call. */
int gateway_recording_next(struct gateway_recording *recording,
                           struct gateway_recorded *ret_recorded);

/* The same in the native form: the octets of a whole segment, of which some time is wanted; 1, or 0
 * at the end. Address and proxy of the wish are not looked at. Not to be mixed with the other. */
int gateway_recording_next_segment(struct gateway_recording *recording, struct bytes *ret_header,
                                   struct bytes *ret_records);

/* What would have been under other settings. */
struct gateway_replay_wish {
    int64_t since, until; /* wall clock; INT64_MIN, INT64_MAX: all */
    bool has_address;     /* counts this device alone */
    uint64_t address;
    const char *patch; /* {"scan":…}, a merge patch of the configuration; copied */
};

struct gateway_replay_outcome {
    uint64_t events, owner_changes, availability_changes, windows;
};

struct gateway_replay_difference {
    uint64_t address;
    uint64_t owner_changes_actual, owner_changes_replayed;
    const char *owner_actual, *owner_replayed; /* at the end; NULL: nobody */
};

struct gateway_replay_result {
    uint64_t packets;
    int64_t since, until; /* of the first and last of them; 0: there was none */
    struct gateway_replay_outcome actual, replayed;
    const struct gateway_replay_difference *differences; /* the largest first, at most 1,000 */
    size_t differences_count;
};

typedef void gateway_replay_fn(void *user, int rc, const struct gateway_replay_result *result);

/* Replays what is recorded now, on a thread of its own; one at a time. 0: on_done comes once, never
 * from inside: with 0 and a result that is valid for the call, or with E_CANCELLED. Otherwise
 * E_OVERLOADED: one runs already; E_NOT_FOUND: nothing is recorded; E_INVALID_REQUEST: the patch is
 * not valid, and *ret_faults says where: config_faults_done(). */
int gateway_replay(struct gateway *g, const struct gateway_replay_wish *wish,
                   struct config_faults *ret_faults, gateway_replay_fn *on_done, void *user);
/* The one that runs, if any: it ends soon, with E_CANCELLED. */
void gateway_replay_cancel(struct gateway *g);

/* ---- accounts ---- */

/* Who may do what (accounts/accounts.h), to be asked and watched; what changes it are the functions
 * below. */
struct accounts *gateway_accounts(const struct gateway *g);

/* While there is none, http.listen must be loopback. */
bool gateway_has_tokens(const struct gateway *g);

/* Reads the tokens of the environment (BLEFLEET_TOKEN_FILE) in place of those before, blocking: at
 * the start and when somebody asks for it. 0, or a negative errno or E_INVALID_REQUEST with a
 * sentence in ret_error, and then those before stay. */
int gateway_read_tokens(struct gateway *g, const char *path, char *ret_error, size_t error_size);

/* Who sends these credentials. remote: where from, for the log. */
void gateway_identify(struct gateway *g, const struct account_credentials *credentials,
                      const char *remote, struct account_identity *ret_identity);
/* Whether they are still who they were. */
bool gateway_stands(const struct gateway *g, const struct account_identity *identity);

/* One change of tokens. The caller owns the memory from the call that returns 0 until done or
 * cancel. done: called once, never from inside, with 0 when it is in the store; else with the cause
 * for which it is not there yet, though it counts. */
struct gateway_token_change {
    void (*done)(struct gateway_token_change *change, int cause);
    struct gateway_token_change *next; /* private, like the next */
    bool is_waiting;
};

/* 0, or GATEWAY_DONE when nothing is kept; and the causes of accounts_add_token() and
 * accounts_remove_token(). */
int gateway_add_token(struct gateway *g, const char *name, enum account_role role,
                      char ret_secret[SECRET_TOKEN_SIZE], struct gateway_token_change *change);
int gateway_remove_token(struct gateway *g, const char *name, struct gateway_token_change *change);
/* done will not be called; the change stands. */
void gateway_token_change_cancel(struct gateway *g, struct gateway_token_change *change);

/* As accounts_sign_in(); before: who asked. */
int gateway_sign_in(struct gateway *g, const char *token, struct account_source source,
                    const char *remote, const struct account_identity *before,
                    char ret_cookie[SECRET_ID_SIZE], struct account_identity *ret_identity);

/* Notes who did what, unless log.audit_days is 0; id and time are filled in. */
void gateway_audit(struct gateway *g, const struct audit_entry *entry);

/* ---- backup, restore, restart ---- */

/* A backup of configuration and store (backup/backup.h), made by a worker. passphrase NULL: without
 * secrets. 0: done comes once, later, from the loop; with 0 the descriptor is the callee's: a file
 * without a name, open for reading. Else the cause: E_CONFLICT, when the configuration file has
 * faults; a negative errno; E_CANCELLED at the end of the gateway.
 * At once: E_OVERLOADED, one backup or restore runs already; -EROFS, nothing is kept here;
 * E_SHUTTING_DOWN. */
struct gateway_backup {
    int fd;
    uint64_t size;
    int64_t created; /* wall clock */
};
typedef void gateway_backup_fn(void *user, int cause, const struct gateway_backup *backup);
int gateway_back_up(struct gateway *g, const char *passphrase, gateway_backup_fn *done, void *user);

/* Checks the backup at this path, which stays until done was called, and stages it for the next
 * start (backup/restore.h). 0: done comes once, later: with 0, what was staged; -EBADMSG (no SQLite
 * file, or damaged) and E_INVALID_REQUEST, with a sentence or faults; and the causes as above. */
struct gateway_restored { /* borrowed for the call */
    const char *version, *created;
    bool has_secrets;
    const struct config_texts *changed; /* JSON Pointers of settings that will be others */
    const char *sentence;               /* of what is wrong; "": faults say it */
    const struct config_faults *faults; /* of the configuration in it */
};
typedef void gateway_restore_fn(void *user, int cause, const struct gateway_restored *restored);
int gateway_restore(struct gateway *g, const char *path, const char *passphrase,
                    gateway_restore_fn *done, void *user);

/* Where the body of a request goes that is too long for memory: one at a time. To be freed; NULL:
 * nothing is kept here. */
#define GATEWAY_UPLOAD_MAX ((uint64_t) 256 << 20)
char *gateway_upload_path(const struct gateway *g);

/* Who ends this process and begins it anew; called once, a moment after somebody asked for it. */
void gateway_on_restart(struct gateway *g, void (*on_restart)(void *user), void *user);
/* False: nobody can. */
bool gateway_restart(struct gateway *g);
