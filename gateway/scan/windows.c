/* The story. Sources come, say what they can and get their mode; needs are declared and become due;
 * deadlines of sources (a window that must be confirmed or closed, a sweep, a check for silence)
 * and of needs stand in two heaps, and advance works off what is due. What is heard is looked at
 * twice: does a need learn from it how its device sounds passively, and is it an answer to a
 * window? Who runs what is decided in window_plan.c, what happens to a window in window_life.c.
 *
 * Failure modes. A source that goes away in the middle of a window: its needs are due at once, and
 * the plan finds another source. A mode that somebody else changed: commanded again, at most once
 * in the retry time. Silence after a change of mode: the radio is switched back and forth once,
 * which restarts its scan, and told. */
#include "windows.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "scan/window_life.h"
#include "scan/window_plan.h"
#include "scan/windows_core.h"

#define STAGGER_STEP  (15 * USEC_PER_SEC)
#define STAGGER_ROUND (240 * USEC_PER_SEC)
#define POKE_PAUSE    USEC_PER_SEC /* a need that was hopeless is not tried more often when heard */

const char *scan_need_state_name(enum scan_need_state state)
{
    switch (state) {
    case SCAN_NEED_WAITING:
        return "waiting";
    case SCAN_NEED_DUE:
        return "due";
    case SCAN_NEED_RUNNING:
        return "running";
    case SCAN_NEED_DEFERRED:
        return "deferred";
    case SCAN_NEED_NO_CAPABLE_PROXY:
        return "no_capable_proxy";
    }
    abort();
}

struct windows *windows_new(const struct windows_settings *settings,
                            const struct windows_calls *calls, void *user)
{
    struct windows *w = xnew(struct windows, 1);

    w->calls = *calls;
    w->user = user;
    w->past = past_windows_new();
    needs_init(&w->needs);
    windows_configure(w, settings, 0);
    return w;
}

static void radio_free(struct radio *r)
{
    if (!r)
        return;
    open_window_free(r->window);
    free(r);
}

void windows_free(struct windows *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->radios_count; i++)
        radio_free(w->radios[i]);
    free(w->radios);
    heap_done(&w->radios_due);
    needs_done(&w->needs);
    past_windows_free(w->past);
    free(w);
}

void windows_configure(struct windows *w, const struct windows_settings *settings, usec_t now)
{
    windows_core_set_now(w, now);
    w->settings = *settings;
    if (w->settings.retry < USEC_PER_SEC)
        w->settings.retry = USEC_PER_SEC; /* planning relies on it that time goes on */
    for (size_t i = 0; i < w->radios_count; i++)
        if (w->radios[i])
            window_life_touch(w, w->radios[i]);
}

static void restore(struct windows *w, struct radio *r)
{
    radio_restore(r, w->now, &w->calls, w->user, w->now);
}

void windows_stop(struct windows *w, usec_t now)
{
    windows_core_set_now(w, now);
    w->is_stopped = true;
    for (size_t i = 0; i < w->radios_count; i++) {
        struct radio *r = w->radios[i];

        if (r && r->window)
            window_life_close(w, r, SCAN_WINDOW_FAILED, "the gateway stops", w->settings.retry);
        else if (r)
            restore(w, r);
    }
}

/* It came, or can do what it could not do before. */
static void welcome(struct windows *w, struct radio *r)
{
    if (r->is_online && r->wanted == SCAN_AUTO && r->sweep_at == USEC_NEVER)
        r->sweep_at = w->now + w->settings.sweep_first + r->stagger;
    window_plan_welcome(w, r);
    window_life_touch(w, r);
}

static void break_off(struct windows *w, struct radio *r, const char *detail)
{
    if (r->window)
        window_life_close(w, r, SCAN_WINDOW_FAILED, detail, /* retry_in= */ 0);
    window_life_touch(w, r);
}

static struct radio *add_radio(struct windows *w, uint16_t source)
{
    struct radio *r = xnew(struct radio, 1);
    usec_t others = 0;

    while (w->radios_count <= source) {
        w->radios = memory_resize(w->radios, w->radios_count + 1, sizeof(struct radio *));
        w->radios[w->radios_count++] = NULL;
    }
    for (size_t i = 0; i < w->radios_count; i++)
        others += w->radios[i] != NULL;
    r->source = source;
    r->sweep_at = USEC_NEVER;
    r->stagger = others * STAGGER_STEP % STAGGER_ROUND;
    w->radios[source] = r;
    return r;
}

void windows_source_add(struct windows *w, uint16_t source, enum scan_mode wanted,
                        bool can_set_mode, usec_t now)
{
    struct radio *r;

    assert(source < WINDOWS_SOURCES_MAX);
    windows_core_set_now(w, now);
    if (windows_core_radio(w, source)) {
        windows_source_can_set_mode(w, source, can_set_mode, now);
        windows_source_want(w, source, wanted, now);
        return;
    }
    r = add_radio(w, source);
    r->wanted = wanted;
    r->can_set_mode = can_set_mode;
}

void windows_source_remove(struct windows *w, uint16_t source, usec_t now)
{
    struct radio *r = windows_core_radio(w, source);
    size_t position = 0;
    struct need *need;

    if (!r)
        return;
    windows_core_set_now(w, now);
    break_off(w, r, "the proxy was removed");
    while ((need = needs_next(&w->needs, &position))) {
        if (need->source == source)
            need->source = WINDOWS_NO_SOURCE;
        if (need->covered_by == source)
            need->covered_by = WINDOWS_NO_SOURCE;
    }
    past_windows_forget(w->past, source);
    heap_remove(&w->radios_due, &r->node);
    w->radios[source] = NULL;
    radio_free(r);
}

void windows_source_online(struct windows *w, uint16_t source, bool is_online, usec_t now)
{
    struct radio *r = windows_core_radio(w, source);

    if (!r || r->is_online == is_online)
        return;
    windows_core_set_now(w, now);
    radio_set_online(r, is_online);
    if (!is_online) {
        break_off(w, r, "the proxy went offline");
        return;
    }
    radio_command(r, radio_wants_active(r), &w->calls, w->user, w->now);
    if (r->sweep_at != USEC_NEVER && r->sweep_at < w->now + w->settings.retry)
        r->sweep_at = w->now + w->settings.retry; /* missed while it was away */
    welcome(w, r);
}

void windows_source_connecting(struct windows *w, uint16_t source, bool is_connecting, usec_t now)
{
    struct radio *r = windows_core_radio(w, source);

    if (!r)
        return;
    windows_core_set_now(w, now);
    radio_set_connecting(r, is_connecting, w->now);
    window_life_touch(w, r);
}

void windows_source_want(struct windows *w, uint16_t source, enum scan_mode wanted, usec_t now)
{
    struct radio *r = windows_core_radio(w, source);

    if (!r || r->wanted == wanted)
        return;
    windows_core_set_now(w, now);
    r->wanted = wanted;
    r->is_warned = false;
    if (wanted == SCAN_PASSIVE)
        break_off(w, r, "the proxy was set to passive scanning");
    if (!r->window)
        restore(w, r);
    welcome(w, r);
}

void windows_source_can_set_mode(struct windows *w, uint16_t source, bool can_set_mode, usec_t now)
{
    struct radio *r = windows_core_radio(w, source);

    if (!r || r->can_set_mode == can_set_mode)
        return;
    windows_core_set_now(w, now);
    r->can_set_mode = can_set_mode;
    r->is_warned = false;
    if (!can_set_mode) {
        break_off(w, r, radio_ability_sentence(RADIO_CANNOT));
        return;
    }
    radio_command(r, radio_wants_active(r), &w->calls, w->user, w->now);
    welcome(w, r);
}

/* The mode is not what was commanded, and not because a command is under way. */
static bool is_astray(const struct windows *w, const struct radio *r)
{
    enum scan_reported mode = radio_wants_active(r) ? SCAN_REPORTED_ACTIVE : SCAN_REPORTED_PASSIVE;

    return r->reported != SCAN_REPORTED_UNKNOWN && r->reported != mode &&
           w->now >= r->commanded_at + w->settings.retry;
}

void windows_source_state(struct windows *w, uint16_t source, enum scan_reported mode,
                          bool is_running, usec_t now)
{
    struct radio *r = windows_core_radio(w, source);
    bool could_serve = window_plan_can_serve(r);

    if (!r)
        return;
    windows_core_set_now(w, now);
    radio_report(r, mode, is_running, w->now);
    if (!could_serve)
        window_plan_welcome(w, r);
    if (!r->window && is_astray(w, r))
        radio_command(r, radio_wants_active(r), &w->calls, w->user, w->now);
    else if (r->window && r->window->started && mode == SCAN_REPORTED_PASSIVE)
        window_life_close(w, r, SCAN_WINDOW_FAILED, "the proxy left active scanning",
                          w->settings.retry);
    else
        window_life_confirm(w, r);
}

void windows_source_heard(struct windows *w, uint16_t source, usec_t now)
{
    struct radio *r = windows_core_radio(w, source);

    if (!r)
        return;
    windows_core_set_now(w, now);
    radio_hear(r, w->now);
}

static void need_heard(struct windows *w, struct need *need, const struct radio *r, size_t size)
{
    bool is_answer = need->passive_size == 0 || size > need->passive_size;

    if (need->covered_by == r->source && w->now > need->covered_since && is_answer) {
        need->covered_by = WINDOWS_NO_SOURCE;
        need_count(need, true);
        w->counted.answered++;
    }
    if (size > need->passive_size && radio_is_passive(r, w->now))
        need->passive_size = size;
    if (need->trouble == NEED_HOMELESS && need->due > w->now &&
        w->now >= need->tried + POKE_PAUSE && window_plan_can_serve(r))
        needs_schedule(&w->needs, need, w->now);
}

void windows_heard(struct windows *w, uint16_t source, uint64_t address, size_t size, usec_t now)
{
    struct radio *r = windows_core_radio(w, source);
    struct need *need;

    if (!r)
        return;
    windows_core_set_now(w, now);
    need = needs_find(&w->needs, address);
    if (need)
        need_heard(w, need, r, size);
    if (r->window && open_window_hear(r->window, address, size, need ? need->passive_size : 0))
        window_life_touch(w, r);
}

/* Back and forth: a command for the mode that it has would not restart the scan. */
static void restart_scan(struct windows *w, struct radio *r)
{
    radio_command(r, !radio_wants_active(r), &w->calls, w->user, w->now);
    radio_command(r, radio_wants_active(r), &w->calls, w->user, w->now);
    w->counted.restarts++;
    w->calls.on_warning(w->user, WINDOWS_SILENT, r->source, 0);
}

static void advance_radio(struct windows *w, struct radio *r)
{
    if (r->window && open_window_deadline(r->window) <= w->now) {
        if (r->window->started)
            window_life_close(w, r, SCAN_WINDOW_DONE, NULL, 0);
        else
            window_life_close(w, r, SCAN_WINDOW_FAILED,
                              "the proxy did not report an active scan in time", w->settings.retry);
    }
    window_plan_sweep(w, r);
    if (radio_check(r, w->now))
        restart_scan(w, r);
    window_life_touch(w, r);
}

void windows_advance(struct windows *w, usec_t now)
{
    struct heap_node *node;
    usec_t due;

    windows_core_set_now(w, now);
    if (w->is_stopped)
        return;
    while ((node = heap_first(&w->radios_due, &due)) && due <= w->now)
        advance_radio(w, CONTAINER_OF(node, struct radio, node));
    window_plan_needs(w);
}

usec_t windows_deadline(const struct windows *w)
{
    const struct need *need = needs_first(&w->needs);
    usec_t due;

    if (w->is_stopped)
        return USEC_NEVER;
    (void) heap_first(&w->radios_due, &due);
    return need && need->due < due ? need->due : due;
}

int windows_need_set(struct windows *w, uint64_t address, usec_t interval, usec_t duration,
                     usec_t now)
{
    struct need *need = needs_find(&w->needs, address);

    windows_core_set_now(w, now);
    if (interval < WINDOWS_INTERVAL_MIN || interval > WINDOWS_INTERVAL_MAX ||
        duration < WINDOWS_DURATION_MIN || duration > WINDOWS_DURATION_MAX)
        return E_INVALID_REQUEST;
    if (!need && needs_count(&w->needs) >= w->settings.needs_max)
        return E_QUEUE_FULL;
    if (!need)
        need = needs_add(&w->needs, address, w->now);
    need->interval = interval;
    need->duration = duration;
    if (need->window == 0 && need->due > w->now + interval)
        needs_schedule(&w->needs, need, w->now + interval);
    return 0;
}

bool windows_need_end(struct windows *w, uint64_t address, usec_t now)
{
    struct need *need = needs_find(&w->needs, address);

    windows_core_set_now(w, now);
    if (!need)
        return false;
    needs_remove(&w->needs, need);
    for (size_t i = 0; needs_count(&w->needs) == 0 && i < w->radios_count; i++)
        if (w->radios[i])
            w->radios[i]->is_warned = false;
    return true;
}

static enum scan_need_state state_of(const struct windows *w, const struct need *need)
{
    if (need->window)
        return SCAN_NEED_RUNNING;
    if (need->trouble == NEED_HOMELESS)
        return SCAN_NEED_NO_CAPABLE_PROXY;
    if (need->trouble == NEED_DEFERRED)
        return SCAN_NEED_DEFERRED;
    return need->due <= w->now ? SCAN_NEED_DUE : SCAN_NEED_WAITING;
}

static struct scan_need view_of(const struct windows *w, const struct need *need)
{
    return (struct scan_need){
            .address = need->address,
            .interval = need->interval,
            .duration = need->duration,
            .source = need->source,
            .state = state_of(w, need),
            .next_due = need->window ? 0 : need->due,
            .last_window = need->last_window,
            .answered = need->answered,
            .missed = need->missed,
            .missed_in_a_row = need->missed_in_a_row,
            .detail = need->detail,
    };
}

bool windows_need_get(const struct windows *w, uint64_t address, struct scan_need *ret_need)
{
    const struct need *need = needs_find(&w->needs, address);

    if (need)
        *ret_need = view_of(w, need);
    return need != NULL;
}

bool windows_need_next(const struct windows *w, size_t *position, struct scan_need *ret_need)
{
    const struct need *need = needs_next(&w->needs, position);

    if (need)
        *ret_need = view_of(w, need);
    return need != NULL;
}

size_t windows_need_count(const struct windows *w)
{
    return needs_count(&w->needs);
}
