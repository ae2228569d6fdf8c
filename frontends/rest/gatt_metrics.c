#include "gatt_metrics.h"

#include "gateway/gateway.h"

static void write_requests(struct metrics_text *t, const struct gateway_gatt_statistics *s)
{
    const struct metric_label answered = {"result", "answered"}, failed = {"result", "failed"};

    metrics_text_family(t, "blefleet_gatt_requests_total", METRIC_COUNTER,
                        "Requests of GATT that came to their end.");
    metrics_text_sample(t, &answered, 1, (double) s->answered);
    metrics_text_sample(t, &failed, 1, (double) s->failed);
    metrics_text_figure(t, "blefleet_gatt_requests_open", METRIC_GAUGE,
                        "Requests of GATT that are not answered yet.",
                        (double) (s->requests - s->answered - s->failed));
    metrics_text_figure(t, "blefleet_gatt_operations_total", METRIC_COUNTER,
                        "Operations that were sent to proxies.", (double) s->operations);
    metrics_text_figure(t, "blefleet_gatt_operations_waiting", METRIC_GAUGE,
                        "Operations that wait for their turn.", (double) s->waiting);
    metrics_text_figure(t, "blefleet_gatt_shared_reads_total", METRIC_COUNTER,
                        "Reads that the operation of another request answered.",
                        (double) s->shared_reads);
    metrics_text_figure(t, "blefleet_gatt_discoveries_total", METRIC_COUNTER,
                        "Discoveries of a device's services.", (double) s->discoveries);
}

static void write_values(struct metrics_text *t, const struct gateway_gatt_statistics *s)
{
    metrics_text_figure(t, "blefleet_gatt_subscriptions", METRIC_GAUGE,
                        "Subscriptions to notifications or indications.",
                        (double) s->subscriptions);
    metrics_text_figure(t, "blefleet_gatt_readers", METRIC_GAUGE,
                        "Queues for who takes notifications one after the other.",
                        (double) s->readers);
    metrics_text_figure(t, "blefleet_gatt_notifications_total", METRIC_COUNTER,
                        "Notifications and indications that arrived.", (double) s->values);
    metrics_text_figure(t, "blefleet_gatt_notifications_lost_total", METRIC_COUNTER,
                        "Notifications that went because somebody read too slowly.",
                        (double) s->values_lost);
}

static void write_cache(struct metrics_text *t, const struct gateway_gatt_statistics *s)
{
    const char *name;

    metrics_text_figure(t, "blefleet_gatt_cache_devices", METRIC_GAUGE,
                        "Devices whose database is known.", (double) s->entries);
    metrics_text_figure(t, "blefleet_gatt_cache_trees", METRIC_GAUGE,
                        "Different databases that are known.", (double) s->trees);
    metrics_text_figure(t, "blefleet_gatt_cache_bytes", METRIC_GAUGE,
                        "Memory of the known databases.", (double) s->cache_bytes);
    metrics_text_figure(t, "blefleet_gatt_cache_hits_total", METRIC_COUNTER,
                        "Times that a database was known.", (double) s->hits);
    metrics_text_figure(t, "blefleet_gatt_cache_misses_total", METRIC_COUNTER,
                        "Times that a database was not known.", (double) s->misses);
    metrics_text_figure(t, "blefleet_gatt_cache_evicted_total", METRIC_COUNTER,
                        "Databases that went because of links.cache_entries.", (double) s->evicted);
    metrics_text_family(t, "blefleet_gatt_cache_forgotten_total", METRIC_COUNTER,
                        "Databases that were forgotten because they may be wrong.");
    for (unsigned i = 0; i < GATEWAY_GATT_DOUBTS_MAX && (name = gateway_gatt_doubt_name(i)); i++) {
        const struct metric_label label = {"cause", name};

        metrics_text_sample(t, &label, 1, (double) s->forgotten[i]);
    }
}

void gatt_metrics_collect(void *user, struct metrics_text *text)
{
    struct gateway_gatt_statistics statistics;

    gateway_get_gatt_statistics(user, &statistics);
    write_requests(text, &statistics);
    write_values(text, &statistics);
    write_cache(text, &statistics);
}
