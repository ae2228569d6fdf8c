#include "store/text_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void text_is_read_back_at_once_and_is_dirty_until_taken(void **state)
{
    struct text_table t = {0};
    const struct text *text;

    (void) state;
    assert_null(text_table_get(&t, "a"));
    assert_true(text_table_put(&t, "a", "1"));
    assert_string_equal(text_table_get(&t, "a"), "1");
    text = text_table_take_dirty(&t);
    assert_non_null(text);
    assert_string_equal(text->key, "a");
    assert_string_equal(text->value, "1");
    assert_false(text_table_is_dirty(&t));
    assert_null(text_table_take_dirty(&t));
    text_table_done(&t);
}

static void same_value_is_no_news(void **state)
{
    struct text_table t = {0};

    (void) state;
    text_table_load(&t, "a", "1");
    assert_false(text_table_put(&t, "a", "1"));
    assert_false(text_table_put(&t, "b", NULL));
    assert_false(text_table_is_dirty(&t));
    assert_true(text_table_put(&t, "a", NULL));
    assert_null(text_table_get(&t, "a"));
    assert_null(text_table_take_dirty(&t)->value);
    text_table_done(&t);
}

static void marked_text_is_dirty_again(void **state)
{
    struct text_table t = {0};

    (void) state;
    assert_true(text_table_put(&t, "a", "1"));
    assert_non_null(text_table_take_dirty(&t));
    text_table_mark(&t, "a");
    assert_string_equal(text_table_take_dirty(&t)->value, "1");
    text_table_done(&t);
}

static void bounds_are_kept(void **state)
{
    struct text_table t = {0};
    static char big[TEXT_VALUE_MAX + 2];
    char key[TEXT_KEY_MAX + 2];

    (void) state;
    memset(big, 'x', sizeof big - 1);
    assert_false(text_table_put(&t, "a", big));
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    assert_false(text_table_put(&t, key, "1"));
    for (int i = 0; i < TEXT_TABLE_MAX; i++) {
        (void) snprintf(key, sizeof key, "%d", i);
        assert_true(text_table_put(&t, key, "1"));
    }
    assert_false(text_table_put(&t, "more", "1"));
    assert_true(text_table_put(&t, "0", "2"));
    text_table_done(&t);
}

static void names_that_come_and_go_do_not_fill_the_table(void **state)
{
    struct text_table t = {0};
    char key[32];

    (void) state;
    for (int i = 0; i < 3 * TEXT_TABLE_MAX; i++) {
        (void) snprintf(key, sizeof key, "%d", i);
        assert_true(text_table_put(&t, key, "1"));
        while (text_table_take_dirty(&t))
            ;
        assert_true(text_table_put(&t, key, NULL));
        if (i == TEXT_TABLE_MAX - 1) /* the file does not know yet that they went */
            assert_true(text_table_is_dirty(&t));
        while (text_table_take_dirty(&t))
            ;
    }
    assert_int_equal(t.count, TEXT_TABLE_MAX);
    text_table_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(text_is_read_back_at_once_and_is_dirty_until_taken),
            cmocka_unit_test(same_value_is_no_news),
            cmocka_unit_test(marked_text_is_dirty_again),
            cmocka_unit_test(bounds_are_kept),
            cmocka_unit_test(names_that_come_and_go_do_not_fill_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
