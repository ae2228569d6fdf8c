/* A proxy as the contract shows it. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"

/* Schema Proxy. key NULL: an item of a list. */
void proxy_json_write(struct writer *w, const char *key, const struct gateway *g,
                      const struct gateway_proxy *proxy);
