/* The story. Each value of a subscription is copied into the queue of every reader of the device or
 * of that characteristic, which takes it out when it pleases. A reader that does not keep up loses
 * its oldest values, is told how many with the next one, and harms nobody else. */
#include "gatt/gatt_readers.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct queued {
    struct queued *next;
    struct gatt_value value;
    struct ble_uuid uuid;
    uint64_t lost; /* before it */
    uint8_t octets[];
};

struct gatt_reader {
    struct gatt_reader *next;
    struct gatt *gatt;
    uint64_t address;
    uint16_t handle;
    void (*on_ready)(void *user);
    void *user;
    struct queued *oldest, **end;
    size_t count;
    uint64_t lost;          /* after the newest that is queued: of a queue of length 0 */
    struct queued *current; /* what was taken last */
};

int gatt_reader_new(struct gatt *g, uint64_t address, uint16_t handle, void (*on_ready)(void *user),
                    void *user, struct gatt_reader **ret_reader)
{
    struct gatt_reader *reader;

    if (g->readers_count >= GATT_READERS_MAX)
        return E_OVERLOADED;
    reader = xnew(struct gatt_reader, 1);
    reader->gatt = g;
    reader->address = address;
    reader->handle = handle;
    reader->on_ready = on_ready;
    reader->user = user;
    reader->end = &reader->oldest;
    reader->next = g->readers;
    g->readers = reader;
    g->readers_count++;
    *ret_reader = reader;
    return 0;
}

static struct queued *take(struct gatt_reader *reader)
{
    struct queued *q = reader->oldest;

    reader->oldest = q->next;
    if (!reader->oldest)
        reader->end = &reader->oldest;
    reader->count--;
    return q;
}

void gatt_reader_free(struct gatt_reader *reader)
{
    struct gatt_reader **at = &reader->gatt->readers;

    while (*at != reader)
        at = &(*at)->next;
    *at = reader->next;
    reader->gatt->readers_count--;
    while (reader->oldest)
        free(take(reader));
    free(reader->current);
    free(reader);
}

bool gatt_reader_next(struct gatt_reader *reader, struct gatt_value *ret_value, uint64_t *ret_lost)
{
    if (!reader->oldest)
        return false;
    free(reader->current);
    reader->current = take(reader);
    *ret_value = reader->current->value;
    *ret_lost = reader->current->lost;
    return true;
}

static struct queued *copy(const struct gatt_value *value)
{
    struct queued *q = memory_zalloc(1, sizeof *q + value->value.size);

    q->value = *value;
    q->uuid = *value->uuid;
    q->value.uuid = &q->uuid;
    q->value.value.data = q->octets;
    if (value->value.size > 0)
        memcpy(q->octets, value->value.data, value->value.size);
    return q;
}

/* What it lost goes to the account of the one behind. */
static void lose_oldest(struct gatt *g, struct gatt_reader *reader)
{
    struct queued *q = take(reader);

    *(reader->oldest ? &reader->oldest->lost : &reader->lost) += q->lost + 1;
    g->counted.values_lost++;
    free(q);
}

static void push(struct gatt *g, struct gatt_reader *reader, const struct gatt_value *value)
{
    struct queued *q = copy(value);
    bool was_empty = reader->count == 0;

    q->lost = reader->lost;
    reader->lost = 0;
    *reader->end = q;
    reader->end = &q->next;
    reader->count++;
    while (reader->count > g->settings.notify_queue)
        lose_oldest(g, reader);
    if (was_empty && reader->count > 0)
        reader->on_ready(reader->user);
}

void gatt_readers_push(struct gatt *g, const struct gatt_value *value)
{
    for (struct gatt_reader *r = g->readers, *next; r; r = next) {
        next = r->next;
        if (r->address == value->address && (r->handle == 0 || r->handle == value->handle))
            push(g, r, value);
    }
}
