/* The happy path: the folder is locked, the four steps are taken, and the lock is released for the
 * store. Nothing staged: what lies about is removed.
 *
 * Failure modes: the folder is not there, or somebody else has it: nothing is done, and whoever
 * opens the store finds that out. The rest stands in staged.h. */
#include "staged.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "backup.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/atomic_file.h"
#include "config/config_file.h"
#include "sql.h"
#include "store/database.h"
#include "store/sqlite_cause.h"

/* What SQLite keeps beside a file. */
static const char *const companions[] = {"-wal", "-shm", "-journal"};

char *staged_path(const char *folder, const char *name)
{
    struct buffer b = {0};

    buffer_append_format(&b, "%s/%s", folder, name);
    return buffer_take_text(&b);
}

/* ---- files of the folder ---- */

static int remove_file(const char *folder, const char *name)
{
    char *path AUTO_FREE = staged_path(folder, name);

    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int rename_file(const char *folder, const char *from, const char *to)
{
    char *old AUTO_FREE = staged_path(folder, from);
    char *new AUTO_FREE = staged_path(folder, to);

    return rename(old, new) < 0 ? -errno : 0;
}

static bool has_file(const char *folder, const char *name)
{
    char *path AUTO_FREE = staged_path(folder, name);

    return access(path, F_OK) == 0;
}

static int flush_fd(int fd)
{
    int rc = fsync(fd) < 0 ? -errno : 0;

    (void) close(fd);
    return rc == -EINVAL ? 0 : rc; /* a file system on which directories cannot be flushed */
}

/* name "." is the folder. */
static int flush_file(const char *folder, const char *name)
{
    char *path AUTO_FREE = staged_path(folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -errno : flush_fd(fd);
}

static int write_file(const char *folder, const char *name, const char *data, size_t size)
{
    char *path AUTO_FREE = staged_path(folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return -errno;
    while (size > 0) {
        ssize_t written = write(fd, data, size);

        if (written <= 0 && errno != EINTR) {
            (void) close(fd);
            return written == 0 ? -ENOSPC : -errno;
        }
        data += written > 0 ? written : 0;
        size -= written > 0 ? (size_t) written : 0;
    }
    return flush_fd(fd);
}

/* ---- staging ---- */

int staged_drop(const char *folder)
{
    int rc = remove_file(folder, STAGED_STORE);

    if (rc == 0)
        rc = flush_file(folder, "."); /* it must not come back with another configuration */
    return rc < 0 ? rc : remove_file(folder, STAGED_CONFIG);
}

int staged_commit(const char *folder, const char *config, size_t config_size)
{
    int rc = staged_drop(folder);

    if (rc == 0)
        rc = flush_file(folder, STAGED_WORK);
    if (rc == 0)
        rc = write_file(folder, STAGED_CONFIG, config, config_size);
    if (rc == 0)
        rc = flush_file(folder, ".");
    if (rc == 0)
        rc = rename_file(folder, STAGED_WORK, STAGED_STORE);
    if (rc < 0) {
        (void) remove_file(folder, STAGED_CONFIG);
        return rc;
    }
    return flush_file(folder, ".");
}

/* ---- step 2: accounts ---- */

static int keep_table(sqlite3 *connection, const char *table)
{
    int64_t count = 0;
    int rc;

    if (!sql_has_table(connection, "main", table) || !sql_has_table(connection, "present", table))
        return 0;
    rc = sql_number(connection, &count, "SELECT count(*) FROM main.\"%w\"", table);
    if (rc < 0 || count > 0)
        return rc;
    return sql_run(connection, "INSERT INTO main.\"%w\" SELECT * FROM present.\"%w\"", table,
                   table);
}

/* Who changed what here: a restore must not wipe the trace of whoever restores. What is in both is
 * there once. */
static int keep_audit(sqlite3 *connection)
{
#define AUDIT_COLUMNS "class, time, role, status, actor, remote, action, changed"
    if (!sql_has_table(connection, "main", "audit") ||
        !sql_has_table(connection, "present", "audit"))
        return 0;
    return sql_run(connection, "INSERT INTO main.audit(" AUDIT_COLUMNS ")"
                               " SELECT " AUDIT_COLUMNS " FROM present.audit"
                               " EXCEPT SELECT " AUDIT_COLUMNS " FROM main.audit ORDER BY time");
}

static int keep_accounts(const char *folder)
{
    char *staged AUTO_FREE = staged_path(folder, STAGED_STORE);
    char *present AUTO_FREE = staged_path(folder, DATABASE_NAME);
    sqlite3 *connection = NULL;
    int rc;

    if (!has_file(folder, DATABASE_NAME))
        return 0;
    rc = sqlite_cause(NULL, sqlite3_open_v2(staged, &connection,
                                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
    if (rc == 0)
        rc = sql_run(connection, "ATTACH %Q AS present", present);
    for (size_t i = 0; backup_secret_tables[i] && rc == 0; i++)
        rc = keep_table(connection, backup_secret_tables[i]);
    if (rc == 0)
        rc = keep_audit(connection);
    (void) sqlite3_close(connection);
    if (rc != -EBADMSG)
        return rc;
    log_warning("restore.accounts_lost",
                "the present store cannot be read, its tokens and audit are not kept");
    return 0;
}

/* ---- step 1: the configuration ---- */

static void wipe(struct buffer *text)
{
    if (text->data)
        explicit_bzero(text->data, text->capacity);
    buffer_done(text);
}

static bool is_same(const struct buffer *a, const struct buffer *b)
{
    return buffer_size(a) == buffer_size(b) && buffer_size(a) > 0 &&
           memcmp(buffer_front(a), buffer_front(b), buffer_size(a)) == 0;
}

/* Whether the configuration file has this content. */
static bool is_in_place(const struct buffer *text, const char *config_path)
{
    struct buffer present = {0};
    bool result = config_file_read(config_path, &present) == 0 && is_same(text, &present);

    wipe(&present);
    return result;
}

/* *ret_is_done: it has the new content, whatever the result is. */
static int replace_config(const char *folder, const char *config_path, bool *ret_is_done)
{
    char *staged AUTO_FREE = staged_path(folder, STAGED_CONFIG);
    struct buffer text = {0};
    int rc = config_file_read(staged, &text);

    *ret_is_done = rc == 0 && is_in_place(&text, config_path);
    if (rc == 0 && !*ret_is_done) {
        rc = atomic_file_write(config_path, buffer_front(&text), buffer_size(&text));
        *ret_is_done = is_in_place(&text, config_path);
    }
    wipe(&text);
    return rc;
}

/* ---- steps 3 and 4: the store ---- */

/* What belongs to an older one that was put aside must not be taken for this one's. */
static int make_room_aside(const char *folder)
{
    int rc = 0;

    for (size_t i = 0; i < ARRAY_SIZE(companions) && rc == 0; i++) {
        char name[64];

        (void) snprintf(name, sizeof name, DATABASE_NAME STAGED_BEFORE "%s", companions[i]);
        rc = remove_file(folder, name);
    }
    return rc;
}

static int put_aside(const char *folder)
{
    int rc = 0;

    if (has_file(folder, DATABASE_NAME)) {
        rc = make_room_aside(folder);
        if (rc == 0)
            rc = rename_file(folder, DATABASE_NAME, DATABASE_NAME STAGED_BEFORE);
    }
    for (size_t i = 0; i < ARRAY_SIZE(companions) && rc == 0; i++) {
        char from[64], to[64];

        (void) snprintf(from, sizeof from, DATABASE_NAME "%s", companions[i]);
        (void) snprintf(to, sizeof to, DATABASE_NAME STAGED_BEFORE "%s", companions[i]);
        rc = rename_file(folder, from, to);
        rc = rc == -ENOENT ? 0 : rc;
    }
    return rc < 0 ? rc : flush_file(folder, ".");
}

static int replace_store(const char *folder)
{
    int rc = put_aside(folder);

    if (rc == 0)
        rc = rename_file(folder, STAGED_STORE, DATABASE_NAME);
    return rc < 0 ? rc : flush_file(folder, ".");
}

/* ---- the start ---- */

/* -1: it is not there, or somebody has it. */
static int lock_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    (void) close(fd);
    return -1;
}

static void remove_remains(const char *folder)
{
    static const char *const names[] = {STAGED_CONFIG,          STAGED_WORK,
                                        STAGED_WORK "-journal", STAGED_STORE "-journal",
                                        STAGED_UPLOAD,          STAGED_BACKUP};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        (void) remove_file(folder, names[i]); /* best effort */
}

static int give_up(const char *folder, int cause)
{
    log_error("restore.failed", "%s (%s), the restore is given up and all stays as it was",
              error_sentence(cause), error_token(cause));
    return staged_drop(folder);
}

static int apply(const char *folder, const char *config_path)
{
    bool has_begun = false;
    int rc = replace_config(folder, config_path, &has_begun);

    if (rc < 0 && !has_begun)
        return give_up(folder, rc);
    if (rc == 0)
        rc = keep_accounts(folder);
    if (rc == 0)
        rc = replace_store(folder);
    if (rc < 0)
        log_error("restore.failed", "%s (%s), trying again at the next start", error_sentence(rc),
                  error_token(rc));
    else
        log_info("restore.applied", "the store before it is kept as %s",
                 DATABASE_NAME STAGED_BEFORE);
    return rc;
}

int staged_apply(const char *folder, const char *config_path)
{
    int lock = lock_folder(folder), rc = 0;

    if (lock < 0)
        return 0;
    if (has_file(folder, STAGED_STORE))
        rc = apply(folder, config_path);
    if (rc == 0)
        remove_remains(folder);
    (void) close(lock);
    return rc;
}
