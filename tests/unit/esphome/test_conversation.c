/* Client and server against each other, in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "feeding.h"

static struct client_side client;
static struct server_side server;

static int close_both(void **state)
{
    (void) state;
    client_close(&client);
    server_close(&server);
    return 0;
}

static void open_both(const struct client_session_options *c,
                      const struct server_session_options *s, size_t step)
{
    client_open(&client, c);
    server_open(&server, s);
    converse(&client, &server, step, START);
}

static void assert_both_ready(void)
{
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_READY);
    assert_int_equal(server_session_state(server.session), SERVER_SESSION_READY);
    assert_int_equal(client.ready_count, 1);
    assert_string_equal(client.ready_name, SERVER_NAME);
}

static void assert_client_code(int code)
{
    assert_int_equal(client_session_error(client.session)->code, code);
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_CLOSED);
}

/* Asks, answers, reports, and says goodbye. */
static void talk(void)
{
    const uint8_t data[] = {2, 1, 6};
    const struct ble_report report = {.address = 7, .data = data, .size = 3, .rssi = -60};

    assert_int_equal(
            client_session_send(client.session,
                                &(struct message){.type = MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST,
                                                  .subscription_flags = 1}),
            0);
    converse(&client, &server, 0, START);
    assert_int_equal(server.messages[0], MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST);
    assert_int_equal(server.last.subscription_flags, 1);
    assert_int_equal(
            server_session_send(server.session,
                                &(struct message){.type = MESSAGE_RAW_ADVERTISEMENTS_RESPONSE,
                                                  .raw_advertisements = {&report, 1}}),
            0);
    assert_int_equal(
            server_session_send(server.session,
                                &(struct message){.type = MESSAGE_SCANNER_STATE_RESPONSE,
                                                  .scanner_state = {SCANNER_RUNNING, 1, 0}}),
            0);
    converse(&client, &server, 0, START);
    assert_int_equal(client.reports_count, 1);
    assert_true(client.reports[0].address == 7);
    assert_memory_equal(client.first_data, data, sizeof data);
    assert_int_equal(client.last.scanner_state.state, SCANNER_RUNNING);
    client_session_disconnect(client.session, START);
    converse(&client, &server, 0, START);
    assert_client_code(E_CANCELLED);
    assert_int_equal(server_session_state(server.session), SERVER_SESSION_CLOSED);
    assert_int_equal(server_session_error(server.session)->code, E_DISCONNECTED);
}

static void a_plaintext_conversation_from_first_to_last(void **state)
{
    const struct client_session_options c = client_options(false);
    const struct server_session_options s = server_options(false);

    (void) state;
    open_both(&c, &s, 0);
    assert_both_ready();
    talk();
}

static void an_encrypted_conversation_from_first_to_last(void **state)
{
    const struct client_session_options c = client_options(true);
    const struct server_session_options s = server_options(true);

    (void) state;
    open_both(&c, &s, 0);
    assert_both_ready();
    talk();
}

static void conversations_in_parts_of_any_size_come_to_the_same(void **state)
{
    (void) state;
    for (size_t step = 1; step < 80; step++) {
        for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
            const struct client_session_options c = client_options(is_encrypted);
            const struct server_session_options s = server_options(is_encrypted);

            open_both(&c, &s, step);
            assert_both_ready();
            close_both(NULL);
        }
    }
    client.session = NULL;
    server.session = NULL;
}

static void a_legacy_device_becomes_ready_too(void **state)
{
    struct client_session_options c = client_options(false);
    struct server_session_options s = server_options(false);

    (void) state;
    s.is_legacy_hello = true;
    s.api_minor = 10;
    s.password = c.password = "sesame";
    s.asks_time = true;
    open_both(&c, &s, 0);
    assert_both_ready();
    assert_int_equal(client_session_peer(client.session)->api_minor, 10);
}

static void a_wrong_password_ends_the_session(void **state)
{
    struct client_session_options c = client_options(false);
    struct server_session_options s = server_options(false);

    (void) state;
    s.is_legacy_hello = true;
    s.password = "sesame";
    c.password = "open";
    open_both(&c, &s, 0);
    assert_client_code(E_WRONG_PASSWORD);
}

static void a_wrong_key_is_a_wrong_key_on_both_sides(void **state)
{
    struct client_session_options c = client_options(true);
    const struct server_session_options s = server_options(true);

    (void) state;
    c.psk[0] ^= 1;
    open_both(&c, &s, 0);
    assert_client_code(E_WRONG_KEY);
    assert_int_equal(server_session_error(server.session)->code, E_WRONG_KEY);
    assert_string_equal(client_session_peer(client.session)->name, SERVER_NAME);
    assert_true(client_session_peer(client.session)->mac == SERVER_MAC);
}

static void a_key_too_many_and_a_key_too_few_are_told_apart(void **state)
{
    const struct client_session_options with_key = client_options(true),
                                        without_key = client_options(false);
    const struct server_session_options encrypted = server_options(true),
                                        plaintext = server_options(false);

    (void) state;
    open_both(&with_key, &plaintext, 0);
    assert_client_code(E_KEY_NOT_EXPECTED);
    close_both(NULL);
    open_both(&without_key, &encrypted, 0);
    assert_client_code(E_KEY_REQUIRED);
}

static void another_device_is_noticed_by_name_and_by_mac(void **state)
{
    for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
        struct client_session_options c = client_options(is_encrypted);
        const struct server_session_options s = server_options(is_encrypted);

        c.expected_name = "kitchen";
        open_both(&c, &s, 0);
        assert_client_code(E_WRONG_DEVICE);
        close_both(NULL);
        c.expected_name = SERVER_NAME;
        c.has_expected_mac = true;
        c.expected_mac = SERVER_MAC ^ 1;
        open_both(&c, &s, 0);
        assert_client_code(E_WRONG_DEVICE);
        close_both(NULL);
    }
    client.session = NULL;
    server.session = NULL;
    (void) state;
}

static void a_device_that_stops_says_goodbye(void **state)
{
    const struct client_session_options c = client_options(true);
    const struct server_session_options s = server_options(true);

    (void) state;
    open_both(&c, &s, 0);
    server_session_disconnect(server.session, START);
    converse(&client, &server, 0, START);
    assert_client_code(E_DISCONNECTED);
    assert_int_equal(server_session_error(server.session)->code, E_CANCELLED);
}

static void keepalive_of_both_sides_keeps_a_quiet_session_alive_for_an_hour(void **state)
{
    const struct client_session_options c = client_options(true);
    const struct server_session_options s = server_options(true);

    (void) state;
    open_both(&c, &s, 0);
    for (usec_t now = START; now < START + 3600 * USEC_PER_SEC;) {
        const usec_t a = client_session_deadline(client.session),
                     b = server_session_deadline(server.session);

        now = a < b ? a : b;
        client_session_tick(client.session, now);
        server_session_tick(server.session, now);
        converse(&client, &server, 0, now + 5000);
    }
    assert_both_ready();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, close_both)
    const struct CMUnitTest tests[] = {
            TEST(a_plaintext_conversation_from_first_to_last),
            TEST(an_encrypted_conversation_from_first_to_last),
            TEST(conversations_in_parts_of_any_size_come_to_the_same),
            TEST(a_legacy_device_becomes_ready_too),
            TEST(a_wrong_password_ends_the_session),
            TEST(a_wrong_key_is_a_wrong_key_on_both_sides),
            TEST(a_key_too_many_and_a_key_too_few_are_told_apart),
            TEST(another_device_is_noticed_by_name_and_by_mac),
            TEST(a_device_that_stops_says_goodbye),
            TEST(keepalive_of_both_sides_keeps_a_quiet_session_alive_for_an_hour),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
