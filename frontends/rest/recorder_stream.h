/* A recording as the body of an answer: lines of JSON, btsnoop, or segments as they are. Holds one
 * segment at a time, whatever the recording's size. */
#pragma once

#include "gateway/gateway.h"
#include "rest/answer.h"

enum recorder_format { RECORDER_JSONL, RECORDER_BTSNOOP, RECORDER_NATIVE };

/* NULL: too many recordings are open. */
struct answer_stream *recorder_stream_new(struct gateway *g,
                                          const struct gateway_recording_wish *wish,
                                          enum recorder_format format);
