/* Which devices somebody wants to see: all conditions that are set must hold. Pure. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/gateway.h"
#include "rest/query.h"

#define DEVICE_FILTER_UUIDS_MAX  32
#define DEVICE_FILTER_PREFIX_MAX 255

enum device_filter_choice { DEVICE_FILTER_ANY, DEVICE_FILTER_YES, DEVICE_FILTER_NO };

struct device_filter {
    char *name;  /* in name or alias, whatever the case of ASCII letters; ours, like the next three
                  */
    char *proxy; /* hears it */
    char *area;
    char *kind;
    bool has_rssi_min;
    int rssi_min;                                   /* of the smoothed RSSI; unknown is below any */
    struct ble_uuid uuids[DEVICE_FILTER_UUIDS_MAX]; /* any of them, in the list or as data key */
    size_t uuids_count;
    bool has_company;
    uint16_t company;
    uint8_t prefix[DEVICE_FILTER_PREFIX_MAX]; /* of the company's data */
    size_t prefix_size;
    bool has_seen_within;
    usec_t seen_within;
    enum device_filter_choice available;
    enum device_filter_choice connectable; /* null means the same as any: nothing is learned yet */
};

/* The rules of the parameters below, for a table of query rules. */
#define DEVICE_FILTER_RULES                                                                        \
    {.name = "name", .type = QUERY_TEXT}, {.name = "proxy", .type = QUERY_TEXT},                   \
            {.name = "area", .type = QUERY_TEXT},                                                  \
            {.name = "rssi_min", .type = QUERY_INTEGER, .low = -127, .high = 20},                  \
            {.name = "service_uuid", .type = QUERY_UUID, .is_repeatable = true},                   \
            {.name = "manufacturer_id", .type = QUERY_INTEGER, .low = 0, .high = 65535},           \
            {.name = "manufacturer_data_prefix", .type = QUERY_HEX},                               \
            {.name = "kind", .type = QUERY_TEXT},                                                  \
            {.name = "seen_within_s", .type = QUERY_NUMBER, .low = 0, .high = INFINITY},           \
            {.name = "connectable", .type = QUERY_ENUM, .values = "true|false|null"},              \
    {                                                                                              \
        .name = "available", .type = QUERY_ENUM, .values = "any|true|false"                        \
    }

/* Reads the parameters of a query that was checked against the rules; what contradicts itself is a
 * fault. Release with device_filter_done(). */
void device_filter_read(struct device_filter *ret_filter, const struct query *query,
                        struct faults *faults);
void device_filter_done(struct device_filter *f);

bool device_filter_matches(const struct device_filter *f, const struct gateway *g,
                           const struct gateway_device *device);

/* Single conditions, for who keeps the facts of a device in another form: true when the value meets
 * the condition that is set. device_filter_is_open: no condition is set. */
bool device_filter_accepts_name(const struct device_filter *f, const char *name, size_t size);
bool device_filter_accepts_uuid(const struct device_filter *f, const struct ble_uuid *uuid);
bool device_filter_accepts_company(const struct device_filter *f, uint16_t company,
                                   const uint8_t *data, size_t size);
bool device_filter_is_open(const struct device_filter *f);

/* True when a device can begin to match without a change being published: by mere loudness, by
 * being heard again, or by one more proxy. */
bool device_filter_is_restless(const struct device_filter *f);
