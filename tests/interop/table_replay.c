/* table-replay: what the device table decides about streams that somebody recorded or made up.
 *
 * Reads lines on standard input. TIME is in microseconds and never goes back; a SOURCE is a number:
 *
 *   world NAME                               a new table, and its first time is the next line's
 *   TIME online|offline SOURCE
 *   TIME connecting|listening SOURCE         an attempt to connect begins, and ends
 *   TIME packet SOURCE ADDRESS RSSI PAYLOAD  twelve hex digits, dBm, hex
 *   TIME pass                                nothing happens until then
 *
 * and writes decisions as lines of JSON: a world, an owner (from -1: nobody), a payload that is
 * told, an availability. Deadlines of the table are kept to the microsecond. The settings are those
 * of a gateway without configuration. A line that it does not understand ends it with code 1. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "scan/device_table.h"

#define LINE_MAX_SIZE 256

static const struct device_table_settings settings = {
        .devices_max = 10000,
        .forget_after = 3600 * USEC_PER_SEC,
        .forget_private_after = 900 * USEC_PER_SEC,
        .stale_after = 900 * USEC_PER_SEC,
        .tell_after = 100 * USEC_PER_MSEC,
        .quiet_after = 90 * USEC_PER_SEC,
        .margin_db = 16,
        .reclaim_db = 6,
        .ewma_alpha = 0.3,
        .strong_dbm = -70,
        .roam_factor = 1.5,
        .gone_factor = 2.5,
};

struct replay {
    struct device_table *table; /* NULL before the first world */
    usec_t now;
};

/* ---- what the table says ---- */

static void write_owner(const struct replay *r, uint64_t address,
                        const struct device_change *change, uint16_t owner)
{
    int from = change->owner_from == SOURCE_NONE ? -1 : change->owner_from;

    (void) printf("{\"time\":%" PRIu64 ",\"address\":\"%012" PRIX64 "\",\"event\":\"owner\","
                  "\"from\":%d,\"to\":%u,\"why\":\"%s\"}\n",
                  r->now, address, from, owner, owner_why_name(change->why));
}

static void write_payload(const struct replay *r, uint64_t address,
                          const struct device_change *change)
{
    char text[2 * BLE_REPORT_DATA_MAX + 1];
    struct device_packet packet;

    device_get_latest(r->table, change->device, &packet);
    bytes_to_hex(text, packet.ad_data, packet.size);
    (void) printf("{\"time\":%" PRIu64 ",\"address\":\"%012" PRIX64 "\",\"event\":\"payload\","
                  "\"source\":%u,\"payload\":\"%s\"}\n",
                  r->now, address, packet.source, text);
}

static void on_change(void *user, const struct device_change *change)
{
    const struct replay *r = user;
    struct device_facts facts;

    device_get_facts(r->table, change->device, &facts);
    if (change->kinds & DEVICE_OWNER)
        write_owner(r, facts.address, change, facts.owner);
    if (change->kinds & (DEVICE_PAYLOAD | DEVICE_FIRST_SEEN))
        write_payload(r, facts.address, change);
    if (change->kinds & (DEVICE_AVAILABILITY | DEVICE_FIRST_SEEN))
        (void) printf("{\"time\":%" PRIu64 ",\"address\":\"%012" PRIX64
                      "\",\"event\":\"available\",\"value\":%s}\n",
                      r->now, facts.address, facts.is_available ? "true" : "false");
}

/* ---- what happens ---- */

static void begin_world(struct replay *r, const char *name)
{
    device_table_free(r->table);
    r->table = device_table_new(&settings, on_change, r);
    (void) printf("{\"world\":\"%s\"}\n", name);
}

/* Does on time what is due until then. */
static void pass_until(struct replay *r, usec_t time)
{
    usec_t deadline;

    while ((deadline = device_table_deadline(r->table)) <= time) {
        r->now = deadline > r->now ? deadline : r->now;
        device_table_advance(r->table, r->now);
    }
    r->now = time;
}

static bool take_packet(struct replay *r, uint16_t source, const char *rest)
{
    uint8_t data[BLE_REPORT_DATA_MAX];
    struct ble_report report = {.data = data, .address_type = 1};
    size_t size;
    char *end;

    report.address = strtoull(rest, &end, 16) & UINT64_C(0xffffffffffff);
    report.rssi = ble_report_rssi(strtol(end, &end, 10));
    end += strspn(end, " ");
    if (!bytes_from_hex(data, sizeof data, end, strcspn(end, "\n"), &size))
        return false;
    report.size = (uint8_t) size;
    device_table_observe(r->table, source, &report, 1, r->now);
    return true;
}

static bool take_event(struct replay *r, const char *verb, uint16_t source, const char *rest)
{
    if (strcmp(verb, "packet") == 0)
        return take_packet(r, source, rest);
    if (strcmp(verb, "online") == 0 || strcmp(verb, "offline") == 0)
        device_table_source_online(r->table, source, verb[1] == 'n', r->now);
    else if (strcmp(verb, "connecting") == 0 || strcmp(verb, "listening") == 0)
        device_table_source_connecting(r->table, source, verb[0] == 'c', r->now);
    else
        return strcmp(verb, "pass") == 0;
    return true;
}

static bool take_line(struct replay *r, const char *line)
{
    char name[32], verb[16];
    unsigned long source = 0;
    char *rest;
    usec_t time;
    int used = 0;

    if (sscanf(line, "world %31s", name) == 1) {
        begin_world(r, name);
        return true;
    }
    time = strtoull(line, &rest, 10);
    if (!r->table || sscanf(rest, " %15s%n", verb, &used) != 1)
        return false;
    source = strtoul(rest + used, &rest, 10);
    if (source >= DEVICE_TABLE_SOURCES_MAX)
        return false;
    pass_until(r, time);
    return take_event(r, verb, (uint16_t) source, rest);
}

int main(void)
{
    struct replay r = {0};
    char line[LINE_MAX_SIZE];
    bool is_good = true;

    while (is_good && fgets(line, sizeof line, stdin))
        is_good = take_line(&r, line);
    if (!is_good)
        (void) fprintf(stderr, "table-replay: what does this mean: %s", line);
    device_table_free(r.table);
    return is_good ? 0 : 1;
}
