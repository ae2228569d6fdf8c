/* Guests come before the start (a need opens the window and others ride along) and after it (they
 * join). Before the start only durations count; starting turns them into times. A silent guest, one
 * that never answers, has its own duration only as far as others keep the window open anyway,
 * unless all are silent.
 *
 * Failure modes: more guests than are listed are served all the same, the detail says how many;
 * their count is bounded by the count of needs. A guest that has answered does not hold the window
 * again. */
#include "open_window.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

/* How long the window wants to be, seen from its start. */
static usec_t wished(const struct open_window *o)
{
    usec_t wish = o->whole, silent = 0;

    for (size_t i = 0; i < o->count; i++) {
        usec_t *longest = o->guests[i].is_silent ? &silent : &wish;

        *longest = clock_later(*longest, o->guests[i].duration);
    }
    return wish ? wish : silent;
}

static size_t find(const struct open_window *o, uint64_t address)
{
    size_t i = 0;

    while (i < o->count && o->addresses[i] != address)
        i++;
    return i;
}

static struct open_window_guest *add_guest(struct open_window *o, uint64_t address)
{
    if (o->count == o->capacity) {
        o->capacity = o->capacity ? 2 * o->capacity : 8;
        o->addresses = memory_resize(o->addresses, o->capacity, sizeof *o->addresses);
        o->guests = memory_resize(o->guests, o->capacity, sizeof *o->guests);
    }
    o->addresses[o->count] = address;
    o->guests[o->count] = (struct open_window_guest){0};
    return &o->guests[o->count++];
}

/* Moves the end of the running window there if that is worth it. */
static bool reach(struct open_window *o, usec_t until)
{
    if (until <= o->ends + OPEN_WINDOW_SLOP)
        return false;
    o->ends = until;
    return true;
}

struct open_window *open_window_new(uint64_t id, uint16_t source, enum scan_cause cause,
                                    usec_t confirm_by, usec_t now)
{
    struct open_window *o = xnew(struct open_window, 1);

    o->id = id;
    o->source = source;
    o->cause = cause;
    o->confirm_by = confirm_by;
    o->opened = now;
    return o;
}

void open_window_free(struct open_window *o)
{
    if (!o)
        return;
    free(o->addresses);
    free(o->guests);
    free(o);
}

bool open_window_add(struct open_window *o, uint64_t address, usec_t duration, bool is_silent,
                     usec_t now)
{
    size_t index = find(o, address);
    bool is_new = index == o->count, is_extended = false;
    struct open_window_guest *g = is_new ? add_guest(o, address) : &o->guests[index];

    if (g->is_answered)
        return false;
    g->is_silent = is_silent && (is_new || g->is_silent);
    g->duration = clock_later(g->duration, duration);
    if (o->started == 0)
        return false;
    if (!is_silent)
        is_extended = reach(o, now + duration);
    if (is_new)
        g->since = now;
    g->until = clock_later(g->until, clock_earlier(now + duration, o->ends));
    return is_extended;
}

bool open_window_add_all(struct open_window *o, usec_t duration, usec_t now)
{
    bool is_extended = false;

    o->whole = clock_later(o->whole, duration);
    if (o->started == 0)
        return false;
    is_extended = reach(o, now + duration);
    o->whole_until = clock_later(o->whole_until, clock_earlier(now + duration, o->ends));
    return is_extended;
}

void open_window_start(struct open_window *o, usec_t now)
{
    usec_t length = wished(o);

    o->started = now;
    o->ends = now + length;
    o->whole_until = o->whole ? now + o->whole : 0;
    for (size_t i = 0; i < o->count; i++) {
        o->guests[i].since = now;
        o->guests[i].until = now + clock_earlier(o->guests[i].duration, length);
    }
}

bool open_window_hear(struct open_window *o, uint64_t address, size_t size, size_t passive_size)
{
    size_t index = o->started ? find(o, address) : o->count;
    struct open_window_guest *g;

    if (index == o->count)
        return false;
    g = &o->guests[index];
    g->was_heard = true;
    if (g->is_answered || passive_size == 0 || size <= passive_size)
        return false;
    g->is_answered = true;
    o->answered++;
    return true;
}

bool open_window_conclude(struct open_window *o, size_t index, size_t passive_size)
{
    struct open_window_guest *g = &o->guests[index];

    if (!g->is_answered && g->was_heard && passive_size == 0) {
        g->is_answered = true;
        o->answered++;
    }
    return g->is_answered;
}

usec_t open_window_deadline(const struct open_window *o)
{
    usec_t until;

    if (o->started == 0)
        return o->confirm_by;
    until = clock_later(o->started + OPEN_WINDOW_MIN, o->whole_until);
    for (size_t i = 0; i < o->count; i++)
        if (!o->guests[i].is_answered)
            until = clock_later(until, o->guests[i].until);
    return until;
}

struct scan_window open_window_view(struct open_window *o, enum scan_window_state state,
                                    const char *detail, usec_t ended)
{
    if (!detail && o->count > SCAN_WINDOW_ADDRESSES_MAX) {
        (void) snprintf(o->detail, sizeof o->detail, "for %zu devices, the first %d are listed",
                        o->count, SCAN_WINDOW_ADDRESSES_MAX);
        detail = o->detail;
    }
    return (struct scan_window){
            .id = o->id,
            .source = o->source,
            .state = state,
            .cause = o->cause,
            .addresses = o->addresses,
            .addresses_count =
                    o->count < SCAN_WINDOW_ADDRESSES_MAX ? o->count : SCAN_WINDOW_ADDRESSES_MAX,
            .planned = o->opened,
            .started = o->started,
            .ends = o->ends,
            .ended = ended,
            .duration = o->started ? o->ends - o->started : wished(o),
            .answered = o->answered,
            .detail = detail,
    };
}
