#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/decimal.h"

static void expect(uint64_t value, const char *text, size_t size)
{
    char got[DECIMAL_SIZE];

    assert_int_equal(decimal_format(got, value), size);
    assert_string_equal(got, text);
}

static void a_number_has_its_digits_and_no_more(void **state)
{
    (void) state;
    expect(0, "0", 1);
    expect(9, "9", 1);
    expect(10, "10", 2);
    expect(65535, "65535", 5);
    expect(UINT64_MAX, "18446744073709551615", 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_number_has_its_digits_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
