#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rest/cursor.h"
#include "rest/percent.h"

static void cursor_comes_back_as_it_was(void **state)
{
    uint8_t data[CURSOR_SIZE_MAX], back[CURSOR_SIZE_MAX];

    (void) state;
    srand(20261121);
    for (size_t size = 0; size <= CURSOR_SIZE_MAX; size++) {
        char *text AUTO_FREE = NULL;
        size_t back_size;

        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t) rand();
        text = cursor_encode(data, size);
        assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_"),
                         strlen(text));
        assert_true(cursor_decode(back, text, &back_size));
        assert_int_equal(back_size, size);
        assert_memory_equal(back, data, size);
    }
}

static void number_comes_back_from_its_cursor_alone(void **state)
{
    static const uint64_t numbers[] = {0, 1, UINT64_MAX - 1, UINT64_MAX};
    uint64_t back;

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        char *text AUTO_FREE = cursor_encode_number(numbers[i]);

        assert_true(cursor_decode_number(text, &back));
        assert_true(back == numbers[i]);
    }
    assert_false(cursor_decode_number("AAAA", &back));
    assert_false(cursor_decode_number("?", &back));
}

static void cursor_that_is_none_is_refused(void **state)
{
    static const char *const wrong[] = {"A", "AB+/", "AA==", "AB", "\xc3\xbc"};
    uint8_t back[CURSOR_SIZE_MAX];
    size_t size;

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_false(cursor_decode(back, wrong[i], &size));
}

static void cursor_that_is_too_long_is_refused(void **state)
{
    char *text AUTO_FREE = memory_zalloc(2 * CURSOR_SIZE_MAX + 1, 1);
    uint8_t back[CURSOR_SIZE_MAX];
    size_t size;

    (void) state;
    memset(text, 'A', 2 * CURSOR_SIZE_MAX);
    assert_false(cursor_decode(back, text, &size));
}

static void assert_decodes(const char *text, bool plus_is_space, const char *expected)
{
    char *decoded AUTO_FREE = percent_decode(text, strlen(text), plus_is_space);

    if (expected)
        assert_string_equal(decoded, expected);
    else
        assert_null(decoded);
}

static void percent_escapes_are_decoded(void **state)
{
    (void) state;
    assert_decodes("a%20b+c", true, "a b c");
    assert_decodes("a%20b+c", false, "a b+c");
    assert_decodes("K%C3%BCche%2f", false,
                   "K\xc3\xbc"
                   "che/");
    assert_decodes("", false, "");
}

static void percent_escapes_that_are_broken_are_refused(void **state)
{
    (void) state;
    assert_decodes("%", false, NULL);
    assert_decodes("a%2", false, NULL);
    assert_decodes("%zz", false, NULL);
    assert_decodes("%00", false, NULL);
    assert_decodes("%ff", false, NULL);
    assert_decodes("\xc3", false, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(cursor_comes_back_as_it_was),
            cmocka_unit_test(number_comes_back_from_its_cursor_alone),
            cmocka_unit_test(cursor_that_is_none_is_refused),
            cmocka_unit_test(cursor_that_is_too_long_is_refused),
            cmocka_unit_test(percent_escapes_are_decoded),
            cmocka_unit_test(percent_escapes_that_are_broken_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
