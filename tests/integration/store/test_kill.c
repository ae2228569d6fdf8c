/* A process that writes all the time is killed at random moments, again and again. The process is
 * this program with arguments, started anew, since threads do not go through a fork. */
#include "shelf.h"

#include <signal.h>
#include <sys/wait.h>

#define ROUNDS    25
#define DEVICES   3
#define LAYOUT(n) ((unsigned) (n) % 4)

/* Writes ever higher numbers to all devices and their GATT databases at once, and tells each one on
 * its standard output when it is in the file. */
static int write_for_ever(const char *folder, uint64_t from)
{
    struct shelf f = {.settings = {.devices_max = 100, .flush_ms = 1, .folder = folder}};
    char error[256];

    if (uv_loop_init(&f.loop) < 0 || shelf_try_open(&f, error, sizeof error) < 0)
        return EXIT_FAILURE;
    for (uint64_t n = from, writes = 1;; n++, writes++) {
        for (size_t i = 0; i < DEVICES; i++)
            shelf_put(&f, i, n);
        for (size_t i = 0; i < DEVICES; i++)
            shelf_put_gatt(&f, i, LAYOUT(n), 0, (int64_t) n);
        shelf_run_until_written(&f, writes);
        if (write(STDOUT_FILENO, &n, sizeof n) != sizeof n)
            return EXIT_FAILURE;
    }
}

/* Its process, and where to read what it tells. */
static pid_t start_writer(const char *folder, uint64_t from, int *ret_reports)
{
    char number[24];
    int pipes[2];
    pid_t child;

    (void) snprintf(number, sizeof number, "%llu", (unsigned long long) from);
    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        if (dup2(pipes[1], STDOUT_FILENO) == STDOUT_FILENO && close(pipes[0]) == 0 &&
            close(pipes[1]) == 0)
            (void) execl("/proc/self/exe", "writer", folder, number, (char *) NULL);
        _exit(EXIT_FAILURE);
    }
    assert_true(child > 0);
    (void) close(pipes[1]);
    *ret_reports = pipes[0];
    return child;
}

/* Kills the child some time after its report number `after`; the last number that it told. */
static uint64_t kill_after(pid_t child, int reports, unsigned after, unsigned spin)
{
    uint64_t n = 0, last = 0;
    volatile unsigned turns = spin; /* into the middle of the next writing */

    for (unsigned i = 0; i < after; i++) {
        assert_int_equal(read(reports, &n, sizeof n), sizeof n);
        last = n;
    }
    while (turns > 0)
        turns--;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    while (read(reports, &n, sizeof n) == sizeof n)
        last = n;
    return last;
}

/* Those of the same batch. */
static void expect_gatts(struct shelf *f, uint64_t n)
{
    shelf_load_gatts(f);
    assert_int_equal(f->loaded_gatts_count, DEVICES);
    for (size_t i = 0; i < DEVICES; i++) {
        assert_true(f->loaded_gatts[i].updated == (int64_t) n);
        assert_int_equal(f->loaded_gatts[i].layout, LAYOUT(n));
    }
}

static void P07_kill_9_loses_nothing_that_was_written(void **state)
{
    struct shelf f;
    uint64_t last = 0, told;

    (void) state;
    shelf_make(&f);
    srand(5);
    for (int round = 0; round < ROUNDS; round++) {
        int reports;
        pid_t child = start_writer(f.folder, last + 1, &reports);

        told = kill_after(child, reports, (unsigned) rand() % 10 + (round == 0),
                          (unsigned) rand() % 2000000);
        (void) close(reports);

        shelf_open(&f);
        shelf_load(&f);
        assert_int_equal(shelf_count_files(&f, "damaged"), 0);
        assert_int_equal(f.loaded_count, DEVICES);
        assert_true(f.loaded[0].advertisements >= told);
        assert_true(f.loaded[0].advertisements >= last);
        for (size_t i = 1; i < DEVICES; i++) /* all of a batch, or nothing */
            assert_true(f.loaded[i].advertisements == f.loaded[0].advertisements);
        last = f.loaded[0].advertisements;
        expect_gatts(&f, last);
        shelf_close(&f);
    }
    assert_int_equal(uv_loop_close(&f.loop), 0);
    shelf_remove_all(f.folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(P07_kill_9_loses_nothing_that_was_written),
    };

    if (argc == 3)
        return write_for_ever(argv[1], strtoull(argv[2], NULL, 10));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
