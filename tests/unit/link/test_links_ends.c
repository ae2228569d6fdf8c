/* How requests, attempts, links and leases end: time-outs, cancels, drops, proxies that go, what
 * the ledger finds, pairing, and the end of the gateway. */
#include "links_fixture.h"

static void C09_a_time_out_disconnects_and_the_slot_is_back_before_the_error(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct link_wish wish = wish_for(1);

    f->air[1][0] = (struct air){.rssi = -60, .outcome = NEVER};
    wish.attempts = 1;
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(20) - 1);
    assert_int_equal(fake->disconnects, 0);
    fixture_run(f, MSEC(50));
    assert_int_equal(fake->disconnects, 1);
    assert_int_equal(fixture_taken(f, 0), 1);
    assert_int_equal(f->clients[0].answers, 0);
    fixture_run(f, MSEC(100));
    assert_int_equal(fixture_taken(f, 0), 0);
    assert_int_equal(f->clients[0].code, E_CONNECT_TIMEOUT);
    assert_int_equal(f->clients[0].attempts[0].end, ATTEMPT_TIMED_OUT);
    assert_int_equal(f->clients[0].attempts[0].duration, SECONDS(20));
}

static void C09_the_deadline_of_a_request_ends_the_attempt_alike(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct link_wish wish = wish_for(1);

    f->air[1][0] = (struct air){.rssi = -60, .outcome = NEVER};
    wish.timeout = SECONDS(3);
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(4));
    assert_int_equal(fake->disconnects, 1);
    assert_int_equal(f->clients[0].code, E_CONNECT_TIMEOUT);
    assert_in_range(f->clients[0].answered - f->clients[0].asked, SECONDS(3) + MSEC(100),
                    SECONDS(3) + MSEC(200));
}

static void an_attempt_that_a_deadline_cut_short_says_nothing_about_the_proxy(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);
    struct link_proxy_view view;

    (void) fixture_proxy(f, 0, 3);
    f->air[1][0] = (struct air){.rssi = -60, .outcome = NEVER};
    wish.timeout = SECONDS(3);
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(4));
    assert_int_equal(f->clients[0].code, E_CONNECT_TIMEOUT);
    links_get_proxy(f->links, 0, f->now, &view);
    assert_int_equal(view.failed, 0);
    wish.timeout = SECONDS(60);
    wish.attempts = 1;
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    fixture_run(f, SECONDS(30));
    assert_int_equal(f->clients[1].code, E_CONNECT_TIMEOUT);
    links_get_proxy(f->links, 0, f->now, &view);
    assert_int_equal(view.failed, 1); /* it had all its time */
}

static void C09_a_slot_that_does_not_come_back_delays_the_error_by_five_seconds(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct link_wish wish = wish_for(1);

    f->air[1][0] = (struct air){.rssi = -60, .outcome = NEVER};
    fake->ignores_disconnect = f->is_leaky = true;
    wish.timeout = SECONDS(3);
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(9));
    assert_int_equal(f->clients[0].code, E_CONNECT_TIMEOUT);
    assert_int_equal(f->clients[0].answered - f->clients[0].asked, SECONDS(8));
}

static void C09_no_error_waits_where_no_slot_was_taken(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(2);

    fixture_proxy(f, 0, 1);
    f->air[1][0] = (struct air){.rssi = -60, .delay = SECONDS(10)};
    f->air[2][0].rssi = -60;
    fixture_connect(f, 0, 1);
    wish.timeout = SECONDS(1);
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    fixture_run(f, SECONDS(2));
    assert_int_equal(f->clients[1].code, E_NO_FREE_SLOT);
    assert_int_equal(f->clients[1].answered - f->clients[1].asked, SECONDS(1));
    assert_int_equal(f->clients[1].attempts_count, 0);
}

static void C10_a_cancelled_attempt_gives_its_slot_back(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct client *c;

    f->air[1][0].rssi = -60;
    c = fixture_connect(f, 0, 1);
    fixture_run(f, MSEC(200));
    links_cancel(f->links, c->request, f->now);
    assert_int_equal(c->answers, 0); /* never from inside */
    fixture_run(f, 1);
    assert_int_equal(c->code, E_CANCELLED);
    assert_int_equal(c->attempts[0].end, ATTEMPT_CANCELLED);
    assert_true(c->attempts[0].is_over);
    assert_int_equal(c->attempts[0].code, E_CANCELLED);
    assert_int_equal(c->attempts[0].duration, MSEC(200));
    fixture_run(f, SECONDS(1));
    assert_int_equal(fake->disconnects, 1);
    assert_int_equal(fixture_taken(f, 0), 0);
    assert_int_equal(fixture_count(f, LINK_EVENT_CONNECTED), 0);
    assert_int_equal(fixture_last(f, LINK_EVENT_FAILED)->code, E_CANCELLED);
}

static void C10_a_late_connected_is_answered_with_a_disconnect(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct client *c;

    f->air[1][0].rssi = -60;
    c = fixture_connect(f, 0, 1);
    fixture_run(f, MSEC(200));
    fake->ignores_disconnect = true;
    links_cancel(f->links, c->request, f->now);
    fixture_run(f, MSEC(100));
    fake->ignores_disconnect = false;
    fixture_run(f, SECONDS(1));
    assert_int_equal(fake->disconnects, 2);
    assert_int_equal(fixture_taken(f, 0), 0);
    assert_int_equal(fixture_count(f, LINK_EVENT_CONNECTED), 0);
}

static void the_last_who_leaves_stops_the_attempt(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);

    f->air[1][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_connect(f, 1, 1);
    fixture_run(f, MSEC(100));
    links_cancel(f->links, f->clients[0].request, f->now);
    fixture_run(f, MSEC(100));
    assert_int_equal(fake->disconnects, 0);
    links_cancel(f->links, f->clients[1].request, f->now);
    fixture_run(f, MSEC(100));
    assert_int_equal(fake->disconnects, 1);
}

static void a_cancel_that_comes_too_late_ends_the_lease(void **state)
{
    struct fixture *f = *state;
    struct client *c;

    fixture_proxy(f, 0, 3);
    f->air[1][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    c = fixture_connect(f, 1, 1); /* has its lease, and was not told yet */
    assert_int_equal(fixture_view(f, 1).leases, 2);
    links_cancel(f->links, c->request, f->now);
    assert_int_equal(fixture_view(f, 1).leases, 1);
    fixture_run(f, 1);
    assert_int_equal(c->code, E_CANCELLED);
    assert_int_equal(c->answers, 1);
}

static void X04_a_lost_proxy_ends_its_links_and_its_slots_are_none(void **state)
{
    struct fixture *f = *state;
    struct link_proxy_view view;
    struct link_wish wish = wish_for(3);

    fixture_proxy(f, 0, 3);
    f->air[1][0].rssi = f->air[3][0].rssi = -60;
    f->air[2][0] = (struct air){.rssi = -60, .outcome = NEVER};
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    fixture_connect(f, 1, 2); /* on the way */
    fixture_run(f, SECONDS(1));
    wish.source = 0;
    assert_int_equal(fixture_ask(f, 2, &wish), 0); /* in line */
    fixture_run(f, MSEC(1));
    fixture_offline(f, 0);
    assert_int_equal(f->clients[1].code, E_NO_ROUTE);
    assert_int_equal(f->clients[1].attempts[0].end, ATTEMPT_PROXY_LOST);
    assert_int_equal(f->clients[2].code, E_PROXY_OFFLINE);
    assert_int_equal(fixture_count(f, LINK_EVENT_DISCONNECTED), 1);
    assert_int_equal(fixture_last(f, LINK_EVENT_DISCONNECTED)->code, E_PROXY_OFFLINE);
    assert_false(fixture_has_link(f, 1));
    links_get_proxy(f->links, 0, f->now, &view);
    assert_int_equal(view.slots.ours, 0);
    assert_int_equal(view.slots.free, 0);
}

static void X04_requests_try_elsewhere(void **state)
{
    struct fixture *f = *state;

    fixture_proxy(f, 0, 3);
    fixture_proxy(f, 1, 3);
    f->air[1][0] = (struct air){.rssi = -40, .outcome = NEVER};
    f->air[1][1] = (struct air){.rssi = -80};
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    fixture_offline(f, 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[0].code, 0);
    assert_int_equal(f->clients[0].source, 1);
}

static void X05_a_link_that_the_list_does_not_have_is_ended(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct links_statistics statistics;

    f->air[1][0].rssi = f->air[2][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_connect(f, 1, 2);
    fixture_run(f, SECONDS(5));
    fake_find(fake, DEVICE(1))->phase = FAKE_FREE; /* it forgot to say so */
    fixture_say_slots(f, 0);
    fixture_run(f, SECONDS(1));
    assert_false(fixture_has_link(f, 1));
    assert_true(fixture_has_link(f, 2));
    assert_int_equal(fixture_last(f, LINK_EVENT_DISCONNECTED)->address, DEVICE(1));
    assert_int_equal(fixture_last(f, LINK_EVENT_DISCONNECTED)->code, E_DISCONNECTED);
    links_get_statistics(f->links, &statistics);
    assert_int_equal(statistics.lost, 1);
    assert_int_equal(statistics.orphans_freed, 0);
}

static void X05_a_list_that_contradicts_itself_is_counted_and_ends_nothing(void **state)
{
    struct fixture *f = *state;
    struct links_statistics statistics;
    struct step *step;

    fixture_proxy(f, 0, 3);
    f->air[1][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(5));
    for (size_t i = 0; i < 2; i++) {
        step = fixture_step(f, STEP_TO_LINKS, 0, LATENCY);
        step->message = (struct message){.type = MESSAGE_CONNECTIONS_FREE_RESPONSE,
                                         .connections_free = {.free = 1, .limit = 3}};
    }
    fixture_run(f, SECONDS(1));
    links_get_statistics(f->links, &statistics);
    assert_int_equal(statistics.inconsistent, 1);
    assert_int_equal(statistics.lost, 0);
    assert_int_equal(fixture_view(f, 1).state, LINK_CONNECTED);
}

static void X06_a_device_in_a_second_list_is_released_there(void **state)
{
    struct fixture *f = *state;
    struct fake *other;
    struct links_statistics statistics;

    fixture_proxy(f, 0, 3);
    other = fixture_proxy(f, 1, 3);
    f->air[1][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    fake_take(other, DEVICE(1))->phase = FAKE_OPEN;
    fixture_say_slots(f, 1);
    fixture_run(f, SECONDS(10));
    assert_int_equal(fixture_taken(f, 1), 0);
    assert_int_equal(fixture_view(f, 1).state, LINK_CONNECTED);
    links_get_statistics(f->links, &statistics);
    assert_int_equal(statistics.orphans_freed, 1);
}

static void C16_one_event_for_each_link_that_ends_however_often_it_is_said(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);

    fake->is_old = true;
    f->air[1][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    assert_int_equal(links_release(f->links, DEVICE(1), NULL, f->now), 0);
    assert_int_equal(fixture_view(f, 1).state, LINK_DISCONNECTING);
    assert_int_equal(links_release(f->links, DEVICE(1), NULL, f->now), 0);
    fixture_run(f, SECONDS(2));
    assert_int_equal(links_release(f->links, DEVICE(1), NULL, f->now), 0);
    assert_int_equal(links_release(f->links, DEVICE(1), f->clients[0].lease, f->now), E_GONE);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_count(f, LINK_EVENT_DISCONNECTED), 1);
    assert_int_equal(fixture_last(f, LINK_EVENT_DISCONNECTED)->code, 0);
    assert_int_equal(fake->disconnects, 1);

    fixture_connect(f, 0, 1); /* and a drop, said twice */
    fixture_run(f, SECONDS(1));
    fixture_drop(f, 0, 1, 0x13);
    fixture_run(f, SECONDS(2));
    assert_int_equal(fixture_count(f, LINK_EVENT_DISCONNECTED), 2);
    assert_int_equal(fixture_last(f, LINK_EVENT_DISCONNECTED)->reason, 0x13);
    assert_int_equal(fixture_last(f, LINK_EVENT_DISCONNECTED)->code, E_DISCONNECTED);
}

static void a_disconnect_without_an_answer_is_over_after_twenty_seconds(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);

    f->air[1][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    fake->is_deaf = f->is_leaky = true;
    links_release(f->links, DEVICE(1), NULL, f->now);
    fixture_run(f, SECONDS(19));
    assert_int_equal(fixture_view(f, 1).state, LINK_DISCONNECTING);
    fixture_run(f, SECONDS(2));
    assert_false(fixture_has_link(f, 1));
    fake->is_deaf = false;
    fixture_run(f, SECONDS(30)); /* the slot is an orphan, and freed as one */
    assert_int_equal(fixture_taken(f, 0), 0);
}

static void a_list_without_the_address_ends_a_goodbye_too(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct link_wish wish = wish_for(2);

    fake->is_mute = true;
    f->air[1][0].rssi = -60;
    f->air[2][0] = (struct air){.rssi = -60, .outcome = NEVER};
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    links_release(f->links, DEVICE(1), NULL, f->now);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_count(f, LINK_EVENT_DISCONNECTED), 1);
    assert_false(fixture_has_link(f, 1));

    wish.timeout = SECONDS(1); /* a cancelled attempt alike */
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    fixture_run(f, SECONDS(2));
    assert_int_equal(f->clients[1].code, E_CONNECT_TIMEOUT);
    assert_in_range(f->clients[1].answered - f->clients[1].asked, SECONDS(1),
                    SECONDS(1) + MSEC(200));
}

static void a_list_that_never_had_the_address_ends_no_goodbye(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct client *c;

    f->air[1][0].rssi = f->air[2][0].rssi = -60;
    fixture_connect(f, 0, 2);
    fixture_run(f, SECONDS(1));
    fixture_say_slots(f, 0); /* on its way when the attempt begins */
    c = fixture_connect(f, 1, 1);
    fixture_run(f, 1);
    links_cancel(f->links, c->request, f->now);
    fixture_run(f, MSEC(7));
    fixture_connect(f, 1, 1);
    fixture_run(f, MSEC(20));
    assert_int_equal(fake->connects, 2); /* not again before the first is closed */
    fixture_run(f, SECONDS(5));
    assert_int_equal(f->clients[1].code, 0);
}

static void a_list_that_has_the_address_only_then_ends_the_goodbye_later(void **state)
{
    struct fixture *f = *state;
    struct client *c;

    fixture_proxy(f, 0, 3)->is_mute = true;
    f->air[1][0].rssi = -60;
    c = fixture_connect(f, 0, 1);
    fixture_run(f, MSEC(7)); /* the list with the address is on its way */
    links_cancel(f->links, c->request, f->now);
    fixture_run(f, SECONDS(1));
    c = fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    assert_int_equal(c->code, 0);
}

static void a_cancel_does_not_wait_for_the_slot(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);

    fixture_proxy(f, 0, 3)->ignores_disconnect = true;
    f->is_leaky = true;
    f->air[1][0] = (struct air){.rssi = -60, .outcome = NEVER};
    wish.timeout = SECONDS(1);
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(2)); /* it failed, and waits for its slot */
    assert_int_equal(f->clients[0].answers, 0);
    links_cancel(f->links, f->clients[0].request, f->now);
    fixture_run(f, 1);
    assert_int_equal(f->clients[0].code, E_CANCELLED);
}

static void without_linger_a_link_closes_with_its_last_lease(void **state)
{
    struct fixture *f = *state;
    struct client *c;

    fixture_proxy(f, 0, 3);
    f->settings.linger = 0;
    links_configure(f->links, &f->settings);
    f->air[1][0].rssi = -60;
    c = fixture_connect(f, 0, 1);
    fixture_run(f, MSEC(100));
    links_cancel(f->links, c->request, f->now); /* an opening has nothing to linger for */
    fixture_run(f, SECONDS(1));
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    assert_int_equal(links_release(f->links, DEVICE(1), c->lease, f->now), 0);
    assert_int_equal(fixture_view(f, 1).state, LINK_DISCONNECTING);
    fixture_run(f, SECONDS(1));
    assert_false(fixture_has_link(f, 1));
}

static void a_link_is_opened_again_through_the_proxy_that_was_asked_for(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);

    fixture_proxy(f, 0, 3);
    fixture_proxy(f, 1, 3);
    f->air[1][0].rssi = -40;
    f->air[1][1].rssi = -80;
    wish.source = 1;
    wish.is_auto_reconnect = true;
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(1));
    fixture_drop(f, 1, 1, 0x08);
    fixture_run(f, SECONDS(3));
    assert_int_equal(fixture_view(f, 1).state, LINK_CONNECTED);
    assert_int_equal(fixture_view(f, 1).source, 1);
    links_keep(f->links, DEVICE(1), true, f->now); /* the setting asks for no proxy */
    fixture_drop(f, 1, 1, 0x08);
    fixture_run(f, SECONDS(5));
    assert_int_equal(fixture_view(f, 1).source, 0);
}

static void a_disconnect_that_could_not_be_sent_is_sent_again(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);

    f->air[1][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    fake->takes_nothing = true;
    links_release(f->links, DEVICE(1), NULL, f->now);
    fixture_run(f, SECONDS(3));
    fake->takes_nothing = false;
    fixture_run(f, SECONDS(2));
    assert_int_equal(fixture_taken(f, 0), 0);
    assert_false(fixture_has_link(f, 1));
}

static void a_request_while_the_link_closes_gets_the_next_one(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct client *c;

    f->air[1][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    links_release(f->links, DEVICE(1), NULL, f->now);
    c = fixture_connect(f, 1, 1);
    fixture_run(f, SECONDS(2));
    assert_int_equal(c->code, 0);
    assert_int_equal(fake->connects, 2);
    assert_int_equal(fixture_count(f, LINK_EVENT_DISCONNECTED), 1);
}

static void closing_a_link_cancels_who_waits_for_it(void **state)
{
    struct fixture *f = *state;

    fixture_proxy(f, 0, 3);
    f->air[1][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, MSEC(100));
    links_release(f->links, DEVICE(1), NULL, f->now);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[0].code, E_CANCELLED);
    assert_int_equal(fixture_taken(f, 0), 0);
}

static void a_link_lingers_after_its_last_lease_and_then_closes(void **state)
{
    struct fixture *f = *state;
    struct client *c;

    fixture_proxy(f, 0, 3);
    f->air[1][0].rssi = -60;
    c = fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(50));
    assert_int_equal(fixture_view(f, 1).linger_until, 0);
    fixture_run(f, c->expires - f->now + SECONDS(1)); /* expires by itself */
    assert_int_equal(fixture_view(f, 1).leases, 0);
    assert_int_equal(fixture_view(f, 1).linger_until, c->expires + SECONDS(10));
    fixture_connect(f, 1, 1); /* comes in time */
    fixture_run(f, SECONDS(20));
    assert_int_equal(fixture_view(f, 1).linger_until, 0);
    links_release(f->links, DEVICE(1), f->clients[1].lease, f->now);
    fixture_run(f, SECONDS(9));
    assert_true(fixture_has_link(f, 1));
    fixture_run(f, SECONDS(2));
    assert_false(fixture_has_link(f, 1));
    assert_int_equal(f->fakes[0].connects, 1);
}

static void a_lease_is_renewed_by_its_id(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);
    struct client *c;

    fixture_proxy(f, 0, 3);
    f->air[1][0].rssi = -60;
    c = fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(30));
    wish.renew = c->lease;
    wish.lease = SECONDS(100);
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[1].code, 0);
    assert_string_equal(f->clients[1].lease, c->lease);
    assert_int_equal(fixture_view(f, 1).leases, 1);
    assert_int_equal(f->clients[1].expires, f->clients[1].asked + SECONDS(100));

    links_release(f->links, DEVICE(1), c->lease, f->now);
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[1].code, E_GONE);
}

static void renewing_opens_a_dropped_link_at_once(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);
    char lease[LINK_LEASE_ID_SIZE];

    fixture_proxy(f, 0, 3);
    f->air[1][0].rssi = -60;
    wish.is_auto_reconnect = true;
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(1));
    memcpy(lease, f->clients[0].lease, sizeof(lease));
    fixture_drop(f, 0, 1, 0x08);
    fixture_run(f, MSEC(100)); /* its pause is a second */
    assert_int_equal(fixture_view(f, 1).state, LINK_QUEUED);
    wish = wish_for(1);
    wish.renew = lease;
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    memset(lease, 'x', sizeof(lease)); /* it was copied */
    fixture_run(f, MSEC(700));
    assert_int_equal(f->clients[1].code, 0);
    assert_string_equal(f->clients[1].lease, f->clients[0].lease);
    assert_int_equal(fixture_view(f, 1).leases, 1);
}

static void an_opening_goes_on_when_its_leader_leaves(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);

    fixture_proxy(f, 0, 3);
    f->air[1][0] = (struct air){.rssi = -60, .delay = SECONDS(3)};
    wish.timeout = SECONDS(1);
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_connect(f, 1, 1);
    fixture_run(f, SECONDS(2));
    assert_int_equal(f->clients[0].code, E_CONNECT_TIMEOUT);
    assert_int_equal(f->clients[0].answered - f->clients[0].asked, SECONDS(1));
    assert_int_equal(f->fakes[0].disconnects, 0);
    fixture_run(f, SECONDS(2));
    assert_int_equal(f->clients[1].code, 0);
    assert_int_equal(f->fakes[0].connects, 1);
}

static struct fixture *asked_back;

static void ask_back(struct client *client)
{
    struct fixture *f = asked_back;
    struct link_wish wish = wish_for(2);

    client->on_done = NULL;
    assert_int_equal(links_release(f->links, DEVICE(1), client->lease, f->now), 0);
    assert_int_equal(fixture_ask(f, 5, &wish), 0);
    links_cancel(f->links, f->clients[1].request, f->now); /* is to be answered next */
}

static void an_answer_may_call_back(void **state)
{
    struct fixture *f = asked_back = *state;

    fixture_proxy(f, 0, 3);
    f->asks_back = true;
    f->air[1][0].rssi = f->air[2][0].rssi = -60;
    fixture_connect(f, 0, 1)->on_done = ask_back;
    fixture_connect(f, 1, 1);
    fixture_run(f, SECONDS(2));
    assert_int_equal(f->clients[0].code, 0);
    assert_int_equal(f->clients[1].code, E_CANCELLED);
    assert_int_equal(f->clients[5].code, 0);
    assert_int_equal(fixture_view(f, 1).leases, 0);
    assert_int_not_equal(fixture_view(f, 1).linger_until, 0);
}

static void texts_of_clients_are_cut_and_cleaned(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);
    struct link_lease lease;
    char purpose[100];

    fixture_proxy(f, 0, 3);
    f->air[1][0].rssi = -60;
    memset(purpose, 'x', sizeof(purpose));
    memcpy(purpose + 63, "\xc3\xa4", 2); /* would be cut in two */
    purpose[99] = '\0';
    wish.client = "a\nb\x7f\xc2\x85"
                  "c";
    wish.purpose = purpose;
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    purpose[0] = 'y'; /* it was copied */
    fixture_run(f, SECONDS(1));
    assert_true(links_get_lease(f->links, DEVICE(1), 0, &lease));
    assert_string_equal(lease.client, "a?b???c");
    assert_int_equal(strlen(lease.purpose), 63);
    assert_int_equal(lease.purpose[0], 'x');

    memset(purpose, 'x', sizeof(purpose));
    purpose[LINK_PURPOSE_MAX] = '\0'; /* just fits */
    wish.purpose = purpose;
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    assert_true(links_get_lease(f->links, DEVICE(1), 1, &lease));
    assert_int_equal(strlen(lease.purpose), LINK_PURPOSE_MAX);
}

static void a_lost_link_ends_its_leases_but_those_that_reconnect(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct link_lease lease;

    f->air[1][0].rssi = -60;
    wish.is_auto_reconnect = true;
    wish.lease = USEC_NEVER;
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_connect(f, 1, 1);
    fixture_run(f, SECONDS(1));
    fixture_drop(f, 0, 1, 0x08);
    fixture_run(f, MSEC(500));
    assert_int_equal(fixture_view(f, 1).state, LINK_QUEUED);
    assert_int_equal(fixture_view(f, 1).leases, 1);
    assert_true(links_get_lease(f->links, DEVICE(1), 0, &lease));
    assert_string_equal(lease.id, f->clients[0].lease);
    fixture_run(f, SECONDS(2));
    assert_int_equal(fixture_view(f, 1).state, LINK_CONNECTED);
    assert_int_equal(fake->connects, 2);
    links_release(f->links, DEVICE(1), lease.id, f->now);
    fixture_run(f, SECONDS(12));
    assert_false(fixture_has_link(f, 1));
}

static void a_link_is_opened_again_after_growing_pauses(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    unsigned before;

    f->air[1][0] = (struct air){.rssi = -60, .outcome = FAILS, .reason = 0x85};
    links_keep(f->links, DEVICE(1), true, f->now);
    fixture_run(f, SECONDS(600));
    before = fake->connects;
    fixture_run(f, SECONDS(600));
    assert_in_range(fake->connects - before, 4 * 8, 4 * 10); /* four attempts a minute */
    assert_int_equal(fixture_view(f, 1).state, LINK_QUEUED);
    assert_true(fixture_view(f, 1).is_kept);

    f->air[1][0].outcome = CONNECTS;
    fixture_run(f, SECONDS(70));
    assert_int_equal(fixture_view(f, 1).state, LINK_CONNECTED);
    fixture_run(f, SECONDS(1000)); /* it neither lingers nor ends */
    assert_int_equal(fixture_view(f, 1).state, LINK_CONNECTED);
    fixture_drop(f, 0, 1, 0x08);
    fixture_run(f, SECONDS(3)); /* after a long time it comes back soon */
    assert_int_equal(fixture_view(f, 1).state, LINK_CONNECTED);
    links_keep(f->links, DEVICE(1), false, f->now);
    fixture_run(f, SECONDS(12));
    assert_false(fixture_has_link(f, 1));
}

static void a_kept_device_is_opened_when_somebody_hears_it(void **state)
{
    struct fixture *f = *state;

    fixture_proxy(f, 0, 3);
    links_keep(f->links, DEVICE(1), true, f->now);
    fixture_run(f, SECONDS(1000));
    assert_int_equal(fixture_count(f, LINK_EVENT_FAILED), 1); /* told once */
    f->air[1][0].rssi = -60;
    links_heard(f->links, DEVICE(1), f->now);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_view(f, 1).state, LINK_CONNECTED);
}

static void C17_pairing_comes_before_the_answer(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct link_wish wish = wish_for(1);

    f->air[1][0].rssi = -60;
    wish.pair = true;
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_connect(f, 1, 1);
    fixture_run(f, MSEC(600));
    assert_int_equal(f->clients[1].code, 0); /* who does not pair does not wait */
    assert_int_equal(f->clients[0].answers, 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[0].code, 0);
    assert_int_equal(fake->pairs, 1);
    assert_true(f->air[1][0].is_bonded);
}

static void C17_a_failed_pairing_tells_its_number_and_closes(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);

    fixture_proxy(f, 0, 3);
    f->air[1][0] = (struct air){.rssi = -60, .pair_error = 82};
    wish.pair = true;
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(2));
    assert_int_equal(f->clients[0].code, E_PAIRING_FAILED);
    assert_int_equal(f->clients[0].reason, 82);
    assert_false(fixture_has_link(f, 1));

    fixture_connect(f, 1, 1); /* others hold it: it stays */
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[0].code, E_PAIRING_FAILED);
    assert_int_equal(fixture_view(f, 1).state, LINK_CONNECTED);
}

static void C17_firmware_that_cannot_pair_is_said_so_or_passed_over(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);
    struct fake *fake = &f->fakes[0];

    fake->features = PROXY_FEATURE_ACTIVE_CONNECTIONS;
    fake->limit = 3;
    fixture_online(f, 0);
    f->air[1][0].rssi = f->air[2][0].rssi = -40;
    wish.pair = true;
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_connect(f, 1, 2);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[0].code, E_NOT_SUPPORTED);
    wish.address = DEVICE(2); /* joins an open link */
    assert_int_equal(fixture_ask(f, 2, &wish), 0);
    fixture_run(f, MSEC(1));
    assert_int_equal(f->clients[2].code, E_NOT_SUPPORTED);

    fixture_proxy(f, 1, 3);
    f->air[1][1].rssi = -80;
    wish.address = DEVICE(1);
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(2));
    assert_int_equal(f->clients[0].code, 0);
    assert_int_equal(f->clients[0].source, 1);
}

static void a_pairing_that_is_never_answered_ends_with_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);

    fixture_proxy(f, 0, 3);
    f->air[1][0] = (struct air){.rssi = -60, .pair_error = INT32_MAX};
    wish.pair = true;
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(61));
    assert_int_equal(f->clients[0].code, E_CONNECT_TIMEOUT);
    fixture_run(f, SECONDS(11));
    assert_false(fixture_has_link(f, 1));
}

static void a_pairing_that_the_device_begins_is_noted(void **state)
{
    struct fixture *f = *state;
    struct step *step;

    fixture_proxy(f, 0, 3);
    f->air[1][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    step = fixture_step(f, STEP_TO_LINKS, 0, LATENCY);
    step->message = (struct message){.type = MESSAGE_DEVICE_PAIRING_RESPONSE,
                                     .result = {.address = DEVICE(1), .success = true}};
    fixture_run(f, SECONDS(1));
    assert_true(f->air[1][0].is_bonded);
}

static void C18_the_end_refuses_requests_and_closes_links(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(5);

    fixture_proxy(f, 0, 3);
    for (size_t i = 1; i < 5; i++)
        f->air[i][0].rssi = -60;
    f->air[2][0].outcome = NEVER;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    fixture_connect(f, 1, 2); /* on the way */
    fixture_run(f, MSEC(100));
    fixture_connect(f, 2, 3); /* in line */
    links_keep(f->links, DEVICE(4), true, f->now);
    links_close(f->links, f->now);
    assert_int_equal(fixture_ask(f, 3, &wish), E_SHUTTING_DOWN);
    assert_false(links_is_closed(f->links));
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[1].code, E_SHUTTING_DOWN);
    assert_int_equal(f->clients[2].code, E_SHUTTING_DOWN);
    assert_int_equal(fixture_count(f, LINK_EVENT_DISCONNECTED), 1);
    assert_int_equal(fixture_taken(f, 0), 0);
    assert_true(links_is_closed(f->links));
}

static void D06_slots_and_links_that_nobody_owns_can_be_released(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 5), *other = fixture_proxy(f, 2, 3);

    f->air[1][0].rssi = f->air[2][2].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    fake_take(fake, DEVICE(9))->phase = FAKE_OPEN;
    fixture_say_slots(f, 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(links_free_slot(f->links, 0, DEVICE(1), f->now), E_CONFLICT);
    assert_int_equal(links_free_slot(f->links, 0, DEVICE(3), f->now), E_NOT_FOUND);
    assert_int_equal(links_free_slot(f->links, 1, DEVICE(9), f->now), E_PROXY_OFFLINE);
    assert_int_equal(links_free_slot(f->links, 0, DEVICE(9), f->now), 0);
    fixture_run(f, SECONDS(1));
    assert_null(fake_find(fake, DEVICE(9)));

    /* An orphan: we had asked for it once, and it is still listed. */
    other->ignores_disconnect = true;
    fixture_connect(f, 1, 2);
    fixture_run(f, SECONDS(1));
    links_release(f->links, DEVICE(2), NULL, f->now);
    fixture_run(f, SECONDS(28));
    other->ignores_disconnect = false;
    links_release(f->links, DEVICE(1), f->clients[0].lease, f->now);
    assert_int_equal(links_close_stale(f->links, f->now), 1);
    fixture_run(f, SECONDS(1));
    assert_null(fake_find(other, DEVICE(2)));
    assert_int_equal(fixture_view(f, 1).state, LINK_CONNECTED); /* it lingers: that is wanted */
}

static void each_attempt_is_told_once_when_it_is_over_however_it_ended(void **state)
{
    static const struct {
        struct air air;
        enum attempt_end end;
        int code;
        usec_t duration;
    } rows[] = {
            {{.outcome = CONNECTS}, ATTEMPT_CONNECTED, 0, MSEC(500) + 2 * LATENCY},
            {{.outcome = FAILS, .reason = 0x22},
             ATTEMPT_FAILED,
             E_CONNECT_FAILED,
             MSEC(500) + 2 * LATENCY},
            {{.outcome = NEVER}, ATTEMPT_TIMED_OUT, E_CONNECT_TIMEOUT, SECONDS(20)},
            {{.outcome = NEVER}, ATTEMPT_CANCELLED, E_CANCELLED, MSEC(200)},
            {{.outcome = NEVER}, ATTEMPT_PROXY_LOST, E_PROXY_OFFLINE, MSEC(200)},
            {{.outcome = CONNECTS}, ATTEMPT_REFUSED, E_NO_FREE_SLOT, 2 * LATENCY},
    };
    enum { CANCELLED = 3, LOST = 4, REFUSED = 5, ROWS = 6 };
    struct fixture *f = *state;

    for (uint16_t i = 0; i < ROWS; i++) { /* a device and a proxy of its own for each */
        fixture_proxy(f, i, 1);
        f->air[i][i] = rows[i].air;
        f->air[i][i].rssi = -60;
    }
    f->fakes[REFUSED].slots[0] =
            (struct fake_slot){.phase = FAKE_OPEN, .address = DEVICE(40), .is_foreign = true};
    for (size_t i = 0; i < ROWS; i++) {
        struct link_wish wish = wish_for(i);

        wish.attempts = 1;
        assert_int_equal(fixture_ask(f, i, &wish), 0);
    }
    fixture_run(f, MSEC(200));
    assert_int_equal(f->ended[0], 0); /* it goes on */
    links_cancel(f->links, f->clients[CANCELLED].request, f->now);
    fixture_offline(f, LOST);
    fixture_run(f, SECONDS(30));
    for (size_t i = 0; i < ROWS; i++) {
        assert_int_equal(f->ended[i], 1);
        assert_int_equal(f->attempts[i].source, i);
        assert_int_equal(f->attempts[i].end, rows[i].end);
        assert_int_equal(f->attempts[i].code, rows[i].code);
        assert_int_equal(f->attempts[i].duration, rows[i].duration);
        assert_true(f->attempts[i].score == f->attempts[i].terms.rssi);
    }
    assert_true(f->attempts[1].has_reason && f->attempts[1].reason == 0x22);
    f->fakes[REFUSED].slots[0].phase = FAKE_FREE;
}

static void a_link_that_is_opened_anew_keeps_its_leases(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct client *c;
    struct link_lease lease;

    f->air[1][0].rssi = -60;
    c = fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    links_reopen(f->links, DEVICE(1), f->now);
    fixture_connect(f, 1, 1);
    fixture_run(f, SECONDS(2));
    assert_int_equal(fake->connects, 2);
    assert_int_equal(f->clients[1].code, 0);
    assert_true(links_get_lease(f->links, DEVICE(1), 0, &lease));
    assert_string_equal(lease.id, c->lease);
    assert_true(links_get_lease(f->links, DEVICE(1), 1, &lease));
    links_reopen(f->links, DEVICE(1), f->now); /* nobody asks for it this time */
    fixture_run(f, SECONDS(1));
    assert_false(links_get_lease(f->links, DEVICE(1), 0, &lease));
    assert_int_equal(fake->connects, 2);
    assert_int_equal(fixture_last(f, LINK_EVENT_LEASES)->time,
                     fixture_last(f, LINK_EVENT_DISCONNECTED)->time);
    links_reopen(f->links, DEVICE(1), f->now); /* there is none: nothing */
    assert_false(fixture_has_link(f, 1));
}

static void the_leases_of_a_link_that_cannot_be_opened_anew_end(void **state)
{
    struct fixture *f = *state;
    struct link_lease lease;
    struct link_wish wish = wish_for(1);

    fixture_proxy(f, 0, 3);
    f->air[1][0].rssi = -60;
    fixture_connect(f, 0, 1);
    wish.is_auto_reconnect = true;
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    fixture_run(f, SECONDS(1));
    f->air[1][0].outcome = FAILS;
    f->air[1][0].reason = 0x3e;
    links_reopen(f->links, DEVICE(1), f->now);
    wish.attempts = 1;
    assert_int_equal(fixture_ask(f, 2, &wish), 0);
    fixture_run(f, SECONDS(3));
    assert_int_equal(f->clients[2].code, E_CONNECT_ABORTED);
    assert_true(links_get_lease(f->links, DEVICE(1), 0, &lease));
    assert_string_equal(lease.id, f->clients[1].lease); /* that reconnects */
    assert_false(links_get_lease(f->links, DEVICE(1), 1, &lease));
}

static void a_proxy_that_is_removed_takes_its_links_and_who_wants_it_alone(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);
    struct link_attempt attempt;
    struct link_lease lease;

    fixture_proxy(f, 0, 1);
    fixture_proxy(f, 1, 3);
    f->air[1][0].rssi = f->air[2][0].rssi = f->air[2][1].rssi = -60;
    wish.source = 0;
    wish.is_auto_reconnect = true;
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[0].code, 0);
    wish = wish_for(2); /* waits for the slot of the first */
    wish.source = 0;
    wish.queue_for = SECONDS(30);
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    fixture_connect(f, 2, 2); /* any proxy will do */
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[1].answers, 0);
    links_proxy_removed(f->links, 0, f->now);
    assert_int_equal(f->clients[1].code, E_PROXY_OFFLINE);
    assert_int_equal(fixture_last(f, LINK_EVENT_DISCONNECTED)->address, DEVICE(1));
    assert_false(links_get_lease(f->links, DEVICE(1), 0, &lease));
    assert_true(links_get_attempt(f->links, DEVICE(1), 0, &attempt));
    assert_int_equal(attempt.source, LINK_NO_SOURCE);
    fixture_offline(f, 0);
    fixture_run(f, SECONDS(5));
    assert_int_equal(f->clients[2].code, 0);
    assert_int_equal(f->clients[2].source, 1);
    assert_int_equal(fixture_view(f, 2).source, 1);
}

static void nothing_of_a_removed_proxy_is_told_of_the_next_with_its_number(void **state)
{
    struct fixture *f = *state;
    struct link_proxy_view view;
    struct link_wish wish = wish_for(1);
    struct link_attempt attempt;

    fixture_proxy(f, 0, 3);
    f->air[1][0] = (struct air){.rssi = -60, .outcome = FAILS, .reason = 133};
    wish.attempts = 1;
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    f->air[2][0].rssi = -60;
    fixture_connect(f, 1, 2);
    fixture_run(f, SECONDS(5));
    links_get_proxy(f->links, 0, f->now, &view);
    assert_true(view.failed == 1 && view.completed == 1);
    links_proxy_removed(f->links, 0, f->now);
    fixture_offline(f, 0);
    fixture_online(f, 0); /* another one */
    links_get_proxy(f->links, 0, f->now, &view);
    assert_true(view.failed == 0 && view.completed == 0 && view.last_success == 0);
    for (size_t i = 0; links_get_attempt(f->links, DEVICE(1), i, &attempt); i++)
        assert_int_equal(attempt.source, LINK_NO_SOURCE);
}

static void requests_that_are_about_to_fail_forget_a_proxy_that_is_removed(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);

    f->is_leaky = true;
    fixture_proxy(f, 0, 3);
    fixture_proxy(f, 1, 3)->ignores_disconnect = true;
    f->air[1][0] = (struct air){.rssi = -50, .outcome = FAILS, .reason = 133};
    f->air[1][1] = (struct air){.rssi = -80, .outcome = NEVER};
    wish.attempts = 2;
    wish.timeout = SECONDS(10);
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(11)); /* failed, and waits for the slot of the second */
    assert_int_equal(f->clients[0].answers, 0);
    links_proxy_removed(f->links, 0, f->now);
    fixture_run(f, SECONDS(6));
    assert_int_equal(f->clients[0].code, E_CONNECT_TIMEOUT);
    assert_int_equal(f->clients[0].attempts_count, 2);
    assert_int_equal(f->clients[0].attempts[0].source, LINK_NO_SOURCE);
    assert_int_equal(f->clients[0].attempts[1].source, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            links_test(C09_a_time_out_disconnects_and_the_slot_is_back_before_the_error),
            links_test(C09_the_deadline_of_a_request_ends_the_attempt_alike),
            links_test(an_attempt_that_a_deadline_cut_short_says_nothing_about_the_proxy),
            links_test(C09_a_slot_that_does_not_come_back_delays_the_error_by_five_seconds),
            links_test(C09_no_error_waits_where_no_slot_was_taken),
            links_test(each_attempt_is_told_once_when_it_is_over_however_it_ended),
            links_test(C10_a_cancelled_attempt_gives_its_slot_back),
            links_test(C10_a_late_connected_is_answered_with_a_disconnect),
            links_test(the_last_who_leaves_stops_the_attempt),
            links_test(a_cancel_that_comes_too_late_ends_the_lease),
            links_test(X04_a_lost_proxy_ends_its_links_and_its_slots_are_none),
            links_test(X04_requests_try_elsewhere),
            links_test(X05_a_link_that_the_list_does_not_have_is_ended),
            links_test(X05_a_list_that_contradicts_itself_is_counted_and_ends_nothing),
            links_test(X06_a_device_in_a_second_list_is_released_there),
            links_test(C16_one_event_for_each_link_that_ends_however_often_it_is_said),
            links_test(a_disconnect_without_an_answer_is_over_after_twenty_seconds),
            links_test(a_list_without_the_address_ends_a_goodbye_too),
            links_test(a_list_that_never_had_the_address_ends_no_goodbye),
            links_test(a_list_that_has_the_address_only_then_ends_the_goodbye_later),
            links_test(a_cancel_does_not_wait_for_the_slot),
            links_test(without_linger_a_link_closes_with_its_last_lease),
            links_test(a_link_is_opened_again_through_the_proxy_that_was_asked_for),
            links_test(a_disconnect_that_could_not_be_sent_is_sent_again),
            links_test(a_request_while_the_link_closes_gets_the_next_one),
            links_test(closing_a_link_cancels_who_waits_for_it),
            links_test(a_link_lingers_after_its_last_lease_and_then_closes),
            links_test(a_lease_is_renewed_by_its_id),
            links_test(renewing_opens_a_dropped_link_at_once),
            links_test(an_opening_goes_on_when_its_leader_leaves),
            links_test(an_answer_may_call_back),
            links_test(texts_of_clients_are_cut_and_cleaned),
            links_test(a_lost_link_ends_its_leases_but_those_that_reconnect),
            links_test(a_link_is_opened_again_after_growing_pauses),
            links_test(a_kept_device_is_opened_when_somebody_hears_it),
            links_test(C17_pairing_comes_before_the_answer),
            links_test(C17_a_failed_pairing_tells_its_number_and_closes),
            links_test(C17_firmware_that_cannot_pair_is_said_so_or_passed_over),
            links_test(a_pairing_that_is_never_answered_ends_with_the_deadline),
            links_test(a_pairing_that_the_device_begins_is_noted),
            links_test(C18_the_end_refuses_requests_and_closes_links),
            links_test(a_link_that_is_opened_anew_keeps_its_leases),
            links_test(the_leases_of_a_link_that_cannot_be_opened_anew_end),
            links_test(a_proxy_that_is_removed_takes_its_links_and_who_wants_it_alone),
            links_test(nothing_of_a_removed_proxy_is_told_of_the_next_with_its_number),
            links_test(requests_that_are_about_to_fail_forget_a_proxy_that_is_removed),
            links_test(D06_slots_and_links_that_nobody_owns_can_be_released),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
