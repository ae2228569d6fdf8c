/* The device's side of one ESPHome native API conversation, without I/O.
 *
 * Counterpart of client_session.h with the same way of moving octets. It answers by itself: the
 * Noise handshake (ServerHello before the key is checked, exact reject texts), Hello,
 * Authentication, Ping, DeviceInfo, ListEntities, Disconnect; pings after 60 s of silence and drops
 * at 150 s; drops a connection that is not authenticated after 60 s. Everything Bluetooth goes to
 * on_message. Used by the simulated fleet and by the ESPHome frontend. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "esphome/client_session.h" /* struct session_error */
#include "esphome/message.h"

#define SERVER_SESSION_SETUP_TIMEOUT (60 * USEC_PER_SEC)
#define SERVER_SESSION_PING_AFTER    (60 * USEC_PER_SEC)
#define SERVER_SESSION_DEAD_AFTER    (150 * USEC_PER_SEC)

struct server_session_options {
    const char *name;        /* at most 31 octets, in ServerHello and HelloResponse; copied */
    uint64_t mac;            /* in ServerHello */
    const char *server_info; /* "2026.8.0" */
    uint32_t api_major, api_minor;
    bool is_encrypted;
    uint8_t psk[32];
    uint8_t ephemeral[32];
    const char *password; /* NULL: none. A wrong one is answered with 4{true} */
    bool is_legacy_hello; /* Hello alone does not authenticate; message 3 is answered with 4
                             (with a password it is so anyway) */
    bool asks_time;       /* sends GetTimeRequest after authentication */
    size_t output_limit;  /* octets that may wait, 0: 64 KiB; what is sent beyond is dropped */
    struct message_device_info
            device_info; /* texts are copied; name and MAC stand here once more */
};

enum server_session_state {
    SERVER_SESSION_SECURING,
    SERVER_SESSION_GREETING,  /* transport is up, no Hello yet */
    SERVER_SESSION_CONNECTED, /* legacy: Hello done, not authenticated */
    SERVER_SESSION_READY,
    SERVER_SESSION_DISCONNECTING, /* our DisconnectRequest is out */
    SERVER_SESSION_FLUSHING,      /* only output is left: a reject, or DisconnectResponse; input is
                                     not read; CLOSED when it is sent, or after 10 s */
    SERVER_SESSION_CLOSED,
};

struct server_session_callbacks {
    void (*on_state)(void *user, enum server_session_state state);
    /* Messages of an authenticated client that the session does not answer itself. */
    void (*on_message)(void *user, const struct message *message, usec_t now);
};

struct server_session;

struct server_session *server_session_new(const struct server_session_options *options,
                                          const struct server_session_callbacks *callbacks,
                                          void *user, usec_t now);
void server_session_free(struct server_session *s);

/* As in client_session.h; received() gives the cause also while FLUSHING. The owner writes what is
 * left and closes the socket when the session is CLOSED, which _sent() brings about. */
uint8_t *server_session_input(struct server_session *s, size_t *ret_size);
int server_session_received(struct server_session *s, size_t size, usec_t now);
void server_session_end_of_input(struct server_session *s, int cause, usec_t now);
const uint8_t *server_session_output(const struct server_session *s, size_t *ret_size);
void server_session_sent(struct server_session *s, size_t size);

/* -ENOTCONN when not READY, -EMSGSIZE, -ENOBUFS when output_limit is reached: the message is
 * dropped, as firmware does when its TCP buffer is full. */
int server_session_send(struct server_session *s, const struct message *message);

/* Sends DisconnectRequest and waits for the answer, at most 10 s. */
void server_session_disconnect(struct server_session *s, usec_t now);

void server_session_tick(struct server_session *s, usec_t now);
usec_t server_session_deadline(const struct server_session *s);
enum server_session_state server_session_state(const struct server_session *s);
const struct session_error *server_session_error(const struct server_session *s);

/* What the client said in its Hello. */
uint32_t server_session_client_api_minor(const struct server_session *s);
const char *server_session_client_info(const struct server_session *s);
