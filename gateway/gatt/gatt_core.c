/* What everything else in the room leans on. */
#include "gatt/gatt_core.h"

#include <string.h>

#include "base/memory.h"

void gatt_core_set_now(struct gatt *g, usec_t now)
{
    g->now = clock_later(g->now, now);
}

struct peer *gatt_core_find(const struct gatt *g, uint64_t address)
{
    return map_find(g->by_address, address);
}

struct peer *gatt_core_obtain(struct gatt *g, uint64_t address)
{
    struct peer *p = gatt_core_find(g, address);

    if (p)
        return p;
    p = xnew(struct peer, 1);
    p->address = address;
    p->source = LINK_NO_SOURCE;
    p->watch_at = USEC_NEVER;
    map_put(g->by_address, address, p);
    return p;
}

void gatt_core_hurry(struct gatt *g, struct peer *p)
{
    p->has_work = true;
    heap_set(&g->due, &p->node, 0);
}

bool gatt_core_find_lease(const struct gatt *g, uint64_t address, const char *id,
                          struct link_lease *ret_lease)
{
    struct link_lease lease;

    for (size_t i = 0; links_get_lease(g->links, address, i, &lease); i++) {
        if (strcmp(lease.id, id) != 0)
            continue;
        if (ret_lease)
            *ret_lease = lease;
        return true;
    }
    return false;
}

static void hand_over(struct gatt_request *r, const struct gatt_outcome *outcome)
{
    r->state = GATT_REQUEST_READY;
    r->operation = NULL;
    r->subscription = NULL;
    r->outcome = *outcome;
    r->outcome.value = (struct bytes){r->octets, outcome->value.size};
    if (outcome->value.size > 0)
        memcpy(r->octets, outcome->value.data, outcome->value.size);
}

void gatt_core_tell(struct gatt *g, struct peer *p, struct gatt_request *together,
                    const struct gatt_outcome *outcome)
{
    if (!together)
        return;
    for (struct gatt_request *r = together, *next; r; r = next) {
        next = r->next_together;
        r->next_together = NULL;
        hand_over(r, outcome);
    }
    gatt_core_hurry(g, p);
}

void gatt_core_leave(struct gatt_request **together, struct gatt_request *request)
{
    struct gatt_request **at = together;

    while (*at != request)
        at = &(*at)->next_together;
    *at = request->next_together;
    request->next_together = NULL;
}
