#include "packet_counter.h"

#include "advertising_data.h"

#define BTHOME_UUID       0xfcd2
#define BTHOME_ENCRYPTED  0x01 /* bit of the first octet */
#define BTHOME_VERSION    2    /* in its three upper bits */
#define BTHOME_PACKET_ID  0x00 /* objects are sorted, so that it is the first one */
#define RUUVI_COMPANY     0x0499
#define RUUVI_RAW_2       5
#define RUUVI_SEQUENCE    16
#define RUUVI_SIZE        24
#define RUUVI_NOT_COUNTED 0xffff

static bool find_bthome(const struct bytes *value, struct packet_counter *ret_counter)
{
    const uint8_t *d = value->data;

    if (value->size < 3 || d[0] & BTHOME_ENCRYPTED || d[0] >> 5 != BTHOME_VERSION ||
        d[1] != BTHOME_PACKET_ID)
        return false;
    *ret_counter = (struct packet_counter){.value = d[2], .bits = 8};
    return true;
}

static bool find_ruuvi(const struct bytes *value, struct packet_counter *ret_counter)
{
    const uint8_t *d = value->data;
    uint32_t sequence;

    if (value->size < RUUVI_SIZE || d[0] != RUUVI_RAW_2)
        return false;
    sequence = (uint32_t) d[RUUVI_SEQUENCE] << 8 | d[RUUVI_SEQUENCE + 1];
    if (sequence == RUUVI_NOT_COUNTED)
        return false;
    *ret_counter = (struct packet_counter){.value = sequence, .bits = 16};
    return true;
}

bool packet_counter_find(const uint8_t *data, size_t size, struct packet_counter *ret_counter)
{
    const struct ble_uuid bthome = ble_uuid_from_short(BTHOME_UUID);
    struct ad_reader reader = advertising_data_reader(data, size);
    struct ad_field field;

    while (advertising_data_next_field(&reader, &field)) {
        const struct bytes value = ad_field_value(&field);

        if (field.kind == AD_KIND_SERVICE_DATA) {
            const struct ble_uuid uuid = ad_field_uuid(&field);

            if (ble_uuid_equal(&uuid, &bthome) && find_bthome(&value, ret_counter))
                return true;
        } else if (field.kind == AD_KIND_MANUFACTURER &&
                   ad_field_company(&field) == RUUVI_COMPANY && find_ruuvi(&value, ret_counter)) {
            return true;
        }
    }
    return false;
}
