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
#include "fake_gatts.h"
#include "fake_links.h"
#include "mqtt/verbs.h"
#include "rest/contract.h"

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    struct verbs *verbs;
    struct outbox_message *answer; /* the last */
    json_t *json;                  /* of it */
    int answers;
};

static void forget_answer(struct fixture *f)
{
    json_decref(f->json);
    f->json = NULL;
    outbox_message_free(TAKE(f->answer));
}

static void on_answer(void *user, struct outbox_message *answer)
{
    struct fixture *f = user;

    forget_answer(f);
    f->answer = answer;
    f->json = json_loadb(answer->payload, answer->size, 0, NULL);
    f->answers++;
    assert_non_null(f->json);
}

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"limits\":{\"body_bytes\":4096},\"proxies\":["
                            "{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"}]}");
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    f->verbs = verbs_new(f->rest, "blefleet", REST_ROLE_CONTROL, on_answer, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    verbs_free(f->verbs);
    forget_answer(f);
    rest_free(f->rest);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static void ask(struct fixture *f, const char *verb, const char *payload)
{
    char topic[128];
    const struct broker_message message = {
            .topic = topic, .payload = payload, .size = strlen(payload)};

    (void) snprintf(topic, sizeof topic, "blefleet/bridge/request/%s", verb);
    assert_true(verbs_request(f->verbs, &message));
}

static const char *text(const struct fixture *f, const char *name)
{
    return json_string_value(json_object_get(f->json, name));
}

static void expect_error(const struct fixture *f, const char *code)
{
    assert_string_equal(text(f, "status"), "error");
    assert_string_equal(text(f, "code"), code);
    assert_non_null(text(f, "error"));
}

static void health_check_answers_as_readyz(void **state)
{
    struct fixture *f = *state;

    ask(f, "health_check", "{\"transaction\":\"x\"}");
    assert_string_equal(f->answer->topic, "blefleet/bridge/response/health_check");
    assert_false(f->answer->is_retained);
    assert_string_equal(text(f, "status"), "ok");
    assert_string_equal(text(f, "transaction"), "x");
    assert_string_equal(
            json_string_value(json_object_get(json_object_get(f->json, "data"), "status")), "pass");
}

static void an_empty_payload_is_a_request_without_fields(void **state)
{
    struct fixture *f = *state;

    ask(f, "health_check", "");
    assert_string_equal(text(f, "status"), "ok");
    assert_null(json_object_get(f->json, "transaction"));
}

static void a_transaction_may_be_any_value(void **state)
{
    struct fixture *f = *state;

    ask(f, "health_check", "{\"transaction\":{\"a\":[1,null]}}");
    assert_int_equal(json_array_size(json_object_get(json_object_get(f->json, "transaction"), "a")),
                     2);
}

static void http_carries_status_and_body(void **state)
{
    struct fixture *f = *state;
    json_t *data;

    ask(f, "http", "{\"method\":\"GET\",\"path\":\"/proxies?limit=1\",\"transaction\":7}");
    data = json_object_get(f->json, "data");
    assert_int_equal(json_integer_value(json_object_get(data, "status_code")), 200);
    assert_int_equal(json_array_size(json_object_get(json_object_get(data, "body"), "items")), 1);
    assert_int_equal(json_integer_value(json_object_get(f->json, "transaction")), 7);
    ask(f, "http", "{\"path\":\"/api/v1/devices/zz\"}");
    data = json_object_get(f->json, "data");
    assert_string_equal(text(f, "status"), "ok");
    assert_int_equal(json_integer_value(json_object_get(data, "status_code")), 400);
    assert_string_equal(json_string_value(json_object_get(json_object_get(data, "body"), "code")),
                        "invalid_request");
    ask(f, "http", "{\"path\":\"/healthz\"}");
    data = json_object_get(f->json, "data");
    assert_int_equal(json_integer_value(json_object_get(data, "status_code")), 200);
}

static void http_commands_are_carried_out(void **state)
{
    struct fixture *f = *state;

    ask(f, "http", "{\"method\":\"POST\",\"path\":\"/proxies/kitchen/reconnect\",\"body\":{}}");
    assert_int_equal(fake_gateway_reconnects(f->gateway, 0), 1);
}

static void the_role_bounds_http(void **state)
{
    struct fixture *f = *state;
    json_t *data;

    verbs_free(f->verbs);
    f->verbs = verbs_new(f->rest, "blefleet", REST_ROLE_READ, on_answer, f);
    ask(f, "http", "{\"method\":\"POST\",\"path\":\"/proxies/kitchen/reconnect\"}");
    data = json_object_get(f->json, "data");
    assert_int_equal(json_integer_value(json_object_get(data, "status_code")), 403);
    assert_int_equal(fake_gateway_reconnects(f->gateway, 0), 0);
}

static void some_things_are_never_reached(void **state)
{
    static const char *const never[][2] = {
            {"GET", "/api/v1/tokens"},
            {"POST", "/api/v1/tokens"},
            {"DELETE", "/api/v1/tokens/a"},
            {"GET", "/api/v1/%74okens"},
            {"GET", "/api/v1/session"},
            {"POST", "/api/v1/session?x=1"},
            {"POST", "/api/v1/backup"},
            {"POST", "/api/v1/restore"},
            {"PUT", "/api/v1/config"},
            {"PATCH", "/api/v1/config"},
            {"POST", "/api/v1/config/versions/1/restore"},
            {"GET", "/api/v1/events"},
            {"HEAD", "/api/v1/events"},
            {"GET", "/api/v1/devices/A4C13812AB56/notifications?subscribe=2a19"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        assert_false(verbs_may_reach(never[i][0], never[i][1]));
    assert_true(verbs_may_reach("GET", "/api/v1/config"));
    assert_true(verbs_may_reach("GET", "/api/v1/info"));
    assert_true(verbs_may_reach("GET", "/nowhere"));
    verbs_free(f->verbs);
    f->verbs = verbs_new(f->rest, "blefleet", REST_ROLE_ADMIN, on_answer, f);
    ask(f, "http", "{\"path\":\"/%74okens\"}");
    expect_error(f, "forbidden");
}

static void faults_are_answers(void **state)
{
    struct fixture *f = *state;

    ask(f, "nonsense", "{\"transaction\":1}");
    expect_error(f, "not_found");
    assert_int_equal(json_integer_value(json_object_get(f->json, "transaction")), 1);
    ask(f, "health_check", "{");
    expect_error(f, "invalid_request");
    ask(f, "health_check", "[]");
    expect_error(f, "invalid_request");
    ask(f, "http", "{}");
    expect_error(f, "invalid_request");
    ask(f, "http", "{\"path\":7}");
    expect_error(f, "invalid_request");
    ask(f, "connect", "{}");
    expect_error(f, "invalid_request");
    ask(f, "connect", "{\"address\":null}");
    expect_error(f, "invalid_request");
    assert_int_equal(f->answers, 7);
}

static void a_problem_of_rest_becomes_an_error_with_its_fields(void **state)
{
    struct fixture *f = *state;

    ask(f, "proxy/remove", "{\"name\":\"kitchen\"}"); /* not there yet, or more than control */
    assert_string_equal(text(f, "status"), "error");
    assert_non_null(text(f, "code"));
    assert_null(json_object_get(f->json, "title"));
}

static void stored_messages_and_other_topics_are_no_requests(void **state)
{
    struct fixture *f = *state;
    struct broker_message message = {.topic = "blefleet/bridge/request/health_check",
                                     .payload = "{}",
                                     .size = 2,
                                     .is_retained = true};

    assert_false(verbs_request(f->verbs, &message));
    message.is_retained = false;
    message.topic = "blefleet/bridge/response/health_check";
    assert_false(verbs_request(f->verbs, &message));
    assert_int_equal(f->answers, 0);
}

static void the_properties_of_version_5_are_honoured(void **state)
{
    struct fixture *f = *state;
    struct broker_message message = {.topic = "blefleet/bridge/request/health_check",
                                     .payload = "{}",
                                     .size = 2,
                                     .response_topic = "answers/for/me",
                                     .correlation = "a\0b",
                                     .correlation_size = 3};

    assert_true(verbs_request(f->verbs, &message));
    assert_string_equal(f->answer->topic, "answers/for/me");
    assert_int_equal(f->answer->correlation_size, 3);
    assert_memory_equal(f->answer->correlation, "a\0b", 3);
    message.response_topic = "blefleet/bridge/state";
    assert_true(verbs_request(f->verbs, &message));
    assert_string_equal(f->answer->topic, "blefleet/bridge/response/health_check");
}

static void a_request_that_waits_is_answered_once(void **state)
{
    struct fixture *f = *state;

    ask(f, "http", "{\"path\":\"/devices?wait_ms=1000\"}");
    assert_int_equal(f->answers, 0);
    assert_int_equal(verbs_under_way(f->verbs), 1);
    fake_gateway_advance(f->gateway, 2 * USEC_PER_SEC);
    fake_gateway_turn(f->gateway);
    assert_int_equal(f->answers, 1);
    assert_int_equal(verbs_under_way(f->verbs), 0);
}

static void connect_and_disconnect_are_those_of_rest(void **state)
{
    struct fixture *f = *state;
    struct fake_link *link;

    ask(f, "connect",
        "{\"address\":\"A4:C1:38:12:AB:56\",\"queue_ms\":0,\"purpose\":\"ha\","
        "\"transaction\":7}");
    assert_int_equal(f->answers, 0);
    assert_true(fake_links_request(f->gateway)->address == 0xA4C13812AB56);
    assert_int_equal(fake_links_request(f->gateway)->queue_for, 0);
    assert_string_equal(fake_links_request(f->gateway)->client, "mqtt");
    assert_string_equal(fake_links_request(f->gateway)->purpose, "ha");
    link = fake_links_add(f->gateway, 0xA4C13812AB56, "kitchen");
    fake_links_lease(f->gateway, link, "L1", "mqtt");
    fake_links_answer(f->gateway, &(struct gateway_link_answer){.lease = "L1", .expires = 1});
    assert_int_equal(f->answers, 1);
    assert_string_equal(text(f, "status"), "ok");
    assert_string_equal(
            json_string_value(json_object_get(json_object_get(f->json, "data"), "lease")), "L1");

    ask(f, "disconnect", "{\"address\":\"A4:C1:38:12:AB:56\",\"lease\":\"L1\"}");
    assert_string_equal(text(f, "status"), "ok");
    assert_null(link->leases[0].id);
    ask(f, "disconnect", "{\"address\":\"A4:C1:38:12:AB:56\",\"lease\":\"L1\"}");
    expect_error(f, "gone");
}

static void C13_error_of_a_connect_has_the_attempts(void **state)
{
    struct fixture *f = *state;
    struct gateway_attempt attempt =
            fake_links_attempt(f->gateway, "kitchen", E_CONNECT_FAILED, 62, "fail_establish");

    ask(f, "connect", "{\"address\":\"A4:C1:38:12:AB:56\"}");
    fake_links_answer(f->gateway, &(struct gateway_link_answer){.code = E_CONNECT_FAILED,
                                                                .attempts = &attempt,
                                                                .attempts_count = 1});
    expect_error(f, "connect_failed");
    assert_int_equal(json_array_size(json_object_get(f->json, "attempts")), 1);
}

/* Every verb of GATT is the wish that its route makes of it. */
static void verbs_of_gatt_are_those_of_rest(void **state)
{
#define AT "\"address\":\"A4:C1:38:12:AB:56\""
    static const struct {
        const char *verb, *payload;
        enum gateway_gatt_verb wish;
        uint16_t handle; /* 0: it is a UUID, or nothing */
    } cases[] = {
            {"services", "{" AT ",\"refresh\":true,\"uuid\":\"180f\"}", GATEWAY_GATT_SERVICES, 0},
            {"read", "{" AT ",\"characteristic\":\"2a19\",\"lease\":null}", GATEWAY_GATT_READ, 0},
            {"read", "{" AT ",\"characteristic\":1234}", GATEWAY_GATT_READ, 1234},
            {"read", "{" AT ",\"characteristic\":7,\"wait_notification_ms\":10}",
             GATEWAY_GATT_SUBSCRIBE, 7},
            {"write", "{" AT ",\"characteristic\":\"2a19\",\"value\":\"01\",\"response\":false}",
             GATEWAY_GATT_WRITE, 0},
            {"read_descriptor", "{" AT ",\"descriptor\":15}", GATEWAY_GATT_READ_DESCRIPTOR, 15},
            {"write_descriptor", "{" AT ",\"descriptor\":\"15\",\"value\":\"\"}",
             GATEWAY_GATT_WRITE_DESCRIPTOR, 15},
            {"subscribe", "{" AT ",\"characteristic\":14,\"type\":\"both\",\"lease_s\":9}",
             GATEWAY_GATT_SUBSCRIBE, 14},
            {"unsubscribe", "{" AT ",\"characteristic\":14,\"lease\":\"L1\"}",
             GATEWAY_GATT_UNSUBSCRIBE, 14},
            {"pair", "{" AT ",\"proxy\":\"kitchen\"}", GATEWAY_GATT_PAIR, 0},
            {"unpair", "{" AT ",\"proxy\":\"kitchen\"}", GATEWAY_GATT_UNPAIR, 0},
            {"connection_params", "{" AT ",\"min_interval\":6,\"max_interval\":6,\"timeout\":100}",
             GATEWAY_GATT_PARAMETERS, 0},
            {"clear_cache", "{" AT "}", GATEWAY_GATT_CLEAR_CACHE, 0},
    };
#undef AT
    const struct gateway_gatt_answer answer = {.code = E_SHUTTING_DOWN};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct gateway_gatt_wish *wish;

        ask(f, cases[i].verb, cases[i].payload);
        wish = fake_gatts_request(f->gateway, 0);
        if (!wish)
            fail_msg("%s: %s", cases[i].verb, f->answer->payload);
        assert_int_equal(wish->verb, cases[i].wish);
        assert_int_equal(wish->handle, cases[i].handle);
        assert_string_equal(wish->link.client, "mqtt");
        fake_gatts_answer(f->gateway, &answer);
        expect_error(f, "shutting_down");
        assert_int_equal(f->answers, i + 1);
    }
}

static void answer_without_a_body_is_null(void **state)
{
    const struct gateway_gatt_answer answer = {0};
    struct fixture *f = *state;

    ask(f, "unsubscribe", "{\"address\":\"A4C13812AB56\",\"characteristic\":\"2a19\"}");
    fake_gatts_answer(f->gateway, &answer);
    assert_string_equal(text(f, "status"), "ok");
    assert_true(json_is_null(json_object_get(f->json, "data")));
}

static void G12_error_of_a_read_has_the_number(void **state)
{
    const struct gateway_gatt_answer answer = {.code = E_GATT_ERROR,
                                               .has_number = true,
                                               .number = 2,
                                               .number_name = "read_not_permitted",
                                               .handle = 14};
    struct fixture *f = *state;

    ask(f, "read", "{\"address\":\"A4C13812AB56\",\"characteristic\":\"2a19\"}");
    fake_gatts_answer(f->gateway, &answer);
    expect_error(f, "gatt_error");
    assert_int_equal(
            json_integer_value(json_object_get(json_object_get(f->json, "att_error"), "number")),
            2);
    assert_int_equal(json_integer_value(json_object_get(f->json, "handle")), 14);
}

static void the_role_bounds_gatt(void **state)
{
    struct fixture *f = *state;

    verbs_free(f->verbs);
    f->verbs = verbs_new(f->rest, "blefleet", REST_ROLE_READ, on_answer, f);
    ask(f, "read", "{\"address\":\"A4C13812AB56\",\"characteristic\":\"2a19\"}");
    expect_error(f, "forbidden");
    ask(f, "services", "{\"address\":\"A4C13812AB56\"}"); /* not known: a link would open */
    expect_error(f, "forbidden");
    fake_gatts_know(f->gateway, 0xA4C13812AB56, gatt_tree_new(), NULL);
    ask(f, "services", "{\"address\":\"A4C13812AB56\"}");
    assert_string_equal(text(f, "status"), "ok");
}

static void values_are_told_of_subscriptions_that_were_made_here(void **state)
{
    const struct gatt_entry entry = {.uuid = ble_uuid_from_short(0x2a37), .handle = 21};
    struct gateway_gatt_value value = {.address = 0xA4C13812AB56, .handle = 21};
    struct fixture *f = *state;
    struct fake_link *link = fake_links_add(f->gateway, value.address, "kitchen");

    fake_links_lease(f->gateway, link, "L1", "loopback");
    fake_links_lease(f->gateway, link, "L2", "mqtt");
    fake_gatts_hold(f->gateway, value.address, &entry, "notify", "L1");
    assert_false(verbs_is_subscribed(f->gateway, &value));
    fake_gatts_hold(f->gateway, value.address, &entry, "notify", "L2");
    assert_true(verbs_is_subscribed(f->gateway, &value));
    value.handle = 22;
    assert_false(verbs_is_subscribed(f->gateway, &value));
}

static void what_waits_at_the_end_is_answered(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++)
        ask(f, "http", "{\"path\":\"/devices?wait_ms=1000\"}");
    verbs_stop(f->verbs);
    assert_int_equal(f->answers, 3);
    assert_int_equal(verbs_under_way(f->verbs), 0);
}

static void too_many_at_once_are_refused(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < VERBS_UNDER_WAY_MAX; i++)
        ask(f, "http", "{\"path\":\"/devices?wait_ms=1000\"}");
    assert_int_equal(f->answers, 0);
    ask(f, "http", "{\"path\":\"/info\"}");
    expect_error(f, "overloaded");
}

/* "GET /devices/{address}" of the contract's operation. */
static bool is_operation(json_t *contract, const char *method, const char *path, const char *id)
{
    char key[16] = "", *c = key;
    json_t *operation;
    const char *short_path = strncmp(path, "/api/v1", 7) == 0 ? path + 7 : path;
    const char *name;

    while (*method)
        *c++ = (char) (*method++ | 0x20);
    json_object_foreach(json_object_get(contract, "paths"), name, operation)
    {
        const char *found =
                json_string_value(json_object_get(json_object_get(operation, key), "operationId"));

        if (found && strcmp(found, id) == 0)
            return strncmp(name, short_path, strcspn(name, "{")) == 0;
    }
    return false;
}

static void the_table_is_that_of_the_contract(void **state)
{
    size_t count, size, i;
    const struct verb *table = verbs_table(&count);
    const char *octets = contract_get(false, &size);
    json_t *contract = json_loadb(octets, size, 0, NULL), *row;

    (void) state;
    assert_int_equal(json_array_size(json_object_get(contract, "x-mqtt-verbs")), count);
    json_array_foreach(json_object_get(contract, "x-mqtt-verbs"), i, row)
    {
        const char *name = json_string_value(json_object_get(row, "verb"));
        const char *id = json_string_value(json_object_get(row, "operation"));
        size_t k = 0;

        while (k < count && strcmp(table[k].name, name) != 0)
            k++;
        assert_true(k < count);
        if (table[k].method && !is_operation(contract, table[k].method, table[k].path, id))
            fail_msg("%s is not %s %s", name, table[k].method, table[k].path);
    }
    json_decref(contract);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
            TEST(health_check_answers_as_readyz),
            TEST(an_empty_payload_is_a_request_without_fields),
            TEST(a_transaction_may_be_any_value),
            TEST(http_carries_status_and_body),
            TEST(http_commands_are_carried_out),
            TEST(the_role_bounds_http),
            TEST(some_things_are_never_reached),
            TEST(faults_are_answers),
            TEST(a_problem_of_rest_becomes_an_error_with_its_fields),
            TEST(stored_messages_and_other_topics_are_no_requests),
            TEST(the_properties_of_version_5_are_honoured),
            TEST(a_request_that_waits_is_answered_once),
            TEST(connect_and_disconnect_are_those_of_rest),
            TEST(C13_error_of_a_connect_has_the_attempts),
            TEST(verbs_of_gatt_are_those_of_rest),
            TEST(answer_without_a_body_is_null),
            TEST(G12_error_of_a_read_has_the_number),
            TEST(the_role_bounds_gatt),
            TEST(values_are_told_of_subscriptions_that_were_made_here),
            TEST(what_waits_at_the_end_is_answered),
            TEST(too_many_at_once_are_refused),
            TEST(the_table_is_that_of_the_contract),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
