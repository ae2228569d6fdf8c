/* The thread connects to the daemon and browses. Each service that is told becomes a `service`,
 * which waits until it may be resolved: a few at a time. Its resolver stays, since it tells when
 * address or text become others. What comes of it goes through the `post` between the threads: a
 * bounded line of events, in which the thread waits for room, and a word of the loop that it is to
 * end.
 *
 * Failure modes. No D-Bus: there is no client, and it is tried again, more rarely each time. No
 * daemon: the client waits for it by itself. The daemon goes: everything of it is let go of, and a
 * new client waits. More services than we keep: the oldest is forgotten, until it is announced
 * anew. More than the daemon lets one client watch: the resolver that was asked first is let go of,
 * and what it told stays. A call that never returns: the thread is detached, holds the post, and
 * nobody else is held up. */
#include "browser.h"

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-common/simple-watch.h>
#include <net/if.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/memory.h"

#define SERVICE_TYPE  "_esphomelib._tcp"
#define SERVICES_MAX  8192 /* each device, each interface, each protocol */
#define RESOLVERS_MAX 900  /* the daemon lets a client have 1024 objects */
#define ASKED_MAX     32   /* resolvers that have not answered yet */
#define EVENTS_MAX    256

enum event_kind { EVENT_SEEN, EVENT_GONE, EVENT_LOST };

struct event {
    STAILQ_ENTRY(event) next;
    enum event_kind kind;
    struct announcement_facts facts; /* of GONE: the name alone */
    struct announcement_sighting sighting;
};
STAILQ_HEAD(events, event);

/* What loop and thread share; the last of both frees it. */
struct post {
    pthread_mutex_t lock;
    pthread_cond_t has_room;
    unsigned holders;
    bool is_closed;
    struct events events;
    size_t events_count;
    uv_async_t *wake_loop; /* the browser's; not to be used when closed */
    int wake_thread;       /* eventfd */
};

struct browser {
    uv_async_t wake;
    struct post *post;
    struct browser_callbacks callbacks;
};

enum service_state {
    SERVICE_WAITING,  /* without a resolver */
    SERVICE_ASKED,    /* with one that has not answered */
    SERVICE_ANSWERED, /* it has */
    SERVICE_RELEASED, /* it had, and was let go of */
};

struct service {
    TAILQ_ENTRY(service) next;
    struct browsing *browsing;
    enum service_state state;
    bool is_seen; /* the loop was told */
    AvahiServiceResolver *resolver;
    AvahiIfIndex interface;
    AvahiProtocol protocol;
    char *name, *type, *domain;
};
TAILQ_HEAD(services, service);

/* Of the thread alone. */
struct browsing {
    struct post *post;
    AvahiSimplePoll *poll;
    AvahiClient *client;
    AvahiServiceBrowser *browser;
    struct services services; /* as they came */
    size_t services_count, resolvers_count, asked_count;
    bool is_broken; /* the client is of no use any more */
    bool has_told_absence;
};

/* ---- the post ---- */

static struct post *post_new(uv_async_t *wake_loop)
{
    struct post *p = xnew(struct post, 1);

    (void) pthread_mutex_init(&p->lock, NULL);
    (void) pthread_cond_init(&p->has_room, NULL);
    p->holders = 1;
    STAILQ_INIT(&p->events);
    p->wake_loop = wake_loop;
    p->wake_thread = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return p;
}

static void free_events(struct events *events)
{
    struct event *e;

    while ((e = STAILQ_FIRST(events))) {
        STAILQ_REMOVE_HEAD(events, next);
        free(e);
    }
}

static void post_drop(struct post *p)
{
    bool is_last;

    pthread_mutex_lock(&p->lock);
    is_last = --p->holders == 0;
    pthread_mutex_unlock(&p->lock);
    if (!is_last)
        return;
    free_events(&p->events);
    (void) close(p->wake_thread);
    pthread_cond_destroy(&p->has_room);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static bool post_is_closed(struct post *p)
{
    bool is_closed;

    pthread_mutex_lock(&p->lock);
    is_closed = p->is_closed;
    pthread_mutex_unlock(&p->lock);
    return is_closed;
}

/* Waits for room. The event is the post's then. */
static void post_put(struct post *p, struct event *e)
{
    pthread_mutex_lock(&p->lock);
    while (p->events_count >= EVENTS_MAX && !p->is_closed)
        pthread_cond_wait(&p->has_room, &p->lock);
    STAILQ_INSERT_TAIL(&p->events, e, next);
    p->events_count++;
    if (!p->is_closed)
        (void) uv_async_send(p->wake_loop); /* under the lock: the handle is open */
    pthread_mutex_unlock(&p->lock);
}

static void post_take(struct post *p, struct events *ret_events)
{
    STAILQ_INIT(ret_events);
    pthread_mutex_lock(&p->lock);
    STAILQ_CONCAT(ret_events, &p->events);
    p->events_count = 0;
    pthread_cond_signal(&p->has_room);
    pthread_mutex_unlock(&p->lock);
}

/* ---- the thread: services ---- */

static void tell_gone(struct service *s)
{
    struct event *e;

    if (!s->is_seen)
        return;
    s->is_seen = false;
    e = xnew(struct event, 1);
    e->kind = EVENT_GONE;
    (void) strncpy(e->facts.name, s->name, sizeof e->facts.name - 1);
    e->sighting.interface = s->interface;
    e->sighting.is_v6 = s->protocol == AVAHI_PROTO_INET6;
    post_put(s->browsing->post, e);
}

static void release_resolver(struct service *s)
{
    if (!s->resolver)
        return;
    s->browsing->resolvers_count--;
    s->browsing->asked_count -= s->state == SERVICE_ASKED;
    s->state = SERVICE_RELEASED;
    (void) avahi_service_resolver_free(TAKE(s->resolver));
}

static void drop_service(struct service *s)
{
    struct browsing *b = s->browsing;

    release_resolver(s);
    TAILQ_REMOVE(&b->services, s, next);
    b->services_count--;
    free(s->name);
    free(s->type);
    free(s->domain);
    free(s);
}

static void set_address(struct announcement_sighting *sighting, const AvahiAddress *address)
{
    char zone[IF_NAMESIZE] = "";

    sighting->is_v6 = address->proto == AVAHI_PROTO_INET6;
    if (!sighting->is_v6) {
        memcpy(sighting->octets, &address->data.ipv4.address, 4);
        return;
    }
    memcpy(sighting->octets, address->data.ipv6.address, sizeof sighting->octets);
    if (announcement_address_rank(sighting) > 1 && sighting->interface > 0 &&
        if_indextoname((unsigned) sighting->interface, zone))
        memcpy(sighting->zone, zone, sizeof sighting->zone);
}

static void tell_seen(struct service *s, const char *host, const AvahiAddress *address,
                      uint16_t port, AvahiStringList *txt)
{
    struct event *e = xnew(struct event, 1);

    e->kind = EVENT_SEEN;
    if (!announcement_read(&e->facts, s->name, host, port)) {
        free(e);
        tell_gone(s);
        return;
    }
    for (; txt; txt = avahi_string_list_get_next(txt))
        announcement_read_txt(&e->facts, avahi_string_list_get_text(txt),
                              avahi_string_list_get_size(txt));
    e->sighting.interface = s->interface;
    set_address(&e->sighting, address);
    s->is_seen = true;
    post_put(s->browsing->post, e);
}

static void resolve_waiting(struct browsing *b);

static void on_resolved(AvahiServiceResolver *resolver, AvahiIfIndex interface,
                        AvahiProtocol protocol, AvahiResolverEvent event, const char *name,
                        const char *type, const char *domain, const char *host,
                        const AvahiAddress *address, uint16_t port, AvahiStringList *txt,
                        AvahiLookupResultFlags flags, void *user)
{
    struct service *s = user;

    (void) resolver, (void) interface, (void) protocol, (void) name, (void) type, (void) domain;
    (void) flags;
    if (event == AVAHI_RESOLVER_FOUND)
        tell_seen(s, host, address, port, txt);
    else
        tell_gone(s);
    if (s->state != SERVICE_ASKED)
        return;
    s->state = SERVICE_ANSWERED;
    s->browsing->asked_count--;
    resolve_waiting(s->browsing);
}

static void release_first_answered(struct browsing *b)
{
    struct service *s;

    TAILQ_FOREACH(s, &b->services, next)
    {
        if (s->state != SERVICE_ANSWERED)
            continue;
        release_resolver(s);
        return;
    }
}

static void resolve(struct service *s)
{
    struct browsing *b = s->browsing;

    if (b->resolvers_count >= RESOLVERS_MAX)
        release_first_answered(b);
    s->resolver = avahi_service_resolver_new(b->client, s->interface, s->protocol, s->name, s->type,
                                             s->domain, s->protocol, 0, on_resolved, s);
    s->state = s->resolver ? SERVICE_ASKED : SERVICE_RELEASED;
    b->resolvers_count += s->resolver != NULL;
    b->asked_count += s->resolver != NULL;
    if (!s->resolver)
        log_debug("mdns.not_resolved", "name=%s detail=\"%s\"", s->name,
                  avahi_strerror(avahi_client_errno(b->client)));
}

static void resolve_waiting(struct browsing *b)
{
    struct service *s;

    TAILQ_FOREACH(s, &b->services, next)
    {
        if (b->asked_count >= ASKED_MAX)
            return;
        if (s->state == SERVICE_WAITING)
            resolve(s);
    }
}

/* ---- the thread: the daemon ---- */

static struct service *find_service(const struct browsing *b, AvahiIfIndex interface,
                                    AvahiProtocol protocol, const char *name)
{
    struct service *s;

    TAILQ_FOREACH(s, &b->services, next)
    {
        if (s->interface == interface && s->protocol == protocol && strcmp(s->name, name) == 0)
            return s;
    }
    return NULL;
}

static void add_service(struct browsing *b, AvahiIfIndex interface, AvahiProtocol protocol,
                        const char *name, const char *type, const char *domain)
{
    struct service *s;

    if (find_service(b, interface, protocol, name))
        return;
    if (b->services_count == SERVICES_MAX) {
        tell_gone(TAILQ_FIRST(&b->services));
        drop_service(TAILQ_FIRST(&b->services));
    }
    s = xnew(struct service, 1);
    s->browsing = b;
    s->interface = interface;
    s->protocol = protocol;
    s->name = memory_copy_text(name);
    s->type = memory_copy_text(type);
    s->domain = memory_copy_text(domain);
    TAILQ_INSERT_TAIL(&b->services, s, next);
    b->services_count++;
    resolve_waiting(b);
}

static void on_service(AvahiServiceBrowser *browser, AvahiIfIndex interface, AvahiProtocol protocol,
                       AvahiBrowserEvent event, const char *name, const char *type,
                       const char *domain, AvahiLookupResultFlags flags, void *user)
{
    struct browsing *b = user;
    struct service *s;

    (void) browser, (void) flags;
    switch (event) {
    case AVAHI_BROWSER_NEW:
        add_service(b, interface, protocol, name, type, domain);
        return;
    case AVAHI_BROWSER_REMOVE:
        s = find_service(b, interface, protocol, name);
        if (!s)
            return;
        tell_gone(s);
        drop_service(s);
        resolve_waiting(b);
        return;
    case AVAHI_BROWSER_FAILURE:
        b->is_broken = true;
        return;
    case AVAHI_BROWSER_ALL_FOR_NOW:
    case AVAHI_BROWSER_CACHE_EXHAUSTED:
        return;
    }
}

static void browse(struct browsing *b)
{
    if (b->browser)
        return;
    b->browser = avahi_service_browser_new(b->client, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC,
                                           SERVICE_TYPE, /* domain= */ NULL, 0, on_service, b);
    if (!b->browser) {
        b->is_broken = true;
        return;
    }
    b->has_told_absence = false;
    log_info("mdns.browsing", "type=" SERVICE_TYPE);
}

static void tell_absence(struct browsing *b, const char *detail)
{
    if (b->has_told_absence)
        return;
    b->has_told_absence = true;
    log_info("mdns.unavailable",
             "detail=\"%s\" proxies are not found by themselves until avahi-daemon is there; all "
             "else works",
             detail);
}

static void on_client(AvahiClient *client, AvahiClientState state, void *user)
{
    struct browsing *b = user;

    b->client = client; /* this may be called before the constructor returns */
    switch (state) {
    case AVAHI_CLIENT_S_RUNNING:
    case AVAHI_CLIENT_S_REGISTERING:
    case AVAHI_CLIENT_S_COLLISION:
        browse(b);
        return;
    case AVAHI_CLIENT_CONNECTING:
        tell_absence(b, "avahi-daemon does not run");
        return;
    case AVAHI_CLIENT_FAILURE:
        b->is_broken = true;
        return;
    }
}

/* The client frees its browsers and resolvers with itself. */
static void disconnect(struct browsing *b)
{
    while (!TAILQ_EMPTY(&b->services))
        drop_service(TAILQ_FIRST(&b->services));
    if (b->browser)
        (void) avahi_service_browser_free(TAKE(b->browser));
    if (b->client)
        avahi_client_free(TAKE(b->client));
    b->is_broken = false;
}

static void tell_lost(struct browsing *b)
{
    struct event *e = xnew(struct event, 1);

    e->kind = EVENT_LOST;
    post_put(b->post, e);
}

/* ---- the thread: its course ---- */

/* The loop's word makes avahi_simple_poll_iterate() return; who called it looks whether to end. */
static void on_word(AvahiWatch *watch, int descriptor, AvahiWatchEvent event, void *user)
{
    uint64_t count;

    (void) watch, (void) event, (void) user;
    (void) !read(descriptor, &count, sizeof count);
}

static void wait_for(struct browsing *b, usec_t span)
{
    usec_t end = clock_now() + span;

    for (usec_t now; !post_is_closed(b->post) && (now = clock_now()) < end;)
        (void) avahi_simple_poll_iterate(b->poll, (int) ((end - now) / USEC_PER_MSEC) + 1);
}

/* One life of a client, from its beginning to its end. False: there was none. */
static bool live(struct browsing *b)
{
    int error = 0;

    b->client = avahi_client_new(avahi_simple_poll_get(b->poll), AVAHI_CLIENT_NO_FAIL, on_client, b,
                                 &error);
    if (!b->client) {
        tell_absence(b, avahi_strerror(error));
        return false;
    }
    while (!b->is_broken && !post_is_closed(b->post)) {
        if (avahi_simple_poll_iterate(b->poll, /* for ever= */ -1) != 0)
            b->is_broken = true;
    }
    if (b->is_broken)
        tell_absence(b, avahi_strerror(avahi_client_errno(b->client)));
    disconnect(b);
    tell_lost(b);
    return true;
}

static void *run(void *argument)
{
    struct browsing b = {.post = argument};
    const AvahiPoll *api;
    AvahiWatch *word;
    usec_t delay = BROWSER_RETRY_FIRST;

    TAILQ_INIT(&b.services);
    b.poll = avahi_simple_poll_new();
    if (!b.poll)
        abort(); /* no descriptor or no memory for the program's own threads */
    api = avahi_simple_poll_get(b.poll);
    word = api->watch_new(api, b.post->wake_thread, AVAHI_WATCH_IN, on_word, NULL);
    while (!post_is_closed(b.post)) {
        if (live(&b))
            delay = BROWSER_RETRY_FIRST;
        wait_for(&b, delay);
        delay = clock_earlier(2 * delay, BROWSER_RETRY_MAX);
    }
    api->watch_free(word);
    avahi_simple_poll_free(b.poll);
    post_drop(b.post);
    return NULL;
}

/* ---- the loop's side ---- */

static void deliver(const struct browser *b, const struct event *e)
{
    switch (e->kind) {
    case EVENT_SEEN:
        b->callbacks.on_seen(b->callbacks.user, &e->facts, &e->sighting);
        return;
    case EVENT_GONE:
        b->callbacks.on_gone(b->callbacks.user, e->facts.name, e->sighting.interface,
                             e->sighting.is_v6);
        return;
    case EVENT_LOST:
        b->callbacks.on_lost(b->callbacks.user);
        return;
    }
}

/* A callback may stop the browser: what was taken then goes untold. */
static void on_wake(uv_async_t *handle)
{
    struct browser *b = handle->data;
    struct events events;
    struct event *e;

    if (!b->post)
        return;
    post_take(b->post, &events);
    STAILQ_FOREACH(e, &events, next)
    {
        if (b->post)
            deliver(b, e);
    }
    free_events(&events);
}

static void start_thread(struct post *p)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int rc;

    (void) pthread_attr_init(&attributes);
    (void) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    p->holders++; /* nobody else knows it yet */
    rc = pthread_create(&thread, &attributes, run, p);
    (void) pthread_attr_destroy(&attributes);
    if (rc == 0)
        return;
    p->holders--;
    log_warning("mdns.unavailable", "detail=\"%s\" no thread, ignoring", strerror(rc));
}

struct browser *browser_start(struct uv_loop_s *loop, const struct browser_callbacks *callbacks)
{
    struct browser *b = xnew(struct browser, 1);

    if (uv_async_init(loop, &b->wake, on_wake) < 0)
        abort(); /* no descriptor for the program's own loop: it cannot start */
    b->wake.data = b;
    b->callbacks = *callbacks;
    b->post = post_new(&b->wake);
    start_thread(b->post);
    return b;
}

static void on_handle_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void browser_stop(struct browser *b)
{
    struct post *p;
    uint64_t one = 1;

    if (!b)
        return;
    p = TAKE(b->post);
    pthread_mutex_lock(&p->lock);
    p->is_closed = true;
    pthread_cond_signal(&p->has_room);
    pthread_mutex_unlock(&p->lock);
    (void) !write(p->wake_thread, &one, sizeof one);
    post_drop(p);
    uv_close((uv_handle_t *) &b->wake, on_handle_closed);
}
