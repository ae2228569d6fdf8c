#include "base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static void slab_blocks_of_all_sizes_are_aligned_and_apart(void **state)
{
    static const size_t sizes[] = {1,   15,  16,   17,   255,   256,   257,   320,           321,
                                   512, 513, 1024, 5000, 16384, 20000, 65536, SLAB_BLOCK_MAX};
    struct slab *s = slab_new();
    uint8_t *blocks[ARRAY_SIZE(sizes)];

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        blocks[i] = slab_take(s, sizes[i]);
        assert_int_equal((uintptr_t) blocks[i] % 16, 0);
        memset(blocks[i], (int) i, sizes[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        assert_int_equal(blocks[i][0], i);
        assert_int_equal(blocks[i][sizes[i] - 1], i);
    }
    slab_free(s);
}

static void slab_hands_out_again_what_was_given_back(void **state)
{
    struct slab *s = slab_new();
    void *block = slab_take(s, 300);

    (void) state;
    slab_give(s, block, 300);
    assert_ptr_equal(slab_take(s, 310), block); /* the same class */
    slab_free(s);
}

static void slab_of_steady_use_does_not_grow(void **state)
{
    struct slab *s = slab_new();
    void *blocks[100];
    size_t bytes = 0;

    (void) state;
    for (size_t round = 0; round < 100; round++) {
        for (size_t i = 0; i < 100; i++)
            blocks[i] = slab_take(s, i * 40 + 1);
        for (size_t i = 0; i < 100; i++)
            slab_give(s, blocks[i], i * 40 + 1);
        if (round == 0)
            bytes = slab_bytes(s);
        assert_int_equal(slab_bytes(s), bytes);
    }
    slab_free(s);
}

static void slab_resize_keeps_the_octets(void **state)
{
    struct slab *s = slab_new();
    char *block = slab_resize(s, NULL, 0, 4);

    (void) state;
    memcpy(block, "abc", 4);
    block = slab_resize(s, block, 4, 4000);
    assert_string_equal(block, "abc");
    block = slab_resize(s, block, 4000, 4);
    assert_string_equal(block, "abc");
    slab_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(slab_blocks_of_all_sizes_are_aligned_and_apart),
            cmocka_unit_test(slab_hands_out_again_what_was_given_back),
            cmocka_unit_test(slab_of_steady_use_does_not_grow),
            cmocka_unit_test(slab_resize_keeps_the_octets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
