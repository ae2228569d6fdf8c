#include "base/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"

#define THINGS 64

struct thing {
    uint64_t key;
    struct heap_node node;
};

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void heap_is_empty_when_zeroed(void **state)
{
    struct heap h = {0};
    uint64_t key = 1;

    (void) state;
    assert_null(heap_first(&h, &key));
    assert_true(key == UINT64_MAX);
    heap_done(&h);
}

static void heap_gives_its_things_in_order_of_key(void **state)
{
    struct heap h = {0};
    struct thing things[THINGS] = {0};
    uint64_t key, last = 0, random = 88172645463325252u;
    struct heap_node *node;

    (void) state;
    for (size_t i = 0; i < THINGS; i++)
        heap_set(&h, &things[i].node, draw(&random) % 50);
    for (size_t i = 0; i < THINGS; i++) {
        node = heap_first(&h, &key);
        assert_true(key >= last);
        last = key;
        heap_remove(&h, node);
        assert_false(heap_node_is_in(node));
    }
    assert_null(heap_first(&h, &key));
    heap_done(&h);
}

static void heap_keeps_order_when_keys_move_and_things_leave(void **state)
{
    struct heap h = {0};
    struct thing things[THINGS] = {0};
    uint64_t random = 362436069362436069u, key;

    (void) state;
    for (int step = 0; step < 20000; step++) {
        struct thing *thing = &things[draw(&random) % THINGS];
        uint64_t least = UINT64_MAX;
        struct heap_node *first;

        if (draw(&random) % 4 == 0) {
            heap_remove(&h, &thing->node);
        } else {
            thing->key = draw(&random) % 1000;
            heap_set(&h, &thing->node, thing->key);
        }
        for (size_t i = 0; i < THINGS; i++) {
            if (heap_node_is_in(&things[i].node) && things[i].key < least)
                least = things[i].key;
        }
        first = heap_first(&h, &key);
        assert_true(key == least);
        if (first)
            assert_true(CONTAINER_OF(first, struct thing, node)->key == least);
    }
    heap_done(&h);
}

static void heap_hastens_a_thing_and_never_puts_it_off(void **state)
{
    struct heap h = {0};
    struct thing a = {0}, b = {0};
    uint64_t key;

    (void) state;
    heap_hasten(&h, &a.node, 10); /* was not in */
    heap_set(&h, &b.node, 5);
    heap_hasten(&h, &a.node, 20);
    assert_ptr_equal(heap_first(&h, &key), &b.node);
    heap_remove(&h, &b.node);
    assert_ptr_equal(heap_first(&h, &key), &a.node);
    assert_true(key == 10);
    heap_hasten(&h, &a.node, 9);
    (void) heap_first(&h, &key);
    assert_true(key == 9);
    heap_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(heap_is_empty_when_zeroed),
            cmocka_unit_test(heap_gives_its_things_in_order_of_key),
            cmocka_unit_test(heap_keeps_order_when_keys_move_and_things_leave),
            cmocka_unit_test(heap_hastens_a_thing_and_never_puts_it_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
