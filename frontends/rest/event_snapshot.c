#include "event_snapshot.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

static void add_once(struct event_snapshot *s, uint64_t address)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->addresses[i] == address)
            return;
    }
    s->addresses[s->count++] = address;
}

static void take_wanted(struct event_snapshot *s, const struct event_wish *wish)
{
    s->addresses = xnew(uint64_t, wish->addresses_count);
    for (size_t i = 0; i < wish->addresses_count; i++)
        add_once(s, wish->addresses[i]);
}

static void take_all(struct event_snapshot *s, const struct gateway *g)
{
    size_t capacity = gateway_devices_count(g), position = 0;
    struct gateway_device device;

    s->addresses = xnew(uint64_t, capacity + 1);
    while (s->count < capacity && gateway_next_device(g, &position, &device))
        s->addresses[s->count++] = device.address;
}

void event_snapshot_begin(struct event_snapshot *s, const struct gateway *g,
                          const struct event_wish *wish)
{
    event_snapshot_done(s);
    if (wish->addresses_count > 0)
        take_wanted(s, wish);
    else
        take_all(s, g);
}

void event_snapshot_done(struct event_snapshot *s)
{
    free(s->addresses);
    *s = (struct event_snapshot){0};
}

bool event_snapshot_is_at_end(const struct event_snapshot *s)
{
    return s->at == s->count;
}

bool event_snapshot_next(struct event_snapshot *s, const struct gateway *g,
                         const struct event_wish *wish, struct gateway_device *ret_device)
{
    assert(s->at < s->count);
    return gateway_find_device(g, s->addresses[s->at++], ret_device) == 0 &&
           !ret_device->is_noise && device_filter_matches(&wish->filter, g, ret_device);
}
