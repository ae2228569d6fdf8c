#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/failures.h"

static void failures_are_told_by_cause_and_only_those_that_happened(void **state)
{
    struct failures f = {0};
    size_t position = 0;
    uint64_t count;

    (void) state;
    failures_add(&f, E_PING_TIMEOUT);
    failures_add(&f, E_WRONG_KEY);
    failures_add(&f, E_WRONG_KEY);
    assert_int_equal(failures_next(&f, &position, &count), E_WRONG_KEY);
    assert_int_equal(count, 2);
    assert_int_equal(failures_next(&f, &position, &count), E_PING_TIMEOUT);
    assert_int_equal(count, 1);
    assert_int_equal(failures_next(&f, &position, &count), 0);
}

static void assert_counts_as(int cause, int cause_of_ours)
{
    struct failures f = {0};
    size_t position = 0;
    uint64_t count;

    failures_add(&f, cause);
    assert_int_equal(failures_next(&f, &position, &count), cause_of_ours);
    assert_int_equal(count, 1);
    assert_int_equal(failures_next(&f, &position, &count), 0);
}

static void cause_of_the_system_counts_as_one_of_ours(void **state)
{
    (void) state;
    assert_counts_as(-ECONNREFUSED, E_REFUSED);
    assert_counts_as(-ECONNRESET, E_CLOSED);
    assert_counts_as(-EPIPE, E_CLOSED);
    assert_counts_as(-ETIMEDOUT, E_TIMEOUT);
    assert_counts_as(-EHOSTUNREACH, E_UNREACHABLE);
    assert_counts_as(-EIO, E_UNREACHABLE);
    assert_counts_as(E_RESOLVE_FAILED, E_RESOLVE_FAILED);
    assert_counts_as(E_DISCONNECTED, E_DISCONNECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(failures_are_told_by_cause_and_only_those_that_happened),
            cmocka_unit_test(cause_of_the_system_counts_as_one_of_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
