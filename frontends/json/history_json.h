/* The past of a device as JSON. */
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"

/* The schema History, of what happened from since until then. */
void history_json_write(struct writer *w, const char *key, const struct gateway *g,
                        const struct gateway_device *device, usec_t since, usec_t until);
