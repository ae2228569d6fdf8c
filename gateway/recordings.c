/* The story. What happens becomes records, with the names that proxies have in the configuration.
 * Who reads holds one segment after the other; the ring goes on without it.
 *
 * Failure modes: a reader that is slower than the ring loses what was dropped before it came to it,
 * whole segments, and goes on behind them. */
#include "recordings.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/memory.h"
#include "configured.h"
#include "link/links.h"
#include "proxy/proxy.h"
#include "recorder/recorder.h"
#include "recorder/recording_reader.h"
#include "replay/recorded_change.h"
#include "replay/restored_device.h"
#include "replay_job.h"
#include "replay_settings.h"
#include "roster.h"
#include "scan/device_table.h"
#include "scanning.h"

#define LOOKED_AT_ONCE 10000 /* records; less than a millisecond */

static_assert(ATTEMPT_CONNECTED == 0 && ATTEMPT_TIMED_OUT == 1 && ATTEMPT_REFUSED == 2 &&
                      ATTEMPT_FAILED == 3 && ATTEMPT_PROXY_LOST == 4 && ATTEMPT_CANCELLED == 5,
              "numbers of recording.h");

static_assert(ROSTER_MAX <= RECORDING_SOURCES_MAX, "every number fits");

struct recordings {
    struct recorder *recorder; /* NULL: nothing is recorded, and nothing is left to read */
    bool is_on;
    size_t bytes_max;
    const struct config *config;         /* borrowed, with the next */
    const struct configured *configured; /* its devices */
    const struct roster *roster;         /* borrowed, as the next */
    const struct scanning *scanning;
    char *settings; /* as they were recorded last; ours */
    size_t open;
    struct replay_job *job; /* NULL: none runs */
    gateway_replay_fn *on_replayed;
    void *replay_user;
};

struct gateway_recording {
    struct recordings *recordings;
    bool is_empty; /* nothing was recorded when it was opened */
    struct gateway_recording_wish wish;
    char *proxy; /* of the wish, ours */
    usec_t opened;
    struct recorder_hold *hold; /* NULL: none yet */
    struct recording_segment segment;
    uint64_t next_sequence;
    struct recording_reader *reader;
    uint64_t macs[RECORDING_SOURCES_MAX];
    uint8_t header[RECORDING_HEADER_SIZE];
    char name[RECORDING_TEXT_MAX + 1];
};

/* ---- what happens ---- */

/* For each device and segment, and when it is configured otherwise. */
static void describe(void *user, struct recording_device *device)
{
    const struct recordings *r = user;
    const struct config_device *configured = configured_find(r->configured, device->address);
    struct scan_need need;

    if (!configured)
        return;
    device->is_pinned = true;
    device->expected_interval = (usec_t) (configured->expected_interval_s * (double) USEC_PER_SEC);
    device->has_need = windows_need_get(scanning_windows(r->scanning), device->address, &need);
}

static struct bytes text_of(const char *text)
{
    return (struct bytes){(const uint8_t *) text, strlen(text)};
}

/* When they are news. */
static void record_settings(struct recordings *r, usec_t now)
{
    char *text AUTO_FREE = replay_settings_dump(r->config);

    if (r->settings && strcmp(r->settings, text) == 0)
        return;
    recorder_set_settings(r->recorder, text, now);
    free(r->settings);
    r->settings = TAKE(text);
}

static bool is_wanted_on(const struct recordings *r)
{
    return r->config->recorder_enabled && r->bytes_max > 0;
}

static void begin(struct recordings *r, usec_t now, int64_t wall)
{
    struct recorder_settings settings = {
            .bytes_max = r->bytes_max,
            .keep = (usec_t) r->config->recorder_keep_s * USEC_PER_SEC,
    };

    if (getrandom(&settings.hash_seed, sizeof settings.hash_seed, GRND_NONBLOCK) < 0)
        settings.hash_seed = 0; /* so early at boot it has to do */
    r->recorder = recorder_new(&settings, describe, r, now, wall);
    free(TAKE(r->settings));
    record_settings(r, now);
}

/* What was recorded goes when it is switched off, and nobody reads it any more. */
static void end_if_unread(struct recordings *r)
{
    if (!r->is_on && r->open == 0 && !r->job)
        recorder_free(TAKE(r->recorder));
}

struct recordings *recordings_new(const struct config *config, const struct roster *roster,
                                  const struct configured *configured,
                                  const struct scanning *scanning, usec_t now, int64_t wall)
{
    struct recordings *r = xnew(struct recordings, 1);

    r->config = config;
    r->roster = roster;
    r->configured = configured;
    r->scanning = scanning;
    r->bytes_max = (size_t) config->limits_recorder_mb << 20;
    r->is_on = is_wanted_on(r);
    if (r->is_on)
        begin(r, now, wall);
    return r;
}

void recordings_free(struct recordings *r)
{
    if (!r)
        return;
    recorder_free(r->recorder);
    free(r->settings);
    free(r);
}

bool recordings_configure(struct recordings *r, const struct config *config,
                          const struct configured *configured, usec_t now)
{
    bool was_on = r->is_on;

    r->config = config;
    r->configured = configured;
    r->is_on = is_wanted_on(r);
    if (r->is_on && !r->recorder)
        begin(r, now, clock_to_wall(now, clock_now(), clock_wall()));
    end_if_unread(r);
    if (!r->is_on)
        return false;
    recorder_set_keep(r->recorder, (usec_t) config->recorder_keep_s * USEC_PER_SEC);
    record_settings(r, now);
    return !was_on;
}

/* At the start some things happen before there is a recorder. */
static bool is_on(const struct recordings *r)
{
    return r && r->is_on;
}

void recordings_proxy_added(struct recordings *r, uint16_t source, usec_t now)
{
    struct recording_source s = {.source = source};

    if (!is_on(r))
        return;
    s.name = text_of(roster_name(r->roster, source));
    recorder_source(r->recorder, &s, now);
}

void recordings_proxy_removed(struct recordings *r, uint16_t source, usec_t now)
{
    if (is_on(r))
        recorder_source_gone(r->recorder, source, now);
}

void recordings_device(struct recordings *r, uint64_t address, usec_t now)
{
    if (is_on(r))
        recorder_device(r->recorder, address, now);
}

void recordings_reports(struct recordings *r, uint16_t source, const struct ble_report *reports,
                        size_t count, usec_t now)
{
    if (is_on(r))
        recorder_advertisements(r->recorder, source, reports, count, now);
}

void recordings_command(struct recordings *r, const struct recording_command *command, usec_t now)
{
    if (is_on(r))
        recorder_command(r->recorder, command, now);
}

void recordings_restored(struct recordings *r, const struct device_restored *device, usec_t now)
{
    uint8_t facts[RECORDING_RESTORED_MAX];
    struct recording_restored restored = {.address = device->address,
                                          .address_type = device->address_type};

    if (!is_on(r))
        return;
    restored.facts = (struct bytes){facts, restored_device_write(facts, device)};
    recorder_restored(r->recorder, &restored, now);
}

void recordings_tick(struct recordings *r, usec_t now)
{
    if (is_on(r))
        recorder_tick(r->recorder, now);
}

void recordings_change(struct recordings *r, const struct device_table *table,
                       const struct device_change *change)
{
    struct recording_change c;

    if (!is_on(r))
        return;
    recorded_change_make(table, change, &c);
    recorder_change(r->recorder, &c, /* now= */ 0);
}

void recordings_proxy(struct recordings *r, uint16_t source, const struct proxy_status *status,
                      bool is_connecting, usec_t now)
{
    struct recording_source s = {
            .source = source,
            .is_online = status->state == PROXY_ONLINE,
            .is_connecting = is_connecting,
            .can_connect = (status->features & PROXY_FEATURE_ACTIVE_CONNECTIONS) != 0,
            .has_mac = status->has_mac,
            .mac = status->mac,
            .state = text_of(proxy_state_name(status->state)),
    };

    if (!is_on(r))
        return;
    s.name = text_of(roster_name(r->roster, source));
    if (status->has_scanner) {
        s.scanner_mode = status->scanner.mode == SCANNER_ACTIVE ? 2 : 1;
        s.scanner_runs = status->scanner.state == SCANNER_RUNNING;
    }
    recorder_set_wall(r->recorder, now, clock_to_wall(now, clock_now(), clock_wall()));
    recorder_source(r->recorder, &s, now);
}

void recordings_window(struct recordings *r, enum scan_window_action action,
                       const struct scan_window *window, usec_t now)
{
    const struct recording_window w = {
            .id = window->id,
            .source = window->source,
            .action = (uint8_t) action,
            .state = (uint8_t) window->state,
            .cause = (uint8_t) window->cause,
            .answered = (uint32_t) window->answered,
    };

    if (is_on(r))
        recorder_window(r->recorder, &w, now);
}

/* The code goes by its token: numbers are others in other versions. */
void recordings_attempt(struct recordings *r, uint64_t address, const struct link_attempt *attempt)
{
    const struct route_terms *t = &attempt->terms;
    const double terms[RECORDING_TERMS] = {t->rssi,      t->in_progress, t->failures,
                                           t->last_slot, t->bond,        t->weight};
    struct recording_attempt a = {
            .address = address,
            .source = attempt->source,
            .duration = attempt->duration,
            .result = (uint8_t) attempt->end,
            .code = text_of(attempt->code ? error_token(attempt->code) : ""),
            .has_reason = attempt->has_reason,
            .reason = attempt->reason,
            .score = recording_tenths(attempt->score),
    };

    if (!is_on(r))
        return;
    for (size_t i = 0; i < RECORDING_TERMS; i++)
        a.terms[i] = recording_tenths(terms[i]);
    recorder_attempt(r->recorder, &a, attempt->started + attempt->duration);
}

/* ---- reading ---- */

void recordings_get_status(const struct recordings *r, struct gateway_recorder *ret_status)
{
    struct recorder_status status;

    *ret_status = (struct gateway_recorder){0};
    if (!r->is_on)
        return;
    recorder_get_status(r->recorder, &status);
    *ret_status = (struct gateway_recorder){
            .is_enabled = true,
            .bytes = status.bytes,
            .oldest = status.oldest,
            .memory_bytes = status.memory_bytes,
            .records = status.records,
            .advertisements = status.advertisements,
            .segments_dropped = status.dropped,
    };
}

struct gateway_recording *recordings_open(struct recordings *r,
                                          const struct gateway_recording_wish *wish, usec_t now)
{
    struct gateway_recording *recording;

    if (r->open >= GATEWAY_RECORDINGS_MAX)
        return NULL;
    recording = xnew(struct gateway_recording, 1);
    recording->recordings = r;
    recording->is_empty = !r->is_on;
    recording->wish = *wish;
    recording->proxy = memory_copy_text(wish->proxy);
    recording->opened = now;
    recording->reader = recording_reader_new();
    r->open++;
    return recording;
}

static void let_go(struct gateway_recording *recording)
{
    if (recording->hold)
        recorder_release(recording->recordings->recorder, TAKE(recording->hold));
}

void gateway_recording_close(struct gateway_recording *recording)
{
    if (!recording)
        return;
    let_go(recording);
    recording->recordings->open--;
    end_if_unread(recording->recordings);
    recording_reader_free(recording->reader);
    free(recording->proxy);
    free(recording);
}

/* False: there is none, or it began after the recording was opened. */
static bool hold_next(struct gateway_recording *recording)
{
    let_go(recording);
    if (recording->is_empty)
        return false;
    recording->hold = recorder_take(recording->recordings->recorder, recording->next_sequence,
                                    &recording->segment);
    if (!recording->hold || recording->segment.start > recording->opened)
        return false;
    recording->next_sequence = recording->segment.sequence + 1;
    recording_reader_begin(recording->reader, &recording->segment);
    return true;
}

static bool is_wanted(const struct gateway_recording *recording,
                      const struct recording_record *record, int64_t wall)
{
    const struct gateway_recording_wish *w = &recording->wish;
    struct bytes name;

    if (wall < w->since || wall > w->until || record->time > recording->opened ||
        (w->has_address && record->advertisement.report.address != w->address))
        return false;
    name = recording_reader_source_name(recording->reader, record->advertisement.source);
    return !recording->proxy || (name.size == strlen(recording->proxy) &&
                                 memcmp(name.data, recording->proxy, name.size) == 0);
}

static void view(struct gateway_recording *recording, const struct recording_record *record,
                 int64_t wall, struct gateway_recorded *ret_recorded)
{
    const struct ble_report *report = &record->advertisement.report;
    uint16_t source = record->advertisement.source;
    struct bytes name = recording_reader_source_name(recording->reader, source);

    (void) snprintf(recording->name, sizeof recording->name, "%.*s", (int) name.size,
                    name.size > 0 ? (const char *) name.data : "");
    *ret_recorded = (struct gateway_recorded){
            .time = wall,
            .proxy_number = source,
            .proxy = recording->name,
            .proxy_mac = recording->macs[source],
            .address = report->address,
            .address_type = report->address_type,
            .rssi = report->rssi,
            .data = report->data,
            .size = report->size,
    };
}

int gateway_recording_next(struct gateway_recording *recording,
                           struct gateway_recorded *ret_recorded)
{
    struct recording_record record;

    for (unsigned i = 0; i < LOOKED_AT_ONCE; i++) {
        int64_t wall;

        if (!recording->hold || recording_reader_next(recording->reader, &record) != 1) {
            if (!hold_next(recording))
                return 0;
            continue;
        }
        if (record.kind == RECORDING_SOURCE && record.source.has_mac)
            recording->macs[record.source.source] = record.source.mac;
        if (record.kind == RECORDING_SOURCE_GONE)
            recording->macs[record.gone] = 0;
        if (record.kind != RECORDING_ADVERTISEMENT)
            continue;
        wall = recording_reader_wall(recording->reader, record.time);
        if (!is_wanted(recording, &record, wall))
            continue;
        view(recording, &record, wall, ret_recorded);
        return 1;
    }
    return -EAGAIN;
}

/* The segments follow each other, so that one ends where the next begins. */
static bool is_time_wanted(struct gateway_recording *recording)
{
    const struct recording_segment *s = &recording->segment;
    struct recording_segment next;
    struct recorder_hold *hold =
            recorder_take(recording->recordings->recorder, s->sequence + 1, &next);
    bool is_early = hold && next.wall < recording->wish.since;

    recorder_release(recording->recordings->recorder, hold);
    return !is_early && s->wall <= recording->wish.until;
}

int gateway_recording_next_segment(struct gateway_recording *recording, struct bytes *ret_header,
                                   struct bytes *ret_records)
{
    while (hold_next(recording)) {
        if (!is_time_wanted(recording))
            continue;
        recording_write_header(recording->header, &recording->segment);
        *ret_header = (struct bytes){recording->header, RECORDING_HEADER_SIZE};
        *ret_records = (struct bytes){recording->segment.data, recording->segment.size};
        return 1;
    }
    return 0;
}

/* ---- replaying ---- */

static void on_replayed(void *user, int rc, const struct gateway_replay_result *result)
{
    struct recordings *r = user;

    r->job = NULL;
    end_if_unread(r);
    r->on_replayed(r->replay_user, rc, result);
}

int recordings_replay(struct recordings *r, struct uv_loop_s *loop,
                      const struct gateway_replay_wish *wish, struct config_faults *ret_faults,
                      gateway_replay_fn *on_done, void *user)
{
    const char *const patches[] = {wish->patch, NULL};
    const struct replay_settings settings = {patches};
    bool is_changed;

    if (!replay_settings_check(&settings, r->is_on ? r->settings : NULL, &is_changed, ret_faults))
        return E_INVALID_REQUEST;
    if (!r->is_on)
        return E_NOT_FOUND;
    if (r->job)
        return E_OVERLOADED;
    r->on_replayed = on_done;
    r->replay_user = user;
    r->job = replay_job_start(loop, r->recorder, wish, is_changed, on_replayed, r);
    return 0;
}

void recordings_cancel_replay(struct recordings *r)
{
    replay_job_cancel(r->job);
}
