/* The file is read line by line; a fault in one line gives up the whole, because a test that runs
 * on half of its data proves little. */
#include "corpus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/memory.h"
#include "ble/address.h"

#define RAW_MAX     2048 /* octets of a row; longer ones are a fault */
#define REASON_SIZE 200

struct corpus {
    struct corpus_row *rows;
    size_t count, capacity;
};

static void add_row(struct corpus *c, const struct corpus_row *row)
{
    if (c->count == c->capacity) {
        c->capacity = c->capacity == 0 ? 256 : 2 * c->capacity;
        c->rows = memory_resize(c->rows, c->capacity, sizeof(struct corpus_row));
    }
    c->rows[c->count++] = *row;
}

/* NULL, or what is wrong with the row. */
static const char *read_row(struct corpus *c, const json_t *object, unsigned line)
{
    const char *id = json_string_value(json_object_get(object, "id"));
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const char *raw = json_string_value(json_object_get(object, "raw"));
    const char *address = json_string_value(json_object_get(object, "address"));
    const json_t *type = json_object_get(object, "address_type");
    uint8_t octets[RAW_MAX];
    size_t size;
    struct corpus_row row = {.line = line, .address_type = BLE_ADDRESS_RANDOM};

    if (id == NULL || kind == NULL || raw == NULL)
        return "id, kind and raw must be texts";
    if (!bytes_from_hex(octets, sizeof(octets), raw, strlen(raw), &size))
        return "raw must be hex";
    if (address != NULL && !ble_address_parse(address, &row.address))
        return "address is not one";
    if (!payload_divide(&row.payload, octets, size))
        return NULL; /* too long for any proxy */
    if (json_is_integer(type))
        row.address_type = json_integer_value(type) == 0 ? BLE_ADDRESS_PUBLIC : BLE_ADDRESS_RANDOM;
    row.has_address = address != NULL;
    row.is_well_formed = strcmp(kind, "malformed") != 0;
    row.id = memory_copy_text(id);
    row.kind = memory_copy_text(kind);
    add_row(c, &row);
    return NULL;
}

static const char *read_line(struct corpus *c, const char *text, unsigned line)
{
    if (text[strspn(text, " \t\r\n")] == '\0')
        return NULL;
    if (line >= CORPUS_ROWS_MAX)
        return "too many rows";
    json_t *object = json_loads(text, JSON_ALLOW_NUL, NULL);
    const char *fault = json_is_object(object) ? read_row(c, object, line) : "is no JSON object";
    json_decref(object);
    return fault;
}

static bool read_rows(struct corpus *c, FILE *file, const char *path, char ret_reason[REASON_SIZE])
{
    char *text AUTO_FREE = NULL;
    size_t capacity = 0;
    const char *fault = NULL;

    for (unsigned line = 0; getline(&text, &capacity, file) >= 0; line++) {
        fault = read_line(c, text, line);
        if (fault == NULL)
            continue;
        (void) snprintf(ret_reason, REASON_SIZE, "%s:%u: %s", path, line + 1, fault);
        return false;
    }
    if (ferror(file) == 0)
        return true;
    (void) snprintf(ret_reason, REASON_SIZE, "%s: %s", path, strerror(errno));
    return false;
}

struct corpus *corpus_load(const char *path, char ret_reason[REASON_SIZE])
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void) snprintf(ret_reason, REASON_SIZE, "%s: %s", path, strerror(errno));
        return NULL;
    }
    struct corpus *c = xnew(struct corpus, 1);
    bool is_good = read_rows(c, file, path, ret_reason);
    (void) fclose(file); /* only read */
    if (is_good)
        return c;
    corpus_free(c);
    return NULL;
}

void corpus_free(struct corpus *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->count; i++) {
        free(c->rows[i].id);
        free(c->rows[i].kind);
    }
    free(c->rows);
    free(c);
}

size_t corpus_size(const struct corpus *c)
{
    return c->count;
}

const struct corpus_row *corpus_row(const struct corpus *c, size_t number)
{
    return &c->rows[number];
}

const struct corpus_row *corpus_find(const struct corpus *c, const char *id)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->rows[i].id, id) == 0)
            return &c->rows[i];
    return NULL;
}

static bool fits(const struct corpus_row *row, const char *kind)
{
    return row->is_well_formed && (kind == NULL || strcmp(row->kind, kind) == 0);
}

const struct corpus_row *corpus_pick(const struct corpus *c, const char *kind, uint64_t number)
{
    uint64_t fitting = 0;
    for (size_t i = 0; i < c->count; i++)
        fitting += fits(&c->rows[i], kind);
    if (fitting == 0)
        return NULL;
    number %= fitting;
    for (size_t i = 0;; i++)
        if (fits(&c->rows[i], kind) && number-- == 0)
            return &c->rows[i];
}
