/* Old firmware writes UUIDs as text, short ones as "0x180F" or in four digits, and long ones that
 * lie on the Bluetooth base in full; a short UUID gets its short form back, so that the data looks
 * as on air. Company identifiers are hex text too. What is no such text is left out: the rest of
 * the advertisement is still true. */
#include "parsed_advertisement.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "ble/uuid.h"

/* AD types (Assigned Numbers, 2.3). */
enum {
    AD_COMPLETE_LIST_16 = 0x03,
    AD_COMPLETE_LIST_32 = 0x05,
    AD_COMPLETE_LIST_128 = 0x07,
    AD_COMPLETE_NAME = 0x09,
    AD_SERVICE_DATA_16 = 0x16,
    AD_SERVICE_DATA_32 = 0x20,
    AD_SERVICE_DATA_128 = 0x21,
    AD_MANUFACTURER_DATA = 0xff,
};

/* A UUID as it stands on air. */
struct air_uuid {
    uint8_t octets[16];
    size_t size; /* 2, 4 or 16 */
};

struct writer {
    uint8_t *data;
    size_t size;
};

/* One structure of type, then prefix, then data; dropped when it does not fit. */
static void write_structure(struct writer *w, uint8_t type, struct bytes prefix, struct bytes data)
{
    const size_t size = 1 + prefix.size + data.size;

    if (data.size > BLE_REPORT_DATA_MAX || 1 + size > BLE_REPORT_DATA_MAX - w->size)
        return;
    w->data[w->size++] = (uint8_t) size;
    w->data[w->size++] = type;
    if (prefix.size > 0)
        memcpy(w->data + w->size, prefix.data, prefix.size);
    if (data.size > 0)
        memcpy(w->data + w->size + prefix.size, data.data, data.size);
    w->size += prefix.size + data.size;
}

/* "0x4c", "004C", "6e400001-…": as ble_uuid_parse(), with "0x" and short texts filled up. */
static bool parse_uuid(struct text text, struct ble_uuid *ret_uuid)
{
    char digits[BLE_UUID_TEXT_SIZE] = "0000";
    size_t filled;

    if (text.size > 2 && text.data[0] == '0' && (text.data[1] == 'x' || text.data[1] == 'X')) {
        text.data += 2;
        text.size -= 2;
    }
    if (text.size == 0 || text.size >= sizeof digits || memchr(text.data, '\0', text.size))
        return false;
    filled = text.size < 4 ? 4 - text.size : 0;
    if (text.size > 4 && text.size < 8)
        filled = 8 - text.size;
    memset(digits, '0', filled);
    memcpy(digits + filled, text.data, text.size);
    digits[filled + text.size] = '\0';
    return ble_uuid_parse(digits, ret_uuid);
}

static bool parse_air_uuid(struct text text, struct air_uuid *ret_uuid)
{
    struct ble_uuid uuid;
    uint32_t value;

    if (!parse_uuid(text, &uuid))
        return false;
    if (!ble_uuid_short(&uuid, &value)) {
        ret_uuid->size = 16;
        for (size_t i = 0; i < 16; i++)
            ret_uuid->octets[i] = uuid.octets[15 - i];
        return true;
    }
    ret_uuid->size = value > UINT16_MAX ? 4 : 2;
    for (size_t i = 0; i < ret_uuid->size; i++)
        ret_uuid->octets[i] = (uint8_t) (value >> (8 * i));
    return true;
}

static void write_manufacturer_data(struct writer *w, const struct message_uuid_data *element)
{
    struct air_uuid company;

    if (parse_air_uuid(element->uuid, &company) && company.size == 2)
        write_structure(w, AD_MANUFACTURER_DATA, (struct bytes){company.octets, company.size},
                        element->data);
}

static void write_service_data(struct writer *w, const struct message_uuid_data *element)
{
    struct air_uuid uuid;
    uint8_t type;

    if (!parse_air_uuid(element->uuid, &uuid))
        return;
    type = uuid.size == 2   ? AD_SERVICE_DATA_16
           : uuid.size == 4 ? AD_SERVICE_DATA_32
                            : AD_SERVICE_DATA_128;
    write_structure(w, type, (struct bytes){uuid.octets, uuid.size}, element->data);
}

/* One list of those service UUIDs that have this size, as far as they fit. */
static void write_uuid_list(struct writer *w, uint8_t type, size_t size,
                            const struct message_parsed_advertisement *parsed)
{
    const size_t room = BLE_REPORT_DATA_MAX - w->size;
    uint8_t list[BLE_REPORT_DATA_MAX];
    size_t used = 0;

    for (size_t i = 0; i < parsed->service_uuids_count; i++) {
        struct air_uuid uuid;

        if (!parse_air_uuid(parsed->service_uuids[i], &uuid) || uuid.size != size)
            continue;
        if (2 + used + size > room)
            break;
        memcpy(list + used, uuid.octets, size);
        used += size;
    }
    if (used > 0)
        write_structure(w, type, (struct bytes){list, used}, (struct bytes){0});
}

int parsed_advertisement_to_report(const struct message_parsed_advertisement *parsed,
                                   uint8_t data[BLE_REPORT_DATA_MAX], struct ble_report *ret_report)
{
    struct writer w = {.data = data};

    if (parsed->address == 0 || parsed->address >> 48 != 0)
        return -EINVAL;
    for (size_t i = 0; i < parsed->manufacturer_data_count; i++)
        write_manufacturer_data(&w, &parsed->manufacturer_data[i]);
    for (size_t i = 0; i < parsed->service_data_count; i++)
        write_service_data(&w, &parsed->service_data[i]);
    write_uuid_list(&w, AD_COMPLETE_LIST_16, 2, parsed);
    write_uuid_list(&w, AD_COMPLETE_LIST_32, 4, parsed);
    write_uuid_list(&w, AD_COMPLETE_LIST_128, 16, parsed);
    if (parsed->name.size > 0)
        write_structure(&w, AD_COMPLETE_NAME, (struct bytes){0},
                        (struct bytes){(const uint8_t *) parsed->name.data, parsed->name.size});
    *ret_report = (struct ble_report){
            .address = parsed->address,
            .data = data,
            .size = (uint8_t) w.size,
            .rssi = ble_report_rssi(parsed->rssi),
            .address_type =
                    (uint8_t) (parsed->address_type > UINT8_MAX ? UINT8_MAX : parsed->address_type),
            .is_parsed = 1,
    };
    return 0;
}
