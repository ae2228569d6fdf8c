/* bench-reads: reads of values by a client that costs next to nothing, and how long each took.
 *
 *   bench-reads HOST:PORT RATE SECONDS PATH…
 *   bench-reads --proxy HOST:PORT RATE SECONDS ADDRESS HANDLE
 *   bench-reads --visit HOST:PORT
 *   bench-reads --echo
 *
 * The story: each path has an HTTP connection of its own that stays open, on which it is asked for
 * again and again, RATE times a second over all of them. A connection whose answer is late asks
 * again as soon as it came, until it has made up for it. At the end one line of JSON tells how many
 * reads were answered, in which time, with how much processor time of this program, and the
 * microseconds that each took.
 *
 * With --proxy it does without a gateway: it connects to the device itself, through a proxy that
 * speaks plaintext, and reads the handle over that link. With --visit each line that it is told is
 * a path that it asks for once, on a connection of its own, and answers with {"us": …}; when it can
 * be told something, it says {}. With --echo
 * it is instead the least that can answer HTTP: it says {"port": P}, and whoever connects there,
 * one at a time, gets the same octets for whatever is asked. These two end with their input.
 *
 * Failure modes: whatever is not as expected, an answer other than 200 for instance, ends the
 * program with a message. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ble/address.h"
#include "esphome/client_session.h"

#define STREAMS_MAX  64
#define REQUEST_SIZE 512
#define ANSWER_SIZE  4096
#define READS_MAX    ((size_t) 1000000)
#define PATIENCE     (10 * USEC_PER_SEC)

/* As long as an answer of the gateway. */
#define ECHO_BODY                                                                                  \
    "{\"address\":\"C0:FF:EE:00:00:00\",\"handle\":8,"                                             \
    "\"characteristic\":\"0000fff1-0000-1000-8000-00805f9b34fb\",\"value\":\"0001020304050607\","  \
    "\"source\":\"read\",\"time\":\"2026-11-21T10:00:00.000Z\",\"proxy\":\"proxy-1\"}"

struct proxy { /* a conversation with one, and the link to a device */
    struct client_session *session;
    struct message_gatt wanted;
    bool is_linked, is_answered;
};

struct stream {
    int socket;
    struct proxy *proxy; /* NULL: HTTP */
    char request[REQUEST_SIZE];
    size_t request_size;
    usec_t due; /* when it asks next */
    usec_t asked;
    bool is_waiting;
    char answer[ANSWER_SIZE];
    size_t size;
};

struct reads {
    struct stream streams[STREAMS_MAX];
    size_t streams_count;
    usec_t period; /* of one stream */
    usec_t end;
    uint32_t *times; /* in microseconds */
    size_t count;
};

_Noreturn static void die(const char *what, const char *more)
{
    fprintf(stderr, "bench-reads: %s: %s\n", what, more);
    exit(1);
}

static void make_prompt(int socket)
{
    int on = 1;
    (void) setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void write_all(int socket, const char *octets, size_t size)
{
    if (send(socket, octets, size, MSG_NOSIGNAL) != (ssize_t) size)
        die("send", strerror(errno));
}

/* ---- reading ---- */

static int connect_to(const char *where)
{
    static const struct timeval patience = {.tv_sec = PATIENCE / USEC_PER_SEC};
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    unsigned port;
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (sscanf(where, "%63[0-9.]:%u", host, &port) != 2 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1)
        die("no HOST:PORT", where);
    address.sin_port = htons((uint16_t) port);
    if (made < 0 || connect(made, (struct sockaddr *) &address, sizeof address) != 0)
        die(where, strerror(errno));
    make_prompt(made);
    (void) setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return made;
}

/* ---- a proxy ---- */

static void on_message(void *user, const struct message *message, usec_t now)
{
    struct proxy *p = user;

    (void) now;
    if (message->type == MESSAGE_GATT_ERROR_RESPONSE)
        die("the proxy", "refuses");
    if (message->type == MESSAGE_DEVICE_CONNECTION_RESPONSE)
        p->is_linked = message->device_connection.connected;
    if (message->type == MESSAGE_GATT_READ_RESPONSE)
        p->is_answered = true;
}

static void send_to_proxy(struct stream *s, const struct message *message)
{
    size_t size;

    if (message != NULL && client_session_send(s->proxy->session, message) != 0)
        die("the proxy", "takes no message");
    const uint8_t *octets = client_session_output(s->proxy->session, &size);
    if (size == 0)
        return;
    write_all(s->socket, (const char *) octets, size);
    client_session_sent(s->proxy->session, size);
}

static void hear_proxy(struct stream *s)
{
    size_t room;
    uint8_t *input = client_session_input(s->proxy->session, &room);
    ssize_t size = recv(s->socket, input, room, 0);

    if (size <= 0 || client_session_received(s->proxy->session, (size_t) size, clock_now()) != 0)
        die("the proxy", "hangs up");
    send_to_proxy(s, NULL);
}

static void open_link(struct stream *s, uint64_t address, uint32_t handle)
{
    static const struct client_session_options OPTIONS = {.client_info = "bench-reads"};
    static const struct client_session_callbacks CALLBACKS = {.on_message = on_message};
    const struct message connect = {
            .type = MESSAGE_DEVICE_REQUEST,
            .device_request = {.address = address,
                               .request_type = DEVICE_REQUEST_CONNECT_WITHOUT_CACHE,
                               .has_address_type = true,
                               .address_type = 1},
    };
    const struct message subscribe = {.type = MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST,
                                      .subscription_flags = 1}; /* who connects must have done so */
    struct proxy *p = xnew(struct proxy, 1);

    s->proxy = p;
    p->wanted = (struct message_gatt){.address = address, .handle = handle};
    p->session = client_session_new(&OPTIONS, &CALLBACKS, p, clock_now());
    send_to_proxy(s, NULL);
    while (client_session_state(p->session) != CLIENT_SESSION_READY)
        hear_proxy(s);
    send_to_proxy(s, &subscribe);
    send_to_proxy(s, &connect);
    while (!p->is_linked)
        hear_proxy(s);
}

/* ---- asking ---- */

static void ask(struct stream *s)
{
    s->is_waiting = true;
    s->size = 0;
    s->asked = clock_now();
    if (s->proxy == NULL) {
        write_all(s->socket, s->request, s->request_size);
        return;
    }
    s->proxy->is_answered = false;
    send_to_proxy(s,
                  &(struct message){.type = MESSAGE_GATT_READ_REQUEST, .gatt = s->proxy->wanted});
}

/* Whether the whole answer is there. */
static bool is_answered(const struct stream *s)
{
    static const char LENGTH[] = "Content-Length:";
    const char *end = strstr(s->answer, "\r\n\r\n");

    if (end == NULL)
        return false;
    if (strncmp(s->answer, "HTTP/1.1 200 ", 13) != 0)
        die("refused", s->answer);
    const char *length = strcasestr(s->answer, LENGTH);
    if (length == NULL || length > end)
        die("no length", s->answer);
    size_t head = (size_t) (end + 4 - s->answer);
    return s->size >= head + strtoul(length + sizeof LENGTH - 1, NULL, 10);
}

/* True: the answer is whole. */
static bool hear(struct stream *s)
{
    if (s->proxy != NULL) {
        hear_proxy(s);
        return s->proxy->is_answered;
    }
    ssize_t size = recv(s->socket, s->answer + s->size, sizeof s->answer - 1 - s->size, 0);
    if (size <= 0)
        die("recv", size < 0 ? strerror(errno) : "it was closed, or says too much");
    s->size += (size_t) size;
    s->answer[s->size] = '\0';
    return is_answered(s);
}

static void note(struct reads *r, struct stream *s)
{
    if (r->count == READS_MAX)
        die("reads", "too many");
    r->times[r->count++] = (uint32_t) (clock_now() - s->asked);
    s->is_waiting = false;
    s->due += r->period;
}

/* When a stream that is not waiting asks next; at most the patience from now. */
static usec_t next_due(const struct reads *r, usec_t now)
{
    usec_t next = now + PATIENCE;

    for (size_t i = 0; i < r->streams_count; i++)
        if (!r->streams[i].is_waiting && r->streams[i].due < next)
            next = r->streams[i].due;
    return next > now ? next - now : 0;
}

static void wait_and_hear(struct reads *r, usec_t span)
{
    struct pollfd polled[STREAMS_MAX];
    struct timespec limit = {.tv_sec = (time_t) (span / USEC_PER_SEC),
                             .tv_nsec = (long) (span % USEC_PER_SEC) * 1000};

    for (size_t i = 0; i < r->streams_count; i++)
        polled[i] = (struct pollfd){.fd = r->streams[i].socket, .events = POLLIN};
    if (ppoll(polled, (nfds_t) r->streams_count, &limit, NULL) < 0)
        die("ppoll", strerror(errno));
    for (size_t i = 0; i < r->streams_count; i++)
        if (polled[i].revents != 0 && hear(&r->streams[i]) && r->streams[i].is_waiting)
            note(r, &r->streams[i]);
}

/* False when the time is over and nothing is waited for any more. */
static bool ask_what_is_due(struct reads *r, usec_t now)
{
    bool goes_on = now < r->end;

    for (size_t i = 0; i < r->streams_count; i++) {
        struct stream *s = &r->streams[i];
        if (s->is_waiting && now - s->asked > PATIENCE && now > s->asked)
            die("no answer", s->request);
        if (!s->is_waiting && s->due <= now && now < r->end)
            ask(s);
        goes_on = goes_on || s->is_waiting;
    }
    return goes_on;
}

static void open_http(struct stream *s, const char *where, const char *path)
{
    int size = snprintf(s->request, sizeof s->request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path,
                        where);

    if (size < 0 || (size_t) size >= sizeof s->request)
        die("too long", path);
    s->request_size = (size_t) size;
    s->socket = connect_to(where);
}

static struct reads *reads_new(const char *where, const char *const *paths, size_t count)
{
    struct reads *r = xnew(struct reads, 1);

    r->times = xnew(uint32_t, READS_MAX);
    r->streams_count = count;
    for (size_t i = 0; i < count; i++)
        open_http(&r->streams[i], where, paths[i]);
    return r;
}

static struct reads *reads_new_of_proxy(const char *where, const char *address, const char *handle)
{
    struct reads *r = xnew(struct reads, 1);
    uint64_t number;

    if (!ble_address_parse(address, &number))
        die("no address", address);
    r->times = xnew(uint32_t, READS_MAX);
    r->streams_count = 1;
    r->streams[0].socket = connect_to(where);
    open_link(&r->streams[0], number, (uint32_t) strtoul(handle, NULL, 10));
    return r;
}

static void reads_free(struct reads *r)
{
    for (size_t i = 0; i < r->streams_count; i++) {
        struct stream *s = &r->streams[i];
        (void) close(s->socket);
        if (s->proxy != NULL)
            client_session_free(s->proxy->session);
        free(s->proxy);
    }
    free(r->times);
    free(r);
}

static double cpu_s(void)
{
    struct rusage usage;

    (void) getrusage(RUSAGE_SELF, &usage);
    return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void tell(const struct reads *r, double seconds, double cpu)
{
    printf("{\"reads\": %zu, \"seconds\": %.6f, \"cpu_s\": %.6f, \"us\": [", r->count, seconds,
           cpu);
    for (size_t i = 0; i < r->count; i++)
        printf("%s%u", i > 0 ? ", " : "", r->times[i]);
    printf("]}\n");
}

static void read_at_rate(struct reads *r, double rate, double seconds)
{
    double cpu = cpu_s();
    usec_t start = clock_now();

    if (rate <= 0 || seconds <= 0)
        die("rate and time", "must be above 0");
    r->period = (usec_t) ((double) r->streams_count * USEC_PER_SEC / rate);
    r->end = start + (usec_t) (seconds * USEC_PER_SEC);
    for (size_t i = 0; i < r->streams_count; i++)
        r->streams[i].due = start + i * r->period / r->streams_count;
    while (ask_what_is_due(r, clock_now()))
        wait_and_hear(r, next_due(r, clock_now()));
    tell(r, (double) (clock_now() - start) / USEC_PER_SEC, cpu_s() - cpu);
    reads_free(r);
}

/* ---- visits ---- */

static void visit(const char *where, const char *path)
{
    struct stream *s = xnew(struct stream, 1);
    usec_t began = clock_now();

    open_http(s, where, path);
    ask(s);
    while (!hear(s))
        continue;
    printf("{\"us\": %llu}\n", (unsigned long long) (clock_now() - began));
    (void) fflush(stdout);
    (void) close(s->socket);
    free(s);
}

static void visit_all(const char *where)
{
    char line[REQUEST_SIZE];

    printf("{}\n");
    (void) fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        visit(where, line);
    }
}

/* ---- the echo ---- */

static int listen_anywhere(unsigned *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (made < 0 || bind(made, (struct sockaddr *) &address, size) != 0 || listen(made, 1) != 0 ||
        getsockname(made, (struct sockaddr *) &address, &size) != 0)
        die("listen", strerror(errno));
    *ret_port = ntohs(address.sin_port);
    return made;
}

/* A request is one segment: our own client writes it at once. False when the client is gone. */
static bool answer_one(int client)
{
    char request[REQUEST_SIZE], answer[REQUEST_SIZE];

    if (recv(client, request, sizeof request, 0) <= 0)
        return false;
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        sizeof ECHO_BODY - 1, ECHO_BODY);
    write_all(client, answer, (size_t) size);
    return true;
}

static void serve(int listener)
{
    struct pollfd polled[3] = {{.fd = STDIN_FILENO, .events = POLLIN},
                               {.fd = listener, .events = POLLIN},
                               {.fd = -1, .events = POLLIN}};

    while (poll(polled, 3, -1) > 0 && polled[0].revents == 0) {
        if (polled[2].revents != 0 && !answer_one(polled[2].fd)) {
            (void) close(polled[2].fd);
            polled[2].fd = -1;
        }
        if (polled[1].revents != 0 && polled[2].fd < 0) {
            polled[2].fd = accept(listener, NULL, NULL);
            make_prompt(polled[2].fd);
        }
    }
}

static void echo(void)
{
    unsigned port;
    int listener = listen_anywhere(&port);

    printf("{\"port\": %u}\n", port);
    (void) fflush(stdout);
    serve(listener);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--echo") == 0)
        echo();
    else if (argc == 3 && strcmp(argv[1], "--visit") == 0)
        visit_all(argv[2]);
    else if (argc == 7 && strcmp(argv[1], "--proxy") == 0)
        read_at_rate(reads_new_of_proxy(argv[2], argv[5], argv[6]), strtod(argv[3], NULL),
                     strtod(argv[4], NULL));
    else if (argc >= 5 && argv[1][0] != '-' && (size_t) argc - 4 <= STREAMS_MAX)
        read_at_rate(reads_new(argv[1], (const char *const *) argv + 4, (size_t) argc - 4),
                     strtod(argv[2], NULL), strtod(argv[3], NULL));
    else
        die("arguments", "see the head of bench_reads.c");
    return 0;
}
