/* The facade's answers about devices: what they are, why they are heard as they are, and their
 * past. */
#include <assert.h>
#include <math.h>

#include "base/memory.h"
#include "configured.h"
#include "past.h"
#include "recorder/history.h"
#include "recordings.h"
#include "scan/device_table.h"
#include "view.h"

/* ---- devices ---- */

size_t gateway_devices_count(const struct gateway *g)
{
    size_t count = device_table_count(g->table);

    for (size_t i = 0; i < g->config->devices_count; i++)
        count += !device_table_find(g->table, g->config->devices[i].address);
    return count;
}

int gateway_find_device(const struct gateway *g, uint64_t address,
                        struct gateway_device *ret_device)
{
    const struct device *row = device_table_find(g->table, address);
    const struct config_device *config;

    if (row) {
        view_device(g, row, ret_device);
        return 0;
    }
    config = configured_find(g->configured, address);
    if (!config)
        return E_DEVICE_NOT_FOUND;
    view_configured(config, ret_device);
    return 0;
}

/* Positions count through the table's rows (even numbers), then the configured ones (odd numbers).
 */
bool gateway_next_device(const struct gateway *g, size_t *position,
                         struct gateway_device *ret_device)
{
    if (*position % 2 == 0) {
        size_t at = *position / 2;
        const struct device *row = device_table_next(g->table, &at);

        *position = at * 2;
        if (row) {
            view_device(g, row, ret_device);
            return true;
        }
        *position = 1;
    }
    for (; *position / 2 < g->config->devices_count; *position += 2) {
        const struct config_device *config = &g->config->devices[*position / 2];

        if (device_table_find(g->table, config->address))
            continue;
        view_configured(config, ret_device);
        *position += 2;
        return true;
    }
    return false;
}

bool gateway_get_element(const struct gateway *g, const struct gateway_device *d, size_t index,
                         struct gateway_element *ret_element)
{
    struct device_element e;

    if (!d->row || !device_get_element(g->table, d->row, index, &e))
        return false;
    *ret_element = (struct gateway_element){
            .type = e.type,
            .proxy = view_source_name(g, e.source),
            .last_seen = e.last_seen,
            .has_company = e.has_company,
            .has_uuid = e.has_uuid,
            .company = e.company,
            .uuid = e.uuid,
            .data = e.data,
            .size = e.size,
    };
    return true;
}

bool gateway_get_source(const struct gateway *g, const struct gateway_device *d, size_t index,
                        struct gateway_source *ret_source)
{
    struct device_source s;

    if (!d->row || !device_get_source(g->table, d->row, index, &s))
        return false;
    *ret_source = (struct gateway_source){
            .proxy = view_source_name(g, s.source),
            .rssi = s.rssi,
            .rssi_smoothed = s.rssi_smoothed,
            .last_seen = s.last_seen,
            .advertisements = s.advertisements,
            .is_owner = s.is_owner,
            .can_connect = s.can_connect,
    };
    return true;
}

bool gateway_get_latest(const struct gateway *g, const struct gateway_device *d,
                        struct gateway_packet *ret_packet)
{
    struct device_packet p;

    if (!d->row)
        return false;
    device_get_latest(g->table, d->row, &p);
    *ret_packet = (struct gateway_packet){
            .time = p.time,
            .proxy = view_source_name(g, p.source),
            .rssi = p.rssi,
            .is_parsed = p.is_parsed,
            .data = p.ad_data,
            .size = p.size,
    };
    return true;
}

int gateway_clear_history(struct gateway *g, uint64_t address)
{
    const struct recording_command command = {.what = RECORDING_CLEAR_HISTORY, .address = address};

    recordings_command(g->recordings, &command, clock_now());
    return device_table_clear_history(g->table, address) ? 0 : E_DEVICE_NOT_FOUND;
}

/* ---- why a device is heard as it is ---- */

bool gateway_get_rivalry(const struct gateway *g, const struct gateway_device *d, size_t index,
                         struct gateway_rivalry *ret_rivalry)
{
    const struct ownership_terms *t;
    struct device_rivalry r;

    if (!d->row || !device_get_rivalry(g->table, d->row, index, clock_now(), &r))
        return false;
    t = &r.terms;
    *ret_rivalry = (struct gateway_rivalry){
            .has_db = t->ways[OWNERSHIP_FAST].has_db,
            .needs_db = t->ways[OWNERSHIP_FAST].needs_db,
            .lasting_db = t->ways[OWNERSHIP_SLOW].is_open ? t->ways[OWNERSHIP_SLOW].needs_db
                                                          : (double) NAN,
            .packets = t->packets,
            .packets_needed = t->packets_needed,
            .has_lost = t->has_lost,
            .owner_silent_for = r.owner_silent_for,
            .taken_after = t->taken_after,
            .is_owner_online = r.is_owner_online,
            .is_owner_quiet = r.owner_quiet_for > (usec_t) g->config->scan_quiet_s * USEC_PER_SEC,
    };
    return true;
}

bool gateway_get_loss(const struct gateway *g, const struct gateway_device *d, size_t index,
                      uint32_t *ret_heard, uint32_t *ret_lost)
{
    struct device_source s;

    if (!g->past || !d->row || !device_get_source(g->table, d->row, index, &s))
        return false;
    history_get_loss(past_history(g->past), d->address, s.source, clock_now(), ret_heard, ret_lost);
    return *ret_heard > 0;
}

size_t gateway_get_paths(const struct gateway *g, const struct gateway_device *d,
                         struct gateway_path *ret_paths, size_t max)
{
    struct device_path *paths AUTO_FREE = xnew(struct device_path, max + 1);
    size_t count = d->row ? device_get_paths(g->table, d->row, clock_now(), paths, max) : 0;
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        if (view_source_config(g, paths[i].source))
            ret_paths[used++] =
                    (struct gateway_path){roster_place(g->roster, paths[i].source), paths[i].rssi};
    }
    return used;
}

/* ---- the past of a device ---- */

/* The slot in which the source heard it last is with the table still. */
static void add_present_slot(const struct device_source *s, usec_t start,
                             struct gateway_slot *ret_slots, size_t count)
{
    const struct device_slot *slot = &s->slot;
    uint64_t at;

    if (slot->packets == 0 || slot->start < start)
        return;
    at = (slot->start - start) / GATEWAY_SLOT;
    if (at < count)
        ret_slots[at] = (struct gateway_slot){
                (float) slot->rssi,
                (uint16_t) (slot->packets < UINT16_MAX ? slot->packets : UINT16_MAX)};
}

static void trim(const struct gateway_slot *slots, size_t count, struct gateway_track *track)
{
    while (count > 0 && slots[count - 1].packets == 0)
        count--;
    while (track->first < count && slots[track->first].packets == 0)
        track->first++;
    track->count = count - track->first;
    track->start += track->first * GATEWAY_SLOT;
}

static_assert((size_t) GATEWAY_SLOTS_MAX > HISTORY_SLOTS_MAX && GATEWAY_SLOT == HISTORY_SLOT,
              "a face sees all slots of the history");

static void read_slots(const struct gateway *g, uint64_t address, uint16_t source, usec_t start,
                       struct gateway_slot *ret_slots, size_t count)
{
    struct history_slot *slots AUTO_FREE = xnew(struct history_slot, count);

    (void) history_read_slots(past_history(g->past), address, source, start, slots, count);
    for (size_t i = 0; i < count; i++)
        ret_slots[i] = (struct gateway_slot){slots[i].rssi, slots[i].packets};
}

bool gateway_get_track(const struct gateway *g, const struct gateway_device *d, size_t index,
                       usec_t since, usec_t until, struct gateway_slot ret_slots[GATEWAY_SLOTS_MAX],
                       struct gateway_track *ret_track)
{
    usec_t now = clock_now();
    struct device_source s;
    size_t count;

    if (!d->row || !device_get_source(g->table, d->row, index, &s))
        return false;
    until = until < now ? until : now;
    since = since > now - HISTORY_AGE ? since : now - HISTORY_AGE;
    since -= since % GATEWAY_SLOT;
    *ret_track = (struct gateway_track){.proxy = view_source_name(g, s.source), .start = since};
    if (!g->past || since > until)
        return true;
    count = (until - since) / GATEWAY_SLOT + 1;
    read_slots(g, d->address, s.source, since, ret_slots, count);
    add_present_slot(&s, since, ret_slots, count);
    trim(ret_slots, count, ret_track);
    return true;
}

bool gateway_next_past_payload(const struct gateway *g, const struct gateway_device *d,
                               struct gateway_past_position *position,
                               struct gateway_packet *ret_packet)
{
    struct history_position p = {position->place, position->offset};
    struct history_payload payload;

    if (!g->past || !history_next_payload(past_history(g->past), d->address, &p, &payload))
        return false;
    *position = (struct gateway_past_position){p.block, p.offset};
    *ret_packet = (struct gateway_packet){
            .time = payload.time,
            .proxy = view_source_name(g, payload.source),
            .rssi = payload.rssi,
            .is_parsed = payload.is_parsed,
            .data = payload.data,
            .size = payload.size,
    };
    return true;
}

bool gateway_next_past_owner(const struct gateway *g, const struct gateway_device *d,
                             struct gateway_past_position *position,
                             struct gateway_past_owner *ret_owner)
{
    struct history_position p = {position->place, position->offset};
    struct history_owner owner;

    if (!g->past || !history_next_owner(past_history(g->past), d->address, &p, &owner))
        return false;
    *position = (struct gateway_past_position){p.block, p.offset};
    *ret_owner = (struct gateway_past_owner){
            .time = owner.time,
            .from = view_source_name(g, owner.from),
            .to = view_source_name(g, owner.to),
            .why = owner_why_name((enum owner_why) owner.why),
            .rssi_from = (double) owner.rssi_from,
            .rssi_to = (double) owner.rssi_to,
    };
    return true;
}

bool gateway_is_past_truncated(const struct gateway *g, const struct gateway_device *d,
                               usec_t since)
{
    usec_t begins = since > d->first_seen ? since : d->first_seen;

    if (!d->row)
        return false;
    return !g->past || history_complete_since(past_history(g->past), d->address) > begins;
}
