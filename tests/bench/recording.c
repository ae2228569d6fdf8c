/* The story: a device has a payload; when the dice say so it gets another before it is sent. The
 * proxies that hear the device note it with the loudness of the place and a little noise. Payloads
 * are kept once for all proxies. Failure modes: none but memory. */
#include "recording.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "esphome/advertisements.h"

#define PAYLOAD         31
#define CHANGED_PERCENT 20
#define APPLE_ONE_IN    20

struct heard { /* by one proxy */
    struct ble_report *reports;
    size_t count;
    struct buffer bodies;
    size_t *ends; /* of each batch's body */
};

struct recording {
    struct recording_settings settings;
    uint8_t (*payloads)[PAYLOAD]; /* of each transmission */
    struct heard *heard;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void fill_payload(uint8_t ret_payload[PAYLOAD], uint32_t device, uint32_t version)
{
    static const uint8_t apple[] = {2, 1, 6, 27, 0xff, 76, 0, 0x09};
    static const uint8_t maker[] = {2, 1, 6, 27, 0xff, 0x99, 0x04};
    static const uint8_t service[] = {2, 1, 6, 27, 0x16, 0xd2, 0xfc, 0x40};

    memset(ret_payload, (int) (device & 0xff), PAYLOAD);
    if (device % APPLE_ONE_IN == 0)
        memcpy(ret_payload, apple, sizeof apple);
    else if (device % 2)
        memcpy(ret_payload, maker, sizeof maker);
    else
        memcpy(ret_payload, service, sizeof service);
    memcpy(ret_payload + 8, &device, sizeof device);
    memcpy(ret_payload + 12, &version, sizeof version);
}

static bool is_random(uint32_t device)
{
    return device % 4 < 2;
}

/* Public addresses of one maker, and static random ones. */
static uint64_t address_of(uint32_t device)
{
    return is_random(device) ? UINT64_C(0xC00000000000) + device * UINT64_C(7919)
                             : UINT64_C(0xA4C138000000) + device;
}

/* -50 to -85 dBm by device and proxy, and up to 3 dB of noise both ways. */
static int8_t loudness(uint32_t device, size_t proxy, uint64_t dice)
{
    return (int8_t) (-50 - (int) ((device * 7 + proxy * 13) % 36) + (int) (dice % 7) - 3);
}

static void hear(struct recording *r, size_t proxy, uint32_t device, const uint8_t *payload,
                 uint64_t dice)
{
    struct heard *h = &r->heard[proxy];

    h->reports[h->count++] = (struct ble_report){
            .address = address_of(device),
            .address_type = is_random(device),
            .data = payload,
            .size = PAYLOAD,
            .rssi = loudness(device, proxy, dice),
    };
}

static void make_reports(struct recording *r)
{
    const struct recording_settings *s = &r->settings;
    uint32_t *versions = xnew(uint32_t, s->devices);
    uint64_t dice = UINT64_C(88172645463325252);
    uint8_t(*payload)[PAYLOAD] = r->payloads;

    for (size_t round = 0; round < s->rounds; round++) {
        for (uint32_t device = 0; device < s->devices; device++, payload++) {
            versions[device] += next_random(&dice) % 100 < CHANGED_PERCENT;
            fill_payload(*payload, device, versions[device]);
            for (size_t i = 0; i < s->heard_by; i++)
                hear(r, (device + i) % s->proxies, device, *payload, next_random(&dice));
        }
    }
    free(versions);
}

static void make_bodies(struct heard *h)
{
    size_t batches = h->count / RECORDING_BATCH;

    h->ends = xnew(size_t, batches);
    for (size_t i = 0; i < batches; i++) {
        advertisements_encode(h->reports + i * RECORDING_BATCH, RECORDING_BATCH, &h->bodies);
        h->ends[i] = buffer_size(&h->bodies);
    }
}

struct recording *recording_new(const struct recording_settings *settings)
{
    struct recording *r = xnew(struct recording, 1);
    size_t transmissions = settings->rounds * settings->devices;

    r->settings = *settings;
    r->payloads = memory_zalloc(transmissions, sizeof *r->payloads);
    r->heard = xnew(struct heard, settings->proxies);
    for (size_t i = 0; i < settings->proxies; i++)
        r->heard[i].reports = xnew(struct ble_report, transmissions);
    make_reports(r);
    for (size_t i = 0; i < settings->proxies; i++)
        make_bodies(&r->heard[i]);
    return r;
}

void recording_free(struct recording *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->settings.proxies; i++) {
        free(r->heard[i].reports);
        free(r->heard[i].ends);
        buffer_done(&r->heard[i].bodies);
    }
    free(r->heard);
    free(r->payloads);
    free(r);
}

size_t recording_batches(const struct recording *r, size_t proxy)
{
    return r->heard[proxy].count / RECORDING_BATCH;
}

const struct ble_report *recording_reports(const struct recording *r, size_t proxy, size_t batch)
{
    return r->heard[proxy].reports + batch * RECORDING_BATCH;
}

struct bytes recording_body(const struct recording *r, size_t proxy, size_t batch)
{
    const struct heard *h = &r->heard[proxy];
    size_t start = batch > 0 ? h->ends[batch - 1] : 0;

    return (struct bytes){buffer_front(&h->bodies) + start, h->ends[batch] - start};
}
