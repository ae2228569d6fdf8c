#include "configured.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct configured {
    size_t count;
    const struct config_device *devices[]; /* by address */
};

static int compare_addresses(const void *a, const void *b)
{
    const struct config_device *const *x = a, *const *y = b;

    return ((*x)->address > (*y)->address) - ((*x)->address < (*y)->address);
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool are_same_texts(const struct config_texts *a, const struct config_texts *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    }
    return true;
}

static bool is_same_device(const struct config_device *a, const struct config_device *b)
{
    return is_same_text(a->alias, b->alias) && is_same_text(a->area, b->area) &&
           are_same_texts(&a->route_require, &b->route_require) &&
           are_same_texts(&a->route_prefer, &b->route_prefer) &&
           are_same_texts(&a->route_forbid, &b->route_forbid) &&
           a->keep_connected == b->keep_connected &&
           a->active_scan_interval_s == b->active_scan_interval_s &&
           a->active_scan_duration_s == b->active_scan_duration_s &&
           !(a->expected_interval_s < b->expected_interval_s) &&
           !(a->expected_interval_s > b->expected_interval_s) &&
           is_same_text(a->bindkey, b->bindkey) && is_same_text(a->irk, b->irk) &&
           a->publish == b->publish && a->clear_cccd_on_stop == b->clear_cccd_on_stop;
}

struct configured *configured_new(const struct config *config)
{
    struct configured *c =
            memory_zalloc(1, sizeof *c + config->devices_count * sizeof c->devices[0]);

    c->count = config->devices_count;
    for (size_t i = 0; i < c->count; i++)
        c->devices[i] = &config->devices[i];
    if (c->count > 0)
        qsort(c->devices, c->count, sizeof c->devices[0], compare_addresses);
    return c;
}

void configured_free(struct configured *c)
{
    free(c);
}

const struct config_device *configured_find(const struct configured *c, uint64_t address)
{
    const struct config_device wanted = {.address = address}, *key = &wanted;
    const struct config_device *const *found = NULL;

    if (c->count > 0)
        found = bsearch(&key, c->devices, c->count, sizeof c->devices[0], compare_addresses);
    return found ? *found : NULL;
}

void configured_compare(const struct configured *older, const struct configured *newer,
                        configured_difference_fn *on_difference, void *user)
{
    size_t older_count = older ? older->count : 0, i = 0, k = 0;

    while (i < older_count || k < newer->count) {
        const struct config_device *before = i < older_count ? older->devices[i] : NULL;
        const struct config_device *after = k < newer->count ? newer->devices[k] : NULL;

        if (before && after && before->address < after->address)
            after = NULL;
        else if (before && after && before->address > after->address)
            before = NULL;
        i += before != NULL;
        k += after != NULL;
        if (!before || !after || !is_same_device(before, after))
            on_difference(user, before, after);
    }
}
