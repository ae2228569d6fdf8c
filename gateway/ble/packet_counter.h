/* The counter that some devices put into what they advertise: one more with every new payload. Who
 * hears the counter jump has missed packets. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct packet_counter {
    uint32_t value;
    unsigned bits; /* 8 or 16: it begins anew at 1 << bits */
};

/* Looks for one in AD structures of any content: the packet id of BTHome (object 0x00 of version 2,
 * not encrypted), or the measurement sequence of RuuviTag RAWv2. False: there is none. */
bool packet_counter_find(const uint8_t *data, size_t size, struct packet_counter *ret_counter);
