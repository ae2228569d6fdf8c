/* Event streams over real sockets, from a gateway whose time is moved by hand. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "fake_gateway.h"
#include "http/http.h"
#include "rest/clients.h"

#define PATIENCE     (20 * USEC_PER_SEC) /* until a test gives up; nothing waits for it to pass */
#define SETTLE_TURNS 50                  /* of the loop, after which nothing more is on its way */
#define ADDRESS      0xa4c13812ab56
#define READERS      50
#define STALLED      5
#define EVENTS       5000
#define QUEUE        1024 /* the standard of limits.sse_queue */
#define SMALL_BUFFER 4096 /* for what a stalled reader's own socket takes */

struct fixture {
    uv_loop_t loop;
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    struct http *http;
    struct fake_device *device;
    bool is_closed;
};

struct reader {
    int fd;
    struct buffer input; /* not yet looked at */
    uint64_t last;       /* number of the last event */
    uint64_t gaps;       /* numbers that were left out */
    size_t comments;
    bool has_head, is_at_end;
};

/* ---- the server ---- */

static int setup_with(void **state, const char *config)
{
    struct fixture *f = xnew(struct fixture, 1);
    char error[256];

    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->config = fake_config(config);
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    assert_int_equal(http_new(&f->loop, f->rest, f->gateway, &f->http, error, sizeof error), 0);
    f->device = fake_gateway_add(f->gateway, ADDRESS);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, "{\"http\":{\"listen\":\"127.0.0.1:0\"}}");
}

static int setup_small(void **state)
{
    return setup_with(state, "{\"http\":{\"listen\":\"127.0.0.1:0\"},"
                             "\"limits\":{\"http_connections\":16}}");
}

static void on_closed(void *user)
{
    ((struct fixture *) user)->is_closed = true;
}

static void close_http(struct fixture *f)
{
    http_close(f->http, on_closed, f);
    while (!f->is_closed)
        uv_run(&f->loop, UV_RUN_ONCE);
    http_free(f->http);
    f->http = NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (f->http)
        close_http(f);
    rest_free(f->rest);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

static void turn(struct fixture *f, usec_t span)
{
    uv_run(&f->loop, UV_RUN_NOWAIT);
    fake_gateway_advance(f->gateway, span);
}

static void settle(struct fixture *f)
{
    for (int i = 0; i < SETTLE_TURNS; i++)
        turn(f, 0);
}

/* ---- readers ---- */

static struct reader dial(const struct fixture *f, int receive_buffer)
{
    const char *port = strrchr(http_bound(f->http, 0), ':') + 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t) strtoul(port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct reader r = {.fd = socket(AF_INET, SOCK_STREAM, 0)};

    assert_true(r.fd >= 0);
    if (receive_buffer > 0)
        (void) setsockopt(r.fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    assert_int_equal(connect(r.fd, (struct sockaddr *) &address, sizeof address), 0);
    return r;
}

static void hang_up(struct reader *r)
{
    close(r->fd);
    buffer_done(&r->input);
}

static void send_text(const struct reader *r, const char *text)
{
    assert_int_equal(send(r->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* HTTP/1.0 has no chunks, so that the text is as it is. */
static void subscribe(const struct reader *r, const char *query)
{
    char request[256];

    snprintf(request, sizeof request, "GET /api/v1/events%s HTTP/1.0\r\nHost: localhost\r\n\r\n",
             query);
    send_text(r, request);
}

static void look_at_line(struct reader *r, const char *line, size_t size)
{
    uint64_t number;

    if (size == 0)
        r->has_head = true;
    if (size == 1 && line[0] == ':')
        r->comments++;
    if (size < 14 || memcmp(line, "id: ", 4) != 0)
        return;
    number = strtoull(line + 13, NULL, 10);
    assert_true(number >= r->last);
    if (number == r->last)
        return; /* the end of a snapshot */
    r->gaps += number - r->last - 1;
    r->last = number;
}

static void take_in(struct reader *r)
{
    ssize_t size = recv(r->fd, buffer_reserve(&r->input, 65536), 65536, MSG_DONTWAIT);
    const char *end;

    if (size > 0)
        buffer_commit(&r->input, (size_t) size);
    else if (size == 0 || errno != EAGAIN)
        r->is_at_end = true;
    while (buffer_size(&r->input) > 0 &&
           (end = memchr(buffer_front(&r->input), '\n', buffer_size(&r->input)))) {
        const char *line = (const char *) buffer_front(&r->input);
        size_t length = (size_t) (end - line);

        look_at_line(r, line, length > 0 && line[length - 1] == '\r' ? length - 1 : length);
        buffer_consume(&r->input, length + 1);
    }
}

static void await_head(struct fixture *f, struct reader *r)
{
    usec_t limit = clock_now() + PATIENCE;

    while (!r->has_head) {
        assert_true(clock_now() < limit && !r->is_at_end);
        turn(f, 0);
        take_in(r);
    }
}

static struct reader open_reader(struct fixture *f, const char *query, int receive_buffer)
{
    struct reader r = dial(f, receive_buffer);

    subscribe(&r, query);
    await_head(f, &r);
    return r;
}

static void await_number(struct fixture *f, struct reader *r, uint64_t number)
{
    usec_t limit = clock_now() + PATIENCE;

    while (r->last < number) {
        assert_true(clock_now() < limit && !r->is_at_end);
        turn(f, USEC_PER_MSEC);
        take_in(r);
    }
}

static void publish(struct fixture *f)
{
    fake_gateway_change(f->gateway, GATEWAY_DEVICE_PAYLOAD, f->device);
}

/* The whole reply to a request on a connection of its own, to its end. */
static void ask(struct fixture *f, const char *request, char *ret_reply, size_t room)
{
    usec_t limit = clock_now() + PATIENCE;
    struct reader r = dial(f, 0);
    size_t size = 0;
    ssize_t got;

    send_text(&r, request);
    while ((got = recv(r.fd, ret_reply + size, room - size - 1, MSG_DONTWAIT)) != 0) {
        assert_true(clock_now() < limit && (got > 0 || errno == EAGAIN));
        if (got > 0)
            size += (size_t) got;
        else
            turn(f, 0);
    }
    ret_reply[size] = '\0';
    hang_up(&r);
}

#define PLAIN " HTTP/1.0\r\nHost: localhost\r\n\r\n"

/* ---- tests ---- */

static void event_reaches_the_reader(void **state)
{
    struct fixture *f = *state;
    struct reader r = open_reader(f, "", 0);

    publish(f);
    await_number(f, &r, 1);
    for (int i = 0; i < 20; i++) {
        publish(f);
        await_number(f, &r, r.last + 1);
    }
    assert_int_equal(r.gaps, 0);
    hang_up(&r);
}

static void head_gets_the_headers_of_a_stream_and_its_end(void **state)
{
    char reply[2048];

    ask(*state, "HEAD /api/v1/events" PLAIN, reply, sizeof reply);
    assert_non_null(strstr(reply, "200 OK"));
    assert_non_null(strstr(reply, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(reply, "X-Accel-Buffering: no\r\n"));
    assert_non_null(strstr(reply, "Cache-Control: no-store\r\n"));
    assert_null(strstr(reply, "retry"));
}

static void connection_goes_on_after_a_head(void **state)
{
    static const char request[] = "HEAD /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                  "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                                  "Connection: close\r\n\r\n";
    char reply[4096];

    ask(*state, request, reply, sizeof reply);
    assert_non_null(strstr(reply, "{\"status\":\"pass\"}"));
}

/* Five of fifty do not read. The others get every event; what waits for the five is bounded; in the
 * end they are cut. */
static void E05_stalled_readers_cost_the_others_nothing(void **state)
{
    struct fixture *f = *state;
    struct reader readers[READERS];
    char reply[1 << 16];
    size_t queued_max = 0;

    for (size_t i = 0; i < READERS; i++)
        readers[i] = open_reader(f, "", i < STALLED ? SMALL_BUFFER : 0);
    for (int event = 0; event < EVENTS; event += 10) {
        for (int k = 0; k < 10; k++)
            publish(f);
        turn(f, USEC_PER_MSEC);
        for (size_t i = STALLED; i < READERS; i++)
            take_in(&readers[i]);
    }
    for (size_t i = STALLED; i < READERS; i++) {
        await_number(f, &readers[i], EVENTS);
        assert_int_equal(readers[i].gaps, 0);
    }
    ask(f, "GET /api/v1/clients?limit=1000" PLAIN, reply, sizeof reply);
    for (const char *at = reply; (at = strstr(at, "\"queued\":")); at++) {
        size_t queued = strtoul(at + strlen("\"queued\":"), NULL, 10);

        queued_max = queued > queued_max ? queued : queued_max;
    }
    assert_int_equal(queued_max, QUEUE);
    for (int second = 0; second < 40; second++) {
        turn(f, USEC_PER_SEC);
        settle(f);
        for (size_t i = STALLED; i < READERS; i++)
            take_in(&readers[i]);
    }
    assert_int_equal(clients_count(rest_clients(f->rest)), READERS - STALLED);
    for (size_t i = 0; i < READERS; i++) {
        assert_false(readers[i].is_at_end);
        hang_up(&readers[i]);
    }
}

/* It was slow, not stalled: it learns what it lost, and goes on. */
static void reader_that_reads_again_is_told_its_losses(void **state)
{
    struct fixture *f = *state;
    struct reader r = open_reader(f, "", SMALL_BUFFER);

    for (int event = 0; event < EVENTS; event++) {
        publish(f);
        if (event % 10 == 0)
            turn(f, USEC_PER_MSEC);
    }
    await_number(f, &r, EVENTS);
    assert_true(r.gaps > 0 && r.gaps < EVENTS - QUEUE + 1);
    hang_up(&r);
}

static void reader_that_leaves_is_noticed_at_the_next_sign_of_life(void **state)
{
    struct fixture *f = *state;
    struct reader r = open_reader(f, "", 0), other = open_reader(f, "", 0);

    hang_up(&r);
    settle(f);
    for (int second = 0; second < 32; second++) {
        turn(f, USEC_PER_SEC);
        settle(f);
        take_in(&other);
    }
    assert_int_equal(clients_count(rest_clients(f->rest)), 1);
    assert_int_equal(other.comments, 2);
    hang_up(&other);
}

static void streams_leave_connections_for_the_others(void **state)
{
    struct fixture *f = *state;
    struct reader readers[7]; /* of 16 connections */
    char reply[4096];

    for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
        readers[i] = open_reader(f, "", 0);
    ask(f, "GET /api/v1/events" PLAIN, reply, sizeof reply);
    assert_non_null(strstr(reply, " 503 "));
    assert_non_null(strstr(reply, "Retry-After: "));
    assert_non_null(strstr(reply, "\"overloaded\""));
    ask(f, "GET /healthz" PLAIN, reply, sizeof reply);
    assert_non_null(strstr(reply, " 200 "));
    for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
        hang_up(&readers[i]);
}

static void stopping_ends_streams_cleanly(void **state)
{
    struct fixture *f = *state;
    struct reader readers[3];

    for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
        readers[i] = open_reader(f, "?snapshot=true", 0);
    publish(f);
    rest_stop(f->rest);
    close_http(f);
    for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
        while (!readers[i].is_at_end)
            take_in(&readers[i]);
        hang_up(&readers[i]);
    }
}

/* The transport goes though the API lives on. */
static void closing_the_listener_ends_streams_as_well(void **state)
{
    struct fixture *f = *state;
    struct reader r = open_reader(f, "", 0), stalled = open_reader(f, "", SMALL_BUFFER);

    for (int i = 0; i < 1000; i++)
        publish(f);
    turn(f, USEC_PER_SEC);
    settle(f);
    close_http(f);
    while (!r.is_at_end)
        take_in(&r);
    assert_int_equal(clients_count(rest_clients(f->rest)), 0);
    hang_up(&r);
    hang_up(&stalled);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(event_reaches_the_reader),
            TEST(head_gets_the_headers_of_a_stream_and_its_end),
            TEST(connection_goes_on_after_a_head),
            TEST(E05_stalled_readers_cost_the_others_nothing),
            TEST(reader_that_reads_again_is_told_its_losses),
            TEST(reader_that_leaves_is_noticed_at_the_next_sign_of_life),
            cmocka_unit_test_setup_teardown(streams_leave_connections_for_the_others, setup_small,
                                            teardown),
            TEST(stopping_ends_streams_cleanly),
            TEST(closing_the_listener_ends_streams_as_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
