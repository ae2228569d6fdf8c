/* Packed, a tree is a version octet and its entries: kind (with PACKED_SHORT: a UUID of 16 bits on
 * the Bluetooth base), handle, UUID, and of a characteristic the properties; numbers with their
 * most significant octet first. Unpacking goes through gatt_tree_add(), which knows what is
 * possible. */
#include "ble/gatt_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define PACKED_VERSION 1
#define PACKED_SHORT   0x80

struct gatt_tree {
    unsigned holders;
    size_t services;
    size_t count, capacity;
    struct gatt_entry *entries;
};

struct gatt_tree *gatt_tree_new(void)
{
    struct gatt_tree *t = xnew(struct gatt_tree, 1);

    t->holders = 1;
    return t;
}

struct gatt_tree *gatt_tree_hold(struct gatt_tree *t)
{
    t->holders++;
    return t;
}

void gatt_tree_release(struct gatt_tree *t)
{
    if (!t || --t->holders > 0)
        return;
    free(t->entries);
    free(t);
}

/* ---- building ---- */

static bool has_parent(const struct gatt_tree *t, enum gatt_kind kind)
{
    return kind == GATT_SERVICE ||
           (t->count > 0 &&
            (kind == GATT_CHARACTERISTIC || t->entries[t->count - 1].kind != GATT_SERVICE));
}

int gatt_tree_add(struct gatt_tree *t, enum gatt_kind kind, const struct ble_uuid *uuid,
                  uint32_t handle, uint32_t properties)
{
    if (handle == 0 || handle > UINT16_MAX || !has_parent(t, kind) ||
        gatt_tree_at(t, kind, (uint16_t) handle))
        return -EBADMSG;
    if (t->count == GATT_ENTRIES_MAX)
        return -EMSGSIZE;
    if (t->count == t->capacity) {
        t->capacity = t->capacity > 0 ? t->capacity * 2 : 16;
        t->entries = memory_resize(t->entries, t->capacity, sizeof t->entries[0]);
    }
    t->entries[t->count++] = (struct gatt_entry){
            .uuid = *uuid,
            .handle = (uint16_t) handle,
            .properties = kind == GATT_CHARACTERISTIC ? (uint16_t) properties : 0,
            .kind = (uint8_t) kind,
    };
    t->services += kind == GATT_SERVICE;
    return 0;
}

/* ---- looking ---- */

const struct gatt_entry *gatt_tree_entries(const struct gatt_tree *t, size_t *ret_count)
{
    *ret_count = t->count;
    return t->entries;
}

size_t gatt_tree_services(const struct gatt_tree *t)
{
    return t->services;
}

const struct gatt_entry *gatt_tree_at(const struct gatt_tree *t, enum gatt_kind kind,
                                      uint16_t handle)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->entries[i].kind == kind && t->entries[i].handle == handle)
            return &t->entries[i];
    }
    return NULL;
}

const struct gatt_entry *gatt_tree_next(const struct gatt_tree *t, const struct ble_uuid *uuid,
                                        const struct gatt_entry *behind)
{
    for (size_t i = behind ? (size_t) (behind - t->entries) + 1 : 0; i < t->count; i++) {
        if (t->entries[i].kind == GATT_CHARACTERISTIC && ble_uuid_equal(&t->entries[i].uuid, uuid))
            return &t->entries[i];
    }
    return NULL;
}

const struct gatt_entry *gatt_tree_parent(const struct gatt_tree *t, const struct gatt_entry *entry)
{
    for (const struct gatt_entry *e = entry; e > t->entries;) {
        e--;
        if (e->kind < entry->kind)
            return e;
    }
    return NULL;
}

const struct gatt_entry *gatt_tree_descriptor(const struct gatt_tree *t,
                                              const struct gatt_entry *characteristic,
                                              uint16_t uuid)
{
    const struct gatt_entry *end = t->entries + t->count;
    const struct ble_uuid wanted = ble_uuid_from_short(uuid);

    for (const struct gatt_entry *e = characteristic + 1; e < end && e->kind == GATT_DESCRIPTOR;
         e++) {
        if (ble_uuid_equal(&e->uuid, &wanted))
            return e;
    }
    return NULL;
}

static bool is_same_entry(const struct gatt_entry *a, const struct gatt_entry *b)
{
    return a->kind == b->kind && a->handle == b->handle && a->properties == b->properties &&
           ble_uuid_equal(&a->uuid, &b->uuid);
}

bool gatt_tree_equal(const struct gatt_tree *a, const struct gatt_tree *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!is_same_entry(&a->entries[i], &b->entries[i]))
            return false;
    }
    return true;
}

const char *gatt_property_name(unsigned bit)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {
            {GATT_BROADCAST, "broadcast"},
            {GATT_READ, "read"},
            {GATT_WRITE_WITHOUT_RESPONSE, "write-without-response"},
            {GATT_WRITE, "write"},
            {GATT_NOTIFY, "notify"},
            {GATT_INDICATE, "indicate"},
            {GATT_SIGNED_WRITE, "authenticated-signed-writes"},
            {GATT_EXTENDED, "extended-properties"},
            {GATT_RELIABLE_WRITE, "reliable-write"},
            {GATT_WRITABLE_AUXILIARIES, "writable-auxiliaries"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].bit == bit)
            return names[i].name;
    }
    return NULL;
}

/* ---- packing ---- */

static uint8_t *put_number(uint8_t *at, unsigned value)
{
    *at++ = (uint8_t) (value >> 8);
    *at++ = (uint8_t) value;
    return at;
}

static uint8_t *pack_entry(uint8_t *at, const struct gatt_entry *e)
{
    uint32_t number;
    bool is_short = ble_uuid_short(&e->uuid, &number) && number <= UINT16_MAX;

    *at++ = (uint8_t) (e->kind | (is_short ? PACKED_SHORT : 0));
    at = put_number(at, e->handle);
    if (is_short) {
        at = put_number(at, number);
    } else {
        memcpy(at, e->uuid.octets, sizeof e->uuid.octets);
        at += sizeof e->uuid.octets;
    }
    return e->kind == GATT_CHARACTERISTIC ? put_number(at, e->properties) : at;
}

uint8_t *gatt_tree_pack(const struct gatt_tree *t, size_t *ret_size)
{
    const size_t longest = 1 + 2 + 16 + 2;
    uint8_t *data = memory_zalloc(1 + t->count * longest, 1);
    uint8_t *at = data;

    *at++ = PACKED_VERSION;
    for (size_t i = 0; i < t->count; i++)
        at = pack_entry(at, &t->entries[i]);
    *ret_size = (size_t) (at - data);
    return data;
}

struct reader {
    const uint8_t *at;
    size_t left;
    bool is_short_of; /* octets were wanted that are not there */
};

static const uint8_t *take(struct reader *r, size_t size)
{
    static const uint8_t nothing[16];
    const uint8_t *at = r->at;

    if (size > r->left) {
        r->is_short_of = true;
        return nothing;
    }
    r->at += size;
    r->left -= size;
    return at;
}

static unsigned take_number(struct reader *r)
{
    const uint8_t *at = take(r, 2);

    return (unsigned) at[0] << 8 | at[1];
}

static bool unpack_entry(struct gatt_tree *t, struct reader *r)
{
    uint8_t head = *take(r, 1);
    unsigned kind = head & ~(unsigned) PACKED_SHORT;
    unsigned handle = take_number(r);
    struct ble_uuid uuid;
    unsigned properties;

    if (head & PACKED_SHORT)
        uuid = ble_uuid_from_short(take_number(r));
    else
        memcpy(uuid.octets, take(r, sizeof uuid.octets), sizeof uuid.octets);
    properties = kind == GATT_CHARACTERISTIC ? take_number(r) : 0;
    return !r->is_short_of && kind <= GATT_DESCRIPTOR &&
           gatt_tree_add(t, (enum gatt_kind) kind, &uuid, handle, properties) == 0;
}

struct gatt_tree *gatt_tree_unpack(const uint8_t *data, size_t size)
{
    struct reader r = {data, size, false};
    struct gatt_tree *t;

    if (size == 0 || *take(&r, 1) != PACKED_VERSION)
        return NULL;
    t = gatt_tree_new();
    while (r.left > 0) {
        if (!unpack_entry(t, &r)) {
            gatt_tree_release(t);
            return NULL;
        }
    }
    return t;
}
