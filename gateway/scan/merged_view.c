/* The story. A packet comes. Its octets are compared with the payload that this source sent last,
 * then with the other kept ones. If one is equal and current, its time is noted and that is all.
 * Otherwise the packet is stored as a payload (one of long ago gives way, after its time has been
 * noted at its elements), read field by field (of repeats within a packet the last counts)
 * and merged: an element of the same key gets the new value, a new key makes a new element, what
 * the packet does not mention stays. A name that only begins the known one, in whatever case, is
 * that name cut short and does not replace it; any other does. A payload of which some element has
 * got another value since is no longer current: when it comes back, it is read again and sets its
 * values again, as beacons do that rotate frames under one company id.
 *
 * An element that no packet contains any more goes when its age has come. When the first one may be
 * due is noted, so that mostly one comparison answers; the note is too early when an element was
 * heard again since, never too late, as a new element makes it invalid.
 *
 * Failure modes. A device that makes up ever new keys fills the elements or their octets: those
 * heard longest ago go, never the name and never one of this packet, and are counted. Octets that
 * are no advertising data give no elements. */
#include "merged_view.h"

#include <assert.h>
#include <string.h>

#include "base/utf8.h"
#include "ble/advertising_data.h"

#define APPLE 76 /* the company */

_Static_assert(sizeof(struct payload) == 80, "what there is most of");
_Static_assert(MERGED_PAYLOADS_MAX <= 8, "bits of an octet");

/* The fields of one packet, without repeats. */
struct packet_fields {
    size_t count;
    struct ad_field fields[MERGED_ELEMENTS_MAX];
};

/* ---- reading a packet ---- */

static bool same_uuid(uint8_t type_a, const uint8_t *a, uint8_t type_b, const uint8_t *b)
{
    size_t size_a = advertising_data_key_size(type_a), size_b = advertising_data_key_size(type_b);
    struct ble_uuid uuid_a, uuid_b;

    if (size_a == size_b)
        return memcmp(a, b, size_a) == 0;
    uuid_a = ble_uuid_from_air(a, size_a);
    uuid_b = ble_uuid_from_air(b, size_b);
    return ble_uuid_equal(&uuid_a, &uuid_b);
}

/* The same for elements of the same kind. */
static bool same_key_of_kind(enum ad_kind kind, uint8_t type_a, const uint8_t *a, uint8_t type_b,
                             const uint8_t *b)
{
    if (kind == AD_KIND_UUID || kind == AD_KIND_SERVICE_DATA)
        return same_uuid(type_a, a, type_b, b);
    if (kind == AD_KIND_MANUFACTURER)
        return a[0] == b[0] && a[1] == b[1];
    return kind == AD_KIND_NAME || type_a == type_b;
}

/* True when two elements, given by type and octets, say something about the same thing. */
static inline bool same_key(uint8_t type_a, const uint8_t *a, uint8_t type_b, const uint8_t *b)
{
    enum ad_kind kind = advertising_data_kind(type_a);

    return kind == advertising_data_kind(type_b) && same_key_of_kind(kind, type_a, a, type_b, b);
}

/* The last one of a key counts, but a short name never replaces one. */
static void add_field(struct packet_fields *p, const struct ad_field *f)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct ad_field *earlier = &p->fields[i];

        if (!same_key(earlier->type, earlier->data.data, f->type, f->data.data))
            continue;
        if (f->type != AD_NAME_SHORT)
            p->fields[i] = *f;
        return;
    }
    assert(p->count < MERGED_ELEMENTS_MAX); /* see there */
    p->fields[p->count++] = *f;
}

static void read_fields(struct packet_fields *ret_fields, struct payload *p)
{
    struct ad_reader r = advertising_data_reader(p->octets, p->size);
    struct ad_field f;

    ret_fields->count = 0;
    p->has_tx_power = false;
    while (advertising_data_next_field(&r, &f)) {
        add_field(ret_fields, &f);
        if (f.kind == AD_KIND_TX_POWER) {
            p->has_tx_power = true;
            p->tx_power = (int8_t) f.data.data[0];
        }
    }
}

/* ---- payloads ---- */

static uint64_t eight_octets(const uint8_t *octets)
{
    uint64_t eight;

    memcpy(&eight, octets, sizeof eight);
    return eight;
}

/* Eight at a time and here, as a call of memcmp costs more than comparing so little. */
static bool has_octets(const struct payload *p, const struct merged_packet *packet)
{
    const size_t size = packet->size;

    if (p->size != size)
        return false;
    if (size < 8)
        return size == 0 || memcmp(p->octets, packet->data, size) == 0;
    for (size_t i = 0; i < size - 8; i += 8) {
        if (eight_octets(p->octets + i) != eight_octets(packet->data + i))
            return false;
    }
    return eight_octets(p->octets + size - 8) == eight_octets(packet->data + size - 8);
}

static uint8_t payload_bit(const struct merged_view *v, const struct payload *p)
{
    return (uint8_t) (1u << (p - v->payloads));
}

/* Its index, or MERGED_PAYLOADS_MAX. */
static uint8_t find_payload(const struct merged_view *v, const struct merged_packet *packet)
{
    for (uint8_t i = 0; i < v->payloads_count; i++) {
        if (has_octets(&v->payloads[i], packet))
            return i;
    }
    return MERGED_PAYLOADS_MAX;
}

/* Notes the payload's time at the elements that it contains. */
static void flush_times(struct merged_view *v, const struct payload *p)
{
    for (uint8_t i = 0; i < v->elements_count; i++) {
        struct element *e = &v->elements[i];

        if (e->payloads & payload_bit(v, p) && p->last_seen >= e->last_seen) {
            e->last_seen = p->last_seen;
            e->source = p->source;
        }
    }
}

/* The payload of this bit is about to be another one. */
static void forget_payload(struct merged_view *v, uint8_t bit)
{
    for (uint8_t i = 0; i < v->elements_count; i++)
        v->elements[i].payloads &= (uint8_t) ~bit;
    v->current &= (uint8_t) ~bit;
    v->cut_names &= (uint8_t) ~bit;
}

static struct payload *append_payload(struct merged_view *v, struct slab *memory)
{
    if (v->payloads_count == v->payloads_capacity) {
        size_t old = v->payloads_capacity, new = old ? old * 2 : 1;

        v->payloads = slab_resize(memory, v->payloads, old * sizeof *v->payloads,
                                  new * sizeof *v->payloads);
        v->payloads_capacity = (uint8_t) new;
    }
    return &v->payloads[v->payloads_count++];
}

/* NULL: there is none. */
static struct payload *find_oldest_payload(const struct merged_view *v)
{
    struct payload *oldest = NULL;

    for (uint8_t i = 0; i < v->payloads_count; i++) {
        if (!oldest || v->payloads[i].last_seen < oldest->last_seen)
            oldest = &v->payloads[i];
    }
    return oldest;
}

/* Where a new payload goes. One of long ago gives way even while there is room: most devices never
 * say it again, and a row with eight is twice as large as one with one. */
static struct payload *free_payload(struct merged_view *v, struct slab *memory, usec_t now)
{
    struct payload *oldest = find_oldest_payload(v);

    if (!oldest ||
        (v->payloads_count < MERGED_PAYLOADS_MAX && now - oldest->last_seen <= MERGED_PAYLOAD_AGE))
        return append_payload(v, memory);
    flush_times(v, oldest);
    forget_payload(v, payload_bit(v, oldest));
    return oldest;
}

static struct payload *store_payload(struct merged_view *v, struct slab *memory,
                                     const struct merged_packet *packet)
{
    struct payload *p = free_payload(v, memory, packet->now);

    *p = (struct payload){.size = packet->size};
    if (packet->size > 0)
        memcpy(p->octets, packet->data, packet->size);
    return p;
}

/* The index of the payload, which is kept or gets a place. Apart, as it mostly is not needed. */
__attribute__((noinline)) static uint8_t
look_for_payload(struct merged_view *v, struct slab *memory, const struct merged_packet *packet)
{
    uint8_t found = find_payload(v, packet);

    if (found < MERGED_PAYLOADS_MAX)
        return found;
    return (uint8_t) (store_payload(v, memory, packet) - v->payloads);
}

/* ---- elements ---- */

static uint8_t *octets_of(const struct merged_view *v, const struct element *e)
{
    return v->octets + e->offset;
}

static struct element *find_element(const struct merged_view *v, const struct ad_field *f)
{
    for (uint8_t i = 0; i < v->elements_count; i++) {
        struct element *e = &v->elements[i];

        if (same_key(e->type, octets_of(v, e), f->type, f->data.data))
            return e;
    }
    return NULL;
}

static uint32_t bit_of(const struct merged_view *v, const struct element *e)
{
    return 1u << (e - v->elements);
}

static void remove_octets(struct merged_view *v, uint16_t offset, uint8_t size)
{
    size_t end = (size_t) offset + size;

    memmove(v->octets + offset, v->octets + end, v->octets_size - end);
    v->octets_size = (uint16_t) (v->octets_size - size);
    for (uint8_t i = 0; i < v->elements_count; i++) {
        if (v->elements[i].offset > offset)
            v->elements[i].offset = (uint16_t) (v->elements[i].offset - size);
    }
}

static void append_octets(struct merged_view *v, struct slab *memory, struct element *e,
                          const struct bytes *data)
{
    size_t capacity = v->octets_capacity ? v->octets_capacity : 32;

    while (capacity < v->octets_size + data->size)
        capacity *= 2;
    if (capacity > v->octets_capacity) {
        v->octets = slab_resize(memory, v->octets, v->octets_capacity, capacity);
        v->octets_capacity = (uint16_t) capacity;
    }
    memcpy(v->octets + v->octets_size, data->data, data->size);
    e->offset = v->octets_size;
    e->size = (uint8_t) data->size;
    v->octets_size = (uint16_t) (v->octets_size + data->size);
}

static struct element *append_element(struct merged_view *v, struct slab *memory)
{
    if (v->elements_count == v->elements_capacity) {
        size_t old = v->elements_capacity, new = old ? old * 2 : 4;

        v->elements = slab_resize(memory, v->elements, old * sizeof *v->elements,
                                  new * sizeof *v->elements);
        v->elements_capacity = (uint8_t) new;
    }
    v->expiry = 0; /* to be found anew */
    return &v->elements[v->elements_count++];
}

/* The element has another value, or is gone: payloads with the former one are not current. */
static void outdate_payloads(struct merged_view *v, struct element *e)
{
    v->current &= (uint8_t) ~e->payloads;
    e->payloads = 0;
}

static void remove_element(struct merged_view *v, uint8_t index)
{
    struct element gone = v->elements[index];

    outdate_payloads(v, &gone);
    v->elements_count--;
    memmove(v->elements + index, v->elements + index + 1,
            (size_t) (v->elements_count - index) * sizeof *v->elements);
    remove_octets(v, gone.offset, gone.size);
}

/* When and from whom an element was heard last. */
static void effective_time(const struct merged_view *v, uint8_t index, usec_t *ret_time,
                           uint16_t *ret_source)
{
    const struct element *e = &v->elements[index];

    *ret_time = e->last_seen;
    *ret_source = e->source;
    for (unsigned left = e->payloads; left; left &= left - 1) {
        const struct payload *p = &v->payloads[__builtin_ctz(left)];

        if (p->last_seen >= *ret_time) {
            *ret_time = p->last_seen;
            *ret_source = p->source;
        }
    }
}

/* Drops the element heard longest ago that is neither the name nor in keep. The size it had. */
static uint8_t drop_oldest(struct merged_view *v, uint32_t *keep, struct merged_counts *counts)
{
    usec_t oldest = USEC_NEVER, time;
    uint8_t victim = v->elements_count, size;
    uint16_t source;
    uint32_t below;

    for (uint8_t i = 0; i < v->elements_count; i++) {
        if (*keep & 1u << i || advertising_data_kind(v->elements[i].type) == AD_KIND_NAME)
            continue;
        effective_time(v, i, &time, &source);
        if (time < oldest) {
            oldest = time;
            victim = i;
        }
    }
    assert(victim < v->elements_count); /* a name and one packet never fill the bounds */
    size = v->elements[victim].size;
    remove_element(v, victim);
    below = (1u << victim) - 1;
    *keep = (*keep & below) | (*keep >> 1 & ~below);
    counts->elements_dropped++;
    return size;
}

/* Makes sure that all fields fit, at the cost of elements that are not among them. */
static void make_room(struct merged_view *v, const struct packet_fields *packet,
                      struct merged_counts *counts)
{
    size_t elements = v->elements_count, octets = v->octets_size; /* after the merge */
    uint32_t keep = 0;

    if (elements + packet->count <= MERGED_ELEMENTS_MAX &&
        octets + BLE_REPORT_DATA_MAX <= MERGED_OCTETS_MAX)
        return;
    for (size_t i = 0; i < packet->count; i++) {
        const struct element *e = find_element(v, &packet->fields[i]);

        octets += packet->fields[i].data.size;
        if (e) {
            keep |= bit_of(v, e);
            octets -= e->size;
        } else {
            elements++;
        }
    }
    while (elements > MERGED_ELEMENTS_MAX || octets > MERGED_OCTETS_MAX) {
        octets -= drop_oldest(v, &keep, counts);
        elements--;
    }
}

/* ---- ages ---- */

static usec_t age_of(const struct merged_ages *ages, uint8_t type)
{
    switch (advertising_data_kind(type)) {
    case AD_KIND_NAME:
        return USEC_NEVER;
    case AD_KIND_FLAGS:
    case AD_KIND_SERVICE_DATA:
    case AD_KIND_MANUFACTURER:
        return ages->values;
    case AD_KIND_UUID:
    case AD_KIND_TX_POWER:
    case AD_KIND_APPEARANCE:
    case AD_KIND_OTHER:
        break;
    }
    return ages->rest;
}

static usec_t expiry_of(const struct merged_view *v, uint8_t index, const struct merged_ages *ages)
{
    usec_t age = age_of(ages, v->elements[index].type), time;
    uint16_t source;

    effective_time(v, index, &time, &source);
    return clock_after(time, age);
}

/* ---- Apple ---- */

static bool is_told_to_others(uint8_t apple_type)
{
    return apple_type == 0x02 || apple_type == 0x06 || apple_type == 0x10 || apple_type == 0x11 ||
           apple_type == 0x12;
}

static bool find_apple_noise(const struct merged_view *v)
{
    const struct element *only = NULL;
    const uint8_t *octets;

    for (uint8_t i = 0; i < v->elements_count; i++) {
        const struct element *e = &v->elements[i];
        enum ad_kind kind = advertising_data_kind(e->type);

        if (kind == AD_KIND_SERVICE_DATA || (kind == AD_KIND_MANUFACTURER && only))
            return false;
        if (kind == AD_KIND_MANUFACTURER)
            only = e;
    }
    if (!only || only->size < 3)
        return false;
    octets = octets_of(v, only);
    return octets[0] == (APPLE & 0xff) && octets[1] == APPLE >> 8 && !is_told_to_others(octets[2]);
}

/* ---- merging ---- */

static void set_name(struct merged_view *v, struct slab *memory, const struct bytes *octets)
{
    char text[UTF8_REPAIRED_SIZE(BLE_REPORT_DATA_MAX)];
    size_t size = utf8_repair(text, octets->data, octets->size);

    if (v->name)
        slab_give(memory, v->name, (size_t) v->name_size + 1);
    v->name = slab_take(memory, size + 1);
    memcpy(v->name, text, size + 1);
    v->name_size = (uint8_t) size;
}

/* ASCII only: in other letters case is rare on air, and folding it takes tables. */
static uint8_t fold(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? octet + ('a' - 'A') : octet;
}

/* A name that says less than the one that is known. Octets are compared, not characters: some
 * devices cut a name within one. */
static bool is_name_cut_short(const struct merged_view *v, const struct element *e,
                              const struct ad_field *f)
{
    const uint8_t *known = octets_of(v, e);

    if (f->kind != AD_KIND_NAME || f->data.size > e->size)
        return false;
    for (size_t i = 0; i < f->data.size; i++) {
        if (fold(f->data.data[i]) != fold(known[i]))
            return false;
    }
    return true;
}

/* A name is the same whether it was called short or complete. */
static bool has_value(const struct merged_view *v, const struct element *e,
                      const struct ad_field *f)
{
    return (e->type == f->type || f->kind == AD_KIND_NAME) && e->size == f->data.size &&
           memcmp(octets_of(v, e), f->data.data, e->size) == 0;
}

static void set_value(struct merged_view *v, struct slab *memory, struct element *e,
                      const struct ad_field *f)
{
    e->type = f->type;
    if (e->size == f->data.size) {
        memcpy(octets_of(v, e), f->data.data, e->size);
    } else {
        if (e->size > 0)
            remove_octets(v, e->offset, e->size);
        append_octets(v, memory, e, &f->data);
    }
    if (f->kind == AD_KIND_NAME)
        set_name(v, memory, &f->data);
}

/* Merges one field of the payload, which has this bit (0: none); true when it changed the view. */
static bool merge_field(struct merged_view *v, struct slab *memory, const struct payload *p,
                        uint8_t bit, const struct ad_field *f)
{
    struct element *e = find_element(v, f);
    bool is_changed = true;

    if (!e) {
        e = append_element(v, memory);
        e->size = e->payloads = 0;
        set_value(v, memory, e, f);
    } else if (has_value(v, e, f)) {
        if (f->type == AD_NAME)
            e->type = AD_NAME;
        is_changed = false;
    } else if (is_name_cut_short(v, e, f)) {
        v->cut_names |= bit;
        return false;
    } else {
        outdate_payloads(v, e);
        if (f->kind == AD_KIND_NAME)
            v->current &= (uint8_t) ~v->cut_names; /* what was cut of it may be another name now */
        set_value(v, memory, e, f);
    }
    e->last_seen = p->last_seen;
    e->source = p->source;
    e->payloads |= bit;
    return is_changed;
}

__attribute__((noinline)) static unsigned merge(struct merged_view *v, struct slab *memory,
                                                struct payload *p, struct merged_counts *counts)
{
    const uint8_t bit = payload_bit(v, p);
    struct packet_fields packet;
    unsigned changed = 0;

    counts->parses++;
    v->cut_names &= (uint8_t) ~bit;
    read_fields(&packet, p);
    make_room(v, &packet, counts);
    for (size_t i = 0; i < packet.count; i++) {
        if (merge_field(v, memory, p, bit, &packet.fields[i]) || v->is_cleared)
            changed |= 1u << packet.fields[i].kind;
    }
    v->current |= bit;
    if (changed) {
        v->is_cleared = false;
        v->is_apple_noise = find_apple_noise(v);
    }
    return changed;
}

/* ---- restoring ---- */

/* A field of the element, whose octets are put into a structure of its own, so that what is
 * restored passes the same reader as what is heard. False: it is not exactly one field. */
static bool make_field(uint8_t ret_structure[BLE_REPORT_DATA_MAX],
                       const struct device_element *element, struct ad_field *ret_field)
{
    size_t size = element->octets.size;
    struct ad_reader r;

    if (size == 0 || size > BLE_REPORT_DATA_MAX - 2)
        return false;
    ret_structure[0] = (uint8_t) (size + 1);
    ret_structure[1] = element->type;
    memcpy(ret_structure + 2, element->octets.data, size);
    r = advertising_data_reader(ret_structure, size + 2);
    return advertising_data_next_field(&r, ret_field) && ret_field->data.size == size;
}

/* ---- the door ---- */

void merged_view_done(struct merged_view *v, struct slab *memory)
{
    slab_give(memory, v->payloads, v->payloads_capacity * sizeof *v->payloads);
    slab_give(memory, v->elements, v->elements_capacity * sizeof *v->elements);
    slab_give(memory, v->octets, v->octets_capacity);
    slab_give(memory, v->name, (size_t) v->name_size + 1);
    *v = (struct merged_view){0};
}

unsigned merged_view_take(struct merged_view *v, struct slab *memory,
                          const struct merged_packet *packet, uint8_t *hint,
                          struct merged_counts *counts, usec_t *ret_heard_before)
{
    uint8_t i = *hint;
    struct payload *p;

    if (i >= v->payloads_count || !has_octets(&v->payloads[i], packet))
        i = look_for_payload(v, memory, packet);
    p = &v->payloads[i];
    *ret_heard_before = p->last_seen;
    p->last_seen = packet->now;
    p->source = packet->source;
    *hint = v->latest = i;
    return v->current >> i & 1 ? 0 : merge(v, memory, p, counts);
}

unsigned merged_view_expire_now(struct merged_view *v, const struct merged_ages *ages, usec_t now)
{
    unsigned gone = 0;

    v->expiry = USEC_NEVER;
    for (uint8_t i = v->elements_count; i-- > 0;) {
        usec_t expiry = expiry_of(v, i, ages);

        if (expiry <= now) {
            gone |= 1u << advertising_data_kind(v->elements[i].type);
            remove_element(v, i);
        } else if (expiry < v->expiry) {
            v->expiry = expiry;
        }
    }
    if (gone)
        v->is_apple_noise = find_apple_noise(v);
    return gone;
}

void merged_view_clear(struct merged_view *v, struct slab *memory)
{
    const struct payload latest = *merged_view_latest(v);
    struct payload *p;

    for (uint8_t i = v->elements_count; i-- > 0;) {
        if (advertising_data_kind(v->elements[i].type) != AD_KIND_NAME)
            remove_element(v, i);
    }
    forget_payload(v, UINT8_MAX);
    v->payloads_count = 0;
    p = store_payload(v, memory, &(const struct merged_packet){0});
    p->source = latest.source;
    p->has_tx_power = latest.has_tx_power;
    p->tx_power = latest.tx_power;
    v->latest = 0;
    v->is_apple_noise = false;
    v->is_cleared = true;
}

bool merged_view_is_apple_noise(const struct merged_view *v)
{
    return v->is_apple_noise;
}

const struct payload *merged_view_latest(const struct merged_view *v)
{
    return &v->payloads[v->latest];
}

bool merged_view_get(const struct merged_view *v, size_t index, struct device_element *ret_element)
{
    const struct element *e;
    struct ad_field f;
    struct bytes value;

    if (index >= v->elements_count)
        return false;
    e = &v->elements[index];
    f = (struct ad_field){
            .kind = advertising_data_kind(e->type),
            .type = e->type,
            .data = {octets_of(v, e), e->size},
    };
    value = f.kind == AD_KIND_UUID ? f.data : ad_field_value(&f);
    *ret_element = (struct device_element){
            .type = e->type,
            .has_company = f.kind == AD_KIND_MANUFACTURER,
            .has_uuid = f.kind == AD_KIND_UUID || f.kind == AD_KIND_SERVICE_DATA,
            .data = value.data,
            .size = value.size,
            .octets = f.data,
    };
    effective_time(v, (uint8_t) index, &ret_element->last_seen, &ret_element->source);
    if (ret_element->has_company)
        ret_element->company = ad_field_company(&f);
    if (ret_element->has_uuid)
        ret_element->uuid = ad_field_uuid(&f);
    return true;
}

bool merged_view_restore_element(struct merged_view *v, struct slab *memory,
                                 const struct device_element *element)
{
    uint8_t structure[BLE_REPORT_DATA_MAX];
    struct ad_field f;

    if (!make_field(structure, element, &f) || find_element(v, &f))
        return false;
    if (v->elements_count == MERGED_ELEMENTS_MAX ||
        (f.kind != AD_KIND_NAME && v->octets_size + f.data.size > MERGED_OCTETS_MAX))
        return false;
    (void) merge_field(
            v, memory,
            &(struct payload){.last_seen = element->last_seen, .source = element->source}, 0, &f);
    v->is_apple_noise = find_apple_noise(v);
    return true;
}

void merged_view_restore_latest(struct merged_view *v, struct slab *memory,
                                const struct merged_packet *packet)
{
    struct payload *p = store_payload(v, memory, packet);
    struct packet_fields fields;

    read_fields(&fields, p); /* for its transmit power; when it is heard again, it is merged */
    p->last_seen = packet->now;
    p->source = packet->source;
    v->latest = (uint8_t) (p - v->payloads);
}

void merged_view_forget_source(struct merged_view *v, uint16_t source)
{
    for (uint8_t i = 0; i < v->payloads_count; i++) {
        if (v->payloads[i].source == source)
            v->payloads[i].source = SOURCE_NONE;
    }
    for (uint8_t i = 0; i < v->elements_count; i++) {
        if (v->elements[i].source == source)
            v->elements[i].source = SOURCE_NONE;
    }
}
