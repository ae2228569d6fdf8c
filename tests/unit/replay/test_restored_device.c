/* What was remembered of a device goes into a recording and comes out as it was. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "replay/restored_device.h"

#define ADDRESS UINT64_C(0xa4c138000001)
#define MANY    40 /* more than are kept */

static const uint8_t octets[BLE_REPORT_DATA_MAX] = {9,   0x09, 'k', 'i', 't',
                                                    'c', 'h',  'e', 'n', '1'};

static void fill(struct device_source *sources, struct device_element *elements)
{
    for (size_t i = 0; i < MANY; i++) {
        sources[i] = (struct device_source){.source = (uint16_t) (i * 100),
                                            .rssi = (int8_t) (-40 - (int) i),
                                            .rssi_smoothed = i == 1 ? (double) NAN : -40.1 / 3,
                                            .last_seen = USEC_NEVER - i,
                                            .advertisements = UINT64_MAX - i,
                                            .is_owner = i == 2};
        elements[i] = (struct device_element){.type = (uint8_t) i,
                                              .source = i == 3 ? SOURCE_NONE : (uint16_t) i,
                                              .last_seen = i,
                                              .octets = {octets, i}};
    }
}

static struct recording_restored write_all(uint8_t ret_octets[RECORDING_RESTORED_MAX])
{
    struct device_source sources[MANY];
    struct device_element elements[MANY];
    const struct device_restored d = {.first_seen = 5,
                                      .last_seen = USEC_NEVER,
                                      .advertisements = 1,
                                      .interval = 2500000,
                                      .latest = {.source = SOURCE_NONE,
                                                 .rssi = -127,
                                                 .is_parsed = true,
                                                 .ad_data = octets,
                                                 .size = 10},
                                      .sources = sources,
                                      .sources_count = MANY,
                                      .elements = elements,
                                      .elements_count = MANY};

    fill(sources, elements);
    return (struct recording_restored){
            ADDRESS, 1, {ret_octets, restored_device_write(ret_octets, &d)}};
}

static void what_was_written_is_read_and_what_is_too_much_is_left_out(void **state)
{
    uint8_t written[RECORDING_RESTORED_MAX];
    const struct recording_restored restored = write_all(written);
    struct restored_device got;
    const struct device_restored *d = &got.device;

    (void) state;
    assert_true(restored_device_read(&restored, &got));
    assert_true(d->address == ADDRESS && d->address_type == 1 && d->first_seen == 5);
    assert_true(d->last_seen == USEC_NEVER && d->advertisements == 1 && d->interval == 2500000);
    assert_true(d->latest.source == SOURCE_NONE && d->latest.rssi == -127 && d->latest.is_parsed);
    assert_int_equal(d->latest.size, 10);
    assert_memory_equal(d->latest.ad_data, octets, 10);
    assert_int_equal(d->sources_count, RESTORED_SOURCES_MAX);
    assert_true(d->sources[31].source == 3100 && d->sources[31].rssi == -71);
    assert_true(d->sources[31].rssi_smoothed == -40.1 / 3 && isnan(d->sources[1].rssi_smoothed));
    assert_true(d->sources[31].last_seen == USEC_NEVER - 31);
    assert_true(d->sources[31].advertisements == UINT64_MAX - 31);
    assert_true(d->sources[2].is_owner && !d->sources[3].is_owner);
    assert_int_equal(d->elements_count, RESTORED_ELEMENTS_MAX);
    assert_true(d->elements[3].source == SOURCE_NONE && d->elements[31].source == 31);
    assert_true(d->elements[31].type == 31 && d->elements[31].octets.size == 31);
    assert_memory_equal(d->elements[31].octets.data, octets, 31);
}

static void octets_that_end_early_are_refused(void **state)
{
    uint8_t written[RECORDING_RESTORED_MAX];
    struct recording_restored restored = write_all(written);
    struct restored_device got;

    (void) state;
    while (restored.facts.size-- > 0)
        assert_false(restored_device_read(&restored, &got));
}

static void what_is_out_of_bounds_is_refused(void **state)
{
    static const struct {
        const char *what;
        uint8_t octets[16];
        size_t size;
    } rows[] = {{"a flag of 2", {0, 0, 0, 0, 2, 0, 0, 0, 0, 0}, 10},
                {"a source of 4096", {0, 0, 0, 0, 0, 0x81, 0x20, 0, 0, 0, 0}, 11},
                {"33 sources", {0, 0, 0, 0, 0, 0, 0, 0, 33, 0}, 10},
                {"33 elements", {0, 0, 0, 0, 0, 0, 0, 0, 0, 33}, 10}};
    struct restored_device got;

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct recording_restored restored = {ADDRESS, 0, {rows[i].octets, rows[i].size}};

        print_message("%s\n", rows[i].what);
        assert_false(restored_device_read(&restored, &got));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_was_written_is_read_and_what_is_too_much_is_left_out),
            cmocka_unit_test(octets_that_end_early_are_refused),
            cmocka_unit_test(what_is_out_of_bounds_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
