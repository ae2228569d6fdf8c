/* The table against a model that is as plain as possible: it reads every packet anew and searches
 * everything. Random reports, sources that come and go, and jumps of time; after each step what was
 * told and all that can be asked must be equal. The owner's rule and the interval are taken as they
 * are; they have tests of their own. */
#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "ble/advertising_data.h"
#include "scan/interval.h"
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
    struct ownership_signal signal;
    usec_t time;
};

struct model_device {
    bool is_here, is_available;
    usec_t first, last, excused_until;
    struct interval interval;
    int owner; /* -1: nobody */
    struct model_sighting sightings[SOURCES];
    struct model_element elements[ELEMENTS];
    size_t elements_count;
    uint64_t count;
};

struct model {
    struct model_device devices[DEVICES];
    struct model_source {
        bool is_online, is_connecting;
        usec_t last_heard, went_deaf, listens;
    } sources[SOURCES];
    usec_t now;
};

static const struct ownership_rule rule = {
        .margin_db = 16,
        .reclaim_db = 6,
        .strong_dbm = -70,
        .roam_factor = 1.5,
        .gone_factor = 2.5,
        .alpha = 0.3F,
        .stale_after = 900 * USEC_PER_SEC,
        .quiet_after = 90 * USEC_PER_SEC,
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

static usec_t least(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

static usec_t patience_of(const struct model_device *d)
{
    return ownership_stale_time(&rule, interval_learned(&d->interval));
}

/* The reason why the source takes over, or -1. The rule itself has tests of its own. */
static int model_why(const struct model *m, const struct model_device *d, uint16_t source, int rssi)
{
    const struct ownership_challenge challenge = {
            .signal = &d->sightings[source].signal,
            .has_rssi = rssi != 0,
            .interval = interval_learned(&d->interval),
            .now = m->now,
    };
    const struct model_sighting *sighting = d->owner < 0 ? NULL : &d->sightings[d->owner];
    const struct model_source *s = d->owner < 0 ? NULL : &m->sources[d->owner];
    struct ownership_claim owner;
    enum owner_why why;

    if (!sighting)
        return OWNER_FIRST;
    if (d->owner == source)
        return -1;
    owner = (struct ownership_claim){&sighting->signal, m->now - sighting->time,
                                     m->now - s->last_heard, s->is_online};
    if (owner.silent_for <= SECONDS(900))
        owner.silent_for = least(owner.silent_for, m->now - s->listens);
    owner.quiet_for = least(owner.quiet_for, m->now - s->listens);
    if (s->is_connecting && m->now - s->went_deaf <= SECONDS(30))
        owner.quiet_for = 0;
    else if (s->is_connecting)
        owner.quiet_for = least(owner.quiet_for, m->now - s->went_deaf - SECONDS(30));
    if (s->is_connecting && owner.silent_for <= SECONDS(900))
        owner.silent_for = least(owner.silent_for, m->now - s->went_deaf <= SECONDS(30)
                                                           ? 0
                                                           : m->now - s->went_deaf - SECONDS(30));
    return ownership_moves(&rule, &owner, &challenge, &why) ? (int) why : -1;
}

static void model_move(struct model_device *d, uint16_t source, int why)
{
    if (why == OWNER_STRONGER) {
        d->sightings[d->owner].signal.has_lost = true;
        d->sightings[source].signal.has_lost = false;
    }
    d->owner = source;
    interval_restart(&d->interval);
}

/* The kinds that the report must tell. */
static unsigned model_hear(struct model *m, struct model_device *d, uint16_t source, int rssi,
                           const uint8_t *data, size_t size, int *ret_why)
{
    struct model_sighting *s = &d->sightings[source];
    const struct model_source *ear = &m->sources[source];
    bool is_first = !d->is_here, is_changed;
    usec_t before = s->time;
    unsigned kinds = is_first ? DEVICE_FIRST_SEEN : 0;

    if (is_first)
        *d = (struct model_device){
                .is_here = true, .is_available = true, .first = m->now, .owner = -1};
    s->count++;
    ownership_hear(&s->signal, (int8_t) rssi, (int8_t) s->rssi, m->now - s->time, 0.3F);
    s->rssi = rssi;
    s->time = d->last = m->now;
    d->count++;
    is_changed = model_merge(d, data, size, m->now, source);
    is_changed |= model_expire(d, m->now);
    if (is_changed && !is_first)
        kinds |= DEVICE_PAYLOAD;
    *ret_why = model_why(m, d, source, rssi);
    if (*ret_why >= 0) {
        model_move(d, source, *ret_why);
        kinds |= DEVICE_OWNER;
    }
    if (d->owner == source) {
        if (before <= ear->went_deaf || before < ear->listens)
            interval_restart(&d->interval);
        interval_heard(&d->interval, m->now);
    }
    d->excused_until = 0;
    if (!d->is_available)
        kinds |= DEVICE_AVAILABILITY;
    d->is_available = true;
    return kinds;
}

/* Until when silence is no wonder, because all ears that should have heard it are deaf; 0: it is.
 */
static usec_t model_excuse(const struct model *m, const struct model_device *d)
{
    usec_t until = 0;

    for (size_t i = 0; i < SOURCES; i++) {
        usec_t heard = d->sightings[i].time, deaf = m->sources[i].went_deaf;

        if (d->sightings[i].count == 0 || heard + patience_of(d) < d->last)
            continue;
        if (m->now - m->sources[i].last_heard > SECONDS(90) && deaf < m->sources[i].last_heard)
            deaf = m->sources[i].last_heard;
        if (!m->sources[i].is_online || m->sources[i].is_connecting)
            deaf = deaf > heard ? deaf : heard;
        if (deaf < heard || deaf > heard + patience_of(d))
            return 0;
        if (deaf + SECONDS(60) > until)
            until = deaf + SECONDS(60);
    }
    return until;
}

/* How many changes the passing of time must tell. */
static size_t model_advance(struct model *m)
{
    size_t changes = 0;

    for (size_t i = 0; i < DEVICES; i++) {
        struct model_device *d = &m->devices[i];

        if (d->is_here && d->is_available && m->now >= d->last + patience_of(d) &&
            m->now >= d->excused_until) {
            d->excused_until = model_excuse(m, d);
            d->is_available = d->excused_until > m->now;
            changes += !d->is_available;
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
        assert_int_equal(!isnan(s.rssi_smoothed), sighting->signal.count > 0);
        if (!isnan(s.rssi_smoothed))
            assert_true(s.rssi_smoothed == (double) sighting->signal.fast);
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
    assert_true(facts.interval == interval_learned(&m->interval));
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

/* It listens, or does not any more. */
static void set_source(struct model *m, struct model_source *s, bool is_online, bool is_connecting)
{
    bool listened = s->is_online && !s->is_connecting;

    s->is_online = is_online;
    s->is_connecting = is_online && is_connecting;
    if (listened && (!is_online || is_connecting))
        s->went_deaf = m->now;
    if (!listened && is_online && !is_connecting)
        s->listens = m->now;
}

static void remove_source(struct fixture *f, struct model *m, uint16_t source)
{
    m->sources[source] = (struct model_source){0};
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

static void step_source(struct fixture *f, struct model *m, uint16_t source, uint32_t what)
{
    struct model_source *s = &m->sources[source];

    if (what == 0) {
        remove_source(f, m, source);
    } else if (what % 2) {
        set_source(m, s, !s->is_online, s->is_connecting);
        device_table_source_online(f->table, source, s->is_online, m->now);
    } else {
        bool is_connecting = !s->is_connecting;

        set_source(m, s, s->is_online, is_connecting);
        device_table_source_connecting(f->table, source, is_connecting, m->now);
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

    m->sources[source].last_heard = m->now;
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
        m.sources[source].is_online = true;
        m.sources[source].listens = START;
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
        if (what > 984)
            step_source(&f, &m, (uint16_t) (draw(&random) % SOURCES), what - 985);
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
