/* One list after the other, each with its length in front. What is read may be any octets: every
 * length, index and age is checked, and nothing may be left over. */
#include "details.h"

#include <assert.h>
#include <math.h>

#include "base/buffer.h"

#define VERSION        1
#define RSSI_UNKNOWN   INT16_MIN
#define RSSI_PARTS     100
#define MAC_SIZE       6
#define SMOOTHED_BOUND 300.0 /* dBm: nothing that is true is near it, and it fits */

/* ---- writing ---- */

static void put_u8(struct buffer *b, unsigned value)
{
    buffer_append_char(b, (char) value);
}

static void put_varint(struct buffer *b, uint64_t value)
{
    while (value >= 0x80) {
        put_u8(b, (unsigned) (value & 0x7f) | 0x80);
        value >>= 7;
    }
    put_u8(b, (unsigned) value);
}

static void put_octets(struct buffer *b, const struct bytes *octets)
{
    assert(octets->size <= STORE_OCTETS_MAX);
    put_u8(b, (unsigned) octets->size);
    if (octets->size > 0)
        buffer_append(b, octets->data, octets->size);
}

static void put_age(struct buffer *b, const struct store_device *d, int64_t moment)
{
    int64_t last_seen = d->last_seen > 0 ? d->last_seen : 0;

    if (moment < 0)
        moment = 0;
    put_varint(b, moment < last_seen ? (uint64_t) (last_seen - moment) : 0);
}

static int16_t round_rssi(double smoothed)
{
    if (!(fabs(smoothed) < SMOOTHED_BOUND)) /* NAN too */
        return RSSI_UNKNOWN;
    return (int16_t) lround(smoothed * RSSI_PARTS);
}

static void put_sighting(struct buffer *b, const struct store_device *d,
                         const struct store_sighting *s)
{
    int16_t smoothed = round_rssi(s->rssi_smoothed);

    for (int shift = 8 * (MAC_SIZE - 1); shift >= 0; shift -= 8)
        put_u8(b, (unsigned) (s->proxy >> shift) & 0xff);
    put_u8(b, (uint8_t) s->rssi);
    put_u8(b, (uint16_t) smoothed >> 8);
    put_u8(b, (uint16_t) smoothed & 0xff);
    put_age(b, d, s->last_seen);
    put_varint(b, s->advertisements);
}

static unsigned owner_of(const struct store_device *d)
{
    for (unsigned i = 0; i < d->sightings_count; i++) {
        if (d->sightings[i].is_owner)
            return i;
    }
    return STORE_SIGHTING_NONE;
}

static unsigned sighting_or_none(const struct store_device *d, uint8_t index)
{
    return index < d->sightings_count ? index : STORE_SIGHTING_NONE;
}

void details_encode(struct buffer *b, const struct store_device *device)
{
    assert(device->sightings_count <= STORE_SIGHTINGS_MAX);
    assert(device->elements_count <= STORE_ELEMENTS_MAX);
    put_u8(b, VERSION);
    put_u8(b, device->latest.is_parsed);
    put_u8(b, (uint8_t) device->latest.rssi);
    put_u8(b, sighting_or_none(device, device->latest.sighting));
    put_octets(b, &device->latest.octets);
    put_u8(b, (unsigned) device->sightings_count);
    for (size_t i = 0; i < device->sightings_count; i++)
        put_sighting(b, device, &device->sightings[i]);
    put_u8(b, owner_of(device));
    put_u8(b, (unsigned) device->elements_count);
    for (size_t i = 0; i < device->elements_count; i++) {
        const struct store_element *e = &device->elements[i];

        put_u8(b, e->type);
        put_u8(b, sighting_or_none(device, e->sighting));
        put_age(b, device, e->last_seen);
        put_octets(b, &e->octets);
    }
}

/* ---- reading ---- */

static bool pull_i8(struct bytes *b, int8_t *ret_value)
{
    uint8_t value;

    if (!bytes_pull_u8(b, &value))
        return false;
    *ret_value = (int8_t) value;
    return true;
}

static bool pull_octets(struct bytes *b, struct bytes *ret_octets)
{
    uint8_t size;

    return bytes_pull_u8(b, &size) && size <= STORE_OCTETS_MAX && bytes_pull(b, size, ret_octets);
}

static bool pull_moment(struct bytes *b, const struct store_device *d, int64_t *ret_moment)
{
    uint64_t age;

    if (!bytes_pull_varint(b, &age) || age > (uint64_t) d->last_seen)
        return false;
    *ret_moment = d->last_seen - (int64_t) age;
    return true;
}

static bool pull_mac(struct bytes *b, uint64_t *ret_mac)
{
    struct bytes octets;

    if (!bytes_pull(b, MAC_SIZE, &octets))
        return false;
    *ret_mac = 0;
    for (size_t i = 0; i < MAC_SIZE; i++)
        *ret_mac = *ret_mac << 8 | octets.data[i];
    return true;
}

static bool pull_sighting(struct bytes *b, const struct store_device *d,
                          struct store_sighting *ret_sighting)
{
    uint16_t smoothed;

    *ret_sighting = (struct store_sighting){0};
    if (!pull_mac(b, &ret_sighting->proxy) || !pull_i8(b, &ret_sighting->rssi) ||
        !bytes_pull_be16(b, &smoothed) || !pull_moment(b, d, &ret_sighting->last_seen) ||
        !bytes_pull_varint(b, &ret_sighting->advertisements))
        return false;
    ret_sighting->rssi_smoothed = (int16_t) smoothed == RSSI_UNKNOWN
                                          ? (double) NAN
                                          : (double) (int16_t) smoothed / RSSI_PARTS;
    return true;
}

static bool pull_sightings(struct bytes *b, struct store_device *d)
{
    uint8_t count, owner;

    if (!bytes_pull_u8(b, &count) || count > STORE_SIGHTINGS_MAX)
        return false;
    for (uint8_t i = 0; i < count; i++) {
        if (!pull_sighting(b, d, &d->sightings[i]))
            return false;
    }
    d->sightings_count = count;
    if (!bytes_pull_u8(b, &owner) || (owner >= count && owner != STORE_SIGHTING_NONE))
        return false;
    if (owner != STORE_SIGHTING_NONE)
        d->sightings[owner].is_owner = true;
    return true;
}

static bool is_sighting(const struct store_device *d, uint8_t index)
{
    return index < d->sightings_count || index == STORE_SIGHTING_NONE;
}

static bool pull_elements(struct bytes *b, struct store_device *d)
{
    uint8_t count;

    if (!bytes_pull_u8(b, &count) || count > STORE_ELEMENTS_MAX)
        return false;
    for (uint8_t i = 0; i < count; i++) {
        struct store_element *e = &d->elements[i];

        if (!bytes_pull_u8(b, &e->type) || !bytes_pull_u8(b, &e->sighting) ||
            !is_sighting(d, e->sighting) || !pull_moment(b, d, &e->last_seen) ||
            !pull_octets(b, &e->octets))
            return false;
    }
    d->elements_count = count;
    return true;
}

bool details_decode(struct store_device *device, const uint8_t *data, size_t size)
{
    struct bytes b = {data, size};
    struct store_packet *latest = &device->latest;
    uint8_t version, is_parsed;

    assert(device->last_seen >= 0);
    if (!bytes_pull_u8(&b, &version) || version != VERSION || !bytes_pull_u8(&b, &is_parsed) ||
        is_parsed > 1 || !pull_i8(&b, &latest->rssi) || !bytes_pull_u8(&b, &latest->sighting) ||
        !pull_octets(&b, &latest->octets))
        return false;
    latest->is_parsed = is_parsed;
    return pull_sightings(&b, device) && is_sighting(device, latest->sighting) &&
           pull_elements(&b, device) && b.size == 0;
}
