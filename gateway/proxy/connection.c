/* Opening: the first address is tried at once, each further one 100 ms later or as soon as one has
 * failed; the first that opens wins and the others are closed. When the last has failed, or after
 * 60 s, on_end gets the cause of the last failure.
 *
 * Open: reads go straight into the owner's buffer, by the loop, or in the turns of the intake while
 * the connection is patient. Writes are tried directly; what the kernel does
 * not take is copied once into `unsent`, and nothing more is accepted until that is written, so
 * that at most one such copy exists.
 *
 * Closing: every attempt's handle and the timer are closed; the last close callback frees. */
#include "connection.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "proxy/intake.h"

#define ATTEMPTS_MAX 8

struct attempt {
    uv_tcp_t tcp;
    uv_connect_t request;
    struct connection *connection;
    bool is_live; /* its handle is open or opening */
};

struct connection {
    uv_loop_t *loop;
    struct intake *intake; /* borrowed; NULL: none */
    struct connection_callbacks callbacks;
    void *user;
    uv_timer_t timer; /* stagger, then the time-out */
    uint64_t started; /* loop time, ms */
    struct sockaddr_storage addresses[ATTEMPTS_MAX];
    struct attempt attempts[ATTEMPTS_MAX];
    size_t count, tried;
    struct attempt *winner;      /* NULL while opening */
    struct intake_source source; /* the winner's socket */
    bool is_patient;             /* the source is in the intake */
    int last_failure;
    struct buffer unsent;
    uv_write_t write;
    bool is_writing;
    bool has_ended;  /* on_end was called */
    bool is_closing; /* connection_close() was called */
    size_t handles;  /* not yet closed */
    void (*on_closed)(void *user);
    void *closed_user;
};

static void on_handle_closed(struct connection *c)
{
    if (--c->handles > 0)
        return;
    assert(c->is_closing);
    if (c->on_closed)
        c->on_closed(c->closed_user);
    buffer_done(&c->unsent);
    free(c);
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct attempt *a = handle->data;

    on_handle_closed(a->connection);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_handle_closed(handle->data);
}

static void attempt_close(struct attempt *a)
{
    if (!a->is_live)
        return;
    a->is_live = false;
    uv_close((uv_handle_t *) &a->tcp, on_tcp_closed);
}

static void leave_intake(struct connection *c)
{
    if (!c->is_patient)
        return;
    c->is_patient = false;
    intake_remove(c->intake, &c->source);
}

static void end(struct connection *c, int cause)
{
    if (c->is_closing || c->has_ended)
        return;
    c->has_ended = true;
    (void) uv_timer_stop(&c->timer);
    leave_intake(c);
    if (c->winner)
        (void) uv_read_stop((uv_stream_t *) &c->winner->tcp);
    c->callbacks.on_end(c->user, cause);
}

static void set_socket_options(struct attempt *a)
{
    int size = CONNECTION_RECEIVE_BUFFER, on = 1;
    uv_os_fd_t fd;

    (void) uv_tcp_nodelay(&a->tcp, 1);
    if (uv_fileno((uv_handle_t *) &a->tcp, &fd) < 0)
        return;
    /* Best effort, all of it. A proxy drops what it cannot send at once: have much room here. */
    while (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0 &&
           size > CONNECTION_RECEIVE_BUFFER_MIN)
        size /= 2;
    (void) setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct attempt *a = handle->data;
    size_t size;
    uint8_t *room = a->connection->callbacks.on_room(a->connection->user, &size);

    (void) suggested;
    *ret_buf = uv_buf_init((char *) room, (unsigned) size);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct attempt *a = stream->data;
    struct connection *c = a->connection;

    (void) buf;
    if (size > 0)
        c->callbacks.on_received(c->user, (size_t) size);
    else if (size < 0)
        end(c, size == UV_EOF ? 0 : (int) size);
}

/* The intake's turn: reads what is there, but no more than a share. True: there is more. */
static bool read_share(void *user)
{
    struct connection *c = user;
    size_t sum = 0;

    while (sum < CONNECTION_SHARE) {
        size_t capacity;
        uint8_t *room = c->callbacks.on_room(c->user, &capacity);
        ssize_t size = recv(c->source.fd, room, capacity, MSG_DONTWAIT);

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return false;
        if (size <= 0) {
            end(c, size == 0 ? 0 : -errno);
            return false;
        }
        sum += (size_t) size;
        c->callbacks.on_received(c->user, (size_t) size);
        if (!c->is_patient || (size_t) size < capacity)
            return false; /* it was left, or emptied */
    }
    return true;
}

static void try_next(struct connection *c);

static void on_connect(uv_connect_t *request, int status)
{
    struct attempt *a = CONTAINER_OF(request, struct attempt, request);
    struct connection *c = a->connection;

    if (!a->is_live || c->is_closing || c->has_ended)
        return;
    if (status < 0) {
        c->last_failure = status;
        attempt_close(a);
        try_next(c);
        return;
    }
    c->winner = a;
    for (size_t i = 0; i < c->tried; i++) {
        if (&c->attempts[i] != a)
            attempt_close(&c->attempts[i]);
    }
    (void) uv_timer_stop(&c->timer);
    set_socket_options(a);
    status = uv_read_start((uv_stream_t *) &a->tcp, on_alloc, on_read);
    if (status < 0)
        end(c, status);
    else
        c->callbacks.on_open(c->user);
}

static bool attempt_start(struct connection *c, size_t index)
{
    struct attempt *a = &c->attempts[index];
    int rc;

    a->connection = c;
    rc = uv_tcp_init(c->loop, &a->tcp);
    if (rc < 0) {
        c->last_failure = rc;
        return false;
    }
    a->tcp.data = a;
    a->is_live = true;
    c->handles++;
    rc = uv_tcp_connect(&a->request, &a->tcp, (const struct sockaddr *) &c->addresses[index],
                        on_connect);
    if (rc < 0) {
        c->last_failure = rc;
        attempt_close(a);
        return false;
    }
    return true;
}

static bool any_live(const struct connection *c)
{
    for (size_t i = 0; i < c->tried; i++) {
        if (c->attempts[i].is_live)
            return true;
    }
    return false;
}

static void on_timer(uv_timer_t *timer)
{
    struct connection *c = timer->data;

    if (c->tried < c->count)
        try_next(c);
    else
        end(c, any_live(c) ? UV_ETIMEDOUT : c->last_failure);
}

/* Starts the next address that can be started; arms the timer for what is to come then. */
static void try_next(struct connection *c)
{
    uint64_t wait = CONNECTION_STAGGER / USEC_PER_MSEC;
    uint64_t limit = CONNECTION_TIMEOUT / USEC_PER_MSEC, elapsed = uv_now(c->loop) - c->started;

    while (c->tried < c->count) {
        if (attempt_start(c, c->tried++))
            break;
    }
    if (!any_live(c))
        wait = 0; /* all have failed: tell it from the loop, not from inside a call */
    else if (c->tried == c->count)
        wait = elapsed < limit ? limit - elapsed : 0;
    (void) uv_timer_start(&c->timer, on_timer, wait, 0);
}

struct connection *connection_open(struct uv_loop_s *loop, struct intake *intake,
                                   const struct sockaddr_storage *addresses, size_t count,
                                   const struct connection_callbacks *callbacks, void *user)
{
    struct connection *c = xnew(struct connection, 1);

    assert(count > 0);
    c->loop = loop;
    c->intake = intake;
    c->callbacks = *callbacks;
    c->user = user;
    c->count = count < ATTEMPTS_MAX ? count : ATTEMPTS_MAX;
    memcpy(c->addresses, addresses, c->count * sizeof *addresses);
    c->started = uv_now(loop);
    c->last_failure = UV_ECONNREFUSED;
    (void) uv_timer_init(loop, &c->timer); /* cannot fail */
    c->timer.data = c;
    c->handles = 1;
    try_next(c);
    return c;
}

static void become_patient(struct connection *c)
{
    uv_os_fd_t fd;

    if (uv_fileno((uv_handle_t *) &c->winner->tcp, &fd) < 0)
        return;
    c->source = (struct intake_source){fd, read_share, c};
    c->is_patient = intake_add(c->intake, &c->source);
    if (c->is_patient)
        (void) uv_read_stop((uv_stream_t *) &c->winner->tcp);
}

void connection_set_patient(struct connection *c, bool is_patient)
{
    if (!c->intake || !c->winner || c->has_ended || c->is_closing || c->is_patient == is_patient)
        return;
    if (is_patient) {
        become_patient(c);
        return;
    }
    leave_intake(c);
    (void) uv_read_start((uv_stream_t *) &c->winner->tcp, on_alloc,
                         on_read); /* it was open: works */
}

static void on_written(uv_write_t *request, int status)
{
    struct connection *c = CONTAINER_OF(request, struct connection, write);

    c->is_writing = false;
    buffer_clear(&c->unsent);
    if (c->is_closing)
        return;
    if (status < 0)
        end(c, status);
    else
        c->callbacks.on_writable(c->user);
}

size_t connection_send(struct connection *c, const uint8_t *data, size_t size)
{
    uv_stream_t *stream;
    uv_buf_t buf;
    int rc;

    if (!c->winner || c->is_writing || c->has_ended || size == 0)
        return 0;
    stream = (uv_stream_t *) &c->winner->tcp;
    buf = uv_buf_init((char *) (uintptr_t) data, (unsigned) size);
    rc = uv_try_write(stream, &buf, 1);
    if (rc < 0 && rc != UV_EAGAIN)
        return 0; /* the read side reports the broken socket */
    if (rc > 0 && (size_t) rc == size)
        return size;
    if (rc > 0) {
        data += rc;
        size -= (size_t) rc;
    }
    buffer_append(&c->unsent, data, size);
    buf = uv_buf_init((char *) c->unsent.data, (unsigned) size);
    if (uv_write(&c->write, stream, &buf, 1, on_written) == 0)
        c->is_writing = true;
    return size + (rc > 0 ? (size_t) rc : 0);
}

usec_t connection_round_trip(const struct connection *c)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    uv_os_fd_t fd;

    if (!c->winner || uv_fileno((const uv_handle_t *) &c->winner->tcp, &fd) < 0 ||
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return 0;
    return info.tcpi_rtt;
}

bool connection_close(struct connection *c, void (*on_closed)(void *user), void *user)
{
    if (!c)
        return false;
    assert(!c->is_closing);
    c->is_closing = true;
    c->on_closed = on_closed;
    c->closed_user = user;
    leave_intake(c);
    for (size_t i = 0; i < c->tried; i++)
        attempt_close(&c->attempts[i]);
    uv_close((uv_handle_t *) &c->timer, on_timer_closed);
    return true;
}
