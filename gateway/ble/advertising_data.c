/* The story. Octets are cut into structures; a structure is looked up in one table of types, which
 * says what it is and how long its key must be, and becomes one field, or one for each UUID of a
 * list; fields fill the summary, the last one winning where there can be only one.
 *
 * Failure modes: none. Damage costs the structure it is in and, where a length runs past the end,
 * all that stands behind it, because nothing there can be told apart. */
#include "advertising_data.h"

struct type_rule {
    uint8_t kind;     /* enum ad_kind */
    uint8_t key_size; /* octets that must be there */
    uint8_t complete; /* of lists: the type under which the UUIDs are given */
};

static const struct type_rule rules[256] = {
        [AD_FLAGS] = {AD_KIND_FLAGS, 0, 0},
        [AD_UUIDS_16_SOME] = {AD_KIND_UUID, 2, AD_UUIDS_16},
        [AD_UUIDS_16] = {AD_KIND_UUID, 2, AD_UUIDS_16},
        [AD_UUIDS_32_SOME] = {AD_KIND_UUID, 4, AD_UUIDS_32},
        [AD_UUIDS_32] = {AD_KIND_UUID, 4, AD_UUIDS_32},
        [AD_UUIDS_128_SOME] = {AD_KIND_UUID, 16, AD_UUIDS_128},
        [AD_UUIDS_128] = {AD_KIND_UUID, 16, AD_UUIDS_128},
        [AD_NAME_SHORT] = {AD_KIND_NAME, 0, 0},
        [AD_NAME] = {AD_KIND_NAME, 0, 0},
        [AD_TX_POWER] = {AD_KIND_TX_POWER, 0, 0},
        [AD_SERVICE_DATA_16] = {AD_KIND_SERVICE_DATA, 2, 0},
        [AD_APPEARANCE] = {AD_KIND_APPEARANCE, 0, 0},
        [AD_SERVICE_DATA_32] = {AD_KIND_SERVICE_DATA, 4, 0},
        [AD_SERVICE_DATA_128] = {AD_KIND_SERVICE_DATA, 16, 0},
        [AD_MANUFACTURER] = {AD_KIND_MANUFACTURER, 2, 0},
};

bool advertising_data_next_structure(struct bytes *rest, struct ad_structure *ret_structure)
{
    while (rest->size >= 2) {
        struct bytes body;
        uint8_t length;

        (void) bytes_pull_u8(rest, &length);
        if (length == 0)
            continue; /* padding */
        if (!bytes_pull(rest, length, &body)) {
            rest->size = 0;
            return false;
        }
        if (length == 1 || body.data[0] == 0)
            continue;
        ret_structure->type = body.data[0];
        ret_structure->data = (struct bytes){body.data + 1, body.size - 1};
        return true;
    }
    return false;
}

enum ad_kind advertising_data_kind(uint8_t type)
{
    return (enum ad_kind) rules[type].kind;
}

size_t advertising_data_key_size(uint8_t type)
{
    return rules[type].key_size;
}

struct ad_reader advertising_data_reader(const uint8_t *data, size_t size)
{
    return (struct ad_reader){.rest = {data, size}};
}

static bool next_uuid(struct ad_reader *r, struct ad_field *ret_field)
{
    size_t size = rules[r->uuid_type].key_size;

    if (r->uuids.size == 0 || !bytes_pull(&r->uuids, size, &ret_field->data))
        return false;
    ret_field->kind = AD_KIND_UUID;
    ret_field->type = r->uuid_type;
    return true;
}

static bool is_whole(enum ad_kind kind, const struct ad_structure *s)
{
    if (kind == AD_KIND_TX_POWER)
        return s->data.size == 1;
    if (kind == AD_KIND_APPEARANCE)
        return s->data.size == 2;
    return s->data.size >= rules[s->type].key_size;
}

bool advertising_data_next_field(struct ad_reader *r, struct ad_field *ret_field)
{
    struct ad_structure s;

    if (next_uuid(r, ret_field))
        return true;
    while (advertising_data_next_structure(&r->rest, &s)) {
        enum ad_kind kind = advertising_data_kind(s.type);

        if (!is_whole(kind, &s))
            continue;
        if (kind == AD_KIND_UUID) {
            r->uuids = s.data;
            r->uuid_type = rules[s.type].complete;
            return next_uuid(r, ret_field);
        }
        *ret_field = (struct ad_field){.kind = kind, .type = s.type, .data = s.data};
        return true;
    }
    return false;
}

uint16_t ad_field_company(const struct ad_field *field)
{
    return (uint16_t) (field->data.data[0] | field->data.data[1] << 8);
}

struct ble_uuid ad_field_uuid(const struct ad_field *field)
{
    return ble_uuid_from_air(field->data.data, advertising_data_key_size(field->type));
}

struct bytes ad_field_value(const struct ad_field *field)
{
    size_t key_size = advertising_data_key_size(field->type);

    return (struct bytes){field->data.data + key_size, field->data.size - key_size};
}

static void set_name(struct advertising_data *a, const struct ad_field *f)
{
    if (f->type == AD_NAME_SHORT && a->name.size > 0)
        return;
    a->name = f->data;
    a->name_is_complete = f->type == AD_NAME;
}

static bool add_uuid(struct advertising_data *a, const struct ad_field *f)
{
    if (a->uuids_count == ADVERTISING_DATA_LIST_MAX)
        return false;
    a->uuids[a->uuids_count++] = ad_field_uuid(f);
    return true;
}

static bool add_service_data(struct advertising_data *a, const struct ad_field *f)
{
    struct ble_uuid uuid = ad_field_uuid(f);
    size_t i = 0;

    while (i < a->service_data_count && !ble_uuid_equal(&a->service_data[i].uuid, &uuid))
        i++;
    if (i == ADVERTISING_DATA_LIST_MAX)
        return false;
    a->service_data[i] = (struct ad_service_data){uuid, ad_field_value(f)};
    a->service_data_count += i == a->service_data_count;
    return true;
}

static bool add_manufacturer_data(struct advertising_data *a, const struct ad_field *f)
{
    uint16_t company = ad_field_company(f);
    size_t i = 0;

    while (i < a->manufacturer_data_count && a->manufacturer_data[i].company != company)
        i++;
    if (i == ADVERTISING_DATA_LIST_MAX)
        return false;
    a->manufacturer_data[i] = (struct ad_manufacturer_data){company, ad_field_value(f)};
    a->manufacturer_data_count += i == a->manufacturer_data_count;
    return true;
}

static bool add_other(struct advertising_data *a, const struct ad_field *f)
{
    if (a->others_count == ADVERTISING_DATA_LIST_MAX)
        return false;
    a->others[a->others_count++] = (struct ad_structure){f->type, f->data};
    return true;
}

/* False: there was no room. */
static bool add_field(struct advertising_data *a, const struct ad_field *f)
{
    switch (f->kind) {
    case AD_KIND_FLAGS:
        a->has_flags = true;
        a->flags = f->data.data[0];
        return true;
    case AD_KIND_NAME:
        set_name(a, f);
        return true;
    case AD_KIND_TX_POWER:
        a->has_tx_power = true;
        a->tx_power = (int8_t) f->data.data[0];
        return true;
    case AD_KIND_APPEARANCE:
        a->has_appearance = true;
        a->appearance = (uint16_t) (f->data.data[0] | f->data.data[1] << 8);
        return true;
    case AD_KIND_UUID:
        return add_uuid(a, f);
    case AD_KIND_SERVICE_DATA:
        return add_service_data(a, f);
    case AD_KIND_MANUFACTURER:
        return add_manufacturer_data(a, f);
    case AD_KIND_OTHER:
        return add_other(a, f);
    }
    return true;
}

static void clear(struct advertising_data *a)
{
    a->name = (struct bytes){NULL, 0};
    a->name_is_complete = false;
    a->has_flags = a->has_tx_power = a->has_appearance = false;
    a->flags = 0;
    a->tx_power = 0;
    a->appearance = 0;
    a->uuids_count = a->service_data_count = a->manufacturer_data_count = a->others_count = 0;
    a->dropped = 0;
}

void advertising_data_parse(struct advertising_data *ret_summary, const uint8_t *data, size_t size)
{
    struct ad_reader r = advertising_data_reader(data, size);
    struct ad_field f;

    clear(ret_summary); /* not its 3 KiB of lists */
    while (advertising_data_next_field(&r, &f))
        ret_summary->dropped += !add_field(ret_summary, &f);
}
