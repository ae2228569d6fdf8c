/* A script of reports, sources, pins and time drives a small table, which keeps its bounds. A step
 * is an operation, a source, a device, an argument, and for reports a size and so many octets. */
#include <stdlib.h>

#include "base/bytes.h"
#include "fuzz_target.h"
#include "scan/device_table.h"

#define DEVICES_MAX 4

static void walk(const struct device_table *t)
{
    struct device_element element;
    struct device_facts facts;
    const struct device *d;
    size_t position = 0, elements;

    while ((d = device_table_next(t, &position))) {
        elements = 0;
        device_get_facts(t, d, &facts);
        if (facts.name && facts.name[facts.name_size] != '\0')
            abort();
        while (device_get_element(t, d, elements, &element))
            elements++;
        if (elements > 32)
            abort();
    }
    if (device_table_count(t) > DEVICES_MAX)
        abort();
}

static void on_change(void *user, const struct device_change *change)
{
    struct device_facts facts;

    device_get_facts(*(struct device_table **) user, change->device, &facts);
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
    *now += (operation & 0x80) ? argument * 10 * USEC_PER_SEC : 1;
    switch (operation % 8) {
    case 0:
        device_table_source_online(t, source, argument & 1, *now);
        return true;
    case 1:
        device_table_source_remove(t, source);
        return true;
    case 2:
        device_table_pin(t, device, argument & 1, argument);
        return true;
    case 3:
        (void) device_table_forget(t, device);
        return true;
    case 4:
        device_table_advance(t, *now);
        return true;
    default:
        (void) bytes_pull_u8(script, &size);
        if (size > BLE_REPORT_DATA_MAX || !bytes_pull(script, size, &data))
            return false;
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
    const struct device_table_settings settings = {
            .devices_max = DEVICES_MAX,
            .forget_after = 3600 * USEC_PER_SEC,
            .forget_private_after = 600 * USEC_PER_SEC,
            .stale_after = 900 * USEC_PER_SEC,
            .quiet_after = 90 * USEC_PER_SEC,
            .margin_db = 16,
            .ewma_alpha = 0.3,
    };
    struct device_table *t = NULL;
    struct bytes script = {data, size};
    usec_t now = 1;

    t = device_table_new(&settings, on_change, &t);
    while (step(t, &script, &now))
        walk(t);
    device_table_free(t);
    return 0;
}
