/* The rows of the acceptance table about scanning, first part: who gets a window, and when. */
#include "windows_fixture.h"

static void S01_auto_commands_passive_and_active_active(void **state)
{
    struct fixture *f = *state;

    fixture_source(f, 0, SCAN_AUTO);
    fixture_source(f, 1, SCAN_PASSIVE);
    fixture_source(f, 2, SCAN_ACTIVE);
    fixture_run(f, SECONDS(5));

    assert_false(f->firmware[0].is_active);
    assert_false(f->firmware[1].is_active);
    assert_true(f->firmware[2].is_active);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(f->firmware[i].commands, 1);
}

static void S02_a_need_gets_one_window_an_interval_on_the_owner_only(void **state)
{
    struct fixture *f = *state;

    fixture_source(f, 0, SCAN_AUTO);
    fixture_source(f, 1, SCAN_AUTO);
    fixture_own(f, 0, 1);
    f->rssi[0][0] = -40; /* hears it louder, and is not asked */
    fixture_run(f, SECONDS(10));
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(3000) - 1);

    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 10);
    assert_int_equal(fixture_count(f, SCAN_ACTION_CLOSED), 10);
    for (size_t i = 0; i < 10; i++) {
        const struct told *opened = fixture_told(f, SCAN_ACTION_OPENED, i);
        const struct told *closed = fixture_told(f, SCAN_ACTION_CLOSED, i);

        assert_int_equal(opened->window.source, 1);
        assert_int_equal(closed->window.ended - closed->window.started, SECONDS(10));
        if (i > 0)
            assert_int_equal(opened->window.planned,
                             fixture_told(f, SCAN_ACTION_OPENED, i - 1)->window.started +
                                     SECONDS(300));
    }
    assert_int_equal(f->firmware[0].commands_active, 0);
}

static void S03_the_first_window_opens_when_the_need_is_declared(void **state)
{
    struct fixture *f = *state;

    fixture_source(f, 0, SCAN_AUTO);
    fixture_own(f, 0, 0);
    fixture_run(f, SECONDS(1000));
    fixture_need(f, 0, 86400, 10);
    assert_int_equal(windows_deadline(f->windows), f->now);
    fixture_run(f, SECONDS(1));

    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_RUNNING);
}

static void S03_a_device_that_comes_later_gets_its_window_when_it_is_heard(void **state)
{
    struct fixture *f = *state;

    fixture_source(f, 0, SCAN_AUTO);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(100));
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_NO_CAPABLE_PROXY);
    assert_int_equal(f->told_count, 0); /* nothing to tell about nobody */

    fixture_own(f, 0, 0);
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_RUNNING);
}

static void S04_needs_due_soon_share_the_longest_window(void **state)
{
    struct fixture *f = *state;

    fixture_source(f, 0, SCAN_AUTO);
    for (size_t i = 0; i < 3; i++)
        fixture_own(f, i, 0);
    fixture_run(f, SECONDS(1));
    fixture_need(f, 0, 300, 5);
    fixture_run(f, SECONDS(36)); /* due within 40 s of each other */
    fixture_need(f, 1, 300, 20);
    fixture_run(f, SECONDS(40)); /* this one is due 41 s after the other */
    fixture_need(f, 2, 300, 8);
    fixture_run(f, SECONDS(200));
    f->told_count = 0;
    fixture_run(f, SECONDS(60)); /* until behind the first one's second window */

    assert_int_equal(fixture_count(f, SCAN_ACTION_CLOSED), 1);
    assert_int_equal(fixture_last(f)->window.addresses_count, 2);
    assert_int_equal(fixture_last(f)->window.duration, SECONDS(20));
    f->told_count = 0;
    fixture_run(f, SECONDS(50));
    assert_int_equal(fixture_count(f, SCAN_ACTION_CLOSED), 1);
    assert_int_equal(fixture_last(f)->window.addresses_count, 1);
    assert_int_equal(fixture_last(f)->window.duration, SECONDS(8));
}

static void S04_windows_are_clamped(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_source(f, 0, SCAN_AUTO);
    assert_int_equal(windows_open(f->windows, 0, SCAN_CAUSE_REQUEST, 0, SECONDS(1), f->now, &id),
                     0);
    fixture_run(f, SECONDS(100));
    assert_int_equal(fixture_get_window(f, id).duration, SECONDS(5));
    assert_int_equal(windows_open(f->windows, 0, SCAN_CAUSE_REQUEST, 0, SECONDS(99), f->now, &id),
                     0);
    fixture_run(f, SECONDS(100));
    assert_int_equal(fixture_get_window(f, id).duration, SECONDS(35));
}

static void S05_needs_out_of_range_are_refused(void **state)
{
    static const struct {
        usec_t interval, duration;
        int result;
    } rows[] = {
            {SECONDS(60), SECONDS(5), 0},
            {SECONDS(86400), SECONDS(35), 0},
            {SECONDS(60) - 1, SECONDS(5), E_INVALID_REQUEST},
            {SECONDS(60), SECONDS(5) - 1, E_INVALID_REQUEST},
            {SECONDS(86400) + 1, SECONDS(5), E_INVALID_REQUEST},
            {SECONDS(60), SECONDS(35) + 1, E_INVALID_REQUEST},
            {USEC_NEVER, SECONDS(10), E_INVALID_REQUEST},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(
                windows_need_set(f->windows, DEVICE(i), rows[i].interval, rows[i].duration, f->now),
                rows[i].result);
    assert_int_equal(windows_need_count(f->windows), 2);
}

static void S06_sources_sweep_after_joining_and_each_12_hours(void **state)
{
    struct fixture *f = *state;

    fixture_switch_sweeps_on(f);
    for (uint16_t s = 0; s < 3; s++)
        fixture_source(f, s, SCAN_AUTO);
    fixture_run(f, SECONDS(239));
    assert_int_equal(f->told_count, 0);
    fixture_run(f, SECONDS(43200 * 2));

    for (size_t i = 0; i < 3; i++) {
        const struct told *first = fixture_told(f, SCAN_ACTION_OPENED, i);
        const struct told *second = fixture_told(f, SCAN_ACTION_OPENED, i + 3);

        assert_int_equal(first->window.cause, SCAN_CAUSE_SWEEP);
        assert_int_equal(first->window.source, i);
        assert_int_equal(first->window.planned, START + SECONDS(240 + 15 * i));
        assert_int_equal(first->window.duration, SECONDS(15));
        assert_int_equal(first->window.addresses_count, 0);
        assert_int_equal(second->window.planned, first->window.started + SECONDS(43200));
    }
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 6);
}

static void S06_a_window_puts_the_next_sweep_off(void **state)
{
    struct fixture *f = *state;
    uint64_t id;

    fixture_switch_sweeps_on(f);
    fixture_source(f, 0, SCAN_AUTO);
    fixture_run(f, SECONDS(20000));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
    assert_int_equal(
            windows_open(f->windows, 0, SCAN_CAUSE_REQUEST, DEVICE(0), SECONDS(5), f->now, &id), 0);
    fixture_run(f, SECONDS(43200));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 2);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 3);
}

static void S06_a_sweep_waits_while_a_link_is_established(void **state)
{
    struct fixture *f = *state;

    fixture_switch_sweeps_on(f);
    fixture_source(f, 0, SCAN_AUTO);
    fixture_run(f, SECONDS(235));
    windows_source_connecting(f->windows, 0, true, f->now);
    fixture_run(f, SECONDS(10));
    windows_source_connecting(f->windows, 0, false, f->now);
    fixture_run(f, SECONDS(24));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 0);
    fixture_run(f, SECONDS(2)); /* 240 + 30 */
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
}

static void S07_another_proxy_runs_the_window_while_the_owner_connects(void **state)
{
    struct fixture *f = *state;

    for (uint16_t s = 0; s < 4; s++)
        fixture_source(f, s, SCAN_AUTO);
    fixture_own(f, 0, 0);
    f->rssi[0][1] = -80;
    f->rssi[0][2] = -70; /* the loudest that can */
    f->rssi[0][3] = -65; /* connects as well */
    windows_source_connecting(f->windows, 0, true, f->now);
    windows_source_connecting(f->windows, 3, true, f->now);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(1));

    assert_int_equal(fixture_last(f)->action, SCAN_ACTION_OPENED);
    assert_int_equal(fixture_last(f)->window.source, 2);
    assert_int_equal(fixture_get_need(f, 0).source, 2);
}

static void S07_nobody_else_hears_it_so_it_is_tried_again_after_30_s(void **state)
{
    struct fixture *f = *state;

    fixture_source(f, 0, SCAN_AUTO);
    fixture_source(f, 1, SCAN_AUTO); /* does not hear it */
    fixture_own(f, 0, 0);
    windows_source_connecting(f->windows, 0, true, f->now);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(20));
    windows_source_connecting(f->windows, 0, false, f->now);
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_DEFERRED);
    assert_non_null(fixture_get_need(f, 0).detail);
    assert_int_equal(fixture_get_need(f, 0).next_due, START + SECONDS(30));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 0);
    fixture_run(f, SECONDS(11));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 1);
    assert_int_equal(fixture_last(f)->window.planned, START + SECONDS(30));
}

static void S07_an_active_proxy_covers_without_a_window(void **state)
{
    struct fixture *f = *state;

    fixture_source(f, 0, SCAN_AUTO);
    fixture_source(f, 1, SCAN_ACTIVE);
    fixture_own(f, 0, 0);
    f->rssi[0][1] = -70;
    fixture_run(f, SECONDS(5));
    fixture_hear(f, 0, 0, PASSIVE_SIZE);
    windows_source_connecting(f->windows, 0, true, f->now);
    fixture_need(f, 0, 300, 10);
    fixture_run(f, SECONDS(5));
    windows_source_connecting(f->windows, 0, false, f->now);

    assert_int_equal(f->told_count, 0);
    assert_int_equal(f->covered_count, 1);
    assert_int_equal(f->covered_source, 1);
    assert_int_equal(fixture_get_need(f, 0).state, SCAN_NEED_WAITING);
    assert_int_equal(fixture_get_need(f, 0).answered, 0);
    fixture_hear(f, 1, 0, ACTIVE_SIZE);
    fixture_hear(f, 1, 0, ACTIVE_SIZE);
    assert_int_equal(fixture_get_need(f, 0).answered, 1);
}

static void an_active_proxy_that_brings_no_answer_is_missed(void **state)
{
    struct fixture *f = *state;

    fixture_source(f, 0, SCAN_ACTIVE);
    fixture_own(f, 0, 0);
    fixture_run(f, SECONDS(5));
    fixture_need(f, 0, 60, 10);
    fixture_run(f, SECONDS(61));
    assert_int_equal(fixture_get_need(f, 0).missed, 1);
    assert_int_equal(f->firmware[0].commands, 1);
}

static void S08_discovery_flips_all_free_auto_proxies_and_is_shared(void **state)
{
    struct fixture *f = *state;
    uint64_t ids[SOURCES], again[SOURCES];

    for (uint16_t s = 0; s < 6; s++)
        fixture_source(f, s, s == 4 ? SCAN_PASSIVE : s == 5 ? SCAN_ACTIVE : SCAN_AUTO);
    windows_source_connecting(f->windows, 2, true, f->now);
    fixture_offline(f, 3);
    fixture_run(f, SECONDS(5));

    assert_int_equal(windows_discover(f->windows, SECONDS(10), f->now, ids, SOURCES), 2);
    fixture_run(f, MSEC(500));
    assert_int_equal(windows_discover(f->windows, SECONDS(10), f->now, again, SOURCES), 2);
    assert_memory_equal(ids, again, 2 * sizeof ids[0]);
    assert_int_equal(fixture_get_window(f, ids[0]).source, 0);
    assert_int_equal(fixture_get_window(f, ids[1]).source, 1);
    fixture_run(f, SECONDS(20));
    assert_int_equal(fixture_count(f, SCAN_ACTION_OPENED), 2);
    assert_int_equal(fixture_count(f, SCAN_ACTION_EXTENDED), 0); /* not more than 1 s later */
    assert_int_equal(fixture_count(f, SCAN_ACTION_CLOSED), 2);
    for (size_t s = 0; s < 2; s++)
        assert_int_equal(f->firmware[s].commands_active, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            FIXTURE_TEST(S01_auto_commands_passive_and_active_active),
            FIXTURE_TEST(S02_a_need_gets_one_window_an_interval_on_the_owner_only),
            FIXTURE_TEST(S03_the_first_window_opens_when_the_need_is_declared),
            FIXTURE_TEST(S03_a_device_that_comes_later_gets_its_window_when_it_is_heard),
            FIXTURE_TEST(S04_needs_due_soon_share_the_longest_window),
            FIXTURE_TEST(S04_windows_are_clamped),
            FIXTURE_TEST(S05_needs_out_of_range_are_refused),
            FIXTURE_TEST(S06_sources_sweep_after_joining_and_each_12_hours),
            FIXTURE_TEST(S06_a_window_puts_the_next_sweep_off),
            FIXTURE_TEST(S06_a_sweep_waits_while_a_link_is_established),
            FIXTURE_TEST(S07_another_proxy_runs_the_window_while_the_owner_connects),
            FIXTURE_TEST(S07_nobody_else_hears_it_so_it_is_tried_again_after_30_s),
            FIXTURE_TEST(S07_an_active_proxy_covers_without_a_window),
            FIXTURE_TEST(an_active_proxy_that_brings_no_answer_is_missed),
            FIXTURE_TEST(S08_discovery_flips_all_free_auto_proxies_and_is_shared),
    };

    return cmocka_run_group_tests_name("windows", tests, NULL, NULL);
}
