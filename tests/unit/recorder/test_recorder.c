/* The ring: what is recorded comes out again, within its bounds, and costs little. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "allocations.h"
#include "recorder/recorder.h"
#include "recorder/recording_reader.h"

#define START (1000 * USEC_PER_SEC)
#define WALL  ((int64_t) 1795255200 * 1000000)
#define MB    ((size_t) 1 << 20)

static struct recorder *new_recorder(size_t bytes, usec_t keep)
{
    const struct recorder_settings settings = {bytes, keep, 7};

    return recorder_new(&settings, NULL, NULL, START, WALL);
}

static struct ble_report make_report(uint64_t address, int rssi, const void *data, uint8_t size)
{
    return (struct ble_report){.address = address,
                               .data = data,
                               .size = size,
                               .rssi = (int8_t) rssi,
                               .address_type = 1};
}

static void hear(struct recorder *r, uint16_t source, uint64_t address, int rssi, const char *text,
                 usec_t now)
{
    struct ble_report report = make_report(address, rssi, text, (uint8_t) strlen(text));

    recorder_advertisements(r, source, &report, 1, now);
}

typedef void visit_fn(void *user, const struct recording_reader *reader,
                      const struct recording_record *record);

/* Reads the whole ring. */
static void read_all(struct recorder *r, visit_fn *visit, void *user)
{
    struct recording_reader *reader = recording_reader_new();
    struct recording_segment segment;
    struct recording_record record;
    struct recorder_hold *hold;
    uint64_t from = 0;

    while ((hold = recorder_take(r, from, &segment))) {
        recording_reader_begin(reader, &segment);
        while (recording_reader_next(reader, &record) == 1)
            visit(user, reader, &record);
        from = segment.sequence + 1;
        recorder_release(r, hold);
    }
    recording_reader_free(reader);
}

/* ---- what comes out ---- */

struct heard {
    size_t count;
    struct {
        usec_t time;
        uint16_t source;
        uint64_t address;
        int rssi;
        char text[32], name[32];
    } items[16];
};

static void note_heard(void *user, const struct recording_reader *reader,
                       const struct recording_record *record)
{
    struct heard *h = user;
    const struct ble_report *report = &record->advertisement.report;
    struct bytes name;

    if (record->kind != RECORDING_ADVERTISEMENT)
        return;
    assert_true(h->count < 16);
    name = recording_reader_source_name(reader, record->advertisement.source);
    h->items[h->count].time = record->time;
    h->items[h->count].source = record->advertisement.source;
    h->items[h->count].address = report->address;
    h->items[h->count].rssi = report->rssi;
    memcpy(h->items[h->count].text, report->data, report->size);
    if (name.size > 0)
        memcpy(h->items[h->count].name, name.data, name.size);
    h->count++;
}

static void what_was_heard_comes_out_as_it_was(void **state)
{
    const struct recording_source hall = {
            .source = 300, .is_online = true, .name = {(const uint8_t *) "hall", 4}};
    struct recorder *r = new_recorder(MB, 3600 * USEC_PER_SEC);
    struct heard h = {0};

    (void) state;
    recorder_source(r, &hall, START);
    hear(r, 300, 0xa4c138000001, -60, "one", START + 5);
    hear(r, 300, 0xa4c138000001, 0, "two", START + 5);
    hear(r, 7, 0xa4c138000001, -127, "one", START + 3 * USEC_PER_SEC);
    hear(r, 300, 0xa4c138000002, 20, "", START);
    read_all(r, note_heard, &h);
    assert_int_equal(h.count, 4);
    assert_true(h.items[0].time == START + 5 && h.items[0].source == 300);
    assert_int_equal(h.items[0].rssi, -60);
    assert_string_equal(h.items[0].text, "one");
    assert_string_equal(h.items[0].name, "hall");
    assert_int_equal(h.items[1].rssi, 0);
    assert_string_equal(h.items[1].text, "two");
    assert_true(h.items[2].time == START + 3 * USEC_PER_SEC && h.items[2].source == 7);
    assert_string_equal(h.items[2].text, "one");
    assert_int_equal(h.items[2].rssi, -127);
    assert_string_equal(h.items[2].name, "");
    assert_true(h.items[3].address == 0xa4c138000002); /* time does not go back */
    assert_true(h.items[3].time == START + 3 * USEC_PER_SEC);
    assert_string_equal(h.items[3].text, "");
    recorder_free(r);
}

struct others {
    struct recording_change change;
    struct recording_source source;
    struct recording_window window;
    struct recording_device device;
    struct recording_command command;
    struct recording_restored restored;
    struct recording_attempt attempt;
    usec_t attempt_time;
    uint16_t gone;
    char settings[64], name[80];
    size_t ticks;
};

static void note_others(void *user, const struct recording_reader *reader,
                        const struct recording_record *record)
{
    struct others *o = user;

    (void) reader;
    switch (record->kind) {
    case RECORDING_CHANGE:
        o->change = record->change;
        break;
    case RECORDING_SOURCE:
        if (record->source.name.size == 0)
            break;
        o->source = record->source;
        memcpy(o->name, record->source.name.data, record->source.name.size);
        break;
    case RECORDING_WINDOW:
        o->window = record->window;
        break;
    case RECORDING_DEVICE:
        o->device = record->device;
        break;
    case RECORDING_COMMAND:
        o->command = record->command;
        break;
    case RECORDING_RESTORED:
        o->restored = record->restored;
        break;
    case RECORDING_ATTEMPT:
        o->attempt = record->attempt;
        o->attempt_time = record->time;
        break;
    case RECORDING_SOURCE_GONE:
        o->gone = record->gone;
        break;
    case RECORDING_SETTINGS:
        memset(o->settings, 0, sizeof o->settings);
        memcpy(o->settings, record->settings.data, record->settings.size);
        break;
    case RECORDING_TICK:
        o->ticks++;
        break;
    case RECORDING_ADVERTISEMENT:
        break;
    }
}

static void describe_all(void *user, struct recording_device *device)
{
    (void) user;
    device->is_pinned = true;
    device->has_need = true;
    device->expected_interval = 30 * USEC_PER_SEC;
}

static void decisions_sources_windows_and_settings_come_out_as_they_were(void **state)
{
    const struct recorder_settings settings = {MB, 3600 * USEC_PER_SEC, 7};
    struct recorder *r = recorder_new(&settings, describe_all, NULL, START, WALL);
    const struct recording_change change = {.address = 0xc00000000001,
                                            .address_type = 1,
                                            .kinds = 12,
                                            .source = 4,
                                            .is_available = true,
                                            .has_owner = true,
                                            .owner_from = RECORDING_NO_SOURCE,
                                            .owner_to = 4,
                                            .why = 3,
                                            .rssi_from = INT16_MIN,
                                            .rssi_to = recording_rssi(-61.25)};
    const struct recording_window window = {12, 4, 1, 2, 3, 70000};
    char long_name[100];
    struct others o = {0};

    (void) state;
    memset(long_name, 'x', sizeof long_name);
    recorder_set_settings(r, "{\"scan\":{}}", START);
    recorder_source(r,
                    &(struct recording_source){.source = 4,
                                               .can_connect = true,
                                               .has_mac = true,
                                               .mac = 0x246f28aabbcc,
                                               .scanner_mode = 2,
                                               .scanner_runs = true,
                                               .name = {(uint8_t *) long_name, 100}},
                    START);
    recorder_change(r, &change, START + 1);
    recorder_window(r, &window, START + 2);
    recorder_tick(r, START + 3);
    read_all(r, note_others, &o);
    assert_true(o.change.address == change.address && o.change.kinds == 12);
    assert_true(o.change.source == 4 && o.change.is_available && o.change.has_owner);
    assert_true(o.change.owner_from == RECORDING_NO_SOURCE && o.change.owner_to == 4);
    assert_true(o.change.why == 3 && o.change.rssi_from == INT16_MIN);
    assert_int_equal(o.change.rssi_to, -6125);
    assert_true(o.window.id == 12 && o.window.source == 4 && o.window.answered == 70000);
    assert_true(o.window.action == 1 && o.window.state == 2 && o.window.cause == 3);
    assert_true(o.source.can_connect && !o.source.is_online && o.source.mac == 0x246f28aabbcc);
    assert_int_equal(strlen(o.name), RECORDING_TEXT_MAX);
    assert_true(o.device.is_pinned && o.device.expected_interval == 30 * USEC_PER_SEC);
    assert_true(o.device.has_need);
    assert_string_equal(o.settings, "{\"scan\":{}}");
    assert_int_equal(o.ticks, 1);
    recorder_free(r);
}

static void a_source_that_is_gone_is_told_and_not_introduced_again(void **state)
{
    struct recorder *r = new_recorder(MB, 3600 * USEC_PER_SEC);
    const struct recording_source s = {.source = 300, .name = {(const uint8_t *) "attic", 5}};
    struct others o = {0};

    (void) state;
    recorder_source(r, &s, START);
    recorder_source_gone(r, 300, START + 1);
    read_all(r, note_others, &o);
    assert_int_equal(o.gone, 300);
    assert_string_equal(o.name, "attic");
    memset(&o, 0, sizeof o);
    for (unsigned i = 0; i < 400; i++) /* more than a segment holds */
        recorder_set_settings(r,
                              "{\"a\":\"" /* long */
                              "0123456789012345678901234567890123456789\"}",
                              START + 2 + i);
    recorder_window(r, &(struct recording_window){.id = 1, .source = 300}, START + 500);
    read_all(r, note_others, &o);
    assert_int_equal(o.window.source, 300);
    recorder_free(r);
}

static void what_was_commanded_and_restored_comes_out_as_it_was(void **state)
{
    struct recorder *r = new_recorder(MB, 3600 * USEC_PER_SEC);
    uint8_t facts[RECORDING_RESTORED_MAX];
    struct others o = {0};

    (void) state;
    memset(facts, 'x', sizeof facts);
    for (unsigned i = 0; i < 100; i++) { /* more than a segment holds */
        recorder_restored(r, &(struct recording_restored){0xc00000000001, 1, {facts, sizeof facts}},
                          START);
        recorder_command(r, &(struct recording_command){RECORDING_COVERED, 0xc00000000002, 300},
                         START + 1);
    }
    read_all(r, note_others, &o);
    assert_true(o.restored.address == 0xc00000000001 && o.restored.address_type == 1);
    assert_int_equal(o.restored.facts.size, RECORDING_RESTORED_MAX);
    assert_true(o.command.what == RECORDING_COVERED && o.command.source == 300);
    assert_true(o.command.address == 0xc00000000002);
    recorder_command(r, &(struct recording_command){.what = RECORDING_FORGET, .address = 7}, START);
    read_all(r, note_others, &o);
    assert_true(o.command.what == RECORDING_FORGET && o.command.address == 7);
    recorder_free(r);
}

static void an_attempt_comes_out_as_it_was(void **state)
{
    struct recorder *r = new_recorder(MB, 3600 * USEC_PER_SEC);
    struct recording_attempt attempt = {.address = 0xc00000000001,
                                        .source = 300,
                                        .duration = 20 * USEC_PER_SEC,
                                        .result = 3,
                                        .code = {(const uint8_t *) "connect_failed", 14},
                                        .has_reason = true,
                                        .reason = -5,
                                        .score = recording_tenths(-71.25),
                                        .terms = {recording_tenths(-60), 0, -80, 1, 2, 3}};
    struct others o = {0};

    (void) state;
    recorder_attempt(r, &attempt, START + 7);
    read_all(r, note_others, &o);
    assert_true(o.attempt_time == START + 7 && o.attempt.duration == attempt.duration);
    assert_true(o.attempt.address == attempt.address && o.attempt.source == 300);
    assert_true(o.attempt.result == 3 && o.attempt.has_reason && o.attempt.reason == -5);
    assert_int_equal(o.attempt.code.size, 14);
    assert_int_equal(o.attempt.score, -712);
    assert_memory_equal(o.attempt.terms, attempt.terms, sizeof attempt.terms);
    attempt = (struct recording_attempt){.address = 7, .source = 300};
    recorder_attempt(r, &attempt, START + 8);
    read_all(r, note_others, &o);
    assert_true(o.attempt.address == 7 && o.attempt.duration == 0 && o.attempt.result == 0);
    assert_true(o.attempt.code.size == 0 && !o.attempt.has_reason && o.attempt.reason == 0);
    assert_true(o.device.address == 0); /* nobody needs to have heard it */
    recorder_free(r);
}

static void attempts_without_end_stay_within_their_segments(void **state)
{
    uint8_t code[RECORDING_TEXT_MAX] = {0};
    const struct recording_attempt attempt = {.address = 7,
                                              .source = RECORDING_SOURCES_MAX - 1,
                                              .duration = START,
                                              .code = {code, sizeof code}};
    struct recorder *r = new_recorder(MB, 3600 * USEC_PER_SEC);
    struct recorder_status status;
    struct others o = {0};

    (void) state;
    for (usec_t i = 0; i < 20000; i++)
        recorder_attempt(r, &attempt, START + i * USEC_PER_MSEC);
    recorder_get_status(r, &status);
    assert_true(status.dropped > 0 && status.memory_bytes <= MB + 700000);
    read_all(r, note_others, &o);
    assert_int_equal(o.attempt_time, START + 19999 * USEC_PER_MSEC);
    recorder_free(r);
}

static void tenths_of_a_db_are_cut_to_what_fits(void **state)
{
    (void) state;
    assert_int_equal(recording_tenths(-60.04), -600);
    assert_int_equal(recording_tenths(NAN), INT16_MIN);
    assert_int_equal(recording_tenths(1e9), INT16_MAX);
    assert_int_equal(recording_tenths(-INFINITY), -INT16_MAX);
}

/* ---- bounds ---- */

static void count_advertisements(void *user, const struct recording_reader *reader,
                                 const struct recording_record *record)
{
    (void) reader;
    *(size_t *) user += record->kind == RECORDING_ADVERTISEMENT;
}

static void play(struct recorder *r, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++) {
        uint32_t text[8] = {(uint32_t) (i / 50)};
        struct ble_report report = make_report(0xc00000000000 + i % 50, -50, text, sizeof text);

        recorder_advertisements(r, (uint16_t) (i % 3), &report, 1, START + i * USEC_PER_MSEC);
    }
}

static void the_ring_keeps_its_size_and_counts_what_it_drops(void **state)
{
    struct recorder *r = new_recorder(MB, 86400 * USEC_PER_SEC);
    struct recorder_status status;
    size_t count = 0;

    (void) state;
    play(r, 0, 200000);
    recorder_get_status(r, &status);
    read_all(r, count_advertisements, &count);
    assert_true(status.memory_bytes <= MB + 700000);
    assert_true(status.dropped > 10);
    assert_int_equal(status.advertisements, 200000);
    assert_in_range(count, 15000, 30000); /* 32 octets of new payload each */
    assert_true(status.oldest > START);
    recorder_free(r);
}

static void what_is_older_than_asked_for_goes(void **state)
{
    struct recorder *r = new_recorder(MB, 60 * USEC_PER_SEC);
    struct recorder_status status;

    (void) state;
    for (usec_t s = 0; s < 600; s++)
        hear(r, 1, 0xc00000000001, -50, "x", START + s * USEC_PER_SEC);
    recorder_get_status(r, &status);
    assert_true(START + 599 * USEC_PER_SEC - status.oldest < 80 * USEC_PER_SEC);
    assert_true(status.dropped > 30);
    recorder_free(r);
}

static void how_long_is_kept_may_change_while_it_records(void **state)
{
    struct recorder *r = new_recorder(MB, 3600 * USEC_PER_SEC);
    struct recorder_status status;
    usec_t s = 0;

    (void) state;
    for (; s < 1200; s++)
        hear(r, 1, 0xc00000000001, -50, "x", START + s * USEC_PER_SEC);
    recorder_get_status(r, &status);
    assert_true(status.oldest < START + USEC_PER_SEC);
    recorder_set_keep(r, 60 * USEC_PER_SEC);
    for (; s < 1800; s++)
        hear(r, 1, 0xc00000000001, -50, "x", START + s * USEC_PER_SEC);
    recorder_get_status(r, &status);
    assert_true(START + s * USEC_PER_SEC - status.oldest < 300 * USEC_PER_SEC);
    recorder_free(r);
}

static void a_held_segment_stays_as_it_was_while_the_ring_moves_on(void **state)
{
    struct recorder *r = new_recorder(MB, 86400 * USEC_PER_SEC);
    struct recording_segment segment;
    struct recorder_hold *hold;
    uint8_t *copy;

    (void) state;
    play(r, 0, 100);
    hold = recorder_take(r, 0, &segment);
    copy = malloc(segment.size);
    memcpy(copy, segment.data, segment.size);
    play(r, 100, 200000);
    assert_memory_equal(copy, segment.data, segment.size);
    recorder_release(r, hold);
    hold = recorder_take(r, segment.sequence, &segment);
    assert_true(segment.sequence > 1); /* it is gone, a later one is there */
    recorder_release(r, hold);
    free(copy);
    recorder_free(r);
}

static void more_devices_than_a_segment_takes_begin_another(void **state)
{
    struct recorder *r = new_recorder(MB, 86400 * USEC_PER_SEC);
    size_t count = 0;

    (void) state;
    for (uint64_t i = 0; i < 3 * RECORDING_DEVICES_MAX; i++)
        hear(r, 1, 0xc00000000000 + i, -50, "", START);
    read_all(r, count_advertisements, &count);
    assert_int_equal(count, 3 * RECORDING_DEVICES_MAX);
    recorder_free(r);
}

static void nothing_is_allocated_once_the_ring_is_full(void **state)
{
    struct recorder *r = new_recorder(MB, 86400 * USEC_PER_SEC);
    size_t before;

    (void) state;
    play(r, 0, 100000);
    before = allocations_count();
    play(r, 100000, 100000);
    assert_int_equal(allocations_count(), before);
    recorder_free(r);
}

/* 100 devices, 3 proxies each, batches of 16 each 100 ms, a new payload in one of ten. */
static void an_advertisement_costs_few_octets(void **state)
{
    struct recorder *r = new_recorder(32 * MB, 86400 * USEC_PER_SEC);
    struct recorder_status status;

    (void) state;
    for (size_t i = 0; i < 300000; i++) {
        uint32_t text[8] = {(uint32_t) (i % 100 + i / 3000 * 1000)};
        struct ble_report report = make_report(0xc00000000000 + i % 100, -50, text, 31);

        recorder_advertisements(r, (uint16_t) (i / 16 % 3), &report, 1,
                                START + i / 16 * 100 * USEC_PER_MSEC);
    }
    recorder_get_status(r, &status);
    assert_int_equal(status.dropped, 0);
    print_message("%.1f octets an advertisement\n", (double) status.bytes / 300000);
    assert_true(status.bytes < 300000 * 8);
    recorder_free(r);
}

struct pins {
    size_t count;
    struct recording_device devices[8];
    char last[8]; /* what was heard last */
};

static void note_pins(void *user, const struct recording_reader *reader,
                      const struct recording_record *record)
{
    struct pins *p = user;

    (void) reader;
    if (record->kind == RECORDING_DEVICE)
        p->devices[p->count++] = record->device;
    if (record->kind == RECORDING_ADVERTISEMENT) {
        assert_true(record->advertisement.report.address == 0xa4c138000001);
        memcpy(p->last, record->advertisement.report.data, record->advertisement.report.size);
    }
}

static void describe_if_told(void *user, struct recording_device *device)
{
    device->is_pinned = *(const bool *) user;
    device->expected_interval = USEC_PER_SEC;
}

static void a_device_that_is_configured_later_is_introduced_again(void **state)
{
    const struct recorder_settings settings = {MB, 3600 * USEC_PER_SEC, 7};
    bool is_pinned = false;
    struct recorder *r = recorder_new(&settings, describe_if_told, &is_pinned, START, WALL);
    struct pins p = {0};

    (void) state;
    hear(r, 1, 0xa4c138000001, -60, "one", START);
    is_pinned = true;
    recorder_device(r, 0xa4c138000001, START + 1);
    hear(r, 1, 0xa4c138000001, -60, "two", START + 2);
    is_pinned = false;
    recorder_device(r, 0xa4c138000001, START + 3);
    hear(r, 1, 0xa4c138000001, -60, "six", START + 4);
    read_all(r, note_pins, &p);
    assert_int_equal(p.count, 3);
    assert_false(p.devices[0].is_pinned || p.devices[2].is_pinned);
    assert_true(p.devices[1].is_pinned && p.devices[1].expected_interval == USEC_PER_SEC);
    for (size_t i = 0; i < p.count; i++)
        assert_true(p.devices[i].address == 0xa4c138000001 && p.devices[i].address_type == 1);
    assert_string_equal(p.last, "six");
    recorder_free(r);
}

static void a_device_is_introduced_when_it_is_configured_before_it_is_heard(void **state)
{
    const struct recorder_settings settings = {MB, 3600 * USEC_PER_SEC, 7};
    bool is_pinned = true;
    struct recorder *r = recorder_new(&settings, describe_if_told, &is_pinned, START, WALL);
    struct pins p = {0};

    (void) state;
    recorder_device(r, 0xa4c138000001, START + 1);
    hear(r, 1, 0xa4c138000001, -60, "one", START + 2); /* under another type */
    is_pinned = false;
    recorder_device(r, 0xa4c138000001, START + 3);
    read_all(r, note_pins, &p);
    assert_int_equal(p.count, 4);
    for (size_t i = 0; i < p.count; i++)
        assert_true(p.devices[i].is_pinned == (i < 2));
    recorder_free(r);
}

static void devices_that_change_without_end_stay_within_a_segment(void **state)
{
    const struct recorder_settings settings = {MB, 3600 * USEC_PER_SEC, 7};
    bool is_pinned = true;
    struct recorder *r = recorder_new(&settings, describe_if_told, &is_pinned, START, WALL);
    struct recorder_status status;
    struct heard h = {0};

    (void) state;
    hear(r, 1, 0xa4c138000001, -60, "one", START);
    for (unsigned i = 0; i < 2 * RECORDING_DEVICES_MAX; i++)
        recorder_device(r, 0xa4c138000001, START + 1);
    hear(r, 1, 0xa4c138000001, -60, "two", START + 2);
    recorder_get_status(r, &status);
    assert_true(status.records < 2 * RECORDING_DEVICES_MAX + 20);
    read_all(r, note_heard, &h);
    assert_int_equal(h.count, 2);
    assert_string_equal(h.items[1].text, "two");
    recorder_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_was_heard_comes_out_as_it_was),
            cmocka_unit_test(a_device_that_is_configured_later_is_introduced_again),
            cmocka_unit_test(a_device_is_introduced_when_it_is_configured_before_it_is_heard),
            cmocka_unit_test(a_source_that_is_gone_is_told_and_not_introduced_again),
            cmocka_unit_test(what_was_commanded_and_restored_comes_out_as_it_was),
            cmocka_unit_test(an_attempt_comes_out_as_it_was),
            cmocka_unit_test(attempts_without_end_stay_within_their_segments),
            cmocka_unit_test(tenths_of_a_db_are_cut_to_what_fits),
            cmocka_unit_test(devices_that_change_without_end_stay_within_a_segment),
            cmocka_unit_test(decisions_sources_windows_and_settings_come_out_as_they_were),
            cmocka_unit_test(the_ring_keeps_its_size_and_counts_what_it_drops),
            cmocka_unit_test(what_is_older_than_asked_for_goes),
            cmocka_unit_test(how_long_is_kept_may_change_while_it_records),
            cmocka_unit_test(a_held_segment_stays_as_it_was_while_the_ring_moves_on),
            cmocka_unit_test(more_devices_than_a_segment_takes_begin_another),
            cmocka_unit_test(nothing_is_allocated_once_the_ring_is_full),
            cmocka_unit_test(an_advertisement_costs_few_octets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
