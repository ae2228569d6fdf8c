/* The story: the figures of every proxy are read once, into a row; then each family is written in
 * one go, as the format wants it, from the column of all rows. What a proxy does not tell (slots,
 * round trip) is not a number and left out. Sums over all proxies come as families of their own. */
#include "gateway_metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum figure {
    UP,
    QUIET,
    ADVERTISEMENTS,
    SKIPPED,
    REPORTS,
    REFUSED,
    PARSED,
    DEVICES,
    LOST,
    SLOTS,
    SLOTS_FREE,
    SLOTS_ALLOCATED,
    SLOTS_OURS,
    SLOTS_FOREIGN,
    SLOTS_ORPHANS,
    CONNECTING,
    CONNECTED,
    CONNECTS_FAILED,
    ROUND_TRIP,
    LAST_ADVERTISEMENT,
    DIALS,
    RECONNECTS,
    RETAKES,
    FIGURES,
};

static const struct {
    const char *name;
    const char *sum; /* NULL: no family of its own */
    enum metric_type type;
    const char *help, *sum_help;
} families[FIGURES] = {
        [UP] = {"blefleet_proxy_up", "blefleet_proxies_up", METRIC_GAUGE,
                "1 while advertisements of this proxy can arrive.",
                "Proxies whose advertisements can arrive."},
        [QUIET] = {"blefleet_proxy_quiet", NULL, METRIC_GAUGE,
                   "1 while this proxy is online and hears nothing.", NULL},
        [ADVERTISEMENTS] = {"blefleet_proxy_advertisements_total", "blefleet_advertisements_total",
                            METRIC_COUNTER, "Advertisements that this proxy brought.",
                            "Advertisements that all proxies brought."},
        [SKIPPED] = {"blefleet_proxy_advertisements_skipped_total",
                     "blefleet_advertisements_skipped_total", METRIC_COUNTER,
                     "Advertisements of this proxy left out as malformed.",
                     "Advertisements of all proxies left out as malformed."},
        [REPORTS] = {"blefleet_proxy_reports_total", NULL, METRIC_COUNTER,
                     "Advertisements of this proxy that the device table took in.", NULL},
        [REFUSED] = {"blefleet_proxy_reports_refused_total", NULL, METRIC_COUNTER,
                     "Advertisements of this proxy for which the device table had no room.", NULL},
        [PARSED] = {"blefleet_proxy_reports_parsed_total", NULL, METRIC_COUNTER,
                    "Advertisements of this proxy whose payload was new and had to be read.", NULL},
        [DEVICES] = {"blefleet_proxy_devices", NULL, METRIC_GAUGE,
                     "Devices that this proxy heard in the last 195 seconds.", NULL},
        [LOST] = {"blefleet_proxy_devices_lost_total", NULL, METRIC_COUNTER,
                  "Devices whose owner changed from this proxy to another.", NULL},
        [SLOTS] = {"blefleet_proxy_slots", "blefleet_slots", METRIC_GAUGE,
                   "Connection slots of this proxy.", "Connection slots of all proxies."},
        [SLOTS_FREE] = {"blefleet_proxy_slots_free", "blefleet_slots_free", METRIC_GAUGE,
                        "Free connection slots of this proxy.",
                        "Free connection slots of all proxies."},
        [SLOTS_ALLOCATED] = {"blefleet_proxy_slots_allocated", "blefleet_slots_allocated",
                             METRIC_GAUGE, "Connection slots of this proxy that hold a device.",
                             "Connection slots of all proxies that hold a device."},
        [SLOTS_OURS] = {"blefleet_proxy_slots_ours", "blefleet_slots_ours", METRIC_GAUGE,
                        "Connection slots of this proxy that carry links of ours.",
                        "Connection slots of all proxies that carry links of ours."},
        [SLOTS_FOREIGN] = {"blefleet_proxy_slots_foreign", "blefleet_slots_foreign", METRIC_GAUGE,
                           "Connection slots of this proxy that other clients hold.",
                           "Connection slots of all proxies that other clients hold."},
        [SLOTS_ORPHANS] = {"blefleet_proxy_slots_orphans", "blefleet_slots_orphans", METRIC_GAUGE,
                           "Connection slots of this proxy that nobody holds and that are taken.",
                           "Connection slots of all proxies that nobody holds and are taken."},
        [CONNECTING] = {"blefleet_proxy_connects_in_progress", NULL, METRIC_GAUGE,
                        "Links that this proxy is opening, or is about to.", NULL},
        [CONNECTED] = {"blefleet_proxy_connects_total", "blefleet_connects_total", METRIC_COUNTER,
                       "Attempts through this proxy that opened a link.",
                       "Attempts through any proxy that opened a link."},
        [CONNECTS_FAILED] = {"blefleet_proxy_connects_failed_total",
                             "blefleet_connects_failed_total", METRIC_COUNTER,
                             "Attempts through this proxy that failed.",
                             "Attempts through any proxy that failed."},
        [ROUND_TRIP] = {"blefleet_proxy_round_trip_seconds", NULL, METRIC_GAUGE,
                        "Smoothed round trip time to this proxy.", NULL},
        [LAST_ADVERTISEMENT] = {"blefleet_proxy_last_advertisement_timestamp_seconds", NULL,
                                METRIC_GAUGE, "When this proxy brought its last advertisement.",
                                NULL},
        [DIALS] = {"blefleet_proxy_dials_total", "blefleet_dials_total", METRIC_COUNTER,
                   "Attempts at a conversation with this proxy.",
                   "Attempts at a conversation with any proxy."},
        [RECONNECTS] = {"blefleet_proxy_reconnects_total", "blefleet_reconnects_total",
                        METRIC_COUNTER, "Conversations with this proxy after the first.",
                        "Conversations with proxies after their first."},
        [RETAKES] = {"blefleet_proxy_retakes_total", NULL, METRIC_COUNTER,
                     "Times that its advertisements were taken back from another client.", NULL},
};

struct row {
    const char *name, *state;
    double figures[FIGURES]; /* NAN: not told */
    uint64_t gained[GATEWAY_OWNER_WHYS_MAX];
};

struct rows {
    const struct gateway *gateway;
    size_t count;
    struct row rows[];
};

/* ---- reading ---- */

static double seconds(usec_t span)
{
    return (double) span / (double) USEC_PER_SEC;
}

static double wall_seconds(const struct gateway *g, usec_t moment)
{
    return (double) gateway_wall(g, moment) / (double) USEC_PER_SEC;
}

static void read_slots(const struct gateway_proxy *proxy, double ret_figures[FIGURES])
{
    ret_figures[SLOTS] = ret_figures[SLOTS_FREE] = ret_figures[SLOTS_ALLOCATED] = (double) NAN;
    if (!proxy->has_slots)
        return;
    ret_figures[SLOTS] = proxy->slots_limit;
    ret_figures[SLOTS_FREE] = proxy->slots_free;
    ret_figures[SLOTS_ALLOCATED] = (double) proxy->slots_allocated_count;
}

static void read_links(const struct gateway *g, size_t index, double ret_figures[FIGURES])
{
    struct gateway_proxy_links links;

    gateway_get_proxy_links(g, index, &links);
    ret_figures[SLOTS_OURS] = links.ours;
    ret_figures[SLOTS_FOREIGN] = links.foreign;
    ret_figures[SLOTS_ORPHANS] = links.orphans;
    ret_figures[CONNECTING] = links.in_progress;
    ret_figures[CONNECTED] = (double) links.completed;
    ret_figures[CONNECTS_FAILED] = (double) links.failed;
}

static void read_row(const struct gateway *g, size_t index, struct row *ret_row)
{
    struct gateway_proxy_statistics s;
    struct gateway_proxy proxy;
    double *figures = ret_row->figures;

    gateway_get_proxy(g, index, &proxy);
    gateway_get_proxy_statistics(g, index, &s);
    ret_row->name = proxy.config->name;
    ret_row->state = proxy.state;
    figures[UP] = proxy.is_online;
    figures[QUIET] = proxy.quiet_since > 0;
    figures[ADVERTISEMENTS] = (double) proxy.advertisements_total;
    figures[SKIPPED] = (double) s.advertisements_skipped;
    figures[REPORTS] = (double) s.reports;
    figures[REFUSED] = (double) s.reports_refused;
    figures[PARSED] = (double) s.reports_parsed;
    figures[DEVICES] = (double) proxy.devices;
    figures[LOST] = (double) s.devices_lost;
    read_slots(&proxy, figures);
    read_links(g, index, figures);
    figures[ROUND_TRIP] = proxy.round_trip ? seconds(proxy.round_trip) : (double) NAN;
    figures[LAST_ADVERTISEMENT] =
            proxy.last_advertisement ? wall_seconds(g, proxy.last_advertisement) : (double) NAN;
    figures[DIALS] = (double) s.dials;
    figures[RECONNECTS] = (double) s.reconnects;
    figures[RETAKES] = (double) s.retakes;
    memcpy(ret_row->gained, s.devices_gained, sizeof ret_row->gained);
}

static struct rows *read_rows(const struct gateway *g)
{
    size_t count = gateway_proxies_count(g);
    struct rows *r = memory_zalloc(1, sizeof *r + count * sizeof r->rows[0]);

    r->gateway = g;
    r->count = count;
    for (size_t i = 0; i < count; i++)
        read_row(g, i, &r->rows[i]);
    return r;
}

/* ---- writing: the proxies ---- */

static void write_column(struct metrics_text *t, const struct rows *r, enum figure figure)
{
    metrics_text_family(t, families[figure].name, families[figure].type, families[figure].help);
    for (size_t i = 0; i < r->count; i++) {
        const struct metric_label label = {"proxy", r->rows[i].name};

        if (!isnan(r->rows[i].figures[figure]))
            metrics_text_sample(t, &label, 1, r->rows[i].figures[figure]);
    }
}

static void write_sum(struct metrics_text *t, const struct rows *r, enum figure figure)
{
    double sum = 0;

    for (size_t i = 0; i < r->count; i++)
        sum += isnan(r->rows[i].figures[figure]) ? 0 : r->rows[i].figures[figure];
    metrics_text_figure(t, families[figure].sum, families[figure].type, families[figure].sum_help,
                        sum);
}

static void write_states(struct metrics_text *t, const struct rows *r)
{
    const char *state;

    metrics_text_family(t, "blefleet_proxy_state", METRIC_GAUGE,
                        "1 for the state that this proxy is in, 0 for all others.");
    for (size_t i = 0; i < r->count; i++) {
        for (unsigned number = 0; (state = gateway_proxy_state_name(number)); number++) {
            const struct metric_label labels[] = {{"proxy", r->rows[i].name}, {"state", state}};

            metrics_text_sample(t, labels, 2, strcmp(state, r->rows[i].state) == 0);
        }
    }
}

static void write_gained(struct metrics_text *t, const struct rows *r)
{
    const char *why;

    metrics_text_family(t, "blefleet_proxy_owner_changes_total", METRIC_COUNTER,
                        "Devices that this proxy became the owner of.");
    for (size_t i = 0; i < r->count; i++) {
        for (unsigned number = 0; (why = gateway_owner_why_name(number)); number++) {
            const struct metric_label labels[] = {{"proxy", r->rows[i].name}, {"why", why}};

            metrics_text_sample(t, labels, 2, (double) r->rows[i].gained[number]);
        }
    }
}

static void write_failures(struct metrics_text *t, const struct rows *r)
{
    metrics_text_family(t, "blefleet_proxy_failures_total", METRIC_COUNTER,
                        "Conversations with this proxy, or attempts at one, that failed.");
    for (size_t i = 0; i < r->count; i++) {
        size_t position = 0;
        const char *cause;
        uint64_t count;

        while ((cause = gateway_next_proxy_failure(r->gateway, i, &position, &count))) {
            const struct metric_label labels[] = {{"proxy", r->rows[i].name}, {"cause", cause}};

            metrics_text_sample(t, labels, 2, (double) count);
        }
    }
}

static void write_proxies(struct metrics_text *t, const struct gateway *g)
{
    struct rows *rows AUTO_FREE = read_rows(g);

    metrics_text_figure(t, "blefleet_proxies", METRIC_GAUGE, "Configured proxies.",
                        (double) rows->count);
    for (enum figure figure = 0; figure < FIGURES; figure++) {
        if (families[figure].sum)
            write_sum(t, rows, figure);
    }
    for (enum figure figure = 0; figure < FIGURES; figure++)
        write_column(t, rows, figure);
    write_states(t, rows);
    write_gained(t, rows);
    write_failures(t, rows);
}

/* ---- writing: all else ---- */

static void write_program(struct metrics_text *t, const struct gateway *g,
                          const struct gateway_statistics *s)
{
    const struct metric_label version = {"version", BLEFLEET_VERSION};

    metrics_text_family(t, "blefleet_build_info", METRIC_GAUGE, "What runs here; always 1.");
    metrics_text_sample(t, &version, 1, 1);
    metrics_text_figure(t, "blefleet_start_time_seconds", METRIC_GAUGE,
                        "When it was started, in seconds since 1970.",
                        wall_seconds(g, gateway_now(g) - s->uptime));
    metrics_text_figure(t, "blefleet_process_resident_memory_bytes", METRIC_GAUGE,
                        "Resident memory of the process.", (double) s->memory_bytes);
    metrics_text_figure(t, "blefleet_process_cpu_seconds_total", METRIC_COUNTER,
                        "Processor time of the process, of all its threads.", seconds(s->cpu));
    metrics_text_figure(t, "blefleet_process_open_fds", METRIC_GAUGE, "Open file descriptors.",
                        (double) s->descriptors);
    metrics_text_figure(t, "blefleet_process_max_fds", METRIC_GAUGE,
                        "File descriptors that the system grants.", (double) s->descriptors_max);
    metrics_text_family(t, "blefleet_loop_lag_seconds", METRIC_HISTOGRAM,
                        "How late the event loop comes to what is due.");
    metrics_text_histogram(t, s->loop_lag);
    metrics_text_figure(t, "blefleet_loop_lag_max_seconds", METRIC_GAUGE,
                        "The latest that the event loop ever came to what was due.",
                        seconds(s->loop_lag->longest));
}

static void write_look_ups(struct metrics_text *t, const struct gateway_statistics *s)
{
    metrics_text_figure(t, "blefleet_name_lookups_total", METRIC_COUNTER,
                        "Look-ups of host names that came to an end.", (double) s->look_ups);
    metrics_text_figure(t, "blefleet_name_lookups_failed_total", METRIC_COUNTER,
                        "Look-ups of host names that found no address.",
                        (double) s->look_ups_failed);
    metrics_text_figure(t, "blefleet_name_lookups_running", METRIC_GAUGE,
                        "Look-ups of host names under way.", (double) s->look_ups_running);
    metrics_text_figure(t, "blefleet_name_lookups_waiting", METRIC_GAUGE,
                        "Look-ups of host names that wait for a thread.",
                        (double) s->look_ups_waiting);
}

static void write_devices(struct metrics_text *t, const struct gateway_statistics *s)
{
    metrics_text_figure(t, "blefleet_devices", METRIC_GAUGE, "Devices in the table.",
                        (double) s->devices);
    metrics_text_figure(t, "blefleet_devices_available", METRIC_GAUGE,
                        "Devices in the table that are available.", (double) s->devices_available);
    metrics_text_figure(t, "blefleet_devices_evicted_total", METRIC_COUNTER,
                        "Devices that left the table because it was full.",
                        (double) s->devices_evicted);
    metrics_text_figure(t, "blefleet_devices_forgotten_total", METRIC_COUNTER,
                        "Devices that were forgotten.", (double) s->devices_forgotten);
    metrics_text_figure(t, "blefleet_table_bytes", METRIC_GAUGE, "Memory of the device table.",
                        (double) s->table_bytes);
    metrics_text_figure(t, "blefleet_history_bytes", METRIC_GAUGE, "Memory of the history.",
                        (double) s->history_bytes);
    metrics_text_figure(t, "blefleet_history_devices", METRIC_GAUGE, "Devices whose past is kept.",
                        (double) s->history_devices);
    metrics_text_figure(t, "blefleet_history_blocks_dropped_total", METRIC_COUNTER,
                        "Blocks of the history that went because of a bound.",
                        (double) s->history_dropped);
}

static void write_table(struct metrics_text *t, const struct gateway_statistics *s)
{
    const char *why;

    write_devices(t, s);
    metrics_text_figure(t, "blefleet_reports_total", METRIC_COUNTER,
                        "Advertisements that the device table took in.", (double) s->reports);
    metrics_text_figure(t, "blefleet_reports_refused_total", METRIC_COUNTER,
                        "Advertisements for which the device table had no room.",
                        (double) s->reports_refused);
    metrics_text_figure(
            t, "blefleet_reports_parsed_total", METRIC_COUNTER,
            "Advertisements whose payload was new and had to be read; all others repeated one.",
            (double) s->reports_parsed);
    metrics_text_figure(t, "blefleet_elements_dropped_total", METRIC_COUNTER,
                        "Elements of merged views that were dropped because of a bound.",
                        (double) s->elements_dropped);
    metrics_text_family(t, "blefleet_owner_changes_total", METRIC_COUNTER,
                        "Changes of the proxy that speaks for a device.");
    for (unsigned number = 0; (why = gateway_owner_why_name(number)); number++) {
        const struct metric_label label = {"why", why};

        metrics_text_sample(t, &label, 1, (double) s->owner_changes[number]);
    }
}

static void write_scanning(struct metrics_text *t, const struct gateway *g)
{
    struct gateway_scan_statistics s;
    const char *cause;

    gateway_get_scan_statistics(g, &s);
    metrics_text_figure(t, "blefleet_scan_needs", METRIC_GAUGE,
                        "Standing needs for active scanning.", (double) gateway_needs_count(g));
    metrics_text_family(t, "blefleet_scan_windows_total", METRIC_COUNTER,
                        "Windows of active scanning that ran.");
    for (unsigned number = 0; (cause = gateway_scan_cause_name(number)); number++) {
        const struct metric_label label = {"cause", cause};

        metrics_text_sample(t, &label, 1, (double) s.opened[number]);
    }
    metrics_text_figure(t, "blefleet_scan_windows_refused_total", METRIC_COUNTER,
                        "Windows that no proxy was asked for.", (double) s.refused);
    metrics_text_figure(t, "blefleet_scan_windows_failed_total", METRIC_COUNTER,
                        "Windows that no proxy confirmed, or that broke off.", (double) s.failed);
    metrics_text_figure(t, "blefleet_scan_active_seconds_total", METRIC_COUNTER,
                        "Time of active scanning in windows that are over, of all proxies.",
                        seconds(s.active));
    metrics_text_figure(t, "blefleet_scan_needs_answered_total", METRIC_COUNTER,
                        "Windows in which the device of a need answered.", (double) s.answered);
    metrics_text_figure(t, "blefleet_scan_needs_missed_total", METRIC_COUNTER,
                        "Windows in which the device of a need did not answer.", (double) s.missed);
    metrics_text_figure(t, "blefleet_scan_restarts_total", METRIC_COUNTER,
                        "Scans started anew because a proxy fell silent after a window.",
                        (double) s.restarts);
}

static void write_recorder(struct metrics_text *t, const struct gateway *g)
{
    struct gateway_recorder recorder;

    gateway_get_recorder(g, &recorder);
    metrics_text_figure(t, "blefleet_recorder_records_total", METRIC_COUNTER,
                        "Records that the flight recorder took.", (double) recorder.records);
    metrics_text_figure(t, "blefleet_recorder_advertisements_total", METRIC_COUNTER,
                        "Advertisements that the flight recorder took.",
                        (double) recorder.advertisements);
    metrics_text_figure(t, "blefleet_recorder_segments_dropped_total", METRIC_COUNTER,
                        "Segments that the flight recorder dropped, the oldest first.",
                        (double) recorder.segments_dropped);
    metrics_text_figure(t, "blefleet_recorder_bytes", METRIC_GAUGE,
                        "What the flight recorder holds.", (double) recorder.bytes);
    metrics_text_figure(t, "blefleet_recorder_memory_bytes", METRIC_GAUGE,
                        "Memory of the flight recorder.", (double) recorder.memory_bytes);
}

void gateway_metrics_collect(void *user, struct metrics_text *text)
{
    const struct gateway *g = user;
    struct gateway_statistics statistics;

    gateway_get_statistics(g, &statistics);
    write_program(text, g, &statistics);
    write_look_ups(text, &statistics);
    write_table(text, &statistics);
    write_scanning(text, g);
    write_recorder(text, g);
    write_proxies(text, g);
}
