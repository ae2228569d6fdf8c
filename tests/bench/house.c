/* The story: each device has a place and a rhythm, by its number; second by second, each proxy gets
 * one batch of what it would hear. The batches are made beforehand, so that a run is nothing but
 * the table's work. */
#include "house.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "scan/device_table.h"

#define SECONDS     3600
#define ROOMS       8 /* a proxy in each */
#define RESIDENTS   64
#define WALKERS     6
#define SLEEPERS    12
#define PASSERS     600
#define PASSER_STAY 60
#define REPORTS_MAX 200000
#define PAYLOAD     31

#define AWAY_ROOM  3
#define AWAY_BEGIN 1200
#define AWAY_END   1500

struct batch { /* what one proxy hears in one second */
    struct ble_report *reports;
    size_t count;
};

struct house {
    struct device_table *table;
    struct batch batches[SECONDS][ROOMS];
    struct ble_report *reports;
    uint8_t (*payloads)[PAYLOAD];
    size_t reports_count;
    uint64_t dice;
    size_t changes[5]; /* by bit of enum device_change_kind */
};

/* A device in one second. */
struct presence {
    uint64_t address;
    unsigned number;
    unsigned version; /* of its payload */
    int room, reach;  /* proxies up to so many rooms away hear it */
    bool is_heard;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- who is where, and when ---- */

static struct presence resident(unsigned number, unsigned second)
{
    return (struct presence){
            .address = UINT64_C(0xa4c138000000) + number * UINT64_C(7919),
            .number = number,
            .version = second / 50,
            .room = (int) (number % ROOMS),
            .reach = 1,
            .is_heard = second % 10 == number % 10,
    };
}

/* From one end of the house to the other and back, a room every 40 s. */
static struct presence walker(unsigned number, unsigned second)
{
    unsigned step = (second / 40 + number) % (2 * ROOMS - 2);

    return (struct presence){
            .address = UINT64_C(0xd0f018000000) + number * UINT64_C(104729),
            .number = number,
            .room = (int) (step < ROOMS ? step : 2 * ROOMS - 2 - step),
            .reach = 2,
            .is_heard = second % 2 == number % 2,
    };
}

/* Two minutes of every twenty: long enough to be missed between them. */
static struct presence sleeper(unsigned number, unsigned second)
{
    unsigned hour = second + 60 * number;

    return (struct presence){
            .address = UINT64_C(0x582d34000000) + number * UINT64_C(15485863),
            .number = number,
            .version = second / 1200,
            .room = (int) (number * 3 % ROOMS),
            .reach = 2,
            .is_heard = hour % 1200 < 120 && hour % 3 == 0,
    };
}

/* Private addresses: in the front rooms for a minute, and never again. */
static struct presence passer(unsigned number, unsigned second)
{
    unsigned since = second - number * (SECONDS / PASSERS);

    return (struct presence){
            .address = UINT64_C(0x400000000000) + number * UINT64_C(982451653),
            .number = number,
            .room = (int) (number % 2),
            .reach = 1,
            .is_heard = since < PASSER_STAY && since % 5 == 0,
    };
}

/* ---- making what is heard ---- */

static void fill_payload(uint8_t *ret_data, const struct presence *p)
{
    static const uint8_t named[] = {2,   1,   6,   9,   9,  's',  'e',  'n', 's',
                                    'o', 'r', '-', 'x', 17, 0xff, 0x99, 0x04};
    const uint32_t facts[] = {p->number, p->version};

    memset(ret_data, (int) (p->number & 0xff), PAYLOAD);
    memcpy(ret_data, named, sizeof named);
    ret_data[12] = (uint8_t) ('a' + p->number % 26);
    memcpy(ret_data + sizeof named, facts, sizeof facts);
}

static void hear(struct house *h, struct batch *batch, const struct presence *p, int room)
{
    int distance = abs(p->room - room);
    struct ble_report *report = &h->reports[h->reports_count];

    if (!p->is_heard || distance > p->reach)
        return;
    assert(h->reports_count < REPORTS_MAX);
    fill_payload(h->payloads[h->reports_count], p);
    *report = (struct ble_report){
            .address = p->address,
            .address_type = 1,
            .data = h->payloads[h->reports_count],
            .size = PAYLOAD,
            .rssi = (int8_t) (-45 - 12 * distance - (int) (next_random(&h->dice) % 9)),
    };
    if (batch->count++ == 0)
        batch->reports = report;
    h->reports_count++;
}

static void fill_batch(struct house *h, unsigned second, int room)
{
    static const struct {
        struct presence (*at)(unsigned number, unsigned second);
        unsigned count;
    } kinds[] = {{resident, RESIDENTS}, {walker, WALKERS}, {sleeper, SLEEPERS}, {passer, PASSERS}};

    if (room == AWAY_ROOM && second >= AWAY_BEGIN && second < AWAY_END)
        return;
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        for (unsigned number = 0; number < kinds[k].count; number++) {
            struct presence p = kinds[k].at(number, second);

            hear(h, &h->batches[second][room], &p, room);
        }
    }
}

/* ---- living through it ---- */

static void on_change(void *user, const struct device_change *change)
{
    struct house *h = user;

    for (size_t bit = 0; bit < ARRAY_SIZE(h->changes); bit++)
        h->changes[bit] += change->kinds >> bit & 1;
}

static usec_t moment(unsigned second)
{
    return (usec_t) (1000 + second) * USEC_PER_SEC;
}

struct house *house_new(void)
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
                                                   .gone_factor = 2.5,
                                                   .hash_seed = 0x5eed};
    struct house *h = xnew(struct house, 1);

    h->dice = UINT64_C(88172645463325252);
    h->reports = xnew(struct ble_report, REPORTS_MAX);
    h->payloads = memory_zalloc(REPORTS_MAX, PAYLOAD);
    for (unsigned second = 0; second < SECONDS; second++) {
        for (int room = 0; room < ROOMS; room++)
            fill_batch(h, second, room);
    }
    h->table = device_table_new(&settings, on_change, h);
    for (uint16_t room = 0; room < ROOMS; room++)
        device_table_source_online(h->table, room, true, moment(0));
    return h;
}

void house_free(struct house *h)
{
    device_table_free(h->table);
    free(h->payloads);
    free(h->reports);
    free(h);
}

__attribute__((noinline)) void house_run(struct house *h)
{
    for (unsigned second = 0; second < SECONDS; second++) {
        usec_t now = moment(second);

        if (second == AWAY_BEGIN || second == AWAY_END)
            device_table_source_online(h->table, AWAY_ROOM, second == AWAY_END, now);
        for (uint16_t room = 0; room < ROOMS; room++) {
            const struct batch *batch = &h->batches[second][room];

            if (batch->count > 0)
                device_table_observe(h->table, room, batch->reports, batch->count, now);
        }
        if (device_table_deadline(h->table) <= now)
            device_table_advance(h->table, now);
    }
}

void house_report(const struct house *h, FILE *out)
{
    static const char *const names[] = {"first seen", "payload", "owner", "availability",
                                        "forgotten"};

    (void) fprintf(out, "%zu reports", h->reports_count);
    for (size_t bit = 0; bit < ARRAY_SIZE(names); bit++) {
        assert(h->changes[bit] >= 10);
        (void) fprintf(out, ", %zu %s", h->changes[bit], names[bit]);
    }
    (void) fprintf(out, "\n");
}
