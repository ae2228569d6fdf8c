/* Windows of active scanning, and the needs that ask for them, as JSON. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"

/* Schema ScanWindow. */
void scan_json_write_window(struct writer *w, const char *key, const struct gateway *g,
                            const struct gateway_window *window);

/* Schema Need. */
void scan_json_write_need(struct writer *w, const char *key, const struct gateway *g,
                          const struct gateway_need *need);
