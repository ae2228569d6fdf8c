/* Connections that are read in turns, against plain sockets at the other end. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/memory.h"
#include "proxy/connection.h"
#include "proxy/intake.h"

#define LINES_MAX 300
#define FLOOD     ((size_t) 4 * 1024 * 1024)
/* A loop counts whole milliseconds. */
#define INTERVAL_NS_MIN ((INTAKE_INTERVAL - 2 * USEC_PER_MSEC) * 1000)

struct fixture;

struct line { /* a connection and its other end */
    struct fixture *fixture;
    struct connection *connection;
    int peer; /* -1: closed */
    size_t sent, received, reads;
    bool is_open, is_in_order;
    int ended, end_cause;
    uint8_t room[4096];
};

struct fixture {
    uv_loop_t loop;
    int listener;
    struct sockaddr_storage address;
    struct intake *intake;
    struct line *lines;
    size_t count;
    size_t closed;
    bool intake_is_closed;
    void (*on_read)(struct line *l); /* what a test does then; may be NULL */
    /* of single tests */
    bool was_by_timer;
    uint64_t first_read, last_read; /* ns */
    size_t flood_at_last, flood_between;
};

/* ---- the other end ---- */

/* Sends as many octets as the socket takes; each tells its place. */
static void send_octets(struct line *l, size_t size)
{
    uint8_t chunk[4096];

    while (size > 0) {
        size_t part = size < sizeof chunk ? size : sizeof chunk;
        ssize_t taken;

        for (size_t i = 0; i < part; i++)
            chunk[i] = (uint8_t) ((l->sent + i) % 251);
        taken = send(l->peer, chunk, part, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (taken <= 0)
            return;
        l->sent += (size_t) taken;
        size -= (size_t) taken;
    }
}

/* The kernel may take its time between two sockets of one machine. */
static void wait_until_delivered(const struct line *l)
{
    int waiting = 0;

    do {
        assert_int_equal(ioctl(l->peer, SIOCOUTQ, &waiting), 0);
    } while (waiting > 0);
}

static void hang_up(struct line *l)
{
    if (l->peer >= 0)
        assert_int_equal(close(l->peer), 0);
    l->peer = -1;
}

static void reset(struct line *l)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    assert_int_equal(setsockopt(l->peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    hang_up(l);
}

/* ---- the connection's owner ---- */

static void on_open(void *user)
{
    ((struct line *) user)->is_open = true;
}

static uint8_t *on_room(void *user, size_t *ret_size)
{
    struct line *l = user;

    *ret_size = sizeof l->room;
    return l->room;
}

static void on_received(void *user, size_t size)
{
    struct line *l = user;

    assert_non_null(l->connection);
    for (size_t i = 0; i < size; i++)
        l->is_in_order &= l->room[i] == (uint8_t) ((l->received + i) % 251);
    l->received += size;
    l->reads++;
    if (l->fixture->on_read)
        l->fixture->on_read(l);
}

static void on_writable(void *user)
{
    (void) user;
}

static void on_end(void *user, int cause)
{
    struct line *l = user;

    l->ended++;
    l->end_cause = cause;
}

static void on_closed(void *user)
{
    ((struct fixture *) user)->closed++;
}

static void on_intake_closed(void *user)
{
    ((struct fixture *) user)->intake_is_closed = true;
}

static void close_line(struct line *l)
{
    assert_true(connection_close(TAKE(l->connection), on_closed, l->fixture));
}

/* ---- fixture ---- */

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    socklen_t size = sizeof f->address;

    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->intake = intake_new(&f->loop);
    assert_non_null(f->intake);
    f->lines = calloc(LINES_MAX, sizeof *f->lines);
    (void) uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *) (void *) &f->address);
    f->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *) &f->address, sizeof(struct sockaddr_in)),
                     0);
    assert_int_equal(listen(f->listener, 8), 0);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *) &f->address, &size), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < f->count; i++) {
        if (f->lines[i].connection)
            close_line(&f->lines[i]);
        hang_up(&f->lines[i]);
    }
    intake_close(f->intake, on_intake_closed, f);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->closed, f->count);
    assert_true(f->intake_is_closed);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    close(f->listener);
    free(f->lines);
    free(f);
    return 0;
}

static struct line *add_line(struct fixture *f, struct intake *intake)
{
    static const struct connection_callbacks callbacks = {on_open, on_room, on_received,
                                                          on_writable, on_end};
    struct line *l = &f->lines[f->count++];

    *l = (struct line){.fixture = f, .is_in_order = true};
    l->connection = connection_open(&f->loop, intake, &f->address, 1, &callbacks, l);
    l->peer = accept(f->listener, NULL, NULL);
    assert_true(l->peer >= 0);
    while (!l->is_open)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    connection_set_patient(l->connection, true);
    return l;
}

static void run_until_received(struct line *l, size_t size)
{
    while (l->received < size)
        (void) uv_run(&l->fixture->loop, UV_RUN_ONCE);
    assert_int_equal(l->received, size);
    assert_true(l->is_in_order);
}

static bool has_timer(struct fixture *f)
{
    return uv_backend_timeout(&f->loop) > 0;
}

static void run_until_silent(struct fixture *f)
{
    while (has_timer(f))
        (void) uv_run(&f->loop, UV_RUN_ONCE);
}

/* ---- tests ---- */

static void what_comes_to_300_connections_is_delivered(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < LINES_MAX; i++)
        (void) add_line(f, f->intake);
    for (size_t round = 1; round <= 3; round++) {
        for (size_t i = 0; i < LINES_MAX; i++)
            send_octets(&f->lines[i], 100 + i);
        for (size_t i = 0; i < LINES_MAX; i++)
            run_until_received(&f->lines[i], round * (100 + i));
    }
}

static void note_timer(struct line *l)
{
    l->fixture->was_by_timer = has_timer(l->fixture);
}

static void the_first_packet_after_silence_does_not_wait_for_a_turn(void **state)
{
    struct fixture *f = *state;
    struct line *l = add_line(f, f->intake);

    f->on_read = note_timer;
    for (size_t round = 1; round <= 3; round++) {
        run_until_silent(f);
        f->was_by_timer = true;
        send_octets(l, 10);
        run_until_received(l, 10 * round);
        assert_false(f->was_by_timer);
        assert_true(has_timer(f)); /* now the turns begin */
    }
}

static void send_the_next(struct line *l)
{
    struct fixture *f = l->fixture;

    f->last_read = uv_hrtime();
    if (l->reads == 1)
        f->first_read = f->last_read;
    if (l->reads < 6)
        send_octets(l, 10);
}

static void a_steady_stream_is_read_once_in_an_interval(void **state)
{
    struct fixture *f = *state;
    struct line *l = add_line(f, f->intake);

    f->on_read = send_the_next;
    send_octets(l, 10);
    run_until_received(l, 60);
    assert_int_equal(l->reads, 6);
    assert_true(f->last_read - f->first_read >= 5 * INTERVAL_NS_MIN);
}

static void what_came_in_an_interval_is_read_together(void **state)
{
    struct fixture *f = *state;
    struct line *l = add_line(f, f->intake), *other = add_line(f, f->intake);

    send_octets(l, 10);
    run_until_received(l, 10);
    for (size_t i = 0; i < 20; i++) { /* the watch rests: nobody reads before the next turn */
        send_octets(l, 10);
        send_octets(other, 10);
    }
    wait_until_delivered(l);
    wait_until_delivered(other);
    run_until_received(l, 210);
    run_until_received(other, 200);
    assert_int_equal(l->reads, 2);
    assert_int_equal(other->reads, 1);
}

/* The first line always has more; the second gets its next packet when it has read one. */
static void flood_and_count(struct line *l)
{
    struct fixture *f = l->fixture;
    struct line *flooding = &f->lines[0];
    size_t between = flooding->received - f->flood_at_last;

    if (l == flooding) {
        send_octets(l, FLOOD - l->sent);
        return;
    }
    f->flood_at_last = flooding->received;
    if (between > f->flood_between)
        f->flood_between = between;
    if (flooding->received < FLOOD)
        send_octets(l, 10);
}

static void a_connection_that_floods_does_not_starve_another(void **state)
{
    struct fixture *f = *state;
    struct line *flooding = add_line(f, f->intake), *other = add_line(f, f->intake);

    f->on_read = flood_and_count;
    send_octets(flooding, FLOOD);
    send_octets(other, 10);
    run_until_received(flooding, FLOOD);
    run_until_received(other, other->sent);
    assert_true(other->reads > 2);
    /* between two of its turns, whoever of both comes first in each */
    assert_true(f->flood_between <= 2 * (CONNECTION_SHARE + sizeof flooding->room));
}

static void the_end_is_told_once_after_what_came_before(void **state)
{
    struct fixture *f = *state;
    struct line *l = add_line(f, f->intake);

    send_octets(l, 10000);
    hang_up(l);
    while (l->ended == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    run_until_silent(f);
    assert_int_equal(l->received, 10000);
    assert_true(l->is_in_order);
    assert_int_equal(l->ended, 1);
    assert_int_equal(l->end_cause, 0);
}

static void a_reset_is_told_once_with_its_cause(void **state)
{
    struct fixture *f = *state;
    struct line *l = add_line(f, f->intake);

    reset(l);
    while (l->ended == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    run_until_silent(f);
    assert_int_equal(l->ended, 1);
    assert_int_equal(l->end_cause, -ECONNRESET);
}

static void an_end_between_two_turns_is_told_to_its_owner_alone(void **state)
{
    struct fixture *f = *state;
    struct line *l = add_line(f, f->intake), *other = add_line(f, f->intake);

    send_octets(other, 10);
    run_until_received(other, 10);
    hang_up(l);
    send_octets(other, 10);
    while (l->ended == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    run_until_received(other, 20);
    assert_int_equal(other->ended, 0);
}

static void close_the_others(struct line *l)
{
    struct fixture *f = l->fixture;

    for (size_t i = 0; i < f->count; i++) {
        if (&f->lines[i] != l && f->lines[i].connection)
            close_line(&f->lines[i]);
    }
}

static void who_is_closed_in_the_middle_of_a_turn_is_not_read_in_it(void **state)
{
    struct fixture *f = *state;
    size_t reads = 0;

    for (size_t i = 0; i < 20; i++)
        (void) add_line(f, f->intake);
    for (size_t i = 0; i < f->count; i++)
        send_octets(&f->lines[i], 10);
    f->on_read = close_the_others;
    while (f->closed < f->count - 1)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    run_until_silent(f);
    for (size_t i = 0; i < f->count; i++)
        reads += f->lines[i].reads;
    assert_int_equal(reads, 1);
}

static void a_connection_may_close_itself_when_it_is_read(void **state)
{
    struct fixture *f = *state;
    struct line *l = add_line(f, f->intake), *other = add_line(f, f->intake);

    f->on_read = close_line;
    send_octets(l, 3 * sizeof l->room);
    send_octets(other, 3 * sizeof l->room);
    while (f->closed < 2)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(l->reads, 1);
    assert_int_equal(other->reads, 1);
}

static void lose_patience_and_find_it(struct line *l)
{
    connection_set_patient(l->connection, l->reads % 2 == 0);
}

static void nothing_is_lost_when_patience_changes_with_data_waiting(void **state)
{
    struct fixture *f = *state;
    struct line *l = add_line(f, f->intake);

    send_octets(l, 10);
    connection_set_patient(l->connection, false);
    run_until_received(l, 10);
    send_octets(l, 10);
    connection_set_patient(l->connection, true);
    run_until_received(l, 20);
    f->on_read = lose_patience_and_find_it;
    send_octets(l, 50000);
    run_until_received(l, 50020);
    assert_true(l->reads > 12); /* it changed in each */
}

static void without_patience_nobody_waits_for_a_turn(void **state)
{
    struct fixture *f = *state;
    struct line *l = add_line(f, f->intake);

    f->on_read = note_timer;
    connection_set_patient(l->connection, false);
    for (size_t round = 1; round <= 3; round++) {
        f->was_by_timer = true;
        send_octets(l, 10);
        run_until_received(l, 10 * round);
        assert_false(f->was_by_timer);
        assert_false(has_timer(f));
    }
}

static void without_an_intake_all_is_read_at_once(void **state)
{
    struct fixture *f = *state;
    struct line *l = add_line(f, NULL);

    send_octets(l, 10000);
    run_until_received(l, 10000);
    assert_false(has_timer(f));
}

static void patience_after_the_end_is_without_effect(void **state)
{
    struct fixture *f = *state;
    struct line *l = add_line(f, f->intake);

    hang_up(l);
    while (l->ended == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    connection_set_patient(l->connection, true);
    connection_set_patient(l->connection, false);
    run_until_silent(f);
    assert_int_equal(l->ended, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(what_comes_to_300_connections_is_delivered),
            TEST(the_first_packet_after_silence_does_not_wait_for_a_turn),
            TEST(a_steady_stream_is_read_once_in_an_interval),
            TEST(what_came_in_an_interval_is_read_together),
            TEST(a_connection_that_floods_does_not_starve_another),
            TEST(the_end_is_told_once_after_what_came_before),
            TEST(a_reset_is_told_once_with_its_cause),
            TEST(an_end_between_two_turns_is_told_to_its_owner_alone),
            TEST(who_is_closed_in_the_middle_of_a_turn_is_not_read_in_it),
            TEST(a_connection_may_close_itself_when_it_is_read),
            TEST(nothing_is_lost_when_patience_changes_with_data_waiting),
            TEST(without_patience_nobody_waits_for_a_turn),
            TEST(without_an_intake_all_is_read_at_once),
            TEST(patience_after_the_end_is_without_effect),
    };

    return cmocka_run_group_tests_name("proxy.intake", tests, NULL, NULL);
}
