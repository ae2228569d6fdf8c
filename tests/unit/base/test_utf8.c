#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#define BAD           "\xef\xbf\xbd"
#define TEXT(literal) (literal), sizeof(literal) - 1

/* What Python's bytes.decode("utf-8", "replace") makes of them. */
static const struct {
    const char *octets;
    size_t size;
    const char *text;
    size_t text_size, count;
} cases[] = {
        {TEXT(""), TEXT(""), 0},
        {TEXT("abc"), TEXT("abc"), 3},
        {TEXT("a\0b"), TEXT("a\0b"), 3},
        {TEXT("\xc3\xa4"), TEXT("\xc3\xa4"), 1},
        {TEXT("\xe2\x82\xac"), TEXT("\xe2\x82\xac"), 1},
        {TEXT("\xf0\x90\x8d\x88"), TEXT("\xf0\x90\x8d\x88"), 1},
        {TEXT("\xc3"), TEXT(BAD), 1},
        {TEXT("\xc3("), TEXT(BAD "("), 2},
        {TEXT("\xe2\x82"), TEXT(BAD), 1},
        {TEXT("\xf0\x90\x8d"), TEXT(BAD), 1},
        {TEXT("\xe0\x80\x80"), TEXT(BAD BAD BAD), 3},         /* overlong */
        {TEXT("\xf0\x80\x80\x80"), TEXT(BAD BAD BAD BAD), 4}, /* overlong */
        {TEXT("\xc0\xaf"), TEXT(BAD BAD), 2},                 /* overlong */
        {TEXT("\xed\xa0\x80"), TEXT(BAD BAD BAD), 3},         /* surrogate */
        {TEXT("\xf4\x90\x80\x80"), TEXT(BAD BAD BAD BAD), 4}, /* beyond U+10FFFF */
        {TEXT("\xf5\x80\x80\x80"), TEXT(BAD BAD BAD BAD), 4},
        {TEXT("\xff\xfe"), TEXT(BAD BAD), 2},
        {TEXT("\x80\x80"), TEXT(BAD BAD), 2},
        {TEXT("\xf1\x80"
              "A\xf1\x80\x80"
              "B"),
         TEXT(BAD "A" BAD "B"), 4},
};

static void utf8_repairs_as_python_replaces(void **state)
{
    char text[64];

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const uint8_t *octets = (const uint8_t *) cases[i].octets;

        assert_true(UTF8_REPAIRED_SIZE(cases[i].size) <= sizeof text);
        assert_int_equal(utf8_repair(text, octets, cases[i].size), cases[i].text_size);
        assert_memory_equal(text, cases[i].text, cases[i].text_size + 1);
        assert_int_equal(utf8_count(octets, cases[i].size), cases[i].count);
    }
}

static void utf8_repaired_text_needs_no_repair(void **state)
{
    uint8_t octets[40];
    char once[UTF8_REPAIRED_SIZE(sizeof octets)], twice[UTF8_REPAIRED_SIZE(sizeof once)];
    uint32_t random = 1;

    (void) state;
    for (int round = 0; round < 20000; round++) {
        size_t size = (size_t) round % (sizeof octets + 1), length;

        for (size_t i = 0; i < size; i++) {
            random = random * 1664525u + 1013904223u;
            octets[i] = (uint8_t) (random >> 24);
        }
        length = utf8_repair(once, octets, size);
        assert_true(length < sizeof once);
        assert_int_equal(utf8_repair(twice, (const uint8_t *) once, length), length);
        assert_memory_equal(once, twice, length);
        assert_int_equal(utf8_count((const uint8_t *) once, length), utf8_count(octets, size));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(utf8_repairs_as_python_replaces),
            cmocka_unit_test(utf8_repaired_text_needs_no_repair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
