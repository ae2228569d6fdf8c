#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "accounts/token_lines.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static struct token_lines lines;
static char fault[TOKEN_LINES_FAULT];

static bool read(const char *text)
{
    return token_lines_read(text, strlen(text), &lines, fault);
}

static void a_bare_secret_is_an_admin_with_the_name_env(void **state)
{
    uint8_t hash[SECRET_HASH_SIZE];

    (void) state;
    assert_true(read(SECRET "\n"));
    assert_int_equal(lines.count, 1);
    assert_string_equal(lines.items[0].name, "env");
    assert_int_equal(lines.items[0].role, ACCOUNT_ADMIN);
    assert_true(lines.items[0].is_environment);
    secret_hash(SECRET, hash);
    assert_memory_equal(lines.items[0].hash, hash, sizeof hash);
}

static void lines_have_name_role_and_secret(void **state)
{
    (void) state;
    assert_true(read("\r\n  ops admin " SECRET "1 \r\n\nha\tcontrol\t" SECRET "2"));
    assert_int_equal(lines.count, 2);
    assert_string_equal(lines.items[0].name, "ops");
    assert_string_equal(lines.items[1].name, "ha");
    assert_int_equal(lines.items[1].role, ACCOUNT_CONTROL);
}

static void what_is_wrong_is_told_with_its_line_and_without_the_secret(void **state)
{
    static const struct {
        const char *text, *fault;
    } cases[] = {
            {"", "there is no token in it"},
            {"\n\n", "there is no token in it"},
            {"ops admin " SECRET "\nshort", "line 2: a secret has 32 characters at least"},
            {"ops admin", "line 1: not NAME ROLE SECRET, nor one bare secret"},
            {"ops admin " SECRET " more", "line 1: not NAME ROLE SECRET, nor one bare secret"},
            {"ops none " SECRET, "line 1: the role is not read, control or admin"},
            {"o/ps read " SECRET, "line 1: the name is not valid"},
            {"import read " SECRET, "line 1: the name is not valid"},
            {"ops read " SECRET "\nops read " SECRET "2", "line 2: the name is there twice"},
            {"ops read " SECRET "\nhas read " SECRET, "line 2: the secret is there twice"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(read(cases[i].text));
        assert_string_equal(fault, cases[i].fault);
        assert_null(strstr(fault, SECRET));
    }
}

static void a_zero_octet_and_a_line_without_end_are_refused(void **state)
{
    static char text[1000];

    (void) state;
    assert_false(token_lines_read("a\0b", 3, &lines, fault));
    assert_string_equal(fault, "line 1: a zero octet");
    memset(text, 'x', sizeof text);
    assert_false(token_lines_read(text, sizeof text, &lines, fault));
    assert_string_equal(fault, "line 1: the line is too long");
    assert_false(token_lines_read(text, SECRET_LENGTH_MAX + 1, &lines, fault));
    assert_string_equal(fault, "line 1: the secret is too long");
    assert_true(token_lines_read(text, SECRET_LENGTH_MAX, &lines, fault));
}

static void there_is_a_bound_of_tokens(void **state)
{
    char text[(TOKEN_LINES_MAX + 1) * 80] = "";
    size_t length = 0;

    (void) state;
    for (int i = 0; i <= TOKEN_LINES_MAX; i++)
        length += (size_t) snprintf(text + length, sizeof text - length, "t%d read " SECRET "%d\n",
                                    i, i);
    assert_false(read(text));
    assert_string_equal(fault, "line 65: too many tokens");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_bare_secret_is_an_admin_with_the_name_env),
            cmocka_unit_test(lines_have_name_role_and_secret),
            cmocka_unit_test(what_is_wrong_is_told_with_its_line_and_without_the_secret),
            cmocka_unit_test(a_zero_octet_and_a_line_without_end_are_refused),
            cmocka_unit_test(there_is_a_bound_of_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
