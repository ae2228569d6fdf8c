/* A moment that may not have come. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"

/* Schema Time; null for 0. */
void moment_json_write(struct writer *w, const char *key, const struct gateway *g, usec_t moment);
/* The same; null for USEC_NEVER. */
void moment_json_write_until(struct writer *w, const char *key, const struct gateway *g,
                             usec_t moment);
