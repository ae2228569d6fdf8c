/* Any octets read as the details of a stored device: what is accepted keeps the bounds, lies within
 * the octets, and says the same when it is written and read again. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "fuzz_target.h"
#include "store/details.h"

static void check_view(const uint8_t *data, size_t size, struct bytes view)
{
    if (view.size > STORE_OCTETS_MAX ||
        (view.size > 0 && (view.data < data || view.data + view.size > data + size)))
        abort();
}

static void check_device(const struct store_device *d, const uint8_t *data, size_t size)
{
    if (d->sightings_count > STORE_SIGHTINGS_MAX || d->elements_count > STORE_ELEMENTS_MAX)
        abort();
    check_view(data, size, d->latest.octets);
    for (size_t i = 0; i < d->elements_count; i++) {
        check_view(data, size, d->elements[i].octets);
        if (d->elements[i].last_seen < 0 || d->elements[i].last_seen > d->last_seen)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store_device first = {.last_seen = 1795000000000000}, second = first;
    struct buffer once = {0}, twice = {0};

    if (!details_decode(&first, data, size))
        return 0;
    check_device(&first, data, size);
    details_encode(&once, &first);
    if (!details_decode(&second, buffer_front(&once), buffer_size(&once)))
        abort();
    details_encode(&twice, &second);
    if (buffer_size(&once) != buffer_size(&twice) ||
        memcmp(buffer_front(&once), buffer_front(&twice), buffer_size(&once)) != 0)
        abort();
    buffer_done(&once);
    buffer_done(&twice);
    return 0;
}
