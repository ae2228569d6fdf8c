/* The story: a worker looks whether the files are others than those that were read or tried last,
 * and reads them if so; back on the loop, what it read is shown from then on.
 *
 * Failure modes: a pair that cannot be used is told once, until the files are others again; the one
 * before goes on. Two files that are replaced one after the other may be met in between: then the
 * next look finds the second one. */
#include "certificate_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/log.h"
#include "base/memory.h"

#define ERROR_SIZE 512

struct certificate_watch {
    struct uv_loop_s *loop;  /* borrowed */
    struct gateway *gateway; /* borrowed */
    struct certificate *certificate;
    struct gateway_timer *timer; /* NULL: the worker looks, or it is over */
    bool is_looking, is_asked, is_closing;
    void (*on_closed)(void *user);
    void *user;
    /* The worker's, while it looks: */
    uv_work_t work;
    char *chain_path, *key_path;
    bool reads_anyway; /* whatever the files look like */
    struct certificate_stamp seen;
    struct certificate_pair *pair; /* NULL: nothing new */
    char error[ERROR_SIZE];        /* "": none */
};

static void do_look(uv_work_t *work)
{
    struct certificate_watch *w = work->data;
    struct certificate_stamp now;

    w->error[0] = '\0';
    w->pair = NULL;
    certificate_look(w->chain_path, w->key_path, &now);
    if (!w->reads_anyway && memcmp(&now, &w->seen, sizeof now) == 0)
        return;
    w->seen = now;
    (void) certificate_read(w->chain_path, w->key_path, &w->pair, w->error,
                            sizeof w->error); /* the sentence says it */
}

static void tell_exposed(const struct certificate_watch *w, const struct certificate_pair *pair)
{
    if (certificate_is_exposed(pair))
        log_warning("http.key_exposed", "file=%s can be read by everybody on this machine",
                    w->key_path);
}

static void use(struct certificate_watch *w)
{
    log_info("http.certificate", "file=%s is shown from now on", w->chain_path);
    tell_exposed(w, w->pair);
    certificate_use(w->certificate, TAKE(w->pair));
}

static void begin_look(struct certificate_watch *w);

static void on_time(void *user)
{
    struct certificate_watch *w = user;

    w->timer = NULL;
    begin_look(w);
}

static void on_looked(uv_work_t *work, int status)
{
    struct certificate_watch *w = work->data;

    (void) status; /* nobody cancels it */
    w->is_looking = false;
    if (w->pair)
        use(w);
    else if (w->error[0])
        log_warning("http.certificate_unread", "%s, keeping the certificate of before", w->error);
    if (w->is_closing)
        w->on_closed(w->user);
    else if (w->is_asked)
        begin_look(w);
    else
        w->timer = gateway_timer_start(w->gateway, CERTIFICATE_WATCH_INTERVAL, on_time, w);
}

static void begin_look(struct certificate_watch *w)
{
    w->is_looking = true;
    w->reads_anyway = w->is_asked;
    w->is_asked = false;
    (void) uv_queue_work(w->loop, &w->work, do_look, on_looked); /* fails only without do_… */
}

int certificate_watch_new(struct uv_loop_s *loop, struct gateway *g,
                          struct certificate_watch **ret_watch, char *ret_error, size_t error_size)
{
    const struct config *config = gateway_config(g);
    struct certificate_watch *w = xnew(struct certificate_watch, 1);
    struct certificate_pair *pair;
    char error[ERROR_SIZE];
    int rc;

    w->loop = loop;
    w->gateway = g;
    w->work.data = w;
    w->chain_path = memory_copy_text(config->http_tls_cert);
    w->key_path = memory_copy_text(config->http_tls_key);
    certificate_look(w->chain_path, w->key_path, &w->seen);
    rc = certificate_read(w->chain_path, w->key_path, &pair, error, sizeof error);
    if (rc < 0) {
        (void) snprintf(ret_error, error_size, "http.tls: %s", error);
        certificate_watch_free(w);
        return rc;
    }
    tell_exposed(w, pair);
    w->certificate = certificate_new(pair);
    w->timer = gateway_timer_start(g, CERTIFICATE_WATCH_INTERVAL, on_time, w);
    *ret_watch = w;
    return 0;
}

struct certificate *certificate_watch_get(const struct certificate_watch *w)
{
    return w ? w->certificate : NULL;
}

void certificate_watch_reload(struct certificate_watch *w)
{
    w->is_asked = true;
    if (w->is_looking || w->is_closing)
        return; /* again when the worker is back, or never */
    gateway_timer_stop(TAKE(w->timer));
    begin_look(w);
}

void certificate_watch_close(struct certificate_watch *w, void (*on_closed)(void *user), void *user)
{
    w->is_closing = true;
    w->on_closed = on_closed;
    w->user = user;
    gateway_timer_stop(TAKE(w->timer));
    if (!w->is_looking)
        on_closed(user);
}

void certificate_watch_free(struct certificate_watch *w)
{
    if (!w)
        return;
    gateway_timer_stop(w->timer);
    certificate_free(w->certificate);
    free(w->chain_path);
    free(w->key_path);
    free(w);
}
