/* The story. A request comes, finds its link or makes one, and waits for it; what it needs is done
 * by the next advance. A link in line is opened by opening.c, and kept and closed by tenure.c. When
 * something changed (a slot, an attempt, a proxy) the line is walked from the front, so that who
 * came first chooses first, and who has to wait keeps nobody behind from going elsewhere.
 *
 * Failure modes. Whatever ends a request puts it among the answered ones, and done is called for
 * these last, when everything is in order again: it may call back. A proxy that goes takes its
 * links, attempts and goodbyes with it. What the ledger finds is done at once: a lost link ends, an
 * orphan is disconnected. */
#include "links.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "link/holding.h"
#include "link/opening.h"
#include "link/tenure.h"

#define PAST_MAX 256 /* links of which only the past is kept */

struct links *links_new(const struct links_settings *settings, const struct links_house *house,
                        uint64_t seed)
{
    struct links *l = xnew(struct links, 1);

    l->settings = *settings;
    l->house = *house;
    l->random = seed;
    l->ledger = ledger_new();
    l->experience = experience_new();
    l->by_address = map_new(seed);
    l->answered_end = &l->answered;
    return l;
}

usec_t links_get_linger(const struct links *l)
{
    return l->settings.linger;
}

static void drop(struct links *l, struct link *link)
{
    if (link->forget_at)
        l->past_count--;
    heap_remove(&l->due, &link->node);
    map_take(l->by_address, link->address);
    link_free(link);
}

void links_free(struct links *l)
{
    struct link *link;
    size_t position;

    if (!l)
        return;
    assert(l->open_requests == 0);
    while (position = 0, (link = map_next(l->by_address, &position)))
        drop(l, link);
    ledger_free(l->ledger);
    experience_free(l->experience);
    map_free(l->by_address);
    heap_done(&l->due);
    line_done(&l->line);
    free(l->proxies);
    free(l);
}

void links_configure(struct links *l, const struct links_settings *settings)
{
    l->settings = *settings;
    l->has_news = true;
}

/* ---- what is due ---- */

static void request_due(struct links *l, struct link *link, struct link_request *request)
{
    if (link->phase == LINK_PHASE_QUEUED || link->phase == LINK_PHASE_CONNECTING) {
        opening_request_due(l, link, request);
        return;
    }
    links_core_answer(l, link, request, E_CONNECT_TIMEOUT, NULL);
    holding_left(l, link);
}

static bool is_slotless(const struct links *l, const struct link *link,
                        const struct link_request *request)
{
    return link->phase == LINK_PHASE_QUEUED && link->opening->is_slotless &&
           link_slotless_until(link, request) <= l->now;
}

static void requests_due(struct links *l, struct link *link)
{
    struct link_request *next;

    for (struct link_request *r = link->failing; r; r = next) {
        next = r->next;
        if (r->due <= l->now)
            links_core_answer_now(l, link, r);
    }
    for (struct link_request *r = link->waiting; r; r = next) {
        next = r->next;
        if (r->due <= l->now)
            request_due(l, link, r);
        else if (is_slotless(l, link, r))
            opening_slotless(l, link, r);
    }
}

/* It is wanted, and its pause is over. */
static void reopen(struct links *l, struct link *link)
{
    if (link->waits_for_route && !opening_has_route(l, link))
        links_core_rest(l, link);
    else
        links_core_open(l, link, NULL);
}

static void phase_due(struct links *l, struct link *link)
{
    switch (link->phase) {
    case LINK_PHASE_IDLE:
        if (link_is_wanted(link) && link->reopen_at <= l->now)
            reopen(l, link);
        return;
    case LINK_PHASE_QUEUED: /* it has to take its turn */
        if (link->opening->decide_at <= l->now) {
            link->opening->decide_at = USEC_NEVER;
            l->has_news = true;
        }
        return;
    case LINK_PHASE_CONNECTING:
        if (link->attempt_until <= l->now)
            opening_attempt_failed(l, link, ATTEMPT_TIMED_OUT, NULL);
        return;
    case LINK_PHASE_CONNECTED:
        if (link->linger_until && link->linger_until <= l->now)
            tenure_close(l, link);
        return;
    case LINK_PHASE_DISCONNECTING:
        return;
    }
}

static void work(struct links *l, struct link *link)
{
    requests_due(l, link);
    tenure_goodbyes_due(l, link);
    if (leases_expire(&link->leases, l->now)) {
        links_core_tell(l, link, LINK_EVENT_LEASES, 0, NULL);
        holding_left(l, link);
    }
    phase_due(l, link);
    if (!link_is_alive(link) && link->forget_at && link->forget_at <= l->now)
        drop(l, link);
    else
        links_core_touch(l, link);
}

static void work_off(struct links *l)
{
    struct heap_node *node;
    uint64_t due;

    while ((node = heap_first(&l->due, &due)) && due <= l->now)
        work(l, CONTAINER_OF(node, struct link, node));
}

/* Who came first chooses first; who cannot go now lets those behind pass. */
static void walk_the_line(struct links *l)
{
    size_t place = 0;

    l->has_news = false;
    while (place < l->line.count) {
        struct link *link = l->line.links[place];

        opening_decide(l, link);
        if (place < l->line.count && l->line.links[place] == link)
            place++;
    }
}

static void act_on(struct links *l, enum ledger_finding finding, uint16_t source, uint64_t address)
{
    struct link *link = links_core_find(l, address);

    switch (finding) {
    case LEDGER_LOST:
        l->counted.lost++;
        if (link && link->phase == LINK_PHASE_CONNECTED && link->source == source)
            tenure_lost(l, link, E_DISCONNECTED, NULL);
        return;
    case LEDGER_ORPHANED:
        l->counted.orphans_freed++;
        (void) links_core_command(l, source, address, DEVICE_REQUEST_DISCONNECT); /* told again */
        return;
    case LEDGER_INCONSISTENT:
        l->counted.inconsistent++;
        return;
    }
}

static void audit(struct links *l)
{
    enum ledger_finding finding;
    uint16_t source;
    uint64_t address;

    if (ledger_deadline(l->ledger) > l->now)
        return;
    while (ledger_find(l->ledger, l->now, &finding, &source, &address))
        act_on(l, finding, source, address);
}

static void forget_oldest(struct links *l)
{
    struct link *oldest = NULL, *link;
    size_t position = 0;

    while ((link = map_next(l->by_address, &position)))
        if (link->forget_at && (!oldest || link->forget_at < oldest->forget_at))
            oldest = link;
    drop(l, oldest);
}

/* Those that are there now; what done adds is for a later call. */
static void answer(struct links *l)
{
    struct link_request *batch = l->answered;

    l->answered = NULL;
    l->answered_end = &l->answered;
    while (batch) {
        struct link_request *request = batch;

        batch = request->next;
        l->open_requests--;
        l->counted.answered++;
        l->counted.by_code_ok += request->answer.code == 0;
        request->done(request->user, &request->answer);
        request_free(request);
    }
}

static void settle(struct links *l)
{
    do {
        audit(l);
        if (l->has_news)
            walk_the_line(l);
        work_off(l);
    } while (l->has_news);
    while (l->past_count > PAST_MAX)
        forget_oldest(l);
    answer(l);
}

usec_t links_deadline(const struct links *l)
{
    usec_t ledger = ledger_deadline(l->ledger);
    uint64_t due;

    if (l->answered || l->has_news)
        return l->now;
    heap_first(&l->due, &due);
    return due < ledger ? due : ledger;
}

void links_advance(struct links *l, usec_t now)
{
    links_core_set_now(l, now);
    settle(l);
}

/* ---- what proxies say ---- */

void links_proxy_online(struct links *l, uint16_t source, const struct link_proxy *proxy,
                        usec_t now)
{
    links_core_set_now(l, now);
    if (l->proxies_count <= source) {
        size_t count = source + (size_t) 1;

        l->proxies = memory_resize(l->proxies, count, sizeof(struct proxy_state));
        while (l->proxies_count < count)
            l->proxies[l->proxies_count++] = (struct proxy_state){0};
    }
    l->proxies[source].told = *proxy;
    if (!l->proxies[source].is_online) {
        l->proxies[source].is_online = true;
        ledger_online(l->ledger, source, l->now);
    }
    l->has_news = true;
    settle(l);
}

static void lose_proxy(struct links *l, struct link *link, uint16_t source)
{
    struct goodbye *goodbye = link_find_goodbye(link, source);

    if (goodbye)
        tenure_goodbye_over(l, link, goodbye);
    else if (link->phase == LINK_PHASE_CONNECTING && link->source == source)
        opening_attempt_failed(l, link, ATTEMPT_PROXY_LOST, NULL);
    else if (link->phase == LINK_PHASE_CONNECTED && link->source == source)
        tenure_lost(l, link, E_PROXY_OFFLINE, NULL);
}

void links_proxy_offline(struct links *l, uint16_t source, usec_t now)
{
    struct proxy_state *proxy = links_core_proxy(l, source);
    struct link *link;
    size_t position = 0;

    if (!proxy || !proxy->is_online)
        return;
    links_core_set_now(l, now);
    proxy->is_online = false;
    proxy->relearn_until = 0;
    ledger_offline(l->ledger, source);
    while ((link = map_next(l->by_address, &position)))
        lose_proxy(l, link, source);
    l->has_news = true;
    settle(l);
}

/* Who wanted this proxy alone. */
static void answer_wishes(struct links *l, struct link *link, uint16_t source)
{
    struct link_request *next;

    for (struct link_request *r = link->waiting; r; r = next) {
        next = r->next;
        if (r->wish.source == source)
            links_core_answer(l, link, r, E_PROXY_OFFLINE, NULL);
    }
    if (link->opening && link->opening->wish.source == source && link->waiting)
        links_core_lead(l, link, link->waiting);
}

static void forget_proxy(struct links *l, struct link *link, uint16_t source)
{
    bool had_wishes = link->waiting != NULL;

    answer_wishes(l, link, source);
    if (leases_drop_source(&link->leases, source)) {
        links_core_tell(l, link, LINK_EVENT_LEASES, 0, NULL);
        had_wishes = true;
    }
    link_forget_source(link, source);
    if (had_wishes)
        holding_left(l, link);
}

void links_proxy_removed(struct links *l, uint16_t source, usec_t now)
{
    struct link *link;
    size_t position = 0;

    links_proxy_offline(l, source, now);
    links_core_set_now(l, now);
    while ((link = map_next(l->by_address, &position)))
        forget_proxy(l, link, source);
    experience_forget_source(l->experience, source);
    if (links_core_proxy(l, source))
        *links_core_proxy(l, source) = (struct proxy_state){0};
    l->has_news = true;
    settle(l);
}

static void on_connected(struct links *l, uint16_t source, uint64_t address, uint32_t mtu)
{
    struct link *link = links_core_find(l, address);
    bool is_there = link && link->source == source;

    if (is_there && link->phase == LINK_PHASE_CONNECTED)
        return; /* said twice */
    if (is_there && link->phase == LINK_PHASE_CONNECTING)
        opening_connected(l, link, mtu);
    else /* of an attempt that was given up: nobody would close it */
        (void) links_core_command(l, source, address, DEVICE_REQUEST_DISCONNECT);
}

/* Refused: nothing was begun, and no reason is given. */
static void on_attempt_ended(struct links *l, struct link *link, int32_t error)
{
    bool is_refused = error == 0 && !link->was_taken;

    opening_attempt_failed(l, link, is_refused ? ATTEMPT_REFUSED : ATTEMPT_FAILED, &error);
}

static void on_not_connected(struct links *l, uint16_t source, uint64_t address, int32_t error)
{
    struct link *link = links_core_find(l, address);
    struct goodbye *goodbye = link ? link_find_goodbye(link, source) : NULL;

    if (goodbye)
        tenure_goodbye_over(l, link, goodbye);
    else if (link && link->phase == LINK_PHASE_CONNECTING && link->source == source)
        on_attempt_ended(l, link, error);
    else if (link && link->phase == LINK_PHASE_CONNECTED && link->source == source)
        tenure_lost(l, link, E_DISCONNECTED, &error);
}

static bool names(const struct message_connections_free *slots, uint64_t address)
{
    for (size_t i = 0; i < slots->allocated_count; i++)
        if (slots->allocated[i] == address)
            return true;
    return false;
}

/* What a list of slots says about one link: that its attempt has begun, that a goodbye is over. */
static void compare(struct links *l, struct link *link, uint16_t source,
                    const struct message_connections_free *slots)
{
    struct goodbye *goodbye = link_find_goodbye(link, source);
    bool is_named = names(slots, link->address);
    struct ledger_proxy proxy;

    ledger_get_proxy(l->ledger, source, l->now, &proxy);
    if (link->phase == LINK_PHASE_CONNECTING && link->source == source)
        link->was_taken = link->was_taken || is_named || !proxy.tells_list;
    if (!goodbye)
        return;
    if (is_named)
        goodbye->was_listed = true;
    else if (goodbye->was_listed && proxy.is_consistent)
        tenure_goodbye_over(l, link, goodbye);
}

static void on_slots(struct links *l, uint16_t source, const struct message_connections_free *slots)
{
    struct link *link;
    size_t position = 0;

    ledger_told(l->ledger, source, slots->limit, slots->free, slots->allocated,
                slots->allocated_count, l->now);
    links_core_proxy(l, source)->relearn_until = 0;
    while ((link = map_next(l->by_address, &position)))
        compare(l, link, source, slots);
    l->has_news = true;
}

/* A proxy does not scan while it establishes a link (esphome-protocol 5.5): when it scans again,
 * its radio is free, although "connected" comes when it knows the services as well. */
static void on_scanner(struct links *l, uint16_t source, uint32_t state)
{
    struct proxy_state *proxy = links_core_proxy(l, source);

    if (state != SCANNER_STARTING && state != SCANNER_RUNNING) {
        proxy->has_paused = true;
        return;
    }
    if (!proxy->has_paused)
        return;
    proxy->has_paused = false;
    ledger_discovering(l->ledger, source, l->now);
    l->has_news = true;
}

static void on_pairing(struct links *l, uint16_t source, const struct message_result *result)
{
    struct link *link = links_core_find(l, result->address);

    if (link && link->phase == LINK_PHASE_CONNECTED && link->source == source)
        tenure_paired(l, link, result->success, result->error);
}

void links_message(struct links *l, uint16_t source, const struct message *message, usec_t now)
{
    const struct message_device_connection *connection = &message->device_connection;

    if (!links_core_is_online(l, source))
        return;
    links_core_set_now(l, now);
    if (message->type == MESSAGE_DEVICE_CONNECTION_RESPONSE && connection->connected)
        on_connected(l, source, connection->address, connection->mtu);
    else if (message->type == MESSAGE_DEVICE_CONNECTION_RESPONSE)
        on_not_connected(l, source, connection->address, connection->error);
    else if (message->type == MESSAGE_CONNECTIONS_FREE_RESPONSE)
        on_slots(l, source, &message->connections_free);
    else if (message->type == MESSAGE_SCANNER_STATE_RESPONSE)
        on_scanner(l, source, message->scanner_state.state);
    else if (message->type == MESSAGE_DEVICE_PAIRING_RESPONSE)
        on_pairing(l, source, &message->result);
    else
        return;
    settle(l);
}

void links_heard(struct links *l, uint64_t address, usec_t now)
{
    struct link *link = links_core_find(l, address);

    if (!link || !link->waits_for_route || link->phase != LINK_PHASE_IDLE ||
        !link_is_wanted(link) || now < link_later(link->asked_at, USEC_PER_SEC))
        return;
    links_core_set_now(l, now);
    link->asked_at = now;
    if (opening_has_route(l, link))
        link->reopen_at = now;
    links_core_touch(l, link);
}

/* ---- what nobody owns ---- */

int links_free_slot(struct links *l, uint16_t source, uint64_t address, usec_t now)
{
    struct ledger_slot slot;

    links_core_set_now(l, now);
    if (!links_core_is_online(l, source))
        return E_PROXY_OFFLINE;
    for (size_t i = 0; ledger_get_slot(l->ledger, source, i, &slot); i++) {
        if (slot.address != address)
            continue;
        if (slot.holder == SLOT_OURS)
            return E_CONFLICT;
        return links_core_command(l, source, address, DEVICE_REQUEST_DISCONNECT);
    }
    return E_NOT_FOUND;
}

static size_t free_orphans(struct links *l, uint16_t source)
{
    struct ledger_slot slot;
    size_t count = 0;

    for (size_t i = 0; ledger_get_slot(l->ledger, source, i, &slot); i++)
        if (slot.holder == SLOT_ORPHAN &&
            !links_core_command(l, source, slot.address, DEVICE_REQUEST_DISCONNECT))
            count++;
    return count;
}

size_t links_close_stale(struct links *l, usec_t now)
{
    size_t count = 0;

    links_core_set_now(l, now);
    for (size_t source = 0; source < l->proxies_count; source++)
        count += free_orphans(l, (uint16_t) source);
    return count;
}

/* ---- the end ---- */

void links_close(struct links *l, usec_t now)
{
    struct link *link;
    size_t position = 0;

    links_core_set_now(l, now);
    l->is_closing = true;
    while ((link = map_next(l->by_address, &position))) {
        link->is_kept = false;
        while (link->failing)
            links_core_answer_now(l, link, link->failing);
        holding_close(l, link, E_SHUTTING_DOWN);
    }
}

bool links_is_closed(const struct links *l)
{
    const struct link *link;
    size_t position = 0;

    if (!l->is_closing || l->open_requests > 0)
        return false;
    while ((link = map_next(l->by_address, &position)))
        if (link_is_alive(link))
            return false;
    return true;
}
