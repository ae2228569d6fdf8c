/* The story: devices stand in the fake gateway with three elements each. Packets come in tens,
 * every fifth changes its device; then a moment passes, the readers are woken, and each reads until
 * there is nothing. At the end pages of the list of devices are asked for, as a browser would. */
#include "faces.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "rest/rest.h"

#define DEVICES      200
#define TURNS        150
#define TURN_PACKETS 10
#define PAGES        12
#define PAYLOAD      31
#define TEXT         16384

/* One of each kind that costs differently. */
static const char *const streams[] = {
        "/api/v1/events?mode=all&types=advertisement",
        "/api/v1/events",
        "/api/v1/events?mode=change&proxies=owner&types=advertisement",
        "/api/v1/events?mode=interval&min_interval_s=3&types=advertisement",
        "/api/v1/events?types=rssi&min_interval_s=1",
};

struct faces {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    struct fake_device *devices[DEVICES];
    uint8_t payloads[DEVICES][2][PAYLOAD]; /* each device has two, and takes turns */
    struct answer readers[ARRAY_SIZE(streams)];
    size_t read_bytes[ARRAY_SIZE(streams)];
    size_t page_bytes;
};

static void fill_payload(uint8_t *ret_data, uint32_t device, uint32_t version)
{
    static const uint8_t head[] = {2,   1, 6,    8,    9,    'n', 'a', 'm', 'e',  '-',  'x',
                                   'x', 5, 0x16, 0x0f, 0x18, 90,  80,  12,  0xff, 0x99, 0x04};

    memset(ret_data, (int) (device & 0xff), PAYLOAD);
    memcpy(ret_data, head, sizeof head);
    ret_data[10] = (uint8_t) ('a' + device / 26);
    ret_data[11] = (uint8_t) ('a' + device % 26);
    memcpy(ret_data + sizeof head, &version, sizeof version);
}

static void add_devices(struct faces *f)
{
    for (uint32_t i = 0; i < DEVICES; i++) {
        struct fake_device *d =
                fake_gateway_add(f->gateway, UINT64_C(0xa4c138000000) + i * UINT64_C(7919));

        for (uint32_t version = 0; version < 2; version++)
            fill_payload(f->payloads[i][version], i, version);
        fake_gateway_hear(f->gateway, d, "kitchen", f->payloads[i][0], PAYLOAD);
        d->facts.rssi = -40 - (int) (i * 37 % 50);
        f->devices[i] = d;
    }
}

static struct answer ask(struct faces *f, const char *target)
{
    struct rest_request request = {.method = "GET",
                                   .target = target,
                                   .role = REST_ROLE_READ,
                                   .takes_streams = true,
                                   .remote = "192.0.2.7:5"};

    if (rest_submit(f->rest, &request) != REST_ANSWERED || request.answer.status != 200)
        abort();
    return request.answer;
}

static void on_wake(void *user)
{
    (void) user; /* all are read each turn */
}

static void read_all(struct faces *f)
{
    char text[TEXT];

    for (size_t r = 0; r < ARRAY_SIZE(streams); r++) {
        struct answer_stream *stream = f->readers[r].stream;
        ptrdiff_t size;

        while ((size = stream->read(stream, text, sizeof text)) > 0)
            f->read_bytes[r] += (size_t) size;
    }
}

static void open_streams(struct faces *f)
{
    for (size_t r = 0; r < ARRAY_SIZE(streams); r++) {
        f->readers[r] = ask(f, streams[r]);
        f->readers[r].stream->on_wake = on_wake;
        f->readers[r].stream->on_stalled = on_wake;
    }
    read_all(f); /* the greeting */
    memset(f->read_bytes, 0, sizeof f->read_bytes);
}

static void send_packet(struct faces *f, size_t number)
{
    size_t index = number * 7 % DEVICES;
    bool is_change = number % 5 == 0;
    const struct gateway_hearing hearing = {
            .proxy_id = number % 2,
            .is_owner = number % 2 == 0,
            .rssi = -50 - (int) (number % 30),
            .rssi_smoothed = -60.5,
            .is_change = is_change,
            .heard_before = is_change ? 0 : gateway_now(f->gateway) - USEC_PER_SEC,
            .silent_since = gateway_now(f->gateway) - USEC_PER_SEC,
            .data = f->payloads[index][number / DEVICES % 2],
            .size = PAYLOAD,
    };

    fake_gateway_packet(f->gateway, f->devices[index], &hearing);
    if (is_change)
        fake_gateway_change(f->gateway, GATEWAY_DEVICE_PAYLOAD, f->devices[index]);
}

struct faces *faces_new(void)
{
    struct faces *f = xnew(struct faces, 1);

    f->config = fake_config("{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"},"
                            "{\"name\":\"hall\",\"host\":\"192.0.2.11\"}]}");
    f->gateway = fake_gateway_new(f->config);
    add_devices(f);
    f->rest = rest_new(f->gateway);
    rest_set_boot(f->rest, 0x5eed);
    open_streams(f);
    return f;
}

void faces_free(struct faces *f)
{
    for (size_t r = 0; r < ARRAY_SIZE(streams); r++)
        answer_done(&f->readers[r]);
    rest_free(f->rest);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
}

__attribute__((noinline)) void faces_run(struct faces *f)
{
    for (size_t turn = 0; turn < TURNS; turn++) {
        for (size_t i = 0; i < TURN_PACKETS; i++)
            send_packet(f, turn * TURN_PACKETS + i);
        fake_gateway_advance(f->gateway, 50 * USEC_PER_MSEC);
        read_all(f);
    }
    for (size_t page = 0; page < PAGES; page++) {
        struct answer answer = ask(f, "/api/v1/devices?limit=100&sort=-rssi");

        f->page_bytes += answer.body_size;
        answer_done(&answer);
    }
}

void faces_report(const struct faces *f, FILE *out)
{
    (void) fprintf(out, "readers read");
    for (size_t r = 0; r < ARRAY_SIZE(streams); r++) {
        assert(f->read_bytes[r] >= 10000);
        (void) fprintf(out, " %zu", f->read_bytes[r]);
    }
    assert(f->page_bytes >= PAGES * 10000);
    (void) fprintf(out, ", pages have %zu octets\n", f->page_bytes);
}
