#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "esphome/advertisements.h"
#include "esphome/framer.h"
#include "feeding.h"
#include "vectors.h"

#define SERVER_HELLO "0100180170726f78792d73696d0061306231633264336534663500"
#define SERVER_HANDSHAKE                                                                           \
    "01003100"                                                                                     \
    "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20"                             \
    "7336b95933b321b1ae86673f689f5c9f"
#define PLAIN_HELLO_REQUEST  "0011010a0b746573742d636c69656e741001180e"
#define PLAIN_AUTHENTICATION "000003"
#define PLAIN_HELLO_RESPONSE "0018020801100f1a0773696d20312e30220970726f78792d73696d"

static struct client_side client;

static int close_client(void **state)
{
    (void) state;
    if (client.session)
        client_close(&client);
    memset(&client, 0, sizeof client);
    return 0;
}

static void open_client(bool is_encrypted)
{
    const struct client_session_options options = client_options(is_encrypted);

    client_open(&client, &options);
}

static void drop_output(void)
{
    size_t size;

    (void) client_session_output(client.session, &size);
    client_session_sent(client.session, size);
}

static size_t output_size(void)
{
    size_t size;

    (void) client_session_output(client.session, &size);
    return size;
}

static void send_type(enum message_type type, usec_t now)
{
    (void) client_feed_message(&client, &(struct message){.type = type}, now);
}

static void assert_closed(int code, const char *detail)
{
    const struct session_error *error = client_session_error(client.session);

    assert_int_equal(error->code, code);
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_CLOSED);
    if (!strstr(error->detail, detail))
        fail_msg("\"%s\" is not in \"%s\"", detail, error->detail);
    assert_true(client_session_deadline(client.session) == USEC_NEVER);
    if (client.states_count > 0)
        assert_int_equal(client.states[client.states_count - 1], CLIENT_SESSION_CLOSED);
}

static void the_plaintext_flight_is_hello_and_authentication_together(void **state)
{
    (void) state;
    open_client(false);
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_GREETING);
    client_expect_output(&client, PLAIN_HELLO_REQUEST PLAIN_AUTHENTICATION);
}

static void the_noise_flight_is_client_hello_and_first_message_together(void **state)
{
    json_t *file = vectors_load();

    (void) state;
    open_client(true);
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_SECURING);
    client_expect_output(&client,
                         vectors_text(vectors_case(file, "ok"), "wire_client_first_flight"));
    json_decref(file);
}

static void device_info_makes_a_plaintext_session_ready(void **state)
{
    const struct server_session_options server = server_options(false);
    const struct message info = {.type = MESSAGE_DEVICE_INFO_RESPONSE,
                                 .device_info = server.device_info};

    (void) state;
    open_client(false);
    drop_output();
    assert_int_equal(client_feed_hex(&client, PLAIN_HELLO_RESPONSE, START), 0);
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_ASKING);
    assert_string_equal(client_session_peer(client.session)->name, SERVER_NAME);
    assert_int_equal(client_session_peer(client.session)->api_minor, 15);
    client_expect_output(&client, "000009");
    assert_int_equal(client_feed_message(&client, &info, START), 0);
    assert_int_equal(client.ready_count, 1);
    assert_string_equal(client.ready_name, SERVER_NAME);
    assert_int_equal(client.ready_flags, 0x7f);
    assert_int_equal(client.states_count, 2);
    assert_int_equal(client.states[1], CLIENT_SESSION_READY);
    assert_true(client_session_peer(client.session)->mac == SERVER_MAC);
    /* a second one is the owner's */
    assert_int_equal(client_feed_message(&client, &info, START), 0);
    assert_int_equal(client.ready_count, 1);
    assert_int_equal(client.messages[0], MESSAGE_DEVICE_INFO_RESPONSE);
}

static void old_forms_of_server_hello_are_accepted(void **state)
{
    json_t *file = vectors_load();
    const json_t *forms = json_object_get(file, "server_hello_old_firmware");
    const char *key;
    json_t *form;
    size_t count = 0;

    (void) state;
    json_object_foreach((json_t *) (uintptr_t) forms, key, form)
    {
        const bool has_name = strstr(key, "no name") == NULL;

        open_client(true);
        assert_int_equal(client_feed_hex(&client, json_string_value(form), START), 0);
        assert_int_equal(client_feed_hex(&client, SERVER_HANDSHAKE, START), 0);
        assert_int_equal(client_session_state(client.session), CLIENT_SESSION_GREETING);
        assert_string_equal(client_session_peer(client.session)->name, has_name ? SERVER_NAME : "");
        assert_int_equal(client_session_peer(client.session)->has_mac, strstr(key, "mac") != NULL);
        client_close(&client);
        count++;
    }
    client.session = NULL;
    assert_int_equal(count, 3);
    json_decref(file);
}

static void what_stands_behind_the_mac_in_server_hello_is_ignored(void **state)
{
    (void) state;
    open_client(true);
    assert_int_equal(client_feed_hex(&client,
                                     "01001b0170726f78792d73696d0061306231633264336534663500"
                                     "616263",
                                     START),
                     0);
    assert_true(client_session_peer(client.session)->mac == SERVER_MAC);
}

/* Noise session, ServerHello done, then this frame. */
static void after_server_hello(const char *hex)
{
    open_client(true);
    assert_int_equal(client_feed_hex(&client, SERVER_HELLO, START), 0);
    (void) client_feed_hex(&client, hex, START);
}

static void a_reject_for_the_mac_means_a_wrong_key(void **state)
{
    (void) state;
    after_server_hello("0100160148616e647368616b65204d4143206661696c757265");
    assert_closed(E_WRONG_KEY, "Handshake MAC failure");
    assert_string_equal(client_session_peer(client.session)->name, SERVER_NAME);
    assert_true(client_session_peer(client.session)->mac == SERVER_MAC);
}

static void every_other_reject_is_told_with_its_text(void **state)
{
    json_t *file = vectors_load();
    const char *reason;
    json_t *wire;

    (void) state;
    json_object_foreach(json_object_get(file, "server_rejects"), reason, wire)
    {
        const int code = strcmp(reason, "Handshake MAC failure") == 0 ? E_WRONG_KEY : E_PROTOCOL;

        after_server_hello(json_string_value(wire));
        assert_closed(code, reason);
        client_close(&client);
    }
    client.session = NULL;
    json_decref(file);
}

static void a_reject_while_server_hello_is_expected_is_no_nameless_hello(void **state)
{
    json_t *file = vectors_load();
    const char *reason;
    json_t *wire;

    (void) state;
    json_object_foreach(json_object_get(file, "server_rejects"), reason, wire)
    {
        open_client(true);
        (void) client_feed_hex(&client, json_string_value(wire), START);
        assert_closed(strcmp(reason, "Handshake MAC failure") == 0 ? E_WRONG_KEY : E_PROTOCOL,
                      reason);
        client_close(&client);
    }
    client.session = NULL;
    json_decref(file);
}

static void a_second_message_under_another_key_means_a_wrong_key(void **state)
{
    (void) state;
    after_server_hello("01003100"
                       "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20"
                       "7336b95933b321b1ae86673f689f5c9e");
    assert_closed(E_WRONG_KEY, "key");
}

static void malformed_handshakes_break_the_protocol(void **state)
{
    static const char *const hellos[] = {"010000", "01000102", "0100020200", "010003026100"};
    static const char *const messages[] = {
            "010000", "01000100", "01000200ff",
            "01003100"
            "0000000000000000000000000000000000000000000000000000000000000000"
            "00000000000000000000000000000000"};

    (void) state;
    for (size_t i = 0; i < sizeof hellos / sizeof hellos[0]; i++) {
        open_client(true);
        (void) client_feed_hex(&client, hellos[i], START);
        assert_closed(E_PROTOCOL, "");
        assert_string_equal(client_session_peer(client.session)->name, "");
        client_close(&client);
    }
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        after_server_hello(messages[i]);
        assert_closed(E_PROTOCOL, "");
        client_close(&client);
    }
    client.session = NULL;
}

static void a_plaintext_device_is_told_from_one_with_another_key(void **state)
{
    json_t *file = vectors_load();

    (void) state;
    open_client(true);
    (void) client_feed_hex(&client, vectors_text(file, "plaintext_server_reply_to_noise_client"),
                           START);
    assert_closed(E_KEY_NOT_EXPECTED, "plaintext");
    json_decref(file);
}

static void a_device_that_wants_encryption_says_so_to_a_plaintext_client(void **state)
{
    (void) state;
    open_client(false);
    (void) client_feed_hex(&client, "0100130142616420696e64696361746f722062797465", START);
    assert_closed(E_KEY_REQUIRED, "encryption");
}

static void a_peer_of_another_kind_is_no_proxy(void **state)
{
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n", ssh[] = "SSH-2.0-OpenSSH_9.2\r\n";

    (void) state;
    for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
        open_client(is_encrypted);
        (void) client_feed(&client, http, sizeof http - 1, 0, START);
        assert_closed(E_NOT_A_PROXY, "HTTP/1.1 400 Bad Request??");
        client_close(&client);
        open_client(is_encrypted);
        (void) client_feed(&client, ssh, sizeof ssh - 1, 1, START);
        assert_closed(E_NOT_A_PROXY, "\"S\"");
        client_close(&client);
    }
    client.session = NULL;
}

static void a_damaged_frame_after_the_handshake_does_not_blame_the_key(void **state)
{
    (void) state;
    after_server_hello(SERVER_HANDSHAKE);
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_GREETING);
    (void) client_feed_hex(&client,
                           "01002cd9483bec8f149b1deb2464ae07e6fb024b3e4732848fb9719dc8d2209fc9"
                           "a60fc0c05d74f020348cca4f7a95",
                           START);
    assert_closed(E_PROTOCOL, "damaged");
}

static void a_wrong_octet_in_the_middle_breaks_the_protocol(void **state)
{
    (void) state;
    client_open_ready(&client);
    (void) client_feed_hex(&client, "01", START);
    assert_closed(E_PROTOCOL, "wrong octet");
}

static void the_end_of_the_connection_is_told_by_when_it_came(void **state)
{
    (void) state;
    open_client(true);
    client_session_end_of_input(client.session, -ECONNRESET, START);
    assert_closed(E_CLOSED, "dropped the connection upon the encrypted hello");
    client_close(&client);

    after_server_hello("");
    client_session_end_of_input(client.session, 0, START);
    assert_closed(E_CLOSED, "during the handshake");
    client_close(&client);

    open_client(false);
    client_session_end_of_input(client.session, 0, START);
    assert_closed(E_CLOSED, "closed");
    client_session_end_of_input(client.session, -ETIMEDOUT, START);
    assert_closed(E_CLOSED, "closed"); /* the first word counts */
    client_close(&client);

    open_client(false);
    client_session_end_of_input(client.session, -ETIMEDOUT, START);
    assert_closed(-ETIMEDOUT, "");
}

static void another_name_is_another_device(void **state)
{
    struct client_session_options options = client_options(true);

    (void) state;
    options.expected_name = "kitchen";
    client_open(&client, &options);
    (void) client_feed_hex(&client, SERVER_HELLO, START);
    assert_closed(E_WRONG_DEVICE, "expected \"kitchen\", the device calls itself \"proxy-sim\"");
    client_close(&client);

    options.is_encrypted = false;
    client_open(&client, &options);
    (void) client_feed_hex(&client, PLAIN_HELLO_RESPONSE, START);
    assert_closed(E_WRONG_DEVICE, "proxy-sim");
    client_close(&client);

    options.expected_name = SERVER_NAME;
    client_open(&client, &options);
    assert_int_equal(client_feed_hex(&client, PLAIN_HELLO_RESPONSE, START), 0);
}

static void a_name_that_is_not_said_is_no_other_name(void **state)
{
    struct client_session_options options = client_options(false);

    (void) state;
    options.expected_name = "kitchen";
    client_open(&client, &options);
    assert_int_equal(client_feed_hex(&client, "0004020801100f", START), 0);
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_ASKING);
}

static void a_name_of_one_letter_is_a_name(void **state)
{
    (void) state;
    open_client(false);
    assert_int_equal(client_feed_hex(&client, "0007020801100f220161", START), 0);
    assert_string_equal(client_session_peer(client.session)->name, "a");
}

static void another_mac_is_another_device(void **state)
{
    struct client_session_options options = client_options(true);
    const struct server_session_options server = server_options(false);
    struct message info = {.type = MESSAGE_DEVICE_INFO_RESPONSE, .device_info = server.device_info};

    (void) state;
    options.has_expected_mac = true;
    options.expected_mac = SERVER_MAC + 1;
    client_open(&client, &options);
    (void) client_feed_hex(&client, SERVER_HELLO, START);
    assert_closed(E_WRONG_DEVICE, "A0:B1:C2:D3:E4:F6");
    assert_true(client_session_peer(client.session)->mac == SERVER_MAC);
    client_close(&client);

    options.is_encrypted = false;
    client_open(&client, &options);
    (void) client_feed_hex(&client, PLAIN_HELLO_RESPONSE, START);
    (void) client_feed_message(&client, &info, START);
    assert_closed(E_WRONG_DEVICE, "A0:B1:C2:D3:E4:F5");
    assert_int_equal(client.ready_count, 0);
    client_close(&client);

    options.expected_mac = SERVER_MAC;
    client_open(&client, &options);
    (void) client_feed_hex(&client, PLAIN_HELLO_RESPONSE, START);
    assert_int_equal(client_feed_message(&client, &info, START), 0);
    assert_int_equal(client.ready_count, 1);
}

static void a_wrong_password_is_told_and_the_right_one_sent(void **state)
{
    struct client_session_options options = client_options(false);

    (void) state;
    options.password = "sesame";
    client_open(&client, &options);
    client_expect_output(&client, PLAIN_HELLO_REQUEST "0008030a06736573616d65");
    assert_int_equal(client_feed_hex(&client, PLAIN_HELLO_RESPONSE "000004", START), 0);
    (void) client_feed_hex(&client, "0002040801", START);
    assert_closed(E_WRONG_PASSWORD, "password");
}

static void an_api_that_is_too_new_is_refused(void **state)
{
    (void) state;
    open_client(false);
    assert_int_equal(client_feed_hex(&client, "0002020802", START), 0);
    client_close(&client);
    open_client(false);
    (void) client_feed_hex(&client, "0002020803", START);
    assert_closed(E_PROTOCOL, "3.0");
}

static void details_hold_printable_ascii_alone(void **state)
{
    (void) state;
    open_client(true);
    (void) client_feed_hex(&client,
                           "01000401"
                           "0a1bc3",
                           START);
    assert_closed(E_PROTOCOL, "???");
    for (const char *c = client_session_error(client.session)->detail; *c; c++)
        assert_true(*c >= 0x20 && *c <= 0x7e);
}

static void malformed_messages_end_the_session_unknown_ones_do_not(void **state)
{
    (void) state;
    client_open_ready(&client);
    assert_int_equal(client_feed_hex(&client,
                                     "00010cff"
                                     "0001970101"
                                     "000100ff",
                                     START),
                     0);
    assert_int_equal(client_feed_hex(&client, "000142ff", START), 0); /* a client's message */
    assert_int_equal(client.messages_count, 0);
    (void) client_feed_hex(&client, "000145ff", START);
    assert_closed(E_PROTOCOL, "message 69");
}

static void malformed_advertisements_end_the_session(void **state)
{
    (void) state;
    client_open_ready(&client);
    (void) client_feed_hex(&client, "00025d0a05", START);
    assert_closed(E_PROTOCOL, "message 93");
}

static void pings_and_time_requests_are_answered_here(void **state)
{
    (void) state;
    client_open_ready(&client);
    send_type(MESSAGE_PING_REQUEST, START);
    client_expect_output(&client, "000008");
    send_type(MESSAGE_GET_TIME_REQUEST, START);
    client_expect_output(&client, "0005250d00f15365");
    assert_int_equal(client.messages_count, 0);
}

static void the_answer_to_a_ping_brings_nothing(void **state)
{
    (void) state;
    client_open_ready(&client);
    send_type(MESSAGE_PING_RESPONSE, START);
    client_expect_output(&client, "");
    assert_int_equal(client.messages_count, 0);
}

static void a_ping_is_answered_before_hello_is(void **state)
{
    (void) state;
    open_client(false);
    drop_output();
    send_type(MESSAGE_PING_REQUEST, START);
    client_expect_output(&client, "000008");
}

static void X03_keepalive_pings_after_20_s_and_gives_up_90_s_after_the_ping(void **state)
{
    (void) state;
    client_open_ready(&client);
    assert_true(client_session_deadline(client.session) == START + 20 * USEC_PER_SEC);
    client_session_tick(client.session, START + 20 * USEC_PER_SEC - 1);
    client_expect_output(&client, "");
    for (usec_t s = 20; s < 110; s += 20) {
        client_session_tick(client.session, START + s * USEC_PER_SEC);
        client_expect_output(&client, "000007");
    }
    assert_true(client_session_deadline(client.session) == START + 110 * USEC_PER_SEC);
    client_session_tick(client.session, START + 110 * USEC_PER_SEC - 1);
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_READY);
    client_session_tick(client.session, START + 110 * USEC_PER_SEC);
    assert_closed(E_PING_TIMEOUT, "90 s");
}

static void X03_any_message_stops_the_countdown(void **state)
{
    (void) state;
    client_open_ready(&client);
    client_session_tick(client.session, START + 20 * USEC_PER_SEC);
    drop_output();
    assert_int_equal(client_feed_hex(&client, "00005d", START + 109 * USEC_PER_SEC), 0);
    assert_true(client_session_deadline(client.session) == START + 129 * USEC_PER_SEC);
    client_session_tick(client.session, START + 110 * USEC_PER_SEC);
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_READY);
}

static void half_a_frame_does_not_stop_the_countdown(void **state)
{
    (void) state;
    client_open_ready(&client);
    for (usec_t s = 20; s < 110; s += 20) {
        client_session_tick(client.session, START + s * USEC_PER_SEC);
        /* the header of a frame of 100 octets, then one octet at a time */
        assert_int_equal(
                client_feed_hex(&client, s == 20 ? "00645d" : "0a", START + s * USEC_PER_SEC), 0);
    }
    client_session_tick(client.session, START + 110 * USEC_PER_SEC);
    assert_closed(E_PING_TIMEOUT, "90 s");
}

static void after_an_hour_of_sleep_the_peer_is_asked_once_and_has_its_90_s(void **state)
{
    usec_t awake = START + 3600 * USEC_PER_SEC;

    (void) state;
    client_open_ready(&client);
    client_session_tick(client.session, awake);
    client_expect_output(&client, "000007");
    client_session_tick(client.session, awake);
    client_expect_output(&client, "");
    assert_true(client_session_deadline(client.session) == awake + 20 * USEC_PER_SEC);
    client_session_tick(client.session, awake + 90 * USEC_PER_SEC - 1);
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_READY);
    client_session_tick(client.session, awake + 90 * USEC_PER_SEC);
    assert_closed(E_PING_TIMEOUT, "90 s");
}

static void a_peer_that_owed_an_answer_before_the_sleep_is_given_up_at_once(void **state)
{
    (void) state;
    client_open_ready(&client);
    client_session_tick(client.session, START + 20 * USEC_PER_SEC);
    client_session_tick(client.session, START + 3600 * USEC_PER_SEC);
    assert_closed(E_PING_TIMEOUT, "90 s");
}

static void each_step_of_the_beginning_has_its_time(void **state)
{
    (void) state;
    open_client(true);
    assert_true(client_session_deadline(client.session) ==
                START + CLIENT_SESSION_HANDSHAKE_TIMEOUT);
    client_session_tick(client.session, START + CLIENT_SESSION_HANDSHAKE_TIMEOUT - 1);
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_SECURING);
    client_session_tick(client.session, START + CLIENT_SESSION_HANDSHAKE_TIMEOUT);
    assert_closed(E_TIMEOUT, "encrypted");
    client_close(&client);

    open_client(false);
    client_session_tick(client.session, START + CLIENT_SESSION_HELLO_TIMEOUT);
    assert_closed(E_TIMEOUT, "Hello");
    client_close(&client);

    open_client(false);
    (void) client_feed_hex(&client, PLAIN_HELLO_RESPONSE, START + USEC_PER_SEC);
    client_session_tick(client.session, START + USEC_PER_SEC + CLIENT_SESSION_INFO_TIMEOUT);
    assert_closed(E_TIMEOUT, "DeviceInfo");
}

static void a_goodbye_of_the_device_is_answered(void **state)
{
    (void) state;
    client_open_ready(&client);
    (void) client_feed_hex(&client, "0002050801", START);
    assert_closed(E_DISCONNECTED, "window");
    client_expect_output(&client, "000006");
}

static void our_goodbye_waits_for_its_answer(void **state)
{
    (void) state;
    client_open_ready(&client);
    client_session_disconnect(client.session, START);
    client_expect_output(&client, "000005");
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_DISCONNECTING);
    assert_int_equal(
            client_session_send(client.session, &(struct message){.type = MESSAGE_PING_REQUEST}),
            -ENOTCONN);
    (void) client_feed_hex(&client, "00027e0802", START); /* the owner is done with it */
    assert_int_equal(client.messages_count, 0);
    send_type(MESSAGE_DISCONNECT_RESPONSE, START);
    assert_closed(E_CANCELLED, "by us");
}

static void our_goodbye_ends_as_wished_whatever_comes(void **state)
{
    (void) state;
    client_open_ready(&client);
    client_session_disconnect(client.session, START);
    client_session_disconnect(client.session, START + 5 * USEC_PER_SEC);
    client_session_tick(client.session, START + CLIENT_SESSION_DISCONNECT_TIMEOUT);
    assert_closed(E_CANCELLED, "without an answer");
    client_close(&client);

    client_open_ready(&client);
    client_session_disconnect(client.session, START);
    client_session_end_of_input(client.session, -ECONNRESET, START);
    assert_closed(E_CANCELLED, "");
    client_close(&client);

    open_client(true);
    client_session_disconnect(client.session, START);
    assert_closed(E_CANCELLED, "by us");
    client_session_disconnect(client.session, START);
    client_session_tick(client.session, START + 1000 * USEC_PER_SEC);
    assert_int_equal(client.states_count, 1);
}

static void nothing_is_read_after_the_end(void **state)
{
    (void) state;
    client_open_ready(&client);
    (void) client_feed_hex(&client,
                           "000005"
                           "00027e0802"
                           "000007",
                           START);
    assert_closed(E_DISCONNECTED, "");
    assert_int_equal(client_feed_hex(&client, "00027e0802", START), E_DISCONNECTED);
    assert_int_equal(client.messages_count, 0);
    client_expect_output(&client, "000006");
}

static void a_full_buffer_leaves_room_after_the_end(void **state)
{
    size_t room, after;
    uint8_t *input;

    (void) state;
    open_client(false);
    input = client_session_input(client.session, &room);
    memset(input, 0xff, room);
    assert_int_not_equal(client_session_received(client.session, room, START), 0);
    (void) client_session_input(client.session, &after);
    assert_int_equal(after, room);
}

static void many_advertisements_come_in_calls_of_256(void **state)
{
    static struct ble_report reports[600];
    struct buffer body = {0}, frame = {0};
    struct framer framer;

    (void) state;
    client_open_ready(&client);
    for (size_t i = 0; i < 600; i++)
        reports[i] = (struct ble_report){.address = i, .rssi = -50}; /* the first has none */
    advertisements_encode(reports, 600, &body);
    framer_init(&framer, FRAMER_PLAINTEXT, FRAMER_BODY_MAX);
    assert_int_equal(framer_write(&framer, &frame, 93,
                                  (struct bytes){buffer_front(&body), buffer_size(&body)}),
                     0);
    assert_int_equal(client_feed(&client, buffer_front(&frame), buffer_size(&frame), 0, START), 0);
    assert_int_equal(client.reports_calls, 3);
    assert_int_equal(client.reports_count, 599);
    assert_true(client.reports[598].address == 599);
    assert_true(client_session_reports_skipped(client.session) == 1);

    client.reports_count = client.reports_calls = 0;
    client.disconnect_at_report = 1; /* the rest of the message is not delivered */
    assert_int_equal(client_feed(&client, buffer_front(&frame), buffer_size(&frame), 0, START), 0);
    assert_int_equal(client.reports_calls, 1);
    assert_int_equal(client_session_state(client.session), CLIENT_SESSION_DISCONNECTING);
    framer_done(&framer);
    buffer_done(&body);
    buffer_done(&frame);
}

static void reports_before_the_session_is_ready_are_not_delivered(void **state)
{
    (void) state;
    open_client(false);
    assert_int_equal(client_feed_hex(&client,
                                     "00085d0a0608071001"
                                     "2200"
                                     "00027e0802",
                                     START),
                     0);
    assert_int_equal(client.reports_count, 0);
    assert_int_equal(client.messages_count, 0);
}

static void A02_a_parsed_advertisement_is_delivered_as_a_report(void **state)
{
    const struct text uuid = {"0x180F", 6};
    const struct message parsed = {
            .type = MESSAGE_PARSED_ADVERTISEMENT_RESPONSE,
            .parsed_advertisement = {.address = 9,
                                     .rssi = -70,
                                     .name = {"lamp", 4},
                                     .service_uuids = &uuid,
                                     .service_uuids_count = 1},
    };
    const struct octets expected = octets_of("03030f1805096c616d70");

    (void) state;
    client_open_ready(&client);
    assert_int_equal(client_feed_message(&client, &parsed, START), 0);
    assert_int_equal(client.reports_count, 1);
    assert_int_equal(client.reports[0].is_parsed, 1);
    assert_int_equal(client.reports[0].rssi, -70);
    assert_int_equal(client.reports[0].size, expected.size);
    assert_memory_equal(client.first_data, expected.data, expected.size);
    assert_int_equal(client.messages_count, 0);
}

static void messages_are_sent_only_when_ready_and_within_bounds(void **state)
{
    static const uint8_t data[60000], more[65530];
    const struct message write = {.type = MESSAGE_GATT_WRITE_REQUEST,
                                  .gatt = {.address = 1, .data = {data, sizeof data}}};
    const struct message large = {.type = MESSAGE_GATT_WRITE_REQUEST,
                                  .gatt = {.address = 1, .data = {more, sizeof more}}};
    size_t sent = 0, waiting;

    (void) state;
    open_client(false);
    assert_int_equal(client_session_send(client.session, &write), -ENOTCONN);
    client_close(&client);
    client_open_ready(&client);
    assert_int_equal(client_session_send(client.session, &large), -EMSGSIZE);
    while (client_session_send(client.session, &write) == 0)
        assert_true(++sent < 10);
    assert_int_equal(sent, 5);
    assert_int_equal(client_session_send(client.session, &write), -ENOBUFS);
    waiting = output_size();
    (void) client_feed_hex(&client, "000007", START); /* its own questions are still answered */
    assert_int_equal(output_size(), waiting + 3);
    for (size_t i = 0; i < 100000; i++) /* a peer that asks and does not read */
        (void) client_feed_hex(&client, "000007", START);
    assert_true(output_size() <= waiting + 65536);
    client_session_sent(client.session, output_size());
    assert_int_equal(client_session_send(client.session, &write), 0);
}

static void random_octets_in_random_parts_never_do_harm(void **state)
{
    uint32_t seed = 0xc11e47;

    (void) state;
    for (size_t round = 0; round < 3000; round++) {
        uint8_t data[300];
        size_t size, start = 0;

        switch (round % 3) {
        case 0:
            open_client(true);
            break;
        case 1:
            open_client(false);
            break;
        default:
            client_open_ready(&client);
        }
        for (size_t i = 0; i < sizeof data; i++) {
            seed = seed * 1664525 + 1013904223;
            data[i] = (uint8_t) (seed >> 24);
            if (i % 4 != 0)
                data[i] &= 0x0f;
        }
        if (round % 2) { /* whole frames, so that more than the framer sees them */
            for (size_t i = 0; i + 20 <= sizeof data; i += 20) {
                data[i] = round % 3 == 0 ? 1 : 0;
                data[i + 1] = round % 3 == 0 ? 0 : 17;
                data[i + 2] = (uint8_t) (round % 3 == 0 ? 17 : seed >> (i % 24) & 0x7f);
            }
        }
        while (start < sizeof data) {
            seed = seed * 1664525 + 1013904223;
            size = 1 + (seed >> 16) % 40;
            if (size > sizeof data - start)
                size = sizeof data - start;
            (void) client_feed(&client, data + start, size, 1 + (seed >> 8) % 9, START);
            start += size;
        }
        client_session_tick(client.session, START + 200 * USEC_PER_SEC);
        client_session_tick(client.session, START + 400 * USEC_PER_SEC);
        assert_int_equal(client_session_state(client.session), CLIENT_SESSION_CLOSED);
        client_close(&client);
    }
    client.session = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, close_client)
    const struct CMUnitTest tests[] = {
            TEST(the_plaintext_flight_is_hello_and_authentication_together),
            TEST(the_noise_flight_is_client_hello_and_first_message_together),
            TEST(device_info_makes_a_plaintext_session_ready),
            TEST(old_forms_of_server_hello_are_accepted),
            TEST(what_stands_behind_the_mac_in_server_hello_is_ignored),
            TEST(a_reject_for_the_mac_means_a_wrong_key),
            TEST(every_other_reject_is_told_with_its_text),
            TEST(a_reject_while_server_hello_is_expected_is_no_nameless_hello),
            TEST(a_second_message_under_another_key_means_a_wrong_key),
            TEST(malformed_handshakes_break_the_protocol),
            TEST(a_plaintext_device_is_told_from_one_with_another_key),
            TEST(a_device_that_wants_encryption_says_so_to_a_plaintext_client),
            TEST(a_peer_of_another_kind_is_no_proxy),
            TEST(a_damaged_frame_after_the_handshake_does_not_blame_the_key),
            TEST(a_wrong_octet_in_the_middle_breaks_the_protocol),
            TEST(the_end_of_the_connection_is_told_by_when_it_came),
            TEST(another_name_is_another_device),
            TEST(a_name_that_is_not_said_is_no_other_name),
            TEST(a_name_of_one_letter_is_a_name),
            TEST(another_mac_is_another_device),
            TEST(a_wrong_password_is_told_and_the_right_one_sent),
            TEST(an_api_that_is_too_new_is_refused),
            TEST(details_hold_printable_ascii_alone),
            TEST(malformed_messages_end_the_session_unknown_ones_do_not),
            TEST(malformed_advertisements_end_the_session),
            TEST(pings_and_time_requests_are_answered_here),
            TEST(the_answer_to_a_ping_brings_nothing),
            TEST(a_ping_is_answered_before_hello_is),
            TEST(X03_keepalive_pings_after_20_s_and_gives_up_90_s_after_the_ping),
            TEST(X03_any_message_stops_the_countdown),
            TEST(half_a_frame_does_not_stop_the_countdown),
            TEST(after_an_hour_of_sleep_the_peer_is_asked_once_and_has_its_90_s),
            TEST(a_peer_that_owed_an_answer_before_the_sleep_is_given_up_at_once),
            TEST(each_step_of_the_beginning_has_its_time),
            TEST(a_goodbye_of_the_device_is_answered),
            TEST(our_goodbye_waits_for_its_answer),
            TEST(our_goodbye_ends_as_wished_whatever_comes),
            TEST(nothing_is_read_after_the_end),
            TEST(a_full_buffer_leaves_room_after_the_end),
            TEST(many_advertisements_come_in_calls_of_256),
            TEST(reports_before_the_session_is_ready_are_not_delivered),
            TEST(A02_a_parsed_advertisement_is_delivered_as_a_report),
            TEST(messages_are_sent_only_when_ready_and_within_bounds),
            TEST(random_octets_in_random_parts_never_do_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
