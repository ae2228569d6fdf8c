#include "ble/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"

#define LONG_TEXT "6e400001-b5a3-f393-e0a9-e50e24dcca9e"

static void assert_text(const struct ble_uuid *uuid, const char *expected)
{
    char text[BLE_UUID_TEXT_SIZE];

    ble_uuid_format(text, uuid);
    assert_string_equal(text, expected);
}

static void A04_uuid_of_any_size_appears_as_lower_case_128_bit_text(void **state)
{
    static const uint8_t two[] = {0xd2, 0xfc}, four[] = {0x78, 0x56, 0x34, 0xab},
                         sixteen[] = {0x9e, 0xca, 0xdc, 0x24, 0x0e, 0xe5, 0xa9, 0xe0,
                                      0x93, 0xf3, 0xa3, 0xb5, 0x01, 0x00, 0x40, 0x6e};
    struct ble_uuid uuid;

    (void) state;
    uuid = ble_uuid_from_air(two, sizeof two);
    assert_text(&uuid, "0000fcd2-0000-1000-8000-00805f9b34fb");
    uuid = ble_uuid_from_air(four, sizeof four);
    assert_text(&uuid, "ab345678-0000-1000-8000-00805f9b34fb");
    uuid = ble_uuid_from_air(sixteen, sizeof sixteen);
    assert_text(&uuid, LONG_TEXT);
    uuid = ble_uuid_from_short(0x180f);
    assert_text(&uuid, "0000180f-0000-1000-8000-00805f9b34fb");
}

static void uuid_is_read_in_all_its_forms(void **state)
{
    struct ble_uuid uuid, other;

    (void) state;
    assert_true(ble_uuid_parse("FCD2", &uuid));
    assert_text(&uuid, "0000fcd2-0000-1000-8000-00805f9b34fb");
    assert_true(ble_uuid_parse("ab345678", &uuid));
    assert_text(&uuid, "ab345678-0000-1000-8000-00805f9b34fb");
    assert_true(ble_uuid_parse("6E400001-B5A3-F393-E0A9-E50E24DCCA9E", &uuid));
    assert_text(&uuid, LONG_TEXT);
    assert_true(ble_uuid_parse("6e400001b5a3f393e0a9e50e24dcca9e", &other));
    assert_true(ble_uuid_equal(&uuid, &other));
}

static void uuid_refuses_what_is_none(void **state)
{
    static const char *const forms[] = {
            "",
            "fcd",
            "0xfcd2",
            "fcdg",
            "6e400001-b5a3-f393-e0a9-e50e24dcca9",
            "6e400001b-5a3-f393-e0a9-e50e24dcca9e",
            "6e400001-b5a3-f393-e0a9-e50e24dcca9g",
            "6e400001--5a3-f393-e0a9-e50e24dcca9e",
            "6e400001b5a3f393e0a9e50e24dcca9e----",
    };
    struct ble_uuid uuid;

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
        assert_false(ble_uuid_parse(forms[i], &uuid));
}

static void uuid_on_the_bluetooth_base_has_a_short_value(void **state)
{
    struct ble_uuid uuid = ble_uuid_from_short(0xabcd1234u);
    uint32_t value;

    (void) state;
    assert_true(ble_uuid_short(&uuid, &value));
    assert_int_equal(value, 0xabcd1234u);
    assert_true(ble_uuid_parse(LONG_TEXT, &uuid));
    assert_false(ble_uuid_short(&uuid, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(A04_uuid_of_any_size_appears_as_lower_case_128_bit_text),
            cmocka_unit_test(uuid_is_read_in_all_its_forms),
            cmocka_unit_test(uuid_refuses_what_is_none),
            cmocka_unit_test(uuid_on_the_bluetooth_base_has_a_short_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
