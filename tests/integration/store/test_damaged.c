/* Files that are not our store, or not any more: the start goes on, and nothing is destroyed. */
#include "shelf.h"

#include <fcntl.h>
#include <sqlite3.h>

#include "base/log.h"

static void change_file(struct shelf *f, const char *sql)
{
    sqlite3 *other;

    assert_int_equal(sqlite3_open(shelf_path(f, "blefleet.db"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, sql, NULL, NULL, NULL), SQLITE_OK);
    (void) sqlite3_close(other);
}

/* A closed store with a device. */
static void make_store(struct shelf *f)
{
    if (!f->store)
        shelf_open(f);
    shelf_put(f, 0, 1);
    shelf_close(f);
}

/* It opens, is empty, and works; so many files were put aside. */
static void expect_fresh(struct shelf *f, size_t aside)
{
    shelf_open(f);
    shelf_load(f);
    assert_int_equal(f->loaded_count, 0);
    assert_int_equal(shelf_count_files(f, "blefleet.db.damaged-"), aside);
    shelf_put(f, 1, 1);
    shelf_reopen(f);
    assert_int_equal(f->loaded_count, 1);
    assert_true(f->loaded[0].address == ADDRESS(1));
}

static void P08_file_cut_in_the_middle_is_put_aside(void **state)
{
    struct shelf *f = *state;
    struct stat status;

    make_store(f);
    assert_int_equal(stat(shelf_path(f, "blefleet.db"), &status), 0);
    assert_int_equal(truncate(shelf_path(f, "blefleet.db"), status.st_size / 2 + 100), 0);
    expect_fresh(f, 1);
}

static void write_octets(struct shelf *f, int (*octet)(void), size_t size)
{
    FILE *file = fopen(shelf_path(f, "blefleet.db"), "w");

    assert_non_null(file);
    for (size_t i = 0; i < size; i++)
        (void) fputc(octet(), file);
    (void) fclose(file);
}

static void P08_file_of_random_octets_is_put_aside(void **state)
{
    struct shelf *f = *state;

    make_store(f);
    srand(7);
    write_octets(f, rand, 30000);
    expect_fresh(f, 1);
}

static void P08_empty_file_is_a_fresh_store(void **state)
{
    struct shelf *f = *state;

    make_store(f);
    write_octets(f, rand, 0);
    expect_fresh(f, 0);
}

static void P08_file_of_a_newer_version_is_put_aside_whole(void **state)
{
    struct shelf *f = *state;
    struct stat before, after;

    make_store(f);
    change_file(f, "PRAGMA user_version = 1000");
    assert_int_equal(stat(shelf_path(f, "blefleet.db"), &before), 0);
    expect_fresh(f, 1);
    assert_int_equal(stat(shelf_path(f, "blefleet.db"), &after), 0);
    assert_true(before.st_ino != after.st_ino);
}

static void P08_database_of_another_program_is_put_aside(void **state)
{
    struct shelf *f = *state;

    shelf_close(f);
    assert_int_equal(unlink(shelf_path(f, "blefleet.db")), 0);
    change_file(f, "CREATE TABLE devices(x); PRAGMA user_version = 1");
    expect_fresh(f, 1);
}

static void P08_file_of_another_schema_is_put_aside(void **state)
{
    struct shelf *f = *state;

    make_store(f);
    change_file(f, "ALTER TABLE devices DROP COLUMN details");
    expect_fresh(f, 1);
}

static void P08_file_whose_migration_does_not_fit_is_put_aside(void **state)
{
    struct shelf *f = *state;

    make_store(f);
    change_file(f, "PRAGMA user_version = 1"); /* the tables of the later steps are there */
    expect_fresh(f, 1);
}

static void P08_folder_in_the_place_of_the_file_is_put_aside(void **state)
{
    struct shelf *f = *state;

    shelf_close(f);
    assert_int_equal(unlink(shelf_path(f, "blefleet.db")), 0);
    assert_int_equal(mkdir(shelf_path(f, "blefleet.db"), 0700), 0);
    assert_int_equal(mkdir(shelf_path(f, "blefleet.db/inner"), 0700), 0);
    expect_fresh(f, 1);
}

static void log_of_a_damaged_file_goes_with_it(void **state)
{
    struct shelf *f = *state;

    make_store(f);
    write_octets(f, rand, 5000);
    assert_int_equal(close(open(shelf_path(f, "blefleet.db-wal"), O_CREAT | O_WRONLY, 0600)), 0);
    expect_fresh(f, 2); /* the file and its log */
}

static void no_more_than_three_damaged_files_are_kept(void **state)
{
    struct shelf *f = *state;

    shelf_close(f);
    for (int i = 0; i < 5; i++) {
        write_octets(f, rand, 2000);
        shelf_open(f);
        shelf_close(f);
    }
    assert_int_equal(shelf_count_files(f, "blefleet.db.damaged-"), 3);
}

static void schema_that_is_older_is_brought_up_and_keeps_its_rows(void **state)
{
    struct shelf *f = *state;

    make_store(f);
    change_file(f, "DROP TABLE tokens; DROP TABLE sessions; DROP TABLE audit;"
                   "DROP TABLE gatt_devices; DROP TABLE gatt_layouts;"
                   "DROP TABLE pairs; DROP TABLE texts; DROP TABLE proxies;"
                   "ALTER TABLE devices DROP COLUMN interval; PRAGMA user_version = 1");
    shelf_open(f);
    shelf_load(f);
    assert_int_equal(f->loaded_count, 1);
    assert_true(f->loaded[0].interval == 0);
    store_put_text(f->store, "key", "value");
    shelf_reopen(f);
    assert_string_equal(store_get_text(f->store, "key"), "value");
    assert_int_equal(shelf_count_files(f, "damaged"), 0);
}

/* Whatever octets a disk loses, the start goes on. */
static void P08_any_octets_changed_anywhere_never_stop_the_start(void **state)
{
    struct shelf *f = *state;

    for (unsigned seed = 0; seed < 150; seed++) {
        struct stat status;
        int fd;

        make_store(f);
        srand(seed);
        fd = open(shelf_path(f, "blefleet.db"), O_RDWR);
        assert_int_equal(fstat(fd, &status), 0);
        for (int i = 0; i < 5; i++) {
            uint8_t octet = (uint8_t) rand();
            off_t at = 16 + rand() % ((i == 0 ? 120 : status.st_size) - 16); /* ours by its start */

            assert_int_equal(pwrite(fd, &octet, 1, at), 1);
        }
        assert_int_equal(close(fd), 0);
        shelf_open(f);
        shelf_load(f);
        assert_true(f->loaded_count <= 2);
        assert_true(shelf_count_files(f, "blefleet.db.damaged-") <= 3);
        shelf_put(f, 1, 1);
        while (shelf_status(f).writes + shelf_status(f).failures == 0)
            (void) uv_run(&f->loop, UV_RUN_ONCE);
        assert_int_equal(shelf_status(f).failures, 0);
        f->is_here[1] = false;
        store_touch_device(f->store, ADDRESS(1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            SHELF_TEST(P08_file_cut_in_the_middle_is_put_aside),
            SHELF_TEST(P08_file_of_random_octets_is_put_aside),
            SHELF_TEST(P08_empty_file_is_a_fresh_store),
            SHELF_TEST(P08_file_of_a_newer_version_is_put_aside_whole),
            SHELF_TEST(P08_database_of_another_program_is_put_aside),
            SHELF_TEST(P08_file_of_another_schema_is_put_aside),
            SHELF_TEST(P08_file_whose_migration_does_not_fit_is_put_aside),
            SHELF_TEST(P08_folder_in_the_place_of_the_file_is_put_aside),
            SHELF_TEST(log_of_a_damaged_file_goes_with_it),
            SHELF_TEST(no_more_than_three_damaged_files_are_kept),
            SHELF_TEST(schema_that_is_older_is_brought_up_and_keeps_its_rows),
            SHELF_TEST(P08_any_octets_changed_anywhere_never_stop_the_start),
    };

    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT); /* each damaged file is a warning */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
