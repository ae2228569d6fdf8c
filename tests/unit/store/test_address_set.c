#include "store/address_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void addresses_leave_in_the_order_they_came_and_once_each(void **state)
{
    struct address_set s;
    uint64_t address, expected = 0, next = 0;

    (void) state;
    address_set_init(&s, 1000, 1);
    for (int round = 0; round < 500; round++) { /* the queue moves within its storage */
        for (int i = 0; i < 3; i++)
            assert_true(address_set_add(&s, next++));
        assert_true(address_set_add(&s, next - 1));
        assert_true(address_set_pop(&s, &address));
        assert_int_equal(address, expected++);
        assert_false(address_set_has(&s, address));
        if (s.count > 900)
            break;
    }
    while (address_set_pop(&s, &address))
        assert_int_equal(address, expected++);
    assert_int_equal(expected, next);
    address_set_done(&s);
}

static void full_set_refuses_newcomers_alone(void **state)
{
    struct address_set s;
    uint64_t address;

    (void) state;
    address_set_init(&s, 2, 1);
    assert_true(address_set_add(&s, 0));
    assert_true(address_set_add(&s, 7));
    assert_false(address_set_add(&s, 8));
    assert_true(address_set_add(&s, 7));
    assert_true(address_set_pop(&s, &address));
    assert_int_equal(address, 0);
    assert_true(address_set_add(&s, 8));
    address_set_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(addresses_leave_in_the_order_they_came_and_once_each),
            cmocka_unit_test(full_set_refuses_newcomers_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
