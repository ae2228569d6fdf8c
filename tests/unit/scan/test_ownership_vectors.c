/* What habluetooth 6.26.7 did with packets that were fed to it, one row each, against the table.
 * Where the table means to differ, the row says so. P0 is the owner, and hears another device all
 * the time, so that it is never quiet; P1 is the challenger. */
#include "table_fixture.h"

#define OTHER (DEVICE + 1)
#define ME    1

struct vector {
    const char *name;
    int interval_s; /* 0: not known */
    int owner_rssi;
    int challenger_rssi[4]; /* as many packets, a second apart; 0: no more */
    double silent_s;        /* the owner, before the first of them */
    const char *theirs;     /* after the last of them: "keep", or why */
    const char *ours;       /* NULL: the same */
};

/* clang-format off */
static const struct vector vectors[] = {
    {"first sample, 16 dB",          0, -70, {-54}, 0, "keep", NULL},
    {"first sample, 17 dB",          0, -70, {-53}, 0, "stronger", "keep"},
    {"steady, 16 dB",                0, -70, {-54, -54, -54}, 0, "keep", NULL},
    {"steady, 17 dB",                0, -70, {-53, -53, -53}, 0, "stronger", NULL},
    {"smoothed, first",              0, -60, {-60}, 0, "keep", NULL},
    {"smoothed, one spike",          0, -60, {-60, -30}, 0, "keep", NULL},
    {"smoothed, two",                0, -60, {-60, -30, -30}, 0, "keep", NULL},
    {"smoothed, three",              0, -60, {-60, -30, -30, -30}, 0, "stronger", NULL},
    {"roam, 15 s",                  10, -80, {-85}, 15, "keep", NULL},
    {"roam, 22 s",                  10, -80, {-85}, 22, "keep", NULL},
    {"roam, 23 s",                  10, -80, {-85}, 23, "roam", NULL},
    {"too faint to roam, 23 s",     10, -80, {-97}, 23, "keep", NULL},
    {"too faint to roam, 37 s",     10, -80, {-97}, 37, "keep", NULL},
    {"gone, 38 s",                  10, -80, {-97}, 38, "gone", NULL},
    {"strong owner, 23 s",          10, -70, {-70}, 23, "keep", NULL},
    {"hardly weak owner, 23 s",     10, -71, {-71}, 23, "roam", NULL},
    {"strong owner gone, 38 s",     10, -60, {-90}, 38, "gone", NULL},
    {"no interval, 899 s",           0, -60, {-90}, 899, "keep", NULL},
    {"no interval, 901 s",           0, -60, {-90}, 901, "gone", NULL},
    {"interval of 600 s, 900 s",   600, -60, {-90}, 900, "keep", NULL},
    {"interval of 600 s, 908 s",   600, -60, {-90}, 908, "gone", NULL},
};
/* clang-format on */

/* Time passes for everything but the device. */
static void pass(struct fixture *f, double seconds)
{
    usec_t end = f->now + (usec_t) (seconds * (double) USEC_PER_SEC);

    while (f->now < end) {
        f->now = end - f->now < SECONDS(30) ? end : f->now + SECONDS(30);
        fixture_hear_octets(f, 0, OTHER, -60, NULL, 0);
    }
}

static const char *verdict(const struct fixture *f)
{
    return fixture_kinds(f) & DEVICE_OWNER ? owner_why_name(f->changes[0].why) : "keep";
}

static const char *run(struct fixture *f, const struct vector *v)
{
    if (v->interval_s)
        device_table_pin(f->table, DEVICE, true, SECONDS(v->interval_s));
    fixture_hear(f, 0, v->owner_rssi, "020106");
    pass(f, v->silent_s);
    for (size_t i = 0; i < ARRAY_SIZE(v->challenger_rssi) && v->challenger_rssi[i]; i++) {
        f->now += i ? SECONDS(1) : 0;
        fixture_hear(f, ME, v->challenger_rssi[i], "020106");
    }
    return verdict(f);
}

/* Rows that differ are those of the table "How ownership differs from habluetooth". */
static void O01_to_O06_vectors_hold_or_differ_on_purpose(void **state)
{
    const struct device_table_settings settings = fixture_settings();
    struct fixture f;

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        const struct vector *v = &vectors[i];
        const char *expected = v->ours ? v->ours : v->theirs, *found;

        fixture_start(&f, &settings);
        found = run(&f, v);
        if (strcmp(found, expected) != 0)
            fail_msg("%s: %s instead of %s", v->name, found, expected);
        device_table_free(f.table);
    }
}

/* 40 packets in 0.4 s, which bring the smoothed value there and are no time. */
static void hear_crowd(struct fixture *f, uint16_t source, int rssi)
{
    for (int i = 0; i < 40; i++) {
        f->now += 10 * USEC_PER_MSEC;
        fixture_hear(f, source, rssi, "020106");
    }
}

static void O03_source_that_lost_needs_22_db_and_a_third_one_16(void **state)
{
    struct fixture *f = *state;

    fixture_hear(f, 1, -70, "020106");
    hear_crowd(f, 0, -50);
    assert_int_equal(fixture_facts(f).owner, 0);
    hear_crowd(f, 1, -28);
    assert_int_equal(fixture_facts(f).owner, 0);
    hear_crowd(f, 2, -34);
    assert_int_equal(fixture_facts(f).owner, 0);
    hear_crowd(f, 1, -27);
    assert_int_equal(fixture_facts(f).owner, 1);
    hear_crowd(f, 0, -5); /* lost it now in its turn */
    assert_int_equal(fixture_facts(f).owner, 1);
    hear_crowd(f, 2, -10); /* never had it */
    assert_int_equal(fixture_facts(f).owner, 2);
}

static void O08_owner_in_an_attempt_to_connect_keeps_the_device(void **state)
{
    struct fixture *f = *state; /* theirs: a switch to any challenger */

    fixture_hear(f, 0, -50, "020106");
    device_table_source_connecting(f->table, 0, true, f->now);
    fixture_hear(f, ME, -95, "020106");
    assert_string_equal(verdict(f), "keep");
}

static void O10_new_payload_of_a_challenger_is_told_and_the_owner_stays(void **state)
{
    struct fixture *f = *state; /* theirs: no event */

    fixture_hear(f, 0, -50, "020106");
    fixture_hear(f, ME, -90, "0516d2fc4001");
    assert_int_equal(fixture_kinds(f), DEVICE_PAYLOAD);
    assert_int_equal(f->changes[0].source, ME);
    assert_int_equal(fixture_facts(f).owner, 0);
}

static void O14_owner_change_with_an_equal_payload_is_told(void **state)
{
    struct fixture *f = *state; /* theirs: no event */

    fixture_hear(f, 0, -80, "020106");
    fixture_hear_well(f, ME, -50, "020106");
    assert_int_equal(fixture_kinds(f), DEVICE_OWNER);
    assert_int_equal(f->changes[0].owner_from, 0);
    assert_int_equal(f->changes[0].source, ME);
    assert_int_equal(f->changes[0].why, OWNER_STRONGER);
    assert_true(f->changes[0].rssi_from == -80);
    assert_true(f->changes[0].rssi_to == -50);
}

static void V01_longest_of_15_gaps_is_the_interval(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 16; i++) {
        fixture_hear(f, 0, -50, "020106");
        assert_int_equal(fixture_facts(f).interval, i == 15 ? 3500 * USEC_PER_MSEC : 0);
        f->now += i == 7 ? 3500 * USEC_PER_MSEC : SECONDS(1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(O01_to_O06_vectors_hold_or_differ_on_purpose),
            FIXTURE_TEST(O03_source_that_lost_needs_22_db_and_a_third_one_16),
            FIXTURE_TEST(O08_owner_in_an_attempt_to_connect_keeps_the_device),
            FIXTURE_TEST(O10_new_payload_of_a_challenger_is_told_and_the_owner_stays),
            FIXTURE_TEST(O14_owner_change_with_an_equal_payload_is_told),
            FIXTURE_TEST(V01_longest_of_15_gaps_is_the_interval),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
