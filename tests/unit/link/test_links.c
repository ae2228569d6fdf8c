/* Requests for links: who is served, in which order, through which proxy, and with what answer. */
#include "links_fixture.h"

static void a_request_opens_a_link_and_holds_a_lease(void **state)
{
    struct fixture *f = *state;
    struct client *c;
    struct link_view view;
    struct link_lease lease;

    fixture_proxy(f, 0, 3);
    f->air[1][0].rssi = -60;
    c = fixture_connect(f, 0, 1);
    assert_int_equal(links_deadline(f->links), f->now);
    fixture_run(f, SECONDS(1));

    assert_int_equal(c->answers, 1);
    assert_int_equal(c->code, 0);
    assert_int_equal(c->source, 0);
    assert_int_equal(c->attempts_count, 1);
    assert_int_equal(c->attempts[0].end, ATTEMPT_CONNECTED);
    assert_true(c->attempts[0].duration >= MSEC(500));
    view = fixture_view(f, 1);
    assert_int_equal(view.state, LINK_CONNECTED);
    assert_int_equal(view.mtu, 247);
    assert_int_equal(view.mtu_source, LINK_MTU_NEGOTIATED);
    assert_int_equal(view.leases, 1);
    assert_int_equal(view.attempts, 1);
    assert_true(links_get_lease(f->links, DEVICE(1), 0, &lease));
    assert_string_equal(lease.id, c->lease);
    assert_int_equal(lease.expires, c->expires);
    assert_int_equal(fixture_count(f, LINK_EVENT_QUEUED), 0);
    assert_int_equal(fixture_count(f, LINK_EVENT_CONNECTING), 1);
    assert_int_equal(fixture_count(f, LINK_EVENT_CONNECTED), 1);
}

static void a_second_request_joins_the_link_and_one_on_the_way(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);

    f->air[1][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, MSEC(100));
    fixture_connect(f, 1, 1); /* on the way */
    fixture_run(f, SECONDS(1));
    fixture_connect(f, 2, 1); /* open */
    fixture_run(f, SECONDS(1));

    assert_int_equal(fake->connects, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(f->clients[i].code, 0);
    assert_int_equal(f->clients[1].attempts_count, 1);
    assert_int_equal(f->clients[2].attempts_count, 0);
    assert_int_equal(fixture_view(f, 1).leases, 3);
    assert_string_not_equal(f->clients[0].lease, f->clients[1].lease);
}

static void who_cannot_be_served_is_told_why_at_once(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(2);

    fixture_proxy(f, 0, 3);
    f->is_unknown[1] = true;
    fixture_connect(f, 0, 1);
    fixture_connect(f, 1, 2); /* known, and heard by nobody */
    f->air[3][1].rssi = -50;  /* heard by a proxy that is away */
    wish.address = DEVICE(3);
    wish.source = 1;
    assert_int_equal(fixture_ask(f, 2, &wish), 0);
    f->require[4][0] = 1;
    f->require_count[4] = 1;
    f->air[4][0].rssi = -50;
    fixture_connect(f, 3, 4);
    wish.address = DEVICE(5);
    wish.source = 0; /* online, and does not hear it */
    f->air[5][2].rssi = -50;
    assert_int_equal(fixture_ask(f, 4, &wish), 0);
    wish.address = DEVICE(3);
    wish.source = LINK_NO_SOURCE;
    wish.renew = "Lnothing";
    assert_int_equal(fixture_ask(f, 5, &wish), 0);
    assert_int_equal(f->answered, 0); /* never from inside */
    fixture_run(f, MSEC(1));

    assert_int_equal(f->clients[0].code, E_DEVICE_NOT_FOUND);
    assert_int_equal(f->clients[1].code, E_NO_ROUTE);
    assert_int_equal(f->clients[2].code, E_PROXY_OFFLINE);
    assert_int_equal(f->clients[2].source, 1);
    assert_int_equal(f->clients[3].code, E_PROXY_OFFLINE);
    assert_int_equal(f->clients[4].code, E_NO_ROUTE);
    assert_int_equal(f->clients[5].code, E_GONE);
    assert_int_equal(f->fakes[0].connects, 0);
}

static void C05_ten_requests_to_three_slots_give_three_links_and_seven_in_line(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct link_view view;

    for (size_t i = 0; i < 10; i++)
        f->air[i][0].rssi = -60;
    for (size_t i = 0; i < 10; i++)
        fixture_connect(f, i, i);
    fixture_run(f, MSEC(400));
    assert_int_equal(fake->connects, 1); /* one at a time */
    fixture_run(f, SECONDS(2));

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(f->clients[i].code, 0);
    for (size_t i = 3; i < 10; i++) {
        view = fixture_view(f, i);
        assert_int_equal(view.state, LINK_QUEUED);
        assert_int_equal(view.queue_position, i - 2);
    }
    assert_int_equal(fake->refused, 0);
    assert_int_equal(fixture_count(f, LINK_EVENT_QUEUED), 9); /* two for a moment */

    /* A slot becomes free, and goes to who came first. */
    assert_int_equal(links_release(f->links, DEVICE(1), NULL, f->now), 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[3].code, 0);
    assert_int_equal(fixture_view(f, 4).queue_position, 1);
    fixture_run(f, SECONDS(10));
    for (size_t i = 4; i < 10; i++)
        assert_int_equal(f->clients[i].code, E_NO_FREE_SLOT);
    assert_int_equal(fake->refused, 0);
    assert_int_equal(fake->connects, 4);
}

static void a_request_without_patience_hears_of_full_proxies_at_once(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(2);
    struct client *first;

    fixture_proxy(f, 0, 1);
    f->air[1][0].rssi = f->air[2][0].rssi = -60;
    first = fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    wish.queue_for = 0;
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    fixture_run(f, MSEC(1));

    assert_int_equal(f->clients[1].code, E_NO_FREE_SLOT);
    assert_int_equal(f->clients[1].retry_after,
                     first->expires + f->settings.linger - f->clients[1].answered);
}

static void a_link_that_lingers_gives_its_slot_to_who_asks(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(3);
    struct client *first, *second;

    fixture_proxy(f, 0, 2);
    f->air[1][0].rssi = f->air[2][0].rssi = f->air[3][0].rssi = -60;
    first = fixture_connect(f, 0, 1);
    second = fixture_connect(f, 1, 2);
    fixture_run(f, SECONDS(2));
    links_release(f->links, DEVICE(2), second->lease, f->now);
    fixture_run(f, MSEC(10));
    links_release(f->links, DEVICE(1), first->lease, f->now);
    wish.queue_for = 0; /* which a slot that comes for sure does not count into */
    assert_int_equal(fixture_ask(f, 2, &wish), 0);
    fixture_run(f, SECONDS(1));

    assert_int_equal(f->clients[2].code, 0);
    assert_false(fixture_has_link(f, 2)); /* the one that lingered longest, and no other */
    assert_true(fixture_has_link(f, 1));
}

static void who_lingers_sends_nobody_to_a_worse_proxy(void **state)
{
    struct fixture *f = *state;
    struct client *first;

    fixture_proxy(f, 0, 1);
    fixture_proxy(f, 1, 1);
    f->air[1][0].rssi = f->air[2][0].rssi = -50;
    f->air[2][1].rssi = -80;
    first = fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    links_release(f->links, DEVICE(1), first->lease, f->now);
    fixture_connect(f, 1, 2);
    fixture_run(f, SECONDS(1));

    assert_int_equal(f->clients[1].code, 0);
    assert_int_equal(f->clients[1].source, 0);
    assert_false(fixture_has_link(f, 1));
}

static void
a_slot_that_a_lingering_link_does_not_give_back_is_counted_on_for_five_seconds(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 1);
    struct client *first;

    f->air[1][0].rssi = f->air[2][0].rssi = -60;
    first = fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    links_release(f->links, DEVICE(1), first->lease, f->now);
    fake->ignores_disconnect = f->is_leaky = true;
    fixture_connect(f, 1, 2);
    fixture_run(f, MSEC(9900));
    assert_int_equal(f->clients[1].answers, 0);
    fixture_run(f, MSEC(200)); /* and then waited for as any other */

    assert_int_equal(f->clients[1].code, E_NO_FREE_SLOT);
}

static void the_wait_for_a_slot_is_bounded_and_then_answered(void **state)
{
    struct fixture *f = *state;

    fixture_proxy(f, 0, 1);
    f->air[1][0].rssi = f->air[2][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    fixture_connect(f, 1, 2);
    fixture_run(f, SECONDS(4));
    assert_int_equal(f->clients[1].answers, 0);
    fixture_run(f, SECONDS(2));
    assert_int_equal(f->clients[1].code, E_NO_FREE_SLOT);
    assert_int_equal(f->clients[1].answered - f->clients[1].asked, SECONDS(5));
    assert_int_equal(fixture_last(f, LINK_EVENT_FAILED)->address, DEVICE(2));
}

static void who_has_to_wait_lets_others_pass_to_other_proxies(void **state)
{
    struct fixture *f = *state;

    fixture_proxy(f, 0, 1);
    fixture_proxy(f, 1, 1);
    f->air[1][0].rssi = f->air[2][0].rssi = f->air[3][1].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    fixture_connect(f, 1, 2);
    fixture_connect(f, 2, 3);
    fixture_run(f, SECONDS(1));

    assert_int_equal(f->clients[1].answers, 0);
    assert_int_equal(f->clients[2].code, 0);
    assert_int_equal(f->clients[2].source, 1);
    links_cancel(f->links, f->clients[1].request, f->now);
}

static void the_higher_priority_is_served_first(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(3);

    fixture_proxy(f, 0, 1);
    for (size_t i = 1; i < 5; i++)
        f->air[i][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    links_keep(f->links, DEVICE(4), true, f->now);
    fixture_run(f, MSEC(1));
    fixture_connect(f, 1, 2);
    wish.priority = 1;
    assert_int_equal(fixture_ask(f, 2, &wish), 0);
    fixture_run(f, MSEC(1));
    assert_int_equal(fixture_view(f, 3).queue_position, 1);
    assert_int_equal(fixture_view(f, 2).queue_position, 2);
    assert_int_equal(fixture_view(f, 4).queue_position, 3); /* people go before the house */

    links_release(f->links, DEVICE(1), NULL, f->now);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[2].code, 0);
    assert_int_equal(f->clients[1].answers, 0);
}

static void who_joins_with_a_higher_priority_lifts_all_who_wait(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(3);

    fixture_proxy(f, 0, 1);
    for (size_t i = 1; i < 4; i++)
        f->air[i][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    fixture_connect(f, 1, 2);
    fixture_connect(f, 2, 3);
    wish.priority = 5;
    assert_int_equal(fixture_ask(f, 3, &wish), 0);
    fixture_run(f, MSEC(1));
    assert_int_equal(fixture_view(f, 3).queue_position, 1);
    assert_int_equal(fixture_view(f, 2).queue_position, 2);
}

static void two_proxies_establish_at_the_same_time(void **state)
{
    struct fixture *f = *state;

    fixture_proxy(f, 0, 3);
    fixture_proxy(f, 1, 3);
    f->air[1][0].rssi = f->air[2][1].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_connect(f, 1, 2);
    fixture_run(f, MSEC(600));
    assert_int_equal(f->clients[0].code, 0);
    assert_int_equal(f->clients[1].code, 0);
}

static void a_proxy_that_never_told_its_slots_is_tried_one_link_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = &f->fakes[0];
    struct link_proxy proxy = {.features = PROXY_FEATURE_ACTIVE_CONNECTIONS};

    fake->limit = 3;
    fake->is_online = true;
    fake->told_free = UINT32_MAX;
    links_proxy_online(f->links, 0, &proxy, f->now);
    f->air[1][0].rssi = f->air[2][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_connect(f, 1, 2);
    fixture_run(f, MSEC(300));
    assert_int_equal(fake->connects, 1);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[0].code, 0);
    assert_int_equal(f->clients[1].code, 0);
}

static void C08_connects_with_cache_only_where_it_is_proved(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3), *old;
    struct link_wish wish = wish_for(3);

    f->air[1][0] = (struct air){.rssi = -60, .is_proved = true, .mtu = 185};
    f->air[2][0] = (struct air){.rssi = -60};
    f->air[3][0] = (struct air){.rssi = -60, .is_proved = true, .mtu = 185};
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fake->last.request_type, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    assert_true(fake->last.has_address_type);
    assert_int_equal(fake->last.address_type, DEVICE(1) & 1);
    assert_int_equal(fixture_view(f, 1).mtu, 185);
    assert_int_equal(fixture_view(f, 1).mtu_source, LINK_MTU_STORED);
    assert_true(fixture_view(f, 1).is_cached);

    fixture_connect(f, 1, 2);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fake->last.request_type, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    assert_int_equal(fixture_view(f, 2).mtu_source, LINK_MTU_NEGOTIATED);
    wish.use_cache = false;
    assert_int_equal(fixture_ask(f, 2, &wish), 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fake->last.request_type, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);

    old = &f->fakes[1];
    old->limit = 3;
    old->features = PROXY_FEATURE_ACTIVE_CONNECTIONS;
    fixture_online(f, 1);
    f->air[4][1] = (struct air){.rssi = -60, .is_proved = true, .mtu = 185};
    fixture_connect(f, 3, 4);
    fixture_run(f, SECONDS(1));
    assert_int_equal(old->last.request_type, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
}

static void C08_a_proved_pair_without_an_mtu_assumes_the_least(void **state)
{
    struct fixture *f = *state;

    fixture_proxy(f, 0, 3);
    f->air[1][0] = (struct air){.rssi = -60, .is_proved = true};
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_view(f, 1).mtu, LINK_DEFAULT_MTU);
    assert_int_equal(fixture_view(f, 1).mtu_source, LINK_MTU_ASSUMED);
}

static void C12_a_failing_proxy_is_not_tried_again_while_another_is_untried(void **state)
{
    struct fixture *f = *state;
    struct client *c;

    for (uint16_t i = 0; i < 3; i++)
        fixture_proxy(f, i, 3);
    f->air[1][0] = (struct air){.rssi = -50, .outcome = FAILS, .reason = 0x85};
    f->air[1][1] = (struct air){.rssi = -60, .outcome = FAILS, .reason = 0x3e};
    f->air[1][2] = (struct air){.rssi = -92};
    c = fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(3));

    assert_int_equal(c->code, 0);
    assert_int_equal(c->attempts_count, 3);
    for (uint16_t i = 0; i < 3; i++)
        assert_int_equal(c->attempts[i].source, i);
    assert_true(c->answered - c->asked < SECONDS(2)); /* other proxies wait for no pause */
}

static void C13_the_final_error_has_class_number_and_attempts(void **state)
{
    struct fixture *f = *state;
    struct client *c;

    fixture_proxy(f, 0, 3);
    f->air[1][0] = (struct air){.rssi = -50, .outcome = FAILS, .reason = 0x85};
    c = fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(60));

    assert_int_equal(c->code, E_CONNECT_ABORTED);
    assert_true(c->has_reason);
    assert_int_equal(c->reason, 0x85);
    assert_int_equal(c->attempts_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(c->attempts[i].source, 0);
        assert_int_equal(c->attempts[i].end, ATTEMPT_FAILED);
        assert_int_equal(c->attempts[i].code, E_CONNECT_ABORTED);
        assert_int_equal(c->attempts[i].reason, 0x85);
        assert_in_range(c->attempts[i].duration, MSEC(500), MSEC(600));
        assert_true(i == 0 || c->attempts[i].started >= c->attempts[i - 1].started +
                                                                c->attempts[i - 1].duration +
                                                                SECONDS(1));
    }
    assert_int_equal(fixture_last(f, LINK_EVENT_FAILED)->code, E_CONNECT_ABORTED);
    assert_int_equal(fixture_last(f, LINK_EVENT_FAILED)->reason, 0x85);
}

static void C13_attempts_of_a_failed_link_are_shown_for_ten_minutes(void **state)
{
    struct fixture *f = *state;
    struct link_attempt attempt;

    fixture_proxy(f, 0, 3);
    f->air[1][0] = (struct air){.rssi = -50, .outcome = FAILS, .reason = 0x85};
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(60));
    assert_false(fixture_has_link(f, 1));
    assert_true(links_get_attempt(f->links, DEVICE(1), 3, &attempt));
    assert_false(links_get_attempt(f->links, DEVICE(1), 4, &attempt));
    fixture_run(f, SECONDS(601));
    assert_false(links_get_attempt(f->links, DEVICE(1), 0, &attempt));
    assert_int_equal(links_deadline(f->links), USEC_NEVER);
}

static void say_scanner(struct fixture *f, uint16_t source, uint32_t state)
{
    const struct message message = {.type = MESSAGE_SCANNER_STATE_RESPONSE,
                                    .scanner_state = {.state = state}};

    links_message(f->links, source, &message, f->now);
    links_advance(f->links, f->now);
}

static void a_proxy_that_scans_again_takes_the_next_one_before_it_says_connected(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);

    f->air[1][0] = (struct air){.rssi = -60, .delay = SECONDS(2)};
    f->air[2][0].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_connect(f, 1, 2);
    fixture_run(f, MSEC(100));
    assert_int_equal(fake->connects, 1);
    say_scanner(f, 0, SCANNER_RUNNING); /* it has not stopped yet: this is older news */
    fixture_run(f, MSEC(100));
    assert_int_equal(fake->connects, 1);
    say_scanner(f, 0, SCANNER_STOPPING);
    say_scanner(f, 0, SCANNER_IDLE);
    fixture_run(f, MSEC(100));
    assert_int_equal(fake->connects, 1);
    say_scanner(f, 0, SCANNER_STARTING);
    fixture_run(f, MSEC(100));
    assert_int_equal(fake->connects, 2);
    fixture_run(f, SECONDS(3));
    assert_int_equal(f->clients[0].code, 0);
    assert_int_equal(f->clients[1].code, 0);
    assert_int_equal(f->clients[0].answers + f->clients[1].answers, 2);
}

static void C14_totals_failures_and_the_last_success_of_a_proxy_are_shown(void **state)
{
    struct fixture *f = *state;
    struct link_proxy_view view;
    struct link_wish wish = wish_for(2);

    fixture_proxy(f, 0, 3);
    f->air[1][0].rssi = -60;
    f->air[2][0] = (struct air){.rssi = -60, .outcome = FAILS, .reason = 0x85};
    fixture_connect(f, 0, 1);
    fixture_run(f, MSEC(100));
    links_get_proxy(f->links, 0, f->now, &view);
    assert_int_equal(view.slots.in_progress, 1);
    fixture_run(f, SECONDS(1));
    wish.attempts = 1;
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    fixture_run(f, SECONDS(1));

    links_get_proxy(f->links, 0, f->now, &view);
    assert_int_equal(view.completed, 1);
    assert_int_equal(view.failed, 1);
    assert_int_equal(view.last_success, f->clients[0].answered);
    assert_int_equal(view.slots.in_progress, 0);
    assert_int_equal(view.slots.ours, 1);
}

static void C15_a_proxy_that_failed_rests_until_its_list_is_without_the_address(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct fake_slot *slot;

    f->air[1][0] = (struct air){.rssi = -50, .outcome = NEVER};
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    slot = fake_find(fake, DEVICE(1));
    slot->serial = 0; /* what is planned for it is void: the slot stays taken */
    fixture_say_connection(f, 0, DEVICE(1), false, 0, 0x3e);
    fixture_run(f, SECONDS(5));
    assert_int_equal(fake->connects, 1);

    f->air[1][0].outcome = CONNECTS;
    slot->phase = FAKE_FREE;
    fixture_say_slots(f, 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fake->connects, 2);
    assert_int_equal(f->clients[0].code, 0);
}

static void C15_or_until_ten_seconds_have_passed(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);
    struct client *c;

    f->air[1][0] = (struct air){.rssi = -50, .outcome = NEVER};
    fake->ignores_disconnect = f->is_leaky = true;
    c = fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    fixture_say_connection(f, 0, DEVICE(1), false, 0, 0x3e); /* and the slot stays in the list */
    fixture_run(f, SECONDS(14));
    assert_int_equal(fake->connects, 2);
    assert_true(links_get_attempt(f->links, DEVICE(1), 1, &c->attempts[1]));
    assert_in_range(c->attempts[1].started - (START + SECONDS(1)), SECONDS(10), SECONDS(11));
}

static void C15_firmware_without_a_list_gets_two_seconds(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 3);

    fake->tells_list = false;
    f->air[1][0] = (struct air){.rssi = -50, .outcome = FAILS, .reason = 0x3e};
    fixture_connect(f, 0, 1);
    fixture_run(f, MSEC(2400));
    assert_int_equal(fake->connects, 1);
    fixture_run(f, MSEC(200));
    assert_int_equal(fake->connects, 2);
    links_cancel(f->links, f->clients[0].request, f->now);
}

/* The proxy has a slot less than it told: what it says counts, and others go elsewhere. */
static void a_refusal_makes_us_ask_again_and_wait(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 1);

    f->air[1][0].rssi = f->air[2][0].rssi = -60;
    fake->slots[0] =
            (struct fake_slot){.phase = FAKE_OPEN, .address = DEVICE(40), .is_foreign = true};
    fixture_connect(f, 0, 1);
    fixture_connect(f, 1, 2);
    fixture_run(f, SECONDS(2));
    assert_int_equal(fake->connects, 1);
    assert_int_equal(fake->refused, 1);
    assert_int_equal(fake->asked, 1);
    assert_int_equal(f->clients[0].answers + f->clients[1].answers, 0);

    fake->slots[0].phase = FAKE_FREE;
    fixture_say_slots(f, 0);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[1].code, 0); /* the other one has a pause there */
    fixture_run(f, SECONDS(8));
    assert_int_equal(f->clients[0].code, E_NO_FREE_SLOT);
    assert_int_equal(f->clients[0].attempts[0].end, ATTEMPT_REFUSED);
}

static void a_refusal_that_is_never_explained_is_forgotten_after_a_while(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 1);
    struct client *c;

    f->air[1][0].rssi = -60;
    fake->slots[0] =
            (struct fake_slot){.phase = FAKE_OPEN, .address = DEVICE(40), .is_foreign = true};
    c = fixture_connect(f, 0, 1);
    fixture_run(f, MSEC(9));
    fake->is_deaf = true; /* to the question for its slots */
    fixture_run(f, MSEC(10));
    fake->is_deaf = false;
    fake->slots[0].phase = FAKE_FREE; /* and nobody says so */
    fixture_run(f, MSEC(4900));
    assert_int_equal(fake->connects, 1);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fake->connects, 2);
    assert_int_equal(c->code, 0);
}

static void a_refusal_is_of_the_conversation_in_which_it_was_said(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 1);

    f->air[1][0].rssi = f->air[2][0].rssi = -60;
    fake->slots[0] =
            (struct fake_slot){.phase = FAKE_OPEN, .address = DEVICE(40), .is_foreign = true};
    fixture_connect(f, 0, 1);
    fixture_run(f, MSEC(9));
    fake->is_deaf = true;
    fixture_run(f, MSEC(10));
    fake->is_deaf = false;
    fake->slots[0].phase = FAKE_FREE;
    fixture_offline(f, 0);
    fixture_online(f, 0);
    f->steps_count = 0; /* the new one has not told its slots either */
    fixture_connect(f, 1, 2);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[1].code, 0);
}

static void an_attempt_that_was_begun_and_failed_without_a_number_is_no_refusal(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);

    fixture_proxy(f, 0, 3);
    f->air[1][0] = (struct air){.rssi = -60, .outcome = FAILS, .reason = 0};
    wish.attempts = 1;
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(2));
    assert_int_equal(f->clients[0].code, E_CONNECT_FAILED);
    assert_int_equal(f->clients[0].attempts[0].end, ATTEMPT_FAILED);

    f->fakes[0].tells_list = false; /* the same without a list */
    fixture_offline(f, 0);
    fixture_online(f, 0);
    fixture_run(f, SECONDS(10));
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, SECONDS(2));
    assert_int_equal(f->clients[0].attempts[0].end, ATTEMPT_FAILED);
    assert_int_equal(f->fakes[0].asked, 0);
}

static void a_refusal_after_an_attempt_that_was_begun_is_one(void **state)
{
    struct fixture *f = *state;
    struct fake *fake = fixture_proxy(f, 0, 1);
    struct client *c;

    f->air[1][0] = (struct air){.rssi = -60, .outcome = FAILS, .reason = 0x85};
    c = fixture_connect(f, 0, 1);
    fixture_run(f, MSEC(600));
    fake->slots[0] =
            (struct fake_slot){.phase = FAKE_OPEN, .address = DEVICE(40), .is_foreign = true};
    fixture_run(f, SECONDS(2));
    assert_int_equal(fake->refused, 1);
    links_cancel(f->links, c->request, f->now);
    fixture_run(f, 1);
    assert_int_equal(c->attempts[0].end, ATTEMPT_FAILED);
    assert_int_equal(c->attempts[1].end, ATTEMPT_REFUSED);
    fake->slots[0].phase = FAKE_FREE;
}

static void an_mtu_that_makes_no_sense_is_bounded(void **state)
{
    struct fixture *f = *state;

    fixture_proxy(f, 0, 3);
    f->air[1][0] = (struct air){.rssi = -60, .mtu = 100000};
    f->air[2][0] = (struct air){.rssi = -60, .mtu = 1};
    fixture_connect(f, 0, 1);
    fixture_connect(f, 1, 2);
    fixture_run(f, SECONDS(2));
    assert_int_equal(fixture_view(f, 1).mtu, 517);
    assert_int_equal(fixture_view(f, 2).mtu, LINK_DEFAULT_MTU);
}

static void a_link_that_opened_for_nobody_lingers_and_closes(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);
    struct client *c;

    fixture_proxy(f, 0, 3);
    fixture_proxy(f, 1, 3);
    f->air[1][0].rssi = -40;
    f->air[1][1].rssi = -80;
    c = fixture_connect(f, 0, 1);
    wish.source = 1;
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    fixture_run(f, MSEC(100));
    links_cancel(f->links, c->request, f->now);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[1].code, E_CONFLICT);
    assert_int_equal(fixture_view(f, 1).state, LINK_CONNECTED);
    fixture_run(f, SECONDS(11));
    assert_false(fixture_has_link(f, 1));
}

static void a_busy_proxy_is_passed_over_or_waited_for_a_while(void **state)
{
    struct fixture *f = *state;

    fixture_proxy(f, 0, 3);
    fixture_proxy(f, 1, 3);
    f->air[1][0] = (struct air){.rssi = -40, .delay = SECONDS(10)};
    f->air[2][0] = f->air[2][1] = (struct air){.rssi = -60}; /* alike: the idle one */
    f->air[3][0] = (struct air){.rssi = -40};
    f->air[3][1] = (struct air){.rssi = -80}; /* far better: it is waited for */
    fixture_connect(f, 0, 1);
    fixture_run(f, MSEC(100));
    fixture_connect(f, 1, 2);
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[1].source, 1);
    fixture_connect(f, 2, 3);
    fixture_run(f, ROUTER_PATIENCE - MSEC(100));
    assert_int_equal(fixture_view(f, 3).state, LINK_QUEUED);
    links_advance(f->links, f->now); /* asking again does not begin it anew */
    fixture_run(f, SECONDS(1));
    assert_int_equal(f->clients[2].code, 0);
    assert_int_equal(f->clients[2].source, 1);
}

static void places_in_line_are_counted_for_each_proxy(void **state)
{
    struct fixture *f = *state;

    fixture_proxy(f, 0, 1);
    fixture_proxy(f, 1, 1);
    f->air[1][0].rssi = f->air[3][0].rssi = f->air[4][0].rssi = -60;
    f->air[2][1].rssi = f->air[5][1].rssi = -60;
    for (size_t i = 1; i < 6; i++)
        fixture_connect(f, i, i);
    fixture_run(f, SECONDS(2));
    assert_int_equal(fixture_view(f, 3).queue_position, 1);
    assert_int_equal(fixture_view(f, 4).queue_position, 2);
    assert_int_equal(fixture_view(f, 5).queue_position, 1);
    assert_int_equal(fixture_view(f, 1).queue_position, 0);
}

static void nobody_is_told_to_wait_for_a_link_that_is_kept(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(2);

    fixture_proxy(f, 0, 1);
    f->air[1][0].rssi = f->air[2][0].rssi = -60;
    links_keep(f->links, DEVICE(1), true, f->now);
    fixture_run(f, SECONDS(1));
    wish.queue_for = 0;
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    fixture_run(f, MSEC(1));
    assert_int_equal(f->clients[1].code, E_NO_FREE_SLOT);
    assert_int_equal(f->clients[1].retry_after, 0);
}

static void a_proxy_that_comes_takes_over_who_waits(void **state)
{
    struct fixture *f = *state;

    fixture_proxy(f, 0, 1);
    f->air[1][0].rssi = f->air[2][0].rssi = f->air[2][1].rssi = -60;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    fixture_connect(f, 1, 2);
    fixture_run(f, SECONDS(1));
    f->fakes[1].features = NEWEST;
    f->fakes[1].limit = 3;
    f->fakes[1].told_free = UINT32_MAX;
    fixture_online(f, 1);
    assert_int_equal(fixture_view(f, 2).state, LINK_CONNECTING);
}

static void rules_of_the_device_are_obeyed(void **state)
{
    struct fixture *f = *state;

    for (uint16_t i = 0; i < 3; i++) {
        fixture_proxy(f, i, 3);
        f->air[1][i].rssi = f->air[2][i].rssi = f->air[3][i].rssi = -50 - 5 * i;
    }
    f->forbid[1][0] = 0;
    f->forbid_count[1] = 1;
    f->prefer[2] = 2;
    f->has_prefer[2] = true;
    f->require[3][0] = 1;
    f->require_count[3] = 1;
    for (size_t i = 1; i < 4; i++)
        fixture_connect(f, i, i);
    fixture_run(f, SECONDS(3));
    assert_int_equal(f->clients[1].source, 1);
    assert_int_equal(f->clients[2].source, 2);
    assert_int_equal(f->clients[3].source, 1);
}

static void all_links_can_be_listed(void **state)
{
    struct fixture *f = *state;
    struct link_view view;
    size_t position = 0, count = 0;

    fixture_proxy(f, 0, 2);
    for (size_t i = 1; i < 5; i++)
        f->air[i][0].rssi = -60;
    f->air[4][0].outcome = FAILS;
    for (size_t i = 1; i < 4; i++)
        fixture_connect(f, i, i);
    fixture_run(f, SECONDS(2));
    links_keep(f->links, DEVICE(5), true, f->now); /* wanted, and nobody hears it */
    links_release(f->links, DEVICE(2), NULL, f->now);
    fixture_run(f, SECONDS(2)); /* one slot, for the third */
    while (links_next(f->links, &position, &view)) {
        count++;
        assert_true(view.address == DEVICE(1) || view.address == DEVICE(3) ||
                    view.address == DEVICE(5));
    }
    assert_int_equal(count, 3);
    assert_int_equal(links_count(f->links), 3);
}

static void states_and_sources_have_names(void **state)
{
    (void) state;
    assert_string_equal(link_state_name(LINK_QUEUED), "queued");
    assert_string_equal(link_state_name(LINK_CONNECTING), "connecting");
    assert_string_equal(link_state_name(LINK_CONNECTED), "connected");
    assert_string_equal(link_state_name(LINK_DISCONNECTING), "disconnecting");
    assert_string_equal(link_state_name((enum link_state) 99), "none");
    assert_string_equal(link_mtu_source_name(LINK_MTU_ASSUMED), "assumed");
    assert_string_equal(link_mtu_source_name(LINK_MTU_STORED), "stored");
    assert_string_equal(link_mtu_source_name(LINK_MTU_NEGOTIATED), "negotiated");
}

static void the_past_of_links_has_a_bound(void **state)
{
    struct fixture *f = *state;
    struct link_attempt attempt;
    size_t kept = 0;

    fixture_proxy(f, 0, 3);
    for (size_t i = 0; i < 300; i++) {
        struct link_wish wish = wish_for(i);

        f->air[i][0] = (struct air){.rssi = -60, .outcome = FAILS, .delay = MSEC(1)};
        wish.attempts = 1;
        assert_int_equal(fixture_ask(f, i, &wish), 0);
        fixture_run(f, SECONDS(1));
    }
    for (size_t i = 0; i < 300; i++)
        kept += links_get_attempt(f->links, DEVICE(i), 0, &attempt);
    assert_int_equal(kept, 256);
    assert_false(links_get_attempt(f->links, DEVICE(43), 0, &attempt)); /* the oldest went */
    assert_true(links_get_attempt(f->links, DEVICE(44), 0, &attempt));
}

static void a_request_for_another_proxy_than_the_link_has_is_a_conflict(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);

    fixture_proxy(f, 0, 3);
    fixture_proxy(f, 1, 3);
    f->air[1][0].rssi = -50;
    f->air[1][1].rssi = -70;
    fixture_connect(f, 0, 1);
    fixture_run(f, SECONDS(1));
    wish.source = 1;
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    fixture_run(f, MSEC(1));
    assert_int_equal(f->clients[1].code, E_CONFLICT);

    /* Nobody holds it any more: it moves. */
    links_release(f->links, DEVICE(1), f->clients[0].lease, f->now);
    assert_int_equal(fixture_ask(f, 1, &wish), 0);
    fixture_run(f, SECONDS(2));
    assert_int_equal(f->clients[1].code, 0);
    assert_int_equal(f->clients[1].source, 1);
    assert_int_equal(fixture_count(f, LINK_EVENT_DISCONNECTED), 1);
}

static void who_asked_for_something_else_leads_an_opening_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);

    fixture_proxy(f, 0, 3);
    fixture_proxy(f, 1, 3);
    f->air[1][0] = (struct air){.rssi = -50, .outcome = FAILS, .reason = 0x85};
    f->air[1][1].rssi = -70;
    wish.source = 0;
    wish.attempts = 1;
    assert_int_equal(fixture_ask(f, 0, &wish), 0);
    fixture_run(f, MSEC(100));
    fixture_connect(f, 1, 1);
    fixture_run(f, SECONDS(3));
    assert_int_equal(f->clients[0].code, E_CONNECT_ABORTED);
    assert_int_equal(f->clients[1].code, 0);
    assert_int_equal(f->clients[1].source, 1);
}

static void requests_and_leases_have_bounds(void **state)
{
    struct fixture *f = *state;
    struct link_wish wish = wish_for(1);

    fixture_proxy(f, 0, 3);
    f->air[1][0].rssi = f->air[2][0].rssi = -50;
    for (size_t i = 0; i < LINK_LEASES_MAX; i++)
        fixture_connect(f, i, 1);
    assert_int_equal(fixture_ask(f, 100, &wish), E_OVERLOADED);
    fixture_run(f, SECONDS(1));
    assert_int_equal(fixture_view(f, 1).leases, LINK_LEASES_MAX);
    assert_int_equal(fixture_ask(f, 100, &wish), E_OVERLOADED);

    f->settings.queue_length = 3;
    links_configure(f->links, &f->settings);
    for (size_t i = 0; i < 3; i++)
        fixture_connect(f, 200 + i, 2 + i);
    wish.address = DEVICE(9);
    assert_int_equal(fixture_ask(f, 210, &wish), E_QUEUE_FULL);
}

static void an_explanation_says_what_a_request_would_meet(void **state)
{
    struct fixture *f = *state;
    struct route_candidate candidates[8];
    struct route_rank ranks[8];
    size_t count;

    fixture_proxy(f, 0, 1);
    f->air[1][0].rssi = f->air[2][0].rssi = -60;
    f->air[1][1].rssi = -50;
    f->is_unknown[3] = true;
    assert_int_equal(links_explain(f->links, DEVICE(1), f->now, candidates, ranks, 8, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(ranks[0].source, 0);
    assert_int_equal(candidates[0].source, 0);
    assert_int_equal(ranks[0].cause, ROUTE_FINE);
    assert_int_equal(candidates[0].slots_limit, 1);
    f->require[5][0] = 1; /* required, and heard by it */
    f->require_count[5] = 1;
    f->air[5][1].rssi = -60;
    assert_int_equal(links_explain(f->links, DEVICE(5), f->now, candidates, ranks, 8, &count),
                     E_PROXY_OFFLINE);
    assert_int_equal(count, 1);
    fixture_proxy(f, 2, 5);
    f->air[6][2].rssi = -60;
    f->fakes[2].features = PROXY_FEATURE_ACTIVE_CONNECTIONS; /* cannot pair: no matter */
    fixture_online(f, 2);
    assert_int_equal(links_explain(f->links, DEVICE(6), f->now, candidates, ranks, 8, &count), 0);
    assert_int_equal(candidates[0].slots_limit, 5);
    assert_int_equal(ranks[1].cause, ROUTE_OFFLINE);
    assert_int_equal(links_explain(f->links, DEVICE(3), f->now, candidates, ranks, 8, &count),
                     E_DEVICE_NOT_FOUND);
    assert_int_equal(links_explain(f->links, DEVICE(4), f->now, candidates, ranks, 8, &count),
                     E_NO_ROUTE);
    fixture_connect(f, 0, 2);
    fixture_run(f, SECONDS(1));
    assert_int_equal(links_explain(f->links, DEVICE(1), f->now, candidates, ranks, 8, &count),
                     E_NO_FREE_SLOT);
    assert_int_equal(links_explain(f->links, DEVICE(2), f->now, candidates, ranks, 8, &count), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            links_test(a_request_opens_a_link_and_holds_a_lease),
            links_test(a_second_request_joins_the_link_and_one_on_the_way),
            links_test(who_cannot_be_served_is_told_why_at_once),
            links_test(C05_ten_requests_to_three_slots_give_three_links_and_seven_in_line),
            links_test(a_request_without_patience_hears_of_full_proxies_at_once),
            links_test(a_link_that_lingers_gives_its_slot_to_who_asks),
            links_test(who_lingers_sends_nobody_to_a_worse_proxy),
            links_test(
                    a_slot_that_a_lingering_link_does_not_give_back_is_counted_on_for_five_seconds),
            links_test(the_wait_for_a_slot_is_bounded_and_then_answered),
            links_test(who_has_to_wait_lets_others_pass_to_other_proxies),
            links_test(the_higher_priority_is_served_first),
            links_test(who_joins_with_a_higher_priority_lifts_all_who_wait),
            links_test(two_proxies_establish_at_the_same_time),
            links_test(a_proxy_that_never_told_its_slots_is_tried_one_link_at_a_time),
            links_test(C08_connects_with_cache_only_where_it_is_proved),
            links_test(C08_a_proved_pair_without_an_mtu_assumes_the_least),
            links_test(C12_a_failing_proxy_is_not_tried_again_while_another_is_untried),
            links_test(C13_the_final_error_has_class_number_and_attempts),
            links_test(C13_attempts_of_a_failed_link_are_shown_for_ten_minutes),
            links_test(a_proxy_that_scans_again_takes_the_next_one_before_it_says_connected),
            links_test(C14_totals_failures_and_the_last_success_of_a_proxy_are_shown),
            links_test(C15_a_proxy_that_failed_rests_until_its_list_is_without_the_address),
            links_test(C15_or_until_ten_seconds_have_passed),
            links_test(C15_firmware_without_a_list_gets_two_seconds),
            links_test(a_refusal_makes_us_ask_again_and_wait),
            links_test(a_refusal_that_is_never_explained_is_forgotten_after_a_while),
            links_test(a_refusal_is_of_the_conversation_in_which_it_was_said),
            links_test(an_attempt_that_was_begun_and_failed_without_a_number_is_no_refusal),
            links_test(a_refusal_after_an_attempt_that_was_begun_is_one),
            links_test(an_mtu_that_makes_no_sense_is_bounded),
            links_test(a_link_that_opened_for_nobody_lingers_and_closes),
            links_test(a_busy_proxy_is_passed_over_or_waited_for_a_while),
            links_test(places_in_line_are_counted_for_each_proxy),
            links_test(nobody_is_told_to_wait_for_a_link_that_is_kept),
            links_test(a_proxy_that_comes_takes_over_who_waits),
            links_test(rules_of_the_device_are_obeyed),
            links_test(all_links_can_be_listed),
            links_test(states_and_sources_have_names),
            links_test(the_past_of_links_has_a_bound),
            links_test(a_request_for_another_proxy_than_the_link_has_is_a_conflict),
            links_test(who_asked_for_something_else_leads_an_opening_of_its_own),
            links_test(requests_and_leases_have_bounds),
            links_test(an_explanation_says_what_a_request_would_meet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
