/* The story. A row comes with its first packet or from before a restart, and stands in two heaps:
 * of recency, where the least recently heard one is first, and of deadlines. Both are lazy: their
 * keys are never later than the truth, and only when an entry comes to the top is it compared with
 * its row and moved back. So a device that is heard all the time costs them nothing. At its
 * deadlines a row tells what waits, becomes unavailable, and is forgotten, one after the other. A
 * pin keeps it, however long it is silent.
 *
 * Failure modes. The table is full: the least recently heard row that is not pinned goes, exactly
 * that one, because the recency key is a running number of reports and no two are equal. Every row
 * is pinned: there is no row, and the report is refused and counted. A deadline has come, but those
 * who should have heard the device could not: it is put off, and the next packet sets it anew. */
#include "scan/table_core.h"

#include <stdlib.h>

#include "base/memory.h"
#include "ble/address.h"

/* ---- deadlines ---- */

/* When the next thing is due for a device that is not heard any more: what waits is told, then it
 * becomes unavailable, and only then it is forgotten. */
static usec_t deadline_of(const struct device_table *t, const struct device *d)
{
    const struct device_table_settings *s = &t->settings;
    usec_t forget_after, listened = t->listening_since;

    if (d->payload_waiting)
        return clock_after(d->payload_told, s->tell_after);
    if (d->is_available)
        return clock_later(clock_after(d->last_seen, table_core_patience(t, d)),
                           listened ? clock_after(listened, DEVICE_RESTORED_GRACE) : 0);
    forget_after = ble_address_is_private(d->address, d->address_type) ? s->forget_private_after
                                                                       : s->forget_after;
    return clock_later(clock_after(d->last_seen, forget_after),
                       listened ? clock_after(listened, clock_earlier(forget_after, s->stale_after))
                                : 0);
}

void table_rows_schedule(struct device_table *t, struct device *d)
{
    d->is_excused = false;
    if (d->is_pinned && !d->is_available)
        heap_remove(&t->due, &d->due);
    else
        heap_set(&t->due, &d->due, deadline_of(t, d));
}

void table_rows_hasten(struct device_table *t, struct device *d)
{
    heap_hasten(&t->due, &d->due, deadline_of(t, d));
}

/* ---- coming and going ---- */

static void apply_pin(struct device_table *t, struct device *d)
{
    const struct pin *pin = map_find(t->pins, d->address);

    d->is_pinned = pin != NULL;
    d->expected_interval = pin ? pin->expected_interval : 0;
    if (d->is_pinned)
        heap_remove(&t->recency, &d->recency);
    else
        heap_set(&t->recency, &d->recency, d->last_report);
    table_rows_schedule(t, d);
}

static void remove_row(struct device_table *t, struct device *d)
{
    (void) map_take(t->devices, d->address);
    heap_remove(&t->recency, &d->recency);
    heap_remove(&t->due, &d->due);
    sightings_done(&d->sightings, t->memory);
    merged_view_done(&d->view, t->memory);
    slab_give(t->memory, d, sizeof *d);
    t->rows_changed++;
}

static void forget(struct device_table *t, struct device *d)
{
    table_core_tell(t, &(struct device_change){
                               .kinds = DEVICE_FORGOTTEN,
                               .device = d,
                               .source = SOURCE_NONE,
                       });
    remove_row(t, d);
}

/* Drops the least recently heard row; false when all are pinned. */
static bool evict(struct device_table *t)
{
    for (;;) {
        uint64_t key;
        struct heap_node *node = heap_first(&t->recency, &key);
        struct device *d;

        if (!node)
            return false;
        d = CONTAINER_OF(node, struct device, recency);
        if (d->last_report == key) {
            t->evicted++;
            forget(t, d);
            return true;
        }
        heap_set(&t->recency, node, d->last_report);
    }
}

struct device *table_rows_add(struct device_table *t, uint64_t address, uint8_t address_type)
{
    struct device *d;

    if (map_count(t->devices) >= t->settings.devices_max && !evict(t))
        return NULL;
    d = slab_take(t->memory, sizeof *d);
    *d = (struct device){
            .address = address,
            .address_type = address_type,
            .first_seen = t->now,
            .last_seen = t->now,
            .last_report = t->reports,
            .payload_told = t->now,
            .payload_source = SOURCE_NONE,
            .owner = SIGHTING_NONE,
            .is_available = true,
            .has_need = map_find(t->needs, address) != NULL,
    };
    map_put(t->devices, d->address, d);
    apply_pin(t, d);
    t->rows_changed++;
    return d;
}

void device_table_pin(struct device_table *t, uint64_t address, bool is_pinned,
                      usec_t expected_interval)
{
    struct pin *pin = map_take(t->pins, address);
    struct device *d = map_find(t->devices, address);

    free(pin);
    if (is_pinned) {
        pin = xnew(struct pin, 1);
        *pin = (struct pin){address, expected_interval};
        map_put(t->pins, address, pin);
    }
    if (d)
        apply_pin(t, d);
}

bool device_table_forget(struct device_table *t, uint64_t address)
{
    struct device *d = map_find(t->devices, address);

    if (!d)
        return false;
    t->forgotten++;
    forget(t, d);
    return true;
}

/* ---- time that has come ---- */

void table_rows_take_waiting(struct device_table *t, struct device *d, struct device_change *change)
{
    change->kinds |= DEVICE_PAYLOAD;
    change->payload_kinds |= d->payload_waiting;
    d->payload_waiting = 0;
    d->payload_told = t->now;
}

static void tell_waiting(struct device_table *t, struct device *d)
{
    struct device_change change = {.device = d, .source = d->payload_source};

    table_rows_take_waiting(t, d, &change);
    table_rows_schedule(t, d);
    table_core_tell(t, &change);
}

/* The deadline of this device has come. */
static void do_due(struct device_table *t, struct device *d)
{
    if (!d->is_available) {
        t->forgotten++;
        forget(t, d);
        return;
    }
    d->is_available = false;
    table_rows_schedule(t, d);
    table_core_tell(t, &(struct device_change){
                               .kinds = DEVICE_AVAILABILITY,
                               .device = d,
                               .source = SOURCE_NONE,
                       });
}

void device_table_advance(struct device_table *t, usec_t now)
{
    struct heap_node *node;
    uint64_t key;

    table_core_set_now(t, now);
    while ((node = heap_first(&t->due, &key)) && key <= t->now) {
        struct device *d = CONTAINER_OF(node, struct device, due);
        usec_t deadline = deadline_of(t, d), excused = 0;

        if (deadline <= t->now && d->payload_waiting) {
            tell_waiting(t, d);
            continue;
        }
        if (deadline <= t->now && d->is_available)
            excused = table_sources_excused_until(t, d);
        d->is_excused = excused > t->now;
        deadline = clock_later(deadline, excused);
        if (deadline <= t->now)
            do_due(t, d);
        else
            heap_set(&t->due, node, deadline);
    }
}

usec_t device_table_deadline(const struct device_table *t)
{
    uint64_t key;

    (void) heap_first(&t->due, &key);
    return key; /* USEC_NEVER when there is none */
}
