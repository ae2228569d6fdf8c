/* From the octets of a frame to the device table: session and table together, without a socket. The
 * device's side encodes all frames first; then they are fed, and allocations are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "allocations.h"
#include "base/buffer.h"
#include "esphome/client_session.h"
#include "esphome/server_session.h"
#include "scan/device_table.h"
#include "wire.h"

#define DEVICES  500
#define BATCH    16
#define WARM_UP  20000
#define MEASURED 100000
#define START    USEC_PER_SEC

struct fixture {
    struct device_table *table;
    struct client_session *client;
    struct server_session *server;
    size_t taken;
};

static void on_reports(void *user, const struct ble_report *reports, size_t count, usec_t now)
{
    struct fixture *f = user;

    f->taken += count;
    device_table_observe(f->table, 0, reports, count, now);
}

/* What the device has to say, one message of 16 after the other. Every fifth payload is a new one.
 */
static void encode(struct fixture *f, size_t first, size_t count, struct buffer *ret_octets)
{
    uint8_t payloads[BATCH][31] = {{0}};
    struct ble_report reports[BATCH];
    const uint8_t *out;
    size_t size;

    for (size_t i = 0; i < count; i += BATCH) {
        for (size_t k = 0; k < BATCH; k++) {
            uint64_t device = (first + i + k) % DEVICES;
            uint32_t version = (uint32_t) ((first + i + k) / DEVICES / 5);

            memcpy(payloads[k], "\x02\x01\x06\x1b\xff\x99\x04", 7);
            memcpy(payloads[k] + 8, &version, sizeof version);
            reports[k] = (struct ble_report){.address = UINT64_C(0xC00000000000) + device,
                                             .address_type = 1,
                                             .data = payloads[k],
                                             .size = 31,
                                             .rssi = (int8_t) - (int) (50 + (i + k) % 40)};
        }
        assert_int_equal(
                server_session_send(f->server,
                                    &(struct message){.type = MESSAGE_RAW_ADVERTISEMENTS_RESPONSE,
                                                      .raw_advertisements = {reports, BATCH}}),
                0);
        out = server_session_output(f->server, &size);
        buffer_append(ret_octets, out, size);
        server_session_sent(f->server, size);
    }
}

/* Feeds in slices of an odd size, so that frames are split. */
static void feed(struct fixture *f, struct buffer *octets)
{
    usec_t now = START;

    while (buffer_size(octets) > 0) {
        size_t room, size = buffer_size(octets);
        uint8_t *in = client_session_input(f->client, &room);

        size = size < room ? size : room;
        size = size < 1461 ? size : 1461;
        memcpy(in, buffer_front(octets), size);
        buffer_consume(octets, size);
        now += USEC_PER_MSEC;
        assert_int_equal(client_session_received(f->client, size, now), 0);
    }
}

static void set_up(struct fixture *f, bool is_encrypted)
{
    const struct client_session_callbacks on_client = {.on_reports = on_reports};
    const struct server_session_callbacks on_server = {0};
    const struct device_table_settings settings = {.devices_max = 50000,
                                                   .forget_after = 3600 * USEC_PER_SEC,
                                                   .forget_private_after = 900 * USEC_PER_SEC,
                                                   .stale_after = 900 * USEC_PER_SEC,
                                                   .quiet_after = 90 * USEC_PER_SEC,
                                                   .margin_db = 16,
                                                   .reclaim_db = 6,
                                                   .ewma_alpha = 0.3,
                                                   .strong_dbm = -70,
                                                   .roam_factor = 1.5,
                                                   .gone_factor = 2.5};
    struct client_session_options client = {.client_info = "test", .is_encrypted = is_encrypted};
    struct server_session_options server = {
            .name = "test",
            .server_info = "test",
            .api_major = 1,
            .api_minor = 14,
            .is_encrypted = is_encrypted,
            .output_limit = 65536,
            .device_info = {.mac_address = {"A0:B1:C2:D3:E4:F5", 17},
                            .bluetooth_proxy_feature_flags = 0x21}};

    client.ephemeral[0] = 1;
    server.ephemeral[0] = 2;
    f->table = device_table_new(&settings, NULL, NULL);
    device_table_source_online(f->table, 0, true, START);
    f->client = client_session_new(&client, &on_client, f, START);
    f->server = server_session_new(&server, &on_server, f, START);
    wire_converse(f->client, f->server, START);
    assert_int_equal(client_session_state(f->client), CLIENT_SESSION_READY);
}

static void tear_down(struct fixture *f)
{
    client_session_free(f->client);
    server_session_free(f->server);
    device_table_free(f->table);
}

static void count_allocations(bool is_encrypted)
{
    struct buffer warm_up = {0}, measured = {0};
    struct fixture f = {0};
    size_t before;

    set_up(&f, is_encrypted);
    encode(&f, 0, WARM_UP, &warm_up);
    encode(&f, WARM_UP, MEASURED, &measured);
    feed(&f, &warm_up);
    assert_int_equal(f.taken, WARM_UP);
    before = allocations_count();
    feed(&f, &measured);
    assert_int_equal(allocations_count(), before);
    assert_int_equal(f.taken, WARM_UP + MEASURED);
    assert_int_equal(device_table_count(f.table), DEVICES);
    buffer_done(&warm_up);
    buffer_done(&measured);
    tear_down(&f);
}

static void an_advertisement_allocates_nothing_in_plaintext(void **state)
{
    (void) state;
    count_allocations(false);
}

static void an_advertisement_allocates_nothing_in_noise(void **state)
{
    (void) state;
    count_allocations(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(an_advertisement_allocates_nothing_in_plaintext),
            cmocka_unit_test(an_advertisement_allocates_nothing_in_noise),
    };

    return cmocka_run_group_tests_name("ingest.ingest", tests, NULL, NULL);
}
