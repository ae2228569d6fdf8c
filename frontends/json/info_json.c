#include "info_json.h"

#include <stdio.h>

const char *const info_json_parts[] = {"core", "voices", NULL};

static void write_counts(struct writer *w, const struct gateway_info *info)
{
    writer_begin_object(w, "counts");
    writer_unsigned(w, "proxies", info->proxies);
    writer_unsigned(w, "proxies_online", info->proxies_online);
    writer_unsigned(w, "devices", info->devices);
    writer_unsigned(w, "connections", 0);
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

/* The part behind this is not there; its fields are, always. */
static void write_absent(struct writer *w)
{
    writer_begin_object(w, "recorder");
    writer_bool(w, "enabled", false);
    writer_unsigned(w, "bytes", 0);
    writer_null(w, "oldest");
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

static void count_proxies(const struct gateway *g, size_t *ret_enabled, size_t *ret_online)
{
    size_t enabled = 0, online = 0;

    for (size_t i = 0; i < gateway_proxies_count(g); i++) {
        struct gateway_proxy proxy;

        gateway_get_proxy(g, i, &proxy);
        enabled += proxy.config->is_enabled;
        online += proxy.config->is_enabled && proxy.is_online;
    }
    *ret_enabled = enabled;
    *ret_online = online;
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
    write_counts(w, &info);
    writer_number(w, "adverts_per_s", info.advertisements_per_s, 1);
    write_mqtt(w, mqtt);
    write_absent(w);
    writer_begin_array(w, "restart_required");
    writer_end_array(w);
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
    size_t enabled, online;
    bool is_well;
    char detail[64];

    gateway_get_keeping(g, &keeping);
    count_proxies(g, &enabled, &online);
    snprintf(detail, sizeof detail, "%zu of %zu online", online, enabled);
    is_well = online == enabled && (!mqtt || mqtt->is_connected);
    writer_begin_object(w, key);
    writer_text(w, "status", keeping.is_failing ? "fail" : is_well ? "pass" : "warn");
    writer_begin_object(w, "checks");
    write_store_check(w, &keeping);
    write_check(w, "http", "pass", NULL);
    if (online == enabled)
        write_check(w, "proxies", "pass", NULL);
    else
        write_check(w, "proxies", "warn", detail);
    if (mqtt)
        write_mqtt_check(w, mqtt);
    writer_end_object(w);
    writer_end_object(w);
    return !keeping.is_failing;
}
