/* Whatever happens, and whenever: a scenario is played again and again, and at each of its steps in
 * turn something breaks in. Each request is answered exactly once, no slot is lost, and afterwards
 * everything works. */
#include "gatt/gatt_fixture.h"

struct fault {
    const char *name;
    void (*strike)(struct gatt_world *w);
};
static struct {
    size_t at;
    const struct fault *fault;
    bool has_struck;
} plan;

/* ---- what breaks in ---- */

static void cancel_the_first(struct gatt_world *w)
{
    world_cancel(w, 0);
}

static void cancel_all(struct gatt_world *w)
{
    for (size_t i = 0; i < PROGRAMS; i++)
        world_cancel(w, i);
}

static void close_the_link(struct gatt_world *w)
{
    links_release(w->f->links, DEVICE(1), NULL, w->f->now);
}

static void end_the_leases(struct gatt_world *w)
{
    struct link_lease lease;

    while (links_get_lease(w->f->links, DEVICE(1), 0, &lease))
        links_release(w->f->links, DEVICE(1), lease.id, w->f->now);
}

static void cut_the_link(struct gatt_world *w)
{
    for (uint16_t i = 0; i < 2; i++)
        if (world_slot(w, i, 1))
            fixture_drop(w->f, i, 1, 0x08);
}

static void lose_both_proxies(struct gatt_world *w)
{
    for (uint16_t i = 0; i < 2; i++) {
        fixture_offline(w->f, i);
        gatt_proxy_offline(w->gatt, i, w->f->now);
        fixture_online(w->f, i);
    }
}

static void lose_a_proxy_for_good(struct gatt_world *w)
{
    fixture_offline(w->f, 0);
    gatt_proxy_offline(w->gatt, 0, w->f->now);
}

static void fall_silent(struct gatt_world *w)
{
    w->f->fakes[0].is_deaf = w->f->fakes[1].is_deaf = true;
}

static void take_no_messages(struct gatt_world *w)
{
    w->f->fakes[0].takes_nothing = w->f->fakes[1].takes_nothing = true;
}

static void answer_no_reads(struct gatt_world *w)
{
    w->gadgets[1].silent = MESSAGE_GATT_READ_REQUEST;
}

static void answer_no_cccds(struct gatt_world *w)
{
    w->gadgets[1].silent = MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST;
}

static void move_the_handles(struct gatt_world *w)
{
    w->gadgets[1].has_moved = true;
}

/* But not that a list of services has ended: who lies about that is believed. */
static void say_anything(struct gatt_world *w)
{
    static const enum message_type types[] = {
            MESSAGE_GATT_READ_RESPONSE, MESSAGE_GATT_WRITE_RESPONSE, MESSAGE_GATT_NOTIFY_RESPONSE,
            MESSAGE_GATT_NOTIFY_DATA_RESPONSE};
    static const uint32_t handles[] = {0, H_CHANGED, H_BATTERY, H_BATTERY_CCCD, H_WRITE};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        for (size_t k = 0; k < ARRAY_SIZE(handles); k++)
            say(w->f, 0, 0, types[i], 1, handles[k], (struct bytes){0}, 0);
}

static void say_errors(struct gatt_world *w)
{
    static const uint32_t handles[] = {0, H_BATTERY, H_BATTERY_CCCD, H_WRITE};
    static const int32_t errors[] = {-1, 0x01, 0x85};

    for (size_t i = 0; i < ARRAY_SIZE(handles); i++)
        for (size_t k = 0; k < ARRAY_SIZE(errors); k++)
            say(w->f, 0, 0, MESSAGE_GATT_ERROR_RESPONSE, 1, handles[i], (struct bytes){0},
                errors[k]);
}

static void fall_asleep(struct gatt_world *w) /* the loop stands still */
{
    w->f->now += SECONDS(100);
}

static void clear_the_cache(struct gatt_world *w)
{
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_CLEAR_CACHE, 0);

    if (!w->programs[20].request)
        (void) world_ask(w, 20, &wish);
}

static void close_all(struct gatt_world *w)
{
    gatt_close(w->gatt, w->f->now);
}

static const struct fault faults[] = {
        {"cancel the first", cancel_the_first},
        {"cancel all", cancel_all},
        {"close the link", close_the_link},
        {"end the leases", end_the_leases},
        {"cut the link", cut_the_link},
        {"lose both proxies", lose_both_proxies},
        {"lose a proxy for good", lose_a_proxy_for_good},
        {"fall silent", fall_silent},
        {"take no messages", take_no_messages},
        {"answer no reads", answer_no_reads},
        {"answer no CCCDs", answer_no_cccds},
        {"move the handles", move_the_handles},
        {"say anything", say_anything},
        {"say errors", say_errors},
        {"fall asleep", fall_asleep},
        {"clear the cache", clear_the_cache},
        {"close all", close_all},
};

/* ---- the scenario ---- */

static void on_step(struct fixture *f)
{
    if (f->steps_done != plan.at || plan.has_struck)
        return;
    plan.has_struck = true;
    plan.fault->strike(world_of(f));
}

static void want(struct gatt_world *w, size_t program, const struct gatt_wish *wish)
{
    (void) world_ask(w, program, wish); /* it may be refused: the room may close */
}

/* Discovered, hashed, read together, written in three ways, subscribed by two, one of whom
 * reconnects, notified, dropped, on again, unsubscribed, lingering, gone. */
static void play(struct gatt_world *w)
{
    static const uint8_t octets[30];
    struct gatt_wish wish = gatt_wish_of(1, GATT_VERB_READ, U_BATTERY);

    want(w, 0, &wish);
    want(w, 1, &wish);
    wish = gatt_wish_of(1, GATT_VERB_SUBSCRIBE, U_BATTERY);
    wish.link.is_auto_reconnect = true;
    wish.link.lease = SECONDS(40);
    want(w, 2, &wish);
    wish.link.is_auto_reconnect = false;
    wish.link.lease = SECONDS(20);
    want(w, 3, &wish);
    world_run(w, SECONDS(1));
    wish = gatt_wish_of(1, GATT_VERB_WRITE, U_ANY_WRITE);
    wish.value = (struct bytes){octets, sizeof octets};
    want(w, 4, &wish);
    wish.response = GATT_RESPONSE_NO;
    want(w, 5, &wish);
    want(w, 6, &wish);
    wish = gatt_wish_for(1, GATT_VERB_PAIR, 0);
    want(w, 7, &wish);
    world_run(w, MSEC(300));
    gadget_notify(w, 1, H_BATTERY, H_BATTERY_CCCD, 1);
    cut_the_link(w);
    wish = gatt_wish_for(1, GATT_VERB_SERVICES, 0);
    wish.refresh = true;
    want(w, 8, &wish);
    world_run(w, SECONDS(4));
    wish = gatt_wish_of(1, GATT_VERB_UNSUBSCRIBE, U_BATTERY);
    want(w, 9, &wish);
    world_run(w, SECONDS(170));
}

static void set_up(struct gatt_world *w)
{
    world_proxy(w, 0, -50);
    world_proxy(w, 1, -70);
    w->f->fakes[1].is_old = true;
    w->gadgets[1].is_hashed = true;
    w->f->steps_done = 0;
    w->f->on_step = on_step;
}

/* Faults that last are over, and it all works. */
static void heal(struct gatt_world *w)
{
    struct gatt_wish wish = gatt_wish_of(1, GATT_VERB_READ, U_BATTERY);

    w->f->on_step = NULL;
    w->gadgets[1].silent = 0;
    for (uint16_t i = 0; i < 2; i++) {
        w->f->fakes[i].is_deaf = w->f->fakes[i].takes_nothing = false;
        if (w->f->fakes[i].is_online)
            fixture_say_slots(w->f, i);
    }
    world_run(w, SECONDS(60));
    if (world_ask(w, 30, &wish) == E_SHUTTING_DOWN)
        return;
    world_run(w, SECONDS(60));
    if (w->programs[30].code)
        fail_msg("%s at step %zu: afterwards %s", plan.fault->name, plan.at,
                 error_token(w->programs[30].code));
}

static size_t steps_of_the_scenario(void)
{
    struct gatt_world *w;
    size_t steps;

    world_setup((void **) &w);
    plan.has_struck = true;
    set_up(w);
    play(w);
    steps = w->f->steps_done;
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(w->programs[i].code, 0);
    assert_int_equal(w->values_count, 1);
    world_teardown((void **) &w);
    return steps;
}

static void strike_at(const struct fault *fault, size_t step)
{
    struct gatt_world *w;

    world_setup((void **) &w);
    plan.at = step;
    plan.fault = fault;
    plan.has_struck = false;
    set_up(w);
    play(w);
    assert_true(plan.has_struck);
    heal(w);
    if (w->accepted != w->answered)
        fail_msg("%s at step %zu: %u of %u are answered", plan.fault->name, plan.at, w->answered,
                 w->accepted);
    world_teardown((void **) &w);
}

static void G08_G11_each_request_ends_once_and_all_works_again_whatever_breaks_in(void **state)
{
    size_t steps = steps_of_the_scenario();

    (void) state;
    assert_in_range(steps, 60, 1000);
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        for (size_t step = 1; step <= steps; step++)
            strike_at(&faults[i], step);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(G08_G11_each_request_ends_once_and_all_works_again_whatever_breaks_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
