/* The story: the events are listened to from the beginning, so that no value is missed. The first
 * subscription opens the link and makes the lease, the others follow it, one after the other. When
 * all are there the request is answered with a stream that gives what the events give. When that is
 * freed, the lease is released. A link that drops is opened again, subscriptions included.
 *
 * Failure modes: a subscription that fails answers with a problem, and what was made by then is
 * released. A lease that ends (somebody closed the link for everybody) ends the stream, after what
 * was told of it: a browser then comes again, and subscribes anew. */
#include "value_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/gatt_problem.h"
#include "rest/pending.h"

#define LAST_WORDS (200 * USEC_PER_MSEC) /* for the events of the end, which are told in a turn */

struct holder {                  /* of the lease; the stream of the answer */
    struct answer_stream stream; /* first: a stream leads back here */
    struct gateway *gateway;     /* borrowed */
    struct answer_stream *events;
    struct gateway_subscription *changes;
    struct gateway_timer *timer; /* NULL: its lease lives */
    uint64_t address;
    char *lease; /* NULL: none yet, or it has ended */
    bool is_over;
};

struct value_stream {
    struct pending pending;
    struct gateway *gateway; /* borrowed */
    struct holder *holder;   /* NULL: it went into the answer */
    struct gateway_gatt_request *gatt_request;
    struct gateway_gatt_wish wish; /* its texts are ours */
    struct attribute targets[VALUE_STREAM_TARGETS_MAX];
    size_t targets_count, granted;
};

/* ---- the stream ---- */

static struct holder *holder_of(struct answer_stream *stream)
{
    return CONTAINER_OF(stream, struct holder, stream);
}

static ptrdiff_t on_read(struct answer_stream *stream, void *buffer, size_t capacity)
{
    struct holder *h = holder_of(stream);
    ptrdiff_t size;

    h->events->on_wake = stream->on_wake;
    h->events->on_stalled = stream->on_stalled;
    h->events->user = stream->user;
    size = h->events->read(h->events, buffer, capacity);
    return size == 0 && h->is_over ? ANSWER_STREAM_END : size;
}

static void free_holder(struct holder *h)
{
    gateway_unsubscribe(h->changes);
    gateway_timer_stop(h->timer);
    h->events->free(h->events);
    if (h->lease)
        (void) gateway_disconnect(h->gateway, h->address, h->lease);
    free(h->lease);
    free(h);
}

static void on_free(struct answer_stream *stream)
{
    free_holder(holder_of(stream));
}

static void on_end(void *user)
{
    struct holder *h = user;

    h->timer = NULL;
    h->is_over = true;
    if (h->stream.on_wake)
        h->stream.on_wake(h->stream.user);
}

static void on_lease_ended(void *user, uint64_t address, const char *lease)
{
    struct holder *h = user;

    if (!h->lease || address != h->address || strcmp(lease, h->lease) != 0)
        return;
    free(TAKE(h->lease));
    h->timer = gateway_timer_start(h->gateway, LAST_WORDS, on_end, h);
}

static struct holder *make_holder(struct gateway *g, uint64_t address, struct answer_stream *events)
{
    struct holder *h = xnew(struct holder, 1);
    const struct gateway_subscriber subscriber = {.on_lease_ended = on_lease_ended, .user = h};

    h->stream.read = on_read;
    h->stream.free = on_free;
    h->gateway = g;
    h->address = address;
    h->events = events;
    h->changes = gateway_subscribe(g, &subscriber);
    return h;
}

/* ---- subscribing ---- */

static void free_wait(struct value_stream *s)
{
    if (s->gatt_request)
        gateway_gatt_cancel(s->gateway, s->gatt_request);
    if (s->holder)
        free_holder(s->holder);
    free((char *) s->wish.type);
    free((char *) s->wish.link.client);
    free(s);
}

static void release(struct pending *pending)
{
    free_wait(CONTAINER_OF(pending, struct value_stream, pending));
}

static void on_answer(void *user, const struct gateway_gatt_answer *answer);

static int ask_for_next(struct value_stream *s)
{
    const struct attribute *target = &s->targets[s->granted];

    s->wish.has_handle = target->has_handle;
    s->wish.handle = target->handle;
    s->wish.uuid = target->uuid;
    s->wish.link.renew = s->holder->lease;
    return gateway_gatt_submit(s->gateway, &s->wish, on_answer, s, &s->gatt_request);
}

static void finish_with(struct value_stream *s, const struct gateway_gatt_answer *answer)
{
    const struct gatt_problem_place place = {.address = s->wish.link.address, .pointer = ""};

    gatt_problem_answer(s->gateway, &place, answer, &s->pending.request->answer);
    pending_finish(&s->pending);
}

static void hand_over(struct value_stream *s)
{
    struct answer *answer = &s->pending.request->answer;

    answer_set_stream(answer, &TAKE(s->holder)->stream);
    pending_finish(&s->pending);
}

/* The first subscription made the lease; it may be over by now. */
static void on_answer(void *user, const struct gateway_gatt_answer *answer)
{
    struct value_stream *s = user;
    struct gateway_gatt_answer refused = {0};

    s->gatt_request = NULL;
    if (answer->code) {
        finish_with(s, answer);
        return;
    }
    if (s->granted++ == 0)
        s->holder->lease = memory_copy_text(answer->lease);
    if (s->granted == s->targets_count) {
        hand_over(s);
        return;
    }
    refused.code = s->holder->lease ? ask_for_next(s) : E_DISCONNECTED;
    if (refused.code)
        finish_with(s, &refused);
}

static struct value_stream *make(const struct value_stream_setup *setup,
                                 const struct gateway_gatt_wish *wish)
{
    struct value_stream *s = xnew(struct value_stream, 1);

    s->gateway = setup->gateway;
    s->holder = make_holder(setup->gateway, wish->link.address, setup->events);
    s->wish = *wish;
    s->wish.verb = GATEWAY_GATT_SUBSCRIBE;
    s->wish.type = memory_copy_text(wish->type);
    s->wish.link.client = memory_copy_text(wish->link.client);
    s->wish.link.purpose = "notifications";
    s->wish.link.lease = USEC_NEVER;
    s->wish.link.is_auto_reconnect = true;
    s->targets_count = setup->targets_count;
    memcpy(s->targets, setup->targets, setup->targets_count * sizeof s->targets[0]);
    return s;
}

int value_stream_begin(const struct value_stream_setup *setup, const struct gateway_gatt_wish *wish)
{
    const struct gatt_problem_place place = {.address = wish->link.address, .pointer = ""};
    struct value_stream *s = make(setup, wish);
    int rc = E_OVERLOADED;

    if (!pendings_are_full(setup->pendings))
        rc = ask_for_next(s);
    if (rc == 0)
        return pendings_add(setup->pendings, &s->pending, setup->request, release);
    gatt_problem_refuse(setup->gateway, &place, rc, &setup->request->answer);
    free_wait(s);
    return REST_ANSWERED;
}
