#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/bytes.h"

static void a_pull_past_the_end_fails_and_moves_nothing(void **state)
{
    static const uint8_t data[] = {1, 2, 3};
    struct bytes b = {data, sizeof data}, part;
    uint16_t word = 7;
    uint8_t octet = 7;

    (void) state;
    assert_true(bytes_pull_u8(&b, &octet));
    assert_int_equal(octet, 1);
    assert_false(bytes_pull(&b, 3, &part));
    assert_true(bytes_pull_be16(&b, &word));
    assert_int_equal(word, 0x0203);
    assert_false(bytes_pull_be16(&b, &word));
    assert_false(bytes_pull_u8(&b, &octet));
    assert_int_equal(b.size, 0);
}

static void a_varint_of_each_size_is_read_whatever_is_behind_it(void **state)
{
    static const uint64_t numbers[] = {0, 1, UINT64_C(0xc0ffee123456), UINT64_MAX};

    (void) state;
    for (size_t size = 1; size <= 10; size++) {
        for (size_t behind = 0; behind <= 16; behind++) {
            for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
                uint64_t number =
                        size < 10 ? numbers[n] & ((UINT64_C(1) << 7 * size) - 1) : numbers[n];
                uint64_t value = 1;
                uint8_t data[26];
                struct bytes b = {data, size + behind};

                memset(data, n % 2 ? 0xff : 0, sizeof data);
                for (size_t i = 0; i < size; i++)
                    data[i] = (uint8_t) ((number >> 7 * i & 0x7f) | (i + 1 < size ? 0x80 : 0));
                assert_true(bytes_pull_varint(&b, &value));
                assert_true(value == number);
                assert_ptr_equal(b.data, data + size);
                assert_int_equal(b.size, behind);
            }
        }
    }
}

static void a_varint_ends_within_its_octets(void **state)
{
    static const uint8_t minus_one[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                      0x80, 0x80, 0x80, 0x80, 0x01};
    struct bytes b = {minus_one, sizeof minus_one};
    uint64_t value;

    (void) state;
    assert_true(bytes_pull_varint(&b, &value));
    assert_int_equal((int64_t) value, -1);
    b = (struct bytes){minus_one, 9};
    assert_false(bytes_pull_varint(&b, &value));
    assert_int_equal(b.size, 9);
    b = (struct bytes){endless, sizeof endless};
    assert_false(bytes_pull_varint(&b, &value));
}

static void hex_goes_both_ways(void **state)
{
    static const uint8_t data[] = {0x00, 0xa4, 0xff};
    uint8_t back[3];
    char text[7];
    size_t size;

    (void) state;
    bytes_to_hex(text, data, sizeof data);
    assert_string_equal(text, "00a4ff");
    assert_true(bytes_from_hex(back, sizeof back, "00A4fF", 6, &size));
    assert_int_equal(size, 3);
    assert_memory_equal(back, data, 3);
}

static void a_hash_is_that_of_the_reference(void **state)
{
    (void) state;
    assert_true(bytes_hash(NULL, 0) == 0xcbf29ce484222325);
    assert_true(bytes_hash("a", 1) == 0xaf63dc4c8601ec8c);
    assert_true(bytes_hash("foobar", 6) == 0x85944171f73967e8);
}

static void hex_that_is_none_is_refused(void **state)
{
    uint8_t back[2];
    size_t size = 9;

    (void) state;
    assert_false(bytes_from_hex(back, sizeof back, "0", 1, &size));
    assert_false(bytes_from_hex(back, sizeof back, "0g", 2, &size));
    assert_false(bytes_from_hex(back, sizeof back, "001122", 6, &size));
    assert_int_equal(size, 9);
}

static void a_buffer_gives_back_in_order_what_was_put_in(void **state)
{
    struct buffer b = {0};
    size_t put = 0, got = 0;

    (void) state;
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 7; i++)
            buffer_append_format(&b, "%06zu", put++);
        for (int i = 0; i < 6 && buffer_size(&b) > 0; i++) {
            char expected[16];

            (void) snprintf(expected, sizeof expected, "%06zu", got++);
            assert_memory_equal(buffer_front(&b), expected, 6);
            buffer_consume(&b, 6);
        }
    }
    assert_int_equal(buffer_size(&b), 6 * (put - got));
    buffer_done(&b);
}

static void a_taken_text_is_terminated_and_leaves_an_empty_buffer(void **state)
{
    struct buffer b = {0};
    char *text;

    (void) state;
    buffer_append_text(&b, "xxhello");
    buffer_consume(&b, 2);
    text = buffer_take_text(&b);
    assert_string_equal(text, "hello");
    assert_int_equal(buffer_size(&b), 0);
    free(text);
}

static void a_long_format_is_not_cut(void **state)
{
    struct buffer b = {0};
    char *text;

    (void) state;
    buffer_append_format(&b, "%5000d|", 7);
    text = buffer_take_text(&b);
    assert_int_equal(strlen(text), 5001);
    assert_string_equal(text + 4999, "7|");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_pull_past_the_end_fails_and_moves_nothing),
            cmocka_unit_test(a_varint_ends_within_its_octets),
            cmocka_unit_test(a_varint_of_each_size_is_read_whatever_is_behind_it),
            cmocka_unit_test(a_hash_is_that_of_the_reference),
            cmocka_unit_test(hex_goes_both_ways),
            cmocka_unit_test(hex_that_is_none_is_refused),
            cmocka_unit_test(a_buffer_gives_back_in_order_what_was_put_in),
            cmocka_unit_test(a_taken_text_is_terminated_and_leaves_an_empty_buffer),
            cmocka_unit_test(a_long_format_is_not_cut),
    };

    return cmocka_run_group_tests_name("base.bytes", tests, NULL, NULL);
}
