#include "link/experience.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW     (CLOCK_START + 5000 * USEC_PER_SEC)
#define DEVICE  UINT64_C(0xAABBCCDDEEFF)
#define KITCHEN 3
#define ATTIC   7

static int set_up(void **state)
{
    *state = experience_new();
    return 0;
}

static int tear_down(void **state)
{
    experience_free(*state);
    return 0;
}

static void assert_near(double value, double expected)
{
    assert_true(fabs(value - expected) < 1e-9);
}

static double failures(const struct experience *e, uint16_t source, usec_t now)
{
    return experience_failures(e, source, DEVICE, now, NULL);
}

static void what_was_never_tried_has_no_failures(void **state)
{
    struct experience_proxy proxy = {.failed = 9};
    unsigned raw = 9;

    assert_near(experience_failures(*state, KITCHEN, DEVICE, NOW, &raw), 0);
    assert_int_equal(raw, 0);
    experience_get_proxy(*state, UINT16_MAX, &proxy);
    assert_int_equal(proxy.completed + proxy.failed + proxy.last_success, 0);
    assert_int_equal(experience_pairs(*state), 0);
}

static void C03_a_failure_fades_by_half_every_two_minutes(void **state)
{
    experience_failed(*state, KITCHEN, DEVICE, NOW);
    assert_near(failures(*state, KITCHEN, NOW), 1);
    assert_near(failures(*state, KITCHEN, NOW + EXPERIENCE_HALF_LIFE), 0.5);
    assert_near(failures(*state, KITCHEN, NOW + 2 * EXPERIENCE_HALF_LIFE), 0.25);
    assert_true(failures(*state, KITCHEN, NOW + 24 * 3600 * USEC_PER_SEC) < 1e-9);
    assert_near(failures(*state, ATTIC, NOW), 0);
    assert_near(experience_failures(*state, KITCHEN, DEVICE + 1, NOW, NULL), 0);
}

static void C03_failures_add_up_while_they_fade(void **state)
{
    unsigned raw;

    experience_failed(*state, KITCHEN, DEVICE, NOW);
    experience_failed(*state, KITCHEN, DEVICE, NOW + EXPERIENCE_HALF_LIFE);
    assert_near(failures(*state, KITCHEN, NOW + EXPERIENCE_HALF_LIFE), 1.5);
    experience_failed(*state, KITCHEN, DEVICE, NOW + 2 * EXPERIENCE_HALF_LIFE);
    assert_near(experience_failures(*state, KITCHEN, DEVICE, NOW + 2 * EXPERIENCE_HALF_LIFE, &raw),
                1.75);
    assert_int_equal(raw, 3);
}

static void C03_a_success_forgets_the_failures_of_this_pair_alone(void **state)
{
    unsigned raw;

    experience_failed(*state, KITCHEN, DEVICE, NOW);
    experience_failed(*state, ATTIC, DEVICE, NOW);
    experience_succeeded(*state, KITCHEN, DEVICE, NOW + 1);
    assert_near(experience_failures(*state, KITCHEN, DEVICE, NOW + 1, &raw), 0);
    assert_int_equal(raw, 0);
    assert_near(failures(*state, ATTIC, NOW), 1);
    assert_int_equal(experience_pairs(*state), 1);
    experience_failed(*state, KITCHEN, DEVICE, NOW + 2);
    assert_near(failures(*state, KITCHEN, NOW + 2), 1);
}

static void totals_and_the_last_success_of_each_proxy_are_kept(void **state)
{
    struct experience_proxy proxy;

    experience_succeeded(*state, ATTIC, DEVICE, NOW);
    experience_failed(*state, ATTIC, DEVICE, NOW + 1);
    experience_succeeded(*state, ATTIC, DEVICE + 1, NOW + 2);
    experience_failed(*state, UINT16_MAX, DEVICE, NOW + 3);
    experience_get_proxy(*state, ATTIC, &proxy);
    assert_int_equal(proxy.completed, 2);
    assert_int_equal(proxy.failed, 1);
    assert_int_equal(proxy.last_success, NOW + 2);
    experience_get_proxy(*state, UINT16_MAX, &proxy);
    assert_int_equal(proxy.completed, 0);
    assert_int_equal(proxy.failed, 1);
    assert_int_equal(proxy.last_success, 0);
}

static void a_moment_before_the_failure_does_not_make_it_more(void **state)
{
    experience_failed(*state, KITCHEN, DEVICE, NOW);
    assert_near(failures(*state, KITCHEN, NOW - EXPERIENCE_HALF_LIFE), 1);
}

static void fill(struct experience *e)
{
    for (uint64_t i = 0; i < EXPERIENCE_PAIRS_MAX; i++)
        experience_failed(e, KITCHEN, DEVICE + i, NOW + i);
}

static void pairs_are_bounded_and_the_least_recent_goes_first(void **state)
{
    usec_t later = NOW + EXPERIENCE_PAIRS_MAX;

    fill(*state);
    experience_failed(*state, KITCHEN, DEVICE, later);
    assert_int_equal(experience_pairs(*state), EXPERIENCE_PAIRS_MAX);
    experience_failed(*state, ATTIC, DEVICE, later + 1);
    assert_int_equal(experience_pairs(*state), EXPERIENCE_PAIRS_MAX);
    assert_near(failures(*state, ATTIC, later + 1), 1);
    assert_true(failures(*state, KITCHEN, later) > 1.9);
    assert_near(experience_failures(*state, KITCHEN, DEVICE + 1, later, NULL), 0);
    assert_true(experience_failures(*state, KITCHEN, DEVICE + 2, later, NULL) > 0.9);
}

static void a_success_makes_room_in_the_middle(void **state)
{
    fill(*state);
    experience_succeeded(*state, KITCHEN, DEVICE, NOW);
    experience_succeeded(*state, KITCHEN, DEVICE + 100, NOW);
    experience_succeeded(*state, KITCHEN, DEVICE + EXPERIENCE_PAIRS_MAX - 1, NOW);
    assert_int_equal(experience_pairs(*state), EXPERIENCE_PAIRS_MAX - 3);
    for (uint64_t i = 0; i < 4; i++)
        experience_failed(*state, ATTIC, DEVICE + i, NOW);
    assert_int_equal(experience_pairs(*state), EXPERIENCE_PAIRS_MAX);
    assert_near(experience_failures(*state, KITCHEN, DEVICE + 1, NOW, NULL), 0);
    assert_true(experience_failures(*state, KITCHEN, DEVICE + 2, NOW, NULL) > 0.9);
}

static void a_proxy_that_is_gone_leaves_no_experience(void **state)
{
    struct experience_proxy proxy;

    experience_failed(*state, KITCHEN, DEVICE, NOW);
    experience_failed(*state, KITCHEN, DEVICE + 1, NOW);
    experience_failed(*state, ATTIC, DEVICE, NOW);
    experience_succeeded(*state, KITCHEN, DEVICE + 2, NOW);
    experience_forget_source(*state, KITCHEN);
    experience_forget_source(*state, 4000); /* never heard of */
    assert_int_equal(experience_pairs(*state), 1);
    assert_near(failures(*state, KITCHEN, NOW), 0);
    assert_near(failures(*state, ATTIC, NOW), 1);
    experience_get_proxy(*state, KITCHEN, &proxy);
    assert_int_equal(proxy.completed + proxy.failed + proxy.last_success, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
            TEST(what_was_never_tried_has_no_failures),
            TEST(C03_a_failure_fades_by_half_every_two_minutes),
            TEST(C03_failures_add_up_while_they_fade),
            TEST(C03_a_success_forgets_the_failures_of_this_pair_alone),
            TEST(totals_and_the_last_success_of_each_proxy_are_kept),
            TEST(a_moment_before_the_failure_does_not_make_it_more),
            TEST(pairs_are_bounded_and_the_least_recent_goes_first),
            TEST(a_success_makes_room_in_the_middle),
            TEST(a_proxy_that_is_gone_leaves_no_experience),
    };
#undef TEST

    experience_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
