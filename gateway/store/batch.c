/* Rows, texts, pairs and GATT databases in an array each; names, details and packed trees one
 * behind the other in a buffer. */
#include "batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ble/address.h"
#include "details.h"

static struct batch_row *add_row(struct batch *b, uint64_t address)
{
    if (b->rows_count == b->rows_capacity) {
        b->rows_capacity = b->rows_capacity ? b->rows_capacity * 2 : 16;
        b->rows = memory_resize(b->rows, b->rows_capacity, sizeof *b->rows);
    }
    b->rows[b->rows_count] = (struct batch_row){.address = address};
    return &b->rows[b->rows_count++];
}

void batch_clear(struct batch *b)
{
    for (size_t i = 0; i < b->texts_count; i++) {
        free(b->texts[i].key);
        free(b->texts[i].value);
    }
    b->rows_count = b->texts_count = b->pairs_count = b->gatts_count = 0;
    account_queue_clear(&b->accounts);
    b->is_pruning = false;
    buffer_clear(&b->octets);
}

void batch_done(struct batch *b)
{
    batch_clear(b);
    free(b->rows);
    free(b->texts);
    free(b->pairs);
    free(b->gatts);
    account_queue_done(&b->accounts);
    buffer_done(&b->octets);
    *b = (struct batch){0};
}

void batch_put_device(struct batch *b, const struct store_device *device)
{
    struct batch_row *row = add_row(b, device->address);

    row->is_drop = ble_address_is_private(device->address, device->address_type);
    if (row->is_drop)
        return;
    row->address_type = device->address_type;
    row->last_seen = device->last_seen > 0 ? device->last_seen : 0;
    row->first_seen = device->first_seen > 0 ? device->first_seen : 0;
    row->advertisements = device->advertisements;
    row->interval = device->interval;
    row->has_name = device->name != NULL;
    row->name_at = buffer_size(&b->octets);
    row->name_size = device->name ? device->name_size : 0;
    if (row->name_size > 0)
        buffer_append(&b->octets, device->name, row->name_size);
    row->details_at = buffer_size(&b->octets);
    details_encode(&b->octets, device);
    row->details_size = buffer_size(&b->octets) - row->details_at;
}

void batch_drop_device(struct batch *b, uint64_t address)
{
    add_row(b, address)->is_drop = true;
}

void batch_put_text(struct batch *b, enum batch_table table, const char *key, const char *value)
{
    if (b->texts_count == b->texts_capacity) {
        b->texts_capacity = b->texts_capacity ? b->texts_capacity * 2 : 16;
        b->texts = memory_resize(b->texts, b->texts_capacity, sizeof *b->texts);
    }
    b->texts[b->texts_count++] = (struct batch_text){
            .table = table, .key = memory_copy_text(key), .value = memory_copy_text(value)};
}

void batch_put_pair(struct batch *b, const struct store_pair *pair)
{
    if (b->pairs_count == b->pairs_capacity) {
        b->pairs_capacity = b->pairs_capacity ? b->pairs_capacity * 2 : 16;
        b->pairs = memory_resize(b->pairs, b->pairs_capacity, sizeof *b->pairs);
    }
    b->pairs[b->pairs_count++] = *pair;
}

static struct batch_gatt *add_gatt(struct batch *b, uint64_t address)
{
    if (b->gatts_count == b->gatts_capacity) {
        b->gatts_capacity = b->gatts_capacity ? b->gatts_capacity * 2 : 16;
        b->gatts = memory_resize(b->gatts, b->gatts_capacity, sizeof *b->gatts);
    }
    b->gatts[b->gatts_count] = (struct batch_gatt){.address = address};
    return &b->gatts[b->gatts_count++];
}

void batch_put_gatt(struct batch *b, const struct store_gatt *gatt)
{
    struct batch_gatt *row = add_gatt(b, gatt->address);
    uint8_t *packed AUTO_FREE = NULL;

    row->is_drop = ble_address_is_private(gatt->address, gatt->address_type);
    if (row->is_drop)
        return;
    row->has_hash = gatt->has_hash;
    memcpy(row->hash, gatt->hash, sizeof row->hash);
    row->updated = gatt->updated > 0 ? gatt->updated : 0;
    packed = gatt_tree_pack(gatt->tree, &row->packed_size);
    row->packed_at = buffer_size(&b->octets);
    buffer_append(&b->octets, packed, row->packed_size);
}

void batch_drop_gatt(struct batch *b, uint64_t address)
{
    add_gatt(b, address)->is_drop = true;
}

const uint8_t *batch_octets(const struct batch *b, size_t at)
{
    return buffer_front(&b->octets) + at;
}
