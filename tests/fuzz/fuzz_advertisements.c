/* The first octet is the size of a batch, the rest a body of message 93, which is read by hand and
 * by protobuf-c. Both accept it or both refuse it, and the entries are the same: address, RSSI (one
 * that no radio reports is 0), address type (cut to 255) and data; less those that we leave out and
 * count (no address, one of more than 48 bits, more than 62 octets of data). One difference is
 * wanted: we refuse fields of number 0, which protobuf forbids and protobuf-c lets pass. What was
 * read is also written and read again, the same. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "esphome/advertisements.h"
#include "esphome_api.pb-c.h"
#include "fuzz_target.h"

#define BATCH_MAX 256

/* All reports of a body. */
struct list {
    struct ble_report *reports; /* ours */
    size_t count;
    uint64_t skipped;
    int cause;
};

static void read_all(struct list *ret_list, struct bytes body, size_t batch)
{
    struct advertisements a;
    int count;

    *ret_list = (struct list){.reports = xnew(struct ble_report, body.size + BATCH_MAX)};
    advertisements_open(&a, body);
    while ((count = advertisements_next(&a, ret_list->reports + ret_list->count, batch)) > 0)
        ret_list->count += (size_t) count;
    ret_list->cause = count;
    ret_list->skipped = a.skipped;
}

static void check_report(const struct ble_report *ours, const Wire__RawAdvertisement *theirs)
{
    if (ours->address != theirs->address ||
        ours->rssi != (theirs->rssi < -127 || theirs->rssi > 20 ? 0 : theirs->rssi) ||
        ours->address_type != (theirs->address_type > 255 ? 255 : theirs->address_type) ||
        ours->size != theirs->data.len || ours->is_parsed != 0)
        abort();
    if (ours->size > 0 && memcmp(ours->data, theirs->data.data, ours->size) != 0)
        abort();
}

static void check_same(const struct list *ours, const Wire__RawAdvertisements *theirs)
{
    size_t count = 0;

    for (size_t i = 0; i < theirs->n_advertisements; i++) {
        const Wire__RawAdvertisement *entry = theirs->advertisements[i];

        if (entry->address == 0 || entry->address >> 48 != 0 ||
            entry->data.len > BLE_REPORT_DATA_MAX)
            continue;
        if (count == ours->count)
            abort();
        check_report(&ours->reports[count++], entry);
    }
    if (count != ours->count || ours->skipped != theirs->n_advertisements - count)
        abort();
}

/* A field of number 0 somewhere: protobuf-c keeps it among those it does not know. */
static bool has_field_0(const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        if (message->unknown_fields[i].tag == 0)
            return true;
    }
    return false;
}

static bool has_field_0_anywhere(const Wire__RawAdvertisements *theirs)
{
    for (size_t i = 0; i < theirs->n_advertisements; i++) {
        if (has_field_0(&theirs->advertisements[i]->base))
            return true;
    }
    return has_field_0(&theirs->base);
}

static void check_verdicts(const struct list *ours, const Wire__RawAdvertisements *theirs)
{
    if (ours->cause == 0 && !theirs)
        abort();
    if (ours->cause != 0 && ours->cause != E_PROTOCOL)
        abort();
    if (ours->cause != 0 && theirs && !has_field_0_anywhere(theirs))
        abort();
}

static void check_around(const struct list *first)
{
    struct buffer body = {0};
    struct list again;

    advertisements_encode(first->reports, first->count, &body);
    read_all(&again, (struct bytes){body.data, buffer_size(&body)}, BATCH_MAX);
    if (again.count != first->count || again.skipped != 0 || again.cause != 0)
        abort();
    for (size_t i = 0; i < first->count; i++) {
        const struct ble_report *a = &first->reports[i], *b = &again.reports[i];

        if (a->address != b->address || a->rssi != b->rssi || a->size != b->size ||
            a->address_type != b->address_type ||
            (a->size > 0 && memcmp(a->data, b->data, a->size) != 0))
            abort();
    }
    free(again.reports);
    buffer_done(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Wire__RawAdvertisements *theirs;
    struct list ours;

    if (size < 1)
        return 0;
    read_all(&ours, (struct bytes){data + 1, size - 1}, (size_t) data[0] + 1);
    theirs = wire__raw_advertisements__unpack(NULL, size - 1, data + 1);
    check_verdicts(&ours, theirs);
    if (ours.cause == 0)
        check_same(&ours, theirs);
    check_around(&ours);
    if (theirs)
        wire__raw_advertisements__free_unpacked(theirs, NULL);
    free(ours.reports);
    return 0;
}
