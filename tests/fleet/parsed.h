/* An advertisement as old firmware reported it: taken apart, UUIDs as text (message 67).
 *
 * The message borrows from this value and from the octets it was made of. Pure. */
#pragma once

#include <stdint.h>

#include "ble/report.h"
#include "esphome/message.h"

#define PARSED_ENTRIES_MAX 32 /* two octets of data at least for each */
#define PARSED_UUID_SIZE   37

struct parsed {
    struct message_parsed_advertisement message;
    struct text uuids[PARSED_ENTRIES_MAX];
    struct message_uuid_data services[PARSED_ENTRIES_MAX];
    struct message_uuid_data manufacturers[PARSED_ENTRIES_MAX];
    char texts[PARSED_ENTRIES_MAX][PARSED_UUID_SIZE];
    unsigned texts_used;
};

/* Takes report apart into *ret_parsed, which must stay where it is while the message is in use. */
void parsed_from_report(struct parsed *ret_parsed, const struct ble_report *report);
