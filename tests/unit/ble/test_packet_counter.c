#include "ble/packet_counter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static bool find(const char *hex, struct packet_counter *ret_counter)
{
    uint8_t data[64];
    size_t size;

    assert_true(bytes_from_hex(data, sizeof data, hex, strlen(hex), &size));
    return packet_counter_find(data, size, ret_counter);
}

static void the_packet_id_of_bthome_is_found(void **state)
{
    struct packet_counter c;

    (void) state;
    assert_true(find("020106"
                     "0b16d2fc40000902ca0903bf",
                     &c));
    assert_int_equal(c.value, 9);
    assert_int_equal(c.bits, 8);
}

static void bthome_without_packet_id_or_encrypted_has_no_counter(void **state)
{
    struct packet_counter c;

    (void) state;
    assert_false(find("0201060a16d2fc4002c40903bf13", &c)); /* begins with a temperature */
    assert_false(find("0616d2fc410009", &c));               /* encrypted */
    assert_false(find("0616d2fc200009", &c));               /* version 1 */
    assert_false(find("0516d2fc4000", &c));                 /* cut short */
    assert_false(find("06160d18400009", &c));               /* another service */
}

/* The packet of the vendor's documentation. */
#define RUUVI_HEAD                                                                                 \
    "1bff990405"                                                                                   \
    "12fc5394c37c0004fffc040cac36"                                                                 \
    "42"
#define RUUVI_TAIL "cbb8334c884f"

static void the_sequence_of_ruuvi_is_found(void **state)
{
    struct packet_counter c;

    (void) state;
    assert_true(find("020106" RUUVI_HEAD "00cd" RUUVI_TAIL, &c));
    assert_int_equal(c.value, 205);
    assert_int_equal(c.bits, 16);
}

static void ruuvi_that_does_not_count_or_of_another_format_has_no_counter(void **state)
{
    struct packet_counter c;

    (void) state;
    assert_false(find("020106" RUUVI_HEAD "ffff" RUUVI_TAIL, &c));
    assert_false(find("11ff990403291a1ece1efc18f94202ca0b53", &c)); /* RAWv1 */
    assert_false(find("1bff980405"
                      "12fc5394c37c0004fffc040cac36"
                      "4200cd" RUUVI_TAIL,
                      &c)); /* another company */
}

static void octets_of_any_size_are_read_safely(void **state)
{
    uint8_t data[62];
    struct packet_counter c;

    (void) state;
    memset(data, 0x16, sizeof data);
    for (size_t size = 0; size <= sizeof data; size++)
        assert_false(packet_counter_find(data, size, &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_packet_id_of_bthome_is_found),
            cmocka_unit_test(bthome_without_packet_id_or_encrypted_has_no_counter),
            cmocka_unit_test(the_sequence_of_ruuvi_is_found),
            cmocka_unit_test(ruuvi_that_does_not_count_or_of_another_format_has_no_counter),
            cmocka_unit_test(octets_of_any_size_are_read_safely),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
