#include "ownership.h"

#include <math.h>

#define RSSI_UNKNOWN_DBM (-127.0) /* stands for an owner that never said how loud */

const char *owner_why_name(enum owner_why why)
{
    static const char *const names[] = {
            [OWNER_FIRST] = "first",
            [OWNER_STRONGER] = "stronger",
            [OWNER_GONE] = "gone",
            [OWNER_PROXY_OFFLINE] = "proxy_offline",
            [OWNER_PROXY_QUIET] = "proxy_quiet",
    };

    return names[why];
}

static bool is_longer_ago(usec_t moment, usec_t span, usec_t now)
{
    return now > moment && now - moment > span;
}

/* The reasons for which any other source may take over, however faint. */
static bool has_fallen_silent(const struct ownership_rule *rule,
                              const struct ownership_claim *owner, usec_t now,
                              enum owner_why *ret_why)
{
    if (!owner->is_online)
        *ret_why = OWNER_PROXY_OFFLINE;
    else if (is_longer_ago(owner->last_heard, rule->quiet_after, now))
        *ret_why = OWNER_PROXY_QUIET;
    else if (is_longer_ago(owner->last_seen, rule->gone_after, now))
        *ret_why = OWNER_GONE;
    else
        return false;
    return true;
}

bool ownership_moves(const struct ownership_rule *rule, const struct ownership_claim *owner,
                     const struct ownership_claim *challenger, bool has_rssi, usec_t now,
                     enum owner_why *ret_why)
{
    double owner_rssi;

    if (!owner) {
        *ret_why = OWNER_FIRST;
        return true;
    }
    if (!has_rssi)
        return false;
    if (has_fallen_silent(rule, owner, now, ret_why))
        return true;
    owner_rssi = isnan(owner->rssi) ? RSSI_UNKNOWN_DBM : owner->rssi;
    if (!(challenger->rssi - rule->margin_db > owner_rssi))
        return false;
    *ret_why = OWNER_STRONGER;
    return true;
}

double ownership_smooth(double previous, int8_t rssi, double alpha)
{
    if (rssi == 0)
        return previous;
    if (isnan(previous))
        return rssi;
    return alpha * rssi + (1 - alpha) * previous;
}
