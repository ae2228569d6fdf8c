#include "comparison.h"

#include <string.h>

static bool is_same_owner(const struct recording_change *a, const struct recording_change *b)
{
    return a->owner_from == b->owner_from && a->owner_to == b->owner_to && a->why == b->why &&
           a->rssi_from == b->rssi_from && a->rssi_to == b->rssi_to;
}

static bool is_same(const struct recording_change *a, const struct recording_change *b)
{
    return a->address == b->address && a->address_type == b->address_type && a->kinds == b->kinds &&
           a->source == b->source && a->is_available == b->is_available &&
           a->has_owner == b->has_owner && (!a->has_owner || is_same_owner(a, b));
}

void comparison_decided(struct comparison *c, const struct recording_change *change)
{
    if (c->waiting_count == COMPARISON_WAITING_MAX)
        c->added++;
    else
        c->waiting[c->waiting_count++] = *change;
}

/* Mostly the first one is it. What is due at once may come in another order. */
void comparison_recorded(struct comparison *c, const struct recording_change *change)
{
    c->recorded++;
    for (size_t i = 0; i < c->waiting_count; i++) {
        if (!is_same(&c->waiting[i], change))
            continue;
        c->repeated++;
        c->waiting_count--;
        memmove(&c->waiting[i], &c->waiting[i + 1], (c->waiting_count - i) * sizeof c->waiting[0]);
        return;
    }
}

void comparison_end_moment(struct comparison *c)
{
    c->added += c->waiting_count;
    c->waiting_count = 0;
}
