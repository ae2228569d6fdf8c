/* The story. The folder is made and locked, the file is made empty with its mode before SQLite sees
 * it, opened, and asked who it is: the version of its schema, our mark, and whether it is whole.
 * Missing migrations are done, each in a transaction of its own together with the new version.
 * Preparing all statements then proves that the schema is the one they were written for.
 *
 * Failure modes. Anything that says "this is not our store" (no database, damaged, foreign, newer,
 * another schema) becomes -EBADMSG inside: the file is moved aside and a fresh one is made, once.
 * Anything that says "the system does not let me" (permission, full disk, locked) is passed on. */
#include "database.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "damaged.h"
#include "details.h"
#include "migrations.h"

#define APPLICATION_ID  0x626c6566 /* "blef", in the header of the file */
#define BUSY_TIMEOUT_MS 2000       /* another program of ours may write for a moment */
#define REASON_SIZE     200

/* XX(symbol, SQL) */
#define STATEMENT_MAP(XX)                                                                          \
    XX(BEGIN, "BEGIN IMMEDIATE")                                                                   \
    XX(COMMIT, "COMMIT")                                                                           \
    XX(ROLLBACK, "ROLLBACK")                                                                       \
    XX(UPDATE_DEVICE,                                                                              \
       "UPDATE devices SET address_type = ?2, name = ?3, first_seen = ?4, last_seen = ?5,"         \
       " advertisements = ?6, details = ?7, interval = ?8 WHERE address = ?1")                     \
    XX(INSERT_DEVICE,                                                                              \
       "INSERT INTO devices(address, address_type, name, first_seen, last_seen, advertisements,"   \
       " details, interval) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                              \
    XX(DROP_DEVICE, "DELETE FROM devices WHERE address = ?1")                                      \
    XX(DROP_OLDEST, "DELETE FROM devices WHERE address IN"                                         \
                    " (SELECT address FROM devices ORDER BY last_seen LIMIT ?1)")                  \
    XX(COUNT_DEVICES, "SELECT count(*) FROM devices")                                              \
    XX(LOAD_DEVICES,                                                                               \
       "SELECT address, address_type, first_seen, last_seen, advertisements, details,"             \
       " interval FROM devices ORDER BY last_seen")                                                \
    XX(PUT_PROXY, "INSERT OR REPLACE INTO proxies(name, mac) VALUES (?1, ?2)")                     \
    XX(DROP_PROXY, "DELETE FROM proxies WHERE name = ?1")                                          \
    XX(LOAD_PROXIES, "SELECT name, mac FROM proxies")                                              \
    XX(PUT_TEXT, "INSERT OR REPLACE INTO texts(key, value) VALUES (?1, ?2)")                       \
    XX(DROP_TEXT, "DELETE FROM texts WHERE key = ?1")                                              \
    XX(LOAD_TEXTS, "SELECT key, value FROM texts")                                                 \
    XX(PUT_PAIR,                                                                                   \
       "INSERT OR REPLACE INTO pairs(device, proxy, mtu, bonded) VALUES (?1, ?2, ?3, ?4)")         \
    XX(DROP_PAIR, "DELETE FROM pairs WHERE device = ?1 AND proxy = ?2")                            \
    XX(LOAD_PAIRS, "SELECT device, proxy, mtu, bonded FROM pairs")

enum statement {
#define XX(symbol, sql) SQL_##symbol,
    STATEMENT_MAP(XX)
#undef XX
            STATEMENTS
};

static const char *const statement_sql[STATEMENTS] = {
#define XX(symbol, sql) sql,
        STATEMENT_MAP(XX)
#undef XX
};

/* The statements of the tables of texts. */
static const struct {
    enum statement put, drop, load;
} text_statements[BATCH_TABLES] = {
        [BATCH_PROXIES] = {SQL_PUT_PROXY, SQL_DROP_PROXY, SQL_LOAD_PROXIES},
        [BATCH_TEXTS] = {SQL_PUT_TEXT, SQL_DROP_TEXT, SQL_LOAD_TEXTS},
};

struct database {
    char *folder, *path, *wal_path;
    int folder_fd; /* holds the lock */
    sqlite3 *connection;
    sqlite3_stmt *statements[STATEMENTS];
    size_t rows;
    char reason[REASON_SIZE]; /* why it could not be opened */
};

/* ---- causes ---- */

/* A negative errno; -EBADMSG: what is in the file is not what should be. */
static int cause_of(sqlite3 *connection, int rc)
{
    int system = connection ? sqlite3_system_errno(connection) : 0;

    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_INTERRUPT:
        return -ECANCELED;
    case SQLITE_CANTOPEN:
        return system ? -system : -EACCES;
    case SQLITE_IOERR:
        return system ? -system : -EIO;
    default:
        return -EBADMSG;
    }
}

__attribute__((format(printf, 3, 4))) static int fail(struct database *db, int cause,
                                                      const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(db->reason, sizeof db->reason, format, arguments);
    va_end(arguments);
    return cause;
}

static int check(struct database *db, int rc, const char *what)
{
    int cause = cause_of(db->connection, rc);

    return cause ? fail(db, cause, "%s: %s", what, sqlite3_errmsg(db->connection)) : 0;
}

/* ---- statements ---- */

static int execute(struct database *db, const char *sql)
{
    return check(db, sqlite3_exec(db->connection, sql, NULL, NULL, NULL), "SQLite");
}

/* The first column of the first row, as a number (0: there is none). */
static int query_number(struct database *db, const char *sql, int64_t *ret_number)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db->connection, sql, -1, &s, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (cause_of(db->connection, rc) == 0)
        *ret_number = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    rc = check(db, rc, "SQLite");
    (void) sqlite3_finalize(s);
    return rc;
}

/* Steps a statement that gives no rows, and makes it ready for the next time. */
static int run(struct database *db, enum statement which)
{
    sqlite3_stmt *s = db->statements[which];
    int cause = cause_of(db->connection, sqlite3_step(s));

    (void) sqlite3_reset(s); /* tells the same cause once more */
    return cause;
}

static int prepare_all(struct database *db)
{
    for (size_t i = 0; i < STATEMENTS; i++) {
        int rc = check(db,
                       sqlite3_prepare_v3(db->connection, statement_sql[i], -1,
                                          SQLITE_PREPARE_PERSISTENT, &db->statements[i], NULL),
                       "the schema");

        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- opening ---- */

static int make_folder(struct database *db)
{
    if (mkdir(db->folder, 0700) < 0 && errno != EEXIST)
        return fail(db, -errno, "cannot make the folder: %s", strerror(errno));
    db->folder_fd = open(db->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (db->folder_fd < 0)
        return fail(db, -errno, "cannot open the folder: %s", strerror(errno));
    if (access(db->folder, R_OK | W_OK | X_OK) < 0)
        return fail(db, -errno, "cannot write into the folder: %s", strerror(errno));
    if (flock(db->folder_fd, LOCK_EX | LOCK_NB) < 0)
        return fail(db, -EBUSY, "another gateway uses it");
    return 0;
}

static int make_file(struct database *db)
{
    struct stat status;
    int fd;

    if (stat(db->path, &status) == 0 && !S_ISREG(status.st_mode))
        return fail(db, -EBADMSG, "it is not a file");
    fd = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(db, -errno, DATABASE_NAME " cannot be opened: %s", strerror(errno));
    (void) close(fd);
    return 0;
}

static int connect_file(struct database *db)
{
    int rc = sqlite3_open_v2(db->path, &db->connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                             NULL);

    if (rc != SQLITE_OK)
        return fail(db, cause_of(db->connection, rc), DATABASE_NAME " cannot be opened: %s",
                    sqlite3_errmsg(db->connection));
    (void) sqlite3_extended_result_codes(db->connection, 1);
    (void) sqlite3_busy_timeout(db->connection, BUSY_TIMEOUT_MS);
    return sqlite3_db_readonly(db->connection, "main") == 1
                   ? fail(db, -EACCES, DATABASE_NAME " may not be written")
                   : 0;
}

/* Ours, not newer, and whole. */
static int check_identity(struct database *db, size_t *ret_version)
{
    int64_t version = 0, id = 0, things = 0;
    int rc = query_number(db, "PRAGMA user_version", &version);

    if (rc == 0)
        rc = query_number(db, "PRAGMA application_id", &id);
    if (rc == 0)
        rc = query_number(db, "SELECT count(*) FROM sqlite_schema", &things);
    if (rc < 0)
        return rc;
    if (version == 0 && id == 0 && things == 0) { /* fresh */
        *ret_version = 0;
        return 0;
    }
    if (id != APPLICATION_ID || version <= 0)
        return fail(db, -EBADMSG, "it is the database of another program");
    if ((uint64_t) version > migrations_count())
        return fail(db, -EBADMSG, "a newer version made it (schema %lld, known are %zu)",
                    (long long) version, migrations_count());
    *ret_version = (size_t) version;
    return 0;
}

static int check_wholeness(struct database *db)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db->connection, "PRAGMA quick_check(1)", -1, &s, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW && strcmp((const char *) sqlite3_column_text(s, 0), "ok") != 0)
        rc = fail(db, -EBADMSG, "it is damaged: %s", (const char *) sqlite3_column_text(s, 0));
    else
        rc = check(db, rc, "SQLite");
    (void) sqlite3_finalize(s);
    return rc;
}

static int configure(struct database *db)
{
    return execute(db, "PRAGMA journal_mode = WAL;"
                       "PRAGMA synchronous = NORMAL;"
                       "PRAGMA journal_size_limit = 4194304;"
                       "PRAGMA trusted_schema = OFF;"
                       "PRAGMA cell_size_check = ON;");
}

/* The system lets us, since it was opened; its header may say that only newer ones may write it. */
static int check_writability(struct database *db)
{
    return sqlite3_db_readonly(db->connection, "main") == 0
                   ? 0
                   : fail(db, -EBADMSG, "its format may be read only");
}

static int migrate_once(struct database *db, size_t index)
{
    char marks[100];
    int rc = execute(db, "BEGIN IMMEDIATE");

    (void) snprintf(marks, sizeof marks, "PRAGMA application_id = %d; PRAGMA user_version = %zu",
                    APPLICATION_ID, index + 1);
    if (rc == 0)
        rc = execute(db, migrations_get(index));
    if (rc == 0)
        rc = execute(db, marks);
    if (rc == 0)
        rc = execute(db, "COMMIT");
    return rc;
}

static int migrate(struct database *db, size_t version)
{
    for (size_t i = version; i < migrations_count(); i++) {
        int rc = migrate_once(db, i);

        if (rc < 0)
            return rc; /* the connection is closed, which rolls back */
    }
    return 0;
}

static int open_file(struct database *db)
{
    size_t version = 0;
    int64_t rows = 0;
    int rc = make_file(db);

    if (rc == 0)
        rc = connect_file(db);
    if (rc == 0)
        rc = check_identity(db, &version);
    if (rc == 0)
        rc = check_wholeness(db);
    if (rc == 0)
        rc = configure(db);
    if (rc == 0)
        rc = check_writability(db);
    if (rc == 0)
        rc = migrate(db, version);
    if (rc == 0)
        rc = prepare_all(db);
    if (rc == 0)
        rc = query_number(db, statement_sql[SQL_COUNT_DEVICES], &rows);
    db->rows = (size_t) rows;
    return rc;
}

static void disconnect(struct database *db)
{
    for (size_t i = 0; i < STATEMENTS; i++) {
        (void) sqlite3_finalize(db->statements[i]);
        db->statements[i] = NULL;
    }
    (void) sqlite3_close_v2(db->connection); /* the last connection checkpoints */
    db->connection = NULL;
}

/* Puts aside what cannot be the store. */
static int start_afresh(struct database *db)
{
    char aside[100] = "";
    int rc;

    disconnect(db);
    rc = damaged_move_aside(db->folder, DATABASE_NAME, clock_wall(), aside, sizeof aside);
    if (rc < 0)
        return fail(db, rc, DATABASE_NAME " can be neither used nor moved aside: %s",
                    strerror(-rc));
    log_warning("store.damaged", "file=%s: %s; kept as %s, starting with an empty store",
                DATABASE_NAME, db->reason, aside);
    return open_file(db);
}

static char *join(const char *folder, const char *name)
{
    struct buffer b = {0};

    buffer_append_format(&b, "%s/%s", folder, name);
    return buffer_take_text(&b);
}

int database_open(const char *folder, struct database **ret_database, char *ret_error,
                  size_t error_size)
{
    struct database *db = xnew(struct database, 1);
    int rc;

    db->folder = memory_copy_text(folder);
    db->path = join(folder, DATABASE_NAME);
    db->wal_path = join(folder, DATABASE_NAME "-wal");
    db->folder_fd = -1;
    rc = make_folder(db);
    if (rc == 0)
        rc = open_file(db);
    if (rc == -EBADMSG)
        rc = start_afresh(db);
    if (rc < 0) {
        (void) snprintf(ret_error, error_size, "store %s: %s", folder, db->reason);
        database_close(db);
        return rc;
    }
    *ret_database = db;
    return 0;
}

void database_close(struct database *db)
{
    if (!db)
        return;
    disconnect(db);
    if (db->folder_fd >= 0)
        (void) close(db->folder_fd); /* and unlocks it */
    free(db->folder);
    free(db->path);
    free(db->wal_path);
    free(db);
}

/* ---- reading ---- */

static bool is_address(int64_t number)
{
    return number >= 0 && number < (int64_t) 1 << 48;
}

/* False: the row makes no sense. */
static bool read_device(sqlite3_stmt *s, struct store_device *ret_device)
{
    int64_t address = sqlite3_column_int64(s, 0), type = sqlite3_column_int64(s, 1);
    int64_t advertisements = sqlite3_column_int64(s, 4), interval = sqlite3_column_int64(s, 6);
    const uint8_t *details = sqlite3_column_blob(s, 5);
    size_t size = (size_t) sqlite3_column_bytes(s, 5);

    *ret_device = (struct store_device){
            .address = (uint64_t) address,
            .address_type = (uint8_t) type,
            .first_seen = sqlite3_column_int64(s, 2),
            .last_seen = sqlite3_column_int64(s, 3),
            .advertisements = (uint64_t) advertisements,
            .interval = (uint64_t) interval,
    };
    return is_address(address) && type >= 0 && type <= 3 && advertisements >= 0 && interval >= 0 &&
           ret_device->first_seen >= 0 && ret_device->last_seen >= 0 &&
           details_decode(ret_device, details, size);
}

int database_load_devices(struct database *db, database_device_fn *on_device, void *user,
                          size_t *ret_skipped)
{
    sqlite3_stmt *s = db->statements[SQL_LOAD_DEVICES];
    struct store_device device;
    int rc;

    *ret_skipped = 0;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (read_device(s, &device))
            on_device(user, &device);
        else
            (*ret_skipped)++;
    }
    rc = cause_of(db->connection, rc);
    (void) sqlite3_reset(s);
    return rc;
}

int database_load_texts(struct database *db, enum batch_table table, database_text_fn *on_text,
                        void *user)
{
    sqlite3_stmt *s = db->statements[text_statements[table].load];
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        on_text(user, (const char *) sqlite3_column_text(s, 0),
                (const char *) sqlite3_column_text(s, 1));
    rc = cause_of(db->connection, rc);
    (void) sqlite3_reset(s);
    return rc;
}

/* False: the row makes no sense. */
static bool read_pair(sqlite3_stmt *s, struct store_pair *ret_pair)
{
    int64_t device = sqlite3_column_int64(s, 0), proxy = sqlite3_column_int64(s, 1);
    int64_t mtu = sqlite3_column_int64(s, 2);

    *ret_pair = (struct store_pair){
            .device = (uint64_t) device,
            .proxy = (uint64_t) proxy,
            .mtu = (uint32_t) mtu,
            .is_bonded = sqlite3_column_int64(s, 3) == 1,
    };
    return is_address(device) && is_address(proxy) && mtu >= 0 && mtu <= UINT16_MAX;
}

int database_load_pairs(struct database *db, database_pair_fn *on_pair, void *user)
{
    sqlite3_stmt *s = db->statements[SQL_LOAD_PAIRS];
    struct store_pair pair;
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (read_pair(s, &pair))
            on_pair(user, &pair);
    }
    rc = cause_of(db->connection, rc);
    (void) sqlite3_reset(s);
    return rc;
}

/* ---- writing ---- */

/* Binding cannot fail: the statements have these parameters, and nothing is copied. */
static void bind_device(sqlite3_stmt *s, const struct batch *b, const struct batch_row *row)
{
    (void) sqlite3_bind_int64(s, 1, (int64_t) row->address);
    (void) sqlite3_bind_int64(s, 2, row->address_type);
    if (row->has_name)
        (void) sqlite3_bind_text(s, 3, (const char *) batch_octets(b, row->name_at),
                                 (int) row->name_size, SQLITE_STATIC);
    else
        (void) sqlite3_bind_null(s, 3);
    (void) sqlite3_bind_int64(s, 4, row->first_seen);
    (void) sqlite3_bind_int64(s, 5, row->last_seen);
    (void) sqlite3_bind_int64(s, 6, (int64_t) row->advertisements);
    (void) sqlite3_bind_blob(s, 7, batch_octets(b, row->details_at), (int) row->details_size,
                             SQLITE_STATIC);
    (void) sqlite3_bind_int64(s, 8, (int64_t) row->interval);
}

static int write_device(struct database *db, const struct batch *b, const struct batch_row *row)
{
    int rc;

    if (row->is_drop) {
        (void) sqlite3_bind_int64(db->statements[SQL_DROP_DEVICE], 1, (int64_t) row->address);
        rc = run(db, SQL_DROP_DEVICE);
        if (rc == 0)
            db->rows -= (size_t) sqlite3_changes(db->connection);
        return rc;
    }
    bind_device(db->statements[SQL_UPDATE_DEVICE], b, row);
    rc = run(db, SQL_UPDATE_DEVICE);
    if (rc < 0 || sqlite3_changes(db->connection) > 0)
        return rc;
    bind_device(db->statements[SQL_INSERT_DEVICE], b, row);
    rc = run(db, SQL_INSERT_DEVICE);
    db->rows += rc == 0;
    return rc;
}

static int write_text(struct database *db, const struct batch_text *text)
{
    enum statement which =
            text->value ? text_statements[text->table].put : text_statements[text->table].drop;
    sqlite3_stmt *s = db->statements[which];

    (void) sqlite3_bind_text(s, 1, text->key, -1, SQLITE_STATIC);
    if (text->value)
        (void) sqlite3_bind_text(s, 2, text->value, -1, SQLITE_STATIC);
    return run(db, which);
}

static int write_pair(struct database *db, const struct store_pair *pair)
{
    enum statement which = pair->mtu > 0 || pair->is_bonded ? SQL_PUT_PAIR : SQL_DROP_PAIR;
    sqlite3_stmt *s = db->statements[which];

    (void) sqlite3_bind_int64(s, 1, (int64_t) pair->device);
    (void) sqlite3_bind_int64(s, 2, (int64_t) pair->proxy);
    if (which == SQL_PUT_PAIR) {
        (void) sqlite3_bind_int64(s, 3, pair->mtu);
        (void) sqlite3_bind_int64(s, 4, pair->is_bonded);
    }
    return run(db, which);
}

static int drop_surplus(struct database *db, size_t rows_max)
{
    int rc;

    if (db->rows <= rows_max)
        return 0;
    (void) sqlite3_bind_int64(db->statements[SQL_DROP_OLDEST], 1, (int64_t) (db->rows - rows_max));
    rc = run(db, SQL_DROP_OLDEST);
    if (rc == 0)
        db->rows -= (size_t) sqlite3_changes(db->connection);
    return rc;
}

static int write_all(struct database *db, const struct batch *batch, size_t rows_max)
{
    int rc = 0;

    for (size_t i = 0; i < batch->rows_count && rc == 0; i++)
        rc = write_device(db, batch, &batch->rows[i]);
    for (size_t i = 0; i < batch->texts_count && rc == 0; i++)
        rc = write_text(db, &batch->texts[i]);
    for (size_t i = 0; i < batch->pairs_count && rc == 0; i++)
        rc = write_pair(db, &batch->pairs[i]);
    if (rc == 0)
        rc = drop_surplus(db, rows_max);
    return rc;
}

int database_write(struct database *db, const struct batch *batch, size_t rows_max)
{
    size_t rows = db->rows;
    int rc = run(db, SQL_BEGIN);

    if (rc < 0)
        return rc;
    rc = write_all(db, batch, rows_max);
    if (rc == 0)
        rc = run(db, SQL_COMMIT);
    if (rc == 0)
        return 0;
    db->rows = rows;
    if (!sqlite3_get_autocommit(db->connection)) /* some failures have rolled back already */
        (void) run(db, SQL_ROLLBACK);
    return rc;
}

void database_interrupt(struct database *db)
{
    sqlite3_interrupt(db->connection);
}

size_t database_rows(const struct database *db)
{
    return db->rows;
}

static uint64_t size_of_file(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 ? (uint64_t) status.st_size : 0;
}

uint64_t database_bytes(const struct database *db)
{
    return size_of_file(db->path) + size_of_file(db->wal_path);
}
