/* The story: a client connects and gets a place in the model and a session; what the session has to
 * say is written at once where the socket takes it, and the rest is handed to libuv, during which
 * the session's own output grows up to its limit and then drops, as firmware does.
 *
 * Faults are the point of it. Those that happen once act on the clients of the moment. The lasting
 * ones are an end time each, asked where they matter: a rebooting station has no listener, a
 * stalled one touches no socket, a half-open one reads and forgets; its clients can never be taken
 * up again (the stream has a hole), so they are closed when the fault ends. A port stays ours
 * during a reboot through a socket that is bound to it and does not listen: connecting is refused,
 * and nobody else can be given the number. */
#include "station.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "ble/address.h"
#include "dice.h"
#include "esphome/server_session.h"

#define OUTPUT_LIMIT ((size_t) 16 * 1024) /* about what an ESP32 can queue */
#define BACKLOG      16
#define SCRATCH_SIZE 4096

struct connection {
    uv_tcp_t tcp;
    struct station *station;
    struct connection *next;
    struct server_session *session; /* NULL: accepted only to be closed */
    unsigned client;                /* its number in the model */
    unsigned writes;                /* handed to libuv and not done */
    bool is_swallowed;              /* the stream has a hole: it will never be read again */
    bool is_ending;                 /* closes when what waits is written */
};

struct station {
    uv_loop_t *loop;
    const struct scenario_proxy *proxy; /* borrowed from the scenario, outlives us */
    struct proxy_model *model;
    uv_tcp_t listener;
    bool is_listener_open;
    bool is_listener_closing; /* libuv still knows the handle */
    bool is_closing;
    unsigned handles; /* listener and connections that libuv still knows */
    int guard;        /* bound to our port, never listens; -1 before */
    uint16_t port;
    struct connection *connections;
    usec_t faults[FAULT_COUNT]; /* when each ends; 0: is not there */
    struct dice dice;
    usec_t now; /* of the last call from outside */
    uint64_t accepted;
    char scratch[SCRATCH_SIZE]; /* where half-open clients' octets go */
};

struct writing {
    uv_write_t request;
    struct connection *connection;
    uint8_t octets[];
};

bool station_has_fault(const struct station *s, enum fault_kind kind)
{
    return s->faults[kind] != 0;
}

static struct connection *find_client(const struct station *s, unsigned client)
{
    for (struct connection *c = s->connections; c != NULL; c = c->next)
        if (c->session != NULL && c->client == client)
            return c;
    return NULL;
}

/* ---- the end of a connection ---- */

static void maybe_free(struct station *s)
{
    if (!s->is_closing || s->handles > 0)
        return;
    if (s->guard >= 0)
        (void) close(s->guard); /* nothing was written to it */
    proxy_model_free(s->model);
    free(s);
}

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    struct station *s = c->station;

    server_session_free(c->session);
    free(c);
    s->handles--;
    maybe_free(s);
}

static void close_connection(struct connection *c)
{
    struct station *s = c->station;
    struct connection **link = &s->connections;

    if (uv_is_closing((uv_handle_t *) &c->tcp))
        return;
    while (*link != NULL && *link != c)
        link = &(*link)->next;
    if (*link == c)
        *link = c->next;
    if (c->session != NULL)
        proxy_model_leave(s->model, c->client, s->now);
    uv_close((uv_handle_t *) &c->tcp, on_connection_closed);
}

static void close_connections(struct station *s, bool is_only_swallowed)
{
    struct connection *next;
    for (struct connection *c = s->connections; c != NULL; c = next) {
        next = c->next;
        if (!is_only_swallowed || c->is_swallowed)
            close_connection(c);
    }
}

/* ---- writing ---- */

static bool is_paused(const struct connection *c)
{
    return c->is_swallowed || station_has_fault(c->station, FAULT_STALL) ||
           station_has_fault(c->station, FAULT_HALF_OPEN);
}

static void flush_connection(struct connection *c);

static void on_written(uv_write_t *request, int status)
{
    struct writing *w = (struct writing *) (void *) request;
    struct connection *c = w->connection;

    free(w);
    c->writes--;
    if (uv_is_closing((uv_handle_t *) &c->tcp))
        return;
    if (status < 0)
        close_connection(c);
    else
        flush_connection(c);
}

static void write_octets(struct connection *c, const uint8_t *octets, size_t size)
{
    struct writing *w = memory_zalloc(1, sizeof(struct writing) + size);
    uv_buf_t buffer = uv_buf_init((char *) w->octets, (unsigned) size);

    memcpy(w->octets, octets, size);
    w->connection = c;
    if (uv_write(&w->request, (uv_stream_t *) &c->tcp, &buffer, 1, on_written) != 0) {
        free(w);
        return;
    }
    c->writes++;
}

/* Writes what the socket takes and gives the rest to libuv. False when the connection is broken. */
static bool write_output(struct connection *c)
{
    size_t size;
    const uint8_t *octets = server_session_output(c->session, &size);

    if (size == 0 || c->writes > 0)
        return true;
    uv_buf_t buffer = uv_buf_init((char *) (uintptr_t) octets, (unsigned) size);
    int written = uv_try_write((uv_stream_t *) &c->tcp, &buffer, 1);
    if (written < 0 && written != UV_EAGAIN)
        return false;
    if (written > 0)
        server_session_sent(c->session, (size_t) written);
    octets = server_session_output(c->session, &size);
    if (size > 0) {
        write_octets(c, octets, size);
        server_session_sent(c->session, size);
    }
    return true;
}

/* Writes what waits, and closes where nothing is to come any more. */
static void flush_connection(struct connection *c)
{
    if (is_paused(c))
        return;
    if (!c->is_ending && !write_output(c)) {
        close_connection(c);
        return;
    }
    enum server_session_state state = server_session_state(c->session);
    bool is_over =
            c->is_ending || state == SERVER_SESSION_FLUSHING || state == SERVER_SESSION_CLOSED;
    if (is_over && c->writes == 0) /* the last words are out */
        close_connection(c);
}

static int on_model_send(void *user, unsigned client, const struct message *message)
{
    struct connection *c = find_client(user, client);
    return c == NULL ? -ENOTCONN : server_session_send(c->session, message);
}

/* ---- reading ---- */

static void on_session_message(void *user, const struct message *message, usec_t now)
{
    struct connection *c = user;
    proxy_model_receive(c->station->model, c->client, message, now);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    struct connection *c = handle->data;
    size_t size = SCRATCH_SIZE;
    char *octets = c->station->scratch;

    (void) suggested;
    if (!is_paused(c))
        octets = (char *) server_session_input(c->session, &size);
    *ret_buffer = uv_buf_init(octets, (unsigned) size);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct connection *c = stream->data;

    (void) buffer;
    if (size == 0)
        return;
    if (size < 0) {
        close_connection(c);
        return;
    }
    if (is_paused(c)) {
        c->is_swallowed = true;
        return;
    }
    struct station *s = c->station;
    s->now = clock_now();
    (void) server_session_received(c->session, (size_t) size, s->now);
    if (s->now >= proxy_model_deadline(s->model)) /* what takes no time does not wait for a tick */
        proxy_model_tick(s->model, s->now);
    flush_connection(c);
}

/* ---- a new client ---- */

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

static void describe_device(const struct station *s, uint64_t mac, const char *name,
                            char mac_text[BLE_ADDRESS_TEXT_SIZE],
                            char bluetooth_text[BLE_ADDRESS_TEXT_SIZE],
                            struct message_device_info *ret_info)
{
    const struct proxy_profile *profile = s->proxy->model.profile;

    ble_address_format(mac_text, mac);
    ble_address_format(bluetooth_text, mac + 2);
    *ret_info = (struct message_device_info){
            .uses_password = s->proxy->password[0] != '\0',
            .api_encryption_supported = s->proxy->is_encrypted,
            .legacy_bluetooth_proxy_version = profile->legacy_version,
            .bluetooth_proxy_feature_flags = s->proxy->model.features,
            .name = text_of(name),
            .mac_address = text_of(mac_text),
            .esphome_version = text_of(profile->esphome_version),
            .compilation_time = text_of("Aug 20 2026, 12:00:00"),
            .model = text_of("esp32dev"),
            .manufacturer = text_of("Espressif"),
            .friendly_name = text_of(s->proxy->friendly_name),
            .suggested_area = text_of(s->proxy->room),
            .bluetooth_mac_address = text_of(profile->says_bluetooth_mac ? bluetooth_text : ""),
            .project_name = text_of("esphome.bluetooth-proxy"),
            .project_version = text_of("1.0"),
    };
}

static struct server_session *new_session(struct connection *c, usec_t now)
{
    static const struct server_session_callbacks CALLBACKS = {.on_message = on_session_message};
    const struct station *s = c->station;
    const struct proxy_profile *profile = s->proxy->model.profile;
    bool is_other = station_has_fault(s, FAULT_BAD_MAC);
    char mac_text[BLE_ADDRESS_TEXT_SIZE], bluetooth_text[BLE_ADDRESS_TEXT_SIZE];
    struct server_session_options options = {
            .name = is_other ? "impostor" : s->proxy->name,
            .mac = is_other ? s->proxy->mac ^ 0xffff00 : s->proxy->mac,
            .server_info = profile->server_info,
            .api_major = 1,
            .api_minor = profile->api_minor,
            .is_encrypted = s->proxy->is_encrypted,
            .password = s->proxy->password[0] != '\0' ? s->proxy->password : NULL,
            .is_legacy_hello = profile->is_legacy_hello,
            .output_limit = OUTPUT_LIMIT,
    };
    memcpy(options.psk, s->proxy->key, KEY_SIZE);
    if (station_has_fault(s, FAULT_WRONG_KEY))
        options.psk[0] ^= 0xff;
    if (getrandom(options.ephemeral, sizeof(options.ephemeral), 0) !=
        (ssize_t) sizeof(options.ephemeral))
        return NULL;
    describe_device(s, options.mac, options.name, mac_text, bluetooth_text, &options.device_info);
    return server_session_new(&options, &CALLBACKS, c, now);
}

/* Gives the accepted socket a place in the model and a session; false when it is to be closed. */
static bool welcome(struct connection *c)
{
    struct station *s = c->station;
    int client;

    if (station_has_fault(s, FAULT_REFUSE))
        return false;
    client = proxy_model_join(s->model);
    if (client < 0)
        return false;
    c->client = (unsigned) client;
    c->session = new_session(c, s->now);
    if (c->session == NULL)
        proxy_model_leave(s->model, c->client, s->now);
    return c->session != NULL;
}

static void on_connect(uv_stream_t *listener, int status)
{
    struct station *s = listener->data;

    if (status < 0 || s->is_closing)
        return;
    struct connection *c = xnew(struct connection, 1);
    c->station = s;
    if (uv_tcp_init(s->loop, &c->tcp) != 0) {
        free(c);
        return;
    }
    c->tcp.data = c;
    s->handles++;
    s->accepted++;
    s->now = clock_now();
    if (uv_accept(listener, (uv_stream_t *) &c->tcp) != 0 || !welcome(c)) {
        close_connection(c);
        return;
    }
    c->next = s->connections;
    s->connections = c;
    (void) uv_tcp_nodelay(&c->tcp, 1); /* only delays */
    c->is_swallowed = station_has_fault(s, FAULT_HALF_OPEN);
    if (station_has_fault(s, FAULT_STALL))
        return; /* the end of the stall starts the reading */
    if (uv_read_start((uv_stream_t *) &c->tcp, on_alloc, on_read) != 0)
        close_connection(c);
}

/* ---- the listener ---- */

static void on_listener_closed(uv_handle_t *handle)
{
    struct station *s = handle->data;
    s->is_listener_closing = false;
    s->handles--;
    maybe_free(s);
}

static void close_listener(struct station *s)
{
    if (!s->is_listener_open)
        return;
    s->is_listener_open = false;
    s->is_listener_closing = true;
    uv_close((uv_handle_t *) &s->listener, on_listener_closed);
}

/* Binds a second socket to our port, before the first one listens (later it would not be allowed).
 */
static int bind_guard(struct station *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(s->port)};
    int on = 1;

    s->guard = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->guard < 0)
        return -errno;
    if (setsockopt(s->guard, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(s->guard, (struct sockaddr *) &address, sizeof(address)) != 0)
        return -errno;
    return 0;
}

static int learn_port(struct station *s)
{
    struct sockaddr_in address;
    int size = sizeof(address);
    int error = uv_tcp_getsockname(&s->listener, (struct sockaddr *) &address, &size);
    if (error == 0)
        s->port = ntohs(address.sin_port);
    return error;
}

/* A handle that failed half-way is closed by station_close() or the next reboot. */
static int open_listener(struct station *s)
{
    struct sockaddr_in address;
    int error = uv_tcp_init_ex(s->loop, &s->listener, AF_INET);

    if (error != 0)
        return error;
    s->listener.data = s;
    s->is_listener_open = true;
    s->handles++;
    (void) uv_ip4_addr("127.0.0.1", s->port, &address); /* is an address */
    error = uv_tcp_bind(&s->listener, (struct sockaddr *) &address, 0);
    if (error == 0)
        error = learn_port(s); /* also brings a delayed failure of bind to light */
    if (error == 0 && s->guard < 0)
        error = bind_guard(s);
    if (error == 0)
        error = uv_listen((uv_stream_t *) &s->listener, BACKLOG, on_connect);
    return error;
}

/* ---- faults ---- */

static void send_raw(struct station *s, const uint8_t *octets, size_t size, bool is_last)
{
    struct connection *next;
    for (struct connection *c = s->connections; c != NULL; c = next) {
        next = c->next;
        if (is_paused(c))
            continue;
        flush_connection(c);
        if (uv_is_closing((uv_handle_t *) &c->tcp))
            continue;
        c->is_ending = is_last;
        write_octets(c, octets, size);
    }
}

static void send_garbage(struct station *s, size_t size)
{
    uint8_t octets[FAULT_GARBAGE_MAX];

    assert(size <= sizeof(octets));
    for (size_t i = 0; i < size; i++)
        octets[i] = (uint8_t) dice_below(&s->dice, 256);
    send_raw(s, octets, size, /* is_last= */ false);
}

static void send_broken_frame(struct station *s, bool is_oversize)
{
    static const uint8_t PLAIN_HALF[] = {0x00, 0x20, 0x5d, 0x0a, 0x1e, 0x08};
    static const uint8_t NOISE_HALF[] = {0x01, 0x00, 0x40, 0x8a, 0x1e, 0x08};
    static const uint8_t PLAIN_HUGE[] = {0x00, 0xff, 0xff, 0xff, 0x7f, 0x5d, 0x0a};
    static const uint8_t NOISE_HUGE[] = {0x01, 0xff, 0xff, 0x0a};
    bool is_encrypted = s->proxy->is_encrypted;

    if (!is_oversize)
        send_raw(s, is_encrypted ? NOISE_HALF : PLAIN_HALF, sizeof(PLAIN_HALF),
                 /* is_last= */ true);
    else if (is_encrypted)
        send_raw(s, NOISE_HUGE, sizeof(NOISE_HUGE), /* is_last= */ false);
    else
        send_raw(s, PLAIN_HUGE, sizeof(PLAIN_HUGE), /* is_last= */ false);
}

static void pause_reading(struct station *s)
{
    for (struct connection *c = s->connections; c != NULL; c = c->next)
        (void) uv_read_stop((uv_stream_t *) &c->tcp); /* cannot fail */
}

static void resume_reading(struct station *s)
{
    struct connection *next;
    for (struct connection *c = s->connections; c != NULL; c = next) {
        next = c->next;
        int error = uv_read_start((uv_stream_t *) &c->tcp, on_alloc, on_read);
        if (error != 0 && error != UV_EALREADY)
            close_connection(c);
    }
}

static void start_reboot(struct station *s, usec_t now)
{
    close_connections(s, /* is_only_swallowed= */ false);
    close_listener(s);
    proxy_model_restart(s->model, now);
}

static void start_half_open(struct station *s)
{
    for (struct connection *c = s->connections; c != NULL; c = c->next)
        c->is_swallowed = true;
}

static void end_reboot(struct station *s, usec_t now)
{
    if (s->is_listener_closing) { /* a very short reboot */
        s->faults[FAULT_REBOOT] = now + 1;
        return;
    }
    int error = open_listener(s);
    proxy_model_restart(s->model, now);
    if (error == 0)
        return;
    close_listener(s);
    s->faults[FAULT_REBOOT] = now + USEC_PER_SEC;
    log_warning("station.listen", "name=%s error=%s: retrying in 1 s", s->proxy->name,
                uv_err_name(error));
}

/* The faults that are the model's. */
static enum proxy_model_fault model_fault(enum fault_kind kind)
{
    static const enum proxy_model_fault FAULTS[FAULT_COUNT] = {
            [FAULT_REFUSE_SUBSCRIPTION] = PROXY_MODEL_REFUSES,
            [FAULT_MUTE] = PROXY_MODEL_IS_MUTE,
            [FAULT_IGNORE_MODE] = PROXY_MODEL_IGNORES_MODE,
            [FAULT_MODE_FAILS] = PROXY_MODEL_FAILS_MODE,
    };
    return FAULTS[kind];
}

static void end_fault(struct station *s, enum fault_kind kind, usec_t now)
{
    s->faults[kind] = 0;
    switch (kind) {
    case FAULT_REBOOT:
        end_reboot(s, now);
        return;
    case FAULT_STALL:
        if (!station_has_fault(s, FAULT_REBOOT))
            resume_reading(s);
        return;
    case FAULT_HALF_OPEN:
        close_connections(s, /* is_only_swallowed= */ true);
        return;
    case FAULT_REFUSE_SUBSCRIPTION:
    case FAULT_MUTE:
    case FAULT_IGNORE_MODE:
    case FAULT_MODE_FAILS:
        proxy_model_set_fault(s->model, model_fault(kind), false, now);
        return;
    case FAULT_DROP:
    case FAULT_GARBAGE:
    case FAULT_TRUNCATE:
    case FAULT_OVERSIZE:
    case FAULT_REFUSE:
    case FAULT_WRONG_KEY:
    case FAULT_BAD_MAC:
    case FAULT_COUNT:
        return;
    }
}

static void start_fault(struct station *s, enum fault_kind kind, size_t octets, usec_t now)
{
    switch (kind) {
    case FAULT_DROP:
        close_connections(s, /* is_only_swallowed= */ false);
        return;
    case FAULT_GARBAGE:
        send_garbage(s, octets);
        return;
    case FAULT_TRUNCATE:
        send_broken_frame(s, /* is_oversize= */ false);
        return;
    case FAULT_OVERSIZE:
        send_broken_frame(s, /* is_oversize= */ true);
        return;
    case FAULT_REBOOT:
        start_reboot(s, now);
        return;
    case FAULT_STALL:
        pause_reading(s);
        return;
    case FAULT_HALF_OPEN:
        start_half_open(s);
        return;
    case FAULT_REFUSE_SUBSCRIPTION:
    case FAULT_MUTE:
    case FAULT_IGNORE_MODE:
    case FAULT_MODE_FAILS:
        proxy_model_set_fault(s->model, model_fault(kind), true, now);
        return;
    case FAULT_REFUSE:
    case FAULT_WRONG_KEY:
    case FAULT_BAD_MAC: /* matter to those who come */
    case FAULT_COUNT:
        return;
    }
}

int station_fault(struct station *s, enum fault_kind kind, usec_t span, size_t octets, usec_t now)
{
    if (kind == FAULT_WRONG_KEY && !s->proxy->is_encrypted)
        return -ENOTSUP;
    s->now = now;
    if (fault_is_lasting(kind))
        s->faults[kind] = span > USEC_NEVER - now ? USEC_NEVER : now + span;
    start_fault(s, kind, octets, now);
    log_info("station.fault", "name=%s fault=%s", s->proxy->name, fault_name(kind));
    return 0;
}

void station_clear(struct station *s, usec_t now)
{
    s->now = now;
    for (unsigned kind = 0; kind < FAULT_COUNT; kind++)
        if (s->faults[kind] != 0)
            end_fault(s, (enum fault_kind) kind, now);
}

/* ---- time ---- */

static void end_faults(struct station *s, usec_t now)
{
    for (unsigned kind = 0; kind < FAULT_COUNT; kind++)
        if (s->faults[kind] != 0 && s->faults[kind] <= now)
            end_fault(s, (enum fault_kind) kind, now);
}

void station_tick(struct station *s, usec_t now)
{
    struct connection *next;

    s->now = now;
    end_faults(s, now);
    if (now >= proxy_model_deadline(s->model))
        proxy_model_tick(s->model, now);
    for (struct connection *c = s->connections; c != NULL; c = next) {
        next = c->next;
        if (is_paused(c))
            continue;
        if (now >= server_session_deadline(c->session))
            server_session_tick(c->session, now);
        flush_connection(c);
    }
}

void station_heard(struct station *s, const struct world_reception *reception, usec_t now)
{
    proxy_model_heard(s->model, reception->address, reception->address_type, reception->rssi,
                      reception->payload, now);
}

/* ---- life ---- */

int station_new(uv_loop_t *loop, const struct scenario_proxy *proxy, struct world *world,
                size_t listener, uint64_t seed, usec_t now, struct station **ret_station)
{
    uint64_t own_seed = dice_mix_text(seed, proxy->name);
    struct station *s = xnew(struct station, 1);

    s->loop = loop;
    s->proxy = proxy;
    s->port = proxy->port;
    s->guard = -1;
    s->now = now;
    s->model = proxy_model_new(&proxy->model, world, listener, dice_mix(own_seed, 1), on_model_send,
                               s, now);
    dice_seed(&s->dice, own_seed);
    int error = open_listener(s);
    if (error != 0) {
        station_close(s);
        return error;
    }
    *ret_station = s;
    return 0;
}

void station_close(struct station *s)
{
    s->is_closing = true;
    close_connections(s, /* is_only_swallowed= */ false);
    close_listener(s);
    maybe_free(s);
}

const struct scenario_proxy *station_proxy(const struct station *s)
{
    return s->proxy;
}

const struct proxy_model *station_model(const struct station *s)
{
    return s->model;
}

struct slots *station_slots(struct station *s)
{
    return proxy_model_slots(s->model);
}

uint16_t station_port(const struct station *s)
{
    return s->port;
}

size_t station_clients(const struct station *s)
{
    size_t count = 0;
    for (const struct connection *c = s->connections; c != NULL; c = c->next)
        count++;
    return count;
}

uint64_t station_accepted(const struct station *s)
{
    return s->accepted;
}
