#include "event_wish.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/decimal.h"

#define INTERVAL_STANDARD_S 1
#define SILENCE_STANDARD_S  60
#define BOOT_DIGITS         8
#define NUMBER_DIGITS_MAX   19 /* fits in 64 bits whatever they are */

const struct query_rule event_wish_rules[] = {
        {.name = "types", .type = QUERY_TEXT},
        {.name = "mode", .type = QUERY_ENUM, .values = "change|all|interval|reappear"},
        {.name = "min_interval_s", .type = QUERY_NUMBER, .low = 0.1, .high = 86400},
        {.name = "silence_s", .type = QUERY_NUMBER, .low = 1, .high = 86400},
        {.name = "proxies", .type = QUERY_ENUM, .values = "owner|all"},
        {.name = "snapshot", .type = QUERY_ENUM, .values = "true|false"},
        {.name = "address", .type = QUERY_TEXT, .is_repeatable = true},
        {.name = "name", .type = QUERY_TEXT},
        {.name = "proxy", .type = QUERY_TEXT},
        {.name = "area", .type = QUERY_TEXT},
        {.name = "rssi_min", .type = QUERY_INTEGER, .low = -127, .high = 20},
        {.name = "service_uuid", .type = QUERY_UUID, .is_repeatable = true},
        {.name = "manufacturer_id", .type = QUERY_INTEGER, .low = 0, .high = 65535},
        {.name = "manufacturer_data_prefix", .type = QUERY_HEX},
        {.name = "kind", .type = QUERY_TEXT},
        {.name = NULL},
};

static void read_types(struct event_wish *wish, const char *text, struct faults *faults)
{
    wish->types = ((1u << EVENT_TYPES) - 1) & ~(1u << EVENT_ADVERTISEMENT | 1u << EVENT_RSSI);
    if (!text)
        return;
    wish->types = 0;
    for (bool is_last = false; !is_last;) {
        size_t size = strcspn(text, ",");
        enum event_type type;

        if (event_type_parse(text, size, &type)) {
            wish->types |= 1u << type;
        } else {
            faults_add_query(faults, "types",
                             "must be a list of advertisement, device, proxy, connection, "
                             "notification, rssi, scan_window, log");
            return;
        }
        is_last = text[size] == '\0';
        text += size + 1;
    }
}

static enum selection_mode read_mode(const char *text)
{
    if (!text || strcmp(text, "change") == 0)
        return SELECTION_CHANGE;
    if (strcmp(text, "all") == 0)
        return SELECTION_ALL;
    return strcmp(text, "interval") == 0 ? SELECTION_INTERVAL : SELECTION_REAPPEAR;
}

static usec_t read_span(const struct query *query, const char *name, double standard)
{
    return (usec_t) (query_number(query, name, standard) * (double) USEC_PER_SEC);
}

static void read_rules(struct event_wish *wish, const struct query *query)
{
    usec_t interval = read_span(query, "min_interval_s", INTERVAL_STANDARD_S);
    const char *proxies = query_text(query, "proxies");

    wish->rssi = (struct selection_rule){.mode = SELECTION_RSSI, .span = interval};
    wish->advertisements = (struct selection_rule){
            .mode = read_mode(query_text(query, "mode")),
            .only_owner = !proxies || strcmp(proxies, "owner") == 0,
    };
    wish->advertisements.span = wish->advertisements.mode == SELECTION_REAPPEAR
                                        ? read_span(query, "silence_s", SILENCE_STANDARD_S)
                                        : interval;
}

static void read_addresses(struct event_wish *wish, const struct query *query,
                           struct faults *faults)
{
    size_t position = 0;
    const char *value;

    while ((value = query_next(query, "address", &position))) {
        uint64_t *address = &wish->addresses[wish->addresses_count];

        if (ble_address_parse(value, address))
            wish->addresses_count++; /* as many as a query can have */
        else
            faults_add_unreadable(faults, "address must be a device address");
    }
}

static void read_last_event(struct event_wish *wish, const char *id, struct faults *faults)
{
    if (!id || !*id)
        return;
    wish->has_last = event_id_parse(id, &wish->last_boot, &wish->last_number);
    if (!wish->has_last)
        faults_add_unreadable(faults, "Last-Event-ID is not one of ours");
}

void event_wish_read(struct event_wish *ret_wish, const struct query *query,
                     const char *last_event_id, struct faults *faults)
{
    const char *snapshot = query_text(query, "snapshot");

    *ret_wish = (struct event_wish){
            .wants_snapshot = snapshot && strcmp(snapshot, "true") == 0,
    };
    read_types(ret_wish, query_text(query, "types"), faults);
    read_rules(ret_wish, query);
    read_addresses(ret_wish, query, faults);
    device_filter_read(&ret_wish->filter, query, faults);
    read_last_event(ret_wish, last_event_id, faults);
}

void event_wish_done(struct event_wish *wish)
{
    device_filter_done(&wish->filter);
}

bool event_wish_has_address(const struct event_wish *wish, uint64_t address)
{
    for (size_t i = 0; i < wish->addresses_count; i++) {
        if (wish->addresses[i] == address)
            return true;
    }
    return wish->addresses_count == 0;
}

void event_id_format(char ret_text[EVENT_ID_SIZE], uint32_t boot, uint64_t number)
{
    uint8_t octets[BOOT_DIGITS / 2];

    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t) (boot >> 8 * (sizeof octets - 1 - i));
    bytes_to_hex(ret_text, octets, sizeof octets);
    ret_text[BOOT_DIGITS] = '-';
    (void) decimal_format(ret_text + BOOT_DIGITS + 1, number);
}

bool event_id_parse(const char *text, uint32_t *ret_boot, uint64_t *ret_number)
{
    size_t digits;

    if (strspn(text, "0123456789abcdef") != BOOT_DIGITS || text[BOOT_DIGITS] != '-')
        return false;
    digits = strspn(text + BOOT_DIGITS + 1, "0123456789");
    if (digits == 0 || digits > NUMBER_DIGITS_MAX || text[BOOT_DIGITS + 1 + digits] != '\0')
        return false;
    *ret_boot = (uint32_t) strtoul(text, NULL, 16);
    *ret_number = strtoull(text + BOOT_DIGITS + 1, NULL, 10);
    return true;
}
