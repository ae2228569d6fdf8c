/* What is no recording, or a damaged one, is refused where it begins to be wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "recorder/recording_reader.h"

#define START (1000 * USEC_PER_SEC)

/* Reads records until the end; how many there were. */
static int read_octets(const uint8_t *data, size_t size, size_t *ret_count)
{
    const struct recording_segment segment = {1, START, 0, data, size};
    struct recording_reader *r = recording_reader_new();
    struct recording_record record;
    int rc;

    *ret_count = 0;
    recording_reader_begin(r, &segment);
    while ((rc = recording_reader_next(r, &record)) == 1)
        (*ret_count)++;
    recording_reader_free(r);
    return rc;
}

#define DEVICE 0x12, 8, 1, 2, 3, 4, 5, 6, 1, 0

/* An attempt that is whole, of source 2; size, duration, result, size of the code and flag may be
 * others. */
#define ATTEMPT(size, duration, result, code, flag)                                                \
    0x1a, size, 1, 2, 3, 4, 5, 6, 2, duration, result, code, flag, 0x3e, 0, 0, 0, 1, 0, 1, 0, 1,   \
            0, 1, 0, 1, 0, 1, 0, 1, 0
#define ATTEMPT_SIZE 29

static void damaged_records_end_the_segment(void **state)
{
    static const struct {
        const char *what;
        uint8_t octets[40];
        size_t size, good;
    } rows[] = {
            {"kind 0", {0x10}, 1, 0},
            {"a device that was not introduced", {0x11, 0, 0, 0, 0}, 5, 0},
            {"no source told yet", {DEVICE, 0x91, 0, 0, 0}, 14, 1},
            {"a payload that is not there", {DEVICE, 0x51, 0, 0, 0, 2}, 15, 1},
            {"a fifth payload", {DEVICE, 0x51, 0, 0, 0, 4}, 15, 1},
            {"a payload beyond the end", {DEVICE, 0x11, 0, 0, 0, 9, 1}, 16, 1},
            {"a payload that is too long", {DEVICE, 0x11, 0, 0, 0, 63, 1}, 16, 1},
            {"a size beyond the end", {0x12, 9, 1}, 3, 0},
            {"a source beyond the limit", {DEVICE, 0x11, 0x80, 0x20, 0, 0, 0}, 15, 1},
            {"an address type that is none", {0x12, 8, 1, 2, 3, 4, 5, 6, 4, 0}, 10, 0},
            {"a need that is none", {0x12, 9, 1, 2, 3, 4, 5, 6, 1, 0, 2}, 11, 0},
            {"an unknown command", {DEVICE, 0x18, 2, 0, 3}, 14, 1},
            {"a command of nobody", {0x18, 2, 0, 0}, 4, 0},
            {"listened to, by nobody", {DEVICE, 0x18, 2, 0, 2}, 14, 1},
            {"restored, of nobody", {0x19, 1, 0}, 3, 0},
            {"an attempt without its last term", {ATTEMPT(28, 0, 3, 0, 1)}, 30, 0},
            {"an attempt of a source beyond the limit",
             {0x1a, 29, 1, 2, 3, 4, 5, 6, 0x80, 0x20, [30] = 0},
             31,
             0},
            {"an attempt with a word beyond its end", {ATTEMPT(29, 0, 3, 24, 1)}, 31, 0},
            {"an attempt with a number that is neither there nor not",
             {ATTEMPT(29, 0, 3, 0, 2)},
             31,
             0},
            {"a time that runs over",
             {0x05, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0},
             12,
             0},
    };
    size_t count;

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("%s\n", rows[i].what);
        assert_int_equal(read_octets(rows[i].octets, rows[i].size, &count), -EBADMSG);
        assert_int_equal(count, rows[i].good);
    }
}

static void kinds_of_later_versions_are_passed_over(void **state)
{
    static const uint8_t octets[] = {0x1f, 3, 1, 2, 3, 0x15, 0};
    size_t count;

    (void) state;
    assert_int_equal(read_octets(octets, sizeof octets, &count), 0);
    assert_int_equal(count, 1);
}

static void an_attempt_may_end_in_ways_of_later_versions(void **state)
{
    static const uint8_t octets[] = {ATTEMPT(ATTEMPT_SIZE + 1, 0, 77, 0, 1), 99, 0x15, 0};
    const struct recording_segment segment = {1, START, 0, octets, sizeof octets};
    struct recording_reader *r = recording_reader_new();
    struct recording_record record;

    (void) state;
    recording_reader_begin(r, &segment);
    assert_int_equal(recording_reader_next(r, &record), 1);
    assert_true(record.kind == RECORDING_ATTEMPT && record.attempt.result == 77);
    assert_int_equal(record.attempt.reason, 0x3e);
    assert_int_equal(record.attempt.terms[RECORDING_TERMS - 1], 1);
    assert_int_equal(recording_reader_next(r, &record), 1); /* what follows in it is left out */
    assert_int_equal(record.kind, RECORDING_TICK);
    recording_reader_free(r);
}

static void no_attempt_began_before_time_did(void **state)
{
    static const uint8_t octets[] = {ATTEMPT(ATTEMPT_SIZE, 6, 3, 0, 1)};
    struct recording_reader *r = recording_reader_new();
    struct recording_record record;

    (void) state;
    for (usec_t start = 5; start <= 6; start++) {
        const struct recording_segment segment = {1, start, 0, octets, sizeof octets};

        recording_reader_begin(r, &segment);
        assert_int_equal(recording_reader_next(r, &record), start == 6 ? 1 : -EBADMSG);
    }
    assert_int_equal(record.attempt.duration, 6);
    recording_reader_free(r);
}

static void a_device_of_earlier_recordings_has_no_need(void **state)
{
    static const uint8_t octets[] = {DEVICE, 0x12, 9, 1, 2, 3, 4, 5, 6, 1, 0, 1};
    const struct recording_segment segment = {1, START, 0, octets, sizeof octets};
    struct recording_reader *r = recording_reader_new();
    struct recording_record record;

    (void) state;
    recording_reader_begin(r, &segment);
    assert_int_equal(recording_reader_next(r, &record), 1);
    assert_false(record.device.has_need);
    assert_int_equal(recording_reader_next(r, &record), 1);
    assert_true(record.device.has_need);
    recording_reader_free(r);
}

static void a_file_is_cut_into_its_segments(void **state)
{
    static const uint8_t records[] = {0x15, 0, 0x15, 0};
    const struct recording_segment segment = {9, START, 77, records, sizeof records};
    uint8_t file[2 * (RECORDING_HEADER_SIZE + sizeof records)];
    struct bytes left = {file, sizeof file - 1};
    struct recording_segment got;
    bool is_cut;

    (void) state;
    for (size_t at = 0; at < sizeof file; at += RECORDING_HEADER_SIZE + sizeof records) {
        recording_write_header(file + at, &segment);
        memcpy(file + at + RECORDING_HEADER_SIZE, records, sizeof records);
    }
    assert_int_equal(recording_pull_segment(&left, &got, &is_cut), 1);
    assert_true(!is_cut && got.sequence == 9 && got.start == START && got.wall == 77);
    assert_int_equal(got.size, sizeof records);
    assert_int_equal(recording_pull_segment(&left, &got, &is_cut), 1);
    assert_true(is_cut && got.size == sizeof records - 1);
    assert_int_equal(recording_pull_segment(&left, &got, &is_cut), 0);
}

static void an_unknown_version_is_refused_by_its_own_cause(void **state)
{
    uint8_t file[RECORDING_HEADER_SIZE];
    struct recording_segment segment = {.start = START};
    struct bytes left = {file, sizeof file};
    bool is_cut;

    (void) state;
    recording_write_header(file, &segment);
    file[8] = 2;
    assert_int_equal(recording_pull_segment(&left, &segment, &is_cut), -EPROTONOSUPPORT);
    file[0] = 'X';
    assert_int_equal(recording_pull_segment(&left, &segment, &is_cut), -EBADMSG);
}

static void a_header_that_cannot_be_is_refused(void **state)
{
    static const size_t places[] = {10, 15, 31, 39}; /* header size, size, start, wall */
    struct recording_segment segment = {.start = START};
    bool is_cut;

    (void) state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        uint8_t file[RECORDING_HEADER_SIZE];
        struct bytes left = {file, sizeof file};

        recording_write_header(file, &segment);
        file[places[i]] = places[i] == 10 ? 39 : 0xff;
        assert_int_equal(recording_pull_segment(&left, &segment, &is_cut), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(damaged_records_end_the_segment),
            cmocka_unit_test(kinds_of_later_versions_are_passed_over),
            cmocka_unit_test(an_attempt_may_end_in_ways_of_later_versions),
            cmocka_unit_test(no_attempt_began_before_time_did),
            cmocka_unit_test(a_device_of_earlier_recordings_has_no_need),
            cmocka_unit_test(a_file_is_cut_into_its_segments),
            cmocka_unit_test(an_unknown_version_is_refused_by_its_own_cause),
            cmocka_unit_test(a_header_that_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
