/* Every system call of a write goes through a gate here. The gate can kill the process before the
 * n-th call (or in the middle of a write), let it fail, or shorten it; the test goes through all n
 * and looks at the folder after each. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/atomic_file.h"

#define STEPS_MAX 200 /* more than a write ever needs */

/* ---- the gate ---- */

enum gate_mode {
    GATE_OPEN,
    GATE_KILL,      /* the process dies before the call */
    GATE_KILL_HALF, /* it dies when half of a write is done; before any other call */
    GATE_FAIL,      /* the call fails with gate.error */
    GATE_INTERRUPT, /* write, read and fsync fail once with EINTR */
};

static struct {
    enum gate_mode mode;
    unsigned count; /* calls so far */
    unsigned at;    /* the call that is hit */
    int error;
    bool is_slow;         /* a write takes one octet at a time */
    bool has_no_links;    /* linkat fails with EPERM */
    bool was_interrupted; /* the last call was */
    const char *failed;   /* the name of the call that failed */
} gate;

static void gate_set(enum gate_mode mode, unsigned at, int error)
{
    bool has_no_links = gate.has_no_links;

    memset(&gate, 0, sizeof(gate));
    gate.mode = mode;
    gate.at = at;
    gate.error = error;
    gate.has_no_links = has_no_links;
}

static void die(void)
{
    (void) kill(getpid(), SIGKILL);
}

/* Whether the call may go on; else errno says why not. */
static bool gate_pass(const char *name)
{
    if (gate.mode == GATE_OPEN)
        return true;
    gate.count++;
    if (gate.mode == GATE_INTERRUPT) {
        bool may_be = strcmp(name, "write") == 0 || strcmp(name, "read") == 0 ||
                      strcmp(name, "fsync") == 0;

        gate.was_interrupted = may_be && !gate.was_interrupted;
        errno = EINTR;
        return !gate.was_interrupted;
    }
    if (gate.count != gate.at)
        return true;
    if (gate.mode == GATE_KILL || gate.mode == GATE_KILL_HALF)
        die();
    gate.failed = name;
    errno = gate.error;
    return false;
}

#define WRAP(name, parameters, arguments)                                                          \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        return gate_pass(#name) ? __real_##name arguments : -1;                                    \
    }

WRAP(fsync, (int fd), (fd))
WRAP(fstatat, (int d, const char *n, struct stat *s, int f), (d, n, s, f))
WRAP(renameat, (int d, const char *n, int e, const char *m), (d, n, e, m))
WRAP(unlinkat, (int d, const char *n, int f), (d, n, f))
WRAP(fchmodat, (int d, const char *n, mode_t m, int f), (d, n, m, f))

int __real_linkat(int d, const char *n, int e, const char *m, int f);
int __wrap_linkat(int d, const char *n, int e, const char *m, int f);
int __wrap_linkat(int d, const char *n, int e, const char *m, int f)
{
    if (!gate_pass("linkat"))
        return -1;
    errno = EPERM;
    return gate.has_no_links ? -1 : __real_linkat(d, n, e, m, f);
}

int __real_open(const char *n, int f, ...);
int __wrap_open(const char *n, int f, mode_t m);
int __wrap_open(const char *n, int f, mode_t m)
{
    return gate_pass("open") ? __real_open(n, f, m) : -1;
}

int __real_openat(int d, const char *n, int f, ...);
int __wrap_openat(int d, const char *n, int f, mode_t m);
int __wrap_openat(int d, const char *n, int f, mode_t m)
{
    return gate_pass("openat") ? __real_openat(d, n, f, m) : -1;
}

ssize_t __real_read(int fd, void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size)
{
    return gate_pass("read") ? __real_read(fd, data, size) : -1;
}

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    if (gate.mode == GATE_KILL_HALF && gate.count + 1 == gate.at)
        (void) __real_write(fd, data, size / 2);
    if (!gate_pass("write"))
        return -1;
    return __real_write(fd, data, gate.is_slow && size > 1 ? 1 : size);
}

/* A close that fails has closed nevertheless, as on Linux. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    bool is_passed = gate_pass("close");
    int error = errno, rc = __real_close(fd);

    errno = is_passed ? errno : error;
    return is_passed ? rc : -1;
}

/* ---- the folder ---- */

static char folder[] = "/tmp/blefleet-atomic-XXXXXX";
static char path[64];

static int enter(void **state)
{
    (void) state;
    if (!mkdtemp(folder) || chdir(folder) < 0)
        return -1;
    (void) snprintf(path, sizeof(path), "%s/file", folder);
    return 0;
}

static const char *const names[] = {"file",   "file.1",   "file.2",   "file.3", "file.4",
                                    "file.5", "file.new", "file.old", "link"};

static int clean(void **state)
{
    (void) state;
    gate.has_no_links = false;
    gate_set(GATE_OPEN, 0, 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        (void) unlink(names[i]);
    return 0;
}

static int leave(void **state)
{
    (void) clean(state);
    return chdir("/") < 0 || rmdir(folder) < 0;
}

static bool exists(const char *name)
{
    return access(name, F_OK) == 0;
}

/* The number that the file's content is made of, 0 if there is no file, -1 if it is not whole. */
static int number_in(const char *name)
{
    char text[4096] = "", wanted[4096];
    FILE *file = fopen(name, "r");
    int number;

    if (!file)
        return 0;
    if (fread(text, 1, sizeof(text) - 1, file) == 0)
        text[0] = '\0';
    (void) fclose(file);
    number = (int) strtol(text, NULL, 10);
    (void) snprintf(wanted, sizeof(wanted), "%d %01000d\n", number, number);
    return strcmp(text, wanted) == 0 ? number : -1;
}

static int write_number(int number)
{
    char text[4096];
    int size = snprintf(text, sizeof(text), "%d %01000d\n", number, number);

    return atomic_file_write(path, text, (size_t) size);
}

/* The file after writes of 1 to 7: versions 6, 5, 4, 3, 2. */
static void write_history(void)
{
    enum gate_mode mode = gate.mode;

    gate.mode = GATE_OPEN;
    for (int number = 1; number <= 7; number++)
        assert_int_equal(write_number(number), 0);
    gate.mode = mode;
}

/* File and versions are whole, the newest first, and nothing but the oldest is lost. */
static void assert_intact(bool may_be_old, bool may_be_new)
{
    int file = number_in("file"), last = file + 1, found = 0;

    assert_true((may_be_old && file == 7) || (may_be_new && file == 8));
    for (int version = 1; version <= ATOMIC_FILE_VERSIONS; version++) {
        int number = number_in(names[version]);

        assert_true(number >= 0);
        if (number == 0)
            continue; /* a hole */
        assert_true(number < last || (version == 1 && number == file));
        last = number;
        found += number < file;
    }
    assert_true(found >= ATOMIC_FILE_VERSIONS - 1);
}

/* What an undisturbed write makes of it afterwards. */
static void assert_heals(void)
{
    gate_set(GATE_OPEN, 0, 0);
    assert_int_equal(write_number(9), 0);
    assert_int_equal(number_in("file"), 9);
    assert_false(exists("file.new"));
    assert_false(exists("file.old"));
    assert_true(number_in("file.1") == 7 || number_in("file.1") == 8);
    for (int version = 2; version <= 4; version++)
        assert_true(number_in(names[version]) > number_in(names[version + 1]));
    assert_true(number_in("file.4") > 0);
}

/* ---- tests ---- */

static void a_file_is_made_for_its_owner_alone(void **state)
{
    struct stat status;

    (void) state;
    assert_int_equal(write_number(1), 0);
    assert_int_equal(number_in("file"), 1);
    assert_int_equal(stat("file", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_false(exists("file.1"));
    assert_false(exists("file.new"));
}

static void the_last_five_versions_are_kept(void **state)
{
    (void) state;
    write_history();
    assert_int_equal(number_in("file"), 7);
    for (int version = 1; version <= 5; version++)
        assert_int_equal(number_in(names[version]), 7 - version);
    assert_false(exists("file.6"));
    assert_false(exists("file.new"));
}

static void an_old_version_is_for_its_owner_alone(void **state)
{
    struct stat status;

    (void) state;
    assert_int_equal(write_number(1), 0);
    assert_int_equal(chmod("file", 0644), 0);
    assert_int_equal(write_number(2), 0);
    assert_int_equal(stat("file.1", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_symbolic_link_is_followed(void **state)
{
    struct stat status;

    (void) state;
    assert_int_equal(write_number(1), 0);
    assert_int_equal(symlink("file", "link"), 0);
    assert_int_equal(atomic_file_write("link", "x", 1), 0);
    assert_int_equal(lstat("link", &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(number_in("file.1"), 1);
    assert_int_equal(stat("file", &status), 0);
    assert_int_equal(status.st_size, 1);
}

static void without_second_names_a_version_is_a_copy(void **state)
{
    (void) state;
    gate.has_no_links = true;
    write_history();
    for (int version = 1; version <= 5; version++)
        assert_int_equal(number_in(names[version]), 7 - version);
    assert_false(exists("file.old"));
}

static void a_missing_folder_is_the_answer(void **state)
{
    (void) state;
    assert_int_equal(atomic_file_write("/nonexistent/file", "x", 1), -ENOENT);
    assert_int_equal(atomic_file_write("nonexistent/file", "x", 1), -ENOENT);
    assert_int_equal(atomic_file_write(folder, "x", 1), -EISDIR);
}

static void short_writes_and_interruptions_do_no_harm(void **state)
{
    (void) state;
    for (int i = 0; i < 2; i++) {
        gate.has_no_links = i == 1;
        write_history();
        gate_set(GATE_INTERRUPT, 0, 0);
        gate.is_slow = true;
        assert_int_equal(write_number(8), 0);
        assert_true(gate.count > 2000);
        gate_set(GATE_OPEN, 0, 0);
        assert_int_equal(number_in("file"), 8);
        assert_int_equal(number_in("file.1"), 7);
    }
}

/* Kills a write before its n-th call for all n; the last one comes to its end. */
static void kill_everywhere(enum gate_mode mode)
{
    unsigned step = 1;
    bool was_old = false, was_new = false;

    for (;; step++) {
        int status;
        pid_t child;

        assert_true(step < STEPS_MAX);
        write_history();
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            gate_set(mode, step, 0);
            _exit(write_number(8) == 0 ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            break;
        }
        assert_int_equal(WTERMSIG(status), SIGKILL);
        was_old |= number_in("file") == 7;
        was_new |= number_in("file") == 8;
        assert_intact(true, true);
        assert_heals();
    }
    assert_intact(false, true);
    assert_true(was_old && was_new); /* both sides of the rename were seen */
    assert_true(step > 15);
}

static void killed_at_any_call_the_file_is_the_old_or_the_new_one(void **state)
{
    (void) state;
    kill_everywhere(GATE_KILL);
}

static void killed_in_the_middle_of_a_write_the_file_is_the_old_one(void **state)
{
    (void) state;
    kill_everywhere(GATE_KILL_HALF);
}

static void killed_while_copying_the_file_is_the_old_or_the_new_one(void **state)
{
    (void) state;
    gate.has_no_links = true;
    kill_everywhere(GATE_KILL);
    kill_everywhere(GATE_KILL_HALF);
}

/* Lets each call fail once. What fails is told, but for calls whose failure does no harm. */
static void fail_everywhere(int error)
{
    unsigned step = 1, told = 0;

    for (;; step++) {
        bool is_flush_of_folder;
        int rc;

        assert_true(step < STEPS_MAX);
        write_history();
        gate_set(GATE_FAIL, step, error);
        rc = write_number(8);
        if (!gate.failed)
            break;
        print_message("%u %s: %d\n", step, gate.failed, rc);
        assert_true(rc == 0 || rc == -error);
        is_flush_of_folder = rc < 0 && number_in("file") == 8;
        assert_true(!is_flush_of_folder || strcmp(gate.failed, "fsync") == 0);
        gate.mode = GATE_OPEN;
        assert_intact(rc < 0, rc == 0 || is_flush_of_folder);
        assert_false(exists("file.new"));
        told += rc < 0;
        assert_heals();
    }
    assert_true(told >= 9);
}

static void a_call_that_fails_leaves_the_old_file_and_no_rest(void **state)
{
    (void) state;
    fail_everywhere(ENOSPC);
    fail_everywhere(EIO);
}

static void a_call_that_fails_while_copying_leaves_the_old_file_and_no_rest(void **state)
{
    (void) state;
    gate.has_no_links = true;
    fail_everywhere(ENOSPC);
}

/* ---- what somebody else replaced ---- */

static int keep_number(int number)
{
    char text[4096];
    int size = snprintf(text, sizeof(text), "%d %01000d\n", number, number);

    return atomic_file_keep(path, text, (size_t) size);
}

static void content_that_is_kept_becomes_the_newest_version(void **state)
{
    struct atomic_file_version versions[ATOMIC_FILE_VERSIONS];
    struct stat status;

    (void) state;
    write_history();
    assert_int_equal(keep_number(50), 0);
    assert_int_equal(number_in("file"), 7);
    assert_int_equal(number_in("file.1"), 50);
    for (int version = 2; version <= 5; version++)
        assert_int_equal(number_in(names[version]), 8 - version);
    assert_false(exists("file.old"));
    assert_int_equal(stat("file.1", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(atomic_file_versions(path, versions), 5);
    assert_int_equal(versions[0].size, status.st_size);
}

static void killed_while_keeping_the_file_is_what_it_was(void **state)
{
    (void) state;
    for (unsigned step = 1;; step++) {
        int status;
        pid_t child;

        assert_true(step < STEPS_MAX);
        write_history();
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            gate_set(GATE_KILL, step, 0);
            _exit(keep_number(7) == 0 ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_intact(true, false);
        if (WIFEXITED(status))
            break;
        assert_heals();
    }
    assert_int_equal(number_in("file.1"), 7);
}

static void present_content_is_no_version_of_itself(void **state)
{
    struct atomic_file_version versions[ATOMIC_FILE_VERSIONS];

    (void) state;
    assert_int_equal(write_number(1), 0);
    assert_int_equal(link("file", "file.1"), 0); /* a write was killed there */
    assert_int_equal(atomic_file_versions(path, versions), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_teardown(a_file_is_made_for_its_owner_alone, clean),
            cmocka_unit_test_teardown(the_last_five_versions_are_kept, clean),
            cmocka_unit_test_teardown(an_old_version_is_for_its_owner_alone, clean),
            cmocka_unit_test_teardown(a_symbolic_link_is_followed, clean),
            cmocka_unit_test_teardown(without_second_names_a_version_is_a_copy, clean),
            cmocka_unit_test_teardown(a_missing_folder_is_the_answer, clean),
            cmocka_unit_test_teardown(short_writes_and_interruptions_do_no_harm, clean),
            cmocka_unit_test_teardown(killed_at_any_call_the_file_is_the_old_or_the_new_one, clean),
            cmocka_unit_test_teardown(killed_in_the_middle_of_a_write_the_file_is_the_old_one,
                                      clean),
            cmocka_unit_test_teardown(killed_while_copying_the_file_is_the_old_or_the_new_one,
                                      clean),
            cmocka_unit_test_teardown(a_call_that_fails_leaves_the_old_file_and_no_rest, clean),
            cmocka_unit_test_teardown(
                    a_call_that_fails_while_copying_leaves_the_old_file_and_no_rest, clean),
            cmocka_unit_test_teardown(content_that_is_kept_becomes_the_newest_version, clean),
            cmocka_unit_test_teardown(killed_while_keeping_the_file_is_what_it_was, clean),
            cmocka_unit_test_teardown(present_content_is_no_version_of_itself, clean),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
