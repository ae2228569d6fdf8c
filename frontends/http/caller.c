/* The story: a client is accepted and its clock runs: the headers of its request must be there in
 * time, then the body, then it must have read the answer. Each begins anew what is allowed. Once a
 * second we look who has outlived that.
 *
 * Failure modes: who is too slow has its socket shut down; the library finds that and ends the
 * connection. It is told in the log, at most once a minute. Time counts in steps of the look, so
 * an end comes up to a second late. */
#include "caller.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "http/listen.h"

#define HEAD_MAX  (15 * USEC_PER_SEC) /* from the first moment to the end of the headers */
#define PAUSE_MAX (60 * USEC_PER_SEC) /* the same behind an answer: idle for 45, then headers */
#define BODY_MAX  (30 * USEC_PER_SEC) /* of a body or an answer, without its octets */
#define RATE_MIN  1024                /* octets in a second: an honest one over the worst line */

#define LOOK_INTERVAL USEC_PER_SEC
#define LOG_WINDOW    (60 * USEC_PER_SEC)

struct caller {
    struct caller *next, *previous;
    struct callers *all; /* borrowed */
    struct MHD_Connection *connection;
    usec_t end;       /* of what it does now; USEC_NEVER: none */
    const char *what; /* it does, for the log */
};

static void shut_out(struct caller *c)
{
    const union MHD_ConnectionInfo *from =
            MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const union MHD_ConnectionInfo *fd =
            MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    char remote[LISTEN_TEXT_SIZE];
    unsigned held_back = 0;

    listen_format_address(from->client_addr, remote);
    if (log_allowed(&c->all->log_limit, gateway_now(c->all->gateway), &held_back))
        log_warning("http.too_slow", "remote=%s what=%s held_back=%u, closing its connection",
                    remote, c->what, held_back);
    c->end = USEC_NEVER;
    (void) shutdown(fd->connect_fd, SHUT_RDWR);
}

static void on_look(void *user)
{
    struct callers *all = user;
    usec_t now = gateway_now(all->gateway);
    bool has_more = false;

    all->watch = NULL;
    for (struct caller *c = all->first; c; c = c->next) {
        if (c->end <= now)
            shut_out(c);
        has_more = has_more || c->end != USEC_NEVER;
    }
    if (has_more)
        all->watch = gateway_timer_start(all->gateway, LOOK_INTERVAL, on_look, all);
}

static void allow(struct caller *c, const char *what, usec_t span)
{
    struct callers *all = c->all;

    if (all->is_closing)
        return;
    c->what = what;
    c->end = gateway_now(all->gateway) + span;
    if (!all->watch)
        all->watch = gateway_timer_start(all->gateway, LOOK_INTERVAL, on_look, all);
}

static usec_t time_of(size_t size)
{
    return (usec_t) size * USEC_PER_SEC / RATE_MIN;
}

static struct caller *welcome(struct callers *all, struct MHD_Connection *connection)
{
    struct caller *c = xnew(struct caller, 1);

    all->log_limit.burst = 1;
    all->log_limit.window = LOG_WINDOW;
    c->all = all;
    c->connection = connection;
    c->next = all->first;
    if (c->next)
        c->next->previous = c;
    all->first = c;
    allow(c, "headers", HEAD_MAX);
    return c;
}

static void see_off(struct caller *c)
{
    if (c->previous)
        c->previous->next = c->next;
    else
        c->all->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    free(c);
}

void caller_on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *socket_context = welcome(cls, connection);
    else
        see_off(TAKE(*socket_context));
}

struct caller *caller_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

struct certificate *caller_certificate(const struct caller *c)
{
    return c->all->certificate;
}

void caller_begin_body(struct caller *c)
{
    allow(c, "body", BODY_MAX);
}

void caller_sent(struct caller *c, size_t size)
{
    if (c->end != USEC_NEVER)
        c->end += time_of(size);
}

void caller_begin_answer(struct caller *c, uint64_t size)
{
    allow(c, "answer", BODY_MAX + time_of(size));
}

void caller_begin_wait(struct caller *c)
{
    c->end = USEC_NEVER;
}

void caller_begin_pause(struct caller *c)
{
    allow(c, "headers", PAUSE_MAX);
}

void callers_close(struct callers *all)
{
    all->is_closing = true;
    gateway_timer_stop(TAKE(all->watch));
}
