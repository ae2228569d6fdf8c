/* Subscriptions: shared by all who hold them, never left half, on again after a lost link; and the
 * queues of those who read values one after the other. */
#include "gatt/gatt_fixture.h"

static struct gatt_wish subscribe_to(uint16_t handle, enum gatt_subscription_type type)
{
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_SUBSCRIBE, handle);

    wish.type = type;
    return wish;
}

static struct program *subscribe(struct gatt_world *w, size_t program, uint16_t handle)
{
    struct gatt_wish wish = subscribe_to(handle, GATT_SUBSCRIBE_AUTO);

    return world_do(w, program, &wish);
}

static struct program *unsubscribe(struct gatt_world *w, size_t program, uint16_t handle,
                                   const char *lease)
{
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_UNSUBSCRIBE, handle);

    wish.link.renew = lease;
    return world_do(w, program, &wish);
}

static size_t count(struct gatt_world *w)
{
    struct gatt_subscription_view view;
    size_t n = 0;

    while (gatt_get_subscription(w->gatt, DEVICE(1), n, &view))
        n++;
    return n;
}

static bool notify(struct gatt_world *w, uint64_t value)
{
    bool is_passed_on = gadget_notify(w, 1, H_BATTERY, H_BATTERY_CCCD, value);

    world_run(w, MSEC(10));
    return is_passed_on;
}

/* ---- on and off ---- */

static void G06_subscribing_listens_and_writes_what_the_characteristic_can(void **state)
{
    static const struct {
        uint16_t handle, cccd;
        enum gatt_subscription_type type;
        int code;
        uint16_t written;
    } cases[] = {
            {H_BATTERY, H_BATTERY_CCCD, GATT_SUBSCRIBE_AUTO, 0, 1},
            {H_INDICATE, H_INDICATE_CCCD, GATT_SUBSCRIBE_AUTO, 0, 2},
            {H_BOTH, H_BOTH_CCCD, GATT_SUBSCRIBE_AUTO, 0, 1},
            {H_BOTH, H_BOTH_CCCD, GATT_SUBSCRIBE_INDICATE, 0, 2},
            {H_BOTH, H_BOTH_CCCD, GATT_SUBSCRIBE_BOTH, 0, 3},
            {H_BATTERY, H_BATTERY_CCCD, GATT_SUBSCRIBE_INDICATE, E_NOT_PERMITTED, 0},
            {H_BATTERY, H_BATTERY_CCCD, GATT_SUBSCRIBE_BOTH, E_NOT_PERMITTED, 0},
            {H_INDICATE, H_INDICATE_CCCD, GATT_SUBSCRIBE_NOTIFY, E_NOT_PERMITTED, 0},
            {H_WRITE, H_BATTERY_CCCD, GATT_SUBSCRIBE_AUTO, E_NOT_PERMITTED, 0},
            {H_NO_CCCD, H_BATTERY_CCCD, GATT_SUBSCRIBE_AUTO, E_DESCRIPTOR_NOT_FOUND, 0},
    };
    struct gatt_world *w = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct gatt_wish wish = subscribe_to(cases[i].handle, cases[i].type);
        struct program *p = world_do(w, 0, &wish);

        assert_int_equal(p->code, cases[i].code);
        assert_int_equal(w->gadgets[1].cccd[cases[i].cccd], cases[i].written);
        assert_int_equal(w->ways[0][1].listens[cases[i].handle], cases[i].code == 0);
        assert_int_equal(count(w), cases[i].code == 0);
        assert_int_equal(p->lease[0] != '\0', cases[i].code == 0);
        assert_int_equal(unsubscribe(w, 0, cases[i].handle, NULL)->code, 0);
        assert_int_equal(w->gadgets[1].cccd[cases[i].cccd], 0);
        assert_false(w->ways[0][1].listens[cases[i].handle]);
        assert_int_equal(count(w), 0);
    }
}

static void G06_a_second_holder_shares_and_only_another_type_is_a_conflict(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_subscription_view view;
    struct gatt_wish wish = subscribe_to(H_BOTH, GATT_SUBSCRIBE_INDICATE);

    assert_int_equal(world_do(w, 0, &wish)->code, 0);
    assert_int_equal(world_do(w, 1, &wish)->code, 0);
    wish.type = GATT_SUBSCRIBE_AUTO;
    assert_int_equal(world_do(w, 2, &wish)->code, 0);
    wish.type = GATT_SUBSCRIBE_NOTIFY;
    assert_int_equal(world_do(w, 3, &wish)->code, E_CONFLICT);
    assert_int_equal(w->sent[MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST], 1);
    assert_int_equal(w->sent[MESSAGE_GATT_NOTIFY_REQUEST], 1);
    assert_true(gatt_get_subscription(w->gatt, DEVICE(1), 0, &view));
    assert_int_equal(view.holders, 3);
    assert_int_equal(view.type, GATT_SUBSCRIBE_INDICATE);
    assert_string_equal(gatt_get_holder(w->gatt, DEVICE(1), 0, 1), w->programs[1].lease);
    assert_null(gatt_get_holder(w->gatt, DEVICE(1), 0, 3));
    assert_string_equal(gatt_subscription_type_name(view.type), "indicate");
    wish.type = GATT_SUBSCRIBE_INDICATE; /* idempotent for the same lease */
    wish.link.renew = w->programs[1].lease;
    assert_int_equal(world_do(w, 4, &wish)->code, 0);
    gatt_get_subscription(w->gatt, DEVICE(1), 0, &view);
    assert_int_equal(view.holders, 3);
}

static void G07_the_last_holder_switches_off_and_unknown_is_success(void **state)
{
    struct gatt_world *w = *state;

    assert_int_equal(unsubscribe(w, 5, H_BATTERY, NULL)->code, 0);
    assert_int_equal(w->f->fakes[0].connects, 0); /* it opens no link */
    subscribe(w, 0, H_BATTERY);
    subscribe(w, 1, H_BATTERY);
    assert_int_equal(unsubscribe(w, 5, H_BATTERY, w->programs[0].lease)->code, 0);
    assert_int_equal(w->gadgets[1].cccd[H_BATTERY_CCCD], 1);
    assert_int_equal(unsubscribe(w, 5, H_BATTERY, w->programs[0].lease)->code, 0); /* again */
    assert_int_equal(w->gadgets[1].cccd[H_BATTERY_CCCD], 1);
    assert_int_equal(unsubscribe(w, 5, H_BATTERY, w->programs[1].lease)->code, 0);
    assert_int_equal(w->gadgets[1].cccd[H_BATTERY_CCCD], 0);
    assert_int_equal(w->sent[MESSAGE_GATT_NOTIFY_REQUEST], 2);
}

static void G07_a_device_that_is_better_left_alone_is(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_UNSUBSCRIBE, H_BATTERY);

    subscribe(w, 0, H_BATTERY);
    wish.clears_cccd = false;
    assert_int_equal(world_do(w, 1, &wish)->code, 0);
    assert_int_equal(w->gadgets[1].cccd[H_BATTERY_CCCD], 1);
    assert_false(w->ways[0][1].listens[H_BATTERY]);
}

static void G08_a_failure_leaves_nothing_half(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish read = gatt_wish_for(1, GATT_VERB_READ, H_TWIN);

    w->gadgets[1].failing = H_BATTERY_CCCD;
    w->gadgets[1].error = 0x05;
    assert_int_equal(subscribe(w, 0, H_BATTERY)->code, E_GATT_ERROR);
    assert_int_equal(w->programs[0].number, 5);
    world_run(w, SECONDS(1));
    assert_false(w->ways[0][1].listens[H_BATTERY]);
    assert_int_equal(count(w), 0);
    w->gadgets[1].failing = H_BATTERY;
    assert_int_equal(subscribe(w, 0, H_BATTERY)->code, E_GATT_ERROR);
    assert_int_equal(w->sent[MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST], 1);
    w->gadgets[1].failing = 0;
    w->gadgets[1].silent = MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST;
    assert_int_equal(subscribe(w, 0, H_BATTERY)->code, E_GATT_TIMEOUT);
    world_run(w, SECONDS(1));
    assert_false(w->ways[0][1].listens[H_BATTERY]);
    w->gadgets[1].silent = 0;
    world_do(w, 0, &read); /* the device answers: what it owes it does not know of */
    assert_int_equal(subscribe(w, 0, H_BATTERY)->code, 0);
}

static void G08_who_gives_up_in_the_middle_leaves_nothing_half(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = subscribe_to(H_BATTERY, GATT_SUBSCRIBE_AUTO);

    for (usec_t span = 0; span < MSEC(800); span += MSEC(7)) {
        world_want(w, 0, &wish);
        world_run(w, span);
        world_cancel(w, 0);
        world_run(w, SECONDS(1));
        assert_int_equal(w->gadgets[1].cccd[H_BATTERY_CCCD], w->programs[0].code == 0);
        if (w->programs[0].code == 0)
            unsubscribe(w, 1, H_BATTERY, NULL);
        assert_false(w->ways[0][1].listens[H_BATTERY]);
        world_run(w, SECONDS(15));
    }
    assert_int_equal(w->programs[0].code, 0); /* it came through at last */
}

static void who_comes_while_it_goes_off_turns_it_round(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_UNSUBSCRIBE, H_BOTH);

    subscribe(w, 0, H_BOTH);
    world_want(w, 1, &wish);
    world_run(w, MSEC(5)); /* 0000 is being written */
    wish = subscribe_to(H_BOTH, GATT_SUBSCRIBE_INDICATE);
    world_want(w, 2, &wish);
    world_run(w, SECONDS(1));
    assert_int_equal(w->programs[1].code, 0);
    assert_int_equal(w->programs[2].code, 0);
    assert_int_equal(w->gadgets[1].cccd[H_BOTH_CCCD], 2);
    assert_true(w->ways[0][1].listens[H_BOTH]);
    assert_int_equal(count(w), 1);
}

static void another_type_may_come_while_the_first_is_being_written(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = subscribe_to(H_BOTH, GATT_SUBSCRIBE_NOTIFY);

    fixture_connect(w->f, 0, 1);
    subscribe(w, 1, H_BATTERY); /* the tree is known */
    world_want(w, 0, &wish);
    world_run(w, MSEC(35)); /* 01 00 is on the air */
    assert_int_equal(w->sent[MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST], 2);
    world_cancel(w, 0);
    wish.type = GATT_SUBSCRIBE_INDICATE;
    assert_int_equal(world_do(w, 2, &wish)->code, 0);
    assert_int_equal(w->gadgets[1].cccd[H_BOTH_CCCD], 2);
}

static void a_lease_that_ends_in_the_middle_holds_nothing(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = subscribe_to(H_BATTERY, GATT_SUBSCRIBE_AUTO);
    struct client *c = fixture_connect(w->f, 0, 1);

    fixture_connect(w->f, 1, 1);
    subscribe(w, 1, H_BOTH);
    wish.link.renew = c->lease;
    world_want(w, 0, &wish);
    world_run(w, MSEC(35));
    links_release(w->f->links, DEVICE(1), c->lease, w->f->now);
    world_run(w, SECONDS(1));
    assert_int_equal(w->programs[0].code, E_GONE);
    assert_int_equal(w->gadgets[1].cccd[H_BATTERY_CCCD], 0);
    assert_int_equal(count(w), 1);
}

static void cancel_the_next(struct program *p)
{
    world_cancel(p->world, p == p->world->programs ? 1 : 0);
}

static void who_is_cancelled_between_answer_and_telling_holds_nothing(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = subscribe_to(H_BATTERY, GATT_SUBSCRIBE_AUTO);
    struct gatt_subscription_view view;

    world_want(w, 0, &wish)->on_done = cancel_the_next;
    world_want(w, 1, &wish)->on_done = cancel_the_next;
    world_run(w, SECONDS(1));
    assert_int_equal(w->programs[0].answers + w->programs[1].answers, 1);
    assert_true(gatt_get_subscription(w->gatt, DEVICE(1), 0, &view));
    assert_int_equal(view.holders, 1);
    assert_int_equal(fixture_view(w->f, 1).leases, 1);
}

static void a_lease_that_ends_lets_go_what_it_held(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = subscribe_to(H_BATTERY, GATT_SUBSCRIBE_AUTO);

    subscribe(w, 0, H_BATTERY);
    wish.link.lease = SECONDS(5);
    world_do(w, 1, &wish);
    world_run(w, SECONDS(6)); /* the second one expired */
    assert_int_equal(count(w), 1);
    assert_int_equal(w->gadgets[1].cccd[H_BATTERY_CCCD], 1);
    gatt_lease_ended(w->gatt, DEVICE(1), w->programs[0].lease, w->f->now);
    assert_int_equal(count(w), 0);
    world_run(w, SECONDS(1));
    assert_int_equal(w->gadgets[1].cccd[H_BATTERY_CCCD], 0);
    subscribe(w, 2, H_BATTERY);
    links_release(w->f->links, DEVICE(1), w->programs[2].lease, w->f->now);
    world_run(w, SECONDS(1));
    assert_int_equal(w->gadgets[1].cccd[H_BATTERY_CCCD], 0);
    assert_int_equal(count(w), 0);
}

static void a_device_has_so_many_subscriptions(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_tree *tree = gatt_tree_new();
    const struct ble_uuid service = ble_uuid_from_short(1), cccd = ble_uuid_from_short(0x2902);
    struct gatt_wish wish;

    gatt_tree_add(tree, GATT_SERVICE, &service, 1, 0);
    for (uint16_t i = 0; i <= GATT_SUBSCRIPTIONS_MAX; i++) {
        gatt_tree_add(tree, GATT_CHARACTERISTIC, &service, 10 + 2u * i, GATT_NOTIFY);
        gatt_tree_add(tree, GATT_DESCRIPTOR, &cccd, 11 + 2u * i, 0);
    }
    gatt_cache_restore(gatt_get_cache(w->gatt), DEVICE(1), tree, NULL, 0);
    gatt_tree_release(tree);
    w->gadgets[1].is_lenient = true;
    for (uint16_t i = 0; i < GATT_SUBSCRIPTIONS_MAX; i++) {
        wish = subscribe_to((uint16_t) (10 + 2 * i), GATT_SUBSCRIBE_AUTO);
        wish.link.renew = i ? w->programs[0].lease : NULL;
        world_do(w, i ? 1 : 0, &wish);
        assert_int_equal(w->programs[i ? 1 : 0].code, 0);
    }
    assert_int_equal(count(w), GATT_SUBSCRIPTIONS_MAX);
    wish = subscribe_to(10 + 2 * GATT_SUBSCRIPTIONS_MAX, GATT_SUBSCRIBE_AUTO);
    assert_int_equal(world_do(w, 2, &wish)->code, E_OVERLOADED);
}

/* ---- values ---- */

static void G09_values_are_told_in_order_with_a_counter_and_end_with_the_link(void **state)
{
    struct gatt_world *w = *state;

    subscribe(w, 0, H_BATTERY);
    for (uint64_t i = 1; i <= 5; i++)
        assert_true(notify(w, i * 11));
    assert_int_equal(w->values_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(w->values[i].counter, i + 1);
        assert_int_equal(w->values[i].octets[0], (i + 1) * 11);
        assert_int_equal(w->values[i].handle, H_BATTERY);
        assert_int_equal(w->values[i].size, 8);
    }
    fixture_drop(w->f, 0, 1, 0x08);
    world_run(w, SECONDS(1));
    assert_int_equal(count(w), 0);
    assert_false(notify(w, 66));
    assert_true(w->subscription_changes >= 2);
}

static void G09_a_value_that_is_too_long_or_not_asked_for_is_dropped(void **state)
{
    static const uint8_t octets[GATT_VALUE_MAX + 1];
    struct gatt_world *w = *state;
    struct gatt_statistics statistics;

    subscribe(w, 0, H_BATTERY);
    say(w->f, 0, 0, MESSAGE_GATT_NOTIFY_DATA_RESPONSE, 1, H_BATTERY,
        (struct bytes){octets, sizeof octets}, 0);
    say(w->f, 0, 0, MESSAGE_GATT_NOTIFY_DATA_RESPONSE, 1, H_BOTH, (struct bytes){octets, 1}, 0);
    say(w->f, 0, 0, MESSAGE_GATT_NOTIFY_DATA_RESPONSE, 1, H_BATTERY + 0x10000,
        (struct bytes){octets, 1}, 0);
    say(w->f, 1, 0, MESSAGE_GATT_NOTIFY_DATA_RESPONSE, 1, H_BATTERY, (struct bytes){octets, 1}, 0);
    world_run(w, MSEC(1));
    assert_int_equal(w->values_count, 0);
    gatt_get_statistics(w->gatt, &statistics);
    assert_int_equal(statistics.values_lost, 1);
    assert_int_equal(statistics.subscriptions, 1);
    say(w->f, 0, 0, MESSAGE_GATT_NOTIFY_DATA_RESPONSE, 1, H_BATTERY,
        (struct bytes){octets, GATT_VALUE_MAX}, 0);
    world_run(w, MSEC(1));
    assert_int_equal(w->values_count, 1);
}

static void a_subscription_of_a_lease_that_reconnects_is_on_again(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = subscribe_to(H_BATTERY, GATT_SUBSCRIBE_AUTO);

    wish.link.is_auto_reconnect = true;
    wish.link.lease = SECONDS(3600);
    world_do(w, 0, &wish);
    subscribe(w, 1, H_BATTERY); /* this one does not */
    notify(w, 1);
    fixture_drop(w->f, 0, 1, 0x08);
    world_run(w, SECONDS(10));
    assert_int_equal(w->f->fakes[0].connects, 2);
    assert_string_equal(gatt_get_holder(w->gatt, DEVICE(1), 0, 0), w->programs[0].lease);
    assert_null(gatt_get_holder(w->gatt, DEVICE(1), 0, 1));
    assert_true(notify(w, 2));
    assert_int_equal(w->values_count, 2);
    assert_int_equal(w->values[1].counter, 2);
    fixture_drop(w->f, 0, 1, 0x08);
    w->gadgets[1].has_moved = true; /* and its handles with it */
    gatt_cache_forget(gatt_get_cache(w->gatt), DEVICE(1), GATT_DOUBT_ASKED);
    world_run(w, SECONDS(10));
    assert_true(gadget_notify(w, 1, H_BATTERY + H_MOVED, H_BATTERY_CCCD + H_MOVED, 3));
    world_run(w, SECONDS(1));
    assert_int_equal(w->values[2].handle, H_BATTERY + H_MOVED);
    assert_int_equal(w->values[2].counter, 3);
}

static void what_is_lost_while_it_is_switched_on_again_is_not_given_up(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = subscribe_to(H_BATTERY, GATT_SUBSCRIBE_AUTO);

    wish.link.is_auto_reconnect = true;
    wish.link.lease = SECONDS(3600);
    world_do(w, 0, &wish);
    fixture_drop(w->f, 0, 1, 0x08);
    w->gadgets[1].slow = SECONDS(1);
    while (w->sent[MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST] < 2)
        world_run(w, MSEC(10));
    fixture_drop(w->f, 0, 1, 0x08);
    world_run(w, SECONDS(20));
    assert_int_equal(w->gadgets[1].cccd[H_BATTERY_CCCD], 1);
    assert_int_equal(count(w), 1);
}

static void one_that_moved_and_one_that_comes_are_the_same(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_of(1, GATT_VERB_SUBSCRIBE, U_BATTERY);

    wish.link.is_auto_reconnect = true;
    world_do(w, 0, &wish);
    fixture_drop(w->f, 0, 1, 0x08);
    w->gadgets[1].has_moved = true;
    gatt_cache_forget(gatt_get_cache(w->gatt), DEVICE(1), GATT_DOUBT_ASKED);
    world_run(w, MSEC(10));
    world_want(w, 1, &wish);
    world_run(w, SECONDS(10));
    assert_int_equal(w->programs[1].code, 0);
    assert_int_equal(count(w), 1);
    assert_string_equal(gatt_get_holder(w->gatt, DEVICE(1), 0, 1), w->programs[1].lease);
}

/* ---- readers ---- */

static void on_ready(void *user)
{
    ++*(unsigned *) user;
}

static void readers_have_queues_of_their_own_and_know_what_they_lost(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_reader *quick, *slow, *other, *all;
    unsigned ready[4] = {0};
    struct gatt_value value;
    uint64_t lost, next = 1;

    assert_int_equal(gatt_reader_new(w->gatt, DEVICE(1), H_BATTERY, on_ready, &ready[0], &quick),
                     0);
    assert_int_equal(gatt_reader_new(w->gatt, DEVICE(1), H_BATTERY, on_ready, &ready[1], &slow), 0);
    assert_int_equal(gatt_reader_new(w->gatt, DEVICE(1), H_BOTH, on_ready, &ready[2], &other), 0);
    assert_int_equal(gatt_reader_new(w->gatt, DEVICE(1), 0, on_ready, &ready[3], &all), 0);
    subscribe(w, 0, H_BATTERY);
    for (uint64_t i = 1; i <= 20; i++) {
        notify(w, i);
        while (gatt_reader_next(quick, &value, &lost)) {
            assert_int_equal(value.counter, next++);
            assert_int_equal(value.value.data[0], i);
            assert_int_equal(lost, 0);
        }
    }
    assert_int_equal(next, 21);
    assert_int_equal(ready[0], 20);
    assert_int_equal(ready[1], 1);
    assert_int_equal(ready[2], 0);
    assert_true(gatt_reader_next(slow, &value, &lost));
    assert_int_equal(lost, 4);
    assert_int_equal(value.counter, 5);
    assert_int_equal(value.value.data[0], 5);
    assert_true(gatt_reader_next(slow, &value, &lost));
    assert_int_equal(lost, 0);
    w->settings.notify_queue = 2;
    gatt_configure(w->gatt, &w->settings);
    notify(w, 21);
    assert_true(gatt_reader_next(slow, &value, &lost));
    assert_int_equal(lost, 13);
    assert_int_equal(value.counter, 20);
    assert_false(gatt_reader_next(other, &value, &lost));
    assert_true(gatt_reader_next(all, &value, &lost));
    gatt_reader_free(quick);
    gatt_reader_free(slow);
    gatt_reader_free(other);
    gatt_reader_free(all);
}

static void there_are_so_many_readers(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_reader *readers[GATT_READERS_MAX + 1];

    for (size_t i = 0; i < GATT_READERS_MAX; i++)
        assert_int_equal(gatt_reader_new(w->gatt, DEVICE(i), 0, on_ready, NULL, &readers[i]), 0);
    assert_int_equal(
            gatt_reader_new(w->gatt, DEVICE(1), 0, on_ready, NULL, &readers[GATT_READERS_MAX]),
            E_OVERLOADED);
    for (size_t i = 0; i < GATT_READERS_MAX; i++)
        gatt_reader_free(readers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            gatt_test(G06_subscribing_listens_and_writes_what_the_characteristic_can),
            gatt_test(G06_a_second_holder_shares_and_only_another_type_is_a_conflict),
            gatt_test(G07_the_last_holder_switches_off_and_unknown_is_success),
            gatt_test(G07_a_device_that_is_better_left_alone_is),
            gatt_test(G08_a_failure_leaves_nothing_half),
            gatt_test(G08_who_gives_up_in_the_middle_leaves_nothing_half),
            gatt_test(who_comes_while_it_goes_off_turns_it_round),
            gatt_test(another_type_may_come_while_the_first_is_being_written),
            gatt_test(a_lease_that_ends_in_the_middle_holds_nothing),
            gatt_test(who_is_cancelled_between_answer_and_telling_holds_nothing),
            gatt_test(a_lease_that_ends_lets_go_what_it_held),
            gatt_test(a_device_has_so_many_subscriptions),
            gatt_test(G09_values_are_told_in_order_with_a_counter_and_end_with_the_link),
            gatt_test(G09_a_value_that_is_too_long_or_not_asked_for_is_dropped),
            gatt_test(a_subscription_of_a_lease_that_reconnects_is_on_again),
            gatt_test(what_is_lost_while_it_is_switched_on_again_is_not_given_up),
            gatt_test(one_that_moved_and_one_that_comes_are_the_same),
            gatt_test(readers_have_queues_of_their_own_and_know_what_they_lost),
            gatt_test(there_are_so_many_readers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
