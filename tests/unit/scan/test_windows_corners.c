/* What happens when things change at the wrong moment, and at the bounds. */
#include "windows_fixture.h"

/* A source in auto mode that owns the device, a while ago. */
static void settle(struct fixture *f, size_t device, uint16_t source)
{
    fixture_source(f, source, SCAN_AUTO);
    fixture_own(f, device, source);
    fixture_run(f, SECONDS(5));
}

static uint64_t request(struct fixture *f, uint16_t source, uint64_t address, unsigned duration_s)
{
    uint64_t id = 0;

    assert_int_equal(windows_open(f->windows, source, SCAN_CAUSE_REQUEST, address,
                                  SECONDS(duration_s), f->now, &id),
                     0);
    return id;
}

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

/* ---- answers ---- */

static void a_window_ends_when_all_devices_answered(void **state)
{
    struct fixture *f = *state;

    settle(f, 0, 0);
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

static void a_window_never_ends_before_a_second(void **state)
{
    struct fixture *f = *state;

    settle(f, 0, 0);
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

    settle(f, 0, 0);
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

    settle(f, 0, 0);
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

    settle(f, 0, 0);
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

    settle(f, 0, 0);
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
}

/* ---- changes in the middle of a window ---- */

static void a_new_owner_does_not_fire_the_need_twice(void **state)
{
    struct fixture *f = *state;

    settle(f, 0, 0);
    settle(f, 0, 1);
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

    settle(f, 0, 0);
    settle(f, 0, 1);
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

    settle(f, 0, 0);
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

    settle(f, 0, 0);
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

    settle(f, 0, 0);
    (void) request(f, 0, 0, 10);
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

    settle(f, 0, 0);
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

    settle(f, 0, 0);
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

    settle(f, 0, 0);
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

    settle(f, 0, 0);
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

    settle(f, 0, 0);
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

    settle(f, 0, 0);
    fixture_own(f, 1, 0);
    id = request(f, 0, 0, 30);
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

    settle(f, 0, 0);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(270));
    (void) request(f, 0, 0, 5);
    fixture_run(f, SECONDS(100));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 2);
    assert_int_equal(fixture_last(f)->window.duration, SECONDS(10));
}

static void a_hundred_needs_on_one_proxy_share_their_windows(void **state)
{
    struct fixture *f = *state;

    settle(f, 0, 0);
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

    settle(f, 0, 0);
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

    settle(f, 0, 0);
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
    settle(f, 0, 0);
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

    (void) request(f, 0, DEVICE(1), 5);
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

    settle(f, 0, 0);
    for (size_t i = 0; i < 300; i++) {
        (void) request(f, 0, DEVICE(i), 5);
        fixture_run(f, SECONDS(10));
    }
    (void) request(f, 0, DEVICE(7), 5);
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

    settle(f, 0, 0);
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

    settle(f, 0, 0);
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

    settle(f, 0, 0);
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
    id = request(f, 0, 0, 10);
    assert_int_equal(fixture_get_window(f, id).state, SCAN_WINDOW_RUNNING);
    fixture_run(f, SECONDS(20));
    assert_int_equal(fixture_get_window(f, id).state, SCAN_WINDOW_DONE);
    assert_int_equal(f->firmware[0].commands, 1);
}

static void silence_after_a_window_restarts_the_scan_once(void **state)
{
    struct fixture *f = *state;
    struct windows_statistics statistics;

    settle(f, 0, 0);
    windows_source_heard(f->windows, 0, f->now);
    (void) request(f, 0, 0, 5);
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

    settle(f, 0, 0);
    windows_source_heard(f->windows, 0, f->now);
    (void) request(f, 0, 0, 5);
    fixture_run(f, SECONDS(8));
    windows_source_heard(f->windows, 0, f->now);
    fixture_run(f, SECONDS(30));
    windows_source_heard(f->windows, 0, f->now);
    (void) request(f, 0, 0, 5);
    fixture_run(f, SECONDS(8));
    windows_source_connecting(f->windows, 0, true, f->now);
    fixture_run(f, SECONDS(60));
    windows_source_connecting(f->windows, 0, false, f->now);
    fixture_run(f, SECONDS(5));
    windows_source_heard(f->windows, 0, f->now);
    fixture_run(f, SECONDS(60));
    assert_int_equal(f->warnings[WINDOWS_SILENT], 0);
}

static void a_mode_that_somebody_else_set_is_set_back(void **state)
{
    struct fixture *f = *state;

    settle(f, 0, 0);
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
            FIXTURE_TEST(a_window_ends_when_all_devices_answered),
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

    return cmocka_run_group_tests_name("windows_corners", tests, NULL, NULL);
}
