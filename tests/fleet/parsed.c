/* As the firmware of 2022 did it: a walk over the AD structures that skips zero length octets and
 * ends at the first structure that runs past the end; UUIDs in upper case, short ones as "0x180F";
 * a company identifier is written like a short UUID. */
#include "parsed.h"

#include <assert.h>
#include <stdio.h>

enum ad_type {
    AD_UUIDS_16_SOME = 0x02,
    AD_UUIDS_16 = 0x03,
    AD_UUIDS_32_SOME = 0x04,
    AD_UUIDS_32 = 0x05,
    AD_UUIDS_128_SOME = 0x06,
    AD_UUIDS_128 = 0x07,
    AD_NAME_SHORT = 0x08,
    AD_NAME = 0x09,
    AD_SERVICE_DATA_16 = 0x16,
    AD_SERVICE_DATA_32 = 0x20,
    AD_SERVICE_DATA_128 = 0x21,
    AD_MANUFACTURER_DATA = 0xff,
};

/* octets are in the order of the air: least significant first. */
static struct text uuid_text(struct parsed *p, const uint8_t *octets, size_t size)
{
    if (p->texts_used == PARSED_ENTRIES_MAX)
        return (struct text){0};
    char *text = p->texts[p->texts_used++];
    size_t length = 0;

    if (size < 16)
        length += (size_t) snprintf(text, PARSED_UUID_SIZE, "0x");
    for (size_t i = size; i-- > 0;) {
        length += (size_t) snprintf(text + length, PARSED_UUID_SIZE - length, "%02X", octets[i]);
        if (size == 16 && (i == 12 || i == 10 || i == 8 || i == 6))
            length += (size_t) snprintf(text + length, PARSED_UUID_SIZE - length, "-");
    }
    return (struct text){.data = text, .size = length};
}

static void add_uuids(struct parsed *p, struct bytes data, size_t size)
{
    struct bytes uuid;
    while (bytes_pull(&data, size, &uuid)) {
        struct text text = uuid_text(p, uuid.data, size);
        if (text.size > 0)
            p->uuids[p->message.service_uuids_count++] = text;
    }
}

static void add_data(struct parsed *p, struct message_uuid_data *entries, size_t *count,
                     struct bytes data, size_t uuid_size)
{
    struct bytes uuid;
    if (!bytes_pull(&data, uuid_size, &uuid))
        return;
    struct text text = uuid_text(p, uuid.data, uuid_size);
    if (text.size > 0)
        entries[(*count)++] = (struct message_uuid_data){.uuid = text, .data = data};
}

static void add_structure(struct parsed *p, uint8_t type, struct bytes data)
{
    struct message_parsed_advertisement *m = &p->message;

    switch (type) {
    case AD_UUIDS_16_SOME:
    case AD_UUIDS_16:
        add_uuids(p, data, 2);
        break;
    case AD_UUIDS_32_SOME:
    case AD_UUIDS_32:
        add_uuids(p, data, 4);
        break;
    case AD_UUIDS_128_SOME:
    case AD_UUIDS_128:
        add_uuids(p, data, 16);
        break;
    case AD_NAME_SHORT:
        if (m->name.size > 0) /* a short name does not replace a complete one */
            break;
        m->name = (struct text){(const char *) data.data, data.size};
        break;
    case AD_NAME:
        m->name = (struct text){(const char *) data.data, data.size};
        break;
    case AD_SERVICE_DATA_16:
        add_data(p, p->services, &m->service_data_count, data, 2);
        break;
    case AD_SERVICE_DATA_32:
        add_data(p, p->services, &m->service_data_count, data, 4);
        break;
    case AD_SERVICE_DATA_128:
        add_data(p, p->services, &m->service_data_count, data, 16);
        break;
    case AD_MANUFACTURER_DATA:
        add_data(p, p->manufacturers, &m->manufacturer_data_count, data, 2);
        break;
    default: /* flags, TX power, appearance …: not in message 67 */
        break;
    }
}

void parsed_from_report(struct parsed *ret_parsed, const struct ble_report *report)
{
    struct parsed *p = ret_parsed;
    struct bytes rest = {report->data, report->size};
    struct bytes structure;
    uint8_t length, type;

    p->texts_used = 0;
    p->message = (struct message_parsed_advertisement){
            .address = report->address,
            .rssi = report->rssi,
            .address_type = report->address_type,
            .service_uuids = p->uuids,
            .service_data = p->services,
            .manufacturer_data = p->manufacturers,
    };
    while (bytes_pull_u8(&rest, &length)) {
        if (length == 0)
            continue;
        if (!bytes_pull(&rest, length, &structure))
            return;
        (void) bytes_pull_u8(&structure, &type); /* length is at least 1 */
        add_structure(p, type, structure);
    }
}
