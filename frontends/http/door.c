/* The story: the socket is readable when somebody waits; those who wait are accepted, a bounded
 * number in a turn, and handed on.
 *
 * Failure modes: no descriptor is free. Then the socket stays readable and nothing can be done
 * about it, so the door rests for a second instead of asking without pause; those who wait are let
 * in when something else has been closed. A client that has gone already is passed over. */
#include "door.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"

#define ACCEPTED_MAX 32   /* in a turn of the loop */
#define REST_MS      1000 /* without a free descriptor */
#define LOG_WINDOW   (60 * USEC_PER_SEC)

struct door {
    int fd;
    door_fn *on_client;
    void *user;
    uv_poll_t poll;
    uv_timer_t rest;  /* active: no descriptor was free */
    bool is_open;     /* as the owner wishes */
    unsigned handles; /* of the two, while they are being closed */
    struct log_limit log_limit;
    void (*on_closed)(void *user);
    void *closed_user;
};

static void on_poll(uv_poll_t *poll, int status, int events);

/* Polls when both the owner and the descriptors allow it. */
static void settle(struct door *d)
{
    bool wants = d->is_open && !uv_is_active((uv_handle_t *) &d->rest);

    if (wants == (bool) uv_is_active((uv_handle_t *) &d->poll))
        return;
    if (wants)
        (void) uv_poll_start(&d->poll, UV_READABLE, on_poll); /* fails for closing handles alone */
    else
        (void) uv_poll_stop(&d->poll);
}

static void on_rested(uv_timer_t *timer)
{
    settle(timer->data);
}

static void take_a_rest(struct door *d, int cause)
{
    unsigned held_back = 0;

    if (log_allowed(&d->log_limit, clock_now(), &held_back))
        log_warning("http.accept_failed",
                    "cause=%s detail=\"%s\" held_back=%u, new clients wait, retrying in %d s",
                    error_token(cause), error_sentence(cause), held_back, REST_MS / 1000);
    (void) uv_timer_start(&d->rest, on_rested, REST_MS, /* repeat= */ 0);
    settle(d);
}

static bool is_exhaustion(int cause)
{
    return cause == -EMFILE || cause == -ENFILE || cause == -ENOBUFS || cause == -ENOMEM;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct door *d = poll->data;

    (void) status, (void) events; /* accept() finds out itself */
    for (int i = 0; i < ACCEPTED_MAX && d->is_open; i++) {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        int fd = accept4(d->fd, (struct sockaddr *) &from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            d->on_client(d->user, fd, (const struct sockaddr *) &from, size);
            continue;
        }
        if (is_exhaustion(-errno))
            take_a_rest(d, -errno);
        return; /* nobody waits, or the next turn finds who does */
    }
}

int door_new(struct uv_loop_s *loop, int fd, door_fn *on_client, void *user, struct door **ret_door)
{
    struct door *d = xnew(struct door, 1);
    int result = uv_poll_init(loop, &d->poll, fd);

    if (result < 0) {
        free(d);
        return result;
    }
    (void) uv_timer_init(loop, &d->rest); /* cannot fail */
    d->fd = fd;
    d->on_client = on_client;
    d->user = user;
    d->log_limit = (struct log_limit){.burst = 1, .window = LOG_WINDOW};
    d->poll.data = d->rest.data = d;
    d->is_open = true;
    settle(d);
    *ret_door = d;
    return 0;
}

void door_let_in(struct door *d, bool is_open)
{
    d->is_open = is_open;
    settle(d);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct door *d = handle->data;

    if (--d->handles > 0)
        return;
    d->on_closed(d->closed_user);
    free(d);
}

void door_close(struct door *d, void (*on_closed)(void *user), void *user)
{
    d->is_open = false;
    d->handles = 2;
    d->on_closed = on_closed;
    d->closed_user = user;
    uv_close((uv_handle_t *) &d->poll, on_handle_closed); /* the loop lets go of fd at once */
    uv_close((uv_handle_t *) &d->rest, on_handle_closed);
    (void) close(d->fd);
}
