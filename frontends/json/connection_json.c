#include "connection_json.h"

#include <string.h>

#include "json/gatt_json.h"
#include "json/moment_json.h"

/* ---- attempts ---- */

/* The contract wants a name for every number. */
void connection_json_write_reason(struct writer *w, const char *key, bool has_reason,
                                  int32_t number, const char *name)
{
    if (!has_reason) {
        writer_null(w, key);
        return;
    }
    writer_begin_object(w, key);
    writer_integer(w, "number", number);
    writer_text(w, "name", name ? name : "unknown");
    writer_end_object(w);
}

void connection_json_write_terms(struct writer *w, const char *key,
                                 const struct gateway_score_terms *terms)
{
    writer_begin_object(w, key);
    writer_number(w, "rssi", terms->rssi, 1);
    writer_number(w, "in_progress", terms->in_progress, 1);
    writer_number(w, "failures", terms->failures, 1);
    writer_number(w, "last_slot", terms->last_slot, 1);
    writer_number(w, "bond", terms->bond, 1);
    writer_number(w, "weight", terms->weight, 1);
    writer_end_object(w);
}

static void write_attempt(struct writer *w, const struct gateway *g,
                          const struct gateway_attempt *attempt)
{
    writer_begin_object(w, NULL);
    writer_text(w, "proxy", attempt->proxy);
    writer_time(w, "started", gateway_wall(g, attempt->started));
    writer_unsigned(w, "duration_ms", attempt->duration / USEC_PER_MSEC);
    writer_text(w, "result", attempt->result);
    writer_text(w, "code", attempt->code ? error_token(attempt->code) : NULL);
    connection_json_write_reason(w, "reason", attempt->has_reason, attempt->reason,
                                 attempt->reason_name);
    connection_json_write_terms(w, "score_terms", &attempt->terms);
    writer_end_object(w);
}

/* One through a proxy that is gone has nobody to name. */
static bool is_telling(const struct gateway_attempt *attempt)
{
    return attempt->is_over && attempt->proxy;
}

void connection_json_write_attempts(struct writer *w, const char *key, const struct gateway *g,
                                    const struct gateway_attempt *attempts, size_t count)
{
    writer_begin_array(w, key);
    for (size_t i = 0; i < count; i++) {
        if (is_telling(&attempts[i]))
            write_attempt(w, g, &attempts[i]);
    }
    writer_end_array(w);
}

void connection_json_write_latest_attempts(struct writer *w, const char *key,
                                           const struct gateway *g, uint64_t address, size_t max)
{
    struct gateway_attempt attempt;
    size_t count = 0, written = 0;

    while (gateway_get_attempt(g, address, count, &attempt))
        count++;
    writer_begin_array(w, key);
    while (count > 0 && written < max) {
        if (!gateway_get_attempt(g, address, --count, &attempt) || !is_telling(&attempt))
            continue;
        write_attempt(w, g, &attempt);
        written++;
    }
    writer_end_array(w);
}

/* ---- links ---- */

static void write_leases(struct writer *w, const struct gateway *g, uint64_t address)
{
    struct gateway_lease lease;

    writer_begin_array(w, "leases");
    for (size_t i = 0; gateway_get_lease(g, address, i, &lease); i++) {
        writer_begin_object(w, NULL);
        writer_text(w, "id", lease.id);
        writer_text(w, "client", lease.client);
        writer_text(w, "purpose", lease.purpose);
        moment_json_write_until(w, "expires", g, lease.expires);
        writer_end_object(w);
    }
    writer_end_array(w);
}

static void write_all_attempts(struct writer *w, const struct gateway *g, uint64_t address)
{
    struct gateway_attempt attempt;

    writer_begin_array(w, "attempts");
    for (size_t i = 0; gateway_get_attempt(g, address, i, &attempt); i++) {
        if (is_telling(&attempt))
            write_attempt(w, g, &attempt);
    }
    writer_end_array(w);
}

static void write_positive(struct writer *w, const char *key, unsigned value)
{
    if (value > 0)
        writer_unsigned(w, key, value);
    else
        writer_null(w, key);
}

static void write_fields(struct writer *w, const struct gateway *g, uint64_t address)
{
    struct gateway_link link;

    (void) gateway_get_link(g, address, &link); /* none is told as such */
    writer_address(w, "address", address);
    writer_text(w, "state", link.state);
    writer_text(w, "proxy", link.proxy);
    write_positive(w, "mtu", link.mtu);
    writer_text(w, "mtu_source", link.mtu_source);
    moment_json_write(w, "since", g, link.since);
    moment_json_write(w, "linger_until", g, link.linger_until);
    write_positive(w, "queue_position", link.queue_position);
    write_leases(w, g, address);
    gatt_json_write_subscriptions(w, "subscriptions", g, address);
    write_all_attempts(w, g, address);
}

void connection_json_write(struct writer *w, const char *key, const struct gateway *g,
                           uint64_t address)
{
    writer_begin_object(w, key);
    write_fields(w, g, address);
    writer_end_object(w);
}

void connection_json_write_opened(struct writer *w, const char *key, const struct gateway *g,
                                  uint64_t address, const char *lease, usec_t expires)
{
    writer_begin_object(w, key);
    write_fields(w, g, address);
    writer_text(w, "lease", lease);
    moment_json_write_until(w, "expires", g, expires);
    writer_end_object(w);
}

void connection_json_write_short(struct writer *w, const char *key, const struct gateway *g,
                                 uint64_t address)
{
    struct gateway_link link;

    if (!gateway_get_link(g, address, &link)) {
        writer_null(w, key);
        return;
    }
    writer_begin_object(w, key);
    writer_text(w, "state", link.state);
    writer_text(w, "proxy", link.proxy);
    writer_end_object(w);
}

/* ---- slots ---- */

/* The clients of our link, and until when the last of them holds it. */
static void write_clients(struct writer *w, const struct gateway *g,
                          const struct gateway_slot_entry *entry)
{
    bool is_ours = strcmp(entry->holder, "ours") == 0;
    struct gateway_lease lease;
    usec_t last = 0;

    writer_begin_array(w, "clients");
    for (size_t i = 0; is_ours && gateway_get_lease(g, entry->address, i, &lease); i++) {
        writer_text(w, NULL, lease.client);
        last = lease.expires > last ? lease.expires : last;
    }
    writer_end_array(w);
    moment_json_write_until(w, "expires", g, last > 0 ? last : USEC_NEVER);
}

void connection_json_write_holders_of(struct writer *w, const struct gateway *g, size_t proxy_index)
{
    struct gateway_slot_entry entry;
    struct gateway_proxy proxy;

    gateway_get_proxy(g, proxy_index, &proxy);
    for (size_t i = 0; gateway_get_slot_entry(g, proxy_index, i, &entry); i++) {
        writer_begin_object(w, NULL);
        writer_text(w, "proxy", proxy.config->name);
        writer_address(w, "address", entry.address);
        writer_text(w, "holder", entry.holder);
        write_clients(w, g, &entry);
        writer_end_object(w);
    }
}
