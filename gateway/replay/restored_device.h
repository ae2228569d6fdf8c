/* What was remembered of a device over a restart, as octets of a recording and back. Pure. */
#pragma once

#include "base/bytes.h"
#include "recorder/recording.h"
#include "scan/device_table.h"

#define RESTORED_SOURCES_MAX  32 /* of a device; what is beyond is not recorded */
#define RESTORED_ELEMENTS_MAX 32

/* Writes all of it but address and type. The octets fit whatever the device is; gives out how many
 * there are. */
size_t restored_device_write(uint8_t ret_octets[RECORDING_RESTORED_MAX],
                             const struct device_restored *device);

struct restored_device {
    struct device_restored device; /* points into the next two and borrows from the octets */
    struct device_source sources[RESTORED_SOURCES_MAX];
    struct device_element elements[RESTORED_ELEMENTS_MAX];
};

/* False: the octets are none of such. */
bool restored_device_read(const struct recording_restored *from,
                          struct restored_device *ret_device);
