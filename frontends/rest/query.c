#include "query.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ble/address.h"
#include "rest/percent.h"

#define HEX_OCTETS_MAX 255 /* more than any advertisement holds behind a key */

static const struct query_rule *find_rule(const struct query_rule *rules, const char *name)
{
    for (; rules && rules->name; rules++) {
        if (strcmp(rules->name, name) == 0)
            return rules;
    }
    return NULL;
}

/* ---- values ---- */

/* JSON's syntax of numbers, so that "inf", "0x1" and " 1" are none. */
static bool is_number(const char *text, bool is_integer)
{
    size_t digits;

    if (*text == '-')
        text++;
    digits = strspn(text, "0123456789");
    text += digits;
    if (digits == 0 || is_integer)
        return digits > 0 && *text == '\0';
    if (*text == '.') {
        digits = strspn(++text, "0123456789");
        text += digits;
        if (digits == 0)
            return false;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '+' || *text == '-';
        digits = strspn(text, "0123456789");
        text += digits;
        if (digits == 0)
            return false;
    }
    return *text == '\0';
}

static void check_number(const struct query_rule *rule, const char *value, struct faults *faults)
{
    double number;

    if (!is_number(value, rule->type == QUERY_INTEGER)) {
        faults_add_unreadable(faults, "%s must be %s", rule->name,
                              rule->type == QUERY_INTEGER ? "an integer" : "a number");
        return;
    }
    number = strtod(value, NULL);
    if (number >= rule->low && number <= rule->high)
        return;
    if (isinf(rule->high))
        faults_add_query(faults, rule->name, "must be at least %g", rule->low);
    else
        faults_add_query(faults, rule->name, "must be %g to %g", rule->low, rule->high);
}

static void check_enum(const struct query_rule *rule, const char *value, struct faults *faults)
{
    size_t size = strlen(value);
    const char *word = rule->values;

    for (;;) {
        size_t length = strcspn(word, "|");

        if (length == size && memcmp(word, value, size) == 0)
            return;
        if (word[length] == '\0')
            break;
        word += length + 1;
    }
    faults_add_query(faults, rule->name, "must be one of %s", rule->values);
}

static void check_hex(const struct query_rule *rule, const char *value, struct faults *faults)
{
    uint8_t data[HEX_OCTETS_MAX];
    size_t length = strlen(value), size;

    if (length % 2 == 0 && strspn(value, "0123456789abcdefABCDEF") == length &&
        !bytes_from_hex(data, sizeof data, value, length, &size))
        faults_add_query(faults, rule->name, "must be %d octets at most", HEX_OCTETS_MAX);
    else if (!bytes_from_hex(data, sizeof data, value, length, &size))
        faults_add_unreadable(faults, "%s must be octets in hex, two digits each", rule->name);
}

static void check_value(const struct query_rule *rule, const char *value, struct faults *faults)
{
    struct ble_uuid uuid;
    uint64_t address;
    int64_t wall;

    switch (rule->type) {
    case QUERY_TEXT:
        break;
    case QUERY_INTEGER:
    case QUERY_NUMBER:
        check_number(rule, value, faults);
        break;
    case QUERY_UUID:
        if (!ble_uuid_parse(value, &uuid))
            faults_add_unreadable(faults, "%s must be a UUID: 4, 8 or 32 hex digits", rule->name);
        break;
    case QUERY_HEX:
        check_hex(rule, value, faults);
        break;
    case QUERY_ENUM:
        check_enum(rule, value, faults);
        break;
    case QUERY_TIME:
        if (!clock_parse(value, &wall))
            faults_add_unreadable(faults, "%s must be a time like 2026-11-21T10:05:12.250Z",
                                  rule->name);
        break;
    case QUERY_ADDRESS:
        if (!ble_address_parse(value, &address))
            faults_add_unreadable(faults, "%s must be a device address", rule->name);
        break;
    }
}

/* ---- items ---- */

static bool is_first(const struct query *q, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(q->items[i].name, q->items[index].name) == 0)
            return false;
    }
    return true;
}

static void check_items(const struct query *q, const struct query_rule *rules,
                        struct faults *faults)
{
    for (size_t i = 0; i < q->count; i++) {
        const struct query_item *item = &q->items[i];
        const struct query_rule *rule = find_rule(rules, item->name);

        if (!rule && is_first(q, i))
            faults_add_query(faults, item->name, "no such parameter here");
        else if (rule && !rule->is_repeatable && !is_first(q, i))
            faults_add_query(faults, item->name, "must be given once");
        else if (rule)
            check_value(rule, item->value, faults);
    }
}

static bool push_item(struct query *q, const char *text, size_t size, struct faults *faults)
{
    const char *equals = memchr(text, '=', size);
    size_t name_size = equals ? (size_t) (equals - text) : size;
    size_t value_size = equals ? size - name_size - 1 : 0;
    struct query_item *item = &q->items[q->count];

    if (q->count == QUERY_ITEMS_MAX) {
        faults_add_unreadable(faults, "more than %d query parameters", QUERY_ITEMS_MAX);
        return false;
    }
    item->name = percent_decode(text, name_size, true);
    item->value = percent_decode(equals ? equals + 1 : "", value_size, true);
    if (!item->name || !item->value) {
        free(item->name);
        free(item->value);
        faults_add_unreadable(faults, "the query is not percent-encoded UTF-8");
        return false;
    }
    q->count++;
    return true;
}

static const char *find_text(const struct query *q, const char *name)
{
    size_t position = 0;

    return query_next(q, name, &position);
}

void query_read(struct query *ret_query, const char *text, const struct query_rule *rules,
                struct faults *faults)
{
    ret_query->count = 0;
    while (text && *text) {
        size_t size = strcspn(text, "&");

        if (size > 0 && !push_item(ret_query, text, size, faults))
            return;
        text += size;
        text += *text == '&';
    }
    check_items(ret_query, rules, faults);
}

void query_done(struct query *q)
{
    for (size_t i = 0; i < q->count; i++) {
        free(q->items[i].name);
        free(q->items[i].value);
    }
    q->count = 0;
}

const char *query_text(const struct query *q, const char *name)
{
    return find_text(q, name);
}

int64_t query_integer(const struct query *q, const char *name, int64_t alternative)
{
    const char *value = find_text(q, name);

    return value ? strtoll(value, NULL, 10) : alternative;
}

int64_t query_time(const struct query *q, const char *name, int64_t alternative)
{
    const char *value = query_text(q, name);
    int64_t wall;

    return value && clock_parse(value, &wall) ? wall : alternative;
}

double query_number(const struct query *q, const char *name, double alternative)
{
    const char *value = find_text(q, name);

    return value ? strtod(value, NULL) : alternative;
}

const char *query_next(const struct query *q, const char *name, size_t *position)
{
    while (*position < q->count) {
        const struct query_item *item = &q->items[(*position)++];

        if (strcmp(item->name, name) == 0)
            return item->value;
    }
    return NULL;
}
