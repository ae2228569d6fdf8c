/* What runs here, and how well. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"

/* Names of the parts that are there ("core"), ending with NULL. */
extern const char *const info_json_parts[];

/* How the MQTT frontend is. */
struct info_json_mqtt {
    const char *state;      /* "connecting", "connected", "waiting_retry", "failed" */
    const char *broker;     /* "mqtt://127.0.0.1:1883" */
    const char *protocol;   /* "5", "3.1.1"; NULL: not connected */
    const char *last_error; /* NULL: none */
    bool is_connected;
};

/* Schema Info. mqtt NULL: it is disabled. */
void info_json_write(struct writer *w, const char *key, const struct gateway *g,
                     const struct info_json_mqtt *mqtt);

/* Schema Health of liveness: if this runs, we live. */
void info_json_write_liveness(struct writer *w, const char *key);

/* Schema Health of readiness. Returns whether it is ready: the store decides (and HTTP, but if that
 * did not work nobody could ask). */
bool info_json_write_readiness(struct writer *w, const char *key, const struct gateway *g,
                               const struct info_json_mqtt *mqtt);
