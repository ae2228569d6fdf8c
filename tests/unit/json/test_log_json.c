#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "json/log_json.h"

#define WALL ((int64_t) 1795255200 * 1000000)

static struct log_line line_of(enum log_level level, const char *message)
{
    struct log_line line = {.sequence = 1, .time = WALL, .level = level};

    (void) snprintf(line.message, sizeof line.message, "%s", message);
    return line;
}

static char *write_line(const struct log_line *line)
{
    struct writer w = {0};

    log_json_write(&w, NULL, line);
    return buffer_take_text(&w.text);
}

static void line_is_told_with_module_and_fields_apart(void **state)
{
    struct log_line line = line_of(LOG_LEVEL_WARNING, "proxy.failed name=hall cause=timeout, "
                                                      "detail=\"no answer\" retrying in 4 s");
    char *text AUTO_FREE = write_line(&line);

    (void) state;
    assert_string_equal(text, "{\"time\":\"2026-11-21T10:00:00.000Z\",\"level\":\"warning\","
                              "\"module\":\"proxy\",\"message\":\"proxy.failed name=hall "
                              "cause=timeout, detail=\\\"no answer\\\" retrying in 4 s\","
                              "\"fields\":{\"name\":\"hall\",\"cause\":\"timeout\","
                              "\"detail\":\"no answer\"}}");
}

static void line_without_fields_has_an_empty_object(void **state)
{
    struct log_line line = line_of(LOG_LEVEL_INFO, "stop");
    char *text AUTO_FREE = write_line(&line);

    (void) state;
    assert_non_null(strstr(text, "\"module\":\"stop\",\"message\":\"stop\",\"fields\":{}}"));
}

static void value_that_ends_the_longest_line_is_whole(void **state)
{
    struct log_line line = line_of(LOG_LEVEL_DEBUG, "http.library says=");
    size_t length = strlen(line.message);
    struct log_json_view view;

    (void) state;
    memset(line.message + length, 'x', sizeof line.message - 1 - length);
    line.message[sizeof line.message - 1] = '\0';
    log_json_view(&line, &view);
    assert_int_equal(view.line.fields_count, 1);
    assert_string_equal(view.fields[0].name, "says");
    assert_int_equal(strlen(view.fields[0].value), sizeof line.message - 1 - length);
}

static void empty_values_and_neighbours_stay_apart(void **state)
{
    struct log_line line = line_of(LOG_LEVEL_INFO, "a.b x= y=\"\" z=1");
    struct log_json_view view;

    (void) state;
    log_json_view(&line, &view);
    assert_int_equal(view.line.fields_count, 3);
    assert_string_equal(view.fields[0].value, "");
    assert_string_equal(view.fields[1].name, "y");
    assert_string_equal(view.fields[1].value, "");
    assert_string_equal(view.fields[2].value, "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(line_is_told_with_module_and_fields_apart),
            cmocka_unit_test(line_without_fields_has_an_empty_object),
            cmocka_unit_test(value_that_ends_the_longest_line_is_whole),
            cmocka_unit_test(empty_values_and_neighbours_stay_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
