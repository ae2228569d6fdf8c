#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "accounts/session_table.h"

static struct account_session make(uint8_t id, uint8_t token, int64_t expires)
{
    struct account_session s = {.expires = expires};

    s.id[0] = id;
    s.id[1] = token;
    s.token[0] = token;
    return s;
}

static void a_session_is_found_until_its_time_is_over(void **state)
{
    struct session_table t = {0};
    struct account_session s = make(1, 1, 100), gone;

    (void) state;
    assert_false(session_table_add(&t, &s, &gone));
    assert_non_null(session_table_find(&t, s.id, 99));
    assert_null(session_table_find(&t, s.id, 100));
    assert_false(session_table_take_expired(&t, 99, &gone));
    assert_true(session_table_take_expired(&t, 100, &gone));
    assert_memory_equal(gone.id, s.id, sizeof s.id);
    assert_int_equal(t.count, 0);
    session_table_done(&t);
}

static void a_further_one_of_a_token_ends_its_oldest(void **state)
{
    struct session_table t = {0};
    struct account_session other = make(0, 2, 100), gone;

    (void) state;
    assert_false(session_table_add(&t, &other, &gone));
    for (uint8_t i = 0; i < SESSIONS_PER_TOKEN; i++) {
        struct account_session s = make(i, 1, 100);

        assert_false(session_table_add(&t, &s, &gone));
    }
    assert_true(session_table_add(&t, &(struct account_session){.id = {99}, .token = {1}}, &gone));
    assert_int_equal(gone.id[0], 0);
    assert_int_equal(gone.token[0], 1);
    assert_non_null(session_table_find(&t, other.id, 0));
    assert_int_equal(t.count, SESSIONS_PER_TOKEN + 1);
    session_table_done(&t);
}

static void those_of_a_token_go_together(void **state)
{
    struct session_table t = {0};
    struct account_session gone;
    unsigned count = 0;

    (void) state;
    for (uint8_t i = 0; i < 6; i++) {
        struct account_session s = make(i, i % 2, 100);

        assert_false(session_table_add(&t, &s, &gone));
    }
    while (session_table_take_of(&t, (const uint8_t[SECRET_HASH_SIZE]){1}, &gone))
        count++;
    assert_int_equal(count, 3);
    assert_int_equal(t.count, 3);
    session_table_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_session_is_found_until_its_time_is_over),
            cmocka_unit_test(a_further_one_of_a_token_ends_its_oldest),
            cmocka_unit_test(those_of_a_token_go_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
