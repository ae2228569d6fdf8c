/* What goes into the file in one transaction: copies, so that a worker may take them.
 *
 * Thread: one after the other. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "store/account_queue.h"
#include "store/gatt.h"
#include "store/pair_table.h"

struct store_device;

struct batch_row {
    uint64_t address;
    bool is_drop; /* the device goes; the rest is not set */
    bool has_name;
    uint8_t address_type;
    int64_t first_seen, last_seen;
    uint64_t advertisements, interval;
    size_t name_at, name_size, details_at, details_size; /* in octets */
};

struct batch_gatt {
    uint64_t address;
    bool is_drop; /* it goes; the rest is not set */
    bool has_hash;
    uint8_t hash[STORE_GATT_HASH_SIZE];
    int64_t updated;
    size_t packed_at, packed_size; /* in octets */
};

enum batch_table { BATCH_PROXIES, BATCH_TEXTS, BATCH_TABLES };

struct batch_text {
    enum batch_table table;
    char *key;
    char *value; /* NULL: it goes */
};

/* Valid when zeroed. */
struct batch {
    struct batch_row *rows;
    size_t rows_count, rows_capacity;
    struct batch_text *texts;
    size_t texts_count, texts_capacity;
    struct store_pair *pairs; /* without MTU and bond: it goes */
    size_t pairs_count, pairs_capacity;
    struct batch_gatt *gatts;
    size_t gatts_count, gatts_capacity;
    struct account_queue accounts;
    int64_t audit_since; /* older rows go, if is_pruning */
    bool is_pruning;
    struct buffer octets;
};

void batch_done(struct batch *b);
/* Empty again, its storage kept. */
void batch_clear(struct batch *b);

/* Devices whose address changes by itself become drops: they are not kept. */
void batch_put_device(struct batch *b, const struct store_device *device);
void batch_drop_device(struct batch *b, uint64_t address);
/* value NULL: drop. */
void batch_put_text(struct batch *b, enum batch_table table, const char *key, const char *value);

void batch_put_pair(struct batch *b, const struct store_pair *pair);

/* Like devices: private addresses become drops. */
void batch_put_gatt(struct batch *b, const struct store_gatt *gatt);
void batch_drop_gatt(struct batch *b, uint64_t address);

/* Where the octets of a row are; valid until the next change. */
const uint8_t *batch_octets(const struct batch *b, size_t at);
