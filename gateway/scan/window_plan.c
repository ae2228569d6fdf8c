/* The story. A need is due. The owner of its device runs a window for it, if it can; else the
 * loudest source that hears the device and can. If a window is open there already, the need joins
 * it; else one opens and takes along what else will be due there soon. A source that scans actively
 * all the time needs no window: then the need just waits for an answer, until it is due again.
 *
 * Failure modes. Nobody can, or the budget is used up: the need is due again after the retry time,
 * and the first refusal of a kind is told for each source, not each repetition. A window that runs
 * is too old to be made longer: the need waits for its end. Every step either puts the need into a
 * window or its due time into the future, so planning comes to an end. */
#include "window_plan.h"

#include <math.h>

#include "scan/window_life.h"

bool window_plan_can_serve(const struct radio *r)
{
    enum radio_ability ability = r ? radio_ability(r) : RADIO_OFFLINE;

    return ability == RADIO_ABLE || ability == RADIO_COVERS;
}

static struct radio *owner_of(const struct windows *w, uint64_t address)
{
    return windows_core_radio(w, w->calls.get_owner(w->user, address));
}

static bool is_louder(double rssi, double best)
{
    return rssi > best || (isnan(best) && !isnan(rssi));
}

/* The loudest source that hears the device and can serve it. */
static struct radio *find_loudest(const struct windows *w, uint64_t address)
{
    struct radio *best = NULL;
    double best_rssi = NAN, rssi;
    uint16_t source;

    for (size_t i = 0; w->calls.get_hearer(w->user, address, i, &source, &rssi); i++) {
        struct radio *r = windows_core_radio(w, source);

        if (!window_plan_can_serve(r) || (best && !is_louder(rssi, best_rssi)))
            continue;
        best = r;
        best_rssi = rssi;
    }
    return best;
}

static bool is_silent(const struct need *need)
{
    return need->missed_in_a_row >= WINDOWS_SILENT_AFTER;
}

/* True: the end of the running window moved. */
static bool enter(struct windows *w, struct radio *r, struct need *need)
{
    needs_enter(&w->needs, need, r->window->id, r->source);
    return open_window_add(r->window, need->address, need->duration, is_silent(need), w->now);
}

static void put_off(struct windows *w, struct need *need, enum need_trouble trouble,
                    const char *detail)
{
    need->trouble = trouble;
    need->detail = detail;
    needs_schedule(&w->needs, need, w->now + w->settings.retry);
}

/* For a reason that will pass; told once for each source until a window opens there. */
static void defer(struct windows *w, struct need *need, struct radio *r, const char *detail)
{
    put_off(w, need, NEED_DEFERRED, detail);
    need->source = r->source;
    if (r->told == detail)
        return;
    r->told = detail;
    (void) window_life_refuse(w, r->source, SCAN_CAUSE_NEED, need->address, need->duration, detail);
}

/* The owner, NULL: nobody, cannot, and neither can anybody else. */
static void give_up(struct windows *w, struct need *need, struct radio *owner)
{
    enum radio_ability ability;

    if (!owner) {
        need->source = WINDOWS_NO_SOURCE;
        put_off(w, need, NEED_HOMELESS, "no proxy hears the device");
        return;
    }
    ability = radio_ability(owner);
    if (ability == RADIO_CONNECTING || ability == RADIO_NOT_YET) {
        defer(w, need, owner, radio_ability_sentence(ability));
        return;
    }
    need->source = WINDOWS_NO_SOURCE;
    put_off(w, need, NEED_HOMELESS, radio_ability_sentence(ability));
}

static void warn_of_owner(struct windows *w, struct radio *owner, uint64_t address)
{
    enum radio_ability ability = radio_ability(owner);

    if (owner->is_warned || (ability != RADIO_CANNOT && ability != RADIO_FORBIDDEN))
        return;
    owner->is_warned = true;
    w->calls.on_warning(w->user, WINDOWS_PASSIVE_ONLY, owner->source, address);
}

/* Nothing needs to be opened: an answer is awaited until the need is due again. */
static void cover(struct windows *w, struct need *need, const struct radio *r)
{
    need->source = r->source;
    need->covered_by = r->source;
    need->covered_since = w->now;
    need->trouble = NEED_FINE;
    need->detail = NULL;
    needs_schedule(&w->needs, need, w->now + need->interval);
    w->calls.on_covered(w->user, need->address, r->source, w->now);
}

/* It was covered, and no answer came until now. */
static void end_cover(struct windows *w, struct need *need)
{
    if (need->covered_by == WINDOWS_NO_SOURCE)
        return;
    need->covered_by = WINDOWS_NO_SOURCE;
    need_count(need, false);
    w->counted.missed++;
}

/* A need does not make a window longer than a window may be; then it waits for its end. */
static void join(struct windows *w, struct radio *r, struct need *need)
{
    const struct open_window *o = r->window;
    usec_t limit = o->started + WINDOWS_DURATION_MAX;

    if (limit < o->ends)
        limit = o->ends;
    if (o->started && w->now + need->duration > limit + OPEN_WINDOW_SLOP) {
        needs_schedule(&w->needs, need, o->ends > w->now ? o->ends : w->now + USEC_PER_SEC);
        return;
    }
    if (enter(w, r, need))
        window_life_extended(w, r);
    window_life_touch(w, r);
}

static void serve(struct windows *w, struct need *need)
{
    struct radio *owner = owner_of(w, need->address), *r = owner;

    need->tried = w->now;
    end_cover(w, need);
    if (owner)
        warn_of_owner(w, owner, need->address);
    if (!window_plan_can_serve(r))
        r = find_loudest(w, need->address);
    if (!r)
        give_up(w, need, owner);
    else if (radio_ability(r) == RADIO_COVERS)
        cover(w, need, r);
    else if (window_life_is_over_budget(w, r))
        defer(w, need, r, window_life_over_budget);
    else if (r->window)
        join(w, r, need);
    else {
        (void) window_life_open(w, r, SCAN_CAUSE_NEED);
        (void) enter(w, r, need);
        window_plan_gather(w, r);
    }
}

void window_plan_gather(struct windows *w, struct radio *r)
{
    usec_t horizon = w->now + w->settings.coalesce;
    size_t position = 0;
    struct need *need;

    while ((need = needs_next(&w->needs, &position)))
        if (need->window == 0 && need->due <= horizon && need->covered_by == WINDOWS_NO_SOURCE &&
            owner_of(w, need->address) == r)
            (void) enter(w, r, need);
    if (r->wanted == SCAN_AUTO && w->settings.sweep_interval && r->sweep_at <= horizon)
        (void) open_window_add_all(r->window, w->settings.sweep_duration, w->now);
    window_life_command(w, r);
}

void window_plan_needs(struct windows *w)
{
    struct need *need;

    while ((need = needs_first(&w->needs)) && need->due <= w->now)
        serve(w, need);
}

void window_plan_welcome(struct windows *w, const struct radio *r)
{
    size_t position = 0;
    struct need *need;

    if (!window_plan_can_serve(r))
        return;
    while ((need = needs_next(&w->needs, &position)))
        if (need->window == 0 && need->trouble != NEED_FINE && owner_of(w, need->address) == r)
            needs_schedule(&w->needs, need, w->now);
}

void window_plan_sweep(struct windows *w, struct radio *r)
{
    if (r->wanted != SCAN_AUTO || w->settings.sweep_interval == 0 || w->now < r->sweep_at)
        return;
    r->sweep_at = w->now + w->settings.retry; /* unless the window runs */
    if (radio_ability(r) != RADIO_ABLE || window_life_is_over_budget(w, r))
        return;
    if (!r->window) {
        (void) window_life_open(w, r, SCAN_CAUSE_SWEEP);
        (void) open_window_add_all(r->window, w->settings.sweep_duration, w->now);
        window_plan_gather(w, r);
        return;
    }
    if (open_window_add_all(r->window, w->settings.sweep_duration, w->now))
        window_life_extended(w, r);
    if (r->window->started)
        window_life_note_sweep(w, r);
}
