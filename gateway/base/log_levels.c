#include "log_levels.h"

#include <string.h>

#include "base/memory.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

static bool parse_level(const char *name, size_t length, enum log_level *ret_level)
{
    for (enum log_level l = LOG_LEVEL_ERROR; l <= LOG_LEVEL_DEBUG; l++) {
        if (strlen(level_names[l]) == length && memcmp(name, level_names[l], length) == 0) {
            *ret_level = l;
            return true;
        }
    }
    return false;
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
    return parse_level(name, strlen(name), ret_level);
}

static const struct log_room *find_room(const struct log_levels *levels, const char *module,
                                        size_t length)
{
    for (size_t i = 0; i < levels->rooms_count; i++) {
        const struct log_room *room = &levels->rooms[i];

        if (strlen(room->module) == length && memcmp(room->module, module, length) == 0)
            return room;
    }
    return NULL;
}

/* "proxy=debug"; text holds the sign of equality. */
static bool parse_room(const char *text, size_t length, struct log_levels *levels)
{
    size_t name = (size_t) ((const char *) memchr(text, '=', length) - text);
    struct log_room *room = &levels->rooms[levels->rooms_count];

    if (name == 0 || name >= LOG_MODULE_SIZE || levels->rooms_count == LOG_ROOMS_MAX ||
        strspn(text, "abcdefghijklmnopqrstuvwxyz_") != name || find_room(levels, text, name))
        return false;
    memcpy(room->module, text, name);
    room->module[name] = '\0';
    if (!parse_level(text + name + 1, length - name - 1, &room->level))
        return false;
    levels->rooms_count++;
    return true;
}

bool log_levels_parse(const char *text, enum log_level standard, struct log_levels *ret_levels)
{
    struct log_levels levels = {.level = standard};
    bool has_level = false;

    for (;; text++) {
        size_t length = strcspn(text, ",");

        if (memchr(text, '=', length)) {
            if (!parse_room(text, length, &levels))
                return false;
        } else if (has_level || !parse_level(text, length, &levels.level)) {
            return false;
        } else {
            has_level = true;
        }
        text += length;
        if (!*text)
            break;
    }
    *ret_levels = levels;
    return true;
}

enum log_level log_levels_of(const struct log_levels *levels, const char *event)
{
    const struct log_room *room = find_room(levels, event, strcspn(event, "."));

    return room ? room->level : levels->level;
}

enum log_level log_levels_loudest(const struct log_levels *levels)
{
    enum log_level loudest = levels->level;

    for (size_t i = 0; i < levels->rooms_count; i++) {
        if (levels->rooms[i].level > loudest)
            loudest = levels->rooms[i].level;
    }
    return loudest;
}
