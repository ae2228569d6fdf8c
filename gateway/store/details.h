/* The part of a device that has no column of its own, as octets.
 *
 *     u8      version: 1
 *     packet  u8 1 if it came parsed, i8 RSSI, u8 sighting, u8 size, octets
 *     u8      number of sightings, and of each:
 *             6 octets MAC, i8 RSSI, i16 smoothed RSSI in dBm / 100 (-32768: unknown),
 *             varint age, varint advertisements
 *     u8      index of the owner among them, 255: nobody
 *     u8      number of elements, and of each:
 *             u8 type, u8 sighting (255: nobody), varint age, u8 size, octets
 *
 * Numbers are most significant octet first; a varint is that of Protocol Buffers; an age counts
 * microseconds back from the device's last_seen. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/device.h"

struct buffer;

/* Appends. What is above a bound of device.h is a fault of the caller. */
void details_encode(struct buffer *b, const struct store_device *device);

/* Sets latest, sightings and elements, which borrow from data; last_seen must be there already and
 * not be negative. False, and the three of no use: the octets are not what details_encode makes. */
bool details_decode(struct store_device *device, const uint8_t *data, size_t size);
