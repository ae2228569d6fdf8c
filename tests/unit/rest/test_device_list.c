#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "rest/device_list.h"

#define QUERY_SIZE 1024

static const struct query_rule rules[] = {
        DEVICE_LIST_RULES,
        DEVICE_FILTER_RULES,
        {.name = NULL},
};

struct fixture {
    struct config *config;
    struct gateway *gateway;
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{}");
    f->gateway = fake_gateway_new(f->config);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

/* NULL when the query has a fault. */
static json_t *page(const struct fixture *f, const char *text)
{
    struct faults faults = {0};
    struct device_list list;
    struct query query;
    struct writer w = {0};
    json_t *result = NULL;

    query_read(&query, text, rules, &faults);
    device_list_read(&list, &query, &faults);
    if (!faults_any(&faults)) {
        size_t items = device_list_write(&list, &w, f->gateway);

        result = json_loadb((const char *) buffer_front(&w.text), buffer_size(&w.text),
                            JSON_ALLOW_NUL, NULL);
        assert_non_null(result);
        assert_int_equal(json_array_size(json_object_get(result, "items")), items);
    }
    writer_done(&w);
    device_list_done(&list);
    query_done(&query);
    faults_done(&faults);
    return result;
}

/* The query of the next page; false at the end. */
static bool next_query(const json_t *page, const char *query, char ret_next[QUERY_SIZE])
{
    const char *cursor = json_string_value(json_object_get(page, "next"));

    if (!cursor)
        return false;
    assert_true(snprintf(ret_next, QUERY_SIZE, "%s&cursor=%s", query, cursor) < QUERY_SIZE);
    return true;
}

static uint64_t address_of(const json_t *item)
{
    uint64_t address;

    assert_true(ble_address_parse(json_string_value(json_object_get(item, "address")), &address));
    return address;
}

static void set_name(struct fake_device *d, const char *name)
{
    d->facts.name = memory_copy_text(name);
    d->facts.name_size = strlen(name);
}

/* The last octets of the addresses, in order, over all pages of two. */
static void assert_order(const struct fixture *f, const char *query, const char *expected)
{
    char text[QUERY_SIZE], seen[64] = "";
    bool has_more = true;

    snprintf(text, sizeof text, "%s", query);
    while (has_more) {
        json_t *result = page(f, text), *item;
        size_t index;

        assert_non_null(result);
        json_array_foreach(json_object_get(result, "items"), index, item)
        {
            char octet[8];

            snprintf(octet, sizeof octet, "%x", (unsigned) (address_of(item) & 0xff));
            strcat(seen, octet);
        }
        has_more = next_query(result, query, text);
        json_decref(result);
    }
    assert_string_equal(seen, expected);
}

static void fill(struct fixture *f)
{
    static const int rssi[] = {-70, -50, 0, -50, -90};
    static const char *const names[] = {"b", "a", NULL, "B", "a"};
    static const usec_t ages[] = {3, 1, 0, 5, 3};

    for (size_t i = 0; i < ARRAY_SIZE(rssi); i++) {
        struct fake_device *d = fake_gateway_add(f->gateway, 0xa4c138000001 + i);

        d->facts.rssi = rssi[i];
        d->facts.last_seen = ages[i] ? FAKE_START - ages[i] * USEC_PER_SEC : 0;
        if (names[i])
            set_name(d, names[i]);
    }
}

static void list_goes_by_address_unless_said_otherwise(void **state)
{
    fill(*state);
    assert_order(*state, "limit=2", "12345");
    assert_order(*state, "limit=2&sort=-address", "54321");
}

static void list_can_go_by_every_sort_key_both_ways(void **state)
{
    fill(*state);
    assert_order(*state, "limit=2&sort=rssi", "35124");
    assert_order(*state, "limit=2&sort=-rssi", "42153");
    assert_order(*state, "limit=2&sort=name", "34251");
    assert_order(*state, "limit=2&sort=-name", "15243");
    assert_order(*state, "limit=2&sort=last_seen", "34152");
    assert_order(*state, "limit=2&sort=-last_seen", "25143");
}

static void list_that_ends_with_its_page_has_no_next(void **state)
{
    json_t *result;

    fill(*state);
    result = page(*state, "limit=5");
    assert_int_equal(json_array_size(json_object_get(result, "items")), 5);
    assert_true(json_is_null(json_object_get(result, "next")));
    json_decref(result);
    result = page(*state, "name=nobody");
    assert_int_equal(json_array_size(json_object_get(result, "items")), 0);
    assert_true(json_is_null(json_object_get(result, "next")));
    json_decref(result);
}

static void cursor_of_another_order_or_of_nobody_is_a_fault(void **state)
{
    char text[QUERY_SIZE];
    json_t *result;

    fill(*state);
    result = page(*state, "limit=2");
    assert_true(next_query(result, "limit=2&sort=-address", text));
    assert_null(page(*state, text));
    assert_true(next_query(result, "limit=2&sort=rssi", text));
    assert_null(page(*state, text));
    json_decref(result);
    assert_null(page(*state, "cursor=AAAA"));
    assert_null(page(*state, "cursor=***"));
    assert_null(page(*state, "cursor="));
}

static void cursor_survives_the_end_of_the_device_it_stands_for(void **state)
{
    struct fixture *f = *state;
    char text[QUERY_SIZE];
    json_t *result;

    fill(f);
    result = page(f, "limit=2");
    assert_true(next_query(result, "limit=2", text));
    json_decref(result);
    fake_gateway_remove(f->gateway, 0xa4c138000002);
    result = page(f, text);
    assert_int_equal(address_of(json_array_get(json_object_get(result, "items"), 0)),
                     0xa4c138000003);
    json_decref(result);
}

static void cursor_holds_hostile_names(void **state)
{
    static const char hostile[] = "\xff\0&?=%";
    struct fixture *f = *state;

    for (uint64_t i = 1; i <= 4; i++) {
        struct fake_device *d = fake_gateway_add(f->gateway, i);
        char *name = memory_zalloc(300, 1);

        memset(name, 'x', 299);
        memcpy(name, hostile, sizeof hostile);
        d->facts.name = name;
        d->facts.name_size = 299;
    }
    assert_order(f, "limit=1&sort=name", "1234");
    assert_order(f, "limit=1&sort=-name", "4321");
}

/* ---- while devices come and go ---- */

#define RESIDENTS 100 /* even last octets; the others are odd */

static uint64_t resident(size_t index)
{
    return 0xa4c138100000 + 2 * (uint64_t) index;
}

static void disturb(struct gateway *g)
{
    struct gateway_device device;
    uint64_t guest = resident((size_t) rand() % RESIDENTS) + 1;

    if (gateway_find_device(g, guest, &device) == 0)
        fake_gateway_remove(g, guest);
    else
        fake_gateway_add(g, guest)->facts.rssi = -1 - rand() % 100;
}

/* Follows the cursor to the end while guests come and go; counts how often each resident came. */
static void walk(const struct fixture *f, const char *query, unsigned seen[RESIDENTS])
{
    char text[QUERY_SIZE];
    bool has_more = true;

    snprintf(text, sizeof text, "%s", query);
    while (has_more) {
        json_t *result = page(f, text), *item;
        size_t index;

        assert_non_null(result);
        json_array_foreach(json_object_get(result, "items"), index, item)
        {
            if (address_of(item) % 2 == 0)
                seen[(address_of(item) - resident(0)) / 2]++;
        }
        has_more = next_query(result, query, text);
        json_decref(result);
        for (int i = 0; i < 20; i++)
            disturb(f->gateway);
    }
}

static void item_that_exists_throughout_comes_exactly_once(void **state)
{
    static const char *const orders[] = {"address", "-address", "rssi", "-name"};
    struct fixture *f = *state;

    srand(20261121);
    for (size_t i = 0; i < RESIDENTS; i++)
        fake_gateway_add(f->gateway, resident(i))->facts.rssi = -1 - rand() % 100;
    for (int round = 0; round < 40; round++) {
        unsigned seen[RESIDENTS] = {0};
        char query[QUERY_SIZE];

        snprintf(query, sizeof query, "sort=%s&limit=%d", orders[(size_t) round % 4],
                 1 + rand() % 30);
        walk(f, query, seen);
        for (size_t i = 0; i < RESIDENTS; i++)
            assert_int_equal(seen[i], 1);
    }
}

static void item_comes_exactly_once_by_address_even_when_all_else_changes(void **state)
{
    struct fixture *f = *state;
    unsigned seen[RESIDENTS] = {0};
    char text[QUERY_SIZE] = "limit=7";
    bool has_more = true;

    srand(20261121);
    for (size_t i = 0; i < RESIDENTS; i++)
        fake_gateway_add(f->gateway, resident(i));
    while (has_more) {
        json_t *result = page(f, text), *item;
        size_t index;

        json_array_foreach(json_object_get(result, "items"), index, item)
                seen[(address_of(item) - resident(0)) / 2]++;
        has_more = next_query(result, "limit=7", text);
        json_decref(result);
        for (size_t i = 0; i < RESIDENTS; i++) { /* the same device, elsewhere in the table */
            size_t other = (size_t) rand() % RESIDENTS;

            fake_gateway_remove(f->gateway, resident(other));
            fake_gateway_add(f->gateway, resident(other))->facts.rssi = -1 - rand() % 100;
        }
    }
    for (size_t i = 0; i < RESIDENTS; i++)
        assert_int_equal(seen[i], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(list_goes_by_address_unless_said_otherwise, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(list_can_go_by_every_sort_key_both_ways, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(list_that_ends_with_its_page_has_no_next, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(cursor_of_another_order_or_of_nobody_is_a_fault, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(cursor_survives_the_end_of_the_device_it_stands_for,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(cursor_holds_hostile_names, setup, teardown),
            cmocka_unit_test_setup_teardown(item_that_exists_throughout_comes_exactly_once, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(
                    item_comes_exactly_once_by_address_even_when_all_else_changes, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
