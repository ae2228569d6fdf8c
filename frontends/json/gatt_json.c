#include "gatt_json.h"

#include <stdio.h>

#include "ble/assigned_numbers.h"
#include "json/connection_json.h"
#include "json/moment_json.h"
#include "json/packet_json.h"

#define ATT_HEAD 3 /* octets of a packet that are not of the value, in a write without response */

/* The contract has no null there. */
static void write_proxy(struct writer *w, const char *proxy)
{
    writer_text(w, "proxy", proxy ? proxy : "unknown");
}

/* ---- trees ---- */

struct tree_writer {
    struct writer *w;
    const struct gatt_entry *entries;
    size_t count, at;
    uint32_t longest_write; /* without response; 0: there is no link */
};

static bool is_next(const struct tree_writer *t, enum gatt_kind kind)
{
    return t->at < t->count && t->entries[t->at].kind == kind;
}

static void write_head(struct writer *w, const struct gatt_entry *entry, const char *name)
{
    packet_json_write_uuid(w, "uuid", &entry->uuid);
    writer_text(w, "name", name);
    writer_unsigned(w, "handle", entry->handle);
}

static void write_descriptors(struct tree_writer *t)
{
    writer_begin_array(t->w, "descriptors");
    for (; is_next(t, GATT_DESCRIPTOR); t->at++) {
        const struct gatt_entry *entry = &t->entries[t->at];

        writer_begin_object(t->w, NULL);
        write_head(t->w, entry, assigned_descriptor_name(&entry->uuid));
        writer_end_object(t->w);
    }
    writer_end_array(t->w);
}

static void write_characteristic(struct tree_writer *t)
{
    const struct gatt_entry *entry = &t->entries[t->at++];

    writer_begin_object(t->w, NULL);
    write_head(t->w, entry, assigned_characteristic_name(&entry->uuid));
    gatt_json_write_properties(t->w, "properties", entry->properties);
    if (t->longest_write > 0)
        writer_unsigned(t->w, "max_write_without_response", t->longest_write);
    else
        writer_null(t->w, "max_write_without_response");
    write_descriptors(t);
    writer_end_object(t->w);
}

static void write_service(struct tree_writer *t)
{
    const struct gatt_entry *entry = &t->entries[t->at++];

    writer_begin_object(t->w, NULL);
    write_head(t->w, entry, assigned_service_name(&entry->uuid));
    writer_begin_array(t->w, "characteristics");
    while (is_next(t, GATT_CHARACTERISTIC))
        write_characteristic(t);
    writer_end_array(t->w);
    writer_end_object(t->w);
}

static void write_services(struct tree_writer *t, const struct ble_uuid *service)
{
    writer_begin_array(t->w, "services");
    while (t->at < t->count) {
        const struct gatt_entry *entry = &t->entries[t->at];

        if (entry->kind == GATT_SERVICE && (!service || ble_uuid_equal(&entry->uuid, service)))
            write_service(t);
        else
            t->at++;
    }
    writer_end_array(t->w);
}

static uint32_t longest_write(const struct gateway *g, uint64_t address)
{
    struct gateway_link link;

    return gateway_get_link(g, address, &link) && link.mtu > ATT_HEAD ? link.mtu - ATT_HEAD : 0;
}

static void write_hash(struct writer *w, const struct gateway_gatt *gatt)
{
    if (gatt->has_hash)
        writer_hex(w, "database_hash", gatt->hash, sizeof gatt->hash);
    else
        writer_null(w, "database_hash");
}

void gatt_json_write_tree(struct writer *w, const char *key, const struct gateway *g,
                          uint64_t address, const struct gateway_gatt *gatt, bool is_discovered,
                          const struct ble_uuid *service)
{
    struct tree_writer t = {.w = w, .longest_write = longest_write(g, address)};

    t.entries = gatt_tree_entries(gatt->tree, &t.count);
    writer_begin_object(w, key);
    writer_address(w, "address", address);
    writer_text(w, "source", is_discovered ? "discovery" : "store");
    writer_time(w, "updated", gatt->updated);
    write_hash(w, gatt);
    write_services(&t, service);
    writer_end_object(w);
}

void gatt_json_write_summary(struct writer *w, const char *key, const struct gateway *g,
                             uint64_t address)
{
    struct gateway_gatt gatt;

    if (!gateway_get_gatt(g, address, &gatt)) {
        writer_null(w, key);
        return;
    }
    writer_begin_object(w, key);
    writer_bool(w, "cached", true);
    write_hash(w, &gatt);
    writer_time(w, "updated", gatt.updated);
    writer_unsigned(w, "services_count", gatt.services_count);
    writer_end_object(w);
}

void gatt_json_write_properties(struct writer *w, const char *key, uint16_t properties)
{
    writer_begin_array(w, key);
    for (unsigned bit = GATT_BROADCAST; bit <= GATT_WRITABLE_AUXILIARIES; bit <<= 1) {
        if (properties & bit)
            writer_text(w, NULL, gatt_property_name(bit));
    }
    writer_end_array(w);
}

/* ---- values ---- */

static void write_target(struct writer *w, const struct gateway_gatt_answer *answer)
{
    writer_unsigned(w, "handle", answer->handle);
    if (!answer->entry)
        return;
    packet_json_write_uuid(w,
                           answer->entry->kind == GATT_DESCRIPTOR ? "descriptor" : "characteristic",
                           &answer->entry->uuid);
}

void gatt_json_write_read(struct writer *w, const char *key, const struct gateway *g,
                          uint64_t address, const struct gateway_gatt_answer *answer)
{
    writer_begin_object(w, key);
    writer_address(w, "address", address);
    write_target(w, answer);
    writer_hex(w, "value", answer->value.data, answer->value.size);
    writer_text(w, "source", "read");
    writer_time(w, "time", gateway_wall(g, gateway_now(g)));
    write_proxy(w, answer->proxy);
    writer_end_object(w);
}

void gatt_json_write_notified(struct writer *w, const char *key, const struct gateway *g,
                              const struct gateway_gatt_value *value, uint64_t lost)
{
    writer_begin_object(w, key);
    writer_address(w, "address", value->address);
    writer_unsigned(w, "handle", value->handle);
    if (value->uuid)
        packet_json_write_uuid(w, "characteristic", value->uuid);
    writer_hex(w, "value", value->value.data, value->value.size);
    writer_text(w, "source", "notification");
    writer_time(w, "time", gateway_wall(g, value->time));
    write_proxy(w, value->proxy);
    writer_unsigned(w, "counter", value->counter);
    writer_unsigned(w, "lost", lost);
    writer_end_object(w);
}

void gatt_json_write_written(struct writer *w, const char *key, uint64_t address,
                             const struct gateway_gatt_answer *answer, usec_t duration)
{
    writer_begin_object(w, key);
    writer_address(w, "address", address);
    writer_unsigned(w, "handle", answer->handle);
    writer_bool(w, "response", answer->with_response);
    write_proxy(w, answer->proxy);
    writer_unsigned(w, "duration_ms", duration / USEC_PER_MSEC);
    writer_end_object(w);
}

/* ---- subscriptions ---- */

static void write_subscription(struct writer *w, const struct gateway *g, uint64_t address,
                               size_t index, const struct gateway_gatt_subscription *subscription)
{
    if (subscription->uuid)
        packet_json_write_uuid(w, "characteristic", subscription->uuid);
    else
        writer_null(w, "characteristic");
    writer_unsigned(w, "handle", subscription->handle);
    writer_text(w, "type", subscription->type);
    writer_begin_array(w, "leases");
    for (size_t i = 0; i < subscription->holders; i++)
        writer_text(w, NULL, gateway_get_gatt_holder(g, address, index, i));
    writer_end_array(w);
    writer_time(w, "since", gateway_wall(g, subscription->since));
    writer_unsigned(w, "counter", subscription->counter);
}

/* One that nobody holds is on its way, up or down, or of the gateway itself. */
void gatt_json_write_subscriptions(struct writer *w, const char *key, const struct gateway *g,
                                   uint64_t address)
{
    struct gateway_gatt_subscription subscription;

    writer_begin_array(w, key);
    for (size_t i = 0; gateway_get_gatt_subscription(g, address, i, &subscription); i++) {
        if (subscription.holders == 0)
            continue;
        writer_begin_object(w, NULL);
        write_subscription(w, g, address, i, &subscription);
        writer_end_object(w);
    }
    writer_end_array(w);
}

static bool find_subscription(const struct gateway *g, uint64_t address, uint16_t handle,
                              size_t *ret_index, struct gateway_gatt_subscription *ret_subscription)
{
    for (size_t i = 0; gateway_get_gatt_subscription(g, address, i, ret_subscription); i++) {
        *ret_index = i;
        if (ret_subscription->handle == handle)
            return true;
    }
    return false;
}

bool gatt_json_write_granted(struct writer *w, const char *key, const struct gateway *g,
                             uint64_t address, const struct gateway_gatt_answer *answer)
{
    struct gateway_gatt_subscription subscription;
    size_t i;

    if (!find_subscription(g, address, answer->handle, &i, &subscription))
        return false;
    writer_begin_object(w, key);
    write_subscription(w, g, address, i, &subscription);
    writer_text(w, "lease", answer->lease);
    moment_json_write_until(w, "expires", g, answer->expires);
    writer_end_object(w);
    return true;
}

/* ---- the rest ---- */

void gatt_json_write_bond(struct writer *w, const char *key, uint64_t address, const char *proxy,
                          bool is_bonded, const struct gateway_gatt_answer *answer)
{
    writer_begin_object(w, key);
    writer_address(w, "address", address);
    write_proxy(w, proxy);
    writer_bool(w, "bonded", is_bonded);
    writer_text(w, "code", answer->code ? error_token(answer->code) : NULL);
    connection_json_write_reason(w, "reason", answer->code && answer->has_number, answer->number,
                                 answer->number_name);
    writer_end_object(w);
}

void gatt_json_write_cleared(struct writer *w, const char *key, uint64_t address,
                             const struct gateway_gatt_answer *answer)
{
    char warning[160];

    if (answer->proxy)
        (void) snprintf(warning, sizeof warning,
                        "%.64s did not clear what it has itself: its firmware may not be able to",
                        answer->proxy);
    else
        (void) snprintf(warning, sizeof warning,
                        "there is no link, so that no proxy was asked to clear what it has itself");
    writer_begin_object(w, key);
    writer_address(w, "address", address);
    writer_bool(w, "gateway", true);
    writer_bool(w, "proxy", answer->cleared_proxy);
    writer_text(w, "warning", answer->cleared_proxy ? NULL : warning);
    writer_end_object(w);
}

void gatt_json_write_parameters(struct writer *w, const char *key,
                                const struct gateway_connection_parameters *parameters)
{
    writer_begin_object(w, key);
    writer_unsigned(w, "min_interval", parameters->min_interval);
    writer_unsigned(w, "max_interval", parameters->max_interval);
    writer_unsigned(w, "latency", parameters->latency);
    writer_unsigned(w, "timeout", parameters->timeout);
    writer_end_object(w);
}
