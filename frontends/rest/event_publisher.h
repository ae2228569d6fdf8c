/* Makes events of what happens at the gateway, once for all readers, and hands them out.
 *
 * Readers are woken together, a few milliseconds after an event: one wake-up serves many events.
 * Without readers it stays at it for a while, so that one who comes back misses nothing, and then
 * rests. Packets are looked at only while somebody wants them. Thread: the loop's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "gateway/gateway.h"
#include "rest/answer.h"
#include "rest/clients.h"
#include "rest/event_wish.h"
#include "json/device_texts.h"
#include "json/event_json.h"

struct event_publisher;

/* What is borrowed must outlive it. */
struct event_publisher *event_publisher_new(struct gateway *g, struct clients *clients,
                                            struct device_texts *texts);

/* A number of this run, drawn at random: the first half of the ids. Only before the first reader.
 */
void event_publisher_set_boot(struct event_publisher *p, uint32_t boot);

/* Ends all streams, and opens none any more. */
void event_publisher_stop(struct event_publisher *p);
void event_publisher_free(struct event_publisher *p); /* no stream may be left; accepts NULL */

/* A reader comes: its stream, to be freed by the caller, and the wish goes over. E_OVERLOADED: too
 * many readers (or rules); the wish stays the caller's. name, remote: for the list of clients;
 * NULL: not known. */
int event_publisher_open(struct event_publisher *p, struct event_wish *wish, const char *name,
                         const char *remote, struct answer_stream **ret_stream);

/* A line of the log; those less than a warning are no events. */
void event_publisher_log(struct event_publisher *p, const struct event_log_line *line);

struct event_statistics {
    size_t readers;
    uint64_t published; /* events made */
    uint64_t delivered; /* events given to readers, those that have left included */
    uint64_t dropped;   /* lost by readers, the same */
    uint64_t cut;       /* readers that did not read */
    size_t ring_events, ring_bytes;
};
void event_publisher_get_statistics(const struct event_publisher *p,
                                    struct event_statistics *ret_statistics);
