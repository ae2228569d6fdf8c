/* The GATT database of a device: its services, their characteristics, their descriptors.
 *
 * A flat list in the order of discovery: a service, then its characteristics, each followed by its
 * descriptors. It is built once, then never changes and is shared (held and released), so that a
 * cache, links and answers look at one copy. What is packed is versioned. Pure; thread: the
 * owner's, hold and release as well. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ble/uuid.h"

#define GATT_ENTRIES_MAX 2048 /* of a tree; the largest devices known have some 200 */

enum gatt_kind { GATT_SERVICE, GATT_CHARACTERISTIC, GATT_DESCRIPTOR };

enum gatt_property { /* Core Specification, volume 3, part G, 3.3.1.1; the last two of 3.3.3.1 */
                     GATT_BROADCAST = 0x01,
                     GATT_READ = 0x02,
                     GATT_WRITE_WITHOUT_RESPONSE = 0x04,
                     GATT_WRITE = 0x08,
                     GATT_NOTIFY = 0x10,
                     GATT_INDICATE = 0x20,
                     GATT_SIGNED_WRITE = 0x40,
                     GATT_EXTENDED = 0x80,
                     GATT_RELIABLE_WRITE = 0x100,
                     GATT_WRITABLE_AUXILIARIES = 0x200,
};

#define GATT_UUID_CCCD            0x2902
#define GATT_UUID_SERVICE_CHANGED 0x2a05
#define GATT_UUID_DATABASE_HASH   0x2b2a

struct gatt_entry {
    struct ble_uuid uuid;
    uint16_t handle; /* of a characteristic: that of its value */
    uint16_t properties;
    uint8_t kind; /* enum gatt_kind */
};

struct gatt_tree;

/* An empty one, held once. */
struct gatt_tree *gatt_tree_new(void);
struct gatt_tree *gatt_tree_hold(struct gatt_tree *t);
void gatt_tree_release(struct gatt_tree *t); /* accepts NULL */

/* The next entry; only before the tree is shared. -EBADMSG: handle 0 or beyond 16 bits, a handle
 * that another entry of the kind has, a characteristic without a service or a descriptor without a
 * characteristic before it. -EMSGSIZE: more than GATT_ENTRIES_MAX. The tree is as before then. */
int gatt_tree_add(struct gatt_tree *t, enum gatt_kind kind, const struct ble_uuid *uuid,
                  uint32_t handle, uint32_t properties);

const struct gatt_entry *gatt_tree_entries(const struct gatt_tree *t, size_t *ret_count);
size_t gatt_tree_services(const struct gatt_tree *t);

/* NULL: there is none of that kind. */
const struct gatt_entry *gatt_tree_at(const struct gatt_tree *t, enum gatt_kind kind,
                                      uint16_t handle);
/* The next characteristic of that UUID behind the given one (NULL: the first). */
const struct gatt_entry *gatt_tree_next(const struct gatt_tree *t, const struct ble_uuid *uuid,
                                        const struct gatt_entry *behind);
/* The service or characteristic that an entry belongs to; NULL for a service. */
const struct gatt_entry *gatt_tree_parent(const struct gatt_tree *t,
                                          const struct gatt_entry *entry);
/* A characteristic's descriptor of that 16-bit UUID; NULL: none. */
const struct gatt_entry *gatt_tree_descriptor(const struct gatt_tree *t,
                                              const struct gatt_entry *characteristic,
                                              uint16_t uuid);

bool gatt_tree_equal(const struct gatt_tree *a, const struct gatt_tree *b);

/* "read", "write-without-response" … of one bit of enum gatt_property; NULL: no such bit. */
const char *gatt_property_name(unsigned bit);

/* The tree as octets, for the store: *ret_size of them, to be freed by the caller. */
uint8_t *gatt_tree_pack(const struct gatt_tree *t, size_t *ret_size);
/* NULL: octets of another version, or damaged. */
struct gatt_tree *gatt_tree_unpack(const uint8_t *data, size_t size);
