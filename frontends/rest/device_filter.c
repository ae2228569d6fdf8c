#include "device_filter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/memory.h"

/* ---- reading ---- */

static enum device_filter_choice read_choice(const char *value)
{
    if (!value || strcmp(value, "any") == 0 || strcmp(value, "null") == 0)
        return DEVICE_FILTER_ANY;
    return strcmp(value, "true") == 0 ? DEVICE_FILTER_YES : DEVICE_FILTER_NO;
}

static void read_uuids(struct device_filter *f, const struct query *query, struct faults *faults)
{
    size_t position = 0;
    const char *value;

    while ((value = query_next(query, "service_uuid", &position))) {
        if (f->uuids_count == DEVICE_FILTER_UUIDS_MAX) {
            faults_add_query(faults, "service_uuid", "must be given %d times at most",
                             DEVICE_FILTER_UUIDS_MAX);
            return;
        }
        if (ble_uuid_parse(value, &f->uuids[f->uuids_count]))
            f->uuids_count++;
    }
}

static void read_manufacturer(struct device_filter *f, const struct query *query,
                              struct faults *faults)
{
    const char *prefix = query_text(query, "manufacturer_data_prefix");

    f->has_company = query_text(query, "manufacturer_id") != NULL;
    f->company = (uint16_t) query_integer(query, "manufacturer_id", 0);
    if (!prefix)
        return;
    if (!f->has_company)
        faults_add_query(faults, "manufacturer_data_prefix", "needs manufacturer_id");
    (void) bytes_from_hex(f->prefix, sizeof f->prefix, prefix, strlen(prefix), &f->prefix_size);
}

static void read_seen_within(struct device_filter *f, const struct query *query)
{
    double seconds = query_number(query, "seen_within_s", 0);

    f->has_seen_within = query_text(query, "seen_within_s") != NULL;
    f->seen_within = seconds < 1e12 ? (usec_t) (seconds * (double) USEC_PER_SEC) : USEC_NEVER;
}

/* ---- matching ---- */

static bool contains(const char *text, size_t size, const char *part)
{
    size_t part_size = strlen(part);

    for (size_t i = 0; i + part_size <= size; i++) {
        if (strncasecmp(text + i, part, part_size) == 0)
            return true;
    }
    return false;
}

bool device_filter_accepts_name(const struct device_filter *f, const char *name, size_t size)
{
    return contains(name, size, f->name);
}

bool device_filter_accepts_uuid(const struct device_filter *f, const struct ble_uuid *uuid)
{
    for (size_t i = 0; i < f->uuids_count; i++) {
        if (ble_uuid_equal(&f->uuids[i], uuid))
            return true;
    }
    return false;
}

bool device_filter_accepts_company(const struct device_filter *f, uint16_t company,
                                   const uint8_t *data, size_t size)
{
    return company == f->company && size >= f->prefix_size &&
           (f->prefix_size == 0 || memcmp(data, f->prefix, f->prefix_size) == 0);
}

static bool name_matches(const struct device_filter *f, const struct gateway_device *d)
{
    const char *alias = d->config ? d->config->alias : NULL;

    return (d->name && device_filter_accepts_name(f, d->name, d->name_size)) ||
           (alias && device_filter_accepts_name(f, alias, strlen(alias)));
}

static bool is_equal(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

static bool proxy_matches(const struct device_filter *f, const struct gateway *g,
                          const struct gateway_device *d)
{
    struct gateway_source source;

    for (size_t i = 0; gateway_get_source(g, d, i, &source); i++) {
        if (is_equal(source.proxy, f->proxy))
            return true;
    }
    return false;
}

static bool uuids_match(const struct device_filter *f, const struct gateway *g,
                        const struct gateway_device *d)
{
    struct gateway_element element;

    for (size_t i = 0; gateway_get_element(g, d, i, &element); i++) {
        enum ad_kind kind = advertising_data_kind(element.type);

        if (element.has_uuid && (kind == AD_KIND_UUID || kind == AD_KIND_SERVICE_DATA) &&
            device_filter_accepts_uuid(f, &element.uuid))
            return true;
    }
    return false;
}

static bool company_matches(const struct device_filter *f, const struct gateway *g,
                            const struct gateway_device *d)
{
    struct gateway_element element;

    for (size_t i = 0; gateway_get_element(g, d, i, &element); i++) {
        if (element.has_company &&
            device_filter_accepts_company(f, element.company, element.data, element.size))
            return true;
    }
    return false;
}

static usec_t age_of(const struct gateway *g, const struct gateway_device *d)
{
    usec_t now = gateway_now(g);

    return now > d->last_seen ? now - d->last_seen : 0;
}

/* Conditions that cost next to nothing. */
static bool facts_match(const struct device_filter *f, const struct gateway *g,
                        const struct gateway_device *d)
{
    if (f->available != DEVICE_FILTER_ANY && d->is_available != (f->available == DEVICE_FILTER_YES))
        return false;
    if (f->connectable != DEVICE_FILTER_ANY)
        return false; /* nobody has learned it yet */
    if (f->kind)
        return false; /* there are no decoders yet */
    if (f->has_rssi_min && !(d->rssi_smoothed >= f->rssi_min))
        return false; /* NAN too */
    if (f->has_seen_within && (d->last_seen == 0 || age_of(g, d) > f->seen_within))
        return false;
    return true;
}

void device_filter_read(struct device_filter *ret_filter, const struct query *query,
                        struct faults *faults)
{
    struct device_filter *f = ret_filter;

    *f = (struct device_filter){
            .name = memory_copy_text(query_text(query, "name")),
            .proxy = memory_copy_text(query_text(query, "proxy")),
            .area = memory_copy_text(query_text(query, "area")),
            .kind = memory_copy_text(query_text(query, "kind")),
            .has_rssi_min = query_text(query, "rssi_min") != NULL,
            .rssi_min = (int) query_integer(query, "rssi_min", 0),
            .available = read_choice(query_text(query, "available")),
            .connectable = read_choice(query_text(query, "connectable")),
    };
    read_uuids(f, query, faults);
    read_manufacturer(f, query, faults);
    read_seen_within(f, query);
}

void device_filter_done(struct device_filter *f)
{
    free(f->name);
    free(f->proxy);
    free(f->area);
    free(f->kind);
    *f = (struct device_filter){0};
}

bool device_filter_matches(const struct device_filter *f, const struct gateway *g,
                           const struct gateway_device *device)
{
    if (!facts_match(f, g, device))
        return false;
    if (f->area && !is_equal(device->area, f->area))
        return false;
    if (f->name && !name_matches(f, device))
        return false;
    if (f->proxy && !proxy_matches(f, g, device))
        return false;
    if (f->uuids_count > 0 && !uuids_match(f, g, device))
        return false;
    return !f->has_company || company_matches(f, g, device);
}

bool device_filter_is_open(const struct device_filter *f)
{
    return !f->name && !f->proxy && !f->area && !f->kind && !f->has_rssi_min &&
           f->uuids_count == 0 && !f->has_company && !f->has_seen_within &&
           f->available == DEVICE_FILTER_ANY && f->connectable == DEVICE_FILTER_ANY;
}

bool device_filter_is_restless(const struct device_filter *f)
{
    return f->has_rssi_min || f->has_seen_within || f->proxy;
}
