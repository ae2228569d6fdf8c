/* The story. A link stands in line; when something changed the router is asked with fresh facts,
 * and says who is to carry it. A slot is reserved, message 68 goes out, the proxy answers connected
 * and the link opens. If the attempt fails, the link goes back to its place in line, with the proxy
 * remembered: its pause is one of that proxy alone, any other may be tried at once. Where no
 * slot is free, a link that nobody holds any more, and that merely lingers, is closed for it.
 *
 * Failure modes. No answer in time: the proxy is told to disconnect, and who fails by that is
 * answered when the slot is back. The proxy refuses although a slot seemed free: what we believed
 * was wrong, so it counts as full until it has told its slots again. Nobody waits any more: the
 * attempt is given up. The opening fails: that is the answer for all who asked for the same; a
 * request that asked for something else leads an opening of its own. */
#include "opening.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "link/candidates.h"
#include "link/tenure.h"

#define RELEARN       (5 * USEC_PER_SEC)
#define TRY_AGAIN     USEC_PER_SEC
#define ROOM_PATIENCE (5 * USEC_PER_SEC) /* for a slot that is on its way */
#define MTU_MAX       517

bool opening_has_route(const struct links *l, const struct link *link)
{
    const struct lease *lease = leases_find_auto(&link->leases);
    struct candidates candidates;

    candidates_gather(l, link->address, lease && !link->is_kept ? lease->source : LINK_NO_SOURCE,
                      /* pairs= */ false, NULL, &candidates);
    return candidates_decide(l, &candidates, 0).step != ROUTE_REFUSED;
}

/* ---- the end of an opening ---- */

static void end(struct links *l, struct link *link, int code, const int32_t *reason)
{
    line_remove(&l->line, link);
    links_core_set_phase(l, link, LINK_PHASE_IDLE);
    links_core_tell(l, link, LINK_EVENT_FAILED, code, reason);
    link->waits_for_route = code == E_NO_ROUTE || code == E_PROXY_OFFLINE;
    free(link->opening);
    link->opening = NULL;
}

/* Those who asked for what the opening tried. */
static void answer_all(struct links *l, struct link *link, const struct link_wish *tried, int code,
                       const int32_t *reason, uint16_t awaited)
{
    struct link_request *next;

    for (struct link_request *r = link->waiting; r; r = next) {
        next = r->next;
        if (r->wish.source == tried->source && r->wish.pair == tried->pair)
            links_core_answer_after(l, link, r, code, reason, awaited);
    }
}

static void fail(struct links *l, struct link *link, int code, const int32_t *reason,
                 uint16_t awaited)
{
    struct link_wish tried = link->opening->wish;
    bool was_led = link->opening->is_led;

    end(l, link, code, reason);
    if (was_led)
        answer_all(l, link, &tried, code, reason, awaited);
    links_core_rest(l, link);
    links_core_touch(l, link);
}

/* ---- attempts ---- */

static void remember_tried(struct opening *opening, uint16_t source, usec_t not_before)
{
    struct tried *tried = opening_find_tried(opening, source);

    if (!tried)
        tried = &opening->tried[opening->tried_count++ % LINK_TRIED_MAX];
    *tried = (struct tried){.source = source, .not_before = not_before};
}

/* Asks the proxy for its slots, and believes nothing of them until it answers. */
static void relearn(struct links *l, uint16_t source)
{
    struct message message = {.type = MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST};

    links_core_proxy(l, source)->relearn_until = l->now + RELEARN;
    (void) l->house.send(l->house.user, source, &message); /* if not, the time passes */
}

/* The one place where an attempt ends. */
static void end_attempt(struct links *l, struct link *link, enum attempt_end how, int code,
                        const int32_t *reason)
{
    l->house.on_attempt(l->house.user, link->address,
                        attempts_end(&link->attempts, how, code, reason, l->now));
}

/* Books what the attempt was; its slot is given back or asked for. */
static void attempt_over(struct links *l, struct link *link, enum attempt_end how,
                         const int32_t *reason)
{
    bool is_abandoned = how == ATTEMPT_TIMED_OUT || how == ATTEMPT_CANCELLED;
    bool is_failure = how == ATTEMPT_TIMED_OUT || how == ATTEMPT_FAILED;
    bool was_given_time = how != ATTEMPT_TIMED_OUT || l->now >= link->attempt_until;
    int code = retry_classify(how, reason ? *reason : 0).code;

    end_attempt(l, link, how, code, reason);
    if (is_failure && was_given_time) /* else it says nothing about the proxy */
        experience_failed(l->experience, link->source, link->address, l->now);
    if (how == ATTEMPT_REFUSED)
        relearn(l, link->source);
    if (is_abandoned)
        tenure_say_goodbye(l, link, link->source, is_failure);
    else
        ledger_released(l->ledger, link->source, link->address, is_failure, l->now);
    l->has_news = true;
}

void opening_attempt_failed(struct links *l, struct link *link, enum attempt_end how,
                            const int32_t *reason)
{
    struct opening *opening = link->opening;
    uint16_t source = link->source;
    usec_t pause;

    attempt_over(l, link, how, reason);
    if (!retry_next(&opening->retry, how, reason ? *reason : 0, &pause)) {
        fail(l, link, retry_final(&opening->retry), reason, source);
        return;
    }
    if (how == ATTEMPT_PROXY_LOST && pause < TRY_AGAIN)
        pause = TRY_AGAIN; /* it is still there, and took no message */
    remember_tried(opening, source, l->now + pause);
    links_core_set_phase(l, link, LINK_PHASE_QUEUED);
    link->source = LINK_NO_SOURCE;
    opening->waited_since = 0;
    opening->is_slotless = false;
    line_put(&l->line, link);
    links_core_touch(l, link);
}

void opening_connected(struct links *l, struct link *link, uint32_t mtu)
{
    end_attempt(l, link, ATTEMPT_CONNECTED, 0, NULL);
    experience_succeeded(l->experience, link->source, link->address, l->now);
    ledger_opened(l->ledger, link->source, link->address, l->now);
    if (!link->is_cached) {
        link->mtu = mtu < LINK_DEFAULT_MTU ? LINK_DEFAULT_MTU : mtu > MTU_MAX ? MTU_MAX : mtu;
        link->mtu_source = LINK_MTU_NEGOTIATED;
    }
    free(link->opening);
    link->opening = NULL;
    l->has_news = true;
    links_core_set_phase(l, link, LINK_PHASE_CONNECTED);
    tenure_begin(l, link);
}

/* With cache the proxy does not tell the MTU: it is what it was the last time. */
static void choose_cache(struct links *l, struct link *link)
{
    uint32_t features = links_core_proxy(l, link->source)->told.features, mtu = 0;

    link->is_cached = link->opening->wish.use_cache && features & PROXY_FEATURE_REMOTE_CACHING &&
                      l->house.is_proved(l->house.user, link->source, link->address, &mtu);
    link->mtu_source = mtu ? LINK_MTU_STORED : LINK_MTU_ASSUMED;
    link->mtu = mtu ? mtu : LINK_DEFAULT_MTU;
}

static void start(struct links *l, struct link *link, const struct route_rank *rank)
{
    line_remove(&l->line, link);
    links_core_set_phase(l, link, LINK_PHASE_CONNECTING);
    link->source = rank->source;
    link->was_taken = false;
    links_core_proxy(l, link->source)->has_paused = false;
    link->attempt_until = link_later(l->now, link->opening->wish.attempt_timeout);
    choose_cache(l, link);
    attempts_begin(&link->attempts, rank, l->now);
    links_core_tell(l, link, LINK_EVENT_CONNECTING, 0, NULL);
    if (links_core_command(l, link->source, link->address,
                           link->is_cached ? DEVICE_REQUEST_CONNECT_WITH_CACHE
                                           : DEVICE_REQUEST_CONNECT_WITHOUT_CACHE))
        opening_attempt_failed(l, link, ATTEMPT_PROXY_LOST, NULL);
    links_core_touch(l, link);
}

/* ---- in line ---- */

static bool is_busy(const struct links *l, uint16_t source)
{
    struct ledger_proxy slots;

    ledger_get_proxy(l->ledger, source, l->now, &slots);
    return slots.is_establishing;
}

static bool take_slot(struct links *l, struct link *link, uint16_t source)
{
    return ledger_reserve(l->ledger, source, link->address, l->now) == 0 &&
           ledger_establish(l->ledger, source, link->address, l->now);
}

static void wait(struct links *l, struct link *link, uint16_t awaited, usec_t until, int cause)
{
    struct opening *opening = link->opening;
    bool is_slotless = cause == E_NO_FREE_SLOT;

    if (is_slotless && !opening->is_slotless)
        opening->slotless_since = l->now;
    opening->is_slotless = is_slotless;
    if (awaited == LINK_NO_SOURCE || is_slotless)
        opening->waited_since = 0; /* patience is for one that is busy */
    else if (!opening->waited_since)
        opening->waited_since = l->now;
    opening->awaited = awaited;
    opening->decide_at = until > l->now ? until : l->now + TRY_AGAIN;
    if (!opening->was_told) {
        opening->was_told = true;
        links_core_tell(l, link, LINK_EVENT_QUEUED, 0, NULL);
    }
    links_core_touch(l, link);
}

/* ---- room for who waits ---- */

/* Of those that nobody holds any more on that proxy, who has lingered longest; NULL: none. */
static struct link *find_lingering(const struct links *l, uint16_t source)
{
    struct link *longest = NULL, *other;
    size_t position = 0;

    while ((other = map_next(l->by_address, &position)))
        if (link_lingers(other) && other->source == source &&
            (!longest || other->linger_until < longest->linger_until))
            longest = other;
    return longest;
}

/* The router counts the slots of links that linger as free: when one is needed, the link closes. */
static void make_room(struct links *l, struct opening *opening, uint16_t source)
{
    struct ledger_proxy slots;
    struct link *room;

    ledger_get_proxy(l->ledger, source, l->now, &slots);
    if (slots.free > 0 || candidates_room_is_coming(l, opening, source))
        return;
    room = find_lingering(l, source);
    if (!room)
        return;
    opening->room = room->address;
    opening->room_source = source;
    opening->room_until = l->now + ROOM_PATIENCE;
    tenure_close(l, room);
}

void opening_decide(struct links *l, struct link *link)
{
    struct opening *opening = link->opening;
    struct candidates candidates;
    struct route_decision decision;

    candidates_gather(l, link->address, opening->wish.source, opening->wish.pair, opening,
                      &candidates);
    decision = candidates_decide(l, &candidates, opening->waited_since);
    if (decision.step == ROUTE_GO)
        make_room(l, opening, decision.source);
    if (decision.step == ROUTE_GO && is_busy(l, decision.source)) {
        wait(l, link, decision.source, USEC_NEVER, 0);
        return;
    }
    if (decision.step == ROUTE_GO) {
        if (take_slot(l, link, decision.source))
            start(l, link, &decision.best);
        else
            wait(l, link, decision.source, l->now + TRY_AGAIN, 0);
        return;
    }
    if (decision.step == ROUTE_WAIT) {
        wait(l, link, decision.source, clock_earlier(decision.until, candidates.ask_again_at),
             decision.cause);
        return;
    }
    if (decision.cause == E_NO_ROUTE && candidates.unable_to_pair > 0)
        decision.cause = E_NOT_SUPPORTED;
    fail(l, link, decision.cause, NULL, LINK_NO_SOURCE);
}

/* ---- who leaves ---- */

void opening_stop(struct links *l, struct link *link)
{
    assert(!link->waiting);
    if (link->phase == LINK_PHASE_CONNECTING)
        attempt_over(l, link, ATTEMPT_CANCELLED, NULL);
    fail(l, link, E_CANCELLED, NULL, LINK_NO_SOURCE);
}

void opening_left(struct links *l, struct link *link)
{
    if (link->waiting)
        links_core_touch(l, link);
    else if (!link_is_wanted(link))
        opening_stop(l, link);
    else if (link->opening->is_led)
        links_core_lead(l, link, NULL);
}

/* The number of the last attempt, if this request saw it and it had one. */
static const int32_t *last_reason(const struct link *link, const struct link_request *request)
{
    size_t count = attempts_count(&link->attempts);
    bool is_seen = link->attempts.begun > request->first_attempt;
    const struct link_attempt *last = is_seen ? attempts_get(&link->attempts, count - 1) : NULL;

    return last && last->has_reason ? &last->reason : NULL;
}

/* How long until a slot of ours on a proxy that this link could use is given up; 0: not known. */
static usec_t time_to_free_slot(const struct links *l, const struct link *link)
{
    const struct opening *opening = link->opening;
    struct candidates candidates;
    usec_t soonest = USEC_NEVER;
    const struct link *other;
    size_t position = 0;

    candidates_gather(l, link->address, opening->wish.source, opening->wish.pair, NULL,
                      &candidates);
    while ((other = map_next(l->by_address, &position)))
        for (size_t i = 0; i < candidates.count; i++) {
            const struct route_candidate *c = &candidates.items[i];
            bool is_usable = c->was_heard && !c->is_forbidden &&
                             (!candidates.has_required || c->is_required);

            if (is_usable && other->source == c->source)
                soonest = clock_earlier(soonest, link_expected_end(other, l->settings.linger));
        }
    return soonest == USEC_NEVER ? 0 : soonest - l->now;
}

void opening_slotless(struct links *l, struct link *link, struct link_request *request)
{
    request->answer.retry_after = time_to_free_slot(l, link);
    links_core_answer(l, link, request, E_NO_FREE_SLOT, last_reason(link, request));
    opening_left(l, link);
}

void opening_request_due(struct links *l, struct link *link, struct link_request *request)
{
    bool is_last = link->waiting == request && !request->next && !link_is_wanted(link);
    uint16_t source = link->source;

    if (link->phase == LINK_PHASE_QUEUED && link->opening->is_slotless) {
        opening_slotless(l, link, request);
        return;
    }
    if (link->phase == LINK_PHASE_CONNECTING && is_last) {
        attempt_over(l, link, ATTEMPT_TIMED_OUT, NULL);
        links_core_answer_after(l, link, request, E_CONNECT_TIMEOUT, NULL, source);
        fail(l, link, E_CONNECT_TIMEOUT, NULL, source);
        return;
    }
    links_core_answer(l, link, request, E_CONNECT_TIMEOUT, last_reason(link, request));
    opening_left(l, link);
}
