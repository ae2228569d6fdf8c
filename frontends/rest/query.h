/* The query of a request: strict. Every parameter is known by a rule, appears once unless the rule
 * says otherwise, and its value can be read and lies in its range; all else is a fault. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ble/uuid.h"
#include "rest/faults.h"

#define QUERY_ITEMS_MAX 64 /* parameters of one request */

enum query_type {
    QUERY_TEXT,
    QUERY_INTEGER, /* low..high */
    QUERY_NUMBER,  /* low..high */
    QUERY_UUID,
    QUERY_HEX,     /* octets, two digits each */
    QUERY_ENUM,    /* one of values */
    QUERY_TIME,    /* of RFC 3339 */
    QUERY_ADDRESS, /* of a device */
};

struct query_rule {
    const char *name; /* NULL: end of the rules */
    enum query_type type;
    double low, high;
    const char *values; /* "a|b|c" */
    bool is_repeatable;
};

struct query_item {
    char *name, *value; /* ours, decoded */
};

struct query {
    struct query_item items[QUERY_ITEMS_MAX];
    size_t count;
};

/* Reads what stands behind the "?" (NULL: nothing) and holds it against the rules (NULL: none).
 * Values are to be used when no fault was added. Release with query_done() in any case. */
void query_read(struct query *ret_query, const char *text, const struct query_rule *rules,
                struct faults *faults);
void query_done(struct query *q);

/* The values of parameters that a rule has accepted; the alternative when not given. */
const char *query_text(const struct query *q, const char *name); /* NULL: not given */
int64_t query_integer(const struct query *q, const char *name, int64_t alternative);
int64_t query_time(const struct query *q, const char *name, int64_t alternative); /* wall */
double query_number(const struct query *q, const char *name, double alternative);

/* The next value of a repeatable one: *position = 0 to begin; NULL at the end. */
const char *query_next(const struct query *q, const char *name, size_t *position);
