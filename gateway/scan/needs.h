/* Standing needs: which devices want to be listened to actively, how often, and how it went.
 *
 * A need is either scheduled (its window is wanted at `due`) or in an open window; never neither,
 * so that none can be lost. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/heap.h"

enum need_trouble {
    NEED_FINE,
    NEED_DEFERRED, /* the source could not just now, or failed */
    NEED_HOMELESS, /* no source can */
};

struct need {
    uint64_t address;
    usec_t interval, duration;
    usec_t due; /* no meaning while in a window */
    usec_t tried;
    uint64_t window; /* the open one that it is in; 0: none */
    uint64_t last_window;
    uint16_t source;     /* that runs it or ran it last; UINT16_MAX: none yet */
    uint16_t covered_by; /* an always active source that shall bring an answer; UINT16_MAX: none */
    usec_t covered_since;
    enum need_trouble trouble;
    const char *detail; /* static storage */
    uint64_t answered, missed;
    unsigned missed_in_a_row;
    size_t passive_size; /* the longest packet of a passive source; 0: not known */
    struct heap_node node;
};

struct needs {
    struct map *by_address; /* address -> struct need, ours */
    struct heap scheduled;
};

void needs_init(struct needs *n);
void needs_done(struct needs *n);

/* A new one, due now. The address is not in yet. */
struct need *needs_add(struct needs *n, uint64_t address, usec_t now);
void needs_remove(struct needs *n, struct need *need);
struct need *needs_find(const struct needs *n, uint64_t address);
size_t needs_count(const struct needs *n);
/* As map_next. */
struct need *needs_next(const struct needs *n, size_t *position);

/* Its window is wanted then; it is in none. */
void needs_schedule(struct needs *n, struct need *need, usec_t due);
/* It is in that window now, on that source. */
void needs_enter(struct needs *n, struct need *need, uint64_t window, uint16_t source);
/* The one that is due first, which may be in the future; NULL: none is scheduled. */
struct need *needs_first(const struct needs *n);

/* A window, or an interval on an always active source, is over. */
void need_count(struct need *need, bool is_answered);
