/* Any octets read as a file of a recording: the reader ends, gives out nothing beyond its bounds
 * and nothing that lies outside of the octets. */
#include <errno.h>
#include <stdlib.h>

#include "fuzz_target.h"
#include "recorder/recording_reader.h"

static void check_view(const struct recording_segment *s, struct bytes view, size_t max)
{
    if (view.size > max ||
        (view.size > 0 && (view.data < s->data || view.data + view.size > s->data + s->size)))
        abort();
}

static void check_record(const struct recording_segment *s, const struct recording_record *r)
{
    struct bytes payload;

    if (r->time < s->start)
        abort();
    switch (r->kind) {
    case RECORDING_ADVERTISEMENT:
        payload = (struct bytes){r->advertisement.report.data, r->advertisement.report.size};
        check_view(s, payload, BLE_REPORT_DATA_MAX);
        if (r->advertisement.source >= RECORDING_SOURCES_MAX)
            abort();
        break;
    case RECORDING_SOURCE:
        check_view(s, r->source.name, RECORDING_TEXT_MAX);
        check_view(s, r->source.state, RECORDING_TEXT_MAX);
        break;
    case RECORDING_SETTINGS:
        check_view(s, r->settings, RECORDING_SETTINGS_MAX);
        break;
    case RECORDING_CHANGE:
        if (r->change.address >> 48 != 0)
            abort();
        break;
    case RECORDING_DEVICE:
    case RECORDING_TICK:
    case RECORDING_WINDOW:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct recording_reader *reader = recording_reader_new();
    struct bytes file = {data, size};
    struct recording_segment segment;
    struct recording_record record;
    bool is_cut;
    int rc;

    while (recording_pull_segment(&file, &segment, &is_cut) == 1) {
        recording_reader_begin(reader, &segment);
        while ((rc = recording_reader_next(reader, &record)) == 1)
            check_record(&segment, &record);
        if (rc != 0 && rc != -EBADMSG)
            abort();
    }
    recording_reader_free(reader);
    return 0;
}
