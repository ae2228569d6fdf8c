/* The story. A record is written behind the end of the open segment, with the time that has passed
 * since the one before. A device that is new to the segment is introduced with a record of its own
 * and gets the next number; a small hash table finds that number again, and with it the places in
 * the segment of the device's last four payloads. One of them is mostly what it says now, and then
 * a reference is written. Sources are introduced in the same way.
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

enum { BIT_SAME_TIME = 0x10, PLACE_PARSED = 5, PLACE_REFERENCE = 6, PLACE_SAME_SOURCE = 7 };

struct recorder_hold { /* a segment */
    struct recording_segment view;
    struct recorder_hold *next; /* the younger one, or a spare one */
    usec_t last;                /* time of its last record */
    unsigned holders;
    bool is_dropped;
    uint8_t octets[RECORDING_SEGMENT_SIZE];
};

struct known_device { /* in the open segment */
    uint64_t key;
    const uint8_t *payloads[RECORDING_PAYLOADS]; /* their sizes, in the segment; NULL: none */
    uint8_t newest;
};

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
    uint8_t *end;  /* of the records in the open segment */
    usec_t closes; /* the open segment is too old then */
    int64_t wall;
    uint16_t last_source;
    char *json;                                          /* settings in force; NULL: none yet */
    struct known_source *sources[RECORDING_SOURCES_MAX]; /* NULL: never told */
    uint32_t devices_count;
    struct known_device devices[RECORDING_DEVICES_MAX];
    uint16_t slots[SLOTS]; /* 1 + number of the device; 0: free */
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
    *at++ = (uint8_t) text.size;
    if (text.size > 0)
        memcpy(at, text.data, text.size);
    return at + text.size;
}

/* ---- segments ---- */

/* What the segment's own size is kept for: those who read it. */
static void close_size(struct recorder *r)
{
    if (r->open)
        r->open->view.size = (size_t) (r->end - r->open->octets);
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
    usec_t passed = r->now - r->open->last;

    if (passed == 0) {
        *at++ = head | BIT_SAME_TIME;
        return at;
    }
    *at++ = head;
    r->open->last = r->now;
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
    s->last = r->now;
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
    r->end = s->octets;
    r->segments_count++;
    r->closes = r->now + r->settings.keep / ROLLS_PER_KEEP;
    r->last_source = RECORDING_NO_SOURCE;
    r->devices_count = 0;
    memset(r->slots, 0, sizeof r->slots);
    if (r->json)
        put_record(r, RECORDING_SETTINGS, r->json, strlen(r->json));
}

static bool has_room(const struct recorder *r, size_t size)
{
    return (size_t) (r->end - r->open->octets) + size <= RECORDING_SEGMENT_SIZE &&
           r->devices_count < RECORDING_DEVICES_MAX;
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

/* Rare, and kept out of the hot path, whose registers it would take; as open_segment(). */
__attribute__((noinline)) static uint32_t introduce_device(struct recorder *r, uint64_t address,
                                                           uint8_t type, uint16_t *slot)
{
    uint8_t body[32], *at = put_address(body, address);
    struct recording_device d = {.address = address};

    if (r->describe)
        r->describe(r->user, &d);
    *at++ = type;
    at = bytes_put_varint(at, d.is_pinned ? 1 + d.expected_interval / USEC_PER_MSEC : 0);
    *at++ = d.has_need;
    put_record(r, RECORDING_DEVICE, body, (size_t) (at - body));
    r->devices[r->devices_count] =
            (struct known_device){.key = address | (uint64_t) type << ADDRESS_BITS};
    *slot = (uint16_t) (r->devices_count + 1);
    return r->devices_count++;
}

/* Where the number of the device stands, or would. */
static inline uint16_t *slot_of(struct recorder *r, uint64_t key)
{
    uint64_t hash = (key ^ r->settings.hash_seed) * 0x9e3779b97f4a7c15u;
    uint32_t at = (uint32_t) (hash >> (64 - SLOTS_BITS));

    while (r->slots[at] != 0 && r->devices[r->slots[at] - 1].key != key)
        at = (at + 1) & (SLOTS - 1);
    return &r->slots[at];
}

/* The number of the device in the open segment. */
static uint32_t number_of(struct recorder *r, uint64_t address, uint8_t type)
{
    uint16_t *slot = slot_of(r, address | (uint64_t) type << ADDRESS_BITS);

    return *slot != 0 ? *slot - 1u : introduce_device(r, address, type, slot);
}

/* ---- advertisements ---- */

static inline uint64_t word_at(const uint8_t *octets)
{
    uint64_t word;

    memcpy(&word, octets, sizeof word);
    return word;
}

#define HEAD 7 /* flags, and the head of the structure behind them: mostly the same */

/* Payloads of one device differ right behind the head, if they do. */
static inline bool are_same(const uint8_t *a, const uint8_t *b, size_t size)
{
    return (size < HEAD + 8 || word_at(a + HEAD) == word_at(b + HEAD)) && memcmp(a, b, size) == 0;
}

/* Which of its last payloads it is; RECORDING_PAYLOADS: none. */
static unsigned find_payload(const struct known_device *d, const struct ble_report *report)
{
    unsigned which = d->newest;

    do {
        const uint8_t *payload = d->payloads[which];

        if (payload && payload[0] == report->size &&
            are_same(payload + 1, report->data, report->size))
            return which;
        which = (which - 1) % RECORDING_PAYLOADS;
    } while (which != d->newest);
    return RECORDING_PAYLOADS;
}

static uint8_t *put_payload(struct known_device *d, uint8_t *at, const struct ble_report *report)
{
    d->newest = (uint8_t) ((d->newest + 1) % RECORDING_PAYLOADS);
    d->payloads[d->newest] = at;
    return put_text(at, (struct bytes){report->data, report->size});
}

static void put_advertisement(struct recorder *r, uint16_t source, const struct ble_report *report)
{
    uint32_t number = number_of(r, report->address, report->address_type);
    struct known_device *d = &r->devices[number];
    unsigned which = find_payload(d, report);
    unsigned head = RECORDING_ADVERTISEMENT | (unsigned) (report->is_parsed << PLACE_PARSED) |
                    (unsigned) (which < RECORDING_PAYLOADS) << PLACE_REFERENCE |
                    (unsigned) (source == r->last_source) << PLACE_SAME_SOURCE;
    uint8_t *at = put_head(r, (uint8_t) head);

    if (source != r->last_source)
        at = bytes_put_varint(at, source);
    r->last_source = source;
    at = bytes_put_varint(at, number);
    *at++ = (uint8_t) report->rssi;
    if (which < RECORDING_PAYLOADS)
        *at++ = (uint8_t) which;
    else
        at = put_payload(d, at, report);
    r->end = at;
}

/* ---- the door ---- */

struct recorder *recorder_new(const struct recorder_settings *settings,
                              recorder_describe_fn *describe, void *user, usec_t now, int64_t wall)
{
    struct recorder *r = xnew(struct recorder, 1);

    r->settings = *settings;
    r->describe = describe;
    r->user = user;
    r->segments_max = settings->bytes_max / sizeof(struct recorder_hold);
    if (r->segments_max < SEGMENTS_MIN)
        r->segments_max = SEGMENTS_MIN;
    r->now = now;
    recorder_set_wall(r, now, wall);
    open_segment(r);
    return r;
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
    for (size_t i = 0; i < count; i++) {
        if (!has_room(r, RECORD_MAX))
            open_segment(r);
        if (source != r->last_source)
            introduce_source(r, source);
        put_advertisement(r, source, &reports[i]);
    }
    r->records += count;
    r->advertisements += count;
}

/* Introduced anew under each of its types, or under any when the segment does not know it: the
 * table changes what it does whether the device is heard or not. Its old numbers are left behind,
 * nothing names them any more. */
void recorder_device(struct recorder *r, uint64_t address, usec_t now)
{
    bool is_told = false;

    for (uint8_t type = 0; type < ADDRESS_TYPES; type++) {
        uint64_t sequence = r->sequence;
        uint16_t *slot;

        make_room(r, now, RECORD_MAX);
        slot = slot_of(r, address | (uint64_t) type << ADDRESS_BITS);
        is_told &= sequence == r->sequence;
        if (*slot == 0)
            continue;
        (void) introduce_device(r, address, type, slot);
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
            .memory_bytes = sizeof *r + segments * sizeof(struct recorder_hold),
    };
}
