/* What the table makes of silence: owners that pause or are gone, devices that need active
 * scanning, ears that are deaf, intervals; and who could carry a connection. */
#include <math.h>

#include "table_fixture.h"

#define FLAGS  "020106"
#define OTHER  (DEVICE + 1)
#define ME     1
#define MINUTE SECONDS(60)

/* The owner, P0, hears the device each interval, so often that it is learned; then it is silent for
 * so long. It is not quiet: it hears another device. */
static void fall_silent(struct fixture *f, int rssi, double interval_s, double silent_s)
{
    for (int i = 0; i < 16; i++) {
        f->now += i ? (usec_t) (interval_s * (double) USEC_PER_SEC) : 0;
        fixture_hear(f, 0, rssi, FLAGS);
    }
    assert_true(fixture_facts(f).interval_learned > 0);
    f->now += (usec_t) (silent_s * (double) USEC_PER_SEC);
    fixture_hear_octets(f, 0, OTHER, -60, NULL, 0);
}

static void challenge(struct fixture *f, int rssi, const char *verdict)
{
    fixture_hear(f, ME, rssi, FLAGS);
    assert_string_equal(
            fixture_kinds(f) & DEVICE_OWNER ? owner_why_name(f->changes[0].why) : "keep", verdict);
}

/* Advances to the moment; the kinds that were told, of DEVICE. */
static unsigned advance_to(struct fixture *f, usec_t now)
{
    unsigned kinds = 0;

    f->changes_count = 0;
    f->now = now;
    device_table_advance(f->table, now);
    for (size_t i = 0; i < f->changes_count; i++)
        kinds |= f->addresses[i] == DEVICE ? f->changes[i].kinds : 0;
    return kinds;
}

/* ---- owners ---- */

static void O04_owner_is_gone_after_some_learned_intervals(void **state)
{
    struct fixture *f = *state;

    fall_silent(f, -60, 10, 37.5);
    challenge(f, -90, "keep");
    f->now++;
    challenge(f, -90, "gone");
    assert_int_equal(f->changes[0].owner_from, 0);
}

static void O05_weak_owner_is_left_after_a_missed_interval(void **state)
{
    struct fixture *f = *state;

    fall_silent(f, -80, 10, 22.5);
    challenge(f, -85, "keep");
    f->now++;
    challenge(f, -85, "roam");
}

static void O08_paused_owner_loses_only_to_a_better_one(void **state)
{
    struct fixture *f = *state;

    fall_silent(f, -70, 1, 0);
    device_table_source_connecting(f->table, 0, true, f->now);
    f->now += SECONDS(20); /* gone would be after 15 s */
    challenge(f, -75, "keep");
    fixture_hear_well(f, ME, -40, FLAGS);
    assert_int_equal(fixture_facts(f).owner, ME);
    assert_int_equal(f->changes[0].why, OWNER_STRONGER);
}

static void O08_pause_that_does_not_end_is_silence_after_30_seconds(void **state)
{
    struct fixture *f = *state;

    fall_silent(f, -70, 1, 0);
    device_table_source_connecting(f->table, 0, true, f->now);
    device_table_source_connecting(f->table, 0, true, f->now + SECONDS(20)); /* says nothing new */
    f->now += DEVICE_PAUSE_MAX + SECONDS(15);
    challenge(f, -75, "keep");
    f->now++;
    challenge(f, -75, "gone");
}

static void O08_silence_begins_when_the_pause_is_over(void **state)
{
    struct fixture *f = *state;

    fall_silent(f, -70, 1, 0);
    device_table_source_connecting(f->table, 0, true, f->now);
    f->now += SECONDS(20);
    device_table_source_connecting(f->table, 0, false, f->now);
    f->now += SECONDS(15);
    challenge(f, -75, "keep");
    f->now++;
    challenge(f, -75, "gone");
}

static void O08_paused_owner_that_hears_nothing_is_not_quiet(void **state)
{
    struct fixture *f = *state;

    device_table_pin(f->table, DEVICE, true, SECONDS(300));
    fixture_hear(f, 0, -70, FLAGS);
    f->now += SECONDS(80);
    device_table_source_connecting(f->table, 0, true, f->now);
    f->now += SECONDS(29);
    challenge(f, -75, "keep");
    device_table_source_connecting(f->table, 0, false, f->now);
    f->now += SECONDS(90);
    challenge(f, -75, "keep");
    f->now++;
    challenge(f, -75, "proxy_quiet");
}

static void pauses_without_end_excuse_an_owner_for_the_stale_time_at_most(void **state)
{
    struct fixture *f = *state;

    fall_silent(f, -70, 1, 0);
    for (int i = 0; i < 36; i++) {
        device_table_source_connecting(f->table, 0, true, f->now);
        f->now += SECONDS(25);
        device_table_source_connecting(f->table, 0, false, f->now);
        challenge(f, -75, "keep");
    }
    f->now++;
    challenge(f, -75, "gone");
}

static void O13_source_that_comes_again_has_lost_nothing(void **state)
{
    struct fixture *f = *state;

    device_table_source_can_connect(f->table, ME, true);
    fixture_hear(f, ME, -90, FLAGS);
    fixture_hear_well(f, 0, -60, FLAGS);
    assert_int_equal(fixture_facts(f).owner, 0);
    device_table_source_remove(f->table, ME);
    device_table_source_online(f->table, ME, true, f->now);
    fixture_hear_well(f, ME, -43, FLAGS); /* 17 dB, and not 22 */
    assert_int_equal(fixture_facts(f).owner, ME);
    assert_int_equal(
            device_get_paths(f->table, device_table_find(f->table, DEVICE), f->now, NULL, 0), 0);
}

/* ---- rescue ---- */

static void on_rescue(void *user, uint64_t address, uint16_t owner, uint16_t challenger)
{
    struct fixture *f = user;

    f->asked = (struct fixture_question){f->asked.count + 1, address, owner, challenger, f->now};
}

/* A weak owner with an interval of 20 s, silent since so long. */
static void begin_rescue(struct fixture *f, double silent_s)
{
    device_table_on_rescue(f->table, on_rescue);
    device_table_set_need(f->table, DEVICE, true);
    fall_silent(f, -80, 20, silent_s);
}

static void O09_device_with_a_need_is_handed_over_after_a_window(void **state)
{
    struct fixture *f = *state;

    begin_rescue(f, 26);
    challenge(f, -80, "keep");
    assert_int_equal(f->asked.count, 1);
    assert_true(f->asked.address == DEVICE);
    assert_int_equal(f->asked.owner, 0);
    assert_int_equal(f->asked.challenger, ME);
    f->now += SECONDS(10);
    device_table_covered(f->table, DEVICE, ME, f->now);
    f->now += SECONDS(5);
    challenge(f, -80, "keep"); /* 5 s after the window, but the interval is not over */
    f->now += SECONDS(5);
    challenge(f, -80, "keep");
    f->now++;
    challenge(f, -80, "rescue");
    assert_int_equal(f->asked.count, 1);
}

static void O09_no_window_no_hand_over_but_gone_wins(void **state)
{
    struct fixture *f = *state;

    begin_rescue(f, 26);
    challenge(f, -70, "keep");
    device_table_covered(f->table, DEVICE, 7, f->now); /* none of the two */
    device_table_covered(f->table, OTHER, ME, f->now);
    f->now += SECONDS(30);
    challenge(f, -70, "keep"); /* without a need it would have roamed */
    assert_int_equal(f->asked.count, 1);
    f->now += SECONDS(1);
    challenge(f, -70, "keep");
    assert_int_equal(f->asked.count, 2); /* 30 s later, again */
    f->now += SECONDS(6);                /* more than 2.5 times 25 s */
    challenge(f, -70, "gone");
}

static void O09_owner_that_speaks_up_ends_the_episode(void **state)
{
    struct fixture *f = *state;

    begin_rescue(f, 26);
    challenge(f, -80, "keep");
    f->now += SECONDS(4);
    device_table_covered(f->table, DEVICE, 0, f->now);
    fixture_hear(f, 0, -80, FLAGS);
    f->now += SECONDS(40);
    challenge(f, -80, "keep"); /* the interval is 30 s now */
    assert_int_equal(f->asked.count, 2);
    assert_true(f->asked.time == f->now);
    f->now += SECONDS(6);
    challenge(f, -80, "keep");
    assert_int_equal(f->asked.count, 2);
}

static void O09_windows_are_asked_for_once_in_30_seconds(void **state)
{
    struct fixture *f = *state;
    usec_t last = 0;

    device_table_on_rescue(f->table, on_rescue);
    device_table_set_need(f->table, DEVICE, true);
    device_table_pin(f->table, DEVICE, true, SECONDS(1));
    for (int i = 0; i < 120; i++) { /* too short to learn another interval */
        size_t before = f->asked.count;

        f->now += SECONDS(1);
        if (i % 8 == 0) /* it is back all the time, and stale again after 6 s */
            fixture_hear(f, 0, -80, FLAGS);
        challenge(f, -80, "keep");
        if (f->asked.count == before)
            continue;
        assert_true(last == 0 || f->now - last >= SECONDS(30));
        last = f->now;
    }
    assert_in_range(f->asked.count, 3, 4);
}

static void O09_challenger_that_is_better_needs_no_window(void **state)
{
    struct fixture *f = *state;

    begin_rescue(f, 0);
    fixture_hear_well(f, ME, -66, FLAGS);
    f->now += SECONDS(23); /* stale now */
    challenge(f, -20, "stronger");
    assert_int_equal(f->asked.count, 0);
    f->now += SECONDS(1);
    fixture_hear(f, 2, -90, FLAGS); /* nor does anybody ask later, of another pair */
    assert_int_equal(f->asked.count, 0);
}

static void O09_device_without_a_need_any_more_roams(void **state)
{
    struct fixture *f = *state;

    begin_rescue(f, 38);
    challenge(f, -80, "keep");
    device_table_set_need(f->table, DEVICE, false);
    challenge(f, -80, "roam");
}

static void O09_need_outlives_the_device_and_its_episode_does_not(void **state)
{
    struct fixture *f = *state;

    begin_rescue(f, 26);
    challenge(f, -80, "keep");
    device_table_covered(f->table, DEVICE, ME, f->now);
    assert_true(device_table_forget(f->table, DEVICE));
    f->now += SECONDS(60);
    fall_silent(f, -80, 20, 26);
    challenge(f, -80, "keep");
    assert_int_equal(f->asked.count, 2);
    f->now += SECONDS(21);
    challenge(f, -80, "keep"); /* the window was before it */
}

/* ---- connections ---- */

static void O12_paths_are_all_that_could_connect_and_the_best_comes_first(void **state)
{
    struct fixture *f = *state;
    const int rssi[] = {-40, -70, -60, -65, -50, 0};
    struct device_path paths[8], best[2];
    struct device_source source;
    const struct device *d;

    for (uint16_t i = 1; i < 6; i++)
        device_table_source_can_connect(f->table, i, true);
    for (uint16_t i = 0; i < 6; i++)
        fixture_hear(f, i, rssi[i], FLAGS);
    device_table_source_online(f->table, 4, false, f->now);
    d = device_table_find(f->table, DEVICE);
    assert_int_equal(fixture_facts(f).owner, 0); /* cannot connect, and owns it all the same */
    assert_int_equal(device_get_paths(f->table, d, f->now, paths, 8), 4);
    assert_int_equal(paths[0].source, 2);
    assert_true(paths[0].rssi == -60);
    assert_int_equal(paths[1].source, 3);
    assert_int_equal(paths[2].source, 1);
    assert_int_equal(paths[3].source, 5);
    assert_true(paths[3].rssi == -127);
    assert_int_equal(device_get_paths(f->table, d, f->now, best, 2), 2);
    assert_int_equal(best[0].source, 2);
    assert_int_equal(best[1].source, 3);
    assert_true(device_get_source(f->table, d, 2, &source));
    assert_true(source.can_connect);
    assert_true(device_get_source(f->table, d, 0, &source));
    assert_false(source.can_connect);
}

static void O12_paths_of_long_ago_are_worse_and_then_none(void **state)
{
    struct fixture *f = *state;
    struct device_path paths[2];
    const struct device *d;

    device_table_source_can_connect(f->table, 0, true);
    device_table_source_can_connect(f->table, 1, true);
    fixture_hear(f, 0, -60, FLAGS);
    f->now += SECONDS(100);
    fixture_hear(f, 1, -69, FLAGS);
    d = device_table_find(f->table, DEVICE);
    assert_int_equal(device_get_paths(f->table, d, f->now, paths, 2), 2);
    assert_int_equal(paths[0].source, 1); /* 10 dB are taken from the other */
    assert_true(fabs(paths[1].rssi - -70) < 1e-6);
    assert_int_equal(device_get_paths(f->table, d, START + DEVICE_HOLDERS_AGE + 1, paths, 2), 1);
    assert_int_equal(paths[0].source, 1);
}

/* ---- intervals ---- */

static void V03_pause_is_not_learned(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 40; i++) {
        if (i == 10) {
            device_table_source_connecting(f->table, 0, true, f->now);
            f->now += SECONDS(5);
            fixture_hear(f, 0, -60, FLAGS); /* what was on its way */
            f->now += SECONDS(15);
            device_table_source_connecting(f->table, 0, false, f->now);
        }
        f->now += SECONDS(2);
        fixture_hear(f, 0, -60, FLAGS);
    }
    assert_true(fixture_facts(f).interval_learned == SECONDS(2));
}

static void V03_restart_of_a_proxy_is_not_learned(void **state)
{
    struct fixture *f = *state;

    fall_silent(f, -60, 2, 1);
    device_table_source_online(f->table, 0, false, f->now);
    f->now += SECONDS(20);
    device_table_source_online(f->table, 0, true, f->now);
    for (int i = 0; i < 40; i++) {
        f->now += SECONDS(2);
        fixture_hear(f, 0, -60, FLAGS);
    }
    assert_true(fixture_facts(f).interval == SECONDS(2));
}

static void V04_learned_interval_beats_the_expected_one(void **state)
{
    struct fixture *f = *state;

    device_table_pin(f->table, DEVICE, true, SECONDS(60));
    fixture_hear(f, 0, -60, FLAGS);
    assert_true(fixture_facts(f).interval == SECONDS(60));
    assert_true(fixture_facts(f).interval_learned == 0);
    fall_silent(f, -60, 2, 0);
    assert_true(fixture_facts(f).interval == SECONDS(2));
    assert_true(fixture_facts(f).interval_learned == SECONDS(2));
}

static void V05_learning_makes_the_deadline_sooner(void **state)
{
    struct fixture *f = *state;
    usec_t last;

    device_table_set_need(f->table, DEVICE, false); /* there was none */
    for (int i = 0; i < 16; i++) {
        f->now += SECONDS(2);
        fixture_hear(f, 0, -60, FLAGS);
    }
    last = f->now;
    assert_true(device_table_deadline(f->table) == last + SECONDS(7));
    assert_int_equal(advance_to(f, last + SECONDS(7) - 1), 0);
    assert_int_equal(advance_to(f, last + SECONDS(7)), DEVICE_AVAILABILITY);
}

static void V06_device_that_anybody_hears_is_available(void **state)
{
    struct fixture *f = *state;
    usec_t last;

    fall_silent(f, -60, 2, 0);
    for (int i = 0; i < 40; i++) {
        f->now += SECONDS(5);
        fixture_hear(f, ME, -75, FLAGS);
        assert_int_equal(advance_to(f, f->now + SECONDS(1)), 0);
    }
    last = f->now - SECONDS(1);
    assert_true(fixture_facts(f).interval == SECONDS(6)); /* of the new owner */
    assert_int_equal(advance_to(f, last + SECONDS(11) - 1), 0);
    assert_int_equal(advance_to(f, last + SECONDS(11)), DEVICE_AVAILABILITY);
}

static void V02_interval_comes_back_after_a_restart(void **state)
{
    struct fixture *f = *state;
    const struct device_source source = {
            .source = 0, .rssi = -60, .rssi_smoothed = -60.5, .last_seen = START, .is_owner = true};
    const struct device_restored restored = {
            .address = DEVICE,
            .first_seen = START,
            .last_seen = START,
            .interval = SECONDS(300),
            .sources = &source,
            .sources_count = 1,
    };

    assert_true(device_table_restore(f->table, &restored, START));
    assert_true(fixture_facts(f).interval == SECONDS(300));
    assert_true(fixture_facts(f).interval_learned == SECONDS(300));
    assert_true(fixture_facts(f).rssi_smoothed == -60.5);
    assert_int_equal(advance_to(f, START + SECONDS(305) - 1), 0);
    assert_int_equal(advance_to(f, START + SECONDS(305)), DEVICE_AVAILABILITY);
}

static void V05_interval_that_gets_shorter_makes_the_deadline_sooner(void **state)
{
    struct fixture *f = *state;
    const struct device_restored restored = {
            .address = DEVICE, .first_seen = START, .last_seen = START, .interval = SECONDS(600)};
    usec_t last, latest;

    assert_true(device_table_restore(f->table, &restored, START));
    for (int i = 0; i < 10000 && fixture_facts(f).interval != SECONDS(2); i++) {
        assert_int_equal(advance_to(f, f->now + SECONDS(2)), 0);
        fixture_hear(f, 0, -60, FLAGS);
        latest = f->now + fixture_facts(f).interval + SECONDS(5);
        assert_true(device_table_deadline(f->table) <= latest || f->now < START + MINUTE);
    }
    last = f->now;
    assert_true(fixture_facts(f).interval == SECONDS(2));
    assert_int_equal(advance_to(f, last + SECONDS(7) - 1), 0);
    assert_int_equal(advance_to(f, last + SECONDS(7)), DEVICE_AVAILABILITY);
}

/* ---- deaf ears ---- */

static void devices_of_a_proxy_that_restarts_stay_available(void **state)
{
    struct fixture *f = *state;

    fall_silent(f, -60, 2, 1);
    device_table_source_online(f->table, 0, false, f->now);
    assert_int_equal(advance_to(f, f->now + SECONDS(20)), 0);
    device_table_source_online(f->table, 0, true, f->now);
    assert_int_equal(advance_to(f, f->now + SECONDS(10)), 0);
    fixture_hear(f, 0, -60, FLAGS);
    assert_int_equal(fixture_kinds(f), 0);
    assert_int_equal(advance_to(f, f->now + SECONDS(7)), DEVICE_AVAILABILITY); /* as ever */
}

static void deaf_ears_are_an_excuse_for_60_seconds(void **state)
{
    struct fixture *f = *state;
    usec_t gone;

    fall_silent(f, -60, 2, 1);
    gone = f->now;
    device_table_source_online(f->table, 0, false, gone);
    assert_int_equal(advance_to(f, gone + SECONDS(59)), 0);
    assert_int_equal(advance_to(f, gone + MINUTE - 1), 0);
    assert_int_equal(advance_to(f, gone + MINUTE), DEVICE_AVAILABILITY);
}

static void paused_source_is_a_deaf_ear(void **state)
{
    struct fixture *f = *state;
    usec_t gone;

    fall_silent(f, -60, 2, 1);
    gone = f->now;
    device_table_source_connecting(f->table, 0, true, gone);
    assert_int_equal(advance_to(f, gone + MINUTE - 1), 0);
    assert_int_equal(advance_to(f, gone + MINUTE), DEVICE_AVAILABILITY);
}

static void packet_that_was_on_its_way_does_not_make_ears_of_a_paused_source(void **state)
{
    struct fixture *f = *state;
    usec_t last;

    fall_silent(f, -60, 2, 1);
    device_table_source_connecting(f->table, 0, true, f->now);
    f->now += 100 * USEC_PER_MSEC;
    fixture_hear(f, 0, -60, FLAGS);
    last = f->now;
    assert_int_equal(advance_to(f, last + MINUTE - 1), 0);
    assert_int_equal(advance_to(f, last + MINUTE), DEVICE_AVAILABILITY);
}

static void quiet_source_is_a_deaf_ear(void **state)
{
    struct fixture *f = *state;
    struct device_table_settings settings = fixture_settings();

    settings.quiet_after = SECONDS(30);
    device_table_configure(f->table, &settings);
    fall_silent(f, -60, 30, 1); /* available until 35 s */
    assert_int_equal(advance_to(f, f->now + MINUTE - 1), 0);
    assert_int_equal(advance_to(f, f->now + 1), DEVICE_AVAILABILITY);
}

static void one_ear_that_listens_is_enough_to_know(void **state)
{
    struct fixture *f = *state;
    usec_t last;

    fall_silent(f, -60, 2, 1);
    fixture_hear(f, ME, -70, FLAGS);
    last = f->now;
    device_table_source_online(f->table, 0, false, f->now);
    assert_int_equal(advance_to(f, last + SECONDS(7) - 1), 0);
    assert_int_equal(advance_to(f, last + SECONDS(7)), DEVICE_AVAILABILITY);
}

static void ear_that_had_lost_the_device_before_knows_nothing(void **state)
{
    struct fixture *f = *state;

    fall_silent(f, -60, 2, 1);
    fixture_hear(f, ME, -80, FLAGS);
    for (int i = 0; i < 5; i++) {
        f->now += SECONDS(2);
        fixture_hear(f, 0, -60, FLAGS);
    }
    device_table_source_online(f->table, 0, false, f->now);
    assert_int_equal(advance_to(f, f->now + SECONDS(30)), 0);
}

static void ear_that_went_after_the_device_fell_silent_is_no_excuse(void **state)
{
    struct fixture *f = *state;
    usec_t last;

    fall_silent(f, -60, 2, 0);
    last = f->now;
    f->now += SECONDS(8);
    device_table_source_online(f->table, 0, false, f->now);
    assert_int_equal(advance_to(f, f->now), DEVICE_AVAILABILITY);
    assert_true(f->now == last + SECONDS(8));
}

static void packet_after_an_excuse_brings_the_usual_deadline_back(void **state)
{
    struct fixture *f = *state;
    usec_t last;

    fall_silent(f, -60, 2, 1);
    device_table_source_online(f->table, 0, false, f->now);
    assert_int_equal(advance_to(f, f->now + SECONDS(10)), 0);
    fixture_hear(f, ME, -70, FLAGS);
    last = f->now;
    assert_true(device_table_deadline(f->table) <= last + SECONDS(7));
    assert_int_equal(advance_to(f, last + SECONDS(7)), DEVICE_AVAILABILITY);
}

static void source_that_goes_and_comes_excuses_no_longer_than_once(void **state)
{
    struct fixture *f = *state;
    usec_t first;
    unsigned kinds = 0;

    fall_silent(f, -60, 2, 1);
    first = f->now;
    for (int i = 0; i < 30 && !kinds; i++) {
        device_table_source_online(f->table, 0, i % 2, f->now);
        kinds = advance_to(f, f->now + SECONDS(4));
    }
    assert_int_equal(kinds, DEVICE_AVAILABILITY);
    assert_true(f->now <= first + SECONDS(7) + MINUTE + SECONDS(4));
}

/* ---- history ---- */

static void E07_after_its_history_is_cleared_the_same_packet_is_news(void **state)
{
    struct fixture *f = *state;
    struct device_path path;

    assert_false(device_table_clear_history(f->table, DEVICE));
    device_table_source_can_connect(f->table, 0, true);
    fall_silent(f, -60, 2, 0);
    fixture_hear(f, 0, -60, "0516d2fc4001");
    fixture_hear(f, 0, -60, "0516d2fc4001");
    assert_int_equal(fixture_kinds(f), 0);
    assert_true(device_table_clear_history(f->table, DEVICE));
    assert_int_equal(fixture_facts(f).owner, 0);
    assert_true(fixture_facts(f).rssi_smoothed == -60);
    assert_true(fixture_facts(f).interval == SECONDS(2));
    assert_int_equal(
            device_get_paths(f->table, device_table_find(f->table, DEVICE), f->now, &path, 1), 1);
    fixture_hear(f, ME, -80, "0516d2fc4001");
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
    fixture_hear(f, 0, -60, "0516d2fc4001");
    assert_int_equal(fixture_kinds(f), 0);
    assert_int_equal(fixture_facts(f).owner, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            FIXTURE_TEST(O04_owner_is_gone_after_some_learned_intervals),
            FIXTURE_TEST(O05_weak_owner_is_left_after_a_missed_interval),
            FIXTURE_TEST(O08_paused_owner_loses_only_to_a_better_one),
            FIXTURE_TEST(O08_pause_that_does_not_end_is_silence_after_30_seconds),
            FIXTURE_TEST(O08_silence_begins_when_the_pause_is_over),
            FIXTURE_TEST(O08_paused_owner_that_hears_nothing_is_not_quiet),
            FIXTURE_TEST(pauses_without_end_excuse_an_owner_for_the_stale_time_at_most),
            FIXTURE_TEST(O13_source_that_comes_again_has_lost_nothing),
            FIXTURE_TEST(O09_device_with_a_need_is_handed_over_after_a_window),
            FIXTURE_TEST(O09_no_window_no_hand_over_but_gone_wins),
            FIXTURE_TEST(O09_owner_that_speaks_up_ends_the_episode),
            FIXTURE_TEST(O09_windows_are_asked_for_once_in_30_seconds),
            FIXTURE_TEST(O09_challenger_that_is_better_needs_no_window),
            FIXTURE_TEST(O09_device_without_a_need_any_more_roams),
            FIXTURE_TEST(O09_need_outlives_the_device_and_its_episode_does_not),
            FIXTURE_TEST(O12_paths_are_all_that_could_connect_and_the_best_comes_first),
            FIXTURE_TEST(O12_paths_of_long_ago_are_worse_and_then_none),
            FIXTURE_TEST(V03_pause_is_not_learned),
            FIXTURE_TEST(V03_restart_of_a_proxy_is_not_learned),
            FIXTURE_TEST(V04_learned_interval_beats_the_expected_one),
            FIXTURE_TEST(V05_learning_makes_the_deadline_sooner),
            FIXTURE_TEST(V06_device_that_anybody_hears_is_available),
            FIXTURE_TEST(V02_interval_comes_back_after_a_restart),
            FIXTURE_TEST(V05_interval_that_gets_shorter_makes_the_deadline_sooner),
            FIXTURE_TEST(devices_of_a_proxy_that_restarts_stay_available),
            FIXTURE_TEST(deaf_ears_are_an_excuse_for_60_seconds),
            FIXTURE_TEST(paused_source_is_a_deaf_ear),
            FIXTURE_TEST(packet_that_was_on_its_way_does_not_make_ears_of_a_paused_source),
            FIXTURE_TEST(quiet_source_is_a_deaf_ear),
            FIXTURE_TEST(one_ear_that_listens_is_enough_to_know),
            FIXTURE_TEST(ear_that_had_lost_the_device_before_knows_nothing),
            FIXTURE_TEST(ear_that_went_after_the_device_fell_silent_is_no_excuse),
            FIXTURE_TEST(packet_after_an_excuse_brings_the_usual_deadline_back),
            FIXTURE_TEST(source_that_goes_and_comes_excuses_no_longer_than_once),
            FIXTURE_TEST(E07_after_its_history_is_cleared_the_same_packet_is_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
