/* Reads a line of the recorder's JSON. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ble/report.h"

#define RECORDER_LINE_PROXY_SIZE 65

struct recorder_line {
    int64_t time; /* wall clock */
    char proxy[RECORDER_LINE_PROXY_SIZE];
    uint64_t address;
    uint8_t address_type;
    int8_t rssi; /* 0: unknown */
    uint8_t raw[BLE_REPORT_DATA_MAX];
    uint8_t size;
};

/* Schema RecorderLine; fields that it does not know are passed over. False: it is none. */
bool recorder_line_read(const char *text, size_t size, struct recorder_line *ret_line);
