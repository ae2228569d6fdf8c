#include "body.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "ble/address.h"

#define UNKNOWN_MAX 100 /* fields of one body that are named; a client can send a million */

struct body {
    json_t *fields; /* an object */
};

struct reading {
    body_fault_fn *on_fault;
    void *user;
    bool is_faulty;
};

/* RFC 6901: "~" and "/" of a key are written "~0" and "~1". */
static void append_pointer_part(struct buffer *b, const char *key)
{
    buffer_append_char(b, '/');
    for (; *key; key++) {
        if (*key == '~')
            buffer_append_text(b, "~0");
        else if (*key == '/')
            buffer_append_text(b, "~1");
        else
            buffer_append_char(b, *key);
    }
}

static void report(struct reading *r, const char *key, const char *detail)
{
    struct buffer b = {0};
    char *pointer;

    append_pointer_part(&b, key);
    pointer = buffer_take_text(&b);
    r->is_faulty = true;
    r->on_fault(r->user, pointer, detail);
    free(pointer);
}

static const struct body_rule *find_rule(const struct body_rule *rules, const char *name)
{
    for (; rules && rules->name; rules++) {
        if (strcmp(rules->name, name) == 0)
            return rules;
    }
    return NULL;
}

static void report_unknown(struct reading *r, const struct body_rule *rules, json_t *object)
{
    size_t count = 0;
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        if (find_rule(rules, key))
            continue;
        if (count++ == UNKNOWN_MAX)
            break;
        report(r, key, "no such field here");
    }
}

/* "a|b|c" holds the text. */
static bool is_among(const char *values, const char *text)
{
    size_t length = strlen(text);

    for (; *values; values += strcspn(values, "|"), values += *values == '|') {
        if (strcspn(values, "|") == length && memcmp(values, text, length) == 0)
            return true;
    }
    return false;
}

/* 10.0 is an integer too. */
static bool is_integer(const json_t *value)
{
    double number = json_number_value(value);

    return json_is_number(value) && (json_is_integer(value) || trunc(number) == number);
}

static bool is_list_of_texts(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_string(json_array_get(value, i)))
            return false;
    }
    return json_array_size(value) > 0;
}

static bool is_time(const json_t *value)
{
    int64_t wall;

    return json_is_string(value) && clock_parse(json_string_value(value), &wall);
}

static bool is_address(const json_t *value)
{
    uint64_t address;

    return json_is_string(value) && ble_address_parse(json_string_value(value), &address);
}

static bool is_hex(const json_t *value)
{
    const char *text = json_string_value(value);

    return text && json_string_length(value) % 2 == 0 &&
           strspn(text, "0123456789abcdefABCDEF") == json_string_length(value);
}

static void check_value(struct reading *r, const struct body_rule *rule, const json_t *value)
{
    double number = json_number_value(value);
    char detail[BODY_DETAIL_SIZE] = "";

    switch (rule->type) {
    case BODY_TEXT:
        if (!json_is_string(value))
            (void) snprintf(detail, sizeof detail, "must be a text");
        else if (rule->values && !is_among(rule->values, json_string_value(value)))
            (void) snprintf(detail, sizeof detail, "must be one of %s", rule->values);
        else if (rule->high > 0 && (double) json_string_length(value) > rule->high)
            (void) snprintf(detail, sizeof detail, "must be at most %.0f octets long", rule->high);
        break;
    case BODY_INTEGER:
        if (!is_integer(value))
            (void) snprintf(detail, sizeof detail, "must be a whole number");
        else if (number < rule->low || number > rule->high)
            (void) snprintf(detail, sizeof detail, "must be from %.0f to %.0f", rule->low,
                            rule->high);
        break;
    case BODY_NUMBER:
        if (!json_is_number(value))
            (void) snprintf(detail, sizeof detail, "must be a number");
        else if (number < rule->low || number > rule->high)
            (void) snprintf(detail, sizeof detail, "must be from %g to %g", rule->low, rule->high);
        break;
    case BODY_TEXTS:
        if (!is_list_of_texts(value))
            (void) snprintf(detail, sizeof detail, "must be a list of texts, of at least one");
        break;
    case BODY_BOOL:
        if (!json_is_boolean(value))
            (void) snprintf(detail, sizeof detail, "must be true or false");
        break;
    case BODY_TIME:
        if (!is_time(value))
            (void) snprintf(detail, sizeof detail, "must be a time like 2026-11-21T10:05:12.250Z");
        break;
    case BODY_ADDRESS:
        if (!is_address(value))
            (void) snprintf(detail, sizeof detail, "must be a device address");
        break;
    case BODY_HEX:
        if (!is_hex(value))
            (void) snprintf(detail, sizeof detail, "must be octets in hex, two digits each");
        break;
    case BODY_OBJECT:
        if (!json_is_object(value))
            (void) snprintf(detail, sizeof detail, "must be an object");
        break;
    }
    if (*detail)
        report(r, rule->name, detail);
}

static void check_fields(struct reading *r, const struct body_rule *rules, json_t *object)
{
    report_unknown(r, rules, object);
    for (; rules && rules->name; rules++) {
        const json_t *value = json_object_get(object, rules->name);

        if (value && !(rules->is_nullable && json_is_null(value)))
            check_value(r, rules, value);
        else if (rules->is_required)
            report(r, rules->name, "is missing");
    }
}

/* The library's message without what it quotes of the text. */
static void describe(const json_error_t *error, char ret_detail[BODY_DETAIL_SIZE])
{
    const char *quotation = strstr(error->text, " near ");
    int length = (int) (quotation ? (size_t) (quotation - error->text) : strlen(error->text));

    (void) snprintf(ret_detail, BODY_DETAIL_SIZE, "the body is not JSON: line %d, column %d: %.*s",
                    error->line, error->column, length, error->text);
}

int body_read(const void *octets, size_t size, const struct body_rule *rules,
              body_fault_fn *on_fault, void *user, struct body **ret_body,
              char ret_detail[BODY_DETAIL_SIZE])
{
    struct reading r = {.on_fault = on_fault, .user = user};
    json_error_t error;
    json_t *root =
            size > 0 ? json_loadb(octets, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error)
                     : json_object();

    if (!root) {
        describe(&error, ret_detail);
        return -EBADMSG;
    }
    if (json_is_object(root)) {
        check_fields(&r, rules, root);
    } else {
        r.is_faulty = true;
        on_fault(user, "", "must be an object");
    }
    if (r.is_faulty) {
        json_decref(root);
        return E_INVALID_REQUEST;
    }
    *ret_body = xnew(struct body, 1);
    (*ret_body)->fields = root;
    return 0;
}

int body_check(const void *octets, size_t size, char ret_detail[BODY_DETAIL_SIZE])
{
    json_error_t error;
    json_t *root = json_loadb(size > 0 ? octets : "", size,
                              JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);

    if (!root) {
        describe(&error, ret_detail);
        return -EBADMSG;
    }
    json_decref(root);
    return 0;
}

void body_free(struct body *body)
{
    if (!body)
        return;
    json_decref(body->fields);
    free(body);
}

const char *body_text(const struct body *body, const char *name)
{
    return json_string_value(json_object_get(body->fields, name));
}

int64_t body_integer(const struct body *body, const char *name, int64_t alternative)
{
    const json_t *value = json_object_get(body->fields, name);

    return json_is_number(value) ? (int64_t) json_number_value(value) : alternative;
}

double body_number(const struct body *body, const char *name, double alternative)
{
    const json_t *value = json_object_get(body->fields, name);

    return json_is_number(value) ? json_number_value(value) : alternative;
}

const char *body_list_text(const struct body *body, const char *name, size_t index)
{
    return json_string_value(json_array_get(json_object_get(body->fields, name), index));
}

bool body_bool(const struct body *body, const char *name, bool alternative)
{
    const json_t *value = json_object_get(body->fields, name);

    return json_is_boolean(value) ? json_is_true(value) : alternative;
}

int64_t body_time(const struct body *body, const char *name, int64_t alternative)
{
    const char *text = body_text(body, name);

    if (text)
        (void) clock_parse(text, &alternative); /* the rule has seen to it */
    return alternative;
}

bool body_address(const struct body *body, const char *name, uint64_t *ret_address)
{
    const char *text = body_text(body, name);

    return text && ble_address_parse(text, ret_address);
}

uint8_t *body_octets(const struct body *body, const char *name, size_t *ret_size)
{
    const json_t *value = json_object_get(body->fields, name);
    size_t length = json_string_length(value);
    uint8_t *octets;

    if (!json_is_string(value))
        return NULL;
    octets = xnew(uint8_t, length / 2 + 1);
    (void) bytes_from_hex(octets, length / 2, json_string_value(value), length, ret_size);
    return octets;
}

char *body_object(const struct body *body, const char *name)
{
    const json_t *value = json_object_get(body->fields, name);

    return json_is_object(value) ? json_dumps(value, JSON_COMPACT) : NULL;
}
