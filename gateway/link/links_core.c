/* What everything else leans on: finding, telling, and putting things into their place. The due
 * times of all links stand in one heap; whoever changes a link says so by links_core_touch(). */
#include "links_core.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

#define PAST_KEPT      (600 * USEC_PER_SEC)
#define REOPEN_FIRST   (1 * USEC_PER_SEC)
#define REOPEN_LONGEST (60 * USEC_PER_SEC)

/* The phases that may follow each. */
static const unsigned may_become[] = {
        [LINK_PHASE_IDLE] = 1u << LINK_PHASE_QUEUED,
        [LINK_PHASE_QUEUED] = 1u << LINK_PHASE_CONNECTING | 1u << LINK_PHASE_IDLE,
        [LINK_PHASE_CONNECTING] =
                1u << LINK_PHASE_CONNECTED | 1u << LINK_PHASE_QUEUED | 1u << LINK_PHASE_IDLE,
        [LINK_PHASE_CONNECTED] = 1u << LINK_PHASE_DISCONNECTING | 1u << LINK_PHASE_IDLE,
        [LINK_PHASE_DISCONNECTING] = 1u << LINK_PHASE_IDLE,
};

void links_core_set_now(struct links *l, usec_t now)
{
    if (now > l->now)
        l->now = now;
}

struct proxy_state *links_core_proxy(const struct links *l, uint16_t source)
{
    return source < l->proxies_count ? &l->proxies[source] : NULL;
}

bool links_core_is_online(const struct links *l, uint16_t source)
{
    const struct proxy_state *proxy = links_core_proxy(l, source);

    return proxy && proxy->is_online;
}

struct link *links_core_find(const struct links *l, uint64_t address)
{
    return map_find(l->by_address, address);
}

struct link *links_core_obtain(struct links *l, uint64_t address)
{
    struct link *link = links_core_find(l, address);

    if (link)
        return link;
    link = link_new(address);
    link->since = l->now;
    map_put(l->by_address, address, link);
    return link;
}

static void count_past(struct links *l, struct link *link)
{
    if (link_is_alive(link) == (link->forget_at == 0))
        return;
    if (link->forget_at) {
        link->forget_at = 0;
        l->past_count--;
        return;
    }
    link->forget_at = attempts_count(&link->attempts) ? l->now + PAST_KEPT : l->now;
    l->past_count++;
}

void links_core_touch(struct links *l, struct link *link)
{
    usec_t due;

    count_past(l, link);
    due = link_due(link);
    if (due == USEC_NEVER)
        heap_remove(&l->due, &link->node);
    else
        heap_set(&l->due, &link->node, due);
}

void links_core_set_phase(struct links *l, struct link *link, enum link_phase phase)
{
    assert(may_become[link->phase] & 1u << phase);
    link->phase = phase;
    link->since = l->now;
}

void links_core_tell(struct links *l, const struct link *link, enum link_event_kind kind, int code,
                     const int32_t *reason)
{
    struct link_event event = {
            .kind = kind,
            .time = l->now,
            .address = link->address,
            .source = link->source,
            .code = code,
            .has_reason = reason != NULL,
            .reason = reason ? *reason : 0,
    };

    l->house.on_event(l->house.user, &event);
}

int links_core_command(struct links *l, uint16_t source, uint64_t address,
                       enum device_request_type type)
{
    struct message message = {
            .type = MESSAGE_DEVICE_REQUEST,
            .device_request = {.address = address,
                               .request_type = type,
                               .has_address_type = true,
                               .address_type = l->house.address_type(l->house.user, address)},
    };

    return l->house.send(l->house.user, source, &message);
}

/* Links that nobody but the house wants are opened with these; they wait as long as it takes. */
static struct link_wish standing_wish(const struct link *link)
{
    const struct lease *lease = leases_find_auto(&link->leases);

    return (struct link_wish){
            .address = link->address,
            .timeout = USEC_NEVER,
            .attempt_timeout = 20 * USEC_PER_SEC,
            .attempts = 4,
            .source = lease && !link->is_kept ? lease->source : LINK_NO_SOURCE,
            .use_cache = true,
    };
}

void links_core_lead(struct links *l, struct link *link, const struct link_request *leader)
{
    struct opening *opening = link->opening;

    opening->is_led = leader != NULL;
    opening->wish = leader ? leader->wish : standing_wish(link);
    opening->wish.client = opening->wish.purpose = opening->wish.renew = NULL;
    opening->priority = opening->wish.priority;
    opening->retry.max = opening->wish.attempts;
    if (link->phase == LINK_PHASE_QUEUED)
        line_put(&l->line, link);
    l->has_news = true;
}

void links_core_open(struct links *l, struct link *link, const struct link_request *leader)
{
    links_core_set_phase(l, link, LINK_PHASE_QUEUED);
    link->opening = xnew(struct opening, 1);
    link->opening->order = l->orders++;
    link->opening->decide_at = USEC_NEVER;
    link->opening->awaited = LINK_NO_SOURCE;
    link->source = LINK_NO_SOURCE;
    link->reopen_at = USEC_NEVER;
    link->waits_for_route = false;
    links_core_lead(l, link, leader);
}

/* 1, 2, 4 ... 60 s, so that a device that never answers costs little. */
static void rest_until_later(struct links *l, struct link *link)
{
    usec_t pause = 2 * link->reopen_pause;

    if (pause < REOPEN_FIRST)
        pause = REOPEN_FIRST;
    link->reopen_pause = pause < REOPEN_LONGEST ? pause : REOPEN_LONGEST;
    link->reopen_at = l->now + link->reopen_pause;
}

/* Nobody opened it anew: it was lost like any other. */
static void give_up_reopening(struct links *l, struct link *link)
{
    if (link->is_reopening && leases_drop_fleeting(&link->leases))
        links_core_tell(l, link, LINK_EVENT_LEASES, 0, NULL);
    link->is_reopening = false;
}

void links_core_rest(struct links *l, struct link *link)
{
    assert(link->phase == LINK_PHASE_IDLE);
    link->source = LINK_NO_SOURCE;
    if (!link->waiting)
        give_up_reopening(l, link);
    if (link->waiting)
        links_core_open(l, link, link->waiting);
    else if (link_is_wanted(link))
        rest_until_later(l, link);
}

void links_core_answer_alone(struct links *l, struct link_request *request, int code)
{
    request->state = REQUEST_ANSWERED;
    request->answer.code = code;
    request->next = NULL;
    *l->answered_end = request;
    l->answered_end = &request->next;
}

/* For who leaves while an attempt goes on, it is over. */
static void conclude(struct link_attempt *attempt, int code, usec_t now)
{
    if (attempt->is_over)
        return;
    attempt->is_over = true;
    attempt->duration = now - attempt->started;
    attempt->end = code == E_CONNECT_TIMEOUT ? ATTEMPT_TIMED_OUT : ATTEMPT_CANCELLED;
    attempt->code = code;
}

/* What the request is told of its attempts is fixed when it ends. */
static void prepare(const struct links *l, const struct link *link, struct link_request *request,
                    int code, const int32_t *reason)
{
    struct link_answer *answer = &request->answer;
    struct link_attempt *attempts;

    answer->code = code;
    answer->has_reason = reason != NULL;
    answer->reason = reason ? *reason : 0;
    attempts =
            attempts_copy_since(&link->attempts, request->first_attempt, &answer->attempts_count);
    if (attempts)
        conclude(&attempts[answer->attempts_count - 1], code, l->now);
    answer->attempts = attempts;
    if (code == 0)
        answer->source = link->source;
}

void links_core_answer(struct links *l, struct link *link, struct link_request *request, int code,
                       const int32_t *reason)
{
    request_take(&link->waiting, request);
    prepare(l, link, request, code, reason);
    links_core_answer_alone(l, request, code);
}

void links_core_answer_after(struct links *l, struct link *link, struct link_request *request,
                             int code, const int32_t *reason, uint16_t source)
{
    if (!link_find_goodbye(link, source)) {
        links_core_answer(l, link, request, code, reason);
        return;
    }
    request_take(&link->waiting, request);
    prepare(l, link, request, code, reason);
    request->state = REQUEST_FAILING;
    request->awaited = source;
    request->due = l->now + LINK_SLOT_PATIENCE;
    request_append(&link->failing, request);
}

void links_core_answer_now(struct links *l, struct link *link, struct link_request *request)
{
    request_take(&link->failing, request);
    links_core_answer_alone(l, request, request->answer.code);
}
