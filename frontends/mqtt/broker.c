/* The story: the thread makes a fresh client of libmosquitto for every attempt, dials (this may
 * block: nobody else is on this thread), and turns its own poll() over the socket and a wake-up
 * descriptor. (The library's own loop uses select(), which refuses descriptors from 1024 on, and
 * we are a program with many sockets.) When the broker accepts us it subscribes, says "online", and
 * tells the loop. What the loop hands over lies in one line under the lock, and the thread is woken
 * once a turn of the loop; what the broker sends lies in another, and the loop is woken.
 *
 * Failure modes: an attempt or a connection that ends frees its client with everything in it: the
 * window is empty again, and the next attempt follows when attempts.h says so. A broker that reads
 * nothing lets the window fill up; then the loop may not hand over more. A loop that is slow to
 * take messages lets the thread wait, and with it the broker. A thread that hangs in a name look-up
 * when it is to end is left alone: what it shares with the loop goes with the last of the two. */
#include "broker.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/map.h"
#include "base/memory.h"

#define INBOX_MESSAGES   256 /* that the loop has not taken yet */
#define INBOX_BYTES      ((size_t) 4 << 20)
#define TURN_MESSAGES    64  /* handed to the library between two looks at the socket */
#define READ_TURNS       64  /* packets read in one go */
#define POLL_MS          500 /* the library looks at its keepalive so often */
#define GOODBYE_TIME     USEC_PER_SEC
#define CLOSE_TIMEOUT_MS 1300                /* GOODBYE_TIME and the way back */
#define PACKET_ROOM      ((size_t) 64 << 10) /* of a packet beside its payload */
#define SYSTEM_TRUST     "/etc/ssl/certs"
#define STACK_BYTES      ((size_t) 512 << 10)

struct incoming {
    struct incoming *next;
    struct broker_message message; /* points at what is ours here */
    size_t bytes;
};

/* What thread and loop share. */
struct shared {
    pthread_mutex_t lock;
    pthread_cond_t inbox_moved;
    unsigned holders; /* loop and thread */
    int wake_fd;      /* wakes the thread */
    bool is_stopping, is_finished;
    uv_async_t *wake; /* wakes the loop; NULL: it is gone */
    struct broker_status status;
    bool is_changed, wants_room, has_room;
    struct outbox_message *first_out, *last_out;
    size_t in_flight, in_flight_bytes;
    struct incoming *first_in, *last_in;
    size_t in_count, in_bytes;
    /* Copies of the settings; constant. */
    struct broker_settings settings;
};

struct broker {
    struct shared *shared;
    struct broker_callbacks callbacks;
    uv_async_t wake;
    uv_timer_t close_timer;
    uv_prepare_t hand_over; /* active: the thread is to be woken before the loop sleeps */
    pthread_t thread;
    unsigned open_handles;
    bool is_closing, is_ended;
    void (*on_closed)(void *user);
    void *closed_user;
};

/* One client of the library; lives on the thread. */
struct talk {
    struct shared *shared;
    struct mosquitto *client;
    enum attempts_version version;
    struct map *sizes; /* octets of each message in flight, by its number */
    int sending; /* number of the message whose publish call is running; it may be gone in it */
    bool is_sent;
    usec_t accepted; /* 0: the broker has not yet */
    int refusal;     /* its reason; 0: none */
    int goodbye;     /* number of the message; 0: not said */
    usec_t goodbye_limit;
    char detail[BROKER_ERROR_SIZE]; /* the library's last word about an error */
};

/* ---- what is shared ---- */

static void free_settings(struct broker_settings *s)
{
    const char *const texts[] = {s->host,   s->client_id,      s->username,
                                 s->ca,     s->certificate,    s->key,
                                 s->online, s->presence_topic, s->offline};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free((char *) (uintptr_t) texts[i]);
    for (size_t i = 0; i < BROKER_FILTERS_MAX; i++)
        free((char *) (uintptr_t) s->filters[i]);
    if (s->password)
        explicit_bzero((char *) (uintptr_t) s->password, strlen(s->password));
    free((char *) (uintptr_t) s->password);
}

static struct broker_settings copy_settings(const struct broker_settings *from)
{
    struct broker_settings s = *from;

    s.host = memory_copy_text(from->host);
    s.client_id = memory_copy_text(from->client_id);
    s.username = memory_copy_text(from->username);
    s.password = memory_copy_text(from->password);
    s.ca = memory_copy_text(from->ca);
    s.certificate = memory_copy_text(from->certificate);
    s.key = memory_copy_text(from->key);
    s.presence_topic = memory_copy_text(from->presence_topic);
    s.online = memory_copy_text(from->online);
    s.offline = memory_copy_text(from->offline);
    for (size_t i = 0; i < BROKER_FILTERS_MAX; i++)
        s.filters[i] = memory_copy_text(from->filters[i]);
    return s;
}

static void drop_outgoing(struct shared *s)
{
    while (s->first_out) {
        struct outbox_message *m = s->first_out;

        s->first_out = m->next;
        outbox_message_free(m);
    }
    s->last_out = NULL;
    s->in_flight = s->in_flight_bytes = 0;
}

static void free_incoming(struct incoming *in)
{
    free((char *) (uintptr_t) in->message.topic);
    free((void *) (uintptr_t) in->message.payload);
    free((char *) (uintptr_t) in->message.response_topic);
    free((void *) (uintptr_t) in->message.correlation);
    free(in);
}

static void shared_drop(struct shared *s)
{
    bool is_last;

    pthread_mutex_lock(&s->lock);
    is_last = --s->holders == 0;
    pthread_mutex_unlock(&s->lock);
    if (!is_last)
        return;
    drop_outgoing(s);
    while (s->first_in) {
        struct incoming *in = s->first_in;

        s->first_in = in->next;
        free_incoming(in);
    }
    (void) close(s->wake_fd);
    pthread_cond_destroy(&s->inbox_moved);
    pthread_mutex_destroy(&s->lock);
    free_settings(&s->settings);
    free(s);
}

/* Under the lock. */
static void wake_loop(struct shared *s)
{
    if (s->wake)
        (void) uv_async_send(s->wake);
}

static void wake_thread(struct shared *s)
{
    uint64_t one = 1;

    if (write(s->wake_fd, &one, sizeof one) < 0)
        return; /* the counter is full: it is awake */
}

static bool is_stopping(struct shared *s)
{
    bool result;

    pthread_mutex_lock(&s->lock);
    result = s->is_stopping;
    pthread_mutex_unlock(&s->lock);
    return result;
}

static void set_state(struct shared *s, enum broker_state state, enum attempts_version version,
                      const char *error)
{
    pthread_mutex_lock(&s->lock);
    if (state != BROKER_CONNECTED)
        drop_outgoing(s);
    s->wants_room = false;
    s->status.state = state;
    s->status.version = version;
    s->status.connections += state == BROKER_CONNECTED;
    if (error)
        (void) snprintf(s->status.error, sizeof s->status.error, "%s", error);
    s->is_changed = true;
    wake_loop(s);
    pthread_mutex_unlock(&s->lock);
}

/* ---- the thread: out ---- */

static void count_gone(struct talk *t, size_t bytes)
{
    struct shared *s = t->shared;

    pthread_mutex_lock(&s->lock);
    s->in_flight--;
    s->in_flight_bytes -= bytes;
    if (s->wants_room && s->in_flight <= BROKER_WINDOW_MESSAGES / 2 &&
        s->in_flight_bytes <= BROKER_WINDOW_BYTES / 2) {
        s->wants_room = false;
        s->has_room = true;
        wake_loop(s);
    }
    pthread_mutex_unlock(&s->lock);
}

static void on_publish(struct mosquitto *client, void *user, int number)
{
    struct talk *t = user;
    void *bytes = map_take(t->sizes, (uint64_t) number);

    (void) client;
    if (number == t->goodbye)
        t->goodbye_limit = 0;
    if (bytes)
        count_gone(t, (size_t) (uintptr_t) bytes);
    else if (number == t->sending)
        t->is_sent = true;
}

static mosquitto_property *properties_of(const struct talk *t, const struct outbox_message *m)
{
    mosquitto_property *list = NULL;

    if (t->version == ATTEMPTS_5 && m->correlation)
        (void) mosquitto_property_add_binary(&list, MQTT_PROP_CORRELATION_DATA, m->correlation,
                                             (uint16_t) m->correlation_size);
    return list;
}

/* The library may be done with the message before its call returns, and may call back for others
 * meanwhile. */
static void send_message(struct talk *t, struct outbox_message *m)
{
    size_t bytes = outbox_message_bytes(m);
    mosquitto_property *properties = properties_of(t, m);
    int rc;

    t->is_sent = false;
    t->sending = -1;
    rc = mosquitto_publish_v5(t->client, &t->sending, m->topic, (int) m->size, m->payload, m->qos,
                              m->is_retained, properties);
    if (rc != MOSQ_ERR_SUCCESS || t->is_sent)
        count_gone(t, bytes); /* an error that ends the connection comes back from the socket */
    else
        map_put(t->sizes, (uint64_t) t->sending, (void *) (uintptr_t) bytes);
    t->sending = -1;
    mosquitto_property_free_all(&properties);
    outbox_message_free(m);
}

static struct outbox_message *take_outgoing(struct shared *s)
{
    struct outbox_message *m;

    pthread_mutex_lock(&s->lock);
    m = s->first_out;
    if (m) {
        s->first_out = m->next;
        if (!s->first_out)
            s->last_out = NULL;
        m->next = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    return m;
}

/* While it is corked the kernel puts what is written together, so that messages of one turn go out
 * in few segments; uncorking sends the rest at once. Best effort. */
static void cork(const struct talk *t, int is_corked)
{
    (void) setsockopt(mosquitto_socket(t->client), IPPROTO_TCP, TCP_CORK, &is_corked,
                      sizeof is_corked);
}

/* True: there is more. */
static bool send_some(struct talk *t)
{
    struct outbox_message *m = take_outgoing(t->shared);
    int count = 0;

    if (!m)
        return false;
    cork(t, true);
    while (m) {
        send_message(t, m);
        m = ++count < TURN_MESSAGES ? take_outgoing(t->shared) : NULL;
    }
    cork(t, false);
    return count == TURN_MESSAGES;
}

static int say(struct talk *t, const char *presence)
{
    int number = 0;

    (void) mosquitto_publish(t->client, &number, t->shared->settings.presence_topic,
                             (int) strlen(presence), presence, 1, true);
    return number;
}

/* ---- the thread: in ---- */

static void *copy_octets(const void *data, size_t size)
{
    char *copy = xnew(char, size + 1); /* a NUL behind, for those who read texts */

    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

static void read_properties(struct broker_message *m, const mosquitto_property *properties)
{
    char *topic = NULL;
    void *data = NULL;
    uint16_t size = 0;

    if (mosquitto_property_read_string(properties, MQTT_PROP_RESPONSE_TOPIC, &topic, false)) {
        m->response_topic = memory_copy_text(topic);
        free(topic);
    }
    if (mosquitto_property_read_binary(properties, MQTT_PROP_CORRELATION_DATA, &data, &size,
                                       false)) {
        m->correlation = copy_octets(data, size);
        m->correlation_size = size;
        free(data);
    }
}

static struct incoming *copy_message(const struct mosquitto_message *from,
                                     const mosquitto_property *properties)
{
    struct incoming *in = xnew(struct incoming, 1);

    in->message = (struct broker_message){
            .topic = memory_copy_text(from->topic),
            .payload = copy_octets(from->payload, (size_t) from->payloadlen),
            .size = (size_t) from->payloadlen,
            .is_retained = from->retain,
    };
    read_properties(&in->message, properties);
    in->bytes = sizeof *in + strlen(from->topic) + in->message.size + in->message.correlation_size;
    return in;
}

static void on_message(struct mosquitto *client, void *user, const struct mosquitto_message *from,
                       const mosquitto_property *properties)
{
    struct talk *t = user;
    struct shared *s = t->shared;
    struct incoming *in = NULL;

    (void) client;
    if ((size_t) from->payloadlen <= s->settings.message_max)
        in = copy_message(from, properties);
    pthread_mutex_lock(&s->lock);
    while (in && !s->is_stopping && (s->in_count >= INBOX_MESSAGES || s->in_bytes >= INBOX_BYTES))
        pthread_cond_wait(&s->inbox_moved, &s->lock);
    if (!in) {
        s->status.dropped++;
    } else {
        if (s->last_in)
            s->last_in->next = in;
        else
            s->first_in = in;
        s->last_in = in;
        s->in_count++;
        s->in_bytes += in->bytes;
        wake_loop(s);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- the thread: a connection ---- */

static void subscribe(struct talk *t)
{
    const struct broker_settings *s = &t->shared->settings;
    int options = t->version == ATTEMPTS_5 ? MQTT_SUB_OPT_NO_LOCAL : 0;

    for (size_t i = 0; i < BROKER_FILTERS_MAX && s->filters[i]; i++)
        (void) mosquitto_subscribe_v5(t->client, NULL, s->filters[i], 1, options, NULL);
}

static void on_connect(struct mosquitto *client, void *user, int reason)
{
    struct talk *t = user;

    (void) client;
    if (reason != 0) {
        t->refusal = reason;
        return;
    }
    t->accepted = clock_now();
    subscribe(t);
    (void) say(t, t->shared->settings.online);
    set_state(t->shared, BROKER_CONNECTED, t->version, NULL);
}

/* The library tells of TLS errors nowhere else. */
static void on_log(struct mosquitto *client, void *user, int level, const char *text)
{
    struct talk *t = user;

    (void) client;
    if (level == MOSQ_LOG_ERR || level == MOSQ_LOG_WARNING)
        (void) snprintf(t->detail, sizeof t->detail, "%s", text);
}

static int configure_tls(struct talk *t)
{
    const struct broker_settings *s = &t->shared->settings;
    const char *const files[] = {s->ca, s->certificate, s->key};

    if (!s->has_tls)
        return MOSQ_ERR_SUCCESS;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        if (files[i] && access(files[i], R_OK) < 0) {
            (void) snprintf(t->detail, sizeof t->detail, "%.120s: %s", files[i], strerror(errno));
            return MOSQ_ERR_TLS;
        }
    }
    return mosquitto_tls_set(t->client, s->ca, s->ca ? NULL : SYSTEM_TRUST, s->certificate, s->key,
                             NULL);
}

static int configure(struct talk *t)
{
    const struct broker_settings *s = &t->shared->settings;
    int protocol = t->version == ATTEMPTS_5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311;
    int rc;

    mosquitto_connect_callback_set(t->client, on_connect);
    mosquitto_publish_callback_set(t->client, on_publish);
    mosquitto_message_v5_callback_set(t->client, on_message);
    if (s->has_tls) /* with a callback it formats a line for each message */
        mosquitto_log_callback_set(t->client, on_log);
    rc = mosquitto_int_option(t->client, MOSQ_OPT_PROTOCOL_VERSION, protocol);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(t->client, MOSQ_OPT_TCP_NODELAY, 1);
    if (rc == MOSQ_ERR_SUCCESS && s->username)
        rc = mosquitto_username_pw_set(t->client, s->username, s->password);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_will_set(t->client, s->presence_topic, (int) strlen(s->offline), s->offline,
                                1, true);
    return rc == MOSQ_ERR_SUCCESS ? configure_tls(t) : rc;
}

/* Blocks: for the name look-up, and until the connection stands or not. */
static int dial(struct talk *t)
{
    const struct broker_settings *s = &t->shared->settings;
    mosquitto_property *properties = NULL;
    int rc;

    if (t->version == ATTEMPTS_5)
        (void) mosquitto_property_add_int32(&properties, MQTT_PROP_MAXIMUM_PACKET_SIZE,
                                            (uint32_t) (s->message_max + PACKET_ROOM));
    rc = mosquitto_connect_bind_v5(t->client, s->host, (int) s->port, (int) s->keepalive_s, NULL,
                                   properties);
    mosquitto_property_free_all(&properties);
    return rc;
}

/* Reads until the socket has no more: TLS may hold packets that poll() does not see. */
static int read_packets(struct talk *t)
{
    int rc = MOSQ_ERR_SUCCESS;

    for (int i = 0; i < READ_TURNS && rc == MOSQ_ERR_SUCCESS; i++) {
        errno = 0;
        rc = mosquitto_loop_read(t->client, 1);
        if (errno == EAGAIN)
            break;
    }
    return rc;
}

static void clear_wake(struct shared *s)
{
    uint64_t count;

    if (read(s->wake_fd, &count, sizeof count) < 0)
        return; /* nobody woke us */
}

static int turn(struct talk *t, bool has_more)
{
    struct pollfd fds[] = {{.fd = mosquitto_socket(t->client), .events = POLLIN},
                           {.fd = t->shared->wake_fd, .events = POLLIN}};
    int rc = MOSQ_ERR_SUCCESS;

    if (fds[0].fd < 0)
        return MOSQ_ERR_CONN_LOST;
    if (mosquitto_want_write(t->client))
        fds[0].events |= POLLOUT;
    if (poll(fds, ARRAY_SIZE(fds), has_more ? 0 : POLL_MS) < 0 && errno != EINTR)
        return MOSQ_ERR_ERRNO;
    if (fds[1].revents)
        clear_wake(t->shared);
    if (fds[0].revents & (POLLIN | POLLERR | POLLHUP))
        rc = read_packets(t);
    if (rc == MOSQ_ERR_SUCCESS && fds[0].revents & POLLOUT)
        rc = mosquitto_loop_write(t->client, 1);
    return rc == MOSQ_ERR_SUCCESS ? mosquitto_loop_misc(t->client) : rc;
}

/* True when there is nothing more to wait for. */
static bool say_goodbye(struct talk *t, bool has_more)
{
    if (t->accepted == 0)
        return true;
    if (t->goodbye == 0) {
        if (has_more)
            return false;
        t->goodbye_limit = clock_now() + GOODBYE_TIME;
        t->goodbye = say(t, t->shared->settings.offline);
        return t->goodbye == 0;
    }
    return clock_now() >= t->goodbye_limit;
}

/* Until the connection ends, or is to. */
static int converse(struct talk *t)
{
    bool has_more = false;
    int rc = MOSQ_ERR_SUCCESS;

    while (rc == MOSQ_ERR_SUCCESS) {
        if (t->accepted)
            has_more = send_some(t);
        if (is_stopping(t->shared) && say_goodbye(t, has_more)) {
            (void) mosquitto_disconnect(t->client);
            return MOSQ_ERR_SUCCESS;
        }
        rc = turn(t, has_more);
    }
    return rc;
}

/* ---- the thread: attempts ---- */

static enum attempts_end judge(const struct talk *t, int rc, bool was_reached)
{
    if (t->accepted)
        return ATTEMPTS_LOST;
    if (t->refusal == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION || t->refusal == 1)
        return ATTEMPTS_BAD_VERSION;
    if (t->refusal)
        return ATTEMPTS_REFUSED;
    if (rc == MOSQ_ERR_INVAL || (rc == MOSQ_ERR_TLS && !was_reached))
        return ATTEMPTS_HOPELESS;
    if (!was_reached || rc == MOSQ_ERR_TLS || rc == MOSQ_ERR_KEEPALIVE)
        return ATTEMPTS_UNREACHED;
    return ATTEMPTS_HUNG_UP;
}

/* True when waiting will not help: wrong name or password, unreadable files. */
static bool is_for_people(const struct talk *t, enum attempts_end end)
{
    bool is_busy = t->refusal == 3 || t->refusal == MQTT_RC_SERVER_UNAVAILABLE ||
                   t->refusal == MQTT_RC_SERVER_BUSY;

    return end == ATTEMPTS_HOPELESS || (end == ATTEMPTS_REFUSED && !is_busy);
}

static void describe(const struct talk *t, int rc, int system_error, char *ret_text)
{
    const char *text = mosquitto_strerror(rc);

    if (t->refusal)
        text = t->version == ATTEMPTS_5 ? mosquitto_reason_string(t->refusal)
                                        : mosquitto_connack_string(t->refusal);
    else if (rc == MOSQ_ERR_KEEPALIVE) /* for which the library has no words */
        text = "the broker fell silent";
    else if (rc == MOSQ_ERR_ERRNO && system_error)
        text = strerror(system_error);
    else if (t->detail[0] && (rc == MOSQ_ERR_TLS || rc == MOSQ_ERR_INVAL))
        text = t->detail;
    (void) snprintf(ret_text, BROKER_ERROR_SIZE, "%s", text);
    ret_text[strcspn(ret_text, "\n")] = '\0';
}

static double draw_jitter(void)
{
    uint32_t number = 0;

    if (getrandom(&number, sizeof number, 0) < 0)
        return 0;
    return number / (double) UINT32_MAX;
}

/* One client from beginning to end. Returns the wait before the next. */
static usec_t attempt(struct shared *s, struct attempts *attempts)
{
    struct talk t = {.shared = s, .version = attempts_next_version(attempts), .sending = -1};
    char error[BROKER_ERROR_SIZE];
    bool was_reached = false;
    usec_t wait, lasted;
    enum attempts_end end;
    int rc, system_error;

    set_state(s, BROKER_CONNECTING, ATTEMPTS_ANY, NULL);
    t.sizes = map_new(0);
    t.client = mosquitto_new(s->settings.client_id, true, &t);
    rc = t.client ? configure(&t) : MOSQ_ERR_INVAL;
    if (rc == MOSQ_ERR_SUCCESS) {
        rc = dial(&t);
        was_reached = rc == MOSQ_ERR_SUCCESS;
    }
    system_error = errno;
    if (was_reached) {
        rc = converse(&t);
        system_error = errno;
    }
    describe(&t, rc, system_error, error);
    mosquitto_destroy(t.client);
    map_free(t.sizes);
    if (t.accepted)
        attempts_succeeded(attempts, t.version);
    lasted = t.accepted ? clock_now() - t.accepted : 0;
    end = judge(&t, rc, was_reached);
    wait = attempts_ended(attempts, end, lasted, draw_jitter());
    set_state(s, is_for_people(&t, end) ? BROKER_FAILED : BROKER_WAITING, ATTEMPTS_ANY, error);
    return wait;
}

static void sleep_unless_stopping(struct shared *s, usec_t wait)
{
    usec_t limit = clock_now() + wait;

    while (!is_stopping(s)) {
        struct pollfd fd = {.fd = s->wake_fd, .events = POLLIN};
        usec_t now = clock_now();

        if (now >= limit)
            return;
        if (poll(&fd, 1, (int) ((limit - now) / USEC_PER_MSEC) + 1) > 0)
            clear_wake(s);
    }
}

static void *run(void *argument)
{
    struct shared *s = argument;
    struct attempts attempts = {.wanted = s->settings.version};

    while (!is_stopping(s))
        sleep_unless_stopping(s, attempt(s, &attempts));
    pthread_mutex_lock(&s->lock);
    s->is_finished = true;
    wake_loop(s);
    pthread_mutex_unlock(&s->lock);
    shared_drop(s);
    return NULL;
}

/* ---- the loop ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct broker *b = handle->data;

    if (--b->open_handles > 0)
        return;
    b->on_closed(b->closed_user);
    free(b);
}

/* The thread has ended, or is left to itself. */
static void end(struct broker *b, bool has_finished)
{
    struct shared *s = b->shared;

    if (b->is_ended)
        return;
    b->is_ended = true;
    pthread_mutex_lock(&s->lock);
    s->wake = NULL;
    pthread_mutex_unlock(&s->lock);
    if (has_finished)
        (void) pthread_join(b->thread, NULL);
    else
        (void) pthread_detach(b->thread);
    shared_drop(s);
    b->shared = NULL;
    uv_close((uv_handle_t *) &b->wake, on_handle_closed);
    uv_close((uv_handle_t *) &b->close_timer, on_handle_closed);
    uv_close((uv_handle_t *) &b->hand_over, on_handle_closed);
}

static void deliver(struct broker *b, struct incoming *in)
{
    while (in) {
        struct incoming *next = in->next;

        if (!b->is_closing)
            b->callbacks.on_message(b->callbacks.user, &in->message);
        free_incoming(in);
        in = next;
    }
}

static void on_wake(uv_async_t *handle)
{
    struct broker *b = handle->data;
    struct shared *s = b->shared;
    bool is_changed, has_room, is_finished;
    struct incoming *in;

    pthread_mutex_lock(&s->lock);
    is_changed = s->is_changed;
    has_room = s->has_room;
    is_finished = s->is_finished;
    in = TAKE(s->first_in);
    s->last_in = NULL;
    s->is_changed = s->has_room = false;
    s->in_count = s->in_bytes = 0;
    pthread_cond_signal(&s->inbox_moved);
    pthread_mutex_unlock(&s->lock);
    if (is_changed && !b->is_closing)
        b->callbacks.on_change(b->callbacks.user);
    deliver(b, in);
    if (has_room && !b->is_closing)
        b->callbacks.on_room(b->callbacks.user);
    if (is_finished)
        end(b, true);
}

static void on_hand_over(uv_prepare_t *prepare)
{
    struct broker *b = prepare->data;

    (void) uv_prepare_stop(prepare);
    wake_thread(b->shared);
}

static void on_close_timeout(uv_timer_t *timer)
{
    end(timer->data, false);
}

/* ---- public ---- */

static int start_thread(struct broker *b)
{
    pthread_attr_t attributes;
    int rc;

    (void) pthread_attr_init(&attributes);
    (void) pthread_attr_setstacksize(&attributes, STACK_BYTES);
    rc = pthread_create(&b->thread, &attributes, run, b->shared);
    (void) pthread_attr_destroy(&attributes);
    return -rc;
}

static struct shared *shared_new(const struct broker_settings *settings, uv_async_t *wake)
{
    struct shared *s = xnew(struct shared, 1);

    (void) pthread_mutex_init(&s->lock, NULL);
    (void) pthread_cond_init(&s->inbox_moved, NULL);
    s->holders = 2;
    s->wake = wake;
    s->settings = copy_settings(settings);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return s;
}

static void on_stillborn_closed(uv_handle_t *handle)
{
    struct broker *b = handle->data;

    if (--b->open_handles == 0)
        free(b);
}

/* Nothing runs yet: both holders are us. */
static int abandon(struct broker *b, int rc)
{
    shared_drop(b->shared);
    shared_drop(b->shared);
    uv_close((uv_handle_t *) &b->wake, on_stillborn_closed);
    uv_close((uv_handle_t *) &b->close_timer, on_stillborn_closed);
    uv_close((uv_handle_t *) &b->hand_over, on_stillborn_closed);
    return rc;
}

int broker_new(struct uv_loop_s *loop, const struct broker_settings *settings,
               const struct broker_callbacks *callbacks, struct broker **ret_broker)
{
    struct broker *b = xnew(struct broker, 1);
    int rc;

    (void) mosquitto_lib_init(); /* counts; the process keeps it */
    rc = uv_async_init(loop, &b->wake, on_wake);
    if (rc < 0) {
        free(b);
        return rc;
    }
    (void) uv_timer_init(loop, &b->close_timer); /* cannot fail, nor can the next */
    (void) uv_prepare_init(loop, &b->hand_over);
    b->wake.data = b->close_timer.data = b->hand_over.data = b;
    b->open_handles = 3;
    b->callbacks = *callbacks;
    b->shared = shared_new(settings, &b->wake);
    rc = b->shared->wake_fd < 0 ? -errno : start_thread(b);
    if (rc < 0)
        return abandon(b, rc);
    *ret_broker = b;
    return 0;
}

void broker_get_status(const struct broker *b, struct broker_status *ret_status)
{
    pthread_mutex_lock(&b->shared->lock);
    *ret_status = b->shared->status;
    pthread_mutex_unlock(&b->shared->lock);
}

/* Under the lock. A message larger than the window goes alone. */
static bool has_room_for(const struct shared *s, size_t bytes)
{
    return s->in_flight == 0 || (s->in_flight < BROKER_WINDOW_MESSAGES &&
                                 s->in_flight_bytes + bytes <= BROKER_WINDOW_BYTES);
}

bool broker_publish(struct broker *b, struct outbox_message *message)
{
    struct shared *s = b->shared;
    size_t bytes = outbox_message_bytes(message);
    bool is_taken;

    pthread_mutex_lock(&s->lock);
    is_taken = s->status.state == BROKER_CONNECTED && !s->is_stopping && has_room_for(s, bytes);
    if (is_taken) {
        message->next = NULL;
        if (s->last_out)
            s->last_out->next = message;
        else
            s->first_out = message;
        s->last_out = message;
        s->in_flight++;
        s->in_flight_bytes += bytes;
    } else {
        s->wants_room = s->status.state == BROKER_CONNECTED;
    }
    pthread_mutex_unlock(&s->lock);
    if (is_taken)
        (void) uv_prepare_start(&b->hand_over, on_hand_over); /* fails for closing ones alone */
    return is_taken;
}

size_t broker_in_flight(const struct broker *b)
{
    size_t result;

    pthread_mutex_lock(&b->shared->lock);
    result = b->shared->in_flight;
    pthread_mutex_unlock(&b->shared->lock);
    return result;
}

void broker_close(struct broker *b, void (*on_closed)(void *user), void *user)
{
    struct shared *s = b->shared;

    b->is_closing = true;
    b->on_closed = on_closed;
    b->closed_user = user;
    (void) uv_timer_start(&b->close_timer, on_close_timeout, CLOSE_TIMEOUT_MS, 0);
    pthread_mutex_lock(&s->lock);
    s->is_stopping = true;
    pthread_cond_signal(&s->inbox_moved);
    pthread_mutex_unlock(&s->lock);
    wake_thread(s);
}
