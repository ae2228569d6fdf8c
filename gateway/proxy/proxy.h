/* One proxy made real: it is resolved, connected, greeted and subscribed to, for as long as the
 * program runs, through reboots, wrong keys and silence.
 *
 * It owns at most one look-up, one connection and one session at a time, one timer, and the
 * policies reconnect.h, subscription.h, health.h and theft.h. It stamps the source and the time on
 * what it hears and passes it on; it keeps nothing about devices. It logs its life. Thread: the
 * loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "esphome/message.h"

struct uv_loop_s;
struct failures;
struct intake;
struct resolver;
struct proxy;

#define PROXY_RESOLVE_TIMEOUT (30 * USEC_PER_SEC)
#define PROXY_WAKE_INTERVAL   (5 * USEC_PER_SEC) /* it is not woken again sooner */
#define PROXY_WAKE_DIALLING   (2 * USEC_PER_SEC) /* an attempt at TCP that is older begins anew */
#define PROXY_GOODBYE_TIMEOUT (2 * USEC_PER_SEC) /* at our own end nobody is waited for longer */

enum proxy_state {
    PROXY_DISABLED,
    PROXY_RESOLVING,
    PROXY_CONNECTING,
    PROXY_HANDSHAKING, /* from TCP to the proof of the subscription */
    PROXY_ONLINE,
    PROXY_ONLINE_NO_BLUETOOTH,  /* an ESPHome node without the Bluetooth proxy; kept connected */
    PROXY_SUBSCRIPTION_REFUSED, /* connected, another client has the advertisements */
    PROXY_SUBSCRIPTION_LOST,    /* connected; another client took them again and again */
    PROXY_WAITING_RETRY,
    PROXY_FAILED, /* needs somebody: wrong key, wrong device …; tried again slowly */
};

/* Tokens of the contract: "online", "waiting_retry" … */
const char *proxy_state_name(enum proxy_state state);

struct proxy_settings {
    uint16_t source;  /* stamped on its reports */
    const char *name; /* our label for it */
    const char *host;
    uint16_t port;
    bool has_mac; /* another device at this host is refused */
    uint64_t mac;
    bool is_encrypted;
    uint8_t key[32];
    const char *password; /* NULL: none */
    bool is_enabled;
    usec_t quiet_after; /* one that is online and hears nothing for longer is quiet */
};

enum proxy_change { /* bits */
                    PROXY_CHANGE_STATE = 1 << 0,
                    PROXY_CHANGE_SCANNER = 1 << 1,
                    PROXY_CHANGE_SLOTS = 1 << 2,
                    PROXY_CHANGE_HEALTH = 1 << 3, /* it became quiet, or is not any more */
};

struct proxy_callbacks {
    /* The hot path: as in client_session.h. */
    void (*on_reports)(void *user, uint16_t source, const struct ble_report *reports, size_t count,
                       usec_t now);
    /* Something that proxy_get_status() shows has changed. Each scanner state of the device is told
     * by itself and in order, with PROXY_CHANGE_SCANNER, while the status shows it. */
    void (*on_change)(void *user, struct proxy *proxy, unsigned changes, usec_t now);
    /* Every message that the conversation does not need for itself: of links, GATT and the slots
     * (81, which the status shows as well). Also before the proxy is online; borrowed for the
     * call. */
    void (*on_message)(void *user, uint16_t source, const struct message *message, usec_t now);
    void *user;
};

struct proxy_status { /* texts and arrays are borrowed until the next turn of the loop */
    enum proxy_state state;
    usec_t since;
    int error_code; /* 0: none */
    const char *error_detail;
    usec_t error_time;
    usec_t retry_at; /* 0: not waiting */
    bool has_mac, has_bluetooth_mac;
    uint64_t mac, bluetooth_mac;
    const char *model, *esphome_version; /* "" until told */
    uint32_t api_major, api_minor;
    uint32_t features;
    bool has_scanner;
    struct message_scanner_state scanner;
    bool has_slots;
    uint32_t slots_limit, slots_free;
    const uint64_t *slots_allocated;
    const usec_t *slots_since;
    size_t slots_allocated_count;
    uint64_t advertisements;
    uint64_t advertisements_skipped; /* left out by its sessions: too long, or without an address */
    usec_t last_advertisement;
    usec_t quiet_since; /* the last thing it heard; 0: it is not quiet */
    uint64_t retakes;   /* advertisements taken back from another client */
    usec_t round_trip;  /* of TCP; 0: not connected */
    uint64_t dials;     /* attempts at a conversation */
    uint64_t greetings; /* conversations in which it said who it is */
    const struct failures *failures;
};

/* A disabled one does nothing. settings, texts and all, and callbacks are copied. The resolver and
 * the intake are borrowed; without an intake (NULL) it is always read at once. */
struct proxy *proxy_new(struct uv_loop_s *loop, struct resolver *resolver, struct intake *intake,
                        const struct proxy_settings *settings,
                        const struct proxy_callbacks *callbacks);

/* Says goodbye, closes, then on_closed; it is freed after that. At most PROXY_GOODBYE_TIMEOUT. */
void proxy_close(struct proxy *p, void (*on_closed)(void *user), void *user);

/* Nothing is called back any more but on_closed. Before proxy_close(), for one that is removed. */
void proxy_silence(struct proxy *p);

/* Other settings count, of the same source; they are copied. The conversation begins anew if it
 * was, or is to be, another one (host, port, MAC, key, password), and ends if the proxy is disabled
 * now; else it goes on. Not from inside the callbacks. */
void proxy_change(struct proxy *p, const struct proxy_settings *settings);

/* Drops what is under way and begins anew at once, and forgets who took its advertisements. Not for
 * a disabled one. */
void proxy_reconnect(struct proxy *p);

/* The network says that it is there: what waits for the next attempt tries now, and what has been
 * knocking at its port for PROXY_WAKE_DIALLING knocks anew. Else without effect. Anybody can make
 * the network say so: once in PROXY_WAKE_INTERVAL. */
void proxy_wake(struct proxy *p);

/* Asks it to scan actively (it asks devices for scan responses) or passively, until it restarts.
 * What it really does is told by the scanner states that follow; none follows when it scans so
 * already. E_PROXY_OFFLINE without a conversation in which it can be told, E_NOT_SUPPORTED when its
 * firmware cannot be told at all. */
int proxy_set_scan_mode(struct proxy *p, bool is_active);

/* Hands it a message, for its links. 0; E_PROXY_OFFLINE without a conversation that is online; or
 * as client_session_send(). May be called from inside the callbacks. */
int proxy_send(struct proxy *p, const struct message *message);

enum proxy_wait { /* bits: what somebody waits for */
                  PROXY_WAIT_LINK = 1 << 0,
                  PROXY_WAIT_ANSWER = 1 << 1,
                  PROXY_WAIT_VALUE = 1 << 2, /* notifications */
};
/* While something of it is waited for, what it sends is read at once instead of in turns. Nothing
 * is when a conversation begins. May be called from inside the callbacks. */
void proxy_set_awaited(struct proxy *p, enum proxy_wait what, bool is_awaited);

/* Its MAC: what it said, else what its settings say. False: not known. */
bool proxy_get_mac(const struct proxy *p, uint64_t *ret_mac);

/* Whether it is a Bluetooth proxy, in its own words: 1, 0, or -1 before the first. */
int proxy_is_bluetooth(const struct proxy *p);

const struct proxy_settings *proxy_get_settings(const struct proxy *p);
void proxy_get_status(const struct proxy *p, struct proxy_status *ret_status);
