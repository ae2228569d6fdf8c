/* Each list is read entry by entry through a table of fields, straight into struct config. An entry
 * with faults is kept with defaults, so that the following ones are checked as well; the whole
 * configuration is given up afterwards. Identities, areas and Matter servers belong to parts that
 * do not exist yet: they are checked, and nothing of them is kept. */
#include "lists.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "ble/address.h"
#include "fields.h"
#include "key.h"

#define PROXIES_MAX 4096 /* as many sources as the device table tells apart */

#define READ_FIELDS(table, v, path, target)                                                        \
    fields_read((table), ARRAY_SIZE(table), (v), (path), (target))

/* ---- readers of fields that only entries have; the target is the entry ---- */

static void read_proxy_port(const struct value *v, void *target)
{
    int64_t port = 0;

    value_read_int(v, &port);
    ((struct config_proxy *) target)->port = (uint16_t) port;
}

static void read_proxy_mac(const struct value *v, void *target)
{
    struct config_proxy *proxy = target;

    if (!json_is_null(v->json))
        proxy->has_mac = value_get_mac(v, &proxy->mac);
}

static void read_proxy_key(const struct value *v, void *target)
{
    struct config_proxy *proxy = target;
    char *text = NULL;

    value_read_key(v, &text);
    if (text)
        proxy->is_encrypted =
                key_from_base64(proxy->encryption_key, sizeof(proxy->encryption_key), text);
    value_free_secret(text);
}

static void read_mac(const struct value *v, void *target)
{
    (void) value_get_mac(v, target);
}

static void read_optional_mac(const struct value *v, void *target)
{
    if (!json_is_null(v->json))
        read_mac(v, target);
}

/* true, false or null */
static void read_choice(const struct value *v, void *target)
{
    if (json_is_null(v->json))
        *(int *) target = -1;
    else if (json_is_boolean(v->json))
        *(int *) target = json_is_true(v->json);
    else
        value_is_not(v, "true or false");
}

/* null is the default */
static void read_optional_bool(const struct value *v, void *target)
{
    if (!json_is_null(v->json))
        value_read_bool(v, target);
}

static bool is_hex_key(const char *text, size_t octets)
{
    uint8_t key[32];
    size_t size;
    bool is_key =
            strlen(text) == 2 * octets && bytes_from_hex(key, sizeof(key), text, 2 * octets, &size);

    explicit_bzero(key, sizeof(key));
    return is_key;
}

static void read_bindkey(const struct value *v, void *target)
{
    const char *text = json_is_null(v->json) ? NULL : value_secret(v);

    /* 16 octets; 12 in the older Xiaomi frames */
    if (text && !is_hex_key(text, 16) && !is_hex_key(text, 12))
        VALUE_FAULT(v, "must be a key of 16 (or 12) octets in hex");
    else if (text)
        value_read_secret(v, target);
}

static void read_irk(const struct value *v, void *target)
{
    uint8_t key[16];
    const char *text = json_is_null(v->json) && v->is_nullable ? NULL : value_secret(v);

    if (text && !is_hex_key(text, sizeof(key)) && !key_from_base64(key, sizeof(key), text))
        VALUE_FAULT(v, "must be a key of 16 octets in hex or base64");
    else if (text)
        value_read_secret(v, target);
    explicit_bzero(key, sizeof(key));
}

static void read_route(const struct value *v, void *target)
{
    static const struct field fields[] = {
            {.key = "require",
             .read = value_read_texts,
             .rule = "name",
             .offset = offsetof(struct config_device, route_require)},
            {.key = "prefer",
             .read = value_read_texts,
             .rule = "name",
             .offset = offsetof(struct config_device, route_prefer)},
            {.key = "forbid",
             .read = value_read_texts,
             .rule = "name",
             .offset = offsetof(struct config_device, route_forbid)},
    };

    if (!json_is_null(v->json))
        READ_FIELDS(fields, v, "devices.route", target);
}

static void read_active_scan(const struct value *v, void *target)
{
    static const struct field fields[] = {
            {.key = "interval_s",
             .read = value_read_int,
             .low = 60,
             .high = 86400,
             .offset = offsetof(struct config_device, active_scan_interval_s)},
            {.key = "duration_s",
             .read = value_read_int,
             .low = 5,
             .high = 35,
             .offset = offsetof(struct config_device, active_scan_duration_s)},
    };
    struct config_device *device = target;

    if (json_is_null(v->json))
        return;
    device->active_scan_interval_s = 300;
    device->active_scan_duration_s = 10;
    READ_FIELDS(fields, v, "devices.active_scan", target);
}

/* ---- entries ---- */

static void read_proxy(struct lists *lists, const struct value *v, struct config *config)
{
    static const struct field fields[] = {
            {.key = "name",
             .read = value_read_text,
             .rule = "name",
             .is_required = true,
             .offset = offsetof(struct config_proxy, name)},
            {.key = "host",
             .read = value_read_text,
             .rule = "host",
             .is_required = true,
             .offset = offsetof(struct config_proxy, host)},
            {.key = "port", .read = read_proxy_port, .low = 0, .high = 65535},
            {.key = "mac", .read = read_proxy_mac, .is_nullable = true},
            {.key = "encryption_key", .read = read_proxy_key, .is_nullable = true},
            {.key = "password",
             .read = value_read_secret,
             .is_nullable = true,
             .offset = offsetof(struct config_proxy, password)},
            {.key = "area",
             .read = value_read_text,
             .is_nullable = true,
             .offset = offsetof(struct config_proxy, area)},
            {.key = "scan_mode",
             .read = value_read_enum,
             .rule = "passive|active|auto",
             .is_nullable = true,
             .part = "ears",
             .offset = offsetof(struct config_proxy, scan_mode)},
            {.key = "enabled",
             .read = value_read_bool,
             .offset = offsetof(struct config_proxy, is_enabled)},
            {.key = "weight",
             .read = value_read_number,
             .low = -30,
             .high = 30,
             .part = "links",
             .offset = offsetof(struct config_proxy, weight)},
    };
    struct config_proxy *proxy = &config->proxies[config->proxies_count++];

    proxy->port = 6053;
    proxy->is_enabled = true;
    READ_FIELDS(fields, v, "proxies", proxy);
    if (proxy->name)
        unique_add(&lists->proxy_names, proxy->name, "proxies", v->at.index, "name");
}

static bool is_listed(const struct config_texts *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0)
            return true;
    }
    return false;
}

static void check_route(const struct value *v, const struct config_device *device)
{
    const struct place route = {.parent = &v->at, .key = "route"};
    const struct place forbid = {.parent = &route, .key = "forbid"};

    for (size_t i = 0; i < device->route_forbid.count; i++) {
        const struct place at = {.parent = &forbid, .index = i};
        const char *name = device->route_forbid.items[i];

        if (is_listed(&device->route_require, name) || is_listed(&device->route_prefer, name))
            fault_list_add(v->reading->faults, &at,
                           "forbids a proxy that is required or preferred too");
    }
}

static void read_device(struct lists *lists, const struct value *v, struct config *config)
{
    static const struct field fields[] = {
            {.key = "address",
             .read = read_mac,
             .is_required = true,
             .offset = offsetof(struct config_device, address)},
            {.key = "alias",
             .read = value_read_text,
             .rule = "alias",
             .is_nullable = true,
             .offset = offsetof(struct config_device, alias)},
            {.key = "area",
             .read = value_read_text,
             .is_nullable = true,
             .offset = offsetof(struct config_device, area)},
            {.key = "route", .read = read_route, .is_nullable = true, .part = "links"},
            {.key = "keep_connected",
             .read = read_optional_bool,
             .is_nullable = true,
             .part = "links",
             .offset = offsetof(struct config_device, keep_connected)},
            {.key = "active_scan", .read = read_active_scan, .is_nullable = true, .part = "ears"},
            {.key = "expected_interval_s",
             .read = value_read_number,
             .low = 0.1,
             .high = 86400,
             .is_nullable = true,
             .part = "ears",
             .offset = offsetof(struct config_device, expected_interval_s)},
            {.key = "bindkey",
             .read = read_bindkey,
             .is_nullable = true,
             .part = "home",
             .offset = offsetof(struct config_device, bindkey)},
            {.key = "irk",
             .read = read_irk,
             .is_nullable = true,
             .part = "home",
             .offset = offsetof(struct config_device, irk)},
            {.key = "publish",
             .read = read_choice,
             .is_nullable = true,
             .part = "voices",
             .offset = offsetof(struct config_device, publish)},
            {.key = "clear_cccd_on_stop",
             .read = read_optional_bool,
             .is_nullable = true,
             .part = "gatt",
             .offset = offsetof(struct config_device, clear_cccd_on_stop)},
    };
    struct config_device *device = &config->devices[config->devices_count++];
    char address[BLE_ADDRESS_TEXT_SIZE];

    device->address = UINT64_MAX; /* none yet */
    device->publish = -1;
    device->clear_cccd_on_stop = true;
    READ_FIELDS(fields, v, "devices", device);
    check_route(v, device);
    if (device->alias)
        unique_add(&lists->aliases, device->alias, "devices", v->at.index, "alias");
    if (device->address == UINT64_MAX)
        return;
    ble_address_format(address, device->address);
    unique_add(&lists->device_addresses, address, "devices", v->at.index, "address");
}

static void read_identity(struct lists *lists, const struct value *v, struct config *config)
{
    struct identity {
        char *name, *irk, *area;
        uint64_t address;
    } identity = {0};
    static const struct field fields[] = {
            {.key = "name",
             .read = value_read_text,
             .rule = "alias",
             .is_required = true,
             .offset = offsetof(struct identity, name)},
            {.key = "irk",
             .read = read_irk,
             .is_required = true,
             .offset = offsetof(struct identity, irk)},
            {.key = "address",
             .read = read_optional_mac,
             .is_nullable = true,
             .offset = offsetof(struct identity, address)},
            {.key = "area",
             .read = value_read_text,
             .is_nullable = true,
             .offset = offsetof(struct identity, area)},
    };

    (void) config;
    READ_FIELDS(fields, v, "identities", &identity);
    if (identity.name)
        unique_add(&lists->aliases, identity.name, "identities", v->at.index, "name");
    free(identity.name);
    free(identity.area);
    value_free_secret(identity.irk);
}

static void read_area(struct lists *lists, const struct value *v, struct config *config)
{
    struct area {
        char *name;
        int64_t min_rssi;
        struct config_texts neighbours;
    } area = {0};
    static const struct field fields[] = {
            {.key = "name",
             .read = value_read_text,
             .is_required = true,
             .offset = offsetof(struct area, name)},
            {.key = "min_rssi",
             .read = value_read_int,
             .low = -127,
             .high = 0,
             .is_nullable = true,
             .offset = offsetof(struct area, min_rssi)},
            {.key = "neighbours",
             .read = value_read_texts,
             .offset = offsetof(struct area, neighbours)},
    };

    (void) config;
    READ_FIELDS(fields, v, "areas", &area);
    if (area.name)
        unique_add(&lists->area_names, area.name, "areas", v->at.index, "name");
    free(area.name);
    value_free_texts(&area.neighbours);
}

static void read_matter_server(struct lists *lists, const struct value *v, struct config *config)
{
    struct server {
        char *url, *ca, *authorization;
        int64_t max_links;
        bool reserve_slot;
    } server = {0};
    static const struct field fields[] = {
            {.key = "url",
             .read = value_read_text,
             .rule = "url",
             .is_required = true,
             .offset = offsetof(struct server, url)},
            {.key = "ca",
             .read = value_read_text,
             .rule = "path",
             .is_nullable = true,
             .offset = offsetof(struct server, ca)},
            {.key = "authorization",
             .read = value_read_secret,
             .is_nullable = true,
             .offset = offsetof(struct server, authorization)},
            {.key = "max_links",
             .read = value_read_int,
             .low = 1,
             .high = 16,
             .offset = offsetof(struct server, max_links)},
            {.key = "reserve_slot",
             .read = value_read_bool,
             .offset = offsetof(struct server, reserve_slot)},
    };

    (void) lists;
    (void) config;
    READ_FIELDS(fields, v, "matter.servers", &server);
    free(server.url);
    free(server.ca);
    value_free_secret(server.authorization);
}

/* ---- lists ---- */

static void read_entries(struct lists *lists, const struct value *v, struct config *config,
                         lists_reader *read_entry)
{
    for (size_t i = 0; i < json_array_size(v->json); i++) {
        const struct value entry = {.reading = v->reading,
                                    .at = {.parent = &v->at, .index = i},
                                    .json = json_array_get(v->json, i)};

        read_entry(lists, &entry, config);
    }
}

static void read_proxies(struct lists *lists, const struct value *v, struct config *config)
{
    if (json_array_size(v->json) > PROXIES_MAX) {
        VALUE_FAULT(v, "lists more than %d proxies", PROXIES_MAX);
        return;
    }
    config->proxies = xnew(struct config_proxy, json_array_size(v->json) + 1);
    read_entries(lists, v, config, read_proxy);
}

static void read_devices(struct lists *lists, const struct value *v, struct config *config)
{
    config->devices = xnew(struct config_device, json_array_size(v->json) + 1);
    read_entries(lists, v, config, read_device);
}

static void read_identities(struct lists *lists, const struct value *v, struct config *config)
{
    read_entries(lists, v, config, read_identity);
}

static void read_areas(struct lists *lists, const struct value *v, struct config *config)
{
    read_entries(lists, v, config, read_area);
}

static void read_matter_servers(struct lists *lists, const struct value *v, struct config *config)
{
    read_entries(lists, v, config, read_matter_server);
}

static const struct list {
    const char *key;
    lists_reader *read;
    const char *part;
} all_lists[] = {
        {"proxies", read_proxies, "core"},
        {"devices", read_devices, "core"},
        {"identities", read_identities, "home"},
        {"areas", read_areas, "home"},
        {"matter.servers", read_matter_servers, "matter"},
};

lists_reader *lists_find(const char *key, const char **ret_part)
{
    for (size_t i = 0; i < ARRAY_SIZE(all_lists); i++) {
        if (strcmp(all_lists[i].key, key) != 0)
            continue;
        *ret_part = all_lists[i].part;
        return all_lists[i].read;
    }
    return NULL;
}

const char *lists_key(size_t index)
{
    return index < ARRAY_SIZE(all_lists) ? all_lists[index].key : NULL;
}

void lists_check(struct lists *lists, struct config_faults *faults)
{
    unique_check(&lists->proxy_names, faults);
    unique_check(&lists->device_addresses, faults);
    unique_check(&lists->aliases, faults);
    unique_check(&lists->area_names, faults);
}

static void free_proxy(struct config_proxy *proxy)
{
    free(proxy->name);
    free(proxy->host);
    explicit_bzero(proxy->encryption_key, sizeof(proxy->encryption_key));
    value_free_secret(proxy->password);
    free(proxy->area);
    free(proxy->scan_mode);
}

static void free_device(struct config_device *device)
{
    free(device->alias);
    free(device->area);
    value_free_texts(&device->route_require);
    value_free_texts(&device->route_prefer);
    value_free_texts(&device->route_forbid);
    value_free_secret(device->bindkey);
    value_free_secret(device->irk);
}

void lists_free(struct config *config)
{
    for (size_t i = 0; i < config->proxies_count; i++)
        free_proxy(&config->proxies[i]);
    for (size_t i = 0; i < config->devices_count; i++)
        free_device(&config->devices[i]);
    free(config->proxies);
    free(config->devices);
}
