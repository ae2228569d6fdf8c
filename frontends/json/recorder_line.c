#include "recorder_line.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ble/address.h"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool read_type(const char *text, uint8_t *ret_type)
{
    for (uint8_t type = 0; type <= BLE_ADDRESS_RANDOM_IDENTITY; type++) {
        if (text && strcmp(text, ble_address_type_name(type)) == 0) {
            *ret_type = type;
            return true;
        }
    }
    return false;
}

static bool read_object(const json_t *object, struct recorder_line *ret_line)
{
    const char *time = text_of(object, "time"), *proxy = text_of(object, "proxy");
    const char *address = text_of(object, "address"), *raw = text_of(object, "raw");
    const json_t *rssi = json_object_get(object, "rssi");
    size_t size = 0;

    if (!time || !proxy || !address || !raw || strlen(proxy) >= sizeof ret_line->proxy ||
        !clock_parse(time, &ret_line->time) || !ble_address_parse(address, &ret_line->address) ||
        !read_type(text_of(object, "address_type"), &ret_line->address_type) ||
        !bytes_from_hex(ret_line->raw, sizeof ret_line->raw, raw, strlen(raw), &size) ||
        !(json_is_integer(rssi) || json_is_null(rssi)))
        return false;
    (void) snprintf(ret_line->proxy, sizeof ret_line->proxy, "%s", proxy);
    ret_line->rssi = json_is_null(rssi) ? 0 : ble_report_rssi(json_integer_value(rssi));
    ret_line->size = (uint8_t) size;
    return true;
}

bool recorder_line_read(const char *text, size_t size, struct recorder_line *ret_line)
{
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    bool is_good = json_is_object(object) && read_object(object, ret_line);

    json_decref(object);
    return is_good;
}
