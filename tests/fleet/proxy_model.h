/* The Bluetooth side of an ESPHome proxy's firmware, as a model: who is subscribed, how
 * advertisements are packed, what the scanner says, what Bluetooth requests are answered.
 *
 * It knows nothing of sockets, frames or sessions: its clients are numbers, messages come from
 * proxy_model_receive() and go to on_send. Pure: time goes in. Each firmware generation is a row of
 * a table (struct proxy_profile). Connections to devices are the slots' (slots.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "esphome/message.h"
#include "payload.h"
#include "slots.h"

#define PROXY_MODEL_CLIENTS_MAX 16
/* A payload that begins so (manufacturer data of company 0xffff, "now") gets the moment at which
 * the proxy sends it into the 8 octets behind: monotonic microseconds in the order of this machine.
 * For measuring how long an advertisement is on its way. */
#define PROXY_MODEL_STAMP      "\x0e\xff\xff\xffnow"
#define PROXY_MODEL_STAMP_SIZE 7

#define PROXY_MODEL_BATCH_MAX   16                   /* advertisements of one message 93 */
#define PROXY_MODEL_SCAN_ROUND  (300 * USEC_PER_SEC) /* then the scanner restarts by itself */
#define PROXY_MODEL_MODE_SWITCH (60 * USEC_PER_MSEC) /* where nothing else is said */

struct proxy_profile {
    const char *name;
    const char *esphome_version, *server_info;
    uint32_t api_minor; /* of major 1 */
    uint32_t features;
    uint32_t legacy_version;
    bool is_legacy_hello;    /* Hello alone does not authenticate */
    bool can_parse, can_raw; /* sends message 67, 93 */
    bool is_newest_wins;     /* of several subscribers; otherwise later ones are ignored silently */
    bool says_bluetooth_mac;
    usec_t flush_period; /* of advertisements that do not fill a message; 0: each at once */
    bool is_early_release, is_double_disconnect; /* of slots.h */
    bool is_without_list;   /* message 81 names no addresses; the oldest slots altogether */
    bool has_first_version; /* of connecting */
    struct gatt_client_options gatt;
};

/* "2022", "2024", "2025", "2026", each also with "-passive", and "none"; NULL for other names. */
const struct proxy_profile *proxy_profile_find(const char *name);

struct proxy_model_options {
    const struct proxy_profile *profile;
    enum scanner_mode configured_mode;
    bool is_scan_response_always; /* sends it in passive mode too, which no firmware does */
    unsigned clients_max;         /* at most PROXY_MODEL_CLIENTS_MAX */
    uint32_t features;            /* in place of the profile's */
    struct slots_options slots;
    usec_t mode_switch; /* from the end of scanning to its new beginning, in three steps */
};

enum proxy_model_fault {                                    /* bits */
                         PROXY_MODEL_REFUSES = 1 << 0,      /* message 66 is ignored */
                         PROXY_MODEL_IS_MUTE = 1 << 1,      /* nothing is heard */
                         PROXY_MODEL_IGNORES_MODE = 1 << 2, /* message 127 is ignored */
                         PROXY_MODEL_FAILS_MODE = 1 << 3, /* a change of mode ends in FAILED, where
                                                             it stays until the fault ends */
};

struct proxy_model_counters {
    uint64_t heard; /* while a subscriber was there and the scanner ran */
    uint64_t advertisements_sent;
    uint64_t advertisements_dropped; /* the client's output was full */
    uint64_t messages_sent;
};

/* Hands a message to a client: 0, or negative when it was dropped. Called from inside receive,
 * heard and tick; must not call the model. */
typedef int proxy_model_send_fn(void *user, unsigned client, const struct message *message);

struct proxy_model;

/* Options of the profile as it was sold: three slots where it can connect. */
struct proxy_model_options proxy_model_usual(const struct proxy_profile *profile);

/* world is borrowed and outlives the model, which is its listener of that number; NULL: there is no
 * device to connect to. The dice of the connections are seeded with seed. */
struct proxy_model *proxy_model_new(const struct proxy_model_options *options, struct world *world,
                                    size_t listener, uint64_t seed, proxy_model_send_fn *on_send,
                                    void *user, usec_t now);
/* Accepts NULL. */
void proxy_model_free(struct proxy_model *m);

/* A client is there: its number, or -ENOBUFS when there are clients_max already. */
int proxy_model_join(struct proxy_model *m);
void proxy_model_leave(struct proxy_model *m, unsigned client, usec_t now);

/* Power on: nobody subscribed, the configured mode, all slots free. Clients must have left. */
void proxy_model_restart(struct proxy_model *m, usec_t now);

void proxy_model_receive(struct proxy_model *m, unsigned client, const struct message *message,
                         usec_t now);

/* The radio heard something. The scan response is left out when the scanner is passive. */
void proxy_model_heard(struct proxy_model *m, uint64_t address, uint8_t address_type, int8_t rssi,
                       const struct payload *payload, usec_t now);

void proxy_model_set_fault(struct proxy_model *m, enum proxy_model_fault fault, bool is_there,
                           usec_t now);

/* Does what is due, and when to call it next. */
void proxy_model_tick(struct proxy_model *m, usec_t now);
usec_t proxy_model_deadline(const struct proxy_model *m);

/* Client that gets the advertisements, -1 for none. */
int proxy_model_subscriber(const struct proxy_model *m);
enum scanner_mode proxy_model_mode(const struct proxy_model *m);
enum scanner_state proxy_model_scanner_state(const struct proxy_model *m);
/* To look at, and for what goes wrong (slots.h); proxy_model_tick() is due afterwards. */
struct slots *proxy_model_slots(const struct proxy_model *m);
const struct proxy_model_counters *proxy_model_counters(const struct proxy_model *m);
