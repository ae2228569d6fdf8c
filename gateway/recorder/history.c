/* The story. Each device that something was noted of has an entry, found by address: a track for
 * each source that heard it, a chain of payloads and a chain of owners. Chains are blocks of octets
 * that are only written at the end and dropped at the front. In a track a slot takes two octets,
 * mean and count; with count 0 the first octet says how many silent slots it stands for, and a
 * long silence begins a new block, which says itself when it began.
 *
 * Everything, entries and tracks too, is a block of one size, so that whatever goes makes room for
 * whatever comes. Entries stand in a list in order of the last note.
 *
 * Failure modes. It is full: the entry at the end of the list loses its oldest block, one for each
 * that is needed; an entry without blocks goes. So devices that are gone lose everything before one
 * that is heard loses anything, and devices that are all heard lose evenly. A device whose payload
 * changes all the time fills its own bound and pushes nobody out. Time that goes backwards: the
 * slot is left out. */
#include "history.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/slab.h"
#include "ble/report.h"
#include "packet_loss.h"

#define BLOCK_SIZE      192
#define PAYLOADS_BLOCKS 64 /* of one device: 190 to 600 changes */
#define OWNERS_BLOCKS   8  /* 64 changes */
#define SILENCE_MAX     256
#define LONG_SILENCE    512 /* slots; a new block costs less than more items */

struct history_block {
    struct history_block *next;
    usec_t start; /* of the first thing in it */
    uint16_t used;
    uint8_t octets[BLOCK_SIZE - sizeof(void *) - sizeof(usec_t) - 8];
};

struct chain {
    struct history_block *first, *last;
    size_t count;
};

struct track { /* of one source */
    struct track *next;
    struct chain slots;
    usec_t end; /* of the last slot */
    uint16_t source;
    struct packet_loss loss;
};

struct entry { /* of one device */
    uint64_t address;
    struct entry *newer, *older;
    struct track *tracks;
    struct chain payloads, owners;
    usec_t complete_since;
};

static_assert(sizeof(struct history_block) == BLOCK_SIZE, "a block is a block");
static_assert(sizeof(struct track) <= BLOCK_SIZE, "as is a track");
static_assert(sizeof(struct entry) <= BLOCK_SIZE, "and an entry");

struct history {
    struct map *entries;
    struct slab *memory;
    size_t limit, used; /* octets of blocks */
    struct entry *newest, *oldest;
    uint64_t blocks_dropped, devices_dropped;
};

/* ---- the order of the last note ---- */

static void unlink_entry(struct history *h, struct entry *e)
{
    *(e->newer ? &e->newer->older : &h->newest) = e->older;
    *(e->older ? &e->older->newer : &h->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void link_newest(struct history *h, struct entry *e)
{
    e->older = h->newest;
    if (e->older)
        e->older->newer = e;
    else
        h->oldest = e;
    h->newest = e;
}

static void touch(struct history *h, struct entry *e)
{
    if (h->newest == e)
        return;
    unlink_entry(h, e);
    link_newest(h, e);
}

/* ---- memory ---- */

static void give(struct history *h, void *block)
{
    slab_give(h->memory, block, BLOCK_SIZE);
    h->used -= BLOCK_SIZE;
}

static void free_chain(struct history *h, struct chain *c)
{
    struct history_block *next;

    for (struct history_block *b = c->first; b; b = next) {
        next = b->next;
        give(h, b);
    }
    *c = (struct chain){0};
}

static void free_entry(struct history *h, struct entry *e)
{
    struct track *next;

    for (struct track *t = e->tracks; t; t = next) {
        next = t->next;
        free_chain(h, &t->slots);
        give(h, t);
    }
    free_chain(h, &e->payloads);
    free_chain(h, &e->owners);
    unlink_entry(h, e);
    (void) map_take(h->entries, e->address);
    give(h, e);
}

/* Drops the first block of a chain; end is when the chain ends. */
static void drop_first(struct history *h, struct entry *e, struct chain *c, usec_t end)
{
    struct history_block *b = c->first;

    c->first = b->next;
    c->count--;
    if (c->first)
        end = c->first->start;
    else
        c->last = NULL;
    if (end > e->complete_since)
        e->complete_since = end;
    give(h, b);
    h->blocks_dropped++;
}

static bool is_older(const struct chain *a, const struct chain *b)
{
    return a->first && (!b || a->first->start < b->first->start);
}

/* The oldest block of a device goes; false: it has none. */
static bool drop_oldest(struct history *h, struct entry *e)
{
    struct chain *oldest = NULL;
    usec_t end = 0;

    for (struct track *t = e->tracks; t; t = t->next) {
        if (!is_older(&t->slots, oldest))
            continue;
        oldest = &t->slots;
        end = t->end;
    }
    if (is_older(&e->payloads, oldest))
        oldest = &e->payloads;
    if (is_older(&e->owners, oldest))
        oldest = &e->owners;
    if (!oldest)
        return false;
    if (oldest == &e->payloads || oldest == &e->owners)
        end = oldest->last->start + 1;
    drop_first(h, e, oldest, end);
    return true;
}

/* A zeroed block. Room is made at the expense of whoever stands last; keep (NULL: none) may lose
 * blocks and stays. */
static void *take(struct history *h, const struct entry *keep)
{
    void *block;

    while (h->used + BLOCK_SIZE > h->limit) {
        struct entry *last = h->oldest;

        if (!last)
            break;
        if (drop_oldest(h, last))
            continue;
        if (last == keep)
            break;
        free_entry(h, last);
        h->devices_dropped++;
    }
    block = slab_take(h->memory, BLOCK_SIZE);
    memset(block, 0, BLOCK_SIZE);
    h->used += BLOCK_SIZE;
    return block;
}

/* ---- finding and making ---- */

static struct entry *find_entry(const struct history *h, uint64_t address)
{
    return map_find(h->entries, address);
}

/* Of a device that something is noted of: it is the newest then. */
static struct entry *get_entry(struct history *h, uint64_t address, usec_t now)
{
    struct entry *e = find_entry(h, address);

    if (e) {
        touch(h, e);
        return e;
    }
    e = take(h, NULL);
    e->address = address;
    e->complete_since = now;
    map_put(h->entries, address, e);
    link_newest(h, e);
    return e;
}

static struct track *find_track(const struct entry *e, uint16_t source)
{
    struct track *t = e ? e->tracks : NULL;

    while (t && t->source != source)
        t = t->next;
    return t;
}

static struct track *get_track(struct history *h, struct entry *e, uint16_t source)
{
    struct track *t = find_track(e, source);

    if (t)
        return t;
    t = take(h, e);
    t->source = source;
    t->next = e->tracks;
    e->tracks = t;
    return t;
}

/* Room for so many octets at the end of a chain; what stands there then began at start. */
static uint8_t *extend(struct history *h, struct entry *e, struct chain *c, size_t size,
                       usec_t start, bool is_new)
{
    struct history_block *b = c->last;
    uint8_t *place;

    assert(size <= sizeof b->octets);
    if (!b || is_new || b->used + size > sizeof b->octets) {
        b = take(h, e); /* may take c's own blocks */
        b->start = start;
        *(c->last ? &c->last->next : &c->first) = b;
        c->last = b;
        c->count++;
    }
    place = b->octets + b->used;
    b->used = (uint16_t) (b->used + size);
    return place;
}

/* ---- slots ---- */

/* Half dB below 0 dBm. */
static uint8_t pack_rssi(double rssi)
{
    return (uint8_t) lrint(fmin(fmax(-2 * rssi, 0), UINT8_MAX - 1));
}

static void add_item(struct history *h, struct entry *e, struct track *t, usec_t start,
                     uint8_t first, uint8_t packets)
{
    bool is_new = start > t->end;
    uint8_t *item = extend(h, e, &t->slots, 2, start, is_new);

    item[0] = first;
    item[1] = packets;
}

/* The slots between the last one and start; none, or a short silence, or so long a one that a new
 * block says it. */
static void add_silence(struct history *h, struct entry *e, struct track *t, usec_t start)
{
    uint64_t silent;

    if (!t->slots.last)
        return;
    silent = (start - t->end) / HISTORY_SLOT;
    if (silent > LONG_SILENCE)
        return;
    while (silent > 0) {
        uint64_t run = silent < SILENCE_MAX ? silent : SILENCE_MAX;

        add_item(h, e, t, t->end, (uint8_t) (run - 1), 0);
        t->end += run * HISTORY_SLOT;
        silent -= run;
    }
}

/* Blocks that ended a day ago. */
static void drop_aged(struct history *h, struct entry *e, struct track *t, usec_t now)
{
    struct chain *c = &t->slots;

    while (c->first && c->first->next && now - c->first->next->start >= HISTORY_AGE)
        drop_first(h, e, c, t->end);
}

void history_note_slot(struct history *h, uint64_t address, uint16_t source, usec_t start,
                       double rssi, uint32_t packets)
{
    struct entry *e = get_entry(h, address, start);
    struct track *t = get_track(h, e, source);

    if (packets == 0 || start < t->end)
        return;
    add_silence(h, e, t, start);
    if (!t->slots.last)
        t->end = 0; /* what it had went meanwhile: a new block begins */
    add_item(h, e, t, start, pack_rssi(rssi),
             (uint8_t) (packets < UINT8_MAX ? packets : UINT8_MAX));
    t->end = start + HISTORY_SLOT;
    drop_aged(h, e, t, start);
}

/* One item of a block, which begins at slot number at; writes what lies within count slots. */
static int64_t read_item(const uint8_t *item, int64_t at, struct history_slot *ret_slots,
                         size_t count, bool *any)
{
    if (item[1] == 0)
        return at + item[0] + 1;
    if (at >= 0 && at < (int64_t) count) {
        ret_slots[at] = (struct history_slot){(float) item[0] / -2, item[1]};
        *any = true;
    }
    return at + 1;
}

bool history_read_slots(const struct history *h, uint64_t address, uint16_t source, usec_t start,
                        struct history_slot *ret_slots, size_t count)
{
    const struct track *t = find_track(find_entry(h, address), source);
    bool any = false;

    for (size_t i = 0; i < count; i++)
        ret_slots[i] = (struct history_slot){.rssi = NAN};
    for (const struct history_block *b = t ? t->slots.first : NULL; b; b = b->next) {
        int64_t at = ((int64_t) b->start - (int64_t) start) / (int64_t) HISTORY_SLOT;

        for (size_t i = 0; i < b->used; i += 2)
            at = read_item(b->octets + i, at, ret_slots, count, &any);
    }
    return any;
}

/* ---- payloads and owners ---- */

/* The front of a record of a payload; its octets follow. */
struct payload_record {
    usec_t time;
    uint16_t source;
    int8_t rssi;
    uint8_t is_parsed;
    uint8_t size;
} __attribute__((packed));

static void bound_chain(struct history *h, struct entry *e, struct chain *c, size_t blocks)
{
    while (c->count > blocks)
        drop_first(h, e, c, 0);
}

void history_note_payload(struct history *h, uint64_t address,
                          const struct history_payload *payload)
{
    struct entry *e = get_entry(h, address, payload->time);
    const struct payload_record front = {
            .time = payload->time,
            .source = payload->source,
            .rssi = payload->rssi,
            .is_parsed = payload->is_parsed,
            .size = (uint8_t) payload->size,
    };
    uint8_t *record;

    assert(payload->size <= BLE_REPORT_DATA_MAX);
    record = extend(h, e, &e->payloads, sizeof front + payload->size, payload->time, false);
    memcpy(record, &front, sizeof front);
    if (payload->size > 0)
        memcpy(record + sizeof front, payload->data, payload->size);
    bound_chain(h, e, &e->payloads, PAYLOADS_BLOCKS);
}

void history_note_owner(struct history *h, uint64_t address, const struct history_owner *owner)
{
    struct entry *e = get_entry(h, address, owner->time);

    memcpy(extend(h, e, &e->owners, sizeof *owner, owner->time, false), owner, sizeof *owner);
    bound_chain(h, e, &e->owners, OWNERS_BLOCKS);
}

/* The next record of a chain; NULL at its end. */
static const uint8_t *next_record(const struct chain *c, struct history_position *position)
{
    if (!position->block) {
        position->block = c->first;
        position->offset = 0;
    } else if (position->offset >= position->block->used && position->block->next) {
        position->block = position->block->next;
        position->offset = 0;
    }
    if (!position->block || position->offset >= position->block->used)
        return NULL;
    return position->block->octets + position->offset;
}

bool history_next_payload(const struct history *h, uint64_t address,
                          struct history_position *position, struct history_payload *ret_payload)
{
    const struct entry *e = find_entry(h, address);
    const uint8_t *record = e ? next_record(&e->payloads, position) : NULL;
    struct payload_record front;

    if (!record)
        return false;
    memcpy(&front, record, sizeof front);
    position->offset += sizeof front + front.size;
    *ret_payload = (struct history_payload){
            .time = front.time,
            .source = front.source,
            .rssi = front.rssi,
            .is_parsed = front.is_parsed,
            .data = record + sizeof front,
            .size = front.size,
    };
    return true;
}

bool history_next_owner(const struct history *h, uint64_t address,
                        struct history_position *position, struct history_owner *ret_owner)
{
    const struct entry *e = find_entry(h, address);
    const uint8_t *record = e ? next_record(&e->owners, position) : NULL;

    if (!record)
        return false;
    memcpy(ret_owner, record, sizeof *ret_owner);
    position->offset += sizeof *ret_owner;
    return true;
}

/* ---- the rest ---- */

void history_note_counter(struct history *h, uint64_t address, uint16_t source,
                          const struct packet_counter *counter, usec_t now)
{
    struct entry *e = get_entry(h, address, now);

    packet_loss_hear(&get_track(h, e, source)->loss, counter, now);
}

void history_get_loss(const struct history *h, uint64_t address, uint16_t source, usec_t now,
                      uint32_t *ret_heard, uint32_t *ret_lost)
{
    const struct track *t = find_track(find_entry(h, address), source);

    *ret_heard = *ret_lost = 0;
    if (t)
        packet_loss_get(&t->loss, now, ret_heard, ret_lost);
}

void history_forget(struct history *h, uint64_t address)
{
    struct entry *e = find_entry(h, address);

    if (e)
        free_entry(h, e);
}

static void forget_track(struct history *h, struct entry *e, uint16_t source)
{
    struct track **link = &e->tracks, *t;

    while (*link && (*link)->source != source)
        link = &(*link)->next;
    t = *link;
    if (!t)
        return;
    *link = t->next;
    free_chain(h, &t->slots);
    give(h, t);
}

static void rename_in_payloads(struct history_block *b, uint16_t source)
{
    struct payload_record front;

    for (size_t at = 0; at < b->used; at += sizeof front + front.size) {
        memcpy(&front, b->octets + at, sizeof front);
        if (front.source == source)
            front.source = UINT16_MAX;
        memcpy(b->octets + at, &front, sizeof front);
    }
}

static void rename_in_owners(struct history_block *b, uint16_t source)
{
    struct history_owner owner;

    for (size_t at = 0; at < b->used; at += sizeof owner) {
        memcpy(&owner, b->octets + at, sizeof owner);
        if (owner.from == source)
            owner.from = UINT16_MAX;
        if (owner.to == source)
            owner.to = UINT16_MAX;
        memcpy(b->octets + at, &owner, sizeof owner);
    }
}

void history_forget_source(struct history *h, uint16_t source)
{
    for (struct entry *e = h->newest; e; e = e->older) {
        forget_track(h, e, source);
        for (struct history_block *b = e->payloads.first; b; b = b->next)
            rename_in_payloads(b, source);
        for (struct history_block *b = e->owners.first; b; b = b->next)
            rename_in_owners(b, source);
    }
}

usec_t history_complete_since(const struct history *h, uint64_t address)
{
    const struct entry *e = find_entry(h, address);

    return e ? e->complete_since : USEC_NEVER;
}

void history_get_statistics(const struct history *h, struct history_statistics *ret_statistics)
{
    *ret_statistics = (struct history_statistics){
            .devices = map_count(h->entries),
            .bytes = sizeof *h + slab_bytes(h->memory) + map_bytes(h->entries),
            .blocks_dropped = h->blocks_dropped,
            .devices_dropped = h->devices_dropped,
    };
}

struct history *history_new(size_t limit, uint64_t seed)
{
    struct history *h = xnew(struct history, 1);

    h->limit = limit;
    h->entries = map_new(seed);
    h->memory = slab_new();
    return h;
}

void history_free(struct history *h)
{
    if (!h)
        return;
    map_free(h->entries);
    slab_free(h->memory);
    free(h);
}
