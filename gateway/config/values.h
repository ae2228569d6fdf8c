/* From one JSON value to one value of C: a reader per type.
 *
 * A reader checks the value against the type and its limits and stores it in the target; when it is
 * not valid, it adds a fault and leaves the target alone. Texts in the target are replaced. Inside
 * this room only. */
#pragma once

#include <jansson.h>

#include "fault_list.h"

#define VALUE_TEXT_MAX   256  /* octets of a text */
#define VALUE_PATH_MAX   4095 /* octets of the name of a file */
#define VALUE_SECRET_MAX 256  /* octets of a secret */

struct reading { /* of one document */
    struct config_faults *faults;
    const char *const *parts;            /* that exist; NULL at the end */
    struct config_texts *without_effect; /* NULL: nobody asks */
};

struct value {
    struct reading *reading;
    struct place at;
    json_t *json;     /* borrowed */
    double low, high; /* of numbers */
    const char *rule; /* enums: the words, separated by '|'; texts: a rule by name, or NULL */
    bool is_nullable; /* null is fine as well, and becomes the null of the type */
};

#define VALUE_FAULT(v, ...) fault_list_add((v)->reading->faults, &(v)->at, __VA_ARGS__)

/* A fault "must be WANTED, found TYPE". */
void value_is_not(const struct value *v, const char *wanted);

enum value_type { /* with what it becomes in C */
                  VALUE_BOOL,
                  VALUE_INT,     /* int64_t; null is INT64_MIN */
                  VALUE_NUMBER,  /* double; null is 0 */
                  VALUE_TEXT,    /* char *; null is NULL, like for all that are char * */
                  VALUE_ENUM,    /* char * */
                  VALUE_SECRET,  /* char * */
                  VALUE_KEY,     /* char *, 32 octets in base64 */
                  VALUE_TEXTS,   /* struct config_texts */
                  VALUE_ADDRESS, /* struct config_addresses, exactly one */
                  VALUE_ADDRESSES,
                  VALUE_MAC,    /* a Bluetooth address: see value_get_mac() */
                  VALUE_OBJECT, /* has fields of its own: see fields.h */
};

typedef void value_reader(const struct value *v, void *target);

/* The readers of all types but the last two. */
value_reader value_read_bool, value_read_int, value_read_number;
value_reader value_read_text, value_read_enum, value_read_secret, value_read_key, value_read_texts;
value_reader value_read_address, value_read_addresses;

/* Reads by the type; VALUE_MAC and VALUE_OBJECT have no reader here. */
void value_read(enum value_type type, const struct value *v, void *target);

/* The way back: the JSON of what a reader stored (a new reference). Without secrets, those that are
 * set become "***". VALUE_MAC and VALUE_OBJECT have no writer here. */
json_t *value_dump(enum value_type type, const void *source, bool with_secrets);
json_t *value_dump_text(const char *text); /* NULL is null */
json_t *value_dump_secret(const char *secret, bool with_secrets);
json_t *value_dump_number(double number); /* whole ones without a fraction */

/* The text of a value that must be one, or NULL after a fault. Borrowed. */
const char *value_text(const struct value *v);
/* The same for a secret: "***" is none. */
const char *value_secret(const struct value *v);

/* A Bluetooth address; false after a fault. */
bool value_get_mac(const struct value *v, uint64_t *ret_address);

/* Wipes and releases a secret (NULL is fine). */
void value_free_secret(char *secret);
void value_free_texts(struct config_texts *texts);
void value_append_text(struct config_texts *texts, const char *text);
