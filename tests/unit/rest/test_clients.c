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
#include "rest/clients.h"

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct clients *clients;
    struct client items[5];
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{}");
    f->gateway = fake_gateway_new(f->config);
    f->clients = clients_new();
    for (size_t i = 0; i < ARRAY_SIZE(f->items); i++) {
        f->items[i].kind = i % 2 == 0 ? CLIENT_SSE : CLIENT_MQTT;
        f->items[i].since = FAKE_START;
        snprintf(f->items[i].remote, sizeof f->items[i].remote, "192.0.2.7:%zu", i);
        clients_add(f->clients, &f->items[i]);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    while (clients_count(f->clients) > 0)
        clients_remove(f->clients, &f->items[clients_count(f->clients) - 1]);
    clients_free(f->clients);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static json_t *page(const struct fixture *f, const enum client_kind *kind, const char *cursor,
                    size_t limit)
{
    struct writer w = {0};
    json_t *parsed;

    assert_int_equal(clients_write(f->clients, &w, f->gateway, kind, cursor, limit), 0);
    parsed = json_loadb((const char *) buffer_front(&w.text), buffer_size(&w.text), 0, NULL);
    assert_non_null(parsed);
    writer_done(&w);
    return parsed;
}

static const char *text(const json_t *item, const char *key)
{
    return json_string_value(json_object_get(item, key));
}

static void client_is_shown_with_its_figures(void **state)
{
    struct fixture *f = *state;
    json_t *list, *item;

    client_set_name(&f->items[0], "curl/7.88");
    f->items[0].messages = 3;
    f->items[0].bytes = 700;
    f->items[0].dropped = 2;
    f->items[0].queued = 1;
    list = page(f, NULL, NULL, 1);
    item = json_array_get(json_object_get(list, "items"), 0);
    assert_int_equal(json_object_size(item), 11);
    assert_string_equal(text(item, "id"), "c1");
    assert_string_equal(text(item, "kind"), "sse");
    assert_string_equal(text(item, "name"), "curl/7.88");
    assert_string_equal(text(item, "remote"), "192.0.2.7:0");
    assert_string_equal(text(item, "since"), "2026-11-21T10:00:00.000Z");
    assert_int_equal(json_integer_value(json_object_get(item, "messages")), 3);
    assert_int_equal(json_integer_value(json_object_get(item, "bytes")), 700);
    assert_int_equal(json_integer_value(json_object_get(item, "dropped")), 2);
    assert_int_equal(json_integer_value(json_object_get(item, "queued")), 1);
    assert_true(json_is_null(json_object_get(item, "wanted_mode")));
    json_decref(list);
}

static void pages_go_on_where_they_ended_though_clients_leave(void **state)
{
    struct fixture *f = *state;
    json_t *first = page(f, NULL, NULL, 2), *second;

    assert_int_equal(json_array_size(json_object_get(first, "items")), 2);
    clients_remove(f->clients, &f->items[1]); /* the last of the page */
    second = page(f, NULL, text(first, "next"), 100);
    assert_int_equal(json_array_size(json_object_get(second, "items")), 3);
    assert_string_equal(text(json_array_get(json_object_get(second, "items"), 0), "id"), "c3");
    assert_true(json_is_null(json_object_get(second, "next")));
    json_decref(first);
    json_decref(second);
    for (size_t i = 0; i < 5; i++) {
        if (i != 1)
            clients_remove(f->clients, &f->items[i]);
    }
}

static void kinds_are_told_apart(void **state)
{
    enum client_kind kind;
    json_t *list;

    assert_true(clients_parse_kind("mqtt", &kind));
    list = page(*state, &kind, NULL, 2);
    assert_int_equal(json_array_size(json_object_get(list, "items")), 2);
    assert_true(json_is_null(json_object_get(list, "next")));
    json_decref(list);
    assert_true(clients_parse_kind("matter", &kind));
    list = page(*state, &kind, NULL, 2);
    assert_int_equal(json_array_size(json_object_get(list, "items")), 0);
    json_decref(list);
    assert_false(clients_parse_kind("http", &kind));
}

static void cursor_of_another_list_is_refused(void **state)
{
    struct fixture *f = *state;
    struct writer w = {0};

    assert_int_equal(clients_write(f->clients, &w, f->gateway, NULL, "AAAA", 2), E_INVALID_REQUEST);
    assert_int_equal(clients_write(f->clients, &w, f->gateway, NULL, "%", 2), E_INVALID_REQUEST);
    assert_int_equal(buffer_size(&w.text), 0);
}

static void name_is_cut_and_cleaned(void **state)
{
    struct client client;
    char name[200];

    (void) state;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    client_set_name(&client, name);
    assert_int_equal(strlen(client.name), CLIENT_NAME_SIZE - 1);
    client_set_name(&client, "a\r\nb\x7f\xc3");
    assert_string_equal(client.name, "a??b??");
    client_set_name(&client, NULL);
    assert_string_equal(client.name, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(client_is_shown_with_its_figures),
            TEST(pages_go_on_where_they_ended_though_clients_leave),
            TEST(kinds_are_told_apart),
            TEST(cursor_of_another_list_is_refused),
            TEST(name_is_cut_and_cleaned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
