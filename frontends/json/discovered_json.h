/* A device that mDNS found as the contract shows it. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"

/* Schema DiscoveredProxy. key NULL: an item of a list. */
void discovered_json_write(struct writer *w, const char *key, const struct gateway *g,
                           const struct gateway_discovered *one);
