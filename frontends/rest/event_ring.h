/* The events of the recent past, each formatted once for all who read them.
 *
 * Numbered from 1 without gaps. Bounded in events and in octets: the oldest go first. All memory is
 * reserved at once, and used as it fills. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rest/event_subject.h"

enum event_type {
    EVENT_ADVERTISEMENT,
    EVENT_DEVICE,
    EVENT_PROXY,
    EVENT_CONNECTION,
    EVENT_NOTIFICATION,
    EVENT_RSSI,
    EVENT_SCAN_WINDOW,
    EVENT_LOG,
    EVENT_TYPES,
};

/* "advertisement" … as the contract has it. */
const char *event_type_name(enum event_type type);
/* False: no such type (size octets of text). */
bool event_type_parse(const char *text, size_t size, enum event_type *ret_type);

struct event {
    enum event_type type;
    uint64_t selections; /* of packets: bits of those that it passed (event_selection.h) */
    struct event_subject subject;
    const char *data; /* JSON */
    size_t data_size;
};

struct event_ring;

/* events, bytes > 0. */
struct event_ring *event_ring_new(size_t events, size_t bytes);
void event_ring_free(struct event_ring *ring); /* accepts NULL */

/* Copies the event in; its number, or 0 when it alone exceeds a quarter of the octets. */
uint64_t event_ring_push(struct event_ring *ring, const struct event *event);

/* False when it is gone, or not there yet. What the event borrows is valid until the next push. */
bool event_ring_get(const struct event_ring *ring, uint64_t number, struct event *ret_event);

/* The oldest that is there, and the number that the next one will get: equal when it is empty. */
uint64_t event_ring_oldest(const struct event_ring *ring);
uint64_t event_ring_next(const struct event_ring *ring);

size_t event_ring_capacity(const struct event_ring *ring);       /* events */
size_t event_ring_capacity_bytes(const struct event_ring *ring); /* of facts and data */
size_t event_ring_bytes(const struct event_ring *ring);          /* that events take now */
