/* A device as the store keeps it: a value that borrows its octets and owns nothing.
 *
 * Proxies are known by their MAC, which stays when one is renamed or moved in the configuration.
 * Times are wall clock, microseconds since 1970, UTC (base/clock.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define STORE_SIGHTINGS_MAX 32 /* the proxies that heard it last; plenty for a router */
#define STORE_ELEMENTS_MAX  32 /* what a merged view holds */
#define STORE_OCTETS_MAX    62 /* of one element, or of the last packet: a legacy advertisement */
#define STORE_SIGHTING_NONE UINT8_MAX

struct store_sighting {
    uint64_t proxy; /* its MAC */
    int64_t last_seen;
    uint64_t advertisements;
    double rssi_smoothed; /* dBm, kept to a hundredth; NAN: unknown */
    int8_t rssi;          /* 0: unknown */
    bool is_owner;
};

struct store_element {
    uint8_t type;     /* of advertising data */
    uint8_t sighting; /* who heard it last: an index, or STORE_SIGHTING_NONE */
    int64_t last_seen;
    struct bytes octets; /* as on air, key included */
};

struct store_packet {
    struct bytes octets;
    uint8_t sighting;
    int8_t rssi;
    bool is_parsed; /* it came parsed; octets were put together */
};

struct store_device {
    uint64_t address;
    uint8_t address_type; /* enum ble_address_type */
    const char *name;     /* UTF-8; NULL: none. Written, and not read back: an element has it */
    size_t name_size;
    int64_t first_seen, last_seen;
    uint64_t advertisements;
    uint64_t interval; /* learned, in microseconds; 0: nothing learned */
    struct store_packet latest;
    size_t sightings_count, elements_count;
    struct store_sighting sightings[STORE_SIGHTINGS_MAX];
    struct store_element elements[STORE_ELEMENTS_MAX];
};
