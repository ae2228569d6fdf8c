/* How much CPU a simulated hour costs the device table: 30 proxies, 2,000 devices, 5,000
 * advertisements a second.
 *
 * Each device is heard by 3 proxies. A message each 100 ms brings what a proxy heard meanwhile, one
 * payload in ten is new, and the RSSI is noisy. Every fourth device changes its address each 15
 * minutes, as phones do, so that rows come and go. Deadlines are kept. Making the packets is
 * measured alone and taken off. Prints a line, with --json as JSON; thread CPU time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "scan/device_table.h"

#define DEVICES       2000
#define PROXIES       30
#define HEARD_BY      3
#define PER_SECOND    5000
#define SECONDS       3600
#define TICK          (100 * USEC_PER_MSEC)
#define TICKS         (SECONDS * 10)
#define NEAR          (DEVICES * HEARD_BY / PROXIES) /* devices that a proxy hears */
#define PAYLOAD       31
#define RENEWED_EVERY 4
#define RENEWED_AFTER (900 * 10) /* ticks */

struct subject {
    uint64_t address;
    uint8_t payload[PAYLOAD];
};

struct hour {
    struct device_table *table; /* NULL: only the packets are made */
    struct subject *devices;
    uint64_t dice, reports, changes;
    usec_t now;
};

static uint64_t draw(struct hour *h)
{
    h->dice ^= h->dice << 13;
    h->dice ^= h->dice >> 7;
    h->dice ^= h->dice << 17;
    return h->dice;
}

static double cpu_seconds(void)
{
    struct timespec t;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void on_change(void *user, const struct device_change *change)
{
    struct hour *h = user;

    (void) change;
    h->changes++;
}

static void make_devices(struct hour *h)
{
    static const uint8_t head[] = {2, 1, 6, 27, 0xff, 0x99, 0x04};

    for (uint32_t d = 0; d < DEVICES; d++) {
        struct subject *s = &h->devices[d];

        s->address = UINT64_C(0xC00000000000) + d * UINT64_C(7919);
        memset(s->payload, (int) (d & 0xff), PAYLOAD);
        memcpy(s->payload, head, sizeof head);
    }
}

/* What phones do. */
static void renew_addresses(struct hour *h)
{
    for (uint32_t d = 0; d < DEVICES; d += RENEWED_EVERY)
        h->devices[d].address = UINT64_C(0x400000000000) | draw(h) >> 18;
}

static struct ble_report make_report(struct hour *h, uint32_t proxy)
{
    uint64_t roll = draw(h);
    uint32_t d = (uint32_t) (roll % NEAR) * PROXIES / HEARD_BY + proxy / HEARD_BY;
    struct subject *s = &h->devices[d];
    unsigned noise = (unsigned) (roll >> 32) % 13;

    if ((roll >> 40) % 10 == 0)
        memcpy(s->payload + 7, &roll, sizeof roll);
    return (struct ble_report){
            .address = s->address,
            .address_type = 1,
            .data = s->payload,
            .size = PAYLOAD,
            .rssi = (int8_t) (-(int) (55 + proxy % HEARD_BY * 6 + noise)),
    };
}

static void hear(struct hour *h, uint32_t proxy)
{
    /* a third of them get one more, so that all are heard so often in a second */
    size_t count = PER_SECOND / 10 / PROXIES + (proxy % 3 != 0);
    struct ble_report reports[PER_SECOND / 10 / PROXIES + 1];

    for (size_t i = 0; i < count; i++)
        reports[i] = make_report(h, proxy);
    h->reports += count;
    if (h->table)
        device_table_observe(h->table, (uint16_t) proxy, reports, count, h->now);
}

/* Returns the CPU seconds. */
static double pass_an_hour(struct hour *h)
{
    double started = cpu_seconds();

    for (uint32_t tick = 1; tick <= TICKS; tick++) {
        h->now += TICK;
        if (tick % RENEWED_AFTER == 0)
            renew_addresses(h);
        for (uint32_t proxy = 0; proxy < PROXIES; proxy++)
            hear(h, proxy);
        if (h->table && device_table_deadline(h->table) <= h->now)
            device_table_advance(h->table, h->now);
    }
    return cpu_seconds() - started;
}

static double run(bool has_table, struct hour *ret_hour, struct device_table_statistics *ret_counts)
{
    const struct device_table_settings settings = {.devices_max = 10000,
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
    struct hour h = {.dice = UINT64_C(88172645463325252), .now = USEC_PER_SEC};
    double used;

    h.devices = xnew(struct subject, DEVICES);
    make_devices(&h);
    if (has_table) {
        h.table = device_table_new(&settings, on_change, &h);
        for (uint16_t proxy = 0; proxy < PROXIES; proxy++)
            device_table_source_online(h.table, proxy, true, h.now);
    }
    used = pass_an_hour(&h);
    if (has_table)
        device_table_get_statistics(h.table, ret_counts);
    device_table_free(h.table);
    free(h.devices);
    *ret_hour = h;
    return used;
}

int main(int argc, char **argv)
{
    bool is_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    struct device_table_statistics counts;
    struct hour h;
    double making = run(false, &h, NULL), all = run(true, &h, &counts);

    (void) printf(is_json ? "{\"cpu_seconds\":%.2f,\"advertisements\":%llu,\"ns_each\":%.1f,"
                            "\"changes\":%llu,\"forgotten\":%llu}\n"
                          : "an hour costs %.2f s of CPU: %llu advertisements, %.1f ns each; "
                            "%llu changes told, %llu devices forgotten\n",
                  all - making, (unsigned long long) h.reports,
                  (all - making) * 1e9 / (double) h.reports, (unsigned long long) h.changes,
                  (unsigned long long) counts.forgotten);
    return 0;
}
