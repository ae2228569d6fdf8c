/* The story. VACUUM INTO copies the store as it is at this moment, however much is written to it
 * meanwhile. In the copy the secret tables are moved into a database in memory, which is sealed
 * with the configuration and put into the table of what describes the backup. Deleted rows are
 * overwritten, so that no page of the file remembers them.
 *
 * Failure modes: a full disk, or no memory for the seal; the file goes again. */
#include "backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/config_secrets.h"
#include "sealed.h"
#include "sql.h"
#include "store/sqlite_cause.h"

const char *const backup_secret_tables[] = {"tokens", NULL};
const char *const backup_passing_tables[] = {"sessions", NULL};

/* ---- keys and values ---- */

static int finish_put(sqlite3 *connection, sqlite3_stmt *s)
{
    int rc = sqlite_cause(connection, sqlite3_step(s));

    (void) sqlite3_finalize(s);
    return rc;
}

/* NULL: there is no such table, or no memory. */
static sqlite3_stmt *begin_put(sqlite3 *connection, const char *key)
{
    sqlite3_stmt *s = NULL;

    if (sqlite3_prepare_v2(connection, "INSERT INTO backup(key, value) VALUES (?1, ?2)", -1, &s,
                           NULL) == SQLITE_OK)
        (void) sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    return s;
}

static int put_number(sqlite3 *connection, const char *key, uint64_t number)
{
    sqlite3_stmt *s = begin_put(connection, key);

    (void) sqlite3_bind_int64(s, 2, (int64_t) number);
    return finish_put(connection, s);
}

static int put_text(sqlite3 *connection, const char *key, const char *text)
{
    sqlite3_stmt *s = begin_put(connection, key);

    (void) sqlite3_bind_text(s, 2, text, -1, SQLITE_STATIC);
    return finish_put(connection, s);
}

static int put_octets(sqlite3 *connection, const char *key, const void *data, size_t size)
{
    sqlite3_stmt *s = begin_put(connection, key);

    (void) sqlite3_bind_blob64(s, 2, data, size, SQLITE_STATIC);
    return finish_put(connection, s);
}

/* ---- the seal ---- */

static int put_sealed(sqlite3 *connection, const struct sealed *sealed)
{
    int rc = put_octets(connection, "salt", sealed->salt, sizeof sealed->salt);

    if (rc == 0)
        rc = put_octets(connection, "nonce", sealed->nonce, sizeof sealed->nonce);
    if (rc == 0)
        rc = put_number(connection, "operations", sealed->operations);
    if (rc == 0)
        rc = put_number(connection, "memory", sealed->memory);
    if (rc == 0)
        rc = put_octets(connection, "sealed", buffer_front(&sealed->octets),
                        buffer_size(&sealed->octets));
    return rc;
}

static int seal(sqlite3 *connection, const char *passphrase)
{
    struct sealed sealed = {0};
    sqlite3_int64 size = 0;
    unsigned char *data = sqlite3_serialize(connection, "sealed", &size, 0);
    int rc;

    if (!data)
        return -ENOMEM;
    rc = sealed_make(passphrase, data, (size_t) size, &sealed);
    explicit_bzero(data, (size_t) size);
    sqlite3_free(data);
    if (rc == 0)
        rc = put_sealed(connection, &sealed);
    sealed_done(&sealed);
    return rc;
}

static int gather_config(sqlite3 *connection, const struct backup_order *o)
{
    sqlite3_stmt *s = NULL;
    int rc = sql_run(connection, "CREATE TABLE sealed.configuration(text TEXT NOT NULL) STRICT");

    if (rc < 0)
        return rc;
    (void) sqlite3_prepare_v2(connection, "INSERT INTO sealed.configuration VALUES (?1)", -1, &s,
                              NULL);
    (void) sqlite3_bind_text64(s, 1, o->config, o->config_size, SQLITE_STATIC, SQLITE_UTF8);
    return finish_put(connection, s);
}

static int put_secrets(sqlite3 *connection, const struct backup_order *o)
{
    int rc = sql_run(connection, "ATTACH ':memory:' AS sealed");

    if (rc == 0)
        rc = gather_config(connection, o);
    for (size_t i = 0; backup_secret_tables[i] && rc == 0; i++) {
        if (sql_has_table(connection, "main", backup_secret_tables[i]))
            rc = sql_run(connection, "CREATE TABLE sealed.\"%w\" AS SELECT * FROM main.\"%w\"",
                         backup_secret_tables[i], backup_secret_tables[i]);
    }
    return rc < 0 ? rc : seal(connection, o->passphrase);
}

static int empty_tables(sqlite3 *connection, const char *const *tables)
{
    int rc = 0;

    for (; *tables && rc == 0; tables++) {
        if (sql_has_table(connection, "main", *tables))
            rc = sql_run(connection, "DELETE FROM main.\"%w\"", *tables);
    }
    return rc;
}

/* ---- the file ---- */

static int describe(sqlite3 *connection, const struct backup_order *o)
{
    char created[CLOCK_TEXT_SIZE];
    size_t size;
    char *config AUTO_FREE = config_secrets_mask(o->config, o->config_size, &size);
    int rc;

    if (!config)
        return -EBADMSG;
    clock_format(created, o->created);
    rc = sql_run(connection, BACKUP_TABLE ";PRAGMA application_id = %d", BACKUP_APPLICATION_ID);
    if (rc == 0)
        rc = put_number(connection, "format", BACKUP_FORMAT);
    if (rc == 0)
        rc = put_text(connection, "version", BLEFLEET_VERSION);
    if (rc == 0)
        rc = put_text(connection, "created", created);
    if (rc == 0)
        rc = put_number(connection, "secrets", o->passphrase != NULL);
    if (rc == 0)
        rc = put_text(connection, "configuration", config);
    return rc;
}

/* It is thrown away when anything fails, and nobody reads it before it is whole: no journal. */
static int complete(sqlite3 *connection, const struct backup_order *o)
{
    int rc = sql_run(connection, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                                 "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY");

    if (rc == 0)
        rc = describe(connection, o);
    if (rc == 0 && o->passphrase)
        rc = put_secrets(connection, o);
    if (rc == 0)
        rc = empty_tables(connection, backup_secret_tables);
    if (rc == 0)
        rc = empty_tables(connection, backup_passing_tables);
    return rc;
}

static int copy_store(const struct backup_order *o)
{
    sqlite3 *store = NULL;
    int rc = sqlite_cause(store, sqlite3_open_v2(o->store, &store,
                                                 SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL));

    (void) sqlite3_busy_timeout(store, 2000);
    if (rc == 0)
        rc = sql_run(store, "VACUUM INTO %Q", o->path);
    (void) sqlite3_close_v2(store);
    return rc;
}

static int make_file(const struct backup_order *o)
{
    sqlite3 *copy = NULL;
    int rc = copy_store(o), closed;

    if (rc < 0)
        return rc;
    rc = sqlite_cause(copy, sqlite3_open_v2(o->path, &copy,
                                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
    if (rc == 0)
        rc = complete(copy, o);
    closed = sqlite_cause(copy, sqlite3_close(copy));
    return rc < 0 ? rc : closed;
}

/* Empty, and for us alone, before anything is in it. */
static int make_empty(const char *path)
{
    int fd;

    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 || close(fd) < 0 ? -errno : 0;
}

static int open_file(const char *path, uint64_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    *ret_size = (uint64_t) status.st_size;
    return fd;
}

int backup_make(const struct backup_order *o, int *ret_fd, uint64_t *ret_size)
{
    int rc = make_empty(o->path);

    if (rc < 0)
        return rc;
    rc = make_file(o);
    if (rc == 0)
        rc = open_file(o->path, ret_size);
    (void) unlink(o->path); /* what is open stays */
    if (rc < 0)
        return rc;
    *ret_fd = rc;
    return 0;
}
