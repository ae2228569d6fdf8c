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
#include "fake_links.h"
#include "rest/rest.h"

#define FRIDGE      0xA4C13812AB56
#define LAMP        0xC0FFEE000001
#define CONNECTIONS "/api/v1/connections"
#define LINK        "/api/v1/devices/A4:C1:38:12:AB:56/connection"
#define SLOT        "/api/v1/proxies/kitchen/slots/A4:C1:38:12:AB:56"

static const uint8_t payload[] = {2, 1, 6};

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    struct rest_request request;
    unsigned done;
    json_t *json; /* the body of the last answer; NULL: none */
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"limits\":{\"http_connections\":16},\"links\":{\"attempts\":3},"
                            "\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"},"
                            "{\"name\":\"hall\",\"host\":\"192.0.2.11\"}]}");
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    *state = f;
    return 0;
}

static void forget_answer(struct fixture *f)
{
    json_decref(f->json);
    f->json = NULL;
    answer_done(&f->request.answer);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    rest_free(f->rest);
    forget_answer(f);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static void read_answer(struct fixture *f)
{
    json_decref(f->json);
    f->json = NULL;
    if (f->request.answer.body)
        f->json = json_loadb(f->request.answer.body, f->request.answer.body_size, 0, NULL);
}

static void on_done(struct rest_request *request)
{
    struct fixture *f = request->user;

    f->done++;
    read_answer(f);
}

static int submit_as(struct fixture *f, enum rest_role role, const char *method, const char *target,
                     const char *body)
{
    forget_answer(f);
    f->done = 0;
    f->request = (struct rest_request){
            .method = method,
            .target = target,
            .body = body,
            .body_size = body ? strlen(body) : 0,
            .role = role,
            .client = "ops",
            .done = on_done,
            .user = f,
    };
    if (rest_submit(f->rest, &f->request) != REST_ANSWERED)
        return 0;
    read_answer(f);
    return f->request.answer.status;
}

/* 0: it waits. Else the status. */
static int submit(struct fixture *f, const char *method, const char *target, const char *body)
{
    return submit_as(f, REST_ROLE_CONTROL, method, target, body);
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "null";
}

static json_t *item(const struct fixture *f, const char *list, size_t index)
{
    return json_array_get(json_object_get(f->json, list), index);
}

static size_t count(const struct fixture *f, const char *list)
{
    return json_array_size(json_object_get(f->json, list));
}

/* A request that waits ends like this. */
static void end(struct fixture *f, int status, const struct gateway_link_answer *answer)
{
    assert_int_equal(submit(f, "PUT", LINK, NULL), 0);
    fake_links_answer(f->gateway, answer);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, status);
    if (answer->code) {
        assert_string_equal(text(f->json, "code"), error_token(answer->code));
        assert_int_equal(json_integer_value(json_object_get(f->json, "status")), status);
    }
}

/* ---- opening ---- */

static void link_is_asked_for_with_the_settings_where_the_body_is_silent(void **state)
{
    struct fixture *f = *state;
    const struct gateway_wish *wish;

    assert_int_equal(submit(f, "PUT", LINK, NULL), 0);
    wish = fake_links_request(f->gateway);
    assert_true(wish->address == FRIDGE);
    assert_int_equal(wish->timeout, 60 * USEC_PER_SEC);
    assert_int_equal(wish->attempt_timeout, 20 * USEC_PER_SEC);
    assert_int_equal(wish->queue_for, 5 * USEC_PER_SEC);
    assert_int_equal(wish->attempts, 3);
    assert_int_equal(wish->lease, 60 * USEC_PER_SEC);
    assert_true(wish->use_cache && !wish->pair && !wish->is_auto_reconnect && !wish->has_proxy);
    assert_null(wish->renew);
    assert_null(wish->purpose);
    assert_string_equal(wish->client, "ops");
    rest_cancel(f->rest, &f->request, E_CANCELLED);
}

static void D07_everything_of_a_request_can_be_said(void **state)
{
    struct fixture *f = *state;
    const struct gateway_wish *wish;

    assert_int_equal(submit(f, "PUT", LINK,
                            "{\"timeout_ms\":100,\"attempt_timeout_ms\":1000,\"attempts\":20,"
                            "\"queue_ms\":0,\"proxy\":\"hall\",\"use_cache\":false,\"pair\":true,"
                            "\"lease_s\":3600,\"lease\":\"L7f3a9c21\",\"auto_reconnect\":true,"
                            "\"purpose\":\"battery check\"}"),
                     0);
    wish = fake_links_request(f->gateway);
    assert_int_equal(wish->timeout, 100 * USEC_PER_MSEC);
    assert_int_equal(wish->attempt_timeout, USEC_PER_SEC);
    assert_int_equal(wish->queue_for, 0);
    assert_int_equal(wish->attempts, 20);
    assert_int_equal(wish->lease, 3600 * USEC_PER_SEC);
    assert_true(!wish->use_cache && wish->pair && wish->is_auto_reconnect && wish->has_proxy);
    assert_int_equal(wish->proxy_index, 1);
    assert_string_equal(wish->renew, "L7f3a9c21");
    assert_string_equal(wish->purpose, "battery check");
    rest_cancel(f->rest, &f->request, E_CANCELLED);
}

static void nulls_in_the_body_are_as_good_as_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "PUT", LINK, "{\"proxy\":null,\"lease\":null,\"purpose\":null}"), 0);
    assert_false(fake_links_request(f->gateway)->has_proxy);
    assert_null(fake_links_request(f->gateway)->renew);
    rest_cancel(f->rest, &f->request, E_CANCELLED);
}

static void what_is_out_of_range_is_told_with_its_place(void **state)
{
    static const struct {
        const char *field, *value;
    } cases[] = {
            {"timeout_ms", "99"},
            {"timeout_ms", "600001"},
            {"attempt_timeout_ms", "999"},
            {"attempt_timeout_ms", "60001"},
            {"attempts", "0"},
            {"attempts", "21"},
            {"queue_ms", "-1"},
            {"queue_ms", "600001"},
            {"lease_s", "0"},
            {"lease_s", "3601"},
            {"lease_s", "null"},
            {"use_cache", "1"},
            {"pair", "\"yes\""},
            {"auto_reconnect", "null"},
            {"proxy", "7"},
            {"surprise", "true"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char body[64], pointer[32];

        (void) snprintf(body, sizeof body, "{\"%s\":%s}", cases[i].field, cases[i].value);
        (void) snprintf(pointer, sizeof pointer, "/%s", cases[i].field);
        assert_int_equal(submit(f, "PUT", LINK, body), 422);
        assert_int_equal(count(f, "errors"), 1);
        assert_string_equal(text(item(f, "errors", 0), "pointer"), pointer);
    }
    assert_null(fake_links_request(f->gateway));
}

static void texts_of_a_client_have_64_octets_at_most(void **state)
{
    static const char *const fields[] = {"purpose", "lease"};
    struct fixture *f = *state;
    char body[160], pointer[32];

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        (void) snprintf(body, sizeof body, "{\"%s\":\"%065d\"}", fields[i], 0);
        (void) snprintf(pointer, sizeof pointer, "/%s", fields[i]);
        assert_int_equal(submit(f, "PUT", LINK, body), 422);
        assert_string_equal(text(item(f, "errors", 0), "pointer"), pointer);
        assert_string_equal(text(item(f, "errors", 0), "detail"), "must be at most 64 octets long");

        (void) snprintf(body, sizeof body, "{\"%s\":\"%064d\"}", fields[i], 0);
        assert_int_equal(submit(f, "PUT", LINK, body), 0);
        rest_cancel(f->rest, &f->request, E_CANCELLED);
    }
}

static void what_cannot_be_asked_for_is_refused_at_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "PUT", "/api/v1/devices/fridge/connection", NULL), 400);
    assert_int_equal(submit(f, "PUT", LINK, "{\"proxy\":\"nobody\"}"), 404);
    assert_string_equal(text(f->json, "code"), "proxy_not_found");
    assert_int_equal(submit(f, "PUT", LINK, "{"), 400);
    assert_int_equal(submit_as(f, REST_ROLE_READ, "PUT", LINK, NULL), 403);
    fake_links_refuse(f->gateway, E_QUEUE_FULL);
    assert_int_equal(submit(f, "PUT", LINK, NULL), 503);
    assert_string_equal(text(f->json, "code"), "queue_full");
    assert_non_null(json_object_get(f->json, "retry_after_s"));
    assert_string_equal(f->request.answer.headers[0].name, "Retry-After");
}

static void open_link_is_answered_with_the_lease(void **state)
{
    struct fixture *f = *state;
    struct fake_link *link;

    assert_int_equal(submit(f, "PUT", LINK, NULL), 0);
    link = fake_links_add(f->gateway, FRIDGE, "kitchen");
    fake_links_lease(f->gateway, link, "L7f3a9c21", "ops");
    link->leases[0].purpose = "battery check";
    link->attempts[0] = fake_links_attempt(f->gateway, "kitchen", 0, 0, NULL);
    link->attempts[1] = (struct gateway_attempt){.proxy = "hall"}; /* goes on, and has no result */
    fake_links_answer(f->gateway,
                      &(struct gateway_link_answer){.lease = "L7f3a9c21",
                                                    .expires = FAKE_START + 60 * USEC_PER_SEC,
                                                    .proxy = "kitchen"});
    assert_int_equal(f->done, 1);
    assert_int_equal(f->request.answer.status, 200);
    assert_int_equal(json_object_size(f->json), 13);
    assert_string_equal(text(f->json, "state"), "connected");
    assert_string_equal(text(f->json, "proxy"), "kitchen");
    assert_int_equal(json_integer_value(json_object_get(f->json, "mtu")), 247);
    assert_string_equal(text(f->json, "mtu_source"), "negotiated");
    assert_string_equal(text(f->json, "lease"), "L7f3a9c21");
    assert_string_equal(text(f->json, "expires"), "2026-11-21T10:01:00.000Z");
    assert_string_equal(text(item(f, "leases", 0), "client"), "ops");
    assert_string_equal(text(item(f, "leases", 0), "purpose"), "battery check");
    assert_int_equal(count(f, "attempts"), 1);
    assert_string_equal(text(item(f, "attempts", 0), "result"), "connected");
    assert_true(json_is_null(json_object_get(item(f, "attempts", 0), "reason")));
}

/* ---- why there is none ---- */

static void what_passed_in_line_is_told_apart_from_attempts(void **state)
{
    struct fixture *f = *state;
    struct gateway_attempt attempt =
            fake_links_attempt(f->gateway, "hall", E_CONNECT_TIMEOUT, 0, NULL); /* took 1 s */

    assert_int_equal(submit(f, "PUT", LINK, NULL), 0);
    fake_gateway_advance(f->gateway, 60 * USEC_PER_SEC);
    fake_links_answer(f->gateway, &(struct gateway_link_answer){.code = E_CONNECT_TIMEOUT,
                                                                .attempts = &attempt,
                                                                .attempts_count = 1});
    assert_int_equal(f->request.answer.status, 504);
    assert_non_null(strstr(text(f->json, "detail"),
                           "; 59.0 s passed in line for a proxy and between attempts."));
}

static void C13_final_error_carries_class_number_and_attempts(void **state)
{
    static const struct {
        int code, status;
    } cases[] = {{E_CONNECT_FAILED, 502}, {E_CONNECT_ABORTED, 502}, {E_CONNECT_TIMEOUT, 504}};
    struct fixture *f = *state;
    struct gateway_attempt attempts[] = {
            fake_links_attempt(f->gateway, "hall", E_CONNECT_TIMEOUT, 8, NULL),
            fake_links_attempt(f->gateway, "kitchen", E_CONNECT_FAILED, 62, "fail_establish"),
    };
    const json_t *last;

    attempts[0].result = "timeout";
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        end(f, cases[i].status,
            &(struct gateway_link_answer){.code = cases[i].code,
                                          .has_reason = true,
                                          .reason = 62,
                                          .reason_name = "fail_establish",
                                          .attempts = attempts,
                                          .attempts_count = 2});
        assert_int_equal(count(f, "attempts"), 2);
        assert_string_equal(text(item(f, "attempts", 0), "result"), "timeout");
        assert_string_equal(text(json_object_get(item(f, "attempts", 0), "reason"), "name"),
                            "unknown");
        last = item(f, "attempts", 1);
        assert_string_equal(text(last, "proxy"), "kitchen");
        assert_string_equal(text(last, "code"), "connect_failed");
        assert_int_equal(json_integer_value(json_object_get(last, "duration_ms")), 1000);
        assert_int_equal(
                json_integer_value(json_object_get(json_object_get(last, "reason"), "number")), 62);
        assert_int_equal(json_object_size(json_object_get(last, "score_terms")), 6);
        assert_non_null(strstr(text(f->json, "detail"),
                               ": 2 attempts, the last through kitchen (failed); the reason was "
                               "62, fail_establish."));
    }
}

static void no_route_tells_what_each_proxy_lacks(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = fake_gateway_add(f->gateway, FRIDGE);

    fake_gateway_hear(f->gateway, d, "kitchen", payload, sizeof payload);
    d->sources[0].can_connect = false;
    end(f, 503, &(struct gateway_link_answer){.code = E_NO_ROUTE});
    assert_int_equal(count(f, "candidates"), 2);
    assert_string_equal(text(item(f, "candidates", 0), "cause"), "not_connectable");
    assert_string_equal(text(item(f, "candidates", 1), "cause"), "never_heard");
    assert_string_equal(text(f->json, "detail"),
                        "No proxy that is online and may connect hears it now; kitchen: its "
                        "firmware does not carry connections.");
}

static void no_free_slot_tells_who_holds_them_and_when_to_come_back(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = fake_gateway_add(f->gateway, FRIDGE);
    struct gateway_link_answer answer = {.code = E_NO_FREE_SLOT,
                                         .retry_after = 11200 * USEC_PER_MSEC};

    fake_gateway_hear(f->gateway, d, "kitchen", payload, sizeof payload);
    fake_gateway_proxy(f->gateway, 0)->has_slots = true;
    fake_gateway_proxy(f->gateway, 0)->slots_limit = 1;
    fake_links_take_slot(f->gateway, 0, LAMP, "ours");
    fake_links_lease(f->gateway, fake_links_add(f->gateway, LAMP, "kitchen"), "L1", "ops");
    end(f, 503, &answer);
    assert_int_equal(json_integer_value(json_object_get(f->json, "retry_after_s")), 12);
    assert_string_equal(f->request.answer.headers[0].value, "12");
    assert_int_equal(count(f, "holders"), 1);
    assert_string_equal(text(item(f, "holders", 0), "address"), "C0:FF:EE:00:00:01");
    assert_true(json_is_array(json_object_get(f->json, "attempts")));
    assert_string_equal(
            text(f->json, "detail"),
            "kitchen (1 of 1 slots in use) is the only proxy that could connect to it.");

    answer.retry_after = 0;
    end(f, 503, &answer);
    assert_int_equal(json_integer_value(json_object_get(f->json, "retry_after_s")), 5);
}

static void other_ends_have_the_status_and_the_fields_of_the_contract(void **state)
{
    struct fixture *f = *state;

    end(f, 404, &(struct gateway_link_answer){.code = E_DEVICE_NOT_FOUND});
    end(f, 410, &(struct gateway_link_answer){.code = E_GONE});
    end(f, 503, &(struct gateway_link_answer){.code = E_CANCELLED});
    end(f, 503, &(struct gateway_link_answer){.code = E_SHUTTING_DOWN});
    end(f, 503, &(struct gateway_link_answer){.code = E_PROXY_OFFLINE, .proxy = "hall"});
    assert_string_equal(text(f->json, "proxy"), "hall");
    end(f, 502,
        &(struct gateway_link_answer){.code = E_PAIRING_FAILED, .has_reason = true, .reason = 5});
    assert_int_equal(
            json_integer_value(json_object_get(json_object_get(f->json, "reason"), "number")), 5);
}

static void C17_firmware_that_cannot_pair_is_not_supported(void **state)
{
    struct fixture *f = *state;

    end(f, 501, &(struct gateway_link_answer){.code = E_NOT_SUPPORTED, .proxy = "kitchen"});
    assert_string_equal(text(f->json, "feature"), "pairing");
    assert_string_equal(text(f->json, "proxy"), "kitchen");
}

static void required_proxy_that_is_offline_is_named_as_it_was_asked_for(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "PUT", LINK, "{\"proxy\":\"hall\"}"), 0);
    fake_links_answer(f->gateway, &(struct gateway_link_answer){.code = E_PROXY_OFFLINE});
    assert_string_equal(text(f->json, "proxy"), "hall");
}

static void request_that_is_given_up_gives_the_link_up(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "PUT", LINK, NULL), 0);
    rest_cancel(f->rest, &f->request, E_CANCELLED);
    assert_int_equal(f->done, 1);
    assert_int_equal(fake_links_cancelled(f->gateway), 1);
    assert_null(fake_links_request(f->gateway));
}

static void end_of_the_program_answers_who_waits(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "PUT", LINK, NULL), 0);
    rest_stop(f->rest);
    assert_int_equal(f->done, 1);
    assert_string_equal(text(f->json, "code"), "shutting_down");
    assert_int_equal(fake_links_cancelled(f->gateway), 1);
    assert_int_equal(submit(f, "PUT", LINK, NULL), 503);
}

static void only_so_many_may_wait(void **state)
{
    struct fixture *f = *state;
    struct rest_request waiting[8]; /* half of 16 connections may wait */

    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
        waiting[i] = (struct rest_request){.method = "PUT",
                                           .target = LINK,
                                           .role = REST_ROLE_CONTROL,
                                           .done = on_done,
                                           .user = f};
        assert_int_equal(rest_submit(f->rest, &waiting[i]), 0);
    }
    assert_int_equal(submit(f, "PUT", LINK, NULL), 503);
    assert_string_equal(text(f->json, "code"), "overloaded");
    assert_int_equal(fake_links_cancelled(f->gateway), 0);
    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
        rest_cancel(f->rest, &waiting[i], E_CANCELLED);
        answer_done(&waiting[i].answer);
    }
}

/* ---- looking, waiting, ending ---- */

static void device_without_a_link_has_the_state_none(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit_as(f, REST_ROLE_READ, "GET", LINK, NULL), 200);
    assert_int_equal(json_object_size(f->json), 11);
    assert_string_equal(text(f->json, "address"), "A4:C1:38:12:AB:56");
    assert_string_equal(text(f->json, "state"), "none");
    assert_true(json_is_null(json_object_get(f->json, "mtu")));
    assert_true(json_is_null(json_object_get(f->json, "since")));
    assert_int_equal(submit(f, "GET", "/api/v1/devices/fridge/connection", NULL), 400);
    assert_int_equal(submit(f, "GET", LINK "?wait=connected", NULL), 422);
    assert_int_equal(submit(f, "GET", LINK "?timeout_ms=600001", NULL), 422);
}

static void waiting_for_the_end_of_a_link_that_is_not_there_is_no_waiting(void **state)
{
    assert_int_equal(submit(*state, "GET", LINK "?wait=disconnected", NULL), 200);
}

static void end_of_the_link_is_waited_for(void **state)
{
    struct fixture *f = *state;

    (void) fake_links_add(f->gateway, FRIDGE, "kitchen");
    (void) fake_links_add(f->gateway, LAMP, "kitchen");
    assert_int_equal(submit(f, "GET", LINK "?wait=disconnected&timeout_ms=5000", NULL), 0);
    fake_links_change(f->gateway, NULL, FRIDGE, "kitchen");
    fake_links_change(f->gateway, "closed", LAMP, "kitchen");
    fake_gateway_turn(f->gateway);
    assert_int_equal(f->done, 0);

    fake_links_remove(f->gateway, FRIDGE);
    fake_links_change(f->gateway, "closed", FRIDGE, "kitchen");
    fake_links_change(f->gateway, NULL, FRIDGE, NULL);
    assert_int_equal(f->done, 0); /* a change is not answered from inside */
    fake_gateway_turn(f->gateway);
    assert_int_equal(f->done, 1);
    assert_string_equal(text(f->json, "state"), "none");
}

static void waiting_ends_with_the_state_at_its_limit(void **state)
{
    struct fixture *f = *state;

    (void) fake_links_add(f->gateway, FRIDGE, "kitchen");
    assert_int_equal(submit(f, "GET", LINK "?wait=disconnected&timeout_ms=0", NULL), 200);
    assert_int_equal(submit(f, "GET", LINK "?wait=disconnected", NULL), 0);
    fake_gateway_advance(f->gateway, 29999 * USEC_PER_MSEC);
    assert_int_equal(f->done, 0);
    fake_gateway_advance(f->gateway, USEC_PER_MSEC);
    assert_int_equal(f->done, 1);
    assert_string_equal(text(f->json, "state"), "connected");
}

static void C16_disconnecting_twice_is_fine(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(submit(f, "DELETE", LINK, NULL), 200);
    assert_string_equal(text(f->json, "state"), "none");
    fake_links_lease(f->gateway, fake_links_add(f->gateway, FRIDGE, "kitchen"), "L1", "ops");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(submit(f, "DELETE", LINK, NULL), 200);
        assert_string_equal(text(f->json, "state"), "disconnecting");
        assert_int_equal(count(f, "leases"), 0);
    }
    fake_links_remove(f->gateway, FRIDGE);
    assert_int_equal(submit(f, "DELETE", LINK "?lease=L1", NULL), 200);
    assert_int_equal(submit_as(f, REST_ROLE_READ, "DELETE", LINK, NULL), 403);
}

static void one_lease_is_released_and_the_others_stay(void **state)
{
    struct fixture *f = *state;
    struct fake_link *link = fake_links_add(f->gateway, FRIDGE, "kitchen");

    fake_links_lease(f->gateway, link, "L1", "ops");
    fake_links_lease(f->gateway, link, "L2", "mqtt");
    assert_int_equal(submit(f, "DELETE", LINK "?lease=L1", NULL), 200);
    assert_int_equal(count(f, "leases"), 1);
    assert_string_equal(text(item(f, "leases", 0), "id"), "L2");
    assert_int_equal(submit(f, "DELETE", LINK "?lease=L1", NULL), 410);
    assert_string_equal(text(f->json, "code"), "gone");
}

static void lease_without_an_end_expires_never(void **state)
{
    struct fixture *f = *state;
    struct fake_link *link = fake_links_add(f->gateway, FRIDGE, "kitchen");

    fake_links_lease(f->gateway, link, "L1", "gateway");
    link->leases[0].expires = USEC_NEVER;
    link->facts.queue_position = 2;
    assert_int_equal(submit(f, "GET", LINK, NULL), 200);
    assert_true(json_is_null(json_object_get(item(f, "leases", 0), "expires")));
    assert_int_equal(json_integer_value(json_object_get(f->json, "queue_position")), 2);
}

/* ---- all links ---- */

static void links_come_in_pages_by_address(void **state)
{
    struct fixture *f = *state;
    char target[128];

    for (uint64_t i = 5; i-- > 0;)
        (void) fake_links_add(f->gateway, FRIDGE + i, i % 2 ? "hall" : "kitchen");
    assert_int_equal(submit_as(f, REST_ROLE_READ, "GET", CONNECTIONS "?limit=3", NULL), 200);
    assert_int_equal(count(f, "items"), 3);
    assert_string_equal(text(item(f, "items", 0), "address"), "A4:C1:38:12:AB:56");
    (void) snprintf(target, sizeof target, CONNECTIONS "?limit=3&cursor=%s", text(f->json, "next"));
    assert_int_equal(submit(f, "GET", target, NULL), 200);
    assert_int_equal(count(f, "items"), 2);
    assert_string_equal(text(item(f, "items", 0), "address"), "A4:C1:38:12:AB:59");
    assert_true(json_is_null(json_object_get(f->json, "next")));
    assert_int_equal(submit(f, "GET", CONNECTIONS "?cursor=!!!", NULL), 400);
    assert_int_equal(submit(f, "GET", CONNECTIONS "?proxy=hall", NULL), 200);
    assert_int_equal(count(f, "items"), 2);
    assert_int_equal(submit(f, "GET", CONNECTIONS "?state=queued", NULL), 200);
    assert_int_equal(count(f, "items"), 0);
}

static void D06_what_nobody_holds_is_released_and_told(void **state)
{
    struct fixture *f = *state;
    struct fake_link *held, *lingering;

    fake_links_take_slot(f->gateway, 1, 0x112233445566, "orphan");
    fake_links_take_slot(f->gateway, 1, 0x112233445567, "foreign");
    held = fake_links_add(f->gateway, FRIDGE, "kitchen");
    fake_links_lease(f->gateway, held, "L1", "ops");
    lingering = fake_links_add(f->gateway, FRIDGE + 1, "kitchen");
    lingering->facts.linger_until = FAKE_START + USEC_PER_SEC;
    (void) fake_links_add(f->gateway, LAMP, "hall");
    assert_int_equal(submit_as(f, REST_ROLE_READ, "POST", CONNECTIONS "/close-stale", NULL), 403);
    assert_int_equal(submit(f, "POST", CONNECTIONS "/close-stale", NULL), 200);
    assert_int_equal(count(f, "items"), 2);
    assert_string_equal(text(item(f, "items", 0), "address"), "11:22:33:44:55:66");
    assert_string_equal(text(item(f, "items", 0), "holder"), "orphan");
    assert_string_equal(text(item(f, "items", 1), "address"), "C0:FF:EE:00:00:01");
    assert_string_equal(text(item(f, "items", 1), "proxy"), "hall");
    assert_string_equal(text(item(f, "items", 1), "holder"), "ours");
    assert_true(json_is_true(json_object_get(item(f, "items", 1), "freed")));

    assert_int_equal(submit(f, "POST", CONNECTIONS "/close-stale", NULL), 200);
    assert_int_equal(count(f, "items"), 0);
}

/* ---- slots ---- */

static void D06_slot_that_is_not_ours_is_freed(void **state)
{
    struct fixture *f = *state;

    fake_links_take_slot(f->gateway, 0, FRIDGE, "foreign");
    assert_int_equal(submit(f, "DELETE", SLOT, NULL), 200);
    assert_int_equal(json_object_size(f->json), 5);
    assert_string_equal(text(f->json, "proxy"), "kitchen");
    assert_string_equal(text(f->json, "address"), "A4:C1:38:12:AB:56");
    assert_string_equal(text(f->json, "holder"), "foreign");
    assert_true(json_is_true(json_object_get(f->json, "freed")));
    assert_int_equal(submit(f, "DELETE", SLOT, NULL), 404);
    assert_string_equal(text(f->json, "code"), "not_found");
}

static void slot_that_cannot_be_freed_says_why(void **state)
{
    struct fixture *f = *state;

    fake_links_take_slot(f->gateway, 0, FRIDGE, "ours");
    assert_int_equal(submit(f, "DELETE", SLOT, NULL), 409);
    assert_string_equal(text(f->json, "holder"), "gateway");
    fake_links_lease(f->gateway, fake_links_add(f->gateway, FRIDGE, "kitchen"), "L1", "ops");
    assert_int_equal(submit(f, "DELETE", SLOT, NULL), 409);
    assert_string_equal(text(f->json, "code"), "conflict");
    assert_string_equal(text(f->json, "holder"), "ops");

    fake_gateway_proxy(f->gateway, 0)->is_online = false;
    assert_int_equal(submit(f, "DELETE", SLOT, NULL), 503);
    assert_string_equal(text(f->json, "code"), "proxy_offline");
    assert_string_equal(text(f->json, "proxy"), "kitchen");
    assert_int_equal(submit(f, "DELETE", "/api/v1/proxies/nobody/slots/A4C13812AB56", NULL), 404);
    assert_string_equal(text(f->json, "code"), "proxy_not_found");
    assert_int_equal(submit(f, "DELETE", "/api/v1/proxies/kitchen/slots/fridge", NULL), 400);
    assert_int_equal(submit_as(f, REST_ROLE_READ, "DELETE", SLOT, NULL), 403);
}

/* ---- elsewhere ---- */

static void device_shows_its_link_and_its_bonds(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = fake_gateway_add(f->gateway, FRIDGE);

    fake_gateway_hear(f->gateway, d, "kitchen", payload, sizeof payload);
    assert_int_equal(submit(f, "GET", "/api/v1/devices/A4C13812AB56", NULL), 200);
    assert_true(json_is_null(json_object_get(f->json, "connection")));
    assert_int_equal(count(f, "bonds"), 0);
    (void) fake_links_add(f->gateway, FRIDGE, "hall");
    fake_links_route(f->gateway, 1)->is_bonded = true;
    assert_int_equal(submit(f, "GET", "/api/v1/devices/A4C13812AB56", NULL), 200);
    assert_string_equal(text(json_object_get(f->json, "connection"), "state"), "connected");
    assert_string_equal(text(json_object_get(f->json, "connection"), "proxy"), "hall");
    assert_int_equal(json_object_size(json_object_get(f->json, "connection")), 2);
    assert_string_equal(json_string_value(item(f, "bonds", 0)), "hall");
    assert_int_equal(submit(f, "GET", "/api/v1/info", NULL), 200);
    assert_int_equal(
            json_integer_value(json_object_get(json_object_get(f->json, "counts"), "connections")),
            1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(link_is_asked_for_with_the_settings_where_the_body_is_silent),
            TEST(D07_everything_of_a_request_can_be_said),
            TEST(nulls_in_the_body_are_as_good_as_nothing),
            TEST(what_is_out_of_range_is_told_with_its_place),
            TEST(texts_of_a_client_have_64_octets_at_most),
            TEST(what_cannot_be_asked_for_is_refused_at_once),
            TEST(open_link_is_answered_with_the_lease),
            TEST(what_passed_in_line_is_told_apart_from_attempts),
            TEST(C13_final_error_carries_class_number_and_attempts),
            TEST(no_route_tells_what_each_proxy_lacks),
            TEST(no_free_slot_tells_who_holds_them_and_when_to_come_back),
            TEST(other_ends_have_the_status_and_the_fields_of_the_contract),
            TEST(C17_firmware_that_cannot_pair_is_not_supported),
            TEST(required_proxy_that_is_offline_is_named_as_it_was_asked_for),
            TEST(request_that_is_given_up_gives_the_link_up),
            TEST(end_of_the_program_answers_who_waits),
            TEST(only_so_many_may_wait),
            TEST(device_without_a_link_has_the_state_none),
            TEST(waiting_for_the_end_of_a_link_that_is_not_there_is_no_waiting),
            TEST(end_of_the_link_is_waited_for),
            TEST(waiting_ends_with_the_state_at_its_limit),
            TEST(C16_disconnecting_twice_is_fine),
            TEST(one_lease_is_released_and_the_others_stay),
            TEST(lease_without_an_end_expires_never),
            TEST(links_come_in_pages_by_address),
            TEST(D06_what_nobody_holds_is_released_and_told),
            TEST(D06_slot_that_is_not_ours_is_freed),
            TEST(slot_that_cannot_be_freed_says_why),
            TEST(device_shows_its_link_and_its_bonds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
