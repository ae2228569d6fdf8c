/* A ring in the order in which windows ended; ids are looked for, since windows do not end in the
 * order in which they opened. An entry whose id is 0 is empty. */
#include "past_windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct entry {
    struct scan_window window;
    uint64_t *addresses; /* ours */
    char detail[96];
};

struct past_windows {
    struct entry entries[PAST_WINDOWS_MAX];
    size_t next;
};

static void entry_clear(struct entry *e)
{
    free(e->addresses);
    *e = (struct entry){0};
}

struct past_windows *past_windows_new(void)
{
    return xnew(struct past_windows, 1);
}

void past_windows_free(struct past_windows *p)
{
    for (size_t i = 0; i < PAST_WINDOWS_MAX; i++)
        entry_clear(&p->entries[i]);
    free(p);
}

void past_windows_add(struct past_windows *p, const struct scan_window *window)
{
    struct entry *e = &p->entries[p->next];

    p->next = (p->next + 1) % PAST_WINDOWS_MAX;
    entry_clear(e);
    e->window = *window;
    if (window->addresses_count) {
        e->addresses = xnew(uint64_t, window->addresses_count);
        memcpy(e->addresses, window->addresses, window->addresses_count * sizeof *e->addresses);
    }
    e->window.addresses = e->addresses;
    if (window->detail) {
        (void) snprintf(e->detail, sizeof e->detail, "%s", window->detail);
        e->window.detail = e->detail;
    }
}

void past_windows_forget(struct past_windows *p, uint16_t source)
{
    for (size_t i = 0; i < PAST_WINDOWS_MAX; i++)
        if (p->entries[i].window.id && p->entries[i].window.source == source)
            entry_clear(&p->entries[i]);
}

const struct scan_window *past_windows_before(const struct past_windows *p, uint64_t id)
{
    const struct scan_window *best = NULL;

    for (size_t i = 0; i < PAST_WINDOWS_MAX; i++) {
        const struct scan_window *window = &p->entries[i].window;

        if (window->id && window->id < id && (!best || window->id > best->id))
            best = window;
    }
    return best;
}
