/* One TCP connection against a listener in the same loop. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include <cmocka.h>

#include "proxy/connection.h"

#define FLOOD (8u * 1024 * 1024)

struct fixture {
    uv_loop_t loop;
    uv_tcp_t listener, peer;
    bool has_peer;
    int port;
    struct connection *connection;
    int opened, writable, ended, end_cause, closed;
    uint8_t room[4096];
    size_t received;
    size_t peer_received;
    bool is_in_order;
    size_t flood_sent;
};

/* ---- the peer ---- */

static void on_peer_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    static char room[65536];

    (void) handle;
    (void) suggested;
    *ret_buf = uv_buf_init(room, sizeof room);
}

static void on_peer_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct fixture *f = stream->data;

    for (ssize_t i = 0; i < size; i++)
        f->is_in_order &= (uint8_t) buf->base[i] == (uint8_t) (f->peer_received++ % 251);
    if (size < 0 || f->peer_received == FLOOD)
        uv_stop(&f->loop);
}

static void on_peer(uv_stream_t *listener, int status)
{
    struct fixture *f = listener->data;

    assert_int_equal(status, 0);
    assert_int_equal(uv_tcp_init(&f->loop, &f->peer), 0);
    f->peer.data = f;
    f->has_peer = true;
    assert_int_equal(uv_accept(listener, (uv_stream_t *) &f->peer), 0);
}

/* ---- the connection's owner ---- */

static void on_open(void *user)
{
    struct fixture *f = user;

    f->opened++;
    uv_stop(&f->loop);
}

static uint8_t *on_room(void *user, size_t *ret_size)
{
    struct fixture *f = user;

    *ret_size = sizeof f->room;
    return f->room;
}

static void on_received(void *user, size_t size)
{
    struct fixture *f = user;

    f->received += size;
    uv_stop(&f->loop);
}

static void pump_flood(struct fixture *f)
{
    uint8_t chunk[50000];

    while (f->flood_sent < FLOOD) {
        size_t size = FLOOD - f->flood_sent < sizeof chunk ? FLOOD - f->flood_sent : sizeof chunk;
        size_t taken;

        for (size_t i = 0; i < size; i++)
            chunk[i] = (uint8_t) ((f->flood_sent + i) % 251);
        taken = connection_send(f->connection, chunk, size);
        if (taken == 0)
            return;
        f->flood_sent += taken;
    }
}

static void on_writable(void *user)
{
    struct fixture *f = user;

    f->writable++;
    pump_flood(f);
}

static void on_end(void *user, int cause)
{
    struct fixture *f = user;

    f->ended++;
    f->end_cause = cause;
    uv_stop(&f->loop);
}

static void on_closed(void *user)
{
    struct fixture *f = user;

    f->closed++;
}

static const struct connection_callbacks callbacks = {on_open, on_room, on_received, on_writable,
                                                      on_end};

/* ---- fixture ---- */

static struct sockaddr_storage address_of(const char *host, int port)
{
    struct sockaddr_storage storage = {0};

    assert_int_equal(uv_ip4_addr(host, port, (struct sockaddr_in *) (void *) &storage), 0);
    return storage;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct sockaddr_storage any = {0}, bound;
    int size = sizeof bound;

    (void) uv_loop_init(&f->loop);
    (void) uv_tcp_init(&f->loop, &f->listener);
    f->listener.data = f;
    any = address_of("127.0.0.1", 0);
    assert_int_equal(uv_tcp_bind(&f->listener, (struct sockaddr *) &any, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *) &f->listener, 8, on_peer), 0);
    assert_int_equal(uv_tcp_getsockname(&f->listener, (struct sockaddr *) &bound, &size), 0);
    f->port = ntohs(((struct sockaddr_in *) (void *) &bound)->sin_port);
    f->is_in_order = true;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->connection)
        assert_true(connection_close(f->connection, on_closed, f));
    uv_close((uv_handle_t *) &f->listener, NULL);
    if (f->has_peer && !uv_is_closing((uv_handle_t *) &f->peer))
        uv_close((uv_handle_t *) &f->peer, NULL);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->closed, 1);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

/* A port on which nobody listens: one that was just given out and closed. */
static int closed_port(void)
{
    struct sockaddr_storage any = address_of("127.0.0.1", 0);
    socklen_t size = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *) &any, sizeof(struct sockaddr_in)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &any, &size), 0);
    close(fd);
    return ntohs(((struct sockaddr_in *) (void *) &any)->sin_port);
}

static void open_to(struct fixture *f, const struct sockaddr_storage *addresses, size_t count)
{
    f->connection = connection_open(&f->loop, NULL, addresses, count, &callbacks, f);
    assert_int_equal(f->opened + f->ended, 0); /* never from inside */
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
}

static void a_closed_port_is_refused_with_the_cause_of_the_system(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage address = address_of("127.0.0.1", closed_port());

    open_to(f, &address, 1);
    assert_int_equal(f->ended, 1);
    assert_int_equal(f->end_cause, UV_ECONNREFUSED);
}

static void the_next_address_is_tried_when_the_first_refuses(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage addresses[] = {address_of("127.0.0.1", closed_port()),
                                           address_of("127.0.0.1", f->port)};

    open_to(f, addresses, 2);
    assert_int_equal(f->opened, 1);
    assert_int_equal(f->ended, 0);
}

static void a_flood_arrives_whole_and_in_order(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage address = address_of("127.0.0.1", f->port);

    open_to(f, &address, 1);
    while (!f->has_peer)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    pump_flood(f);
    assert_true(f->flood_sent < FLOOD); /* the kernel does not take all of it */
    (void) uv_read_start((uv_stream_t *) &f->peer, on_peer_alloc, on_peer_read);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->peer_received, FLOOD);
    assert_true(f->is_in_order);
    assert_true(f->writable > 0);
}

static void the_peer_closing_is_told_once_as_an_end_without_a_cause(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage address = address_of("127.0.0.1", f->port);

    open_to(f, &address, 1);
    while (!f->has_peer)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *) &f->peer, NULL);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ended, 1);
    assert_int_equal(f->end_cause, 0);
}

static void closing_while_it_opens_calls_nobody(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_storage address = address_of("127.0.0.1", f->port);

    f->connection = connection_open(&f->loop, NULL, &address, 1, &callbacks, f);
    assert_true(connection_close(f->connection, on_closed, f));
    f->connection = NULL;
    while (f->closed == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->opened + f->ended, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(a_closed_port_is_refused_with_the_cause_of_the_system,
                                            set_up, tear_down),
            cmocka_unit_test_setup_teardown(the_next_address_is_tried_when_the_first_refuses,
                                            set_up, tear_down),
            cmocka_unit_test_setup_teardown(a_flood_arrives_whole_and_in_order, set_up, tear_down),
            cmocka_unit_test_setup_teardown(the_peer_closing_is_told_once_as_an_end_without_a_cause,
                                            set_up, tear_down),
            cmocka_unit_test_setup_teardown(closing_while_it_opens_calls_nobody, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("proxy.connection", tests, NULL, NULL);
}
