/* How much is logged: a level for all, and others for single rooms. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* "error", "warning", "info", "debug". */
const char *log_level_name(enum log_level level);
bool log_level_parse(const char *name, enum log_level *ret_level);

#define LOG_MODULE_SIZE 16 /* the part of an event's name before the first dot, and NUL */
#define LOG_ROOMS_MAX   16

struct log_levels {
    enum log_level level; /* of all rooms that are not named */
    struct log_room {
        char module[LOG_MODULE_SIZE];
        enum log_level level;
    } rooms[LOG_ROOMS_MAX];
    size_t rooms_count;
};

/* Reads "info,proxy=debug,http=warning": a level for all (when it is missing, standard), and one
 * for each room that is named, in any order. False if that is not what the text is, and when
 * something is given twice. */
bool log_levels_parse(const char *text, enum log_level standard, struct log_levels *ret_levels);

/* The level of the event's room ("proxy.online" is of the room "proxy"), and the most talkative
 * level of all. */
enum log_level log_levels_of(const struct log_levels *levels, const char *event);
enum log_level log_levels_loudest(const struct log_levels *levels);
