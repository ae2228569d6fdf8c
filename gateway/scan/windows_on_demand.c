/* What people and other parts of the gateway ask the scheduler for now, and what they can look at.
 *
 * A request opens a window at once, together with what is due soon there, or joins the one that is
 * open. What cannot open is written down as a refused window, so that whoever asked can show why;
 * discovery passes over such sources instead, since it wants whoever is free. */
#include "windows.h"

#include "base/error.h"
#include "scan/window_life.h"
#include "scan/window_plan.h"
#include "scan/windows_core.h"

static usec_t clamp(usec_t duration)
{
    if (duration < WINDOWS_DURATION_MIN)
        return WINDOWS_DURATION_MIN;
    return duration > WINDOWS_DURATION_MAX ? WINDOWS_DURATION_MAX : duration;
}

/* NULL: a window can open. */
static const char *refusal_of(const struct windows *w, const struct radio *r, enum scan_cause cause)
{
    bool is_bound =
            cause == SCAN_CAUSE_RESCUE || cause == SCAN_CAUSE_NEED || cause == SCAN_CAUSE_SWEEP;

    if (w->is_stopped)
        return "the gateway stops";
    if (r->is_online && !r->can_set_mode)
        return radio_ability_sentence(RADIO_CANNOT);
    if (is_bound && window_life_is_over_budget(w, r))
        return window_life_over_budget;
    return radio_ability_sentence(radio_ability(r));
}

/* On a radio where a window can open or is open. Its id. */
static uint64_t open_or_join(struct windows *w, struct radio *r, enum scan_cause cause,
                             uint64_t address, usec_t duration)
{
    bool is_new = !r->window, is_extended;
    struct open_window *o = is_new ? window_life_open(w, r, cause) : r->window;

    if (address)
        is_extended = open_window_add(o, address, duration, /* is_silent= */ false, w->now);
    else
        is_extended = open_window_add_all(o, duration, w->now);
    if (is_new) {
        window_plan_gather(w, r);
        return o->id;
    }
    if (is_extended)
        window_life_extended(w, r);
    if (o->started && !address)
        window_life_note_sweep(w, r);
    window_life_touch(w, r);
    return o->id;
}

int windows_open(struct windows *w, uint16_t source, enum scan_cause cause, uint64_t address,
                 usec_t duration, usec_t now, uint64_t *ret_id)
{
    struct radio *r = windows_core_radio(w, source);
    const char *refusal;

    if (!r)
        return E_PROXY_NOT_FOUND;
    windows_core_set_now(w, now);
    duration = clamp(duration);
    if (cause == SCAN_CAUSE_RESCUE && !w->is_stopped && radio_ability(r) == RADIO_COVERS) {
        w->calls.on_covered(w->user, address, source, w->now);
        *ret_id = 0;
        return 0;
    }
    refusal = refusal_of(w, r, cause);
    if (refusal) {
        *ret_id = window_life_refuse(w, source, cause, address, duration, refusal);
        return E_SCAN_REFUSED;
    }
    *ret_id = open_or_join(w, r, cause, address, duration);
    return 0;
}

size_t windows_discover(struct windows *w, usec_t duration, usec_t now, uint64_t *ret_ids,
                        size_t ids_max)
{
    size_t count = 0;

    windows_core_set_now(w, now);
    for (size_t i = 0; !w->is_stopped && i < w->radios_count; i++) {
        struct radio *r = w->radios[i];
        uint64_t id;

        if (!r || radio_ability(r) != RADIO_ABLE)
            continue;
        id = open_or_join(w, r, SCAN_CAUSE_DISCOVER, 0, clamp(duration));
        if (count < ids_max)
            ret_ids[count] = id;
        count++;
    }
    return count;
}

static struct scan_window view_of(struct open_window *o)
{
    return open_window_view(o, o->started ? SCAN_WINDOW_RUNNING : SCAN_WINDOW_OPENING, NULL, 0);
}

bool windows_before(const struct windows *w, uint64_t id, struct scan_window *ret_window)
{
    const struct scan_window *past = past_windows_before(w->past, id);
    struct open_window *best = NULL;

    for (size_t i = 0; i < w->radios_count; i++) {
        struct open_window *o = w->radios[i] ? w->radios[i]->window : NULL;

        if (o && o->id < id && (!best || o->id > best->id))
            best = o;
    }
    if (best && (!past || best->id > past->id))
        *ret_window = view_of(best);
    else if (past)
        *ret_window = *past;
    return best || past;
}

bool windows_get(const struct windows *w, uint64_t id, struct scan_window *ret_window)
{
    struct scan_window found;

    if (id == 0 || id > w->last_id || !windows_before(w, id + 1, &found) || found.id != id)
        return false;
    *ret_window = found;
    return true;
}

uint64_t windows_open_on(const struct windows *w, uint16_t source)
{
    const struct radio *r = windows_core_radio(w, source);

    return r && r->window ? r->window->id : 0;
}

void windows_get_statistics(const struct windows *w, struct windows_statistics *ret_statistics)
{
    *ret_statistics = w->counted;
}
