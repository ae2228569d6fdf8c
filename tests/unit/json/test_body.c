#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "json/body.h"

static void collect(void *user, const char *pointer)
{
    buffer_append_text(user, pointer);
    buffer_append_char(user, ' ');
}

static int read_empty(const char *body, const char *expected_pointers)
{
    char detail[BODY_DETAIL_SIZE];
    struct buffer pointers = {0};
    int result = body_read_empty(body, strlen(body), collect, &pointers, detail);
    char *text AUTO_FREE = buffer_take_text(&pointers);

    assert_string_equal(text, expected_pointers);
    return result;
}

static void body_may_be_nothing_or_an_empty_object(void **state)
{
    (void) state;
    assert_int_equal(read_empty("", ""), 0);
    assert_int_equal(read_empty(" {} ", ""), 0);
}

static void body_with_fields_names_each_of_them(void **state)
{
    (void) state;
    assert_int_equal(read_empty("{\"force\":true,\"a/b~c\":1}", "/force /a~1b~0c "),
                     E_INVALID_REQUEST);
    assert_int_equal(read_empty("[]", " "), E_INVALID_REQUEST);
    assert_int_equal(read_empty("null", " "), E_INVALID_REQUEST);
}

static void body_that_is_not_json_is_told_with_its_place(void **state)
{
    char detail[BODY_DETAIL_SIZE];

    (void) state;
    assert_int_equal(body_read_empty("{\"a\":", 5, collect, NULL, detail), -EBADMSG);
    assert_non_null(strstr(detail, "line 1"));
    assert_int_equal(read_empty("{}{}", ""), -EBADMSG);
    assert_int_equal(read_empty("{\"a\":1,\"a\":2}", ""), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(body_may_be_nothing_or_an_empty_object),
            cmocka_unit_test(body_with_fields_names_each_of_them),
            cmocka_unit_test(body_that_is_not_json_is_told_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
