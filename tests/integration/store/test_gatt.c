/* GATT databases in the file: each different one once, those of devices that stay. */
#include "shelf.h"

#include <sqlite3.h>

#include "base/log.h"

/* A number that the file tells. */
static int64_t ask_file(struct shelf *f, const char *sql)
{
    sqlite3 *other;
    sqlite3_stmt *s;
    int64_t number;

    assert_int_equal(sqlite3_open(shelf_path(f, "blefleet.db"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(other, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    number = sqlite3_column_int64(s, 0);
    (void) sqlite3_finalize(s);
    (void) sqlite3_close(other);
    return number;
}

static void change_file(struct shelf *f, const char *sql)
{
    sqlite3 *other;

    assert_int_equal(sqlite3_open(shelf_path(f, "blefleet.db"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, sql, NULL, NULL, NULL), SQLITE_OK);
    (void) sqlite3_close(other);
}

static void reopen(struct shelf *f)
{
    shelf_close(f);
    shelf_open(f);
    shelf_load_gatts(f);
}

static void expect_loaded(const struct shelf *f, size_t place, size_t device, unsigned layout)
{
    assert_true(f->loaded_gatts[place].address == ADDRESS(device));
    assert_int_equal(f->loaded_gatts[place].layout, layout);
}

static void P02_databases_come_back_after_a_restart_the_newest_first(void **state)
{
    struct shelf *f = *state;

    shelf_put_gatt(f, 0, 0, 0, MOMENT);
    shelf_put_gatt(f, 1, 1, 7, MOMENT + 5);
    reopen(f);
    assert_int_equal(f->loaded_gatts_count, 2);
    expect_loaded(f, 0, 1, 1);
    assert_int_equal(f->loaded_gatts[0].hash, 7);
    assert_true(f->loaded_gatts[0].updated == MOMENT + 5);
    expect_loaded(f, 1, 0, 0);
    assert_int_equal(f->loaded_gatts[1].hash, 0);
    assert_true(f->loaded_gatts[1].updated == MOMENT);
    shelf_put_gatt(f, 1, 2, 0, MOMENT + 6); /* another one, whose hash is not known */
    reopen(f);
    assert_int_equal(f->loaded_gatts_count, 2);
    expect_loaded(f, 0, 1, 2);
    assert_int_equal(f->loaded_gatts[0].hash, 0);
}

static void each_different_layout_is_written_once_and_goes_with_its_last_device(void **state)
{
    struct shelf *f = *state;

    for (size_t i = 0; i < 4; i++)
        shelf_put_gatt(f, i, i == 3, 0, MOMENT);
    shelf_run_until_written(f, 1);
    assert_int_equal(ask_file(f, "SELECT count(*) FROM gatt_layouts"), 2);
    shelf_put_gatt(f, 4, 0, 0, MOMENT); /* in a later batch */
    shelf_put_gatt(f, 3, 2, 0, MOMENT); /* layout 1 has no device any more */
    shelf_run_until_written(f, 2);
    assert_int_equal(ask_file(f, "SELECT count(*) FROM gatt_layouts"), 2);
    assert_int_equal(ask_file(f, "SELECT count(*) FROM gatt_devices"), 5);
    for (size_t i = 0; i < 5; i++) {
        f->gatts[i].is_here = false;
        store_touch_gatt(f->store, ADDRESS(i));
    }
    shelf_run_until_written(f, 3);
    assert_int_equal(ask_file(f, "SELECT count(*) FROM gatt_layouts"), 0);
    assert_int_equal(ask_file(f, "SELECT count(*) FROM gatt_devices"), 0);
}

static void layouts_of_equal_fingerprint_are_not_mixed_up(void **state)
{
    struct shelf *f = *state;

    shelf_put_gatt(f, 0, 0, 0, MOMENT);
    shelf_close(f);
    change_file(f, "UPDATE gatt_layouts SET packed = x'01'"); /* the fingerprint stays */
    shelf_open(f);
    shelf_put_gatt(f, 1, 0, 0, MOMENT);
    shelf_run_until_written(f, 1);
    assert_int_equal(ask_file(f, "SELECT count(*) FROM gatt_layouts"), 2);
    assert_int_equal(ask_file(f, "SELECT count(DISTINCT fingerprint) FROM gatt_layouts"), 1);
    reopen(f);
    assert_int_equal(f->loaded_gatts_count, 1);
    expect_loaded(f, 0, 1, 0);
}

static void private_addresses_are_never_in_the_file(void **state)
{
    struct shelf *f = *state;

    for (size_t i = 0; i < 3; i++)
        shelf_put_gatt(f, i, 0, 0, MOMENT);
    shelf_run_until_written(f, 1);
    f->gatts[0].address_type = BLE_ADDRESS_RANDOM; /* top bits 10: it changes */
    f->gatts[1].address_type = BLE_ADDRESS_RANDOM_IDENTITY;
    store_touch_gatt(f->store, ADDRESS(0));
    store_touch_gatt(f->store, ADDRESS(1));
    reopen(f);
    assert_int_equal(f->loaded_gatts_count, 2);
    assert_true(f->loaded_gatts[0].address != ADDRESS(0));
    assert_true(f->loaded_gatts[1].address != ADDRESS(0));
}

static void database_that_changes_often_is_written_once_with_its_device(void **state)
{
    struct shelf *f = *state;

    for (int i = 0; i < 100; i++)
        shelf_put_gatt(f, 0, (unsigned) i, 0, MOMENT);
    shelf_put(f, 0, 1);
    assert_int_equal(shelf_status(f).waiting, 2);
    shelf_run_until_written(f, 1);
    assert_int_equal(shelf_status(f).waiting, 0);
    assert_int_equal(ask_file(f, "SELECT count(*) FROM devices"), 1);
    reopen(f);
    assert_int_equal(f->loaded_gatts_count, 1);
    expect_loaded(f, 0, 0, 99);
}

static void many_databases_go_in_several_batches(void **state)
{
    struct shelf *f = *state;

    shelf_put(f, 0, 1);
    for (uint64_t i = 0; i < 2 * STORE_BATCH; i++)
        store_touch_gatt(f->store, 1000 + i);
    shelf_run_until_written(f, 3);
    assert_int_equal(shelf_status(f).waiting, 0);
    assert_int_equal(shelf_status(f).writes, 3);
}

static bool read_large(void *user, uint64_t address, struct store_gatt *ret_gatt)
{
    *ret_gatt = (struct store_gatt){.address = address, .tree = user};
    return true;
}

static void large_databases_go_in_smaller_batches(void **state)
{
    const struct ble_uuid own = {{1, 2, 3}};
    struct gatt_tree *t = gatt_tree_new();
    struct shelf *f = *state;
    size_t size, each;

    for (uint32_t i = 1; i <= GATT_ENTRIES_MAX; i++)
        assert_int_equal(gatt_tree_add(t, GATT_SERVICE, &own, i, 0), 0);
    free(gatt_tree_pack(t, &size));
    each = (STORE_BATCH_OCTETS + size - 1) / size; /* of the first batch */
    store_read_gatt_from(f->store, read_large, t);
    for (uint64_t i = 0; i < each + 1; i++)
        store_touch_gatt(f->store, 1000 + i);
    shelf_run_until_written(f, 2);
    assert_int_equal(shelf_status(f).waiting, 0);
    assert_int_equal(ask_file(f, "SELECT count(*) FROM gatt_devices"), each + 1);
    assert_int_equal(shelf_status(f).writes, 2);
    gatt_tree_release(t);
}

static void what_is_touched_while_a_round_is_written_waits_for_the_next(void **state)
{
    struct shelf *f = *state;

    shelf_close(f);
    f->settings.devices_max = 10000;
    shelf_open(f);
    for (uint64_t i = 0; i < STORE_BATCH; i++) {
        store_touch_device(f->store, 1000 + i);
        store_touch_gatt(f->store, 1000 + i);
    }
    while (f->gatt_reads == 0) /* they have been asked for, and a worker has them */
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    store_touch_device(f->store, 1);
    store_touch_gatt(f->store, 1);
    while (f->gatt_reads == STORE_BATCH || f->reads == STORE_BATCH)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_true(f->writes_before_read >= 2); /* of the first round all is in the file */
    shelf_run_until_written(f, 3);
    assert_int_equal(shelf_status(f).waiting, 0);
}

static void databases_wait_in_memory_while_the_file_cannot_be_written(void **state)
{
    struct shelf *f = *state;

    shelf_put_gatt(f, 0, 0, 0, MOMENT);
    shelf_run_until_written(f, 1);
    change_file(f, "CREATE TRIGGER full BEFORE INSERT ON gatt_devices"
                   " BEGIN SELECT raise(ABORT, 'full'); END");
    shelf_put_gatt(f, 1, 1, 0, MOMENT + 1);
    while (shelf_status(f).failures < 2)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(shelf_status(f).waiting, 1);
    assert_int_equal(ask_file(f, "SELECT count(*) FROM gatt_layouts"), 1); /* all or nothing */
    change_file(f, "DROP TRIGGER full");
    while (shelf_status(f).waiting > 0) /* it is tried again */
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    reopen(f);
    assert_int_equal(f->loaded_gatts_count, 2);
    expect_loaded(f, 0, 1, 1);
}

static void P08_damaged_ones_are_skipped_and_go_from_the_file(void **state)
{
    struct shelf *f = *state;

    for (size_t i = 0; i < 5; i++)
        shelf_put_gatt(f, i, (unsigned) i, 9, MOMENT);
    shelf_close(f);
    change_file(f, "UPDATE gatt_layouts SET packed = x'01ffff' WHERE id ="
                   " (SELECT layout FROM gatt_devices ORDER BY address LIMIT 1);"
                   "UPDATE gatt_devices SET layout = 1000 WHERE address ="
                   " (SELECT address FROM gatt_devices ORDER BY address LIMIT 1 OFFSET 1);"
                   "UPDATE gatt_devices SET hash = x'0102' WHERE address ="
                   " (SELECT address FROM gatt_devices ORDER BY address LIMIT 1 OFFSET 2);"
                   "UPDATE gatt_layouts SET packed = x'01' WHERE id =" /* no service */
                   " (SELECT layout FROM gatt_devices ORDER BY address LIMIT 1 OFFSET 3);"
                   "INSERT INTO gatt_devices SELECT -1, layout, NULL, 0 FROM gatt_devices"
                   " ORDER BY address DESC LIMIT 1;"
                   "INSERT INTO gatt_devices SELECT 5, layout, NULL, -1 FROM gatt_devices"
                   " ORDER BY address DESC LIMIT 1;");
    memset(f->gatts, 0, sizeof f->gatts);
    shelf_open(f);
    shelf_load_gatts(f);
    assert_int_equal(f->loaded_gatts_count, 1);
    assert_int_equal(f->damaged_gatts_count, 6);
    expect_loaded(f, 0, 4, 4);
    shelf_run_until_written(f, 1);
    assert_int_equal(ask_file(f, "SELECT count(*) FROM gatt_devices"), 1);
    assert_int_equal(ask_file(f, "SELECT count(*) FROM gatt_layouts"), 1);
    reopen(f);
    assert_int_equal(f->loaded_gatts_count, 1);
    assert_int_equal(f->damaged_gatts_count, 0);
}

static void P07_the_file_keeps_the_last_discovered_within_its_bound(void **state)
{
    struct shelf *f = *state;

    shelf_put_gatt(f, 0, 0, 0, MOMENT);
    shelf_run_until_written(f, 1);
    change_file(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                   " WHERE i < 100001) INSERT INTO gatt_devices"
                   " SELECT i, 1, NULL, i FROM n;");
    shelf_put_gatt(f, 1, 0, 0, MOMENT + 1);
    shelf_run_until_written(f, 2);
    assert_int_equal(ask_file(f, "SELECT count(*) FROM gatt_devices"), STORE_GATT_MAX);
    assert_int_equal(ask_file(f, "SELECT min(address) FROM gatt_devices"), 4);
    assert_int_equal(ask_file(f, "SELECT count(*) FROM gatt_layouts"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            SHELF_TEST(P02_databases_come_back_after_a_restart_the_newest_first),
            SHELF_TEST(each_different_layout_is_written_once_and_goes_with_its_last_device),
            SHELF_TEST(layouts_of_equal_fingerprint_are_not_mixed_up),
            SHELF_TEST(private_addresses_are_never_in_the_file),
            SHELF_TEST(database_that_changes_often_is_written_once_with_its_device),
            SHELF_TEST(many_databases_go_in_several_batches),
            SHELF_TEST(large_databases_go_in_smaller_batches),
            SHELF_TEST(what_is_touched_while_a_round_is_written_waits_for_the_next),
            SHELF_TEST(databases_wait_in_memory_while_the_file_cannot_be_written),
            SHELF_TEST(P08_damaged_ones_are_skipped_and_go_from_the_file),
            SHELF_TEST(P07_the_file_keeps_the_last_discovered_within_its_bound),
    };

    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT); /* warnings are what is tested */
    return cmocka_run_group_tests_name("store.gatt", tests, NULL, NULL);
}
