#include "recorded_change.h"

#include <assert.h>

static_assert(SOURCE_NONE == RECORDING_NO_SOURCE, "nobody is the same in both");
static_assert(DEVICE_TABLE_SOURCES_MAX <= RECORDING_SOURCES_MAX, "every source has its number");

void recorded_change_make(const struct device_table *table, const struct device_change *change,
                          struct recording_change *ret_change)
{
    struct device_facts facts;

    device_get_facts(table, change->device, &facts);
    *ret_change = (struct recording_change){
            .address = facts.address,
            .address_type = facts.address_type,
            .kinds = change->kinds,
            .source = change->source,
            .is_available = facts.is_available,
            .has_owner = (change->kinds & DEVICE_OWNER) != 0,
    };
    if (!ret_change->has_owner)
        return;
    ret_change->owner_from = change->owner_from;
    ret_change->owner_to = facts.owner;
    ret_change->why = (uint8_t) change->why;
    ret_change->rssi_from = recording_rssi(change->rssi_from);
    ret_change->rssi_to = recording_rssi(change->rssi_to);
}
