/* How much CPU an advertisement costs from the octets of a frame to the device table, without the
 * kernel: framing and decoding of message 93 by the client session, then device_table_observe().
 *
 * 1,000 devices, each heard by 3 of 20 proxies, frames of 16 reports; the share of changed payloads
 * is the case. Frames are made before the clock runs. Thread CPU time, median and spread of RUNS
 * runs. Prints one line a case, and with --json one JSON object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "esphome/client_session.h"
#include "esphome/server_session.h"
#include "scan/device_table.h"
#include "wire.h"

#define DEVICES  1000
#define PROXIES  20
#define HEARD_BY 3
#define BATCH    16
#define ROUNDS   200 /* each device is heard so often by each of its proxies */
#define RUNS     7
#define PAYLOAD  31

struct stream { /* what one proxy sends, as it is on the wire */
    struct buffer octets;
    struct client_session *session;
    uint16_t source;
};

struct bench {
    struct device_table *table;
    struct stream streams[PROXIES];
    uint64_t seen;
    usec_t now;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static double cpu_seconds(void)
{
    struct timespec t;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

struct sink {
    struct bench *bench;
    uint16_t source;
};

static void on_reports(void *user, const struct ble_report *reports, size_t count, usec_t now)
{
    struct sink *sink = user;

    sink->bench->seen += count;
    device_table_observe(sink->bench->table, sink->source, reports, count, now);
}

/* ---- making the streams ---- */

static void fill_payload(uint8_t *ret_data, uint32_t device, uint32_t version)
{
    static const uint8_t head[] = {2, 1, 6, 27, 0xff, 0x99, 0x04};

    memset(ret_data, (int) (device & 0xff), PAYLOAD);
    memcpy(ret_data, head, sizeof head);
    memcpy(ret_data + 7, &device, sizeof device);
    memcpy(ret_data + 11, &version, sizeof version);
}

static void flush_batch(struct server_session *s, struct buffer *octets,
                        const struct ble_report *reports, size_t count)
{
    const struct message m = {.type = MESSAGE_RAW_ADVERTISEMENTS_RESPONSE,
                              .raw_advertisements = {reports, count}};
    size_t size;
    const uint8_t *out;

    if (server_session_send(s, &m) < 0)
        abort();
    out = server_session_output(s, &size);
    buffer_append(octets, out, size);
    server_session_sent(s, size);
}

static void make_stream(struct bench *b, struct stream *stream, struct sink *sink,
                        bool is_encrypted, unsigned changed_percent)
{
    const struct client_session_callbacks client_callbacks = {.on_reports = on_reports};
    const struct server_session_callbacks server_callbacks = {0};
    struct client_session_options client = {.client_info = "bench", .is_encrypted = is_encrypted};
    struct server_session_options server = {
            .name = "bench",
            .server_info = "bench",
            .api_major = 1,
            .api_minor = 14,
            .is_encrypted = is_encrypted,
            .output_limit = 1 << 20,
            .device_info = {.mac_address = {"00:00:00:00:00:01", 17},
                            .bluetooth_proxy_feature_flags = 0x21}};
    uint8_t payloads[BATCH][PAYLOAD];
    struct ble_report reports[BATCH];
    uint64_t dice = UINT64_C(88172645463325252) + stream->source;
    uint32_t versions[DEVICES] = {0};
    struct server_session *s;
    size_t count = 0;

    client.ephemeral[0] = 1;
    server.ephemeral[0] = 2;
    s = server_session_new(&server, &server_callbacks, NULL, b->now);
    stream->session = client_session_new(&client, &client_callbacks, sink, b->now);
    wire_converse(stream->session, s, b->now);
    for (int round = 0; round < ROUNDS; round++) {
        for (uint32_t d = 0; d < DEVICES; d++) {
            if ((stream->source + PROXIES - d % PROXIES) % PROXIES >= HEARD_BY)
                continue;
            versions[d] += next_random(&dice) % 100 < changed_percent;
            fill_payload(payloads[count], d, versions[d]);
            reports[count] = (struct ble_report){
                    .address = UINT64_C(0xC00000000000) + d * UINT64_C(7919),
                    .address_type = 1,
                    .data = payloads[count],
                    .size = PAYLOAD,
                    .rssi = (int8_t) (-50 - (int) (next_random(&dice) % 40)),
            };
            if (++count == BATCH) {
                flush_batch(s, &stream->octets, reports, count);
                count = 0;
            }
        }
    }
    server_session_free(s);
}

/* ---- running them ---- */

static void run_stream(struct bench *b, struct stream *stream)
{
    /* a slice a turn, as if read from the socket with a full buffer */
    size_t room, size = buffer_size(&stream->octets);
    uint8_t *in = client_session_input(stream->session, &room);

    size = size < room ? size : room;
    memcpy(in, buffer_front(&stream->octets), size);
    buffer_consume(&stream->octets, size);
    if (client_session_received(stream->session, size, b->now) != 0)
        abort();
}

static double run_once(bool is_encrypted, unsigned changed_percent, uint64_t *ret_reports)
{
    const struct device_table_settings settings = {.devices_max = 50000,
                                                   .forget_after = 3600 * USEC_PER_SEC,
                                                   .forget_private_after = 900 * USEC_PER_SEC,
                                                   .stale_after = 900 * USEC_PER_SEC,
                                                   .quiet_after = 90 * USEC_PER_SEC,
                                                   .margin_db = 16,
                                                   .ewma_alpha = 0.3};
    struct bench b = {.now = USEC_PER_SEC};
    struct sink sinks[PROXIES];
    double started, used;
    bool is_left = true;

    b.table = device_table_new(&settings, NULL, NULL);
    for (uint16_t i = 0; i < PROXIES; i++) {
        sinks[i] = (struct sink){&b, i};
        b.streams[i].source = i;
        device_table_source_online(b.table, i, true, b.now);
        make_stream(&b, &b.streams[i], &sinks[i], is_encrypted, changed_percent);
    }
    started = cpu_seconds();
    while (is_left) {
        is_left = false;
        b.now += 100 * USEC_PER_MSEC;
        for (size_t i = 0; i < PROXIES; i++) {
            if (buffer_size(&b.streams[i].octets) == 0)
                continue;
            run_stream(&b, &b.streams[i]);
            is_left = true;
        }
    }
    used = cpu_seconds() - started;
    for (size_t i = 0; i < PROXIES; i++) {
        client_session_free(b.streams[i].session);
        buffer_done(&b.streams[i].octets);
    }
    device_table_free(b.table);
    *ret_reports = b.seen;
    return used;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        bool is_encrypted;
        unsigned changed_percent;
    } cases[] = {{"plaintext, unchanged payloads", false, 0},
                 {"plaintext, 20 % changed", false, 20},
                 {"Noise, 20 % changed", true, 20}};
    bool is_json = argc > 1 && strcmp(argv[1], "--json") == 0;

    (void) printf(is_json ? "{\"unit\":\"ns of CPU per advertisement\",\"cases\":["
                          : "ns of CPU per advertisement, frame to table, without the kernel "
                            "(median, min..max of %d runs)\n",
                  RUNS);
    for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
        double ns[RUNS];
        uint64_t reports = 0;

        for (int r = 0; r < RUNS; r++)
            ns[r] = run_once(cases[c].is_encrypted, cases[c].changed_percent, &reports) * 1e9 /
                    (double) reports;
        qsort(ns, RUNS, sizeof ns[0], compare);
        if (is_json)
            (void) printf("%s{\"name\":\"%s\",\"median\":%.1f,\"min\":%.1f,\"max\":%.1f,"
                          "\"advertisements\":%llu}",
                          c ? "," : "", cases[c].name, ns[RUNS / 2], ns[0], ns[RUNS - 1],
                          (unsigned long long) reports);
        else
            (void) printf("%-32s %7.1f  %6.1f..%.1f\n", cases[c].name, ns[RUNS / 2], ns[0],
                          ns[RUNS - 1]);
    }
    (void) printf(is_json ? "]}\n" : "");
    return 0;
}
