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
#include "replay/restored_device.h"

#define SECONDS(n)    ((usec_t) (n) *USEC_PER_SEC)
#define START         SECONDS(5000)
#define WALL          ((int64_t) 1795255200 * 1000000)
#define HOUR          SECONDS(3600)
#define PROXIES       6
#define DEVICES       60
#define CHANGES_MAX   200000
#define RESTORED      20
#define QUESTIONS_MAX 64

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
    struct facts {
        bool is_pinned, has_need;
    } facts[DEVICES];
    struct question { /* of the table: who is to listen actively */
        uint64_t address;
        uint16_t source;
        usec_t due;
    } questions[QUESTIONS_MAX];
    size_t questions_count;
    unsigned asked;
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

static uint64_t address_of(unsigned device)
{
    return (device % 3 == 0 ? UINT64_C(0x400000000000) : UINT64_C(0xc00000000000)) +
           device; /* private, static */
}

static unsigned device_of(uint64_t address)
{
    return address & 0xff;
}

static void describe(void *user, struct recording_device *device)
{
    const struct world *w = user;
    const struct facts *facts = &w->facts[device_of(device->address)];

    device->is_pinned = facts->is_pinned;
    device->has_need = facts->has_need;
    device->expected_interval = facts->is_pinned ? SECONDS(7) : 0;
}

static void configure(struct world *w, unsigned device, bool is_pinned, bool has_need)
{
    if (w->facts[device].is_pinned == is_pinned && w->facts[device].has_need == has_need)
        return;
    w->facts[device] = (struct facts){is_pinned, has_need};
    device_table_pin(w->table, address_of(device), is_pinned, is_pinned ? SECONDS(7) : 0);
    device_table_set_need(w->table, address_of(device), has_need);
    recorder_device(w->recorder, address_of(device), w->now);
}

/* ---- windows that somebody opens ---- */

static void on_rescue(void *user, uint64_t address, uint16_t owner, uint16_t challenger)
{
    struct world *w = user;
    const uint16_t sources[] = {owner, challenger};

    w->asked++;
    for (size_t i = 0; i < 2 && w->questions_count < QUESTIONS_MAX; i++)
        w->questions[w->questions_count++] =
                (struct question){address, sources[i], w->now + SECONDS(10)};
}

static void answer_questions(struct world *w)
{
    for (size_t i = 0; i < w->questions_count;) {
        const struct question *q = &w->questions[i];
        const struct recording_command command = {RECORDING_COVERED, q->address, q->source};

        if (q->due > w->now) {
            i++;
            continue;
        }
        recorder_command(w->recorder, &command, w->now);
        device_table_covered(w->table, q->address, q->source, w->now);
        w->questions[i] = w->questions[--w->questions_count];
    }
}

static void forget(struct world *w, unsigned device)
{
    const struct recording_command command = {.what = RECORDING_FORGET,
                                              .address = address_of(device)};

    recorder_command(w->recorder, &command, w->now);
    (void) device_table_forget(w->table, address_of(device));
}

static void clear_history(struct world *w, unsigned device)
{
    const struct recording_command command = {.what = RECORDING_CLEAR_HISTORY,
                                              .address = address_of(device)};

    recorder_command(w->recorder, &command, w->now);
    (void) device_table_clear_history(w->table, address_of(device));
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

static void try_to_connect(struct world *w, unsigned proxy, unsigned device)
{
    const struct recording_attempt attempt = {.address = address_of(device),
                                              .source = (uint16_t) proxy,
                                              .duration = SECONDS(3),
                                              .result = 3};

    recorder_attempt(w->recorder, &attempt, w->now);
}

/* It is removed, and another one gets its number. */
static void replace(struct world *w, unsigned proxy)
{
    recorder_source_gone(w->recorder, (uint16_t) proxy, w->now);
    device_table_source_hand_over(w->table, (uint16_t) proxy, w->now);
    device_table_source_remove(w->table, (uint16_t) proxy);
    w->is_online[proxy] = w->is_connecting[proxy] = false;
    tell_source(w, proxy);
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
    case 5:
        configure(w, device, roll(w, 2), roll(w, 2));
        break;
    case 6:
        forget(w, device);
        break;
    case 7:
        clear_history(w, device);
        break;
    case 8: /* which nothing depends on */
        try_to_connect(w, proxy, device);
        break;
    case 9:
        replace(w, proxy);
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
    answer_questions(w);
}

/* As a store gives it back: what it says changes at its next packet. */
static void restore(struct world *w, unsigned device)
{
    static const uint8_t payload[] = {7, 0xff, 0x99, 4, 9, 9, 9, 9};
    const struct device_source sources[] = {
            {.source = 1, .rssi = -70, .rssi_smoothed = -70.3, .last_seen = w->now - SECONDS(40)},
            {.source = 2,
             .rssi = -60,
             .rssi_smoothed = -61.7,
             .last_seen = w->now - SECONDS(30),
             .is_owner = true}};
    const struct device_element elements[] = {{.type = 0xff,
                                               .source = 2,
                                               .last_seen = w->now - SECONDS(30),
                                               .octets = {payload + 2, 6}}};
    const struct device_restored d = {
            .address = address_of(device),
            .address_type = 1,
            .first_seen = w->now - SECONDS(4000),
            .last_seen = w->now - SECONDS(30 + device * 20),
            .advertisements = 77,
            .interval = SECONDS(3),
            .latest = {.source = 2, .rssi = -60, .ad_data = payload, .size = sizeof payload},
            .sources = sources,
            .sources_count = ARRAY_SIZE(sources),
            .elements = elements,
            .elements_count = ARRAY_SIZE(elements)};
    uint8_t octets[RECORDING_RESTORED_MAX];
    const struct recording_restored restored = {
            d.address, d.address_type, {octets, restored_device_write(octets, &d)}};

    recorder_restored(w->recorder, &restored, w->now);
    assert_true(device_table_restore(w->table, &d, w->now));
}

static void begin(struct world *w, uint64_t seed, usec_t keep)
{
    const struct device_table_settings table = settings_of(16);
    const struct recorder_settings recorder = {(size_t) 32 << 20, keep, 1};

    *w = (struct world){.dice = seed * 0x9e3779b97f4a7c15u + 1, .now = START};
    w->table = device_table_new(&table, on_change, w);
    device_table_on_rescue(w->table, on_rescue);
    w->recorder = recorder_new(&recorder, describe, w, START, WALL);
    recorder_set_settings(w->recorder, "16", START);
    for (unsigned d = 0; d < DEVICES; d++) {
        configure(w, d, d % 10 == 3, d % 5 == 1);
        w->is_here[d] = true;
        place(w, d);
    }
    for (unsigned d = 0; d < RESTORED; d++)
        restore(w, d);
    for (unsigned p = 0; p < PROXIES; p++) {
        w->is_online[p] = true;
        tell_source(w, p);
    }
}

static void live_with(struct world *w, uint64_t seed, usec_t keep)
{
    begin(w, seed, keep);
    while (w->now < START + HOUR) {
        unsigned proxy = roll(w, PROXIES);

        pass_time(w, w->now + (roll(w, 500) == 0 ? SECONDS(roll(w, 120)) : roll(w, 600000)));
        disturb(w);
        if (w->is_online[proxy] && !w->is_connecting[proxy])
            speak(w, proxy);
    }
}

static void live(struct world *w, uint64_t seed)
{
    live_with(w, seed, SECONDS(86400));
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
        replay_begin_segment(replay, &segment);
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
        print_message("%zu decisions, %u rescues, %zu of %zu owner changes, %zu packets\n",
                      recorded.count, w.asked, (size_t) totals.replayed.owner_changes,
                      (size_t) totals.actual.owner_changes, (size_t) totals.packets);
        assert_true(recorded.count > 1000 && totals.actual.owner_changes > 100);
        assert_true(totals.actual.availability_changes > 10 && w.asked > 10);
        assert_false(totals.is_partial);
        assert_int_equal(totals.recorded, recorded.count);
        assert_int_equal(totals.repeated, recorded.count);
        assert_int_equal(totals.added, 0);
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

static void a_recording_that_begins_later_says_so_and_how_much_differs(void **state)
{
    struct decisions again = {xnew(struct decision, CHANGES_MAX), 0, 16};
    struct replay_wish wish = wish_all(&again);
    struct replay *replay = replay_new(&wish);
    struct replay_totals totals;
    struct world w;

    (void) state;
    live_with(&w, 1, SECONDS(1200)); /* the rest was dropped */
    feed(&w, replay, NULL);
    replay_get_totals(replay, &totals);
    print_message("%zu of %zu, %zu more\n", (size_t) totals.repeated, (size_t) totals.recorded,
                  (size_t) totals.added);
    assert_true(totals.is_partial);
    assert_true(totals.repeated < totals.recorded);
    assert_true(totals.repeated > totals.recorded / 2);
    replay_free(replay);
    end(&w);
    free(again.items);
}

static void another_run_in_the_same_file_begins_anew(void **state)
{
    struct decisions again = {xnew(struct decision, CHANGES_MAX), 0, 16};
    struct replay_wish wish = wish_all(&again);
    struct replay *replay = replay_new(&wish);
    struct replay_totals totals;
    struct world first, second;

    (void) state;
    live(&first, 1);
    live(&second, 2);
    feed(&first, replay, NULL);
    feed(&second, replay, NULL);
    replay_get_totals(replay, &totals);
    assert_false(totals.is_partial);
    assert_true(totals.recorded > 2000 && totals.repeated == totals.recorded);
    assert_int_equal(totals.added, 0);
    replay_free(replay);
    end(&first);
    end(&second);
    free(again.items);
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
            cmocka_unit_test(a_recording_that_begins_later_says_so_and_how_much_differs),
            cmocka_unit_test(another_run_in_the_same_file_begins_anew),
            cmocka_unit_test(a_smaller_margin_moves_devices_more_often),
            cmocka_unit_test(a_wish_counts_its_time_and_its_device_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
