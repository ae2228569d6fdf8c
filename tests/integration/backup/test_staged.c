/* A process that stages or applies a restore is killed before each of its system calls, by the
 * debugger's way. Whatever the moment, the next start finds the old state or the new one. */
#include "backup_fixture.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static const char older[] = "{\"log\":{\"level\":\"info\"}}", newer[] = "{}";

#define TOKEN(name) "INSERT INTO tokens VALUES('" name "', 3, x'00', 1, 0);"
#define AUDIT(time)                                                                                \
    "INSERT INTO audit(class, time, role, status, actor, action, changed)"                         \
    " VALUES(0, " time ", 3, 200, 'ops', 'PUT /config', '');"
#define MAKE_OLDER TOKEN("ops") AUDIT("1") AUDIT("2") "INSERT INTO texts VALUES('is', 'older')"
#define MAKE_NEWER AUDIT("1") AUDIT("9") "INSERT INTO texts VALUES('is', 'newer')"

/* As it is left by a gateway that was killed: its last writes are in the WAL. */
static void leave_open_store(const struct place *p)
{
    pid_t child = fork();
    sqlite3 *connection;
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        make_store(path_in(p, DATABASE_NAME), migrations_count(), MAKE_OLDER);
        (void) sqlite3_open(path_in(p, DATABASE_NAME), &connection);
        (void) sqlite3_exec(connection, "INSERT INTO texts VALUES('in', 'wal')", NULL, NULL, NULL);
        _exit(EXIT_SUCCESS);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(is_there(path_in(p, DATABASE_NAME "-wal")));
}

static void make_work(const struct place *p)
{
    make_store(path_in(p, STAGED_WORK), migrations_count(), MAKE_NEWER);
    sql_at(path_in(p, STAGED_WORK), "PRAGMA journal_mode = DELETE");
}

static void copy_file(const char *from, const char *to)
{
    struct buffer content = {0};

    assert_int_equal(config_file_read(from, &content), 0);
    write_at(to, buffer_front(&content), buffer_size(&content));
    buffer_done(&content);
}

/* Made once, and copied for each death. */
static struct place template;

static int make_template(void **state)
{
    (void) state;
    place_make(&template);
    leave_open_store(&template);
    write_at(path_in(&template, "config.json"), older, strlen(older));
    make_work(&template);
    return 0;
}

static int remove_template(void **state)
{
    (void) state;
    place_remove(&template);
    return 0;
}

static void copy_from_template(const struct place *p, const char *name)
{
    copy_file(path_in(&template, name), path_in(p, name));
}

static void make_all(struct place *p)
{
    place_make(p);
    copy_from_template(p, DATABASE_NAME);
    copy_from_template(p, DATABASE_NAME "-wal");
    copy_from_template(p, "config.json");
    copy_from_template(p, STAGED_WORK);
}

static int commit(const struct place *p)
{
    return staged_commit(p->folder, newer, strlen(newer));
}

static int apply(const struct place *p)
{
    return staged_apply(p->folder, path_in(p, "config.json"));
}

/* Runs what in a process that is killed before its call number n; true: it came to its end. */
static bool run_killed(const struct place *p, int (*what)(const struct place *), unsigned n)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
            _exit(EXIT_FAILURE);
        _exit(what(p) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    for (unsigned stops = 0; WIFSTOPPED(status) && stops / 2 < n; stops++) { /* in, and out */
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    if (WIFEXITED(status)) {
        assert_int_equal(WEXITSTATUS(status), EXIT_SUCCESS);
        return true;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return false;
}

static bool is_newer(const struct place *p)
{
    return number_at(path_in(p, DATABASE_NAME),
                     "SELECT value = 'newer' FROM texts WHERE key = 'is'");
}

static void assert_newer(const struct place *p)
{
    const char *before = path_in(p, DATABASE_NAME STAGED_BEFORE);

    assert_true(is_newer(p));
    assert_content(path_in(p, "config.json"), newer);
    assert_content(path_in(p, "config.json.1"), older);
    assert_false(is_there(path_in(p, "config.json.2")));
    assert_int_equal(number_at(path_in(p, DATABASE_NAME), "SELECT count(*) FROM tokens"), 1);
    assert_int_equal(number_at(path_in(p, DATABASE_NAME), "SELECT count(*) FROM audit"), 3);
    assert_int_equal(number_at(before, "SELECT count(*) FROM texts"), 2); /* with that in the WAL */
}

static void assert_older(const struct place *p)
{
    assert_false(is_newer(p));
    assert_content(path_in(p, "config.json"), older);
    assert_int_equal(number_at(path_in(p, DATABASE_NAME), "SELECT count(*) FROM texts"), 2);
}

static void killed_at_any_call_of_applying_the_next_start_ends_it(void **state)
{
    unsigned n = 1;

    (void) state;
    for (bool is_over = false; !is_over; n++) {
        struct place p;

        make_all(&p);
        assert_int_equal(commit(&p), 0);
        is_over = run_killed(&p, apply, n);
        assert_int_equal(apply(&p), 0);
        assert_newer(&p);
        assert_int_equal(count_files(&p, "restore."), 0);
        place_remove(&p);
    }
    assert_true(n > 50); /* so many calls there are at least */
}

static void killed_at_any_call_of_staging_there_is_a_restore_or_none(void **state)
{
    unsigned n = 1, olds = 0, news = 0;

    (void) state;
    for (bool is_over = false; !is_over; n++) {
        struct place p;

        make_all(&p);
        is_over = run_killed(&p, commit, n);
        assert_int_equal(apply(&p), 0);
        if (is_newer(&p)) {
            assert_newer(&p);
            news++;
        } else {
            assert_older(&p);
            olds++;
        }
        assert_int_equal(count_files(&p, "restore."), 0);
        place_remove(&p);
    }
    assert_true(olds > 5 && news > 0);
}

/* The first one was staged, the second replaces it: killed, it is one of them or none, whole. */
static void killed_at_any_call_of_staging_another_nothing_is_mixed(void **state)
{
    unsigned n = 1;

    (void) state;
    for (bool is_over = false; !is_over; n++) {
        struct place p;

        make_all(&p);
        assert_int_equal(staged_commit(p.folder, "{\"log\":{}}", 10), 0);
        sql_at(path_in(&p, STAGED_STORE), "UPDATE texts SET value = 'first'");
        copy_from_template(&p, STAGED_WORK);
        is_over = run_killed(&p, commit, n);
        assert_int_equal(apply(&p), 0);
        if (is_newer(&p))
            assert_newer(&p);
        else if (number_at(path_in(&p, DATABASE_NAME), "SELECT value = 'first' FROM texts"))
            assert_content(path_in(&p, "config.json"), "{\"log\":{}}");
        else
            assert_older(&p);
        place_remove(&p);
    }
}

static void tokens_of_the_backup_win_over_those_of_the_place(void **state)
{
    struct place p;

    (void) state;
    make_all(&p);
    sql_at(path_in(&p, STAGED_WORK), TOKEN("a") TOKEN("b"));
    assert_int_equal(commit(&p), 0);
    assert_int_equal(apply(&p), 0);
    assert_int_equal(
            number_at(path_in(&p, DATABASE_NAME), "SELECT count(*) FROM tokens WHERE name = 'ops'"),
            0);
    place_remove(&p);
}

static void present_store_may_be_damaged_or_missing(void **state)
{
    struct place p;

    (void) state;
    make_all(&p);
    write_at(path_in(&p, DATABASE_NAME), "damaged", 7);
    assert_int_equal(commit(&p), 0);
    assert_int_equal(apply(&p), 0);
    assert_true(is_newer(&p));
    (void) unlink(path_in(&p, DATABASE_NAME));
    make_work(&p);
    assert_int_equal(commit(&p), 0);
    assert_int_equal(apply(&p), 0);
    assert_true(is_newer(&p));
    place_remove(&p);
}

static void configuration_that_cannot_be_replaced_ends_the_restore(void **state)
{
    struct place p;

    (void) state;
    make_all(&p);
    assert_int_equal(commit(&p), 0);
    assert_int_equal(staged_apply(p.folder, path_in(&p, "nowhere/config.json")), 0);
    assert_int_equal(count_files(&p, "restore."), 0);
    assert_older(&p);
    place_remove(&p);
}

static void folder_of_a_running_gateway_is_left_alone(void **state)
{
    struct database *running;
    char error[256];
    struct place p;

    (void) state;
    place_make(&p);
    assert_int_equal(database_open(p.folder, &running, error, sizeof error), 0);
    write_at(path_in(&p, STAGED_UPLOAD), "x", 1);
    assert_int_equal(staged_apply(p.folder, path_in(&p, "config.json")), 0);
    assert_true(is_there(path_in(&p, STAGED_UPLOAD)));
    database_close(running);
    assert_int_equal(staged_apply(p.folder, path_in(&p, "config.json")), 0);
    assert_false(is_there(path_in(&p, STAGED_UPLOAD)));
    place_remove(&p);
    assert_int_equal(staged_apply(p.folder, path_in(&p, "config.json")), 0); /* no folder */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(killed_at_any_call_of_applying_the_next_start_ends_it),
            cmocka_unit_test(killed_at_any_call_of_staging_there_is_a_restore_or_none),
            cmocka_unit_test(killed_at_any_call_of_staging_another_nothing_is_mixed),
            cmocka_unit_test(tokens_of_the_backup_win_over_those_of_the_place),
            cmocka_unit_test(present_store_may_be_damaged_or_missing),
            cmocka_unit_test(configuration_that_cannot_be_replaced_ends_the_restore),
            cmocka_unit_test(folder_of_a_running_gateway_is_left_alone),
    };

    return cmocka_run_group_tests(tests, make_template, remove_template);
}
