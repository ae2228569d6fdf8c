#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "fleet/dice.h"
#include "fleet/world.h"

static const struct world_radio RADIO = {
        .exponent = 2.0,
        .noise_db = 3.0,
        .wall_db = 5.0,
        .floor_db = 12.0,
        .sensitivity_dbm = -95.0,
        .floor_height = 2.7,
};

static const struct payload PAYLOADS[3] = {
        {.data = {1}, .size = 1}, {.data = {2}, .size = 1}, {.data = {3}, .size = 1}};

static void assert_near(double value, double expected, double tolerance)
{
    if (fabs(value - expected) > tolerance)
        fail_msg("%f is not %f", value, expected);
}

/* What was heard, boiled down. */
struct heard {
    size_t count;
    uint64_t digest;
    double rssi_sum;
    uint64_t address; /* 0: all */
    uint8_t payloads[64];
};

static void on_heard(void *user, const struct world_reception *r, usec_t now)
{
    struct heard *h = user;
    if (h->address != 0 && r->address != h->address)
        return;
    if (h->count < sizeof(h->payloads))
        h->payloads[h->count] = r->payload->data[0];
    h->count++;
    h->rssi_sum += r->rssi;
    h->digest = dice_mix(h->digest, r->address ^ (uint64_t) (uint8_t) r->rssi << 48 ^
                                            (uint64_t) r->listener << 56);
    h->digest = dice_mix(h->digest, now);
}

static struct world_device_options device_at(uint64_t address, double x)
{
    return (struct world_device_options){
            .address = address,
            .place = {.x = x},
            .interval = USEC_PER_SEC,
            .jitter = 10 * USEC_PER_MSEC,
            .tx_power_dbm = -59,
            .payloads = PAYLOADS,
            .payloads_count = 1,
            .payload_events = 1,
    };
}

static void add(struct world *w, const struct world_device_options *options)
{
    assert_int_equal(world_add_device(w, options, 1), 0);
}

static void run_until(struct world *w, usec_t from, usec_t until, struct heard *h)
{
    for (usec_t now = from; now <= until; now += 10 * USEC_PER_MSEC)
        (void) world_advance(w, now, on_heard, h);
}

/* A world of one listener at the origin and a number of devices, played for a minute. */
static struct heard play(uint64_t seed, unsigned devices, uint64_t only)
{
    struct world *w = world_new(&RADIO, seed);
    struct heard h = {.address = only};

    (void) world_add_listener(w, &(struct world_place){0}, 1.0);
    for (unsigned i = 0; i < devices; i++) {
        struct world_device_options options = device_at(100 + i, 1.0 + i);
        add(w, &options);
    }
    run_until(w, 1, 60 * USEC_PER_SEC, &h);
    world_free(w);
    return h;
}

static void the_same_seed_gives_the_same_world(void **state)
{
    struct heard a = play(5, 4, 0), b = play(5, 4, 0), c = play(6, 4, 0);

    (void) state;
    assert_true(a.count > 200);
    assert_int_equal(a.count, b.count);
    assert_int_equal(a.digest, b.digest);
    assert_int_not_equal(a.digest, c.digest);
}

static void a_device_does_the_same_whoever_else_is_there(void **state)
{
    struct heard alone = play(5, 1, 100), in_company = play(5, 9, 100);

    (void) state;
    assert_true(alone.count > 50);
    assert_int_equal(alone.count, in_company.count);
    assert_int_equal(alone.digest, in_company.digest);
}

static void loudness_falls_with_distance(void **state)
{
    struct world *w = world_new(&RADIO, 1);
    const struct world_place here = {0};
    double last = 100;

    (void) state;
    for (double x = 0.5; x < 50; x += 0.5) {
        double now = world_mean_rssi(w, &here, &(struct world_place){.x = x}, -59);
        assert_true(now < last);
        last = now;
    }
    /* 20 dB for ten times the distance in free space, from the power at 1 m */
    assert_near(world_mean_rssi(w, &here, &(struct world_place){.x = 1}, -59), -59, 0.001);
    assert_near(world_mean_rssi(w, &here, &(struct world_place){.x = 10}, -59), -79, 0.001);
    world_free(w);
}

static void walls_and_floors_attenuate(void **state)
{
    const struct world_room kitchen = {.name = "kitchen", .right = 4, .top = 4};
    const struct world_room hall = {.name = "hall", .left = 4, .right = 8, .top = 4};
    const struct world_place a = {.x = 2, .y = 2}, next_door = {.x = 6, .y = 2},
                             outside = {.x = 10, .y = 2}, upstairs = {.x = 2, .y = 2, .floor = 1},
                             same_room = {.x = 3, .y = 1};
    struct world *w = world_new(&RADIO, 1), *open = world_new(&RADIO, 1);

    (void) state;
    world_add_room(w, &kitchen);
    world_add_room(w, &hall);
    assert_int_equal(world_walls_between(w, &a, &same_room), 0);
    assert_int_equal(world_walls_between(w, &a, &next_door), 1); /* shared by both rooms */
    assert_int_equal(world_walls_between(w, &a, &outside), 2);
    assert_int_equal(world_walls_between(w, &outside, &a), 2);
    assert_int_equal(world_walls_between(w, &a, &upstairs), 0);
    assert_near(world_mean_rssi(w, &a, &outside, -59),
                world_mean_rssi(open, &a, &outside, -59) - 10, 0.001);
    assert_near(world_mean_rssi(w, &a, &upstairs, -59), -59 - 20 * log10(RADIO.floor_height) - 12,
                0.001);
    world_free(w);
    world_free(open);
}

static void a_device_out_of_range_is_not_heard_and_one_at_the_limit_sometimes(void **state)
{
    struct heard h[3] = {0};
    const double distances[3] = {1, 63, 1000}; /* -59, -95 and -119 dBm */

    (void) state;
    for (unsigned i = 0; i < 3; i++) {
        struct world *w = world_new(&RADIO, 1);
        struct world_device_options options = device_at(1, distances[i]);
        (void) world_add_listener(w, &(struct world_place){0}, 1.0);
        add(w, &options);
        run_until(w, 1, 200 * USEC_PER_SEC, &h[i]);
        world_free(w);
    }
    assert_in_range(h[0].count, 196, 200);
    assert_in_range(h[1].count, 60, 140);
    assert_int_equal(h[2].count, 0);
    assert_near(h[0].rssi_sum / (double) h[0].count, -59, 1.0);
}

static void a_listener_with_half_duty_hears_half(void **state)
{
    struct world *w = world_new(&RADIO, 1);
    struct world_device_options options = device_at(1, 1);
    struct heard h = {0};

    (void) state;
    (void) world_add_listener(w, &(struct world_place){0}, 0.5);
    add(w, &options);
    run_until(w, 1, 200 * USEC_PER_SEC, &h);
    assert_in_range(h.count, 75, 125);
    world_free(w);
}

static void payloads_go_round(void **state)
{
    static const uint8_t EXPECTED[] = {1, 1, 2, 2, 3, 3, 1, 1};
    struct world *w = world_new(&RADIO, 1);
    struct world_device_options options = device_at(1, 1);
    struct heard h = {0};

    (void) state;
    options.payloads_count = 3;
    options.payload_events = 2;
    (void) world_add_listener(w, &(struct world_place){0}, 1.0);
    add(w, &options);
    run_until(w, 1, 10 * USEC_PER_SEC, &h);
    assert_memory_equal(h.payloads, EXPECTED, sizeof(EXPECTED));
    world_free(w);
}

static void a_walking_device_is_where_its_path_says(void **state)
{
    const struct world_place path[] = {{.x = 1}, {.x = 11}};
    struct world *w = world_new(&RADIO, 1);
    struct world_device_options options = device_at(1, 0);
    struct heard h = {0};

    (void) state;
    options.path = path;
    options.path_count = 2;
    options.speed = 1;
    options.pause = 5 * USEC_PER_SEC;
    options.interval = 100 * USEC_PER_MSEC;
    (void) world_add_listener(w, &(struct world_place){0}, 1.0);
    add(w, &options);
    run_until(w, 1, 4 * USEC_PER_SEC, &h);
    assert_near(world_device(w, 0).place.x, 1, 0.001);
    double near = world_device_mean_rssi(w, 0, 0);
    run_until(w, 4 * USEC_PER_SEC, 10 * USEC_PER_SEC, &h);
    assert_near(world_device(w, 0).place.x, 6, 0.2);
    run_until(w, 10 * USEC_PER_SEC, 18 * USEC_PER_SEC, &h);
    assert_near(world_device(w, 0).place.x, 11, 0.001);
    assert_true(world_device_mean_rssi(w, 0, 0) < near - 15);
    run_until(w, 18 * USEC_PER_SEC, 25 * USEC_PER_SEC, &h);
    assert_near(world_device(w, 0).place.x, 6, 0.2); /* on its way back */
    world_free(w);
}

static void a_moved_device_is_heard_from_its_new_place(void **state)
{
    struct world *w = world_new(&RADIO, 1);
    struct world_device_options options = device_at(1, 5000);
    struct heard h = {0};

    (void) state;
    (void) world_add_listener(w, &(struct world_place){0}, 1.0);
    add(w, &options);
    run_until(w, 1, 5 * USEC_PER_SEC, &h);
    assert_int_equal(h.count, 0);
    assert_int_equal(world_move_device(w, 1, &(struct world_place){.x = 2}), 0);
    run_until(w, 5 * USEC_PER_SEC, 10 * USEC_PER_SEC, &h);
    assert_in_range(h.count, 4, 6);
    assert_int_equal(world_move_device(w, 2, &(struct world_place){0}), -ENOENT);
    world_free(w);
}

static void devices_come_and_go(void **state)
{
    struct world *w = world_new(&RADIO, 1);
    struct heard h = {.address = 7};

    (void) state;
    (void) world_add_listener(w, &(struct world_place){0}, 1.0);
    assert_int_equal(world_deadline(w), USEC_NEVER);
    for (uint64_t i = 0; i < 200; i++) {
        struct world_device_options options = device_at(i, 1);
        add(w, &options);
    }
    struct world_device_options again = device_at(7, 1);
    assert_int_equal(world_add_device(w, &again, 1), -EEXIST);
    for (uint64_t i = 0; i < 200; i += 2)
        assert_int_equal(world_remove_device(w, i), 0);
    assert_int_equal(world_remove_device(w, 0), -ENOENT);
    assert_int_equal(world_device_count(w), 100);
    run_until(w, 1, 10 * USEC_PER_SEC, &h);
    assert_in_range(h.count, 9, 10);
    assert_int_equal(world_set_interval(w, 7, 100 * USEC_PER_MSEC, 10 * USEC_PER_SEC), 0);
    h.count = 0;
    run_until(w, 10 * USEC_PER_SEC, 11 * USEC_PER_SEC, &h);
    assert_in_range(h.count, 9, 11);
    assert_int_equal(world_set_payloads(w, 7, &PAYLOADS[2], 1), 0);
    h.count = 0;
    run_until(w, 11 * USEC_PER_SEC, 12 * USEC_PER_SEC, &h);
    assert_int_equal(h.payloads[0], 3);
    world_free(w);
}

static void a_world_that_was_stopped_does_not_catch_up(void **state)
{
    struct world *w = world_new(&RADIO, 1);
    struct world_device_options options = device_at(1, 1);
    struct heard h = {0};

    (void) state;
    (void) world_add_listener(w, &(struct world_place){0}, 1.0);
    add(w, &options);
    (void) world_advance(w, 3600 * USEC_PER_SEC, on_heard, &h);
    assert_int_equal(h.count, 0);
    assert_in_range(world_deadline(w), 3600 * USEC_PER_SEC, 3602 * USEC_PER_SEC);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_same_seed_gives_the_same_world),
            cmocka_unit_test(a_device_does_the_same_whoever_else_is_there),
            cmocka_unit_test(loudness_falls_with_distance),
            cmocka_unit_test(walls_and_floors_attenuate),
            cmocka_unit_test(a_device_out_of_range_is_not_heard_and_one_at_the_limit_sometimes),
            cmocka_unit_test(a_listener_with_half_duty_hears_half),
            cmocka_unit_test(payloads_go_round),
            cmocka_unit_test(a_walking_device_is_where_its_path_says),
            cmocka_unit_test(a_moved_device_is_heard_from_its_new_place),
            cmocka_unit_test(devices_come_and_go),
            cmocka_unit_test(a_world_that_was_stopped_does_not_catch_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
