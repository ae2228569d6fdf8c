#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/pair_table.h"

#define FRIDGE  0xA4C13812AB56
#define KITCHEN 0x246F28AABBCC
#define HALL    0x246F28AABBCD

static int set_up(void **state)
{
    *state = pair_table_new(1);
    return 0;
}

static int tear_down(void **state)
{
    pair_table_free(*state);
    return 0;
}

static bool put(struct pair_table *t, uint64_t device, uint64_t proxy, uint32_t mtu, bool is_bonded)
{
    return pair_table_put(t, &(struct store_pair){device, proxy, mtu, is_bonded}, true);
}

static void drain(struct pair_table *t)
{
    struct store_pair pair;

    while (pair_table_take_dirty(t, &pair))
        ;
}

static void one_device_is_known_through_several_proxies(void **state)
{
    struct pair_table *t = *state;

    assert_null(pair_table_get(t, FRIDGE, KITCHEN));
    assert_true(put(t, FRIDGE, KITCHEN, 247, false));
    assert_true(put(t, FRIDGE, HALL, 0, true));
    assert_int_equal(pair_table_get(t, FRIDGE, KITCHEN)->mtu, 247);
    assert_false(pair_table_get(t, FRIDGE, KITCHEN)->is_bonded);
    assert_true(pair_table_get(t, FRIDGE, HALL)->is_bonded);
    assert_null(pair_table_get(t, FRIDGE + 1, HALL));
    assert_int_equal(pair_table_count(t), 2);
}

static void what_is_no_news_is_not_written_again(void **state)
{
    struct pair_table *t = *state;
    struct store_pair pair;

    assert_true(put(t, FRIDGE, KITCHEN, 247, false));
    assert_true(pair_table_take_dirty(t, &pair));
    assert_int_equal(pair.device, FRIDGE);
    assert_int_equal(pair.proxy, KITCHEN);
    assert_int_equal(pair.mtu, 247);
    assert_false(pair_table_take_dirty(t, &pair));
    assert_false(put(t, FRIDGE, KITCHEN, 247, false));
    assert_false(pair_table_is_dirty(t));
    assert_true(put(t, FRIDGE, KITCHEN, 247, true));
    assert_true(pair_table_is_dirty(t));
}

static void what_the_file_has_is_no_news(void **state)
{
    struct pair_table *t = *state;

    pair_table_load(t, &(struct store_pair){FRIDGE, KITCHEN, 100, true});
    assert_false(pair_table_is_dirty(t));
    assert_int_equal(pair_table_get(t, FRIDGE, KITCHEN)->mtu, 100);
}

static void a_pair_that_goes_is_told_to_the_file_once(void **state)
{
    struct pair_table *t = *state;
    struct store_pair pair;

    (void) put(t, FRIDGE, KITCHEN, 247, true);
    (void) put(t, FRIDGE, HALL, 100, false);
    drain(t);
    assert_true(put(t, FRIDGE, KITCHEN, 0, false));
    assert_null(pair_table_get(t, FRIDGE, KITCHEN));
    assert_false(put(t, FRIDGE, KITCHEN, 0, false));
    assert_true(pair_table_drop_device(t, FRIDGE));
    assert_int_equal(pair_table_count(t), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(pair_table_take_dirty(t, &pair));
        assert_int_equal(pair.device, FRIDGE);
        assert_int_equal(pair.mtu, 0);
        assert_false(pair.is_bonded);
    }
    assert_false(pair_table_take_dirty(t, &pair));
    assert_false(pair_table_drop_device(t, FRIDGE));
}

static void what_went_and_came_back_is_written(void **state)
{
    struct pair_table *t = *state;
    struct store_pair pair;

    (void) put(t, FRIDGE, KITCHEN, 247, false);
    drain(t);
    (void) put(t, FRIDGE, KITCHEN, 0, false);
    assert_true(put(t, FRIDGE, KITCHEN, 100, false));
    assert_true(pair_table_take_dirty(t, &pair));
    assert_int_equal(pair.mtu, 100);
    assert_int_equal(pair_table_count(t), 1);
}

static void what_is_not_for_the_file_never_reaches_it(void **state)
{
    struct pair_table *t = *state;

    assert_false(pair_table_put(t, &(struct store_pair){FRIDGE, KITCHEN, 247, false}, false));
    assert_int_equal(pair_table_get(t, FRIDGE, KITCHEN)->mtu, 247);
    assert_false(pair_table_drop_device(t, FRIDGE));
    assert_false(pair_table_is_dirty(t));
    assert_null(pair_table_get(t, FRIDGE, KITCHEN));
}

static void what_could_not_be_written_is_marked_again(void **state)
{
    struct pair_table *t = *state;
    struct store_pair pair;

    (void) put(t, FRIDGE, KITCHEN, 247, false);
    (void) put(t, FRIDGE, HALL, 247, false);
    (void) put(t, FRIDGE, HALL, 0, false);
    drain(t);
    pair_table_mark(t, FRIDGE, KITCHEN);
    pair_table_mark(t, FRIDGE, HALL);
    assert_true(pair_table_take_dirty(t, &pair));
    assert_int_equal(pair.proxy, HALL);
    assert_int_equal(pair.mtu, 0);
    assert_true(pair_table_take_dirty(t, &pair));
    assert_int_equal(pair.proxy, KITCHEN);
    assert_int_equal(pair.mtu, 247);
    assert_false(pair_table_take_dirty(t, &pair));
}

static void of_too_many_the_oldest_without_a_bond_goes(void **state)
{
    struct pair_table *t = *state;

    (void) put(t, 1, KITCHEN, 23, true);
    for (uint64_t i = 2; i <= PAIR_TABLE_MAX; i++)
        (void) put(t, i, KITCHEN, 23, false);
    assert_int_equal(pair_table_count(t), PAIR_TABLE_MAX);
    drain(t);
    (void) put(t, 2, KITCHEN, 24, false); /* put again: the newest */
    assert_true(put(t, FRIDGE, KITCHEN, 23, false));
    assert_int_equal(pair_table_count(t), PAIR_TABLE_MAX);
    assert_non_null(pair_table_get(t, 1, KITCHEN));
    assert_non_null(pair_table_get(t, 2, KITCHEN));
    assert_null(pair_table_get(t, 3, KITCHEN));
    assert_non_null(pair_table_get(t, FRIDGE, KITCHEN));
}

static void of_bonds_alone_the_oldest_goes(void **state)
{
    struct pair_table *t = *state;

    for (uint64_t i = 1; i <= PAIR_TABLE_MAX; i++)
        (void) put(t, i, KITCHEN, 23, true);
    assert_true(put(t, FRIDGE, KITCHEN, 23, false));
    assert_null(pair_table_get(t, 1, KITCHEN));
    assert_non_null(pair_table_get(t, 2, KITCHEN));
}

static void those_that_wait_to_go_are_bounded_too(void **state)
{
    struct pair_table *t = *state;
    struct store_pair pair;
    size_t waiting = 0;

    for (uint64_t i = 1; i <= 3 * PAIR_TABLE_MAX; i++)
        (void) put(t, i, KITCHEN, 23, false);
    for (uint64_t i = 1; i <= 10; i++)
        pair_table_mark(t, i + FRIDGE, KITCHEN);
    assert_int_equal(pair_table_count(t), PAIR_TABLE_MAX);
    while (pair_table_take_dirty(t, &pair))
        waiting++;
    assert_int_equal(waiting, 2 * PAIR_TABLE_MAX);
    assert_int_equal(pair_table_count(t), PAIR_TABLE_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(one_device_is_known_through_several_proxies),
            TEST(what_is_no_news_is_not_written_again),
            TEST(what_the_file_has_is_no_news),
            TEST(a_pair_that_goes_is_told_to_the_file_once),
            TEST(what_went_and_came_back_is_written),
            TEST(what_is_not_for_the_file_never_reaches_it),
            TEST(what_could_not_be_written_is_marked_again),
            TEST(of_too_many_the_oldest_without_a_bond_goes),
            TEST(of_bonds_alone_the_oldest_goes),
            TEST(those_that_wait_to_go_are_bounded_too),
    };

    return cmocka_run_group_tests_name("store.pair_table", tests, NULL, NULL);
}
