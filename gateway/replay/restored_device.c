/* The octets: varints first seen, last seen, advertisements, interval; the latest packet (octet 1
 * when it came parsed, source, int8 RSSI, text); octet count of sources, and for each source
 * number, int8 RSSI, 8 octets smoothed RSSI (a double, so that a replay counts on with the same
 * one), varint last seen, varint advertisements, octet 1 for the owner; octet count of elements,
 * and for each octet type, source, varint last seen, text. A source is varint 1 + number, or 0; a
 * text is an octet size and so many octets. Times are monotonic microseconds.
 *
 * Failure modes: what does not fit its bounds is refused when it is read; the table looks at what
 * it says. */
#include "restored_device.h"

#include <assert.h>
#include <string.h>

#define ELEMENT_OCTETS_MAX (1024 + 64) /* of all elements together (scan/merged_view.h) */

static_assert(4 * BYTES_VARINT_MAX + 8 + UINT8_MAX +
                              RESTORED_SOURCES_MAX * (3 + 1 + 8 + 2 * BYTES_VARINT_MAX + 1) +
                              RESTORED_ELEMENTS_MAX * (1 + 3 + BYTES_VARINT_MAX + 1) +
                              ELEMENT_OCTETS_MAX <=
                      RECORDING_RESTORED_MAX,
              "whatever was remembered fits");

/* ---- writing ---- */

static uint8_t *put_source(uint8_t *at, uint16_t source)
{
    return bytes_put_varint(at, source == SOURCE_NONE ? 0 : source + 1u);
}

static uint8_t *put_text(uint8_t *at, const uint8_t *data, size_t size)
{
    *at++ = (uint8_t) size;
    if (size > 0)
        memcpy(at, data, size);
    return at + size;
}

static uint8_t *put_double(uint8_t *at, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    for (size_t i = 0; i < sizeof bits; i++)
        *at++ = (uint8_t) (bits >> 8 * i);
    return at;
}

static uint8_t *put_sources(uint8_t *at, const struct device_restored *d)
{
    size_t count =
            d->sources_count < RESTORED_SOURCES_MAX ? d->sources_count : RESTORED_SOURCES_MAX;

    *at++ = (uint8_t) count;
    for (size_t i = 0; i < count; i++) {
        const struct device_source *s = &d->sources[i];

        at = put_source(at, s->source);
        *at++ = (uint8_t) s->rssi;
        at = put_double(at, s->rssi_smoothed);
        at = bytes_put_varint(at, s->last_seen);
        at = bytes_put_varint(at, s->advertisements);
        *at++ = s->is_owner;
    }
    return at;
}

/* Those that fit; elements are at most UINT8_MAX octets long. */
static uint8_t *put_elements(uint8_t *at, const struct device_restored *d)
{
    uint8_t *count = at++;
    size_t left = ELEMENT_OCTETS_MAX;

    *count = 0;
    for (size_t i = 0; i < d->elements_count && *count < RESTORED_ELEMENTS_MAX; i++) {
        const struct device_element *e = &d->elements[i];

        if (e->octets.size > UINT8_MAX || e->octets.size > left)
            continue;
        left -= e->octets.size;
        ++*count;
        *at++ = e->type;
        at = put_source(at, e->source);
        at = bytes_put_varint(at, e->last_seen);
        at = put_text(at, e->octets.data, e->octets.size);
    }
    return at;
}

/* ---- reading ---- */

static bool pull_source(struct bytes *b, uint16_t *ret_source)
{
    uint64_t source;

    if (!bytes_pull_varint(b, &source) || source > DEVICE_TABLE_SOURCES_MAX)
        return false;
    *ret_source = source == 0 ? SOURCE_NONE : (uint16_t) (source - 1);
    return true;
}

static bool pull_flag(struct bytes *b, bool *ret_flag)
{
    uint8_t octet;

    if (!bytes_pull_u8(b, &octet) || octet > 1)
        return false;
    *ret_flag = octet;
    return true;
}

static bool pull_text(struct bytes *b, struct bytes *ret_text)
{
    uint8_t size;

    return bytes_pull_u8(b, &size) && bytes_pull(b, size, ret_text);
}

static bool pull_int8(struct bytes *b, int8_t *ret_value)
{
    uint8_t octet;

    if (!bytes_pull_u8(b, &octet))
        return false;
    *ret_value = (int8_t) octet;
    return true;
}

static bool pull_double(struct bytes *b, double *ret_value)
{
    uint64_t bits = 0;
    struct bytes octets;

    if (!bytes_pull(b, sizeof bits, &octets))
        return false;
    for (size_t i = 0; i < sizeof bits; i++)
        bits |= (uint64_t) octets.data[i] << 8 * i;
    memcpy(ret_value, &bits, sizeof bits);
    return true;
}

static bool pull_latest(struct bytes *b, struct device_packet *ret_packet)
{
    struct bytes data;

    if (!pull_flag(b, &ret_packet->is_parsed) || !pull_source(b, &ret_packet->source) ||
        !pull_int8(b, &ret_packet->rssi) || !pull_text(b, &data))
        return false;
    ret_packet->ad_data = data.data;
    ret_packet->size = data.size;
    return true;
}

static bool pull_sources(struct bytes *b, struct restored_device *d)
{
    uint8_t count;

    if (!bytes_pull_u8(b, &count) || count > RESTORED_SOURCES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct device_source *s = &d->sources[i];

        *s = (struct device_source){0};
        if (!pull_source(b, &s->source) || !pull_int8(b, &s->rssi) ||
            !pull_double(b, &s->rssi_smoothed) || !bytes_pull_varint(b, &s->last_seen) ||
            !bytes_pull_varint(b, &s->advertisements) || !pull_flag(b, &s->is_owner))
            return false;
    }
    d->device.sources = d->sources;
    d->device.sources_count = count;
    return true;
}

static bool pull_elements(struct bytes *b, struct restored_device *d)
{
    uint8_t count;

    if (!bytes_pull_u8(b, &count) || count > RESTORED_ELEMENTS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct device_element *e = &d->elements[i];

        *e = (struct device_element){0};
        if (!bytes_pull_u8(b, &e->type) || !pull_source(b, &e->source) ||
            !bytes_pull_varint(b, &e->last_seen) || !pull_text(b, &e->octets))
            return false;
    }
    d->device.elements = d->elements;
    d->device.elements_count = count;
    return true;
}

/* ---- the door ---- */

size_t restored_device_write(uint8_t ret_octets[RECORDING_RESTORED_MAX],
                             const struct device_restored *device)
{
    size_t latest = device->latest.size <= BLE_REPORT_DATA_MAX ? device->latest.size : 0;
    uint8_t *at = bytes_put_varint(ret_octets, device->first_seen);

    at = bytes_put_varint(at, device->last_seen);
    at = bytes_put_varint(at, device->advertisements);
    at = bytes_put_varint(at, device->interval);
    *at++ = device->latest.is_parsed;
    at = put_source(at, device->latest.source);
    *at++ = (uint8_t) device->latest.rssi;
    at = put_text(at, device->latest.ad_data, latest);
    at = put_sources(at, device);
    at = put_elements(at, device);
    return (size_t) (at - ret_octets);
}

bool restored_device_read(const struct recording_restored *from, struct restored_device *ret_device)
{
    struct device_restored *d = &ret_device->device;
    struct bytes octets = from->facts;

    *d = (struct device_restored){.address = from->address, .address_type = from->address_type};
    return bytes_pull_varint(&octets, &d->first_seen) &&
           bytes_pull_varint(&octets, &d->last_seen) &&
           bytes_pull_varint(&octets, &d->advertisements) &&
           bytes_pull_varint(&octets, &d->interval) && pull_latest(&octets, &d->latest) &&
           pull_sources(&octets, ret_device) && pull_elements(&octets, ret_device);
}
