#include "fleet.h"

#include <stdlib.h>
#include <uv.h>

#include "base/memory.h"
#include "proxy/intake.h"

#define RATE_SECONDS 10

struct member {
    struct proxy *proxy;
    uint64_t counted;               /* advertisements at the last tick */
    uint32_t seconds[RATE_SECONDS]; /* what came in each of them */
};

struct fleet {
    struct resolver *resolver;
    struct intake *intake; /* NULL: the kernel gave none */
    uv_timer_t tick;
    unsigned ticks;
    size_t count;
    size_t open; /* proxies not closed yet */
    void (*on_closed)(void *user);
    void *user;
    struct member members[];
};

static void on_tick(uv_timer_t *timer)
{
    struct fleet *f = timer->data;
    unsigned slot = f->ticks++ % RATE_SECONDS;

    for (size_t i = 0; i < f->count; i++) {
        struct member *m = &f->members[i];
        struct proxy_status status;

        proxy_get_status(m->proxy, &status);
        m->seconds[slot] = (uint32_t) (status.advertisements - m->counted);
        m->counted = status.advertisements;
    }
}

struct fleet *fleet_new(struct uv_loop_s *loop, const struct proxy_settings *settings, size_t count,
                        const struct proxy_callbacks *callbacks)
{
    struct fleet *f = memory_zalloc(1, sizeof *f + count * sizeof f->members[0]);

    f->resolver = resolver_new(loop);
    f->intake = intake_new(loop);
    f->count = f->open = count;
    (void) uv_timer_init(loop, &f->tick); /* cannot fail, nor can the start */
    f->tick.data = f;
    (void) uv_timer_start(&f->tick, on_tick, 1000, 1000);
    for (size_t i = 0; i < count; i++)
        f->members[i].proxy = proxy_new(loop, f->resolver, f->intake, &settings[i], callbacks);
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

    if (--f->open == 0)
        resolver_close(f->resolver, on_resolver_closed, f);
}

void fleet_close(struct fleet *f, void (*on_closed)(void *user), void *user)
{
    f->on_closed = on_closed;
    f->user = user;
    (void) uv_timer_stop(&f->tick);
    if (f->count == 0)
        resolver_close(f->resolver, on_resolver_closed, f);
    for (size_t i = 0; i < f->count; i++)
        proxy_close(f->members[i].proxy, on_proxy_closed, f);
}

struct proxy *fleet_get(const struct fleet *f, size_t index)
{
    return f->members[index].proxy;
}

double fleet_rate(const struct fleet *f, size_t index)
{
    unsigned filled = f->ticks < RATE_SECONDS ? f->ticks : RATE_SECONDS;
    double sum = 0;

    for (unsigned i = 0; i < filled; i++)
        sum += f->members[index].seconds[i];
    return filled ? sum / filled : 0;
}

void fleet_get_resolver_statistics(const struct fleet *f,
                                   struct resolver_statistics *ret_statistics)
{
    resolver_get_statistics(f->resolver, ret_statistics);
}
