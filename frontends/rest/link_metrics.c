/* The story: the gateway counts requests; what it tells of links as they open and fail is counted
 * here, by cause and by how long the attempt took that succeeded. */
#include "link_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Why a link does not open, all that a request may be answered with. */
static const int causes[] = {
        E_DEVICE_NOT_FOUND, E_NO_ROUTE,        E_PROXY_OFFLINE,   E_NO_FREE_SLOT,
        E_CONNECT_FAILED,   E_CONNECT_ABORTED, E_CONNECT_TIMEOUT, E_PAIRING_FAILED,
        E_NOT_SUPPORTED,    E_CANCELLED,       E_SHUTTING_DOWN,   E_GONE,
};

static const usec_t bounds[] = {
        100 * USEC_PER_MSEC, 250 * USEC_PER_MSEC, 500 * USEC_PER_MSEC, 1 * USEC_PER_SEC,
        2 * USEC_PER_SEC,    3 * USEC_PER_SEC,    5 * USEC_PER_SEC,    10 * USEC_PER_SEC,
        20 * USEC_PER_SEC,   60 * USEC_PER_SEC,
};

struct link_metrics {
    struct gateway *gateway; /* borrowed */
    struct metrics *metrics; /* borrowed */
    struct gateway_subscription *subscription;
    struct histogram opening;
    uint64_t failures[ARRAY_SIZE(causes)];
};

/* ---- counting ---- */

static void count_opening(struct link_metrics *m, uint64_t address)
{
    struct gateway_attempt attempt, opened = {0};

    for (size_t i = 0; gateway_get_attempt(m->gateway, address, i, &attempt); i++) {
        if (attempt.is_over && attempt.code == 0)
            opened = attempt;
    }
    if (opened.is_over)
        histogram_add(&m->opening, opened.duration);
}

static void count_failure(struct link_metrics *m, int cause)
{
    for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
        m->failures[i] += causes[i] == cause;
}

static void on_link(void *user, const struct gateway_link_change *change)
{
    struct link_metrics *m = user;

    if (!change->action)
        return;
    if (strcmp(change->action, "failed") == 0)
        count_failure(m, change->code);
    else if (strcmp(change->action, "opened") == 0 || strcmp(change->action, "moved") == 0)
        count_opening(m, change->address);
}

/* ---- telling ---- */

static void write_requests(struct metrics_text *t, const struct gateway_links_statistics *s)
{
    const struct metric_label opened = {"result", "opened"}, failed = {"result", "failed"};

    metrics_text_family(t, "blefleet_link_requests_total", METRIC_COUNTER,
                        "Requests for links that were answered.");
    metrics_text_sample(t, &opened, 1, (double) s->succeeded);
    metrics_text_sample(t, &failed, 1, (double) (s->answered - s->succeeded));
    metrics_text_figure(t, "blefleet_link_requests_open", METRIC_GAUGE,
                        "Requests for links that are not answered yet.",
                        (double) (s->requests - s->answered));
    metrics_text_figure(t, "blefleet_link_requests_waiting", METRIC_GAUGE,
                        "Requests for links that wait for a proxy or a slot.", (double) s->waiting);
}

static void write_links(struct metrics_text *t, const struct gateway_links_statistics *s)
{
    metrics_text_figure(t, "blefleet_links", METRIC_GAUGE, "Links, in whatever state.",
                        (double) s->links);
    metrics_text_figure(t, "blefleet_links_connected", METRIC_GAUGE, "Links that are open.",
                        (double) s->connected);
    metrics_text_figure(t, "blefleet_links_lost_total", METRIC_COUNTER,
                        "Links that a proxy did not list any more.", (double) s->lost);
    metrics_text_figure(t, "blefleet_slots_orphans_freed_total", METRIC_COUNTER,
                        "Slots that nobody held and that were freed.", (double) s->orphans_freed);
    metrics_text_figure(t, "blefleet_slots_inconsistent_total", METRIC_COUNTER,
                        "Lists of slots that contradicted their own numbers.",
                        (double) s->inconsistent);
}

static void write_failures(struct metrics_text *t, const struct link_metrics *m)
{
    metrics_text_family(t, "blefleet_links_failed_total", METRIC_COUNTER,
                        "Links that could not be opened.");
    for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
        const struct metric_label label = {"code", error_token(causes[i])};

        metrics_text_sample(t, &label, 1, (double) m->failures[i]);
    }
}

static void collect(void *user, struct metrics_text *text)
{
    const struct link_metrics *m = user;
    struct gateway_links_statistics statistics;

    gateway_get_links_statistics(m->gateway, &statistics);
    write_requests(text, &statistics);
    write_links(text, &statistics);
    write_failures(text, m);
    metrics_text_family(text, "blefleet_link_opening_seconds", METRIC_HISTOGRAM,
                        "How long the attempts took that opened links.");
    metrics_text_histogram(text, &m->opening);
}

struct link_metrics *link_metrics_new(struct gateway *g, struct metrics *metrics)
{
    struct link_metrics *m = xnew(struct link_metrics, 1);
    const struct gateway_subscriber subscriber = {.on_link = on_link, .user = m};

    m->gateway = g;
    m->metrics = metrics;
    histogram_init(&m->opening, bounds, ARRAY_SIZE(bounds));
    m->subscription = gateway_subscribe(g, &subscriber);
    metrics_register_collector(metrics, collect, m);
    return m;
}

void link_metrics_free(struct link_metrics *m)
{
    if (!m)
        return;
    gateway_unsubscribe(m->subscription);
    metrics_unregister(m->metrics, m);
    free(m);
}
