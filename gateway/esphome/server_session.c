/* The story. A plaintext session waits for Hello at once. A Noise session answers the client's
 * first frame with ServerHello, before any key is looked at, since clients read name and MAC out of
 * it with a key they made up; the second frame decides about the key, with the handshake message or
 * a reject in the words of firmware, on which clients depend. Hello then makes the session ready,
 * or, for the firmware of old and for a password, message 3 does.
 *
 * A client that sends anything else before it may is dropped; so is one that is not through after
 * 60 s, or silent for 150 s. A last word (a reject, DisconnectResponse) is written out in FLUSHING,
 * for at most 10 s. When the client does not read, what does not fit is dropped, as firmware does.
 */
#include "server_session.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "channel.h"
#include "codec.h"

#define NAME_MAX_SIZE        31
#define CLIENT_INFO_MAX      128
#define OUTPUT_LIMIT         ((size_t) 65536) /* when the options say 0 */
#define LAST_WORD_TIMEOUT    (10 * USEC_PER_SEC)
#define HELLO_PROTOCOL       1 /* first octet of ServerHello: NNpsk0 */
#define HANDSHAKE_OK         0 /* first octet of a handshake message */
#define HANDSHAKE_REJECTED   1
#define API_HAS_CAPABILITIES 15 /* minor version with messages 149 and 150 */

#define REJECT_WRONG_KEY  "Handshake MAC failure"
#define REJECT_FAILED     "Handshake error"
#define REJECT_INDICATOR  "Bad indicator byte"
#define REJECT_LENGTH     "Bad handshake packet len"
#define REJECT_EMPTY      "Empty handshake message"
#define REJECT_ERROR_BYTE "Bad handshake error byte"

struct server_session {
    enum server_session_state state;
    struct server_session_callbacks callbacks;
    void *user; /* the owner's */
    struct channel channel;
    struct session_error error;

    /* From the options; the texts are ours. */
    char name[NAME_MAX_SIZE + 1];
    uint64_t mac;
    char *server_info, *password;
    uint32_t api_major, api_minor;
    bool is_encrypted, is_legacy_hello, asks_time;
    uint8_t psk[NOISE_KEY_SIZE], ephemeral[NOISE_KEY_SIZE]; /* wiped after the handshake */
    size_t output_limit;
    struct message_device_info device_info;
    char *device_texts; /* what device_info points into */

    struct noise_handshake handshake;
    bool has_client_hello;
    uint32_t client_api_minor;
    char client_info[CLIENT_INFO_MAX + 1];

    usec_t setup_deadline; /* until READY */
    usec_t last_received;
    bool has_pinged;  /* since last_received */
    usec_t last_word; /* end of DISCONNECTING and FLUSHING */
};

static struct text text_of(const char *text)
{
    return (struct text){text, text ? strlen(text) : 0};
}

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *) text, strlen(text)};
}

static bool is_over(const struct server_session *s)
{
    return s->state == SERVER_SESSION_FLUSHING || s->state == SERVER_SESSION_CLOSED;
}

static void set_state(struct server_session *s, enum server_session_state state)
{
    assert(s->state != SERVER_SESSION_CLOSED);
    s->state = state;
    if (s->callbacks.on_state)
        s->callbacks.on_state(s->user, state);
}

static void set_error(struct server_session *s, int code, const char *detail)
{
    if (s->error.code != 0)
        return;
    s->error.code = s->state == SERVER_SESSION_DISCONNECTING ? E_CANCELLED : code;
    channel_copy_printable(s->error.detail, sizeof s->error.detail, detail, strlen(detail));
}

static void wipe_keys(struct server_session *s)
{
    noise_wipe(&s->handshake, sizeof s->handshake);
    noise_wipe(s->psk, sizeof s->psk);
    noise_wipe(s->ephemeral, sizeof s->ephemeral);
}

/* Ends at once. */
static void end_session(struct server_session *s, int code, const char *detail)
{
    if (s->state == SERVER_SESSION_CLOSED)
        return;
    set_error(s, code, detail);
    framer_clear(&s->channel.framer);
    wipe_keys(s);
    set_state(s, SERVER_SESSION_CLOSED);
}

/* Ends as soon as what waits is written. */
static void finish_session(struct server_session *s, int code, const char *detail, usec_t now)
{
    set_error(s, code, detail);
    framer_clear(&s->channel.framer);
    wipe_keys(s);
    s->last_word = now + LAST_WORD_TIMEOUT;
    set_state(s, SERVER_SESSION_FLUSHING);
}

static void reject(struct server_session *s, const char *reason, int code, usec_t now)
{
    framer_write_handshake(&s->channel.output, HANDSHAKE_REJECTED, bytes_of(reason));
    finish_session(s, code, reason, now);
}

static void send_own(struct server_session *s, const struct message *message)
{
    (void) channel_send(&s->channel, message, s->output_limit + CHANNEL_RESERVE);
}

static void send_simple(struct server_session *s, enum message_type type)
{
    send_own(s, &(struct message){.type = type});
}

/* Protocol, name NUL, MAC NUL. */
static void send_server_hello(struct server_session *s)
{
    char body[NAME_MAX_SIZE + 1 + 12 + 1];
    int size = snprintf(body, sizeof body, "%s%c%012llx", s->name, '\0',
                        (unsigned long long) (s->mac & UINT64_C(0xffffffffffff)));

    assert(size > 0 && (size_t) size < sizeof body);
    framer_write_handshake(&s->channel.output, HELLO_PROTOCOL,
                           (struct bytes){(const uint8_t *) body, (size_t) size + 1});
}

static void handle_client_hello(struct server_session *s, struct bytes body)
{
    s->has_client_hello = true;
    noise_start(&s->handshake, s->psk, s->ephemeral, body);
    send_server_hello(s);
}

static void handle_handshake(struct server_session *s, struct bytes body, usec_t now)
{
    uint8_t answer[NOISE_MESSAGE_SIZE];
    struct noise_cipher receiving, sending;

    if (body.size == 0) {
        reject(s, REJECT_EMPTY, E_PROTOCOL, now);
    } else if (body.data[0] != HANDSHAKE_OK) {
        reject(s, REJECT_ERROR_BYTE, E_PROTOCOL, now);
    } else if (body.size != 1 + NOISE_MESSAGE_SIZE) {
        reject(s, REJECT_FAILED, E_PROTOCOL, now);
    } else if (noise_read_first(&s->handshake, body.data + 1) != 0) {
        reject(s, REJECT_WRONG_KEY, E_WRONG_KEY, now);
    } else if (noise_write_second(&s->handshake, answer) != 0) {
        reject(s, REJECT_FAILED, E_PROTOCOL, now);
    } else {
        framer_write_handshake(&s->channel.output, HANDSHAKE_OK,
                               (struct bytes){answer, sizeof answer});
        noise_split(&s->handshake, &receiving, &sending);
        framer_secure(&s->channel.framer, &receiving, &sending, FRAMER_SERVER_MAX);
        noise_wipe(&receiving, sizeof receiving);
        noise_wipe(&sending, sizeof sending);
        wipe_keys(s);
        set_state(s, SERVER_SESSION_GREETING);
    }
}

static void become_ready(struct server_session *s)
{
    set_state(s, SERVER_SESSION_READY);
    if (s->state == SERVER_SESSION_READY && s->asks_time)
        send_simple(s, MESSAGE_GET_TIME_REQUEST);
}

static bool needs_authentication(const struct server_session *s)
{
    return s->is_legacy_hello || s->password;
}

static void handle_hello(struct server_session *s, const struct message_hello *hello)
{
    s->client_api_minor = hello->api_minor;
    channel_copy_printable(s->client_info, sizeof s->client_info, hello->info.data,
                           hello->info.size);
    send_own(s, &(struct message){.type = MESSAGE_HELLO_RESPONSE,
                                  .hello = {.info = text_of(s->server_info),
                                            .name = text_of(s->name),
                                            .api_major = s->api_major,
                                            .api_minor = s->api_minor}});
    if (s->state != SERVER_SESSION_GREETING)
        return;
    if (needs_authentication(s))
        set_state(s, SERVER_SESSION_CONNECTED);
    else
        become_ready(s);
}

static bool is_right_password(const struct server_session *s, struct text password)
{
    return !s->password || (password.size == strlen(s->password) &&
                            memcmp(password.data, s->password, password.size) == 0);
}

/* A wrong password is answered and leaves the client as it is; it is the one to hang up. */
static void handle_authentication(struct server_session *s, struct text password)
{
    const bool is_right = is_right_password(s, password);

    if (!needs_authentication(s))
        return;
    send_own(s, &(struct message){.type = MESSAGE_AUTHENTICATION_RESPONSE,
                                  .invalid_password = !is_right});
    if (is_right && s->state == SERVER_SESSION_CONNECTED)
        become_ready(s);
}

static void answer_capabilities(struct server_session *s)
{
    if (s->api_minor < API_HAS_CAPABILITIES)
        return;
    send_own(s, &(struct message){
                        .type = MESSAGE_DEVICE_CAPABILITIES_RESPONSE,
                        .capabilities = {
                                .bluetooth_proxy_feature_flags =
                                        s->device_info.bluetooth_proxy_feature_flags,
                                .bluetooth_mac_address = s->device_info.bluetooth_mac_address,
                        }});
}

/* Messages that may come as soon as the transport is up. False: not one of them. */
static bool dispatch_always(struct server_session *s, const struct message *m, usec_t now)
{
    switch ((uint32_t) m->type) {
    case MESSAGE_HELLO_REQUEST:
        handle_hello(s, &m->hello);
        return true;
    case MESSAGE_PING_REQUEST:
        send_simple(s, MESSAGE_PING_RESPONSE);
        return true;
    case MESSAGE_PING_RESPONSE:
        return true;
    case MESSAGE_DISCONNECT_REQUEST:
        send_simple(s, MESSAGE_DISCONNECT_RESPONSE);
        finish_session(s, E_DISCONNECTED, "the client said goodbye", now);
        return true;
    case MESSAGE_DISCONNECT_RESPONSE:
        if (s->state == SERVER_SESSION_DISCONNECTING)
            end_session(s, E_CANCELLED, "closed by us");
        return true;
    default:
        return false;
    }
}

/* Messages that need Hello, but no password. False: not one of them. */
static bool dispatch_greeted(struct server_session *s, const struct message *m)
{
    switch ((uint32_t) m->type) {
    case MESSAGE_AUTHENTICATION_REQUEST:
        handle_authentication(s, m->password);
        return true;
    case MESSAGE_DEVICE_INFO_REQUEST:
        send_own(s, &(struct message){.type = MESSAGE_DEVICE_INFO_RESPONSE,
                                      .device_info = s->device_info});
        return true;
    default:
        return false;
    }
}

static void dispatch_ready(struct server_session *s, const struct message *m, usec_t now)
{
    switch ((uint32_t) m->type) {
    case MESSAGE_LIST_ENTITIES_REQUEST:
        send_simple(s, MESSAGE_LIST_ENTITIES_DONE_RESPONSE);
        break;
    case MESSAGE_SUBSCRIBE_STATES_REQUEST:
    case MESSAGE_SUBSCRIBE_LOGS_REQUEST:
    case MESSAGE_SUBSCRIBE_HOMEASSISTANT_SERVICES_REQUEST:
    case MESSAGE_SUBSCRIBE_HOME_ASSISTANT_STATES_REQUEST:
    case MESSAGE_GET_TIME_RESPONSE:
        break; /* accepted; there are no states, logs or services to tell of */
    case MESSAGE_DEVICE_CAPABILITIES_REQUEST:
        answer_capabilities(s);
        break;
    case MESSAGE_NOISE_SET_KEY_REQUEST:
        send_own(s, &(struct message){.type = MESSAGE_NOISE_SET_KEY_RESPONSE, .success = false});
        break;
    default:
        if (s->callbacks.on_message)
            s->callbacks.on_message(s->user, m, now);
    }
}

static void dispatch(struct server_session *s, const struct message *m, usec_t now)
{
    if (dispatch_always(s, m, now) || s->state == SERVER_SESSION_DISCONNECTING)
        return;
    if (s->state == SERVER_SESSION_GREETING) {
        end_session(s, E_PROTOCOL, "the client did not begin with Hello");
        return;
    }
    if (dispatch_greeted(s, m))
        return;
    if (s->state == SERVER_SESSION_CONNECTED) {
        end_session(s, E_PROTOCOL, "the client asked for something without authentication");
        return;
    }
    dispatch_ready(s, m, now);
}

static void handle_message(struct server_session *s, const struct framer_frame *frame, usec_t now)
{
    struct message message;
    int cause;

    s->last_received = now;
    s->has_pinged = false;
    if (!codec_is_sent_by(CODEC_CLIENT, frame->type))
        return;
    cause = codec_decode(frame->type, frame->body, &s->channel.arena, &message);
    if (cause == 0)
        dispatch(s, &message, now);
    else if (cause != -ENOTSUP)
        end_session(s, E_PROTOCOL, "the client sent a malformed message");
    arena_reset(&s->channel.arena);
}

/* The stream cannot be read on. Before the first message, firmware says why. */
static void fail_framing(struct server_session *s, enum framer_result result, usec_t now)
{
    const bool is_indicator = result == FRAMER_OTHER_KIND || result == FRAMER_FOREIGN;

    if (s->state == SERVER_SESSION_SECURING && is_indicator) {
        reject(s, REJECT_INDICATOR, result == FRAMER_FOREIGN ? E_PROTOCOL : E_KEY_REQUIRED, now);
    } else if (s->state == SERVER_SESSION_SECURING && result == FRAMER_OVERSIZE) {
        reject(s, REJECT_LENGTH, E_PROTOCOL, now);
    } else if (!s->is_encrypted && s->state == SERVER_SESSION_GREETING && is_indicator) {
        buffer_append_char(&s->channel.output, FRAMER_PLAINTEXT);
        buffer_append_text(&s->channel.output, REJECT_INDICATOR);
        finish_session(s, result == FRAMER_FOREIGN ? E_PROTOCOL : E_KEY_NOT_EXPECTED,
                       REJECT_INDICATOR, now);
    } else {
        end_session(s, E_PROTOCOL, channel_fault(result));
    }
}

static void handle_frame(struct server_session *s, const struct framer_frame *frame, usec_t now)
{
    if (s->state != SERVER_SESSION_SECURING)
        handle_message(s, frame, now);
    else if (!s->has_client_hello)
        handle_client_hello(s, frame->body);
    else
        handle_handshake(s, frame->body, now);
}

/* The texts of device_info, in the order in which copy_device_info() goes through them. */
static struct text *device_text(struct message_device_info *info, size_t index)
{
    struct text *const texts[] = {
            &info->name,
            &info->mac_address,
            &info->esphome_version,
            &info->compilation_time,
            &info->model,
            &info->manufacturer,
            &info->friendly_name,
            &info->suggested_area,
            &info->bluetooth_mac_address,
            &info->project_name,
            &info->project_version,
    };

    return index < ARRAY_SIZE(texts) ? texts[index] : NULL;
}

static void copy_device_info(struct server_session *s, const struct message_device_info *info)
{
    struct text *text;
    size_t size = 0;
    char *out;

    s->device_info = *info;
    for (size_t i = 0; (text = device_text(&s->device_info, i)); i++)
        size += text->size;
    out = s->device_texts = xnew(char, size);
    for (size_t i = 0; (text = device_text(&s->device_info, i)); i++) {
        if (text->size > 0)
            memcpy(out, text->data, text->size);
        text->data = out;
        out += text->size;
    }
}

static usec_t earlier(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

struct server_session *server_session_new(const struct server_session_options *options,
                                          const struct server_session_callbacks *callbacks,
                                          void *user, usec_t now)
{
    struct server_session *s = xnew(struct server_session, 1);

    s->callbacks = *callbacks;
    s->user = user;
    (void) snprintf(s->name, sizeof s->name, "%s", options->name);
    s->mac = options->mac;
    s->server_info = memory_copy_text(options->server_info);
    s->password = memory_copy_text(options->password);
    s->api_major = options->api_major;
    s->api_minor = options->api_minor;
    s->is_encrypted = options->is_encrypted;
    s->is_legacy_hello = options->is_legacy_hello;
    s->asks_time = options->asks_time;
    s->output_limit = options->output_limit ? options->output_limit : OUTPUT_LIMIT;
    copy_device_info(s, &options->device_info);
    s->setup_deadline = now + SERVER_SESSION_SETUP_TIMEOUT;
    s->last_received = now;
    if (s->is_encrypted) {
        memcpy(s->psk, options->psk, sizeof s->psk);
        memcpy(s->ephemeral, options->ephemeral, sizeof s->ephemeral);
        channel_init(&s->channel, FRAMER_NOISE, FRAMER_HANDSHAKE_MAX);
        s->state = SERVER_SESSION_SECURING;
    } else {
        channel_init(&s->channel, FRAMER_PLAINTEXT, FRAMER_SERVER_MAX);
        s->state = SERVER_SESSION_GREETING;
    }
    return s;
}

void server_session_free(struct server_session *s)
{
    if (!s)
        return;
    channel_done(&s->channel);
    wipe_keys(s);
    if (s->password)
        noise_wipe(s->password, strlen(s->password));
    free(s->server_info);
    free(s->password);
    free(s->device_texts);
    free(s);
}

uint8_t *server_session_input(struct server_session *s, size_t *ret_size)
{
    return framer_input(&s->channel.framer, ret_size);
}

int server_session_received(struct server_session *s, size_t size, usec_t now)
{
    struct framer_frame frame;
    enum framer_result result;

    if (is_over(s))
        return s->error.code;
    framer_received(&s->channel.framer, size);
    while (!is_over(s)) {
        result = framer_next(&s->channel.framer, &frame);
        if (result == FRAMER_MORE)
            break;
        if (result == FRAMER_FRAME)
            handle_frame(s, &frame, now);
        else
            fail_framing(s, result, now);
    }
    return s->error.code;
}

void server_session_end_of_input(struct server_session *s, int cause, usec_t now)
{
    (void) now;
    if (cause != 0 && cause != -ECONNRESET && cause != -EPIPE)
        end_session(s, cause, error_sentence(cause));
    else
        end_session(s, E_CLOSED, "the client closed the connection");
}

const uint8_t *server_session_output(const struct server_session *s, size_t *ret_size)
{
    *ret_size = buffer_size(&s->channel.output);
    return *ret_size > 0 ? buffer_front(&s->channel.output) : NULL;
}

void server_session_sent(struct server_session *s, size_t size)
{
    buffer_consume(&s->channel.output, size);
    if (s->state == SERVER_SESSION_FLUSHING && buffer_size(&s->channel.output) == 0)
        set_state(s, SERVER_SESSION_CLOSED);
}

int server_session_send(struct server_session *s, const struct message *message)
{
    if (s->state != SERVER_SESSION_READY)
        return -ENOTCONN;
    return channel_send(&s->channel, message, s->output_limit);
}

void server_session_disconnect(struct server_session *s, usec_t now)
{
    if (is_over(s) || s->state == SERVER_SESSION_DISCONNECTING)
        return;
    if (s->state == SERVER_SESSION_SECURING) {
        end_session(s, E_CANCELLED, "closed by us");
        return;
    }
    send_simple(s, MESSAGE_DISCONNECT_REQUEST);
    s->last_word = now + LAST_WORD_TIMEOUT;
    set_state(s, SERVER_SESSION_DISCONNECTING);
}

void server_session_tick(struct server_session *s, usec_t now)
{
    switch (s->state) {
    case SERVER_SESSION_SECURING:
    case SERVER_SESSION_GREETING:
    case SERVER_SESSION_CONNECTED:
        if (now >= s->setup_deadline)
            end_session(s, E_TIMEOUT, "the client was not through within 60 s");
        break;
    case SERVER_SESSION_READY:
        if (now >= s->last_received + SERVER_SESSION_DEAD_AFTER) {
            end_session(s, E_PING_TIMEOUT, "the client was silent for 150 s");
        } else if (now >= s->last_received + SERVER_SESSION_PING_AFTER && !s->has_pinged) {
            s->has_pinged = true;
            send_simple(s, MESSAGE_PING_REQUEST);
        }
        break;
    case SERVER_SESSION_DISCONNECTING:
    case SERVER_SESSION_FLUSHING:
        if (now >= s->last_word)
            end_session(s, E_CANCELLED, "closed by us, without an answer");
        break;
    case SERVER_SESSION_CLOSED:
        break;
    }
}

usec_t server_session_deadline(const struct server_session *s)
{
    switch (s->state) {
    case SERVER_SESSION_SECURING:
    case SERVER_SESSION_GREETING:
    case SERVER_SESSION_CONNECTED:
        return s->setup_deadline;
    case SERVER_SESSION_READY:
        return earlier(s->last_received + SERVER_SESSION_DEAD_AFTER,
                       s->has_pinged ? USEC_NEVER : s->last_received + SERVER_SESSION_PING_AFTER);
    case SERVER_SESSION_DISCONNECTING:
    case SERVER_SESSION_FLUSHING:
        return s->last_word;
    case SERVER_SESSION_CLOSED:
        break;
    }
    return USEC_NEVER;
}

enum server_session_state server_session_state(const struct server_session *s)
{
    return s->state;
}

const struct session_error *server_session_error(const struct server_session *s)
{
    return &s->error;
}

uint32_t server_session_client_api_minor(const struct server_session *s)
{
    return s->client_api_minor;
}

const char *server_session_client_info(const struct server_session *s)
{
    return s->client_info;
}
