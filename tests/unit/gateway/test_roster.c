/* Who is who when a configuration changes. A fleet is written as "name@host" or "name@host=mac",
 * the last with one digit. */
#include "roster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#define FLEETS 8

struct fixture {
    struct roster *roster;
    struct config *configs[FLEETS]; /* that were in force, the last one is */
    size_t configs_count;
    uint16_t sources[ROSTER_MAX];
};

static int set_up(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->roster = roster_new();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    roster_free(f->roster);
    for (size_t i = 0; i < f->configs_count; i++)
        config_free(f->configs[i]);
    free(f);
    return 0;
}

/* One entry in JSON, from "name@host" or "name@host=5". */
static size_t write_entry(char *text, size_t size, const char *entry)
{
    size_t name = strcspn(entry, "@"), host = strcspn(entry + name + 1, "=");
    const char *mac = entry + name + 1 + host;
    int length = snprintf(text, size, "{\"name\":\"%.*s\",\"host\":\"%.*s\"", (int) name, entry,
                          (int) host, entry + name + 1);

    if (*mac)
        length += snprintf(text + length, size - (size_t) length, ",\"mac\":\"00:00:00:00:00:0%c\"",
                           mac[1]);
    length += snprintf(text + length, size - (size_t) length, "}");
    return (size_t) length;
}

static struct config *parse(const char *fleet)
{
    char text[2048] = "{\"proxies\":[", entry[128];
    struct config_faults faults = {0};
    size_t at = strlen(text);
    struct config *config;

    while (*fleet) {
        size_t size = strcspn(fleet, " ");

        (void) snprintf(entry, sizeof entry, "%.*s", (int) size, fleet);
        at += write_entry(text + at, sizeof text - at, entry);
        fleet += size + (fleet[size] == ' ');
        if (*fleet)
            text[at++] = ',';
    }
    (void) snprintf(text + at, sizeof text - at, "]}");
    config = config_parse(text, strlen(text), (const char *const[]){"core", NULL}, &faults);
    assert_non_null(config);
    config_faults_done(&faults);
    return config;
}

/* The numbers by place, "-" for a new one, as they are matched; then the fleet is in force. */
static void expect(struct fixture *f, const char *fleet, const char *numbers)
{
    struct config *config = f->configs[f->configs_count++] = parse(fleet);
    char text[256] = "";

    assert_true(f->configs_count <= FLEETS);
    roster_match(f->roster, config, f->sources);
    for (size_t i = 0; i < config->proxies_count; i++) {
        size_t at = strlen(text);

        if (f->sources[i] == ROSTER_NONE)
            (void) snprintf(text + at, sizeof text - at, "- ");
        else
            (void) snprintf(text + at, sizeof text - at, "%u ", (unsigned) f->sources[i]);
    }
    assert_string_equal(text, numbers);
    roster_set(f->roster, config, f->sources);
}

static void names_keep_their_numbers_whatever_their_place(void **state)
{
    struct fixture *f = *state;

    expect(f, "a@1 b@2 c@3", "- - - ");
    expect(f, "c@3 a@1 b@2", "2 0 1 ");
    assert_int_equal(roster_source(f->roster, 0), 2);
    assert_int_equal(roster_place(f->roster, 2), 0);
    assert_string_equal(roster_name(f->roster, 2), "c");
    assert_int_equal(roster_count(f->roster), 3);
    assert_int_equal(roster_end(f->roster), 3);
    expect(f, "a@1 b@9 c@3", "0 1 2 "); /* another host is the same entry */
}

static void a_number_that_is_free_is_given_to_the_next_who_comes(void **state)
{
    struct fixture *f = *state;
    uint32_t id;

    expect(f, "a@1 b@2 c@3", "- - - ");
    roster_set_mac(f->roster, 1, 7);
    id = roster_id(f->roster, 1);
    expect(f, "a@1 c@3", "0 2 ");
    assert_null(roster_get(f->roster, 1));
    assert_null(roster_name(f->roster, ROSTER_NONE));
    assert_true(roster_place(f->roster, 1) == SIZE_MAX);
    assert_int_equal(roster_mac(f->roster, 1), 0);
    expect(f, "a@1 c@3 d@4 e@5", "0 2 - - ");
    assert_int_equal(f->sources[2], 1);
    assert_int_equal(f->sources[3], 3);
    assert_int_equal(roster_mac(f->roster, 1), 0);
    assert_true(roster_id(f->roster, 1) != id); /* though the number is the same */
    assert_int_equal(roster_end(f->roster), 4);
}

static void a_new_name_is_known_by_its_mac(void **state)
{
    struct fixture *f = *state;

    expect(f, "a@1=1 b@2", "- - ");
    roster_set_mac(f->roster, 1, 2);          /* learned */
    expect(f, "x@8=2 y@9=1", "1 0 ");         /* at other hosts, too */
    expect(f, "x@8=2 y@9=1 z@8=3", "1 0 - "); /* a MAC that nobody had */
}

static void a_new_name_is_known_by_its_host(void **state)
{
    struct fixture *f = *state;

    expect(f, "a@1 b@2", "- - ");
    expect(f, "b@2 x@1 y@7", "1 0 - ");
    roster_set_mac(f->roster, 0, 1);
    expect(f, "b@2 y@7 z@1=5", "1 2 - "); /* at its host, but another device */
}

static void a_single_one_that_is_left_is_known_by_its_place(void **state)
{
    struct fixture *f = *state;

    expect(f, "a@1 b@2 c@3", "- - - ");
    expect(f, "a@1 x@9 c@3", "0 1 2 ");
    expect(f, "a@1 y@8 z@7", "0 - - "); /* two are left: who is who? */
    expect(f, "a@1 z@7 w@6", "0 2 - ");
    expect(f, "q@4 z@7", "- 2 "); /* two had to go */
}

static void another_mac_is_another_device_whatever_its_name(void **state)
{
    struct fixture *f = *state;

    expect(f, "a@1=1", "- ");
    expect(f, "a@1=2", "- ");
    expect(f, "a@1", "0 "); /* it may be the same */
    roster_set_mac(f->roster, 0, 2);
    expect(f, "a@1=2", "0 ");
    expect(f, "b@2=2 a@1=1", "0 - ");
}

static void names_that_are_swapped_follow_their_macs_where_these_are_told(void **state)
{
    struct fixture *f = *state;

    expect(f, "a@1=1 b@2=2", "- - ");
    expect(f, "b@1=1 a@2=2", "0 1 ");
    assert_string_equal(roster_name(f->roster, 0), "b");
}

static void a_full_fleet_may_change_all_at_once(void **state)
{
    static char name[ROSTER_MAX][8], host[] = "h";
    struct config_proxy *proxies = xnew(struct config_proxy, ROSTER_MAX);
    struct config config = {.proxies = proxies, .proxies_count = ROSTER_MAX};
    struct fixture *f = *state;

    for (size_t i = 0; i < ROSTER_MAX; i++) {
        (void) snprintf(name[i], sizeof name[i], "p%zu", i);
        proxies[i] = (struct config_proxy){.name = name[i], .host = host, .port = (uint16_t) i};
    }
    for (unsigned round = 0; round < 2; round++) {
        roster_match(f->roster, &config, f->sources);
        roster_set(f->roster, &config, f->sources);
        for (uint16_t i = 0; i < ROSTER_MAX; i++)
            assert_int_equal(f->sources[i], i);
    }
    assert_int_equal(roster_end(f->roster), ROSTER_MAX);
    config.proxies_count = 0;
    roster_set(f->roster, &config, f->sources);
    assert_int_equal(roster_end(f->roster), 0);
    free(proxies);
}

#define ROSTER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            ROSTER_TEST(names_keep_their_numbers_whatever_their_place),
            ROSTER_TEST(a_number_that_is_free_is_given_to_the_next_who_comes),
            ROSTER_TEST(a_new_name_is_known_by_its_mac),
            ROSTER_TEST(a_new_name_is_known_by_its_host),
            ROSTER_TEST(a_single_one_that_is_left_is_known_by_its_place),
            ROSTER_TEST(another_mac_is_another_device_whatever_its_name),
            ROSTER_TEST(names_that_are_swapped_follow_their_macs_where_these_are_told),
            ROSTER_TEST(a_full_fleet_may_change_all_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
