/* A log line as a value: when, how grave, and "event key=value …". Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/log_levels.h"

#define LOG_MESSAGE_SIZE 1000 /* octets, NUL included; longer ones are cut */
#define LOG_FIELDS_MAX   32   /* that are told apart in one line */

struct log_line {
    uint64_t sequence; /* 1, 2, 3 … since the start */
    int64_t time;      /* wall clock, microseconds */
    enum log_level level;
    char message[LOG_MESSAGE_SIZE]; /* "proxy.failed name=hall cause=timeout", valid UTF-8 */
};

struct log_field {
    const char *key, *value; /* borrowed from the line, not terminated */
    size_t key_length, value_length;
};

/* "proxy" of "proxy.failed …", cut when long. */
void log_line_module(const struct log_line *line, char ret_module[LOG_MODULE_SIZE]);

/* Finds the key=value parts of the message; a quoted value loses its quotes. Returns how many there
 * are, room at most. Each key comes once: the first counts, which is the writer's own and not one
 * that a peer wrote into a value. */
size_t log_line_fields(const struct log_line *line, struct log_field *ret_fields, size_t room);
