/* The client's side of one ESPHome native API conversation, without I/O.
 *
 * Octets and `now` go in, messages and octets come out. The owner (proxy/) moves octets between the
 * session and a socket, and calls client_session_tick() when client_session_deadline() has come.
 * One session is one TCP connection; it is not reused. It does: Noise or plaintext framing, Hello
 * and Authentication in one flight, DeviceInfo, keepalive (ping after 20 s of silence and each 20 s
 * from then on, dead when 90 s after the first of them nothing came), pings and time requests of
 * the peer, and the disconnect handshake. It tells every failure of esphome-protocol 1.3 apart. It
 * does not: subscribe, reconnect, log, or know what a slot is. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "esphome/message.h"

#define CLIENT_SESSION_HANDSHAKE_TIMEOUT  (60 * USEC_PER_SEC) /* connected to transport secure */
#define CLIENT_SESSION_HELLO_TIMEOUT      (30 * USEC_PER_SEC)
#define CLIENT_SESSION_INFO_TIMEOUT       (60 * USEC_PER_SEC)
#define CLIENT_SESSION_PING_INTERVAL      (20 * USEC_PER_SEC)
#define CLIENT_SESSION_PONG_TIMEOUT       (90 * USEC_PER_SEC)
#define CLIENT_SESSION_DISCONNECT_TIMEOUT (10 * USEC_PER_SEC)

enum client_session_state {
    CLIENT_SESSION_SECURING,      /* Noise: our first flight is out, handshake not done */
    CLIENT_SESSION_GREETING,      /* HelloRequest is out (plaintext starts here) */
    CLIENT_SESSION_ASKING,        /* Hello accepted, DeviceInfoRequest is out */
    CLIENT_SESSION_READY,         /* on_ready was called; anything may flow */
    CLIENT_SESSION_DISCONNECTING, /* DisconnectRequest is out */
    CLIENT_SESSION_CLOSED,        /* terminal; client_session_error() says why */
};

struct client_session_options {
    const char *client_info;   /* "blefleet 0.1.0"; copied, as all texts here */
    const char *password;      /* NULL or "": none */
    const char *expected_name; /* NULL: any; compared with ServerHello and HelloResponse */
    bool has_expected_mac;     /* compared with ServerHello and DeviceInfo */
    uint64_t expected_mac;
    bool is_encrypted;
    uint8_t psk[32];
    uint8_t ephemeral[32]; /* fresh random octets, the Noise ephemeral private key */
    /* Seconds since 1970 for GetTimeRequest; NULL: not answered. user is the session's. */
    int64_t (*wall_clock)(void *user);
};

/* Why a session ended. code is 0 while it lives, else one of error.h: KEY_REQUIRED,
 * KEY_NOT_EXPECTED, WRONG_KEY, WRONG_PASSWORD, WRONG_DEVICE, NOT_A_PROXY (not this protocol),
 * PROTOCOL, CLOSED, TIMEOUT, PING_TIMEOUT, DISCONNECTED (the peer said goodbye), CANCELLED (we
 * did). */
struct session_error {
    int code;
    char detail[200]; /* a sentence for people, with what was seen; printable ASCII, no secrets */
};

/* What the peer said of itself during the handshake, as soon as it is known. Empty when unknown. */
struct session_peer {
    char name[64];
    bool has_mac;
    uint64_t mac;
    uint32_t api_major, api_minor;
};

/* Called from client_session_received(), _tick(), _disconnect() and _end_of_input(); may call
 * client_session_send() and _disconnect(), must not free the session. Any may be NULL. */
struct client_session_callbacks {
    /* The state changed; at CLOSED it is the last call. */
    void (*on_state)(void *user, enum client_session_state state);
    /* DeviceInfo arrived (once). */
    void (*on_ready)(void *user, const struct message_device_info *info, usec_t now);
    /* A message 93: the hot path. At most 256 reports a call; a message may bring several calls. */
    void (*on_reports)(void *user, const struct ble_report *reports, size_t count, usec_t now);
    /* Every other known message that the session does not consume itself. */
    void (*on_message)(void *user, const struct message *message, usec_t now);
};

struct client_session;

/* The first flight is waiting in the output when this returns. callbacks is copied. */
struct client_session *client_session_new(const struct client_session_options *options,
                                          const struct client_session_callbacks *callbacks,
                                          void *user, usec_t now);
/* Accepts NULL. Wipes keys. */
void client_session_free(struct client_session *s);

/* Input without a copy: read from the socket into *ret_size octets (at least 1) of the session's
 * own buffer, then say how many came. Returns 0, or the code of the error when the session is
 * closed. Every message they complete is delivered before it returns. */
uint8_t *client_session_input(struct client_session *s, size_t *ret_size);
int client_session_received(struct client_session *s, size_t size, usec_t now);

/* The peer closed its side (cause 0), or the socket failed (negative errno). */
void client_session_end_of_input(struct client_session *s, int cause, usec_t now);

/* Octets to be written, and how many of them were. The pointer is valid until the next call, NULL
 * when there are none. What waits when the session closes (an answered goodbye) should still be
 * written if the socket takes it. */
const uint8_t *client_session_output(const struct client_session *s, size_t *ret_size);
void client_session_sent(struct client_session *s, size_t size);

/* Encodes and frames one message into the output. Only when READY (or, for its own messages, by the
 * session itself): otherwise -ENOTCONN. -EMSGSIZE when it does not fit a frame. -ENOBUFS when more
 * than 256 KiB wait already. */
int client_session_send(struct client_session *s, const struct message *message);

/* Says goodbye; CLOSED (CANCELLED) after the peer's answer or 10 s. Before READY it closes at once.
 * What the peer still sends is not delivered. */
void client_session_disconnect(struct client_session *s, usec_t now);

/* Does what is due; and when to call it next (USEC_NEVER when closed). */
void client_session_tick(struct client_session *s, usec_t now);
usec_t client_session_deadline(const struct client_session *s);

enum client_session_state client_session_state(const struct client_session *s);
const struct session_error *client_session_error(const struct client_session *s);
const struct session_peer *client_session_peer(const struct client_session *s);

/* Entries of message 93 that were left out because they carried more than BLE_REPORT_DATA_MAX
 * octets or no address. */
uint64_t client_session_reports_skipped(const struct client_session *s);
