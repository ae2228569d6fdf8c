/* One page of devices: filtered, in order, from a cursor on.
 *
 * A cursor holds the sort key and the address of the last item of the page before. What exists
 * throughout and keeps its key comes exactly once; an address is a key that never changes. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rest/device_filter.h"
#include "json/writer.h"

/* For a table of query rules. */
#define DEVICE_LIST_RULES                                                                          \
    {.name = "limit", .type = QUERY_INTEGER, .low = 1, .high = 1000},                              \
            {.name = "cursor", .type = QUERY_TEXT},                                                \
    {                                                                                              \
        .name = "sort", .type = QUERY_ENUM,                                                        \
        .values = "rssi|-rssi|last_seen|-last_seen|name|-name|address|-address"                    \
    }

#define DEVICE_LIST_NAME_MAX 255 /* octets of a name that take part in the order */

enum device_sort {
    DEVICE_SORT_ADDRESS,
    DEVICE_SORT_NAME,      /* by octets; without a name first */
    DEVICE_SORT_RSSI,      /* unknown is weakest */
    DEVICE_SORT_LAST_SEEN, /* never is earliest */
};

struct device_key {
    int64_t number;
    const char *text; /* borrowed; NULL: none */
    size_t text_size;
    uint64_t address; /* decides between equals */
};

struct device_list {
    struct device_filter filter;
    enum device_sort sort;
    bool is_descending;
    size_t limit;
    bool has_after;
    struct device_key after; /* its text points at after_text */
    char after_text[DEVICE_LIST_NAME_MAX];
};

/* Reads filter, sort, limit and cursor of a query that was checked against the rules. Release with
 * device_list_done(). */
void device_list_read(struct device_list *ret_list, const struct query *query,
                      struct faults *faults);
void device_list_done(struct device_list *l);

/* The target takes over all that the source holds, which is empty afterwards. */
void device_list_move(struct device_list *target, struct device_list *source);

/* True when the device belongs to the list behind the cursor. */
bool device_list_includes(const struct device_list *l, const struct gateway *g,
                          const struct gateway_device *device);

/* Writes "items":[…] into an object; their number. *ret_next is the cursor of the next page, to be
 * freed; NULL: there is none. */
size_t device_list_write_items(const struct device_list *l, struct writer *w,
                               const struct gateway *g, char **ret_next);

/* Writes {"items":[…],"next":…}; the number of items. */
size_t device_list_write(const struct device_list *l, struct writer *w, const struct gateway *g);
