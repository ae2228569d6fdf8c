/* A store in a folder of its own, on a loop, with a few devices to tell it of. */
#pragma once

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/memory.h"
#include "ble/address.h"
#include "store/store.h"

#define SHELF_DEVICES 8
#define ADDRESS(i)    (0xa4c138000000u + (uint64_t) (i))
#define MOMENT        1795000000000000 /* in 2026 */

struct shelf {
    char folder[40];
    uv_loop_t loop;
    struct store_settings settings;
    struct store *store; /* NULL: closed */
    struct store_device devices[SHELF_DEVICES];
    bool is_here[SHELF_DEVICES];
    size_t reads;
    /* what was loaded */
    size_t loaded_count;
    struct store_device loaded[SHELF_DEVICES];
    uint8_t octets[SHELF_DEVICES][STORE_OCTETS_MAX];
};

static inline bool shelf_read(void *user, uint64_t address, struct store_device *ret_device)
{
    struct shelf *f = user;
    size_t i = (size_t) (address - ADDRESS(0));

    f->reads++;
    if (i >= SHELF_DEVICES || !f->is_here[i])
        return false;
    *ret_device = f->devices[i];
    return true;
}

static inline int shelf_try_open(struct shelf *f, char *ret_error, size_t error_size)
{
    int rc = store_open(&f->loop, &f->settings, &f->store, ret_error, error_size);

    if (rc == 0)
        store_read_devices_from(f->store, shelf_read, f);
    return rc;
}

static inline void shelf_open(struct shelf *f)
{
    char error[256] = "";

    if (shelf_try_open(f, error, sizeof error) < 0)
        fail_msg("%s", error);
}

static inline void shelf_on_closed(void *user)
{
    *(struct store **) user = NULL;
}

static inline void shelf_close(struct shelf *f)
{
    store_close(f->store, shelf_on_closed, &f->store);
    while (f->store)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
}

static inline void shelf_on_loaded(void *user, const struct store_device *device)
{
    struct shelf *f = user;

    if (f->loaded_count < SHELF_DEVICES) {
        f->loaded[f->loaded_count] = *device;
        if (device->latest.octets.size > 0)
            memcpy(f->octets[f->loaded_count], device->latest.octets.data,
                   device->latest.octets.size);
        f->loaded[f->loaded_count].latest.octets.data = f->octets[f->loaded_count];
    }
    f->loaded_count++;
}

static inline void shelf_load(struct shelf *f)
{
    f->loaded_count = 0;
    assert_int_equal(store_load_devices(f->store, shelf_on_loaded, f), 0);
}

static inline void shelf_reopen(struct shelf *f)
{
    shelf_close(f);
    shelf_open(f);
    shelf_load(f);
}

static inline struct store_status shelf_status(const struct shelf *f)
{
    struct store_status status;

    store_get_status(f->store, &status);
    return status;
}

static inline void shelf_run_until_written(struct shelf *f, uint64_t writes)
{
    while (shelf_status(f).writes < writes)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
}

/* Device i comes (or changes) and is touched. */
static inline void shelf_put(struct shelf *f, size_t i, uint64_t advertisements)
{
    static const uint8_t payload[] = {2, 1, 6};

    f->is_here[i] = true;
    f->devices[i] = (struct store_device){
            .address = ADDRESS(i),
            .name = "Sensor",
            .name_size = 6,
            .first_seen = MOMENT,
            .last_seen = MOMENT + (int64_t) i * 1000000,
            .advertisements = advertisements,
            .latest = {.octets = {payload, sizeof payload},
                       .sighting = STORE_SIGHTING_NONE,
                       .rssi = -60},
    };
    store_touch_device(f->store, ADDRESS(i));
}

static inline char *shelf_path(const struct shelf *f, const char *name)
{
    static char path[400];

    (void) snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return path;
}

/* How many entries of the folder have this in their name. */
static inline size_t shelf_count_files(const struct shelf *f, const char *part)
{
    DIR *folder = opendir(f->folder);
    size_t count = 0;

    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder));)
        count += strstr(e->d_name, part) != NULL;
    (void) closedir(folder);
    return count;
}

static inline void shelf_make(struct shelf *f)
{
    *f = (struct shelf){
            .folder = "/tmp/blefleet-store-XXXXXX",
            .settings = {.devices_max = 100, .hash_seed = 1, .flush_ms = 1},
    };
    assert_non_null(mkdtemp(f->folder));
    f->settings.folder = f->folder;
    assert_int_equal(uv_loop_init(&f->loop), 0);
}

static inline void shelf_remove_all(const char *folder)
{
    DIR *entries = opendir(folder);

    for (struct dirent *e; entries && (e = readdir(entries));) {
        char path[400];

        (void) snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && remove(path) < 0)
            shelf_remove_all(path);
    }
    if (entries)
        (void) closedir(entries);
    (void) rmdir(folder);
}

static inline int shelf_setup(void **state)
{
    struct shelf *f = xnew(struct shelf, 1);

    shelf_make(f);
    shelf_open(f);
    *state = f;
    return 0;
}

static inline int shelf_teardown(void **state)
{
    struct shelf *f = *state;

    if (f->store)
        shelf_close(f);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    shelf_remove_all(f->folder);
    free(f);
    return 0;
}

#define SHELF_TEST(function) cmocka_unit_test_setup_teardown(function, shelf_setup, shelf_teardown)
