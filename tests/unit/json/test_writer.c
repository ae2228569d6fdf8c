#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "json/writer.h"

static void assert_text(struct writer *w, const char *expected)
{
    char *text AUTO_FREE = buffer_take_text(&w->text);

    assert_string_equal(text, expected);
    writer_done(w);
}

static void writer_puts_commas_between_members_and_items_only(void **state)
{
    struct writer w = {0};

    (void) state;
    writer_begin_object(&w, NULL);
    writer_begin_array(&w, "a");
    writer_end_array(&w);
    writer_begin_array(&w, "b");
    writer_integer(&w, NULL, -1);
    writer_integer(&w, NULL, 2);
    writer_begin_object(&w, NULL);
    writer_end_object(&w);
    writer_end_array(&w);
    writer_null(&w, "c");
    writer_bool(&w, "d", true);
    writer_end_object(&w);
    assert_text(&w, "{\"a\":[],\"b\":[-1,2,{}],\"c\":null,\"d\":true}");
}

static void writer_writes_the_extremes_of_integers(void **state)
{
    struct writer w = {0};

    (void) state;
    writer_begin_array(&w, NULL);
    writer_integer(&w, NULL, INT64_MIN);
    writer_integer(&w, NULL, INT64_MAX);
    writer_unsigned(&w, NULL, UINT64_MAX);
    writer_unsigned(&w, NULL, 0);
    writer_end_array(&w);
    assert_text(&w, "[-9223372036854775808,9223372036854775807,18446744073709551615,0]");
}

static void writer_rounds_numbers_and_cuts_zeros(void **state)
{
    struct writer w = {0};

    (void) state;
    writer_begin_array(&w, NULL);
    writer_number(&w, NULL, -62.44, 1);
    writer_number(&w, NULL, 2.5, 3);
    writer_number(&w, NULL, 100, 3);
    writer_number(&w, NULL, 100, 0);
    writer_number(&w, NULL, -0.01, 1);
    writer_number(&w, NULL, (double) NAN, 1);
    writer_number(&w, NULL, (double) INFINITY, 1);
    writer_end_array(&w);
    assert_text(&w, "[-62.4,2.5,100,100,0,null,null]");
}

/* The number as printf rounds it, without trailing zeros. */
static void print_number(char *ret_text, size_t size, double value, int decimals)
{
    int length = snprintf(ret_text, size, "%.*f", decimals, value);

    while (decimals > 0 && ret_text[length - 1] == '0')
        ret_text[--length] = '\0';
    if (ret_text[length - 1] == '.')
        ret_text[--length] = '\0';
    if (strcmp(ret_text, "-0") == 0)
        (void) strcpy(ret_text, "0");
}

static void writer_rounds_numbers_as_printf_does(void **state)
{
    static const double starts[] = {0, -127.5, 0.05, 1e8, 999999.95, -1e12, 1e300, 0.49999999};
    char expected[400];

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        for (int step = 0; step < 4000; step++) {
            double value = starts[i] + step * 0.0125 + step * 1e-9;
            struct writer w = {0};

            print_number(expected, sizeof expected, value, step % 7);
            writer_number(&w, NULL, value, step % 7);
            assert_text(&w, expected);
        }
    }
}

static void writer_escapes_what_would_break_a_text(void **state)
{
    static const char hostile[] = "a\"b\\c\n\0d\x1f\x7f";
    struct writer w = {0};

    (void) state;
    writer_text_sized(&w, NULL, hostile, sizeof hostile - 1);
    assert_text(&w, "\"a\\\"b\\\\c\\u000a\\u0000d\\u001f\x7f\"");
}

static void writer_replaces_what_is_not_utf8(void **state)
{
    struct writer w = {0};

    (void) state;
    writer_begin_array(&w, NULL);
    writer_text(&w, NULL,
                "K\xc3\xbc"
                "che \xef\xbf\xbd");
    writer_text(&w, NULL,
                "\xff"
                "a\xc3");
    writer_text(&w, NULL, "\xed\xa0\x80"); /* a surrogate */
    writer_text(&w, NULL, "\xf0\x9f\x92\xa1");
    writer_end_array(&w);
    assert_text(&w, "[\"K\xc3\xbc"
                    "che \xef\xbf\xbd\",\"\xef\xbf\xbd"
                    "a\xef\xbf\xbd\","
                    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"\xf0\x9f\x92\xa1\"]");
}

static void writer_makes_valid_json_of_any_octets(void **state)
{
    uint8_t octets[64];

    (void) state;
    srand(20261121);
    for (int round = 0; round < 2000; round++) {
        struct writer w = {0};
        size_t size = (size_t) rand() % sizeof octets;
        json_t *parsed;

        for (size_t i = 0; i < size; i++)
            octets[i] = (uint8_t) (rand() % 3 ? 0x80 | rand() : rand());
        writer_text_sized(&w, NULL, octets, size);
        parsed = json_loadb((const char *) buffer_front(&w.text), buffer_size(&w.text),
                            JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(parsed);
        json_decref(parsed);
        writer_done(&w);
    }
}

static void writer_formats_hex_times_and_addresses(void **state)
{
    static const uint8_t data[] = {0x02, 0xfC};
    struct writer w = {0};

    (void) state;
    writer_begin_array(&w, NULL);
    writer_hex(&w, NULL, data, sizeof data);
    writer_hex(&w, NULL, NULL, 0);
    writer_time(&w, NULL, 0);
    writer_address(&w, NULL, 0xa4c13812ab56);
    writer_text(&w, NULL, NULL);
    writer_end_array(&w);
    assert_text(&w, "[\"02fc\",\"\",\"1970-01-01T00:00:00.000Z\",\"A4:C1:38:12:AB:56\",null]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(writer_puts_commas_between_members_and_items_only),
            cmocka_unit_test(writer_writes_the_extremes_of_integers),
            cmocka_unit_test(writer_rounds_numbers_and_cuts_zeros),
            cmocka_unit_test(writer_rounds_numbers_as_printf_does),
            cmocka_unit_test(writer_escapes_what_would_break_a_text),
            cmocka_unit_test(writer_replaces_what_is_not_utf8),
            cmocka_unit_test(writer_makes_valid_json_of_any_octets),
            cmocka_unit_test(writer_formats_hex_times_and_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
