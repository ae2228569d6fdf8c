/* bench-sender: plays many proxies that have heard a recording, for one contestant at a time.
 *
 *   bench-sender [--proxies N] [--devices N] [--heard-by N] [--rounds N] [--key] [--bare]
 *
 * The story: it listens on a port for each proxy and says which. What connects is greeted as by a
 * proxy (server_session) and, once subscribed, gets advertisements on command, a line each on
 * standard input:
 *
 *   wait              answers when all proxies have a subscriber
 *   coalesced COUNT   as many advertisements, as fast as the sockets take them, in large writes
 *   single COUNT      10,000 frames a second over all proxies, each a write of its own
 *   steady COUNT      1,875 frames a second, the same way: 30,000 advertisements
 *   paced COUNT       200 frames a second, the same way
 *
 * Each command is answered by one line of JSON when it is done. COUNT is rounded to whole frames.
 * Between commands and during them, pings are answered.
 *
 * --key encrypts, with a key that the first line says. --bare is for the floor, which knows no
 * greeting: a connection begins with the key of the transport (zeros: none), frames follow.
 *
 * Failure modes: a connection that breaks ends the program with a message; so does a bad line. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "esphome/framer.h"
#include "esphome/server_session.h"
#include "recording.h"

#define PROXIES_MAX   64
#define WRITE_SIZE    ((size_t) 256 * 1024) /* what is put together for one write */
#define SINGLE_PERIOD ((usec_t) 100)        /* 10,000 a second over all proxies */
#define STEADY_PERIOD ((usec_t) 533)        /* 1,876 a second */
#define PACED_PERIOD  (5 * USEC_PER_MSEC)   /* 200 a second */
#define PATIENCE      (30 * USEC_PER_SEC)
#define LOOK_EACH     1024 /* writes between two looks for what the peers say */
#define SCANNER_FLAGS                                                                              \
    (PROXY_FEATURE_PASSIVE_SCAN | PROXY_FEATURE_ACTIVE_CONNECTIONS |                               \
     PROXY_FEATURE_RAW_ADVERTISEMENTS | PROXY_FEATURE_STATE_AND_MODE)
#define CONNECTIONS_FREE 3

struct station { /* one proxy and its client */
    size_t number;
    int listener, socket;           /* -1: none */
    struct server_session *session; /* NULL: bare, or nobody is there */
    struct framer framer;           /* bare */
    struct buffer out;              /* bare */
    bool is_subscribed;
    size_t next;         /* batch */
    uint64_t frames_due; /* of this command */
};

struct sender {
    struct recording_settings settings;
    bool is_encrypted, is_bare;
    uint8_t key[32];
    struct recording *recording;
    struct station stations[PROXIES_MAX];
    uint64_t frames, writes; /* of this command */
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void) fputc('\n', stderr);
    exit(1);
}

/* ---- what waits to be written ---- */

static const uint8_t *output(const struct station *s, size_t *ret_size)
{
    if (s->session)
        return server_session_output(s->session, ret_size);
    *ret_size = buffer_size(&s->out);
    return buffer_front(&s->out);
}

static size_t output_size(const struct station *s)
{
    size_t size;

    (void) output(s, &size);
    return size;
}

/* One write; false when nothing was there or the socket is full. */
static bool flush(struct sender *b, struct station *s)
{
    size_t size;
    const uint8_t *data = output(s, &size);
    ssize_t written;

    if (size == 0)
        return false;
    written = send(s->socket, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written < 0 && errno != EAGAIN)
        fail("proxy %zu: %s", s->number, strerror(errno));
    if (written <= 0)
        return false;
    b->writes++;
    if (s->session)
        server_session_sent(s->session, (size_t) written);
    else
        buffer_consume(&s->out, (size_t) written);
    return true;
}

/* Puts the next frame of the recording behind what waits. */
static void add_frame(struct sender *b, struct station *s)
{
    const struct message message = {
            .type = MESSAGE_RAW_ADVERTISEMENTS_RESPONSE,
            .raw_advertisements = {recording_reports(b->recording, s->number, s->next),
                                   RECORDING_BATCH},
    };
    int result = s->session ? server_session_send(s->session, &message)
                            : framer_write(&s->framer, &s->out, MESSAGE_RAW_ADVERTISEMENTS_RESPONSE,
                                           recording_body(b->recording, s->number, s->next));

    if (result != 0)
        fail("proxy %zu: a frame does not go out (%d)", s->number, result);
    s->next = (s->next + 1) % recording_batches(b->recording, s->number);
    s->frames_due--;
    b->frames++;
}

/* ---- clients ---- */

static void answer(struct station *s, const struct message *message)
{
    if (server_session_send(s->session, message) != 0)
        fail("proxy %zu: an answer does not go out", s->number);
}

static void on_message(void *user, const struct message *m, usec_t now)
{
    struct station *s = user;

    (void) now;
    if (m->type == MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST) {
        answer(s, &(struct message){.type = MESSAGE_CONNECTIONS_FREE_RESPONSE,
                                    .connections_free = {.free = CONNECTIONS_FREE,
                                                         .limit = CONNECTIONS_FREE}});
    } else if (m->type == MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST) {
        answer(s, &(struct message){
                          .type = MESSAGE_SCANNER_STATE_RESPONSE,
                          .scanner_state = {SCANNER_RUNNING, SCANNER_PASSIVE, SCANNER_PASSIVE}});
        s->is_subscribed = true;
    }
}

static void open_session(struct sender *b, struct station *s)
{
    static const struct server_session_callbacks callbacks = {.on_message = on_message};
    char name[32], mac[18];
    struct server_session_options options = {
            .name = name,
            .mac = UINT64_C(0xA0B765000000) + s->number,
            .server_info = "2026.8.0",
            .api_major = 1,
            .api_minor = 14,
            .is_encrypted = b->is_encrypted,
            .output_limit = 4 * WRITE_SIZE,
            .device_info = {.bluetooth_proxy_feature_flags = SCANNER_FLAGS,
                            .api_encryption_supported = b->is_encrypted,
                            .esphome_version = {"2026.8.0", 8},
                            .mac_address = {mac, 17},
                            .bluetooth_mac_address = {mac, 17}},
    };

    (void) snprintf(name, sizeof name, "bench-%zu", s->number);
    (void) snprintf(mac, sizeof mac, "A0:B7:65:00:00:%02X", (unsigned) (uint8_t) s->number);
    options.device_info.name = (struct text){name, strlen(name)};
    memcpy(options.psk, b->key, sizeof options.psk);
    if (getentropy(options.ephemeral, sizeof options.ephemeral) != 0)
        fail("no randomness");
    s->session = server_session_new(&options, &callbacks, s, clock_now());
}

/* The first octets tell the floor the key; then it is subscribed. */
static void open_bare(struct sender *b, struct station *s)
{
    struct noise_cipher cipher = {.counter = 0};

    memcpy(cipher.key, b->key, sizeof cipher.key);
    framer_init(&s->framer, b->is_encrypted ? FRAMER_NOISE : FRAMER_PLAINTEXT, FRAMER_BODY_MAX);
    if (b->is_encrypted)
        framer_secure(&s->framer, &cipher, &cipher, FRAMER_BODY_MAX);
    buffer_append(&s->out, b->key, sizeof b->key);
    s->is_subscribed = true;
}

static void close_client(struct station *s)
{
    if (s->socket < 0)
        return;
    (void) close(s->socket); /* nothing that waits there is worth anything */
    s->socket = -1;
    s->is_subscribed = false;
    server_session_free(TAKE(s->session));
    buffer_clear(&s->out);
    framer_done(&s->framer);
}

static void accept_client(struct sender *b, struct station *s)
{
    int on = 1, fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    close_client(s);
    s->socket = fd;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        fail("TCP_NODELAY: %s", strerror(errno));
    if (b->is_bare)
        open_bare(b, s);
    else
        open_session(b, s);
    (void) flush(b, s);
}

static void read_client(struct sender *b, struct station *s)
{
    uint8_t scratch[256], *room = scratch;
    size_t capacity = sizeof scratch;
    ssize_t size;

    if (s->session)
        room = server_session_input(s->session, &capacity);
    size = recv(s->socket, room, capacity, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0) {
        close_client(s);
        return;
    }
    if (s->session && server_session_received(s->session, (size_t) size, clock_now()) != 0)
        fail("proxy %zu: %s", s->number, server_session_error(s->session)->detail);
    (void) flush(b, s);
}

/* Takes clients and what they say; true when standard input has something. */
static bool look(struct sender *b, int timeout_ms)
{
    struct pollfd fds[1 + 2 * PROXIES_MAX];
    size_t count = b->settings.proxies;

    fds[0] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
    for (size_t i = 0; i < count; i++) {
        fds[1 + i] = (struct pollfd){b->stations[i].listener, POLLIN, 0};
        fds[1 + count + i] = (struct pollfd){b->stations[i].socket, POLLIN, 0};
    }
    if (poll(fds, 1 + 2 * count, timeout_ms) <= 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (fds[1 + count + i].revents)
            read_client(b, &b->stations[i]);
        if (fds[1 + i].revents)
            accept_client(b, &b->stations[i]);
        if (b->stations[i].session)
            server_session_tick(b->stations[i].session, clock_now());
    }
    return fds[0].revents != 0;
}

/* ---- the commands ---- */

static void wait_for_all(struct sender *b)
{
    const usec_t limit = clock_now() + PATIENCE;
    size_t subscribed;

    do {
        (void) look(b, 10);
        subscribed = 0;
        for (size_t i = 0; i < b->settings.proxies; i++)
            subscribed += b->stations[i].is_subscribed;
        if (clock_now() > limit)
            fail("after 30 s %zu of %zu proxies have a subscriber", subscribed,
                 b->settings.proxies);
    } while (subscribed < b->settings.proxies);
}

static void check_progress(const struct sender *b, uint64_t *moved, usec_t *limit)
{
    usec_t now = clock_now();

    if (*moved != b->writes)
        *limit = now + PATIENCE;
    *moved = b->writes;
    if (now > *limit)
        fail("nothing was read for 30 s");
}

/* A large write to each station whose socket takes one. */
static bool write_much(struct sender *b, struct station *s)
{
    while (s->frames_due > 0 && output_size(s) < WRITE_SIZE)
        add_frame(b, s);
    while (flush(b, s))
        ;
    return s->frames_due > 0 || output_size(s) > 0;
}

static void send_all(struct sender *b)
{
    uint64_t moved = 0, looked = 0;
    usec_t limit = clock_now() + PATIENCE;
    bool is_left = true;

    while (is_left) {
        is_left = false;
        for (size_t i = 0; i < b->settings.proxies; i++)
            is_left |= write_much(b, &b->stations[i]);
        if (b->writes - looked < LOOK_EACH && b->writes != moved)
            continue;
        looked = b->writes;
        (void) look(b, 0);
        check_progress(b, &moved, &limit);
    }
}

/* A frame each period, of one station after the other. */
static void send_paced(struct sender *b, usec_t period)
{
    usec_t due = clock_now();
    size_t i = 0;

    for (;;) {
        struct station *s = &b->stations[i++ % b->settings.proxies];
        usec_t now;

        if (s->frames_due == 0)
            break;
        add_frame(b, s);
        (void) flush(b, s);
        due += period;
        while ((now = clock_now()) < due)
            (void) look(b, (int) ((due - now) / USEC_PER_MSEC));
    }
    send_all(b); /* what a full socket left behind */
}

static void run(struct sender *b, const char *how, uint64_t count)
{
    const usec_t started = clock_now();

    b->frames = b->writes = 0;
    for (size_t i = 0; i < b->settings.proxies; i++) {
        if (!b->stations[i].is_subscribed)
            fail("proxy %zu has no subscriber", i);
        b->stations[i].frames_due = count / RECORDING_BATCH / b->settings.proxies;
    }
    if (strcmp(how, "coalesced") == 0)
        send_all(b);
    else if (strcmp(how, "single") == 0)
        send_paced(b, SINGLE_PERIOD);
    else if (strcmp(how, "steady") == 0)
        send_paced(b, STEADY_PERIOD);
    else if (strcmp(how, "paced") == 0)
        send_paced(b, PACED_PERIOD);
    else
        fail("no command %s", how);
    (void) printf("{\"sent\": %llu, \"frames\": %llu, \"writes\": %llu, \"seconds\": %.3f}\n",
                  (unsigned long long) b->frames * RECORDING_BATCH, (unsigned long long) b->frames,
                  (unsigned long long) b->writes,
                  (double) (clock_now() - started) / (double) USEC_PER_SEC);
}

/* False at the end of the input. */
static bool do_command(struct sender *b)
{
    char line[128], how[16];
    unsigned long long count;

    if (!fgets(line, sizeof line, stdin))
        return false;
    if (strcmp(line, "wait\n") == 0) {
        wait_for_all(b);
        (void) printf("{\"subscribed\": %zu}\n", b->settings.proxies);
    } else if (sscanf(line, "%15s %llu", how, &count) == 2) {
        run(b, how, count);
    } else {
        fail("not a command: %s", line);
    }
    return true;
}

/* ---- the start ---- */

static uint16_t open_listener(struct station *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;

    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    s->socket = -1;
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *) &address, size) < 0 ||
        listen(s->listener, 4) < 0 ||
        getsockname(s->listener, (struct sockaddr *) &address, &size) < 0)
        fail("cannot listen: %s", strerror(errno));
    return ntohs(address.sin_port);
}

static void start(struct sender *b)
{
    (void) printf("{\"key\": \"");
    for (size_t i = 0; i < sizeof b->key; i++)
        (void) printf("%02x", b->key[i]);
    (void) printf("\", \"ports\": [");
    for (size_t i = 0; i < b->settings.proxies; i++) {
        b->stations[i].number = i;
        (void) printf("%s%u", i ? ", " : "", open_listener(&b->stations[i]));
    }
    b->recording = recording_new(&b->settings);
    (void) printf("]}\n");
}

static void read_options(struct sender *b, int argc, char **argv)
{
    static const struct option options[] = {{"proxies", required_argument, NULL, 'p'},
                                            {"devices", required_argument, NULL, 'd'},
                                            {"heard-by", required_argument, NULL, 'h'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"key", no_argument, NULL, 'k'},
                                            {"bare", no_argument, NULL, 'b'},
                                            {0}};
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        size_t value = optarg ? strtoul(optarg, NULL, 10) : 0;

        if (c == 'p')
            b->settings.proxies = value;
        else if (c == 'd')
            b->settings.devices = value;
        else if (c == 'h')
            b->settings.heard_by = value;
        else if (c == 'r')
            b->settings.rounds = value;
        else if (c == 'k')
            b->is_encrypted = true;
        else if (c == 'b')
            b->is_bare = true;
        else
            exit(1);
    }
    if (b->settings.proxies == 0 || b->settings.proxies > PROXIES_MAX)
        fail("--proxies must be 1 to %d", PROXIES_MAX);
}

int main(int argc, char **argv)
{
    struct sender *b = xnew(struct sender, 1);

    b->settings = (struct recording_settings){20, 1000, 3, 64};
    read_options(b, argc, argv);
    for (size_t i = 0; b->is_encrypted && i < sizeof b->key; i++)
        b->key[i] = (uint8_t) (i + 1);
    (void) setvbuf(stdout, NULL, _IOLBF, 0);
    start(b);
    for (;;) {
        if (look(b, 1000) && !do_command(b))
            break;
    }
    for (size_t i = 0; i < b->settings.proxies; i++) {
        close_client(&b->stations[i]);
        buffer_done(&b->stations[i].out);
        (void) close(b->stations[i].listener);
    }
    recording_free(b->recording);
    free(b);
    return 0;
}
