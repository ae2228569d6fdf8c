/* How many packets of a device one source has missed in the last minutes, where the device counts
 * what it sends (ble/packet_counter.h). A plain value, valid when zeroed. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "ble/packet_counter.h"

#define PACKET_LOSS_MINUTES 10

/* After a silence of that length a jump of the counter says nothing, since it may have gone round
 * or the device may have slept. */
#define PACKET_LOSS_SILENCE (120 * USEC_PER_SEC)

struct packet_loss {
    usec_t last_heard;   /* 0: never */
    uint64_t minute;     /* of the newest count, since the beginning of time */
    uint32_t last_value; /* of the counter */
    struct {
        uint16_t heard, lost; /* saturate */
    } minutes[PACKET_LOSS_MINUTES];
};

/* The source has heard a packet with that counter. The same one again is no news; one that went
 * back, or on by half of its range and more, is where counting begins anew. */
void packet_loss_hear(struct packet_loss *l, const struct packet_counter *counter, usec_t now);

/* Different packets heard and missed within the last PACKET_LOSS_MINUTES. */
void packet_loss_get(const struct packet_loss *l, usec_t now, uint32_t *ret_heard,
                     uint32_t *ret_lost);
