/* Refusals and bounds, rescues, and radios that fall silent or obey somebody else. */
#include "windows_fixture.h"

static const char *refused(struct fixture *f, uint16_t source, enum scan_cause cause)
{
    uint64_t id = 0;

    assert_int_equal(windows_open(f->windows, source, cause, 0, SECONDS(10), f->now, &id),
                     E_SCAN_REFUSED);
    assert_int_equal(fixture_get_window(f, id).state, SCAN_WINDOW_REFUSED);
    assert_int_equal(fixture_last(f)->action, SCAN_ACTION_REFUSED);
    assert_int_equal(fixture_last(f)->window.id, id);
    return fixture_get_window(f, id).detail;
}

/* ---- refusals and bounds ---- */

static void refused_windows_say_why_each_time(void **state)
{
    struct fixture *f = *state;
    uint64_t id = 77;

    fixture_source(f, 0, SCAN_PASSIVE);
    fixture_source(f, 1, SCAN_AUTO);
    assert_string_equal(refused(f, 0, SCAN_CAUSE_REQUEST), "the proxy is set to passive scanning");
    assert_string_equal(refused(f, 0, SCAN_CAUSE_REQUEST), "the proxy is set to passive scanning");
    assert_int_equal(fixture_count(f, SCAN_ACTION_REFUSED), 2);
    windows_source_connecting(f->windows, 1, true, f->now);
    assert_string_equal(refused(f, 1, SCAN_CAUSE_FRONTEND),
                        "the proxy is establishing a link and does not scan meanwhile");
    fixture_offline(f, 1);
    assert_string_equal(refused(f, 1, SCAN_CAUSE_RESCUE), "the proxy is offline");
    assert_int_equal(windows_open(f->windows, 9, SCAN_CAUSE_REQUEST, 0, SECONDS(10), f->now, &id),
                     E_PROXY_NOT_FOUND);
    assert_int_equal(id, 77);
}

static void a_deferred_need_is_told_once_until_a_window_opens(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_own(f, 1, 0);
    windows_source_connecting(f->windows, 0, true, f->now);
    fixture_need(f, 0, 60, 5);
    fixture_need(f, 1, 60, 5);
    fixture_run(f, SECONDS(600));
    assert_int_equal(fixture_count(f, SCAN_ACTION_REFUSED), 1);
    windows_source_connecting(f->windows, 0, false, f->now);
    fixture_run(f, SECONDS(50));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
    windows_source_connecting(f->windows, 0, true, f->now);
    fixture_run(f, SECONDS(600));
    assert_int_equal(fixture_count(f, SCAN_ACTION_REFUSED), 2);
}

static void the_budget_defers_needs_but_not_people(void **state)
{
    struct windows_settings settings = fixture_settings();
    struct fixture *f = *state;
    size_t opened;

    settings.budget = SECONDS(60);
    windows_configure(f->windows, &settings, f->now);
    fixture_settle(f, 0, 0);
    fixture_need(f, 0, 60, 10); /* would take 600 s an hour; unconfirmed time counts too */
    fixture_run(f, SECONDS(3000));
    opened = fixture_count(f, SCAN_ACTION_OPENED);
    assert_int_equal(opened, 6);
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_DEFERRED);
    assert_string_equal(fixture_get_need(f, 0).detail,
                        "the proxy has used up its time for active scanning");
    assert_int_equal(fixture_count(f, SCAN_ACTION_REFUSED), 1);
    assert_string_equal(refused(f, 0, SCAN_CAUSE_RESCUE),
                        "the proxy has used up its time for active scanning");

    (void) fixture_request(f, 0, DEVICE(1), 5);
    fixture_run(f, SECONDS(10));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), opened + 1);
    fixture_run(f, SECONDS(700)); /* the first windows are more than an hour old */
    assert_true(fixture_count(f, SCAN_ACTION_OPENED) > opened + 1);
}

static void the_count_of_needs_is_bounded(void **state)
{
    struct windows_settings settings = fixture_settings();
    struct fixture *f = *state;

    settings.needs_max = 2;
    windows_configure(f->windows, &settings, f->now);
    fixture_need(f, 0, 60, 5);
    fixture_need(f, 1, 60, 5);
    assert_int_equal(windows_need_set(f->windows, DEVICE(2), SECONDS(60), SECONDS(5), f->now),
                     E_QUEUE_FULL);
    fixture_need(f, 1, 120, 5); /* changing one is no new one */
    assert_int_equal(fixture_get_need(f, 1).interval, SECONDS(120));
    assert_false(windows_need_get(f->windows, DEVICE(2), &(struct scan_need){0}));
}

static void past_windows_are_bounded_and_come_newest_first(void **state)
{
    struct fixture *f = *state;
    struct scan_window window;
    uint64_t below = UINT64_MAX;
    size_t count = 0;

    fixture_settle(f, 0, 0);
    for (size_t i = 0; i < 300; i++) {
        (void) fixture_request(f, 0, DEVICE(i), 5);
        fixture_run(f, SECONDS(10));
    }
    (void) fixture_request(f, 0, DEVICE(7), 5);
    while (windows_before(f->windows, below, &window)) {
        assert_int_equal(window.id, 301 - count);
        assert_int_equal(window.addresses_count, 1);
        assert_int_equal(window.addresses[0], count ? DEVICE(300 - count) : DEVICE(7));
        below = window.id;
        count++;
    }
    assert_int_equal(count, 257);
    assert_false(windows_get(f->windows, 1, &window));
    assert_false(windows_get(f->windows, 302, &window));
    assert_false(windows_get(f->windows, 0, &window));
}

static void time_that_stands_still_or_goes_back_harms_nothing(void **state)
{
    struct fixture *f = *state;
    usec_t now;

    fixture_settle(f, 0, 0);
    now = f->now;
    fixture_need(f, 0, 300, 10);
    for (size_t i = 0; i < 100; i++) {
        windows_advance(f->windows, now);
        windows_heard(f->windows, 0, DEVICE(0), PASSIVE_SIZE, now - SECONDS(50));
    }
    assert_int_equal(f->firmware[0].commands_active, 1);
    windows_advance(f->windows, now - SECONDS(100));
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
}

/* ---- rescue, silence, foreign commands ---- */

static void a_rescue_covers_when_its_window_is_done(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_settle(f, 0, 0);
    assert_int_equal(
            windows_open(f->windows, 0, SCAN_CAUSE_RESCUE, DEVICE(0), SECONDS(10), f->now, &id), 0);
    fixture_run(f, SECONDS(10));
    assert_int_equal(f->covered_count, 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->covered_count, 1);
    assert_int_equal(f->covered_address, DEVICE(0));
    assert_int_equal(f->covered_source, 0);
    assert_int_equal(f->covered_at, fixture_get_window(f, id).ended);
}

static void a_rescue_that_fails_covers_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_settle(f, 0, 0);
    f->firmware[0].is_deaf = true;
    assert_int_equal(
            windows_open(f->windows, 0, SCAN_CAUSE_RESCUE, DEVICE(0), SECONDS(10), f->now, &id), 0);
    fixture_run(f, SECONDS(60));
    assert_int_equal(f->covered_count, 0);
}

static void an_active_source_covers_a_rescue_at_once(void **state)
{
    struct fixture *f = *state;
    uint64_t id = 5;

    fixture_source(f, 0, SCAN_ACTIVE);
    fixture_run(f, SECONDS(1));
    assert_int_equal(
            windows_open(f->windows, 0, SCAN_CAUSE_RESCUE, DEVICE(0), SECONDS(10), f->now, &id), 0);
    assert_int_equal(id, 0);
    assert_int_equal(f->covered_at, f->now);
    assert_int_equal(f->told_count, 0);
}

static void a_request_on_an_active_source_runs_without_commands(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_source(f, 0, SCAN_ACTIVE);
    fixture_run(f, SECONDS(1));
    id = fixture_request(f, 0, 0, 10);
    assert_int_equal(fixture_get_window(f, id).state, SCAN_WINDOW_RUNNING);
    fixture_run(f, SECONDS(20));
    assert_int_equal(fixture_get_window(f, id).state, SCAN_WINDOW_DONE);
    assert_int_equal(f->firmware[0].commands, 1);
}

static void silence_after_a_window_restarts_the_scan_once(void **state)
{
    struct fixture *f = *state;
    struct windows_statistics statistics;

    fixture_settle(f, 0, 0);
    windows_source_heard(f->windows, 0, f->now);
    (void) fixture_request(f, 0, 0, 5);
    fixture_run(f, MSEC(5100));
    assert_int_equal(f->firmware[0].commands, 3);
    windows_source_heard(f->windows, 0, f->now); /* from before the change */
    fixture_run(f, SECONDS(10) - 1);
    assert_int_equal(f->firmware[0].commands, 3);
    fixture_run(f, SECONDS(100));
    assert_int_equal(f->firmware[0].commands, 5);
    assert_int_equal(f->firmware[0].commanded_active_at, 0);
    assert_int_equal(f->warnings[WINDOWS_SILENT], 1);
    windows_get_statistics(f->windows, &statistics);
    assert_int_equal(statistics.restarts, 1);
    assert_int_equal(statistics.opened[SCAN_CAUSE_REQUEST], 1);
}

static void a_source_that_brings_packets_or_connects_is_not_restarted(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    windows_source_heard(f->windows, 0, f->now);
    (void) fixture_request(f, 0, 0, 5);
    fixture_run(f, SECONDS(8));
    windows_source_heard(f->windows, 0, f->now);
    fixture_run(f, SECONDS(30));
    windows_source_heard(f->windows, 0, f->now);
    (void) fixture_request(f, 0, 0, 5);
    fixture_run(f, SECONDS(8));
    windows_source_connecting(f->windows, 0, true, f->now);
    fixture_run(f, SECONDS(66));
    windows_source_connecting(f->windows, 0, false, f->now);
    fixture_run(f, SECONDS(5)); /* 10 s are counted from here on */
    windows_source_heard(f->windows, 0, f->now);
    fixture_run(f, SECONDS(60));
    assert_int_equal(f->warnings[WINDOWS_SILENT], 0);
}

static void a_mode_that_somebody_else_set_is_set_back(void **state)
{
    struct fixture *f = *state;

    fixture_settle(f, 0, 0);
    fixture_run(f, SECONDS(60));
    f->firmware[0].is_active = true;
    fixture_say_state(f, 0);
    assert_false(f->firmware[0].is_active);
    assert_int_equal(f->firmware[0].commands, 2);
    f->firmware[0].is_active = true;
    fixture_say_state(f, 0); /* not again within the retry time */
    assert_int_equal(f->firmware[0].commands, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            FIXTURE_TEST(refused_windows_say_why_each_time),
            FIXTURE_TEST(a_deferred_need_is_told_once_until_a_window_opens),
            FIXTURE_TEST(the_budget_defers_needs_but_not_people),
            FIXTURE_TEST(the_count_of_needs_is_bounded),
            FIXTURE_TEST(past_windows_are_bounded_and_come_newest_first),
            FIXTURE_TEST(time_that_stands_still_or_goes_back_harms_nothing),
            FIXTURE_TEST(a_rescue_covers_when_its_window_is_done),
            FIXTURE_TEST(a_rescue_that_fails_covers_nothing),
            FIXTURE_TEST(an_active_source_covers_a_rescue_at_once),
            FIXTURE_TEST(a_request_on_an_active_source_runs_without_commands),
            FIXTURE_TEST(silence_after_a_window_restarts_the_scan_once),
            FIXTURE_TEST(a_source_that_brings_packets_or_connects_is_not_restarted),
            FIXTURE_TEST(a_mode_that_somebody_else_set_is_set_back),
    };

    return cmocka_run_group_tests_name("windows_bounds", tests, NULL, NULL);
}
