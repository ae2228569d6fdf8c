#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"

#define KEYS 512

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void map_finds_what_was_put_and_nothing_else(void **state)
{
    struct map *m = map_new(1);
    int a, b;

    (void) state;
    assert_null(map_find(m, 0));
    map_put(m, 0, &a);
    map_put(m, UINT64_MAX, &b);
    assert_ptr_equal(map_find(m, 0), &a);
    assert_ptr_equal(map_find(m, UINT64_MAX), &b);
    assert_null(map_find(m, 1));
    map_put(m, 0, &b);
    assert_ptr_equal(map_find(m, 0), &b);
    assert_int_equal(map_count(m), 2);
    map_free(m);
}

static void map_gives_back_what_is_taken_once(void **state)
{
    struct map *m = map_new(1);
    int a;

    (void) state;
    map_put(m, 7, &a);
    assert_ptr_equal(map_take(m, 7), &a);
    assert_null(map_take(m, 7));
    assert_int_equal(map_count(m), 0);
    map_free(m);
}

static void map_agrees_with_a_plain_array_under_random_use(void **state)
{
    struct map *m = map_new(42);
    static int things[KEYS];
    int *expected[KEYS] = {NULL};
    uint64_t random = 88172645463325252u;

    (void) state;
    for (int step = 0; step < 100000; step++) {
        size_t key = draw(&random) % KEYS;

        if (draw(&random) & 1) {
            map_put(m, key << 40, &things[key]);
            expected[key] = &things[key];
        } else {
            assert_ptr_equal(map_take(m, key << 40), expected[key]);
            expected[key] = NULL;
        }
        key = draw(&random) % KEYS;
        assert_ptr_equal(map_find(m, key << 40), expected[key]);
    }
    map_free(m);
}

static void map_walk_meets_each_value_once(void **state)
{
    struct map *m = map_new(3);
    int seen[KEYS] = {0};
    size_t position = 0;
    int *value;

    (void) state;
    for (uint64_t key = 0; key < KEYS; key++)
        map_put(m, key * 0x10000, &seen[key]);
    while ((value = map_next(m, &position)))
        (*value)++;
    for (size_t i = 0; i < KEYS; i++)
        assert_int_equal(seen[i], 1);
    assert_null(map_next(m, &position));
    map_free(m);
}

static void map_of_steady_size_does_not_grow(void **state)
{
    struct map *m = map_new(9);
    size_t bytes;
    int a;

    (void) state;
    for (uint64_t key = 0; key < 100; key++)
        map_put(m, key, &a);
    bytes = map_bytes(m);
    for (uint64_t key = 0; key < 100000; key++) {
        assert_non_null(map_take(m, key));
        map_put(m, key + 100, &a);
    }
    assert_int_equal(map_count(m), 100);
    assert_int_equal(map_bytes(m), bytes);
    map_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(map_finds_what_was_put_and_nothing_else),
            cmocka_unit_test(map_gives_back_what_is_taken_once),
            cmocka_unit_test(map_agrees_with_a_plain_array_under_random_use),
            cmocka_unit_test(map_walk_meets_each_value_once),
            cmocka_unit_test(map_of_steady_size_does_not_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
