/* Whatever happens, and whenever: a scenario is played again and again, and at each of its steps in
 * turn something breaks in. Each request is answered exactly once, and no slot is lost. */
#include <stdio.h>

#include "links_fixture.h"

struct fault {
    const char *name;
    void (*strike)(struct fixture *f);
};
static struct {
    size_t at;
    const struct fault *fault;
    bool has_struck;
} plan;

/* ---- what breaks in ---- */

static void cancel_the_first(struct fixture *f)
{
    if (f->clients[0].request)
        links_cancel(f->links, f->clients[0].request, f->now);
}

static void cancel_all(struct fixture *f)
{
    for (size_t i = 0; i < 8; i++)
        if (f->clients[i].request)
            links_cancel(f->links, f->clients[i].request, f->now);
}

static void release_the_link(struct fixture *f)
{
    assert_int_equal(links_release(f->links, DEVICE(1), NULL, f->now), 0);
}

static void release_the_lease(struct fixture *f)
{
    (void) links_release(f->links, DEVICE(1), f->clients[0].lease, f->now);
}

static void lose_both_proxies(struct fixture *f)
{
    fixture_offline(f, 0);
    fixture_offline(f, 1);
    fixture_online(f, 0);
    fixture_online(f, 1);
}

static void lose_a_proxy_for_good(struct fixture *f)
{
    fixture_offline(f, 0);
}

static void stop_listening(struct fixture *f)
{
    f->fakes[0].is_deaf = f->fakes[1].is_deaf = true;
}

static void take_no_messages(struct fixture *f)
{
    f->fakes[0].takes_nothing = f->fakes[1].takes_nothing = true;
}

static void say_not_connected(struct fixture *f)
{
    fixture_say_connection(f, 0, DEVICE(1), false, 0, 0x3e);
    fixture_say_connection(f, 1, DEVICE(1), false, 0, 0);
}

static void say_connected(struct fixture *f)
{
    fixture_say_connection(f, 0, DEVICE(1), true, 100000, 0);
    fixture_say_connection(f, 1, DEVICE(1), true, 0, 0);
}

static void say_paired(struct fixture *f)
{
    struct step *step = fixture_step(f, STEP_TO_LINKS, 1, 0);

    step->message = (struct message){.type = MESSAGE_DEVICE_PAIRING_RESPONSE,
                                     .result = {.address = DEVICE(1), .error = 99}};
}

static void fall_asleep(struct fixture *f) /* the loop stands still */
{
    f->now += SECONDS(100);
}

static void keep_it(struct fixture *f)
{
    links_keep(f->links, DEVICE(1), true, f->now);
}

static void ask_once_more(struct fixture *f)
{
    struct link_wish wish = wish_for(1);

    wish.source = 0;
    wish.queue_for = 0;
    (void) fixture_ask(f, 7, &wish);
}

static void close_all(struct fixture *f)
{
    links_close(f->links, f->now);
}

static const struct fault faults[] = {
        {"cancel the first", cancel_the_first},
        {"cancel all", cancel_all},
        {"release the link", release_the_link},
        {"release the lease", release_the_lease},
        {"lose both proxies", lose_both_proxies},
        {"lose a proxy for good", lose_a_proxy_for_good},
        {"stop listening", stop_listening},
        {"take no messages", take_no_messages},
        {"say not connected", say_not_connected},
        {"say connected", say_connected},
        {"say paired", say_paired},
        {"fall asleep", fall_asleep},
        {"keep it", keep_it},
        {"ask once more", ask_once_more},
        {"close all", close_all},
};

/* ---- the scenario ---- */

static void on_step(struct fixture *f)
{
    if (f->steps_done != plan.at || plan.has_struck)
        return;
    plan.has_struck = true;
    plan.fault->strike(f);
}

/* Refused by one proxy, failed on one, paired on the other, joined, queued, renewed, dropped,
 * opened again, released, lingering, gone. */
static void play(struct fixture *f)
{
    struct link_wish wish = wish_for(1);

    f->air[1][0] = (struct air){.rssi = -40, .outcome = FAILS, .reason = 0x3e};
    f->air[1][1] = (struct air){.rssi = -80};
    f->air[2][1] = (struct air){.rssi = -60, .outcome = NEVER};
    f->air[3][1] = (struct air){.rssi = -60};
    wish.pair = wish.is_auto_reconnect = true;
    (void) fixture_ask(f, 0, &wish);
    wish = wish_for(2);
    wish.attempt_timeout = SECONDS(2);
    wish.attempts = 2;
    (void) fixture_ask(f, 1, &wish);
    fixture_run(f, MSEC(300));
    wish = wish_for(1);
    (void) fixture_ask(f, 2, &wish);
    wish = wish_for(3);
    (void) fixture_ask(f, 3, &wish);
    fixture_run(f, SECONDS(8));
    if (fake_find(&f->fakes[1], DEVICE(1)))
        fixture_drop(f, 1, 1, 0x08);
    fixture_run(f, SECONDS(3));
    links_release(f->links, DEVICE(1), f->clients[0].lease, f->now);
    fixture_run(f, SECONDS(150));
}

static void set_up(struct fixture *f)
{
    fixture_proxy(f, 0, 2);
    fixture_proxy(f, 1, 2);
    f->fakes[1].is_old = true;
    f->steps_done = 0;
    f->on_step = on_step;
}

/* Faults that last are over at the end, so that what is lost can be found. */
static void heal(struct fixture *f)
{
    f->on_step = NULL;
    for (uint16_t i = 0; i < 2; i++) {
        f->fakes[i].is_deaf = f->fakes[i].takes_nothing = false;
        if (f->fakes[i].is_online)
            fixture_say_slots(f, i);
    }
    fixture_run(f, SECONDS(40));
}

static size_t steps_of_the_scenario(void)
{
    struct fixture *f;
    size_t steps;

    fixture_setup((void **) &f);
    plan.has_struck = true;
    set_up(f);
    play(f);
    steps = f->steps_done;
    assert_int_equal(f->clients[0].code, 0);
    assert_int_equal(f->clients[1].code, E_CONNECT_TIMEOUT);
    assert_int_equal(f->clients[2].code, 0);
    assert_int_equal(f->clients[3].code, 0);
    fixture_teardown((void **) &f);
    return steps;
}

static void strike_at(const struct fault *fault, size_t step)
{
    struct fixture *f;

    fixture_setup((void **) &f);
    plan.at = step;
    plan.fault = fault;
    plan.has_struck = false;
    set_up(f);
    play(f);
    assert_true(plan.has_struck);
    heal(f);
    assert_int_equal(f->accepted, f->answered);
    fixture_teardown((void **) &f);
}

static void C09_C10_C16_each_request_ends_once_and_no_slot_is_lost_whatever_breaks_in(void **state)
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
            cmocka_unit_test(
                    C09_C10_C16_each_request_ends_once_and_no_slot_is_lost_whatever_breaks_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
