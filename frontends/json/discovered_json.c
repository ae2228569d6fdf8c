#include "discovered_json.h"

#include "json/moment_json.h"

static void write_place(struct writer *w, const struct gateway_discovered *one)
{
    writer_text(w, "host", one->host);
    writer_unsigned(w, "port", one->port);
    writer_begin_array(w, "addresses");
    for (size_t i = 0; i < one->addresses_count; i++)
        writer_text(w, NULL, one->addresses[i]);
    writer_end_array(w);
    if (one->has_mac)
        writer_address(w, "mac", one->mac);
    else
        writer_null(w, "mac");
}

void discovered_json_write(struct writer *w, const char *key, const struct gateway *g,
                           const struct gateway_discovered *one)
{
    writer_begin_object(w, key);
    writer_text(w, "name", one->name);
    writer_text(w, "friendly_name", one->friendly_name);
    write_place(w, one);
    writer_text(w, "esphome_version", one->esphome_version);
    writer_text(w, "platform", one->platform);
    writer_text(w, "board", one->board);
    writer_text(w, "network", one->network);
    writer_text(w, "encryption", one->encryption);
    if (one->bluetooth_proxy < 0)
        writer_null(w, "bluetooth_proxy");
    else
        writer_bool(w, "bluetooth_proxy", one->bluetooth_proxy > 0);
    writer_bool(w, "configured", one->is_configured);
    moment_json_write(w, "last_seen", g, one->last_seen);
    writer_end_object(w);
}
