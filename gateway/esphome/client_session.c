/* The story. With a key, the first flight is ClientHello and the first handshake message in one go.
 * The device answers with ServerHello (its name and MAC, checked at once) and its handshake
 * message; from then on all is encrypted. Without a key this is left out. Next, Hello and
 * Authentication go out together, for old firmware needs both; HelloResponse is answered with
 * DeviceInfoRequest, and DeviceInfo makes the session ready. From then on everything goes to the
 * owner, except pings and time requests, which are answered here, and the keepalive: 20 s without a
 * message bring a ping, repeated each 20 s; 90 s after the first ping without any message the
 * session ends.
 *
 * What goes wrong is told apart by what came first: an octet of the other framing (a key too many
 * or too few), an octet of neither (no proxy at all), a reject with its reason, a tag that does not
 * fit (another key), another name or MAC. A reject may come while ServerHello is expected and
 * begins like one; it is known by its text not ending in NUL. After the handshake a damaged frame
 * is a fault of the transport and says nothing about the key. Every end goes through end_session(),
 * once. */
#include "client_session.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advertisements.h"
#include "base/error.h"
#include "base/memory.h"
#include "ble/address.h"
#include "channel.h"
#include "codec.h"
#include "parsed_advertisement.h"

#define API_MAJOR        1
#define API_MINOR        14
#define API_MAJOR_MAX    2 /* a device of a higher one is not understood */
#define OUTPUT_LIMIT     ((size_t) 262144)
#define REPORTS_BATCH    256
#define QUOTE_MAX        48 /* octets of a peer's text in a detail */
#define HANDSHAKE_OK     0  /* first octet of a handshake message */
#define HELLO_PROTOCOL   1  /* first octet of ServerHello */
#define MAC_TEXT_LENGTH  12
#define REJECT_WRONG_KEY "Handshake MAC failure"

struct client_session {
    enum client_session_state state;
    struct client_session_callbacks callbacks;
    void *user; /* the owner's */
    struct channel channel;
    struct session_error error;
    struct session_peer peer;

    /* From the options. */
    char *client_info, *password, *expected_name; /* ours, may be NULL */
    bool is_encrypted, has_expected_mac;
    uint64_t expected_mac;
    int64_t (*wall_clock)(void *user);

    struct noise_handshake handshake; /* zeroed when done */
    bool has_server_hello;
    bool has_heard; /* a frame came: the peer speaks this framing */

    usec_t state_deadline; /* of the state, USEC_NEVER in READY and CLOSED */
    usec_t next_ping;      /* in READY */
    usec_t first_ping;     /* the oldest one without any message since; 0: none */
    uint64_t reports_skipped;
};

static struct text text_of(const char *text)
{
    return (struct text){text, text ? strlen(text) : 0};
}

static bool text_is(struct text text, const char *other)
{
    return text.size == strlen(other) && memcmp(text.data, other, text.size) == 0;
}

static void set_state(struct client_session *s, enum client_session_state state, usec_t deadline)
{
    assert(s->state != CLIENT_SESSION_CLOSED);
    s->state = state;
    s->state_deadline = deadline;
    if (s->callbacks.on_state)
        s->callbacks.on_state(s->user, state);
}

/* The one end. A session that is saying goodbye ends as it wished, whatever happens. */
__attribute__((format(printf, 3, 4))) static void end_session(struct client_session *s, int code,
                                                              const char *format, ...)
{
    va_list arguments;

    if (s->state == CLIENT_SESSION_CLOSED)
        return;
    s->error.code = s->state == CLIENT_SESSION_DISCONNECTING ? E_CANCELLED : code;
    va_start(arguments, format);
    (void) vsnprintf(s->error.detail, sizeof s->error.detail, format, arguments);
    va_end(arguments);
    channel_make_printable(s->error.detail);
    framer_clear(&s->channel.framer);
    noise_wipe(&s->handshake, sizeof s->handshake);
    set_state(s, CLIENT_SESSION_CLOSED, USEC_NEVER);
}

/* A message of our own. A peer that does not read what it asked for does without. */
static void send_own(struct client_session *s, const struct message *message)
{
    (void) channel_send(&s->channel, message, OUTPUT_LIMIT + CHANNEL_RESERVE);
}

static void send_simple(struct client_session *s, enum message_type type)
{
    send_own(s, &(struct message){.type = type});
}

/* Hello and Authentication, which old firmware wants even without a password. */
static void greet(struct client_session *s, usec_t now)
{
    send_own(s, &(struct message){.type = MESSAGE_HELLO_REQUEST,
                                  .hello = {.info = text_of(s->client_info),
                                            .api_major = API_MAJOR,
                                            .api_minor = API_MINOR}});
    send_own(s, &(struct message){.type = MESSAGE_AUTHENTICATION_REQUEST,
                                  .password = text_of(s->password)});
    s->state_deadline = now + CLIENT_SESSION_HELLO_TIMEOUT;
}

static void start_handshake(struct client_session *s, const struct client_session_options *options,
                            usec_t now)
{
    uint8_t message[NOISE_MESSAGE_SIZE];

    noise_start(&s->handshake, options->psk, options->ephemeral, (struct bytes){0});
    noise_write_first(&s->handshake, message);
    framer_write_handshake(&s->channel.output, -1, (struct bytes){0});
    framer_write_handshake(&s->channel.output, HANDSHAKE_OK,
                           (struct bytes){message, sizeof message});
    s->state_deadline = now + CLIENT_SESSION_HANDSHAKE_TIMEOUT;
}

static void note_peer_name(struct client_session *s, const void *name, size_t size)
{
    if (size > 0)
        channel_copy_printable(s->peer.name, sizeof s->peer.name, name, size);
}

/* True when the name may stay; compared octet by octet. An empty one says nothing. */
static bool check_name(struct client_session *s, struct text name)
{
    if (!s->expected_name || name.size == 0 || text_is(name, s->expected_name))
        return true;
    end_session(s, E_WRONG_DEVICE, "expected \"%.*s\", the device calls itself \"%s\"", QUOTE_MAX,
                s->expected_name, s->peer.name);
    return false;
}

static bool read_mac(struct text text, uint64_t *ret_mac)
{
    char copy[BLE_ADDRESS_TEXT_SIZE];

    if (text.size == 0 || text.size >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return ble_address_parse(copy, ret_mac);
}

/* True when the MAC may stay. */
static bool check_mac(struct client_session *s, struct text text)
{
    char expected[BLE_ADDRESS_TEXT_SIZE], seen[BLE_ADDRESS_TEXT_SIZE];
    uint64_t mac = 0;

    if (read_mac(text, &mac)) {
        s->peer.mac = mac;
        s->peer.has_mac = true;
    }
    if (!s->has_expected_mac || (mac == s->expected_mac && mac != 0))
        return true;
    ble_address_format(expected, s->expected_mac);
    channel_copy_printable(seen, sizeof seen, text.data, text.size);
    end_session(s, E_WRONG_DEVICE, "expected MAC %s, the device has \"%s\"", expected, seen);
    return false;
}

static void fail_rejected(struct client_session *s, struct text reason)
{
    char quote[QUOTE_MAX + 1];

    channel_copy_printable(quote, sizeof quote, reason.data, reason.size);
    if (text_is(reason, REJECT_WRONG_KEY))
        end_session(s, E_WRONG_KEY, "the device refused the handshake: %s", quote);
    else
        end_session(s, E_PROTOCOL, "the device refused the handshake: %s", quote);
}

/* Takes a text that ends in NUL; false when there is none. */
static bool pull_text(struct text *rest, struct text *ret_text)
{
    const char *end = rest->size > 0 ? memchr(rest->data, '\0', rest->size) : NULL;

    if (!end)
        return false;
    *ret_text = (struct text){rest->data, (size_t) (end - rest->data)};
    rest->size -= ret_text->size + 1;
    rest->data = end + 1;
    return true;
}

/* Old firmware says neither name nor MAC, later a name alone; what comes behind is not ours. */
static void handle_server_hello(struct client_session *s, struct bytes body)
{
    struct text rest, name, mac;

    if (body.size == 0 || body.data[0] != HELLO_PROTOCOL) {
        end_session(s, E_PROTOCOL, "the device chose encryption protocol %d, which is not known",
                    body.size == 0 ? -1 : body.data[0]);
        return;
    }
    rest = (struct text){(const char *) body.data + 1, body.size - 1};
    if (rest.size > 0 && !memchr(rest.data, '\0', rest.size)) {
        fail_rejected(s, rest);
        return;
    }
    s->has_server_hello = true;
    if (!pull_text(&rest, &name))
        return;
    note_peer_name(s, name.data, name.size);
    if (!check_name(s, name) || !pull_text(&rest, &mac) || mac.size == 0)
        return;
    (void) check_mac(s, mac);
}

static void handle_handshake(struct client_session *s, struct bytes body, usec_t now)
{
    struct noise_cipher sending, receiving;
    int cause;

    if (body.size > 0 && body.data[0] != HANDSHAKE_OK) {
        fail_rejected(s, (struct text){(const char *) body.data + 1, body.size - 1});
        return;
    }
    if (body.size != 1 + NOISE_MESSAGE_SIZE) {
        end_session(s, E_PROTOCOL, "a handshake message of %zu octets", body.size);
        return;
    }
    cause = noise_read_second(&s->handshake, body.data + 1);
    if (cause != 0) {
        end_session(s, cause == -EBADMSG ? E_WRONG_KEY : E_PROTOCOL,
                    "the device's handshake message does not fit the key");
        return;
    }
    noise_split(&s->handshake, &sending, &receiving);
    framer_secure(&s->channel.framer, &receiving, &sending, FRAMER_BODY_MAX);
    noise_wipe(&sending, sizeof sending);
    noise_wipe(&receiving, sizeof receiving);
    greet(s, now);
    set_state(s, CLIENT_SESSION_GREETING, s->state_deadline);
}

static void handle_hello(struct client_session *s, const struct message_hello *hello, usec_t now)
{
    if (s->state != CLIENT_SESSION_GREETING)
        return;
    if (hello->api_major > API_MAJOR_MAX) {
        end_session(s, E_PROTOCOL, "the device speaks API %u.%u, which is too new",
                    hello->api_major, hello->api_minor);
        return;
    }
    s->peer.api_major = hello->api_major;
    s->peer.api_minor = hello->api_minor;
    note_peer_name(s, hello->name.data, hello->name.size);
    if (!check_name(s, hello->name))
        return;
    send_simple(s, MESSAGE_DEVICE_INFO_REQUEST);
    set_state(s, CLIENT_SESSION_ASKING, now + CLIENT_SESSION_INFO_TIMEOUT);
}

static void handle_device_info(struct client_session *s, const struct message *message, usec_t now)
{
    if (s->state != CLIENT_SESSION_ASKING) {
        if (s->state == CLIENT_SESSION_READY && s->callbacks.on_message)
            s->callbacks.on_message(s->user, message, now);
        return;
    }
    if (!check_mac(s, message->device_info.mac_address))
        return;
    s->next_ping = now + CLIENT_SESSION_PING_INTERVAL;
    set_state(s, CLIENT_SESSION_READY, USEC_NEVER);
    if (s->state == CLIENT_SESSION_READY && s->callbacks.on_ready)
        s->callbacks.on_ready(s->user, &message->device_info, now);
}

static void handle_goodbye(struct client_session *s, uint32_t reason)
{
    send_simple(s, MESSAGE_DISCONNECT_RESPONSE);
    if (reason == 1)
        end_session(s, E_DISCONNECTED,
                    "the device said goodbye: its window for setting a key has closed");
    else
        end_session(s, E_DISCONNECTED, "the device said goodbye");
}

static void answer_time(struct client_session *s)
{
    if (!s->wall_clock)
        return;
    send_own(s, &(struct message){.type = MESSAGE_GET_TIME_RESPONSE,
                                  .time.epoch_seconds = (uint32_t) s->wall_clock(s->user)});
}

static void handle_parsed(struct client_session *s,
                          const struct message_parsed_advertisement *parsed, usec_t now)
{
    uint8_t data[BLE_REPORT_DATA_MAX];
    struct ble_report report;

    if (s->state != CLIENT_SESSION_READY)
        return;
    if (parsed_advertisement_to_report(parsed, data, &report) != 0)
        s->reports_skipped++;
    else if (s->callbacks.on_reports)
        s->callbacks.on_reports(s->user, &report, 1, now);
}

static void dispatch(struct client_session *s, const struct message *m, usec_t now)
{
    switch ((uint32_t) m->type) {
    case MESSAGE_PING_REQUEST:
        send_simple(s, MESSAGE_PING_RESPONSE);
        break;
    case MESSAGE_PING_RESPONSE:
        break; /* that anything came is all it says */
    case MESSAGE_GET_TIME_REQUEST:
        answer_time(s);
        break;
    case MESSAGE_DISCONNECT_REQUEST:
        handle_goodbye(s, m->disconnect_reason);
        break;
    case MESSAGE_DISCONNECT_RESPONSE:
        if (s->state == CLIENT_SESSION_DISCONNECTING)
            end_session(s, E_CANCELLED, "closed by us");
        break;
    case MESSAGE_AUTHENTICATION_RESPONSE:
        if (m->invalid_password)
            end_session(s, E_WRONG_PASSWORD, "the device does not accept the password");
        break;
    case MESSAGE_HELLO_RESPONSE:
        handle_hello(s, &m->hello, now);
        break;
    case MESSAGE_DEVICE_INFO_RESPONSE:
        handle_device_info(s, m, now);
        break;
    case MESSAGE_PARSED_ADVERTISEMENT_RESPONSE:
        handle_parsed(s, &m->parsed_advertisement, now);
        break;
    default:
        if (s->state == CLIENT_SESSION_READY && s->callbacks.on_message)
            s->callbacks.on_message(s->user, m, now);
    }
}

static void fail_malformed(struct client_session *s, uint32_t type)
{
    end_session(s, E_PROTOCOL, "message %u is malformed", type);
}

/* The hot path. */
static void handle_reports(struct client_session *s, struct bytes body, usec_t now)
{
    struct ble_report reports[REPORTS_BATCH];
    struct advertisements cursor;
    int count;

    advertisements_open(&cursor, body);
    while (s->state == CLIENT_SESSION_READY &&
           (count = advertisements_next(&cursor, reports, REPORTS_BATCH)) != 0) {
        if (count < 0) {
            fail_malformed(s, MESSAGE_RAW_ADVERTISEMENTS_RESPONSE);
            break;
        }
        if (s->callbacks.on_reports)
            s->callbacks.on_reports(s->user, reports, (size_t) count, now);
    }
    s->reports_skipped += cursor.skipped;
}

static void handle_message(struct client_session *s, const struct framer_frame *frame, usec_t now)
{
    struct message message;
    int cause;

    if (s->state == CLIENT_SESSION_READY) {
        s->next_ping = now + CLIENT_SESSION_PING_INTERVAL;
        s->first_ping = 0;
    }
    if (!codec_is_sent_by(CODEC_SERVER, frame->type))
        return; /* of newer firmware, or of nobody */
    if (frame->type == MESSAGE_RAW_ADVERTISEMENTS_RESPONSE) {
        handle_reports(s, frame->body, now);
        return;
    }
    cause = codec_decode(frame->type, frame->body, &s->channel.arena, &message);
    if (cause == 0)
        dispatch(s, &message, now);
    else if (cause != -ENOTSUP)
        fail_malformed(s, frame->type);
    arena_reset(&s->channel.arena);
}

/* The stream cannot be read on. As the first thing heard, a wrong octet says who answers there. */
static void fail_framing(struct client_session *s, enum framer_result result)
{
    struct bytes seen = framer_pending(&s->channel.framer);
    char quote[QUOTE_MAX + 1];

    if (s->has_heard || (result != FRAMER_OTHER_KIND && result != FRAMER_FOREIGN))
        end_session(s, E_PROTOCOL, "%s", channel_fault(result));
    else if (result == FRAMER_OTHER_KIND && s->is_encrypted)
        end_session(s, E_KEY_NOT_EXPECTED, "the device speaks plaintext");
    else if (result == FRAMER_OTHER_KIND)
        end_session(s, E_KEY_REQUIRED, "the device wants encryption");
    else {
        channel_copy_printable(quote, sizeof quote, seen.data, seen.size);
        end_session(s, E_NOT_A_PROXY, "the answer begins with \"%s\"", quote);
    }
}

static void handle_frame(struct client_session *s, const struct framer_frame *frame, usec_t now)
{
    s->has_heard = true;
    if (s->state != CLIENT_SESSION_SECURING)
        handle_message(s, frame, now);
    else if (!s->has_server_hello)
        handle_server_hello(s, frame->body);
    else
        handle_handshake(s, frame->body, now);
}

static void send_ping(struct client_session *s, usec_t now)
{
    send_simple(s, MESSAGE_PING_REQUEST);
    s->next_ping = now + CLIENT_SESSION_PING_INTERVAL;
    if (s->first_ping == 0)
        s->first_ping = now;
}

static void fail_timeout(struct client_session *s)
{
    switch (s->state) {
    case CLIENT_SESSION_SECURING:
        end_session(s, E_TIMEOUT, "no encrypted connection within 60 s");
        break;
    case CLIENT_SESSION_GREETING:
        end_session(s, E_TIMEOUT, "no answer to Hello within 30 s");
        break;
    case CLIENT_SESSION_ASKING:
        end_session(s, E_TIMEOUT, "no DeviceInfo within 60 s");
        break;
    case CLIENT_SESSION_DISCONNECTING:
        end_session(s, E_CANCELLED, "closed by us, without an answer");
        break;
    case CLIENT_SESSION_READY:
    case CLIENT_SESSION_CLOSED:
        break;
    }
}

struct client_session *client_session_new(const struct client_session_options *options,
                                          const struct client_session_callbacks *callbacks,
                                          void *user, usec_t now)
{
    struct client_session *s = xnew(struct client_session, 1);

    s->callbacks = *callbacks;
    s->user = user;
    s->client_info = memory_copy_text(options->client_info);
    s->password = memory_copy_text(options->password);
    s->expected_name = memory_copy_text(options->expected_name);
    s->has_expected_mac = options->has_expected_mac;
    s->expected_mac = options->expected_mac;
    s->is_encrypted = options->is_encrypted;
    s->wall_clock = options->wall_clock;
    if (s->is_encrypted) {
        channel_init(&s->channel, FRAMER_NOISE, FRAMER_BODY_MAX);
        s->state = CLIENT_SESSION_SECURING;
        start_handshake(s, options, now);
    } else {
        channel_init(&s->channel, FRAMER_PLAINTEXT, FRAMER_BODY_MAX);
        s->state = CLIENT_SESSION_GREETING;
        greet(s, now);
    }
    return s;
}

void client_session_free(struct client_session *s)
{
    if (!s)
        return;
    channel_done(&s->channel);
    noise_wipe(&s->handshake, sizeof s->handshake);
    if (s->password)
        noise_wipe(s->password, strlen(s->password));
    free(s->client_info);
    free(s->password);
    free(s->expected_name);
    free(s);
}

uint8_t *client_session_input(struct client_session *s, size_t *ret_size)
{
    return framer_input(&s->channel.framer, ret_size);
}

int client_session_received(struct client_session *s, size_t size, usec_t now)
{
    struct framer_frame frame;
    enum framer_result result;

    if (s->state == CLIENT_SESSION_CLOSED)
        return s->error.code;
    framer_received(&s->channel.framer, size);
    while (s->state != CLIENT_SESSION_CLOSED) {
        result = framer_next(&s->channel.framer, &frame);
        if (result == FRAMER_MORE)
            break;
        if (result == FRAMER_FRAME)
            handle_frame(s, &frame, now);
        else
            fail_framing(s, result);
    }
    return s->error.code;
}

void client_session_end_of_input(struct client_session *s, int cause, usec_t now)
{
    (void) now;
    if (cause != 0 && cause != -ECONNRESET && cause != -EPIPE)
        end_session(s, cause, "the connection failed: %s", error_sentence(cause));
    else if (s->state != CLIENT_SESSION_SECURING)
        end_session(s, E_CLOSED, "the device closed the connection");
    else if (s->has_server_hello)
        end_session(s, E_CLOSED, "the device closed the connection during the handshake");
    else if (cause != 0)
        end_session(s, E_CLOSED,
                    "the device dropped the connection upon the encrypted hello; it may speak "
                    "plaintext, or be out of connections");
    else
        end_session(s, E_CLOSED, "the device closed the connection upon the encrypted hello");
}

const uint8_t *client_session_output(const struct client_session *s, size_t *ret_size)
{
    *ret_size = buffer_size(&s->channel.output);
    return *ret_size > 0 ? buffer_front(&s->channel.output) : NULL;
}

void client_session_sent(struct client_session *s, size_t size)
{
    buffer_consume(&s->channel.output, size);
}

int client_session_send(struct client_session *s, const struct message *message)
{
    if (s->state != CLIENT_SESSION_READY)
        return -ENOTCONN;
    return channel_send(&s->channel, message, OUTPUT_LIMIT);
}

void client_session_disconnect(struct client_session *s, usec_t now)
{
    if (s->state == CLIENT_SESSION_DISCONNECTING)
        return;
    if (s->state != CLIENT_SESSION_READY) {
        end_session(s, E_CANCELLED, "closed by us");
        return;
    }
    send_simple(s, MESSAGE_DISCONNECT_REQUEST);
    set_state(s, CLIENT_SESSION_DISCONNECTING, now + CLIENT_SESSION_DISCONNECT_TIMEOUT);
}

void client_session_tick(struct client_session *s, usec_t now)
{
    if (now >= s->state_deadline) {
        fail_timeout(s);
        return;
    }
    if (s->state != CLIENT_SESSION_READY)
        return;
    if (s->first_ping != 0 && now >= s->first_ping + CLIENT_SESSION_PONG_TIMEOUT)
        end_session(s, E_PING_TIMEOUT, "nothing came for 90 s after a ping");
    else if (now >= s->next_ping)
        send_ping(s, now);
}

usec_t client_session_deadline(const struct client_session *s)
{
    usec_t dead;

    if (s->state != CLIENT_SESSION_READY)
        return s->state_deadline;
    dead = s->first_ping != 0 ? s->first_ping + CLIENT_SESSION_PONG_TIMEOUT : USEC_NEVER;
    return dead < s->next_ping ? dead : s->next_ping;
}

enum client_session_state client_session_state(const struct client_session *s)
{
    return s->state;
}

const struct session_error *client_session_error(const struct client_session *s)
{
    return &s->error;
}

const struct session_peer *client_session_peer(const struct client_session *s)
{
    return &s->peer;
}

uint64_t client_session_reports_skipped(const struct client_session *s)
{
    return s->reports_skipped;
}
