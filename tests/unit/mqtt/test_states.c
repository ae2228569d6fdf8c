#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mqtt/states.h"

#define START  (1000 * USEC_PER_SEC)
#define SECOND USEC_PER_SEC

static struct states *make(usec_t min_interval, usec_t rssi_interval)
{
    const struct states_settings settings = {min_interval, rssi_interval, 3};

    return states_new(&settings);
}

/* Takes what is due and says that it was sent. */
static void expect(struct states *s, enum states_what what, const char *name, int rssi, usec_t now)
{
    struct states_item item;

    assert_true(states_next(s, now, &item));
    assert_int_equal(item.what, what);
    assert_string_equal(item.name, name);
    states_done(s, &item, rssi, now);
}

static void expect_nothing(struct states *s, usec_t now)
{
    struct states_item item;

    assert_false(states_next(s, now, &item));
}

static void expect_all(struct states *s, const char *name, usec_t now)
{
    expect(s, STATES_AVAILABILITY, name, 0, now);
    expect(s, STATES_STATE, name, -60, now);
}

static void expect_clearing(struct states *s, const char *name, usec_t now)
{
    expect(s, STATES_CLEAR_AVAILABILITY, name, 0, now);
    expect(s, STATES_CLEAR_STATE, name, 0, now);
}

static void a_published_device_is_due_at_once(void **state)
{
    struct states *s = make(SECOND, 0);

    (void) state;
    states_publish(s, 1, "A", START);
    expect_all(s, "A", START);
    expect_nothing(s, START + 3600 * SECOND);
    assert_int_equal(states_deadline(s), USEC_NEVER);
    states_free(s);
}

static void many_changes_make_one_state(void **state)
{
    struct states *s = make(SECOND, 0);

    (void) state;
    states_publish(s, 1, "A", START);
    expect_all(s, "A", START);
    for (usec_t t = 1; t < 100; t++)
        states_changed(s, 1, START + t);
    expect_nothing(s, START + SECOND - 1);
    assert_int_equal(states_deadline(s), START + SECOND);
    expect(s, STATES_STATE, "A", -60, START + SECOND);
    expect_nothing(s, START + 10 * SECOND);
    states_free(s);
}

static void the_first_change_after_silence_is_due_at_once(void **state)
{
    struct states *s = make(SECOND, 0);

    (void) state;
    states_publish(s, 1, "A", START);
    expect_all(s, "A", START);
    states_changed(s, 1, START + 5 * SECOND);
    expect(s, STATES_STATE, "A", -60, START + 5 * SECOND);
    states_free(s);
}

static void a_text_at_hand_may_be_told_when_the_interval_is_over(void **state)
{
    struct states *s = make(SECOND, 0);
    struct states_item item;

    (void) state;
    assert_false(states_may_tell(s, 1, START, &item)); /* not published */
    states_publish(s, 1, "A", START);
    assert_false(states_may_tell(s, 1, START, &item)); /* its availability goes first */
    expect_all(s, "A", START);
    assert_false(states_may_tell(s, 1, START + SECOND - 1, &item));
    states_changed(s, 1, START + 1);
    assert_true(states_may_tell(s, 1, START + SECOND, &item));
    assert_string_equal(item.name, "A");
    states_done(s, &item, -60, START + SECOND);
    expect_nothing(s, START + 10 * SECOND); /* the mark is gone with it */
    states_availability_changed(s, 1, START + 10 * SECOND);
    assert_false(states_may_tell(s, 1, START + 10 * SECOND, &item));
    states_free(s);
}

static void availability_does_not_wait_for_the_interval(void **state)
{
    struct states *s = make(60 * SECOND, 0);

    (void) state;
    states_publish(s, 1, "A", START);
    expect_all(s, "A", START);
    states_availability_changed(s, 1, START + 1);
    expect(s, STATES_AVAILABILITY, "A", 0, START + 1);
    expect_nothing(s, START + 2);
    expect(s, STATES_STATE, "A", -60, START + 60 * SECOND);
    states_free(s);
}

static void rssi_alone_is_looked_at_each_interval(void **state)
{
    struct states *s = make(SECOND, 60 * SECOND);
    struct states_item item;

    (void) state;
    states_publish(s, 1, "A", START);
    expect_all(s, "A", START);
    expect_nothing(s, START + 59 * SECOND);
    assert_true(states_next(s, START + 60 * SECOND, &item));
    assert_int_equal(item.what, STATES_RSSI);
    assert_int_equal(item.rssi, -60);
    states_done(s, &item, -60, START + 60 * SECOND); /* not worth it */
    expect_nothing(s, START + 119 * SECOND);
    expect(s, STATES_RSSI, "A", -50, START + 120 * SECOND);
    assert_true(states_next(s, START + 180 * SECOND, &item));
    assert_int_equal(item.rssi, -50);
    states_free(s);
}

static void a_change_puts_the_look_at_rssi_off(void **state)
{
    struct states *s = make(SECOND, 60 * SECOND);

    (void) state;
    states_publish(s, 1, "A", START);
    expect_all(s, "A", START);
    states_changed(s, 1, START + 50 * SECOND);
    expect(s, STATES_STATE, "A", -60, START + 50 * SECOND);
    expect_nothing(s, START + 109 * SECOND);
    expect(s, STATES_RSSI, "A", -60, START + 110 * SECOND);
    states_free(s);
}

static void a_withdrawn_device_is_cleared_and_may_come_back(void **state)
{
    struct states *s = make(SECOND, 60 * SECOND);

    (void) state;
    states_publish(s, 1, "A", START);
    expect_all(s, "A", START);
    states_withdraw(s, 1, START + 1);
    assert_false(states_is_published(s, 1));
    expect(s, STATES_CLEAR_AVAILABILITY, "A", 0, START + 1);
    states_publish(s, 1, "A", START + 2); /* between the two */
    assert_int_equal(states_graves_count(s), 0);
    expect_all(s, "A", START + 2);
    states_withdraw(s, 1, START + 3);
    expect_clearing(s, "A", START + 3);
    assert_int_equal(states_graves_count(s), 0);
    expect_nothing(s, START + 3600 * SECOND);
    states_free(s);
}

static void a_new_name_clears_the_old_one(void **state)
{
    struct states *s = make(SECOND, 0);

    (void) state;
    states_publish(s, 1, "A", START);
    expect_all(s, "A", START);
    states_publish(s, 1, "sofa", START + 1);
    assert_string_equal(states_name(s, 1), "sofa");
    assert_int_equal(states_count(s), 1);
    for (int i = 0; i < 4; i++) { /* in no particular order */
        struct states_item item;

        assert_true(states_next(s, START + 1, &item));
        assert_string_equal(item.name, item.what >= STATES_CLEAR_AVAILABILITY ? "A" : "sofa");
        states_done(s, &item, 0, START + 1);
    }
    expect_nothing(s, START + 1);
    states_free(s);
}

static void a_name_that_another_device_has_is_not_taken(void **state)
{
    struct states *s = make(SECOND, 0);

    (void) state;
    states_publish(s, 1, "sofa", START);
    states_publish(s, 2, "sofa", START);
    assert_true(states_is_published(s, 1));
    assert_false(states_is_published(s, 2));
    states_withdraw(s, 1, START);
    states_publish(s, 2, "sofa", START);
    assert_true(states_is_published(s, 2));
    states_free(s);
}

static void what_an_earlier_run_left_is_cleared_unless_it_is_heard(void **state)
{
    struct states *s = make(SECOND, 0);

    (void) state;
    states_adopt(s, "A", START + 900 * SECOND);
    states_adopt(s, "B", START + 900 * SECOND);
    states_publish(s, 1, "A", START + SECOND);
    states_adopt(s, "A", START + 900 * SECOND); /* told again after a reconnect */
    expect_all(s, "A", START + SECOND);
    expect_nothing(s, START + 899 * SECOND);
    expect_clearing(s, "B", START + 900 * SECOND);
    expect_nothing(s, START + 3600 * SECOND);
    states_free(s);
}

static void graves_are_bounded(void **state)
{
    struct states *s = make(SECOND, 0);
    char name[2] = "a";

    (void) state;
    for (uint64_t i = 0; i < 10; i++, name[0]++) {
        states_publish(s, i, name, START);
        states_withdraw(s, i, START);
    }
    assert_int_equal(states_graves_count(s), 3);
    assert_int_equal(states_graves_refused(s), 7);
    assert_int_equal(states_count(s), 0);
    states_free(s);
}

static void republishing_is_spread_and_ignores_the_interval(void **state)
{
    struct states *s = make(3600 * SECOND, 0);
    struct states_item item;
    usec_t last = 0;
    int sent = 0;

    (void) state;
    for (uint64_t i = 0; i < 5; i++) {
        const char name[2] = {(char) ('a' + (char) i), '\0'};

        states_publish(s, i, name, START);
        expect_all(s, name, START);
    }
    states_republish(s, START + SECOND, 5 * SECOND);
    assert_int_equal(states_waiting_count(s), 5);
    for (usec_t now = START + SECOND; now < START + 6 * SECOND; now += SECOND / 10) {
        while (states_next(s, now, &item)) {
            states_done(s, &item, -60, now);
            sent++;
            last = now;
        }
        assert_true((usec_t) sent <= 2 * ((now - START) / SECOND));
    }
    assert_int_equal(sent, 10);
    assert_true(last >= START + 5 * SECOND);
    states_free(s);
}

static void devices_that_are_not_published_have_no_effect(void **state)
{
    struct states *s = make(SECOND, 0);

    (void) state;
    states_changed(s, 1, START);
    states_availability_changed(s, 1, START);
    states_withdraw(s, 1, START);
    states_republish(s, START, SECOND);
    expect_nothing(s, START + 3600 * SECOND);
    assert_null(states_name(s, 1));
    states_free(s);
}

static void everything_can_be_cleared_whatever_it_is(void **state)
{
    struct states *s = make(SECOND, 60 * SECOND);
    struct states_item item;
    int cleared = 0;

    (void) state;
    for (uint64_t i = 1; i <= 40; i++) { /* more than there is room for graves elsewhere */
        char name[8];

        (void) snprintf(name, sizeof name, "d%d", (int) i);
        states_publish(s, i, name, START);
    }
    states_adopt(s, "left", START + 900 * SECOND);
    states_clear_all(s, START + 1);
    assert_int_equal(states_count(s), 0);
    assert_false(states_is_published(s, 7));
    while (states_next(s, START + 1, &item)) {
        assert_true(item.what >= STATES_CLEAR_AVAILABILITY);
        states_done(s, &item, 0, START + 1);
        cleared++;
    }
    assert_int_equal(cleared, 2 * 41);
    assert_int_equal(states_graves_count(s), 0);
    states_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_published_device_is_due_at_once),
            cmocka_unit_test(many_changes_make_one_state),
            cmocka_unit_test(the_first_change_after_silence_is_due_at_once),
            cmocka_unit_test(a_text_at_hand_may_be_told_when_the_interval_is_over),
            cmocka_unit_test(availability_does_not_wait_for_the_interval),
            cmocka_unit_test(rssi_alone_is_looked_at_each_interval),
            cmocka_unit_test(a_change_puts_the_look_at_rssi_off),
            cmocka_unit_test(a_withdrawn_device_is_cleared_and_may_come_back),
            cmocka_unit_test(a_new_name_clears_the_old_one),
            cmocka_unit_test(a_name_that_another_device_has_is_not_taken),
            cmocka_unit_test(what_an_earlier_run_left_is_cleared_unless_it_is_heard),
            cmocka_unit_test(graves_are_bounded),
            cmocka_unit_test(republishing_is_spread_and_ignores_the_interval),
            cmocka_unit_test(devices_that_are_not_published_have_no_effect),
            cmocka_unit_test(everything_can_be_cleared_whatever_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
