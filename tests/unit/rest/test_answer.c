#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rest/answer.h"
#include "rest/faults.h"
#include "rest/rest.h"

static json_t *parse(const struct answer *answer)
{
    json_t *parsed = json_loadb(answer->body, answer->body_size, 0, NULL);

    assert_non_null(parsed);
    return parsed;
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void problem_says_what_happened_to_machines_and_people(void **state)
{
    struct answer answer = {0};
    json_t *problem;

    (void) state;
    rest_refuse(&answer, 404, E_PROXY_NOT_FOUND, NULL);
    assert_int_equal(answer.status, 404);
    assert_string_equal(answer.content_type, "application/problem+json");
    problem = parse(&answer);
    assert_string_equal(text(problem, "type"), "/problems/proxy_not_found");
    assert_string_equal(text(problem, "title"), "Proxy not found");
    assert_int_equal(json_integer_value(json_object_get(problem, "status")), 404);
    assert_string_equal(text(problem, "detail"), "no proxy of that name");
    assert_string_equal(text(problem, "code"), "proxy_not_found");
    assert_int_equal(json_object_size(problem), 5);
    json_decref(problem);
    answer_done(&answer);
}

static void problem_of_overload_says_when_to_come_again(void **state)
{
    struct answer answer = {0};
    json_t *problem;

    (void) state;
    rest_refuse(&answer, 503, E_OVERLOADED, NULL);
    problem = parse(&answer);
    assert_int_equal(json_integer_value(json_object_get(problem, "retry_after_s")), 1);
    assert_int_equal(answer.headers_count, 1);
    assert_string_equal(answer.headers[0].name, "Retry-After");
    assert_string_equal(answer.headers[0].value, "1");
    json_decref(problem);
    answer_done(&answer);
}

static void faults_are_told_all_at_once_with_their_places(void **state)
{
    struct faults faults = {0};
    struct answer answer = {0};
    json_t *problem, *errors;

    (void) state;
    faults_add(&faults, "/a", "must be %d", 1);
    faults_add_query(&faults, "limit", "must be given once");
    faults_answer(&faults, &answer);
    problem = parse(&answer);
    errors = json_object_get(problem, "errors");
    assert_int_equal(answer.status, 422);
    assert_int_equal(json_array_size(errors), 2);
    assert_string_equal(text(json_array_get(errors, 0), "pointer"), "/a");
    assert_string_equal(text(json_array_get(errors, 0), "detail"), "must be 1");
    assert_string_equal(text(json_array_get(errors, 1), "pointer"), "?limit");
    json_decref(problem);
    answer_done(&answer);
    faults_done(&faults);
}

static void what_cannot_be_read_comes_before_what_is_not_valid(void **state)
{
    struct faults faults = {0};
    struct answer answer = {0};
    json_t *problem;

    (void) state;
    faults_add(&faults, "/a", "must be 1");
    faults_add_unreadable(&faults, "first");
    faults_add_unreadable(&faults, "second");
    faults_answer(&faults, &answer);
    problem = parse(&answer);
    assert_int_equal(answer.status, 400);
    assert_string_equal(text(problem, "detail"), "first");
    assert_null(json_object_get(problem, "errors"));
    json_decref(problem);
    answer_done(&answer);
    faults_done(&faults);
}

static void faults_of_a_hostile_request_are_bounded(void **state)
{
    struct faults faults = {0};

    (void) state;
    for (int i = 0; i < 10 * FAULTS_MAX; i++)
        faults_add(&faults, "/a", "%2000d", i);
    assert_int_equal(faults.count, FAULTS_MAX);
    assert_true(strlen(faults.items[0].detail) < 1000);
    faults_done(&faults);
}

static void body_can_be_taken_once_and_a_static_one_never(void **state)
{
    struct answer answer = {0};
    char *body;

    (void) state;
    rest_refuse(&answer, 404, E_NOT_FOUND, NULL);
    body = answer_take_body(&answer);
    assert_non_null(body);
    assert_null(answer_take_body(&answer));
    free(body);
    answer = (struct answer){.body = "static", .body_is_static = true};
    assert_null(answer_take_body(&answer));
    answer_done(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(problem_says_what_happened_to_machines_and_people),
            cmocka_unit_test(problem_of_overload_says_when_to_come_again),
            cmocka_unit_test(faults_are_told_all_at_once_with_their_places),
            cmocka_unit_test(what_cannot_be_read_comes_before_what_is_not_valid),
            cmocka_unit_test(faults_of_a_hostile_request_are_bounded),
            cmocka_unit_test(body_can_be_taken_once_and_a_static_one_never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
