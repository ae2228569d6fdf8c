/* How a path names a characteristic or a descriptor. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ble/uuid.h"
#include "gateway/gateway.h"

struct attribute {
    bool has_handle;
    uint16_t handle;      /* of a characteristic: that of its value */
    struct ble_uuid uuid; /* without handle */
};

/* A handle of 1, 2, 3 or 5 decimal digits, else a UUID. False: neither. */
bool attribute_parse(const char *text, struct attribute *ret_attribute);
/* A handle of 1 to 5 decimal digits. */
bool attribute_parse_handle(const char *text, uint16_t *ret_handle);

/* The handle of the characteristic, from what is known of the device; 0: it is not known, or the
 * UUID stands for several. */
uint16_t attribute_find_handle(const struct attribute *a, const struct gateway *g,
                               uint64_t address);
/* The handle of the next subscription of the device that it means and this lease holds (NULL:
 * anybody or nobody), from *index on (0 to begin); 0: there is no more. */
uint16_t attribute_next_subscription(const struct attribute *a, const struct gateway *g,
                                     uint64_t address, const char *lease, size_t *index);
