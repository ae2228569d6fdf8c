/* The story. One connection has two databases: `main` is a fresh store, brought by our migrations
 * to the schema that the backup says it has; `backup` is the file, open for reading alone. Both
 * schemas must be equal, row by row; only then pages and rows of the backup are looked at. Its
 * configuration is completed with secrets and parsed, its tables are copied, and `main` is brought
 * to the schema of today. What is sealed is a third database, in memory.
 *
 * Failure modes: whatever is wrong with the file is a sentence; the fresh store goes. A file made
 * to keep SQLite busy for ever runs into the bound of steps. */
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "config/config_edit.h"
#include "config/config_file.h"
#include "config/config_secrets.h"
#include "sealed.h"
#include "sql.h"
#include "staged.h"
#include "store/migrations.h"
#include "store/sqlite_cause.h"

#define HEADER_SIZE     100 /* of an SQLite file */
#define LENGTH_MAX      (64 << 20)
#define STEPS_EACH      10000  /* of SQLite's machine, between two looks at the bound */
#define STEPS_LOOKS_MAX 500000 /* some minutes */

struct restore {
    const struct restore_order *order;
    struct restore_outcome *outcome;
    sqlite3 *connection;
    unsigned looks;
    bool is_exhausted;
    int64_t schema;         /* migrations that the backup has had */
    struct buffer config;   /* whole, holds secrets */
    struct buffer unsealed; /* an SQLite file, while it is attached; holds secrets */
    struct sealed sealed;
};

/* ---- faults ---- */

/* SQLite quotes what is in the file, and makes several lines of it. */
static void make_one_line(char *text)
{
    for (; *text; text++) {
        if ((unsigned char) *text < 0x20 || *text == 0x7f)
            *text = ' ';
    }
}

__attribute__((format(printf, 3, 4))) static int refuse(struct restore *r, int cause,
                                                        const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(r->outcome->sentence, sizeof r->outcome->sentence, format, arguments);
    va_end(arguments);
    make_one_line(r->outcome->sentence);
    return cause;
}

/* What SQLite found in the file that was checked so far. */
static int judge(struct restore *r, int rc)
{
    if (rc == -ECANCELED && r->is_exhausted)
        return refuse(r, E_INVALID_REQUEST, "it takes too long to check");
    return rc == -EBADMSG ? refuse(r, rc, "it is damaged, or no backup: %.120s",
                                   sqlite3_errmsg(r->connection))
                          : rc;
}

/* SQLite stops with SQLITE_INTERRUPT when this is not 0. */
static int on_progress(void *user)
{
    struct restore *r = user;

    r->is_exhausted = ++r->looks > STEPS_LOOKS_MAX;
    return r->is_exhausted || (r->order->is_cancelled && atomic_load(r->order->is_cancelled));
}

/* ---- opening ---- */

static int check_header(struct restore *r)
{
    static const char magic[16] = "SQLite format 3";
    char header[HEADER_SIZE];
    int fd = open(r->order->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t got;

    if (fd < 0)
        return -errno;
    got = read(fd, header, sizeof header);
    (void) close(fd);
    if (got != sizeof header || memcmp(header, magic, sizeof magic) != 0)
        return refuse(r, -EBADMSG, "it is no SQLite file");
    return header[18] == 1 && header[19] == 1
                   ? 0
                   : refuse(r, E_INVALID_REQUEST, "it is in a mode in which no backup is made");
}

/* As part of a URI. */
static char *encode_path(const char *path)
{
    struct buffer b = {0};

    for (; *path; path++) {
        if (strchr("%?#", *path))
            buffer_append_format(&b, "%%%02X", (unsigned) (unsigned char) *path);
        else
            buffer_append_char(&b, *path);
    }
    return buffer_take_text(&b);
}

static int make_work(const char *path)
{
    int fd;

    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 || close(fd) < 0 ? -errno : 0;
}

/* The fresh store, empty. It is thrown away when anything fails, and flushed when it is whole: no
 * journal. */
static int open_work(struct restore *r, const char *path)
{
    int rc = make_work(path);

    if (rc == 0)
        rc = sqlite_cause(
                NULL, sqlite3_open_v2(path, &r->connection,
                                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
                                      NULL));
    if (rc < 0)
        return rc;
    sql_distrust(r->connection);
    (void) sqlite3_limit(r->connection, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
    sqlite3_progress_handler(r->connection, STEPS_EACH, on_progress, r);
    return sql_run(r->connection, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                                  "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY");
}

static int attach_backup(struct restore *r)
{
    char *path AUTO_FREE = encode_path(r->order->path);

    return judge(r, sql_run(r->connection, "ATTACH 'file:%q?mode=ro&immutable=1' AS backup", path));
}

/* ---- whose it is ---- */

static int check_identity(struct restore *r)
{
    int64_t id = 0;
    int rc = judge(r, sql_number(r->connection, &id, "PRAGMA backup.application_id"));

    if (rc == 0)
        rc = judge(r, sql_number(r->connection, &r->schema, "PRAGMA backup.user_version"));
    if (rc < 0)
        return rc;
    if (id != BACKUP_APPLICATION_ID || r->schema <= 0)
        return refuse(r, E_INVALID_REQUEST, "it is the database of another program");
    if ((uint64_t) r->schema > migrations_count())
        return refuse(r, E_INVALID_REQUEST, "a newer version made it (schema %lld, known are %zu)",
                      (long long) r->schema, migrations_count());
    return 0;
}

/* The same thing in the fresh store? */
static int find_twin(struct restore *r, sqlite3_stmt *thing, int64_t *ret_count)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(r->connection,
                                "SELECT count(*) FROM main.sqlite_schema WHERE type = ?1 AND"
                                " name = ?2 AND tbl_name = ?3 AND sql IS ?4",
                                -1, &s, NULL);

    for (int i = 0; i < 4 && rc == SQLITE_OK; i++)
        rc = sqlite3_bind_value(s, i + 1, sqlite3_column_value(thing, i));
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    *ret_count = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    rc = sqlite_cause(r->connection, rc);
    (void) sqlite3_finalize(s);
    return rc;
}

/* Ends with the first thing that should not be there. */
static int compare_things(struct restore *r, sqlite3_stmt *things, int64_t *ret_count)
{
    int64_t twins;
    int rc;

    for (*ret_count = 0; (rc = sqlite3_step(things)) == SQLITE_ROW; (*ret_count)++) {
        rc = find_twin(r, things, &twins);
        if (rc < 0)
            return judge(r, rc);
        if (twins != 1)
            return refuse(r, E_INVALID_REQUEST, "its tables are not those of a backup");
    }
    return judge(r, sqlite_cause(r->connection, rc));
}

static int check_schema(struct restore *r)
{
    sqlite3_stmt *s = NULL;
    int64_t expected = 0, found = 0;
    int rc = sql_number(r->connection, &expected, "SELECT count(*) FROM main.sqlite_schema");

    if (rc == 0)
        rc = judge(r,
                   sqlite_cause(r->connection, sqlite3_prepare_v2(r->connection,
                                                                  "SELECT type, name, tbl_name, sql"
                                                                  " FROM backup.sqlite_schema",
                                                                  -1, &s, NULL)));
    if (rc == 0)
        rc = compare_things(r, s, &found);
    (void) sqlite3_finalize(s);
    if (rc == 0 && found != expected)
        rc = refuse(r, E_INVALID_REQUEST, "tables are missing in it");
    return rc;
}

static int check_wholeness(struct restore *r, const char *schema)
{
    sqlite3_stmt *s = NULL;
    char sql[64];
    int rc;

    (void) snprintf(sql, sizeof sql, "PRAGMA %s.integrity_check(1)", schema);
    rc = sqlite3_prepare_v2(r->connection, sql, -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW && strcmp((const char *) sqlite3_column_text(s, 0), "ok") != 0)
        rc = refuse(r, -EBADMSG, "it is damaged: %.120s", (const char *) sqlite3_column_text(s, 0));
    else
        rc = judge(r, sqlite_cause(r->connection, rc));
    (void) sqlite3_finalize(s);
    return rc;
}

/* ---- what it says of itself ---- */

/* The row of the key, to be finalized; NULL: there is none of this type. */
static sqlite3_stmt *find_value(struct restore *r, const char *key, int type)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(r->connection, "SELECT value FROM backup.backup WHERE key = ?1", -1,
                                &s, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW && sqlite3_column_type(s, 0) == type)
        return s;
    (void) sqlite3_finalize(s);
    return NULL;
}

static int64_t read_number(struct restore *r, const char *key)
{
    sqlite3_stmt *s = find_value(r, key, SQLITE_INTEGER);
    int64_t number = s ? sqlite3_column_int64(s, 0) : -1;

    (void) sqlite3_finalize(s);
    return number;
}

/* False: it is not there, or not shorter than size. */
static bool read_text(struct restore *r, const char *key, char *ret_text, size_t size)
{
    sqlite3_stmt *s = find_value(r, key, SQLITE_TEXT);
    size_t length = s ? (size_t) sqlite3_column_bytes(s, 0) : size;
    bool fits = length < size && strlen((const char *) sqlite3_column_text(s, 0)) == length;

    if (fits)
        memcpy(ret_text, sqlite3_column_text(s, 0), length + 1);
    (void) sqlite3_finalize(s);
    return fits;
}

/* False: it is not there, or not of this size. */
static bool read_octets(struct restore *r, const char *key, uint8_t *ret_octets, size_t size)
{
    sqlite3_stmt *s = find_value(r, key, SQLITE_BLOB);
    bool fits = s && (size_t) sqlite3_column_bytes(s, 0) == size;

    if (fits)
        memcpy(ret_octets, sqlite3_column_blob(s, 0), size);
    (void) sqlite3_finalize(s);
    return fits;
}

static bool append_value(struct restore *r, const char *key, int type, struct buffer *ret_value)
{
    sqlite3_stmt *s = find_value(r, key, type);

    if (s)
        buffer_append(ret_value, sqlite3_column_blob(s, 0), (size_t) sqlite3_column_bytes(s, 0));
    (void) sqlite3_finalize(s);
    return s != NULL;
}

static bool is_version(const char *text)
{
    static const char allowed[] =
            "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+~-";

    return text[0] && text[strspn(text, allowed)] == '\0';
}

static int check_format(struct restore *r)
{
    struct restore_outcome *o = r->outcome;
    int64_t format = read_number(r, "format"), secrets = read_number(r, "secrets"), created;

    if (format > BACKUP_FORMAT)
        return refuse(r, E_INVALID_REQUEST, "a newer version made it (format %lld, known is %d)",
                      (long long) format, BACKUP_FORMAT);
    if (format < 1 || secrets < 0 || secrets > 1 ||
        !read_text(r, "version", o->version, sizeof o->version) || !is_version(o->version) ||
        !read_text(r, "created", o->created, sizeof o->created) ||
        !clock_parse(o->created, &created))
        return refuse(r, E_INVALID_REQUEST, "it does not say what it is");
    clock_format(o->created, created);
    o->has_secrets = secrets == 1;
    return 0;
}

/* ---- the seal ---- */

static int open_seal(struct restore *r)
{
    const struct restore_order *o = r->order;
    int64_t operations = read_number(r, "operations"), memory = read_number(r, "memory");
    int rc;

    if (operations < 0 || memory < 0 ||
        !read_octets(r, "salt", r->sealed.salt, sizeof r->sealed.salt) ||
        !read_octets(r, "nonce", r->sealed.nonce, sizeof r->sealed.nonce) ||
        !append_value(r, "sealed", SQLITE_BLOB, &r->sealed.octets))
        return refuse(r, E_INVALID_REQUEST, "its secrets are not there");
    if (!o->passphrase)
        return refuse(r, E_INVALID_REQUEST,
                      "it has secrets, and needs its passphrase in the header Blefleet-Passphrase");
    r->sealed.operations = (uint64_t) operations;
    r->sealed.memory = (uint64_t) memory;
    rc = sealed_open(&r->sealed, o->passphrase, &r->unsealed);
    if (rc == -EACCES)
        return refuse(r, E_INVALID_REQUEST, "the passphrase is another one");
    return rc == -ERANGE ? refuse(r, E_INVALID_REQUEST, "no backup is sealed like this") : rc;
}

static int attach_unsealed(struct restore *r)
{
    sqlite3_int64 size = (sqlite3_int64) buffer_size(&r->unsealed);
    int rc = sql_run(r->connection, "ATTACH ':memory:' AS sealed");

    if (rc == 0)
        rc = sqlite_cause(r->connection,
                          sqlite3_deserialize(r->connection, "sealed",
                                              (unsigned char *) r->unsealed.data, size, size,
                                              SQLITE_DESERIALIZE_READONLY));
    return rc < 0 ? judge(r, rc) : check_wholeness(r, "sealed");
}

/* ---- the configuration ---- */

static int read_sealed_config(struct restore *r)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(r->connection, "SELECT text FROM sealed.configuration", -1, &s,
                                NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        buffer_append(&r->config, sqlite3_column_blob(s, 0), (size_t) sqlite3_column_bytes(s, 0));
    else
        rc = rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
    rc = judge(r, sqlite_cause(r->connection, rc));
    (void) sqlite3_finalize(s);
    return rc;
}

static int fill_config(struct restore *r, const struct buffer *present)
{
    struct buffer masked = {0};
    size_t size = 0;
    char *filled = NULL;

    if (append_value(r, "configuration", SQLITE_TEXT, &masked))
        filled = config_secrets_fill((const char *) buffer_front(&masked), buffer_size(&masked),
                                     (const char *) buffer_front(present), buffer_size(present),
                                     &size, &r->outcome->missing);
    if (filled) {
        buffer_append(&r->config, filled, size);
        explicit_bzero(filled, size);
    }
    free(filled);
    buffer_done(&masked);
    return filled ? 0 : refuse(r, E_INVALID_REQUEST, "its configuration is no object in JSON");
}

static bool will_have_tokens(struct restore *r)
{
    int64_t count = 0;

    return r->order->has_tokens ||
           (r->outcome->has_secrets && sql_has_table(r->connection, "sealed", "tokens") &&
            sql_number(r->connection, &count, "SELECT count(*) FROM sealed.tokens") == 0 &&
            count > 0);
}

/* Under the environment it will meet. */
static int parse_config(struct restore *r)
{
    struct config *config =
            config_parse_under((const char *) buffer_front(&r->config), buffer_size(&r->config),
                               r->order->parts, r->order->environment, &r->outcome->faults);

    if (config && !will_have_tokens(r))
        config_check_listen(config, &r->outcome->faults);
    config_free(config);
    return r->outcome->faults.count == 0 ? 0 : E_INVALID_REQUEST;
}

/* What differs between the files, whatever the environment says. */
static int compare_config(struct restore *r, const struct buffer *present)
{
    const struct config_edit edit = {.kind = CONFIG_EDIT_REPLACE,
                                     .patch = (const char *) buffer_front(&r->config),
                                     .patch_size = buffer_size(&r->config),
                                     .pointer = ""};
    struct config_edited edited = {0};
    int rc = config_edit_apply((const char *) buffer_front(present), buffer_size(present), &edit,
                               r->order->parts, (char *[]){NULL}, &edited);

    if (rc == 0) {
        r->outcome->changed = edited.changed;
        edited.changed = (struct config_texts){0};
    } else {
        config_faults_done(&r->outcome->faults);
        r->outcome->faults = edited.faults;
        edited.faults = (struct config_faults){0};
    }
    config_edited_done(&edited);
    return rc == 0 ? 0 : E_INVALID_REQUEST;
}

/* The file of today; {} when it is of no use. */
static void read_present(const struct restore *r, struct buffer *ret_text)
{
    struct config_faults faults = {0};
    struct config *config = NULL;

    if (config_file_read(r->order->config_path, ret_text) == 0)
        config = config_parse_under((const char *) buffer_front(ret_text), buffer_size(ret_text),
                                    r->order->parts, r->order->environment, &faults);
    if (!config) {
        buffer_clear(ret_text);
        buffer_append_text(ret_text, "{}");
    }
    config_free(config);
    config_faults_done(&faults);
}

static void wipe(struct buffer *text)
{
    if (text->data)
        explicit_bzero(text->data, text->capacity);
    buffer_done(text);
}

static int make_config(struct restore *r)
{
    struct buffer present = {0};
    int rc;

    read_present(r, &present);
    rc = r->outcome->has_secrets ? read_sealed_config(r) : fill_config(r, &present);
    if (rc == 0)
        rc = parse_config(r);
    if (rc == 0)
        rc = compare_config(r, &present);
    wipe(&present);
    return rc;
}

/* ---- the store ---- */

static bool is_listed(const char *const *tables, const char *name)
{
    while (*tables && strcmp(*tables, name) != 0)
        tables++;
    return *tables != NULL;
}

static int copy_table(struct restore *r, const char *name)
{
    if (is_listed(backup_passing_tables, name) || strcmp(name, "backup") == 0)
        return 0;
    if (!is_listed(backup_secret_tables, name))
        return sql_run(r->connection, "INSERT INTO main.\"%w\" SELECT * FROM backup.\"%w\"", name,
                       name);
    if (!r->outcome->has_secrets || !sql_has_table(r->connection, "sealed", name))
        return 0;
    return sql_run(r->connection, "INSERT INTO main.\"%w\" SELECT * FROM sealed.\"%w\"", name,
                   name);
}

/* A row that breaks a rule of its table is a fault of the backup. */
static int copy_tables(struct restore *r)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(r->connection,
                                "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND"
                                " name NOT LIKE 'sqlite!_%' ESCAPE '!'",
                                -1, &s, NULL);

    rc = sqlite_cause(r->connection, rc);
    while (rc == 0 && sqlite3_step(s) == SQLITE_ROW)
        rc = copy_table(r, (const char *) sqlite3_column_text(s, 0));
    (void) sqlite3_finalize(s);
    return judge(r, rc);
}

static int run_migrations(struct restore *r, size_t from, size_t to)
{
    return sqlite_cause(r->connection, migrations_run(r->connection, from, to));
}

/* ---- the whole ---- */

static int check_file(struct restore *r)
{
    int rc = check_identity(r);

    if (rc == 0)
        rc = run_migrations(r, 0, (size_t) r->schema);
    if (rc == 0)
        rc = sql_run(r->connection, BACKUP_TABLE);
    if (rc == 0)
        rc = check_schema(r);
    if (rc == 0)
        rc = check_wholeness(r, "backup");
    if (rc == 0)
        rc = check_format(r);
    if (rc == 0 && r->outcome->has_secrets)
        rc = open_seal(r);
    if (rc == 0 && r->outcome->has_secrets)
        rc = attach_unsealed(r);
    return rc;
}

static int make_store(struct restore *r)
{
    int rc = sql_run(r->connection, "BEGIN");

    if (rc == 0)
        rc = copy_tables(r);
    if (rc == 0)
        rc = sql_run(r->connection, "DROP TABLE main.backup; COMMIT");
    if (rc == 0)
        rc = run_migrations(r, (size_t) r->schema, migrations_count());
    return rc;
}

static int disconnect(struct restore *r, int rc)
{
    if (r->connection && !sqlite3_get_autocommit(r->connection))
        (void) sql_run(r->connection, "ROLLBACK");
    if (sqlite3_close(r->connection) != SQLITE_OK && rc == 0)
        rc = -EIO;
    r->connection = NULL;
    return rc;
}

static int check_and_make(struct restore *r, const char *work)
{
    int rc = check_header(r);

    if (rc == 0)
        rc = open_work(r, work);
    if (rc == 0)
        rc = attach_backup(r);
    if (rc == 0)
        rc = check_file(r);
    if (rc == 0)
        rc = make_config(r);
    if (rc == 0)
        rc = make_store(r);
    return disconnect(r, rc);
}

void restore_outcome_done(struct restore_outcome *o)
{
    config_texts_done(&o->changed);
    config_texts_done(&o->missing);
    config_faults_done(&o->faults);
    *o = (struct restore_outcome){0};
}

int restore_stage(const struct restore_order *order, struct restore_outcome *ret_outcome)
{
    char *work AUTO_FREE = staged_path(order->folder, STAGED_WORK);
    struct restore r = {.order = order, .outcome = ret_outcome};
    int rc;

    *ret_outcome = (struct restore_outcome){0};
    rc = check_and_make(&r, work);
    if (rc == 0)
        rc = staged_commit(order->folder, (const char *) buffer_front(&r.config),
                           buffer_size(&r.config));
    if (rc < 0)
        (void) unlink(work); /* best effort */
    wipe(&r.config);
    wipe(&r.unsealed);
    sealed_done(&r.sealed);
    return rc;
}
