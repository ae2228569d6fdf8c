/* The story: a server's and a client's session shake hands for each proxy; the server's side writes
 * all that the proxy will ever say into a buffer, and goes. Later each client's session is fed a
 * slice a turn, as if read from a socket with a full buffer, until the buffers are empty. */
#include "ingest.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "esphome/client_session.h"
#include "esphome/server_session.h"
#include "recorder/recorder.h"
#include "scan/device_table.h"
#include "wire.h"

#define DEVICES  1000
#define PROXIES  20
#define HEARD_BY 3
#define BATCH    16
#define PAYLOAD  31

struct stream {            /* of one proxy */
    struct ingest *ingest; /* borrowed, the owner */
    struct buffer octets;  /* what it sends, as it is on the wire */
    struct client_session *session;
    uint16_t source;
};

struct ingest {
    struct device_table *table;
    struct recorder *recorder; /* NULL: nothing is recorded */
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

static void on_reports(void *user, const struct ble_report *reports, size_t count, usec_t now)
{
    struct stream *stream = user;

    stream->ingest->seen += count;
    if (stream->ingest->recorder)
        recorder_advertisements(stream->ingest->recorder, stream->source, reports, count, now);
    device_table_observe(stream->ingest->table, stream->source, reports, count, now);
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

static void make_stream(struct stream *stream, bool is_encrypted, unsigned changed_percent,
                        unsigned rounds)
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
    usec_t now = stream->ingest->now;
    size_t count = 0;

    client.ephemeral[0] = 1;
    server.ephemeral[0] = 2;
    s = server_session_new(&server, &server_callbacks, NULL, now);
    stream->session = client_session_new(&client, &client_callbacks, stream, now);
    wire_converse(stream->session, s, now);
    for (unsigned round = 0; round < rounds; round++) {
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

static void run_stream(struct stream *stream, usec_t now)
{
    size_t room, size = buffer_size(&stream->octets);
    uint8_t *in = client_session_input(stream->session, &room);

    size = size < room ? size : room;
    memcpy(in, buffer_front(&stream->octets), size);
    buffer_consume(&stream->octets, size);
    if (client_session_received(stream->session, size, now) != 0)
        abort();
}

struct ingest *ingest_new(bool is_encrypted, unsigned changed_percent, unsigned rounds)
{
    const struct device_table_settings settings = {.devices_max = 50000,
                                                   .forget_after = 3600 * USEC_PER_SEC,
                                                   .forget_private_after = 900 * USEC_PER_SEC,
                                                   .stale_after = 900 * USEC_PER_SEC,
                                                   .quiet_after = 90 * USEC_PER_SEC,
                                                   .tell_after = 100 * USEC_PER_MSEC,
                                                   .margin_db = 16,
                                                   .reclaim_db = 6,
                                                   .ewma_alpha = 0.3,
                                                   .strong_dbm = -70,
                                                   .roam_factor = 1.5,
                                                   .gone_factor = 2.5};
    struct ingest *i = xnew(struct ingest, 1);

    i->now = USEC_PER_SEC;
    i->table = device_table_new(&settings, NULL, NULL);
    for (uint16_t source = 0; source < PROXIES; source++) {
        struct stream *stream = &i->streams[source];

        stream->ingest = i;
        stream->source = source;
        device_table_source_online(i->table, source, true, i->now);
        make_stream(stream, is_encrypted, changed_percent, rounds);
    }
    return i;
}

void ingest_record(struct ingest *i)
{
    const struct recorder_settings settings = {(size_t) 32 << 20, 3600 * USEC_PER_SEC, 0};

    i->recorder = recorder_new(&settings, NULL, NULL, i->now, 0);
}

void ingest_free(struct ingest *i)
{
    for (size_t source = 0; source < PROXIES; source++) {
        client_session_free(i->streams[source].session);
        buffer_done(&i->streams[source].octets);
    }
    device_table_free(i->table);
    recorder_free(i->recorder);
    free(i);
}

__attribute__((noinline)) uint64_t ingest_run(struct ingest *i)
{
    bool is_left = true;

    while (is_left) {
        is_left = false;
        i->now += 100 * USEC_PER_MSEC;
        for (size_t source = 0; source < PROXIES; source++) {
            if (buffer_size(&i->streams[source].octets) == 0)
                continue;
            run_stream(&i->streams[source], i->now);
            is_left = true;
        }
    }
    return i->seen;
}
