/* The store on a real loop and in real files. */
#include "shelf.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

_Static_assert(STORE_FLUSH_MS <= 5000, "killed, one loses 10 s at most");

static void device_comes_back_as_it_was(void **state)
{
    struct shelf *f = *state;
    const struct store_device *d = &f->loaded[0];

    shelf_put(f, 3, 12);
    f->devices[3].address_type = BLE_ADDRESS_RANDOM_IDENTITY;
    f->devices[3].sightings_count = 1;
    f->devices[3].sightings[0] = (struct store_sighting){
            .proxy = 7, .last_seen = MOMENT, .rssi_smoothed = -61.5, .rssi = -60, .is_owner = true};
    f->devices[3].latest.sighting = 0;
    shelf_reopen(f);
    assert_int_equal(f->loaded_count, 1);
    assert_true(d->address == ADDRESS(3));
    assert_int_equal(d->address_type, BLE_ADDRESS_RANDOM_IDENTITY);
    assert_true(d->first_seen == MOMENT);
    assert_true(d->last_seen == MOMENT + 3000000);
    assert_int_equal(d->advertisements, 12);
    assert_int_equal(d->latest.octets.size, 3);
    assert_memory_equal(d->latest.octets.data, "\x02\x01\x06", 3);
    assert_int_equal(d->sightings_count, 1);
    assert_true(d->sightings[0].proxy == 7);
    assert_true(d->sightings[0].is_owner);
}

static void P09_learned_interval_is_kept_and_follows_changes(void **state)
{
    struct shelf *f = *state;

    shelf_put(f, 1, 12);
    f->devices[1].interval = 3500000;
    shelf_reopen(f);
    assert_true(f->loaded[0].interval == 3500000);
    shelf_put(f, 1, 13);
    f->devices[1].interval = 60000000;
    shelf_reopen(f);
    assert_true(f->loaded[0].interval == 60000000);
}

static void device_that_changes_often_is_read_and_written_once(void **state)
{
    struct shelf *f = *state;

    for (uint64_t i = 0; i < 100; i++)
        shelf_put(f, 0, i);
    assert_int_equal(f->reads, 0); /* never from inside */
    assert_int_equal(shelf_status(f).waiting, 1);
    shelf_run_until_written(f, 1);
    assert_int_equal(f->reads, 1);
    assert_int_equal(shelf_status(f).waiting, 0);
    shelf_reopen(f);
    assert_int_equal(f->loaded[0].advertisements, 99);
}

static void on_tick(uv_timer_t *timer)
{
    shelf_put(timer->data, 0, 1);
}

static void P07_writing_is_not_put_off_by_devices_that_never_rest(void **state)
{
    struct shelf *f = *state;
    uv_timer_t tick;

    shelf_close(f);
    f->settings.flush_ms = 20;
    shelf_open(f);
    (void) uv_timer_init(&f->loop, &tick);
    tick.data = f;
    (void) uv_timer_start(&tick, on_tick, 1, 1);
    shelf_run_until_written(f, 3);
    uv_close((uv_handle_t *) &tick, NULL);
    shelf_close(f);
}

static void devices_come_back_in_the_order_of_last_hearing(void **state)
{
    struct shelf *f = *state;

    for (size_t i = SHELF_DEVICES; i-- > 0;)
        shelf_put(f, i, 1);
    shelf_reopen(f);
    assert_int_equal(f->loaded_count, SHELF_DEVICES);
    for (size_t i = 0; i < SHELF_DEVICES; i++)
        assert_true(f->loaded[i].address == ADDRESS(i));
}

static void device_that_is_gone_goes_from_the_file(void **state)
{
    struct shelf *f = *state;

    shelf_put(f, 0, 1);
    shelf_put(f, 1, 1);
    shelf_run_until_written(f, 1);
    assert_int_equal(shelf_status(f).devices, 2);
    f->is_here[0] = false;
    store_touch_device(f->store, ADDRESS(0));
    store_touch_device(f->store, 1); /* never was there */
    shelf_run_until_written(f, 2);
    assert_int_equal(shelf_status(f).devices, 1);
    shelf_reopen(f);
    assert_int_equal(f->loaded_count, 1);
    assert_true(f->loaded[0].address == ADDRESS(1));
}

static void device_with_a_private_address_is_never_kept(void **state)
{
    struct shelf *f = *state;

    shelf_put(f, 0, 1); /* A4: top bits 10 */
    f->devices[0].address_type = BLE_ADDRESS_RANDOM;
    shelf_put(f, 1, 1);
    shelf_run_until_written(f, 1);
    assert_int_equal(shelf_status(f).devices, 1);
    f->devices[1].address_type = BLE_ADDRESS_RANDOM; /* what was public before goes, too */
    store_touch_device(f->store, ADDRESS(1));
    shelf_reopen(f);
    assert_int_equal(f->loaded_count, 0);
}

static void P07_file_keeps_the_most_recently_heard_within_its_bound(void **state)
{
    struct shelf *f = *state;

    shelf_close(f);
    f->settings.devices_max = 5;
    shelf_open(f);
    for (size_t i = 0; i < SHELF_DEVICES; i++)
        shelf_put(f, i, 1);
    shelf_run_until_written(f, 1);
    assert_int_equal(shelf_status(f).devices, 5);
    shelf_reopen(f);
    assert_int_equal(f->loaded_count, 5);
    assert_true(f->loaded[0].address == ADDRESS(SHELF_DEVICES - 5));
}

static void touches_beyond_the_bound_are_counted(void **state)
{
    struct shelf *f = *state;

    for (uint64_t i = 0; i < 250; i++)
        store_touch_device(f->store, 1000 + i);
    assert_int_equal(shelf_status(f).waiting, 200);
    assert_int_equal(shelf_status(f).dropped, 50);
}

static void many_devices_go_in_several_batches(void **state)
{
    struct shelf *f = *state;

    shelf_close(f);
    f->settings.devices_max = 10000;
    shelf_open(f);
    shelf_put(f, 0, 1);
    for (uint64_t i = 0; i < 3 * STORE_BATCH; i++)
        store_touch_device(f->store, 1000 + i);
    shelf_run_until_written(f, 4);
    assert_int_equal(f->reads, 3 * STORE_BATCH + 1);
    assert_int_equal(shelf_status(f).waiting, 0);
}

static void texts_and_proxies_are_there_at_once_and_after_a_restart(void **state)
{
    struct shelf *f = *state;
    uint64_t mac = 0;

    assert_null(store_get_text(f->store, "mqtt.client_id"));
    store_put_text(f->store, "mqtt.client_id", "blefleet-1234abcd");
    store_put_text(f->store, "gone", "soon");
    store_put_proxy(f->store, "kitchen", 0x246f28aabbcc);
    store_put_proxy(f->store, "hall", 1);
    assert_string_equal(store_get_text(f->store, "mqtt.client_id"), "blefleet-1234abcd");
    shelf_run_until_written(f, 1);
    store_put_text(f->store, "gone", NULL);
    store_put_proxy(f->store, "hall", 0);
    shelf_reopen(f);
    assert_string_equal(store_get_text(f->store, "mqtt.client_id"), "blefleet-1234abcd");
    assert_null(store_get_text(f->store, "gone"));
    assert_true(store_get_proxy(f->store, "kitchen", &mac));
    assert_true(mac == 0x246f28aabbcc);
    assert_false(store_get_proxy(f->store, "hall", &mac));
    store_put_proxy(f->store, "kitchen", 0x246f28aabbcc); /* no news, nothing to write */
    shelf_close(f);
}

static void C07_what_proxies_have_of_devices_is_there_at_once_and_after_a_restart(void **state)
{
    const struct store_pair fridge = {ADDRESS(0), 0x246f28aabbcc, 247, true};
    const struct store_pair door = {ADDRESS(1), 0x246f28aabbcc, 185, false};
    const struct store_pair phone = {ADDRESS(2), 0x246f28aabbcc, 517, true};
    struct shelf *f = *state;
    struct store_pair known;

    assert_false(store_get_pair(f->store, fridge.device, fridge.proxy, &known));
    assert_int_equal(known.mtu, 0);
    store_put_pair(f->store, &fridge, true);
    store_put_pair(f->store, &door, true);
    store_put_pair(f->store, &phone, false);
    assert_true(store_get_pair(f->store, fridge.device, fridge.proxy, &known));
    assert_true(store_get_pair(f->store, phone.device, phone.proxy, &known));
    shelf_run_until_written(f, 1);
    store_drop_pairs(f->store, door.device);
    shelf_reopen(f);
    assert_true(store_get_pair(f->store, fridge.device, fridge.proxy, &known));
    assert_int_equal(known.mtu, 247);
    assert_true(known.is_bonded);
    assert_false(store_get_pair(f->store, fridge.device, 1, &known)); /* of this proxy alone */
    assert_false(store_get_pair(f->store, door.device, door.proxy, &known));
    assert_false(store_get_pair(f->store, phone.device, phone.proxy, &known));
}

static void folder_and_file_are_for_us_alone(void **state)
{
    struct shelf *f = *state;
    struct stat status;
    char inner[60];

    shelf_close(f);
    (void) snprintf(inner, sizeof inner, "%s/inner", f->folder);
    f->settings.folder = inner;
    shelf_open(f);
    assert_int_equal(stat(inner, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(stat(shelf_path(f, "inner/blefleet.db"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    shelf_close(f);
}

static void expect_refusal(struct shelf *f, int cause, const char *words)
{
    char error[256] = "";

    assert_int_equal(shelf_try_open(f, error, sizeof error), cause);
    if (!strstr(error, words) || !strstr(error, f->settings.folder))
        fail_msg("unexpected: %s", error);
}

static void folder_that_cannot_be_used_is_refused_with_a_sentence(void **state)
{
    struct shelf *f = *state;
    FILE *file;

    shelf_close(f);
    f->settings.folder = "/tmp/blefleet-is-not/here";
    expect_refusal(f, -ENOENT, "No such file");
    file = fopen(shelf_path(f, "plain"), "w");
    assert_non_null(file);
    (void) fclose(file);
    f->settings.folder = shelf_path(f, "plain");
    expect_refusal(f, -ENOTDIR, "Not a directory");
}

static void folder_without_permission_is_refused(void **state)
{
    struct shelf *f = *state;
    uid_t user = geteuid();

    shelf_close(f);
    assert_int_equal(chmod(f->folder, 0500), 0);
    if (user == 0) /* whom no mode stops */
        assert_int_equal(seteuid(65534), 0);
    expect_refusal(f, -EACCES, "Permission denied");
    if (user == 0)
        assert_int_equal(seteuid(user), 0);
    assert_int_equal(chmod(f->folder, 0700), 0);
}

static void second_gateway_in_the_same_folder_is_refused(void **state)
{
    struct shelf *f = *state;
    struct store *first = f->store;

    expect_refusal(f, -EBUSY, "another gateway");
    assert_ptr_equal(f->store, first);
}

static void P08_full_disk_is_waited_out_in_memory(void **state)
{
    struct shelf *f = *state;
    struct rlimit limit, small;

    shelf_put(f, 0, 1);
    shelf_run_until_written(f, 1);
    (void) signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    shelf_put(f, 1, 7);
    store_put_text(f->store, "key", "value");
    while (shelf_status(f).failures < 2)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_true(shelf_status(f).is_failing);
    assert_non_null(shelf_status(f).error);
    assert_int_equal(shelf_status(f).devices, 1);
    shelf_run_until_written(f, 2);
    assert_false(shelf_status(f).is_failing);
    assert_int_equal(shelf_status(f).devices, 2);
    shelf_reopen(f);
    assert_int_equal(f->loaded_count, 2);
    assert_int_equal(f->loaded[1].advertisements, 7);
    assert_string_equal(store_get_text(f->store, "key"), "value");
}

struct ticker {
    uv_timer_t timer;
    sqlite3 *other;
    int ticks;
};

static void on_locked_tick(uv_timer_t *timer)
{
    struct ticker *t = timer->data;

    if (++t->ticks == 20)
        assert_int_equal(sqlite3_exec(t->other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
}

static void loop_turns_while_the_file_makes_the_worker_wait(void **state)
{
    struct shelf *f = *state;
    struct ticker t = {0};

    assert_int_equal(sqlite3_open(shelf_path(f, "blefleet.db"), &t.other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(t.other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    (void) uv_timer_init(&f->loop, &t.timer);
    t.timer.data = &t;
    (void) uv_timer_start(&t.timer, on_locked_tick, 1, 1);
    shelf_put(f, 0, 1);
    shelf_run_until_written(f, 1);
    assert_true(t.ticks >= 20);
    assert_int_equal(shelf_status(f).failures, 0);
    (void) sqlite3_close(t.other);
    uv_close((uv_handle_t *) &t.timer, NULL);
    shelf_close(f);
}

static void on_flushed(void *user, int cause)
{
    struct shelf *f = user;

    assert_int_equal(cause, 0);
    uv_stop(&f->loop);
}

static void flush_is_told_when_all_that_was_touched_before_is_in_the_file(void **state)
{
    struct shelf *f = *state;

    shelf_close(f);
    f->settings.flush_ms = 3600 * 1000;
    shelf_open(f);
    assert_false(store_flush(f->store, on_flushed, f)); /* nothing waits */
    shelf_put(f, 0, 1);
    assert_true(store_flush(f->store, on_flushed, f));
    shelf_put(f, 1, 2); /* behind the round that has begun: it waits */
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(shelf_status(f).devices, 1);
}

static void flush_waits_for_the_round_under_way_and_the_next(void **state)
{
    struct shelf *f = *state;

    shelf_put(f, 0, 1);
    (void) uv_run(&f->loop, UV_RUN_ONCE); /* a worker has the batch */
    shelf_put(f, 1, 2);
    assert_true(store_flush(f->store, on_flushed, f));
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(shelf_status(f).devices, 2);
}

static void close_writes_what_is_waiting_even_while_a_batch_is_away(void **state)
{
    struct shelf *f = *state;

    shelf_put(f, 0, 1);
    while (f->reads == 0) /* the batch has been made, and a worker has it */
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    shelf_put(f, 1, 1);
    shelf_put(f, 0, 2);
    shelf_reopen(f);
    assert_int_equal(f->loaded_count, 2);
    assert_int_equal(f->loaded[0].advertisements, 2);
    assert_int_equal(shelf_count_files(f, "damaged"), 0);
}

static void close_leaves_one_file(void **state)
{
    struct shelf *f = *state;

    shelf_put(f, 0, 1);
    shelf_close(f);
    assert_int_equal(shelf_count_files(f, "blefleet.db"), 1); /* the log is in it */
}

static void row_that_makes_no_sense_is_left_out(void **state)
{
    struct shelf *f = *state;
    sqlite3 *other;

    shelf_put(f, 0, 1);
    shelf_put(f, 1, 1);
    shelf_close(f);
    assert_int_equal(sqlite3_open(shelf_path(f, "blefleet.db"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other,
                                  "UPDATE devices SET details = x'ff' WHERE rowid % 2 = 0;"
                                  "INSERT INTO devices VALUES(-1, 0, 'x', 0, 0, 0, x'0100', 0);"
                                  "INSERT INTO devices SELECT 7, address_type, name, first_seen,"
                                  " last_seen, advertisements, details, -1 FROM devices"
                                  " WHERE rowid % 2 = 1;",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    (void) sqlite3_close(other);
    shelf_open(f);
    shelf_load(f);
    assert_int_equal(f->loaded_count, 1);
    assert_true(f->loaded[0].address == ADDRESS(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            SHELF_TEST(device_comes_back_as_it_was),
            SHELF_TEST(P09_learned_interval_is_kept_and_follows_changes),
            SHELF_TEST(device_that_changes_often_is_read_and_written_once),
            SHELF_TEST(P07_writing_is_not_put_off_by_devices_that_never_rest),
            SHELF_TEST(devices_come_back_in_the_order_of_last_hearing),
            SHELF_TEST(device_that_is_gone_goes_from_the_file),
            SHELF_TEST(device_with_a_private_address_is_never_kept),
            SHELF_TEST(P07_file_keeps_the_most_recently_heard_within_its_bound),
            SHELF_TEST(touches_beyond_the_bound_are_counted),
            SHELF_TEST(many_devices_go_in_several_batches),
            SHELF_TEST(texts_and_proxies_are_there_at_once_and_after_a_restart),
            SHELF_TEST(C07_what_proxies_have_of_devices_is_there_at_once_and_after_a_restart),
            SHELF_TEST(folder_and_file_are_for_us_alone),
            SHELF_TEST(folder_that_cannot_be_used_is_refused_with_a_sentence),
            SHELF_TEST(folder_without_permission_is_refused),
            SHELF_TEST(second_gateway_in_the_same_folder_is_refused),
            SHELF_TEST(P08_full_disk_is_waited_out_in_memory),
            SHELF_TEST(loop_turns_while_the_file_makes_the_worker_wait),
            SHELF_TEST(flush_is_told_when_all_that_was_touched_before_is_in_the_file),
            SHELF_TEST(flush_waits_for_the_round_under_way_and_the_next),
            SHELF_TEST(close_writes_what_is_waiting_even_while_a_batch_is_away),
            SHELF_TEST(close_leaves_one_file),
            SHELF_TEST(row_that_makes_no_sense_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
