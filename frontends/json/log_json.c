#include "log_json.h"

#include <string.h>

/* The same place in the copy of the message, terminated: behind a key stands '=', behind a value a
 * blank, a comma, a quote or the end, so that nothing is lost. */
static const char *take(struct log_json_view *view, const struct log_line *line, const char *text,
                        size_t length)
{
    char *copy = view->texts + (text - line->message);

    copy[length] = '\0';
    return copy;
}

void log_json_view(const struct log_line *line, struct log_json_view *ret_view)
{
    struct log_field fields[LOG_FIELDS_MAX];
    size_t count = log_line_fields(line, fields, LOG_FIELDS_MAX);

    memcpy(ret_view->texts, line->message, sizeof ret_view->texts);
    for (size_t i = 0; i < count; i++)
        ret_view->fields[i] = (struct event_log_field){
                .name = take(ret_view, line, fields[i].key, fields[i].key_length),
                .value = take(ret_view, line, fields[i].value, fields[i].value_length),
        };
    log_line_module(line, ret_view->module);
    ret_view->line = (struct event_log_line){
            .wall = line->time,
            .level = log_level_name(line->level),
            .module = ret_view->module,
            .message = line->message,
            .fields = ret_view->fields,
            .fields_count = count,
    };
}

void log_json_write(struct writer *w, const char *key, const struct log_line *line)
{
    struct log_json_view view;

    log_json_view(line, &view);
    event_json_write_log(w, key, &view.line);
}
