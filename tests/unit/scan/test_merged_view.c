/* The merged view by itself: what it forgets in time, what it forgets on demand, and whom it takes
 * for noise. How packets are merged is tested through the table. */
#include "scan/merged_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "ble/advertising_data.h"

#define SECONDS(n) ((usec_t) (n) *USEC_PER_SEC)
#define HOURS(n)   SECONDS(3600 * (usec_t) (n))
#define START      SECONDS(1000)
#define KIND(kind) (1u << (kind))

#define FLAGS   "020106"
#define NAMED   "0709536e736f7231"
#define SENSOR  "0516d2fc4001"
#define UUIDS   "03030f18"
#define POWER   "020af4"
#define BEACON  "06ff4c00020102"
#define COMPANY "05ffe0000102"

static const struct merged_ages ages = {.values = HOURS(1), .rest = HOURS(25)};

struct listener {
    struct merged_view view;
    struct slab *memory;
    struct merged_counts counts;
    usec_t now, heard_before;
    uint8_t hint;
};

static int setup(void **state)
{
    struct listener *l = xnew(struct listener, 1);

    l->memory = slab_new();
    l->now = START;
    *state = l;
    return 0;
}

static int teardown(void **state)
{
    struct listener *l = *state;

    merged_view_done(&l->view, l->memory);
    slab_free(l->memory);
    free(l);
    return 0;
}

/* The kinds that a packet changed. */
static unsigned hear(struct listener *l, const char *hex)
{
    uint8_t data[BLE_REPORT_DATA_MAX];
    size_t size;
    unsigned kinds;

    assert_true(bytes_from_hex(data, sizeof data, hex, strlen(hex), &size));
    kinds = merged_view_take(&l->view, l->memory,
                             &(struct merged_packet){data, (uint8_t) size, 3, l->now}, &l->hint,
                             &l->counts, &l->heard_before);
    return kinds | merged_view_expire(&l->view, &ages, l->now);
}

static size_t count_elements(const struct listener *l)
{
    struct device_element e;
    size_t count = 0;

    while (merged_view_get(&l->view, count, &e))
        count++;
    return count;
}

static bool has(const struct listener *l, uint8_t type)
{
    struct device_element e;

    for (size_t i = 0; merged_view_get(&l->view, i, &e); i++) {
        if (e.type == type)
            return true;
    }
    return false;
}

/* ---- ages ---- */

static void A11_value_that_no_packet_contains_goes_after_its_age(void **state)
{
    struct listener *l = *state;

    (void) hear(l, SENSOR);
    l->now += HOURS(1) - 1;
    assert_int_equal(hear(l, FLAGS), KIND(AD_KIND_FLAGS));
    assert_true(has(l, 0x16));
    l->now += 1;
    assert_int_equal(hear(l, FLAGS), KIND(AD_KIND_SERVICE_DATA));
    assert_false(has(l, 0x16));
    assert_int_equal(hear(l, FLAGS), 0);
    assert_int_equal(l->counts.elements_dropped, 0);
}

static void A11_value_that_is_heard_stays_however_long(void **state)
{
    struct listener *l = *state;

    (void) hear(l, SENSOR COMPANY);
    (void) hear(l, FLAGS);
    for (int i = 0; i < 300; i++) {
        l->now += SECONDS(3000);
        assert_int_equal(hear(l, SENSOR COMPANY), i == 1 ? KIND(AD_KIND_FLAGS) : 0);
    }
    assert_int_equal(count_elements(l), 2);
}

static void A11_each_value_goes_at_its_own_time(void **state)
{
    struct listener *l = *state;

    (void) hear(l, SENSOR);
    l->now += SECONDS(600);
    (void) hear(l, COMPANY);
    l->now = START + HOURS(1);
    assert_int_equal(hear(l, FLAGS), KIND(AD_KIND_SERVICE_DATA) | KIND(AD_KIND_FLAGS));
    assert_true(has(l, 0xff));
    l->now += SECONDS(600);
    assert_int_equal(hear(l, FLAGS), KIND(AD_KIND_MANUFACTURER));
}

static void A11_what_only_scan_responses_say_outlives_two_sweeps(void **state)
{
    struct listener *l = *state;

    (void) hear(l, UUIDS POWER "0319c103");
    while (l->now < START + HOURS(24)) {
        l->now += SECONDS(1800);
        (void) hear(l, FLAGS);
    }
    assert_int_equal(count_elements(l), 4);
    l->now = START + HOURS(25);
    assert_int_equal(hear(l, FLAGS),
                     KIND(AD_KIND_UUID) | KIND(AD_KIND_TX_POWER) | KIND(AD_KIND_APPEARANCE));
    assert_int_equal(count_elements(l), 1);
}

static void A11_name_stays_for_ever(void **state)
{
    struct listener *l = *state;

    (void) hear(l, NAMED);
    l->now += HOURS(24 * 365);
    assert_int_equal(hear(l, FLAGS), KIND(AD_KIND_FLAGS));
    assert_string_equal(l->view.name, "Snsor1");
}

static void A11_value_that_came_later_goes_at_its_time_too(void **state)
{
    struct listener *l = *state;

    (void) hear(l, NAMED); /* nothing is ever due */
    (void) hear(l, NAMED SENSOR);
    l->now += HOURS(1);
    assert_int_equal(hear(l, NAMED), KIND(AD_KIND_SERVICE_DATA));
}

static void value_that_went_is_new_when_its_packet_comes_back(void **state)
{
    struct listener *l = *state;

    (void) hear(l, SENSOR);
    l->now += HOURS(2);
    assert_int_equal(hear(l, UUIDS), KIND(AD_KIND_SERVICE_DATA) | KIND(AD_KIND_UUID));
    assert_int_equal(hear(l, SENSOR), KIND(AD_KIND_SERVICE_DATA));
    assert_true(has(l, 0x16));
}

static void restored_elements_grow_old_as_well(void **state)
{
    struct listener *l = *state;
    const struct device_element old = {
            .type = 0xff,
            .source = 1,
            .last_seen = START,
            .octets = {(const uint8_t *) "\x4c\x00\x07", 3},
    };

    assert_true(merged_view_restore_element(&l->view, l->memory, &old));
    assert_true(merged_view_is_apple_noise(&l->view));
    l->now = START + HOURS(1);
    assert_int_equal(hear(l, FLAGS), KIND(AD_KIND_FLAGS) | KIND(AD_KIND_MANUFACTURER));
    assert_false(merged_view_is_apple_noise(&l->view));
}

/* ---- clearing ---- */

static void E07_next_packet_after_clearing_is_new_though_it_is_the_same(void **state)
{
    struct listener *l = *state;

    (void) hear(l, FLAGS NAMED SENSOR);
    (void) hear(l, POWER);
    merged_view_clear(&l->view, l->memory);
    l->now += SECONDS(1);
    assert_int_equal(hear(l, FLAGS NAMED SENSOR),
                     KIND(AD_KIND_FLAGS) | KIND(AD_KIND_NAME) | KIND(AD_KIND_SERVICE_DATA));
    assert_true(l->heard_before == 0);
    assert_int_equal(hear(l, FLAGS NAMED SENSOR), 0);
}

static void E07_packet_that_says_the_name_alone_is_new_after_clearing(void **state)
{
    struct listener *l = *state;

    (void) hear(l, NAMED);
    merged_view_clear(&l->view, l->memory);
    assert_int_equal(hear(l, NAMED), KIND(AD_KIND_NAME));
    assert_int_equal(hear(l, NAMED), 0);
}

static void E07_clearing_keeps_the_name_and_the_transmit_power(void **state)
{
    struct listener *l = *state;

    (void) hear(l, FLAGS NAMED SENSOR POWER);
    (void) hear(l, UUIDS POWER);
    merged_view_clear(&l->view, l->memory);
    assert_string_equal(l->view.name, "Snsor1");
    assert_int_equal(count_elements(l), 1);
    assert_true(has(l, 0x09));
    assert_int_equal(merged_view_latest(&l->view)->size, 0);
    assert_true(merged_view_latest(&l->view)->has_tx_power);
    assert_int_equal(merged_view_latest(&l->view)->tx_power, -12);
    assert_int_equal(hear(l, COMPANY), KIND(AD_KIND_MANUFACTURER));
    assert_int_equal(count_elements(l), 2);
}

static void empty_packet_does_not_end_a_clearing(void **state)
{
    struct listener *l = *state;

    (void) hear(l, NAMED);
    merged_view_clear(&l->view, l->memory);
    assert_int_equal(hear(l, ""), 0);
    assert_true(l->heard_before == 0);
    assert_int_equal(hear(l, NAMED), KIND(AD_KIND_NAME));
}

static void clearing_again_and_again_takes_no_more_memory(void **state)
{
    struct listener *l = *state;
    size_t bytes = 0;

    for (int i = 0; i < 1000; i++) {
        (void) hear(l, FLAGS NAMED SENSOR);
        (void) hear(l, COMPANY);
        merged_view_clear(&l->view, l->memory);
        if (i == 0)
            bytes = slab_bytes(l->memory);
    }
    assert_int_equal(slab_bytes(l->memory), bytes);
}

/* ---- Apple ---- */

static void A13_only_apple_data_that_others_do_not_read_is_noise(void **state)
{
    static const uint8_t told[] = {0x02, 0x06, 0x10, 0x11, 0x12};

    (void) state;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t data[] = {5, 0xff, 0x4c, 0x00, (uint8_t) type, 0};
        struct listener *l;

        (void) setup((void **) &l);
        (void) merged_view_take(&l->view, l->memory,
                                &(struct merged_packet){data, sizeof data, 3, l->now}, &l->hint,
                                &l->counts, &l->heard_before);
        assert_int_equal(merged_view_is_apple_noise(&l->view),
                         !memchr(told, (int) type, sizeof told));
        (void) teardown((void **) &l);
    }
}

static void A13_empty_apple_data_and_none_are_no_noise(void **state)
{
    struct listener *l = *state;

    (void) hear(l, FLAGS);
    assert_false(merged_view_is_apple_noise(&l->view));
    (void) hear(l, "03ff4c00");
    assert_false(merged_view_is_apple_noise(&l->view));
    (void) hear(l, "04ff4c0007");
    assert_true(merged_view_is_apple_noise(&l->view));
}

static void A13_another_company_with_the_same_octets_is_no_noise(void **state)
{
    struct listener *l = *state;

    (void) hear(l, "04ff4c0107");
    assert_false(merged_view_is_apple_noise(&l->view));
}

static void A13_name_and_uuids_do_not_save_it(void **state)
{
    struct listener *l = *state;

    (void) hear(l, "04ff4c0007" UUIDS NAMED);
    assert_true(merged_view_is_apple_noise(&l->view));
}

static void A13_service_data_or_another_company_makes_it_no_noise(void **state)
{
    struct listener *l = *state;

    (void) hear(l, "04ff4c0007");
    (void) hear(l, SENSOR);
    assert_false(merged_view_is_apple_noise(&l->view));
    l->now += HOURS(1);
    (void) hear(l, "04ff4c0007"); /* the service data has gone */
    assert_true(merged_view_is_apple_noise(&l->view));
    (void) hear(l, COMPANY);
    assert_false(merged_view_is_apple_noise(&l->view));
}

static void A13_value_decides_each_time_it_changes(void **state)
{
    struct listener *l = *state;

    (void) hear(l, "04ff4c0007");
    assert_true(merged_view_is_apple_noise(&l->view));
    (void) hear(l, BEACON);
    assert_false(merged_view_is_apple_noise(&l->view));
    (void) hear(l, "04ff4c0007");
    assert_true(merged_view_is_apple_noise(&l->view));
    merged_view_clear(&l->view, l->memory);
    assert_false(merged_view_is_apple_noise(&l->view));
}

#define IN_VIEW(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            IN_VIEW(A11_value_that_no_packet_contains_goes_after_its_age),
            IN_VIEW(A11_value_that_is_heard_stays_however_long),
            IN_VIEW(A11_each_value_goes_at_its_own_time),
            IN_VIEW(A11_what_only_scan_responses_say_outlives_two_sweeps),
            IN_VIEW(A11_name_stays_for_ever),
            IN_VIEW(A11_value_that_came_later_goes_at_its_time_too),
            IN_VIEW(value_that_went_is_new_when_its_packet_comes_back),
            IN_VIEW(restored_elements_grow_old_as_well),
            IN_VIEW(E07_next_packet_after_clearing_is_new_though_it_is_the_same),
            IN_VIEW(E07_packet_that_says_the_name_alone_is_new_after_clearing),
            IN_VIEW(E07_clearing_keeps_the_name_and_the_transmit_power),
            IN_VIEW(empty_packet_does_not_end_a_clearing),
            IN_VIEW(clearing_again_and_again_takes_no_more_memory),
            IN_VIEW(A13_only_apple_data_that_others_do_not_read_is_noise),
            IN_VIEW(A13_empty_apple_data_and_none_are_no_noise),
            IN_VIEW(A13_another_company_with_the_same_octets_is_no_noise),
            IN_VIEW(A13_name_and_uuids_do_not_save_it),
            IN_VIEW(A13_service_data_or_another_company_makes_it_no_noise),
            IN_VIEW(A13_value_decides_each_time_it_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
