/* Log lines: `event key=value …`, one a line on stderr; the newest are kept for those who ask.
 *
 * Rooms that decide (base, ble, esphome, scan) do not log: they return causes, and the shell that
 * handles a cause logs it, once. Levels by what an operator should do: error: act; warning: look
 * (and say what is done about it: "ignoring", "retrying in 4 s"); info: life cycle; debug: state
 * changes. Keys, tokens and passwords never get here. What a peer can cause is limited with
 * log_allowed(). Control characters are replaced, so that a peer's name cannot forge a line, and
 * what is not UTF-8. Thread: any; a line is written with one write(2). */
#pragma once

#include <stdbool.h>

#include "base/clock.h"
#include "base/log_levels.h"
#include "base/log_line.h"

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* What is below level is not written; info and text at start. */
void log_configure(enum log_level level, enum log_format format);

/* The same with levels of single rooms. */
void log_configure_levels(const struct log_levels *levels, enum log_format format);

/* event is "module.what" in lower case ("proxy.online"); format gives the key=value part. A line
 * holds LOG_MESSAGE_SIZE octets at most, longer ones are cut. */
void log_write(enum log_level level, const char *event, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* ---- the lines that were written ---- */

#define LOG_BACKLOG                                                                                \
    64 /* lines that wait for log_ring_next() at least, however short the ring is                  \
        */

/* Keeps this many lines for log_ring_read() from now on; what was kept is forgotten. Nothing is
 * kept before the first call. Storage is allocated here and nowhere else. */
void log_ring_configure(size_t lines);

/* The sequence of the newest line, 0 if there is none. */
uint64_t log_ring_sequence(void);

/* The newest line with a sequence below `before` (UINT64_MAX: the newest of all), for reading
 * backwards; false at the end of what is kept. */
bool log_ring_read(uint64_t before, struct log_line *ret_line);

/* The oldest line with a sequence above `after`, for those who follow: they remember the sequence
 * of the last one, and see by a jump what they missed. False when there is none yet. */
bool log_ring_next(uint64_t after, struct log_line *ret_line);

/* wake is called after each line of warning or worse, from any thread and under the log's lock: it
 * may only call for the loop (uv_async_send), which then drains with log_ring_next(). NULL ends
 * that; behind this call wake does not run any more. Needs log_ring_configure(). */
void log_on_warning(void (*wake)(void *user), void *user);

/* ---- limits ---- */

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
