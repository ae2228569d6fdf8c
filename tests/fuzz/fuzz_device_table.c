/* A script of reports, sources, pins, needs and time drives a small table, which keeps its bounds
 * and says nothing that contradicts itself. A step is an operation, a source, a device, an
 * argument, and for reports a size and so many octets. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz_target.h"
#include "scan/device_table.h"

#define DEVICES_MAX  4
#define ELEMENTS_MAX 32
#define OCTETS_MAX   (1024 + 60) /* of all elements of a device, an oversized name included */
/* Of the whole table: 256 sources, 4 rows, and pins for as many addresses as a script can name. */
#define MEMORY_MAX   ((size_t) 1 << 20)
#define RESTORED_MAX 40 /* elements of a device that comes back */

enum { BIT_RARE = 0x40, BIT_TIME = 0x80 }; /* of an operation */

static void check_elements(const struct device_table *t, const struct device *d)
{
    struct device_element element;
    size_t count = 0, octets = 0;

    while (device_get_element(t, d, count, &element)) {
        if (element.data < element.octets.data ||
            element.data + element.size != element.octets.data + element.octets.size)
            abort();
        octets += element.octets.size;
        count++;
    }
    if (count > ELEMENTS_MAX || octets > OCTETS_MAX)
        abort();
}

/* Devices that a source hears, counted again from the rows. */
static void check_heard(const struct device_table *t, usec_t now)
{
    size_t counts[4], again[4] = {0}, position = 0;
    struct device_source source;
    const struct device *d;

    device_table_count_heard_all(t, counts, 4, now);
    while ((d = device_table_next(t, &position))) {
        for (size_t i = 0; device_get_source(t, d, i, &source); i++) {
            if (source.source < 4)
                again[source.source] +=
                        now <= source.last_seen || now - source.last_seen <= DEVICE_HOLDERS_AGE;
        }
    }
    if (memcmp(counts, again, sizeof counts) != 0)
        abort();
}

/* The owner is one of the sources, or nobody is; each source is there once. */
static void check_sources(const struct device_table *t, const struct device *d,
                          const struct device_facts *facts)
{
    bool seen[UINT8_MAX + 1] = {false};
    struct device_source source;
    size_t owners = 0;

    for (size_t i = 0; device_get_source(t, d, i, &source); i++) {
        if (source.source > UINT8_MAX || seen[source.source] || source.advertisements == 0 ||
            source.last_seen > facts->last_seen)
            abort();
        seen[source.source] = true;
        owners += source.is_owner;
        if (source.is_owner && (source.source != facts->owner || source.rssi != facts->rssi))
            abort();
    }
    if (owners != (facts->owner != SOURCE_NONE))
        abort();
}

static void check_device(const struct device_table *t, const struct device *d, usec_t now)
{
    struct device_path paths[2];
    struct device_facts facts;
    struct device_packet latest;

    device_get_facts(t, d, &facts);
    device_get_latest(t, d, &latest);
    if (device_table_find(t, facts.address) != d || facts.first_seen > facts.last_seen ||
        facts.last_seen > now || facts.advertisements == 0)
        abort();
    if (facts.name && facts.name[facts.name_size] != '\0')
        abort();
    if (latest.size > BLE_REPORT_DATA_MAX || latest.time != facts.last_seen)
        abort();
    if (device_get_paths(t, d, now, paths, 2) > 2)
        abort();
    check_sources(t, d, &facts);
    check_elements(t, d);
}

static void check_table(const struct device_table *t, usec_t now)
{
    struct device_table_statistics statistics;
    struct device_facts facts;
    const struct device *d;
    size_t position = 0, count = 0, available = 0;

    while ((d = device_table_next(t, &position))) {
        check_device(t, d, now);
        device_get_facts(t, d, &facts);
        available += facts.is_available;
        count++;
    }
    check_heard(t, now);
    device_table_get_statistics(t, &statistics);
    if (count > DEVICES_MAX || count != device_table_count(t) ||
        available != device_table_count_available(t) || statistics.memory_bytes > MEMORY_MAX)
        abort();
}

/* What is told can be asked. */
static void on_change(void *user, const struct device_change *change)
{
    const struct device_table *t = *(struct device_table **) user;
    struct device_facts facts;

    device_get_facts(t, change->device, &facts);
    if (change->kinds == 0 ||
        ((change->kinds & DEVICE_FIRST_SEEN) && (change->kinds & DEVICE_FORGOTTEN)))
        abort();
    if ((change->kinds & DEVICE_OWNER) && change->owner_from == facts.owner)
        abort();
}

static void on_hearing(void *user, const struct device_hearing *hearing)
{
    const struct device_table *t = *(struct device_table **) user;
    struct device_facts facts;

    device_get_facts(t, hearing->device, &facts);
    if (facts.address != hearing->report->address ||
        hearing->is_owner != (facts.owner == hearing->source))
        abort();
}

static struct device_table_settings make_settings(bool is_other)
{
    return (struct device_table_settings){
            .devices_max = DEVICES_MAX,
            .forget_after = (is_other ? 100 : 3600) * USEC_PER_SEC,
            .forget_private_after = (is_other ? 50 : 600) * USEC_PER_SEC,
            .stale_after = (is_other ? 20 : 900) * USEC_PER_SEC,
            .quiet_after = 90 * USEC_PER_SEC,
            .tell_after = is_other ? 0 : 100 * USEC_PER_MSEC,
            .margin_db = is_other ? 0 : 16,
            .reclaim_db = 6,
            .ewma_alpha = 0.3,
            .strong_dbm = -70,
            .roam_factor = 1.5,
            .gone_factor = 2.5,
    };
}

/* The script's octets as elements: a type, a size, and so many octets. */
static size_t cut_elements(struct bytes octets, uint16_t source, usec_t last_seen,
                           struct device_element ret_elements[RESTORED_MAX])
{
    size_t count = 0;

    while (count < RESTORED_MAX) {
        struct device_element e = {.source = source, .last_seen = last_seen};
        uint8_t size;

        if (!bytes_pull_u8(&octets, &e.type) || !bytes_pull_u8(&octets, &size) ||
            !bytes_pull(&octets, size, &e.octets))
            return count;
        ret_elements[count++] = e;
    }
    return count;
}

/* A device comes back as somebody remembered it, with two sources. */
static void restore(struct device_table *t, uint8_t source, uint8_t address, uint8_t argument,
                    struct bytes octets, usec_t now)
{
    const usec_t last_seen = now - argument * USEC_PER_SEC;
    const struct device_source sources[] = {
            {.source = source,
             .rssi = -50,
             .rssi_smoothed = -50,
             .last_seen = last_seen,
             .advertisements = 1,
             .is_owner = argument & 1},
            {.source = source ^ 1,
             .rssi_smoothed = NAN,
             .last_seen = last_seen - USEC_PER_SEC,
             .advertisements = 2},
    };
    struct device_element elements[RESTORED_MAX];
    const struct device_restored restored = {
            .address = address,
            .address_type = argument & 1,
            .first_seen = last_seen - USEC_PER_SEC,
            .last_seen = last_seen,
            .advertisements = 3,
            .latest = {.source = source, .rssi = -50, .ad_data = octets.data, .size = octets.size},
            .sources = sources,
            .sources_count = 2,
            .elements = elements,
            .elements_count = cut_elements(octets, source, last_seen, elements),
    };
    const bool was_here = device_table_find(t, address) != NULL;

    if (device_table_restore(t, &restored, now) && was_here)
        abort();
}

static uint16_t owner_of(const struct device_table *t, uint64_t address)
{
    const struct device *d = device_table_find(t, address);
    struct device_facts facts = {.owner = SOURCE_NONE};

    if (d)
        device_get_facts(t, d, &facts);
    return facts.owner;
}

/* Whoever spoke for a device goes on to do so, but for the source that is gone. */
static void remove_source(struct device_table *t, uint16_t source)
{
    uint16_t owners[UINT8_MAX + 1];

    for (size_t address = 0; address <= UINT8_MAX; address++)
        owners[address] = owner_of(t, address);
    device_table_source_remove(t, source);
    for (size_t address = 0; address <= UINT8_MAX; address++) {
        const uint16_t wanted = owners[address] == source ? SOURCE_NONE : owners[address];

        if (owner_of(t, address) != wanted)
            abort();
    }
}

/* Commands that the bit of rarity makes of others. */
static void step_rarely(struct device_table *t, uint8_t operation, uint8_t source, uint8_t device,
                        bool is_set, usec_t now)
{
    const struct device_table_settings settings = make_settings(is_set);

    switch (operation % 8) {
    case 0:
        device_table_listen(t, is_set ? on_hearing : NULL);
        return;
    case 1:
        device_table_source_connecting(t, source, is_set, now);
        return;
    case 2:
        device_table_set_need(t, device, is_set);
        return;
    case 3:
        (void) device_table_clear_history(t, device);
        device_table_configure(t, &settings);
        return;
    default:
        device_table_covered(t, device, source, now);
    }
}

/* False when the script is at its end. */
static bool step(struct device_table *t, struct bytes *script, usec_t *now)
{
    struct ble_report report = {0};
    uint8_t operation, source, device, argument, size = 0;
    struct bytes data;

    if (!bytes_pull_u8(script, &operation) || !bytes_pull_u8(script, &source) ||
        !bytes_pull_u8(script, &device) || !bytes_pull_u8(script, &argument))
        return false;
    *now += (operation & BIT_TIME) ? argument * 10 * USEC_PER_SEC : 1;
    if ((operation & BIT_RARE) && operation % 8 < 5) {
        step_rarely(t, operation, source, device, argument & 1, *now);
        return true;
    }
    switch (operation % 8) {
    case 0:
        device_table_source_online(t, source, argument & 1, *now);
        device_table_source_can_connect(t, source, argument & 2);
        return true;
    case 1:
        remove_source(t, source);
        return true;
    case 2:
        device_table_pin(t, device, argument & 1, argument * USEC_PER_SEC);
        return true;
    case 3:
        (void) device_table_forget(t, device);
        return true;
    case 4:
        device_table_advance(t, *now);
        if (device_table_deadline(t) <= *now)
            abort(); /* the caller would spin */
        return true;
    default:
        (void) bytes_pull_u8(script, &size);
        if (size > BLE_REPORT_DATA_MAX || !bytes_pull(script, size, &data))
            return false;
        if (operation & BIT_RARE) {
            restore(t, source, device, argument, data, *now);
            return true;
        }
        report = (struct ble_report){
                .address = device,
                .data = data.data,
                .size = size,
                .rssi = (int8_t) argument,
                .address_type = operation & 1,
        };
        device_table_observe(t, source, &report, 1, *now);
        return true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct device_table_settings settings = make_settings(false);
    struct device_table *t = NULL;
    struct bytes script = {data, size};
    usec_t now = CLOCK_START;

    t = device_table_new(&settings, on_change, &t);
    while (step(t, &script, &now))
        check_table(t, now);
    device_table_free(t);
    return 0;
}
