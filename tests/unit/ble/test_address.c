#include "ble/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"

static void address_is_written_in_upper_case_with_colons(void **state)
{
    char text[BLE_ADDRESS_TEXT_SIZE];

    (void) state;
    ble_address_format(text, 0xa4c1380009feu);
    assert_string_equal(text, "A4:C1:38:00:09:FE");
}

static void address_is_read_in_all_its_forms(void **state)
{
    static const char *const forms[] = {"A4:C1:38:00:09:FE", "a4:c1:38:00:09:fe",
                                        "A4-C1-38-00-09-FE", "a4c1380009fe"};
    uint64_t address;

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        assert_true(ble_address_parse(forms[i], &address));
        assert_true(address == 0xa4c1380009feu);
    }
}

static void address_refuses_what_is_none(void **state)
{
    static const char *const forms[] = {"",
                                        "A4:C1:38:00:09",
                                        "A4:C1:38:00:09:FE:",
                                        "A4:C1-38:00:09:FE",
                                        "A4:C1:38:00:09:FG",
                                        "A4C1:380009FE",
                                        "A4:C1:38:00:09F:E",
                                        "A4.C1.38.00.09.FE"};
    uint64_t address = 5;

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
        assert_false(ble_address_parse(forms[i], &address));
    assert_true(address == 5);
}

static void address_is_private_when_random_and_not_static(void **state)
{
    (void) state;
    assert_true(ble_address_is_private(0x400000000001u, BLE_ADDRESS_RANDOM));
    assert_true(ble_address_is_private(0x000000000001u, BLE_ADDRESS_RANDOM));
    assert_false(ble_address_is_private(0xc00000000001u, BLE_ADDRESS_RANDOM));
    assert_false(ble_address_is_private(0x400000000001u, BLE_ADDRESS_PUBLIC));
    assert_false(ble_address_is_private(0x400000000001u, BLE_ADDRESS_RANDOM_IDENTITY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(address_is_written_in_upper_case_with_colons),
            cmocka_unit_test(address_is_read_in_all_its_forms),
            cmocka_unit_test(address_refuses_what_is_none),
            cmocka_unit_test(address_is_private_when_random_and_not_static),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
