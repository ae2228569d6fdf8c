/* Any octets read as advertising data, by the parser and by an oracle as plain as the rules at the
 * head of advertising_data.h: it counts places, knows the types by hand, and shares no code with
 * the parser. Structures, fields and summary must say the same, and lie within the octets. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "ble/advertising_data.h"
#include "fuzz_target.h"

/* A structure, or a field of one, by its place in the octets. */
struct place {
    uint8_t type;
    size_t at, size; /* of the data behind the type */
};

struct places {
    struct place *items; /* ours; room for as many as there are octets */
    size_t count;
};

static void add_place(struct places *p, uint8_t type, size_t at, size_t size)
{
    p->items[p->count++] = (struct place){type, at, size};
}

/* ---- the oracle ---- */

static void find_structures(struct places *p, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        const size_t length = data[at];

        if (at + 1 + length > size)
            return;
        if (length >= 2 && data[at + 1] != 0)
            add_place(p, data[at + 1], at + 2, length - 1);
        at += 1 + length;
    }
}

/* Octets of one UUID of a list, 0: no list. */
static size_t uuid_size(uint8_t type)
{
    if (type < 0x02 || type > 0x07)
        return 0;
    return type <= 0x03 ? 2 : type <= 0x05 ? 4 : 16;
}

static size_t least_size(uint8_t type)
{
    switch (type) {
    case 0x16:
    case 0xff:
        return 2;
    case 0x20:
        return 4;
    case 0x21:
        return 16;
    default:
        return 1;
    }
}

static bool is_field(const struct place *s)
{
    if (s->type == 0x0a)
        return s->size == 1;
    if (s->type == 0x19)
        return s->size == 2;
    return s->size >= least_size(s->type);
}

static void find_fields(struct places *fields, const struct places *structures)
{
    for (const struct place *s = structures->items; s < structures->items + structures->count;
         s++) {
        const size_t step = uuid_size(s->type);

        for (size_t i = 0; step > 0 && i + step <= s->size; i += step)
            add_place(fields, (uint8_t) (s->type | 1), s->at + i, step);
        if (step == 0 && is_field(s))
            add_place(fields, s->type, s->at, s->size);
    }
}

/* The place of the name: a complete one beats a short one; the last complete, the first short. */
static const struct place *find_name(const struct places *fields)
{
    const struct place *name = NULL;

    for (const struct place *f = fields->items; f < fields->items + fields->count; f++) {
        if (f->type == 0x09 || (f->type == 0x08 && !name))
            name = f;
    }
    return name;
}

static const struct place *find_last(const struct places *fields, uint8_t type)
{
    const struct place *last = NULL;

    for (const struct place *f = fields->items; f < fields->items + fields->count; f++) {
        if (f->type == type)
            last = f;
    }
    return last;
}

static bool is_other(uint8_t type)
{
    static const uint8_t known[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0x0a, 0x16, 0x19, 0x20, 0x21, 0xff};

    return !memchr(known, type, sizeof known);
}

/* ---- the parser held against it ---- */

static void check_place(const uint8_t *data, const struct place *place, uint8_t type,
                        struct bytes view)
{
    if (place->type != type || view.data != data + place->at || view.size != place->size)
        abort();
}

static void check_structures(const uint8_t *data, size_t size, const struct places *wanted)
{
    struct bytes rest = {data, size};
    struct ad_structure s;
    size_t count = 0;

    while (advertising_data_next_structure(&rest, &s)) {
        if (count == wanted->count)
            abort();
        check_place(data, &wanted->items[count++], s.type, s.data);
    }
    if (count != wanted->count)
        abort();
}

static void check_fields(const uint8_t *data, size_t size, const struct places *wanted)
{
    struct ad_reader reader = advertising_data_reader(data, size);
    struct ad_field f;
    size_t count = 0;

    while (advertising_data_next_field(&reader, &f)) {
        struct bytes value = ad_field_value(&f);

        if (count == wanted->count || value.data + value.size != f.data.data + f.data.size)
            abort();
        check_place(data, &wanted->items[count++], f.type, f.data);
    }
    if (count != wanted->count)
        abort();
}

static void check_name(const uint8_t *data, const struct advertising_data *a,
                       const struct places *fields)
{
    char repaired[UTF8_REPAIRED_SIZE(255)];
    const struct place *name = find_name(fields);

    if ((name ? name->size : 0) != a->name.size ||
        utf8_repair(repaired, a->name.data, a->name.size) >= sizeof repaired)
        abort();
    if (name && (a->name.data != data + name->at || a->name_is_complete != (name->type == 0x09)))
        abort();
}

static void check_single_values(const uint8_t *data, const struct advertising_data *a,
                                const struct places *fields)
{
    const struct place *flags = find_last(fields, 0x01), *power = find_last(fields, 0x0a),
                       *appearance = find_last(fields, 0x19);

    if (a->has_flags != !!flags || a->has_tx_power != !!power || a->has_appearance != !!appearance)
        abort();
    if ((flags && a->flags != data[flags->at]) ||
        (power && (uint8_t) a->tx_power != data[power->at]))
        abort();
    if (appearance && a->appearance != data[appearance->at] + 256 * data[appearance->at + 1])
        abort();
}

/* Every service and manufacturer data of the summary is the last of its key on air. */
static void check_keyed(const uint8_t *data, const struct advertising_data *a,
                        const struct places *fields)
{
    for (size_t i = 0; i < a->manufacturer_data_count; i++) {
        const struct ad_manufacturer_data *m = &a->manufacturer_data[i];
        const struct place *last = NULL;

        for (const struct place *f = fields->items; f < fields->items + fields->count; f++) {
            if (f->type == 0xff && data[f->at] + 256 * data[f->at + 1] == m->company)
                last = f;
        }
        if (!last || m->value.data != data + last->at + 2 || m->value.size != last->size - 2)
            abort();
    }
    for (size_t i = 0; i < a->service_data_count; i++) {
        const struct bytes value = a->service_data[i].value;
        bool is_there = false;

        for (const struct place *f = fields->items; f < fields->items + fields->count; f++)
            is_there |= (f->type == 0x16 || f->type == 0x20 || f->type == 0x21) &&
                        value.data == data + f->at + least_size(f->type) &&
                        value.size == f->size - least_size(f->type);
        if (!is_there)
            abort();
    }
}

/* What there was no room for is counted, and nothing else. */
static void check_counts(const struct advertising_data *a, const struct places *fields)
{
    size_t uuids = 0, others = 0;

    for (const struct place *f = fields->items; f < fields->items + fields->count; f++) {
        uuids += uuid_size(f->type) > 0;
        others += is_other(f->type);
    }
    if (a->uuids_count != (uuids < ADVERTISING_DATA_LIST_MAX ? uuids : ADVERTISING_DATA_LIST_MAX) ||
        a->others_count !=
                (others < ADVERTISING_DATA_LIST_MAX ? others : ADVERTISING_DATA_LIST_MAX) ||
        a->service_data_count > ADVERTISING_DATA_LIST_MAX ||
        a->manufacturer_data_count > ADVERTISING_DATA_LIST_MAX)
        abort();
    if (a->dropped < uuids - a->uuids_count + others - a->others_count)
        abort();
    if (fields->count <= ADVERTISING_DATA_LIST_MAX && a->dropped != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct places structures = {.items = xnew(struct place, size + 1)};
    struct places fields = {.items = xnew(struct place, size + 1)};
    struct advertising_data summary;

    find_structures(&structures, data, size);
    find_fields(&fields, &structures);
    check_structures(data, size, &structures);
    check_fields(data, size, &fields);
    advertising_data_parse(&summary, data, size);
    check_name(data, &summary, &fields);
    check_single_values(data, &summary, &fields);
    check_keyed(data, &summary, &fields);
    check_counts(&summary, &fields);
    free(structures.items);
    free(fields.items);
    return 0;
}
