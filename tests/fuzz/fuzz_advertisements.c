/* The first octet is the size of a batch. What was read is written and read again, the same. */
#include <stdlib.h>
#include <string.h>

#include "esphome/advertisements.h"
#include "fuzz_target.h"

static void check_around(const struct ble_report *reports, size_t count)
{
    struct ble_report again[256];
    struct buffer body = {0};
    struct advertisements a;

    advertisements_encode(reports, count, &body);
    advertisements_open(&a, (struct bytes){buffer_front(&body), buffer_size(&body)});
    if (advertisements_next(&a, again, 256) != (int) count || a.skipped != 0)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (again[i].address != reports[i].address || again[i].rssi != reports[i].rssi ||
            again[i].size != reports[i].size ||
            (again[i].size > 0 && memcmp(again[i].data, reports[i].data, again[i].size) != 0))
            abort();
    }
    buffer_done(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ble_report reports[256];
    struct advertisements a;
    int count;

    if (size < 1)
        return 0;
    advertisements_open(&a, (struct bytes){data + 1, size - 1});
    while ((count = advertisements_next(&a, reports, (size_t) data[0] + 1)) > 0)
        check_around(reports, (size_t) count);
    return 0;
}
