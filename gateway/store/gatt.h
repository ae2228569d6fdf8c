/* A device's GATT database as the store keeps it: a value that borrows its tree and owns nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ble/gatt_tree.h"

#define STORE_GATT_MAX       100000 /* devices in the file; those discovered longest ago go */
#define STORE_GATT_HASH_SIZE 16

struct store_gatt {
    uint64_t address;
    uint8_t address_type; /* enum ble_address_type: private ones are not kept. Not read back */
    struct gatt_tree *tree;
    bool has_hash;
    uint8_t hash[STORE_GATT_HASH_SIZE]; /* the characteristic Database Hash */
    int64_t updated;                    /* wall clock of the discovery */
};
