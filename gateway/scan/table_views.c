/* What others can look at: rows, and of a row its facts, sources, paths for a connection and
 * elements. Nothing is changed here, and nothing copied that can be borrowed; what walks the whole
 * table says so in device_table.h. */
#include "scan/table_core.h"

#include <math.h>

#define PATH_AGE_DB_PER_S 0.1
#define RSSI_UNKNOWN_DBM  (-127.0)

size_t device_table_count(const struct device_table *t)
{
    return map_count(t->devices);
}

size_t device_table_count_available(const struct device_table *t)
{
    size_t count = 0, position = 0;
    const struct device *d;

    while ((d = map_next(t->devices, &position)))
        count += d->is_available;
    return count;
}

const struct device *device_table_find(const struct device_table *t, uint64_t address)
{
    return map_find(t->devices, address);
}

const struct device *device_table_next(const struct device_table *t, size_t *position)
{
    return map_next(t->devices, position);
}

bool device_get_source(const struct device_table *t, const struct device *d, size_t index,
                       struct device_source *ret_source)
{
    const struct sighting *s;
    uint16_t source;

    if (index >= d->sightings.count)
        return false;
    s = &d->sightings.items[index];
    source = sightings_source(&d->sightings, (uint16_t) index);
    *ret_source = (struct device_source){
            .source = source,
            .rssi = s->rssi,
            .rssi_smoothed = table_core_rssi(s),
            .last_seen = s->last_seen,
            .advertisements = s->advertisements,
            .is_owner = index == d->owner,
            .can_connect = t->sources[source].can_connect,
            .slot = table_core_slot(s),
    };
    return true;
}

void device_get_facts(const struct device_table *t, const struct device *d,
                      struct device_facts *ret_facts)
{
    const struct payload *latest = merged_view_latest(&d->view);
    struct device_source owner = {
            .source = SOURCE_NONE,
            .rssi_smoothed = (double) NAN,
    };

    if (d->owner != SIGHTING_NONE)
        (void) device_get_source(t, d, d->owner, &owner);
    *ret_facts = (struct device_facts){
            .address = d->address,
            .address_type = d->address_type,
            .is_available = d->is_available,
            .is_pinned = d->is_pinned,
            .rssi = owner.rssi,
            .rssi_smoothed = owner.rssi_smoothed,
            .owner = owner.source,
            .first_seen = d->first_seen,
            .last_seen = d->last_seen,
            .interval = table_core_interval(d),
            .interval_learned = interval_learned(&d->interval),
            .name = d->view.name,
            .name_size = d->view.name_size,
            .has_tx_power = latest->has_tx_power,
            .tx_power = latest->tx_power,
            .is_apple_noise = merged_view_is_apple_noise(&d->view),
            .advertisements = d->advertisements,
    };
}

void device_get_latest(const struct device_table *t, const struct device *d,
                       struct device_packet *ret_packet)
{
    const struct payload *p = merged_view_latest(&d->view);

    (void) t;
    *ret_packet = (struct device_packet){
            .time = d->last_seen,
            .source = d->latest_source,
            .rssi = d->latest_rssi,
            .is_parsed = d->latest_is_parsed,
            .data = d->latest_is_parsed ? NULL : p->octets,
            .ad_data = p->octets,
            .size = p->size,
    };
}

static bool is_heard(const struct sighting *s, usec_t now)
{
    return clock_since(s->last_seen, now) <= DEVICE_HOLDERS_AGE;
}

/* Puts it where it belongs among the count best; what is worse than max others falls out. */
static size_t insert_path(struct device_path *paths, size_t count, size_t max,
                          struct device_path path)
{
    size_t at = count < max ? count : max;

    while (at > 0 && paths[at - 1].rssi < path.rssi) {
        if (at < max)
            paths[at] = paths[at - 1];
        at--;
    }
    if (at < max)
        paths[at] = path;
    return count < max ? count + 1 : max;
}

size_t device_get_paths(const struct device_table *t, const struct device *d, usec_t now,
                        struct device_path *ret_paths, size_t max)
{
    size_t count = 0;

    for (uint16_t i = 0; i < d->sightings.count; i++) {
        const struct sighting *s = &d->sightings.items[i];
        uint16_t number = sightings_source(&d->sightings, i);
        const struct source *source = &t->sources[number];
        double age_s = (double) clock_since(s->last_seen, now) / (double) USEC_PER_SEC;
        double rssi = s->signal.count ? (double) s->signal.fast : RSSI_UNKNOWN_DBM;

        if (source->is_online && source->can_connect && is_heard(s, now))
            count = insert_path(ret_paths, count, max,
                                (struct device_path){number, rssi - age_s * PATH_AGE_DB_PER_S});
    }
    return count;
}

bool device_get_element(const struct device_table *t, const struct device *d, size_t index,
                        struct device_element *ret_element)
{
    (void) t;
    return merged_view_get(&d->view, index, ret_element);
}

void device_table_count_heard_all(const struct device_table *t, size_t *ret_counts, size_t sources,
                                  usec_t now)
{
    size_t position = 0;
    const struct device *d;

    for (size_t i = 0; i < sources; i++)
        ret_counts[i] = 0;
    while ((d = map_next(t->devices, &position))) {
        for (uint16_t i = 0; i < d->sightings.count; i++) {
            uint16_t source = sightings_source(&d->sightings, i);

            if (source < sources && is_heard(&d->sightings.items[i], now))
                ret_counts[source]++;
        }
    }
}
