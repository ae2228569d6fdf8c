/* Backups are made of a store and a configuration, and restored elsewhere; and what is no backup,
 * or a bad one, is refused and changes nothing. */
#include "backup_fixture.h"

#include "backup/restore.h"
#include "base/error.h"

static const char config[] = "{\n  \"mqtt\": {\n    \"password\": \"hunter-one\"\n  },\n"
                             "  \"proxies\": [\n    {\n      \"name\": \"kitchen\",\n"
                             "      \"host\": \"192.0.2.10\",\n"
                             "      \"encryption_key\": \"" KEY "\"\n    }\n  ]\n}\n";

static const char rows[] = "INSERT INTO devices VALUES(181, 0, 'Fridge', 1, 2, 3, x'0100', 4);"
                           "INSERT INTO proxies VALUES('kitchen', 'AA:BB:CC:DD:EE:FF');"
                           "INSERT INTO texts VALUES('mqtt.client_id', 'blefleet-00000001');"
                           "INSERT INTO pairs VALUES(181, 7, 23, 1);"
                           "INSERT INTO gatt_layouts VALUES(1, 5, x'00');"
                           "INSERT INTO gatt_devices VALUES(181, 1, NULL, 9);";

struct fixture {
    struct place from, to;
    char given[300]; /* where a backup is before it is restored */
    bool has_tokens;
    struct restore_outcome outcome;
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    place_make(&f->from);
    place_make(&f->to);
    make_store(path_in(&f->from, DATABASE_NAME), migrations_count(), rows);
    write_at(path_in(&f->to, "config.json"), "{}", 2);
    (void) snprintf(f->given, sizeof f->given, "%s", path_in(&f->to, "given"));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    restore_outcome_done(&f->outcome);
    place_remove(&f->from);
    place_remove(&f->to);
    free(f);
    return 0;
}

static void copy_to(int fd, const char *path)
{
    char block[4096];
    FILE *file = fopen(path, "w");
    ssize_t got;

    assert_non_null(file);
    while ((got = read(fd, block, sizeof block)) > 0)
        assert_int_equal(fwrite(block, 1, (size_t) got, file), (size_t) got);
    assert_int_equal(fclose(file), 0);
}

/* The path of a backup, beside where it will be restored. */
static const char *back_up(struct fixture *f, const char *text, const char *passphrase)
{
    const struct backup_order order = {.store = path_in(&f->from, DATABASE_NAME),
                                       .config = text,
                                       .config_size = strlen(text),
                                       .passphrase = passphrase,
                                       .path = path_in(&f->from, STAGED_BACKUP),
                                       .created = CREATED};
    struct stat status;
    uint64_t size;
    int fd;

    assert_int_equal(backup_make(&order, &fd, &size), 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, size);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(count_files(&f->from, STAGED_BACKUP), 0);
    copy_to(fd, f->given);
    (void) close(fd);
    return f->given;
}

static int stage(struct fixture *f, const char *path, const char *passphrase)
{
    static const char *const parts[] = {"core", "config", "voices", NULL};
    const struct restore_order order = {.path = path,
                                        .passphrase = passphrase,
                                        .folder = f->to.folder,
                                        .config_path = path_in(&f->to, "config.json"),
                                        .parts = parts,
                                        .environment = (char *[]){NULL},
                                        .has_tokens = f->has_tokens};
    int rc;

    restore_outcome_done(&f->outcome);
    rc = restore_stage(&order, &f->outcome);
    assert_int_equal(count_files(&f->to, STAGED_WORK), 0);
    assert_int_equal(is_there(path_in(&f->to, STAGED_CONFIG)),
                     is_there(path_in(&f->to, STAGED_STORE)));
    return rc;
}

static void expect_refusal(struct fixture *f, const char *path, const char *passphrase, int cause,
                           const char *words)
{
    assert_int_equal(stage(f, path, passphrase), cause);
    if (!strstr(f->outcome.sentence, words))
        fail_msg("\"%s\" does not say \"%s\"", f->outcome.sentence, words);
    assert_false(is_there(path_in(&f->to, STAGED_STORE)));
}

static bool holds(const char *path, const char *text)
{
    struct buffer content = {0};
    bool result;

    assert_int_equal(config_file_read(path, &content), 0);
    result = memmem(buffer_front(&content), buffer_size(&content), text, strlen(text)) != NULL;
    buffer_done(&content);
    return result;
}

static void assert_rows(const char *path)
{
    assert_int_equal(number_at(path, "SELECT count(*) FROM devices WHERE address = 181 AND"
                                     " name = 'Fridge' AND interval = 4 AND details = x'0100'"),
                     1);
    assert_int_equal(number_at(path, "SELECT count(*) FROM proxies WHERE name = 'kitchen'"), 1);
    assert_int_equal(number_at(path, "SELECT count(*) FROM texts"), 1);
    assert_int_equal(number_at(path, "SELECT count(*) FROM pairs WHERE mtu = 23 AND bonded = 1"),
                     1);
    assert_int_equal(number_at(path, "SELECT count(*) FROM gatt_layouts, gatt_devices"
                                     " WHERE id = layout AND packed = x'00'"),
                     1);
    assert_int_equal(number_at(path, "PRAGMA application_id"), STORE_APPLICATION_ID);
    assert_int_equal(number_at(path, "PRAGMA user_version"), (long long) migrations_count());
    assert_int_equal(number_at(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'backup'"),
                     0);
}

static void with_a_passphrase_everything_comes_back(void **state)
{
    struct fixture *f = *state;
    const char *path = back_up(f, config, PASSPHRASE);

    assert_false(holds(path, "hunter-one"));
    assert_false(holds(path, KEY));
    assert_int_equal(stage(f, path, PASSPHRASE), 0);
    assert_string_equal(f->outcome.version, BLEFLEET_VERSION);
    assert_string_equal(f->outcome.created, "2026-11-21T10:00:00.000Z");
    assert_true(f->outcome.has_secrets);
    assert_int_equal(f->outcome.missing.count, 0);
    assert_int_equal(f->outcome.changed.count, 2);
    assert_string_equal(f->outcome.changed.items[0], "/mqtt/password");
    assert_content(path_in(&f->to, "config.json"), "{}"); /* nothing has happened yet */
    assert_int_equal(staged_apply(f->to.folder, path_in(&f->to, "config.json")), 0);
    assert_content(path_in(&f->to, "config.json"), config);
    assert_content(path_in(&f->to, "config.json.1"), "{}");
    assert_rows(path_in(&f->to, DATABASE_NAME));
    assert_int_equal(count_files(&f->to, "restore"), 0);
}

static void without_secrets_those_of_the_place_are_kept_and_others_named(void **state)
{
    struct fixture *f = *state;
    static const char there[] = "{\"mqtt\":{\"password\":\"there\"}}";
    const char *path = back_up(f, config, NULL);

    assert_false(holds(path, "hunter-one"));
    assert_false(holds(path, KEY));
    write_at(path_in(&f->to, "config.json"), there, strlen(there));
    assert_int_equal(stage(f, path, NULL), 0);
    assert_false(f->outcome.has_secrets);
    assert_int_equal(f->outcome.missing.count, 1);
    assert_string_equal(f->outcome.missing.items[0], "/proxies/0/encryption_key");
    assert_int_equal(staged_apply(f->to.folder, path_in(&f->to, "config.json")), 0);
    assert_true(holds(path_in(&f->to, "config.json"), "\"password\": \"there\""));
    assert_true(holds(path_in(&f->to, "config.json"), "\"encryption_key\": null"));
    assert_rows(path_in(&f->to, DATABASE_NAME));
}

static void wrong_passphrase_and_none_are_told_apart(void **state)
{
    struct fixture *f = *state;
    const char *path = back_up(f, config, PASSPHRASE);

    expect_refusal(f, path, "wrong horse battery", E_INVALID_REQUEST, "passphrase is another");
    expect_refusal(f, path, NULL, E_INVALID_REQUEST, "needs its passphrase");
}

static void secret_tables_are_in_no_backup_in_the_clear(void **state)
{
    struct fixture *f = *state;
    const char *path;

    sql_at(path_in(&f->from, DATABASE_NAME),
           "INSERT INTO tokens VALUES('ops', 3, CAST('the-hash-of-a-token' AS BLOB), 1, 0);"
           "INSERT INTO sessions VALUES(CAST('the-id-of-a-session' AS BLOB), x'01', 1, 2);"
           "INSERT INTO audit VALUES(1, 0, 1, 3, 200, 'ops', NULL, 'PUT /config', '')");
    for (int i = 0; i < 2; i++) {
        path = back_up(f, config, i ? PASSPHRASE : NULL);
        assert_false(holds(path, "the-hash-of-a-token"));
        assert_false(holds(path, "the-id-of-a-session"));
        assert_int_equal(number_at(path, "SELECT count(*) FROM tokens"), 0);
    }
    assert_int_equal(number_at(path_in(&f->from, DATABASE_NAME), "SELECT count(*) FROM tokens"), 1);
    assert_int_equal(stage(f, path, PASSPHRASE), 0);
    path = path_in(&f->to, STAGED_STORE);
    assert_int_equal(number_at(path, "SELECT count(*) FROM tokens WHERE name = 'ops' AND role = 3"
                                     " AND hash = CAST('the-hash-of-a-token' AS BLOB)"),
                     1);
    assert_int_equal(number_at(path, "SELECT count(*) FROM audit"), 1);
    assert_int_equal(number_at(path, "SELECT count(*) FROM sessions"), 0);
}

/* Rows that somebody put beside the seal. */
static void tokens_outside_the_seal_do_not_count(void **state)
{
    struct fixture *f = *state;
    const char *path = back_up(f, config, NULL);

    sql_at(path, "INSERT INTO tokens VALUES('mine', 3, zeroblob(32), 1, 0);"
                 "INSERT INTO sessions VALUES(zeroblob(32), zeroblob(32), 1, 1 << 60)");
    assert_int_equal(stage(f, path, NULL), 0);
    path = path_in(&f->to, STAGED_STORE);
    assert_int_equal(number_at(path, "SELECT count(*) FROM tokens"), 0);
    assert_int_equal(number_at(path, "SELECT count(*) FROM sessions"), 0);
}

static void without_any_token_it_may_not_listen_off_loopback(void **state)
{
    static const char open_config[] = "{\"http\":{\"listen\":[\"0.0.0.0:8080\"]}}";
    struct fixture *f = *state;
    const char *path = back_up(f, open_config, NULL);

    expect_refusal(f, path, NULL, E_INVALID_REQUEST, "");
    assert_int_equal(f->outcome.faults.count, 1);
    assert_string_equal(f->outcome.faults.items[0].pointer, "/http/listen");
    f->has_tokens = true; /* in the place where it is restored */
    assert_int_equal(stage(f, path, NULL), 0);
    f->has_tokens = false;
    sql_at(path_in(&f->from, DATABASE_NAME), "INSERT INTO tokens VALUES('ops', 3, x'00', 1, 0)");
    assert_int_equal(stage(f, back_up(f, open_config, PASSPHRASE), PASSPHRASE), 0);
}

static void backups_of_older_schemas_are_brought_to_that_of_today(void **state)
{
    struct fixture *f = *state;

    for (size_t schema = 1; schema < migrations_count(); schema++) {
        (void) unlink(path_in(&f->from, DATABASE_NAME));
        make_store(path_in(&f->from, DATABASE_NAME), schema,
                   "INSERT INTO devices(address, address_type, first_seen, last_seen,"
                   " advertisements, details) VALUES(181, 0, 1, 2, 3, x'0100')");
        assert_int_equal(stage(f, back_up(f, config, NULL), NULL), 0);
        assert_int_equal(number_at(path_in(&f->to, STAGED_STORE), "PRAGMA user_version"),
                         (long long) migrations_count());
        assert_int_equal(number_at(path_in(&f->to, STAGED_STORE), "SELECT interval FROM devices"),
                         0);
    }
}

static void newer_ones_are_refused_with_a_sentence(void **state)
{
    struct fixture *f = *state;
    const char *path = back_up(f, config, NULL);

    sql_at(path, "UPDATE backup SET value = 2 WHERE key = 'format'");
    expect_refusal(f, path, NULL, E_INVALID_REQUEST, "newer version made it (format 2");
    sql_at(path, "PRAGMA user_version = 99");
    expect_refusal(f, path, NULL, E_INVALID_REQUEST, "newer version made it (schema 99");
}

static void what_is_no_backup_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *path = f->given;

    write_at(path, "", 0);
    expect_refusal(f, path, NULL, -EBADMSG, "no SQLite file");
    write_at(path, config, sizeof config - 1);
    expect_refusal(f, path, NULL, -EBADMSG, "no SQLite file");
    (void) unlink(path);
    sql_at(path, "CREATE TABLE foreign_one(x)");
    expect_refusal(f, path, NULL, E_INVALID_REQUEST, "another program");
    make_store(path, migrations_count(), rows); /* the store itself, not a backup of it */
    expect_refusal(f, path, NULL, E_INVALID_REQUEST, "mode in which no backup is made");
    sql_at(path, "PRAGMA journal_mode = DELETE");
    expect_refusal(f, path, NULL, E_INVALID_REQUEST, "another program");
    (void) unlink(path);
    assert_int_equal(symlink(path_in(&f->from, DATABASE_NAME), path), 0);
    assert_int_equal(stage(f, path, NULL), -ELOOP);
}

static void schema_that_is_not_to_the_letter_is_refused(void **state)
{
    static const char *const changes[] = {
            "CREATE TRIGGER t AFTER INSERT ON devices BEGIN DELETE FROM devices; END",
            "CREATE VIEW v AS SELECT * FROM devices",
            "CREATE TABLE more(x)",
            "CREATE INDEX more ON devices(name)",
            "CREATE VIRTUAL TABLE more USING fts5(x)",
            "DROP INDEX gatt_devices_by_layout",
            "DROP TABLE pairs",
            "DROP TABLE pairs; CREATE VIEW pairs AS SELECT 1",
            "ALTER TABLE devices ADD COLUMN more INTEGER",
            "DROP TABLE texts; CREATE TABLE texts(key TEXT PRIMARY KEY, value AS (hex(key)))",
            "DROP TABLE backup; CREATE TABLE backup(key TEXT PRIMARY KEY, value)",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        const char *path = back_up(f, config, NULL);

        sql_at(path, changes[i]);
        expect_refusal(f, path, NULL, E_INVALID_REQUEST, "tables");
    }
}

static void what_it_says_of_itself_must_make_sense(void **state)
{
    static const char *const changes[] = {
            "DELETE FROM backup WHERE key = 'format'",
            "UPDATE backup SET value = 'one' WHERE key = 'format'",
            "UPDATE backup SET value = 0 WHERE key = 'format'",
            "UPDATE backup SET value = 2 WHERE key = 'secrets'",
            "UPDATE backup SET value = 'a' || char(10) || 'b' WHERE key = 'version'",
            "UPDATE backup SET value = printf('%99d', 1) WHERE key = 'version'",
            "UPDATE backup SET value = 'yesterday' WHERE key = 'created'",
            "UPDATE backup SET value = x'00' WHERE key = 'created'",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        const char *path = back_up(f, config, NULL);

        sql_at(path, changes[i]);
        expect_refusal(f, path, NULL, E_INVALID_REQUEST, "does not say what it is");
    }
}

static void seal_that_is_not_ours_is_refused(void **state)
{
    static const struct {
        const char *change, *words;
    } cases[] = {
            {"DELETE FROM backup WHERE key = 'salt'", "secrets are not there"},
            {"UPDATE backup SET value = x'00' WHERE key = 'nonce'", "secrets are not there"},
            {"UPDATE backup SET value = 'x' WHERE key = 'sealed'", "secrets are not there"},
            {"UPDATE backup SET value = 1 << 50 WHERE key = 'memory'", "no backup is sealed"},
            {"UPDATE backup SET value = 1000 WHERE key = 'operations'", "no backup is sealed"},
            {"UPDATE backup SET value = zeroblob(99) WHERE key = 'sealed'", "is another one"},
    };
    struct fixture *f = *state;
    const char *path = back_up(f, config, PASSPHRASE);
    char original[300];

    (void) snprintf(original, sizeof original, "%s", path_in(&f->to, "original"));
    assert_int_equal(rename(path, original), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int fd = open(original, O_RDONLY);

        copy_to(fd, path);
        (void) close(fd);
        sql_at(path, cases[i].change);
        expect_refusal(f, path, PASSPHRASE, E_INVALID_REQUEST, cases[i].words);
    }
}

static void configuration_that_is_not_valid_is_told_with_pointers(void **state)
{
    struct fixture *f = *state;
    const char *path = back_up(f, config, NULL);

    sql_at(path, "UPDATE backup SET value = '{\"http\":{\"listen\":7},\"moon\":1}'"
                 " WHERE key = 'configuration'");
    expect_refusal(f, path, NULL, E_INVALID_REQUEST, "");
    assert_int_equal(f->outcome.faults.count, 2);
    sql_at(path, "UPDATE backup SET value = '[' WHERE key = 'configuration'");
    expect_refusal(f, path, NULL, E_INVALID_REQUEST, "no object in JSON");
}

static void rows_that_break_the_rules_of_their_table_are_refused(void **state)
{
    struct fixture *f = *state;
    const char *path = back_up(f, config, NULL);

    sql_at(path, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql ="
                 " replace(sql, 'NOT NULL', '') WHERE name = 'proxies'");
    sql_at(path, "INSERT INTO proxies VALUES('hall', NULL); PRAGMA writable_schema = ON;"
                 "UPDATE sqlite_schema SET sql = replace(sql, 'mac  TEXT ', 'mac  TEXT NOT NULL')"
                 " WHERE name = 'proxies'");
    assert_true(stage(f, path, NULL) < 0);
    assert_false(is_there(path_in(&f->to, STAGED_STORE)));
}

/* Cut anywhere, or with any page full of something else: refused, or restored as it was. */
static void damaged_files_never_become_a_store(void **state)
{
    struct fixture *f = *state;
    const char *path = back_up(f, config, NULL);
    struct buffer whole = {0};
    size_t size, refused = 0;

    assert_int_equal(config_file_read(path, &whole), 0);
    size = buffer_size(&whole);
    for (size_t cut = 1; cut < size; cut += 1021) {
        write_at(path, buffer_front(&whole), cut);
        assert_true(stage(f, path, NULL) < 0);
    }
    for (size_t at = 0; at < size; at += 149) {
        whole.data[whole.start + at] ^= 0xff;
        write_at(path, buffer_front(&whole), size);
        whole.data[whole.start + at] ^= 0xff;
        refused += stage(f, path, NULL) < 0;
        (void) staged_drop(f->to.folder);
    }
    assert_true(refused > 0);
    buffer_done(&whole);
}

static void a_staged_one_outlives_a_bad_one_and_gives_way_to_a_good_one(void **state)
{
    struct fixture *f = *state;
    const char *path = back_up(f, config, NULL);

    assert_int_equal(stage(f, path, NULL), 0);
    sql_at(path, "UPDATE backup SET value = 2 WHERE key = 'format'");
    assert_int_equal(stage(f, path, NULL), E_INVALID_REQUEST);
    assert_true(is_there(path_in(&f->to, STAGED_STORE)));
    path = back_up(f, "{\"log\":{\"level\":\"debug\"}}", NULL);
    assert_int_equal(stage(f, path, NULL), 0);
    assert_int_equal(staged_apply(f->to.folder, path_in(&f->to, "config.json")), 0);
    assert_true(holds(path_in(&f->to, "config.json"), "debug"));
}

static void present_configuration_may_be_broken(void **state)
{
    struct fixture *f = *state;
    const char *path = back_up(f, config, PASSPHRASE);

    write_at(path_in(&f->to, "config.json"), "{\"http\":", 8);
    assert_int_equal(stage(f, path, PASSPHRASE), 0);
    assert_int_equal(staged_apply(f->to.folder, path_in(&f->to, "config.json")), 0);
    assert_content(path_in(&f->to, "config.json"), config);
}

static void who_gives_up_stops_the_check(void **state)
{
    static const char *const parts[] = {"core", NULL};
    struct fixture *f = *state;
    atomic_bool is_cancelled = true;
    const struct restore_order order = {.path = back_up(f, config, NULL),
                                        .folder = f->to.folder,
                                        .config_path = path_in(&f->to, "config.json"),
                                        .parts = parts,
                                        .environment = (char *[]){NULL},
                                        .is_cancelled = &is_cancelled};

    sql_at(f->given, /* enough for SQLite to look up once */
           "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)"
           "INSERT INTO devices SELECT i, 0, 'x', 1, 2, 3, x'00', 4 FROM n");
    assert_int_equal(restore_stage(&order, &f->outcome), -ECANCELED);
    assert_int_equal(count_files(&f->to, "restore"), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(with_a_passphrase_everything_comes_back),
            TEST(without_secrets_those_of_the_place_are_kept_and_others_named),
            TEST(wrong_passphrase_and_none_are_told_apart),
            TEST(secret_tables_are_in_no_backup_in_the_clear),
            TEST(tokens_outside_the_seal_do_not_count),
            TEST(without_any_token_it_may_not_listen_off_loopback),
            TEST(backups_of_older_schemas_are_brought_to_that_of_today),
            TEST(newer_ones_are_refused_with_a_sentence),
            TEST(what_is_no_backup_is_refused),
            TEST(schema_that_is_not_to_the_letter_is_refused),
            TEST(what_it_says_of_itself_must_make_sense),
            TEST(seal_that_is_not_ours_is_refused),
            TEST(configuration_that_is_not_valid_is_told_with_pointers),
            TEST(rows_that_break_the_rules_of_their_table_are_refused),
            TEST(damaged_files_never_become_a_store),
            TEST(a_staged_one_outlives_a_bad_one_and_gives_way_to_a_good_one),
            TEST(present_configuration_may_be_broken),
            TEST(who_gives_up_stops_the_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
