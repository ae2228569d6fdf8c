/* What the outside needs to know of a running fleet, as JSON files: where its proxies listen and
 * with which keys, and a gateway configuration for exactly these. */
#pragma once

#include "fleet.h"

/* {"control", "proxies": [{"name", "host", "port", "mac", "bluetooth_mac", "encryption_key",
 * "password", "room", "profile"}]}. control is "127.0.0.1:4711". Written as a whole or not at all:
 * who sees the file can read all of it. Returns 0 or a negative errno. */
int manifest_write_ready(const char *path, const struct fleet *f, const char *control);

/* {"http": {"listen"}, "proxies": [{"name", "host", "port", "encryption_key", "password", "area"}]}
 */
int manifest_write_gateway(const char *path, const struct fleet *f, const char *listen);
