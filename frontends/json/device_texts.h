/* The texts of a change of a device, formatted once for all faces: whoever is told later gets what
 * the first one made. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"

/* Valid when zeroed. */
struct device_texts {
    uint64_t number; /* of the change; 0: none yet */
    unsigned reason; /* of the event; 0: none yet */
    struct writer device, event;
};

void device_texts_done(struct device_texts *t);

/* The device as device_json_write() tells it, and the event as event_json_write_device() does, for
 * one reason of the change. Only while the change is being told. Borrowed until the next call. */
const struct buffer *device_texts_device(struct device_texts *t, const struct gateway *g,
                                         const struct gateway_device_change *change);
const struct buffer *device_texts_event(struct device_texts *t, const struct gateway *g,
                                        const struct gateway_device_change *change,
                                        unsigned reason);
