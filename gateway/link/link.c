/* The parts of a link and how long each of them waits; what happens to them stands in opening.c and
 * tenure.c. */
#include "link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

usec_t link_later(usec_t moment, usec_t span)
{
    return span > USEC_NEVER - moment ? USEC_NEVER : moment + span;
}

struct link *link_new(uint64_t address)
{
    struct link *link = xnew(struct link, 1);

    link->address = address;
    link->source = LINK_NO_SOURCE;
    link->reopen_at = USEC_NEVER;
    return link;
}

void link_free(struct link *link)
{
    assert(!link->waiting && !link->failing);
    while (link->goodbyes)
        link_remove_goodbye(link, link->goodbyes);
    leases_done(&link->leases);
    attempts_done(&link->attempts);
    free(link->opening);
    free(link);
}

bool link_is_wanted(const struct link *link)
{
    return link->is_kept || leases_find_auto(&link->leases);
}

bool link_is_alive(const struct link *link)
{
    return link->phase != LINK_PHASE_IDLE || link->waiting || link->failing || link->goodbyes ||
           link->leases.count > 0 || link->is_kept;
}

usec_t link_slotless_until(const struct link *link, const struct link_request *request)
{
    usec_t since = link->opening->slotless_since;

    if (request->arrived > since)
        since = request->arrived;
    return link_later(since, request->wish.queue_for);
}

static usec_t requests_due(const struct link *link)
{
    bool is_slotless = link->phase == LINK_PHASE_QUEUED && link->opening->is_slotless;
    usec_t due = USEC_NEVER;

    for (const struct link_request *r = link->failing; r; r = r->next)
        due = clock_earlier(due, r->due);
    for (const struct link_request *r = link->waiting; r; r = r->next) {
        due = clock_earlier(due, r->due);
        if (is_slotless)
            due = clock_earlier(due, link_slotless_until(link, r));
    }
    return due;
}

static usec_t phase_due(const struct link *link)
{
    switch (link->phase) {
    case LINK_PHASE_IDLE:
        return link_is_wanted(link) ? link->reopen_at : USEC_NEVER;
    case LINK_PHASE_QUEUED:
        return link->opening->decide_at;
    case LINK_PHASE_CONNECTING:
        return link->attempt_until;
    case LINK_PHASE_CONNECTED:
        return link->linger_until ? link->linger_until : USEC_NEVER;
    case LINK_PHASE_DISCONNECTING:
        return USEC_NEVER; /* its goodbye has a time */
    }
    abort();
}

usec_t link_due(const struct link *link)
{
    usec_t due = clock_earlier(requests_due(link), phase_due(link));

    for (const struct goodbye *g = link->goodbyes; g; g = g->next)
        due = clock_earlier(due, clock_earlier(g->until, g->send_again_at));
    due = clock_earlier(due, leases_first_end(&link->leases));
    return link_is_alive(link) ? due : clock_earlier(due, link->forget_at);
}

bool link_lingers(const struct link *link)
{
    return link->phase == LINK_PHASE_CONNECTED && link->linger_until;
}

usec_t link_expected_end(const struct link *link, usec_t linger)
{
    if (link->phase != LINK_PHASE_CONNECTED || link->is_kept || link->waiting)
        return USEC_NEVER;
    if (link->linger_until)
        return link->linger_until;
    return link_later(leases_last_end(&link->leases), linger);
}

struct goodbye *link_find_goodbye(const struct link *link, uint16_t source)
{
    for (struct goodbye *g = link->goodbyes; g; g = g->next)
        if (g->source == source)
            return g;
    return NULL;
}

void link_remove_goodbye(struct link *link, struct goodbye *goodbye)
{
    struct goodbye **at = &link->goodbyes;

    while (*at != goodbye)
        at = &(*at)->next;
    *at = goodbye->next;
    free(goodbye);
}

struct tried *opening_find_tried(struct opening *opening, uint16_t source)
{
    size_t count = opening->tried_count < LINK_TRIED_MAX ? opening->tried_count : LINK_TRIED_MAX;

    for (size_t i = 0; i < count; i++)
        if (opening->tried[i].source == source)
            return &opening->tried[i];
    return NULL;
}

static void opening_forget_source(struct opening *opening, uint16_t source)
{
    struct tried *tried = opening_find_tried(opening, source);

    if (tried)
        *tried = (struct tried){.source = LINK_NO_SOURCE};
    if (opening->awaited == source)
        opening->awaited = LINK_NO_SOURCE;
    if (opening->room_source == source)
        opening->room_until = 0;
}

void link_forget_source(struct link *link, uint16_t source)
{
    attempts_forget_source(&link->attempts, source);
    if (link->opening)
        opening_forget_source(link->opening, source);
    for (struct link_request *r = link->failing; r; r = r->next) {
        struct link_attempt *attempts = (struct link_attempt *) r->answer.attempts; /* ours */

        for (size_t i = 0; i < r->answer.attempts_count; i++)
            if (attempts[i].source == source)
                attempts[i].source = LINK_NO_SOURCE;
    }
}

void request_take(struct link_request **list, struct link_request *request)
{
    while (*list != request)
        list = &(*list)->next;
    *list = request->next;
    request->next = NULL;
}

void request_append(struct link_request **list, struct link_request *request)
{
    while (*list)
        list = &(*list)->next;
    *list = request;
    request->next = NULL;
}

struct link_request *request_new(const struct link_wish *wish, link_done_fn *done, void *user,
                                 usec_t now)
{
    struct link_request *request = xnew(struct link_request, 1);

    request->address = wish->address;
    request->wish = *wish;
    request->wish.client = leases_copy_text(wish->client);
    request->wish.purpose = leases_copy_text(wish->purpose);
    if (wish->renew) {
        snprintf(request->renew, sizeof(request->renew), "%s", wish->renew);
        request->wish.renew = request->renew;
    }
    request->arrived = now;
    request->due = link_later(now, wish->timeout);
    request->awaited = LINK_NO_SOURCE;
    request->answer.source = wish->source;
    request->done = done;
    request->user = user;
    return request;
}

void request_free(struct link_request *request)
{
    free((char *) request->wish.client);
    free((char *) request->wish.purpose);
    free((struct link_attempt *) request->answer.attempts);
    free(request);
}
