/* Captured advertisements from a file with one JSON object a line (tests/data/README.md). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "payload.h"

#define CORPUS_ROWS_MAX 65535 /* a row's number fits the synthetic address made of it */

struct corpus_row {
    char *id, *kind;
    unsigned line;       /* counted from 0, blank lines too */
    bool is_well_formed; /* kind is not "malformed" */
    bool has_address;
    uint64_t address;
    uint8_t address_type; /* random where the file does not say */
    struct payload payload;
};

struct corpus;

/* NULL when the file cannot be read or a line is not a row; ret_reason then says why and where.
 * Rows of more than 62 octets, which no proxy can report, are left out. */
struct corpus *corpus_load(const char *path, char ret_reason[200]);
/* Accepts NULL. */
void corpus_free(struct corpus *c);

size_t corpus_size(const struct corpus *c);
const struct corpus_row *corpus_row(const struct corpus *c, size_t number);

/* NULL when there is none. */
const struct corpus_row *corpus_find(const struct corpus *c, const char *id);

/* The well-formed row of that kind (NULL: any kind) with this number among them, counted round and
 * round. NULL when there is none at all. */
const struct corpus_row *corpus_pick(const struct corpus *c, const char *kind, uint64_t number);
