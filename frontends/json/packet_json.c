#include "packet_json.h"

#include "base/decimal.h"

#define RSSI_MIN (-127)
#define RSSI_MAX 20

static bool has_uuid_before(const struct advertising_data *ad, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (ble_uuid_equal(&ad->uuids[i], &ad->uuids[index]))
            return true;
    }
    return false;
}

bool packet_json_has_rssi(int rssi)
{
    return rssi != 0 && rssi <= RSSI_MAX;
}

void packet_json_write_rssi(struct writer *w, int rssi)
{
    if (packet_json_has_rssi(rssi))
        writer_integer(w, "rssi", rssi < RSSI_MIN ? RSSI_MIN : rssi);
    else
        writer_null(w, "rssi");
}

void packet_json_write_name(struct writer *w, const void *name, size_t size)
{
    if (name && size > 0)
        writer_text_sized(w, "name", name, size);
    else
        writer_null(w, "name");
}

void packet_json_write_raw(struct writer *w, bool is_parsed, const uint8_t *data, size_t size)
{
    if (is_parsed)
        writer_null(w, "raw");
    else
        writer_hex(w, "raw", data, size);
}

void packet_json_write_uuid(struct writer *w, const char *key, const struct ble_uuid *uuid)
{
    char text[BLE_UUID_TEXT_SIZE];

    ble_uuid_format(text, uuid);
    writer_text(w, key, text);
}

void packet_json_write_by_uuid(struct writer *w, const struct ble_uuid *uuid, const uint8_t *data,
                               size_t size)
{
    char key[BLE_UUID_TEXT_SIZE];

    ble_uuid_format(key, uuid);
    writer_hex(w, key, data, size);
}

void packet_json_write_by_company(struct writer *w, uint16_t company, const uint8_t *data,
                                  size_t size)
{
    char key[DECIMAL_SIZE];

    (void) decimal_format(key, company);
    writer_hex(w, key, data, size);
}

void packet_json_write_optional(struct writer *w, const char *key, bool is_there, int value)
{
    if (is_there)
        writer_integer(w, key, value);
    else
        writer_null(w, key);
}

void packet_json_write_payload(struct writer *w, const struct advertising_data *ad)
{
    packet_json_write_name(w, ad->name.data, ad->name.size);
    writer_begin_array(w, "service_uuids");
    for (size_t i = 0; i < ad->uuids_count; i++) {
        if (!has_uuid_before(ad, i))
            packet_json_write_uuid(w, NULL, &ad->uuids[i]);
    }
    writer_end_array(w);
    writer_begin_object(w, "manufacturer_data");
    for (size_t i = 0; i < ad->manufacturer_data_count; i++) {
        const struct ad_manufacturer_data *item = &ad->manufacturer_data[i];

        packet_json_write_by_company(w, item->company, item->value.data, item->value.size);
    }
    writer_end_object(w);
    writer_begin_object(w, "service_data");
    for (size_t i = 0; i < ad->service_data_count; i++) {
        const struct ad_service_data *item = &ad->service_data[i];

        packet_json_write_by_uuid(w, &item->uuid, item->value.data, item->value.size);
    }
    writer_end_object(w);
}

void packet_json_write_content(struct writer *w, const struct advertising_data *ad)
{
    packet_json_write_payload(w, ad);
    packet_json_write_optional(w, "tx_power", ad->has_tx_power, ad->tx_power);
}
