/* The fields of an object, as a table: which keys it may have, and how each is read, dumped and
 * described. Inside this room only. */
#pragma once

#include "values.h"

typedef json_t *field_writer(const void *source, bool with_secrets);

struct field {
    const char *key;
    enum value_type type;
    value_reader *read; /* in place of the type's own */
    field_writer *dump; /* the same, for the way back */
    size_t offset;      /* of the target in the struct */
    double low, high;   /* as in struct value, like the following */
    const char *rule;
    bool is_nullable;
    bool is_required;
    const char *part;           /* that heeds it; NULL: core */
    const char *standard;       /* JSON text of the default; NULL: null, or none when required */
    const struct field *fields; /* of a VALUE_OBJECT */
    size_t fields_count;
};

/* Reads the object into the struct; what it does not name stays as it is. Whatever is wrong is a
 * fault: not an object, an unknown key, a missing one, a value. Names like "proxies.weight" (path
 * and key) are noted as without effect when their part does not exist. */
void fields_read(const struct field *fields, size_t count, const struct value *object,
                 const char *path, void *target);

/* The object again, with all its fields (a new reference). */
json_t *fields_dump(const struct field *fields, size_t count, const void *source,
                    bool with_secrets);

/* Notes "path.key" (or the path alone) as without effect, unless the part exists. */
void fields_note_effect(struct reading *reading, const char *part, const char *path,
                        const char *key);

/* The nearest of the words considered, for "did you mean"; empty when none is near. */
struct nearest {
    const char *wanted;
    char found[64];
    size_t distance; /* of found */
};
void nearest_consider(struct nearest *n, const char *candidate);

/* The fault for an unknown key at this place. */
void nearest_report(const struct nearest *n, struct reading *reading, const struct place *at);
