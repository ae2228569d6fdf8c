#include <fcntl.h>
#include <pthread.h>
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

static void what_is_not_utf_8_is_replaced(void **state)
{
    char line[4096];

    (void) state;
    capture(line, sizeof line, LOG_LEVEL_ERROR, "a\xff\xc3");
    assert_non_null(strstr(line, "name=\"a\xef\xbf\xbd\xef\xbf\xbd\"\n"));
}

static void a_room_may_be_louder_than_the_others(void **state)
{
    struct log_levels levels;
    char line[4096];

    (void) state;
    assert_true(log_levels_parse("warning,proxy=debug", LOG_LEVEL_INFO, &levels));
    log_configure_levels(&levels, LOG_FORMAT_TEXT);
    capture(line, sizeof line, LOG_LEVEL_DEBUG, "x");
    assert_non_null(strstr(line, "debug   proxy.test name=\"x\""));
    assert_true(log_levels_parse("debug,proxy=warning", LOG_LEVEL_INFO, &levels));
    log_configure_levels(&levels, LOG_FORMAT_TEXT);
    capture(line, sizeof line, LOG_LEVEL_INFO, "x");
    assert_string_equal(line, "");
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

/* ---- the ring ---- */

static void log_lines(enum log_level level, int first, int last)
{
    char line[4096], number[16];

    for (int i = first; i <= last; i++) {
        (void) snprintf(number, sizeof number, "%d", i);
        capture(line, sizeof line, level, number);
    }
}

static void lines_are_read_newest_first(void **state)
{
    struct log_line line;
    uint64_t before = UINT64_MAX, newest;
    int64_t now = clock_wall();

    (void) state;
    log_ring_configure(100);
    assert_int_equal(log_ring_sequence(), 0);
    assert_false(log_ring_read(UINT64_MAX, &line));
    log_lines(LOG_LEVEL_INFO, 1, 3);
    newest = log_ring_sequence();
    for (int i = 3; i >= 1; i--) {
        char wanted[64];

        (void) snprintf(wanted, sizeof wanted, "proxy.test name=\"%d\"", i);
        assert_true(log_ring_read(before, &line));
        assert_string_equal(line.message, wanted);
        assert_int_equal(line.level, LOG_LEVEL_INFO);
        assert_true(line.time >= now);
        before = line.sequence;
    }
    assert_int_equal(newest - before, 2);
    assert_false(log_ring_read(before, &line));
    assert_false(log_ring_read(0, &line));
}

static void only_as_many_lines_are_shown_as_were_asked_for(void **state)
{
    struct log_line line;
    uint64_t before = UINT64_MAX;
    int count = 0;

    (void) state;
    log_ring_configure(5);
    log_lines(LOG_LEVEL_INFO, 1, 30);
    for (; log_ring_read(before, &line); count++)
        before = line.sequence;
    assert_int_equal(count, 5);
    log_ring_configure(0);
    log_lines(LOG_LEVEL_INFO, 1, 3);
    assert_false(log_ring_read(UINT64_MAX, &line));
}

static void a_follower_gets_each_line_once_and_sees_what_it_missed(void **state)
{
    struct log_line line;
    uint64_t seen = 0;

    (void) state;
    log_ring_configure(0); /* the backlog is there nevertheless */
    assert_false(log_ring_next(seen, &line));
    log_lines(LOG_LEVEL_INFO, 1, 2);
    assert_true(log_ring_next(seen, &line));
    seen = line.sequence;
    assert_non_null(strstr(line.message, "\"1\""));
    assert_true(log_ring_next(seen, &line));
    assert_int_equal(line.sequence, seen + 1);
    seen = line.sequence;
    assert_false(log_ring_next(seen, &line));
    log_lines(LOG_LEVEL_INFO, 1, LOG_BACKLOG + 10);
    assert_true(log_ring_next(seen, &line));
    assert_int_equal(line.sequence, seen + 11);
}

static void count_call(void *user)
{
    (*(int *) user)++;
}

static void warnings_and_worse_wake_who_follows(void **state)
{
    int calls = 0;

    (void) state;
    log_ring_configure(10);
    log_on_warning(count_call, &calls);
    log_lines(LOG_LEVEL_INFO, 1, 1);
    assert_int_equal(calls, 0);
    log_lines(LOG_LEVEL_WARNING, 1, 1);
    log_lines(LOG_LEVEL_ERROR, 1, 1);
    assert_int_equal(calls, 2);
    log_on_warning(NULL, NULL);
    log_lines(LOG_LEVEL_ERROR, 1, 1);
    assert_int_equal(calls, 2);
}

#define THREADS          4
#define LINES_PER_THREAD 200

static void *log_much(void *user)
{
    for (int i = 0; i < LINES_PER_THREAD; i++)
        log_warning("thread.line", "thread=%d line=%d", *(int *) user, i);
    return NULL;
}

static void threads_may_log_while_the_ring_is_read(void **state)
{
    int ends[2], saved = dup(STDERR_FILENO), numbers[THREADS], calls = 0;
    pthread_t threads[THREADS];
    struct log_line line;
    uint64_t seen = 0;
    int last[THREADS];
    unsigned got = 0, disorders = 0;

    (void) state;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0); /* what does not fit is lost */
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    log_ring_configure(THREADS * LINES_PER_THREAD);
    log_on_warning(count_call, &calls);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        last[i] = -1;
        assert_int_equal(pthread_create(&threads[i], NULL, log_much, &numbers[i]), 0);
    }
    while (got < THREADS * LINES_PER_THREAD) { /* while they are at it */
        int thread = 0, number = -1;

        if (!log_ring_next(seen, &line))
            continue;
        (void) sscanf(line.message, "thread.line thread=%d line=%d", &thread, &number);
        disorders += number != last[thread] + 1;
        last[thread] = number;
        seen = line.sequence;
        got++;
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    log_on_warning(NULL, NULL);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(disorders, 0);
    assert_false(log_ring_next(seen, &line));
    assert_int_equal(calls, THREADS * LINES_PER_THREAD);
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
            cmocka_unit_test(what_is_not_utf_8_is_replaced),
            cmocka_unit_test(a_room_may_be_louder_than_the_others),
            cmocka_unit_test(lines_are_read_newest_first),
            cmocka_unit_test(only_as_many_lines_are_shown_as_were_asked_for),
            cmocka_unit_test(a_follower_gets_each_line_once_and_sees_what_it_missed),
            cmocka_unit_test(warnings_and_worse_wake_who_follows),
            cmocka_unit_test(threads_may_log_while_the_ring_is_read),
            cmocka_unit_test(a_limit_lets_a_burst_through_and_tells_what_it_held_back),
            cmocka_unit_test(times_are_rfc_3339_with_milliseconds),
            cmocka_unit_test(every_cause_has_a_token_and_a_sentence),
    };

    return cmocka_run_group_tests_name("base.log", tests, NULL, NULL);
}
