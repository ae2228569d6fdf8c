/* What runs here, and how well. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"

/* Names of the parts that are there ("core"), ending with NULL. */
extern const char *const info_json_parts[];

/* Schema Info. */
void info_json_write(struct writer *w, const char *key, const struct gateway *g);

/* Schema Health of liveness: if this runs, we live. */
void info_json_write_liveness(struct writer *w, const char *key);

/* Schema Health of readiness. What decides (store, HTTP) passes, or nobody could ask. */
void info_json_write_readiness(struct writer *w, const char *key, const struct gateway *g);
