#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "json/body.h"

static void collect(void *user, const char *pointer, const char *detail)
{
    buffer_append_format(user, "%s: %s\n", pointer, detail);
}

/* What body_read() gives; the faults must be these. */
static int read_as(const struct body_rule *rules, const char *text, const char *expected_faults,
                   struct body **ret_body)
{
    char detail[BODY_DETAIL_SIZE];
    struct buffer faults = {0};
    int result = body_read(text, strlen(text), rules, collect, &faults, ret_body, detail);
    char *told AUTO_FREE = buffer_take_text(&faults);

    assert_string_equal(told, expected_faults);
    return result;
}

static const struct body_rule rules[] = {
        {.name = "mode", .type = BODY_TEXT, .values = "passive|active", .is_required = true},
        {.name = "note", .type = BODY_TEXT, .is_nullable = true},
        {.name = "duration_s", .type = BODY_INTEGER, .low = 5, .high = 35},
        {.name = "active", .type = BODY_BOOL},
        {.name = "settings", .type = BODY_OBJECT},
        {.name = "ratio", .type = BODY_NUMBER, .low = 0.5, .high = 2},
        {.name = "names", .type = BODY_TEXTS, .is_nullable = true},
        {.name = "since", .type = BODY_TIME, .is_nullable = true},
        {.name = "address", .type = BODY_ADDRESS, .is_nullable = true},
        {.name = NULL},
};

static void body_may_be_nothing_or_an_empty_object(void **state)
{
    struct body *body;

    (void) state;
    assert_int_equal(read_as(NULL, "", "", &body), 0);
    body_free(body);
    assert_int_equal(read_as(NULL, " {} ", "", &body), 0);
    body_free(body);
}

static void body_numbers_and_lists_of_texts_are_read(void **state)
{
    struct body *body;

    (void) state;
    assert_int_equal(read_as(rules, "{\"mode\":\"active\",\"ratio\":1.25,\"names\":[\"a\",\"b\"]}",
                             "", &body),
                     0);
    assert_true(body_number(body, "ratio", 1) == 1.25);
    assert_string_equal(body_list_text(body, "names", 1), "b");
    assert_null(body_list_text(body, "names", 2));
    body_free(body);
    assert_int_equal(read_as(rules, "{\"mode\":\"active\",\"names\":null}", "", &body), 0);
    assert_true(body_number(body, "ratio", 1) == 1);
    assert_null(body_list_text(body, "names", 0));
    body_free(body);
}

static void body_times_and_addresses_are_read(void **state)
{
    struct body *body;
    uint64_t address = 0;

    (void) state;
    assert_int_equal(read_as(rules,
                             "{\"mode\":\"active\",\"since\":\"1970-01-01T00:00:02Z\","
                             "\"address\":\"A4:C1:38:12:AB:56\"}",
                             "", &body),
                     0);
    assert_true(body_time(body, "since", 7) == 2000000);
    assert_true(body_address(body, "address", &address) && address == 0xa4c13812ab56);
    body_free(body);
    assert_int_equal(
            read_as(rules, "{\"mode\":\"active\",\"since\":null,\"address\":null}", "", &body), 0);
    assert_true(body_time(body, "since", 7) == 7);
    assert_false(body_address(body, "address", &address));
    body_free(body);
    assert_int_equal(read_as(rules, "{\"mode\":\"active\",\"since\":7,\"address\":\"kitchen\"}",
                             "/since: must be a time like 2026-11-21T10:05:12.250Z\n"
                             "/address: must be a device address\n",
                             &body),
                     E_INVALID_REQUEST);
}

static void body_numbers_and_lists_that_are_none_are_faults(void **state)
{
    struct body *body;

    (void) state;
    assert_int_equal(read_as(rules, "{\"mode\":\"active\",\"ratio\":\"1\",\"names\":[]}",
                             "/ratio: must be a number\n"
                             "/names: must be a list of texts, of at least one\n",
                             &body),
                     E_INVALID_REQUEST);
    assert_int_equal(read_as(rules, "{\"mode\":\"active\",\"ratio\":0.4,\"names\":[\"a\",1]}",
                             "/ratio: must be from 0.5 to 2\n"
                             "/names: must be a list of texts, of at least one\n",
                             &body),
                     E_INVALID_REQUEST);
    assert_int_equal(read_as(rules, "{\"mode\":\"active\",\"names\":{\"a\":\"b\"}}",
                             "/names: must be a list of texts, of at least one\n", &body),
                     E_INVALID_REQUEST);
}

static void body_with_unknown_fields_names_each_of_them(void **state)
{
    struct body *body;

    (void) state;
    assert_int_equal(read_as(NULL, "{\"force\":true,\"a/b~c\":1}",
                             "/force: no such field here\n/a~1b~0c: no such field here\n", &body),
                     E_INVALID_REQUEST);
    assert_int_equal(read_as(NULL, "[]", ": must be an object\n", &body), E_INVALID_REQUEST);
    assert_int_equal(read_as(NULL, "null", ": must be an object\n", &body), E_INVALID_REQUEST);
}

static void body_with_a_thousand_unknown_fields_names_a_hundred(void **state)
{
    struct buffer text = {0}, faults = {0};
    char detail[BODY_DETAIL_SIZE];
    struct body *body;
    size_t lines = 0;

    (void) state;
    for (int i = 0; i < 1000; i++)
        buffer_append_format(&text, "%c\"x%d\":1", i > 0 ? ',' : '{', i);
    buffer_append_char(&text, '}');
    assert_int_equal(body_read(buffer_front(&text), buffer_size(&text), rules, collect, &faults,
                               &body, detail),
                     E_INVALID_REQUEST);
    for (size_t i = 0; i < buffer_size(&faults); i++)
        lines += buffer_front(&faults)[i] == '\n';
    assert_int_equal(lines, 101); /* and the one that is missing */
    buffer_done(&text);
    buffer_done(&faults);
}

static void body_that_is_not_json_is_told_with_its_place(void **state)
{
    char detail[BODY_DETAIL_SIZE];
    struct body *body;

    (void) state;
    assert_int_equal(body_read("{\"key\":hush", 11, NULL, collect, NULL, &body, detail), -EBADMSG);
    assert_non_null(strstr(detail, "line 1"));
    assert_null(strstr(detail, "hush")); /* it may be a secret */
    assert_int_equal(read_as(NULL, "{}{}", "", &body), -EBADMSG);
    assert_int_equal(read_as(NULL, "{\"a\":1,\"a\":2}", "", &body), -EBADMSG);
    assert_int_equal(read_as(rules, "{\"note\":\"a\\u0000b\"}", "", &body), -EBADMSG);
}

static void body_fields_are_read_by_their_rules(void **state)
{
    struct body *body;

    (void) state;
    assert_int_equal(read_as(rules,
                             "{\"mode\":\"active\",\"note\":null,\"duration_s\":10.0,"
                             "\"active\":true,\"settings\":{\"alias\":null}}",
                             "", &body),
                     0);
    char *settings AUTO_FREE = body_object(body, "settings");
    assert_string_equal(body_text(body, "mode"), "active");
    assert_null(body_text(body, "note"));
    assert_int_equal(body_integer(body, "duration_s", 5), 10);
    assert_true(body_bool(body, "active", false));
    assert_string_equal(settings, "{\"alias\":null}");
    body_free(body);
}

static void body_fields_that_are_absent_have_their_alternative(void **state)
{
    struct body *body;

    (void) state;
    assert_int_equal(read_as(rules, "{\"mode\":\"passive\"}", "", &body), 0);
    assert_int_equal(body_integer(body, "duration_s", 7), 7);
    assert_true(body_bool(body, "active", true));
    assert_null(body_object(body, "settings"));
    body_free(body);
}

static void body_values_that_break_a_rule_are_all_told(void **state)
{
    struct body *body;

    (void) state;
    assert_int_equal(read_as(rules,
                             "{\"mode\":\"pass\",\"note\":1,\"duration_s\":36,\"active\":null,"
                             "\"settings\":[]}",
                             "/mode: must be one of passive|active\n/note: must be a text\n"
                             "/duration_s: must be from 5 to 35\n/active: must be true or false\n"
                             "/settings: must be an object\n",
                             &body),
                     E_INVALID_REQUEST);
    assert_int_equal(read_as(rules, "{\"duration_s\":7.5}",
                             "/mode: is missing\n/duration_s: must be a whole number\n", &body),
                     E_INVALID_REQUEST);
}

static void body_octets_are_read_from_hex(void **state)
{
    static const struct body_rule of_value[] = {
            {.name = "value", .type = BODY_HEX, .is_required = true}, {.name = NULL}};
    static const char *const wrong[] = {"1", "\"0\"", "\"0g\"", "\"0x01\"", "null", "\" 1\""};
    struct body *body;
    uint8_t *octets;
    size_t size;

    (void) state;
    assert_int_equal(read_as(of_value, "{\"value\":\"01Ff\"}", "", &body), 0);
    octets = body_octets(body, "value", &size);
    assert_int_equal(size, 2);
    assert_memory_equal(octets, "\x01\xff", 2);
    free(octets);
    assert_null(body_octets(body, "other", &size));
    body_free(body);
    assert_int_equal(read_as(of_value, "{\"value\":\"\"}", "", &body), 0);
    octets = body_octets(body, "value", &size);
    assert_non_null(octets);
    assert_int_equal(size, 0);
    free(octets);
    body_free(body);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[64];

        (void) snprintf(text, sizeof text, "{\"value\":%s}", wrong[i]);
        assert_int_equal(
                read_as(of_value, text, "/value: must be octets in hex, two digits each\n", &body),
                E_INVALID_REQUEST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(body_may_be_nothing_or_an_empty_object),
            cmocka_unit_test(body_with_unknown_fields_names_each_of_them),
            cmocka_unit_test(body_with_a_thousand_unknown_fields_names_a_hundred),
            cmocka_unit_test(body_that_is_not_json_is_told_with_its_place),
            cmocka_unit_test(body_fields_are_read_by_their_rules),
            cmocka_unit_test(body_numbers_and_lists_of_texts_are_read),
            cmocka_unit_test(body_times_and_addresses_are_read),
            cmocka_unit_test(body_numbers_and_lists_that_are_none_are_faults),
            cmocka_unit_test(body_fields_that_are_absent_have_their_alternative),
            cmocka_unit_test(body_octets_are_read_from_hex),
            cmocka_unit_test(body_values_that_break_a_rule_are_all_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
