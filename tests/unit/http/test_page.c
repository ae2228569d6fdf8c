#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/page.h"
#include "http/page_files.h"

/* A dashboard of two files stands here instead of the real one. */
static const char html[] = "<!doctype html>", html_gzip[] = "H", script[] = "go()",
                  script_gzip[] = "S";

const struct page_file page_files[] = {
        {"/", "text/html", "aa", false, html, html + sizeof html - 1, html_gzip, html_gzip + 1},
        {"/assets/go-1.js", "text/javascript", "bb", true, script, script + sizeof script - 1,
         script_gzip, script_gzip + 1},
        {0},
};

static const char *header(const struct answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->headers_count; i++) {
        if (strcmp(answer->headers[i].name, name) == 0)
            return answer->headers[i].value;
    }
    return NULL;
}

static void a_file_is_found_by_its_path_whatever_the_query(void **state)
{
    struct answer answer;

    (void) state;
    assert_true(page_answer("/?a=b", NULL, false, &answer));
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, "text/html");
    assert_int_equal(answer.body_size, sizeof html - 1);
    assert_ptr_equal(answer.body, html);
    assert_null(header(&answer, "Content-Encoding"));
    answer_done(&answer);
}

static void who_accepts_gzip_gets_gzip(void **state)
{
    struct answer answer;

    (void) state;
    assert_true(page_answer("/assets/go-1.js", NULL, true, &answer));
    assert_ptr_equal(answer.body, script_gzip);
    assert_int_equal(answer.body_size, 1);
    assert_string_equal(header(&answer, "Content-Encoding"), "gzip");
    assert_string_equal(header(&answer, "Vary"), "Accept-Encoding");
    answer_done(&answer);
}

static void only_names_with_a_hash_are_kept_for_ever(void **state)
{
    struct answer answer;

    (void) state;
    assert_true(page_answer("/assets/go-1.js", NULL, false, &answer));
    assert_non_null(strstr(header(&answer, "Cache-Control"), "immutable"));
    answer_done(&answer);
    assert_true(page_answer("/", NULL, false, &answer));
    assert_null(header(&answer, "Cache-Control"));
    answer_done(&answer);
}

static void who_has_it_is_not_sent_it_again_and_each_form_has_its_tag(void **state)
{
    struct answer answer;

    (void) state;
    assert_true(page_answer("/", "\"aa\"", false, &answer));
    assert_int_equal(answer.status, 304);
    assert_null(answer.body);
    answer_done(&answer);
    assert_true(page_answer("/", "\"aa\"", true, &answer));
    assert_int_equal(answer.status, 200);
    assert_string_equal(header(&answer, "ETag"), "\"aa-gzip\"");
    answer_done(&answer);
}

static void what_is_no_row_is_no_file_however_it_is_written(void **state)
{
    static const char *const targets[] = {
            "",
            "//",
            "/.",
            "/index.html",
            "/../",
            "/assets",
            "/assets/",
            "/assets/go-1.js/",
            "/assets/go-1.j",
            "/assets/../assets/go-1.js",
            "/assets/%67o-1.js",
            "/assets/..%2f..%2fetc/passwd",
            "/../../etc/passwd",
            "assets/go-1.js",
            "/#/devices",
    };
    struct answer answer;

    (void) state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        assert_false(page_answer(targets[i], NULL, false, &answer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_file_is_found_by_its_path_whatever_the_query),
            cmocka_unit_test(who_accepts_gzip_gets_gzip),
            cmocka_unit_test(only_names_with_a_hash_are_kept_for_ever),
            cmocka_unit_test(who_has_it_is_not_sent_it_again_and_each_form_has_its_tag),
            cmocka_unit_test(what_is_no_row_is_no_file_however_it_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
