/* What the reader of an event stream asked for. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rest/device_filter.h"
#include "rest/event_ring.h"
#include "rest/event_selection.h"
#include "rest/faults.h"
#include "rest/query.h"

#define EVENT_WISH_ADDRESSES_MAX QUERY_ITEMS_MAX

struct event_wish {
    unsigned types; /* 1 << enum event_type */
    struct selection_rule advertisements, rssi;
    bool wants_snapshot;
    uint64_t addresses[EVENT_WISH_ADDRESSES_MAX]; /* any of them; none: any at all */
    size_t addresses_count;
    struct device_filter filter;
    bool has_last; /* the last event that it saw */
    uint32_t last_boot;
    uint64_t last_number;
};

/* The parameters of its query. */
extern const struct query_rule event_wish_rules[];

/* Reads a query that was checked against the rules, and the Last-Event-ID header (NULL or empty:
 * none). Release with event_wish_done(). */
void event_wish_read(struct event_wish *ret_wish, const struct query *query,
                     const char *last_event_id, struct faults *faults);
void event_wish_done(struct event_wish *wish);

/* True when the device has one of the addresses, or all are wanted. */
bool event_wish_has_address(const struct event_wish *wish, uint64_t address);

/* "BOOT-SEQ". */
#define EVENT_ID_SIZE 32
void event_id_format(char ret_text[EVENT_ID_SIZE], uint32_t boot, uint64_t number);
bool event_id_parse(const char *text, uint32_t *ret_boot, uint64_t *ret_number);
