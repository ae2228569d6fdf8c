/* What the rooms know, as frontends see it: numbers of sources become proxies, rows become devices.
 */
#pragma once

#include "inside.h"

struct device;
struct scan_window;

/* NULL: no proxy of the configuration has that number (any more). */
const struct config_proxy *view_source_config(const struct gateway *g, uint16_t source);
const char *view_source_name(const struct gateway *g, uint16_t source);

/* A device that was never heard: what the configuration says of it. */
void view_configured(const struct config_device *config, struct gateway_device *ret_device);
/* A device of the table. */
void view_device(const struct gateway *g, const struct device *row,
                 struct gateway_device *ret_device);
void view_window(const struct gateway *g, const struct scan_window *window,
                 struct gateway_window *ret_window);
