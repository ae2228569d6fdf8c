/* Octets of facts and data lie behind each other in one run of memory, each event in one piece; an
 * event that does not fit before the end begins at the front. Whatever stands in its way goes,
 * oldest first. */
#include "event_ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct slot {
    size_t offset; /* of its octets */
    size_t facts_size, data_size;
    uint64_t selections, address;
    double rssi;
    enum event_type type;
    bool has_device;
};

struct event_ring {
    struct slot *slots; /* of number n: n % capacity */
    uint8_t *octets;
    size_t capacity, capacity_bytes;
    size_t end;   /* behind the newest event's octets */
    size_t bytes; /* of all events */
    uint64_t oldest, next;
};

static const char *const type_names[EVENT_TYPES] = {
        [EVENT_ADVERTISEMENT] = "advertisement",
        [EVENT_DEVICE] = "device",
        [EVENT_PROXY] = "proxy",
        [EVENT_CONNECTION] = "connection",
        [EVENT_NOTIFICATION] = "notification",
        [EVENT_RSSI] = "rssi",
        [EVENT_SCAN_WINDOW] = "scan_window",
        [EVENT_LOG] = "log",
};

static struct slot *slot_of(const struct event_ring *ring, uint64_t number)
{
    return &ring->slots[number % ring->capacity];
}

static size_t slot_size(const struct slot *slot)
{
    return slot->facts_size + slot->data_size;
}

static void drop_oldest(struct event_ring *ring)
{
    ring->bytes -= slot_size(slot_of(ring, ring->oldest));
    ring->oldest++;
}

static bool is_in_the_way(const struct event_ring *ring, size_t from, size_t to)
{
    const struct slot *slot = slot_of(ring, ring->oldest);

    return slot->offset < to && slot->offset + slot_size(slot) > from;
}

/* Where size octets go, with nothing in their way any more. */
static size_t make_room(struct event_ring *ring, size_t size)
{
    size_t from = ring->end;

    if (from + size > ring->capacity_bytes) {
        while (ring->oldest < ring->next && slot_of(ring, ring->oldest)->offset >= from)
            drop_oldest(ring);
        from = 0;
    }
    while (ring->oldest < ring->next && is_in_the_way(ring, from, from + size))
        drop_oldest(ring);
    if (ring->next - ring->oldest == ring->capacity)
        drop_oldest(ring);
    return from;
}

const char *event_type_name(enum event_type type)
{
    return type_names[type];
}

bool event_type_parse(const char *text, size_t size, enum event_type *ret_type)
{
    for (size_t i = 0; i < EVENT_TYPES; i++) {
        if (strlen(type_names[i]) == size && memcmp(type_names[i], text, size) == 0) {
            *ret_type = (enum event_type) i;
            return true;
        }
    }
    return false;
}

struct event_ring *event_ring_new(size_t events, size_t bytes)
{
    struct event_ring *ring = xnew(struct event_ring, 1);

    assert(events > 0 && bytes > 0);
    ring->capacity = events;
    ring->capacity_bytes = bytes;
    ring->slots = xnew(struct slot, events);
    ring->octets = xnew(uint8_t, bytes);
    ring->oldest = ring->next = 1;
    return ring;
}

void event_ring_free(struct event_ring *ring)
{
    if (!ring)
        return;
    free(ring->slots);
    free(ring->octets);
    free(ring);
}

uint64_t event_ring_push(struct event_ring *ring, const struct event *event)
{
    const struct event_subject *subject = &event->subject;
    size_t size = subject->facts_size + event->data_size, offset;

    if (size == 0 || size > ring->capacity_bytes / 4)
        return 0;
    offset = make_room(ring, size);
    *slot_of(ring, ring->next) = (struct slot){
            .offset = offset,
            .facts_size = subject->facts_size,
            .data_size = event->data_size,
            .selections = event->selections,
            .address = subject->address,
            .rssi = subject->rssi,
            .type = event->type,
            .has_device = subject->has_device,
    };
    if (subject->facts_size > 0)
        memcpy(ring->octets + offset, subject->facts, subject->facts_size);
    memcpy(ring->octets + offset + subject->facts_size, event->data, event->data_size);
    ring->end = offset + size;
    ring->bytes += size;
    return ring->next++;
}

bool event_ring_get(const struct event_ring *ring, uint64_t number, struct event *ret_event)
{
    const struct slot *slot;

    if (number < ring->oldest || number >= ring->next)
        return false;
    slot = slot_of(ring, number);
    *ret_event = (struct event){
            .type = slot->type,
            .selections = slot->selections,
            .subject = {.has_device = slot->has_device,
                        .address = slot->address,
                        .rssi = slot->rssi,
                        .facts = ring->octets + slot->offset,
                        .facts_size = slot->facts_size},
            .data = (const char *) ring->octets + slot->offset + slot->facts_size,
            .data_size = slot->data_size,
    };
    return true;
}

uint64_t event_ring_oldest(const struct event_ring *ring)
{
    return ring->oldest;
}

uint64_t event_ring_next(const struct event_ring *ring)
{
    return ring->next;
}

size_t event_ring_capacity(const struct event_ring *ring)
{
    return ring->capacity;
}

size_t event_ring_capacity_bytes(const struct event_ring *ring)
{
    return ring->capacity_bytes;
}

size_t event_ring_bytes(const struct event_ring *ring)
{
    return ring->bytes;
}
