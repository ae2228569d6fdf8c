#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rest/event_selection.h"

#define ADDRESS 0xa4c13812ab56
#define NOW     (100 * USEC_PER_SEC)
#define SECOND  USEC_PER_SEC
#define DUE_MAX 64

struct due {
    uint64_t bits, address;
    bool is_rssi;
    int rssi;
    uint8_t first;
};

struct fixture {
    struct selections *selections;
    struct due due[DUE_MAX];
    size_t due_count;
};

static void on_due(void *user, uint64_t bits, bool is_rssi, const struct selection_packet *packet)
{
    struct fixture *f = user;

    assert_true(f->due_count < DUE_MAX);
    f->due[f->due_count++] =
            (struct due){bits, packet->address, is_rssi, packet->rssi, packet->data[0]};
}

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->selections = selections_new(3, 1, on_due, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    selections_free(f->selections);
    free(f);
    return 0;
}

static size_t join(struct fixture *f, enum selection_mode mode, usec_t span, bool only_owner)
{
    const struct selection_rule rule = {mode, span, only_owner};
    size_t index;

    assert_int_equal(selections_join(f->selections, &rule, 1, &index), 0);
    return index;
}

/* A packet of the owner, as if the same octets had come a second ago. */
static struct gateway_hearing packet_at(usec_t time, struct gateway_device *device)
{
    static const uint8_t data[] = {0x02, 0x01, 0x06};

    *device = (struct gateway_device){.address = ADDRESS, .address_type = "public"};
    return (struct gateway_hearing){
            .time = time,
            .device = device,
            .is_owner = true,
            .rssi = -60,
            .rssi_smoothed = -60,
            .heard_before = time - SECOND,
            .silent_since = time - SECOND,
            .data = data,
            .size = sizeof data,
    };
}

static uint64_t hear(struct fixture *f, const struct gateway_hearing *hearing)
{
    uint64_t advertisement, rssi;

    selections_hear(f->selections, hearing, &advertisement, &rssi);
    return advertisement | rssi;
}

static bool hear_at(struct fixture *f, usec_t time, uint64_t address)
{
    struct gateway_device device;
    struct gateway_hearing hearing = packet_at(time, &device);

    device.address = address;
    return hear(f, &hearing) != 0;
}

static void E01_change_passes_what_changed_alone(void **state)
{
    struct gateway_device device;
    struct gateway_hearing hearing = packet_at(NOW, &device);

    join(*state, SELECTION_CHANGE, 0, true);
    assert_int_equal(hear(*state, &hearing), 0);
    hearing.rssi = -20; /* louder is no change */
    assert_int_equal(hear(*state, &hearing), 0);
    hearing.is_change = true;
    assert_int_equal(hear(*state, &hearing), 1);
}

static void A13_noise_passes_mode_all_and_rssi_alone(void **state)
{
    struct gateway_device device;
    struct gateway_hearing hearing = packet_at(NOW, &device);

    join(*state, SELECTION_CHANGE, 0, false);
    join(*state, SELECTION_INTERVAL, SECOND, false);
    join(*state, SELECTION_REAPPEAR, SECOND, false);
    join(*state, SELECTION_ALL, 0, false);
    join(*state, SELECTION_RSSI, SECOND, false);
    hearing.is_change = true;
    hearing.silent_since = 0;
    device.is_noise = true;
    assert_int_equal(hear(*state, &hearing), 1 << 3 | 1 << 4);
    device.is_noise = false;
    hearing.time += 2 * SECOND;
    assert_int_equal(hear(*state, &hearing) & 15, 15);
}

static void E02_all_passes_identical_packets_of_every_proxy(void **state)
{
    struct gateway_device device;
    struct gateway_hearing hearing = packet_at(NOW, &device);

    join(*state, SELECTION_ALL, 0, false);
    hearing.is_owner = false;
    assert_int_equal(hear(*state, &hearing), 1);
    assert_int_equal(hear(*state, &hearing), 1);
}

static void O10_owner_rule_passes_the_owner_and_what_nobody_brought_for_a_minute(void **state)
{
    struct gateway_device device;
    struct gateway_hearing hearing = packet_at(NOW, &device);

    join(*state, SELECTION_ALL, 0, true);
    assert_int_equal(hear(*state, &hearing), 1);
    hearing.is_owner = false;
    assert_int_equal(hear(*state, &hearing), 0);
    hearing.heard_before = NOW - 60 * SECOND;
    assert_int_equal(hear(*state, &hearing), 0);
    hearing.heard_before = NOW - 60 * SECOND - 1;
    assert_int_equal(hear(*state, &hearing), 1);
    hearing.heard_before = 0;
    assert_int_equal(hear(*state, &hearing), 1);
}

static void E02_reappear_passes_the_first_packet_after_the_silence(void **state)
{
    struct gateway_device device;
    struct gateway_hearing hearing = packet_at(NOW, &device);

    join(*state, SELECTION_REAPPEAR, 30 * SECOND, true);
    assert_int_equal(hear(*state, &hearing), 0);
    hearing.silent_since = NOW - 30 * SECOND + 1;
    assert_int_equal(hear(*state, &hearing), 0);
    hearing.silent_since = NOW - 30 * SECOND;
    assert_int_equal(hear(*state, &hearing), 1);
    hearing.silent_since = 0;
    assert_int_equal(hear(*state, &hearing), 1);
    hearing.is_owner = false; /* whoever brings it */
    assert_int_equal(hear(*state, &hearing), 1);
}

static void E02_interval_passes_one_a_span_and_then_the_newest(void **state)
{
    struct fixture *f = *state;
    struct gateway_device device;
    struct gateway_hearing hearing;

    join(f, SELECTION_INTERVAL, SECOND, true);
    for (int i = 0; i < 10; i++) {
        hearing = packet_at(NOW + (usec_t) i * SECOND / 10, &device);
        hearing.rssi = -50 - i;
        assert_int_equal(hear(f, &hearing), i == 0);
    }
    assert_int_equal(f->due_count, 0);
    selections_advance(f->selections, NOW + SECOND - 1);
    assert_int_equal(f->due_count, 0);
    selections_advance(f->selections, NOW + SECOND);
    assert_int_equal(f->due_count, 1);
    assert_int_equal(f->due[0].rssi, -59);
    assert_int_equal(f->due[0].address, ADDRESS);
    assert_int_equal(f->due[0].bits, 1);
    assert_false(f->due[0].is_rssi);
    assert_false(hear_at(f, NOW + SECOND + 1, ADDRESS)); /* the next span has begun */
    selections_advance(f->selections, NOW + 3 * SECOND);
    assert_int_equal(f->due_count, 2);
    selections_advance(f->selections, NOW + 10 * SECOND);
    assert_int_equal(f->due_count, 2);
    assert_true(hear_at(f, NOW + 10 * SECOND, ADDRESS));
}

static void interval_is_kept_for_each_device_alone(void **state)
{
    join(*state, SELECTION_INTERVAL, SECOND, true);
    assert_true(hear_at(*state, NOW, 1));
    assert_true(hear_at(*state, NOW, 2));
    assert_false(hear_at(*state, NOW, 1));
}

/* Nobody advanced in time: the packet that comes after the span is the newest. */
static void late_packet_ends_the_span_itself(void **state)
{
    struct fixture *f = *state;

    join(f, SELECTION_INTERVAL, SECOND, true);
    assert_true(hear_at(f, NOW, ADDRESS));
    assert_false(hear_at(f, NOW + 5 * SECOND, ADDRESS));
    assert_int_equal(f->due_count, 1);
    assert_false(hear_at(f, NOW + 5 * SECOND + 1, ADDRESS));
    assert_int_equal(f->due_count, 1);
}

static void E06_rssi_is_thinned_for_each_device_and_proxy(void **state)
{
    struct fixture *f = *state;
    struct gateway_device device;
    struct gateway_hearing hearing = packet_at(NOW, &device);

    join(f, SELECTION_RSSI, SECOND, true);
    hearing.is_owner = false;
    assert_int_equal(hear(f, &hearing), 1);
    hearing.proxy_id = 1;
    assert_int_equal(hear(f, &hearing), 1);
    hearing.rssi = -70;
    assert_int_equal(hear(f, &hearing), 0);
    selections_advance(f->selections, NOW + SECOND);
    assert_int_equal(f->due_count, 1);
    assert_true(f->due[0].is_rssi);
    assert_int_equal(f->due[0].rssi, -70);
    hearing.rssi = 0; /* nothing was measured */
    hearing.time = NOW + 9 * SECOND;
    assert_int_equal(hear(f, &hearing), 0);
}

static void readers_that_ask_the_same_share_a_selection(void **state)
{
    size_t a = join(*state, SELECTION_CHANGE, SECOND, true);

    assert_int_equal(join(*state, SELECTION_CHANGE, 2 * SECOND, true), a);
    assert_int_not_equal(join(*state, SELECTION_CHANGE, 0, false), a);
    assert_int_not_equal(join(*state, SELECTION_INTERVAL, SECOND, true),
                         join(*state, SELECTION_INTERVAL, 2 * SECOND, true));
}

static void selection_lingers_after_its_last_reader(void **state)
{
    struct fixture *f = *state;
    size_t index = join(f, SELECTION_ALL, 0, true);

    selections_leave(f->selections, index, NOW);
    assert_true(hear_at(f, NOW, ADDRESS));
    selections_advance(f->selections, NOW + SELECTION_LINGER - 1);
    assert_true(selections_any(f->selections));
    selections_advance(f->selections, NOW + SELECTION_LINGER);
    assert_false(selections_any(f->selections));
    assert_false(hear_at(f, NOW, ADDRESS));
}

static void too_many_devices_end_the_first_span_early(void **state)
{
    struct fixture *f = *state;

    join(f, SELECTION_INTERVAL, SECOND, true);
    for (uint64_t address = 1; address <= 3; address++)
        assert_true(hear_at(f, NOW + address, address));
    assert_false(hear_at(f, NOW + 10, 1));
    assert_true(hear_at(f, NOW + 11, 4)); /* only three are remembered */
    assert_int_equal(f->due_count, 1);
    assert_int_equal(f->due[0].address, 1);
    assert_true(hear_at(f, NOW + 12, 1));
    assert_false(hear_at(f, NOW + 13, 4));
}

static void too_many_rules_are_refused_unless_some_linger(void **state)
{
    struct fixture *f = *state;
    struct selection_rule rule = {SELECTION_INTERVAL, SECOND, true};
    size_t index;

    for (size_t i = 0; i < SELECTIONS_MAX; i++)
        assert_int_equal(join(f, SELECTION_INTERVAL, SECOND + i, true), i);
    rule.span = SECOND / 2;
    assert_int_equal(selections_join(f->selections, &rule, 1, &index), E_OVERLOADED);
    selections_leave(f->selections, 7, NOW + 1);
    selections_leave(f->selections, 9, NOW);
    assert_int_equal(selections_join(f->selections, &rule, 42, &index), 0);
    assert_int_equal(index, 9);
    assert_int_equal(selections_since(f->selections, 9), 42);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(E01_change_passes_what_changed_alone),
            TEST(A13_noise_passes_mode_all_and_rssi_alone),
            TEST(E02_all_passes_identical_packets_of_every_proxy),
            TEST(O10_owner_rule_passes_the_owner_and_what_nobody_brought_for_a_minute),
            TEST(E02_reappear_passes_the_first_packet_after_the_silence),
            TEST(E02_interval_passes_one_a_span_and_then_the_newest),
            TEST(interval_is_kept_for_each_device_alone),
            TEST(late_packet_ends_the_span_itself),
            TEST(E06_rssi_is_thinned_for_each_device_and_proxy),
            TEST(readers_that_ask_the_same_share_a_selection),
            TEST(selection_lingers_after_its_last_reader),
            TEST(too_many_devices_end_the_first_span_early),
            TEST(too_many_rules_are_refused_unless_some_linger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
