/* Reads request bodies: an object whose fields are known by rules, held against them strictly.
 * Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum body_type {
    BODY_TEXT,    /* one of values, if there are any; at most high octets, unless that is 0 */
    BODY_INTEGER, /* low..high */
    BODY_NUMBER,  /* low..high */
    BODY_BOOL,
    BODY_TEXTS,   /* a list of texts, at least one */
    BODY_TIME,    /* a text of RFC 3339 */
    BODY_ADDRESS, /* a text: of a device */
    BODY_HEX,     /* a text: octets, two digits each */
    BODY_OBJECT,  /* what is in it is somebody else's to judge */
};

struct body_rule {
    const char *name; /* NULL: end of the rules */
    enum body_type type;
    double low, high;
    const char *values; /* "a|b|c"; NULL: any */
    bool is_required;
    bool is_nullable; /* null is as good as absent */
};

struct body;

/* Called with the JSON Pointer and a sentence of what is wrong there. */
typedef void body_fault_fn(void *user, const char *pointer, const char *detail);

/* Holds it against the rules (NULL: no field is known). No octets at all are an empty object.
 * 0: to be freed with body_free(). -EBADMSG: it is not JSON, with a sentence in ret_detail.
 * E_INVALID_REQUEST: it is JSON, and on_fault was called. */
#define BODY_DETAIL_SIZE 256
int body_read(const void *octets, size_t size, const struct body_rule *rules,
              body_fault_fn *on_fault, void *user, struct body **ret_body,
              char ret_detail[BODY_DETAIL_SIZE]);
void body_free(struct body *body); /* accepts NULL */

/* For bodies that somebody else judges: 0, or -EBADMSG when it is no JSON, or nothing at all. */
int body_check(const void *octets, size_t size, char ret_detail[BODY_DETAIL_SIZE]);

/* Fields that a rule has accepted; the alternative when absent or null. Texts are borrowed. */
const char *body_text(const struct body *body, const char *name); /* NULL: absent */
int64_t body_integer(const struct body *body, const char *name, int64_t alternative);
double body_number(const struct body *body, const char *name, double alternative);
/* The text at this place of a list; NULL: behind its end, or there is no list. */
const char *body_list_text(const struct body *body, const char *name, size_t index);
bool body_bool(const struct body *body, const char *name, bool alternative);
int64_t body_time(const struct body *body, const char *name, int64_t alternative); /* wall clock */
bool body_address(const struct body *body, const char *name, uint64_t *ret_address);
/* Octets, to be freed; NULL: absent. */
uint8_t *body_octets(const struct body *body, const char *name, size_t *ret_size);
/* The object again as JSON text, to be freed; NULL: absent. */
char *body_object(const struct body *body, const char *name);
