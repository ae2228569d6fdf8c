/* The story. A record is written behind the end of the open segment, with the time that has passed
 * since the one before. A device that is new to the segment is introduced with a record of its own
 * and gets the next number; a small hash table finds that number again, and with it what the
 * device's last four payloads are known by. One of them is mostly what it says now, and then a
 * reference is written. Sources are introduced in the same way.
 *
 * When a record might not fit, or too many devices were introduced, the segment is done: the next
 * begins with the settings, and the oldest is dropped if the ring is full or it is too old.
 *
 * Failure modes: a segment that is dropped while somebody holds it leaves the ring at once, and its
 * memory when it is released. */
#include "recorder.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define RECORD_MAX     512 /* the longest record with its introductions, settings excepted */
#define SLOTS_BITS     13
#define SLOTS          (1u << SLOTS_BITS) /* twice the devices */
#define ADDRESS_BITS   48                 /* of a key; above them is the type */
#define SEGMENTS_MIN   2
#define ROLLS_PER_KEEP 8 /* a quiet ring still ages in steps of an eighth */

#define ADDRESS_TYPES 4
#define CACHE_LINE    64
#define BATCH         16                           /* reports; a usual one */
#define SPREAD        UINT64_C(0x9e3779b97f4a7c15) /* multiplied by it, all bits reach the upper ones */

enum { BIT_SAME_TIME = 0x10, PLACE_PARSED = 5, PLACE_REFERENCE = 6, PLACE_SAME_SOURCE = 7 };

struct recorder_hold { /* a segment */
    struct recording_segment view;
    struct recorder_hold *next; /* the younger one, or a spare one */
    usec_t last;                /* time of its last record, when it is closed */
    unsigned holders;
    bool is_dropped;
    uint8_t octets[RECORDING_SEGMENT_SIZE];
};

struct known_device { /* a cache line */
    _Alignas(CACHE_LINE) uint64_t key;
    uint64_t told;                       /* sequence number of the segment that has it */
    uint64_t prints[RECORDING_PAYLOADS]; /* of its last payloads; 0: none is there */
    uint16_t number;
    uint8_t newest;
};

static_assert(sizeof(struct known_device) == CACHE_LINE, "asked for at once");

struct known_source {
    uint64_t told; /* sequence number of the segment that has it; 0: none */
    struct recording_source facts;
    uint8_t name[RECORDING_TEXT_MAX], state[RECORDING_TEXT_MAX];
};

struct recorder {
    struct recorder_settings settings;
    recorder_describe_fn *describe;
    void *user;
    size_t segments_max, segments_count;
    struct recorder_hold *oldest, *open, *spare;
    uint64_t sequence;
    usec_t now, wall_at;
    usec_t last;    /* time of the last record in the open segment */
    uint8_t *end;   /* of the records in it */
    uint8_t *limit; /* where they must end for RECORD_MAX more to fit */
    usec_t closes;  /* it is too old then */
    int64_t wall;
    uint16_t last_source;
    char *json;                                          /* settings in force; NULL: none yet */
    struct known_source *sources[RECORDING_SOURCES_MAX]; /* NULL: never told */
    uint32_t devices_count;
    struct known_device *devices; /* a hash table of SLOTS; what another segment has is free */
    void *devices_memory;
    uint64_t records, advertisements, dropped;
};

/* ---- octets ---- */

static uint8_t *put_address(uint8_t *at, uint64_t address)
{
    for (size_t i = 0; i < 6; i++)
        *at++ = (uint8_t) (address >> 8 * i);
    return at;
}

static uint8_t *put_int16(uint8_t *at, int16_t value)
{
    *at++ = (uint8_t) ((uint16_t) value & 0xff);
    *at++ = (uint8_t) ((uint16_t) value >> 8);
    return at;
}

static uint8_t *put_text(uint8_t *at, struct bytes text)
{
    assert(text.size <= RECORDING_TEXT_MAX);
    *at++ = (uint8_t) text.size;
    if (text.size > 0)
        memcpy(at, text.data, text.size);
    return at + text.size;
}

/* ---- segments ---- */

/* What the segment's own size is kept for: those who read it. */
static void close_size(struct recorder *r)
{
    if (!r->open)
        return;
    r->open->view.size = (size_t) (r->end - r->open->octets);
    r->open->last = r->last;
}

static void drop_oldest(struct recorder *r)
{
    struct recorder_hold *s = r->oldest;

    r->oldest = s->next;
    r->segments_count--;
    r->dropped++;
    s->is_dropped = true;
    if (s->holders > 0)
        return;
    s->next = r->spare;
    r->spare = s;
}

static void drop_what_is_old(struct recorder *r)
{
    while (r->oldest != r->open &&
           (r->segments_count >= r->segments_max ||
            (r->now > r->settings.keep && r->oldest->last < r->now - r->settings.keep)))
        drop_oldest(r);
}

/* Writes kind and time of a record, and gives out where it goes on. */
static inline uint8_t *put_head(struct recorder *r, uint8_t head)
{
    uint8_t *at = r->end;
    usec_t passed = r->now - r->last;

    if (passed == 0) {
        *at++ = head | BIT_SAME_TIME;
        return at;
    }
    *at++ = head;
    r->last = r->now;
    return bytes_put_varint(at, passed);
}

/* A record of a kind that says its size. */
static void put_record(struct recorder *r, enum recording_kind kind, const void *body, size_t size)
{
    uint8_t *at = bytes_put_varint(put_head(r, (uint8_t) kind), size);

    r->records++;
    if (size > 0)
        memcpy(at, body, size);
    r->end = at + size;
}

static struct recorder_hold *take_memory(struct recorder *r)
{
    struct recorder_hold *s = r->spare;

    if (s)
        r->spare = s->next;
    else
        s = memory_resize(NULL, 1,
                          sizeof *s); /* not zeroed: pages are touched when they are used */
    return s;
}

__attribute__((noinline)) static void open_segment(struct recorder *r)
{
    struct recorder_hold *s;

    close_size(r);
    if (r->open)
        drop_what_is_old(r);
    s = take_memory(r);
    s->next = NULL;
    s->holders = 0;
    s->is_dropped = false;
    s->view = (struct recording_segment){
            .sequence = ++r->sequence,
            .start = r->now,
            .wall = clock_to_wall(r->now, r->wall_at, r->wall),
            .data = s->octets,
    };
    if (r->open)
        r->open->next = s;
    else
        r->oldest = s;
    r->open = s;
    r->last = r->now;
    r->end = s->octets;
    r->limit = s->octets + RECORDING_SEGMENT_SIZE - RECORD_MAX;
    r->segments_count++;
    r->closes = r->now + r->settings.keep / ROLLS_PER_KEEP;
    r->last_source = RECORDING_NO_SOURCE;
    r->devices_count = 0;
    if (r->json)
        put_record(r, RECORDING_SETTINGS, r->json, strlen(r->json));
}

static bool has_room(const struct recorder *r, size_t size)
{
    return r->end + size <= r->limit + RECORD_MAX && r->devices_count < RECORDING_DEVICES_MAX;
}

/* Before each record: there is room for it after that. */
static void make_room(struct recorder *r, usec_t now, size_t size)
{
    if (now > r->now)
        r->now = now;
    if (!has_room(r, size) || r->now >= r->closes)
        open_segment(r);
}

/* ---- introductions ---- */

static void put_source(struct recorder *r, const struct recording_source *s)
{
    uint8_t body[32 + 2 * RECORDING_TEXT_MAX], *at = bytes_put_varint(body, s->source);

    *at++ = (uint8_t) (s->is_online | s->is_connecting << 1 | s->can_connect << 2 |
                       s->has_mac << 3);
    at = put_address(at, s->mac);
    *at++ = s->scanner_mode;
    *at++ = s->scanner_runs;
    at = put_text(at, s->name);
    at = put_text(at, s->state);
    put_record(r, RECORDING_SOURCE, body, (size_t) (at - body));
}

static struct known_source *get_source(struct recorder *r, uint16_t source)
{
    assert(source < RECORDING_SOURCES_MAX);
    if (!r->sources[source]) {
        r->sources[source] = xnew(struct known_source, 1);
        r->sources[source]->facts.source = source;
    }
    return r->sources[source];
}

static void introduce_source(struct recorder *r, uint16_t source)
{
    struct known_source *s = get_source(r, source);

    if (s->told == r->sequence)
        return;
    s->told = r->sequence;
    put_source(r, &s->facts);
}

static inline uint64_t key_of(uint64_t address, uint8_t type)
{
    return address | (uint64_t) type << ADDRESS_BITS;
}

static inline uint32_t first_slot(const struct recorder *r, uint64_t key)
{
    return (uint32_t) ((key ^ r->settings.hash_seed) * SPREAD >> (64 - SLOTS_BITS));
}

static inline bool is_known(const struct recorder *r, const struct known_device *d)
{
    return d->told == r->sequence;
}

/* The device, or the place where it would be: then it is not known. */
static inline struct known_device *find_device(struct recorder *r, uint64_t key)
{
    uint32_t at = first_slot(r, key);

    while (is_known(r, &r->devices[at]) && r->devices[at].key != key)
        at = (at + 1) & (SLOTS - 1);
    return &r->devices[at];
}

/* Rare, and kept out of the hot path, whose registers it would take; as open_segment(). */
__attribute__((noinline)) static void introduce_device(struct recorder *r, uint64_t address,
                                                       uint8_t type, struct known_device *d)
{
    uint8_t body[32], *at = put_address(body, address);
    struct recording_device facts = {.address = address};

    if (r->describe)
        r->describe(r->user, &facts);
    *at++ = type;
    at = bytes_put_varint(at, facts.is_pinned ? 1 + facts.expected_interval / USEC_PER_MSEC : 0);
    *at++ = facts.has_need;
    put_record(r, RECORDING_DEVICE, body, (size_t) (at - body));
    *d = (struct known_device){.key = key_of(address, type),
                               .told = r->sequence,
                               .number = (uint16_t) r->devices_count++};
}

static inline struct known_device *get_device(struct recorder *r, uint64_t address, uint8_t type)
{
    struct known_device *d = find_device(r, key_of(address, type));

    if (!is_known(r, d))
        introduce_device(r, address, type, d);
    return d;
}

/* The number of the device in the open segment. */
static uint32_t number_of(struct recorder *r, uint64_t address, uint8_t type)
{
    return get_device(r, address, type)->number;
}

/* ---- advertisements ---- */

static inline uint64_t word_at(const uint8_t *octets)
{
    uint64_t word;

    memcpy(&word, octets, sizeof word);
    return word;
}

static uint64_t word_of_few(const uint8_t *octets, size_t size)
{
    uint64_t word = 0;

    for (size_t i = 0; i < size; i++)
        word = word << 8 | octets[i];
    return word;
}

static inline uint64_t mix(uint64_t print, uint64_t word)
{
    print = (print ^ word) * SPREAD;
    return print ^ print >> 32;
}

/* What a payload is known by, of 64 bits and of a seed that nobody knows: two payloads of one
 * device are not taken for the same within the age of the world. The payloads themselves lie
 * somewhere in the segment, and fetching them costs more than all else. Never 0, which is no
 * payload's. */
static inline uint64_t print_of(const struct recorder *r, const struct ble_report *report)
{
    uint64_t print = r->settings.hash_seed + report->size;
    size_t size = report->size;

    if (size < sizeof(uint64_t))
        return mix(print, word_of_few(report->data, size)) | 1;
    for (size_t i = 0; i + sizeof(uint64_t) < size; i += sizeof(uint64_t))
        print = mix(print, word_at(report->data + i));
    return mix(print, word_at(report->data + size - sizeof(uint64_t))) | 1;
}

static_assert(RECORDING_PAYLOADS == 4, "they are compared without a loop");

/* Which of its last payloads it is; RECORDING_PAYLOADS: none. */
static inline unsigned find_print(const struct known_device *d, uint64_t print)
{
    unsigned found = (unsigned) (d->prints[0] == print) | (unsigned) (d->prints[1] == print) << 1 |
                     (unsigned) (d->prints[2] == print) << 2 |
                     (unsigned) (d->prints[3] == print) << 3 | 1u << RECORDING_PAYLOADS;

    return (unsigned) __builtin_ctz(found);
}

/* The first one of a batch: its time, and its source. */
__attribute__((noinline)) static uint8_t *put_batch_head(struct recorder *r, unsigned head,
                                                         uint16_t source)
{
    bool is_same = source == r->last_source;
    uint8_t *at = put_head(r, (uint8_t) (head | (unsigned) is_same << PLACE_SAME_SOURCE));

    r->last_source = source;
    return is_same ? at : bytes_put_varint(at, source);
}

static_assert(RECORDING_DEVICES_MAX <= 1 << 14, "a number has two octets at most");

/* Number, RSSI, and which payload or the size of the new one; the octets behind them are written
 * over. All at once: octet by octet takes twice as long. */
static inline uint8_t *put_body(uint8_t *at, uint32_t number, int8_t rssi, uint8_t last)
{
    uint32_t body = (uint32_t) last << 8 | (uint8_t) rssi;

    if (number < 0x80) {
        bytes_put_le32(at, body << 8 | number);
        return at + 3;
    }
    bytes_put_le32(at, body << 16 | (number >> 7) << 8 | (number & 0x7f) | 0x80);
    return at + 4;
}

static inline void put_advertisement(struct recorder *r, uint16_t source,
                                     const struct ble_report *report, uint64_t print)
{
    struct known_device *d = get_device(r, report->address, report->address_type);
    unsigned which = find_print(d, print);
    bool is_new = which == RECORDING_PAYLOADS;
    unsigned head = RECORDING_ADVERTISEMENT | (unsigned) (report->is_parsed << PLACE_PARSED) |
                    (unsigned) !is_new << PLACE_REFERENCE;
    uint8_t *at = r->end;

    if (source == r->last_source && r->now == r->last)
        *at++ = (uint8_t) (head | BIT_SAME_TIME | 1 << PLACE_SAME_SOURCE);
    else
        at = put_batch_head(r, head, source);
    at = put_body(at, d->number, report->rssi, (uint8_t) (is_new ? report->size : which));
    if (is_new) {
        d->newest = (uint8_t) ((d->newest + 1) % RECORDING_PAYLOADS);
        d->prints[d->newest] = print;
        memcpy(at, report->data, report->size);
        at += report->size;
    }
    r->end = at;
}

/* Asks for what will be read of the devices of a batch, and does meanwhile what does not need it,
 * so that the processor waits once for all and not for each. */
static void look_ahead(const struct recorder *r, const struct ble_report *reports, size_t count,
                       uint64_t ret_prints[BATCH])
{
    for (size_t i = 0; i < count; i++)
        __builtin_prefetch(
                &r->devices[first_slot(r, key_of(reports[i].address, reports[i].address_type))], 1);
    for (size_t i = 0; i < count; i++)
        ret_prints[i] = print_of(r, &reports[i]);
}

static void put_batch(struct recorder *r, uint16_t source, const struct ble_report *reports,
                      size_t count)
{
    uint64_t prints[BATCH];

    look_ahead(r, reports, count, prints);
    for (size_t i = 0; i < count; i++) {
        if (r->end > r->limit || r->devices_count == RECORDING_DEVICES_MAX)
            open_segment(r);
        if (source != r->last_source)
            introduce_source(r, source);
        put_advertisement(r, source, &reports[i], prints[i]);
    }
    r->records += count;
    r->advertisements += count;
}

static struct known_device *new_devices(void **ret_memory)
{
    uint8_t *memory = memory_zalloc(SLOTS + 1, sizeof(struct known_device));

    *ret_memory = memory;
    return (struct known_device *) (memory + CACHE_LINE - (uintptr_t) memory % CACHE_LINE);
}

/* ---- the door ---- */

struct recorder *recorder_new(const struct recorder_settings *settings,
                              recorder_describe_fn *describe, void *user, usec_t now, int64_t wall)
{
    struct recorder *r = xnew(struct recorder, 1);

    r->settings = *settings;
    r->describe = describe;
    r->user = user;
    r->devices = new_devices(&r->devices_memory);
    r->segments_max = settings->bytes_max / sizeof(struct recorder_hold);
    if (r->segments_max < SEGMENTS_MIN)
        r->segments_max = SEGMENTS_MIN;
    r->now = now;
    recorder_set_wall(r, now, wall);
    open_segment(r);
    return r;
}

void recorder_set_keep(struct recorder *r, usec_t keep)
{
    r->settings.keep = keep;
}

static void free_segments(struct recorder_hold *s)
{
    while (s) {
        struct recorder_hold *next = s->next;

        assert(s->holders == 0);
        free(s);
        s = next;
    }
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    free_segments(r->oldest);
    free_segments(r->spare);
    for (size_t i = 0; i < RECORDING_SOURCES_MAX; i++)
        free(r->sources[i]);
    free(r->devices_memory);
    free(r->json);
    free(r);
}

void recorder_set_wall(struct recorder *r, usec_t now, int64_t wall)
{
    r->wall_at = now;
    r->wall = wall;
}

void recorder_advertisements(struct recorder *r, uint16_t source, const struct ble_report *reports,
                             size_t count, usec_t now)
{
    make_room(r, now, RECORD_MAX);
    while (count > 0) {
        size_t batch = count < BATCH ? count : BATCH;

        put_batch(r, source, reports, batch);
        reports += batch;
        count -= batch;
    }
}

/* Introduced anew under each of its types, or under any when the segment does not know it: the
 * table changes what it does whether the device is heard or not. Its old numbers are left behind,
 * nothing names them any more. */
void recorder_device(struct recorder *r, uint64_t address, usec_t now)
{
    bool is_told = false;

    for (uint8_t type = 0; type < ADDRESS_TYPES; type++) {
        uint64_t sequence = r->sequence;
        struct known_device *d;

        make_room(r, now, RECORD_MAX);
        d = find_device(r, key_of(address, type));
        is_told &= sequence == r->sequence;
        if (!is_known(r, d))
            continue;
        introduce_device(r, address, type, d);
        is_told = true;
    }
    if (!is_told)
        (void) number_of(r, address, 0);
}

static struct bytes keep_text(uint8_t storage[RECORDING_TEXT_MAX], struct bytes text)
{
    size_t size = text.size < RECORDING_TEXT_MAX ? text.size : RECORDING_TEXT_MAX;

    if (size > 0)
        memcpy(storage, text.data, size);
    return (struct bytes){storage, size};
}

void recorder_source(struct recorder *r, const struct recording_source *source, usec_t now)
{
    struct known_source *s = get_source(r, source->source);

    make_room(r, now, RECORD_MAX);
    s->facts = *source;
    s->facts.name = keep_text(s->name, source->name);
    s->facts.state = keep_text(s->state, source->state);
    s->told = 0;
    introduce_source(r, source->source);
}

void recorder_source_gone(struct recorder *r, uint16_t source, usec_t now)
{
    uint8_t body[BYTES_VARINT_MAX], *end = bytes_put_varint(body, source);

    assert(source < RECORDING_SOURCES_MAX);
    make_room(r, now, RECORD_MAX);
    put_record(r, RECORDING_SOURCE_GONE, body, (size_t) (end - body));
    free(TAKE(r->sources[source]));
}

static uint8_t *put_optional_source(uint8_t *at, uint16_t source)
{
    return bytes_put_varint(at, source == RECORDING_NO_SOURCE ? 0 : source + 1u);
}

static void introduce_if_any(struct recorder *r, uint16_t source)
{
    if (source != RECORDING_NO_SOURCE)
        introduce_source(r, source);
}

void recorder_change(struct recorder *r, const struct recording_change *c, usec_t now)
{
    uint8_t body[64], *at = body;

    make_room(r, now, 3 * RECORD_MAX);
    introduce_if_any(r, c->source);
    at = bytes_put_varint(at, number_of(r, c->address, c->address_type));
    at = bytes_put_varint(at, c->kinds);
    at = put_optional_source(at, c->source);
    *at++ = c->is_available;
    if (c->has_owner) {
        introduce_if_any(r, c->owner_from);
        introduce_if_any(r, c->owner_to);
        at = put_optional_source(at, c->owner_from);
        at = put_optional_source(at, c->owner_to);
        *at++ = c->why;
        at = put_int16(at, c->rssi_from);
        at = put_int16(at, c->rssi_to);
    }
    put_record(r, RECORDING_CHANGE, body, (size_t) (at - body));
}

void recorder_tick(struct recorder *r, usec_t now)
{
    make_room(r, now, RECORD_MAX);
    put_record(r, RECORDING_TICK, NULL, 0);
}

void recorder_set_settings(struct recorder *r, const char *json, usec_t now)
{
    size_t size = strlen(json);

    assert(size <= RECORDING_SETTINGS_MAX);
    make_room(r, now, size + RECORD_MAX);
    free(r->json);
    r->json = memory_copy_text(json);
    put_record(r, RECORDING_SETTINGS, json, size);
}

void recorder_window(struct recorder *r, const struct recording_window *w, usec_t now)
{
    uint8_t body[48], *at = bytes_put_varint(body, w->id);

    make_room(r, now, 2 * RECORD_MAX);
    introduce_if_any(r, w->source);
    at = put_optional_source(at, w->source);
    *at++ = w->action;
    *at++ = w->state;
    *at++ = w->cause;
    at = bytes_put_varint(at, w->answered);
    put_record(r, RECORDING_WINDOW, body, (size_t) (at - body));
}

void recorder_command(struct recorder *r, const struct recording_command *c, usec_t now)
{
    uint8_t body[32], *at = body;

    make_room(r, now, 3 * RECORD_MAX);
    at = bytes_put_varint(at, number_of(r, c->address, 0));
    *at++ = (uint8_t) c->what;
    if (c->what == RECORDING_COVERED) {
        introduce_source(r, c->source);
        at = bytes_put_varint(at, c->source);
    }
    put_record(r, RECORDING_COMMAND, body, (size_t) (at - body));
}

void recorder_restored(struct recorder *r, const struct recording_restored *d, usec_t now)
{
    uint8_t body[RECORDING_RESTORED_MAX + BYTES_VARINT_MAX], *at = body;

    assert(d->facts.size <= RECORDING_RESTORED_MAX);
    make_room(r, now, sizeof body + 2 * RECORD_MAX);
    at = bytes_put_varint(at, number_of(r, d->address, d->address_type));
    memcpy(at, d->facts.data, d->facts.size);
    put_record(r, RECORDING_RESTORED, body, (size_t) (at - body) + d->facts.size);
}

void recorder_attempt(struct recorder *r, const struct recording_attempt *a, usec_t now)
{
    uint8_t body[64 + RECORDING_TEXT_MAX], *at = put_address(body, a->address);

    make_room(r, now, 2 * RECORD_MAX);
    introduce_source(r, a->source);
    at = bytes_put_varint(at, a->source);
    at = bytes_put_varint(at, a->duration);
    *at++ = a->result;
    at = put_text(at, a->code);
    *at++ = a->has_reason;
    bytes_put_le32(at, (uint32_t) a->reason);
    at = put_int16(at + 4, a->score);
    for (size_t i = 0; i < RECORDING_TERMS; i++)
        at = put_int16(at, a->terms[i]);
    put_record(r, RECORDING_ATTEMPT, body, (size_t) (at - body));
}

struct recorder_hold *recorder_take(struct recorder *r, uint64_t from,
                                    struct recording_segment *ret_segment)
{
    struct recorder_hold *s = r->oldest;

    while (s && s->view.sequence < from)
        s = s->next;
    if (!s)
        return NULL;
    close_size(r);
    s->holders++;
    *ret_segment = s->view;
    return s;
}

void recorder_release(struct recorder *r, struct recorder_hold *hold)
{
    (void) r;
    if (!hold || --hold->holders > 0 || !hold->is_dropped)
        return;
    free(hold);
}

void recorder_get_status(const struct recorder *r, struct recorder_status *ret_status)
{
    size_t segments = r->segments_count, bytes = (size_t) (r->end - r->open->octets);

    for (const struct recorder_hold *s = r->oldest; s != r->open; s = s->next)
        bytes += s->view.size;
    for (const struct recorder_hold *s = r->spare; s; s = s->next)
        segments++;
    *ret_status = (struct recorder_status){
            .bytes = bytes,
            .oldest = r->records > 0 ? r->oldest->view.start : 0,
            .records = r->records,
            .advertisements = r->advertisements,
            .dropped = r->dropped,
            .memory_bytes = sizeof *r + (SLOTS + 1) * sizeof *r->devices +
                            segments * sizeof(struct recorder_hold),
    };
}
