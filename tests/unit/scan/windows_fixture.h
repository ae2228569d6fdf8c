/* A fleet for the scheduler: firmware that obeys (or not), an air that says who hears whom, and a
 * list of all that was commanded and told. Time is virtual. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "scan/windows.h"

#define SECONDS(n)   ((usec_t) (n) *USEC_PER_SEC)
#define MSEC(n)      ((usec_t) (n) *USEC_PER_MSEC)
#define START        SECONDS(100000)
#define SOURCES      30
#define DEVICES      400
#define TOLD_MAX     4096
#define DEVICE(n)    (0xa4c138000000u + (uint64_t) (n))
#define STATE_DELAY  MSEC(100) /* of firmware, from a command to the state that tells it */
#define PASSIVE_SIZE 20
#define ACTIVE_SIZE  50

struct firmware {
    bool is_deaf; /* obeys no command */
    bool is_online, can_set_mode;
    bool is_active;
    usec_t says_at; /* when it tells its state; 0: it has nothing to say */
    unsigned commands, commands_active;
    usec_t commanded_active_at; /* 0: passive was commanded last */
};

struct told {
    usec_t time;
    enum scan_window_action action;
    struct scan_window window; /* without what it points to */
    uint64_t first_address;
    char detail[96];
};

struct fixture {
    struct windows *windows;
    usec_t now;
    struct firmware firmware[SOURCES];
    uint16_t owner[DEVICES];
    int rssi[DEVICES][SOURCES]; /* 0: does not hear it */
    struct told told[TOLD_MAX];
    size_t told_count;
    size_t warnings[WINDOWS_SILENT + 1];
    uint16_t warned_source;
    size_t covered_count;
    uint64_t covered_address;
    uint16_t covered_source;
    usec_t covered_at;
};

static inline struct windows_settings fixture_settings(void)
{
    return (struct windows_settings){
            .coalesce = SECONDS(40),
            .confirm = SECONDS(2),
            .retry = SECONDS(30),
            .budget = SECONDS(900),
            .sweep_interval = 0, /* those who test sweeps switch them on */
            .sweep_first = SECONDS(240),
            .sweep_duration = SECONDS(15),
            .needs_max = 10000,
    };
}

static inline void fixture_set_mode(void *user, uint16_t source, bool is_active)
{
    struct fixture *f = user;
    struct firmware *fw = &f->firmware[source];

    assert_true(fw->is_online && fw->can_set_mode);
    fw->commands++;
    fw->commands_active += is_active;
    if (!is_active)
        fw->commanded_active_at = 0;
    else if (!fw->commanded_active_at)
        fw->commanded_active_at = f->now;
    if (fw->is_deaf || fw->is_active == is_active)
        return; /* as firmware does: no answer */
    fw->is_active = is_active;
    fw->says_at = f->now + STATE_DELAY;
}

static inline void fixture_on_window(void *user, enum scan_window_action action,
                                     const struct scan_window *window, usec_t now)
{
    struct fixture *f = user;
    struct told *told = &f->told[f->told_count % TOLD_MAX];

    assert_int_equal(now, f->now);
    f->told_count++;
    *told = (struct told){.time = now, .action = action, .window = *window};
    told->first_address = window->addresses_count ? window->addresses[0] : 0;
    if (window->detail)
        (void) strncpy(told->detail, window->detail, sizeof told->detail - 1);
    told->window.addresses = NULL;
    told->window.detail = NULL;
}

static inline void fixture_on_covered(void *user, uint64_t address, uint16_t source, usec_t now)
{
    struct fixture *f = user;

    f->covered_count++;
    f->covered_address = address;
    f->covered_source = source;
    f->covered_at = now;
}

static inline void fixture_on_warning(void *user, enum windows_warning warning, uint16_t source,
                                      uint64_t address)
{
    struct fixture *f = user;

    (void) address;
    f->warnings[warning]++;
    f->warned_source = source;
}

static inline uint16_t fixture_get_owner(void *user, uint64_t address)
{
    struct fixture *f = user;

    return f->owner[address - DEVICE(0)];
}

static inline bool fixture_get_hearer(void *user, uint64_t address, size_t index,
                                      uint16_t *ret_source, double *ret_rssi)
{
    struct fixture *f = user;
    size_t at = 0;

    for (uint16_t s = 0; s < SOURCES; s++) {
        int rssi = f->rssi[address - DEVICE(0)][s];

        if (rssi == 0 || at++ != index)
            continue;
        *ret_source = s;
        *ret_rssi = rssi;
        return true;
    }
    return false;
}

static const struct windows_calls fixture_calls = {
        .set_mode = fixture_set_mode,
        .on_window = fixture_on_window,
        .on_covered = fixture_on_covered,
        .on_warning = fixture_on_warning,
        .get_owner = fixture_get_owner,
        .get_hearer = fixture_get_hearer,
};

static inline void fixture_start(struct fixture *f, const struct windows_settings *settings)
{
    *f = (struct fixture){.now = START};
    for (size_t i = 0; i < DEVICES; i++)
        f->owner[i] = WINDOWS_NO_SOURCE;
    f->windows = windows_new(settings, &fixture_calls, f);
}

static inline int fixture_setup(void **state)
{
    const struct windows_settings settings = fixture_settings();
    struct fixture *f = xnew(struct fixture, 1);

    fixture_start(f, &settings);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    windows_free(f->windows);
    free(f);
    return 0;
}

#define FIXTURE_TEST(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

static inline void fixture_say_state(struct fixture *f, uint16_t source)
{
    struct firmware *fw = &f->firmware[source];

    fw->says_at = 0;
    windows_source_state(f->windows, source,
                         fw->is_active ? SCAN_REPORTED_ACTIVE : SCAN_REPORTED_PASSIVE, true,
                         f->now);
}

/* The source comes online; its firmware says what it does (active, as its own configuration is). */
static inline void fixture_online(struct fixture *f, uint16_t source)
{
    f->firmware[source].is_online = true;
    f->firmware[source].is_active = true;
    windows_source_online(f->windows, source, true, f->now);
    f->firmware[source].says_at = f->now + STATE_DELAY;
}

static inline void fixture_offline(struct fixture *f, uint16_t source)
{
    f->firmware[source].is_online = false;
    f->firmware[source].says_at = 0;
    f->firmware[source].commanded_active_at = 0;
    windows_source_online(f->windows, source, false, f->now);
}

static inline void fixture_source(struct fixture *f, uint16_t source, enum scan_mode mode)
{
    f->firmware[source].can_set_mode = true;
    windows_source_add(f->windows, source, mode, true, f->now);
    fixture_online(f, source);
}

static inline void fixture_own(struct fixture *f, size_t device, uint16_t source)
{
    f->owner[device] = source;
    if (f->rssi[device][source] == 0)
        f->rssi[device][source] = -60;
}

static inline usec_t fixture_next(const struct fixture *f)
{
    usec_t next = windows_deadline(f->windows);

    for (uint16_t s = 0; s < SOURCES; s++)
        if (f->firmware[s].says_at && f->firmware[s].says_at < next)
            next = f->firmware[s].says_at;
    return next;
}

/* Lets time go on: states are told and deadlines kept exactly. */
static inline void fixture_run(struct fixture *f, usec_t span)
{
    usec_t until = f->now + span, next;
    unsigned steps = 0;

    while ((next = fixture_next(f)) <= until) {
        steps = next <= f->now ? steps + 1 : 0;
        assert_true(steps < 1000); /* time must not stand still */
        if (next > f->now)
            f->now = next;
        for (uint16_t s = 0; s < SOURCES; s++)
            if (f->firmware[s].says_at && f->firmware[s].says_at <= f->now)
                fixture_say_state(f, s);
        windows_advance(f->windows, f->now);
    }
    f->now = until;
    windows_advance(f->windows, f->now);
}

static inline void fixture_need(struct fixture *f, size_t device, unsigned interval_s,
                                unsigned duration_s)
{
    assert_int_equal(windows_need_set(f->windows, DEVICE(device), SECONDS(interval_s),
                                      SECONDS(duration_s), f->now),
                     0);
}

static inline struct scan_need fixture_get_need(const struct fixture *f, size_t device)
{
    struct scan_need need;

    assert_true(windows_need_get(f->windows, DEVICE(device), &need));
    return need;
}

static inline struct scan_window fixture_get_window(const struct fixture *f, uint64_t id)
{
    struct scan_window window;

    assert_true(windows_get(f->windows, id, &window));
    return window;
}

static inline void fixture_hear(struct fixture *f, uint16_t source, size_t device, size_t size)
{
    windows_source_heard(f->windows, source, f->now);
    windows_heard(f->windows, source, DEVICE(device), size, f->now);
}

static inline const struct told *fixture_last(const struct fixture *f)
{
    assert_true(f->told_count > 0);
    return &f->told[(f->told_count - 1) % TOLD_MAX];
}

static inline size_t fixture_count(const struct fixture *f, enum scan_window_action action)
{
    size_t count = 0;

    assert_true(f->told_count <= TOLD_MAX);
    for (size_t i = 0; i < f->told_count; i++)
        count += f->told[i].action == action;
    return count;
}

/* The action of that kind number index, from 0. */
static inline const struct told *fixture_told(const struct fixture *f,
                                              enum scan_window_action action, size_t index)
{
    for (size_t i = 0; i < f->told_count && i < TOLD_MAX; i++)
        if (f->told[i].action == action && index-- == 0)
            return &f->told[i];
    fail_msg("not told");
    return NULL;
}

/* A source in auto mode that owns the device, a while ago. */
static inline void fixture_settle(struct fixture *f, size_t device, uint16_t source)
{
    fixture_source(f, source, SCAN_AUTO);
    fixture_own(f, device, source);
    fixture_run(f, SECONDS(5));
}

static inline uint64_t fixture_request(struct fixture *f, uint16_t source, uint64_t address,
                                       unsigned duration_s)
{
    uint64_t id = 0;

    assert_int_equal(windows_open(f->windows, source, SCAN_CAUSE_REQUEST, address,
                                  SECONDS(duration_s), f->now, &id),
                     0);
    return id;
}

static inline void fixture_switch_sweeps_on(struct fixture *f)
{
    struct windows_settings settings = fixture_settings();

    settings.sweep_interval = SECONDS(43200);
    windows_configure(f->windows, &settings, f->now);
}
