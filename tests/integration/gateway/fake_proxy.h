/* Proxies of a test, on its own loop: each speaks through server_session and carries links to one
 * device with a battery, whose GATT database has two layouts. What they were asked is counted. */
#pragma once

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "base/memory.h"
#include "ble/address.h"
#include "ble/gatt_tree.h"
#include "esphome/server_session.h"

#define FRIDGE   UINT64_C(0xA4C13812AB56)
#define LEVEL    0x2a19
#define FAKE_MAC UINT64_C(0xA0B1C2D3E400)

struct fake_device {
    unsigned layout;
    uint8_t level;
};

struct fake {
    uv_loop_t *loop;
    struct fake_device *device;
    uv_tcp_t listener;
    uv_timer_t stream;
    uv_tcp_t *peer; /* NULL: nobody is connected */
    int port;
    char mac[BLE_ADDRESS_TEXT_SIZE];
    struct server_session_options options;
    struct server_session *session;
    bool is_linked;
    bool is_silent;  /* operations are not answered */
    int32_t error;   /* they are answered with it; 0: they succeed */
    unsigned cached; /* links with cache; without */
    unsigned uncached, discoveries, reads, pairs, unpairs, clears, operations;
    struct message last; /* the last request to the device; its octets: */
    uint8_t octets[8];
};

static inline uint16_t fake_handle(const struct fake_device *device)
{
    return device->layout == 0 ? 3 : 13; /* its CCCD follows */
}

static inline void fake_pump(struct fake *f)
{
    size_t size;
    const uint8_t *data = server_session_output(f->session, &size);
    uv_buf_t buf = uv_buf_init((char *) (uintptr_t) data, (unsigned) size);
    int n = size > 0 ? uv_try_write((uv_stream_t *) f->peer, &buf, 1) : 0;

    if (n > 0)
        server_session_sent(f->session, (size_t) n);
}

static inline void fake_say(struct fake *f, const struct message *message)
{
    assert_int_equal(server_session_send(f->session, message), 0);
}

static inline void fake_advertise(struct fake *f)
{
    static const uint8_t data[] = {2, 1, 6};
    const struct ble_report report = {.address = FRIDGE, .data = data, .size = 3, .rssi = -60};

    fake_say(f, &(struct message){.type = MESSAGE_RAW_ADVERTISEMENTS_RESPONSE,
                                  .raw_advertisements = {&report, 1}});
}

static inline void fake_tell_slots(struct fake *f)
{
    static const uint64_t allocated[] = {FRIDGE};

    fake_say(f, &(struct message){
                        .type = MESSAGE_CONNECTIONS_FREE_RESPONSE,
                        .connections_free = {f->is_linked ? 2 : 3, 3, allocated, f->is_linked}});
}

static inline void fake_tell_link(struct fake *f, bool is_linked, uint32_t mtu)
{
    f->is_linked = is_linked;
    fake_say(f, &(struct message){.type = MESSAGE_DEVICE_CONNECTION_RESPONSE,
                                  .device_connection = {FRIDGE, is_linked, mtu, 0}});
    fake_tell_slots(f);
}

static inline void fake_tell_result(struct fake *f, enum message_type type)
{
    fake_say(f, &(struct message){.type = type, .result = {FRIDGE, true, 0}});
}

static inline void fake_do(struct fake *f, const struct message_device_request *request)
{
    switch (request->request_type) {
    case DEVICE_REQUEST_CONNECT_WITH_CACHE:
        f->cached++;
        fake_tell_link(f, true, 23);
        return;
    case DEVICE_REQUEST_CONNECT_WITHOUT_CACHE:
        f->uncached++;
        fake_tell_link(f, true, 247);
        return;
    case DEVICE_REQUEST_DISCONNECT:
        fake_tell_link(f, false, 0);
        return;
    case DEVICE_REQUEST_PAIR:
        f->pairs++;
        fake_tell_result(f, MESSAGE_DEVICE_PAIRING_RESPONSE);
        return;
    case DEVICE_REQUEST_UNPAIR:
        f->unpairs++;
        fake_tell_result(f, MESSAGE_DEVICE_UNPAIRING_RESPONSE);
        return;
    default:
        f->clears++;
        fake_tell_result(f, MESSAGE_DEVICE_CLEAR_CACHE_RESPONSE);
    }
}

/* One service with one characteristic. */
static inline void fake_tell_services(struct fake *f)
{
    const uint16_t handle = fake_handle(f->device);
    const struct message_descriptor cccd = {{.short_uuid = GATT_UUID_CCCD}, handle + 1u};
    const struct message_characteristic level = {
            {.short_uuid = LEVEL}, handle, GATT_READ | GATT_WRITE | GATT_NOTIFY, &cccd, 1};
    const struct message_service battery = {{.short_uuid = 0x180f}, handle - 2u, &level, 1};

    f->discoveries++;
    fake_say(f, &(struct message){.type = MESSAGE_GATT_GET_SERVICES_RESPONSE,
                                  .services = {FRIDGE, &battery, 1}});
    fake_say(f, &(struct message){.type = MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE,
                                  .gatt = {.address = FRIDGE}});
}

static inline enum message_type fake_answer_type(const struct message *request, int32_t error)
{
    if (error)
        return MESSAGE_GATT_ERROR_RESPONSE;
    if (request->type == MESSAGE_GATT_READ_REQUEST)
        return MESSAGE_GATT_READ_RESPONSE;
    return request->type == MESSAGE_GATT_NOTIFY_REQUEST ? MESSAGE_GATT_NOTIFY_RESPONSE
                                                        : MESSAGE_GATT_WRITE_RESPONSE;
}

static inline void fake_answer(struct fake *f, const struct message *request, int32_t error)
{
    fake_say(f, &(struct message){.type = fake_answer_type(request, error),
                                  .gatt = {.address = FRIDGE,
                                           .handle = request->gatt.handle,
                                           .error = error,
                                           .data = {&f->device->level, 1}}});
}

static inline void fake_operate(struct fake *f, const struct message *m)
{
    const uint16_t handle = fake_handle(f->device);

    f->operations++;
    f->last = *m;
    if (m->gatt.data.size > 0)
        memcpy(f->octets, m->gatt.data.data, m->gatt.data.size);
    f->reads += m->type == MESSAGE_GATT_READ_REQUEST;
    if (f->is_silent)
        return;
    if (m->gatt.handle == handle || m->gatt.handle == handle + 1u)
        fake_answer(f, m, f->error);
    else
        fake_answer(f, m, /* invalid handle */ 1);
}

static inline void fake_on_message(void *user, const struct message *m, usec_t now)
{
    struct fake *f = user;

    (void) now;
    switch ((int) m->type) {
    case MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST:
        fake_say(f, &(struct message){
                            .type = MESSAGE_SCANNER_STATE_RESPONSE,
                            .scanner_state = {SCANNER_RUNNING, SCANNER_PASSIVE, SCANNER_PASSIVE}});
        fake_advertise(f);
        return;
    case MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST:
        fake_tell_slots(f);
        return;
    case MESSAGE_DEVICE_REQUEST:
        fake_do(f, &m->device_request);
        return;
    case MESSAGE_GATT_GET_SERVICES_REQUEST:
        fake_tell_services(f);
        return;
    case MESSAGE_GATT_READ_REQUEST:
    case MESSAGE_GATT_WRITE_REQUEST:
    case MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST:
    case MESSAGE_GATT_NOTIFY_REQUEST:
        fake_operate(f, m);
        return;
    default:
        return;
    }
}

static inline void fake_notify(struct fake *f, uint8_t level)
{
    fake_say(f, &(struct message){.type = MESSAGE_GATT_NOTIFY_DATA_RESPONSE,
                                  .gatt = {.address = FRIDGE,
                                           .handle = fake_handle(f->device),
                                           .data = {&level, 1}}});
    fake_pump(f);
}

/* ---- its socket ---- */

static inline void fake_on_state(void *user, enum server_session_state state)
{
    (void) user, (void) state;
}

static inline void fake_on_closed(uv_handle_t *handle)
{
    free(handle);
}

static inline void fake_hang_up(struct fake *f)
{
    if (f->peer)
        uv_close((uv_handle_t *) f->peer, fake_on_closed);
    f->peer = NULL;
    f->is_linked = false;
}

static inline void fake_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct fake *f = handle->data;
    size_t size;
    uint8_t *room = server_session_input(f->session, &size);

    (void) suggested;
    *ret_buf = uv_buf_init((char *) room, (unsigned) size);
}

static inline void fake_on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct fake *f = stream->data;

    (void) buf;
    if (stream != (uv_stream_t *) f->peer)
        return;
    if (size > 0) {
        (void) server_session_received(f->session, (size_t) size, clock_now());
        fake_pump(f);
    }
    if (size < 0 || server_session_state(f->session) >= SERVER_SESSION_FLUSHING)
        fake_hang_up(f);
}

static inline void fake_on_connection(uv_stream_t *listener, int status)
{
    static const struct server_session_callbacks callbacks = {fake_on_state, fake_on_message};
    struct fake *f = listener->data;

    assert_int_equal(status, 0);
    fake_hang_up(f);
    f->peer = xnew(uv_tcp_t, 1);
    assert_int_equal(uv_tcp_init(f->loop, f->peer), 0);
    f->peer->data = f;
    assert_int_equal(uv_accept(listener, (uv_stream_t *) f->peer), 0);
    (void) uv_tcp_nodelay(f->peer, 1);
    server_session_free(f->session);
    f->session = server_session_new(&f->options, &callbacks, f, clock_now());
    assert_int_equal(uv_read_start((uv_stream_t *) f->peer, fake_on_alloc, fake_on_read), 0);
}

/* ---- its life ---- */

static inline void fake_on_stream(uv_timer_t *timer)
{
    struct fake *f = timer->data;

    if (!f->peer || server_session_state(f->session) != SERVER_SESSION_READY)
        return;
    fake_advertise(f);
    fake_pump(f);
}

/* Advertisements, so often that reading them in turns never rests. */
static inline void fake_stream(struct fake *f)
{
    (void) uv_timer_start(&f->stream, fake_on_stream, 0, 3);
}

static inline void fake_start(struct fake *f, uv_loop_t *loop, struct fake_device *device,
                              uint64_t mac)
{
    struct sockaddr_in address;
    struct sockaddr_storage bound;
    int size = sizeof bound;

    *f = (struct fake){.loop = loop, .device = device};
    ble_address_format(f->mac, mac);
    f->options = (struct server_session_options){
            .name = "fake",
            .mac = mac,
            .server_info = "2026.8.0",
            .api_major = 1,
            .api_minor = 14,
            .device_info = {.mac_address = {f->mac, strlen(f->mac)},
                            .bluetooth_proxy_feature_flags = 0xff},
    };
    (void) uv_timer_init(loop, &f->stream);
    (void) uv_tcp_init(loop, &f->listener);
    f->stream.data = f->listener.data = f;
    (void) uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(uv_tcp_bind(&f->listener, (struct sockaddr *) &address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *) &f->listener, 8, fake_on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&f->listener, (struct sockaddr *) &bound, &size), 0);
    f->port = ntohs(((struct sockaddr_in *) (void *) &bound)->sin_port);
}

/* Its handles close with the next turns of the loop. */
static inline void fake_stop(struct fake *f)
{
    fake_hang_up(f);
    uv_close((uv_handle_t *) &f->stream, NULL);
    uv_close((uv_handle_t *) &f->listener, NULL);
}

static inline void fake_free(struct fake *f)
{
    server_session_free(f->session);
}
