/* Addresses to listen at, as people write them: "127.0.0.1:8080", "[::1]:0", "localhost:6054".
 * Nothing is resolved here. */
#pragma once

#include "config.h"

/* False if text is no such address; *ret_address is then untouched. */
bool listen_address_parse(const char *text, struct config_address *ret_address);

/* Reachable from this machine alone. A name other than "localhost" counts as reachable for all. */
bool listen_address_is_loopback(const char *host);
