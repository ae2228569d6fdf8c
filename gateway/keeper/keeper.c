/* Up: a change, or the sweep, touches the device in the store. When the store comes to write it, it
 * asks here: the row is looked up and told in the store's terms; a device that is gone by then is
 * gone from the file too.
 *
 * Down, at the start: each device of the file becomes a row. Sources that have no proxy any more
 * are left out. A device for which the table has no room is touched, so that the file forgets it.
 */
#include "keeper.h"

#include <stdlib.h>

#include "base/memory.h"
#include "ble/address.h"
#include "scan/device_table.h"
#include "store/store.h"

/* A clock may be set back a little between two runs, which says nothing. What is further ahead is
 * of another clock, and might be of any age. */
#define FUTURE_TOLERATED (60 * USEC_PER_SEC)
#define UNKNOWN_AGE      (86400 * USEC_PER_SEC)

struct keeper {
    struct device_table *table;
    struct store *store;
    struct keeper_proxies proxies;
    usec_t swept;                    /* what was heard before it has been touched */
    keeper_restored_fn *on_restored; /* while it restores */
    void *restored_user;
    /* of the restoring, and of the last reading: */
    usec_t now;
    int64_t wall;
};

static void read_clocks(struct keeper *k)
{
    k->now = clock_now();
    k->wall = clock_wall();
}

/* ---- up ---- */

static size_t oldest_sighting(const struct store_device *to)
{
    size_t oldest = to->sightings[0].is_owner; /* the owner stays */

    for (size_t i = oldest + 1; i < to->sightings_count; i++) {
        if (!to->sightings[i].is_owner &&
            to->sightings[i].last_seen < to->sightings[oldest].last_seen)
            oldest = i;
    }
    return oldest;
}

static void tell_sighting(const struct keeper *k, const struct device_source *from,
                          struct store_device *to)
{
    uint64_t mac = k->proxies.mac_of(k->proxies.user, from->source);
    const struct store_sighting sighting = {
            .proxy = mac,
            .last_seen = clock_to_wall(from->last_seen, k->now, k->wall),
            .advertisements = from->advertisements,
            .rssi_smoothed = from->rssi_smoothed,
            .rssi = from->rssi,
            .is_owner = from->is_owner,
    };
    size_t oldest;

    if (mac == 0)
        return;
    if (to->sightings_count < STORE_SIGHTINGS_MAX) {
        to->sightings[to->sightings_count++] = sighting;
        return;
    }
    oldest = oldest_sighting(to);
    if (sighting.is_owner || sighting.last_seen > to->sightings[oldest].last_seen)
        to->sightings[oldest] = sighting;
}

static uint8_t sighting_of(const struct keeper *k, const struct store_device *to, uint16_t source)
{
    uint64_t mac = source == SOURCE_NONE ? 0 : k->proxies.mac_of(k->proxies.user, source);

    for (uint8_t i = 0; mac && i < to->sightings_count; i++) {
        if (to->sightings[i].proxy == mac)
            return i;
    }
    return STORE_SIGHTING_NONE;
}

static void tell_elements(const struct keeper *k, const struct device *row, struct store_device *to)
{
    struct device_element e;

    while (to->elements_count < STORE_ELEMENTS_MAX &&
           device_get_element(k->table, row, to->elements_count, &e))
        to->elements[to->elements_count++] = (struct store_element){
                .type = e.type,
                .sighting = sighting_of(k, to, e.source),
                .last_seen = clock_to_wall(e.last_seen, k->now, k->wall),
                .octets = e.octets,
        };
}

static void tell_facts(const struct keeper *k, const struct device *row, struct store_device *to)
{
    struct device_facts facts;

    device_get_facts(k->table, row, &facts);
    to->address = facts.address;
    to->address_type = facts.address_type;
    to->name = facts.name;
    to->name_size = facts.name_size;
    to->first_seen = clock_to_wall(facts.first_seen, k->now, k->wall);
    to->last_seen = clock_to_wall(facts.last_seen, k->now, k->wall);
    to->advertisements = facts.advertisements;
    to->interval = facts.interval_learned;
}

static void tell_latest(const struct keeper *k, const struct device *row, struct store_device *to)
{
    struct device_packet latest;

    device_get_latest(k->table, row, &latest);
    to->latest = (struct store_packet){
            .octets = {latest.ad_data, latest.size},
            .sighting = sighting_of(k, to, latest.source),
            .rssi = latest.rssi,
            .is_parsed = latest.is_parsed,
    };
}

static bool read_device(void *user, uint64_t address, struct store_device *ret_device)
{
    struct keeper *k = user;
    const struct device *row = device_table_find(k->table, address);
    struct device_source source;

    if (!row)
        return false;
    read_clocks(k);
    tell_facts(k, row, ret_device);
    for (size_t i = 0; device_get_source(k->table, row, i, &source); i++)
        tell_sighting(k, &source, ret_device);
    tell_latest(k, row, ret_device);
    tell_elements(k, row, ret_device);
    return true;
}

/* ---- down ---- */

static usec_t to_monotonic(const struct keeper *k, int64_t moment)
{
    usec_t age;

    if (moment > k->wall)
        age = (usec_t) (moment - k->wall) > FUTURE_TOLERATED ? UNKNOWN_AGE : 0;
    else
        age = (usec_t) (k->wall - moment);
    return age < k->now ? k->now - age : 1;
}

static uint16_t source_of(const struct keeper *k, const struct store_device *from, uint8_t sighting)
{
    return sighting == STORE_SIGHTING_NONE
                   ? (uint16_t) SOURCE_NONE
                   : k->proxies.source_of(k->proxies.user, from->sightings[sighting].proxy);
}

static size_t take_sources(const struct keeper *k, const struct store_device *from,
                           struct device_source *ret_sources)
{
    size_t count = 0;

    for (uint8_t i = 0; i < from->sightings_count; i++) {
        const struct store_sighting *s = &from->sightings[i];
        uint16_t source = source_of(k, from, i);

        if (source != SOURCE_NONE)
            ret_sources[count++] = (struct device_source){
                    .source = source,
                    .rssi = s->rssi,
                    .rssi_smoothed = s->rssi_smoothed,
                    .last_seen = to_monotonic(k, s->last_seen),
                    .advertisements = s->advertisements,
                    .is_owner = s->is_owner,
            };
    }
    return count;
}

static void take_elements(const struct keeper *k, const struct store_device *from,
                          struct device_element *ret_elements)
{
    for (size_t i = 0; i < from->elements_count; i++) {
        const struct store_element *e = &from->elements[i];

        ret_elements[i] = (struct device_element){
                .type = e->type,
                .source = source_of(k, from, e->sighting),
                .last_seen = to_monotonic(k, e->last_seen),
                .octets = e->octets,
        };
    }
}

static void on_device(void *user, const struct store_device *from)
{
    struct keeper *k = user;
    struct device_source sources[STORE_SIGHTINGS_MAX];
    struct device_element elements[STORE_ELEMENTS_MAX];
    const struct device_restored restored = {
            .address = from->address,
            .address_type = from->address_type,
            .first_seen = to_monotonic(k, from->first_seen),
            .last_seen = to_monotonic(k, from->last_seen),
            .advertisements = from->advertisements,
            .interval = from->interval,
            .latest = {.ad_data = from->latest.octets.data,
                       .size = from->latest.octets.size,
                       .source = source_of(k, from, from->latest.sighting),
                       .rssi = from->latest.rssi,
                       .is_parsed = from->latest.is_parsed},
            .sources = sources,
            .sources_count = take_sources(k, from, sources),
            .elements = elements,
            .elements_count = from->elements_count,
    };

    take_elements(k, from, elements);
    if (k->on_restored)
        k->on_restored(k->restored_user, &restored, k->now);
    if (!device_table_restore(k->table, &restored, k->now))
        store_touch_device(k->store, from->address);
}

/* ---- the door ---- */

struct keeper *keeper_new(struct device_table *table, struct store *store,
                          const struct keeper_proxies *proxies)
{
    struct keeper *k = xnew(struct keeper, 1);

    k->table = table;
    k->store = store;
    k->proxies = *proxies;
    store_read_devices_from(store, read_device, k);
    return k;
}

void keeper_free(struct keeper *k)
{
    free(k);
}

int keeper_restore(struct keeper *k, keeper_restored_fn *on_restored, void *user)
{
    k->on_restored = on_restored;
    k->restored_user = user;
    read_clocks(k);
    k->swept = k->now;
    return store_load_devices(k->store, on_device, k);
}

void keeper_changed(struct keeper *k, const struct device_change *change)
{
    struct device_facts facts;

    device_get_facts(k->table, change->device, &facts);
    if (!ble_address_is_private(facts.address, facts.address_type))
        store_touch_device(k->store, facts.address);
}

void keeper_sweep(struct keeper *k)
{
    usec_t now = clock_now();
    const struct device *row;
    struct device_facts facts;
    size_t position = 0;

    while ((row = device_table_next(k->table, &position))) {
        device_get_facts(k->table, row, &facts);
        if (facts.last_seen >= k->swept &&
            !ble_address_is_private(facts.address, facts.address_type))
            store_touch_device(k->store, facts.address);
    }
    k->swept = now;
}
