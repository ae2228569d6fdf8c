/* What the parts of the scheduler owe to each other: budget and joining, sweeps and needs, learning
 * and forgetting, one window behind the other. */
#include "windows_fixture.h"

static void needs_due_together_run_each_on_its_owner(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_settle(f, 1, 1);
    fixture_need(f, 0, 300, 10);
    fixture_need(f, 1, 300, 10);
    fixture_run(f, SECONDS(2));
    assert_int_equal(fixture_get_need(f, 0).source, 0);
    assert_int_equal(fixture_get_need(f, 1).source, 1);
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 2);
    assert_int_equal(fixture_last(f)->window.addresses_count, 1);
}

static void a_window_that_used_up_the_budget_takes_no_needs_in(void **state)
{
    struct windows_settings settings = fixture_settings();
    struct fixture *f = *state;

    settings.budget = SECONDS(20);
    windows_configure(f->windows, &settings, f->now);
    fixture_settle(f, 0, 0);
    (void) fixture_request(f, 0, 0, 35);
    fixture_run(f, SECONDS(21));
    fixture_need(f, 0, 300, 5);
    fixture_run(f, 0);
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_DEFERRED);
}

static void a_budget_of_zero_is_no_limit(void **state)
{
    struct windows_settings settings = fixture_settings();
    struct fixture *f = *state;

    settings.budget = 0;
    windows_configure(f->windows, &settings, f->now);
    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 60, 35);
    fixture_run(f, SECONDS(3600));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 60);
}

static void a_sweep_that_is_due_soon_rides_along_with_a_need(void **state)
{
    struct fixture *f = *state;

    fixture_switch_sweeps_on(f);
    fixture_settle(f, 0, 0);
    fixture_run(f, SECONDS(200));
    fixture_need(f, 0, 3600, 5);
    fixture_run(f, SECONDS(100));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
    assert_int_equal(fixture_last(f)->window.cause, SCAN_CAUSE_NEED);
    assert_int_equal(fixture_last(f)->window.ended - fixture_last(f)->window.started, SECONDS(15));
}

static void a_sweep_that_is_due_joins_a_window_that_runs(void **state)
{
    struct fixture *f = *state;

    fixture_switch_sweeps_on(f);
    fixture_settle(f, 0, 0);
    fixture_run(f, SECONDS(230));
    (void) fixture_request(f, 0, DEVICE(1), 10);
    fixture_run(f, SECONDS(30));
    /* It rode along already when the request opened the window. */
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
    assert_int_equal(fixture_last(f)->window.duration, SECONDS(15));
    fixture_run(f, SECONDS(1000));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
}

static void a_window_of_a_need_does_not_stand_for_the_first_sweep(void **state)
{
    struct fixture *f = *state;

    fixture_switch_sweeps_on(f);
    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 86400, 10);
    fixture_run(f, SECONDS(300));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 2);
    assert_int_equal(fixture_last(f)->window.cause, SCAN_CAUSE_SWEEP);
}

static void discovery_stands_for_the_first_sweep_also_when_it_joins(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_switch_sweeps_on(f);
    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 86400, 10);
    fixture_run(f, SECONDS(2));
    assert_int_equal(windows_discover(f->windows, SECONDS(10), f->now, &id, 1), 1);
    fixture_run(f, SECONDS(1000));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
}

static void a_sweep_that_was_missed_does_not_start_the_moment_a_proxy_is_back(void **state)
{
    struct fixture *f = *state;

    fixture_switch_sweeps_on(f);
    fixture_settle(f, 0, 0);
    fixture_run(f, SECONDS(200));
    fixture_offline(f, 0);
    fixture_run(f, SECONDS(1000));
    fixture_online(f, 0);
    fixture_run(f, SECONDS(29));
    assert_int_equal(f->told_count, 0);
    fixture_run(f, SECONDS(2));
    assert_int_equal(fixture_last(f)->window.cause, SCAN_CAUSE_SWEEP);
}

static void a_removed_source_owes_no_answer(void **state)
{
    struct fixture *f = *state;

    fixture_source(f, 0, SCAN_ACTIVE);
    fixture_own(f, 0, 0);
    fixture_run(f, SECONDS(1));
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_get_need(f, 0).source, 0);
    windows_source_remove(f->windows, 0, f->now);
    fixture_source(f, 0, SCAN_AUTO); /* another proxy of that number */
    fixture_run(f, SECONDS(1));
    fixture_hear(f, 0, 0, ACTIVE_SIZE);
    assert_int_equal(fixture_get_need(f, 0).answered, 0);
}

static void how_a_device_sounds_passively_is_learned_anew_after_misses(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 60, 10);
    fixture_hear(f, 0, 0, ACTIVE_SIZE + 10); /* it said more once */
    for (unsigned i = 0; i < WINDOWS_SILENT_AFTER; i++) {
        fixture_run(f, SECONDS(2));
        fixture_hear(f, 0, 0, ACTIVE_SIZE);
        fixture_run(f, SECONDS(58));
    }
    assert_int_equal(fixture_get_need(f, 0).missed, WINDOWS_SILENT_AFTER);
    fixture_run(f, SECONDS(20));
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    fixture_run(f, SECONDS(45));
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_RUNNING);
    fixture_hear(f, 0, 0, ACTIVE_SIZE);
    fixture_run(f, SECONDS(2));
    assert_int_equal(fixture_get_need(f, 0).missed_in_a_row, 0);
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_WAITING);
}

static void a_device_that_answered_does_not_hold_the_window_again(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_settle(f, 0, 0);
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    fixture_need(f, 0, 300, 10);
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    fixture_run(f, MSEC(300));
    fixture_hear(f, 0, 0, ACTIVE_SIZE);
    id = fixture_request(f, 0, DEVICE(0), 30);
    assert_int_equal(fixture_count(f, SCAN_ACTION_EXTENDED), 0);
    fixture_run(f, SECONDS(2));
    assert_int_equal(fixture_get_window(f, id).state, SCAN_WINDOW_DONE);
    assert_int_equal(fixture_get_window(f, id).answered, 1);
}

static void what_was_said_before_a_command_confirms_no_new_window(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_settle(f, 0, 0);
    (void) fixture_request(f, 0, 0, 5);
    fixture_run(f, SECONDS(5));
    assert_int_not_equal(windows_open_on(f->windows, 0), 0);
    f->firmware[0].is_deaf = true; /* it stays active and says nothing more */
    fixture_run(f, MSEC(100));
    assert_int_equal(windows_open_on(f->windows, 0), 0);
    id = fixture_request(f, 0, 0, 5);
    assert_int_equal(fixture_get_window(f, id).state, SCAN_WINDOW_OPENING);
}

static void a_new_window_ends_the_watch_for_silence(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    windows_source_heard(f->windows, 0, f->now);
    (void) fixture_request(f, 0, 0, 5);
    fixture_run(f, SECONDS(6));
    (void) fixture_request(f, 0, 0, 35);
    fixture_run(f, SECONDS(30));
    assert_int_equal(f->warnings[WINDOWS_SILENT], 0);
    assert_true(f->firmware[0].is_active);
}

static void sources_that_are_unknown_are_ignored(void **state)
{
    struct fixture *f = *state;

    windows_source_remove(f->windows, 3, f->now);
    windows_source_online(f->windows, 3, true, f->now);
    windows_source_connecting(f->windows, 3, true, f->now);
    windows_source_want(f->windows, 3, SCAN_AUTO, f->now);
    windows_source_can_set_mode(f->windows, 3, true, f->now);
    windows_source_state(f->windows, 3, SCAN_REPORTED_ACTIVE, true, f->now);
    assert_int_equal(windows_open_on(f->windows, 3), 0);
    assert_int_equal(windows_deadline(f->windows), USEC_NEVER);
}

static void a_proxy_that_learns_to_change_its_mode_is_scheduled(void **state)
{
    struct fixture *f = *state;

    windows_source_add(f->windows, 0, SCAN_AUTO, false, f->now);
    fixture_own(f, 0, 0);
    fixture_online(f, 0);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(10));
    assert_int_equal(f->covered_count, 1); /* its own configuration says active */
    f->firmware[0].can_set_mode = true;    /* as after an update */
    windows_source_add(f->windows, 0, SCAN_AUTO, true, f->now);
    fixture_run(f, SECONDS(1));
    assert_false(f->firmware[0].is_active);
    fixture_run(f, SECONDS(300));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            FIXTURE_TEST(needs_due_together_run_each_on_its_owner),
            FIXTURE_TEST(a_window_that_used_up_the_budget_takes_no_needs_in),
            FIXTURE_TEST(a_budget_of_zero_is_no_limit),
            FIXTURE_TEST(a_sweep_that_is_due_soon_rides_along_with_a_need),
            FIXTURE_TEST(a_sweep_that_is_due_joins_a_window_that_runs),
            FIXTURE_TEST(a_window_of_a_need_does_not_stand_for_the_first_sweep),
            FIXTURE_TEST(discovery_stands_for_the_first_sweep_also_when_it_joins),
            FIXTURE_TEST(a_sweep_that_was_missed_does_not_start_the_moment_a_proxy_is_back),
            FIXTURE_TEST(a_removed_source_owes_no_answer),
            FIXTURE_TEST(how_a_device_sounds_passively_is_learned_anew_after_misses),
            FIXTURE_TEST(a_device_that_answered_does_not_hold_the_window_again),
            FIXTURE_TEST(what_was_said_before_a_command_confirms_no_new_window),
            FIXTURE_TEST(a_new_window_ends_the_watch_for_silence),
            FIXTURE_TEST(sources_that_are_unknown_are_ignored),
            FIXTURE_TEST(a_proxy_that_learns_to_change_its_mode_is_scheduled),
    };

    return cmocka_run_group_tests_name("windows_together", tests, NULL, NULL);
}
