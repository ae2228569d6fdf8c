#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void allocations_are_aligned_and_apart(void **state)
{
    uint8_t *parts[200];
    struct arena a;

    (void) state;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < 200; i++) {
        parts[i] = arena_alloc(&a, i);
        assert_non_null(parts[i]);
        assert_int_equal((uintptr_t) parts[i] % _Alignof(max_align_t), 0);
        memset(parts[i], (int) i, i);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t at = 0; at < i; at++)
            assert_int_equal(parts[i][at], i);
    }
    arena_done(&a);
}

static void the_limit_holds_for_all_chunks_together(void **state)
{
    struct arena a;
    size_t allocated = 0;

    (void) state;
    arena_init(&a, 100000);
    while (arena_alloc(&a, 1000))
        allocated += 1000;
    assert_true(allocated > 90000 && allocated <= 100000);
    assert_true(a.total <= 100000);
    assert_null(arena_alloc(&a, 100001));
    assert_null(arena_alloc(&a, SIZE_MAX));
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 60000));
    arena_done(&a);
}

static void an_arena_that_is_reset_takes_no_more_memory(void **state)
{
    struct arena a;
    const struct arena_chunk *chunk;

    (void) state;
    arena_init(&a, 1 << 20);
    for (int i = 0; i < 8; i++)
        (void) arena_alloc(&a, 1000);
    arena_reset(&a);
    chunk = a.newest;
    for (int turn = 0; turn < 100; turn++) {
        for (int i = 0; i < 4; i++)
            (void) arena_alloc(&a, 1000);
        assert_ptr_equal(a.newest, chunk);
        arena_reset(&a);
    }
    arena_done(&a);
}

static void a_large_turn_leaves_nothing_behind(void **state)
{
    struct arena a;

    (void) state;
    arena_init(&a, 1 << 20);
    assert_non_null(arena_alloc(&a, 500000));
    arena_reset(&a);
    assert_int_equal(a.total, 0);
    arena_done(&a);
    arena_done(&a); /* a zeroed one too */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(allocations_are_aligned_and_apart),
            cmocka_unit_test(the_limit_holds_for_all_chunks_together),
            cmocka_unit_test(an_arena_that_is_reset_takes_no_more_memory),
            cmocka_unit_test(a_large_turn_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
