/* An entry is {1 address, 2 rssi (zig-zag), 3 address_type, 4 data}. Firmware writes the fields in
 * this order, each once, so that is tried first: octet by octet what it has to be, and the first
 * thing that is different leaves it to the reader of any form. That one is a loop over tags, which
 * takes any order, repetition (the last one counts) and unknown fields of wire types 0, 1, 2 and 5
 * as protobuf demands.
 *
 * Malformed is: an entry or field that does not end, a field number 0, a known field of another
 * wire type, a group, a varint that does not end within ten octets. The rules are those of
 * protobuf-c, and a test holds both to the same answers. */
#include "advertisements.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"

#define ADDRESS_MAX UINT64_C(0xffffffffffff)

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_OCTETS = 2, WIRE_32 = 5 };

/* The tag octets of fields that we read: number << 3 | wire type. */
enum {
    TAG_ENTRY = 1 << 3 | WIRE_OCTETS,
    TAG_ADDRESS = 1 << 3 | WIRE_VARINT,
    TAG_RSSI = 2 << 3 | WIRE_VARINT,
    TAG_ADDRESS_TYPE = 3 << 3 | WIRE_VARINT,
    TAG_DATA = 4 << 3 | WIRE_OCTETS,
};
#define TAG_MAX_SIZE 5 /* octets of a tag; of a length as well */

/* In so many octets stand all numbers of an entry in its usual form, an address of eight octets, an
 * RSSI of two and a length of one: in an entry that is not shorter they can be read unasked. */
#define USUAL_LEAST (1 + 8 + 1 + 2 + 2 + 2)

/* Wire form of one entry, its numbers not yet cut to the range of a report. */
struct entry {
    uint64_t address, rssi, address_type;
    struct bytes data;
};

static inline bool pull_varint(struct bytes *b, uint64_t *ret_value)
{
    if (b->size > 0 && b->data[0] < 0x80) {
        *ret_value = b->data[0];
        b->data++;
        b->size--;
        return true;
    }
    return bytes_pull_varint(b, ret_value);
}

static inline bool pull_tag(struct bytes *b, uint64_t *ret_tag)
{
    const size_t before = b->size;

    return pull_varint(b, ret_tag) && before - b->size <= TAG_MAX_SIZE && *ret_tag >> 3 != 0;
}

static inline bool pull_octets(struct bytes *b, struct bytes *ret_part)
{
    const size_t before = b->size;
    uint64_t size;

    if (!pull_varint(b, &size) || before - b->size > TAG_MAX_SIZE)
        return false;
    return size <= b->size && bytes_pull(b, (size_t) size, ret_part);
}

static bool skip_field(struct bytes *b, uint64_t tag)
{
    struct bytes part;
    uint64_t value;

    switch (tag & 7) {
    case WIRE_VARINT:
        return pull_varint(b, &value);
    case WIRE_64:
        return bytes_pull(b, 8, &part);
    case WIRE_OCTETS:
        return pull_octets(b, &part);
    case WIRE_32:
        return bytes_pull(b, 4, &part);
    default:
        return false;
    }
}

/* The form that firmware writes: all four fields in order, or without the type. False: it is
 * another one, or malformed. */
static inline bool read_usual_entry(struct bytes b, struct entry *ret_entry)
{
    const uint8_t *p = b.data + 1;
    size_t size, left;

    if (b.size < USUAL_LEAST || b.data[0] != TAG_ADDRESS)
        return false;
    size = bytes_varint_of_eight(p, &ret_entry->address);
    p += size;
    if (size == 0 || p[0] != TAG_RSSI || (p[1] & p[2] & 0x80))
        return false;
    ret_entry->rssi = p[1];
    p += 2;
    if (p[-1] & 0x80) {
        ret_entry->rssi = (uint64_t) (p[-1] & 0x7f) | (uint64_t) p[0] << 7;
        p++;
    }
    ret_entry->address_type = 0;
    if (p[0] == TAG_ADDRESS_TYPE) {
        ret_entry->address_type = p[1];
        p += 2;
    }
    left = b.size - (size_t) (p - b.data) - 2;
    ret_entry->data = (struct bytes){p + 2, left};
    return p[0] == TAG_DATA && p[1] == left && left < 0x80 && ret_entry->address_type < 0x80;
}

/* Any form. */
__attribute__((noinline)) static bool read_entry(struct bytes b, struct entry *ret_entry)
{
    struct entry entry = {0};
    uint64_t tag;

    while (b.size > 0) {
        bool ok;

        if (!pull_tag(&b, &tag))
            return false;
        if (tag == TAG_ADDRESS)
            ok = pull_varint(&b, &entry.address);
        else if (tag == TAG_RSSI)
            ok = pull_varint(&b, &entry.rssi);
        else if (tag == TAG_ADDRESS_TYPE)
            ok = pull_varint(&b, &entry.address_type);
        else if (tag == TAG_DATA)
            ok = pull_octets(&b, &entry.data);
        else
            ok = tag >> 3 > 4 && skip_field(&b, tag);
        if (!ok)
            return false;
    }
    *ret_entry = entry;
    return true;
}

static int8_t read_rssi(uint64_t wire)
{
    const uint32_t zigzag = (uint32_t) wire;

    return ble_report_rssi((int64_t) (zigzag >> 1) ^ -(int64_t) (zigzag & 1));
}

/* False: an entry that nobody can use. */
static bool make_report(const struct entry *entry, struct ble_report *ret_report)
{
    const uint32_t type = (uint32_t) entry->address_type;

    if (entry->address == 0 || entry->address > ADDRESS_MAX ||
        entry->data.size > BLE_REPORT_DATA_MAX)
        return false;
    *ret_report = (struct ble_report){
            .address = entry->address,
            .data = entry->data.data,
            .size = (uint8_t) entry->data.size,
            .rssi = read_rssi(entry->rssi),
            .address_type = type > UINT8_MAX ? UINT8_MAX : (uint8_t) type,
    };
    return true;
}

/* The next field of the body, when it is not an entry of less than 128 octets: as pull_entry. */
__attribute__((noinline)) static int pull_field(struct bytes *b, struct bytes *ret_entry)
{
    uint64_t tag;

    if (!pull_tag(b, &tag))
        return E_PROTOCOL;
    if (tag == TAG_ENTRY)
        return pull_octets(b, ret_entry) ? 1 : E_PROTOCOL;
    return tag >> 3 != TAG_ENTRY >> 3 && skip_field(b, tag) ? 0 : E_PROTOCOL;
}

/* 1: an entry; 0: something unknown was passed over; E_PROTOCOL: malformed. */
static inline int pull_entry(struct bytes *b, struct bytes *ret_entry)
{
    struct bytes rest = *b;
    int found;

    if (rest.size >= 2 && rest.data[0] == TAG_ENTRY && rest.data[1] < 0x80 &&
        rest.data[1] <= rest.size - 2) {
        *ret_entry = (struct bytes){rest.data + 2, rest.data[1]};
        *b = (struct bytes){rest.data + 2 + rest.data[1], rest.size - 2 - rest.data[1]};
        return 1;
    }
    found = pull_field(&rest, ret_entry);
    *b = rest;
    return found;
}

static size_t varint_size(uint64_t value)
{
    size_t size = 1;

    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

static uint8_t *put_varint(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *out++ = (uint8_t) (value | 0x80);
    *out++ = (uint8_t) value;
    return out;
}

static uint8_t *put_field(uint8_t *out, uint8_t tag, uint64_t value)
{
    *out++ = tag;
    return put_varint(out, value);
}

void advertisements_open(struct advertisements *a, struct bytes body)
{
    *a = (struct advertisements){.rest = body};
}

int advertisements_next(struct advertisements *a, struct ble_report *ret_reports, size_t capacity)
{
    struct bytes rest = a->rest, part;
    size_t count = 0;

    assert(capacity > 0 && capacity <= INT_MAX);
    while (rest.size > 0 && count < capacity) {
        struct entry entry;
        int found = pull_entry(&rest, &part);

        if (found < 0)
            return found;
        if (found == 0)
            continue;
        if (!read_usual_entry(part, &entry) && !read_entry(part, &entry))
            return E_PROTOCOL;
        if (make_report(&entry, &ret_reports[count]))
            count++;
        else
            a->skipped++;
    }
    a->rest = rest;
    return (int) count;
}

void advertisements_encode(const struct ble_report *reports, size_t count, struct buffer *buffer)
{
    for (const struct ble_report *r = reports; r < reports + count; r++) {
        const uint64_t rssi =
                r->rssi < 0 ? 2 * (uint64_t) - (int64_t) r->rssi - 1 : 2 * (uint64_t) r->rssi;
        const size_t size = 1 + varint_size(r->address) + 1 + varint_size(rssi) +
                            (r->address_type ? 1 + varint_size(r->address_type) : 0) + 1 +
                            varint_size(r->size) + r->size;
        uint8_t *const start = buffer_reserve(buffer, 1 + varint_size(size) + size);
        uint8_t *out = put_field(start, TAG_ENTRY, size);

        out = put_field(out, TAG_ADDRESS, r->address);
        out = put_field(out, TAG_RSSI, rssi);
        if (r->address_type)
            out = put_field(out, TAG_ADDRESS_TYPE, r->address_type);
        out = put_field(out, TAG_DATA, r->size);
        if (r->size > 0)
            memcpy(out, r->data, r->size);
        buffer_commit(buffer, (size_t) (out - start) + r->size);
    }
}
