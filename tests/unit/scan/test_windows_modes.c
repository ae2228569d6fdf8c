/* The rows of the acceptance table about scanning, second part: windows that change, modes that are
 * confirmed and restored, and proxies that cannot. */
#include "windows_fixture.h"

static void S09_a_longer_request_extends_the_window(void **state)
{
    struct fixture *f = *state;
    uint64_t first, second;

    fixture_source(f, 0, SCAN_AUTO);
    fixture_run(f, SECONDS(5));
    assert_int_equal(
            windows_open(f->windows, 0, SCAN_CAUSE_REQUEST, 0, SECONDS(10), f->now, &first), 0);
    assert_int_equal(fixture_get_window(f, first).state, SCAN_WINDOW_OPENING);
    fixture_run(f, SECONDS(5));
    assert_int_equal(
            windows_open(f->windows, 0, SCAN_CAUSE_REQUEST, 0, SECONDS(20), f->now, &second), 0);

    assert_int_equal(first, second);
    assert_int_equal(fixture_last(f)->action, SCAN_ACTION_EXTENDED);
    assert_int_equal(fixture_last(f)->window.ends, f->now + SECONDS(20));
    fixture_run(f, SECONDS(20) - 1);
    assert_int_equal(windows_open_on(f->windows, 0), first);
    fixture_run(f, 1);
    assert_int_equal(windows_open_on(f->windows, 0), 0);
    assert_int_equal(f->firmware[0].commands_active, 1);
    assert_int_equal(fixture_get_window(f, first).state, SCAN_WINDOW_DONE);
}

static void S10_a_window_that_is_not_confirmed_fails_and_is_tried_again(void **state)
{
    struct fixture *f = *state;
    usec_t declared;

    fixture_source(f, 0, SCAN_AUTO);
    fixture_own(f, 0, 0);
    fixture_run(f, SECONDS(5));
    f->firmware[0].is_deaf = true;
    declared = f->now;
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(2) - 1);
    assert_int_equal(f->told_count, 0);
    fixture_run(f, 1);

    assert_int_equal(fixture_last(f)->action, SCAN_ACTION_REFUSED);
    assert_int_equal(fixture_last(f)->window.state, SCAN_WINDOW_FAILED);
    assert_int_equal(fixture_last(f)->window.started, 0);
    assert_string_equal(fixture_last(f)->detail, "the proxy did not report an active scan in time");
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_DEFERRED);
    assert_int_equal(fixture_get_need(f, 0).missed, 0);

    f->firmware[0].is_deaf = false;
    fixture_run(f, SECONDS(31));
    assert_int_equal(fixture_last(f)->action, SCAN_ACTION_OPENED);
    assert_int_equal(fixture_last(f)->window.planned, declared + SECONDS(32));
}

static void S10_active_alone_does_not_confirm(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_source(f, 0, SCAN_AUTO);
    fixture_run(f, SECONDS(5));
    f->firmware[0].is_deaf = true;
    assert_int_equal(windows_open(f->windows, 0, SCAN_CAUSE_REQUEST, 0, SECONDS(10), f->now, &id),
                     0);
    windows_source_state(f->windows, 0, SCAN_REPORTED_ACTIVE, false, f->now); /* STOPPING */
    assert_int_equal(fixture_get_window(f, id).state, SCAN_WINDOW_OPENING);
    windows_source_state(f->windows, 0, SCAN_REPORTED_PASSIVE, true, f->now); /* from before */
    assert_int_equal(fixture_get_window(f, id).state, SCAN_WINDOW_OPENING);
    windows_source_state(f->windows, 0, SCAN_REPORTED_ACTIVE, true, f->now);
    assert_int_equal(fixture_get_window(f, id).state, SCAN_WINDOW_RUNNING);
}

static void S11_the_mode_is_restored_after_a_window_and_after_errors(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_source(f, 0, SCAN_AUTO);
    fixture_run(f, SECONDS(5));
    assert_int_equal(windows_open(f->windows, 0, SCAN_CAUSE_REQUEST, 0, SECONDS(5), f->now, &id),
                     0);
    fixture_run(f, SECONDS(10));
    assert_false(f->firmware[0].is_active);
    assert_int_equal(f->firmware[0].commands, 3);

    f->firmware[0].is_deaf = true; /* not confirmed */
    assert_int_equal(windows_open(f->windows, 0, SCAN_CAUSE_REQUEST, 0, SECONDS(5), f->now, &id),
                     0);
    fixture_run(f, SECONDS(10));
    assert_int_equal(f->firmware[0].commands, 5);
    assert_int_equal(f->firmware[0].commanded_active_at, 0);
}

static void S11_the_mode_is_commanded_again_when_the_proxy_comes_back(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_source(f, 0, SCAN_AUTO);
    fixture_run(f, SECONDS(5));
    assert_int_equal(windows_open(f->windows, 0, SCAN_CAUSE_REQUEST, 0, SECONDS(5), f->now, &id),
                     0);
    fixture_run(f, SECONDS(1));
    fixture_offline(f, 0);
    assert_int_equal(fixture_get_window(f, id).state, SCAN_WINDOW_FAILED);
    assert_int_equal(fixture_last(f)->action, SCAN_ACTION_CLOSED);
    fixture_online(f, 0); /* it restarted, and scans as its own configuration says */
    fixture_run(f, SECONDS(1));
    assert_false(f->firmware[0].is_active);
}

static void S11_shutdown_restores_all_and_opens_nothing_more(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_source(f, 0, SCAN_AUTO);
    fixture_source(f, 1, SCAN_ACTIVE);
    fixture_own(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(5));
    assert_true(f->firmware[0].is_active);
    windows_stop(f->windows, f->now);

    assert_int_equal(f->firmware[0].commanded_active_at, 0);
    assert_int_not_equal(f->firmware[1].commanded_active_at, 0);
    assert_int_equal(fixture_last(f)->window.state, SCAN_WINDOW_FAILED);
    assert_int_equal(windows_deadline(f->windows), USEC_NEVER);
    assert_int_equal(windows_open(f->windows, 0, SCAN_CAUSE_REQUEST, 0, SECONDS(5), f->now, &id),
                     E_SCAN_REFUSED);
    assert_int_equal(windows_discover(f->windows, SECONDS(5), f->now, &id, 1), 0);
    windows_advance(f->windows, f->now + SECONDS(1000));
    assert_int_equal(f->firmware[0].commands_active, 1);
}

static void S12_changing_to_auto_at_run_time_starts_scheduling(void **state)
{
    struct fixture *f = *state;

    fixture_switch_sweeps_on(f);
    fixture_source(f, 0, SCAN_PASSIVE);
    fixture_own(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(1000));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 0);
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_NO_CAPABLE_PROXY);

    windows_source_want(f->windows, 0, SCAN_AUTO, f->now);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
    fixture_run(f, SECONDS(240));
    assert_int_equal(fixture_last(f)->window.cause, SCAN_CAUSE_SWEEP);
}

static void S13_a_passive_owner_is_warned_about_once(void **state)
{
    struct fixture *f = *state;

    fixture_source(f, 0, SCAN_PASSIVE);
    fixture_own(f, 0, 0);
    fixture_own(f, 1, 0);
    fixture_need(f, 0, 300, 10);
    fixture_need(f, 1, 60, 10);
    fixture_run(f, SECONDS(3000));
    assert_int_equal(f->warnings[WINDOWS_PASSIVE_ONLY], 1);

    assert_true(windows_need_end(f->windows, DEVICE(0), f->now));
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(3000));
    assert_int_equal(f->warnings[WINDOWS_PASSIVE_ONLY], 1); /* there was one all the time */

    assert_true(windows_need_end(f->windows, DEVICE(0), f->now));
    assert_true(windows_need_end(f->windows, DEVICE(1), f->now));
    assert_false(windows_need_end(f->windows, DEVICE(1), f->now));
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(3000));
    assert_int_equal(f->warnings[WINDOWS_PASSIVE_ONLY], 2);
}

static void S14_a_proxy_without_mode_control_is_never_scheduled(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_switch_sweeps_on(f);
    windows_source_add(f->windows, 0, SCAN_AUTO, false, f->now);
    f->firmware[0].is_online = true; /* and a command would be a fault of the fixture */
    windows_source_online(f->windows, 0, true, f->now);
    fixture_own(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(50000));

    assert_int_equal(f->told_count, 0);
    assert_int_equal(f->warnings[WINDOWS_PASSIVE_ONLY], 1);
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_NO_CAPABLE_PROXY);
    assert_int_equal(windows_open(f->windows, 0, SCAN_CAUSE_REQUEST, 0, SECONDS(5), f->now, &id),
                     E_SCAN_REFUSED);
    assert_string_equal(fixture_get_window(f, id).detail,
                        "the firmware of the proxy cannot change the scan mode");
    assert_int_equal(windows_discover(f->windows, SECONDS(5), f->now, &id, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            FIXTURE_TEST(S09_a_longer_request_extends_the_window),
            FIXTURE_TEST(S10_a_window_that_is_not_confirmed_fails_and_is_tried_again),
            FIXTURE_TEST(S10_active_alone_does_not_confirm),
            FIXTURE_TEST(S11_the_mode_is_restored_after_a_window_and_after_errors),
            FIXTURE_TEST(S11_the_mode_is_commanded_again_when_the_proxy_comes_back),
            FIXTURE_TEST(S11_shutdown_restores_all_and_opens_nothing_more),
            FIXTURE_TEST(S12_changing_to_auto_at_run_time_starts_scheduling),
            FIXTURE_TEST(S13_a_passive_owner_is_warned_about_once),
            FIXTURE_TEST(S14_a_proxy_without_mode_control_is_never_scheduled),
    };

    return cmocka_run_group_tests_name("windows_modes", tests, NULL, NULL);
}
