#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "accounts/wrong_tokens.h"

#define START (1000 * USEC_PER_SEC)

static const struct account_source somebody = {false, 0xc0000207}, other = {false, 0xc0000208};

static void ten_in_a_minute_are_held_off_for_a_minute(void **state)
{
    struct wrong_tokens w = {0};

    (void) state;
    for (int i = 0; i < WRONG_TOKENS_MAX - 1; i++) {
        assert_false(wrong_tokens_add(&w, somebody, START));
        assert_int_equal(wrong_tokens_hold(&w, somebody, START), 0);
    }
    assert_true(wrong_tokens_add(&w, somebody, START + USEC_PER_SEC));
    assert_int_equal(wrong_tokens_hold(&w, somebody, START + USEC_PER_SEC), WRONG_TOKENS_HOLD);
    assert_int_equal(wrong_tokens_hold(&w, other, START + USEC_PER_SEC), 0);
    assert_false(wrong_tokens_add(&w, somebody, START + 2 * USEC_PER_SEC)); /* told once */
    assert_int_equal(wrong_tokens_hold(&w, somebody, START + USEC_PER_SEC + WRONG_TOKENS_HOLD - 1),
                     1);
    assert_int_equal(wrong_tokens_hold(&w, somebody, START + USEC_PER_SEC + WRONG_TOKENS_HOLD), 0);
    wrong_tokens_done(&w);
}

static void after_the_minute_counting_begins_anew(void **state)
{
    usec_t later = START + WRONG_TOKENS_HOLD;
    struct wrong_tokens w = {0};

    (void) state;
    for (int i = 0; i < WRONG_TOKENS_MAX; i++)
        (void) wrong_tokens_add(&w, somebody, START);
    for (int i = 0; i < WRONG_TOKENS_MAX - 1; i++)
        assert_false(wrong_tokens_add(&w, somebody, later));
    assert_int_equal(wrong_tokens_hold(&w, somebody, later), 0);
    assert_true(wrong_tokens_add(&w, somebody, later));
    wrong_tokens_done(&w);
}

static void few_wrong_ones_in_a_long_time_do_no_harm(void **state)
{
    struct wrong_tokens w = {0};

    (void) state;
    for (unsigned i = 0; i < 100; i++)
        assert_false(wrong_tokens_add(&w, somebody, START + i * (WRONG_TOKENS_WINDOW / 9 + 1)));
    wrong_tokens_done(&w);
}

static void the_table_has_a_bound_and_who_is_held_off_stays(void **state)
{
    struct wrong_tokens w = {0};

    (void) state;
    for (int i = 0; i < WRONG_TOKENS_MAX; i++)
        (void) wrong_tokens_add(&w, somebody, START);
    for (uint64_t i = 0; i < 3 * WRONG_SOURCES_MAX; i++)
        assert_false(wrong_tokens_add(&w, (struct account_source){true, i}, START + 1 + i));
    assert_int_equal(w.count, WRONG_SOURCES_MAX);
    assert_true(wrong_tokens_hold(&w, somebody, START + 1) > 0);
    wrong_tokens_done(&w);
}

static void when_all_are_held_off_the_first_to_be_free_goes(void **state)
{
    struct wrong_tokens w = {0};

    (void) state;
    for (uint64_t i = 0; i < WRONG_SOURCES_MAX; i++) {
        for (int n = 0; n < WRONG_TOKENS_MAX; n++)
            (void) wrong_tokens_add(&w, (struct account_source){true, i}, START + i);
    }
    (void) wrong_tokens_add(&w, somebody, START + WRONG_SOURCES_MAX);
    assert_int_equal(w.count, WRONG_SOURCES_MAX);
    assert_int_equal(wrong_tokens_hold(&w, (struct account_source){true, 0}, START + 2000), 0);
    assert_true(wrong_tokens_hold(&w, (struct account_source){true, 1}, START + 2000) > 0);
    wrong_tokens_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(ten_in_a_minute_are_held_off_for_a_minute),
            cmocka_unit_test(after_the_minute_counting_begins_anew),
            cmocka_unit_test(few_wrong_ones_in_a_long_time_do_no_harm),
            cmocka_unit_test(the_table_has_a_bound_and_who_is_held_off_stays),
            cmocka_unit_test(when_all_are_held_off_the_first_to_be_free_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
