/* Advertising data: the AD structures of an advertisement and its scan response, and what they say.
 *
 * Three ways to read them, each standing on the one before: structures as they are on air; fields
 * (one UUID at a time, damaged ones left out); and a summary with what a face shows. All borrow the
 * octets and own nothing. Any octets of any size are safe to read; what is damaged is skipped,
 * never an error.
 *
 * How it reads, where the Core Specification (Supplement, Part A) leaves room or practice differs:
 * a zero length octet is skipped and reading goes on behind it; a structure that runs past the end
 * is dropped, with all behind it; one without data, or of type 0, is left out. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ble/uuid.h"

/* Numbers of the common data types (Assigned Numbers, 2.3) that have a meaning here. */
enum ad_type {
    AD_FLAGS = 0x01,
    AD_UUIDS_16_SOME = 0x02,
    AD_UUIDS_16 = 0x03,
    AD_UUIDS_32_SOME = 0x04,
    AD_UUIDS_32 = 0x05,
    AD_UUIDS_128_SOME = 0x06,
    AD_UUIDS_128 = 0x07,
    AD_NAME_SHORT = 0x08,
    AD_NAME = 0x09,
    AD_TX_POWER = 0x0a,
    AD_SERVICE_DATA_16 = 0x16,
    AD_APPEARANCE = 0x19,
    AD_SERVICE_DATA_32 = 0x20,
    AD_SERVICE_DATA_128 = 0x21,
    AD_MANUFACTURER = 0xff,
};

/* ---- structures ---- */

struct ad_structure {
    uint8_t type;      /* never 0 */
    struct bytes data; /* behind the type; never empty */
};

/* Takes the next structure from the front of *rest; false when there is none. */
bool advertising_data_next_structure(struct bytes *rest, struct ad_structure *ret_structure);

/* ---- fields ---- */

enum ad_kind {
    AD_KIND_OTHER, /* of no meaning here; kept as it is */
    AD_KIND_FLAGS,
    AD_KIND_UUID,
    AD_KIND_NAME,
    AD_KIND_TX_POWER,     /* 1 octet */
    AD_KIND_APPEARANCE,   /* 2 octets */
    AD_KIND_SERVICE_DATA, /* a UUID and data */
    AD_KIND_MANUFACTURER, /* a company and data */
};

/* What a type is, and how many octets of key its data begin with: the UUID or the company. */
enum ad_kind advertising_data_kind(uint8_t type);
size_t advertising_data_key_size(uint8_t type);

struct ad_field {
    enum ad_kind kind;
    uint8_t type;      /* of an incomplete list of UUIDs: that of the complete one */
    struct bytes data; /* at least the key; of a list, one UUID */
};

struct ad_reader {
    struct bytes rest;  /* structures not yet read */
    struct bytes uuids; /* of the present list, not yet read */
    uint8_t uuid_type;
};

struct ad_reader advertising_data_reader(const uint8_t *data, size_t size);

/* The next field, in the order of the air, repeats included; false at the end. A list gives its
 * whole UUIDs and drops the rest; half a key, TX power other than of 1 octet and appearance other
 * than of 2 are left out. */
bool advertising_data_next_field(struct ad_reader *r, struct ad_field *ret_field);

/* The key of a field of manufacturer data; of a UUID or service data. */
uint16_t ad_field_company(const struct ad_field *field);
struct ble_uuid ad_field_uuid(const struct ad_field *field);
/* What stands behind the key. */
struct bytes ad_field_value(const struct ad_field *field);

/* ---- summary ---- */

/* 62 octets hold at most 30 UUIDs, 15 service data, 15 manufacturer data or 20 others, so nothing
 * of a legacy advertisement is ever dropped. */
#define ADVERTISING_DATA_LIST_MAX 32

struct ad_service_data {
    struct ble_uuid uuid;
    struct bytes value;
};

struct ad_manufacturer_data {
    uint16_t company;
    struct bytes value;
};

struct advertising_data {
    /* Octets as they came (base/utf8.h makes text of them); size 0: none. A complete name beats a
     * short one, whatever the order; of short ones the first counts, of complete ones the last. */
    struct bytes name;
    bool name_is_complete;
    bool has_flags, has_tx_power, has_appearance; /* the last one counts */
    uint8_t flags;                                /* the first octet of them */
    int8_t tx_power;
    uint16_t appearance;
    size_t uuids_count, service_data_count, manufacturer_data_count, others_count;
    struct ble_uuid uuids[ADVERTISING_DATA_LIST_MAX];               /* in order, with repeats */
    struct ad_service_data service_data[ADVERTISING_DATA_LIST_MAX]; /* one a UUID, the last */
    struct ad_manufacturer_data manufacturer_data[ADVERTISING_DATA_LIST_MAX]; /* one a company */
    struct ad_structure others[ADVERTISING_DATA_LIST_MAX]; /* types of no meaning here */
    size_t dropped;                                        /* fields for which there was no room */
};

void advertising_data_parse(struct advertising_data *ret_summary, const uint8_t *data, size_t size);
