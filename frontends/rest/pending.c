#include "pending.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

struct pendings {
    size_t count, capacity;
    struct pending *first;
    const struct rest_request *submitting;                       /* NULL: none */
    void (*on_finish)(void *user, struct rest_request *request); /* NULL: nobody */
    void *user;
};

static void detach(struct pending *pending)
{
    struct pendings *s = pending->set;

    if (pending->previous)
        pending->previous->next = pending->next;
    else
        s->first = pending->next;
    if (pending->next)
        pending->next->previous = pending->previous;
    s->count--;
}

struct pendings *pendings_new(size_t capacity)
{
    struct pendings *s = xnew(struct pendings, 1);

    s->capacity = capacity;
    return s;
}

void pendings_free(struct pendings *s)
{
    if (!s)
        return;
    assert(s->count == 0);
    free(s);
}

bool pendings_are_full(const struct pendings *s)
{
    return s->count == s->capacity;
}

void pendings_on_finish(struct pendings *s,
                        void (*on_finish)(void *user, struct rest_request *request), void *user)
{
    s->on_finish = on_finish;
    s->user = user;
}

int pendings_add(struct pendings *s, struct pending *pending, struct rest_request *request,
                 void (*release)(struct pending *pending))
{
    assert(!request->pending);
    if (pendings_are_full(s))
        return E_OVERLOADED;
    *pending = (struct pending){.request = request, .next = s->first, .set = s, .release = release};
    if (s->first)
        s->first->previous = pending;
    s->first = pending;
    s->count++;
    request->pending = pending;
    return 0;
}

void pending_finish(struct pending *pending)
{
    struct rest_request *request = pending->request;
    struct pendings *s = pending->set;

    assert(request != s->submitting);
    detach(pending);
    request->pending = NULL;
    pending->release(pending);
    if (s->on_finish)
        s->on_finish(s->user, request);
    request->done(request);
}

void pending_cancel(struct pending *pending, int cause)
{
    rest_refuse(&pending->request->answer, 503, cause, NULL);
    pending_finish(pending);
}

void pendings_cancel_all(struct pendings *s, int cause)
{
    while (s->first)
        pending_cancel(s->first, cause);
}

void pendings_submitting(struct pendings *s, const struct rest_request *request)
{
    s->submitting = request;
}
