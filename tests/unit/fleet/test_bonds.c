#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet/bonds.h"

static void the_oldest_bond_gives_way(void **state)
{
    struct bonds b = {0};

    (void) state;
    for (uint64_t who = 0; who < BONDS_MAX; who++)
        bonds_add(&b, who);
    bonds_add(&b, 0); /* is the newest now */
    assert_int_equal(b.count, BONDS_MAX);
    bonds_add(&b, 100);
    assert_int_equal(b.count, BONDS_MAX);
    assert_false(bonds_has(&b, 1));
    assert_true(bonds_has(&b, 0) && bonds_has(&b, 2) && bonds_has(&b, 100));
}

static void a_bond_can_be_removed(void **state)
{
    struct bonds b = {0};

    (void) state;
    bonds_add(&b, 1);
    bonds_add(&b, 2);
    bonds_remove(&b, 1);
    bonds_remove(&b, 7);
    assert_int_equal(b.count, 1);
    assert_false(bonds_has(&b, 1));
    assert_true(bonds_has(&b, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_oldest_bond_gives_way),
            cmocka_unit_test(a_bond_can_be_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
