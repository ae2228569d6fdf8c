#include "info_json.h"

#include <stdio.h>

#include "json/recorder_json.h"

const char *const info_json_parts[] = {"core",  "voices", "ears",   "recorder",
                                       "links", "gatt",   "config", NULL};

static void write_counts(struct writer *w, const struct gateway *g, const struct gateway_info *info)
{
    writer_begin_object(w, "counts");
    writer_unsigned(w, "proxies", info->proxies);
    writer_unsigned(w, "proxies_online", info->proxies_online);
    writer_unsigned(w, "devices", info->devices);
    writer_unsigned(w, "connections", gateway_links_count(g));
    writer_end_object(w);
}

static void write_mqtt(struct writer *w, const struct info_json_mqtt *mqtt)
{
    writer_begin_object(w, "mqtt");
    writer_text(w, "state", mqtt ? mqtt->state : "disabled");
    writer_text(w, "broker", mqtt ? mqtt->broker : NULL);
    writer_text(w, "protocol", mqtt ? mqtt->protocol : NULL);
    writer_text(w, "last_error", mqtt ? mqtt->last_error : NULL);
    writer_end_object(w);
}

static void write_check(struct writer *w, const char *name, const char *status, const char *detail)
{
    writer_begin_object(w, name);
    writer_text(w, "status", status);
    writer_text(w, "detail", detail);
    writer_end_object(w);
}

static void write_mqtt_check(struct writer *w, const struct info_json_mqtt *mqtt)
{
    if (mqtt->is_connected)
        write_check(w, "mqtt", "pass", NULL);
    else
        write_check(w, "mqtt", "warn", mqtt->last_error ? mqtt->last_error : mqtt->state);
}

struct proxy_counts {
    size_t enabled, online, quiet; /* the latter two are of those enabled */
};

static struct proxy_counts count_proxies(const struct gateway *g)
{
    struct proxy_counts counts = {0};

    for (size_t i = 0; i < gateway_proxies_count(g); i++) {
        struct gateway_proxy proxy;

        gateway_get_proxy(g, i, &proxy);
        counts.enabled += proxy.config->is_enabled;
        counts.online += proxy.config->is_enabled && proxy.is_online;
        counts.quiet += proxy.config->is_enabled && proxy.quiet_since > 0;
    }
    return counts;
}

static bool are_well(const struct proxy_counts *counts)
{
    return counts->online == counts->enabled && counts->quiet == 0;
}

static void write_proxies_check(struct writer *w, const struct proxy_counts *counts)
{
    char online[64], quiet[32] = "";

    if (counts->quiet > 0)
        snprintf(quiet, sizeof quiet, ", %zu quiet", counts->quiet);
    snprintf(online, sizeof online, "%zu of %zu online%s", counts->online, counts->enabled, quiet);
    if (are_well(counts))
        write_check(w, "proxies", "pass", NULL);
    else
        write_check(w, "proxies", "warn", online);
}

static void write_restart_required(struct writer *w, const struct gateway *g)
{
    struct config_texts pointers;

    gateway_get_restart_required(g, &pointers);
    writer_begin_array(w, "restart_required");
    for (size_t i = 0; i < pointers.count; i++)
        writer_text(w, NULL, pointers.items[i]);
    writer_end_array(w);
    config_texts_done(&pointers);
}

/* Settings that the environment holds, whatever the file says. */
static void write_overridden(struct writer *w, const struct config *config)
{
    writer_begin_array(w, "overridden");
    for (size_t i = 0; i < config->overrides_count; i++) {
        writer_begin_object(w, NULL);
        writer_text(w, "key", config->overrides[i].key);
        writer_text(w, "variable", config->overrides[i].variable);
        writer_end_object(w);
    }
    writer_end_array(w);
}

void info_json_write(struct writer *w, const char *key, const struct gateway *g,
                     const struct info_json_mqtt *mqtt)
{
    struct gateway_info info;

    gateway_get_info(g, &info);
    writer_begin_object(w, key);
    writer_text(w, "name", "blefleet");
    writer_text(w, "version", BLEFLEET_VERSION);
    writer_time(w, "started", gateway_wall(g, info.started));
    writer_unsigned(w, "uptime_s", (gateway_now(g) - info.started) / USEC_PER_SEC);
    writer_begin_array(w, "parts");
    for (const char *const *part = info_json_parts; *part; part++)
        writer_text(w, NULL, *part);
    writer_end_array(w);
    write_counts(w, g, &info);
    writer_number(w, "adverts_per_s", info.advertisements_per_s, 1);
    write_mqtt(w, mqtt);
    recorder_json_write_info(w, "recorder", g);
    write_restart_required(w, g);
    write_overridden(w, gateway_config(g));
    writer_end_object(w);
}

void info_json_write_liveness(struct writer *w, const char *key)
{
    writer_begin_object(w, key);
    writer_text(w, "status", "pass");
    writer_end_object(w);
}

static void write_store_check(struct writer *w, const struct gateway_keeping *keeping)
{
    write_check(w, "store", keeping->is_failing ? "fail" : "pass",
                keeping->is_failing ? keeping->error : NULL);
}

bool info_json_write_readiness(struct writer *w, const char *key, const struct gateway *g,
                               const struct info_json_mqtt *mqtt)
{
    struct gateway_keeping keeping;
    struct proxy_counts proxies = count_proxies(g);
    bool is_well = are_well(&proxies) && (!mqtt || mqtt->is_connected);

    gateway_get_keeping(g, &keeping);
    writer_begin_object(w, key);
    writer_text(w, "status", keeping.is_failing ? "fail" : is_well ? "pass" : "warn");
    writer_begin_object(w, "checks");
    write_store_check(w, &keeping);
    write_check(w, "http", "pass", NULL);
    write_proxies_check(w, &proxies);
    if (mqtt)
        write_mqtt_check(w, mqtt);
    writer_end_object(w);
    writer_end_object(w);
    return !keeping.is_failing;
}
