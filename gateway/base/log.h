/* Log lines: `event key=value …`, one a line on stderr.
 *
 * Rooms that decide (base, ble, esphome, scan) do not log: they return causes, and the shell that
 * handles a cause logs it, once. Levels by what an operator should do: error: act; warning: look
 * (and say what is done about it: "ignoring", "retrying in 4 s"); info: life cycle; debug: state
 * changes. Keys, tokens and passwords never get here. What a peer can cause is limited with
 * log_allowed(). Control characters are replaced, so that a peer's name cannot forge a line.
 * Thread: any; a line is written with one write(2). */
#pragma once

#include <stdbool.h>

#include "clock.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* What is below level is not written; info and text at start. */
void log_configure(enum log_level level, enum log_format format);

/* "error", "warning", "info", "debug". */
const char *log_level_name(enum log_level level);
bool log_level_parse(const char *name, enum log_level *ret_level);

/* event is "module.what" in lower case ("proxy.online"); format gives the key=value part. A line
 * holds 1,000 octets at most, longer ones are cut. */
void log_write(enum log_level level, const char *event, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* At most `burst` lines in `window`; valid when zeroed but for these two. When lines were held
 * back, the first allowed one of the next window carries their number (0 otherwise). */
struct log_limit {
    unsigned burst;
    usec_t window;
    usec_t started;
    unsigned used;
    unsigned held_back;
};
bool log_allowed(struct log_limit *limit, usec_t now, unsigned *ret_held_back);
