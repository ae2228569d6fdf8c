/* What happens when devices answer, and when things change at the wrong moment. */
#include "windows_fixture.h"

/* ---- answers ---- */

static void a_window_ends_when_all_devices_answered(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_own(f, 1, 0);
    fixture_need(f, 0, 300, 10);
    fixture_need(f, 1, 300, 10);
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    fixture_hear(f, 0, 1, PASSIVE_SIZE);
    fixture_run(f, SECONDS(3)); /* confirmed after 0.1 s */
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    fixture_hear(f, 0, 0, ACTIVE_SIZE);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_RUNNING);
    fixture_hear(f, 0, 1, ACTIVE_SIZE);
    fixture_run(f, 0);

    assert_int_equal(fixture_last(f)->action, SCAN_ACTION_CLOSED);
    assert_int_equal(fixture_last(f)->window.answered, 2);
    assert_int_equal(fixture_last(f)->window.ended, f->now);
    assert_true(fixture_last(f)->window.ends > f->now);
    assert_int_equal(fixture_get_need(f, 0).answered, 1);
    assert_int_equal(fixture_get_need(f, 0).missed, 0);
    assert_int_equal(f->covered_count, 2);
}

static void who_does_not_answer_holds_the_window_for_its_own_duration_only(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_own(f, 1, 0);
    fixture_need(f, 0, 300, 20);
    fixture_need(f, 1, 300, 5);
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    fixture_run(f, SECONDS(2));
    fixture_hear(f, 0, 0, ACTIVE_SIZE);
    fixture_run(f, SECONDS(5));
    assert_int_equal(fixture_last(f)->action, SCAN_ACTION_CLOSED);
    assert_int_equal(fixture_last(f)->window.ended - fixture_last(f)->window.started, SECONDS(5));
    assert_int_equal(fixture_last(f)->window.answered, 1);
}

static void a_window_never_ends_before_a_second(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    fixture_run(f, MSEC(200));
    fixture_hear(f, 0, 0, ACTIVE_SIZE);
    fixture_run(f, MSEC(899));
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_RUNNING);
    fixture_run(f, MSEC(2));
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_WAITING);
}

static void an_answer_to_another_source_does_not_count(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_source(f, 1, SCAN_ACTIVE);
    fixture_run(f, SECONDS(5));
    fixture_need(f, 0, 300, 10);
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    fixture_run(f, SECONDS(2));
    fixture_hear(f, 1, 0, ACTIVE_SIZE);
    fixture_run(f, SECONDS(3));
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_RUNNING);
}

static void what_an_active_source_brings_says_nothing_about_passive_packets(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    fixture_run(f, SECONDS(2));
    fixture_hear(f, 0, 0, ACTIVE_SIZE); /* in the first window, which ends */
    fixture_run(f, MSEC(50));
    fixture_hear(f, 0, 0, ACTIVE_SIZE); /* was still on its way */
    fixture_run(f, MSEC(200));
    fixture_hear(f, 0, 0, ACTIVE_SIZE); /* even after the state said passive */
    fixture_run(f, SECONDS(298));
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_RUNNING);
    fixture_run(f, SECONDS(2));
    fixture_hear(f, 0, 0, ACTIVE_SIZE);
    assert_int_equal(fixture_get_need(f, 0).answered, 1);
    fixture_run(f, 0);
    assert_int_equal(fixture_get_need(f, 0).answered, 2);
}

static void a_device_of_unknown_length_answers_by_being_heard_but_ends_nothing(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(2));
    fixture_hear(f, 0, 0, ACTIVE_SIZE);
    fixture_run(f, SECONDS(5));
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_RUNNING);
    fixture_run(f, SECONDS(5));
    assert_int_equal(fixture_get_need(f, 0).answered, 1);
    assert_int_equal(fixture_last(f)->window.answered, 1);
}

static void a_device_that_never_answers_makes_no_window_longer_for_others(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_own(f, 1, 0);
    fixture_need(f, 0, 60, 30);
    for (unsigned i = 0; i < WINDOWS_SILENT_AFTER; i++)
        fixture_run(f, SECONDS(60));
    assert_int_equal(fixture_get_need(f, 0).missed, WINDOWS_SILENT_AFTER);
    assert_int_equal(fixture_last(f)->window.duration, SECONDS(30)); /* alone it has its time */

    fixture_run(f, SECONDS(50)); /* its next window is over, the one after it due within 40 s */
    fixture_need(f, 1, 3600, 10);
    fixture_run(f, SECONDS(20));
    assert_int_equal(fixture_last(f)->window.addresses_count, 2);
    assert_int_equal(fixture_last(f)->window.duration, SECONDS(10));
    assert_int_equal(fixture_last(f)->action, SCAN_ACTION_CLOSED);
    assert_int_equal(fixture_last(f)->window.ended, fixture_last(f)->window.ends);
}

/* ---- changes in the middle of a window ---- */

static void a_new_owner_does_not_fire_the_need_twice(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_settle(f, 0, 1);
    f->owner[0] = 0;
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(5));
    f->owner[0] = 1;
    fixture_hear(f, 1, 0, PASSIVE_SIZE);
    fixture_run(f, SECONDS(290));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
    fixture_run(f, SECONDS(10));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 2);
    assert_int_equal(fixture_last(f)->window.source, 1);
}

static void a_source_lost_in_a_window_makes_the_need_due_elsewhere_at_once(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_settle(f, 0, 1);
    f->owner[0] = 0;
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(5));
    fixture_offline(f, 0);
    assert_int_equal(fixture_last(f)->window.state, SCAN_WINDOW_FAILED);
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_DUE);
    fixture_run(f, MSEC(200));
    assert_int_equal(fixture_last(f)->action, SCAN_ACTION_OPENED);
    assert_int_equal(fixture_last(f)->window.source, 1);
}

static void who_had_answered_before_the_source_was_lost_is_served(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_own(f, 1, 0);
    f->rssi[0][1] = f->rssi[1][1] = -70;
    fixture_source(f, 1, SCAN_AUTO);
    fixture_need(f, 0, 300, 10);
    fixture_need(f, 1, 300, 10);
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    fixture_run(f, SECONDS(2));
    fixture_hear(f, 0, 0, ACTIVE_SIZE);
    fixture_offline(f, 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_WAITING);
    assert_int_equal(fixture_get_need(f, 0).answered, 1);
    assert_int_equal(fixture_get_need(f, 1).state, SCAN_NEED_RUNNING);
    assert_int_equal(fixture_get_need(f, 1).source, 1);
}

static void passive_in_the_middle_of_a_window_breaks_it_off(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(5));
    windows_source_want(f->windows, 0, SCAN_PASSIVE, f->now);
    assert_int_equal(fixture_last(f)->action, SCAN_ACTION_CLOSED);
    assert_int_equal(fixture_last(f)->window.state, SCAN_WINDOW_FAILED);
    assert_string_equal(fixture_last(f)->detail, "the proxy was set to passive scanning");
    assert_int_equal(f->firmware[0].commanded_active_at, 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_NO_CAPABLE_PROXY);
}

static void active_in_the_middle_of_a_window_stays_active_afterwards(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    (void) fixture_request(f, 0, 0, 10);
    fixture_run(f, SECONDS(5));
    windows_source_want(f->windows, 0, SCAN_ACTIVE, f->now);
    fixture_run(f, SECONDS(20));
    assert_int_equal(fixture_last(f)->window.state, SCAN_WINDOW_DONE);
    assert_true(f->firmware[0].is_active);
    assert_int_equal(f->firmware[0].commands, 2);
}

static void a_proxy_that_leaves_active_mode_fails_the_window(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(5));
    f->firmware[0].is_active = false; /* somebody else commanded it */
    fixture_say_state(f, 0);
    assert_int_equal(fixture_last(f)->window.state, SCAN_WINDOW_FAILED);
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_DEFERRED);
    assert_int_equal(fixture_get_need(f, 0).next_due, f->now + SECONDS(30));
    assert_int_equal(f->firmware[0].commanded_active_at, 0);
}

static void a_removed_source_takes_its_windows_along(void **state)
{
    struct fixture *f = *state;
    struct scan_window window;

    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(5));
    windows_source_remove(f->windows, 0, f->now);
    assert_int_equal(fixture_last(f)->window.state, SCAN_WINDOW_FAILED);
    assert_int_equal(f->firmware[0].commanded_active_at, 0);
    assert_false(windows_before(f->windows, UINT64_MAX, &window));
    f->owner[0] = WINDOWS_NO_SOURCE;
    f->rssi[0][0] = 0;
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_get_need(f, 0).source, WINDOWS_NO_SOURCE);
    windows_source_heard(f->windows, 0, f->now); /* unknown by now, ignored */
    windows_heard(f->windows, 0, DEVICE(0), ACTIVE_SIZE, f->now);
}

static void a_need_that_ends_while_its_window_runs_leaves_it_running(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(5));
    assert_true(windows_need_end(f->windows, DEVICE(0), f->now));
    fixture_need(f, 0, 300, 10); /* and is back: joins, with a later end */
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_RUNNING);
    assert_int_equal(fixture_count(f, SCAN_ACTION_EXTENDED), 1);
    fixture_run(f, SECONDS(20));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
    assert_int_equal(fixture_last(f)->window.state, SCAN_WINDOW_DONE);
}

static void a_forgotten_device_keeps_its_need(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(20));
    f->owner[0] = WINDOWS_NO_SOURCE;
    f->rssi[0][0] = 0;
    fixture_run(f, SECONDS(86400));
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_NO_CAPABLE_PROXY);
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
    fixture_own(f, 0, 0);
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 2);
}

/* ---- together ---- */

static void discovery_joins_a_window_that_runs_for_a_need(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    fixture_run(f, SECONDS(3));
    assert_int_equal(windows_discover(f->windows, SECONDS(15), f->now, &id, 1), 1);
    assert_int_equal(id, fixture_get_need(f, 0).last_window);
    assert_int_equal(fixture_last(f)->action, SCAN_ACTION_EXTENDED);
    fixture_hear(f, 0, 0, ACTIVE_SIZE); /* ends the need's part only */
    fixture_run(f, SECONDS(15) - 1);
    assert_int_equal(windows_open_on(f->windows, 0), id);
    fixture_run(f, 1);
    assert_int_equal(windows_open_on(f->windows, 0), 0);
    assert_int_equal(fixture_get_need(f, 0).answered, 1);
}

static void a_need_joins_a_request_and_is_extended_up_to_35_s_only(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    usec_t declared;

    fixture_settle(f, 0, 0);
    fixture_own(f, 1, 0);
    id = fixture_request(f, 0, 0, 30);
    fixture_run(f, SECONDS(20));
    declared = f->now;
    fixture_need(f, 0, 300, 15); /* 35 s after the start */
    fixture_need(f, 1, 300, 30); /* 50 s: waits */
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_get_window(f, id).ends, declared + SECONDS(15));
    assert_int_equal(fixture_get_need(f, 0).last_window, id);
    assert_int_equal(fixture_get_need(f, 1).state, SCAN_NEED_WAITING);
    fixture_run(f, SECONDS(16));
    assert_int_equal(fixture_get_need(f, 1).state, SCAN_NEED_RUNNING);
    assert_int_not_equal(fixture_get_need(f, 1).last_window, id);
}

static void a_request_takes_along_what_is_due_soon(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(270));
    (void) fixture_request(f, 0, 0, 5);
    fixture_run(f, SECONDS(100));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 2);
    assert_int_equal(fixture_last(f)->window.duration, SECONDS(10));
}

static void a_hundred_needs_on_one_proxy_share_their_windows(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    for (size_t i = 0; i < 100; i++) {
        fixture_own(f, i, 0);
        fixture_need(f, i, 300, 10);
    }
    fixture_run(f, SECONDS(300 * 10) - 1);
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 10);
    assert_int_equal(fixture_last(f)->window.addresses_count, 100);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(fixture_get_need(f, i).missed, 10);
}

static void a_window_for_more_devices_than_are_listed_serves_all(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    for (size_t i = 0; i < 300; i++) {
        fixture_own(f, i, 0);
        fixture_need(f, i, 300, 10);
    }
    fixture_run(f, SECONDS(20));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
    assert_int_equal(fixture_last(f)->window.addresses_count, SCAN_WINDOW_ADDRESSES_MAX);
    assert_string_equal(fixture_last(f)->detail, "for 300 devices, the first 256 are listed");
    assert_int_equal(f->covered_count, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            FIXTURE_TEST(a_window_ends_when_all_devices_answered),
            FIXTURE_TEST(who_does_not_answer_holds_the_window_for_its_own_duration_only),
            FIXTURE_TEST(a_window_never_ends_before_a_second),
            FIXTURE_TEST(an_answer_to_another_source_does_not_count),
            FIXTURE_TEST(what_an_active_source_brings_says_nothing_about_passive_packets),
            FIXTURE_TEST(a_device_of_unknown_length_answers_by_being_heard_but_ends_nothing),
            FIXTURE_TEST(a_device_that_never_answers_makes_no_window_longer_for_others),
            FIXTURE_TEST(a_new_owner_does_not_fire_the_need_twice),
            FIXTURE_TEST(a_source_lost_in_a_window_makes_the_need_due_elsewhere_at_once),
            FIXTURE_TEST(who_had_answered_before_the_source_was_lost_is_served),
            FIXTURE_TEST(passive_in_the_middle_of_a_window_breaks_it_off),
            FIXTURE_TEST(active_in_the_middle_of_a_window_stays_active_afterwards),
            FIXTURE_TEST(a_proxy_that_leaves_active_mode_fails_the_window),
            FIXTURE_TEST(a_removed_source_takes_its_windows_along),
            FIXTURE_TEST(a_need_that_ends_while_its_window_runs_leaves_it_running),
            FIXTURE_TEST(a_forgotten_device_keeps_its_need),
            FIXTURE_TEST(discovery_joins_a_window_that_runs_for_a_need),
            FIXTURE_TEST(a_need_joins_a_request_and_is_extended_up_to_35_s_only),
            FIXTURE_TEST(a_request_takes_along_what_is_due_soon),
            FIXTURE_TEST(a_hundred_needs_on_one_proxy_share_their_windows),
            FIXTURE_TEST(a_window_for_more_devices_than_are_listed_serves_all),
    };

    return cmocka_run_group_tests_name("windows_corners", tests, NULL, NULL);
}
