/* A log line as the faces tell it: module and fields apart, so that GET /logs, the event and the
 * topic show the same. Pure. */
#pragma once

#include "base/log_line.h"
#include "json/event_json.h"

struct log_json_view {
    struct event_log_line line; /* borrows from the rest, and the message from the log line */
    struct event_log_field fields[LOG_FIELDS_MAX];
    char module[LOG_MODULE_SIZE];
    char texts[LOG_MESSAGE_SIZE]; /* of the fields */
};

/* The view points into itself: it is not to be copied. */
void log_json_view(const struct log_line *line, struct log_json_view *ret_view);

/* Schema LogLine. */
void log_json_write(struct writer *w, const char *key, const struct log_line *line);
