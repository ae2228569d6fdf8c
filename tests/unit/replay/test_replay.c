/* A chaotic hour is recorded and replayed: with the settings that were in force every decision
 * comes again, at the same time and in the same order; with others only what they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "recorder/recorder.h"
#include "recorder/recording_reader.h"
#include "replay/recorded_change.h"
#include "replay/replay.h"

#define SECONDS(n)  ((usec_t) (n) *USEC_PER_SEC)
#define START       SECONDS(5000)
#define WALL        ((int64_t) 1795255200 * 1000000)
#define HOUR        SECONDS(3600)
#define PROXIES     6
#define DEVICES     60
#define CHANGES_MAX 200000

static struct device_table_settings settings_of(double margin_db)
{
    return (struct device_table_settings){
            .devices_max = 50, /* fewer than there are: some are evicted */
            .forget_after = SECONDS(1800),
            .forget_private_after = SECONDS(300),
            .stale_after = SECONDS(200),
            .quiet_after = SECONDS(90),
            .tell_after = 100 * USEC_PER_MSEC,
            .margin_db = margin_db,
            .reclaim_db = 6,
            .ewma_alpha = 0.3,
            .strong_dbm = -70,
            .roam_factor = 1.5,
            .gone_factor = 2.5,
    };
}

/* ---- the world ---- */

struct world {
    uint64_t dice;
    struct device_table *table;
    struct recorder *recorder;
    usec_t now;
    bool is_online[PROXIES], is_connecting[PROXIES];
    int level[DEVICES][PROXIES]; /* dBm; 0: out of reach */
    bool is_here[DEVICES];
    uint32_t version[DEVICES];
};

static unsigned roll(struct world *w, unsigned sides)
{
    w->dice ^= w->dice << 13;
    w->dice ^= w->dice >> 7;
    w->dice ^= w->dice << 17;
    return (unsigned) (w->dice >> 33) % sides;
}

static void on_change(void *user, const struct device_change *change)
{
    struct world *w = user;
    struct recording_change c;

    recorded_change_make(w->table, change, &c);
    recorder_change(w->recorder, &c, 0);
}

static bool get_pin(void *user, uint64_t address, usec_t *ret_expected)
{
    (void) user;
    *ret_expected = SECONDS(7);
    return address % 10 == 3;
}

static uint64_t address_of(unsigned device)
{
    return (device % 3 == 0 ? UINT64_C(0x400000000000) : UINT64_C(0xc00000000000)) +
           device; /* private, static */
}

static void tell_source(struct world *w, unsigned proxy)
{
    const struct recording_source s = {.source = (uint16_t) proxy,
                                       .is_online = w->is_online[proxy],
                                       .is_connecting = w->is_connecting[proxy],
                                       .can_connect = true,
                                       .name = {(const uint8_t *) "kitchen", 7}};

    recorder_source(w->recorder, &s, w->now);
    device_table_source_online(w->table, s.source, s.is_online, w->now);
    device_table_source_connecting(w->table, s.source, s.is_connecting, w->now);
    device_table_source_can_connect(w->table, s.source, true);
}

static void place(struct world *w, unsigned device)
{
    for (unsigned p = 0; p < PROXIES; p++)
        w->level[device][p] = roll(w, 3) == 0 ? 0 : -45 - (int) roll(w, 45);
}

/* What may happen at any moment. */
static void disturb(struct world *w)
{
    unsigned proxy = roll(w, PROXIES), device = roll(w, DEVICES);

    switch (roll(w, 60)) {
    case 0: /* reboots, or comes back */
        w->is_online[proxy] = !w->is_online[proxy];
        w->is_connecting[proxy] = false;
        tell_source(w, proxy);
        break;
    case 1:
    case 2:
        w->is_connecting[proxy] = w->is_online[proxy] && !w->is_connecting[proxy];
        tell_source(w, proxy);
        break;
    case 3:
        w->is_here[device] = !w->is_here[device];
        break;
    case 4:
        place(w, device);
        break;
    default:
        break;
    }
}

static void speak(struct world *w, unsigned proxy)
{
    uint8_t payloads[16][8];
    struct ble_report reports[16];
    size_t count = 0;

    for (unsigned n = 0; n < 16; n++) {
        unsigned d = roll(w, DEVICES);

        if (!w->is_here[d] || w->level[d][proxy] == 0)
            continue;
        w->version[d] += roll(w, 4) == 0;
        memcpy(payloads[count], (uint8_t[]){7, 0xff, 0x99, 4, 0, 0, 0, 0}, 8);
        memcpy(payloads[count] + 4, &w->version[d], 4);
        reports[count] = (struct ble_report){
                .address = address_of(d),
                .address_type = 1,
                .data = payloads[count],
                .size = 8,
                .rssi = (int8_t) (w->level[d][proxy] + (int) roll(w, 16) - 8),
        };
        count++;
    }
    recorder_advertisements(w->recorder, (uint16_t) proxy, reports, count, w->now);
    device_table_observe(w->table, (uint16_t) proxy, reports, count, w->now);
}

/* Time goes on, and the table is told late, as by a timer. */
static void pass_time(struct world *w, usec_t until)
{
    while (device_table_deadline(w->table) < until - 2000) {
        usec_t deadline = device_table_deadline(w->table);

        w->now = (deadline > w->now ? deadline : w->now) + roll(w, 2000);
        recorder_tick(w->recorder, w->now);
        device_table_advance(w->table, w->now);
    }
    w->now = until > w->now ? until : w->now;
}

static void begin(struct world *w, uint64_t seed)
{
    const struct device_table_settings table = settings_of(16);
    const struct recorder_settings recorder = {(size_t) 32 << 20, SECONDS(86400), 1};

    *w = (struct world){.dice = seed * 0x9e3779b97f4a7c15u + 1, .now = START};
    w->table = device_table_new(&table, on_change, w);
    w->recorder = recorder_new(&recorder, get_pin, NULL, START, WALL);
    recorder_set_settings(w->recorder, "16", START);
    for (unsigned d = 0; d < DEVICES; d++) {
        if (address_of(d) % 10 == 3)
            device_table_pin(w->table, address_of(d), true, SECONDS(7));
        w->is_here[d] = true;
        place(w, d);
    }
    for (unsigned p = 0; p < PROXIES; p++) {
        w->is_online[p] = true;
        tell_source(w, p);
    }
}

static void live(struct world *w, uint64_t seed)
{
    begin(w, seed);
    while (w->now < START + HOUR) {
        unsigned proxy = roll(w, PROXIES);

        pass_time(w, w->now + (roll(w, 500) == 0 ? SECONDS(roll(w, 120)) : roll(w, 600000)));
        disturb(w);
        if (w->is_online[proxy] && !w->is_connecting[proxy])
            speak(w, proxy);
    }
}

static void end(struct world *w)
{
    device_table_free(w->table);
    recorder_free(w->recorder);
}

/* ---- the replay ---- */

struct decision {
    usec_t time;
    struct recording_change change;
};

struct decisions {
    struct decision *items;
    size_t count;
    double margin_db; /* of the replayed table */
};

static void note(void *user, usec_t time, const struct recording_change *change)
{
    struct decisions *d = user;

    assert_true(d->count < CHANGES_MAX);
    d->items[d->count++] = (struct decision){time, *change};
}

static bool read_settings(void *user, struct bytes json, struct device_table_settings *ret_actual,
                          struct device_table_settings *ret_replayed)
{
    const struct decisions *d = user;

    assert_true(json.size == 0 || memcmp(json.data, "16", 2) == 0);
    *ret_actual = settings_of(16);
    *ret_replayed = settings_of(d->margin_db);
    return true;
}

/* Feeds the ring to the replay; notes what was recorded as decided. */
static void feed(struct world *w, struct replay *replay, struct decisions *recorded)
{
    struct recording_reader *reader = recording_reader_new();
    struct recording_segment segment;
    struct recording_record record;
    struct recorder_hold *hold;
    uint64_t from = 0;

    while ((hold = recorder_take(w->recorder, from, &segment))) {
        recording_reader_begin(reader, &segment);
        while (recording_reader_next(reader, &record) == 1) {
            if (record.kind == RECORDING_CHANGE && recorded)
                note(recorded, record.time, &record.change);
            (void) replay_feed(replay, &record, recording_reader_wall(reader, record.time));
        }
        from = segment.sequence + 1;
        recorder_release(w->recorder, hold);
    }
    recording_reader_free(reader);
}

static void assert_same(const struct decision *a, const struct decision *b)
{
    const struct recording_change *x = &a->change, *y = &b->change;

    assert_true(a->time == b->time);
    assert_true(x->address == y->address && x->address_type == y->address_type);
    assert_true(x->kinds == y->kinds && x->source == y->source);
    assert_true(x->is_available == y->is_available && x->has_owner == y->has_owner);
    if (!x->has_owner)
        return;
    assert_true(x->owner_from == y->owner_from && x->owner_to == y->owner_to);
    assert_true(x->why == y->why && x->rssi_from == y->rssi_from && x->rssi_to == y->rssi_to);
}

static struct replay_wish wish_all(struct decisions *decisions)
{
    return (struct replay_wish){
            .since = INT64_MIN,
            .until = INT64_MAX,
            .is_changed = decisions->margin_db != 16,
            .read_settings = read_settings,
            .on_change = note,
            .user = decisions,
    };
}

static void unchanged_settings_decide_all_again_as_it_was(void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct decisions recorded = {xnew(struct decision, CHANGES_MAX), 0, 16};
        struct decisions again = {xnew(struct decision, CHANGES_MAX), 0, 16};
        struct replay_wish wish = wish_all(&again);
        struct replay *replay = replay_new(&wish);
        struct replay_difference difference;
        struct replay_totals totals;
        struct world w;

        live(&w, seed);
        feed(&w, replay, &recorded);
        replay_get_totals(replay, &totals);
        print_message("%zu decisions, %zu of %zu owner changes, %zu packets\n", recorded.count,
                      (size_t) totals.replayed.owner_changes, (size_t) totals.actual.owner_changes,
                      (size_t) totals.packets);
        assert_true(recorded.count > 1000 && totals.actual.owner_changes > 100);
        assert_true(totals.actual.availability_changes > 10);
        for (size_t i = 0; i < recorded.count && i < again.count; i++)
            assert_same(&recorded.items[i], &again.items[i]);
        assert_int_equal(recorded.count, again.count);
        assert_memory_equal(&totals.actual, &totals.replayed, sizeof totals.actual);
        assert_int_equal(replay_get_differences(replay, &difference, 1), 0);
        replay_free(replay);
        end(&w);
        free(recorded.items);
        free(again.items);
    }
}

static void a_smaller_margin_moves_devices_more_often(void **state)
{
    struct decisions again = {xnew(struct decision, CHANGES_MAX), 0, 4};
    struct replay_wish wish = wish_all(&again);
    struct replay *replay = replay_new(&wish);
    struct replay_difference d[3];
    struct replay_totals totals;
    struct world w;

    (void) state;
    live(&w, 1);
    feed(&w, replay, NULL);
    replay_get_totals(replay, &totals);
    assert_true(totals.replayed.owner_changes > totals.actual.owner_changes);
    assert_true(replay_get_differences(replay, d, 3) >= 3);
    assert_true(d[0].owner_changes_replayed - d[0].owner_changes_actual >=
                d[1].owner_changes_replayed - d[1].owner_changes_actual);
    assert_string_equal(replay_source_name(replay, d[0].owner_actual), "kitchen");
    replay_free(replay);
    end(&w);
    free(again.items);
}

static void a_wish_counts_its_time_and_its_device_alone(void **state)
{
    struct decisions again = {xnew(struct decision, CHANGES_MAX), 0, 16};
    struct replay_wish wish = wish_all(&again);
    struct replay *replay;
    struct replay_totals totals;
    struct world w;

    (void) state;
    wish.since = WALL + (int64_t) SECONDS(600);
    wish.until = WALL + (int64_t) SECONDS(1200);
    wish.has_address = true;
    wish.address = address_of(1);
    replay = replay_new(&wish);
    live(&w, 2);
    feed(&w, replay, NULL);
    replay_get_totals(replay, &totals);
    assert_true(totals.packets > 0 && totals.since >= wish.since && totals.until <= wish.until);
    assert_true(again.count > 0);
    for (size_t i = 0; i < again.count; i++)
        assert_true(again.items[i].change.address == wish.address);
    replay_free(replay);
    end(&w);
    free(again.items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(unchanged_settings_decide_all_again_as_it_was),
            cmocka_unit_test(a_smaller_margin_moves_devices_more_often),
            cmocka_unit_test(a_wish_counts_its_time_and_its_device_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
