/* What 20 proxies hear, made ahead of a measurement: the same for the same settings.
 *
 * Devices send one after the other, round by round, and each of the proxies that hear one gets the
 * same payload with a loudness of its own. Of the transmissions one in five carries a payload that
 * the device has not sent before. One device in twenty is of Apple and says nothing that anybody
 * takes in (company 76, type 09). All payloads have 31 octets. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ble/report.h"

#define RECORDING_BATCH 16 /* reports of a frame */

struct recording_settings {
    size_t proxies, devices;
    size_t heard_by; /* proxies that hear a device */
    size_t rounds;   /* transmissions of each device */
};

struct recording;

struct recording *recording_new(const struct recording_settings *settings);
void recording_free(struct recording *r);

/* Whole batches of the proxy; what is left over of a last one is not there. */
size_t recording_batches(const struct recording *r, size_t proxy);

/* The RECORDING_BATCH reports of a batch, and the same as the body of a message 93. Borrowed. */
const struct ble_report *recording_reports(const struct recording *r, size_t proxy, size_t batch);
struct bytes recording_body(const struct recording *r, size_t proxy, size_t batch);
