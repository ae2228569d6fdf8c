#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 1000

static _Atomic enum log_level threshold = LOG_LEVEL_INFO;
static _Atomic enum log_format line_format = LOG_FORMAT_TEXT;
static const char *const level_names[] = {"error", "warning", "info", "debug"};

void log_configure(enum log_level level, enum log_format format)
{
    threshold = level;
    line_format = format;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
    for (enum log_level l = LOG_LEVEL_ERROR; l <= LOG_LEVEL_DEBUG; l++) {
        if (strcmp(name, level_names[l]) == 0) {
            *ret_level = l;
            return true;
        }
    }
    return false;
}

/* Appends text as the inside of a JSON string; cuts at the end of the room. */
static size_t append_escaped(char *out, size_t at, size_t room, const char *text)
{
    for (; *text && at + 2 < room; text++) {
        if (*text == '"' || *text == '\\')
            out[at++] = '\\';
        out[at++] = *text;
    }
    return at;
}

static size_t format_json(char *out, size_t room, const char *time, const char *level,
                          const char *event, const char *message)
{
    size_t module = strcspn(event, ".");
    int n = snprintf(
            out, room,
            "{\"time\":\"%s\",\"level\":\"%s\",\"module\":\"%.*s\",\"event\":\"%s\",\"message\":\"",
            time, level, (int) module, event, event);
    size_t at = n < 0 ? 0 : (size_t) n;

    at = append_escaped(out, at, room - 4, message);
    memcpy(out + at, "\"}", 2);
    return at + 2;
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    char message[LINE_SIZE], line[2 * LINE_SIZE + 256], time[CLOCK_TEXT_SIZE];
    va_list arguments;
    size_t size;

    if (level > threshold)
        return;
    va_start(arguments, format);
    (void) vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    for (char *c = message; *c; c++) {
        if ((unsigned char) *c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    clock_format(time, clock_wall());
    if (line_format == LOG_FORMAT_JSON) {
        size = format_json(line, sizeof line - 1, time, level_names[level], event, message);
    } else {
        int n = snprintf(line, sizeof line - 1, "%s %-7s %s%s%s", time, level_names[level], event,
                         message[0] ? " " : "", message);
        size = n < 0 ? 0 : (size_t) n;
    }
    line[size++] = '\n';
    if (write(STDERR_FILENO, line, size) < 0)
        return; /* nobody is left to tell */
}

bool log_allowed(struct log_limit *limit, usec_t now, unsigned *ret_held_back)
{
    if (limit->started == 0 || now - limit->started >= limit->window) {
        limit->started = now;
        limit->used = 0;
    }
    if (limit->used >= limit->burst) {
        limit->held_back++;
        return false;
    }
    limit->used++;
    *ret_held_back = limit->held_back;
    limit->held_back = 0;
    return true;
}
