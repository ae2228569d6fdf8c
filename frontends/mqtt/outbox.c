#include "outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct outbox_message *outbox_message_new(char *topic, char *payload, size_t size)
{
    struct outbox_message *m = xnew(struct outbox_message, 1);

    m->topic = topic;
    m->payload = payload;
    m->size = size;
    return m;
}

void outbox_message_free(struct outbox_message *m)
{
    if (!m)
        return;
    free(m->topic);
    free(m->payload);
    free(m->correlation);
    free(m);
}

size_t outbox_message_bytes(const struct outbox_message *m)
{
    return sizeof *m + strlen(m->topic) + m->size + m->correlation_size;
}

void outbox_clear(struct outbox *o)
{
    while (o->first)
        outbox_message_free(outbox_pop(o));
}

struct outbox_message *outbox_first(const struct outbox *o)
{
    return o->first;
}

struct outbox_message *outbox_pop(struct outbox *o)
{
    struct outbox_message *m = o->first;

    if (!m)
        return NULL;
    o->first = m->next;
    if (!o->first)
        o->last = NULL;
    o->count--;
    o->bytes -= outbox_message_bytes(m);
    m->next = NULL;
    return m;
}

void outbox_push(struct outbox *o, struct outbox_message *m)
{
    size_t bytes = outbox_message_bytes(m);

    while (o->first && (o->count >= o->count_max || o->bytes + bytes > o->bytes_max)) {
        outbox_message_free(outbox_pop(o));
        o->dropped++;
    }
    m->next = NULL;
    if (o->last)
        o->last->next = m;
    else
        o->first = m;
    o->last = m;
    o->count++;
    o->bytes += bytes;
}
