/* What an event is about, as far as filters ask: kept with the event, so that it can be filtered
 * when the device is long forgotten. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "gateway/gateway.h"
#include "rest/device_filter.h"

/* A plain value that borrows its facts. */
struct event_subject {
    bool has_device;
    uint64_t address;
    double rssi; /* that rssi_min is held against; NAN: unknown */
    const uint8_t *facts;
    size_t facts_size;
};

/* The facts are written into the buffer, whose content they replace; the subject borrows them. */

/* A device, with all proxies that hear it. */
void event_subject_of_device(struct event_subject *ret_subject, struct buffer *facts,
                             const struct gateway *g, const struct gateway_device *device);
/* A packet: the device, but loudness and proxy of this packet alone. */
void event_subject_of_hearing(struct event_subject *ret_subject, struct buffer *facts,
                              const struct gateway *g, const struct gateway_hearing *hearing);
/* A link: the device, if it is known, and the proxies that carry it or carried it; without any, all
 * that hear the device. */
void event_subject_of_link(struct event_subject *ret_subject, struct buffer *facts,
                           const struct gateway *g, const struct gateway_link_change *change);
/* A value that a device notified: the device, if it is known, and the proxy that brought it. */
void event_subject_of_value(struct event_subject *ret_subject, struct buffer *facts,
                            const struct gateway *g, const struct gateway_gatt_value *value);
/* No device; proxy NULL: no proxy either. */
void event_subject_of_proxy(struct event_subject *ret_subject, struct buffer *facts,
                            const char *proxy);

/* A device must meet all conditions that last (those of seen_within, available and connectable are
 * of the present and not looked at); what names no device must meet that of the proxy if it names
 * one. */
bool event_subject_matches(const struct event_subject *s, const struct device_filter *f);
