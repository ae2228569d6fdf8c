#include "past.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/memory.h"
#include "ble/advertising_data.h"
#include "ble/packet_counter.h"
#include "recorder/history.h"
#include "scan/device_table.h"

static_assert(DEVICE_SLOT == HISTORY_SLOT, "the table's slots are those of the history");

/* Where a counter may be. */
#define COUNTING_KINDS (1u << AD_KIND_SERVICE_DATA | 1u << AD_KIND_MANUFACTURER)

struct past {
    struct history *history;
    struct device_table *table;
};

struct past *past_new(size_t limit, struct device_table *table)
{
    struct past *p;
    uint64_t seed = 0;

    if (limit == 0)
        return NULL;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) < 0)
        seed = 0; /* any value works */
    p = xnew(struct past, 1);
    p->history = history_new(limit, seed);
    p->table = table;
    return p;
}

void past_free(struct past *p)
{
    if (!p)
        return;
    history_free(p->history);
    free(p);
}

static void note_payload(struct past *p, const struct device_change *change, uint64_t address)
{
    struct packet_counter counter;
    struct device_packet packet;

    device_get_latest(p->table, change->device, &packet);
    history_note_payload(p->history, address,
                         &(struct history_payload){
                                 .time = packet.time,
                                 .source = packet.source,
                                 .rssi = packet.rssi,
                                 .is_parsed = packet.is_parsed,
                                 .data = packet.ad_data,
                                 .size = packet.size,
                         });
    if (change->payload_kinds & COUNTING_KINDS &&
        packet_counter_find(packet.ad_data, packet.size, &counter))
        device_table_watch(p->table, address);
}

static void note_owner(struct past *p, const struct device_change *change, uint64_t address)
{
    struct device_facts facts;

    device_get_facts(p->table, change->device, &facts);
    history_note_owner(p->history, address,
                       &(struct history_owner){
                               .time = facts.last_seen,
                               .from = change->owner_from,
                               .to = facts.owner,
                               .why = (uint8_t) change->why,
                               .rssi_from = (float) change->rssi_from,
                               .rssi_to = (float) change->rssi_to,
                       });
}

void past_changed(struct past *p, const struct device_change *change)
{
    struct device_facts facts;

    if (!p)
        return;
    device_get_facts(p->table, change->device, &facts);
    if (change->kinds & DEVICE_FORGOTTEN) {
        history_forget(p->history, facts.address);
        return;
    }
    if (change->kinds & (DEVICE_FIRST_SEEN | DEVICE_PAYLOAD))
        note_payload(p, change, facts.address);
    if (change->kinds & DEVICE_OWNER)
        note_owner(p, change, facts.address);
}

void past_slot(struct past *p, uint64_t address, uint16_t source, const struct device_slot *slot)
{
    if (p)
        history_note_slot(p->history, address, source, slot->start, slot->rssi, slot->packets);
}

void past_watched(struct past *p, uint16_t source, const struct ble_report *report)
{
    struct packet_counter counter;

    if (p && packet_counter_find(report->data, report->size, &counter))
        history_note_counter(p->history, report->address, source, &counter, clock_now());
}

void past_source_gone(struct past *p, uint16_t source)
{
    if (p)
        history_forget_source(p->history, source);
}

const struct history *past_history(const struct past *p)
{
    return p ? p->history : NULL;
}
