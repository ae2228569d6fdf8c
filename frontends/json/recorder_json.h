/* The flight recorder as JSON. Pure. */
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"

/* Schema InfoRecorder. */
void recorder_json_write_info(struct writer *w, const char *key, const struct gateway *g);

/* Schema RecorderLine, without the end of the line. */
void recorder_json_write_line(struct writer *w, const struct gateway_recorded *recorded);
