#include "slots.h"

static usec_t allocated_since(const struct slots *s, uint64_t address, usec_t now)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->addresses[i] == address)
            return s->since[i];
    }
    return now;
}

void slots_take(struct slots *s, const struct message_connections_free *message, usec_t now)
{
    struct slots next = {
            .is_known = message->limit > 0, .limit = message->limit, .free = message->free};

    for (size_t i = 0; i < message->allocated_count && next.count < SLOTS_MAX; i++) {
        next.addresses[next.count] = message->allocated[i];
        next.since[next.count++] = allocated_since(s, message->allocated[i], now);
    }
    *s = next;
}
