/* A device table, what it told, and short ways to feed it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "ble/address.h"
#include "scan/device_table.h"

#define SECONDS(n)  ((usec_t) (n) *USEC_PER_SEC)
#define START       SECONDS(1000)
#define DEVICE      0xa4c138000001u
#define CHANGES_MAX 64

struct fixture_question { /* the last one for windows of active scanning */
    size_t count;
    uint64_t address;
    uint16_t owner, challenger;
    usec_t time;
};

struct fixture {
    struct device_table *table;
    usec_t now;
    size_t changes_count; /* may exceed what is kept */
    struct device_change changes[CHANGES_MAX];
    uint64_t addresses[CHANGES_MAX];
    struct fixture_question asked; /* by whoever lets on_rescue set it */
};

static inline struct device_table_settings fixture_settings(void)
{
    return (struct device_table_settings){
            .devices_max = 100000,
            .forget_after = SECONDS(86400),
            .forget_private_after = SECONDS(1200),
            .stale_after = SECONDS(900),
            .quiet_after = SECONDS(90),
            .margin_db = 16,
            .reclaim_db = 6,
            .ewma_alpha = 0.3,
            .strong_dbm = -70,
            .roam_factor = 1.5,
            .gone_factor = 2.5,
            .hash_seed = 0x5eed,
    };
}

static inline void fixture_on_change(void *user, const struct device_change *change)
{
    struct fixture *f = user;
    struct device_facts facts;

    device_get_facts(f->table, change->device, &facts); /* is readable inside */
    if (f->changes_count < CHANGES_MAX) {
        f->changes[f->changes_count] = *change;
        f->addresses[f->changes_count] = facts.address;
    }
    f->changes_count++;
}

/* With sources 0 to 31 online. */
static inline void fixture_start(struct fixture *f, const struct device_table_settings *settings)
{
    *f = (struct fixture){.now = START};
    f->table = device_table_new(settings, fixture_on_change, f);
    for (uint16_t source = 0; source < 32; source++)
        device_table_source_online(f->table, source, true, START);
}

static inline int fixture_setup(void **state)
{
    const struct device_table_settings settings = fixture_settings();
    struct fixture *f = xnew(struct fixture, 1);

    fixture_start(f, &settings);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    device_table_free(f->table);
    free(f);
    return 0;
}

#define FIXTURE_TEST(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

/* One report now; forgets former changes, so that changes[0] is what this one caused. */
static inline void fixture_hear_octets(struct fixture *f, uint16_t source, uint64_t address,
                                       int rssi, const uint8_t *data, size_t size)
{
    const struct ble_report report = {
            .address = address,
            .data = data,
            .size = (uint8_t) size,
            .rssi = (int8_t) rssi,
    };

    f->changes_count = 0;
    device_table_observe(f->table, source, &report, 1, f->now);
}

static inline void fixture_hear(struct fixture *f, uint16_t source, int rssi, const char *hex)
{
    uint8_t data[BLE_REPORT_DATA_MAX];
    size_t size;

    assert_true(bytes_from_hex(data, sizeof data, hex, strlen(hex), &size));
    fixture_hear_octets(f, source, DEVICE, rssi, data, size);
}

/* So often that it is no lucky packet: three times in three seconds. */
static inline void fixture_hear_well(struct fixture *f, uint16_t source, int rssi, const char *hex)
{
    for (int i = 0; i < 3; i++) {
        f->now += SECONDS(1);
        fixture_hear(f, source, rssi, hex);
    }
}

/* What the last fixture_hear told; 0: nothing. */
static inline unsigned fixture_kinds(const struct fixture *f)
{
    assert_true(f->changes_count <= 1);
    return f->changes_count ? f->changes[0].kinds : 0;
}

static inline struct device_facts fixture_facts(const struct fixture *f)
{
    const struct device *d = device_table_find(f->table, DEVICE);
    struct device_facts facts;

    assert_non_null(d);
    device_get_facts(f->table, d, &facts);
    return facts;
}

static inline struct device_table_statistics fixture_statistics(const struct fixture *f)
{
    struct device_table_statistics statistics;

    device_table_get_statistics(f->table, &statistics);
    return statistics;
}

/* The element of this type and key (company or 16-bit UUID; -1: any); asserts that it is there. */
static inline struct device_element fixture_element(const struct fixture *f, uint8_t type, int key)
{
    const struct device *d = device_table_find(f->table, DEVICE);
    struct device_element e;

    for (size_t i = 0; device_get_element(f->table, d, i, &e); i++) {
        uint32_t uuid = 0;

        if (e.has_uuid)
            (void) ble_uuid_short(&e.uuid, &uuid);
        if (e.type == type && (key < 0 || (e.has_company && e.company == key) ||
                               (e.has_uuid && uuid == (uint32_t) key)))
            return e;
    }
    fail_msg("no element %02x %x", type, (unsigned) key);
    return e;
}

static inline size_t fixture_count_elements(const struct fixture *f)
{
    const struct device *d = device_table_find(f->table, DEVICE);
    struct device_element e;
    size_t count = 0;

    while (device_get_element(f->table, d, count, &e))
        count++;
    return count;
}
