/* One advertising report: a device was heard, this is what it said and how loud.
 *
 * The value that travels from the wire (esphome/codec) to the table (scan/device_table). It borrows
 * its data from the frame it was decoded from and lives as long as that frame does. */
#pragma once

#include <stdint.h>

/* Advertising data and scan response together: 31 + 31; firmware cuts what is longer
 * (esphome-protocol, message 93). */
#define BLE_REPORT_DATA_MAX 62

/* What a radio may report (Core Specification, Vol 4, Part E, 7.7.65.2; 127 there means "not
 * available"). Anything else counts as not told. */
#define BLE_RSSI_MIN (-127)
#define BLE_RSSI_MAX 20

static inline int8_t ble_report_rssi(int64_t dbm)
{
    return dbm < BLE_RSSI_MIN || dbm > BLE_RSSI_MAX ? 0 : (int8_t) dbm;
}

struct ble_report {
    uint64_t address;     /* 48 bits, AA:BB:CC:DD:EE:FF is 0xAABBCCDDEEFF */
    const uint8_t *data;  /* AD structures, borrowed */
    uint8_t size;         /* octets of data, at most BLE_REPORT_DATA_MAX */
    int8_t rssi;          /* dBm; 0 means the proxy did not say */
    uint8_t address_type; /* enum ble_address_type */
    uint8_t is_parsed;    /* 1: from a proxy that sends parsed advertisements; data was put together
                             from its fields, there is no raw packet */
};
