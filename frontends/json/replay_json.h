/* What came out of a replay, as JSON. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"

/* Schema ReplayResult. */
void replay_json_write(struct writer *w, const char *key,
                       const struct gateway_replay_result *result);
