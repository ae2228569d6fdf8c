#include "history_json.h"

#include "base/memory.h"
#include "json/packet_json.h"

static void write_track(struct writer *w, const struct gateway *g,
                        const struct gateway_track *track, const struct gateway_slot *slots)
{
    writer_begin_object(w, NULL);
    writer_text(w, "proxy", track->proxy);
    writer_time(w, "start", gateway_wall(g, track->start));
    writer_begin_array(w, "rssi");
    for (size_t i = 0; i < track->count; i++)
        writer_number(w, NULL, (double) slots[track->first + i].rssi, 1);
    writer_end_array(w);
    writer_begin_array(w, "packets");
    for (size_t i = 0; i < track->count; i++)
        writer_unsigned(w, NULL, slots[track->first + i].packets);
    writer_end_array(w);
    writer_end_object(w);
}

static void write_tracks(struct writer *w, const struct gateway *g, const struct gateway_device *d,
                         usec_t since, usec_t until)
{
    struct gateway_slot *slots AUTO_FREE = xnew(struct gateway_slot, GATEWAY_SLOTS_MAX);
    struct gateway_track track;

    writer_begin_array(w, "rssi");
    for (size_t i = 0; gateway_get_track(g, d, i, since, until, slots, &track); i++) {
        if (track.proxy && track.count > 0)
            write_track(w, g, &track, slots);
    }
    writer_end_array(w);
}

static void write_payload(struct writer *w, const struct gateway *g,
                          const struct gateway_packet *packet)
{
    struct advertising_data ad;

    advertising_data_parse(&ad, packet->data, packet->size);
    writer_begin_object(w, NULL);
    writer_time(w, "time", gateway_wall(g, packet->time));
    writer_text(w, "proxy", packet->proxy);
    packet_json_write_rssi(w, packet->rssi);
    packet_json_write_raw(w, packet->is_parsed, packet->data, packet->size);
    packet_json_write_payload(w, &ad);
    writer_end_object(w);
}

static void write_payloads(struct writer *w, const struct gateway *g,
                           const struct gateway_device *d, usec_t since, usec_t until)
{
    struct gateway_past_position position = {0};
    struct gateway_packet packet;

    writer_begin_array(w, "payloads");
    while (gateway_next_past_payload(g, d, &position, &packet)) {
        if (packet.proxy && packet.time >= since && packet.time <= until)
            write_payload(w, g, &packet);
    }
    writer_end_array(w);
}

static void write_owners(struct writer *w, const struct gateway *g, const struct gateway_device *d,
                         usec_t since, usec_t until)
{
    struct gateway_past_position position = {0};
    struct gateway_past_owner owner;

    writer_begin_array(w, "owners");
    while (gateway_next_past_owner(g, d, &position, &owner)) {
        if (!owner.to || owner.time < since || owner.time > until)
            continue;
        writer_begin_object(w, NULL);
        writer_text(w, "from", owner.from);
        writer_text(w, "to", owner.to);
        writer_text(w, "why", owner.why);
        writer_number(w, "rssi_from", owner.rssi_from, 1);
        writer_number(w, "rssi_to", owner.rssi_to, 1);
        writer_time(w, "time", gateway_wall(g, owner.time));
        writer_end_object(w);
    }
    writer_end_array(w);
}

void history_json_write(struct writer *w, const char *key, const struct gateway *g,
                        const struct gateway_device *device, usec_t since, usec_t until)
{
    writer_begin_object(w, key);
    writer_address(w, "address", device->address);
    writer_time(w, "since", gateway_wall(g, since));
    writer_time(w, "until", gateway_wall(g, until));
    writer_unsigned(w, "grid_s", GATEWAY_SLOT / USEC_PER_SEC);
    writer_bool(w, "truncated", gateway_is_past_truncated(g, device, since));
    write_tracks(w, g, device, since, until);
    write_payloads(w, g, device, since, until);
    write_owners(w, g, device, since, until);
    writer_end_object(w);
}
