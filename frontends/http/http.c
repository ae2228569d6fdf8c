/* The story: each address of http.listen gets a door, which accepts, and a daemon of libmicrohttpd
 * without threads and without a socket of its own, which is given what the door accepted. (Its own
 * way of accepting runs without pause when no descriptor is free.) The daemon's epoll descriptor
 * hangs in our loop; whenever it is readable, or the time that the daemon named is over, the daemon
 * runs. The time may be 0, which means: again, in the next turn. A connection that waits is
 * suspended; resuming takes effect only when the daemon runs afterwards.
 *
 * Failure modes: a port that is taken fails the start as a whole. At the limit of connections the
 * door is shut, and clients queue in the kernel. Slow clients are cut off after a time without
 * progress, or when what they do has taken too long as a whole (caller.c). Stopping a daemon with
 * suspended connections would abort the process, so closing first answers and resumes them all. */
#include "http.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/memory.h"
#include "http/caller.h"
#include "http/certificate_watch.h"
#include "http/door.h"
#include "http/exchange.h"
#include "http/listen.h"
#include "rest/metrics.h"

#define IDLE_TIMEOUT_S 45U
#define LOG_WINDOW     (60 * USEC_PER_SEC)
#define LAST_RUNS      8 /* of a daemon before it stops, to get the last answers out */

struct listener {
    struct http *http; /* borrowed; NULL: nobody waits for our end */
    struct door *door;
    struct MHD_Daemon *daemon;
    struct exchanges exchanges;
    struct callers callers;
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned open_handles; /* the two, and the door */
    unsigned limit;        /* of connections */
    struct log_limit malformed;
    bool has_resumed; /* a connection, since it began to run last */
    char bound[LISTEN_TEXT_SIZE];
};

struct http {
    struct uv_loop_s *loop;                        /* borrowed */
    struct rest *rest;                             /* borrowed */
    struct gateway *gateway;                       /* borrowed */
    struct listener *listeners[CONFIG_LISTEN_MAX]; /* NULL: closed */
    size_t count, open;
    struct certificate_watch *certificate; /* NULL: plain */
    void (*on_closed)(void *user);
    void *user;
};

/* ---- running ---- */

static void run(struct listener *l);

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void) status, (void) events; /* the daemon finds out itself */
    run(poll->data);
}

static unsigned count_connections(const struct listener *l)
{
    return MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

static bool is_full(const struct listener *l)
{
    return count_connections(l) >= l->limit;
}

static void run(struct listener *l)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    l->has_resumed = false;
    (void) MHD_run(l->daemon);
    door_let_in(l->door, !is_full(l));
    if (l->has_resumed)
        (void) uv_timer_start(&l->timer, on_timer, /* timeout= */ 0, /* repeat= */ 0);
    else if (MHD_get_timeout(l->daemon, &wait_ms) == MHD_YES)
        (void) uv_timer_start(&l->timer, on_timer, wait_ms, /* repeat= */ 0);
    else
        (void) uv_timer_stop(&l->timer);
}

static void on_client(void *user, int fd, const struct sockaddr *from, socklen_t size)
{
    struct listener *l = user;

    (void) MHD_add_connection(l->daemon, fd, from, size); /* closes it when it fails */
    run(l);
}

static void on_resumed(void *user)
{
    struct listener *l = user;

    l->has_resumed = true;
    (void) uv_timer_start(&l->timer, on_timer, /* timeout= */ 0, /* repeat= */ 0);
}

/* The library complains about every client that goes away; what it refuses by itself (headers that
 * are too many, what is not HTTP) it answers in HTML and tells us in this line alone. */
static void on_library_log(void *user, const char *format, va_list arguments)
{
    struct listener *l = user;
    unsigned status, held_back = 0;
    char text[256];

    (void) vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\r\n")] = '\0';
    if (sscanf(text, "Error processing request (HTTP response code is %u", &status) != 1)
        log_debug("http.library", "says=%s", text);
    else if (log_allowed(&l->malformed, gateway_now(l->exchanges.gateway), &held_back))
        log_warning("http.malformed",
                    "status=%u held_back=%u, refusing what is not HTTP as we know it", status,
                    held_back);
}

/* ---- closing ---- */

static void maybe_finish_close(struct http *h)
{
    if (h->open == 0 && h->on_closed)
        h->on_closed(h->user);
}

static void on_part_closed(void *user)
{
    struct listener *l = user;
    struct http *h = l->http;

    if (--l->open_handles > 0)
        return;
    MHD_stop_daemon(l->daemon);
    for (size_t i = 0; h && i < h->count; i++) {
        if (h->listeners[i] == l)
            h->listeners[i] = NULL;
    }
    free(l);
    if (!h)
        return;
    h->open--;
    maybe_finish_close(h);
}

static void on_handle_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

static void close_listener(struct listener *l)
{
    door_close(l->door, on_part_closed, l);
    exchanges_close(&l->exchanges);
    callers_close(&l->callers);
    for (int i = 0; i < LAST_RUNS; i++)
        (void) MHD_run(l->daemon);
    uv_close((uv_handle_t *) &l->timer, on_handle_closed);
    uv_close((uv_handle_t *) &l->poll, on_handle_closed);
}

/* ---- opening ---- */

/* Each listener has its share of the connections. */
static unsigned connection_limit(const struct config *config)
{
    size_t share = (size_t) config->limits_http_connections / config->http_listen.count;

    return share > 0 ? (unsigned) share : 1;
}

static struct MHD_Daemon *start_daemon(struct listener *l)
{
    bool is_secure = l->callers.certificate != NULL;
    unsigned flags =
            MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    const struct MHD_OptionItem secure[] = {
            {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *) (uintptr_t) certificate_get_handshake()},
            {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *) (uintptr_t) CERTIFICATE_PRIORITIES},
            {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};

    if (is_secure)
        flags |= MHD_USE_TLS;
    return MHD_start_daemon(flags, 0, NULL, NULL, exchange_on_request, &l->exchanges,
                            MHD_OPTION_EXTERNAL_LOGGER, on_library_log, l, /* must be first */
                            MHD_OPTION_URI_LOG_CALLBACK, exchange_on_target, &l->exchanges,
                            MHD_OPTION_NOTIFY_CONNECTION, caller_on_connection, &l->callers,
                            MHD_OPTION_NOTIFY_COMPLETED, exchange_on_completed, &l->exchanges,
                            MHD_OPTION_CONNECTION_LIMIT, l->limit, MHD_OPTION_CONNECTION_TIMEOUT,
                            IDLE_TIMEOUT_S, MHD_OPTION_ARRAY, is_secure ? secure : plain,
                            MHD_OPTION_END);
}

/* The daemon's descriptor and the door into the loop. */
static int start_polling(struct listener *l, struct uv_loop_s *loop, int fd)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int result = door_new(loop, fd, on_client, l, &l->door);

    if (result != 0)
        return result;
    if (uv_poll_init(loop, &l->poll, info->epoll_fd) != 0)
        abort(); /* an epoll descriptor of our own: the loop takes it */
    (void) uv_timer_init(loop, &l->timer);
    l->poll.data = l->timer.data = l;
    l->open_handles = 3;
    (void) uv_poll_start(&l->poll, UV_READABLE, on_poll);
    return 0;
}

static struct listener *make_listener(struct http *h)
{
    struct listener *l = xnew(struct listener, 1);

    l->http = h;
    l->limit = connection_limit(gateway_config(h->gateway));
    l->malformed = (struct log_limit){.burst = 1, .window = LOG_WINDOW};
    l->callers.gateway = h->gateway;
    l->callers.certificate = certificate_watch_get(h->certificate);
    l->exchanges = (struct exchanges){
            .rest = h->rest,
            .gateway = h->gateway,
            .loop = h->loop,
            .is_secure = h->certificate != NULL,
            .on_resumed = on_resumed,
            .user = l,
    };
    return l;
}

static int open_listener(struct http *h, const struct config_address *address, char *ret_error,
                         size_t error_size)
{
    struct listener *l;
    int fd, result;

    result = listen_open(address, &fd, ret_error, error_size);
    if (result != 0)
        return result;
    l = make_listener(h);
    listen_format(fd, l->bound);
    l->daemon = start_daemon(l);
    result = l->daemon ? start_polling(l, h->loop, fd) : -ENOMEM;
    if (result != 0) {
        snprintf(ret_error, error_size, "%s: %s", l->bound, error_sentence(result));
        close(fd);
        if (l->daemon)
            MHD_stop_daemon(l->daemon);
        free(l);
        return result;
    }
    h->listeners[h->count++] = l;
    h->open++;
    return 0;
}

/* ---- figures ---- */

static void write_requests(struct metrics_text *text, const struct http *h)
{
    char code[] = "0xx";
    const struct metric_label label = {"code", code};

    metrics_text_family(text, "blefleet_http_requests_total", METRIC_COUNTER,
                        "Requests over HTTP, by the class of the answer's status code.");
    for (size_t class = 1; class < EXCHANGE_CLASSES; class ++) {
        uint64_t count = 0;

        for (size_t i = 0; i < h->count; i++)
            count += h->listeners[i] ? h->listeners[i]->exchanges.answers[class] : 0;
        code[0] = (char) ('0' + class);
        metrics_text_sample(text, &label, 1, (double) count);
    }
}

static void write_metrics(void *user, struct metrics_text *text)
{
    const struct http *h = user;
    unsigned connections = 0;

    write_requests(text, h);
    for (size_t i = 0; i < h->count; i++)
        connections += h->listeners[i] ? count_connections(h->listeners[i]) : 0;
    metrics_text_figure(text, "blefleet_http_connections", METRIC_GAUGE,
                        "Open connections of clients over HTTP.", connections);
}

/* ---- accounts ---- */

static void on_accounts_changed(void *user)
{
    const struct http *h = user;

    for (size_t i = 0; i < h->count; i++) {
        if (h->listeners[i])
            exchanges_look_at_accounts(&h->listeners[i]->exchanges);
    }
}

/* ---- the door ---- */

static int open_certificate(struct http *h, char *ret_error, size_t error_size)
{
    int result = certificate_watch_new(h->loop, h->gateway, &h->certificate, ret_error, error_size);

    h->open += result == 0;
    return result;
}

/* Nobody is told of the end of what is open already; it has had no client yet. */
static void abandon(struct http *h)
{
    for (size_t i = 0; i < h->count; i++) {
        h->listeners[i]->http = NULL;
        close_listener(h->listeners[i]);
    }
    certificate_watch_free(h->certificate);
    free(h);
}

int http_new(struct uv_loop_s *loop, struct rest *rest, struct gateway *g, struct http **ret_http,
             char *ret_error, size_t error_size)
{
    const struct config *config = gateway_config(g);
    struct http *h = xnew(struct http, 1);
    int result = 0;

    h->loop = loop;
    h->rest = rest;
    h->gateway = g;
    if (config->http_tls_cert)
        result = open_certificate(h, ret_error, error_size);
    for (size_t i = 0; result == 0 && i < config->http_listen.count; i++)
        result = open_listener(h, &config->http_listen.items[i], ret_error, error_size);
    if (result != 0) {
        abandon(h);
        return result;
    }
    metrics_register_collector(rest_metrics(rest), write_metrics, h);
    accounts_watch(gateway_accounts(g), on_accounts_changed, h);
    *ret_http = h;
    return 0;
}

const char *http_bound(const struct http *h, size_t index)
{
    return index < h->count && h->listeners[index] ? h->listeners[index]->bound : "-";
}

void http_reload(struct http *h)
{
    if (h->certificate)
        certificate_watch_reload(h->certificate);
}

static void on_certificate_closed(void *user)
{
    struct http *h = user;

    h->open--;
    maybe_finish_close(h);
}

void http_close(struct http *h, void (*on_closed)(void *user), void *user)
{
    h->on_closed = on_closed;
    h->user = user;
    accounts_watch(gateway_accounts(h->gateway), NULL, NULL);
    for (size_t i = 0; i < h->count; i++)
        close_listener(h->listeners[i]);
    if (h->certificate)
        certificate_watch_close(h->certificate, on_certificate_closed, h);
    else if (h->count == 0)
        maybe_finish_close(h);
}

void http_free(struct http *h)
{
    if (!h)
        return;
    assert(h->open == 0);
    metrics_unregister(rest_metrics(h->rest), h);
    certificate_watch_free(h->certificate);
    free(h);
}
