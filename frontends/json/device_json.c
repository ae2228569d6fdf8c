#include "device_json.h"

#include <math.h>
#include <stdlib.h>

#include "base/decimal.h"
#include "base/memory.h"
#include "json/connection_json.h"
#include "json/element_name.h"
#include "json/gatt_json.h"
#include "json/packet_json.h"

/* ---- the merged view ---- */

/* One UUID may be a key under several types (16 and 128 bits long); JSON has room for one. True
 * when an element of the same kind and UUID takes the place of the one at index: the one heard
 * last. */
static bool is_outdone(const struct gateway *g, const struct gateway_device *d, size_t index,
                       const struct gateway_element *element)
{
    enum ad_kind kind = advertising_data_kind(element->type);
    struct gateway_element other;

    for (size_t i = 0; gateway_get_element(g, d, i, &other); i++) {
        if (i == index || !other.has_uuid || advertising_data_kind(other.type) != kind ||
            !ble_uuid_equal(&other.uuid, &element->uuid))
            continue;
        if (other.last_seen > element->last_seen ||
            (other.last_seen == element->last_seen && i < index))
            return true;
    }
    return false;
}

static void write_merged_uuids(struct writer *w, const struct gateway *g,
                               const struct gateway_device *d)
{
    struct gateway_element element;

    writer_begin_array(w, "service_uuids");
    for (size_t i = 0; gateway_get_element(g, d, i, &element); i++) {
        if (element.has_uuid && advertising_data_kind(element.type) == AD_KIND_UUID &&
            !is_outdone(g, d, i, &element))
            packet_json_write_uuid(w, NULL, &element.uuid);
    }
    writer_end_array(w);
}

static void write_merged_manufacturer_data(struct writer *w, const struct gateway *g,
                                           const struct gateway_device *d)
{
    struct gateway_element element;

    writer_begin_object(w, "manufacturer_data");
    for (size_t i = 0; gateway_get_element(g, d, i, &element); i++) {
        if (element.has_company)
            packet_json_write_by_company(w, element.company, element.data, element.size);
    }
    writer_end_object(w);
}

static void write_merged_service_data(struct writer *w, const struct gateway *g,
                                      const struct gateway_device *d)
{
    struct gateway_element element;

    writer_begin_object(w, "service_data");
    for (size_t i = 0; gateway_get_element(g, d, i, &element); i++) {
        if (element.has_uuid && advertising_data_kind(element.type) == AD_KIND_SERVICE_DATA &&
            !is_outdone(g, d, i, &element))
            packet_json_write_by_uuid(w, &element.uuid, element.data, element.size);
    }
    writer_end_object(w);
}

static void write_raw(struct writer *w, const struct gateway_packet *packet)
{
    if (packet)
        packet_json_write_raw(w, packet->is_parsed, packet->data, packet->size);
    else
        writer_null(w, "raw");
}

/* ---- the list form ---- */

/* Of a device that was never heard the address alone can tell: with both top bits set it would be a
 * static random one, and few vendors have such a prefix. */
static const char *address_type(const struct gateway_device *d)
{
    if (d->row && d->address_type)
        return d->address_type;
    return ble_address_type_name(d->address >> 46 == 3 ? BLE_ADDRESS_RANDOM : BLE_ADDRESS_PUBLIC);
}

static void write_identity(struct writer *w, const struct gateway_device *d)
{
    writer_address(w, "address", d->address);
    writer_text(w, "address_type", address_type(d));
    writer_null(w, "identity");
    packet_json_write_name(w, d->name, d->name_size);
    writer_text(w, "alias", d->config ? d->config->alias : NULL);
    writer_null(w, "kind");
}

static void write_signal(struct writer *w, const struct gateway_device *d)
{
    packet_json_write_rssi(w, d->rssi);
    writer_number(w, "rssi_smoothed", d->rssi_smoothed, 1);
    writer_text(w, "proxy", d->proxy);
    writer_text(w, "area", d->area);
    writer_null(w, "connectable");
    packet_json_write_optional(w, "tx_power", d->has_tx_power, d->tx_power);
}

/* The contract has no null for these: never is the epoch. */
static void write_seen(struct writer *w, const char *key, const struct gateway *g, usec_t moment)
{
    writer_time(w, key, moment ? gateway_wall(g, moment) : 0);
}

static void write_presence(struct writer *w, const struct gateway *g,
                           const struct gateway_device *d)
{
    write_seen(w, "first_seen", g, d->first_seen);
    write_seen(w, "last_seen", g, d->last_seen);
    if (d->interval > 0)
        writer_number(w, "interval_s", (double) d->interval / USEC_PER_SEC, 3);
    else
        writer_null(w, "interval_s");
    writer_bool(w, "available", d->is_available);
    writer_begin_object(w, "sensors");
    writer_end_object(w);
    connection_json_write_short(w, "connection", g, d->address);
}

static void write_list_fields(struct writer *w, const struct gateway *g,
                              const struct gateway_device *d)
{
    struct gateway_packet packet;
    bool is_heard = gateway_get_latest(g, d, &packet);

    write_identity(w, d);
    write_signal(w, d);
    write_merged_uuids(w, g, d);
    write_merged_manufacturer_data(w, g, d);
    write_merged_service_data(w, g, d);
    write_raw(w, is_heard ? &packet : NULL);
    write_presence(w, g, d);
}

/* ---- what the detail adds ---- */

static void write_element_key(struct writer *w, const struct gateway_element *element)
{
    char company[DECIMAL_SIZE];

    if (element->has_uuid) {
        packet_json_write_uuid(w, "key", &element->uuid);
    } else if (element->has_company) {
        (void) decimal_format(company, element->company);
        writer_text(w, "key", company);
    } else {
        writer_null(w, "key");
    }
}

/* What came through a proxy that is gone has nobody to name and is left out here. */
static void write_elements(struct writer *w, const struct gateway *g,
                           const struct gateway_device *d)
{
    struct gateway_element element;

    writer_begin_array(w, "elements");
    for (size_t i = 0; gateway_get_element(g, d, i, &element); i++) {
        if (!element.proxy)
            continue;
        writer_begin_object(w, NULL);
        writer_unsigned(w, "type", element.type);
        writer_text(w, "name", element_name_of(element.type));
        write_element_key(w, &element);
        writer_hex(w, "value", element.data, element.size);
        writer_text(w, "proxy", element.proxy);
        writer_time(w, "last_seen", gateway_wall(g, element.last_seen));
        writer_end_object(w);
    }
    writer_end_array(w);
}

static void write_parsed(struct writer *w, const struct advertising_data *ad)
{
    packet_json_write_content(w, ad);
    packet_json_write_optional(w, "flags", ad->has_flags, ad->flags);
    packet_json_write_optional(w, "appearance", ad->has_appearance, ad->appearance);
    writer_begin_array(w, "unknown");
    for (size_t i = 0; i < ad->others_count; i++) {
        writer_begin_object(w, NULL);
        writer_unsigned(w, "type", ad->others[i].type);
        writer_hex(w, "value", ad->others[i].data.data, ad->others[i].data.size);
        writer_end_object(w);
    }
    writer_end_array(w);
}

static void write_latest(struct writer *w, const struct gateway *g, const struct gateway_device *d)
{
    struct gateway_packet packet;
    struct advertising_data ad;

    if (!gateway_get_latest(g, d, &packet) || !packet.proxy) {
        writer_null(w, "latest");
        return;
    }
    advertising_data_parse(&ad, packet.data, packet.size);
    writer_begin_object(w, "latest");
    writer_time(w, "time", gateway_wall(g, packet.time));
    writer_text(w, "proxy", packet.proxy);
    packet_json_write_rssi(w, packet.rssi);
    write_raw(w, &packet);
    write_parsed(w, &ad);
    writer_end_object(w);
}

static void write_sources(struct writer *w, const struct gateway *g, const struct gateway_device *d)
{
    struct gateway_source source;

    writer_begin_array(w, "sources");
    for (size_t i = 0; gateway_get_source(g, d, i, &source); i++) {
        if (!source.proxy)
            continue;
        writer_begin_object(w, NULL);
        writer_text(w, "proxy", source.proxy);
        packet_json_write_rssi(w, source.rssi);
        writer_number(w, "rssi_smoothed", source.rssi_smoothed, 1);
        writer_time(w, "last_seen", gateway_wall(g, source.last_seen));
        writer_unsigned(w, "advertisements", source.advertisements);
        writer_bool(w, "owner", source.is_owner);
        writer_end_object(w);
    }
    writer_end_array(w);
}

static void write_security(struct writer *w)
{
    writer_begin_object(w, "security");
    writer_null(w, "encrypted");
    writer_null(w, "authenticated");
    writer_null(w, "bonded");
    writer_null(w, "key_size");
    writer_end_object(w);
}

/* The proxies that hold a bond. */
static void write_bonds(struct writer *w, const struct gateway *g, uint64_t address)
{
    const char *proxy;
    size_t index = 0;

    writer_begin_array(w, "bonds");
    while ((proxy = gateway_next_bond(g, address, &index)))
        writer_text(w, NULL, proxy);
    writer_end_array(w);
}

static void write_texts(struct writer *w, const char *key, const struct config_texts *texts)
{
    writer_begin_array(w, key);
    for (size_t i = 0; i < texts->count; i++)
        writer_text(w, NULL, texts->items[i]);
    writer_end_array(w);
}

static void write_active_scan(struct writer *w, const struct config_device *config)
{
    if (config->active_scan_interval_s == 0) {
        writer_null(w, "active_scan");
        return;
    }
    writer_begin_object(w, "active_scan");
    writer_integer(w, "interval_s", config->active_scan_interval_s);
    writer_integer(w, "duration_s", config->active_scan_duration_s);
    writer_end_object(w);
}

static void write_secret(struct writer *w, const char *key, const char *secret)
{
    writer_text(w, key, secret ? "***" : NULL);
}

static void write_settings(struct writer *w, const struct config_device *configured)
{
    static const struct config_device standard = {.publish = -1, .clear_cccd_on_stop = true};
    const struct config_device *config = configured ? configured : &standard;

    writer_begin_object(w, "settings");
    writer_text(w, "alias", config->alias);
    writer_text(w, "area", config->area);
    writer_begin_object(w, "route");
    write_texts(w, "require", &config->route_require);
    write_texts(w, "prefer", &config->route_prefer);
    write_texts(w, "forbid", &config->route_forbid);
    writer_end_object(w);
    writer_bool(w, "keep_connected", config->keep_connected);
    write_active_scan(w, config);
    writer_number(w, "expected_interval_s",
                  config->expected_interval_s > 0 ? config->expected_interval_s : (double) NAN, 3);
    write_secret(w, "bindkey", config->bindkey);
    write_secret(w, "irk", config->irk);
    if (config->publish < 0)
        writer_null(w, "publish");
    else
        writer_bool(w, "publish", config->publish > 0);
    writer_bool(w, "clear_cccd_on_stop", config->clear_cccd_on_stop);
    writer_end_object(w);
}

void device_json_write(struct writer *w, const char *key, const struct gateway *g,
                       const struct gateway_device *device)
{
    writer_begin_object(w, key);
    write_list_fields(w, g, device);
    writer_end_object(w);
}

void device_json_write_detail(struct writer *w, const char *key, const struct gateway *g,
                              const struct gateway_device *device)
{
    writer_begin_object(w, key);
    write_list_fields(w, g, device);
    write_elements(w, g, device);
    write_latest(w, g, device);
    write_sources(w, g, device);
    gatt_json_write_summary(w, "gatt", g, device->address);
    write_security(w);
    write_bonds(w, g, device->address);
    write_settings(w, device->config);
    writer_end_object(w);
}
