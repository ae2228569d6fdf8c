/* The story. A window opens: the radio is commanded to scan actively (unless it says that it does
 * already). Its state message confirms, the window runs, guests answer, its deadline closes it as
 * done: the radio gets its own mode back, each need that was in it is counted and scheduled one
 * interval after it began, and who waits for a device to be covered hears so.
 *
 * Failure modes. No confirmation in time, or the radio goes offline, or leaves active mode, or is
 * set to passive: the window fails, the mode is restored as far as commands still get through, and
 * needs that were not answered are scheduled anew. Time that the radio spent between command and
 * end counts into its budget also then. */
#include "window_life.h"

#include <assert.h>

const char window_life_over_budget[] = "the proxy has used up its time for active scanning";

static usec_t earlier(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

void window_life_touch(struct windows *w, struct radio *r)
{
    usec_t due = USEC_NEVER;

    if (r->window)
        due = open_window_deadline(r->window);
    if (r->is_online && r->wanted == SCAN_AUTO && w->settings.sweep_interval)
        due = earlier(due, r->sweep_at);
    if (r->check_at)
        due = earlier(due, r->check_at);
    if (due == USEC_NEVER)
        heap_remove(&w->radios_due, &r->node);
    else
        heap_set(&w->radios_due, &r->node, due);
}

bool window_life_is_over_budget(const struct windows *w, const struct radio *r)
{
    usec_t used = airtime_used(&r->airtime, w->now);

    if (w->settings.budget == 0 || r->wanted != SCAN_AUTO)
        return false;
    if (r->window && r->window->is_commanded)
        used += w->now - r->window->opened;
    return used >= w->settings.budget;
}

static void tell(struct windows *w, enum scan_window_action action,
                 const struct scan_window *window)
{
    w->calls.on_window(w->user, action, window, w->now);
}

struct open_window *window_life_open(struct windows *w, struct radio *r, enum scan_cause cause)
{
    assert(!r->window && !w->is_stopped);
    r->window =
            open_window_new(++w->last_id, r->source, cause, w->now + w->settings.confirm, w->now);
    return r->window;
}

void window_life_command(struct windows *w, struct radio *r)
{
    if (!radio_wants_active(r)) {
        r->window->is_commanded = true;
        radio_command(r, true, &w->calls, w->user, w->now);
    }
    window_life_confirm(w, r);
    window_life_touch(w, r);
}

void window_life_extended(struct windows *w, struct radio *r)
{
    struct scan_window view = open_window_view(r->window, SCAN_WINDOW_RUNNING, NULL, 0);

    tell(w, SCAN_ACTION_EXTENDED, &view);
}

void window_life_note_sweep(struct windows *w, struct radio *r)
{
    r->has_swept |= r->window->whole > 0;
    if (r->has_swept && w->settings.sweep_interval)
        r->sweep_at = w->now + w->settings.sweep_interval;
}

void window_life_confirm(struct windows *w, struct radio *r)
{
    struct scan_window view;

    if (!r->window || r->window->started || !radio_is_active(r))
        return;
    open_window_start(r->window, w->now);
    r->told = NULL;
    window_life_note_sweep(w, r);
    w->counted.opened[r->window->cause]++;
    window_life_touch(w, r);
    view = open_window_view(r->window, SCAN_WINDOW_RUNNING, NULL, 0);
    tell(w, SCAN_ACTION_OPENED, &view);
}

/* The need was in the window as its guest number index. */
static void settle_need(struct windows *w, struct open_window *o, size_t index, struct need *need,
                        bool is_done, usec_t retry_in)
{
    const struct open_window_guest *guest = &o->guests[index];
    usec_t next;

    if (!is_done && !guest->is_answered) {
        needs_schedule(&w->needs, need, w->now + retry_in);
        need->trouble = retry_in ? NEED_DEFERRED : NEED_FINE;
        need->detail = retry_in ? "the last window failed" : NULL;
        return;
    }
    w->counted.answered += guest->is_answered;
    w->counted.missed += !guest->is_answered;
    need_count(need, guest->is_answered);
    next = guest->since + need->interval;
    needs_schedule(&w->needs, need, next > w->now ? next : w->now);
}

static void settle_guests(struct windows *w, struct open_window *o, bool is_done, usec_t retry_in)
{
    for (size_t i = 0; i < o->count; i++) {
        struct need *need = needs_find(&w->needs, o->addresses[i]);

        if (is_done)
            (void) open_window_conclude(o, i, need ? need->passive_size : 0);
        if (need && need->window == o->id)
            settle_need(w, o, i, need, is_done, retry_in);
        if (is_done)
            w->calls.on_covered(w->user, o->addresses[i], o->source, w->now);
    }
}

/* Into the list of those that are over, and told. */
static void write_down(struct windows *w, const struct scan_window *view)
{
    w->counted.refused += view->state == SCAN_WINDOW_REFUSED;
    w->counted.failed += view->state == SCAN_WINDOW_FAILED;
    past_windows_add(w->past, view);
    tell(w, view->started ? SCAN_ACTION_CLOSED : SCAN_ACTION_REFUSED, view);
}

void window_life_close(struct windows *w, struct radio *r, enum scan_window_state state,
                       const char *detail, usec_t retry_in)
{
    struct open_window *o = r->window;
    usec_t before = o->opened > RADIO_SILENCE ? o->opened - RADIO_SILENCE : 0;
    struct scan_window view;

    assert(state == SCAN_WINDOW_DONE || state == SCAN_WINDOW_FAILED);
    r->window = NULL;
    if (o->is_commanded) {
        airtime_add(&r->airtime, o->opened, w->now);
        w->counted.active_usec += w->now - o->opened;
    }
    radio_restore(r, before, &w->calls, w->user, w->now);
    settle_guests(w, o, state == SCAN_WINDOW_DONE, retry_in);
    window_life_touch(w, r);
    view = open_window_view(o, state, detail, w->now);
    write_down(w, &view);
    open_window_free(o);
}

uint64_t window_life_refuse(struct windows *w, uint16_t source, enum scan_cause cause,
                            uint64_t address, usec_t duration, const char *detail)
{
    const struct scan_window view = {
            .id = ++w->last_id,
            .source = source,
            .state = SCAN_WINDOW_REFUSED,
            .cause = cause,
            .addresses = &address,
            .addresses_count = address != 0,
            .planned = w->now,
            .ended = w->now,
            .duration = duration,
            .detail = detail,
    };

    write_down(w, &view);
    return view.id;
}
