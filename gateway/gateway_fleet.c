/* The fleet as the configuration wants it. At the start all its proxies are added. Another
 * configuration is compared with the running one (roster.h says who is who): those that it does not
 * have go first, while everybody still knows their names; then it runs; then the others are changed
 * and the new ones added. Each is told with its reason.
 *
 * One that goes leaves nothing behind: requests for it alone are answered, its links and windows
 * end, its devices go to who else hears them, and what it heard is forgotten. All of that is over
 * when forget_source() returns, so that its number is free at once; only its goodbye takes longer,
 * and nobody hears of it.
 *
 * Failure modes: another device than before answers at the new host of a proxy. That is another
 * proxy under the same name: what was known of the one before is forgotten as if it had gone. */
#include "inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "gatting.h"
#include "keeping.h"
#include "linking.h"
#include "past.h"
#include "proxy/fleet.h"
#include "recordings.h"
#include "scan/device_table.h"
#include "scanning.h"
#include "subscribers.h"

struct fleet_plan {
    size_t count;                        /* proxies of the new configuration */
    bool *is_kept;                       /* by source */
    uint16_t *sources;                   /* by place; ROSTER_NONE: a new one, until it is entered */
    const struct config_proxy *before[]; /* the same one in the old one; NULL: a new one */
};

/* ---- settings ---- */

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same_host(const struct config_proxy *a, const struct config_proxy *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port;
}

static bool is_same_conversation(const struct config_proxy *a, const struct config_proxy *b)
{
    return is_same_host(a, b) && a->has_mac == b->has_mac && (!a->has_mac || a->mac == b->mac) &&
           a->is_encrypted == b->is_encrypted &&
           memcmp(a->encryption_key, b->encryption_key, sizeof a->encryption_key) == 0 &&
           is_same_text(a->password, b->password) && a->is_enabled == b->is_enabled;
}

/* All but the name. */
static bool are_same_settings(const struct config_proxy *a, const struct config_proxy *b)
{
    return is_same_conversation(a, b) && is_same_text(a->area, b->area) &&
           is_same_text(a->scan_mode, b->scan_mode) && !(a->weight < b->weight) &&
           !(a->weight > b->weight);
}

/* mac: that is expected of it when the configuration names none; 0: any. Wipe it. */
static struct proxy_settings make_settings(const struct gateway *g, uint16_t source, uint64_t mac)
{
    const struct config_proxy *c = roster_get(g->roster, source);
    struct proxy_settings s = {
            .source = source,
            .name = c->name,
            .host = c->host,
            .port = c->port,
            .has_mac = c->has_mac || mac != 0,
            .mac = c->has_mac ? c->mac : mac,
            .is_encrypted = c->is_encrypted,
            .password = c->password,
            .is_enabled = c->is_enabled,
            .quiet_after = (usec_t) g->config->scan_quiet_s * USEC_PER_SEC,
    };

    memcpy(s.key, c->encryption_key, sizeof s.key);
    return s;
}

/* ---- going ---- */

/* Nobody knows the number any more when this returns. */
static void forget_source(struct gateway *g, uint16_t source)
{
    usec_t now = clock_now();

    gatting_proxy_leaves(g->gatting, source, now);
    linking_proxy_removed(g->linking, source, now);
    gatting_proxy_removed(g->gatting, source, now);
    scanning_proxy_removed(g->scanning, source, now);
    recordings_proxy_removed(g->recordings, source, now);
    device_table_source_hand_over(g->table, source, now);
    device_table_source_remove(g->table, source);
    past_source_gone(g->past, source);
    g->heard->counted = 0;
    gateway_arm_table_timer(g, now);
}

static void remove_proxy(struct gateway *g, uint16_t source)
{
    forget_source(g, source);
    subscribers_tell_proxy(g, GATEWAY_PROXY_REMOVED, source);
    fleet_remove(g->fleet, source);
    keeping_forget_name(g->keeping, roster_name(g->roster, source));
}

/* All names that change are free before one is taken: two proxies may change theirs. */
static void leave_names(struct gateway *g, const struct fleet_plan *plan,
                        const struct config *config)
{
    for (size_t i = 0; i < plan->count; i++) {
        const char *name = plan->before[i] ? plan->before[i]->name : NULL;

        if (name && strcmp(name, config->proxies[i].name) != 0)
            keeping_forget_name(g->keeping, name);
    }
}

/* ---- coming ---- */

static void add_proxy(struct gateway *g, uint16_t source)
{
    struct proxy_settings settings;
    usec_t now = clock_now();

    keeping_recall_mac(g->keeping, source);
    recordings_proxy_added(g->recordings, source, now);
    scanning_proxy_added(g->scanning, source, now);
    settings = make_settings(g, source, roster_mac(g->roster, source));
    fleet_add(g->fleet, &settings);
    explicit_bzero(&settings, sizeof settings);
}

/* ---- changing ---- */

static void record_name(const struct gateway *g, uint16_t source)
{
    struct proxy_status status;

    proxy_get_status(fleet_get(g->fleet, source), &status);
    recordings_proxy(g->recordings, source, &status, linking_is_connecting(g->linking, source),
                     clock_now());
}

static void rename_proxy(struct gateway *g, uint16_t source, const struct config_proxy *before)
{
    uint64_t mac = roster_mac(g->roster, source);

    if (mac != 0 && is_same_host(before, roster_get(g->roster, source)))
        keeping_note_mac(g->keeping, source, mac);
    record_name(g, source);
    subscribers_tell_proxy(g, GATEWAY_PROXY_RENAMED, source);
}

/* At its old host it is expected to be who it was when it came there. */
static void change_conversation(struct gateway *g, uint16_t source,
                                const struct config_proxy *before)
{
    const struct proxy_settings *running = proxy_get_settings(fleet_get(g->fleet, source));
    bool is_there = is_same_host(before, roster_get(g->roster, source));
    struct proxy_settings settings =
            make_settings(g, source, is_there && running->has_mac ? running->mac : 0);

    fleet_change(g->fleet, &settings);
    explicit_bzero(&settings, sizeof settings);
}

static void change_proxy(struct gateway *g, uint16_t source, const struct config_proxy *before,
                         bool is_quiet_other)
{
    const struct config_proxy *after = roster_get(g->roster, source);
    bool is_renamed = strcmp(before->name, after->name) != 0;

    if (is_quiet_other || is_renamed || !is_same_conversation(before, after))
        change_conversation(g, source, before);
    if (is_renamed)
        rename_proxy(g, source, before);
    if (!are_same_settings(before, after))
        subscribers_tell_proxy(g, GATEWAY_PROXY_SETTINGS, source);
}

/* ---- for the parts of the gateway ---- */

void gateway_fleet_count_anew(struct gateway *g)
{
    g->heard->by_source = memory_resize(g->heard->by_source, roster_end(g->roster) + (size_t) 1,
                                        sizeof g->heard->by_source[0]);
    g->heard->counted = 0;
}

void gateway_fleet_begin(struct gateway *g)
{
    gateway_fleet_count_anew(g);
    for (size_t i = 0; i < roster_count(g->roster); i++)
        add_proxy(g, gateway_source(g, i));
}

struct fleet_plan *gateway_fleet_plan(struct gateway *g, const struct config *config)
{
    size_t count = config->proxies_count;
    struct fleet_plan *plan = memory_zalloc(1, sizeof *plan + count * sizeof plan->before[0]);

    plan->count = count;
    plan->sources = xnew(uint16_t, count + 1);
    roster_match(g->roster, config, plan->sources);
    plan->is_kept = xnew(bool, roster_end(g->roster) + (size_t) 1);
    for (size_t i = 0; i < count; i++) {
        plan->before[i] = roster_get(g->roster, plan->sources[i]);
        if (plan->before[i])
            plan->is_kept[plan->sources[i]] = true;
    }
    for (size_t i = 0; i < roster_count(g->roster); i++) {
        if (!plan->is_kept[gateway_source(g, i)])
            remove_proxy(g, gateway_source(g, i));
    }
    leave_names(g, plan, config);
    return plan;
}

void gateway_fleet_enter(struct gateway *g, struct fleet_plan *plan)
{
    roster_set(g->roster, g->config, plan->sources);
    gateway_fleet_count_anew(g);
}

void gateway_fleet_apply(struct gateway *g, struct fleet_plan *plan, const struct config *before)
{
    bool is_quiet_other = before->scan_quiet_s != g->config->scan_quiet_s;

    for (size_t i = 0; i < plan->count; i++) {
        if (plan->before[i])
            change_proxy(g, plan->sources[i], plan->before[i], is_quiet_other);
    }
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->before[i])
            continue;
        add_proxy(g, plan->sources[i]);
        subscribers_tell_proxy(g, GATEWAY_PROXY_ADDED, plan->sources[i]);
    }
    free(plan->is_kept);
    free(plan->sources);
    free(plan);
}

void gateway_fleet_met(struct gateway *g, uint16_t source, uint64_t mac)
{
    uint64_t before = roster_mac(g->roster, source);

    if (before != 0 && before != mac) {
        forget_source(g, source);
        recordings_proxy_added(g->recordings, source, clock_now());
        scanning_proxy_added(g->scanning, source, clock_now());
    }
    roster_set_mac(g->roster, source, mac);
    keeping_note_mac(g->keeping, source, mac);
}
