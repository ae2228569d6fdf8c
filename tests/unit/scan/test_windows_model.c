/* The scheduler under random events, against what must always be true; and a day of a large
 * house. */
#include "windows_fixture.h"

#define MODEL_SOURCES 6
#define MODEL_DEVICES 20
#define STEPS         20000
#define SPANS_MAX     4096
#define BUDGET        SECONDS(120)

struct span {
    usec_t from, to;
};

struct model {
    struct fixture fixture; /* first: what the calls get */
    uint32_t random;
    bool with_people; /* requests and sources that are always active */
    bool is_open[SOURCES];
    enum scan_mode wanted[SOURCES];
    bool has_need[MODEL_DEVICES];
    usec_t interval[MODEL_DEVICES];
    struct span spans[SOURCES][SPANS_MAX]; /* of commanded active scanning */
    size_t spans_count[SOURCES];
};

static uint32_t draw(struct model *m, uint32_t below)
{
    m->random = m->random * 1664525u + 1013904223u;
    return (m->random >> 8) % below;
}

/* ---- watching ---- */

static void end_span(struct model *m, uint16_t source)
{
    usec_t from = m->fixture.firmware[source].commanded_active_at;
    size_t *count = &m->spans_count[source];

    if (from)
        m->spans[source][(*count)++ % SPANS_MAX] = (struct span){from, m->fixture.now};
}

static void watch_mode(void *user, uint16_t source, bool is_active)
{
    if (!is_active)
        end_span(user, source);
    fixture_set_mode(user, source, is_active);
}

static void watch_window(void *user, enum scan_window_action action,
                         const struct scan_window *window, usec_t now)
{
    struct model *m = user;

    if (action == SCAN_ACTION_OPENED) {
        assert_false(m->is_open[window->source]); /* never two at once */
        m->is_open[window->source] = true;
    }
    if (action == SCAN_ACTION_EXTENDED)
        assert_true(m->is_open[window->source]);
    if (action == SCAN_ACTION_CLOSED) {
        assert_true(m->is_open[window->source]);
        m->is_open[window->source] = false;
        assert_true(window->started && window->ended >= window->started);
    }
    fixture_on_window(user, action, window, now);
}

static void model_start(struct model *m, uint32_t seed, bool with_people)
{
    struct windows_settings settings = fixture_settings();
    struct windows_calls calls = fixture_calls;
    struct fixture *f = &m->fixture;

    settings.budget = BUDGET;
    settings.sweep_interval = SECONDS(3600);
    fixture_start(f, &settings);
    windows_free(f->windows);
    calls.set_mode = watch_mode;
    calls.on_window = watch_window;
    f->windows = windows_new(&settings, &calls, m);
    m->random = seed;
    m->with_people = with_people;
    for (uint16_t s = 0; s < MODEL_SOURCES; s++) {
        m->wanted[s] = SCAN_AUTO;
        fixture_source(f, s, SCAN_AUTO);
    }
}

/* ---- events ---- */

static void change_source(struct model *m)
{
    struct fixture *f = &m->fixture;
    uint16_t s = (uint16_t) draw(m, MODEL_SOURCES);
    bool is_deaf = draw(m, 8) == 0;

    switch (draw(m, 6)) {
    case 0:
        if (f->firmware[s].is_online) {
            end_span(m, s);
            fixture_offline(f, s);
        } else
            fixture_online(f, s);
        break;
    case 1:
        windows_source_connecting(f->windows, s, draw(m, 2), f->now);
        break;
    case 2:
        m->wanted[s] = m->with_people ? (enum scan_mode) draw(m, 3)
                       : draw(m, 2)   ? SCAN_AUTO
                                      : SCAN_PASSIVE;
        windows_source_want(f->windows, s, m->wanted[s], f->now);
        break;
    case 3:
        f->firmware[s].is_deaf = is_deaf;
        break;
    case 4:
        f->firmware[s].is_active = draw(m, 2); /* restarts, or somebody else's command */
        if (f->firmware[s].is_online)
            fixture_say_state(f, s);
        break;
    default:
        windows_source_heard(f->windows, s, f->now);
        break;
    }
}

static void change_air(struct model *m)
{
    struct fixture *f = &m->fixture;
    size_t d = draw(m, MODEL_DEVICES);
    uint16_t s = (uint16_t) draw(m, MODEL_SOURCES);

    f->rssi[d][s] = draw(m, 3) ? -40 - (int) draw(m, 50) : 0;
    f->owner[d] = draw(m, 10) ? s : WINDOWS_NO_SOURCE;
    if (f->firmware[s].is_online)
        fixture_hear(f, s, d, draw(m, 2) ? PASSIVE_SIZE : ACTIVE_SIZE);
}

static void change_needs(struct model *m)
{
    struct fixture *f = &m->fixture;
    size_t d = draw(m, MODEL_DEVICES);

    if (draw(m, 4) == 0) {
        assert_int_equal(windows_need_end(f->windows, DEVICE(d), f->now), m->has_need[d]);
        m->has_need[d] = false;
        return;
    }
    m->interval[d] = SECONDS(60 + draw(m, 600));
    m->has_need[d] = true;
    assert_int_equal(windows_need_set(f->windows, DEVICE(d), m->interval[d],
                                      SECONDS(5 + draw(m, 31)), f->now),
                     0);
}

static void ask(struct model *m)
{
    struct fixture *f = &m->fixture;
    uint64_t id;

    if (!m->with_people) {
        (void) windows_open(f->windows, (uint16_t) draw(m, MODEL_SOURCES), SCAN_CAUSE_RESCUE,
                            DEVICE(draw(m, MODEL_DEVICES)), SECONDS(10), f->now, &id);
        return;
    }
    if (draw(m, 2))
        (void) windows_discover(f->windows, SECONDS(5 + draw(m, 30)), f->now, &id, 1);
    else
        (void) windows_open(f->windows, (uint16_t) draw(m, MODEL_SOURCES), SCAN_CAUSE_REQUEST, 0,
                            SECONDS(5 + draw(m, 30)), f->now, &id);
}

static void step(struct model *m)
{
    uint32_t kind = draw(m, 20);

    if (kind < 6)
        change_source(m);
    else if (kind < 12)
        change_air(m);
    else if (kind < 15)
        change_needs(m);
    else if (kind == 15)
        ask(m);
    fixture_run(&m->fixture, draw(m, 10) ? MSEC(draw(m, 3000)) : SECONDS(draw(m, 300)));
}

/* ---- what must be true ---- */

static void check_needs(const struct model *m)
{
    const struct fixture *f = &m->fixture;
    size_t count = 0;

    for (size_t d = 0; d < MODEL_DEVICES; d++) {
        struct scan_need need;

        assert_int_equal(windows_need_get(f->windows, DEVICE(d), &need), m->has_need[d]);
        if (!m->has_need[d])
            continue;
        count++;
        if (need.state == SCAN_NEED_RUNNING)
            assert_int_equal(windows_open_on(f->windows, need.source), need.last_window);
        else
            assert_in_range(need.next_due, f->now, f->now + m->interval[d]);
    }
    assert_int_equal(windows_need_count(f->windows), count);
}

/* In the hour up to the end of each span. A window that is opened within the budget may exceed it;
 * 2 s are for its confirmation. */
static void check_budget(const struct model *m, uint16_t source)
{
    size_t count = m->spans_count[source] < SPANS_MAX ? m->spans_count[source] : SPANS_MAX;

    for (size_t i = 0; i < count; i++) {
        usec_t end = m->spans[source][i].to, used = 0, begin = end - SECONDS(3600);

        for (size_t j = 0; j < count; j++) {
            const struct span *s = &m->spans[source][j];

            if (s->to > begin && s->from < end)
                used += (s->to < end ? s->to : end) - (s->from > begin ? s->from : begin);
        }
        assert_in_range(used, 0, BUDGET + WINDOWS_DURATION_MAX + SECONDS(2));
    }
}

/* Nothing happens any more: each source does what it was last wanted to do. */
static void check_rest(struct model *m)
{
    struct fixture *f = &m->fixture;

    for (size_t d = 0; d < MODEL_DEVICES; d++)
        (void) windows_need_end(f->windows, DEVICE(d), f->now);
    for (uint16_t s = 0; s < MODEL_SOURCES; s++) {
        f->firmware[s].is_deaf = false;
        windows_source_connecting(f->windows, s, false, f->now);
        if (!f->firmware[s].is_online)
            fixture_online(f, s);
    }
    fixture_run(f, SECONDS(100));
    windows_stop(f->windows, f->now);
    fixture_run(f, SECONDS(1));
    for (uint16_t s = 0; s < MODEL_SOURCES; s++) {
        assert_false(m->is_open[s]);
        assert_int_equal(windows_open_on(f->windows, s), 0);
        assert_int_equal(f->firmware[s].commanded_active_at != 0, m->wanted[s] == SCAN_ACTIVE);
    }
}

/* All is well again: every need is served within its interval and the retry time. */
static void check_recovery(struct model *m)
{
    struct windows_settings settings = fixture_settings();
    struct fixture *f = &m->fixture;
    struct scan_need before[MODEL_DEVICES];

    settings.budget = 0;
    windows_configure(f->windows, &settings, f->now);
    for (uint16_t s = 0; s < MODEL_SOURCES; s++) {
        f->firmware[s].is_deaf = false;
        windows_source_connecting(f->windows, s, false, f->now);
        windows_source_want(f->windows, s, m->wanted[s] = SCAN_AUTO, f->now);
        if (!f->firmware[s].is_online)
            fixture_online(f, s);
    }
    for (size_t d = 0; d < MODEL_DEVICES; d++) {
        fixture_own(f, d, (uint16_t) (d % MODEL_SOURCES));
        if (m->has_need[d])
            before[d] = fixture_get_need(f, d);
    }
    fixture_run(f, SECONDS(660 + 30 + 70 + 1));
    for (size_t d = 0; d < MODEL_DEVICES; d++)
        if (m->has_need[d])
            assert_true(fixture_get_need(f, d).answered + fixture_get_need(f, d).missed >
                        before[d].answered + before[d].missed);
}

static void run_model(uint32_t seed, bool with_people)
{
    struct model *m = xnew(struct model, 1);

    print_message("seed %u\n", seed);
    model_start(m, seed, with_people);
    for (size_t i = 0; i < STEPS; i++) {
        step(m);
        check_needs(m);
    }
    for (uint16_t s = 0; s < MODEL_SOURCES && !with_people; s++)
        check_budget(m, s);
    assert_true(m->fixture.told_count > 1000);
    check_recovery(m);
    check_rest(m);
    windows_free(m->fixture.windows);
    free(m);
}

static void random_events_break_nothing(void **state)
{
    (void) state;
    for (uint32_t seed = 1; seed <= 4; seed++)
        run_model(seed, true);
}

static void random_events_stay_within_the_budget(void **state)
{
    (void) state;
    for (uint32_t seed = 1; seed <= 4; seed++)
        run_model(seed, false);
}

/* 30 proxies, 200 needs; a fifth of the windows is answered early. */
static void a_day_of_a_large_house_passes(void **state)
{
    struct windows_settings settings = fixture_settings();
    struct fixture *f = *state;
    struct windows_statistics statistics;

    settings.sweep_interval = SECONDS(43200);
    windows_configure(f->windows, &settings, f->now);
    for (uint16_t s = 0; s < SOURCES; s++)
        fixture_source(f, s, SCAN_AUTO);
    for (size_t d = 0; d < 200; d++) {
        fixture_own(f, d, (uint16_t) (d % SOURCES));
        fixture_need(f, d, 300 + 60 * (unsigned) (d % 10), 5 + (unsigned) (d % 10));
    }
    for (size_t minute = 0; minute < 24 * 60; minute++) {
        for (size_t d = 0; d < 200; d++)
            fixture_hear(f, (uint16_t) (d % SOURCES), d, d % 5 ? PASSIVE_SIZE : ACTIVE_SIZE);
        fixture_run(f, SECONDS(60));
    }
    windows_get_statistics(f->windows, &statistics);
    assert_in_range(statistics.opened[SCAN_CAUSE_NEED], 30 * 24, 30 * 86400 / 300 * 3);
    assert_int_equal(statistics.failed, 0);
    for (size_t d = 0; d < 200; d++)
        assert_in_range(fixture_get_need(f, d).answered + fixture_get_need(f, d).missed,
                        86400 / (300 + 60 * (d % 10)) - 1, 86400 / 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(random_events_break_nothing),
            cmocka_unit_test(random_events_stay_within_the_budget),
            FIXTURE_TEST(a_day_of_a_large_house_passes),
    };

    return cmocka_run_group_tests_name("windows_model", tests, NULL, NULL);
}
