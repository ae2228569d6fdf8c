#include "fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- did you mean ---- */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Levenshtein's, of words shorter than the array of struct nearest. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[sizeof(((struct nearest *) NULL)->found)];
    size_t length = strlen(b);

    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0]; /* the row above, one to the left */

        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t above = row[j + 1];

            row[j + 1] = smallest(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
            diagonal = above;
        }
    }
    return row[length];
}

/* "margin" for "margin_db" is one slip, not three. */
static bool is_begin(const char *a, const char *b)
{
    size_t length = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

    return length >= 3 && memcmp(a, b, length) == 0;
}

void nearest_consider(struct nearest *n, const char *candidate)
{
    size_t length = strlen(n->wanted);
    size_t distance;

    if (length >= sizeof(n->found) || strlen(candidate) >= sizeof(n->found))
        return;
    distance = is_begin(n->wanted, candidate) ? 1 : edit_distance(n->wanted, candidate);
    if (distance > (length + 2) / 3 || (n->found[0] && distance >= n->distance))
        return;
    memcpy(n->found, candidate, strlen(candidate) + 1);
    n->distance = distance;
}

void nearest_report(const struct nearest *n, struct reading *reading, const struct place *at)
{
    if (n->found[0])
        fault_list_add(reading->faults, at, "is not a known key; did you mean \"%s\"?", n->found);
    else
        fault_list_add(reading->faults, at, "is not a known key");
}

/* ---- parts ---- */

static bool is_listed(const struct reading *reading, const char *name)
{
    for (const char *const *p = reading->parts; *p; p++) {
        if (strcmp(*p, name) == 0)
            return true;
    }
    return false;
}

void fields_note_effect(struct reading *reading, const char *part, const char *path,
                        const char *key)
{
    struct config_texts *noted = reading->without_effect;
    char name[128];

    (void) snprintf(name, sizeof(name), "%s%s%s", path, key ? "." : "", key ? key : "");
    if (!noted || !part || is_listed(reading, part) || is_listed(reading, name))
        return;
    for (size_t i = 0; i < noted->count; i++) {
        if (strcmp(noted->items[i], name) == 0)
            return;
    }
    value_append_text(noted, name);
}

/* ---- an object ---- */

static const struct field *find_field(const struct field *fields, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    }
    return NULL;
}

static void report_unknown(const struct field *fields, size_t count, const struct value *v)
{
    struct nearest nearest = {.wanted = v->at.key};

    for (size_t i = 0; i < count; i++)
        nearest_consider(&nearest, fields[i].key);
    nearest_report(&nearest, v->reading, &v->at);
}

static void report_missing(const struct field *fields, size_t count, const struct value *object)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].is_required && !json_object_get(object->json, fields[i].key))
            VALUE_FAULT(object, "must have \"%s\"", fields[i].key);
    }
}

void fields_read(const struct field *fields, size_t count, const struct value *object,
                 const char *path, void *target)
{
    const char *key;
    json_t *json;

    if (!json_is_object(object->json)) {
        value_is_not(object, "an object");
        return;
    }
    json_object_foreach(object->json, key, json)
    {
        const struct field *field = find_field(fields, count, key);
        struct value v = {.reading = object->reading,
                          .at = {.parent = &object->at, .key = key},
                          .json = json};

        if (!field) {
            report_unknown(fields, count, &v);
            continue;
        }
        v.low = field->low;
        v.high = field->high;
        v.rule = field->rule;
        v.is_nullable = field->is_nullable;
        if (field->read)
            field->read(&v, (char *) target + field->offset);
        else
            value_read(field->type, &v, (char *) target + field->offset);
        fields_note_effect(object->reading, field->part, path, key);
    }
    report_missing(fields, count, object);
}

json_t *fields_dump(const struct field *fields, size_t count, const void *source, bool with_secrets)
{
    json_t *object = json_object();

    for (size_t i = 0; i < count; i++) {
        const struct field *f = &fields[i];
        const void *value = (const char *) source + f->offset;

        (void) json_object_set_new(object, f->key,
                                   f->dump ? f->dump(value, with_secrets)
                                           : value_dump(f->type, value, with_secrets));
    }
    return object;
}
