/* Sightings: which sources have heard one device, in order of first hearing. Internal to scan.
 *
 * Valid when zeroed; memory comes from the table's slab. Bounded by the number of sources. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/slab.h"
#include "scan/ownership.h"

#define SIGHTING_NONE UINT16_MAX

struct sighting {
    usec_t last_seen;
    struct ownership_signal signal;
    uint32_t advertisements; /* 13 years of 10 a second */
    uint32_t slot_packets;   /* those with RSSI in the slot of time in which it was heard last */
    uint32_t slot_sum;       /* of their RSSI, dBm; a negative number, as two's complement */
    int8_t rssi;             /* of the last packet; 0: it did not say */
    uint8_t payload_hint;    /* where merged_view probably keeps what it said last */
};

struct sightings {
    struct sighting *items; /* capacity of them, then as many source numbers; in the slab */
    uint16_t count, capacity;
};

void sightings_done(struct sightings *s, struct slab *memory);

/* Its index, or SIGHTING_NONE; source is not SOURCE_NONE. */
uint16_t sightings_find(const struct sightings *s, uint16_t source);

/* A new one, of a source that is not in. Its index; earlier pointers into items are void. */
uint16_t sightings_add(struct sightings *s, struct slab *memory, uint16_t source);

/* Those behind it move up. */
void sightings_remove(struct sightings *s, uint16_t index);

uint16_t sightings_source(const struct sightings *s, uint16_t index);
