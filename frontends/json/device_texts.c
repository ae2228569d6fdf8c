#include "device_texts.h"

#include "json/device_json.h"
#include "json/event_json.h"

static void clear(struct writer *w)
{
    buffer_clear(&w->text);
    w->needs_comma = false;
}

void device_texts_done(struct device_texts *t)
{
    writer_done(&t->device);
    writer_done(&t->event);
}

const struct buffer *device_texts_device(struct device_texts *t, const struct gateway *g,
                                         const struct gateway_device_change *change)
{
    if (t->number != change->number) {
        clear(&t->device);
        device_json_write(&t->device, NULL, g, change->device);
        t->number = change->number;
        t->reason = 0;
    }
    return &t->device.text;
}

const struct buffer *device_texts_event(struct device_texts *t, const struct gateway *g,
                                        const struct gateway_device_change *change, unsigned reason)
{
    (void) device_texts_device(t, g, change);
    if (t->reason != reason) {
        clear(&t->event);
        event_json_write_device(&t->event, NULL, g, change, reason, &t->device);
        t->reason = reason;
    }
    return &t->event.text;
}
