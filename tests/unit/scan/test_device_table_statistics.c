/* What the table counts, of all sources and of each. */
#include "table_fixture.h"

#define PAYLOAD_A "02010603ff0102"
#define PAYLOAD_B "02010603ff0103"

static struct device_source_statistics source_statistics(const struct fixture *f, uint16_t source)
{
    struct device_source_statistics s;

    device_table_get_source_statistics(f->table, source, &s);
    return s;
}

static void D03_repeated_payload_is_a_report_but_not_a_parse(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, PAYLOAD_A);
    fixture_hear(f, 0, -61, PAYLOAD_A);
    fixture_hear(f, 1, -62, PAYLOAD_A);
    fixture_hear(f, 1, -62, PAYLOAD_B);
    assert_int_equal(fixture_statistics(f).reports, 4);
    assert_int_equal(fixture_statistics(f).parses, 2);
    assert_int_equal(source_statistics(f, 0).reports, 2);
    assert_int_equal(source_statistics(f, 0).parses, 1);
    assert_int_equal(source_statistics(f, 1).reports, 2);
    assert_int_equal(source_statistics(f, 1).parses, 1);
    assert_int_equal(source_statistics(f, 2).reports, 0);
}

static void D03_owner_changes_are_counted_by_why_for_both_sides(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -80, PAYLOAD_A);
    fixture_hear_well(f, 1, -50, PAYLOAD_A);
    device_table_source_online(f->table, 1, false, f->now);
    fixture_hear(f, 2, -90, PAYLOAD_A);
    assert_int_equal(fixture_statistics(f).owner_changes[OWNER_FIRST], 1);
    assert_int_equal(fixture_statistics(f).owner_changes[OWNER_STRONGER], 1);
    assert_int_equal(fixture_statistics(f).owner_changes[OWNER_PROXY_OFFLINE], 1);
    assert_int_equal(fixture_statistics(f).owner_changes[OWNER_GONE], 0);
    assert_int_equal(source_statistics(f, 0).devices_gained[OWNER_FIRST], 1);
    assert_int_equal(source_statistics(f, 0).devices_lost, 1);
    assert_int_equal(source_statistics(f, 1).devices_gained[OWNER_STRONGER], 1);
    assert_int_equal(source_statistics(f, 1).devices_lost, 1);
    assert_int_equal(source_statistics(f, 2).devices_gained[OWNER_PROXY_OFFLINE], 1);
    assert_int_equal(source_statistics(f, 2).devices_lost, 0);
}

static void devices_forgotten_by_wish_and_by_time_are_counted(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, PAYLOAD_A);
    assert_true(device_table_forget(f->table, DEVICE));
    assert_false(device_table_forget(f->table, DEVICE));
    assert_int_equal(fixture_statistics(f).forgotten, 1);
    fixture_hear(f, 0, -60, PAYLOAD_A);
    device_table_advance(f->table, f->now + SECONDS(2 * 86400));
    assert_int_equal(fixture_statistics(f).forgotten, 2);
    assert_int_equal(fixture_statistics(f).evicted, 0);
}

static void refused_report_counts_against_its_source(void **state)
{
    struct device_table_settings settings = fixture_settings();
    struct fixture f;

    (void) state;
    settings.devices_max = 1;
    fixture_start(&f, &settings);
    device_table_pin(f.table, DEVICE, true, 0);
    fixture_hear(&f, 3, -60, PAYLOAD_A);
    fixture_hear_octets(&f, 4, DEVICE + 1, -60, NULL, 0);
    assert_int_equal(source_statistics(&f, 3).reports, 1);
    assert_int_equal(source_statistics(&f, 4).reports, 0);
    assert_int_equal(source_statistics(&f, 4).refused, 1);
    assert_int_equal(fixture_statistics(&f).refused, 1);
    device_table_free(f.table);
}

static void removed_source_counts_from_zero_and_the_totals_stay(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 0, -60, PAYLOAD_A);
    device_table_source_remove(f->table, 0);
    assert_int_equal(source_statistics(f, 0).reports, 0);
    assert_int_equal(source_statistics(f, 0).devices_gained[OWNER_FIRST], 0);
    assert_int_equal(fixture_statistics(f).reports, 1);
    assert_int_equal(fixture_statistics(f).owner_changes[OWNER_FIRST], 1);
}

static void source_that_was_never_named_has_zeros(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(source_statistics(f, DEVICE_TABLE_SOURCES_MAX - 1).reports, 0);
}

static void available_ones_are_counted(void **state)
{
    struct fixture *f = *state;

    fixture_hear_octets(f, 0, DEVICE, -60, NULL, 0);
    fixture_hear_octets(f, 0, DEVICE + 1, -60, NULL, 0);
    assert_int_equal(device_table_count_available(f->table), 2);
    f->now += SECONDS(600);
    fixture_hear_octets(f, 0, DEVICE + 1, -60, NULL, 0);
    f->now += SECONDS(600);
    device_table_advance(f->table, f->now);
    assert_int_equal(device_table_count(f->table), 2);
    assert_int_equal(device_table_count_available(f->table), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            FIXTURE_TEST(D03_repeated_payload_is_a_report_but_not_a_parse),
            FIXTURE_TEST(D03_owner_changes_are_counted_by_why_for_both_sides),
            FIXTURE_TEST(devices_forgotten_by_wish_and_by_time_are_counted),
            cmocka_unit_test(refused_report_counts_against_its_source),
            FIXTURE_TEST(removed_source_counts_from_zero_and_the_totals_stay),
            FIXTURE_TEST(source_that_was_never_named_has_zeros),
            FIXTURE_TEST(available_ones_are_counted),
    };

    return cmocka_run_group_tests_name("scan.device_table_statistics", tests, NULL, NULL);
}
