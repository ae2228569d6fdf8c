/* A map by address and a heap by due time; being out of the heap means being in a window.
 *
 * A device that does not answer several times in a row may have been misjudged: its packets of
 * passive sources were longer once than they are now. Then that length is learned anew. */
#include "needs.h"

#include <assert.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"
#include "windows.h"

void needs_init(struct needs *n)
{
    *n = (struct needs){.by_address = map_new(0)};
}

void needs_done(struct needs *n)
{
    size_t position = 0;
    struct need *need;

    while ((need = needs_next(n, &position)))
        free(need);
    map_free(n->by_address);
    heap_done(&n->scheduled);
}

struct need *needs_add(struct needs *n, uint64_t address, usec_t now)
{
    struct need *need = xnew(struct need, 1);

    assert(!needs_find(n, address));
    need->address = address;
    need->source = WINDOWS_NO_SOURCE;
    need->covered_by = WINDOWS_NO_SOURCE;
    map_put(n->by_address, address, need);
    needs_schedule(n, need, now);
    return need;
}

void needs_remove(struct needs *n, struct need *need)
{
    heap_remove(&n->scheduled, &need->node);
    (void) map_take(n->by_address, need->address);
    free(need);
}

struct need *needs_find(const struct needs *n, uint64_t address)
{
    return map_find(n->by_address, address);
}

size_t needs_count(const struct needs *n)
{
    return map_count(n->by_address);
}

struct need *needs_next(const struct needs *n, size_t *position)
{
    return map_next(n->by_address, position);
}

void needs_schedule(struct needs *n, struct need *need, usec_t due)
{
    need->window = 0;
    need->due = due;
    heap_set(&n->scheduled, &need->node, due);
}

void needs_enter(struct needs *n, struct need *need, uint64_t window, uint16_t source)
{
    heap_remove(&n->scheduled, &need->node);
    need->window = window;
    need->last_window = window;
    need->source = source;
    need->trouble = NEED_FINE;
    need->detail = NULL;
}

struct need *needs_first(const struct needs *n)
{
    struct heap_node *node = heap_first(&n->scheduled, NULL);

    return node ? CONTAINER_OF(node, struct need, node) : NULL;
}

void need_count(struct need *need, bool is_answered)
{
    if (is_answered) {
        need->answered++;
        need->missed_in_a_row = 0;
        return;
    }
    need->missed++;
    need->missed_in_a_row++;
    if (need->missed_in_a_row % WINDOWS_SILENT_AFTER == 0)
        need->passive_size = 0;
}
