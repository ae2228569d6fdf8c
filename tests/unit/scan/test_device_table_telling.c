/* Changes of payload that come fast are told together. */
#include "ble/advertising_data.h"
#include "table_fixture.h"

#define AFTER (100 * USEC_PER_MSEC)
#define ONE   "05ff9904aa01" /* manufacturer data of company 0x0499 */
#define TWO   "05ff9904aa02"
#define NAMED "04094c6f77"

static int setup(void **state)
{
    struct device_table_settings settings = fixture_settings();
    struct fixture *f = xnew(struct fixture, 1);

    settings.tell_after = AFTER;
    fixture_start(f, &settings);
    fixture_hear(f, 1, -60, ONE);
    f->now += SECONDS(1); /* what follows is not the first packet */
    *state = f;
    return 0;
}

#define TELLING_TEST(function) cmocka_unit_test_setup_teardown(function, setup, fixture_teardown)

static void advance(struct fixture *f, usec_t span)
{
    f->changes_count = 0;
    f->now += span;
    device_table_advance(f->table, f->now);
}

static void the_first_change_is_told_at_once(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 1, -60, TWO);
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
    assert_int_equal(f->changes[0].payload_kinds, 1 << AD_KIND_MANUFACTURER);
}

static void the_first_packet_counts_as_told(void **state)
{
    struct fixture *f = *state;

    assert_true(device_table_forget(f->table, DEVICE));
    fixture_hear(f, 1, -60, ONE);
    assert_true(fixture_kinds(f) & DEVICE_FIRST_SEEN);
    fixture_hear(f, 1, -60, TWO);
    assert_int_equal(f->changes_count, 0);
    advance(f, AFTER);
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
}

static void O10_those_that_follow_soon_are_told_together_after_the_span(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 1, -60, TWO);
    f->now += AFTER / 4;
    fixture_hear(f, 1, -60, ONE);
    assert_int_equal(f->changes_count, 0);
    fixture_hear(f, 2, -90, NAMED);
    assert_int_equal(f->changes_count, 0);
    assert_true(device_table_deadline(f->table) <= f->now + AFTER - AFTER / 4);
    advance(f, AFTER - AFTER / 4 - 1);
    assert_int_equal(f->changes_count, 0);
    advance(f, 1);
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
    assert_int_equal(f->changes[0].source, 2);
    assert_int_equal(f->changes[0].payload_kinds, 1 << AD_KIND_MANUFACTURER | 1 << AD_KIND_NAME);
    advance(f, SECONDS(10));
    assert_int_equal(f->changes_count, 0);
}

static void a_change_that_goes_back_before_it_was_told_is_told_all_the_same(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 1, -60, TWO);
    fixture_hear(f, 1, -60, ONE);
    fixture_hear(f, 1, -60, TWO);
    assert_int_equal(f->changes_count, 0);
    advance(f, AFTER);
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
}

static void a_device_that_changes_all_the_time_is_told_in_each_span(void **state)
{
    struct fixture *f = *state;
    unsigned told = 0;

    for (int i = 0; i < 1000; i++) {
        fixture_hear(f, 1, -60, i % 2 ? ONE : TWO);
        told += f->changes_count > 0;
        advance(f, USEC_PER_MSEC);
        told += f->changes_count > 0;
    }
    assert_in_range(told, 10, 11);
}

static void another_change_brings_what_waits(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 1, -60, TWO);
    fixture_hear(f, 1, -60, ONE);
    device_table_source_online(f->table, 1, false, f->now);
    fixture_hear(f, 2, -30, ONE);
    assert_int_equal(fixture_kinds(f), DEVICE_OWNER | DEVICE_PAYLOAD);
    assert_int_equal(f->changes[0].payload_kinds, 1 << AD_KIND_MANUFACTURER);
    advance(f, AFTER);
    assert_int_equal(f->changes_count, 0);
}

static void what_waits_goes_with_the_device(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 1, -60, TWO);
    fixture_hear(f, 1, -60, ONE);
    assert_true(device_table_forget(f->table, DEVICE));
    assert_int_equal(fixture_kinds(f), DEVICE_FORGOTTEN);
    advance(f, AFTER);
    assert_int_equal(f->changes_count, 0);
}

static void what_waits_names_no_source_that_was_removed(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 1, -60, TWO);
    fixture_hear(f, 1, -60, ONE);
    device_table_source_remove(f->table, 1);
    advance(f, AFTER);
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
    assert_int_equal(f->changes[0].source, SOURCE_NONE);
}

static void availability_keeps_its_time_beside_what_waits(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 1, -60, TWO);
    fixture_hear(f, 1, -60, ONE);
    advance(f, AFTER);
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
    advance(f, SECONDS(900) - AFTER - 1);
    assert_int_equal(f->changes_count, 0);
    advance(f, 1);
    assert_int_equal(fixture_kinds(f), DEVICE_AVAILABILITY);
}

static unsigned kinds_heard;

static void on_hearing(void *user, const struct device_hearing *hearing)
{
    (void) user;
    kinds_heard = hearing->payload_kinds;
}

static void who_hears_every_packet_is_told_what_each_one_changed(void **state)
{
    struct fixture *f = *state;

    device_table_listen(f->table, on_hearing);
    fixture_hear(f, 1, -60, TWO);
    assert_int_equal(kinds_heard, 1 << AD_KIND_MANUFACTURER);
    fixture_hear(f, 1, -60, NAMED);
    assert_int_equal(kinds_heard, 1 << AD_KIND_NAME);
    fixture_hear(f, 1, -60, NAMED);
    assert_int_equal(kinds_heard, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            TELLING_TEST(the_first_change_is_told_at_once),
            TELLING_TEST(the_first_packet_counts_as_told),
            TELLING_TEST(O10_those_that_follow_soon_are_told_together_after_the_span),
            TELLING_TEST(a_change_that_goes_back_before_it_was_told_is_told_all_the_same),
            TELLING_TEST(a_device_that_changes_all_the_time_is_told_in_each_span),
            TELLING_TEST(another_change_brings_what_waits),
            TELLING_TEST(what_waits_goes_with_the_device),
            TELLING_TEST(what_waits_names_no_source_that_was_removed),
            TELLING_TEST(availability_keeps_its_time_beside_what_waits),
            TELLING_TEST(who_hears_every_packet_is_told_what_each_one_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
