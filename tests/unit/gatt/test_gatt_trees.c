/* Where trees come from, how far they are believed, and what becomes of those that are wrong. */
#include "gatt/gatt_fixture.h"

static struct program *read_of(struct gatt_world *w, size_t device, uint32_t uuid)
{
    struct gatt_wish wish = gatt_wish_of(device, GATT_VERB_READ, uuid);

    return world_do(w, 0, &wish);
}

static struct program *services_of(struct gatt_world *w, size_t device)
{
    struct gatt_wish wish = gatt_wish_for(device, GATT_VERB_SERVICES, 0);

    return world_do(w, 0, &wish);
}

static void settle_down(struct gatt_world *w) /* all links are gone */
{
    world_run(w, SECONDS(30));
    assert_int_equal(links_count(w->f->links), 0);
}

static struct gatt_cache_statistics figures(struct gatt_world *w)
{
    struct gatt_cache_statistics figures;

    gatt_cache_get_statistics(gatt_get_cache(w->gatt), &figures);
    return figures;
}

/* ---- discovery ---- */

static void G01_the_services_are_discovered_once_and_then_known(void **state)
{
    struct gatt_world *w = *state;

    assert_int_equal(services_of(w, 1)->code, 0);
    assert_true(w->programs[0].is_discovered);
    assert_int_equal(w->programs[0].services, 3);
    assert_int_equal(w->programs[0].source, 0);
    settle_down(w);
    assert_int_equal(services_of(w, 1)->code, 0);
    assert_false(w->programs[0].is_discovered);
    assert_int_equal(w->programs[0].source, LINK_NO_SOURCE);
    assert_int_equal(w->f->fakes[0].connects, 1);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 1);
}

static void G02_a_device_without_services_is_an_error_that_is_not_kept(void **state)
{
    struct gatt_world *w = *state;

    w->gadgets[1].is_empty = true;
    assert_int_equal(services_of(w, 1)->code, E_GATT_ERROR);
    assert_false(w->programs[0].has_number);
    assert_int_equal(figures(w).entries, 0);
    w->gadgets[1].is_empty = false;
    assert_int_equal(services_of(w, 1)->code, 0); /* on another link: this one was asked */
    assert_int_equal(w->f->fakes[0].connects, 2);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 2);
}

static void who_wants_the_tree_at_the_same_time_gets_the_same(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_of(1, GATT_VERB_READ, U_BATTERY);

    world_want(w, 0, &wish);
    wish = gatt_wish_for(1, GATT_VERB_SERVICES, 0);
    wish.refresh = true;
    world_want(w, 1, &wish);
    world_run(w, MSEC(530)); /* 70 is on the air */
    world_want(w, 2, &wish);
    world_run(w, SECONDS(2));
    world_want(w, 3, &wish); /* this link was asked: what it said is fresh */
    world_run(w, SECONDS(2));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(w->programs[i].code, 0);
    assert_true(w->programs[3].is_discovered);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 1);
    assert_int_equal(w->f->fakes[0].connects, 1);
}

static void an_interrupted_list_is_not_kept_and_asked_for_again(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_SERVICES, 0);

    w->gadgets[1].stops_in_services = true;
    world_want(w, 0, &wish);
    world_run(w, SECONDS(1));
    fixture_drop(w->f, 0, 1, 0x08);
    world_run(w, MSEC(50));
    assert_int_equal(figures(w).entries, 0);
    w->gadgets[1].stops_in_services = false;
    world_run(w, SECONDS(5));
    assert_int_equal(w->programs[0].code, 0);
    assert_int_equal(w->programs[0].services, 3);
}

static void a_list_that_does_not_end_is_a_timeout_and_the_link_is_closed(void **state)
{
    struct gatt_world *w = *state;

    w->gadgets[1].stops_in_services = true;
    assert_int_equal(services_of(w, 1)->code, E_GATT_TIMEOUT);
    world_run(w, SECONDS(1));
    assert_int_equal(w->f->fakes[0].disconnects, 1);
    assert_int_equal(figures(w).entries, 0);
    w->gadgets[1].stops_in_services = false;
    assert_int_equal(services_of(w, 1)->code, 0);
}

static void say_services(struct gatt_world *w, uint32_t first, uint32_t count)
{
    struct message_characteristic c[64];
    struct message_service service = {.uuid.short_uuid = 0x1800,
                                      .handle = first,
                                      .characteristics = c,
                                      .characteristics_count = count};
    struct message message = {.type = MESSAGE_GATT_GET_SERVICES_RESPONSE,
                              .services = {DEVICE(1), &service, 1}};

    for (uint32_t i = 0; i < count; i++)
        c[i] = (struct message_characteristic){.uuid.short_uuid = 0x2a00, .handle = first + 1 + i};
    gatt_message(w->gatt, 0, &message, w->f->now);
}

static void a_list_that_is_damaged_or_too_long_is_an_error_and_bounded(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_SERVICES, 0);

    say_services(w, 1, 60); /* nobody asked */
    world_want(w, 0, &wish);
    world_run(w, MSEC(515));
    for (uint32_t i = 0; i < GATT_ENTRIES_MAX / 60 + 2; i++)
        say_services(w, 1 + 64 * i, 60);
    world_run(w, SECONDS(1));
    assert_int_equal(w->programs[0].code, E_GATT_ERROR);
    settle_down(w);
    world_want(w, 0, &wish);
    world_run(w, MSEC(515));
    say_services(w, UINT16_MAX - 2, 60); /* handles beyond 16 bits */
    world_run(w, SECONDS(1));
    assert_int_equal(w->programs[0].code, E_GATT_ERROR);
    assert_int_equal(figures(w).entries, 0);
}

/* ---- the cache ---- */

static void P01_with_a_known_tree_a_read_is_connect_read_release(void **state)
{
    struct gatt_world *w = *state;
    unsigned sent[MESSAGE_TYPE_MAX + 1];

    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    settle_down(w);
    memcpy(sent, w->sent, sizeof sent);
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    settle_down(w);
    assert_true(w->ways[0][1].is_cached);
    for (size_t i = 0; i <= MESSAGE_TYPE_MAX; i++)
        assert_int_equal(w->sent[i] - sent[i], i == MESSAGE_GATT_READ_REQUEST);
    assert_int_equal(w->f->fakes[0].connects, 2);
    assert_int_equal(w->f->fakes[0].disconnects, 2);
}

static void P02_what_is_known_is_known_through_another_proxy_too(void **state)
{
    struct gatt_world *w = *state;
    uint32_t mtu;

    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    settle_down(w);
    world_proxy(w, 1, -30);
    w->f->air[1][1].mtu = 185;
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    assert_int_equal(w->programs[0].source, 1);
    assert_false(w->ways[1][1].is_cached); /* the pair is new */
    assert_true(gatt_cache_is_proved(gatt_get_cache(w->gatt), DEVICE(1), 1, &mtu));
    assert_int_equal(mtu, 185);
    settle_down(w);
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    assert_true(w->ways[1][1].is_cached);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 1);
}

static void P02_what_was_kept_over_a_restart_is_known(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_known known;
    struct gatt_tree *tree = gatt_tree_new();
    struct ble_uuid service = ble_uuid_from_short(0x180f), battery = ble_uuid_from_short(U_BATTERY);

    gatt_tree_add(tree, GATT_SERVICE, &service, 20, 0);
    gatt_tree_add(tree, GATT_CHARACTERISTIC, &battery, H_BATTERY, GATT_READ);
    assert_true(gatt_cache_restore(gatt_get_cache(w->gatt), DEVICE(1), tree, NULL, 5));
    gatt_tree_release(tree);
    assert_int_equal(services_of(w, 1)->services, 1);
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 0);
    assert_true(gatt_cache_get(gatt_get_cache(w->gatt), DEVICE(1), &known));
    assert_int_equal(known.updated, 5);
}

static void P03_without_cache_it_is_always_discovered(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish wish;

    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    settle_down(w);
    wish = gatt_wish_of(1, GATT_VERB_READ, U_BATTERY);
    wish.link.use_cache = false;
    assert_int_equal(world_do(w, 0, &wish)->code, 0);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 2);
    settle_down(w);
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0); /* a link with cache … */
    wish = gatt_wish_for(1, GATT_VERB_SERVICES, 0);
    wish.refresh = true;
    assert_int_equal(world_do(w, 0, &wish)->code, 0); /* … is opened anew */
    assert_true(w->programs[0].is_discovered);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 3);
}

static void P03_P04_clearing_says_whether_the_proxy_forgot_too(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_wish clear = gatt_wish_for(1, GATT_VERB_CLEAR_CACHE, 0);

    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    assert_int_equal(world_do(w, 1, &clear)->code, 0);
    assert_true(w->programs[1].cleared_proxy);
    assert_int_equal(w->cleared, 1);
    assert_int_equal(figures(w).entries, 0);
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0); /* asked anew, on a new link */
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 2);
    w->gadgets[1].silent = MESSAGE_DEVICE_REQUEST;
    assert_int_equal(world_do(w, 1, &clear)->code, 0);
    assert_false(w->programs[1].cleared_proxy);
    settle_down(w);
    w->gadgets[1].silent = 0;
    assert_int_equal(world_do(w, 1, &clear)->code, 0); /* no proxy is concerned */
    assert_false(w->programs[1].cleared_proxy);
    clear.link.source = 0;
    w->f->fakes[0].features &= ~(uint32_t) PROXY_FEATURE_CACHE_CLEARING;
    assert_int_equal(world_do(w, 1, &clear)->code, 0);
    assert_false(w->programs[1].cleared_proxy);
    assert_int_equal(figures(w).doubts[GATT_DOUBT_ASKED], 2);
}

/* ---- doubt ---- */

static void P05_a_handle_that_is_refused_has_the_tree_discovered_anew_once(void **state)
{
    struct gatt_world *w = *state;

    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    settle_down(w);
    w->gadgets[1].has_moved = true;
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    assert_int_equal(w->programs[0].handle, H_BATTERY + H_MOVED);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 2);
    assert_int_equal(w->cleared, 1); /* what the proxy remembered as well */
    assert_int_equal(figures(w).doubts[GATT_DOUBT_INVALID_HANDLE], 1);
    settle_down(w);
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 2);
}

static void P05_a_refusal_that_remains_is_an_error(void **state)
{
    struct gatt_world *w = *state;

    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    settle_down(w);
    w->gadgets[1].failing = H_BATTERY;
    w->gadgets[1].error = 0x01;
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, E_GATT_ERROR);
    assert_int_equal(w->programs[0].number, 1);
    assert_int_equal(w->f->fakes[0].connects, 3);
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, E_GATT_ERROR); /* the tree is fresh now */
    assert_int_equal(w->f->fakes[0].connects, 3);
}

static void P05_others_on_the_link_hardly_notice(void **state)
{
    struct gatt_world *w = *state;
    struct client *c;
    struct link_lease lease;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_WRITE, H_WRITE + H_MOVED);

    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    settle_down(w);
    w->gadgets[1].has_moved = true;
    c = fixture_connect(w->f, 0, 1);
    world_run(w, SECONDS(2));
    wish = gatt_wish_of(1, GATT_VERB_READ, U_BATTERY);
    world_want(w, 0, &wish);
    wish = gatt_wish_of(1, GATT_VERB_WRITE, U_WRITE);
    wish.tries = 1;
    world_want(w, 1, &wish);
    world_run(w, SECONDS(5));
    assert_int_equal(w->programs[0].code, 0);
    assert_int_equal(w->programs[1].code, 0);
    assert_true(links_get_lease(w->f->links, DEVICE(1), 0, &lease));
    assert_string_equal(lease.id, c->lease);
    assert_int_equal(w->f->fakes[0].connects, 3);
}

static void the_hash_is_read_after_a_discovery_and_then_once_a_day(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_known known;

    w->gadgets[1].is_hashed = true;
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    world_run(w, SECONDS(1));
    assert_int_equal(w->sent[MESSAGE_GATT_READ_REQUEST], 2);
    assert_true(gatt_cache_get(gatt_get_cache(w->gatt), DEVICE(1), &known));
    assert_true(known.has_hash);
    assert_int_equal(known.hash[0], 1);
    settle_down(w);
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    assert_int_equal(w->sent[MESSAGE_GATT_READ_REQUEST], 3);
    world_run(w, GATT_CACHE_CHECK_AFTER);
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    assert_int_equal(w->sent[MESSAGE_GATT_READ_REQUEST], 5); /* before it */
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 1);
}

static void a_changed_database_is_never_served_from_the_old_tree(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_known known;

    w->gadgets[1].is_hashed = true;
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    world_run(w, GATT_CACHE_CHECK_AFTER);
    w->gadgets[1].has_moved = true;
    w->gadgets[1].failing = H_BATTERY; /* the old handle means something else now */
    w->gadgets[1].error = 0x77;
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    assert_int_equal(w->programs[0].handle, H_BATTERY + H_MOVED);
    /* The handle of the hash itself was refused, which says as much as another hash. */
    assert_int_equal(figures(w).doubts[GATT_DOUBT_INVALID_HANDLE], 1);
    world_run(w, SECONDS(1));
    assert_true(gatt_cache_get(gatt_get_cache(w->gatt), DEVICE(1), &known));
    assert_int_equal(known.hash[0], 2);
}

static void another_hash_has_the_tree_discovered_anew(void **state)
{
    struct gatt_world *w = *state;
    struct gatt_known known;

    w->gadgets[1].is_hashed = true;
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    world_run(w, GATT_CACHE_CHECK_AFTER);
    w->gadgets[1].hash = 7; /* and the handles are where they were */
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    assert_int_equal(figures(w).doubts[GATT_DOUBT_HASH], 1);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 2);
    world_run(w, SECONDS(1));
    assert_true(gatt_cache_get(gatt_get_cache(w->gatt), DEVICE(1), &known));
    assert_int_equal(known.hash[0], 7);
}

static void a_hash_that_cannot_be_read_is_no_reason_to_wait(void **state)
{
    struct gatt_world *w = *state;

    w->gadgets[1].is_hashed = true;
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    world_run(w, GATT_CACHE_CHECK_AFTER);
    w->gadgets[1].failing = H_HASH;
    w->gadgets[1].error = 0x02;
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0); /* not again on this link */
    assert_int_equal(w->sent[MESSAGE_GATT_READ_REQUEST], 5);
}

/* ---- Service Changed ---- */

static void P05_service_changed_is_listened_to_on_links_that_live_long(void **state)
{
    static const uint8_t range[] = {1, 0, 0xff, 0xff};
    struct gatt_world *w = *state;
    struct gatt_subscription_view view;

    w->gadgets[1].is_hashed = true;
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    settle_down(w);
    assert_int_equal(w->sent[MESSAGE_GATT_NOTIFY_REQUEST], 0); /* this one did not */
    fixture_connect(w->f, 0, 1);
    world_run(w, SECONDS(10) + MSEC(490));
    assert_int_equal(w->sent[MESSAGE_GATT_NOTIFY_REQUEST], 0);
    world_run(w, SECONDS(1));
    assert_int_equal(w->gadgets[1].cccd[H_CHANGED_CCCD], 2);
    assert_false(gatt_get_subscription(w->gatt, DEVICE(1), 0, &view)); /* it is ours alone */
    say(w->f, 0, 0, MESSAGE_GATT_NOTIFY_DATA_RESPONSE, 1, H_CHANGED,
        (struct bytes){range, sizeof range}, 0);
    w->gadgets[1].has_moved = true;
    world_run(w, SECONDS(1));
    assert_int_equal(figures(w).doubts[GATT_DOUBT_CHANGED], 1);
    assert_int_equal(figures(w).entries, 0);
    assert_int_equal(w->values_count, 0);
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    assert_int_equal(w->programs[0].handle, H_BATTERY + H_MOVED);
    assert_int_equal(w->sent[MESSAGE_GATT_GET_SERVICES_REQUEST], 2);
}

static void a_link_is_opened_anew_when_nothing_is_on_the_air(void **state)
{
    static const uint8_t octets[] = {1};
    struct gatt_world *w = *state;
    struct gatt_wish wish = gatt_wish_for(1, GATT_VERB_WRITE, H_WRITE);

    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    w->gadgets[1].slow = SECONDS(2);
    wish.value = (struct bytes){octets, sizeof octets};
    world_want(w, 1, &wish);
    world_run(w, SECONDS(1));
    wish = gatt_wish_for(1, GATT_VERB_CLEAR_CACHE, 0);
    world_want(w, 2, &wish);
    wish = gatt_wish_for(1, GATT_VERB_SERVICES, 0);
    world_want(w, 3, &wish);
    world_run(w, SECONDS(20));
    for (size_t i = 1; i <= 3; i++)
        assert_int_equal(w->programs[i].code, 0);
    assert_int_equal(w->sent[MESSAGE_GATT_WRITE_REQUEST], 1); /* not twice */
    assert_true(w->programs[3].is_discovered);
    assert_int_equal(w->f->fakes[0].connects, 2);
}

static void service_changed_is_not_carried_over_to_the_next_link(void **state)
{
    struct gatt_world *w = *state;

    w->gadgets[1].is_hashed = true;
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    fixture_connect(w->f, 0, 1);
    world_run(w, SECONDS(20));
    assert_int_equal(w->sent[MESSAGE_GATT_NOTIFY_REQUEST], 1);
    fixture_drop(w->f, 0, 1, 0x08);
    world_run(w, SECONDS(5));
    assert_int_equal(read_of(w, 1, U_BATTERY)->code, 0);
    settle_down(w);
    assert_int_equal(w->sent[MESSAGE_GATT_NOTIFY_REQUEST], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            gatt_test(G01_the_services_are_discovered_once_and_then_known),
            gatt_test(G02_a_device_without_services_is_an_error_that_is_not_kept),
            gatt_test(who_wants_the_tree_at_the_same_time_gets_the_same),
            gatt_test(an_interrupted_list_is_not_kept_and_asked_for_again),
            gatt_test(a_list_that_does_not_end_is_a_timeout_and_the_link_is_closed),
            gatt_test(a_list_that_is_damaged_or_too_long_is_an_error_and_bounded),
            gatt_test(P01_with_a_known_tree_a_read_is_connect_read_release),
            gatt_test(P02_what_is_known_is_known_through_another_proxy_too),
            gatt_test(P02_what_was_kept_over_a_restart_is_known),
            gatt_test(P03_without_cache_it_is_always_discovered),
            gatt_test(P03_P04_clearing_says_whether_the_proxy_forgot_too),
            gatt_test(P05_a_handle_that_is_refused_has_the_tree_discovered_anew_once),
            gatt_test(P05_a_refusal_that_remains_is_an_error),
            gatt_test(P05_others_on_the_link_hardly_notice),
            gatt_test(the_hash_is_read_after_a_discovery_and_then_once_a_day),
            gatt_test(a_changed_database_is_never_served_from_the_old_tree),
            gatt_test(another_hash_has_the_tree_discovered_anew),
            gatt_test(a_hash_that_cannot_be_read_is_no_reason_to_wait),
            gatt_test(a_link_is_opened_anew_when_nothing_is_on_the_air),
            gatt_test(service_changed_is_not_carried_over_to_the_next_link),
            gatt_test(P05_service_changed_is_listened_to_on_links_that_live_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
