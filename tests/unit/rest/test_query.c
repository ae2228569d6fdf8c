#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rest/query.h"

static const struct query_rule rules[] = {
        {.name = "name", .type = QUERY_TEXT},
        {.name = "limit", .type = QUERY_INTEGER, .low = 1, .high = 1000},
        {.name = "rssi_min", .type = QUERY_INTEGER, .low = -127, .high = 20},
        {.name = "seen_within_s", .type = QUERY_NUMBER, .low = 0, .high = INFINITY},
        {.name = "uuid", .type = QUERY_UUID, .is_repeatable = true},
        {.name = "prefix", .type = QUERY_HEX},
        {.name = "available", .type = QUERY_ENUM, .values = "any|true|false"},
        {.name = "since", .type = QUERY_TIME},
        {.name = NULL},
};

/* What a query comes to: "" when there is nothing wrong with it, "400", or the first pointer. */
static void assert_verdict(const char *text, const char *expected)
{
    struct faults faults = {0};
    struct query query;
    const char *verdict = "";

    query_read(&query, text, rules, &faults);
    if (faults.unreadable)
        verdict = "400";
    else if (faults.count > 0)
        verdict = faults.items[0].pointer;
    if (strcmp(verdict, expected) != 0)
        fail_msg("%s: %s, not %s", text, verdict, expected);
    query_done(&query);
    faults_done(&faults);
}

static void query_within_the_rules_is_accepted(void **state)
{
    (void) state;
    assert_verdict(NULL, "");
    assert_verdict("", "");
    assert_verdict("&&", "");
    assert_verdict("name=&limit=1", "");
    assert_verdict("limit=1000&rssi_min=-127", "");
    assert_verdict("seen_within_s=0.5", "");
    assert_verdict("seen_within_s=1e3", "");
    assert_verdict("uuid=180a&uuid=0000180A-0000-1000-8000-00805F9B34FB", "");
    assert_verdict("prefix=&available=any", "");
    assert_verdict("since=2026-11-21T10:05:12Z", "");
    assert_verdict("%6eame=K%C3%BCche+1", "");
}

static void query_parameter_nobody_knows_is_a_fault(void **state)
{
    (void) state;
    assert_verdict("foo=1", "?foo");
    assert_verdict("Limit=1", "?Limit");
    assert_verdict("name", "");
    assert_verdict("foo", "?foo");
}

static void query_parameter_given_twice_is_a_fault_unless_repeatable(void **state)
{
    (void) state;
    assert_verdict("limit=1&limit=1", "?limit");
    assert_verdict("uuid=180a&uuid=180f", "");
}

static void query_value_out_of_range_is_a_fault(void **state)
{
    (void) state;
    assert_verdict("limit=0", "?limit");
    assert_verdict("limit=1001", "?limit");
    assert_verdict("limit=99999999999999999999999", "?limit");
    assert_verdict("rssi_min=21", "?rssi_min");
    assert_verdict("seen_within_s=-1", "?seen_within_s");
    assert_verdict("available=maybe", "?available");
    assert_verdict("available=", "?available");
    assert_verdict("available=any|true", "?available");
}

static void query_value_that_cannot_be_read_is_unreadable(void **state)
{
    (void) state;
    assert_verdict("limit=", "400");
    assert_verdict("limit=abc", "400");
    assert_verdict("limit=1.5", "400");
    assert_verdict("limit= 1", "400");
    assert_verdict("limit=0x10", "400");
    assert_verdict("seen_within_s=nan", "400");
    assert_verdict("seen_within_s=inf", "400");
    assert_verdict("seen_within_s=1.", "400");
    assert_verdict("uuid=xyz", "400");
    assert_verdict("prefix=abc", "400");
    assert_verdict("prefix=zz", "400");
    assert_verdict("name=%zz", "400");
    assert_verdict("name=%ff", "400");
}

static void query_time_is_read_to_the_microsecond(void **state)
{
    struct faults faults = {0};
    struct query query;

    (void) state;
    query_read(&query, "since=2026-11-21T10:00:00.25Z", rules, &faults);
    assert_false(faults_any(&faults));
    assert_true(query_time(&query, "since", 0) == 1795255200250000);
    assert_true(query_time(&query, "until", 7) == 7);
    query_done(&query);
    assert_verdict("since=yesterday", "400");
    assert_verdict("since=", "400");
}

static void query_of_too_many_parameters_is_unreadable(void **state)
{
    char text[4 * QUERY_ITEMS_MAX + 8] = "";

    (void) state;
    for (int i = 0; i <= QUERY_ITEMS_MAX; i++)
        strcat(text, "a=1&");
    assert_verdict(text, "400");
}

static void query_names_all_faults_and_each_unknown_name_once(void **state)
{
    struct faults faults = {0};
    struct query query;

    (void) state;
    query_read(&query, "foo=1&foo=2&bar=1&limit=0", rules, &faults);
    assert_int_equal(faults.count, 3);
    query_done(&query);
    faults_done(&faults);
}

static void query_gives_values_and_alternatives(void **state)
{
    struct faults faults = {0};
    struct query query;
    size_t position = 0;

    (void) state;
    query_read(&query, "limit=7&uuid=180a&seen_within_s=2.5&uuid=180f", rules, &faults);
    assert_false(faults_any(&faults));
    assert_int_equal(query_integer(&query, "limit", 100), 7);
    assert_int_equal(query_integer(&query, "rssi_min", -1), -1);
    assert_true(query_number(&query, "seen_within_s", 0) == 2.5);
    assert_null(query_text(&query, "name"));
    assert_string_equal(query_next(&query, "uuid", &position), "180a");
    assert_string_equal(query_next(&query, "uuid", &position), "180f");
    assert_null(query_next(&query, "uuid", &position));
    query_done(&query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(query_within_the_rules_is_accepted),
            cmocka_unit_test(query_parameter_nobody_knows_is_a_fault),
            cmocka_unit_test(query_parameter_given_twice_is_a_fault_unless_repeatable),
            cmocka_unit_test(query_value_out_of_range_is_a_fault),
            cmocka_unit_test(query_value_that_cannot_be_read_is_unreadable),
            cmocka_unit_test(query_time_is_read_to_the_microsecond),
            cmocka_unit_test(query_of_too_many_parameters_is_unreadable),
            cmocka_unit_test(query_names_all_faults_and_each_unknown_name_once),
            cmocka_unit_test(query_gives_values_and_alternatives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
