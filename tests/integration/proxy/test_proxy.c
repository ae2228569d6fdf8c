/* One proxy against a device of this test, in one loop: the device speaks through server_session,
 * or sends what it is told to. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "esphome/server_session.h"
#include "proxy/failures.h"
#include "proxy/intake.h"
#include "proxy/proxy.h"
#include "proxy/resolver.h"

#define WIFI_MAC      UINT64_C(0xA0B1C2D3E4F5)
#define BLUETOOTH_MAC UINT64_C(0xA0B1C2D3E4F7)
#define DEVICE        UINT64_C(0xA4C13812AB56)

struct fixture {
    uv_loop_t loop;
    struct resolver *resolver;
    struct intake *intake;
    struct proxy *proxy;
    /* the device */
    uv_tcp_t listener;
    uv_tcp_t *peer; /* NULL: nobody is connected */
    bool answers_subscription;
    int port, accepted, goodbyes;
    const char *says_instead; /* NULL: it speaks the protocol */
    struct server_session_options options;
    struct server_session *session;
    uint32_t slots_limit;
    int subscriptions;      /* requests for advertisements */
    uint32_t scanner_modes; /* bits of the modes that were asked for */
    /* what the proxy told */
    unsigned changes;
    size_t reports;
    uint16_t report_source;
    struct message_scanner_state scanners[8]; /* as they were told */
    size_t scanners_count;
    int links[8]; /* numbers of the messages for links, as they came */
    size_t links_count;
    uint16_t link_source;
    struct message_device_connection link; /* the last one */
    int closed;
    /* the book */
    uint64_t announced_mac; /* 0: none */
    int announced_port, asked_for_mac;
};

/* ---- the device ---- */

static void device_pump(struct fixture *f)
{
    size_t size;
    const uint8_t *data = server_session_output(f->session, &size);
    uv_buf_t buf = uv_buf_init((char *) (uintptr_t) data, (unsigned) size);
    int n = size > 0 ? uv_try_write((uv_stream_t *) f->peer, &buf, 1) : 0;

    if (n > 0)
        server_session_sent(f->session, (size_t) n);
}

static void on_peer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void device_hang_up(struct fixture *f)
{
    if (f->peer)
        uv_close((uv_handle_t *) f->peer, on_peer_closed);
    f->peer = NULL;
}

static void device_on_message(void *user, const struct message *m, usec_t now)
{
    struct fixture *f = user;
    static const uint64_t allocated[] = {DEVICE};

    (void) now;
    f->subscriptions += m->type == MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST;
    if (m->type == MESSAGE_SCANNER_SET_MODE_REQUEST)
        f->scanner_modes |= 1u << m->scanner_mode;
    if (m->type == MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST && f->answers_subscription)
        (void) server_session_send(
                f->session, &(struct message){.type = MESSAGE_SCANNER_STATE_RESPONSE,
                                              .scanner_state = {SCANNER_RUNNING, SCANNER_PASSIVE,
                                                                SCANNER_ACTIVE}});
    if (m->type == MESSAGE_DEVICE_REQUEST)
        (void) server_session_send(
                f->session,
                &(struct message){.type = MESSAGE_DEVICE_CONNECTION_RESPONSE,
                                  .device_connection = {m->device_request.address, true, 247, 0}});
    if (m->type == MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST)
        (void) server_session_send(
                f->session, &(struct message){.type = MESSAGE_CONNECTIONS_FREE_RESPONSE,
                                              .connections_free = {f->slots_limit ? 2 : 0,
                                                                   f->slots_limit, allocated, 1}});
}

static void device_on_state(void *user, enum server_session_state state)
{
    struct fixture *f = user;

    if (state == SERVER_SESSION_FLUSHING)
        f->goodbyes++;
}

static void on_device_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    static char scrap[1024];
    struct fixture *f = handle->data;
    size_t size = sizeof scrap;
    uint8_t *room = f->session ? server_session_input(f->session, &size) : (uint8_t *) scrap;

    (void) suggested;
    *ret_buf = uv_buf_init((char *) room, (unsigned) size);
}

static void on_device_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct fixture *f = stream->data;

    (void) buf;
    if (stream != (uv_stream_t *) f->peer)
        return;
    if (size < 0) {
        device_hang_up(f);
        return;
    }
    if (!f->session)
        return;
    (void) server_session_received(f->session, (size_t) size, clock_now());
    device_pump(f);
    if (server_session_state(f->session) >= SERVER_SESSION_FLUSHING)
        device_hang_up(f);
}

static void on_device_connection(uv_stream_t *listener, int status)
{
    static const struct server_session_callbacks callbacks = {device_on_state, device_on_message};
    struct fixture *f = listener->data;

    assert_int_equal(status, 0);
    device_hang_up(f);
    f->peer = calloc(1, sizeof *f->peer);
    assert_int_equal(uv_tcp_init(&f->loop, f->peer), 0);
    f->peer->data = f;
    f->accepted++;
    assert_int_equal(uv_accept(listener, (uv_stream_t *) f->peer), 0);
    server_session_free(f->session);
    f->session = NULL;
    if (f->says_instead) {
        uv_buf_t buf = uv_buf_init((char *) (uintptr_t) f->says_instead,
                                   (unsigned) strlen(f->says_instead));
        assert_true(uv_try_write((uv_stream_t *) f->peer, &buf, 1) > 0);
    } else {
        f->session = server_session_new(&f->options, &callbacks, f, clock_now());
    }
    assert_int_equal(uv_read_start((uv_stream_t *) f->peer, on_device_alloc, on_device_read), 0);
}

/* ---- the proxy's owner ---- */

static void on_reports(void *user, uint16_t source, const struct ble_report *reports, size_t count,
                       usec_t now)
{
    struct fixture *f = user;

    (void) now;
    assert_int_equal(reports[0].address, DEVICE);
    f->report_source = source;
    f->reports += count;
}

static void on_change(void *user, struct proxy *proxy, unsigned changes, usec_t now)
{
    struct fixture *f = user;
    struct proxy_status status;

    (void) now;
    f->changes |= changes;
    proxy_get_status(proxy, &status);
    if (changes & PROXY_CHANGE_SCANNER && f->scanners_count < ARRAY_SIZE(f->scanners))
        f->scanners[f->scanners_count++] = status.scanner;
}

static void on_link_message(void *user, uint16_t source, const struct message *message, usec_t now)
{
    struct fixture *f = user;

    (void) now;
    f->link_source = source;
    if (message->type == MESSAGE_DEVICE_CONNECTION_RESPONSE)
        f->link = message->device_connection;
    if (f->links_count < ARRAY_SIZE(f->links))
        f->links[f->links_count++] = (int) message->type;
}

static void on_closed(void *user)
{
    struct fixture *f = user;

    f->closed++;
}

static struct proxy_status status_of(const struct fixture *f)
{
    struct proxy_status status;

    proxy_get_status(f->proxy, &status);
    return status;
}

static void run_until(struct fixture *f, enum proxy_state wanted)
{
    while (status_of(f).state != wanted)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
}

static void start(struct fixture *f, struct proxy_settings settings)
{
    const struct proxy_callbacks callbacks = {on_reports, on_change, on_link_message, f};

    settings.source = 7;
    settings.name = "kitchen";
    settings.host = "127.0.0.1";
    if (settings.port == 0)
        settings.port = (uint16_t) f->port;
    settings.is_enabled = true;
    if (settings.quiet_after == 0)
        settings.quiet_after = 90 * USEC_PER_SEC;
    f->proxy = proxy_new(&f->loop, f->resolver, f->intake, &settings, &callbacks);
}

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct sockaddr_in address;
    struct sockaddr_storage bound;
    int size = sizeof bound;

    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    (void) uv_loop_init(&f->loop);
    f->resolver = resolver_new(&f->loop);
    f->intake = intake_new(&f->loop);
    assert_non_null(f->intake);
    (void) uv_tcp_init(&f->loop, &f->listener);
    f->listener.data = f;
    (void) uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(uv_tcp_bind(&f->listener, (struct sockaddr *) &address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *) &f->listener, 8, on_device_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&f->listener, (struct sockaddr *) &bound, &size), 0);
    f->port = ntohs(((struct sockaddr_in *) (void *) &bound)->sin_port);
    f->answers_subscription = true;
    f->slots_limit = 3;
    f->options = (struct server_session_options){
            .name = "kitchen",
            .mac = WIFI_MAC,
            .server_info = "2026.8.0",
            .api_major = 1,
            .api_minor = 14,
            .output_limit = 65536,
            .device_info = {.name = TEXT("kitchen"),
                            .mac_address = TEXT("A0:B1:C2:D3:E4:F5"),
                            .bluetooth_mac_address = TEXT("A0:B1:C2:D3:E4:F7"),
                            .esphome_version = TEXT("2026.8.0"),
                            .model = TEXT("esp32-poe"),
                            .bluetooth_proxy_feature_flags = 0xff},
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->proxy)
        proxy_close(f->proxy, on_closed, f);
    while (f->proxy && f->closed == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    device_hang_up(f);
    uv_close((uv_handle_t *) &f->listener, NULL);
    resolver_close(f->resolver, NULL, NULL);
    intake_close(f->intake, on_closed, f);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    server_session_free(f->session);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

/* ---- tests ---- */

static void it_goes_online_and_says_what_it_learned(void **state)
{
    struct fixture *f = *state;
    struct proxy_status s;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    s = status_of(f);
    assert_int_equal(s.error_code, 0);
    assert_true(s.has_mac);
    assert_int_equal(s.mac, WIFI_MAC);
    assert_string_equal(s.esphome_version, "2026.8.0");
    assert_string_equal(s.model, "esp32-poe");
    assert_int_equal(s.features, 0xff);
    assert_int_equal(s.api_minor, 14);
    assert_true(s.has_scanner);
    assert_int_equal(s.scanner.state, SCANNER_RUNNING);
}

static void X02_the_bluetooth_mac_names_the_source(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    assert_int_equal(status_of(f).bluetooth_mac, BLUETOOTH_MAC);
}

static void X02_without_one_the_wifi_mac_does(void **state)
{
    struct fixture *f = *state;

    f->options.device_info.bluetooth_mac_address = (struct text){0};
    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    assert_true(status_of(f).has_bluetooth_mac);
    assert_int_equal(status_of(f).bluetooth_mac, WIFI_MAC);
}

static void slots_are_mirrored_with_who_holds_them(void **state)
{
    struct fixture *f = *state;
    struct proxy_status s;

    start(f, (struct proxy_settings){0});
    while (!(f->changes & PROXY_CHANGE_SLOTS))
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    s = status_of(f);
    assert_true(s.has_slots);
    assert_int_equal(s.slots_limit, 3);
    assert_int_equal(s.slots_free, 2);
    assert_int_equal(s.slots_allocated_count, 1);
    assert_int_equal(s.slots_allocated[0], DEVICE);
    assert_true(s.slots_since[0] > 0);
}

static void X07_no_slots_means_unknown_not_exhausted(void **state)
{
    struct fixture *f = *state;

    f->slots_limit = 0;
    start(f, (struct proxy_settings){0});
    while (!(f->changes & PROXY_CHANGE_SLOTS))
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_false(status_of(f).has_slots);
}

static void send_report(struct fixture *f)
{
    static const uint8_t data[] = {2, 1, 6};
    const struct ble_report report = {.address = DEVICE, .data = data, .size = 3, .rssi = -60};

    assert_int_equal(
            server_session_send(f->session,
                                &(struct message){.type = MESSAGE_RAW_ADVERTISEMENTS_RESPONSE,
                                                  .raw_advertisements = {&report, 1}}),
            0);
    device_pump(f);
}

static void reports_carry_their_source_and_are_counted(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    send_report(f);
    while (f->reports == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->report_source, 7);
    assert_int_equal(status_of(f).advertisements, 1);
    assert_true(status_of(f).last_advertisement > 0);
}

static void receive_report(struct fixture *f)
{
    const struct ble_report report = {.address = DEVICE, .rssi = -60};
    size_t before = f->reports;

    assert_int_equal(
            server_session_send(f->session,
                                &(struct message){.type = MESSAGE_RAW_ADVERTISEMENTS_RESPONSE,
                                                  .raw_advertisements = {&report, 1}}),
            0);
    device_pump(f);
    while (f->reports == before)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
}

static void while_it_is_online_it_is_read_in_turns(void **state)
{
    struct fixture *f = *state;
    usec_t first;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    receive_report(f);
    first = status_of(f).last_advertisement;
    receive_report(f);
    assert_true(status_of(f).last_advertisement - first >= INTAKE_INTERVAL - 2 * USEC_PER_MSEC);
}

/* The shortest time between two packets that are read one after the other. */
static usec_t least_gap(struct fixture *f, unsigned packets)
{
    usec_t least = USEC_NEVER, before;

    receive_report(f);
    for (unsigned i = 0; i < packets; i++) {
        before = status_of(f).last_advertisement;
        receive_report(f);
        if (status_of(f).last_advertisement - before < least)
            least = status_of(f).last_advertisement - before;
    }
    return least;
}

static void while_something_of_it_is_awaited_it_is_read_at_once(void **state)
{
    const usec_t turn = INTAKE_INTERVAL - 2 * USEC_PER_MSEC;
    struct fixture *f = *state;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    receive_report(f);
    proxy_set_awaited(f->proxy, PROXY_WAIT_LINK, true);
    proxy_set_awaited(f->proxy, PROXY_WAIT_ANSWER, true);
    assert_true(least_gap(f, 10) < turn);
    proxy_set_awaited(f->proxy, PROXY_WAIT_LINK, false);
    assert_true(least_gap(f, 10) < turn);
    proxy_set_awaited(f->proxy, PROXY_WAIT_ANSWER, false);
    receive_report(f);
    assert_true(least_gap(f, 3) >= turn);
}

static void with_its_conversation_the_waiting_ends(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    proxy_set_awaited(f->proxy, PROXY_WAIT_LINK, true);
    proxy_reconnect(f->proxy);
    run_until(f, PROXY_RESOLVING);
    run_until(f, PROXY_ONLINE);
    receive_report(f);
    assert_true(least_gap(f, 3) >= INTAKE_INTERVAL - 2 * USEC_PER_MSEC);
}

static void send_empty_report(struct fixture *f)
{
    const struct ble_report report = {.rssi = -60}; /* without an address */

    assert_int_equal(
            server_session_send(f->session,
                                &(struct message){.type = MESSAGE_RAW_ADVERTISEMENTS_RESPONSE,
                                                  .raw_advertisements = {&report, 1}}),
            0);
    device_pump(f);
}

static void D03_skipped_advertisements_are_counted_over_all_conversations(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    send_empty_report(f);
    while (status_of(f).advertisements_skipped < 1)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    proxy_reconnect(f->proxy);
    run_until(f, PROXY_RESOLVING);
    run_until(f, PROXY_ONLINE);
    assert_int_equal(status_of(f).advertisements_skipped, 1);
    send_empty_report(f);
    while (status_of(f).advertisements_skipped < 2)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(status_of(f).advertisements, 0);
}

static void a_node_without_bluetooth_stays_connected_and_says_so(void **state)
{
    struct fixture *f = *state;

    f->options.device_info.bluetooth_proxy_feature_flags = 0;
    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE_NO_BLUETOOTH);
    assert_int_equal(status_of(f).error_code, E_NOT_A_PROXY);
    assert_non_null(f->peer);
}

static void old_firmware_that_pushes_no_scanner_state_is_believed(void **state)
{
    struct fixture *f = *state;

    f->options.device_info.bluetooth_proxy_feature_flags = 0x3f;
    f->answers_subscription = false;
    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    assert_false(status_of(f).has_scanner);
}

static void without_proof_of_the_subscription_it_is_not_online(void **state)
{
    struct fixture *f = *state;

    f->answers_subscription = false;
    start(f, (struct proxy_settings){0});
    while (!(f->changes & PROXY_CHANGE_SLOTS)) /* the answer to what was asked just before */
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(status_of(f).state, PROXY_HANDSHAKING);
}

static void expect_failure(struct fixture *f, int cause)
{
    struct proxy_status s;

    run_until(f, PROXY_FAILED);
    s = status_of(f);
    assert_int_equal(s.error_code, cause);
    assert_true(strlen(s.error_detail) > 0);
    assert_true(s.retry_at >= s.error_time + 60 * USEC_PER_SEC);
    assert_true(s.retry_at <= s.error_time + 61 * USEC_PER_SEC);
}

static void a_wrong_key_fails_and_is_not_retried_soon(void **state)
{
    struct fixture *f = *state;

    f->options.is_encrypted = true;
    f->options.psk[0] = 1;
    start(f, (struct proxy_settings){.is_encrypted = true, .key = {2}});
    expect_failure(f, E_WRONG_KEY);
}

static void a_missing_key_is_told_apart_from_a_wrong_one(void **state)
{
    struct fixture *f = *state;

    f->options.is_encrypted = true;
    start(f, (struct proxy_settings){0});
    expect_failure(f, E_KEY_REQUIRED);
}

static void a_key_for_a_plaintext_device_is_told_apart_as_well(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){.is_encrypted = true});
    expect_failure(f, E_KEY_NOT_EXPECTED);
}

static void the_right_key_opens(void **state)
{
    struct fixture *f = *state;

    f->options.is_encrypted = true;
    f->options.psk[0] = 1;
    f->options.ephemeral[0] = 5;
    start(f, (struct proxy_settings){.is_encrypted = true, .key = {1}});
    run_until(f, PROXY_ONLINE);
}

static void another_board_at_this_host_is_refused(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){.has_mac = true, .mac = WIFI_MAC + 1});
    expect_failure(f, E_WRONG_DEVICE);
}

static void a_mac_once_learned_is_expected_again(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    f->options.mac = WIFI_MAC + 1;
    f->options.device_info.mac_address = (struct text) TEXT("A0:B1:C2:D3:E4:F6");
    proxy_reconnect(f->proxy);
    expect_failure(f, E_WRONG_DEVICE);
}

static void a_web_server_is_not_a_proxy(void **state)
{
    struct fixture *f = *state;

    f->says_instead = "HTTP/1.1 400 Bad Request\r\n\r\n";
    start(f, (struct proxy_settings){0});
    expect_failure(f, E_NOT_A_PROXY);
}

static void a_device_that_hangs_up_at_once_is_waited_for(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    device_hang_up(f);
    run_until(f, PROXY_WAITING_RETRY);
    assert_int_equal(status_of(f).error_code, E_CLOSED);
    assert_false(status_of(f).has_slots);
    assert_false(status_of(f).has_scanner);
    assert_int_equal(status_of(f).mac, WIFI_MAC); /* what it is, it stays */
}

/* ---- what mDNS says ---- */

static size_t look_in_book(void *user, const char *host, const uint64_t *mac, unsigned port,
                           struct sockaddr_storage *ret_addresses, size_t max)
{
    struct fixture *f = user;

    (void) host, (void) port;
    assert_true(max > 0);
    if (!mac)
        return 0;
    f->asked_for_mac++;
    if (*mac != f->announced_mac)
        return 0;
    (void) uv_ip4_addr("127.0.0.1", f->announced_port, (struct sockaddr_in *) ret_addresses);
    return 1;
}

/* A port at which nobody listens. */
static uint16_t closed_port(struct fixture *f)
{
    struct sockaddr_in address;
    struct sockaddr_storage bound;
    int size = sizeof bound;
    uv_tcp_t *socket = calloc(1, sizeof *socket);

    (void) uv_tcp_init(&f->loop, socket);
    (void) uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(uv_tcp_bind(socket, (struct sockaddr *) &address, 0), 0);
    assert_int_equal(uv_tcp_getsockname(socket, (struct sockaddr *) &bound, &size), 0);
    uv_close((uv_handle_t *) socket, on_peer_closed);
    return ntohs(((struct sockaddr_in *) (void *) &bound)->sin_port);
}

static void X03_an_announcement_wakes_one_that_waits(void **state)
{
    struct fixture *f = *state;
    usec_t retry_at;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    proxy_wake(f->proxy); /* it does not wait */
    assert_int_equal(status_of(f).state, PROXY_ONLINE);
    device_hang_up(f);
    run_until(f, PROXY_WAITING_RETRY);
    retry_at = status_of(f).retry_at;
    proxy_wake(f->proxy);
    run_until(f, PROXY_ONLINE);
    assert_true(clock_now() < retry_at);
}

static void X03_who_announces_again_and_again_wakes_once_in_a_while(void **state)
{
    struct fixture *f = *state;
    usec_t retry_at;

    start(f, (struct proxy_settings){.port = closed_port(f)});
    run_until(f, PROXY_WAITING_RETRY);
    proxy_wake(f->proxy);
    run_until(f, PROXY_WAITING_RETRY);
    retry_at = status_of(f).retry_at;
    proxy_wake(f->proxy);
    assert_int_equal(status_of(f).state, PROXY_WAITING_RETRY);
    assert_true(status_of(f).retry_at == retry_at);
    assert_int_equal(status_of(f).dials, 2);
}

static void X03_a_known_mac_is_found_where_it_is_announced(void **state)
{
    struct fixture *f = *state;

    resolver_set_book(f->resolver, look_in_book, f);
    f->announced_mac = WIFI_MAC;
    f->announced_port = f->port;
    start(f, (struct proxy_settings){.port = closed_port(f), .has_mac = true, .mac = WIFI_MAC});
    run_until(f, PROXY_WAITING_RETRY); /* its own place comes first */
    assert_int_equal(f->asked_for_mac, 0);
    proxy_wake(f->proxy);
    run_until(f, PROXY_ONLINE);
    assert_int_equal(f->asked_for_mac, 1);
}

static void where_it_is_announced_and_its_own_place_are_tried_in_turns(void **state)
{
    struct fixture *f = *state;

    resolver_set_book(f->resolver, look_in_book, f);
    f->announced_mac = WIFI_MAC;
    f->announced_port = closed_port(f);
    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    device_hang_up(f);
    run_until(f, PROXY_WAITING_RETRY);
    proxy_wake(f->proxy); /* somebody lies */
    run_until(f, PROXY_WAITING_RETRY);
    assert_int_equal(status_of(f).error_code, E_REFUSED);
    proxy_reconnect(f->proxy);
    run_until(f, PROXY_ONLINE);
    assert_int_equal(f->asked_for_mac, 1);
}

static void S01_it_is_told_to_scan_actively_and_passively(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    assert_int_equal(proxy_set_scan_mode(f->proxy, true), 0);
    while (f->scanner_modes != 1u << SCANNER_ACTIVE)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(proxy_set_scan_mode(f->proxy, false), 0);
    while (f->scanner_modes != (1u << SCANNER_ACTIVE | 1u << SCANNER_PASSIVE))
        (void) uv_run(&f->loop, UV_RUN_ONCE);
}

static void S10_each_scanner_state_is_told_and_in_order(void **state)
{
    static const struct message_scanner_state states[] = {
            {SCANNER_STOPPING, SCANNER_ACTIVE, SCANNER_PASSIVE},
            {SCANNER_IDLE, SCANNER_ACTIVE, SCANNER_PASSIVE},
            {SCANNER_STARTING, SCANNER_ACTIVE, SCANNER_PASSIVE},
            {SCANNER_RUNNING, SCANNER_ACTIVE, SCANNER_PASSIVE}};
    struct fixture *f = *state;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    while (f->scanners_count == 0) /* that of the subscription */
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        (void) server_session_send(f->session,
                                   &(struct message){.type = MESSAGE_SCANNER_STATE_RESPONSE,
                                                     .scanner_state = states[i]});
    device_pump(f); /* all in one piece */
    while (f->scanners_count < 1 + ARRAY_SIZE(states))
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_memory_equal(f->scanners + 1, states, sizeof states);
}

static void S14_a_proxy_that_cannot_be_told_to_scan_says_so(void **state)
{
    struct fixture *f = *state;

    f->options.device_info.bluetooth_proxy_feature_flags = 0x3f;
    start(f, (struct proxy_settings){0});
    assert_int_equal(proxy_set_scan_mode(f->proxy, true), E_PROXY_OFFLINE);
    run_until(f, PROXY_ONLINE);
    assert_int_equal(proxy_set_scan_mode(f->proxy, true), E_NOT_SUPPORTED);
    device_hang_up(f);
    run_until(f, PROXY_WAITING_RETRY);
    assert_int_equal(proxy_set_scan_mode(f->proxy, true), E_PROXY_OFFLINE);
    assert_int_equal(f->scanner_modes, 0);
}

static void what_is_for_links_goes_up_and_their_messages_go_out(void **state)
{
    const struct message request = {.type = MESSAGE_DEVICE_REQUEST,
                                    .device_request = {.address = DEVICE}};
    struct fixture *f = *state;

    start(f, (struct proxy_settings){0});
    assert_int_equal(proxy_send(f->proxy, &request), E_PROXY_OFFLINE);
    run_until(f, PROXY_ONLINE);
    assert_int_equal(proxy_send(f->proxy, &request), 0);
    while (f->link.address == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->links_count, 2); /* the scanner's state is not for them */
    assert_int_equal(f->links[0], MESSAGE_CONNECTIONS_FREE_RESPONSE);
    assert_int_equal(f->links[1], MESSAGE_DEVICE_CONNECTION_RESPONSE);
    assert_int_equal(f->link_source, 7);
    assert_int_equal(f->link.address, DEVICE);
    assert_int_equal(f->link.mtu, 247);
    device_hang_up(f);
    run_until(f, PROXY_WAITING_RETRY);
    assert_int_equal(proxy_send(f->proxy, &request), E_PROXY_OFFLINE);
}

static void run_until_health_changes(struct fixture *f)
{
    f->changes = 0;
    while (!(f->changes & PROXY_CHANGE_HEALTH))
        (void) uv_run(&f->loop, UV_RUN_ONCE);
}

static void X08_a_proxy_that_hears_nothing_is_quiet_until_it_hears_something(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){.quiet_after = 100 * USEC_PER_MSEC});
    run_until(f, PROXY_ONLINE);
    send_report(f);
    while (f->reports == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    if (status_of(f).quiet_since == 0)
        run_until_health_changes(f);
    assert_int_equal(status_of(f).quiet_since, status_of(f).last_advertisement);
    assert_int_equal(status_of(f).state, PROXY_ONLINE);
    send_report(f);
    run_until_health_changes(f);
    assert_int_equal(status_of(f).quiet_since, 0);
}

static void X09_a_quiet_proxy_is_subscribed_to_again(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){.quiet_after = 100 * USEC_PER_MSEC});
    run_until_health_changes(f);
    while (f->subscriptions < 2)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->accepted, 1); /* in the same conversation */
}

static void a_quiet_proxy_that_is_reconnected_begins_anew(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){.quiet_after = 100 * USEC_PER_MSEC});
    run_until_health_changes(f);
    f->changes = 0;
    proxy_reconnect(f->proxy);
    assert_true(f->changes & PROXY_CHANGE_HEALTH);
    assert_int_equal(status_of(f).quiet_since, 0);
    run_until_health_changes(f);
    while (f->subscriptions < 4) /* two of each conversation: the first step of the ladder again */
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->accepted, 2);
}

static void a_quiet_proxy_that_leaves_is_not_quiet_but_away(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){.quiet_after = 100 * USEC_PER_MSEC});
    run_until_health_changes(f);
    assert_true(status_of(f).quiet_since > 0);
    device_hang_up(f);
    run_until_health_changes(f);
    assert_int_equal(status_of(f).quiet_since, 0);
    assert_int_not_equal(status_of(f).state, PROXY_ONLINE);
}

static uint64_t failures_of(const struct fixture *f, int cause)
{
    const struct failures *failures = status_of(f).failures;
    size_t position = 0;
    uint64_t count;
    int found;

    while ((found = failures_next(failures, &position, &count))) {
        if (found == cause)
            return count;
    }
    return 0;
}

static void D03_attempts_conversations_and_failures_are_counted(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){0});
    assert_int_equal(status_of(f).dials, 1);
    assert_int_equal(status_of(f).greetings, 0);
    run_until(f, PROXY_ONLINE);
    assert_int_equal(status_of(f).greetings, 1);
    assert_int_equal(failures_of(f, E_CLOSED), 0);
    device_hang_up(f);
    run_until(f, PROXY_WAITING_RETRY);
    assert_int_equal(failures_of(f, E_CLOSED), 1);
    proxy_reconnect(f->proxy); /* asked for: another attempt, but no failure */
    run_until(f, PROXY_ONLINE);
    assert_int_equal(status_of(f).dials, 2);
    assert_int_equal(status_of(f).greetings, 2);
    assert_int_equal(failures_of(f, E_CLOSED), 1);
    assert_int_equal(failures_of(f, E_UNREACHABLE), 0);
}

static void reconnect_says_goodbye_and_comes_back_at_once(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    proxy_reconnect(f->proxy);
    while (f->accepted < 2)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->goodbyes, 1);
    run_until(f, PROXY_ONLINE);
}

static void closing_says_goodbye(void **state)
{
    struct fixture *f = *state;

    start(f, (struct proxy_settings){0});
    run_until(f, PROXY_ONLINE);
    proxy_close(f->proxy, on_closed, f);
    f->proxy = NULL;
    while (f->closed == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->goodbyes, 1);
}

/* Closes after 0, 1, 2 … turns of the loop, until a run gets online first. */
static void it_can_be_closed_at_every_step(void **state)
{
    struct fixture *f = *state;
    bool got_online = false;

    f->options.is_encrypted = true;
    for (int turns = 0; !got_online; turns++) {
        start(f, (struct proxy_settings){.is_encrypted = true});
        for (int i = 0; i < turns && !got_online; i++) {
            (void) uv_run(&f->loop, UV_RUN_ONCE);
            got_online = status_of(f).state == PROXY_ONLINE;
        }
        f->closed = 0;
        proxy_close(f->proxy, on_closed, f);
        f->proxy = NULL;
        while (f->closed == 0)
            (void) uv_run(&f->loop, UV_RUN_ONCE);
        while (f->peer)
            (void) uv_run(&f->loop, UV_RUN_ONCE);
        assert_int_equal(f->closed, 1);
        assert_true(turns < 1000);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(it_goes_online_and_says_what_it_learned),
            TEST(X02_the_bluetooth_mac_names_the_source),
            TEST(X02_without_one_the_wifi_mac_does),
            TEST(slots_are_mirrored_with_who_holds_them),
            TEST(X07_no_slots_means_unknown_not_exhausted),
            TEST(reports_carry_their_source_and_are_counted),
            TEST(while_it_is_online_it_is_read_in_turns),
            TEST(while_something_of_it_is_awaited_it_is_read_at_once),
            TEST(with_its_conversation_the_waiting_ends),
            TEST(a_node_without_bluetooth_stays_connected_and_says_so),
            TEST(old_firmware_that_pushes_no_scanner_state_is_believed),
            TEST(S01_it_is_told_to_scan_actively_and_passively),
            TEST(S10_each_scanner_state_is_told_and_in_order),
            TEST(S14_a_proxy_that_cannot_be_told_to_scan_says_so),
            TEST(what_is_for_links_goes_up_and_their_messages_go_out),
            TEST(X08_a_proxy_that_hears_nothing_is_quiet_until_it_hears_something),
            TEST(X09_a_quiet_proxy_is_subscribed_to_again),
            TEST(a_quiet_proxy_that_is_reconnected_begins_anew),
            TEST(a_quiet_proxy_that_leaves_is_not_quiet_but_away),
            TEST(without_proof_of_the_subscription_it_is_not_online),
            TEST(a_wrong_key_fails_and_is_not_retried_soon),
            TEST(a_missing_key_is_told_apart_from_a_wrong_one),
            TEST(a_key_for_a_plaintext_device_is_told_apart_as_well),
            TEST(the_right_key_opens),
            TEST(another_board_at_this_host_is_refused),
            TEST(a_mac_once_learned_is_expected_again),
            TEST(a_web_server_is_not_a_proxy),
            TEST(a_device_that_hangs_up_at_once_is_waited_for),
            TEST(X03_an_announcement_wakes_one_that_waits),
            TEST(X03_who_announces_again_and_again_wakes_once_in_a_while),
            TEST(X03_a_known_mac_is_found_where_it_is_announced),
            TEST(where_it_is_announced_and_its_own_place_are_tried_in_turns),
            TEST(D03_skipped_advertisements_are_counted_over_all_conversations),
            TEST(D03_attempts_conversations_and_failures_are_counted),
            TEST(reconnect_says_goodbye_and_comes_back_at_once),
            TEST(closing_says_goodbye),
            TEST(it_can_be_closed_at_every_step),
    };

    return cmocka_run_group_tests_name("proxy.proxy", tests, NULL, NULL);
}
