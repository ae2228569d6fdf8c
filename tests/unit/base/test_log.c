#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

/* What log_write puts on stderr, into line. */
static void capture(char *ret_line, size_t size, enum log_level level, const char *message)
{
    int ends[2], saved = dup(STDERR_FILENO);
    ssize_t n;

    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    log_write(level, "proxy.test", "name=\"%s\"", message);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(ends[1]);
    n = read(ends[0], ret_line, size - 1);
    close(ends[0]);
    ret_line[n > 0 ? n : 0] = '\0';
}

static void a_peer_cannot_forge_a_second_line(void **state)
{
    char line[4096];

    (void) state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    capture(line, sizeof line, LOG_LEVEL_WARNING, "x\n2026 error proxy.fake\x1b[31m");
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_null(strchr(line, '\x1b'));
    assert_non_null(strstr(line, "warning proxy.test name=\"x?2026"));
}

static void what_is_below_the_level_is_not_written(void **state)
{
    char line[4096];

    (void) state;
    log_configure(LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
    capture(line, sizeof line, LOG_LEVEL_INFO, "x");
    assert_string_equal(line, "");
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

static void a_json_line_is_one_object_with_its_module(void **state)
{
    char line[4096];

    (void) state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture(line, sizeof line, LOG_LEVEL_ERROR, "a\\b");
    assert_non_null(
            strstr(line, "\"level\":\"error\",\"module\":\"proxy\",\"event\":\"proxy.test\""));
    assert_non_null(strstr(line, "\"message\":\"name=\\\"a\\\\b\\\"\"}\n"));
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

static void a_flood_in_json_stays_one_whole_object(void **state)
{
    char message[3000], line[8192];

    (void) state;
    memset(message, '"', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    capture(line, sizeof line, LOG_LEVEL_ERROR, message);
    assert_true(strlen(line) > 3 && strcmp(line + strlen(line) - 3, "\"}\n") == 0);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

static void a_limit_lets_a_burst_through_and_tells_what_it_held_back(void **state)
{
    struct log_limit limit = {.burst = 2, .window = 60 * USEC_PER_SEC};
    usec_t now = USEC_PER_SEC;
    unsigned held = 9;

    (void) state;
    assert_true(log_allowed(&limit, now, &held));
    assert_true(log_allowed(&limit, now, &held));
    for (int i = 0; i < 5; i++)
        assert_false(log_allowed(&limit, now + 59 * USEC_PER_SEC, &held));
    assert_int_equal(held, 0);
    assert_true(log_allowed(&limit, now + 60 * USEC_PER_SEC, &held));
    assert_int_equal(held, 5);
}

static void times_are_rfc_3339_with_milliseconds(void **state)
{
    char text[CLOCK_TEXT_SIZE];

    (void) state;
    clock_format(text, INT64_C(1795255512250999));
    assert_string_equal(text, "2026-11-21T10:05:12.250Z");
    clock_format(text, 0);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_format(text, clock_to_wall(5 * USEC_PER_SEC, 7 * USEC_PER_SEC, 2000000));
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
}

static void every_cause_has_a_token_and_a_sentence(void **state)
{
    (void) state;
    assert_string_equal(error_token(E_WRONG_KEY), "wrong_key");
    assert_string_equal(error_token(E_RESOLVE_FAILED), "resolve_failed");
    assert_string_equal(error_sentence(E_PROXY_NOT_FOUND), "no proxy of that name");
    assert_string_equal(error_token(-111), "ECONNREFUSED");
    assert_string_equal(error_token(-99999), "unknown");
    assert_string_equal(error_sentence(-99999), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_peer_cannot_forge_a_second_line),
            cmocka_unit_test(what_is_below_the_level_is_not_written),
            cmocka_unit_test(a_json_line_is_one_object_with_its_module),
            cmocka_unit_test(a_flood_in_json_stays_one_whole_object),
            cmocka_unit_test(a_limit_lets_a_burst_through_and_tells_what_it_held_back),
            cmocka_unit_test(times_are_rfc_3339_with_milliseconds),
            cmocka_unit_test(every_cause_has_a_token_and_a_sentence),
    };

    return cmocka_run_group_tests_name("base.log", tests, NULL, NULL);
}
