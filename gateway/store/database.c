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
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "damaged.h"
#include "details.h"
#include "migrations.h"
#include "sqlite_cause.h"

#define BUSY_TIMEOUT_MS 2000 /* another program of ours may write for a moment */
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
    XX(LOAD_PAIRS, "SELECT device, proxy, mtu, bonded FROM pairs")                                 \
    XX(FIND_LAYOUT, "SELECT id FROM gatt_layouts WHERE fingerprint = ?1 AND packed = ?2")          \
    XX(INSERT_LAYOUT, "INSERT INTO gatt_layouts(fingerprint, packed) VALUES (?1, ?2)")             \
    XX(DROP_UNUSED_LAYOUTS,                                                                        \
       "DELETE FROM gatt_layouts WHERE id NOT IN (SELECT layout FROM gatt_devices)")               \
    XX(LOAD_LAYOUTS, "SELECT id, packed FROM gatt_layouts")                                        \
    XX(PUT_GATT, "INSERT OR REPLACE INTO gatt_devices(address, layout, hash, updated)"             \
                 " VALUES (?1, ?2, ?3, ?4)")                                                       \
    XX(DROP_GATT, "DELETE FROM gatt_devices WHERE address = ?1")                                   \
    XX(DROP_OLDEST_GATT, "DELETE FROM gatt_devices WHERE address IN"                               \
                         " (SELECT address FROM gatt_devices ORDER BY updated"                     \
                         " LIMIT max(0, (SELECT count(*) FROM gatt_devices) - ?1))")               \
    XX(LOAD_GATT, "SELECT address, layout, hash, updated FROM gatt_devices ORDER BY updated DESC") \
    XX(ADD_TOKEN, "INSERT OR REPLACE INTO tokens(name, role, hash, created, last_used)"            \
                  " VALUES (?1, ?2, ?3, ?4, ?5)")                                                  \
    XX(USE_TOKEN, "UPDATE tokens SET last_used = ?5 WHERE name = ?1 AND hash = ?3")                \
    XX(DROP_TOKEN, "DELETE FROM tokens WHERE name = ?1")                                           \
    XX(LOAD_TOKENS, "SELECT name, role, hash, created, last_used FROM tokens ORDER BY name")       \
    XX(PUT_SESSION, "INSERT OR REPLACE INTO sessions(id, token, created, expires)"                 \
                    " VALUES (?1, ?2, ?3, ?4)")                                                    \
    XX(DROP_SESSION, "DELETE FROM sessions WHERE id = ?1")                                         \
    XX(DROP_SESSIONS_OF,                                                                           \
       "DELETE FROM sessions WHERE token IN (SELECT hash FROM tokens WHERE name = ?1)")            \
    XX(LOAD_SESSIONS, "SELECT id, token, created, expires FROM sessions ORDER BY created")         \
    XX(ADD_AUDIT,                                                                                  \
       "INSERT OR REPLACE INTO audit(id, class, time, role, status, actor, remote, action,"        \
       " changed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                                    \
    XX(PRUNE_AUDIT, "DELETE FROM audit WHERE time < ?1")                                           \
    XX(TRIM_AUDIT,                                                                                 \
       "DELETE FROM audit WHERE class = ?1 AND id <= (SELECT id FROM audit WHERE class = ?1"       \
       " ORDER BY id DESC LIMIT 1 OFFSET ?2)")                                                     \
    XX(LOAD_AUDIT, "SELECT id, class, time, role, status, actor, remote, action, changed"          \
                   " FROM audit ORDER BY id")                                                      \
    XX(DATA_VERSION, "PRAGMA data_version")

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
    int64_t seen_version;     /* of the data, when tokens were read last */
    char reason[REASON_SIZE]; /* why it could not be opened */
};

/* ---- causes ---- */

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
    int cause = sqlite_cause(db->connection, rc);

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
    if (sqlite_cause(db->connection, rc) == 0)
        *ret_number = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    rc = check(db, rc, "SQLite");
    (void) sqlite3_finalize(s);
    return rc;
}

/* Steps a statement that gives no rows, and makes it ready for the next time. */
static int run(struct database *db, enum statement which)
{
    sqlite3_stmt *s = db->statements[which];
    int cause = sqlite_cause(db->connection, sqlite3_step(s));

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
    return 0;
}

static int lock_folder(struct database *db)
{
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
        return fail(db, sqlite_cause(db->connection, rc), DATABASE_NAME " cannot be opened: %s",
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
    if (id != STORE_APPLICATION_ID || version <= 0)
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

/* When it fails the connection is closed, which rolls back. */
static int migrate(struct database *db, size_t version)
{
    return check(db, migrations_run(db->connection, version, migrations_count()), "SQLite");
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

/* Beside a gateway that has opened the file: what it needs is done. */
static int open_beside(struct database *db)
{
    size_t version = 0;
    int rc = connect_file(db);

    if (rc == 0)
        rc = check_identity(db, &version);
    if (rc == 0 && version != migrations_count())
        rc = fail(db, -EBUSY, "a gateway of another version uses it");
    if (rc == 0)
        rc = configure(db);
    return rc == 0 ? prepare_all(db) : rc;
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

static int open_locked(struct database *db)
{
    int rc = open_file(db);

    return rc == -EBADMSG ? start_afresh(db) : rc;
}

static int open_database(const char *folder, bool may_share, struct database **ret_database,
                         char *ret_error, size_t error_size)
{
    struct database *db = xnew(struct database, 1);
    int rc;

    db->folder = memory_copy_text(folder);
    db->path = join(folder, DATABASE_NAME);
    db->wal_path = join(folder, DATABASE_NAME "-wal");
    db->folder_fd = -1;
    rc = make_folder(db);
    if (rc == 0 && lock_folder(db) == 0)
        rc = open_locked(db);
    else if (rc == 0)
        rc = may_share ? open_beside(db) : -EBUSY;
    if (rc < 0) {
        (void) snprintf(ret_error, error_size, "store %s: %s", folder, db->reason);
        database_close(db);
        return rc;
    }
    *ret_database = db;
    return 0;
}

int database_open(const char *folder, struct database **ret_database, char *ret_error,
                  size_t error_size)
{
    return open_database(folder, /* may_share= */ false, ret_database, ret_error, error_size);
}

int database_join(const char *folder, struct database **ret_database, char *ret_error,
                  size_t error_size)
{
    return open_database(folder, /* may_share= */ true, ret_database, ret_error, error_size);
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
    rc = sqlite_cause(db->connection, rc);
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
    rc = sqlite_cause(db->connection, rc);
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
    rc = sqlite_cause(db->connection, rc);
    (void) sqlite3_reset(s);
    return rc;
}

static struct gatt_tree *read_layout(sqlite3_stmt *s)
{
    struct gatt_tree *tree =
            gatt_tree_unpack(sqlite3_column_blob(s, 1), (size_t) sqlite3_column_bytes(s, 1));

    if (tree && gatt_tree_services(tree) > 0)
        return tree;
    gatt_tree_release(tree);
    return NULL;
}

/* Trees by the number of their layout, without the damaged ones. */
static int load_layouts(struct database *db, struct map *ret_trees)
{
    sqlite3_stmt *s = db->statements[SQL_LOAD_LAYOUTS];
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct gatt_tree *tree = read_layout(s);

        if (tree)
            map_put(ret_trees, (uint64_t) sqlite3_column_int64(s, 0), tree);
    }
    rc = sqlite_cause(db->connection, rc);
    (void) sqlite3_reset(s);
    return rc;
}

static void read_gatt(sqlite3_stmt *s, const struct map *trees, struct store_gatt *ret_gatt)
{
    int64_t address = sqlite3_column_int64(s, 0), updated = sqlite3_column_int64(s, 3);
    const uint8_t *hash = sqlite3_column_blob(s, 2);
    bool is_hash = sqlite3_column_bytes(s, 2) == STORE_GATT_HASH_SIZE;

    *ret_gatt = (struct store_gatt){
            .address = (uint64_t) address,
            .tree = map_find(trees, (uint64_t) sqlite3_column_int64(s, 1)),
            .has_hash = hash != NULL,
            .updated = updated,
    };
    if (hash && is_hash)
        memcpy(ret_gatt->hash, hash, sizeof ret_gatt->hash);
    if (!is_address(address) || updated < 0 || (hash && !is_hash))
        ret_gatt->tree = NULL;
}

static int load_gatt_devices(struct database *db, const struct map *trees,
                             database_gatt_fn *on_gatt, void *user)
{
    sqlite3_stmt *s = db->statements[SQL_LOAD_GATT];
    struct store_gatt gatt;
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        read_gatt(s, trees, &gatt);
        on_gatt(user, &gatt);
    }
    rc = sqlite_cause(db->connection, rc);
    (void) sqlite3_reset(s);
    return rc;
}

int database_load_gatt(struct database *db, database_gatt_fn *on_gatt, void *user)
{
    struct map *trees = map_new(0);
    struct gatt_tree *tree;
    size_t position = 0;
    int rc = load_layouts(db, trees);

    if (rc == 0)
        rc = load_gatt_devices(db, trees, on_gatt, user);
    while ((tree = map_next(trees, &position)))
        gatt_tree_release(tree);
    map_free(trees);
    return rc;
}

/* ---- reading accounts ---- */

static bool is_hash(sqlite3_stmt *s, int column)
{
    return sqlite3_column_bytes(s, column) == SECRET_HASH_SIZE;
}

static void copy_hash(uint8_t ret_hash[SECRET_HASH_SIZE], sqlite3_stmt *s, int column)
{
    memcpy(ret_hash, sqlite3_column_blob(s, column), SECRET_HASH_SIZE);
}

static bool is_role(int64_t role)
{
    return role >= ACCOUNT_READ && role <= ACCOUNT_ADMIN;
}

/* False: the row makes no sense. */
static bool read_token(sqlite3_stmt *s, struct account_token *ret_token)
{
    const char *name = (const char *) sqlite3_column_text(s, 0);
    int64_t role = sqlite3_column_int64(s, 1);

    if (!account_name_is_valid(name) || !is_role(role) || !is_hash(s, 2))
        return false;
    *ret_token = (struct account_token){
            .role = (enum account_role) role,
            .created = sqlite3_column_int64(s, 3),
            .last_used = sqlite3_column_int64(s, 4),
    };
    (void) snprintf(ret_token->name, sizeof ret_token->name, "%s", name);
    copy_hash(ret_token->hash, s, 2);
    return true;
}

int database_load_tokens(struct database *db, struct account_token ret_tokens[TOKENS_MAX],
                         size_t *ret_count)
{
    sqlite3_stmt *s = db->statements[SQL_LOAD_TOKENS];
    size_t count = 0;
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW && count < TOKENS_MAX)
        count += read_token(s, &ret_tokens[count]);
    rc = sqlite_cause(db->connection, rc);
    (void) sqlite3_reset(s);
    *ret_count = count;
    return rc;
}

bool database_has_news(struct database *db)
{
    sqlite3_stmt *s = db->statements[SQL_DATA_VERSION];
    int64_t version = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    bool is_news = version != db->seen_version;

    (void) sqlite3_reset(s);
    db->seen_version = version;
    return is_news;
}

int database_load_sessions(struct database *db, database_session_fn *on_session, void *user)
{
    sqlite3_stmt *s = db->statements[SQL_LOAD_SESSIONS];
    struct account_session session;
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (!is_hash(s, 0) || !is_hash(s, 1))
            continue;
        copy_hash(session.id, s, 0);
        copy_hash(session.token, s, 1);
        session.created = sqlite3_column_int64(s, 2);
        session.expires = sqlite3_column_int64(s, 3);
        on_session(user, &session);
    }
    rc = sqlite_cause(db->connection, rc);
    (void) sqlite3_reset(s);
    return rc;
}

/* False: the row makes no sense. */
static bool read_audit(sqlite3_stmt *s, struct audit_entry *ret_entry)
{
    int64_t id = sqlite3_column_int64(s, 0), class = sqlite3_column_int64(s, 1);
    int64_t role = sqlite3_column_int64(s, 3), status = sqlite3_column_int64(s, 4);

    *ret_entry = (struct audit_entry){
            .id = (uint64_t) id,
            .class = (enum audit_class) class,
            .time = sqlite3_column_int64(s, 2),
            .role = (enum account_role) role,
            .status = (int) status,
            .actor = (const char *) sqlite3_column_text(s, 5),
            .remote = (const char *) sqlite3_column_text(s, 6),
            .action = (const char *) sqlite3_column_text(s, 7),
            .changed = (const char *) sqlite3_column_text(s, 8),
    };
    return id > 0 && class >= 0 && class < AUDIT_CLASSES && is_role(role) && status >= 100 &&
           status < 600;
}

int database_load_audit(struct database *db, database_audit_fn *on_audit, void *user)
{
    sqlite3_stmt *s = db->statements[SQL_LOAD_AUDIT];
    struct audit_entry entry;
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (read_audit(s, &entry))
            on_audit(user, &entry);
    }
    rc = sqlite_cause(db->connection, rc);
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

/* 0 and *ret_layout 0: it is not there. */
static int find_layout(struct database *db, int64_t *ret_layout)
{
    sqlite3_stmt *s = db->statements[SQL_FIND_LAYOUT];
    int rc = sqlite3_step(s);

    *ret_layout = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    rc = sqlite_cause(db->connection, rc);
    (void) sqlite3_reset(s);
    return rc;
}

static void bind_layout(sqlite3_stmt *s, const uint8_t *packed, size_t size)
{
    (void) sqlite3_bind_int64(s, 1, (int64_t) bytes_hash(packed, size));
    (void) sqlite3_bind_blob(s, 2, packed, (int) size, SQLITE_STATIC);
}

/* The number of the layout, which is made if it is missing. */
static int put_layout(struct database *db, const uint8_t *packed, size_t size, int64_t *ret_layout)
{
    int rc;

    bind_layout(db->statements[SQL_FIND_LAYOUT], packed, size);
    rc = find_layout(db, ret_layout);
    if (rc < 0 || *ret_layout != 0)
        return rc;
    bind_layout(db->statements[SQL_INSERT_LAYOUT], packed, size);
    rc = run(db, SQL_INSERT_LAYOUT);
    *ret_layout = sqlite3_last_insert_rowid(db->connection);
    return rc;
}

static int put_gatt(struct database *db, const struct batch *b, const struct batch_gatt *row)
{
    sqlite3_stmt *s = db->statements[SQL_PUT_GATT];
    int64_t layout;
    int rc = put_layout(db, batch_octets(b, row->packed_at), row->packed_size, &layout);

    if (rc < 0)
        return rc;
    (void) sqlite3_bind_int64(s, 1, (int64_t) row->address);
    (void) sqlite3_bind_int64(s, 2, layout);
    if (row->has_hash)
        (void) sqlite3_bind_blob(s, 3, row->hash, sizeof row->hash, SQLITE_STATIC);
    else
        (void) sqlite3_bind_null(s, 3);
    (void) sqlite3_bind_int64(s, 4, row->updated);
    return run(db, SQL_PUT_GATT);
}

static int drop_gatt(struct database *db, uint64_t address)
{
    (void) sqlite3_bind_int64(db->statements[SQL_DROP_GATT], 1, (int64_t) address);
    return run(db, SQL_DROP_GATT);
}

static int write_gatts(struct database *db, const struct batch *b)
{
    int rc = 0;

    if (b->gatts_count == 0)
        return 0;
    for (size_t i = 0; i < b->gatts_count && rc == 0; i++)
        rc = b->gatts[i].is_drop ? drop_gatt(db, b->gatts[i].address)
                                 : put_gatt(db, b, &b->gatts[i]);
    (void) sqlite3_bind_int64(db->statements[SQL_DROP_OLDEST_GATT], 1, STORE_GATT_MAX);
    if (rc == 0)
        rc = run(db, SQL_DROP_OLDEST_GATT);
    return rc < 0 ? rc : run(db, SQL_DROP_UNUSED_LAYOUTS);
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

static void bind_name(sqlite3_stmt *s, const char *name)
{
    (void) sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
}

static void bind_hash(sqlite3_stmt *s, int parameter, const uint8_t hash[SECRET_HASH_SIZE])
{
    (void) sqlite3_bind_blob(s, parameter, hash, SECRET_HASH_SIZE, SQLITE_STATIC);
}

static int write_token(struct database *db, const struct account_token *token, enum statement which)
{
    sqlite3_stmt *s = db->statements[which];

    bind_name(s, token->name);
    bind_hash(s, 3, token->hash);
    (void) sqlite3_bind_int64(s, 5, token->last_used);
    if (which == SQL_ADD_TOKEN) {
        (void) sqlite3_bind_int64(s, 2, (int64_t) token->role);
        (void) sqlite3_bind_int64(s, 4, token->created);
    }
    return run(db, which);
}

static int drop_token(struct database *db, const char *name)
{
    int rc;

    bind_name(db->statements[SQL_DROP_SESSIONS_OF], name);
    bind_name(db->statements[SQL_DROP_TOKEN], name);
    rc = run(db, SQL_DROP_SESSIONS_OF);
    return rc < 0 ? rc : run(db, SQL_DROP_TOKEN);
}

static int write_session(struct database *db, const struct account_session *session)
{
    sqlite3_stmt *s = db->statements[SQL_PUT_SESSION];

    bind_hash(s, 1, session->id);
    bind_hash(s, 2, session->token);
    (void) sqlite3_bind_int64(s, 3, session->created);
    (void) sqlite3_bind_int64(s, 4, session->expires);
    return run(db, SQL_PUT_SESSION);
}

static int write_account(struct database *db, const struct account_op *op)
{
    switch (op->kind) {
    case ACCOUNT_ADD_TOKEN:
        return write_token(db, &op->token, SQL_ADD_TOKEN);
    case ACCOUNT_USE_TOKEN:
        return write_token(db, &op->token, SQL_USE_TOKEN);
    case ACCOUNT_DROP_TOKEN:
        return drop_token(db, op->token.name);
    case ACCOUNT_PUT_SESSION:
        return write_session(db, &op->session);
    case ACCOUNT_DROP_SESSION:
        bind_hash(db->statements[SQL_DROP_SESSION], 1, op->session.id);
        return run(db, SQL_DROP_SESSION);
    }
    return 0;
}

static int write_audit(struct database *db, const struct audit_entry *e)
{
    sqlite3_stmt *s = db->statements[SQL_ADD_AUDIT];
    const char *const texts[] = {e->actor, e->remote, e->action, e->changed};

    (void) sqlite3_bind_int64(s, 1, (int64_t) e->id);
    (void) sqlite3_bind_int64(s, 2, (int64_t) e->class);
    (void) sqlite3_bind_int64(s, 3, e->time);
    (void) sqlite3_bind_int64(s, 4, (int64_t) e->role);
    (void) sqlite3_bind_int64(s, 5, e->status);
    for (int i = 0; i < 4; i++)
        (void) sqlite3_bind_text(s, 6 + i, texts[i], -1, SQLITE_STATIC); /* NULL is NULL */
    return run(db, SQL_ADD_AUDIT);
}

static int trim_audit(struct database *db, enum audit_class class)
{
    sqlite3_stmt *s = db->statements[SQL_TRIM_AUDIT];

    (void) sqlite3_bind_int64(s, 1, (int64_t) class);
    (void) sqlite3_bind_int64(s, 2, (int64_t) audit_rows_max(class));
    return run(db, SQL_TRIM_AUDIT);
}

static int write_accounts(struct database *db, const struct batch *b)
{
    int rc = 0;

    for (size_t i = 0; i < b->accounts.ops_count && rc == 0; i++)
        rc = write_account(db, &b->accounts.ops[i]);
    for (size_t i = 0; i < b->accounts.audit_count && rc == 0; i++)
        rc = write_audit(db, &b->accounts.audit[i]);
    for (enum audit_class c = 0; c < AUDIT_CLASSES && rc == 0 && b->accounts.audit_count > 0; c++)
        rc = trim_audit(db, c);
    if (rc < 0 || !b->is_pruning)
        return rc;
    (void) sqlite3_bind_int64(db->statements[SQL_PRUNE_AUDIT], 1, b->audit_since);
    return run(db, SQL_PRUNE_AUDIT);
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
        rc = write_accounts(db, batch);
    if (rc == 0)
        rc = write_gatts(db, batch);
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

bool database_has_tokens(const char *folder)
{
    struct database db = {.path = join(folder, DATABASE_NAME)};
    int64_t count = 0;

    if (sqlite3_open_v2(db.path, &db.connection, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK)
        (void) query_number(&db, "SELECT count(*) FROM tokens", &count);
    (void) sqlite3_close_v2(db.connection);
    free(db.path);
    return count > 0;
}
