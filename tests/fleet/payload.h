/* What a device says in one advertising event: advertising data and the scan response behind it.
 *
 * Plain value, copied by assignment. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ble/report.h"

#define PAYLOAD_PART_MAX 31 /* of a legacy advertising PDU and of a scan response */

struct payload {
    uint8_t data[BLE_REPORT_DATA_MAX];
    uint8_t advertising_size; /* octets heard without asking; the rest is the scan response */
    uint8_t size;
};

/* Divides octets of which it is not known where the scan response began: the AD structures that fit
 * into the first 31 octets are advertising data. What cannot be divided so (a first structure
 * longer than that) is all advertising data. False when there are more than 62 octets. */
bool payload_divide(struct payload *ret_payload, const uint8_t *octets, size_t size);

/* Puts both parts together. False when either has more than 31 octets. */
bool payload_join(struct payload *ret_payload, struct bytes advertising, struct bytes response);
