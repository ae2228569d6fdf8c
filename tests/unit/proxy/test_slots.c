#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "proxy/slots.h"

static void an_address_that_stays_keeps_its_time(void **state)
{
    static const uint64_t first[] = {1, 2}, second[] = {2, 3};
    struct slots s = {0};

    (void) state;
    slots_take(&s, &(struct message_connections_free){1, 3, first, 2}, 100);
    slots_take(&s, &(struct message_connections_free){1, 3, second, 2}, 200);
    assert_true(s.is_known);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.since[0], 100);
    assert_int_equal(s.since[1], 200);
}

static void X07_a_limit_of_0_means_unknown(void **state)
{
    struct slots s = {.is_known = true, .limit = 3};

    (void) state;
    slots_take(&s, &(struct message_connections_free){0}, 100);
    assert_false(s.is_known);
}

static void of_a_list_without_end_the_first_are_kept(void **state)
{
    uint64_t addresses[SLOTS_MAX + 5] = {0};
    struct slots s = {0};

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
        addresses[i] = i + 1;
    slots_take(&s, &(struct message_connections_free){0, 3, addresses, ARRAY_SIZE(addresses)}, 100);
    assert_int_equal(s.count, SLOTS_MAX);
    assert_int_equal(s.addresses[SLOTS_MAX - 1], SLOTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(an_address_that_stays_keeps_its_time),
            cmocka_unit_test(X07_a_limit_of_0_means_unknown),
            cmocka_unit_test(of_a_list_without_end_the_first_are_kept),
    };

    return cmocka_run_group_tests_name("proxy.slots", tests, NULL, NULL);
}
