/* Reading JSON with checks: every value knows its JSON pointer, every fault is noted with it, and
 * reading goes on with a fallback, so that all faults of a file are found at once.
 *
 * A spot is a plain value that borrows from the document and from its reader. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buffer.h"

#define READER_FAULTS_MAX   50 /* lines kept; the rest is only counted */
#define READER_POINTER_SIZE 200

/* Valid when zeroed. text: a line "pointer: sentence" for each fault. */
struct reader {
    struct buffer text;
    size_t faults;
};

struct spot {
    struct reader *reader; /* borrowed */
    json_t *value;         /* borrowed; NULL when absent */
    char pointer[READER_POINTER_SIZE];
};

struct spot_range {
    double low, high;
};

void reader_done(struct reader *r);
struct spot reader_root(struct reader *r, json_t *document);

/* Notes a fault of the value at the spot. */
void spot_fault(const struct spot *s, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* A member or an item; absent (value NULL) when there is none or s is of another type. */
struct spot spot_member(const struct spot *s, const char *key);
struct spot spot_item(const struct spot *s, size_t index);

/* Notes a fault and returns false unless s is an object whose members are all among names, which
 * ends with NULL. */
bool spot_expect_object(const struct spot *s, const char *const *names);

/* The items of an array, at most max; 0 when absent; a fault when it is something else. */
size_t spot_items(const struct spot *s, size_t max);

/* Values; the fallback when absent or wrong. Texts are borrowed from the document. */
double spot_number(const struct spot *s, double min, double max, double fallback);
int64_t spot_integer(const struct spot *s, int64_t min, int64_t max, int64_t fallback);
bool spot_bool(const struct spot *s, bool fallback);
const char *spot_text(const struct spot *s, const char *fallback);

/* A number, or [low, high]. */
struct spot_range spot_range(const struct spot *s, double min, double max, double fallback);
