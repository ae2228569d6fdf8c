/* A folder with a store and a configuration file, and what tests of backups do with them. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backup/backup.h"
#include "backup/staged.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "config/config_file.h"
#include "store/database.h"
#include "store/migrations.h"

#define PASSPHRASE "correct horse battery"
#define KEY        "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
#define CREATED    ((int64_t) 1795255200 * 1000000) /* 2026-11-21T10:00:00Z */

struct place {
    char folder[64];
};

/* Valid for the next PATHS calls. */
#define PATHS 64
static inline const char *path_in(const struct place *p, const char *name)
{
    static char paths[PATHS][300];
    static unsigned next;
    char *path = paths[next++ % PATHS];

    (void) snprintf(path, sizeof paths[0], "%s/%s", p->folder, name);
    return path;
}

static inline void sql_at(const char *path, const char *sql)
{
    sqlite3 *connection;
    char *message = NULL;

    assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
    if (sqlite3_exec(connection, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    assert_int_equal(sqlite3_close(connection), SQLITE_OK);
}

static inline long long number_at(const char *path, const char *sql)
{
    sqlite3 *connection;
    sqlite3_stmt *s;
    long long number;

    assert_int_equal(sqlite3_open_v2(path, &connection, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(connection, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    number = sqlite3_column_int64(s, 0);
    (void) sqlite3_finalize(s);
    (void) sqlite3_close(connection);
    return number;
}

static inline void make_store(const char *path, size_t schema, const char *sql)
{
    sqlite3 *connection;

    assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
    assert_int_equal(migrations_run(connection, 0, schema), SQLITE_OK);
    assert_int_equal(sqlite3_exec(connection, "PRAGMA journal_mode = WAL", NULL, NULL, NULL),
                     SQLITE_OK);
    (void) sqlite3_close(connection);
    sql_at(path, sql);
}

static inline void write_at(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void assert_content(const char *path, const char *expected)
{
    struct buffer text = {0};

    assert_int_equal(config_file_read(path, &text), 0);
    if (buffer_size(&text) != strlen(expected) ||
        memcmp(buffer_front(&text), expected, strlen(expected)) != 0)
        fail_msg("%s holds %.*s", path, (int) buffer_size(&text),
                 (const char *) buffer_front(&text));
    buffer_done(&text);
}

static inline bool is_there(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0;
}

/* How many entries of the folder have this in their name. */
static inline size_t count_files(const struct place *p, const char *part)
{
    DIR *folder = opendir(p->folder);
    size_t count = 0;

    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder));)
        count += strstr(e->d_name, part) != NULL;
    (void) closedir(folder);
    return count;
}

static inline void place_make(struct place *p)
{
    bool has_memory = access("/dev/shm", W_OK) == 0; /* where flushing costs nothing */

    (void) snprintf(p->folder, sizeof p->folder, "%s/blefleet-backup-XXXXXX",
                    has_memory ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(p->folder));
}

static inline void place_remove(const struct place *p)
{
    DIR *entries = opendir(p->folder);

    for (struct dirent *e; entries && (e = readdir(entries));) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void) remove(path_in(p, e->d_name));
    }
    if (entries)
        (void) closedir(entries);
    (void) rmdir(p->folder);
}
