#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet/peripheral.h"

#define ATTEMPTS 2000
#define LOUD     (-50.0)

static struct peripheral_options usual(void)
{
    struct peripheral_options options = PERIPHERAL_USUAL;
    options.is_connectable = true;
    return options;
}

static unsigned failures_of(const struct peripheral_options *options, double rssi)
{
    struct peripheral p;
    unsigned failures = 0;

    peripheral_init(&p, options, 1);
    for (unsigned i = 0; i < ATTEMPTS; i++)
        failures += peripheral_attempt(&p, rssi).error != 0;
    return failures;
}

static void one_that_is_not_connectable_answers_nobody(void **state)
{
    struct peripheral p;
    struct peripheral_link link;

    (void) state;
    peripheral_init(&p, &PERIPHERAL_USUAL, 1);
    assert_false(peripheral_attempt(&p, LOUD).is_answered);
    assert_false(peripheral_open(&p, &link));
    assert_true(peripheral_advertises(&p));
}

static void a_loud_device_always_answers_and_a_weak_one_half_the_time(void **state)
{
    const struct peripheral_options options = usual();

    (void) state;
    assert_int_equal(failures_of(&options, LOUD), 0);
    assert_in_range(failures_of(&options, options.weak_dbm), ATTEMPTS * 4 / 10, ATTEMPTS * 6 / 10);
}

static void failures_come_as_often_and_as_mixed_as_they_are_set(void **state)
{
    struct peripheral_options options = usual();
    struct peripheral p;
    unsigned timeouts = 0;

    (void) state;
    options.failure = 0.25;
    assert_in_range(failures_of(&options, LOUD), ATTEMPTS * 2 / 10, ATTEMPTS * 3 / 10);
    options.failure = 1;
    options.failures = (struct luck_errors){{0x08, 0x3e, 0x3e, 0x3e}, 4};
    peripheral_init(&p, &options, 1);
    for (unsigned i = 0; i < ATTEMPTS; i++)
        timeouts += peripheral_attempt(&p, LOUD).error == 0x08;
    assert_in_range(timeouts, ATTEMPTS * 2 / 10, ATTEMPTS * 3 / 10);
}

static void a_share_of_the_attempts_is_answered_by_nobody(void **state)
{
    struct peripheral_options options = usual();
    struct peripheral p;
    unsigned unanswered = 0;

    (void) state;
    options.unanswered = 0.25;
    peripheral_init(&p, &options, 1);
    for (unsigned i = 0; i < ATTEMPTS; i++)
        unanswered += !peripheral_attempt(&p, LOUD).is_answered;
    assert_in_range(unanswered, ATTEMPTS * 2 / 10, ATTEMPTS * 3 / 10);
}

static void attempts_take_as_long_as_they_are_set(void **state)
{
    struct peripheral_options options = usual();
    struct peripheral p;

    (void) state;
    options.connect = (struct luck_span){300, 500};
    peripheral_init(&p, &options, 1);
    for (unsigned i = 0; i < ATTEMPTS; i++)
        assert_in_range(peripheral_attempt(&p, LOUD).span, 300, 500);
}

static void it_holds_as_many_links_as_it_can_and_is_silent_then(void **state)
{
    struct peripheral_options options = usual();
    struct peripheral p;
    struct peripheral_link link;

    (void) state;
    options.links_max = 2;
    peripheral_init(&p, &options, 1);
    assert_true(peripheral_open(&p, &link));
    assert_int_equal(link.mtu, 247);
    assert_int_equal(link.life, USEC_NEVER);
    assert_true(peripheral_advertises(&p));
    assert_true(peripheral_open(&p, &link));
    assert_false(peripheral_advertises(&p));
    assert_false(peripheral_open(&p, &link));
    assert_false(peripheral_attempt(&p, LOUD).is_answered);
    peripheral_close(&p);
    assert_true(peripheral_is_free(&p));
    assert_true(peripheral_advertises(&p));
    peripheral_done(&p);
}

static void one_that_is_linked_elsewhere_may_go_on_advertising(void **state)
{
    struct peripheral_options options = usual();
    struct peripheral p;

    (void) state;
    options.is_linked_elsewhere = true;
    peripheral_init(&p, &options, 1);
    assert_false(peripheral_is_free(&p));
    assert_false(peripheral_advertises(&p));
    options.advertises_linked = true;
    peripheral_init(&p, &options, 1);
    assert_false(peripheral_is_free(&p));
    assert_true(peripheral_advertises(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(one_that_is_not_connectable_answers_nobody),
            cmocka_unit_test(a_loud_device_always_answers_and_a_weak_one_half_the_time),
            cmocka_unit_test(failures_come_as_often_and_as_mixed_as_they_are_set),
            cmocka_unit_test(a_share_of_the_attempts_is_answered_by_nobody),
            cmocka_unit_test(attempts_take_as_long_as_they_are_set),
            cmocka_unit_test(it_holds_as_many_links_as_it_can_and_is_silent_then),
            cmocka_unit_test(one_that_is_linked_elsewhere_may_go_on_advertising),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
