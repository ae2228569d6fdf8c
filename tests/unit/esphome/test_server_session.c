#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "feeding.h"
#include "vectors.h"

#define SERVER_HELLO   "0100180170726f78792d73696d0061306231633264336534663500"
#define HELLO_REQUEST  "0011010a0b746573742d636c69656e741001180f"
#define HELLO_RESPONSE "0018020801100f1a0773696d20312e30220970726f78792d73696d"

static struct server_side server;

static int close_server(void **state)
{
    (void) state;
    if (server.session)
        server_close(&server);
    memset(&server, 0, sizeof server);
    return 0;
}

static void open_server(bool is_encrypted)
{
    const struct server_session_options options = server_options(is_encrypted);

    server_open(&server, &options);
}

static size_t output_size(void)
{
    size_t size;

    (void) server_session_output(server.session, &size);
    return size;
}

static void assert_state(enum server_session_state state)
{
    assert_int_equal(server_session_state(server.session), state);
}

static void assert_over(enum server_session_state state, int code)
{
    assert_state(state);
    assert_int_equal(server_session_error(server.session)->code, code);
}

static void assert_closed(int code)
{
    assert_over(SERVER_SESSION_CLOSED, code);
    assert_true(server_session_deadline(server.session) == USEC_NEVER);
}

static void hello_is_answered_and_authenticates(void **state)
{
    (void) state;
    open_server(false);
    assert_int_equal(server_feed_hex(&server, HELLO_REQUEST "000003", START), 0);
    server_expect_output(&server, HELLO_RESPONSE);
    assert_state(SERVER_SESSION_READY);
    assert_int_equal(server_session_client_api_minor(server.session), 15);
    assert_string_equal(server_session_client_info(server.session), "test-client");
}

static void server_hello_is_sent_before_the_key_is_looked_at(void **state)
{
    (void) state;
    open_server(true);
    assert_int_equal(server_feed_hex(&server, "010000", START), 0);
    server_expect_output(&server, SERVER_HELLO);
    assert_state(SERVER_SESSION_SECURING);
}

/* The first flight of a case of the vectors, fed step octets at a time, brings these answers. */
static void run_handshake(const json_t *c, size_t step)
{
    const struct octets flight = vectors_octets(c, "wire_client_first_flight");
    const bool is_ok = strcmp(vectors_text(c, "result"), "ok") == 0;
    struct server_session_options options = server_options(true);
    char expected[2 * VECTOR_MAX] = "";
    char hello[] = "010003616263";

    memcpy(options.psk, vectors_octets(c, "psk_responder").data, sizeof options.psk);
    server_open(&server, &options);
    (void) strcat(expected, vectors_text(c, "wire_server_hello"));
    (void) strcat(expected,
                  vectors_text(c, is_ok ? "wire_server_handshake" : "wire_server_reject"));
    if (strcmp(vectors_text(c, "prologue_responder"), "4e6f697365415049496e69740003616263") == 0) {
        const struct octets first = octets_of(hello); /* the vectors leave its body out */

        (void) server_feed(&server, first.data, first.size, step, START);
        (void) server_feed(&server, flight.data + 3, flight.size - 3, step, START);
    } else if (strcmp(vectors_text(c, "prologue_responder"), "4e6f697365415049496e6974000100") ==
               0) {
        const struct octets first = octets_of("01000100");

        (void) server_feed(&server, first.data, first.size, step, START);
        (void) server_feed(&server, flight.data + 3, flight.size - 3, step, START);
    } else {
        (void) server_feed(&server, flight.data, flight.size, step, START);
    }
    assert_over(is_ok ? SERVER_SESSION_GREETING : SERVER_SESSION_FLUSHING, is_ok ? 0 : E_WRONG_KEY);
    server_expect_output(&server, expected);
    if (!is_ok)
        assert_closed(E_WRONG_KEY); /* the last octet is out */
    server_close(&server);
    server.session = NULL;
}

static void every_handshake_of_the_vectors_is_answered_in_their_octets(void **state)
{
    json_t *file = vectors_load(), *c;
    size_t i;

    (void) state;
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        for (size_t step = 0; step < 60; step++)
            run_handshake(c, step);
    }
    assert_int_equal(json_array_size(json_object_get(file, "cases")), 5);
    json_decref(file);
}

static void refused_after_hello(const char *frame, const char *reason, int code)
{
    json_t *file = vectors_load();
    char expected[2 * VECTOR_MAX] = SERVER_HELLO;

    (void) strcat(expected, vectors_text(json_object_get(file, "server_rejects"), reason));
    open_server(true);
    (void) server_feed_hex(&server, "010000", START);
    (void) server_feed_hex(&server, frame, START);
    assert_over(SERVER_SESSION_FLUSHING, code);
    assert_string_equal(server_session_error(server.session)->detail, reason);
    server_expect_output(&server, expected);
    assert_closed(code);
    server_close(&server);
    server.session = NULL;
    json_decref(file);
}

static void rejects_are_in_the_words_of_firmware(void **state)
{
    (void) state;
    refused_after_hello("010000", "Empty handshake message", E_PROTOCOL);
    refused_after_hello("01000101", "Bad handshake error byte", E_PROTOCOL);
    refused_after_hello("0100020000", "Handshake error", E_PROTOCOL);
    refused_after_hello("010081", "Bad handshake packet len", E_PROTOCOL);
    refused_after_hello("000007", "Bad indicator byte", E_KEY_REQUIRED);
    refused_after_hello("01003100"
                        "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13"
                        "671b397f6f012bcda8ecd550a5b6a696",
                        "Handshake MAC failure", E_WRONG_KEY);
}

static void a_first_frame_that_is_none_gets_the_reject_alone(void **state)
{
    (void) state;
    open_server(true);
    (void) server_feed_hex(&server, "010081", START);
    server_expect_output(&server, "010019014261642068616e647368616b65207061636b6574206c656e");
    assert_closed(E_PROTOCOL);
}

static void a_plaintext_client_of_an_encrypted_server_hears_bad_indicator(void **state)
{
    (void) state;
    open_server(true);
    (void) server_feed_hex(&server, HELLO_REQUEST, START);
    assert_over(SERVER_SESSION_FLUSHING, E_KEY_REQUIRED);
    server_expect_output(&server, "0100130142616420696e64696361746f722062797465");
    assert_closed(E_KEY_REQUIRED);
}

static void a_noise_client_of_a_plaintext_server_hears_bad_indicator(void **state)
{
    (void) state;
    open_server(false);
    (void) server_feed_hex(&server, "010000", START);
    assert_over(SERVER_SESSION_FLUSHING, E_KEY_NOT_EXPECTED);
    server_expect_output(&server, "0042616420696e64696361746f722062797465");
    assert_closed(E_KEY_NOT_EXPECTED);
}

static void the_session_answers_by_itself_what_needs_no_bluetooth(void **state)
{
    (void) state;
    server_open_ready(&server);
    (void) server_feed_hex(&server, "000007", START);
    server_expect_output(&server, "000008");
    (void) server_feed_hex(&server, "00000b", START);
    server_expect_output(&server, "000013");
    (void) server_feed_hex(&server,
                           "000014"
                           "00021c0805"
                           "000022"
                           "000026"
                           "0005250d01000000"
                           "00022a0a00"
                           "0002280a00",
                           START);
    server_expect_output(&server, "");
    (void) server_feed_hex(&server, "00067c0a0441414543", START);
    server_expect_output(&server, "00007d");
    (void) server_feed_hex(&server, "00009501", START);
    server_expect_output(&server, "001796010a15087f121141303a42313a43323a44333a45343a4637");
    assert_int_equal(server.messages_count, 0);
    assert_state(SERVER_SESSION_READY);
}

static void capabilities_are_told_from_api_15_on(void **state)
{
    struct server_session_options options = server_options(false);

    (void) state;
    options.api_minor = 14;
    server_open(&server, &options);
    (void) server_feed_hex(&server, HELLO_REQUEST, START);
    server_session_sent(server.session, output_size());
    (void) server_feed_hex(&server, "00009501", START);
    server_expect_output(&server, "");
}

static void device_info_is_told_with_texts_of_its_own(void **state)
{
    char name[] = "volatile";
    struct server_session_options options = server_options(false);

    (void) state;
    options.device_info = (struct message_device_info){.name = {name, 8}};
    server_open(&server, &options);
    memset(name, 'x', sizeof name);
    (void) server_feed_hex(&server, HELLO_REQUEST, START);
    server_session_sent(server.session, output_size());
    (void) server_feed_hex(&server, "000009", START);
    server_expect_output(&server, "000a0a1208766f6c6174696c65");
}

static void bluetooth_goes_to_the_owner(void **state)
{
    (void) state;
    server_open_ready(&server);
    (void) server_feed_hex(&server, "000c4408d6d6cac093982910051801", START);
    assert_int_equal(server.messages_count, 1);
    assert_int_equal(server.messages[0], MESSAGE_DEVICE_REQUEST);
    assert_true(server.last.device_request.address == UINT64_C(0xa4c13812ab56));
    (void) server_feed_hex(&server,
                           "0002420801"
                           "000050"
                           "000057",
                           START);
    assert_int_equal(server.messages_count, 4);
    (void) server_feed_hex(&server,
                           "00025d0a00"
                           "00010cff"
                           "000045",
                           START); /* not a client's */
    assert_int_equal(server.messages_count, 4);
}

static void anything_before_hello_drops_the_client(void **state)
{
    (void) state;
    open_server(false);
    (void) server_feed_hex(&server, "000007", START); /* but a ping does not */
    server_expect_output(&server, "000008");
    (void) server_feed_hex(&server, "000009", START);
    assert_closed(E_PROTOCOL);
}

static void malformed_messages_end_the_session(void **state)
{
    (void) state;
    server_open_ready(&server);
    (void) server_feed_hex(&server, "000144ff", START);
    assert_closed(E_PROTOCOL);
}

static void frames_beyond_the_limit_of_firmware_end_the_session(void **state)
{
    (void) state;
    server_open_ready(&server);
    (void) server_feed_hex(&server, "0081800244", START);
    assert_closed(E_PROTOCOL);
}

static void a_legacy_device_authenticates_with_message_3(void **state)
{
    struct server_session_options options = server_options(false);

    (void) state;
    options.is_legacy_hello = true;
    options.password = "sesame";
    options.asks_time = true;
    server_open(&server, &options);
    (void) server_feed_hex(&server, HELLO_REQUEST, START);
    assert_state(SERVER_SESSION_CONNECTED);
    (void) server_feed_hex(&server, "0003030a0161", START);
    server_expect_output(&server, HELLO_RESPONSE "0002040801");
    assert_state(SERVER_SESSION_CONNECTED);
    (void) server_feed_hex(&server, "000009", START); /* DeviceInfo needs Hello alone */
    assert_state(SERVER_SESSION_CONNECTED);
    server_session_sent(server.session, output_size());
    (void) server_feed_hex(&server, "0008030a06736573616d65", START);
    assert_state(SERVER_SESSION_READY);
    server_expect_output(&server, "000004"
                                  "000024");
}

static void a_legacy_device_drops_who_asks_without_authentication(void **state)
{
    struct server_session_options options = server_options(false);

    (void) state;
    options.is_legacy_hello = true;
    server_open(&server, &options);
    (void) server_feed_hex(&server, HELLO_REQUEST "0002420801", START);
    assert_closed(E_PROTOCOL);
    assert_int_equal(server.messages_count, 0);
}

static void a_client_that_is_not_through_after_60_s_is_dropped_pings_or_not(void **state)
{
    (void) state;
    open_server(false);
    (void) server_feed_hex(&server, "000007", START + 59 * USEC_PER_SEC);
    assert_true(server_session_deadline(server.session) == START + 60 * USEC_PER_SEC);
    server_session_tick(server.session, START + 60 * USEC_PER_SEC - 1);
    assert_state(SERVER_SESSION_GREETING);
    server_session_tick(server.session, START + 60 * USEC_PER_SEC);
    assert_closed(E_TIMEOUT);
    server_close(&server);

    open_server(true);
    server_session_tick(server.session, START + 60 * USEC_PER_SEC);
    assert_closed(E_TIMEOUT);
}

static void silence_brings_a_ping_at_60_s_and_the_end_at_150_s(void **state)
{
    (void) state;
    server_open_ready(&server);
    assert_true(server_session_deadline(server.session) == START + 60 * USEC_PER_SEC);
    server_session_tick(server.session, START + 60 * USEC_PER_SEC);
    server_expect_output(&server, "000007");
    assert_true(server_session_deadline(server.session) == START + 150 * USEC_PER_SEC);
    server_session_tick(server.session, START + 120 * USEC_PER_SEC);
    server_expect_output(&server, ""); /* one is enough */
    server_session_tick(server.session, START + 150 * USEC_PER_SEC);
    assert_closed(E_PING_TIMEOUT);
    server_expect_output(&server, "");
}

static void any_message_ends_the_silence(void **state)
{
    (void) state;
    server_open_ready(&server);
    server_session_tick(server.session, START + 60 * USEC_PER_SEC);
    server_session_sent(server.session, output_size());
    (void) server_feed_hex(&server, "000008", START + 149 * USEC_PER_SEC);
    assert_true(server_session_deadline(server.session) == START + 209 * USEC_PER_SEC);
    server_session_tick(server.session, START + 209 * USEC_PER_SEC);
    server_expect_output(&server, "000007");
}

static void a_goodbye_is_answered_flushed_and_closed(void **state)
{
    (void) state;
    server_open_ready(&server);
    (void) server_feed_hex(&server,
                           "000005"
                           "000007",
                           START);
    assert_over(SERVER_SESSION_FLUSHING, E_DISCONNECTED);
    assert_int_equal(server_feed_hex(&server, "000007", START), E_DISCONNECTED);
    server_expect_output(&server, "000006");
    assert_closed(E_DISCONNECTED);
    assert_int_equal(server.states[server.states_count - 1], SERVER_SESSION_CLOSED);
}

static void flushing_does_not_wait_for_ever(void **state)
{
    (void) state;
    server_open_ready(&server);
    (void) server_feed_hex(&server, "000005", START);
    server_session_tick(server.session, START + 10 * USEC_PER_SEC - 1);
    assert_state(SERVER_SESSION_FLUSHING);
    server_session_tick(server.session, START + 10 * USEC_PER_SEC);
    assert_closed(E_DISCONNECTED);
}

static void our_goodbye_waits_for_its_answer_at_most_10_s(void **state)
{
    (void) state;
    server_open_ready(&server);
    server_session_disconnect(server.session, START);
    server_expect_output(&server, "000005");
    assert_state(SERVER_SESSION_DISCONNECTING);
    (void) server_feed_hex(&server,
                           "0002420801"
                           "000006",
                           START);
    assert_closed(E_CANCELLED);
    assert_int_equal(server.messages_count, 0);
    server_close(&server);

    server_open_ready(&server);
    server_session_disconnect(server.session, START);
    server_session_tick(server.session, START + 10 * USEC_PER_SEC);
    assert_closed(E_CANCELLED);
}

static void last_words_have_their_deadline(void **state)
{
    (void) state;
    server_open_ready(&server);
    (void) server_feed_hex(&server, "000005", START + USEC_PER_SEC);
    assert_state(SERVER_SESSION_FLUSHING);
    assert_true(server_session_deadline(server.session) == START + 11 * USEC_PER_SEC);
    server_close(&server);

    server_open_ready(&server);
    server_session_disconnect(server.session, START + 2 * USEC_PER_SEC);
    assert_true(server_session_deadline(server.session) == START + 12 * USEC_PER_SEC);
    server_session_tick(server.session, START + 12 * USEC_PER_SEC - 1);
    assert_state(SERVER_SESSION_DISCONNECTING);
}

static void our_goodbye_is_said_once_and_to_nobody_without_a_key(void **state)
{
    (void) state;
    server_open_ready(&server);
    server_session_disconnect(server.session, START);
    server_session_disconnect(server.session, START + USEC_PER_SEC);
    server_expect_output(&server, "000005");
    assert_true(server_session_deadline(server.session) == START + 10 * USEC_PER_SEC);
    server_close(&server);

    open_server(true);
    server_session_disconnect(server.session, START);
    assert_closed(E_CANCELLED);
    assert_int_equal(output_size(), 0);
    server_session_disconnect(server.session, START);
    assert_closed(E_CANCELLED);
}

static void the_end_of_the_connection_closes_the_session(void **state)
{
    (void) state;
    server_open_ready(&server);
    server_session_end_of_input(server.session, 0, START);
    assert_closed(E_CLOSED);
    server_close(&server);
    server_open_ready(&server);
    server_session_end_of_input(server.session, -ETIMEDOUT, START);
    assert_closed(-ETIMEDOUT);
}

static void a_full_buffer_leaves_room_after_the_end(void **state)
{
    (void) state;
    for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
        size_t room, after;
        uint8_t *input;

        open_server(is_encrypted);
        input = server_session_input(server.session, &room);
        memset(input, 0xff, room);
        assert_int_not_equal(server_session_received(server.session, room, START), 0);
        (void) server_session_input(server.session, &after);
        assert_int_equal(after, room);
        server_close(&server);
        server.session = NULL;
    }
}

static void what_a_slow_client_does_not_read_is_dropped_at_the_limit(void **state)
{
    static const uint8_t data[62];
    const struct ble_report report = {.address = 1, .data = data, .size = 62};
    const struct message advertisement = {.type = MESSAGE_RAW_ADVERTISEMENTS_RESPONSE,
                                          .raw_advertisements = {&report, 1}};
    struct server_session_options options = server_options(false);
    size_t size;

    (void) state;
    options.output_limit = 1000;
    server_open(&server, &options);
    assert_int_equal(server_session_send(server.session, &advertisement), -ENOTCONN);
    (void) server_feed_hex(&server, HELLO_REQUEST, START);
    for (size_t i = 0; i < 100; i++)
        (void) server_session_send(server.session, &advertisement);
    size = output_size();
    assert_true(size >= 1000 && size < 1100);
    assert_int_equal(server_session_send(server.session, &advertisement), -ENOBUFS);
    (void) server_feed_hex(&server, "000007", START); /* but it is still answered */
    assert_int_equal(output_size(), size + 3);
    for (size_t i = 0; i < 100000; i++)
        (void) server_feed_hex(&server, "000007", START);
    assert_true(output_size() < 1000 + 65536 + 100);
}

static void random_octets_in_random_parts_never_do_harm(void **state)
{
    uint32_t seed = 0x5e12e1;

    (void) state;
    for (size_t round = 0; round < 3000; round++) {
        uint8_t data[300];
        size_t start = 0;

        if (round % 3 == 2)
            server_open_ready(&server);
        else
            open_server(round % 3 == 0);
        for (size_t i = 0; i < sizeof data; i++) {
            seed = seed * 1664525 + 1013904223;
            data[i] = (uint8_t) (seed >> 24);
            if (i % 4 != 0)
                data[i] &= 0x0f;
        }
        for (size_t i = 0; round % 2 && i + 20 <= sizeof data; i += 20) {
            data[i] = round % 3 == 0 ? 1 : 0;
            data[i + 1] = round % 3 == 0 ? 0 : 17;
            data[i + 2] = (uint8_t) (round % 3 == 0 ? 17 : seed >> (i % 24) & 0x7f);
        }
        while (start < sizeof data) {
            size_t size;

            seed = seed * 1664525 + 1013904223;
            size = 1 + (seed >> 16) % 40;
            if (size > sizeof data - start)
                size = sizeof data - start;
            (void) server_feed(&server, data + start, size, 1 + (seed >> 8) % 9, START);
            start += size;
        }
        server_session_tick(server.session, START + 200 * USEC_PER_SEC);
        assert_state(SERVER_SESSION_CLOSED);
        server_close(&server);
    }
    server.session = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, close_server)
    const struct CMUnitTest tests[] = {
            TEST(hello_is_answered_and_authenticates),
            TEST(server_hello_is_sent_before_the_key_is_looked_at),
            TEST(every_handshake_of_the_vectors_is_answered_in_their_octets),
            TEST(rejects_are_in_the_words_of_firmware),
            TEST(a_first_frame_that_is_none_gets_the_reject_alone),
            TEST(a_plaintext_client_of_an_encrypted_server_hears_bad_indicator),
            TEST(a_noise_client_of_a_plaintext_server_hears_bad_indicator),
            TEST(the_session_answers_by_itself_what_needs_no_bluetooth),
            TEST(capabilities_are_told_from_api_15_on),
            TEST(device_info_is_told_with_texts_of_its_own),
            TEST(bluetooth_goes_to_the_owner),
            TEST(anything_before_hello_drops_the_client),
            TEST(malformed_messages_end_the_session),
            TEST(frames_beyond_the_limit_of_firmware_end_the_session),
            TEST(a_legacy_device_authenticates_with_message_3),
            TEST(a_legacy_device_drops_who_asks_without_authentication),
            TEST(a_client_that_is_not_through_after_60_s_is_dropped_pings_or_not),
            TEST(silence_brings_a_ping_at_60_s_and_the_end_at_150_s),
            TEST(any_message_ends_the_silence),
            TEST(a_goodbye_is_answered_flushed_and_closed),
            TEST(flushing_does_not_wait_for_ever),
            TEST(our_goodbye_waits_for_its_answer_at_most_10_s),
            TEST(last_words_have_their_deadline),
            TEST(our_goodbye_is_said_once_and_to_nobody_without_a_key),
            TEST(the_end_of_the_connection_closes_the_session),
            TEST(a_full_buffer_leaves_room_after_the_end),
            TEST(what_a_slow_client_does_not_read_is_dropped_at_the_limit),
            TEST(random_octets_in_random_parts_never_do_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
