/* A request waits in the resolver's line until one of the threads is free. The thread is detached:
 * it owns a `job` (copies in, answer out) together with the request. When the look-up is done the
 * job is put into the mailbox and the loop is woken; the loop matches it with its request, if that
 * still exists, and frees the job. When the resolver closes meanwhile, the mailbox is marked closed
 * and outlives it: the last thread to come back frees its job and, as the last holder, the mailbox.
 */
#include "resolver.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/error.h"
#include "base/memory.h"

struct job {
    struct job *next;
    struct mailbox *mailbox;          /* one of its holders */
    struct resolver_request *request; /* loop thread only; NULL: given up */
    char *host;
    unsigned port;
    char service[8]; /* the port as getaddrinfo() wants it */
    int status;      /* of getaddrinfo */
    int system_error;
    size_t count;
    struct sockaddr_storage addresses[RESOLVER_ADDRESSES_MAX];
};

/* What threads and loop share. */
struct mailbox {
    pthread_mutex_t lock;
    unsigned holders; /* the resolver and each running job */
    bool is_closed;
    struct job *done;
    uv_async_t *wake; /* the resolver's; not to be used when closed */
};

struct resolver_request {
    struct resolver *resolver;
    struct resolver_request *next; /* in line */
    struct job *job;
    resolver_fn *on_done;
    void *user;
};

struct resolver {
    uv_loop_t *loop;
    uv_async_t wake;
    struct mailbox *mailbox;
    struct job *first, *last; /* waiting for a thread */
    unsigned running;
    uint64_t look_ups, failed;
    resolver_book_fn *book; /* NULL: none */
    void *book_user;
    void (*on_closed)(void *user);
    void *user;
};

static void job_free(struct job *j)
{
    free(j->host);
    free(j);
}

static void mailbox_drop(struct mailbox *m)
{
    bool is_last;

    pthread_mutex_lock(&m->lock);
    is_last = --m->holders == 0;
    pthread_mutex_unlock(&m->lock);
    if (!is_last)
        return;
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static void job_look_up(struct job *j)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list = NULL;

    j->status = getaddrinfo(j->host, j->service, &hints, &list);
    j->system_error = errno;
    if (j->status != 0)
        return;
    for (struct addrinfo *a = list; a && j->count < RESOLVER_ADDRESSES_MAX; a = a->ai_next) {
        if (a->ai_addrlen <= sizeof j->addresses[0])
            memcpy(&j->addresses[j->count++], a->ai_addr, a->ai_addrlen);
    }
    freeaddrinfo(list);
}

static void *run_job(void *argument)
{
    struct job *j = argument;
    struct mailbox *m = j->mailbox;
    bool is_closed;

    job_look_up(j);
    pthread_mutex_lock(&m->lock);
    is_closed = m->is_closed;
    if (!is_closed) {
        j->next = m->done;
        m->done = j;
        (void) uv_async_send(m->wake); /* under the lock: the handle is open while !is_closed */
    }
    pthread_mutex_unlock(&m->lock);
    if (is_closed)
        job_free(j);
    mailbox_drop(m);
    return NULL;
}

static int start_thread(struct job *j)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int rc;

    (void) pthread_attr_init(&attributes);
    (void) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void) pthread_attr_setstacksize(&attributes, (size_t) 256 * 1024);
    pthread_mutex_lock(&j->mailbox->lock);
    j->mailbox->holders++;
    pthread_mutex_unlock(&j->mailbox->lock);
    rc = pthread_create(&thread, &attributes, run_job, j);
    (void) pthread_attr_destroy(&attributes);
    if (rc != 0)
        mailbox_drop(j->mailbox);
    return -rc;
}

/* Numeric hosts are looked up here (no name server is asked) and posted like a thread's answer. */
static bool look_up_literal(struct job *j)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (uv_ip4_addr(j->host, (int) j->port, &v4) == 0)
        memcpy(&j->addresses[0], &v4, sizeof v4);
    else if (uv_ip6_addr(j->host, (int) j->port, &v6) == 0)
        memcpy(&j->addresses[0], &v6, sizeof v6);
    else
        return false;
    j->count = 1;
    return true;
}

static bool look_up_in_book(const struct resolver *r, struct job *j)
{
    if (r->book)
        j->count = r->book(r->book_user, j->host, /* mac= */ NULL, j->port, j->addresses,
                           RESOLVER_ADDRESSES_MAX);
    return j->count > 0;
}

static void post(struct resolver *r, struct job *j)
{
    pthread_mutex_lock(&r->mailbox->lock);
    j->next = r->mailbox->done;
    r->mailbox->done = j;
    pthread_mutex_unlock(&r->mailbox->lock);
    (void) uv_async_send(&r->wake);
}

static void start_waiting(struct resolver *r)
{
    while (r->first && r->running < RESOLVER_THREADS_MAX) {
        struct job *j = r->first;
        int rc;

        r->first = j->next;
        if (!r->first)
            r->last = NULL;
        if (!j->request) {
            job_free(j);
            continue;
        }
        r->running++;
        rc = start_thread(j);
        if (rc == 0)
            continue;
        j->status = EAI_SYSTEM;
        j->system_error = -rc;
        post(r, j);
    }
}

static void deliver(struct job *j)
{
    struct resolver_request *q = j->request;
    char detail[320];

    if (!q)
        return;
    if (j->count > 0) {
        q->on_done(q->user, 0, j->addresses, j->count, "");
    } else {
        (void) snprintf(detail, sizeof detail, "%s: %s", j->host,
                        j->status == EAI_SYSTEM ? strerror(j->system_error)
                        : j->status             ? gai_strerror(j->status)
                                                : "no address");
        q->on_done(q->user, E_RESOLVE_FAILED, NULL, 0, detail);
    }
    free(q);
}

static void count_look_up(struct resolver *r, const struct job *j)
{
    r->running--;
    r->look_ups++;
    r->failed += j->count == 0;
}

static void on_wake(uv_async_t *handle)
{
    struct resolver *r = handle->data;
    struct job *done;

    pthread_mutex_lock(&r->mailbox->lock);
    done = r->mailbox->done;
    r->mailbox->done = NULL;
    pthread_mutex_unlock(&r->mailbox->lock);
    while (done) {
        struct job *j = done;

        done = j->next;
        if (j->mailbox) /* a literal took no thread */
            count_look_up(r, j);
        deliver(j);
        job_free(j);
    }
    start_waiting(r);
}

struct resolver *resolver_new(struct uv_loop_s *loop)
{
    struct resolver *r = xnew(struct resolver, 1);

    r->loop = loop;
    r->mailbox = xnew(struct mailbox, 1);
    (void) pthread_mutex_init(&r->mailbox->lock, NULL);
    r->mailbox->holders = 1;
    r->mailbox->wake = &r->wake;
    if (uv_async_init(loop, &r->wake, on_wake) < 0)
        abort(); /* no descriptor for the program's own loop: it cannot start */
    r->wake.data = r;
    return r;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct resolver *r = handle->data;

    if (r->on_closed)
        r->on_closed(r->user);
    free(r);
}

static void drop_jobs(struct job *j)
{
    while (j) {
        struct job *next = j->next;

        assert(!j->request);
        job_free(j);
        j = next;
    }
}

void resolver_close(struct resolver *r, void (*on_closed)(void *user), void *user)
{
    struct job *done;

    r->on_closed = on_closed;
    r->user = user;
    pthread_mutex_lock(&r->mailbox->lock);
    r->mailbox->is_closed = true;
    done = TAKE(r->mailbox->done);
    pthread_mutex_unlock(&r->mailbox->lock);
    drop_jobs(done);
    drop_jobs(TAKE(r->first));
    mailbox_drop(TAKE(r->mailbox));
    uv_close((uv_handle_t *) &r->wake, on_handle_closed);
}

struct resolver_request *resolver_start(struct resolver *r, const char *host, unsigned port,
                                        resolver_fn *on_done, void *user)
{
    struct resolver_request *q = xnew(struct resolver_request, 1);
    struct job *j = xnew(struct job, 1);

    q->resolver = r;
    q->job = j;
    q->on_done = on_done;
    q->user = user;
    j->request = q;
    j->host = memory_copy_text(host);
    j->port = port;
    (void) snprintf(j->service, sizeof j->service, "%u", port);
    if (look_up_literal(j) || look_up_in_book(r, j)) {
        post(r, j);
        return q;
    }
    j->mailbox = r->mailbox;
    if (r->last)
        r->last->next = j;
    else
        r->first = j;
    r->last = j;
    start_waiting(r);
    return q;
}

void resolver_set_book(struct resolver *r, resolver_book_fn *book, void *user)
{
    r->book = book;
    r->book_user = user;
}

size_t resolver_find_mac(const struct resolver *r, uint64_t mac,
                         struct sockaddr_storage *ret_addresses)
{
    return r->book ? r->book(r->book_user, /* host= */ NULL, &mac, 0, ret_addresses,
                             RESOLVER_ADDRESSES_MAX)
                   : 0;
}

void resolver_cancel(struct resolver_request *request)
{
    if (!request)
        return;
    request->job->request = NULL;
    free(request);
}

void resolver_get_statistics(const struct resolver *r, struct resolver_statistics *ret_statistics)
{
    *ret_statistics = (struct resolver_statistics){
            .look_ups = r->look_ups,
            .failed = r->failed,
            .running = r->running,
    };
    for (const struct job *j = r->first; j; j = j->next)
        ret_statistics->waiting++;
}
