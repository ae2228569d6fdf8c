/* Devices that come, are seen in several ways, say something else and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "mdns/announcements.h"

#define START (1000 * USEC_PER_SEC)

static struct announcements *a;

static int set_up(void **state)
{
    (void) state;
    a = announcements_new();
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    announcements_free(a);
    return 0;
}

static struct announcement_facts facts_of(const char *name)
{
    struct announcement_facts facts;

    assert_true(announcement_read(&facts, name, "host.local", 6053));
    return facts;
}

/* IPv4 on that interface, its last octet this. */
static bool hear(const char *name, int interface, uint8_t octet, usec_t now)
{
    const struct announcement_facts facts = facts_of(name);
    const struct announcement_sighting sighting = {interface, false, {192, 0, 2, octet}, ""};
    bool is_news;

    (void) announcements_heard(a, &facts, &sighting, now, &is_news);
    return is_news;
}

static bool hear_v6(const char *name, int interface, bool is_local)
{
    const struct announcement_facts facts = facts_of(name);
    struct announcement_sighting sighting = {interface, true, {0x20, 0x01, [15] = 1}, ""};
    bool is_news;

    if (is_local)
        memcpy(sighting.octets, "\xfe\x80", 2);
    (void) announcements_heard(a, &facts, &sighting, START, &is_news);
    return is_news;
}

static void they_are_listed_by_name(void **state)
{
    (void) state;
    assert_true(hear("hall", 2, 1, START));
    assert_true(hear("attic", 2, 2, START));
    assert_true(hear("kitchen", 2, 3, START));
    assert_int_equal(announcements_count(a), 3);
    assert_string_equal(announcements_get(a, 0)->facts.name, "attic");
    assert_string_equal(announcements_get(a, 2)->facts.name, "kitchen");
    assert_int_equal(announcements_after(a, ""), 0);
    assert_int_equal(announcements_after(a, "attic"), 1);
    assert_int_equal(announcements_after(a, "b"), 1);
    assert_int_equal(announcements_after(a, "kitchen"), 3);
}

static void the_same_again_is_no_news(void **state)
{
    (void) state;
    assert_true(hear("hall", 2, 1, START));
    assert_false(hear("hall", 2, 1, START + 1));
    assert_int_equal(announcements_count(a), 1);
    assert_true(announcements_get(a, 0)->heard == START + 1);
}

static void another_address_or_another_text_is_news(void **state)
{
    struct announcement_facts facts = facts_of("hall");
    const struct announcement_sighting sighting = {2, false, {192, 0, 2, 9}, ""};
    bool is_news;

    (void) state;
    (void) hear("hall", 2, 1, START);
    assert_true(hear("hall", 2, 9, START));
    assert_int_equal(announcements_get(a, 0)->sightings_count, 1);
    assert_int_equal(announcements_get(a, 0)->sightings[0].octets[3], 9);
    announcement_read_txt(&facts, (const uint8_t *) "version=2", 9);
    (void) announcements_heard(a, &facts, &sighting, START, &is_news);
    assert_true(is_news);
    assert_string_equal(announcements_get(a, 0)->facts.version, "2");
}

static void seen_twice_it_is_one_with_two_addresses_the_best_first(void **state)
{
    const struct announcement *one;

    (void) state;
    (void) hear_v6("hall", 2, true);
    (void) hear_v6("hall", 3, false);
    (void) hear("hall", 2, 1, START);
    one = announcements_get(a, 0);
    assert_int_equal(announcements_count(a), 1);
    assert_int_equal(one->sightings_count, 3);
    assert_false(one->sightings[0].is_v6);
    assert_int_equal(one->sightings[1].octets[0], 0x20);
    assert_int_equal(one->sightings[2].octets[0], 0xfe);
}

static void it_goes_with_the_last_way_it_was_seen(void **state)
{
    (void) state;
    (void) hear("hall", 2, 1, START);
    (void) hear_v6("hall", 2, false);
    announcements_gone(a, "hall", 3, false); /* it was not seen there */
    announcements_gone(a, "attic", 2, false);
    announcements_gone(a, "hall", 2, false);
    assert_int_equal(announcements_count(a), 1);
    assert_int_equal(announcements_get(a, 0)->sightings_count, 1);
    announcements_gone(a, "hall", 2, true);
    assert_int_equal(announcements_count(a), 0);
}

static void more_sightings_than_it_holds_are_passed_over(void **state)
{
    (void) state;
    for (int i = 1; i <= ANNOUNCEMENTS_SIGHTINGS_MAX; i++)
        assert_true(hear("hall", i, (uint8_t) i, START));
    assert_false(hear("hall", 99, 99, START));
    assert_int_equal(announcements_get(a, 0)->sightings_count, ANNOUNCEMENTS_SIGHTINGS_MAX);
}

static void beyond_the_bound_the_one_that_was_silent_for_longest_goes(void **state)
{
    char name[32];

    (void) state;
    for (int i = 0; i < ANNOUNCEMENTS_MAX; i++) {
        (void) snprintf(name, sizeof name, "p%05d", i);
        assert_true(hear(name, 2, 1, START + (usec_t) i));
    }
    assert_false(hear("p00000", 2, 1, START + 100000)); /* now p00001 is the oldest */
    assert_true(hear("one-more", 2, 1, START + 100001));
    assert_int_equal(announcements_count(a), ANNOUNCEMENTS_MAX);
    assert_string_equal(announcements_get(a, 0)->facts.name, "one-more");
    assert_string_equal(announcements_get(a, 1)->facts.name, "p00000");
    assert_string_equal(announcements_get(a, 2)->facts.name, "p00002");
}

static void an_answer_stays_and_a_silence_ends_with_the_next_news(void **state)
{
    const struct announcement *hall, *attic;

    (void) state;
    (void) hear("attic", 2, 1, START);
    (void) hear("hall", 2, 1, START);
    attic = announcements_get(a, 0);
    hall = announcements_get(a, 1);
    assert_int_equal(attic->inquiry, ANNOUNCEMENT_UNASKED);
    announcements_note_inquiry(a, "attic", ANNOUNCEMENT_ASKED, 0);
    announcements_note_inquiry(a, "hall", ANNOUNCEMENT_BLUETOOTH, 7);
    announcements_note_inquiry(a, "gone", ANNOUNCEMENT_BLUETOOTH, 7);
    announcements_note_try(a, "hall");
    announcements_note_try(a, "gone");
    (void) hear("attic", 2, 1, START);
    assert_int_equal(attic->inquiry, ANNOUNCEMENT_ASKED);
    (void) hear("attic", 2, 2, START);
    (void) hear("hall", 2, 2, START);
    assert_int_equal(attic->inquiry, ANNOUNCEMENT_UNASKED);
    assert_int_equal(hall->inquiry, ANNOUNCEMENT_BLUETOOTH);
    assert_true(hall->told_mac == 7);
    assert_true(hall->was_tried);
    assert_false(attic->was_tried);
}

static void nothing_is_left_when_the_daemon_goes(void **state)
{
    (void) state;
    (void) hear("hall", 2, 1, START);
    (void) hear("attic", 2, 2, START);
    announcements_clear(a);
    assert_int_equal(announcements_count(a), 0);
    assert_true(hear("hall", 2, 1, START));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(they_are_listed_by_name),
            TEST(the_same_again_is_no_news),
            TEST(another_address_or_another_text_is_news),
            TEST(seen_twice_it_is_one_with_two_addresses_the_best_first),
            TEST(it_goes_with_the_last_way_it_was_seen),
            TEST(more_sightings_than_it_holds_are_passed_over),
            TEST(beyond_the_bound_the_one_that_was_silent_for_longest_goes),
            TEST(an_answer_stays_and_a_silence_ends_with_the_next_news),
            TEST(nothing_is_left_when_the_daemon_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
