/* What is kept of each device, and what goes first. */
#include "recorder/history.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "allocations.h"
#include "recorder/packet_loss.h"

#define MIB    ((size_t) 1 << 20)
#define DEVICE 0xa4c138000001u
#define START  (CLOCK_START - CLOCK_START % HISTORY_SLOT)
#define AT(n)  (START + (usec_t) (n) *HISTORY_SLOT)

static struct history *h;

static int set_up(void **state)
{
    (void) state;
    h = history_new(MIB, 0x5eed);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    history_free(h);
    return 0;
}

static void note(uint64_t address, uint16_t source, size_t slot, double rssi)
{
    history_note_slot(h, address, source, AT(slot), rssi, 3);
}

static void note_payload(uint64_t address, usec_t time, uint8_t first, size_t size)
{
    uint8_t data[62] = {first};

    history_note_payload(h, address,
                         &(struct history_payload){.time = time,
                                                   .source = 4,
                                                   .rssi = -61,
                                                   .is_parsed = first == 9,
                                                   .data = data,
                                                   .size = size});
}

/* The slots with packets among the first so many. */
static size_t count_slots(uint64_t address, uint16_t source, usec_t start, size_t count)
{
    struct history_slot *slots = calloc(count, sizeof *slots);
    size_t heard = 0;

    (void) history_read_slots(h, address, source, start, slots, count);
    for (size_t i = 0; i < count; i++)
        heard += slots[i].packets > 0;
    free(slots);
    return heard;
}

static void slots_are_read_as_they_were_noted(void **state)
{
    struct history_slot s[5];

    (void) state;
    history_note_slot(h, DEVICE, 7, AT(1), -61.5, 4);
    history_note_slot(h, DEVICE, 7, AT(3), -90.24, 300);
    assert_true(history_read_slots(h, DEVICE, 7, AT(0), s, 5));
    assert_int_equal(s[0].packets, 0);
    assert_true(isnan(s[0].rssi));
    assert_int_equal(s[1].packets, 4);
    assert_float_equal(s[1].rssi, -61.5, 0.001);
    assert_int_equal(s[2].packets, 0);
    assert_int_equal(s[3].packets, 255); /* and more */
    assert_float_equal(s[3].rssi, -90, 0.001);
    assert_int_equal(s[4].packets, 0);
}

static void sources_and_devices_are_apart(void **state)
{
    struct history_slot s[1];

    (void) state;
    note(DEVICE, 1, 0, -50);
    note(DEVICE, 2, 0, -70);
    note(DEVICE + 1, 1, 0, -90);
    assert_true(history_read_slots(h, DEVICE, 2, AT(0), s, 1));
    assert_float_equal(s[0].rssi, -70, 0.001);
    assert_false(history_read_slots(h, DEVICE + 1, 2, AT(0), s, 1));
    assert_false(history_read_slots(h, DEVICE + 2, 1, AT(0), s, 1));
}

static void what_no_radio_measures_is_kept_within_the_range(void **state)
{
    struct history_slot s[2];

    (void) state;
    note(DEVICE, 1, 0, 20);
    note(DEVICE, 1, 1, -400);
    assert_true(history_read_slots(h, DEVICE, 1, AT(0), s, 2));
    assert_float_equal(s[0].rssi, 0, 0.001);
    assert_float_equal(s[1].rssi, -127, 0.001);
}

static void slots_out_of_order_are_left_out(void **state)
{
    struct history_slot s[3];

    (void) state;
    note(DEVICE, 1, 2, -50);
    note(DEVICE, 1, 2, -60);
    note(DEVICE, 1, 0, -60);
    assert_true(history_read_slots(h, DEVICE, 1, AT(0), s, 3));
    assert_int_equal(s[0].packets, 0);
    assert_float_equal(s[2].rssi, -50, 0.001);
}

static void a_silence_of_any_length_is_read_back(void **state)
{
    static const size_t silences[] = {1, 255, 256, 257, 511, 512, 513, 700, 2000};
    size_t at = 0, heard = 1;

    (void) state;
    note(DEVICE, 1, 0, -50);
    for (size_t i = 0; i < sizeof silences / sizeof *silences; i++) {
        struct history_slot s[3];

        at += silences[i] + 1;
        heard++;
        note(DEVICE, 1, at, -60);
        assert_true(history_read_slots(h, DEVICE, 1, AT(at - 1), s, 3));
        assert_int_equal(s[0].packets, 0);
        assert_int_equal(s[1].packets, 3);
        assert_int_equal(s[2].packets, 0);
    }
    assert_int_equal(count_slots(DEVICE, 1, AT(0), at + 1), heard);
}

static void a_day_is_kept_and_not_much_more(void **state)
{
    (void) state;
    for (size_t i = 0; i < 3 * HISTORY_SLOTS_MAX; i++)
        note(DEVICE, 1, i, -50);
    assert_int_equal(count_slots(DEVICE, 1, AT(2 * HISTORY_SLOTS_MAX), HISTORY_SLOTS_MAX),
                     HISTORY_SLOTS_MAX);
    assert_in_range(count_slots(DEVICE, 1, AT(0), 3 * HISTORY_SLOTS_MAX), HISTORY_SLOTS_MAX,
                    HISTORY_SLOTS_MAX + 100);
    assert_in_range(history_complete_since(h, DEVICE), AT(2 * HISTORY_SLOTS_MAX - 100),
                    AT(2 * HISTORY_SLOTS_MAX));
}

static void payloads_are_read_in_order(void **state)
{
    struct history_position p = {0};
    struct history_payload payload;

    (void) state;
    for (uint8_t i = 0; i < 20; i++)
        note_payload(DEVICE, AT(0) + i, i, i == 3 ? 0 : 1 + i * 3u);
    for (uint8_t i = 0; i < 20; i++) {
        assert_true(history_next_payload(h, DEVICE, &p, &payload));
        assert_true(payload.time == AT(0) + i);
        assert_int_equal(payload.source, 4);
        assert_int_equal(payload.rssi, -61);
        assert_int_equal(payload.is_parsed, i == 9);
        assert_int_equal(payload.size, i == 3 ? 0 : 1 + i * 3);
        assert_true(payload.size == 0 || payload.data[0] == i);
    }
    assert_false(history_next_payload(h, DEVICE, &p, &payload));
    assert_false(history_next_payload(h, DEVICE, &p, &payload));
}

static void owners_are_read_in_order(void **state)
{
    struct history_position p = {0};
    struct history_owner owner;

    (void) state;
    for (uint16_t i = 0; i < 30; i++)
        history_note_owner(h, DEVICE,
                           &(struct history_owner){.time = AT(i),
                                                   .from = i ? i : UINT16_MAX,
                                                   .to = (uint16_t) (i + 1),
                                                   .why = 2,
                                                   .rssi_from = NAN,
                                                   .rssi_to = -60.5F});
    for (uint16_t i = 0; i < 30; i++) {
        assert_true(history_next_owner(h, DEVICE, &p, &owner));
        assert_true(owner.time == AT(i));
        assert_int_equal(owner.to, i + 1);
        assert_int_equal(owner.why, 2);
        assert_true(isnan(owner.rssi_from));
        assert_float_equal(owner.rssi_to, -60.5, 0.001);
    }
    assert_false(history_next_owner(h, DEVICE, &p, &owner));
}

static void a_payload_that_changes_all_the_time_is_bounded(void **state)
{
    struct history_statistics s;
    struct history_position p = {0};
    struct history_payload payload;
    size_t count = 0;
    usec_t before = AT(99999 - 600);

    (void) state;
    note(DEVICE + 1, 1, 0, -50);
    for (size_t i = 0; i < 100000; i++)
        note_payload(DEVICE, AT(i), 1, 31);
    while (history_next_payload(h, DEVICE, &p, &payload)) {
        assert_true(payload.time > before);
        before = payload.time;
        count++;
    }
    assert_true(before == AT(99999));
    assert_in_range(count, 150, 600);
    history_get_statistics(h, &s);
    assert_in_range(s.bytes, 1, MIB / 2);
    assert_true(s.blocks_dropped > 1000);
    assert_int_equal(s.devices_dropped, 0);
    assert_true(history_complete_since(h, DEVICE) > AT(99000));
    assert_int_equal(count_slots(DEVICE + 1, 1, AT(0), 1), 1); /* nobody else paid for it */
}

static void the_device_that_was_noted_least_recently_loses_first(void **state)
{
    struct history_statistics s = {0};
    size_t slot = 0;

    (void) state;
    for (size_t i = 0; i < 200; i++)
        note(DEVICE, 1, slot++, -50); /* and then it is silent */
    for (size_t i = 0; s.devices_dropped == 0; i++) {
        note(DEVICE + 1 + i % 100, 1, slot + i / 100, -60);
        history_get_statistics(h, &s);
    }
    assert_true(history_complete_since(h, DEVICE) == USEC_NEVER);
    for (uint64_t d = 1; d <= 100; d++)
        assert_true(history_complete_since(h, DEVICE + d) == AT(200)); /* lost nothing yet */
    assert_in_range(s.bytes, MIB / 2, MIB + MIB / 8);
}

static void devices_that_are_all_heard_lose_evenly_and_their_oldest(void **state)
{
    struct history_statistics s;

    (void) state;
    for (size_t slot = 0; slot < 4000; slot++) {
        for (uint64_t d = 0; d < 300; d++)
            note(DEVICE + d, 1, slot, -60);
    }
    history_get_statistics(h, &s);
    assert_int_equal(s.devices, 300);
    assert_int_equal(s.devices_dropped, 0);
    assert_in_range(s.bytes, MIB / 2, MIB + MIB / 8);
    for (uint64_t d = 0; d < 300; d++) {
        usec_t since = history_complete_since(h, DEVICE + d);

        assert_in_range(since, AT(2500), AT(2800));
        assert_int_equal(count_slots(DEVICE + d, 1, since, 4000),
                         (AT(4000) - since) / HISTORY_SLOT);
    }
}

static void private_addresses_by_the_thousand_stay_within_the_limit(void **state)
{
    struct history_statistics s;

    (void) state;
    for (uint64_t d = 0; d < 100000; d++) {
        for (uint16_t source = 0; source < 5; source++)
            note(DEVICE + d, source, d / 100, -80);
        note_payload(DEVICE + d, AT(d / 100), 1, 31);
    }
    history_get_statistics(h, &s);
    assert_true(s.devices < 1000);
    assert_true(s.devices_dropped + s.devices == 100000);
    assert_in_range(s.bytes, MIB / 2, MIB + MIB / 8);
}

static void one_device_heard_by_all_there_can_be_stays_within_the_limit(void **state)
{
    struct history_statistics s;

    (void) state;
    for (size_t slot = 0; slot < 3; slot++) {
        for (uint16_t source = 0; source < 4096; source++)
            note(DEVICE, source, slot, -80);
    }
    history_get_statistics(h, &s);
    assert_int_equal(s.devices, 1);
    assert_in_range(s.bytes, MIB / 2, MIB + MIB / 8);
    assert_int_equal(count_slots(DEVICE, 4095, AT(2), 1), 1);
}

static void a_forgotten_device_leaves_nothing(void **state)
{
    struct history_position p = {0};
    struct history_payload payload;

    (void) state;
    note(DEVICE, 1, 0, -50);
    note_payload(DEVICE, AT(0), 1, 31);
    history_forget(h, DEVICE);
    history_forget(h, DEVICE);
    assert_int_equal(count_slots(DEVICE, 1, AT(0), 1), 0);
    assert_false(history_next_payload(h, DEVICE, &p, &payload));
    assert_true(history_complete_since(h, DEVICE) == USEC_NEVER);
}

static void losses_are_counted_per_source(void **state)
{
    uint32_t heard, lost;

    (void) state;
    history_note_counter(h, DEVICE, 1, &(struct packet_counter){1, 8}, AT(0));
    history_note_counter(h, DEVICE, 1, &(struct packet_counter){3, 8}, AT(0));
    history_note_counter(h, DEVICE, 2, &(struct packet_counter){3, 8}, AT(0));
    history_get_loss(h, DEVICE, 1, AT(0), &heard, &lost);
    assert_int_equal(heard, 2);
    assert_int_equal(lost, 1);
    history_get_loss(h, DEVICE, 2, AT(0), &heard, &lost);
    assert_int_equal(lost, 0);
    history_get_loss(h, DEVICE + 1, 2, AT(0), &heard, &lost);
    assert_int_equal(heard, 0);
}

static void a_full_history_allocates_nothing(void **state)
{
    size_t slot = 0, before;

    (void) state;
    for (; slot < 3000; slot++) {
        for (uint64_t d = 0; d < 300; d++)
            note(DEVICE + d, 1, slot, -60);
    }
    before = allocations_count();
    for (; slot < 3300; slot++) {
        for (uint64_t d = 0; d < 300; d++)
            note(DEVICE + d, 1, slot, -60);
    }
    assert_int_equal(allocations_count(), before);
}

static void a_source_that_is_gone_leaves_its_number_to_another(void **state)
{
    struct history_position at = {0};
    struct history_payload payload;
    struct history_owner owner;

    (void) state;
    for (uint64_t d = 0; d < 3; d++) {
        note(DEVICE + d, 4, 0, -50);
        note(DEVICE + d, 5, 0, -70);
        note_payload(DEVICE + d, AT(0), 1, 20);
        note_payload(DEVICE + d, AT(1), 2, 30);
        history_note_owner(h, DEVICE + d,
                           &(struct history_owner){.time = AT(0), 4, 5, 1, -50, -70});
        history_note_owner(h, DEVICE + d,
                           &(struct history_owner){.time = AT(1), 5, 4, 1, -70, -50});
    }
    history_forget_source(h, 4);
    for (uint64_t d = 0; d < 3; d++) {
        assert_int_equal(count_slots(DEVICE + d, 4, AT(0), 2), 0);
        assert_int_equal(count_slots(DEVICE + d, 5, AT(0), 2), 1);
    }
    assert_true(history_next_payload(h, DEVICE, &at, &payload) && payload.source == UINT16_MAX);
    assert_true(history_next_payload(h, DEVICE, &at, &payload) && payload.source == UINT16_MAX);
    assert_int_equal(payload.size, 30);
    at = (struct history_position){0};
    assert_true(history_next_owner(h, DEVICE, &at, &owner));
    assert_true(owner.from == UINT16_MAX && owner.to == 5);
    assert_true(history_next_owner(h, DEVICE, &at, &owner));
    assert_true(owner.from == 5 && owner.to == UINT16_MAX);
    note(DEVICE, 4, 1, -80); /* the next one of that number */
    assert_int_equal(count_slots(DEVICE, 4, AT(0), 2), 1);
}

#define HISTORY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            HISTORY_TEST(slots_are_read_as_they_were_noted),
            HISTORY_TEST(sources_and_devices_are_apart),
            HISTORY_TEST(what_no_radio_measures_is_kept_within_the_range),
            HISTORY_TEST(slots_out_of_order_are_left_out),
            HISTORY_TEST(a_silence_of_any_length_is_read_back),
            HISTORY_TEST(a_day_is_kept_and_not_much_more),
            HISTORY_TEST(payloads_are_read_in_order),
            HISTORY_TEST(owners_are_read_in_order),
            HISTORY_TEST(a_payload_that_changes_all_the_time_is_bounded),
            HISTORY_TEST(the_device_that_was_noted_least_recently_loses_first),
            HISTORY_TEST(devices_that_are_all_heard_lose_evenly_and_their_oldest),
            HISTORY_TEST(private_addresses_by_the_thousand_stay_within_the_limit),
            HISTORY_TEST(one_device_heard_by_all_there_can_be_stays_within_the_limit),
            HISTORY_TEST(a_forgotten_device_leaves_nothing),
            HISTORY_TEST(a_source_that_is_gone_leaves_its_number_to_another),
            HISTORY_TEST(losses_are_counted_per_source),
            HISTORY_TEST(a_full_history_allocates_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
