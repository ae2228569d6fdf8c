/* The story: one timer, usually every ten milliseconds, plays the advertising events that came due,
 * the scripted faults, and each station's own timers. That is finer than anything in the firmware,
 * and cheap: the world knows its next event, a station compares a few times. */
#include "fleet.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

struct script_entry {
    const struct scenario_fault *fault; /* borrowed from the scenario */
    usec_t due;
};

struct fleet {
    uv_timer_t timer;
    const struct scenario *scenario; /* borrowed, outlives us */
    struct world *world;
    struct station **stations; /* each frees itself after station_close() */
    size_t stations_count;
    struct script_entry *script;
    usec_t now;
};

static void on_heard(void *user, const struct world_reception *reception, usec_t now)
{
    struct fleet *f = user;
    station_heard(f->stations[reception->listener], reception, now);
}

static void play_script(struct fleet *f)
{
    for (size_t i = 0; i < f->scenario->faults_count; i++) {
        struct script_entry *entry = &f->script[i];
        const struct scenario_fault *fault = entry->fault;
        if (entry->due > f->now)
            continue;
        (void) fleet_fault(f, fault->proxy, fault->kind, fault->span, fault->octets);
        entry->due = fault->every > 0 ? f->now + fault->every : USEC_NEVER;
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct fleet *f = timer->data;

    f->now = clock_now();
    play_script(f);
    (void) world_advance(f->world, f->now, on_heard, f);
    for (size_t i = 0; i < f->stations_count; i++)
        station_tick(f->stations[i], f->now);
}

/* ---- building ---- */

static void build_world(struct fleet *f)
{
    const struct scenario *s = f->scenario;

    f->world = world_new(&s->radio, s->seed);
    for (size_t i = 0; i < s->rooms_count; i++)
        world_add_room(f->world, &s->rooms[i]);
    for (size_t i = 0; i < s->proxies_count; i++)
        (void) world_add_listener(f->world, &s->proxies[i].place, s->proxies[i].duty);
    for (size_t i = 0; i < s->devices_count; i++) {
        int error = world_add_device(f->world, &s->devices[i].options, f->now);
        if (error != 0) /* the scenario has checked limits and addresses */
            log_error("fleet.device", "number=%zu error=%s", i, uv_err_name(error));
    }
}

static void build_script(struct fleet *f)
{
    const struct scenario *s = f->scenario;

    f->script = xnew(struct script_entry, s->faults_count + 1);
    for (size_t i = 0; i < s->faults_count; i++)
        f->script[i] = (struct script_entry){&s->faults[i], f->now + s->faults[i].at};
}

static int open_stations(struct fleet *f, uv_loop_t *loop, const char **ret_culprit)
{
    const struct scenario *s = f->scenario;

    f->stations = xnew(struct station *, s->proxies_count + 1);
    for (size_t i = 0; i < s->proxies_count; i++) {
        int error =
                station_new(loop, &s->proxies[i], f->world, i, s->seed, f->now, &f->stations[i]);
        if (error != 0) {
            *ret_culprit = s->proxies[i].name;
            return error;
        }
        f->stations_count++;
    }
    return 0;
}

int fleet_new(uv_loop_t *loop, const struct scenario *scenario, struct fleet **ret_fleet,
              const char **ret_culprit)
{
    struct fleet *f = xnew(struct fleet, 1);

    f->scenario = scenario;
    f->now = clock_now();
    (void) uv_timer_init(loop, &f->timer); /* cannot fail */
    f->timer.data = f;
    build_world(f);
    build_script(f);
    int error = open_stations(f, loop, ret_culprit);
    if (error == 0)
        error = uv_timer_start(&f->timer, on_tick, 0, scenario->tick / USEC_PER_MSEC);
    if (error != 0) {
        fleet_close(f);
        return error;
    }
    *ret_fleet = f;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct fleet *f = handle->data;

    world_free(f->world);
    free(f->stations);
    free(f->script);
    free(f);
}

void fleet_close(struct fleet *f)
{
    for (size_t i = 0; i < f->stations_count; i++)
        station_close(f->stations[i]);
    f->stations_count = 0;
    uv_close((uv_handle_t *) &f->timer, on_timer_closed);
}

/* ---- for the control port ---- */

const struct scenario *fleet_scenario(const struct fleet *f)
{
    return f->scenario;
}

struct world *fleet_world(struct fleet *f)
{
    return f->world;
}

usec_t fleet_now(const struct fleet *f)
{
    return f->now;
}

size_t fleet_station_count(const struct fleet *f)
{
    return f->stations_count;
}

struct station *fleet_station(const struct fleet *f, size_t number)
{
    return f->stations[number];
}

int fleet_fault(struct fleet *f, size_t proxy, enum fault_kind kind, usec_t span, size_t octets)
{
    int result = -ENOTSUP;

    if (proxy != SCENARIO_ALL)
        return station_fault(f->stations[proxy], kind, span, octets, f->now);
    for (size_t i = 0; i < f->stations_count; i++)
        if (station_fault(f->stations[i], kind, span, octets, f->now) == 0)
            result = 0;
    return result;
}

void fleet_clear(struct fleet *f, size_t proxy)
{
    for (size_t i = 0; i < f->stations_count; i++)
        if (proxy == SCENARIO_ALL || proxy == i)
            station_clear(f->stations[i], f->now);
}
