/* What the faces ask: links, leases, attempts, proxies, and what a request would meet now. */
#include "links.h"

#include <stdlib.h>

#include "base/error.h"
#include "link/candidates.h"
#include "link/links_core.h"

const char *link_state_name(enum link_state state)
{
    switch (state) {
    case LINK_QUEUED:
        return "queued";
    case LINK_CONNECTING:
        return "connecting";
    case LINK_CONNECTED:
        return "connected";
    case LINK_DISCONNECTING:
        return "disconnecting";
    }
    return "none";
}

const char *link_mtu_source_name(enum link_mtu_source source)
{
    switch (source) {
    case LINK_MTU_ASSUMED:
        return "assumed";
    case LINK_MTU_STORED:
        return "stored";
    case LINK_MTU_NEGOTIATED:
        return "negotiated";
    }
    abort();
}

static enum link_state state_of(const struct link *link)
{
    switch (link->phase) {
    case LINK_PHASE_IDLE: /* shown only while it is wanted */
    case LINK_PHASE_QUEUED:
        return LINK_QUEUED;
    case LINK_PHASE_CONNECTING:
        return LINK_CONNECTING;
    case LINK_PHASE_CONNECTED:
        return LINK_CONNECTED;
    case LINK_PHASE_DISCONNECTING:
        return LINK_DISCONNECTING;
    }
    abort();
}

static bool is_shown(const struct link *link)
{
    return link->phase != LINK_PHASE_IDLE || link_is_wanted(link);
}

static void view(const struct links *l, const struct link *link, struct link_view *ret_view)
{
    bool is_open = link->phase == LINK_PHASE_CONNECTED;

    *ret_view = (struct link_view){
            .address = link->address,
            .state = state_of(link),
            .source = link->source,
            .mtu = is_open ? link->mtu : 0,
            .mtu_source = link->mtu_source,
            .is_cached = is_open && link->is_cached,
            .since = link->since,
            .linger_until = link->linger_until,
            .queue_position = line_position(&l->line, link),
            .leases = link->leases.count,
            .attempts = attempts_count(&link->attempts),
            .is_kept = link->is_kept,
    };
}

bool links_get(const struct links *l, uint64_t address, struct link_view *ret_view)
{
    const struct link *link = links_core_find(l, address);

    if (!link || !is_shown(link))
        return false;
    view(l, link, ret_view);
    return true;
}

bool links_next(const struct links *l, size_t *position, struct link_view *ret_view)
{
    const struct link *link;

    while ((link = map_next(l->by_address, position))) {
        if (!is_shown(link))
            continue;
        view(l, link, ret_view);
        return true;
    }
    return false;
}

size_t links_count(const struct links *l)
{
    const struct link *link;
    size_t position = 0, count = 0;

    while ((link = map_next(l->by_address, &position)))
        count += is_shown(link);
    return count;
}

bool links_get_lease(const struct links *l, uint64_t address, size_t index,
                     struct link_lease *ret_lease)
{
    const struct link *link = links_core_find(l, address);
    const struct lease *lease;

    if (!link || index >= link->leases.count)
        return false;
    lease = &link->leases.items[index];
    *ret_lease = (struct link_lease){
            .client = lease->client,
            .purpose = lease->purpose,
            .expires = lease->expires,
            .is_auto_reconnect = lease->is_auto_reconnect,
    };
    for (size_t i = 0; i < LINK_LEASE_ID_SIZE; i++)
        ret_lease->id[i] = lease->id[i];
    return true;
}

bool links_get_attempt(const struct links *l, uint64_t address, size_t index,
                       struct link_attempt *ret_attempt)
{
    const struct link *link = links_core_find(l, address);
    const struct link_attempt *attempt = link ? attempts_get(&link->attempts, index) : NULL;

    if (!attempt)
        return false;
    *ret_attempt = *attempt;
    return true;
}

void links_get_proxy(const struct links *l, uint16_t source, usec_t now,
                     struct link_proxy_view *ret_view)
{
    struct experience_proxy experience;

    experience_get_proxy(l->experience, source, &experience);
    ret_view->completed = experience.completed;
    ret_view->failed = experience.failed;
    ret_view->last_success = experience.last_success;
    ledger_get_proxy(l->ledger, source, now, &ret_view->slots);
}

bool links_get_slot(const struct links *l, uint16_t source, size_t index,
                    struct ledger_slot *ret_slot)
{
    return ledger_get_slot(l->ledger, source, index, ret_slot);
}

void links_get_statistics(const struct links *l, struct links_statistics *ret_statistics)
{
    const struct link *link;
    size_t position = 0;

    *ret_statistics = l->counted;
    while ((link = map_next(l->by_address, &position))) {
        ret_statistics->links += is_shown(link);
        ret_statistics->connected += link->phase == LINK_PHASE_CONNECTED;
    }
    ret_statistics->waiting = l->line.count;
}

static int code_of(const struct links *l, uint64_t address, const struct candidates *candidates)
{
    const struct link *link = links_core_find(l, address);
    struct route_decision decision;

    if (link && link->phase == LINK_PHASE_CONNECTED)
        return 0;
    if (l->is_closing)
        return E_SHUTTING_DOWN;
    if (!l->house.is_known(l->house.user, address))
        return E_DEVICE_NOT_FOUND;
    decision = candidates_decide(l, candidates, /* waited_since= */ 0);
    return decision.step == ROUTE_GO ? 0 : decision.cause;
}

int links_explain(const struct links *l, uint64_t address, usec_t now,
                  struct route_candidate *ret_candidates, struct route_rank *ret_ranks, size_t max,
                  size_t *ret_count)
{
    const struct link *link = links_core_find(l, address);
    struct route_rank ranks[CANDIDATES_MAX];
    struct candidates candidates;
    size_t count;

    candidates_gather(l, address, LINK_NO_SOURCE, /* pairs= */ false, link ? link->opening : NULL,
                      &candidates);
    router_rank(l->settings.scoring, candidates.items, candidates.count, candidates.has_required,
                now, ranks);
    count = candidates.count < max ? candidates.count : max;
    for (size_t i = 0; i < count; i++) {
        ret_ranks[i] = ranks[i];
        for (size_t j = 0; j < candidates.count; j++)
            if (candidates.items[j].source == ranks[i].source)
                ret_candidates[i] = candidates.items[j];
    }
    *ret_count = count;
    return code_of(l, address, &candidates);
}
