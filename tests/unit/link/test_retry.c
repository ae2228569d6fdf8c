/* The numbers are those of bleak-retry-connector 4.6.3, checked by running it: its
 * establish_connection() with a client that fails with the texts that bleak-esphome 4.0.0 makes of
 * the numbers. It agrees in counter, limit and pause of every row that it knows, and in the class
 * but for time-outs and 0x100. */
#include "link/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"

#define MSEC(n)  ((n) *USEC_PER_MSEC)
#define ANYTHING 7 /* a reason where none counts */

struct row {
    int32_t reason;
    enum retry_kind kind;
    usec_t pause_ms;
    int code;
    const char *name;
};

/* clang-format off */
static const struct row rows[] = { /* of ATTEMPT_FAILED */
    {0,     RETRY_CONNECT_ERROR, 0,    E_CONNECT_FAILED,  "unknown"},
    {0x08,  RETRY_CONNECT_ERROR, 500,  E_CONNECT_ABORTED, "supervision_timeout"},
    {0x13,  RETRY_TRANSIENT,     250,  E_CONNECT_ABORTED, "peer_terminated"},
    {0x16,  RETRY_TRANSIENT,     250,  E_CONNECT_ABORTED, "local_terminated"},
    {0x3e,  RETRY_TRANSIENT,     500,  E_CONNECT_ABORTED, "fail_establish"},
    {0x85,  RETRY_CONNECT_ERROR, 1000, E_CONNECT_ABORTED, "gatt_error"},
    {0x100, RETRY_TRANSIENT,     4000, E_CONNECT_FAILED,  "connection_cancelled"},
    {0x01,  RETRY_CONNECT_ERROR, 100,  E_CONNECT_FAILED,  "l2cap_failure"},
    {0x22,  RETRY_CONNECT_ERROR, 100,  E_CONNECT_FAILED,  "response_timeout"},
    {0x101, RETRY_CONNECT_ERROR, 100,  E_CONNECT_FAILED,  "no_connection"},
    {4711,  RETRY_CONNECT_ERROR, 100,  E_CONNECT_FAILED,  NULL},
    {-1,    RETRY_CONNECT_ERROR, 100,  E_CONNECT_FAILED,  "not_connected"},
};
/* clang-format on */

static void assert_name(const char *name, const char *expected)
{
    if (expected)
        assert_string_equal(name, expected);
    else
        assert_null(name);
}

static void check(enum attempt_end end, const struct row *row)
{
    struct retry_class class = retry_classify(end, row->reason);

    assert_int_equal(class.kind, row->kind);
    assert_int_equal(class.pause, MSEC(row->pause_ms));
    assert_string_equal(error_token(class.code), error_token(row->code));
    assert_name(class.name, row->name);
}

static void C11_each_reason_has_its_counter_its_pause_and_its_class(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check(ATTEMPT_FAILED, &rows[i]);
}

static void C11_so_has_each_end_without_a_reason(void **state)
{
    const struct row timed_out = {ANYTHING, RETRY_TIMEOUT, 250, E_CONNECT_TIMEOUT, NULL};
    const struct row refused = {ANYTHING, RETRY_TRANSIENT, 4000, E_NO_FREE_SLOT, NULL};
    const struct row lost = {ANYTHING, RETRY_TRANSIENT, 0, E_PROXY_OFFLINE, NULL};

    (void) state;
    check(ATTEMPT_TIMED_OUT, &timed_out);
    check(ATTEMPT_REFUSED, &refused);
    check(ATTEMPT_PROXY_LOST, &lost);
}

/* How many attempts there are when all end so; checks that each pause is the same. */
static unsigned attempts_of(unsigned max, enum attempt_end end, int32_t reason)
{
    struct retry r = {.max = max};
    usec_t pause = USEC_NEVER;
    unsigned count = 1;

    for (; retry_next(&r, end, reason, &pause); count++)
        assert_int_equal(pause, retry_classify(end, reason).pause);
    return count;
}

static void C11_timeouts_and_connect_errors_end_after_four(void **state)
{
    (void) state;
    assert_int_equal(attempts_of(4, ATTEMPT_TIMED_OUT, 0), 4);
    assert_int_equal(attempts_of(4, ATTEMPT_FAILED, 0x85), 4);
    assert_int_equal(attempts_of(4, ATTEMPT_FAILED, 4711), 4);
}

static void C11_transient_errors_end_after_nine(void **state)
{
    (void) state;
    assert_int_equal(attempts_of(4, ATTEMPT_FAILED, 0x3e), 9);
    assert_int_equal(attempts_of(4, ATTEMPT_FAILED, 0x100), 9);
    assert_int_equal(attempts_of(4, ATTEMPT_REFUSED, 0), 9);
    assert_int_equal(attempts_of(4, ATTEMPT_PROXY_LOST, 0), 9);
}

static void C11_timeouts_and_connect_errors_are_counted_together(void **state)
{
    struct retry r = {.max = 4};
    usec_t pause;

    (void) state;
    assert_true(retry_next(&r, ATTEMPT_TIMED_OUT, 0, &pause));
    assert_true(retry_next(&r, ATTEMPT_FAILED, 0x08, &pause));
    assert_true(retry_next(&r, ATTEMPT_FAILED, 0x3e, &pause));
    assert_true(retry_next(&r, ATTEMPT_TIMED_OUT, 0, &pause));
    assert_false(retry_next(&r, ATTEMPT_FAILED, 0, &pause));
}

static void C12_a_request_says_how_many_attempts(void **state)
{
    (void) state;
    assert_int_equal(attempts_of(1, ATTEMPT_TIMED_OUT, 0), 1);
    assert_int_equal(attempts_of(1, ATTEMPT_FAILED, 0x3e), 3);
    assert_int_equal(attempts_of(20, ATTEMPT_TIMED_OUT, 0), 20);
    assert_int_equal(attempts_of(20, ATTEMPT_FAILED, 0x3e), 41);
}

static void a_request_that_nobody_wants_ends_at_once(void **state)
{
    struct retry r = {.max = 4};
    usec_t pause = 1;

    (void) state;
    assert_false(retry_next(&r, ATTEMPT_CANCELLED, 0, &pause));
    assert_int_equal(pause, 1);
    assert_int_equal(retry_final(&r), E_CANCELLED);
    assert_int_equal(r.timeouts + r.connect_errors + r.transient, 0);
}

static int final_of(enum attempt_end first, int32_t reason, enum attempt_end last)
{
    struct retry r = {.max = 2};
    usec_t pause;

    assert_true(retry_next(&r, first, reason, &pause));
    retry_next(&r, last, 0x3e, &pause);
    return retry_final(&r);
}

static void the_class_is_that_of_the_last_attempt(void **state)
{
    (void) state;
    assert_int_equal(final_of(ATTEMPT_FAILED, 4711, ATTEMPT_FAILED), E_CONNECT_ABORTED);
    assert_int_equal(final_of(ATTEMPT_FAILED, 0x3e, ATTEMPT_REFUSED), E_NO_FREE_SLOT);
    assert_int_equal(final_of(ATTEMPT_FAILED, 0x3e, ATTEMPT_PROXY_LOST), E_PROXY_OFFLINE);
}

static void it_is_a_timeout_only_when_all_timed_out(void **state)
{
    (void) state;
    assert_int_equal(final_of(ATTEMPT_TIMED_OUT, 0, ATTEMPT_TIMED_OUT), E_CONNECT_TIMEOUT);
    assert_int_equal(final_of(ATTEMPT_FAILED, 0x3e, ATTEMPT_TIMED_OUT), E_CONNECT_FAILED);
    assert_int_equal(final_of(ATTEMPT_FAILED, 0x85, ATTEMPT_TIMED_OUT), E_CONNECT_FAILED);
    assert_int_equal(final_of(ATTEMPT_TIMED_OUT, 0, ATTEMPT_FAILED), E_CONNECT_ABORTED);
}

static void a_link_and_no_attempt_have_no_class(void **state)
{
    const struct retry r = {.max = 4};

    (void) state;
    assert_int_equal(retry_classify(ATTEMPT_CONNECTED, 0).code, 0);
    assert_int_equal(retry_final(&r), 0);
}

static void every_number_may_come_and_few_have_names(void **state)
{
    const int32_t extremes[] = {INT32_MIN, -2, 0x3f, 0x7f, 0x93, 0x102, INT32_MAX};

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(extremes); i++) {
        assert_null(retry_reason_name(extremes[i]));
        assert_int_equal(retry_classify(ATTEMPT_FAILED, extremes[i]).code, E_CONNECT_FAILED);
    }
    assert_string_equal(retry_reason_name(0x84), "gatt_busy");
    assert_string_equal(retry_reason_name(0x3d), "mic_failure");
    assert_string_equal(retry_reason_name(0x8f), "gatt_congested");
    assert_string_equal(retry_reason_name(0x92), "gatt_cancelled");
}

/* The faces print them as tokens. */
static void names_are_tokens_and_no_two_are_the_same(void **state)
{
    const char *seen[512];
    size_t count = 0;

    (void) state;
    for (int32_t reason = -16; reason < 0x1f0; reason++) {
        const char *name = retry_reason_name(reason);

        if (!name)
            continue;
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
        for (size_t i = 0; i < count; i++)
            assert_string_not_equal(seen[i], name);
        seen[count++] = name;
    }
    assert_int_equal(count, 45);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(C11_each_reason_has_its_counter_its_pause_and_its_class),
            cmocka_unit_test(C11_so_has_each_end_without_a_reason),
            cmocka_unit_test(C11_timeouts_and_connect_errors_end_after_four),
            cmocka_unit_test(C11_transient_errors_end_after_nine),
            cmocka_unit_test(C11_timeouts_and_connect_errors_are_counted_together),
            cmocka_unit_test(C12_a_request_says_how_many_attempts),
            cmocka_unit_test(a_request_that_nobody_wants_ends_at_once),
            cmocka_unit_test(the_class_is_that_of_the_last_attempt),
            cmocka_unit_test(it_is_a_timeout_only_when_all_timed_out),
            cmocka_unit_test(a_link_and_no_attempt_have_no_class),
            cmocka_unit_test(every_number_may_come_and_few_have_names),
            cmocka_unit_test(names_are_tokens_and_no_two_are_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
