/* What programs want of a device's GATT database: one request, whoever else talks to the device.
 *
 * A request names a device and what it wants (a characteristic's value, a subscription, the tree).
 * If there is no link it is opened (links.h) and lingers afterwards; if the target needs the tree,
 * that comes from the cache or is discovered; then the operation stands in the link's line: one is
 * outstanding at a time, first come, first served. Reads of one characteristic that wait at the
 * same time are one on the air. Subscriptions are shared: the first holder switches on, the last
 * switches off, each gets every value; while a lease asks for it they are switched on again after a
 * reconnect.
 *
 * Each accepted request completes exactly once, never from inside gatt_request(). What proves the
 * cached tree wrong (an invalid handle, another Database Hash, Service Changed) makes it forgotten,
 * discovered anew, and the request repeated once. Nothing is repeated after an ATT error or a
 * time-out; after a lost link as often as the request allows.
 *
 * Pure: messages and `now` come in, messages and events go out. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "ble/gatt_tree.h"
#include "esphome/message.h"
#include "gatt/gatt_cache.h"
#include "link/links.h"

#define GATT_VALUE_MAX         512  /* octets of an attribute (Core Specification, 3.F, 3.2.9) */
#define GATT_HANDLES_MAX       16   /* told of an ambiguous UUID */
#define GATT_REQUESTS_MAX      1024 /* of all devices */
#define GATT_READERS_MAX       256  /* of all devices */
#define GATT_SUBSCRIPTIONS_MAX 64   /* of one device */

struct gatt;
struct gatt_request;
struct gatt_reader;

struct gatt_settings {
    size_t operations_queue; /* of one link; more: E_QUEUE_FULL */
    size_t notify_queue;     /* values a reader may wait with; the oldest goes */
    size_t cache_entries;
};

enum gatt_verb {
    GATT_VERB_SERVICES,
    GATT_VERB_READ,
    GATT_VERB_WRITE,
    GATT_VERB_READ_DESCRIPTOR,
    GATT_VERB_WRITE_DESCRIPTOR,
    GATT_VERB_SUBSCRIBE,
    GATT_VERB_UNSUBSCRIBE,
    GATT_VERB_PAIR,
    GATT_VERB_UNPAIR,      /* opens no link */
    GATT_VERB_PARAMETERS,  /* opens no link: E_NOT_CONNECTED */
    GATT_VERB_CLEAR_CACHE, /* opens no link */
};

enum gatt_response { GATT_RESPONSE_AUTO, GATT_RESPONSE_YES, GATT_RESPONSE_NO };

enum gatt_subscription_type {
    GATT_SUBSCRIBE_AUTO,
    GATT_SUBSCRIBE_NOTIFY,
    GATT_SUBSCRIBE_INDICATE,
    GATT_SUBSCRIBE_BOTH
};
const char *gatt_subscription_type_name(enum gatt_subscription_type type);

/* "invalid_handle", "busy" … of a number of GATT_ERROR: those of the Attribute Protocol, of the
 * stack of the proxies, and theirs. Static storage; NULL: no name is known. */
const char *gatt_att_error_name(int32_t number);

struct gatt_target { /* a characteristic by UUID or handle, a descriptor by handle */
    bool has_handle;
    uint16_t handle;
    struct ble_uuid uuid;
};

struct gatt_wish { /* copied; octets and texts as well */
    enum gatt_verb verb;
    struct gatt_target target;
    struct bytes value;               /* of writes */
    enum gatt_response response;      /* of WRITE */
    enum gatt_subscription_type type; /* of SUBSCRIBE */
    bool refresh;                     /* of SERVICES: discover anew */
    struct message_connection_params parameters;
    bool clears_cccd;      /* of UNSUBSCRIBE, and when the last holder goes: write 0000 */
    struct link_wish link; /* how a link is opened; .address is the device; .renew: the
                              lease that the operation belongs to, NULL: its own */
    usec_t timeout;        /* from the open link on */
    unsigned tries;        /* in all, after lost links */
};

struct gatt_answer { /* valid during the call */
    int code;        /* 0, those of link_answer, or E_DISCONNECTED, GATT_ERROR, GATT_TIMEOUT,
                        PAIRING_FAILED, CHARACTERISTIC_NOT_FOUND, CHARACTERISTIC_AMBIGUOUS,
                        DESCRIPTOR_NOT_FOUND, NOT_PERMITTED, NOT_SUPPORTED, VALUE_TOO_LONG,
                        USE_SUBSCRIPTION, NOT_CONNECTED, CONFLICT, QUEUE_FULL */
    const struct link_answer *link; /* the answer of the link, when it was that which failed */
    bool has_number;
    int32_t number;  /* ATT error of GATT_ERROR, reason of DISCONNECTED and PAIRING_FAILED */
    uint16_t handle; /* that was worked on; 0: none */
    const struct gatt_entry *entry;     /* of the tree; NULL: not known (a handle without a tree) */
    struct bytes value;                 /* read */
    bool with_response;                 /* how WRITE was done */
    uint32_t max;                       /* of VALUE_TOO_LONG */
    uint16_t handles[GATT_HANDLES_MAX]; /* of CHARACTERISTIC_AMBIGUOUS */
    size_t handles_count;
    const struct gatt_known *known; /* of SERVICES */
    bool is_discovered;             /* of SERVICES: just now, not from the store */
    uint16_t source;                /* the proxy that carried it; LINK_NO_SOURCE: none */
    const char *lease;              /* SUBSCRIBE: what holds it; else NULL */
    usec_t expires;
    bool cleared_proxy;  /* of CLEAR_CACHE; the gateway's copy is gone in any case */
    const char *feature; /* of NOT_SUPPORTED: what the proxy lacks */
};
typedef void gatt_done_fn(void *user, const struct gatt_answer *answer);

struct gatt_value { /* a notification or indication; valid during the call */
    uint64_t address;
    uint16_t handle;
    const struct ble_uuid *uuid; /* NULL: the tree is not known */
    struct bytes value;
    uint16_t source;
    usec_t time;      /* of arrival */
    uint64_t counter; /* of the subscription, from 1 */
};

/* Called from inside gatt_*() and links_*(); must not call back. */
struct gatt_house {
    int (*send)(void *user, uint16_t source, const struct message *message);
    int64_t (*wall)(void *user, usec_t moment);
    uint32_t (*features)(void *user, uint16_t source); /* enum proxy_feature */
    void (*on_value)(void *user, const struct gatt_value *value);
    void (*on_subscriptions)(void *user, uint64_t address); /* they changed */
    /* It was unpaired there: is_bonded is false. That it was paired, links tell (on_bonded). */
    void (*on_bond)(void *user, uint16_t source, uint64_t address, bool is_bonded);
    struct gatt_cache_callbacks cache;
    void *user;
};

/* links is borrowed and outlives it. */
struct gatt *gatt_new(const struct gatt_settings *settings, const struct gatt_house *house,
                      struct links *links);
/* Without requests and readers, and after links have answered all theirs; accepts NULL. */
void gatt_free(struct gatt *g);
void gatt_configure(struct gatt *g, const struct gatt_settings *settings);
struct gatt_cache *gatt_get_cache(struct gatt *g);

/* ---- what happens below ---- */

/* As links' events and messages tell, in the same order; but not from inside links_*(), since links
 * are asked what is true now. What the room does to links may end in more events. */
void gatt_link_event(struct gatt *g, const struct link_event *event);
/* What that proxy was asked without a link (UNPAIR, CLEAR_CACHE) ends. Of its links, the events
 * tell. */
void gatt_proxy_offline(struct gatt *g, uint16_t source, usec_t now);
/* The proxy is about to be removed, and its number may become another one's: requests for it alone
 * end with E_PROXY_OFFLINE, and nobody is told of it later. Before links_proxy_removed(). */
void gatt_proxy_removed(struct gatt *g, uint16_t source, usec_t now);
/* Messages 71, 72, 74, 79, 82, 83, 84, 85, 86, 88, 146; others are ignored. */
void gatt_message(struct gatt *g, uint16_t source, const struct message *message, usec_t now);

/* ---- requests ---- */

/* Refused at once (nothing is called): E_QUEUE_FULL, E_SHUTTING_DOWN, E_OVERLOADED (beyond
 * GATT_REQUESTS_MAX), and what needs no device to be known as wrong: E_VALUE_TOO_LONG (more than
 * GATT_VALUE_MAX), E_INVALID_REQUEST (parameters that no device can have). Otherwise done is called
 * once, from a later gatt_advance(), _message(), _link_event() or _proxy_offline(); it may call
 * back. What a request without .renew holds a link by is a lease of its own, that ends with it, but
 * for SUBSCRIBE: there it lives as long as the wish says, and is told. PAIR waits its timeout for
 * the device. */
int gatt_submit(struct gatt *g, const struct gatt_wish *wish, gatt_done_fn *done, void *user,
                usec_t now, struct gatt_request **ret_request);
/* Nothing is called any more. What is on the air is waited for before the next one starts. */
void gatt_cancel(struct gatt *g, struct gatt_request *request, usec_t now);

/* ---- subscriptions ---- */

struct gatt_subscription_view {
    uint16_t handle;
    const struct ble_uuid *uuid;
    enum gatt_subscription_type type; /* never AUTO */
    usec_t since;
    uint64_t counter;
    size_t holders;
};
bool gatt_get_subscription(const struct gatt *g, uint64_t address, size_t index,
                           struct gatt_subscription_view *ret_view);
/* The id of a lease that holds it; NULL at the end. */
const char *gatt_get_holder(const struct gatt *g, uint64_t address, size_t index, size_t holder);
/* A lease ended, however: what it held is let go. */
void gatt_lease_ended(struct gatt *g, uint64_t address, const char *lease, usec_t now);

/* ---- readers: who wants the values one after the other ---- */

/* handle 0: of all subscriptions of the device. E_OVERLOADED beyond GATT_READERS_MAX. on_ready is
 * called when the queue becomes non-empty, from inside gatt_message(): it may look into its reader
 * and must not free any. */
int gatt_reader_new(struct gatt *g, uint64_t address, uint16_t handle, void (*on_ready)(void *user),
                    void *user, struct gatt_reader **ret_reader);
void gatt_reader_free(struct gatt_reader *reader);
/* The oldest; *ret_lost: how many this reader lost before it. False: none. Valid until the next. */
bool gatt_reader_next(struct gatt_reader *reader, struct gatt_value *ret_value, uint64_t *ret_lost);

/* ---- time, figures, the end ---- */

struct gatt_statistics {
    uint64_t requests, answered, failed; /* since the start */
    uint64_t operations;                 /* sent to proxies */
    uint64_t shared_reads;               /* answered by the operation of another request */
    uint64_t discoveries;
    uint64_t values, values_lost;
    size_t subscriptions, readers, waiting;
};
void gatt_get_statistics(const struct gatt *g, struct gatt_statistics *ret_statistics);

/* To be asked again after each gatt_*() and each links_*(): answers of links are worked on by the
 * next advance. A moment that has passed: at once. */
usec_t gatt_deadline(const struct gatt *g);
void gatt_advance(struct gatt *g, usec_t now);
/* Refuses new requests and answers those that wait with E_SHUTTING_DOWN (from the next advance). */
void gatt_close(struct gatt *g, usec_t now);
