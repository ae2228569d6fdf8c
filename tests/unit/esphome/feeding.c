#include "feeding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "esphome/codec.h"
#include "esphome/framer.h"
#include "vectors.h"

static int64_t wall_clock(void *user)
{
    (void) user;
    return 1700000000;
}

static void on_client_state(void *user, enum client_session_state state)
{
    struct client_side *c = user;

    assert_true(c->states_count < 16);
    c->states[c->states_count++] = state;
}

static void on_client_ready(void *user, const struct message_device_info *info, usec_t now)
{
    struct client_side *c = user;

    (void) now;
    c->ready_count++;
    c->ready_flags = info->bluetooth_proxy_feature_flags;
    assert_true(info->name.size < sizeof c->ready_name);
    memcpy(c->ready_name, info->name.data, info->name.size);
}

static void on_client_reports(void *user, const struct ble_report *reports, size_t count,
                              usec_t now)
{
    struct client_side *c = user;

    assert_true(count > 0 && count <= 256);
    for (size_t i = 0; i < count && c->reports_count < RECORD_MAX; i++) {
        if (c->reports_count == 0 && reports[i].size > 0)
            memcpy(c->first_data, reports[i].data, reports[i].size);
        c->reports[c->reports_count++] = reports[i];
    }
    if (++c->reports_calls == c->disconnect_at_report)
        client_session_disconnect(c->session, now);
}

static void on_client_message(void *user, const struct message *message, usec_t now)
{
    struct client_side *c = user;

    (void) now;
    c->last = *message;
    if (c->messages_count < RECORD_MAX)
        c->messages[c->messages_count++] = message->type;
}

static void on_server_state(void *user, enum server_session_state state)
{
    struct server_side *s = user;

    assert_true(s->states_count < 16);
    s->states[s->states_count++] = state;
}

static void on_server_message(void *user, const struct message *message, usec_t now)
{
    struct server_side *s = user;

    (void) now;
    s->last = *message;
    if (s->messages_count < RECORD_MAX)
        s->messages[s->messages_count++] = message->type;
}

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

/* One plaintext frame in ret_frame. */
static struct octets frame_of(const struct message *message)
{
    struct buffer body = {0}, wire = {0};
    struct octets octets;
    struct framer framer;

    framer_init(&framer, FRAMER_PLAINTEXT, FRAMER_BODY_MAX);
    assert_int_equal(codec_encode(message, &body), 0);
    assert_int_equal(framer_write(&framer, &wire, message->type,
                                  (struct bytes){body.data, buffer_size(&body)}),
                     0);
    octets.size = buffer_size(&wire);
    assert_true(octets.size <= sizeof octets.data);
    memcpy(octets.data, buffer_front(&wire), octets.size);
    buffer_done(&body);
    buffer_done(&wire);
    framer_done(&framer);
    return octets;
}

struct client_session_options client_options(bool is_encrypted)
{
    struct client_session_options options = {
            .client_info = "test-client", .is_encrypted = is_encrypted, .wall_clock = wall_clock};

    for (uint8_t i = 0; i < 32; i++)
        options.psk[i] = i;
    memset(options.ephemeral, 0x11, sizeof options.ephemeral);
    return options;
}

struct server_session_options server_options(bool is_encrypted)
{
    struct server_session_options options = {
            .name = SERVER_NAME,
            .mac = SERVER_MAC,
            .server_info = "sim 1.0",
            .api_major = 1,
            .api_minor = 15,
            .is_encrypted = is_encrypted,
            .device_info = {.bluetooth_proxy_feature_flags = 0x7f,
                            .name = text_of(SERVER_NAME),
                            .mac_address = text_of("A0:B1:C2:D3:E4:F5"),
                            .bluetooth_mac_address = text_of("A0:B1:C2:D3:E4:F7"),
                            .model = text_of("esp32dev")},
    };

    for (uint8_t i = 0; i < 32; i++)
        options.psk[i] = i;
    memset(options.ephemeral, 0x22, sizeof options.ephemeral);
    return options;
}

void client_open(struct client_side *c, const struct client_session_options *options)
{
    static const struct client_session_callbacks callbacks = {
            .on_state = on_client_state,
            .on_ready = on_client_ready,
            .on_reports = on_client_reports,
            .on_message = on_client_message,
    };

    memset(c, 0, sizeof *c);
    c->session = client_session_new(options, &callbacks, c, START);
}

void client_close(struct client_side *c)
{
    client_session_free(c->session);
}

int client_feed(struct client_side *c, const void *data, size_t size, size_t step, usec_t now)
{
    const uint8_t *from = data;
    int cause = 0;

    while (size > 0) {
        size_t part;
        uint8_t *to = client_session_input(c->session, &part);

        assert_true(part > 0);
        if (step && part > step)
            part = step;
        if (part > size)
            part = size;
        memcpy(to, from, part);
        cause = client_session_received(c->session, part, now);
        from += part;
        size -= part;
    }
    return cause;
}

int client_feed_hex(struct client_side *c, const char *hex, usec_t now)
{
    const struct octets octets = octets_of(hex);

    return client_feed(c, octets.data, octets.size, 0, now);
}

int client_feed_message(struct client_side *c, const struct message *message, usec_t now)
{
    const struct octets frame = frame_of(message);

    return client_feed(c, frame.data, frame.size, 0, now);
}

void client_expect_output(struct client_side *c, const char *hex)
{
    const struct octets expected = octets_of(hex);
    size_t size;
    const uint8_t *output = client_session_output(c->session, &size);

    assert_int_equal(size, expected.size);
    if (size > 0)
        assert_memory_equal(output, expected.data, size);
    client_session_sent(c->session, size);
}

void client_open_ready(struct client_side *c)
{
    const struct client_session_options options = client_options(false);
    const struct server_session_options server = server_options(false);
    const struct message hello = {.type = MESSAGE_HELLO_RESPONSE,
                                  .hello = {.name = text_of(SERVER_NAME), .api_major = 1}};
    const struct message info = {.type = MESSAGE_DEVICE_INFO_RESPONSE,
                                 .device_info = server.device_info};
    size_t size;

    client_open(c, &options);
    assert_int_equal(client_feed_message(c, &hello, START), 0);
    assert_int_equal(client_feed_message(c, &info, START), 0);
    assert_int_equal(client_session_state(c->session), CLIENT_SESSION_READY);
    (void) client_session_output(c->session, &size);
    client_session_sent(c->session, size);
}

void server_open(struct server_side *s, const struct server_session_options *options)
{
    static const struct server_session_callbacks callbacks = {
            .on_state = on_server_state,
            .on_message = on_server_message,
    };

    memset(s, 0, sizeof *s);
    s->session = server_session_new(options, &callbacks, s, START);
}

void server_close(struct server_side *s)
{
    server_session_free(s->session);
}

int server_feed(struct server_side *s, const void *data, size_t size, size_t step, usec_t now)
{
    const uint8_t *from = data;
    int cause = 0;

    while (size > 0) {
        size_t part;
        uint8_t *to = server_session_input(s->session, &part);

        assert_true(part > 0);
        if (step && part > step)
            part = step;
        if (part > size)
            part = size;
        memcpy(to, from, part);
        cause = server_session_received(s->session, part, now);
        from += part;
        size -= part;
    }
    return cause;
}

int server_feed_hex(struct server_side *s, const char *hex, usec_t now)
{
    const struct octets octets = octets_of(hex);

    return server_feed(s, octets.data, octets.size, 0, now);
}

int server_feed_message(struct server_side *s, const struct message *message, usec_t now)
{
    const struct octets frame = frame_of(message);

    return server_feed(s, frame.data, frame.size, 0, now);
}

void server_expect_output(struct server_side *s, const char *hex)
{
    const struct octets expected = octets_of(hex);
    size_t size;
    const uint8_t *output = server_session_output(s->session, &size);

    assert_int_equal(size, expected.size);
    if (size > 0)
        assert_memory_equal(output, expected.data, size);
    server_session_sent(s->session, size);
}

void server_open_ready(struct server_side *s)
{
    const struct server_session_options options = server_options(false);
    const struct message hello = {.type = MESSAGE_HELLO_REQUEST,
                                  .hello = {.api_major = 1, .api_minor = 14}};
    size_t size;

    server_open(s, &options);
    assert_int_equal(server_feed_message(s, &hello, START), 0);
    assert_int_equal(server_session_state(s->session), SERVER_SESSION_READY);
    (void) server_session_output(s->session, &size);
    server_session_sent(s->session, size);
}

/* One direction; true when something moved. */
static bool move_up(struct client_side *c, struct server_side *s, size_t step, usec_t now)
{
    size_t size;
    const uint8_t *output = client_session_output(c->session, &size);

    if (size == 0)
        return false;
    if (step && size > step)
        size = step;
    (void) server_feed(s, output, size, step, now);
    client_session_sent(c->session, size);
    return true;
}

static bool move_down(struct client_side *c, struct server_side *s, size_t step, usec_t now)
{
    size_t size;
    const uint8_t *output = server_session_output(s->session, &size);

    if (size == 0)
        return false;
    if (step && size > step)
        size = step;
    (void) client_feed(c, output, size, step, now);
    server_session_sent(s->session, size);
    return true;
}

void converse(struct client_side *c, struct server_side *s, size_t step, usec_t now)
{
    bool has_moved = true;

    while (has_moved) {
        has_moved = move_up(c, s, step, now);
        has_moved = move_down(c, s, step, now) || has_moved;
    }
}
