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
    size_t reads, gatt_reads;
    uint64_t writes_before_read; /* of the last one of GATT */
    /* what was loaded */
    size_t loaded_count;
    struct store_device loaded[SHELF_DEVICES];
    uint8_t octets[SHELF_DEVICES][STORE_OCTETS_MAX];
    /* GATT databases, told and loaded */
    struct shelf_gatt {
        bool is_here;
        unsigned layout; /* see shelf_make_tree() */
        uint64_t address;
        uint8_t address_type;
        uint8_t hash; /* its octets; 0: none */
        int64_t updated;
    } gatts[SHELF_DEVICES], loaded_gatts[SHELF_DEVICES];
    size_t loaded_gatts_count, damaged_gatts_count;
    struct gatt_tree *read_tree;
};

/* Another tree for each number. */
static inline struct gatt_tree *shelf_make_tree(unsigned layout)
{
    const struct ble_uuid battery = ble_uuid_from_short(0x180f),
                          level = ble_uuid_from_short(0x2a19);
    struct gatt_tree *t = gatt_tree_new();

    assert_int_equal(gatt_tree_add(t, GATT_SERVICE, &battery, 1, 0), 0);
    assert_int_equal(gatt_tree_add(t, GATT_CHARACTERISTIC, &level, 3 + layout, GATT_READ), 0);
    return t;
}

static inline unsigned shelf_layout_of(const struct gatt_tree *tree)
{
    const struct ble_uuid level = ble_uuid_from_short(0x2a19);
    unsigned layout = gatt_tree_next(tree, &level, NULL)->handle - 3u;
    struct gatt_tree *made = shelf_make_tree(layout);

    assert_true(gatt_tree_equal(made, tree));
    gatt_tree_release(made);
    return layout;
}

static inline bool shelf_read_gatt(void *user, uint64_t address, struct store_gatt *ret_gatt)
{
    struct shelf *f = user;
    struct store_status status;

    f->gatt_reads++;
    store_get_status(f->store, &status);
    f->writes_before_read = status.writes;
    gatt_tree_release(f->read_tree);
    f->read_tree = NULL;
    for (size_t i = 0; i < SHELF_DEVICES; i++) {
        const struct shelf_gatt *g = &f->gatts[i];

        if (!g->is_here || g->address != address)
            continue;
        f->read_tree = shelf_make_tree(g->layout);
        *ret_gatt = (struct store_gatt){.address = address,
                                        .address_type = g->address_type,
                                        .tree = f->read_tree,
                                        .has_hash = g->hash != 0,
                                        .updated = g->updated};
        memset(ret_gatt->hash, g->hash, sizeof ret_gatt->hash);
        return true;
    }
    return false;
}

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
    if (rc == 0)
        store_read_gatt_from(f->store, shelf_read_gatt, f);
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
    gatt_tree_release(f->read_tree);
    f->read_tree = NULL;
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

static inline void shelf_on_gatt_loaded(void *user, const struct store_gatt *gatt)
{
    struct shelf *f = user;

    if (!gatt->tree) {
        f->damaged_gatts_count++;
        return;
    }
    if (f->loaded_gatts_count < SHELF_DEVICES) {
        f->loaded_gatts[f->loaded_gatts_count] = (struct shelf_gatt){
                .is_here = true,
                .layout = shelf_layout_of(gatt->tree),
                .address = gatt->address,
                .hash = gatt->has_hash ? gatt->hash[STORE_GATT_HASH_SIZE - 1] : 0,
                .updated = gatt->updated,
        };
    }
    f->loaded_gatts_count++;
}

static inline void shelf_load_gatts(struct shelf *f)
{
    f->loaded_gatts_count = f->damaged_gatts_count = 0;
    assert_int_equal(store_load_gatt(f->store, shelf_on_gatt_loaded, f), 0);
}

/* The database of device i comes (or changes) and is touched. */
static inline void shelf_put_gatt(struct shelf *f, size_t i, unsigned layout, uint8_t hash,
                                  int64_t updated)
{
    f->gatts[i] = (struct shelf_gatt){.is_here = true,
                                      .layout = layout,
                                      .address = ADDRESS(i),
                                      .hash = hash,
                                      .updated = updated};
    store_touch_gatt(f->store, ADDRESS(i));
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
