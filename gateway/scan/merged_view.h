/* The merged view of one device: all that it ever said, over all packets and sources. Internal to
 * scan.
 *
 * It keeps elements (flags, name, each UUID, each service data …, every one with its value, and
 * when and from whom it was heard last) and a few recent distinct payloads. A packet that repeats a
 * kept payload is not read again: the time is noted at the payload, and an element's time is the
 * latest of its own and of the payloads that contain it.
 *
 * Valid when zeroed; memory comes from the table's slab. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/slab.h"
#include "ble/report.h"
#include "scan/device_table.h"

#define MERGED_PAYLOADS_MAX 8                   /* beacons rotate up to six frames */
#define MERGED_PAYLOAD_AGE  (60 * USEC_PER_SEC) /* older ones give way to new ones first */
#define MERGED_ELEMENTS_MAX 32                  /* one packet has 30 at most; bits of a mask */
#define MERGED_OCTETS_MAX   1024                /* of all elements; an oversized name may add 60 */

struct payload {
    usec_t last_seen;
    uint16_t source;
    uint8_t size;
    bool has_tx_power;
    int8_t tx_power;
    uint8_t octets[BLE_REPORT_DATA_MAX];
};

struct element {
    usec_t last_seen;
    uint16_t source;
    uint16_t offset; /* of its octets, key included */
    uint8_t type;
    uint8_t size;
    uint8_t payloads; /* bit i: it is in payloads[i], with the value that it has now */
};

struct merged_view {
    struct payload *payloads;
    struct element *elements; /* in order of first hearing */
    uint8_t *octets;
    char *name; /* repaired UTF-8 and NUL; NULL: none */
    uint16_t octets_size, octets_capacity;
    uint8_t payloads_count, payloads_capacity, elements_count, elements_capacity;
    uint8_t name_size, latest; /* latest: index of the last packet's payload */
    uint8_t current;           /* bit i: reading payloads[i] again would change nothing but times */
    uint8_t cut_names;         /* bit i: payloads[i] says a name that does not count */
    bool is_apple_noise : 1;
    bool is_cleared : 1; /* whatever the next packet says is new */
    usec_t expiry;       /* no element is due to go before it */
};

/* For how long an element stays that no packet contains. A name stays for ever. */
struct merged_ages {
    usec_t values; /* manufacturer data, service data, flags: what packets say all the time */
    usec_t rest;   /* what may stand in scan responses alone, which are rarely asked for */
};

struct merged_packet {
    const uint8_t *data;
    uint8_t size;
    uint16_t source;
    usec_t now;
};

struct merged_counts {
    uint64_t parses;
    uint64_t elements_dropped;
};

void merged_view_done(struct merged_view *v, struct slab *memory);

/* Takes a packet in. Returns the kinds (1 << enum ad_kind) of which an element is new or has
 * another value; 0: nothing changed. *hint is an index of this source's last payload as set by the
 * last call (0 at first): a guess that may be wrong. *ret_heard_before is when the same octets were
 * last heard from anybody, 0 when they are not among the kept payloads. */
unsigned merged_view_take(struct merged_view *v, struct slab *memory,
                          const struct merged_packet *packet, uint8_t *hint,
                          struct merged_counts *counts, usec_t *ret_heard_before);

/* Drops the elements that are due to go. Returns their kinds as merged_view_take does. To be called
 * after each take; costs one comparison as long as nothing can be due. */
unsigned merged_view_expire_now(struct merged_view *v, const struct merged_ages *ages, usec_t now);
static inline unsigned merged_view_expire(struct merged_view *v, const struct merged_ages *ages,
                                          usec_t now)
{
    return now < v->expiry ? 0 : merged_view_expire_now(v, ages, now);
}

/* Forgets all that was said but the name, and which packets said it; whatever the next packet says
 * counts as new. There has been a take. The latest payload is an empty one with the transmit power
 * of the last. */
void merged_view_clear(struct merged_view *v, struct slab *memory);

/* True when all that the device says is one piece of Apple's traffic between its own devices, which
 * changes all the time and means nothing to others: it has no service data, and of manufacturer
 * data only Apple's, of none of the kinds that others read (iBeacon, HomeKit, nearby, Find My). */
bool merged_view_is_apple_noise(const struct merged_view *v);

/* The payload of the last packet; there is one after the first take. */
const struct payload *merged_view_latest(const struct merged_view *v);

/* As device_get_element. */
bool merged_view_get(const struct merged_view *v, size_t index, struct device_element *ret_element);

/* Puts back what an earlier view had: its elements, each with time and source, then the last
 * packet. The view must be fresh. False, and nothing done: the element is malformed, beyond a
 * bound, or there is one of that key. */
bool merged_view_restore_element(struct merged_view *v, struct slab *memory,
                                 const struct device_element *element);
void merged_view_restore_latest(struct merged_view *v, struct slab *memory,
                                const struct merged_packet *packet);

/* What came from the source is now from SOURCE_NONE. */
void merged_view_forget_source(struct merged_view *v, uint16_t source);
