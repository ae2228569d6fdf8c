/* What the files of the facade share: the gateway itself. Included by them alone (gateway.c,
 * view.c, subscribers.c and gateway_*.c); all others know gateway.h. */
#pragma once

#include <uv.h>

#include "config/config_file.h"
#include "gateway.h"
#include "link/links.h"
#include "roster.h"

/* How many devices each proxy hears: a cache, since counting walks the table. */
struct heard_counts {
    usec_t counted; /* 0: never, or not of these proxies */
    size_t available;
    size_t *by_source; /* as many as numbers are given */
};

struct gateway {
    uv_loop_t *loop;
    struct config *config; /* the running one, ours */
    usec_t started;
    struct roster *roster;
    struct fleet *fleet;
    struct device_table *table;
    struct scanning *scanning;
    struct linking *linking;
    struct gatting *gatting;
    struct discovering *discovering;
    char *lease_id; /* that was told last */
    uv_timer_t table_timer;
    usec_t table_deadline;            /* what the timer is armed for */
    struct configured *configured;    /* devices of the configuration */
    struct rewriter *rewriter;        /* NULL: the configuration has no file */
    char etag[CONFIG_FILE_ETAG_SIZE]; /* of the file, as far as the loop knows; "": none */
    struct config_texts fixed;        /* settings that count from the start on, as they were then */
    struct gateway_subscription *subscriptions;
    bool is_telling;
    struct heard_counts *heard;
    struct clocks *clocks;
    uint64_t changes; /* of devices, told so far */
    struct loop_lag *loop_lag;
    struct accounting *accounting;
    struct keeping *keeping; /* NULL: nothing is kept */
    struct past *past;       /* NULL: no history */
    struct recordings *recordings;
    struct backups *backups;
    void (*on_restart)(void *user); /* NULL: nobody can */
    void *restart_user;
    bool is_restarting;
    void (*on_closed)(void *user);
    void *closed_user;
};

/* The one place where the settings of a device take effect. after is NULL: it has none (any more).
 * As configured_compare() wants it; user is the gateway. */
void gateway_apply_device(void *user, const struct config_device *before,
                          const struct config_device *after);

/* The number of the proxy at this place of the running configuration. */
static inline uint16_t gateway_source(const struct gateway *g, size_t proxy_index)
{
    return roster_source(g->roster, proxy_index);
}

/* ---- gateway_fleet.c: the fleet as the configuration wants it ---- */

/* A fleet of all proxies of the running configuration. */
void gateway_fleet_begin(struct gateway *g);

/* What another configuration means for the fleet. */
struct fleet_plan;
/* Before it runs: the proxies that it does not have go. */
struct fleet_plan *gateway_fleet_plan(struct gateway *g, const struct config *config);
/* It runs from now on: numbers and places are others. Before anybody is told of it. */
void gateway_fleet_enter(struct gateway *g, struct fleet_plan *plan);
/* There are other numbers: what was counted by them is void. */
void gateway_fleet_count_anew(struct gateway *g);
/* When all rooms have it: proxies come and change, which is told. before: the configuration that
 * ran before, as it was at the plan. Frees the plan. */
void gateway_fleet_apply(struct gateway *g, struct fleet_plan *plan, const struct config *before);

/* The proxy is online and says who it is; what was known of another one in its place is forgotten.
 */
void gateway_fleet_met(struct gateway *g, uint16_t source, uint64_t mac);

/* As linking_callbacks.on_event. */
void gateway_tell_link(void *user, const struct link_event *event, uint16_t moved_from);

/* As gatting_callbacks. */
struct gatt_value;
void gateway_tell_value(void *user, const struct gatt_value *value);
void gateway_tell_subscriptions(void *user, uint64_t address);
void gateway_tell_lease_ended(void *user, uint64_t address, const char *lease);

/* Links in the room's words; texts are borrowed. attempts has room for those of the answer. */
struct link_wish gateway_make_link_wish(const struct gateway *g, const struct gateway_wish *wish);
void gateway_view_link_answer(const struct gateway *g, const struct link_answer *answer,
                              struct gateway_attempt *attempts,
                              struct gateway_link_answer *ret_answer);

/* For the table's next deadline: to be called when it may have changed. */
void gateway_arm_table_timer(struct gateway *g, usec_t now);

/* Whether the table tells of each packet. */
void gateway_listen(struct gateway *g, bool is_wanted);
