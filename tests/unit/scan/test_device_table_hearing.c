/* What is told of every packet to who listens to them all. */
#include <math.h>

#include "ble/advertising_data.h"
#include "table_fixture.h"

#define NAMED                                                                                      \
    "020106"                                                                                       \
    "0709536e736f7231"

/* The last packet that was told, and how many were. */
static struct device_hearing heard; /* its pointers lead nowhere afterwards */
static struct ble_report heard_report;
static uint64_t heard_address;
static uint64_t heard_advertisements;
static size_t heard_count;

static void on_hearing(void *user, const struct device_hearing *hearing)
{
    struct fixture *f = user;
    struct device_facts facts;

    device_get_facts(f->table, hearing->device, &facts);
    heard = *hearing;
    heard_report = *hearing->report;
    heard_address = facts.address;
    heard_advertisements = facts.advertisements;
    heard_count++;
}

static int listen(void **state)
{
    struct fixture *f;

    (void) fixture_setup(state);
    f = *state;
    device_table_listen(f->table, on_hearing);
    heard_count = 0;
    return 0;
}

#define HEARING_TEST(function) cmocka_unit_test_setup_teardown(function, listen, fixture_teardown)

static void every_packet_is_told_with_its_device_as_it_is_afterwards(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 3, -60, NAMED);
    fixture_hear(f, 3, -61, NAMED);
    assert_int_equal(heard_count, 2);
    assert_true(heard_address == DEVICE);
    assert_int_equal(heard_advertisements, 2);
    assert_int_equal(heard.source, 3);
    assert_int_equal(heard_report.rssi, -61);
    assert_int_equal(heard_report.size, 11);
}

static void a_packet_tells_what_it_changed_in_the_payload(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 3, -60, NAMED);
    assert_int_equal(heard.payload_kinds, 1u << AD_KIND_FLAGS | 1u << AD_KIND_NAME);
    fixture_hear(f, 3, -60, NAMED);
    assert_int_equal(heard.payload_kinds, 0);
    fixture_hear(f, 3, -60, "020104");
    assert_int_equal(heard.payload_kinds, 1u << AD_KIND_FLAGS);
}

static void a_packet_tells_whether_its_source_owns_the_device_now(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 3, -60, NAMED);
    assert_true(heard.is_owner);
    fixture_hear(f, 4, -61, NAMED);
    assert_false(heard.is_owner);
    device_table_source_online(f->table, 3, false, f->now);
    fixture_hear(f, 5, -20, NAMED);
    assert_true(heard.is_owner);
    device_table_source_online(f->table, 3, true, f->now);
    fixture_hear(f, 3, -60, NAMED);
    assert_false(heard.is_owner);
}

static void a_packet_tells_since_when_the_device_was_silent(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 3, -60, NAMED);
    assert_int_equal(heard.silent_since, 0);
    f->now += SECONDS(7);
    fixture_hear(f, 4, -60, "020104");
    assert_int_equal(heard.silent_since, START);
    f->now += SECONDS(2);
    fixture_hear(f, 3, -60, NAMED);
    assert_int_equal(heard.silent_since, START + SECONDS(7));
}

static void a_packet_tells_when_the_same_octets_came_before(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 3, -60, NAMED);
    assert_int_equal(heard.heard_before, 0);
    f->now += SECONDS(7);
    fixture_hear(f, 4, -60, "020104");
    assert_int_equal(heard.heard_before, 0);
    f->now += SECONDS(2);
    fixture_hear(f, 4, -60, NAMED);
    assert_int_equal(heard.heard_before, START);
}

static void packets_of_one_batch_are_told_one_by_one_and_after_the_change(void **state)
{
    struct fixture *f = *state;
    const struct ble_report reports[2] = {{.address = DEVICE, .rssi = -60},
                                          {.address = DEVICE + 1, .rssi = -50}};

    device_table_observe(f->table, 3, reports, 2, f->now);
    assert_int_equal(heard_count, 2);
    assert_true(heard_address == DEVICE + 1);
    assert_int_equal(f->changes_count, 2);
}

static void who_stopped_listening_is_told_nothing(void **state)
{
    struct fixture *f = *state;

    device_table_listen(f->table, NULL);
    fixture_hear(f, 3, -60, NAMED);
    fixture_hear(f, 3, -60, NAMED);
    assert_int_equal(heard_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            HEARING_TEST(every_packet_is_told_with_its_device_as_it_is_afterwards),
            HEARING_TEST(a_packet_tells_what_it_changed_in_the_payload),
            HEARING_TEST(a_packet_tells_whether_its_source_owns_the_device_now),
            HEARING_TEST(a_packet_tells_since_when_the_device_was_silent),
            HEARING_TEST(a_packet_tells_when_the_same_octets_came_before),
            HEARING_TEST(packets_of_one_batch_are_told_one_by_one_and_after_the_change),
            HEARING_TEST(who_stopped_listening_is_told_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
