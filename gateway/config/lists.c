/* A list is read entry by entry through a table of fields, straight into an array of struct config;
 * the same table dumps and describes it. An entry with faults is kept with defaults, so that the
 * following ones are checked as well; the whole configuration is given up afterwards. */
#include "lists.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "ble/address.h"
#include "key.h"

#define PROXIES_MAX 4096    /* as many sources as the device table tells apart */
#define DEVICES_MAX 1000000 /* as many as limits.devices allows */
#define OTHERS_MAX  100000  /* of what has no bound of its own */

/* ---- fields that only entries have; target and source are the entry ---- */

static json_t *dump_mac(bool is_known, uint64_t address)
{
    char text[BLE_ADDRESS_TEXT_SIZE];

    if (!is_known)
        return json_null();
    ble_address_format(text, address);
    return json_string(text);
}

static void read_proxy_port(const struct value *v, void *target)
{
    int64_t port = 0;

    value_read_int(v, &port);
    ((struct config_proxy *) target)->port = (uint16_t) port;
}

static json_t *dump_proxy_port(const void *source, bool with_secrets)
{
    (void) with_secrets;
    return json_integer(((const struct config_proxy *) source)->port);
}

static void read_proxy_mac(const struct value *v, void *target)
{
    struct config_proxy *proxy = target;

    if (!json_is_null(v->json))
        proxy->has_mac = value_get_mac(v, &proxy->mac);
}

static json_t *dump_proxy_mac(const void *source, bool with_secrets)
{
    const struct config_proxy *proxy = source;

    (void) with_secrets;
    return dump_mac(proxy->has_mac, proxy->mac);
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

static json_t *dump_proxy_key(const void *source, bool with_secrets)
{
    const struct config_proxy *proxy = source;
    char text[KEY_BASE64_SIZE(sizeof(proxy->encryption_key))];
    json_t *json;

    key_to_base64(text, proxy->encryption_key, sizeof(proxy->encryption_key));
    json = value_dump_secret(proxy->is_encrypted ? text : NULL, with_secrets);
    explicit_bzero(text, sizeof(text));
    return json;
}

static void read_device_address(const struct value *v, void *target)
{
    (void) value_get_mac(v, &((struct config_device *) target)->address);
}

static json_t *dump_device_address(const void *source, bool with_secrets)
{
    (void) with_secrets;
    return dump_mac(true, ((const struct config_device *) source)->address);
}

static void read_identity_address(const struct value *v, void *target)
{
    struct config_identity *identity = target;

    if (!json_is_null(v->json))
        identity->has_address = value_get_mac(v, &identity->address);
}

static json_t *dump_identity_address(const void *source, bool with_secrets)
{
    const struct config_identity *identity = source;

    (void) with_secrets;
    return dump_mac(identity->has_address, identity->address);
}

static json_t *dump_expected_interval(const void *source, bool with_secrets)
{
    double seconds = ((const struct config_device *) source)->expected_interval_s;

    (void) with_secrets;
    return seconds > 0 ? value_dump_number(seconds) : json_null();
}

static void read_expected_interval(const struct value *v, void *target)
{
    value_read_number(v, &((struct config_device *) target)->expected_interval_s);
}

/* ---- fields that have a form of their own ---- */

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

static json_t *dump_choice(const void *source, bool with_secrets)
{
    int choice = *(const int *) source;

    (void) with_secrets;
    return choice < 0 ? json_null() : json_boolean(choice);
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

static const struct field route_fields[] = {
        {.key = "require",
         .type = VALUE_TEXTS,
         .rule = "name",
         .standard = "[]",
         .offset = offsetof(struct config_device, route_require)},
        {.key = "prefer",
         .type = VALUE_TEXTS,
         .rule = "name",
         .standard = "[]",
         .offset = offsetof(struct config_device, route_prefer)},
        {.key = "forbid",
         .type = VALUE_TEXTS,
         .rule = "name",
         .standard = "[]",
         .offset = offsetof(struct config_device, route_forbid)},
};

static void read_route(const struct value *v, void *target)
{
    if (!json_is_null(v->json))
        fields_read(route_fields, ARRAY_SIZE(route_fields), v, "devices.route", target);
}

static json_t *dump_route(const void *source, bool with_secrets)
{
    return fields_dump(route_fields, ARRAY_SIZE(route_fields), source, with_secrets);
}

static const struct field active_scan_fields[] = {
        {.key = "interval_s",
         .type = VALUE_INT,
         .low = 60,
         .high = 86400,
         .standard = "300",
         .offset = offsetof(struct config_device, active_scan_interval_s)},
        {.key = "duration_s",
         .type = VALUE_INT,
         .low = 5,
         .high = 35,
         .standard = "10",
         .offset = offsetof(struct config_device, active_scan_duration_s)},
};

static void read_active_scan(const struct value *v, void *target)
{
    struct config_device *device = target;

    if (json_is_null(v->json))
        return;
    device->active_scan_interval_s = 300;
    device->active_scan_duration_s = 10;
    fields_read(active_scan_fields, ARRAY_SIZE(active_scan_fields), v, "devices.active_scan",
                target);
}

static json_t *dump_active_scan(const void *source, bool with_secrets)
{
    if (((const struct config_device *) source)->active_scan_interval_s == 0)
        return json_null();
    return fields_dump(active_scan_fields, ARRAY_SIZE(active_scan_fields), source, with_secrets);
}

/* ---- proxies ---- */

static const struct field proxy_fields[] = {
        {.key = "name",
         .type = VALUE_TEXT,
         .rule = "name",
         .is_required = true,
         .offset = offsetof(struct config_proxy, name)},
        {.key = "host",
         .type = VALUE_TEXT,
         .rule = "host",
         .is_required = true,
         .offset = offsetof(struct config_proxy, host)},
        {.key = "port",
         .type = VALUE_INT,
         .read = read_proxy_port,
         .dump = dump_proxy_port,
         .low = 0,
         .high = 65535,
         .standard = "6053"},
        {.key = "mac",
         .type = VALUE_MAC,
         .read = read_proxy_mac,
         .dump = dump_proxy_mac,
         .is_nullable = true},
        {.key = "encryption_key",
         .type = VALUE_KEY,
         .read = read_proxy_key,
         .dump = dump_proxy_key,
         .is_nullable = true},
        {.key = "password",
         .type = VALUE_SECRET,
         .is_nullable = true,
         .offset = offsetof(struct config_proxy, password)},
        {.key = "area",
         .type = VALUE_TEXT,
         .is_nullable = true,
         .offset = offsetof(struct config_proxy, area)},
        {.key = "scan_mode",
         .type = VALUE_ENUM,
         .rule = "passive|active|auto",
         .is_nullable = true,
         .part = "ears",
         .offset = offsetof(struct config_proxy, scan_mode)},
        {.key = "enabled",
         .type = VALUE_BOOL,
         .standard = "true",
         .offset = offsetof(struct config_proxy, is_enabled)},
        {.key = "weight",
         .type = VALUE_NUMBER,
         .low = -30,
         .high = 30,
         .part = "links",
         .standard = "0",
         .offset = offsetof(struct config_proxy, weight)},
};

static void prepare_proxy(void *entry)
{
    struct config_proxy *proxy = entry;

    proxy->port = 6053;
    proxy->is_enabled = true;
}

static void check_proxy(struct lists *lists, const struct value *v, const void *entry)
{
    const struct config_proxy *proxy = entry;

    if (proxy->name)
        unique_add(&lists->proxy_names, proxy->name, "proxies", v->at.index, "name");
}

static void release_proxy(void *entry)
{
    struct config_proxy *proxy = entry;

    free(proxy->name);
    free(proxy->host);
    explicit_bzero(proxy->encryption_key, sizeof(proxy->encryption_key));
    value_free_secret(proxy->password);
    free(proxy->area);
    free(proxy->scan_mode);
}

/* ---- devices ---- */

static const struct field device_fields[] = {
        {.key = "address",
         .type = VALUE_MAC,
         .read = read_device_address,
         .dump = dump_device_address,
         .is_required = true},
        {.key = "alias",
         .type = VALUE_TEXT,
         .rule = "alias",
         .is_nullable = true,
         .offset = offsetof(struct config_device, alias)},
        {.key = "area",
         .type = VALUE_TEXT,
         .is_nullable = true,
         .offset = offsetof(struct config_device, area)},
        {.key = "route",
         .type = VALUE_OBJECT,
         .read = read_route,
         .dump = dump_route,
         .is_nullable = true,
         .part = "links",
         .fields = route_fields,
         .fields_count = ARRAY_SIZE(route_fields)},
        {.key = "keep_connected",
         .type = VALUE_BOOL,
         .read = read_optional_bool,
         .is_nullable = true,
         .part = "links",
         .standard = "false",
         .offset = offsetof(struct config_device, keep_connected)},
        {.key = "active_scan",
         .type = VALUE_OBJECT,
         .read = read_active_scan,
         .dump = dump_active_scan,
         .is_nullable = true,
         .part = "ears",
         .fields = active_scan_fields,
         .fields_count = ARRAY_SIZE(active_scan_fields)},
        {.key = "expected_interval_s",
         .type = VALUE_NUMBER,
         .read = read_expected_interval,
         .dump = dump_expected_interval,
         .low = 0.1,
         .high = 86400,
         .is_nullable = true,
         .part = "ears"},
        {.key = "bindkey",
         .type = VALUE_SECRET,
         .read = read_bindkey,
         .is_nullable = true,
         .part = "home",
         .offset = offsetof(struct config_device, bindkey)},
        {.key = "irk",
         .type = VALUE_SECRET,
         .read = read_irk,
         .is_nullable = true,
         .part = "home",
         .offset = offsetof(struct config_device, irk)},
        {.key = "publish",
         .type = VALUE_BOOL,
         .read = read_choice,
         .dump = dump_choice,
         .is_nullable = true,
         .part = "voices",
         .offset = offsetof(struct config_device, publish)},
        {.key = "clear_cccd_on_stop",
         .type = VALUE_BOOL,
         .read = read_optional_bool,
         .is_nullable = true,
         .part = "gatt",
         .standard = "true",
         .offset = offsetof(struct config_device, clear_cccd_on_stop)},
};

static void prepare_device(void *entry)
{
    struct config_device *device = entry;

    device->address = UINT64_MAX; /* none yet */
    device->publish = -1;
    device->clear_cccd_on_stop = true;
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

static void check_device(struct lists *lists, const struct value *v, const void *entry)
{
    const struct config_device *device = entry;
    char address[BLE_ADDRESS_TEXT_SIZE];

    check_route(v, device);
    if (device->alias)
        unique_add(&lists->aliases, device->alias, "devices", v->at.index, "alias");
    if (device->address == UINT64_MAX)
        return;
    ble_address_format(address, device->address);
    unique_add(&lists->device_addresses, address, "devices", v->at.index, "address");
}

static void release_device(void *entry)
{
    struct config_device *device = entry;

    free(device->alias);
    free(device->area);
    value_free_texts(&device->route_require);
    value_free_texts(&device->route_prefer);
    value_free_texts(&device->route_forbid);
    value_free_secret(device->bindkey);
    value_free_secret(device->irk);
}

/* ---- identities ---- */

static const struct field identity_fields[] = {
        {.key = "name",
         .type = VALUE_TEXT,
         .rule = "alias",
         .is_required = true,
         .offset = offsetof(struct config_identity, name)},
        {.key = "irk",
         .type = VALUE_SECRET,
         .read = read_irk,
         .is_required = true,
         .offset = offsetof(struct config_identity, irk)},
        {.key = "address",
         .type = VALUE_MAC,
         .read = read_identity_address,
         .dump = dump_identity_address,
         .is_nullable = true},
        {.key = "area",
         .type = VALUE_TEXT,
         .is_nullable = true,
         .offset = offsetof(struct config_identity, area)},
};

static void check_identity(struct lists *lists, const struct value *v, const void *entry)
{
    const struct config_identity *identity = entry;

    if (identity->name)
        unique_add(&lists->aliases, identity->name, "identities", v->at.index, "name");
}

static void release_identity(void *entry)
{
    struct config_identity *identity = entry;

    free(identity->name);
    free(identity->area);
    value_free_secret(identity->irk);
}

/* ---- areas ---- */

static const struct field area_fields[] = {
        {.key = "name",
         .type = VALUE_TEXT,
         .is_required = true,
         .offset = offsetof(struct config_area, name)},
        {.key = "min_rssi",
         .type = VALUE_INT,
         .low = -127,
         .high = 0,
         .is_nullable = true,
         .offset = offsetof(struct config_area, min_rssi)},
        {.key = "neighbours",
         .type = VALUE_TEXTS,
         .standard = "[]",
         .offset = offsetof(struct config_area, neighbours)},
};

static void prepare_area(void *entry)
{
    ((struct config_area *) entry)->min_rssi = INT64_MIN;
}

static void check_area(struct lists *lists, const struct value *v, const void *entry)
{
    const struct config_area *area = entry;

    if (area->name)
        unique_add(&lists->area_names, area->name, "areas", v->at.index, "name");
}

static void release_area(void *entry)
{
    struct config_area *area = entry;

    free(area->name);
    value_free_texts(&area->neighbours);
}

/* ---- Matter servers ---- */

static const struct field matter_server_fields[] = {
        {.key = "url",
         .type = VALUE_TEXT,
         .rule = "url",
         .is_required = true,
         .offset = offsetof(struct config_matter_server, url)},
        {.key = "ca",
         .type = VALUE_TEXT,
         .rule = "path",
         .is_nullable = true,
         .offset = offsetof(struct config_matter_server, ca)},
        {.key = "authorization",
         .type = VALUE_SECRET,
         .is_nullable = true,
         .offset = offsetof(struct config_matter_server, authorization)},
        {.key = "max_links",
         .type = VALUE_INT,
         .low = 1,
         .high = 16,
         .standard = "2",
         .offset = offsetof(struct config_matter_server, max_links)},
        {.key = "reserve_slot",
         .type = VALUE_BOOL,
         .standard = "false",
         .offset = offsetof(struct config_matter_server, reserve_slot)},
};

static void prepare_matter_server(void *entry)
{
    ((struct config_matter_server *) entry)->max_links = 2;
}

static void release_matter_server(void *entry)
{
    struct config_matter_server *server = entry;

    free(server->url);
    free(server->ca);
    value_free_secret(server->authorization);
}

/* ---- lists ---- */

#define ENTRIES(type, name)                                                                        \
    .fields = type##_fields, .fields_count = ARRAY_SIZE(type##_fields),                            \
    .entry_size = sizeof(struct config_##type), .entries_offset = offsetof(struct config, name),   \
    .count_offset = offsetof(struct config, name##_count), .release = release_##type

static const struct list all_lists[] = {
        {.key = "proxies",
         .part = "core",
         .help = "the proxies of the fleet",
         .most = PROXIES_MAX,
         .prepare = prepare_proxy,
         .check = check_proxy,
         ENTRIES(proxy, proxies)},
        {.key = "devices",
         .part = "core",
         .help = "devices that have settings of their own",
         .most = DEVICES_MAX,
         .prepare = prepare_device,
         .check = check_device,
         ENTRIES(device, devices)},
        {.key = "identities",
         .part = "home",
         .help = "keys that resolve private addresses",
         .most = OTHERS_MAX,
         .check = check_identity,
         ENTRIES(identity, identities)},
        {.key = "areas",
         .part = "home",
         .help = "the places that devices are found in",
         .most = OTHERS_MAX,
         .prepare = prepare_area,
         .check = check_area,
         ENTRIES(area, areas)},
        {.key = "matter.servers",
         .part = "matter",
         .help = "Matter servers to serve; the gateway dials out",
         .most = OTHERS_MAX,
         .prepare = prepare_matter_server,
         ENTRIES(matter_server, matter_servers)},
};

/* The pointer is copied: it has another type in struct config. */
static char *get_entries(const struct list *list, const struct config *config)
{
    char *entries;

    memcpy(&entries, (const char *) config + list->entries_offset, sizeof(entries));
    return entries;
}

static size_t *get_count(const struct list *list, struct config *config)
{
    return (size_t *) (void *) ((char *) config + list->count_offset);
}

const struct list *lists_find(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(all_lists); i++) {
        if (strcmp(all_lists[i].key, key) == 0)
            return &all_lists[i];
    }
    return NULL;
}

const struct list *lists_at(size_t index)
{
    return index < ARRAY_SIZE(all_lists) ? &all_lists[index] : NULL;
}

void lists_read(const struct list *list, struct lists *lists, const struct value *v,
                struct config *config)
{
    size_t count = json_array_size(v->json);
    char *entries;

    if (count > list->most) {
        VALUE_FAULT(v, "has more than %zu entries", list->most);
        return;
    }
    entries = memory_zalloc(count + 1, list->entry_size);
    memcpy((char *) config + list->entries_offset, &entries, sizeof(entries));
    *get_count(list, config) = count;
    for (size_t i = 0; i < count; i++) {
        const struct value entry = {.reading = v->reading,
                                    .at = {.parent = &v->at, .index = i},
                                    .json = json_array_get(v->json, i)};
        char *target = entries + i * list->entry_size;

        if (list->prepare)
            list->prepare(target);
        fields_read(list->fields, list->fields_count, &entry, list->key, target);
        if (list->check)
            list->check(lists, &entry, target);
    }
}

json_t *lists_dump(const struct list *list, const struct config *config, bool with_secrets)
{
    const char *entries = get_entries(list, config);
    const size_t *count =
            (const size_t *) (const void *) ((const char *) config + list->count_offset);
    json_t *array = json_array();

    for (size_t i = 0; i < *count; i++) {
        const void *entry = entries + i * list->entry_size;

        (void) json_array_append_new(
                array, fields_dump(list->fields, list->fields_count, entry, with_secrets));
    }
    return array;
}

void lists_check(struct lists *lists, struct config_faults *faults)
{
    unique_check(&lists->proxy_names, faults);
    unique_check(&lists->device_addresses, faults);
    unique_check(&lists->aliases, faults);
    unique_check(&lists->area_names, faults);
}

void lists_free(struct config *config)
{
    for (size_t i = 0; i < ARRAY_SIZE(all_lists); i++) {
        const struct list *list = &all_lists[i];
        char *entries = get_entries(list, config);

        for (size_t k = 0; k < *get_count(list, config); k++)
            list->release(entries + k * list->entry_size);
        free(entries);
    }
}
