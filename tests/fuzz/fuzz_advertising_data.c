/* Any octets read as advertising data: every view lies within them, and nothing is read past them.
 */
#include <stdlib.h>

#include "base/utf8.h"
#include "ble/advertising_data.h"
#include "fuzz_target.h"

static void check_view(const uint8_t *data, size_t size, struct bytes view)
{
    if (view.size > 0 && (view.data < data || view.data + view.size > data + size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ad_reader reader = advertising_data_reader(data, size);
    struct advertising_data summary;
    struct ad_field field;
    char name[UTF8_REPAIRED_SIZE(255)];

    while (advertising_data_next_field(&reader, &field)) {
        check_view(data, size, field.data);
        check_view(data, size, ad_field_value(&field));
    }
    advertising_data_parse(&summary, data, size);
    check_view(data, size, summary.name);
    if (utf8_repair(name, summary.name.data, summary.name.size) >= sizeof name)
        abort();
    for (size_t i = 0; i < summary.service_data_count; i++)
        check_view(data, size, summary.service_data[i].value);
    for (size_t i = 0; i < summary.manufacturer_data_count; i++)
        check_view(data, size, summary.manufacturer_data[i].value);
    for (size_t i = 0; i < summary.others_count; i++)
        check_view(data, size, summary.others[i].data);
    return 0;
}
