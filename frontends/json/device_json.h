/* A device as the contract shows it: the form of lists, and the one with everything known. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"

/* Schema Device. key NULL: an item of a list. */
void device_json_write(struct writer *w, const char *key, const struct gateway *g,
                       const struct gateway_device *device);

/* Schema DeviceDetail. */
void device_json_write_detail(struct writer *w, const char *key, const struct gateway *g,
                              const struct gateway_device *device);
