/* One reader of the events: a place in the ring, a wish, and the text of server-sent events.
 *
 * The publisher (event_publisher.h) makes readers, offers them every event and calls them at
 * times; whoever carries the text reads from the stream. Time comes from the gateway; virtual in
 * tests. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/gateway.h"
#include "rest/answer.h"
#include "rest/clients.h"
#include "rest/event_ring.h"
#include "rest/event_wish.h"

#define EVENT_READER_COMMENT (15 * USEC_PER_SEC) /* a sign of life each */
#define EVENT_READER_STALLED (30 * USEC_PER_SEC) /* without reading, then it is cut */

struct event_reader;

struct event_reader_setup {
    struct gateway *gateway; /* borrowed, like the ring */
    const struct event_ring *ring;
    uint32_t boot;
    uint64_t first;               /* of the events that can be replayed to this reader */
    size_t queue_max;             /* events that may wait for it */
    uint64_t selections;          /* bits of its own selections */
    void (*on_again)(void *user); /* it has more to say without an event: call event_reader_again()
                                     in a later turn */
    void (*on_free)(void *user, struct event_reader *reader); /* it is about to go */
    void *user;
};

/* The wish goes over to the reader. Begins with what the wish asks for: what it missed, or reset;
 * the snapshot. */
struct event_reader *event_reader_new(const struct event_reader_setup *setup,
                                      struct event_wish *wish);

/* Its text; freeing it frees the reader. */
struct answer_stream *event_reader_stream(struct event_reader *r);

/* Its entry in the list of clients; messages, bytes, dropped and queued are kept by the reader. */
struct client *event_reader_client(struct event_reader *r);

/* A new event of the ring, of this number. Queued if it is wanted. */
void event_reader_offer(struct event_reader *r, uint64_t number, const struct event *event);

void event_reader_again(struct event_reader *r);

/* Signs of life, and the end of those that do not read. Call it every second or so. True: it was
 * found stalled just now. */
bool event_reader_tick(struct event_reader *r, usec_t now);

/* The stream ends after what it has begun to say. */
void event_reader_end(struct event_reader *r);
