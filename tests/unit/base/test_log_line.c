#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log_line.h"

/* The fields of a message as "key:value|key:value". */
static const char *fields_of(const char *message)
{
    static char text[2000];
    struct log_line line;
    struct log_field fields[LOG_FIELDS_MAX];
    size_t count, at = 0;

    (void) snprintf(line.message, sizeof line.message, "%s", message);
    count = log_line_fields(&line, fields, LOG_FIELDS_MAX);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        at += (size_t) snprintf(text + at, sizeof text - at, "%s%.*s:%.*s", i ? "|" : "",
                                (int) fields[i].key_length, fields[i].key,
                                (int) fields[i].value_length, fields[i].value);
    return text;
}

static void assert_module(const char *message, const char *wanted)
{
    struct log_line line;
    char module[LOG_MODULE_SIZE];

    (void) snprintf(line.message, sizeof line.message, "%s", message);
    log_line_module(&line, module);
    assert_string_equal(module, wanted);
}

static void the_module_is_the_begin_of_the_event(void **state)
{
    (void) state;
    assert_module("proxy.failed name=a.b", "proxy");
    assert_module("ready http=127.0.0.1:8080", "ready");
    assert_module("stop", "stop");
    assert_module("a_very_long_name_of_a_room.x", "a_very_long_nam");
}

static void fields_are_the_words_with_a_sign_of_equality(void **state)
{
    (void) state;
    assert_string_equal(fields_of("proxy.failed name=hall cause=timeout tries=3"),
                        "name:hall|cause:timeout|tries:3");
    assert_string_equal(fields_of("proxy.send_failed name=hall cause=closed, ignoring"),
                        "name:hall|cause:closed");
    assert_string_equal(fields_of("config.without_effect keys=a,b belong to parts"), "keys:a,b");
    assert_string_equal(fields_of("ready http=127.0.0.1:8080 esphome=-"),
                        "http:127.0.0.1:8080|esphome:-");
    assert_string_equal(fields_of("x.y url=http://h/?q=1 z="), "url:http://h/?q=1|z:");
    assert_string_equal(fields_of("x.y"), "");
    assert_string_equal(fields_of("x.y A=1 =2 -=3"), "");
}

static void values_in_quotes_may_have_blanks(void **state)
{
    (void) state;
    assert_string_equal(fields_of("p.f detail=\"no such host\" retrying in 4.0 s"),
                        "detail:no such host");
    assert_string_equal(fields_of("p.f detail=\"\" x=1"), "detail:|x:1");
    assert_string_equal(fields_of("p.f detail=\"a\", asking again x=1"), "detail:a|x:1");
    assert_string_equal(fields_of("p.f detail=\"12\"34\" x=1"), "detail:12\"34|x:1");
    assert_string_equal(fields_of("p.f detail=\"cut in the mid"), "detail:cut in the mid");
}

static void a_peer_cannot_replace_a_field(void **state)
{
    (void) state;
    assert_string_equal(fields_of("p.f name=hall detail=\"x\" name=kitchen\""),
                        "name:hall|detail:x");
}

static void fields_are_bounded(void **state)
{
    struct log_line line = {.message = "p.f a=1 b=2 c=3"};
    struct log_field fields[2];

    (void) state;
    assert_int_equal(log_line_fields(&line, fields, 2), 2);
    assert_int_equal(fields[1].key[0], 'b');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_module_is_the_begin_of_the_event),
            cmocka_unit_test(fields_are_the_words_with_a_sign_of_equality),
            cmocka_unit_test(values_in_quotes_may_have_blanks),
            cmocka_unit_test(a_peer_cannot_replace_a_field),
            cmocka_unit_test(fields_are_bounded),
    };

    return cmocka_run_group_tests_name("base.log_line", tests, NULL, NULL);
}
