/* The door: the table's life, its settings, who is told, what it has counted. What happens stands
 * in the files that table_core.h names, each with a story of its own: packets come in, an owner is
 * found for each device, and rows go when their time has come.
 *
 * One rule for all of them: time that goes backwards is taken as standing still. */
#include "device_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "scan/table_core.h"

static struct ownership_rule rule_of(const struct device_table_settings *s)
{
    return (struct ownership_rule){
            .margin_db = s->margin_db,
            .reclaim_db = s->reclaim_db,
            .strong_dbm = s->strong_dbm,
            .roam_factor = s->roam_factor,
            .gone_factor = s->gone_factor,
            .alpha = (float) s->ewma_alpha,
            .stale_after = s->stale_after,
            .quiet_after = s->quiet_after,
    };
}

static struct merged_ages ages_of(const struct device_table_settings *s)
{
    return (struct merged_ages){s->forget_after, DEVICE_SCAN_RESPONSE_AGE};
}

struct device_table *device_table_new(const struct device_table_settings *settings,
                                      device_table_change_fn *on_change, void *user)
{
    struct device_table *t = xnew(struct device_table, 1);

    assert(settings->devices_max > 0);
    t->settings = *settings;
    t->rule = rule_of(settings);
    t->ages = ages_of(settings);
    t->on_change = on_change;
    t->user = user;
    t->devices = map_new(settings->hash_seed);
    t->pins = map_new(settings->hash_seed);
    t->needs = map_new(settings->hash_seed);
    t->memory = slab_new();
    return t;
}

static void free_values(struct map *m)
{
    size_t position = 0;
    void *value;

    while ((value = map_next(m, &position)))
        free(value);
    map_free(m);
}

void device_table_free(struct device_table *t)
{
    if (!t)
        return;
    free_values(t->pins);
    free_values(t->needs);
    map_free(t->devices);
    heap_done(&t->recency);
    heap_done(&t->due);
    slab_free(t->memory);
    free(t->sources);
    free(t);
}

void device_table_configure(struct device_table *t, const struct device_table_settings *settings)
{
    uint32_t devices_max = t->settings.devices_max;
    size_t position = 0;
    struct device *d;

    t->settings = *settings;
    t->settings.devices_max = devices_max;
    t->rule = rule_of(settings);
    t->ages = ages_of(settings);
    while ((d = map_next(t->devices, &position))) {
        d->view.expiry = 0; /* to be found anew */
        table_rows_schedule(t, d);
    }
}

void device_table_listen(struct device_table *t, device_table_hearing_fn *on_hearing)
{
    t->on_hearing = on_hearing;
}

void device_table_on_slot(struct device_table *t, device_table_slot_fn *on_slot)
{
    t->on_slot = on_slot;
}

void device_table_on_watched(struct device_table *t, device_table_watched_fn *on_watched)
{
    t->on_watched = on_watched;
}

void device_table_watch(struct device_table *t, uint64_t address)
{
    struct device *d = map_find(t->devices, address);

    if (d)
        d->is_watched = true;
}

bool device_table_clear_history(struct device_table *t, uint64_t address)
{
    struct device *d = map_find(t->devices, address);

    if (!d)
        return false;
    merged_view_clear(&d->view, t->memory);
    return true;
}

void device_table_get_statistics(const struct device_table *t,
                                 struct device_table_statistics *ret_statistics)
{
    *ret_statistics = (struct device_table_statistics){
            .reports = t->reports - t->restored - t->refused,
            .refused = t->refused,
            .parses = t->merged.parses,
            .evicted = t->evicted,
            .forgotten = t->forgotten,
            .elements_dropped = t->merged.elements_dropped,
            .memory_bytes = sizeof *t + slab_bytes(t->memory) + map_bytes(t->devices) +
                            map_bytes(t->pins) + map_count(t->pins) * sizeof(struct pin) +
                            map_bytes(t->needs) + map_count(t->needs) * sizeof(struct need) +
                            heap_bytes(&t->recency) + heap_bytes(&t->due) +
                            t->sources_count * sizeof *t->sources,
    };
    memcpy(ret_statistics->owner_changes, t->owner_changes, sizeof t->owner_changes);
}
