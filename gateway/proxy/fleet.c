#include "fleet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/memory.h"
#include "proxy/intake.h"

#define RATE_SECONDS 10

struct member {
    struct proxy *proxy;
    unsigned ticks;                 /* since it came */
    uint64_t counted;               /* advertisements at the last tick */
    uint32_t seconds[RATE_SECONDS]; /* what came in each of them */
};

struct fleet {
    uv_loop_t *loop;
    struct proxy_callbacks callbacks;
    struct resolver *resolver;
    struct intake *intake; /* NULL: the kernel gave none */
    uv_timer_t tick;
    size_t open;     /* proxies not closed yet, the removed ones among them */
    bool is_closing; /* and nothing is left to be waited for when open is 0 */
    void (*on_closed)(void *user);
    void *user;
    size_t end;                               /* above all members */
    struct member members[FLEET_SOURCES_MAX]; /* without a proxy: none */
};

static void count_second(struct member *m)
{
    struct proxy_status status;

    proxy_get_status(m->proxy, &status);
    m->seconds[m->ticks++ % RATE_SECONDS] = (uint32_t) (status.advertisements - m->counted);
    m->counted = status.advertisements;
}

static void on_tick(uv_timer_t *timer)
{
    struct fleet *f = timer->data;

    for (size_t i = 0; i < f->end; i++) {
        if (f->members[i].proxy)
            count_second(&f->members[i]);
    }
}

struct fleet *fleet_new(struct uv_loop_s *loop, const struct proxy_callbacks *callbacks)
{
    struct fleet *f = xnew(struct fleet, 1);

    f->loop = loop;
    f->callbacks = *callbacks;
    f->resolver = resolver_new(loop);
    f->intake = intake_new(loop);
    (void) uv_timer_init(loop, &f->tick); /* cannot fail, nor can the start */
    f->tick.data = f;
    (void) uv_timer_start(&f->tick, on_tick, 1000, 1000);
    return f;
}

static void on_tick_closed(uv_handle_t *handle)
{
    struct fleet *f = handle->data;

    if (f->on_closed)
        f->on_closed(f->user);
    free(f);
}

static void on_intake_closed(void *user)
{
    struct fleet *f = user;

    uv_close((uv_handle_t *) &f->tick, on_tick_closed);
}

static void on_resolver_closed(void *user)
{
    struct fleet *f = user;

    if (f->intake)
        intake_close(f->intake, on_intake_closed, f);
    else
        on_intake_closed(f);
}

static void on_proxy_closed(void *user)
{
    struct fleet *f = user;

    if (--f->open == 0 && f->is_closing)
        resolver_close(f->resolver, on_resolver_closed, f);
}

static void close_member(struct fleet *f, size_t source)
{
    struct proxy *proxy = TAKE(f->members[source].proxy);

    proxy_close(proxy, on_proxy_closed, f);
}

void fleet_close(struct fleet *f, void (*on_closed)(void *user), void *user)
{
    f->on_closed = on_closed;
    f->user = user;
    f->is_closing = true;
    (void) uv_timer_stop(&f->tick);
    if (f->open == 0)
        resolver_close(f->resolver, on_resolver_closed, f);
    for (size_t i = 0; i < f->end; i++) {
        if (f->members[i].proxy)
            close_member(f, i);
    }
}

/* It begins when it can be found: what it does is called back at once. */
void fleet_add(struct fleet *f, const struct proxy_settings *settings)
{
    struct member *m = &f->members[settings->source];
    struct proxy_settings asleep = *settings;

    assert(settings->source < FLEET_SOURCES_MAX && !m->proxy);
    *m = (struct member){0};
    if (f->end <= settings->source)
        f->end = settings->source + (size_t) 1;
    f->open++;
    asleep.is_enabled = false;
    m->proxy = proxy_new(f->loop, f->resolver, f->intake, &asleep, &f->callbacks);
    explicit_bzero(&asleep, sizeof asleep);
    if (settings->is_enabled)
        proxy_change(m->proxy, settings);
}

void fleet_change(struct fleet *f, const struct proxy_settings *settings)
{
    proxy_change(f->members[settings->source].proxy, settings);
}

void fleet_remove(struct fleet *f, uint16_t source)
{
    proxy_silence(f->members[source].proxy);
    close_member(f, source);
}

struct proxy *fleet_get(const struct fleet *f, size_t source)
{
    return source < f->end ? f->members[source].proxy : NULL;
}

double fleet_rate(const struct fleet *f, size_t source)
{
    const struct member *m = &f->members[source];
    unsigned filled = source >= f->end || !m->proxy ? 0
                      : m->ticks < RATE_SECONDS     ? m->ticks
                                                    : RATE_SECONDS;
    double sum = 0;

    for (unsigned i = 0; i < filled; i++)
        sum += m->seconds[i];
    return filled ? sum / filled : 0;
}

struct proxy *fleet_next(const struct fleet *f, size_t *position)
{
    while (*position < f->end) {
        const struct member *m = &f->members[(*position)++];

        if (m->proxy)
            return m->proxy;
    }
    return NULL;
}

void fleet_set_book(struct fleet *f, resolver_book_fn *book, void *user)
{
    resolver_set_book(f->resolver, book, user);
}

void fleet_get_resolver_statistics(const struct fleet *f,
                                   struct resolver_statistics *ret_statistics)
{
    resolver_get_statistics(f->resolver, ret_statistics);
}
