/* A free name is found, the file is renamed, then the two that belong to it (which may not be
 * there). Of the older ones the oldest go; their names sort by time. What cannot be removed, such
 * as a folder that is not empty, stays. */
#include "damaged.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"

#define MARK       ".damaged-"
#define STAMP_SIZE 16 /* YYYYMMDDTHHMMSS and NUL */
#define TRIES      10 /* names for one second */

/* What SQLite keeps beside a file. */
static const char *const companions[] = {"-wal", "-shm"};

static char *path_of(const char *folder, const char *name, const char *suffix)
{
    struct buffer b = {0};

    buffer_append_format(&b, "%s/%s%s", folder, name, suffix);
    return buffer_take_text(&b);
}

static void format_stamp(char ret_text[STAMP_SIZE], int64_t wall)
{
    time_t seconds = (time_t) (wall / 1000000);
    struct tm tm;

    (void) gmtime_r(&seconds, &tm);
    (void) strftime(ret_text, STAMP_SIZE, "%Y%m%dT%H%M%S", &tm);
}

static int rename_in(const char *folder, const char *from, const char *to, const char *suffix)
{
    char *old AUTO_FREE = path_of(folder, from, suffix);
    char *new AUTO_FREE = path_of(folder, to, suffix);

    return rename(old, new) < 0 ? -errno : 0;
}

static int find_free_name(const char *folder, const char *name, int64_t wall, char *ret_name,
                          size_t name_size)
{
    char stamp[STAMP_SIZE];

    format_stamp(stamp, wall);
    for (int i = 0; i < TRIES; i++) {
        char *path AUTO_FREE = NULL;
        struct stat status;
        int length = i == 0 ? snprintf(ret_name, name_size, "%s" MARK "%s", name, stamp)
                            : snprintf(ret_name, name_size, "%s" MARK "%s.%d", name, stamp, i);

        if ((size_t) length >= name_size)
            return -ENAMETOOLONG;
        path = path_of(folder, ret_name, "");
        if (lstat(path, &status) < 0)
            return errno == ENOENT ? 0 : -errno;
    }
    return -EEXIST;
}

static void remove_with_companions(const char *folder, const char *name)
{
    char *path AUTO_FREE = path_of(folder, name, "");

    for (size_t i = 0; i < ARRAY_SIZE(companions); i++) {
        char *companion AUTO_FREE = path_of(folder, name, companions[i]);

        (void) unlink(companion); /* it need not be there */
    }
    (void) remove(path); /* best effort */
}

static bool is_companion(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(companions); i++) {
        size_t length = strlen(name), suffix = strlen(companions[i]);

        if (length > suffix && strcmp(name + length - suffix, companions[i]) == 0)
            return true;
    }
    return false;
}

/* kept is the newest, whatever its name says: the clock may have been set back. */
static void remove_oldest(const char *folder, const char *name, const char *kept)
{
    size_t prefix = strlen(name) + strlen(MARK), count = 1;
    char *start AUTO_FREE = NULL;
    struct dirent **entries;
    struct buffer b = {0};
    int total = scandir(folder, &entries, NULL, alphasort);

    buffer_append_format(&b, "%s%s", name, MARK);
    start = buffer_take_text(&b);
    for (int i = total - 1; i >= 0; i--) { /* newest first */
        const char *entry = entries[i]->d_name;

        if (strncmp(entry, start, prefix) == 0 && !is_companion(entry) &&
            strcmp(entry, kept) != 0 && ++count > DAMAGED_KEPT_MAX)
            remove_with_companions(folder, entry);
        free(entries[i]);
    }
    if (total >= 0)
        free(entries);
}

int damaged_move_aside(const char *folder, const char *name, int64_t wall, char *ret_name,
                       size_t name_size)
{
    int rc = find_free_name(folder, name, wall, ret_name, name_size);

    if (rc == 0)
        rc = rename_in(folder, name, ret_name, "");
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < ARRAY_SIZE(companions); i++)
        (void) rename_in(folder, name, ret_name, companions[i]); /* they need not be there */
    remove_oldest(folder, name, ret_name);
    return 0;
}
