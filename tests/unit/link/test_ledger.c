#include "ledger_fixture.h"

#define P 7 /* proxies */
#define Q 4000
#define A 0xA4C138000001 /* devices */
#define B 0xA4C138000002
#define C 0xA4C138000003
#define F 0xF00000000001 /* whose links are not ours */

static struct ledger *with_proxy(uint32_t limit)
{
    struct ledger *l = ledger_new();

    ledger_online(l, P, AT(0));
    if (limit > 0)
        ledger_told(l, P, limit, limit, NULL, 0, AT(0));
    return l;
}

static void establish(struct ledger *l, uint16_t source, uint64_t address, usec_t now)
{
    assert_int_equal(ledger_reserve(l, source, address, now), 0);
    assert_true(ledger_establish(l, source, address, now));
}

static void open_link(struct ledger *l, uint16_t source, uint64_t address, usec_t now)
{
    establish(l, source, address, now);
    ledger_opened(l, source, address, now);
}

/* ---- reserving ---- */

static void reservations_count_before_the_proxy_tells_them(void **state)
{
    struct ledger *l = with_proxy(2);

    (void) state;
    assert_int_equal(free_of(l, P), 2);
    assert_int_equal(ledger_reserve(l, P, A, AT(1)), 0);
    assert_int_equal(free_of(l, P), 1);
    assert_int_equal(ledger_reserve(l, P, B, AT(1)), 0);
    assert_int_equal(free_of(l, P), 0);
    assert_int_equal(ledger_reserve(l, P, C, AT(1)), E_NO_FREE_SLOT);
    ledger_released(l, P, A, false, AT(2));
    assert_int_equal(ledger_reserve(l, P, C, AT(2)), 0);
    check_proxy(l, P, AT(2));
    ledger_free(l);
}

static void C05_ten_wishes_for_three_slots_take_three_and_one_is_established_at_a_time(void **state)
{
    struct ledger *l = with_proxy(3);
    unsigned reserved = 0, establishing = 0;

    (void) state;
    for (uint64_t i = 0; i < 10; i++)
        reserved += ledger_reserve(l, P, A + i, AT(1)) == 0;
    assert_int_equal(reserved, 3);
    for (uint64_t i = 0; i < 10; i++)
        establishing += ledger_establish(l, P, A + i, AT(1));
    assert_int_equal(establishing, 1);
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(2));
    assert_int_equal(free_of(l, P), 0);
    assert_false(ledger_establish(l, P, A + 1, AT(2)));
    ledger_opened(l, P, A, AT(3));
    assert_true(ledger_establish(l, P, A + 1, AT(3)));
    ledger_closing(l, P, A + 1, AT(4));
    assert_true(ledger_establish(l, P, A + 2, AT(4)));
    ledger_told(l, P, 3, 0, ADDRESSES(A, A + 1, A + 2), AT(5));
    assert_int_equal(free_of(l, P), 0);
    check_proxy(l, P, AT(5));
    ledger_free(l);
}

static void an_address_is_reserved_once(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    assert_int_equal(ledger_reserve(l, P, A, AT(1)), 0);
    assert_int_equal(ledger_reserve(l, P, A, AT(1)), E_CONFLICT);
    ledger_online(l, Q, AT(1));
    assert_int_equal(ledger_reserve(l, Q, A, AT(1)), 0);
    ledger_free(l);
}

static void slots_of_others_are_not_ours_to_take(void **state)
{
    struct ledger *l = with_proxy(0);
    struct ledger_slot s;

    (void) state;
    ledger_told(l, P, 2, 1, ADDRESSES(F), AT(1));
    assert_int_equal(free_of(l, P), 1);
    assert_int_equal(ledger_reserve(l, P, A, AT(2)), 0);
    assert_int_equal(ledger_reserve(l, P, B, AT(2)), E_NO_FREE_SLOT);
    assert_true(ledger_get_slot(l, P, 0, &s));
    assert_int_equal(s.address, A);
    assert_int_equal(s.holder, SLOT_OURS);
    assert_int_equal(s.since, AT(2));
    assert_false(s.is_listed);
    assert_true(ledger_get_slot(l, P, 1, &s));
    assert_int_equal(s.address, F);
    assert_int_equal(s.holder, SLOT_FOREIGN);
    assert_int_equal(s.since, AT(1));
    assert_true(s.is_listed);
    assert_false(ledger_get_slot(l, P, 2, &s));
    ledger_told(l, P, 2, 0, ADDRESSES(F, A), AT(9)); /* it stays since then */
    assert_true(slot_of(l, P, F, &s));
    assert_int_equal(s.since, AT(1));
    assert_true(slot_of(l, P, A, &s));
    assert_true(s.is_listed);
    assert_nothing_found(l, AT(1000));
    ledger_free(l);
}

static void a_listed_address_shares_the_slot_that_it_has(void **state)
{
    struct ledger *l = with_proxy(0);

    (void) state;
    ledger_told(l, P, 2, 1, ADDRESSES(A), AT(1));
    assert_int_equal(ledger_reserve(l, P, A, AT(2)), 0);
    assert_int_equal(free_of(l, P), 1);
    ledger_told(l, P, 2, 2, NULL, 0, AT(3));
    assert_int_equal(free_of(l, P), 1);
    ledger_free(l);
}

static void X07_unknown_slots_are_tried_one_at_a_time(void **state)
{
    struct ledger *l = with_proxy(0);

    (void) state;
    assert_int_equal(ledger_deadline(l), USEC_NEVER);
    assert_int_equal(free_of(l, P), UINT32_MAX);
    establish(l, P, A, AT(1));
    assert_int_equal(ledger_reserve(l, P, B, AT(1)), 0);
    assert_false(ledger_establish(l, P, B, AT(1)));
    ledger_told(l, P, 0, 0, NULL, 0, AT(2)); /* a limit of 0 says nothing */
    assert_int_equal(free_of(l, P), UINT32_MAX);
    assert_false(proxy_of(l, P, AT(2)).has_slots);
    ledger_opened(l, P, A, AT(3));
    assert_true(ledger_establish(l, P, B, AT(3)));
    assert_nothing_found(l, AT(100));
    ledger_free(l);
}

static void we_hold_no_more_slots_of_a_proxy_than_can_be_kept(void **state)
{
    struct ledger *l = with_proxy(UINT32_MAX);

    (void) state;
    assert_int_equal(free_of(l, P), LEDGER_ADDRESSES_MAX);
    for (uint64_t i = 0; i < LEDGER_ADDRESSES_MAX; i++)
        assert_int_equal(ledger_reserve(l, P, A + i, AT(1)), 0);
    assert_int_equal(ledger_reserve(l, P, B + 100, AT(1)), E_NO_FREE_SLOT);
    ledger_told(l, P, 0, 0, NULL, 0, AT(2));
    assert_int_equal(ledger_reserve(l, P, B + 100, AT(2)), E_NO_FREE_SLOT);
    ledger_released(l, P, A, false, AT(2));
    assert_int_equal(free_of(l, P), UINT32_MAX);
    assert_int_equal(ledger_reserve(l, P, B + 100, AT(2)), 0);
    check_proxy(l, P, AT(2));
    ledger_free(l);
}

/* ---- conversations ---- */

static void X04_a_lost_proxy_has_no_slots_and_nothing_can_be_reserved(void **state)
{
    struct ledger *l = with_proxy(3);
    struct ledger_slot s;

    (void) state;
    open_link(l, P, A, AT(1));
    ledger_told(l, P, 3, 1, ADDRESSES(A, F), AT(1));
    ledger_offline(l, P);
    check_proxy(l, P, AT(2));
    assert_false(proxy_of(l, P, AT(2)).is_online);
    assert_false(ledger_get_slot(l, P, 0, &s));
    assert_int_equal(ledger_reserve(l, P, B, AT(2)), E_PROXY_OFFLINE);
    ledger_told(l, P, 3, 3, NULL, 0, AT(2)); /* too late */
    assert_int_equal(free_of(l, P), 0);
    assert_false(ledger_establish(l, P, A, AT(2)));
    ledger_opened(l, P, A, AT(2));
    ledger_closing(l, P, A, AT(2));
    ledger_released(l, P, A, true, AT(2));
    assert_int_equal(ledger_held_off(l, P, A, AT(2)), 0);
    ledger_offline(l, P);
    assert_int_equal(ledger_deadline(l), USEC_NEVER);
    ledger_free(l);
}

static void a_new_conversation_knows_nothing_of_the_old_one(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    open_link(l, P, A, AT(1));
    ledger_told(l, P, 3, 1, ADDRESSES(A, F), AT(1));
    establish(l, P, B, AT(1));
    ledger_released(l, P, B, true, AT(1));
    ledger_online(l, P, AT(2));
    assert_int_equal(free_of(l, P), UINT32_MAX);
    assert_false(proxy_of(l, P, AT(2)).tells_list);
    assert_int_equal(ledger_held_off(l, P, B, AT(2)), 0);
    assert_int_equal(ledger_deadline(l), USEC_NEVER);
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(3)); /* ours, but of another conversation */
    assert_nothing_found(l, AT(100));
    assert_int_equal(ledger_reserve(l, P, A, AT(100)), 0);
    check_proxy(l, P, AT(100));
    ledger_free(l);
    ledger_free(NULL);
}

/* ---- the list ---- */

static void X05_an_open_link_that_a_consistent_list_misses_is_lost(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    open_link(l, P, A, AT(1));
    ledger_told(l, P, 3, 1, ADDRESSES(F, A), AT(1));
    assert_nothing_found(l, AT(1));
    ledger_told(l, P, 3, 2, ADDRESSES(F), AT(1) + 1); /* it was listed: no need to wait */
    assert_int_equal(ledger_deadline(l), AT(1) + 1);
    assert_found(l, AT(1) + 1, LEDGER_LOST, P, A);
    assert_int_equal(ledger_deadline(l), USEC_NEVER);
    ledger_told(l, P, 3, 2, ADDRESSES(F), AT(2)); /* still there: said again */
    assert_found(l, AT(2), LEDGER_LOST, P, A);
    ledger_released(l, P, A, false, AT(2));
    ledger_told(l, P, 3, 2, ADDRESSES(F), AT(3));
    assert_nothing_found(l, AT(3));
    ledger_free(l);
}

static void X05_a_list_that_came_within_2_seconds_of_the_opening_may_be_older(void **state)
{
    (void) state;
    for (usec_t late = 0; late < 2; late++) {
        struct ledger *l = with_proxy(3);

        open_link(l, P, A, AT(1));
        ledger_told(l, P, 3, 2, ADDRESSES(F), AT(3) - 1 + late);
        if (late)
            assert_found(l, AT(3), LEDGER_LOST, P, A);
        else
            assert_nothing_found(l, AT(60));
        ledger_free(l);
    }
}

static void X05_only_open_links_are_lost(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    assert_int_equal(ledger_reserve(l, P, A, AT(0)), 0);
    ledger_told(l, P, 3, 3, NULL, 0, AT(10));
    assert_true(ledger_establish(l, P, A, AT(10)));
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(11));
    ledger_told(l, P, 3, 3, NULL, 0, AT(20));
    assert_nothing_found(l, AT(20));
    ledger_opened(l, P, A, AT(21));
    ledger_told(l, P, 3, 3, NULL, 0, AT(24));
    ledger_closing(l, P, A, AT(24)); /* before anybody asked */
    assert_int_equal(ledger_deadline(l), USEC_NEVER);
    assert_nothing_found(l, AT(24));
    ledger_told(l, P, 3, 3, NULL, 0, AT(30));
    assert_nothing_found(l, AT(30));
    ledger_free(l);
}

static void X05_a_list_from_before_the_request_says_nothing_of_the_link(void **state)
{
    struct ledger *l = with_proxy(0);

    (void) state;
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(1)); /* somebody's of old */
    assert_int_equal(ledger_reserve(l, P, A, AT(2)), 0);
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(2)); /* nothing was sent yet */
    assert_true(ledger_establish(l, P, A, AT(2)));
    ledger_opened(l, P, A, AT(3));
    ledger_told(l, P, 3, 3, NULL, 0, AT(4));
    assert_nothing_found(l, AT(4));
    ledger_free(l);
}

static void X05_a_list_that_contradicts_itself_is_said_once_and_nothing_is_done(void **state)
{
    static const uint64_t too_many[LEDGER_ADDRESSES_MAX + 1] = {1,  2,  3,  4,  5,  6,  7,  8, 9,
                                                                10, 11, 12, 13, 14, 15, 16, 17};
    const struct {
        uint32_t limit, free;
        const uint64_t *addresses;
        size_t count;
    } lists[] = {
            {3, 1, ADDRESSES(F)},        /* too short */
            {3, 2, ADDRESSES(F, F + 1)}, /* too long */
            {1, 1, ADDRESSES(F)},
            {3, 1, ADDRESSES(F, F)}, /* twice the same */
            {3, 4, NULL, 0},         /* more free than there are */
            {3, UINT32_MAX, ADDRESSES(F)},
            {20, 3, too_many, 17}, /* more than are kept */
    };

    (void) state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct ledger *l = with_proxy(3);

        open_link(l, P, A, AT(1));
        ledger_told(l, P, 3, 2, ADDRESSES(A), AT(2));
        assert_true(proxy_of(l, P, AT(2)).is_consistent);
        for (int again = 0; again < 3; again++) {
            ledger_told(l, P, lists[i].limit, lists[i].free, lists[i].addresses, lists[i].count,
                        AT(10 + again));
            assert_false(proxy_of(l, P, AT(10)).is_consistent);
            check_proxy(l, P, AT(10 + again));
            if (again == 0)
                assert_found(l, AT(10), LEDGER_INCONSISTENT, P, 0);
            assert_nothing_found(l, AT(10 + again));
        }
        ledger_online(l, P, AT(20));
        ledger_told(l, P, lists[i].limit, lists[i].free, lists[i].addresses, lists[i].count,
                    AT(20));
        assert_found(l, AT(20), LEDGER_INCONSISTENT, P, 0);
        ledger_free(l);
    }
}

static void a_list_that_became_empty_with_slots_taken_is_inconsistent(void **state)
{
    struct ledger *l = with_proxy(0);

    (void) state;
    ledger_told(l, P, 3, 2, ADDRESSES(F), AT(1));
    ledger_told(l, P, 3, 2, NULL, 0, AT(2));
    assert_true(proxy_of(l, P, AT(2)).tells_list);
    assert_found(l, AT(2), LEDGER_INCONSISTENT, P, 0);
    assert_int_equal(free_of(l, P), 2);
    ledger_free(l);
}

static void as_many_addresses_are_kept_as_fit_each_once(void **state)
{
    struct ledger *l = with_proxy(0);
    struct ledger_slot s;
    uint64_t addresses[1000];
    size_t count = 0;

    (void) state;
    for (size_t i = 0; i < 1000; i++)
        addresses[i] = F + i / 2;
    ledger_told(l, P, 2000, 1000, addresses, 1000, AT(1));
    for (; ledger_get_slot(l, P, count, &s); count++)
        assert_int_equal(s.address, F + count);
    assert_int_equal(count, LEDGER_ADDRESSES_MAX);
    check_proxy(l, P, AT(1));
    ledger_free(l);
}

/* ---- firmware without a list ---- */

static void without_a_list_the_numbers_show_when_ours_is_in_them(void **state)
{
    struct ledger *l = with_proxy(0);

    (void) state;
    ledger_told(l, P, 4, 3, NULL, 0, AT(1)); /* one is somebody else's */
    assert_false(proxy_of(l, P, AT(1)).tells_list);
    establish(l, P, A, AT(2));
    assert_int_equal(free_of(l, P), 2);
    ledger_told(l, P, 4, 3, NULL, 0, AT(2)); /* sent before it was accepted */
    assert_int_equal(free_of(l, P), 2);
    ledger_told(l, P, 4, 2, NULL, 0, AT(3));
    assert_int_equal(free_of(l, P), 2);
    ledger_opened(l, P, A, AT(4));
    ledger_told(l, P, 4, 2, NULL, 0, AT(4));
    assert_int_equal(free_of(l, P), 2);
    assert_int_equal(ledger_reserve(l, P, B, AT(5)), 0);
    ledger_told(l, P, 4, 1, NULL, 0, AT(5)); /* another one of somebody else's: nothing was sent */
    assert_int_equal(free_of(l, P), 0);
    ledger_closing(l, P, A, AT(6));
    assert_int_equal(free_of(l, P), 0);
    ledger_released(l, P, A, false, AT(7));
    assert_int_equal(free_of(l, P), 0); /* until it is told */
    ledger_told(l, P, 4, 2, NULL, 0, AT(7));
    assert_int_equal(free_of(l, P), 1);
    assert_nothing_found(l, AT(100));
    ledger_free(l);
}

static void without_a_list_two_that_were_asked_for_are_counted_as_the_numbers_grow(void **state)
{
    struct ledger *l = with_proxy(0);

    (void) state;
    ledger_told(l, P, 5, 4, NULL, 0, AT(1)); /* one is somebody else's */
    establish(l, P, A, AT(1));
    ledger_closing(l, P, A, AT(2)); /* given up before anything was told */
    establish(l, P, B, AT(2));
    assert_int_equal(free_of(l, P), 2);
    ledger_told(l, P, 5, 3, NULL, 0, AT(3));
    assert_int_equal(free_of(l, P), 2);
    ledger_told(l, P, 5, 2, NULL, 0, AT(4));
    assert_int_equal(free_of(l, P), 2);
    ledger_told(l, P, 5, 1, NULL, 0, AT(5)); /* somebody else */
    assert_int_equal(free_of(l, P), 1);
    ledger_free(l);
}

static void without_a_list_a_slot_less_is_one_of_somebody_else(void **state)
{
    struct ledger *l = with_proxy(0);

    (void) state;
    ledger_told(l, P, 3, 2, NULL, 0, AT(1));
    establish(l, P, A, AT(2));
    ledger_told(l, P, 3, 1, NULL, 0, AT(2));
    assert_int_equal(free_of(l, P), 1);
    ledger_told(l, P, 3, 2, NULL, 0, AT(3)); /* ours would have ended with a word */
    assert_int_equal(free_of(l, P), 2);
    ledger_free(l);
}

static void without_a_list_a_slot_that_was_given_up_stays_taken(void **state)
{
    struct ledger *l = with_proxy(2);

    (void) state;
    establish(l, P, A, AT(1));
    ledger_told(l, P, 2, 1, NULL, 0, AT(1));
    ledger_released(l, P, A, false, AT(20));
    establish(l, P, B, AT(20));
    ledger_told(l, P, 2, 1, NULL, 0, AT(20)); /* A's still, not B's */
    assert_int_equal(free_of(l, P), 0);
    ledger_told(l, P, 2, 0, NULL, 0, AT(21));
    ledger_opened(l, P, B, AT(21));
    assert_int_equal(free_of(l, P), 0);
    ledger_told(l, P, 2, 1, NULL, 0, AT(22)); /* A's is free now */
    assert_int_equal(free_of(l, P), 1);
    ledger_free(l);
}

static void without_a_list_a_proxy_without_links_has_lost_ours(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    open_link(l, P, A, AT(1));
    ledger_told(l, P, 3, 2, NULL, 0, AT(1));
    assert_nothing_found(l, AT(1));
    ledger_told(l, P, 3, 3, NULL, 0, AT(3));
    assert_found(l, AT(3), LEDGER_LOST, P, A);
    ledger_free(l);
}

/* ---- holding off ---- */

static void C15_a_failed_address_waits_until_it_left_the_list(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    establish(l, P, A, AT(1));
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(1));
    ledger_released(l, P, A, true, AT(2));
    assert_int_equal(free_of(l, P), 2); /* it is taken as long as it is listed */
    assert_int_equal(ledger_held_off(l, P, A, AT(2)), AT(12));
    assert_int_equal(ledger_reserve(l, P, A, AT(2)), E_CONFLICT);
    assert_int_equal(ledger_held_off(l, P, B, AT(2)), 0);
    assert_int_equal(ledger_held_off(l, Q, A, AT(2)), 0);
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(3));
    assert_int_equal(ledger_held_off(l, P, A, AT(3)), AT(12));
    ledger_told(l, P, 3, 2, NULL, 0, AT(4)); /* contradicts itself */
    assert_int_equal(ledger_held_off(l, P, A, AT(4)), AT(12));
    ledger_told(l, P, 3, 3, NULL, 0, AT(5));
    assert_int_equal(ledger_held_off(l, P, A, AT(5)), 0);
    assert_int_equal(ledger_reserve(l, P, A, AT(5)), 0);
    ledger_free(l);
}

static void C15_a_failed_address_that_stays_in_the_list_waits_for_10_seconds(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    establish(l, P, A, AT(1));
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(1));
    ledger_released(l, P, A, true, AT(2));
    assert_found(l, AT(7), LEDGER_ORPHANED, P, A);
    assert_int_equal(ledger_deadline(l), AT(12));
    assert_int_equal(ledger_held_off(l, P, A, AT(12) - 1), AT(12));
    assert_int_equal(ledger_reserve(l, P, A, AT(12) - 1), E_CONFLICT);
    assert_int_equal(ledger_held_off(l, P, A, AT(12)), 0);
    assert_nothing_found(l, AT(12));
    assert_int_equal(ledger_deadline(l), AT(17)); /* the orphan, again */
    assert_int_equal(ledger_reserve(l, P, A, AT(12)), 0);
    ledger_free(l);
}

static void C15_without_a_list_a_failed_address_waits_for_2_seconds(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    establish(l, P, A, AT(1));
    ledger_told(l, P, 3, 2, NULL, 0, AT(1));
    ledger_released(l, P, A, true, AT(2));
    ledger_told(l, P, 3, 3, NULL, 0, AT(2));
    assert_int_equal(ledger_held_off(l, P, A, AT(2)), AT(4));
    assert_int_equal(ledger_deadline(l), AT(4));
    assert_int_equal(ledger_reserve(l, P, A, AT(4) - 1), E_CONFLICT);
    assert_nothing_found(l, AT(4));
    assert_int_equal(ledger_deadline(l), USEC_NEVER);
    assert_int_equal(ledger_reserve(l, P, A, AT(4)), 0);
    ledger_free(l);
}

static void C15_an_address_that_left_the_list_before_the_failure_waits_for_2_seconds(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    establish(l, P, A, AT(1));
    ledger_told(l, P, 3, 1, ADDRESSES(A, F), AT(1));
    ledger_told(l, P, 3, 2, ADDRESSES(F), AT(2));
    ledger_released(l, P, A, true, AT(2));
    ledger_told(l, P, 3, 2, ADDRESSES(F), AT(3));
    assert_int_equal(ledger_held_off(l, P, A, AT(3)), AT(4));
    ledger_free(l);
}

static void C15_an_address_that_comes_into_the_list_after_the_failure_is_waited_for(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    for (usec_t late = 0; late < 2; late++) {
        ledger_online(l, P, AT(0));
        ledger_told(l, P, 3, 3, NULL, 0, AT(0));
        establish(l, P, A, AT(1));
        ledger_released(l, P, A, true, AT(2));
        ledger_told(l, P, 3, 2, ADDRESSES(A), AT(4) - 1 + late);
        assert_int_equal(ledger_held_off(l, P, A, AT(4)), late ? 0 : AT(12));
        ledger_told(l, P, 3, 3, NULL, 0, AT(5));
        assert_int_equal(ledger_held_off(l, P, A, AT(5)), 0);
    }
    ledger_free(l);
}

static void who_closed_in_peace_may_come_back_at_once(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    open_link(l, P, A, AT(1));
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(1));
    ledger_closing(l, P, A, AT(2));
    ledger_released(l, P, A, false, AT(2));
    ledger_released(l, P, A, true, AT(2)); /* the same word twice, as older firmware does */
    assert_int_equal(ledger_held_off(l, P, A, AT(2)), 0);
    assert_int_equal(ledger_reserve(l, P, A, AT(2)), 0);
    ledger_free(l);
}

static void a_success_ends_what_an_earlier_failure_left(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    establish(l, P, A, AT(1));
    ledger_released(l, P, A, true, AT(1));
    open_link(l, P, A, AT(3));
    ledger_released(l, P, A, false, AT(3));
    assert_int_equal(ledger_held_off(l, P, A, AT(3)), 0);
    assert_int_equal(ledger_deadline(l), USEC_NEVER);
    ledger_free(l);
}

static void of_the_held_off_addresses_the_newest_64_are_remembered(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    for (uint64_t i = 0; i < 65; i++) {
        establish(l, P, A + i, AT(1));
        ledger_released(l, P, A + i, true, AT(1));
    }
    assert_int_equal(ledger_held_off(l, P, A, AT(1)), 0);
    for (uint64_t i = 1; i < 65; i++)
        assert_int_equal(ledger_held_off(l, P, A + i, AT(1)), AT(3));
    establish(l, P, A + 1, AT(3)); /* old, but renewed */
    ledger_released(l, P, A + 1, true, AT(3));
    establish(l, P, F, AT(3));
    ledger_released(l, P, F, true, AT(3));
    assert_int_equal(ledger_held_off(l, P, A + 1, AT(3)), AT(5));
    assert_int_equal(ledger_held_off(l, P, F, AT(3)), AT(5));
    ledger_free(l);
}

/* ---- orphans ---- */

static void X06_an_address_that_is_linked_elsewhere_is_an_orphan_here(void **state)
{
    struct ledger *l = with_proxy(3);
    struct ledger_slot s;

    (void) state;
    ledger_told(l, P, 3, 1, ADDRESSES(A, F), AT(1));
    ledger_online(l, Q, AT(1));
    open_link(l, Q, A, AT(10));
    ledger_told(l, Q, 3, 2, ADDRESSES(A), AT(10));
    assert_int_equal(ledger_deadline(l), AT(15));
    assert_nothing_found(l, AT(15) - 1);
    assert_true(slot_of(l, P, A, &s));
    assert_int_equal(s.holder, SLOT_FOREIGN);
    assert_int_equal(proxy_of(l, P, AT(15) - 1).foreign, 2);
    assert_found(l, AT(15), LEDGER_ORPHANED, P, A);
    assert_true(slot_of(l, P, A, &s));
    assert_int_equal(s.holder, SLOT_ORPHAN);
    assert_int_equal(proxy_of(l, P, AT(15)).foreign, 1);
    assert_int_equal(proxy_of(l, P, AT(15)).orphans, 1);
    assert_int_equal(free_of(l, P), 1);
    assert_int_equal(ledger_deadline(l), AT(25)); /* and again while it stays */
    assert_nothing_found(l, AT(25) - 1);
    assert_found(l, AT(25), LEDGER_ORPHANED, P, A);
    ledger_released(l, Q, A, false, AT(30)); /* then it is somebody's, for all that we know */
    ledger_told(l, Q, 3, 3, NULL, 0, AT(30));
    assert_nothing_found(l, AT(100));
    assert_int_equal(proxy_of(l, P, AT(100)).foreign, 2);
    ledger_free(l);
}

static void X06_the_seconds_run_from_the_later_of_link_and_list(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    ledger_online(l, Q, AT(0));
    open_link(l, Q, A, AT(1));
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(50));
    assert_int_equal(ledger_deadline(l), AT(55));
    assert_found(l, AT(55), LEDGER_ORPHANED, P, A);
    ledger_told(l, P, 3, 3, NULL, 0, AT(56));
    assert_int_equal(ledger_deadline(l), USEC_NEVER);
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(57)); /* a new one */
    assert_int_equal(ledger_deadline(l), AT(62));
    ledger_offline(l, Q);
    assert_int_equal(ledger_deadline(l), USEC_NEVER);
    ledger_free(l);
}

static void X06_two_sessions_of_ours_are_no_orphans(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    ledger_online(l, Q, AT(0));
    open_link(l, P, A, AT(1));
    open_link(l, Q, A, AT(1));
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(2));
    ledger_told(l, Q, 3, 2, ADDRESSES(A), AT(2));
    assert_nothing_found(l, AT(100));
    ledger_released(l, P, A, false, AT(100)); /* this one is left over, the other still ours */
    assert_found(l, AT(105), LEDGER_ORPHANED, P, A);
    ledger_told(l, P, 3, 3, NULL, 0, AT(106));
    ledger_released(l, Q, A, false, AT(108));
    assert_found(l, AT(113), LEDGER_ORPHANED, Q, A);
    ledger_free(l);
}

static void a_slot_that_outlives_our_link_is_an_orphan(void **state)
{
    struct ledger *l = with_proxy(3);
    struct ledger_slot s;

    (void) state;
    open_link(l, P, A, AT(1));
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(1));
    ledger_released(l, P, A, false, AT(20));
    assert_true(slot_of(l, P, A, &s));
    assert_int_equal(s.holder, SLOT_FOREIGN);
    assert_int_equal(s.since, AT(20));
    assert_int_equal(ledger_deadline(l), AT(25));
    assert_found(l, AT(25), LEDGER_ORPHANED, P, A);
    assert_int_equal(ledger_reserve(l, P, A, AT(26)), 0); /* somebody wants it again */
    assert_int_equal(ledger_deadline(l), USEC_NEVER);
    ledger_released(l, P, A, false, AT(27)); /* nothing was sent: it is the orphan that it was */
    assert_int_equal(ledger_deadline(l), AT(35));
    assert_int_equal(ledger_reserve(l, P, A, AT(28)), 0);
    assert_true(ledger_establish(l, P, A, AT(28)));
    ledger_released(l, P, A, false, AT(29)); /* a new slot, for all that we know */
    assert_found(l, AT(34), LEDGER_ORPHANED, P, A);
    ledger_free(l);
}

static void a_link_that_opened_after_we_gave_up_is_an_orphan(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    establish(l, P, A, AT(1));
    ledger_released(l, P, A, true, AT(21));
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(30));
    assert_found(l, AT(35), LEDGER_ORPHANED, P, A);
    ledger_free(l);
}

static void what_was_reserved_and_never_asked_for_makes_no_orphan(void **state)
{
    (void) state;
    for (int is_failure = 0; is_failure < 2; is_failure++) {
        struct ledger *l = with_proxy(0);
        struct ledger_slot s;

        ledger_told(l, P, 3, 2, ADDRESSES(A), AT(0));
        assert_int_equal(ledger_reserve(l, P, A, AT(1)), 0);
        ledger_released(l, P, A, is_failure, AT(2));
        assert_int_equal(ledger_held_off(l, P, A, AT(2)), is_failure ? AT(12) : 0);
        assert_true(slot_of(l, P, A, &s));
        assert_int_equal(s.since, AT(0));
        assert_nothing_found(l, AT(100));
        ledger_told(l, P, 3, 3, NULL, 0, AT(100));
        ledger_told(l, P, 3, 2, ADDRESSES(A), AT(101));
        assert_nothing_found(l, AT(200));
        ledger_free(l);
    }
}

static void an_orphan_waits_until_the_list_is_to_be_believed(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    open_link(l, P, A, AT(1));
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(1));
    ledger_released(l, P, A, false, AT(2));
    ledger_told(l, P, 3, 1, ADDRESSES(A), AT(3));
    assert_found(l, AT(3), LEDGER_INCONSISTENT, P, 0);
    assert_nothing_found(l, AT(60));
    ledger_told(l, P, 3, 2, ADDRESSES(A), AT(60));
    assert_found(l, AT(60), LEDGER_ORPHANED, P, A);
    ledger_free(l);
}

/* Any call that says what time it is. */
static void say(struct ledger *l, int call, usec_t now)
{
    switch (call) {
    case 0:
        ledger_online(l, Q, now);
        break;
    case 1:
        ledger_told(l, Q, 3, 3, NULL, 0, now);
        break;
    case 2:
        (void) ledger_reserve(l, Q, B, now);
        break;
    case 3:
        (void) ledger_establish(l, Q, B, now);
        break;
    case 4:
        ledger_opened(l, Q, B, now);
        break;
    case 5:
        ledger_closing(l, Q, B, now);
        break;
    default:
        ledger_released(l, Q, B, false, now);
    }
}

static void an_orphan_is_shown_as_one_from_the_next_word_on(void **state)
{
    (void) state;
    for (int call = 0; call < 7; call++) {
        struct ledger *l = with_proxy(3);
        struct ledger_slot s;

        open_link(l, P, A, AT(1));
        ledger_told(l, P, 3, 2, ADDRESSES(A), AT(1));
        ledger_released(l, P, A, false, AT(2));
        say(l, call, AT(7) - 1);
        assert_true(slot_of(l, P, A, &s));
        assert_int_equal(s.holder, SLOT_FOREIGN);
        say(l, call, AT(7));
        assert_true(slot_of(l, P, A, &s));
        assert_int_equal(s.holder, SLOT_ORPHAN);
        ledger_free(l);
    }
}

static void holders_have_names(void **state)
{
    (void) state;
    assert_string_equal(slot_holder_name(SLOT_OURS), "ours");
    assert_string_equal(slot_holder_name(SLOT_FOREIGN), "foreign");
    assert_string_equal(slot_holder_name(SLOT_ORPHAN), "orphan");
}

static void while_one_discovers_another_may_establish(void **state)
{
    struct ledger *l = with_proxy(3);

    (void) state;
    assert_int_equal(ledger_reserve(l, P, A, AT(1)), 0);
    assert_int_equal(ledger_reserve(l, P, B, AT(1)), 0);
    assert_true(ledger_establish(l, P, A, AT(1)));
    assert_false(ledger_establish(l, P, B, AT(1)));
    ledger_discovering(l, P, AT(2));
    assert_false(proxy_of(l, P, AT(2)).is_establishing);
    assert_int_equal(proxy_of(l, P, AT(2)).discovering, 1);
    assert_int_equal(proxy_of(l, P, AT(2)).in_progress, 1); /* B */
    assert_int_equal(proxy_of(l, P, AT(2)).free, 1);
    assert_true(ledger_establish(l, P, B, AT(2)));
    ledger_opened(l, P, A, AT(3));
    assert_int_equal(proxy_of(l, P, AT(3)).discovering, 0);
    assert_true(proxy_of(l, P, AT(3)).is_establishing);
    ledger_free(l);
}

/* ---- each phase meets each event ---- */

enum event {
    RESERVE,
    ESTABLISH,
    DISCOVERING,
    OPENED,
    CLOSING,
    RELEASED,
    FAILED,
    TOLD_WITH,
    TOLD_WITHOUT,
    TOLD_NONSENSE,
    TOLD_UNKNOWN,
    ONLINE,
    OFFLINE,
    EVENTS
};

#define NONE   (-1) /* no entry; the phases are 0 to 4 */
#define PHASES 6

/* Brings an entry of A into the phase, on a proxy that told of it what its firmware does. */
static struct ledger *in_phase(int phase, bool tells_list)
{
    struct ledger *l = with_proxy(3);

    if (phase == NONE)
        return l;
    assert_int_equal(ledger_reserve(l, P, A, AT(1)), 0);
    if (phase == SLOT_RESERVED)
        return l;
    assert_true(ledger_establish(l, P, A, AT(1)));
    ledger_told(l, P, 3, 2, (const uint64_t[]){A}, tells_list, AT(1));
    if (phase == SLOT_DISCOVERING)
        ledger_discovering(l, P, AT(1));
    else if (phase != SLOT_ESTABLISHING)
        ledger_opened(l, P, A, AT(1));
    if (phase == SLOT_CLOSING)
        ledger_closing(l, P, A, AT(1));
    return l;
}

static int happen(struct ledger *l, enum event event, bool tells_list)
{
    switch (event) {
    case RESERVE:
        return ledger_reserve(l, P, A, AT(5));
    case ESTABLISH:
        return ledger_establish(l, P, A, AT(5));
    case DISCOVERING:
        ledger_discovering(l, P, AT(5));
        break;
    case OPENED:
        ledger_opened(l, P, A, AT(5));
        break;
    case CLOSING:
        ledger_closing(l, P, A, AT(5));
        break;
    case RELEASED:
    case FAILED:
        ledger_released(l, P, A, event == FAILED, AT(5));
        break;
    case TOLD_WITH:
        ledger_told(l, P, 3, 2, (const uint64_t[]){A}, tells_list, AT(5));
        break;
    case TOLD_WITHOUT:
        ledger_told(l, P, 3, 3, NULL, 0, AT(5));
        break;
    case TOLD_NONSENSE:
        ledger_told(l, P, 3, 3, ADDRESSES(F, F), AT(5));
        break;
    case TOLD_UNKNOWN:
        ledger_told(l, P, 0, 0, NULL, 0, AT(5));
        break;
    case ONLINE:
        ledger_online(l, P, AT(5));
        break;
    case OFFLINE:
        ledger_offline(l, P);
        break;
    case EVENTS:
        fail();
    }
    return 0;
}

static int phase_after(int phase, enum event event)
{
    if (event == RELEASED || event == FAILED || event == ONLINE || event == OFFLINE)
        return NONE;
    if (phase == NONE)
        return event == RESERVE ? SLOT_RESERVED : NONE;
    if (event == CLOSING)
        return SLOT_CLOSING;
    if (phase == SLOT_RESERVED && event == ESTABLISH)
        return SLOT_ESTABLISHING;
    if (phase == SLOT_ESTABLISHING && event == DISCOVERING)
        return SLOT_DISCOVERING;
    if ((phase == SLOT_ESTABLISHING || phase == SLOT_DISCOVERING) && event == OPENED)
        return SLOT_OPEN;
    return phase;
}

static int answer_of(int phase, enum event event)
{
    if (event == RESERVE)
        return phase == NONE ? 0 : E_CONFLICT;
    return event == ESTABLISH && phase == SLOT_RESERVED;
}

static void meet(int phase, enum event event, bool tells_list)
{
    struct ledger *l = in_phase(phase, tells_list);
    struct ledger_slot s;
    int next = phase_after(phase, event);

    assert_int_equal(happen(l, event, tells_list), answer_of(phase, event));
    assert_int_equal(proxy_of(l, P, AT(5)).ours, next != NONE);
    if (next != NONE) {
        assert_true(ledger_get_slot(l, P, 0, &s));
        assert_int_equal(s.phase, next);
        assert_int_equal(s.since, phase == NONE ? AT(5) : AT(1));
    }
    if (event == TOLD_NONSENSE)
        assert_found(l, AT(5), LEDGER_INCONSISTENT, P, 0);
    if (event == TOLD_WITHOUT && phase == SLOT_OPEN)
        assert_found(l, AT(5), LEDGER_LOST, P, A);
    assert_nothing_found(l, AT(5));
    check_proxy(l, P, AT(5));
    ledger_free(l);
}

static void each_phase_meets_each_event(void **state)
{
    (void) state;
    for (int phase = NONE; phase < PHASES - 1; phase++) {
        for (int event = 0; event < EVENTS; event++) {
            meet(phase, (enum event) event, true);
            meet(phase, (enum event) event, false);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(while_one_discovers_another_may_establish),
            cmocka_unit_test(reservations_count_before_the_proxy_tells_them),
            cmocka_unit_test(
                    C05_ten_wishes_for_three_slots_take_three_and_one_is_established_at_a_time),
            cmocka_unit_test(an_address_is_reserved_once),
            cmocka_unit_test(slots_of_others_are_not_ours_to_take),
            cmocka_unit_test(a_listed_address_shares_the_slot_that_it_has),
            cmocka_unit_test(X07_unknown_slots_are_tried_one_at_a_time),
            cmocka_unit_test(we_hold_no_more_slots_of_a_proxy_than_can_be_kept),
            cmocka_unit_test(X04_a_lost_proxy_has_no_slots_and_nothing_can_be_reserved),
            cmocka_unit_test(a_new_conversation_knows_nothing_of_the_old_one),
            cmocka_unit_test(X05_an_open_link_that_a_consistent_list_misses_is_lost),
            cmocka_unit_test(X05_a_list_that_came_within_2_seconds_of_the_opening_may_be_older),
            cmocka_unit_test(X05_only_open_links_are_lost),
            cmocka_unit_test(X05_a_list_from_before_the_request_says_nothing_of_the_link),
            cmocka_unit_test(X05_a_list_that_contradicts_itself_is_said_once_and_nothing_is_done),
            cmocka_unit_test(a_list_that_became_empty_with_slots_taken_is_inconsistent),
            cmocka_unit_test(as_many_addresses_are_kept_as_fit_each_once),
            cmocka_unit_test(without_a_list_the_numbers_show_when_ours_is_in_them),
            cmocka_unit_test(
                    without_a_list_two_that_were_asked_for_are_counted_as_the_numbers_grow),
            cmocka_unit_test(without_a_list_a_slot_less_is_one_of_somebody_else),
            cmocka_unit_test(without_a_list_a_slot_that_was_given_up_stays_taken),
            cmocka_unit_test(without_a_list_a_proxy_without_links_has_lost_ours),
            cmocka_unit_test(C15_a_failed_address_waits_until_it_left_the_list),
            cmocka_unit_test(C15_a_failed_address_that_stays_in_the_list_waits_for_10_seconds),
            cmocka_unit_test(C15_without_a_list_a_failed_address_waits_for_2_seconds),
            cmocka_unit_test(
                    C15_an_address_that_left_the_list_before_the_failure_waits_for_2_seconds),
            cmocka_unit_test(
                    C15_an_address_that_comes_into_the_list_after_the_failure_is_waited_for),
            cmocka_unit_test(who_closed_in_peace_may_come_back_at_once),
            cmocka_unit_test(a_success_ends_what_an_earlier_failure_left),
            cmocka_unit_test(of_the_held_off_addresses_the_newest_64_are_remembered),
            cmocka_unit_test(X06_an_address_that_is_linked_elsewhere_is_an_orphan_here),
            cmocka_unit_test(X06_the_seconds_run_from_the_later_of_link_and_list),
            cmocka_unit_test(X06_two_sessions_of_ours_are_no_orphans),
            cmocka_unit_test(a_slot_that_outlives_our_link_is_an_orphan),
            cmocka_unit_test(a_link_that_opened_after_we_gave_up_is_an_orphan),
            cmocka_unit_test(what_was_reserved_and_never_asked_for_makes_no_orphan),
            cmocka_unit_test(an_orphan_waits_until_the_list_is_to_be_believed),
            cmocka_unit_test(an_orphan_is_shown_as_one_from_the_next_word_on),
            cmocka_unit_test(holders_have_names),
            cmocka_unit_test(each_phase_meets_each_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
