/* The connection opens, the session greets, DeviceInfo comes: a goodbye is written, and all is let
 * go of. Whatever goes wrong, or takes too long, ends in finish() as well. Session callbacks note
 * what happened; after_session() acts when the session has returned. */
#include "inquiry.h"

#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

#include "base/error.h"
#include "base/memory.h"
#include "esphome/client_session.h"
#include "proxy/connection.h"
#include "proxy/greeting.h"
#include "proxy/node.h"
#include "proxy/proxy.h"

struct inquiry {
    uv_timer_t timer;
    struct connection *connection;
    struct client_session *session; /* NULL: not open yet */
    char *name;
    struct node node;
    bool is_answered;
    inquiry_fn *on_done;
    void *user;
};

static void on_timer_closed(uv_handle_t *handle)
{
    struct inquiry *q = handle->data;

    free(q->name);
    free(q);
}

void inquiry_cancel(struct inquiry *q)
{
    if (!q)
        return;
    (void) connection_close(TAKE(q->connection), NULL, NULL);
    client_session_free(TAKE(q->session));
    uv_close((uv_handle_t *) &q->timer, on_timer_closed);
}

static void finish(struct inquiry *q, int cause)
{
    struct node node = q->node;
    inquiry_fn *on_done = q->on_done;
    void *user = q->user;

    inquiry_cancel(q);
    on_done(user, cause, cause == 0 ? &node : NULL);
}

static void pump(struct inquiry *q)
{
    for (;;) {
        size_t size, taken;
        const uint8_t *data = client_session_output(q->session, &size);

        taken = size > 0 ? connection_send(q->connection, data, size) : 0;
        if (taken == 0)
            return;
        client_session_sent(q->session, taken);
    }
}

static void after_session(struct inquiry *q)
{
    pump(q);
    if (q->is_answered)
        finish(q, 0);
    else if (client_session_state(q->session) == CLIENT_SESSION_CLOSED)
        finish(q, client_session_error(q->session)->code);
}

static void on_ready(void *user, const struct message_device_info *info, usec_t now)
{
    struct inquiry *q = user;
    const struct session_peer *peer = client_session_peer(q->session);

    node_learn(&q->node, info, peer->api_major, peer->api_minor);
    q->is_answered = true;
    client_session_disconnect(q->session, now);
}

static void on_open(void *user)
{
    static const struct client_session_callbacks callbacks = {.on_ready = on_ready};
    struct inquiry *q = user;
    const struct proxy_settings settings = {.name = q->name, .host = ""};

    q->session = greeting_new(&settings, &q->node, &callbacks, q, clock_now());
    after_session(q);
}

static uint8_t *on_room(void *user, size_t *ret_size)
{
    struct inquiry *q = user;

    return client_session_input(q->session, ret_size);
}

static void on_received(void *user, size_t size)
{
    struct inquiry *q = user;

    (void) client_session_received(q->session, size, clock_now());
    after_session(q);
}

static void on_writable(void *user)
{
    struct inquiry *q = user;

    if (q->session)
        pump(q);
}

static void on_end(void *user, int cause)
{
    finish(user, cause ? cause : E_CLOSED);
}

static void on_timeout(uv_timer_t *timer)
{
    finish(timer->data, E_TIMEOUT);
}

struct inquiry *inquiry_start(struct uv_loop_s *loop, const char *name,
                              const struct sockaddr_storage *addresses, size_t count,
                              inquiry_fn *on_done, void *user)
{
    static const struct connection_callbacks callbacks = {on_open, on_room, on_received,
                                                          on_writable, on_end};
    struct inquiry *q = xnew(struct inquiry, 1);

    q->name = memory_copy_text(name);
    q->on_done = on_done;
    q->user = user;
    (void) uv_timer_init(loop, &q->timer); /* cannot fail, nor can the start */
    q->timer.data = q;
    (void) uv_timer_start(&q->timer, on_timeout, INQUIRY_TIMEOUT / USEC_PER_MSEC, 0);
    q->connection = connection_open(loop, /* intake= */ NULL, addresses, count, &callbacks, q);
    return q;
}
