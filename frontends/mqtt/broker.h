/* The conversation with the MQTT broker, on a thread of its own; the only home of libmosquitto.
 *
 * The thread dials, listens and dials again by itself; name look-ups and a dead broker block nobody
 * else. Messages cross in both directions as copies, in bounded lines; callbacks come on the loop's
 * thread. Whenever a connection stands, bridge/state says so (retained), and the last will or the
 * goodbye of broker_close() takes it back. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mqtt/attempts.h"
#include "mqtt/outbox.h"

#define BROKER_WINDOW_MESSAGES 1000 /* handed over, and not yet in the socket or answered */
#define BROKER_WINDOW_BYTES    ((size_t) 1 << 20)
#define BROKER_FILTERS_MAX     4
#define BROKER_ERROR_SIZE      200

enum broker_state {
    BROKER_CONNECTING,
    BROKER_CONNECTED,
    BROKER_WAITING, /* for the next attempt */
    BROKER_FAILED,  /* the same, though nothing but another configuration will help */
};

/* Texts are copied. */
struct broker_settings {
    const char *host;
    unsigned port;
    const char *client_id;
    const char *username, *password; /* NULL: none */
    enum attempts_version version;   /* ATTEMPTS_ANY: auto */
    unsigned keepalive_s;
    bool has_tls;
    const char *ca, *certificate, *key; /* files; ca NULL: what the system trusts */
    const char *presence_topic, *online, *offline;
    const char *filters[BROKER_FILTERS_MAX]; /* subscriptions; NULL: no more */
    size_t message_max; /* octets of an incoming payload; longer ones are dropped */
};

struct broker_status {
    enum broker_state state;
    enum attempts_version version; /* ATTEMPTS_ANY: not connected */
    uint64_t connections;          /* that stood so far */
    uint64_t dropped;              /* incoming messages that were too long */
    char error[BROKER_ERROR_SIZE]; /* of the last attempt or connection that ended; "": none */
};

/* An incoming message, valid for the call. */
struct broker_message {
    const char *topic;
    const void *payload;
    size_t size;
    bool is_retained;           /* stored by the broker before we asked */
    const char *response_topic; /* MQTT 5; NULL: none */
    const void *correlation;
    size_t correlation_size;
};

struct broker_callbacks {
    /* The status is another; several changes may come as one. */
    void (*on_change)(void *user);
    void (*on_message)(void *user, const struct broker_message *message);
    /* broker_publish() refused, and would take again. */
    void (*on_room)(void *user);
    void *user;
};

struct uv_loop_s;
struct broker;

/* Begins to dial. 0, or a negative errno when there is no thread to be had. */
int broker_new(struct uv_loop_s *loop, const struct broker_settings *settings,
               const struct broker_callbacks *callbacks, struct broker **ret_broker);

void broker_get_status(const struct broker *b, struct broker_status *ret_status);

/* Hands the message over. False: it is still the caller's, since nobody is connected or the window
 * is full (on_room will come). */
bool broker_publish(struct broker *b, struct outbox_message *message);

/* Messages handed over and not yet gone. */
size_t broker_in_flight(const struct broker *b);

/* Sends what was handed over and the goodbye, waiting for 1 s at most; no callback but on_closed
 * comes any more, from a later turn of the loop; the broker is freed behind it. */
void broker_close(struct broker *b, void (*on_closed)(void *user), void *user);
