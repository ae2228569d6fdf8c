/* The table against a model that is as plain as possible: it reads every packet anew and searches
 * everything. Random reports, sources that come and go, and jumps of time; after each step what was
 * told and all that can be asked must be equal. */
#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "ble/advertising_data.h"
#include "table_fixture.h"

#define DEVICES  6
#define SOURCES  4
#define ELEMENTS 32
#define STEPS    30000

#define FORGET_AFTER SECONDS(4000) /* devices, and values in them */

struct model_element {
    uint8_t type;
    uint8_t data[64];
    size_t size;
    usec_t time;
    uint16_t source;
};

struct model_sighting {
    uint64_t count; /* 0: never heard it */
    int rssi;
    double smoothed;
    usec_t time;
};

struct model_device {
    bool is_here, is_available;
    usec_t first, last;
    int owner; /* -1: nobody */
    struct model_sighting sightings[SOURCES];
    struct model_element elements[ELEMENTS];
    size_t elements_count;
    uint64_t count;
};

struct model {
    struct model_device devices[DEVICES];
    bool is_online[SOURCES];
    usec_t last_heard[SOURCES];
    usec_t now;
};

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- the model ---- */

/* A text that is equal for elements about the same thing. */
static void key_of(char ret_key[64], uint8_t type, const uint8_t *data)
{
    const struct ad_field f = {advertising_data_kind(type), type, {data, 64}};
    char uuid[BLE_UUID_TEXT_SIZE] = "";
    unsigned number = f.kind == AD_KIND_OTHER ? type : 0;

    if (f.kind == AD_KIND_UUID || f.kind == AD_KIND_SERVICE_DATA) {
        struct ble_uuid u = ad_field_uuid(&f);

        ble_uuid_format(uuid, &u);
    }
    if (f.kind == AD_KIND_MANUFACTURER)
        number = ad_field_company(&f);
    (void) snprintf(ret_key, 64, "%d/%u/%s", (int) f.kind, number, uuid);
}

static struct model_element *model_find(struct model_element *elements, size_t count,
                                        const struct ad_field *f)
{
    char wanted[64], key[64];

    key_of(wanted, f->type, f->data.data);
    for (size_t i = 0; i < count; i++) {
        key_of(key, elements[i].type, elements[i].data);
        if (strcmp(wanted, key) == 0)
            return &elements[i];
    }
    return NULL;
}

static void model_set(struct model_element *e, const struct ad_field *f)
{
    e->type = f->type;
    e->size = f->data.size;
    memcpy(e->data, f->data.data, f->data.size);
}

/* The packet's own elements: the last of a key, a short name only where there is no name. */
static size_t model_read(struct model_element *ret_elements, const uint8_t *data, size_t size)
{
    struct ad_reader r = advertising_data_reader(data, size);
    struct ad_field f;
    size_t count = 0;

    while (advertising_data_next_field(&r, &f)) {
        struct model_element *e = model_find(ret_elements, count, &f);

        if (e && f.type == AD_NAME_SHORT)
            continue;
        model_set(e ? e : &ret_elements[count++], &f);
    }
    return count;
}

/* Another spelling of the known name that is not longer, or its beginning. */
static bool model_is_name_cut_short(const struct model_element *known, const struct ad_field *f)
{
    const char *old = (const char *) known->data, *new = (const char *) f->data.data;
    bool is_same = known->size == f->data.size && memcmp(old, new, known->size) == 0;

    return f->kind == AD_KIND_NAME && !is_same && f->data.size <= known->size &&
           strncasecmp(old, new, f->data.size) == 0;
}

static bool model_merge(struct model_device *d, const uint8_t *data, size_t size, usec_t now,
                        uint16_t source)
{
    struct model_element packet[ELEMENTS];
    size_t count = model_read(packet, data, size);
    bool is_changed = false, is_other;

    for (size_t i = 0; i < count; i++) {
        const struct ad_field f = {advertising_data_kind(packet[i].type),
                                   packet[i].type,
                                   {packet[i].data, packet[i].size}};
        struct model_element *e = model_find(d->elements, d->elements_count, &f);

        if (e && model_is_name_cut_short(e, &f))
            continue;
        if (!e) {
            e = &d->elements[d->elements_count++];
            e->size = SIZE_MAX;
        }
        is_other = e->size != f.data.size || (e->type != f.type && f.kind != AD_KIND_NAME) ||
                   memcmp(e->data, f.data.data, f.data.size) != 0;
        if (is_other || f.type == AD_NAME)
            model_set(e, &f);
        is_changed |= is_other;
        e->time = now;
        e->source = source;
    }
    return is_changed;
}

static bool model_is_value(uint8_t type)
{
    enum ad_kind kind = advertising_data_kind(type);

    return kind == AD_KIND_FLAGS || kind == AD_KIND_SERVICE_DATA || kind == AD_KIND_MANUFACTURER;
}

/* Elements of which it is too long ago; true when one went. */
static bool model_expire(struct model_device *d, usec_t now)
{
    size_t kept = 0, count = d->elements_count;

    for (size_t i = 0; i < count; i++) {
        const struct model_element *e = &d->elements[i];
        usec_t age = model_is_value(e->type) ? FORGET_AFTER : DEVICE_SCAN_RESPONSE_AGE;

        if (advertising_data_kind(e->type) == AD_KIND_NAME || now - e->time < age)
            d->elements[kept++] = *e;
    }
    d->elements_count = kept;
    return kept < count;
}

/* The reason why the source takes over, or -1. */
static int model_why(const struct model *m, const struct model_device *d, uint16_t source, int rssi)
{
    const struct model_sighting *owner;

    if (d->owner < 0)
        return OWNER_FIRST;
    owner = &d->sightings[d->owner];
    if (d->owner == source || rssi == 0)
        return -1;
    if (!m->is_online[d->owner])
        return OWNER_PROXY_OFFLINE;
    if (m->now - m->last_heard[d->owner] > SECONDS(90))
        return OWNER_PROXY_QUIET;
    if (m->now - owner->time > SECONDS(900))
        return OWNER_GONE;
    if (d->sightings[source].smoothed > (isnan(owner->smoothed) ? -127 : owner->smoothed) + 16)
        return OWNER_STRONGER;
    return -1;
}

/* The kinds that the report must tell. */
static unsigned model_hear(struct model *m, struct model_device *d, uint16_t source, int rssi,
                           const uint8_t *data, size_t size, int *ret_why)
{
    struct model_sighting *s = &d->sightings[source];
    bool is_first = !d->is_here, is_changed;
    unsigned kinds = is_first ? DEVICE_FIRST_SEEN : 0;

    if (is_first)
        *d = (struct model_device){
                .is_here = true, .is_available = true, .first = m->now, .owner = -1};
    if (s->count++ == 0)
        s->smoothed = (double) NAN;
    if (rssi)
        s->smoothed = isnan(s->smoothed) ? rssi : 0.3 * rssi + 0.7 * s->smoothed;
    s->rssi = rssi;
    s->time = d->last = m->now;
    d->count++;
    is_changed = model_merge(d, data, size, m->now, source);
    is_changed |= model_expire(d, m->now);
    if (is_changed && !is_first)
        kinds |= DEVICE_PAYLOAD;
    *ret_why = model_why(m, d, source, rssi);
    if (*ret_why >= 0) {
        d->owner = source;
        kinds |= DEVICE_OWNER;
    }
    if (!d->is_available)
        kinds |= DEVICE_AVAILABILITY;
    d->is_available = true;
    return kinds;
}

/* How many changes the passing of time must tell. */
static size_t model_advance(struct model *m)
{
    size_t changes = 0;

    for (size_t i = 0; i < DEVICES; i++) {
        struct model_device *d = &m->devices[i];

        if (d->is_here && d->is_available && m->now >= d->last + SECONDS(900)) {
            d->is_available = false;
            changes++;
        }
        if (d->is_here && !d->is_available && m->now >= d->last + FORGET_AFTER) {
            d->is_here = false;
            changes++;
        }
    }
    return changes;
}

/* ---- the comparison ---- */

static void compare_elements(const struct fixture *f, const struct device *d,
                             const struct model_device *m)
{
    struct device_element e;

    for (size_t i = 0; i < m->elements_count; i++) {
        const struct model_element *expected = &m->elements[i];

        assert_true(device_get_element(f->table, d, i, &e));
        assert_int_equal(e.type, expected->type);
        assert_true(e.last_seen == expected->time);
        assert_int_equal(e.source, expected->source);
        assert_true(e.size <= expected->size);
        assert_memory_equal(e.data, expected->data + expected->size - e.size, e.size);
    }
    assert_false(device_get_element(f->table, d, m->elements_count, &e));
}

static void compare_sources(const struct fixture *f, const struct device *d,
                            const struct model_device *m)
{
    struct device_source s;
    size_t count = 0, expected = 0;

    for (size_t i = 0; i < SOURCES; i++)
        expected += m->sightings[i].count > 0;
    for (; device_get_source(f->table, d, count, &s); count++) {
        const struct model_sighting *sighting = &m->sightings[s.source];

        assert_true(s.advertisements == sighting->count);
        assert_int_equal(s.rssi, sighting->rssi);
        assert_true(s.last_seen == sighting->time);
        assert_int_equal(isnan(s.rssi_smoothed), isnan(sighting->smoothed));
        if (!isnan(s.rssi_smoothed))
            assert_true(fabs(s.rssi_smoothed - sighting->smoothed) < 1e-9);
        assert_int_equal(s.is_owner, m->owner == s.source);
    }
    assert_int_equal(count, expected);
}

static void compare(const struct fixture *f, size_t index, const struct model_device *m)
{
    const struct device *d = device_table_find(f->table, DEVICE + index);
    struct device_facts facts;

    assert_int_equal(d != NULL, m->is_here);
    if (!d)
        return;
    device_get_facts(f->table, d, &facts);
    assert_int_equal(facts.is_available, m->is_available);
    assert_true(facts.first_seen == m->first);
    assert_true(facts.last_seen == m->last);
    assert_true(facts.advertisements == m->count);
    assert_int_equal(facts.owner, m->owner < 0 ? SOURCE_NONE : (uint16_t) m->owner);
    compare_elements(f, d, m);
    compare_sources(f, d, m);
}

/* ---- the run ---- */

/* Puts pieces together, each of which comes or does not. */
static size_t make_packet(uint8_t ret_data[BLE_REPORT_DATA_MAX], uint32_t *random)
{
    static const char *const pieces[] = {
            "020106",     "02011a",       "020af4",         "0409536e73",     "0609536e736f72",
            "03085361",   "05030f180a18", "03021a18",       "05ff4c000102",   "05ff4c000304",
            "04ffe00001", "0516d2fc4001", "0616d2fc400203", "0220d2",         "0620d2fc000007",
            "022e01",     "032e0203",     "0408536e73",     "0608536e736f72", "0409534e53",
    };
    size_t size = 0;

    for (int i = 0; i < 5; i++) {
        const char *piece = pieces[draw(random) % ARRAY_SIZE(pieces)];
        size_t added;

        assert_true(bytes_from_hex(ret_data + size, BLE_REPORT_DATA_MAX - size, piece,
                                   strlen(piece), &added));
        size += added;
        if (draw(random) % 3 == 0)
            break;
    }
    return size;
}

static void step_source(struct fixture *f, struct model *m, uint16_t source, bool is_removal)
{
    if (!is_removal) {
        m->is_online[source] = !m->is_online[source];
        if (m->is_online[source])
            m->last_heard[source] = m->now;
        device_table_source_online(f->table, source, m->is_online[source], m->now);
        return;
    }
    m->is_online[source] = false;
    device_table_source_remove(f->table, source);
    for (size_t i = 0; i < DEVICES; i++) {
        struct model_device *d = &m->devices[i];

        d->sightings[source] = (struct model_sighting){0};
        if (d->owner == source)
            d->owner = -1;
        for (size_t e = 0; e < d->elements_count; e++) {
            if (d->elements[e].source == source)
                d->elements[e].source = SOURCE_NONE;
        }
    }
}

static void step_report(struct fixture *f, struct model *m, uint32_t *random)
{
    /* A few packets come again and again, so that most are known. */
    uint32_t packet = draw(random) % 12;
    size_t index = draw(random) % DEVICES;
    uint16_t source = (uint16_t) (draw(random) % SOURCES);
    int rssi = draw(random) % 8 ? -30 - (int) (draw(random) % 70) : 0, why;
    uint8_t data[BLE_REPORT_DATA_MAX];
    size_t size = make_packet(data, &packet);
    unsigned kinds;

    m->last_heard[source] = m->now;
    kinds = model_hear(m, &m->devices[index], source, rssi, data, size, &why);
    fixture_hear_octets(f, source, DEVICE + index, rssi, data, size);
    assert_int_equal(fixture_kinds(f), kinds);
    if (kinds & DEVICE_OWNER)
        assert_int_equal(f->changes[0].why, why);
    compare(f, index, &m->devices[index]);
}

static void run(uint32_t random)
{
    struct device_table_settings settings = fixture_settings();
    struct model m = {.now = START};
    struct fixture f;

    settings.forget_after = FORGET_AFTER;
    fixture_start(&f, &settings);
    for (uint16_t source = 0; source < SOURCES; source++) {
        m.is_online[source] = true;
        m.last_heard[source] = START;
    }
    for (int step = 0; step < STEPS; step++) {
        uint32_t what = draw(&random) % 1000;

        m.now += 1 + draw(&random) % 100000;
        if (what < 20)
            m.now += SECONDS(draw(&random) % (what < 3 ? 5000 : 1000));
        f.now = m.now;
        f.changes_count = 0;
        device_table_advance(f.table, f.now);
        assert_int_equal(f.changes_count, model_advance(&m));
        if (what > 990)
            step_source(&f, &m, (uint16_t) (draw(&random) % SOURCES), what == 999);
        else
            step_report(&f, &m, &random);
        if (step % 100 == 0) {
            for (size_t i = 0; i < DEVICES; i++)
                compare(&f, i, &m.devices[i]);
        }
    }
    assert_true(fixture_statistics(&f).parses * 4 < fixture_statistics(&f).reports * 3);
    device_table_free(f.table);
}

static void table_agrees_with_a_plain_model_under_random_use(void **state)
{
    (void) state;
    for (uint32_t seed = 1; seed <= 3; seed++)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(table_agrees_with_a_plain_model_under_random_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
