/* Message 93, raw advertisements: the hot path, read and written by hand without a copy.
 *
 * A cursor over one body gives its entries in batches of whatever size the caller has room for. The
 * data of a report is borrowed from the body. Nothing is allocated. Pure; thread: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "ble/report.h"

struct advertisements {
    struct bytes rest;
    uint64_t skipped; /* entries with more than BLE_REPORT_DATA_MAX octets, or without an address */
};

void advertisements_open(struct advertisements *a, struct bytes body);

/* Reads at most capacity entries: how many, 0 at the end, E_PROTOCOL when the body is malformed
 * (entries of the same batch before the fault are lost). Values out of range of a report are cut to
 * its range. */
int advertisements_next(struct advertisements *a, struct ble_report *ret_reports, size_t capacity);

/* Appends a body. As firmware does, address, rssi and data are written also when they are 0. */
void advertisements_encode(const struct ble_report *reports, size_t count, struct buffer *buffer);
