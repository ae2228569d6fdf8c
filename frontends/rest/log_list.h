/* One page of the log lines that are kept, newest first. A cursor holds the sequence of the last
 * item of the page before; lines that came since do not move what follows. Thread: any. */
#pragma once

#include "base/log.h"
#include "rest/faults.h"
#include "rest/query.h"

/* For a table of query rules. */
#define LOG_LIST_RULES                                                                             \
    {.name = "limit", .type = QUERY_INTEGER, .low = 1, .high = 1000},                              \
            {.name = "cursor", .type = QUERY_TEXT},                                                \
            {.name = "level", .type = QUERY_ENUM, .values = "error|warning|info|debug"},           \
    {                                                                                              \
        .name = "module", .type = QUERY_TEXT                                                       \
    }

struct log_list {
    enum log_level level; /* this and worse */
    const char *module;   /* borrowed from the query; NULL: all */
    size_t limit;
    uint64_t before; /* a sequence */
};

/* Reads a query that was checked against the rules. */
void log_list_read(struct log_list *ret_list, const struct query *query, struct faults *faults);

/* Writes {"items":[…],"next":…}. */
void log_list_write(const struct log_list *l, struct writer *w);
