/* The story. A device that is restored gets its row without a report: nothing is told, its sources
 * are those that somebody remembered, its elements pass the same reader as what is heard, and the
 * deadlines take into account since when the table listens.
 *
 * Failure modes. What is malformed in it, named twice or beyond a bound is left out, and the rest
 * is taken. Times to come are taken for now. The device is here already: what is heard beats what
 * is remembered. */
#include "scan/table_core.h"

#include <math.h>

static void restore_sources(struct device_table *t, struct device *d,
                            const struct device_restored *r)
{
    for (size_t i = 0; i < r->sources_count; i++) {
        const struct device_source *from = &r->sources[i];
        uint16_t index;

        if (from->source >= DEVICE_TABLE_SOURCES_MAX ||
            sightings_find(&d->sightings, from->source) != SIGHTING_NONE)
            continue;
        (void) table_sources_get(t, from->source); /* the owner rule will look at it */
        index = sightings_add(&d->sightings, t->memory, from->source);
        d->sightings.items[index] = (struct sighting){
                .last_seen = clock_earlier(from->last_seen, t->now),
                .advertisements = from->advertisements < UINT32_MAX
                                          ? (uint32_t) from->advertisements
                                          : UINT32_MAX,
                .rssi = from->rssi,
        };
        if (!isnan(from->rssi_smoothed))
            ownership_restore(&d->sightings.items[index].signal, from->rssi_smoothed);
        if (from->is_owner)
            d->owner = index;
    }
}

/* Only sources with a sighting may be named, since the others' removal would leave them behind. */
static uint16_t restored_source(const struct device *d, uint16_t source)
{
    return sightings_find(&d->sightings, source) != SIGHTING_NONE ? source : (uint16_t) SOURCE_NONE;
}

static void restore_view(struct device_table *t, struct device *d, const struct device_restored *r)
{
    size_t size = r->latest.size <= BLE_REPORT_DATA_MAX ? r->latest.size : 0;
    const struct merged_packet latest = {
            .data = r->latest.ad_data,
            .size = (uint8_t) size,
            .source = restored_source(d, r->latest.source),
            .now = d->last_seen,
    };

    for (size_t i = 0; i < r->elements_count; i++) {
        struct device_element e = r->elements[i];

        e.source = restored_source(d, e.source);
        e.last_seen = clock_earlier(e.last_seen, d->last_seen);
        (void) merged_view_restore_element(&d->view, t->memory, &e);
    }
    merged_view_restore_latest(&d->view, t->memory, &latest);
    d->latest_source = latest.source;
    d->latest_rssi = r->latest.rssi;
    d->latest_is_parsed = r->latest.is_parsed;
}

bool device_table_restore(struct device_table *t, const struct device_restored *r, usec_t now)
{
    struct device *d;

    table_core_set_now(t, now);
    if (t->listening_since == 0)
        t->listening_since = t->now;
    if (map_find(t->devices, r->address))
        return false;
    t->reports++; /* its place among the recently heard, without being a report */
    t->restored++;
    d = table_rows_add(t, r->address, r->address_type);
    if (!d)
        return false;
    d->last_seen = clock_earlier(r->last_seen, t->now);
    d->first_seen = clock_earlier(r->first_seen, d->last_seen);
    d->advertisements = r->advertisements;
    interval_restore(&d->interval, r->interval);
    d->is_available =
            t->now - d->last_seen <= clock_later(DEVICE_HOLDERS_AGE, table_core_patience(t, d));
    restore_sources(t, d, r);
    restore_view(t, d, r);
    table_rows_schedule(t, d);
    return true;
}
