/* Requests and their operations: one at a time, each answered once, whatever the proxy does. */
#include "gatt/gatt_fixture.h"

/* ---- reading and writing ---- */

static void G03_a_value_is_read_by_handle_without_a_tree(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);
    struct program *p = world_do(w, 0, &wish);

    assert_int_equal(p->code, 0);
    assert_int_equal(p->handle, H_BATTERY);
    assert_int_equal(p->source, 0);
    assert_int_equal(p->value_size, 4);
    assert_int_equal(p->value[0], 1);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 0);
    world_run(w, SECONDS(15)); /* nobody holds it */
    assert_false(fixture_has_link(w->f, 1));
    assert_int_equal(w->f->fakes[0].connects, 1);
    assert_int_equal(w->sent[MESSAGE_GATT_READ_REQUEST], 1);
}

static void G03_by_uuid_a_value_is_found_and_ambiguity_and_absence_are_told(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_of(1, GATT_VERB_READ, U_BATTERY);
    struct program *p = world_do(w, 0, &wish);

    assert_int_equal(p->code, 0);
    assert_int_equal(p->handle, H_BATTERY);
    assert_int_equal(p->handles_count, 0);
    wish = gatt_wish_of(1, GATT_VERB_READ, U_TWIN);
    p = world_do(w, 0, &wish);
    assert_int_equal(p->code, E_CHARACTERISTIC_AMBIGUOUS);
    assert_int_equal(p->handles_count, 2);
    assert_int_equal(p->handles[0], H_TWIN);
    assert_int_equal(p->handles[1], H_OTHER_TWIN);
    wish = gatt_wish_of(1, GATT_VERB_READ, 0x1234);
    assert_int_equal(world_do(w, 0, &wish)->code, E_CHARACTERISTIC_NOT_FOUND);
    wish = gatt_wish_for(1, GATT_VERB_READ, 99);
    assert_int_equal(world_do(w, 0, &wish)->code, E_CHARACTERISTIC_NOT_FOUND);
    wish = gatt_wish_for(1, GATT_VERB_READ, H_WRITE);
    assert_int_equal(world_do(w, 0, &wish)->code, E_NOT_PERMITTED);
    assert_int_equal(w->sent[MESSAGE_GATT_READ_REQUEST], 1);
}

static struct program *write_as(struct gatt_world *w, uint16_t handle, enum gatt_response response,
                                size_t size)
{
    static const uint8_t octets[GATT_VALUE_MAX] = {1, 2, 3};
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_WRITE, handle);

    wish.value = (struct bytes){octets, size};
    wish.response = response;
    return world_do(w, 0, &wish);
}

static void G04_a_write_waits_for_its_response_or_not(void **state)
{
    static const struct {
        uint16_t handle;
        enum gatt_response response;
        int code;
        bool with_response;
    } cases[] = {
            {H_ANY_WRITE, GATT_RESPONSE_AUTO, 0, true},
            {H_ANY_WRITE, GATT_RESPONSE_YES, 0, true},
            {H_ANY_WRITE, GATT_RESPONSE_NO, 0, false},
            {H_WRITE, GATT_RESPONSE_AUTO, 0, true},
            {H_WRITE, GATT_RESPONSE_NO, E_NOT_PERMITTED, false},
            {H_COMMAND, GATT_RESPONSE_AUTO, 0, false},
            {H_COMMAND, GATT_RESPONSE_YES, E_NOT_PERMITTED, true},
            {H_BATTERY, GATT_RESPONSE_AUTO, E_NOT_PERMITTED, false},
    };
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_SERVICES, 0);

    assert_true(write_as(w, H_COMMAND, GATT_RESPONSE_AUTO, 1)->with_response); /* no tree */
    world_do(w, 0, &wish);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct program *p;

        w->gadgets[1].written_size = 0;
        p = write_as(w, cases[i].handle, cases[i].response, 3);
        assert_int_equal(p->code, cases[i].code);
        assert_int_equal(w->gadgets[1].written_size, cases[i].code ? 0 : 3);
        if (p->code)
            continue;
        assert_int_equal(p->with_response, cases[i].with_response);
        assert_int_equal(w->gadgets[1].was_with_response, cases[i].with_response);
        assert_int_equal(w->gadgets[1].written[2], 3);
    }
}

static void G04_G15_a_long_value_is_refused_by_what_the_link_can_carry(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_WRITE, H_WRITE);
    static const uint8_t octets[GATT_VALUE_MAX + 1];
    struct program *p;

    w->f->air[1][0].mtu = 100;
    p = write_as(w, H_ANY_WRITE, GATT_RESPONSE_NO, 98);
    assert_int_equal(p->code, E_VALUE_TOO_LONG);
    assert_int_equal(p->max, 97);
    assert_int_equal(write_as(w, H_ANY_WRITE, GATT_RESPONSE_NO, 97)->code, 0);
    assert_int_equal(write_as(w, H_ANY_WRITE, GATT_RESPONSE_YES, GATT_VALUE_MAX)->code, 0);
    assert_int_equal(w->gadgets[1].written_size, GATT_VALUE_MAX);
    wish.value = (struct bytes){octets, sizeof octets};
    assert_int_equal(world_ask(w, 1, &wish), E_VALUE_TOO_LONG);
    world_run(w, SECONDS(20));
    w->f->air[1][0].mtu = 60; /* the next link is another one */
    assert_int_equal(write_as(w, H_ANY_WRITE, GATT_RESPONSE_NO, 58)->max, 57);
}

static void G05_descriptors_are_read_and_written_but_for_the_one_of_subscriptions(void **state)
{
    static const uint8_t octets[] = "text";
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ_DESCRIPTOR, H_WRITE_TEXT);

    assert_int_equal(world_do(w, 0, &wish)->code, 0);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 0);
    wish = gatt_wish_for(1, GATT_VERB_WRITE_DESCRIPTOR, H_WRITE_TEXT);
    wish.value = (struct bytes){octets, 4};
    assert_int_equal(world_do(w, 0, &wish)->code, 0);
    assert_int_equal(w->gadgets[1].written_size, 4);
    wish.target.handle = H_BATTERY_CCCD;
    assert_int_equal(world_do(w, 0, &wish)->code, E_USE_SUBSCRIPTION);
    wish.target.handle = H_BATTERY; /* is none */
    assert_int_equal(world_do(w, 0, &wish)->code, E_DESCRIPTOR_NOT_FOUND);
    assert_int_equal(w->sent[MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST], 1);
    wish = gatt_wish_for(1, GATT_VERB_READ_DESCRIPTOR, H_BATTERY_CCCD);
    assert_int_equal(world_do(w, 0, &wish)->code, 0);
}

static void G12_an_error_of_the_device_is_a_number_with_a_name(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);
    struct program *p;

    w->gadgets[1].failing = H_BATTERY;
    w->gadgets[1].error = 0x05;
    p = world_do(w, 0, &wish);
    assert_int_equal(p->code, E_GATT_ERROR);
    assert_true(p->has_number);
    assert_int_equal(p->number, 5);
    assert_int_equal(p->handle, H_BATTERY);
    assert_string_equal(gatt_att_error_name(p->number), "insufficient_authentication");
    assert_int_equal(w->sent[MESSAGE_GATT_READ_REQUEST], 1); /* not repeated */
    assert_string_equal(gatt_att_error_name(0x84), "busy");
    assert_null(gatt_att_error_name(0x70));
}

/* ---- one at a time ---- */

static void operations_run_one_after_the_other_in_order(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);
    static const uint8_t octets[] = {1};

    for (size_t i = 0; i < 6; i++) {
        wish = gatt_wish_for(1, i % 2 ? GATT_VERB_WRITE : GATT_VERB_READ,
                             i % 2 ? H_WRITE
                                   : (uint16_t) (H_BATTERY + (i ? H_TWIN - H_BATTERY : 0)));
        wish.value = (struct bytes){octets, 1};
        world_want(w, i, &wish);
    }
    world_run(w, SECONDS(2));
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(w->programs[i].code, 0);
    assert_true(w->programs[1].answered > w->programs[0].answered);
    assert_true(w->programs[3].answered > w->programs[1].answered);
    assert_int_equal(w->most_on_air, 1);
}

static void reads_that_wait_for_the_same_value_are_one(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);
    struct gatt_statistics statistics;

    for (size_t i = 0; i < 5; i++)
        world_want(w, i, &wish);
    fixture_run(w->f, MSEC(530)); /* the first is on the air */
    assert_int_equal(w->sent[MESSAGE_GATT_READ_REQUEST], 1);
    world_want(w, 5, &wish);
    world_run(w, SECONDS(1));
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(w->programs[i].value[0], 1);
    assert_int_equal(w->programs[5].value[0], 2); /* it came when the answer was on its way */
    gatt_get_statistics(w->gatt, &statistics);
    assert_int_equal(statistics.shared_reads, 4);
    assert_int_equal(statistics.operations, 2);
}

static void a_read_behind_a_write_is_not_one_with_a_read_before_it(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish read = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);
    struct gatt_wish write = gatt_wish_for(1, GATT_VERB_WRITE, H_ANY_WRITE);

    world_want(w, 0, &write); /* on the air, while the others come */
    world_run(w, MSEC(515));
    world_want(w, 1, &read);
    world_want(w, 2, &write);
    world_want(w, 3, &read);
    world_want(w, 4, &read);
    world_run(w, SECONDS(1));
    assert_int_equal(w->programs[1].value[0], 1);
    assert_int_equal(w->programs[3].value[0], 2);
    assert_int_equal(w->programs[4].value[0], 2);
    assert_true(w->programs[2].answered < w->programs[3].answered);
}

static void commands_are_held_back_until_the_proxy_takes_them(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_WRITE, H_COMMAND);

    wish.response = GATT_RESPONSE_NO;
    for (size_t i = 0; i < 20; i++)
        world_want(w, i, &wish);
    world_run(w, SECONDS(2));
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(w->programs[i].code, 0);
    assert_int_equal(w->most_on_air, 8);
    w->ignores_commands = true;
    world_do(w, 0, &wish);
    assert_int_equal(w->programs[0].code, 0);
    assert_in_range(w->programs[0].answered - w->programs[0].asked, MSEC(50), MSEC(51));
}

static void commands_that_are_never_acknowledged_owe_nothing(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_WRITE, H_ANY_WRITE);

    w->ignores_commands = true;
    wish.response = GATT_RESPONSE_NO;
    assert_int_equal(world_do(w, 0, &wish)->code, 0);
    wish.response = GATT_RESPONSE_YES;
    assert_int_equal(world_do(w, 0, &wish)->code, 0);
    assert_true(w->programs[0].answered - w->programs[0].asked < MSEC(100));
}

/* ---- time ---- */

static void G10_no_answer_is_a_timeout_counted_from_the_open_link(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);
    struct program *p;

    w->gadgets[1].silent = MESSAGE_GATT_READ_REQUEST;
    w->f->air[1][0].delay = SECONDS(3);
    wish.timeout = SECONDS(4);
    p = world_do(w, 0, &wish);
    assert_int_equal(p->code, E_GATT_TIMEOUT);
    assert_int_equal(p->handle, H_BATTERY);
    assert_in_range(p->answered - p->asked, SECONDS(7), SECONDS(7) + MSEC(20));
    assert_int_equal(w->sent[MESSAGE_GATT_READ_REQUEST], 1);
    assert_true(fixture_has_link(w->f, 1)); /* one may be lost */
}

static void a_late_answer_is_not_taken_for_the_next_one(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);

    wish.timeout = SECONDS(1);
    w->gadgets[1].slow = SECONDS(1) + MSEC(200);
    assert_int_equal(world_do(w, 0, &wish)->code, E_GATT_TIMEOUT);
    w->gadgets[1].slow = MSEC(400);
    assert_int_equal(world_do(w, 0, &wish)->code, 0);
    assert_int_equal(w->programs[0].value[0], 2); /* 1 came 200 ms after this was sent */
}

static void a_cancelled_operation_is_waited_for_before_the_next(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);

    world_do(w, 0, &wish);
    w->gadgets[1].slow = SECONDS(1);
    world_want(w, 0, &wish);
    world_run(w, MSEC(100));
    world_cancel(w, 0);
    wish.target.handle = H_TWIN;
    world_want(w, 1, &wish);
    world_run(w, MSEC(500));
    assert_int_equal(w->sent[MESSAGE_GATT_READ_REQUEST], 2);
    world_run(w, SECONDS(5));
    assert_int_equal(w->programs[1].code, 0);
    assert_int_equal(w->programs[1].value[0], 3);
    assert_int_equal(w->most_on_air, 1);
    assert_int_equal(w->programs[0].answers, 1);
}

static void what_is_cancelled_in_line_is_never_sent(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);

    world_want(w, 0, &wish);
    wish.target.handle = H_TWIN;
    world_want(w, 1, &wish);
    world_run(w, MSEC(520));
    assert_int_equal(w->sent[MESSAGE_GATT_READ_REQUEST], 1);
    world_cancel(w, 1);
    world_run(w, SECONDS(1));
    assert_int_equal(w->programs[0].code, 0);
    assert_int_equal(w->sent[MESSAGE_GATT_READ_REQUEST], 1);
}

static void two_timeouts_in_a_row_close_the_link(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);

    wish.timeout = SECONDS(2);
    w->gadgets[1].silent = MESSAGE_GATT_READ_REQUEST;
    world_do(w, 0, &wish);
    assert_int_equal(w->f->fakes[0].disconnects, 0);
    world_do(w, 0, &wish);
    assert_int_equal(w->programs[0].code, E_GATT_TIMEOUT);
    world_run(w, SECONDS(1));
    assert_int_equal(w->f->fakes[0].disconnects, 1);
    assert_false(fixture_has_link(w->f, 1));
    w->gadgets[1].silent = 0;
    assert_int_equal(world_do(w, 0, &wish)->code, 0);
}

/* ---- lost links ---- */

static void G11_D07_a_lost_link_fails_the_operation_at_once_and_it_is_tried_again(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);
    struct program *p;

    w->gadgets[1].slow = SECONDS(5);
    p = world_want(w, 0, &wish);
    world_run(w, SECONDS(2));
    fixture_drop(w->f, 0, 1, 0x08);
    w->gadgets[1].slow = 0;
    world_run(w, SECONDS(3));
    assert_int_equal(p->code, 0);
    assert_int_equal(w->f->fakes[0].connects, 2);
    w->gadgets[1].slow = SECONDS(5);
    wish.tries = 1;
    p = world_want(w, 0, &wish);
    world_run(w, SECONDS(1));
    fixture_drop(w->f, 0, 1, 0x13);
    world_run(w, MSEC(10));
    assert_int_equal(p->code, E_DISCONNECTED);
    assert_true(p->has_number);
    assert_int_equal(p->number, 0x13);
}

static void what_the_link_cannot_is_told_as_links_tell_it(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);

    w->f->air[1][0].outcome = FAILS;
    w->f->air[1][0].reason = 0x85;
    wish.link.attempts = 1;
    assert_int_equal(world_do(w, 0, &wish)->code, E_CONNECT_ABORTED);
    assert_int_equal(w->programs[0].link_code, E_CONNECT_ABORTED);
    assert_int_equal(w->programs[0].number, 0x85);
    w->f->is_unknown[2] = true;
    wish = gatt_wish_for(2, GATT_VERB_SERVICES, 0);
    assert_int_equal(world_do(w, 0, &wish)->code, E_DEVICE_NOT_FOUND);
    wish.link.renew = "L00000000";
    assert_int_equal(world_do(w, 0, &wish)->code, E_GONE);
}

static void a_lease_that_was_given_is_used_and_left_alone(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);
    struct client *c = fixture_connect(w->f, 0, 1);
    struct link_lease lease;
    usec_t expires;

    world_run(w, SECONDS(10));
    assert_true(links_get_lease(w->f->links, DEVICE(1), 0, &lease));
    expires = lease.expires;
    wish.link.renew = c->lease;
    wish.link.lease = SECONDS(1);
    wish.link.is_auto_reconnect = true;
    assert_int_equal(world_do(w, 0, &wish)->code, 0);
    assert_true(links_get_lease(w->f->links, DEVICE(1), 0, &lease));
    assert_int_equal(lease.expires, expires);
    assert_false(lease.is_auto_reconnect);
    assert_false(links_get_lease(w->f->links, DEVICE(1), 1, &lease));
    assert_int_equal(w->f->fakes[0].connects, 1);
}

static void a_link_that_somebody_closes_cancels_what_runs_on_it(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);

    w->gadgets[1].slow = SECONDS(5);
    world_want(w, 0, &wish);
    world_run(w, SECONDS(1));
    links_release(w->f->links, DEVICE(1), NULL, w->f->now);
    world_run(w, MSEC(10));
    assert_int_equal(w->programs[0].code, E_CANCELLED);
    world_run(w, SECONDS(10));
    assert_int_equal(w->f->fakes[0].connects, 1);
}

static void a_proxy_that_says_not_connected_is_believed(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);

    w->gadgets[1].failing = H_BATTERY;
    w->gadgets[1].error = -1;
    world_want(w, 0, &wish);
    world_run(w, MSEC(545));
    w->gadgets[1].failing = 0;
    world_run(w, SECONDS(3));
    assert_int_equal(w->programs[0].code, 0);
    assert_int_equal(w->f->fakes[0].connects, 2);
}

static void advance_without_events(struct fixture *f)
{
    gatt_advance(world_of(f)->gatt, f->now);
}

static void deliver_without_events(struct fixture *f, const struct step *step)
{
    gatt_message(world_of(f)->gatt, step->source, &step->message, f->now);
}

static void links_may_answer_before_their_events_are_heard(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);

    w->f->guest.settle = NULL;
    w->f->guest.advance = advance_without_events;
    w->f->guest.deliver = deliver_without_events;
    world_want(w, 0, &wish);
    world_run(w, SECONDS(2));
    assert_int_equal(w->programs[0].code, 0);
    w->f->guest.settle = guest_settle;
    w->f->guest.advance = guest_advance;
    w->f->guest.deliver = guest_deliver;
}

static bool everything_is_proved(struct fixture *f, uint16_t source, uint64_t address,
                                 uint32_t *ret_mtu)
{
    (void) f, (void) source, (void) address, (void) ret_mtu;
    return true;
}

static void a_link_is_not_opened_anew_for_ever(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_SERVICES, 0);

    w->f->guest.is_proved = everything_is_proved; /* each link is with cache, and there is none */
    assert_int_equal(world_do(w, 0, &wish)->code, E_DISCONNECTED);
    assert_int_equal(w->f->fakes[0].connects, 4);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 0);
}

static void a_message_that_is_not_taken_is_sent_again(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);

    world_do(w, 0, &wish);
    w->f->fakes[0].takes_nothing = true;
    world_want(w, 0, &wish);
    world_run(w, MSEC(500));
    w->f->fakes[0].takes_nothing = false;
    world_run(w, MSEC(500));
    assert_int_equal(w->programs[0].code, 0);
}

/* ---- pairing, parameters ---- */

static void G14_pairing_and_unpairing_tell_their_numbers(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_PAIR, 0);

    assert_int_equal(world_do(w, 0, &wish)->code, 0);
    assert_true(w->f->air[1][0].is_bonded);
    wish = gatt_wish_for(2, GATT_VERB_PAIR, 0);
    w->f->air[2][0].pair_error = 82;
    assert_int_equal(world_do(w, 0, &wish)->code, E_PAIRING_FAILED);
    assert_int_equal(w->programs[0].number, 82);
    w->f->air[3][0].pair_error = INT32_MAX; /* it never answers */
    wish = gatt_wish_for(3, GATT_VERB_PAIR, 0);
    assert_int_equal(world_do(w, 0, &wish)->code, E_GATT_TIMEOUT);
    assert_in_range(w->programs[0].answered - w->programs[0].asked, SECONDS(30), SECONDS(31));
    wish = gatt_wish_for(1, GATT_VERB_UNPAIR, 0);
    assert_int_equal(world_do(w, 0, &wish)->code, E_NOT_CONNECTED); /* and no proxy is named */
    wish.link.source = 0;
    assert_int_equal(world_do(w, 0, &wish)->code, 0);
    assert_int_equal(w->unbonded, 1);
    assert_int_equal(w->programs[0].source, 0);
    w->unpair_error = 0x105;
    assert_int_equal(world_do(w, 0, &wish)->code, E_PAIRING_FAILED);
    assert_int_equal(w->programs[0].number, 0x105);
    w->gadgets[1].silent = MESSAGE_DEVICE_REQUEST;
    assert_int_equal(world_do(w, 0, &wish)->code, E_GATT_TIMEOUT);
    w->f->fakes[0].features = PROXY_FEATURE_ACTIVE_CONNECTIONS;
    assert_int_equal(world_do(w, 0, &wish)->code, E_NOT_SUPPORTED);
    assert_string_equal(w->programs[0].feature, "pairing");
}

static void a_proxy_that_goes_fails_what_it_was_asked_without_a_link(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_UNPAIR, 0);

    w->gadgets[1].silent = MESSAGE_DEVICE_REQUEST;
    wish.link.source = 0;
    world_want(w, 0, &wish);
    world_run(w, MSEC(100));
    fixture_offline(w->f, 0);
    gatt_proxy_offline(w->gatt, 0, w->f->now);
    assert_int_equal(w->programs[0].code, E_PROXY_OFFLINE);
    assert_int_equal(world_do(w, 0, &wish)->code, E_PROXY_OFFLINE);
}

static void a_proxy_that_is_removed_ends_what_was_wanted_through_it_alone(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_UNPAIR, 0);

    w->gadgets[1].silent = MESSAGE_DEVICE_REQUEST;
    wish.link.source = 0;
    world_want(w, 0, &wish); /* on the air */
    wish = gatt_wish_for(2, GATT_VERB_PAIR, 0);
    wish.link.source = 0;
    w->f->air[2][0].pair_error = INT32_MAX;
    world_want(w, 1, &wish); /* waits for its link, or for the device */
    world_run(w, SECONDS(1));
    gatt_proxy_removed(w->gatt, 0, w->f->now);
    assert_int_equal(w->programs[0].code, E_PROXY_OFFLINE);
    assert_int_equal(w->programs[1].code, E_PROXY_OFFLINE);
    links_proxy_removed(w->f->links, 0, w->f->now);
    fixture_offline(w->f, 0);
}

static void G13_parameters_are_checked_and_need_a_link_and_a_proxy_that_can(void **state)
{
    static const struct message_connection_params bad[] = {
            {.min_interval = 5, .max_interval = 10, .timeout = 100},
            {.min_interval = 6, .max_interval = 3201, .timeout = 3200},
            {.min_interval = 12, .max_interval = 10, .timeout = 100},
            {.min_interval = 6, .max_interval = 6, .latency = 500, .timeout = 3200},
            {.min_interval = 6, .max_interval = 6, .timeout = 9},
            {.min_interval = 6, .max_interval = 6, .timeout = 3201},
            {.min_interval = 800, .max_interval = 800, .timeout = 200},
    };
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_PARAMETERS, 0);

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        wish.parameters = bad[i];
        assert_int_equal(world_ask(w, 0, &wish), E_INVALID_REQUEST);
    }
    wish.parameters = (struct message_connection_params){
            .min_interval = 800, .max_interval = 800, .timeout = 600};
    assert_int_equal(world_do(w, 0, &wish)->code, E_NOT_CONNECTED);
    fixture_connect(w->f, 0, 1);
    world_run(w, SECONDS(1));
    assert_int_equal(world_do(w, 0, &wish)->code, 0);
    w->parameters_error = 0x3b;
    assert_int_equal(world_do(w, 0, &wish)->code, E_GATT_ERROR);
    assert_int_equal(w->programs[0].number, 0x3b);
    w->f->fakes[0].features = NEWEST;
    assert_int_equal(world_do(w, 0, &wish)->code, E_NOT_SUPPORTED);
    assert_string_equal(w->programs[0].feature, "connection_params");
    assert_int_equal(w->sent[MESSAGE_SET_CONNECTION_PARAMS_REQUEST], 2);
}

/* ---- bounds and the end ---- */

static void a_device_has_so_many_requests_and_the_room_as_well(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);
    struct gatt_request *requests[GATT_REQUESTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < 32; i++)
        world_want(w, i, &wish);
    assert_int_equal(world_ask(w, 32, &wish), E_QUEUE_FULL);
    wish = gatt_wish_for(2, GATT_VERB_READ, H_BATTERY);
    world_want(w, 33, &wish); /* another device is another line */
    world_run(w, SECONDS(2));
    assert_int_equal(w->programs[31].code, 0);
    for (uint64_t device = 0; count < GATT_REQUESTS_MAX; device++) {
        wish.link.address = DEVICE(device % DEVICES);
        if (gatt_submit(w->gatt, &wish, program_done, NULL, w->f->now, &requests[count]) == 0)
            count++;
    }
    assert_int_equal(gatt_submit(w->gatt, &wish, program_done, NULL, w->f->now, requests),
                     E_OVERLOADED);
    while (count > 0)
        gatt_cancel(w->gatt, requests[--count], w->f->now);
    world_run(w, SECONDS(1));
}

static void an_answer_that_is_too_long_is_none(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);
    static const uint8_t octets[GATT_VALUE_MAX + 1];

    w->gadgets[1].slow = SECONDS(1);
    world_want(w, 0, &wish);
    world_run(w, MSEC(600));
    say(w->f, 0, 0, MESSAGE_GATT_READ_RESPONSE, 1, H_BATTERY, (struct bytes){octets, sizeof octets},
        0);
    world_run(w, MSEC(1));
    assert_int_equal(w->programs[0].code, E_GATT_ERROR);
    assert_false(w->programs[0].has_number);
}

static void answers_that_nobody_waits_for_are_dropped(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);
    static const enum message_type types[] = {MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE,
                                              MESSAGE_GATT_READ_RESPONSE,
                                              MESSAGE_GATT_WRITE_RESPONSE,
                                              MESSAGE_GATT_NOTIFY_RESPONSE,
                                              MESSAGE_GATT_ERROR_RESPONSE,
                                              MESSAGE_GATT_NOTIFY_DATA_RESPONSE};

    world_proxy(w, 1, -70);
    w->gadgets[1].slow = SECONDS(1);
    world_want(w, 0, &wish);
    world_run(w, MSEC(600));
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        say(w->f, 0, 0, types[i], 1, H_TWIN, (struct bytes){0}, 1);    /* another handle */
        say(w->f, 0, 0, types[i], 2, H_BATTERY, (struct bytes){0}, 1); /* another device */
        say(w->f, 1, 0, types[i], 1, H_BATTERY, (struct bytes){0}, 1); /* another proxy */
        say(w->f, 0, 0, types[i], 1, 0x10000 + H_BATTERY, (struct bytes){0}, 1);
    }
    world_run(w, MSEC(10));
    assert_int_equal(w->programs[0].code, 1);
    world_run(w, SECONDS(2));
    assert_int_equal(w->programs[0].code, 0);
}

static void the_end_answers_all_and_refuses_more(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);

    w->gadgets[1].slow = SECONDS(5);
    for (size_t i = 0; i < 4; i++) {
        wish = gatt_wish_for(1 + i % 2, i < 2 ? GATT_VERB_READ : GATT_VERB_SERVICES, H_BATTERY);
        world_want(w, i, &wish);
    }
    world_run(w, MSEC(600));
    gatt_close(w->gatt, w->f->now);
    assert_int_equal(w->programs[0].code, 1); /* not from inside */
    assert_int_equal(world_ask(w, 9, &wish), E_SHUTTING_DOWN);
    world_run(w, MSEC(1));
    assert_int_equal(w->programs[0].code, E_SHUTTING_DOWN);
    assert_int_equal(w->programs[3].code, E_SHUTTING_DOWN);
}

static void ask_again(struct program *p)
{
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_TWIN);

    p->on_done = NULL;
    world_want(p->world, (size_t) (p - p->world->programs), &wish);
}

static void an_answer_may_ask_again(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_READ, H_BATTERY);

    world_want(w, 0, &wish)->on_done = ask_again;
    world_run(w, SECONDS(2));
    assert_int_equal(w->programs[0].answers, 2);
    assert_int_equal(w->programs[0].code, 0);
    assert_int_equal(w->f->fakes[0].connects, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            gatt_test(G03_a_value_is_read_by_handle_without_a_tree),
            gatt_test(G03_by_uuid_a_value_is_found_and_ambiguity_and_absence_are_told),
            gatt_test(G04_a_write_waits_for_its_response_or_not),
            gatt_test(G04_G15_a_long_value_is_refused_by_what_the_link_can_carry),
            gatt_test(G05_descriptors_are_read_and_written_but_for_the_one_of_subscriptions),
            gatt_test(G12_an_error_of_the_device_is_a_number_with_a_name),
            gatt_test(operations_run_one_after_the_other_in_order),
            gatt_test(reads_that_wait_for_the_same_value_are_one),
            gatt_test(a_read_behind_a_write_is_not_one_with_a_read_before_it),
            gatt_test(commands_are_held_back_until_the_proxy_takes_them),
            gatt_test(commands_that_are_never_acknowledged_owe_nothing),
            gatt_test(G10_no_answer_is_a_timeout_counted_from_the_open_link),
            gatt_test(a_late_answer_is_not_taken_for_the_next_one),
            gatt_test(a_cancelled_operation_is_waited_for_before_the_next),
            gatt_test(what_is_cancelled_in_line_is_never_sent),
            gatt_test(two_timeouts_in_a_row_close_the_link),
            gatt_test(G11_D07_a_lost_link_fails_the_operation_at_once_and_it_is_tried_again),
            gatt_test(what_the_link_cannot_is_told_as_links_tell_it),
            gatt_test(a_lease_that_was_given_is_used_and_left_alone),
            gatt_test(a_link_that_somebody_closes_cancels_what_runs_on_it),
            gatt_test(a_proxy_that_says_not_connected_is_believed),
            gatt_test(links_may_answer_before_their_events_are_heard),
            gatt_test(a_link_is_not_opened_anew_for_ever),
            gatt_test(a_message_that_is_not_taken_is_sent_again),
            gatt_test(G14_pairing_and_unpairing_tell_their_numbers),
            gatt_test(a_proxy_that_goes_fails_what_it_was_asked_without_a_link),
            gatt_test(a_proxy_that_is_removed_ends_what_was_wanted_through_it_alone),
            gatt_test(G13_parameters_are_checked_and_need_a_link_and_a_proxy_that_can),
            gatt_test(a_device_has_so_many_requests_and_the_room_as_well),
            gatt_test(an_answer_that_is_too_long_is_none),
            gatt_test(answers_that_nobody_waits_for_are_dropped),
            gatt_test(the_end_answers_all_and_refuses_more),
            gatt_test(an_answer_may_ask_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
