/* The way back to a device: every connection of the fleet, who wants it and who carries it.
 *
 * A request asks for a link to an address. If there is one, it joins; else it stands in line, the
 * router chooses a proxy (router.h), the ledger gives a slot (ledger.h), message 68 goes out, and
 * the answer (69) opens the link or leads to another attempt (retry.h). One link is shared by all:
 * each request that succeeded holds a lease; the link closes when it has been without leases for
 * settings.linger. One link an address, one link on the way at a time a proxy (until its scanner
 * goes on again, or it says connected), one line for all proxies.
 *
 * Each accepted request completes exactly once, never from inside links_connect(); every way it can
 * end (cancel, deadline, proxy gone, shutdown) leaves no slot behind: what is not known to be
 * closed is told to disconnect, and a late "connected" is answered by a disconnect. A change of
 * ownership never touches a link.
 *
 * Pure: octets, answers of the house and `now` come in; messages, answers and events go out.
 * Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "esphome/message.h"
#include "link/ledger.h"
#include "link/retry.h"
#include "link/router.h"

#define LINK_NO_SOURCE     UINT16_MAX
#define LINK_LEASE_ID_SIZE 10 /* "L7f3a9c21" and its NUL */
#define LINK_LEASES_MAX    64 /* of one link; beyond: E_OVERLOADED */
#define LINK_ATTEMPTS_KEPT 16 /* the newest of a link that are shown */
#define LINK_DEFAULT_MTU   23
/* A disconnect that is not answered is over then. */
#define LINK_CLOSE_TIMEOUT (20 * USEC_PER_SEC)
/* Who fails by a time-out is answered when the slot is back, or then. */
#define LINK_SLOT_PATIENCE (5 * USEC_PER_SEC)
#define LINK_PURPOSE_MAX   64 /* octets kept of client and of purpose */

struct links;
struct link_request;

struct links_settings {
    usec_t linger;
    size_t queue_length; /* requests that wait or are being served; more: E_QUEUE_FULL */
    enum route_scoring scoring;
};

struct link_hearer { /* one proxy that hears a device */
    uint16_t source;
    int rssi;
    double rssi_smoothed; /* not aged */
    usec_t last_heard;
};

struct link_rules { /* a device's settings; numbers of sources, borrowed until the next call */
    const uint16_t *require, *prefer, *forbid;
    size_t require_count, prefer_count, forbid_count;
    bool has_require; /* also when none of the required proxies exists */
};

struct link_proxy {
    uint32_t features; /* enum proxy_feature */
    double weight;     /* dB */
};

struct link_attempt {
    uint16_t source;
    usec_t started;  /* when the request to connect was sent */
    usec_t duration; /* 0 while it goes on */
    bool is_over;
    enum attempt_end end;
    int code;        /* E_*; 0: connected, or still going on */
    bool has_reason; /* the proxy gave a number */
    int32_t reason;
    struct route_terms terms;
    double score;
};

enum link_state { LINK_QUEUED, LINK_CONNECTING, LINK_CONNECTED, LINK_DISCONNECTING };
/* "queued", "connecting" …, for no link at all "none". Static storage. */
const char *link_state_name(enum link_state state);

enum link_mtu_source { LINK_MTU_ASSUMED, LINK_MTU_STORED, LINK_MTU_NEGOTIATED };
const char *link_mtu_source_name(enum link_mtu_source source);

struct link_lease { /* texts borrowed until the next call that changes something */
    char id[LINK_LEASE_ID_SIZE];
    const char *client, *purpose; /* NULL: not said */
    usec_t expires;               /* USEC_NEVER: until it is released */
    bool is_auto_reconnect;
};

struct link_view {
    uint64_t address;
    enum link_state state;
    uint16_t source; /* LINK_NO_SOURCE while queued */
    uint32_t mtu;    /* 0: not connected */
    enum link_mtu_source mtu_source;
    bool is_cached;          /* connected with cache: its services are those of the store */
    usec_t since;            /* in this state */
    usec_t linger_until;     /* 0: it does not linger */
    unsigned queue_position; /* from 1; 0: not in line */
    size_t leases, attempts;
    bool is_kept; /* by the setting keep_connected */
};

enum link_event_kind { /* as the contract's event `connection` tells them */
                       LINK_EVENT_QUEUED,
                       LINK_EVENT_CONNECTING,
                       LINK_EVENT_CONNECTED,
                       LINK_EVENT_FAILED,       /* the request(s) for it ended without a link */
                       LINK_EVENT_DISCONNECTED, /* exactly one for each link that was connected */
                       LINK_EVENT_LEASES,       /* the leases changed, nothing else */
};
struct link_event {
    enum link_event_kind kind;
    usec_t time;
    uint64_t address;
    uint16_t source; /* LINK_NO_SOURCE: none */
    int code;        /* E_*: why it failed or ended; 0: wanted */
    bool has_reason;
    int32_t reason;
};

/* What the room asks of the house; called from inside links_*(), must not call back into links. */
struct links_house {
    /* Hands a message to the proxy; 0, or why it could not be. */
    int (*send)(void *user, uint16_t source, const struct message *message);
    /* Whether the device was ever heard (and not forgotten) or is configured. */
    bool (*is_known)(void *user, uint64_t address);
    /* Every proxy that has heard the device; fills at most max, returns how many were filled. */
    size_t (*hearers)(void *user, uint64_t address, struct link_hearer *ret_hearers, size_t max);
    /* How the device's address is to be called in message 68 (0 public, 1 random). */
    uint32_t (*address_type)(void *user, uint64_t address);
    void (*rules)(void *user, uint64_t address, struct link_rules *ret_rules);
    /* A connect with cache is proved for this pair; *ret_mtu of its last connect without, 0: not
     * known. Not touched when it is not proved. */
    bool (*is_proved)(void *user, uint16_t source, uint64_t address, uint32_t *ret_mtu);
    bool (*is_bonded)(void *user, uint16_t source, uint64_t address);
    /* A pairing succeeded there. */
    void (*on_bonded)(void *user, uint16_t source, uint64_t address);
    void (*on_event)(void *user, const struct link_event *event);
    /* An attempt is over; once for each one that began, however it ended, and now. */
    void (*on_attempt)(void *user, uint64_t address, const struct link_attempt *attempt);
    void *user;
};

/* seed: fresh random octets, for the ids of leases. settings and house are copied. */
struct links *links_new(const struct links_settings *settings, const struct links_house *house,
                        uint64_t seed);
/* Only without requests (after links_close() they are all answered). Accepts NULL. */
void links_free(struct links *l);
void links_configure(struct links *l, const struct links_settings *settings);
usec_t links_get_linger(const struct links *l);

/* ---- what proxies say ---- */

/* A conversation that can carry connections begins, or its features or weight changed. */
void links_proxy_online(struct links *l, uint16_t source, const struct link_proxy *proxy,
                        usec_t now);
/* Its links are gone: leases end, requests try elsewhere. */
void links_proxy_offline(struct links *l, uint16_t source, usec_t now);
/* The proxy is no part of the fleet any more, and its number may become another one's. As offline;
 * besides, requests for it alone are answered with E_PROXY_OFFLINE, leases for it alone end, and
 * what was experienced with it is forgotten. When this returns, nobody is told anything of it. */
void links_proxy_removed(struct links *l, uint16_t source, usec_t now);
/* Messages 69, 81, 85, 126; others are ignored. */
void links_message(struct links *l, uint16_t source, const struct message *message, usec_t now);
/* A proxy heard the device (for requests that wait for a route); cheap if nobody waits. */
void links_heard(struct links *l, uint64_t address, usec_t now);

/* ---- requests ---- */

struct link_wish {
    uint64_t address;
    usec_t timeout;         /* the whole, queueing included */
    usec_t attempt_timeout; /* from when the proxy starts */
    usec_t queue_for;       /* longest wait for a free slot; 0: none */
    unsigned attempts;      /* 1..20 */
    uint16_t source;        /* this proxy alone; LINK_NO_SOURCE: any */
    bool use_cache;
    bool pair; /* before the answer; E_NOT_SUPPORTED where the proxy cannot */
    bool is_auto_reconnect;
    int priority;      /* higher first; 0 */
    usec_t lease;      /* how long the lease lives; USEC_NEVER: until released */
    const char *renew; /* id of a lease; NULL: a new one. E_GONE when it is not of this link */
    const char *client, *purpose; /* copied; may be NULL */
};

struct link_answer { /* valid during the call */
    int code;        /* 0: the link is open; else E_*: DEVICE_NOT_FOUND, NO_ROUTE, PROXY_OFFLINE,
                        NO_FREE_SLOT, CONNECT_FAILED, CONNECT_ABORTED, CONNECT_TIMEOUT,
                        PAIRING_FAILED, NOT_SUPPORTED, CANCELLED, SHUTTING_DOWN, GONE, CONFLICT
                        (another proxy than the one asked for carries it, and others hold it) */
    bool has_reason;
    int32_t reason;    /* the last number of a proxy */
    const char *lease; /* id; NULL unless code is 0 */
    usec_t expires;
    uint16_t source;    /* that carries it, or that was asked for; LINK_NO_SOURCE: none */
    usec_t retry_after; /* NO_FREE_SLOT: how long until one may be free; 0: not known */
    const struct link_attempt *attempts; /* of this request, the oldest first */
    size_t attempts_count;
};
typedef void link_done_fn(void *user, const struct link_answer *answer);

/* Returns 0 and a request that will be answered once, from a later links_message(),
 * _proxy_online(), _proxy_offline() or _advance() (at the latest LINK_SLOT_PATIENCE after its
 * deadline, when a slot is to come back first); or E_QUEUE_FULL, E_SHUTTING_DOWN, E_OVERLOADED.
 * *ret_request is valid until done begins. done may call links_connect(), _cancel(), _release() and
 * the like. After these links_deadline() is to be asked again: what they cause is done by the next
 * links_advance(). */
int links_connect(struct links *l, const struct link_wish *wish, link_done_fn *done, void *user,
                  usec_t now, struct link_request **ret_request);
/* Gives it up: done is called with E_CANCELLED from a later call. A lease that was just made ends.
 */
void links_cancel(struct links *l, struct link_request *request, usec_t now);

/* Ends one lease (E_GONE if there is none of this id), or with id NULL closes the link for
 * everybody: its leases end and requests that wait for it are answered with E_CANCELLED. No link:
 * 0. */
int links_release(struct links *l, uint64_t address, const char *id, usec_t now);
/* Disconnects an open link so that it can be opened anew: its leases stay, and who asks for it
 * meanwhile gets the next one. If nobody does, or that one fails, those that do not reconnect end.
 * No open link: nothing. */
void links_reopen(struct links *l, uint64_t address, usec_t now);
/* Asks the proxy to free a slot that is not ours: 0, E_CONFLICT (ours), E_NOT_FOUND,
 * E_PROXY_OFFLINE. */
int links_free_slot(struct links *l, uint16_t source, uint64_t address, usec_t now);
/* Frees all orphans; how many. Links of ours without a lease that do not linger either are never
 * left: they close at once. */
size_t links_close_stale(struct links *l, usec_t now);
/* The setting keep_connected of a device: a link for ever, opened again whenever it breaks. */
void links_keep(struct links *l, uint64_t address, bool is_kept, usec_t now);

/* ---- questions ---- */

bool links_get(const struct links *l, uint64_t address, struct link_view *ret_view);
/* All links in no particular order; start with *position 0; false at the end. */
bool links_next(const struct links *l, size_t *position, struct link_view *ret_view);
size_t links_count(const struct links *l);
bool links_get_lease(const struct links *l, uint64_t address, size_t index,
                     struct link_lease *ret_lease);
/* Attempts of the link, the oldest first; also of the last one that failed, for 10 minutes. */
bool links_get_attempt(const struct links *l, uint64_t address, size_t index,
                       struct link_attempt *ret_attempt);

struct link_proxy_view {
    struct ledger_proxy slots;
    uint64_t completed, failed;
    usec_t last_success;
};
void links_get_proxy(const struct links *l, uint16_t source, usec_t now,
                     struct link_proxy_view *ret_view);
bool links_get_slot(const struct links *l, uint16_t source, size_t index,
                    struct ledger_slot *ret_slot);

struct links_statistics {
    size_t links, connected, waiting; /* now */
    uint64_t requests, answered;      /* since the start; the difference is open */
    uint64_t by_code_ok;
    uint64_t orphans_freed, lost; /* findings of the ledger */
    uint64_t inconsistent;
};
void links_get_statistics(const struct links *l, struct links_statistics *ret_statistics);

/* What a request for this address would do now: every proxy that matters with its facts (fills at
 * most max), and the code that it would be answered with (0: it would connect or wait its turn). */
int links_explain(const struct links *l, uint64_t address, usec_t now,
                  struct route_candidate *ret_candidates, struct route_rank *ret_ranks, size_t max,
                  size_t *ret_count);

/* ---- time and the end ---- */

usec_t links_deadline(const struct links *l);
void links_advance(struct links *l, usec_t now);

/* Refuses new requests, answers those that wait with E_SHUTTING_DOWN (from the next advance), and
 * disconnects every link. links_is_closed(): nothing is left to wait for. */
void links_close(struct links *l, usec_t now);
bool links_is_closed(const struct links *l);
