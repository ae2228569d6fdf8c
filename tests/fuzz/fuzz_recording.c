/* Any octets read as a file of a recording: the reader ends, gives out nothing beyond its bounds
 * and nothing that lies outside of the octets; and a replay takes whatever that is. */
#include <errno.h>
#include <stdlib.h>

#include "fuzz_target.h"
#include "recorder/recording_reader.h"
#include "replay/replay.h"

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
    case RECORDING_RESTORED:
        check_view(s, r->restored.facts, RECORDING_RESTORED_MAX);
        break;
    case RECORDING_COMMAND:
        if (r->command.address >> 48 != 0)
            abort();
        break;
    case RECORDING_ATTEMPT:
        check_view(s, r->attempt.code, RECORDING_TEXT_MAX);
        if (r->attempt.address >> 48 != 0 || r->attempt.source >= RECORDING_SOURCES_MAX ||
            r->attempt.duration > r->time)
            abort();
        break;
    case RECORDING_SOURCE_GONE:
        if (r->gone >= RECORDING_SOURCES_MAX)
            abort();
        break;
    case RECORDING_DEVICE:
    case RECORDING_TICK:
    case RECORDING_WINDOW:
        break;
    }
}

static bool read_settings(void *user, struct bytes json, struct device_table_settings *ret_actual,
                          struct device_table_settings *ret_replayed)
{
    (void) user;
    *ret_actual = (struct device_table_settings){
            .devices_max = 8 + (uint32_t) json.size,
            .forget_after = 3600 * USEC_PER_SEC,
            .forget_private_after = 900 * USEC_PER_SEC,
            .stale_after = 900 * USEC_PER_SEC,
            .quiet_after = 90 * USEC_PER_SEC,
            .tell_after = 100 * USEC_PER_MSEC,
            .margin_db = 16,
            .reclaim_db = 6,
            .ewma_alpha = 0.3,
            .strong_dbm = -70,
            .roam_factor = 1.5,
            .gone_factor = 2.5,
    };
    *ret_replayed = *ret_actual;
    ret_replayed->margin_db = 4;
    return true;
}

static struct replay *new_replay(bool is_changed)
{
    const struct replay_wish wish = {.since = INT64_MIN,
                                     .until = INT64_MAX,
                                     .is_changed = is_changed,
                                     .read_settings = read_settings};

    return replay_new(&wish);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct recording_reader *reader = recording_reader_new();
    struct replay *replay = new_replay(size % 2);
    struct replay_totals totals;
    struct bytes file = {data, size};
    struct recording_segment segment;
    struct recording_record record;
    bool is_cut;
    int rc;

    while (recording_pull_segment(&file, &segment, &is_cut) == 1) {
        recording_reader_begin(reader, &segment);
        replay_begin_segment(replay, &segment);
        while ((rc = recording_reader_next(reader, &record)) == 1) {
            check_record(&segment, &record);
            (void) replay_feed(replay, &record, recording_reader_wall(reader, record.time));
        }
        if (rc != 0 && rc != -EBADMSG)
            abort();
    }
    replay_get_totals(replay, &totals);
    if (totals.repeated > totals.recorded)
        abort();
    replay_free(replay);
    recording_reader_free(reader);
    return 0;
}
