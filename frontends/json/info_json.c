#include "info_json.h"

#include <stdio.h>

const char *const info_json_parts[] = {"core", NULL};

static void write_counts(struct writer *w, const struct gateway_info *info)
{
    writer_begin_object(w, "counts");
    writer_unsigned(w, "proxies", info->proxies);
    writer_unsigned(w, "proxies_online", info->proxies_online);
    writer_unsigned(w, "devices", info->devices);
    writer_unsigned(w, "connections", 0);
    writer_end_object(w);
}

/* The parts behind these two are not there; their fields are, always. */
static void write_absent(struct writer *w)
{
    writer_begin_object(w, "mqtt");
    writer_text(w, "state", "disabled");
    writer_null(w, "broker");
    writer_null(w, "protocol");
    writer_null(w, "last_error");
    writer_end_object(w);
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

void info_json_write(struct writer *w, const char *key, const struct gateway *g)
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

void info_json_write_readiness(struct writer *w, const char *key, const struct gateway *g)
{
    size_t enabled, online;
    char detail[64];

    count_proxies(g, &enabled, &online);
    snprintf(detail, sizeof detail, "%zu of %zu online", online, enabled);
    writer_begin_object(w, key);
    writer_text(w, "status", online == enabled ? "pass" : "warn");
    writer_begin_object(w, "checks");
    write_check(w, "store", "pass", NULL);
    write_check(w, "http", "pass", NULL);
    if (online == enabled)
        write_check(w, "proxies", "pass", NULL);
    else
        write_check(w, "proxies", "warn", detail);
    writer_end_object(w);
    writer_end_object(w);
}
