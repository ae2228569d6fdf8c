/* The history: what was heard of each device lately. Per source its loudness in slots of time; the
 * changes of payload; the changes of owner.
 *
 * Bounded by octets over all devices: when it is full, the device that something was noted of least
 * recently loses first, its oldest first. Per device, loudness is kept for HISTORY_AGE, and so many
 * blocks of payloads and owners. What went before is known (history_complete_since()).
 *
 * Sources are numbers. Pure; all memory is taken in blocks of one size, which are used again.
 * Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "ble/packet_counter.h"

#define HISTORY_SLOT      (10 * USEC_PER_SEC)
#define HISTORY_AGE       (24 * 3600 * USEC_PER_SEC)
#define HISTORY_SLOTS_MAX (HISTORY_AGE / HISTORY_SLOT)

struct history;

/* limit in octets; seed as of base/map.h. */
struct history *history_new(size_t limit, uint64_t seed);
void history_free(struct history *h); /* accepts NULL */

/* ---- noting ---- */

/* So many packets of one source, in the slot that began at start: in order of time for each source;
 * what comes out of order is left out. Means are kept to half a dB, between -127 and 0 dBm, and
 * counts to 255. */
void history_note_slot(struct history *h, uint64_t address, uint16_t source, usec_t start,
                       double rssi, uint32_t packets);

struct history_payload {
    usec_t time;
    uint16_t source;
    int8_t rssi; /* 0: unknown */
    bool is_parsed;
    const uint8_t *data; /* AD structures, borrowed */
    size_t size;         /* at most BLE_REPORT_DATA_MAX */
};
void history_note_payload(struct history *h, uint64_t address,
                          const struct history_payload *payload);

struct history_owner {
    usec_t time;
    uint16_t from, to; /* from UINT16_MAX: nobody */
    uint8_t why;
    float rssi_from, rssi_to; /* NAN: unknown */
};
void history_note_owner(struct history *h, uint64_t address, const struct history_owner *owner);

/* The source has heard a packet with that counter. */
void history_note_counter(struct history *h, uint64_t address, uint16_t source,
                          const struct packet_counter *counter, usec_t now);

/* The device is gone, and its history with it. */
void history_forget(struct history *h, uint64_t address);
/* The source is gone: what it heard goes, and at payloads and owners its number becomes UINT16_MAX.
 * Walks all that is kept. */
void history_forget_source(struct history *h, uint16_t source);

/* ---- reading: views end with the next note ---- */

struct history_slot {
    float rssi; /* mean, dBm; NAN without packets */
    uint16_t packets;
};

/* Fills the slots of one source, the first of which begins at start (a multiple of HISTORY_SLOT);
 * true when there is one with packets among them. */
bool history_read_slots(const struct history *h, uint64_t address, uint16_t source, usec_t start,
                        struct history_slot *ret_slots, size_t count);

/* Where a walk is; zeroed to begin. */
struct history_position {
    const struct history_block *block;
    size_t offset;
};

/* The next one, oldest first; false at the end. */
bool history_next_payload(const struct history *h, uint64_t address,
                          struct history_position *position, struct history_payload *ret_payload);
bool history_next_owner(const struct history *h, uint64_t address,
                        struct history_position *position, struct history_owner *ret_owner);

/* Nothing that was noted since then is missing; USEC_NEVER: nothing is known of the device. */
usec_t history_complete_since(const struct history *h, uint64_t address);

/* Different packets that the source heard and missed in the last PACKET_LOSS_MINUTES; zeros where
 * the device does not count. */
void history_get_loss(const struct history *h, uint64_t address, uint16_t source, usec_t now,
                      uint32_t *ret_heard, uint32_t *ret_lost);

struct history_statistics {
    size_t devices;
    size_t bytes;             /* of memory */
    uint64_t blocks_dropped;  /* because it was full, or over a bound of one device */
    uint64_t devices_dropped; /* lost all because it was full */
};
void history_get_statistics(const struct history *h, struct history_statistics *ret_statistics);
