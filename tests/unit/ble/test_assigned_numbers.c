#include "ble/assigned_numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *name_of(const char *(*find)(const struct ble_uuid *), uint32_t number)
{
    struct ble_uuid uuid = ble_uuid_from_short(number);

    return find(&uuid);
}

static void a_number_has_the_name_of_its_kind(void **state)
{
    (void) state;
    assert_string_equal(name_of(assigned_service_name, 0x180f), "Battery Service");
    assert_string_equal(name_of(assigned_characteristic_name, 0x2a19), "Battery Level");
    assert_string_equal(name_of(assigned_characteristic_name, 0x2b2a), "Database Hash");
    assert_string_equal(name_of(assigned_descriptor_name, 0x2902),
                        "Client Characteristic Configuration");
    assert_null(name_of(assigned_service_name, 0x2a19));
    assert_null(name_of(assigned_characteristic_name, 0x180f));
    assert_null(name_of(assigned_descriptor_name, 0x2a19));
}

static void the_first_and_the_last_of_a_table_are_found(void **state)
{
    (void) state;
    assert_string_equal(name_of(assigned_service_name, 0x1800), "Generic Access");
    assert_string_equal(name_of(assigned_descriptor_name, 0x2900),
                        "Characteristic Extended Properties");
    assert_string_equal(name_of(assigned_characteristic_name, 0x2a00), "Device Name");
    assert_null(name_of(assigned_service_name, 0x17ff));
    assert_null(name_of(assigned_service_name, 0xffff));
    assert_null(name_of(assigned_characteristic_name, 0));
}

static void tables_are_in_order_so_that_each_row_is_found(void **state)
{
    unsigned services = 0, characteristics = 0, descriptors = 0;

    (void) state;
    for (uint32_t number = 0; number <= UINT16_MAX; number++) {
        services += name_of(assigned_service_name, number) != NULL;
        characteristics += name_of(assigned_characteristic_name, number) != NULL;
        descriptors += name_of(assigned_descriptor_name, number) != NULL;
    }
    assert_int_equal(services, 75);
    assert_int_equal(characteristics, 474);
    assert_int_equal(descriptors, 16);
}

static void what_is_not_of_the_sig_has_no_name(void **state)
{
    struct ble_uuid uuid;

    (void) state;
    assert_true(ble_uuid_parse("6e400001-b5a3-f393-e0a9-e50e24dcca9e", &uuid));
    assert_null(assigned_service_name(&uuid));
    assert_null(name_of(assigned_characteristic_name, 0x12a19)); /* 32 bits */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_number_has_the_name_of_its_kind),
            cmocka_unit_test(the_first_and_the_last_of_a_table_are_found),
            cmocka_unit_test(tables_are_in_order_so_that_each_row_is_found),
            cmocka_unit_test(what_is_not_of_the_sig_has_no_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
