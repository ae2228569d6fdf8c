#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fleet/proxy_model.h"

#define START       ((usec_t) 1000000)
#define MODE_SWITCH (3 * USEC_PER_SEC)

struct sent {
    unsigned client;
    struct message message;              /* what it borrows is gone, but for counts */
    size_t sizes[PROXY_MODEL_BATCH_MAX]; /* of the reports of message 93 */
};

struct fixture {
    struct proxy_model *model;
    struct sent sent[64];
    size_t count;
    int result; /* of the next sends */
};

static int on_send(void *user, unsigned client, const struct message *message)
{
    struct fixture *f = user;

    if (f->result != 0)
        return f->result;
    assert_true(f->count < ARRAY_SIZE(f->sent));
    struct sent *sent = &f->sent[f->count++];
    sent->client = client;
    sent->message = *message;
    if (message->type == MESSAGE_RAW_ADVERTISEMENTS_RESPONSE)
        for (size_t i = 0; i < message->raw_advertisements.count; i++)
            sent->sizes[i] = message->raw_advertisements.reports[i].size;
    return 0;
}

/* A model with two clients, 0 and 1. */
static struct fixture *fixture_new(const char *profile, enum scanner_mode mode, bool is_always)
{
    struct fixture *f = xnew(struct fixture, 1);
    assert_non_null(proxy_profile_find(profile));
    struct proxy_model_options options = proxy_model_usual(proxy_profile_find(profile));
    options.configured_mode = mode;
    options.is_scan_response_always = is_always;
    options.clients_max = 2;
    options.mode_switch = MODE_SWITCH;
    f->model = proxy_model_new(&options, NULL, 0, 1, on_send, f, START);
    assert_int_equal(proxy_model_join(f->model), 0);
    assert_int_equal(proxy_model_join(f->model), 1);
    return f;
}

static void fixture_free(struct fixture *f)
{
    proxy_model_free(f->model);
    free(f);
}

static void receive(struct fixture *f, unsigned client, enum message_type type, uint32_t value)
{
    struct message message = {.type = type};
    if (type == MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST)
        message.subscription_flags = value;
    else if (type == MESSAGE_SCANNER_SET_MODE_REQUEST)
        message.scanner_mode = value;
    else if (type == MESSAGE_DEVICE_REQUEST)
        message.device_request =
                (struct message_device_request){.address = 7, .request_type = value};
    else if (type == MESSAGE_GATT_READ_REQUEST || type == MESSAGE_GATT_GET_SERVICES_REQUEST)
        message.gatt = (struct message_gatt){.address = 7, .handle = value};
    proxy_model_receive(f->model, client, &message, START);
}

static void subscribe(struct fixture *f, unsigned client)
{
    receive(f, client, MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST, 1);
}

static void hear(struct fixture *f, unsigned times, usec_t now)
{
    const struct payload payload = {
            .data = {2, 1, 6, 3, 9, 'o', 'k'}, .advertising_size = 3, .size = 7};
    for (unsigned i = 0; i < times; i++)
        proxy_model_heard(f->model, 0xc00000000001, 1, -70, &payload, now);
}

static const struct sent *expect_sent(const struct fixture *f, size_t index, unsigned client,
                                      enum message_type type)
{
    assert_true(index < f->count);
    assert_int_equal(f->sent[index].client, client);
    assert_int_equal(f->sent[index].message.type, type);
    return &f->sent[index];
}

static void expect_scanner(const struct fixture *f, size_t index, enum scanner_state state,
                           enum scanner_mode mode, enum scanner_mode configured)
{
    const struct sent *sent = expect_sent(f, index, 0, MESSAGE_SCANNER_STATE_RESPONSE);
    assert_int_equal(sent->message.scanner_state.state, state);
    assert_int_equal(sent->message.scanner_state.mode, mode);
    assert_int_equal(sent->message.scanner_state.configured_mode, configured);
}

static void nothing_is_sent_before_a_subscription(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_ACTIVE, false);

    (void) state;
    hear(f, 40, START);
    proxy_model_tick(f->model, START + USEC_PER_SEC);
    assert_int_equal(f->count, 0);
    assert_int_equal(proxy_model_counters(f->model)->heard, 0);
    fixture_free(f);
}

static void subscribing_is_answered_with_the_scanner_state(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_PASSIVE, false);

    (void) state;
    subscribe(f, 0);
    assert_int_equal(f->count, 1);
    expect_scanner(f, 0, SCANNER_RUNNING, SCANNER_PASSIVE, SCANNER_PASSIVE);
    fixture_free(f);
}

static void firmware_of_2024_says_nothing_of_its_scanner(void **state)
{
    struct fixture *f = fixture_new("2024", SCANNER_ACTIVE, false);

    (void) state;
    subscribe(f, 0);
    receive(f, 0, MESSAGE_SCANNER_SET_MODE_REQUEST, SCANNER_PASSIVE);
    assert_int_equal(f->count, 0);
    assert_int_equal(proxy_model_mode(f->model), SCANNER_ACTIVE);
    assert_int_equal(proxy_model_subscriber(f->model), 0);
    fixture_free(f);
}

static void the_newest_subscriber_wins_in_2026(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_ACTIVE, false);

    (void) state;
    subscribe(f, 0);
    hear(f, 3, START);
    subscribe(f, 1);
    assert_int_equal(proxy_model_subscriber(f->model), 1);
    expect_sent(f, 1, 1, MESSAGE_SCANNER_STATE_RESPONSE);
    hear(f, 16, START);
    const struct sent *sent = expect_sent(f, 2, 1, MESSAGE_RAW_ADVERTISEMENTS_RESPONSE);
    assert_int_equal(sent->message.raw_advertisements.count, 16); /* the former owner's are gone */
    fixture_free(f);
}

static void the_first_subscriber_wins_before(void **state)
{
    static const char *const PROFILES[] = {"2022", "2024", "2025", "2025-passive"};

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(PROFILES); i++) {
        struct fixture *f = fixture_new(PROFILES[i], SCANNER_ACTIVE, false);
        subscribe(f, 0);
        f->count = 0;
        subscribe(f, 1);
        assert_int_equal(f->count, 0);
        assert_int_equal(proxy_model_subscriber(f->model), 0);
        proxy_model_leave(f->model, 0, START); /* its connection ended */
        assert_int_equal(proxy_model_subscriber(f->model), -1);
        subscribe(f, 1);
        assert_int_equal(proxy_model_subscriber(f->model), 1);
        fixture_free(f);
    }
}

static void only_the_subscriber_can_unsubscribe(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_ACTIVE, false);

    (void) state;
    subscribe(f, 0);
    receive(f, 1, MESSAGE_UNSUBSCRIBE_ADVERTISEMENTS_REQUEST, 0);
    assert_int_equal(proxy_model_subscriber(f->model), 0);
    receive(f, 0, MESSAGE_UNSUBSCRIBE_ADVERTISEMENTS_REQUEST, 0);
    assert_int_equal(proxy_model_subscriber(f->model), -1);
    fixture_free(f);
}

static void a_full_batch_goes_at_once_and_a_partial_one_after_100_ms(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_ACTIVE, false);

    (void) state;
    subscribe(f, 0);
    hear(f, 18, START);
    assert_int_equal(f->count, 2);
    const struct sent *sent = expect_sent(f, 1, 0, MESSAGE_RAW_ADVERTISEMENTS_RESPONSE);
    assert_int_equal(sent->message.raw_advertisements.count, 16);
    assert_int_equal(proxy_model_deadline(f->model), START + 100 * USEC_PER_MSEC);
    proxy_model_tick(f->model, START + 99 * USEC_PER_MSEC);
    assert_int_equal(f->count, 2);
    proxy_model_tick(f->model, START + 100 * USEC_PER_MSEC);
    sent = expect_sent(f, 2, 0, MESSAGE_RAW_ADVERTISEMENTS_RESPONSE);
    assert_int_equal(sent->message.raw_advertisements.count, 2);
    assert_int_equal(proxy_model_counters(f->model)->advertisements_sent, 18);
    fixture_free(f);
}

static void firmware_of_2022_sends_each_one_taken_apart(void **state)
{
    struct fixture *f = fixture_new("2022", SCANNER_ACTIVE, false);

    (void) state;
    subscribe(f, 0);
    hear(f, 2, START);
    assert_int_equal(f->count, 2);
    const struct sent *sent = expect_sent(f, 1, 0, MESSAGE_PARSED_ADVERTISEMENT_RESPONSE);
    assert_int_equal(sent->message.parsed_advertisement.name.size, 2);
    assert_int_equal(sent->message.parsed_advertisement.rssi, -70);
    fixture_free(f);
}

static void firmware_of_2024_obeys_the_raw_flag(void **state)
{
    struct fixture *f = fixture_new("2024", SCANNER_ACTIVE, false);

    (void) state;
    receive(f, 0, MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST, 0);
    hear(f, 1, START);
    expect_sent(f, 0, 0, MESSAGE_PARSED_ADVERTISEMENT_RESPONSE);
    receive(f, 0, MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST, 1);
    hear(f, 1, START);
    proxy_model_tick(f->model, START + 20 * USEC_PER_MSEC);
    expect_sent(f, 1, 0, MESSAGE_RAW_ADVERTISEMENTS_RESPONSE);
    fixture_free(f);
}

static void a_change_of_mode_goes_through_every_state(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_PASSIVE, false);
    usec_t now = START;

    (void) state;
    subscribe(f, 0);
    receive(f, 0, MESSAGE_SCANNER_SET_MODE_REQUEST, SCANNER_ACTIVE);
    hear(f, 16, now); /* nothing is heard while it restarts */
    for (unsigned i = 0; i < 3; i++)
        proxy_model_tick(f->model, now += MODE_SWITCH / 3);
    assert_int_equal(f->count, 5);
    expect_scanner(f, 1, SCANNER_STOPPING, SCANNER_ACTIVE, SCANNER_PASSIVE);
    expect_scanner(f, 2, SCANNER_IDLE, SCANNER_ACTIVE, SCANNER_PASSIVE);
    expect_scanner(f, 3, SCANNER_STARTING, SCANNER_ACTIVE, SCANNER_PASSIVE);
    expect_scanner(f, 4, SCANNER_RUNNING, SCANNER_ACTIVE, SCANNER_PASSIVE);
    receive(f, 0, MESSAGE_SCANNER_SET_MODE_REQUEST, SCANNER_ACTIVE);
    assert_int_equal(f->count, 5); /* no change, no answer */
    fixture_free(f);
}

static void switch_mode(struct fixture *f, enum scanner_mode mode)
{
    receive(f, 0, MESSAGE_SCANNER_SET_MODE_REQUEST, mode);
    for (usec_t now = START; now <= START + MODE_SWITCH; now += MODE_SWITCH / 3)
        proxy_model_tick(f->model, now);
}

static void a_change_of_mode_changes_what_is_heard(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_PASSIVE, false);

    (void) state;
    subscribe(f, 0);
    switch_mode(f, SCANNER_ACTIVE);
    f->count = 0;
    hear(f, 16, START);
    assert_int_equal(f->sent[0].sizes[0], 7); /* with the scan response */
    switch_mode(f, SCANNER_PASSIVE);
    f->count = 0;
    hear(f, 16, START);
    assert_int_equal(f->sent[0].sizes[0], 3);
    fixture_free(f);
}

static void a_change_of_mode_can_be_ignored(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_PASSIVE, false);

    (void) state;
    subscribe(f, 0);
    proxy_model_set_fault(f->model, PROXY_MODEL_IGNORES_MODE, true, START);
    switch_mode(f, SCANNER_ACTIVE);
    assert_int_equal(f->count, 1);
    assert_int_equal(proxy_model_mode(f->model), SCANNER_PASSIVE);
    fixture_free(f);
}

static void a_change_of_mode_can_fail_until_the_fault_ends(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_PASSIVE, false);

    (void) state;
    subscribe(f, 0);
    proxy_model_set_fault(f->model, PROXY_MODEL_FAILS_MODE, true, START);
    switch_mode(f, SCANNER_ACTIVE);
    expect_scanner(f, 4, SCANNER_FAILED, SCANNER_ACTIVE, SCANNER_PASSIVE);
    hear(f, 16, START);
    proxy_model_tick(f->model, START + 60 * MODE_SWITCH);
    assert_int_equal(f->count, 5);
    proxy_model_set_fault(f->model, PROXY_MODEL_FAILS_MODE, false, START);
    for (usec_t now = START; now <= START + MODE_SWITCH; now += MODE_SWITCH / 3)
        proxy_model_tick(f->model, now);
    expect_scanner(f, 7, SCANNER_RUNNING, SCANNER_ACTIVE, SCANNER_PASSIVE);
    fixture_free(f);
}

static void a_scan_round_ends_after_five_minutes(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_ACTIVE, false);

    (void) state;
    subscribe(f, 0);
    proxy_model_tick(f->model, START + PROXY_MODEL_SCAN_ROUND);
    expect_scanner(f, 1, SCANNER_IDLE, SCANNER_ACTIVE, SCANNER_ACTIVE);
    fixture_free(f);
}

static size_t size_heard(enum scanner_mode mode, bool is_always)
{
    struct fixture *f = fixture_new("2026", mode, is_always);
    subscribe(f, 0);
    hear(f, 16, START);
    size_t size = expect_sent(f, 1, 0, MESSAGE_RAW_ADVERTISEMENTS_RESPONSE)->sizes[0];
    fixture_free(f);
    return size;
}

static void the_scan_response_is_heard_in_active_mode_only(void **state)
{
    (void) state;
    assert_int_equal(size_heard(SCANNER_ACTIVE, false), 7);
    assert_int_equal(size_heard(SCANNER_PASSIVE, false), 3);
    assert_int_equal(size_heard(SCANNER_PASSIVE, true), 7);
}

static void a_full_client_loses_batches_and_they_are_counted(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_ACTIVE, false);

    (void) state;
    subscribe(f, 0);
    f->result = -ENOBUFS;
    hear(f, 16, START);
    f->result = 0;
    hear(f, 16, START);
    assert_int_equal(proxy_model_counters(f->model)->advertisements_dropped, 16);
    assert_int_equal(proxy_model_counters(f->model)->advertisements_sent, 16);
    fixture_free(f);
}

static void connecting_fails_in_the_words_of_the_firmware(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_ACTIVE, false);

    (void) state;
    receive(f, 1, MESSAGE_DEVICE_REQUEST, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    const struct sent *sent = expect_sent(f, 0, 1, MESSAGE_DEVICE_CONNECTION_RESPONSE);
    assert_int_equal(sent->message.device_connection.address, 7);
    assert_false(sent->message.device_connection.connected);
    receive(f, 1, MESSAGE_DEVICE_REQUEST, DEVICE_REQUEST_DISCONNECT);
    expect_sent(f, 1, 1, MESSAGE_DEVICE_CONNECTION_RESPONSE);
    expect_sent(f, 2, 1, MESSAGE_CONNECTIONS_FREE_RESPONSE);
    receive(f, 1, MESSAGE_GATT_READ_REQUEST, 42);
    sent = expect_sent(f, 3, 1, MESSAGE_GATT_ERROR_RESPONSE);
    assert_int_equal(sent->message.gatt.handle, 42);
    assert_int_equal(sent->message.gatt.error, -1);
    receive(f, 1, MESSAGE_GATT_GET_SERVICES_REQUEST, 42);
    assert_int_equal(f->sent[4].message.gatt.handle, 0);
    receive(f, 1, MESSAGE_SET_CONNECTION_PARAMS_REQUEST, 0);
    sent = expect_sent(f, 5, 1, MESSAGE_SET_CONNECTION_PARAMS_RESPONSE);
    assert_int_equal(sent->message.result.error, -1);
    fixture_free(f);
}

static void free_slots_are_told_to_who_asks(void **state)
{
    struct fixture *f = fixture_new("2024", SCANNER_ACTIVE, false);

    (void) state;
    subscribe(f, 0);
    receive(f, 1, MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST, 0);
    const struct sent *sent = expect_sent(f, 0, 1, MESSAGE_CONNECTIONS_FREE_RESPONSE);
    assert_int_equal(sent->message.connections_free.free, 3);
    assert_int_equal(sent->message.connections_free.limit, 3);
    fixture_free(f);
}

static void a_device_without_bluetooth_keeps_silent(void **state)
{
    struct fixture *f = fixture_new("none", SCANNER_ACTIVE, false);

    (void) state;
    subscribe(f, 0);
    receive(f, 0, MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST, 0);
    receive(f, 0, MESSAGE_DEVICE_REQUEST, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    hear(f, 20, START);
    assert_int_equal(f->count, 0);
    fixture_free(f);
}

static void a_refused_subscriber_is_told_nothing(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_ACTIVE, false);

    (void) state;
    proxy_model_set_fault(f->model, PROXY_MODEL_REFUSES, true, START);
    subscribe(f, 0);
    hear(f, 20, START);
    assert_int_equal(f->count, 0);
    proxy_model_set_fault(f->model, PROXY_MODEL_REFUSES, false, START);
    subscribe(f, 0);
    assert_int_equal(f->count, 1);
    proxy_model_set_fault(f->model, PROXY_MODEL_IS_MUTE, true, START);
    hear(f, 20, START);
    assert_int_equal(f->count, 1);
    fixture_free(f);
}

static void there_is_a_limit_of_clients(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_ACTIVE, false);

    (void) state;
    assert_int_equal(proxy_model_join(f->model), -ENOBUFS);
    proxy_model_leave(f->model, 0, START);
    assert_int_equal(proxy_model_join(f->model), 0);
    fixture_free(f);
}

static void a_restart_forgets_subscriber_and_mode(void **state)
{
    struct fixture *f = fixture_new("2026", SCANNER_PASSIVE, false);

    (void) state;
    subscribe(f, 0);
    receive(f, 0, MESSAGE_SCANNER_SET_MODE_REQUEST, SCANNER_ACTIVE);
    proxy_model_leave(f->model, 0, START);
    proxy_model_leave(f->model, 1, START);
    proxy_model_restart(f->model, START);
    assert_int_equal(proxy_model_subscriber(f->model), -1);
    assert_int_equal(proxy_model_mode(f->model), SCANNER_PASSIVE);
    assert_int_equal(proxy_model_scanner_state(f->model), SCANNER_RUNNING);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(nothing_is_sent_before_a_subscription),
            cmocka_unit_test(subscribing_is_answered_with_the_scanner_state),
            cmocka_unit_test(firmware_of_2024_says_nothing_of_its_scanner),
            cmocka_unit_test(the_newest_subscriber_wins_in_2026),
            cmocka_unit_test(the_first_subscriber_wins_before),
            cmocka_unit_test(only_the_subscriber_can_unsubscribe),
            cmocka_unit_test(a_full_batch_goes_at_once_and_a_partial_one_after_100_ms),
            cmocka_unit_test(firmware_of_2022_sends_each_one_taken_apart),
            cmocka_unit_test(firmware_of_2024_obeys_the_raw_flag),
            cmocka_unit_test(a_change_of_mode_goes_through_every_state),
            cmocka_unit_test(a_change_of_mode_changes_what_is_heard),
            cmocka_unit_test(a_change_of_mode_can_be_ignored),
            cmocka_unit_test(a_change_of_mode_can_fail_until_the_fault_ends),
            cmocka_unit_test(a_scan_round_ends_after_five_minutes),
            cmocka_unit_test(the_scan_response_is_heard_in_active_mode_only),
            cmocka_unit_test(a_full_client_loses_batches_and_they_are_counted),
            cmocka_unit_test(connecting_fails_in_the_words_of_the_firmware),
            cmocka_unit_test(free_slots_are_told_to_who_asks),
            cmocka_unit_test(a_device_without_bluetooth_keeps_silent),
            cmocka_unit_test(a_refused_subscriber_is_told_nothing),
            cmocka_unit_test(there_is_a_limit_of_clients),
            cmocka_unit_test(a_restart_forgets_subscriber_and_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
