#include "proxy_json.h"

#include <errno.h>
#include <stdio.h>

#include "json/advisories.h"
#include "json/moment_json.h"

/* Causes of the operating system and goodbyes have no token of their own in the contract. */
static const char *last_error_code(int cause)
{
    if (cause == E_DISCONNECTED)
        return error_token(E_CLOSED);
    if (cause <= E_RESOLVE_FAILED)
        return error_token(cause);
    switch (-cause) {
    case ECONNREFUSED:
        return error_token(E_REFUSED);
    case ECONNRESET:
    case EPIPE:
        return error_token(E_CLOSED);
    case ETIMEDOUT:
        return error_token(E_TIMEOUT);
    default:
        return error_token(E_UNREACHABLE);
    }
}

static void write_last_error(struct writer *w, const struct gateway *g,
                             const struct gateway_error *error)
{
    if (error->code == 0) {
        writer_null(w, "last_error");
        return;
    }
    writer_begin_object(w, "last_error");
    writer_text(w, "code", last_error_code(error->code));
    writer_text(w, "detail", error->detail ? error->detail : error_sentence(error->code));
    writer_time(w, "time", gateway_wall(g, error->time));
    writer_end_object(w);
}

static void write_mac(struct writer *w, const char *key, bool is_known, uint64_t mac)
{
    if (is_known)
        writer_address(w, key, mac);
    else
        writer_null(w, key);
}

static void write_api_version(struct writer *w, const struct gateway_proxy *proxy)
{
    struct buffer text = {0};

    if (proxy->api_major == 0 && proxy->api_minor == 0) {
        writer_null(w, "api_version");
        return;
    }
    buffer_append_format(&text, "%u.%u", proxy->api_major, proxy->api_minor);
    writer_text_sized(w, "api_version", buffer_front(&text), buffer_size(&text));
    buffer_done(&text);
}

static void write_features(struct writer *w, uint32_t features)
{
    const char *name;

    writer_begin_array(w, "features");
    for (unsigned bit = 0; bit < 32 && (name = gateway_feature_name(bit)); bit++) {
        if (features >> bit & 1)
            writer_text(w, NULL, name);
    }
    writer_end_array(w);
}

static void write_scanner(struct writer *w, const struct gateway *g,
                          const struct gateway_proxy *proxy)
{
    struct gateway_window window;
    bool is_open = proxy->window > 0 && gateway_get_window(g, proxy->window, &window);

    writer_begin_object(w, "scanner");
    writer_text(w, "configured", proxy->scan_wanted);
    writer_text(w, "mode", proxy->scanner_mode);
    writer_text(w, "state", proxy->scanner_state ? proxy->scanner_state : "unknown");
    writer_text(w, "window", is_open ? window.id : NULL);
    writer_end_object(w);
}

static void write_slot_numbers(struct writer *w, const struct gateway_proxy *proxy)
{
    if (proxy->has_slots) {
        writer_unsigned(w, "limit", proxy->slots_limit);
        writer_unsigned(w, "free", proxy->slots_free);
    } else {
        writer_null(w, "limit");
        writer_null(w, "free");
    }
}

static void write_slot_entries(struct writer *w, const struct gateway *g, size_t proxy_index)
{
    struct gateway_slot_entry entry;

    writer_begin_array(w, "entries");
    for (size_t i = 0; gateway_get_slot_entry(g, proxy_index, i, &entry); i++) {
        writer_begin_object(w, NULL);
        writer_address(w, "address", entry.address);
        writer_text(w, "holder", entry.holder);
        moment_json_write(w, "since", g, entry.since);
        writer_end_object(w);
    }
    writer_end_array(w);
}

static void write_slots(struct writer *w, const struct gateway *g,
                        const struct gateway_proxy *proxy, const struct gateway_proxy_links *links)
{
    writer_begin_object(w, "slots");
    write_slot_numbers(w, proxy);
    writer_begin_array(w, "allocated");
    for (size_t i = 0; i < proxy->slots_allocated_count; i++)
        writer_address(w, NULL, proxy->slots_allocated[i]);
    writer_end_array(w);
    writer_unsigned(w, "ours", links->ours);
    writer_unsigned(w, "foreign", links->foreign);
    writer_unsigned(w, "orphans", links->orphans);
    write_slot_entries(w, g, proxy->index);
    writer_end_object(w);
}

static void write_attempts(struct writer *w, const struct gateway *g,
                           const struct gateway_proxy_links *links)
{
    writer_begin_object(w, "attempts");
    writer_unsigned(w, "in_progress", links->in_progress);
    writer_unsigned(w, "completed", links->completed);
    writer_unsigned(w, "failed", links->failed);
    moment_json_write(w, "last_success", g, links->last_success);
    writer_end_object(w);
}

static void write_advisory(struct writer *w, const struct advisory *advisory)
{
    writer_begin_object(w, NULL);
    writer_text(w, "code", advisory->code);
    writer_text(w, "text", advisory->text);
    writer_text(w, "fixed_in", advisory->fixed_in);
    writer_end_object(w);
}

static void write_quiet(struct writer *w, const struct gateway *g,
                        const struct gateway_proxy *proxy)
{
    char text[64];

    if (proxy->quiet_since == 0)
        return;
    snprintf(text, sizeof text, "Has heard nothing for %.0f s.",
             (double) (gateway_now(g) - proxy->quiet_since) / USEC_PER_SEC);
    write_advisory(w, &(struct advisory){.code = "quiet", .text = text});
}

static void write_advisories(struct writer *w, const struct gateway *g,
                             const struct gateway_proxy *proxy)
{
    const struct advisory *advisory;
    size_t position = 0;

    writer_begin_array(w, "advisories");
    write_quiet(w, g, proxy);
    while ((advisory = advisories_next(proxy, &position)))
        write_advisory(w, advisory);
    writer_end_array(w);
}

static void write_identity(struct writer *w, const struct gateway *g,
                           const struct gateway_proxy *proxy)
{
    const struct config_proxy *config = proxy->config;

    writer_text(w, "name", config->name);
    writer_text(w, "host", config->host);
    writer_unsigned(w, "port", config->port);
    writer_text(w, "area", config->area);
    writer_bool(w, "enabled", config->is_enabled);
    writer_number(w, "weight", config->weight, 3);
    writer_text(w, "state", proxy->state);
    writer_time(w, "since", gateway_wall(g, proxy->since));
    write_last_error(w, g, &proxy->last_error);
    moment_json_write(w, "retry_at", g, proxy->retry_at);
    write_mac(w, "mac", proxy->has_mac, proxy->mac);
    write_mac(w, "bluetooth_mac", proxy->has_bluetooth_mac, proxy->bluetooth_mac);
    writer_text(w, "model", proxy->model);
    writer_text(w, "esphome_version", proxy->esphome_version);
    write_api_version(w, proxy);
    writer_bool(w, "encrypted", config->is_encrypted);
    write_features(w, proxy->features);
}

void proxy_json_write(struct writer *w, const char *key, const struct gateway *g,
                      const struct gateway_proxy *proxy)
{
    struct gateway_proxy_links links;

    gateway_get_proxy_links(g, proxy->index, &links);
    writer_begin_object(w, key);
    write_identity(w, g, proxy);
    write_scanner(w, g, proxy);
    write_slots(w, g, proxy, &links);
    write_attempts(w, g, &links);
    writer_unsigned(w, "devices", proxy->devices);
    writer_number(w, "advertisements_per_s", proxy->advertisements_per_s, 1);
    writer_unsigned(w, "advertisements_total", proxy->advertisements_total);
    moment_json_write(w, "last_advertisement", g, proxy->last_advertisement);
    if (proxy->round_trip == 0)
        writer_null(w, "rtt_ms");
    else
        writer_number(w, "rtt_ms", (double) proxy->round_trip / 1000, 3);
    write_advisories(w, g, proxy);
    writer_end_object(w);
}
