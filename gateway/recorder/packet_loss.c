#include "packet_loss.h"

#include <string.h>

#define MINUTE (60 * USEC_PER_SEC)

/* Empties the minutes that have begun since the last packet. */
static void turn(struct packet_loss *l, uint64_t minute)
{
    uint64_t passed = minute - l->minute;

    if (passed > PACKET_LOSS_MINUTES)
        passed = PACKET_LOSS_MINUTES;
    for (uint64_t i = 0; i < passed; i++)
        memset(&l->minutes[(minute - i) % PACKET_LOSS_MINUTES], 0, sizeof l->minutes[0]);
    l->minute = minute;
}

static void add(uint16_t *count, uint32_t more)
{
    *count = (uint16_t) (*count + more < UINT16_MAX ? *count + more : UINT16_MAX);
}

void packet_loss_hear(struct packet_loss *l, const struct packet_counter *counter, usec_t now)
{
    uint32_t range = (uint32_t) 1 << counter->bits;
    uint32_t step = (counter->value - l->last_value) & (range - 1);
    bool is_going_on = l->last_heard && now - l->last_heard <= PACKET_LOSS_SILENCE;
    uint64_t minute = now / MINUTE;

    l->last_heard = now;
    if (is_going_on && step == 0)
        return;
    if (minute > l->minute)
        turn(l, minute);
    add(&l->minutes[l->minute % PACKET_LOSS_MINUTES].heard, 1);
    if (is_going_on && step < range / 2)
        add(&l->minutes[l->minute % PACKET_LOSS_MINUTES].lost, step - 1);
    l->last_value = counter->value;
}

void packet_loss_get(const struct packet_loss *l, usec_t now, uint32_t *ret_heard,
                     uint32_t *ret_lost)
{
    uint64_t minute = now / MINUTE;
    uint32_t heard = 0, lost = 0;

    for (uint64_t i = 0; i < PACKET_LOSS_MINUTES && i <= l->minute; i++) {
        if (l->minute - i + PACKET_LOSS_MINUTES <= minute)
            break;
        heard += l->minutes[(l->minute - i) % PACKET_LOSS_MINUTES].heard;
        lost += l->minutes[(l->minute - i) % PACKET_LOSS_MINUTES].lost;
    }
    *ret_heard = heard;
    *ret_lost = lost;
}
