/* The facade's answers about active scanning: windows, needs and what they came to. */
#include <assert.h>
#include <string.h>

#include "scanning.h"
#include "view.h"

static_assert(SCAN_CAUSE_COUNT == GATEWAY_SCAN_CAUSES, "every cause has its counter");

bool gateway_window_before(const struct gateway *g, uint64_t number,
                           struct gateway_window *ret_window)
{
    struct scan_window window;

    if (!windows_before(scanning_windows(g->scanning), number, &window))
        return false;
    view_window(g, &window, ret_window);
    return true;
}

bool gateway_get_window(const struct gateway *g, uint64_t number, struct gateway_window *ret_window)
{
    struct scan_window window;

    if (!windows_get(scanning_windows(g->scanning), number, &window))
        return false;
    view_window(g, &window, ret_window);
    return true;
}

static_assert(GATEWAY_WINDOW_MIN == WINDOWS_DURATION_MIN, "one limit");
static_assert(GATEWAY_WINDOW_MAX == WINDOWS_DURATION_MAX, "one limit");

int gateway_open_window(struct gateway *g, size_t proxy_index, uint64_t address, usec_t duration,
                        uint64_t *ret_number)
{
    return scanning_open(g->scanning, gateway_source(g, proxy_index), address, duration,
                         ret_number);
}

size_t gateway_discover(struct gateway *g, usec_t duration, uint64_t *ret_numbers, size_t max)
{
    return scanning_discover(g->scanning, duration, ret_numbers, max);
}

static void view_need(const struct gateway *g, const struct scan_need *need,
                      struct gateway_need *ret_need)
{
    *ret_need = (struct gateway_need){
            .address = need->address,
            .interval = need->interval,
            .duration = need->duration,
            .proxy = view_source_name(g, need->source),
            .state = scan_need_state_name(need->state),
            .next_due = need->next_due,
            .answered = need->answered,
            .missed = need->missed,
    };
    if (need->last_window > 0)
        scan_window_format_id(ret_need->last_window, need->last_window);
}

bool gateway_get_need(const struct gateway *g, uint64_t address, struct gateway_need *ret_need)
{
    struct scan_need need;

    if (!windows_need_get(scanning_windows(g->scanning), address, &need))
        return false;
    view_need(g, &need, ret_need);
    return true;
}

bool gateway_next_need(const struct gateway *g, size_t *position, struct gateway_need *ret_need)
{
    struct scan_need need;

    if (!windows_need_next(scanning_windows(g->scanning), position, &need))
        return false;
    view_need(g, &need, ret_need);
    return true;
}

size_t gateway_needs_count(const struct gateway *g)
{
    return windows_need_count(scanning_windows(g->scanning));
}

void gateway_get_scan_statistics(const struct gateway *g,
                                 struct gateway_scan_statistics *ret_statistics)
{
    struct windows_statistics s;

    windows_get_statistics(scanning_windows(g->scanning), &s);
    *ret_statistics = (struct gateway_scan_statistics){
            .refused = s.refused,
            .failed = s.failed,
            .active = s.active_usec,
            .answered = s.answered,
            .missed = s.missed,
            .restarts = s.restarts,
    };
    memcpy(ret_statistics->opened, s.opened, sizeof s.opened);
}

const char *gateway_scan_cause_name(unsigned cause)
{
    return cause < SCAN_CAUSE_COUNT ? scan_cause_name((enum scan_cause) cause) : NULL;
}
