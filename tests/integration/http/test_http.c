/* The HTTP frontend on a real loop and real sockets, over a gateway whose time stands still. The
 * traps of libmicrohttpd under an external loop have a test each. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "fake_gateway.h"
#include "fake_links.h"
#include "http/http.h"
#include "rest/metrics.h"

#define PATIENCE     (10 * USEC_PER_SEC) /* until a test gives up; nothing waits for it to pass */
#define SETTLE_TURNS 50                  /* of the loop, after which nothing more is on its way */
#define ADDRESS      0xa4c13812ab56
#define HOST         "Host: localhost\r\n"

struct fixture {
    uv_loop_t loop;
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    struct http *http;
    bool is_closed;
};

struct client {
    int fd;
    struct buffer input;
    bool is_at_end;
};

struct reply {
    int status;
    char head[2048];
    char body[4096]; /* its beginning */
    size_t body_size;
};

/* ---- the server's life ---- */

static int start(struct fixture *f, const char *config)
{
    char error[256];

    f->is_closed = false;
    f->config = fake_config(config);
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    return http_new(&f->loop, f->rest, f->gateway, &f->http, error, sizeof error);
}

static void on_closed(void *user)
{
    ((struct fixture *) user)->is_closed = true;
}

static void stop(struct fixture *f)
{
    if (f->http) {
        http_close(f->http, on_closed, f);
        while (!f->is_closed)
            uv_run(&f->loop, UV_RUN_ONCE);
        http_free(f->http);
        f->http = NULL;
    }
    rest_free(f->rest);
    fake_gateway_free(f->gateway);
    config_free(f->config);
}

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(start(f, "{\"http\":{\"listen\":\"127.0.0.1:0\",\"hosts\":[\"ble.example\"]},"
                              "\"limits\":{\"http_connections\":16,\"body_bytes\":1024},"
                              "\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"}]}"),
                     0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    stop(f);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

static void turn(struct fixture *f)
{
    uv_run(&f->loop, UV_RUN_NOWAIT);
    fake_gateway_turn(f->gateway);
}

static void settle(struct fixture *f)
{
    for (int i = 0; i < SETTLE_TURNS; i++)
        turn(f);
}

/* ---- a client ---- */

static uint16_t port_of(const struct fixture *f, size_t index)
{
    const char *bound = http_bound(f->http, index);

    return (uint16_t) strtoul(strrchr(bound, ':') + 1, NULL, 10);
}

static struct client dial(const struct fixture *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port_of(f, 0)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct client c = {.fd = socket(AF_INET, SOCK_STREAM, 0)};

    assert_true(c.fd >= 0);
    assert_int_equal(connect(c.fd, (struct sockaddr *) &address, sizeof address), 0);
    return c;
}

static void hang_up(struct client *c)
{
    close(c->fd);
    buffer_done(&c->input);
}

/* Gives the server turns while the socket is full. False when the server closed it. */
static bool send_all(struct fixture *f, struct client *c, const char *data, size_t size)
{
    usec_t limit = clock_now() + PATIENCE;

    while (size > 0) {
        ssize_t sent = send(c->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent > 0) {
            data += sent;
            size -= (size_t) sent;
        } else if (errno != EAGAIN) {
            return false;
        }
        turn(f);
        assert_true(clock_now() < limit);
    }
    return true;
}

static void send_text(struct fixture *f, struct client *c, const char *text)
{
    assert_true(send_all(f, c, text, strlen(text)));
}

static void take_in(struct client *c)
{
    ssize_t size = recv(c->fd, buffer_reserve(&c->input, 65536), 65536, MSG_DONTWAIT);

    if (size > 0)
        buffer_commit(&c->input, (size_t) size);
    else if (size == 0 || errno != EAGAIN)
        c->is_at_end = true;
}

static const char *field(const struct reply *reply, const char *name)
{
    const char *at = strcasestr(reply->head, name);

    return at ? at + strlen(name) : "";
}

/* Takes one whole reply from the front of the input. */
static bool take_reply(struct client *c, bool is_head, struct reply *ret_reply)
{
    const char *text, *end;
    size_t head_size, body_size;

    buffer_append_char(&c->input, '\0'); /* so that it can be searched */
    c->input.end--;
    text = (const char *) buffer_front(&c->input);
    end = strstr(text, "\r\n\r\n");
    if (!end)
        return false;
    head_size = (size_t) (end - text) + 4;
    assert_true(head_size < sizeof ret_reply->head);
    *ret_reply = (struct reply){0};
    memcpy(ret_reply->head, text, head_size);
    ret_reply->status = (int) strtol(text + strlen("HTTP/1.1 "), NULL, 10);
    body_size = (size_t) strtoul(field(ret_reply, "Content-Length: "), NULL, 10);
    ret_reply->body_size = body_size;
    if (is_head)
        body_size = 0;
    if (buffer_size(&c->input) < head_size + body_size)
        return false;
    memcpy(ret_reply->body, text + head_size,
           body_size < sizeof ret_reply->body ? body_size : sizeof ret_reply->body - 1);
    buffer_consume(&c->input, head_size + body_size);
    return true;
}

static struct reply receive(struct fixture *f, struct client *c)
{
    usec_t limit = clock_now() + PATIENCE;
    struct reply reply;

    while (!take_reply(c, /* is_head= */ false, &reply)) {
        assert_false(c->is_at_end);
        assert_true(clock_now() < limit);
        turn(f);
        take_in(c);
    }
    return reply;
}

static bool has_reply(struct fixture *f, struct client *c)
{
    settle(f);
    take_in(c);
    return buffer_size(&c->input) > 0;
}

static struct reply ask(struct fixture *f, struct client *c, const char *request)
{
    send_text(f, c, request);
    return receive(f, c);
}

/* Over a connection of its own. */
static struct reply ask_once(struct fixture *f, const char *request)
{
    struct client c = dial(f);
    struct reply reply = ask(f, &c, request);

    hang_up(&c);
    return reply;
}

static void announce_device(struct fixture *f)
{
    fake_gateway_change(f->gateway, GATEWAY_DEVICE_FIRST_SEEN,
                        fake_gateway_add(f->gateway, ADDRESS));
}

/* ---- answers ---- */

static void connection_serves_one_request_after_the_other(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f);

    for (int i = 0; i < 3; i++) {
        struct reply reply = ask(f, &c, "GET /healthz HTTP/1.1\r\n" HOST "\r\n");

        assert_int_equal(reply.status, 200);
        assert_string_equal(reply.body, "{\"status\":\"pass\"}");
        assert_true(*field(&reply, "Date: ") != '\0');
        assert_int_equal(strncmp(field(&reply, "Content-Type: "), "application/json\r", 17), 0);
    }
    hang_up(&c);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f);

    send_text(f, &c,
              "GET /healthz HTTP/1.1\r\n" HOST "\r\n"
              "GET /nothing HTTP/1.1\r\n" HOST "\r\n"
              "POST /api/v1/proxies/kitchen/reconnect HTTP/1.1\r\n" HOST
              "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
              "GET / HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(receive(f, &c).status, 200);
    assert_int_equal(receive(f, &c).status, 404);
    assert_int_equal(receive(f, &c).status, 202);
    assert_int_equal(receive(f, &c).status, 200);
    hang_up(&c);
}

/* What GET /metrics will say next. */
static char *figures(const struct fixture *f)
{
    struct metrics_text text = {0};

    metrics_write(rest_metrics(f->rest), &text);
    return buffer_take_text(&text.text);
}

static void D03_answers_are_counted_by_the_class_of_their_status(void **state)
{
    struct fixture *f = *state;
    struct client c;
    char *text;

    (void) ask_once(f, "GET /healthz HTTP/1.1\r\nHost: foreign.example\r\n\r\n");
    settle(f);
    c = dial(f);
    (void) ask(f, &c, "GET /healthz HTTP/1.1\r\n" HOST "\r\n");
    (void) ask(f, &c, "GET /metrics HTTP/1.1\r\n" HOST "\r\n");
    (void) ask(f, &c, "GET /nothing HTTP/1.1\r\n" HOST "\r\n");
    text = figures(f);
    assert_non_null(strstr(text, "\nblefleet_http_requests_total{code=\"2xx\"} 2\n"));
    assert_non_null(strstr(text, "\nblefleet_http_requests_total{code=\"4xx\"} 2\n"));
    assert_non_null(strstr(text, "\nblefleet_http_requests_total{code=\"5xx\"} 0\n"));
    assert_non_null(strstr(text, "\nblefleet_http_connections 1\n"));
    free(text);
    hang_up(&c);
}

static void D03_figures_of_http_go_with_it(void **state)
{
    struct fixture *f = *state;
    char *text;

    http_close(f->http, on_closed, f);
    while (!f->is_closed)
        uv_run(&f->loop, UV_RUN_ONCE);
    http_free(TAKE(f->http));
    text = figures(f);
    assert_null(strstr(text, "blefleet_http_"));
    assert_non_null(strstr(text, "blefleet_build_info"));
    free(text);
}

static void head_has_the_length_but_not_the_body(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f);
    usec_t limit = clock_now() + PATIENCE;
    struct reply reply;

    send_text(f, &c, "HEAD /healthz HTTP/1.1\r\n" HOST "\r\n");
    while (!take_reply(&c, /* is_head= */ true, &reply)) {
        assert_true(clock_now() < limit);
        turn(f);
        take_in(&c);
    }
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body_size, strlen("{\"status\":\"pass\"}"));
    assert_false(has_reply(f, &c));
    hang_up(&c);
}

/* Built without the dashboard it is one sentence. */
static void root_is_the_dashboard_or_says_where_the_api_is(void **state)
{
    struct reply reply = ask_once(*state, "GET / HTTP/1.1\r\n" HOST "\r\n");

    assert_int_equal(reply.status, 200);
    assert_true(strstr(reply.body, "<!doctype html>") ||
                strstr(reply.body, "/api/v1/openapi.json"));
    assert_int_equal(ask_once(*state, "POST / HTTP/1.1\r\n" HOST "\r\n").status, 404);
}

static void contract_comes_compressed_to_who_asks_for_it(void **state)
{
    struct reply plain, packed;

    plain = ask_once(*state, "GET /api/v1/openapi.json HTTP/1.1\r\n" HOST "\r\n");
    packed = ask_once(*state, "GET /api/v1/openapi.json HTTP/1.1\r\n" HOST
                              "Accept-Encoding: deflate, gzip;q=0.5\r\n\r\n");
    assert_string_equal(field(&plain, "Content-Encoding: "), "");
    assert_int_equal(strncmp(field(&packed, "Content-Encoding: "), "gzip", 4), 0);
    assert_true(packed.body_size < plain.body_size / 3);
    packed = ask_once(*state, "GET /api/v1/openapi.json HTTP/1.1\r\n" HOST
                              "Accept-Encoding: gzip;q=0\r\n\r\n");
    assert_int_equal(packed.body_size, plain.body_size);
}

static void foreign_host_and_origin_are_refused(void **state)
{
    static const char post[] = "POST /api/v1/proxies/kitchen/reconnect HTTP/1.1\r\n";
    struct fixture *f = *state;
    char request[512];

    assert_int_equal(ask_once(f, "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n").status,
                     403);
    assert_int_equal(ask_once(f, "GET /healthz HTTP/1.0\r\n\r\n").status, 403);
    assert_int_equal(ask_once(f, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 403);
    assert_int_equal(ask_once(f, "GET /healthz HTTP/1.1\r\nHost: ble.example\r\n\r\n").status, 200);
    snprintf(request, sizeof request, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n",
             http_bound(f->http, 0));
    assert_int_equal(ask_once(f, request).status, 200);
    snprintf(request, sizeof request, "%s%sOrigin: http://evil.example\r\n\r\n", post, HOST);
    assert_int_equal(ask_once(f, request).status, 403);
    snprintf(request, sizeof request, "%s%sOrigin: null\r\n\r\n", post, HOST);
    assert_int_equal(ask_once(f, request).status, 403);
    assert_int_equal(fake_gateway_reconnects(f->gateway, 0), 0);
    snprintf(request, sizeof request, "%s%sOrigin: http://localhost\r\n\r\n", post, HOST);
    assert_int_equal(ask_once(f, request).status, 202);
    assert_int_equal(
            ask_once(f, "GET /healthz HTTP/1.1\r\n" HOST "Origin: http://evil.example\r\n\r\n")
                    .status,
            200);
}

/* ---- waiting ---- */

static void waiting_request_is_answered_when_the_device_appears(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f);
    struct reply reply;

    send_text(f, &c, "GET /api/v1/devices?wait_ms=60000 HTTP/1.1\r\n" HOST "\r\n");
    assert_false(has_reply(f, &c));
    announce_device(f);
    reply = receive(f, &c);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.body, "A4:C1:38:12:AB:56"));
    assert_int_equal(ask(f, &c, "GET /healthz HTTP/1.1\r\n" HOST "\r\n").status, 200);
    hang_up(&c);
}

static void request_behind_a_waiting_one_waits_for_its_turn(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f), other = dial(f);

    send_text(f, &c,
              "GET /api/v1/devices?wait_ms=1000 HTTP/1.1\r\n" HOST "\r\n"
              "GET /nothing HTTP/1.1\r\n" HOST "\r\n");
    assert_false(has_reply(f, &c));
    assert_int_equal(ask(f, &other, "GET /healthz HTTP/1.1\r\n" HOST "\r\n").status, 200);
    fake_gateway_advance(f->gateway, USEC_PER_SEC);
    assert_string_equal(receive(f, &c).body, "{\"items\":[],\"next\":null}");
    assert_int_equal(receive(f, &c).status, 404);
    hang_up(&c);
    hang_up(&other);
}

static void client_that_goes_away_while_waiting_does_no_harm(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f);

    send_text(f, &c, "GET /api/v1/devices?wait_ms=1000 HTTP/1.1\r\n" HOST "\r\n");
    assert_false(has_reply(f, &c));
    hang_up(&c);
    settle(f);
    announce_device(f);
    settle(f);
    assert_int_equal(ask_once(f, "GET /healthz HTTP/1.1\r\n" HOST "\r\n").status, 200);
}

static void closing_answers_those_who_wait(void **state)
{
    struct fixture *f = *state;
    struct client c[3];

    for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
        c[i] = dial(f);
        send_text(f, &c[i], "GET /api/v1/devices?wait_ms=60000 HTTP/1.1\r\n" HOST "\r\n");
        assert_false(has_reply(f, &c[i]));
    }
    http_close(f->http, on_closed, f);
    while (!f->is_closed)
        uv_run(&f->loop, UV_RUN_ONCE);
    http_free(f->http);
    f->http = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
        struct reply reply;

        while (!c[i].is_at_end)
            take_in(&c[i]);
        assert_true(take_reply(&c[i], /* is_head= */ false, &reply));
        assert_int_equal(reply.status, 503);
        assert_non_null(strstr(reply.body, "\"shutting_down\""));
        hang_up(&c[i]);
    }
}

/* ---- limits ---- */

static void connections_beyond_the_limit_wait_for_a_free_one(void **state)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\n" HOST "\r\n";
    struct fixture *f = *state;
    struct client c[17];

    for (size_t i = 0; i < 16; i++) {
        c[i] = dial(f);
        assert_int_equal(ask(f, &c[i], request).status, 200);
    }
    c[16] = dial(f);
    send_text(f, &c[16], request);
    assert_false(has_reply(f, &c[16]));
    hang_up(&c[0]);
    assert_int_equal(receive(f, &c[16]).status, 200);
    for (size_t i = 1; i < 17; i++)
        hang_up(&c[i]);
}

static void without_a_free_descriptor_clients_wait_and_the_loop_sleeps(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f);
    struct pollfd loop = {.fd = uv_backend_fd(&f->loop), .events = POLLIN};
    struct rlimit former, none;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &former), 0);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = former.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    settle(f);
    assert_true(uv_backend_timeout(&f->loop) > 0);
    assert_int_equal(poll(&loop, 1, 0), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &former), 0);
    assert_int_equal(ask(f, &c, "GET /healthz HTTP/1.1\r\n" HOST "\r\n").status, 200);
    hang_up(&c);
}

static void those_who_wait_leave_connections_for_the_others(void **state)
{
    struct fixture *f = *state;
    struct client c[9];

    for (size_t i = 0; i < 9; i++) {
        c[i] = dial(f);
        send_text(f, &c[i], "GET /api/v1/devices?wait_ms=60000 HTTP/1.1\r\n" HOST "\r\n");
        settle(f);
    }
    assert_int_equal(receive(f, &c[8]).status, 503);
    assert_int_equal(ask_once(f, "GET /healthz HTTP/1.1\r\n" HOST "\r\n").status, 200);
    for (size_t i = 0; i < 9; i++)
        hang_up(&c[i]);
}

static void client_that_hangs_up_gives_its_link_up(void **state)
{
    struct fixture *f = *state;
    struct client patient = dial(f), hasty = dial(f);

    send_text(f, &patient, "PUT /api/v1/devices/A4C13812AB57/connection HTTP/1.1\r\n" HOST "\r\n");
    send_text(f, &hasty, "PUT /api/v1/devices/A4C13812AB56/connection HTTP/1.1\r\n" HOST "\r\n");
    settle(f);
    assert_non_null(fake_links_request(f->gateway));
    hang_up(&hasty);
    settle(f);
    assert_int_equal(fake_links_cancelled(f->gateway), 0);
    fake_gateway_advance(f->gateway, USEC_PER_SEC);
    settle(f);
    assert_int_equal(fake_links_cancelled(f->gateway), 1);
    assert_true(fake_links_request(f->gateway)->address == 0xA4C13812AB57);
    assert_string_equal(fake_links_request(f->gateway)->client, "loopback");

    fake_links_answer(f->gateway, &(struct gateway_link_answer){.code = E_CONNECT_TIMEOUT});
    assert_int_equal(receive(f, &patient).status, 504);
    hang_up(&patient);
}

static void body_that_is_announced_too_long_is_refused_at_once(void **state)
{
    struct reply reply = ask_once(*state, "POST /api/v1/proxies/kitchen/reconnect HTTP/1.1\r\n" HOST
                                          "Content-Length: 99999999999\r\n\r\n");

    assert_int_equal(reply.status, 413);
    assert_non_null(strstr(reply.body, "\"max\":1024"));
}

static void body_that_turns_out_too_long_is_refused_at_its_end(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f);
    char chunk[1 + 3 + 2 + 0x500 + 2];

    send_text(f, &c,
              "POST /api/v1/proxies/kitchen/reconnect HTTP/1.1\r\n" HOST
              "Transfer-Encoding: chunked\r\n\r\n");
    memset(chunk, ' ', sizeof chunk);
    memcpy(chunk, "500\r\n", 5);
    memcpy(chunk + 5 + 0x500, "\r\n", 2);
    assert_true(send_all(f, &c, chunk, 5 + 0x500 + 2));
    send_text(f, &c, "0\r\n\r\n");
    assert_int_equal(receive(f, &c).status, 413);
    hang_up(&c);
}

static void body_that_does_not_end_loses_its_connection(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f);
    static char chunk[7 + 0x10000 + 2];
    size_t sent = 0;

    send_text(f, &c,
              "POST /api/v1/proxies/kitchen/reconnect HTTP/1.1\r\n" HOST
              "Transfer-Encoding: chunked\r\n\r\n");
    memset(chunk, ' ', sizeof chunk);
    memcpy(chunk, "10000\r\n", 7);
    memcpy(chunk + 7 + 0x10000, "\r\n", 2);
    while (send_all(f, &c, chunk, sizeof chunk)) {
        sent += sizeof chunk;
        assert_true(sent < (size_t) 64 << 20);
    }
    hang_up(&c);
    assert_int_equal(ask_once(f, "GET /healthz HTTP/1.1\r\n" HOST "\r\n").status, 200);
}

static void reader_that_does_not_read_delays_nobody(void **state)
{
    static const char request[] = "GET /api/v1/openapi.json HTTP/1.1\r\n" HOST "\r\n";
    struct fixture *f = *state;
    struct client slow = dial(f), other = dial(f);

    for (int i = 0; i < 100; i++)
        send_text(f, &slow, request);
    settle(f);
    for (int i = 0; i < 20; i++)
        assert_int_equal(ask(f, &other, "GET /healthz HTTP/1.1\r\n" HOST "\r\n").status, 200);
    for (int i = 0; i < 100; i++)
        assert_int_equal(receive(f, &slow).status, 200);
    hang_up(&slow);
    hang_up(&other);
}

static void what_is_not_http_does_no_harm(void **state)
{
    static const char *const nonsense[] = {
            "\r\n\r\n",
            "GET\r\n\r\n",
            "GET /healthz\r\n\r\n",
            "\x16\x03\x01\x02\x01",
            "GET /healthz HTTP/1.1\r\nHost\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            "POST /healthz HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            "GET " /* and then nothing */,
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
        struct client c = dial(f);

        send_text(f, &c, nonsense[i]);
        settle(f);
        hang_up(&c);
        settle(f);
    }
    assert_int_equal(ask_once(f, "GET /healthz HTTP/1.1\r\n" HOST "\r\n").status, 200);
}

/* ---- slow clients ---- */

#define SLOW_CLIENTS 200

/* A larger house: room for those who are slow, and for long bodies. */
static void start_roomy(struct fixture *f)
{
    stop(f);
    assert_int_equal(start(f, "{\"http\":{\"listen\":\"127.0.0.1:0\"},"
                              "\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"}]}"),
                     0);
}

/* A second passes, in which the client sends this. */
static void spend_a_second(struct fixture *f, struct client *c, const char *text)
{
    (void) send(c->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
    settle(f);
    fake_gateway_advance(f->gateway, USEC_PER_SEC);
    settle(f);
    take_in(c);
}

/* Seconds until the connection of a client that sends this each second is closed. */
static unsigned seconds_until_closed(struct fixture *f, struct client *c, const char *text)
{
    unsigned seconds = 0;

    while (!c->is_at_end) {
        assert_true(seconds < 1000);
        spend_a_second(f, c, text);
        seconds++;
    }
    return seconds;
}

static void headers_octet_by_octet_are_cut_off_while_others_are_served(void **state)
{
    struct fixture *f = *state;
    struct client slow[SLOW_CLIENTS];

    start_roomy(f);
    for (size_t i = 0; i < SLOW_CLIENTS; i++) {
        slow[i] = dial(f);
        send_text(f, &slow[i], "GET /healthz HTTP/1.1\r\nX-Slow: ");
    }
    for (unsigned second = 1; second <= 16; second++) {
        for (size_t i = 0; i < SLOW_CLIENTS; i++) {
            (void) send(slow[i].fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
            take_in(&slow[i]);
            assert_true(slow[i].is_at_end == (second > 15));
        }
        assert_int_equal(ask_once(f, "GET /healthz HTTP/1.1\r\n" HOST "\r\n").status, 200);
        fake_gateway_advance(f->gateway, USEC_PER_SEC);
        settle(f);
    }
    for (size_t i = 0; i < SLOW_CLIENTS; i++)
        hang_up(&slow[i]);
}

static void kept_connection_has_a_minute_for_its_next_headers(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f);
    unsigned seconds;

    assert_int_equal(ask(f, &c, "GET /healthz HTTP/1.1\r\n" HOST "\r\n").status, 200);
    for (int i = 0; i < 30; i++)
        spend_a_second(f, &c, "");
    assert_int_equal(ask(f, &c, "GET /healthz HTTP/1.1\r\n" HOST "\r\n").status, 200);
    send_text(f, &c, "GET /healthz HTTP/1.1\r\nX-Slow: ");
    seconds = seconds_until_closed(f, &c, "x");
    assert_in_range(seconds, 60, 61);
    hang_up(&c);
}

static void body_octet_by_octet_is_cut_off(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f);
    unsigned seconds;

    send_text(f, &c,
              "POST /api/v1/proxies/kitchen/reconnect HTTP/1.1\r\n" HOST
              "Content-Length: 1000\r\n\r\n");
    seconds = seconds_until_closed(f, &c, " ");
    assert_in_range(seconds, 30, 31);
    hang_up(&c);
}

static void trailers_without_end_are_cut_off(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f);
    unsigned seconds;

    send_text(f, &c,
              "POST /api/v1/proxies/kitchen/reconnect HTTP/1.1\r\n" HOST
              "Transfer-Encoding: chunked\r\n\r\n0\r\n");
    seconds = seconds_until_closed(f, &c, "a: b\r\n");
    assert_in_range(seconds, 30, 31);
    hang_up(&c);
}

static void slow_but_honest_upload_is_not_cut_off(void **state)
{
    struct fixture *f = *state;
    char part[2048 + 1] = {0};
    struct client c;

    start_roomy(f);
    c = dial(f);
    memset(part, ' ', 2048);
    send_text(f, &c,
              "POST /api/v1/proxies/kitchen/reconnect HTTP/1.1\r\n" HOST
              "Content-Length: 409602\r\n\r\n{}");
    for (int i = 0; i < 200; i++) {
        assert_false(c.is_at_end);
        spend_a_second(f, &c, part);
    }
    assert_int_equal(receive(f, &c).status, 202);
    hang_up(&c);
}

static void answer_that_nobody_reads_is_cut_off(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f);

    for (int i = 0; i < 100; i++)
        send_text(f, &c, "GET /api/v1/openapi.json HTTP/1.1\r\n" HOST "\r\n");
    settle(f);
    fake_gateway_advance(f->gateway, 10 * 60 * USEC_PER_SEC);
    settle(f);
    for (int i = 0; i < 100000 && !c.is_at_end; i++) {
        buffer_consume(&c.input, buffer_size(&c.input));
        take_in(&c);
        turn(f);
    }
    assert_true(c.is_at_end);
    hang_up(&c);
}

static void who_waits_for_us_is_not_cut_off(void **state)
{
    struct fixture *f = *state;
    struct client c = dial(f);

    send_text(f, &c, "GET /api/v1/devices?wait_ms=60000 HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 0; i < 60; i++) {
        assert_false(c.is_at_end);
        spend_a_second(f, &c, "");
    }
    assert_int_equal(receive(f, &c).status, 200);
    hang_up(&c);
}

/* ---- listening ---- */

static void port_that_is_taken_fails_the_start_with_its_reason(void **state)
{
    struct fixture *f = *state;
    struct fixture second = {0};
    char config[256];

    snprintf(config, sizeof config, "{\"http\":{\"listen\":[\"127.0.0.1:0\",\"%s\"]}}",
             http_bound(f->http, 0));
    assert_int_equal(uv_loop_init(&second.loop), 0);
    assert_int_equal(start(&second, config), -EADDRINUSE);
    assert_null(second.http);
    stop(&second);
    uv_run(&second.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&second.loop), 0);
}

static void every_address_of_the_list_is_bound(void **state)
{
    struct fixture *f = *state;

    stop(f);
    assert_int_equal(start(f, "{\"http\":{\"listen\":[\"127.0.0.1:0\",\"localhost:0\"]}}"), 0);
    assert_int_equal(strncmp(http_bound(f->http, 0), "127.0.0.1:", 10), 0);
    assert_int_equal(strncmp(http_bound(f->http, 1), "127.0.0.1:", 10), 0);
    assert_true(port_of(f, 0) != port_of(f, 1));
    assert_string_equal(http_bound(f->http, 2), "-");
    assert_int_equal(ask_once(f, "GET /healthz HTTP/1.1\r\n" HOST "\r\n").status, 200);
}

static void ipv6_is_served_where_the_machine_has_it(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct client c = {.fd = socket(AF_INET6, SOCK_STREAM, 0)};
    int result;

    stop(f);
    result = start(f, "{\"http\":{\"listen\":\"[::1]:0\"}}");
    if (result == -EADDRNOTAVAIL || result == -EAFNOSUPPORT) {
        f->http = NULL;
        hang_up(&c);
        skip();
    }
    assert_int_equal(result, 0);
    assert_int_equal(strncmp(http_bound(f->http, 0), "[::1]:", 6), 0);
    address.sin6_port = htons(port_of(f, 0));
    assert_int_equal(connect(c.fd, (struct sockaddr *) &address, sizeof address), 0);
    assert_int_equal(ask(f, &c, "GET /healthz HTTP/1.1\r\nHost: [::1]\r\n\r\n").status, 200);
    hang_up(&c);
}

/* ---- bodies and answers that are files ---- */

#define UPLOAD_SIZE ((size_t) 200000) /* of a body whose limit in memory is 1024 */
#define UPLOAD      "POST /api/v1/restore HTTP/1.1\r\n" HOST "Content-Type: application/vnd.sqlite3\r\n"

/* Where bodies go: a folder of its own. */
static char *take_uploads(struct fixture *f)
{
    struct fake_backups *backups = fake_gateway_backups(f->gateway);
    char folder[] = "/tmp/blefleet-http-XXXXXX";

    assert_non_null(mkdtemp(folder));
    (void) snprintf(backups->upload, sizeof backups->upload, "%s/upload", folder);
    return backups->upload;
}

static void remove_uploads(char *path)
{
    assert_int_equal(access(path, F_OK), -1);
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
}

static void wait_until_gone(struct fixture *f, const char *path)
{
    usec_t limit = clock_now() + PATIENCE;

    while (access(path, F_OK) == 0) {
        turn(f);
        assert_true(clock_now() < limit);
    }
}

/* Until the gateway was asked to restore. */
static void wait_for_restore(struct fixture *f)
{
    const struct fake_backups *backups = fake_gateway_backups(f->gateway);
    usec_t limit = clock_now() + PATIENCE;

    while (!backups->path[0]) {
        turn(f);
        assert_true(clock_now() < limit);
    }
}

static char *make_body(void)
{
    char *body = xnew(char, UPLOAD_SIZE);

    for (size_t i = 0; i < UPLOAD_SIZE; i++)
        body[i] = (char) (i * 31 >> 3);
    return body;
}

static void assert_holds(const char *path, const char *body)
{
    char *found = xnew(char, UPLOAD_SIZE + 1);
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_int_equal(fread(found, 1, UPLOAD_SIZE + 1, file), UPLOAD_SIZE);
    assert_memory_equal(found, body, UPLOAD_SIZE);
    (void) fclose(file);
    free(found);
}

static void send_body(struct fixture *f, struct client *c, const char *body, bool in_chunks)
{
    char line[64];

    if (!in_chunks) {
        (void) snprintf(line, sizeof line, "Content-Length: %zu\r\n\r\n", UPLOAD_SIZE);
        send_text(f, c, line);
        assert_true(send_all(f, c, body, UPLOAD_SIZE));
        return;
    }
    send_text(f, c, "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0, size; at < UPLOAD_SIZE; at += size) {
        size = UPLOAD_SIZE - at < 777 ? UPLOAD_SIZE - at : 777;
        (void) snprintf(line, sizeof line, "%zx\r\n", size);
        send_text(f, c, line);
        assert_true(send_all(f, c, body + at, size));
        send_text(f, c, "\r\n");
    }
    send_text(f, c, "0\r\n\r\n");
}

static void body_for_a_file_is_whole_in_it_until_the_answer(void **state)
{
    static const struct config_faults none = {0};
    const struct gateway_restored refused = {.sentence = "no", .faults = &none};
    struct fixture *f = *state;
    char *path = take_uploads(f), *body = make_body();

    for (int in_chunks = 0; in_chunks < 2; in_chunks++) {
        struct client c = dial(f);

        fake_gateway_backups(f->gateway)->path[0] = '\0';
        send_text(f, &c, UPLOAD "Blefleet-Passphrase: correct horse\r\n");
        send_body(f, &c, body, in_chunks != 0);
        wait_for_restore(f);
        assert_string_equal(fake_gateway_backups(f->gateway)->path, path);
        assert_string_equal(fake_gateway_backups(f->gateway)->passphrase, "correct horse");
        assert_holds(path, body);
        fake_gateway_end_restore(f->gateway, E_INVALID_REQUEST, &refused);
        assert_int_equal(receive(f, &c).status, 422);
        wait_until_gone(f, path);
        hang_up(&c);
    }
    free(body);
    remove_uploads(path);
}

static void body_for_a_file_that_is_announced_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    char *path = take_uploads(f);
    struct reply reply = ask_once(f, UPLOAD "Content-Length: 268435457\r\n\r\n");

    assert_int_equal(reply.status, 413);
    assert_non_null(strstr(reply.body, "\"max\":268435456"));
    remove_uploads(path);
}

static void one_body_at_a_time_has_the_file(void **state)
{
    struct fixture *f = *state;
    char *path = take_uploads(f);
    struct client c = dial(f);

    send_text(f, &c, UPLOAD "Content-Length: 10\r\n\r\nabc");
    while (access(path, F_OK) < 0)
        turn(f);
    assert_int_equal(ask_once(f, UPLOAD "Content-Length: 3\r\n\r\nabc").status, 503);
    hang_up(&c);
    wait_until_gone(f, path);
    remove_uploads(path);
}

static void file_that_cannot_be_made_is_told(void **state)
{
    struct fixture *f = *state;

    (void) snprintf(fake_gateway_backups(f->gateway)->upload, 100, "/nowhere/upload");
    assert_int_equal(ask_once(f, UPLOAD "Content-Length: 3\r\n\r\nabc").status, 500);
}

static void closing_ends_a_body_on_its_way_to_the_disk(void **state)
{
    struct fixture *f = *state;
    char *path = take_uploads(f), copy[300];
    struct client c = dial(f);

    (void) snprintf(copy, sizeof copy, "%s", path);
    send_text(f, &c, UPLOAD "Content-Length: 100000\r\n\r\nabc");
    stop(f);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    remove_uploads(copy);
    hang_up(&c);
    assert_int_equal(start(f, "{\"http\":{\"listen\":\"127.0.0.1:0\"}}"), 0);
}

static void answer_may_be_a_file(void **state)
{
    struct gateway_backup backup = {.size = UPLOAD_SIZE, .created = FAKE_WALL};
    struct fixture *f = *state;
    struct client c = dial(f);
    FILE *file = tmpfile();
    char *body = make_body();
    struct reply reply;

    assert_int_equal(fwrite(body, 1, UPLOAD_SIZE, file), UPLOAD_SIZE);
    assert_int_equal(fflush(file), 0);
    backup.fd = dup(fileno(file));
    send_text(f, &c,
              "POST /api/v1/backup HTTP/1.1\r\n" HOST "Content-Length: 17\r\n\r\n"
              "{\"secrets\":false}");
    settle(f);
    fake_gateway_end_backup(f->gateway, 0, &backup);
    reply = receive(f, &c);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body_size, UPLOAD_SIZE);
    assert_memory_equal(reply.body, body, sizeof reply.body - 1);
    assert_int_equal(ask(f, &c, "GET /healthz HTTP/1.1\r\n" HOST "\r\n").status, 200);
    hang_up(&c);
    (void) fclose(file);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(connection_serves_one_request_after_the_other, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(pipelined_requests_are_answered_in_order, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(D03_answers_are_counted_by_the_class_of_their_status,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(D03_figures_of_http_go_with_it, setup, teardown),
            cmocka_unit_test_setup_teardown(head_has_the_length_but_not_the_body, setup, teardown),
            cmocka_unit_test_setup_teardown(root_is_the_dashboard_or_says_where_the_api_is, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(contract_comes_compressed_to_who_asks_for_it, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(foreign_host_and_origin_are_refused, setup, teardown),
            cmocka_unit_test_setup_teardown(waiting_request_is_answered_when_the_device_appears,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(request_behind_a_waiting_one_waits_for_its_turn, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(client_that_goes_away_while_waiting_does_no_harm, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(closing_answers_those_who_wait, setup, teardown),
            cmocka_unit_test_setup_teardown(connections_beyond_the_limit_wait_for_a_free_one, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(
                    without_a_free_descriptor_clients_wait_and_the_loop_sleeps, setup, teardown),
            cmocka_unit_test_setup_teardown(those_who_wait_leave_connections_for_the_others, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(client_that_hangs_up_gives_its_link_up, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(body_that_is_announced_too_long_is_refused_at_once,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(body_that_turns_out_too_long_is_refused_at_its_end,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(body_that_does_not_end_loses_its_connection, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(body_for_a_file_is_whole_in_it_until_the_answer, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(body_for_a_file_that_is_announced_too_long_is_refused,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(one_body_at_a_time_has_the_file, setup, teardown),
            cmocka_unit_test_setup_teardown(file_that_cannot_be_made_is_told, setup, teardown),
            cmocka_unit_test_setup_teardown(closing_ends_a_body_on_its_way_to_the_disk, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(answer_may_be_a_file, setup, teardown),
            cmocka_unit_test_setup_teardown(reader_that_does_not_read_delays_nobody, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(what_is_not_http_does_no_harm, setup, teardown),
            cmocka_unit_test_setup_teardown(
                    headers_octet_by_octet_are_cut_off_while_others_are_served, setup, teardown),
            cmocka_unit_test_setup_teardown(kept_connection_has_a_minute_for_its_next_headers,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(body_octet_by_octet_is_cut_off, setup, teardown),
            cmocka_unit_test_setup_teardown(trailers_without_end_are_cut_off, setup, teardown),
            cmocka_unit_test_setup_teardown(slow_but_honest_upload_is_not_cut_off, setup, teardown),
            cmocka_unit_test_setup_teardown(answer_that_nobody_reads_is_cut_off, setup, teardown),
            cmocka_unit_test_setup_teardown(who_waits_for_us_is_not_cut_off, setup, teardown),
            cmocka_unit_test_setup_teardown(port_that_is_taken_fails_the_start_with_its_reason,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(every_address_of_the_list_is_bound, setup, teardown),
            cmocka_unit_test_setup_teardown(ipv6_is_served_where_the_machine_has_it, setup,
                                            teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
