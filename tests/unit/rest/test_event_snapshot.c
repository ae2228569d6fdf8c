#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "rest/event_snapshot.h"

#define FIRST 0xa4c138000001u

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct event_wish wish;
    struct event_snapshot snapshot;
};

/* Three devices, FIRST and those behind it. */
static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"}]}");
    f->gateway = fake_gateway_new(f->config);
    for (uint64_t i = 0; i < 3; i++)
        (void) fake_gateway_add(f->gateway, FIRST + i);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    event_snapshot_done(&f->snapshot);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static void want(struct fixture *f, uint64_t address)
{
    f->wish.addresses[f->wish.addresses_count++] = address;
}

/* Goes to the end; the sum of 1 << (2 * n) over the devices FIRST + n that came, so that one that
 * comes twice is seen. */
static unsigned walk(struct fixture *f)
{
    unsigned seen = 0;

    while (!event_snapshot_is_at_end(&f->snapshot)) {
        struct gateway_device device;

        if (event_snapshot_next(&f->snapshot, f->gateway, &f->wish, &device))
            seen += 1u << 2 * (device.address - FIRST);
    }
    return seen;
}

static void a_snapshot_that_was_not_begun_is_at_its_end(void **state)
{
    struct fixture *f = *state;

    assert_true(event_snapshot_is_at_end(&f->snapshot));
}

static void without_wanted_addresses_every_device_comes_once(void **state)
{
    struct fixture *f = *state;

    event_snapshot_begin(&f->snapshot, f->gateway, &f->wish);
    assert_int_equal(walk(f), 1 | 1 << 2 | 1 << 4);
}

static void with_wanted_addresses_those_alone_come_and_once_each(void **state)
{
    struct fixture *f = *state;

    want(f, FIRST + 2);
    want(f, FIRST);
    want(f, FIRST + 2);
    want(f, FIRST + 7); /* nobody knows it */
    event_snapshot_begin(&f->snapshot, f->gateway, &f->wish);
    assert_int_equal(walk(f), 1 | 1 << 4);
}

static void a_device_that_went_meanwhile_is_left_out(void **state)
{
    struct fixture *f = *state;

    event_snapshot_begin(&f->snapshot, f->gateway, &f->wish);
    fake_gateway_remove(f->gateway, FIRST + 1);
    assert_int_equal(walk(f), 1 | 1 << 4);
}

static void A13_noise_is_left_out(void **state)
{
    struct fixture *f = *state;

    fake_gateway_add(f->gateway, FIRST + 3)->facts.is_noise = true;
    event_snapshot_begin(&f->snapshot, f->gateway, &f->wish);
    assert_int_equal(walk(f), 1 | 1 << 2 | 1 << 4);
}

static void a_snapshot_begins_anew_from_whatever_point(void **state)
{
    struct fixture *f = *state;
    struct gateway_device device;

    event_snapshot_begin(&f->snapshot, f->gateway, &f->wish);
    (void) event_snapshot_next(&f->snapshot, f->gateway, &f->wish, &device);
    event_snapshot_begin(&f->snapshot, f->gateway, &f->wish);
    assert_int_equal(walk(f), 1 | 1 << 2 | 1 << 4);
    event_snapshot_done(&f->snapshot);
    assert_true(event_snapshot_is_at_end(&f->snapshot));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(a_snapshot_that_was_not_begun_is_at_its_end),
            TEST(without_wanted_addresses_every_device_comes_once),
            TEST(with_wanted_addresses_those_alone_come_and_once_each),
            TEST(a_device_that_went_meanwhile_is_left_out),
            TEST(A13_noise_is_left_out),
            TEST(a_snapshot_begins_anew_from_whatever_point),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
