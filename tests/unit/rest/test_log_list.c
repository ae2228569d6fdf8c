/* GET /logs over the ring of the log. */
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "fake_gateway.h"
#include "rest/rest.h"

#define RING 300

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    int stderr_copy; /* lines go nowhere meanwhile */
    json_t *json;    /* of the last answer */
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    f->config = fake_config("{}");
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    f->stderr_copy = dup(STDERR_FILENO);
    (void) dup2(nowhere, STDERR_FILENO);
    (void) close(nowhere);
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    log_ring_configure(RING);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    (void) dup2(f->stderr_copy, STDERR_FILENO);
    (void) close(f->stderr_copy);
    json_decref(f->json);
    rest_free(f->rest);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static int call(struct fixture *f, const char *target)
{
    struct rest_request request = {.method = "GET", .target = target, .role = REST_ROLE_READ};
    int status;

    assert_int_equal(rest_submit(f->rest, &request), REST_ANSWERED);
    status = request.answer.status;
    json_decref(f->json);
    f->json = json_loadb(request.answer.body, request.answer.body_size, 0, NULL);
    answer_done(&request.answer);
    return status;
}

static size_t count_items(const struct fixture *f)
{
    return json_array_size(json_object_get(f->json, "items"));
}

static const char *text_of(const struct fixture *f, size_t index, const char *key)
{
    return json_string_value(
            json_object_get(json_array_get(json_object_get(f->json, "items"), index), key));
}

static const char *next_of(const struct fixture *f)
{
    return json_string_value(json_object_get(f->json, "next"));
}

static void newest_line_comes_first(void **state)
{
    struct fixture *f = *state;

    log_warning("proxy.failed", "name=%s cause=%s", "hall", "timeout");
    log_info("ready", "http=%s", "127.0.0.1:8080");
    assert_int_equal(call(f, "/api/v1/logs"), 200);
    assert_int_equal(count_items(f), 2);
    assert_string_equal(text_of(f, 0, "message"), "ready http=127.0.0.1:8080");
    assert_string_equal(text_of(f, 0, "level"), "info");
    assert_string_equal(text_of(f, 1, "module"), "proxy");
    assert_string_equal(
            json_string_value(json_object_get(
                    json_object_get(json_array_get(json_object_get(f->json, "items"), 1), "fields"),
                    "cause")),
            "timeout");
    assert_null(next_of(f));
}

static void level_means_this_and_worse_and_info_when_not_said(void **state)
{
    struct fixture *f = *state;

    log_error("a", "%d", 1);
    log_warning("b", "%d", 2);
    log_info("c", "%d", 3);
    log_debug("d", "%d", 4);
    assert_int_equal(call(f, "/api/v1/logs"), 200);
    assert_int_equal(count_items(f), 3);
    assert_int_equal(call(f, "/api/v1/logs?level=debug"), 200);
    assert_int_equal(count_items(f), 4);
    assert_int_equal(call(f, "/api/v1/logs?level=warning"), 200);
    assert_int_equal(count_items(f), 2);
    assert_int_equal(call(f, "/api/v1/logs?level=error"), 200);
    assert_int_equal(count_items(f), 1);
    assert_string_equal(text_of(f, 0, "module"), "a");
    assert_int_equal(call(f, "/api/v1/logs?level=fatal"), 422);
}

static void module_chooses_the_lines_of_one_room(void **state)
{
    struct fixture *f = *state;

    log_info("proxy.online", "name=a");
    log_info("proxyless", "name=b");
    log_info("http.bound", "name=c");
    assert_int_equal(call(f, "/api/v1/logs?module=proxy"), 200);
    assert_int_equal(count_items(f), 1);
    assert_string_equal(text_of(f, 0, "message"), "proxy.online name=a");
    assert_int_equal(call(f, "/api/v1/logs?module=prox"), 200);
    assert_int_equal(count_items(f), 0);
}

static void pages_follow_each_other_while_lines_come(void **state)
{
    struct fixture *f = *state;
    char target[128] = "/api/v1/logs?limit=7";
    int expected = 49;

    for (int i = 0; i < 50; i++)
        log_info("count", "n=%d", i);
    for (;;) {
        char message[32];

        assert_int_equal(call(f, target), 200);
        assert_true(count_items(f) <= 7);
        for (size_t i = 0; i < count_items(f); i++) {
            (void) snprintf(message, sizeof message, "count n=%d", expected--);
            assert_string_equal(text_of(f, i, "message"), message);
        }
        if (!next_of(f))
            break;
        (void) snprintf(target, sizeof target, "/api/v1/logs?limit=7&cursor=%s", next_of(f));
        log_info("meanwhile", "%s", "");
    }
    assert_int_equal(expected, -1);
}

static void last_page_that_is_full_has_no_next(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 4; i++)
        log_info("count", "n=%d", i);
    log_debug("quiet", "%s", "");
    assert_int_equal(call(f, "/api/v1/logs?limit=4"), 200);
    assert_int_equal(count_items(f), 4);
    assert_null(next_of(f));
}

static void cursor_of_another_list_cannot_be_read(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(call(f, "/api/v1/logs?cursor=nonsense"), 400);
    assert_int_equal(call(f, "/api/v1/logs?cursor=a2l0Y2hlbg"), 400);
    assert_int_equal(call(f, "/api/v1/logs?limit=1001"), 422);
    assert_int_equal(call(f, "/api/v1/logs?verbose=1"), 422);
}

static void ring_without_lines_gives_an_empty_list(void **state)
{
    struct fixture *f = *state;

    log_ring_configure(0);
    log_info("lost", "%s", "");
    assert_int_equal(call(f, "/api/v1/logs"), 200);
    assert_int_equal(count_items(f), 0);
    assert_null(next_of(f));
}

static void oldest_lines_go_when_the_ring_is_full(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < RING + 20; i++)
        log_info("count", "n=%d", i);
    assert_int_equal(call(f, "/api/v1/logs?limit=1000"), 200);
    assert_int_equal(count_items(f), RING);
    assert_string_equal(text_of(f, RING - 1, "message"), "count n=20");
}

static void control_characters_of_peers_do_not_break_the_answer(void **state)
{
    struct fixture *f = *state;

    log_warning("proxy.failed", "name=%s detail=\"%s\"", "h\"all\\", "\x01\n\xff\xc3");
    assert_int_equal(call(f, "/api/v1/logs"), 200);
    assert_non_null(f->json);
    assert_int_equal(count_items(f), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(newest_line_comes_first, setup, teardown),
            cmocka_unit_test_setup_teardown(level_means_this_and_worse_and_info_when_not_said,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(module_chooses_the_lines_of_one_room, setup, teardown),
            cmocka_unit_test_setup_teardown(pages_follow_each_other_while_lines_come, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(last_page_that_is_full_has_no_next, setup, teardown),
            cmocka_unit_test_setup_teardown(cursor_of_another_list_cannot_be_read, setup, teardown),
            cmocka_unit_test_setup_teardown(ring_without_lines_gives_an_empty_list, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(oldest_lines_go_when_the_ring_is_full, setup, teardown),
            cmocka_unit_test_setup_teardown(control_characters_of_peers_do_not_break_the_answer,
                                            setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
