/* The story: all sources stand in an epoll set of their own, and the loop watches that set. When
 * something came, a turn begins: one look at the set tells all that can be read, and it is read.
 * Then the watching rests and a timer begins the next turn. A turn that finds nothing ends the
 * stream: the timer stops and the loop watches the set again.
 *
 * Failure modes: a source that always has more is left after its share and gets the next one in the
 * next turn of the loop, which comes at once then; all others are read in between. A source that is
 * removed in the middle of a turn is struck off what the turn still has to do. */
#include "intake.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#include "base/memory.h"

#define READY_FIRST 16

struct intake {
    int set; /* of epoll */
    uv_poll_t watch;
    uv_timer_t timer; /* active: the watch rests */
    size_t sources;
    struct epoll_event *ready; /* of this turn */
    size_t ready_count, ready_capacity;
    unsigned handles; /* of the two, while they are being closed */
    void (*on_closed)(void *user);
    void *closed_user;
};

static void on_readable(uv_poll_t *watch, int status, int events);

/* Reads all that can be read now. True: a source has more. */
static bool read_sources(struct intake *i)
{
    int count = epoll_wait(i->set, i->ready, (int) i->ready_capacity, 0);
    bool has_more = false;

    i->ready_count = count > 0 ? (size_t) count : 0;
    for (size_t n = 0; n < i->ready_count; n++) {
        struct intake_source *source = i->ready[n].data.ptr;

        if (source && source->read(source->user))
            has_more = true;
    }
    return has_more;
}

static void on_timer(uv_timer_t *timer);

/* A turn, and what begins the next one. */
static void take_turn(struct intake *i)
{
    bool has_more = read_sources(i), found_nothing = i->ready_count == 0;

    i->ready_count = 0;
    if (found_nothing)
        (void) uv_poll_start(&i->watch, UV_READABLE,
                             on_readable); /* fails for closing ones alone */
    else
        (void) uv_timer_start(&i->timer, on_timer, has_more ? 0 : INTAKE_INTERVAL / USEC_PER_MSEC,
                              0);
}

static void on_timer(uv_timer_t *timer)
{
    take_turn(timer->data);
}

static void on_readable(uv_poll_t *watch, int status, int events)
{
    (void) status; /* the set itself does not fail */
    (void) events;
    (void) uv_poll_stop(watch);
    take_turn(watch->data);
}

struct intake *intake_new(struct uv_loop_s *loop)
{
    struct intake *i = xnew(struct intake, 1);

    i->set = epoll_create1(EPOLL_CLOEXEC);
    if (i->set < 0 || uv_poll_init(loop, &i->watch, i->set) < 0) {
        if (i->set >= 0)
            (void) close(i->set);
        free(i);
        return NULL;
    }
    (void) uv_timer_init(loop, &i->timer); /* cannot fail */
    i->watch.data = i->timer.data = i;
    i->ready_capacity = READY_FIRST;
    i->ready = xnew(struct epoll_event, READY_FIRST);
    (void) uv_poll_start(&i->watch, UV_READABLE, on_readable);
    return i;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct intake *i = handle->data;

    if (--i->handles > 0)
        return;
    i->on_closed(i->closed_user);
    (void) close(i->set);
    free(i->ready);
    free(i);
}

void intake_close(struct intake *i, void (*on_closed)(void *user), void *user)
{
    assert(i->sources == 0);
    i->on_closed = on_closed;
    i->closed_user = user;
    i->handles = 2;
    uv_close((uv_handle_t *) &i->watch, on_handle_closed);
    uv_close((uv_handle_t *) &i->timer, on_handle_closed);
}

/* A turn sees all sources, however many. */
static void make_room(struct intake *i)
{
    if (i->sources < i->ready_capacity)
        return;
    i->ready_capacity *= 2;
    i->ready = memory_resize(i->ready, i->ready_capacity, sizeof *i->ready);
}

bool intake_add(struct intake *i, struct intake_source *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

    make_room(i);
    if (epoll_ctl(i->set, EPOLL_CTL_ADD, source->fd, &event) < 0)
        return false;
    i->sources++;
    return true;
}

void intake_remove(struct intake *i, struct intake_source *source)
{
    (void) epoll_ctl(i->set, EPOLL_CTL_DEL, source->fd, NULL);
    for (size_t n = 0; n < i->ready_count; n++) {
        if (i->ready[n].data.ptr == source)
            i->ready[n].data.ptr = NULL;
    }
    i->sources--;
}
